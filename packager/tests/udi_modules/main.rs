//! UDI's three tools on drivers and libraries without `driver.toml`, by the names that UDI gives
//! them, with the cross compiler.

#![cfg(target_os = "linux")]

mod build;
mod packages;
#[expect(clippy::unwrap_used, reason = "part of tests")]
#[path = "../terminal/session.rs"]
mod session;
#[expect(clippy::unwrap_used, reason = "part of tests")]
mod support;
#[expect(clippy::unwrap_used, reason = "part of tests")]
#[path = "../terminal/mod.rs"]
mod terminal;

use terminal::pty;

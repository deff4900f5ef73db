//! Linux source trees: what is in them, and what it takes to have one of their drivers outside.
//!
//! | step | from | to |
//! |---|---|---|
//! | [`tree`] | a folder | [`tree::Tree`], or what was looked for and not found |
//! | [`catalog`] | Kconfig files and Makefiles | [`catalog::Catalog`]: every option and what it builds |
//! | [`pick`](mod@pick) | a catalog and somebody at a terminal | [`pick::Choice`] |
//! | [`driver_conf`] | the text of `driver.conf` | [`driver_conf::DriverConf`], or every mistake with its place |
//! | [`tools`] | environment, `uname` | the prefix of the compilers |

pub mod catalog;
pub mod driver_conf;
pub mod extract;
pub mod pick;
pub mod request;
pub mod tools;
pub mod tree;
pub mod workspace;
pub mod wrap;

//! Images from the outside: bootstraps made by hand are filled, read back, damaged.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions only, not the functions they share"
)]

mod hostile;
mod modlist;
mod round_trip;
mod stock;
mod support;

//! The block server against a fake disk and against clients of all kinds.

mod cache;
pub(super) mod disk;
mod hostile;
mod life;
mod load;
mod requests;
mod rig;

//! The only way from and to the disk for the tools that read what others made.
//!
//! | module | what it does |
//! |---|---|
//! | [`input`] | opens regular files only, and reads no more than a kind of file has |
//! | [`draft`] | writes beside the destination, under a name that nobody can guess; then one rename |
//! | [`interrupt`] | removes what is on its way when the program is interrupted |

pub mod draft;
pub mod input;
pub mod interrupt;

pub use draft::{Draft, DraftFolder, ScratchFolder};

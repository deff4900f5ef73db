//! Bootstrap images of L4Re: read, changed and written.
//!
//! An image is L4Re's bootstrap with the modules that it starts or hands on: kernel, sigma0, root
//! task, and the files of the ROM file system. The bootstrap comes as an ELF file, as a plain memory
//! image, or behind U-Boot's header; an image without modules is the same with an empty area for
//! them.
//!
//! [`Image::open`] reads the table of the modules and not their bytes: those are copied from file to
//! file when [`Image::write`] puts a new image together. What is read is checked first; no input makes
//! anything here panic, take much memory, or write outside of the place that was named.

mod attrs;
mod boot;
mod compose;
mod container;
mod edit;
mod elf;
mod extract;
mod gzip;
mod image;
mod info;
mod layout;
pub mod modlist;
mod shlib;
mod source;
mod strip;
mod table;
mod verify;
mod write;

pub use attrs::Attrs;
pub use compose::Prepare;
pub use container::Format;
pub use edit::{Change, Selector};
pub use extract::MODULE_LIST;
pub use image::{Checksums, Image, Kind, Module};
pub use info::Arch;
pub use source::{Content, Source};
pub use strip::strip;

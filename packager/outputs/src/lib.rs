//! Where a package can go: every output of the packager but L4Re's own package format.
//!
//! | module | output |
//! |---|---|
//! | [`emit`](mod@emit) | the packages of several drivers in one of the formats below |
//! | [`inject`](mod@inject) | a driver added to a boot image |
//! | [`install`](mod@install) | files below a folder, in disk images and in boot images |
//! | [`rootfs`] | root file systems with systemd |
//! | [`buildroot`] | Buildroot packages |
//! | [`systemd`] | units and the scripts that hand capabilities to them |

pub mod buildroot;
pub mod emit;
pub mod inject;
pub mod install;
pub mod rootfs;
pub mod systemd;

//! The command line of `packager`.
//!
//! What it does is in the crates beside it; each knows only those above it in this list:
//!
//! | crate | what it knows |
//! |---|---|
//! | `l4re-packager-base` | findings, strict reading of TOML and YAML, writing of files, progress |
//! | `l4re-image` | bootstrap images |
//! | `l4re-udi` | UDI's formats |
//! | `l4re-packager-core` | manifests; building, checking, packaging, booting |
//! | `l4re-kconfig`, `l4re-kbuild`, `l4re-cpp`, `l4re-kheaders` | the languages of a Linux tree |
//! | `l4re-linux-drivers` | the drivers of a Linux tree: catalog, extraction, workspaces |
//! | `l4re-packager-outputs` | boot images, disk images, root file systems, Buildroot, systemd |
//! | `l4re-udi-tools` | `udibuild`, `udimkpkg`, `udisetup` |
//! | `l4re-packager-resolve` | dependencies between the packages of an L4Re tree |

pub mod cli;

//! What keeps a guest from being run at all. How a run ended is no error, see
//! [`Outcome`](crate::Outcome).

use std::path::PathBuf;

/// Why QEMU could not be started, or could not be watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No emulator of that name on the search path.
    #[error(
        "{program} not found; install it with `apt-get install {package}`, or name another with the \
         environment variable QEMU"
    )]
    NoEmulator {
        /// The program that was looked for.
        program: String,
        /// Debian's name of the package that ships it.
        package: String,
    },
    /// The emulator is there but would not start.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program that was started.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The emulator runs but cannot be waited for.
    #[error("cannot watch {program}: {source}")]
    Watch {
        /// The program that was started.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that the machine needs is missing or not a file.
    #[error("{what} {}: no such file", path.display())]
    Missing {
        /// What the file would have been: kernel, boot archive, disk image.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No machine description of that name.
    #[error("unknown machine `{name}`; there are: {known}")]
    UnknownMachine {
        /// The name asked for.
        name: String,
        /// The names that would do, separated by commas.
        known: String,
    },
    /// A machine description that cannot be read.
    #[error("machine description {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A machine description that is not one. The message names line and column.
    #[error("machine description {origin}: {message}")]
    BadMachine {
        /// File or name of the description.
        origin: String,
        /// What is wrong, with its position.
        message: String,
    },
    /// Two devices at one place, or a place that the machine does not have.
    #[error("disk {index}: {message}")]
    BadPlace {
        /// Which disk, in the order in which they were added, from 0.
        index: usize,
        /// What is wrong with its place.
        message: String,
    },
}

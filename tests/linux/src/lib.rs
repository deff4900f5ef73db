//! What the packager says about a Linux tree, held against the tree's own tools.
//!
//! | module | what |
//! |---|---|
//! | [`tree`] | the trees: unpacked once, outside of the repository |
//! | [`oracle`] | what the tree's `conf`, make and compiler, and kconfiglib, say about it |
//! | [`ours`] | what the project's crates say, in the same terms |
//! | [`selftest`] | the tests that the tree brings along for its `conf`, for ours |
//!
//! Everything that takes long is kept in the cache folder: `L4RE_TEST_CACHE`, or
//! `$XDG_CACHE_HOME/l4re-drivers`, or `~/.cache/l4re-drivers`. It may be removed at any time.

pub mod cache;
pub mod oracle;
pub mod ours;
pub mod run;
pub mod selftest;
pub mod tree;

use std::path::PathBuf;

/// Why a test cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// The command line.
        command: String,
        /// The end of what it wrote.
        output: String,
    },
    /// There is no such tree here.
    #[error(
        "no Linux {version} here: neither {version} in $L4RE_LINUX_TREES nor the package {package}"
    )]
    NoTree {
        /// Version, as `6.1`.
        version: String,
        /// Debian's package with it.
        package: String,
    },
    /// An answer that cannot be understood.
    #[error("{what}: {source}")]
    Json {
        /// Whose answer.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The home folder is not known.
    #[error("no cache folder: neither L4RE_TEST_CACHE nor XDG_CACHE_HOME nor HOME is set")]
    NoCache,
}

impl Error {
    /// About a file or folder.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

//! Errors of the test tools: a text that says what failed and where.

use std::fmt;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Something that stops a test or the demo.
pub struct Error(String);

impl Error {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As for display: a test that returns an error shows its lines as lines.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Says what was being done when an error came up.
pub trait Context<T> {
    /// Turns the error into one that starts with `what`.
    ///
    /// # Errors
    ///
    /// The one that was there, with the text in front.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| Error(format!("{what}: {e}")))
    }
}

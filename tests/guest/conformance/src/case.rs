//! What a case is, and how it says what went wrong.

use alloc::format;
use alloc::string::String;
use core::fmt::Debug;

use l4re_runtime::Error;
use l4re_runtime::env::{Env, StartError};

/// Something that has to hold.
pub struct Case {
    /// Unique, for the output.
    pub name: &'static str,
    /// The check.
    pub run: fn(&'static Env) -> Outcome,
}

/// The result of a case.
pub type Outcome = Result<(), Failure>;

/// Why a case failed.
pub struct Failure(String);

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    #[track_caller]
    fn from(e: Error) -> Self {
        let place = core::panic::Location::caller();
        Failure(format!("{e} (line {} of {})", place.line(), place.file()))
    }
}

impl From<StartError> for Failure {
    fn from(e: StartError) -> Self {
        Failure(format!("{e}"))
    }
}

/// Fails unless both are equal.
pub fn same<T: PartialEq + Debug>(what: &str, got: T, want: T) -> Outcome {
    if got == want {
        Ok(())
    } else {
        Err(Failure(format!("{what}: {got:x?} instead of {want:x?}")))
    }
}

/// Fails unless `holds`.
pub fn check(what: &str, holds: bool) -> Outcome {
    if holds { Ok(()) } else { Err(Failure(String::from(what))) }
}

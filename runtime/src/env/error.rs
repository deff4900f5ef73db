//! Why a program does not start: what is missing, by the name that the user gave it.

use alloc::string::String;
use core::fmt;

use crate::Error;

/// An error of start-up, with what it was about and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// A capability is not in the table.
    MissingCap(String),
    /// A variable says under which name a capability was granted, and that is not in the table.
    RenamedCap {
        /// The variable, `L4_CAP_…`.
        variable: &'static str,
        /// Its value: the name.
        name: &'static str,
    },
    /// A path could not be followed behind its first part.
    Path {
        /// The path.
        path: String,
        /// What the name space answered.
        error: Error,
    },
    /// An operation on a named thing failed.
    Failed {
        /// What was tried, such as `attach registers of`.
        action: &'static str,
        /// On what: a capability, a device, a file.
        subject: String,
        /// Why.
        error: Error,
    },
    /// A text for everything else; complete in itself.
    Other(String),
}

impl StartError {
    /// Makes the function that puts an error into its context:
    /// `.map_err(StartError::when("map", "ram"))`.
    pub fn when(action: &'static str, subject: &str) -> impl FnOnce(Error) -> StartError {
        let subject = String::from(subject);
        move |error| StartError::Failed { action, subject, error }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::MissingCap(name) => write!(
                f,
                "capability `{name}` is missing: add `{name} = …` to `caps` where the program is \
                 started"
            ),
            StartError::RenamedCap { variable, name } => write!(
                f,
                "capability `{name}`, which {variable} names, is missing: add `{name} = …` to `caps` \
                 where the program is started, or correct the variable"
            ),
            StartError::Path { path, error } => {
                write!(f, "`{path}` cannot be found: {error}")?;
                f.write_str("; names behind the first `/` are looked up in that name space")
            }
            StartError::Failed { action, subject, error } => {
                write!(f, "cannot {action} `{subject}`: {error}")?;
                hint(*error).map_or(Ok(()), |h| write!(f, "; {h}"))
            }
            StartError::Other(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for StartError {}

/// What usually helps.
fn hint(error: Error) -> Option<&'static str> {
    Some(match error {
        Error::PERM | Error::ACCESS => "pass it with more rights, such as `:m(\"rws\")`",
        Error::NO_DESTINATION => "its server has ended, or the capability was never filled",
        Error::NOMEM => "give the program a larger memory quota",
        Error::BADPROTO | Error::NOSYS => "the capability leads to something of another kind",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn messages_name_the_thing_and_the_way_out() {
        assert_eq!(
            StartError::MissingCap("vbus".into()).to_string(),
            "capability `vbus` is missing: add `vbus = …` to `caps` where the program is started"
        );
        assert_eq!(
            StartError::RenamedCap { variable: "L4_CAP_VBUS", name: "bus0" }.to_string(),
            "capability `bus0`, which L4_CAP_VBUS names, is missing: add `bus0 = …` to `caps` where \
             the program is started, or correct the variable"
        );
        assert_eq!(
            StartError::when("open device", "disk")(Error::PERM).to_string(),
            "cannot open device `disk`: operation not permitted (a right is missing) (error 1); \
             pass it with more rights, such as `:m(\"rws\")`"
        );
    }
}

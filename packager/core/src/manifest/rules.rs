//! What words in `driver.toml` may look like, each rule with its reason.

use std::path::{Component, Path};

/// Longest name of a driver: it is the tag of its log lines, and the name of a folder, of several
/// files and of a word in `Control`.
pub(super) const NAME_MAX: usize = 32;

/// A name that can be all of that: lower case letters, digits, dashes inside.
pub(super) fn name(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if word.len() > NAME_MAX {
        Err("must have at most 32 characters")
    } else if !word.starts_with(|c: char| c.is_ascii_lowercase())
        || word.ends_with('-')
        || !word.chars().all(plain)
    {
        Err("must be lower case letters, digits and dashes, and start with a letter")
    } else {
        Ok(())
    }
}

/// One line of text, as comments in generated files and documentation want it.
pub(super) fn line(text: &str) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        Err("must not be empty")
    } else if text.chars().any(char::is_control) {
        Err("must be one line without control characters")
    } else {
        Ok(())
    }
}

/// A word of a field in `Control`, where blanks separate, `#` starts a comment and brackets a
/// condition.
pub(super) fn control_word(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+@".contains(c);
    if word.is_empty() || !word.chars().all(plain) {
        Err("must be one word of letters, digits and - _ . + @")
    } else {
        Ok(())
    }
}

/// A bare mail address: `Control` would take a name with blanks for several words.
pub(super) fn address(word: &str) -> Result<(), &'static str> {
    control_word(word).map_err(|_| "must be a bare mail address, like name@example.org")?;
    match word.split_once('@') {
        Some((user, host)) if !user.is_empty() && !host.is_empty() && !host.contains('@') => Ok(()),
        _ => Err("must be a bare mail address, like name@example.org"),
    }
}

/// A program's file name.
pub(super) fn program(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if word.is_empty() || !word.chars().all(plain) {
        Err("must be letters, digits, dashes and underscores")
    } else {
        Ok(())
    }
}

/// An argument of the example scripts: the command line is split at blanks without quoting.
pub(super) fn argument(word: &str) -> Result<(), &'static str> {
    if word.is_empty() || word.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Err("must be one word without blanks: the loader splits there")
    } else {
        Ok(())
    }
}

/// What io's matching understands of a PCI device: `CC_`, `REV_`, `VEN_`, `DEV_` and `SUBSYS_` with
/// their number of hexadecimal digits, joined by `&`. Anything else would silently match nothing,
/// or, if empty, everything.
pub(super) fn pci_match(word: &str) -> Result<(), &'static str> {
    let hex = |digits: &str, lengths: &[usize]| {
        lengths.contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit())
    };
    let good = |token: &str| match token.split_once('_') {
        Some(("CC", digits)) => hex(digits, &[2, 4, 6]),
        Some(("REV", digits)) => hex(digits, &[2]),
        Some(("VEN" | "DEV", digits)) => hex(digits, &[4]),
        Some(("SUBSYS", digits)) => hex(digits, &[8]),
        _ => false,
    };
    if word.split('&').all(good) {
        Ok(())
    } else {
        Err("must be like CC_0180 or VEN_1AF4&DEV_1042 (hexadecimal digits)")
    }
}

/// A `compatible` string, quoted in the example's Lua.
pub(super) fn compatible(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,+".contains(c);
    if word.is_empty() || !word.chars().all(plain) {
        Err("must be like vendor,device")
    } else {
        Ok(())
    }
}

/// A path below the driver's folder.
pub(super) fn inside(path: &str) -> Result<(), &'static str> {
    let components = Path::new(path).components();
    if path.is_empty() || !components.into_iter().all(|c| matches!(c, Component::Normal(_))) {
        Err("must be a path below the driver's folder")
    } else {
        Ok(())
    }
}

/// A C source file below the driver's folder.
pub(super) fn c_source(path: &str) -> Result<(), &'static str> {
    inside(path)?;
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("c" | "S") => Ok(()),
        _ => Err("must end in .c or .S"),
    }
}

/// A macro definition, `NAME` or `NAME=value`.
pub(super) fn define(word: &str) -> Result<(), &'static str> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(plain) && !value.chars().any(char::is_control) {
        Ok(())
    } else {
        Err("must be NAME or NAME=value")
    }
}

/// A version number: it becomes part of file names and of makefiles.
pub(super) fn version(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+~-".contains(c);
    if word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 64 && word.chars().all(plain)
    {
        Ok(())
    } else {
        Err("must start with a digit and hold only letters, digits and . _ + ~ -")
    }
}

/// An address in the web.
pub(super) fn homepage(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"'`$\\<>".contains(c);
    let rest = word.strip_prefix("https://").or(word.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty()) && word.chars().all(plain) {
        Ok(())
    } else {
        Err("must be like https://example.org/driver")
    }
}

/// An SPDX expression.
pub(super) fn licence(text: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " .+-():".contains(c);
    if text.trim().is_empty() || !text.chars().all(plain) {
        Err("must be an SPDX expression, like MIT OR Apache-2.0")
    } else {
        Ok(())
    }
}

/// A program below the driver's folder, whose name stands in makefiles.
pub(super) fn host_program(path: &str) -> Result<(), &'static str> {
    inside(path)?;
    program(path.rsplit('/').next().unwrap_or(path))
}

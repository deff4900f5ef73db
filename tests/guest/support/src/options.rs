//! The command line of a test program.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The options that a program takes: names, and whether a value follows.
pub type Table = &'static [(&'static str, bool)];

/// A checked command line: `--name value` and `--name`, and words that belong to no option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    given: Vec<(&'static str, Option<&'static str>)>,
    words: Vec<&'static str>,
}

impl Options {
    /// Reads arguments without the program's name.
    ///
    /// # Errors
    ///
    /// A text for options that are not in the table or lack their value.
    pub fn parse(
        args: impl IntoIterator<Item = &'static str>,
        table: Table,
    ) -> Result<Options, String> {
        let mut options = Options::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if !arg.starts_with("--") {
                options.words.push(arg);
                continue;
            }
            let entry = table.iter().find(|(name, _)| *name == arg);
            let &(name, has_value) = entry.ok_or_else(|| format!("unknown option `{arg}`"))?;
            let value = if has_value {
                Some(args.next().ok_or_else(|| format!("`{arg}` needs a value"))?)
            } else {
                None
            };
            options.given.push((name, value));
        }
        Ok(options)
    }

    /// Whether an option is given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(n, _)| *n == name)
    }

    /// The value of an option; the last one counts.
    pub fn text(&self, name: &str) -> Option<&'static str> {
        self.given.iter().rev().find(|(n, _)| *n == name)?.1
    }

    /// The value of an option as a number, or `default` without the option.
    ///
    /// # Errors
    ///
    /// A text if the value is not a number that fits.
    pub fn number<N: TryFrom<u64>>(&self, name: &str, default: N) -> Result<N, String> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse::<u64>().ok().and_then(|n| N::try_from(n).ok());
        number.ok_or_else(|| format!("`{name} {text}`: not a number that is possible here"))
    }

    /// The first word that belongs to no option.
    pub fn word(&self) -> Option<&'static str> {
        self.words.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = &[("--depth", true), ("--skip-read", false)];

    #[test]
    fn values_and_flags_are_told_apart() {
        let o = Options::parse(["die", "--depth", "8", "--skip-read"], TABLE).unwrap();
        assert_eq!((o.number("--depth", 1u16), o.word()), (Ok(8), Some("die")));
        assert!(o.has("--skip-read"));
        assert_eq!(o.number("--other", 7u64), Ok(7));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |args: &[&'static str]| Options::parse(args.to_vec(), TABLE).unwrap_err();
        assert_eq!(error(&["--dephts", "1"]), "unknown option `--dephts`");
        assert_eq!(error(&["--depth"]), "`--depth` needs a value");
        for bad in ["x", "-1", "70000"] {
            let o = Options::parse(["--depth", bad], TABLE).unwrap();
            assert!(o.number::<u16>("--depth", 1).unwrap_err().contains(bad));
        }
    }
}

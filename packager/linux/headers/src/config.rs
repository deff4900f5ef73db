//! A configuration, as `autoconf.h` tells it to C.

use std::collections::BTreeMap;

/// The values of symbols, without `CONFIG_`.
#[derive(Debug, Default)]
pub(crate) struct Config(BTreeMap<String, String>);

impl Config {
    /// Reads the `#define` lines of an `autoconf.h`.
    pub(crate) fn from_autoconf(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let define = |line: &str| {
            let (name, value) = line.strip_prefix("#define CONFIG_")?.split_once(' ')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        Self(text.lines().filter_map(define).collect())
    }

    /// Whether a symbol is built in.
    pub(crate) fn is_yes(&self, symbol: &str) -> bool {
        self.0.get(symbol).is_some_and(|value| value == "1")
    }

    /// The text of a number or string, without quotes.
    pub(crate) fn text(&self, symbol: &str) -> Option<&str> {
        let value = self.0.get(symbol)?;
        Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_strings_and_modules_are_told_apart() {
        let text = b"/* x */\n#define CONFIG_A 1\n#define CONFIG_B_MODULE 1\n#define CONFIG_S \"-v\"\n#define CONFIG_HZ 250\n";
        let config = Config::from_autoconf(text);
        assert!(config.is_yes("A") && !config.is_yes("B"));
        assert_eq!(config.text("S"), Some("-v"));
        assert_eq!(config.text("HZ"), Some("250"));
        assert_eq!(config.text("NONE"), None);
    }
}

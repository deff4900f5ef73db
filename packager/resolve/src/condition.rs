//! The conditions of words in `Control`: `acpica[arch(x86) || arch(amd64)]`.

use std::collections::BTreeSet;
use std::ops::Range;

/// Deepest nesting that is followed; real conditions have one level.
const MAX_DEPTH: usize = 32;

/// What is known of the configuration that a tree is built with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// L4Re's name of the architecture, if known.
    pub arch: Option<String>,
    /// The symbols that are set, if known: those of a `.kconfig`.
    pub symbols: Option<BTreeSet<String>>,
}

impl Config {
    /// Takes the symbols out of the text of a `.kconfig`.
    #[must_use]
    pub fn with_kconfig(self, text: &str) -> Self {
        let set = |line: &str| {
            let (name, value) = line.trim().split_once('=')?;
            (name.starts_with("CONFIG_") && value != "n").then(|| name.to_owned())
        };
        Self { symbols: Some(text.lines().filter_map(set).collect()), ..self }
    }

    /// `arch(NAME)` asks for the symbol `CONFIG_BUILD_ARCH_NAME`.
    fn arch(&self, name: &str) -> Truth {
        match (&self.arch, &self.symbols) {
            (Some(arch), _) => (arch == name).into(),
            (None, Some(symbols)) => symbols.contains(&format!("CONFIG_BUILD_ARCH_{name}")).into(),
            (None, None) => Truth::Unknown,
        }
    }

    fn symbol(&self, name: &str) -> Truth {
        self.symbols.as_ref().map_or(Truth::Unknown, |symbols| symbols.contains(name).into())
    }
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// That depends on what is not known.
    Unknown,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

impl Truth {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

/// A condition, as text that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    parts: Vec<Expr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expr {
    Arch(String),
    Symbol(String),
    Number(bool),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

/// Why a text is no condition, and which bytes of it are the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCondition {
    /// What was expected.
    pub reason: &'static str,
    /// Where something else stands.
    pub span: Range<usize>,
}

impl Condition {
    /// Reads what stands between the brackets: expressions separated by semicolons, all of which
    /// must hold.
    ///
    /// # Errors
    ///
    /// [`BadCondition`] about the first thing that is not understood.
    pub fn parse(text: &str) -> Result<Self, BadCondition> {
        let mut parts = Vec::new();
        let mut start = 0;
        for part in text.split(';') {
            // The order of building only: true for everything else.
            if part != "build-only" && !part.is_empty() {
                let mut parser = Parser { text, at: start, end: start + part.len(), depth: 0 };
                let expr = parser.or()?;
                parser.blanks();
                if parser.at < parser.end {
                    return Err(parser.expected("an operator (&& or ||) or the end"));
                }
                parts.push(expr);
            }
            start += part.len() + 1;
        }
        Ok(Self { parts })
    }

    /// Whether it holds.
    pub fn holds(&self, config: &Config) -> Truth {
        let parts = self.parts.iter().map(|part| part.holds(config));
        parts.fold(Truth::Yes, Truth::and)
    }
}

impl Expr {
    fn holds(&self, config: &Config) -> Truth {
        match self {
            Self::Arch(name) => config.arch(name),
            Self::Symbol(name) => config.symbol(name),
            Self::Number(truth) => (*truth).into(),
            Self::Not(inner) => inner.holds(config).not(),
            Self::And(left, right) => left.holds(config).and(right.holds(config)),
            Self::Or(left, right) => left.holds(config).or(right.holds(config)),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blanks();
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn expected(&self, reason: &'static str) -> BadCondition {
        BadCondition { reason, span: self.at..self.end }
    }

    fn or(&mut self) -> Result<Expr, BadCondition> {
        let mut left = self.and()?;
        while self.take("||") {
            left = Expr::Or(left.into(), self.and()?.into());
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, BadCondition> {
        let mut left = self.term()?;
        while self.take("&&") {
            left = Expr::And(left.into(), self.term()?.into());
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Expr, BadCondition> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.expected("a simpler condition"));
        }
        let expr = if self.take("!") {
            Expr::Not(self.term()?.into())
        } else if self.take("(") {
            let inner = self.or()?;
            self.close()?;
            inner
        } else if self.take("config(") {
            let name = self.name()?;
            Expr::Symbol(name)
        } else if self.take("arch(") {
            let name = self.name()?;
            Expr::Arch(name)
        } else if self.take("1") {
            Expr::Number(true)
        } else if self.take("0") {
            Expr::Number(false)
        } else {
            return Err(self.expected("config(SYMBOL), arch(NAME), ! or ("));
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn name(&mut self) -> Result<String, BadCondition> {
        let rest = self.rest();
        let plain = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let name = rest.get(..rest.find(plain).unwrap_or(rest.len())).unwrap_or_default();
        if name.is_empty() {
            return Err(self.expected("a name"));
        }
        self.at += name.len();
        self.close()?;
        Ok(name.into())
    }

    fn close(&mut self) -> Result<(), BadCondition> {
        if self.take(")") { Ok(()) } else { Err(self.expected("a closing parenthesis")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(text: &str, config: &Config) -> Truth {
        Condition::parse(text).unwrap().holds(config)
    }

    #[test]
    fn the_operators_mean_what_they_mean_in_perl() {
        let config = Config { arch: Some("arm64".into()), symbols: None }
            .with_kconfig("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=n\nCONFIG_D=\"x\"\n");
        for (text, wanted) in [
            ("arch(x86) || arch(arm64)", true),
            ("config(CONFIG_A) && !config(CONFIG_B)", true),
            ("config(CONFIG_C)", false),
            ("config(CONFIG_D);arch(arm64)", true),
            ("config(CONFIG_B) || config(CONFIG_A) && arch(x86)", false),
            ("(config(CONFIG_B) || config(CONFIG_A)) && arch(arm64)", true),
            ("build-only", true),
            ("build-only;arch(x86)", false),
            ("!(1 && 0)", true),
        ] {
            assert_eq!(holds(text, &config), wanted.into(), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_matters_only_where_it_decides() {
        let nothing = Config::default();
        assert_eq!(holds("arch(x86)", &nothing), Truth::Unknown);
        assert_eq!(holds("arch(x86) && 0", &nothing), Truth::No);
        assert_eq!(holds("!config(X) || 1", &nothing), Truth::Yes);
        let arch = Config { arch: Some("arm".into()), symbols: None };
        assert_eq!(holds("arch(arm) && config(X)", &arch), Truth::Unknown);
    }

    #[test]
    fn nonsense_is_refused_with_its_place() {
        for (text, at) in [("arch(x86", 8), ("arch()", 5), ("a", 0), ("1 1", 2), ("1;&&", 2)] {
            assert_eq!(Condition::parse(text).unwrap_err().span.start, at, "{text}");
        }
        assert!(Condition::parse(&"(".repeat(10_000)).is_err());
        assert!(Condition::parse(&"!".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z()!&|; 01CONFIG_]{0,60}|\\PC{0,40}") {
            if let Ok(condition) = Condition::parse(&text) {
                condition.holds(&Config::default());
            }
        }
    }
}

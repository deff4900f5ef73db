//! The words behind a keyword, taken one by one; what is wrong with them is reported.

use l4re_packager_base::{Diagnostic, Position, Report, nearest};

use super::lex::{Line, Word};
use super::value::{AttributeValue, Choice, Choices, Interface};
use super::{Text, rules};

/// A rule for a word.
pub(super) type Rule = fn(&str) -> Result<(), &'static str>;

/// The words behind a keyword, taken one by one.
pub(super) struct Arguments<'r> {
    pub keyword: String,
    pub at: Position,
    words: std::vec::IntoIter<Word>,
    /// Place of the word that was taken last.
    last: Position,
    pub report: &'r mut Report,
}

impl<'r> Arguments<'r> {
    /// The words of a line; `None` if there is none.
    pub(super) fn new(line: Line, report: &'r mut Report) -> Option<Self> {
        let at = line.at();
        let mut words = line.words.into_iter();
        Some(Self { keyword: words.next()?.text, at, words, last: at, report })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.as_slice().is_empty()
    }

    /// Place of the next word, or of the last one if there is none.
    pub(super) fn peek(&self) -> Position {
        self.words.as_slice().first().map_or(self.last, |word| word.at)
    }

    pub(super) fn error_at(&mut self, at: Position, message: String) {
        let message = format!("`{}`: {message}", self.keyword);
        self.report.push(Diagnostic::error("udi-argument", message).at(at));
    }

    pub(super) fn at_least_one(&mut self, what: &str) -> Option<()> {
        if self.is_empty() {
            self.error_at(self.at, format!("{what} is missing"));
            return None;
        }
        Some(())
    }

    pub(super) fn next(&mut self, what: &str) -> Option<String> {
        self.at_least_one(what)?;
        let word = self.words.next()?;
        self.last = word.at;
        Some(word.text)
    }

    pub(super) fn word(&mut self, what: &str, rule: Rule) -> Option<String> {
        let word = self.next(what)?;
        if let Err(reason) = rule(&word) {
            self.error_at(self.last, format!("`{word}` {reason}"));
        }
        Some(word)
    }

    pub(super) fn rest(&mut self, rule: Rule) -> Option<Vec<String>> {
        let mut words = Vec::new();
        while !self.is_empty() {
            words.push(self.word("a file", rule)?);
        }
        Some(words)
    }

    /// One of a few words.
    pub(super) fn choose(&mut self, what: &str, known: &[&str]) -> Option<(String, Position)> {
        let word = self.next(what)?;
        if known.contains(&word.as_str()) {
            return Some((word, self.last));
        }
        let help = match nearest(&word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are: {}", known.join(", ")),
        };
        let message = format!("`{}`: `{word}` is not {what}", self.keyword);
        self.report.push(Diagnostic::error("udi-argument", message).at(self.last).help(help));
        None
    }

    pub(super) fn number(&mut self, what: &str) -> Option<u32> {
        self.bounded(what, 0, u32::MAX)
    }

    pub(super) fn bounded(&mut self, what: &str, min: u32, max: u32) -> Option<u32> {
        let word = self.next(what)?;
        let parsed = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            Some(digits) if digits.chars().all(|c| c.is_ascii_hexdigit()) => {
                u32::from_str_radix(digits, 16).ok()
            }
            None if word.chars().all(|c| c.is_ascii_digit()) => word.parse().ok(),
            _ => None,
        };
        let number = parsed.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let message = format!("`{word}` must be {what}, from {min} to {max}");
            self.error_at(self.last, message);
        }
        number
    }

    pub(super) fn index(&mut self, what: &str) -> Option<u8> {
        u8::try_from(self.bounded(what, 0, 255)?).ok()
    }

    pub(super) fn indices<const N: usize>(&mut self, names: [&str; N]) -> Option<[u8; N]> {
        let mut numbers = [0; N];
        for (number, name) in numbers.iter_mut().zip(names) {
            *number = self.index(&format!("the number of the {name}"))?;
        }
        Some(numbers)
    }

    pub(super) fn message(&mut self) -> Option<u16> {
        u16::try_from(self.bounded("the number of a message", 1, 65535)?).ok()
    }

    /// A version: hexadecimal with its prefix.
    pub(super) fn hexadecimal(&mut self, what: &str) -> Option<u32> {
        let word = self.next(what)?;
        let digits = word.strip_prefix("0x").filter(|digits| {
            (1..=4).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit())
        });
        let Some(version) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            let message = format!("`{word}` must be {what} like 0x101, at most 6 characters");
            self.error_at(self.last, message);
            return None;
        };
        Some(version)
    }

    pub(super) fn interface(&mut self) -> Option<Interface> {
        let name = self.word("an interface", rules::interface)?;
        Some(Interface { name, version: self.hexadecimal("its version")? })
    }

    /// The rest of the line as text; blanks between words count once.
    pub(super) fn text(&mut self) -> Option<Text> {
        self.at_least_one("the text")?;
        let words: Vec<Word> = self.words.by_ref().collect();
        let mut good = true;
        for word in &words {
            if let Err((_, reason)) = Text::parse(&word.text) {
                self.error_at(word.at, reason);
                good = false;
            }
        }
        let texts: Vec<String> = words.into_iter().map(|word| word.text).collect();
        if good { Text::parse(&texts.join(" ")).ok() } else { None }
    }

    pub(super) fn attributes(&mut self) -> Option<Vec<(String, AttributeValue)>> {
        let mut attributes: Vec<(String, AttributeValue)> = Vec::new();
        while !self.is_empty() {
            let name = self.word("an attribute", rules::attribute)?;
            if attributes.iter().any(|(known, _)| *known == name) {
                self.error_at(self.last, format!("`{name}` is given twice"));
            }
            let (kind, _) = self.choose("a type", &AttributeValue::TYPES)?;
            attributes.push((name, self.value(&kind)?));
        }
        Some(attributes)
    }

    fn value(&mut self, kind: &str) -> Option<AttributeValue> {
        if kind == "ubit32" {
            return Some(AttributeValue::Ubit32(self.number("a number")?));
        }
        let word = self.next("a value")?;
        let value = match kind {
            "string" => {
                Text::parse(&word).map(AttributeValue::String).map_err(|(_, reason)| reason)
            }
            "boolean" => match word.as_str() {
                "T" | "t" => Ok(AttributeValue::Boolean(true)),
                "F" | "f" => Ok(AttributeValue::Boolean(false)),
                _ => Err(format!("`{word}` must be T or F")),
            },
            _ => match bytes(&word) {
                Some(bytes) => Ok(AttributeValue::Array(bytes)),
                None => Err(format!("`{word}` must be pairs of hexadecimal digits")),
            },
        };
        value.map_err(|message| self.error_at(self.last, message)).ok()
    }

    pub(super) fn choices(&mut self) -> Option<Choices> {
        let (kind, _) = self.choose("a type", &AttributeValue::TYPES)?;
        let default = self.value(&kind)?;
        let (name, _) = self.choose("a kind of choice", &Choice::KINDS)?;
        let choice = match name.as_str() {
            "any" => Choice::Any,
            "only" => Choice::Only,
            "mutex" => Choice::Mutex(self.mutex(&kind)?),
            _ => {
                let at = self.peek();
                let min = self.number("the smallest")?;
                let max = self.number("the largest")?;
                let step = self.number("the distance")?;
                if min > max {
                    self.error_at(at, format!("the range starts at {min} and ends at {max}"));
                }
                if kind != "ubit32" {
                    self.error_at(at, format!("a range of type {kind}; only ubit32 has one"));
                }
                Choice::Range { min, max, step }
            }
        };
        Some(Choices { default, choice })
    }

    /// Values up to `end`.
    fn mutex(&mut self, kind: &str) -> Option<Vec<AttributeValue>> {
        let mut values = Vec::new();
        loop {
            match self.words.as_slice().first() {
                None => {
                    self.error_at(self.at, "`end` is missing behind `mutex`".into());
                    return None;
                }
                Some(word) if word.text == "end" => {
                    self.next("`end`")?;
                    return Some(values);
                }
                Some(_) => values.push(self.value(kind)?),
            }
        }
    }

    /// Whether nothing is left; reports if something is.
    pub(super) fn finish(mut self) -> bool {
        let Some(word) = self.words.next() else { return true };
        self.error_at(word.at, format!("`{}` is too much", word.text));
        false
    }
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    if word.is_empty()
        || !word.chars().all(|c| c.is_ascii_hexdigit())
        || !word.len().is_multiple_of(2)
    {
        return None;
    }
    let digits: Vec<u8> =
        word.chars().filter_map(|c| c.to_digit(16)).filter_map(|d| u8::try_from(d).ok()).collect();
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

//! What only the preprocessor knows: pragmas, and names such as `__FILE__`.

use crate::intern::{Symbol, known};
use crate::lines::Text;
use crate::result::Scan;
use crate::token::{Kind, Token};

use super::Unit;

impl Unit<'_> {
    pub(super) fn pragma(&mut self, text: Text) {
        let tokens = self.tokens(text);
        let spelling = |at: usize| {
            tokens.get(at).map(|token| self.interner.spelling(token.text)).unwrap_or_default()
        };
        let skip = usize::from(spelling(0) == b"GCC");
        match (spelling(skip), spelling(skip + 2)) {
            (b"once", _) if skip == 0 => self.once(),
            (b"push_macro", name) => {
                let symbol = name.get(1..name.len().saturating_sub(1)).unwrap_or_default().to_vec();
                let symbol = self.interner.intern(&symbol);
                let value = self.value(symbol);
                self.pushed.entry(symbol).or_default().push(value);
            }
            (b"pop_macro", name) => {
                let symbol = name.get(1..name.len().saturating_sub(1)).unwrap_or_default().to_vec();
                let symbol = self.interner.intern(&symbol);
                if let Some(value) = self.pushed.get_mut(&symbol).and_then(Vec::pop) {
                    self.set(symbol, value);
                }
            }
            _ => {}
        }
    }

    /// The value of a name that only the preprocessor knows.
    pub(crate) fn builtin(&mut self, name: Token) -> Token {
        let (file, line) = self.place();
        let string =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let path_of = |scan: &Scan, index: usize| {
            scan.files.get(index).map(|file| file.path.to_string_lossy().into_owned())
        };
        let (kind, text) = match name.text {
            known::FILE => (Kind::String, string(&path_of(&self.scan, file).unwrap_or_default())),
            known::BASE_FILE => (Kind::String, string(&path_of(&self.scan, 0).unwrap_or_default())),
            known::FILE_NAME => {
                let path = path_of(&self.scan, file).unwrap_or_default();
                (Kind::String, string(path.rsplit('/').next().unwrap_or_default()))
            }
            known::DATE => (Kind::String, string("Jan  1 1970")),
            known::TIME => (Kind::String, string("00:00:00")),
            known::TIMESTAMP => (Kind::String, string("Thu Jan  1 00:00:00 1970")),
            known::LINE => (Kind::Number, line.to_string()),
            known::INCLUDE_LEVEL => (Kind::Number, self.frames.len().saturating_sub(1).to_string()),
            known::COUNTER => {
                self.counter += 1;
                (Kind::Number, (self.counter - 1).to_string())
            }
            known::HAS_INCLUDE => (Kind::Number, self.has_include(false)),
            known::HAS_INCLUDE_NEXT => (Kind::Number, self.has_include(true)),
            operator => (Kind::Number, self.ask_compiler(operator)),
        };
        Token { kind, text: self.interner.intern(text.as_bytes()), ..name }
    }

    /// `__has_include(…)`, behind the name.
    fn has_include(&mut self, next: bool) -> String {
        let found = self.operand_header().is_some_and(|(name, angle)| {
            // A file that is there but cannot be read is one.
            !matches!(self.find(&name, angle, next), Ok(None))
        });
        u8::from(found).to_string()
    }

    fn operand_header(&mut self) -> Option<(Vec<u8>, bool)> {
        let tokens = self.parenthesized()?;
        let outer = std::mem::take(&mut self.expansion);
        self.begin(tokens);
        let header = self.header_of_tokens();
        self.expansion = outer;
        if header.is_none() {
            self.problem("condition", "`__has_include` names no header", known::EMPTY);
        }
        header
    }

    /// `__has_attribute(…)` and its kin, behind the name.
    fn ask_compiler(&mut self, operator: Symbol) -> String {
        let Some(tokens) = self.parenthesized() else {
            self.problem("condition", "this needs an operand in parentheses", operator);
            return "0".into();
        };
        let name: Vec<u8> =
            tokens.iter().flat_map(|token| self.interner.spelling(token.text)).copied().collect();
        let operator = self.interner.text(operator);
        let answer = self.options.compiler.answer(&operator, &String::from_utf8_lossy(&name));
        u8::from(answer).to_string()
    }
}

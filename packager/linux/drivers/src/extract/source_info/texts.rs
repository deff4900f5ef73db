//! What text an expression of C stands for: literals one after the other, and macros that stand
//! for such.

use std::collections::HashMap;

use super::tokens::{Define, Token};

/// Macros inside macros are followed that deep.
const DEPTH: usize = 32;

/// Words that one expression may expand to.
const WORDS: usize = 4096;

/// Definitions by name: of several of one name the first.
pub type ByName<'t> = HashMap<&'t str, &'t Define<'t>>;

/// Adds definitions to those that are there.
pub fn add<'t>(names: &mut ByName<'t>, defines: &'t [Define<'t>]) {
    for define in defines {
        names.entry(define.name).or_insert(define);
    }
}

/// The macros that a file of a driver sees. What conditionals decide is not looked at: those of the
/// file itself are taken before those of all files.
#[derive(Debug)]
pub struct Macros<'a, 't> {
    /// Those of the file.
    pub own: &'a ByName<'t>,
    /// Those of all files.
    pub all: &'a ByName<'t>,
}

/// A word after expansion.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Name(String),
    Number(String),
    Text(String),
    Sign(char),
}

impl Word {
    fn of(token: Token<'_>) -> Self {
        match token {
            Token::Name(name) => Self::Name(name.into()),
            Token::Number(number) => Self::Number(number.into()),
            Token::Text(text) => Self::Text(text.into()),
            Token::Sign(sign) => Self::Sign(sign),
        }
    }

    fn spelled(&self) -> String {
        match self {
            Self::Name(text) | Self::Number(text) => text.clone(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Sign(sign) => sign.to_string(),
        }
    }
}

impl Macros<'_, '_> {
    fn get(&self, name: &str) -> Option<&Define<'_>> {
        self.own.get(name).or_else(|| self.all.get(name)).copied()
    }

    /// The text of an expression, if it is one: no more than literals after expansion.
    pub fn text(&self, expression: &[Token<'_>]) -> Option<String> {
        let words: Vec<Word> = expression.iter().map(|token| Word::of(*token)).collect();
        let words = self.expand(words, 0)?;
        let mut text = String::new();
        for word in &words {
            match word {
                Word::Text(part) => text.push_str(part),
                Word::Sign('(' | ')') => {}
                _ => return None,
            }
        }
        (!words.is_empty()).then_some(text)
    }

    fn expand(&self, words: Vec<Word>, depth: usize) -> Option<Vec<Word>> {
        if depth > DEPTH {
            return None;
        }
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            let Word::Name(name) = word else {
                out.push(word.clone());
                continue;
            };
            let arguments = arguments(&words, at);
            match (self.get(name), arguments) {
                // The kernel's own way to turn what a macro stands for into text.
                (_, Some((given, after))) if name == "__stringify" => {
                    at = after;
                    let inner = given.join_all();
                    out.push(Word::Text(spell(&self.expand(inner, depth + 1)?)));
                }
                (Some(define), Some((given, after))) if define.parameters.is_some() => {
                    at = after;
                    let body = self.body(define, &given.0, depth)?;
                    out.extend(self.expand(body, depth + 1)?);
                }
                (Some(define), _) if define.parameters.is_none() => {
                    let body = self.body(define, &[], depth)?;
                    out.extend(self.expand(body, depth + 1)?);
                }
                _ => out.push(word.clone()),
            }
            if out.len() > WORDS {
                return None;
            }
        }
        Some(out)
    }

    /// The body with its parameters replaced: spelled after `#`, glued around `##`, else expanded.
    fn body(&self, define: &Define<'_>, given: &[Vec<Word>], depth: usize) -> Option<Vec<Word>> {
        let parameters = define.parameters.as_deref().unwrap_or_default();
        let argument = |word: &Word| match word {
            Word::Name(name) => {
                let index = parameters.iter().position(|parameter| parameter == name)?;
                Some(given.get(index).cloned().unwrap_or_default())
            }
            _ => None,
        };
        let body: Vec<Word> = define.body.iter().map(|token| Word::of(*token)).collect();
        let sign = |at: usize| body.get(at) == Some(&Word::Sign('#'));
        let mut out: Vec<Word> = Vec::new();
        let mut at = 0;
        let mut glue = false;
        while let Some(word) = body.get(at) {
            at += 1;
            if *word == Word::Sign('#') && sign(at) {
                glue = true;
                at += 1;
                continue;
            }
            let spelled = body.get(at).and_then(&argument).filter(|_| *word == Word::Sign('#'));
            let glued = glue || (sign(at) && sign(at + 1));
            let new = match (spelled, argument(word)) {
                (Some(words), _) => {
                    at += 1;
                    vec![Word::Text(spell(&words))]
                }
                (None, Some(words)) if glued => words,
                (None, Some(words)) => self.expand(words, depth + 1)?,
                (None, None) => vec![word.clone()],
            };
            join(&mut out, new, std::mem::take(&mut glue));
            if out.len() > WORDS {
                return None;
            }
        }
        Some(out)
    }
}

/// Appends words; if `glue` says so, the first becomes one with the last that is there.
fn join(out: &mut Vec<Word>, new: Vec<Word>, glue: bool) {
    let mut new = new.into_iter();
    if glue && let (Some(left), Some(right)) = (out.last_mut(), new.next()) {
        let spelled = left.spelled() + &right.spelled();
        *left = match left {
            Word::Number(_) => Word::Number(spelled),
            _ => Word::Name(spelled),
        };
    }
    out.extend(new);
}

fn spell(words: &[Word]) -> String {
    words.iter().map(Word::spelled).collect()
}

/// The arguments of a call.
struct Arguments(Vec<Vec<Word>>);

impl Arguments {
    /// As one, for a macro that takes any number.
    fn join_all(self) -> Vec<Word> {
        self.0.join(&Word::Sign(','))
    }
}

/// The arguments in parentheses that begin at `at`, and what follows them.
fn arguments(words: &[Word], at: usize) -> Option<(Arguments, usize)> {
    if words.get(at) != Some(&Word::Sign('(')) {
        return None;
    }
    let mut all = vec![Vec::new()];
    let mut depth = 0usize;
    for (index, word) in words.iter().enumerate().skip(at + 1) {
        match word {
            Word::Sign(')') if depth == 0 => return Some((Arguments(all), index + 1)),
            Word::Sign(',') if depth == 0 => {
                all.push(Vec::new());
                continue;
            }
            Word::Sign('(') => depth += 1,
            Word::Sign(')') => depth -= 1,
            _ => {}
        }
        all.last_mut()?.push(word.clone());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{join_lines, parts};
    use super::*;

    /// The text of the expression after the last `=`.
    fn text(c: &str) -> Option<String> {
        let c = join_lines(c);
        let parts = parts(&c);
        let (mut own, all) = (ByName::new(), ByName::new());
        add(&mut own, &parts.defines);
        let macros = Macros { own: &own, all: &all };
        let start = parts.code.iter().position(|token| *token == Token::Sign('=')).unwrap();
        macros.text(&parts.code[start + 1..])
    }

    #[test]
    fn literals_stand_one_after_the_other() {
        assert_eq!(text("= \"a\" \"b\""), Some("ab".into()));
        assert_eq!(text("= x"), None);
        assert_eq!(text("="), None);
    }

    #[test]
    fn macros_are_followed_and_spelled() {
        let c = "#define API 72\n#define PRE \"iwl-\"\n\
                 #define NAME(api) PRE \"x-\" __stringify(api) \".ucode\"\n= NAME(API)";
        assert_eq!(text(c), Some("iwl-x-72.ucode".into()));
        let c = "#define S(x) #x\n#define T(x) S(x)\n#define G(a, b) a##b\n#define AB 3\n\
                 = S(AB) T(AB) T(G(A, B)) T(G(a, 1))";
        assert_eq!(text(c), Some("AB33a1".into()));
    }

    #[test]
    fn macros_without_end_are_no_text() {
        assert_eq!(text("#define A A A\n= A"), None);
        assert_eq!(text("#define A(x) A(x x)\n= A(\"y\")"), None);
        let mut doubling = String::from("#define M0 \"x\"\n");
        for level in 1..40 {
            doubling += &format!("#define M{level} M{0} M{0}\n", level - 1);
        }
        assert_eq!(text(&format!("{doubling}= M30")), None);
    }
}

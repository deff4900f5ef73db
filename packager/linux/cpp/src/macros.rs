//! Macros: what stands behind `#define NAME`.

use std::rc::Rc;

use crate::intern::{Interner, Symbol, known};
use crate::token::{Kind, Punctuator, Token, tokenize};

/// A token of a macro's text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) token: Token,
    /// Which parameter it names.
    pub(crate) parameter: Option<u16>,
    /// Whether `#` stands before it.
    pub(crate) stringify: bool,
    /// Whether `##` stands behind it.
    pub(crate) paste: bool,
}

/// A macro, read.
#[derive(Debug)]
pub(crate) struct Definition {
    /// How many parameters it has; nothing if it is not function-like.
    pub(crate) parameters: Option<u16>,
    /// Whether the last parameter takes all remaining arguments.
    pub(crate) variadic: bool,
    pub(crate) body: Vec<Part>,
}

impl Definition {
    /// Reads what stands behind the name.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in gcc's sense: such a macro cannot be used.
    pub(crate) fn read(text: &[u8], interner: &mut Interner) -> Result<Rc<Self>, &'static str> {
        let mut tokens = tokenize(text, interner).into_iter().peekable();
        let mut names = None;
        let mut variadic = false;
        if tokens.peek().is_some_and(|token| token.is(Punctuator::Open) && !token.space) {
            tokens.next();
            names = Some(read_parameters(&mut tokens, &mut variadic)?);
        }
        let body = read_body(tokens, names.as_deref(), variadic)?;
        let parameters = match names {
            Some(names) => {
                Some(u16::try_from(names.len()).map_err(|_| "it has too many parameters")?)
            }
            None => None,
        };
        Ok(Rc::new(Self { parameters, variadic, body }))
    }
}

/// Reads the parameters behind the opening parenthesis, up to the closing one (6.10.3).
fn read_parameters(
    tokens: &mut impl Iterator<Item = Token>,
    variadic: &mut bool,
) -> Result<Vec<Symbol>, &'static str> {
    const BAD: &str = "its parameters are not a list of names";
    let mut names: Vec<Symbol> = Vec::new();
    loop {
        let token = tokens.next().ok_or(BAD)?;
        match token.kind {
            Kind::Punctuator(Punctuator::Close) if names.is_empty() => return Ok(names),
            Kind::Punctuator(Punctuator::Ellipsis) => {
                names.push(known::VA_ARGS);
                *variadic = true;
            }
            Kind::Identifier if names.contains(&token.text) => {
                return Err("a parameter stands twice");
            }
            Kind::Identifier => names.push(token.text),
            _ => return Err(BAD),
        }
        let mut next = tokens.next().ok_or(BAD)?;
        if next.is(Punctuator::Ellipsis) && !*variadic {
            *variadic = true;
            next = tokens.next().ok_or(BAD)?;
        }
        match next.kind {
            Kind::Punctuator(Punctuator::Close) => return Ok(names),
            Kind::Punctuator(Punctuator::Comma) if !*variadic => {}
            _ => return Err(BAD),
        }
        // `(a,)` is no list.
    }
}

/// Reads the replacement list.
fn read_body(
    tokens: impl Iterator<Item = Token>,
    names: Option<&[Symbol]>,
    variadic: bool,
) -> Result<Vec<Part>, &'static str> {
    const EDGE: &str = "`##` stands at an edge of its text";
    let mut body: Vec<Part> = Vec::new();
    let mut stringify = None;
    for mut token in tokens {
        let parameter = names
            .and_then(|names| names.iter().position(|&name| name == token.text))
            .filter(|_| token.kind == Kind::Identifier)
            .and_then(|index| u16::try_from(index).ok());
        if let Some(space) = stringify.take() {
            let optional = variadic && token.text == known::VA_OPT;
            if parameter.is_none() && !optional {
                return Err("`#` does not stand before a parameter");
            }
            token.space = space;
            body.push(Part { token, parameter, stringify: true, paste: false });
        } else if token.is(Punctuator::HashHash) {
            body.last_mut().ok_or(EDGE)?.paste = true;
        } else if token.is(Punctuator::Hash) && names.is_some() {
            stringify = Some(token.space);
        } else {
            body.push(Part { token, parameter, stringify: false, paste: false });
        }
    }
    if stringify.is_some() {
        return Err("`#` does not stand before a parameter");
    }
    if body.last().is_some_and(|part| part.paste) {
        return Err(EDGE);
    }
    if let Some(first) = body.first_mut() {
        first.token.space = false;
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rc<Definition>, &'static str> {
        Definition::read(text.as_bytes(), &mut Interner::new())
    }

    #[test]
    fn a_parenthesis_makes_a_function_only_without_blank() {
        assert_eq!(read("(a) a").unwrap().parameters, Some(1));
        assert_eq!(read(" (a) a").unwrap().parameters, None);
        assert_eq!(read("() a").unwrap().parameters, Some(0));
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        for text in ["(a", "(a,", "(a,)", "(1)", "(a b)", "(a,a)", "(...,a)", " ## x", " x ##"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("(a) #b").is_err());
        assert!(read(" #b").is_ok());
    }

    #[test]
    fn the_last_parameter_can_take_the_rest_with_or_without_a_name() {
        assert!(read("(a, ...) __VA_ARGS__").unwrap().variadic);
        let named = read("(a, rest...) rest").unwrap();
        assert!(named.variadic);
        assert_eq!(named.parameters, Some(2));
    }
}

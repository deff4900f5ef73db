//! Macro expansion (ISO C11 6.10.3) of the tokens of one directive.
//!
//! Tokens are pulled from a stack of contexts, as gcc does it: the directive at the bottom, above
//! it the text of each macro that is being expanded. A macro is switched off while its context is
//! on the stack. That decides the cases that the standard leaves open the way gcc does.

use std::rc::Rc;

use crate::intern::{Symbol, known};
use crate::macros::{Definition, Part};
use crate::token::{Kind, Punctuator, Token, tokenize};
use crate::unit::{Unit, Value};

/// How deep arguments may be nested in arguments.
const MAX_DEPTH: usize = 200;
/// How many contexts may be on the stack.
const MAX_CONTEXTS: usize = 100_000;
/// How long a token may become by `#` and `##`, in bytes.
const MAX_SPELLING: usize = 1 << 16;

/// Tokens still to be read.
pub(crate) struct Context {
    tokens: Vec<Token>,
    at: usize,
    /// The macro whose text this is: switched off meanwhile.
    disabled: Option<Symbol>,
    /// Whether reading must not go on below: the end of a macro's argument, or of the directive.
    barrier: bool,
}

/// The state of an expansion.
#[derive(Default)]
pub(crate) struct Expansion {
    contexts: Vec<Context>,
    disabled: Vec<Symbol>,
    /// Names are not expanded while this is not 0.
    pub(crate) prevent: usize,
    depth: usize,
    /// Whether the white space before something that expanded to nothing is still to be given to
    /// the next token.
    space: bool,
}

const END: Token = Token { kind: Kind::End, space: false, painted: false, text: known::EMPTY };

/// An argument of a function-like macro.
#[derive(Default)]
struct Argument {
    raw: Vec<Token>,
    expanded: Option<Vec<Token>>,
    /// Whether it is the rest of a list that is shorter than that: not even an empty argument.
    omitted: bool,
}

impl Unit<'_> {
    /// Starts to read the tokens of a directive.
    pub(crate) fn begin(&mut self, tokens: Vec<Token>) {
        self.expansion = Expansion::default();
        self.expansion.contexts.push(Context { tokens, at: 0, disabled: None, barrier: true });
    }

    /// All remaining tokens, expanded.
    pub(crate) fn expand_rest(&mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        loop {
            let token = self.next_token();
            if token.kind == Kind::End {
                return tokens;
            }
            tokens.push(token);
        }
    }

    /// The next token as it stands, without looking at macros.
    fn raw_token(&mut self) -> Token {
        if !self.spend() {
            return END;
        }
        while let Some(context) = self.expansion.contexts.last_mut() {
            if let Some(&token) = context.tokens.get(context.at) {
                context.at += 1;
                return token;
            }
            if context.barrier {
                break;
            }
            self.pop_context();
        }
        END
    }

    fn pop_context(&mut self) {
        let context = self.expansion.contexts.pop();
        if let Some(symbol) = context.and_then(|context| context.disabled) {
            let disabled = &mut self.expansion.disabled;
            if let Some(at) = disabled.iter().rposition(|&other| other == symbol) {
                disabled.swap_remove(at);
            }
        }
    }

    fn push_context(&mut self, tokens: Vec<Token>, disabled: Option<Symbol>, barrier: bool) {
        if self.expansion.contexts.len() >= MAX_CONTEXTS {
            return self.give_up("macros are nested too deeply");
        }
        self.expansion.disabled.extend(disabled);
        self.expansion.contexts.push(Context { tokens, at: 0, disabled, barrier });
    }

    /// The next token of the expansion.
    pub(crate) fn next_token(&mut self) -> Token {
        let mut token = self.next_expanded();
        token.space |= std::mem::take(&mut self.expansion.space);
        token
    }

    fn next_expanded(&mut self) -> Token {
        loop {
            let mut token = self.raw_token();
            if token.kind != Kind::Identifier || token.painted {
                return token;
            }
            let value = self.value(token.text);
            if value == Value::Undefined {
                return token;
            }
            if self.expansion.disabled.contains(&token.text) {
                token.painted = true;
                return token;
            }
            if self.expansion.prevent > 0 {
                return token;
            }
            let expanded = match value {
                Value::Undefined => false,
                Value::Builtin => {
                    let answer = self.builtin(token);
                    self.push_context(vec![Token { space: token.space, ..answer }], None, false);
                    // An answer is no name, so this ends.
                    true
                }
                Value::Macro(id) => match self.definition(id) {
                    Some(definition) => self.expand_macro(token, &definition),
                    None => false,
                },
            };
            if !expanded {
                return token;
            }
        }
    }

    /// Puts the expansion of `name` on the stack; false if it stays as it is.
    fn expand_macro(&mut self, name: Token, definition: &Rc<Definition>) -> bool {
        let mut tokens = match definition.parameters {
            None => self.substitute(definition, &mut []),
            Some(_) => {
                let Some(mut arguments) = self.arguments(name, definition) else { return false };
                self.substitute(definition, &mut arguments)
            }
        };
        match tokens.first_mut() {
            Some(first) => first.space = name.space,
            None => self.expansion.space |= name.space,
        }
        self.push_context(tokens, Some(name.text), false);
        true
    }

    /// Reads the arguments behind the name of a function-like macro; nothing if no parenthesis
    /// follows, or if they do not fit.
    fn arguments(&mut self, name: Token, definition: &Definition) -> Option<Vec<Argument>> {
        self.expansion.prevent += 1;
        let open = self.raw_token_painted();
        let arguments = if open.is(Punctuator::Open) {
            self.collect_arguments(definition)
        } else {
            if open.kind != Kind::End {
                self.push_context(vec![open], None, false);
            }
            None
        };
        self.expansion.prevent -= 1;
        let mut arguments = arguments.or_else(|| {
            if open.is(Punctuator::Open) {
                self.problem("expansion", "the argument list of a macro does not end", name.text);
            }
            None
        })?;
        let wanted = usize::from(definition.parameters.unwrap_or(0));
        if wanted == 0 && arguments.len() == 1 && arguments.iter().all(|one| one.raw.is_empty()) {
            arguments.clear();
        }
        if definition.variadic && arguments.len() + 1 == wanted {
            arguments.push(Argument { omitted: true, ..Argument::default() });
        } else if let [only] = arguments.as_mut_slice() {
            only.omitted = definition.variadic && only.raw.is_empty();
        }
        if arguments.len() != wanted {
            self.problem("expansion", "the number of arguments does not fit the macro", name.text);
            return None;
        }
        Some(arguments)
    }

    /// A token that is not expanded, but marked if it must never be.
    fn raw_token_painted(&mut self) -> Token {
        let mut token = self.raw_token();
        token.painted |=
            token.kind == Kind::Identifier && self.expansion.disabled.contains(&token.text);
        token
    }

    /// Reads arguments up to the closing parenthesis; nothing if there is none.
    fn collect_arguments(&mut self, definition: &Definition) -> Option<Vec<Argument>> {
        let wanted = usize::from(definition.parameters.unwrap_or(0));
        let mut arguments = Vec::new();
        let mut current = Argument::default();
        let mut depth = 0_usize;
        loop {
            let token = self.raw_token_painted();
            // The rest of a variadic list is one argument, commas included.
            let in_rest = definition.variadic && arguments.len() + 1 == wanted;
            match token.kind {
                Kind::End => return None,
                Kind::Punctuator(Punctuator::Close) if depth == 0 => {
                    arguments.push(current);
                    return Some(arguments);
                }
                Kind::Punctuator(Punctuator::Comma) if depth == 0 && !in_rest => {
                    arguments.push(std::mem::take(&mut current));
                    continue;
                }
                Kind::Punctuator(Punctuator::Open) => depth += 1,
                Kind::Punctuator(Punctuator::Close) => depth -= 1,
                _ => {}
            }
            current.raw.push(token);
        }
    }

    /// The argument, fully expanded by itself (6.10.3.1).
    fn expanded(&mut self, argument: &mut Argument) -> Vec<Token> {
        if let Some(tokens) = &argument.expanded {
            return tokens.clone();
        }
        if self.expansion.depth >= MAX_DEPTH {
            self.give_up("macros are nested too deeply");
            return Vec::new();
        }
        self.expansion.depth += 1;
        let prevent = std::mem::take(&mut self.expansion.prevent);
        let below = self.expansion.contexts.len();
        self.push_context(argument.raw.clone(), None, true);
        let tokens = if self.expansion.contexts.len() > below {
            let tokens = self.expand_rest();
            while self.expansion.contexts.len() > below {
                self.pop_context();
            }
            tokens
        } else {
            Vec::new()
        };
        self.expansion.prevent = prevent;
        self.expansion.depth -= 1;
        argument.expanded = Some(tokens.clone());
        tokens
    }

    /// The text of a macro with its arguments in place and `#` and `##` done.
    fn substitute(&mut self, definition: &Definition, arguments: &mut [Argument]) -> Vec<Token> {
        let parts = self.chosen_parts(definition, arguments);
        let last = definition.parameters.unwrap_or(0).checked_sub(1);
        let mut out: Vec<Token> = Vec::with_capacity(parts.len());
        let (mut paste, mut space) = (false, false);
        for part in &parts {
            let argument = part.parameter.and_then(|index| arguments.get_mut(usize::from(index)));
            let right = paste;
            let rest = definition.variadic && part.parameter == last && !part.stringify;
            let comma = out.last().is_some_and(|token| token.is(Punctuator::Comma));
            let mut piece = match argument {
                None => vec![part.token],
                Some(argument) if part.stringify => vec![self.stringify(part, &argument.raw)],
                // GNU: `, ## rest` drops the comma if there is no rest, and pastes nothing.
                Some(argument) if paste && rest && comma => {
                    paste = false;
                    if argument.omitted {
                        out.pop();
                    }
                    argument.raw.clone()
                }
                Some(argument) if paste || part.paste => argument.raw.clone(),
                Some(argument) => self.expanded(argument),
            };
            // An argument stands as far from what precedes it as the parameter did.
            if let (Some(first), Some(_), false) = (piece.first_mut(), part.parameter, right) {
                first.space = part.token.space;
            }
            match piece.first_mut() {
                Some(first) => first.space |= std::mem::take(&mut space),
                None => space |= part.token.space && !right,
            }
            if !self.spend_many(piece.len()) {
                return Vec::new();
            }
            if piece.is_empty() && (paste || part.paste) {
                piece.push(Token { kind: Kind::Placemarker, ..END });
            }
            let mut piece = piece.into_iter();
            if paste && let (Some(left), Some(right)) = (out.pop(), piece.next()) {
                self.paste(left, right, &mut out);
            }
            out.extend(piece);
            paste = part.paste;
        }
        out.retain(|token| token.kind != Kind::Placemarker);
        out
    }

    /// The parts of the text after `__VA_OPT__( … )` was kept or dropped.
    fn chosen_parts(&mut self, definition: &Definition, arguments: &mut [Argument]) -> Vec<Part> {
        let optional = |part: &Part| part.token.text == known::VA_OPT;
        if !definition.variadic || !definition.body.iter().any(optional) {
            return definition.body.clone();
        }
        let present = match arguments.last_mut() {
            Some(rest) => !self.expanded(rest).is_empty(),
            None => false,
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut body = definition.body.iter();
        while let Some(part) = body.next() {
            if !optional(part) {
                parts.push(*part);
                continue;
            }
            let (mut depth, mut first) = (0_usize, part.token.space);
            for inner in body.by_ref() {
                match inner.token.kind {
                    Kind::Punctuator(Punctuator::Open) => depth += 1,
                    Kind::Punctuator(Punctuator::Close) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                let edge = matches!(
                    inner.token.kind,
                    Kind::Punctuator(Punctuator::Open) if depth == 1
                ) || depth == 0;
                if present && !edge {
                    let mut inner = *inner;
                    // What is kept stands where `__VA_OPT__` stood.
                    inner.token.space |= std::mem::take(&mut first);
                    parts.push(inner);
                }
                if depth == 0 {
                    break;
                }
            }
        }
        parts
    }

    /// `#` (6.10.3.2).
    fn stringify(&mut self, part: &Part, raw: &[Token]) -> Token {
        let mut text = vec![b'"'];
        for (index, token) in raw.iter().enumerate() {
            if token.space && index > 0 {
                text.push(b' ');
            }
            let quoted = matches!(token.kind, Kind::String | Kind::Character);
            for &byte in self.interner.spelling(token.text) {
                if quoted && matches!(byte, b'"' | b'\\') {
                    text.push(b'\\');
                }
                text.push(byte);
            }
            if text.len() > MAX_SPELLING {
                self.give_up("a macro makes too long a string");
                break;
            }
        }
        // A backslash that would escape the closing quote is dropped.
        let trailing = text.iter().rev().take_while(|&&byte| byte == b'\\').count();
        if trailing % 2 == 1 {
            text.pop();
        }
        text.push(b'"');
        let text = self.intern_spent(&text);
        Token { kind: Kind::String, text, painted: false, ..part.token }
    }

    /// `##` (6.10.3.3): pushes the token that both make, or both if they make none.
    fn paste(&mut self, left: Token, right: Token, out: &mut Vec<Token>) {
        if right.kind == Kind::Placemarker {
            out.push(left);
        } else if left.kind == Kind::Placemarker {
            out.push(Token { space: left.space, ..right });
        } else {
            let mut spelling = self.interner.spelling(left.text).to_vec();
            spelling.extend_from_slice(self.interner.spelling(right.text));
            if spelling.len() > MAX_SPELLING {
                return self.give_up("a macro makes too long a name");
            }
            self.work = self.work.saturating_sub(spelling.len() as u64);
            let tokens = tokenize(&spelling, self.interner);
            match tokens.as_slice() {
                [one] if !spelling.starts_with(b"//") && !spelling.starts_with(b"/*") => {
                    out.push(Token { space: left.space, ..*one });
                }
                _ => {
                    self.problem(
                        "paste",
                        "`##` does not make a token of this and what follows",
                        left.text,
                    );
                    out.extend([left, right]);
                }
            }
        }
    }

    fn intern_spent(&mut self, spelling: &[u8]) -> Symbol {
        self.work = self.work.saturating_sub(spelling.len() as u64);
        self.interner.intern(spelling)
    }

    /// Reads tokens that are not expanded up to and with the closing parenthesis that belongs to
    /// an opening one which comes next; nothing if it does not.
    pub(crate) fn parenthesized(&mut self) -> Option<Vec<Token>> {
        self.expansion.prevent += 1;
        let mut tokens = Vec::new();
        let found = self.raw_token().is(Punctuator::Open)
            && loop {
                let token = self.raw_token();
                match token.kind {
                    Kind::End => break false,
                    Kind::Punctuator(Punctuator::Close) => break true,
                    _ => tokens.push(token),
                }
            };
        self.expansion.prevent -= 1;
        found.then_some(tokens)
    }
}

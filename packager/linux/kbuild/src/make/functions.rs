//! The functions of make.

use std::collections::BTreeSet;
use std::rc::Rc;

use l4re_packager_base::Diagnostic;

use super::Stop;
use super::evaluate::Evaluator;
use super::parse::skip_reference;
use super::symbolic::{self, Condition};
use super::words::{
    Filter, dir, is_space, join, normalize, notdir, patsubst, split_suffix, subst, trim,
    trim_start, words,
};

type Outcome<T = ()> = Result<T, Stop>;

macro_rules! functions {
    ($($variant:ident $name:literal $least:literal $most:literal,)*) => {
        /// A function of make.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($variant,)* }

        impl Function {
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The number of arguments: at least, at most (the last one takes further commas).
            fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($least, $most),)* }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

functions! {
    Abspath "abspath" 1 1,
    Addprefix "addprefix" 2 2,
    Addsuffix "addsuffix" 2 2,
    And "and" 1 1000,
    Basename "basename" 1 1,
    Call "call" 1 1000,
    Dir "dir" 1 1,
    Error "error" 1 1,
    Eval "eval" 1 1,
    File "file" 1 2,
    Filter "filter" 2 2,
    FilterOut "filter-out" 2 2,
    Findstring "findstring" 2 2,
    Firstword "firstword" 1 1,
    Flavor "flavor" 1 1,
    Foreach "foreach" 3 3,
    If "if" 2 3,
    Info "info" 1 1,
    Join "join" 2 2,
    Lastword "lastword" 1 1,
    Notdir "notdir" 1 1,
    Or "or" 1 1000,
    Origin "origin" 1 1,
    Patsubst "patsubst" 3 3,
    Realpath "realpath" 1 1,
    Shell "shell" 1 1,
    Sort "sort" 1 1,
    Strip "strip" 1 1,
    Subst "subst" 3 3,
    Suffix "suffix" 1 1,
    Value "value" 1 1,
    Warning "warning" 1 1,
    Wildcard "wildcard" 1 1,
    Word "word" 2 2,
    Wordlist "wordlist" 3 3,
    Words "words" 1 1,
}

/// The function that a reference calls, and its arguments. (A name without space behind it is a
/// variable.)
pub(super) fn find(inner: &str) -> Option<(Function, &str)> {
    let end = inner.bytes().position(|byte| !(byte.is_ascii_lowercase() || byte == b'-'))?;
    let rest = &inner[end..];
    is_space(rest.as_bytes()[0]).then_some(())?;
    Some((Function::named(&inner[..end])?, trim_start(rest)))
}

/// Splits arguments at commas outside of references and of parentheses of the kind that encloses
/// the call.
fn split(text: &str, close: u8, most: usize) -> Vec<&str> {
    let open = if close == b')' { b'(' } else { b'{' };
    let bytes = text.as_bytes();
    let mut arguments = Vec::new();
    let mut start = 0;
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() && arguments.len() + 1 < most {
        match bytes[at] {
            b'$' if matches!(bytes.get(at + 1), Some(byte) if *byte == open) => {
                at = skip_reference(text, at);
                continue;
            }
            byte if byte == open => depth += 1,
            byte if byte == close => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                arguments.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    arguments.push(&text[start..]);
    arguments
}

impl Evaluator<'_> {
    pub(super) fn function(
        &mut self,
        function: Function,
        text: &str,
        close: u8,
        out: &mut String,
    ) -> Outcome {
        let (least, most) = function.arity();
        let arguments = split(text, close, most);
        if arguments.len() < least && !text.is_empty() || text.is_empty() && least > 1 {
            let message = format!(
                "insufficient number of arguments ({}) to function '{}'",
                if text.is_empty() { 0 } else { arguments.len() },
                function.name()
            );
            return Err(self.stop("make-syntax", message));
        }
        match function {
            Function::If => self.function_if(&arguments, out),
            Function::And | Function::Or => {
                self.function_logic(function == Function::And, &arguments, out)
            }
            Function::Foreach => self.function_foreach(&arguments, out),
            Function::Call => self.function_call(&arguments, out),
            _ => {
                let mut expanded = Vec::with_capacity(arguments.len());
                for argument in &arguments {
                    expanded.push(self.expand(argument)?);
                }
                self.simple(function, &expanded, out)
            }
        }
    }

    /// Functions whose arguments are all expanded before.
    fn simple(&mut self, function: Function, arguments: &[String], out: &mut String) -> Outcome {
        let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
        let first = argument(0);
        match function {
            Function::Subst => subst(out, first, argument(1), argument(2)),
            Function::Patsubst => patsubst(out, first, argument(1), argument(2)),
            Function::Strip => join(out, words(first)),
            Function::Sort => join(out, words(first).collect::<BTreeSet<_>>()),
            Function::Filter | Function::FilterOut => {
                self.filter(function == Function::Filter, first, argument(1), out);
            }
            Function::Findstring => {
                let found = argument(1).contains(first);
                if found {
                    out.push_str(first);
                } else if self.symbolic.is_some() && symbolic::is_symbolic(argument(1)) {
                    out.push_str(argument(1));
                }
            }
            Function::Word | Function::Wordlist | Function::Words => {
                return self.numbered(function, arguments, out);
            }
            Function::Firstword => out.push_str(words(first).next().unwrap_or_default()),
            Function::Lastword => out.push_str(words(first).last().unwrap_or_default()),
            Function::Dir => join(out, words(first).map(dir)),
            Function::Notdir => join(out, words(first).map(notdir)),
            Function::Basename => join(out, words(first).map(|word| split_suffix(word).0)),
            Function::Suffix => {
                let suffixes = words(first).map(|word| split_suffix(word).1);
                join(out, suffixes.filter(|suffix| !suffix.is_empty()));
            }
            Function::Addprefix => {
                join(out, words(argument(1)).map(|word| format!("{first}{word}")));
            }
            Function::Addsuffix => {
                join(out, words(argument(1)).map(|word| format!("{word}{first}")));
            }
            Function::Join => join_lists(first, argument(1), out),
            _ => return self.about_the_world(function, arguments, out),
        }
        Ok(())
    }

    /// Functions that look at variables, files or the machine, or say something.
    fn about_the_world(
        &mut self,
        function: Function,
        arguments: &[String],
        out: &mut String,
    ) -> Outcome {
        let first = arguments.first().map_or("", String::as_str);
        match function {
            Function::Wildcard => {
                let found = words(first).flat_map(|pattern| self.files.wildcard(pattern));
                join(out, found);
            }
            Function::Realpath => {
                join(out, words(first).filter_map(|word| self.files.realpath(word)));
            }
            Function::Abspath => {
                let directory = self.files.directory();
                let absolute = |word: &str| match word.starts_with('/') {
                    true => normalize(word),
                    false => normalize(&format!("{directory}/{word}")),
                };
                join(out, words(first).map(absolute));
            }
            Function::Eval => {
                // The text may contain anything; what it defines stays, its place does not count.
                return self.text(first);
            }
            Function::Origin => out.push_str(self.origin(first)),
            Function::Flavor => out.push_str(self.flavor(first)),
            Function::Value => match self.variables.get(first) {
                Some(variable) => out.push_str(&variable.value),
                None => out.push_str(&self.environment.variable(first).unwrap_or_default()),
            },
            Function::Error if self.symbolic.is_none() => {
                return Err(self.stop("make-error", first));
            }
            Function::Warning if self.symbolic.is_none() => {
                self.note(Diagnostic::warning("make-warning", first));
            }
            Function::Shell => {
                let output = self.shell(first);
                out.push_str(&output);
            }
            Function::File => {
                if let Some(name) = trim(first).strip_prefix('<')
                    && let Some(text) = self.files.read(trim(name))
                {
                    out.push_str(text.strip_suffix('\n').unwrap_or(&text));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `$(filter …)`. In a symbolic evaluation a mark may become anything, so it stays.
    fn filter(&self, keep: bool, patterns: &str, text: &str, out: &mut String) {
        if self.symbolic.is_none() {
            let filter = Filter::new(patterns);
            join(out, words(text).filter(|word| filter.matches(word) == keep));
            return;
        }
        let plain = symbolic::without(patterns, symbolic::GUARD);
        let unknown = plain.contains(symbolic::SYMBOL);
        let filter = Filter::new(&plain);
        let stays = |word: &&str| {
            let bare = symbolic::without(word, symbolic::GUARD);
            unknown || bare.contains(symbolic::SYMBOL) || filter.matches(&bare) == keep
        };
        join(out, words(text).filter(stays));
    }

    fn numbered(&mut self, function: Function, arguments: &[String], out: &mut String) -> Outcome {
        let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
        if function == Function::Words {
            out.push_str(&words(argument(0)).count().to_string());
            return Ok(());
        }
        let number = |at: usize, what: &str| {
            trim(argument(at)).parse::<usize>().map_err(|_| {
                let message = format!(
                    "non-numeric {what} argument to '{}' function: '{}'",
                    function.name(),
                    argument(at)
                );
                self.stop("make-syntax", message)
            })
        };
        let first = number(0, "first")?;
        if first == 0 {
            let message = match function {
                Function::Word => "first argument to 'word' function must be greater than 0",
                _ => "invalid first argument to 'wordlist' function: '0'",
            };
            return Err(self.stop("make-syntax", message));
        }
        if function == Function::Word {
            out.push_str(words(argument(1)).nth(first - 1).unwrap_or_default());
            return Ok(());
        }
        let last = number(1, "second")?;
        let count = last.saturating_add(1).saturating_sub(first);
        join(out, words(argument(2)).skip(first - 1).take(count));
        Ok(())
    }

    fn function_if(&mut self, arguments: &[&str], out: &mut String) -> Outcome {
        let condition = self.expand(trim(arguments[0]))?;
        let symbols = self.symbols_in(&condition);
        if symbols.is_empty() {
            let chosen = if condition.is_empty() { 2 } else { 1 };
            return self.expand_into(arguments.get(chosen).copied().unwrap_or(""), out);
        }
        for (index, holds) in [(1, true), (2, false)] {
            let Some(argument) = arguments.get(index) else { continue };
            let text = self.expand(argument)?;
            let condition = Condition::new(symbols.clone(), false, holds);
            let guard = self.symbolic.map_or(0, |table| table.guard(0, [condition]));
            let mark = symbolic::guard_mark(guard);
            if index == 2 {
                out.push(' ');
            }
            join(out, words(&text).map(|word| format!("{mark}{word}")));
        }
        Ok(())
    }

    fn symbols_in(&self, text: &str) -> Vec<String> {
        self.symbolic.map_or_else(Vec::new, |table| table.symbols_in(text))
    }

    fn function_logic(&mut self, all: bool, arguments: &[&str], out: &mut String) -> Outcome {
        let mut unknown = String::new();
        let mut last = String::new();
        for argument in arguments {
            last = self.expand(trim(argument))?;
            if !self.symbols_in(&last).is_empty() {
                unknown.push_str(&last);
            } else if last.is_empty() == all {
                // `and` ends at the first that is empty, `or` at the first that is not.
                break;
            }
        }
        let decided = last.is_empty() == all && self.symbols_in(&last).is_empty();
        match (decided, all) {
            (true, true) => {}
            _ if !unknown.is_empty() => out.push_str(&unknown),
            _ => out.push_str(&last),
        }
        Ok(())
    }

    fn function_foreach(&mut self, arguments: &[&str], out: &mut String) -> Outcome {
        let name = self.expand(arguments[0])?;
        let name: Rc<str> = trim(&name).into();
        let list = self.expand(arguments[1])?;
        for (index, word) in words(&list).enumerate() {
            if index > 0 {
                out.push(' ');
            }
            self.locals.push((Rc::clone(&name), word.into()));
            let expanded = self.expand_into(arguments[2], out);
            self.locals.pop();
            expanded?;
        }
        Ok(())
    }

    fn function_call(&mut self, arguments: &[&str], out: &mut String) -> Outcome {
        let name = self.expand(arguments[0])?;
        let name = trim(&name);
        let mut parameters = Vec::with_capacity(arguments.len());
        for argument in &arguments[1..] {
            parameters.push(self.expand(argument)?);
        }
        if name.is_empty() {
            return Ok(());
        }
        if let Some(function) = Function::named(name) {
            let joined = parameters.join(",").replace('$', "$$");
            return self.function(function, &joined, b')', out);
        }
        let Some(variable) = self.variables.get(name) else {
            match self.environment.call(name, &parameters) {
                Some(Ok(value)) => out.push_str(&value),
                Some(Err(finding)) => self.note(finding),
                None => {
                    let message = format!("cannot call {name} in the flags of an object");
                    self.note_in_flags(message, "no Makefile of the tree that was read defines it");
                }
            }
            return Ok(());
        };
        let body = match self.symbolic {
            Some(_) => {
                variable.pieces.iter().map(|piece| &*piece.text).collect::<Vec<_>>().join(" ")
            }
            None => variable.value.to_string(),
        };
        let recursive = variable.recursive;
        if !recursive {
            out.push_str(&body);
            return Ok(());
        }
        self.with_parameters(name, &parameters, &body, out)
    }

    fn with_parameters(
        &mut self,
        name: &str,
        parameters: &[String],
        body: &str,
        out: &mut String,
    ) -> Outcome {
        let locals = self.locals.len();
        // Parameters that this call does not have hide those of a call around it.
        let outer = self.locals.iter().filter(|(name, _)| name.parse::<u32>().is_ok()).count();
        self.locals.push(("0".into(), name.into()));
        for number in 1..=parameters.len().max(outer.min(32)) {
            let value = parameters.get(number - 1).map_or("", String::as_str);
            self.locals.push((number.to_string().into(), value.into()));
        }
        self.descend()?;
        let expanded = self.expand_into(body, out);
        self.depth -= 1;
        self.locals.truncate(locals);
        expanded
    }

    fn origin(&self, name: &str) -> &'static str {
        if self.locals.iter().any(|(local, _)| **local == *name) {
            return "automatic";
        }
        match self.variables.get(name) {
            Some(variable) if variable.overridden => "override",
            Some(_) => "file",
            None if self.environment.variable(name).is_some() => "environment",
            None => "undefined",
        }
    }

    fn flavor(&self, name: &str) -> &'static str {
        match self.variables.get(name) {
            Some(variable) if !variable.recursive => "simple",
            Some(_) => "recursive",
            None if self.environment.variable(name).is_some() => "recursive",
            None => "undefined",
        }
    }
}

fn join_lists(one: &str, other: &str, out: &mut String) {
    let (mut one, mut other) = (words(one), words(other));
    let mut first = true;
    loop {
        let (a, b) = (one.next(), other.next());
        if a.is_none() && b.is_none() {
            return;
        }
        if !first {
            out.push(' ');
        }
        first = false;
        out.push_str(a.unwrap_or_default());
        out.push_str(b.unwrap_or_default());
    }
}

//! The grammar of `Control` files, as L4Re's `mk/pkgdeps` reads them.

use std::ops::Range;
use std::path::Path;

use super::condition::{Condition, Config, Truth};
use l4re_packager_base::{Diagnostic, Position, Report, nearest};

/// The fields that mean something; every other one is ignored without a word.
const FIELDS: [(&str, Field); 6] = [
    ("provides", Field::Provides),
    ("requires", Field::Requires),
    ("optional", Field::Optional),
    ("variants", Field::Variants),
    ("source-pkg", Field::SourcePkg),
    ("maintainer", Field::Maintainer),
];

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// What the package offers.
    Provides,
    /// What it cannot be built without.
    Requires,
    /// What it uses if it is there.
    Optional,
    /// Further ways to build it.
    Variants,
    /// The package that its sources come from.
    SourcePkg,
    /// Who to ask.
    Maintainer,
}

/// A word of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The field.
    pub field: Field,
    /// The word without its condition.
    pub text: String,
    /// When it counts; always if there is none.
    pub condition: Option<Condition>,
    /// Where it stands.
    pub position: Position,
}

impl Word {
    /// Whether it counts.
    pub fn counts(&self, config: &Config) -> Truth {
        self.condition.as_ref().map_or(Truth::Yes, |condition| condition.holds(config))
    }
}

/// Reads a `Control` file. What L4Re would refuse is an error in the report, what it would lose
/// without a word a warning.
pub fn parse(path: &Path, text: &str, report: &mut Report) -> Vec<Word> {
    let mut reader = Reader { path, text, report, words: Vec::new(), field: None };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let content = content.split_once('#').map_or(content, |(before, _)| before);
        reader.line(at, content);
        at += line.len();
    }
    reader.words
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    report: &'a mut Report,
    words: Vec<Word>,
    /// What a line that starts with a blank continues.
    field: Option<Open>,
}

/// A field that is being read; `None` inside is one that L4Re ignores.
#[derive(Clone)]
struct Open(Option<(Field, Option<Condition>)>);

impl Reader<'_> {
    fn say(&mut self, diagnostic: Diagnostic, at: usize) {
        let position = Position::in_text(self.text, at);
        self.report.push(diagnostic.file(self.path).at(position));
    }

    fn line(&mut self, at: usize, line: &str) {
        if line.starts_with([' ', '\t']) {
            match self.field.clone() {
                Some(Open(Some((field, filter)))) => self.values(field, filter.as_ref(), at, line),
                Some(Open(None)) => {}
                None if line.trim().is_empty() => {}
                None => {
                    let message = "this line continues nothing and is lost";
                    let diagnostic = Diagnostic::warning("control-lost", message)
                        .help("a field starts without blanks before it; an empty line ends one");
                    self.say(diagnostic, at);
                }
            }
            return;
        }
        self.field = None;
        if line.is_empty() {
            return;
        }
        match tag(line) {
            Some(tag) => self.field(at, line, &tag),
            None => {
                let diagnostic = Diagnostic::warning("control-lost", "this line is no field")
                    .help("a field is `name: words`");
                self.say(diagnostic, at);
            }
        }
    }

    fn field(&mut self, at: usize, line: &str, tag: &Tag<'_>) {
        let lower = tag.name.to_ascii_lowercase();
        let Some(&(_, field)) = FIELDS.iter().find(|(name, _)| *name == lower) else {
            let message = format!("unknown field `{}`: L4Re ignores it without a word", tag.name);
            let mut diagnostic = Diagnostic::warning("control-unknown-field", message);
            if let Some(near) = nearest(&lower, FIELDS.map(|(name, _)| name)) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            self.field = Some(Open(None));
            return self.say(diagnostic, at);
        };
        let filter = match tag.filter.clone() {
            Some(span) => match self.condition(at, line, span) {
                Some(filter) => Some(filter),
                None => return self.field = Some(Open(None)),
            },
            None => None,
        };
        self.field = Some(Open(Some((field, filter.clone()))));
        let values = line.get(tag.values..).unwrap_or_default();
        self.values(field, filter.as_ref(), at + tag.values, values);
    }

    /// The words of a line. `at` is where it starts in the text.
    fn values(&mut self, field: Field, filter: Option<&Condition>, at: usize, line: &str) {
        for (word, brackets) in words(line) {
            let text = line.get(word.clone()).unwrap_or_default();
            let start = at + word.start;
            let mut condition = filter.cloned();
            // The brackets of a variant name a folder.
            if let Some(brackets) = brackets
                && field != Field::Variants
            {
                if filter.is_some() {
                    let message = "a condition at the word and one at the field: L4Re stops here";
                    let diagnostic = Diagnostic::error("control-double-filter", message)
                        .help("join them with && at the word");
                    self.say(diagnostic, start);
                }
                match self.condition(at, line, brackets) {
                    Some(inner) => condition = Some(inner),
                    None => continue,
                }
            }
            let position = Position::in_text(self.text, start);
            self.words.push(Word { field, text: text.into(), condition, position });
        }
    }

    fn condition(&mut self, at: usize, line: &str, span: Range<usize>) -> Option<Condition> {
        let text = line.get(span.clone()).unwrap_or_default();
        match Condition::parse(text) {
            Ok(condition) => Some(condition),
            Err(bad) => {
                let message = format!(
                    "the condition `{text}` is not understood: {} expected; L4Re takes it for false",
                    bad.reason
                );
                let diagnostic = Diagnostic::warning("control-condition", message)
                    .help("conditions are made of config(SYMBOL), arch(NAME), &&, ||, ! and ( )");
                self.say(diagnostic, at + span.start + bad.span.start);
                None
            }
        }
    }
}

/// `name[filter]:`, with the places of filter and values in the line.
struct Tag<'a> {
    name: &'a str,
    filter: Option<Range<usize>>,
    values: usize,
}

fn tag(line: &str) -> Option<Tag<'_>> {
    let colon = line.find(':')?;
    let head = line.get(..colon)?;
    match head.split_once('[') {
        Some((name, filter)) => {
            let filter = filter.strip_suffix(']').filter(|filter| !filter.is_empty())?;
            let start = name.len() + 1;
            Some(Tag { name, filter: Some(start..start + filter.len()), values: colon + 1 })
        }
        None => Some(Tag { name: head, filter: None, values: colon + 1 }),
    }
}

/// The words of a line, each with the place of its brackets' content. Only brackets may have blanks
/// inside.
fn words(line: &str) -> Vec<(Range<usize>, Option<Range<usize>>)> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = line.get(at..) {
        let start = at + rest.len() - rest.trim_start().len();
        let Some(rest) = line.get(start..).filter(|rest| !rest.is_empty()) else { break };
        let plain = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let open = rest.find('[').filter(|open| (1..plain).contains(open));
        let brackets = open.and_then(|open| {
            let length = rest.get(open + 1..)?.find(']').filter(|length| *length > 0)?;
            Some((open, open + 1..open + 1 + length))
        });
        match brackets {
            Some((name, inside)) => {
                at = start + inside.end + 1;
                words.push((start..start + name, Some(start + inside.start..start + inside.end)));
            }
            None => {
                at = start + plain;
                words.push((start..at, None));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Vec<Word>, String) {
        let mut report = Report::new();
        let words = parse(Path::new("Control"), text, &mut report);
        let report = report.iter().map(|finding| format!("{finding}\n")).collect();
        (words, report)
    }

    fn of(text: &str, field: Field) -> Vec<String> {
        let words = read(text).0.into_iter().filter(|word| word.field == field);
        words.map(|word| word.text).collect()
    }

    #[test]
    fn fields_repeat_continue_and_have_comments() {
        let text = "Provides: a b # c\n\td\nrequires:\nREQUIRES: x\n # nothing\n y\nprovides: e\n";
        assert_eq!(of(text, Field::Provides), ["a", "b", "d", "e"]);
        assert_eq!(of(text, Field::Requires), ["x", "y"]);
        assert_eq!(read(text).1, "");
    }

    #[test]
    fn conditions_may_have_blanks_and_belong_to_word_or_field() {
        let text = "requires: acpica[arch(x86) || arch(amd64)] libc\nrequires[arch(arm)]: libfdt x\n\
                    variants: nofpu[server/src]\n";
        let words = read(text).0;
        let arm = Config { arch: Some("arm".into()), symbols: None };
        let counts: Vec<_> = words.iter().map(|word| (&word.text[..], word.counts(&arm))).collect();
        let (yes, no) = (Truth::Yes, Truth::No);
        assert_eq!(
            counts,
            [("acpica", no), ("libc", yes), ("libfdt", yes), ("x", yes), ("nofpu", yes)]
        );
        assert_eq!(words[2].position, Position::Text { line: 2, column: 22 });
    }

    #[test]
    fn what_would_be_lost_or_refused_is_said() {
        let (_, report) =
            read("require: a\n  b\n\n  lost\nrequires: x[arch(]\nno field\nrequires[1]: y[1]\n");
        assert_eq!(
            report,
            "Control:1:1: warning: unknown field `require`: L4Re ignores it without a word\n  help: \
             did you mean `requires`?\n\
             Control:4:1: warning: this line continues nothing and is lost\n  help: a field starts \
             without blanks before it; an empty line ends one\n\
             Control:5:18: warning: the condition `arch(` is not understood: a name expected; L4Re \
             takes it for false\n  help: conditions are made of config(SYMBOL), arch(NAME), &&, ||, \
             ! and ( )\n\
             Control:6:1: warning: this line is no field\n  help: a field is `name: words`\n\
             Control:7:14: error: a condition at the word and one at the field: L4Re stops here\n  \
             help: join them with && at the word\n"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(provides|requires|x)?[\\[\\]:# \\n\\ta-c()ü]{0,80}") {
            read(&text);
        }
    }
}

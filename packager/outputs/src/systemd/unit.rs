//! Unit files: quoting, and reading them as systemd does.

use std::path::Path;

use l4re_packager_base::{Diagnostic, Position, Report, nearest};

/// The sections of the units that are made here; settings in another one are lost.
const SECTIONS: [&str; 3] = ["Unit", "Service", "Install"];

/// A setting of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Section without brackets.
    pub section: String,
    /// Key.
    pub key: String,
    /// Value, with continued lines joined.
    pub value: String,
    /// Line, counted from 1.
    pub line: usize,
}

/// A unit file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// The settings in their order.
    pub settings: Vec<Setting>,
}

/// A variable that a unit sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Line of the setting.
    pub line: usize,
}

/// The text with `%` doubled: alone it starts a specifier.
pub(super) fn escape_specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a command line. `$` would start a variable, `;` alone another command.
pub(super) fn argument(word: &str) -> String {
    let text = word.replace('\\', "\\\\").replace('%', "%%").replace('$', "$$");
    let quote = word.is_empty() || word == ";" || word.contains(['"', '\'', ' ', '\t']);
    if quote { format!("\"{}\"", text.replace('"', "\\\"")) } else { text }
}

/// An assignment of `Environment=`, in quotes. `$` means itself there.
pub(super) fn assignment(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{name}={value}\"")
}

impl Unit {
    /// Reads a unit file. What systemd would ignore with a message at run time is a warning here.
    pub fn parse(path: &Path, text: &str, report: &mut Report) -> Self {
        let mut unit = Self::default();
        let mut section = None;
        // Value and line of a setting whose line ended with a backslash.
        let mut open: Option<Setting> = None;
        for (index, line) in text.lines().enumerate() {
            let mut say = |code, message: String, help: Option<String>| {
                let diagnostic = Diagnostic::warning(code, message).file(path);
                let diagnostic = diagnostic.at(Position::Text { line: index + 1, column: 1 });
                report.push(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
            };
            if line.trim_start().starts_with(['#', ';']) {
                continue;
            }
            if let Some(mut setting) = open.take() {
                let (part, more) = continued(line);
                setting.value.push(' ');
                setting.value.push_str(part.trim());
                if more {
                    open = Some(setting)
                } else {
                    unit.settings.push(setting)
                }
                continue;
            }
            let (line, more) = continued(line);
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                if !SECTIONS.contains(&name) && !name.starts_with("X-") {
                    let help =
                        nearest(name, SECTIONS).map(|near| format!("did you mean [{near}]?"));
                    let message =
                        format!("unknown section [{name}]: systemd ignores what is in it");
                    say("unit-section", message, help);
                }
                section = Some(name.to_owned());
            } else if let (Some((key, value)), Some(section)) = (line.split_once('='), &section) {
                let setting = Setting {
                    section: section.clone(),
                    key: key.trim_end().into(),
                    value: value.trim().into(),
                    line: index + 1,
                };
                if more { open = Some(setting) } else { unit.settings.push(setting) }
            } else if !line.is_empty() {
                let message = "this line is no setting: systemd ignores it".to_owned();
                say("unit-line", message, None);
            }
        }
        unit.settings.extend(open);
        unit
    }

    /// The values of a key, in their order, with their lines. An empty one clears those before it.
    pub fn values(&self, section: &str, key: &str) -> Vec<(&str, usize)> {
        let mut values = Vec::new();
        let of = |setting: &&Setting| setting.section == section && setting.key == key;
        for setting in self.settings.iter().filter(of) {
            if setting.value.is_empty() {
                values.clear();
            } else {
                values.push((setting.value.as_str(), setting.line));
            }
        }
        values
    }

    /// The variables that the unit sets; of two assignments the later one counts.
    pub fn environment(&self, path: &Path, report: &mut Report) -> Vec<Variable> {
        let mut variables: Vec<Variable> = Vec::new();
        for (value, line) in self.values("Service", "Environment") {
            for word in words(value) {
                let Some((name, value)) = word.split_once('=').filter(|(name, _)| is_name(name))
                else {
                    let message = format!("`{word}` is no assignment: systemd ignores it");
                    let diagnostic = Diagnostic::warning("unit-environment", message).file(path);
                    report.push(diagnostic.at(Position::Text { line, column: 1 }));
                    continue;
                };
                variables.retain(|variable| variable.name != name);
                variables.push(Variable { name: name.into(), value: value.into(), line });
            }
        }
        variables
    }
}

/// The line without a backslash at its end, and whether there was one.
fn continued(line: &str) -> (&str, bool) {
    line.strip_suffix('\\').map_or((line, false), |line| (line, true))
}

/// Whether it can be the name of a variable.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The words of a value: quotes hold blanks together, a backslash takes the next character as it
/// is, `%%` is a percent sign.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '"' | '\'' if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() && word.is_none() => {
                quote = Some(c);
                word = Some(String::new());
            }
            '%' if chars.peek() == Some(&'%') => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() && quote.is_none() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> (Unit, Report) {
        let mut report = Report::new();
        (Unit::parse(Path::new("u"), text, &mut report), report)
    }

    #[test]
    fn settings_continue_and_accumulate_and_an_empty_one_clears() {
        let text = "[Unit]\nDescription=x\n[Service]\nEnvironment=\"A=1 2\" \\\n# between\n  B=2\n\
                    Environment=A=3\n";
        let (unit, mut report) = parse(text);
        let of = |unit: &Unit, report: &mut Report| -> Vec<_> {
            let variables = unit.environment(Path::new("u"), report).into_iter();
            variables.map(|variable| format!("{}={}", variable.name, variable.value)).collect()
        };
        assert_eq!(of(&unit, &mut report), ["B=2", "A=3"]);
        let (unit, mut report) = parse(&format!("{text}Environment=\nEnvironment=C=%%\n"));
        assert_eq!(of(&unit, &mut report), ["C=%"]);
        assert!(report.iter().next().is_none());
    }

    #[test]
    fn what_systemd_ignores_is_told() {
        let (unit, mut report) =
            parse("[Servcie]\nExecStart=/x\nnothing\n[Service]\nEnvironment=1=2\n");
        unit.environment(Path::new("u"), &mut report);
        let text: Vec<_> = report.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "u:1:1: warning: unknown section [Servcie]: systemd ignores what is in it\n  help: did \
                 you mean [Service]?",
                "u:3:1: warning: this line is no setting: systemd ignores it",
                "u:5:1: warning: `1=2` is no assignment: systemd ignores it",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_was(value in "[ -~ä]{0,40}") {
            let text = format!("[Service]\nEnvironment={}\n", assignment("A", &value));
            let (unit, mut report) = parse(&text);
            let variables = unit.environment(Path::new("u"), &mut report);
            prop_assert_eq!(variables.len(), 1);
            prop_assert_eq!(&variables[0].value, &value);
        }

        #[test]
        fn no_text_panics(text in "(\\[Service\\]\n)?[\\[\\]=\\\\\"' \n#;%A-Cä]{0,80}") {
            let (unit, mut report) = parse(&text);
            unit.environment(Path::new("u"), &mut report);
        }
    }
}

//! Writing `driver.yaml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Compiler, ConditionalMember, DriverYaml, Flags, Module, Provider, SCHEMA};

impl DriverYaml {
    /// The text: the same for the same content, whatever the order in which it was found.
    pub fn emit(&self) -> String {
        let mut out = Writer::default();
        out.line(0, "# What `packager extract` found; described in docs/driver-yaml.md.");
        out.line(0, &format!("schema: {SCHEMA}"));
        out.string(0, "driver", &self.driver);
        out.string(0, "subsystem", &self.subsystem);
        out.string(0, "arch", &self.arch);
        out.string(0, "kernel", &self.kernel);
        if let Some(tree) = &self.linux_src {
            out.string(0, "linux_src", tree);
        }
        out.string(0, "kconfig", &self.kconfig);
        out.line(0, &format!("line: {}", self.line));
        out.string(0, "depends_on", &self.depends_on);
        out.string(0, "base", self.base.name());
        out.strings(0, "config", &self.config);
        out.compiler(&self.compiler);
        out.each(0, "modules", &self.modules, Writer::module);
        out.each(0, "providers", &self.providers, Writer::provider);
        out.list(0, "licenses", &self.licenses);
        out.list(0, "module_licenses", &self.module_licenses);
        out.list(0, "firmware", &self.firmware);
        out.list(0, "files", &self.files);
        out.list(0, "headers", &self.headers);
        out.list(0, "generated_headers", &self.generated_headers);
        out.0
    }
}

/// Lines with an indentation of two blanks a level. Depths count the levels.
#[derive(Default)]
struct Writer(String);

impl Writer {
    fn line(&mut self, depth: usize, text: &str) {
        self.0.extend(std::iter::repeat_n("  ", depth));
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn string(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &format!("{}: {}", scalar(key), scalar(value)));
    }

    fn list(&mut self, depth: usize, key: &str, items: &[String]) {
        if items.is_empty() {
            return self.line(depth, &format!("{key}: []"));
        }
        self.line(depth, &format!("{key}:"));
        for item in items {
            self.line(depth + 1, &format!("- {}", scalar(item)));
        }
    }

    fn strings(&mut self, depth: usize, key: &str, entries: &BTreeMap<String, String>) {
        if entries.is_empty() {
            return self.line(depth, &format!("{key}: {{}}"));
        }
        self.line(depth, &format!("{key}:"));
        for (name, value) in entries {
            self.string(depth + 1, name, value);
        }
    }

    /// A list of mappings; `write` writes one with its first line two levels in, where the dash
    /// goes.
    fn each<T>(&mut self, depth: usize, key: &str, items: &[T], write: fn(&mut Self, usize, &T)) {
        if items.is_empty() {
            return self.line(depth, &format!("{key}: []"));
        }
        self.line(depth, &format!("{key}:"));
        for item in items {
            let start = self.0.len();
            write(self, depth + 2, item);
            let dash = start + 2 * (depth + 1);
            self.0.replace_range(dash..=dash, "-");
        }
    }

    fn compiler(&mut self, compiler: &Compiler) {
        self.line(0, "compiler:");
        self.string(1, "prefix", &compiler.prefix);
        self.string(1, "version", &compiler.version);
        self.list(1, "cppflags", &compiler.cppflags);
        self.list(1, "cflags", &compiler.cflags);
        self.list(1, "cflags_module", &compiler.cflags_module);
        self.list(1, "cflags_built_in", &compiler.cflags_built_in);
        self.list(1, "aflags", &compiler.aflags);
        self.list(1, "aflags_module", &compiler.aflags_module);
        self.list(1, "aflags_built_in", &compiler.aflags_built_in);
    }

    fn module(&mut self, depth: usize, module: &Module) {
        self.string(depth, "name", &module.name);
        self.string(depth, "directory", &module.directory);
        self.line(depth, &format!("built_in: {}", module.built_in));
        self.list(depth, "objects", &module.objects);
        self.list(depth, "sources", &module.sources);
        self.list(depth, "own_headers", &module.own_headers);
        self.list(depth, "other_driver_headers", &module.other_driver_headers);
        self.list(depth, "trace_headers", &module.trace_headers);
        self.list(depth, "shipped", &module.shipped);
        self.cflags(depth, &module.cflags);
        self.lists(depth, "defines", &module.defines);
        self.each(depth, "conditional_members", &module.conditional_members, Self::member);
    }

    fn cflags(&mut self, depth: usize, cflags: &BTreeMap<String, Flags>) {
        if cflags.is_empty() {
            return self.line(depth, "cflags: {}");
        }
        self.line(depth, "cflags:");
        for (object, flags) in cflags {
            self.line(depth + 1, &format!("{}:", scalar(object)));
            self.list(depth + 2, "add", &flags.add);
            self.list(depth + 2, "remove", &flags.remove);
        }
    }

    fn lists(&mut self, depth: usize, key: &str, entries: &BTreeMap<String, Vec<String>>) {
        if entries.is_empty() {
            return self.line(depth, &format!("{key}: {{}}"));
        }
        self.line(depth, &format!("{key}:"));
        for (name, items) in entries {
            self.list(depth + 1, &scalar(name), items);
        }
    }

    fn member(&mut self, depth: usize, member: &ConditionalMember) {
        self.string(depth, "condition", &member.condition);
        self.string(depth, "object", &member.object);
        self.line(depth, &format!("included: {}", member.included));
    }

    fn provider(&mut self, depth: usize, provider: &Provider) {
        self.string(depth, "symbol", &provider.symbol);
        self.list(depth, "selected_by", &provider.selected_by);
        self.string(depth, "kconfig", &provider.kconfig);
        self.line(depth, &format!("line: {}", provider.line));
        self.each(depth, "modules", &provider.modules, Self::module);
    }
}

/// A string as YAML: plain where every reader takes it for a string, else with double quotes.
///
/// Readers of YAML 1.1 take `y`, `no` or `1_000` for something else, so what is short or begins
/// with a digit is quoted.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.into();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Control characters, and line ends of YAML 1.1 beyond ASCII.
            _ if character.is_control()
                || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}') =>
            {
                // Writing to a string cannot fail.
                let _written = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 12] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "none"];
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let inner = |c: char| c.is_ascii_alphanumeric() || "_-./+".contains(c);
    starts && text.chars().all(inner) && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_reader_could_take_for_something_else_is_quoted() {
        for text in ["y", "No", "6.1", "", "a b", "a: b", "-x", "~", "#", "a\"b", "[", "\u{85}"] {
            assert!(scalar(text).starts_with('"'), "{text:?}");
        }
        for text in ["e1000", "drivers/net/x.c", "PCI", "GPL-2.0+", "m"] {
            assert_eq!(scalar(text), text);
        }
    }
}

//! What an object is made from: rules of the Makefile first, then the files of the tree.

use crate::evaluate::{object_path, stem};
use crate::make::Rule;
use crate::make::words::{Pattern, normalize};
use crate::object::Source;
use crate::tree::Tree;

/// The rules of a Makefile that have a recipe, with normalized paths.
pub(crate) struct Sources<'a> {
    tree: &'a Tree,
    directory: &'a str,
    rules: Vec<Made>,
}

/// One target of a rule.
struct Made {
    /// A path, or a pattern.
    target: String,
    /// The targets of a static pattern rule, to which the pattern is limited.
    only: Option<Vec<String>>,
    prerequisites: Vec<String>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(tree: &'a Tree, rules: &[Rule], directory: &'a str) -> Self {
        let mut made = Vec::new();
        for rule in rules.iter().filter(|rule| rule.recipe) {
            let prerequisites: Vec<String> =
                rule.prerequisites.iter().map(|path| normalize(path)).collect();
            match &rule.pattern {
                Some(pattern) => made.push(Made {
                    target: normalize(pattern),
                    only: Some(rule.targets.iter().map(|path| normalize(path)).collect()),
                    prerequisites,
                }),
                None => made.extend(rule.targets.iter().map(|target| Made {
                    target: normalize(target),
                    only: None,
                    prerequisites: prerequisites.clone(),
                })),
            }
        }
        Self { tree, directory, rules: made }
    }

    /// The source of an object, and what make's `$*` is when it is made.
    pub(crate) fn find(&self, name: &str) -> (Source, String) {
        let path = object_path(self.directory, name);
        if let Some(found) = self.by_rule(&path) {
            return found;
        }
        (self.by_name(stem(&path)), stem(name).to_owned())
    }

    /// Explicit rules come before pattern rules; of several pattern rules the first whose
    /// prerequisites are there wins.
    fn by_rule(&self, path: &str) -> Option<(Source, String)> {
        let explicit =
            self.rules.iter().rev().find(|made| made.only.is_none() && made.target == path);
        if let Some(made) = explicit {
            // `$*` of an explicit rule is the whole target without its suffix.
            let source = made.prerequisites.iter().find_map(|path| self.compiled(path));
            return Some((source.unwrap_or(Source::Unknown), stem(path).to_owned()));
        }
        let mut known = false;
        for made in self.rules.iter().filter(|made| made.target.contains('%')) {
            if made.only.as_ref().is_some_and(|only| !only.iter().any(|only| only == path)) {
                continue;
            }
            let pattern = Pattern::new(&made.target);
            let Some(stem) = pattern.stem(path) else { continue };
            known = true;
            let prerequisites = made.prerequisites.iter().map(|path| path.replacen('%', stem, 1));
            if let Some(source) = prerequisites.into_iter().find_map(|path| self.compiled(&path)) {
                return Some((source, stem.to_owned()));
            }
        }
        let implicit = self.by_name(stem(path));
        (known && implicit == Source::Unknown).then(|| (Source::Unknown, stem(path).to_owned()))
    }

    /// The source if a prerequisite is what gets compiled.
    fn compiled(&self, path: &str) -> Option<Source> {
        let there = self.tree.is_file(path);
        let (_, suffix) = path.rsplit_once('.')?;
        match suffix {
            "c" if there => Some(Source::C(path.to_owned())),
            "S" if there => Some(Source::Assembler(path.to_owned())),
            "rs" if there => Some(Source::Rust(path.to_owned())),
            "c" | "S" if self.is_made(path) => Some(Source::Generated(path.to_owned())),
            "o" => Some(Source::Derived(path.to_owned())),
            _ => None,
        }
    }

    /// Whether a rule of the Makefile makes this file.
    fn is_made(&self, path: &str) -> bool {
        self.rules.iter().any(|made| match &made.only {
            Some(only) => only.iter().any(|only| only == path),
            None => Pattern::new(&made.target).matches(path),
        })
    }

    /// Kbuild's own pattern rules.
    fn by_name(&self, stem: &str) -> Source {
        let with = |suffix: &str| format!("{stem}{suffix}");
        let there = |suffix: &str| self.tree.is_file(&with(suffix));
        if there(".c") {
            return Source::C(with(".c"));
        }
        if there(".rs") {
            return Source::Rust(with(".rs"));
        }
        if there(".S") {
            return Source::Assembler(with(".S"));
        }
        if there(".o_shipped") {
            return Source::ShippedObject(with(".o_shipped"));
        }
        for suffix in [".c_shipped", ".S_shipped"] {
            if there(suffix) {
                return Source::Shipped(with(suffix));
            }
        }
        for suffix in [".c", ".S"] {
            if self.is_made(&with(suffix)) {
                return Source::Generated(with(suffix));
            }
        }
        self.by_tool(stem)
    }

    /// Files that tools of Kbuild make: `x.asn1.c` from `x.asn1`, `x.dtb.S` from `x.dts`, and so on.
    fn by_tool(&self, stem: &str) -> Source {
        let tools: [(&str, &[&str], &str); 5] = [
            (".asn1", &[".asn1"], ".c"),
            (".dtb", &[".dts", ".dtso"], ".S"),
            (".dtbo", &[".dtso", ".dts"], ".S"),
            (".lex", &[".l"], ".c"),
            (".tab", &[".y"], ".c"),
        ];
        for (infix, inputs, output) in tools {
            let Some(base) = stem.strip_suffix(infix) else { continue };
            if inputs.iter().any(|input| self.tree.is_file(&format!("{base}{input}"))) {
                return Source::Generated(format!("{stem}{output}"));
            }
        }
        Source::Unknown
    }
}

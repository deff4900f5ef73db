//! What a symbol builds under a configuration, as the manifest describes it.

use std::collections::BTreeSet;
use std::path::Path;

use l4re_kbuild::survey::{Condition, SurveyedModule};
use l4re_kbuild::{
    AutoConf, Build, Compiler, Globals, Object, Scope, Setup, Source, State, Survey, Tree,
};

use super::files::normal;
use crate::workspace::{ConditionalMember, Flags, Module, Root};
use l4re_packager_base::{Diagnostic, Report};

/// The Makefiles under a configuration.
pub struct Makefiles<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// All symbols at once.
    pub survey: &'a Survey,
    /// The configuration.
    pub config: &'a AutoConf,
    /// The variables of the top Makefile.
    pub globals: &'a Globals,
    /// Who answers what Makefiles ask about the compiler.
    pub host: &'a Compiler,
}

impl Makefiles<'_> {
    /// What each of `symbols` builds. Findings that make a result doubtful go to `report`.
    pub fn modules(&self, symbols: &[String], report: &mut Report) -> Vec<Vec<Module>> {
        let folders: BTreeSet<String> = symbols.iter().flat_map(|s| self.folders(s)).collect();
        let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
        let setup = Setup { config: self.config, host: self.host, globals: self.globals };
        let build = Build::walk(self.tree, &setup, Scope::Only(&folders));
        report.extend(build.report().iter().filter(|finding| finding.is_error()).cloned());
        symbols.iter().map(|symbol| self.of(symbol, &build)).collect()
    }

    /// The folders whose Makefiles have to do with a symbol.
    fn folders(&self, symbol: &str) -> Vec<String> {
        let survey = self.survey;
        let modules = survey.modules(symbol).chain(survey.member_of(symbol));
        let mut folders: Vec<String> = modules.map(|module| module.directory.clone()).collect();
        let library = survey.uses(symbol).map_or(&[][..], |uses| &uses.library);
        let folder = |path: &String| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        folders.extend(library.iter().filter_map(folder));
        folders
    }

    fn of(&self, symbol: &str, build: &Build) -> Vec<Module> {
        let found = build.resolve(self.survey, symbol);
        let members = found.members.iter().map(|(module, _)| *module);
        let mut modules: Vec<Module> = Vec::new();
        for module in found.modules.iter().copied().chain(members) {
            let same =
                |known: &Module| known.name == module.name && known.directory == module.directory;
            if modules.iter().any(same) {
                continue;
            }
            let objects: Vec<&Object> =
                module.objects.iter().filter_map(|path| build.object_of(module, path)).collect();
            let head = Module {
                name: module.name.clone(),
                directory: module.directory.clone(),
                built_in: module.state == State::BuiltIn,
                objects: module.objects.clone(),
                ..Module::default()
            };
            modules.push(self.described(head, &objects));
        }
        for object in found.library {
            let directory = object.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let head = Module {
                name: "lib".into(),
                directory: directory.into(),
                built_in: true,
                objects: vec![object.path.clone()],
                ..Module::default()
            };
            modules.push(self.described(head, &[object]));
        }
        modules
    }

    /// A module with what its objects are made from and how. Headers come later.
    fn described(&self, mut module: Module, objects: &[&Object]) -> Module {
        for object in objects {
            match &object.source {
                Source::C(path) | Source::Assembler(path) | Source::Rust(path) => {
                    module.sources.push(path.clone());
                }
                Source::Shipped(path) | Source::ShippedObject(path) => {
                    module.shipped.push(path.clone());
                }
                Source::Generated(_) | Source::Derived(_) | Source::Unknown => {}
            }
            let flags = self.flags(object);
            if flags != Flags::default() {
                module.cflags.insert(object.path.clone(), flags);
            }
            let mut defines = object.defines.clone();
            // Part of what every object of a module gets.
            defines.retain(|define| define != "-DMODULE");
            module.defines.insert(object.path.clone(), defines);
        }
        module.conditional_members = self.conditional(&module);
        module
    }

    fn flags(&self, object: &Object) -> Flags {
        let instrumented = object.instrumentation.iter();
        let instrumented = instrumented.flat_map(|tool| tool.flags(self.globals));
        let add: Vec<String> = object.flags.arguments().into_iter().chain(instrumented).collect();
        let mut remove = object.flags.removals.clone();
        if object.flags.replaces {
            remove.push("%".into());
        }
        Flags { add: self.rooted(add), remove }
    }

    /// Flags with the folders in them named by the words of [`Root`].
    fn rooted(&self, flags: Vec<String>) -> Vec<String> {
        const PATHS: [&str; 5] = ["-include", "-isystem", "-iquote", "-idirafter", "-I"];
        let mut out = Vec::new();
        let mut flags = flags.into_iter();
        while let Some(flag) = flags.next() {
            let Some(option) = PATHS.iter().find(|option| flag.starts_with(**option)) else {
                out.push(flag);
                continue;
            };
            let joined = flag.get(option.len()..).unwrap_or_default().trim_start_matches('=');
            let path = if joined.is_empty() { flags.next() } else { Some(joined.to_owned()) };
            for path in path.iter().flat_map(|path| self.places(path)) {
                match *option {
                    "-I" => out.push(format!("-I{path}")),
                    option => out.extend([option.to_owned(), path]),
                }
            }
        }
        out
    }

    /// A path of a flag. What is public is read from the tree, the rest is copied.
    fn places(&self, path: &str) -> Vec<String> {
        let root = self.tree.root();
        let Some(absolute) = normal(&root.join(path)) else { return Vec::new() };
        let Ok(below) = absolute.strip_prefix(root) else { return vec![path.to_owned()] };
        let below = below.to_string_lossy();
        let in_root = |root: Root| match below.as_ref() {
            "" => root.word().to_owned(),
            below => format!("{}/{below}", root.word()),
        };
        if below.is_empty() {
            return vec![in_root(Root::Sources), in_root(Root::Tree)];
        }
        let root = match (is_public(&below), absolute.exists()) {
            (_, false) => Root::Generated,
            (true, true) => Root::Tree,
            (false, true) => Root::Sources,
        };
        vec![in_root(root)]
    }

    fn conditional(&self, module: &Module) -> Vec<ConditionalMember> {
        let same = |known: &&SurveyedModule| {
            known.name == module.name && known.directory == module.directory
        };
        let mut members = Vec::new();
        for listed in self.survey.all_modules().iter().filter(same) {
            for member in &listed.conditional {
                let member = ConditionalMember {
                    condition: condition(&member.conditions),
                    object: member.object.clone(),
                    included: module.objects.contains(&member.object),
                };
                if !members.contains(&member) {
                    members.push(member);
                }
            }
        }
        members
    }
}

/// Conditions that hold together, in Kconfig's syntax.
fn condition(all: &[Condition]) -> String {
    let one = |condition: &Condition| {
        let text = condition.symbols.join(if condition.all { " && " } else { " || " });
        match (condition.holds, condition.symbols.len()) {
            (true, 1) => text,
            (true, _) if all.len() == 1 => text,
            (true, _) => format!("({text})"),
            (false, 1) => format!("!{text}"),
            (false, _) => format!("!({text})"),
        }
    };
    all.iter().map(one).collect::<Vec<_>>().join(" && ")
}

/// Whether a path is below a folder of headers that the whole tree shares.
pub fn is_public(path: &str) -> bool {
    let path = Path::new(path);
    let mut parts = path.iter().map(|part| part.to_str().unwrap_or_default());
    match parts.next() {
        Some("include") => true,
        Some("arch") => parts.nth(1) == Some("include"),
        _ => false,
    }
}

/// What is missing to compile a module, said as warnings: objects whose source only the tree's own
/// build makes.
pub fn doubts(module: &Module) -> Vec<Diagnostic> {
    let without = |object: &&String| super::source_of(module, object).is_none();
    let objects = module.objects.iter().filter(without);
    let doubt = |object: &String| {
        let message = format!("{object}: its source is made by a rule of the tree's Makefiles");
        Diagnostic::warning("generated-source", message).help(generated_source(object))
    };
    objects.map(doubt).collect()
}

/// How to come by the source of an object that only the tree's own build makes.
pub fn generated_source(object: &str) -> String {
    let stem = object.strip_suffix(".o").unwrap_or(object);
    format!(
        "`make O=DIR {object}` in the tree makes it; copy DIR/{stem}.c (or .S) to the same place \
         below the workspace's src/"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_is_what_lies_in_a_folder_of_headers() {
        for path in ["include/linux/pci.h", "arch/arm64/include/asm/io.h", "include"] {
            assert!(is_public(path), "{path}");
        }
        for path in ["drivers/net/include/a.h", "arch/arm/mach-x/include/a.h", "sound/a.h", ""] {
            assert!(!is_public(path), "{path}");
        }
    }
}

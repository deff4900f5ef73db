//! The walk over the directories of a tree under one configuration.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;

use l4re_packager_base::{Diagnostic, Report};
use serde::Serialize;

use crate::answers::{Host, NoHost};
use crate::config::{Globals, Lookup};
use crate::directory::{Directory, Module, State};
use crate::environment::{Inherited, Knowledge, Surroundings};
use crate::evaluate::{Wanted, evaluate, top};
use crate::make::words::words;
use crate::make::{Evaluator, Limits};
use crate::object::Object;
use crate::survey::Survey;
use crate::tree::Tree;

/// What Makefiles are evaluated under.
pub struct Setup<'a> {
    /// The configuration.
    pub config: &'a dyn Lookup,
    /// Who answers questions about the compiler.
    pub host: &'a dyn Host,
    /// The variables of the top Makefile.
    pub globals: &'a Globals,
}

/// Which directories are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All that the configuration opens.
    All,
    /// These with all below them, and those on the way to them.
    Below(&'a [&'a str]),
    /// These, and those on the way to them.
    Only(&'a [&'a str]),
}

impl Scope<'_> {
    fn includes(&self, path: &str) -> bool {
        let below = |path: &str, of: &str| {
            of.is_empty()
                || path
                    .strip_prefix(of)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self {
            Self::All => true,
            Self::Below(wanted) => {
                wanted.iter().any(|wanted| below(wanted, path) || below(path, wanted))
            }
            Self::Only(wanted) => wanted.iter().any(|wanted| below(wanted, path)),
        }
    }
}

/// What is built under a configuration.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Build {
    directories: Vec<Directory>,
    report: Report,
    #[serde(skip)]
    by_path: HashMap<String, usize>,
    #[serde(skip)]
    objects: HashMap<String, Vec<(usize, usize)>>,
}

/// Directories that one walk visits at most; a tree has some 2,500.
const MAX_DIRECTORIES: usize = 50_000;

struct Visit {
    path: String,
    wanted: Wanted,
    inherited: std::rc::Rc<Inherited>,
}

impl Build {
    /// Walks down from the root of the tree.
    ///
    /// A directory whose Makefile cannot be evaluated is left out and is an error in the report.
    pub fn walk(tree: &Tree, setup: &Setup<'_>, scope: Scope<'_>) -> Self {
        let mut build = Self::default();
        let mut findings = Vec::new();
        let inherited = std::rc::Rc::new(root_variables(tree, setup));
        let both = Wanted { builtin: true, modules: true };
        let start = |path: String| Visit { path, wanted: both, inherited: inherited.clone() };
        let mut queue: VecDeque<Visit> = roots(tree, &inherited).into_iter().map(start).collect();
        let mut seen: HashMap<String, Wanted> = HashMap::new();
        while let Some(visit) = queue.pop_front() {
            if !scope.includes(&visit.path) {
                continue;
            }
            if seen.len() >= MAX_DIRECTORIES {
                let message = "the Makefiles open more directories than any tree has";
                findings.push(Diagnostic::error("kbuild-limit", message));
                break;
            }
            // Seen before: only what it was not evaluated for is new.
            let mut wanted = visit.wanted;
            if let Some(known) = seen.get(&visit.path) {
                wanted.builtin |= known.builtin;
                wanted.modules |= known.modules;
                if wanted == *known {
                    continue;
                }
            }
            seen.insert(visit.path.clone(), wanted);
            build.visit(tree, setup, Visit { wanted, ..visit }, &mut queue, &mut findings);
        }
        build.report.extend(findings);
        build.index();
        build
    }

    fn visit(
        &mut self,
        tree: &Tree,
        setup: &Setup<'_>,
        visit: Visit,
        queue: &mut VecDeque<Visit>,
        findings: &mut Vec<Diagnostic>,
    ) {
        let Some(makefile) = tree.makefile_of(&visit.path) else {
            let message = "the directory is listed but has neither a `Kbuild` nor a `Makefile`";
            findings.push(
                Diagnostic::warning("kbuild-no-makefile", message).file(Path::new(&visit.path)),
            );
            return;
        };
        let knowledge = Knowledge::One(setup);
        let surroundings = Surroundings { tree, knowledge, inherited: &visit.inherited };
        match evaluate(tree, &surroundings, &visit.path, &makefile, visit.wanted) {
            Ok(evaluated) => {
                findings
                    .extend(evaluated.findings.into_iter().map(|found| about(found, &makefile)));
                let inherited = std::rc::Rc::new(evaluated.inherited);
                // In front, in order: the walk goes down before it goes on.
                for subdirectory in evaluated.directory.subdirectories.iter().rev() {
                    let wanted =
                        Wanted { builtin: subdirectory.builtin, modules: subdirectory.modules };
                    let path = subdirectory.path.clone();
                    queue.push_front(Visit { path, wanted, inherited: inherited.clone() });
                }
                self.directories.retain(|known| known.path != visit.path);
                self.directories.push(evaluated.directory);
            }
            Err(stop) => findings.push(about(*stop.0, &makefile)),
        }
    }

    fn index(&mut self) {
        for (number, directory) in self.directories.iter().enumerate() {
            self.by_path.insert(directory.path.clone(), number);
            for (index, object) in directory.objects.iter().enumerate() {
                self.objects.entry(object.path.clone()).or_default().push((number, index));
            }
        }
    }

    /// The directories in the order of the walk.
    pub fn directories(&self) -> &[Directory] {
        &self.directories
    }

    /// One directory.
    pub fn directory(&self, path: &str) -> Option<&Directory> {
        self.by_path.get(path).and_then(|number| self.directories.get(*number))
    }

    /// All modules.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.directories.iter().flat_map(|directory| directory.modules.iter())
    }

    /// A module, by the directory that lists it and its name.
    pub fn module(&self, directory: &str, name: &str) -> Option<&Module> {
        self.directory(directory)?.modules.iter().find(|module| module.name == name)
    }

    /// An object file, as the directory that lists it sees it. (Another directory can list the same
    /// file; the first one counts.)
    pub fn object(&self, path: &str) -> Option<&Object> {
        let (directory, index) = *self.objects.get(path)?.first()?;
        self.directories.get(directory)?.objects.get(index)
    }

    /// An object of a module.
    pub fn object_of(&self, module: &Module, path: &str) -> Option<&Object> {
        let directory = self.directory(&module.directory)?;
        directory.objects.iter().find(|object| object.path == path)
    }

    /// What was found on the way.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What a symbol turns on in this build.
    pub fn resolve<'b>(&'b self, survey: &Survey, symbol: &str) -> Resolution<'b> {
        let mut resolution = Resolution::default();
        let Some(uses) = survey.uses(symbol) else {
            return resolution;
        };
        let modules = survey.all_modules();
        for listed in uses.modules.iter().filter_map(|index| modules.get(*index)) {
            if let Some(module) = self.module(&listed.directory, &listed.name)
                && !resolution.modules.contains(&module)
            {
                resolution.modules.push(module);
            }
        }
        for listed in uses.member_of.iter().filter_map(|index| modules.get(*index)) {
            let Some(module) = self.module(&listed.directory, &listed.name) else { continue };
            let conditional = listed.conditional.iter().filter(|member| member.depends_on(symbol));
            let members: Vec<&str> = conditional
                .filter_map(|member| module.objects.iter().find(|path| **path == member.object))
                .map(String::as_str)
                .collect();
            if !members.is_empty() {
                resolution.members.push((module, members));
            }
        }
        for path in &uses.library {
            if let Some(object) = self.object(path) {
                resolution.library.push(object);
            }
        }
        resolution
    }
}

/// A finding about a variable that was expanded after its Makefile was read has no line.
pub(crate) fn about(finding: Diagnostic, makefile: &str) -> Diagnostic {
    if finding.file.is_some() { finding } else { finding.file(Path::new(makefile)) }
}

/// What a symbol turns on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Resolution<'b> {
    /// Modules that it turns on, with the state that they have: a module that another symbol has
    /// built in is built in.
    pub modules: Vec<&'b Module>,
    /// Members that it adds to modules (its own, or others').
    pub members: Vec<(&'b Module, Vec<&'b str>)>,
    /// Objects of a `lib.a`.
    pub library: Vec<&'b Object>,
}

impl Resolution<'_> {
    /// Whether a module of it is a `.ko`.
    pub fn is_modular(&self) -> bool {
        self.modules.iter().any(|module| module.state == State::Module)
    }
}

/// The directories where the walk begins.
pub(crate) fn roots(tree: &Tree, variables: &Inherited) -> Vec<String> {
    if tree.dialect().root_kbuild {
        return vec![String::new()];
    }
    // The lists of the top Makefile of older trees, as far as they are there.
    let architecture = format!("arch/{}", tree.srcarch());
    let mut roots: Vec<String> = ["init", "usr", &architecture].map(str::to_owned).into();
    let mut add = |names: &str| {
        let directories = words(names).filter_map(|name| name.strip_suffix('/'));
        roots.extend(directories.map(str::to_owned));
    };
    let variable = |name: &str| variables.get(name).map_or("", String::as_str);
    add(variable("ARCH_CORE"));
    add("kernel/ certs/ mm/ fs/ ipc/ security/ crypto/ block/ io_uring/");
    add(variable("ARCH_LIB"));
    add("drivers/ sound/ samples/ net/ virt/");
    add(variable("ARCH_DRIVERS"));
    let mut known = std::collections::HashSet::new();
    roots.retain(|path| known.insert(path.clone()) && tree.makefile_of(path).is_some());
    roots
}

/// What the root inherits: the flags, and the directories that the architecture's Makefile adds.
pub(crate) fn root_variables(tree: &Tree, setup: &Setup<'_>) -> Inherited {
    let mut variables = top(setup.globals);
    let names = [("core-y", "ARCH_CORE"), ("libs-y", "ARCH_LIB"), ("drivers-y", "ARCH_DRIVERS")];
    if names.iter().all(|(_, name)| setup.globals.get(name).is_some()) {
        for (_, name) in names {
            let value = setup.globals.get(name).unwrap_or_default();
            variables.insert(name.to_owned(), value.to_owned());
        }
        return variables;
    }
    let nothing = BTreeMap::new();
    let quiet = Setup { config: setup.config, host: &NoHost, globals: setup.globals };
    let knowledge = Knowledge::One(&quiet);
    let surroundings = Surroundings { tree, knowledge, inherited: &nothing };
    let mut evaluator = Evaluator::new(tree, &surroundings, Limits::default());
    evaluator.set("libs-y", "lib/");
    // Questions to the compiler stay open here; they do not decide about directories.
    let path = format!("arch/{}/Makefile", tree.srcarch());
    let evaluated = evaluator.file(&path).is_ok();
    for (variable, name) in names {
        let value = if evaluated { evaluator.value(variable).ok() } else { None };
        let value = value.unwrap_or_default();
        let directories: Vec<&str> = words(&value).filter(|word| word.ends_with('/')).collect();
        variables.insert(name.to_owned(), directories.join(" "));
    }
    if !evaluated {
        variables.insert("ARCH_LIB".into(), format!("arch/{}/lib/ lib/", tree.srcarch()));
    }
    variables
}

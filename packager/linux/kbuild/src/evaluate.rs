//! Evaluates one directory: what `scripts/Makefile.build` and `scripts/Makefile.lib` do with the
//! variables of its Makefile.

use std::collections::HashSet;

use l4re_packager_base::Diagnostic;

use crate::directory::{Directory, Module, State, Subdirectory};
use crate::environment::{Inherited, Knowledge, Surroundings};
use crate::flags::{FlagReader, SENTINEL};
use crate::make::words::{normalize, words};
use crate::make::{Evaluator, Limits, Stop};
use crate::object::{Object, Source};
use crate::source::Sources;
use crate::tree::Tree;

/// Variables that Kbuild empties before it reads a Makefile; simple ones, so `+=` expands at once.
const EMPTIED: [&str; 24] = [
    "obj-y",
    "obj-m",
    "lib-y",
    "lib-m",
    "always-y",
    "always-m",
    "targets",
    "subdir-y",
    "subdir-m",
    "EXTRA_AFLAGS",
    "EXTRA_CFLAGS",
    "EXTRA_CPPFLAGS",
    "EXTRA_LDFLAGS",
    "EXTRA_RUSTFLAGS",
    "asflags-y",
    "ccflags-y",
    "rustflags-y",
    "cppflags-y",
    "ldflags-y",
    "subdir-asflags-y",
    "subdir-ccflags-y",
    "subdir-rustflags-y",
    "hostprogs",
    "extra-y",
];

/// What of the variables of the top Makefile flags are built from.
pub(crate) const BASES: [&str; 4] =
    ["KBUILD_CPPFLAGS", "KBUILD_CFLAGS", "KBUILD_AFLAGS", "KBUILD_RUSTFLAGS"];

/// What of a directory is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `need-builtin`: its `obj-y` becomes part of the image.
    pub(crate) builtin: bool,
    /// `need-modorder`: its modules are made.
    pub(crate) modules: bool,
}

/// A directory and what those below it inherit.
pub(crate) struct Evaluated {
    pub(crate) directory: Directory,
    pub(crate) inherited: Inherited,
    pub(crate) findings: Vec<Diagnostic>,
}

/// Those of them that list what is built: all that a survey looks at.
pub(crate) const LISTS: [&str; 6] = ["obj-y", "obj-m", "lib-y", "lib-m", "subdir-y", "subdir-m"];

/// Starts the evaluation of a Makefile: everything that Kbuild sets before it reads it.
pub(crate) fn begin(evaluator: &mut Evaluator<'_>, path: &str, emptied: &[&str]) {
    for name in emptied {
        evaluator.set(name, "");
    }
    let path = if path.is_empty() { "." } else { path };
    evaluator.set("obj", path);
    evaluator.set("src", path);
}

/// Evaluates the Makefile of a directory.
pub(crate) fn evaluate(
    tree: &Tree,
    surroundings: &Surroundings<'_>,
    path: &str,
    makefile: &str,
    wanted: Wanted,
) -> Result<Evaluated, Stop> {
    let mut evaluator = Evaluator::new(tree, surroundings, Limits::default());
    begin(&mut evaluator, path, &EMPTIED);
    evaluator.file(makefile)?;
    evaluator.set("kbuild-file", makefile);
    let includes = evaluator.read_files().iter().skip(1).map(|file| file.to_string()).collect();

    let entries = Entries::read(&mut evaluator)?;
    let mut directory = Directory {
        path: path.to_owned(),
        makefile: makefile.to_owned(),
        includes,
        extra: evaluator.list("extra-y")?,
        host_programs: host_programs(&mut evaluator)?,
        dtbs: evaluator.list("dtb-y")?,
        subdirectories: entries.subdirectories(&mut evaluator, path, wanted)?,
        ..Directory::default()
    };

    let flags = FlagReader::new(&mut evaluator)?;
    let inherited = inherit(&mut evaluator, surroundings, &flags)?;
    let (modules, composites) = entries.modules(&mut evaluator, path, wanted)?;
    let library = if wanted.builtin { entries.library.clone() } else { Vec::new() };
    directory.library = library.iter().map(|name| object_path(path, name)).collect();
    directory.objects = {
        let sources = Sources::new(tree, evaluator.rules(), path);
        let reader = ObjectReader {
            surroundings,
            sources: &sources,
            flags: &flags,
            composites: &composites,
            path,
        };
        reader.objects(&mut evaluator, &modules, &library)?
    };
    directory.modules = modules.into_iter().map(|listed| listed.module).collect();
    let findings = evaluator.take_findings();
    Ok(Evaluated { directory, inherited, findings })
}

/// The path of an object that a Makefile names relative to its directory.
pub(crate) fn object_path(directory: &str, name: &str) -> String {
    match directory {
        "" => normalize(name),
        directory => normalize(&format!("{directory}/{name}")),
    }
}

/// `dir/x.o` without `.o`.
pub(crate) fn stem(name: &str) -> &str {
    name.strip_suffix(".o").unwrap_or(name)
}

/// The entries of the variables that list what to build.
struct Entries {
    builtin: Vec<String>,
    modular: Vec<String>,
    library: Vec<String>,
}

impl Entries {
    fn read(evaluator: &mut Evaluator<'_>) -> Result<Self, Stop> {
        let builtin = unique(evaluator.list("obj-y")?);
        let mut modular = unique(evaluator.list("obj-m")?);
        modular.retain(|entry| !builtin.contains(entry));
        let mut library = evaluator.list("lib-y")?;
        library.extend(evaluator.list("lib-m")?);
        library.sort();
        library.dedup();
        library.retain(|entry| !builtin.contains(entry));
        Ok(Self { builtin, modular, library })
    }

    fn subdirectories(
        &self,
        evaluator: &mut Evaluator<'_>,
        path: &str,
        wanted: Wanted,
    ) -> Result<Vec<Subdirectory>, Stop> {
        let mut found: Vec<Subdirectory> = Vec::new();
        let mut add = |name: &str, builtin: bool, modules: bool| {
            let path = object_path(path, name.trim_end_matches('/'));
            match found.iter_mut().find(|known| known.path == path) {
                Some(known) => {
                    known.builtin |= builtin;
                    known.modules |= modules;
                }
                None => found.push(Subdirectory { path, builtin, modules }),
            }
        };
        for entry in self.builtin.iter().filter(|entry| entry.ends_with('/')) {
            add(entry, wanted.builtin, wanted.modules);
        }
        for entry in self.modular.iter().filter(|entry| entry.ends_with('/')) {
            add(entry, false, wanted.modules);
        }
        for name in ["subdir-y", "subdir-m"] {
            for entry in evaluator.list(name)? {
                add(&entry, false, false);
            }
        }
        Ok(found)
    }

    /// The modules, and all composites of the Makefile (whether they are wanted or not: their names
    /// show up in `KBUILD_MODNAME` of their members).
    fn modules(
        &self,
        evaluator: &mut Evaluator<'_>,
        path: &str,
        wanted: Wanted,
    ) -> Result<(Vec<Listed>, Vec<Composite>), Stop> {
        let mut modules = Vec::new();
        let mut composites: Vec<Composite> = Vec::new();
        for (entries, state) in [(&self.builtin, State::BuiltIn), (&self.modular, State::Module)] {
            let wanted = match state {
                State::BuiltIn => wanted.builtin,
                State::Module => wanted.modules,
            };
            for entry in entries.iter().filter(|entry| !entry.ends_with('/')) {
                let name = stem(entry);
                let composite = Composite::read(evaluator, name, state)?;
                if wanted {
                    let members = match &composite {
                        Some(composite) => composite.linked.clone(),
                        None => vec![entry.clone()],
                    };
                    let objects = members.iter().map(|name| object_path(path, name)).collect();
                    let module = Module {
                        name: name.to_owned(),
                        directory: path.to_owned(),
                        state,
                        composite: composite.is_some(),
                        objects,
                    };
                    modules.push(Listed { module, members });
                }
                composites.extend(composite);
            }
        }
        composites.sort_by(|one, other| one.name.cmp(&other.name));
        composites.dedup_by(|one, other| one.name == other.name);
        Ok((modules, composites))
    }
}

/// A module with its members as the Makefile names them.
pub(crate) struct Listed {
    module: Module,
    members: Vec<String>,
}

/// An object that is linked from members.
pub(crate) struct Composite {
    pub(crate) name: String,
    /// What it is linked from, each once.
    linked: Vec<String>,
    /// Everything listed for it, as `KBUILD_MODNAME` sees it.
    pub(crate) listed: HashSet<String>,
}

impl Composite {
    /// Reads `x-objs`, `x-y`, `x-m`, `x-`. The last one only says that `x` is a composite; built-in
    /// ones do not have `x-m`.
    fn read(evaluator: &mut Evaluator<'_>, name: &str, state: State) -> Result<Option<Self>, Stop> {
        let mut members = evaluator.list(&format!("{name}-objs"))?;
        members.extend(evaluator.list(&format!("{name}-y"))?);
        let modular = evaluator.list(&format!("{name}-m"))?;
        let off = evaluator.list(&format!("{name}-"))?;
        let mut listed: HashSet<String> = members.iter().cloned().collect();
        listed.extend(modular.iter().cloned());
        if state == State::Module {
            members.extend(modular);
        }
        if members.is_empty() && off.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { name: name.to_owned(), linked: unique(members), listed }))
    }
}

fn unique(list: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    list.into_iter().filter(|entry| seen.insert(entry.clone())).collect()
}

fn host_programs(evaluator: &mut Evaluator<'_>) -> Result<Vec<String>, Stop> {
    let mut programs = evaluator.list("hostprogs")?;
    for name in ["hostprogs-always-y", "hostprogs-always-m"] {
        programs.extend(evaluator.list(name)?);
    }
    programs.sort();
    programs.dedup();
    Ok(programs)
}

/// The variables of the top Makefile that directories below see changed.
fn inherit(
    evaluator: &mut Evaluator<'_>,
    surroundings: &Surroundings<'_>,
    flags: &FlagReader,
) -> Result<Inherited, Stop> {
    let mut inherited = surroundings.inherited.clone();
    if let Knowledge::One(setup) = surroundings.knowledge {
        for (name, _) in setup.globals.iter() {
            if evaluator.is_set(name) && !BASES.contains(&name) {
                inherited.insert(name.to_owned(), evaluator.value(name)?);
            }
        }
    }
    for (name, words) in flags.bases() {
        inherited.insert(name.to_owned(), words.join(" "));
    }
    Ok(inherited)
}

/// What the root inherits: the flags of the top Makefile, each list marked at its beginning.
pub(crate) fn top(surroundings_globals: &crate::config::Globals) -> Inherited {
    let marked = |name: &&str| {
        let value = surroundings_globals.get(name).unwrap_or_default();
        let words: Vec<&str> = words(value).collect();
        ((*name).to_owned(), format!("{SENTINEL}{name} {}", words.join(" ")))
    };
    BASES.iter().map(marked).collect()
}

/// What becomes of an object.
#[derive(Clone, Copy)]
struct Role {
    state: State,
    linked: bool,
}

struct ObjectReader<'a> {
    surroundings: &'a Surroundings<'a>,
    sources: &'a Sources<'a>,
    flags: &'a FlagReader,
    composites: &'a [Composite],
    path: &'a str,
}

impl ObjectReader<'_> {
    /// The objects of modules and of the library, each once, then what they are derived from. One that is in a built-in and in a
    /// loadable module counts as a part of the latter, as Kbuild's `part-of-module` does.
    fn objects(
        &self,
        evaluator: &mut Evaluator<'_>,
        modules: &[Listed],
        library: &[String],
    ) -> Result<Vec<Object>, Stop> {
        let modular: HashSet<&String> = modules
            .iter()
            .filter(|listed| listed.module.state == State::Module)
            .flat_map(|listed| listed.members.iter())
            .collect();
        let mut known: HashSet<String> = HashSet::new();
        let mut objects = Vec::new();
        let mut derived: Vec<String> = Vec::new();
        for name in modules.iter().flat_map(|listed| listed.members.iter()).chain(library) {
            if known.insert(name.clone()) {
                let state = if modular.contains(name) { State::Module } else { State::BuiltIn };
                let object = self.object(evaluator, name, Role { state, linked: true })?;
                derived.extend(self.derived_from(&object));
                objects.push(object);
            }
        }
        // What these are derived from is compiled, but is linked nowhere itself.
        while let Some(name) = derived.pop() {
            if known.insert(name.clone()) {
                let role = Role { state: State::BuiltIn, linked: false };
                let object = self.object(evaluator, &name, role)?;
                derived.extend(self.derived_from(&object));
                objects.push(object);
            }
        }
        Ok(objects)
    }

    /// The object of the same directory that an object is derived from.
    fn derived_from(&self, object: &Object) -> Option<String> {
        let Source::Derived(path) = &object.source else { return None };
        let name = match self.path {
            "" => path,
            directory => path.strip_prefix(directory)?.strip_prefix('/')?,
        };
        Some(name.to_owned())
    }

    fn object(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        role: Role,
    ) -> Result<Object, Stop> {
        let path = object_path(self.path, name);
        let (source, star) = self.sources.find(name);
        // What the pattern rule took for `%` is what composites are searched for.
        let searched = format!("{star}.o");
        let mut modules: Vec<String> = self
            .composites
            .iter()
            .filter(|composite| composite.listed.contains(&searched))
            .map(|composite| composite.name.clone())
            .collect();
        let base = stem(name).rsplit('/').next().unwrap_or_default().to_owned();
        if modules.is_empty() {
            modules.push(base.clone());
        }
        let request = crate::flags::Request {
            surroundings: self.surroundings,
            directory: self.path,
            name,
            base: &base,
            state: role.state,
            linked: role.linked,
            modules: &modules,
            source: &source,
        };
        let (flags, instrumentation) = self.flags.of(evaluator, &request)?;
        let defines = request.defines();
        let Role { state, linked } = role;
        Ok(Object { path, source, state, linked, modules, flags, defines, instrumentation })
    }
}

//! What the tree's own make says about directories: it evaluates `scripts/Makefile.build` and the
//! directory's Makefile, and prints instead of compiling.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use l4re_programs::Program;

use super::make::Configured;
use crate::{Error, run};

/// The variables that the top Makefile exports.
pub type Environment = BTreeMap<String, String>;

/// A module, or something built in: name without `.o`, whether it is composite, its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Name.
    pub name: String,
    /// Whether it is made of several objects.
    pub composite: bool,
    /// Its objects, relative to the tree, each once, in order.
    pub objects: Vec<String>,
}

/// An object file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Whether it becomes part of a module.
    pub modular: bool,
    /// The modules that it is part of, as `KBUILD_MODNAME` is made of them.
    pub modules: Vec<String>,
    /// Flags of a C file.
    pub c: Vec<String>,
    /// Flags of an assembler file.
    pub assembler: Vec<String>,
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Whether what is built in counts; a directory that is opened for modules only lists more.
    pub builtin: bool,
    /// Whether modules count.
    pub modular: bool,
    /// What is built in.
    pub y: Vec<Module>,
    /// Modules.
    pub m: Vec<Module>,
    /// Members of `lib.a`.
    pub library: Vec<String>,
    /// All objects by their path.
    pub objects: BTreeMap<String, Object>,
}

/// The environment that directories are evaluated in.
///
/// # Errors
///
/// What make has to say.
pub fn environment(configured: &Configured) -> Result<Environment, Error> {
    let file = configured.out.join(".kbuild-dirs");
    if !file.exists() {
        let makefile = configured.out.join(".environment.mk");
        fs::write(&makefile, include_str!("environment.mk")).map_err(Error::io(&makefile))?;
        configured.make_with(&["l4re-environment"], &[("MAKEFILES", &makefile)])?;
    }
    let text = configured.read(".kbuild-env")?;
    let text = String::from_utf8_lossy(&text);
    let pairs = text.split('\0').filter_map(|line| line.split_once('='));
    let mut environment: Environment = pairs.map(|(n, v)| (n.into(), v.into())).collect();
    for name in ["MAKEFILES", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "BASH"] {
        environment.remove(name);
    }
    environment.remove("building_out_of_srctree");
    Ok(environment)
}

/// The directories that the top Makefile descends into.
fn roots(configured: &Configured) -> Result<Vec<String>, Error> {
    let mut roots = words(&String::from_utf8_lossy(&configured.read(".kbuild-dirs")?));
    if roots.is_empty() {
        roots.push(".".into());
    }
    Ok(roots)
}

struct Visit {
    path: String,
    builtin: bool,
    modular: bool,
    environment: Environment,
}

/// Walks down from the root of the tree, into those directories that `enter` wants.
///
/// # Errors
///
/// What make has to say.
pub fn walk(
    configured: &Configured,
    enter: &mut dyn FnMut(&str) -> bool,
) -> Result<BTreeMap<String, Directory>, Error> {
    let work = tempfile::tempdir().map_err(Error::io("a temporary folder"))?;
    // Kbuild makes empty directories where it runs.
    let link = work.path().join("include");
    symlink(configured.out.join("include"), &link).map_err(Error::io(&link))?;
    let print = work.path().join("print.mk");
    fs::write(&print, include_str!("print.mk")).map_err(Error::io(&print))?;
    let environment = environment(configured)?;
    let mut todo = Vec::new();
    for path in roots(configured)?.into_iter().filter(|path| path == "." || enter(path)) {
        todo.push(Visit { path, builtin: true, modular: true, environment: environment.clone() });
    }
    let mut directories = BTreeMap::<String, Directory>::new();
    while let Some(mut visit) = todo.pop() {
        if let Some(known) = directories.get(&visit.path) {
            let wanted = (visit.builtin | known.builtin, visit.modular | known.modular);
            if wanted == (known.builtin, known.modular) {
                continue;
            }
            (visit.builtin, visit.modular) = wanted;
        }
        let text = print_one(configured, work.path(), &print, &visit)?;
        let mut directory =
            Directory { builtin: visit.builtin, modular: visit.modular, ..Directory::default() };
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["ENV", name, value] => {
                    visit.environment.insert(name.into(), value.into());
                }
                ["SUBDIRS", all, builtin, modular] => {
                    below(&visit, all, builtin, modular, enter, &mut todo);
                }
                ["Y", name, composite, members] => {
                    directory.y.push(module(&visit.path, name, composite, members));
                }
                ["M", name, composite, members] => {
                    directory.m.push(module(&visit.path, name, composite, members));
                }
                ["LIB", members] => directory.library = paths(&visit.path, members),
                ["O", path, part, names, c, assembler] => {
                    let object = Object {
                        modular: part == "y",
                        modules: names.split(':').map(str::to_owned).collect(),
                        c: words(c),
                        assembler: words(assembler),
                    };
                    directory.objects.insert(normal(Path::new(path)), object);
                }
                _ => {}
            }
        }
        directories.insert(visit.path, directory);
    }
    Ok(directories)
}

fn print_one(
    configured: &Configured,
    work: &Path,
    print: &Path,
    visit: &Visit,
) -> Result<String, Error> {
    let src = &configured.tree.path;
    let mut make = Program::declared("make").command();
    make.current_dir(work).env_clear().envs(&visit.environment);
    make.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    make.args(["-rRs", "-I"]).arg(src).arg("-f").arg(src.join("scripts/Makefile.build"));
    make.arg("-f").arg(print).arg(format!("obj={}", visit.path));
    let flag = |set: bool| if set { "1" } else { "" };
    make.arg(format!("need-builtin={}", flag(visit.builtin)));
    make.arg(format!("need-modorder={}", flag(visit.modular)));
    let inherited = |name: &&String| {
        ["KBUILD_", "CC_FLAGS", "CFLAGS_"].iter().any(|prefix| name.starts_with(prefix))
    };
    let exported: Vec<&str> =
        visit.environment.keys().filter(inherited).map(String::as_str).collect();
    make.arg(format!("exported={}", exported.join(" "))).arg("print");
    let text = run::output(&mut make)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn below(
    visit: &Visit,
    all: &str,
    builtin: &str,
    modular: &str,
    enter: &mut dyn FnMut(&str) -> bool,
    todo: &mut Vec<Visit>,
) {
    let set = |text: &str, suffix: &str| -> BTreeSet<String> {
        let trimmed = text.split_whitespace().map(|word| word.trim_end_matches(suffix));
        trimmed.map(|word| normal(Path::new(word))).collect()
    };
    let (builtin, modular) = (set(builtin, "/built-in.a"), set(modular, "/modules.order"));
    for path in all.split_whitespace().map(|word| normal(Path::new(word))).rev() {
        if enter(&path) {
            todo.push(Visit {
                builtin: visit.builtin && builtin.contains(&path),
                modular: visit.modular && modular.contains(&path),
                environment: visit.environment.clone(),
                path,
            });
        }
    }
}

fn module(directory: &str, name: &str, composite: &str, members: &str) -> Module {
    let name = name.strip_suffix(".o").unwrap_or(name).to_owned();
    Module { name, composite: !composite.is_empty(), objects: paths(directory, members) }
}

/// Paths relative to the tree, each once.
fn paths(directory: &str, names: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let paths = names.split_whitespace().map(|name| normal(&Path::new(directory).join(name)));
    paths.filter(|path| seen.insert(path.clone())).collect()
}

/// A path without `.` and `..`.
pub fn normal(path: &Path) -> String {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.to_string_lossy().into_owned()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Flags with the folders below the tree relative to it, so that those of an output folder compare
/// to those that are relative to begin with.
pub fn relative(flags: &[String], tree: &Path) -> Vec<String> {
    let inside = |path: &str| {
        let path = Path::new(path);
        let path = normal(path.strip_prefix(tree).unwrap_or(path));
        if path.is_empty() { ".".into() } else { path }
    };
    let mut out = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "-I" => out.extend(flags.next().map(|path| format!("-I{}", inside(path)))),
            "-include" | "-isystem" | "-iquote" | "-idirafter" => {
                out.push(flag.clone());
                out.extend(flags.next().map(|path| inside(path)));
            }
            flag => match flag.strip_prefix("-I") {
                Some(path) => out.push(format!("-I{}", inside(path))),
                None => out.push(flag.into()),
            },
        }
    }
    out
}

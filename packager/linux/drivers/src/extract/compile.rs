//! From `driver.yaml` to the command that compiles one object as Kbuild would.
//!
//! Kbuild's rule (`scripts/Makefile.lib`, `c_flags`), and so the order here:
//!
//! 1. the search path and the forced includes that every object gets (`cppflags`);
//! 2. the flags that every object gets, without those that the object's Makefile removes;
//! 3. what the object's Makefile adds;
//! 4. what loadable modules, or what built-in objects get;
//! 5. the definitions that name the object.
//!
//! What make adds for itself (`-Wp,-MMD,…`) and what works on the object afterwards (`objtool`,
//! checksums of symbol versions) is not part of it.

use std::path::{Path, PathBuf};

use super::files::built;
use super::modules::generated_source;
use crate::workspace::{
    Compiler, DriverYaml, FILE, Flags, GENERATED_FOLDER, Module, Root, SOURCE_FOLDER,
};
use l4re_packager_base::{Diagnostic, Failure};

/// A command: a program and its arguments, for no shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileCommand {
    /// The compiler, with the prefix that the workspace was extracted for.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl CompileCommand {
    /// The command, to be run.
    pub fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// Where the folders of a workspace are.
#[derive(Debug, Clone)]
pub struct Folders {
    sources: PathBuf,
    generated: PathBuf,
    tree: PathBuf,
}

impl Folders {
    /// Those of the workspace at `workspace`, which should be absolute: the paths end up in
    /// commands.
    pub fn new(yaml: &DriverYaml, workspace: &Path) -> Self {
        let sources = workspace.join(SOURCE_FOLDER);
        // A workspace with copies of all headers needs no tree.
        let tree = yaml.linux_src.as_ref().map_or_else(|| sources.clone(), PathBuf::from);
        Self { sources, generated: workspace.join(GENERATED_FOLDER), tree }
    }

    /// The tree itself, as Kbuild sees it when it builds in `output`.
    pub(super) fn of_tree(tree: &Path, output: &Path) -> Self {
        Self { sources: tree.into(), generated: output.into(), tree: tree.into() }
    }

    fn of(&self, root: Root) -> &Path {
        match root {
            Root::Tree => &self.tree,
            Root::Sources => &self.sources,
            Root::Generated => &self.generated,
        }
    }

    /// A flag with the words for folders replaced.
    pub(super) fn resolve(&self, flag: &str) -> String {
        let mut flag = flag.to_owned();
        for root in Root::ALL {
            if flag.contains(root.word()) {
                flag = flag.replace(root.word(), &self.of(root).to_string_lossy());
            }
        }
        flag
    }
}

/// The command that compiles `object` of `module` to `output`.
///
/// # Errors
///
/// [`Failure`] if the module has no such object, or if its source is not there: a rule of the tree
/// makes it, and nobody has put the result into the workspace.
pub fn compile_command(
    yaml: &DriverYaml,
    workspace: &Path,
    module: &Module,
    object: &str,
    output: &Path,
) -> Result<CompileCommand, Failure> {
    let folders = Folders::new(yaml, workspace);
    let failed = |what: String| {
        Failure::from(Diagnostic::error("compile", what).file(&workspace.join(FILE)))
    };
    if !module.objects.iter().any(|known| known == object) {
        return Err(failed(format!("module `{}` has no object `{object}`", module.name)));
    }
    // As Kbuild does, a shipped file is compiled under the name of what it stands for.
    let source = source_of(module, object).map(|source| built(source).to_owned());
    let Some(source) = source.or_else(|| made_elsewhere(&folders, object)) else {
        let what = format!("`{object}`: its source is made by a rule of the tree's Makefiles");
        let error = Diagnostic::error("compile", what).file(&workspace.join(FILE));
        return Err(error.help(generated_source(object)).into());
    };
    let assembler = source.ends_with(".S");
    let flags = module.cflags.get(object).cloned().unwrap_or_default();
    let mut arguments = all_flags(&yaml.compiler, module.built_in, assembler, &flags);
    arguments.extend(module.defines.get(object).into_iter().flatten().cloned());
    let mut arguments: Vec<String> = arguments.iter().map(|flag| folders.resolve(flag)).collect();
    arguments.extend(["-c".into(), "-o".into(), output.to_string_lossy().into_owned()]);
    arguments.push(folders.sources.join(source).to_string_lossy().into_owned());
    Ok(CompileCommand { program: format!("{}gcc", yaml.compiler.prefix), arguments })
}

/// A source that the workspace does not come with, and that was put into it later.
fn made_elsewhere(folders: &Folders, object: &str) -> Option<String> {
    let stem = object.strip_suffix('o')?;
    let names = ["c", "S"].map(|suffix| format!("{stem}{suffix}"));
    names.into_iter().find(|name| folders.sources.join(name).is_file())
}

/// The file that an object is compiled from.
pub fn source_of<'m>(module: &'m Module, object: &str) -> Option<&'m str> {
    let stem = object.strip_suffix('o')?;
    let mut files = module.sources.iter().chain(&module.shipped);
    let matching = |path: &&String| {
        let suffix = path.strip_prefix(stem);
        suffix.is_some_and(|suffix| ["c", "S", "c_shipped", "S_shipped"].contains(&suffix))
    };
    files.find(matching).map(String::as_str)
}

/// Every flag but the object's definitions, in Kbuild's order, with words for folders.
pub(super) fn all_flags(
    compiler: &Compiler,
    built_in: bool,
    assembler: bool,
    own: &Flags,
) -> Vec<String> {
    let (common, last) = match (assembler, built_in) {
        (false, false) => (&compiler.cflags, &compiler.cflags_module),
        (false, true) => (&compiler.cflags, &compiler.cflags_built_in),
        (true, false) => (&compiler.aflags, &compiler.aflags_module),
        (true, true) => (&compiler.aflags, &compiler.aflags_built_in),
    };
    let kept = common.iter().filter(|flag| !removed(flag, &own.remove));
    let flags = compiler.cppflags.iter().chain(kept).chain(&own.add).chain(last);
    flags.cloned().collect()
}

/// Whether one of the patterns, with at most one `%` as in make's `filter-out`, matches.
fn removed(flag: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| match pattern.split_once('%') {
        None => pattern == flag,
        Some((begin, end)) => {
            flag.len() >= begin.len() + end.len() && flag.starts_with(begin) && flag.ends_with(end)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn module() -> Module {
        Module {
            name: "x".into(),
            directory: "drivers/x".into(),
            objects: ["a", "fw/b", "t"].map(|name| format!("drivers/x/{name}.o")).into(),
            sources: vec!["drivers/x/a.c".into(), "drivers/x/fw/b.S".into()],
            shipped: vec!["drivers/x/t.c_shipped".into()],
            cflags: BTreeMap::from([(
                "drivers/x/a.o".into(),
                Flags { add: vec!["-I$(src)/drivers/x".into()], remove: vec!["-W%".into()] },
            )]),
            defines: BTreeMap::from([(
                "drivers/x/a.o".into(),
                vec!["-DKBUILD_MODNAME=\"x\"".into()],
            )]),
            ..Module::default()
        }
    }

    #[test]
    fn patterns_are_those_of_make() {
        let patterns = ["-W%".to_owned(), "-pg".to_owned(), "-f%ion".to_owned()];
        for flag in ["-Wall", "-W", "-pg", "-function", "-fion"] {
            assert!(removed(flag, &patterns), "{flag}");
        }
        for flag in ["-pgx", "-fi", "-O2"] {
            assert!(!removed(flag, &patterns), "{flag}");
        }
    }

    #[test]
    fn flags_stand_in_the_order_of_kbuild() {
        let word = |text: &str| vec![text.to_owned()];
        let compiler = Compiler {
            cppflags: word("-nostdinc"),
            cflags: vec!["-Wall".into(), "-O2".into()],
            cflags_module: word("-DMODULE"),
            cflags_built_in: word("-DBUILT_IN"),
            aflags: word("-D__ASSEMBLY__"),
            aflags_module: word("-DAMODULE"),
            ..Compiler::default()
        };
        let own = module().cflags["drivers/x/a.o"].clone();
        let flags = |built_in, assembler, own| all_flags(&compiler, built_in, assembler, own);
        assert_eq!(
            flags(false, false, &own),
            ["-nostdinc", "-O2", "-I$(src)/drivers/x", "-DMODULE"]
        );
        let none = Flags::default();
        assert_eq!(flags(true, false, &none), ["-nostdinc", "-Wall", "-O2", "-DBUILT_IN"]);
        assert_eq!(flags(false, true, &none), ["-nostdinc", "-D__ASSEMBLY__", "-DAMODULE"]);
    }

    #[test]
    fn each_object_has_the_source_of_its_name() {
        let module = module();
        assert_eq!(source_of(&module, "drivers/x/a.o"), Some("drivers/x/a.c"));
        assert_eq!(source_of(&module, "drivers/x/fw/b.o"), Some("drivers/x/fw/b.S"));
        assert_eq!(source_of(&module, "drivers/x/t.o"), Some("drivers/x/t.c_shipped"));
        assert_eq!(source_of(&module, "drivers/x/b.o"), None);
    }
}

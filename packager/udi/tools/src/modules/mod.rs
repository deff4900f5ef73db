//! Modules of drivers that are not servers for L4Re: C sources, compiled as `udiprops.txt` says and
//! linked into one relocatable object each, which shows others nothing but what it may.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use l4re_files::input;
use l4re_udi::exports::{self, Stage};
use l4re_udi::props::{BuildRules, Properties, Source};

use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::elf;
use l4re_packager_core::target::Target;

mod tools;

pub use tools::CompileSettings;
use tools::{Toolset, run, typed};

/// The symbol with which the environment starts a driver's module.
const INIT: &str = "udi_init_info";

/// The module among scratch files: its own name could be that of an object.
const LINKED: &str = "linked";

/// The modules of a driver for one target.
pub(super) struct Modules<'a> {
    properties: &'a Properties,
    target: &'a Target,
    folder: &'a Path,
    tools: Toolset<'a>,
}

impl<'a> Modules<'a> {
    /// Checks what the modules are to be made of, and finds the tools.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a module has no sources, one is missing or not in C, or if there is no
    /// compiler.
    pub(super) fn open(
        properties: &'a Properties,
        target: &'a Target,
        folder: &'a Path,
        settings: &'a CompileSettings,
    ) -> Result<Self, Failure> {
        let mut report = Report::new();
        for rules in properties.build_rules() {
            check_sources(&rules, folder, &mut report);
        }
        report.into_result(())?;
        let tools = Toolset::find(target, settings, folder, properties)?;
        Ok(Self { properties, target, folder, tools })
    }

    /// Whether a module is not older than everything in the folder that it can depend on.
    pub(super) fn is_current(&self, module: &Path, file: Option<&Path>) -> bool {
        let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
        let Some(own) = time(module) else { return false };
        // A header of one module can be included by another.
        let sources = self.properties.source_files().map(|name| self.folder.join(name));
        let times: Option<Vec<SystemTime>> =
            sources.chain(file.map(PathBuf::from)).map(|path| time(&path)).collect();
        times.is_some_and(|times| times.iter().all(|time| *time <= own))
    }

    /// Says with which commands a module would be made.
    pub(super) fn explain(&self, name: &str, progress: &mut dyn Progress) {
        let scratch = Path::new("…");
        let rules = self.rules(name);
        let objects: Vec<PathBuf> =
            (0..rules.len()).map(|number| object(scratch, number)).collect();
        for (source, object) in rules.iter().zip(&objects) {
            progress.step(&typed(&self.tools.compile(source, object)));
        }
        progress.step(&typed(&self.tools.link(&objects, &scratch.join(LINKED))));
    }

    /// Compiles and links a module, makes symbols local, and checks what came of it.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not compile, is for another target, or shows more than it may.
    pub(super) fn build(
        &self,
        name: &str,
        scratch: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Vec<u8>, Failure> {
        let rules = self.rules(name);
        let mut objects = Vec::new();
        for (number, source) in rules.iter().enumerate() {
            let object = object(scratch, number);
            let command = self.tools.compile(source, &object);
            progress.step(&typed(&command));
            run(command, &format!("{} does not compile", source.file))?;
            objects.push(object);
        }
        let module = scratch.join(LINKED);
        let command = self.tools.link(&objects, &module);
        progress.step(&typed(&command));
        run(command, &format!("{name} cannot be linked"))?;
        let linked = read(&module)?;
        self.is_for_target(name, &linked)?;
        self.can_be_renamed(&linked)?;
        for command in self.tools.localise(self.properties, scratch, &module)? {
            progress.step(&typed(&command));
            run(command, &format!("the symbols of {name} cannot be made local"))?;
        }
        let bytes = read(&module)?;
        let about = Path::new(name);
        let mut report = Report::new();
        let findings = judge(&bytes, self.properties).map_err(|finding| finding.file(about))?;
        report.extend_about(about, findings);
        report.into_result(bytes).map(|(bytes, _)| bytes)
    }

    /// The files of a module that are compiled.
    fn rules(&self, name: &str) -> Vec<Source<'a>> {
        let rules = self.properties.build_rules().into_iter();
        let sources = rules.filter(|rules| rules.module == name).flat_map(|rules| rules.sources);
        sources.filter(|source| !source.file.ends_with(".h")).collect()
    }

    /// A new name must not be that of another symbol: the linker would not see it.
    fn can_be_renamed(&self, module: &[u8]) -> Result<(), Failure> {
        let (_, shown) = exports::exported(module)?;
        let has = |name: &str| shown.iter().any(|export| export.name == name);
        for (own, seen) in self.properties.renamed_symbols() {
            if has(own) && has(seen) {
                let message = format!("`symbols {own} as {seen}`: there is another `{seen}`");
                let help = format!("rename that, or make it static; others are to see `{own}` so");
                return Err(Diagnostic::error("udi-symbols", message).help(help).into());
            }
        }
        Ok(())
    }

    /// Other compilers and linkers than the target's can make anything.
    fn is_for_target(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let about = |finding: Diagnostic| Failure::from(finding.file(Path::new(name)));
        let made_for = elf::target_of(bytes).map_err(about)?.name;
        let stage = exports::stage(bytes).map_err(about)?;
        if made_for == self.target.name && stage == Stage::Object {
            return Ok(());
        }
        let what = if stage == Stage::Object { "an object" } else { "a program" };
        let message = format!(
            "what was linked is {what} for {made_for}, not an object for {}",
            self.target.name
        );
        let help = "UDI_CC, UDI_LINK and their options must be for the target (--target)";
        Err(about(Diagnostic::error("udi-target", message).help(help)))
    }
}

/// Judges what a module shows: not more than it may, and a driver's that by which it is started.
///
/// # Errors
///
/// [`Diagnostic`] if it is no module.
pub(super) fn judge(bytes: &[u8], properties: &Properties) -> Result<Report, Diagnostic> {
    let mut report = exports::check(bytes, &properties.exports())?;
    let (_, shown) = exports::exported(bytes)?;
    if !properties.is_library() && !shown.iter().any(|export| export.name == INIT) {
        let message = format!("there is no `{INIT}`: nobody could start the module");
        let help = format!("define it: `udi_init_t {INIT} = {{ … }};`, not static");
        report.push(Diagnostic::error("udi-init", message).help(help));
    }
    Ok(report)
}

/// Warns of symbols that a library is said to provide and none of its modules has.
///
/// # Errors
///
/// [`Diagnostic`] if something is no module.
pub(super) fn missing_symbols(
    properties: &Properties,
    modules: &BTreeMap<String, Vec<u8>>,
) -> Result<Report, Diagnostic> {
    let mut shown = Vec::new();
    for bytes in modules.values() {
        shown.extend(exports::exported(bytes)?.1.into_iter().map(|export| export.name));
    }
    let mut report = Report::new();
    let special = [INIT, "udi_meta_info"];
    for wanted in properties.exports().iter().filter(|name| !special.contains(name)) {
        if !shown.iter().any(|name| name == wanted) {
            let message = format!("no module has the symbol `{wanted}` that `symbols` promises");
            report.push(Diagnostic::error("udi-symbols", message));
        }
    }
    Ok(report)
}

fn object(scratch: &Path, number: usize) -> PathBuf {
    scratch.join(format!("{number}.o"))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))
}

fn check_sources(rules: &BuildRules<'_>, folder: &Path, report: &mut Report) {
    let compiled = |file: &str| file.ends_with(".c") || file.ends_with(".S");
    if !rules.sources.iter().any(|source| compiled(source.file)) {
        let message = format!("nothing says what module `{}` is made of", rules.module);
        let help = "name its C files behind it: source_files <file>…";
        report.push(Diagnostic::error("udi-source", message).file(folder).help(help));
    }
    for source in &rules.sources {
        let path = folder.join(source.file);
        if !compiled(source.file) && !source.file.ends_with(".h") {
            let message = "only files in C and assembler make a module";
            let help = "a driver in Rust needs driver.toml beside udiprops.txt";
            report.push(Diagnostic::error("udi-source", message).file(&path).help(help));
        } else if !path.is_file() {
            let message = "no such file; `source_files` names it";
            report.push(Diagnostic::error("udi-no-file", message).file(&path));
        }
    }
}

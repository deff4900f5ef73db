//! Everything that a workspace holds, from a tree and a symbol.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use l4re_cpp::{Language, Layers, RealFiles};
use l4re_kbuild::{AutoConf, Survey};
use l4re_kconfig::{HostShell, Kconfig, SymbolId, default_cache_folder};
use l4re_kheaders::{Generated, Inputs};

use super::Workspace;
use super::closure::{Closure, Scanner};
use super::configuration::{Configured, configure, kind};
use super::files::{TreeFiles, built as in_built_tree};
use super::flags::{check_compiler, check_module};
use super::minimal::{nothing_built, open_folders, place};
use super::modules::{Makefiles, doubts};
use super::providers::selected;
use super::source_info::facts;
use super::toplevel::{OBJTREE, TopLevel, late_flags, top_level};
use crate::request::BaseConfig;
use crate::workspace::{
    Compiler, DriverYaml, FILE, GENERATED_FOLDER, Module, Provider, Root, SOURCE_FOLDER,
};
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::package::Tree;

/// What is to be taken out of which tree.
pub struct Subject<'a> {
    /// The tree, absolute and without symbolic links.
    pub root: &'a Path,
    /// Its version, as `make kernelversion` prints it.
    pub kernel: String,
    /// The architecture, as Kbuild's `ARCH`.
    pub arch: &'a str,
    /// Prefix of the cross compiler.
    pub cross_compile: &'a str,
    /// The tree's Kconfig files, read with a shell.
    pub kconfig: &'a Kconfig,
    /// The tree's Makefiles.
    pub survey: &'a Survey,
    /// The driver's symbol.
    pub driver: &'a str,
    /// What the configuration starts from.
    pub base: &'a BaseConfig,
    /// Whether all headers are copied.
    pub self_contained: bool,
}

/// Takes the driver out of the tree. Nothing is written.
///
/// # Errors
///
/// [`Failure`] if the driver cannot be turned on, or something of the tree cannot be read.
pub fn gather(subject: &Subject<'_>) -> Result<(Workspace, Report), Failure> {
    let Subject { root, kconfig, .. } = *subject;
    let driver = kconfig.find_defined(subject.driver).ok_or_else(|| unknown(subject.driver))?;
    let (mut configured, mut report) = configure(kconfig, root, subject.base, driver)?;
    let tree = l4re_kbuild::Tree::open(root, subject.arch)?;
    let cache = default_cache_folder().and_then(|folder| folder.parent().map(Path::to_owned));
    let mut made = Made::of(subject, &tree, &configured, driver, cache.as_deref())?;
    if made.is_empty() {
        let opened = open_folders(&mut configured.config, subject.survey, driver)?;
        configured.changes.extend(opened);
        configured.changes.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        made = Made::of(subject, &tree, &configured, driver, cache.as_deref())?;
        if made.is_empty() {
            return Err(nothing_built(subject.driver));
        }
    }
    let Made { auto_conf, config, mut top, mut modules, mut providers, report: found } = made;
    report.extend(found);
    // Before a compiler is told any of it.
    check_compiler(&top.compiler, &mut report);
    all(&mut modules, &mut providers).for_each(|module| check_module(module, &mut report));
    let ((), mut report) = report.into_result(())?;

    let files = TreeFiles::new(root);
    let generated = Generated::new(Inputs {
        tree: root.into(),
        arch: tree.srcarch().into(),
        autoconf: configured.config.autoconf_h().into_bytes(),
        compiler: Some(compiler_path(subject)),
        flags: Some(for_sizes(&top.compiler)),
        cache: cache.as_ref().map(|cache| cache.join("headers")),
        local_version: None,
    })?;
    top.compiler.cflags.extend(late_flags(tree.srcarch(), &config, &generated)?);
    let mounted = generated.at(Path::new(OBJTREE));
    let layers = Layers::new().below(&mounted).below(&files).below(&RealFiles);
    let probe_cache = cache.as_ref().map(|cache| cache.join("compiler"));
    let program = compiler_path(subject);
    let probe = |flags: &[String], language: Language| {
        l4re_cpp::Compiler::probe(&program, flags, language, probe_cache.as_deref())
    };
    let mut closure = Closure::default();
    let mut scanner = Scanner::new(&files, layers, &top.compiler, &probe);
    for module in all(&mut modules, &mut providers) {
        scanner.module(module, &mut closure)?;
        report.extend(doubts(module));
    }
    // It holds every header; the files of the workspace need the room.
    drop(scanner);
    closure.settle();
    closure.doubts(root, &mut report);
    let ((), report) = report.into_result(())?;

    let mut parts = Parts { subject, configured, modules, providers, closure, files: &files };
    let workspace = parts.workspace(driver, top.compiler, &auto_conf, &generated)?;
    Ok((workspace, report))
}

fn unknown(driver: &str) -> Failure {
    let help = "`packager list --search WORD` looks in symbols and descriptions";
    Diagnostic::error("no-driver", format!("no Kconfig file defines {driver}")).help(help).into()
}

fn compiler_path(subject: &Subject<'_>) -> PathBuf {
    format!("{}gcc", subject.cross_compile).into()
}

fn all<'m>(
    modules: &'m mut [Module],
    providers: &'m mut [Provider],
) -> impl Iterator<Item = &'m mut Module> {
    modules.iter_mut().chain(providers.iter_mut().flat_map(|provider| &mut provider.modules))
}

/// What the Makefiles say under a configuration.
struct Made {
    auto_conf: String,
    config: AutoConf,
    top: TopLevel,
    modules: Vec<Module>,
    providers: Vec<Provider>,
    report: Report,
}

impl Made {
    fn of(
        subject: &Subject<'_>,
        tree: &l4re_kbuild::Tree,
        configured: &Configured<'_>,
        driver: SymbolId,
        cache: Option<&Path>,
    ) -> Result<Self, Failure> {
        let auto_conf = configured.config.auto_conf();
        let config = AutoConf::parse(&auto_conf);
        let mut shell = HostShell::new(subject.kconfig.environment());
        if let Some(cache) = cache {
            shell = shell.with_cache(&cache.join("make"));
        }
        let top = top_level(tree, &config, subject.cross_compile, &shell)?;
        let host = l4re_kbuild::Compiler::new(compiler_path(subject), Vec::new());
        let survey = subject.survey;
        let globals = &top.globals;
        let makefiles = Makefiles { tree, survey, config: &config, globals, host: &host };
        let mut report = Report::new();
        let (modules, providers) = built(&makefiles, configured, driver, &mut report);
        Ok(Self { auto_conf, config, top, modules, providers, report })
    }

    /// Whether the driver's symbol builds nothing.
    fn is_empty(&self) -> bool {
        self.modules.iter().all(|module| module.objects.is_empty())
    }
}

/// What the driver and its providers build. Providers that build nothing are left out.
fn built(
    makefiles: &Makefiles<'_>,
    configured: &Configured<'_>,
    driver: SymbolId,
    report: &mut Report,
) -> (Vec<Module>, Vec<Provider>) {
    let kconfig = configured.config.kconfig();
    let name = |symbol: SymbolId| kconfig.symbol(symbol).name.to_string();
    let selected = selected(configured, driver);
    let symbols: Vec<String> =
        std::iter::once(driver).chain(selected.iter().map(|s| s.symbol)).map(name).collect();
    let mut built = makefiles.modules(&symbols, report).into_iter();
    let modules = built.next().unwrap_or_default();
    // What another symbol has listed already is not listed again.
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut fresh = |module: &Module| known.insert((module.directory.clone(), module.name.clone()));
    let modules: Vec<Module> = modules.into_iter().filter(&mut fresh).collect();
    let mut providers = Vec::new();
    for (selected, modules) in selected.into_iter().zip(built) {
        let modules: Vec<Module> = modules.into_iter().filter(&mut fresh).collect();
        let Some((kconfig_file, line)) = place(kconfig, selected.symbol) else { continue };
        if modules.iter().any(|module| !module.objects.is_empty()) {
            let symbol = name(selected.symbol);
            let kconfig = kconfig_file;
            let selected_by = selected.by;
            providers.push(Provider { symbol, selected_by, kconfig, line, modules });
        }
    }
    providers.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    (modules, providers)
}

/// Flags for the headers that the compiler makes: those of every object that need no header.
fn for_sizes(compiler: &Compiler) -> Vec<String> {
    let mut flags = compiler.cflags.iter();
    let mut kept = Vec::new();
    while let Some(flag) = flags.next() {
        if flag == "-include" {
            flags.next();
        } else if !Root::ALL.iter().any(|root| flag.contains(root.word())) {
            kept.push(flag.clone());
        }
    }
    kept
}

/// What was found, on its way into a workspace.
struct Parts<'a> {
    subject: &'a Subject<'a>,
    configured: Configured<'a>,
    modules: Vec<Module>,
    providers: Vec<Provider>,
    closure: Closure,
    files: &'a TreeFiles,
}

impl Parts<'_> {
    fn workspace(
        &mut self,
        driver: SymbolId,
        compiler: Compiler,
        auto_conf: &str,
        generated: &Generated,
    ) -> Result<Workspace, Failure> {
        let mut tree = Tree::default();
        let copied = self.copy(&mut tree)?;
        let facts = facts(copied.iter().filter_map(|path| Some(tree.get(path)?.bytes.as_slice())));
        let copied: BTreeSet<String> =
            copied.iter().filter_map(|path| below_sources(path)).collect();
        let generated = self.generated(&mut tree, auto_conf, generated)?;
        let headers: Vec<String> = self.closure.public.iter().cloned().collect();
        if self.subject.self_contained {
            for path in &headers {
                self.put(&mut tree, path)?;
            }
        }
        let manifest = self.manifest(driver, compiler, facts, copied, headers, generated);
        tree.text(FILE, manifest.emit());
        tree.text(".config", self.configured.config.dot_config());
        let changes = std::mem::take(&mut self.configured.changes);
        Ok(Workspace { manifest, files: tree, changes })
    }

    /// Copies sources and the headers that are not public; returns their paths in the workspace.
    fn copy(&self, tree: &mut Tree) -> Result<Vec<String>, Failure> {
        let modules = self.modules.iter().chain(self.providers.iter().flat_map(|p| &p.modules));
        let mut paths: BTreeSet<&String> = self.closure.copied.iter().collect();
        for module in modules {
            paths.extend(module.sources.iter().chain(&module.shipped));
        }
        let mut copied = Vec::new();
        for path in paths {
            // What is shipped stands beside what includes it, as where Kbuild has built.
            let path = in_built_tree(path);
            self.put(tree, path)?;
            copied.push(format!("{SOURCE_FOLDER}/{path}"));
        }
        Ok(copied)
    }

    fn put(&self, tree: &mut Tree, path: &str) -> Result<(), Failure> {
        tree.file(&format!("{SOURCE_FOLDER}/{path}"), self.files.need(path)?);
        Ok(())
    }

    fn generated(
        &self,
        tree: &mut Tree,
        auto_conf: &str,
        generated: &Generated,
    ) -> Result<Vec<String>, Failure> {
        let mut paths = Vec::new();
        for (path, bytes) in self.closure.generated_bytes(generated)? {
            tree.file(&format!("{GENERATED_FOLDER}/{path}"), bytes);
            paths.push(path);
        }
        tree.text(&format!("{GENERATED_FOLDER}/include/config/auto.conf"), auto_conf);
        Ok(paths)
    }

    fn manifest(
        &self,
        driver: SymbolId,
        mut compiler: Compiler,
        facts: super::source_info::Facts,
        copied: BTreeSet<String>,
        headers: Vec<String>,
        generated_headers: Vec<String>,
    ) -> DriverYaml {
        let subject = self.subject;
        let kconfig = subject.kconfig;
        let (file, line) = place(kconfig, driver).unwrap_or_default();
        // Copied headers of the public folders have to be found before the tree's.
        if copied.iter().any(|path| path.starts_with("include/")) {
            let tree = format!("-I{}/include", Root::Tree.word());
            if let Some(at) = compiler.cppflags.iter().position(|flag| *flag == tree) {
                compiler.cppflags.insert(at, format!("-I{}/include", Root::Sources.word()));
            }
        }
        let root = subject.root.to_string_lossy().into_owned();
        DriverYaml {
            driver: subject.driver.into(),
            subsystem: subsystem(&file),
            arch: subject.arch.into(),
            kernel: subject.kernel.clone(),
            linux_src: (!subject.self_contained).then_some(root),
            kconfig: file,
            line,
            depends_on: depends_on(kconfig, driver),
            base: kind(subject.base),
            config: self.configured.difference(),
            compiler,
            modules: self.modules.clone(),
            providers: self.providers.clone(),
            licenses: facts.licenses.into_iter().collect(),
            module_licenses: facts.module_licenses.into_iter().collect(),
            firmware: facts.firmware.into_iter().collect(),
            files: copied.into_iter().collect(),
            headers,
            generated_headers,
        }
    }
}

fn below_sources(path: &str) -> Option<String> {
    path.strip_prefix(SOURCE_FOLDER)?.strip_prefix('/').map(str::to_owned)
}

/// The first folder under `drivers/`, or the first of the tree.
fn subsystem(kconfig: &str) -> String {
    let path = kconfig.strip_prefix("drivers/").unwrap_or(kconfig);
    path.split_once('/').map_or("drivers", |(first, _)| first).to_owned()
}

/// The dependencies of all definitions, in Kconfig's syntax.
fn depends_on(kconfig: &Kconfig, symbol: SymbolId) -> String {
    let menus = kconfig.symbol(symbol).menus.iter();
    let effective: Vec<_> = menus.map(|menu| kconfig.menu(*menu).effective).collect();
    if effective.contains(&l4re_kconfig::ExprId::YES) {
        return String::new();
    }
    let texts: Vec<String> =
        effective.iter().map(|expr| kconfig.display(*expr).to_string()).collect();
    match texts.as_slice() {
        [only] => only.clone(),
        several => several.iter().map(|text| format!("({text})")).collect::<Vec<_>>().join(" || "),
    }
}

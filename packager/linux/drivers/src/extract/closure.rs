//! Which headers the sources of a driver need, and which of them are its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use l4re_cpp::{Language, Layers, Options, Preprocessor, Scan};
use l4re_kheaders::Generated;

use super::compile::{Folders, all_flags};
use super::files::{TreeFiles, built};
use super::modules::is_public;
use super::source_info::is_trace_header;
use super::source_of;
use super::toplevel::OBJTREE;
use crate::workspace::{Compiler, Module};
use l4re_packager_base::{Diagnostic, Failure, Report};

/// What the preprocessor itself finds in a file. Everything else is about a file that is there, or
/// ought to be made, and cannot be had.
const OF_TEXT: [&str; 7] =
    ["condition", "directive", "error-directive", "expansion", "include", "limit", "macro"];

/// The headers that the sources of several modules need.
#[derive(Debug, Default)]
pub struct Closure {
    /// Headers that are copied: nobody's public interface, and what reaches such by a path
    /// relative to itself.
    pub copied: BTreeSet<String>,
    /// Public headers of the tree.
    pub public: BTreeSet<String>,
    /// Generated headers.
    pub generated: BTreeSet<String>,
    /// What could not be found, by name of the header: who wants it.
    missing: BTreeMap<String, Wanted>,
}

/// Who wants a header that is not there: the file, the line, an object that needs it, and whether a
/// rule makes it.
#[derive(Debug)]
struct Wanted {
    by: PathBuf,
    line: u32,
    object: String,
    /// Whether the Makefile beside the object names the header: then a rule there makes it.
    made: bool,
}

/// Asks the compiler what it knows by itself under flags.
pub type Probe<'a> = dyn Fn(&[String], Language) -> Result<l4re_cpp::Compiler, Failure> + 'a;

/// Scans sources.
pub struct Scanner<'a> {
    files: &'a TreeFiles,
    folders: Folders,
    compiler: &'a Compiler,
    preprocessor: Preprocessor<Layers<'a>>,
    /// What the compiler knows by itself, by the flags that it depends on.
    known: BTreeMap<Vec<String>, Arc<l4re_cpp::Compiler>>,
    probe: &'a Probe<'a>,
}

impl<'a> Scanner<'a> {
    /// Scans sources of the tree. `layers` are the tree and, over it, the generated headers.
    /// `probe` asks the compiler.
    pub fn new(
        files: &'a TreeFiles,
        layers: Layers<'a>,
        compiler: &'a Compiler,
        probe: &'a Probe<'a>,
    ) -> Self {
        let folders = Folders::of_tree(files.root(), Path::new(OBJTREE));
        let preprocessor = Preprocessor::new(layers);
        Self { files, folders, compiler, preprocessor, known: BTreeMap::new(), probe }
    }

    /// Finds the headers of a module and sorts them into it and into `closure`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a source cannot be read, or the compiler not be asked.
    pub fn module(&mut self, module: &mut Module, closure: &mut Closure) -> Result<(), Failure> {
        let mut headers = BTreeSet::new();
        for object in &module.objects {
            let Some(source) = source_of(module, object) else { continue };
            let scan = self.scan(module, object, source)?;
            // A header that is there and cannot be had is no missing one.
            let denied = scan.findings.iter().find(|finding| !OF_TEXT.contains(&finding.code));
            if let Some(mut denied) = denied.cloned() {
                denied.message += &format!(" (included for {object})");
                return Err(denied.into());
            }
            for missing in &scan.missing {
                closure.missing.entry(missing.name().to_owned()).or_insert_with(|| Wanted {
                    by: missing.by.to_path_buf(),
                    line: missing.origin.line,
                    object: object.clone(),
                    made: self.is_made(&module.directory, missing.name()),
                });
            }
            for path in scan.paths().skip(1) {
                if let Ok(generated) = path.strip_prefix(OBJTREE) {
                    closure.generated.insert(generated.to_string_lossy().into_owned());
                } else if let Some(path) = self.files.relative(path) {
                    headers.insert(path);
                }
                // What lies elsewhere comes with the compiler.
            }
        }
        for source in module.sources.iter().chain(&module.shipped) {
            headers.remove(built(source));
        }
        self.sort(module, headers, closure)
    }

    /// Whether the Makefile of a folder names a header: a rule in it makes what is not there.
    fn is_made(&self, directory: &str, header: &str) -> bool {
        let name = header.rsplit('/').next().unwrap_or(header);
        let makefiles = ["Kbuild", "Makefile"].map(|file| format!("{directory}/{file}"));
        makefiles.iter().any(|path| {
            let text = self.files.get(path).ok().flatten().unwrap_or_default();
            String::from_utf8_lossy(&text).contains(name)
        })
    }

    fn scan(&mut self, module: &Module, object: &str, source: &str) -> Result<Scan, Failure> {
        let source = built(source);
        let language = match source.ends_with(".S") {
            true => Language::Assembler,
            false => Language::C,
        };
        let own = module.cflags.get(object).cloned().unwrap_or_default();
        let assembler = language == Language::Assembler;
        let mut flags = all_flags(self.compiler, module.built_in, assembler, &own);
        flags.extend(module.defines.get(object).into_iter().flatten().cloned());
        let flags: Vec<String> = flags.iter().map(|flag| self.folders.resolve(flag)).collect();
        let (mut options, rest) = Options::from_args(&flags);
        options.directory = OBJTREE.into();
        options.language = language;
        options.compiler = self.known(rest, language)?;
        self.preprocessor.scan(&self.files.root().join(source), &options)
    }

    fn known(
        &mut self,
        mut flags: Vec<String>,
        language: Language,
    ) -> Result<Arc<l4re_cpp::Compiler>, Failure> {
        // Warnings change nothing that a preprocessor sees.
        flags.retain(|flag| !flag.starts_with("-W") || flag.starts_with("-Wa,"));
        flags.retain(|flag| !flag.starts_with("-fmacro-prefix-map="));
        if let Some(known) = self.known.get(&flags) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new((self.probe)(&flags, language)?);
        self.known.insert(flags, Arc::clone(&known));
        Ok(known)
    }

    fn sort(
        &self,
        module: &mut Module,
        headers: BTreeSet<String>,
        closure: &mut Closure,
    ) -> Result<(), Failure> {
        let folders: BTreeSet<&str> = module
            .sources
            .iter()
            .filter_map(|source| source.rsplit_once('/').map(|(folder, _)| folder))
            .collect();
        let below = format!("{}/", module.directory);
        let own = |path: &str| {
            path.starts_with(&below)
                || path.rsplit_once('/').is_some_and(|(folder, _)| folders.contains(folder))
        };
        let mut lists = (Vec::new(), Vec::new(), Vec::new());
        let mut again = Vec::new();
        for path in headers {
            if let Some(shipped) = self.files.shipped(&path) {
                module.shipped.push(shipped);
                continue;
            }
            if is_public(&path) {
                if path.starts_with("include/trace/") && !path.starts_with("include/trace/events/")
                {
                    again.push(path.clone());
                }
                closure.public.insert(path);
                continue;
            }
            let list = match own(&path) {
                true if is_trace_header(&self.files.need(&path)?) => &mut lists.0,
                true => &mut lists.1,
                false => &mut lists.2,
            };
            list.push(path.clone());
            closure.copied.insert(path);
        }
        if !lists.0.is_empty() {
            // What reads trace headers again finds them, and its own parts (`stages/init.h`), by a
            // path relative to itself.
            for path in &again {
                if reads_trace_headers(&self.files.need(path)?) {
                    closure.copied.extend(again);
                    break;
                }
            }
        }
        (module.trace_headers, module.own_headers, module.other_driver_headers) = lists;
        Ok(())
    }
}

fn reads_trace_headers(text: &[u8]) -> bool {
    const MARK: &[u8] = b"TRACE_INCLUDE(";
    text.windows(MARK.len()).any(|window| window == MARK)
}

impl Closure {
    /// What was not found: a warning if a rule beside the driver makes it, else an error, since the
    /// object cannot be compiled.
    pub fn doubts(&self, root: &Path, report: &mut Report) {
        for (name, Wanted { by, line, object, made }) in &self.missing {
            let (finding, help) = match made {
                true => (
                    Diagnostic::warning(
                        "missing-header",
                        format!("includes {name}, which a rule of the tree's Makefiles makes"),
                    ),
                    format!(
                        "`make O=DIR {object}` makes it; copy it from DIR to the same place below \
                         the workspace's src/ and generated/"
                    ),
                ),
                false => (
                    Diagnostic::error(
                        "missing-header",
                        format!("includes {name}, which is not there: {object} cannot be compiled"),
                    ),
                    "is the tree complete? If its make knows how to make the header, choose another \
                     driver or architecture"
                        .to_owned(),
                ),
            };
            let position = l4re_packager_base::Position::Text { line: *line as usize, column: 1 };
            let by = by.strip_prefix(root).unwrap_or(by);
            report.push(finding.file(by).at(position).help(help));
        }
    }

    /// Takes what is copied out of the headers that are only referred to.
    pub fn settle(&mut self) {
        self.public.retain(|path| !self.copied.contains(path));
    }

    /// The bytes of the generated headers.
    ///
    /// # Errors
    ///
    /// [`Failure`] if one cannot be made.
    pub fn generated_bytes(
        &self,
        generated: &Generated,
    ) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut all = Vec::new();
        for path in &self.generated {
            if let Some(bytes) = generated.get(path)? {
                all.push((path.clone(), bytes.to_vec()));
            }
        }
        Ok(all)
    }
}

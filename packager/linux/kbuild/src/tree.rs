//! A Linux tree on the disk: its Makefiles, parsed once, and which of Kbuild's dialects it speaks.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Position};
use serde::Serialize;

use crate::hash::NameMap;
use crate::make::words::normalize;
use crate::make::{Files, Makefile, parse};

/// No Makefile of the kernel has 100 KiB; what is longer than this is none.
const MAX_FILE: u64 = 4 << 20;
/// Files that one wildcard may find.
const MAX_WILDCARD: usize = 100_000;

/// A source tree of Linux, for one architecture.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    arch: String,
    srcarch: String,
    dialect: Dialect,
    include_path: Vec<String>,
    makefiles: RefCell<NameMap<String, Parsed>>,
    listings: RefCell<NameMap<String, Rc<[String]>>>,
}

type Parsed = Option<Result<Rc<Makefile>, Diagnostic>>;

/// What differs between versions of Kbuild. Found out from the text of the tree's own
/// `scripts/Makefile.build` and `scripts/Makefile.lib`, not from its version number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dialect {
    /// The root `Kbuild` lists the top directories (6.1 and later); before, the top Makefile does.
    pub root_kbuild: bool,
    /// Instrumentation variables name objects by their path in the directory
    /// (`KASAN_SANITIZE_sub/x.o`, 6.8 and later), not by the last part of it.
    pub instrument_by_path: bool,
    /// Instrumentation is only for what becomes part of the kernel or a module (6.11 and later).
    pub instrument_kernel_objects: bool,
    /// Assembler files are told `KBUILD_MODNAME`.
    pub assembler_modname: bool,
    /// Assembler files are told `KBUILD_MODFILE`.
    pub assembler_modfile: bool,
    /// `__KBUILD_MODNAME` begins with `kmod_`.
    pub kmod_prefix: bool,
    /// Objects of modules are told `KBUILD_MODFILE`, too.
    pub module_modfile: bool,
    /// `cc-option,-Wno-x` asks the compiler about `-Wx` (6.12 and later); it accepts any `-Wno-x`.
    pub probe_positive_warnings: bool,
    /// UBSAN is for all objects only with `CONFIG_UBSAN_SANITIZE_ALL` (until 6.8).
    pub ubsan_sanitize_all: bool,
    /// There is `UBSAN_SIGNED_WRAP`.
    pub ubsan_signed_wrap: bool,
    /// `EXTRA_CFLAGS` and `EXTRA_AFLAGS` of a Makefile count (until 6.14).
    pub extra_flags: bool,
}

impl Dialect {
    fn of(root: &Path) -> Self {
        let read = |name: &str| text(&root.join(name)).unwrap_or_default();
        let text = read("scripts/Makefile.build") + &read("scripts/Makefile.lib");
        let compiler = read("scripts/Makefile.compiler") + &read("scripts/Kbuild.include");
        let root_kbuild = read("Kbuild")
            .lines()
            .any(|line| line.starts_with("obj-y") && line.trim_end().ends_with("drivers/"));
        if text.is_empty() {
            return Self { root_kbuild, ..Self::NEWEST };
        }
        // The definition of a variable: its lines up to the next empty one.
        let definition = |name: &str| {
            text.find(name).map_or("", |at| text[at..].split("\n\n").next().unwrap_or_default())
        };
        Self {
            root_kbuild,
            instrument_by_path: text.contains("$(KASAN_SANITIZE_$(target-stem).o)"),
            instrument_kernel_objects: text.contains("is-kernel-object"),
            assembler_modname: definition("\na_flags ").contains("modname_flags"),
            assembler_modfile: definition("\nmodkern_aflags ").contains("modfile_flags")
                || definition("\na_flags ").contains("modfile_flags"),
            kmod_prefix: text.contains("-D__KBUILD_MODNAME=kmod_"),
            module_modfile: definition("\nc_flags ").contains("modfile_flags"),
            probe_positive_warnings: compiler.contains("$(3:-Wno-%=-W%)"),
            ubsan_sanitize_all: text.contains("CONFIG_UBSAN_SANITIZE_ALL"),
            ubsan_signed_wrap: text.contains("UBSAN_SIGNED_WRAP"),
            extra_flags: text.contains("$(EXTRA_CFLAGS)"),
        }
    }

    /// What a tree without Kbuild's own files (a fixture) is taken for: 6.12.
    const NEWEST: Self = Self {
        root_kbuild: true,
        instrument_by_path: true,
        instrument_kernel_objects: true,
        assembler_modname: true,
        assembler_modfile: true,
        kmod_prefix: true,
        module_modfile: false,
        probe_positive_warnings: true,
        ubsan_sanitize_all: false,
        ubsan_signed_wrap: true,
        extra_flags: true,
    };
}

impl Tree {
    /// Opens a tree for an architecture as `make ARCH=` takes it (`arm64`, `x86_64`).
    ///
    /// # Errors
    ///
    /// The folder has neither a `Makefile` nor a `Kbuild`.
    pub fn open(root: &Path, arch: &str) -> Result<Self, Failure> {
        if !root.join("Makefile").is_file() && !root.join("Kbuild").is_file() {
            let message = "not a Linux tree: there is neither a `Makefile` nor a `Kbuild`";
            let help = "name the top folder of the unpacked Linux sources";
            let diagnostic = Diagnostic::error("not-a-tree", message).file(root).help(help);
            return Err(diagnostic.into());
        }
        let srcarch = match arch {
            "i386" | "x86_64" => "x86",
            "sparc32" | "sparc64" => "sparc",
            "parisc64" => "parisc",
            "sh64" => "sh",
            other => other,
        };
        Ok(Self {
            root: root.to_owned(),
            arch: arch.to_owned(),
            srcarch: srcarch.to_owned(),
            dialect: Dialect::of(root),
            include_path: Vec::new(),
            makefiles: RefCell::default(),
            listings: RefCell::default(),
        })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `ARCH`.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// `SRCARCH`: the folder below `arch/`.
    pub fn srcarch(&self) -> &str {
        &self.srcarch
    }

    /// Its dialect of Kbuild.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether a path (relative to the root) is a file.
    pub fn is_file(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == ".." || name == "." || name.is_empty() {
            return false;
        }
        self.listing(folder).binary_search_by(|known| known.as_str().cmp(name)).is_ok()
            && self.root.join(path).is_file()
    }

    /// The `Kbuild` or, if there is none, the `Makefile` of a directory.
    pub fn makefile_of(&self, directory: &str) -> Option<String> {
        let path = |name: &str| match directory {
            "" => name.to_owned(),
            directory => format!("{directory}/{name}"),
        };
        [path("Kbuild"), path("Makefile")].into_iter().find(|path| self.makefile(path).is_some())
    }

    /// The names in a folder, sorted.
    fn listing(&self, folder: &str) -> Rc<[String]> {
        if let Some(names) = self.listings.borrow().get(folder) {
            return Rc::clone(names);
        }
        let path = if folder.is_empty() { self.root.clone() } else { self.root.join(folder) };
        let mut names: Vec<String> = fs::read_dir(path)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        let names: Rc<[String]> = names.into();
        self.listings.borrow_mut().insert(folder.to_owned(), Rc::clone(&names));
        names
    }

    fn load(&self, path: &str) -> Parsed {
        let file = self.root.join(path);
        let about =
            |message: String| Diagnostic::error("make-unreadable", message).file(Path::new(path));
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let metadata = match fs::metadata(&file) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return None,
            Err(error) => return Some(Err(about(format!("cannot read the Makefile: {error}")))),
        };
        if metadata.is_dir() {
            return None;
        }
        if !metadata.is_file() {
            return Some(Err(about("not a regular file: not a Makefile".to_owned())));
        }
        if metadata.len() > MAX_FILE {
            return Some(Err(about(format!("longer than {MAX_FILE} bytes: not a Makefile"))));
        }
        let bytes = match input::read(&file, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) => return Some(Err(about(format!("cannot read the Makefile: {error}")))),
        };
        if bytes.contains(&0) {
            return Some(Err(about("contains a zero byte: not a text".to_owned())));
        }
        let mut text = String::from_utf8_lossy(&bytes);
        if text.contains(['\u{1}', '\u{2}', '\u{3}']) {
            text = text.replace(['\u{1}', '\u{2}', '\u{3}'], " ").into();
        }
        Some(parse(&text).map(Rc::new).map_err(|error| {
            let position = Position::Text { line: error.line as usize, column: 1 };
            Diagnostic::error("make-syntax", error.message).file(Path::new(path)).at(position)
        }))
    }
}

/// The text of a file; nothing if it cannot be one. Opening a pipe would wait for its other end.
fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&input::read(path, MAX_FILE).ok()?).into_owned())
}

impl Files for Tree {
    fn makefile(&self, path: &str) -> Option<Result<Rc<Makefile>, Diagnostic>> {
        if let Some(parsed) = self.makefiles.borrow().get(path) {
            return parsed.clone();
        }
        let parsed = self.load(path);
        self.makefiles.borrow_mut().insert(path.to_owned(), parsed.clone());
        parsed
    }

    fn wildcard(&self, pattern: &str) -> Vec<String> {
        if !pattern.contains(['*', '?', '[']) {
            let exists = self.root.join(pattern).exists();
            return if exists { vec![pattern.to_owned()] } else { Vec::new() };
        }
        let mut found = vec![String::new()];
        if pattern.starts_with('/') {
            found[0].push('/');
        }
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            let more = index + 1 < parts.len();
            found = found.iter().flat_map(|base| self.matching(base, part, more)).collect();
            found.truncate(MAX_WILDCARD);
        }
        if pattern.ends_with('/') {
            found.iter_mut().for_each(|path| path.push('/'));
        }
        found
    }

    fn read(&self, path: &str) -> Option<String> {
        text(&self.root.join(path))
    }

    fn realpath(&self, path: &str) -> Option<String> {
        fs::canonicalize(self.root.join(path)).ok()?.into_os_string().into_string().ok()
    }

    fn directory(&self) -> Cow<'_, str> {
        self.root.to_string_lossy()
    }

    fn include_path(&self) -> &[String] {
        &self.include_path
    }
}

impl Tree {
    /// The paths `base/name` whose name matches one part of a pattern.
    fn matching(&self, base: &str, part: &str, must_be_folder: bool) -> Vec<String> {
        let join = |name: &str| match base {
            "" => name.to_owned(),
            base if base.ends_with('/') => format!("{base}{name}"),
            base => format!("{base}/{name}"),
        };
        if !part.contains(['*', '?', '[']) {
            let path = join(part);
            return if self.root.join(&path).exists() { vec![path] } else { Vec::new() };
        }
        let names = self.listing(&normalize(base));
        let names = names.iter().filter(|name| part.starts_with('.') || !name.starts_with('.'));
        names
            .filter(|name| glob(part.as_bytes(), name.as_bytes()))
            .map(|name| join(name))
            .filter(|path| !must_be_folder || self.root.join(path).is_dir())
            .collect()
    }
}

/// Whether a name matches a pattern of `*`, `?`, `[…]` and `\`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    // After a mismatch only the last `*` needs to take more: no exponential backtracking.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], name[n]),
            Some(b'\\') if p + 1 < pattern.len() => (pattern[p + 1] == name[n]).then_some(2),
            Some(byte) => (*byte == name[n]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                n += 1;
            }
            (None, Some((after, taken))) => {
                star = Some((after, taken + 1));
                p = after;
                n = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of the class `[…]` at the start of a pattern if it contains the byte.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|b| *b == b']')?;
    let inner = &pattern[start..end];
    let mut at = 0;
    let mut inside = false;
    while at < inner.len() {
        if at + 2 < inner.len() && inner[at + 1] == b'-' {
            inside |= (inner[at]..=inner[at + 2]).contains(&byte);
            at += 3;
        } else {
            inside |= inner[at] == byte;
            at += 1;
        }
    }
    (inside != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs_match_like_the_shell() {
        let matches = |pattern: &str, name: &str| glob(pattern.as_bytes(), name.as_bytes());
        assert!(matches("*-*.c", "read_overflow-memchr.c"));
        assert!(matches("*.[ch]", "x.h") && !matches("*.[ch]", "x.o"));
        assert!(matches("[!a]?", "bc") && !matches("[!a]?", "ac"));
        assert!(matches("a*b*c", "aXbYbc") && !matches("a*b*c", "aXbYb"));
        assert!(matches("\\*", "*") && !matches("\\*", "x"));
        assert!(!matches("[a", "a"), "a class without an end matches nothing");
    }
}

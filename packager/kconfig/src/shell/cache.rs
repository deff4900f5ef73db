//! Answers of commands, kept from run to run.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::stamp;
use crate::environment::Environment;

/// The variables that name programs which commands run.
const PROGRAMS: &[&str] = &[
    "CC",
    "LD",
    "AR",
    "NM",
    "OBJCOPY",
    "HOSTCC",
    "RUSTC",
    "HOSTRUSTC",
    "BINDGEN",
    "PAHOLE",
    "PYTHON3",
];

/// First line of a cache file: its format.
const FORMAT: &str = "l4re-kconfig probes 1";

/// Larger cache files are dropped rather than read.
const MAX_FILE: u64 = 8 << 20;

/// Where answers are kept by default: the user's cache folder, if there is one.
pub fn default_folder() -> Option<PathBuf> {
    let home = || env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        xdg.or_else(|| home().map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("l4re-packager").join("kconfig"))
}

/// Answers by key. What is new is written when the cache goes.
pub(super) struct Cache {
    answers: FxHashMap<String, Vec<u8>>,
    fresh: bool,
    file: Option<PathBuf>,
    tree: Option<String>,
}

impl Cache {
    pub(super) fn in_memory(environment: &Environment) -> Self {
        let tree = environment.get("srctree").filter(|tree| tree.starts_with('/'));
        let tree = tree.map(str::to_owned);
        Self { answers: FxHashMap::default(), fresh: false, file: None, tree }
    }

    /// The answers in `folder` that hold for these variables and programs.
    pub(super) fn open(folder: &Path, environment: &Environment) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in environment.iter() {
            hash.update(format!("{name}={value}\0"));
        }
        for program in PROGRAMS.iter().filter_map(|name| environment.get(name)) {
            let path = program.split_whitespace().next().and_then(find_program);
            let stamp = path.and_then(|path| stamp(&path)).unwrap_or_default();
            hash.update(format!("{stamp}\0"));
        }
        let file = folder.join(format!("{}.probes", hex(&hash.finalize()[..16])));
        let mut cache = Self::in_memory(environment);
        cache.answers = read(&file);
        cache.file = Some(file);
        cache
    }

    /// The key of a command: its text and the state of the tree's scripts that it names.
    pub(super) fn key(&self, command: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(command);
        let breaks = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '(' | ')' | '`');
        for word in self.tree.iter().flat_map(|tree| {
            command.split(breaks).filter(move |word| word.starts_with(tree.as_str()))
        }) {
            hash.update(stamp(Path::new(word)).unwrap_or_default());
        }
        hex(&hash.finalize()[..16])
    }

    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.answers.get(key).map(Vec::as_slice)
    }

    pub(super) fn put(&mut self, key: String, output: Vec<u8>) {
        self.answers.insert(key, output);
        self.fresh = true;
    }

    /// Writes all answers to the file in one step. The cache is a convenience: a folder that
    /// cannot be written only means that commands run again.
    fn write(&self) -> Option<()> {
        let file = self.file.as_ref()?;
        let folder = file.parent()?;
        fs::create_dir_all(folder).ok()?;
        let mut lines: Vec<String> =
            self.answers.iter().map(|(key, output)| format!("{key} {}\n", hex(output))).collect();
        lines.sort();
        let mut temporary = tempfile::NamedTempFile::new_in(folder).ok()?;
        temporary.write_all(format!("{FORMAT}\n{}", lines.concat()).as_bytes()).ok()?;
        temporary.persist(file).ok()?;
        Some(())
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if self.fresh {
            let _ = self.write();
        }
    }
}

/// The answers in a file; none if it is missing or not one of ours.
fn read(file: &Path) -> FxHashMap<String, Vec<u8>> {
    let small = fs::metadata(file).is_ok_and(|metadata| metadata.len() <= MAX_FILE);
    let text = if small { fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    let mut lines = text.lines();
    if lines.next() != Some(FORMAT) {
        return FxHashMap::default();
    }
    lines
        .filter_map(|line| {
            let (key, output) = line.split_once(' ')?;
            Some((key.to_owned(), from_hex(output)?))
        })
        .collect()
}

/// The file that a command name means.
fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(name.into());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

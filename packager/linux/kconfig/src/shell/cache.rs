//! Answers of commands, kept from run to run.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use l4re_files::input;
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

/// End of a cache file's name: its format, lines of a key and an answer.
const FORMAT: &str = "probes1";

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

/// Answers by key. What is new is written at once, one line at the end of the file, so that several
/// programs can add to it and nothing is lost if one ends early.
pub(super) struct Cache {
    answers: FxHashMap<String, Vec<u8>>,
    file: Option<PathBuf>,
    tree: Option<String>,
}

impl Cache {
    pub(super) fn in_memory(environment: &Environment) -> Self {
        let tree = environment.get("srctree").filter(|tree| tree.starts_with('/'));
        let tree = tree.map(str::to_owned);
        Self { answers: FxHashMap::default(), file: None, tree }
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
        let file = folder.join(format!("{}.{FORMAT}", hex(&hash.finalize()[..16])));
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
        // The cache is a convenience: where it cannot be written, commands run again.
        let _ = self.append(&format!("{key} {}\n", hex(&output)));
        self.answers.insert(key, output);
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // One write, so that lines of several programs do not mix.
        fs::OpenOptions::new().append(true).create(true).open(file)?.write_all(line.as_bytes())
    }
}

/// The answers in a file; lines that are none are passed over.
fn read(file: &Path) -> FxHashMap<String, Vec<u8>> {
    let text = input::read_text(file, MAX_FILE).unwrap_or_default();
    text.lines()
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

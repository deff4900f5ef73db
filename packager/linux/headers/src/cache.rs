//! Results that took a program to make, kept until something that they depend on changes.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use l4re_files::{Draft, input};
use sha2::{Digest, Sha256};

/// First words of an entry: another version means another format.
const MAGIC: &str = "l4re-kheaders 1";

/// Where results are kept, if anywhere.
#[derive(Debug, Default)]
pub(crate) struct Cache(pub(crate) Option<PathBuf>);

/// What a result depends on.
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn new(kind: &str) -> Self {
        Self(Sha256::new()).with(MAGIC).with(kind)
    }

    /// Adds something that makes the result another one.
    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        // The length keeps parts apart.
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// Adds a program: its file as it is now.
    pub(crate) fn with_program(self, program: &Path) -> Self {
        let found = locate(program).unwrap_or_else(|| program.to_owned());
        self.with(stamp(&found).unwrap_or_else(|| found.to_string_lossy().into_owned()))
    }
}

/// The file that a command names, as a shell would find it.
fn locate(command: &Path) -> Option<PathBuf> {
    if command.components().count() > 1 {
        return fs::canonicalize(command).ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter_map(|folder| fs::canonicalize(folder.join(command)).ok())
        .find(|file| file.is_file())
}

/// Path, length and time of change of a file; nothing if it is not there or its path has a line
/// break in it.
fn stamp(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let path = path.to_str().filter(|path| !path.contains('\n'))?;
    Some(format!("{} {} {path}", metadata.len(), changed.as_nanos()))
}

impl Cache {
    /// The result that is kept under `key`, if all files that it was made from are unchanged.
    pub(crate) fn load(&self, key: &Key) -> Option<Vec<u8>> {
        let text = input::read(&self.path(key)?, input::SOURCE).ok()?;
        let head_end = text.iter().position(|&byte| byte == b'\n')?;
        let (head, body) = text.split_at(head_end);
        let head = std::str::from_utf8(head).ok()?;
        if head.strip_prefix(MAGIC)?.trim() != hex(&Sha256::digest(body)) {
            return None;
        }
        let stamps_end = body.windows(2).position(|pair| pair == b"\n\n")?;
        let stamps = std::str::from_utf8(body.get(1..stamps_end)?).ok()?;
        let fresh = |line: &str| {
            let path = line.splitn(3, ' ').nth(2);
            path.and_then(|path| stamp(Path::new(path))).as_deref() == Some(line)
        };
        stamps.lines().all(fresh).then(|| body.get(stamps_end + 2..).map(<[u8]>::to_vec))?
    }

    /// Keeps a result that was made from `inputs`. That nothing can be kept costs time only.
    pub(crate) fn store(&self, key: &Key, inputs: &[PathBuf], result: &[u8]) {
        let (Some(path), Some(stamps)) =
            (self.path(key), inputs.iter().map(|path| stamp(path)).collect::<Option<Vec<_>>>())
        else {
            return;
        };
        let mut body = format!("\n{}\n\n", stamps.join("\n")).into_bytes();
        body.extend_from_slice(result);
        let mut text = format!("{MAGIC} {}", hex(&Sha256::digest(&body))).into_bytes();
        text.extend_from_slice(&body);
        let _ = write_atomically(&path, &text);
    }

    fn path(&self, key: &Key) -> Option<PathBuf> {
        let name = hex(&key.0.clone().finalize());
        self.0.as_ref().map(|folder| folder.join(format!("header-{name}")))
    }
}

fn write_atomically(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Others may store the same at the same time: a reader sees all of an entry or none.
    let mut draft = Draft::beside(path)?;
    draft.file().write_all(text)?;
    draft.persist(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_kept_until_an_input_changes() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in");
        fs::write(&input, "a").unwrap();
        let cache = Cache(Some(folder.path().join("cache")));
        let key = Key::new("x").with("1");
        assert_eq!(cache.load(&key), None);
        cache.store(&key, std::slice::from_ref(&input), b"made\n\nof a");
        assert_eq!(cache.load(&key).as_deref(), Some(b"made\n\nof a".as_slice()));
        assert_eq!(cache.load(&Key::new("x").with("2")), None);
        fs::write(&input, "ab").unwrap();
        assert_eq!(cache.load(&key), None);
    }

    #[test]
    fn a_damaged_entry_is_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache(Some(folder.path().into()));
        let key = Key::new("x");
        cache.store(&key, &[], b"made");
        let path = cache.path(&key).unwrap();
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(cache.load(&key), None, "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert_eq!(cache.load(&key), None, "length {at}");
        }
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let cache = Cache(Some("/nowhere".into()));
        let path = |key: Key| cache.path(&key);
        assert_ne!(path(Key::new("a").with("bc")), path(Key::new("ab").with("c")));
    }
}

//! The files that have been read, and where others were looked for in vain.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use l4re_packager_base::Failure;
use rustc_hash::FxHashMap;

use crate::intern::{Interner, Symbol};
use crate::lines::Lines;
use crate::source::FileSource;

/// A file's place in [`Files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId(u32);

/// A folder's place in [`Files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FolderId(u32);

struct File {
    path: Arc<Path>,
    folder: FolderId,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    Lines(Rc<Lines>),
}

/// All files met so far.
#[derive(Default)]
pub(crate) struct Files {
    files: Vec<File>,
    by_path: FxHashMap<Arc<Path>, Option<FileId>>,
    folders: Vec<PathBuf>,
    folder_ids: FxHashMap<PathBuf, FolderId>,
    lookups: FxHashMap<(FolderId, Symbol), Option<FileId>>,
    texts: FxHashMap<String, FileId>,
}

impl Files {
    /// The file at `path`, if there is one.
    pub(crate) fn open(
        &mut self,
        path: PathBuf,
        source: &dyn FileSource,
    ) -> Result<Option<FileId>, Failure> {
        if let Some(&known) = self.by_path.get(path.as_path()) {
            return Ok(known);
        }
        let bytes = source.read(&path)?;
        let path: Arc<Path> = path.into();
        let file = bytes.map(|bytes| self.add(Arc::clone(&path), bytes));
        self.by_path.insert(path, file);
        Ok(file)
    }

    fn add(&mut self, path: Arc<Path>, bytes: Vec<u8>) -> FileId {
        let folder = self.folder(path.parent().unwrap_or(Path::new("")));
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(File { path, folder, content: Content::Bytes(bytes) });
        id
    }

    /// Definitions that stand in no file, as one.
    pub(crate) fn text_of(&mut self, text: &str) -> FileId {
        if let Some(&known) = self.texts.get(text) {
            return known;
        }
        let id = self.add(Path::new("<command line>").into(), text.as_bytes().to_vec());
        self.texts.insert(text.to_owned(), id);
        id
    }

    /// The file `name` in `folder`.
    pub(crate) fn look_up(
        &mut self,
        folder: FolderId,
        name: Symbol,
        source: &dyn FileSource,
        interner: &Interner,
    ) -> Result<Option<FileId>, Failure> {
        if let Some(&known) = self.lookups.get(&(folder, name)) {
            return Ok(known);
        }
        let name_path = path_of(interner.spelling(name));
        let path = self.folders.get(folder.0 as usize).map(|folder| folder.join(&name_path));
        let found = match path {
            Some(path) => self.open(path, source)?,
            None => None,
        };
        self.lookups.insert((folder, name), found);
        Ok(found)
    }

    /// The number of a folder.
    pub(crate) fn folder(&mut self, path: &Path) -> FolderId {
        if let Some(&known) = self.folder_ids.get(path) {
            return known;
        }
        let id = FolderId(u32::try_from(self.folders.len()).unwrap_or(u32::MAX));
        self.folders.push(path.to_owned());
        self.folder_ids.insert(path.to_owned(), id);
        id
    }

    /// The folder that a file is in.
    pub(crate) fn folder_of(&self, file: FileId) -> FolderId {
        self.files.get(file.0 as usize).map_or(FolderId(0), |file| file.folder)
    }

    pub(crate) fn path(&self, file: FileId) -> Arc<Path> {
        let file = self.files.get(file.0 as usize);
        file.map_or_else(|| Path::new("").into(), |file| Arc::clone(&file.path))
    }

    /// The directives of a file.
    pub(crate) fn lines(&mut self, file: FileId, interner: &mut Interner) -> Rc<Lines> {
        let Some(file) = self.files.get_mut(file.0 as usize) else { return Rc::default() };
        if let Content::Bytes(bytes) = &mut file.content {
            let lines = Lines::split(std::mem::take(bytes), interner);
            file.content = Content::Lines(Rc::new(lines));
        }
        match &file.content {
            Content::Lines(lines) => Rc::clone(lines),
            Content::Bytes(_) => Rc::default(),
        }
    }
}

/// A name of a header as a path: its bytes, whatever they are.
#[cfg(unix)]
fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

/// A name of a header as a path.
#[cfg(not(unix))]
fn path_of(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

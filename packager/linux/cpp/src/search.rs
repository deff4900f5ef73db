//! In which folders headers are searched for.

use std::path::{Component, Path, PathBuf};

use l4re_packager_base::Failure;

use crate::files::{FileId, Files, FolderId};
use crate::intern::{Interner, Symbol};
use crate::options::Options;
use crate::source::FileSource;

/// The folders of a command line, in order.
pub(crate) struct SearchPath {
    folders: Vec<FolderId>,
    /// Where the search for `<…>` starts.
    angle: usize,
    /// The folder that relative paths are relative to.
    directory: PathBuf,
}

/// Where a search starts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// In that folder, then the whole path: `"…"`.
    Beside(FolderId),
    /// At `<…>`'s part of the path.
    Angle,
    /// At that place of the path: `#include_next`.
    At(usize),
}

/// A file, and how it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) file: FileId,
    /// The folder it is in.
    pub(crate) folder: FolderId,
    /// Where a search for the next file of that name starts; nothing if no search found it.
    pub(crate) next: Option<usize>,
}

impl Found {
    /// A file that was not searched for.
    pub(crate) fn unsearched(files: &Files, file: FileId) -> Self {
        Self { file, folder: files.folder_of(file), next: None }
    }
}

impl SearchPath {
    pub(crate) fn new(options: &Options, files: &mut Files) -> Self {
        let mut folders = Vec::new();
        let absolute = |path: &PathBuf| in_directory(&options.directory, path);
        // A folder that is also a system folder is searched only as that.
        let system: Vec<PathBuf> =
            options.system.iter().chain(&options.compiler.search).map(absolute).collect();
        let after: Vec<PathBuf> = options.after.iter().map(absolute).collect();
        let user = |path: &PathBuf| !system.contains(path) && !after.contains(path);
        let include: Vec<PathBuf> = options.include.iter().map(absolute).filter(user).collect();
        let mut push = |path: &Path, from: usize| {
            let folder = files.folder(path);
            if !folders.iter().skip(from).any(|&other| other == folder) {
                folders.push(folder);
            }
            folders.len()
        };
        let mut angle = 0;
        for path in options.quote.iter().map(absolute) {
            angle = push(&path, 0);
        }
        for path in include.iter().chain(&system).chain(&after) {
            push(path, angle);
        }
        Self { folders, angle, directory: options.directory.clone() }
    }

    /// Searches for a header.
    pub(crate) fn find(
        &self,
        name: Symbol,
        start: Start,
        files: &mut Files,
        source: &dyn FileSource,
        interner: &Interner,
    ) -> Result<Option<Found>, Failure> {
        if interner.spelling(name).starts_with(b"/") {
            let root = files.folder(Path::new("/"));
            let file = files.look_up(root, name, source, interner)?;
            return Ok(file.map(|file| Found::unsearched(files, file)));
        }
        let first = match start {
            Start::Beside(folder) => {
                if let Some(file) = files.look_up(folder, name, source, interner)? {
                    return Ok(Some(Found { file, folder: files.folder_of(file), next: Some(0) }));
                }
                0
            }
            Start::Angle => self.angle,
            Start::At(at) => at,
        };
        for (index, &folder) in self.folders.iter().enumerate().skip(first) {
            if let Some(file) = files.look_up(folder, name, source, interner)? {
                let folder = files.folder_of(file);
                return Ok(Some(Found { file, folder, next: Some(index + 1) }));
            }
        }
        Ok(None)
    }

    /// The folder from which the command line's own includes are searched.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// A path as seen from `directory`, without `.` in it.
pub(crate) fn in_directory(directory: &Path, path: &Path) -> PathBuf {
    directory.join(path).components().filter(|&part| part != Component::CurDir).collect()
}

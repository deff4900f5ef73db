//! FAT, by mtools and `fsck.fat`.

use std::fs;
use std::path::{Path, PathBuf};

use super::tool::{Said, Tool};
use super::{Copy, folders_above};
use crate::install::Medium;
use l4re_packager_base::Failure;

const MDIR: Tool = Tool { name: "mdir", package: "mtools" };
const MMD: Tool = Tool { name: "mmd", package: "mtools" };
const MCOPY: Tool = Tool { name: "mcopy", package: "mtools" };
const FSCK: Tool = Tool { name: "fsck.fat", package: "dosfstools" };

/// An image of such a file system.
pub(super) struct Fat {
    copy: Copy,
}

impl Fat {
    /// Takes an image that has no errors.
    pub(super) fn open(copy: Copy) -> Result<Self, Failure> {
        let fat = Self { copy };
        fat.check("the image has errors; fsck.fat -a repairs it")?;
        Ok(fat)
    }

    fn check(&self, what: &str) -> Result<(), Failure> {
        let arguments = ["-n".as_ref(), self.copy.path.as_os_str()];
        let said = FSCK.run(Path::new("."), arguments)?;
        if said.good { Ok(()) } else { Err(FSCK.failed(what, &said)) }
    }

    fn run(
        &self,
        tool: Tool,
        folder: &Path,
        options: &[&str],
        rest: &[&str],
    ) -> Result<Said, Failure> {
        let image = std::path::absolute(&self.copy.path)
            .map_err(|error| Failure::io("find", &self.copy.path, &error))?;
        let options = options.iter().map(AsRef::as_ref);
        let image = ["-i".as_ref(), image.as_os_str()];
        tool.run(folder, options.chain(image).chain(rest.iter().map(AsRef::as_ref)))
    }

    fn must(
        &self,
        tool: Tool,
        folder: &Path,
        options: &[&str],
        rest: &[&str],
    ) -> Result<(), Failure> {
        let said = self.run(tool, folder, options, rest)?;
        if said.good { Ok(()) } else { Err(tool.failed(&rest.join(" "), &said)) }
    }
}

impl Medium for Fat {
    fn is_folder(&mut self, path: &str) -> Result<bool, Failure> {
        let said = self.run(MDIR, Path::new("."), &["-b"], &[&format!("::{path}/")])?;
        Ok(said.good)
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let scratch = Copy::scratch()?;
        let file = scratch.path().join("program");
        fs::write(&file, bytes).map_err(|error| Failure::io("write", &file, &error))?;
        for above in folders_above(path) {
            if !self.is_folder(above)? {
                self.must(MMD, scratch.path(), &[], &[&format!("::{above}")])?;
            }
        }
        self.must(MCOPY, scratch.path(), &["-o"], &["program", &format!("::{path}")])
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let scratch = Copy::scratch()?;
        self.must(MCOPY, scratch.path(), &[], &[&format!("::{path}"), "program"])?;
        let file = scratch.path().join("program");
        fs::read(&file).map_err(|error| Failure::io("read", &file, &error))
    }

    fn finish(self: Box<Self>) -> Result<PathBuf, Failure> {
        self.check("the changed image has errors and was thrown away")?;
        self.copy.persist()
    }
}

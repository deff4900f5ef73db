//! FAT: judged by the boot sector and `fsck.fat`, changed by mtools.
//!
//! The crate `fatfs` (0.3.6) would need none of them, but the folders that it makes have errors for
//! `fsck.fat`: their `.` has a long name, too.

use std::fs::{self};
use std::io::Read;
use std::path::{Path, PathBuf};

use l4re_programs::Program;

use super::tool::{Tool, ToolOutput};
use super::{Copy, folders_above};
use crate::install::Medium;
use crate::install::links::Entry;
use boot_sector::BootSector;
use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure};

pub(super) mod boot_sector;

const MDIR: Tool = Tool(Program::declared("mdir"));
const MMD: Tool = Tool(Program::declared("mmd"));
const MCOPY: Tool = Tool(Program::declared("mcopy"));
const MDEL: Tool = Tool(Program::declared("mdel"));
const FSCK: Tool = Tool(Program::declared("fsck.fat"));

/// Names of devices, which DOS and Windows open in the place of a file, whatever stands behind a
/// dot. The last two have a digit from 1 to 9.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

/// An image of such a file system.
pub(super) struct Fat {
    copy: Copy,
}

impl Fat {
    /// Takes an image that is in order, and of a kind that can be changed.
    pub(super) fn open(copy: Copy) -> Result<Self, Failure> {
        let fat = Self { copy };
        fat.check_boot_sector()?;
        fat.check("the file system has errors; fsck.fat -a repairs it")?;
        Ok(fat)
    }

    fn check_boot_sector(&self) -> Result<(), Failure> {
        let mut bytes = [0; boot_sector::SIZE];
        let read = |bytes: &mut [u8]| {
            let mut file = input::open(self.copy.draft.path())?;
            file.read_exact(bytes)?;
            Ok(file.metadata()?.len())
        };
        let output = &self.copy.output;
        let len = read(&mut bytes).map_err(|error| Failure::io("read", output, &error))?;
        let sector = BootSector::parse(&bytes).ok_or_else(|| {
            Diagnostic::error("install-image", "the boot sector is damaged").file(output)
        })?;
        Ok(sector.check(len).map_err(|finding| finding.file(output))?)
    }

    fn check(&self, what: &str) -> Result<(), Failure> {
        let arguments = ["-n".as_ref(), self.copy.draft.path().as_os_str()];
        let said = FSCK.run(Path::new("."), arguments)?;
        if said.code == Some(0) { Ok(()) } else { Err(FSCK.failed(what, &said)) }
    }

    fn run(
        &self,
        tool: Tool,
        folder: &Path,
        options: &[&str],
        rest: &[&str],
    ) -> Result<ToolOutput, Failure> {
        let image = std::path::absolute(self.copy.draft.path())
            .map_err(|error| Failure::io("find", self.copy.draft.path(), &error))?;
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
        if said.code == Some(0) { Ok(()) } else { Err(tool.failed(&rest.join(" "), &said)) }
    }

    /// Whether `mdir` finds something.
    fn found(&self, path: &str) -> Result<bool, Failure> {
        let said = self.run(MDIR, Path::new("."), &["-b"], &[&format!("::{path}")])?;
        Ok(said.code == Some(0))
    }
}

/// Whether FAT keeps the names of a path as they are, and DOS and Windows can open it.
fn check_names(path: &str) -> Result<(), Failure> {
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let stem = name.split('.').next().unwrap_or(name).to_ascii_uppercase();
        let is_device = DEVICES.iter().any(|device| match (stem.strip_prefix(device), *device) {
            (Some(""), device) => !["COM", "LPT"].contains(&device),
            (Some(digit), "COM" | "LPT") => matches!(digit.as_bytes(), [b'1'..=b'9']),
            _ => false,
        });
        let reason = if is_device {
            "is the name of a device in DOS and Windows, not of a file"
        } else if name.ends_with('.') {
            "ends in a dot, which FAT does not keep"
        } else {
            continue;
        };
        let message = format!("`{name}` {reason}");
        return Err(Diagnostic::error("install-place", message).help("choose another name").into());
    }
    Ok(())
}

impl Medium for Fat {
    fn entry(&mut self, path: &str) -> Result<Entry, Failure> {
        // With the slash behind it only a folder is found.
        Ok(if path == "/" || self.found(&format!("{path}/"))? {
            Entry::Folder
        } else if self.found(path)? {
            Entry::File
        } else {
            Entry::Nothing
        })
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        check_names(path)?;
        let scratch = Copy::scratch()?;
        let file = scratch.path().join("program");
        fs::write(&file, bytes).map_err(|error| Failure::io("write", &file, &error))?;
        for above in folders_above(path) {
            if self.entry(above)? == Entry::Nothing {
                self.must(MMD, scratch.path(), &[], &[&format!("::{above}")])?;
            }
        }
        let place = format!("::{path}");
        // Copied over, an older one would keep the spelling of its name and its attributes.
        if self.entry(path)? == Entry::File {
            self.must(MDEL, scratch.path(), &[], &[&place])?;
        }
        self.must(MCOPY, scratch.path(), &["-o"], &["program", &place])
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let scratch = Copy::scratch()?;
        self.must(MCOPY, scratch.path(), &[], &[&format!("::{path}"), "program"])?;
        let file = scratch.path().join("program");
        input::read(&file, input::PROGRAM).map_err(|error| Failure::io("read", &file, &error))
    }

    fn finish(self: Box<Self>) -> Result<PathBuf, Failure> {
        self.check_boot_sector()?;
        self.check("the changed image has errors and was thrown away")?;
        self.copy.persist()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_dos_reserves_are_none_of_files() {
        for name in ["con", "AUX", "nul.txt", "com1", "Lpt9.x.y", "prn."] {
            let message = check_names(&format!("/a/{name}/b")).unwrap_err().to_string();
            assert!(message.contains("the name of a device"), "{message}");
        }
        for name in ["com", "com0", "com10", "lpt", "console", "xcon", "a.con", "conx.aux"] {
            assert!(check_names(&format!("/a/{name}")).is_ok(), "{name}");
        }
        assert!(check_names("/a./b").unwrap_err().to_string().contains("ends in a dot"));
    }
}

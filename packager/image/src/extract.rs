//! Taking modules out of an image.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use l4re_diag::{Diagnostic, Failure};

use crate::edit::is_file_name;
use crate::image::{Image, Kind, Module};

/// Name of the module list that goes with the files.
pub const MODULE_LIST: &str = "modules.list";

impl Module {
    /// Writes the module's bytes to a file, decompressed unless `stored` is set; completely or not
    /// at all.
    ///
    /// # Errors
    ///
    /// [`Failure`] if they cannot be read, decompressed or written.
    pub fn extract(&self, to: &Path, stored: bool) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::io("write", to, &error);
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut draft = tempfile::Builder::new()
            .prefix(".module-")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(failed)?;
        let mut sink = |chunk: &[u8]| {
            draft
                .write_all(chunk)
                .map_err(|error| Diagnostic::error("io", format!("cannot write: {error}")).file(to))
        };
        if stored {
            self.content().for_each_chunk(&mut sink)?;
        } else {
            self.for_each_full_chunk(&mut sink)?;
        }
        let permissions = fs::Permissions::from_mode(0o644);
        draft.as_file().set_permissions(permissions).map_err(failed)?;
        draft.persist(to).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

impl Image {
    /// Writes all modules into a folder, decompressed, with a module list of which the same image
    /// can be composed again. Answers the files' names.
    ///
    /// # Errors
    ///
    /// [`Failure`] for a name that is no file name or there twice, before anything is written; and
    /// if something cannot be read or written.
    pub fn extract(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        let mut names = BTreeSet::from([MODULE_LIST]);
        for module in &self.modules {
            let name = module.name.as_str();
            if !is_file_name(name) || name.starts_with('.') {
                let message = format!("module {name:?} cannot be written under its name");
                let help = "extract it alone, to a file that you name";
                return Err(Diagnostic::error("name", message).help(help).into());
            }
            if !names.insert(name) {
                let message = format!("two files would be `{name}`");
                let help = "extract them one by one, by their numbers";
                return Err(Diagnostic::error("same-name", message).help(help).into());
            }
        }
        fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
        for module in &self.modules {
            module.extract(&folder.join(&module.name), false)?;
        }
        let list = folder.join(MODULE_LIST);
        fs::write(&list, self.module_list())
            .map_err(|error| Failure::io("write", &list, &error))?;
        Ok(names.into_iter().map(String::from).collect())
    }

    /// The image as an entry `image` of a module list.
    pub fn module_list(&self) -> String {
        let mut list = String::from("# vim:set ft=l4mods:\n\nentry[no-defaults] image\n");
        if !self.command_line.is_empty() {
            let _ = writeln!(list, "bootstrap {}", self.command_line);
        }
        for module in &self.modules {
            let mut options = Vec::new();
            // What is in the image was stripped before, if it was to be.
            options.push(String::from("nostrip"));
            if module.is_compressed() {
                options.push("compress=gz".into());
            }
            if module.kind == Kind::File && module.rom_name() != Some(&module.name) {
                options.push(format!("fname={}", module.rom_name().unwrap_or_default()));
            }
            for (key, value) in module.attrs.iter() {
                options.push(format!("attr:{key}={}", String::from_utf8_lossy(value)));
            }
            let line = format!(
                "{}[{}] {} {}",
                module.kind.name(),
                options.join(","),
                module.name,
                module.args()
            );
            list.push_str(line.trim_end());
            list.push('\n');
        }
        list
    }
}

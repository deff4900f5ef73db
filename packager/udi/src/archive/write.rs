//! Writing a package, reproducibly: sorted, without times, owners and chance.

use std::io;

use tar::{Builder, EntryType, Header};

use super::{File, Package, TOP};

impl Package {
    /// The bytes of the package file: a POSIX archive, in which long paths have a pax header.
    ///
    /// # Errors
    ///
    /// What the archiver says; nothing in a package is known to make it fail.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for (place, component) in self.components() {
            for (path, file) in component.files() {
                append(&mut archive, &format!("{TOP}/{place}/{path}"), file)?;
            }
        }
        archive.into_inner()
    }
}

fn append(archive: &mut Builder<Vec<u8>>, path: &str, file: &File) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(if file.executable { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(file.bytes.len() as u64);
    if header.set_path(path).is_err() {
        archive.append_pax_extensions([("path", path.as_bytes())])?;
        // What readers without pax see.
        let name = path.rsplit('/').next().unwrap_or_default();
        header.set_path(name)?;
    }
    header.set_cksum();
    archive.append(&header, file.bytes.as_slice())
}

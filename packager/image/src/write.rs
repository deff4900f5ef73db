//! Putting an image together.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use l4re_files::Draft;
use l4re_packager_base::{Diagnostic, Failure, Report};
use md5::{Digest, Md5};

use crate::container::Plan;
use crate::gzip::hex;
use crate::image::{Checksums, Image, Module};
use crate::info::{self, Version};
use crate::layout::{Area, Place};
use crate::source::{Content, Source};

/// Access rights of a new image.
const MODE: u32 = 0o644;

impl Image {
    /// Writes the image to a file, completely or not at all: a file that is there stays as it is
    /// until the new one is finished, so `to` can be the file that the image was read from.
    ///
    /// Equal images give equal bytes. What says who made an image, where and when is left out.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the image could not start, something does not fit, or the file cannot be
    /// written.
    pub fn write(&self, to: &Path) -> Result<Report, Failure> {
        // Not the link, if there is one, but the file it leads to.
        let to = &fs::canonicalize(to).unwrap_or_else(|_| to.into());
        if fs::metadata(to).is_ok_and(|metadata| !metadata.is_file()) {
            let message = "is there and is no regular file; it is not replaced";
            return Err(Diagnostic::error("occupied", message).file(to).into());
        }
        let failed = |error: io::Error| Failure::io("write", to, &error);
        let mut draft = Draft::beside(to).map_err(failed)?;
        let report = self.write_file(draft.file(), to)?;
        draft.set_mode(MODE).map_err(failed)?;
        self.compare(&Self::open(draft.path())?)?;
        draft.persist(to).map_err(failed)?;
        Ok(report)
    }

    /// Writes the image to an empty file, which messages call `path`.
    fn write_file(&self, file: &mut File, path: &Path) -> Result<Report, Failure> {
        let ((), mut report) = self.check().into_result(())?;
        let attrs = self.anonymous_attrs();
        let area = Area::new(self, &attrs)?;
        let plan = self.container.plan(&self.info, area.end)?;
        let mut out = Out { file, path, position: 0 };
        out.copy(&plan.head.clone().into())?;
        let start = out.position;
        out.write(&area.table)?;
        let mut patches = Vec::new();
        for (module, place) in self.modules.iter().zip(&area.modules) {
            out.zeros(start + place.data)?;
            let checksums = out.module(module, &mut report)?;
            let Place { stored_md5, full_md5, .. } = place;
            patches.push((start + stored_md5, checksums.stored.into_bytes()));
            patches.push((start + full_md5, checksums.full.into_bytes()));
        }
        out.zeros(start.saturating_add(plan.area_len))?;
        out.copy(&plan.tail)?;
        patches.extend(self.info_patches(&plan, &area)?);
        patches.extend(plan.patches);
        for (offset, bytes) in patches {
            out.patch(offset, &bytes)?;
        }
        if plan.uimage {
            out.uimage()?;
        }
        Ok(report)
    }

    /// What changes in the image info, and in the cell with the end of the image.
    fn info_patches(&self, plan: &Plan, area: &Area) -> Result<Vec<(u64, Vec<u8>)>, Diagnostic> {
        let info = &self.info;
        let old = self.container.area(info)?;
        // Both can lie behind the modules, and then move.
        let moved = |offset: u64| {
            let moved = if offset >= old.end {
                offset - old.end + old.start + plan.area_len
            } else {
                offset
            };
            plan.body + moved
        };
        let base = info.area - info.start;
        let attrs = if area.has_attrs { base } else { 0 };
        let header = base.checked_add(area.header).ok_or_else(|| {
            let message = format!("no room for modules at {:#x}", info.area);
            self.container.body.error("image-info", message, info.position + 64)
        })?;
        let mut patches = vec![
            (moved(info.position) + info::MODULE_HEADER, header.to_le_bytes().into()),
            (moved(info.position) + info::ATTRS, attrs.to_le_bytes().into()),
        ];
        if let Some(cell) = info.end_cell {
            let body = &self.container.body;
            let offset = self.container.offset_of(info, cell);
            let offset = offset.filter(|offset| {
                body.slice(*offset, 8).is_some() && !(old.start..old.end).contains(offset)
            });
            let Some(offset) = offset else {
                let message =
                    format!("the cell for the image's end, {cell:#x}, is not in the file");
                return Err(body.error("truncated", message, info.position + 72));
            };
            let end = info.area.saturating_add(area.end);
            patches.push((moved(offset), end.to_le_bytes().into()));
        }
        Ok(patches)
    }

    /// What was written must read as what was meant: the last thing that is done before the old
    /// file goes.
    fn compare(&self, written: &Self) -> Result<(), Diagnostic> {
        let table = |image: &Self| -> Vec<_> {
            let modules = image.modules.iter();
            modules
                .map(|module| {
                    let Module { name, command_line, attrs, .. } = module.clone();
                    let sizes = (module.stored_size(), module.full_size());
                    let bits = match image.info.version {
                        Version::V1 => module.bits() & 0xffff_ffff,
                        Version::V2 => module.bits(),
                    };
                    (name, command_line, attrs, sizes, bits)
                })
                .collect()
        };
        let mut same = table(self) == table(written)
            && self.command_line == written.command_line
            && self.anonymous_attrs() == written.attrs;
        for (module, written) in self.modules.iter().zip(&written.modules) {
            same = same && module.content().is_same(written.content())?;
        }
        let message = "the new image does not read as it was written; nothing was replaced";
        if same { Ok(()) } else { Err(Diagnostic::error("internal", message)) }
    }
}

/// The file that is being written.
struct Out<'a> {
    file: &'a mut File,
    path: &'a Path,
    position: u64,
}

impl Out<'_> {
    fn failed(&self, error: &io::Error) -> Diagnostic {
        Diagnostic::error("io", format!("cannot write: {error}")).file(self.path)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Diagnostic> {
        self.file.write_all(bytes).map_err(|error| self.failed(&error))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn copy(&mut self, content: &Content) -> Result<(), Diagnostic> {
        content.for_each_chunk(&mut |chunk| self.write(chunk))
    }

    /// Fills up to a position that is at or behind the present one.
    fn zeros(&mut self, until: u64) -> Result<(), Diagnostic> {
        self.copy(&Source::zeros(until.saturating_sub(self.position)).into())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Diagnostic> {
        self.file.write_all_at(bytes, offset).map_err(|error| self.failed(&error))
    }

    /// Writes a module's bytes; answers their checksums. Those that are recorded are kept: of a
    /// module that was damaged before, they go on telling so.
    fn module(&mut self, module: &Module, report: &mut Report) -> Result<Checksums, Diagnostic> {
        let recorded = module.checksums();
        let wrong = |sums: &Checksums| module.is_compressed() && sums.stored == sums.full;
        if let Some(recorded) = recorded.filter(|recorded| !wrong(recorded)) {
            self.copy(module.content())?;
            return Ok(recorded.clone());
        }
        let mut md5 = Md5::new();
        module.content().for_each_chunk(&mut |chunk| {
            md5.update(chunk);
            self.write(chunk)
        })?;
        let stored = hex(md5);
        if let Some(recorded) = recorded {
            let message = format!(
                "module {}: the recorded checksum of the compressed bytes was that of the others; \
                 corrected",
                module.name
            );
            report.push(Diagnostic::warning("checksum", message));
            return Ok(Checksums { stored, full: recorded.full.clone() });
        }
        if module.is_compressed() {
            return module.compute_checksums();
        }
        Ok(Checksums { full: stored.clone(), stored })
    }

    /// Makes U-Boot's header fit: size, and checksums of the data and of the header itself. The time
    /// in it stays that of the bootstrap.
    fn uimage(&mut self) -> Result<(), Diagnostic> {
        let Some((size, true)) =
            self.position.checked_sub(64).map(|size| (size, size <= u64::from(u32::MAX)))
        else {
            let message = "more than 4 GiB do not fit into a uImage";
            return Err(Diagnostic::error("too-large", message).file(self.path));
        };
        let mut crc = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        let mut header = [0; 64];
        self.file.read_exact_at(&mut header, 0).map_err(|error| self.failed(&error))?;
        io::Seek::seek(self.file, io::SeekFrom::Start(64)).map_err(|error| self.failed(&error))?;
        loop {
            let read = self.file.read(&mut buffer).map_err(|error| self.failed(&error))?;
            let Some(chunk @ [_, ..]) = buffer.get(..read) else { break };
            crc.update(chunk);
        }
        let mut set = |offset: usize, value: u32| {
            if let Some(field) = header.get_mut(offset..offset + 4) {
                field.copy_from_slice(&value.to_be_bytes());
            }
        };
        set(12, size as u32);
        set(24, crc.finalize());
        set(4, 0);
        let crc = crc32fast::hash(&header).to_be_bytes();
        self.patch(0, &header)?;
        self.patch(4, &crc)
    }
}

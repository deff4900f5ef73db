//! A kernel of the distribution and an initial RAM disk for it, to boot the image in QEMU or under
//! uvmm. The distribution's kernels have disk drivers and ext4 as modules, so they need one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection};

use super::filesystem::{Filesystem, Kind};
use super::{Arch, RootfsOptions, apt, unpack};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, place_file};

/// What runs in the initial RAM disk: statically linked, with `insmod` and `switch_root`.
const BUSYBOX: &str = "busybox-static";

/// Modules for a disk on either bus, the root file system, and what systemd wants on top; those
/// that a kernel does not have as modules are built in.
const MODULES: [&str; 6] =
    ["virtio_mmio", "virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "autofs4"];

const INIT: &str = include_str!("init.sh");

/// Fetches or finds the kernel; makes `OUT/boot-<arch>` with `Image` and `initrd.img`. The folder.
pub(super) fn make(
    options: &RootfsOptions,
    arch: Arch,
    cache: &Path,
    progress: &mut dyn Progress,
) -> Result<PathBuf, Failure> {
    let debs = match &options.debs {
        Some(folder) => apt::debs(folder)?,
        None => {
            let names = [arch.kernel(), BUSYBOX];
            apt::download(arch.debian(), &cache.join("kernel"), cache, &names, progress)?
        }
    };
    let mut system = Filesystem::default();
    progress.step(&format!("unpacking the kernel for {}", arch.name()));
    for deb in debs.iter().filter(|deb| belongs(deb, arch)) {
        unpack(&mut system, deb)?;
    }
    let kernel = system
        .iter()
        .find(|(path, _)| path.starts_with("boot/vmlinuz-"))
        .and_then(|(path, _)| system.bytes(path))
        .ok_or_else(|| missing("no kernel (linux-image-…)", arch))?;
    let busybox =
        system.bytes("bin/busybox").ok_or_else(|| missing("no package busybox-static", arch))?;
    let modules = modules(&system)?;
    let initrd = archive(busybox, &modules).map_err(|error| {
        Diagnostic::error("initrd", format!("cannot make the initial RAM disk: {error}"))
    })?;
    let folder = options.out.join(format!("boot-{}", arch.name()));
    fs::create_dir_all(&folder).map_err(|error| Failure::io("write", &folder, &error))?;
    place_file(&folder.join("Image"), kernel, false)?;
    place_file(&folder.join("initrd.img"), &initrd, false)?;
    Ok(folder)
}

/// Whether a package is for the initial RAM disk and not for the root file system.
pub(super) fn is_for_boot(deb: &Path) -> bool {
    let name = deb.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("linux-image-") || name.starts_with("busybox-static_")
}

fn belongs(deb: &Path, arch: Arch) -> bool {
    let stem = deb.file_stem().unwrap_or_default().to_string_lossy();
    is_for_boot(deb) && stem.ends_with(&format!("_{}", arch.debian()))
}

fn missing(what: &str, arch: Arch) -> Failure {
    let message = format!("{what} for {} among the packages", arch.debian());
    let help = format!("put {} and {BUSYBOX} into the folder of --debs", arch.kernel());
    Diagnostic::error("no-kernel", message).help(help).into()
}

/// The modules and what they depend on, each after what it needs.
fn modules(system: &Filesystem) -> Result<Vec<(String, Vec<u8>)>, Diagnostic> {
    let mut files = BTreeMap::new();
    for (path, node) in system.iter().filter(|(path, _)| path.starts_with("usr/lib/modules/")) {
        let file = path.rsplit('/').next().unwrap_or_default();
        let (Kind::File(bytes), Some((stem, end))) = (&node.kind, file.split_once(".ko")) else {
            continue;
        };
        if !end.is_empty() {
            let message = format!("{file}: compressed modules are not supported");
            let help = "take a release with plain ones, such as --suite bookworm";
            return Err(Diagnostic::error("modules", message).help(help));
        }
        files.insert(stem.replace('-', "_"), bytes.as_slice());
    }
    let mut order = Vec::new();
    for wanted in MODULES {
        add(wanted, &files, &mut Vec::new(), &mut order)?;
    }
    Ok(order)
}

/// Adds a module behind what it needs. `open` are those on the way here.
fn add(
    name: &str,
    files: &BTreeMap<String, &[u8]>,
    open: &mut Vec<String>,
    order: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), Diagnostic> {
    let Some(bytes) = files.get(name) else { return Ok(()) };
    if open.iter().any(|other| other == name) || order.iter().any(|(other, _)| other == name) {
        return Ok(());
    }
    open.push(name.into());
    for needed in depends(bytes)
        .ok_or_else(|| Diagnostic::error("modules", format!("{name}.ko is no kernel module")))?
    {
        add(&needed, files, open, order)?;
    }
    open.pop();
    order.push((name.into(), bytes.to_vec()));
    Ok(())
}

/// The modules that a module names in its section `.modinfo`, which is `key=value`, each with a NUL.
fn depends(module: &[u8]) -> Option<Vec<String>> {
    let file = object::File::parse(module).ok()?;
    let info = file.section_by_name(".modinfo")?.data().ok()?;
    let mut values = info.split(|&byte| byte == 0).filter_map(|entry| {
        std::str::from_utf8(entry)
            .ok()?
            .strip_prefix("depends=")
            .map(|names| names.replace('-', "_"))
    });
    let names = values.next().unwrap_or_default();
    Some(names.split(',').filter(|name| !name.is_empty()).map(String::from).collect())
}

fn archive(busybox: &[u8], modules: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut add = |name: &str, mode: u32, bytes: &[u8]| {
        let size = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
        let mut entry = cpio::newc::Builder::new(name).mode(mode).write(&mut archive, size);
        entry.write_all(bytes)?;
        entry.finish().map(drop)
    };
    for folder in ["bin", "dev", "modules", "root"] {
        add(folder, 0o040_755, &[])?;
    }
    add("init", 0o100_755, INIT.as_bytes())?;
    add("bin/busybox", 0o100_755, busybox)?;
    let mut list = String::new();
    for (name, bytes) in modules {
        add(&format!("modules/{name}.ko"), 0o100_644, bytes)?;
        list.push_str(name);
        list.push('\n');
    }
    add("modules/list", 0o100_644, list.as_bytes())?;
    cpio::newc::trailer(&mut archive)?;
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module: a relocatable ELF file with what it depends on.
    fn module(needs: &str) -> Vec<u8> {
        use object::write::{Object, SectionId};
        use object::{Architecture, BinaryFormat, Endianness, SectionKind};
        let mut object = Object::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
        let section: SectionId =
            object.add_section(Vec::new(), b".modinfo".to_vec(), SectionKind::ReadOnlyData);
        let text = format!("license=GPL\0depends={needs}\0name=x\0");
        object.append_section_data(section, text.as_bytes(), 1);
        object.write().unwrap()
    }

    fn order(files: &[(&str, Vec<u8>)]) -> Result<Vec<String>, Diagnostic> {
        let mut system = Filesystem::default();
        for (path, bytes) in files {
            system.file(&format!("lib/modules/6.1/kernel/{path}"), bytes.clone(), 0o644).unwrap();
        }
        Ok(modules(&system)?.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn modules_come_after_what_they_need_and_a_circle_ends() {
        let names = order(&[
            ("fs/ext4.ko", module("jbd2,mb-cache")),
            ("fs/jbd2.ko", module("")),
            ("fs/mb-cache.ko", module("jbd2")),
            ("virtio/virtio-blk.ko", module("virtio_pci")),
            ("virtio/virtio_pci.ko", module("virtio_blk")),
            ("net/other.ko", module("")),
        ]);
        assert_eq!(names.unwrap(), ["virtio_blk", "virtio_pci", "jbd2", "mb_cache", "ext4"]);
    }

    #[test]
    fn what_is_no_module_or_compressed_is_refused() {
        let message = order(&[("ext4.ko", b"ELF?".to_vec())]).unwrap_err().to_string();
        assert!(message.contains("ext4.ko is no kernel module"), "{message}");
        let message = order(&[("ext4.ko.xz", Vec::new())]).unwrap_err().to_string();
        assert!(message.contains("ext4.ko.xz: compressed modules"), "{message}");
    }
}

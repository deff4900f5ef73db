//! Booting a root file system under a Linux kernel, as a look at the userland.

use std::path::{Path, PathBuf};

use l4re_qemu::{Machine, Vm};
use rustix::io::Errno;

use super::{ImageOptions, attached, qemu};
use l4re_packager_base::{Diagnostic, Failure};

/// What is seen when a system with systemd has started.
pub(super) const STARTED: &str = r"Reached target .*(multi-user\.target|Multi-User)";

/// The initial RAM disk's name beside a kernel that `packager rootfs --with-kernel` made.
const INITRD: &str = "initrd.img";

/// The kernel's command line: a guest that panics ends, and with it QEMU.
const COMMAND_LINE: &str = "console=ttyAMA0 root=/dev/vda rw panic=1";

/// A Linux kernel to boot a root file system with.
#[derive(Debug, Clone)]
pub struct Linux {
    /// The kernel: an arm64 `Image`.
    pub kernel: PathBuf,
    /// Its initial RAM disk; `initrd.img` beside the kernel, if that is there and none is given.
    pub initrd: Option<PathBuf>,
}

/// The machine with the root file system as its first disk.
pub(super) fn machine_for(options: &ImageOptions, linux: &Linux) -> Result<Vm, Failure> {
    if !is_ext(&options.image)? {
        let message = "is no root file system (ext4), which is what --kernel boots";
        let help = "a bootstrap image brings its own kernel: leave --kernel out";
        return Err(Diagnostic::error("no-rootfs", message).file(&options.image).help(help).into());
    }
    let magic = at::<4>(&linux.kernel, 0x38)?;
    if magic.as_ref() != Some(b"ARM\x64") {
        let message = "is no arm64 Linux kernel (Image, not compressed)";
        let help = "packager rootfs --with-kernel makes one: out/rootfs/boot-arm64/Image";
        return Err(Diagnostic::error("no-kernel", message).file(&linux.kernel).help(help).into());
    }
    let name = options.machine.as_deref().unwrap_or("virt");
    let machine = Machine::builtin(name).map_err(qemu)?;
    let mut vm = Vm::new(machine, &linux.kernel).append(COMMAND_LINE);
    let beside = linux.kernel.with_file_name(INITRD);
    if let Some(initrd) = linux.initrd.clone().or_else(|| beside.is_file().then_some(beside)) {
        vm = vm.initrd(initrd);
    }
    let disks: Vec<PathBuf> = [&options.image].into_iter().chain(&options.disks).cloned().collect();
    for disk in attached(&disks, options.transport, vm.machine()) {
        vm = vm.disk(disk);
    }
    Ok(vm)
}

/// Says of a root file system that is to be booted without a kernel what it is.
pub(super) fn refuse_root(image: &Path) -> Result<(), Failure> {
    if !is_ext(image)? {
        return Ok(());
    }
    let message = "is a root file system with a Linux userland, no bootstrap image: on L4Re a Linux \
                   kernel under uvmm runs it, with the block server's disk as its own";
    let help = "to look at it here, name a kernel: --kernel FILE (packager rootfs --with-kernel fetches \
                Debian's to out/rootfs/boot-arm64/Image)";
    Err(Diagnostic::error("rootfs", message).file(image).help(help).into())
}

/// Whether a file has the magic number of an ext file system.
fn is_ext(image: &Path) -> Result<bool, Failure> {
    Ok(at::<2>(image, 1024 + 56)?.as_ref() == Some(&0xef53_u16.to_le_bytes()))
}

/// Bytes of a regular file, if it is long enough.
fn at<const N: usize>(path: &Path, offset: u64) -> Result<Option<[u8; N]>, Failure> {
    use rustix::fs::{Mode, OFlags};
    use std::os::unix::fs::FileExt;
    let failed = |error: std::io::Error| Failure::io("read", path, &error);
    // A FIFO must not make us wait.
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())
        .map_err(|errno: Errno| failed(errno.into()))?;
    let file = std::fs::File::from(file);
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Diagnostic::error("no-file", "is no regular file").file(path).into());
    }
    let mut bytes = [0; N];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::run::Transport;

    fn options(image: &Path, linux: Option<Linux>) -> ImageOptions {
        ImageOptions {
            image: image.into(),
            machine: None,
            disks: Vec::new(),
            transport: Transport::Pci,
            time_limit: Duration::from_secs(1),
            expect: None,
            linux,
        }
    }

    fn words(vm: &Vm) -> Vec<String> {
        vm.args().unwrap().into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn kernel_ram_disk_and_root_are_where_they_belong() {
        let dir = tempfile::tempdir().unwrap();
        let [root, kernel] = ["root.ext4", "Image"].map(|name| dir.path().join(name));
        let mut bytes = vec![0; 2048];
        bytes[1080..1082].copy_from_slice(&[0x53, 0xef]);
        fs::write(&root, &bytes).unwrap();
        bytes[0x38..0x3c].copy_from_slice(b"ARM\x64");
        fs::write(&kernel, &bytes).unwrap();
        let linux = Linux { kernel: kernel.clone(), initrd: None };
        let has =
            |words: &[String], a: &str, b: &str| words.windows(2).any(|w| w[0] == a && w[1] == b);
        let line = words(&machine_for(&options(&root, None), &linux).unwrap());
        assert!(has(&line, "-append", COMMAND_LINE) && !line.contains(&"-initrd".into()));
        assert!(line.iter().any(|word| word.contains("root.ext4")), "{line:?}");
        fs::write(dir.path().join(INITRD), "x").unwrap();
        let line = words(&machine_for(&options(&root, None), &linux).unwrap());
        assert!(has(&line, "-initrd", dir.path().join(INITRD).to_str().unwrap()), "{line:?}");
        // What is no root file system, and what is no kernel.
        let text = machine_for(&options(&dir.path().join(INITRD), None), &linux).unwrap_err();
        assert!(text.to_string().contains("is no root file system"), "{text}");
        let linux = Linux { kernel: root.clone(), initrd: None };
        let text = machine_for(&options(&root, None), &linux).unwrap_err();
        assert!(text.to_string().contains("is no arm64 Linux kernel"), "{text}");
        // Without a kernel it is said what the image is.
        let text = crate::run::run_image(&options(&root, None), &mut |_| {}).unwrap_err();
        assert!(text.to_string().contains("a Linux userland, no bootstrap image"), "{text}");
    }
}

//! A Linux guest under uvmm as a client of the block server: the server's disk is its `/dev/vda`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use l4re_programs::Program;
use l4re_qemu::{Disk, Limits, Vm};

use crate::disk::TestDisk;
use crate::guest::{self, Guests};
use crate::l4re::L4re;
use crate::run::Record;
use crate::scenario::{SERIAL, device};
use crate::system::{System, Transport};
use crate::{Context, Error, Result};

/// Modules that mounting an ext4 file system on a virtio-mmio disk needs, where they are not built
/// into the kernel; what they depend on is looked up.
const MODULES: [&str; 4] = ["virtio_mmio", "virtio_blk", "crc32c_generic", "ext4"];

/// A virtio-mmio node that uvmm forwards to the capability `blk`.
const OVERLAY: &str = "/dts-v1/;\n/plugin/;\n/ {\n  fragment@0 {\n    target-path = \"/l4vmm\";\n    \
    __overlay__ {\n      virtio_blk@5000 {\n        compatible = \"virtio,mmio\";\n        \
    reg = <0x5000 0x200>;\n        interrupts = <0 124 4>;\n        \
    l4vmm,vdev = \"proxy\";\n        l4vmm,virtiocap = \"blk\";\n      };\n    };\n  };\n};\n";

/// A Linux kernel to run under uvmm.
#[derive(Debug, Clone)]
pub struct LinuxGuest {
    /// An arm64 kernel, uncompressed (`Image`).
    pub kernel: PathBuf,
    /// Its modules: `lib/modules/<version>` of its package. None if everything is built in.
    pub modules: Option<PathBuf>,
}

/// Boots io, the block server and uvmm with the guest; the guest's `init` judges.
///
/// # Errors
///
/// If the system cannot be put together, or the guest does not pass.
pub fn run(
    l4re: &L4re,
    linux: &LinuxGuest,
    transport: Transport,
    disk: &TestDisk,
    show: bool,
) -> Result<Record> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let boot = Boot {
        kernel: &linux.kernel,
        initrd: initramfs(linux)?,
        command_line: "console=ttyAMA0 quiet panic=1",
    };
    let vm = system(l4re, &boot, transport, folder.path())?.disk(device(disk, transport));
    let limits = Limits { time: l4re_qemu::patience(300), ..Limits::default() };
    let record = Record::of(&vm, &limits, show)?.passed()?;
    disk.fsck()?;
    Ok(record)
}

/// Boots the guest from a root file system on the served disk, up to what systemd says of itself:
/// `root` is what `packager rootfs --arch arm64 --with-kernel` made, with a unit that prints the result. The
/// guest writes to a copy of the image at `disk`.
///
/// # Errors
///
/// If the system cannot be put together, systemd does not get on, or the file system has errors
/// afterwards.
pub fn systemd(
    l4re: &L4re,
    root: &Path,
    transport: Transport,
    disk: &Path,
    show: bool,
) -> Result<Record> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let image = root.join("systemd-arm64.ext4");
    fs::copy(&image, disk).context(image.display())?;
    let initrd = root.join("boot-arm64/initrd.img");
    let boot = Boot {
        kernel: &root.join("boot-arm64/Image"),
        initrd: fs::read(&initrd).context(initrd.display())?,
        command_line: "console=ttyAMA0 root=/dev/vda rw panic=1",
    };
    let device = Disk::file(disk, transport.place(0)).serial(SERIAL);
    let vm = system(l4re, &boot, transport, folder.path())?.disk(device);
    let limits = Limits { time: Duration::from_secs(1800), ..Limits::default() };
    Record::of(&vm, &limits, show)?.passed()
}

/// What uvmm starts.
struct Boot<'a> {
    kernel: &'a Path,
    /// The content of the initial RAM disk.
    initrd: Vec<u8>,
    command_line: &'a str,
}

fn system(l4re: &L4re, boot: &Boot<'_>, transport: Transport, folder: &Path) -> Result<Vm> {
    let base = System::new(transport);
    let write = |name: &str, data: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, data).context(path.display())
    };
    write("hw_virtio.io", System::io_hardware().as_bytes())?;
    write("bus.io", base.io_bus().as_bytes())?;
    write("guest.ned", ned_script(boot.command_line).as_bytes())?;
    write("modules.list", MODULE_LIST.as_bytes())?;
    write("guest.img", &boot.initrd)?;
    fs::copy(boot.kernel, folder.join("guest.kernel")).context(boot.kernel.display())?;
    device_tree(&l4re.asset("dtb/virt-arm_virt-64.dtb"), folder)?;
    l4re.boot(folder, "modules.list", "guest", &[&Guests::build()?.server()])
}

const MODULE_LIST: &str = "entry guest\nkernel fiasco -serial_esc\nroottask moe rom/guest.ned\n\
    module l4re\nmodule ned\nmodule cons\nmodule io\nmodule uvmm\nmodule virtio-blk-drv\n\
    module hw_devices.io\nmodule hw_virtio.io\nmodule bus.io\nmodule guest.ned\n\
    module guest.dtb\nmodule[nostrip] guest.kernel\nmodule[nostrip] guest.img\n";

fn ned_script(command_line: &str) -> String {
    let mut s = System::ned_prelude();
    s += &format!(
        "local log_fab = ld:new_channel()\n\
         -- uvmm's serial line wants a log that takes input; moe's does not, cons's does.\n\
         ld:start({{ log = L4.Env.log, scheduler = sched(0x68), caps = {{ cons = log_fab:svr() }} }}, \
         \"rom/cons -a\")\n\
         local blk = ld:new_channel()\n\
         ld:start({{\n  log = {{ \"blk\", \"b\" }},\n  scheduler = sched(0x60),\n  \
         caps = {{ vbus = vbus, svr = blk:svr() }},\n}}, \"rom/virtio-blk-drv -v\")\n\
         local disk = create(blk, 0, \"ds-max=5\", \"device={SERIAL}\")\n\
         local flags = L4.Mem_alloc_flags\n\
         local ram = L4.Env.user_factory:create(L4.Proto.Dataspace, 256 * 1024 * 1024,\n  \
         flags.Continuous | flags.Pinned | flags.Super_pages, 21):m(\"rw\")\n\
         ld:startv({{\n  log = log_fab:create(L4.Proto.Log, \"vm\", \"w\", \"key=1\"),\n  \
         scheduler = sched(0x10),\n  caps = {{ ram = ram, blk = disk }},\n}}, \
         \"rom/uvmm\", \"-krom/guest.kernel\", \"-rrom/guest.img\", \"-drom/guest.dtb\",\n  \
         \"-c{command_line}\")\n"
    );
    s
}

/// Adds the disk to uvmm's own device tree.
fn device_tree(base: &Path, folder: &Path) -> Result<()> {
    let source = folder.join("disk.dtso");
    let overlay = folder.join("disk.dtbo");
    fs::write(&source, OVERLAY).context(source.display())?;
    tool(
        Program::declared("dtc")
            .command()
            .args(["-q", "-@", "-O", "dtb", "-o"])
            .arg(&overlay)
            .arg(&source),
    )?;
    tool(
        Program::declared("fdtoverlay")
            .command()
            .arg("-i")
            .arg(base)
            .arg("-o")
            .arg(folder.join("guest.dtb"))
            .arg(&overlay),
    )
    .map(drop)
}

/// Runs a program and returns what it printed.
fn tool(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().context(&name)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::new(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr))))
}

/// The initial RAM disk: our `init`, and the modules in loading order.
fn initramfs(linux: &LinuxGuest) -> Result<Vec<u8>> {
    let init = guest::build_linux_init()?;
    let mut archive = Vec::new();
    let mut add = |name: &str, mode: u32, data: &[u8]| {
        let builder = cpio::newc::Builder::new(name).mode(mode);
        let size = u32::try_from(data.len()).context(name)?;
        let mut writer = builder.write(&mut archive, size);
        writer.write_all(data).context(name)?;
        writer.finish().context(name).map(drop)
    };
    add("dev", 0o040_755, &[])?;
    add("modules", 0o040_755, &[])?;
    add("init", 0o100_755, &fs::read(&init).context(init.display())?)?;
    let mut list = String::new();
    for (name, data) in modules(linux)? {
        add(&format!("modules/{name}"), 0o100_644, &data)?;
        list += &name;
        list.push('\n');
    }
    add("modules/list", 0o100_644, list.as_bytes())?;
    cpio::newc::trailer(&mut archive).context("the initial RAM disk")?;
    Ok(archive)
}

/// The wanted modules and what they depend on, each after what it needs, uncompressed. Those that
/// are not there are built in.
fn modules(linux: &LinuxGuest) -> Result<Vec<(String, Vec<u8>)>> {
    let Some(folder) = &linux.modules else { return Ok(Vec::new()) };
    let mut files = BTreeMap::new();
    find_modules(folder, &mut files).context(format!("GUEST_MODULES: {}", folder.display()))?;
    if files.is_empty() {
        let text = format!("GUEST_MODULES: no module (*.ko) below {}", folder.display());
        return Err(Error::new(text));
    }
    let mut order = Vec::new();
    for wanted in MODULES {
        add_module(wanted, &files, &mut order)?;
    }
    Ok(order)
}

/// All module files below `folder`, by module name.
fn find_modules(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find_modules(&path, files)?;
        } else if path.file_name().is_some_and(|n| n.to_string_lossy().contains(".ko")) {
            files.insert(stem(&path.to_string_lossy()), path);
        }
    }
    Ok(())
}

fn add_module(
    name: &str,
    files: &BTreeMap<String, PathBuf>,
    order: &mut Vec<(String, Vec<u8>)>,
) -> Result<()> {
    let file = format!("{name}.ko");
    let Some(path) = files.get(name).filter(|_| !order.iter().any(|(n, _)| *n == file)) else {
        return Ok(());
    };
    let data = unpacked(path)?;
    for needed in depends(&data) {
        add_module(&needed, files, order)?;
    }
    order.push((file, data));
    Ok(())
}

/// The modules that a module names in its `.modinfo` section: `depends=a,b` and a NUL.
fn depends(module: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let Some(at) = module.windows(key.len()).position(|w| w == key) else { return Vec::new() };
    let value = &module[at + key.len()..];
    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
    let names = String::from_utf8_lossy(&value[..end]).replace('-', "_");
    names.split(',').filter(|n| !n.is_empty()).map(String::from).collect()
}

/// `kernel/fs/ext4/ext4.ko.xz` → `ext4`; dashes and underscores are the same in module names.
fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|e| e.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(path).context(path.display()),
    };
    tool(Program::declared(program).command().arg("-dc").arg(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_after_what_they_need() {
        let dir = tempfile::tempdir().unwrap();
        let fs_dir = dir.path().join("fs");
        fs::create_dir(&fs_dir).unwrap();
        let module = |name: &str, needs: &str| {
            fs::write(fs_dir.join(name), format!("ELF\0depends={needs}\0more")).unwrap();
        };
        module("ext4.ko", "mbcache,jbd2");
        module("jbd2.ko", "");
        module("mbcache.ko", "");
        module("virtio-blk.ko", "");
        let linux = LinuxGuest { kernel: PathBuf::new(), modules: Some(dir.path().to_owned()) };
        let names: Vec<String> = modules(&linux).unwrap().into_iter().map(|m| m.0).collect();
        assert_eq!(names, ["virtio_blk.ko", "mbcache.ko", "jbd2.ko", "ext4.ko"]);
    }
}

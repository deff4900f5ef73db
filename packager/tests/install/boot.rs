//! Installing into bootstrap images.

use std::fs;
use std::path::Path;

use l4re_image::{Image, Kind, Module, Source};

use super::{DRVINFO, Elf, fails, good, names, package};

/// A bootstrap for arm64 as a memory image: its info, and nothing else.
fn bootstrap() -> Vec<u8> {
    let mut bytes = vec![0; 0x100];
    bytes.extend(b"<< L4Re Bootstrap Image Info >>\0");
    bytes.extend([0u32.to_le_bytes(), 2u32.to_le_bytes()].concat());
    let start = 0x4000_0000u64;
    for word in [3, start, start + 0x2000, start + 0x1000, 0, 0, 0] {
        bytes.extend(u64::to_le_bytes(word));
    }
    bytes.resize(0x1000, 0);
    bytes
}

/// An image that starts ned with a script, with io and what describes the hardware.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn image(path: &Path) {
    let mut image = Image::read(Source::from_bytes(bootstrap())).unwrap();
    for (kind, line) in [
        (Kind::Kernel, "fiasco"),
        (Kind::Sigma0, "sigma0"),
        (Kind::Roottask, "moe rom/hello.cfg"),
        (Kind::File, "l4re"),
        (Kind::File, "ned"),
        (Kind::File, "io"),
        (Kind::File, "hw_devices.io"),
        (Kind::File, "hello.cfg"),
    ] {
        let name = line.split(' ').next().unwrap_or_default();
        let mut module = Module::new(name, Source::from_bytes(line.as_bytes()));
        module.kind = kind;
        module.command_line = line.into();
        image.add(module, None).unwrap();
    }
    image.write(path).unwrap();
}

#[expect(clippy::unwrap_used, reason = "used by the tests below")]
fn module(path: &Path, name: &str) -> Vec<u8> {
    let image = Image::open(path).unwrap();
    image.rom(name).unwrap().content().to_vec(1 << 20).unwrap()
}

#[test]
fn a_driver_comes_with_what_starts_it_and_once_only() {
    let dir = package("driver");
    let file = dir.path().join("boot");
    image(&file);
    let before = fs::read(&file).unwrap();
    let said = good(dir.path(), &["--image", "boot", "-n"]);
    assert!(said.contains("would be installed as rom/demo-drv"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before, "a dry run changes nothing");

    let said = good(dir.path(), &["--image", "boot", "-o", "new"]);
    assert!(said.contains("root task: moe rom/demo.ned rom/hello.cfg"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before, "the input is changed");
    let new = dir.path().join("new");
    assert_eq!(module(&new, "demo-drv"), Elf::good(DRVINFO).0);
    let script = String::from_utf8(module(&new, "demo.ned")).unwrap();
    assert!(script.contains("\"rom/demo-drv\"") && script.contains("\"rom/io\""), "{script}");
    // The same once more changes nothing, and adds nothing a second time.
    let first = fs::read(&new).unwrap();
    good(dir.path(), &["--image", "new"]);
    assert_eq!(fs::read(&new).unwrap(), first);
    assert_eq!(names(dir.path()), ["boot", "demo", "new"]);
}

#[test]
fn a_word_names_the_module() {
    let dir = package("driver");
    let file = dir.path().join("boot");
    image(&file);
    good(dir.path(), &["rom/other-drv", "--image", "boot"]);
    assert_eq!(module(&file, "other-drv"), Elf::good(DRVINFO).0);
    let script = String::from_utf8(module(&file, "demo.ned")).unwrap();
    assert!(script.contains("\"rom/other-drv\""), "{script}");
    let message = fails(dir.path(), &["/usr/lib/drivers/", "--image", "boot"]);
    assert!(message.contains("those are rom/<name>, without folders"), "{message}");
}

#[test]
fn a_tool_becomes_a_file_and_a_newer_one_takes_its_place() {
    let dir = package("tool");
    let file = dir.path().join("boot");
    image(&file);
    let said = good(dir.path(), &["--image", "boot"]);
    assert!(said.contains("installed as rom/demo-drv"), "{said}");
    assert_eq!(module(&file, "demo-drv"), Elf::good(DRVINFO).0);
    let before = fs::read(&file).unwrap();
    good(dir.path(), &["--image", "boot"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    // What is the kernel's name does not become the kernel.
    let message = fails(dir.path(), &["rom/fiasco", "--image", "boot"]);
    assert!(message.contains("there is a module `fiasco` already"), "{message}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn the_first_program_is_refused_with_the_way_to_do_it_by_hand() {
    let dir = package("init");
    let file = dir.path().join("boot");
    image(&file);
    let before = fs::read(&file).unwrap();
    let message = fails(dir.path(), &["--image", "boot"]);
    assert!(message.contains("packager image replace boot"), "{message}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn an_image_that_lacks_something_or_is_damaged_stays_as_it_is() {
    let dir = package("driver");
    let file = dir.path().join("boot");
    fs::write(&file, bootstrap()).unwrap();
    let message = fails(dir.path(), &["--image", "boot"]);
    assert!(message.contains("does not have exactly one root task"), "{message}");
    image(&file);
    let mut bytes = fs::read(&file).unwrap();
    let header = bytes.windows(32).position(|at| at == b"<< L4Re-bootstrap-modinfo-mod >>");
    bytes[header.unwrap()] = 0;
    fs::write(&file, &bytes).unwrap();
    let message = fails(dir.path(), &["--image", "boot"]);
    assert!(message.contains("no record of module 0 here"), "{message}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let message = fails(dir.path(), &["--image", "boot", "--partition", "1"]);
    assert!(message.contains("without partitions"), "{message}");
    assert_eq!(names(dir.path()), ["boot", "demo"]);
}

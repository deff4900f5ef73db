//! Installing, by the command as users call it: places by kind, images checked by the tools of their
//! file systems, and nothing left behind where something fails.

#![cfg(target_os = "linux")]

#[path = "install/boot.rs"]
mod boot;
#[path = "install/disk.rs"]
mod disk;
#[path = "install/ext.rs"]
mod ext;
#[path = "install/fat.rs"]
mod fat;
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use l4re_packager_core::elf::{self, Expect};
use l4re_packager_core::manifest::Manifest;
use l4re_packager_core::package::{Binary, Input, emit};
use l4re_packager_core::target::Target;
use l4re_packager_outputs::install::strip;
use l4re_programs::Program;
use l4re_udi::section;
use support::{DRVINFO, Elf};
use tempfile::TempDir;

const MANIFEST: &str = "[driver]\nname = \"demo\"\ndescription = \"A driver for tests\"\n\
    class = \"block\"\nmaintainer = \"a@example.org\"\nlicence = \"MIT\"\nkind = \"KIND\"\n\
    [[target]]\nname = \"aarch64\"\n[l4re.bus]\npci = [\"CC_01\"]\n";

/// Folder with a package `demo` of this kind.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn package(kind: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = MANIFEST.replace("KIND", kind);
    let (manifest, _) = Manifest::from_toml(Path::new("driver.toml"), &text).unwrap();
    let target = Target::named("aarch64").unwrap();
    let bytes = Elf::good(DRVINFO).0;
    let expect = Expect { target: &target, drvinfo: true, c_code: false };
    let info = elf::verify(&bytes, &expect).0.unwrap().info;
    let binaries = [Binary { target, bytes, info }];
    let input = Input {
        manifest: &manifest,
        manifest_text: &text,
        program: "demo-drv",
        binaries: &binaries,
    };
    emit(&input).unwrap().write(&folder.path().join("demo")).unwrap();
    folder
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn packager(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
    command.args(["install", "demo", "--keep-symbols"]).args(arguments);
    command.current_dir(folder).output().unwrap()
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = packager(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = packager(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn tool(folder: &Path, words: &[&str]) -> Output {
    let mut command = Program::declared(words[0]).command();
    command.args(&words[1..]).current_dir(folder).env("LC_ALL", "C").output().unwrap()
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn image(folder: &Path, name: &str, make: &[&str]) -> PathBuf {
    let path = folder.join(name);
    fs::File::create(&path).unwrap().set_len(8 << 20).unwrap();
    assert!(tool(folder, &[make, &[name]].concat()).status.success());
    path
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn names(folder: &Path) -> Vec<String> {
    let items = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        items.map(|item| item.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_kind_in_the_manifest_decides_and_a_word_wins() {
    for (kind, place) in [("driver", "usr/lib/drivers/demo-drv"), ("tool", "usr/bin/demo-drv")] {
        let dir = package(kind);
        fs::create_dir(dir.path().join("root")).unwrap();
        good(dir.path(), &["--root", "root"]);
        let file = dir.path().join("root").join(place);
        assert_eq!(fs::read(&file).unwrap(), Elf::good(DRVINFO).0);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o755);
        good(dir.path(), &["/usr/bin/", "--root", "root"]);
        assert!(dir.path().join("root/usr/bin/demo-drv").is_file());
        assert_eq!(names(&dir.path().join("root/usr/bin")), ["demo-drv"]);
    }
    let dir = package("init");
    fs::create_dir(dir.path().join("root")).unwrap();
    let message = fails(dir.path(), &["/sbin/", "--root", "root"]);
    assert!(message.contains("the initial file system") && message.contains("packager image"));
    assert_eq!(names(&dir.path().join("root")), [""; 0]);
}

#[test]
fn links_are_followed_inside_of_the_system_only() {
    let dir = package("driver");
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("usr/lib")).unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink(dir.path().join("outside"), root.join("abs")).unwrap();
    symlink("../outside", root.join("up")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    good(dir.path(), &["/lib/drivers/", "--root", "root"]);
    assert!(root.join("usr/lib/drivers/demo-drv").is_file());
    for place in ["/abs/", "/up/x", "/dangling/y"] {
        let message = fails(dir.path(), &[place, "--root", "root"]);
        assert!(message.contains("is a link that leads nowhere in the system"), "{message}");
    }
    assert_eq!(names(&dir.path().join("outside")), [""; 0]);
}

#[test]
fn an_ext_image_gets_the_program_and_stays_clean() {
    let dir = package("driver");
    for (name, make) in
        [("e2", &["mke2fs", "-q", "-t", "ext2"][..]), ("e4", &["mke2fs", "-q", "-t", "ext4"])]
    {
        let file = image(dir.path(), name, make);
        let before = fs::read(&file).unwrap();
        good(dir.path(), &["--image", name, "-o", "new.img"]);
        assert_eq!(fs::read(&file).unwrap(), before, "the input is changed");
        good(dir.path(), &["--image", name, "-o", "again.img"]);
        let new = fs::read(dir.path().join("new.img")).unwrap();
        assert_eq!(new, fs::read(dir.path().join("again.img")).unwrap(), "not reproducible");
        // Over an older one, in place.
        good(dir.path(), &["--image", "new.img"]);
        assert!(tool(dir.path(), &["e2fsck", "-fn", "new.img"]).status.success());
        let dump = "dump /usr/lib/drivers/demo-drv out";
        assert!(tool(dir.path(), &["debugfs", "-R", dump, "new.img"]).status.success());
        assert_eq!(fs::read(dir.path().join("out")).unwrap(), Elf::good(DRVINFO).0);
        let stat =
            tool(dir.path(), &["debugfs", "-R", "stat /usr/lib/drivers/demo-drv", "new.img"]);
        assert!(String::from_utf8_lossy(&stat.stdout).contains("Mode:  0755"));
    }
    assert_eq!(names(dir.path()), ["again.img", "demo", "e2", "e4", "new.img", "out"]);
}

#[test]
fn a_fat_image_gets_the_program_and_stays_clean() {
    let dir = package("driver");
    let file = image(dir.path(), "fat", &["mkfs.fat"]);
    let before = fs::read(&file).unwrap();
    good(dir.path(), &["--image", "fat", "-o", "new.img"]);
    assert_eq!(fs::read(&file).unwrap(), before, "the input is changed");
    good(dir.path(), &["--image", "fat", "-o", "again.img"]);
    let new = fs::read(dir.path().join("new.img")).unwrap();
    assert_eq!(new, fs::read(dir.path().join("again.img")).unwrap(), "not reproducible");
    good(dir.path(), &["--image", "new.img"]);
    assert!(tool(dir.path(), &["fsck.fat", "-n", "new.img"]).status.success());
    let list = tool(dir.path(), &["mdir", "-b", "-/", "-i", "new.img", "::/"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("::/usr/lib/drivers/demo-drv"));
    let copy = ["mcopy", "-i", "new.img", "::/usr/lib/drivers/demo-drv", "out"];
    assert!(tool(dir.path(), &copy).status.success());
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), Elf::good(DRVINFO).0);
}

#[test]
fn a_failure_leaves_the_old_image_and_nothing_else() {
    let dir = package("driver");
    let file = image(dir.path(), "e4", &["mke2fs", "-q", "-t", "ext4"]);
    // Too small for the program.
    let small = dir.path().join("small");
    fs::File::create(&small).unwrap().set_len(64 << 10).unwrap();
    assert!(
        tool(dir.path(), &["mke2fs", "-q", "-t", "ext2", "-N", "16", "small"]).status.success()
    );
    fs::write(dir.path().join("fill"), vec![1; 40 << 10]).unwrap();
    let full = tool(dir.path(), &["debugfs", "-w", "-R", "write fill fill", "small"]);
    assert!(full.status.success());
    fs::remove_file(dir.path().join("fill")).unwrap();
    let before = fs::read(&small).unwrap();
    let message = fails(dir.path(), &["--image", "small"]);
    assert!(message.contains("debugfs says"), "{message}");
    assert_eq!(fs::read(&small).unwrap(), before);
    // A tool that dies on the way, and one that says it wrote what it did not write.
    let tools = dir.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let real = "/sbin/debugfs";
    assert!(Path::new(real).is_file());
    for script in [
        "#!/bin/sh\ncase \"$3\" in write*) kill -9 $$;; esac\nexec REAL \"$@\"\n",
        "#!/bin/sh\ncase \"$3\" in write*) : > program;; esac\nexec REAL \"$@\"\n",
    ] {
        let fake = tools.join("debugfs");
        fs::write(&fake, script.replace("REAL", real)).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let before = fs::read(&file).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
        command.args(["install", "demo", "--keep-symbols", "--image", "e4"]);
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let output = command.current_dir(dir.path()).env("PATH", path).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
    // A folder in the program's place.
    fs::create_dir_all(dir.path().join("root/usr/lib/drivers/demo-drv/x")).unwrap();
    fails(dir.path(), &["--root", "root"]);
    assert_eq!(names(&dir.path().join("root/usr/lib/drivers")), ["demo-drv"]);
    assert_eq!(names(dir.path()), ["demo", "e4", "root", "small", "tools"]);
}

#[test]
fn what_is_no_file_system_is_named() {
    let dir = package("driver");
    let mut disk = vec![0; 4096];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk[450] = 0xee;
    for (bytes, words) in [
        (b"text".to_vec(), "neither ext2"),
        (b"\x7fELF\x02".to_vec(), "the ELF header: 52 bytes wanted"),
        (disk, "the table of partitions is damaged"),
        (Vec::new(), "neither ext2"),
    ] {
        fs::write(dir.path().join("image"), &bytes).unwrap();
        let message = fails(dir.path(), &["--image", "image"]);
        assert!(message.contains(words), "{message}");
        assert_eq!(fs::read(dir.path().join("image")).unwrap(), bytes);
    }
    let mut broken = fs::read(image(dir.path(), "e4", &["mke2fs", "-q", "-t", "ext4"])).unwrap();
    broken[1100..1400].fill(0xff);
    fs::write(dir.path().join("image"), &broken).unwrap();
    fails(dir.path(), &["--image", "image"]);
    assert_eq!(fs::read(dir.path().join("image")).unwrap(), broken);
}

/// A program as linkers make it, with everything for debuggers.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn linked(folder: &Path) -> Vec<u8> {
    let source = "__attribute__((section(\".l4re.drvinfo\"))) const char info[] = \"drvinfo\\t1\\n\";\n\
        int number = 3;\nint _start(void) { return number; }\n";
    fs::write(folder.join("m.c"), source).unwrap();
    let words = ["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-g", "-o", "m", "m.c"];
    assert!(tool(folder, &words).status.success());
    let words = ["aarch64-linux-gnu-objcopy", "--set-section-flags", ".l4re.drvinfo=contents", "m"];
    assert!(tool(folder, &words).status.success());
    fs::read(folder.join("m")).unwrap()
}

#[test]
fn a_stripped_program_is_smaller_and_keeps_what_describes_it() {
    let dir = tempfile::tempdir().unwrap();
    let program = linked(dir.path());
    let attached = section::attach(&program, b"\0shortname demo\0").unwrap();
    let stripped = strip::strip(&attached).unwrap();
    assert!(stripped.len() < program.len());
    assert_eq!(section::content_of(&stripped), Ok(Some(&b"\0shortname demo\0"[..])));
    assert_eq!(section::detach(&stripped), strip::strip(&program));
    assert_eq!(strip::strip(&stripped), Ok(stripped.clone()));
    fs::write(dir.path().join("s"), &stripped).unwrap();
    let sections = tool(dir.path(), &["readelf", "-SW", "s"]);
    let text = String::from_utf8_lossy(&sections.stdout).into_owned();
    assert!(
        text.contains(".l4re.drvinfo") && !text.contains(".debug") && !text.contains(".symtab")
    );
    // The program headers are the same.
    let headers = |name: &str| tool(dir.path(), &["readelf", "-lW", name]).stdout;
    let lines = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().filter(|line| line.contains(" 0x")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(lines(headers("m")), lines(headers("s")));
}

#[test]
fn contents_outside_of_sections_are_not_lost() {
    let program = Elf::good(DRVINFO).0;
    let stripped = strip::strip(&program).unwrap();
    assert!(stripped.len() < program.len());
    // No section covers these: they are found by the program headers.
    assert_eq!(stripped[64..0x2008], program[64..0x2008]);
    let target = Target::named("aarch64").unwrap();
    let expect = Expect { target: &target, drvinfo: true, c_code: false };
    let info = |bytes: &[u8]| elf::verify(bytes, &expect).0.unwrap().info;
    assert_eq!(info(&stripped).unwrap().caps, info(&program).unwrap().caps);
}

#[test]
fn damaged_programs_are_refused_or_stripped() {
    use proptest::prelude::*;
    let dir = tempfile::tempdir().unwrap();
    let program = linked(dir.path());
    let changes = proptest::collection::vec((any::<u16>(), any::<u8>()), 1..10);
    proptest!(|(changes in changes, cut in any::<u16>(), tail in any::<bool>())| {
        let mut bytes = program.clone();
        let length = bytes.len();
        for (at, value) in changes {
            let at = usize::from(at);
            let at = if tail { length - 1 - at % 1500 } else { at % 400 };
            bytes[at] = value;
        }
        if cut % 4 == 0 {
            bytes.truncate(usize::from(cut) % length);
        }
        let _ = strip::strip(&bytes);
    });
}

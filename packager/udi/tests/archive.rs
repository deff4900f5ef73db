//! Packages: what is written, what is read back, what is refused, and that `tar` agrees.

use std::fs;

use l4re_programs::Program;
use l4re_udi::archive::{Component, File, Limits, Package, Place, TOP};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

fn file(bytes: &[u8], executable: bool) -> File {
    File { bytes: bytes.to_vec(), executable }
}

fn place(driver: &str) -> Place {
    Place { driver: driver.into(), alternate: "1".into(), component: "a-drv".into() }
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn package() -> Package {
    let mut component = Component::default();
    component.add("bin/arm64_armv8a-l4f/a-drv", file(b"\x7fELF", true)).unwrap();
    component.add("src/udiprops.txt", file(b"x", false)).unwrap();
    component.add("src/src/main.rs", file(b"fn main() {}", false)).unwrap();
    component.add("extra/driver.toml", file(b"", false)).unwrap();
    let mut package = Package::default();
    package.put(place("demo"), component).unwrap();
    package
}

fn read(bytes: &[u8]) -> Result<Package, String> {
    Package::from_bytes(bytes, Limits::default()).map_err(|finding| finding.to_string())
}

/// An archive with one entry.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn with(path: &[u8], kind: EntryType, change: impl FnOnce(&mut Header), data: &[u8]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(data.len() as u64);
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    change(&mut header);
    header.set_cksum();
    archive.append(&header, data).unwrap();
    archive.into_inner().unwrap()
}

#[test]
fn what_is_written_is_read_back_and_written_alike() {
    let bytes = package().to_bytes().unwrap();
    assert_eq!(read(&bytes), Ok(package()));
    assert_eq!(read(&bytes).unwrap().to_bytes().unwrap(), bytes);
}

#[test]
fn tar_lists_and_extracts_a_package() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("demo.udi"), package().to_bytes().unwrap()).unwrap();
    let tar = |arguments: &[&str]| {
        let output = Program::declared("tar")
            .command()
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = "udi-pkg.1/demo/1/a-drv/bin/arm64_armv8a-l4f/a-drv\n\
                udi-pkg.1/demo/1/a-drv/extra/driver.toml\n\
                udi-pkg.1/demo/1/a-drv/src/src/main.rs\n\
                udi-pkg.1/demo/1/a-drv/src/udiprops.txt\n";
    assert_eq!(tar(&["-tf", "demo.udi"]), list);
    tar(&["-xf", "demo.udi"]);
    let main = folder.path().join("udi-pkg.1/demo/1/a-drv/src/src/main.rs");
    assert_eq!(fs::read(main).unwrap(), b"fn main() {}");
    // And the other way round, with the folders that tar adds.
    tar(&["--format=pax", "-cf", "again.udi", "udi-pkg.1"]);
    assert_eq!(read(&fs::read(folder.path().join("again.udi")).unwrap()), Ok(package()));
    tar(&["--format=gnu", "-cf", "gnu.udi", "udi-pkg.1"]);
    assert_eq!(read(&fs::read(folder.path().join("gnu.udi")).unwrap()), Ok(package()));
}

#[test]
fn long_paths_survive() {
    let long = format!("src/{}/{}/x.c", "a".repeat(100), "b".repeat(100));
    let mut component = Component::default();
    component.add(&long, file(b"long", false)).unwrap();
    let mut package = Package::default();
    package.put(place("demo"), component).unwrap();
    let bytes = package.to_bytes().unwrap();
    assert_eq!(read(&bytes), Ok(package));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("long.udi"), bytes).unwrap();
    let mut tar = Program::declared("tar").command();
    let output = tar.args(["-tf", "long.udi"]).current_dir(folder.path()).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains(&long));
}

#[test]
fn what_leaves_the_folder_is_refused() {
    let good = format!("{TOP}/d/1/c/src/x.c");
    for path in [
        "/etc/passwd",
        "../udi-pkg.1/d/1/c/src/x.c",
        "udi-pkg.1/d/1/c/src/../../../../../etc/passwd",
        "udi-pkg.1//d/1/c/src/x.c",
        "udi-pkg.1/./d/1/c/src/x.c",
        "udi-pkg.1/d/1/c/src/a\\b.c",
        "udi-pkg.1/d/1/c/src/a\x1b[2J.c",
        "udi-pkg.1/d/1/c/other/x.c",
        "udi-pkg.1/d/1/x.c",
        "udi-pkg.2/d/1/c/src/x.c",
        "home/x",
    ] {
        let message = read(&with(path.as_bytes(), EntryType::Regular, |_| (), b"x")).unwrap_err();
        assert!(message.starts_with("at offset 0x0: error: "), "{path}: {message}");
        assert!(!message.contains('\x1b'), "{message}");
    }
    assert!(read(&with(good.as_bytes(), EntryType::Regular, |_| (), b"x")).is_ok());
    assert!(read(&with(b"udi-pkg.1/d/1/c/src/\xff.c", EntryType::Regular, |_| (), b"")).is_err());
}

#[test]
fn links_devices_and_sparse_files_are_refused() {
    let path = format!("{TOP}/d/1/c/src/x.c");
    let kinds = [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "a link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::Continuous, "no file and no folder"),
    ];
    for (kind, what) in kinds {
        let link = |header: &mut Header| header.set_link_name("/etc/passwd").unwrap();
        let message = read(&with(path.as_bytes(), kind, link, b"")).unwrap_err();
        assert!(message.contains(what), "{kind:?}: {message}");
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    let gnu = header.as_gnu_mut().unwrap();
    gnu.sparse[0].offset.copy_from_slice(b"77777777777\0");
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    gnu.realsize.copy_from_slice(b"77777777777\0");
    header.set_size(0);
    header.set_cksum();
    let mut archive = Builder::new(Vec::new());
    archive.append(&header, &b""[..]).unwrap();
    assert!(read(&archive.into_inner().unwrap()).is_err());
}

#[test]
fn what_is_there_twice_or_in_the_way_is_refused() {
    let mut component = Component::default();
    component.add("src/a.c", file(b"", false)).unwrap();
    for path in ["src/a.c", "src/a.c/b.c", "src", "src/", "bin/x", "bin/a/b/c", "msg/a/b", "..", ""]
    {
        assert!(component.add(path, file(b"", false)).is_err(), "{path}");
    }
    component.add("src/d/e.c", file(b"", false)).unwrap();
    assert!(component.add("src/d", file(b"", false)).is_err());
}

#[test]
fn an_archive_that_ends_too_early_or_is_too_large_is_refused() {
    let bytes = package().to_bytes().unwrap();
    for length in (0..bytes.len()).step_by(97) {
        assert!(read(&bytes[..length]).is_err(), "{length}");
    }
    let mut long = bytes.clone();
    long[124..136].copy_from_slice(b"77777777777\0");
    assert!(read(&long).is_err());
    let limits = Limits { archive: 1024, entries: 10 };
    assert!(Package::from_bytes(&bytes, limits).is_err());
    let limits = Limits { entries: 3, ..Limits::default() };
    assert!(Package::from_bytes(&bytes, limits).unwrap_err().message.contains("more than 3"));
    assert!(read(b"\x1f\x8b\x08").unwrap_err().contains("decompress it first"));
}

proptest! {
    #[test]
    fn damage_is_an_error_or_another_package(
        changes in proptest::collection::vec((0..8192usize, any::<u8>()), 1..20),
        cut in 0..8192usize,
    ) {
        let mut bytes = package().to_bytes().unwrap();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(cut.max(1));
        // Neither a panic nor a name that could leave the folder.
        if let Ok(package) = read(&bytes) {
            for (place, component) in package.components() {
                for (path, _) in component.files() {
                    let path = format!("{place}/{path}");
                    prop_assert!(path.split('/').all(|part| !["", ".", ".."].contains(&part)));
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(read(&bytes).is_err());
    }
}

/// An archive with pax records before a file.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn with_records(records: &[(&str, &str)], path: &str, data: &[u8]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    let records = records.iter().map(|(key, value)| (*key, value.as_bytes()));
    archive.append_pax_extensions(records).unwrap();
    let mut bytes = archive.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    let file = with(path.as_bytes(), EntryType::Regular, |_| {}, data);
    bytes.extend(file);
    bytes
}

#[test]
fn of_several_records_with_one_key_the_last_counts() {
    let [first, last] = ["a", "b"].map(|name| format!("udi-pkg.1/demo/1/m/src/{name}.c"));
    let bytes = with_records(&[("path", &first), ("mtime", "1"), ("path", &last)], "x", b"text");
    let package = read(&bytes).unwrap();
    let (_, component) = package.components().next().unwrap();
    assert_eq!(component.files().map(|(path, _)| path).collect::<Vec<_>>(), ["src/b.c"]);
    // GNU tar sees it the same way.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p.udi"), &bytes).unwrap();
    let mut tar = Program::declared("tar").command();
    let output = tar.arg("-tf").arg(folder.path().join("p.udi")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), last);
    // Sizes, too: the first one would put the end of the file somewhere else.
    let bytes = with_records(&[("size", "900"), ("size", "4")], &last, b"text");
    assert_eq!(read(&bytes).unwrap(), package);
}

#[test]
fn impossible_sizes_are_refused() {
    let path = "udi-pkg.1/demo/1/m/src/a.c";
    for size in ["-1", "4.5", "", "99999999999999999999", "0x4"] {
        let message = read(&with_records(&[("size", size)], path, b"text")).unwrap_err();
        assert!(message.contains("an impossible size"), "{size}: {message}");
    }
    let sized = |field: &[u8; 12], kind, path: &str| {
        let change = |header: &mut Header| header.as_old_mut().size = *field;
        read(&with(path.as_bytes(), kind, change, b"text"))
    };
    let file = EntryType::Regular;
    assert!(sized(b"00000000004\0", file, path).is_ok());
    assert!(sized(b"\x80\0\0\0\0\0\0\0\0\0\0\x04", file, path).is_ok());
    for field in [
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\x01\0\0\0\0\0\0\0\x04",
        b"00000000009\0",
        b"-0000000004\0",
    ] {
        let message = sized(field, file, path).unwrap_err();
        assert!(message.contains("an impossible size"), "{field:?}: {message}");
    }
    let message = sized(b"77777777777\0", file, path).unwrap_err();
    assert!(message.contains("larger than what follows"), "{message}");
    let folder = sized(b"00000000004\0", EntryType::Directory, "udi-pkg.1/demo/");
    assert!(folder.unwrap_err().contains("the size of a folder"));
}

#[test]
fn members_of_the_folder_itself_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("in/udi-pkg.1/demo/1/m/src");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("a.c"), "text").unwrap();
    let file = folder.path().join("p.udi");
    let mut tar = Program::declared("tar").command();
    tar.args(["--format=posix", "-cf"]).arg(&file).arg("-C").arg(folder.path().join("in"));
    assert!(tar.arg(".").status().unwrap().success());
    let package = read(&fs::read(&file).unwrap()).unwrap();
    let (place, component) = package.components().next().unwrap();
    assert_eq!((place.to_string().as_str(), component.files().count()), ("demo/1/m", 1));
}

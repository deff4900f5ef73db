//! Installing into FAT of every kind, made and judged by dosfstools.

use std::fs;
use std::path::Path;

use super::{DRVINFO, Elf, fails, good, names, package, tool};

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn fat(folder: &Path, size: u64, options: &[&str]) {
    let _ = fs::remove_file(folder.join("fs"));
    fs::File::create(folder.join("fs")).unwrap().set_len(size).unwrap();
    let made = tool(folder, &[&["mkfs.fat"], options, &["fs"]].concat());
    assert!(made.status.success(), "{made:?}");
}

/// The image is without errors, and has the program at this place.
#[expect(clippy::unwrap_used, reason = "used by the tests below")]
fn has(folder: &Path, place: &str) {
    let said = tool(folder, &["fsck.fat", "-n", "fs"]);
    assert!(said.status.success(), "{said:?}");
    let _ = fs::remove_file(folder.join("out"));
    tool(folder, &["mcopy", "-n", "-i", "fs", &format!("::{place}"), "out"]);
    assert_eq!(fs::read(folder.join("out")).unwrap(), Elf::good(DRVINFO).0, "{place}");
}

/// Installing is refused with this reason, and the image stays as it is.
#[expect(clippy::unwrap_used, reason = "used by the tests below")]
fn refused(folder: &Path, arguments: &[&str], reason: &str) {
    let before = fs::read(folder.join("fs")).unwrap();
    let message = fails(folder, &[arguments, &["--image", "fs"]].concat());
    assert!(message.contains(reason), "{reason:?} wanted: {message}");
    assert!(fs::read(folder.join("fs")).unwrap() == before, "the image is changed");
}

/// Writes bytes at an offset of the image.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn patch(folder: &Path, at: usize, bytes: &[u8]) {
    let mut image = fs::read(folder.join("fs")).unwrap();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(folder.join("fs"), image).unwrap();
}

#[test]
fn kinds_of_file_systems_get_the_program_and_stay_clean() {
    let dir = package("driver");
    let rows: [(u64, &[&str]); 21] = [
        (16 << 20, &["-F", "12", "-s", "16"]),
        (16 << 20, &["-F", "16"]),
        (40 << 20, &["-F", "32", "-s", "1"]),
        (40 << 20, &["-F", "32", "-s", "1", "-f", "1"]),
        (40 << 20, &["-F", "32", "-s", "1", "-R", "9", "-b", "7"]),
        (16 << 20, &["-f", "1"]),
        (16 << 20, &["-S", "1024"]),
        (16 << 20, &["-S", "4096"]),
        (16 << 20, &["-g", "7/13"]),
        (16 << 20, &["-g", "255/63", "-h", "2048"]),
        (16 << 20, &["-s", "128"]),
        (16 << 20, &["-R", "7"]),
        (16 << 20, &["-r", "17"]),
        (16 << 20, &["-a"]),
        (16 << 20, &["-M", "0xf0", "-D", "0"]),
        (16 << 20, &["--mbr=y"]),
        (16 << 20, &["-n", "A NAME"]),
        (1_440 << 10, &[]),
        (720 << 10, &[]),
        (1_234_567, &[]),
        (16_777_000, &[]),
    ];
    for (size, options) in rows {
        fat(dir.path(), size, options);
        good(dir.path(), &["--image", "fs"]);
        has(dir.path(), "/usr/lib/drivers/demo-drv");
        // Over an older one.
        good(dir.path(), &["--image", "fs"]);
        has(dir.path(), "/usr/lib/drivers/demo-drv");
    }
}

#[test]
fn fat_is_told_by_what_counts_and_not_by_its_label() {
    let dir = package("driver");
    fat(dir.path(), 16 << 20, &[]);
    patch(dir.path(), 54, b"NOTHING ");
    good(dir.path(), &["--image", "fs"]);
    has(dir.path(), "/usr/lib/drivers/demo-drv");
    // The largest FAT12, and the smallest FAT16.
    for clusters in [4084, 4085, 4086] {
        fat(dir.path(), 32 << 20, &["-F", "16", "-s", "1"]);
        // Reserved, two tables, the root folder.
        let boot = fs::read(dir.path().join("fs")).unwrap();
        let number = |at: usize| u32::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let data = number(14) + 2 * number(22) + number(17) / 16;
        patch(dir.path(), 19, &[0, 0]);
        patch(dir.path(), 32, &(data + clusters).to_le_bytes());
        if clusters == 4084 {
            // With entries of 12 bits: the first two are others.
            for table in 0..2 {
                let at = 512 * (number(14) + table * number(22)) as usize;
                patch(dir.path(), at, &[0xf8, 0xff, 0xff, 0]);
            }
        }
        let output = super::packager(dir.path(), &["--image", "fs"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{clusters}: {text}");
        has(dir.path(), "/usr/lib/drivers/demo-drv");
    }
}

#[test]
fn kinds_that_are_not_written_to_are_named() {
    let dir = package("driver");
    fat(dir.path(), 16 << 20, &["-F", "32"]);
    refused(dir.path(), &[], "clusters: below 65525");
    fat(dir.path(), 16 << 20, &["-f", "4"]);
    refused(dir.path(), &[], "4 file allocation tables, not 1 or 2");
    fat(dir.path(), 16 << 20, &[]);
    patch(dir.path(), 37, &[1]);
    refused(dir.path(), &[], "is mounted, or was not unmounted");
    fat(dir.path(), 40 << 20, &["-F", "32", "-s", "1"]);
    patch(dir.path(), 65, &[1]);
    refused(dir.path(), &[], "is mounted, or was not unmounted");
    fat(dir.path(), 16 << 20, &[]);
    let image = fs::File::options().write(true).open(dir.path().join("fs")).unwrap();
    image.set_len(12 << 20).unwrap();
    refused(dir.path(), &[], "it was cut off");
    // A damaged table of clusters.
    fat(dir.path(), 16 << 20, &[]);
    patch(dir.path(), 4 * 512 + 4, &[9, 0]);
    refused(dir.path(), &[], "the file system has errors");
}

#[test]
fn a_full_one_says_what_is_missing() {
    let dir = package("driver");
    fs::write(dir.path().join("fill"), vec![1; 36 << 10]).unwrap();
    fat(dir.path(), 60 << 10, &[]);
    assert!(tool(dir.path(), &["mcopy", "-i", "fs", "fill", "::/fill"]).status.success());
    refused(dir.path(), &["/demo-drv"], "Disk full");
    // The root folder of FAT12 and FAT16 does not grow.
    fat(dir.path(), 16 << 20, &["-r", "16"]);
    fs::write(dir.path().join("fill"), "").unwrap();
    let boot = fs::read(dir.path().join("fs")).unwrap();
    for n in 0..u16::from_le_bytes([boot[17], boot[18]]) {
        let name = format!("::/F{n}");
        assert!(tool(dir.path(), &["mcopy", "-i", "fs", "fill", &name]).status.success());
    }
    refused(dir.path(), &["/demo-drv"], "mcopy says");
    fs::remove_file(dir.path().join("fill")).unwrap();
    assert_eq!(names(dir.path()), ["demo", "fs"]);
}

#[test]
fn names_are_those_that_are_asked_for() {
    let dir = package("driver");
    fat(dir.path(), 16 << 20, &[]);
    for (place, reason) in [
        ("/aux", "`aux` is the name of a device"),
        ("/EFI/con.d/x", "`con.d` is the name of a device"),
        ("/x.", "`x.` ends in a dot"),
    ] {
        refused(dir.path(), &[place], reason);
    }
    let long = format!("/{}+@", "long-name".repeat(20));
    for place in ["/EFI/BOOT/BOOTAA64.EFI", "/a.b.c/d_e+f@g", &long] {
        good(dir.path(), &[place, "--image", "fs"]);
        has(dir.path(), place);
    }
    let list = tool(dir.path(), &["mdir", "-b", "-/", "-i", "fs", "::/"]).stdout;
    let list = String::from_utf8_lossy(&list).into_owned();
    for name in ["::/EFI/BOOT/BOOTAA64.EFI\n", "::/a.b.c/d_e+f@g\n", &format!("::{long}\n")] {
        assert!(list.contains(name), "{name} in {list}");
    }
}

#[test]
fn what_stands_in_the_programs_place_is_replaced_unless_it_is_a_folder() {
    let dir = package("driver");
    fat(dir.path(), 16 << 20, &[]);
    assert!(tool(dir.path(), &["mmd", "-i", "fs", "::/USR", "::/USR/demo-drv"]).status.success());
    refused(dir.path(), &["/usr/"], "`/usr/demo-drv` is a folder");
    // In other letters, which are the same to FAT, and only to be read.
    let old = ["mcopy", "-i", "fs", "demo/Control", "::/USR/DEMO"];
    assert!(tool(dir.path(), &old).status.success());
    assert!(tool(dir.path(), &["mattrib", "-i", "fs", "+r", "::/USR/DEMO"]).status.success());
    good(dir.path(), &["/usr/demo", "--image", "fs"]);
    has(dir.path(), "/usr/demo");
    let list = tool(dir.path(), &["mdir", "-b", "-i", "fs", "::/USR"]).stdout;
    assert_eq!(String::from_utf8_lossy(&list).lines().count(), 2, "{list:?}");
    refused(dir.path(), &["/usr/demo/x"], "`/usr/demo` is a file, not a folder");
}

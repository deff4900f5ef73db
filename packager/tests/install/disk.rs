//! Installing into disks with partitions, made by the system's own tools.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{DRVINFO, Elf, fails, good, image, names, package, tool};

const MIB: u64 = 1 << 20;

/// A disk of 32 MiB with a partition table; `files` are put into its partitions at these MiB.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn disk(folder: &Path, make: &[&str], files: &[(u64, &str)]) {
    let path = folder.join("disk");
    fs::File::create(&path).unwrap().set_len(32 * MIB).unwrap();
    let made = tool(folder, &[make, &["disk"]].concat());
    assert!(made.status.success(), "{made:?}");
    let mut bytes = fs::read(&path).unwrap();
    for (at, name) in files {
        let part = fs::read(folder.join(name)).unwrap();
        let at = (at * MIB) as usize;
        bytes[at..at + part.len()].copy_from_slice(&part);
    }
    fs::write(&path, bytes).unwrap();
}

const GPT: [&str; 9] =
    ["sgdisk", "-n", "1:1M:+8M", "-t", "1:ef00", "-n", "2:10M:+8M", "-c", "2:root"];

/// A partition of 8 MiB of the disk as a file of its own.
#[expect(clippy::unwrap_used, reason = "used by the tests below")]
fn partition(folder: &Path, at: u64, name: &str) {
    let mut file = fs::File::open(folder.join("disk")).unwrap();
    file.seek(SeekFrom::Start(at * MIB)).unwrap();
    let mut part = vec![0; 8 << 20];
    file.read_exact(&mut part).unwrap();
    fs::write(folder.join(name), part).unwrap();
}

#[test]
fn the_partition_that_is_meant_gets_the_program_and_nothing_else_changes() {
    let dir = package("driver");
    image(dir.path(), "fat", &["mkfs.fat"]);
    image(dir.path(), "e4", &["mke2fs", "-q", "-t", "ext4"]);
    disk(dir.path(), &GPT, &[(1, "fat"), (10, "e4")]);
    let before = fs::read(dir.path().join("disk")).unwrap();
    let message = fails(dir.path(), &["--image", "disk"]);
    assert!(message.contains("2 partitions could be meant"), "{message}");
    assert!(message.contains("1: FAT, 8192 KiB; 2: ext2/3/4, 8192 KiB (root)"), "{message}");
    let message = fails(dir.path(), &["--image", "disk", "--partition", "3"]);
    assert!(message.contains("no partition 3 with"), "{message}");

    good(dir.path(), &["--image", "disk", "--partition", "2"]);
    let after = fs::read(dir.path().join("disk")).unwrap();
    assert_eq!(after[..10 << 20], before[..10 << 20]);
    assert_eq!(after[18 << 20..], before[18 << 20..]);
    assert!(tool(dir.path(), &["sgdisk", "-v", "disk"]).status.success());
    partition(dir.path(), 10, "part");
    assert!(tool(dir.path(), &["e2fsck", "-fn", "part"]).status.success());
    let dump = "dump /usr/lib/drivers/demo-drv out";
    assert!(tool(dir.path(), &["debugfs", "-R", dump, "part"]).status.success());
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), Elf::good(DRVINFO).0);

    good(dir.path(), &["/EFI/BOOT/", "--image", "disk", "--partition", "1"]);
    partition(dir.path(), 1, "part");
    assert!(tool(dir.path(), &["fsck.fat", "-n", "part"]).status.success());
    let copy = ["mcopy", "-n", "-o", "-i", "part", "::/EFI/BOOT/demo-drv", "out"];
    assert!(tool(dir.path(), &copy).status.success());
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), Elf::good(DRVINFO).0);
    assert_eq!(names(dir.path()), ["demo", "disk", "e4", "fat", "out", "part"]);
}

#[test]
fn the_only_one_of_a_fitting_kind_need_not_be_named() {
    let dir = package("driver");
    image(dir.path(), "e2", &["mke2fs", "-q", "-t", "ext2"]);
    // The other one has no file system.
    disk(dir.path(), &GPT, &[(10, "e2")]);
    good(dir.path(), &["--image", "disk", "-o", "new"]);
    // In a disk with an MBR, in a logical partition.
    let table = "1 : start=1M,size=8M,type=c\\n2 : start=10M,size=12M,type=5\\n\
        5 : start=12M,size=8M,type=83\\n";
    let make = format!("printf '{table}' | sfdisk -q -X dos \"$0\"");
    disk(dir.path(), &["sh", "-c", &make], &[(12, "e2")]);
    good(dir.path(), &["--image", "disk"]);
    partition(dir.path(), 12, "part");
    assert!(tool(dir.path(), &["e2fsck", "-fn", "part"]).status.success());
    let list = tool(dir.path(), &["debugfs", "-R", "ls -p /usr/lib/drivers", "part"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("/demo-drv/"), "{list:?}");
}

#[test]
fn a_damaged_table_is_named_and_the_disk_stays_as_it_is() {
    let dir = package("driver");
    image(dir.path(), "e2", &["mke2fs", "-q", "-t", "ext2"]);
    disk(dir.path(), &GPT, &[(10, "e2")]);
    let path = dir.path().join("disk");
    let good = fs::read(&path).unwrap();
    for at in [512 + 40, 1024 + 32] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let message = fails(dir.path(), &["--image", "disk"]);
        assert!(message.contains("the table of partitions is damaged"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(names(dir.path()), ["demo", "disk", "e2"]);
}

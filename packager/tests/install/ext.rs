//! Installing into ext2, ext3 and ext4 of every kind, made and judged by e2fsprogs.

use std::fs;
use std::path::Path;

use super::{DRVINFO, Elf, fails, good, image, names, package, tool};

/// Runs commands of debugfs on an image.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn debugfs(folder: &Path, name: &str, commands: &str) {
    fs::write(folder.join("commands"), commands).unwrap();
    let done = tool(folder, &["debugfs", "-w", "-f", "commands", name]);
    assert!(done.status.success(), "{done:?}");
    fs::remove_file(folder.join("commands")).unwrap();
}

/// The image is without errors, and has the program at this place.
#[expect(clippy::unwrap_used, reason = "used by the tests below")]
fn has(folder: &Path, name: &str, place: &str) {
    let said = tool(folder, &["e2fsck", "-fn", name]);
    assert!(said.status.success(), "{said:?}");
    let _ = fs::remove_file(folder.join("out"));
    tool(folder, &["debugfs", "-R", &format!("dump {place} out"), name]);
    assert_eq!(fs::read(folder.join("out")).unwrap(), Elf::good(DRVINFO).0, "{name}: {place}");
}

/// Installing is refused with this reason, and the image stays as it is.
#[expect(clippy::unwrap_used, reason = "used by the tests below")]
fn refused(folder: &Path, name: &str, arguments: &[&str], reason: &str) {
    let before = fs::read(folder.join(name)).unwrap();
    let message = fails(folder, &[arguments, &["--image", name]].concat());
    assert!(message.contains(reason), "{reason:?} wanted: {message}");
    assert!(fs::read(folder.join(name)).unwrap() == before, "{name} is changed");
}

const EXT4: [&str; 6] = ["mke2fs", "-q", "-F", "-t", "ext4", "-O"];

#[test]
fn kinds_of_file_systems_get_the_program_and_stay_clean() {
    let dir = package("driver");
    let options: [&[&str]; 23] = [
        &["-t", "ext2"],
        &["-t", "ext2", "-I", "128"],
        &["-t", "ext3"],
        &["-t", "ext4"],
        &["-t", "ext4", "-b", "1024"],
        &["-t", "ext4", "-b", "2048"],
        &["-t", "ext4", "-b", "4096"],
        &["-t", "ext4", "-I", "1024"],
        &["-t", "ext4", "-g", "1024", "-b", "1024"],
        &["-t", "ext4", "-O", "^metadata_csum,uninit_bg"],
        &["-t", "ext4", "-O", "metadata_csum,metadata_csum_seed"],
        &["-t", "ext4", "-O", "^extent,^64bit"],
        &["-t", "ext4", "-O", "^has_journal,^resize_inode"],
        &["-t", "ext4", "-O", "^dir_index,^flex_bg"],
        &["-t", "ext4", "-O", "^sparse_super,sparse_super2,^resize_inode"],
        &["-t", "ext4", "-O", "bigalloc", "-C", "65536"],
        &["-t", "ext4", "-O", "quota"],
        &["-t", "ext4", "-O", "quota,project", "-E", "quotatype=usrquota:grpquota:prjquota"],
        &["-t", "ext4", "-O", "encrypt,verity"],
        &["-t", "ext4", "-O", "fast_commit,stable_inodes"],
        &["-t", "ext4", "-O", "orphan_file"],
        &["-t", "ext4", "-O", "huge_file,large_file,dir_nlink,extra_isize"],
        &["-t", "ext4", "-E", "lazy_itable_init=1"],
    ];
    for options in options {
        image(dir.path(), "fs", &[&["mke2fs", "-q", "-F"], options].concat());
        good(dir.path(), &["--image", "fs"]);
        has(dir.path(), "fs", "/usr/lib/drivers/demo-drv");
        // Over an older one.
        good(dir.path(), &["--image", "fs"]);
        has(dir.path(), "fs", "/usr/lib/drivers/demo-drv");
    }
}

#[test]
fn kinds_that_are_not_written_to_are_named() {
    let dir = package("driver");
    for (features, reason) in [
        ("mmp", "under here: mmp"),
        ("inline_data", "under here: inline_data"),
        ("meta_bg,^resize_inode", "under here: meta_bg"),
        ("ea_inode,large_dir", "under here: ea_inode, large_dir"),
        ("casefold", "under here: casefold"),
        ("^filetype", "has not the feature filetype"),
    ] {
        image(dir.path(), "fs", &[&EXT4[..], &[features]].concat());
        refused(dir.path(), "fs", &[], reason);
    }
    image(dir.path(), "fs", &["mke2fs", "-q", "-F", "-O", "journal_dev"]);
    refused(dir.path(), "fs", &[], "under here: journal_dev");
    image(dir.path(), "fs", &["mke2fs", "-q", "-F", "-b", "8192"]);
    refused(dir.path(), "fs", &[], "its blocks are larger than the 4096 bytes");
    for (command, reason) in [
        ("feature read-only\n", "under here: read-only"),
        ("feature FEATURE_R14\n", "under here: shared_blocks"),
        ("feature FEATURE_R29\n", "under here: 0x20000000 (read-only compatible)"),
        ("feature orphan_present\n", "deleted while open"),
        ("feature needs_recovery\n", "the journal holds changes"),
        ("set_super_value state 0\n", "is mounted, or was not unmounted"),
        ("set_super_value state 3\n", "is marked as having errors"),
        ("set_super_value last_orphan 12\n", "deleted while open"),
    ] {
        image(dir.path(), "fs", &[&EXT4[..], &["orphan_file"]].concat());
        debugfs(dir.path(), "fs", command);
        refused(dir.path(), "fs", &[], reason);
    }
}

#[test]
fn changes_that_wait_in_the_journal_are_not_overwritten_by_it_later() {
    let dir = package("driver");
    image(dir.path(), "fs", &[&EXT4[..], &["has_journal"], &["-b", "1024"]].concat());
    debugfs(dir.path(), "fs", "mkdir usr\nmkdir usr/lib\nmkdir usr/lib/drivers\n");
    // A transaction with the folder's block as it is now.
    let blocks = tool(dir.path(), &["debugfs", "-R", "blocks /usr/lib/drivers", "fs"]).stdout;
    let block: usize = String::from_utf8_lossy(&blocks).trim().parse().unwrap();
    let bytes = fs::read(dir.path().join("fs")).unwrap();
    fs::write(dir.path().join("block"), &bytes[block << 10..(block + 1) << 10]).unwrap();
    debugfs(dir.path(), "fs", &format!("jo -c\njw -b {block} block\njc\n"));
    refused(dir.path(), "fs", &[], "the journal holds changes that are not in their places yet");
    // The way out that the message names.
    let replayed = tool(dir.path(), &["e2fsck", "-p", "fs"]);
    assert!(matches!(replayed.status.code(), Some(0 | 1)), "{replayed:?}");
    good(dir.path(), &["--image", "fs"]);
    has(dir.path(), "fs", "/usr/lib/drivers/demo-drv");
    assert_eq!(names(dir.path()), ["block", "demo", "fs", "out"]);
}

#[test]
fn a_cut_or_damaged_image_is_refused() {
    let dir = package("driver");
    let path = image(dir.path(), "fs", &[&EXT4[..], &["has_journal"]].concat());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1024]).unwrap();
    refused(dir.path(), "fs", &[], "it was cut off");
    fs::write(&path, &whole[..1500]).unwrap();
    refused(dir.path(), "fs", &[], "fs: error: ");
    // The superblock's number of groups and size of blocks, a group descriptor.
    for at in [1024 + 0x5a, 1024 + 0x20, 1024 + 0x18, 4096 + 8] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        refused(dir.path(), "fs", &[], "error: ");
    }
    // More than the file system needs is fine.
    fs::write(&path, [&whole[..], &[0; 700]].concat()).unwrap();
    good(dir.path(), &["--image", "fs"]);
    has(dir.path(), "fs", "/usr/lib/drivers/demo-drv");
}

#[test]
fn links_in_the_image_are_followed_as_below_a_folder() {
    let dir = package("driver");
    let make = [&EXT4[..], &["has_journal"]].concat();
    let links = "mkdir usr\nmkdir usr/bin\nmkdir usr/lib\nmkdir opt\nsymlink bin usr/bin\n\
        symlink lib /usr/lib\nsymlink opt/up ../../usr/lib/\nsymlink opt/round /opt/round\n\
        symlink opt/none no/where\nsymlink usr/bin/demo-drv sh\nsymlink opt/file /usr/file\n\
        write demo/Control usr/file\nmkdir \"opt/a b\"\nsymlink opt/blank \"/opt/a b\"\n";
    for (place, expected) in [
        ("/bin/", "/usr/bin/demo-drv"),
        ("/bin", "/usr/bin/demo-drv"),
        ("/bin/x", "/usr/bin/x"),
        ("/lib/drivers/", "/usr/lib/drivers/demo-drv"),
        ("/opt/up/new/", "/usr/lib/new/demo-drv"),
        ("/bin/demo-drv", "/usr/bin/demo-drv"),
    ] {
        image(dir.path(), "fs", &make);
        debugfs(dir.path(), "fs", links);
        let said = good(dir.path(), &[place, "--image", "fs"]);
        assert!(said.contains(&format!("installed as {expected},")), "{said}");
        has(dir.path(), "fs", expected);
        // Nothing else is replaced: the links are still there.
        let list = tool(dir.path(), &["debugfs", "-R", "stat /bin", "fs"]);
        assert!(String::from_utf8_lossy(&list.stdout).contains("Type: symlink"));
    }
    image(dir.path(), "fs", &make);
    debugfs(dir.path(), "fs", links);
    for (place, reason) in [
        ("/opt/round/", "too many links"),
        ("/opt/none/", "`/opt/none` is a link that leads nowhere"),
        ("/opt/file/", "`/usr/file` is a file, not a folder"),
        ("/usr/file/x/", "`/usr/file` is a file, not a folder"),
        ("/opt/blank/", "`/opt/a b/demo-drv` has other characters"),
    ] {
        refused(dir.path(), "fs", &[place], reason);
    }
}

#[test]
fn what_stands_in_the_programs_place_is_replaced_unless_it_is_a_folder() {
    let dir = package("driver");
    let make = [&EXT4[..], &["has_journal"]].concat();
    for before in [
        "write demo/Control usr/bin/demo-drv\nset_inode_field usr/bin/demo-drv mode 0100000\n",
        "write demo/Control usr/o\nln usr/o usr/bin/demo-drv\nset_inode_field usr/o links_count 2\n",
        "symlink usr/bin/demo-drv /usr/bin\n",
        "cd usr/bin\nmknod demo-drv p\n",
    ] {
        image(dir.path(), "fs", &make);
        debugfs(dir.path(), "fs", &format!("mkdir usr\nmkdir usr/bin\n{before}"));
        good(dir.path(), &["/usr/bin/demo-drv", "--kind", "tool", "--image", "fs"]);
        has(dir.path(), "fs", "/usr/bin/demo-drv");
    }
    image(dir.path(), "fs", &make);
    debugfs(dir.path(), "fs", "mkdir usr\nmkdir usr/bin\nmkdir usr/bin/demo-drv\n");
    refused(dir.path(), "fs", &["/usr/bin/"], "`/usr/bin/demo-drv` is a folder");
}

#[test]
fn a_folder_with_an_index_takes_one_more() {
    let dir = package("driver");
    image(dir.path(), "fs", &[&EXT4[..], &["dir_index", "-b", "1024"]].concat());
    let mut commands = String::from("mkdir usr\nmkdir usr/bin\ncd usr/bin\n");
    (0..400).for_each(|n| commands += &format!("symlink a-name-that-takes-some-space-{n} x\n"));
    debugfs(dir.path(), "fs", &commands);
    let indexed = tool(dir.path(), &["e2fsck", "-fyD", "fs"]);
    assert!(matches!(indexed.status.code(), Some(0 | 1)), "{indexed:?}");
    let index = tool(dir.path(), &["debugfs", "-R", "htree /usr/bin", "fs"]);
    assert!(String::from_utf8_lossy(&index.stdout).contains("Number of entries"), "{index:?}");
    good(dir.path(), &["/usr/bin/", "--image", "fs"]);
    has(dir.path(), "fs", "/usr/bin/demo-drv");
    let last = "stat /usr/bin/a-name-that-takes-some-space-399";
    let last = tool(dir.path(), &["debugfs", "-R", last, "fs"]);
    assert!(String::from_utf8_lossy(&last.stdout).contains("Type: symlink"), "{last:?}");
}

#[test]
fn a_full_one_says_what_is_missing() {
    let dir = package("driver");
    // Inodes: the last one is taken.
    image(dir.path(), "fs", &["mke2fs", "-q", "-F", "-t", "ext2", "-N", "16"]);
    let free = tool(dir.path(), &["dumpe2fs", "-h", "fs"]).stdout;
    let free = String::from_utf8_lossy(&free).into_owned();
    let free = free.lines().find_map(|line| line.strip_prefix("Free inodes:")).unwrap().trim();
    let free: u32 = free.parse().unwrap();
    let fill: String = (0..free).map(|n| format!("symlink n{n} x\n")).collect();
    debugfs(dir.path(), "fs", &fill);
    refused(dir.path(), "fs", &["/demo-drv"], "write program /demo-drv: debugfs says");
    // Blocks: not enough for the program, which is larger than this.
    image(dir.path(), "fs", &["mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024"]);
    fs::write(dir.path().join("fill"), vec![1; 8 << 20]).unwrap();
    tool(dir.path(), &["debugfs", "-w", "-R", "write fill fill", "fs"]);
    fs::remove_file(dir.path().join("fill")).unwrap();
    assert!(matches!(tool(dir.path(), &["e2fsck", "-fy", "fs"]).status.code(), Some(0 | 1)));
    refused(dir.path(), "fs", &[], "debugfs says");
    assert_eq!(names(dir.path()), ["demo", "fs"]);
}

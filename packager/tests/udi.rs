//! UDI packages of a small driver with a part in C, by the command as users call it: from source and
//! as it was built, and equal to what `build` makes.

#![cfg(target_os = "linux")]

mod tiny;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use l4re_packager_core::package::Tree;
use l4re_udi::archive::{Limits, Package};
use l4re_udi::props::Properties;
use l4re_udi::section;
use tempfile::TempDir;
use tiny::{PACKAGER, driver};

fn packager(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PACKAGER);
    command.env("CARGO_TARGET_DIR", folder.join("target"));
    tiny::run(command.args(arguments).current_dir(folder))
}

#[expect(clippy::panic, reason = "a test ends here")]
fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = packager(folder, arguments);
    if !output.status.success() {
        panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = packager(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares with the names of what differs, not with the bytes.
#[expect(clippy::unwrap_used, reason = "part of a test")]
fn same(one: &Tree, other: &Tree) {
    let names = |tree: &Tree| tree.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for (name, entry) in one.iter() {
        assert!(entry == other.get(name).unwrap(), "{name} differs");
    }
}

const MODULE: &str = "bin/arm64_armv8a-l4f/tiny-drv";

#[test]
fn a_packed_driver_is_set_up_as_build_makes_it() {
    let dir = driver();
    let folder = dir.path();
    good(folder, &["build", "--out", "out"]);
    assert!(good(folder, &["udi", "build"]).contains(&format!("{MODULE}: built for aarch64")));
    let packed = good(folder, &["udi", "mkpkg"]);
    for path in [MODULE, "src/udiprops.txt", "src/src/half.c", "extra/driver.toml"] {
        assert!(packed.contains(&format!("tiny/1/tiny-drv/{path}\n")), "{path} in {packed}");
    }
    let again = TempDir::new().unwrap();
    let target = again.path().to_str().unwrap();
    let shown = good(folder, &["udi", "setup", "-o", target]);
    assert!(shown.contains("tiny set up, as it was built"), "{shown}");
    let built = Tree::read(&folder.join("out/pkg/tiny")).unwrap();
    same(&Tree::read(&again.path().join("pkg/tiny")).unwrap(), &built);

    // From source: the same, in another folder.
    fs::remove_dir_all(again.path().join("pkg")).unwrap();
    let shown = good(folder, &["udi", "setup", "tiny.udi", "--source", "-o", target]);
    assert!(shown.contains("tiny set up, built from source"), "{shown}");
    same(&Tree::read(&again.path().join("pkg/tiny")).unwrap(), &built);
    assert_eq!(good(folder, &["udi", "setup", "-S", "-o", target]).lines().count(), 1);
    assert_eq!(good(folder, &["udi", "setup", "-i"]), "tiny\n");

    // Two packages of the same are the same, and the properties are those of the module.
    let first = fs::read(folder.join("tiny.udi")).unwrap();
    good(folder, &["udi", "mkpkg", "-O"]);
    assert_eq!(fs::read(folder.join("tiny.udi")).unwrap(), first);
    let package = Package::from_bytes(&first, Limits::default()).unwrap();
    let (_, component) = package.components().next().unwrap();
    let attached = section::content_of(&component.get(MODULE).unwrap().bytes).unwrap().unwrap();
    let source = &component.get("src/udiprops.txt").unwrap().bytes;
    let (properties, _) = Properties::parse(Path::new("udiprops.txt"), source).unwrap();
    assert_eq!(attached, properties.section());
    choices_and_mistakes(folder, &first);
}

/// What the same package shows of overriding, updating and refusing; one build serves both tests.
#[expect(clippy::unwrap_used, reason = "part of a test")]
fn choices_and_mistakes(folder: &Path, package: &[u8]) {
    let message = fails(folder, &["udi", "mkpkg"]);
    assert!(message.contains("is there already") && message.contains("--overwrite (-O)"));
    let text = good(folder, &["udi", "mkpkg", "-U", "-a", "2", "-t", "binary"]);
    assert!(text.contains("tiny/1/tiny-drv/src/udiprops.txt"), "{text}");
    assert!(text.contains("tiny/2/tiny-drv/bin/") && !text.contains("tiny/2/tiny-drv/src/"));
    // Nobody is there to choose between the two.
    let message = fails(folder, &["udi", "setup", "-n"]);
    assert!(message.contains("several alternates") && message.contains("--alternate"), "{message}");
    let text = good(folder, &["udi", "setup", "-n", "--alternate", "2"]);
    assert!(text.contains("tiny would be, as it was built"), "{text}");
    assert!(!folder.join("out/pkg/other").exists());
    let message = fails(folder, &["udi", "setup", "--driver", "nobody"]);
    assert!(message.contains("no driver in the packages"), "{message}");

    // A binding of another name has to be asked for.
    fs::rename(folder.join("bin/arm64_armv8a-l4f"), folder.join("bin/other")).unwrap();
    let message = fails(folder, &["udi", "mkpkg", "-O", "-t", "binary"]);
    assert!(message.contains("packager udi build (udibuild)"), "{message}");
    assert!(fs::read(folder.join("tiny.udi")).unwrap() != package);
    good(folder, &["udi", "mkpkg", "-O", "-t", "binary", "--abi", "other"]);
    let message = fails(folder, &["udi", "setup", "-n"]);
    assert!(message.contains("there are modules for: other; --abi"), "{message}");
    good(folder, &["udi", "setup", "-n", "--abi", "other"]);
    // Without modules `both` is source.
    let output = packager(folder, &["udi", "mkpkg", "-O"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: there is no such module"));

    // A module that somebody changed behind the section is not taken.
    let mut bad = package.to_vec();
    let at = bad.windows(9).position(|window| window == b".udiprops").unwrap();
    bad[at] = b'x';
    fs::write(folder.join("tiny.udi"), &bad[..bad.len() - 512]).unwrap();
    let message = fails(folder, &["udi", "setup", "-n"]);
    assert!(message.contains("ends too early"), "{message}");
    fs::write(folder.join("tiny.udi"), &bad).unwrap();
    fails(folder, &["udi", "setup", "-n", "--alternate", "1"]);
    let strays = fs::read_dir(folder).unwrap().map(|item| item.unwrap().file_name());
    assert!(!strays.into_iter().any(|name| name.to_string_lossy().starts_with(".tiny.udi")));
}

//! The package of a made-up driver, compared file by file with the ones in `package/`.
//!
//! `UPDATE_EXPECTED=1 cargo test` writes them, for reading the difference before committing it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use l4re_packager_core::elf::{self, Expect};
use l4re_packager_core::manifest::Manifest;
use l4re_packager_core::package::{Binary, Input, Tree, emit};
use l4re_packager_core::target::Target;
use support::{DRVINFO, Elf};

const MANIFEST: &str = r#"[driver]
name = "demo-blk"
description = "A driver for tests of the packager"
class = "block"
maintainer = "someone@example.org"
licence = "MIT"

[[target]]
name = "aarch64"

[l4re]
requires = ["libio-vbus"]

[l4re.bus]
pci = ["VEN_1AF4&DEV_1042", "CC_0180"]
compatible = ["virtio,mmio"]

[l4re.example]
options = ["-v"]
create = ["device=disk0", "ds-max=4"]
"#;

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn package(manifest_text: &str, drvinfo: &str) -> Result<Tree, String> {
    let (manifest, _) = Manifest::from_toml(Path::new("driver.toml"), manifest_text).unwrap();
    let target = Target::named("aarch64").unwrap();
    let bytes = Elf::good(drvinfo).0;
    let expect = Expect { target: &target, drvinfo: true, c_code: false };
    let info = elf::verify(&bytes, &expect).0.unwrap().info;
    let binaries = [Binary { target, bytes, info }];
    let input =
        Input { manifest: &manifest, manifest_text, program: "demo-drv", binaries: &binaries };
    emit(&input).map_err(|failure| failure.to_string())
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/package")
}

#[test]
fn every_file_is_as_expected() {
    let tree = package(MANIFEST, DRVINFO).unwrap();
    let texts = tree.iter().filter(|(_, entry)| !entry.executable);
    let texts: Vec<_> = texts.map(|(path, entry)| (path, entry.bytes.clone())).collect();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        for (path, bytes) in &texts {
            let file = golden().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
    }
    let expected = Tree::read(&golden()).unwrap();
    let names: Vec<_> = expected.iter().map(|(path, _)| path).collect();
    assert_eq!(names, texts.iter().map(|(path, _)| *path).collect::<Vec<_>>());
    for (path, bytes) in &texts {
        let expected = String::from_utf8_lossy(&expected.get(path).unwrap().bytes);
        assert_eq!(String::from_utf8_lossy(bytes), expected, "{path}");
    }
}

#[test]
fn the_program_is_there_as_it_was_checked() {
    let tree = package(MANIFEST, DRVINFO).unwrap();
    let program = tree.get("server/prebuilt/arm64/demo-drv").unwrap();
    assert!(program.executable);
    assert_eq!(program.bytes, Elf::good(DRVINFO).0);
}

#[test]
fn equal_input_gives_equal_packages() {
    assert_eq!(package(MANIFEST, DRVINFO), package(MANIFEST, DRVINFO));
}

#[test]
fn a_driver_for_one_kind_of_device_gets_one_entry() {
    let manifest = MANIFEST.replace("pci = [\"VEN_1AF4&DEV_1042\", \"CC_0180\"]\n", "");
    let tree = package(&manifest, DRVINFO).unwrap();
    let list = &tree.get("assets/modlist/demo-blk.modules").unwrap().bytes;
    let list = String::from_utf8_lossy(list);
    assert_eq!(list.matches("\nentry").count(), 1);
    assert!(list.contains("entry[arch=arm64] demo-blk-mmio\n"));
    assert!(tree.get("assets/io/demo-blk-pci.io").is_none());
}

#[test]
fn a_program_without_bus_and_service_gets_a_script_for_itself() {
    let manifest = MANIFEST.replace("\"block\"", "\"test\"");
    let manifest = manifest.split_once("[l4re]").unwrap().0;
    let tree = package(manifest, "drvinfo\t1\nname\tt\tA test\n").unwrap();
    let script = String::from_utf8_lossy(&tree.get("assets/ned/demo-blk.ned").unwrap().bytes);
    assert!(script.contains("rom/demo-drv") && !script.contains("rom/io"), "{script}");
    assert!(!tree.iter().any(|(path, _)| path.starts_with("assets/io/")));
}

#[test]
fn devices_without_a_capability_for_the_bus_are_refused() {
    let drvinfo = DRVINFO.replace("cap\tvbus\tvbus", "cap\tvbus\tbus");
    let error = package(MANIFEST, &drvinfo).unwrap_err();
    assert!(error.contains("describes no capability with the protocol `vbus`"), "{error}");
}

/// Facts about L4Re's build system that a change here could forget.
#[test]
fn the_package_keeps_to_the_build_systems_rules() {
    let tree = package(MANIFEST, DRVINFO).unwrap();
    let text = |path: &str| String::from_utf8_lossy(&tree.get(path).unwrap().bytes).into_owned();
    // A recipe starts with a tab; the rule stands behind the include.
    let server = text("server/Makefile");
    let (before, after) = server.split_once("include $(L4DIR)/mk/prog.mk").unwrap();
    assert!(!before.contains("\n\t"));
    assert!(
        after.contains("demo-drv: $(SRC_DIR)/prebuilt/$(ARCH)/demo-drv\n\t$(VERBOSE)$(CP) $< $@")
    );
    assert!(!server.contains("\nTARGET"));
    // Only known fields, and the library that the program role adds.
    for line in text("Control").lines().filter(|line| !line.starts_with('#')) {
        assert!(["provides", "requires", "maintainer"].contains(&line.split_once(": ").unwrap().0));
    }
    assert!(text("Control").contains("requires: stdlibs"));
    // moe gets the script, not ned: its first argument would be what ned executes.
    let list = text("assets/modlist/demo-blk.modules");
    assert!(list.contains("roottask moe rom/demo-blk.ned\n") && !list.contains("rom/ned"));
    // Every file that the script names is a module of every entry.
    for entry in list.split("\nentry").skip(1) {
        for module in ["l4re", "ned", "io", "demo-drv", "ned/demo-blk/demo-blk.ned"] {
            assert!(entry.contains(&format!("\nmodule {module}\n")), "{module} in {entry}");
        }
        assert!(entry.contains("hw_devices.io\n") && entry.contains("[fname=bus.io]"));
    }
}

//! The commands of the original workflow, with cargo, compilers and uname replaced by stand-ins that
//! write down how they were called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use l4re_programs::Program;

/// A copy of the scripts in a folder of their own, and a folder of stand-ins.
struct Place(tempfile::TempDir);

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
impl Place {
    fn new(uname: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
        fs::create_dir_all(place.path("drivers/x")).unwrap();
        fs::create_dir_all(place.path("scripts")).unwrap();
        fs::write(place.path("drivers/x/driver.toml"), "").unwrap();
        for name in ["build.sh", "runqemu.sh"] {
            fs::copy(scripts.join(name), place.path("scripts").join(name)).unwrap();
        }
        place.tool("cargo", "echo \"$* lib=${LIBRARY_PATH-} cc=${CROSS_COMPILE_ARM-},${CROSS_COMPILE_ARM64-}\" >>calls");
        place.tool("uname", &format!("case $1 in -s) echo {uname} ;; *) echo x86_64 ;; esac"));
        for prefix in ["aarch64-linux-gnu-", "aarch64-none-linux-gnu-"] {
            place.tool(&format!("{prefix}gcc"), "");
        }
        // What the scripts use of the machine, and nothing else.
        for tool in ["bash", "dirname", "mkdir", "rm", "cat"] {
            let found = ["/bin", "/usr/bin"].iter().map(|folder| Path::new(folder).join(tool));
            let found = found.into_iter().find(|file| file.exists()).unwrap();
            std::os::unix::fs::symlink(found, place.path("bin").join(tool)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn tool(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path("bin")).unwrap();
        let file = self.path("bin").join(name);
        fs::write(&file, format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, script: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Program::declared("bash").command();
        command.arg(self.path("scripts").join(script)).args(args).current_dir(self.0.path());
        command.env_clear().env("PATH", self.path("bin")).envs(variables.iter().copied());
        command.output().unwrap()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }
}

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn earlier_results_go_unless_they_shall_stay() {
    let place = Place::new("Linux");
    for (args, stays) in [(&["--no-clean"][..], true), (&[], false)] {
        fs::create_dir_all(place.path("out/images")).unwrap();
        for marker in ["out/marker", "out/.hidden", "out/images/marker"] {
            fs::write(place.path(marker), "").unwrap();
        }
        let output = place.run("build.sh", args, &[]);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(place.path("out/marker").exists(), stays);
        assert_eq!(place.path("out/.hidden").exists(), stays);
        // Nothing here makes the images, so nothing here removes them.
        assert!(place.path("out/images/marker").exists());
    }
}

#[test]
fn the_c_library_comes_first_and_is_found_by_what_follows() {
    let place = Place::new("Linux");
    place.run("build.sh", &[], &[("LIBRARY_PATH", "/before"), ("CARGO_TARGET_DIR", "/t")]);
    let calls = place.calls();
    let calls: Vec<&str> = calls.lines().collect();
    assert!(calls[0].starts_with("rustc -q -p l4re-libc --lib --release"), "{calls:?}");
    assert!(calls[0].contains("--crate-type staticlib"), "{calls:?}");
    assert!(calls[1].contains("-- build drivers/x --out out"), "{calls:?}");
    assert!(calls[1].contains("lib=/t/aarch64-unknown-none/release:/before"), "{calls:?}");
    assert!(calls[1].ends_with("cc=arm-linux-gnueabihf-,aarch64-linux-gnu-"), "{calls:?}");
    assert!(calls[2].contains("-- rootfs"), "{calls:?}");
}

#[test]
fn the_c_library_is_built_by_hand_as_its_documentation_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = tempfile::tempdir().unwrap();
    let mut make = Program::declared("make").command();
    make.args(["-s", "libc"]).current_dir(root).env("CARGO_TARGET_DIR", target.path());
    // A make that runs the tests would have this one say which folder it enters and leaves.
    make.arg("--no-print-directory").env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    let output = make.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let folder = String::from_utf8(output.stdout).unwrap();
    let folder = folder.lines().last().unwrap();
    let archive = fs::read(Path::new(folder).join("libl4re_libc.a")).unwrap();
    let has = |name: &[u8]| archive.windows(name.len()).any(|window| window == name);
    assert!(archive.starts_with(b"!<arch>\n") && has(b"\0printf\0") && has(b"\0qsort\0"));
}

#[test]
fn prefixes_are_the_users_or_the_machines() {
    for (uname, variables, wanted) in [
        (
            "Linux",
            &[][..],
            "CROSS_COMPILE_ARM=arm-linux-gnueabihf- CROSS_COMPILE_ARM64=aarch64-linux-gnu-",
        ),
        (
            "Darwin",
            &[],
            "CROSS_COMPILE_ARM=arm-linux-gnueabihf- CROSS_COMPILE_ARM64=aarch64-none-linux-gnu-",
        ),
        (
            "Linux",
            &[("CROSS_COMPILE_ARM", "a-"), ("CROSS_COMPILE_ARM64", "no-such-")],
            "CROSS_COMPILE_ARM=a- CROSS_COMPILE_ARM64=no-such-",
        ),
    ] {
        let output = Place::new(uname).run("build.sh", &[], variables);
        assert!(text(&output).contains(wanted), "{}", text(&output));
    }
    let place = Place::new("Linux");
    let output = place.run("build.sh", &[], &[("CROSS_COMPILE_ARM64", "no-such-")]);
    assert!(!output.status.success());
    assert!(text(&output).contains("no compiler no-such-gcc: set CROSS_COMPILE_ARM64"));
}

#[test]
fn the_test_boots_the_image_under_either_name_of_timeout_and_tells_how_it_ended() {
    for timeout in ["timeout", "gtimeout"] {
        let place = Place::new("Darwin");
        place.tool(timeout, "shift; \"$@\"");
        place.tool("bad", "");
        fs::write(place.path("image.elf"), "").unwrap();
        let variables = [("TEST_IMAGE", "image.elf")];
        let output = place.run("build.sh", &["--test", "--no-systemd"], &variables);
        assert!(output.status.success(), "{}", text(&output));
        let run = "-- run --image image.elf --expect Hello World|L4RE-RESULT: pass";
        assert!(place.calls().contains(run), "{}", place.calls());
        place.tool("cargo", "case $* in *--image*) exit 1 ;; esac");
        assert!(!place.run("build.sh", &["--test"], &variables).status.success());
    }
    let place = Place::new("Darwin");
    fs::write(place.path("image.elf"), "").unwrap();
    let output = place.run("build.sh", &["--test"], &[("TEST_IMAGE", "image.elf")]);
    assert!(text(&output).contains("neither timeout nor gtimeout"), "{}", text(&output));
    let output = place.run("build.sh", &["--test"], &[]);
    assert!(text(&output).contains("no image out/images/bootstrap_hello_arm_virt.elf"));
    assert_eq!(place.calls(), "", "what is missing is said before anything is built");
}

#[test]
fn the_image_for_the_test_is_made_of_a_build_of_l4re() {
    let place = Place::new("Linux");
    place.tool("timeout", "shift; \"$@\"");
    place.tool("cargo", "echo \"$*\" >>calls; case $* in *compose*) : >\"${@: -1}\" ;; esac");
    fs::create_dir_all(place.path("l4/bin/arm64_armv8a/plain")).unwrap();
    fs::create_dir_all(place.path("kernel")).unwrap();
    let variables = [("L4RE_BUILD", "l4"), ("FIASCO", "kernel")];
    let output = place.run("build.sh", &["--test", "--no-systemd"], &variables);
    assert!(output.status.success(), "{}", text(&output));
    let calls = place.calls();
    let compose = "-- image compose l4/bin/arm64_armv8a/plain/bootstrap.elf files/cfg/hello.list \
                   hello --kernel kernel/fiasco";
    assert!(calls.contains(compose), "{calls}");
    assert!(calls.contains("-- run --image out/images/bootstrap_hello_arm_virt.elf"), "{calls}");
}

#[test]
fn make_knows_the_goal_for_root_file_systems() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Program::declared("make")
        .command()
        .args(["-n", "systemd-image"])
        .current_dir(root)
        .output();
    let text = text(&output.unwrap());
    assert!(text.contains("-p l4re-packager -- rootfs --out"), "{text}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut make = Program::declared("make").command();
    make.args(["-n", "systemd-image", "ARGS=--arch arm64 --image-only"]).current_dir(root);
    let text = self::text(&make.output().unwrap());
    assert!(text.contains("/rootfs --arch arm64 --image-only"), "{text}");
}

#[test]
fn a_root_file_system_boots_with_the_kernel_that_is_named() {
    let place = Place::new("Linux");
    fs::write(place.path("root.ext4"), "").unwrap();
    let output =
        place.run("runqemu.sh", &["root.ext4", "--kernel", "Image", "--time-limit", "9"], &[]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("a Linux userland on a Linux kernel"), "{}", text(&output));
    let run = "-- run --image root.ext4 --kernel Image --time-limit 9";
    assert!(place.calls().contains(run), "{}", place.calls());
    let output = place.run("runqemu.sh", &["root.ext4", "--kernel"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let output = place.run("runqemu.sh", &["--help"], &[]);
    assert!(text(&output).contains("a Linux guest under uvmm"));
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    let place = Place::new("Linux");
    let output = place.run("build.sh", &["--fast"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("Usage: scripts/build.sh"));
    assert_eq!(place.run("build.sh", &["--help"], &[]).status.code(), Some(0));
}

#[test]
fn the_image_is_the_one_named_or_the_newest() {
    let place = Place::new("Linux");
    let output = place.run("runqemu.sh", &[], &[]);
    assert!(!output.status.success() && text(&output).contains("no image in out/images"));
    fs::create_dir_all(place.path("out/images")).unwrap();
    for (name, seconds) in [("old.elf", 1), ("new.elf", 3), ("raw.raw", 2)] {
        let file = fs::File::create(place.path("out/images").join(name)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.set_modified(time).unwrap();
    }
    assert!(text(&place.run("runqemu.sh", &[], &[])).contains("out/images/new.elf"));
    place.run("runqemu.sh", &["out/images/old.elf", "--time-limit", "5"], &[]);
    assert!(place.calls().contains("-- run --image out/images/old.elf --time-limit 5"));
    assert!(!place.calls().contains("--console"), "only a terminal can be the console");
    let output = place.run("runqemu.sh", &["missing.elf"], &[]);
    assert!(text(&output).contains("no such image: missing.elf"));
}

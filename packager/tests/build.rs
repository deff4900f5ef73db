//! The command from outside: builds of a small driver with a part in C, and everything that can
//! stand in their way.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use l4re_packager_core::package::Tree;
use l4re_programs::Program;
use tempfile::TempDir;

const CARGO: &str = r#"[package]
name = "tiny-drv"
version = "0.1.0"
edition = "2024"

[workspace]
members = ["libc"]

[profile.release]
panic = "abort"
debug = "line-tables-only"
"#;

const MAIN: &str = r#"#![no_std]
#![no_main]

use core::panic::{Location, PanicInfo};

#[used]
#[unsafe(link_section = ".l4re.drvinfo")]
static INFO: [u8; TEXT.len()] = {
    let mut bytes = [0; TEXT.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = TEXT.as_bytes()[at];
        at += 1;
    }
    bytes
};
const TEXT: &str = "drvinfo\t1\nname\ttiny-drv\tA driver for tests\n\
    cap\tvbus\tvbus\tmandatory\tBus\ncap\tsvr\tfactory\tmandatory,server\tEndpoint\n\
    cmd\tverbose\tv\tflag\t-\t-\tmultiple\tSay more\n";

unsafe extern "C" {
    safe fn half(number: i32) -> i32;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // A place in the source, so that a folder of this machine would show.
    let place = Location::caller();
    let _ = core::hint::black_box((place.file(), half(42)));
    loop {}
}
"#;

const MANIFEST: &str = r#"[driver]
name = "tiny"
description = "A driver for tests"
class = "block"
maintainer = "someone@example.org"
licence = "MIT"

[[target]]
name = "aarch64"

[c]
sources = ["src/half.c"]
define = ["DIVISOR=2"]

[l4re.bus]
pci = ["VEN_1AF4"]
"#;

/// What stands in for the C library.
const LIBC_CARGO: &str = "[package]\nname = \"l4re-libc\"\nversion = \"0.1.0\"\n\
    edition = \"2024\"\n[features]\narchive = []\n";
const LIBC: &str = "#![no_std]\n#[cfg(feature = \"archive\")]\n#[panic_handler]\n\
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }\n\
    #[unsafe(no_mangle)]\nextern \"C\" fn quotient(a: i32, b: i32) -> i32 { a.wrapping_div(b) }\n";

struct Project {
    dir: TempDir,
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
impl Project {
    fn new() -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        project.write("rust-toolchain.toml", include_str!("../../rust-toolchain.toml"));
        project.write("Cargo.toml", CARGO);
        project.write("src/main.rs", MAIN);
        project.write(
            "src/half.c",
            "#include <quotient.h>\nint half(int n) { return quotient(n, DIVISOR); }\n",
        );
        project.write("libc/Cargo.toml", LIBC_CARGO);
        project.write("libc/src/lib.rs", LIBC);
        project.write("libc/include/quotient.h", "int quotient(int a, int b);\n");
        project.write("driver.toml", MANIFEST);
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from));
        self.write(name, &text.replace(from, to));
    }

    /// The command, with everything it builds inside of the project's folder.
    fn packager(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
        command.current_dir(self.dir.path()).env_remove("CROSS_COMPILE").env_remove("LIBRARY_PATH");
        command.env("CARGO_TARGET_DIR", self.path("target"));
        command
    }

    fn build(&self) -> Output {
        self.packager().arg("build").output().unwrap()
    }

    /// Runs lines in a shell, each of them in one of its own.
    fn shell(&self, lines: &str) -> Output {
        let script: String = lines.lines().map(|line| format!("({line}) || exit 1\n")).collect();
        let mut command = Program::declared("sh").command();
        command.args(["-c", &script]).env("CARGO_TARGET_DIR", self.path("target"));
        command.output().unwrap()
    }

    fn package(&self) -> PathBuf {
        self.path("out/pkg/tiny")
    }
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_good(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_builds_in_different_folders_give_the_same_bytes() {
    let (one, two) = (Project::new(), Project::new());
    assert_good(&one.build());
    assert_good(&two.build());
    let (first, second) =
        (Tree::read(&one.package()).unwrap(), Tree::read(&two.package()).unwrap());
    let paths = |tree: &Tree| tree.iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(&first), paths(&second));
    for (path, entry) in first.iter() {
        assert!(second.get(path) == Some(entry), "{path} differs");
    }
    let program = first.get("server/prebuilt/arm64/tiny-drv").unwrap();
    let folder = one.dir.path().to_str().unwrap().as_bytes();
    assert!(!program.bytes.windows(folder.len()).any(|bytes| bytes == folder));
}

/// The only file or folder in `folder` whose name starts so.
#[expect(clippy::unwrap_used, reason = "used by the test below")]
fn only(folder: &Path, start: &str) -> String {
    let items = fs::read_dir(folder).unwrap();
    let names = items.map(|item| item.unwrap().file_name().into_string().unwrap());
    let found: Vec<_> = names.filter(|name| name.starts_with(start)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.concat()
}

#[test]
fn another_backend_is_in_the_dry_run_with_all_that_belongs_to_it() {
    let project = Project::new();
    // A dry run looks at no component, so any toolchain will do.
    let toolchain = include_str!("../../rust-toolchain.toml");
    let toolchain = toolchain.split_once("channel = \"").unwrap().1.split('"').next().unwrap();
    for backend in ["cranelift", "llvm"] {
        let mut command = project.packager();
        let output = command
            .args(["build", "--dry-run", "--backend", backend, "--toolchain", toolchain])
            .output()
            .unwrap();
        assert_good(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        for item in [
            &format!("RUSTUP_TOOLCHAIN={toolchain}"),
            &format!("-Zcodegen-backend={backend}"),
            &format!("/target/packager/{backend}"),
            "-Zbuild-std=core,alloc,panic_abort",
            "-Zbuild-std-features=compiler-builtins-no-f16-f128",
            "-Cpanic=abort",
            "-Crelocation-model=static",
            "--release",
            "--package tiny",
            "--target aarch64-unknown-none",
        ] {
            assert!(text.contains(item), "{item}: {text}");
        }
    }
    let mut command = project.packager();
    command.args(["build", "--backend", "llvm", "--toolchain", "nightly-1999-01-01"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the toolchain nightly-1999-01-01 does not work"), "{text}");
    assert!(text.contains("rustup toolchain install nightly-1999-01-01"), "{text}");
}

#[test]
fn a_dry_run_prints_the_commands_and_a_shell_that_runs_them_gets_the_same_program() {
    let project = Project::new();
    let plan = || {
        let more = ("LIBRARY_PATH", "/opt/more/lib");
        let mut command = project.packager();
        command.env(more.0, more.1).args(["build", "--dry-run"]);
        let output = command.output().unwrap();
        assert_good(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    let text = plan();
    for item in [
        "--target aarch64-unknown-none",
        "-Crelocation-model=static",
        "-Clink-arg=-T",
        "-Clink-arg=-zmax-page-size=4096",
        "-Clink-arg=-L/opt/more/lib",
        "CARGO_PROFILE_RELEASE_PANIC=abort",
        "-DDIVISOR=2",
        "aarch64-linux-gnu-gcc",
        "-nostdinc",
    ] {
        assert!(text.contains(item), "{item}: {text}");
    }
    assert!(!project.path("target").exists() && !project.path("out").exists(), "nothing is built");

    assert_good(&project.build());
    let target = project.path("target/packager");
    let program = target.join("aarch64-unknown-none/release/tiny-drv");
    let built = fs::read(&program).unwrap();
    fs::remove_file(&program).unwrap();
    let text = plan()
        .replace("libc-aarch64-HASH", &only(&target, "libc-aarch64-"))
        .replace("half-HASH.o", &only(&target.join("c/aarch64"), "half-"));
    let output = project.shell(&text);
    assert_good(&output);
    assert!(fs::read(&program).unwrap() == built, "another program");
}

#[test]
fn the_package_passes_its_check_until_somebody_changes_it() {
    let project = Project::new();
    assert_good(&project.build());
    let check = |path: &Path| project.packager().arg("check").arg(path).output().unwrap();
    assert_good(&check(&project.package()));

    // The example may be changed, with a warning.
    project.replace("out/pkg/tiny/assets/ned/tiny.ned", "0x50", "0x51");
    let output = check(&project.package());
    assert_good(&output);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("tiny.ned: warning: was changed by hand")
    );

    // The rest may not.
    project.replace("out/pkg/tiny/Control", "requires", "require");
    project.replace("out/pkg/tiny/assets/modlist/tiny.modules", "rom/tiny.ned", "rom/ned -c x");
    fs::remove_file(project.path("out/pkg/tiny/doc/usage.md")).unwrap();
    let text = error(&check(&project.package()));
    for message in [
        "tiny/Control: error: does not fit the program and driver.toml of the package",
        "tiny/doc/usage.md: error: is missing",
        "tiny.modules:7:1: error: ned would take its own program for the script",
    ] {
        assert!(text.contains(message), "{message} is not in\n{text}");
    }

    // A program that was cut is refused before anything else.
    let program = project.path("out/pkg/tiny/server/prebuilt/arm64/tiny-drv");
    let bytes = fs::read(&program).unwrap();
    fs::write(&program, &bytes[..bytes.len() / 2]).unwrap();
    assert!(error(&check(&project.package())).contains("tiny-drv: at offset"));
}

#[test]
fn a_failed_build_leaves_the_old_package() {
    let project = Project::new();
    assert_good(&project.build());
    let before = Tree::read(&project.package()).unwrap();
    project.replace("src/main.rs", "half(42)", "half(\"42\")");
    let text = error(&project.build());
    assert!(text.contains("mismatched types"), "{text}");
    assert!(text.contains("error: tiny-drv does not compile"), "{text}");
    assert_eq!(Tree::read(&project.package()).unwrap(), before);
}

#[test]
fn a_program_that_breaks_a_rule_makes_no_package() {
    let project = Project::new();
    project.replace("src/main.rs", "drvinfo\\t1", "drvinfo\\t2");
    let text = error(&project.build());
    assert!(text.contains("section .l4re.drvinfo: line 1: format version 2"), "{text}");
    assert!(!project.package().exists());
}

#[test]
fn a_change_of_the_c_part_or_of_the_library_reaches_the_program() {
    let project = Project::new();
    let program = || fs::read(project.path("out/bin/aarch64/tiny-drv")).unwrap();
    assert_good(&project.build());
    let first = program();
    project.replace("driver.toml", "DIVISOR=2", "DIVISOR=7");
    assert_good(&project.build());
    let second = program();
    assert!(first != second);
    project.replace("libc/src/lib.rs", "wrapping_div", "wrapping_rem");
    assert_good(&project.build());
    assert!(second != program());
}

#[test]
fn every_obstacle_comes_with_the_way_out() {
    let project = Project::new();
    let build = |args: &[&str]| project.packager().arg("build").args(args).output().unwrap();
    let empty = project.path("empty");
    fs::create_dir(&empty).unwrap();

    let text = error(&build(&["empty"]));
    assert_eq!(
        text,
        "empty: error: no driver.toml in this folder\n  help: name the driver's folder, or build a \
         plain program with --elf-only\n"
    );
    let text = error(&build(&["--elf-only", "empty"]));
    assert!(text.contains("no Cargo.toml in this folder"), "{text}");
    let text = error(&build(&["--target", "x86_64"]));
    assert!(text.contains("programs for x86_64 can be checked but not built yet"), "{text}");
    let text = error(&build(&["--target", "x68_64"]));
    assert!(text.contains("help: did you mean `x86_64`?"), "{text}");

    let mut command = project.packager();
    let output = command.arg("build").env("CROSS_COMPILE", "no-such-").output().unwrap();
    let text = error(&output);
    assert!(text.contains("error: the C compiler no-such-gcc is not installed"), "{text}");
    assert!(
        text.contains("help: install it with `apt-get install gcc-aarch64-linux-gnu`"),
        "{text}"
    );

    project.replace("driver.toml", "class =", "program = \"tiny-drw\"\nclass =");
    let text = error(&project.build());
    assert!(
        text.contains(
            "error: the crate has no program `tiny-drw`\n  help: did you mean `tiny-drv`?"
        )
    );
    project.replace("driver.toml", "program = \"tiny-drw\"\n", "");
    project.replace("driver.toml", "src/half.c", "src/haff.c");
    assert!(error(&project.build()).contains("src/haff.c: error: no such file"));
}

#[test]
fn an_out_folder_with_other_things_is_not_touched() {
    let project = Project::new();
    project.write("precious/pkg/tiny/letter.txt", "");
    let mut command = project.packager();
    let output = command.args(["build", "--out", "precious"]).output().unwrap();
    assert!(error(&output).contains("is no package of this tool; it is not replaced"));
    assert!(project.path("precious/pkg/tiny/letter.txt").exists());
}

#[test]
fn the_result_can_be_read_by_programs() {
    let project = Project::new();
    let mut command = project.packager();
    let output = command.args(["--json", "build"]).output().unwrap();
    assert_good(&output);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["ok"], &result["verb"]), (&true.into(), &"build".into()));
    assert!(result["programs"][0]["size"]["private"].is_u64());

    project.replace("driver.toml", "licence", "licens");
    let output = project.packager().args(["--json", "build"]).output().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["ok"], false);
    assert_eq!(result["diagnostics"][1]["code"], "unknown-key");
    assert_eq!(result["diagnostics"][1]["position"]["text"]["line"], 6);
    assert_eq!(result["diagnostics"][1]["help"], "did you mean `licence`?");
}

#[test]
fn a_run_ends_with_the_code_of_its_result() {
    let project = Project::new();
    assert_good(&project.build());
    project.write("kernel", "");
    project.write("client", "");
    // The emulator's part is played by a script.
    let run = |script: &str, args: &[&str]| {
        project.write("qemu", &format!("#!/bin/sh\n{script}\n"));
        let mut chmod = Program::declared("chmod").command();
        assert!(chmod.arg("+x").arg(project.path("qemu")).status().unwrap().success());
        let mut command = project.packager();
        command.args(["run", "out/pkg/tiny", "--standin", "kernel"]).args(args);
        command.env("QEMU", project.path("qemu")).output().unwrap()
    };
    let client = ["--client", "client", "--time-limit", "600"];
    let output = run("echo 'client0 | L4RE-RESULT: pass'", &client);
    assert_good(&output);
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .starts_with("client0 | L4RE-RESULT: pass\npass after")
    );
    for script in ["echo 'L4RE-RESULT: fail no'", "echo all is well", "exec sleep 60"] {
        let output = run(script, &["--client", "client", "--time-limit", "1"]);
        assert_eq!(output.status.code(), Some(1), "{script}");
    }
    let text = error(&run("", &[]));
    assert!(text.contains("help: name a program that uses it and prints one: --client"), "{text}");
    let text = error(&run("", &["--client", "client", "--transport", "mmio"]));
    assert!(text.contains("names no device on this transport"), "{text}");
}

#[test]
fn a_packager_outside_of_the_project_finds_the_stand_in_that_came_with_it() {
    let project = Project::new();
    assert_good(&project.build());
    project.write("client", "");
    project.write("qemu", "#!/bin/sh\necho \"emulator: $*\"\necho 'L4RE-RESULT: pass'\n");
    project.write("prefix/bin/packager", "");
    let program = project.path("prefix/bin/packager");
    fs::copy(env!("CARGO_BIN_EXE_packager"), &program).unwrap();
    let mut chmod = Program::declared("chmod").command();
    assert!(chmod.arg("+x").arg(project.path("qemu")).status().unwrap().success());
    let run = || {
        let mut command = Command::new(&program);
        command.args(["run", "out/pkg/tiny", "--client", "client", "--time-limit", "600"]);
        command.current_dir(project.path(".")).env("QEMU", project.path("qemu")).output().unwrap()
    };
    let text = error(&run());
    assert!(text.contains("there is no stand-in kernel for aarch64"), "{text}");
    assert!(text.contains("--standin, put it at "), "{text}");
    for place in ["prefix/bin/l4re-standin-aarch64", "prefix/share/l4re/l4re-standin-aarch64"] {
        project.write(place, "");
        let output = run();
        assert_good(&output);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let kernel = project.path(place).canonicalize().unwrap();
        assert!(text.contains(&format!("-kernel {}", kernel.display())), "{text}");
    }
}

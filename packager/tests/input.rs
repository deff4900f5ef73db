//! One way to open what others made: through `l4re_files::input`, everywhere. And special files in
//! place of whatever the command line names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// What opens a file of any kind and size, and what makes names that others can foresee.
const FORBIDDEN: [&str; 5] =
    ["File::open(", "fs::read(", "fs::read_to_string(", "process::id()", ".read_to_string(path"];

/// The only file that may: it asks for the signals that are ignored.
const ALLOWED: [&str; 1] = ["files/src/interrupt.rs"];

#[expect(clippy::unwrap_used, reason = "a test reads its own sources")]
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The program's part of a source: without its tests.
fn program(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

#[test]
fn input_is_opened_in_one_way_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let crates = "base cflags core files image linux/cpp linux/drivers linux/headers linux/kbuild \
                  linux/kconfig outputs programs resolve udi udi/tools";
    for part in crates.split_whitespace().chain([""]) {
        sources(&root.join(part).join("src"), &mut files);
    }
    assert!(files.len() > 200, "{}", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        // Whole files of tests.
        if name.ends_with("tests.rs") || ALLOWED.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in program(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if FORBIDDEN.iter().any(|word| code.contains(word)) {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "use l4re_files::input:\n{}", wrong.join("\n"));
    // The test would see it.
    assert!(program("fn a() { fs::read(x) }\n#[cfg(test)]\nmod tests {}").contains(FORBIDDEN[1]));
}

/// A pipe that nobody writes to and a device without end, under every name that a command takes.
#[test]
fn special_files_are_refused_whatever_they_stand_for() {
    let dir = tempfile::tempdir().unwrap();
    let driver = dir.path().join("driver");
    fs::create_dir(&driver).unwrap();
    for name in ["driver.toml", "pipe", "pipe.udi", "pipe.toml", "udiprops.txt", "Control"] {
        mknodat(CWD, driver.join(name), FileType::Fifo, Mode::RUSR, 0).unwrap();
    }
    let units = dir.path().join("units");
    fs::create_dir(&units).unwrap();
    mknodat(CWD, units.join("a.service"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let root = dir.path().to_string_lossy().into_owned();
    for special in ["driver/pipe", "/dev/zero"] {
        for arguments in [
            "check SPECIAL",
            "check driver",
            "check driver/pipe.toml",
            "build driver",
            "emit driver --format systemd --out out",
            "image list SPECIAL",
            "image extract SPECIAL --out out",
            "inject driver --image SPECIAL -o out",
            "install SPECIAL --root ROOT",
            "install driver --root ROOT",
            "install /proc/self/exe --image SPECIAL",
            "run driver",
            "run --image SPECIAL",
            "udi setup driver/pipe.udi -o out",
            "udi build driver",
            "udi mkpkg driver",
            "rootfs --units units --debs driver --out out",
            "wrap --config SPECIAL",
            "resolve --tree driver --config SPECIAL",
        ] {
            let arguments = arguments.replace("SPECIAL", special).replace("ROOT", &root);
            let output = Command::new(env!("CARGO_BIN_EXE_packager"))
                .current_dir(dir.path())
                .args(arguments.split(' '))
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{arguments}: {text}");
            assert!(!dir.path().join("out").exists(), "{arguments}: {text}");
            assert!(text.contains("error"), "{arguments}: {text}");
        }
    }
}

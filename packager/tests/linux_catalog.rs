//! `packager list` on small trees: every shape that Kconfig files and Makefiles have, with the
//! exact result, and trees that mean harm.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use l4re_programs::Program;

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
#[path = "terminal/mod.rs"]
mod terminal;

const MINI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/linux/trees/mini");

fn packager() -> Command {
    Command::new(env!("CARGO_BIN_EXE_packager"))
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn list(tree: &Path, args: &[&str]) -> Output {
    packager().arg("list").arg("--linux-src").arg(tree).args(args).output().unwrap()
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a command that went well.
fn good(args: &[&str]) -> String {
    let output = list(Path::new(MINI), args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Standard error of a command that failed as failing work does, with `DIR` for the tree.
fn bad(tree: &Path, args: &[&str]) -> String {
    let output = list(tree, args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "");
    let root = tree.canonicalize().unwrap_or(tree.into());
    text(&output.stderr)
        .replace(&root.display().to_string(), "DIR")
        .replace(&tree.display().to_string(), "DIR")
}

/// A tree with the least that is one; `files` are added to it or replace what is there.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let least = [
        ("Makefile", "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n"),
        ("Kbuild", "obj-y += drivers/\n"),
        ("Kconfig", "source \"drivers/Kconfig\"\n"),
        ("scripts/Kbuild.include", ""),
        ("arch/arm64/Kconfig", ""),
        ("drivers/Kconfig", "source \"drivers/a/Kconfig\"\n"),
        ("drivers/Makefile", "obj-y += a/\n"),
        ("drivers/a/Kconfig", "config A\n\tbool \"A\"\n"),
        ("drivers/a/Makefile", "obj-$(CONFIG_A) += a.o\n"),
    ];
    for (path, text) in least.iter().chain(files) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// Every file below a folder with its bytes.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    all
}

/// The whole catalog of the fixture is as it was written down by hand. To write it anew after a
/// change of the fixture: `L4RE_BLESS=1 cargo test`, then read the difference.
#[test]
fn the_whole_catalog_of_a_small_tree_is_exact() {
    for arch in ["arm64", "x86_64", "i386"] {
        let expected = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/linux/expected/mini.{arch}.tsv"));
        let found = good(&["--arch", arch, "--all", "--format", "tsv"]);
        if std::env::var_os("L4RE_BLESS").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&expected).unwrap(), "{arch}");
    }
}

#[test]
fn the_table_shows_drivers_only_and_counts_the_rest() {
    let output = list(Path::new(MINI), &["--subsystem", "net"]);
    assert_eq!(
        text(&output.stdout),
        "SUBSYSTEM  SYMBOL      TYPE      DESCRIPTION\n\
         net        ACME_ONE    tristate  Acme One\n\
         net        ACME_TWO    tristate  Acme Two\n\
         net        E1000       tristate  Intel(R) PRO/1000 Gigabit Ethernet support\n\
         net        E1000E      tristate  Intel(R) PRO/1000 PCI-Express Gigabit Ethernet support\n\
         net        PHYLIB      tristate  Transceiver library\n\
         net        SHARED_PHY  tristate  Transceiver on network cards\n\
         net        VIRTIO_NET  tristate  Virtio network driver\n"
    );
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn searching_looks_at_symbol_prompt_help_and_module_in_any_case() {
    let found = |word: &str| -> Vec<String> {
        let out = good(&["--search", word, "--format", "tsv"]);
        out.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    assert_eq!(found("e1000"), ["E1000", "E1000E"]);
    assert_eq!(found("PCI-express"), ["E1000E"]);
    assert_eq!(found("PARAVIRTUAL"), ["VIRTIO_NET"]);
    assert_eq!(found("pci-stub"), ["PCI_STUB"]);
    assert_eq!(found("no such thing"), [""; 0]);
}

/// Sound cards and protocols are in no subsystem below `drivers/`.
#[test]
fn options_outside_of_drivers_are_not_listed_but_found() {
    let tree = tree(&[
        ("Kconfig", "source \"drivers/Kconfig\"\nsource \"sound/Kconfig\"\n"),
        ("sound/Kconfig", "config SND_X\n\ttristate \"Card X\"\nconfig SND_N\n\tint \"Card N\"\n"),
    ]);
    let output = list(tree.path(), &["--search", "card"]);
    assert_eq!(text(&output.stdout), "SUBSYSTEM  SYMBOL  TYPE  DESCRIPTION\n");
    let note = "warning: no driver mentions `card`\n  help: not under drivers/, but `packager \
                extract --driver` knows them: SND_X (sound/Kconfig:1)\n";
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), note.into()));
    let mut pick = packager();
    pick.arg("pick").arg("--linux-src").arg(tree.path()).args(["--driver", "snd_x"]);
    assert_eq!(
        text(&pick.output().unwrap().stderr),
        "error: SND_X is defined outside of drivers/, so it is not listed\n  help: it stands in \
         sound/Kconfig:1; `packager extract --driver SND_X` takes it if it builds anything\n"
    );
}

#[test]
fn json_is_an_array_of_the_agreed_objects() {
    let out = good(&["--search", "e1000", "--all", "--format", "json"]);
    let array: serde_json::Value = serde_json::from_str(&out).unwrap();
    let array = array.as_array().unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    for entry in array {
        let mut expected =
            vec!["symbol", "subsystem", "type", "prompt", "kconfig", "line", "depends_on", "kind"];
        expected.push("modules");
        expected.sort_unstable();
        assert_eq!(keys(entry), expected);
    }
    let e1000 = array.iter().find(|entry| entry["symbol"] == "E1000").unwrap();
    assert_eq!(e1000["depends_on"], "NETDEVICES && ETHERNET && NET_VENDOR_INTEL && PCI");
    assert_eq!(e1000["modules"][0]["directory"], "drivers/net/ethernet/intel/e1000");
    // The usual object of --json carries the same array.
    let out = packager()
        .args(["list", "--linux-src", MINI, "--search", "e1000", "--all", "--json"])
        .output()
        .unwrap();
    let object: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(object["drivers"].as_array().unwrap(), array);
    assert_eq!(object["ok"], true);
}

#[test]
fn without_a_tree_our_own_servers_are_listed() {
    let out = packager()
        .args(["list", "--format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let array: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let block = array.as_array().unwrap().iter().find(|entry| entry["symbol"] == "virtio-blk");
    let block = block.unwrap();
    assert_eq!(block["kconfig"], "drivers/blk/driver.toml");
    assert_eq!(block["kind"], "driver");
    assert_eq!(block["type"], "");
    let usage = packager().args(["list", "--arch", "arm64"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_subsystem_that_is_not_there_is_answered_with_those_that_are() {
    assert_eq!(
        bad(Path::new(MINI), &["--subsystem", "nett"]),
        "error: there is no subsystem `nett`\n  help: did you mean `net`? `packager list \
         --subsystems` shows all\n"
    );
    assert_eq!(
        bad(Path::new(MINI), &["--subsystem", "x11"]),
        "error: there is no subsystem `x11`\n  help: `packager list --subsystems` shows all\n"
    );
}

#[test]
fn subsystems_are_listed_with_their_numbers_of_drivers() {
    let out = |args: &[&str]| text(&list(Path::new(MINI), args).stdout);
    let table = out(&["--subsystems"]);
    assert!(table.starts_with("SUBSYSTEM  DRIVERS\nblock      5\ncabinet    1\n"), "{table}");
    let tsv = out(&["--subsystems", "--format", "tsv"]);
    assert!(tsv.starts_with("subsystem\tdrivers\nblock\t5\n"), "{tsv}");
    let json = out(&["--subsystems", "--format", "json"]);
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0], serde_json::json!({ "subsystem": "block", "drivers": 5 }));
    assert_eq!(json.len(), 10);
}

#[test]
fn a_search_without_a_hit_says_so_and_where_else_to_look() {
    let said = |args: &[&str]| {
        let output = list(Path::new(MINI), args);
        assert_eq!(output.status.code(), Some(0));
        text(&output.stderr)
    };
    let warning = "warning: no driver mentions `zzz`\n  help: symbol, prompt, help and module names \
                   were searched, in any case\n";
    assert_eq!(said(&["--search", "zzz"]), warning);
    assert_eq!(said(&["--search", "zzz", "--format", "json"]), warning);
    let text = said(&["--search", "mii"]);
    assert!(text.contains("--all finds"), "{text}");
    let text = said(&["--search", "e1000e", "--subsystem", "usb"]);
    let elsewhere = "no driver in usb mentions `e1000e`\n  help: 1 in other subsystems";
    assert!(text.contains(elsewhere), "{text}");
    assert_eq!(said(&["--search", "e1000e"]), "");
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let mut child = packager()
        .args(["list", "--linux-src", MINI, "--all", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    assert_eq!(errors, "");
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = packager()
        .args(["list", "--linux-src", MINI, "--format", "tsv"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write the list: No space left"));
}

#[test]
fn on_a_terminal_the_table_fits_and_says_how_many_there_are() {
    let mut command = packager();
    command.args(["list", "--linux-src", MINI]);
    let seen = terminal::run(&mut command, "", false);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), ""), "{}", seen.screen);
    let lines = seen.screen.lines().filter(|line| !line.contains('\x1b'));
    let longest = lines.map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 72, "{longest} columns: {}", seen.screen);
    assert!(seen.screen.contains("drivers; --all shows"), "{}", seen.screen);
}

#[test]
fn nothing_of_a_tree_is_executed_or_written() {
    let outside = tempfile::tempdir().unwrap();
    let marker = outside.path().join("executed");
    let run = format!("$(shell,touch {})", marker.display());
    let kconfig = format!(
        "x := {run}\nconfig A\n\tbool \"A\" if \"{run}\" = \"\"\n\tdefault y if $(x) = \"\"\n\
         \tdepends on \"{run}\" = \"\"\n"
    );
    let makefile = format!("obj-$(CONFIG_A) += a.o\nx := $(shell touch {})\n", marker.display());
    let makefile = format!("{makefile}ifeq ($(x),)\nobj-y += b.o\nendif\n");
    let tree = tree(&[("drivers/a/Kconfig", &kconfig), ("drivers/a/Makefile", &makefile)]);
    let before = files(tree.path());
    let output = list(tree.path(), &["--all", "--format", "tsv"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("\nA\ta\tbool\tA\t"), "{}", text(&output.stdout));
    assert!(!marker.exists());
    assert_eq!(files(tree.path()), before);
}

#[test]
fn folders_that_are_no_trees_are_said_to_be_none() {
    let tree = tree(&[]);
    fs::remove_file(tree.path().join("drivers/Kconfig")).unwrap();
    let message = bad(tree.path(), &[]);
    assert!(
        message.starts_with(
            "DIR: error: this is no Linux source tree: drivers/Kconfig is missing\n  help: "
        ),
        "{message}"
    );
    let message = bad(Path::new("/nowhere"), &[]);
    assert!(message.contains("no such folder") && message.contains("LINUX_SRC="), "{message}");
    let tree = self::tree(&[]);
    assert_eq!(
        bad(tree.path(), &["--arch", "vax"]),
        "DIR: error: this tree has no architecture `vax`\n  help: it has: arm64\n"
    );
}

#[test]
fn harmful_kconfig_files_end_with_file_and_line() {
    let cases: [(&str, &str, &str); 4] = [
        ("a file that sources itself", "source \"drivers/a/Kconfig\"\n", "drivers/a/Kconfig:1"),
        ("a missing file", "\nsource \"drivers/none/Kconfig\"\n", "drivers/a/Kconfig:2"),
        ("a block without end", "if A\nconfig B\n\tbool\n", "drivers/a/Kconfig"),
        ("words that are none", "config A\n\tboool \"A\"\n", "drivers/a/Kconfig:2"),
    ];
    for (name, kconfig, place) in cases {
        let tree = tree(&[("drivers/a/Kconfig", kconfig)]);
        let message = bad(tree.path(), &[]);
        assert!(message.contains(place), "{name}: {message}");
        assert!(!message.contains("panicked"), "{name}: {message}");
    }
}

#[test]
fn broken_makefiles_end_with_file_and_line() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("cut off", b"\nifdef CONFIG_A\nobj-y += a.o\n", "drivers/a/Makefile:2:1: error: missing"),
        ("cut off inside a name", b"obj-$(CONFIG_A += a.o", "drivers/a/Makefile:1:1: error: "),
        ("binary", b"obj-y\0", "drivers/a/Makefile: error: contains a zero byte"),
        ("including itself", b"include $(src)/Makefile\n", "drivers/a/Makefile:1:1: error: "),
        (
            "endless",
            b"x = $(x)\nobj-y += $(x)\n",
            "drivers/a/Makefile:2:1: error: recursive variable",
        ),
    ];
    for (name, makefile, message) in cases {
        let tree = tree(&[]);
        fs::write(tree.path().join("drivers/a/Makefile"), makefile).unwrap();
        let text = bad(tree.path(), &[]);
        assert!(text.starts_with(message), "{name}: {text}");
    }
}

/// Opening a pipe for reading would wait for a writer; the test would not end.
#[test]
fn pipes_in_place_of_files_are_not_waited_for() {
    let read_by_all = ["scripts/Makefile.build", "scripts/Makefile.lib", "Kbuild"];
    let errors = ["drivers/a/Makefile", "drivers/a/Kconfig", "Makefile"];
    for file in read_by_all.iter().chain(&errors) {
        let tree = tree(&[]);
        let path = tree.path().join(file);
        let _not_there = fs::remove_file(&path);
        assert!(Program::declared("mkfifo").command().arg(&path).status().unwrap().success());
        let output = list(tree.path(), &[]);
        if errors.contains(file) {
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{file}");
            assert!(message.contains(file) && message.contains("error: "), "{file}: {message}");
        } else {
            assert!(output.status.code().is_some(), "{file}");
        }
    }
}

#[test]
fn doubts_about_files_are_for_those_who_ask() {
    let tree = tree(&[("drivers/a/Kconfig", "config A\n\tbool \"cut off")]);
    let silent = list(tree.path(), &[]);
    assert_eq!((silent.status.code(), text(&silent.stderr)), (Some(0), String::new()));
    let told = text(&list(tree.path(), &["-v"]).stderr);
    assert!(told.contains("drivers/a/Kconfig:2:7: warning: "), "{told}");
}

#[test]
fn prompts_are_trimmed() {
    let tree = tree(&[("drivers/a/Kconfig", "config A\n\tbool \"  A b \"\n")]);
    let out = text(&list(tree.path(), &["--format", "tsv"]).stdout);
    assert!(out.contains("\nA\ta\tbool\tA b\tdrivers/a/Kconfig\t1\t"), "{out}");
}

/// Shapes of `drivers/infiniband/hw/hns`, `drivers/watchdog` and `drivers/video/fbdev/matrox`.
#[test]
fn options_that_add_whole_modules_to_drivers_of_others_are_members() {
    let kconfig = ["A", "B", "C", "D"].map(|name| format!("config {name}\n\tbool \"{name}\"\n"));
    let makefile = "obj-$(CONFIG_A) += a.o $(more-y)\nmore-$(CONFIG_B) += b.o\nifdef CONFIG_C\n\
                    c-objs := c1.o c2.o\nobj-$(CONFIG_A) += c.o\nendif\n\
                    ifeq ($(CONFIG_D),y)\nccflags-y += -DD\nendif\n";
    let files = [("drivers/a/Kconfig", &*kconfig.concat()), ("drivers/a/Makefile", makefile)];
    let tree = tree(&files);
    let out = text(&list(tree.path(), &["--all", "--format", "tsv"]).stdout);
    let ends = ["\tmember\tdrivers/a/b\tdrivers/a/b.o\n", "\toption\t\t\n"];
    assert!(out.contains(&format!("\nB\ta\tbool\tB\tdrivers/a/Kconfig\t3\t{}", ends[0])), "{out}");
    let c = "\tmember\tdrivers/a/c\tdrivers/a/c1.o drivers/a/c2.o\n";
    assert!(out.contains(&format!("\nC\ta\tbool\tC\tdrivers/a/Kconfig\t5\t{c}")), "{out}");
    assert!(out.contains(&format!("\nD\ta\tbool\tD\tdrivers/a/Kconfig\t7\t{}", ends[1])), "{out}");
}

/// Values under the fixture's configurations; one of them depends on the compiler.
#[test]
fn values_under_a_configuration_are_listed() {
    let with = |config: &str| {
        let out = good(&[
            "--base-config",
            config,
            "--cross-compile",
            "aarch64-linux-gnu-",
            "--format",
            "tsv",
        ]);
        assert!(out.lines().next().unwrap().ends_with("\tvalue\tvisible"), "{out}");
        let line = |line: &str| {
            let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            (fields[0].clone(), format!("{} {}", fields[10], fields[11]))
        };
        out.lines().skip(1).map(line).collect::<BTreeMap<_, _>>()
    };
    let tiny = with("tiny");
    assert_eq!(tiny["E1000"], "n n");
    let defconfig = with("defconfig");
    assert_eq!((defconfig["E1000"].as_str(), defconfig["VIRTIO_BLK"].as_str()), ("m y", "y y"));
    let all = with("allmodconfig");
    assert_eq!((all["E1000"].as_str(), all["MISC_HIDDEN"].as_str()), ("m y", "n n"));
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own.config");
    fs::write(&own, "CONFIG_BLK_DEV=y\nCONFIG_BLK_DEV_LOOP=y\n").unwrap();
    assert_eq!(with(own.to_str().unwrap())["BLK_DEV_LOOP"], "y y");
    let message = bad(Path::new(MINI), &["--base-config", "/nowhere/.config"]);
    assert!(message.contains("/nowhere/.config: error: cannot read"), "{message}");
    assert_eq!(all["MISC_COMPILER"], "y y");
}

#[test]
fn binary_and_endless_files_end_without_a_panic() {
    let tree = tree(&[]);
    fs::write(tree.path().join("drivers/a/Kconfig"), [0, 159, 146, 150, b'\n', 255]).unwrap();
    fs::write(tree.path().join("drivers/a/Makefile"), [0, 159, 146, 150, b'\n', 255]).unwrap();
    let output = list(tree.path(), &[]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
    for file in ["drivers/a/Kconfig", "drivers/a/Makefile"] {
        let tree = self::tree(&[]);
        let path = tree.path().join(file);
        fs::remove_file(&path).unwrap();
        symlink(&path, &path).unwrap();
        let output = list(tree.path(), &[]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
        let tree = self::tree(&[]);
        let path = tree.path().join(file);
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        let output = list(tree.path(), &[]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
    }
}

#[test]
fn escape_sequences_in_texts_do_not_reach_the_terminal() {
    let disturbs = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
    let prompt = "config A\n\tbool \"A\x1b[2J\u{9b}1m\u{202e}x\"\n";
    let source = "source \"drivers/a/none\x1b[2J\"\n";
    for (kconfig, code) in [(prompt, 0), (source, 1), ("$(error-if,y,no\x1b[2J\u{9b}m)\n", 1)] {
        let tree = tree(&[("drivers/a/Kconfig", kconfig)]);
        for form in ["--format=table", "--format=tsv", "--format=json", "--json"] {
            let output = list(tree.path(), &[form]);
            assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
            let shown = text(&output.stdout) + &text(&output.stderr);
            assert!(!shown.contains(disturbs), "{form}: {shown:?}");
            if form.ends_with("json") && !output.stdout.is_empty() {
                let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                assert!(value.to_string().contains("[2J"), "{value}");
            }
        }
    }
}

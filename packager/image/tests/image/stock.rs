//! Held against L4Re's own tool, which the variable `L4IMAGE` names (run with `--ignored`): what it
//! lists and extracts of our images, and what we read of its images, for every class, byte order and
//! version.

use crate::support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_image::{Image, Kind, MODULE_LIST, Module, Source};

/// The tool.
fn tool() -> Option<PathBuf> {
    std::env::var_os("L4IMAGE").map(PathBuf::from)
}

/// Every container, and a version 1 that is neither 64-bit nor little endian.
fn images() -> Vec<(String, Vec<u8>)> {
    let mut all = support::all();
    all.push(("32 bits, big endian, version 1".into(), support::elf_of(support::MACHINES[4], 1)));
    all
}

fn run(tool: &Path, folder: &Path, words: &[&str]) -> String {
    let output = Command::new(tool)
        .args(words)
        .current_dir(folder)
        .envs([("ARCH", "arm64"), ("BITS", "64"), ("PLATFORM_TYPE", "x")])
        .envs([("CROSS_COMPILE", ""), ("OBJCOPY", "objcopy")])
        .env("TMPDIR", folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "l4image {words:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The modules: names, kinds, arguments and bytes.
const MODULES: [(&str, Kind, &str, &[u8]); 5] = [
    ("fiasco", Kind::Kernel, "-serial_esc", &[1; 5000]),
    ("sigma0", Kind::Sigma0, "", &[2]),
    ("moe", Kind::Roottask, "rom/x.cfg a", &[3; 4096]),
    ("x.cfg", Kind::File, "", b"print(1)\n"),
    ("data", Kind::File, "with words", &[4; 9000]),
];

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let files = names.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    files.filter(|(name, _)| name != MODULE_LIST).collect()
}

fn expected() -> BTreeMap<String, Vec<u8>> {
    MODULES.iter().map(|(name, _, _, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

#[test]
#[ignore = "needs L4Re's l4image: L4IMAGE=<file>"]
fn the_stock_tool_reads_what_we_write() {
    let tool = tool().expect("L4IMAGE names L4Re's l4image");
    for (what, bootstrap) in images() {
        let dir = tempfile::tempdir().unwrap();
        let mut image = Image::read(Source::from_bytes(bootstrap)).unwrap();
        image.attrs.set("l4i:PT", "board");
        for (name, kind, args, bytes) in MODULES {
            let mut module = Module::new(name, Source::from_bytes(bytes));
            module.kind = kind;
            module.command_line = format!("{name} {args}").trim_end().into();
            image.add(module, None).unwrap();
        }
        image.write(&dir.path().join("image")).unwrap();
        let list = run(&tool, dir.path(), &["-i", "image", "list", "-v"]);
        for ((name, kind, args, bytes), line) in MODULES.iter().zip(list.lines().skip(2)) {
            let letter = match kind {
                Kind::Kernel => "K",
                Kind::Sigma0 => "S",
                Kind::Roottask => "R",
                Kind::File => "M",
            };
            let words: Vec<_> = line.split_whitespace().collect();
            let size = bytes.len().to_string();
            assert_eq!((words[0], words[2], words[3]), (letter, size.as_str(), *name), "{what}");
            assert!(line.trim_end().ends_with(args), "{what}: {line}");
        }
        fs::create_dir(dir.path().join("out")).unwrap();
        run(&tool, dir.path(), &["-i", "image", "--outputdir", "out", "extract"]);
        assert_eq!(files(&dir.path().join("out")), expected(), "{what}");
        let board = run(&tool, dir.path(), &["-i", "image", "attr", "--get", "l4i:PT"]);
        assert!(board.contains("board"), "{what}: {board}");
    }
}

#[test]
#[ignore = "needs L4Re's l4image: L4IMAGE=<file>"]
fn we_read_what_the_stock_tool_writes() {
    let tool = tool().expect("L4IMAGE names L4Re's l4image");
    for (what, bootstrap) in images() {
        let dir = tempfile::tempdir().unwrap();
        // The tool makes images only of a bootstrap that says what board it is for.
        let mut image = Image::read(Source::from_bytes(bootstrap)).unwrap();
        image.attrs.set("l4i:PT", "board");
        image.write(&dir.path().join("bootstrap")).unwrap();
        let mut list = String::from("entry x\n");
        for (name, kind, args, bytes) in MODULES {
            fs::write(dir.path().join(name), bytes).unwrap();
            list += &format!("{}[no-shlib-scan] {name} {args}\n", kind.name());
        }
        fs::write(dir.path().join("list"), list).unwrap();
        let folder = dir.path().to_str().unwrap();
        let mut words = vec!["-i", "bootstrap", "-o", "image", "create", "--entry", "x"];
        words.extend(["--modules-list-file", "list", "--search-path", folder]);
        run(&tool, dir.path(), &words);
        let image = Image::open(&dir.path().join("image")).unwrap();
        let found = image.modules.iter().map(|module| {
            let bytes = module.content().to_vec(1 << 20).unwrap();
            (module.name.clone(), module.kind, module.args().to_owned(), bytes)
        });
        let wanted = MODULES.iter().map(|(name, kind, args, bytes)| {
            ((*name).to_owned(), *kind, (*args).to_owned(), bytes.to_vec())
        });
        assert!(found.eq(wanted), "{what}: {:?}", image.modules);
        let findings: Vec<_> = image.verify().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{what}: {findings:?}");
        // And written again by us, it is what the tool would list again.
        image.write(&dir.path().join("again")).unwrap();
        let one = run(&tool, dir.path(), &["-i", "image", "list", "-v"]);
        assert_eq!(run(&tool, dir.path(), &["-i", "again", "list", "-v"]), one, "{what}");
    }
}

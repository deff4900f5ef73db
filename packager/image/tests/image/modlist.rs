//! Module lists: what an entry consists of, and what is refused.

use crate::support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use l4re_image::modlist::{Context, Entry, entries, load};
use l4re_image::{Image, Source, strip};
use object::{Object, ObjectSection};

fn context(folder: &Path) -> Context {
    Context { arch: "arm64".into(), bits: 64, search: vec![folder.into()] }
}

/// The command lines of an entry's modules, or what is said instead.
fn entry(folder: &Path, text: &str, name: &str) -> Result<Vec<String>, String> {
    let list = folder.join("x.list");
    fs::write(&list, text).unwrap();
    let context = context(folder);
    let list = load(&list, &context).map_err(|failure| failure.to_string())?;
    let entry = Entry::find(&list, name, &context).map_err(|failure| failure.to_string())?;
    let items = entry.items.iter();
    let mut lines: Vec<_> =
        items.map(|item| format!("{} {}", item.kind.name(), item.command_line())).collect();
    lines.push(entry.command_line);
    Ok(lines)
}

#[test]
fn an_entry_has_the_base_modules_and_its_own_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let text = "modaddr 0x100\ndefault-kernel fiasco -x\ngroup g\nmodule b 1\nmodule c\n\
                entry[arch=arm] hello\nmodule no\n\
                Entry HELLO\nroottask moe rom/x.cfg # why\nmodule[arch=arm64|arm] a\nmodule[bits=32] no\n\
                module-group g\nbin[fname=bus.io] io/long.io  -v  w\n\
                entry hello\nmodule second\n";
    assert_eq!(
        entry(dir.path(), text, "hello").unwrap(),
        [
            "kernel fiasco -x",
            "sigma0 sigma0",
            "roottask moe rom/x.cfg",
            "module a",
            "module b 1",
            "module c",
            "module bus.io -v  w",
            "bootstrap -modaddr=0x100",
        ]
    );
    let text = "entry[no-defaults] x\nkernel k\nmoe dir/y.cfg\nbootstrap bootstrap -wait";
    assert_eq!(
        entry(dir.path(), text, "x").unwrap(),
        ["kernel k", "roottask moe rom/y.cfg", "module y.cfg", "bootstrap -wait"]
    );
}

#[test]
fn lists_are_included_once_and_relative_to_the_including_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/a.inc"), "entry in-a\nmodule a\ninclude b.inc\n").unwrap();
    fs::write(dir.path().join("sub/b.inc"), "module b\ninclude a.inc\n").unwrap();
    let list = dir.path().join("x.list");
    fs::write(&list, "include sub/a*.inc\nentry last\n").unwrap();
    let context = context(dir.path());
    let list = load(&list, &context).unwrap();
    assert_eq!(entries(&list, &context), ["in-a", "last"]);
    assert!(list.report.iter().any(|finding| finding.message.contains("was included before")));
    assert_eq!(Entry::find(&list, "in-a", &context).unwrap().items.len(), 5);
}

#[test]
fn code_and_remote_files_are_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("marker");
    let text = format!("entry x\nmodule[shell] touch {}\nmodule[perl] die\n", marker.display());
    let message = entry(dir.path(), &text, "x").unwrap_err();
    assert!(message.contains("x.list:2:1: error: `shell`: code of a module list is not executed"));
    assert!(message.contains("x.list:3:1: error: `perl`"), "{message}");
    assert!(!marker.exists());
    let message = context(dir.path()).find("https://example.org/x").unwrap_err().to_string();
    assert!(message.contains("nothing is fetched"), "{message}");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (
            "entry x\nmodul a",
            "x.list:2:1: error: `modul` is no kind of line\n  help: did you mean `module`?",
        ),
        ("entry x\nmodule-group g", "x.list:2:1: error: there is no group `g` before this line"),
        ("group g\nmodul a\nentry x", "x.list:2:1: error: `modul` is no kind of line"),
        ("entry y", "error: no entry `x` for arm64"),
        ("include none.inc", "x.list:1:1: error: cannot read"),
        (
            "include ${NO_SUCH_NAME}",
            "x.list:1:1: error: the environment has no variable NO_SUCH_NAME",
        ),
        ("entry x\nset mode linux", "an entry that boots Linux is no bootstrap image"),
    ] {
        let message = entry(dir.path(), text, "x").unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

/// What the stock tool takes, with the result that it has.
#[test]
fn what_is_wrong_elsewhere_or_says_nothing_is_left_out_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = "entry old\nmodule-glob x/*\nentry x\nmodule\nmodaddr 0x1 0x2\nmodule l4re\n";
    let lines = entry(dir.path(), text, "x").unwrap();
    assert_eq!(lines[3..], ["module l4re", "bootstrap -modaddr=0x1"]);
    let told = load(&dir.path().join("x.list"), &context(dir.path())).unwrap().report;
    let told: Vec<_> = told.iter().map(ToString::to_string).collect();
    for (place, what) in told.iter().zip([
        "2:1: warning: `module-glob` is no kind of line",
        "4:1: warning: `module` of nothing is left out",
        "5:1: warning: `modaddr` takes one word",
    ]) {
        assert!(place.contains(what), "{told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn groups_may_share_a_module_but_no_arguments_get_lost() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["fiasco", "sigma0", "moe", "l4re", "ned", "x.cfg"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let compose = |text: &str| {
        fs::write(dir.path().join("x.list"), text).unwrap();
        let context = context(dir.path());
        let list = load(&dir.path().join("x.list"), &context).unwrap();
        let entry = Entry::find(&list, "e", &context).unwrap();
        let mut image = Image::read(Source::from_bytes(support::elf(support::ARM64))).unwrap();
        image.compose(&entry, &context).map_err(|failure| failure.to_string())?;
        let lines = image.modules.iter().map(|module| module.command_line.clone());
        Ok::<_, String>(lines.collect::<Vec<_>>()[2..].to_vec())
    };
    let groups = "group a\nmodule l4re -x\nmodule ned\ngroup b\nmodule l4re -x\n";
    let text = format!("{groups}entry e\nmodule-group a b\nmodule ned\n");
    assert_eq!(compose(&text).unwrap(), ["moe", "l4re -x", "ned"]);
    let text = format!("{groups}entry e\nmodule-group a\nmodule l4re -y\n");
    let message = compose(&text).unwrap_err();
    assert!(message.contains("x.list:8:1: error: there is a module `l4re` already"), "{message}");
    // The root task gets what stands behind its script, also out of a group.
    let wanted = ["moe rom/x.cfg -v a/b", "x.cfg -v a/b"];
    assert_eq!(compose("entry e\nmoe x.cfg -v a/b\n").unwrap(), wanted);
    let text = "group g\nmoe x.cfg -v a/b\nentry e\nmodule-group g\n";
    assert_eq!(compose(text).unwrap(), wanted);
    // Each word behind `glob` is a pattern.
    let text = format!("entry e\nmodule[glob] {0}/l4* {0}/ne*\n", dir.path().display());
    assert_eq!(compose(&text).unwrap(), ["moe", "l4re", "ned"]);
}

#[test]
fn composing_names_every_file_that_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("fiasco"), "k").unwrap();
    fs::write(dir.path().join("x.list"), "entry x\nmodule a\nmodule b\n").unwrap();
    let context = context(dir.path());
    let list = load(&dir.path().join("x.list"), &context).unwrap();
    let entry = Entry::find(&list, "x", &context).unwrap();
    let mut image = Image::read(Source::from_bytes(support::elf(support::ARM64))).unwrap();
    let message = image.compose(&entry, &context).unwrap_err().to_string();
    for file in ["sigma0", "moe", "a", "b"] {
        assert!(message.contains(&format!("there is no file `{file}`")), "{message}");
    }
    assert!(image.modules.is_empty());
}

#[test]
fn modules_take_options_and_attributes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("text");
    fs::write(&file, "text ".repeat(500)).unwrap();
    for name in ["fiasco", "sigma0", "moe", "link"] {
        symlink(&file, dir.path().join(name)).unwrap();
    }
    let text = "entry x\nmodule[compress=gz,attr:nodes=0-3:5,fname=t.txt] text\nmodule link\n";
    fs::write(dir.path().join("x.list"), text).unwrap();
    let context = context(dir.path());
    let list = load(&dir.path().join("x.list"), &context).unwrap();
    let entry = Entry::find(&list, "x", &context).unwrap();
    let mut image = Image::read(Source::from_bytes(support::elf(support::ARM64))).unwrap();
    image.compose(&entry, &context).unwrap();
    let module = image.rom("t.txt").unwrap();
    assert!(module.is_compressed());
    assert_eq!(module.attrs.get("nodes"), Some(&b"0-3:5"[..]));
    assert_eq!(module.full_size(), 2500);
}

#[test]
fn stripping_keeps_what_is_loaded_and_what_describes_the_program() {
    for machine in support::MACHINES {
        let plain = support::elf(machine);
        let bytes = support::with_symbols(machine);
        let stripped = strip(&Source::from_bytes(bytes.clone())).unwrap().to_vec(1 << 20).unwrap();
        assert!(stripped.len() < bytes.len(), "{machine:?}");
        let after = object::File::parse(stripped.as_slice()).unwrap();
        let names: Vec<_> =
            after.sections().map(|section| section.name().unwrap().to_owned()).collect();
        assert_eq!(names, [".text", ".data.m", ".tail", ".udiprops", ".shstrtab"], "{machine:?}");
        let data = |name| after.section_by_name(name).unwrap().data().unwrap();
        assert_eq!(data(".text"), support::code(machine.flags, 2));
        assert_eq!(data(".tail"), support::TAIL);
        assert_eq!(data(".udiprops"), b"about it");
        assert_eq!(after.entry(), support::START);
        // Nothing to leave out: not a byte changes.
        let same = strip(&Source::from_bytes(plain.clone())).unwrap().to_vec(1 << 20).unwrap();
        assert_eq!(same, plain);
    }
    let text = b"no program".repeat(20);
    assert_eq!(strip(&Source::from_bytes(text.clone())).unwrap().to_vec(1000).unwrap(), text);
}

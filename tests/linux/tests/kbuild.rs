//! Modules, members and flags of directories, held against the tree's own make.

use std::collections::BTreeMap;

use l4re_kbuild::{
    AutoConf, Build, Compiler, Directory, Globals, Object, Scope, Setup, Source, State,
    Tree as Kbuild,
};
use l4re_test_linux::oracle::{kbuild, make};
use l4re_test_linux::ours::Result;
use l4re_test_linux::tree::Tree;

/// Folders whose Makefiles of `drivers/<subsystem>/` are visited below the second level in the
/// shorter test.
const DEEP: [&str; 4] = [
    "drivers/net/ethernet/intel",
    "drivers/usb/host",
    "drivers/net/wireless/intel",
    "drivers/media/i2c",
];

/// Whether the shorter test looks at a directory: every subsystem, and some in depth.
fn sampled(path: &str) -> bool {
    let deep = DEEP.iter().any(|deep| path.starts_with(deep) || deep.starts_with(path));
    deep || path == "drivers" || path.starts_with("drivers/") && path.matches('/').count() == 1
}

/// How much was compared.
#[derive(Debug, Default)]
struct Counts {
    directories: usize,
    modules: usize,
    members: usize,
    objects: usize,
    own_flags: usize,
}

/// The flags that every object gets besides its own.
fn base(environment: &kbuild::Environment, object: &Object, assembler: bool) -> Vec<String> {
    if object.flags.replaces {
        return Vec::new();
    }
    let language = if assembler { "KBUILD_AFLAGS" } else { "KBUILD_CFLAGS" };
    let values = ["KBUILD_CPPFLAGS", language].map(|name| environment.get(name));
    let words = values.into_iter().flatten().flat_map(|value| value.split_whitespace());
    let removed = |word: &str| object.flags.removals.iter().any(|pattern| matches(pattern, word));
    words.filter(|word| !removed(word)).map(str::to_owned).collect()
}

fn matches(pattern: &str, word: &str) -> bool {
    match pattern.split_once('%') {
        Some((start, end)) => {
            word.len() >= start.len() + end.len() && word.starts_with(start) && word.ends_with(end)
        }
        None => pattern == word,
    }
}

/// All that differs between what make says of a directory and what we say.
fn compare(
    path: &str,
    theirs: &kbuild::Directory,
    ours: &Directory,
    environment: &kbuild::Environment,
    tree: &Tree,
    counts: &mut Counts,
) -> Vec<String> {
    let mut differ = Vec::new();
    for (wanted, state, theirs) in
        [(theirs.builtin, State::BuiltIn, &theirs.y), (theirs.modular, State::Module, &theirs.m)]
    {
        let mut seen = std::collections::BTreeSet::new();
        let theirs = theirs.iter().filter(|m| wanted && seen.insert(&m.name));
        let theirs: Vec<_> = theirs.map(|m| (&m.name, m.composite, &m.objects)).collect();
        let mine = ours.modules.iter().filter(|m| m.state == state);
        let mine: Vec<_> = mine.map(|m| (&m.name, m.composite, &m.objects)).collect();
        counts.modules += mine.len();
        counts.members += mine.iter().map(|(_, _, objects)| objects.len()).sum::<usize>();
        if theirs != mine {
            differ.push(format!("{path} {state:?}: make {theirs:?}, we {mine:?}"));
        }
    }
    if theirs.builtin && theirs.library != ours.library {
        differ.push(format!("{path} library: make {:?}, we {:?}", theirs.library, ours.library));
    }
    for object in ours.objects.iter().filter(|object| object.linked) {
        let Some(expected) = theirs.objects.get(&object.path) else {
            differ.push(format!("{}: make does not list it", object.path));
            continue;
        };
        counts.objects += 1;
        let assembler = match &object.source {
            Source::Assembler(_) => true,
            Source::Generated(path) | Source::Derived(path) => path.ends_with(".S"),
            other => other.file().is_some_and(|file| file.ends_with(".S_shipped")),
        };
        if matches!(object.source, Source::Rust(_)) {
            continue;
        }
        let want = if assembler { &expected.assembler } else { &expected.c };
        let want = kbuild::relative(want, &tree.path);
        let mut got = base(environment, object, assembler);
        got.extend(object.flags.additions.iter().cloned());
        if !assembler {
            let globals: Globals =
                environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            got.extend(object.instrumentation.iter().flat_map(|tool| tool.flags(&globals)));
        }
        let got = kbuild::relative(&got, &tree.path);
        counts.own_flags += usize::from(!object.flags.additions.is_empty());
        if got != want && !path.starts_with("kernel/gcov") {
            let only = |of: &[String], other: &[String]| {
                of.iter()
                    .filter(|flag| !other.contains(flag))
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let (theirs, mine) = (only(&want, &got), only(&got, &want));
            differ.push(format!("{}: only make `{theirs}`, only we `{mine}`", object.path));
        }
        if expected.modular != (object.state == State::Module) {
            differ.push(format!("{}: part of a module or not", object.path));
        }
    }
    for path in theirs.objects.keys().filter(|_| theirs.builtin) {
        if !ours.objects.iter().any(|object| object.path == *path) {
            differ.push(format!("{path}: only make lists it"));
        }
    }
    differ
}

fn held_against_make(tree: &Tree, preset: &str, all: bool) -> Result<Counts> {
    let arch = make::ARCHES[0];
    let configured = make::configured(tree, arch, preset)?;
    let environment = kbuild::environment(&configured)?;
    let theirs = kbuild::walk(&configured, &mut |path| all || sampled(path))?;

    let kbuild = Kbuild::open(&tree.path, arch.name)?;
    let config = String::from_utf8(configured.read("include/config/auto.conf")?)?;
    let config = AutoConf::parse(&config);
    let globals: Globals = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let host = Compiler::new(format!("{}gcc", arch.prefix), Vec::new());
    let setup = Setup { config: &config, host: &host, globals: &globals };
    let scope = if all { Scope::All } else { Scope::Below(&["drivers"]) };
    let build = Build::walk(&kbuild, &setup, scope);
    let ours: BTreeMap<&str, &Directory> =
        build.directories().iter().map(|d| (d.path.as_str(), d)).collect();

    let mut counts = Counts::default();
    let mut differ = Vec::new();
    for (path, theirs) in theirs.iter().filter(|(path, _)| *path != ".") {
        let Some(ours) = ours.get(path.as_str()) else {
            differ.push(format!("{path}: only make opens it"));
            continue;
        };
        counts.directories += 1;
        differ.extend(compare(path, theirs, ours, &environment, tree, &mut counts));
    }
    if all {
        let only = ours.keys().filter(|path| !path.is_empty() && !theirs.contains_key(**path));
        differ.extend(only.map(|path| format!("{path}: only we open it")));
    }
    let shown: Vec<_> = differ.iter().take(20).cloned().collect();
    assert!(differ.is_empty(), "{} differences\n{}", differ.len(), shown.join("\n"));
    Ok(counts)
}

#[test]
fn modules_members_and_flags_are_those_of_make() -> Result<()> {
    let all = std::env::var_os("L4RE_TEST_ALL").is_some();
    for tree in Tree::all()? {
        for preset in if all { &["allmodconfig", "defconfig"][..] } else { &["allmodconfig"] } {
            let counts = held_against_make(&tree, preset, all)?;
            println!("{} {preset}: {counts:?}", tree.version);
            assert!(counts.modules > 1000 && counts.own_flags > 50, "{counts:?}");
        }
    }
    Ok(())
}

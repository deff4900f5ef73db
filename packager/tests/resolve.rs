//! Trees of packages with one thing wrong each, and what `resolve` says about it.

use std::fs;
use std::path::Path;

use l4re_packager_base::Failure;
use l4re_packager_resolve::{Config, Options, Resolved, resolve};

/// A tree: paths below it and their texts; a path that ends with `Control` gets a Makefile beside it.
struct Tree(tempfile::TempDir);

impl Tree {
    #[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = tree.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if path.ends_with("Control") {
                fs::write(path.with_file_name("Makefile"), "").unwrap();
            }
        }
        tree
    }

    fn resolve(&self, change: impl FnOnce(&mut Options)) -> Result<Resolved, Failure> {
        let mut options = Options { tree: self.0.path().into(), ..Options::default() };
        change(&mut options);
        resolve(&options)
    }

    /// The findings, with paths below the tree.
    fn errors(&self, change: impl FnOnce(&mut Options)) -> String {
        let message = match self.resolve(change) {
            Ok(_) => String::from("no error"),
            Err(failure) => failure.to_string(),
        };
        message.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn provider(word: &str, name: &str) -> impl FnOnce(&mut Options) {
    let pair = (word.into(), name.into());
    move |options| options.providers.push(pair)
}

const TWO: &[(&str, &str)] = &[
    ("pkg/ahci/Control", "# disks\nprovides: ahci block-driver\n"),
    ("pkg/nvme/Control", "provides: nvme\n  block-driver\n"),
    ("pkg/fs/Control", "requires: block-driver\n"),
];

#[test]
fn a_good_tree_is_resolved() {
    let tree = Tree::new(&[
        ("pkg/core/libc/Control", "provides: libc\n"),
        ("pkg/core/prj-config/aliases.d/10-std", "# all\nstdlibs := libc other[arch(x86)]\n"),
        ("pkg/fs/Control", "requires: stdlibs acpica[arch(x86)]\noptional: readline\n"),
        ("tests/t/Control", "requires: libc\n"),
        ("doc/Control", "requires: nothing-that-there-is\n"),
    ]);
    let arm = |options: &mut Options| options.config.arch = Some("arm".into());
    let resolved = tree.resolve(arm).unwrap();
    let names: Vec<_> = resolved.packages.iter().map(|node| &node.name[..]).collect();
    assert_eq!(names, ["core/libc", "fs", "t"]);
    assert_eq!(resolved.packages[1].needs, ["core/libc"]);
    assert_eq!(resolved.providers["libc"], "core/libc");
    assert!(resolved.report.iter().next().is_none());
}

#[test]
fn two_providers_are_told_with_both_places_and_the_winner() {
    assert_eq!(
        Tree::new(TWO).errors(|_| ()),
        "pkg/nvme/Control:2:3: error: both \"nvme\" and \"ahci\" (pkg/ahci/Control:2) provide \
         \"block-driver\"; only one can. L4Re takes \"nvme\" without a word, because it reads it last\n  \
         help: hide all but one with an empty file `broken` beside its Control, or accept this one \
         with --provider block-driver=nvme"
    );
}

#[test]
fn the_winner_can_be_accepted_and_another_one_not_just_so() {
    let tree = Tree::new(TWO);
    let resolved = tree.resolve(provider("block-driver", "nvme")).unwrap();
    assert_eq!(resolved.providers["block-driver"], "nvme");
    assert_eq!(
        tree.errors(provider("block-driver", "ahci")),
        "pkg/ahci/Control:2:16: error: \"ahci\" shall provide \"block-driver\", but L4Re takes \
         \"nvme\", which it reads later\n  help: hide nvme with an empty file `broken` beside its Control"
    );
    fs::write(tree.0.path().join("pkg/nvme/broken"), "").unwrap();
    let resolved = tree.resolve(provider("block-driver", "ahci")).unwrap();
    assert_eq!(resolved.packages[1].needs, ["ahci"]);
}

#[test]
fn a_provider_that_there_is_not_is_its_own_error() {
    let tree = Tree::new(TWO);
    for (word, name, wanted) in [
        ("block-driver", "nwme", "there is no package \"nwme\"\n  help: did you mean `nvme`?"),
        (
            "block-driver",
            "fs",
            "\"fs\" does not provide \"block-driver\"\n  help: \"block-driver\" is provided by ahci, nvme",
        ),
        (
            "block-drivers",
            "nvme",
            "nothing provides \"block-drivers\"\n  help: did you mean `block-driver`?",
        ),
    ] {
        let message = tree.errors(provider(word, name));
        assert!(message.contains(&format!("--provider {word}={name}: {wanted}")), "{message}");
    }
}

#[test]
fn an_external_package_that_takes_over_is_told() {
    let tree = Tree::new(&[TWO[0], ("elsewhere/new/Control", "provides: block-driver\n")]);
    let external = tree.0.path().join("elsewhere/new");
    let message = tree.errors(|options| options.external.push(external));
    assert!(message.starts_with("elsewhere/new/Control:1:11: error: both"), "{message}");
}

#[test]
fn a_word_without_provider_is_told_with_the_way_out() {
    let tree = Tree::new(&[
        ("pkg/a/Control", "provides: l4virtio\n"),
        ("pkg/b/Control", "requires: l4virito zlib\n"),
        ("pkg/z/Control", "provides: zlib\n"),
        ("pkg/z/obsolete", ""),
    ]);
    assert_eq!(
        tree.errors(|_| ()),
        "pkg/b/Control:1:11: error: \"b\" requires \"l4virito\", which no package provides\n  help: \
         did you mean `l4virtio`?\n\
         pkg/b/Control:1:20: error: \"b\" requires \"zlib\", which no package provides\n  help: \"z\" \
         would, but a file `broken` or `obsolete` in its folder hides it"
    );
}

#[test]
fn a_condition_that_is_not_known_raises_no_alarm_and_a_known_one_does() {
    let tree =
        Tree::new(&[("pkg/io/Control", "requires: acpica[arch(x86) || config(CONFIG_ACPI)]\n")]);
    assert_eq!(tree.errors(|_| ()), "no error");
    let with = |text: &str| Config::default().with_kconfig(text);
    let config = with("CONFIG_BUILD_ARCH_arm64=y\n");
    assert_eq!(tree.errors(|options| options.config = config), "no error");
    let config = with("CONFIG_BUILD_ARCH_x86=y\n");
    let message = tree.errors(|options| options.config = config);
    assert!(message.contains("\"io\" requires \"acpica\""), "{message}");
}

#[test]
fn a_circle_is_told_with_each_step() {
    let tree = Tree::new(&[
        ("pkg/a/Control", "provides: liba\nrequires: libb\n"),
        ("pkg/b/Control", "provides: libb\n\noptional: both\n"),
        ("pkg/c/Control", "requires: liba\n"),
        ("mk/aliases.d/x", "both := liba[build-only]\n"),
        ("pkg/self/Control", "provides: me\nrequires: me\n"),
    ]);
    let message = tree.errors(|_| ());
    assert!(
        message.contains(
            "mk/aliases.d/x:1:1: error: packages that need each other: \"both\" needs \"liba\" from \
             \"a\" (mk/aliases.d/x:1), needs \"libb\" from \"b\" (pkg/a/Control:2), needs \"both\" \
             from the alias \"both\" (pkg/b/Control:3)\n  help: make drops one"
        ),
        "{message}"
    );
    assert_eq!(message.matches("need each other").count(), 1, "{message}");
    assert!(message.contains("warning: \"self\" requires \"me\", which it provides itself"));
}

#[test]
fn a_circle_of_any_length_takes_no_stack() {
    let names: Vec<_> = (0..1000).map(|i| format!("pkg/p{i}/Control")).collect();
    let texts: Vec<_> =
        (0..1000).map(|i| format!("provides: w{i}\nrequires: w{}\n", (i + 1) % 1000)).collect();
    let files: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| (&name[..], &text[..])).collect();
    assert!(Tree::new(&files).errors(|_| ()).contains("need each other"));
}

#[test]
fn what_stops_the_build_or_gets_lost_is_told() {
    let tree = Tree::new(&[("pkg/a/Control", "require: x\nrequires[arch(arm)]: y[arch(x86)]\n")]);
    fs::remove_file(tree.0.path().join("pkg/a/Makefile")).unwrap();
    let message = tree.errors(|_| ());
    for wanted in [
        "pkg/a/Control:1:1: warning: unknown field `require`",
        "pkg/a/Control:2:22: error: a condition at the word and one at the field",
        "pkg/a: error: a package without Makefile",
    ] {
        assert!(message.contains(wanted), "{wanted} in {message}");
    }
}

#[test]
fn what_is_no_tree_is_refused() {
    let tree = Tree::new(&[("pkg/readme", "")]);
    assert!(tree.errors(|_| ()).contains("no package here"));
    let missing = |options: &mut Options| options.external.push(Path::new("/nonexistent").into());
    assert!(tree.errors(missing).contains("this is no package"));
}

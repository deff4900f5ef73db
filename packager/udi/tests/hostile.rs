//! Packages and properties made to do harm: to take long, to be read otherwise by others, to write
//! what cannot be written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use l4re_programs::Program;
use l4re_udi::archive::{Component, File, Limits, Package, Place};
use l4re_udi::props::Properties;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

/// What `step` costs: how often it asks for memory, and for how much of it.
fn work(step: impl FnOnce()) -> (u64, u64) {
    let cost = allocation_counter::measure(step);
    (cost.count_total, cost.bytes_total)
}

/// Eight times the input costs about eight times the work, not 64 times.
#[track_caller]
fn in_proportion(step: impl Fn(usize), small: usize) {
    let (one, eight) = (work(|| step(small)), work(|| step(8 * small)));
    assert!(eight.0 <= 12 * one.0 && eight.1 <= 12 * one.1, "{one:?}, {eight:?}");
}

const PROPS: &str = "properties_version 0x101\nsupplier 1\ncontact 1\nname 1\nshortname x\n\
    release 1 1\nmessage 1 x\nrequires udi 0x101\nregion 0\nmodule m\n";

/// An archive of entries: pax records, path, kind, content.
type Item<'a> = (&'a [(&'a str, &'a str)], &'a str, EntryType, &'a [u8]);

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (records, path, kind, data) in items {
        if !records.is_empty() {
            let records = records.iter().map(|(key, value)| (*key, value.as_bytes()));
            archive.append_pax_extensions(records).unwrap();
        }
        let mut header = Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(data.len() as u64);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        archive.append(&header, *data).unwrap();
    }
    archive.into_inner().unwrap()
}

fn read(bytes: &[u8]) -> Result<Package, String> {
    Package::from_bytes(bytes, Limits::default()).map_err(|finding| finding.to_string())
}

#[track_caller]
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn refused(items: &[Item<'_>], words: &str) {
    let message = read(&archive(items)).unwrap_err();
    assert!(message.contains(words), "{message}");
    assert!(message.len() < 400 && !message.contains('\x1b'), "{message}");
}

#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn complaints(text: &[u8]) -> Vec<String> {
    let failure = Properties::parse(Path::new("x"), text).unwrap_err();
    failure.0.iter().map(ToString::to_string).collect()
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn names_that_are_one_on_some_file_systems_are_refused() {
    let only = "only in upper and lower case";
    let a = "udi-pkg.1/d/1/c/src/a.c";
    for other in [
        "udi-pkg.1/d/1/c/src/A.c",
        "udi-pkg.1/d/1/c/SRC/b.c",
        "udi-pkg.1/D/1/c/src/b.c",
        "udi-pkg.1/d/1/C/src/b.c",
    ] {
        let message = read(&archive(&[(&[], a, FILE, b""), (&[], other, FILE, b"")])).unwrap_err();
        assert!(message.contains(only) || message.contains("is no file of a component"), "{other}");
    }
    let folders = ["udi-pkg.1/d/1/c/src/x/a.c", "udi-pkg.1/d/1/c/src/X/b.c"];
    let both: [Item<'_>; 2] = [(&[], a, EntryType::Directory, b""), (&[], a, FILE, b"")];
    refused(&both, "a file and a folder");
    refused(&folders.map(|path| (&[][..], path, FILE, &b""[..])), only);
    // Taken away, a name is free again.
    let mut component = Component::default();
    let file = File { bytes: Vec::new(), executable: false };
    component.add("src/A.c", file.clone()).unwrap();
    assert!(component.add("src/a.c", file.clone()).is_err());
    component.without("src").add("src/a.c", file).unwrap();
}

#[test]
fn what_others_would_read_otherwise_is_refused() {
    let path = "udi-pkg.1/d/1/c/src/a.c";
    refused(&[(&[], "udi-pkg.1/d/1/c/src/a.c/", FILE, b"x")], "the name of a folder");
    refused(&[(&[("GNU.sparse.major", "1")], path, FILE, b"x")], "sparse");
    refused(&[(&[("GNU.sparse.realsize", "99999999999")], path, FILE, b"x")], "sparse");
    let record = b"30 path=udi-pkg.1/d/1/c/src/b\n";
    refused(&[(&[], "g", EntryType::XGlobalHeader, record), (&[], path, FILE, b"x")], "all files");
    // The path that counts is that of the pax header, and is checked.
    refused(&[(&[("path", "../../etc/passwd")], path, FILE, b"x")], "leaves the folder");
    refused(
        &[(&[("path", "udi-pkg.1/d/1/c/src/\u{1b}[2J")], path, FILE, b"x")],
        "other characters",
    );
    refused(&[(&[("path", "udi-pkg.1/d/1/c/src/a\0b")], path, FILE, b"x")], "other characters");
    refused(&[(&[("size", "99999999999")], path, FILE, b"x")], "error");
    refused(&[(&[("size", "18446744073709551615")], path, FILE, b"x")], "error");
    // A comment for all files, as `git archive` writes it, harms nobody.
    let comment = b"19 comment=nothing\n";
    let items: [Item<'_>; 2] =
        [(&[], "g", EntryType::XGlobalHeader, comment), (&[], path, FILE, b"x")];
    assert!(read(&archive(&items)).is_ok());
}

#[test]
fn nothing_hides_behind_the_end() {
    let one = archive(&[(&[], "udi-pkg.1/d/1/c/src/a.c", FILE, b"x")]);
    let two = archive(&[(&[], "udi-pkg.1/d/1/c/src/b.c", FILE, b"x")]);
    let message = read(&[one.clone(), two.clone()].concat()).unwrap_err();
    assert!(message.contains("behind the end") && message.contains("offset 0x800"), "{message}");
    // After one block of zeros, too.
    let short = [&one[..one.len() - 512], &two[..]].concat();
    assert!(read(&short).is_err());
    assert!(read(&[one, vec![0; 10_240]].concat()).is_ok());
}

#[test]
fn sizes_beyond_the_archive_are_errors() {
    for size in [
        *b"77777777777\0",
        [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0xff; 12],
    ] {
        let mut bytes = archive(&[(&[], "udi-pkg.1/d/1/c/src/a.c", FILE, b"x")]);
        bytes[124..136].copy_from_slice(&size);
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(read(&bytes).is_err(), "{size:?}");
    }
}

#[test]
fn work_grows_with_the_number_of_files_only() {
    in_proportion(many_files, 1_000);
    in_proportion(many_components, 1_000);
    let deep = format!("udi-pkg.1/d/1/c/src/{}x.c", "a/".repeat(500_000));
    refused(&[(&[("path", &deep)], "x", FILE, b"")], "more than 500 characters");
}

#[expect(clippy::unwrap_used, reason = "part of the test above")]
fn many_files(count: usize) {
    let mut component = Component::default();
    for number in 0..count {
        let path = format!("src/{}/{}/{number}.c", number % 10, number % 97);
        component.add(&path, File { bytes: Vec::new(), executable: false }).unwrap();
    }
    let mut package = Package::default();
    let names = ["d".to_owned(), "1".to_owned(), "c".to_owned()];
    let [driver, alternate, part] = names;
    package.put(Place { driver, alternate, component: part }, component).unwrap();
    assert_eq!(read(&package.to_bytes().unwrap()), Ok(package));
}

#[expect(clippy::unwrap_used, reason = "part of the test above")]
fn many_components(count: usize) {
    let places: Vec<String> = (0..count).map(|n| format!("udi-pkg.1/d{n}/1/c/src/a.c")).collect();
    let items: Vec<Item<'_>> =
        places.iter().map(|path| (&[][..], path.as_str(), FILE, &b""[..])).collect();
    assert_eq!(read(&archive(&items)).unwrap().components().count(), count);
}

#[test]
fn a_file_that_is_no_properties_gets_few_complaints() {
    for text in ["x\n".repeat(500_000), "\u{1}\n".repeat(500_000), "a".repeat(1 << 20)] {
        assert!((1..=101).contains(&complaints(text.as_bytes()).len()));
    }
    let repeated = format!("{PROPS}{}", "message 1 x\n".repeat(80_000));
    assert_eq!(complaints(repeated.as_bytes()).len(), 101);
    assert_eq!(complaints(&vec![b'\n'; (1 << 20) + 1]).len(), 1);
    let long = format!("{PROPS}{} 1\n", "é".repeat(600));
    let found = complaints(long.as_bytes());
    assert_eq!(found.len(), 1, "a line that is too long is not read: {found:?}");
    assert!(found[0].starts_with("x:11:513: error: the line has 602 characters"), "{found:?}");
}

#[test]
fn work_grows_with_the_number_of_texts_only() {
    in_proportion(texts_that_name_others, 2_000);
}

#[expect(clippy::unwrap_used, reason = "part of the test above")]
fn texts_that_name_others(count: usize) {
    let mut text = PROPS.to_owned();
    for number in 2..count {
        text += &format!("message {number} {}\n", format!("\\m{}", count - 1).repeat(6));
    }
    let (properties, _) = Properties::parse(Path::new("x"), text.as_bytes()).unwrap();
    let length: usize =
        (1..=u16::MAX).take(count).filter_map(|n| properties.message(n)).map(|t| t.len()).sum();
    assert!(length < 1_000, "{length}");
}

#[test]
fn characters_that_nobody_sees_are_refused_with_their_place() {
    for (c, at) in
        [('\u{feff}', "1:1"), ('\0', "12:12"), ('\u{202e}', "12:12"), ('\u{1b}', "12:12")]
    {
        let text = match c {
            '\u{feff}' => format!("{c}{PROPS}"),
            _ => format!("{PROPS}\nmessage 2 a{c}b\n"),
        };
        let found = complaints(text.as_bytes());
        let expected =
            format!("x:{at}: error: character {}, which nobody sees", c.escape_unicode());
        assert_eq!(found, [expected]);
    }
}

/// Paths made of few parts, so that they meet.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => proptest::sample::select(vec!["a", "b", "A", "src", "bin", "x.c"]),
        1 => proptest::sample::select(vec!["..", ".", "", "a b", "é"]),
    ];
    let inside = proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"));
    prop_oneof![
        6 => inside.clone().prop_map(|rest| format!("udi-pkg.1/d/1/c/src/{rest}")),
        2 => inside.clone().prop_map(|rest| format!("udi-pkg.1/d/1/{rest}")),
        1 => inside,
    ]
}

fn kind() -> impl Strategy<Value = EntryType> {
    prop_oneof![
        20 => Just(FILE),
        2 => Just(EntryType::Directory),
        1 => Just(EntryType::Symlink),
        1 => Just(EntryType::Link),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What is accepted has the files that tar sees, and they can all be written.
    #[test]
    fn accepted_archives_are_what_tar_takes_them_for(
        items in proptest::collection::vec((path(), kind()), 1..6),
    ) {
        let items: Vec<Item<'_>> =
            items.iter().map(|(path, kind)| (&[][..], path.as_str(), *kind, &b""[..])).collect();
        let bytes = archive(&items);
        let Ok(package) = read(&bytes) else { return Ok(()) };
        let mut ours = BTreeSet::new();
        let folder = tempfile::tempdir().unwrap();
        for (place, component) in package.components() {
            for (path, file) in component.files() {
                let path = format!("udi-pkg.1/{place}/{path}");
                let target = folder.path().join(path.to_ascii_lowercase());
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                // On a file system that knows no case as well.
                fs::File::create_new(&target).unwrap();
                prop_assert!(file.bytes.is_empty());
                ours.insert(path);
            }
        }
        let name = folder.path().join("x.udi");
        fs::write(&name, &bytes).unwrap();
        let output = Program::declared("tar").command().arg("-tvf").arg(&name).output().unwrap();
        prop_assert!(output.status.success());
        let listed = String::from_utf8(output.stdout).unwrap();
        let files = listed.lines().filter(|line| line.starts_with('-'));
        let theirs: BTreeSet<String> =
            files.filter_map(|line| line.split(' ').next_back()).map(String::from).collect();
        prop_assert_eq!(ours, theirs);
    }

    /// Whatever blanks and escapes a line of the longest kind has, what is written can be read.
    #[test]
    fn long_lines_are_not_longer_when_they_are_written(
        words in proptest::collection::vec(
            proptest::sample::select(vec!["a", "\\_", "\\p", "\\m1", "\\H", "\\\\", "b\\_", "\\_c"]),
            150..400,
        ),
    ) {
        let mut line = String::from("message 2");
        for word in words {
            if line.len() + 1 + word.len() <= 512 {
                line += &format!(" {word}");
            }
        }
        let text = format!("{PROPS}{line}\n");
        let (properties, _) = Properties::parse(Path::new("x"), text.as_bytes()).unwrap();
        let written = properties.to_string();
        let (again, _) = Properties::parse(Path::new("x"), written.as_bytes()).unwrap();
        prop_assert_eq!(&again, &properties);
        let section = properties.section();
        prop_assert!(Properties::from_section(Path::new("x"), &section).is_ok());
    }
}

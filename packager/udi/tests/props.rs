//! `udiprops.txt`: one file for each mistake with the exact messages, and properties that hold for
//! every text.
//!
//! `props/*.udiprops` are the files, `props/*.txt` the messages; a file without messages must be
//! accepted. `UPDATE_EXPECTED=1 cargo test` writes the messages, for reading the difference.

use std::fs;
use std::path::Path;

use l4re_packager_base::Failure;
use l4re_udi::props::{Declaration, LINE_MAX, Properties, Text};
use proptest::prelude::*;

const GOOD: &str = include_str!("props/driver.udiprops");

fn messages(name: &str, bytes: &[u8]) -> String {
    let report = match Properties::parse(Path::new(name), bytes) {
        Ok((_, report)) => report,
        Err(Failure(report)) => {
            assert!(report.has_errors(), "{name} fails without an error");
            report
        }
    };
    report.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn every_mistake_has_its_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/props");
    let mut count = 0;
    for item in fs::read_dir(&folder).unwrap() {
        let path = item.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "udiprops") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let found = messages(name, &fs::read(&path).unwrap());
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() && !found.is_empty() {
            fs::write(&expected, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(expected).unwrap_or_default(), "{name}");
        count += 1;
    }
    assert!(count >= 14, "only {count} files");
}

#[test]
fn a_driver_is_written_as_it_was_read() {
    let (properties, _) = Properties::parse(Path::new("x"), GOOD.as_bytes()).unwrap();
    let written = properties.to_string();
    let (again, _) = Properties::parse(Path::new("x"), written.as_bytes()).unwrap();
    assert_eq!(again, properties);
    assert_eq!(again.to_string(), written);
    assert_eq!((properties.shortname(), properties.release()), ("demo", 3));
    assert_eq!(properties.message(3).as_deref(), Some("Demo # driver of Some Body\nsecond"));
    assert_eq!(properties.exports(), ["udi_init_info"]);
}

#[test]
fn a_module_gets_everything_but_what_only_building_needs() {
    let (properties, _) = Properties::parse(Path::new("x"), GOOD.as_bytes()).unwrap();
    let section = properties.section();
    let text = String::from_utf8(section.clone()).unwrap();
    assert!(text.starts_with("\0properties_version 0x101\0supplier 1\0") && text.ends_with('\0'));
    for keyword in ["source_files", "compile_options", "source_requires"] {
        assert!(GOOD.contains(keyword) && !text.contains(keyword), "{keyword}");
    }
    let (attached, _) = Properties::from_section(Path::new("m"), &section).unwrap();
    let kept = properties.declarations().filter(|declaration| !declaration.is_build_only());
    assert!(attached.declarations().eq(kept));
    for bad in [&b""[..], b"\0", b"no zero\0", b"\0no zero", b"\0\xff\0"] {
        assert!(Properties::from_section(Path::new("m"), bad).is_err());
    }
}

#[test]
fn long_lists_of_files_become_several_lines() {
    let (good, _) = Properties::parse(Path::new("x"), GOOD.as_bytes()).unwrap();
    let mut declarations: Vec<_> = good.declarations().cloned().collect();
    let files: Vec<String> = (0..100).map(|number| format!("src/file_{number:03}.c")).collect();
    declarations.push(Declaration::SourceFiles(files));
    let (properties, _) = Properties::new(declarations).unwrap();
    assert!(properties.to_string().lines().all(|line| line.chars().count() <= LINE_MAX));
    assert!(properties.source_files().any(|file| file == "src/file_099.c"));
}

/// Lines made of what the format knows, right and wrong.
fn line() -> impl Strategy<Value = String> {
    let keywords: Vec<String> =
        GOOD.lines().filter_map(|line| line.split_whitespace().next()).map(String::from).collect();
    let word = prop_oneof![
        Just("1".to_owned()),
        Just("0x101".into()),
        Just("0".into()),
        Just("999999".into()),
        Just("name".into()),
        Just("string".into()),
        Just("ubit32".into()),
        Just("mutex".into()),
        Just("end".into()),
        Just("range".into()),
        Just("any".into()),
        Just("a\\_b".into()),
        Just("\\m1".into()),
        Just("\\x".into()),
        Just("src/a.c".into()),
        Just("../a.c".into()),
        Just("-DA=1".into()),
        Just("#".into()),
        Just("\\".into()),
        "\\PC{0,6}",
    ];
    (proptest::sample::select(keywords), proptest::collection::vec(word, 0..8))
        .prop_map(|(keyword, words)| format!("{keyword} {}", words.join(" ")))
}

proptest! {
    #[test]
    fn what_is_accepted_survives_writing_and_attaching(
        lines in proptest::collection::vec(line(), 0..4),
        at in 0..60usize,
    ) {
        let mut all: Vec<&str> = GOOD.lines().collect();
        let at = at.min(all.len());
        all.splice(at..at, lines.iter().map(String::as_str));
        let text = all.join("\n");
        if let Ok((properties, _)) = Properties::parse(Path::new("x"), text.as_bytes()) {
            let written = properties.to_string();
            let (again, _) = Properties::parse(Path::new("x"), written.as_bytes()).unwrap();
            prop_assert_eq!(&again, &properties);
            let (attached, _) = Properties::from_section(Path::new("x"), &properties.section()).unwrap();
            prop_assert_eq!(attached.section(), properties.section());
        }
    }

    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Properties::parse(Path::new("x"), &bytes).is_err());
        prop_assert!(Properties::from_section(Path::new("x"), &bytes).is_err());
    }

    #[test]
    fn every_text_survives_its_escapes(text in "[ -~äß]{0,40}") {
        let plain = Text::plain(&text);
        // As the reader of a file joins words: with one blank.
        let words: Vec<String> =
            plain.to_string().split(' ').filter(|word| !word.is_empty()).map(String::from).collect();
        prop_assert_eq!(Text::parse(&words.join(" ")), Ok(plain));
    }
}

//! Properties at modules and the rule on exports, on what compilers make, judged by binutils too.

use std::fs;
use std::path::Path;

use l4re_programs::Program;
use l4re_udi::exports::{self, Kind, Stage};
use l4re_udi::section;
use proptest::prelude::*;
use tempfile::TempDir;

const SOURCE: &str = "int udi_init_info = 1;\nstatic int own(void) { return 2; }\n\
    int shown(void) { return own(); }\n__attribute__((weak)) int weak_one(void) { return 3; }\n\
    __attribute__((visibility(\"hidden\"))) int hidden_one(void) { return 4; }\nint common_one;\n";

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output =
        Program::declared(program).command().args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A relocatable module for 64-bit Arm.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn module(flags: &[&str]) -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.c"), SOURCE).unwrap();
    let arguments = [&["-c", "m.c", "-g", "-o", "m.o"], flags].concat();
    run(folder.path(), "aarch64-linux-gnu-gcc", &arguments);
    let bytes = fs::read(folder.path().join("m.o")).unwrap();
    (folder, bytes)
}

/// A program for 64-bit Arm without anything of a system in it.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn program() -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.c"), "int _start(void) { return 0; }\nint data = 3;\n")
        .unwrap();
    let arguments = ["-nostdlib", "-static", "-g", "-o", "m", "m.c"];
    run(folder.path(), "aarch64-linux-gnu-gcc", &arguments);
    let bytes = fs::read(folder.path().join("m")).unwrap();
    (folder, bytes)
}

#[test]
fn what_is_attached_can_be_taken_off_bit_by_bit() {
    for (_folder, module) in [module(&[]), program()] {
        let attached = section::attach(&module, b"\0one\0").unwrap();
        assert_eq!(section::content_of(&attached), Ok(Some(&b"\0one\0"[..])));
        assert_eq!(section::detach(&attached), Ok(module.clone()));
        // Attaching again replaces.
        let again = section::attach(&attached, b"\0two\0").unwrap();
        assert_eq!(again, section::attach(&module, b"\0two\0").unwrap());
        assert_eq!(section::content_of(&module), Ok(None));
        assert!(section::detach(&module).is_err());
    }
}

#[test]
fn binutils_see_the_section_and_keep_it() {
    let (folder, module) = program();
    let attached = section::attach(&module, b"\0shortname demo\0").unwrap();
    fs::write(folder.path().join("a"), &attached).unwrap();
    let shown = run(folder.path(), "readelf", &["-W", "-S", "-p", ".udiprops", "a"]);
    assert!(shown.contains("shortname demo"), "{shown}");
    let row = shown.lines().find(|line| line.contains(".udiprops")).unwrap();
    assert!(row.contains("PROGBITS        0000000000000000"), "{row}");
    // Loaded segments are the same.
    let headers = |file| run(folder.path(), "readelf", &["-lW", file]);
    fs::write(folder.path().join("b"), &module).unwrap();
    let segments = |text: &str| {
        text.lines().filter(|line| line.contains(" 0x")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(segments(&headers("a")), segments(&headers("b")));
    for arguments in [
        &["aarch64-linux-gnu-objcopy", "-S"][..],
        &["aarch64-linux-gnu-objcopy", "--strip-unneeded"],
    ] {
        run(folder.path(), arguments[0], &[arguments[1], "a", "c"]);
        let stripped = fs::read(folder.path().join("c")).unwrap();
        assert_eq!(section::content_of(&stripped), Ok(Some(&b"\0shortname demo\0"[..])));
        // It is not where it was attached: that is said, not guessed.
        assert!(section::detach(&stripped).is_err());
    }
    // What objcopy takes out is our content.
    run(
        folder.path(),
        "aarch64-linux-gnu-objcopy",
        &[
            "-O",
            "binary",
            "--set-section-flags",
            ".udiprops=alloc",
            "-j",
            ".udiprops",
            "a",
            "content",
        ],
    );
    assert_eq!(fs::read(folder.path().join("content")).unwrap(), b"\0shortname demo\0");
}

#[test]
fn an_object_shows_every_symbol_that_is_not_local() {
    let (_folder, module) = module(&["-fcommon"]);
    let (stage, shown) = exports::exported(&module).unwrap();
    assert_eq!(stage, Stage::Object);
    let shown: Vec<(&str, Kind)> = shown.iter().map(|e| (e.name.as_str(), e.kind)).collect();
    let expected = [
        ("common_one", Kind::Common),
        ("hidden_one", Kind::Hidden),
        ("shown", Kind::Global),
        ("udi_init_info", Kind::Global),
        ("weak_one", Kind::Weak),
    ];
    assert_eq!(shown, expected);
    let report = exports::check(&module, &["udi_init_info"]).unwrap();
    let text = report.iter().map(ToString::to_string).collect::<String>();
    assert!(text.contains("others can name `common_one` (common), `hidden_one` (hidden), `shown`"));
    assert!(text.contains("-fno-common"), "{text}");
}

#[test]
fn symbols_that_objcopy_makes_local_are_not_shown() {
    let (folder, _) = module(&["-fno-common"]);
    let arguments = ["--keep-global-symbol=udi_init_info", "m.o", "k.o"];
    run(folder.path(), "aarch64-linux-gnu-objcopy", &arguments);
    let module = fs::read(folder.path().join("k.o")).unwrap();
    assert_eq!(exports::check(&module, &["udi_init_info"]).unwrap().iter().count(), 0);
    assert_eq!(exports::stage(&module), Ok(Stage::Object));
}

#[test]
fn an_archive_shows_what_its_objects_show() {
    let (folder, _) = module(&["-fno-common"]);
    run(folder.path(), "aarch64-linux-gnu-ar", &["rc", "m.a", "m.o"]);
    let archive = fs::read(folder.path().join("m.a")).unwrap();
    let (stage, shown) = exports::exported(&archive).unwrap();
    assert_eq!((stage, shown.len()), (Stage::Archive, 5));
}

#[test]
fn a_static_program_shows_nothing() {
    let (_folder, program) = program();
    let (stage, shown) = exports::exported(&program).unwrap();
    assert_eq!((stage, shown.len()), (Stage::Program, 0));
}

#[test]
fn what_is_no_module_is_an_error() {
    for bytes in [&b""[..], b"\x7fELF", b"!<arch>\nx", b"text"] {
        assert!(section::attach(bytes, b"").is_err() && section::detach(bytes).is_err());
        assert!(section::content_of(bytes).is_err());
    }
    assert!(exports::exported(b"text").is_err() && exports::exported(b"!<arch>\nx").is_err());
}

#[test]
fn damage_never_panics() {
    let (_folder, module) = program();
    let attached = section::attach(&module, b"\0one\0").unwrap();
    let change = (0..attached.len(), any::<u8>());
    let cut = 0..attached.len();
    let changes = proptest::collection::vec(change, 0..12);
    proptest!(|(changes in changes, cut in cut, headers in any::<bool>())| {
        let mut bytes = attached.clone();
        let length = bytes.len();
        for (at, value) in changes {
            // Half of the time at the headers, which decide.
            let at = if headers { if at % 2 == 0 { at % 64 } else { length - 1 - at % 600 } } else { at };
            bytes[at] = value;
        }
        if cut % 4 == 0 {
            bytes.truncate(cut);
        }
        let _ = exports::check(&bytes, &["udi_init_info"]);
        let _ = section::content_of(&bytes);
        let _ = section::attach(&bytes, b"\0x\0");
        if let Ok(detached) = section::detach(&bytes) {
            // What is taken off can be put back.
            let content = section::content_of(&bytes).unwrap().unwrap();
            prop_assert_eq!(section::attach(&detached, content).unwrap(), bytes.clone());
        }
    });
}

/// A relocatable file whose names overlap: `count` sections and symbols with names that start at
/// different places of one long text.
#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn overlapping(count: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let mut text = vec![b'x'; length];
    text[0] = 0;
    *text.last_mut().unwrap() = 0;
    let text_at = bytes.len();
    bytes.extend(&text);
    let symbols_at = bytes.len();
    bytes.extend([0; 24]);
    for number in 0..count {
        let mut symbol = [0; 24];
        symbol[..4].copy_from_slice(&u32::try_from(1 + number).unwrap().to_le_bytes());
        (symbol[4], symbol[6]) = (0x10, 1);
        bytes.extend(symbol);
    }
    let table_at = bytes.len();
    let mut row = |name: usize, kind: u32, at: usize, size: usize, link: u32, entry: u64| {
        let mut row = [0; 64];
        row[..4].copy_from_slice(&u32::try_from(name).unwrap().to_le_bytes());
        row[4..8].copy_from_slice(&kind.to_le_bytes());
        row[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        row[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        row[40..44].copy_from_slice(&link.to_le_bytes());
        row[56..].copy_from_slice(&entry.to_le_bytes());
        bytes.extend(row);
    };
    row(0, 0, 0, 0, 0, 0);
    row(1, 3, text_at, length, 0, 0);
    row(1, 2, symbols_at, (count + 1) * 24, 1, 24);
    let sections = count.min(60_000);
    (3..sections).for_each(|number| row(number, 3, text_at, length, 0, 0));
    bytes[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\xb7\0");
    bytes[20] = 1;
    bytes[40..48].copy_from_slice(&(table_at as u64).to_le_bytes());
    bytes[52..54].copy_from_slice(&64u16.to_le_bytes());
    bytes[58..60].copy_from_slice(&64u16.to_le_bytes());
    bytes[60..62].copy_from_slice(&u16::try_from(sections).unwrap().to_le_bytes());
    bytes[62..64].copy_from_slice(&1u16.to_le_bytes());
    bytes
}

#[test]
fn names_that_are_one_long_text_take_no_time() {
    // A few are good.
    let (_, shown) = exports::exported(&overlapping(100, 2000)).unwrap();
    assert_eq!(shown.len(), 100);
    // Read as they stand, the names would be four terabytes.
    let bytes = overlapping(200_000, 20 << 20);
    let message = exports::exported(&bytes).unwrap_err().to_string();
    assert!(message.contains("names of symbols"), "{message}");
    assert_eq!(section::content_of(&bytes), Ok(None));
    let attached = section::attach(&bytes, b"\0one\0").unwrap();
    assert!(section::detach(&attached).is_ok_and(|detached| detached.len() == bytes.len()));
}

#[test]
fn files_of_32_bits_are_treated_alike() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.c"), SOURCE).unwrap();
    let arguments = ["-c", "m.c", "-o", "m.o"];
    run(folder.path(), "arm-linux-gnueabihf-gcc", &arguments);
    let module = fs::read(folder.path().join("m.o")).unwrap();
    let attached = section::attach(&module, b"\0one\0").unwrap();
    assert_eq!(section::content_of(&attached), Ok(Some(&b"\0one\0"[..])));
    assert_eq!(section::detach(&attached), Ok(module));
    assert_eq!(exports::exported(&attached).unwrap().1.len(), 5);
}

/// In a damaged file, what is attached could become the name of another section, and would then read
/// back as that one's content.
#[test]
fn nothing_is_attached_to_damaged_section_headers() {
    let (_folder, module) = module(&[]);
    let number = |at: usize, size: usize| {
        let bytes = module[at..at + size].iter().rev();
        bytes.fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let (table, size, names) = (number(0x28, 8), number(0x3a, 2), number(0x3e, 2));
    let names_row = table + names * size;
    let (names_at, names_len) = (number(names_row + 0x18, 8), number(names_row + 0x20, 8));
    let refused = |change: &dyn Fn(&mut Vec<u8>), wanted: &str| {
        let mut damaged = module.clone();
        change(&mut damaged);
        let message = section::attach(&damaged, b"\0one\0").unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    // The second section's name begins where the new name will stand.
    let end = u32::try_from(names_len).unwrap().to_le_bytes();
    refused(
        &|bytes| bytes[table + size..][..4].copy_from_slice(&end),
        "the name of section 1 lies outside",
    );
    refused(&|bytes| bytes[names_at + names_len - 1] = b'x', "the sections has no end");
    refused(&|bytes| bytes[0x3e..0x40].fill(0), "error: ");
}

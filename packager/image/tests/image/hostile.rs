//! Damaged and hostile input: an error with a place, never a panic, never much memory.

use crate::support;

use std::fs;

use l4re_image::{Image, Kind, Module, Source, strip};
use proptest::prelude::*;

fn read(bytes: Vec<u8>) -> Result<Image, String> {
    Image::read(Source::from_bytes(bytes)).map_err(|error| error.to_string())
}

fn filled(bootstrap: Vec<u8>) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut image = read(bootstrap).unwrap();
    image.attrs.set("key", "value");
    let mut packed = Module::new("packed", Source::from_bytes(vec![5; 20_000]));
    packed.attrs.set("nodes", "1");
    packed.compress().unwrap();
    image.add(packed, None).unwrap();
    let mut kernel = Module::new("fiasco", Source::from_bytes(vec![6; 100]));
    kernel.kind = Kind::Kernel;
    image.add(kernel, None).unwrap();
    image.write(&dir.path().join("image")).unwrap();
    fs::read(dir.path().join("image")).unwrap()
}

/// The raw image with the two modules, and where its area and its records are.
fn raw() -> (Vec<u8>, usize) {
    let bytes = filled(support::raw(support::ARM64));
    let magic = b"<< L4Re-bootstrap-modinfo-hdr >>";
    let header = bytes.windows(32).position(|window| window == magic).unwrap();
    (bytes, header)
}

fn error(change: impl FnOnce(&mut Vec<u8>, usize)) -> String {
    let (mut bytes, header) = raw();
    change(&mut bytes, header);
    read(bytes).err().unwrap_or_default()
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

type Damage = Box<dyn FnOnce(&mut Vec<u8>, usize)>;

#[test]
fn each_damage_is_named_with_its_offset() {
    let record = 56;
    let cases: [(&str, Damage); 9] = [
        ("at offset 0x0: error: no bootstrap image info", Box::new(|bytes, _| bytes[0x100] = 0)),
        (
            "at offset 0x124: error: image info of version 3; 1 and 2 are known",
            Box::new(|bytes, _| bytes[0x124] = 3),
        ),
        (": error: no module header here", Box::new(|bytes, header| bytes[header] = 0)),
        (
            ": error: 4294967295 modules; at most 65536 are read",
            Box::new(|bytes, header| bytes[header + 32..header + 36].fill(0xff)),
        ),
        (
            ": error: no record of module 0 here",
            Box::new(move |bytes, header| bytes[header + record] = 0),
        ),
        (
            " leads out of the file",
            Box::new(move |bytes, header| put(bytes, header + record + 40, 1 << 40)),
        ),
        (
            " overlaps the table of modules",
            Box::new(move |bytes, header| put(bytes, header + record + 40, 0)),
        ),
        (
            "end behind the module area",
            Box::new(move |bytes, header| bytes[header + record + 96 + 50] = 0xff),
        ),
        (
            ": error: module packed: unknown kind 7",
            Box::new(move |bytes, header| bytes[header + record + 32] = 7),
        ),
    ];
    for (expected, change) in cases {
        let text = error(change);
        assert!(text.contains(expected) && text.contains("at offset 0x"), "{expected}: {text}");
    }
}

#[test]
fn a_bomb_ends_where_its_record_says() {
    let (mut bytes, header) = raw();
    // The record claims 100 bytes; 20,000 would come out.
    bytes[header + 56 + 52..][..4].copy_from_slice(&100u32.to_le_bytes());
    let image = read(bytes.clone()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    let text = image.modules[0].extract(&file, false).unwrap_err().to_string();
    assert!(text.contains("module packed: has more than the 100 bytes it claims"), "{text}");
    assert!(!file.exists());
    // And one that claims almost 4 GiB is not even begun.
    bytes[header + 56 + 52..][..4].fill(0xff);
    let text = read(bytes).unwrap().modules[0].extract(&file, false).unwrap_err().to_string();
    assert!(text.contains("claims 4294967295 bytes"), "{text}");
}

#[test]
fn a_damaged_module_is_found_also_after_the_image_was_written_again() {
    let (mut bytes, _) = raw();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let image = read(bytes).unwrap();
    let findings: Vec<_> = image.verify().iter().map(ToString::to_string).collect();
    assert!(findings[0].contains("module fiasco is damaged"), "{findings:?}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image");
    image.write(&file).unwrap();
    assert!(Image::open(&file).unwrap().verify().has_errors(), "the damage is not hidden");
}

#[test]
fn names_do_not_lead_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["../x", "/x", "..", ".x", "a/b"] {
        let mut image = read(support::raw(support::ARM64)).unwrap();
        image.modules.push(Module::new(name, Source::from_bytes(vec![1])));
        let folder = dir.path().join("out");
        assert!(image.extract(&folder).is_err(), "{name}");
        assert!(!folder.exists(), "{name}");
    }
}

#[test]
fn an_image_cannot_put_lines_into_the_list_made_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut image = read(support::raw(support::ARM64)).unwrap();
    for (line, attr) in [
        ("x a\nmodule /etc/passwd", ""),
        ("x a]b", ""),
        ("x # a", ""),
        ("x", "v,shell"),
        ("x", "v\nmodule y"),
    ] {
        let mut module = Module::new("x", Source::from_bytes(vec![1]));
        module.command_line = line.into();
        if !attr.is_empty() {
            module.attrs.set("nodes", attr);
        }
        image.modules = vec![module];
        let folder = dir.path().join("out");
        let text = image.extract(&folder).unwrap_err().to_string();
        assert!(text.contains("a module list cannot say"), "{text}");
        assert!(!folder.exists(), "{line:?} {attr:?}");
    }
    image.modules.clear();
    image.command_line = "bootstrap\nmodule /etc/passwd".into();
    assert!(image.module_list().is_err());
}

#[test]
fn records_that_share_their_texts_do_not_take_memory_for_each() {
    let mut image = read(support::raw(support::ARM64)).unwrap();
    for number in 0..600 {
        let mut module = Module::new(format!("m{number}"), Source::from_bytes(vec![]));
        if number == 0 {
            module.command_line = format!("m0 {}", "x".repeat(60_000));
        }
        image.modules.push(module);
    }
    let dir = tempfile::tempdir().unwrap();
    image.write(&dir.path().join("image")).unwrap();
    let mut bytes = fs::read(dir.path().join("image")).unwrap();
    let magic = b"<< L4Re-bootstrap-modinfo-hdr >>";
    let header = bytes.windows(32).position(|window| window == magic).unwrap();
    let first = u64::from_le_bytes(bytes[header + 56 + 64..][..8].try_into().unwrap());
    for number in 1..600u64 {
        put(&mut bytes, header + 56 + 96 * number as usize + 64, first - 96 * number);
    }
    let text = read(bytes).err().unwrap();
    assert!(text.contains("more than 16777216 bytes of names, arguments"), "{text}");
}

#[test]
fn headers_of_any_size_do_not_take_memory() {
    let mut bytes = support::elf(support::ARM64);
    bytes[58..60].fill(0xff);
    let text = read(bytes).err().unwrap();
    assert!(text.contains("the section headers: 65535 bytes each"), "{text}");
}

#[test]
fn an_image_that_gets_too_large_for_its_place_is_refused() {
    let mut bytes = support::elf(support::ARM64);
    // The segment with the code moves to just behind the modules.
    put(&mut bytes, 64 + 16, support::AREA + 0x1000);
    let mut image = read(bytes).unwrap();
    image.modules.push(Module::new("big", Source::from_bytes(vec![1; 0x2000])));
    let dir = tempfile::tempdir().unwrap();
    let text = image.write(&dir.path().join("image")).unwrap_err().to_string();
    assert!(text.contains("do not fit at address 0x10002000: there is room for 4096"), "{text}");
}

#[test]
fn what_is_no_image_says_so() {
    for (bytes, expected) in [
        (b"".to_vec(), "the image: 4 bytes wanted, 0 are there"),
        (b"MZ\0\0".repeat(100), "an EFI application"),
        (b"\x7fELF\x03\x01\x01".repeat(20), "no ELF file of a known class"),
        (vec![0; 3 << 20], "no bootstrap image info"),
    ] {
        let text = read(bytes).err().unwrap();
        assert!(text.contains(expected), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_damage_makes_it_panic(
        which in 0..10usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = IMAGES.with(|images| images[which].clone());
        for (place, value) in damage {
            // Headers are hit far more often than data.
            let end = bytes.len();
            let place = place.index(end * 4);
            let place = if place >= end { place % 0x800.min(end) } else { place };
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            let len = cut.index(bytes.len());
            bytes.truncate(len);
        }
        let _ = strip(&Source::from_bytes(bytes.clone()));
        if let Ok(image) = read(bytes) {
            image.verify();
            image.check();
            let dir = tempfile::tempdir().unwrap();
            if image.write(&dir.path().join("image")).is_ok() {
                Image::open(&dir.path().join("image")).unwrap();
            }
        }
    }

    #[test]
    fn records_of_anything_do_not_make_it_panic(
        places in prop::collection::vec((0..360usize, any::<u64>()), 1..6)
    ) {
        let (mut bytes, header) = RAW.with(Clone::clone);
        for (place, value) in places {
            put(&mut bytes, header - 16 + place / 8 * 8, value >> (place % 64));
        }
        if let Ok(image) = read(bytes) {
            image.verify();
        }
    }
}

thread_local! {
    static IMAGES: Vec<Vec<u8>> = support::all().into_iter().map(|(_, image)| filled(image)).collect();
    static RAW: (Vec<u8>, usize) = raw();
}

//! What is written is read back, in every container, and the containers stay what they were.

use crate::support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use l4re_image::{Change, Image, Kind, Module, Selector, Source};
use l4re_programs::Program;
use object::{Object, ObjectSection, ObjectSegment};
use proptest::prelude::*;

fn source(bytes: &[u8]) -> Source {
    Source::from_bytes(bytes)
}

fn module(kind: Kind, command_line: &str, bytes: &[u8]) -> Module {
    let name = command_line.split(' ').next().unwrap();
    let mut module = Module::new(name, source(bytes));
    module.kind = kind;
    module.command_line = command_line.into();
    module
}

fn filled(bootstrap: &[u8]) -> Image {
    let mut image = Image::read(source(bootstrap)).unwrap();
    image.command_line = "bootstrap -modaddr=0x1".into();
    image.attrs.set("l4i:PT", "board");
    image.attrs.set("l4i:modification-host", "secret");
    image.add(module(Kind::Kernel, "fiasco -serial_esc", &[1; 5000]), None).unwrap();
    image.add(module(Kind::Sigma0, "sigma0", &[2; 1]), None).unwrap();
    image.add(module(Kind::Roottask, "moe rom/x.cfg", &[3; 4096]), None).unwrap();
    let mut packed = module(Kind::File, "packed a  b", &b"the same again ".repeat(1000));
    packed.attrs.set("nodes", "0-3");
    packed.compress().unwrap();
    image.add(packed, None).unwrap();
    image.add(module(Kind::File, "empty", &[]), None).unwrap();
    image
}

fn write(image: &Image, folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    image.write(&path).unwrap();
    fs::read(path).unwrap()
}

fn described(image: &Image) -> Vec<String> {
    let modules = image.modules.iter();
    modules
        .map(|module| {
            let sums = module.compute_checksums().unwrap();
            let recorded = module.checksums().cloned().unwrap_or(sums.clone());
            assert_eq!(sums, recorded, "{}", module.name);
            let attrs: Vec<_> = module.attrs.iter().collect();
            format!("{:?} {} {attrs:?} {sums:?}", module.kind, module.command_line)
        })
        .collect()
}

#[test]
fn every_container_gives_back_what_was_put_in() {
    let dir = tempfile::tempdir().unwrap();
    for (what, bootstrap) in support::all() {
        let image = filled(&bootstrap);
        let bytes = write(&image, dir.path(), "image");
        let read = Image::read(source(&bytes)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(described(&read), described(&image), "{what}");
        assert_eq!(read.command_line, image.command_line, "{what}");
        assert_eq!(read.format(), image.format(), "{what}");
        assert_eq!(read.attrs.get("l4i:PT"), Some(&b"board"[..]), "{what}");
        assert!(read.verify().iter().next().is_none(), "{what}");
        // Written again, nothing changes; emptied, it takes as little as before.
        assert_eq!(write(&read, dir.path(), "again"), bytes, "{what}");
        let mut empty = read.clone();
        empty.modules.clear();
        assert!(write(&empty, dir.path(), "empty").len() < bootstrap.len() + 512, "{what}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_without_a_trace_of_the_maker() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(&filled(&support::elf(support::ARM64)), dir.path(), "one");
    let other = write(&filled(&support::elf(support::ARM64)), dir.path(), "other");
    assert_eq!(one, other);
    assert!(!one.windows(6).any(|window| window == b"secret"));
}

#[test]
fn elf_files_stay_good_and_keep_what_lies_behind_the_modules() {
    let dir = tempfile::tempdir().unwrap();
    for machine in support::MACHINES {
        let bytes = write(&filled(&support::elf(machine)), dir.path(), "image");
        let elf = object::File::parse(bytes.as_slice()).unwrap();
        assert_eq!(elf.section_by_name(".tail").unwrap().data().unwrap(), support::TAIL);
        let area = elf.section_by_name(".data.m").unwrap();
        assert_eq!(area.address(), support::AREA);
        let loaded: Vec<_> = elf.segments().map(|segment| segment.file_range()).collect();
        let (start, size) = area.file_range().unwrap();
        assert!(
            loaded.iter().any(|(at, len)| *at <= start && start + size <= at + len),
            "{machine:?}: the modules are not loaded"
        );
        assert_eq!(elf.section_by_name(".text").unwrap().size(), support::CODE as u64);
    }
}

#[test]
fn the_cell_for_the_images_end_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut image = Image::read(source(&support::raw(support::ARM64))).unwrap();
    image.add(module(Kind::File, "x", &[7; 10]), None).unwrap();
    let bytes = write(&image, dir.path(), "image");
    let cell = bytes[support::CELL as usize..][..8].try_into().unwrap();
    assert_eq!(u64::from_le_bytes(cell), support::START + bytes.len() as u64);
}

#[test]
fn u_boots_header_fits_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = write(&filled(&support::uimage(support::ARM64)), dir.path(), "image");
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(12) as usize, bytes.len() - 64);
    assert_eq!(word(24), crc32(&bytes[64..]));
    let mut header = bytes[..64].to_vec();
    header[4..8].fill(0);
    assert_eq!(word(4), crc32(&header));
    assert_eq!(&bytes[32..36], b"L4Re");
}

/// CRC-32 as U-Boot's header has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn compressed_modules_are_what_gzip_reads() {
    let image = filled(&support::raw(support::ARM64));
    let packed = &image.modules[3];
    assert!(packed.is_compressed());
    let stored = packed.content().to_vec(1 << 20).unwrap();
    let full = pipe("gzip", &["-dc"], &stored);
    assert_eq!(full, b"the same again ".repeat(1000));
}

/// What a program makes of some input.
fn pipe(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Program::declared(program)
        .command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

#[test]
fn the_area_has_the_bytes_of_the_format() {
    let dir = tempfile::tempdir().unwrap();
    let mut image = Image::read(source(&support::raw(support::ARM64))).unwrap();
    image.command_line = "b".into();
    let mut one = module(Kind::Roottask, "moe x", b"DATA");
    one.attrs.set("k", "v");
    image.add(one, None).unwrap();
    let bytes = write(&image, dir.path(), "image");
    let start = (support::AREA - support::START) as usize;
    let mut expected = b"ATTR\x80\x01\x01kv\0\0\0\0\0\0\0".to_vec();
    expected.extend(b"<< L4Re-bootstrap-modinfo-hdr >>\x01\0\0\0\0\0\0\0");
    expected.extend([152u64, 56].map(u64::to_le_bytes).concat());
    expected.extend(b"<< L4Re-bootstrap-modinfo-mod >>");
    expected.extend([3u64, 0x1000 - 72].map(u64::to_le_bytes).concat());
    expected.extend([4u32, 4].map(u32::to_le_bytes).concat());
    expected.extend([98u64, 102, 108, 141, 0u64.wrapping_sub(72)].map(u64::to_le_bytes).concat());
    expected.extend(b"b\0moe\0moe x\0");
    // `printf DATA | md5sum`
    expected.extend(b"e44f9e348e41cb272efa87387728571b\0e44f9e348e41cb272efa87387728571b\0");
    expected.resize(0x1000, 0);
    expected.extend(b"DATA");
    assert_eq!(bytes[start..], expected);
    let info = &bytes[support::INFO as usize..][..96];
    assert_eq!(info[80..88], (0x2000u64 + 16).to_le_bytes());
    assert_eq!(info[88..], 0u64.to_le_bytes());
}

#[test]
fn modules_are_found_by_name_and_number_and_changed() {
    let mut image = filled(&support::raw(support::ARM64));
    let find = |image: &Image, text: &str| {
        image.find(&Selector::parse(text)).map_err(|error| error.to_string())
    };
    assert_eq!(find(&image, "#2"), Ok(2));
    assert_eq!(find(&image, "packed"), Ok(3));
    assert_eq!(
        find(&image, "pakced").unwrap_err(),
        "error: no module `pakced`\n  help: did you mean `packed`?"
    );
    assert_eq!(find(&image, "#9").unwrap_err(), "error: no module #9; there are 5");

    let change = Change { name: Some("other".into()), ..Change::default() };
    image.change(3, &change).unwrap();
    assert_eq!(image.modules[3].command_line, "other a  b");
    assert!(image.change(4, &change).unwrap_err().message.contains("already"));
    image.replace(2, Module::new("new", source(b"x"))).unwrap();
    assert_eq!((image.modules[2].kind, image.modules[2].args()), (Kind::Roottask, "rom/x.cfg"));
    for name in ["a/b", "", "..", "a\nb"] {
        assert!(image.add(Module::new(name, source(b"")), None).is_err(), "{name:?}");
    }
}

#[test]
fn an_image_is_replaced_completely_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    fs::write(&path, support::elf(support::ARM64)).unwrap();
    let mut image = Image::open(&path).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    image.add(module(Kind::Kernel, "fiasco", &[1; 100]), None).unwrap();
    image.write(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "the link stays");
    let good = fs::read(&path).unwrap();

    let mut image = Image::open(&path).unwrap();
    image.add(module(Kind::Kernel, "second", b""), None).unwrap();
    assert!(image.write(&path).unwrap_err().to_string().contains("2 modules are the kernel"));
    assert_eq!(fs::read(&path).unwrap(), good);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn all_modules_are_extracted_and_composed_again() {
    let dir = tempfile::tempdir().unwrap();
    let image = filled(&support::raw(support::ARM64));
    let bytes = write(&image, dir.path(), "image");
    let image = Image::read(source(&bytes)).unwrap();
    let folder = dir.path().join("modules");
    image.extract(&folder).unwrap();
    assert_eq!(fs::read(folder.join("packed")).unwrap(), b"the same again ".repeat(1000));

    let context = l4re_image::modlist::Context {
        arch: "arm64".into(),
        bits: 64,
        search: vec![folder.clone()],
    };
    let list = l4re_image::modlist::load(&folder.join(l4re_image::MODULE_LIST), &context).unwrap();
    let entry = l4re_image::modlist::Entry::find(&list, "image", &context).unwrap();
    let mut again = image.clone();
    again.modules.clear();
    again.compose(&entry, &context).unwrap();
    assert_eq!(write(&again, dir.path(), "again"), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_modules_survive(
        which in 0..10usize,
        modules in prop::collection::vec(
            ("[a-z]{1,12}", "[ -~é]{0,20}", prop::collection::vec(any::<u8>(), 0..9000), any::<bool>()),
            0..6,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut image = Image::read(source(&support::all()[which].1)).unwrap();
        for (name, args, bytes, compress) in modules {
            let mut module = module(Kind::File, format!("{name} {args}").trim_end(), &bytes);
            if compress {
                module.compress().unwrap();
            }
            // Names can repeat; then the second one is refused.
            let _ = image.add(module, None);
        }
        let bytes = write(&image, dir.path(), "image");
        prop_assert_eq!(described(&Image::read(source(&bytes)).unwrap()), described(&image));
    }
}

//! Programs that are wrong in one way each, with the exact message; and damaged ones in the
//! thousands, which must never make the checks panic.

mod support;

use l4re_packager_base::Diagnostic;
use l4re_packager_core::elf::{self, Expect, Program};
use l4re_packager_core::target::Target;
use proptest::prelude::*;
use support::{DRVINFO, Elf, header, segment};

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
fn verify(bytes: &[u8]) -> (Option<Program>, Vec<Diagnostic>) {
    let target = Target::named("aarch64").unwrap();
    let expect = Expect { target: &target, drvinfo: true, c_code: false };
    let (program, report) = elf::verify(bytes, &expect);
    (program, report.into_iter().collect())
}

/// The findings about a program, without the help, one a line.
fn findings(bytes: &[u8]) -> String {
    let (program, findings) = verify(bytes);
    assert_eq!(program.is_none(), findings.iter().any(Diagnostic::is_error));
    let lines = findings.into_iter().map(|mut finding| {
        finding.help = None;
        finding.to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The findings about the correct program with one change.
fn broken(change: impl FnOnce(&mut Elf)) -> String {
    let mut elf = Elf::good(DRVINFO);
    change(&mut elf);
    findings(&elf.0)
}

#[test]
fn a_correct_program_is_accepted_and_measured() {
    let (program, findings) = verify(&Elf::good(DRVINFO).0);
    assert_eq!(findings, []);
    let program = program.unwrap();
    assert_eq!(program.info.unwrap().name, "demo-drv");
    assert_eq!((program.size.mapped, program.size.private), (0x2000, 0x1_1000));
    assert_eq!((program.size.loaded, program.size.stack), (0x218, Some(65536)));
}

#[test]
fn what_is_no_elf_file_is_told_so() {
    assert_eq!(findings(b""), "at offset 0x0: error: not an ELF file");
    assert_eq!(findings(b"#!/bin/sh\n"), "at offset 0x0: error: not an ELF file");
    let class = broken(|elf| elf.0[4] = 3);
    assert_eq!(class, "at offset 0x4: error: ELF class 3 is not 1 or 2");
    let order = broken(|elf| elf.0[5] = 0);
    assert_eq!(order, "at offset 0x5: error: ELF byte order 0 is not 1 or 2");
}

#[test]
fn a_program_for_another_machine_is_refused() {
    let machine = broken(|elf| {
        elf.put(header::MACHINE, 62, 2);
    });
    assert_eq!(machine, "at offset 0x12: error: machine 62, aarch64 is 183");
    let narrow = broken(|elf| elf.0[4] = 1);
    assert_eq!(narrow, "at offset 0x4: error: a 32-bit program, aarch64 needs 64");
    let big = broken(|elf| {
        elf.0[5] = 2;
        elf.0[18..20].copy_from_slice(&[0, 183]);
    });
    assert_eq!(big, "at offset 0x5: error: the byte order is not that of aarch64");
}

#[test]
fn only_a_program_that_stays_where_it_is_linked_is_accepted() {
    let pie = broken(|elf| {
        elf.put(header::TYPE, 3, 2);
    });
    let text = "a position-independent program (ET_DYN); it would have to relocate itself";
    assert_eq!(pie, format!("at offset 0x10: error: {text}"));
    let object = broken(|elf| {
        elf.put(header::TYPE, 1, 2);
    });
    assert_eq!(object, "at offset 0x10: error: an object file (ET_REL), not a program");
}

#[test]
fn a_dynamic_program_is_refused() {
    let interp = broken(|elf| {
        elf.seg(5, segment::TYPE, 3, 4);
    });
    assert_eq!(interp, "at offset 0x158: error: the program wants a dynamic linker (PT_INTERP)");
    let tls = broken(|elf| {
        elf.seg(5, segment::TYPE, 7, 4);
    });
    assert_eq!(tls, "at offset 0x158: error: the program has thread-local variables (PT_TLS)");
}

#[test]
fn the_libraries_of_a_dynamic_program_are_named() {
    let elf = broken(|elf| {
        // DT_STRTAB points at a string in the data segment, DT_NEEDED at its start.
        elf.0[0x1f0..0x1f8].copy_from_slice(b"libx.so\0");
        for (index, (tag, value)) in [(5, 0x40_01f0), (1, 0), (0, 0)].into_iter().enumerate() {
            elf.put(0x1a0 + index * 16, tag, 8).put(0x1a8 + index * 16, value, 8);
        }
        elf.seg(5, segment::TYPE, 2, 4).seg(5, segment::OFFSET, 0x1a0, 8);
        elf.seg(5, segment::FILESZ, 48, 8).seg(5, segment::MEMSZ, 48, 8);
    });
    assert_eq!(elf, "at offset 0x158: error: the program wants shared libraries: libx.so");
}

#[test]
fn writable_code_is_refused() {
    let text = broken(|elf| {
        elf.seg(2, segment::FLAGS, 7, 4);
    });
    let message = "segment rwx at 0x401000 is both writable and executable";
    assert_eq!(text, format!("at offset 0xb0: error: {message}"));
    let stack = broken(|elf| {
        elf.seg(5, segment::FLAGS, 7, 4);
    });
    let message = "the program asks for an executable stack (PT_GNU_STACK)";
    assert_eq!(stack, format!("at offset 0x158: error: {message}"));
}

#[test]
fn segments_that_the_loader_would_misplace_are_refused() {
    let paddr = broken(|elf| {
        elf.seg(3, segment::PADDR, 0x2000, 8);
    });
    assert_eq!(
        paddr,
        "at offset 0xe8: error: segment rw- at 0x402000 would be placed at p_paddr 0x2000"
    );
    let align = broken(|elf| {
        elf.seg(3, segment::ALIGN, 16, 8);
    });
    let message = "segment rw- at 0x402000 has alignment 0x10, a page has 0x1000";
    assert_eq!(align, format!("at offset 0xe8: error: {message}"));
    let shifted = broken(|elf| {
        elf.seg(3, segment::OFFSET, 0x1008, 8);
    });
    let message = "segment rw- at 0x402000 is at 0x1008 of the file, not the same within a page";
    assert_eq!(shifted, format!("at offset 0xe8: error: {message}"));
    let shared = broken(|elf| {
        elf.seg(2, segment::FILESZ, 0x1001, 8).seg(2, segment::MEMSZ, 0x1001, 8);
    });
    let message = "segment r-x at 0x401000 and segment rw- at 0x402000 share a page";
    assert_eq!(shared, format!("at offset 0xe8: error: {message}"));
}

#[test]
fn segments_outside_of_the_file_or_of_memory_are_refused() {
    let outside = broken(|elf| {
        elf.seg(3, segment::OFFSET, 0x10_0000, 8);
    });
    assert!(outside.starts_with(
        "at offset 0xe8: error: segment rw- at 0x402000: 0x8 bytes at 0x100000 of the file, which has"
    ));
    let huge = broken(|elf| {
        elf.seg(4, segment::MEMSZ, u64::MAX, 8);
    });
    assert_eq!(
        huge,
        "at offset 0x120: error: segment rw- at 0x404000: 0xffffffffffffffff bytes at 0x404000 end \
         behind the address space"
    );
    let larger = broken(|elf| {
        elf.seg(3, segment::MEMSZ, 4, 8);
    });
    let message = "segment rw- at 0x402000 is larger in the file than in memory";
    assert_eq!(larger, format!("at offset 0xe8: error: {message}"));
    let empty = broken(|elf| {
        elf.seg(4, segment::MEMSZ, 0, 8);
    });
    assert_eq!(empty, "at offset 0x120: error: segment rw- at 0x404000 is empty");
}

#[test]
fn the_entry_point_must_be_code() {
    let data = broken(|elf| {
        elf.put(header::ENTRY, 0x40_2000, 8);
    });
    let message = "the entry point 0x402000 is in segment rw- at 0x402000";
    assert_eq!(data, format!("at offset 0x18: error: {message}"));
    let nowhere = broken(|elf| {
        elf.put(header::ENTRY, 0, 8);
    });
    assert_eq!(nowhere, "at offset 0x18: error: the entry point 0x0 is in no segment");
}

#[test]
fn headers_that_lie_about_their_number_or_place_are_refused() {
    let many = broken(|elf| {
        elf.put(header::PHNUM, 0xfff0, 2);
    });
    assert!(many.starts_with("at offset 0x40: error: program headers:"), "{many}");
    let far = broken(|elf| {
        elf.put(header::PHOFF, u64::MAX - 8, 8);
    });
    assert!(far.starts_with("at offset 0xfffffffffffffff7: error: program headers:"), "{far}");
    let none = broken(|elf| {
        elf.put(header::PHNUM, 0, 2);
    });
    assert_eq!(none, "at offset 0x40: error: no program headers: an object file, not a program");
    let sections = broken(|elf| {
        elf.put(header::SHNUM, 0xfe00, 2);
    });
    assert!(sections.contains("error: section headers:"), "{sections}");
}

#[test]
fn a_missing_pt_phdr_is_worth_a_warning() {
    let text = broken(|elf| {
        elf.seg(0, segment::TYPE, 0, 4);
    });
    let message = "no PT_PHDR: the loader cannot tell the program where its headers are";
    assert_eq!(text, format!("warning: {message}"));
}

#[test]
fn symbols_nobody_defines_are_named() {
    let elf = Elf::with(DRVINFO, &[("malloc", 0), ("printf\x1b[2J", 0)]);
    assert_eq!(findings(&elf.0), "error: nobody defines `malloc`, `printf\\u{1b}[2J`");
}

#[test]
fn unexpected_global_symbols_are_a_warning_unless_there_is_c_code() {
    let elf = Elf::with(DRVINFO, &[("helper", 0x40_1004)]);
    assert_eq!(findings(&elf.0), "warning: unexpected global symbols: `helper`");
    let target = Target::named("aarch64").unwrap();
    let expect = Expect { target: &target, drvinfo: true, c_code: true };
    assert_eq!(elf::verify(&elf.0, &expect).1.iter().count(), 0);
}

#[test]
fn the_description_must_be_there_and_fit() {
    let none = Elf::good("");
    assert!(findings(&none.0).contains("error: section .l4re.drvinfo: empty"));
    let mut gone = Elf::good(DRVINFO);
    let at = gone.0.windows(9).position(|bytes| bytes == b".l4re.drv").unwrap();
    gone.0[at] = b'x';
    assert_eq!(findings(&gone.0), "error: no section .l4re.drvinfo");
    let stack = Elf::good(&DRVINFO.replace("65536", "4096"));
    let message = "error: the stack has 65536 bytes, the description says 4096";
    assert_eq!(findings(&stack.0), message);
    let bad = Elf::good(&DRVINFO.replace("cmd\tnomsi", "cmmd\tnomsi"));
    assert_eq!(
        findings(&bad.0).split_once("error: ").unwrap().1,
        "section .l4re.drvinfo: line 9: `cmmd` is no kind of line, or has the wrong number of fields"
    );
}

#[test]
fn a_file_cut_anywhere_is_refused_without_a_panic() {
    let whole = Elf::good(DRVINFO).0;
    for length in 0..whole.len() {
        assert!(verify(&whole[..length]).0.is_none(), "cut at {length:#x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damage_never_makes_it_panic(
        damage in prop::collection::vec((0usize..0x2600, any::<u8>()), 1..12),
    ) {
        let mut bytes = Elf::good(DRVINFO).0;
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let _ = verify(&bytes);
        let _ = elf::target_of(&bytes);
    }

    #[test]
    fn extreme_numbers_in_headers_never_make_it_panic(
        fields in prop::collection::vec((0usize..49, prop::sample::select(vec![
            0, 1, 0x40, 0x1000, 0x7fff_ffff, u64::from(u32::MAX), 1 << 63, u64::MAX - 1, u64::MAX,
        ])), 1..6),
    ) {
        let mut elf = Elf::good(DRVINFO);
        for (field, value) in fields {
            elf.put(24 + field * 8, value, 8);
        }
        let _ = verify(&elf.0);
    }
}

//! The rules for segments: those of L4Re's loader, and W^X.

use object::elf;

use super::{Image, Segment};
use crate::target::Target;
use l4re_packager_base::{Diagnostic, Report};

const LINK_HELP: &str = "link with the packager's linker script";

/// Judges type, segments and entry point.
pub(super) fn check(image: &Image, target: &Target, report: &mut Report) {
    check_kind(image, report);
    check_special(image, report);
    let page = target.elf.page_size;
    let limit = if target.elf.class == 64 { u64::MAX } else { u64::from(u32::MAX) };
    let mut loads = Vec::new();
    for segment in image.segments.iter().filter(|segment| segment.is_load()) {
        check_load(segment, image.file_size, page, report);
        match segment.vaddr.checked_add(segment.memory_size) {
            Some(end) if end <= limit => loads.push((*segment, end)),
            _ => {
                let message = format!(
                    "{}: {:#x} bytes at {:#x} end behind the address space",
                    name(segment),
                    segment.memory_size,
                    segment.vaddr
                );
                report.push(at(segment, "elf-range", message));
            }
        }
    }
    if loads.is_empty() && !report.has_errors() {
        let message = "nothing to load: no PT_LOAD segment";
        report.push(Diagnostic::error("elf-segments", message).help(LINK_HELP));
    }
    check_pages(&mut loads, page, report);
    check_entry(image, report);
}

fn name(segment: &Segment) -> String {
    format!("segment {} at {:#x}", segment.rights(), segment.vaddr)
}

fn at(segment: &Segment, code: &'static str, message: String) -> Diagnostic {
    Diagnostic::error(code, message).offset(segment.header_offset).help(LINK_HELP)
}

fn check_kind(image: &Image, report: &mut Report) {
    let (message, help) = match image.kind {
        elf::ET_EXEC => return,
        elf::ET_DYN => (
            "a position-independent program (ET_DYN); it would have to relocate itself".to_owned(),
            "build with `-C relocation-model=static`",
        ),
        elf::ET_REL => ("an object file (ET_REL), not a program".to_owned(), "link it"),
        other => (format!("ELF type {}, not a program (ET_EXEC)", other.0), "link it as a program"),
    };
    report.push(Diagnostic::error("elf-type", message).offset(16).help(help));
}

/// Segments that say how a program is to be started.
fn check_special(image: &Image, report: &mut Report) {
    for segment in &image.segments {
        let (code, message) = match segment.kind {
            elf::PT_INTERP => ("elf-dynamic", "wants a dynamic linker (PT_INTERP)".to_owned()),
            elf::PT_DYNAMIC if image.needed.is_empty() => {
                ("elf-dynamic", "is dynamically linked (PT_DYNAMIC)".to_owned())
            }
            elf::PT_DYNAMIC => {
                let message = format!("wants shared libraries: {}", image.needed.join(", "));
                ("elf-dynamic", message)
            }
            elf::PT_TLS => ("elf-tls", "has thread-local variables (PT_TLS)".to_owned()),
            elf::PT_GNU_STACK if segment.is_executable() => {
                ("elf-stack", "asks for an executable stack (PT_GNU_STACK)".to_owned())
            }
            _ => continue,
        };
        let help = match segment.kind {
            elf::PT_TLS => "the runtime sets up no thread-local storage; use statics",
            elf::PT_GNU_STACK => "some assembler file lacks a section .note.GNU-stack",
            _ => "link statically",
        };
        let message = format!("the program {message}");
        let diagnostic = Diagnostic::error(code, message).offset(segment.header_offset);
        report.push(diagnostic.help(help));
    }
    if !image.segments.iter().any(|segment| segment.kind == elf::PT_PHDR) {
        let message = "no PT_PHDR: the loader cannot tell the program where its headers are";
        report.push(Diagnostic::warning("elf-phdr", message).help(LINK_HELP));
    }
}

/// One loadable segment for itself.
fn check_load(segment: &Segment, file_size: u64, page: u64, report: &mut Report) {
    let mut error = |code, message| report.push(at(segment, code, message));
    let name = name(segment);
    let end = segment.offset.checked_add(segment.file_size);
    if segment.file_size > 0 && end.is_none_or(|end| end > file_size) {
        let (offset, size) = (segment.offset, segment.file_size);
        let message =
            format!("{name}: {size:#x} bytes at {offset:#x} of the file, which has {file_size:#x}");
        error("elf-range", message);
    }
    if segment.memory_size == 0 {
        error("elf-range", format!("{name} is empty"));
    }
    if segment.file_size > segment.memory_size {
        error("elf-range", format!("{name} is larger in the file than in memory"));
    }
    if segment.is_writable() && segment.is_executable() {
        error("elf-wx", format!("{name} is both writable and executable"));
    }
    if segment.paddr != segment.vaddr {
        let paddr = segment.paddr;
        error("elf-paddr", format!("{name} would be placed at p_paddr {paddr:#x}"));
    }
    if !segment.align.is_power_of_two() || segment.align < page {
        let align = segment.align;
        error("elf-align", format!("{name} has alignment {align:#x}, a page has {page:#x}"));
    }
    if segment.offset % page != segment.vaddr % page {
        let offset = segment.offset;
        error(
            "elf-align",
            format!("{name} is at {offset:#x} of the file, not the same within a page"),
        );
    }
}

/// Segments must not share a page: the loader maps whole pages.
fn check_pages(loads: &mut [(Segment, u64)], page: u64, report: &mut Report) {
    loads.sort_by_key(|(segment, _)| segment.vaddr);
    for pair in loads.windows(2) {
        let [(first, first_end), (second, _)] = pair else { continue };
        // The last page of the first against the first page of the second. Empty segments are
        // reported elsewhere and have no last page.
        let Some(last) = first_end.checked_sub(1).filter(|last| *last >= first.vaddr) else {
            continue;
        };
        if last / page >= second.vaddr / page {
            let message = format!("{} and {} share a page", name(first), name(second));
            report.push(at(second, "elf-shared-page", message));
        }
    }
}

fn check_entry(image: &Image, report: &mut Report) {
    let entry = image.entry;
    let holds = |segment: &Segment| {
        let inside = entry.checked_sub(segment.vaddr);
        segment.is_load() && inside.is_some_and(|inside| inside < segment.file_size)
    };
    let message = match image.segments.iter().find(|segment| holds(segment)) {
        Some(segment) if segment.is_executable() => return,
        Some(segment) => format!("the entry point {entry:#x} is in {}", name(segment)),
        None => format!("the entry point {entry:#x} is in no segment"),
    };
    let help = "is there a `_start`? The runtime's `entry!` makes one";
    report.push(Diagnostic::error("elf-entry", message).offset(24).help(help));
}

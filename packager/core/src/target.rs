//! The data files under `targets/`, as types.

use std::path::Path;

use l4re_packager_base::reader::{Document, Table};
use l4re_packager_base::{Diagnostic, Failure, nearest};

/// The files that come with the packager, by name.
const FILES: [(&str, &str); 4] = [
    ("aarch64", include_str!("../data/targets/aarch64.toml")),
    ("armv7a", include_str!("../data/targets/armv7a.toml")),
    ("riscv64", include_str!("../data/targets/riscv64.toml")),
    ("x86_64", include_str!("../data/targets/x86_64.toml")),
];

/// The linker scripts, by file name.
const LINKER_SCRIPTS: [(&str, &str); 1] =
    [("aarch64.ld", include_str!("../data/linker/aarch64.ld"))];

/// What a program can be built for or checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the target.
    pub name: String,
    /// Rust's target triple.
    pub rust: String,
    /// Linker script for programs; a target without one can be checked, not built.
    pub linker_script: Option<LinkerScript>,
    /// What its ELF files look like.
    pub elf: ElfTarget,
    /// What L4Re's build system calls it.
    pub l4re: L4reTarget,
    /// C code.
    pub c: CTarget,
    /// Machine description to boot on, if there is one.
    pub qemu_machine: Option<String>,
    /// Boards.
    pub platforms: Vec<Platform>,
}

/// A linker script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkerScript {
    /// File name.
    pub name: &'static str,
    /// Content.
    pub text: &'static str,
}

/// What ELF files of a target look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfTarget {
    /// `e_machine`.
    pub machine: u16,
    /// 32 or 64 bits.
    pub class: u8,
    /// Byte order.
    pub little_endian: bool,
    /// Page size in bytes, a power of two.
    pub page_size: u64,
    /// Usual link address.
    pub base: u64,
}

/// What L4Re's build system calls a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L4reTarget {
    /// Architecture, as in `bin/<arch>_<cpu>/`.
    pub arch: String,
    /// Processor.
    pub cpu: String,
    /// Programming interface, as in `SYSTEMS = <arch>-<api>`.
    pub api: String,
}

/// How C code is compiled for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CTarget {
    /// Prefix of the compiler's name.
    pub cross_compile: String,
    /// Debian's name of the compiler's package.
    pub package: String,
    /// Options for every file.
    pub flags: Vec<String>,
}

/// A board of L4Re.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Its name there.
    pub name: String,
    /// Its virtio-mmio slots, if it has some.
    pub virtio_mmio: Option<VirtioMmio>,
}

/// A row of virtio-mmio slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtioMmio {
    /// Physical address of slot 0.
    pub base: u64,
    /// Bytes from slot to slot, also the size of one.
    pub stride: u64,
    /// Number of slots.
    pub slots: u64,
    /// Interrupt of slot 0; the following slots have the following numbers.
    pub first_irq: u64,
}

impl Target {
    /// The names of all targets, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// The target of that name.
    ///
    /// # Errors
    ///
    /// [`Failure`] with the names there are.
    pub fn named(name: &str) -> Result<Self, Failure> {
        match FILES.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::from_toml(Path::new(name), text),
            None => Err(unknown(name).into()),
        }
    }

    /// The target whose ELF files have this machine number, class and byte order.
    pub fn of_elf(machine: u16, class: u8, little_endian: bool) -> Option<Self> {
        Self::names().filter_map(|name| Self::named(name).ok()).find(|target| {
            let elf = &target.elf;
            (elf.machine, elf.class, elf.little_endian) == (machine, class, little_endian)
        })
    }

    /// The target that L4Re calls `arch`.
    pub fn of_l4re_arch(arch: &str) -> Option<Self> {
        let targets = Self::names().filter_map(|name| Self::named(name).ok());
        targets.into_iter().find(|target| target.l4re.arch == arch)
    }

    /// Reads a target's data file.
    ///
    /// # Errors
    ///
    /// [`Failure`] with a position for each mistake.
    pub fn from_toml(path: &Path, text: &str) -> Result<Self, Failure> {
        Document::toml(path, text, read).map(|(target, _)| target)
    }
}

/// What to say of a name that is no target.
pub fn unknown(name: &str) -> Diagnostic {
    let names = Target::names().collect::<Vec<_>>().join(", ");
    let diagnostic = Diagnostic::error("unknown-target", format!("unknown target `{name}`"));
    match nearest(name, Target::names()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`? There are: {names}")),
        None => diagnostic.help(format!("there are: {names}")),
    }
}

fn read(document: &Document, mut root: Table<'_>) -> Option<Target> {
    let name = root.needed_string("name");
    let rust = root.needed_string("rust");
    let linker_script = root.string("linker-script").and_then(|script| {
        let known = LINKER_SCRIPTS.iter().find(|(name, _)| *name == script.value);
        if known.is_none() {
            document.error("linker-script", "no such file under linker/", script.at);
        }
        known.map(|&(name, text)| LinkerScript { name, text })
    });
    let elf = root.needed_table("elf").and_then(|table| read_elf(document, table));
    let l4re = root.needed_table("l4re").and_then(|mut table| {
        let target = L4reTarget {
            arch: table.needed_string("arch")?.value,
            cpu: table.needed_string("cpu")?.value,
            api: table.needed_string("api")?.value,
        };
        table.finish();
        Some(target)
    });
    let c = root.needed_table("c").and_then(|mut table| {
        let target = CTarget {
            cross_compile: table.needed_string("cross-compile")?.value,
            package: table.needed_string("package")?.value,
            flags: table.strings("flags").into_iter().map(|flag| flag.value).collect(),
        };
        table.finish();
        Some(target)
    });
    let qemu_machine = root.table("qemu").and_then(|mut table| {
        let machine = table.needed_string("machine")?.value;
        table.finish();
        Some(machine)
    });
    let platforms = root.tables("platform").into_iter().filter_map(read_platform).collect();
    root.finish();
    Some(Target {
        name: name?.value,
        rust: rust?.value,
        linker_script,
        elf: elf?,
        l4re: l4re?,
        c: c?,
        qemu_machine,
        platforms,
    })
}

fn read_elf(document: &Document, mut table: Table<'_>) -> Option<ElfTarget> {
    let machine = table.needed_number("machine")?;
    let class = table.needed_number("class")?;
    let endian = table.needed_string("endian")?;
    let page_size = table.needed_number("page-size")?;
    let base = table.needed_number("base")?.value;
    table.finish();
    let Ok(machine) = u16::try_from(machine.value) else {
        document.error("range", "`machine` must be from 0 to 65535", machine.at);
        return None;
    };
    let class = match class.value {
        32 => 32,
        64 => 64,
        _ => {
            document.error("range", "`class` must be 32 or 64", class.at);
            return None;
        }
    };
    let little_endian = match endian.value.as_str() {
        "little" => true,
        "big" => false,
        _ => {
            document.error("range", "`endian` must be \"little\" or \"big\"", endian.at);
            return None;
        }
    };
    if !page_size.value.is_power_of_two() {
        document.error("range", "`page-size` must be a power of two", page_size.at);
        return None;
    }
    Some(ElfTarget { machine, class, little_endian, page_size: page_size.value, base })
}

fn read_platform(mut table: Table<'_>) -> Option<Platform> {
    let name = table.needed_string("name");
    let virtio_mmio = table.table("virtio-mmio").and_then(|mut table| {
        let slots = VirtioMmio {
            base: table.needed_number("base")?.value,
            stride: table.needed_number("stride")?.value,
            slots: table.needed_number("slots")?.value,
            first_irq: table.needed_number("first-irq")?.value,
        };
        table.finish();
        Some(slots)
    });
    table.finish();
    Some(Platform { name: name?.value, virtio_mmio })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_file_reads_and_is_named_like_its_file() {
        for name in Target::names() {
            let target = Target::named(name).unwrap();
            assert_eq!(target.name, name);
            assert_eq!(target.elf.base % target.elf.page_size, 0);
        }
    }

    #[test]
    fn targets_are_found_by_what_an_elf_file_says() {
        assert_eq!(Target::of_elf(183, 64, true).unwrap().name, "aarch64");
        assert_eq!(Target::of_elf(183, 64, false), None);
        assert_eq!(Target::of_l4re_arch("arm64").unwrap().name, "aarch64");
    }

    #[test]
    fn an_unknown_target_comes_with_the_nearest() {
        assert_eq!(
            Target::named("arch64").unwrap_err().to_string(),
            "error: unknown target `arch64`\n  help: did you mean `aarch64`? There are: aarch64, \
             armv7a, riscv64, x86_64"
        );
    }
}

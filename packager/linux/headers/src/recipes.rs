//! Which headers there are to be made, and how each is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use l4re_packager_base::Failure;

use crate::compiled::Compiled;
use crate::config::Config;
use crate::syscalls::Numbers;
use crate::wrappers::{Lists, assignments, optional};

/// How a header is made. Paths are relative to the tree.
#[derive(Debug, Clone)]
pub(crate) enum Recipe {
    /// It is the configuration.
    Autoconf,
    /// It is always the same.
    Text(&'static str),
    /// It includes the generic header of that name.
    Wrapper(String),
    /// The tree's script makes it of tables.
    Script { script: String, tables: Vec<String> },
    /// The numbers of system calls.
    Numbers { table: String, abis: Vec<String>, how: Numbers },
    /// The entry points of system calls.
    Entries { table: String, abis: Vec<String> },
    /// arm's number of system calls.
    ArmCount { table: String },
    /// See [`crate::timeconst`].
    TimeConst,
    /// The version, for programs.
    Version,
    /// The release, with local additions.
    Release,
    /// The compiler makes it.
    Compiled(Compiled),
    /// The tree lists it, but only its own make knows how to make it.
    Unknown { list: PathBuf },
}

impl Recipe {
    /// The files of the tree that the header is made of.
    pub(crate) fn sources(&self) -> Vec<PathBuf> {
        match self {
            Self::Script { script, tables } => {
                std::iter::once(script).chain(tables).map(PathBuf::from).collect()
            }
            Self::Numbers { table, .. }
            | Self::Entries { table, .. }
            | Self::ArmCount { table } => {
                vec![table.into()]
            }
            Self::Compiled(compiled) => vec![compiled.source.into()],
            Self::Version | Self::Release => vec!["Makefile".into()],
            Self::Unknown { list } => vec![list.clone()],
            Self::Autoconf | Self::Text(_) | Self::Wrapper(_) | Self::TimeConst => Vec::new(),
        }
    }
}

/// Headers by their path below the folder that make would build in.
pub(crate) type Recipes = BTreeMap<String, Recipe>;

/// All headers of a tree.
pub(crate) fn recipes(tree: &Path, arch: &str, config: &Config) -> Result<Recipes, Failure> {
    let mut recipes = Recipes::new();
    let mut fixed =
        |path: &str, recipe| recipes.insert(format!("include/generated/{path}"), recipe);
    fixed("autoconf.h", Recipe::Autoconf);
    fixed("timeconst.h", Recipe::TimeConst);
    fixed("utsrelease.h", Recipe::Release);
    fixed("uapi/linux/version.h", Recipe::Version);
    let compiled = |source, guard| Recipe::Compiled(Compiled { source, guard });
    fixed("bounds.h", compiled("kernel/bounds.c", "__LINUX_BOUNDS_H__"));
    if let Some(source) = asm_offsets(arch) {
        fixed("asm-offsets.h", compiled(source, "__ASM_OFFSETS_H__"));
    }
    let run_queue = "kernel/sched/rq-offsets.c";
    if tree.join(run_queue).exists() {
        fixed("rq-offsets.h", compiled(run_queue, "__RQ_OFFSETS_H__"));
    }
    // Debian's addition; make is given the text by whoever builds packages.
    if optional(&tree.join("Makefile"))?.contains("filechk_package.h") {
        fixed("package.h", Recipe::Text("#define LINUX_PACKAGE_ID \"\"\n"));
    }
    for part in ["asm", "uapi/asm"] {
        let own = PathBuf::from(format!("arch/{arch}/include/{part}"));
        let generic = part.replace("asm", "asm-generic");
        let lists = Lists::read(tree, &own, &Path::new("include").join(generic))?;
        let to = format!("arch/{arch}/include/generated/{part}");
        for name in lists.wrappers {
            recipes.insert(format!("{to}/{name}"), Recipe::Wrapper(name));
        }
        if !lists.syscalls.is_empty() {
            let rules = SyscallRules::read(tree, arch)?;
            for name in &lists.syscalls {
                let unknown = || Recipe::Unknown { list: own.join("Kbuild") };
                recipes.insert(format!("{to}/{name}"), rules.recipe(name).unwrap_or_else(unknown));
            }
        }
        for name in lists.generated {
            let recipe = match generated(arch, &name, config) {
                Made::By(recipe) => recipe,
                Made::NotNow => continue,
                Made::Unknown => Recipe::Unknown { list: own.join("Kbuild") },
            };
            recipes.insert(format!("{to}/{name}"), recipe);
        }
    }
    if arch == "arm" {
        for abi in ["oabi", "eabi"] {
            let recipe = Recipe::Entries { table: ARM_TABLE.into(), abis: common_and(abi) };
            recipes.insert(format!("arch/arm/include/generated/calls-{abi}.S"), recipe);
        }
    }
    Ok(recipes)
}

/// The file whose offsets assembler of an architecture needs.
fn asm_offsets(arch: &str) -> Option<&'static str> {
    Some(match arch {
        "arm64" => "arch/arm64/kernel/asm-offsets.c",
        "arm" => "arch/arm/kernel/asm-offsets.c",
        "x86" => "arch/x86/kernel/asm-offsets.c",
        "riscv" => "arch/riscv/kernel/asm-offsets.c",
        _ => return None,
    })
}

const ARM_TABLE: &str = "arch/arm/tools/syscall.tbl";

fn common_and(abi: &str) -> Vec<String> {
    vec!["common".into(), abi.into()]
}

/// What is known about a header that an architecture makes in its own way.
enum Made {
    By(Recipe),
    /// Not under this configuration.
    NotNow,
    Unknown,
}

fn generated(arch: &str, name: &str, config: &Config) -> Made {
    let awk = |script: &str, table: &str| {
        let path = |name| format!("arch/{arch}/tools/{name}");
        Made::By(Recipe::Script { script: path(script), tables: vec![path(table)] })
    };
    match (arch, name) {
        ("arm64", "cpucaps.h" | "cpucap-defs.h") => awk("gen-cpucaps.awk", "cpucaps"),
        ("arm64", "kernel-hwcap.h") => Made::By(Recipe::Script {
            script: "arch/arm64/tools/gen-kernel-hwcaps.sh".into(),
            tables: vec!["arch/arm64/include/uapi/asm/hwcap.h".into()],
        }),
        ("arm64", "sysreg-defs.h") => awk("gen-sysreg.awk", "sysreg"),
        ("arm", "mach-types.h") => awk("gen-mach-types", "mach-types"),
        ("arm", "unistd-nr.h") => Made::By(Recipe::ArmCount { table: ARM_TABLE.into() }),
        ("arm", "unistd-oabi.h" | "unistd-eabi.h") => {
            let how = Numbers { offset: Some("__NR_SYSCALL_BASE".into()), ..Numbers::default() };
            let abi = if name.contains("oabi") { "oabi" } else { "eabi" };
            Made::By(Recipe::Numbers { table: ARM_TABLE.into(), abis: common_and(abi), how })
        }
        ("x86", _) => x86(name, config),
        _ => Made::Unknown,
    }
}

/// x86 has three ABIs, of which two share a table.
fn x86(name: &str, config: &Config) -> Made {
    let table = |bits| format!("arch/x86/entry/syscalls/syscall_{bits}.tbl");
    let abis = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let numbers = |bits, names: &[&str], offset: Option<&str>, prefix: &str| {
        let offset = offset.map(str::to_owned);
        let how = Numbers { offset, prefix: prefix.into(), count: true };
        Made::By(Recipe::Numbers { table: table(bits), abis: abis(names), how })
    };
    let entries =
        |bits, names: &[&str]| Made::By(Recipe::Entries { table: table(bits), abis: abis(names) });
    let when = |symbol, made| if config.is_yes(symbol) { made } else { Made::NotNow };
    match name {
        "unistd_32.h" => numbers(32, &["i386"], None, ""),
        "unistd_64.h" => numbers(64, &["common", "64"], None, ""),
        "unistd_x32.h" => numbers(64, &["common", "x32"], Some("__X32_SYSCALL_BIT"), ""),
        "unistd_32_ia32.h" => when("X86_64", numbers(32, &["i386"], None, "ia32_")),
        "unistd_64_x32.h" => when("X86_64", numbers(64, &["x32"], None, "x32_")),
        "syscalls_32.h" => entries(32, &["i386"]),
        "syscalls_64.h" => when("X86_64", entries(64, &["common", "64"])),
        "syscalls_x32.h" => when("X86_X32_ABI", entries(64, &["common", "x32"])),
        "xen-hypercalls.h" => when("XEN", Made::Unknown),
        "orc_hash.h" => when("UNWINDER_ORC", Made::Unknown),
        _ => Made::Unknown,
    }
}

/// How trees since 6.11 make headers of system calls: by rules for all architectures, which an
/// architecture amends.
struct SyscallRules {
    table: String,
    abis: BTreeMap<String, Vec<String>>,
}

impl SyscallRules {
    fn read(tree: &Path, arch: &str) -> Result<Self, Failure> {
        let mut abis = BTreeMap::new();
        for bits in ["32", "64"] {
            abis.insert(bits.to_owned(), common_and(bits));
        }
        let mut rules = Self { table: "scripts/syscall.tbl".into(), abis };
        let amended = optional(&tree.join(format!("arch/{arch}/kernel/Makefile.syscalls")))?;
        for (name, text) in assignments(&amended) {
            if let Some(of) = name.strip_prefix("syscall_abis_") {
                let list = rules.abis.entry(of.to_owned()).or_default();
                list.extend(text.split_whitespace().map(str::to_owned));
            } else if name == "syscalltbl" {
                rules.table = text.replace("$(srctree)/", "");
            }
        }
        Ok(rules)
    }

    fn recipe(&self, name: &str) -> Option<Recipe> {
        let stem = name.strip_suffix(".h")?;
        let of = |kind: &str, prefix: String| {
            let abis = self.abis.get(kind)?.clone();
            let table = self.table.replace('%', kind);
            Some((table, abis, Numbers { offset: None, prefix, count: true }))
        };
        if let Some(kind) = stem.strip_prefix("syscall_table_") {
            let (table, abis, _) = of(kind, String::new())?;
            return Some(Recipe::Entries { table, abis });
        }
        let (table, abis, how) = if let Some(kind) = stem.strip_prefix("unistd_compat_") {
            of(kind, format!("compat{kind}_"))?
        } else {
            of(stem.strip_prefix("unistd_")?, String::new())?
        };
        Some(Recipe::Numbers { table, abis, how })
    }
}

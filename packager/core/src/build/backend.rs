//! Building with another code generator, which only nightly compilers have.

use std::path::Path;
use std::process::Command;

use super::Tools;
use l4re_packager_base::{Diagnostic, Failure, Report};

/// The crates of the standard library that a driver server links.
const STD: &str = "core,alloc,panic_abort";

/// 16-bit and 128-bit floating point numbers want what not every backend has.
const STD_FEATURES: &str = "compiler-builtins-no-f16-f128";

/// What generates code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeGenerator {
    /// Cranelift.
    Cranelift,
    /// LLVM.
    Llvm,
}

impl CodeGenerator {
    /// Its name, as in `-Z codegen-backend`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::Llvm => "llvm",
        }
    }
}

/// A code generator of a nightly toolchain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// What generates code.
    pub generator: CodeGenerator,
    /// The toolchain, as rustup calls it.
    pub toolchain: String,
}

impl Backend {
    /// Makes a call of cargo one of this toolchain, which builds the standard library along.
    pub(super) fn apply(&self, command: &mut Command) {
        command.env("RUSTUP_TOOLCHAIN", &self.toolchain);
        command.arg(format!("-Zbuild-std={STD}"));
        command.arg(format!("-Zbuild-std-features={STD_FEATURES}"));
    }

    /// The compiler's flags.
    pub(super) fn flags(&self) -> Vec<String> {
        vec!["-Cpanic=abort".into(), format!("-Zcodegen-backend={}", self.generator.name())]
    }

    pub(super) fn no_toolchain(&self, message: &str) -> Failure {
        let name = &self.toolchain;
        let message = format!("the toolchain {name} does not work: {message}");
        let help = format!("rustup toolchain install {name}");
        Diagnostic::error("no-toolchain", message).help(help).into()
    }

    /// Everything that the toolchain with this folder lacks.
    fn missing(&self, sysroot: &Path) -> Report {
        let mut report = Report::new();
        let name = &self.toolchain;
        let mut lacks = |what: &str, component: &str| {
            let message = format!("the toolchain {name} has no {what}");
            let help = format!("rustup component add {component} --toolchain {name}");
            report.push(Diagnostic::error("no-component", message).help(help));
        };
        if !sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
            lacks("sources of the standard library, which -Z build-std builds", "rust-src");
        }
        if self.generator == CodeGenerator::Cranelift && !has_cranelift(sysroot) {
            lacks("code generator Cranelift", "rustc-codegen-cranelift-preview");
        }
        report
    }
}

/// Whether a backend of that name lies among the libraries of some machine.
fn has_cranelift(sysroot: &Path) -> bool {
    let machines = std::fs::read_dir(sysroot.join("lib/rustlib")).into_iter().flatten().flatten();
    machines
        .filter_map(|machine| std::fs::read_dir(machine.path().join("codegen-backends")).ok())
        .flatten()
        .flatten()
        .any(|file| file.file_name().to_string_lossy().contains("cranelift"))
}

impl Tools<'_> {
    /// Whether the toolchain can do what is wanted.
    pub(super) fn check_backend(&self) -> Result<(), Failure> {
        match self.backend {
            Some(backend) => backend.missing(&self.sysroot).into_result(()).map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_part_that_a_toolchain_lacks_is_named_with_the_command_that_brings_it() {
        let dir = tempfile::tempdir().unwrap();
        let missing = |generator| {
            let backend = Backend { generator, toolchain: "nightly-2026-05-20".into() };
            let report = backend.missing(dir.path());
            report.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let found = missing(CodeGenerator::Cranelift);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("rustup component add rust-src --toolchain nightly-2026-05-20"));
        assert!(found[1].contains("component add rustc-codegen-cranelift-preview"), "{found:?}");
        assert_eq!(missing(CodeGenerator::Llvm).len(), 1);
        for file in [
            "lib/rustlib/src/rust/library/Cargo.lock",
            "lib/rustlib/x86_64-unknown-linux-gnu/codegen-backends/librustc_codegen_cranelift.so",
        ] {
            fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            fs::write(dir.path().join(file), "").unwrap();
        }
        assert_eq!(missing(CodeGenerator::Cranelift), [""; 0]);
    }
}

//! External programs: one list, `programs.list`, of what is called and which Debian package has it.
//!
//! `scripts/setup.sh` installs from the same list. Product and tests name a program only by
//! [`Program::declared`], so one that set-up would not install does not compile (in a constant) or
//! fails where it is named (in a test).

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_packager_base::Diagnostic;

const LIST: &str = include_str!("../programs.list");

/// Where programs are that only administrators have in their search path.
const MORE_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A program of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    package: &'static str,
}

impl Program {
    /// The program of that name.
    ///
    /// # Panics
    ///
    /// If the list does not have it, or set-up does not install it; in a constant that is an error of the compiler.
    pub const fn declared(name: &str) -> Self {
        match find(name.as_bytes()) {
            Some((program, true)) => program,
            _ => panic!("this program is not in packager/programs/programs.list"),
        }
    }

    /// The program of that name, which may be a path, if the list has it: for names that users
    /// choose.
    pub fn known(name: &Path) -> Option<Self> {
        find(name.file_name()?.to_str()?.as_bytes()).map(|(program, _)| program)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The Debian package that has it.
    pub const fn package(self) -> &'static str {
        self.package
    }

    /// Where it is: in a folder of `PATH`, or where administrators' programs are.
    pub fn path(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(MORE_FOLDERS.map(PathBuf::from));
        folders.map(|folder| folder.join(self.name)).find(|file| executable(file))
    }

    /// A command that runs it.
    pub fn command(self) -> Command {
        Command::new(self.path().unwrap_or_else(|| self.name.into()))
    }

    /// What to do if it is not there.
    pub fn help(self) -> String {
        format!("install it with `apt-get install {}`", self.package)
    }

    /// The finding that it could not be started.
    pub fn not_started(self, error: &io::Error) -> Diagnostic {
        Diagnostic::error("no-tool", format!("cannot run {}: {error}", self.name)).help(self.help())
    }
}

fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Looks through the list; the program and whether set-up installs it. Usable in constants, where
/// there are no iterators.
const fn find(name: &[u8]) -> Option<(Program, bool)> {
    let mut rest = LIST;
    while !rest.is_empty() {
        let (line, behind) = cut(rest, b'\n');
        rest = behind;
        if line.is_empty() || line.as_bytes()[0] == b'#' {
            continue;
        }
        let (stage, line) = cut(line, b' ');
        let (program, line) = cut(line, b' ');
        let (package, _) = cut(line, b' ');
        if same(program.as_bytes(), name) {
            let installed = !same(stage.as_bytes(), b"other");
            return Some((Program { name: program, package }, installed));
        }
    }
    None
}

/// `text` up to `end`, and what is behind it and behind further ones of it.
const fn cut(text: &'static str, end: u8) -> (&'static str, &'static str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != end {
        at += 1;
    }
    let (before, mut behind) = text.split_at(at);
    while !behind.is_empty() && behind.as_bytes()[0] == end {
        behind = behind.split_at(1).1;
    }
    (before, behind)
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_the_list_know_their_packages() {
        const MCOPY: Program = Program::declared("mcopy");
        assert_eq!((MCOPY.name(), MCOPY.package()), ("mcopy", "mtools"));
        assert_eq!(
            Program::known(Path::new("/opt/x/mke2fs")).map(Program::package),
            Some("e2fsprogs")
        );
        assert_eq!(Program::known(Path::new("clang")).map(Program::package), Some("clang"));
        assert_eq!(Program::known(Path::new("mcop")), None);
        let error = MCOPY.not_started(&io::ErrorKind::NotFound.into()).to_string();
        assert!(error.contains("cannot run mcopy"), "{error}");
        assert!(error.contains("apt-get install mtools"), "{error}");
    }

    #[test]
    #[should_panic(expected = "not in packager/programs/programs.list")]
    fn a_program_that_setup_does_not_install_cannot_be_named() {
        Program::declared("frobnicate");
    }

    #[test]
    #[should_panic(expected = "not in packager/programs/programs.list")]
    fn neither_can_one_that_users_bring() {
        Program::declared("clang");
    }

    #[test]
    fn programs_are_found_where_only_administrators_look() {
        let shell = Program::declared("sh").path();
        assert!(shell.is_some_and(|path| path.is_absolute() && path.is_file()));
    }
}

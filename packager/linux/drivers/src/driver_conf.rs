//! `driver.conf`: the settings of `packager wrap`, one `KEY=value` a line.
//!
//! The file looks like shell and is never run by one. Whatever is accepted here means the same to a
//! shell: what a shell would expand or execute is an error that says so.

use std::path::{Path, PathBuf};

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Position, Report, nearest};

/// Largest file that is read, in bytes.
const SIZE_MAX: u64 = 64 << 10;

/// Longest name of a package.
const NAME_MAX: usize = 64;

/// The keys there are.
const KEYS: [&str; 4] = ["LINUX_SRC", "DRIVER", "SUBSYSTEM", "ARCH"];

/// What a `driver.conf` says. An empty value is the same as no line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverConf {
    /// `LINUX_SRC`: the kernel tree. A relative path starts at the folder of the file.
    pub linux_src: Option<PathBuf>,
    /// `DRIVER`: the driver, in any case, and the name of its package.
    pub driver: Option<String>,
    /// `SUBSYSTEM`: the first folder under `drivers/`.
    pub subsystem: Option<String>,
    /// `ARCH`, as the kernel's build calls it.
    pub arch: Option<String>,
}

/// A mistake in a line: what it is, at which byte, and the way out.
struct Mistake {
    code: &'static str,
    message: String,
    at: usize,
    help: Option<String>,
}

impl Mistake {
    fn new(code: &'static str, message: impl Into<String>, at: usize) -> Self {
        Self { code, message: message.into(), at, help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// An assignment: the key, and the value with the byte at which it starts.
type Assignment<'a> = (&'a str, String, usize);

impl DriverConf {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be read, and with every mistake in it.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            let help = "--config names a file with LINUX_SRC=<folder> and DRIVER=<name>";
            let error = Diagnostic::error("io", format!("cannot read: {error}"));
            Failure::from(error.file(path).help(help))
        };
        let bytes = input::read(path, SIZE_MAX).map_err(failed)?;
        Self::parse(path, &bytes)
    }

    /// Reads the file's bytes; `path` is what messages call it, and where relative paths start.
    ///
    /// # Errors
    ///
    /// [`Failure`] with every mistake in it.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        if bytes.len() as u64 > SIZE_MAX {
            let message = "larger than 64 KiB: this is no driver.conf";
            return Err(Diagnostic::error("conf", message).file(path).into());
        }
        let mut conf = Self::default();
        let mut report = Report::new();
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let text = String::from_utf8_lossy(line);
            let place = |at: usize| {
                let column = text.get(..at).unwrap_or_default().chars().count() + 1;
                Position::Text { line: number, column }
            };
            let result = std::str::from_utf8(line)
                .map_err(|error| Mistake::new("conf", "not UTF-8 text", error.valid_up_to()))
                .and_then(assignment)
                .and_then(|assignment| match assignment {
                    None => Ok(()),
                    Some(assignment) => conf.take(path, assignment, number, &mut seen),
                });
            if let Err(Mistake { code, message, at, help }) = result {
                let diagnostic = Diagnostic::error(code, message).file(path).at(place(at));
                report.push(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
            }
        }
        Ok(report.into_result(conf)?.0)
    }

    /// Puts an assignment where it belongs.
    fn take(
        &mut self,
        path: &Path,
        (key, value, at): Assignment<'_>,
        line: usize,
        seen: &mut Vec<(&'static str, usize)>,
    ) -> Result<(), Mistake> {
        let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
            let mistake = Mistake::new("unknown-key", format!("unknown key `{key}`"), 0);
            return Err(mistake.help(match nearest(key, KEYS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys here: {}", KEYS.join(", ")),
            }));
        };
        if let Some((_, first)) = seen.iter().find(|(name, _)| *name == known) {
            let message = format!("`{known}` is already set in line {first}");
            return Err(Mistake::new("twice", message, 0));
        }
        seen.push((known, line));
        if value.is_empty() {
            return Ok(());
        }
        let word = |value: String| match name_rule(&value) {
            Ok(()) => Ok(Some(value)),
            Err(rule) => Err(Mistake::new("value", format!("`{known}` {rule}"), at)),
        };
        match known {
            "LINUX_SRC" => {
                let folder = path.parent().unwrap_or(Path::new(""));
                self.linux_src = Some(folder.join(value));
            }
            "DRIVER" => self.driver = word(value)?,
            "SUBSYSTEM" => self.subsystem = word(value)?,
            _ => self.arch = word(value)?,
        }
        Ok(())
    }
}

/// What the name of a package, which becomes the name of a folder, may look like.
///
/// # Errors
///
/// The rule that it breaks, as the end of a sentence that begins with what it is.
pub fn name_rule(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if word.len() > NAME_MAX {
        Err("must have at most 64 characters")
    } else if !word.starts_with(|c: char| c.is_ascii_alphanumeric()) || !word.chars().all(plain) {
        Err("must be letters, digits, dashes and underscores: it names a folder")
    } else {
        Ok(())
    }
}

/// Takes a line apart; `None` for one that says nothing.
fn assignment(line: &str) -> Result<Option<Assignment<'_>>, Mistake> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.starts_with('\u{feff}') {
        let mistake = Mistake::new("conf", "a byte order mark", 0);
        return Err(mistake.help("save the file as UTF-8 without one"));
    }
    if let Some(at) = line.find(|c: char| c.is_control() && c != '\t') {
        return Err(Mistake::new("conf", "a control character", at));
    }
    let start = line.len() - line.trim_start().len();
    let text = line.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let not_executed = "this file is read, not run: it holds only lines KEY=value";
    let Some((key, value)) = text.split_once('=') else {
        return Err(Mistake::new("conf", "no assignment", start).help(not_executed));
    };
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let mistake = Mistake::new("conf", "what stands before `=` is no key", start);
        return Err(mistake.help(if key.ends_with(' ') {
            "no blanks around `=`, as in shell".into()
        } else if key.starts_with("export ") {
            "leave out `export`: nothing reads this file but the packager".into()
        } else {
            not_executed.to_owned()
        }));
    }
    let at = start + key.len() + 1;
    Ok(Some((key, unquote(value, at)?, at)))
}

/// The value behind quotes and a comment. `at` is the byte at which it starts in its line.
fn unquote(text: &str, at: usize) -> Result<String, Mistake> {
    let mut value = String::new();
    let mut quote: Option<(char, usize)> = None;
    for (index, c) in text.char_indices() {
        let here = at + index;
        match (quote, c) {
            (Some((open, _)), c) if c == open => quote = None,
            (Some(('"', _)), '$' | '`' | '\\') => return Err(special(c, here, "single quotes")),
            (Some(_), c) => value.push(c),
            (None, '\'' | '"') => quote = Some((c, here)),
            (None, ' ' | '\t') => {
                let rest = text.get(index..).unwrap_or_default().trim_start();
                if rest.is_empty() || rest.starts_with('#') {
                    return Ok(value);
                }
                let mistake = Mistake::new("conf", "a blank inside a value without quotes", here);
                return Err(mistake.help("put the value in single quotes"));
            }
            (None, '~') if index > 0 => value.push(c),
            (None, c) if "$`\\;&|<>()*?[]{}!~".contains(c) => {
                return Err(special(c, here, "single quotes, if it is part of a name"));
            }
            (None, c) => value.push(c),
        }
    }
    match quote {
        Some((open, at)) => Err(Mistake::new("conf", format!("this {open} is never closed"), at)),
        None => Ok(value),
    }
}

fn special(c: char, at: usize, quotes: &str) -> Mistake {
    let message = format!("`{c}` means something to a shell, and this file is not run by one");
    Mistake::new("conf", message, at).help(format!("write the value in full, or use {quotes}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<DriverConf, String> {
        let result = DriverConf::parse(Path::new("etc/driver.conf"), text.as_bytes());
        result.map_err(|failure| failure.to_string())
    }

    #[test]
    fn keys_quotes_and_comments_are_read() {
        let conf = parse(
            "# the tree\n\n  LINUX_SRC='/usr/src/linux 6.1'  # unpacked\r\nDRIVER=\"E1000\"\n\
             SUBSYSTEM=net#1\n",
        );
        assert_eq!(
            conf.unwrap_err(),
            "etc/driver.conf:5:11: error: `SUBSYSTEM` must be letters, digits, dashes and \
             underscores: it names a folder"
        );
        let conf = parse("LINUX_SRC=/usr/'src/li'\"nux\"\nDRIVER=e1000 #x\nARCH=\n").unwrap();
        assert_eq!(conf.linux_src, Some("/usr/src/linux".into()));
        assert_eq!(conf.driver.as_deref(), Some("e1000"));
        assert_eq!(conf.arch, None);
        let conf = parse("LINUX_SRC=../linux~1\n").unwrap();
        assert_eq!(conf.linux_src, Some("etc/../linux~1".into()));
        assert_eq!(parse("").unwrap(), DriverConf::default());
    }

    #[test]
    fn what_a_shell_would_do_is_refused_with_its_place() {
        let cases = [
            (
                "DRIVER=$(reboot)",
                "1:8: error: `$` means something to a shell, and this file is not run by one\n  help: write the value in full, or use single quotes, if it is part of a name",
            ),
            (
                "LINUX_SRC=\"$HOME/l\"",
                "1:12: error: `$` means something to a shell, and this file is not run by one\n  help: write the value in full, or use single quotes",
            ),
            (
                "LINUX_SRC=~/linux",
                "1:11: error: `~` means something to a shell, and this file is not run by one\n  help: write the value in full, or use single quotes, if it is part of a name",
            ),
            (
                "DRIVER=a;reboot",
                "1:9: error: `;` means something to a shell, and this file is not run by one\n  help: write the value in full, or use single quotes, if it is part of a name",
            ),
            (
                "\nrm -rf /",
                "2:1: error: no assignment\n  help: this file is read, not run: it holds only lines KEY=value",
            ),
            (
                "export DRIVER=a",
                "1:1: error: what stands before `=` is no key\n  help: leave out `export`: nothing reads this file but the packager",
            ),
            (
                "\u{feff}DRIVER=a",
                "1:1: error: a byte order mark\n  help: save the file as UTF-8 without one",
            ),
            (
                "DRIVER = a",
                "1:1: error: what stands before `=` is no key\n  help: no blanks around `=`, as in shell",
            ),
            (
                "DRIVER=a b",
                "1:9: error: a blank inside a value without quotes\n  help: put the value in single quotes",
            ),
            ("DRIVER='a", "1:8: error: this ' is never closed"),
            ("DRIVR=a", "1:1: error: unknown key `DRIVR`\n  help: did you mean `DRIVER`?"),
            (
                "PATH=/tmp",
                "1:1: error: unknown key `PATH`\n  help: keys here: LINUX_SRC, DRIVER, SUBSYSTEM, ARCH",
            ),
            ("DRIVER=a\nDRIVER=b", "2:1: error: `DRIVER` is already set in line 1"),
            (
                "DRIVER=../../etc/x",
                "1:8: error: `DRIVER` must be letters, digits, dashes and underscores: it names a folder",
            ),
            (
                "DRIVER=-rf",
                "1:8: error: `DRIVER` must be letters, digits, dashes and underscores: it names a folder",
            ),
            ("DRIVER=a\u{7}", "1:9: error: a control character"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(text).unwrap_err(), format!("etc/driver.conf:{message}"), "{text}");
        }
        let binary = DriverConf::parse(Path::new("f"), b"ARCH=\xff").unwrap_err().to_string();
        assert_eq!(binary, "f:1:6: error: not UTF-8 text");
        let huge = DriverConf::parse(Path::new("f"), &vec![b'#'; 70_000]).unwrap_err();
        assert_eq!(huge.to_string(), "f: error: larger than 64 KiB: this is no driver.conf");
    }

    #[test]
    fn a_missing_file_is_said_with_what_it_should_hold() {
        let text = DriverConf::load(Path::new("/nowhere/driver.conf")).unwrap_err().to_string();
        assert_eq!(
            text,
            "/nowhere/driver.conf: error: cannot read: No such file or directory (os error 2)\n  \
             help: --config names a file with LINUX_SRC=<folder> and DRIVER=<name>"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = DriverConf::parse(Path::new("f"), &bytes);
        }

        #[test]
        fn any_text_gives_only_names_that_are_safe(
            text in "((LINUX_SRC|DRIVER|ARCH)=[ -~]{0,12}\n){0,3}",
        ) {
            if let Ok(conf) = DriverConf::parse(Path::new("f"), text.as_bytes()) {
                for name in [conf.driver, conf.subsystem, conf.arch].into_iter().flatten() {
                    prop_assert!(!name.contains(['/', '.', ' ']) && !name.starts_with('-'));
                }
            }
        }
    }
}

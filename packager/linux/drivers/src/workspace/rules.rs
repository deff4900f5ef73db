//! What strings of `driver.yaml` may hold. Whoever wrote the file may mean harm: its paths are
//! read and written below some folder, its flags go to a compiler.

/// Why a string is refused.
pub type Refusal = String;

/// A path below a folder, with `/` between the parts.
pub fn relative_path(text: &str) -> Result<(), Refusal> {
    printable(text)?;
    if text.is_empty() {
        return Err("a path must not be empty".into());
    }
    if text.starts_with('/') {
        return Err(format!("`{text}` is an absolute path; paths are relative to the tree"));
    }
    for part in text.split('/') {
        match part {
            ".." => return Err(format!("`{text}` leaves its folder with `..`")),
            "" | "." => return Err(format!("`{text}` has an empty part or `.`")),
            _ => {}
        }
    }
    Ok(())
}

/// An absolute path without `..`.
pub fn absolute_path(text: &str) -> Result<(), Refusal> {
    match text.strip_prefix('/') {
        Some("") => Ok(()),
        Some(rest) => relative_path(rest),
        None => Err(format!("`{text}` is no absolute path")),
    }
}

/// A Kconfig symbol.
pub fn symbol(text: &str) -> Result<(), Refusal> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if text.is_empty() || text.len() > 255 || !text.bytes().all(word) {
        let shown = text.escape_debug();
        return Err(format!("`{shown}` is no symbol (letters, digits and `_`, without CONFIG_)"));
    }
    Ok(())
}

/// A name without folders: of a module, a subsystem, an architecture.
pub fn name(text: &str) -> Result<(), Refusal> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"_-.,+".contains(&b);
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !starts || text.len() > 255 || !text.bytes().all(word) {
        return Err(format!("`{}` is no name (letters, digits, `_-.,+`)", text.escape_debug()));
    }
    Ok(())
}

/// Text for people, on one line.
pub fn printable(text: &str) -> Result<(), Refusal> {
    if text.chars().any(char::is_control) {
        return Err(format!("`{}` has control characters", text.escape_debug()));
    }
    Ok(())
}

/// The prefix of a compiler: part of the name of a program, or with an absolute path before it; a
/// relative one would name a program in whatever folder the packager runs in.
pub fn compiler_prefix(text: &str) -> Result<(), Refusal> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"_-.+/".contains(&b);
    let relative = text.contains('/') && !text.starts_with('/');
    let leaves = text.split('/').any(|part| part == "..");
    if !text.bytes().all(word) || text.starts_with('-') || relative || leaves {
        return Err(format!("`{}` is no prefix of a compiler", text.escape_debug()));
    }
    Ok(())
}

/// A value of a configuration as a `.config` has it: `y`, a number, or a string with quotes.
pub fn value(text: &str) -> Result<(), Refusal> {
    printable(text)?;
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let good = match inner {
        Some(inner) => closed(inner),
        None => {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !text.is_empty() && text.bytes().all(word)
        }
    };
    if good { Ok(()) } else { Err(format!("`{text}` is no value of a symbol")) }
}

/// Whether no quote ends the string early.
fn closed(inner: &str) -> bool {
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return false,
            '\\' if characters.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

/// Flags of a compiler, each a word or with its argument in the next word; the numbers of those that
/// are not taken, and why.
pub fn flags(words: &[&str]) -> Vec<(usize, Refusal)> {
    l4re_cflags::build(words, &include_path)
}

/// Why flags are not taken, a reason for each that is not.
pub fn refused_flags(words: &[String]) -> Vec<Refusal> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    flags(&words).into_iter().map(|(_, why)| why).collect()
}

/// A path of a flag, with one of the words of [`super::Root`] before it or absolute.
fn include_path(text: &str) -> Result<(), Refusal> {
    for root in super::Root::ALL {
        if let Some(rest) = text.strip_prefix(root.word()) {
            return match rest.strip_prefix('/') {
                Some(rest) => relative_path(rest),
                None if rest.is_empty() => Ok(()),
                None => Err(format!("`{text}` is no path")),
            };
        }
    }
    absolute_path(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_folder() {
        for path in ["drivers/a.c", "a", "a..b/c"] {
            relative_path(path).unwrap();
        }
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\nb", "a\0b"] {
            assert!(relative_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn flags_that_run_programs_or_write_files_are_refused() {
        let good = [
            "-DX=\"a b\"",
            "-I$(src)/drivers/x",
            "-include",
            "$(srctree)/a.h",
            "-Os",
            "-Wa,-march=armv8.5-a,-mimplicit-it=always",
            "--param=allow-store-data-races=0",
            "--param",
            "asan-stack=1",
            "--target=aarch64-linux-gnu",
            "-isystem",
            "/usr/lib/gcc/include",
        ];
        assert_eq!(flags(&good), []);
        let bad = [
            "-fplugin=/tmp/x.so",
            "@/tmp/x",
            "-o/tmp/x",
            "-wrapper",
            "-I../x",
            "-I$(src)/../x",
            "-Wp,-MMD,/tmp/x",
            "x.c",
            "-",
            "-I$(HOME)/x",
            "-B/tmp",
            "--prefix=/tmp/",
            "--output=/tmp/x",
            "--specs=/tmp/x",
            "--config=/tmp/x",
            "-fpass-plugin=/tmp/x.so",
            "-Xclang",
            "-Xassembler",
            "-MJ/tmp/x",
            "-fopt-info-vec=/tmp/x",
            "-Wa,-al=/tmp/x",
            "-Wa,-march=armv8-a,--MD,/tmp/x",
            "-Wa,@/tmp/x",
            "-isystem../x",
            "-iplugindir=/tmp",
        ];
        for word in bad {
            assert_eq!(flags(&[word]).len(), 1, "{word}");
        }
        assert_eq!(flags(&["-include"]).len(), 1);
        assert_eq!(flags(&["-include", "../x"]).len(), 1);
    }

    #[test]
    fn a_prefix_names_no_program_beside_the_caller() {
        for prefix in ["", "aarch64-linux-gnu-", "/opt/gcc-12.2/bin/arm-linux-gnueabihf-"] {
            compiler_prefix(prefix).unwrap();
        }
        for prefix in ["./x-", "tools/x-", "../x-", "/opt/../tmp/x-", "-x", "x y-", "x;y"] {
            assert!(compiler_prefix(prefix).is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn values_are_those_of_a_configuration() {
        for text in ["y", "m", "n", "0x10", "-5", "\"\"", "\"a \\\" b\"", "\"/lib/x\""] {
            value(text).unwrap();
        }
        for text in ["", "$(x)", "a b", "\"", "\"a\"b\"", "\"a\\\"", "y\nCONFIG_X=y"] {
            assert!(value(text).is_err(), "{text:?}");
        }
    }
}

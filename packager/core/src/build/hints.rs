//! Messages of compilers and linkers whose way out they do not say themselves.

use std::io::{self, BufRead, BufReader, Read, Write};

/// A way out for a line of a compiler's or linker's messages.
pub(super) fn hint(line: &str) -> Option<&'static str> {
    let not_found = ["cannot find", "unable to find", "cannot open", "not found", "no such file"];
    let line = line.to_ascii_lowercase();
    if !not_found.iter().any(|words| line.contains(words)) {
        return None;
    }
    if line.contains("gcc_eh") {
        return Some(
            "programs for L4Re do not unwind: an empty archive will do, \
             `ar rcs libgcc_eh.a` in a folder that LIBRARY_PATH names",
        );
    }
    if line.contains("udi") && line.contains(".h: no such file") {
        return Some(
            "name the folder with the headers of UDI's interfaces by UDI_PUB_INCLUDE, further \
             ones by -I in UDI_CCOPTS",
        );
    }
    let objects =
        ["crt0.o", "crt1.o", "rcrt1.o", "scrt1.o", "crti.o", "crtn.o", "crtbegin", "crtend"];
    if objects.iter().any(|object| line.contains(object)) {
        return Some(
            "programs for L4Re have no start objects: in the target's specification set \
             \"pre-link-objects\" and \"post-link-objects\" to {}",
        );
    }
    None
}

/// Passes messages on as they come; the way out for the first line that has one.
pub(super) fn pass_on(from: impl Read, to: &mut dyn Write) -> io::Result<Option<&'static str>> {
    let mut from = BufReader::new(from);
    let mut found = None;
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        // A reader that has gone is no reason to stop the compiler.
        let _reader_gone = to.write_all(&line);
        found = found.or_else(|| hint(&String::from_utf8_lossy(&line)));
        line.clear();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_troubles_have_a_way_out() {
        for (line, words) in [
            ("/usr/bin/ld: cannot find -lgcc_eh: No such file or directory", "ar rcs libgcc_eh.a"),
            ("rust-lld: error: unable to find library -lgcc_eh", "ar rcs libgcc_eh.a"),
            ("rust-lld: error: cannot open crt1.o: No such file or directory", "pre-link-objects"),
            ("ld: cannot find crti.o: No such file or directory", "pre-link-objects"),
            ("a.c:1:10: fatal error: udi.h: No such file or directory", "UDI_PUB_INCLUDE"),
        ] {
            assert!(hint(line).unwrap().contains(words), "{line}");
        }
        assert_eq!(hint("error: cannot find value `crt` in this scope"), None);
        assert_eq!(hint("warning: gcc_eh is an odd name"), None);
    }

    #[test]
    fn messages_pass_as_they_are() {
        let text = b"one\n\xff two\nld: cannot find -lgcc_eh\nthree";
        let mut shown = Vec::new();
        assert!(pass_on(&text[..], &mut shown).unwrap().is_some());
        assert_eq!(shown, text);
    }
}

//! What the sources say about themselves: licences, firmware, trace events.

use std::borrow::Cow;
use std::collections::BTreeSet;

mod texts;
mod tokens;

use texts::{ByName, Macros, add};
use tokens::{Parts, Token, join_lines, parts};

/// What the sources of a driver say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// SPDX licence expressions.
    pub licenses: BTreeSet<String>,
    /// Arguments of `MODULE_LICENSE`.
    pub module_licenses: BTreeSet<String>,
    /// Names of firmware files: arguments of `MODULE_FIRMWARE` and of `request_firmware` and its
    /// kin, where they stand for one text.
    pub firmware: BTreeSet<String>,
}

/// Calls that name a firmware file, and which argument does.
const FIRMWARE: [(&str, usize); 8] = [
    ("MODULE_FIRMWARE", 0),
    ("request_firmware", 1),
    ("request_firmware_direct", 1),
    ("request_firmware_into_buf", 1),
    ("request_partial_firmware_into_buf", 1),
    ("firmware_request_nowarn", 1),
    ("request_firmware_nowait", 2),
    ("firmware_request_nowait_nowarn", 1),
];

/// Reads the facts off the texts of a driver's sources and own headers.
pub fn facts<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Facts {
    let texts: Vec<Cow<'_, str>> = texts.into_iter().map(String::from_utf8_lossy).collect();
    let mut facts = Facts::default();
    facts.licenses.extend(texts.iter().filter_map(|text| spdx(text)).map(str::to_owned));
    // Most files name neither licence nor firmware, and some drivers have a hundred megabytes of
    // numbers in headers: those are looked at only if a name is nowhere else.
    let talking: Vec<String> =
        texts.iter().filter(|text| is_of_interest(text)).map(|text| join_lines(text)).collect();
    let files: Vec<Parts<'_>> = talking.iter().map(|text| parts(text)).collect();
    let mut near = ByName::new();
    files.iter().for_each(|file| add(&mut near, &file.defines));
    if read(&files, &near, &mut facts) {
        return facts;
    }
    let joined: Vec<String> = texts.iter().map(|text| join_lines(text)).collect();
    let everything: Vec<Parts<'_>> = joined.iter().map(|text| parts(text)).collect();
    let mut all = ByName::new();
    everything.iter().for_each(|file| add(&mut all, &file.defines));
    let _what_is_left_is_no_text = read(&files, &all, &mut facts);
    facts
}

/// Reads the facts off files with these definitions besides their own. Says whether each name that
/// may be a macro was found.
fn read(files: &[Parts<'_>], all: &ByName<'_>, facts: &mut Facts) -> bool {
    let mut found = true;
    for file in files {
        let mut own = ByName::new();
        add(&mut own, &file.defines);
        found &= calls(&file.code, &Macros { own: &own, all }, facts);
    }
    found
}

/// Whether a text calls anything of interest.
fn is_of_interest(text: &str) -> bool {
    ["MODULE_LICENSE", "MODULE_FIRMWARE", "request_firmware", "firmware_request", "_firmware_into"]
        .iter()
        .any(|word| text.contains(word))
}

/// Whether a name may stand for a macro, by the habits of C.
fn may_be_macro(token: &Token<'_>) -> bool {
    matches!(token, Token::Name(name) if !name.contains(|c: char| c.is_ascii_lowercase()))
}

fn firmware_argument(name: &str) -> Option<usize> {
    FIRMWARE.iter().find(|(known, _)| *known == name).map(|(_, argument)| *argument)
}

/// Reads the facts off the words of a file. Says whether each name that may be a macro was found.
fn calls(code: &[Token<'_>], macros: &Macros<'_, '_>, facts: &mut Facts) -> bool {
    let mut found = true;
    for (at, token) in code.iter().enumerate() {
        let Token::Name(name) = token else { continue };
        let wanted = if *name == "MODULE_LICENSE" { Some(0) } else { firmware_argument(name) };
        let Some(argument) = wanted.and_then(|index| argument(code, at + 1, index)) else {
            continue;
        };
        let Some(text) = macros.text(argument) else {
            found &= !argument.iter().any(may_be_macro);
            continue;
        };
        // A text with a conversion is made at run time; nobody can say what it will be.
        if !is_name(&text) {
            continue;
        }
        if *name == "MODULE_LICENSE" {
            facts.module_licenses.insert(text);
        } else {
            facts.firmware.insert(text);
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['%', '\\']) && !text.contains(char::is_control)
}

/// Argument `wanted` of the call whose parenthesis should stand at `at`.
fn argument<'c, 't>(code: &'c [Token<'t>], at: usize, wanted: usize) -> Option<&'c [Token<'t>]> {
    if code.get(at) != Some(&Token::Sign('(')) {
        return None;
    }
    let mut depth = 0usize;
    let mut index = 0;
    let mut start = at + 1;
    for (here, token) in code.iter().enumerate().skip(at + 1) {
        match token {
            Token::Sign('(' | '{' | '[') => depth += 1,
            Token::Sign(')') | Token::Sign(',') if depth == 0 => {
                if index == wanted {
                    return code.get(start..here);
                }
                if *token == Token::Sign(')') {
                    return None;
                }
                index += 1;
                start = here + 1;
            }
            Token::Sign(')' | '}' | ']') => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// The licence expression of a file, from one of its first lines.
fn spdx(text: &str) -> Option<&str> {
    const MARK: &str = "SPDX-License-Identifier:";
    let line = text.lines().take(5).find(|line| line.contains(MARK))?;
    let (_, expression) = line.split_once(MARK)?;
    let expression = expression.trim().trim_end_matches("*/").trim();
    let known = |c: char| c.is_ascii_alphanumeric() || "-.+() ".contains(c);
    (!expression.is_empty() && expression.chars().all(known)).then_some(expression)
}

/// Whether a header defines trace events, and so is read several times by a header that it
/// includes at its end.
pub fn is_trace_header(text: &[u8]) -> bool {
    const MARK: &[u8] = b"trace/define_trace.h";
    if !text.windows(MARK.len()).any(|window| window == MARK) {
        return false;
    }
    let text = join_lines(&String::from_utf8_lossy(text));
    parts(&text).includes.contains(&"trace/define_trace.h")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn licences_are_read_from_both_places() {
        let facts = facts([
            &b"// SPDX-License-Identifier: GPL-2.0-only\nMODULE_LICENSE(\"GPL v2\");\n"[..],
            b"/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */\n/* MODULE_LICENSE(\"x\") */\n",
            b"\n\n\n\n\n\n\n// SPDX-License-Identifier: BSD-3-Clause\n",
        ]);
        assert_eq!(facts.licenses, set(&["(GPL-2.0 OR MIT)", "GPL-2.0-only"]));
        assert_eq!(facts.module_licenses, set(&["GPL v2"]));
    }

    #[test]
    fn firmware_is_found_behind_macros_and_in_calls() {
        let facts = facts([
            &b"#define FW_1 \"rtl_nic/rtl8168d-1.fw\"\n#define PRE \"other-\"\n"[..],
            b"#define PRE \"iwl-\"\n#define NAME(api) PRE __stringify(api) \".ucode\"\n\
              MODULE_FIRMWARE(FW_1);\nMODULE_FIRMWARE(NAME(72));\n\
              static int f(void) { return request_firmware(&fw, \"a.bin\", g(x, y)); }\n\
              static int g(void) { return request_firmware(&fw, name, dev); }\n\
              static int h(void) { return request_firmware(&fw, \"a-%d.bin\", dev); }\n\
              static int i(void) { return request_firmware_nowait(THIS_MODULE, true, \"n.bin\", d); }\n",
        ]);
        assert_eq!(
            facts.firmware,
            set(&["rtl_nic/rtl8168d-1.fw", "iwl-72.ucode", "a.bin", "n.bin"])
        );
    }

    #[test]
    fn any_bytes_are_read_to_their_end() {
        for text in [&b"MODULE_FIRMWARE("[..], b"\xff\xfe\"", b"#define A(", b"#", b"\"\\", b"/*"] {
            assert_eq!(facts([text]), Facts::default());
        }
    }

    #[test]
    fn trace_headers_include_what_reads_them_again() {
        assert!(is_trace_header(b"#define X\n#include <trace/define_trace.h>\n"));
        assert!(!is_trace_header(b"/* <trace/define_trace.h> */\n#include <linux/tracepoint.h>\n"));
    }
}

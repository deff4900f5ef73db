//! What reaches the assembler: flags behind `-Wa,`, and lines whose instructions it may not know.

use super::{PathRule, Refusal, is_plain};

/// Beginnings of the assembler's flags without files, all with values that name none.
const FAMILIES: &[&str] = &[
    "--32",
    "--64",
    "--compress-debug-sections",
    "--fatal-warnings",
    "--gdwarf",
    "--isa=",
    "--no-warn",
    "--nocompress-debug-sections",
    "--noexecstack",
    "--trap",
    "--undeclared-regs",
    "--version",
    "--warn",
    "-A",
    "-EB",
    "-EL",
    "-W",
    "-dsp",
    "-fatal-warnings",
    "-g",
    "-isa=",
    "-little",
    "-m",
    "-no",
    "-q",
    "-x",
];

/// Directives that neither read a file nor make more than a few bytes.
const DIRECTIVES: &[&str] = &[
    "arch",
    "arch_extension",
    "arm",
    "byte",
    "code",
    "cpu",
    "data",
    "fpu",
    "global",
    "globl",
    "inst",
    "insn",
    "long",
    "machine",
    "option",
    "popsection",
    "pushsection",
    "quad",
    "reloc",
    "section",
    "set",
    "short",
    "size",
    "syntax",
    "text",
    "thumb",
    "type",
    "word",
];

/// The flags behind `-Wa,`, with commas between them.
pub(super) fn options(parts: &str, path: PathRule<'_>) -> Result<(), Refusal> {
    for part in parts.split(',') {
        if let Some(folder) = part.strip_prefix("-I") {
            path(folder)?;
        } else if !(part.is_empty()
            || FAMILIES.iter().any(|begin| part.starts_with(begin)) && is_plain(part))
        {
            return Err(format!("tells the assembler `{part}`, which is not among its flags here"));
        }
    }
    Ok(())
}

/// Lines of assembler that are only to be understood or not: instructions, and directives that make
/// nothing of others' files.
///
/// # Errors
///
/// The first directive that is refused, and why.
pub fn assembly(text: &str) -> Result<(), Refusal> {
    for (at, _) in text.match_indices('.') {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        // A part of an instruction or of a number: `b.eq`, `1.5`.
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let name: String =
            text.get(at + 1..).unwrap_or_default().chars().take_while(word).collect();
        let known = DIRECTIVES.contains(&name.to_ascii_lowercase().as_str());
        // A dot alone is the place where the next byte goes: it can be moved far away.
        if !(known || name.starts_with("cfi_")) {
            return Err(format!("`.{name}` is not among the directives that are asked about"));
        }
    }
    Ok(())
}

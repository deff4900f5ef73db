//! Which flags of gcc and clang change only the code that is made and what is said about it.
//!
//! Makefiles of a tree and manifests name flags, and flags can do anything: run another program
//! (`-wrapper`, `-B`, `-specs`, `-fplugin`), write a file (`-MF`, `-fprofile-note`, `-dumpdir`,
//! `-Wl,-Map`), read one (`@file`, `-fprofile-use`, `.incbin`). New ones come with each release of a
//! compiler. So what is listed here is what is taken; everything else is refused with its reason.
//!
//! | who names the flags | what judges them |
//! |---|---|
//! | `cc-option` and its kin in a Makefile | [`probe`], [`linker`], [`assembly`] |
//! | the flags of an object, `driver.yaml` | [`build`], with a rule for the folders they may name |

mod assembler;
mod families;
mod linker;

pub use assembler::assembly;
pub use linker::linker;

/// Why a flag is refused, as the end of a sentence that begins with the flag.
pub type Refusal = String;

/// A rule for a path: whether a flag may name it.
pub type PathRule<'a> = &'a dyn Fn(&str) -> Result<(), Refusal>;

/// Flags whose next word belongs to them.
pub const WITH_ARGUMENT: [&str; 13] = [
    "-include",
    "-imacros",
    "-I",
    "-isystem",
    "-iquote",
    "-idirafter",
    "-D",
    "-U",
    "-G",
    "--param",
    "-mllvm",
    "-target",
    "--target",
];

/// Flags with a path behind them.
const PATHS: [&str; 6] = ["-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-I"];

/// The flags with which a compiler is asked what it takes; nothing that names a file is among them.
///
/// # Errors
///
/// The first flag that is refused, and why.
pub fn probe<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<(), Refusal> {
    let words: Vec<&str> = words.into_iter().collect();
    let no_path = |path: &str| Err(format!("`{path}` names a file or folder"));
    match build(&words, &no_path).into_iter().next() {
        Some((_, why)) => Err(why),
        None => Ok(()),
    }
}

/// The flags with which an object is made; the numbers of those that are refused, and why. `path`
/// judges what they name.
pub fn build(words: &[&str], path: PathRule<'_>) -> Vec<(usize, Refusal)> {
    let mut refused = Vec::new();
    let mut flag = None;
    for (index, word) in words.iter().enumerate() {
        let result = match flag.take() {
            Some(flag) => argument(flag, word, path),
            None if WITH_ARGUMENT.contains(word) => {
                flag = Some(*word);
                Ok(())
            }
            None => single(word, path),
        };
        refused.extend(result.err().map(|why| (index, why)));
    }
    if let (Some(flag), Some(last)) = (flag, words.len().checked_sub(1)) {
        refused.push((last, format!("`{flag}` wants an argument")));
    }
    refused
}

/// A word that is a flag by itself.
fn single(word: &str, path: PathRule<'_>) -> Result<(), Refusal> {
    printable(word)?;
    if !word.starts_with('-') || word == "-" {
        return Err(format!("`{word}` is no flag: it does not begin with `-`"));
    }
    let named = |why: Refusal| format!("`{word}` {why}");
    if word.starts_with("-D") || word.starts_with("-U") {
        return Ok(());
    }
    if let Some(parts) = word.strip_prefix("-Wa,") {
        return assembler::options(parts, path).map_err(named);
    }
    if let Some(value) = word.strip_prefix("--param=") {
        return plain(value).map_err(named);
    }
    if let Some(value) = word.strip_prefix("--target=") {
        return plain(value).map_err(named);
    }
    if families::is_prefix_map(word) || families::has(word) {
        return Ok(());
    }
    match PATHS.iter().find_map(|flag| word.strip_prefix(flag)) {
        Some(file) => path(file),
        None => Err(named("is not among the flags that change only the code that is made".into())),
    }
}

/// The word behind a flag that wants one.
fn argument(flag: &str, word: &str, path: PathRule<'_>) -> Result<(), Refusal> {
    printable(word)?;
    let named = |why: Refusal| format!("`{flag} {word}` {why}");
    match flag {
        "-D" | "-U" => Ok(()),
        "-mllvm" if families::of_llvm(word) => Ok(()),
        "-mllvm" => Err(named("is not among the options of LLVM that a kernel's build has".into())),
        flag if PATHS.contains(&flag) => path(word),
        _ => plain(word).map_err(named),
    }
}

fn printable(text: &str) -> Result<(), Refusal> {
    if text.chars().any(char::is_control) {
        return Err(format!("`{}` has control characters", text.escape_debug()));
    }
    Ok(())
}

/// A value that names no file: a number, a name, a list of these.
fn plain(text: &str) -> Result<(), Refusal> {
    if is_plain(text) { Ok(()) } else { Err("has a value that is no number or name".into()) }
}

/// Whether the characters of a text are those of numbers and names.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_+-=.,:!%".contains(c))
        && !text.split(['=', ',', ':']).any(|part| part == "..")
}

#[cfg(test)]
mod tests;

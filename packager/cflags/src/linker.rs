//! Flags of the linker that Makefiles ask about.

use super::{Refusal, is_plain};

/// Beginnings of flags without files, with one dash or two.
const FAMILIES: &[&str] = &[
    "EB",
    "EL",
    "X",
    "apply-dynamic-relocs",
    "be8",
    "build-id",
    "discard-",
    "eh-frame-hdr",
    "emit-relocs",
    "fix-cortex-",
    "gc-sections",
    "hash-style=",
    "icf=",
    "maarch64",
    "marm",
    "melf",
    "no-",
    "nostdlib",
    "orphan-handling=",
    "pack-dyn-relocs=",
    "relax",
    "strip-",
    "use-android-relr-tags",
    "warn-",
    "z",
];

/// The flags of a linker that is asked whether it takes them.
///
/// # Errors
///
/// The first flag that is refused, and why.
pub fn linker<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<(), Refusal> {
    let mut keyword = false;
    for word in words {
        // The compiler hands on what stands between two commas as a flag of its own.
        let whole = is_plain(word) && !word.contains(',');
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        let known = name.is_some_and(|name| {
            name == "m" || FAMILIES.iter().any(|begin| name.starts_with(begin))
        });
        if !whole || !(keyword && name.is_none() || known) {
            return Err(format!("`{word}` is not among the linker's flags that are asked about"));
        }
        keyword = word == "-z" || word == "-m";
    }
    Ok(())
}

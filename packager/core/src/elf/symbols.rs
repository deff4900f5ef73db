//! What symbols tell: references that nobody resolved, names that should not be public.

use super::Image;
use l4re_packager_base::{Diagnostic, Report};

/// Names that are listed at most; a count tells of the rest.
const LISTED: usize = 5;

/// Global symbols of every Rust program for a bare-metal target: what compilers call by name.
const BUILTIN: [&str; 7] = ["_start", "memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"];

/// Judges the symbols. A program without any was stripped; there is nothing to judge then.
pub(super) fn check(image: &Image, c_code: bool, report: &mut Report) {
    let undefined: Vec<_> = names(image, |symbol| symbol.undefined && !symbol.weak);
    if !undefined.is_empty() {
        let message = format!("nobody defines {}", list(&undefined));
        let help = "link the library that has them; a program for L4Re is complete in itself";
        report.push(Diagnostic::error("elf-undefined", message).help(help));
    }
    let weak: Vec<_> = names(image, |symbol| symbol.undefined && symbol.weak);
    if !weak.is_empty() {
        let message = format!("nobody defines {}; calling them would jump to 0", list(&weak));
        report.push(Diagnostic::warning("elf-undefined-weak", message));
    }
    // Every function of C code is global, and so is the C library it calls.
    if !c_code {
        let ours =
            |name: &str| name.starts_with("__l4re_") || BUILTIN.contains(&name) || is_mangled(name);
        let public: Vec<_> = names(image, |symbol| !symbol.undefined && !ours(&symbol.name));
        if !public.is_empty() {
            let message = format!("unexpected global symbols: {}", list(&public));
            let help = "a `no_mangle` too many, or a library that was not meant to be linked?";
            report.push(Diagnostic::warning("elf-global", message).help(help));
        }
    }
}

/// Whether the compiler of Rust made the name: the symbols of naked functions are global.
fn is_mangled(name: &str) -> bool {
    let hash = name.strip_prefix("_ZN").and_then(|name| name.strip_suffix('E'));
    let hash = hash.and_then(|name| name.rsplit_once("17h"));
    name.starts_with("_R")
        || hash.is_some_and(|(_, hash)| {
            hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn names(image: &Image, choose: impl Fn(&super::Symbol) -> bool) -> Vec<&str> {
    let chosen = image.symbols.iter().filter(|symbol| choose(symbol));
    chosen.map(|symbol| symbol.name.as_str()).collect()
}

fn list(names: &[&str]) -> String {
    // Names come from the file: nothing in them may disturb a terminal.
    let shown = names.iter().take(LISTED).map(|name| format!("`{}`", name.escape_debug()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(LISTED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_by_the_compiler_are_told_from_those_of_people() {
        assert!(is_mangled("_ZN12l4re_runtime4arch7aarch6412thread_entry17h36071bf789fd147aE"));
        assert!(is_mangled("_RNvCs1234_7mycrate3foo"));
        for name in ["", "init", "_ZN3foo3barE", "_ZN3foo17h36071bf789fd147E", "_ZN17hE"] {
            assert!(!is_mangled(name), "{name}");
        }
    }
}

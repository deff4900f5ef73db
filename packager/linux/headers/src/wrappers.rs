//! Headers of an architecture that only include the generic ones.

use std::collections::BTreeSet;
use std::path::Path;

use l4re_files::input;
use l4re_packager_base::Failure;

/// What the `Kbuild` files say about one of the two folders of `asm` headers.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Headers to be made that include their generic namesakes.
    pub(crate) wrappers: BTreeSet<String>,
    /// Headers that the architecture makes in its own way.
    pub(crate) generated: BTreeSet<String>,
    /// Headers that are made from tables of system calls.
    pub(crate) syscalls: BTreeSet<String>,
}

impl Lists {
    /// Reads the lists for `arch/…/include/asm`, or `arch/…/include/uapi/asm`. `generic` is the
    /// folder that it falls back to.
    pub(crate) fn read(tree: &Path, own: &Path, generic: &Path) -> Result<Self, Failure> {
        let mut kbuild = optional(&tree.join(own).join("Kbuild"))?;
        kbuild.push('\n');
        kbuild.push_str(&optional(&tree.join(generic).join("Kbuild"))?);
        let mut lists = Self::default();
        let mut mandatory = BTreeSet::new();
        for (list, name) in entries(&kbuild) {
            match list {
                "generic-y" => &mut lists.wrappers,
                "generated-y" => &mut lists.generated,
                "syscall-y" => &mut lists.syscalls,
                "mandatory-y" => &mut mandatory,
                _ => continue,
            }
            .insert(name.to_owned());
        }
        let own = tree.join(own);
        mandatory.retain(|name| !lists.generated.contains(name) && !own.join(name).exists());
        lists.wrappers.append(&mut mandatory);
        Ok(lists)
    }
}

/// The text of a file that need not be there.
pub(crate) fn optional(path: &Path) -> Result<String, Failure> {
    match input::read(path, input::TEXT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::io("read", path, &error)),
    }
}

/// The names that assignments add, each with the variable: these files know nothing else.
fn entries(kbuild: &str) -> Vec<(&str, &str)> {
    let mut entries = Vec::new();
    for (variable, text) in assignments(kbuild) {
        // A name with a folder in it would lie elsewhere: no tree has one.
        let names = text.split_whitespace().filter(|name| !name.contains(['/', '$']));
        entries.extend(names.map(|name| (variable, name)));
    }
    entries
}

/// The assignments of a simple make file: variable and text of each.
pub(crate) fn assignments(makefile: &str) -> impl Iterator<Item = (&str, &str)> {
    makefile.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let (name, text) = line.split_once('=')?;
        Some((name.trim_end_matches(['+', ':', '?']).trim(), text.trim()))
    })
}

/// The header that includes the generic namesake.
pub(crate) fn wrapper(name: &str) -> String {
    format!("#include <asm-generic/{name}>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_whatever_the_spacing_and_comments() {
        let text = "# x\ngeneric-y += a.h  b.h # c.h\nmandatory-y\t:= d.h\n\nifdef X\n";
        assert_eq!(
            entries(text),
            [("generic-y", "a.h"), ("generic-y", "b.h"), ("mandatory-y", "d.h"),]
        );
    }

    #[test]
    fn names_do_not_leave_their_folder() {
        assert_eq!(entries("generic-y += ../a.h $(b).h"), []);
    }
}

//! `Control` and the makefiles.

use std::fmt::Write;

use super::GENERATED;
use crate::manifest::Manifest;
use crate::target::Target;

/// `Control`: what depends on what. `stdlibs` is needed although nothing is linked: the role for
/// programs adds it, and the build stops for a library that `Control` does not name.
pub(super) fn control(manifest: &Manifest) -> String {
    let (driver, l4re) = (&manifest.driver, &manifest.l4re);
    let words = |first: &str, virtuals: &[String], rest: &[String]| {
        let mut words = vec![first.to_owned()];
        for word in virtuals.iter().chain(rest) {
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
        words.join(" ")
    };
    format!(
        "# {GENERATED}\nprovides: {}\nrequires: {}\nmaintainer: {}\n",
        words(&driver.name, &driver.provides, &l4re.provides),
        words("stdlibs", &driver.requires, &l4re.requires),
        driver.maintainer
    )
}

/// The conditional assignments make the package work inside and outside of the source tree.
fn head(up: &str) -> String {
    format!("# {GENERATED}\nPKGDIR ?= {up}\nL4DIR  ?= $(PKGDIR)/../..\n\n")
}

/// The package's makefile: by default it enters `server` and `assets`.
pub(super) fn package() -> String {
    head(".") + "include $(L4DIR)/mk/subdir.mk\n"
}

/// Installs a program that is built already.
///
/// The role for programs has no notion of this. With `TARGET` empty it makes no rule to link, with
/// `INSTALL_TARGET` it installs, and the rule below says where the file comes from. It must stand
/// behind the include: before it, it would be the first rule and so the default goal.
pub(super) fn server(program: &str, targets: &[&Target]) -> String {
    let systems: Vec<String> =
        targets.iter().map(|target| format!("{}-{}", target.l4re.arch, target.l4re.api)).collect();
    let mut text = head("..");
    let _ = write!(
        text,
        "# For other systems this folder is skipped.\n\
         SYSTEMS        = {}\n\
         INSTALL_TARGET = {program}\n\n\
         include $(L4DIR)/mk/prog.mk\n\n\
         # The program is built already. This runs in the folder for objects of one system.\n\
         {program}: $(SRC_DIR)/prebuilt/$(ARCH)/{program}\n\
         \t$(VERBOSE)$(CP) $< $@\n\n\
         # It is no TARGET, so nobody else removes the copy.\n\
         clean cleanall::\n\
         \t$(VERBOSE)$(RM) {program}\n",
        systems.join(" ")
    );
    text
}

/// Enters the folders below `assets`, which are not in the build system's list.
pub(super) fn assets_root(io: bool) -> String {
    let folders = if io { "io modlist ned" } else { "modlist ned" };
    head("..") + &format!("TARGET = {folders}\n\ninclude $(L4DIR)/mk/subdir.mk\n")
}

/// Installs files of one kind: `IO`, `MODLIST` or `NED`. Each kind has a folder of its own because
/// a path with a folder would show up again in the installed name.
pub(super) fn assets(kind: &str, files: &[&str]) -> String {
    let files = files.join(" ");
    head("../..") + &format!("SRC_ASSETS_{kind} = {files}\n\ninclude $(L4DIR)/mk/assets.mk\n")
}

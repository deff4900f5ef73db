//! The texts of the tree, in the order and shape that Buildroot's `check-package` wants.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{MARK, NAME, Recipe, upper, virtuals};
use l4re_packager_core::package::Tree;

/// Adds the texts to a tree that has the programs.
pub(super) fn write(recipes: &[Recipe], tree: &mut Tree) {
    tree.text(MARK, format!("name: {NAME}\ndesc: Drivers for L4Re\n"));
    tree.text(
        "external.mk",
        format!("include $(sort $(wildcard $(BR2_EXTERNAL_{NAME}_PATH)/package/*/*.mk))\n"),
    );
    let virtuals = virtuals(recipes);
    let names = virtuals.keys().copied().chain(recipes.iter().map(|recipe| recipe.name.as_str()));
    let sources: String = names
        .map(|name| format!("source \"$BR2_EXTERNAL_{NAME}_PATH/package/{name}/Config.in\"\n"))
        .collect();
    tree.text("Config.in", sources);
    for (name, host) in virtuals {
        let upper = upper(name);
        let config = format!(
            "config BR2_PACKAGE_HAS_{upper}\n\tbool\n\n\
             config BR2_PACKAGE_PROVIDES_{upper}\n\tstring\n\
             \tdepends on BR2_PACKAGE_HAS_{upper}\n"
        );
        tree.text(&format!("package/{name}/Config.in"), config);
        let mut make = header(name);
        make.push_str("$(eval $(virtual-package))\n");
        if host {
            make.push_str("$(eval $(host-virtual-package))\n");
        }
        tree.text(&format!("package/{name}/{name}.mk"), make);
    }
    for recipe in recipes {
        let name = &recipe.name;
        tree.text(&format!("package/{name}/Config.in"), config(recipe));
        tree.text(&format!("package/{name}/{name}.mk"), make(recipe));
    }
}

fn header(name: &str) -> String {
    let line = "#".repeat(80);
    format!("{line}\n#\n# {name}\n#\n{line}\n\n")
}

/// `Config.in` of a driver. It selects that there is an implementation of what it provides, and
/// names itself as the one; what it requires is depended on, because selecting a provider would
/// let two of them be chosen.
fn config(recipe: &Recipe) -> String {
    let (name, symbol) = (&recipe.name, upper(&recipe.name));
    let mut text = format!("config BR2_PACKAGE_{symbol}\n\tbool \"{name}\"\n");
    let architectures: Vec<&str> = recipe.architectures.keys().map(String::as_str).collect();
    let _ = writeln!(text, "\tdepends on {}", architectures.join(" || "));
    for word in &recipe.requires {
        let _ = writeln!(text, "\tdepends on BR2_PACKAGE_HAS_{}", upper(word));
    }
    for name in &recipe.needs {
        let _ = writeln!(text, "\tdepends on BR2_PACKAGE_{}", upper(name));
    }
    for word in &recipe.provides {
        let _ = writeln!(text, "\tselect BR2_PACKAGE_HAS_{}", upper(word));
    }
    text.push_str("\thelp\n");
    for line in &recipe.help {
        let _ = if line.is_empty() { writeln!(text) } else { writeln!(text, "\t  {line}") };
    }
    if !recipe.provides.is_empty() {
        let _ = writeln!(text, "\nif BR2_PACKAGE_{symbol}");
        for word in &recipe.provides {
            let _ = writeln!(
                text,
                "\nconfig BR2_PACKAGE_PROVIDES_{}\n\tdefault \"{name}\"",
                upper(word)
            );
        }
        text.push_str("\nendif\n");
    }
    text
}

/// The makefile of a driver.
fn make(recipe: &Recipe) -> String {
    let (name, symbol) = (&recipe.name, upper(&recipe.name));
    let mut text = header(name);
    let mut set = |variable: &str, value: &str| {
        let _ = writeln!(text, "{symbol}_{variable} = {value}");
    };
    set("VERSION", &recipe.version);
    set("SITE", &format!("$(BR2_EXTERNAL_{NAME}_PATH)/dist/{name}"));
    set("SITE_METHOD", "local");
    set("LICENSE", &recipe.licence);
    let words = |words: &BTreeSet<String>, prefix: &str| {
        words.iter().map(|word| format!("{prefix}{word}")).collect::<Vec<_>>().join(" ")
    };
    if !recipe.provides.is_empty() {
        set("PROVIDES", &words(&recipe.provides, ""));
    }
    if !recipe.licence_files.is_empty() {
        set("LICENSE_FILES", &words(&recipe.licence_files, ""));
    }
    let needed = recipe.requires.union(&recipe.needs).cloned().collect();
    if needed != BTreeSet::new() {
        set("DEPENDENCIES", &words(&needed, ""));
    }
    let folders: Vec<String> = recipe
        .architectures
        .iter()
        .map(|(symbol, folder)| format!("$(if $({symbol}),{folder})"))
        .collect();
    set("FOLDER", &folders.join(""));
    text.push_str(
        "\n# A finished program that stands alone: it needs neither toolchain nor skeleton,\n\
         # and it is none of Linux, which the check of architectures would complain of.\n",
    );
    let mut set = |variable: &str, value: &str| {
        let _ = writeln!(text, "{symbol}_{variable} = {value}");
    };
    set("ADD_TOOLCHAIN_DEPENDENCY", "NO");
    set("ADD_SKELETON_DEPENDENCY", "NO");
    set("BIN_ARCH_EXCLUDE", &format!("{}/{}", recipe.folder, recipe.program));
    if recipe.host.is_some() {
        text.push('\n');
        if !recipe.provides.is_empty() {
            let _ = writeln!(text, "HOST_{symbol}_PROVIDES = {}", words(&recipe.provides, "host-"));
        }
        if !needed.is_empty() {
            // Otherwise what the target needs would be needed for the machine that builds.
            let _ = writeln!(text, "HOST_{symbol}_DEPENDENCIES =");
        }
    }
    let Recipe { program, folder, unit, .. } = recipe;
    let _ = write!(
        text,
        "\ndefine {symbol}_INSTALL_TARGET_CMDS\n\
         \t$(INSTALL) -D -m 0755 $(@D)/$({symbol}_FOLDER)/{program} \\\n\
         \t\t$(TARGET_DIR){folder}/{program}\nendef\n\n\
         define {symbol}_INSTALL_INIT_SYSTEMD\n\
         \t$(INSTALL) -D -m 0644 $(@D)/{unit} \\\n\
         \t\t$(TARGET_DIR)/usr/lib/systemd/system/{unit}\nendef\n"
    );
    if let Some(host) = &recipe.host {
        let _ = write!(
            text,
            "\ndefine HOST_{symbol}_INSTALL_CMDS\n\
             \t$(INSTALL) -D -m 0755 $(@D)/host/{host} $(HOST_DIR)/bin/{host}\nendef\n"
        );
    }
    text.push_str("\n$(eval $(generic-package))\n");
    if recipe.host.is_some() {
        text.push_str("$(eval $(host-generic-package))\n");
    }
    text
}

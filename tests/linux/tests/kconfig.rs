//! Symbols and values, held against the tree's own `conf` and against kconfiglib.

use l4re_test_linux::oracle::make::{ARCHES, Arch};
use l4re_test_linux::oracle::{kconfiglib, make};
use l4re_test_linux::ours::{self, Result};
use l4re_test_linux::tree::Tree;

/// Trees and architectures: every tree for arm64, and the first tree for the others; with
/// `L4RE_TEST_ALL` all of them.
fn cases() -> Result<Vec<(Tree, Arch)>> {
    let all = std::env::var_os("L4RE_TEST_ALL").is_some();
    let mut cases = Vec::new();
    for (number, tree) in Tree::all()?.into_iter().enumerate() {
        let arches = if all || number == 0 { &ARCHES[..] } else { &ARCHES[..1] };
        cases.extend(arches.iter().map(|arch| (tree.clone(), *arch)));
    }
    Ok(cases)
}

const PRESETS: [&str; 3] = ["allnoconfig", "defconfig", "allmodconfig"];

/// The first line in which two files differ.
fn difference(theirs: &str, ours: &str) -> Option<String> {
    let mut pairs = theirs.lines().zip(ours.lines()).enumerate();
    let differ = pairs.find(|(_, (theirs, ours))| theirs != ours);
    match differ {
        Some((number, (theirs, ours))) => {
            Some(format!("line {}: make writes `{theirs}`, we `{ours}`", number + 1))
        }
        None if theirs != ours => Some(format!("{} and {} bytes", theirs.len(), ours.len())),
        None => None,
    }
}

#[test]
fn files_made_of_a_configuration_are_those_of_make_byte_for_byte() -> Result<()> {
    for (tree, arch) in cases()? {
        let kconfig = ours::kconfig(&tree, arch)?;
        for preset in PRESETS.iter().chain(&["tinyconfig"]) {
            let configured = make::configured(&tree, arch, preset)?;
            let config = ours::config(&kconfig, &tree, preset)?;
            let files = [
                (".config", config.dot_config()),
                ("include/config/auto.conf", config.auto_conf()),
                ("include/generated/autoconf.h", config.autoconf_h()),
            ];
            for (file, ours) in files {
                let theirs = String::from_utf8(configured.read(file)?)?;
                assert!(theirs.len() > 1000, "{file} of make is {} bytes", theirs.len());
                let differ = difference(&theirs, &ours);
                let what = format!("{} {} {preset} {file}", tree.version, arch.name);
                assert_eq!(differ, None, "{what}");
            }
        }
    }
    Ok(())
}

/// Where kconfiglib 14.1 and the tree's own `conf` differ, and what depends on it: choices changed in
/// Linux 6.11.
const CONF_IS_RIGHT: [&str; 2] = ["USB_ROLE_SWITCH", "HISI_HIKEY_USB"];

#[test]
fn symbols_are_those_of_kconfiglib_one_by_one() -> Result<()> {
    for (tree, arch) in cases()? {
        let configured = make::configured(&tree, arch, "allmodconfig")?;
        let theirs = kconfiglib::symbols(&configured)?;
        let kconfig = ours::kconfig(&tree, arch)?;
        let what = format!("{} {}", tree.version, arch.name);
        let ours: Vec<_> = kconfig.options().collect();
        assert_eq!(ours.len(), theirs.len(), "{what}: number of symbols");
        for preset in PRESETS {
            let config = ours::config(&kconfig, &tree, preset)?;
            let mut differ = Vec::new();
            for symbol in &ours {
                let name = &*kconfig.symbol(*symbol).name;
                let what = format!("{what} {preset}: {name}");
                let theirs = theirs.get(name).ok_or_else(|| format!("{what}: only ours"))?;
                assert_eq!(kconfig.symbol(*symbol).symbol_type.as_str(), theirs.kind, "{what}");
                assert_eq!(ours::definitions(&kconfig, *symbol), theirs.definitions, "{what}");
                let by_conf = tree.since(6, 11) && CONF_IS_RIGHT.contains(&name);
                // kconfiglib takes these for symbols without a prompt.
                if by_conf || kconfig.symbol(*symbol).transitional {
                    continue;
                }
                let (value, visibility) = theirs.states.get(preset).ok_or("no such state")?;
                let ours = config.value(*symbol).to_string();
                // Since Linux 6.10 numbers that are not given are 0 for `conf`.
                let zero = matches!(theirs.kind.as_str(), "int" | "hex") && value.is_empty();
                let same = *value == ours || zero && matches!(ours.as_str(), "0" | "0x0");
                // Since Linux 5.5 what something that is y implies may be m.
                let implied = !kconfig.symbol(*symbol).implied_by.is_empty();
                let same = same || implied && *value == "y" && ours == "m";
                let seen = config.visibility(*symbol).to_string();
                if !same || *visibility != seen {
                    differ.push(format!("{what}: {value} {visibility}, we say {ours} {seen}"));
                }
            }
            assert!(differ.is_empty(), "kconfiglib says {}", differ.join("\n"));
        }
    }
    Ok(())
}

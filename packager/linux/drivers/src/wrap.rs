//! What `packager wrap` is to do, from its command line and its `driver.conf`.

use std::path::{Path, PathBuf};

use super::catalog::{Catalog, Kind};
use super::driver_conf::DriverConf;
use super::pick::Wanted;
use l4re_packager_base::{Diagnostic, Failure};
use l4re_packager_core::manifest;

/// What the command line says; all of it wins over the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// `--linux-src`.
    pub linux_src: Option<PathBuf>,
    /// `--arch`.
    pub arch: Option<String>,
    /// `--subsystem`.
    pub subsystem: Option<String>,
    /// `--driver`.
    pub driver: Option<String>,
}

/// Command line and file together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapPlan {
    /// The Linux tree.
    pub linux_src: PathBuf,
    /// The architecture, if one is named.
    pub arch: Option<String>,
    subsystem: Option<String>,
    driver: Option<String>,
    /// `DRIVER` of the file.
    conf_driver: Option<String>,
}

/// Which driver to take, and what its package is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The driver, as far as it is named.
    pub wanted: Wanted,
    /// The package's name; that of the driver if there is none.
    pub name: Option<String>,
}

/// The name of the package for a driver of that name or symbol, by the rule for `[driver] name`:
/// lower case, dashes for underscores, cut where that is too long.
pub fn package_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let lower = lower.trim_matches('-');
    // Symbols may begin with a digit, names may not.
    let prefix = if lower.starts_with(|c: char| c.is_ascii_digit()) { "drv-" } else { "" };
    let cut: String = prefix.chars().chain(lower.chars()).take(manifest::NAME_MAX).collect();
    cut.trim_end_matches('-').to_owned()
}

impl WrapPlan {
    /// Puts command line and file together.
    ///
    /// # Errors
    ///
    /// [`Failure`] if neither names a Linux tree. `file` is the file's path, for the message.
    pub fn new(line: Line, conf: DriverConf, file: Option<&Path>) -> Result<Self, Failure> {
        let Some(linux_src) = line.linux_src.or(conf.linux_src) else {
            let error = Diagnostic::error("no-tree", "no Linux source tree is named");
            let help =
                "name it with --linux-src DIR, or with LINUX_SRC=DIR in the file of --config";
            let error = error.help(help);
            return Err(file.map_or(error.clone(), |file| error.file(file)).into());
        };
        Ok(Self {
            linux_src,
            arch: line.arch.or(conf.arch),
            subsystem: line.subsystem.or(conf.subsystem),
            driver: line.driver,
            conf_driver: conf.driver,
        })
    }

    /// Whether a driver is named, or what may be one.
    pub fn names_driver(&self) -> bool {
        self.driver.is_some() || self.conf_driver.is_some()
    }

    /// Which driver to take. `DRIVER` of the file is its symbol, if the tree has such a driver, and
    /// the package's name. A driver on the command line wins; then `DRIVER` still names the
    /// package, unless it means another driver.
    pub fn target(&self, catalog: &Catalog) -> Target {
        let named = |name: &String| {
            let symbols = catalog.named(name);
            let mut drivers = symbols.iter().filter(|entry| entry.kind == Kind::Driver);
            drivers.next().map(|entry| entry.symbol.clone())
        };
        let of_file = self.conf_driver.as_ref().and_then(named);
        let of_line = self.driver.as_ref().and_then(named);
        let name = match (&self.driver, &of_file) {
            (Some(_), Some(other)) if of_line.as_ref() != Some(other) => None,
            _ => self.conf_driver.clone(),
        };
        let driver = self.driver.clone().or(of_file);
        Target { wanted: Wanted { subsystem: self.subsystem.clone(), driver }, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Entry;

    fn catalog() -> Catalog {
        let entry = |symbol: &str| Entry {
            symbol: symbol.into(),
            subsystem: "net".into(),
            symbol_type: "bool",
            prompt: "x".into(),
            kconfig: "drivers/net/Kconfig".into(),
            line: 1,
            depends_on: String::new(),
            kind: Kind::Driver,
            modules: Vec::new(),
            value: None,
            visible: None,
            help: String::new(),
        };
        Catalog { entries: vec![entry("E1000"), entry("R8169")], ..Catalog::default() }
    }

    /// The driver and the package's name.
    fn target(line: Option<&str>, conf: Option<&str>) -> (Option<String>, Option<String>) {
        let own = |text: &str| text.to_owned();
        let line = Line { linux_src: Some("l".into()), driver: line.map(own), ..Line::default() };
        let conf = DriverConf { driver: conf.map(own), ..DriverConf::default() };
        let target = WrapPlan::new(line, conf, None).unwrap().target(&catalog());
        (target.wanted.driver, target.name)
    }

    #[test]
    fn the_file_names_driver_and_package_in_any_case() {
        assert_eq!(target(None, Some("e1000")), (Some("E1000".into()), Some("e1000".into())));
        assert_eq!(target(None, Some("mynic")), (None, Some("mynic".into())));
        assert_eq!(target(None, None), (None, None));
    }

    #[test]
    fn packages_have_names_by_the_rule_for_drivers() {
        for (name, package) in [
            ("E1000", "e1000"),
            ("VIRTIO_BLK", "virtio-blk"),
            ("My_NIC", "my-nic"),
            ("6LOWPAN_NHC", "drv-6lowpan-nhc"),
            ("_X_", "x"),
            ("SND_SOC_INTEL_SOF_RT5682_MACHINES_XY", "snd-soc-intel-sof-rt5682-machine"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_BC", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ] {
            assert_eq!(package_name(name), package);
            assert!(manifest::is_name(package), "{package}");
        }
    }

    #[test]
    fn the_command_line_wins() {
        assert_eq!(target(Some("e1000"), None), (Some("e1000".into()), None));
        let both = target(Some("e1000"), Some("E1000"));
        assert_eq!(both, (Some("e1000".into()), Some("E1000".into())));
        let renamed = target(Some("e1000"), Some("mynic"));
        assert_eq!(renamed, (Some("e1000".into()), Some("mynic".into())));
        // Not a package called R8169 with another driver in it.
        assert_eq!(target(Some("e1000"), Some("r8169")), (Some("e1000".into()), None));
        let line =
            Line { linux_src: Some("a".into()), arch: Some("arm".into()), ..Line::default() };
        let conf = DriverConf {
            linux_src: Some("b".into()),
            arch: Some("x86".into()),
            subsystem: Some("net".into()),
            driver: None,
        };
        let plan = WrapPlan::new(line, conf, None).unwrap();
        assert_eq!((plan.linux_src, plan.arch), ("a".into(), Some("arm".into())));
        assert_eq!(plan.subsystem.as_deref(), Some("net"));
    }

    #[test]
    fn without_a_tree_both_ways_to_name_one_are_said() {
        let file = Path::new("driver.conf");
        let failure =
            WrapPlan::new(Line::default(), DriverConf::default(), Some(file)).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "driver.conf: error: no Linux source tree is named\n  help: name it with --linux-src \
             DIR, or with LINUX_SRC=DIR in the file of --config"
        );
    }
}

//! What the tests share.

#![expect(dead_code, reason = "each test file uses a part of it")]

use l4re_kconfig::{
    Config, Dialect, Environment, Kconfig, MemorySource, NoShell, Shell, SymbolId, Tristate,
};

/// Both generations of the language.
pub const DIALECTS: [Dialect; 2] = [Dialect::LINUX_5_15, Dialect::LINUX_6_12];

/// A switch for modules, as the first lines of a file.
pub const MODULES: &str = "config MODULES\n\tbool \"modules\"\n\tdefault y\n\tmodules\n";

/// Loads files that have nothing wrong.
pub fn load(files: &[(&str, &str)], dialect: Dialect) -> Kconfig {
    load_with(files, dialect, Environment::new(), NoShell)
}

/// Loads files that have nothing wrong with variables and a shell.
pub fn load_with(
    files: &[(&str, &str)],
    dialect: Dialect,
    environment: Environment,
    shell: impl Shell + 'static,
) -> Kconfig {
    let source = files.iter().fold(MemorySource::new(), |all, (name, text)| all.with(name, *text));
    let loaded = Kconfig::load_file(&source, "Kconfig", environment, Box::new(shell), dialect);
    match loaded {
        Ok((kconfig, report)) => {
            let report: Vec<String> = report.iter().map(ToString::to_string).collect();
            assert!(report.is_empty(), "{report:#?}");
            kconfig
        }
        Err(failure) => panic!("{failure}"),
    }
}

/// What is found in a file, whether or not it can be used.
pub fn findings(text: impl Into<Vec<u8>>, dialect: Dialect) -> Vec<String> {
    let source = MemorySource::new().with("Kconfig", text);
    let environment = Environment::new();
    let loaded = Kconfig::load_file(&source, "Kconfig", environment, Box::new(NoShell), dialect);
    let report = match loaded {
        Ok((_, report)) => report,
        Err(failure) => failure.0,
    };
    report.iter().map(ToString::to_string).collect()
}

/// The symbol of that name.
pub fn symbol(kconfig: &Kconfig, name: &str) -> SymbolId {
    kconfig.find_defined(name).unwrap_or_else(|| panic!("no symbol {name}"))
}

/// The value of the symbol of that name.
pub fn value(config: &Config<'_>, name: &str) -> String {
    config.value(symbol(config.kconfig(), name)).to_string()
}

/// Sets the symbol of that name.
pub fn set(config: &mut Config<'_>, name: &str, value: &str) {
    let symbol = symbol(config.kconfig(), name);
    config.set(symbol, value).unwrap_or_else(|refusal| panic!("{name}={value}: {refusal:?}"));
}

/// The bool or tristate value of the symbol of that name.
pub fn tristate(config: &Config<'_>, name: &str) -> Tristate {
    config.tristate(symbol(config.kconfig(), name))
}

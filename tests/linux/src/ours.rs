//! What the project's own crates say, asked in the same terms as the oracles.

use std::path::Path;

use l4re_kconfig::{
    Config, Environment, HostShell, Kconfig, MenuKind, Preset, Symbol, SymbolId, Tools, TreeSource,
};
use l4re_linux_drivers::extract::{self, Destination, Extracted, Options};
use l4re_linux_drivers::request::{BaseConfig, Request};
use l4re_packager_base::Progress;

use crate::cache;
use crate::oracle::make::Arch;
use crate::tree::Tree;

/// What went wrong, as text.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Reads the Kconfig files of a tree for an architecture, with the compiler that the oracles use.
///
/// # Errors
///
/// What is wrong with them.
pub fn kconfig(tree: &Tree, arch: Arch) -> Result<Kconfig> {
    let tools = Tools { cross_compile: arch.prefix.into(), ..Tools::default() };
    let environment = Environment::linux(&tree.path, arch.name, &tools)?;
    let shell = HostShell::new(&environment).with_cache(&cache::root()?.join("probes"));
    let (kconfig, _) = Kconfig::load(&TreeSource::new(&tree.path), environment, Box::new(shell))?;
    Ok(kconfig)
}

/// A configuration by the name of make's goal, or of a `.config` file.
///
/// # Errors
///
/// What is wrong with the tree's own fragments, or with the file.
pub fn config<'k>(kconfig: &'k Kconfig, tree: &Tree, goal: &str) -> Result<Config<'k>> {
    let mut config = Config::new(kconfig)?;
    match Preset::from_target(goal) {
        Some(preset) => drop(config.preset(preset, &TreeSource::new(&tree.path))?),
        None => drop(config.read(&std::fs::read_to_string(goal)?, Path::new(goal))),
    }
    Ok(config)
}

/// The definitions of a symbol: file, line, prompt. As kconfiglib has it, without blanks around the
/// prompt.
pub fn definitions(kconfig: &Kconfig, symbol: SymbolId) -> Vec<(String, u32, Option<String>)> {
    let Symbol { menus, .. } = kconfig.symbol(symbol);
    let nodes = menus.iter().map(|menu| kconfig.menu(*menu));
    nodes
        .filter(|menu| matches!(menu.kind, MenuKind::Config | MenuKind::MenuConfig))
        .map(|menu| {
            let prompt = menu.prompt.and_then(|prompt| kconfig.prompt_text(prompt));
            let file = kconfig.file_name(menu.location.file).to_owned();
            (file, menu.location.line, prompt.map(|text| text.trim().to_owned()))
        })
        .collect()
}

struct Quiet;

impl Progress for Quiet {
    fn step(&mut self, _what: &str) {}
}

/// Extracts a driver into `workspace`.
///
/// # Errors
///
/// What is in the way.
pub fn extracted(
    tree: &Tree,
    arch: Arch,
    driver: &str,
    base: BaseConfig,
    workspace: &Path,
) -> Result<Extracted> {
    let options = Options {
        request: Request {
            folder: tree.path.clone(),
            arch: Some(arch.name.into()),
            cross_compile: Some(arch.prefix.into()),
        },
        driver: driver.into(),
        subsystem: None,
        base,
        destination: Destination::Folder(workspace.into()),
        self_contained: false,
    };
    Ok(extract::extract(&options, &mut Quiet)?.0)
}

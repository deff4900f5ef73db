//! Folders that Makefiles open only with further symbols, of which the driver's Kconfig file says
//! nothing: with `USB_HCD_BCMA` alone, nothing in `drivers/usb/host` is built.

use std::collections::BTreeSet;

use l4re_kbuild::Survey;
use l4re_kbuild::survey::Gate;
use l4re_kconfig::{Config, Kconfig, SymbolId, SymbolType, Tristate};

use super::plan::{Planner, Why};
use super::{Change, at, turn_on, unmet};
use l4re_packager_base::{Diagnostic, Failure};

/// Switches on what opens the folders of a driver that is on and builds nothing all the same.
/// Returns what was set, nothing if the folders are open.
///
/// # Errors
///
/// [`Failure`] that names the Makefile and the symbol if nothing opens a folder here.
pub fn open(
    config: &mut Config<'_>,
    survey: &Survey,
    driver: SymbolId,
) -> Result<Vec<Change>, Failure> {
    let kconfig = config.kconfig();
    let name = kconfig.symbol(driver).name.to_string();
    let modules = survey.modules(&name).chain(survey.member_of(&name));
    let directories: BTreeSet<&str> = modules.map(|module| module.directory.as_str()).collect();
    let mut refused = None;
    // Several symbols can list a module in several folders: one of them is enough.
    for directory in directories {
        match open_way(config, survey, &name, directory) {
            Ok(changes) => return Ok(changes),
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    refused.map_or_else(|| Ok(Vec::new()), Err)
}

/// Opens a folder and those around it, outermost first.
fn open_way(
    config: &mut Config<'_>,
    survey: &Survey,
    driver: &str,
    directory: &str,
) -> Result<Vec<Change>, Failure> {
    let ends = directory.match_indices('/').map(|(end, _)| end).chain([directory.len()]);
    let mut changes = Vec::new();
    for folder in ends.filter_map(|end| directory.get(..end)) {
        let gates = gates(survey, folder);
        if gates.is_empty() || gates.iter().any(|(symbol, _)| is_on(config, symbol)) {
            continue;
        }
        let (symbol, gate) = match cheapest(config, &gates) {
            Some(found) => found,
            None => return Err(closed(config, driver, &gates)),
        };
        let name = config.kconfig().symbol(symbol).name.to_string();
        let set = turn_on(config, symbol)?;
        changes.extend(set.into_iter().map(|change| match change.symbol == name {
            true => Change {
                reason: format!("only with it, or its like, make looks into {folder}"),
                place: Some((gate.makefile.clone(), gate.line)),
                ..change
            },
            false => change,
        }));
    }
    Ok(changes)
}

/// The symbols that open a folder.
fn gates<'s>(survey: &'s Survey, folder: &str) -> Vec<(&'s str, &'s Gate)> {
    let all =
        survey.symbols().flat_map(|(symbol, uses)| uses.gates.iter().map(move |g| (symbol, g)));
    all.filter(|(_, gate)| gate.directory == folder).collect()
}

fn is_on(config: &Config<'_>, symbol: &str) -> bool {
    config.kconfig().find(symbol).is_some_and(|id| config.tristate(id) != Tristate::No)
}

/// Of symbols, the one that takes the fewest settings.
fn cheapest<'s>(config: &Config<'_>, gates: &[(&str, &'s Gate)]) -> Option<(SymbolId, &'s Gate)> {
    let kconfig = config.kconfig();
    let modules = config.tristate(kconfig.modules()) != Tristate::No;
    let mut planner = Planner::new(kconfig, config, modules);
    let mut price = |symbol: SymbolId| {
        let plan = planner.raise(symbol, level(kconfig, symbol), Why::Asked)?;
        Some(plan.cost())
    };
    let known = gates.iter().filter_map(|(name, gate)| Some((kconfig.find_defined(name)?, *gate)));
    let priced = known.filter_map(|(symbol, gate)| Some((price(symbol)?, symbol, gate)));
    priced.min_by_key(|(price, ..)| *price).map(|(_, symbol, gate)| (symbol, gate))
}

fn level(kconfig: &Kconfig, symbol: SymbolId) -> Tristate {
    match kconfig.symbol(symbol).symbol_type {
        SymbolType::Tristate => Tristate::Mod,
        _ => Tristate::Yes,
    }
}

/// The failure for a folder that no symbol opens here.
fn closed(config: &Config<'_>, driver: &str, gates: &[(&str, &Gate)]) -> Failure {
    let kconfig = config.kconfig();
    let arch = kconfig.environment().get("ARCH").unwrap_or_default();
    let Some((symbol, gate)) = gates.first() else { return nothing_built(driver) };
    let names: Vec<&str> = gates.iter().map(|(symbol, _)| *symbol).collect();
    let why = match kconfig.find_defined(symbol) {
        None => format!("no Kconfig file of {arch} defines {symbol}"),
        Some(id) => unmet::reason(config, id, level(kconfig, id)),
    };
    let message = format!(
        "{driver} builds nothing on {arch}: make looks into {} only with {}; {why}",
        gate.directory,
        names.join(" or "),
    );
    let place = (gate.makefile.clone(), gate.line);
    let (file, position) = at(&place);
    let help = "choose another architecture with --arch, or another driver";
    Diagnostic::error("unavailable", message).file(file).at(position).help(help).into()
}

/// The failure for a driver whose folders are open, and that builds nothing all the same.
pub fn nothing_built(driver: &str) -> Failure {
    let message = format!("{driver} builds nothing under this configuration");
    let help = "its Makefile may ask for more than its Kconfig file; try another --base-config";
    Diagnostic::error("no-objects", message).help(help).into()
}

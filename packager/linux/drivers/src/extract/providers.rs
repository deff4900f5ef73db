//! The symbols that a driver's `select`s turn on.

use std::collections::BTreeMap;

use l4re_kconfig::{PropertyKind, SymbolId, Tristate};

use super::configuration::Configured;

/// A symbol that somebody selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The symbol.
    pub symbol: SymbolId,
    /// The symbols on the way from the driver that select it, in the order of finding.
    pub by: Vec<String>,
}

/// The symbols that `driver` selects under the configuration, and those that they select in turn:
/// the ones without prompt, and of the others those that the base had off. In the order of finding.
pub fn selected(configured: &Configured<'_>, driver: SymbolId) -> Vec<Selected> {
    let kconfig = configured.config.kconfig();
    let mut found: Vec<Selected> = Vec::new();
    let mut index: BTreeMap<SymbolId, usize> = BTreeMap::new();
    let mut next = vec![driver];
    while let Some(symbol) = next.pop() {
        let name = kconfig.symbol(symbol).name.to_string();
        for id in &kconfig.symbol(symbol).properties {
            let property = kconfig.property(*id);
            let PropertyKind::Select(target) = property.kind else { continue };
            let holds = configured.config.expr(property.effective) != Tristate::No;
            if !holds || target == driver || !is_provider(configured, target) {
                continue;
            }
            match index.get(&target) {
                Some(known) => {
                    let by = &mut found[*known].by;
                    if !by.contains(&name) {
                        by.push(name.clone());
                    }
                }
                None => {
                    index.insert(target, found.len());
                    found.push(Selected { symbol: target, by: vec![name.clone()] });
                    next.push(target);
                }
            }
        }
    }
    found
}

fn is_provider(configured: &Configured<'_>, symbol: SymbolId) -> bool {
    let kconfig = configured.config.kconfig();
    if configured.config.tristate(symbol) == Tristate::No {
        return false;
    }
    let (before, _) = configured.values_of(&kconfig.symbol(symbol).name);
    kconfig.prompts(symbol).next().is_none() || before == "n"
}

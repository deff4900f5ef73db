//! From Kconfig files and Makefiles to entries.

use l4re_kbuild::Survey;
use l4re_kbuild::survey::{Condition, ConditionalMember, SurveyedModule};
use l4re_kconfig::{ExprId, Kconfig, MenuId, SymbolId};

use super::{Catalog, CatalogModule, Elsewhere, Entry, Kind};
use crate::tree::{Architecture, Tree};

/// The first folder under `drivers/` of a file there.
pub fn drivers_folder(file: &str) -> Option<&str> {
    file.strip_prefix("drivers/")?.split_once('/').map(|(folder, _)| folder)
}

impl Catalog {
    /// Everything under `drivers/` that the Kconfig files of a tree define.
    pub fn of(tree: &Tree, arch: &Architecture, kconfig: &Kconfig, survey: &Survey) -> Self {
        let mut entries = Vec::new();
        let mut elsewhere = Vec::new();
        for symbol in kconfig.options() {
            let mut rest = kconfig.symbol(symbol).menus.as_slice();
            let mut done: Vec<&str> = Vec::new();
            while let Some((menu, after)) = rest.split_first() {
                rest = after;
                match subsystem_of(kconfig, *menu) {
                    Some(subsystem) if !done.contains(&subsystem) => {
                        done.push(subsystem);
                        entries.push(entry(kconfig, survey, symbol, subsystem));
                    }
                    _ => {}
                }
            }
            if done.is_empty() {
                elsewhere.extend(outside(kconfig, symbol));
            }
        }
        entries.sort_by(|a, b| (&a.subsystem, &a.symbol).cmp(&(&b.subsystem, &b.symbol)));
        elsewhere.sort_by(|a: &Elsewhere, b| a.symbol.cmp(&b.symbol));
        let (arch, version) = (arch.name.clone(), tree.version().to_string());
        Self { entries, arch, version, elsewhere }
    }
}

/// An option outside of `drivers/`, if a user can choose it: it has a prompt, and it is no number
/// or text.
fn outside(kconfig: &Kconfig, id: SymbolId) -> Option<Elsewhere> {
    let symbol = kconfig.symbol(id);
    let (property, prompt) =
        kconfig.prompts(id).next().filter(|_| symbol.symbol_type.is_logic())?;
    let menu = symbol.menus.iter().find(|menu| kconfig.menu(**menu).prompt == Some(property))?;
    let location = kconfig.menu(*menu).location;
    Some(Elsewhere {
        symbol: symbol.name.to_string(),
        prompt: prompt.trim().to_owned(),
        kconfig: kconfig.file_name(location.file).to_owned(),
        line: location.line,
    })
}

fn subsystem_of(kconfig: &Kconfig, menu: MenuId) -> Option<&str> {
    drivers_folder(kconfig.file_name(kconfig.menu(menu).location.file))
}

/// The entry for the definitions of a symbol in one subsystem. Of several definitions there, place
/// and prompt are those of the first with a prompt.
fn entry(kconfig: &Kconfig, survey: &Survey, id: SymbolId, subsystem: &str) -> Entry {
    let symbol = kconfig.symbol(id);
    let here = |menu: &&MenuId| subsystem_of(kconfig, **menu) == Some(subsystem);
    let menus: Vec<MenuId> = symbol.menus.iter().filter(here).copied().collect();
    let prompt =
        |menu: MenuId| kconfig.menu(menu).prompt.and_then(|prompt| kconfig.prompt_text(prompt));
    let shown = menus.iter().copied().find(|menu| prompt(*menu).is_some());
    let shown = shown.or(menus.first().copied()).unwrap_or(MenuId::ROOT);
    // A prompt elsewhere makes it something that a user can choose, too.
    let prompt = prompt(shown).or_else(|| kconfig.prompts(id).next().map(|(_, text)| text));
    let prompt = prompt.unwrap_or_default().trim().to_owned();
    let location = kconfig.menu(shown).location;
    let kind = kind(survey, &symbol.name, symbol.symbol_type.is_logic(), !prompt.is_empty());
    Entry {
        symbol: symbol.name.to_string(),
        subsystem: subsystem.to_owned(),
        symbol_type: symbol.symbol_type.as_str(),
        prompt,
        kconfig: kconfig.file_name(location.file).to_owned(),
        line: location.line,
        depends_on: depends_on(kconfig, &menus),
        kind,
        modules: modules(survey, &symbol.name),
        value: None,
        visible: None,
        help: menus.iter().find_map(|menu| kconfig.help(*menu)).unwrap_or_default(),
    }
}

/// Any one definition's dependencies are enough.
fn depends_on(kconfig: &Kconfig, menus: &[MenuId]) -> String {
    let mut all: Vec<ExprId> = Vec::new();
    for menu in menus {
        let effective = kconfig.menu(*menu).effective;
        if effective == ExprId::YES {
            return String::new();
        }
        if !all.contains(&effective) {
            all.push(effective);
        }
    }
    match all.as_slice() {
        [only] => kconfig.display(*only).to_string(),
        several => {
            let texts = several.iter().map(|expr| format!("({})", kconfig.display(*expr)));
            texts.collect::<Vec<_>>().join(" || ")
        }
    }
}

fn kind(survey: &Survey, name: &str, logic: bool, prompted: bool) -> Kind {
    let Some(uses) = survey.uses(name).filter(|_| logic) else {
        return if prompted { Kind::Option } else { Kind::Helper };
    };
    if !prompted {
        Kind::Helper
    } else if !uses.modules.is_empty() || !uses.library.is_empty() {
        Kind::Driver
    } else if !uses.gates.is_empty() {
        Kind::Gate
    } else if !uses.member_of.is_empty() || !uses.condition_of.is_empty() {
        Kind::Member
    } else {
        Kind::Option
    }
}

/// What a symbol builds: its own modules and libraries; if it has none, the modules of others with
/// the objects that it adds, and those that others list only if it is on.
fn modules(survey: &Survey, name: &str) -> Vec<CatalogModule> {
    let mut modules: Vec<CatalogModule> =
        survey.modules(name).map(|module| own(module, name)).collect();
    let library = survey.uses(name).map_or(&[][..], |uses| &uses.library);
    for object in library {
        let directory = object.rsplit_once('/').map_or("", |(directory, _)| directory);
        let known = |m: &&mut CatalogModule| m.name == "lib" && m.directory == directory;
        match modules.iter_mut().find(known) {
            Some(module) => module.objects.push(object.clone()),
            None => modules.push(CatalogModule {
                name: "lib".into(),
                directory: directory.into(),
                objects: vec![object.clone()],
            }),
        }
    }
    if modules.is_empty() {
        modules = survey.member_of(name).map(|module| added(module, name)).collect();
        modules.extend(survey.condition_of(name).map(|module| own(module, name)));
    }
    let mut seen = Vec::new();
    modules.retain(|module| {
        let new = !seen.contains(module);
        if new {
            seen.push(module.clone());
        }
        new
    });
    modules
}

/// A module with the objects that it has whenever `name` is on.
fn own(module: &SurveyedModule, name: &str) -> CatalogModule {
    let certain = |condition: &Condition| {
        let mut symbols = condition.symbols.iter();
        let on =
            if condition.all { symbols.all(|s| s == name) } else { symbols.any(|s| s == name) };
        on && condition.holds
    };
    let certain = |member: &&ConditionalMember| member.conditions.iter().all(certain);
    with_objects(module, &module.objects, module.conditional.iter().filter(certain))
}

/// A module of another option with the objects that `name` adds.
fn added(module: &SurveyedModule, name: &str) -> CatalogModule {
    let asks = |condition: &Condition| {
        condition.holds && condition.symbols.iter().any(|symbol| symbol == name)
    };
    let asks = |member: &&ConditionalMember| member.conditions.iter().any(asks);
    with_objects(module, &[], module.conditional.iter().filter(asks))
}

fn with_objects<'s>(
    module: &SurveyedModule,
    always: &[String],
    more: impl Iterator<Item = &'s ConditionalMember>,
) -> CatalogModule {
    let mut objects = always.to_vec();
    for member in more {
        if !objects.contains(&member.object) {
            objects.push(member.object.clone());
        }
    }
    CatalogModule { name: module.name.clone(), directory: module.directory.clone(), objects }
}

//! Packages that need each other: Kconfig refuses such a tree as a recursive dependency.

use std::collections::{BTreeMap, VecDeque};

use l4re_packager_base::Diagnostic;

use super::Recipe;

/// A shortest circle from the first package that is in one.
pub(super) fn find(recipes: &[Recipe]) -> Option<Diagnostic> {
    let path = recipes.iter().find_map(|start| path(recipes, start))?;
    let names: Vec<String> = path.iter().map(|name| format!("{name} needs")).collect();
    let message = format!("{} {}", names.join(" "), path.first()?);
    let help = "take one of the words out of `requires` or `provides`: nobody could choose these";
    Some(Diagnostic::error("cycle", message).help(help))
}

/// The packages from `start` until it is needed again.
fn path<'a>(recipes: &'a [Recipe], start: &'a Recipe) -> Option<Vec<&'a str>> {
    let mut came: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for to in recipes.iter().filter(|other| needs(at, other)) {
            if to.name == start.name {
                let mut path = vec![at.name.as_str()];
                while let Some(from) = path.last().and_then(|name| came.get(name)) {
                    path.push(from);
                }
                path.reverse();
                return Some(path);
            }
            if !came.contains_key(to.name.as_str()) {
                came.insert(&to.name, &at.name);
                queue.push_back(to);
            }
        }
    }
    None
}

fn needs(one: &Recipe, other: &Recipe) -> bool {
    one.needs.contains(&other.name) || !one.requires.is_disjoint(&other.provides)
}

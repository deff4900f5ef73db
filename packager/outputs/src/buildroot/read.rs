//! Reading a tree back: what its files say, as Buildroot understands them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{NAME, PREFIX, Recipe, upper, virtuals};
use l4re_packager_base::{Diagnostic, Failure, Position, Report};
use l4re_packager_core::package::Tree;

/// Reads the packages of a tree that [`super::emit`] made, possibly changed by hand.
///
/// Says what Buildroot does not: a provider whose makefile does not claim what its `Config.in`
/// promises (two providers are then built side by side), a `default` that names another package, a
/// virtual package that is missing. `folder` is what messages call the tree.
///
/// # Errors
///
/// [`Failure`] with all of these.
pub fn read(folder: &Path, tree: &Tree) -> Result<Vec<Recipe>, Failure> {
    let mut reader = Reader { folder, tree, report: Report::new() };
    let mut recipes = Vec::new();
    for (path, _) in tree.iter() {
        let name = path.strip_prefix("package/").and_then(|rest| rest.strip_suffix("/Config.in"));
        if let Some(name) = name
            && !reader.text(&format!("package/{name}/{name}.mk")).contains("virtual-package")
        {
            recipes.push(reader.recipe(name));
        }
    }
    reader.check_virtuals(&recipes);
    reader.check_selects(&recipes);
    reader.report.into_result(recipes).map(|(recipes, _)| recipes)
}

struct Reader<'a> {
    folder: &'a Path,
    tree: &'a Tree,
    report: Report,
}

impl Reader<'_> {
    fn text(&self, path: &str) -> String {
        let bytes = self.tree.get(path).map_or(&[][..], |entry| &entry.bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn error(&mut self, code: &'static str, path: &str, line: usize, text: String) {
        let diagnostic = Diagnostic::error(code, text).file(&self.folder.join(path));
        let place = Position::Text { line, column: 1 };
        self.report.push(if line > 0 { diagnostic.at(place) } else { diagnostic });
    }

    fn recipe(&mut self, name: &str) -> Recipe {
        let (config_path, make_path) =
            (format!("package/{name}/Config.in"), format!("package/{name}/{name}.mk"));
        let config = Config::parse(&self.text(&config_path));
        let make = self.text(&make_path);
        let symbol = upper(name);
        let variable = |name: &str| variable(&make, &format!("{symbol}_{name}"));
        let words = |name: &str| -> BTreeSet<String> {
            variable(name).split_whitespace().map(str::to_owned).collect()
        };
        let provides = words("PROVIDES");
        let claimed: BTreeSet<String> = provides.iter().map(|word| upper(word)).collect();
        for (word, line) in &config.selects {
            if !claimed.contains(word) {
                let text = format!(
                    "selects BR2_PACKAGE_HAS_{word}, but {symbol}_PROVIDES in the makefile does not \
                     name it: a second provider would not be noticed"
                );
                self.error("unclaimed", &config_path, *line, text);
            }
        }
        for (word, (default, line)) in &config.defaults {
            if default != name {
                let text = format!("names \"{default}\" as the provider instead of \"{name}\"");
                self.error("other-default", &config_path, *line, text);
            }
            if !config.selects.contains_key(word) {
                let text = format!("a default for a word that it does not select: {word}");
                self.error("unselected", &config_path, *line, text);
            }
        }
        let selected = |word: &String| config.defaults.contains_key(&upper(word));
        for word in provides.iter().filter(|word| !selected(word)) {
            let text =
                format!("{symbol}_PROVIDES names {word}, but Config.in has no default for it");
            self.error("no-default", &make_path, 0, text);
        }
        let (folder, program) = target_of(&make);
        let (needs, requires) =
            words("DEPENDENCIES").into_iter().partition(|word| word.starts_with(PREFIX));
        Recipe {
            name: name.into(),
            version: variable("VERSION"),
            licence: variable("LICENSE"),
            help: config.help,
            architectures: folders(&variable("FOLDER")),
            provides,
            licence_files: words("LICENSE_FILES"),
            requires,
            needs,
            program,
            folder,
            unit: file_behind(&make, "-m 0644 $(@D)/"),
            host: Some(file_behind(&make, "$(@D)/host/")).filter(|file| !file.is_empty()),
        }
    }

    /// To select a provider lets two of them be chosen at once.
    fn check_selects(&mut self, recipes: &[Recipe]) {
        let providers: BTreeSet<String> = recipes
            .iter()
            .filter(|recipe| !recipe.provides.is_empty())
            .map(|recipe| upper(&recipe.name))
            .collect();
        for recipe in recipes {
            let path = format!("package/{}/Config.in", recipe.name);
            for (index, line) in self.text(&path).lines().enumerate() {
                let name = line.trim().strip_prefix("select BR2_PACKAGE_");
                let name = name.and_then(|rest| rest.split_whitespace().next());
                if let Some(name) = name.filter(|name| providers.contains(*name)) {
                    let text = format!(
                        "selects the provider BR2_PACKAGE_{name}: two could be chosen at once; write \
                         `depends on BR2_PACKAGE_{name}`"
                    );
                    self.error("selects-provider", &path, index + 1, text);
                }
            }
        }
    }

    fn check_virtuals(&mut self, recipes: &[Recipe]) {
        for name in virtuals(recipes).keys() {
            let path = format!("package/{name}/Config.in");
            let line = format!("source \"$BR2_EXTERNAL_{NAME}_PATH/{path}\"");
            if !self.text("Config.in").lines().any(|other| other == line) {
                let text = format!("does not source {path}, which defines what others provide");
                self.error("no-virtual", "Config.in", 0, text);
            }
        }
    }
}

/// What a `Config.in` of a driver says.
#[derive(Default)]
struct Config {
    help: Vec<String>,
    /// Words behind `BR2_PACKAGE_HAS_` that it selects, and their lines.
    selects: BTreeMap<String, usize>,
    /// Words behind `BR2_PACKAGE_PROVIDES_`, their default and its line.
    defaults: BTreeMap<String, (String, usize)>,
}

impl Config {
    fn parse(text: &str) -> Self {
        let mut config = Self::default();
        let (mut symbol, mut helping) = ("", false);
        for (index, line) in text.lines().enumerate() {
            if helping && (line.is_empty() || line.starts_with("\t  ")) {
                config.help.push(line.trim_start().into());
                continue;
            }
            helping = line == "\thelp";
            let line = line.trim();
            if let Some(name) = line.strip_prefix("config ") {
                symbol = name;
            } else if let Some(word) = line.strip_prefix("select BR2_PACKAGE_HAS_") {
                config.selects.insert(word.into(), index + 1);
            } else if let Some(value) = line.strip_prefix("default ")
                && let Some(word) = symbol.strip_prefix("BR2_PACKAGE_PROVIDES_")
            {
                config.defaults.insert(word.into(), (value.trim_matches('"').into(), index + 1));
            }
        }
        while config.help.last().is_some_and(String::is_empty) {
            config.help.pop();
        }
        config
    }
}

/// The value of a variable of a makefile; empty if it is not set.
fn variable(make: &str, name: &str) -> String {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(" = ")?.to_owned());
    make.lines().find_map(value).unwrap_or_default()
}

/// `$(if $(BR2_aarch64),arm64)…`.
fn folders(text: &str) -> BTreeMap<String, String> {
    let part = |part: &str| {
        let (symbol, folder) = part.split_once("),")?;
        Some((symbol.to_owned(), folder.strip_suffix(')')?.to_owned()))
    };
    text.split("$(if $(").filter_map(part).collect()
}

/// Folder and name of what is installed on the target.
fn target_of(make: &str) -> (String, String) {
    let place = make.lines().find_map(|line| line.trim().strip_prefix("$(TARGET_DIR)"));
    let (folder, program) = place.and_then(|place| place.rsplit_once('/')).unwrap_or_default();
    (folder.into(), program.into())
}

fn file_behind(make: &str, before: &str) -> String {
    let rest = make.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or_default().into()
}

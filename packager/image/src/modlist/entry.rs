//! One entry of a module list: the modules of an image.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use l4re_packager_base::{Diagnostic, Failure, Report, nearest};

use super::line::{Line, WORDS};
use super::read::{Context, List, Placed, wildcards};
use crate::attrs::Attrs;
use crate::image::Kind;

/// A module that an entry names.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is to bootstrap.
    pub kind: Kind,
    /// The file, as the list names it.
    pub file: String,
    /// Its name in the image.
    pub name: String,
    /// Its arguments.
    pub args: String,
    /// The line; none for the modules that every entry has.
    pub(crate) placed: Option<Placed>,
}

impl Item {
    /// File and arguments; the name is the file's unless the option `fname` gives another.
    fn new(kind: Kind, text: &str, placed: Option<&Placed>) -> Self {
        let text = text.trim();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (file, args) = text.split_at_checked(end).unwrap_or((text, ""));
        let fname = placed.and_then(|placed| placed.line.option("fname").flatten());
        let name = fname.or_else(|| file.rsplit('/').next()).unwrap_or_default();
        Self {
            kind,
            file: file.into(),
            name: name.into(),
            args: args.trim().into(),
            placed: placed.cloned(),
        }
    }

    /// The module of a line that stands alone.
    pub(crate) fn of_line(line: Line) -> Self {
        let kind = Kind::named(&line.word).unwrap_or(Kind::File);
        let text = line.rest.clone();
        Self::new(kind, &text, Some(&Placed { file: Arc::default(), line }))
    }

    /// The attributes that its line sets.
    pub(crate) fn attrs(&self) -> Attrs {
        let mut attrs = Attrs::default();
        for (key, value) in self.placed.iter().flat_map(|placed| &placed.line.options) {
            if let Some(key) = key.strip_prefix("attr:") {
                attrs.set(key, value.clone().unwrap_or_default());
            }
        }
        attrs
    }

    /// Its command line.
    pub fn command_line(&self) -> String {
        if self.args.is_empty() {
            self.name.clone()
        } else {
            format!("{} {}", self.name, self.args)
        }
    }

    /// Whether an option stands in its line.
    pub fn has(&self, key: &str) -> bool {
        self.placed.as_ref().is_some_and(|placed| placed.line.has(key))
    }

    /// Whether it is to be compressed.
    pub fn is_compressed(&self) -> bool {
        let option = self.placed.as_ref().and_then(|placed| placed.line.option("compress"));
        option.is_some_and(|value| value != Some("none"))
    }

    /// Whether another item makes the same module.
    fn is_same(&self, other: &Self) -> bool {
        let line = |item: &Self| {
            item.placed.as_ref().map(|p| (p.line.word.clone(), p.line.options.clone()))
        };
        (self.kind, &self.file, &self.name, &self.args)
            == (other.kind, &other.file, &other.name, &other.args)
            && line(self) == line(other)
    }

    /// A finding about its line.
    pub(crate) fn about(&self, diagnostic: Diagnostic) -> Diagnostic {
        match &self.placed {
            Some(placed) => placed.about(diagnostic),
            None => diagnostic,
        }
    }
}

/// An entry: what an image of it consists of.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, as in the list.
    pub name: String,
    /// Bootstrap's command line.
    pub command_line: String,
    /// Kernel, sigma0, root task, and the others in the order of the list.
    pub items: Vec<Item>,
    /// Folders that the list itself names, to be looked into last.
    pub search: Vec<String>,
}

impl Entry {
    /// The entry of that name; small and capital letters are alike.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is none, or with every line in it that cannot be used.
    pub fn find(list: &List, name: &str, context: &Context) -> Result<Self, Failure> {
        let mut builder = Builder::new(context);
        for placed in &list.lines {
            if !builder.line(placed, name) {
                break;
            }
        }
        let Some(found) = builder.found.take() else {
            let names = super::entries(list, context);
            let message = format!("no entry `{name}` for {}", context.arch);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names.join(", ")),
            };
            return Err(Diagnostic::error("no-entry", message).help(help).into());
        };
        let report = std::mem::take(&mut builder.report);
        let (entry, _) = report.into_result(builder.finish(&found))?;
        Ok(entry)
    }
}

/// A base module, and whether the entry names it itself.
struct Base {
    item: Item,
    named: bool,
}

enum State {
    /// Before the first entry or group, or in an entry that is not wanted.
    Outside,
    Entry,
    Group(String),
}

struct Builder<'a> {
    context: &'a Context,
    state: State,
    /// Whether no entry has started yet.
    global: bool,
    found: Option<Placed>,
    bases: [Base; 3],
    items: Vec<Item>,
    groups: BTreeMap<String, Vec<Item>>,
    bootstrap: Item,
    global_modaddr: Option<String>,
    modaddr: Option<String>,
    search: Vec<String>,
    report: Report,
}

impl<'a> Builder<'a> {
    fn new(context: &'a Context) -> Self {
        let base = |kind, file| Base { item: Item::new(kind, file, None), named: false };
        Self {
            context,
            state: State::Outside,
            global: true,
            found: None,
            bases: [
                base(Kind::Kernel, "fiasco"),
                base(Kind::Sigma0, "sigma0"),
                base(Kind::Roottask, "moe"),
            ],
            items: Vec::new(),
            groups: BTreeMap::new(),
            bootstrap: Item::new(Kind::File, "bootstrap", None),
            global_modaddr: None,
            modaddr: None,
            search: Vec::new(),
            report: Report::new(),
        }
    }

    /// Takes a line; answers whether to go on.
    fn line(&mut self, placed: &Placed, wanted: &str) -> bool {
        let line = &placed.line;
        match line.word.as_str() {
            "entry" | "title" => {
                if self.found.is_some() {
                    return false;
                }
                self.global = false;
                let here = self.context.holds(line) && line.rest.eq_ignore_ascii_case(wanted);
                self.state = if here { State::Entry } else { State::Outside };
                self.found = here.then(|| placed.clone());
            }
            "modaddr" => {
                let address = line.rest.split_whitespace().next().map(String::from);
                if self.global {
                    self.global_modaddr = address;
                } else if !matches!(self.state, State::Outside) {
                    self.modaddr = address;
                }
            }
            "searchpath" => {
                let folders = self.values(placed);
                self.search.extend(folders);
            }
            "group" => {
                let name = line.rest.split_whitespace().next().unwrap_or_default();
                self.state = State::Group(name.into());
            }
            word if word.starts_with("default-") => self.default(placed),
            word if !WORDS.contains(&word) => self.unknown(placed),
            _ => self.module(placed),
        }
        true
    }

    /// A word that no tool knows counts where modules are taken from, and nowhere else.
    fn unknown(&mut self, placed: &Placed) {
        if !matches!(self.state, State::Outside) {
            let findings = placed.line.check().into_iter().filter(Diagnostic::is_error);
            self.report.extend(findings.map(|finding| placed.about(finding)));
        }
    }

    fn default(&mut self, placed: &Placed) {
        let kind = placed.line.word.trim_start_matches("default-").to_owned();
        let Some(text) = self.values(placed).into_iter().next() else { return };
        match Kind::named(&kind) {
            Some(kind) => self.base(Item::new(kind, &text, Some(placed)), false),
            None => self.bootstrap = Item::new(Kind::File, &text, Some(placed)),
        }
    }

    fn base(&mut self, item: Item, named: bool) {
        if let Some(base) = self.bases.iter_mut().find(|base| base.item.kind == item.kind) {
            *base = Base { item, named };
        }
    }

    fn module(&mut self, placed: &Placed) {
        let line = &placed.line;
        let group = match &self.state {
            State::Outside => return,
            State::Entry => None,
            State::Group(name) => Some(name.clone()),
        };
        if line.word == "initrd" || line.word == "set" && line.rest.starts_with("mode") {
            self.report.push(placed.error("an entry that boots Linux is no bootstrap image"));
            return;
        }
        for text in self.values(placed) {
            let item = Item::new(Kind::File, &text, Some(placed));
            if line.word == "moe" {
                // Also in a group, which the stock tool does not tell from an entry here.
                let file = item.file.rsplit('/').next().unwrap_or_default();
                let root = format!("moe rom/{file} {}", item.args);
                self.base(Item::new(Kind::Roottask, &root, None), true);
            }
            if let Some(group) = &group {
                self.groups.entry(group.clone()).or_default().push(item);
                continue;
            }
            match line.word.as_str() {
                "set" => {}
                "bootstrap" => self.bootstrap = item,
                "module-group" => self.module_group(placed, &text),
                word => match Kind::named(word) {
                    Some(kind) if kind != Kind::File => self.base(Item { kind, ..item }, true),
                    _ => self.items.push(item),
                },
            }
        }
    }

    fn module_group(&mut self, placed: &Placed, names: &str) {
        for name in names.split_whitespace() {
            match self.groups.get(name) {
                Some(items) => self.items.extend(items.iter().cloned()),
                None => {
                    let error =
                        placed.error(format!("there is no group `{name}` before this line"));
                    let groups = self.groups.keys().map(String::as_str);
                    self.report.push(match nearest(name, groups) {
                        Some(near) => error.help(format!("did you mean `{near}`?")),
                        None => error,
                    });
                }
            }
        }
    }

    /// What a line stands for, which is nothing if its conditions do not hold.
    fn values(&mut self, placed: &Placed) -> Vec<String> {
        let line = &placed.line;
        if !self.context.holds(line) {
            return Vec::new();
        }
        if let Some(option) = ["perl", "shell"].into_iter().find(|key| line.has(key)) {
            let message = format!("`{option}`: code of a module list is not executed");
            let help = "write down the modules that the code would name";
            self.report.push(placed.error(message).help(help));
            return Vec::new();
        }
        if line.has("glob") {
            // Each word is a pattern or a name of its own.
            let found = line.rest.split_whitespace().map(|word| wildcards(Path::new(word)));
            return match found.collect::<Result<Vec<_>, _>>() {
                Ok(paths) => {
                    paths.iter().flatten().map(|path| path.display().to_string()).collect()
                }
                Err(message) => {
                    self.report.push(placed.error(message));
                    Vec::new()
                }
            };
        }
        // A word alone says nothing; that was told when the list was read.
        if line.rest.is_empty() { Vec::new() } else { vec![line.rest.clone()] }
    }

    fn finish(self, found: &Placed) -> Entry {
        let all = !found.line.has("no-defaults");
        let bases = self.bases.into_iter().filter(|base| base.named || all);
        let mut command_line = self.bootstrap.command_line();
        if let Some(address) = self.modaddr.or(self.global_modaddr) {
            if command_line.contains("-modaddr") {
                command_line = command_line.replace("%modaddr%", &address);
            } else {
                command_line = format!("{command_line} -modaddr={address}");
            }
        }
        let mut items: Vec<Item> = bases.map(|base| base.item).collect();
        for item in self.items {
            // Groups may share modules. What differs in anything stays, and is told when the image
            // is made.
            if !items.iter().any(|other| other.is_same(&item)) {
                items.push(item);
            }
        }
        Entry { name: found.line.rest.clone(), command_line, items, search: self.search }
    }
}

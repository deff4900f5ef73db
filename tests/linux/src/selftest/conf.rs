//! What a test sees of `conf`, from the project's evaluator: the files, the questions of
//! `oldaskconfig` and `oldconfig` word by word, and the findings.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use l4re_kconfig::{
    Choices, Config, Dialect, Environment, HostShell, Kconfig, MenuId, MenuKind, Preset, SymbolId,
    SymbolKind, SymbolType, TreeSource, Tristate,
};

use crate::Error;
use crate::tree::Tree;

/// Rounds of questions after which it is clear that they never end.
const ROUNDS: usize = 1000;

/// One test's `conf`: how it is run, and what the last run wrote.
pub(super) struct Conf<'t> {
    tree: &'t Tree,
    folder: &'t Path,
    pub config: String,
    pub stdout: String,
    pub findings: Vec<String>,
}

impl<'t> Conf<'t> {
    pub fn new(tree: &'t Tree, folder: &'t Path) -> Self {
        Self { tree, folder, config: String::new(), stdout: String::new(), findings: Vec::new() }
    }

    /// Runs a mode; whether it succeeded, `None` if there is no such mode.
    pub fn run(&mut self, mode: &str, arguments: &[String]) -> Result<Option<bool>, Error> {
        let known = ["oldaskconfig", "oldconfig", "olddefconfig", "defconfig"];
        let preset = Preset::from_target(mode).filter(|preset| *preset != Preset::Default);
        if preset.is_none() && !known.contains(&mode) || preset.is_some() && !arguments.is_empty() {
            return Ok(None);
        }
        let input = match arguments.first() {
            Some(file) => {
                let path = self.folder.join(file);
                Some(fs::read_to_string(&path).map_err(Error::io(&path))?)
            }
            None => None,
        };
        self.findings.clear();
        let source = TreeSource::new(self.folder);
        let environment = Environment::new().with("srctree", self.folder.to_string_lossy());
        let shell = Box::new(HostShell::new(&environment));
        let dialect = Dialect::of(&TreeSource::new(&self.tree.path));
        let loaded = Kconfig::load_file(&source, "Kconfig", environment, shell, dialect);
        let (kconfig, report) = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                self.findings.extend(failure.0.iter().map(ToString::to_string));
                return Ok(Some(false));
            }
        };
        self.findings.extend(report.iter().map(ToString::to_string));
        let mut config = match Config::new(&kconfig) {
            Ok(config) => config,
            Err(failure) => {
                self.findings.extend(failure.0.iter().map(ToString::to_string));
                return Ok(Some(false));
            }
        };
        if let Some(text) = &input {
            let report = config.read(text, Path::new(".config"));
            self.findings.extend(report.iter().map(ToString::to_string));
        }
        match (preset, mode) {
            (Some(preset), _) if config.preset(preset, &source).is_err() => return Ok(Some(false)),
            (None, "oldaskconfig" | "oldconfig") => {
                let keys = arguments.get(1).cloned();
                let mut interview = Interview::new(config, keys, mode == "oldaskconfig");
                interview.run();
                self.stdout = interview.out;
                config = interview.config;
            }
            _ => {}
        }
        self.config = config.dot_config();
        Ok(Some(true))
    }

    /// A line of the expected standard error that no finding says.
    ///
    /// The wording of findings is the project's own, so what is compared is what the lines name:
    /// of `FILE:LINE: TEXT` the place and the text, of `symbol A is selected by B` the link, of an
    /// inclusion the files.
    pub fn missing_finding(&self, expected: &str) -> Option<String> {
        let found = self.findings.join("\n").to_lowercase();
        let expected = expected.to_lowercase();
        let said = |line: &str| {
            let text = line.trim_start_matches("\t").trim();
            if let Some((_, link)) = text.split_once("symbol ") {
                let link = link.replace("default value contains", "has a default with");
                return found.contains(&link);
            }
            if let Some(file) = text.strip_prefix("current file : ") {
                return found.contains(file);
            }
            if let Some(place) = text.strip_prefix("included from: ") {
                return found.contains(place);
            }
            match text.split_once(": ") {
                Some((place, _)) if place.ends_with("error") => true,
                Some((place, text)) if place.contains(':') && !place.contains(' ') => {
                    let text = text.trim();
                    found.lines().any(|line| line.starts_with(place) && line.contains(text))
                }
                // Headings and advice.
                _ => true,
            }
        };
        let missing = expected.lines().find(|line| !said(line))?;
        Some(format!("no finding says\n{missing}\nof\n{found}"))
    }
}

/// The questions that `conf` asks, and the answers: the keys of the test, then the return key.
struct Interview<'k> {
    config: Config<'k>,
    out: String,
    keys: Option<String>,
    /// Whether everything is asked, or only what is new.
    all: bool,
    indent: usize,
    /// The menu that is gone through from its top.
    root: MenuId,
    /// Whether something new was found.
    found: bool,
}

impl<'k> Interview<'k> {
    fn new(config: Config<'k>, keys: Option<String>, all: bool) -> Self {
        let out = String::new();
        Self { config, out, keys, all, indent: 1, root: MenuId::ROOT, found: false }
    }

    fn kconfig(&self) -> &'k Kconfig {
        self.config.kconfig()
    }

    fn valued(&self) -> bool {
        self.kconfig().dialect().choices == Choices::Valued
    }

    fn run(&mut self) {
        if self.all {
            self.ask(MenuId::ROOT);
            self.all = false;
        }
        for _ in 0..ROUNDS {
            self.found = false;
            self.look_for_new(MenuId::ROOT);
            if !self.found {
                return;
            }
        }
        self.print("the questions do not end\n");
    }

    fn print(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// An empty line's answer, or the test's; it is shown, as there is no terminal.
    fn answer(&mut self) -> String {
        let answer = self.keys.take().unwrap_or_default();
        let _ = writeln!(self.out, "{answer}");
        answer
    }

    fn is_new(&self, symbol: SymbolId) -> bool {
        // Whether the input makes a choice is known when its value is.
        self.config.tristate(symbol);
        self.config.user_value(symbol).is_none()
    }

    fn is_changeable(&self, symbol: SymbolId) -> bool {
        self.config.visibility(symbol) > self.least(symbol)
    }

    /// The least value: a choice that is not `optional` is at least m, or y if it is bool (up to
    /// Linux 6.10).
    fn least(&self, symbol: SymbolId) -> Tristate {
        let own = self.kconfig().symbol(symbol);
        let selected = self.config.selected(symbol);
        if own.kind != SymbolKind::Choice || own.optional {
            return selected;
        }
        let least = if self.is_bool(symbol) { Tristate::Yes } else { Tristate::Mod };
        selected.max(least.min(self.config.visibility(symbol)))
    }

    fn is_visible(&self, menu: MenuId) -> bool {
        menu == MenuId::ROOT || self.config.is_visible(menu)
    }

    fn prompt(&self, menu: MenuId) -> &'k str {
        let kconfig = self.kconfig();
        if menu == MenuId::ROOT {
            return kconfig.main_menu();
        }
        kconfig.menu(menu).prompt.and_then(|prompt| kconfig.prompt_text(prompt)).unwrap_or_default()
    }

    fn look_for_new(&mut self, menu: MenuId) {
        if !self.is_visible(menu) {
            return;
        }
        let kconfig = self.kconfig();
        if let Some(symbol) = kconfig.menu(menu).symbol
            && self.is_new(symbol)
        {
            let choice = kconfig.symbol(symbol).kind == SymbolKind::Choice;
            let made = self.valued() && choice && self.config.tristate(symbol) == Tristate::Yes;
            if self.is_changeable(symbol) || made {
                if !self.found {
                    self.print("*\n* Restart config...\n*\n");
                }
                self.found = true;
                let mut parent = kconfig.parent(menu).unwrap_or(MenuId::ROOT);
                while !matches!(kconfig.menu(parent).kind, MenuKind::Root | MenuKind::Menu) {
                    parent = kconfig.parent(parent).unwrap_or(MenuId::ROOT);
                }
                self.root = parent;
                self.ask(parent);
            }
        }
        for child in kconfig.children(menu) {
            self.look_for_new(child);
        }
    }

    fn ask(&mut self, menu: MenuId) {
        if !self.is_visible(menu) {
            return;
        }
        let kconfig = self.kconfig();
        let node = kconfig.menu(menu);
        let own_menu = matches!(node.kind, MenuKind::Menu | MenuKind::Root);
        if own_menu && !self.all && self.root != menu {
            return self.look_for_new(menu);
        }
        if own_menu || node.kind == MenuKind::Comment {
            let (indent, title) = (" ".repeat(self.indent - 1), self.prompt(menu));
            self.print(&format!("{indent}*\n{indent}* {title}\n{indent}*\n"));
        }
        let Some(symbol) = node.symbol else { return self.ask_children(menu) };
        if kconfig.symbol(symbol).kind == SymbolKind::Choice {
            self.ask_choice(menu, symbol);
            if !self.valued() || self.config.tristate(symbol) != Tristate::Mod {
                return;
            }
        } else if kconfig.symbol(symbol).symbol_type.is_logic() {
            self.ask_logic(menu, symbol);
        } else {
            self.ask_text(menu, symbol);
        }
        self.indent += 2;
        self.ask_children(menu);
        self.indent -= 2;
    }

    fn ask_children(&mut self, menu: MenuId) {
        for child in self.kconfig().children(menu) {
            self.ask(child);
        }
    }

    /// Whether the user is asked: else the value is shown.
    fn asks(&mut self, symbol: SymbolId, value: &str) -> bool {
        let new = self.is_new(symbol);
        if new {
            self.print("(NEW) ");
        }
        if !self.is_changeable(symbol) || !self.all && !new {
            self.print(&format!("{value}\n"));
            return false;
        }
        true
    }

    fn ask_text(&mut self, menu: MenuId, symbol: SymbolId) {
        let name = &self.kconfig().symbol(symbol).name;
        for _ in 0..ROUNDS {
            let value = self.config.value(symbol).to_string();
            let (indent, prompt) = (" ".repeat(self.indent - 1), self.prompt(menu));
            self.print(&format!("{indent}{prompt} ({name}) [{value}] "));
            if !self.asks(symbol, &value) {
                return;
            }
            let answer = self.answer();
            let wanted = if answer.is_empty() { value } else { answer };
            if self.config.set(symbol, &wanted).is_ok() {
                return;
            }
        }
    }

    /// The type at present.
    fn is_bool(&self, symbol: SymbolId) -> bool {
        let own = self.kconfig().symbol(symbol);
        let modules = self.config.tristate(self.kconfig().modules());
        let chosen = own.choice.is_some() && self.config.visibility(symbol) == Tristate::Yes;
        own.symbol_type == SymbolType::Bool || modules == Tristate::No || chosen
    }

    fn may_be(&self, symbol: SymbolId, value: Tristate) -> bool {
        let least = self.least(symbol);
        let most = self.config.visibility(symbol);
        if value == Tristate::Mod && self.is_bool(symbol) || most <= least {
            return false;
        }
        if self.kconfig().symbol(symbol).choice.is_some() && most == Tristate::Yes {
            return value == Tristate::Yes;
        }
        (least..=most).contains(&value)
    }

    fn ask_logic(&mut self, menu: MenuId, symbol: SymbolId) {
        let name = &self.kconfig().symbol(symbol).name;
        for _ in 0..ROUNDS {
            let value = self.config.tristate(symbol);
            let mut question = " ".repeat(self.indent - 1) + self.prompt(menu) + " ";
            if !name.is_empty() {
                let _ = write!(question, "({name}) ");
            }
            let _ = write!(question, "[{}", value.as_str().to_uppercase());
            for other in [Tristate::No, Tristate::Mod, Tristate::Yes] {
                if other != value && self.may_be(symbol, other) {
                    let _ = write!(question, "/{other}");
                }
            }
            self.print(&format!("{question}/?] "));
            if !self.asks(symbol, value.as_str()) {
                return;
            }
            let answer = self.answer();
            let wanted = if answer.is_empty() { value.as_str() } else { &answer };
            if self.config.set(symbol, wanted).is_ok() {
                return;
            }
        }
    }

    fn ask_choice(&mut self, menu: MenuId, choice: SymbolId) {
        let mut new = self.valued() && self.is_new(choice);
        if self.valued() {
            if self.is_changeable(choice) {
                self.ask_logic(menu, choice);
            }
            match self.config.tristate(choice) {
                Tristate::Yes => {}
                Tristate::Mod if !self.is_changeable(choice) => {
                    let line = " ".repeat(self.indent - 1) + self.prompt(menu) + "\n";
                    return self.print(&line);
                }
                _ => return,
            }
        }
        for _ in 0..ROUNDS {
            let (members, chosen) = self.show_members(menu);
            new |= !self.valued() && members.iter().any(|member| self.is_new(*member));
            self.print(&format!("{}choice", " ".repeat(self.indent - 1)));
            let number = if members.len() == 1 {
                self.print("[1]: 1\n");
                1
            } else {
                self.print(&format!("[1-{}?]: ", members.len()));
                if self.all || new {
                    let answer = self.answer();
                    if answer.is_empty() { chosen } else { answer.parse().unwrap_or(0) }
                } else {
                    self.print(&format!("{chosen}\n"));
                    chosen
                }
            };
            let Some(member) = number.checked_sub(1).and_then(|index| members.get(index)) else {
                continue;
            };
            if self.config.set(*member, "y").is_ok() {
                return self.ask_below(menu, *member);
            }
        }
    }

    /// The visible members of a choice, and which of them is chosen, counted from 1.
    fn show_members(&mut self, menu: MenuId) -> (Vec<SymbolId>, usize) {
        let kconfig = self.kconfig();
        let line = " ".repeat(self.indent - 1) + self.prompt(menu) + "\n";
        self.print(&line);
        let (mut members, mut chosen) = (Vec::new(), 0);
        for child in kconfig.children(menu) {
            if !self.is_visible(child) {
                continue;
            }
            let (indent, prompt) = (" ".repeat(self.indent - 1), self.prompt(child));
            let Some(member) = kconfig.menu(child).symbol else {
                let _ = writeln!(self.out, "{indent}* {prompt}");
                continue;
            };
            members.push(member);
            let is_chosen = self.config.tristate(member) == Tristate::Yes;
            if is_chosen {
                chosen = members.len();
            }
            let mark = if is_chosen { '>' } else { ' ' };
            let name = &kconfig.symbol(member).name;
            let new = if self.is_new(member) { " (NEW)" } else { "" };
            let number = members.len();
            let _ = writeln!(self.out, "{indent}{mark} {number}. {prompt} ({name}){new}");
        }
        (members, chosen)
    }

    /// What depends on the chosen member of a choice is asked after it, up to Linux 6.10.
    fn ask_below(&mut self, menu: MenuId, member: SymbolId) {
        let kconfig = self.kconfig();
        let mut nodes = kconfig.children(menu);
        let node = nodes.find(|node| kconfig.menu(*node).symbol == Some(member));
        if let Some(node) = node.filter(|_| self.valued()) {
            self.indent += 2;
            self.ask_children(node);
            self.indent -= 2;
        }
    }
}

//! The walk over all Makefiles of an architecture.

use std::collections::{HashSet, VecDeque};

use l4re_packager_base::Diagnostic;

use super::{Condition, ConditionalMember, Gate, Listing, Survey, SurveyedModule, Uses};
use crate::environment::{Inherited, Knowledge, Surroundings};
use crate::evaluate::{LISTS, begin, object_path, stem};
use crate::hash::NameMap;
use crate::make::symbolic::{GUARD, SYMBOL, Table, is_symbolic};
use crate::make::words::words;
use crate::make::{Contribution, Evaluator, Limits, Stop};
use crate::tree::Tree;
use crate::walk::{about, roots};

/// Far below what a configuration may take: a survey has one word a line.
const LIMITS: Limits = Limits { depth: 100, value: 1 << 20, steps: 2_000_000 };
const MAX_DIRECTORIES: usize = 50_000;

impl Survey {
    /// Reads all Makefiles that can be reached from the root of the tree.
    ///
    /// A Makefile that cannot be evaluated is an error in the report; what it said before the error
    /// counts.
    pub fn of(tree: &Tree) -> Self {
        Self::with(tree, &[])
    }

    /// Reads them, and then those that can be reached from further directories. Some folders of
    /// drivers are opened by the Makefile of one architecture only, though every architecture
    /// sources their Kconfig files.
    pub fn with(tree: &Tree, more: &[String]) -> Self {
        let table = Table::default();
        let mut reader = Reader {
            tree,
            table: &table,
            survey: Self::default(),
            symbols: NameMap::default(),
            modules: NameMap::default(),
            seen: HashSet::new(),
            queue: VecDeque::new(),
        };
        let inherited = architecture(tree, &table);
        reader.queue.extend(roots(tree, &inherited));
        let mut more = more.iter().cloned();
        while let Some(path) = reader.queue.pop_front().or_else(|| more.next()) {
            if reader.seen.len() >= MAX_DIRECTORIES {
                let message = "the Makefiles open more directories than any tree has";
                reader.survey.report.push(Diagnostic::error("kbuild-limit", message));
                break;
            }
            if reader.seen.insert(path.clone()) {
                reader.directory(&path, &inherited);
            }
        }
        reader.survey.symbols = reader.symbols.into_iter().collect();
        reader.survey
    }
}

/// The directories that the architecture's Makefile adds under some configuration.
fn architecture(tree: &Tree, table: &Table) -> Inherited {
    let nothing = Inherited::new();
    let surroundings = Surroundings { tree, knowledge: Knowledge::All(table), inherited: &nothing };
    let mut evaluator = Evaluator::symbolic(tree, &surroundings, table, LIMITS);
    evaluator.set("libs-y", "lib/");
    // It asks the compiler a lot, which does not matter here; what it says until an error counts.
    let _ = evaluator.file(&format!("arch/{}/Makefile", tree.srcarch()));
    let names = [("core-y", "ARCH_CORE"), ("libs-y", "ARCH_LIB"), ("drivers-y", "ARCH_DRIVERS")];
    let mut variables = Inherited::new();
    for (variable, name) in names {
        let value = evaluator.value(variable).unwrap_or_default();
        let (value, _) = table.take_guards(&value);
        let directories = words(&value).filter(|word| word.ends_with('/') && !is_symbolic(word));
        variables.insert(name.to_owned(), directories.collect::<Vec<_>>().join(" "));
    }
    variables
}

struct Reader<'a> {
    tree: &'a Tree,
    table: &'a Table,
    survey: Survey,
    symbols: NameMap<String, Uses>,
    /// Index of a module of the current directory by its name.
    modules: NameMap<String, usize>,
    seen: HashSet<String>,
    queue: VecDeque<String>,
}

/// A word of a list, and when it is there.
struct Entry {
    word: String,
    makefile: String,
    line: u32,
    /// Of the name of the variable.
    name: Option<Condition>,
    /// Everything else.
    conditions: Vec<Condition>,
}

impl Entry {
    /// The symbols that list it: of the name; if there are none, of the conditions.
    fn symbols(&self) -> Vec<String> {
        match &self.name {
            Some(condition) => condition.symbols.clone(),
            None => positive(&self.conditions),
        }
    }

    /// Everything that must hold.
    fn all_conditions(&self) -> Vec<Condition> {
        self.name.iter().chain(&self.conditions).cloned().collect()
    }
}

/// The symbols that conditions need on, each once.
fn positive(conditions: &[Condition]) -> Vec<String> {
    let mut symbols: Vec<String> = Vec::new();
    for condition in conditions.iter().filter(|condition| condition.holds) {
        for symbol in &condition.symbols {
            if !symbols.contains(symbol) {
                symbols.push(symbol.clone());
            }
        }
    }
    symbols
}

impl Reader<'_> {
    fn directory(&mut self, path: &str, inherited: &Inherited) {
        let Some(makefile) = self.tree.makefile_of(path) else {
            // Listed for other architectures, or made by a build.
            return;
        };
        let knowledge = Knowledge::All(self.table);
        let surroundings = Surroundings { tree: self.tree, knowledge, inherited };
        let mut evaluator = Evaluator::symbolic(self.tree, &surroundings, self.table, LIMITS);
        begin(&mut evaluator, path, &LISTS);
        self.modules.clear();
        let outcome = evaluator.file(&makefile).and_then(|()| {
            self.subdirectories(&mut evaluator, path)?;
            self.library(&mut evaluator, path)?;
            self.entries(&mut evaluator, path)
        });
        if let Err(stop) = outcome {
            self.survey.report.push(about(*stop.0, &makefile));
        }
        let findings = evaluator.take_findings().into_iter();
        self.survey.report.extend(findings.map(|found| about(found, &makefile)));
        self.survey.makefiles.extend(evaluator.read_files().iter().map(|file| file.to_string()));
    }

    /// The words of variables, those of one assignment once.
    fn list(&self, evaluator: &mut Evaluator<'_>, names: &[&str]) -> Result<Vec<Entry>, Stop> {
        let mut entries = Vec::new();
        let mut seen: Vec<(u32, *const u8)> = Vec::new();
        for name in names {
            for contribution in evaluator.contributions(name) {
                let key = (contribution.piece.place.line, contribution.piece.text.as_ptr());
                if seen.contains(&key) && contribution.name.is_some() {
                    continue;
                }
                seen.push(key);
                self.contribution(evaluator, &contribution, &mut entries)?;
            }
        }
        Ok(entries)
    }

    fn contribution(
        &self,
        evaluator: &mut Evaluator<'_>,
        contribution: &Contribution,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Stop> {
        let text = evaluator.contributed(contribution)?;
        let guarded = text.contains(GUARD);
        for word in words(&text) {
            let (word, guard) = match guarded {
                true => self.table.take_guards(word),
                false => (word.to_owned(), 0),
            };
            // A word with a symbol's value in it names no file that could be known.
            if word.is_empty() || word.contains(SYMBOL) {
                continue;
            }
            let guard = self.table.both(contribution.piece.guard, guard);
            let mut conditions = self.table.conditions(guard);
            conditions.extend(contribution.replaced.iter().cloned());
            entries.push(Entry {
                word,
                makefile: contribution.piece.place.file.to_string(),
                line: contribution.piece.place.line,
                name: contribution.name.clone().filter(|name| name.holds),
                conditions,
            });
        }
        Ok(())
    }

    fn subdirectories(&mut self, evaluator: &mut Evaluator<'_>, path: &str) -> Result<(), Stop> {
        for entry in self.list(evaluator, &["subdir-y", "subdir-m"])? {
            self.queue.push_back(object_path(path, entry.word.trim_end_matches('/')));
        }
        Ok(())
    }

    fn library(&mut self, evaluator: &mut Evaluator<'_>, path: &str) -> Result<(), Stop> {
        for entry in self.list(evaluator, &["lib-y", "lib-m"])? {
            let object = object_path(path, &entry.word);
            for symbol in entry.symbols() {
                let library = &mut self.uses(&symbol).library;
                if !library.contains(&object) {
                    library.push(object.clone());
                }
            }
        }
        Ok(())
    }

    fn uses(&mut self, symbol: &str) -> &mut Uses {
        self.symbols.entry(symbol.to_owned()).or_default()
    }

    fn entries(&mut self, evaluator: &mut Evaluator<'_>, path: &str) -> Result<(), Stop> {
        for entry in self.list(evaluator, &["obj-y", "obj-m"])? {
            if entry.word.ends_with('/') {
                self.gate(path, &entry);
            } else if entry.word.ends_with(".o") {
                self.module(evaluator, path, entry)?;
            }
        }
        Ok(())
    }

    fn gate(&mut self, path: &str, entry: &Entry) {
        let directory = object_path(path, entry.word.trim_end_matches('/'));
        for symbol in entry.symbols() {
            let gate = Gate {
                directory: directory.clone(),
                makefile: entry.makefile.clone(),
                line: entry.line,
            };
            let gates = &mut self.uses(&symbol).gates;
            if !gates.contains(&gate) {
                gates.push(gate);
            }
        }
        self.queue.push_back(directory);
    }

    fn module(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        path: &str,
        entry: Entry,
    ) -> Result<(), Stop> {
        let name = stem(&entry.word).to_owned();
        let index = match self.modules.get(&name) {
            Some(index) => *index,
            None => {
                let index = self.survey.modules.len();
                self.modules.insert(name.clone(), index);
                self.survey.modules.push(SurveyedModule {
                    name: name.clone(),
                    directory: path.to_owned(),
                    listings: Vec::new(),
                    composite: false,
                    objects: Vec::new(),
                    conditional: Vec::new(),
                });
                self.members(evaluator, path, &name, index, &entry)?;
                index
            }
        };
        let symbols = entry.symbols();
        let conditions = entry.conditions;
        for symbol in positive(&conditions).iter().filter(|symbol| !symbols.contains(symbol)) {
            add(&mut self.uses(symbol).condition_of, index);
        }
        for symbol in &symbols {
            add(&mut self.uses(symbol).modules, index);
        }
        let listing = Listing { makefile: entry.makefile, line: entry.line, symbols, conditions };
        if let Some(module) = self.survey.modules.get_mut(index)
            && !module.listings.contains(&listing)
        {
            module.listings.push(listing);
        }
        Ok(())
    }

    /// Reads `name-objs`, `name-y`, `name-m` and all that can become these.
    fn members(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        path: &str,
        name: &str,
        index: usize,
        listed: &Entry,
    ) -> Result<(), Stop> {
        let variables = [format!("{name}-objs"), format!("{name}-y"), format!("{name}-m")];
        let composite = variables.iter().any(|variable| evaluator.has_contributions(variable));
        if !composite {
            if let Some(module) = self.survey.modules.get_mut(index) {
                module.objects.push(object_path(path, &listed.word));
            }
            return Ok(());
        }
        let names: Vec<&str> = variables.iter().map(String::as_str).collect();
        let entries = self.list(evaluator, &names)?;
        let own = listed.symbols();
        let mut objects: Vec<String> = Vec::new();
        let mut conditional: Vec<ConditionalMember> = Vec::new();
        for entry in entries {
            let object = object_path(path, &entry.word);
            let mut conditions = entry.all_conditions();
            // What the module itself needs is no further condition, nor what it is listed under.
            conditions.retain(|condition| {
                let own = condition.symbols.iter().all(|symbol| own.contains(symbol));
                let known = condition.holds && own || listed.conditions.contains(condition);
                !known
            });
            if conditions.is_empty() {
                if !objects.contains(&object) {
                    objects.push(object);
                }
                continue;
            }
            let member = ConditionalMember { object, conditions };
            if !conditional.contains(&member) {
                conditional.push(member);
            }
        }
        conditional.retain(|member| !objects.contains(&member.object));
        for member in &conditional {
            for symbol in positive(&member.conditions) {
                add(&mut self.uses(&symbol).member_of, index);
            }
        }
        if let Some(module) = self.survey.modules.get_mut(index) {
            module.composite = true;
            module.objects = objects;
            module.conditional = conditional;
        }
        Ok(())
    }
}

fn add(list: &mut Vec<usize>, index: usize) {
    if !list.contains(&index) {
        list.push(index);
    }
}

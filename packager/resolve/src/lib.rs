//! Who provides what in an L4Re tree: what L4Re's own build does not say.
//!
//! The build puts all words of all `provides:` into one name space, and the last package that it
//! reads wins. Two packages with one word, a circle of requirements, a field with a slip in its name:
//! none of that is reported there. [`resolve`] reports it, with the place and the way out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use l4re_packager_base::{Diagnostic, Failure, Position, Report, nearest};

pub mod condition;
pub mod control;
mod cycles;
mod tree;

pub use condition::Config;
use condition::Truth;
use control::{Field, Word};
pub use tree::{Kind, Package};

/// What to resolve.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The tree, or a folder of packages.
    pub tree: PathBuf,
    /// Packages outside of it, in the order in which they are registered.
    pub external: Vec<PathBuf>,
    /// Which package shall provide a word: word and package.
    pub providers: Vec<(String, String)>,
    /// What is known of the configuration.
    pub config: Config,
}

/// The packages of a tree and what each is built from.
#[derive(Debug, Serialize)]
pub struct Resolved {
    /// The packages, sorted.
    pub packages: Vec<Node>,
    /// Each provided word and the package that provides it.
    pub providers: BTreeMap<String, String>,
    /// Warnings.
    #[serde(skip)]
    pub report: Report,
}

/// A package.
#[derive(Debug, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it provides.
    pub provides: Vec<String>,
    /// The packages that are built before it.
    pub needs: Vec<String>,
}

/// Reads a tree and finds what is wrong with its dependencies.
///
/// # Errors
///
/// [`Failure`] with: words with several providers, words without one, circles, providers asked for
/// that there are not, and what L4Re's build stops at.
pub fn resolve(options: &Options) -> Result<Resolved, Failure> {
    let mut report = Report::new();
    let packages = tree::read(&options.tree, &options.external, &mut report)?;
    let mut resolver = Resolver::new(&packages, &options.config, report);
    resolver.choose(&options.providers);
    resolver.edges();
    cycles::report(&packages, &resolver.edges, &mut resolver.report);
    let (resolved, report) = resolver.finish();
    report.into_result(resolved).map(|(resolved, report)| Resolved { report, ..resolved })
}

/// Why one package is built before another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    to: usize,
    word: String,
    file: PathBuf,
    position: Position,
}

struct Resolver<'a> {
    packages: &'a [Package],
    config: &'a Config,
    /// All packages that offer a word, in the order in which the build reads them.
    offers: BTreeMap<&'a str, Vec<(usize, &'a Word)>>,
    edges: Vec<Vec<Edge>>,
    report: Report,
}

impl<'a> Resolver<'a> {
    fn new(packages: &'a [Package], config: &'a Config, report: Report) -> Self {
        let mut offers: BTreeMap<&str, Vec<(usize, &Word)>> = BTreeMap::new();
        for (index, package) in packages.iter().enumerate() {
            for word in package.words(Field::Provides) {
                let offer = offers.entry(&word.text).or_default();
                // A word given twice by one package is no conflict.
                if offer.last().is_none_or(|(last, _)| *last != index) {
                    offer.push((index, word));
                }
            }
        }
        Self { packages, config, offers, edges: Vec::new(), report }
    }

    /// The packages that compete for a word. An alias gives way to a package of the same name, and
    /// what is hidden is not built.
    fn candidates(&self, word: &str) -> Vec<(usize, &'a Word)> {
        let all = self.offers.get(word).map_or(&[][..], Vec::as_slice);
        let of = |kind| all.iter().filter(move |(index, _)| self.packages[*index].kind == kind);
        let packages: Vec<_> = of(Kind::Package).copied().collect();
        if packages.is_empty() {
            of(Kind::Alias).next_back().copied().into_iter().collect()
        } else {
            packages
        }
    }

    /// The package that the build takes for a word: the one read last.
    fn provider(&self, word: &str) -> Option<usize> {
        self.candidates(word).last().map(|(index, _)| *index)
    }

    /// Checks that each word has one provider, or that the one asked for is what the build takes.
    fn choose(&mut self, wanted: &[(String, String)]) {
        let mut chosen = BTreeSet::new();
        for (word, name) in wanted {
            if let Err(diagnostic) = self.chosen(word, name) {
                self.report.push(diagnostic);
            }
            chosen.insert(word.as_str());
        }
        let words: Vec<&str> = self.offers.keys().copied().collect();
        for word in words.into_iter().filter(|word| !chosen.contains(word)) {
            let candidates = self.candidates(word);
            if let [others @ .., (winner, at)] = candidates.as_slice()
                && !others.is_empty()
            {
                let diagnostic = self.conflict(word, others, *winner, at);
                self.report.push(diagnostic);
            }
        }
    }

    fn conflict(
        &self,
        word: &str,
        others: &[(usize, &Word)],
        winner: usize,
        at: &Word,
    ) -> Diagnostic {
        let name = &self.packages[winner].name;
        let list: Vec<String> = others
            .iter()
            .map(|(index, word)| {
                let package = &self.packages[*index];
                format!("\"{}\" ({})", package.name, place(&package.file, word.position))
            })
            .collect();
        let message = format!(
            "both \"{name}\" and {} provide \"{word}\"; only one can. L4Re takes \"{name}\" without \
             a word, because it reads it last",
            list.join(" and ")
        );
        let help = format!(
            "hide all but one with an empty file `broken` beside its Control, or accept this one \
             with --provider {word}={name}"
        );
        let diagnostic = Diagnostic::error("two-providers", message);
        diagnostic.file(&self.packages[winner].file).at(at.position).help(help)
    }

    /// Whether the build takes the package that was asked for.
    fn chosen(&self, word: &str, name: &str) -> Result<(), Diagnostic> {
        let code = "unknown-provider";
        let candidates = self.candidates(word);
        if candidates.is_empty() {
            let message = format!("--provider {word}={name}: nothing provides \"{word}\"");
            let near = nearest(word, self.offers.keys().copied());
            return Err(with_near(Diagnostic::error(code, message), near));
        }
        let named = |index: usize| {
            let package = &self.packages[index];
            package.name == name || package.short() == name
        };
        let winner = candidates.last().map(|(index, _)| *index);
        if winner.is_some_and(named) {
            return Ok(());
        }
        if let Some((_, at)) = candidates.iter().find(|(index, _)| named(*index)) {
            let others = candidates.iter().filter(|(index, _)| !named(*index));
            let others: Vec<&str> =
                others.map(|(index, _)| self.packages[*index].name.as_str()).collect();
            let message = format!(
                "\"{name}\" shall provide \"{word}\", but L4Re takes \"{}\", which it reads later",
                winner.map_or("", |winner| &self.packages[winner].name)
            );
            let help = format!(
                "hide {} with an empty file `broken` beside its Control",
                others.join(" and ")
            );
            let file = candidates.iter().find(|(index, _)| named(*index)).map(|(index, _)| *index);
            let diagnostic = Diagnostic::error("other-provider", message).help(help);
            return Err(match file {
                Some(index) => diagnostic.file(&self.packages[index].file).at(at.position),
                None => diagnostic,
            });
        }
        let known =
            self.packages.iter().any(|package| package.name == name || package.short() == name);
        let names: Vec<&str> =
            candidates.iter().map(|(index, _)| self.packages[*index].name.as_str()).collect();
        let message = if known {
            format!("--provider {word}={name}: \"{name}\" does not provide \"{word}\"")
        } else {
            format!("--provider {word}={name}: there is no package \"{name}\"")
        };
        let shorts = candidates.iter().map(|(index, _)| self.packages[*index].short());
        let diagnostic = Diagnostic::error(code, message);
        Err(match nearest(name, names.iter().copied().chain(shorts)) {
            Some(near) if !known => diagnostic.help(format!("did you mean `{near}`?")),
            _ => diagnostic.help(format!("\"{word}\" is provided by {}", names.join(", "))),
        })
    }

    /// What is built before what.
    fn edges(&mut self) {
        for (index, package) in self.packages.iter().enumerate() {
            let mut edges: Vec<Edge> = Vec::new();
            if package.kind != Kind::Hidden {
                let needed = package.words(Field::Requires).map(|word| (word, true));
                for (word, must) in
                    needed.chain(package.words(Field::Optional).map(|word| (word, false)))
                {
                    if let Some(edge) = self.edge(index, word, must)
                        && !edges.iter().any(|other| other.to == edge.to)
                    {
                        edges.push(edge);
                    }
                }
            }
            self.edges.push(edges);
        }
    }

    fn edge(&mut self, from: usize, word: &Word, must: bool) -> Option<Edge> {
        let package = &self.packages[from];
        let counts = word.counts(self.config);
        if counts == Truth::No {
            return None;
        }
        if let Some(to) = self.provider(&word.text) {
            let (file, position) = (package.file.clone(), word.position);
            // What may be left out must not close a circle.
            return (counts == Truth::Yes).then(|| Edge {
                to,
                word: word.text.clone(),
                file,
                position,
            });
        }
        if must && counts == Truth::Yes {
            let diagnostic = self.missing(package, word);
            self.report.push(diagnostic);
        }
        None
    }

    fn missing(&self, package: &Package, word: &Word) -> Diagnostic {
        let message =
            format!("\"{}\" requires \"{}\", which no package provides", package.name, word.text);
        let diagnostic =
            Diagnostic::error("no-provider", message).file(&package.file).at(word.position);
        let hidden = self.offers.get(word.text.as_str()).and_then(|offers| offers.last());
        if let Some((index, _)) = hidden {
            let name = &self.packages[*index].name;
            return diagnostic.help(format!(
                "\"{name}\" would, but a file `broken` or `obsolete` in its folder hides it"
            ));
        }
        let known = self.offers.iter().filter(|(word, _)| self.provider(word).is_some());
        match nearest(&word.text, known.map(|(word, _)| *word)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(
                "add a package that provides it, or say `optional` if it can be done without",
            ),
        }
    }

    fn finish(self) -> (Resolved, Report) {
        let name = |index: usize| self.packages[index].name.clone();
        let mut nodes = Vec::new();
        for (index, package) in self.packages.iter().enumerate() {
            if package.kind != Kind::Package {
                continue;
            }
            let provides = package.words(Field::Provides).map(|word| word.text.clone()).collect();
            let needs = self.needs(index);
            let needs = needs.into_iter().map(name).collect();
            nodes.push(Node { name: package.name.clone(), provides, needs });
        }
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let words = self.offers.keys();
        let providers =
            words.filter_map(|word| Some(((*word).to_owned(), name(self.provider(word)?))));
        let providers = providers.collect();
        (Resolved { packages: nodes, providers, report: Report::new() }, self.report)
    }

    /// The packages that a package needs directly; those behind an alias instead of the alias.
    fn needs(&self, package: usize) -> BTreeSet<usize> {
        let mut needs = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut todo = vec![package];
        while let Some(at) = todo.pop() {
            for edge in &self.edges[at] {
                if self.packages[edge.to].kind != Kind::Alias {
                    needs.insert(edge.to);
                } else if seen.insert(edge.to) {
                    todo.push(edge.to);
                }
            }
        }
        needs
    }
}

/// `file:line`.
fn place(file: &Path, position: Position) -> String {
    match position {
        Position::Text { line, .. } => format!("{}:{line}", file.display()),
        Position::Offset(_) => file.display().to_string(),
    }
}

fn with_near(diagnostic: Diagnostic, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

//! A conversation line by line: numbers, names, words to search for.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;

use super::super::catalog::{Catalog, Entry, Filter, Kind};
use super::{Choice, Stop};
use l4re_packager_base::{Diagnostic, plain};

/// Most lines of a list shown at once.
const PAGE: usize = 40;

/// Longest line that is read, in bytes.
const LINE_MAX: u64 = 4096;

/// Asks at the terminal.
pub(super) fn on_terminal(
    catalog: &Catalog,
    subsystem: Option<&str>,
    hint: bool,
    title: &str,
) -> Result<Choice, Stop> {
    let failed = |error: io::Error| {
        let message = format!("cannot use the terminal: {error}");
        Stop::Failure(Diagnostic::error("no-terminal", message).into())
    };
    let clone = if io::IsTerminal::is_terminal(&io::stderr()) {
        io::stderr().as_fd().try_clone_to_owned()
    } else {
        io::stdout().as_fd().try_clone_to_owned()
    };
    let mut out = File::from(clone.map_err(failed)?);
    let mut input = io::stdin().lock();
    let chosen = greet(&mut out, hint, title)
        .and_then(|()| ask(catalog, subsystem, &mut input, &mut out))
        .map_err(failed)?;
    chosen.ok_or(Stop::Cancelled(1))
}

fn greet(out: &mut dyn Write, hint: bool, title: &str) -> io::Result<()> {
    writeln!(out, "{}", plain(title))?;
    if hint {
        writeln!(out, "(With the program `dialog` installed there are menus instead.)")?;
    }
    writeln!(
        out,
        "Type a number, a name, or a word to search for; + for more of a list, .. for all \
         subsystems,\nq to give up."
    )
}

/// What can be chosen.
#[derive(Clone, Copy)]
enum Item<'c> {
    Subsystem(&'c str, usize),
    Driver(&'c Entry),
}

/// The state of the conversation.
struct Dialogue<'c> {
    catalog: &'c Catalog,
    /// The subsystem that names and words are looked for in.
    subsystem: Option<String>,
    /// What the numbers stand for.
    items: Vec<Item<'c>>,
    /// How many of them were shown.
    shown: usize,
}

/// Asks until a driver is chosen; `None` if somebody gives up.
fn ask(
    catalog: &Catalog,
    subsystem: Option<&str>,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<Option<Choice>> {
    let mut dialogue = Dialogue { catalog, subsystem: None, items: Vec::new(), shown: 0 };
    dialogue.enter(subsystem);
    dialogue.page(out)?;
    loop {
        write!(out, "{}> ", plain(dialogue.subsystem.as_deref().unwrap_or("subsystem")))?;
        out.flush()?;
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut *input, LINE_MAX);
        if limited.read_until(b'\n', &mut line)? == 0 {
            writeln!(out)?;
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim() {
            "" => {
                dialogue.shown = 0;
                dialogue.page(out)?;
            }
            "+" => dialogue.page(out)?,
            ".." => {
                dialogue.enter(None);
                dialogue.page(out)?;
            }
            "q" | "quit" | "exit" => return Ok(None),
            word => {
                if let Some(entry) = dialogue.answer(word, out)? {
                    let (subsystem, symbol) = (entry.subsystem.clone(), entry.symbol.clone());
                    return Ok(Some(Choice { subsystem, symbol }));
                }
            }
        }
    }
}

impl<'c> Dialogue<'c> {
    /// Goes into a subsystem, or out to all of them.
    fn enter(&mut self, subsystem: Option<&str>) {
        self.subsystem = subsystem.map(str::to_owned);
        let items: Vec<Item<'c>> = match subsystem {
            None => {
                let all = self.catalog.subsystems().into_iter();
                all.map(|(name, count)| Item::Subsystem(name, count)).collect()
            }
            Some(_) => self.search(None),
        };
        self.show(items);
    }

    fn show(&mut self, items: Vec<Item<'c>>) {
        self.items = items;
        self.shown = 0;
    }

    fn search(&self, word: Option<&str>) -> Vec<Item<'c>> {
        let (subsystem, search) = (self.subsystem.clone(), word.map(str::to_owned));
        let found = self.catalog.select(&Filter { all: false, subsystem, search });
        found.unwrap_or_default().into_iter().map(Item::Driver).collect()
    }

    /// Acts on a number, a name or a word.
    fn answer(&mut self, word: &str, out: &mut dyn Write) -> io::Result<Option<&'c Entry>> {
        if let Ok(number) = word.parse::<usize>() {
            match number.checked_sub(1).and_then(|index| self.items.get(index)).copied() {
                Some(Item::Driver(entry)) => return Ok(Some(entry)),
                Some(Item::Subsystem(name, _)) => {
                    self.enter(Some(name));
                    self.page(out)?;
                }
                None => writeln!(out, "There are numbers from 1 to {}.", self.items.len())?,
            }
            return Ok(None);
        }
        if self.subsystem.is_none() && self.catalog.subsystems().contains_key(word) {
            self.enter(Some(word));
            self.page(out)?;
            return Ok(None);
        }
        let named = self.catalog.named(word).into_iter().filter(|entry| {
            let inside = self.subsystem.as_ref().is_none_or(|name| *name == entry.subsystem);
            inside && entry.kind == Kind::Driver
        });
        let named: Vec<&Entry> = named.collect();
        let items = match named.as_slice() {
            [only] => return Ok(Some(only)),
            [] => self.search(Some(word)),
            several => several.iter().copied().map(Item::Driver).collect(),
        };
        if items.is_empty() {
            writeln!(out, "Nothing is called `{}` or speaks of it.", plain(word))?;
        } else {
            self.show(items);
            self.page(out)?;
        }
        Ok(None)
    }

    /// Shows the next page of the list.
    fn page(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let end = self.items.len().min(self.shown + PAGE);
        let page = self.items.get(self.shown..end).unwrap_or_default();
        let names = page.iter().map(|item| item.name().chars().count());
        let width = names.max().unwrap_or(0);
        for (index, item) in page.iter().enumerate() {
            let number = self.shown + index + 1;
            writeln!(out, "{number:5}  {:width$}  {}", item.name(), item.about())?;
        }
        self.shown = end;
        match self.items.len() - end {
            0 => Ok(()),
            more => writeln!(out, "       … and {more} more (+)"),
        }
    }
}

impl Item<'_> {
    fn name(&self) -> String {
        match self {
            Self::Subsystem(name, _) => plain(name),
            Self::Driver(entry) => plain(&entry.symbol),
        }
    }

    fn about(&self) -> String {
        match self {
            Self::Subsystem(_, 1) => "1 driver".into(),
            Self::Subsystem(_, count) => format!("{count} drivers"),
            Self::Driver(entry) => {
                format!("{} [{}]", plain(&entry.prompt), plain(&entry.subsystem))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CatalogModule;

    fn entry(subsystem: &str, symbol: &str, prompt: &str) -> Entry {
        Entry {
            symbol: symbol.into(),
            subsystem: subsystem.into(),
            symbol_type: "tristate",
            prompt: prompt.into(),
            kconfig: format!("drivers/{subsystem}/Kconfig"),
            line: 1,
            depends_on: String::new(),
            kind: Kind::Driver,
            modules: vec![CatalogModule {
                name: symbol.to_lowercase(),
                directory: String::new(),
                objects: Vec::new(),
            }],
            value: None,
            visible: None,
            help: String::new(),
        }
    }

    fn catalog() -> Catalog {
        let mut entries = vec![
            entry("block", "LOOP", "Loopback"),
            entry("net", "E1000", "Intel Gigabit\x1b[2J"),
            entry("net", "E1000E", "Intel PCIe"),
            entry("net", "PHY", "Transceiver on cards"),
            entry("usb", "PHY", "Transceiver on sticks"),
        ];
        entries.extend((0..100).map(|n| entry("video", &format!("FB{n:03}"), "Screen")));
        Catalog { entries, ..Catalog::default() }
    }

    /// What is chosen by these lines, and what was shown.
    fn talk(subsystem: Option<&str>, lines: &str) -> (Option<String>, String) {
        let mut out = Vec::new();
        let catalog = catalog();
        let chosen = ask(&catalog, subsystem, &mut lines.as_bytes(), &mut out).unwrap();
        let chosen = chosen.map(|choice| format!("{}/{}", choice.subsystem, choice.symbol));
        (chosen, String::from_utf8(out).unwrap())
    }

    fn chosen(lines: &str) -> Option<String> {
        talk(None, lines).0
    }

    #[test]
    fn numbers_lead_to_the_subsystem_and_then_to_the_driver() {
        let (chosen, shown) = talk(None, "2\n1\n");
        assert_eq!(chosen.as_deref(), Some("net/E1000"));
        assert_eq!(
            shown,
            "    1  block  1 driver\n    2  net    3 drivers\n    3  usb    1 driver\n    \
             4  video  100 drivers\nsubsystem>     1  E1000   Intel Gigabit [2J [net]\n    \
             2  E1000E  Intel PCIe [net]\n    3  PHY     Transceiver on cards [net]\nnet> "
        );
    }

    #[test]
    fn names_choose_at_once_and_words_search() {
        assert_eq!(chosen("e1000\n").as_deref(), Some("net/E1000"));
        assert_eq!(chosen("CONFIG_E1000E\n").as_deref(), Some("net/E1000E"));
        assert_eq!(chosen("net\nphy\n").as_deref(), Some("net/PHY"));
        assert_eq!(chosen("pcie\n1\n").as_deref(), Some("net/E1000E"));
        assert_eq!(chosen("net\n..\nusb\n1\n").as_deref(), Some("usb/PHY"));
        assert_eq!(talk(Some("usb"), "1\n").0.as_deref(), Some("usb/PHY"));
    }

    #[test]
    fn a_name_in_several_subsystems_is_asked_about() {
        let (chosen, shown) = talk(None, "PHY\n2\n");
        assert_eq!(chosen.as_deref(), Some("usb/PHY"));
        assert!(shown.contains("1  PHY  Transceiver on cards [net]"), "{shown}");
    }

    #[test]
    fn long_lists_come_in_pages() {
        let (chosen, shown) = talk(None, "video\n+\n+\n+\n100\n");
        assert_eq!(chosen.as_deref(), Some("video/FB099"));
        assert!(shown.contains("… and 60 more (+)"), "{shown}");
        assert!(shown.contains("… and 20 more (+)"), "{shown}");
        assert_eq!(shown.matches("FB099").count(), 1);
    }

    #[test]
    fn nonsense_is_answered_and_the_end_of_input_gives_up() {
        let (chosen, shown) = talk(None, "0\n999\nnonsense\n\x1b[2J\n\n");
        assert_eq!(chosen, None);
        assert_eq!(shown.matches("There are numbers from 1 to 4.").count(), 2);
        assert!(shown.contains("Nothing is called `nonsense` or speaks of it."), "{shown}");
        assert!(!shown.contains('\x1b'), "{shown}");
        assert_eq!(talk(Some("net"), "q\n").0, None);
        assert_eq!(talk(Some("net"), "").0, None);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        assert_eq!(chosen(&"x".repeat(100_000)), None);
    }
}

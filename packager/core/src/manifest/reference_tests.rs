//! The reference of `driver.toml` in `docs/driver-toml.md`.
//!
//! Keys, types, words and what must be there are asked of the reader itself: a table with a key that
//! it does not know makes it list the keys that it does, a value of the wrong type makes it name the
//! right one. Only the meanings are written here, and each must belong to a key.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use l4re_packager_base::Diagnostic;

use super::Manifest;

/// The page; what follows the marker is generated.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/driver-toml.md");
const MARKER: &str =
    "<!-- generated: UPDATE_EXPECTED=1 cargo test -p l4re-packager-core reference -->\n";

/// Each table with what it is for.
const TABLES: [(&str, &str); 9] = [
    ("driver", "What the package is called, who maintains it, what it is."),
    ("target", "A target to build for."),
    (
        "c",
        "C code to link into the program. Paths are relative to the driver's folder and stay below it.",
    ),
    ("l4re", "Words for the package's `Control` file."),
    (
        "l4re.bus",
        "The devices that the driver handles. A driver of class `block` needs at least one. The virtual \
         bus of the package's example holds them; there is one example per kind.",
    ),
    ("l4re.example", "The example that starts the driver and one client."),
    (
        "systemd",
        "The unit file of the driver, see [systemd](systemd.md). Without the table the defaults hold.",
    ),
    ("cap", "A capability that the program finds by the variable `L4_CAP_<variable>`."),
    ("udi", "The UDI package, see [UDI](udi.md)."),
];

/// What each key means, by table and key.
const KEYS: &[(&str, &str)] = &[
    (
        "driver.name",
        "name of the package: lower case letters, digits, dashes; at most 32 characters",
    ),
    ("driver.description", "one line"),
    ("driver.program", "Cargo's name of the program; needed if the crate has several"),
    (
        "driver.class",
        "what the driver serves; a `test` is a program that runs, prints its result and ends, and needs no description of itself",
    ),
    ("driver.maintainer", "a bare mail address, as in L4Re's `Control` files"),
    ("driver.licence", "SPDX expression"),
    (
        "driver.kind",
        "where it is installed: `driver` in `/usr/lib/drivers`, `tool` in `/usr/bin`, `init` in the initial file system only. Default: by a table of well-known names, else `driver`",
    ),
    ("driver.version", "its version; default: a number made of the program's bytes"),
    ("driver.homepage", "its web page"),
    ("driver.provides", "virtual packages that it implements, such as `block-driver`"),
    ("driver.requires", "virtual packages that another package must implement"),
    ("driver.host-program", "a program for the machine that builds, below the driver's folder"),
    ("target.name", "a file in `targets/`; a target that can be built for has a linker script"),
    ("c.sources", "`.c` and `.S` files"),
    (
        "c.include",
        "folders with headers. Those of the C library and of the compiler are always found, those of the host never",
    ),
    ("c.define", "macros, `NAME` or `NAME=value`"),
    ("l4re.provides", "words besides the driver's name"),
    ("l4re.requires", "words besides `stdlibs`"),
    (
        "l4re.bus.pci",
        "PCI devices as io matches them: `VEN_`, `DEV_`, `CC_`, `REV_`, `SUBSYS_` with hexadecimal digits, joined by `&`",
    ),
    (
        "l4re.bus.compatible",
        "other devices, by the `compatible` string of io's hardware description. For `virtio,mmio` the description is part of the package",
    ),
    ("l4re.example.options", "the driver's command line"),
    (
        "l4re.example.create",
        "arguments of `create` for the client's device; without them the script only shows how",
    ),
    ("systemd.options", "arguments of the program"),
    ("systemd.after", "units that are started before this one, if at all"),
    ("systemd.requires", "units without which this one does not start; also ordered before it"),
    ("systemd.wants", "units that start along with this one"),
    ("systemd.capabilities", "Linux capabilities (`CAP_SYS_ADMIN`); default: none"),
    ("systemd.environment", "further variables, `NAME=value`"),
    (
        "systemd.wanted-by",
        "targets that start the unit once it is enabled; default: `multi-user.target`",
    ),
    ("systemd.enable", "enabled from the start; default: true"),
    (
        "systemd.drop-in",
        "make only a drop-in with the variables, for a unit that comes from elsewhere; default: false",
    ),
    ("systemd.restart", "when systemd starts the program again; default: `on-failure`"),
    (
        "cap.name",
        "the capability's name in the task's table: at most 16 characters, a warning above 15",
    ),
    ("cap.variable", "default: the name in upper case"),
    (
        "cap.source",
        "`channel`: a client's end of a channel; `factory`: the same with the right to create objects; `server`: the server's end; `bus`: the virtual bus; `env`: a name in `L4.Env`; `given`: only the builder of the system can supply it",
    ),
    (
        "cap.of",
        "the name of the channel or bus, or the name in `L4.Env`; default: the capability's name",
    ),
    ("cap.description", "one line"),
    (
        "udi.shortname",
        "name for files: at most 8 letters, digits and underscores; default: made of the driver's name",
    ),
    ("udi.supplier", "who supplies the driver; default: the maintainer"),
    ("udi.release", "number of the release, also the name of the alternate; default: 1"),
    (
        "udi.sources",
        "files of a package with source, relative to the driver's folder: everything that `packager build` needs",
    ),
    ("udi.readable", "files that are packaged as they are; `driver.toml` always is"),
];

/// What the reader says about a text.
fn findings(text: &str) -> Vec<Diagnostic> {
    match Manifest::from_toml(Path::new("driver.toml"), text) {
        Ok((_, report)) => report.into_iter().collect(),
        Err(failure) => failure.0.into_iter().collect(),
    }
}

/// A table of the file as the reader describes it.
struct Probe {
    /// Its name with the tables around it; empty for the whole file.
    name: String,
    /// Whether there can be several.
    list: bool,
}

impl Probe {
    fn root() -> Self {
        Self { name: String::new(), list: false }
    }

    fn header(&self) -> String {
        match (self.name.as_str(), self.list) {
            ("", _) => String::new(),
            (name, false) => format!("[{name}]"),
            (name, true) => format!("[[{name}]]"),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.into() } else { format!("{}.{key}", self.name) }
    }

    /// What the reader says if the table holds only this line.
    fn holding(&self, line: &str) -> Vec<Diagnostic> {
        findings(&format!("{}\n{line}\n", self.header()))
    }

    /// The keys that the reader asks for, in its order.
    fn keys(&self) -> Vec<String> {
        let unknown = self.holding("\"0123456789\" = 0");
        let unknown = unknown.iter().filter(|finding| finding.message.contains("`0123456789`"));
        let keys = unknown.filter_map(|finding| finding.help.as_ref()?.strip_prefix("keys here: "));
        keys.flat_map(|keys| keys.split(", ")).map(str::to_owned).collect()
    }

    /// The type of a key's value.
    fn kind(&self, key: &str) -> String {
        let start = format!("`{key}` must be ");
        let said = self.holding(&format!("{key} = 1979-05-27"));
        let wanted = said.iter().filter_map(|finding| finding.message.strip_prefix(&start));
        let mut kinds = wanted.filter_map(|kind| kind.strip_suffix(", this is a date"));
        kinds.next().unwrap_or_else(|| panic!("{} takes a date: {said:?}", self.path(key))).into()
    }

    /// The words that the value can be, if they are a few fixed ones.
    fn words(&self, key: &str) -> Option<String> {
        let others: String = self.keys().iter().filter(|other| *other != key).fold(
            String::new(),
            // What a word means can depend on other keys being there.
            |text, other| if other == "name" { text + "name = \"n\"\n" } else { text },
        );
        let said = self.holding(&format!("{others}{key} = \"0123456789\""));
        let mut helps = said.iter().filter(|finding| finding.message.contains("`0123456789`"));
        let help = helps.find_map(|finding| finding.help.as_deref())?;
        let (_, words) = help.split_once(": ")?;
        Some(format!("`{}`", words.replace(", ", "`, `")))
    }

    /// Whether the reader misses the key in an empty table.
    fn needed(&self, key: &str) -> bool {
        let place =
            if self.name.is_empty() { "the file".into() } else { format!("[{}]", self.name) };
        let missing = [
            format!("`{key}` is missing in {place}"),
            format!("`{key}` in {place} names no file"),
            format!("no [[{key}]]"),
        ];
        self.holding("").iter().any(|finding| missing.contains(&finding.message))
    }
}

/// Writes the tables of the reference, from the outside to the inside.
fn tables(probe: &Probe, meanings: &mut BTreeMap<&str, &str>, text: &mut String) {
    let (mut rows, mut inner) = (String::new(), Vec::new());
    for key in probe.keys() {
        let kind = probe.kind(&key);
        let needed = if probe.needed(&key) { "yes" } else { "" };
        if kind.contains("table") {
            inner.push((Probe { name: probe.path(&key), list: kind.contains("list") }, needed));
            continue;
        }
        let path = probe.path(&key);
        let meaning = meanings.remove(&*path).unwrap_or_else(|| panic!("KEYS lacks {path}"));
        let words = probe.words(&key).unwrap_or_default();
        let explained = words.split(", ").all(|word| meaning.contains(word));
        let words = if explained { String::new() } else { format!("{words}: ") };
        writeln!(rows, "| `{key}` | {kind} | {needed} | {words}{meaning} |").unwrap();
    }
    if !probe.name.is_empty() {
        let about = TABLES.iter().find(|(name, _)| *name == probe.name);
        let (_, about) = about.unwrap_or_else(|| panic!("TABLES lacks {}", probe.name));
        writeln!(text, "\n## `{}`\n\n{about}", probe.header()).unwrap();
        if !rows.is_empty() {
            writeln!(text, "\n| key | value | needed | meaning |\n|---|---|---|---|\n{rows}")
                .unwrap();
            text.pop();
        }
    }
    for (table, needed) in inner {
        tables(&table, meanings, text);
        if !needed.is_empty() {
            let header = format!("## `{}`\n\n", table.header());
            *text = text.replace(&header, &format!("{header}Needed. "));
        }
    }
}

#[test]
fn the_reference_is_what_the_reader_reads() {
    let mut meanings: BTreeMap<&str, &str> = KEYS.iter().copied().collect();
    let mut generated = String::new();
    tables(&Probe::root(), &mut meanings, &mut generated);
    assert!(meanings.is_empty(), "KEYS has what nobody reads: {meanings:?}");
    for (table, _) in TABLES {
        assert!(generated.contains(&format!("[{table}]")), "TABLES has [{table}]");
    }
    let page = fs::read_to_string(PAGE).unwrap();
    let (written, old) = page.split_once(MARKER).expect("the page has the marker");
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(PAGE, format!("{written}{MARKER}{generated}")).unwrap();
    } else {
        assert!(old == generated, "docs/driver-toml.md is stale; it says how to make it");
    }
}

#[test]
fn the_example_of_the_reference_is_accepted() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (_, example) = page.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert_eq!(findings(example), []);
}

//! `[systemd]` and `[[cap]]`: the driver as a service of a system with a systemd userland.

use super::rules;
use crate::drvinfo::CAP_NAME_MAX;
use l4re_packager_base::reader::{Document, Placed, Table};
use l4re_packager_base::{Diagnostic, nearest};

/// Longest name that a task's table of capabilities can hold, in bytes; one more than
/// [`CAP_NAME_MAX`], because some readers want a terminator.
pub const TABLE_NAME_MAX: usize = 16;

/// `[systemd]`: what the unit file says beyond `[driver]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systemd {
    /// Arguments of the program.
    pub options: Vec<String>,
    /// Units that must have been started before, if they are started at all.
    pub after: Vec<String>,
    /// Units without which this one is not started.
    pub requires: Vec<String>,
    /// Units that are started along with this one.
    pub wants: Vec<String>,
    /// Targets that start this unit once it is enabled.
    pub wanted_by: Vec<String>,
    /// Whether it is enabled from the start.
    pub enable: bool,
    /// What happens when the program ends.
    pub restart: Restart,
    /// Linux capabilities (`CAP_…`) of the process; none by default.
    pub capabilities: Vec<String>,
    /// Further variables, `NAME=value`.
    pub environment: Vec<String>,
    /// Whether the unit file comes from elsewhere, and only a drop-in with the variables is made.
    pub drop_in: bool,
}

impl Default for Systemd {
    fn default() -> Self {
        Self {
            options: Vec::new(),
            after: Vec::new(),
            requires: Vec::new(),
            wants: Vec::new(),
            wanted_by: vec!["multi-user.target".into()],
            enable: true,
            restart: Restart::OnFailure,
            capabilities: Vec::new(),
            environment: Vec::new(),
            drop_in: false,
        }
    }
}

/// What happens when the program of a unit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    No,
    /// It is started again if it failed.
    OnFailure,
    /// It is started again.
    Always,
}

impl Restart {
    const ALL: [(&'static str, Self); 3] =
        [("no", Self::No), ("on-failure", Self::OnFailure), ("always", Self::Always)];

    /// Its name, in `driver.toml` and in unit files.
    pub fn name(self) -> &'static str {
        name_of(&Self::ALL, self)
    }
}

/// `[[cap]]`: a capability that the program is told of by the variable `L4_CAP_<variable>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCap {
    /// The variable's name behind `L4_CAP_`: what the program calls the capability.
    pub variable: String,
    /// The capability's name in the table of the task that starts the program.
    pub name: String,
    /// Where the script takes it from.
    pub source: Source,
    /// One line for people.
    pub description: String,
}

/// Where the script that starts systemd takes a capability from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A channel of that name; this program is a client.
    Channel(String),
    /// A channel of that name; this program is a client that may ask its server for objects, such as
    /// devices.
    Factory(String),
    /// A channel of that name; this program is its server.
    Server(String),
    /// A virtual bus of that name, made by io.
    Bus(String),
    /// What ned itself was given under this name: `L4.Env.<name>`.
    Env(String),
    /// Something that only whoever builds the system can supply.
    Given,
}

impl Source {
    const NAMES: [&'static str; 6] = ["channel", "factory", "server", "bus", "env", "given"];

    /// Its name in `driver.toml`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Channel(_) => "channel",
            Self::Factory(_) => "factory",
            Self::Server(_) => "server",
            Self::Bus(_) => "bus",
            Self::Env(_) => "env",
            Self::Given => "given",
        }
    }
}

/// What `L4.Env` offers in a script of ned: ned's own capabilities, and what moe gives it. Another
/// name is `nil` there, and a capability that is `nil` vanishes from its table without a word.
pub const ENV_NAMES: [&str; 15] = [
    "arm_smc",
    "dma_mgr",
    "factory",
    "icu",
    "iommu",
    "jdb",
    "kip",
    "log",
    "mem_alloc",
    "parent",
    "rom",
    "scheduler",
    "sigma0",
    "user_factory",
    "vesa",
];

pub(super) fn systemd(document: &Document, mut table: Table<'_>) -> Systemd {
    let default = Systemd::default();
    let mut words = |key, rule| {
        let words = table.strings(key);
        super::read::all_checked(document, key, words, rule)
    };
    let options = words("options", rules::argument);
    let after = words("after", unit);
    let requires = words("requires", unit);
    let wants = words("wants", unit);
    let capabilities = words("capabilities", linux_capability);
    let environment = words("environment", assignment);
    let wanted_by = if table.has("wanted-by") {
        let words = table.strings("wanted-by");
        super::read::all_checked(document, "wanted-by", words, unit)
    } else {
        let _known = table.strings("wanted-by");
        default.wanted_by
    };
    let enable = table.boolean("enable").map_or(default.enable, |enable| enable.value);
    let drop_in = table.boolean("drop-in").is_some_and(|drop_in| drop_in.value);
    let restart = table.string("restart");
    let restart = restart.and_then(|word| one_of(document, "restart", &Restart::ALL, &word));
    table.finish();
    Systemd {
        options,
        after,
        requires,
        wants,
        wanted_by,
        enable,
        restart: restart.unwrap_or(default.restart),
        capabilities,
        environment,
        drop_in,
    }
}

pub(super) fn caps(document: &Document, tables: Vec<Table<'_>>) -> Vec<ServiceCap> {
    let mut caps: Vec<ServiceCap> = Vec::new();
    for table in tables {
        let at = table.at();
        let Some(cap) = cap(document, table) else { continue };
        if caps.iter().any(|other| other.variable == cap.variable) {
            let message = format!("the variable `{}` stands in two [[cap]]", cap.variable);
            document.error("repeated", message, at);
        } else {
            caps.push(cap);
        }
    }
    caps
}

fn cap(document: &Document, mut table: Table<'_>) -> Option<ServiceCap> {
    let name = table.needed_string("name");
    let variable = table.string("variable");
    let source = table.needed_string("source");
    let of = table.string("of");
    let description = table.string("description");
    table.finish();
    let name = name.and_then(|name| cap_name(document, name));
    let variable = match variable {
        Some(word) => super::read::checked(document, "variable", Some(word), rules_variable),
        None => name.as_deref().map(variable_of),
    };
    let description = match description {
        Some(text) => super::read::checked(document, "description", Some(text), rules::line)?,
        None => String::new(),
    };
    let source = cap_source(document, &source?, of, name.as_deref()?)?;
    Some(ServiceCap { variable: variable?, name: name?, source, description })
}

/// The variable that stands for a capability unless `[[cap]]` says otherwise.
pub fn variable_of(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(fits).collect()
}

fn cap_name(document: &Document, word: Placed<String>) -> Option<String> {
    let name = super::read::checked(document, "name", Some(word.clone()), rules_cap_name)?;
    if name.len() > CAP_NAME_MAX {
        let message = format!("`{name}` has {} characters", name.len());
        let diagnostic = Diagnostic::warning("long-cap-name", message)
            .help("some programs find only names of at most 15 characters");
        document.report(diagnostic, word.at);
    }
    Some(name)
}

fn cap_source(
    document: &Document,
    word: &Placed<String>,
    of: Option<Placed<String>>,
    name: &str,
) -> Option<Source> {
    let all = Source::NAMES.map(|name| (name, name));
    let source = one_of(document, "source", &all, word)?;
    if let (Some(of), "given") = (&of, source) {
        document.error("bad-value", "`of` has no meaning with this source", of.at);
    }
    let of = of.unwrap_or_else(|| Placed { value: name.into(), at: word.at });
    if source == "env" {
        return env_name(document, of).map(Source::Env);
    }
    let of = super::read::checked(document, "of", Some(of), rules_cap_name)?;
    Some(match source {
        "channel" => Source::Channel(of),
        "factory" => Source::Factory(of),
        "server" => Source::Server(of),
        "bus" => Source::Bus(of),
        _ => Source::Given,
    })
}

fn env_name(document: &Document, word: Placed<String>) -> Option<String> {
    if ENV_NAMES.contains(&word.value.as_str()) {
        return Some(word.value);
    }
    let message =
        format!("L4.Env has no `{}`; the capability would be missing silently", word.value);
    let mut diagnostic = Diagnostic::error("unknown-env", message);
    diagnostic = match nearest(&word.value, ENV_NAMES) {
        Some(near) => diagnostic.help(format!("did you mean of = \"{near}\"?")),
        None => diagnostic.help(format!(
            "it has: {}; for anything else use source = \"given\"",
            ENV_NAMES.join(", ")
        )),
    };
    document.report(diagnostic, word.at);
    None
}

/// Finds a word among some, or says which there are.
pub(super) fn one_of<T: Copy>(
    document: &Document,
    key: &str,
    all: &[(&'static str, T)],
    word: &Placed<String>,
) -> Option<T> {
    let found = all.iter().find(|(name, _)| *name == word.value);
    if found.is_none() {
        let message = format!("unknown {key} `{}`", word.value);
        let names = all.iter().map(|(name, _)| *name);
        let diagnostic = match nearest(&word.value, names.clone()) {
            Some(near) => {
                Diagnostic::error("bad-value", message).help(format!("did you mean `{near}`?"))
            }
            None => Diagnostic::error("bad-value", message)
                .help(format!("there are: {}", names.collect::<Vec<_>>().join(", "))),
        };
        document.report(diagnostic, word.at);
    }
    found.map(|&(_, value)| value)
}

pub(super) fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], value: T) -> &'static str {
    all.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

fn rules_cap_name(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if word.len() > TABLE_NAME_MAX {
        Err("must have at most 16 characters: a task's table of capabilities has no room for more")
    } else if word.is_empty() || !word.chars().all(plain) {
        Err("must be letters, digits and _ - .")
    } else {
        Ok(())
    }
}

fn rules_variable(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if word.is_empty() || word.len() > 64 || !word.chars().all(plain) {
        Err("must be upper case letters, digits and underscores; L4_CAP_ is put before it")
    } else {
        Ok(())
    }
}

/// A unit's file name.
pub fn unit(word: &str) -> Result<(), &'static str> {
    const SUFFIXES: [&str; 7] = ["service", "target", "socket", "mount", "path", "timer", "device"];
    let plain = |c: char| c.is_ascii_alphanumeric() || ":_.-@\\".contains(c);
    match word.rsplit_once('.') {
        Some((stem, suffix))
            if !stem.is_empty() && word.chars().all(plain) && SUFFIXES.contains(&suffix) =>
        {
            Ok(())
        }
        _ => Err("must be the name of a unit, like network.target or fs.service"),
    }
}

fn linux_capability(word: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if word.starts_with("CAP_") && word.len() > 4 && word.chars().all(plain) {
        Ok(())
    } else {
        Err("must be Linux capabilities, like CAP_SYS_ADMIN")
    }
}

fn assignment(word: &str) -> Result<(), &'static str> {
    let (name, value) = word.split_once('=').ok_or("must be NAME=value")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || !name.chars().all(plain)
    {
        Err("must be NAME=value with letters, digits and underscores in the name")
    } else if name.starts_with("L4_CAP_") {
        Err("names a capability: that is what [[cap]] is for")
    } else if value.chars().any(char::is_control) {
        Err("must not have control characters in the value")
    } else {
        Ok(())
    }
}

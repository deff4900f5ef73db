//! What a driver's program says of itself: the text in the ELF section `.l4re.drvinfo`.
//!
//! The format is in `docs/architecture.md`, "One option table". The text comes out of a file that
//! anybody may have made, so everything is checked once, here.

use std::fmt;
use std::ops::RangeInclusive;

/// Name of the section.
pub const SECTION: &str = ".l4re.drvinfo";

/// Version of the format that is understood.
const VERSION: &str = "1";

/// Longest text that is looked at, in bytes. Real ones have a few kilobytes.
const MAX_TEXT: usize = 1 << 20;

/// Longest capability name, in bytes: the start-up environment has 16 for it, and some readers want
/// a terminator among them.
pub const CAP_NAME_MAX: usize = 15;

/// What a driver's program says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverInfo {
    /// Name of the driver.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Capabilities that it looks for.
    pub caps: Vec<Cap>,
    /// Options of its command line, in their order.
    pub cmds: Vec<Param>,
    /// Arguments of its factory.
    pub factory: Vec<Param>,
    /// Size of the first thread's stack in bytes, if it says so.
    pub stack: Option<u64>,
}

/// A capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// Its name in the initial capability table.
    pub name: String,
    /// The protocol it must speak.
    pub protocol: String,
    /// How it may be used.
    pub flags: Flags,
    /// What it is for.
    pub description: String,
}

/// An option of the command line, or an argument of the factory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name, without dashes.
    pub name: String,
    /// Its letter on the command line.
    pub short: Option<char>,
    /// What its value is.
    pub kind: ValueKind,
    /// What holds if it is not given, as text.
    pub default: Option<String>,
    /// How it may be used.
    pub flags: Flags,
    /// What it is for.
    pub description: String,
}

/// What the value of a [`Param`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueKind {
    /// There is none.
    Flag,
    /// Text.
    String,
    /// Name of a capability.
    Cap,
    /// A number, within a range if there is one.
    Uint(Option<RangeInclusive<u64>>),
}

/// How an entry may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// It must be there.
    pub mandatory: bool,
    /// There may be several.
    pub multiple: bool,
    /// The capability needs the server right.
    pub server: bool,
    /// The option is about the client that the preceding `--client` names.
    pub client: bool,
    /// The option is accepted and has no effect.
    pub ignored: bool,
}

/// Why a text is no description of a driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line_prefix(*.line))]
pub struct BadInfo {
    /// Number of the line, from 1; 0 if it is about the whole text.
    pub line: usize,
    /// Byte offset of that line in the text.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: String,
}

fn line_prefix(line: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

impl DriverInfo {
    /// Reads the content of the section.
    ///
    /// # Errors
    ///
    /// [`BadInfo`] about the first line that breaks the format.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadInfo> {
        let whole = |reason: &str| BadInfo { line: 0, offset: 0, reason: reason.into() };
        if bytes.len() > MAX_TEXT {
            return Err(whole("longer than 1 MiB"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| BadInfo {
            line: 0,
            offset: error.valid_up_to(),
            reason: "not UTF-8".into(),
        })?;
        let mut reader = Reader::default();
        let mut offset = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            // Linkers may pad a section with zeros.
            let content = line.trim_end_matches(['\n', '\0']);
            if !content.is_empty() {
                reader.line(content).map_err(|reason| BadInfo {
                    line: index + 1,
                    offset,
                    reason,
                })?;
            }
            offset += line.len();
        }
        reader.finish().map_err(|reason| whole(&reason))
    }

    /// The capability of the virtual bus with the driver's devices.
    pub fn bus(&self) -> Option<&Cap> {
        self.caps.iter().find(|cap| cap.protocol == "vbus")
    }

    /// The capability at which clients ask the driver for devices.
    pub fn service(&self) -> Option<&Cap> {
        self.caps.iter().find(|cap| cap.protocol == "factory" && cap.flags.server)
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    version: bool,
    name: Option<(String, String)>,
    caps: Vec<Cap>,
    cmds: Vec<Param>,
    factory: Vec<Param>,
    stack: Option<u64>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(bad) = line.chars().find(|c| c.is_control() && *c != '\t') {
            return Err(format!("control character {:#04x}", u32::from(bad)));
        }
        let fields: Vec<&str> = line.split('\t').collect();
        match (fields.as_slice(), self.version) {
            (["drvinfo", VERSION], false) => self.version = true,
            (["drvinfo", _], true) => return Err("a second description in one program".into()),
            (["drvinfo", version], false) => {
                return Err(format!("format version {version}, only {VERSION} is understood"));
            }
            (_, false) => return Err("the first line must be `drvinfo`".into()),
            (["name", name, description], true) => {
                let entry = (needed("name", name)?, (*description).into());
                if self.name.replace(entry).is_some() {
                    return Err("a second `name`".into());
                }
            }
            (["cap", fields @ ..], true) => self.caps.push(cap(fields)?),
            (["cmd", fields @ ..], true) => self.cmds.push(cmd(fields)?),
            (["factory", fields @ ..], true) => self.factory.push(factory(fields)?),
            (["stack", bytes], true) => self.stack = Some(number("stack", bytes)?),
            ([kind, ..], true) => {
                return Err(format!(
                    "`{kind}` is no kind of line, or has the wrong number of fields"
                ));
            }
            ([], true) => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<DriverInfo, String> {
        if !self.version {
            return Err("empty".into());
        }
        let (name, description) = self.name.ok_or("no line `name`")?;
        no_repetition("capability", self.caps.iter().map(|cap| cap.name.as_str()))?;
        no_repetition("option", self.cmds.iter().map(|cmd| cmd.name.as_str()))?;
        no_repetition("factory argument", self.factory.iter().map(|arg| arg.name.as_str()))?;
        Ok(DriverInfo {
            name,
            description,
            caps: self.caps,
            cmds: self.cmds,
            factory: self.factory,
            stack: self.stack,
        })
    }
}

fn cap(fields: &[&str]) -> Result<Cap, String> {
    let [name, protocol, flags, description] = fields else {
        return Err(wrong_count("cap", 4, fields));
    };
    if name.len() > CAP_NAME_MAX {
        return Err(format!("capability name `{name}` is longer than {CAP_NAME_MAX} bytes"));
    }
    Ok(Cap {
        name: needed("cap", name)?,
        protocol: needed("protocol", protocol)?,
        flags: flags_of(flags)?,
        description: (*description).into(),
    })
}

fn cmd(fields: &[&str]) -> Result<Param, String> {
    let [name, short, kind, range, default, flags, description] = fields else {
        return Err(wrong_count("cmd", 7, fields));
    };
    let mut letters = short.chars();
    let short = match (letters.next(), letters.next()) {
        (Some('-'), None) => None,
        (Some(letter), None) => Some(letter),
        _ => return Err(format!("`{short}` is no single letter")),
    };
    Ok(Param { short, ..param(name, kind, range, default, flags, description)? })
}

fn factory(fields: &[&str]) -> Result<Param, String> {
    let [name, kind, range, default, flags, description] = fields else {
        return Err(wrong_count("factory", 6, fields));
    };
    param(name, kind, range, default, flags, description)
}

fn param(
    name: &str,
    kind: &str,
    range: &str,
    default: &str,
    flags: &str,
    description: &str,
) -> Result<Param, String> {
    let range = match range {
        "-" => None,
        _ => Some(range_of(range)?),
    };
    let kind = match (kind, range) {
        ("flag", None) => ValueKind::Flag,
        ("string", None) => ValueKind::String,
        ("cap", None) => ValueKind::Cap,
        ("uint", range) => ValueKind::Uint(range),
        ("flag" | "string" | "cap", Some(_)) => return Err(format!("`{kind}` has no range")),
        _ => return Err(format!("unknown type `{kind}`")),
    };
    let default = (default != "-").then(|| default.to_owned());
    if let (ValueKind::Uint(range), Some(text)) = (&kind, &default) {
        let value = number("default", text)?;
        if range.as_ref().is_some_and(|range| !range.contains(&value)) {
            return Err(format!("the default {value} is outside of the range"));
        }
    }
    Ok(Param {
        name: needed("name", name)?,
        short: None,
        kind,
        default,
        flags: flags_of(flags)?,
        description: description.into(),
    })
}

fn flags_of(text: &str) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for word in text.split(',').filter(|word| !word.is_empty() && *word != "-") {
        match word {
            "mandatory" => flags.mandatory = true,
            "multiple" => flags.multiple = true,
            "server" => flags.server = true,
            "client" => flags.client = true,
            "ignored" => flags.ignored = true,
            _ => return Err(format!("unknown flag `{word}`")),
        }
    }
    Ok(flags)
}

fn range_of(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (low, high) = text.split_once("..").ok_or(format!("`{text}` is no range `lo..hi`"))?;
    let (low, high) = (number("range", low)?, number("range", high)?);
    if low > high { Err(format!("the range {text} is empty")) } else { Ok(low..=high) }
}

fn number(what: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{what}: `{text}` is no number"))
}

fn needed(what: &str, text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!("{what}: `{text}` is no word of letters, digits and - _ . :"));
    }
    Ok(text.into())
}

fn wrong_count(kind: &str, wanted: usize, fields: &[&str]) -> String {
    format!("`{kind}` has {} fields behind it, not {wanted}", fields.len())
}

fn no_repetition<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("{what} `{name}` is described twice"));
        }
    }
    Ok(())
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::String => "str",
            Self::Cap => "cap",
            Self::Uint(_) => "int",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "drvinfo\t1\nname\tblk-drv\tA driver\ncap\tvbus\tvbus\tmandatory\tBus\n\
        cap\tsvr\tfactory\tmandatory,server\tEndpoint\ncmd\tverbose\tv\tflag\t-\t-\tmultiple\tSay more\n\
        cmd\tds-max\t-\tuint\t1..256\t2\tclient\tMost dataspaces\n\
        factory\tdevice\tstring\t-\t-\tmandatory\tDisk\nstack\t65536\n";

    fn reason(text: &str) -> String {
        DriverInfo::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_good_text_is_read_completely() {
        let info = DriverInfo::parse(GOOD.as_bytes()).unwrap();
        assert_eq!((info.name.as_str(), info.stack), ("blk-drv", Some(65536)));
        assert_eq!(info.bus().unwrap().name, "vbus");
        assert_eq!(info.service().unwrap().name, "svr");
        assert_eq!(info.cmds[0].short, Some('v'));
        assert_eq!(info.cmds[1].kind, ValueKind::Uint(Some(1..=256)));
        assert!(info.cmds[1].flags.client && info.factory[0].flags.mandatory);
    }

    #[test]
    fn padding_behind_the_text_does_not_matter() {
        let padded = format!("{GOOD}\0\0\0");
        assert!(DriverInfo::parse(padded.as_bytes()).is_ok());
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        let line2 = |line: &str| reason(&format!("drvinfo\t1\n{line}\n"));
        for (line, message) in [
            ("cap\tvbus\tvbus\tmandatory", "line 2: `cap` has 3 fields behind it, not 4"),
            ("cap\tvbus\tvbus\tmandatry\tx", "line 2: unknown flag `mandatry`"),
            (
                "cap\tsixteen-bytes-xy\tvbus\t\tx",
                "line 2: capability name `sixteen-bytes-xy` is longer than 15 bytes",
            ),
            ("cmd\ta\tvv\tflag\t-\t-\t\tx", "line 2: `vv` is no single letter"),
            ("cmd\ta\t-\tflag\t1..2\t-\t\tx", "line 2: `flag` has no range"),
            ("cmd\ta\t-\tuint\t2..1\t-\t\tx", "line 2: the range 2..1 is empty"),
            ("cmd\ta\t-\tuint\t1..2\t3\t\tx", "line 2: the default 3 is outside of the range"),
            ("cmd\ta\t-\tfloat\t-\t-\t\tx", "line 2: unknown type `float`"),
            (
                "factory\t\tflag\t-\t-\t\tx",
                "line 2: name: `` is no word of letters, digits and - _ . :",
            ),
            ("drvinfo\t1", "line 2: a second description in one program"),
            ("stack\tbig", "line 2: stack: `big` is no number"),
            ("\x1b[2J", "line 2: control character 0x1b"),
        ] {
            assert_eq!(line2(line), message);
        }
        assert_eq!(reason(""), "empty");
        assert_eq!(reason("drvinfo\t2\n"), "line 1: format version 2, only 1 is understood");
        assert_eq!(reason("drvinfo\t1\n"), "no line `name`");
        let twice = format!("{GOOD}cap\tsvr\tfactory\t\tAgain\n");
        assert_eq!(reason(&twice), "capability `svr` is described twice");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = DriverInfo::parse(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..GOOD.len(), byte in any::<u8>()) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            if let Err(error) = DriverInfo::parse(&bytes) {
                prop_assert!(error.offset <= bytes.len());
            }
        }
    }
}

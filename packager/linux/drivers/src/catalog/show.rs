//! Entries as text: a table for people, tab-separated values and JSON for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{CatalogModule, Entry};
use l4re_packager_base::{plain, plain_json};

/// The columns of the tab-separated form, in their order; `value` and `visible` are there only
/// under a configuration.
const COLUMNS: [&str; 10] = [
    "symbol",
    "subsystem",
    "type",
    "prompt",
    "kconfig",
    "line",
    "depends_on",
    "kind",
    "modules",
    "objects",
];

/// The narrowest a prompt gets in a table before lines become longer than the terminal.
const PROMPT_MIN: usize = 16;

/// Writes an array of objects, one a line. Control characters in texts are escaped.
///
/// # Errors
///
/// Those of writing.
pub fn json(out: &mut dyn Write, entries: &[&Entry]) -> io::Result<()> {
    array(out, entries)
}

fn array(out: &mut dyn Write, entries: &[impl Serialize]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, entry) in entries.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        out.write_all(plain_json(&serde_json::to_string(entry)?).as_bytes())?;
    }
    out.write_all(b"\n]\n")
}

/// Writes a line with the columns' names, then one line an entry. Several modules or objects are
/// separated by blanks, a module is `directory/name`.
///
/// # Errors
///
/// Those of writing.
pub fn tsv(out: &mut dyn Write, entries: &[&Entry]) -> io::Result<()> {
    let configured = entries.iter().any(|entry| entry.value.is_some());
    let more = if configured { "\tvalue\tvisible" } else { "" };
    writeln!(out, "{}{more}", COLUMNS.join("\t"))?;
    for entry in entries {
        let modules: Vec<String> = entry.modules.iter().map(path).collect();
        let objects: Vec<&str> = entry.modules.iter().flat_map(objects).collect();
        write!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            plain(&entry.symbol),
            plain(&entry.subsystem),
            entry.symbol_type,
            plain(&entry.prompt),
            plain(&entry.kconfig),
            entry.line,
            plain(&entry.depends_on),
            entry.kind,
            plain(&modules.join(" ")),
            plain(&objects.join(" ")),
        )?;
        if configured {
            let value = entry.value.as_deref().unwrap_or_default();
            write!(out, "\t{}\t{}", plain(value), entry.visible.unwrap_or_default())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes a table. On a terminal of `width` columns no line is longer, as far as symbols permit;
/// without a width nothing is cut.
///
/// # Errors
///
/// Those of writing.
pub fn table(
    out: &mut dyn Write,
    entries: &[&Entry],
    kinds: bool,
    width: Option<usize>,
) -> io::Result<()> {
    let configured = entries.iter().any(|entry| entry.value.is_some());
    let mut header = vec!["SUBSYSTEM", "SYMBOL", "TYPE"];
    header.extend(kinds.then_some("KIND"));
    header.extend(configured.then_some("VALUE"));
    let header: Vec<String> = header.into_iter().map(str::to_owned).collect();
    let cells = |entry: &Entry| {
        let fixed = [plain(&entry.subsystem), plain(&entry.symbol), entry.symbol_type.to_owned()];
        let mut cells = Vec::from(fixed);
        cells.extend(kinds.then(|| entry.kind.to_string()));
        cells.extend(configured.then(|| plain(entry.value.as_deref().unwrap_or_default())));
        cells
    };
    let mut widths: Vec<usize> = header.iter().map(String::len).collect();
    for entry in entries {
        for (width, cell) in widths.iter_mut().zip(cells(entry)) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let taken: usize = widths.iter().map(|width| width + 2).sum();
    let room = width.map(|width| width.saturating_sub(taken).max(PROMPT_MIN));
    let mut line = |cells: Vec<String>, last: &str| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            text += &format!("{cell:width$}  ");
        }
        text += &cut(last, room);
        writeln!(out, "{}", text.trim_end())
    };
    line(header, "DESCRIPTION")?;
    for entry in entries {
        let last = if entry.prompt.is_empty() { names(entry) } else { plain(&entry.prompt) };
        line(cells(entry), &last)?;
    }
    Ok(())
}

/// A subsystem with the number of its drivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count<'a> {
    /// The first folder under `drivers/`.
    pub subsystem: &'a str,
    /// How many drivers it has.
    pub drivers: usize,
}

/// Subsystems for programs.
pub fn counts<'a>(subsystems: &BTreeMap<&'a str, usize>) -> Vec<Count<'a>> {
    let count = |(subsystem, drivers): (&&'a str, &usize)| Count { subsystem, drivers: *drivers };
    subsystems.iter().map(count).collect()
}

/// Writes subsystems and the numbers of their drivers: in columns, or separated by tabs.
///
/// # Errors
///
/// Those of writing.
pub fn subsystems(
    out: &mut dyn Write,
    subsystems: &BTreeMap<&str, usize>,
    columns: bool,
) -> io::Result<()> {
    let (left, right) = if columns { ("SUBSYSTEM", "DRIVERS") } else { ("subsystem", "drivers") };
    let names: Vec<String> = subsystems.keys().map(|name| plain(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).fold(left.len(), usize::max);
    let mut line = |name: &str, count: &dyn std::fmt::Display| match columns {
        true => writeln!(out, "{name:width$}  {count}"),
        false => writeln!(out, "{name}\t{count}"),
    };
    line(left, &right)?;
    names.iter().zip(subsystems.values()).try_for_each(|(name, count)| line(name, count))
}

/// Writes an array of objects with `subsystem` and `drivers`, one a line.
///
/// # Errors
///
/// Those of writing.
pub fn subsystems_json(out: &mut dyn Write, subsystems: &BTreeMap<&str, usize>) -> io::Result<()> {
    array(out, &counts(subsystems))
}

/// For what has no prompt: the modules in brackets.
fn names(entry: &Entry) -> String {
    if entry.modules.is_empty() {
        return String::new();
    }
    let names: Vec<String> = entry.modules.iter().map(|module| plain(&module.name)).collect();
    format!("[{}]", names.join(" "))
}

fn path(module: &CatalogModule) -> String {
    format!("{}/{}", module.directory, module.name)
}

fn objects(module: &CatalogModule) -> impl Iterator<Item = &str> {
    module.objects.iter().map(String::as_str)
}

fn cut(text: &str, room: Option<usize>) -> String {
    match room {
        Some(room) if text.chars().count() > room => {
            let kept: String = text.chars().take(room.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Kind;

    fn entry() -> Entry {
        Entry {
            symbol: "E1000".into(),
            subsystem: "net".into(),
            symbol_type: "tristate",
            prompt: "Gigabit\x1b[2J\u{9b}m Ethernet support".into(),
            kconfig: "drivers/net/Kconfig".into(),
            line: 7,
            depends_on: "PCI && NET".into(),
            kind: Kind::Driver,
            modules: vec![CatalogModule {
                name: "e1000".into(),
                directory: "drivers/net/e1000".into(),
                objects: vec!["drivers/net/e1000/a.o".into(), "drivers/net/e1000/b.o".into()],
            }],
            value: None,
            visible: None,
            help: "Not shown.".into(),
        }
    }

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_has_the_agreed_keys_and_no_others() {
        assert_eq!(
            text(|out| json(out, &[&entry()])),
            "[\n{\"symbol\":\"E1000\",\"subsystem\":\"net\",\"type\":\"tristate\",\
             \"prompt\":\"Gigabit\\u001b[2J\\u009bm Ethernet support\",\
             \"kconfig\":\"drivers/net/Kconfig\",\"line\":7,\"depends_on\":\"PCI && NET\",\
             \"kind\":\"driver\",\"modules\":[{\"name\":\"e1000\",\"directory\":\
             \"drivers/net/e1000\",\"objects\":[\"drivers/net/e1000/a.o\",\
             \"drivers/net/e1000/b.o\"]}]}\n]\n"
        );
        assert_eq!(text(|out| json(out, &[])), "[\n]\n");
        let configured = Entry { value: Some("m".into()), visible: Some("y"), ..entry() };
        let text = text(|out| json(out, &[&configured]));
        assert!(text.ends_with("\"value\":\"m\",\"visible\":\"y\"}\n]\n"), "{text}");
    }

    #[test]
    fn tab_separated_values_have_one_line_an_entry_and_no_control_characters() {
        assert_eq!(
            text(|out| tsv(out, &[&entry()])),
            "symbol\tsubsystem\ttype\tprompt\tkconfig\tline\tdepends_on\tkind\tmodules\tobjects\n\
             E1000\tnet\ttristate\tGigabit [2J m Ethernet support\tdrivers/net/Kconfig\t7\t\
             PCI && NET\tdriver\tdrivers/net/e1000/e1000\t\
             drivers/net/e1000/a.o drivers/net/e1000/b.o\n"
        );
    }

    #[test]
    fn a_table_fits_the_terminal_and_is_whole_elsewhere() {
        let helper = Entry { kind: Kind::Helper, prompt: String::new(), ..entry() };
        let wide = text(|out| table(out, &[&entry(), &helper], true, None));
        assert_eq!(
            wide,
            "SUBSYSTEM  SYMBOL  TYPE      KIND    DESCRIPTION\n\
             net        E1000   tristate  driver  Gigabit [2J m Ethernet support\n\
             net        E1000   tristate  helper  [e1000]\n"
        );
        let narrow = text(|out| table(out, &[&entry()], false, Some(46)));
        assert_eq!(
            narrow,
            "SUBSYSTEM  SYMBOL  TYPE      DESCRIPTION\n\
             net        E1000   tristate  Gigabit [2J m Et…\n"
        );
    }
}

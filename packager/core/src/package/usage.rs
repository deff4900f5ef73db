//! `doc/usage.md`: the same for people.

use std::fmt::Write;

use super::{Example, capdb};
use crate::drvinfo::{Cap, DriverInfo, Param, ValueKind};

/// Width of a line of text.
const WIDTH: usize = 80;

/// The file.
pub(super) fn text(example: &Example<'_>, info: &DriverInfo) -> String {
    let driver = &example.manifest.driver;
    let mut out = format!(
        "# {}\n\n\
         [comment]: # (This is a generated file. Do not change it.)\n\
         [comment]: # (Change what the program says of itself, and driver.toml.)\n\n",
        driver.name
    );
    paragraph(&mut out, "", &sentence(&info.description));
    paragraph(&mut out, "", &sentence(&driver.description));
    capabilities(&mut out, info);
    if !info.cmds.is_empty() {
        out.push_str("## Command line options\n\n");
        for cmd in &info.cmds {
            option(&mut out, cmd);
        }
    }
    if let Some(service) = info.service() {
        factory(&mut out, service, &info.factory);
    }
    start(&mut out, example);
    // Exactly one line end at the end.
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn capabilities(out: &mut String, info: &DriverInfo) {
    if info.caps.is_empty() {
        return;
    }
    out.push_str("## Capabilities\n\n");
    for cap in &info.caps {
        let _ = writeln!(out, "* `{}`\n", cap.name);
        paragraph(out, "  ", &sentence(&cap.description));
        let mut facts = vec![format!("Protocol `{}`.", cap.protocol)];
        if cap.flags.mandatory {
            facts.push("Mandatory.".into());
        }
        if cap.flags.multiple {
            facts.push("There may be several; options name them.".into());
        }
        if cap.flags.server {
            facts.push("Needs the server right.".into());
        }
        paragraph(out, "  ", &facts.join(" "));
    }
}

fn option(out: &mut String, cmd: &Param) {
    let value =
        if cmd.kind == ValueKind::Flag { String::new() } else { format!(" <{}>", value_name(cmd)) };
    let long = format!("`--{}{value}`", cmd.name);
    let names = match cmd.short {
        Some(short) => format!("`-{short}{value}`, {long}"),
        None => long,
    };
    let indent = if cmd.flags.client { "  " } else { "" };
    let _ = writeln!(out, "{indent}* {names}\n");
    facts(out, &format!("{indent}  "), cmd);
}

fn factory(out: &mut String, service: &Cap, params: &[Param]) {
    out.push_str("## Making a device\n\n");
    let text = format!(
        "A client gets a device from the factory behind `{}`, called on the client's side of that \
         gate with the rights `rws`:",
        service.name
    );
    paragraph(out, "", &text);
    let argument = |param: &Param| match param.kind {
        ValueKind::Flag => format!("\"{}\"", param.name),
        _ => format!("\"{}=<{}>\"", param.name, value_name(param)),
    };
    let mut call = String::from("create(0");
    for param in params {
        let argument = argument(param);
        let _ = if param.flags.mandatory {
            write!(call, ", {argument}")
        } else {
            write!(call, " [, {argument}]")
        };
    }
    let _ = writeln!(out, "```lua\n{call})\n```\n");
    for param in params {
        let _ = writeln!(out, "* `{}`\n", argument(param));
        facts(out, "  ", param);
    }
}

fn start(out: &mut String, example: &Example<'_>) {
    let name = example.name();
    out.push_str("## Starting it\n\n");
    let text = format!(
        "The program is `rom/{}`. A complete example is in `assets/ned/{name}.ned`; the module list \
         `assets/modlist/{name}.modules` has the entries for an image:",
        example.program
    );
    paragraph(out, "", &text);
    for variant in example.variants() {
        let entry = variant.entry(name);
        let _ = writeln!(out, "    make E={entry} MODULES_LIST={name}/{name}.modules elfimage");
    }
    out.push('\n');
}

/// Description, range, default and what else is to say of an option.
fn facts(out: &mut String, indent: &str, param: &Param) {
    paragraph(out, indent, &sentence(&capdb::description(param)));
    let mut facts = Vec::new();
    if param.flags.mandatory {
        facts.push("Mandatory.".to_owned());
    }
    match &param.kind {
        ValueKind::Uint(Some(range)) => {
            facts.push(format!("A number from {} to {}.", range.start(), range.end()));
        }
        ValueKind::Uint(None) => facts.push("A number.".into()),
        ValueKind::Cap => facts.push("The name of a capability.".into()),
        ValueKind::Flag | ValueKind::String => {}
    }
    if let Some(default) = &param.default {
        facts.push(format!("Default: {default}."));
    }
    if param.flags.multiple {
        facts.push("Can be given several times.".into());
    }
    if param.flags.client {
        facts.push("Applies to the client that the preceding `--client` names.".into());
    }
    if !facts.is_empty() {
        paragraph(out, indent, &facts.join(" "));
    }
}

fn value_name(param: &Param) -> &'static str {
    match param.kind {
        ValueKind::Cap => "capability",
        ValueKind::Uint(_) => "number",
        ValueKind::String | ValueKind::Flag => "text",
    }
}

/// The text with a full stop, unless it ends with one.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.into() } else { format!("{text}.") }
}

/// The text in lines, and an empty line.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    let mut line = String::from(indent);
    for word in text.split_whitespace() {
        let blank = usize::from(line.len() > indent.len());
        if blank == 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = indent.into();
        } else if blank == 1 {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}\n");
}

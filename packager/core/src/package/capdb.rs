//! `doc/capdb.yml`: the machine-readable description that newer servers of L4Re carry.

use std::fmt::Write;

use super::{Example, GENERATED};
use crate::drvinfo::{DriverInfo, Param, ValueKind};
use crate::manifest::Class;

/// The file.
pub(super) fn text(example: &Example<'_>, info: &DriverInfo) -> String {
    let driver = &example.manifest.driver;
    let anchor: String = driver.name.chars().map(|c| if c == '-' { '_' } else { c }).collect();
    let mut out = format!("# {GENERATED}\n");
    let _ = writeln!(out, "name: {}", scalar(&driver.name));
    let _ = writeln!(out, "binary-name: {}", scalar(example.program));
    let _ = writeln!(out, "anchor: {}", scalar(&format!("l4re_servers_{anchor}")));
    let _ = writeln!(out, "desc: {}", scalar(&info.description));
    if !info.cmds.is_empty() {
        out.push_str("cmds:\n");
        commands(&mut out, info);
    }
    let service = info.service().map(|cap| cap.name.as_str());
    let caps = info.caps.iter().filter(|cap| Some(cap.name.as_str()) != service);
    for (index, cap) in caps.enumerate() {
        if index == 0 {
            out.push_str("caps:\n");
        }
        let _ = writeln!(out, "  - name: {}", scalar(&cap.name));
        let _ = writeln!(out, "    desc: {}", scalar(&cap.description));
        let _ = writeln!(out, "    protocol: {}", scalar(&cap.protocol));
        flag(&mut out, "    mandatory", cap.flags.mandatory);
        flag(&mut out, "    multiple", cap.flags.multiple);
        flag(&mut out, "    needs-server-right", cap.flags.server);
    }
    if let Some(service) = service {
        let _ = writeln!(out, "server-cap-name: {}", scalar(service));
    }
    if !info.factory.is_empty() {
        factory(&mut out, driver.class, info);
    }
    out
}

/// The options. Those for a client stand in one scope with the option that names it.
fn commands(out: &mut String, info: &DriverInfo) {
    let (scoped, plain): (Vec<_>, Vec<_>) =
        info.cmds.iter().partition(|cmd| cmd.flags.client || cmd.name == "client");
    for cmd in plain {
        param(out, "  ", cmd, info);
    }
    if !scoped.is_empty() {
        out.push_str("  - name: \"client-scope\"\n    type: scope\n    sub-cmds:\n");
        for cmd in scoped {
            param(out, "      ", cmd, info);
        }
    }
}

fn factory(out: &mut String, class: Class, info: &DriverInfo) {
    let (kind, name) = match class {
        Class::Block => ("Virtio_block_host", "Virtio block host"),
        Class::Test => ("Object", "Object"),
    };
    out.push_str("factory:\n  - obj-type: \"0\"\n");
    let _ = writeln!(out, "    return-type: {kind}");
    let _ = writeln!(out, "    name: {}", scalar(name));
    out.push_str("    params:\n");
    for item in &info.factory {
        param(out, "      ", item, info);
    }
}

fn param(out: &mut String, indent: &str, param: &Param, info: &DriverInfo) {
    let _ = writeln!(out, "{indent}- name: {}", scalar(&param.name));
    if let Some(short) = param.short {
        let _ = writeln!(out, "{indent}  short: {}", scalar(&short.to_string()));
    }
    let _ = writeln!(out, "{indent}  desc: {}", scalar(&description(param)));
    let _ = writeln!(out, "{indent}  type: {}", param.kind);
    // The reference is to the list of capabilities, which need not have it.
    if param.kind == ValueKind::Cap && info.caps.iter().any(|cap| cap.name == param.name) {
        let _ = writeln!(out, "{indent}  cap-name: {}", scalar(&param.name));
    }
    if let ValueKind::Uint(Some(range)) = &param.kind {
        let (low, high) = (range.start(), range.end());
        let _ = write!(
            out,
            "{indent}  conditions:\n\
             {indent}    - desc: \"In the range of {low} to {high} inclusive\"\n\
             {indent}      conditions:\n\
             {indent}        - {low} <= v\n\
             {indent}        - v <= {high}\n"
        );
    }
    if let Some(default) = &param.default {
        let _ = writeln!(out, "{indent}  default: {}", default_scalar(param, default));
    }
    flag(out, &format!("{indent}  mandatory"), param.flags.mandatory);
    flag(out, &format!("{indent}  multiple"), param.flags.multiple);
}

/// The description; an option without effect says so.
pub(super) fn description(param: &Param) -> String {
    if param.flags.ignored {
        format!("{} (no effect)", param.description)
    } else {
        param.description.clone()
    }
}

fn flag(out: &mut String, key: &str, set: bool) {
    if set {
        let _ = writeln!(out, "{key}: true");
    }
}

fn default_scalar(param: &Param, text: &str) -> String {
    match param.kind {
        ValueKind::Uint(_) => text.into(),
        _ => scalar(text),
    }
}

/// A YAML scalar that nothing in the text can break: JSON strings are YAML.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

//! Whether units and the script of ned fit together.

use std::path::{Path, PathBuf};

use super::VARIABLE;
use super::script::{self, Entry, Table};
use super::unit::Unit;
use l4re_packager_base::{Diagnostic, Position, Report, nearest};
use l4re_packager_core::drvinfo::CAP_NAME_MAX;
use l4re_packager_core::manifest::systemd::{ENV_NAMES, TABLE_NAME_MAX};

/// A text and what messages call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Checks each capability that a unit names against the script that starts systemd, and the script
/// against what ned offers.
pub fn check(units: &[Source], script: &Source) -> Report {
    let mut report = Report::new();
    let tables = script::tables(&script.path, &script.text, &mut report);
    let entries: Vec<&Entry> = systemds(&tables).flat_map(|table| &table.entries).collect();
    for entry in &entries {
        report.extend(about_entry(&script.path, entry));
    }
    for unit in units {
        check_unit(unit, &script.path, &entries, &mut report);
    }
    report
}

/// The tables of the task that starts systemd; all, if no program of that name is started.
fn systemds(tables: &[Table]) -> impl Iterator<Item = &Table> {
    let is = |table: &Table| {
        let program = table.program.as_deref().unwrap_or_default();
        ["systemd", "init"].contains(&program.rsplit('/').next().unwrap_or_default())
    };
    let any = tables.iter().any(is);
    tables.iter().filter(move |table| !any || is(table))
}

fn check_unit(unit: &Source, script: &Path, entries: &[&Entry], report: &mut Report) {
    let parsed = Unit::parse(&unit.path, &unit.text, report);
    for variable in parsed.environment(&unit.path, report) {
        if !variable.name.starts_with(VARIABLE) {
            continue;
        }
        let place = |diagnostic: Diagnostic| {
            diagnostic.file(&unit.path).at(Position::Text { line: variable.line, column: 1 })
        };
        report.extend(about_name(&variable.value).map(place));
        if !entries.iter().any(|entry| entry.name == variable.value) {
            let message = format!(
                "{} names the capability `{}`, which the table in {} does not have",
                variable.name,
                variable.value,
                script.display()
            );
            let names = entries.iter().map(|entry| entry.name.as_str());
            let help = match nearest(&variable.value, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add it there: caps = {{ [\"{}\"] = … }}", variable.value),
            };
            report.push(place(Diagnostic::error("cap-not-passed", message).help(help)));
        }
    }
}

fn about_entry(path: &Path, entry: &Entry) -> Vec<Diagnostic> {
    let place = |diagnostic: Diagnostic| {
        diagnostic.file(path).at(Position::Text { line: entry.line, column: 1 })
    };
    let mut findings: Vec<Diagnostic> = about_name(&entry.name).map(place).into_iter().collect();
    for name in entry.env.iter().filter(|name| !ENV_NAMES.contains(&name.as_str())) {
        let message = format!("L4.Env has no `{name}`: `{}` vanishes without a word", entry.name);
        let help = match nearest(name, ENV_NAMES) {
            Some(near) => format!("did you mean L4.Env.{near}?"),
            None => format!("it has: {}", ENV_NAMES.join(", ")),
        };
        findings.push(place(Diagnostic::error("unknown-env", message).help(help)));
    }
    findings
}

/// What is wrong with a name in a task's table.
fn about_name(name: &str) -> Option<Diagnostic> {
    let message = format!("the name `{name}` has {} characters", name.len());
    if name.len() > TABLE_NAME_MAX {
        let help = "a task's table of capabilities has room for 16";
        Some(Diagnostic::error("long-cap-name", message).help(help))
    } else if name.len() > CAP_NAME_MAX {
        let help = "some programs find only names of at most 15 characters";
        Some(Diagnostic::warning("long-cap-name", message).help(help))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    fn findings(unit: &str, script: &str) -> Vec<String> {
        let units = [source("a.service", &format!("[Service]\n{unit}"))];
        check(&units, &source("bash.cfg", script)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_unit_names_must_be_in_systemds_table() {
        let script = "ld:start({ caps = { other = x } }, \"rom/io\")\n\
                      ld:start({ caps = { global_fs = c } }, \"rom/systemd\")\n";
        assert!(findings("Environment=L4_CAP_GLOBAL_FS=global_fs HOME=/\n", script).is_empty());
        assert_eq!(
            findings("Environment=L4_CAP_GLOBAL_FS=globl_fs \\\n  L4_CAP_X=other\n", script),
            [
                "a.service:2:1: error: L4_CAP_GLOBAL_FS names the capability `globl_fs`, which the \
                 table in bash.cfg does not have\n  help: did you mean `global_fs`?",
                "a.service:2:1: error: L4_CAP_X names the capability `other`, which the table in \
                 bash.cfg does not have\n  help: add it there: caps = { [\"other\"] = … }",
            ]
        );
    }

    #[test]
    fn long_names_and_names_that_ned_lacks_are_told() {
        let script = "caps = { sixteen_letters_ = 1,\n seventeen_letters = L4.Env.sched }";
        assert_eq!(
            findings("", script),
            [
                "bash.cfg:1:1: warning: the name `sixteen_letters_` has 16 characters\n  help: some \
                 programs find only names of at most 15 characters",
                "bash.cfg:2:1: error: the name `seventeen_letters` has 17 characters\n  help: a \
                 task's table of capabilities has room for 16",
                "bash.cfg:2:1: error: L4.Env has no `sched`: `seventeen_letters` vanishes without a \
                 word\n  help: it has: arm_smc, dma_mgr, factory, icu, iommu, jdb, kip, log, \
                 mem_alloc, parent, rom, scheduler, sigma0, user_factory, vesa",
            ]
        );
    }
}

//! Booting a system, on the stand-in or on L4Re, and what its console said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use l4re_qemu::{Disk, Limits, Machine, Outcome, Vm, patience, strip_escapes};

use crate::guest::Guests;
use crate::l4re::L4re;
use crate::system::System;
use crate::{Context, Error, Result};

/// Where a system runs.
#[derive(Debug, Clone)]
pub enum Platform {
    /// The test kernel of this project, on this machine description.
    Standin(&'static str),
    /// A user's own build of L4Re.
    L4re(L4re),
}

/// A finished run.
#[derive(Debug)]
pub struct Record {
    /// The harness's verdict.
    pub outcome: Outcome,
    /// The console, without escape sequences.
    pub lines: Vec<String>,
    /// What programs reported in lines `report <key>=<value>`.
    pub reports: BTreeMap<String, String>,
}

impl Record {
    /// Runs a machine and collects what its console says.
    ///
    /// # Errors
    ///
    /// If QEMU cannot be started.
    pub fn of(vm: &Vm, limits: &Limits, show: bool) -> Result<Record> {
        let mut lines = Vec::new();
        let outcome = l4re_qemu::run(vm, limits, &mut |line| {
            let line = strip_escapes(line);
            if show {
                println!("{line}");
            }
            lines.push(line);
        })
        .context("QEMU")?;
        let reports = lines.iter().filter_map(|l| report(l)).collect();
        Ok(Record { outcome, lines, reports })
    }

    /// The value that was reported for `key`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn get(&self, key: &str) -> Result<&str> {
        let value = self.reports.get(key).map(String::as_str);
        value.ok_or_else(|| {
            Error::new(format!("the guest did not report `{key}`\n{}", self.outcome))
        })
    }

    /// A reported number.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no number.
    pub fn number(&self, key: &str) -> Result<u64> {
        let text = self.get(key)?;
        text.parse().context(format!("report {key}={text}"))
    }

    /// Whether a line contains `text`.
    pub fn says(&self, text: &str) -> bool {
        self.lines.iter().any(|l| l.contains(text))
    }

    /// Turns a run that did not pass into an error that shows its end.
    ///
    /// # Errors
    ///
    /// If it did not pass.
    pub fn passed(self) -> Result<Record> {
        if self.outcome.passed() { Ok(self) } else { Err(Error::new(self.outcome.to_string())) }
    }
}

/// How to run a system.
#[derive(Debug)]
pub struct Run<'a> {
    /// The system.
    pub system: &'a System,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// Wall-clock limit in seconds.
    pub seconds: u64,
    /// Number of programs that give a result.
    pub results: usize,
    /// Further arguments of QEMU.
    pub qemu: Vec<String>,
    /// Show the console as it comes.
    pub show: bool,
}

impl<'a> Run<'a> {
    /// A run of two minutes at most, with one result.
    pub fn new(system: &'a System) -> Self {
        Self { system, disks: Vec::new(), seconds: 120, results: 1, qemu: Vec::new(), show: false }
    }

    /// Adds a disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// Sets how long the run takes at most on an idle machine; see [`patience`].
    #[must_use]
    pub fn seconds(mut self, seconds: u64) -> Self {
        self.seconds = seconds;
        self
    }

    /// Adds an argument of QEMU.
    #[must_use]
    pub fn qemu(mut self, arg: &str) -> Self {
        self.qemu.push(arg.into());
        self
    }

    /// Shows the console as it comes.
    #[must_use]
    pub fn show(mut self, show: bool) -> Self {
        self.show = show;
        self
    }

    /// Boots, waits for the verdict, and collects the reports. A guest that fails is not an error
    /// here: see [`Record::passed`].
    ///
    /// # Errors
    ///
    /// If the system cannot be started.
    pub fn on(&self, platform: &Platform) -> Result<Record> {
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let mut vm = match platform {
            Platform::Standin(machine) => self.standin_vm(machine, folder.path())?,
            Platform::L4re(l4re) => l4re.vm(self.system, folder.path())?,
        };
        for disk in &self.disks {
            vm = vm.disk(disk.clone());
        }
        for arg in &self.qemu {
            vm = vm.arg(arg);
        }
        let limits =
            Limits { time: patience(self.seconds), results: self.results, ..Limits::default() };
        Record::of(&vm, &limits, self.show)
    }

    fn standin_vm(&self, machine: &str, folder: &Path) -> Result<Vm> {
        let archive: PathBuf = folder.join("boot.img");
        std::fs::write(&archive, self.system.boot_archive()?).context(archive.display())?;
        let machine = Machine::builtin(machine).context("the machine description")?;
        Ok(Vm::new(machine, Guests::build()?.standin()).initrd(archive))
    }
}

fn report(line: &str) -> Option<(String, String)> {
    let (_, text) = line.split_once("report ")?;
    let (key, value) = text.split_once('=')?;
    (!key.contains(' ')).then(|| (key.to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_found_behind_tags_and_colours() {
        let line = strip_escapes("\u{1b}[33mcli     | report sha256=00ff\u{1b}[0m\r");
        assert_eq!(report(&line), Some(("sha256".into(), "00ff".into())));
        assert_eq!(report("a report of x = y"), None);
    }
}

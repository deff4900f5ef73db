//! A component of a package on its way.

use std::path::{Path, PathBuf};

use l4re_udi::archive::{Component, Place};
use l4re_udi::exports::{self, Stage};
use l4re_udi::props::{self, Properties};
use l4re_udi::section;

use super::super::write_file;
use super::SetupOptions;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest;

/// A component on its way.
pub(super) struct Part<'a> {
    pub options: &'a SetupOptions,
    /// The package file.
    pub file: &'a Path,
    pub place: Place,
    pub component: Component,
}

impl Part<'_> {
    /// Whether it is a server for L4Re: it says so by `driver.toml`, or its modules are programs.
    pub(super) fn is_server(&self) -> Result<bool, Failure> {
        if self.manifest().is_some() {
            return Ok(true);
        }
        let mut any = false;
        for (path, file) in self.component.below("bin") {
            let about = self.inside(&format!("bin/{path}"));
            let stage = exports::stage(&file.bytes).map_err(|finding| finding.file(&about))?;
            any |= stage == Stage::Program;
        }
        Ok(any)
    }

    /// The packed `driver.toml`: its path in the component, and its text.
    pub(super) fn manifest(&self) -> Option<(String, &[u8])> {
        let paths = ["extra", "src"].map(|folder| format!("{folder}/{}", manifest::FILE));
        let found = |path: String| Some((self.component.get(&path)?.bytes.as_slice(), path));
        paths.into_iter().find_map(found).map(|(bytes, path)| (path, bytes))
    }

    /// Findings are about a file in the package.
    pub(super) fn inside(&self, path: &str) -> PathBuf {
        self.file.join(self.place.to_string()).join(path)
    }

    pub(super) fn about(&self, failure: Failure) -> Failure {
        let mut report = Report::new();
        report.extend_about(self.file, failure.0);
        Failure(report)
    }

    /// The properties: those that are attached to a module, or those of the source.
    pub(super) fn properties(&self, report: &mut Report) -> Result<Properties, Failure> {
        let source = format!("src/{}", props::FILE);
        let mut of_source = None;
        if let Some(file) = self.component.get(&source) {
            let (properties, warnings) = Properties::parse(&self.inside(&source), &file.bytes)?;
            report.extend(warnings);
            of_source = Some(properties);
        }
        let mut of_module = None;
        for (path, file) in self.component.below("bin") {
            let about = self.inside(&format!("bin/{path}"));
            let content = section::content_of(&file.bytes);
            let Some(content) = content.map_err(|finding| finding.file(&about))? else { continue };
            let (properties, warnings) = Properties::from_section(&about, content)?;
            report.extend(warnings);
            let differs = |other: &Properties| other.section() != content;
            if of_source.as_ref().is_some_and(differs) || of_module.as_ref().is_some_and(differs) {
                let message = "the attached properties are not those of the rest of the package";
                let help = "pack the driver again";
                return Err(Diagnostic::error("udi-differs", message)
                    .file(&about)
                    .help(help)
                    .into());
            }
            of_module = Some(properties);
        }
        of_source.or(of_module).ok_or_else(|| {
            let message = format!("{}: neither properties at a module nor source", self.place);
            Diagnostic::error("udi-empty", message).file(self.file).into()
        })
    }

    /// Makes sure that there is source to build from.
    pub(super) fn needs_source(&self) -> Result<(), Failure> {
        if self.component.has_source() {
            return Ok(());
        }
        let message = format!("{}: the package has no source", self.place);
        Err(Diagnostic::error("udi-source", message).file(self.file).into())
    }

    /// Writes the source to a folder, to be built there.
    pub(super) fn unpack_source(&self, folder: &Path) -> Result<(), Failure> {
        for (path, file) in self.component.below("src") {
            write_file(&folder.join(path), &file.bytes, false)?;
        }
        Ok(())
    }
}

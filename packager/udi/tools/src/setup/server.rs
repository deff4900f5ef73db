//! Setting up servers for L4Re: the same package that `build` makes of the driver's folder.

use l4re_udi::props::Properties;
use l4re_udi::section;

use super::super::{abi, convert, scratch, write_file};
use super::{Installed, Part};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::build;
use l4re_packager_core::elf::{self, Expect};
use l4re_packager_core::manifest::{self, Class, Manifest};
use l4re_packager_core::package::{self, Binary, Input};
use l4re_packager_core::target::Target;

/// Sets up a server.
///
/// # Errors
///
/// [`Failure`] if something in the package is not good, or it does not compile.
pub(super) fn set_up(
    part: &Part<'_>,
    progress: &mut dyn Progress,
    report: &mut Report,
) -> Result<Installed, Failure> {
    let options = part.options;
    if !options.targets.is_empty() || options.settings.debug {
        let message = "driver.toml says what a server for L4Re is built for, and how";
        let help = "leave out --target and -D; -d, -a and --component choose what is set up";
        let finding = Diagnostic::error("udi-options", message).file(part.file);
        return Err(finding.help(help).into());
    }
    Server { part }.set_up(progress, report)
}

/// A server on its way.
struct Server<'a> {
    part: &'a Part<'a>,
}

impl Server<'_> {
    fn set_up(
        &self,
        progress: &mut dyn Progress,
        report: &mut Report,
    ) -> Result<Installed, Failure> {
        let properties = self.part.properties(report)?;
        let (text, manifest) = self.manifest(&properties, report)?;
        let binaries = match self.part.options.source {
            true => None,
            false => self.binaries(&properties, &manifest, report)?,
        };
        let folder = self.part.options.output.join("pkg").join(&manifest.driver.name);
        let from_source = binaries.is_none();
        match binaries {
            Some(binaries) => {
                let program = properties.primary_module();
                let input = Input {
                    manifest: &manifest,
                    manifest_text: &text,
                    program,
                    binaries: &binaries,
                };
                let tree = package::emit(&input).map_err(|failure| self.part.about(failure))?;
                if !self.part.options.dry_run {
                    tree.write(&folder)?;
                }
            }
            None => self.build(&text, progress, report)?,
        }
        Ok(Installed {
            shortname: properties.shortname().into(),
            place: self.part.place.clone(),
            file: self.part.file.into(),
            name: manifest.driver.name,
            folder,
            from_source,
        })
    }

    /// The module of a component: its name and the bytes for each binding.
    fn module(&self) -> Option<(&str, &str, &[u8])> {
        let (path, file) = self.part.component.below("bin").next()?;
        let (abi, name) = path.split_once('/')?;
        Some((abi, name, &file.bytes))
    }

    fn manifest(
        &self,
        properties: &Properties,
        report: &mut Report,
    ) -> Result<(String, Manifest), Failure> {
        let (path, text) = match self.part.manifest() {
            Some((path, bytes)) => {
                let path = self.part.inside(&path);
                let text = std::str::from_utf8(bytes).map_err(|error| {
                    let finding = Diagnostic::error("udi-text", "the text is not UTF-8");
                    finding.file(&path).offset(error.valid_up_to() as u64)
                })?;
                (path, text.to_owned())
            }
            None => {
                let targets = self.targets()?;
                let (text, warnings) = convert::manifest(self.part.file, properties, &targets)?;
                report.extend(warnings);
                (self.part.inside(manifest::FILE), text)
            }
        };
        let (manifest, warnings) = Manifest::from_toml(&path, &text)?;
        report.extend(warnings);
        Ok((text, manifest))
    }

    /// The targets that the package has modules for.
    fn targets(&self) -> Result<Vec<Target>, Failure> {
        if let (Some(_), Some((_, _, bytes))) = (&self.part.options.abi, self.module()) {
            return Ok(vec![
                elf::target_of(bytes).map_err(|finding| finding.file(self.part.file))?,
            ]);
        }
        let targets: Vec<Target> =
            self.part.component.abis().iter().filter_map(|name| abi::target(name)).collect();
        if targets.is_empty() {
            let message = "neither driver.toml nor a module for a known processor binding";
            return Err(Diagnostic::error("udi-abi", message).file(self.part.file).into());
        }
        Ok(targets)
    }

    /// The programs for all targets of the manifest, as they were built; `None` if there are not all
    /// of them, and source to build them from.
    fn binaries(
        &self,
        properties: &Properties,
        manifest: &Manifest,
        report: &mut Report,
    ) -> Result<Option<Vec<Binary>>, Failure> {
        let mut binaries = Vec::new();
        for name in &manifest.targets {
            let target = Target::named(name)?;
            let abi = self.part.options.abi.clone().unwrap_or_else(|| abi::name(&target));
            let path = format!("bin/{abi}/{}", properties.primary_module());
            let Some(file) = self.part.component.get(&path) else {
                if self.part.component.has_source() {
                    return Ok(None);
                }
                let message = format!("no module for {name} and no source; it would be `{path}`");
                let there = self.part.component.abis().join(", ");
                let help = format!("there are modules for: {there}; --abi takes one of them");
                let finding = Diagnostic::error("udi-abi", message).file(self.part.file);
                return Err(finding.help(help).into());
            };
            let about = self.part.inside(&path);
            let bytes = section::detach(&file.bytes).map_err(|finding| finding.file(&about))?;
            let expect = Expect {
                target: &target,
                drvinfo: manifest.driver.class != Class::Test,
                c_code: manifest.c.is_some(),
            };
            let (program, findings) = elf::verify(&bytes, &expect);
            let mut more = Report::new();
            more.extend_about(&about, findings);
            let ((), more) = more.into_result(())?;
            report.extend(more);
            let info = program.and_then(|program| program.info);
            binaries.push(Binary { target, bytes, info });
        }
        Ok(Some(binaries))
    }

    /// Builds the driver from the source in the package.
    fn build(
        &self,
        manifest_text: &str,
        progress: &mut dyn Progress,
        report: &mut Report,
    ) -> Result<(), Failure> {
        self.part.needs_source()?;
        if self.part.options.dry_run {
            return Ok(());
        }
        let scratch = scratch(self.part.options.scratch.as_deref())?;
        let folder = scratch.path().join(&self.part.place.driver);
        self.part.unpack_source(&folder)?;
        write_file(&folder.join(manifest::FILE), manifest_text.as_bytes(), false)?;
        let options = build::BuildOptions {
            folder,
            out: Some(self.part.options.output.clone()),
            ..build::BuildOptions::default()
        };
        let built = build::build(&options, progress)?;
        report.extend(built.report);
        Ok(())
    }
}

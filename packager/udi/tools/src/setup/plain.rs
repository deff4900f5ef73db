//! Setting up drivers and libraries of UDI's own kind, in a folder of their own:
//!
//! ```text
//! udi/<driver>/<component>/
//!     udiprops.txt            the properties, without what only building needs
//!     bin/<abi>/<module>      the properties attached to the primary one
//!     include/…               headers that a library provides
//!     msg/…, extra/…
//!     <shortname>.udi         what was set up, as a package
//! ```

use std::path::Path;

use l4re_files::input;
use l4re_udi::archive::{ENDING, Package};
use l4re_udi::exports::Stage;
use l4re_udi::props::{self, Properties};
use l4re_udi::{exports, section};

use super::super::{DEFAULT_TARGET, abi, modules, scratch, udibuild};
use super::{FOLDER, Installed, Part};
use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::elf;
use l4re_packager_core::package::Tree;
use l4re_packager_core::target::Target;

/// Sets up a driver or library.
///
/// # Errors
///
/// [`Failure`] if something in the package is not good, or it does not compile.
pub(super) fn set_up(
    part: &Part<'_>,
    progress: &mut dyn Progress,
    report: &mut Report,
) -> Result<Installed, Failure> {
    let properties = part.properties(report)?;
    let folder = part.options.output.join(FOLDER).join(&part.place.driver);
    let folder = folder.join(&part.place.component);
    let mut from_source = false;
    let mut tree = Tree::default();
    tree.text(props::FILE, properties.without_build_rules());
    for binding in bindings(part)? {
        let packed = part.component.abis().contains(&binding.abi.as_str());
        if packed && !part.options.source {
            take(part, &properties, &binding, &mut tree)?;
            continue;
        }
        if !part.component.has_source() && !part.options.source {
            return Err(nothing_for(part, &binding));
        }
        part.needs_source()?;
        from_source = true;
        if !part.options.dry_run {
            compile(part, &properties, &binding, progress, report, &mut tree)?;
        }
    }
    for name in ["extra", "msg"] {
        for (path, file) in part.component.below(name) {
            tree.file(&format!("{name}/{path}"), file.bytes.clone());
        }
    }
    for header in properties.provided_headers() {
        if let Some(file) = part.component.get(&format!("src/{header}")) {
            tree.file(&format!("include/{header}"), file.bytes.clone());
        }
    }
    let copy = format!("{}.{ENDING}", properties.shortname());
    tree.file(&copy, archive_copy(part)?);
    if !part.options.dry_run {
        tree.write_over(&folder, &[props::FILE])?;
    }
    Ok(Installed {
        shortname: properties.shortname().into(),
        place: part.place.clone(),
        file: part.file.into(),
        name: properties.shortname().into(),
        folder,
        from_source,
    })
}

/// The short name of what is set up in a folder, if it is something.
pub(super) fn installed(folder: &Path) -> Option<String> {
    let (properties, _) = Properties::load(&folder.join(props::FILE)).ok()?;
    Some(properties.shortname().into())
}

/// A processor binding to set up for.
struct Binding {
    abi: String,
    /// What it is for, if that is known.
    target: Option<Target>,
}

/// What is wished for; otherwise everything that there are modules for; otherwise what is built if
/// nobody says.
fn bindings(part: &Part<'_>) -> Result<Vec<Binding>, Failure> {
    let wished: Vec<Target> =
        part.options.targets.iter().map(|name| Target::named(name)).collect::<Result<_, _>>()?;
    let own_name = |target: Target| Binding { abi: abi::name(&target), target: Some(target) };
    let known = |name: &str| Binding { abi: name.into(), target: abi::target(name) };
    let packed: Vec<Binding> = part.component.abis().into_iter().map(known).collect();
    Ok(match (&part.options.abi, wished.as_slice()) {
        (Some(name), [target]) => {
            vec![Binding { abi: name.clone(), target: Some(target.clone()) }]
        }
        (Some(name), []) => vec![known(name)],
        (Some(_), _) => {
            let message = "one name (--abi) for several targets";
            return Err(Diagnostic::error("udi-abi", message).into());
        }
        (None, []) if packed.is_empty() => vec![own_name(Target::named(DEFAULT_TARGET)?)],
        (None, []) => packed,
        (None, _) => wished.into_iter().map(own_name).collect(),
    })
}

/// Takes the modules of a binding as they were built.
fn take(
    part: &Part<'_>,
    properties: &Properties,
    binding: &Binding,
    tree: &mut Tree,
) -> Result<(), Failure> {
    let mut report = Report::new();
    let abi = &binding.abi;
    for name in properties.modules() {
        let path = format!("bin/{abi}/{name}");
        let about = part.inside(&path);
        let Some(file) = part.component.get(&path) else {
            let message = "the package does not have this module";
            let help = "--source builds it; otherwise get the whole package";
            report.push(Diagnostic::error("udi-no-module", message).file(&about).help(help));
            continue;
        };
        let finding = |finding: Diagnostic| Failure::from(finding.file(&about));
        if exports::stage(&file.bytes).map_err(finding)? != Stage::Object {
            let message = "is no relocatable object";
            report.push(Diagnostic::error("udi-module", message).file(&about));
            continue;
        }
        let made_for = elf::target_of(&file.bytes).map_err(finding)?;
        if binding.target.as_ref().is_some_and(|target| target.name != made_for.name) {
            let message = format!("is for {}, in the folder of another", made_for.name);
            report.push(Diagnostic::error("udi-target", message).file(&about));
        }
        report.extend_about(&about, modules::judge(&file.bytes, properties).map_err(finding)?);
        tree.file(&path, file.bytes.clone());
    }
    let inside = format!("{abi}/");
    let packed = part.component.below("bin").filter_map(|(path, _)| path.strip_prefix(&inside));
    for name in packed.filter(|name| !properties.modules().iter().any(|known| known == name)) {
        let about = part.inside(&format!("bin/{abi}/{name}"));
        let message = "the properties name no such module";
        report.push(Diagnostic::error("udi-module", message).file(&about));
    }
    report.into_result(()).map(|_| ())
}

/// Builds the modules of a binding from the source in the package.
fn compile(
    part: &Part<'_>,
    properties: &Properties,
    binding: &Binding,
    progress: &mut dyn Progress,
    report: &mut Report,
    tree: &mut Tree,
) -> Result<(), Failure> {
    let Some(target) = &binding.target else {
        let message = format!("nobody knows what `{}` is for", binding.abi);
        let help = "say it with --target";
        return Err(Diagnostic::error("udi-abi", message).file(part.file).help(help).into());
    };
    let scratch = scratch(part.options.scratch.as_deref())?;
    let folder = scratch.path().join("src");
    part.unpack_source(&folder)?;
    let options = udibuild::UdibuildOptions {
        folder,
        output: scratch.path().into(),
        abi: Some(binding.abi.clone()),
        targets: vec![target.name.clone()],
        scratch: Some(scratch.path().into()),
        settings: part.options.settings.clone(),
        ..udibuild::UdibuildOptions::default()
    };
    let built = udibuild::build(&options, progress)?;
    report.extend(built.report);
    for (name, module) in properties.modules().iter().zip(&built.modules) {
        let path = &module.file;
        let mut bytes =
            input::read(path, input::PROGRAM).map_err(|error| Failure::io("read", path, &error))?;
        if name == properties.primary_module() {
            bytes = section::attach(&bytes, &properties.section())
                .map_err(|finding| finding.file(path))?;
        }
        tree.file(&format!("bin/{}/{name}", binding.abi), bytes);
    }
    Ok(())
}

fn nothing_for(part: &Part<'_>, binding: &Binding) -> Failure {
    let message = format!("no modules for `{}`, and no source to build them from", binding.abi);
    let there = part.component.abis().join(", ");
    let help = format!("there are modules for: {there}; --abi takes one of them");
    Diagnostic::error("udi-abi", message).file(part.file).help(help).into()
}

/// The component alone, as a package.
fn archive_copy(part: &Part<'_>) -> Result<Vec<u8>, Failure> {
    let mut package = Package::default();
    package.put(part.place.clone(), part.component.clone())?;
    package.to_bytes().map_err(|error| Failure::io("pack", part.file, &error))
}

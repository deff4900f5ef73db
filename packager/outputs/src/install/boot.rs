//! A bootstrap image of L4Re as the system. It has no folders: its files are `rom/<name>`, and what
//! nobody starts does nothing. So a driver comes with the script that starts it.

use std::path::Path;

use l4re_image::{Image, Module, Selector, Source};

use super::{InstallOptions, Installed, Program};
use crate::inject;
use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::check::Package;
use l4re_packager_core::manifest::{FILE, PackageKind};
use l4re_packager_core::target::Target;

/// Where files of an image are.
const ROM: &str = "rom/";

/// Installs into the image `file`; the changed one goes to `output`.
pub(super) fn install(
    options: &InstallOptions,
    file: &Path,
    output: Option<&Path>,
) -> Result<Installed, Failure> {
    let package = options.package.is_dir().then(|| Package::load(&options.package)).transpose()?;
    let kind = package.as_ref().map(|package| package.manifest.driver.kind);
    let by_name = || PackageKind::of_program(&options.package.file_name()?.to_string_lossy());
    let kind = kind.or_else(by_name);
    let name = options.place.as_deref().map(name).transpose()?.flatten();
    let output = output.unwrap_or(file);
    match (options.kind.or(kind), package) {
        (Some(PackageKind::Driver), Some(_)) => driver(options, file, output, name),
        (Some(PackageKind::Tool), package) => tool(options, package, file, output, name),
        (Some(PackageKind::Driver), None) => {
            let message = "a driver goes into a boot image with what starts it, which a program \
                           alone does not tell";
            let help = format!("name the package's folder, the one with {FILE}; or --kind tool");
            let finding = Diagnostic::error("install-place", message).file(&options.package);
            Err(finding.help(help).into())
        }
        (Some(PackageKind::Init), _) => Err(init(file)),
        (None, _) => {
            let message = "nothing says what kind of program this is";
            let finding = Diagnostic::error("install-place", message).file(&options.package);
            Err(finding.help("say so: --kind driver or tool").into())
        }
    }
}

/// The first program takes the place of another one: which, only a person knows.
fn init(file: &Path) -> Failure {
    let message = "the first program of a system takes the place of the one in the image";
    let help = format!(
        "for the root task: packager image replace {0} <its name> <program> -o NEW; for what moe \
         starts: packager image add {0} <program> -o NEW, and then --args '--init=rom/<program>' \
         for moe with packager image replace",
        file.display()
    );
    Diagnostic::error("install-place", message).file(file).help(help).into()
}

/// The module's name that a path means; `None` for the folder.
fn name(path: &str) -> Result<Option<String>, Failure> {
    let name = path.strip_prefix('/').unwrap_or(path);
    let name = name.strip_prefix(ROM).unwrap_or(name);
    if name.is_empty() {
        return Ok(None);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-+@".contains(c);
    if name.chars().all(plain) && !name.starts_with('.') {
        return Ok(Some(name.into()));
    }
    let message = format!("`{}` is no file of a boot image", path.escape_debug());
    let help = "those are rom/<name>, without folders";
    Err(Diagnostic::error("install-place", message).help(help).into())
}

fn driver(
    options: &InstallOptions,
    file: &Path,
    output: &Path,
    program: Option<String>,
) -> Result<Installed, Failure> {
    let injected = inject::inject(&inject::InjectOptions {
        package: options.package.clone(),
        image: file.into(),
        output: output.into(),
        bus: options.bus.clone(),
        with: options.with.clone(),
        program,
        keep_symbols: options.keep_symbols,
        dry_run: options.dry_run,
        ..inject::InjectOptions::default()
    })?;
    Ok(Installed {
        place: format!("{ROM}{}", injected.program),
        file: output.into(),
        size: injected.sizes.0,
        installed: injected.sizes.1,
        report: injected.report.clone(),
        injected: Some(injected),
    })
}

/// A tool is a module and nothing more.
fn tool(
    options: &InstallOptions,
    package: Option<Package>,
    file: &Path,
    output: &Path,
    name: Option<String>,
) -> Result<Installed, Failure> {
    let mut image = Image::open(file)?;
    let program = match package {
        Some(package) => {
            let binary = inject::fitting(&package, &image)
                .map_err(|finding| finding.file(&options.package))?;
            Program::packaged(&package, binary, &options.package)
        }
        None => Program::bare(&options.package)?,
    };
    fits(&program.target, &image).map_err(|finding| finding.file(&options.package))?;
    let name = name.unwrap_or_else(|| program.name.clone());
    let bytes = if options.keep_symbols { program.bytes.clone() } else { program.stripped()? };
    let (size, installed) = (program.bytes.len() as u64, bytes.len() as u64);
    let module = Module::new(name.as_str(), Source::from_bytes(bytes));
    // An older one keeps its place and its arguments.
    match image.find(&Selector::Name(name.clone())) {
        Ok(number) if image.rom(&name).is_some() => image.replace(number, module)?,
        _ => image.add(module, None)?,
    }
    let mut report = Report::new();
    report.extend(image.report().clone());
    if !options.dry_run {
        report.extend_about(output, image.write(output)?);
    }
    let place = format!("{ROM}{name}");
    Ok(Installed { place, file: output.into(), size, installed, report, injected: None })
}

fn fits(target: &Target, image: &Image) -> Result<(), Diagnostic> {
    let arch = image.arch();
    if target.l4re.arch == arch.name() && target.elf.class == arch.bits() {
        return Ok(());
    }
    let message = format!("the image is for {}, the program for {}", arch.name(), target.l4re.arch);
    Err(Diagnostic::error("target", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_name_without_folders() {
        for (path, expected) in [
            ("rom/", Some(None)),
            ("/rom/", Some(None)),
            ("rom/x-drv", Some(Some("x-drv"))),
            ("x-drv", Some(Some("x-drv"))),
            ("/usr/lib/drivers/", None),
            ("rom/../x", None),
            ("..", None),
            ("a b", None),
        ] {
            let found = name(path).ok();
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{path}");
        }
    }
}

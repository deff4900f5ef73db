//! What cannot start in a root file system: gettys that are not there, units whose program is not.

use super::filesystem::Filesystem;
use crate::systemd::ADMIN;
use crate::systemd::check::Source;
use crate::systemd::unit::Unit;
use l4re_packager_base::{Diagnostic, Report};

/// Switches off the gettys that can never start. Those on virtual terminals need `agetty`, and would
/// be tried again for ever; those on serial lines also wait for a device unit, which only udev makes.
pub(super) fn gettys(system: &mut Filesystem) -> Result<(), Diagnostic> {
    let agetty = system.get("sbin/agetty").is_some();
    let udev = system.get("lib/systemd/systemd-udevd").is_some();
    if !agetty {
        system.link(&format!("{ADMIN}/getty-static.service"), "/dev/null")?;
    }
    if !agetty || !udev {
        system.link("etc/systemd/system-generators/systemd-getty-generator", "/dev/null")?;
    }
    Ok(())
}

/// The units that can be verified, and those that are not enabled and have no program here, each
/// with its program. Somebody who enables such a unit must bring the program.
pub(super) fn idle(
    system: &Filesystem,
    units: &[(String, Source)],
    enabled: &[String],
) -> (Vec<String>, Vec<(String, String)>) {
    let (mut there, mut idle) = (Vec::new(), Vec::new());
    for (name, source) in units {
        let unit = Unit::parse(&source.path, &source.text, &mut Report::new());
        let programs = unit.values("Service", "ExecStart");
        let missing = programs.iter().find_map(|(command, _)| {
            let word = command.split_whitespace().next()?;
            let program = word.trim_start_matches(['@', '-', ':', '+', '!']);
            let path = program.strip_prefix('/')?;
            system.get(path).is_none().then(|| program.to_owned())
        });
        match missing {
            Some(program) if !enabled.contains(name) => idle.push((name.clone(), program)),
            _ => there.push(name.clone()),
        }
    }
    (there, idle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Kind;

    fn off(files: &[&str]) -> Vec<String> {
        let mut system = Filesystem::default();
        for file in files {
            system.file(file, Vec::new(), 0o755).unwrap();
        }
        gettys(&mut system).unwrap();
        let off = system.iter().filter(|(_, node)| node.kind == Kind::Link("/dev/null".into()));
        off.map(|(path, _)| path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn only_gettys_that_cannot_start_are_off() {
        assert_eq!(off(&[]), ["systemd-getty-generator", "getty-static.service"]);
        assert_eq!(off(&["sbin/agetty"]), ["systemd-getty-generator"]);
        assert_eq!(off(&["usr/sbin/agetty", "lib/systemd/systemd-udevd"]), [""; 0]);
    }

    #[test]
    fn a_unit_without_its_program_is_idle_unless_it_is_enabled() {
        let mut system = Filesystem::default();
        system.file("bin/sh", Vec::new(), 0o755).unwrap();
        let unit = |name: &str, command: &str| {
            let text = format!("[Service]\nExecStart={command}\n");
            (name.to_owned(), Source { path: name.into(), text })
        };
        let units = [
            unit("a.service", "-/bin/sh -c x"),
            unit("b.service", "/usr/bin/b -v"),
            unit("c.service", "/c"),
        ];
        let (there, idle) = idle(&system, &units, &["c.service".into()]);
        assert_eq!(there, ["a.service", "c.service"]);
        assert_eq!(idle, [("b.service".to_owned(), "/usr/bin/b".to_owned())]);
    }
}

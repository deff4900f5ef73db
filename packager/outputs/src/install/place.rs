//! Where a program goes.

use l4re_packager_base::{Diagnostic, Failure};
use l4re_packager_core::manifest::PackageKind;

/// The path of a program in a system: what `wanted` says, or what its kind does.
///
/// `is_folder` tells whether the system has a folder of that path.
///
/// # Errors
///
/// [`Failure`] if neither says anything, if the program only belongs into the initial file system,
/// or if the path is none.
pub(super) fn place(
    kind: Option<PackageKind>,
    name: &str,
    wanted: Option<&str>,
    is_folder: &mut dyn FnMut(&str) -> Result<bool, Failure>,
) -> Result<String, Failure> {
    let fail = |message: String, help: &str| {
        Err(Failure::from(Diagnostic::error("install-place", message).help(help)))
    };
    if kind == Some(PackageKind::Init) {
        let help = "it is a module of the boot image: packager image replace, or compose it anew";
        let message = format!(
            "`{name}` is the first program of a system, which starts it from \
                               the initial file system; installed elsewhere nobody would"
        );
        return fail(message, help);
    }
    let path = match (wanted, kind.and_then(PackageKind::folder)) {
        (Some(wanted), _) if wanted.ends_with('/') => format!("{wanted}{name}"),
        (Some(wanted), _) => {
            check(wanted)?;
            if is_folder(wanted)? { format!("{wanted}/{name}") } else { wanted.into() }
        }
        (None, Some(folder)) => format!("{folder}/{name}"),
        (None, None) => {
            let help = "say where: a path like /usr/bin/, or --kind driver or tool";
            return fail(format!("nothing says what kind of program `{name}` is"), help);
        }
    };
    check(&path)?;
    Ok(path)
}

/// A path in the system: absolute, with names that every file system and its tools take.
pub(super) fn check(path: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-+@".contains(c);
    let reason = if !path.starts_with('/') || path.len() < 2 {
        "must be a path in the system that starts with /"
    } else if path.split('/').skip(1).any(|part| ["", ".", ".."].contains(&part)) {
        "has `.`, `..` or nothing between two /"
    } else if !path.split('/').all(|part| part.chars().all(plain) && part.len() <= 255) {
        "has other characters than letters, digits and _ . - + @"
    } else {
        return Ok(());
    };
    let message = format!("`{}` {reason}", path.escape_debug());
    Err(Diagnostic::error("install-place", message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(
        kind: Option<PackageKind>,
        name: &str,
        wanted: Option<&str>,
    ) -> Result<String, String> {
        let mut folder = |path: &str| Ok(path == "/opt/there");
        place(kind, name, wanted, &mut folder).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_kind_decides_where_nobody_says() {
        let rows = [
            ("pcid", PackageKind::Driver, "/usr/lib/drivers/pcid"),
            ("pcid-spawner", PackageKind::Driver, "/usr/lib/drivers/pcid-spawner"),
            ("virtio-blk-drv", PackageKind::Driver, "/usr/lib/drivers/virtio-blk-drv"),
            ("e1000d", PackageKind::Driver, "/usr/lib/drivers/e1000d"),
            ("bash", PackageKind::Tool, "/usr/bin/bash"),
            ("blk-client", PackageKind::Tool, "/usr/bin/blk-client"),
        ];
        for (name, kind, path) in rows {
            assert_eq!(placed(Some(kind), name, None), Ok(path.into()), "{name}");
        }
    }

    #[test]
    fn well_known_programs_have_a_kind_where_nothing_else_says_it() {
        for (name, path) in [
            ("virtio-netd", "/usr/lib/drivers/virtio-netd"),
            ("virtio-9pd", "/usr/lib/drivers/virtio-9pd"),
            ("xhcid", "/usr/lib/drivers/xhcid"),
            ("usbhidd", "/usr/lib/drivers/usbhidd"),
            ("pcid-spawner", "/usr/bin/pcid-spawner"),
            ("inputd", "/usr/bin/inputd"),
        ] {
            assert_eq!(
                placed(PackageKind::of_program(name), name, None),
                Ok(path.into()),
                "{name}"
            );
        }
        let message = placed(PackageKind::of_program("init"), "init", None).unwrap_err();
        assert!(message.contains("the initial file system"), "{message}");
        assert_eq!(PackageKind::of_program("xhci"), None);
    }

    #[test]
    fn the_first_program_goes_nowhere_but_into_the_initial_file_system() {
        for wanted in [None, Some("/sbin/")] {
            let message = placed(Some(PackageKind::Init), "init", wanted).unwrap_err();
            assert!(message.contains("the initial file system"), "{message}");
        }
    }

    #[test]
    fn a_word_wins_over_the_kind() {
        let place = |wanted| placed(Some(PackageKind::Driver), "pcid-spawner", Some(wanted));
        assert_eq!(place("/usr/bin/"), Ok("/usr/bin/pcid-spawner".into()));
        assert_eq!(place("/opt/there"), Ok("/opt/there/pcid-spawner".into()));
        assert_eq!(place("/opt/other"), Ok("/opt/other".into()));
        assert_eq!(placed(None, "x", Some("/bin/")), Ok("/bin/x".into()));
        assert_eq!(placed(None, "x", Some("/")), Ok("/x".into()));
    }

    #[test]
    fn paths_that_are_none_are_refused() {
        for wanted in ["", "bin/", "/../x", "/a/./b", "/a//b", "//", "/a b/", "/a\n", "/a\"/"] {
            assert!(placed(Some(PackageKind::Tool), "x", Some(wanted)).is_err(), "{wanted:?}");
        }
        assert!(placed(None, "x", None).unwrap_err().contains("--kind"));
        assert!(placed(Some(PackageKind::Tool), "a b", None).is_err());
    }
}

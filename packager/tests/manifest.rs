//! One file for each mistake that can be made in `driver.toml`, with the exact message.
//!
//! `manifest/<mistake>.toml` is the input, `manifest/<mistake>.txt` the message; a file without a
//! message must be accepted. `UPDATE_EXPECTED=1 cargo test` writes the messages, for reading the
//! difference before committing it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use l4re_packager_core::manifest::systemd::Restart;
use l4re_packager_core::manifest::{Class, Manifest, PackageKind, Source};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest")
}

fn read(name: &str) -> Result<Manifest, String> {
    let text = fs::read_to_string(folder().join(name).with_extension("toml"))
        .map_err(|error| error.to_string())?;
    match Manifest::from_toml(Path::new("driver.toml"), &text) {
        Ok((manifest, _)) => Ok(manifest),
        Err(failure) => Err(format!("{failure}\n")),
    }
}

#[test]
fn every_mistake_gets_its_message() {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    let mut different = Vec::new();
    for name in names {
        let expected = folder().join(&name).with_extension("txt");
        let message = read(&name).err();
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            match &message {
                Some(message) => fs::write(&expected, message).unwrap(),
                None => assert!(name.starts_with("good"), "{name} is accepted"),
            }
        }
        if fs::read_to_string(&expected).ok() != message {
            different.push(format!("{name}: {}", message.unwrap_or("accepted".into())));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_key_arrives() {
    let manifest = read("good-everything").unwrap();
    assert_eq!(manifest.driver.program.as_deref(), Some("demo-drv"));
    assert_eq!(manifest.driver.class, Class::Block);
    assert_eq!(manifest.targets, ["aarch64"]);
    let c = manifest.c.unwrap();
    assert_eq!(c.sources, [Path::new("src/part.c")]);
    assert_eq!((c.include, c.define), (vec!["include".into()], vec!["DEPTH=3".into()]));
    assert_eq!(manifest.l4re.provides, ["demo-extra"]);
    assert_eq!(manifest.l4re.requires, ["libdemo"]);
    assert_eq!(manifest.l4re.bus.pci, ["VEN_1AF4&DEV_1042", "CC_0180"]);
    assert_eq!(manifest.l4re.bus.compatible, ["virtio,mmio"]);
    assert_eq!(manifest.l4re.example.options, ["-v"]);
    assert_eq!(manifest.l4re.example.create, ["device=disk0", "ds-max=4"]);
}

#[test]
fn every_key_of_a_service_arrives() {
    let manifest = read("good-service").unwrap();
    let driver = &manifest.driver;
    assert_eq!((driver.kind, driver.kind.folder()), (PackageKind::Tool, Some("/usr/bin")));
    assert_eq!(driver.version.as_deref(), Some("1.2.0"));
    assert_eq!(driver.homepage.as_deref(), Some("https://example.org/fs"));
    assert_eq!(
        (&driver.provides[..], &driver.requires[..]),
        (&["file-server".to_owned()][..], &["block-driver".to_owned()][..])
    );
    let unit = &manifest.systemd;
    assert_eq!((&unit.options[0][..], &unit.after[0][..]), ("-v", "blk.service"));
    assert_eq!((&unit.requires[0][..], &unit.wants[0][..]), ("blk.service", "log.service"));
    assert_eq!((&unit.wanted_by[..], unit.enable), (&["graphical.target".to_owned()][..], false));
    assert_eq!((unit.restart, &unit.capabilities[0][..]), (Restart::Always, "CAP_SYS_ADMIN"));
    assert_eq!(unit.environment, ["MODE=50% \"off\""]);
    let caps: Vec<_> = manifest.caps.iter().map(|cap| (&cap.variable[..], &cap.source)).collect();
    assert_eq!(
        caps,
        [
            ("GLOBAL_FS", &Source::Server("global_fs".into())),
            ("SCHED", &Source::Env("scheduler".into())),
            ("JDB16CHARACTERS_", &Source::Given),
        ]
    );
}

#[test]
fn without_the_tables_a_driver_is_an_enabled_service() {
    let manifest = read("good").unwrap();
    assert_eq!(manifest.driver.kind.folder(), Some("/usr/lib/drivers"));
    assert_eq!(manifest.systemd.wanted_by, ["multi-user.target"]);
    assert!(manifest.systemd.enable && manifest.caps.is_empty());
}

//! `driver.toml` and `udiprops.txt`, each made of the other.
//!
//! | `driver.toml` | `udiprops.txt` |
//! |---|---|
//! | `[driver] name`, `description` | `name`: message "name: description" |
//! | `[udi] shortname`, or the name cut down | `shortname` |
//! | `[driver] version`, `[udi] release` | `release` |
//! | `[udi] supplier`, or the maintainer | `supplier` |
//! | `[driver] maintainer` | `contact` |
//! | `[driver] licence` | a message "Licence: …" |
//! | `[driver] class` | `meta 2 l4re_<class>`, `child_bind_ops` |
//! | `stdlibs`, `[l4re] requires` | `requires` |
//! | `[l4re.bus]` | `device`, `meta 1 l4re_bus`, `parent_bind_ops` |
//! | `[udi] sources`, `readable` | `source_files`, `readable_file` |

use std::fmt::Write;
use std::path::Path;

use l4re_udi::props::{Declaration, Interface, Properties, SHORTNAME_MAX, Text};

use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest::{self, Class, Manifest};
use l4re_packager_core::target::Target;

mod devices;

use devices::Device;

/// Version of interfaces of L4Re, which has none: 1.00.
const NO_VERSION: u32 = 0x100;

/// What stands before the licence in the message that says it.
const LICENCE: &str = "Licence: ";

/// Numbers of interfaces and messages in properties that are made here.
const META_BUS: u8 = 1;
const META_CLASS: u8 = 2;
const MESSAGE_SUPPLIER: u16 = 1;
const MESSAGE_CONTACT: u16 = 2;
const MESSAGE_NAME: u16 = 3;
const MESSAGE_LICENCE: u16 = 4;
const MESSAGE_DEVICES: u16 = 10;

/// The short name of a driver: what `[udi]` says, or the letters and digits of its name, cut off.
pub fn shortname(manifest: &Manifest) -> String {
    manifest.udi.shortname.clone().unwrap_or_else(|| {
        let plain = manifest.driver.name.chars().filter(char::is_ascii_alphanumeric);
        plain.take(SHORTNAME_MAX).collect()
    })
}

/// The properties of a driver that has no `udiprops.txt`.
///
/// # Errors
///
/// [`Failure`] if something in the manifest cannot be said in properties, such as a name that is too
/// long for a line.
pub fn properties(manifest: &Manifest, program: &str) -> Result<Properties, Failure> {
    let driver = &manifest.driver;
    let version = driver.version.as_deref().unwrap_or("1");
    let mut list = vec![
        Declaration::PropertiesVersion(l4re_udi::props::VERSION),
        Declaration::Supplier(MESSAGE_SUPPLIER),
        Declaration::Contact(MESSAGE_CONTACT),
        Declaration::Name(MESSAGE_NAME),
        Declaration::Shortname(shortname(manifest)),
        Declaration::Release {
            number: manifest.udi.release.unwrap_or(1),
            text: Text::plain(version),
        },
    ];
    let mut say = |number, text: &str| {
        list.push(Declaration::Message { number, text: Text::plain(text) });
    };
    say(MESSAGE_SUPPLIER, manifest.udi.supplier.as_ref().unwrap_or(&driver.maintainer));
    say(MESSAGE_CONTACT, &driver.maintainer);
    say(MESSAGE_NAME, &format!("{}: {}", driver.name, driver.description));
    say(MESSAGE_LICENCE, &format!("{LICENCE}{}", driver.licence));
    let mut required: Vec<&str> = vec!["stdlibs"];
    for word in &manifest.l4re.requires {
        if !required.contains(&word.as_str()) {
            required.push(word);
        }
    }
    list.extend(required.iter().map(|name| {
        Declaration::Requires(Interface { name: (*name).into(), version: NO_VERSION })
    }));
    list.push(Declaration::Region { index: 0, attributes: Vec::new() });
    bindings(manifest, &mut list);
    list.push(Declaration::Module(program.into()));
    if !manifest.udi.sources.is_empty() {
        list.push(Declaration::SourceFiles(manifest.udi.sources.clone()));
    }
    list.push(Declaration::ReadableFile(manifest::FILE.into()));
    let readable = manifest.udi.readable.iter().filter(|file| *file != manifest::FILE);
    list.extend(readable.map(|file| Declaration::ReadableFile(file.clone())));
    let (properties, _) = Properties::new(list)?;
    Ok(properties)
}

fn bindings(manifest: &Manifest, list: &mut Vec<Declaration>) {
    let bus = &manifest.l4re.bus;
    let pci = bus.pci.iter().map(|word| (word, devices::pci(word)));
    let others = bus.compatible.iter().map(|word| (word, devices::compatible(word)));
    let found: Vec<_> = pci.chain(others).collect();
    if !found.is_empty() {
        list.push(Declaration::Meta { index: META_BUS, interface: "l4re_bus".into() });
    }
    if manifest.driver.class != Class::Test {
        let interface = format!("l4re_{}", manifest.driver.class.name());
        list.push(Declaration::Meta { index: META_CLASS, interface });
    }
    if !found.is_empty() {
        list.push(Declaration::ParentBindOps { meta: META_BUS, region: 0, ops: 1, bind: 1 });
    }
    if manifest.driver.class != Class::Test {
        list.push(Declaration::ChildBindOps { meta: META_CLASS, region: 0, ops: 2 });
    }
    for (message, (word, attributes)) in (MESSAGE_DEVICES..).zip(found) {
        let text = Text::plain(&format!("Device {word}"));
        list.push(Declaration::Message { number: message, text });
        list.push(Declaration::Device { message, meta: META_BUS, attributes });
    }
}

/// The text of a `driver.toml` for a package that has none, for these targets.
///
/// # Errors
///
/// [`Failure`] if the properties do not say enough; `about` is the file with them.
pub fn manifest(
    about: &Path,
    properties: &Properties,
    targets: &[Target],
) -> Result<(String, Report), Failure> {
    let mut report = Report::new();
    let fields = ManifestFields::of(properties);
    if fields.licence.is_none() {
        let message = "the properties name no licence";
        let help =
            format!("\"LicenseRef-unknown\" stands for it; a message \"{LICENCE}…\" names one");
        report.push(Diagnostic::warning("udi-licence", message).file(about).help(help));
    }
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let list = |words: &[String]| toml::Value::from(words.to_vec()).to_string();
    let mut text = format!(
        "# Made of the properties of the UDI package `{}`, which has no driver.toml.\n\n[driver]\n",
        properties.shortname()
    );
    let driver = [
        ("name", fields.name.as_str()),
        ("description", &fields.description),
        ("program", properties.primary_module()),
        ("class", fields.class.name()),
        ("maintainer", &fields.contact),
        ("licence", fields.licence.as_deref().unwrap_or("LicenseRef-unknown")),
    ];
    for (key, value) in driver {
        let _ = writeln!(text, "{key} = {}", quoted(value));
    }
    for target in targets {
        let _ = write!(text, "\n[[target]]\nname = {}\n", quoted(&target.name));
    }
    let _ = write!(text, "\n[l4re]\nrequires = {}\n", list(&fields.requires));
    let _ = write!(
        text,
        "\n[l4re.bus]\npci = {}\ncompatible = {}\n",
        list(&fields.pci),
        list(&fields.compatible)
    );
    // Whatever the properties say must be good enough for a manifest.
    let (_, more) = Manifest::from_toml(about, &text)?;
    report.extend(more);
    Ok((text, report))
}

/// What properties say, in the words of a manifest.
struct ManifestFields {
    name: String,
    description: String,
    class: Class,
    contact: String,
    licence: Option<String>,
    requires: Vec<String>,
    pci: Vec<String>,
    compatible: Vec<String>,
}

impl ManifestFields {
    fn of(properties: &Properties) -> Self {
        let short = properties.shortname().to_ascii_lowercase().replace('_', "-");
        let mut fields = Self {
            name: short.clone(),
            description: short,
            class: Class::Test,
            contact: String::new(),
            licence: None,
            requires: Vec::new(),
            pci: Vec::new(),
            compatible: Vec::new(),
        };
        let text = |number| properties.message(number).unwrap_or_default().replace('\n', " ");
        for declaration in properties.declarations() {
            match declaration {
                Declaration::Name(number) => fields.is_called(&text(*number)),
                Declaration::Contact(number) => {
                    // "Somebody <a@b>" is common; a manifest wants the bare address.
                    let text = text(*number);
                    let address =
                        text.split([' ', '<', '>', '(', ')', ',']).find(|word| word.contains('@'));
                    fields.contact = address.unwrap_or(&text).into();
                }
                Declaration::Message { number, .. } => {
                    let text = text(*number);
                    fields.licence =
                        text.strip_prefix(LICENCE).map(String::from).or(fields.licence.take());
                }
                Declaration::Meta { interface, .. } => {
                    let class = interface.strip_prefix("l4re_");
                    let known = Class::ALL.iter().find(|(name, _)| Some(*name) == class);
                    fields.class = known.map_or(fields.class, |(_, class)| *class);
                }
                Declaration::Requires(interface) if interface.name != "stdlibs" => {
                    fields.requires.push(interface.name.clone());
                }
                Declaration::Device { attributes, .. } => match devices::device(attributes) {
                    Some(Device::Pci(word)) => fields.pci.push(word),
                    Some(Device::Compatible(word)) => fields.compatible.push(word),
                    None => {}
                },
                _ => {}
            }
        }
        fields
    }

    /// Takes "name: description" apart if it is that.
    fn is_called(&mut self, text: &str) {
        match text.split_once(": ") {
            Some((name, description)) if manifest::is_name(name) => {
                (self.name, self.description) = (name.into(), description.into());
            }
            _ => self.description = text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[driver]\nname = \"demo-blk\"\ndescription = \"Disks # and: more\"\n\
        program = \"demo-drv\"\nclass = \"block\"\nmaintainer = \"a@example.org\"\n\
        licence = \"MIT OR Apache-2.0\"\nversion = \"1.2.3\"\n[[target]]\nname = \"aarch64\"\n\
        [l4re]\nrequires = [\"libio-vbus\"]\n[l4re.bus]\n\
        pci = [\"CC_0180\", \"VEN_1AF4&DEV_1042\"]\ncompatible = [\"virtio,mmio\"]\n\
        [udi]\nrelease = 7\nsources = [\"src/main.rs\", \"Cargo.toml\"]\nreadable = [\"README.md\"]\n";

    fn read(text: &str) -> Manifest {
        Manifest::from_toml(Path::new("driver.toml"), text).unwrap().0
    }

    #[test]
    fn what_a_manifest_says_survives_the_way_there_and_back() {
        let first = read(MANIFEST);
        let made = properties(&first, "demo-drv").unwrap();
        assert_eq!((made.shortname(), made.release()), ("demoblk", 7));
        assert_eq!(made.primary_module(), "demo-drv");
        assert_eq!(made.source_files().collect::<Vec<_>>(), ["src/main.rs", "Cargo.toml"]);
        assert_eq!(made.readable_files().collect::<Vec<_>>(), ["driver.toml", "README.md"]);
        let targets = [Target::named("aarch64").unwrap()];
        let (text, report) = manifest(Path::new("x"), &made, &targets).unwrap();
        assert_eq!(report, Report::new());
        let second = read(&text);
        assert_eq!((second.l4re.bus, second.l4re.requires), (first.l4re.bus, first.l4re.requires));
        assert_eq!(second.targets, first.targets);
        let (one, other) = (first.driver, second.driver);
        assert_eq!((other.name, other.description), (one.name, one.description));
        assert_eq!((other.program, other.class), (one.program, one.class));
        assert_eq!((other.maintainer, other.licence), (one.maintainer, one.licence));
    }

    #[test]
    fn foreign_properties_make_a_manifest_with_a_warning() {
        let text = "properties_version 0x101\nsupplier 1\ncontact 2\nname 1\nshortname Foreign\n\
            release 1 1.0\nmessage 1 A \"driver\"\nmessage 2 Some Body <some@example.org>\n\
            requires udi 0x101\nregion 0\nmodule drv\n";
        let (foreign, _) = Properties::parse(Path::new("udiprops.txt"), text.as_bytes()).unwrap();
        let targets = [Target::named("aarch64").unwrap()];
        let (text, report) = manifest(Path::new("x.udi"), &foreign, &targets).unwrap();
        assert!(report.iter().any(|finding| finding.code == "udi-licence"));
        let driver = read(&text).driver;
        assert_eq!(
            (driver.name.as_str(), driver.description.as_str()),
            ("foreign", "A \"driver\"")
        );
        assert_eq!(driver.maintainer, "some@example.org");
    }
}

//! `udiprops.txt`: what a driver says of itself, one declaration a line.
//!
//! [`Properties::parse`] reads it with a place for every complaint, [`Properties`]'s `Display`
//! writes it, [`Properties::section`] is the form in which it is attached to a module. Version
//! 1.01 of the format (`properties_version 0x101`).

use std::collections::BTreeMap;
use std::path::Path;

use l4re_files::input;
use l4re_packager_base::{Diagnostic, Failure, Position, Report};

mod arguments;
mod build_rules;
mod lex;
mod parse;
mod read;
mod rules;
mod section;
mod text;
mod value;
mod write;

pub use build_rules::{BuildRules, Source};
pub use lex::LINE_MAX;
pub use rules::{
    SHORTNAME_MAX, SOURCE_MAX, file_name as check_file_name, shortname as check_shortname,
    source_file as check_source_file,
};
pub use text::{Piece, Text};
pub use value::{
    AttributeValue, Choice, Choices, CompileOption, Interface, RegionAttribute, Scope,
};

/// Name of the file.
pub const FILE: &str = "udiprops.txt";

/// Version of the format, as `properties_version` gives it.
pub const VERSION: u32 = 0x101;

/// A declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declaration {
    /// `properties_version`: the format, [`VERSION`].
    PropertiesVersion(u32),
    /// `supplier`: number of the message that says who supplies the driver.
    Supplier(u16),
    /// `contact`: number of the message that says whom to ask.
    Contact(u16),
    /// `name`: number of the message with the driver's name for people.
    Name(u16),
    /// `shortname`: its name for files.
    Shortname(String),
    /// `release`: its number, which is also that of the alternate, and its name.
    Release {
        /// The number.
        number: u32,
        /// The name for people.
        text: Text,
    },
    /// `requires`: an interface that the modules use.
    Requires(Interface),
    /// `provides`: an interface that the library offers.
    Provides {
        /// The interface.
        interface: Interface,
        /// Its header files.
        headers: Vec<String>,
    },
    /// `symbols`: a symbol of a library that may be seen from outside.
    Symbols {
        /// What the library calls it.
        library: String,
        /// What others call it, if that is something else.
        provided: Option<String>,
    },
    /// `category`: number of the message that says what kind of library it is.
    Category(u16),
    /// `module`: file name of a module. Declarations on building behind it are about it.
    Module(String),
    /// `region`: a part of the driver that runs on its own.
    Region {
        /// Its number.
        index: u8,
        /// How it wants to run.
        attributes: Vec<RegionAttribute>,
    },
    /// `meta`: a number for an interface, used by other declarations.
    Meta {
        /// The number.
        index: u8,
        /// Name of the interface.
        interface: String,
    },
    /// `device`: what the driver drives.
    Device {
        /// Number of the message that describes it.
        message: u16,
        /// Number of the interface at which it is attached.
        meta: u8,
        /// What it is told by: name and value.
        attributes: Vec<(String, AttributeValue)>,
    },
    /// `enumerates`: what the driver finds behind its device.
    Enumerates {
        /// Number of the message that describes it.
        message: u16,
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
        /// Number of the interface at which it is attached.
        meta: u8,
        /// What it is told by: name and value.
        attributes: Vec<(String, AttributeValue)>,
    },
    /// `parent_bind_ops`.
    ParentBindOps {
        /// Number of the interface.
        meta: u8,
        /// Number of the region.
        region: u8,
        /// Number of the operations.
        ops: u8,
        /// Number of the control block for binding.
        bind: u8,
    },
    /// `child_bind_ops`.
    ChildBindOps {
        /// Number of the interface.
        meta: u8,
        /// Number of the region.
        region: u8,
        /// Number of the operations.
        ops: u8,
    },
    /// `internal_bind_ops`.
    InternalBindOps {
        /// Number of the interface.
        meta: u8,
        /// Number of the region.
        region: u8,
        /// Number of the operations of the primary region.
        primary: u8,
        /// Number of the operations of the other region.
        secondary: u8,
        /// Number of the control block for binding.
        bind: u8,
    },
    /// `multi_parent`: one instance may have several devices.
    MultiParent,
    /// `custom`: something that an administrator can set.
    Custom {
        /// Name of the attribute.
        attribute: String,
        /// What it is set for.
        scope: Scope,
        /// Numbers of the messages with its name and descriptions.
        messages: [u16; 3],
        /// What it can be set to.
        choices: Choices,
        /// Number of the message that names the device it is about; 0 for all.
        device: u16,
    },
    /// `config_choices`: the older form of `custom`.
    ConfigChoices {
        /// Number of the message with the device.
        message: u16,
        /// Attributes and what they can be set to; at least one.
        choices: Vec<(String, Choices)>,
    },
    /// `message`: a text with a number.
    Message {
        /// The number.
        number: u16,
        /// The text.
        text: Text,
    },
    /// `disaster_message`: the same for the worst.
    DisasterMessage {
        /// The number.
        number: u16,
        /// The text.
        text: Text,
    },
    /// `message_file`: a file with further messages.
    MessageFile(String),
    /// `locale`: the language of the messages behind it.
    Locale(String),
    /// `readable_file`: a file that is packaged as it is.
    ReadableFile(String),
    /// `nonsharable_interrupt`: numbers of interrupts that others must not use.
    NonsharableInterrupt {
        /// The first.
        first: u32,
        /// The second.
        second: Option<u32>,
    },
    /// `pio_serialization_limit`.
    PioSerializationLimit(u8),
    /// `source_files`: what the module before it is made of.
    SourceFiles(Vec<String>),
    /// `compile_options`: macros for the files behind it.
    CompileOptions(Vec<CompileOption>),
    /// `source_requires`: an interface that is only needed for building.
    SourceRequires(Interface),
}

impl Declaration {
    /// Whether only building needs it, so that it is not attached to a module.
    pub fn is_build_only(&self) -> bool {
        matches!(self, Self::SourceFiles(_) | Self::CompileOptions(_) | Self::SourceRequires(_))
    }
}

/// A declaration and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The declaration.
    pub declaration: Declaration,
    /// Its place in the file.
    pub at: Position,
}

/// A checked `udiprops.txt`: what the format demands is there.
///
/// Two are equal if their declarations are, wherever they stand.
#[derive(Debug, Clone)]
pub struct Properties {
    items: Vec<Item>,
    shortname: String,
    release: u32,
    modules: Vec<String>,
    /// Where in `items` the messages are that belong to no language.
    messages: BTreeMap<u16, usize>,
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        self.declarations().eq(other.declarations())
    }
}

impl Eq for Properties {}

impl Properties {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be read, and with all mistakes in it.
    pub fn load(path: &Path) -> Result<(Self, Report), Failure> {
        let bytes = match input::read(path, read::FILE_MAX as u64) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let finding = Diagnostic::error("udi-no-file", "there is no such file");
                return Err(finding.file(path).into());
            }
            read => read.map_err(|error| Failure::io("read", path, &error))?,
        };
        Self::parse(path, &bytes)
    }

    /// Reads the file's text; `path` is what messages call it.
    ///
    /// # Errors
    ///
    /// [`Failure`] with all mistakes in it.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Self, Report), Failure> {
        let mut report = Report::new();
        let parsed = read::text(bytes, &mut report).and_then(|text| {
            let lines = lex::lines(text, &mut report);
            read::properties(lines, &mut report)
        });
        finish(path, parsed, report)
    }

    /// Checks declarations that were made, not read.
    ///
    /// # Errors
    ///
    /// [`Failure`] with everything that the format forbids or misses.
    pub fn new(declarations: Vec<Declaration>) -> Result<(Self, Report), Failure> {
        // What is written is what is checked: only the reader knows all rules on words.
        let text = write::lines(&declarations);
        Self::parse(Path::new(FILE), text.as_bytes())
    }

    /// All declarations in their order, with their places.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// All declarations in their order.
    pub fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.items.iter().map(|item| &item.declaration)
    }

    /// The name for files: at most [`SHORTNAME_MAX`] letters, digits and underscores.
    pub fn shortname(&self) -> &str {
        &self.shortname
    }

    /// The number of the release.
    pub fn release(&self) -> u32 {
        self.release
    }

    /// The modules, at least one.
    pub fn modules(&self) -> &[String] {
        &self.modules
    }

    /// The module to which the properties are attached: the first.
    pub fn primary_module(&self) -> &str {
        self.modules.first().map_or("", String::as_str)
    }

    /// Whether it is a library, not a driver.
    pub fn is_library(&self) -> bool {
        self.declarations().any(|declaration| matches!(declaration, Declaration::Provides { .. }))
    }

    /// The text of a message that is not specific to a language, its references resolved one deep.
    pub fn message(&self, number: u16) -> Option<String> {
        let plain = |number: u16| match self.items.get(*self.messages.get(&number)?) {
            Some(Item {
                declaration:
                    Declaration::Message { text, .. } | Declaration::DisasterMessage { text, .. },
                ..
            }) => Some(text),
            _ => None,
        };
        let mut result = String::new();
        for piece in plain(number)?.pieces() {
            match piece {
                Piece::Plain(text) => result.push_str(text),
                Piece::Paragraph => result.push('\n'),
                Piece::Message(inner) => {
                    for piece in plain(*inner).map_or(&[][..], Text::pieces) {
                        if let Piece::Plain(text) = piece {
                            result.push_str(text);
                        }
                    }
                }
            }
        }
        Some(result)
    }

    /// The symbols that a module may show to others, by the names that others see.
    pub fn exports(&self) -> Vec<&str> {
        let symbols = self.declarations().filter_map(|declaration| match declaration {
            Declaration::Symbols { library, provided } => {
                Some(provided.as_ref().unwrap_or(library).as_str())
            }
            _ => None,
        });
        let mut exports = vec!["udi_init_info"];
        if self.is_library() {
            exports.push("udi_meta_info");
        }
        exports.extend(symbols);
        exports
    }

    /// The files that are packaged as they are.
    pub fn readable_files(&self) -> impl Iterator<Item = &str> {
        self.declarations().filter_map(|declaration| match declaration {
            Declaration::ReadableFile(file) => Some(file.as_str()),
            _ => None,
        })
    }

    /// The files with messages.
    pub fn message_files(&self) -> impl Iterator<Item = &str> {
        self.declarations().filter_map(|declaration| match declaration {
            Declaration::MessageFile(file) => Some(file.as_str()),
            _ => None,
        })
    }

    /// The files that the modules are made of, and the headers that a library provides.
    pub fn source_files(&self) -> impl Iterator<Item = &str> {
        let files = self.declarations().filter_map(|declaration| match declaration {
            Declaration::SourceFiles(files) => Some(files),
            Declaration::Provides { headers, .. } => Some(headers),
            _ => None,
        });
        files.flatten().map(String::as_str)
    }
}

fn finish(
    path: &Path,
    parsed: Option<Properties>,
    report: Report,
) -> Result<(Properties, Report), Failure> {
    let mut about = Report::new();
    let more = report.iter().count() > read::FINDINGS_MAX;
    about.extend_about(path, report.into_iter().take(read::FINDINGS_MAX));
    about.sort_by_position();
    if more || about.iter().count() == read::FINDINGS_MAX {
        let message = "there are more findings than are worth reading; this may be another file";
        about.push(Diagnostic::error("udi-findings", message).file(path));
    }
    match parsed {
        Some(properties) => about.into_result(properties),
        None => Err(Failure(about)),
    }
}

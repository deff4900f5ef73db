//! Writing declarations, such that reading them again gives the same.

use std::fmt;

use super::lex::LINE_MAX;
use super::{AttributeValue, Choice, Choices, CompileOption, Declaration, Interface, Properties};

impl fmt::Display for Properties {
    /// The text of the file: a line a declaration, without comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.declarations().try_for_each(|declaration| writeln!(f, "{declaration}"))
    }
}

/// The text of a file with these declarations; lists of files that are too long for a line become
/// several declarations.
pub(super) fn lines(declarations: &[Declaration]) -> String {
    let mut text = String::new();
    for declaration in declarations {
        match declaration {
            Declaration::SourceFiles(files) => {
                for part in chunks(files) {
                    text += &format!("{}\n", Declaration::SourceFiles(part.to_vec()));
                }
            }
            other => text += &format!("{other}\n"),
        }
    }
    text
}

/// Parts of the list of which each fits into a line.
fn chunks(files: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let (mut start, mut length) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        let more = file.chars().count() + 1;
        if index > start && "source_files".len() + length + more > LINE_MAX {
            parts.extend(files.get(start..index));
            (start, length) = (index, 0);
        }
        length += more;
    }
    parts.extend(files.get(start..));
    parts
}

impl fmt::Display for Declaration {
    /// The declaration on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PropertiesVersion(version) => write!(f, "properties_version {version:#x}"),
            Self::Supplier(message) => write!(f, "supplier {message}"),
            Self::Contact(message) => write!(f, "contact {message}"),
            Self::Name(message) => write!(f, "name {message}"),
            Self::Shortname(name) => write!(f, "shortname {name}"),
            Self::Release { number, text } => write!(f, "release {number} {text}"),
            Self::Requires(interface) => write!(f, "requires {interface}"),
            Self::Provides { interface, headers } => {
                write!(f, "provides {interface}")?;
                words(f, headers)
            }
            Self::Symbols { library, provided } => {
                write!(f, "symbols {library}")?;
                provided.iter().try_for_each(|name| write!(f, " as {name}"))
            }
            Self::Category(message) => write!(f, "category {message}"),
            Self::Module(file) => write!(f, "module {file}"),
            Self::Region { index, attributes } => {
                write!(f, "region {index}")?;
                attributes.iter().try_for_each(|item| write!(f, " {} {}", item.name, item.value))
            }
            Self::Meta { index, interface } => write!(f, "meta {index} {interface}"),
            Self::Device { message, meta, attributes: list } => {
                write!(f, "device {message} {meta}")?;
                attributes(f, list)
            }
            Self::Enumerates { message, min, max, meta, attributes: list } => {
                write!(f, "enumerates {message} {min} {max} {meta}")?;
                attributes(f, list)
            }
            Self::ParentBindOps { meta, region, ops, bind } => {
                write!(f, "parent_bind_ops {meta} {region} {ops} {bind}")
            }
            Self::ChildBindOps { meta, region, ops } => {
                write!(f, "child_bind_ops {meta} {region} {ops}")
            }
            Self::InternalBindOps { meta, region, primary, secondary, bind } => {
                write!(f, "internal_bind_ops {meta} {region} {primary} {secondary} {bind}")
            }
            Self::MultiParent => f.write_str("multi_parent"),
            Self::Custom { attribute, scope, messages: [name, short, long], choices, device } => {
                write!(f, "custom {attribute} {} {name} {short} {long}", scope.name())?;
                write!(f, " {choices} {device}")
            }
            Self::ConfigChoices { message, choices } => {
                write!(f, "config_choices {message}")?;
                choices.iter().try_for_each(|(name, choices)| write!(f, " {name} {choices}"))
            }
            Self::Message { number, text } => write!(f, "message {number} {text}"),
            Self::DisasterMessage { number, text } => {
                write!(f, "disaster_message {number} {text}")
            }
            Self::MessageFile(file) => write!(f, "message_file {file}"),
            Self::Locale(name) => write!(f, "locale {name}"),
            Self::ReadableFile(file) => write!(f, "readable_file {file}"),
            Self::NonsharableInterrupt { first, second } => {
                write!(f, "nonsharable_interrupt {first}")?;
                second.iter().try_for_each(|number| write!(f, " {number}"))
            }
            Self::PioSerializationLimit(limit) => write!(f, "pio_serialization_limit {limit}"),
            Self::SourceFiles(files) => {
                f.write_str("source_files")?;
                words(f, files)
            }
            Self::CompileOptions(options) => {
                f.write_str("compile_options")?;
                options.iter().try_for_each(|option| write!(f, " {option}"))
            }
            Self::SourceRequires(interface) => write!(f, "source_requires {interface}"),
        }
    }
}

fn words(f: &mut fmt::Formatter<'_>, words: &[String]) -> fmt::Result {
    words.iter().try_for_each(|word| write!(f, " {word}"))
}

fn attributes(f: &mut fmt::Formatter<'_>, list: &[(String, AttributeValue)]) -> fmt::Result {
    list.iter().try_for_each(|(name, value)| write!(f, " {name} {} {value}", value.type_name()))
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#x}", self.name, self.version)
    }
}

impl fmt::Display for AttributeValue {
    /// The value without its type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // One word: every blank is an escape.
            Self::String(text) => f.write_str(&text.to_string().replace(' ', "\\_")),
            Self::Ubit32(number) => write!(f, "{number}"),
            Self::Boolean(value) => f.write_str(if *value { "T" } else { "F" }),
            Self::Array(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.default.type_name(), self.default)?;
        match &self.choice {
            Choice::Any => f.write_str("any"),
            Choice::Only => f.write_str("only"),
            Choice::Mutex(values) => {
                f.write_str("mutex")?;
                values.iter().try_for_each(|value| write!(f, " {value}"))?;
                f.write_str(" end")
            }
            Choice::Range { min, max, step } => write!(f, "range {min} {max} {step}"),
        }
    }
}

impl fmt::Display for CompileOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Define { name, value: None } => write!(f, "-D{name}"),
            Self::Define { name, value: Some(value) } => write!(f, "-D{name}={value}"),
            Self::Undefine(name) => write!(f, "-U{name}"),
        }
    }
}

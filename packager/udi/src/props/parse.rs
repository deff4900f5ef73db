//! One line: a keyword and its arguments.

use l4re_packager_base::{Diagnostic, Report, nearest};

use super::arguments::Arguments;
use super::lex::Line;
use super::value::{CompileOption, RegionAttribute};
use super::{Declaration, Scope, rules};

/// Every keyword of the format.
pub(super) const KEYWORDS: [&str; 31] = [
    "properties_version",
    "supplier",
    "contact",
    "name",
    "shortname",
    "release",
    "requires",
    "provides",
    "symbols",
    "category",
    "module",
    "region",
    "meta",
    "device",
    "enumerates",
    "parent_bind_ops",
    "child_bind_ops",
    "internal_bind_ops",
    "multi_parent",
    "custom",
    "config_choices",
    "message",
    "disaster_message",
    "message_file",
    "locale",
    "readable_file",
    "nonsharable_interrupt",
    "pio_serialization_limit",
    "source_files",
    "compile_options",
    "source_requires",
];

/// Reads a declaration; what is wrong with it is reported.
pub(super) fn declaration(line: Line, report: &mut Report) -> Option<Declaration> {
    let mut arguments = Arguments::new(line, report)?;
    let declaration = read(&mut arguments)?;
    arguments.finish().then_some(declaration)
}

fn read(args: &mut Arguments<'_>) -> Option<Declaration> {
    Some(match args.keyword.clone().as_str() {
        "properties_version" => Declaration::PropertiesVersion(args.hexadecimal("the version")?),
        "supplier" => Declaration::Supplier(args.message()?),
        "contact" => Declaration::Contact(args.message()?),
        "name" => Declaration::Name(args.message()?),
        "category" => Declaration::Category(args.message()?),
        "shortname" => Declaration::Shortname(args.word("a name", rules::shortname)?),
        "release" => Declaration::Release {
            number: args.number("the number of the release")?,
            text: args.text()?,
        },
        "requires" => Declaration::Requires(args.interface()?),
        "source_requires" => Declaration::SourceRequires(args.interface()?),
        "provides" => {
            let interface = args.interface()?;
            Declaration::Provides { interface, headers: args.rest(rules::source_file)? }
        }
        "symbols" => symbols(args)?,
        "module" => Declaration::Module(args.word("a file name", rules::file_name)?),
        "region" => region(args)?,
        "meta" => Declaration::Meta {
            index: args.index("the number of the interface")?,
            interface: args.word("an interface", rules::interface)?,
        },
        "device" => Declaration::Device {
            message: args.message()?,
            meta: args.index("the number of an interface")?,
            attributes: args.attributes()?,
        },
        "enumerates" => enumerates(args)?,
        "parent_bind_ops" => {
            let [meta, region, ops, bind] =
                args.indices(["meta", "region", "operations", "control block"])?;
            Declaration::ParentBindOps { meta, region, ops, bind }
        }
        "child_bind_ops" => {
            let [meta, region, ops] = args.indices(["meta", "region", "operations"])?;
            Declaration::ChildBindOps { meta, region, ops }
        }
        "internal_bind_ops" => {
            let names =
                ["meta", "region", "primary operations", "secondary operations", "control block"];
            let [meta, region, primary, secondary, bind] = args.indices(names)?;
            Declaration::InternalBindOps { meta, region, primary, secondary, bind }
        }
        "multi_parent" => Declaration::MultiParent,
        "custom" => custom(args)?,
        "config_choices" => config_choices(args)?,
        "message" => Declaration::Message { number: args.message()?, text: args.text()? },
        "disaster_message" => {
            Declaration::DisasterMessage { number: args.message()?, text: args.text()? }
        }
        "message_file" => Declaration::MessageFile(args.word("a file name", rules::file_name)?),
        "readable_file" => Declaration::ReadableFile(args.word("a file name", rules::file_name)?),
        "locale" => Declaration::Locale(args.word("a language", rules::locale)?),
        "nonsharable_interrupt" => {
            let first = args.number("the number of an interrupt")?;
            let second = if args.is_empty() { None } else { Some(args.number("another one")?) };
            Declaration::NonsharableInterrupt { first, second }
        }
        "pio_serialization_limit" => Declaration::PioSerializationLimit(args.index("the limit")?),
        "source_files" => {
            args.at_least_one("a file")?;
            Declaration::SourceFiles(args.rest(rules::source_file)?)
        }
        "compile_options" => compile_options(args)?,
        unknown => {
            let mut diagnostic =
                Diagnostic::error("udi-keyword", format!("unknown declaration `{unknown}`"));
            diagnostic = match nearest(unknown, KEYWORDS) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("docs/udi.md lists the declarations"),
            };
            args.report.push(diagnostic.at(args.at));
            return None;
        }
    })
}

fn symbols(args: &mut Arguments<'_>) -> Option<Declaration> {
    let library = args.word("a symbol", rules::symbol)?;
    let mut provided = None;
    if !args.is_empty() {
        args.choose("`as`", &["as"])?;
        provided = Some(args.word("the symbol that others see", rules::symbol)?);
    }
    Some(Declaration::Symbols { library, provided })
}

fn region(args: &mut Arguments<'_>) -> Option<Declaration> {
    let index = args.index("the number of the region")?;
    let mut attributes: Vec<RegionAttribute> = Vec::new();
    let names = RegionAttribute::KNOWN.map(|(name, _)| name);
    while !args.is_empty() {
        let (name, at) = args.choose("an attribute", &names)?;
        if attributes.iter().any(|attribute| attribute.name == name) {
            args.error_at(at, format!("`{name}` is given twice"));
        }
        let known = RegionAttribute::KNOWN.iter().find(|(known, _)| *known == name);
        let value = match known.map_or(&[][..], |(_, values)| values) {
            [] => {
                let at = args.peek();
                let number = args.number("a time from 1")?;
                if number == 0 {
                    args.error_at(at, format!("`{name}` must not be 0"));
                }
                number.to_string()
            }
            values => args.choose("a value", values)?.0,
        };
        attributes.push(RegionAttribute { name, value });
    }
    Some(Declaration::Region { index, attributes })
}

fn enumerates(args: &mut Arguments<'_>) -> Option<Declaration> {
    let message = args.message()?;
    let at = args.peek();
    let min = args.number("the fewest")?;
    let max = args.number("the most")?;
    if max != 0 && min > max {
        args.error_at(at, format!("at least {min}, but at most {max}"));
    }
    let meta = args.index("the number of an interface")?;
    Some(Declaration::Enumerates { message, min, max, meta, attributes: args.attributes()? })
}

fn custom(args: &mut Arguments<'_>) -> Option<Declaration> {
    let attribute = args.word("an attribute", rules::attribute)?;
    let names = Scope::ALL.map(|(name, _)| name);
    let (name, _) = args.choose("a scope", &names)?;
    let scope = Scope::ALL.iter().find(|(known, _)| *known == name)?.1;
    let messages = [args.message()?, args.message()?, args.message()?];
    let choices = args.choices()?;
    let device = args.bounded("the number of the device's message, 0 for all", 0, 65535)?;
    let device = u16::try_from(device).ok()?;
    Some(Declaration::Custom { attribute, scope, messages, choices, device })
}

fn config_choices(args: &mut Arguments<'_>) -> Option<Declaration> {
    let message = args.message()?;
    args.at_least_one("an attribute")?;
    let mut choices = Vec::new();
    while !args.is_empty() {
        choices.push((args.word("an attribute", rules::attribute)?, args.choices()?));
    }
    Some(Declaration::ConfigChoices { message, choices })
}

fn compile_options(args: &mut Arguments<'_>) -> Option<Declaration> {
    let mut options = Vec::new();
    while !args.is_empty() {
        let at = args.peek();
        let word = args.next("an option")?;
        let (kind, rest) = word.split_at_checked(2).unwrap_or((&word, ""));
        let option = match (kind, rest.split_once('=')) {
            ("-D", Some((name, value))) => {
                CompileOption::Define { name: name.into(), value: Some(value.into()) }
            }
            ("-D", None) => CompileOption::Define { name: rest.into(), value: None },
            ("-U", _) => CompileOption::Undefine(rest.into()),
            _ => {
                args.error_at(at, format!("`{word}` must be -DNAME, -DNAME=token or -UNAME"));
                continue;
            }
        };
        let name = match &option {
            CompileOption::Define { name, .. } | CompileOption::Undefine(name) => name,
        };
        if let Err(reason) = rules::symbol(name) {
            args.error_at(at, format!("the macro in `{word}` {reason}"));
        }
        options.push(option);
    }
    Some(Declaration::CompileOptions(options))
}

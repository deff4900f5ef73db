//! What modules are made of.

use super::{CompileOption, Declaration, Properties};

/// A module and the files it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRules<'a> {
    /// File name of the module.
    pub module: &'a str,
    /// Its files in the order of their declarations, headers too.
    pub sources: Vec<Source<'a>>,
}

/// A file and the macros it is compiled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source<'a> {
    /// Path below the folder.
    pub file: &'a str,
    /// The options of the last `compile_options` before it.
    pub options: &'a [CompileOption],
}

impl Properties {
    /// How the modules are built, in the order of their declarations.
    ///
    /// A `compile_options` holds for the files behind it, up to the next one, which replaces it: one
    /// without options takes it back. That a module begins changes nothing.
    pub fn build_rules(&self) -> Vec<BuildRules<'_>> {
        let mut rules: Vec<BuildRules<'_>> = Vec::new();
        let mut options: &[CompileOption] = &[];
        for declaration in self.declarations() {
            match declaration {
                Declaration::Module(module) => {
                    rules.push(BuildRules { module, sources: Vec::new() });
                }
                Declaration::CompileOptions(own) => options = own,
                Declaration::SourceFiles(files) => {
                    // Checked when reading: there is a module before every file.
                    if let Some(rule) = rules.last_mut() {
                        rule.sources.extend(files.iter().map(|file| Source { file, options }));
                    }
                }
                _ => {}
            }
        }
        rules
    }

    /// The interfaces that building needs: `requires` and `source_requires`.
    pub fn interfaces(&self) -> impl Iterator<Item = &super::Interface> {
        self.declarations().filter_map(|declaration| match declaration {
            Declaration::Requires(interface) | Declaration::SourceRequires(interface) => {
                Some(interface)
            }
            _ => None,
        })
    }

    /// The header files that a library provides.
    pub fn provided_headers(&self) -> impl Iterator<Item = &str> {
        let headers = self.declarations().filter_map(|declaration| match declaration {
            Declaration::Provides { headers, .. } => Some(headers),
            _ => None,
        });
        headers.flatten().map(String::as_str)
    }

    /// The text of the file without what only building needs.
    pub fn without_build_rules(&self) -> String {
        let kept = self.declarations().filter(|declaration| !declaration.is_build_only());
        kept.map(|declaration| format!("{declaration}\n")).collect()
    }

    /// The symbols that a library shows under another name: what it calls them and what others do.
    pub fn renamed_symbols(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declarations().filter_map(|declaration| match declaration {
            Declaration::Symbols { library, provided: Some(provided) } if library != provided => {
                Some((library.as_str(), provided.as_str()))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn options_hold_for_the_files_behind_them_until_others_come() {
        let text = "properties_version 0x101\nsupplier 1\ncontact 1\nname 1\nshortname x\n\
            release 1 1\nmessage 1 x\nrequires udi 0x101\nregion 0\nmodule one\nsource_files a.c\n\
            compile_options -DA\nsource_files b.c b.h\nmodule two\nsource_files c.c\n\
            compile_options -DB=2 -UA\nsource_files d.c\ncompile_options\nsource_files e.c\n";
        let (properties, _) = Properties::parse(Path::new("x"), text.as_bytes()).unwrap();
        let rules: Vec<(&str, Vec<String>)> = properties
            .build_rules()
            .into_iter()
            .map(|rule| {
                let show = |source: &Source<'_>| {
                    let options: Vec<String> =
                        source.options.iter().map(ToString::to_string).collect();
                    format!("{} {}", source.file, options.join(" "))
                };
                (rule.module, rule.sources.iter().map(show).collect())
            })
            .collect();
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [
            ("one", words(&["a.c ", "b.c -DA", "b.h -DA"])),
            ("two", words(&["c.c -DA", "d.c -DB=2 -UA", "e.c "])),
        ];
        assert_eq!(rules, expected);
    }
}

//! Changing the list of modules.

use l4re_packager_base::{Diagnostic, nearest};

use crate::attrs::Attrs;
use crate::image::{Image, Kind, Module};

/// Which module is meant: its number, counted from 0, or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The number in the list.
    Number(usize),
    /// The module's name, or the one that programs see.
    Name(String),
}

impl Selector {
    /// `#3` is a number, everything else a name.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('#').and_then(|digits| digits.parse().ok()) {
            Some(number) => Self::Number(number),
            None => Self::Name(text.into()),
        }
    }
}

/// What of a module is to be changed; what is not given stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Another name.
    pub name: Option<String>,
    /// Another command line, with the first word.
    pub command_line: Option<String>,
    /// Another kind.
    pub kind: Option<Kind>,
    /// Attributes to be set.
    pub attrs: Attrs,
}

impl Image {
    /// The number of the one module that is meant.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if there is none or more than one.
    pub fn find(&self, selector: &Selector) -> Result<usize, Diagnostic> {
        let name = match selector {
            Selector::Number(number) if *number < self.modules.len() => return Ok(*number),
            Selector::Number(number) => {
                let message = format!("no module #{number}; there are {}", self.modules.len());
                return Err(Diagnostic::error("no-module", message));
            }
            Selector::Name(name) => name.as_str(),
        };
        let fits = |wanted: fn(&Module) -> Option<&str>| -> Vec<usize> {
            let modules = self.modules.iter().enumerate();
            modules.filter(|(_, module)| wanted(module) == Some(name)).map(|(at, _)| at).collect()
        };
        let mut found = fits(|module| Some(&module.name));
        if found.is_empty() {
            found = fits(Module::rom_name);
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => {
                let message = format!("no module `{name}`");
                let names = self.modules.iter().map(|module| module.name.as_str());
                let help = match nearest(name, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
                };
                Err(Diagnostic::error("no-module", message).help(help))
            }
            several => {
                let numbers: Vec<_> = several.iter().map(|number| format!("#{number}")).collect();
                let message = format!("{} modules are `{name}`", several.len());
                let help = format!("name one by its number: {}", numbers.join(", "));
                Err(Diagnostic::error("same-name", message).help(help))
            }
        }
    }

    /// The module that programs see under a name.
    pub fn rom(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.rom_name() == Some(name))
    }

    /// Adds a module, at a place in the list or at its end.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if its name is taken or is none that every tool accepts.
    pub fn add(&mut self, module: Module, at: Option<usize>) -> Result<(), Diagnostic> {
        self.check_names(&module, None)?;
        let at = at.unwrap_or(self.modules.len()).min(self.modules.len());
        self.modules.insert(at, module);
        Ok(())
    }

    /// Puts other bytes in a module's place. Name, command line, kind and attributes stay.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if there is no such module.
    pub fn replace(&mut self, number: usize, with: Module) -> Result<(), Diagnostic> {
        let old = self.at(number)?;
        let Module { name, command_line, kind, attrs, flags, .. } = old.clone();
        *old = Module { name, command_line, kind, attrs, flags, ..with };
        Ok(())
    }

    /// Changes what is said of a module.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if there is no such module or the new name does not do.
    pub fn change(&mut self, number: usize, change: &Change) -> Result<(), Diagnostic> {
        let mut module = self.at(number)?.clone();
        if let Some(name) = &change.name {
            // The first word of the command line follows the name.
            let args = module.args();
            module.command_line =
                if args.is_empty() { name.clone() } else { format!("{name} {args}") };
            module.name.clone_from(name);
        }
        if let Some(line) = &change.command_line {
            module.command_line.clone_from(line);
        }
        module.kind = change.kind.unwrap_or(module.kind);
        for (key, value) in change.attrs.iter() {
            module.attrs.set(key, value);
        }
        self.check_names(&module, Some(number))?;
        *self.at(number)? = module;
        Ok(())
    }

    /// Removes a module.
    ///
    /// # Errors
    ///
    /// [`Diagnostic`] if there is no such module.
    pub fn remove(&mut self, number: usize) -> Result<Module, Diagnostic> {
        self.at(number)?;
        Ok(self.modules.remove(number))
    }

    fn at(&mut self, number: usize) -> Result<&mut Module, Diagnostic> {
        let count = self.modules.len();
        let message = format!("no module #{number}; there are {count}");
        self.modules.get_mut(number).ok_or_else(|| Diagnostic::error("no-module", message))
    }

    /// Names must be good as file names, and say which module is meant.
    fn check_names(&self, module: &Module, number: Option<usize>) -> Result<(), Diagnostic> {
        let name = &module.name;
        if !is_file_name(name) {
            let message = format!("{name:?} is no name for a module");
            let help = "a name is a file's name without folders";
            return Err(Diagnostic::error("name", message).help(help));
        }
        if module.kind == Kind::File && !module.rom_name().is_some_and(is_file_name) {
            let message = format!("the command line {:?} gives no file name", module.command_line);
            let help = "its first word is the name that programs see";
            return Err(Diagnostic::error("name", message).help(help));
        }
        let taken = self.modules.iter().enumerate().any(|(at, other)| {
            let same = other.name == *name
                || module.rom_name().is_some() && other.rom_name() == module.rom_name();
            Some(at) != number && same
        });
        if taken {
            let message = format!("there is a module `{name}` already");
            let help = "replace it, or give this one another name";
            return Err(Diagnostic::error("same-name", message).help(help));
        }
        Ok(())
    }
}

/// Whether a module's name can be the name of a file on every system.
pub(crate) fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0', '\n'])
}

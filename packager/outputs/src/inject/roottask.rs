//! The root task's command line.

use l4re_image::{Image, Kind, Module};

use l4re_packager_base::Diagnostic;

/// The root task of an image, which must be moe with ned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Roottask {
    /// Number of its module.
    pub number: usize,
    /// The words up to the first argument for ned.
    head: Vec<String>,
    /// Ned's script and the script's arguments.
    tail: Vec<String>,
}

impl Roottask {
    /// Finds and checks it.
    pub fn of(image: &Image) -> Result<Self, Diagnostic> {
        let found = image.modules.iter().enumerate();
        let mut found = found.filter(|(_, module)| module.kind == Kind::Roottask);
        let (Some((number, module)), None) = (found.next(), found.next()) else {
            let message = "the image does not have exactly one root task";
            return Err(Diagnostic::error("roottask", message));
        };
        let roottask = Self::parse(number, module)?;
        for name in ["ned", "l4re"] {
            if image.rom(name).is_none() {
                let message = format!("the image has no module `{name}`");
                let help = format!("add it: --with <build>/bin/…/{name}");
                return Err(Diagnostic::error("no-module", message).help(help));
            }
        }
        Ok(roottask)
    }

    /// moe's own options stand before the first word without a dash; everything from there on is
    /// for the program that it starts.
    fn parse(number: usize, module: &Module) -> Result<Self, Diagnostic> {
        let mut words = module.command_line.split_whitespace().map(String::from);
        let program = words.next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default().to_owned();
        if name != "moe" {
            let message = format!("the root task is `{name}`, not moe");
            return Err(Diagnostic::error("roottask", message));
        }
        let words: Vec<String> = words.collect();
        let options = words.iter().take_while(|word| word.starts_with('-')).count();
        let (options, tail) = words.split_at_checked(options).unwrap_or((&words, &[]));
        let init = options.iter().filter_map(|word| word.strip_prefix("--init=")).next_back();
        if let Some(init) = init.filter(|init| init.rsplit('/').next() != Some("ned")) {
            let message = format!("moe starts `{init}`, and nothing runs a script");
            let help = "start that program from a script of ned: make the root task \
                        `moe rom/<script>`";
            return Err(Diagnostic::error("roottask", message).help(help));
        }
        let head = std::iter::once(program).chain(options.iter().cloned()).collect();
        Ok(Self { number, head, tail: tail.to_vec() })
    }

    /// The command line with a script before the one there is, unless it is among them.
    pub fn with_script(&self, file: &str) -> String {
        let mut words = self.head.clone();
        let script = format!("rom/{file}");
        if !self.tail.contains(&script) {
            words.push(script);
        }
        words.extend(self.tail.iter().cloned());
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command_line: &str) -> Result<Roottask, String> {
        let mut module = Module::new("moe", l4re_image::Source::from_bytes(&[][..]));
        module.command_line = command_line.into();
        Roottask::parse(2, &module).map_err(|diagnostic| diagnostic.message)
    }

    #[test]
    fn the_new_script_comes_first_and_everything_else_stays() {
        let roottask = parse("moe --debug=info --init=rom/ned rom/x.cfg -v a").unwrap();
        assert_eq!(
            roottask.with_script("drv.ned"),
            "moe --debug=info --init=rom/ned rom/drv.ned rom/x.cfg -v a"
        );
        assert_eq!(parse("moe").unwrap().with_script("d.ned"), "moe rom/d.ned");
        let line = "moe rom/a.ned rom/d.ned rom/x.cfg";
        assert_eq!(parse(line).unwrap().with_script("d.ned"), line);
    }

    #[test]
    fn a_system_without_ned_is_refused() {
        assert_eq!(
            parse("moe --init=rom/hello").unwrap_err(),
            "moe starts `rom/hello`, and nothing runs a script"
        );
        assert_eq!(parse("init x").unwrap_err(), "the root task is `init`, not moe");
        assert!(parse("").is_err());
    }
}

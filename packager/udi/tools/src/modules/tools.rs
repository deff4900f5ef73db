//! The tools that make a module: compiler, linker, and the one that makes symbols local.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_udi::props::{Interface, Properties, Source};

use l4re_packager_base::Failure;
use l4re_packager_core::build::{FREESTANDING, builtin_headers, cross_tool, prefix_map, run_tool};
use l4re_packager_core::target::Target;

/// What the user wants of compiler and linker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompileSettings {
    /// `UDI_CC`: the compiler with arguments, in place of the target's.
    pub cc: Vec<OsString>,
    /// `UDI_CCOPTS`: further options for it.
    pub cc_options: Vec<OsString>,
    /// `UDI_LINK`: the linker with arguments, in place of the target's.
    pub link: Vec<OsString>,
    /// `UDI_LINKOPTS`: further options for it.
    pub link_options: Vec<OsString>,
    /// `UDI_PUB_INCLUDE`: the folder with the headers of UDI's interfaces.
    pub headers: Option<PathBuf>,
    /// Not optimised, with debug information and the macro `DEBUG`.
    pub debug: bool,
}

impl CompileSettings {
    /// What the environment says. Options are separated by blanks; there is no way to quote one.
    pub fn of_environment(debug: bool) -> Self {
        let words = |name: &str| {
            let text = env::var(name).unwrap_or_default();
            text.split_whitespace().map(OsString::from).collect::<Vec<_>>()
        };
        let headers = env::var_os("UDI_PUB_INCLUDE").filter(|folder| !folder.is_empty());
        Self {
            cc: words("UDI_CC"),
            cc_options: words("UDI_CCOPTS"),
            link: words("UDI_LINK"),
            link_options: words("UDI_LINKOPTS"),
            headers: headers.map(PathBuf::from),
            debug,
        }
    }
}

/// The tools for one target and one driver's folder.
pub(super) struct Toolset<'a> {
    target: &'a Target,
    settings: &'a CompileSettings,
    /// The driver's folder, as an absolute path.
    folder: PathBuf,
    /// Options that all files have.
    options: Vec<OsString>,
}

impl<'a> Toolset<'a> {
    /// Looks for the compiler.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is none for the target.
    pub(super) fn find(
        target: &'a Target,
        settings: &'a CompileSettings,
        folder: &Path,
        properties: &Properties,
    ) -> Result<Self, Failure> {
        let folder = folder.canonicalize().map_err(|error| Failure::io("find", folder, &error))?;
        let mut options: Vec<OsString> = FREESTANDING.iter().map(OsString::from).collect();
        options.extend(target.c.flags.iter().map(OsString::from));
        if settings.cc.is_empty() {
            let builtin = builtin_headers(target, &cross_tool(target, "gcc"))?;
            options.extend(["-nostdinc".into(), "-isystem".into(), builtin.into()]);
        }
        let level: &[&str] = if settings.debug { &["-O0", "-g", "-DDEBUG"] } else { &["-O2"] };
        options.extend(level.iter().map(OsString::from));
        // Neither the folder nor where it is shows in objects.
        options.push(prefix_map(&folder, "/src"));
        options.extend(["-I".into(), folder.clone().into()]);
        if let Some(headers) = &settings.headers {
            let folders = properties.interfaces().map(|interface| headers_of(headers, interface));
            let known = folders.chain([headers.clone()]).filter(|folder| folder.is_dir());
            for folder in known {
                let path = folder.canonicalize().unwrap_or(folder);
                options.extend(["-I".into(), path.into()]);
            }
        }
        options.extend(settings.cc_options.iter().cloned());
        Ok(Self { target, settings, folder, options })
    }

    /// The command that compiles a file.
    pub(super) fn compile(&self, source: &Source<'_>, object: &Path) -> Command {
        let mut command = self.tool(&self.settings.cc, "gcc");
        command
            .args(&self.options)
            .args(source.options.iter().map(ToString::to_string))
            .arg("-c")
            .arg(self.folder.join(source.file))
            .arg("-o")
            .arg(object);
        command
    }

    /// The command that makes one object of several.
    pub(super) fn link(&self, objects: &[PathBuf], module: &Path) -> Command {
        let mut command = self.tool(&self.settings.link, "ld");
        command.arg("-r").args(&self.settings.link_options).arg("-o").arg(module).args(objects);
        command
    }

    /// The commands that give symbols the names that others see, and make all others local, which
    /// the linker does not do in an object. `lists` is a folder for their lists.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a list cannot be written.
    pub(super) fn localise(
        &self,
        properties: &Properties,
        lists: &Path,
        module: &Path,
    ) -> Result<Vec<Command>, Failure> {
        let write = |name: &str, text: String| {
            let path = lists.join(name);
            fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))?;
            Ok::<_, Failure>(path)
        };
        let mut commands = Vec::new();
        let renamed: String =
            properties.renamed_symbols().map(|(own, seen)| format!("{own} {seen}\n")).collect();
        let kept: String =
            properties.exports().iter().map(|symbol| format!("{symbol}\n")).collect();
        let mut add = |option: &str, list: PathBuf| {
            let mut option = OsString::from(option);
            option.push(list);
            let mut command = self.tool(&[], "objcopy");
            command.arg(option).arg(module);
            commands.push(command);
        };
        // One after the other: what is kept is told by the new names.
        if !renamed.is_empty() {
            add("--redefine-syms=", write("renamed", renamed)?);
        }
        add("--keep-global-symbols=", write("kept", kept)?);
        Ok(commands)
    }

    /// A tool: what was wished for, or the target's.
    fn tool(&self, wished: &[OsString], name: &str) -> Command {
        let own = [cross_tool(self.target, name)];
        let words = if wished.is_empty() { &own } else { wished };
        let (program, arguments) = words.split_first().unwrap_or((&own[0], &[]));
        // A path is one from here, wherever the tool is started.
        let path = Path::new(program);
        let named = path.components().nth(1).and_then(|_| std::path::absolute(path).ok());
        let mut command = Command::new(named.unwrap_or_else(|| path.into()));
        command.args(arguments).current_dir(&self.folder);
        // What compilers say is the same everywhere, and so is `__DATE__`.
        command.env("LC_ALL", "C").env("SOURCE_DATE_EPOCH", "0");
        command
    }
}

/// Where the headers of an interface are: `<folder>/<interface>/<version>`, with the version as
/// people write it, 1.01.
fn headers_of(folder: &Path, interface: &Interface) -> PathBuf {
    let Interface { name, version } = interface;
    folder.join(name).join(format!("{:x}.{:02x}", version >> 8, version & 0xff))
}

/// A command as somebody would type it.
pub(super) fn typed(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a command.
///
/// # Errors
///
/// [`Failure`] if it does not do its work; its own messages say why.
pub(super) fn run(mut command: Command, failure: &str) -> Result<(), Failure> {
    run_tool(&mut command, failure)
}

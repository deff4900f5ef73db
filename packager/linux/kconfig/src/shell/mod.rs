//! Running the commands of `$(shell …)` and of the macros made of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use l4re_files::ScratchFolder;
use l4re_programs::Program;

use crate::environment::Environment;

mod cache;

use cache::Cache;
pub use cache::default_folder as default_cache_folder;

const SH: Program = Program::declared("sh");

/// What runs commands.
pub trait Shell: Send + Sync {
    /// What `sh -c command` writes to its standard output. Its exit status does not matter, as in
    /// the language itself.
    ///
    /// # Errors
    ///
    /// If the command could not be started.
    fn run(&self, command: &str) -> io::Result<Vec<u8>>;
}

/// Runs nothing: each command is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoShell;

impl Shell for NoShell {
    fn run(&self, _command: &str) -> io::Result<Vec<u8>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "no commands are to be run"))
    }
}

/// Runs commands on this machine, in an empty temporary folder: Kconfig files may create files
/// where they run, and a source tree must not change. Answers are kept from run to run if there is
/// a cache folder.
///
/// Reading a Kconfig file with this shell executes what the file says. That is part of the
/// language, so use it only for trees that you would also run `make` in.
pub struct HostShell {
    environment: Environment,
    state: Mutex<State>,
}

struct State {
    folder: Option<ScratchFolder>,
    cache: Cache,
}

impl HostShell {
    /// A shell whose commands see `environment` besides this process's own variables.
    pub fn new(environment: &Environment) -> Self {
        let cache = Cache::in_memory(environment);
        let state = Mutex::new(State { folder: None, cache });
        Self { environment: environment.clone(), state }
    }

    /// Keeps answers in `folder` for later runs. An answer holds as long as the command, the
    /// variables, the programs that they name (path, size, time of change) and the tree's scripts
    /// that the command names are the same.
    #[must_use]
    pub fn with_cache(self, folder: &Path) -> Self {
        let cache = Cache::open(folder, &self.environment);
        Self { state: Mutex::new(State { folder: None, cache }), ..self }
    }

    fn execute(&self, folder: &Path, command: &str) -> io::Result<Vec<u8>> {
        let output = SH
            .command()
            .arg("-c")
            .arg(command)
            .current_dir(folder)
            .env_remove("LC_ALL")
            .envs(self.environment.iter())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        Ok(output.stdout)
    }
}

impl Shell for HostShell {
    fn run(&self, command: &str) -> io::Result<Vec<u8>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = state.cache.key(command);
        if let Some(output) = state.cache.get(&key) {
            return Ok(output.to_vec());
        }
        let folder: PathBuf = match &state.folder {
            Some(folder) => folder.path().into(),
            None => {
                let folder = ScratchFolder::new()?;
                let path = folder.path().to_owned();
                state.folder = Some(folder);
                path
            }
        };
        let output = self.execute(&folder, command)?;
        state.cache.put(key, output.clone());
        Ok(output)
    }
}

/// The output of a command as the language takes it: at most 4,095 bytes, no newlines at the end,
/// blanks for the others.
pub(crate) fn as_macro_text(output: &[u8]) -> String {
    let mut output = output.get(..4095).unwrap_or(output);
    while let [rest @ .., b'\n'] = output {
        output = rest;
    }
    String::from_utf8_lossy(output).replace('\n', " ")
}

/// What identifies a file for the cache: size and time of change.
fn stamp(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{}:{}:{}", path.display(), metadata.len(), changed.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_loses_its_last_newlines_and_keeps_blanks_for_the_others() {
        assert_eq!(as_macro_text(b"a\nb\n\n"), "a b");
        assert_eq!(as_macro_text(&[b'x'; 5000]).len(), 4095);
    }

    #[test]
    fn commands_run_in_an_empty_folder_with_the_variables() {
        let shell = HostShell::new(&Environment::new().with("WHO", "me"));
        let output = shell.run("ls; echo $WHO").expect("sh runs");
        assert_eq!(output, b"me\n");
    }

    #[test]
    fn answers_are_kept_until_a_named_script_or_variable_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = folder.path().join("tree");
        fs::create_dir_all(&tree).expect("a folder");
        let script = tree.join("s.sh");
        fs::write(&script, "echo one").expect("a script");
        let environment = Environment::new().with("srctree", tree.to_string_lossy());
        let ask = |environment: &Environment, command: &str| {
            let shell = HostShell::new(environment).with_cache(folder.path());
            String::from_utf8(shell.run(command).expect("sh runs")).expect("text")
        };
        let count = folder.path().join("count");
        let command = format!("echo x >> {}; sh {}", count.display(), script.display());
        let runs = || fs::read_to_string(&count).expect("a file").lines().count();
        assert_eq!(ask(&environment, &command), "one\n");
        assert_eq!(ask(&environment, &command), "one\n");
        assert_eq!(runs(), 1, "the second answer comes from the cache");
        fs::write(&script, "echo three").expect("a script");
        assert_eq!(ask(&environment, &command), "three\n");
        assert_eq!(runs(), 2);
        ask(&environment.clone().with("CC", "other"), &command);
        assert_eq!(runs(), 3);
    }
}

//! `packager completions` and `packager man`: made of the command line's own definition.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use l4re_packager_base::{Failure, Report, place_file};

use super::args::Cli;
use super::output::Output;
use super::{Done, finish};

/// Print the completions of a shell.
///
/// For example: packager completions bash > ~/.local/share/bash-completion/completions/packager
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Write the manual pages: packager(1), and one for each command.
#[derive(Debug, Args)]
pub struct ManPages {
    /// The folder that they go to, for example ~/.local/share/man/man1
    #[arg(long, short_alias = 'o', value_name = "DIR")]
    pub out: PathBuf,
}

/// Prints the completions. A reader that has gone is no failure.
pub fn completions(args: &Completions) -> bool {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    let _reader_gone = io::Write::write_all(&mut io::stdout(), &text);
    true
}

/// Writes the manual pages.
pub fn man(args: &ManPages, output: &mut Output) -> bool {
    let mut command = Cli::command();
    command.build();
    let mut files = Vec::new();
    let result = pages(&command, &args.out, &mut files);
    let done = result.map(|()| Done {
        report: Report::new(),
        lines: vec![format!("{}: {} manual pages", args.out.display(), files.len())],
        json: json!({ "files": files }),
    });
    finish(output, "man", done)
}

/// Writes the page of a command and those of the commands below it.
fn pages(command: &Command, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let man = Man::new(command.clone());
    let path = folder.join(man.get_filename());
    let mut page = Vec::new();
    man.render(&mut page).map_err(|error| Failure::io("make", &path, &error))?;
    place_file(&path, &page, false)?;
    files.push(path);
    let mut below = command.get_subcommands().filter(|command| command.get_name() != "help");
    below.try_for_each(|command| pages(command, folder, files))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_command_has_a_manual_page() {
        let folder = tempfile::tempdir().unwrap();
        let args = ManPages { out: folder.path().join("man1") };
        assert!(man(&args, &mut Output::new(false, true, 0)));
        let build = fs::read_to_string(args.out.join("packager-build.1")).unwrap();
        assert!(build.contains("dry\\-run"), "{build}");
        assert!(args.out.join("packager-image-compose.1").is_file());
        assert!(!args.out.join("packager-help.1").exists());
    }
}

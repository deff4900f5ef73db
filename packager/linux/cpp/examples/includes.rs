//! Prints what C files include: the same list as `gcc -M`, one path a line.
//!
//! `includes [--commands] …`: either a compiler with its arguments and one C file, or `--commands`
//! and a file of such commands, one a line: the folder and the arguments, separated by the
//! character 0x1f. With `--commands` each file's list is followed by an empty line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs, io};

use l4re_cpp::{Compiler, Language, Options, Preprocessor, RealFiles};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let commands: Vec<Vec<String>> = match args.as_slice() {
        [flag, compiler, file] if flag == "--commands" => fs::read_to_string(file)
            .unwrap_or_default()
            .lines()
            .map(|line| {
                let mut words: Vec<String> = line.split('\x1f').map(str::to_owned).collect();
                words.retain(|word| !word.is_empty());
                words.insert(1, compiler.clone());
                words
            })
            .collect(),
        [] => return ExitCode::from(2),
        _ => vec![[vec![String::new()], args].concat()],
    };
    let mut preprocessor = Preprocessor::new(RealFiles);
    let mut code = ExitCode::SUCCESS;
    for command in &commands {
        if let Err(failure) = scan(&mut preprocessor, command) {
            eprintln!("{failure}");
            code = ExitCode::FAILURE;
        }
        if commands.len() > 1 {
            println!();
        }
    }
    code
}

fn scan(
    preprocessor: &mut Preprocessor<RealFiles>,
    command: &[String],
) -> Result<(), l4re_packager_base::Failure> {
    let [folder, compiler, args @ ..] = command else { return Ok(()) };
    let (mut options, rest) = Options::from_args(args);
    options.directory = PathBuf::from(folder);
    let Some(file) = rest.iter().rfind(|arg| arg.ends_with(".c") || arg.ends_with(".S")) else {
        return Ok(());
    };
    if file.ends_with(".S") {
        options.language = Language::Assembler;
    }
    let cache = env::temp_dir().join("l4re-cpp");
    let probed = Compiler::probe(Path::new(compiler), &rest, options.language, Some(&cache))?;
    options.compiler = Arc::new(probed);
    let scan = preprocessor.scan(Path::new(file), &options)?;
    let mut out = io::stdout().lock();
    for path in scan.paths() {
        // A reader that has gone needs no list.
        let _ = writeln!(out, "{}", path.display());
    }
    for missing in &scan.missing {
        eprintln!(
            "{}:{}: {} not found",
            missing.by.display(),
            missing.origin.line,
            missing.origin.spelling
        );
    }
    for finding in scan.findings {
        eprintln!("{finding}");
    }
    Ok(())
}

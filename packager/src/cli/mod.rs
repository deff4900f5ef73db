//! The command `packager`: from its arguments to its exit code.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};

use l4re_packager_base::Failure;
use l4re_packager_core::elf::Program;
use l4re_packager_core::{build, check, run};

mod args;
mod build_driver;
mod completions;
mod driver_picker;
mod emit;
mod extract;
mod image;
mod inject;
mod install;
mod list;
mod output;
mod pick;
mod resolve;
mod rootfs;
mod udi;
mod wrap;

pub use driver_picker::main as driver_picker;

use args::{Cli, Verb};
use output::Output;

/// Exit code for a command line that makes no sense, as clap has it.
const WRONG_USAGE: u8 = 2;

/// Runs the command; the exit code is 0 if all is well, 1 if the work failed, 2 for wrong usage.
pub fn main() -> ExitCode {
    if let Some(code) = applet(std::env::args_os().collect()) {
        return code;
    }
    // Wrong usage ends here, with code 2.
    let cli = Cli::parse();
    let mut output = Output::new(cli.json, cli.quiet, cli.verbose);
    let good = match cli.verb {
        Verb::Build(args) if args.dry_run => {
            let result = build::plan(&args.into());
            finish(&mut output, "build", result.map(planned))
        }
        Verb::Build(args) => {
            let result = build::build(&args.into(), &mut output);
            finish(&mut output, "build", result.map(built))
        }
        Verb::Check(args) => {
            let mut good = true;
            for path in &args.paths {
                let result = check::check(path);
                let result = result.map(|checked| done(path.display().to_string(), checked));
                good &= finish(&mut output, "check", result);
            }
            good
        }
        Verb::Resolve(args) => resolve::run(args, &mut output),
        Verb::Image(args) => image::run(args, &mut output),
        Verb::Inject(args) => inject::run(args, &mut output),
        Verb::List(args) => list::run(&args, &mut output),
        Verb::Extract(args) => extract::run(args, &mut output),
        Verb::Pick(args) => return pick::run(args, &mut output),
        Verb::Wrap(args) => return wrap::run(args, &mut output),
        Verb::Emit(args) => emit::run(args, &mut output),
        Verb::Rootfs(args) => rootfs::run(args, &mut output),
        Verb::Run(args) => match args.image_options() {
            Some(options) if args.console => {
                output.clear();
                match run::console(&options) {
                    Ok(status) => status.success(),
                    Err(failure) => finish(&mut output, "run", Err(failure)),
                }
            }
            Some(options) => run_verb(&mut output, |console| run::run_image(&options, console)),
            None => run_verb(&mut output, |console| run::run(&args.into(), console)),
        },
        Verb::BuildDriver(args) => build_driver::run(args, &mut output),
        Verb::Install(args) => install::run(args, &mut output),
        Verb::Udi(args) => udi::run(args, &mut output),
        Verb::Completions(args) => completions::completions(&args),
        Verb::Man(args) => completions::man(&args, &mut output),
    };
    code(good, &output)
}

/// Runs one of the commands that have a name of their own, if the program is called by that name or
/// if it is the first argument (`packager udibuild …`), as scripts without links do; its exit code.
fn applet(args: Vec<OsString>) -> Option<ExitCode> {
    let name = |arg: &OsString| Some(Path::new(arg).file_name()?.to_str()?.to_owned());
    let run = |args: &[OsString]| match name(args.first()?)?.as_str() {
        "driver_picker" => Some(driver_picker::run(args)),
        name => udi::applet(name, args),
    };
    run(&args).or_else(|| run(args.get(1..)?))
}

fn code(good: bool, output: &Output) -> ExitCode {
    match good {
        true => ExitCode::SUCCESS,
        false if output.wrong_usage() => ExitCode::from(WRONG_USAGE),
        false => ExitCode::FAILURE,
    }
}

/// What is to be said of work that was done.
struct Done {
    report: l4re_packager_base::Report,
    /// Lines for people.
    lines: Vec<String>,
    /// The same for programs.
    json: Value,
}

fn finish(output: &mut Output, verb: &str, result: Result<Done, Failure>) -> bool {
    match result {
        Ok(done) => {
            output.report(&done.report);
            output.result(verb, true, &done.report, &done.lines, done.json);
            true
        }
        Err(Failure(report)) => {
            output.report(&report);
            output.result(verb, false, &report, &[], json!({}));
            false
        }
    }
}

fn planned(lines: Vec<String>) -> Done {
    let json = json!({ "commands": lines });
    Done { report: l4re_packager_base::Report::new(), lines, json }
}

fn built(built: build::Built) -> Done {
    let mut lines = Vec::new();
    let mut programs = Vec::new();
    for item in &built.programs {
        lines.push(format!("{}: {}", item.path.display(), summary(&item.program)));
        programs.push(json!({
            "target": item.target, "file": item.path, "size": item.program.size,
        }));
    }
    lines.extend(built.package.iter().map(|package| format!("{}: package", package.display())));
    let json = json!({ "programs": programs, "package": built.package });
    Done { report: built.report, lines, json }
}

fn done(path: String, checked: check::Checked) -> Done {
    let mut lines = Vec::new();
    let mut programs = Vec::new();
    for (target, file, program) in &checked.programs {
        lines.push(format!("{file}: {}", summary(program)));
        programs.push(json!({ "target": target, "file": file, "size": program.size }));
    }
    let what = match checked.kind {
        check::CheckedKind::Package => "package",
        check::CheckedKind::Program => "program",
        check::CheckedKind::Manifest => "driver.toml",
    };
    lines.push(format!("{path}: {what} is good"));
    let json = json!({ "path": path, "kind": checked.kind, "programs": programs });
    Done { report: checked.report, lines, json }
}

fn run_verb(
    output: &mut Output,
    start: impl FnOnce(&mut dyn FnMut(&str)) -> Result<l4re_qemu::Outcome, Failure>,
) -> bool {
    output.step_line("booting; the console follows");
    let outcome = match start(&mut |line| output.console(line)) {
        Ok(outcome) => outcome,
        Err(failure) => return finish(output, "run", Err(failure)),
    };
    let good = outcome.passed();
    let text = format!(
        "{} after {:.1} s; {}",
        outcome.verdict,
        outcome.elapsed.as_secs_f32(),
        outcome.end
    );
    let mut lines = vec![text];
    if !good {
        lines.extend(outcome.emulator.iter().map(|line| format!("emulator: {line}")));
        lines.push(format!("to do it again by hand: {}", outcome.command));
    }
    let json = json!({
        "verdict": outcome.verdict.to_string(),
        "end": outcome.end.to_string(),
        "seconds": outcome.elapsed.as_secs_f64(),
        "command": outcome.command,
    });
    output.result("run", good, &l4re_packager_base::Report::new(), &lines, json);
    good
}

/// One line on a program.
fn summary(program: &Program) -> String {
    let size = &program.size;
    let stack = match size.stack {
        Some(bytes) => format!("{} of it stack", kib(bytes)),
        None => "stack from the loader".into(),
    };
    format!("{} mapped from the file, {} private, {stack}", kib(size.mapped), kib(size.private))
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

//! `make bench-linux`: what reading a Linux tree costs, beside kconfiglib in the same run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use l4re_test_linux::oracle::{kconfiglib, make};
use l4re_test_linux::tree::Tree;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Measures the catalog and one extraction, and judges them.
///
/// Times are processor time (user and system), the median of several runs after one that warms the
/// caches. What is judged is the ratio to kconfiglib, the processor time, and the memory.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The command `packager`, built for release.
    #[arg(long)]
    packager: PathBuf,
    /// Version of the tree.
    #[arg(long, default_value = "6.1")]
    tree: String,
    /// How often each is run.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only run the packager with these arguments, and say how much memory it took.
    #[arg(long, hide = true, requires = "arguments")]
    peak_of: bool,
    /// Arguments of the packager, for `--peak-of`.
    #[arg(hide = true, last = true)]
    arguments: Vec<std::ffi::OsString>,
}

/// At least so many times faster than kconfiglib, which only reads Kconfig files.
const RATIO: f64 = 10.0;
/// At most so much processor time for the catalog.
const CATALOG: Duration = Duration::from_millis(500);
/// At most so much for one extraction.
const EXTRACT: Duration = Duration::from_secs(1);
/// At most so much memory, in MiB.
const MEMORY: i64 = 200;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-linux: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    if options.peak_of {
        return tell_peak(options);
    }
    let tree = Tree::get(&options.tree)?;
    let packager = |verb: &str| {
        let mut command = Command::new(&options.packager);
        command.args(["-q", verb]).arg("--linux-src").arg(&tree.path).args(["--arch", "arm64"]);
        command
    };
    let list = || {
        let mut command = packager("list");
        command.args(["--format", "json"]);
        Ok(command)
    };
    let folder = tempfile::tempdir()?;
    let count = std::cell::Cell::new(0);
    let extract = || {
        count.set(count.get() + 1);
        let mut command = packager("extract");
        let out = folder.path().join(count.get().to_string());
        command.args(["--driver", "E1000", "--out"]).arg(out);
        Ok(command)
    };
    let catalog = median(options.runs, list)?;
    let extraction = median(options.runs, extract)?;
    let memory = peak_mib(&list()?)?.max(peak_mib(&extract()?)?);
    let configured = make::configured(&tree, make::ARCHES[0], "allnoconfig")?;
    let theirs = median(options.runs, || kconfiglib::command(&configured, &["load"]))?;

    let ratio = theirs.as_secs_f64() / catalog.as_secs_f64();
    println!("tree                         {} ({})", tree.version, short(&tree.path));
    println!("catalog, all drivers         {:.3} s", catalog.as_secs_f64());
    println!("kconfiglib, only loading     {:.3} s", theirs.as_secs_f64());
    println!("extraction of E1000          {:.3} s", extraction.as_secs_f64());
    let mut good = true;
    let mut judge = |what: &str, value: String, target: String, held: bool| {
        println!(
            "{} {what:<26} {value:>10}  (target: {target})",
            if held { "held  " } else { "MISSED" }
        );
        good &= held;
    };
    judge("faster than kconfiglib", format!("{ratio:.1}x"), format!("{RATIO}x"), ratio >= RATIO);
    judge("catalog", format!("{catalog:.0?}"), format!("{CATALOG:?}"), catalog <= CATALOG);
    judge("extraction", format!("{extraction:.0?}"), format!("{EXTRACT:?}"), extraction <= EXTRACT);
    judge("peak memory", format!("{memory} MiB"), format!("{MEMORY} MiB"), memory <= MEMORY);
    Ok(good)
}

fn short(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Processor time that all children so far have used.
fn used() -> Result<Duration, nix::Error> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// The most memory that a command needs once the caches are warm, in MiB. The system tells the
/// largest child of all so far, so a process of its own has to ask.
fn peak_mib(command: &Command) -> Result<i64, Box<dyn std::error::Error>> {
    let mut myself = Command::new(std::env::current_exe()?);
    myself.arg("--packager").arg(command.get_program()).args(["--peak-of", "--"]);
    let out = myself.args(command.get_args()).output()?;
    Ok(String::from_utf8(out.stdout)?.trim().parse()?)
}

/// What the process that [`peak_mib`] starts does.
fn tell_peak(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let mut command = Command::new(&options.packager);
    let status = command.args(&options.arguments).stdout(Stdio::null()).status()?;
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() / 1024);
    Ok(status.success())
}

/// Median processor time of a command, after a run that is not counted.
fn median(
    runs: usize,
    command: impl Fn() -> Result<Command, l4re_test_linux::Error>,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for _ in 0..=runs.max(1) {
        let before = used()?;
        let mut command = command()?;
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("`{command:?}`: {status}").into());
        }
        times.push(used()?.saturating_sub(before));
    }
    times.remove(0);
    times.sort();
    Ok(times[times.len() / 2])
}

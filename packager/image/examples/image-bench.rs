//! How long composing an image and adding a module to it takes, beside L4Re's own tool if it is at
//! hand.
//!
//! `image-bench [BOOTSTRAP [L4IMAGE]]`: BOOTSTRAP is a bootstrap without modules (without one, the
//! least that is one is made), L4IMAGE the stock tool. Both make an image with modules of 64 MiB in
//! all, and then add one module to it. Prints one line of JSON a figure; exits with 1 if something
//! fails or if this crate is the slower one.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use l4re_image::modlist::{Context, Entry, load};
use l4re_image::{Image, Module, Prepare};
use l4re_packager_base::Failure;

const MODULES: usize = 16;
const MODULE_SIZE: usize = 4 << 20;
const RUNS: usize = 5;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match bench() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<bool> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let dir = tempfile::tempdir()?;
    let bootstrap = match args.next() {
        Some(bootstrap) => fs::canonicalize(bootstrap)?,
        None => least(dir.path())?,
    };
    let stock = args.next();
    let list = files(dir.path())?;
    let (image, more) = (dir.path().join("image"), dir.path().join("more"));
    let ours = [
        ("compose", median(|| compose(&bootstrap, &list, dir.path(), &image))?),
        ("add", median(|| add(&image, &dir.path().join("extra"), &more))?),
    ];
    let mut good = true;
    for (what, time) in ours {
        let mib = fs::metadata(&image)?.len() as f64 / f64::from(1 << 20);
        let speed = mib / time.as_secs_f64();
        print!("{{\"what\":\"{what}\",\"ms\":{},\"mib_per_s\":{speed:.0}", time.as_millis());
        if let Some(stock) = &stock {
            let theirs = median(|| run_stock(stock, what, &bootstrap, dir.path()))?;
            let times = theirs.as_secs_f64() / time.as_secs_f64();
            print!(",\"l4image_ms\":{},\"times_faster\":{times:.1}", theirs.as_millis());
            good &= times >= 1.0;
        }
        println!("}}");
    }
    println!("{{\"what\":\"peak memory\",\"kib\":{}}}", peak_memory()?);
    Ok(good)
}

/// A memory image for arm64 with nothing in it but what tells where modules go.
fn least(folder: &Path) -> Result<PathBuf> {
    let start = 0x4000_0000u64;
    let mut bytes = b"\0\0\0\0<< L4Re Bootstrap Image Info >>\0".to_vec();
    bytes.extend([0, 2].map(u32::to_le_bytes).concat());
    for word in [3, start, start + 0x2000, start + 0x1000, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.resize(0x1000, 0);
    let path = folder.join("bootstrap");
    fs::write(&path, bytes)?;
    Ok(path)
}

/// Modules with bytes that are all different, and a list of them.
fn files(folder: &Path) -> Result<PathBuf> {
    let mut text = String::from("entry bench\n");
    let mut state = 1u64;
    let names = ["fiasco", "sigma0", "moe", "extra"].map(String::from);
    let names = names.into_iter().chain((4..=MODULES).map(|number| format!("module{number}")));
    for name in names {
        let word = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let bytes: Vec<u8> = std::iter::repeat_with(word).take(MODULE_SIZE / 8).flatten().collect();
        fs::write(folder.join(&name), bytes)?;
        if name.starts_with("module") {
            text += &format!("module[nostrip,no-shlib-scan] {name}\n");
        }
    }
    for kind in ["kernel fiasco", "sigma0 sigma0", "roottask moe"] {
        let (kind, name) = kind.split_once(' ').unwrap_or_default();
        text += &format!("{kind}[nostrip,no-shlib-scan] {name}\n");
    }
    let list = folder.join("bench.list");
    fs::write(&list, text)?;
    Ok(list)
}

fn compose(bootstrap: &Path, list: &Path, folder: &Path, to: &Path) -> Result<()> {
    let mut image = Image::open(bootstrap)?;
    let arch = image.arch();
    let context =
        Context { arch: arch.name().into(), bits: arch.bits(), search: vec![folder.into()] };
    let entry = Entry::find(&load(list, &context)?, "bench", &context)?;
    image.compose(&entry, &context)?;
    image.write(to)?;
    Ok(())
}

fn add(image: &Path, file: &Path, to: &Path) -> Result<()> {
    let mut image = Image::open(image)?;
    let module = Module::from_file(file, Prepare { strip: false, compress: false })?;
    image.add(module, None).map_err(Failure::from)?;
    image.write(to)?;
    Ok(())
}

/// The stock tool's way of doing the same.
fn run_stock(tool: &Path, what: &str, bootstrap: &Path, folder: &Path) -> Result<()> {
    let (stock, more) = (folder.join("stock"), folder.join("stock-more"));
    let mut command = Command::new(tool);
    if what == "compose" {
        command.arg("-i").arg(bootstrap).arg("-o").arg(&stock).args(["create", "--entry", "bench"]);
        command.arg("--modules-list-file").arg(folder.join("bench.list"));
        command.arg("--search-path").arg(folder);
    } else {
        command.arg("-i").arg(&stock).arg("-o").arg(&more).args(["add", "--name", "extra"]);
        command.arg("--file").arg(folder.join("extra"));
    }
    // What it wants to know of the architecture; nothing here is compiled.
    command.envs([("ARCH", "arm64"), ("BITS", "64"), ("PLATFORM_TYPE", "arm_virt")]);
    command.envs([("CROSS_COMPILE", ""), ("OBJCOPY", "objcopy")]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", tool.display()).into()) }
}

fn median(mut work: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times.get(RUNS / 2).copied().unwrap_or_default())
}

/// The most memory that this process ever had, in KiB.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

//! `make test-l4re`: conformance suite, demo and fault tests on a user's own build of L4Re.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use l4re_e2e::disk::TestDisk;
use l4re_e2e::images::Images;
use l4re_e2e::l4re::L4re;
use l4re_e2e::run::{Platform, Record};
use l4re_e2e::scenario;
use l4re_e2e::system::Transport;
use l4re_e2e::uvmm::{self, LinuxGuest};
use l4re_e2e::{Context, Result};

/// Runs the same programs that run on the stand-in on real L4Re, and reports. Nothing of L4Re is
/// built or changed.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// L4Re build folder for arm64 (with bin/, assets/ and source/ in it).
    #[arg(long)]
    build: PathBuf,
    /// Kernel: the file `fiasco` of a kernel build for QEMU's virt, EL1 or EL2.
    #[arg(long)]
    fiasco: PathBuf,
    /// A Linux kernel (uncompressed arm64 Image) to run under uvmm as a client; EL2 kernels only.
    #[arg(long)]
    guest_kernel: Option<PathBuf>,
    /// The guest's modules: `lib/modules/(version)` of its package.
    #[arg(long)]
    guest_modules: Option<PathBuf>,
    /// A root file system with systemd to run in a guest: what `packager rootfs --arch arm64
    /// --with-kernel` made, with a unit that prints the result; EL2 kernels only.
    #[arg(long)]
    guest_root: Option<PathBuf>,
    /// Only the case with that root file system.
    #[arg(long)]
    systemd_only: bool,
    /// Only the cases about images.
    #[arg(long)]
    images_only: bool,
    /// Folder for disk images.
    #[arg(long, default_value = "out/l4re")]
    out: PathBuf,
    /// Show the console of the machine.
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("test-l4re: {e}");
            ExitCode::from(2)
        }
    }
}

/// Counts and prints results.
#[derive(Default)]
struct Report {
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    fn case(&mut self, name: &str, result: Result<Record>, keys: &[&str]) {
        match result {
            Ok(record) => {
                self.passed += 1;
                println!("ok    {name} ({:.1} s)", record.outcome.elapsed.as_secs_f32());
                for (key, value) in &record.reports {
                    if keys.is_empty() || keys.iter().any(|k| key.starts_with(k)) {
                        println!("        {key} = {value}");
                    }
                }
            }
            Err(e) => {
                println!("FAIL  {name}");
                self.failed.push(format!("{name}: {e}"));
            }
        }
    }

    /// A case that boots nothing.
    fn check(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok    {name}");
            }
            Err(e) => {
                println!("FAIL  {name}");
                self.failed.push(format!("{name}: {e}"));
            }
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    let l4re = L4re::new(&options.build, &options.fiasco)?;
    std::fs::create_dir_all(&options.out).context(options.out.display())?;
    println!("L4Re: {}, kernel at EL{}", options.build.display(), 1 + u8::from(l4re.is_el2()));
    let mut report = Report::default();
    if !options.images_only && !options.systemd_only {
        systems(&mut report, &l4re, options)?;
    }
    if let Some(root) = options.guest_root.as_deref().filter(|_| !options.images_only) {
        systemd(&mut report, &l4re, options, root);
    }
    if !options.systemd_only {
        images(&mut report, &l4re, options)?;
    }
    for failure in &report.failed {
        println!("\nFAILED {failure}");
    }
    println!("\n{} passed, {} failed", report.passed, report.failed.len());
    Ok(report.failed.is_empty())
}

/// What also runs on the stand-in.
fn systems(report: &mut Report, l4re: &L4re, options: &Options) -> Result<()> {
    let platform = Platform::L4re(l4re.clone());
    let disk =
        |name: &str, size| TestDisk::create(&options.out.join(format!("{name}.img")), size, 1);
    for transport in Transport::ALL {
        let name = transport.name();
        let show = options.verbose;
        report.case(
            &format!("conformance, {name}"),
            scenario::conformance(&platform, transport, &disk("conformance", 16)?, show),
            &["conformance."],
        );
        let demo = disk("demo", 64)
            .and_then(|d| scenario::demo(&platform, transport, &d, show))
            .map(|d| d.record);
        report.case(&format!("demo, {name}"), demo, &[]);
        report.case(
            &format!("faults, {name}"),
            scenario::faults(&platform, transport, &disk("faults", 16)?, show),
            &["faults."],
        );
        if let Some(kernel) = &options.guest_kernel {
            guest(report, l4re, options, kernel, transport, &disk("guest", 64)?);
        }
    }
    let pair = [disk("shared-0", 16)?, disk("shared-1", 24)?];
    let shared = scenario::shared_line(&platform, [&pair[0], &pair[1]], options.verbose);
    report.case("two disks on one interrupt line", shared, &["interrupts"]);
    Ok(())
}

/// Images that the packager makes, beside those of L4Re's own tool.
fn images(report: &mut Report, l4re: &L4re, options: &Options) -> Result<()> {
    let disk = TestDisk::create(&options.out.join("image.img"), 16, 1)?;
    let folder = options.out.join("images");
    let images = Images::new(l4re, &folder, options.verbose)?;
    for bootstrap in ["bootstrap.elf", "bootstrap.raw"] {
        report.case(&format!("composed from {bootstrap}"), images.composed(bootstrap), &[]);
    }
    report.check("images of both tools read by the other", images.round_trip());
    for transport in Transport::ALL {
        let name = format!("driver injected into an image, {}", transport.name());
        report.case(&name, images.injected(transport, &disk), &[]);
    }
    Ok(())
}

/// systemd in a guest whose root file system is the served disk.
fn systemd(report: &mut Report, l4re: &L4re, options: &Options, root: &std::path::Path) {
    let transport = Transport::Pci;
    let name = format!("systemd in a guest under uvmm, {}", transport.name());
    if !l4re.is_el2() || !l4re.has("uvmm") {
        println!("skip  {name}: needs an EL2 kernel and a build with uvmm and cons");
        return;
    }
    let disk = options.out.join("systemd.img");
    report.case(&name, uvmm::systemd(l4re, root, transport, &disk, options.verbose), &[]);
}

fn guest(
    report: &mut Report,
    l4re: &L4re,
    options: &Options,
    kernel: &std::path::Path,
    transport: Transport,
    disk: &TestDisk,
) {
    let name = format!("Linux guest under uvmm, {}", transport.name());
    if !l4re.is_el2() || !l4re.has("uvmm") {
        println!("skip  {name}: needs an EL2 kernel and a build with uvmm and cons");
        return;
    }
    let linux = LinuxGuest { kernel: kernel.to_owned(), modules: options.guest_modules.clone() };
    report.case(&name, uvmm::run(l4re, &linux, transport, disk, options.verbose), &["guest."]);
}

//! `make demo`: the main job, on a real disk image, with a report.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use l4re_e2e::disk::TestDisk;
use l4re_e2e::run::Platform;
use l4re_e2e::scenario::{self, Demo};
use l4re_e2e::system::Transport;
use l4re_e2e::{Context, Result};

/// Boots the virtio-blk driver server with a real disk image and a client that reads all of it and
/// writes a region, and reports what was seen.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Folder for the disk image.
    #[arg(long, default_value = "out/demo")]
    out: PathBuf,
    /// Size of the disk in MiB.
    #[arg(long, default_value_t = 64)]
    size: u64,
    /// Show the console of the machine.
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("demo: failed: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.out).context(options.out.display())?;
    for transport in [Transport::Pci, Transport::Mmio] {
        let path = options.out.join(format!("disk-{}.img", transport.name()));
        let disk = TestDisk::create(&path, options.size, 1)?;
        let platform = Platform::Standin("virt");
        let demo = scenario::demo(&platform, transport, &disk, options.verbose)?;
        print(&demo, &disk, transport)?;
    }
    println!("demo: all of it held");
    Ok(())
}

fn print(demo: &Demo, disk: &TestDisk, transport: Transport) -> Result<()> {
    let r = &demo.record;
    println!("virtio-blk server on the stand-in, QEMU virt, {}", transport.name());
    println!("  disk image       {} ({} MiB)", disk.path.display(), disk.size >> 20);
    println!("  device found     {} by {}", scenario::SERIAL, transport.name());
    println!("  capacity         {} sectors", r.get("capacity_sectors")?);
    println!("  bytes read       {}", r.get("bytes_read")?);
    println!("  SHA-256 (guest)  {}", r.get("sha256")?);
    println!("  SHA-256 (host)   {} – equal", demo.host_sha256);
    println!("  written region   verified in the image, file system clean");
    println!(
        "  requests         {}, at most {} in flight",
        r.get("server.requests")?,
        r.get("server.max_in_flight")?
    );
    let pair = |what: &str, device: &str, client: &str| -> Result<()> {
        let (device, client) = (r.get(device)?, r.get(client)?);
        println!("  {what:<16} {device} with the device, {client} with the client");
        Ok(())
    };
    pair("kicks", "server.device_kicks", "server.kicks")?;
    pair("interrupts", "server.device_interrupts", "server.client_interrupts")?;
    println!("  bytes copied     {}", r.get("server.bytes_copied")?);
    println!("  map calls        {}", r.get("server.dma_maps")?);
    println!("  guest time       {} us\n", r.get("guest_time_us")?);
    Ok(())
}

//! What is run in the demo and in the tests, on whatever platform.

use l4re_qemu::Disk;

use crate::disk::{TestDisk, pattern};
use crate::guest::Guests;
use crate::run::{Platform, Record, Run};
use crate::system::{Cap, Program, System, Transport};
use crate::{Error, Result};

/// Identification string of the test disk.
pub const SERIAL: &str = "L4RE-TEST-DISK-01";
/// Seed of what the demo writes.
const SEED: u64 = 0x5eed;
/// Sectors that the demo writes: 1 MiB.
const WRITE_SECTORS: u64 = 2048;

/// The block server, as a program of a system.
///
/// # Errors
///
/// If it cannot be built.
pub fn server(args: &[&str]) -> Result<Program> {
    Ok(Program::new("blk", &Guests::build()?.server())
        .args(args)
        .cap("vbus", Cap::Vbus)
        .cap("svr", Cap::Server("blk".into()))
        .priority(0x60))
}

/// A test program.
///
/// # Errors
///
/// If it cannot be built.
pub fn client(task: &str, binary: &str) -> Result<Program> {
    Ok(Program::new(task, &Guests::build()?.program(binary)).priority(0x40))
}

/// The test disk as a device.
pub fn device(disk: &TestDisk, transport: Transport) -> Disk {
    Disk::file(&disk.path, transport.place(0)).serial(SERIAL)
}

/// What the demo found; every field comes out of the run.
#[derive(Debug)]
pub struct Demo {
    /// The run.
    pub record: Record,
    /// SHA-256 of the image before the run, by the host.
    pub host_sha256: String,
}

/// The demo: reads the whole disk and writes a region, and checks both on the host.
///
/// # Errors
///
/// If anything does not hold; the text says what.
pub fn demo(
    platform: &Platform,
    transport: Transport,
    disk: &TestDisk,
    show: bool,
) -> Result<Demo> {
    let host_sha256 = disk.sha256()?;
    let system = System::new(transport)
        .program(server(&["-v"])?)
        .program(
            client("client", "blk-client")?
                .args(&["--write-at", &disk.scratch_sector.to_string()])
                .args(&["--write-sectors", &WRITE_SECTORS.to_string()])
                .args(&["--seed", &SEED.to_string(), "--depth", "32", "--chunk", "65536"])
                .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}"), "ds-max=4"]))
                .cap("stats", Cap::Create { gate: "blk".into(), object: 1, args: Vec::new() }),
        )
        .until("client");
    let run = Run::new(&system).disk(device(disk, transport)).seconds(300).show(show);
    let record = run.on(platform)?.passed()?;
    let guest = record.get("sha256")?;
    if guest != host_sha256 {
        return Err(Error::new(format!("SHA-256: guest {guest}, host {host_sha256}")));
    }
    if record.number("bytes_read")? != disk.size {
        return Err(Error::new(format!(
            "read {} of {} bytes",
            record.get("bytes_read")?,
            disk.size
        )));
    }
    check_written(disk)?;
    Ok(Demo { record, host_sha256 })
}

/// Checks in the image what the demo has written, and that nothing else has changed.
fn check_written(disk: &TestDisk) -> Result<()> {
    let data = disk.read_sectors(disk.scratch_sector, WRITE_SECTORS)?;
    let start = disk.scratch_sector * crate::disk::SECTOR;
    let wrong = (start..).zip(&data).find(|&(at, &byte)| byte != pattern(SEED, at));
    if let Some((at, byte)) = wrong {
        return Err(Error::new(format!(
            "byte {at} of the image is {byte:#04x}, the guest wrote {:#04x}",
            pattern(SEED, at)
        )));
    }
    disk.fsck()
}

/// The conformance suite: every fact of the binary interface that the runtime relies on.
///
/// # Errors
///
/// If a case fails; the text has the console's end.
pub fn conformance(
    platform: &Platform,
    transport: Transport,
    disk: &TestDisk,
    show: bool,
) -> Result<Record> {
    let system = System::new(transport)
        .program(client("conformance", "conformance")?.cap("vbus", Cap::Vbus))
        .until("conformance");
    let run = Run::new(&system).disk(device(disk, transport)).seconds(120).show(show);
    run.on(platform)?.passed()
}

/// Two disks on one interrupt line, one server, a client for each: both are read to the end.
///
/// # Errors
///
/// If a client does not get its disk's bytes.
pub fn shared_line(platform: &Platform, disks: [&TestDisk; 2], show: bool) -> Result<Record> {
    let transport = Transport::Pci;
    let mut system = System::new(transport).program(server(&["-v"])?);
    for (name, serial) in [("first", "SHARED-0"), ("second", "SHARED-1")] {
        let disk = Cap::create("blk", &[&format!("device={serial}"), "ds-max=4"]);
        system = system.program(client(name, "blk-client")?.cap("disk", disk));
    }
    let mut run = Run::new(&system).seconds(300).show(show);
    run.results = 2;
    for (index, disk) in disks.into_iter().enumerate() {
        // The board wires the lines of slots that are four apart to one input of its controller.
        let place = transport.place(4 * u8::from(index > 0));
        run = run.disk(Disk::file(&disk.path, place).serial(format!("SHARED-{index}")));
    }
    let record = run.on(platform)?.passed()?;
    for disk in disks {
        // Both clients report under the same names.
        if !record.says(&format!("sha256={}", disk.sha256()?)) {
            return Err(Error::new(format!("no client has read {}", disk.path.display())));
        }
    }
    Ok(record)
}

/// Hostile clients against the block server, with a good client looking on.
///
/// # Errors
///
/// If a case fails; the text has the console's end.
pub fn faults(
    platform: &Platform,
    transport: Transport,
    disk: &TestDisk,
    show: bool,
) -> Result<Record> {
    let create = Cap::Client { gate: "blk".into(), create: true };
    let mut faults = client("faults", "blk-faults")?
        .args(&["--device", SERIAL])
        .cap("svr", create.clone())
        .cap("svr_ro", Cap::Client { gate: "blk".into(), create: false })
        .cap("kdbg", Cap::Kdbg);
    // A task that ends with requests in flight. On L4Re the dataspaces that it has made end with it.
    let dying = client("dying", "blk-faults")?.args(&["die", "--device", SERIAL]);
    faults = faults.after("dying");
    let system = System::new(transport)
        .program(server(&["-q"])?)
        .program(dying.cap("svr", create))
        .program(faults)
        .until("faults");
    let run = Run::new(&system).disk(device(disk, transport)).seconds(300).show(show);
    run.on(platform)?.passed()
}

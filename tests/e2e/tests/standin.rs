//! What only the stand-in can be told to do: programs without a bus, limits, odd controllers.

use l4re_e2e::disk::TestDisk;
use l4re_e2e::run::{Platform, Record, Run};
use l4re_e2e::scenario::{self, SERIAL};
use l4re_e2e::system::{Cap, Program, System, Transport};
use l4re_e2e::{Context, Error, Result};
use l4re_qemu::{Disk, Place};

const STANDIN: Platform = Platform::Standin("virt");
/// A boot that takes more instructions keeps people from running tests.
const BOOT: u64 = 1_000_000_000;
/// Lets the guest's clock count instructions, 2 ns each, however busy the machine is that QEMU runs on.
const COUNT: [&str; 2] = ["-icount", "shift=1"];

/// A system with one disk, and a client of it that reads everything.
struct Bench {
    _folder: tempfile::TempDir,
    disk: TestDisk,
}

impl Bench {
    fn new() -> Result<Bench> {
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let disk = TestDisk::create(&folder.path().join("disk.img"), 16, 5)?;
        Ok(Bench { _folder: folder, disk })
    }

    /// Runs `system` with a client added, and compares what that has read.
    fn read_by(&self, system: System) -> Result<Record> {
        let place = system.transport.place(0);
        self.read_from(place, system)
    }

    /// The same with a clock that counts instructions.
    fn read_counting(&self, system: System) -> Result<Record> {
        let place = system.transport.place(0);
        self.read(place, system, &COUNT)
    }

    /// The same with the disk at another place.
    fn read_from(&self, place: Place, system: System) -> Result<Record> {
        self.read(place, system, &[])
    }

    fn read(&self, place: Place, system: System, qemu: &[&str]) -> Result<Record> {
        let client = scenario::client("client", "blk-client")?
            .args(&["--depth", "8", "--chunk", "65536"])
            .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}")]));
        let system = system.program(client).until("client");
        let mut run = Run::new(&system).disk(Disk::file(&self.disk.path, place).serial(SERIAL));
        for argument in qemu {
            run = run.qemu(argument);
        }
        let record = run.on(&STANDIN)?.passed()?;
        assert_eq!(record.get("sha256")?, self.disk.sha256()?);
        Ok(record)
    }
}

fn limits(name: &str, args: &[&str]) -> Result<Program> {
    Ok(scenario::client(name, "limits")?.args(args))
}

/// Runs a system of programs that each give a result.
fn passed(system: &System, results: usize) -> Result<Record> {
    let mut run = Run::new(system).seconds(60);
    run.results = results;
    run.on(&STANDIN)?.passed()
}

/// The number in the stand-in's line `… after <n> ms…` that starts with `what`.
fn milliseconds(record: &Record, what: &str) -> Result<u64> {
    let start = format!("standin: {what} after ");
    let text = record.lines.iter().find_map(|l| l.strip_prefix(&start)?.split(' ').next());
    let text = text.ok_or_else(|| Error::new(format!("no line `{start}`")))?;
    text.parse().context(text)
}

#[test]
fn all_programs_of_a_block_service_are_started_within_a_billion_instructions() -> Result<()> {
    let system = System::new(Transport::Pci).program(scenario::server(&[])?);
    let record = Bench::new()?.read_counting(system)?;
    let instructions = milliseconds(&record, "all programs started")? * 500_000;
    assert!(instructions < BOOT, "{instructions}");
    Ok(())
}

/// A virtio-mmio slot whose registers start at a page, as memory is granted by pages.
const PAGE_SLOT: u8 = 24;

/// The block server for the disk in that slot, by capabilities to its parts.
fn server_without_bus() -> Result<Program> {
    let at = 0x0a00_0000 + 0x200 * u64::from(PAGE_SLOT);
    let mut server = scenario::server(&["-v"])?;
    server.caps.retain(|(name, _)| name != "vbus");
    Ok(server
        .cap("iomem", Cap::Iomem { start: at, end: at + 0x1ff })
        .cap("irq", Cap::Irq { pin: 48 + u32::from(PAGE_SLOT), level: false })
        .cap("dma", Cap::DmaSpace))
}

#[test]
fn disk_is_served_by_registers_interrupt_and_dma_space_alone() -> Result<()> {
    let system = System::new(Transport::Mmio).program(server_without_bus()?);
    Bench::new()?.read_from(Place::Mmio { slot: PAGE_SLOT }, system).map(drop)
}

#[test]
fn registers_without_dma_space_name_the_capability_that_is_missing() -> Result<()> {
    let mut server = server_without_bus()?;
    server.caps.retain(|(name, _)| name != "dma");
    let system = System::new(Transport::Mmio).program(server);
    let record = Run::new(&system).seconds(30).on(&STANDIN)?;
    assert!(record.says("`dma`"), "{}", record.outcome);
    assert!(record.says("ended with code 1"), "{}", record.outcome);
    Ok(())
}

fn unmask_at_icu(transport: Transport) -> Result<()> {
    let system = System::new(transport).unmask_at_icu().program(scenario::server(&[])?);
    Bench::new()?.read_by(system).map(drop)
}

#[test]
fn level_interrupt_is_unmasked_at_a_controller_that_asks_for_it() -> Result<()> {
    unmask_at_icu(Transport::Pci)
}

#[test]
fn edge_interrupt_is_unmasked_at_a_controller_that_asks_for_it() -> Result<()> {
    unmask_at_icu(Transport::Mmio)
}

#[test]
fn example_of_the_documentation_runs_and_gets_its_options() -> Result<()> {
    let hello = scenario::client("hello", "hello")?.args(&["-v"]);
    let record = passed(&System::new(Transport::Pci).program(hello), 1)?;
    assert!(record.says("option -v"), "{}", record.outcome);
    Ok(())
}

#[test]
fn client_of_the_same_priority_as_a_busy_program_gets_its_share() -> Result<()> {
    let spinner = limits("spin", &["spin"])?;
    let system = System::new(Transport::Pci).program(scenario::server(&[])?).program(spinner);
    let record = Bench::new()?.read_by(system)?;
    assert_eq!(record.number("spinning")?, 1, "the other program really was busy");
    Ok(())
}

#[test]
fn program_with_a_quota_gets_no_more_than_that_and_all_of_it_again() -> Result<()> {
    const QUOTA: u64 = 256 << 10;
    let system = System::new(Transport::Pci)
        .program(limits("other", &["quota"])?.quota(2 * QUOTA))
        .program(limits("quota", &["quota"])?.quota(QUOTA).after("other"));
    let record = passed(&system, 2)?;
    // Reports of the same key: the last program's count.
    let dataspaces = record.number("dataspaces")?;
    assert!((4..QUOTA / 16384).contains(&dataspaces), "{dataspaces} of 16 KiB in {QUOTA} bytes");
    let twice =
        record.lines.iter().find_map(|l| l.split_once("report dataspaces=")?.1.parse().ok());
    assert!(twice > Some(dataspaces + 14), "twice the quota: {twice:?}, {dataspaces}");
    Ok(())
}

#[test]
fn programs_without_quota_use_up_kernel_memory_and_do_no_harm() -> Result<()> {
    let system = System::new(Transport::Pci)
        .program(limits("die", &["die"])?)
        .program(limits("exhaust", &["exhaust"])?.after("die"))
        .program(limits("again", &["exhaust"])?.after("exhaust"));
    let record = passed(&system, 2)?;
    assert!(record.says("die ended with code 0"), "{}", record.outcome);
    Ok(())
}

#[test]
fn memory_of_two_programs_is_the_same_and_the_second_starts_after_the_first() -> Result<()> {
    let shared = |writable| Cap::Shared { name: "m".into(), size: 40_960, writable };
    let system = System::new(Transport::Pci)
        .program(limits("write", &["write"])?.cap("mem", shared(true)))
        .program(limits("read", &["read"])?.cap("mem", shared(false)).after("write"));
    let record = passed(&system, 2)?;
    assert!(record.says("40960 bytes found"), "{}", record.outcome);
    Ok(())
}

#[test]
fn device_of_a_program_that_panics_is_reset() -> Result<()> {
    let system = System::new(Transport::Mmio)
        .program(limits("panic", &["panic"])?.cap("vbus", Cap::Vbus))
        .program(limits("look", &["stopped"])?.cap("vbus", Cap::Vbus).after("panic"))
        .until("look");
    let bench = Bench::new()?;
    let place = system.transport.place(0);
    let run = Run::new(&system).seconds(60).disk(Disk::file(&bench.disk.path, place));
    let record = run.on(&STANDIN)?.passed()?;
    assert!(record.says("1 running") && record.says("with 1 disks"), "{}", record.outcome);
    Ok(())
}

#[test]
fn bus_that_offers_messages_which_cannot_be_bound_uses_interrupt_lines() -> Result<()> {
    let other = Bench::new()?;
    let system = System::new(Transport::Pci).messages(4).program(scenario::server(&["-v"])?);
    let client = scenario::client("client", "blk-client")?
        .args(&["--depth", "8", "--chunk", "65536"])
        .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}")]));
    let system = system.program(client).until("client");
    let bench = Bench::new()?;
    let run = Run::new(&system)
        .disk(Disk::file(&bench.disk.path, system.transport.place(0)).serial(SERIAL))
        .disk(Disk::file(&other.disk.path, system.transport.place(1)).serial("SECOND"));
    let record = run.on(&STANDIN)?.passed()?;
    assert_eq!(record.get("sha256")?, bench.disk.sha256()?);
    let said = record.lines.iter().filter(|l| l.contains("no message-signalled interrupts"));
    assert_eq!(said.count(), 1, "{}", record.outcome);
    assert!(record.says("binding irq 2147483648, result is -22"), "{}", record.outcome);
    Ok(())
}

#[test]
fn refused_clients_do_not_flood_the_log() -> Result<()> {
    let bench = Bench::new()?;
    let flood = scenario::client("flood", "blk-faults")?
        .args(&["flood", "--device", SERIAL])
        .cap("svr", Cap::Client { gate: "blk".into(), create: true });
    let system =
        System::new(Transport::Pci).program(scenario::server(&[])?).program(flood).until("flood");
    let run = Run::new(&system)
        .disk(Disk::file(&bench.disk.path, system.transport.place(0)).serial(SERIAL));
    let record = run.on(&STANDIN)?.passed()?;
    let refused = "a request for a device is refused";
    let shown = record.lines.iter().filter(|l| l.contains(refused)).count() as u64;
    let number = |line: &String| {
        line.split_once(" more lines about clients")?.0.rsplit(' ').next()?.parse::<u64>().ok()
    };
    let left_out: u64 = record.lines.iter().filter_map(number).sum();
    assert!(left_out > 0, "{}", record.outcome);
    assert_eq!(shown + left_out, record.number("refused")?, "{}", record.outcome);
    Ok(())
}

#[test]
fn one_server_has_devices_of_several_classes() -> Result<()> {
    let server = scenario::client("blk", "classes")?
        .args(&["serve"])
        .cap("vbus", Cap::Vbus)
        .cap("svr", Cap::Server("blk".into()))
        .priority(0x60);
    let rng = scenario::client("rng", "classes")?
        .args(&["use"])
        .cap("rng", Cap::create("blk", &["device=entropy0"]));
    let disk = scenario::client("client", "blk-client")?
        .args(&["--depth", "8", "--chunk", "65536"])
        .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}")]));
    let system = System::new(Transport::Pci).program(server).program(rng).program(disk);
    let bench = Bench::new()?;
    let place = system.transport.place(0);
    let mut run = Run::new(&system).disk(Disk::file(&bench.disk.path, place).serial(SERIAL));
    run.results = 2;
    let record = run.on(&STANDIN)?.passed()?;
    assert_eq!(record.get("sha256")?, bench.disk.sha256()?);
    assert!(record.says("584 bytes"), "{}", record.outcome);
    Ok(())
}

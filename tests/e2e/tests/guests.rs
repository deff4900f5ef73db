//! Everything that boots a machine, on the stand-in: one test a fact, named by it.

use l4re_e2e::disk::TestDisk;
use l4re_e2e::guest::Guests;
use l4re_e2e::run::{Platform, Record, Run};
use l4re_e2e::scenario::{self, SERIAL};
use l4re_e2e::system::{Cap, Program, System, Transport};
use l4re_e2e::{Context, Result};
use l4re_packager_core::run as packager;
use l4re_qemu::Disk;

const STANDIN: Platform = Platform::Standin("virt");

struct Bench {
    _folder: tempfile::TempDir,
    disk: TestDisk,
}

fn disk(mib: u64) -> Result<Bench> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let disk = TestDisk::create(&folder.path().join("disk.img"), mib, 3)?;
    Ok(Bench { _folder: folder, disk })
}

fn conformance(machine: &'static str, transport: Transport) -> Result<()> {
    let bench = disk(16)?;
    let platform = Platform::Standin(machine);
    let record = scenario::conformance(&platform, transport, &bench.disk, false)?;
    let cases = record.lines.iter().filter(|l| l.contains("ok ")).count();
    assert!(cases > 40, "only {cases} cases ran");
    Ok(())
}

#[test]
fn conformance_suite_passes_with_pci() -> Result<()> {
    conformance("virt", Transport::Pci)
}

#[test]
fn conformance_suite_passes_with_mmio() -> Result<()> {
    conformance("virt", Transport::Mmio)
}

#[test]
fn conformance_suite_passes_on_a_machine_that_starts_at_el2() -> Result<()> {
    conformance("virt-el2", Transport::Pci)
}

#[test]
fn conformance_suite_passes_with_gicv3() -> Result<()> {
    conformance("virt-gicv3", Transport::Mmio)
}

fn demo(transport: Transport) -> Result<Record> {
    let bench = disk(32)?;
    Ok(scenario::demo(&STANDIN, transport, &bench.disk, false)?.record)
}

#[test]
fn disk_is_read_and_written_through_pci() -> Result<()> {
    let r = demo(Transport::Pci)?;
    assert_eq!(r.number("server.bytes_copied")?, 0);
    assert_eq!(r.number("server.dma_maps")?, 1, "one map call for the whole run");
    let (requests, kicks) = (r.number("requests")?, r.number("server.device_kicks")?);
    assert!(
        kicks * 8 <= requests,
        "{kicks} kicks of the device for {requests} requests at depth 32"
    );
    Ok(())
}

#[test]
fn disk_is_read_and_written_through_mmio() -> Result<()> {
    demo(Transport::Mmio).map(drop)
}

#[test]
fn disk_is_read_and_written_through_legacy_mmio() -> Result<()> {
    demo(Transport::MmioLegacy).map(drop)
}

#[test]
fn memory_that_maps_in_pieces_is_served_all_the_same() -> Result<()> {
    let bench = disk(16)?;
    let system = System::new(Transport::Pci)
        .dma_piece(8192)
        .program(scenario::server(&[])?)
        .program(
            scenario::client("client", "blk-client")?
                .args(&["--depth", "8", "--chunk", "65536"])
                .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}")])),
        )
        .until("client");
    let run = Run::new(&system).disk(scenario::device(&bench.disk, Transport::Pci));
    let record = run.on(&STANDIN)?.passed()?;
    assert_eq!(record.get("sha256")?, bench.disk.sha256()?);
    Ok(())
}

#[test]
fn disks_share_an_interrupt_line() -> Result<()> {
    let (first, second) = (disk(16)?, disk(24)?);
    scenario::shared_line(&STANDIN, [&first.disk, &second.disk], false).map(drop)
}

fn faults(transport: Transport) -> Result<()> {
    let bench = disk(16)?;
    let before = bench.disk.sha256()?;
    scenario::faults(&STANDIN, transport, &bench.disk, false)?;
    assert_eq!(bench.disk.sha256()?, before, "no hostile request reached the disk");
    Ok(())
}

#[test]
fn hostile_clients_disturb_nobody_through_pci() -> Result<()> {
    faults(Transport::Pci)
}

#[test]
fn hostile_clients_disturb_nobody_through_mmio() -> Result<()> {
    faults(Transport::Mmio)
}

/// Runs a server alone that is to refuse its work; returns the console.
fn refused(server: Program, disks: Vec<Disk>) -> Result<Record> {
    let system = System::new(Transport::Pci).program(server);
    let mut run = Run::new(&system).seconds(30);
    run.disks = disks;
    run.on(&STANDIN)
}

fn assert_refused(record: &Record, texts: &[&str]) {
    for text in texts {
        assert!(record.says(text), "`{text}` is missing on the console:\n{}", record.outcome);
    }
    assert!(record.says("ended with code 1"), "exit code:\n{}", record.outcome);
    assert!(!record.says("panicked"), "{}", record.outcome);
}

#[test]
fn server_without_vbus_names_the_capability() -> Result<()> {
    let mut server = scenario::server(&[])?;
    server.caps.retain(|(name, _)| name != "vbus");
    assert_refused(&refused(server, Vec::new())?, &["`vbus`"]);
    Ok(())
}

#[test]
fn server_without_a_disk_says_so() -> Result<()> {
    assert_refused(&refused(scenario::server(&[])?, Vec::new())?, &["no virtio disk that works"]);
    Ok(())
}

#[test]
fn unknown_option_is_named_with_the_nearest_one() -> Result<()> {
    let server = scenario::server(&["--clinet", "x"])?;
    assert_refused(&refused(server, Vec::new())?, &["--clinet", "--client"]);
    Ok(())
}

#[test]
fn ds_max_out_of_range_is_refused_with_its_range() -> Result<()> {
    let server = scenario::server(&["--client", "svr", "--device", SERIAL, "--ds-max", "257"])?;
    assert_refused(&refused(server, Vec::new())?, &["--ds-max", "256"]);
    Ok(())
}

#[test]
fn server_over_a_network_card_alone_finds_no_disk() -> Result<()> {
    let system = System::new(Transport::Pci).program(scenario::server(&[])?);
    // Without its boot ROM, a file that QEMU's package only recommends.
    let card = "virtio-net-pci,bus=pcie.0,addr=2,romfile=";
    let run = Run::new(&system).seconds(30).qemu("-device").qemu(card);
    assert_refused(&run.on(&STANDIN)?, &["no virtio disk that works"]);
    Ok(())
}

/// Runs the test program with a part in C.
fn c_part(args: &[&str]) -> Result<Record> {
    let system =
        System::new(Transport::Pci).program(scenario::client("c", "c-part")?.args(args)).until("c");
    Run::new(&system).seconds(30).on(&STANDIN)
}

#[test]
fn c_code_uses_the_c_library() -> Result<()> {
    c_part(&[])?.passed().map(drop)
}

#[test]
fn failed_assertion_in_c_names_file_and_line() -> Result<()> {
    let record = c_part(&["--end", "assert"])?;
    assert!(!record.outcome.passed());
    assert!(record.says("part.c:") && record.says("ended with code 101"), "{}", record.outcome);
    Ok(())
}

#[test]
fn exit_in_c_ends_the_program_with_its_code() -> Result<()> {
    let record = c_part(&["--end", "exit"])?;
    assert!(record.says("ended with code 7"), "{}", record.outcome);
    Ok(())
}

/// A client that reads the whole disk.
fn reader(task: &str) -> Result<Program> {
    Ok(scenario::client(task, "blk-client")?.args(&["--depth", "8", "--chunk", "16384"]))
}

#[test]
fn static_client_reads_through_its_own_gate() -> Result<()> {
    let bench = disk(16)?;
    let args = ["--client", "disk1", "--device", SERIAL, "--ds-max", "4", "--readonly"];
    let mut server = scenario::server(&args)?;
    server.caps.push(("disk1".into(), Cap::Server("disk1".into())));
    let gate = Cap::Client { gate: "disk1".into(), create: false };
    let system = System::new(Transport::Pci)
        .program(server)
        .program(reader("client")?.cap("disk", gate))
        .until("client");
    let run = Run::new(&system).disk(scenario::device(&bench.disk, Transport::Pci));
    let record = run.on(&STANDIN)?.passed()?;
    assert_eq!(record.get("sha256")?, bench.disk.sha256()?);
    assert_eq!(record.get("read_only")?, "1");
    Ok(())
}

#[test]
fn four_clients_read_one_disk_at_the_same_time() -> Result<()> {
    let bench = disk(16)?;
    let mut system = System::new(Transport::Mmio).program(scenario::server(&[])?);
    for task in ["client1", "client2", "client3", "client4"] {
        let options = [&format!("device={SERIAL}"), "read-only", "shared"];
        system = system.program(reader(task)?.cap("disk", Cap::create("blk", &options)));
    }
    let mut run = Run::new(&system).disk(scenario::device(&bench.disk, Transport::Mmio));
    run.results = 4;
    let record = run.on(&STANDIN)?.passed()?;
    let sum = format!("sha256={}", bench.disk.sha256()?);
    assert_eq!(record.lines.iter().filter(|l| l.contains(&sum)).count(), 4, "{}", record.outcome);
    Ok(())
}

#[test]
fn packager_runs_its_package_with_a_client() -> Result<()> {
    let bench = disk(16)?;
    let guests = Guests::build()?;
    let options = packager::RunOptions {
        package: guests.package(),
        machine: None,
        disks: vec![bench.disk.path.clone()],
        transport: packager::Transport::Mmio,
        time_limit: l4re_qemu::patience(60),
        clients: vec![packager::Client {
            program: guests.program("blk-client"),
            args: vec!["--depth".into(), "4".into()],
        }],
        create: Vec::new(),
        standin: Some(guests.standin()),
        program: None,
    };
    let mut lines = Vec::new();
    let outcome = packager::run(&options, &mut |line| lines.push(line.to_owned()));
    let outcome = outcome.context("packager run")?;
    assert!(outcome.passed(), "{outcome}");
    let sum = format!("sha256={}", bench.disk.sha256()?);
    assert!(lines.iter().any(|l| l.contains(&sum)), "{outcome}");
    Ok(())
}

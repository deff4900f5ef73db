//! Everything that boots a machine, on the stand-in: one test a fact, named by it.

use l4re_e2e::disk::TestDisk;
use l4re_e2e::run::{Platform, Record, Run};
use l4re_e2e::scenario::{self, SERIAL};
use l4re_e2e::system::{Cap, Program, System, Transport};
use l4re_qemu::Disk;

const STANDIN: Platform = Platform::Standin("virt");

struct Bench {
    _folder: tempfile::TempDir,
    disk: TestDisk,
}

fn disk(mib: u64) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let disk = TestDisk::create(&folder.path().join("disk.img"), mib, 3).unwrap();
    Bench { _folder: folder, disk }
}

fn conformance(machine: &'static str, transport: Transport) {
    let bench = disk(16);
    let platform = Platform::Standin(machine);
    let record = scenario::conformance(&platform, transport, &bench.disk, false);
    let record = record.unwrap_or_else(|e| panic!("{e}"));
    let cases = record.lines.iter().filter(|l| l.contains("ok ")).count();
    assert!(cases > 40, "only {cases} cases ran");
}

#[test]
fn conformance_suite_passes_with_pci() {
    conformance("virt", Transport::Pci);
}

#[test]
fn conformance_suite_passes_with_mmio() {
    conformance("virt", Transport::Mmio);
}

#[test]
fn conformance_suite_passes_on_a_machine_that_starts_at_el2() {
    conformance("virt-el2", Transport::Pci);
}

#[test]
fn conformance_suite_passes_with_gicv3() {
    conformance("virt-gicv3", Transport::Mmio);
}

fn demo(transport: Transport) -> Record {
    let bench = disk(32);
    let demo = scenario::demo(&STANDIN, transport, &bench.disk, false);
    demo.unwrap_or_else(|e| panic!("{e}")).record
}

#[test]
fn disk_is_read_and_written_through_pci() {
    let r = demo(Transport::Pci);
    assert_eq!(r.number("server.copies").unwrap(), 0);
    let (requests, kicks) =
        (r.number("requests").unwrap(), r.number("server.device_kicks").unwrap());
    assert!(
        kicks <= requests / 2,
        "{kicks} kicks of the device for {requests} requests at depth 32"
    );
}

#[test]
fn disk_is_read_and_written_through_mmio() {
    demo(Transport::Mmio);
}

#[test]
fn disk_is_read_and_written_through_legacy_mmio() {
    demo(Transport::MmioLegacy);
}

#[test]
fn memory_that_maps_in_pieces_is_served_all_the_same() {
    let bench = disk(16);
    let system = System::new(Transport::Pci)
        .dma_piece(8192)
        .program(scenario::server(&[]).unwrap())
        .program(
            scenario::client("client", "blk-client")
                .unwrap()
                .args(&["--depth", "8", "--chunk", "65536"])
                .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}")])),
        )
        .until("client");
    let run = Run::new(&system).disk(scenario::device(&bench.disk, Transport::Pci));
    let record = run.on(&STANDIN).unwrap().passed().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(record.get("sha256").unwrap(), bench.disk.sha256().unwrap());
}

fn faults(transport: Transport) {
    let bench = disk(16);
    let before = bench.disk.sha256().unwrap();
    scenario::faults(&STANDIN, transport, &bench.disk, false).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(bench.disk.sha256().unwrap(), before, "no hostile request reached the disk");
}

#[test]
fn hostile_clients_disturb_nobody_through_pci() {
    faults(Transport::Pci);
}

#[test]
fn hostile_clients_disturb_nobody_through_mmio() {
    faults(Transport::Mmio);
}

/// Runs a server alone that is to refuse its work; returns the console.
fn refused(server: Program, disks: Vec<Disk>) -> Record {
    let system = System::new(Transport::Pci).program(server);
    let mut run = Run::new(&system).seconds(30);
    run.disks = disks;
    run.on(&STANDIN).unwrap()
}

fn assert_refused(record: &Record, texts: &[&str]) {
    for text in texts {
        assert!(record.says(text), "`{text}` is missing on the console:\n{}", record.outcome);
    }
    assert!(record.says("ended with code 1"), "exit code:\n{}", record.outcome);
    assert!(!record.says("panicked"), "{}", record.outcome);
}

#[test]
fn server_without_vbus_names_the_capability() {
    let mut server = scenario::server(&[]).unwrap();
    server.caps.retain(|(name, _)| name != "vbus");
    assert_refused(&refused(server, Vec::new()), &["`vbus`"]);
}

#[test]
fn server_without_a_disk_says_so() {
    assert_refused(&refused(scenario::server(&[]).unwrap(), Vec::new()), &["no virtio disk that works"]);
}

#[test]
fn unknown_option_is_named_with_the_nearest_one() {
    let server = scenario::server(&["--clinet", "x"]).unwrap();
    assert_refused(&refused(server, Vec::new()), &["--clinet", "--client"]);
}

#[test]
fn ds_max_out_of_range_is_refused_with_its_range() {
    let server =
        scenario::server(&["--client", "svr", "--device", SERIAL, "--ds-max", "257"]).unwrap();
    assert_refused(&refused(server, Vec::new()), &["--ds-max", "256"]);
}

#[test]
fn server_over_a_network_card_alone_finds_no_disk() {
    let system = System::new(Transport::Pci).program(scenario::server(&[]).unwrap());
    let run =
        Run::new(&system).seconds(30).qemu("-device").qemu("virtio-net-pci,bus=pcie.0,addr=2");
    assert_refused(&run.on(&STANDIN).unwrap(), &["no virtio disk that works"]);
}

//! Long loads, and what requests cost: counts that are the same on every machine.

use l4re_e2e::bench::{self, Settings};
use l4re_e2e::run::{Platform, Run};
use l4re_e2e::scenario::{self, SERIAL};
use l4re_e2e::system::{Cap, System, Transport};
use l4re_e2e::{Context, Error, Result};
use l4re_qemu::Disk;

const STANDIN: Platform = Platform::Standin("virt");
/// Requests of the long load, so that all indices of 16 bits wrap around twice.
const REQUESTS: u64 = 1 << 17;
const DISK_BYTES: u64 = 32 << 20;

/// Random batches of random requests through the server, every byte checked by the guest.
///
/// `L4RE_TORTURE_REQUESTS` makes it shorter or longer.
fn torture(transport: Transport, seed: &str) -> Result<()> {
    let requests = match std::env::var("L4RE_TORTURE_REQUESTS") {
        Ok(text) => text.parse().context("L4RE_TORTURE_REQUESTS")?,
        Err(_) => REQUESTS,
    };
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let image = folder.path().join("disk.img");
    let file = std::fs::File::create(&image).context(image.display())?;
    file.set_len(DISK_BYTES).context(image.display())?;
    let system = System::new(transport)
        .program(scenario::server(&[])?)
        .program(
            scenario::client("client", "blk-bench")?
                .args(&["torture", "--seed", seed, "--requests", &requests.to_string()])
                .cap("disk", Cap::create("blk", &[&format!("device={SERIAL}")])),
        )
        .until("client");
    let disk = Disk::file(&image, transport.place(0)).serial(SERIAL);
    let record = Run::new(&system).disk(disk).seconds(600).on(&STANDIN)?.passed()?;
    assert!(record.says(" in flight, "), "{}", record.outcome);
    Ok(())
}

#[test]
fn random_load_past_two_wraps_of_every_index_is_right_through_pci() -> Result<()> {
    torture(Transport::Pci, "1")
}

#[test]
fn random_load_past_two_wraps_of_every_index_is_right_through_mmio() -> Result<()> {
    torture(Transport::Mmio, "2")
}

fn counts(transport: Transport) -> Result<()> {
    let settings = Settings { requests: 256, icount: false, show: false };
    let measured = bench::measure(&STANDIN, transport, settings)?;
    let missed: Vec<String> = bench::counts(&measured)
        .iter()
        .filter(|t| !t.met())
        .map(|t| format!("{}: {:?} at {}, limit {}", t.what, t.value, t.cell, t.limit))
        .collect();
    if missed.is_empty() { Ok(()) } else { Err(Error::new(missed.join("\n"))) }
}

#[test]
fn requests_share_notifications_and_cost_no_copy_map_or_allocation_through_pci() -> Result<()> {
    counts(Transport::Pci)
}

#[test]
fn requests_share_notifications_and_cost_no_copy_map_or_allocation_through_mmio() -> Result<()> {
    counts(Transport::Mmio)
}

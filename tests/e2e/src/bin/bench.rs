//! `make bench`: counts and guest time a request, beside the blocking driver.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use l4re_e2e::bench::{self, Counts, Key, Kind, Measurement, Settings, Target, Via};
use l4re_e2e::guest::Guests;
use l4re_e2e::run::Platform;
use l4re_e2e::system::Transport;
use l4re_e2e::{Context, Error, Result};
use l4re_packager_core::elf::{self, Size};
use serde_json::{Value, json};

/// Measures the virtio-blk driver server on the stand-in: notifications, copies, allocations and
/// guest time a request, with the blocking driver of the virtio-drivers crate as baseline.
///
/// The exit code is 1 if a run fails or a count misses its target. Times are only reported: under
/// an emulator they mean little but as ratios, and those depend on how busy the machine is.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Folder for the results, bench.json.
    #[arg(long, default_value = "out/bench")]
    out: PathBuf,
    /// Requests of a cell.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(32..))]
    requests: u64,
    /// Boots a transport: of times the median counts, of counts the largest.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Count instructions: a nanosecond of guest time is one instruction. See docs/benchmark.md.
    #[arg(long)]
    icount: bool,
    /// Print the results as JSON and nothing else.
    #[arg(long)]
    json: bool,
    /// Show the console of the machine.
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
}

/// What was measured with one transport.
struct Measured {
    transport: Transport,
    cells: Measurement,
    targets: Vec<Target>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("bench: failed: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and reports; returns whether all counts meet their targets.
fn run(options: &Options) -> Result<bool> {
    std::fs::create_dir_all(&options.out).context(options.out.display())?;
    let size = server_size()?;
    let mut all = Vec::new();
    for transport in [Transport::Pci, Transport::Mmio] {
        let cells = measure(options, transport)?;
        let mut targets = bench::counts(&cells);
        if !options.icount {
            targets.extend(bench::times(&cells));
        }
        let own = size.mapped.saturating_add(size.private);
        targets.extend(bench::sizes(cells.memory, size.loaded, own));
        all.push(Measured { transport, cells, targets });
    }
    let json = json(options, size, &all);
    let file = options.out.join("bench.json");
    std::fs::write(&file, format!("{json:#}\n")).context(file.display())?;
    if options.json {
        println!("{json:#}");
    } else {
        all.iter().for_each(|m| print(options, m));
        println!(
            "\nserver: {} bytes loaded, {} mapped, {} private",
            size.loaded, size.mapped, size.private
        );
        println!("results: {}", file.display());
    }
    let counts = all.iter().flat_map(|m| &m.targets).filter(|t| t.kind == Kind::Count);
    Ok(counts.fold(true, |met, t| met & t.met()))
}

fn measure(options: &Options, transport: Transport) -> Result<Measurement> {
    let Options { requests, icount, verbose: show, .. } = *options;
    let settings = Settings { requests, icount, show };
    let boot = |_| bench::measure(&Platform::Standin("virt"), transport, settings);
    let boots = (0..options.rounds).map(boot).collect::<Result<_>>();
    Ok(Measurement::summary(boots.context(transport.name())?))
}

/// What the server's program takes in memory.
fn server_size() -> Result<Size> {
    let path = Guests::build()?.server();
    let bytes = std::fs::read(&path).context(path.display())?;
    let target = elf::target_of(&bytes).context(path.display())?;
    let expect = elf::Expect { target: &target, drvinfo: true, c_code: false };
    let (program, report) = elf::verify(&bytes, &expect);
    let program = program.ok_or_else(|| Error::new(format!("{}: {report:?}", path.display())))?;
    Ok(program.size)
}

/// A number of events, a request.
fn rate(counts: &Counts, name: &str) -> Option<f64> {
    let requests = *counts.get("requests")? as f64;
    Some(*counts.get(name)? as f64 / requests)
}

fn print(options: &Options, m: &Measured) {
    let unit = if options.icount { "instr" } else { "us" };
    println!(
        "\n{}, {} requests a cell; all columns are a request",
        m.transport.name(),
        options.requests
    );
    println!(
        "{:<17} {:<5} {:>6} {:>5} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "driver",
        "op",
        "bytes",
        "depth",
        unit,
        "kicks",
        "irqs",
        "s.kicks",
        "s.irqs",
        "copied",
        "allocs"
    );
    for (key, counts) in &m.cells.cells {
        println!("{}", row(options, key, counts));
    }
    println!();
    for t in &m.targets {
        let sign = if t.at_least { ">=" } else { "<=" };
        let number = |v: Option<f64>| v.map_or("nothing".to_owned(), |v| format!("{v:.3}"));
        let verdict = if t.met() { "met   " } else { "MISSED" };
        let worst = match t.cell.as_str() {
            "" => String::new(),
            cell => format!(" (worst {} at {cell})", number(t.worst)),
        };
        println!("{verdict} {}: {} {sign} {}{worst}", t.what, number(t.value), t.limit);
    }
}

fn row(options: &Options, key: &Key, counts: &Counts) -> String {
    let number = |name| rate(counts, name).map_or("-".to_owned(), |r| format!("{r:.3}"));
    let scale = if options.icount { 1000.0 } else { 1.0 };
    let time = rate(counts, "us").map_or("-".to_owned(), |us| format!("{:.2}", us * scale));
    // Without a server all allocations are the driver's.
    let allocations = if matches!(key.via, Via::DirectSpin | Via::Direct) {
        "allocations"
    } else {
        "server_allocations"
    };
    format!(
        "{:<17} {:<5} {:>6} {:>5} {time:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
        key.via.name(),
        key.op,
        key.size,
        key.depth,
        number("kicks"),
        number("interrupts"),
        number("device_kicks"),
        number("device_interrupts"),
        number("copied"),
        number(allocations),
    )
}

fn json(options: &Options, size: Size, all: &[Measured]) -> Value {
    let transport = |m: &Measured| {
        let cells: Vec<Value> =
            m.cells.cells.iter().map(|(k, c)| json!({ "cell": k, "counts": c })).collect();
        let targets: Vec<Value> =
            m.targets.iter().map(|t| json!({ "target": t, "met": t.met() })).collect();
        json!({
            "transport": m.transport.name(),
            "cells": cells,
            "memory": m.cells.memory,
            "targets": targets,
        })
    };
    json!({
        "requests": options.requests,
        "rounds": options.rounds,
        "icount": options.icount,
        "server": size,
        "transports": all.iter().map(transport).collect::<Vec<_>>(),
    })
}

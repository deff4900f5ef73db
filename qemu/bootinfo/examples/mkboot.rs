//! Writes a boot archive with one program that has every virtio-mmio device and all of PCI on a
//! bus `vbus`, and the counters: for trying a program by hand.
//!
//! `cargo run -p l4re-standin-bootinfo --example mkboot -- OUT PROGRAM [ARGUMENT…]`

use std::borrow::Cow;
use std::path::Path;
use std::{env, fs, process};

use l4re_standin_bootinfo::{Boot, Bus, Filter, Grant, Module, Task};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [out, program, rest @ ..] = args.as_slice() else {
        eprintln!("usage: mkboot OUT PROGRAM [ARGUMENT…]");
        process::exit(2);
    };
    if let Err(why) = write(out, program, rest) {
        eprintln!("mkboot: {why}");
        process::exit(1);
    }
}

fn write(out: &str, program: &str, rest: &[String]) -> Result<(), String> {
    let data = fs::read(program).map_err(|e| format!("{program}: {e}"))?;
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut argv = vec![format!("rom/{name}")];
    argv.extend_from_slice(rest);
    let pci = Filter::Pci { class: None, vendor: None, device: None };
    let boot = Boot {
        modules: vec![Module { name: name.clone(), data: Cow::Owned(data) }],
        buses: vec![Bus {
            name: "vbus".into(),
            filters: vec![Filter::PresentMmio, pci],
            messages: 0,
        }],
        tasks: vec![Task {
            name: name.clone(),
            module: name,
            argv,
            caps: vec![
                ("vbus".into(), Grant::Vbus("vbus".into())),
                ("icu".into(), Grant::Icu),
                ("kdbg".into(), Grant::Kdbg),
            ],
            ..Task::default()
        }],
        ..Boot::default()
    };
    let bytes = boot.encode().map_err(|e| e.to_string())?;
    fs::write(out, bytes).map_err(|e| format!("{out}: {e}"))
}

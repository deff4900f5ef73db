//! The script that starts the example system.

use super::lua::{self, CREATE, SCHEDULER, string};
use super::{Example, GENERATED};
use crate::manifest::Class;

const DEVICE: &str = include_str!("lua/device.lua");

/// The script.
pub(super) fn script(example: &Example<'_>) -> String {
    let name = example.name();
    let mut text = format!("-- vi:ft=lua\n-- {GENERATED}\n-- An example: ");
    text.push_str(match (example.bus, example.service) {
        (Some(_), Some(_)) => "io, the driver, and a device for a client.\n",
        (Some(_), None) => "io and the driver.\n",
        (None, _) => "the program alone.\n",
    });
    text.push_str(SCHEDULER);
    if let Some(bus) = example.bus {
        text.push_str("\nlocal bus = ld:new_channel()\n\n");
        text.push_str(&lua::io([(bus, "bus".into())], ["hw_devices.io", "bus.io"]));
    }
    if example.service.is_some() {
        text.push_str("\nlocal server = ld:new_channel()\n");
    }
    let caps =
        [example.bus.map(|name| (name, "bus")), example.service.map(|name| (name, "server:svr()"))];
    let caps: String = caps
        .iter()
        .flatten()
        .map(|(name, value)| format!("    [{}] = {value},\n", string(name)))
        .collect();
    let command = std::iter::once(format!("rom/{}", example.program))
        .chain(example.manifest.l4re.example.options.iter().cloned())
        .map(|word| string(&word))
        .collect::<Vec<_>>();
    text.push('\n');
    text.push_str(&lua::start(name, 0x50, &caps, &command));
    if example.service.is_some() {
        text.push_str(CREATE);
        text.push_str(&device(example));
    }
    text
}

/// What a client needs. Without arguments for `create` nobody knows which device, so the lines are
/// comments.
fn device(example: &Example<'_>) -> String {
    let args = &example.manifest.l4re.example.create;
    let words: String = args.iter().map(|word| format!(", {}", string(word))).collect();
    let (hint, off) = match args.is_empty() {
        true => ("-- Which devices there are is in the driver's output.\n", "-- "),
        false => ("", ""),
    };
    let cap = match example.manifest.driver.class {
        Class::Block => "disk",
        Class::Test => "device",
    };
    let ready = string(&format!("{}: the device is ready", example.name()));
    let values = [("HINT", hint), ("OFF", off), ("CAP", cap), ("ARGS", &words), ("READY", &ready)];
    lua::fill(DEVICE, &values)
}

//! Every script of ned that the packager writes or the project has, run by Lua with a module `L4` that
//! writes down what is started: whole, and where a driver refuses.

use std::fs;
use std::path::Path;

use mlua::Lua;

const L4: &str = include_str!("../outputs/tests/l4.lua");

/// Runs a script behind `before`; what was started, or the error.
fn run(before: &str, script: &str) -> Result<Vec<String>, String> {
    let lua = Lua::new();
    let text = |error: mlua::Error| error.to_string();
    lua.load(L4).set_name("=l4.lua").exec().map_err(text)?;
    lua.load(before).set_name("=before").exec().map_err(text)?;
    lua.load(script).set_name("=script").exec().map_err(text)?;
    lua.globals().get("calls").map_err(text)
}

#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Ways in which a driver refuses for ever, and what is said then.
const REFUSALS: [(&str, &str); 3] = [
    ("answers = { function() return nil end }", "the driver makes no device: nil"),
    (
        "answers = { function() error({ msg = 'No such device' }) end }",
        "the driver makes no device: No such device",
    ),
    ("answers = { function() error('plain', 0) end }", "the driver makes no device: plain"),
];

/// Runs a script that asks for a device: at once, after two refusals, and never.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn asks(name: &str, script: &str, more: &str, expected: &[&str]) {
    assert_eq!(run(more, script).as_deref().unwrap_or_default(), expected, "{name}");
    let late = "local n = function() return nil end\n\
                answers = { n, function() error({ msg = 'x' }) end, function() return 'd' end }\n";
    let late = format!("{late}{more}");
    assert_eq!(run(&late, script).as_deref().unwrap_or_default(), expected, "{name}");
    for (before, wanted) in REFUSALS {
        let message = run(&format!("{before}\n{more}"), script).unwrap_err();
        assert!(message.contains(wanted), "{name}: {message}");
    }
}

#[test]
fn the_example_of_a_package_starts_and_says_when_there_is_no_device() {
    let script = read("tests/package/assets/ned/demo-blk.ned");
    let expected =
        ["rom/io rom/hw_devices.io rom/bus.io | icu sigma0 vbus", "rom/demo-drv -v | svr vbus"];
    asks("demo-blk.ned", &script, "", &expected);
}

#[test]
fn the_projects_system_with_systemd_passes_what_the_units_name() {
    let script = read("../files/cfg/bash.cfg");
    let expected = [
        "rom/io rom/hw_devices.io rom/virtio-blk.io rom/bash.io | icu iomem sigma0 vbus",
        "rom/virtio-blk-drv | svr vbus",
        "rom/systemd | global_fs iomem lsb_root scheduler virtio_blk virtio_blk_irq",
    ];
    asks("bash.cfg", &script, "", &expected);
}

#[test]
fn the_scripts_with_services_start_them_or_name_what_is_missing() {
    let supplied = |script: String| script.replace("] = nil,", "] = {},");
    for (file, programs) in [
        ("systemd.ned", &["rom/io", "rom/systemd"][..]),
        ("direct.ned", &["rom/io", "rom/demo-blk-drv", "rom/fs-server-drv"]),
    ] {
        let script = read(&format!("tests/emit/systemd/ned/{file}"));
        let message = run("", &script).unwrap_err();
        assert!(message.contains("there is no capability to pass as"), "{file}: {message}");
        let calls = run("", &supplied(script)).unwrap();
        let started: Vec<_> =
            calls.iter().map(|call| call.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(started, programs, "{file}: {calls:?}");
    }
}

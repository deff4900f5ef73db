//! The script that starts the driver and then goes on with the image's own script.

use std::fmt::Write;

use l4re_packager_core::package::lua::{self, CREATE, NEED, SCHEDULER};
use l4re_packager_core::package::lua_string;

/// Channels between drivers, by their names.
const CHANNEL: &str = include_str!("lua/channel.lua");

/// What scripts that follow find.
const SERVICE: &str = include_str!("lua/service.lua");

/// Going on.
const REST: &str = include_str!("lua/rest.lua");

/// One more bus for the I/O server that the image starts: there cannot be a second server.
const SHARED_IO: &str = include_str!("lua/shared_io.lua");

/// How the I/O server gets the driver's bus.
#[derive(Debug)]
pub(super) struct Io {
    /// The bus's name in its configuration, which is also that of io's capability.
    pub bus: String,
    /// The file with the configuration.
    pub file: String,
    /// Files that describe the hardware.
    pub hardware: Vec<String>,
    /// Whether a script of the image starts the server.
    pub shared: bool,
}

/// What the script is made of.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// The driver's name.
    pub name: &'a str,
    /// Its program.
    pub program: &'a str,
    /// Its arguments.
    pub args: &'a [String],
    /// Its capability for the bus.
    pub bus: Option<&'a str>,
    /// The bus, if there is one.
    pub io: Option<&'a Io>,
    /// Its capability for clients.
    pub service: Option<&'a str>,
    /// Further capabilities, and the expressions that give them.
    pub caps: &'a [(String, String)],
    /// A script that uses the driver.
    pub user: Option<&'a str>,
}

impl Script<'_> {
    /// The script.
    pub fn text(&self) -> String {
        let name = self.name;
        let mark = mark(name);
        let mut text =
            format!("-- vi:ft=lua\n{mark} then goes on with the image's own script.\n{SCHEDULER}");
        if let Some(io) = self.io {
            text.push_str("\nlocal bus = ld:new_channel()\n");
            text.push_str(&if io.shared { shared(io) } else { own(io) });
        }
        if self.service.is_some() {
            text.push_str("\nlocal server = ld:new_channel()\n");
        }
        if self.caps.iter().any(|(_, value)| value.contains("channel(")) {
            text.push_str(CHANNEL);
        }
        if !self.caps.is_empty() {
            text.push_str(NEED);
        }
        let words =
            std::iter::once(format!("rom/{}", self.program)).chain(self.args.iter().cloned());
        let words: Vec<String> = words.map(|word| lua_string(&word)).collect();
        text.push('\n');
        text.push_str(&lua::start(name, 0x50, &self.capabilities(), &words));
        if self.service.is_some() {
            text.push_str(CREATE);
            text.push_str(&lua::fill(SERVICE, &[("NAME", &lua_string(name))]));
        }
        if let Some(user) = self.user {
            let _ = write!(text, "\ndofile({})\n", lua_string(&format!("rom/{user}")));
        }
        text.push_str(REST);
        text
    }

    /// The lines of the driver's table of capabilities.
    fn capabilities(&self) -> String {
        let own = [self.bus.map(|cap| (cap, "bus")), self.service.map(|cap| (cap, "server:svr()"))];
        let own = own.iter().flatten();
        let own = own.map(|(cap, value)| format!("    [{}] = {value},\n", lua_string(cap)));
        let more = self.caps.iter().map(|(cap, value)| {
            let cap = lua_string(cap);
            format!("    [{cap}] = need({cap}, {value}),\n")
        });
        own.chain(more).collect()
    }
}

/// How the script of a driver starts, behind its first line.
pub(super) fn mark(driver: &str) -> String {
    format!("-- Made by the packager: starts {driver},")
}

/// An I/O server for the driver.
fn own(io: &Io) -> String {
    let files = io.hardware.iter().chain([&io.file]).map(String::as_str);
    format!("\n{}", lua::io([(io.bus.as_str(), "bus".into())], files))
}

fn shared(io: &Io) -> String {
    let (bus, file) = (lua_string(&io.bus), lua_string(&format!("rom/{}", io.file)));
    lua::fill(SHARED_IO, &[("BUS", &bus), ("FILE", &file)])
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::*;

    const L4: &str = include_str!("../../tests/l4.lua");

    /// What ned is told to start by a script, with `before` run first and the rest of the image's
    /// scripts replaced by `dofile`s that are written down.
    fn run(before: &str, script: &Script<'_>) -> Result<Vec<String>, String> {
        let lua = Lua::new();
        let text = |error: mlua::Error| error.to_string();
        lua.load(L4).exec().map_err(text)?;
        lua.load("function dofile(name) calls[#calls + 1] = 'dofile ' .. name end")
            .exec()
            .map_err(text)?;
        lua.load(before).exec().map_err(text)?;
        lua.load(script.text()).set_name("=script").exec().map_err(text)?;
        lua.globals().get("calls").map_err(text)
    }

    fn script<'a>(io: Option<&'a Io>, caps: &'a [(String, String)]) -> Script<'a> {
        Script {
            name: "a \"blk\"",
            program: "blk-drv",
            args: &[],
            bus: io.map(|_| "vbus"),
            io,
            service: Some("svr"),
            caps,
            user: None,
        }
    }

    fn io(shared: bool) -> Io {
        let (bus, file) = ("blk".into(), "blk.io".into());
        Io { bus, file, hardware: vec!["hw_devices.io".into()], shared }
    }

    #[test]
    fn every_form_runs_and_goes_on_with_the_images_script() {
        let own = io(false);
        let rest = "arg = { 'rom/x.cfg', 'word' }";
        assert_eq!(
            run(rest, &script(Some(&own), &[])).unwrap(),
            [
                "rom/io rom/hw_devices.io rom/blk.io | blk icu sigma0",
                "rom/blk-drv | svr vbus",
                "dofile rom/x.cfg",
            ]
        );
        let caps = [
            ("peer".into(), "channel(\"p\"):m(\"rws\")".into()),
            ("icu".into(), "L4.Env.icu".into()),
        ];
        let with = Script { user: Some("u.ned"), ..script(None, &caps) };
        assert_eq!(run("", &with).unwrap(), ["rom/blk-drv | icu peer svr", "dofile rom/u.ned"]);
        let none = [("x".into(), "L4.Env.vesa".into())];
        let message = run("", &script(None, &none)).unwrap_err();
        assert!(message.contains("there is no capability to pass as x"), "{message}");
    }

    #[test]
    fn io_of_the_image_gets_one_more_bus_whatever_stands_behind_its_words() {
        let shared = io(true);
        let start = |words: &str| {
            let rest = format!(
                "arg = {{ 'x' }}\nfunction dofile()\n  L4.default_loader:startv({{}}, {words})\n  \
                 L4.default_loader:startv({{}}, 'rom/io', 'again')\nend"
            );
            run(&rest, &script(Some(&shared), &[])).unwrap()
        };
        let again = "rom/io again | ";
        let driver = "rom/blk-drv | svr vbus";
        let expected = [driver, "rom/io rom/a.io rom/blk.io | blk", again];
        assert_eq!(start("'rom/io', 'rom/a.io'"), expected);
        let expected = [driver, "rom/io rom/blk.io {} | blk", again];
        assert_eq!(start("'rom/io', { A = 'b' }"), expected);
    }

    #[test]
    fn a_driver_is_asked_again_and_a_refusal_for_ever_is_an_error_with_its_reason() {
        let user =
            "arg = { 'x' }\nfunction dofile() calls[1] = drivers['a \"blk\"']:create('d') end";
        let ask =
            |answers: &str| run(&format!("answers = {{ {answers} }}\n{user}"), &script(None, &[]));
        let late = "function() return nil end, function() error('e') end, function(a) return a end";
        assert_eq!(ask(late).unwrap(), ["d"]);
        for (answer, wanted) in
            [("return nil", "nil"), ("error({ msg = 'why' })", "why"), ("error('e', 0)", "e")]
        {
            let message = ask(&format!("function() {answer} end")).unwrap_err();
            assert!(message.contains(&format!("makes no device: {wanted}")), "{message}");
        }
    }
}

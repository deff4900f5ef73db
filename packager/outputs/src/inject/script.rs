//! The script that starts the driver and then goes on with the image's own script.

use std::fmt::Write;

use l4re_packager_core::package::lua_string;

/// Priorities, creating devices, and everything else that does not depend on the driver.
const HEAD: &str = r#"
local L4 = require("L4")
local ld = L4.default_loader

-- io above drivers above clients: the other way round they crawl, or wait for each other for ever.
local function scheduler(priority)
  return L4.Env.user_factory:create(L4.Proto.Scheduler, priority + 10, priority)
end
"#;

/// Channels between drivers, by their names.
const CHANNEL: &str = r#"
-- The same name is the same channel, in the scripts of all drivers.
channels = channels or {}
local function channel(name)
  channels[name] = channels[name] or ld:new_channel()
  return channels[name]
end
"#;

/// A capability that is nothing would vanish without a word.
const NEED: &str = r#"
local function need(name, cap)
  return cap or error("there is no capability for " .. name)
end
"#;

/// What scripts that follow find.
const SERVICE: &str = r#"
-- For the scripts that follow, which run in the same Lua state. `gate` is what clients ask for
-- devices; `create` asks until the driver, which refuses as long as it looks for devices, has one.
local driver = { gate = server }

function driver:create(...)
  local factory = L4.cast(L4.Proto.Factory, self.gate)
  local answer
  for _ = 1, 100 do
    local done
    done, answer = pcall(factory.create, factory, 0, ...)
    if done and answer then
      return answer
    end
    L4.msleep(100)
  end
  if type(answer) == "table" then
    answer = answer.msg
  end
  error("the driver makes no device: " .. tolua_string(answer))
end
"#;

/// Going on.
const TAIL: &str = r#"
-- The image's own script, with its own arguments.
local rest = {}
for i, word in ipairs(arg or {}) do
  rest[i - 1] = word
end
arg = rest
if rest[0] then
  dofile(rest[0])
end
"#;

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
            format!("-- vi:ft=lua\n{mark} then goes on with the image's own script.\n{HEAD}");
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
        let caps = self.capabilities();
        let words =
            std::iter::once(format!("rom/{}", self.program)).chain(self.args.iter().cloned());
        let _ = write!(
            text,
            "\nld:startv({{\n  log = {{ {}, \"b\" }},\n  scheduler = scheduler(0x50),\n  \
             caps = {{\n{caps}  }},\n}}, {})\n",
            lua_string(name),
            words.map(|word| lua_string(&word)).collect::<Vec<_>>().join(", ")
        );
        if self.service.is_some() {
            text.push_str(SERVICE);
            let _ = write!(
                text,
                "\ndrivers = drivers or {{}}\ndrivers[{}] = driver\n",
                lua_string(name)
            );
        }
        if let Some(user) = self.user {
            let _ = write!(text, "\ndofile({})\n", lua_string(&format!("rom/{user}")));
        }
        text.push_str(TAIL);
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
    let files = io.hardware.iter().chain([&io.file]);
    let files: String =
        files.map(|file| format!(", {}", lua_string(&format!("rom/{file}")))).collect();
    format!(
        "\nld:startv({{\n  log = {{ \"io\", \"g\" }},\n  scheduler = scheduler(0x70),\n  caps = {{\n    \
         sigma0 = L4.cast(L4.Proto.Factory, L4.Env.sigma0):create(L4.Proto.Sigma0),\n    \
         icu = L4.Env.icu,\n    \
         iommu = L4.Env.iommu, -- nothing where there is none\n    \
         [{}] = bus:svr(),\n  }},\n}}, \"rom/io\"{files})\n",
        lua_string(&io.bus)
    )
}

/// One more bus for the I/O server that the image starts: there cannot be a second server.
fn shared(io: &Io) -> String {
    format!(
        r#"
-- The image starts io itself: when it does, io gets one more bus. Until then the driver waits.
local startv = L4.Loader.startv
local served = false
function L4.Loader:startv(env, program, ...)
  if served or program:match("[^/]*$") ~= "io" then
    return startv(self, env, program, ...)
  end
  served = true
  env.caps = env.caps or {{}}
  env.caps[{bus}] = bus:svr()
  local words = {{ ... }}
  -- Behind the words there can be a table of environment variables.
  local place = type(words[#words]) == "table" and #words or #words + 1
  table.insert(words, place, {file})
  return startv(self, env, program, table.unpack(words))
end
"#,
        bus = lua_string(&io.bus),
        file = lua_string(&format!("rom/{}", io.file)),
    )
}

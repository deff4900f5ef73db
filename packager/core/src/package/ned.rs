//! The script that starts the example system.

use std::fmt::Write;

use super::{Example, GENERATED};
use crate::manifest::Class;

/// Priorities: io above drivers above clients.
const HEAD: &str = r#"
local L4 = require("L4")
local ld = L4.default_loader

-- io above drivers above clients: the other way round they crawl, or wait for each other for ever.
local function scheduler(priority)
  return L4.Env.user_factory:create(L4.Proto.Scheduler, priority + 10, priority)
end
"#;

/// Asking for a device.
const CREATE: &str = r#"
-- The driver refuses as long as it still looks for its devices, so ask again. Some versions of ned
-- answer a refusal with nil, others raise an error.
local function create(...)
  local factory = L4.cast(L4.Proto.Factory, server)
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
  error("the driver makes no device: " .. tostring(answer))
end
"#;

/// The script.
pub(super) fn script(example: &Example<'_>) -> String {
    let name = example.name();
    let mut text = format!("-- vi:ft=lua\n-- {GENERATED}\n-- An example: ");
    text.push_str(match (example.bus, example.service) {
        (Some(_), Some(_)) => "io, the driver, and a device for a client.\n",
        (Some(_), None) => "io and the driver.\n",
        (None, _) => "the program alone.\n",
    });
    text.push_str(HEAD);
    if let Some(bus) = example.bus {
        let _ = write!(
            text,
            "\nlocal bus = ld:new_channel()\n\n\
             ld:start({{\n  log = {{ \"io\", \"g\" }},\n  scheduler = scheduler(0x70),\n  \
             caps = {{\n    \
             sigma0 = L4.cast(L4.Proto.Factory, L4.Env.sigma0):create(L4.Proto.Sigma0),\n    \
             icu = L4.Env.icu,\n    \
             iommu = L4.Env.iommu, -- nothing where there is none\n    \
             [\"{bus}\"] = bus:svr(),\n  }},\n\
             }}, \"rom/io rom/hw_devices.io rom/bus.io\")\n"
        );
    }
    if example.service.is_some() {
        text.push_str("\nlocal server = ld:new_channel()\n");
    }
    let caps =
        [example.bus.map(|name| (name, "bus")), example.service.map(|name| (name, "server:svr()"))];
    let caps: String = caps
        .iter()
        .flatten()
        .map(|(name, value)| format!("    [\"{name}\"] = {value},\n"))
        .collect();
    let command = std::iter::once(format!("rom/{}", example.program))
        .chain(example.manifest.l4re.example.options.iter().cloned())
        .map(|word| lua_string(&word))
        .collect::<Vec<_>>();
    let _ = write!(
        text,
        "\nld:startv({{\n  log = {{ {}, \"b\" }},\n  scheduler = scheduler(0x50),\n  \
         caps = {{\n{caps}  }},\n}}, {})\n",
        lua_string(name),
        command.join(", ")
    );
    if example.service.is_some() {
        text.push_str(&device(example));
    }
    text
}

/// What a client needs.
fn device(example: &Example<'_>) -> String {
    let args: Vec<_> =
        example.manifest.l4re.example.create.iter().map(|word| lua_string(word)).collect();
    let cap = match example.manifest.driver.class {
        Class::Block => "disk",
        Class::Test => "device",
    };
    let mut text = CREATE.to_owned();
    let comment = if args.is_empty() {
        text.push_str("\n-- Which devices there are is in the driver's output.\n");
        "-- "
    } else {
        text.push('\n');
        ""
    };
    let _ = write!(
        text,
        "{comment}local {cap} = create({})\n{comment}print(\"{}: the device is ready\")\n\n\
         -- The client finds it in its capabilities under the name given here.\n\
         -- ld:startv({{\n--   log = {{ \"client\", \"y\" }},\n--   scheduler = scheduler(0x10),\n\
         --   caps = {{ {cap} = {cap} }},\n-- }}, \"rom/client\")\n",
        args.join(", "),
        example.name()
    );
    text
}

/// A Lua string. The words have no control characters; quotes and backslashes are escaped.
pub fn lua_string(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

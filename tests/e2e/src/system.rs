//! One description of a running system, and the two forms in which it is started: a boot archive
//! for the stand-in, a ned script with io's configuration and a module list for L4Re.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use l4re_qemu::Place;
use l4re_standin_bootinfo as boot;

use crate::{Context, Result};

/// How the disks of a system are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// virtio-pci, modern.
    Pci,
    /// virtio-mmio, register layout 2.
    Mmio,
    /// virtio-mmio, register layout 1 (legacy).
    MmioLegacy,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 3] = [Transport::Pci, Transport::Mmio, Transport::MmioLegacy];

    /// The place of disk number `index`.
    pub fn place(self, index: u8) -> Place {
        match self {
            Transport::Pci => Place::Pci { slot: 2 + index },
            Transport::Mmio => Place::Mmio { slot: 31 - index },
            Transport::MmioLegacy => Place::MmioLegacy { slot: 31 - index },
        }
    }

    /// Short name.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Pci => "pci",
            Transport::Mmio => "mmio",
            Transport::MmioLegacy => "mmio-legacy",
        }
    }
}

/// What a program finds under a name.
#[derive(Debug, Clone)]
pub enum Cap {
    /// The virtual bus with the disks.
    Vbus,
    /// The server's side of a gate.
    Server(String),
    /// A client's side of a gate: with the right to send factory requests if `create`.
    Client {
        /// Name of the gate.
        gate: String,
        /// Whether factory requests are allowed.
        create: bool,
    },
    /// What a server answers to `create(object, args…)`.
    Create {
        /// Name of the server's gate.
        gate: String,
        /// Kind of object: 0 a device, 1 the statistics.
        object: i64,
        /// Options.
        args: Vec<String>,
    },
    /// The counters of the stand-in; nothing on L4Re.
    Kdbg,
    /// Device registers, whole pages (stand-in only).
    Iomem {
        /// Physical address of the first byte.
        start: u64,
        /// Physical address of the last byte.
        end: u64,
    },
    /// An IRQ object that is bound to a hardware interrupt (stand-in only).
    Irq {
        /// GIC interrupt number.
        pin: u32,
        /// Level or edge triggered.
        level: bool,
    },
    /// A DMA space that is bound to the program's devices (stand-in only).
    DmaSpace,
    /// Memory shared by all programs that name it (stand-in only).
    Shared {
        /// Which memory.
        name: String,
        /// Size in bytes.
        size: u64,
        /// Whether this program may write it.
        writable: bool,
    },
}

impl Cap {
    /// A device made by the server behind `gate`.
    pub fn create(gate: &str, args: &[&str]) -> Cap {
        let args = args.iter().map(|a| (*a).to_owned()).collect();
        Cap::Create { gate: gate.into(), object: 0, args }
    }
}

/// A program of the system.
#[derive(Debug, Clone)]
pub struct Program {
    /// Name: of the task, of the module, and of the tag in the log.
    pub name: String,
    /// The ELF file.
    pub elf: PathBuf,
    /// Arguments without the program's name.
    pub args: Vec<String>,
    /// Named capabilities.
    pub caps: Vec<(String, Cap)>,
    /// Start only when this program has ended.
    pub after: Option<String>,
    /// Priority, relative to nothing but the other programs of the system.
    pub priority: u8,
    /// Limit in bytes of the objects that it makes (stand-in only); 0: none.
    pub quota: u64,
}

impl Program {
    /// A program with nothing but its name and file.
    pub fn new(name: &str, elf: &Path) -> Self {
        Self {
            name: name.into(),
            elf: elf.into(),
            args: Vec::new(),
            caps: Vec::new(),
            after: None,
            priority: 0,
            quota: 0,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|a| (*a).to_owned()));
        self
    }

    /// Adds a capability.
    #[must_use]
    pub fn cap(mut self, name: &str, cap: Cap) -> Self {
        self.caps.push((name.into(), cap));
        self
    }

    /// Starts it only when the program `name` has ended.
    #[must_use]
    pub fn after(mut self, name: &str) -> Self {
        self.after = Some(name.into());
        self
    }

    /// The same program with another priority.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// The same program with a quota.
    #[must_use]
    pub fn quota(mut self, bytes: u64) -> Self {
        self.quota = bytes;
        self
    }
}

/// A system: programs in the order of their start.
#[derive(Debug, Clone)]
pub struct System {
    /// How the disks are attached.
    pub transport: Transport,
    /// The programs.
    pub programs: Vec<Program>,
    /// The program whose end is the end of the run; none: all of them.
    pub until: Option<String>,
    /// Longest piece of memory that one DMA map request maps (stand-in only); 0: no limit.
    pub dma_piece: u64,
    /// Interrupts of the bus are unmasked at its controller only (stand-in only).
    pub unmask_at_icu: bool,
    /// Message-signalled interrupts that the bus offers, as a driver's own bus configuration may
    /// have it. Neither the stand-in nor L4Re on QEMU's `virt` with a GICv2 can deliver them.
    pub messages: u32,
}

impl System {
    /// An empty system.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            programs: Vec::new(),
            until: None,
            dma_piece: 0,
            unmask_at_icu: false,
            messages: 0,
        }
    }

    /// Adds a program.
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.programs.push(program);
        self
    }

    /// Ends the run when the program `name` ends.
    #[must_use]
    pub fn until(mut self, name: &str) -> Self {
        self.until = Some(name.into());
        self
    }

    /// Makes the stand-in map DMA memory in pieces of at most `bytes`.
    #[must_use]
    pub fn dma_piece(mut self, bytes: u64) -> Self {
        self.dma_piece = bytes;
        self
    }

    /// Makes the stand-in's bus ask for unmasking at its controller.
    #[must_use]
    pub fn unmask_at_icu(mut self) -> Self {
        self.unmask_at_icu = true;
        self
    }

    /// Makes the bus offer message-signalled interrupts that cannot be bound.
    #[must_use]
    pub fn messages(mut self, count: u32) -> Self {
        self.messages = count;
        self
    }

    fn gates(&self) -> BTreeSet<&str> {
        let caps = self.programs.iter().flat_map(|p| &p.caps);
        caps.filter_map(|(_, cap)| match cap {
            Cap::Server(gate) | Cap::Client { gate, .. } | Cap::Create { gate, .. } => {
                Some(gate.as_str())
            }
            _ => None,
        })
        .collect()
    }

    /// Files by name: several programs may share one.
    fn modules(&self) -> Vec<(String, &Path)> {
        let mut modules: Vec<(String, &Path)> = Vec::new();
        for p in &self.programs {
            let name = module_name(&p.elf);
            if !modules.iter().any(|(n, _)| *n == name) {
                modules.push((name, &p.elf));
            }
        }
        modules
    }

    /// The boot archive for the stand-in.
    ///
    /// # Errors
    ///
    /// If a program's file cannot be read.
    pub fn boot_archive(&self) -> Result<Vec<u8>> {
        let mut modules = Vec::new();
        for (name, path) in self.modules() {
            let data = std::fs::read(path).context(path.display())?;
            modules.push(boot::Module { name, data: Cow::Owned(data) });
        }
        let filter = match self.transport {
            Transport::Pci => boot::Filter::Pci { class: None, vendor: Some(0x1af4), device: None },
            Transport::Mmio | Transport::MmioLegacy => boot::Filter::PresentMmio,
        };
        let boot = boot::Boot {
            modules,
            buses: vec![boot::Bus {
                name: "vbus".into(),
                filters: vec![filter],
                messages: self.messages,
            }],
            gates: self.gates().into_iter().map(String::from).collect(),
            dma: boot::Dma { max_piece: self.dma_piece },
            unmask_at_icu: self.unmask_at_icu,
            tasks: self.programs.iter().map(task).collect(),
            shutdown: match &self.until {
                Some(name) => boot::Shutdown::Exit(name.clone()),
                None => boot::Shutdown::All,
            },
        };
        boot.encode().context("the boot archive")
    }

    /// The beginning of every ned script: helpers, and io with the virtual bus `vbus`.
    pub fn ned_prelude() -> String {
        String::from(
            "local L4 = require(\"L4\")\nlocal ld = L4.default_loader\n\n\
             -- A refused request is a Lua error here; a server that still looks for its devices\n\
             -- refuses too: ask again.\n\
             local function create(gate, ...)\n  local fab = L4.cast(L4.Proto.Factory, gate)\n  \
             local ok, cap\n  for _ = 1, 10000 do\n    \
             ok, cap = pcall(fab.create, fab, ...)\n    \
             if ok and cap then return cap end\n  end\n  \
             error(\"the server makes no device: \" .. tostring(cap))\nend\n\n\
             -- io above servers above clients: the other way round they crawl or block for ever.\n\
             local function sched(prio)\n  \
             return L4.Env.user_factory:create(L4.Proto.Scheduler, prio + 10, prio)\nend\n\n\
             local vbus = ld:new_channel()\n\
             ld:start({\n  log = { \"io\", \"g\" },\n  scheduler = sched(0x80),\n  \
             caps = {\n    sigma0 = L4.cast(L4.Proto.Factory, L4.Env.sigma0):create(L4.Proto.Sigma0),\n    \
             icu = L4.Env.icu,\n    vbus = vbus:svr(),\n  },\n\
             }, \"rom/io rom/hw_devices.io rom/hw_virtio.io rom/bus.io\")\n\n",
        )
    }

    /// The ned script.
    pub fn ned_script(&self) -> String {
        let mut s = Self::ned_prelude();
        for gate in self.gates() {
            let _ = writeln!(s, "local gate_{} = ld:new_channel()", lua_name(gate));
        }
        for p in &self.programs {
            if let Some(after) = &p.after {
                let _ = writeln!(s, "task_{}:wait()", lua_name(after));
            }
            let _ = writeln!(s, "local task_{} = ld:startv({{", lua_name(&p.name));
            let _ = writeln!(s, "  log = {{ \"{}\", \"y\" }},", p.name);
            if p.priority != 0 {
                let _ = writeln!(s, "  scheduler = sched({}),", p.priority);
            }
            let _ = writeln!(s, "  caps = {{");
            for (name, cap) in &p.caps {
                if let Some(value) = lua_cap(cap) {
                    let _ = writeln!(s, "    [\"{name}\"] = {value},");
                }
            }
            let _ = write!(s, "  }},\n}}, \"rom/{}\"", module_name(&p.elf));
            for a in &p.args {
                let _ = write!(s, ", \"{a}\"");
            }
            s.push_str(")\n");
        }
        s
    }

    /// io's description of the virtio-mmio slots of QEMU's `virt`, which its own lacks.
    pub fn io_hardware() -> &'static str {
        "Io.hw_add_devices(function()\n  for i = 0, 31 do\n    \
         local base = 0x0a000000 + i * 0x200\n    \
         _ENV[\"vmmio\" .. i] = Io.Hw.Device(function()\n      \
         Property.hid = \"virtio\" .. i\n      \
         Property.flags = Io.Hw_device_DF_dma_supported\n      \
         compatible = { \"virtio,mmio\" }\n      \
         Resource.reg0 = Io.Res.mmio(base, base + 0x1ff)\n      \
         Resource.irq0 = Io.Res.irq(48 + i, Io.Resource.Irq_type_raising_edge)\n    \
         end)\n  end\nend)\n"
    }

    /// io's description of the virtual bus.
    pub fn io_bus(&self) -> String {
        let messages = match self.messages {
            0 => String::new(),
            n => format!("    Property.num_msis = {n}\n"),
        };
        let devices = match self.transport {
            Transport::Pci => {
                "    PCI0 = Io.Vi.PCI_bus(function()\n      \
                 pci = wrap(Io.system_bus():match(\"PCI/VEN_1AF4\"))\n    end)\n"
            }
            Transport::Mmio | Transport::MmioLegacy => {
                "    dev = wrap(Io.system_bus():match(\"virtio,mmio\"))\n"
            }
        };
        format!(
            "Io.add_vbusses {{\n  vbus = Io.Vi.System_bus(function()\n{messages}{devices}  end),\n}}\n"
        )
    }

    /// The module list with one entry, `system`. Every file is expected on the search path.
    pub fn module_list(&self) -> String {
        let mut s = String::from(
            "entry system\nkernel fiasco -serial_esc\nroottask moe rom/system.ned\n\
             module l4re\nmodule ned\nmodule io\nmodule hw_devices.io\n\
             module system.ned\nmodule hw_virtio.io\nmodule bus.io\n",
        );
        for (name, _) in self.modules() {
            let _ = writeln!(s, "module {name}");
        }
        s
    }

    /// The programs' files, for the search path.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.programs.iter().map(|p| p.elf.as_path())
    }
}

fn module_name(elf: &Path) -> String {
    elf.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

fn lua_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn lua_cap(cap: &Cap) -> Option<String> {
    Some(match cap {
        Cap::Vbus => "vbus".into(),
        Cap::Server(gate) => format!("gate_{}:svr()", lua_name(gate)),
        Cap::Client { gate, create: true } => format!("gate_{}:m(\"rws\")", lua_name(gate)),
        Cap::Client { gate, create: false } => format!("gate_{}", lua_name(gate)),
        Cap::Create { gate, object, args } => {
            let args: String = args.iter().map(|a| format!(", \"{a}\"")).collect();
            format!("create(gate_{}, {object}{args})", lua_name(gate))
        }
        Cap::Kdbg | Cap::Iomem { .. } | Cap::Irq { .. } | Cap::DmaSpace | Cap::Shared { .. } => {
            return None;
        }
    })
}

fn task(p: &Program) -> boot::Task {
    let module = module_name(&p.elf);
    let mut argv = vec![format!("rom/{module}")];
    argv.extend(p.args.iter().cloned());
    let grant = |cap: &Cap| match cap {
        Cap::Vbus => boot::Grant::Vbus("vbus".into()),
        Cap::Server(name) => boot::Grant::Gate { name: name.clone(), server: true, rights: 0xf },
        Cap::Client { gate, create } => boot::Grant::Gate {
            name: gate.clone(),
            server: false,
            rights: if *create { 7 } else { 4 },
        },
        Cap::Create { gate, object, args } => boot::Grant::Create {
            gate: gate.clone(),
            object: *object,
            args: args.iter().cloned().map(boot::Arg::Str).collect(),
        },
        Cap::Kdbg => boot::Grant::Kdbg,
        Cap::Iomem { start, end } => boot::Grant::Iomem { start: *start, end: *end },
        Cap::Irq { pin, level } => boot::Grant::Irq { pin: *pin, level: *level },
        Cap::DmaSpace => boot::Grant::DmaSpace,
        Cap::Shared { name, size, writable } => {
            boot::Grant::Shared { name: name.clone(), size: *size, writable: *writable }
        }
    };
    boot::Task {
        name: p.name.clone(),
        module,
        argv,
        caps: p.caps.iter().map(|(name, cap)| (name.clone(), grant(cap))).collect(),
        after: p.after.clone(),
        priority: p.priority,
        quota: p.quota,
        ..boot::Task::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_grant_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let elf = dir.path().join("prog");
        std::fs::write(&elf, b"elf").unwrap();
        let system = System::new(Transport::Pci)
            .program(
                Program::new("srv", &elf)
                    .cap("vbus", Cap::Vbus)
                    .cap("svr", Cap::Server("blk".into())),
            )
            .program(
                Program::new("cli", &elf)
                    .args(&["-x"])
                    .cap("disk", Cap::create("blk", &["device=a", "ds-max=4"]))
                    .after("srv"),
            )
            .until("cli");
        let bytes = system.boot_archive().unwrap();
        let boot = boot::Boot::decode(&bytes).unwrap();
        assert_eq!(boot.modules.len(), 1, "a shared file is there once");
        assert_eq!(boot.gates, ["blk"]);
        assert_eq!(boot.tasks[1].after.as_deref(), Some("srv"));
        let ned = system.ned_script();
        for line in [
            "[\"svr\"] = gate_blk:svr(),",
            "[\"disk\"] = create(gate_blk, 0, \"device=a\", \"ds-max=4\"),",
            "task_srv:wait()",
            "\"rom/prog\", \"-x\")",
        ] {
            assert!(ned.contains(line), "{line} is missing in\n{ned}");
        }
    }
}

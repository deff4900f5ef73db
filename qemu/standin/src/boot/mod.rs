//! Starting programs: what ned, moe and the in-task loader do on L4Re.

mod image;
mod kip;
mod loader;
mod start;

pub use kip::{ClockCode, build as build_kip};
pub use loader::Loader;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use l4re_standin_bootinfo::{Boot, Shutdown, Task as Spec};

use crate::dataspace::Dataspace;
use crate::kernel::Kernel;
use crate::object::{Gate, Kind, ObjId};
use crate::vbus::Vbus;

/// What becomes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not started yet.
    Waiting,
    /// Runs.
    Running,
    /// Has ended, or could not be started.
    Ended,
}

/// A program of the boot archive.
pub struct Program {
    /// How it is to be started.
    pub spec: Spec,
    /// Its log.
    pub log: ObjId,
    /// What becomes of it.
    pub progress: Progress,
}

/// What programs share, by name.
#[derive(Default)]
pub struct Shared {
    /// Gates.
    pub gates: BTreeMap<String, ObjId>,
    /// Virtual buses.
    pub buses: BTreeMap<String, ObjId>,
    /// Anonymous memory.
    pub memory: BTreeMap<String, ObjId>,
    /// Objects that are the same for all.
    pub scheduler: Option<ObjId>,
    /// The interrupt controller.
    pub icu: Option<ObjId>,
    /// The name space of the modules.
    pub rom: Option<ObjId>,
    /// The counters.
    pub kdbg: Option<ObjId>,
    /// The kernel info page.
    pub kip: Option<ObjId>,
}

impl Kernel {
    /// Takes over a boot archive and prepares the thread that starts its programs.
    ///
    /// # Errors
    ///
    /// What is wrong with the archive.
    pub fn prepare(&mut self, boot: &Boot<'_>) -> Result<(), String> {
        self.max_piece = boot.dma.max_piece;
        self.unmask_at_icu = boot.unmask_at_icu;
        for m in &boot.modules {
            let short = || format!("no memory for the module {}", m.name);
            let mut ds =
                Dataspace::contiguous(&mut self.mem, m.data.len().max(1), 1).ok_or_else(short)?;
            ds.write(&mut self.mem, 0, &m.data);
            ds.writable = false;
            let id = self.kept(Kind::Dataspace(ds));
            self.rom.insert(m.name.clone(), id);
        }
        let mut shared = Shared::default();
        for name in &boot.gates {
            let gate = self.kept(Kind::Gate(Gate::default()));
            shared.gates.insert(name.clone(), gate);
        }
        for bus in &boot.buses {
            let vbus = Vbus::build(bus, &self.hardware);
            shared.buses.insert(bus.name.clone(), self.kept(Kind::Vbus(vbus)));
        }
        shared.scheduler = Some(self.kept(Kind::Scheduler));
        shared.icu = Some(self.kept(Kind::Icu));
        shared.kdbg = Some(self.kept(Kind::Kdbg));
        let rom = crate::object::NameSpace { rom: true, ..Default::default() };
        shared.rom = Some(self.kept(Kind::NameSpace(rom)));
        let mut kip = Dataspace::registers(self.kip, crate::mem::PAGE);
        kip.writable = false;
        kip.cache = crate::machine::Cache::Normal;
        shared.kip = Some(self.kept(Kind::Dataspace(kip)));
        for spec in &boot.tasks {
            let tag = spec.name.chars().take(8).collect();
            let log = self.kept(Kind::Log(crate::object::Log { tag, line: Vec::new() }));
            let progress = Progress::Waiting;
            self.programs.push(Program { spec: spec.clone(), log, progress });
        }
        self.shutdown = boot.shutdown.clone();
        self.start_loader(shared)
    }

    /// An object that lives as long as the kernel.
    pub(crate) fn kept(&mut self, kind: Kind) -> ObjId {
        let id = self.objects.insert(kind, None);
        self.hold(id);
        id
    }

    /// A program is over: everything it has is taken back.
    pub fn end_program(&mut self, task: ObjId, code: isize) {
        let number = self.objects.task(task).and_then(|t| t.program);
        let account = self.objects.task(task).and_then(|t| t.account);
        if let Some(number) = number {
            self.note_end(number, &format!("ended with code {code}"));
        }
        self.destroy(task);
        if let Some(left) = account.and_then(|a| self.objects.quota(a)).map(|q| q.used)
            && left > 0
        {
            // Others may hold objects that it made; they are counted until those go.
            self.say(&format!("{left} bytes of its account are still in use"));
        }
    }

    /// Prints what became of a program and lets those go on who waited for it.
    pub(crate) fn note_end(&mut self, number: usize, how: &str) {
        let Some(p) = self.programs.get_mut(number) else { return };
        p.progress = Progress::Ended;
        let (log, name) = (p.log, p.spec.name.clone());
        self.log_flush(log);
        self.say(&format!("{name} {how}"));
        self.wake_loader();
    }

    /// Whether it is time to switch the machine off.
    pub fn is_over(&self) -> bool {
        let ended = |p: &Program| p.progress == Progress::Ended;
        match &self.shutdown {
            Shutdown::All => self.programs.iter().all(ended),
            Shutdown::Exit(name) => {
                let mut named = self.programs.iter().filter(|p| p.spec.name == *name).peekable();
                // A name that no program has would never end.
                named.peek().is_none() || named.all(ended)
            }
        }
    }
}

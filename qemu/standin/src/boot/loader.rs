//! The thread that starts the programs, one after the other. It is an ordinary thread of the
//! kernel's IPC with a UTCB and a capability table; only what it does between two system calls is
//! written here and not in a program.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use l4re_runtime::abi::cap::{Sel, op, rights};
use l4re_runtime::abi::factory::Arg as FactoryArg;
use l4re_runtime::abi::tag::{MAX_WORDS, Tag};
use l4re_runtime::abi::timeout::{Timeout, Timeouts};
use l4re_runtime::abi::{item::buffer, proto, utcb};
use l4re_standin_bootinfo::{Arg, Grant};

use super::image::{self, Image};
use super::start::{self, slot};
use super::{Progress, Shared};
use crate::cap::Cap;
use crate::dataspace::Dataspace;
use crate::dma::DmaSpace;
use crate::err::EAGAIN;
use crate::kernel::Kernel;
use crate::machine::Cache;
use crate::mem::PAGE;
use crate::object::{Irq, Kind, Log, ObjId, Quota};
use crate::region::{Backing, Region};
use crate::sched::QUANTUM;
use crate::task::{Page, Task};
use crate::thread::{State, Thread};

/// Where the loader's gate and its answers go.
const SLOT_GATE: usize = 0x10;
const SLOT_ANSWER: usize = 0x11;
/// Pause before a server is asked again.
const RETRY_US: u64 = 10_000;
/// How often.
const RETRIES: u32 = 1000;
/// Priority of programs that have none: ned's default.
const PRIORITY: u8 = 2;

/// What the loader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For nothing: on to the next capability or program.
    Next,
    /// For the answer to a factory request.
    Answer,
    /// Until it asks again.
    Pause,
}

/// The loader's state.
pub struct Loader {
    thread: ObjId,
    task: ObjId,
    shared: Shared,
    /// Program and capability that are next.
    program: usize,
    cap: usize,
    /// Task that is being prepared.
    building: Option<ObjId>,
    stage: Stage,
    tries: u32,
    /// There are no more programs to start, and that was said.
    complete: bool,
}

impl Kernel {
    pub(super) fn start_loader(&mut self, shared: Shared) -> Result<(), String> {
        let table = self.machine.page_table();
        let task = self.kept(Kind::Task(Box::new(Task::new("loader", table))));
        let pa = self.mem.alloc(1, 1).ok_or("no memory")?;
        let thread = Thread {
            task: Some(task),
            utcb: pa,
            priority: Some(u8::MAX),
            quantum: QUANTUM,
            loader: true,
            ..Thread::default()
        };
        let thread = self.kept(Kind::Thread(Box::new(thread)));
        self.loader = Some(Loader {
            thread,
            task,
            shared,
            program: 0,
            cap: 0,
            building: None,
            stage: Stage::Next,
            tries: 0,
            complete: false,
        });
        self.wake(thread, false);
        Ok(())
    }

    /// Lets the loader look whether what it waits for has happened.
    pub(super) fn wake_loader(&mut self) {
        let Some(l) = &self.loader else { return };
        let (thread, idle) = (l.thread, l.stage == Stage::Next);
        let parked =
            self.objects.thread(thread).is_some_and(|t| matches!(t.state, State::Inactive));
        if idle && parked {
            self.wake(thread, false);
        }
    }

    /// Runs the loader until it waits.
    pub fn run_loader(&mut self) {
        let Some(mut l) = self.loader.take() else { return };
        loop {
            if let Err(why) = self.loader_step(&mut l) {
                if let Some(task) = l.building.take() {
                    self.destroy(task);
                }
                self.note_end(l.program, &format!("cannot be started: {why}"));
                l.program += 1;
                l.stage = Stage::Next;
            }
            let ready =
                self.objects.thread(l.thread).is_some_and(|t| matches!(t.state, State::Ready));
            if !ready {
                break;
            }
        }
        self.loader = Some(l);
    }

    fn loader_step(&mut self, l: &mut Loader) -> Result<(), String> {
        match l.stage {
            Stage::Answer => return self.loader_answer(l),
            Stage::Pause => return self.loader_ask(l),
            Stage::Next => {}
        }
        let Some(p) = self.programs.get(l.program) else {
            if !core::mem::replace(&mut l.complete, true) {
                let ms = self.machine.now() / 1000;
                self.say(&format!("all programs started after {ms} ms"));
            }
            return self.park(l);
        };
        let spec = p.spec.clone();
        if let Some(after) = &spec.after {
            let before = &self.programs[..l.program];
            let found = before.iter().find(|p| p.spec.name == *after);
            match found.map(|p| p.progress) {
                Some(Progress::Ended) => {}
                Some(_) => return self.park(l),
                None => return Err(format!("it is to follow {after}, which is not before it")),
            }
        }
        let task = match l.building {
            Some(t) => t,
            None => {
                let t = self.new_program(l, spec.quota)?;
                l.building = Some(t);
                l.cap = 0;
                t
            }
        };
        let Some((name, grant)) = spec.caps.get(l.cap) else {
            self.launch(l, task)?;
            l.building = None;
            l.program += 1;
            return Ok(());
        };
        if let Grant::Create { .. } = grant {
            l.tries = 0;
            return self.loader_ask(l);
        }
        let cap = self.granted(l, grant).map_err(|e| format!("capability {name}: {e}"))?;
        self.put_cap(task, slot::NAMED + l.cap, cap);
        l.cap += 1;
        Ok(())
    }

    fn park(&mut self, l: &Loader) -> Result<(), String> {
        if let Some(t) = self.objects.thread_mut(l.thread) {
            t.state = State::Inactive;
        }
        Ok(())
    }

    /// The capability that a grant without a server's help means.
    fn granted(&mut self, l: &mut Loader, grant: &Grant) -> Result<Cap, String> {
        let s = &mut l.shared;
        let known = |o: Option<&ObjId>| o.copied().ok_or("no such name in the archive".to_string());
        Ok(match grant {
            Grant::Vbus(name) => Cap::with(known(s.buses.get(name))?, rights::RWS),
            Grant::Gate { name, server: true, .. } => Cap::full(known(s.gates.get(name))?),
            Grant::Gate { name, rights, .. } => {
                Cap::with(known(s.gates.get(name))?, usize::from(*rights) & rights::RWSD)
            }
            Grant::Iomem { start, end } => {
                let (start, end) = (*start as usize & !(PAGE - 1), *end as usize);
                let size = end.checked_sub(start).ok_or("ends before it starts")? + 1;
                let ds = Dataspace::registers(start, size.next_multiple_of(PAGE));
                Cap::with(self.objects.insert(Kind::Dataspace(ds), None), rights::RW)
            }
            Grant::Irq { pin, level } => {
                let irq = self.objects.insert(Kind::Irq(Irq::default()), None);
                self.pin_mode(*pin, *level);
                self.bind_pin(*pin, irq, None).map_err(|e| format!("interrupt {pin}: {}", e.0))?;
                Cap::full(irq)
            }
            Grant::DmaSpace => {
                let space = Kind::DmaSpace(DmaSpace::bound());
                Cap::with(self.objects.insert(space, None), rights::RWS)
            }
            Grant::Icu => Cap::with(known(s.icu.as_ref())?, rights::RWS),
            Grant::Log(tag) => {
                let tag = tag.chars().take(8).collect();
                let log = Kind::Log(Log { tag, ..Log::default() });
                Cap::with(self.objects.insert(log, None), rights::RW)
            }
            Grant::Rom => Cap::with(known(s.rom.as_ref())?, rights::R),
            Grant::Scheduler => Cap::with(known(s.scheduler.as_ref())?, rights::RWS),
            Grant::Module(name) => Cap::with(known(self.rom.get(name))?, rights::R),
            Grant::Shared { name, size, writable } => {
                let id = match s.memory.get(name) {
                    Some(id) => *id,
                    None => {
                        let ds = Dataspace::anonymous(*size as usize).ok_or("too large")?;
                        let id = self.kept(Kind::Dataspace(ds));
                        s.memory.insert(name.clone(), id);
                        id
                    }
                };
                Cap::with(id, if *writable { rights::RW } else { rights::R })
            }
            Grant::Kdbg => Cap::with(known(s.kdbg.as_ref())?, rights::RWS),
            Grant::Create { .. } => return Err("is made by a server".into()),
        })
    }

    /// Asks a server for an object.
    fn loader_ask(&mut self, l: &mut Loader) -> Result<(), String> {
        let spec = self.programs.get(l.program).map(|p| p.spec.clone()).ok_or("no program")?;
        let Some((_, Grant::Create { gate, object, args })) = spec.caps.get(l.cap) else {
            return Err("no such capability".into());
        };
        let gate = *l.shared.gates.get(gate).ok_or_else(|| format!("no gate {gate}"))?;
        self.put_cap(l.task, SLOT_GATE, Cap::with(gate, rights::RWS));
        let mut words = [0; MAX_WORDS];
        words[0] = *object as usize;
        let mut used = 1;
        for a in args {
            let arg = match a {
                Arg::Int(i) => FactoryArg::Signed(*i as isize),
                Arg::Str(s) => FactoryArg::Str(s.as_bytes()),
            };
            used += arg.encode(&mut words[used..]).ok_or("too many arguments for a message")?;
        }
        let utcb = self.objects.thread(l.thread).map_or(0, |t| t.utcb);
        for (i, w) in words[..used].iter().enumerate() {
            self.mem.set_word(utcb, i, *w);
        }
        self.mem.set_word(utcb, utcb::BDR, 0);
        self.mem.set_word(utcb, utcb::BR, buffer::cap(Sel::from_index(SLOT_ANSWER)));
        self.mem.set_word(utcb, utcb::BR + 1, 0);
        l.stage = Stage::Answer;
        let tag = Tag::new(proto::FACTORY, used, 0);
        let dest = Sel::from_index(SLOT_GATE).0 | op::CALL;
        self.loader_call(l, tag, dest, Timeouts::NEVER);
        Ok(())
    }

    fn loader_call(&mut self, l: &Loader, tag: Tag, dest: usize, timeouts: Timeouts) {
        if let Some(t) = self.objects.thread_mut(l.thread) {
            t.frame.x[0] = tag.0;
            t.frame.x[2] = dest;
            t.frame.x[3] = timeouts.raw();
        }
        self.syscall(l.thread);
    }

    /// Looks at what a server answered.
    fn loader_answer(&mut self, l: &mut Loader) -> Result<(), String> {
        let t = self.objects.thread(l.thread).ok_or("no thread")?;
        let (tag, utcb) = (Tag(t.frame.x[0]), t.utcb);
        self.take_cap(l.task, SLOT_GATE);
        if tag.has_error() {
            let code = self.mem.word(utcb, utcb::ERROR);
            return Err(format!("the server cannot be reached (IPC error {code:#x})"));
        }
        if tag.label() == EAGAIN.0 && l.tries < RETRIES {
            l.tries += 1;
            l.stage = Stage::Pause;
            let sleep = Timeouts { send: Timeout::NEVER, recv: Timeout::from_micros(RETRY_US) };
            self.loader_call(l, Tag(0), Sel::INVALID.0 | op::RECV, sleep);
            return Ok(());
        }
        if tag.label() < 0 {
            return Err(format!("the server answers {}", tag.label()));
        }
        let answer = self.objects.task(l.task).and_then(|t| t.caps.get(SLOT_ANSWER));
        let cap = answer.ok_or("the server answers without a capability")?;
        let task = l.building.ok_or("no task")?;
        self.put_cap(task, slot::NAMED + l.cap, cap);
        self.take_cap(l.task, SLOT_ANSWER);
        l.stage = Stage::Next;
        l.cap += 1;
        Ok(())
    }

    /// A task with the objects that every program has.
    fn new_program(&mut self, l: &Loader, limit: u64) -> Result<ObjId, String> {
        let p = self.programs.get(l.program).ok_or("no program")?;
        let (name, log) = (p.spec.name.clone(), p.log);
        if !self.has_room() {
            return Err("kernel memory ran out".into());
        }
        let mut task = Task::new(&name, self.machine.page_table());
        task.program = Some(l.program);
        let account = self.kept(Kind::Factory(Quota { limit, ..Quota::default() }));
        task.account = Some(account);
        task.held.push(account);
        let id = self.kept(Kind::Task(Box::new(task)));
        let kip = l.shared.kip.ok_or("no kernel info page")?;
        let scheduler = l.shared.scheduler.ok_or("no scheduler")?;
        let fixed = [
            (slot::TASK, Cap { rights: rights::RWS, ..Cap::full(id) }),
            (slot::FACTORY, Cap::with(account, rights::RWS)),
            (slot::LOG, Cap::with(log, rights::RW)),
            (slot::SCHEDULER, Cap::with(scheduler, rights::RWS)),
            (slot::KIP, Cap::with(kip, rights::R)),
        ];
        for (index, cap) in fixed {
            self.put_cap(id, index, Cap { weak: index == slot::TASK, ..cap });
        }
        let services = [
            (slot::MEM_ALLOC, Kind::MemAlloc(account)),
            (slot::PARENT, Kind::Parent(id)),
            (slot::RM, Kind::RegionMap(id)),
            (slot::ITAS, Kind::Itas(id)),
        ];
        for (index, kind) in services {
            let service = self.objects.insert(kind, None);
            self.put_cap(id, index, Cap::with(service, rights::RWS));
        }
        Ok(id)
    }

    /// Loads the program into its task and lets it run.
    fn launch(&mut self, l: &Loader, task: ObjId) -> Result<(), String> {
        let p = self.programs.get(l.program).ok_or("no program")?;
        let spec = p.spec.clone();
        let module = self.rom.get(&spec.module).copied();
        let module = module.ok_or_else(|| format!("no module {}", spec.module))?;
        let data = self.module_bytes(module).ok_or("kernel memory ran out")?;
        let image = image::parse(&data).map_err(|e| format!("{}: {e}", spec.module))?;
        self.load_segments(task, &image, &data)?;
        let rom = l.shared.rom.ok_or("no modules")?;
        let rom_slot = slot::NAMED + spec.caps.len();
        if rom_slot >= slot::THREAD {
            return Err("too many capabilities".into());
        }
        self.put_cap(task, rom_slot, Cap::with(rom, rights::R));
        let mut names: Vec<_> =
            spec.caps.iter().enumerate().map(|(i, (n, _))| (n.as_str(), slot::NAMED + i)).collect();
        names.push(("rom", rom_slot));
        if let Some((long, _)) = names.iter().find(|(n, _)| n.len() > 16) {
            return Err(format!("the name {long} is longer than 16 bytes"));
        }
        let argv: Vec<_> = spec.argv.iter().map(String::as_bytes).collect();
        let env: Vec<_> = spec.env.iter().map(String::as_bytes).collect();
        let layout =
            start::build(&start::Start { argv: &argv, env: &env, caps: &names, image: &image });
        let no_memory = "no memory for the start";
        let info_size = layout.info.len();
        self.attach_new(task, start::INFO, info_size, 6, &layout.info, 0).ok_or(no_memory)?;
        let top = start::STACK_SIZE - layout.stack.len();
        self.attach_new(task, start::STACK, start::STACK_SIZE, 6, &layout.stack, top)
            .ok_or(no_memory)?;
        self.map_kip(task);
        self.add_ku_mem(task, start::UTCB_AREA, 1 << start::UTCB_ORDER).map_err(|_| no_memory)?;
        let thread = self.bound_thread(task, start::UTCB).ok_or(no_memory)?;
        self.put_cap(task, slot::THREAD, Cap::full(thread));
        let t = self.objects.thread_mut(thread).ok_or(no_memory)?;
        t.pager = Some(slot::RM << 12);
        t.handler = t.pager;
        t.frame.pc = image.entry;
        t.frame.sp = start::STACK + top;
        t.started = true;
        self.wake(thread, false);
        let priority = if spec.priority == 0 { PRIORITY } else { spec.priority };
        self.run_thread(thread, priority, QUANTUM).map_err(|_| no_memory)?;
        if let Some(p) = self.programs.get_mut(l.program) {
            p.progress = Progress::Running;
        }
        Ok(())
    }

    /// A copy of a module; `None` if it does not fit kernel memory.
    fn module_bytes(&mut self, module: ObjId) -> Option<Vec<u8>> {
        let Kernel { objects, mem, .. } = self;
        let ds = objects.dataspace_mut(module)?;
        let mut data = Vec::new();
        data.try_reserve_exact(ds.size()).ok()?;
        data.resize(ds.size(), 0);
        ds.read(mem, 0, &mut data);
        Some(data)
    }

    fn load_segments(&mut self, task: ObjId, image: &Image, data: &[u8]) -> Result<(), String> {
        for s in &image.segments {
            let (from, to) = s.pages();
            let bytes = &data[s.file.0..s.file.0 + s.file.1];
            self.attach_new(task, from, to - from, s.rights, bytes, s.start - from)
                .ok_or_else(|| format!("no room for the segment at {:#x}", s.start))?;
        }
        Ok(())
    }

    /// Attaches fresh memory with some content.
    fn attach_new(
        &mut self,
        task: ObjId,
        at: usize,
        size: usize,
        flags: u32,
        content: &[u8],
        offset: usize,
    ) -> Option<()> {
        let mut ds = Dataspace::anonymous(size)?;
        if !ds.write(&mut self.mem, offset, content) {
            ds.release(&mut self.mem);
            return None;
        }
        let end = at + ds.size();
        let id = self.kept(Kind::Dataspace(ds));
        let t = self.objects.task_mut(task)?;
        t.held.push(id);
        if !t.regions.is_free(at, end, false) {
            return None;
        }
        t.regions.insert(at, Region { end, flags, backing: Backing::Object(id), offset: 0 });
        Some(())
    }

    fn map_kip(&mut self, task: ObjId) {
        let pa = self.kip;
        let Some(t) = self.objects.task_mut(task) else { return };
        let region = Region { end: start::KIP + PAGE, flags: 5, backing: Backing::None, offset: 0 };
        t.regions.insert(start::KIP, region);
        let page = Page { pa, rights: 5, cache: Cache::Normal, ds: None, parent: None };
        t.space.map(start::KIP, page);
    }
}

//! From the loader's jump to `main`.

use core::ops::Range;
use core::time::Duration;

use alloc::string::String;
use spin::Once;

use super::args::{Args, parse_stack};
use super::table::{Entry, NamedCap, entries};
use super::{StartError, Termination, clock, exit, ids};
use crate::abi::PAGE_SIZE;
use crate::abi::cap::Sel;
use crate::abi::env::{EnvData, WORDS};
use crate::arch::Utcb;
use crate::cap::{Cap, CapRef, Factory, Held, Namespace, Object, SLOTS, Scheduler, Thread, Vcon};
use crate::mem::{Area, Rm, stack};

/// What a program was started with.
#[derive(Debug)]
pub struct Env {
    data: EnvData,
    args: Args,
    table: usize,
    stack: Range<usize>,
}

static ENV: Once<Env> = Once::new();

/// The environment of the program; `None` on the host.
pub fn env() -> Option<&'static Env> {
    ENV.get()
}

/// How many bytes of the first thread's stack were ever used.
///
/// Stacks start as zeros, and the mark is the lowest byte that is not zero any more: exact to
/// within a frame whose lowest variables were only ever zero.
pub fn stack_high_water() -> usize {
    // SAFETY: the range is the static stack of the program.
    env().map_or(0, |e| unsafe { stack::high_water(e.stack.clone()) })
}

impl Env {
    /// The command line.
    pub fn args(&self) -> Args {
        self.args
    }

    /// The name that the program was started under.
    pub fn program_name(&self) -> &'static str {
        self.args.iter().next().unwrap_or("?")
    }

    /// All capabilities that were granted under a name.
    pub fn named_caps(&self) -> impl Iterator<Item = NamedCap> + Clone + use<> {
        // SAFETY: the address is that of the table the loader made, which stays.
        unsafe { entries(self.table as *const Entry) }
    }

    /// The slot of a capability that was granted under `name`, which is not empty as far as the
    /// loader knows.
    pub fn find(&self, name: &str) -> Option<Sel> {
        self.named_caps().find(|c| c.name() == name).map(|c| c.sel).filter(|s| s.is_valid())
    }

    /// The capability that was granted under `name`.
    ///
    /// # Errors
    ///
    /// [`StartError::MissingCap`] with the name.
    pub fn cap<T: Object>(&self, name: &str) -> Result<CapRef<T>, StartError> {
        self.find(name).map(CapRef::to).ok_or_else(|| StartError::MissingCap(name.into()))
    }

    /// A capability by name, or by a path such as `rom/file`: what stands before the first `/` is
    /// a granted name space, the rest is looked up there. An object that is announced but not
    /// there yet is waited for, for about `patience`.
    ///
    /// # Errors
    ///
    /// [`StartError::MissingCap`] for the first part, [`StartError::Path`] for the rest.
    pub fn lookup<T: Object>(&self, path: &str, patience: Duration) -> Result<Held<T>, StartError> {
        let Some((first, rest)) = path.split_once('/') else {
            return self.cap(path).map(Held::Granted);
        };
        let dir = self.cap::<Namespace>(first)?;
        let found: Cap<T> = dir
            .query(rest, patience)
            .map_err(|error| StartError::Path { path: String::from(path), error })?;
        Ok(found.into())
    }

    /// The factory for kernel objects.
    pub fn factory(&self) -> CapRef<Factory> {
        CapRef::to(self.data.factory)
    }

    /// The memory allocator, as the factory that it is.
    pub fn mem_alloc(&self) -> CapRef<Factory> {
        CapRef::to(self.data.mem_alloc)
    }

    /// The region mapper.
    pub fn rm(&self) -> Rm {
        Rm::own()
    }

    /// The scheduler.
    pub fn scheduler(&self) -> CapRef<Scheduler> {
        CapRef::to(self.data.scheduler)
    }

    /// The first thread: the one that runs `main`.
    pub fn main_thread(&self) -> CapRef<Thread> {
        CapRef::to(self.data.main_thread)
    }

    /// The log.
    pub fn log(&self) -> CapRef<Vcon> {
        CapRef::to(self.data.log)
    }
}

/// Called by `_start` on the program's own stack; see [`entry!`](crate::entry).
///
/// `initial_sp` is the stack pointer that the loader set, `stack` the range of the own stack,
/// `heap` the most bytes of heap.
#[doc(hidden)]
pub fn start<T: Termination>(
    initial_sp: usize,
    stack: Range<usize>,
    heap: usize,
    main: fn(&'static Env) -> T,
) -> ! {
    // SAFETY: `_start` passes the pointer on as the loader left it.
    let (args, aux) = unsafe { parse_stack(initial_sp) };
    let Some(data) = read_env(aux.env) else {
        // Neither a log to complain to nor a parent to tell: all that is left is to stop.
        panic!("no L4Re environment");
    };
    ids::set(data);
    SLOTS.start_at(data.first_free_cap);
    crate::log::init(data.log);
    // SAFETY: the loader maps the page for the life of the program.
    unsafe { clock::init(aux.kip) };
    if clock::layout().is_none() {
        log::warn!("no kernel info page: the clock stands still");
    }
    crate::mem::heap::set_limit(heap);
    guard(&stack);
    let env = ENV.call_once(|| Env { data, args, table: data.caps, stack });
    exit(main(env).report())
}

/// Reads the environment at `address`.
fn read_env(address: usize) -> Option<EnvData> {
    if address == 0 || !address.is_multiple_of(align_of::<usize>()) {
        return None;
    }
    // SAFETY: the loader's environment is in the middle of a stack of many pages with the capability
    // table behind it, so that the few words which older generations lack are readable.
    let words = unsafe { (address as *const [usize; WORDS]).read() };
    EnvData::detect(&words, Utcb::current().address())
}

/// Keeps the page below the stack free for ever, so that an overflow faults.
fn guard(stack: &Range<usize>) {
    let page = stack.start.saturating_sub(PAGE_SIZE);
    match Area::at(page, PAGE_SIZE) {
        Ok(area) => core::mem::forget(area),
        Err(e) => log::warn!(
            "no guard page below the stack at {:#x}: {e}; link with the linker script",
            stack.start
        ),
    }
}

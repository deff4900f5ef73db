//! From the loader's jump to `main`.

use core::ops::Range;
use core::time::Duration;

use alloc::string::String;
use spin::Once;

use super::args::{Args, parse_stack};
use super::table::{Entry, NamedCap, entries};
use super::{StartError, Termination, Variables, exit};
use crate::abi::PAGE_SIZE;
use crate::abi::cap::Sel;
use crate::abi::env::{EnvData, WORDS};
use crate::arch::Utcb;
use crate::cap::{Cap, CapRef, Factory, Held, Namespace, Object, SLOTS, Scheduler, Thread, Vcon};
use crate::clock;
use crate::mem::{Area, Rm, stack};

/// What a program was started with.
#[derive(Debug)]
pub struct Env {
    data: EnvData,
    args: Args,
    variables: Variables,
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

    /// The environment variables.
    pub fn variables(&self) -> Variables {
        self.variables
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

    /// The slot of the capability that the program calls `name`, which is not empty as far as the
    /// loader knows.
    ///
    /// It was granted under that name, or under the one in the variable `L4_CAP_<NAME>` (see
    /// [`Variables::cap`]): so several programs can share one table of names.
    pub fn find(&self, name: &str) -> Option<Sel> {
        let name = self.variables.cap(name).map_or(name, |(_, granted)| granted);
        self.named_caps().find(|c| c.name() == name).map(|c| c.sel).filter(|s| s.is_valid())
    }

    /// The capability that the program calls `name`; see [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// [`StartError::MissingCap`] with the name, or [`StartError::RenamedCap`] with variable and
    /// name.
    pub fn cap<T: Object>(&self, name: &str) -> Result<CapRef<T>, StartError> {
        self.find(name).map(CapRef::to).ok_or_else(|| match self.variables.cap(name) {
            Some((variable, name)) => StartError::RenamedCap { variable, name },
            None => StartError::MissingCap(name.into()),
        })
    }

    /// A capability by name, or by a path such as `rom/file`: what stands before the first `/` is
    /// a granted name space, the rest is looked up there. An object that is announced but not
    /// there yet is waited for, for about `patience`.
    ///
    /// # Errors
    ///
    /// As for [`cap`](Self::cap) for the first part, [`StartError::Path`] for the rest.
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
    let (args, variables, aux) = unsafe { parse_stack(initial_sp) };
    let Some(data) = read_env(aux.env) else {
        // Neither a log to complain to nor a parent to tell: all that is left is to stop.
        panic!("no L4Re environment");
    };
    crate::cap::set_initial(data);
    SLOTS.start_at(data.first_free_cap);
    crate::log::init(data.log);
    // SAFETY: the loader maps the page for the life of the program.
    unsafe { clock::init(aux.kip) };
    if clock::layout().is_none() {
        log::warn!("no kernel info page: the clock stands still");
    }
    crate::mem::heap::set_limit(heap);
    guard(&stack);
    let env = ENV.call_once(|| Env { data, args, variables, table: data.caps, stack });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Word;
    use crate::abi::env::{CAP_TABLE_END, NAME_SIZE};
    use crate::abi::fpage::Fpage;

    /// An environment with these entries in its table and these variables, all of which stay.
    fn env(entries: &[(&str, usize)], variables: &[&'static core::ffi::CStr]) -> Env {
        let end = Entry { cap: 0, flags: CAP_TABLE_END, name: [0; NAME_SIZE] };
        let entry = |(text, sel): &(&str, usize)| {
            let mut name = [0; NAME_SIZE];
            name[..text.len()].copy_from_slice(text.as_bytes());
            Entry { cap: *sel, flags: 0, name }
        };
        let table: alloc::vec::Vec<Entry> = entries.iter().map(entry).chain([end]).collect();
        let table = table.leak().as_ptr() as usize;
        let envp: alloc::vec::Vec<Word> = variables.iter().map(|v| v.as_ptr() as Word).collect();
        // SAFETY: vector and strings stay.
        let variables = unsafe { Variables::new(envp.leak().as_ptr(), variables.len()) };
        let none = Sel(0);
        let data = EnvData {
            parent: none,
            rm: none,
            mem_alloc: none,
            log: none,
            main_thread: none,
            factory: none,
            scheduler: none,
            first_free_cap: 0,
            utcb_area: Fpage(0),
            first_free_utcb: 0,
            caps: table,
        };
        let nothing: [Word; 5] = [0; 5];
        // SAFETY: no arguments, no variables, and the ends of all three parts.
        let (args, ..) = unsafe { parse_stack(nothing.as_ptr() as usize) };
        Env { data, args, variables, table, stack: 0..0 }
    }

    #[test]
    fn a_variable_says_under_which_name_a_capability_was_granted() {
        let env = env(
            &[("vbus", 0x16000), ("blk_vbus", 0x17000), ("svr", 0x18000)],
            &[c"L4_CAP_VBUS=blk_vbus", c"L4_CAP_IRQ=blk_irq", c"L4_CAP_SVR="],
        );
        assert_eq!(env.find("vbus"), Some(Sel(0x17000)));
        assert_eq!(env.find("svr"), Some(Sel(0x18000)));
        assert_eq!(env.find("irq"), None);
        let missing = |name: &str| env.cap::<Thread>(name).err();
        let renamed = StartError::RenamedCap { variable: "L4_CAP_IRQ", name: "blk_irq" };
        assert_eq!(missing("irq"), Some(renamed));
        assert_eq!(missing("dma"), Some(StartError::MissingCap("dma".into())));
    }
}

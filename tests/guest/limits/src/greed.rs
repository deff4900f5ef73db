//! Taking more than there is.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use l4re_runtime::Error;
use l4re_runtime::cap::{Cap, Irq, slots_in_use};
use l4re_runtime::env::{Env, ExitCode, exit};
use l4re_runtime::mem::{Backing, Dataspace};
use l4re_test_support::result::report;

/// More objects than any step makes.
const MOST: usize = 4096;
/// Dataspaces within a quota.
const SMALL: usize = 16 * 1024;
/// How large one dataspace may be: its pages are noted by the kernel although none is touched.
const LARGE: usize = 256 << 20;

/// Room for objects. It is written at the start: at the limit, new pages are not to be had.
struct Shelf<T>(Vec<Option<T>>);

impl<T> Shelf<T> {
    fn new() -> Self {
        Self((0..MOST).map(|_| None).collect())
    }

    /// Makes things until it is told that memory is used up, and returns how many it holds then.
    /// Anything else is an error, as is a full shelf.
    fn fill(&mut self, make: impl Fn() -> Result<T, Error>) -> Result<usize, String> {
        let held = self.0.iter().take_while(|o| o.is_some()).count();
        for (number, place) in self.0.iter_mut().enumerate().skip(held) {
            match make() {
                Ok(one) => *place = Some(one),
                Err(Error::NOMEM) => return Ok(number),
                Err(e) => return Err(format!("after {number} objects: {e}")),
            }
        }
        Err(format!("no limit below {MOST} objects"))
    }

    fn clear(&mut self) {
        self.0.iter_mut().for_each(|place| *place = None);
    }
}

/// Two kinds of objects.
struct Taken {
    memory: Shelf<Cap<Dataspace>>,
    irqs: Shelf<Cap<Irq>>,
}

impl Taken {
    fn new() -> Self {
        Self { memory: Shelf::new(), irqs: Shelf::new() }
    }

    /// Dataspaces of all sizes, each half of the last one, until the kernel notes no more, then kernel objects. Returns how
    /// many there are of each.
    fn take(&mut self, env: &Env) -> Result<(usize, usize), String> {
        let mut size = LARGE;
        let mut dataspaces = 0;
        while size >= SMALL {
            dataspaces = self.memory.fill(|| Dataspace::create(size, Backing::Plain))?;
            size /= 2;
        }
        Ok((dataspaces, self.irqs.fill(|| env.factory().irq())?))
    }

    fn give_back(&mut self) {
        self.memory.clear();
        self.irqs.clear();
    }
}

/// Objects of both kinds, each up to the quota and twice, so that what was given back is there
/// again.
pub fn quota(env: &Env) -> Result<String, String> {
    let mut taken = Taken::new();
    let slots = slots_in_use();
    let mut counts = [(0, 0); 2];
    for count in &mut counts {
        count.0 = taken.memory.fill(|| Dataspace::create(SMALL, Backing::Plain))?;
        taken.memory.clear();
        count.1 = taken.irqs.fill(|| env.factory().irq())?;
        taken.irqs.clear();
    }
    let [first, second] = counts;
    report("dataspaces", first.0);
    report("irqs", first.1);
    if first != second {
        return Err(format!("first {first:?}, then {second:?}"));
    }
    match slots_in_use() {
        now if now == slots => Ok(format!("{} dataspaces, {} IRQs", first.0, first.1)),
        now => Err(format!("{slots} slots in use before, {now} now")),
    }
}

/// All memory of the kernel, and all of it again.
pub fn exhaust(env: &Env) -> Result<String, String> {
    let mut taken = Taken::new();
    let (first, _) = taken.take(env)?;
    taken.give_back();
    let (second, _) = taken.take(env)?;
    taken.give_back();
    if first == second {
        Ok(format!("{first} dataspaces"))
    } else {
        Err(format!("{first} dataspaces at first, then {second}"))
    }
}

/// Ends with everything in hand.
pub fn die(env: &Env) -> Result<String, String> {
    let mut taken = Taken::new();
    taken.take(env)?;
    exit(ExitCode::SUCCESS)
}

//! More threads in this program.
//!
//! A driver server needs none: its one thread waits for clients and devices at the same time.
//! They are here for programs that must wait for two things that cannot be waited for together,
//! and for tests.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use spin::mutex::SpinMutex;

use crate::abi::cap::Sel;
use crate::abi::fpage::{Fpage, mem};
use crate::abi::timeout::Timeout;
use crate::abi::utcb::SIZE as UTCB_SIZE;
use crate::abi::{PAGE_SHIFT, PAGE_SIZE, page_up};
use crate::arch;
use crate::cap::{Cap, Factory, Held, Object, Scheduler, Semaphore, Task, Thread, initial};
use crate::ipc::{self, Yield};
use crate::mem::{Area, Backing, Dataspace, fault_handler};
use crate::{Error, Result};

/// Priority of the first thread when the loader was not told otherwise.
const DEFAULT_PRIORITY: u8 = 2;

/// What a new thread shall be like.
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    stack: usize,
    priority: u8,
}

impl Default for Builder {
    fn default() -> Self {
        Self { stack: 64 * 1024, priority: DEFAULT_PRIORITY }
    }
}

impl Builder {
    /// A stack of `bytes` bytes, rounded up to pages; 64 KiB without this.
    #[must_use]
    pub fn stack(self, bytes: usize) -> Self {
        Self { stack: bytes, ..self }
    }

    /// A priority of 1 to 255; 2 without this. The scheduler cuts what is above its limit.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// Starts a thread that runs `body`. There is an unmapped page below its stack.
    ///
    /// Dropping the handle lets the thread run on, and keeps what belongs to it for ever.
    ///
    /// # Errors
    ///
    /// [`Error::NOMEM`] when memory, quota or slots are used up, or what the kernel answers.
    pub fn spawn<T, F>(self, body: F) -> Result<JoinHandle<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let factory = Factory::at(initial().factory);
        let stack = ThreadStack::new(self.stack)?;
        let utcb = UTCBS.lock().take()?;
        let thread = factory.thread()?;
        let done = factory.semaphore()?;
        let result = Arc::new(SpinMutex::new(None));
        thread.bind(&Task::own(), utcb.0, fault_handler())?;
        Scheduler::at(initial().scheduler).run(&thread, self.priority)?;

        let place = result.clone();
        let body: Box<dyn FnOnce() + Send> = Box::new(move || *place.lock() = Some(body()));
        let argument = Box::into_raw(Box::new(Packet { body, done: done.sel() })) as usize;
        // SAFETY: the stack was just attached and is used by nobody.
        let sp = unsafe { arch::prepare_thread_stack(stack.top(), run, argument) };
        if let Err(e) = thread.set_registers(arch::thread_entry as *const () as usize, sp) {
            // SAFETY: made above from a box; the thread did not start, so nobody else takes it.
            drop(unsafe { Box::from_raw(argument as *mut Packet) });
            return Err(e);
        }
        let parts = Parts { thread, done, _stack: stack, _utcb: utcb };
        Ok(JoinHandle { parts: Some(parts), result })
    }
}

/// What a thread is started with.
struct Packet {
    body: Box<dyn FnOnce() + Send>,
    /// The semaphore of the handle, which stays for as long as the thread runs.
    done: Sel,
}

/// The first Rust function of a thread.
extern "C" fn run(argument: usize) -> ! {
    // SAFETY: `spawn` made the number from a box and gave it to this thread alone.
    let Packet { body, done } = *unsafe { Box::from_raw(argument as *mut Packet) };
    body();
    // From here on the thread can be deleted at any moment. It owns nothing and holds no lock any
    // more: the box, the closure and all that it had captured are gone.
    let _ = Semaphore::at(done).up();
    ipc::sleep_forever()
}

/// What belongs to a thread, in the order in which it goes.
#[derive(Debug)]
struct Parts {
    thread: Cap<Thread>,
    done: Cap<Semaphore>,
    _stack: ThreadStack,
    _utcb: Utcb,
}

/// A thread that was started.
#[derive(Debug)]
pub struct JoinHandle<T> {
    parts: Option<Parts>,
    result: Arc<SpinMutex<Option<T>, Yield>>,
}

impl<T> JoinHandle<T> {
    /// The thread.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] if it was joined.
    pub fn thread(&self) -> Result<&Thread> {
        self.parts.as_ref().map(|p| &*p.thread).ok_or(Error::NOENT)
    }

    /// Waits until the thread's function has returned, gives back all that belonged to the thread,
    /// and yields what the function returned.
    ///
    /// # Errors
    ///
    /// [`Error::RECV_TIMEOUT`] if that takes longer; the thread then runs on, detached.
    pub fn join(mut self, timeout: Timeout) -> Result<T> {
        self.parts.as_ref().ok_or(Error::NOENT)?.done.down(timeout)?;
        if let Some(parts) = self.parts.take() {
            Task::own().delete(parts.thread.sel())?;
        }
        self.result.lock().take().ok_or(Error::NOENT)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // A running thread needs its stack, its UTCB and its semaphore.
        core::mem::forget(self.parts.take());
    }
}

/// A stack with an unmapped page below it.
#[derive(Debug)]
struct ThreadStack {
    area: Area,
    range: Range<usize>,
    _memory: Held<Dataspace>,
}

impl ThreadStack {
    fn new(bytes: usize) -> Result<ThreadStack> {
        let size = page_up(bytes).filter(|s| *s > 0).ok_or(Error::INVAL)?;
        let area = Area::anywhere(size.checked_add(PAGE_SIZE).ok_or(Error::INVAL)?)?;
        let start = area.start() + PAGE_SIZE;
        let memory = Dataspace::create(size, Backing::Plain)?;
        area.attach(start, &memory, size)?;
        Ok(ThreadStack { area, range: start..start + size, _memory: memory.into() })
    }

    fn top(&self) -> usize {
        self.range.end
    }
}

impl Drop for ThreadStack {
    fn drop(&mut self) {
        // All that is lost when this fails is address space.
        let _ = self.area.detach(self.range.start, self.range.len());
    }
}

/// A UTCB that no thread uses; goes back to the pool when dropped.
#[derive(Debug)]
struct Utcb(usize);

impl Drop for Utcb {
    fn drop(&mut self) {
        UTCBS.lock().free.push(self.0);
    }
}

static UTCBS: SpinMutex<UtcbPool, Yield> = SpinMutex::new(UtcbPool::new());

/// UTCBs: those that the loader left, then memory that is added page by page.
struct UtcbPool {
    fresh: Option<Range<usize>>,
    free: Vec<usize>,
}

impl UtcbPool {
    const fn new() -> Self {
        Self { fresh: None, free: Vec::new() }
    }

    fn take(&mut self) -> Result<Utcb> {
        if let Some(utcb) = self.free.pop() {
            return Ok(Utcb(utcb));
        }
        let fresh = self.fresh.get_or_insert_with(|| {
            let area = initial().utcb_area;
            initial().first_free_utcb..area.start() + (1 << area.order())
        });
        if fresh.len() < UTCB_SIZE {
            *fresh = more_utcbs()?;
        }
        let utcb = fresh.start;
        fresh.start += UTCB_SIZE;
        Ok(Utcb(utcb))
    }
}

/// Adds a page of UTCBs to the task.
fn more_utcbs() -> Result<Range<usize>> {
    let area = Area::anywhere(PAGE_SIZE)?;
    let used = Task::own().add_ku_mem(Fpage::memory(area.start(), PAGE_SHIFT, mem::RW))?;
    // Kernel-user memory cannot be taken away again.
    core::mem::forget(area);
    Ok(used.start()..used.start() + (1 << used.order()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utcbs_are_given_out_up_to_the_end_and_reused() {
        let mut pool = UtcbPool { fresh: Some(0xb300_0960..0xb300_1000), free: Vec::new() };
        let first = core::mem::ManuallyDrop::new(pool.take().unwrap());
        assert_eq!(first.0, 0xb300_0960);
        assert!(pool.take().is_err(), "no room for another, and no kernel to add memory");
        pool.free.push(first.0);
        assert_eq!(core::mem::ManuallyDrop::new(pool.take().unwrap()).0, 0xb300_0960);
    }
}

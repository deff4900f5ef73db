//! The end of a program: returning from `main`, exiting, panicking.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Display;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use spin::mutex::SpinMutex;

use crate::abi::object::parent;
use crate::abi::proto;
use crate::abi::rpc::Writer;
use crate::arch::Utcb;
use crate::cap::initial;
use crate::ipc::{self, Msg, Window, Yield};

/// Exit code of a program that panicked; what Rust programs of other systems use.
const PANIC_CODE: usize = 101;

/// The number with which a program ends; 0 is success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// All went well.
    pub const SUCCESS: ExitCode = ExitCode(0);
    /// Something did not.
    pub const FAILURE: ExitCode = ExitCode(1);
}

/// What `main` may return.
pub trait Termination {
    /// Reports what there is to report and yields the exit code.
    fn report(self) -> ExitCode;
}

impl Termination for () {
    fn report(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

impl Termination for ExitCode {
    fn report(self) -> ExitCode {
        self
    }
}

impl Termination for core::convert::Infallible {
    fn report(self) -> ExitCode {
        match self {}
    }
}

impl<T: Termination, E: Display> Termination for Result<T, E> {
    fn report(self) -> ExitCode {
        match self {
            Ok(value) => value.report(),
            Err(e) => {
                log::error!("{e}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Ends the program with a code, without running any destructor: the kernel takes everything back.
pub fn exit(code: ExitCode) -> ! {
    end(code.0.into())
}

/// What is to be done at the end, each with its number.
type Actions = Vec<(u64, Box<dyn Fn() + Send + Sync>)>;

static ACTIONS: SpinMutex<Actions, Yield> = SpinMutex::new(Vec::new());
static NEXT_ACTION: AtomicU64 = AtomicU64::new(0);

/// An action that runs when the program panics or [exits](exit), see [`at_end`]. Dropping it
/// cancels the action.
#[derive(Debug)]
pub struct AtEnd(u64);

/// Runs `action` when the program panics, or exits without running destructors: for devices, which
/// would go on using memory that is somebody else's soon. Actions run once each, in no order; they
/// must neither allocate nor wait for long.
///
/// A program that the kernel or its parent ends, as after an access to nothing, runs none.
pub fn at_end(action: impl Fn() + Send + Sync + 'static) -> AtEnd {
    let number = NEXT_ACTION.fetch_add(1, Ordering::Relaxed);
    ACTIONS.lock().push((number, Box::new(action)));
    AtEnd(number)
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        ACTIONS.lock().retain(|(number, _)| *number != self.0);
    }
}

/// Runs what is to be done at the end. An action that panics is not run again.
fn run_actions() {
    // Who holds the lock could be the thread that has panicked.
    let Some(actions) = ACTIONS.try_lock().map(|mut actions| core::mem::take(&mut *actions)) else {
        return;
    };
    actions.iter().for_each(|(_, action)| action());
    // Giving the memory back is of no use any more.
    core::mem::forget(actions);
}

fn end(code: usize) -> ! {
    run_actions();
    let mut msg = Msg::new();
    let words = Writer::with_opcode(msg.words_mut(), parent::SIGNAL)
        .word(parent::SIGNAL_EXIT)
        .word(code)
        .finish();
    msg.set_len(words.unwrap_or(0));
    // No answer comes: the parent destroys the task. If there is no parent the program sleeps.
    let _ = ipc::call(initial().parent, proto::PARENT, &mut msg, Window::None);
    ipc::sleep_forever()
}

/// UTCB address of the thread that panicked first, 0 if none did.
static PANICKED: AtomicUsize = AtomicUsize::new(0);

/// The hook, a `fn(&PanicInfo)`; null if there is none.
static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets a function that is called after the message of a panic was printed and before the program
/// ends. Test programs use it to print their result line.
pub fn set_panic_hook(hook: fn(&PanicInfo<'_>)) {
    HOOK.store(hook as *mut (), Ordering::Release);
}

/// The panic handler that [`entry!`](crate::entry) installs: prints message and place, and ends
/// the program with code 101. Running out of memory comes here, too.
#[doc(hidden)]
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    let me = Utcb::current().address();
    match PANICKED.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            report(info);
            end(PANIC_CODE)
        }
        // A panic while printing one: no second attempt.
        Err(first) if first == me => end(PANIC_CODE),
        // Another thread is at it and will end the program.
        Err(_) => ipc::sleep_forever(),
    }
}

fn report(info: &PanicInfo<'_>) {
    let message = info.message();
    match info.location() {
        Some(place) => crate::println!("panicked at {place}: {message}"),
        None => crate::println!("panicked: {message}"),
    }
    let hook = HOOK.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: only `set_panic_hook` stores here, and it stores a function of this type.
        let hook = unsafe { core::mem::transmute::<*mut (), fn(&PanicInfo<'_>)>(hook) };
        hook(info);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_run_once_unless_they_are_cancelled() {
        static RUNS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
        let count = |i: usize| {
            at_end(move || {
                RUNS[i].fetch_add(1, Ordering::Relaxed);
            })
        };
        let kept = count(0);
        drop(count(1));
        run_actions();
        run_actions();
        drop(kept);
        let runs = RUNS.each_ref().map(|runs| runs.load(Ordering::Relaxed));
        assert_eq!(runs, [1, 0]);
    }

    #[test]
    fn results_become_exit_codes() {
        assert_eq!(().report(), ExitCode::SUCCESS);
        assert_eq!(Err::<(), _>("no").report(), ExitCode::FAILURE);
        assert_eq!(Ok::<_, &str>(ExitCode(42)).report(), ExitCode(42));
    }
}

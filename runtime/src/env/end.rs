//! The end of a program: returning from `main`, exiting, panicking.

use core::fmt::Display;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::ids;
use crate::abi::object::parent;
use crate::abi::proto;
use crate::abi::rpc::Writer;
use crate::arch::Utcb;
use crate::ipc::{self, Msg, Window};

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

fn end(code: usize) -> ! {
    let mut msg = Msg::new();
    let words = Writer::with_opcode(msg.words_mut(), parent::SIGNAL)
        .word(parent::SIGNAL_EXIT)
        .word(code)
        .finish();
    msg.set_len(words.unwrap_or(0));
    // No answer comes: the parent destroys the task. If there is no parent the program sleeps.
    let _ = ipc::call(ids().parent, proto::PARENT, &mut msg, Window::None);
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
    fn results_become_exit_codes() {
        assert_eq!(().report(), ExitCode::SUCCESS);
        assert_eq!(Err::<(), _>("no").report(), ExitCode::FAILURE);
        assert_eq!(Ok::<_, &str>(ExitCode(42)).report(), ExitCode(42));
    }
}

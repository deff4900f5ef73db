//! arm64: `svc #0` from EL0.
//!
//! The label travels in `x1`. Kernels before May 2024 used `x4` for it, so it is passed in both;
//! the kernel of today neither reads nor changes `x4`.

use core::arch::{asm, naked_asm};
use core::ptr::NonNull;

use super::Returned;
use crate::abi::Word;

#[inline]
pub(super) fn invoke(tag: Word, dest: Word, timeouts: Word, label: Word) -> Returned {
    let (mut tag, mut label) = (tag, label);
    // SAFETY: the kernel changes x0 and x1 and the UTCB, whose memory is only ever accessed by
    // volatile reads and writes; the missing `nomem` option makes every memory access stay on its
    // side of the call. The kernel does not touch the user's stack.
    unsafe {
        asm!(
            "svc #0",
            inout("x0") tag,
            inout("x1") label,
            in("x2") dest,
            in("x3") timeouts,
            inout("x4") label => _,
            options(nostack),
        );
    }
    Returned { tag, label }
}

#[inline]
pub(super) fn utcb() -> NonNull<Word> {
    let p: *mut Word;
    // SAFETY: reading the register has no effect; the kernel sets it when it binds the thread and
    // user code cannot write it.
    unsafe { asm!("mrs {}, tpidrro_el0", out(reg) p, options(nomem, nostack, preserves_flags)) };
    // SAFETY: a thread that executes has a UTCB, and no UTCB is at address 0.
    unsafe { NonNull::new_unchecked(p) }
}

/// Calls a clock function of the kernel info page.
///
/// # Safety
///
/// `function` must be the address of such a function: C calling convention, no arguments, a
/// 64-bit result.
pub(crate) unsafe fn call_clock(function: usize) -> u64 {
    // SAFETY: the caller vouches for the address and the signature.
    let f = unsafe { core::mem::transmute::<usize, extern "C" fn() -> u64>(function) };
    f()
}

/// `_start` of a program: leaves the stack that the loader provided for the static `$stack` of
/// `$pages` pages, and calls `$rust(initial stack pointer)`, which never returns.
#[doc(hidden)]
#[macro_export]
macro_rules! __l4re_start {
    ($stack:path, $pages:expr, $rust:path) => {
        /// Where the loader jumps to.
        ///
        /// # Safety
        ///
        /// Nobody else may call it.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text._start")]
        unsafe extern "C" fn _start() -> ! {
            ::core::arch::naked_asm!(
                "mov x0, sp",
                "adrp x1, {stack}",
                "add x1, x1, :lo12:{stack}",
                "mov x2, {pages}",
                "add x1, x1, x2, lsl #12",
                "mov sp, x1",
                // No caller: the kernel's and the debugger's backtraces stop here.
                "mov x29, xzr",
                "mov x30, xzr",
                "b {rust}",
                stack = sym $stack,
                pages = const $pages,
                rust = sym $rust,
            )
        }
    };
}

/// Where a new thread starts: takes function and argument from its stack and calls
/// `function(argument)`.
///
/// # Safety
///
/// Only for threads whose stack [`prepare_thread_stack`] set up.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn thread_entry() -> ! {
    naked_asm!("ldp x1, x0, [sp], #16", "mov x29, xzr", "mov x30, xzr", "br x1")
}

/// Puts function and argument where [`thread_entry`] finds them and returns the stack pointer to
/// start the thread with.
///
/// # Safety
///
/// `top` must be the 16-byte-aligned end of a writable stack that nothing uses yet.
pub(crate) unsafe fn prepare_thread_stack(
    top: usize,
    function: extern "C" fn(usize) -> !,
    argument: usize,
) -> usize {
    let sp = top - 16;
    // SAFETY: by contract the 16 bytes below `top` are ours and aligned.
    unsafe {
        (sp as *mut usize).write(function as usize);
        (sp as *mut usize).add(1).write(argument);
    }
    sp
}

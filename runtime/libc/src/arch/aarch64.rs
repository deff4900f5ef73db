//! AArch64: the procedure call standard AAPCS64, 2024Q3, section 10.1.5.

use core::ffi::c_void;

/// The `va_list` of AAPCS64.
#[repr(C)]
pub struct VaList {
    /// The next argument on the stack.
    stack: *mut c_void,
    /// The end of the saved general registers.
    gr_top: *mut c_void,
    /// The end of the saved vector registers.
    vr_top: *mut c_void,
    /// From `gr_top` to the next general register: negative as long as there is one.
    gr_offs: i32,
    /// From `vr_top` to the next vector register: negative as long as there is one.
    vr_offs: i32,
}

// The trampolines build it by these offsets.
const _: () = assert!(size_of::<VaList>() == 32 && core::mem::offset_of!(VaList, gr_offs) == 24);

impl VaList {
    /// The next argument of integer or pointer type, sign or zero extension undefined.
    ///
    /// # Safety
    ///
    /// There is another argument, and it is an integer or a pointer of at most 8 bytes.
    pub unsafe fn word(&mut self) -> u64 {
        // SAFETY: the caller's promise; general registers are saved in slots of 8 bytes.
        unsafe { next::<u64>(&mut self.gr_offs, self.gr_top, 8, &mut self.stack) }
    }

    /// The next argument of type `double`.
    ///
    /// # Safety
    ///
    /// There is another argument, and it is a `double`.
    pub unsafe fn double(&mut self) -> f64 {
        // SAFETY: the caller's promise; vector registers are saved in slots of 16 bytes.
        unsafe { next::<f64>(&mut self.vr_offs, self.vr_top, 16, &mut self.stack) }
    }
}

/// The next argument of one class: from its saved registers, then from the stack.
///
/// # Safety
///
/// The fields are those of a `va_list` whose next argument is a `T` of that class.
unsafe fn next<T: Copy>(offs: &mut i32, top: *mut c_void, slot: i32, stack: &mut *mut c_void) -> T {
    let from = if *offs < 0 {
        let from = top.wrapping_offset(*offs as isize);
        *offs += slot;
        from
    } else {
        let from = *stack;
        *stack = from.wrapping_add(8);
        from
    };
    // SAFETY: `from` is the place of the argument by section 10.1.5 of the standard; a register
    // slot or stack slot is at least as large and as aligned as `T`.
    unsafe { from.cast::<T>().read() }
}

/// Defines `name`, a C function with `$named` fixed arguments and `...`, that calls `$target` with
/// the fixed arguments and a pointer to the `va_list`.
///
/// The frame of 240 bytes from the bottom: frame record (16), `va_list` (32), q0–q7 (128),
/// x0–x7 (64). All eight registers are saved, which spares a case for each number of fixed
/// arguments; the offsets in the `va_list` skip those that were fixed. The vector registers are
/// missing on targets that compute without them, and so are arguments in them.
macro_rules! variadic {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),+; ...) [$named:tt] => $target:path) => {
        $(#[$meta])*
        #[unsafe(naked)]
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub unsafe extern "C" fn $name($($arg: $ty),+) -> ::core::ffi::c_int {
            #[cfg(target_feature = "neon")]
            ::core::arch::naked_asm!(
                "sub sp, sp, #240",
                "stp x29, x30, [sp]",
                "mov x29, sp",
                "stp q0, q1, [sp, #48]",
                "stp q2, q3, [sp, #80]",
                "stp q4, q5, [sp, #112]",
                "stp q6, q7, [sp, #144]",
                "stp x0, x1, [sp, #176]",
                "stp x2, x3, [sp, #192]",
                "stp x4, x5, [sp, #208]",
                "stp x6, x7, [sp, #224]",
                "add x9, sp, #240",
                "add x10, sp, #176",
                "stp x9, x9, [sp, #16]",
                "str x10, [sp, #32]",
                "mov w9, #{gr_offs}",
                "mov w10, #-128",
                "stp w9, w10, [sp, #40]",
                concat!("add x", $named, ", sp, #16"),
                "bl {target}",
                "ldp x29, x30, [sp]",
                "add sp, sp, #240",
                "ret",
                gr_offs = const ($named - 8) * 8,
                target = sym $target,
            );
            #[cfg(not(target_feature = "neon"))]
            ::core::arch::naked_asm!(
                "sub sp, sp, #112",
                "stp x29, x30, [sp]",
                "mov x29, sp",
                "stp x0, x1, [sp, #48]",
                "stp x2, x3, [sp, #64]",
                "stp x4, x5, [sp, #80]",
                "stp x6, x7, [sp, #96]",
                "add x9, sp, #112",
                "stp x9, x9, [sp, #16]",
                "str xzr, [sp, #32]",
                "mov w9, #{gr_offs}",
                "stp w9, wzr, [sp, #40]",
                concat!("add x", $named, ", sp, #16"),
                "bl {target}",
                "ldp x29, x30, [sp]",
                "add sp, sp, #112",
                "ret",
                gr_offs = const ($named - 8) * 8,
                target = sym $target,
            );
        }
    };
}
pub(crate) use variadic;

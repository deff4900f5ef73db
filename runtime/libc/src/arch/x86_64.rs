//! x86-64: the System V ABI, AMD64 supplement 1.0, section 3.5.7.

use core::ffi::c_void;

/// One element of the `va_list` of the System V ABI.
#[repr(C)]
pub struct VaList {
    /// From `reg_save_area` to the next general register; 48 when there is none left.
    gp_offset: u32,
    /// From `reg_save_area` to the next vector register; 176 when there is none left.
    fp_offset: u32,
    /// The next argument on the stack.
    overflow_arg_area: *mut c_void,
    /// The saved registers: six general ones of 8 bytes, eight vector ones of 16.
    reg_save_area: *mut c_void,
}

/// End of the general registers in the save area.
const GP_END: u32 = 6 * 8;
/// End of the vector registers in the save area.
const FP_END: u32 = GP_END + 8 * 16;

// The trampolines build it by these offsets.
const _: () =
    assert!(size_of::<VaList>() == 24 && core::mem::offset_of!(VaList, reg_save_area) == 16);

impl VaList {
    /// The next argument of integer or pointer type, sign or zero extension undefined.
    ///
    /// # Safety
    ///
    /// There is another argument, and it is an integer or a pointer of at most 8 bytes.
    pub unsafe fn word(&mut self) -> u64 {
        let from = if self.gp_offset < GP_END {
            let from = self.reg_save_area.wrapping_add(self.gp_offset as usize);
            self.gp_offset += 8;
            from
        } else {
            self.overflow()
        };
        // SAFETY: by section 3.5.7 the argument is there, in a slot of 8 aligned bytes.
        unsafe { from.cast::<u64>().read() }
    }

    /// The next argument of type `double`.
    ///
    /// # Safety
    ///
    /// There is another argument, and it is a `double`.
    pub unsafe fn double(&mut self) -> f64 {
        let from = if self.fp_offset < FP_END {
            let from = self.reg_save_area.wrapping_add(self.fp_offset as usize);
            self.fp_offset += 16;
            from
        } else {
            self.overflow()
        };
        // SAFETY: by section 3.5.7 the argument is there, in a slot of 8 aligned bytes.
        unsafe { from.cast::<f64>().read() }
    }

    /// The place of the next argument on the stack.
    fn overflow(&mut self) -> *mut c_void {
        let from = self.overflow_arg_area;
        self.overflow_arg_area = from.wrapping_add(8);
        from
    }
}

/// Defines `name`, a C function with `$named` fixed arguments and `...`, that calls `$target` with
/// the fixed arguments and a pointer to the `va_list`.
///
/// The frame of 216 bytes from the bottom: general registers (48), vector registers (128),
/// `va_list` (24), padding (16) that aligns the stack for the call. `al` is an upper bound of the
/// vector registers in use; with 0 they are not touched.
macro_rules! variadic {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident: $ty:ty),+; ...) [$named:tt] => $target:path) => {
        $(#[$meta])*
        #[unsafe(naked)]
        #[cfg_attr(target_os = "none", unsafe(no_mangle))]
        pub unsafe extern "C" fn $name($($arg: $ty),+) -> ::core::ffi::c_int {
            ::core::arch::naked_asm!(
                "sub rsp, 216",
                "mov [rsp], rdi",
                "mov [rsp + 8], rsi",
                "mov [rsp + 16], rdx",
                "mov [rsp + 24], rcx",
                "mov [rsp + 32], r8",
                "mov [rsp + 40], r9",
                "test al, al",
                "je 2f",
                "movaps [rsp + 48], xmm0",
                "movaps [rsp + 64], xmm1",
                "movaps [rsp + 80], xmm2",
                "movaps [rsp + 96], xmm3",
                "movaps [rsp + 112], xmm4",
                "movaps [rsp + 128], xmm5",
                "movaps [rsp + 144], xmm6",
                "movaps [rsp + 160], xmm7",
                "2:",
                "mov dword ptr [rsp + 176], {gp_offset}",
                "mov dword ptr [rsp + 180], 48",
                "lea rax, [rsp + 224]",
                "mov [rsp + 184], rax",
                "mov [rsp + 192], rsp",
                concat!("lea ", $crate::arch::register!($named), ", [rsp + 176]"),
                "call {target}",
                "add rsp, 216",
                "ret",
                gp_offset = const $named * 8,
                target = sym $target,
            );
        }
    };
}
pub(crate) use variadic;

/// The register of the argument with this number, counted from 0.
macro_rules! register {
    (1) => {
        "rsi"
    };
    (2) => {
        "rdx"
    };
    (3) => {
        "rcx"
    };
}
pub(crate) use register;

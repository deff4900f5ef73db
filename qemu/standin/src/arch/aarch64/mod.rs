//! arm64: what only assembly can do, and page tables.

pub mod kernel_map;
pub mod paging;

use core::arch::{asm, global_asm};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use standin::boot::ClockCode;
use standin::thread::Frame;

global_asm!(include_str!("boot.S"));
global_asm!(include_str!("user.S"));

/// Where physical memory is visible.
const OFFSET: usize = 0xffff_ff80_0000_0000;

/// Interrupt of the virtual timer.
pub const TIMER_IRQ: u32 = 27;

/// Why user mode was left.
pub enum TrapKind {
    /// System call, fault or another exception of the program.
    Synchronous {
        /// Syndrome.
        esr: usize,
        /// Fault address.
        far: usize,
    },
    /// An interrupt is pending.
    Interrupt,
    /// SError, or AArch32 state.
    Other,
}

unsafe extern "C" {
    static _image_start: u8;
    static _text_end: u8;
    static _rodata_end: u8;
    static _image_end: u8;
    static boot_stack_guard: u8;
    static empty_table: u8;
    static kip_syscall: [u8; 8];
    static kip_clock: [u8; 32];
    fn run_user(frame: *mut Frame) -> usize;
    fn use_kernel_table(table: usize);
}

/// Where a physical address is visible. Everything below 512 GiB is.
pub fn phys_to_virt(pa: usize) -> NonNull<u8> {
    // The sum is in the upper half, so never zero.
    NonNull::new((pa | OFFSET) as *mut u8).unwrap_or(NonNull::dangling())
}

/// The reverse, for memory of the kernel.
pub fn virt_to_phys(va: usize) -> usize {
    va & !OFFSET
}

/// Physical addresses of the kernel's image, in ascending order; all but the end of a page are
/// page boundaries.
pub struct ImageLayout {
    /// First byte; code.
    pub start: usize,
    /// End of the code; constants follow.
    pub text_end: usize,
    /// End of the constants; data follows.
    pub rodata_end: usize,
    /// The page below the stack.
    pub guard: usize,
    /// End of the data.
    pub end: usize,
}

/// Where the kernel's image is.
pub fn image() -> ImageLayout {
    ImageLayout {
        start: virt_to_phys(&raw const _image_start as usize),
        text_end: virt_to_phys(&raw const _text_end as usize),
        rodata_end: virt_to_phys(&raw const _rodata_end as usize),
        guard: virt_to_phys(&raw const boot_stack_guard as usize),
        end: virt_to_phys(&raw const _image_end as usize),
    }
}

/// Replaces the page table of the kernel's half.
///
/// # Safety
///
/// There must be a table at this physical address, for a 39-bit half, that stays. What the kernel
/// uses has to be mapped in it as it was before.
pub unsafe fn replace_kernel_table(table: usize) {
    // SAFETY: the assembly changes nothing but the table; the caller vouches for that. The lower
    // half still is the boot code's, in which the image is visible at its physical address.
    unsafe { use_kernel_table(table) }
}

/// Whether the kernel may write at an address of its half.
pub fn is_writable(va: usize) -> bool {
    let result: usize;
    // SAFETY: asks the translation and changes nothing else than the register for its answer.
    unsafe {
        asm!("at s1e1w, {}", "isb", "mrs {}, par_el1", in(reg) va, out(reg) result,
            options(nostack));
    }
    result & 1 == 0
}

/// Physical address of the table of an address space that holds nothing.
pub fn empty_space() -> usize {
    virt_to_phys(&raw const empty_table as usize)
}

/// Machine code for the kernel info page.
pub fn kip_code() -> ClockCode<'static> {
    // SAFETY: both are constant code of the lengths declared, defined in user.S.
    unsafe { ClockCode { syscall: &kip_syscall, clock: &kip_clock } }
}

/// Lets a thread run in user mode until something happens.
pub fn run(frame: NonNull<Frame>) -> TrapKind {
    // SAFETY: the frame is valid and nobody else uses it: it is borrowed from the kernel's state
    // by the caller. The assembly reads and writes only it and the stack.
    let kind = unsafe { run_user(frame.as_ptr()) };
    match kind {
        0 => {
            let (esr, far): (usize, usize);
            // SAFETY: reads two registers without side effect.
            unsafe {
                asm!("mrs {}, esr_el1", "mrs {}, far_el1", out(reg) esr, out(reg) far,
                    options(nomem, nostack));
            }
            TrapKind::Synchronous { esr, far }
        }
        1 => TrapKind::Interrupt,
        _ => TrapKind::Other,
    }
}

/// Frequency of the system counter in Hz.
pub fn counter_frequency() -> u64 {
    let f: u64;
    // SAFETY: reads a register without side effect.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) f, options(nomem, nostack)) };
    f
}

/// The system counter.
pub fn counter() -> u64 {
    let c: u64;
    // SAFETY: reads a register without side effect.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) c, options(nomem, nostack)) };
    c
}

/// Frequency of the counter in Hz, see [`set_timer`].
static FREQUENCY: AtomicUsize = AtomicUsize::new(0);

/// Switches on what user mode needs: its half of the address space, and the counter.
pub fn init(frequency: u64) {
    FREQUENCY.store(frequency as usize, Ordering::Relaxed);
    // SAFETY: the lower half holds nothing that the kernel uses: code, data and devices are
    // reached through the upper one. 48 bits (T0SZ 16) is what the page tables of programs have.
    // CNTKCTL lets EL0 read the virtual counter.
    unsafe {
        asm!(
            "msr ttbr0_el1, {empty}",
            "mrs {t}, tcr_el1",
            "bfi {t}, {sixteen}, #0, #6",
            "msr tcr_el1, {t}",
            "msr cntkctl_el1, {two}",
            "isb",
            "tlbi vmalle1",
            "dsb nsh",
            "isb",
            empty = in(reg) empty_space(),
            t = out(reg) _,
            sixteen = in(reg) 16_usize,
            two = in(reg) 2_usize,
            options(nostack)
        );
    }
}

/// Asks for a timer interrupt at a time in microseconds, or for none.
pub fn set_timer(when: Option<u64>) {
    let frequency = FREQUENCY.load(Ordering::Relaxed) as u128;
    let control = u64::from(when.is_some());
    let ticks = (u128::from(when.unwrap_or(0)) * frequency).div_ceil(1_000_000);
    let compare = u64::try_from(ticks).unwrap_or(u64::MAX);
    // SAFETY: programs the virtual timer, which only the kernel uses.
    unsafe {
        asm!("msr cntv_cval_el0, {}", "msr cntv_ctl_el0, {}", "isb",
            in(reg) compare, in(reg) control, options(nomem, nostack));
    }
}

/// Sleeps until an interrupt is pending. Interrupts stay masked in the kernel.
pub fn wait_for_interrupt() {
    // SAFETY: has no effect but time passing.
    unsafe { asm!("dsb sy", "wfi", options(nomem, nostack)) }
}

/// Whether QEMU started us at EL2: then there is an EL2 behind us.
pub fn started_at_el2() -> bool {
    STARTED_AT_EL2.load(Ordering::Relaxed) == 2
}

#[unsafe(no_mangle)]
static STARTED_AT_EL2: AtomicUsize = AtomicUsize::new(0);

//! The board: QEMU's `virt`, one CPU.

mod devices;
mod gic;
mod machine;
mod tree;

use alloc::boxed::Box;
use alloc::format;
use core::alloc::Layout;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::ptr::NonNull;

use buddy_system_allocator::LockedHeap;
use l4re_standin_bootinfo::Boot;
use smccc::{Hvc, Smc, psci};
use standin::boot::build_kip;
use standin::kernel::Kernel;
use standin::mem::{PAGE, PhysMem};
use standin::vbus::hardware::Hardware;
use standin::vbus::pci;

use crate::arch::{self, TrapKind, kernel_map, phys_to_virt};
use devices::Console;
use machine::Virt;

/// Devices of `virt` are below RAM, but for PCI's configuration space.
const DEVICES: (usize, usize) = (0, 1 << 30);
/// Size of the configuration space of 256 buses.
const ECAM_SIZE: usize = 256 << 20;
/// Bytes behind the image that the kernel's own heap gets: objects and page tables.
const HEAP: usize = 32 << 20;

#[global_allocator]
static ALLOCATOR: LockedHeap<33> = LockedHeap::empty();

/// Whether the heap has a free block of so many bytes.
fn has_block(bytes: usize) -> bool {
    let Ok(layout) = Layout::from_size_align(bytes, 1) else { return false };
    let mut heap = ALLOCATOR.lock();
    let block = heap.alloc(layout);
    // SAFETY: it was allocated with this layout just now, and nobody knows of it.
    block.map(|b| unsafe { heap.dealloc(b, layout) }).is_ok()
}

/// Called by the boot code with the physical address of the device tree, in the upper half, on
/// the boot stack.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(device_tree: usize) -> ! {
    match boot(device_tree) {
        Ok(kernel) => run(kernel),
        Err(why) => {
            let _ = writeln!(Console, "standin: {why}");
            power_off()
        }
    }
}

fn boot(device_tree: usize) -> Result<Kernel, alloc::string::String> {
    let image = arch::image();
    let heap_end = image.end + HEAP;
    // SAFETY: the memory behind the image is RAM that nobody uses: QEMU loads the initial RAM
    // disk and the device tree at 128 MiB or more, and `usable` leaves the heap out.
    unsafe { ALLOCATOR.lock().init(phys_to_virt(image.end).as_ptr() as usize, HEAP) };
    // SAFETY: QEMU passes a device tree in the boot protocol of Linux; it is never written.
    let tree = unsafe { tree::Tree::read(device_tree)? };
    let mut devices = alloc::vec![DEVICES];
    devices.extend(tree.ecam.map(|at| (at, at + ECAM_SIZE)));
    kernel_map::protect(tree.ram, &devices)?;
    let archive = tree.archive().ok_or("no boot archive: give one to QEMU with -initrd")?;
    let boot = Boot::decode(archive).map_err(|e| format!("{e}"))?;

    let ram = tree.ram;
    // SAFETY: all RAM is mapped at the kernel's offset. Only what nothing else uses is handed out.
    let mut mem = unsafe { PhysMem::new(phys_to_virt(ram.0), ram.0, ram.1 - ram.0) };
    let taken = [(image.start, heap_end), tree.archive_range, tree.range];
    for (from, to) in gaps(ram, taken) {
        mem.add(from, to);
    }

    let frequency = arch::counter_frequency();
    let mut machine = Virt::new(&tree, frequency)?;
    let hardware = Hardware { mmio: machine.mmio_slots(&tree), pci: pci::scan(&mut machine) };
    let mut kernel = Kernel::new(Box::new(machine), mem, hardware);
    kernel.kip = kernel.mem.alloc(1, 1).ok_or("no memory")?;
    kernel.mem.write(kernel.kip, &build_kip(frequency, ram, arch::kip_code()));
    let (version, slots, functions) =
        (tree.gic_version, kernel.hardware.mmio.len(), kernel.hardware.pci.len());
    kernel.say(&format!(
        "test kernel, {} MiB, GICv{version}, {slots} virtio-mmio slots, {functions} PCI functions",
        (ram.1 - ram.0) >> 20,
    ));
    kernel.prepare(&boot)?;
    Ok(kernel)
}

/// What is left of `whole` between ranges.
fn gaps(whole: (usize, usize), mut taken: [(usize, usize); 3]) -> [(usize, usize); 4] {
    taken.sort_unstable();
    let mut out = [(0, 0); 4];
    let mut at = whole.0;
    for (slot, (from, to)) in out.iter_mut().zip(taken) {
        *slot = (at, from.max(at));
        at = at.max(to.next_multiple_of(PAGE));
    }
    out[3] = (at, whole.1);
    out
}

/// The life of the kernel: choose a thread, let it run, see why it came back.
fn run(mut k: Kernel) -> ! {
    while !k.is_over() {
        k.tick();
        let Some(id) = k.pick() else {
            idle(&mut k);
            continue;
        };
        if k.objects.thread(id).is_some_and(|t| t.loader) {
            k.run_loader();
            continue;
        }
        run_thread(&mut k, id);
    }
    let ms = k.machine.now() / 1000;
    k.say(&format!("all done after {ms} ms, switching off"));
    power_off()
}

fn run_thread(k: &mut Kernel, id: standin::object::ObjId) {
    let task = k.objects.thread(id).and_then(|t| t.task);
    let Some(task) = task.and_then(|t| k.objects.task(t)) else {
        k.destroy(id);
        return;
    };
    task.space.activate();
    arch::set_timer(k.next_event());
    let before = k.machine.now();
    let Some(t) = k.objects.thread_mut(id) else { return };
    let kind = arch::run(NonNull::from(&mut t.frame));
    t.consumed += k.machine.now().saturating_sub(before);
    match kind {
        TrapKind::Synchronous { esr, far } => k.exception(id, esr, far),
        TrapKind::Interrupt => interrupts(k),
        TrapKind::Other => {
            k.say("asynchronous error");
            k.exception(id, 0, 0);
        }
    }
}

fn idle(k: &mut Kernel) {
    arch::set_timer(k.next_event());
    arch::wait_for_interrupt();
    interrupts(k);
}

fn interrupts(k: &mut Kernel) {
    while let Some(pin) = gic::acknowledge() {
        // What stays asserted must be silenced before the end of interrupt.
        match pin {
            arch::TIMER_IRQ => arch::set_timer(None),
            _ => k.hardware_interrupt(pin),
        }
        gic::end(pin);
    }
}

/// Switches the machine off.
fn power_off() -> ! {
    // QEMU offers PSCI by HVC to a kernel that starts at EL1, by SMC to one that starts at EL2;
    // the other one is an undefined instruction, so it depends on where we came from.
    let _ =
        if arch::started_at_el2() { psci::system_off::<Smc>() } else { psci::system_off::<Hvc>() };
    loop {
        arch::wait_for_interrupt();
    }
}

/// An exception in the kernel itself.
#[unsafe(no_mangle)]
extern "C" fn kernel_fault(esr: usize, elr: usize, far: usize) -> ! {
    let _ = writeln!(
        Console,
        "standin: exception in the kernel: esr {esr:#x}, pc {elr:#x}, address {far:#x}"
    );
    power_off()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "standin: {info}");
    power_off()
}

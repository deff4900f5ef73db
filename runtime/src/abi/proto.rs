//! Protocol numbers: the label of a request.

/// Nothing in particular; L4virtio, vbus, platform control.
pub const NONE: isize = 0;
/// IRQs and ICUs.
pub const IRQ: isize = -1;
/// Page faults, sent by the kernel.
pub const PAGE_FAULT: isize = -2;
/// Exceptions, sent by the kernel.
pub const EXCEPTION: isize = -5;
/// Physical memory.
pub const SIGMA0: isize = -6;
/// Thread groups.
pub const THREAD_GROUP: isize = -9;
/// Operations that every kernel object has, and binding a thread to a gate or an IRQ.
pub const KOBJECT: isize = -10;
/// Tasks.
pub const TASK: isize = -11;
/// Threads.
pub const THREAD: isize = -12;
/// Logs and consoles.
pub const LOG: isize = -13;
/// Schedulers.
pub const SCHEDULER: isize = -14;
/// Factories.
pub const FACTORY: isize = -15;
/// Virtual machines.
pub const VM: isize = -16;
/// The kernel's DMA spaces.
pub const KERNEL_DMA_SPACE: isize = -17;
/// IRQ objects as senders.
pub const IRQ_SENDER: isize = -18;
/// Semaphores.
pub const SEMAPHORE: isize = -20;
/// Questions about the interfaces of an object.
pub const META: isize = -21;
/// IOMMUs.
pub const IOMMU: isize = -22;
/// The kernel debugger.
pub const DEBUGGER: isize = -23;
/// Secure monitor calls.
pub const SMCCC: isize = -24;
/// vCPU contexts.
pub const VCPU_CONTEXT: isize = -25;

/// Dataspaces.
pub const DATASPACE: isize = 0x4000;
/// Name spaces.
pub const NAMESPACE: isize = 0x4001;
/// The parent of a program.
pub const PARENT: isize = 0x4002;
/// Frame buffers.
pub const GOOS: isize = 0x4003;
/// Region mappers.
pub const RM: isize = 0x4005;
/// Events.
pub const EVENT: isize = 0x4006;
/// Inhibitors (suspend).
pub const INHIBITOR: isize = 0x4007;
/// DMA spaces of the memory allocator.
pub const DMA_SPACE: isize = 0x4008;
/// MMIO spaces.
pub const MMIO_SPACE: isize = 0x4009;
/// The in-task loader's thread service.
pub const ITAS: isize = 0x400a;
/// The memory allocator's statistics.
pub const MEM_ALLOC: isize = 0x400b;

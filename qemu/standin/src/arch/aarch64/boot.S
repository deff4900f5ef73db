// First instructions: an arm64 Linux image header, the way down from EL2, the memory map, and the
// jump into the upper half.

.equ OFFSET, 0xffffff8000000000

.section .text.head, "ax"
.global _head
_head:
    b       start
    .word   0
    .quad   0x200000                    // where to load, from the start of RAM
    .quad   _image_size
    .quad   0xa                         // little endian, 4 KiB pages, any 2 MiB boundary
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .word   0

start:
    mov     x19, x0                     // device tree
    msr     daifset, #0xf
    mrs     x0, CurrentEL
    lsr     x20, x0, #2                 // where we started
    cmp     x0, #(2 << 2)
    b.ne    at_el1

    mov     x0, #(1 << 31)              // EL1 is AArch64, nothing is trapped
    msr     hcr_el2, x0
    mov     x0, #0x33ff
    msr     cptr_el2, x0
    msr     hstr_el2, xzr
    mrs     x0, cnthctl_el2
    orr     x0, x0, #3                  // EL1 may use the physical counter and timer
    msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    mrs     x0, id_aa64pfr0_el1         // GICv3: let EL1 use its system registers
    ubfx    x0, x0, #24, #4
    cbz     x0, 1f
    mrs     x0, S3_4_C12_C9_5           // ICC_SRE_EL2
    mov     x1, #9                      // system registers, also for EL1
    orr     x0, x0, x1
    msr     S3_4_C12_C9_5, x0
    isb
    msr     S3_4_C12_C11_0, xzr         // ICH_HCR_EL2
1:  ldr     x0, =0x30d00800             // SCTLR_EL1: reserved bits only
    msr     sctlr_el1, x0
    mov     x0, #0x3c5                  // EL1h, all interrupts masked
    msr     spsr_el2, x0
    adr     x0, at_el1
    msr     elr_el2, x0
    eret

at_el1:
    // One table serves both halves until the kernel has made a better one: entry i maps gigabyte
    // i. RAM is in 1..=255, devices elsewhere (the configuration space of PCI is in 256).
    adrp    x0, boot_table
    mov     x1, #0
    ldr     x2, =0x0060000000000401     // device, execute never, accessed, block
    ldr     x3, =0x0040000000000705     // memory: inner shareable, cached, user execute never
2:  sub     x5, x1, #1
    cmp     x5, #255
    csel    x4, x3, x2, lo
    orr     x4, x4, x1, lsl #30
    str     x4, [x0, x1, lsl #3]
    add     x1, x1, #1
    cmp     x1, #512
    b.ne    2b

    msr     ttbr0_el1, x0
    msr     ttbr1_el1, x0
    ldr     x1, =0x44ff04               // memory types: 0 device, 1 cached, 2 uncached memory
    msr     mair_el1, x1
    ldr     x1, =0x1b5193519            // 39-bit halves, 4 KiB pages, cached walks, 36-bit output
    mrs     x2, id_aa64mmfr0_el1
    and     x2, x2, #0xf                // as many physical address bits as there are, up to 48
    mov     x3, #5
    cmp     x2, x3
    csel    x2, x2, x3, lo
    bfi     x1, x2, #32, #3
    msr     tcr_el1, x1
    mov     x1, #(3 << 20)              // floating point for everybody
    msr     cpacr_el1, x1
    tlbi    vmalle1
    ic      iallu
    dsb     sy
    isb
    mrs     x1, sctlr_el1
    ldr     x2, =0x1005                 // MMU, data and instruction cache
    orr     x1, x1, x2
    bic     x1, x1, #2                  // unaligned access is fine
    msr     sctlr_el1, x1
    isb
    ldr     x1, =upper_half
    br      x1

upper_half:
    ldr     x0, =boot_stack_top
    mov     sp, x0
    ldr     x0, =vectors
    msr     vbar_el1, x0
    ldr     x0, =_bss_start
    ldr     x1, =_bss_end
3:  cmp     x0, x1
    b.hs    4f
    stp     xzr, xzr, [x0], #16
    b       3b
4:  ldr     x0, =STARTED_AT_EL2
    str     x20, [x0]
    mov     x0, x19
    bl      kernel_main
    b       .

// Makes the table at physical address x0 that of the upper half. Blocks of the boot table are split
// in it, so walks stop and the TLB is emptied in between; the code runs in the lower half meanwhile.
.global use_kernel_table
use_kernel_table:
    adr     x1, 5f
    and     x1, x1, #0x7fffffffff
    br      x1
5:  mrs     x1, tcr_el1
    orr     x2, x1, #(1 << 23)          // no walks in the upper half
    msr     tcr_el1, x2
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     ttbr1_el1, x0
    msr     tcr_el1, x1
    isb
    ret                                 // to the upper half

.section .data.boot, "aw"
.balign 4096
boot_table:
    .fill   512, 8, 0

.section .bss.stack, "aw", %nobits
.balign 4096
.global boot_stack_guard
boot_stack_guard:                       // not mapped later
    .skip   4096
    .skip   131072
.global boot_stack_top
boot_stack_top:

// What user mode has while no program runs: nothing.
.section .bss.empty, "aw", %nobits
.balign 4096
.global empty_table
empty_table:
    .skip   4096

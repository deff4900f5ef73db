// Into user mode and back: the kernel calls run_user(frame) and gets the kind of trap that ended
// the stay. Offsets are those of `Frame`.

.equ SP_EL0_,   248
.equ PC_,       256
.equ PSTATE_,   264
.equ TPIDR_,    272
.equ TPIDRRO_,  280
.equ FPCR_,     288
.equ FPSR_,     296
.equ Q_,        304

.section .text, "ax"
.global run_user
run_user:
    stp     x29, x30, [sp, #-176]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    str     x0, [sp, #160]              // where the vectors find the frame

    ldp     x1, x2, [x0, #SP_EL0_]
    msr     sp_el0, x1
    msr     elr_el1, x2
    ldp     x1, x2, [x0, #PSTATE_]
    msr     spsr_el1, x1
    msr     tpidr_el0, x2
    ldp     x1, x2, [x0, #TPIDRRO_]
    msr     tpidrro_el0, x1
    msr     fpcr, x2
    ldr     x1, [x0, #FPSR_]
    msr     fpsr, x1
    add     x1, x0, #Q_
    ldp     q0, q1, [x1]
    ldp     q2, q3, [x1, #32]
    ldp     q4, q5, [x1, #64]
    ldp     q6, q7, [x1, #96]
    ldp     q8, q9, [x1, #128]
    ldp     q10, q11, [x1, #160]
    ldp     q12, q13, [x1, #192]
    ldp     q14, q15, [x1, #224]
    ldp     q16, q17, [x1, #256]
    ldp     q18, q19, [x1, #288]
    ldp     q20, q21, [x1, #320]
    ldp     q22, q23, [x1, #352]
    ldp     q24, q25, [x1, #384]
    ldp     q26, q27, [x1, #416]
    ldp     q28, q29, [x1, #448]
    ldp     q30, q31, [x1, #480]
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret

trap:                                   // x1 = kind, the user's x0 and x1 on the stack
    ldr     x0, [sp, #(16 + 160)]
    stp     x2, x3, [x0, #16]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    mrs     x2, sp_el0
    mrs     x3, elr_el1
    stp     x2, x3, [x0, #SP_EL0_]
    mrs     x2, spsr_el1
    mrs     x3, tpidr_el0
    stp     x2, x3, [x0, #PSTATE_]
    mrs     x2, fpcr
    mrs     x3, fpsr
    stp     x2, x3, [x0, #FPCR_]
    add     x2, x0, #Q_
    stp     q0, q1, [x2]
    stp     q2, q3, [x2, #32]
    stp     q4, q5, [x2, #64]
    stp     q6, q7, [x2, #96]
    stp     q8, q9, [x2, #128]
    stp     q10, q11, [x2, #160]
    stp     q12, q13, [x2, #192]
    stp     q14, q15, [x2, #224]
    stp     q16, q17, [x2, #256]
    stp     q18, q19, [x2, #288]
    stp     q20, q21, [x2, #320]
    stp     q22, q23, [x2, #352]
    stp     q24, q25, [x2, #384]
    stp     q26, q27, [x2, #416]
    stp     q28, q29, [x2, #448]
    stp     q30, q31, [x2, #480]
    mov     x0, x1
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    ldp     x29, x30, [sp], #176
    ret

.macro from_kernel
    .balign 128
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    ldr     x3, =boot_stack_top         // the stack may be what is wrong, and nobody returns
    mov     sp, x3
    b       kernel_fault
.endm

.macro from_user kind
    .balign 128
    stp     x0, x1, [sp, #-16]!
    mov     x1, #\kind
    b       trap
.endm

.balign 2048
.global vectors
vectors:
    from_kernel
    from_kernel
    from_kernel
    from_kernel
    from_kernel
    from_kernel
    from_kernel
    from_kernel
    from_user 0                         // synchronous
    from_user 1                         // IRQ
    from_user 1                         // FIQ
    from_user 2                         // SError
    from_user 3                         // AArch32
    from_user 3
    from_user 3
    from_user 3

// The code that the kernel info page holds at 0x800, 0x900 and 0x980: position independent, with
// the scaler and the shift 0x70 bytes behind the start of each clock function.
.section .rodata, "a"
.balign 16
.global kip_syscall, kip_clock
kip_syscall:
    svc     #0
    ret
kip_clock:
    mrs     x1, cntvct_el0
    adr     x2, kip_clock + 0x70
    ldp     x2, x3, [x2]
    mul     x4, x1, x2
    umulh   x5, x1, x2
    extr    x0, x5, x4, #32
    lsl     x0, x0, x3
    ret

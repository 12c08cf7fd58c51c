/* Opcode rows that the other programs and the differential tests do not reach: segment registers on the stack, far
 * pointers in memory, descriptor-table stores, MSR-like registers.  What must work is checked; what a model may lack
 * (#UD) or the state may refuse (#GP) goes on behind the instruction. */
#include "guest.inc"
.set IDT, 0x20000
    START16
    PROT_MODE
    /* ---- 32-bit ---- */
    pushl %es
    pushl %cs
    popl %eax
    cmpw $0x08, %ax
    CHECK 1, e
    popl %eax
    cmpw $0x10, %ax
    CHECK 2, e
    pushl %ss
    popl %ss
    pushl %ds
    popl %ds
    pushl %fs
    popl %fs
    pushl %gs
    popl %gs
    les ptr, %eax
    cmpl $0x12345678, %eax
    CHECK 3, e
    lds ptr, %eax
    lfs ptr, %ebx
    lgs ptr, %ecx
    cmpl %ebx, %ecx
    CHECK 4, e
    movl %esp, ptr_ss
    lss ptr_ss, %esp
    pushl $7
    pushl $8
    call with_args                      /* ret imm16 */
    cmpl %esp, ptr_ss
    CHECK 5, e
    lcall *far_call
    cmpl $77, %eax
    CHECK 6, e
    ljmp *far_jmp
far_jmp_here:
    LONG_MODE
    /* ---- 64-bit ---- */
    movl $IDT, %edi
    leaq stub_code(%rip), %rax
    leaq stub_nocode(%rip), %rbx
    xorl %ecx, %ecx
1:  movq %rbx, %rdx
    cmpl $13, %ecx
    cmoveq %rax, %rdx
    movw %dx, (%rdi)
    movw $0x18, 2(%rdi)
    movw $0x8e00, 4(%rdi)
    shrq $16, %rdx
    movw %dx, 6(%rdi)
    movq $0, 8(%rdi)
    addq $16, %rdi
    incl %ecx
    cmpl $32, %ecx
    jb 1b
    lidt idt_ptr(%rip)
.macro TRY insn:vararg
    leaq 8f(%rip), %r15
    \insn
8:
.endm
    sidt 0x21000
    movq 0x21002, %rax
    cmpq $IDT, %rax
    CHECK 10, e
    sgdt 0x21010
    leaq gdt(%rip), %rax
    cmpq 0x21012, %rax
    CHECK 11, e
    sldt %eax
    testl %eax, %eax
    CHECK 12, z
    smsw %ax
    movw %ax, %bx
    lmsw %ax
    smsw %ax
    cmpw %ax, %bx
    CHECK 13, e
    pushq %fs
    popq %fs
    pushq %gs
    popq %gs
    movq %cr4, %rax
    orl $0x50000, %eax                  /* FSGSBASE, OSXSAVE */
    TRY movq %rax, %cr4
    movq $0x123456789a, %rax
    TRY wrfsbase %rax
    TRY rdfsbase %rbx
    cmpq %rax, %rbx
    CHECK 14, e
    TRY wrgsbase %rax
    TRY rdgsbase %rbx
    cmpq %rax, %rbx
    CHECK 15, e
    xorl %ecx, %ecx
    TRY xgetbv
    TRY xsetbv
    TRY rdtscp
    TRY rdpid %rax
    TRY rdrand %rax
    TRY rdseed %rax
    xorl %ecx, %ecx
    TRY rdpmc
    leaq 0x21000, %rax
    TRY monitor
    TRY mwait
    xorl %eax, %eax
    xorl %edx, %edx
    TRY xsaves 0x22000
    TRY xrstors 0x22000
    movl $7, %eax
    xorl %edx, %edx
    xorl %ecx, %ecx
    TRY xsetbv
    TRY vstmxcsr 0x21020
    TRY vldmxcsr 0x21020
    /* with SYSENTER_CS 0: #GP */
    movl $0x174, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    TRY wrmsr
    TRY sysexitl
    PASS

    .code32
with_args:
    ret $8
far_target:
    movl $77, %eax
    lret
    .balign 4
ptr:      .long 0x12345678
          .word 0x10
ptr_ss:   .long 0
          .word 0x10
far_call: .long far_target
          .word 0x08
far_jmp:  .long far_jmp_here
          .word 0x08
    .code64
stub_code:
    addq $8, %rsp
stub_nocode:
    movq %r15, (%rsp)
    iretq
    .balign 8
idt_ptr:  .word 32*16-1
          .quad IDT
    GDT

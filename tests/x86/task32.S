/* Task switches (JMP, CALL, IRET, task gate with and without error code, 16-bit
 * TSS), virtual-8086 mode, single-step and breakpoints. */
#include "guest.inc"
.set IDT, 0x20000
.set TSS_A, 0x21000
.set TSS_B, 0x22000
.set TSS_C, 0x23000                     /* 16-bit */
.set TSS_D, 0x24000                     /* handler of #GP by task gate */
    START16
    PROT_MODE
    call build_idt
    lidt idt_ptr
    lgdt gdt2_ptr
    movl $TSS_A, %edi
    movl $0x4000/4, %ecx
    xorl %eax, %eax
    rep stosl
    movl $0x90000, TSS_A + 4
    movl $0x10, TSS_A + 8
    movw $0x88, TSS_A + 0x66            /* I/O map behind 32 bytes of redirection map */
    movl $TSS_A + 0x88, %edi
    movl $0x84/4, %ecx
    rep stosl
    movb $0xff, TSS_A + 0x108
    movw $0x48, %ax
    ltr %ax
.macro EQ n a b
    cmpl \b, \a
    CHECK \n, e
.endm
.macro TSS32 at eip esp
    movl $\eip, \at + 0x20
    movl $0x2, \at + 0x24
    movl $\esp, \at + 0x38
    movl $0x10, \at + 0x48
    movl $0x08, \at + 0x4c
    movl $0x10, \at + 0x50
    movl $0x10, \at + 0x54
.endm
    /* ---- JMP there and back ---- */
    TSS32 TSS_B, task_b, 0x60000
    movl $0xbbbb, TSS_B + 0x34          /* EBX */
    movl $0xaaaa, %ebx
    stc
    ljmp $0x50, $0
    CHECK 1, c                          /* flags came back */
    EQ 2, %ebx, $0xaaaa
    EQ 3, seen_ebx, $0xbbbb
    testb $2, gdt2 + 0x50 + 5           /* B is not busy, A is */
    CHECK 4, z
    testb $2, gdt2 + 0x48 + 5
    CHECK 5, nz
    movl %cr0, %eax
    testb $8, %al                       /* TS */
    CHECK 6, nz
    clts
    EQ 7, TSS_B + 0x20, $task_b_next

    /* ---- CALL and IRET ---- */
    TSS32 TSS_B, task_call, 0x60000
    lcall $0x50, $0
    EQ 8, seen_ebx, $0x4000             /* NT was set in the new task */
    pushfl
    popl %eax
    testl $0x4000, %eax
    CHECK 9, z
    cmpw $0x48, TSS_B
    CHECK 10, e
    testb $2, gdt2 + 0x50 + 5
    CHECK 11, z
    testl $0x4000, TSS_B + 0x24         /* NT clear in the saved image */
    CHECK 12, z

    /* ---- 16-bit TSS ---- */
    movw $task_16, TSS_C + 0x0e
    movw $2, TSS_C + 0x10
    movw $0x7000, TSS_C + 0x1a
    movw $0x10, TSS_C + 0x22
    movw $0x08, TSS_C + 0x24
    movw $0x10, TSS_C + 0x26
    movw $0x10, TSS_C + 0x28
    movw $0x1234, TSS_C + 0x12
    lcall $0x58, $0
    cmpw $0x1234, seen_ebx
    CHECK 13, e

    /* ---- task gate: #GP with error code ---- */
    TSS32 TSS_D, task_gp, 0x60000
    movl $0x00600000, IDT + 13*8
    movl $0x8500, IDT + 13*8 + 4
    movl $after_gp, want_eip
    movw $0x1230, %ax
    movw %ax, %es
after_gp:
    EQ 14, seen_ebx, $0x1230
    EQ 15, TSS_A + 0x20, $after_gp      /* moved on by the handler */
    movw $0x10, %ax
    movw %ax, %es
    testl $0x10000, seen_flags          /* RF in the old task's image */
    CHECK 16, nz

    /* a busy task is not called: #GP(selector), as plain interrupt gate again */
    call gate13
    movl $13, want_vec
    movl $0x48, want_code
    movb $17, current
    movl $1f, resume
    lcall $0x48, $0
    EXIT 17
1:
    /* a task whose DS is bad: #TS in the new task */
    TSS32 TSS_B, task_call, 0x60000
    movl $0x800, TSS_B + 0x54
    movl $10, want_vec
    movl $0x800, want_code
    movl $1f, resume
    movb $18, current
    ljmp $0x50, $0
    EXIT 18
1:  str %ax
    cmpw $0x50, %ax
    CHECK 19, e
    /* back to A by hand */
    andb $0xfd, gdt2 + 0x48 + 5
    movw $0x48, %ax
    ltr %ax
    clts

    /* ---- virtual-8086 mode ---- */
.macro V86 eip iopl
    pushl $0x2000                       /* GS FS DS ES */
    pushl $0x2000
    pushl $0x2000
    pushl $0x2000
    pushl $0x3000                       /* SS:SP */
    pushl $0xf000
    pushl $0x20002 | (\iopl << 12)
    pushl $0
    pushl $\eip
    iretl
.endm
.macro WANT n vec code
    movb $\n, current
    movl $\vec, want_vec
    movl $\code, want_code
    movl $7f, resume
.endm
    WANT 20, 0x21, 0
    V86 v86_a, 3
7:  testl $0x20000, saved_flags
    CHECK 21, nz
    EQ 22, saved_esp, $0xeffe
    EQ 23, saved_ss, $0x3000
    EQ 24, saved_ds, $0x2000
    EQ 25, saved_eip, $v86_a_end
    cmpw $0x5678, 0x20010               /* ds:10 */
    CHECK 26, e
    WANT 27, 13, 0
    V86 v86_b, 0                        /* CLI with IOPL 0 */
7:  EQ 28, saved_eip, $v86_b_cli
    WANT 29, 13, 0
    V86 v86_a_end-2, 0                /* INT 21 with IOPL 0 and no VME */
7:  WANT 30, 13, 0
    V86 v86_hlt, 3
7:  WANT 31, 13, 0
    movb $1, TSS_A + 0x88 + 0x60/8      /* port 60 denied */
    V86 v86_in, 3
7:  WANT 32, 6, 0
    V86 v86_lar, 3                      /* LAR is #UD */
7:
    /* CR4.VME: INT 21 stays inside when its bit is 0 */
    movl %cr4, %eax
    orl $1, %eax
    movl %eax, %cr4
    movw $v86_own, 0x21*4
    movw $0, 0x21*4 + 2
    WANT 33, 0x22, 0
    movb $4, TSS_A + 0x68 + 4           /* INT 22 goes out: needs IOPL 3 */
    V86 v86_vme, 3
7:  EQ 34, saved_eip, $v86_vme_end
    testl $0x200, saved_flags
    CHECK 35, nz
    WANT 36, 13, 0
    V86 v86_vme_sti, 0                  /* STI sets VIF; INT 22 with IOPL 0 is #GP */
7:  testl $0x80000, saved_flags
    CHECK 37, nz
    movl %cr4, %eax
    andl $~1, %eax
    movl %eax, %cr4

    /* ---- single-step ---- */
    movl $1, want_vec
    movl $0, want_code
    movb $40, current
    movl $1f, resume
    pushl $0x102
    popfl
    nop
step_1:
    EXIT 40
1:  EQ 41, saved_eip, $step_1
    movl %dr6, %eax
    testl $0x4000, %eax
    CHECK 42, nz
    xorl %eax, %eax
    movl %eax, %dr6
    movl $1f, resume
    movb $43, current
    movw $0x10, %ax
    pushl $0x102
    popfl
    movw %ax, %ss                       /* puts the trap off by one instruction */
    nop
step_2:
    EXIT 43
1:  EQ 44, saved_eip, $step_2
    movl $1f, resume
    movb $45, current
    pushl $0x102
    popfl
    jmp step_3
    EXIT 45
step_3:
    EXIT 46
1:  EQ 46, saved_eip, $step_3
    movl $1f, resume
    movb $47, current
    pushl $0x2
    pushl $0x102
    popfl
    popfl                               /* clears TF, but traps */
step_4:
    EXIT 47
1:  EQ 48, saved_eip, $step_4

    /* ---- breakpoints ---- */
    xorl %eax, %eax
    movl %eax, %dr6
    movl $bp_here, %eax
    movl %eax, %dr0
    movl $0x402, %eax
    movl %eax, %dr7
    movb $50, current
    movl $1f, resume
    nop
bp_here:
    EXIT 50
1:  EQ 51, saved_eip, $bp_here
    movl %dr6, %eax
    andl $0xf, %eax
    EQ 52, %eax, $1
    /* RF in the image lets it run */
    movb $53, current
    movl $1f, resume
    pushl $0x10002
    pushl $0x08
    pushl $bp_here2
    movl $bp_here2, %eax
    movl %eax, %dr0
    iretl
bp_here2:
    nop
    jmp 2f
1:  EXIT 53
2:  /* data writes */
    xorl %eax, %eax
    movl %eax, %dr6
    movl $0x50004, %eax
    movl %eax, %dr1
    movl $0x00d00408, %eax              /* DR1: write, 4 bytes */
    movl %eax, %dr7
    movb $54, current
    movl $1f, resume
    movl 0x50004, %eax                  /* reads do not matter */
    movl %eax, 0x50008
    movl %eax, 0x50002                  /* overlaps */
bp_data:
    EXIT 54
1:  EQ 55, saved_eip, $bp_data
    movl %dr6, %eax
    andl $0xf, %eax
    EQ 56, %eax, $2
    xorl %eax, %eax
    movl %eax, %dr7
    /* GD */
    movl $0x2400, %eax
    movl %eax, %dr7
    movb $57, current
    movl $1f, resume
bp_gd:
    movl %dr0, %eax
    EXIT 57
1:  EQ 58, saved_eip, $bp_gd
    movl %dr6, %eax
    testl $0x2000, %eax
    CHECK 59, nz
    movl %dr7, %eax
    testl $0x2000, %eax
    CHECK 60, z
    /* ICEBP */
    movb $61, current
    movl $1f, resume
    .byte 0xf1
bp_ice:
    EXIT 61
1:  EQ 62, saved_eip, $bp_ice
    PASS

task_b:
    movl %ebx, seen_ebx
    ljmp $0x48, $0
task_b_next:
    EXIT 7
task_call:
    pushfl
    popl %eax
    andl $0x4000, %eax
    movl %eax, seen_ebx
    iretl
    EXIT 8
task_16:
    movw %ax, seen_ebx
    movl $0, %eax
    iretl
    EXIT 13
task_gp:
    popl seen_ebx                       /* error code */
    movl TSS_A + 0x24, %eax
    movl %eax, seen_flags
    movl want_eip, %eax
    movl %eax, TSS_A + 0x20
    iretl
    EXIT 14

    .code16
v86_a:
    movw $0x5678, %ax
    movw %ax, 0x10
    cli
    sti
    pushw %ax
    int $0x21
v86_a_end:
    hlt
v86_b:
    nop
v86_b_cli:
    cli
    EXIT 27
v86_hlt:
    hlt
    EXIT 30
v86_in:
    inb $0xe9, %al
    inb $0x60, %al
    EXIT 31
v86_lar:
    lar %ax, %bx
    EXIT 32
v86_own:
    movw $0x1111, %bx
    iretw
v86_vme:
    sti
    xorw %bx, %bx
    int $0x21
    cmpw $0x1111, %bx
    CHECK 33, e
    int $0x22
v86_vme_end:
    hlt
v86_vme_sti:
    sti
    int $0x22
    hlt
    .code32

build_idt:
    movl $IDT, %edi
    movl $stubs, %esi
    movl $64, %ecx
1:  movl %esi, %eax
    movw %ax, (%edi)
    movw $0x08, 2(%edi)
    movw $0xee00, 4(%edi)
    shrl $16, %eax
    movw %ax, 6(%edi)
    addl $16, %esi
    addl $8, %edi
    loop 1b
    ret
gate13:
    movl $stubs + 13*16, %eax
    movw %ax, IDT + 13*8
    movw $0x08, IDT + 13*8 + 2
    movw $0xee00, IDT + 13*8 + 4
    shrl $16, %eax
    movw %ax, IDT + 13*8 + 6
    ret
    .balign 16
stubs:
    .set v, 0
    .rept 64
    .balign 16
    .if !(v == 8 || (v >= 10 && v <= 14) || v == 17)
    pushl $0
    .endif
    pushl $v
    jmp handler
    .set v, v + 1
    .endr
handler:
    pushl %eax
    movl $0x10, %eax
    movw %ax, %ds
    movw %ax, %es
    popl saved_eax
    popl %eax
    cmpl want_vec, %eax
    jne wrong
    popl %eax
    cmpl want_code, %eax
    jne wrong
    popl saved_eip
    popl saved_cs
    popl saved_flags
    testl $0x20000, saved_flags
    jnz 2f
    testl $3, saved_cs
    jz 1f
2:  popl saved_esp
    popl saved_ss
    popl %eax
    popl saved_ds
1:  movw $0x10, %ax
    movw %ax, %ss
    movl $0x80000, %esp
    movl saved_eax, %eax
    jmp *resume
wrong:
    movb current, %al
    outb %al, $PORT_EXIT
1:  jmp 1b
    .balign 8
current: .long 0
want_vec: .long 0
want_code: .long 0
want_eip: .long 0
resume: .long 0
seen_ebx: .long 0
seen_flags: .long 0
saved_eax: .long 0
saved_eip: .long 0
saved_cs: .long 0
saved_flags: .long 0
saved_esp: .long 0
saved_ss: .long 0
saved_ds: .long 0
idt_ptr: .word 64*8 - 1
    .long IDT
.macro DESC base limit access flags
    .word \limit & 0xffff, \base & 0xffff
    .byte (\base >> 16) & 255, \access, (\flags << 4) | ((\limit >> 16) & 15), \base >> 24
.endm
    .balign 8
gdt2:
    .quad 0
    .quad 0x00cf9b000000ffff            /* 08 */
    .quad 0x00cf93000000ffff            /* 10 */
    .quad 0, 0, 0, 0, 0, 0
    DESC TSS_A, 0x110, 0x89, 0          /* 48 */
    DESC TSS_B, 0x67, 0x89, 0           /* 50 */
    DESC TSS_C, 0x2b, 0x81, 0           /* 58 */
    DESC TSS_D, 0x67, 0x89, 0           /* 60 */
gdt2_end:
gdt2_ptr: .word gdt2_end - gdt2 - 1
    .long gdt2
    GDT

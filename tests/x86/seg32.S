/* Protected mode: segment checks and limits, privilege levels, gates, LAR and
 * friends, I/O permission, and error codes of all of them.  Check numbers are
 * the argument of EXPECT or CHECK. */
#include "guest.inc"
.set IDT, 0x20000
.set TSS, 0x21000
.set GATES, 256
    START16
    PROT_MODE
    call build_idt
    lidt idt_ptr
    lgdt gdt2_ptr
    movl $TSS, %edi
    movl $0x80/4, %ecx
    xorl %eax, %eax
    rep stosl
    movl $0x90000, TSS + 4              /* ESP0, SS0 */
    movl $0x10, TSS + 8
    movw $0x68, TSS + 0x66              /* I/O map: ports 0..0x3ff; all denied but those cleared below */
    movl $TSS + 0x68, %edi
    movl $0x84/4, %ecx
    movl $-1, %eax
    rep stosl
    movb $0xfd, TSS + 0x68 + 0xe8/8     /* 0xe9 */
    movb $0xef, TSS + 0x68 + 0xf0/8     /* 0xf4 */
    movw $0x48, %ax
    ltr %ax

.macro EXPECT n vec code
    movb $\n, current
    movl $\vec, want_vec
    movl $\code, want_code
    movl $7f, resume
.endm
.macro NOFAULT
    movb current, %al
    outb %al, $PORT_EXIT
7:
.endm
/* an instruction that must fault */
.macro FAULTS n vec code insn:vararg
    EXPECT \n, \vec, \code
    \insn
    NOFAULT
.endm
.macro EQ n a b
    cmpl \b, \a
    CHECK \n, e
.endm

    /* ---- loading segment registers ---- */
    xorl %eax, %eax
    movw %ax, %gs
    FAULTS 1, 13, 0, movl %gs:0, %eax
    FAULTS 2, 13, 0, movw %ax, %ss
    movw $0x800, %ax
    FAULTS 3, 13, 0x800, movw %ax, %ds
    movw $0x5c, %ax                     /* LDT selector, no LDT */
    FAULTS 4, 13, 0x5c, movw %ax, %ds
    movw $0x58, %ax                     /* execute-only code */
    FAULTS 5, 13, 0x58, movw %ax, %es
    movw $0x60, %ax                     /* not present data */
    FAULTS 6, 11, 0x60, movw %ax, %es
    FAULTS 7, 12, 0x60, movw %ax, %ss
    movw $0x13, %ax                     /* RPL 3 */
    FAULTS 8, 13, 0x10, movw %ax, %ss
    movw $0x33, %ax                     /* DPL 3 */
    FAULTS 9, 13, 0x30, movw %ax, %ss
    movw $0x48, %ax                     /* a TSS */
    FAULTS 10, 13, 0x48, movw %ax, %fs
    movw $0x13, %ax                     /* RPL 3 > DPL 0 */
    FAULTS 11, 13, 0x10, movw %ax, %fs

    /* ---- limits ---- */
    movw $0x68, %ax                     /* data, limit 0xfff, base 0x30000 */
    movw %ax, %fs
    movl $0x12345678, 0x30ffc
    movl %fs:0xffc, %eax
    EQ 12, %eax, $0x12345678
    FAULTS 13, 13, 0, movl %fs:0xffd, %eax
    FAULTS 14, 13, 0, movb %al, %fs:0x1000
    movw $0x70, %ax                     /* expand-down above 0xfff, base 0x30000 */
    movw %ax, %fs
    movl %fs:0x1000, %eax
    FAULTS 15, 13, 0, movl %fs:0xffc, %eax
    FAULTS 16, 13, 0, movl %fs:0xfffffffe, %eax
    movw $0x78, %ax                     /* read-only */
    movw %ax, %fs
    movl %fs:0, %eax
    FAULTS 17, 13, 0, movl %eax, %fs:0
    FAULTS 18, 13, 0, movl %eax, %cs:0
    movw $0x68, %ax
    movw %ax, %ss
    movl $0x1000, %esp
    FAULTS 19, 12, 0, movl %ss:0xffe, %eax          /* the handler goes on with SS = 10 */
    movw $0x68, %ax
    movw %ax, %ss
    movl $0x1000, %esp
    FAULTS 20, 12, 0, popl %eax
    testb $1, gdt2 + 0x68 + 5           /* accessed was set */
    CHECK 21, nz

    /* ---- far jumps and interrupts ---- */
    FAULTS 22, 13, 0x10, ljmp $0x10, $0
    FAULTS 23, 13, 0, ljmp $0, $0
    FAULTS 24, 11, 0x80, ljmp $0x80, $0
    FAULTS 25, 13, 0x40, ljmp $0x43, $0
    FAULTS 26, 13, 0, ljmp $0x88, $0x1000       /* limit 0xfff */
    FAULTS 27, 13, 252*8+2, int $252    /* a gate of bad type */
    FAULTS 28, 11, 253*8+2, int $253 /* not present */
    EXPECT 29, 3, 0
    int3
1:  NOFAULT
    EQ 30, saved_eip, $1b
    EXPECT 31, 4, 0
    movb $0x7f, %al
    incb %al
    into
    NOFAULT
    EXPECT 32, 6, 0
1:  ud2
    NOFAULT
    EQ 33, saved_eip, $1b
    testl $0x10000, saved_flags         /* RF in a fault's image */
    CHECK 34, nz
    EXPECT 35, 5, 0
    movl $5, %eax
    bound %eax, bounds
    NOFAULT
    EXPECT 36, 0, 0
    xorl %ecx, %ecx
    divl %ecx
    NOFAULT

    /* ---- LAR LSL VERR VERW ARPL ---- */
    movl $0x68, %eax
    lsl %eax, %ebx
    CHECK 40, z
    EQ 41, %ebx, $0xfff
    movl $0x08, %eax
    lsl %eax, %ebx
    EQ 42, %ebx, $0xffffffff
    lar %eax, %ebx
    CHECK 43, z
    EQ 44, %ebx, $0x00c09b00
    movl $0x1234, %ebx
    movl $0x90, %eax                    /* a call gate: LAR yes, LSL no */
    lsl %eax, %ebx
    CHECK 45, nz
    EQ 46, %ebx, $0x1234
    lar %eax, %ebx
    CHECK 47, z
    movl $0x2000, %eax
    lar %eax, %ebx
    CHECK 48, nz
    movw $0x58, %ax
    verr %ax
    CHECK 49, nz
    movw $0x78, %ax
    verr %ax
    CHECK 50, z
    verw %ax
    CHECK 51, nz
    movw $0x10, %ax
    verw %ax
    CHECK 52, z
    movw $0x13, %ax
    verw %ax
    CHECK 53, nz
    movw $0x10, %ax
    movw $0x3, %bx
    arpl %bx, %ax
    CHECK 54, z
    cmpw $0x13, %ax
    CHECK 55, e
    arpl %bx, %ax
    CHECK 56, nz

    /* ---- ring 3 ---- */
.macro USER                             /* goes on at the next label 6 in ring 3 */
    movl $0x90000, TSS + 4
    pushl $0x33
    pushl $0x70000
    pushl $0x202
    pushl $0x43
    pushl $6f
    iret
6:
.endm
    USER
    movw %ss, %ax
    cmpw $0x33, %ax
    CHECK 60, e
    movw %ds, %ax                       /* DPL 0 data was closed */
    testw %ax, %ax
    CHECK 61, z
    movw $0x33, %ax
    movw %ax, %ds
    movw %ax, %es
    FAULTS 62, 13, 0, cli
    movw $0x33, %ax
    USER
    movw $0x33, %ax
    movw %ax, %ds
    FAULTS 63, 13, 0, hlt
    USER
    movw $0x33, %ax
    movw %ax, %ds
    FAULTS 64, 13, 0, movl %cr0, %eax
    USER
    movw $0x33, %ax
    movw %ax, %ds
    FAULTS 65, 13, 0, inb $0x60, %al
    USER
    movw $0x33, %ax
    movw %ax, %ds
    movb $'.', %al
    outb %al, $0xe9                     /* allowed by the map */
    movw $0x400 - 1, %dx
    FAULTS 66, 13, 0, inw %dx, %ax
    USER
    movw $0x33, %ax
    movw %ax, %ds
    FAULTS 67, 13, 0x80*8+2, int $0x80            /* DPL 0 gate */
    USER
    movw $0x33, %ax
    movw %ax, %ds
    EXPECT 68, 0x81, 0
    int $0x81                                       /* DPL 3 gate */
1:  NOFAULT
    EQ 69, saved_eip, $1b
    EQ 70, saved_cs, $0x43
    EQ 71, saved_ss, $0x33
    EQ 72, saved_esp, $0x70000
    testl $0x200, saved_flags
    CHECK 73, nz
    pushfl
    popl %eax
    testl $0x200, %eax                  /* interrupt gate: IF clear */
    CHECK 74, z
    USER
    movw $0x33, %ax
    movw %ax, %ds
    pushfl
    popl %ebx
    andl $~0x3200, %ebx                 /* IOPL and IF stay without a fault */
    pushl %ebx
    popfl
    pushfl
    popl %eax
    testl $0x200, %eax
    CHECK 75, nz
    movl $0x10, %eax
    FAULTS 76, 13, 0x10, movw %ax, %ds
    /* ---- call gate with parameters ---- */
    USER
    movw $0x33, %ax
    movw %ax, %ds
    pushl $0x1111
    pushl $0x2222
    lcall $0x93, $0
after_gate:
    EQ 80, %esp, $0x70000
    movw %cs, %ax
    cmpw $0x43, %ax
    CHECK 81, e
    EQ 82, %ebx, $0x1111
    EQ 83, %ecx, $0x2222
    EQ 84, %edx, $after_gate
    EQ 85, %esi, $0x6fff8
    FAULTS 86, 13, 0x98, lcall $0x98, $0            /* gate DPL 0 */
    USER
    movw $0x33, %ax
    movw %ax, %ds
    FAULTS 87, 13, 0x08, ljmp $0x93, $0             /* JMP may not go inward */
    USER
    movw $0x33, %ax
    movw %ax, %ds
    lcall $0xa3, $conforming            /* conforming code: CPL stays */
    cmpw $0xa3, %bx
    CHECK 88, e

    EXPECT 89, 0x81, 0
    int $0x81
    NOFAULT
    lcall $0x98, $0                     /* same level through a gate */
    EQ 90, %ebx, $0x5a5a
    /* ring 0 -> ring 3 by RETF and back */
    pushl $0x33
    pushl $0x70000
    pushl $0x43
    pushl $1f
    lret
1:  movw $0x33, %ax
    movw %ax, %ds
    movw %cs, %ax
    cmpw $0x43, %ax
    CHECK 91, e
    EXPECT 92, 0x81, 0
    int $0x81
    NOFAULT
    pushl $0x08
    pushl $1f
    lret $0
1:  pushl $0
    pushl $0
    FAULTS 93, 13, 0, lret
    PASS

gate_target:                            /* ring 0; two parameters */
    movl 8(%esp), %ecx
    movl 12(%esp), %ebx
    movl (%esp), %edx
    movl 16(%esp), %esi
    lret $8
same_target:
    movl $0x5a5a, %ebx
    lret
conforming:
    movw %cs, %bx
    lret

/* All vectors: stubs of 16 bytes push a code if the processor did not, and the vector. */
build_idt:
    movl $IDT, %edi
    movl $stubs, %esi
    movl $GATES, %ecx
1:  movl %esi, %eax
    movw %ax, (%edi)
    movw $0x08, 2(%edi)
    movw $0x8e00, 4(%edi)
    shrl $16, %eax
    movw %ax, 6(%edi)
    addl $16, %esi
    addl $8, %edi
    loop 1b
    movb $0xee, IDT + 0x81*8 + 5
    movb $0xee, IDT + 3*8 + 5
    movb $0xee, IDT + 4*8 + 5
    movb $0x84, IDT + (GATES-4)*8 + 5
    movb $0x0e, IDT + (GATES-3)*8 + 5
    ret
    .balign 16
stubs:
    .set v, 0
    .rept GATES
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
    testl $3, saved_cs
    jz 1f
    popl saved_esp
    popl saved_ss
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
resume: .long 0
saved_eax: .long 0
saved_eip: .long 0
saved_cs: .long 0
saved_flags: .long 0
saved_esp: .long 0
saved_ss: .long 0
bounds: .long 0, 4
idt_ptr: .word GATES*8 - 1
    .long IDT
.macro DESC base limit access flags
    .word \limit & 0xffff, \base & 0xffff
    .byte (\base >> 16) & 255, \access, (\flags << 4) | ((\limit >> 16) & 15), \base >> 24
.endm
.macro GATE sel off count access
    .word \off, \sel
    .byte \count, \access
    .word 0
.endm
    .balign 8
gdt2:
    .quad 0
    .quad 0x00cf9b000000ffff            /* 08 code32 */
    .quad 0x00cf93000000ffff            /* 10 data */
    .quad 0, 0, 0
    .quad 0x00cff3000000ffff            /* 33 user data */
    .quad 0
    .quad 0x00cffb000000ffff            /* 43 user code */
    DESC TSS, 0x103, 0x89, 0            /* 48 TSS */
    .quad 0
    DESC 0, 0xfffff, 0x99, 12           /* 58 execute-only */
    DESC 0, 0xfffff, 0x12, 12           /* 60 not present */
    DESC 0x30000, 0xfff, 0x92, 4        /* 68 limit fff */
    DESC 0x30000, 0xfff, 0x96, 4        /* 70 expand-down */
    DESC 0, 0xfffff, 0x91, 12           /* 78 read-only */
    DESC 0, 0xfffff, 0x1a, 12           /* 80 not present code */
    DESC 0, 0xfff, 0x9a, 4              /* 88 code limit fff */
    GATE 0x08, gate_target, 2, 0xec     /* 90 call gate DPL 3 */
    GATE 0x08, same_target, 0, 0x8c     /* 98 call gate DPL 0 */
    DESC 0, 0xfffff, 0x9e, 12           /* a0 conforming */
gdt2_end:
gdt2_ptr: .word gdt2_end - gdt2 - 1
    .long gdt2
    GDT

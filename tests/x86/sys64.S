/* Long mode's system side: SYSCALL and SYSRET, IRETQ between rings, IST, double
 * faults, control registers and MSRs, page permissions (NX, WP, SMEP, SMAP),
 * accessed and dirty bits, PCIDs. */
#include "guest.inc"
.set IDT, 0x20000
.set TSS, 0x21000
.set PT, 0x13000                        /* maps 2..4 MiB in 4 KiB pages */
.set PML4_B, 0x14000                    /* a second address space: other pages at 2..4 MiB */
    START16
    PROT_MODE
    LONG_MODE
    call build_idt
    lidt idt_ptr(%rip)
    movl $TSS, %edi
    movl $0x80/4, %ecx
    xorl %eax, %eax
    rep stosl
    movq $0x90000, TSS + 4              /* RSP0 */
    movq $0x98000, TSS + 36             /* IST1 */
    movw $0x68, TSS + 0x66
    movq $0x0000890210000067, %rax
    movq %rax, gdt_tss
    movl $0x48, %eax
    ltr %ax
    movl $PT, %edi
    movl $0x200007, %eax
    call fill_pt
    movl $PT + 7, 0x12000 + 8
    movq %cr3, %rax
    movq %rax, %cr3

.macro EXPECT n vec code
    movb $\n, current
    movl $\vec, want_vec
    movl $\code, want_code
    movq $7f, resume
.endm
.macro NOFAULT
    movb current, %al
    outb %al, $PORT_EXIT
7:
.endm
.macro FAULTS n vec code insn:vararg
    EXPECT \n, \vec, \code
    \insn
    NOFAULT
.endm
.macro EQ n a b
    cmpq \b, \a
    CHECK \n, e
.endm
.macro PTE page flags
    movq $0x200000 + (\page << 12) + \flags, PT + \page*8
    invlpg 0x200000 + (\page << 12)
.endm

    /* ---- SYSCALL, SYSRET ---- */
    movl $0xc0000081, %ecx
    movl $0x002b0018, %edx              /* STAR: user base 2b (CS 3b, SS 33), kernel 18; SS 20 is 0x20 */
    xorl %eax, %eax
    wrmsr
    incl %ecx
    movl $entry, %eax
    xorl %edx, %edx
    wrmsr
    movl $0xc0000084, %ecx
    movl $0x701, %eax                   /* FMASK: CF TF IF DF */
    wrmsr
.macro USER                             /* goes on at the next label 6 in ring 3 */
    pushq $0x33
    pushq $0x70000
    pushq $0x202
    pushq $0x3b
    pushq $6f
    iretq
6:
.endm
    USER
    movw %cs, %ax
    cmpw $0x3b, %ax
    CHECK 1, e
    movq %rsp, %rbx
    EQ 2, %rbx, $0x70000
    stc
    std
    syscall
back:
    CHECK 3, c                          /* SYSRET restored the flags */
    EQ 4, %rcx, $back
    movw %cs, %ax
    cmpw $0x3b, %ax
    CHECK 5, e
    movw %ss, %ax
    cmpw $0x33, %ax
    CHECK 6, e
    movl seen_flags, %eax
    testl $0x701, %eax
    CHECK 7, z
    cld
    FAULTS 8, 13, 0, hlt
    EQ 9, saved_cs, $0x3b
    EQ 10, saved_rsp, $0x70000
    USER
    FAULTS 11, 13, 0, movq %cr3, %rax
    USER
    FAULTS 12, 13, 0, wrmsr
    USER
    FAULTS 13, 13, 0, lgdt idt_ptr
    USER
    FAULTS 14, 13, 0x202, int $0x40
    USER
    FAULTS 15, 6, 0, ud2
    testl $0x10000, saved_flags
    CHECK 16, nz
    USER
    pushq $0x33                         /* IRETQ in ring 3: to itself, IOPL and IF untouched */
    pushq $0x6ff00
    pushq $0x3002
    pushq $0x3b
    pushq $1f
    iretq
1:  pushfq
    popq %rax
    testl $0x3000, %eax
    CHECK 17, z
    testl $0x200, %eax
    CHECK 18, nz
    pushq $0x33
    pushq $0x6ff00
    pushq $2
    pushq $0x18                         /* inward: #GP(18) */
    pushq $1f
    FAULTS 19, 13, 0x18, iretq
1:
    /* compatibility mode */
    pushq $0x33
    pushq $0x70000
    pushq $0x202
    pushq $0x43
    pushq $compat
    iretq
    .code32
compat:
    movl $0x33, %eax
    movl %eax, %ds
    movl $0x12345678, %eax
    decl %eax                           /* 48: not a REX prefix here */
    cmpl $0x12345677, %eax
    je 1f
    EXIT 20
1:  .code64
    EXPECT 21, 0x41, 0
    int $0x41
    NOFAULT
    EQ 22, saved_cs, $0x43

    /* ---- stacks: IST, alignment, double fault ---- */
    movb $1, IDT + 3*16 + 4
    movq $0x7fff8, %rsp
    EXPECT 23, 3, 0
    int3
    NOFAULT
    EQ 24, frame, $0x97fd8
    EQ 25, saved_rsp, $0x7fff8
    movb $0, IDT + 3*16 + 4
    movq $0x7fff1, %rsp
    EXPECT 26, 3, 0
    int3
    NOFAULT
    EQ 27, frame, $0x7ffc8
    EQ 28, saved_rsp, $0x7fff1
    movb $1, IDT + 8*16 + 4
    PTE 5, 0
    movq $0x206000, %rsp                /* the page below is not there: #PF -> #DF on IST1 */
    FAULTS 29, 8, 0, pushq %rax
    movq %cr2, %rax
    andl $~0xfff, %eax
    EQ 30, %rax, $0x205000
    movq $0x1000000000000000, %rsp
    FAULTS 31, 8, 0, int3               /* not canonical: #SS, then #DF */
    movq $0x80000, %rsp

    /* ---- page permissions ---- */
    PTE 6, 5                            /* read-only */
    movl 0x206000, %eax
    FAULTS 40, 14, 3, movl %eax, 0x206000
    movq %cr2, %rax
    EQ 41, %rax, $0x206000
    movq %cr0, %rax                     /* WP off: ring 0 writes */
    andq $~0x10000, %rax
    movq %rax, %cr0
    movl %eax, 0x206000
    movq %cr0, %rax
    orq $0x10000, %rax
    movq %rax, %cr0
    FAULTS 42, 14, 3, movl %eax, 0x206000
    PTE 7, 3                            /* supervisor */
    movb $0xc3, 0x207000
    movl 0x207000, %eax
    USER
    FAULTS 43, 14, 5, movl 0x207000, %eax
    USER
    FAULTS 44, 14, 7, movl %eax, 0x207000
    USER
    FAULTS 45, 14, 5+16, jmp 0x207000
    movq $0x8000000000208007, %rax      /* NX */
    movq %rax, PT + 8*8
    invlpg 0x208000
    movl 0x208000, %eax
    FAULTS 46, 14, 1+16, jmp 0x208000
    movq $0x0010000000209007, %rax      /* ignored bit 52 */
    movq %rax, PT + 9*8
    movl 0x209000, %eax
    movq $0x000800000020a007, %rax      /* reserved bit 51 */
    movq %rax, PT + 10*8
    FAULTS 47, 14, 9, movl 0x20a000, %eax
    /* accessed and dirty */
    PTE 11, 7
    movl 0x20b000, %eax
    movq PT + 11*8, %rax
    andl $0x60, %eax
    EQ 48, %rax, $0x20
    movl %eax, 0x20b000
    movq PT + 11*8, %rax
    andl $0x60, %eax
    EQ 49, %rax, $0x60
    movl $1, %eax                       /* SMEP, SMAP if there */
    cpuid
    movl $7, %eax
    xorl %ecx, %ecx
    cpuid
    testl $1 << 7, %ebx
    jz 1f
    movb $0x83, 0x12000                 /* our own code becomes supervisor pages */
    movq %cr3, %rax
    movq %rax, %cr3
    movq %cr4, %rax
    btsq $20, %rax
    movq %rax, %cr4
    movb $0xc3, 0x20c000
    FAULTS 50, 14, 1+16, call 0x20c000
    movq %cr4, %rax
    btrq $20, %rax
    movq %rax, %cr4
    call 0x20c000
1:  movl $7, %eax
    xorl %ecx, %ecx
    cpuid
    testl $1 << 20, %ebx
    jz 1f
    movq %cr4, %rax
    btsq $21, %rax
    movq %rax, %cr4
    FAULTS 51, 14, 1, movl 0x20c000, %eax
    FAULTS 52, 14, 3, movl %eax, 0x20c000
    stac
    movl 0x20c000, %eax
    movl %eax, 0x20c000
    clac
    FAULTS 53, 14, 1, movl 0x20c000, %eax
    pushfq                              /* AC by POPF */
    orl $0x40000, (%rsp)
    popfq
    movl 0x20c000, %eax
    movq %cr4, %rax
    btrq $21, %rax
    movq %rax, %cr4
    clac
    movl 0x20c000, %eax
1:  movb $0x87, 0x12000
    movq %cr3, %rax
    movq %rax, %cr3

    /* ---- control registers and MSRs ---- */
    movq %cr0, %rax
    movq %rax, %rbx
    btrq $0, %rax
    FAULTS 60, 13, 0, movq %rax, %cr0   /* PG without PE */
    movq %rbx, %rax
    btsq $29, %rax
    FAULTS 61, 13, 0, movq %rax, %cr0   /* NW without CD */
    btsq $40, %rbx
    FAULTS 62, 13, 0, movq %rbx, %cr0
    movq %cr4, %rax
    btrq $5, %rax
    FAULTS 63, 13, 0, movq %rax, %cr4   /* PAE off in long mode */
    btsq $30, %rax
    FAULTS 64, 13, 0, movq %rax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    testl $1 << 10, %eax
    CHECK 65, nz
    btrl $8, %eax
    FAULTS 66, 13, 0, wrmsr             /* LME off while paging */
    movl $0xc0000082, %ecx
    movl $0x80000000, %edx
    FAULTS 67, 13, 0, wrmsr             /* not canonical */
    movl $0x277, %ecx
    movl $2, %eax
    xorl %edx, %edx
    FAULTS 68, 13, 0, wrmsr             /* PAT type 2 */
    FAULTS 70, 6, 0, movq %rax, %cr1
    FAULTS 71, 6, 0, movq %cr7, %rax
    movq $0x1234, %rax
    movq %rax, %cr2
    movq %cr2, %rbx
    EQ 72, %rbx, $0x1234
    /* GS base: MSR, SWAPGS */
    movl $0xc0000101, %ecx
    movl $0x50000, %eax
    xorl %edx, %edx
    wrmsr
    incl %ecx
    movl $0x51000, %eax
    wrmsr
    movq $0x1111, 0x50000
    movq $0x2222, 0x51000
    movq %gs:0, %rax
    EQ 73, %rax, $0x1111
    swapgs
    movq %gs:0, %rax
    EQ 74, %rax, $0x2222
    swapgs
    rdmsr
    EQ 75, %rax, $0x51000
    xorl %eax, %eax                     /* null selector: base 0 */
    movl %eax, %gs
    movq %cr8, %rax
    EQ 76, %rax, $0
    rdtsc
    shlq $32, %rdx
    orq %rax, %rdx
    movq %rdx, %rbx
    rdtsc
    shlq $32, %rdx
    orq %rax, %rdx
    cmpq %rbx, %rdx
    CHECK 77, a

    /* ---- address spaces ---- */
    movl $PML4_B, %edi                  /* PML4, PDPT, PD, PT at 14000.. */
    movl $0x4000/4, %ecx
    xorl %eax, %eax
    rep stosl
    movl $0x15007, PML4_B
    movl $0x16007, 0x15000
    movl $0x87, 0x16000
    movl $0x17007, 0x16008
    movl $0x17000, %edi
    movl $0x400007, %eax
    call fill_pt
    movq $0xaaaa, 0x200000
    movq $0xbbbb, 0x400000
    movq 0x200000, %rax
    EQ 80, %rax, $0xaaaa
    movq $PML4_B, %rax
    movq %rax, %cr3
    movq 0x200000, %rax
    EQ 81, %rax, $0xbbbb
    movq $0x10000, %rax
    movq %rax, %cr3
    movq 0x200000, %rax
    EQ 82, %rax, $0xaaaa
    movl $1, %eax
    cpuid
    btl $17, %ecx
    jnc nopcid
    movq %cr4, %rax
    btsq $17, %rax
    movq %rax, %cr4
    movq $PML4_B + 1, %rax
    movq %rax, %cr3
    movq 0x200000, %rax
    EQ 83, %rax, $0xbbbb
    btsq $63, %rax
    movq $0x8000000000010000, %rax
    movq %rax, %cr3                     /* PCID 0, kept */
    movq 0x200000, %rax
    EQ 84, %rax, $0xaaaa
    movq $0x8000000000014001, %rax
    movq %rax, %cr3
    movq 0x200000, %rax
    EQ 85, %rax, $0xbbbb
    /* change the entry of PCID 1 from PCID 0, invalidate by INVPCID, come back without a flush */
    movq $0x8000000000010000, %rax
    movq %rax, %cr3
    movl $0x401007, 0x17000
    movq $0xcccc, 0x401000
    movl $7, %eax
    xorl %ecx, %ecx
    cpuid
    btl $10, %ebx
    jnc nopcid
    movq $1, invdesc
    movq $0x200000, invdesc + 8
    xorl %eax, %eax
    invpcid invdesc, %rax
    movq $0x8000000000014001, %rax
    movq %rax, %cr3
    movq 0x200000, %rax
    EQ 86, %rax, $0xcccc
    movl $0x400007, 0x17000
    movl $1, %eax
    invpcid invdesc, %rax
    movq 0x200000, %rax
    EQ 87, %rax, $0xbbbb
    movl $4, %eax
    FAULTS 88, 13, 0, invpcid invdesc, %rax
nopcid:
    PASS

entry:
    pushfq
    popq seen_flags
    sysretq

fill_pt:
    movl $512, %ecx
1:  movl %eax, (%rdi)
    movl $0, 4(%rdi)
    addl $0x1000, %eax
    addq $8, %rdi
    decl %ecx
    jnz 1b
    ret
build_idt:
    movl $IDT, %edi
    movl $stubs, %esi
    movl $0x48, %ecx
1:  movl %esi, %eax
    movw %ax, (%rdi)
    movw $0x18, 2(%rdi)
    movw $0x8e00, 4(%rdi)
    shrl $16, %eax
    movw %ax, 6(%rdi)
    movq $0, 8(%rdi)
    addq $16, %rsi
    addq $16, %rdi
    decl %ecx
    jnz 1b
    movb $0xee, IDT + 0x41*16 + 5
    ret
    .balign 16
stubs:
    .set v, 0
    .rept 0x48
    .balign 16
    .if !(v == 8 || (v >= 10 && v <= 14) || v == 17)
    pushq $0
    .endif
    pushq $v
    jmp handler
    .set v, v + 1
    .endr
handler:
    movq %rax, saved_rax
    popq %rax
    cmpl want_vec, %eax
    jne wrong
    popq %rax
    cmpl want_code, %eax
    jne wrong
    movq %rsp, frame
    popq saved_rip
    popq saved_cs
    popq saved_flags
    popq saved_rsp
    popq saved_ss
    movw $0x10, %ax
    movw %ax, %ss
    movq $0x80000, %rsp
    movq saved_rax, %rax
    jmp *resume
wrong:
    movb current, %al
    outb %al, $PORT_EXIT
1:  jmp 1b
    .balign 8
current: .quad 0
want_vec: .quad 0
want_code: .quad 0
resume: .quad 0
frame: .quad 0
seen_flags: .quad 0
saved_rax: .quad 0
saved_rip: .quad 0
saved_cs: .quad 0
saved_flags: .quad 0
saved_rsp: .quad 0
saved_ss: .quad 0
invdesc: .quad 0, 0
idt_ptr: .word 0x48*16 - 1
    .quad IDT
    GDT

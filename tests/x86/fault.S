/* Exceptions in long mode: vectors, error codes, CR2, and registers exactly as they were before the faulting
 * instruction, also where an instruction has several accesses. */
#include "guest.inc"
.set IDT, 0x20000
.set HOLE, 0x3ff000                     /* last page before HOLE_NEXT */
    START16
    PROT_MODE
    LONG_MODE
    /* IDT: 32 gates to stubs 16 bytes apart */
    movl $IDT, %edi
    leaq stubs(%rip), %rsi
    movl $32, %ecx
1:  movl %esi, %eax
    movw %ax, (%rdi)
    movw $0x18, 2(%rdi)
    movw $0x8e01, 4(%rdi)               /* IST1: the interrupted stack may be the faulting thing */
    shrl $16, %eax
    movw %ax, 6(%rdi)
    movq $0, 8(%rdi)
    addq $16, %rsi
    addq $16, %rdi
    decl %ecx
    jnz 1b
    lidt idt_ptr(%rip)
    movq $0x90000, 0x21000+36           /* TSS at 0x21000: IST1 */
    movq $0x0000890210000067, %rax
    movq %rax, gdt_tss
    movl $0x48, %eax
    ltr %ax
    /* page table for 2..4 MiB so that single pages can be taken away */
    movl $0x13000, %edi
    movl $0x200007, %eax
    movl $512, %ecx
2:  movl %eax, (%rdi)
    movl $0, 4(%rdi)
    addl $0x1000, %eax
    addq $8, %rdi
    decl %ecx
    jnz 2b
    movl $0x13007, 0x12000+8
    movl $0, 0x13000+0x100*8            /* 0x300000: not present */
    movl $0x301005, 0x13000+0x101*8     /* 0x301000: read-only */
    movq %cr3, %rax
    movq %rax, %cr3

    /* expect VECTOR CODE: sets what the handler must see and where it goes on */
.macro EXPECT n vec code
    movl $\n, current
    movl $\vec, want_vec
    movl $\code, want_code
    movq %rsp, want_rsp
    leaq 7f(%rip), %r15
    movq %r15, resume
.endm
.macro NOFAULT
    movb current, %al
    outb %al, $PORT_EXIT
7:
.endm

    /* 1: read of a missing page */
    EXPECT 1 14 0
    movl $0x300010, %esi
    movl $0x55, %eax
    movl (%rsi), %eax
    NOFAULT
    cmpl $0x55, %eax
    CHECK 101, e
    movq %cr2, %rbx
    cmpq $0x300010, %rbx
    CHECK 102, e
    /* 2: write to a missing page, value in a register of each kind */
    EXPECT 2 14 2
    movl %eax, (%rsi)
    NOFAULT
    /* 3: write to a read-only page (CR0.WP) */
    EXPECT 3 14 3
    addl $1, 0x301000
    NOFAULT
    /* 4: read across into the missing page: CR2 is the first byte of it */
    EXPECT 4 14 0
    movq 0x2ffffc, %rbx
    NOFAULT
    movq %cr2, %rbx
    cmpq $0x300000, %rbx
    CHECK 103, e
    /* 5: write across into the missing page leaves the first page alone */
    movl $0x77777777, 0x2ffffc
    EXPECT 5 14 2
    movq $-1, %rax
    movq %rax, 0x2ffffc
    NOFAULT
    cmpl $0x77777777, 0x2ffffc
    CHECK 104, e
    /* 6: push into the missing page: rsp unchanged */
    EXPECT 6 14 2
    movq %rsp, %rbx
    movl $0x300100, %esp
    movq %rsp, want_rsp
    pushq %rax
    NOFAULT
    cmpq $0x300100, %rsp
    CHECK 105, e
    movq %rbx, %rsp
    /* 7: call through memory to a stack that is missing: rsp and rip as before */
    EXPECT 7 14 2
    movl $0x300100, %esp
    movq %rsp, want_rsp
    call 1f
1:  NOFAULT
    movq %rbx, %rsp
    /* 8: pop into a missing destination: rsp not moved */
    EXPECT 8 14 2
    movl $0x2ffff0, %esp
    movq %rsp, want_rsp
    popq 0x300020
    NOFAULT
    cmpq $0x2ffff0, %rsp
    CHECK 106, e
    movq %rbx, %rsp
    /* 9: xadd and cmpxchg to read-only memory change no register and no flag */
    EXPECT 9 14 3
    movl $0x123, %ecx
    xorl %eax, %eax
    stc
    xaddl %ecx, 0x301000
    NOFAULT
    CHECK 107, c
    cmpl $0x123, %ecx
    CHECK 108, e
    EXPECT 10 14 3
    movl $99, %eax
    lock cmpxchgl %ecx, 0x301000
    NOFAULT
    cmpl $99, %eax
    CHECK 109, e
    /* 11: rep movsb stops at the missing page with the right counts */
    EXPECT 11 14 2
    movl $0x100000, %esi
    movl $0x2ffff0, %edi
    movl $100, %ecx
    rep movsb
    NOFAULT
    cmpl $84, %ecx
    CHECK 110, e
    cmpl $0x100010, %esi
    CHECK 111, e
    cmpl $0x300000, %edi
    CHECK 112, e
    /* 12: non-canonical address: #GP(0) */
    EXPECT 12 13 0
    movq $0x0000800000000000, %rsi
    movl (%rsi), %eax
    NOFAULT
    /* 14: #DE of both kinds, quotient too large */
    EXPECT 14 0 0
    movl $1, %edx
    movl $5, %eax
    xorl %ecx, %ecx
    divl %ecx
    NOFAULT
    cmpl $5, %eax
    CHECK 113, e
    cmpl $1, %edx
    CHECK 114, e
    EXPECT 15 0 0
    movl $2, %edx
    movl $1, %ecx
    divq %rcx
    NOFAULT
    EXPECT 16 0 0
    movabsq $0x8000000000000000, %rax
    cqo
    movq $-1, %rcx
    idivq %rcx
    NOFAULT
    EXPECT 17 0 0
    movw $0x1000, %ax
    movb $1, %cl
    divb %cl
    NOFAULT
    /* 18: #UD, #BP, #GP by bad selector and privileged forms */
    EXPECT 18 6 0
    ud2
    NOFAULT
    EXPECT 19 13 0x50
    movl $0x50, %eax
    movw %ax, %fs
    NOFAULT
    EXPECT 20 13 0
    movl $0x12345, %ecx
    rdmsr
    NOFAULT
    /* 21: instruction fetch from a missing and from a no-execute page */
    EXPECT 21 14 0x10
    movl $0x300000, %eax
    jmp *%rax
    NOFAULT
    movl $0x80000000, 0x13000+0x102*8+4 /* NX */
    movb $0xc3, 0x302000
    invlpg 0x302000
    EXPECT 22 14 0x11
    movl $0x302000, %eax
    jmp *%rax
    NOFAULT
    /* 23: reserved bit: an address above 40 bits */
    movl $0x00000300, 0x13000+0x103*8+4
    invlpg 0x303000
    EXPECT 23 14 8+1
    movb 0x303000, %al
    NOFAULT
    /* 24: misaligned SSE access */
    EXPECT 24 13 0
    movaps 0x100001, %xmm0
    NOFAULT
    /* 25: flags in the frame are those before the instruction */
    EXPECT 25 14 0
    movl $0x300000, %esi
    movb $0x7f, %al
    addb $1, %al
    movl (%rsi), %ebx
    NOFAULT
    movq seen_flags, %rax
    andl $0x8d5, %eax
    cmpl $0x890, %eax
    CHECK 115, e
    /* 26: A fault in the middle of a unit with many live registers */
    EXPECT 26 14 0
    movl $1, %eax
    movl $2, %ebx
    movl $3, %ecx
    movl $4, %edx
    movl $5, %ebp
    movl $7, %edi
    movl $8, %r8d
    movl $9, %r9d
    movl $10, %r10d
    movl $11, %r11d
    movl $12, %r12d
    movl $13, %r13d
    movl $14, %r14d
    leal (%rax,%rbx), %ecx
    addl %r8d, %r13d
    imull %r14d, %r12d
    movl (%rsi), %eax
    NOFAULT
    addl %eax, %ebx
    addl %ecx, %ebx
    addl %edx, %ebx
    addl %ebp, %ebx
    addl %edi, %ebx
    addl %r8d, %ebx
    addl %r9d, %ebx
    addl %r10d, %ebx
    addl %r11d, %ebx
    addl %r12d, %ebx
    addl %r13d, %ebx
    addl %r14d, %ebx
    cmpl $1+2+3+4+5+7+8+9+10+11+168+21+14, %ebx
    CHECK 116, e
    /* 27: the page appears in the handler and the instruction is restarted: write then counts once */
    movl $27, current
    movl $14, want_vec
    movl $2, want_code
    movq %rsp, want_rsp
    movq $fix, resume
    movl $0, 0x13000+0x104*8
    invlpg 0x304000
    movl $5, 0x304008
    addl $2, 0x304008
    cmpl $7, 0x304008
    CHECK 117, e
    PASS

fix:                                    /* from the handler: map 0x304000 and return to the instruction */
    movl $0x304007, 0x13000+0x104*8
    invlpg 0x304000
    pushq seen_rip
    ret

    .balign 16
stubs:
.set v, 0
.rept 32
    .balign 16
  .if v == 8 || (v >= 10 && v <= 14) || v == 17
  .else
    pushq $0
  .endif
    pushq $v
    jmp handler
  .set v, v + 1
.endr
handler:                                /* rsp: vec, code, rip, cs, rflags, rsp, ss */
    pushq %rax
    movq 8(%rsp), %rax
    cmpl want_vec, %eax
    jne bad
    movq 16(%rsp), %rax
    cmpl want_code, %eax
    jne bad
    movq 24(%rsp), %rax
    movq %rax, seen_rip
    movq 40(%rsp), %rax
    movq %rax, seen_flags
    movq 48(%rsp), %rax
    cmpq want_rsp, %rax
    jne bad
    movq resume, %rax
    movq %rax, 24(%rsp)
    popq %rax
    addq $16, %rsp
    iretq
bad:
    movb current, %al
    outb %al, $PORT_EXIT
    jmp bad
    .balign 8
current:   .long 0
want_vec:  .long 0
want_code: .long 0
           .long 0
want_rsp:  .quad 0
resume:    .quad 0
seen_rip:  .quad 0
seen_flags: .quad 0
idt_ptr:   .word 32*16-1
           .quad IDT
    GDT

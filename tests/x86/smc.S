/* Self-modifying and freshly written code: in the running unit, on the same page, across pages, in a loop; data stores
 * beside code keep it valid. */
#include "guest.inc"
    START16
    PROT_MODE
    LONG_MODE
    /* 1: patch the immediate of the next instruction */
    movl $0, %ebx
    movl $1000, %ecx
1:  movl %ecx, patch1+1(%rip)
patch1:
    movl $0x11111111, %eax
    addq %rax, %rbx
    decl %ecx
    jnz 1b
    cmpq $500500, %rbx
    CHECK 1, e
    /* 2: patch an instruction a little further in the same unit, opcode too */
    movb $0x29, patch2(%rip)            /* add -> sub */
    movl $10, %eax
    movl $3, %ecx
patch2:
    addl %ecx, %eax
    cmpl $7, %eax
    CHECK 2, e
    /* 3: write functions into a buffer and call them, again and again */
    xorl %ebp, %ebp
    movl $500, %edx
3:  movl $0x400000, %edi
    movb $0xb8, (%rdi)                  /* mov eax, imm32; ret */
    movl %edx, 1(%rdi)
    movb $0xc3, 5(%rdi)
    call *%rdi
    addl %eax, %ebp
    decl %edx
    jnz 3b
    cmpl $125250, %ebp
    CHECK 3, e
    /* 4: a function that straddles a page; patch its second half */
    movl $0x400ffd, %edi
    movb $0xb8, (%rdi)
    movl $0x01020304, 1(%rdi)
    movb $0xc3, 5(%rdi)
    call *%rdi
    cmpl $0x01020304, %eax
    CHECK 4, e
    movb $0x7f, 0x401001                /* top byte of the immediate, on the second page */
    call *%rdi
    cmpl $0x7f020304, %eax
    CHECK 5, e
    /* 5: data beside code, same granule and same page: the code must go on working */
    movl $0x402000, %edi
    movb $0xff, (%rdi)                  /* inc dword [rdi+0x20]; ret  -> ff 47 20 c3 */
    movb $0x47, 1(%rdi)
    movb $0x20, 2(%rdi)
    movb $0xc3, 3(%rdi)
    movl $0, 0x20(%rdi)
    movl $1000, %ecx
4:  call *%rdi
    decl %ecx
    jnz 4b
    cmpl $1000, 0x20(%rdi)
    CHECK 6, e
    movl $0, 0x820(%rdi)
    movb $0x87, 1(%rdi)                 /* inc dword [rdi+0x820] */
    movl $0x820, 2(%rdi)
    movb $0xc3, 6(%rdi)
    movl $1000, %ecx
5:  call *%rdi
    decl %ecx
    jnz 5b
    cmpl $1000, 0x820(%rdi)
    CHECK 7, e
    /* 6: rep stos over code */
    movl $0x403000, %edi
    movl $0x90909090, %eax
    movl $15, %ecx
    rep stosl
    movl $0xc3c031c3, (%rdi)            /* ret; xor eax,eax; ret */
    movl $0x403000, %edi
    movl $5, %eax
    call *%rdi
    cmpl $5, %eax
    CHECK 8, e
    movl $0xc3c03190, 60(%rdi)          /* nop; xor eax,eax; ret */
    call *%rdi
    testl %eax, %eax
    CHECK 9, z
    /* 7: the same bytes reached through another address (alias by paging): map 0x600000 to 0x400000 */
    movl $0x400087, 0x12000+3*8
    movq %cr3, %rax
    movq %rax, %cr3
    movl $0x604000, %edi
    movb $0xb8, (%rdi)
    movl $1, 1(%rdi)
    movb $0xc3, 5(%rdi)
    call *%rdi
    cmpl $1, %eax
    CHECK 10, e
    movl $2, 0x404001                   /* through the other alias */
    call *%rdi
    cmpl $2, %eax
    CHECK 11, e
    /* 8: lock-prefixed and 16-byte stores into code */
    movl $0x404001, %esi
    lock incl (%rsi)
    call *%rdi
    cmpl $3, %eax
    CHECK 12, e
    movdqu (%rdi), %xmm0
    movl $9, 0x500001
    movb $0xb8, 0x500000
    movb $0xc3, 0x500005
    movdqu 0x500000, %xmm1
    movdqu %xmm1, (%rdi)
    call *%rdi
    cmpl $9, %eax
    CHECK 13, e
    /* 9: a store that patches its own unit through a push */
    leaq patch9(%rip), %rbx
    movq (%rbx), %rcx
    movq $0xffffffffffff0000, %rax
    andq %rax, %rcx
    orq $0x40b0, %rcx                   /* mov al, 0x40 */
    movq %rsp, %rdx
    leaq 8(%rbx), %rsp
    pushq %rcx
patch9:
    movb $0x11, %al
    nop
    nop
    nop
    nop
    nop
    nop
    movq %rdx, %rsp
    cmpb $0x40, %al
    CHECK 14, e
    PASS
    GDT

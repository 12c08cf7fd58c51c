/* Integer loops, calls, flags, strings, stack: enough to see that an engine is alive. */
#include "guest.inc"
    START16
    PROT_MODE
    LONG_MODE
    /* sum of 1..100000 */
    xorl %eax, %eax
    movl $100000, %ecx
1:  addq %rcx, %rax
    loop 1b
    movq $5000050000, %rdx
    cmpq %rdx, %rax
    CHECK 1, e
    /* recursion: fib(20) */
    movl $20, %edi
    call fib
    cmpl $6765, %eax
    CHECK 2, e
    /* string fill and copy, across pages */
    movl $0x5a5a5a5a, %eax
    movl $0x100ffd, %edi
    movl $3000, %ecx
    rep stosl
    movl $0x100ffd, %esi
    movl $0x200001, %edi
    movl $12000, %ecx
    rep movsb
    movl $0x100ffd, %esi
    movl $0x200001, %edi
    movl $12000, %ecx
    repe cmpsb
    CHECK 3, e
    testl %ecx, %ecx
    CHECK 4, z
    cmpb $0x5a, 0x200001+11999
    CHECK 5, e
    cmpb $0, 0x200001+12000
    CHECK 6, e
    /* adc chain, mul, div */
    movq $-1, %rax
    movq $-1, %rbx
    addq $1, %rax
    adcq $0, %rbx
    CHECK 7, c
    CHECK 8, z
    movq $0x123456789abcdef0, %rax
    movq $0xfedcba987654321, %rcx
    mulq %rcx
    divq %rcx
    movq $0x123456789abcdef0, %rbx
    cmpq %rbx, %rax
    CHECK 9, e
    testq %rdx, %rdx
    CHECK 10, z
    movq $-1000, %rax
    cqo
    movl $7, %ecx
    idivq %rcx
    cmpq $-142, %rax
    CHECK 11, e
    cmpq $-6, %rdx
    CHECK 12, e
    /* partial registers */
    movl $0x11223344, %eax
    movb $0x55, %ah
    movb $0x66, %al
    cmpl $0x11225566, %eax
    CHECK 13, e
    movw $0xabcd, %ax
    cmpl $0x1122abcd, %eax
    CHECK 14, e
    /* pushf/popf and conditions */
    movl $-5, %eax
    cmpl $3, %eax
    pushfq
    popq %rbx
    andl $0x8d5, %ebx
    cmpl $0x80, %ebx
    CHECK 15, e
    movl $-5, %eax
    cmpl $3, %eax
    setl %al
    setb %bl
    cmpb $1, %al
    CHECK 16, e
    cmpb $0, %bl
    CHECK 17, e
    /* bit operations */
    movl $0x80000001, %eax
    btsl $4, %eax
    CHECK 18, nc
    bsfl %eax, %ecx
    bsrl %eax, %edx
    addl %edx, %ecx
    cmpl $31, %ecx
    CHECK 19, e
    shldl $8, %eax, %eax
    cmpl $0x00001180, %eax
    CHECK 20, e
    lock xaddl %eax, 0x300000
    cmpl $0, %eax
    CHECK 21, e
    movl $0x1180, %eax
    movl $77, %ecx
    lock cmpxchgl %ecx, 0x300000
    CHECK 22, z
    cmpl $77, 0x300000
    CHECK 23, e
    PASS

fib:
    cmpl $2, %edi
    jae 1f
    movl %edi, %eax
    ret
1:  pushq %rbx
    pushq %rdi
    decl %edi
    call fib
    movl %eax, %ebx
    popq %rdi
    subl $2, %edi
    call fib
    addl %ebx, %eax
    popq %rbx
    ret
    GDT

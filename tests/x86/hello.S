/* Prints from real, protected and long mode. */
#include "guest.inc"
    START16
    movw $msg16, %si
    cld
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, $PORT_PRINT
    jmp 1b
2:  PROT_MODE
    movl $msg32, %esi
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, $PORT_PRINT
    jmp 1b
2:  LONG_MODE
    leaq msg64(%rip), %rsi
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, $PORT_PRINT
    jmp 1b
2:  PASS
msg16: .asciz "real "
msg32: .asciz "protected "
msg64: .asciz "long\n"
    GDT

/* Runs cases on the host processor.  See diff.h.
 *
 * The child maps code and data at their fixed low addresses.  A trampoline of
 * machine code, made for each case, loads flags and general registers and
 * jumps; the exception that ends the case arrives as a signal on its own
 * stack, whose frame has all registers. 32-bit cases enter through the kernel's
 * 32-bit user code segment (0x23). */
#define _GNU_SOURCE
#include "tests/diff/diff.h"

#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { USER_CS32 = 0x23, USER_DS = 0x2b, XSAVE_YMM = 576, XSAVE_SIZE = 832 };

static sigjmp_buf back;
static DiffCase *current;

void diff_fill(uint64_t seed, uint8_t *data, unsigned len)
{
    Rng r = { seed * 2 + 1 };
    for (unsigned i = 0; i < len; i += 8) {
        uint64_t v = rng_next(&r);
        if (i % 64 == 0)
            v = (uint64_t)(int64_t)(int8_t)v;
        else if (i % 16 == 0)
            v = diff_fp_value(&r);
        memcpy(data + i, &v, 8);
    }
}

static const int greg_of[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void handler(int sig, siginfo_t *si, void *opaque)
{
    (void)sig, (void)si;
    ucontext_t *uc = opaque;
    DiffResult *d = &current->native;
    const greg_t *g = uc->uc_mcontext.gregs;
    const uint8_t *fx = (const uint8_t *)uc->uc_mcontext.fpregs;
    for (unsigned i = 0; i < 16; i++)
        d->regs.gpr[i] = (uint64_t)g[greg_of[i]];
    d->regs.rip = (uint64_t)g[REG_RIP];
    d->regs.flags = (uint64_t)g[REG_EFL];
    d->vector = (uint32_t)g[REG_TRAPNO];
    d->error = (uint32_t)g[REG_ERR];
    d->cr2 = d->vector == 14 ? (uint64_t)g[REG_CR2] : 0;
    memcpy(d->regs.x87, fx, sizeof d->regs.x87);
    memcpy(&d->regs.mxcsr, fx + 24, 4);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(d->regs.ymm[i], fx + 160 + 16 * i, 16);
        memcpy(d->regs.ymm[i] + 2, fx + XSAVE_YMM + 16 * i, 16);
    }
    siglongjmp(back, 1);
}

static void *map_at(uintptr_t addr, size_t len, int prot)
{
    void *p = mmap((void *)addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p == MAP_FAILED)
        _exit(3);
    return p;
}

static void child_init(void)
{
    static uint8_t stack[65536];
    static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM };
    stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(sigs); i++)
        sigaction(sigs[i], &sa, NULL);
    map_at(DIFF_CODE, DIFF_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    map_at(DIFF_DATA, DIFF_DATA_SIZE, PROT_READ | PROT_WRITE);
    map_at(DIFF_TRAMP, DIFF_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* ---- trampoline ---- */

static uint8_t *put(uint8_t *p, const void *b, unsigned n)
{
    memcpy(p, b, n);
    return p + n;
}

static uint8_t *put_mov(uint8_t *p, unsigned reg, uint64_t v)
{
    uint8_t op[2] = { (uint8_t)(0x48 | (reg >= 8)), (uint8_t)(0xb8 | (reg & 7)) };
    return put(put(p, op, 2), &v, 8);
}

static void make_trampoline(const DiffCase *c)
{
    uint8_t *p = (uint8_t *)DIFF_TRAMP;
    uint32_t flags = (uint32_t)c->regs.flags;
    p = put_mov(p, 4, DIFF_TRAMP + DIFF_PAGE - 64);
    p = put(put(p, "\x68", 1), &flags, 4);               /* push imm32; popfq */
    p = put(p, "\x9d", 1);
    for (unsigned i = 0; i < 16; i++)
        p = put_mov(p, i, c->regs.gpr[i]);
    if (c->mode == 64) {
        int32_t rel = (int32_t)(DIFF_CODE - ((intptr_t)p + 5));
        p = put(put(p, "\xe9", 1), &rel, 4);
    } else {
        uint8_t *far = (uint8_t *)DIFF_TRAMP + 2048;
        uint32_t to = DIFF_CODE;
        uint16_t cs = USER_CS32;
        int32_t rel = (int32_t)(far - (p + 6));
        p = put(put(p, "\xff\x2d", 2), &rel, 4);         /* jmp far [rip+rel] */
        put(put(far, &to, 4), &cs, 2);
    }
}

static void make_xsave(const DiffCase *c, uint8_t *x)
{
    uint64_t bv = 7;
    memset(x, 0, XSAVE_SIZE);
    memcpy(x, c->regs.x87, sizeof c->regs.x87);
    memcpy(x + 24, &c->regs.mxcsr, 4);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(x + 160 + 16 * i, c->regs.ymm[i], 16);
        memcpy(x + XSAVE_YMM + 16 * i, c->regs.ymm[i] + 2, 16);
    }
    memcpy(x + 512, &bv, 8);
}

static void run_case(DiffCase *c)
{
    static uint8_t xsave[XSAVE_SIZE] __attribute__((aligned(64)));
    current = c;
    memset((void *)DIFF_CODE, 0xcc, DIFF_PAGE);
    memcpy((void *)DIFF_CODE, c->code, c->len);
    mprotect((void *)DIFF_DATA, DIFF_DATA_SIZE, PROT_READ | PROT_WRITE);
    diff_fill(c->seed, (uint8_t *)DIFF_DATA, DIFF_DATA_SIZE);
    mprotect((void *)(DIFF_DATA + DIFF_RW), DIFF_PAGE, PROT_READ);
    make_trampoline(c);
    make_xsave(c, xsave);
    syscall(SYS_arch_prctl, ARCH_SET_GS, c->regs.gs_base);
    if (sigsetjmp(back, 1) == 0) {
        if (c->mode == 32)
            __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(USER_DS));
        alarm(5);
        __asm__ volatile("xrstor64 %0\n\tjmp *%1" : : "m"(*(uint8_t (*)[XSAVE_SIZE])xsave),
                         "r"((uintptr_t)DIFF_TRAMP), "a"(7), "d"(0) : "memory");
        __builtin_unreachable();
    }
    alarm(0);
    __asm__ volatile("cld; fninit");
    memcpy(c->native.mem, (void *)DIFF_DATA, DIFF_RW);
    c->native.done = true;
}

DiffCase *diff_cases(unsigned n)
{
    DiffCase *c = mmap(NULL, n * sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert(c != MAP_FAILED);
    return c;
}

void diff_native(DiffCase *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        c[i].native.done = false;
    pid_t pid = fork();
    g_assert(pid >= 0);
    if (pid == 0) {
        child_init();
        for (unsigned i = 0; i < n; i++)
            run_case(&c[i]);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
}

/* The x86-64 host back end: its entry points for the engine (tcg.h).
 * cg.h has the map of the folder. */
#define _GNU_SOURCE
#include "tcg/hosts/x86_64/cg.h"

#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

#include "util/bits.h"
#include "util/log.h"

HostFeat host_feat;
bool host_feat_known;

const HostOp *const host_ops[IR_OPCODES] = {
    [IR_nop] = &host_op_nop,
#define OP(name, ...) [IR_##name] = &host_op_##name,
#include "tcg/ops.def"
#undef OP
};

/* ---- features (Intel SDM volume 2, CPUID) ---- */

static void detect(HostFeat *f)
{
    unsigned a, b, c, d;
    __builtin_cpu_init();
    f->ssse3 = __builtin_cpu_supports("ssse3");
    f->sse41 = __builtin_cpu_supports("sse4.1");
    f->sse42 = __builtin_cpu_supports("sse4.2");
    f->avx = __builtin_cpu_supports("avx");              /* includes the operating system's part */
    f->avx2 = __builtin_cpu_supports("avx2");
    f->fma = __builtin_cpu_supports("fma");
    f->bmi1 = __builtin_cpu_supports("bmi");
    f->bmi2 = f->avx && __builtin_cpu_supports("bmi2");  /* VEX-encoded */
    f->bmi1 = f->bmi1 && f->avx;
    f->popcnt = __builtin_cpu_supports("popcnt");
    f->aes = __builtin_cpu_supports("aes");
    f->pclmul = __builtin_cpu_supports("pclmul");
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        f->movbe = c >> 22 & 1;
        f->f16c = f->avx && (c >> 29 & 1);
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        f->lzcnt = c >> 5 & 1;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        f->sha = b >> 29 & 1;
    }
}

/* ---- registers ---- */

static const uint8_t int_pins[] = { RAX, RCX, RDX, RBX, R14, R15, RSI, RDI, R8, R9, R10 };
enum { VEC_PINS = 12 };

static void make_map(RaMap *m, const IrArch *arch)
{
    memset(m->pin, RA_NONE, sizeof(m->pin));
    memset(m->guest, RA_NONE, sizeof(m->guest));
    memset(m->homed, 0, sizeof(m->homed));
    m->arch = arch;
    for (unsigned r = 0; r < arch->nregs; r++) {
        bool vec = arch->regs[r].type == IR_VEC;
        unsigned heat = arch->regs[r].heat;
        if (heat < (vec ? (unsigned)VEC_PINS : ARRAY_LEN(int_pins))) {
            unsigned h = vec ? heat : int_pins[heat];
            m->pin[r] = (uint8_t)h;
            m->guest[vec][h] = (uint8_t)r;
        } else if (!vec) {
            m->homed[r / 64] |= BIT(r % 64);
        }
    }
    m->temps[BANK_INT] = 1 << R11 | 1 << R12 | 1 << R13;
    m->temps[BANK_VEC] = 15 << VEC_PINS;
    m->nslots[BANK_INT] = ENV_SPILLS;
    m->nslots[BANK_VEC] = ENV_VSPILLS;
    m->slot_off[BANK_INT] = ENV_SCRATCH + offsetof(TcgScratch, spill);
    m->slot_off[BANK_VEC] = ENV_SCRATCH + offsetof(TcgScratch, spill_v);
    m->slot_size[BANK_INT] = 8;
    m->slot_size[BANK_VEC] = 16;
    m->lend_off[BANK_INT] = ENV_SCRATCH + offsetof(TcgScratch, tmp_save[5]);
    m->lend_off[BANK_VEC] = ENV_SCRATCH + offsetof(TcgScratch, vtmp_save[5]);
}

/* ---- SIGFPE: a div in generated code ---- */

static HostState *states;                /* all engines of the process; only grows at the head, under states_lock */
static GMutex states_lock;
static struct sigaction old_sigfpe;

bool host_fault(TcgCtx *ctx, TcgEnv *env, void *ucontext)
{
    ucontext_t *uc = ucontext;
    uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
    if (!code_contains(ctx->buf, rip)) {
        return false;
    }
    env_scratch(env)->site = rip + 1;
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)ctx->host->arith;
    return true;
}

static void on_sigfpe(int sig, siginfo_t *info, void *ucontext)
{
    ucontext_t *uc = ucontext;
    for (HostState *hs = __atomic_load_n(&states, __ATOMIC_ACQUIRE); hs; hs = hs->next) {
        TcgEnv *env = (TcgEnv *)((uintptr_t)uc->uc_mcontext.gregs[REG_RBP] - ENV_BIAS);
        if (code_contains(hs->ctx->buf, (uintptr_t)uc->uc_mcontext.gregs[REG_RIP]) && host_fault(hs->ctx, env, uc)) {
            return;
        }
    }
    (void)info;
    sigaction(sig, &old_sigfpe, NULL);   /* not ours: returning repeats it with the old action */
}

static void states_add(HostState *hs)
{
    static bool installed;
    g_mutex_lock(&states_lock);
    if (!installed) {
        struct sigaction sa = { .sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO | SA_NODEFER };
        sigemptyset(&sa.sa_mask);
        sigaction(SIGFPE, &sa, &old_sigfpe);
        installed = true;
    }
    hs->next = states;
    __atomic_store_n(&states, hs, __ATOMIC_RELEASE);
    g_mutex_unlock(&states_lock);
}

static void states_remove(HostState *hs)
{
    g_mutex_lock(&states_lock);
    for (HostState **p = &states; *p; p = &(*p)->next) {
        if (*p == hs) {
            *p = hs->next;
            break;
        }
    }
    g_mutex_unlock(&states_lock);
}

/* ---- -perfmap ---- */

static FILE *perfmap;

bool host_perfmap(GError **err)
{
    g_autofree char *path = g_strdup_printf("/tmp/perf-%d.map", (int)getpid());
    perfmap = fopen(path, "we");
    if (!perfmap) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "cannot write %s: %s", path, g_strerror(errno));
    }
    return perfmap != NULL;
}

static void perfmap_add(const void *code, size_t size, const char *what, uint64_t pc)
{
    if (perfmap) {
        fprintf(perfmap, "%" PRIx64 " %zx %s:%" PRIx64 "\n", (uint64_t)(uintptr_t)code, size, what, pc);
        fflush(perfmap);
    }
}

/* ---- set-up ---- */

enum { THUNKS_MAX = 192 << 10 };

bool host_init(TcgCtx *ctx, GError **err)
{
    (void)err;
    if (!host_feat_known) {
        detect(&host_feat);
    }
    HostState *hs = ctx->host = g_new0(HostState, 1);
    hs->ctx = ctx;
    hs->cg = g_new0(Cg, 1);
    hs->helper = g_new0(const uint8_t *, ctx->arch->nhelpers + 1);
    make_map(&hs->map, ctx->arch);
    const uint8_t *rx = code_begin_permanent(ctx->buf, THUNKS_MAX);
    Emit e = { .rx = rx };
    e.p = e.start = code_rw(ctx->buf, rx);
    host_make_thunks(hs, &e);
    g_assert(e.p - e.start < THUNKS_MAX);
    code_commit(ctx->buf, (size_t)(e.p - e.start), NULL);
    perfmap_add(rx, (size_t)(e.p - e.start), "thunks", 0);
    states_add(hs);
    return true;
}

void host_done(TcgCtx *ctx)
{
    HostState *hs = ctx->host;
    states_remove(hs);
    g_free(hs->cg->rec);
    g_free(hs->cg->writes);
    g_free(hs->cg);
    g_free(hs->helper);
    g_free(hs);
    ctx->host = NULL;
}

int host_enter(TcgCtx *ctx, TcgEnv *env, const uint8_t *code)
{
    int (*enter)(TcgEnv *, const void *) = (int (*)(TcgEnv *, const void *))(uintptr_t)ctx->host->enter;
    return enter(env, code);
}

/* Vectors that a light call left in host registers.  Nothing before this may touch them. */
RHEA_GPR_ONLY void host_abandon(TcgCtx *ctx, TcgEnv *env)
{
    TcgScratch *s = env_scratch(env);
    if (ctx->interp || !s->vec_live) {
        return;
    }
    s->vec_live = 0;
    const RaMap *m = &ctx->host->map;
#define SAVE(n) \
    if (m->guest[BANK_VEC][n] != RA_NONE) { \
        __asm__ volatile("movups %%xmm" #n ", (%0)" : : \
                         "r"((char *)env + m->arch->regs[m->guest[BANK_VEC][n]].offset) : "memory"); \
    }
    SAVE(0) SAVE(1) SAVE(2) SAVE(3) SAVE(4) SAVE(5) SAVE(6) SAVE(7) SAVE(8) SAVE(9) SAVE(10) SAVE(11)
#undef SAVE
    __asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(env->fpcr) : "m"(s->host_mxcsr));
}

/* ---- compiling ---- */

static unsigned count_jumps(const IrUnit *u)
{
    unsigned n = 0;
    for (unsigned i = 0; i < u->nops; i++) {
        const IrOp *o = &u->ops[i];
        if (ir_op_info[o->op].flags & IRF_EXIT) {
            n += u->exits[o->op == IR_br ? o->x >> 4 : o->x].kind == IRX_DIRECT;
        }
    }
    return n;
}

Stub *cg_stub(Cg *c, StubKind kind)
{
    g_assert(c->nstubs < CG_MAX_STUBS);
    Stub *s = &c->stubs[c->nstubs++];
    s->kind = kind;                      /* not all of it: a clear of the whole costs more than most stubs */
    s->from[0] = s->from[1] = NULL;
    s->d = -1;
    s->fixed = s->vec = false;
    return s;
}

/* Compares the exec TLB's entry of a page with what this block was made from; jumps away if it differs. */
static uint8_t *check_page(Cg *c, uint64_t pc, uint64_t gpa)
{
    uint32_t entry = ENV_TLB_TABLE(c->b->tlb_mode, TLB_EXEC) + tlb_index(pc) * (uint32_t)sizeof(TlbEntry);
    x_movi(&c->e, R11, tlb_exec_tag(pc, gpa));
    x_alu(&c->e, X_CMP, 64, R11, rm_env(entry));
    return x_jcc(&c->e, CC_NE);
}

static uint64_t second_page(const Cg *c)
{
    uint64_t pc = (c->b->pc | ((1 << TLB_PAGE_BITS) - 1)) + 1;
    return c->u->pc_bias ? (uint32_t)pc : pc;
}

/* The entry for jumps from other pages, and where a failed check goes: to the lookup, with the pc of this block. */
static void entry_checks(Cg *c, uint8_t *second)
{
    uint64_t pc = c->b->pc - c->u->pc_bias;
    c->b->xcode = x_here(&c->e);
    uint8_t *first = check_page(c, c->b->pc, c->b->gpa);
    x_jmp_to(&c->e, c->b->code);
    x_patch(&c->e, first);
    if (second) {
        x_patch(&c->e, second);
    }
    uint32_t home = c->u->arch->regs[c->u->arch->pc_reg].offset;
    host_ra_store_imm(&c->ra, home, c->u->pc_bias ? (uint32_t)pc : pc);
    x_jmp_to(&c->e, c->hs->lookup);
}

static void emit_ops(Cg *c)
{
    for (unsigned i = 0; i < c->u->nops; i++) {
        const IrOp *o = &c->u->ops[i];
        ra_op(&c->ra, i);
        if (!ra_dead_op(&c->ra, i) && !(o->d && c->ra.val[o->d].lazy)) {
            host_ops[o->op]->emit(c, o);
        }
    }
}

static void emit_stubs(Cg *c)
{
    static void (*const emit[])(Cg *, const Stub *) = {
        [STUB_MEM] = cg_mem_stub, [STUB_EXIT] = cg_exit_stub, [STUB_LINK] = cg_link_stub,
    };
    for (unsigned i = 0; i < c->nstubs; i++) {           /* an EXIT stub may add a LINK stub */
        emit[c->stubs[i].kind](c, &c->stubs[i]);
    }
}

/* More than any unit of this many ops and exits needs. */
static size_t max_size(const IrUnit *u)
{
    return 4096 + (size_t)u->nops * 448 + (size_t)u->nexits * 640;
}

bool host_compile(TcgCtx *ctx, const IrUnit *u, Block *b)
{
    Cg *c = ctx->host->cg;
    const uint8_t *rx = code_begin(ctx->buf, max_size(u));
    if (!rx) {
        return false;
    }
    c->e = (Emit){ .rx = rx };
    c->e.p = c->e.start = code_rw(ctx->buf, rx);
    c->hs = ctx->host;
    c->u = u;
    c->b = b;
    c->fl.kind = FL_NONE;
    c->insn = c->nstubs = c->nwrites = c->nrec = c->njumps = 0;
    b->njumps = (uint16_t)count_jumps(u);
    b->jumps = g_new0(Jump, b->njumps);
    b->pc_bias = u->pc_bias;
    b->code = rx;
    ra_begin(&c->ra, &c->hs->map, u);
    uint8_t *second = b->gpa2 != UINT64_MAX ? check_page(c, second_page(c), b->gpa2) : NULL;
    emit_ops(c);
    emit_stubs(c);
    entry_checks(c, second);
    size_t size = (size_t)(c->e.p - c->e.start);
    g_assert(size <= max_size(u) && c->njumps == b->njumps);
    cg_records_done(c);
    b->code_size = (uint32_t)size;
    ctx->stats.host_insns += c->e.count;
    ctx->stats.host_bytes += size;
    code_commit(ctx->buf, size, b);
    perfmap_add(b->code, size, "guest", b->pc);
    return true;
}

bool host_xentry(TcgCtx *ctx, Block *b)
{
    (void)ctx;
    return b->xcode != NULL;             /* made with the block */
}

void host_patch(TcgCtx *ctx, Jump *j, const uint8_t *target)
{
    uint32_t rel = (uint32_t)((target ? target : j->stub) - (j->site + 4));
    /* aligned, so that a vcpu that runs there sees the old target or the new */
    __atomic_store_n((uint32_t *)code_rw(ctx->buf, j->site), rel, __ATOMIC_RELEASE);
}

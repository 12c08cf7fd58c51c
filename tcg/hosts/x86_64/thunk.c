/* Code that is made once: the way in and out of generated code, slow paths of
 * memory accesses, calls of C.
 *
 * Two ways to call C from generated code:
 *
 *   light   for C that is compiled without vector registers (RHEA_GPR_ONLY).  Guest vectors and MXCSR stay where they
 *           are; integer registers are copied to their homes and tmp_save, so that a fault record can be applied.
 *           TcgScratch.vec_live tells host_abandon() that the vectors still have to be saved.
 *   heavy   for all other C.  Vectors go to their homes and vtmp_save too, MXCSR to env.fpcr; C runs with the MXCSR of
 *           the thread.  After it everything is loaded again, so that a helper may change homes.
 *
 * Both are entered by `call` with the function in r11, whose content is in tmp_save[0] already, and arguments in
 * slow_arg[0..3]; the result is in slow_val[0].  TcgScratch.site is set to the return address.
 *
 * Stack: aligned to 16 in blocks, so 8 off at a thunk's entry.
 */
#include "tcg/hosts/x86_64/cg.h"
#include "util/bits.h"

enum { CALL_ARGS = 4 };
static const uint8_t arg_reg[CALL_ARGS + 1] = { RDI, RSI, RDX, RCX, R8 };
static const uint8_t caller_saved[] = { RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11 };
static const uint8_t callee_saved[] = { RBX, R12, R13, R14, R15 };

typedef struct Thunks {
    HostState *hs;
    Emit *e;
} Thunks;

static bool is_caller_saved(int h)
{
    for (unsigned i = 0; i < ARRAY_LEN(caller_saved); i++) {
        if (caller_saved[i] == h) {
            return true;
        }
    }
    return false;
}

static Rm tmp_save(int h)
{
    return rm_env(ENV_SCRATCH + (uint32_t)(offsetof(TcgScratch, tmp_save) + 8 * (unsigned)(h - R11)));
}

static Rm vtmp_save(int n)
{
    return rm_env(ENV_SCRATCH + (uint32_t)offsetof(TcgScratch, vtmp_save) + 16 * (unsigned)n);
}

/* Where host register h is saved, if it holds anything of the guest. */
static bool int_home(const HostState *hs, int h, Rm *m)
{
    unsigned r = hs->map.guest[BANK_INT][h];
    if (hs->map.temps[BANK_INT] >> h & 1) {
        *m = tmp_save(h);
        return true;
    }
    if (r == RA_NONE) {
        return false;
    }
    *m = rm_env(hs->map.arch->regs[r].offset);
    return true;
}

static void save_ints(const Thunks *t, bool r11)
{
    Rm m;
    for (int h = 0; h < 16; h++) {
        if ((h != R11 || r11) && int_home(t->hs, h, &m)) {
            x_store(t->e, 64, m, h);
        }
    }
}

static void load_ints(const Thunks *t, bool all)
{
    Rm m;
    for (int h = 0; h < 16; h++) {
        if ((all || is_caller_saved(h)) && int_home(t->hs, h, &m)) {
            x_mov(t->e, 64, h, m);
        }
    }
}

static void vec_moves(const Thunks *t, uint32_t op, bool temps)
{
    for (int h = 0; h < 16; h++) {
        unsigned r = t->hs->map.guest[BANK_VEC][h];
        Rm m;
        if (r != RA_NONE) {
            m = rm_env(t->hs->map.arch->regs[r].offset);
        } else if (temps && t->hs->map.temps[BANK_VEC] >> h & 1) {
            m = vtmp_save(h - 12);
        } else {
            continue;
        }
        if (host_feat.avx) {
            x_vex(t->e, op | OP_0F, h, 0, m);
        } else {
            x_op(t->e, op | OP_0F, h, m);
        }
    }
}

/* Vectors and MXCSR out to the vcpu, C's MXCSR in; and back. movups: 10 load, 11 store; 0f ae /2 ldmxcsr, /3 stmxcsr */
static void vec_out(const Thunks *t)
{
    vec_moves(t, 0x11, true);
    x_op(t->e, 0xae | OP_0F, 3, rm_env(offsetof(TcgEnv, fpcr)));
    x_op(t->e, 0xae | OP_0F, 2, RM_SCRATCH(host_mxcsr));
}

static void vec_in(const Thunks *t)
{
    x_op(t->e, 0xae | OP_0F, 2, rm_env(offsetof(TcgEnv, fpcr)));
    vec_moves(t, 0x10, true);
}

static void env_arg(const Thunks *t)
{
    x_lea(t->e, 64, RDI, rm_mem(RBP, -1, 0, -ENV_BIAS));
}

static void call_abs(const Thunks *t, void *fn)
{
    x_movi(t->e, RAX, (uint64_t)(uintptr_t)fn);
    x_op(t->e, 0xff, 2, rm_reg(RAX));
}

static void stack_adjust(const Thunks *t, int by)
{
    x_alui(t->e, by > 0 ? X_ADD : X_SUB, 64, rm_reg(RSP), by > 0 ? by : -by);
}

static void ret(const Thunks *t)
{
    t->e->count++;
    x_byte(t->e, 0xc3);
}

static void push(const Thunks *t, int r)
{
    t->e->count++;
    if (r & 8) {
        x_byte(t->e, 0x41);
    }
    x_byte(t->e, 0x50 | (r & 7));
}

static void pop(const Thunks *t, int r)
{
    t->e->count++;
    if (r & 8) {
        x_byte(t->e, 0x41);
    }
    x_byte(t->e, 0x58 | (r & 7));
}

/* site = return address of the thunk (at [rsp + depth]); uses rax */
static void set_site(const Thunks *t, int depth)
{
    x_mov(t->e, 64, RAX, rm_mem(RSP, -1, 0, depth));
    x_store(t->e, 64, RM_SCRATCH(site), RAX);
}

static void count(const Thunks *t, size_t field)
{
    x_op(t->e, 0xff | OP_W, 0, rm_env(ENV_SCRATCH + (uint32_t)field));       /* inc */
}

static const uint8_t *begin(const Thunks *t)
{
    while ((uintptr_t)t->e->p & 15) {
        x_byte(t->e, 0xcc);
    }
    return x_here(t->e);
}

/* ---- in and out ---- */

/* int enter(TcgEnv *env, const void *code) */
static void make_enter(const Thunks *t)
{
    Emit *e = t->e;
    t->hs->enter = begin(t);
    push(t, RBP);
    for (unsigned i = 0; i < ARRAY_LEN(callee_saved); i++) {
        push(t, callee_saved[i]);
    }
    stack_adjust(t, -8);                 /* return address and six pushes: 56 + 8 */
    x_lea(e, 64, RBP, rm_mem(RDI, -1, 0, ENV_BIAS));
    x_store(e, 64, RM_SCRATCH(host_sp), RSP);
    x_op(e, 0xae | OP_0F, 3, RM_SCRATCH(host_mxcsr));
    x_store_imm(e, 64, RM_SCRATCH(site), 0);
    x_store(e, 64, tmp_save(R11), RSI);
    vec_in(t);
    load_ints(t, true);
    x_op(e, 0xff, 4, rm_reg(R11));
}

/* Homes are complete but for what is pinned; pc is set. */
static void make_epilogue(const Thunks *t)
{
    Emit *e = t->e;
    t->hs->epilogue = begin(t);
    save_ints(t, false);
    vec_out(t);
    x_store_imm(e, 64, RM_SCRATCH(site), 0);
    x_movi(e, RAX, HOST_LEFT_LOOP);
    stack_adjust(t, 8);
    for (unsigned i = ARRAY_LEN(callee_saved); i-- > 0;) {
        pop(t, callee_saved[i]);
    }
    pop(t, RBP);
    ret(t);
}

/* Jumped to at the end of a block.  C says where to go on. */
static void make_go_on(const Thunks *t, void *fn, bool jump_arg)
{
    Emit *e = t->e;
    if (jump_arg) {
        x_store(e, 64, tmp_save(R11), R11);
        x_mov(e, 64, R12, rm_mem(R11, -1, 0, offsetof(Jump, pc)));
        x_store(e, 64, rm_env(t->hs->map.arch->regs[t->hs->map.arch->pc_reg].offset), R12);
    } else {
        x_alui(e, X_CMP, 32, rm_env(offsetof(TcgEnv, exit_request)), 0);
        x_jcc_to(e, CC_NE, t->hs->epilogue);
    }
    save_ints(t, false);
    vec_out(t);
    x_store_imm(e, 64, RM_SCRATCH(site), 0);
    env_arg(t);
    if (jump_arg) {
        x_mov(e, 64, RSI, tmp_save(R11));
    }
    call_abs(t, fn);
    x_store(e, 64, tmp_save(R11), RAX);
    vec_in(t);
    load_ints(t, true);
    x_test(e, 64, R11, rm_reg(R11));
    x_jcc_to(e, CC_E, t->hs->epilogue);
    x_op(e, 0xff, 4, rm_reg(R11));
}

/* Where a unit goes whose helper changed pc and mode: the jump cache, in front of `lookup`. */
static void make_probe(const Thunks *t)
{
    const IrArch *arch = t->hs->map.arch;
    Emit *e = t->e;
    t->hs->probe = begin(t);
    x_alui(e, X_CMP, 32, rm_env(offsetof(TcgEnv, exit_request)), 0);
    x_jcc_to(e, CC_NE, t->hs->epilogue);
    x_mov(e, 64, R11, rm_env(arch->regs[arch->pc_reg].offset));
    x_mov(e, 64, R12, rm_env(offsetof(TcgEnv, pc_bias)));
    x_test(e, 64, R12, rm_reg(R12));
    uint8_t *flat = x_jcc8(e, CC_E);
    x_alu(e, X_ADD, 32, R11, rm_reg(R12));               /* wraps at 32 bits */
    x_patch8(e, flat);
    x_mov_rr(e, 32, R12, R11);
    x_alui(e, X_AND, 32, rm_reg(R12), JC_SIZE - 1);
    x_shifti(e, X_SHL, 32, R12, 4);
    x_alu(e, X_XOR, 64, R11, rm_env(offsetof(TcgEnv, jc_salt)));
    x_alu(e, X_CMP, 64, R11, rm_mem(RBP, R12, 0, (int32_t)ENV_JC - ENV_BIAS));
    uint8_t *miss = x_jcc8(e, CC_NE);
    x_op(e, 0xff, 4, rm_mem(RBP, R12, 0, (int32_t)ENV_JC - ENV_BIAS + 8));
    x_patch8(e, miss);
    x_jmp_to(e, t->hs->lookup);
}

/* ---- calls ---- */

static void load_args(const Thunks *t)
{
    env_arg(t);
    for (unsigned i = 0; i < CALL_ARGS; i++) {
        x_mov(t->e, 64, arg_reg[i + 1], rm_env(ENV_SCRATCH + (uint32_t)(offsetof(TcgScratch, slow_arg) + 8 * i)));
    }
}

static void make_call(const Thunks *t, bool heavy, bool write)
{
    Emit *e = t->e;
    save_ints(t, false);
    set_site(t, 0);
    if (heavy) {
        vec_out(t);
    } else {
        x_store_imm(e, 32, RM_SCRATCH(vec_live), 1);
    }
    count(t, offsetof(TcgScratch, n_helper));
    load_args(t);
    stack_adjust(t, -8);
    x_op(e, 0xff, 2, rm_reg(R11));
    stack_adjust(t, 8);
    x_store(e, 64, RM_SCRATCH(slow_val[0]), RAX);
    if (heavy) {
        vec_in(t);
    } else {
        x_store_imm(e, 32, RM_SCRATCH(vec_live), 0);
    }
    load_ints(t, heavy || write);
    ret(t);
}

static void make_helper(const Thunks *t, unsigned i)
{
    const IrHelper *h = &t->hs->map.arch->helpers[i];
    Emit *e = t->e;
    t->hs->helper[i] = x_here(e);
    x_store(e, 64, tmp_save(R11), R11);
    x_movi(e, R11, (uint64_t)(uintptr_t)h->fn);
    x_jmp_to(e, !(h->flags & IRH_GPR) || (h->flags & IRH_VEC) ? t->hs->heavy :
                h->flags & IRH_WRITE ? t->hs->light_write : t->hs->light);
}

/* ---- memory ---- */

/* Accesses that the inline path never makes are kept from rt->refill here: it would say yes for ever. */
static RHEA_GPR_ONLY bool slow_refill(TcgEnv *env, uint64_t addr, unsigned memop, unsigned kind, const TcgRuntime *rt)
{
    unsigned size = irm_size(memop);
    if ((addr & ((1 << TLB_PAGE_BITS) - 1)) > (1u << TLB_PAGE_BITS) - size || (memop & IRM_ALIGN && addr & (size - 1))) {
        return false;
    }
    return rt->refill(env, addr, memop, kind);
}

/* Which arguments a slow path takes after env and the address: memop, values, address of the vector. */
enum { A_MEMOP, A_VAL0, A_VAL1, A_VEC, A_END };
static const struct {
    size_t fn;                           /* in TcgRuntime */
    uint8_t arg[4];
} slow_paths[T_COUNT] = {
    [T_LD] = { offsetof(TcgRuntime, ld), { A_MEMOP, A_END } },
    [T_ST] = { offsetof(TcgRuntime, st), { A_VAL0, A_MEMOP, A_END } },
    [T_LDV] = { offsetof(TcgRuntime, ldv), { A_MEMOP, A_VEC, A_END } },
    [T_STV] = { offsetof(TcgRuntime, stv), { A_MEMOP, A_VEC, A_END } },
    [T_PROBE] = { offsetof(TcgRuntime, probe), { A_MEMOP, A_END } },
    [T_RMW] = { offsetof(TcgRuntime, rmw), { A_VAL0, A_MEMOP, A_END } },
    [T_CAS] = { offsetof(TcgRuntime, cas), { A_VAL0, A_VAL1, A_MEMOP, A_END } },
};

/* The stub behind the return address: jmp retry (5 bytes), test eax, memop | kind << 16 */
enum { STUB_MEMOP = 6, STUB_KIND = 8, STUB_DONE = 10 };

/* rax: the return address */
static void slow_args(const Thunks *t, const uint8_t *arg)
{
    env_arg(t);
    x_mov(t->e, 64, RSI, RM_SCRATCH(slow_addr));
    for (unsigned i = 0; arg[i] != A_END; i++) {
        int r = arg_reg[i + 2];
        if (arg[i] == A_MEMOP) {
            x_movzx(t->e, 16, r, rm_mem(RAX, -1, 0, STUB_MEMOP));
        } else if (arg[i] == A_VEC) {
            x_lea(t->e, 64, r, RM_SCRATCH(slow_val[0]));
        } else {
            x_mov(t->e, 64, r, arg[i] == A_VAL0 ? RM_SCRATCH(slow_val[0]) : RM_SCRATCH(slow_val[1]));
        }
    }
}

/* Entries of slow path n: the address is in T0, to be xor'ed with the tag that T1 and the table select, unless T1 is T0. */
static void make_slow_entries(const Thunks *t, int n, const uint8_t *slow)
{
    Emit *e = t->e;
    for (int t0 = 0; t0 < CG_TEMPS; t0++) {
        for (int t1 = 0; t1 < CG_TEMPS; t1++) {
            for (unsigned k = 0; k < (t1 == t0 ? 1 : TLB_MODES * TLB_KINDS); k++) {
                t->hs->slow[n][t0][t1][k] = x_here(e);
                if (t1 != t0) {
                    x_alu(e, X_XOR, 64, R11 + t0, rm_mem(RBP, R11 + t1, 0, (int32_t)ENV_TLB_TABLE(0, k) - ENV_BIAS));
                }
                x_store(e, 64, RM_SCRATCH(slow_addr), R11 + t0);
                x_jmp_to(e, slow);
            }
        }
    }
}

static void make_slow(const Thunks *t, int n)
{
    const TcgRuntime *rt = t->hs->ctx->rt;
    Emit *e = t->e;
    const uint8_t *slow = begin(t);
    /* refill: nine pushes and the return address keep the stack aligned */
    for (unsigned i = 0; i < ARRAY_LEN(caller_saved); i++) {
        push(t, caller_saved[i]);
    }
    env_arg(t);
    x_mov(e, 64, RSI, RM_SCRATCH(slow_addr));
    x_mov(e, 64, RDX, rm_mem(RSP, -1, 0, 8 * ARRAY_LEN(caller_saved)));
    x_movzx(e, 16, RCX, rm_mem(RDX, -1, 0, STUB_KIND));
    x_movzx(e, 16, RDX, rm_mem(RDX, -1, 0, STUB_MEMOP));
    x_movi(e, R8, (uint64_t)(uintptr_t)rt);
    call_abs(t, (void *)slow_refill);
    x_test(e, 8, RAX, rm_reg(RAX));
    for (unsigned i = ARRAY_LEN(caller_saved); i-- > 0;) {
        pop(t, caller_saved[i]);
    }
    uint8_t *full = x_jcc8(e, CC_E);
    ret(t);                              /* to `jmp retry` */
    x_patch8(e, full);
    save_ints(t, true);
    set_site(t, 0);
    vec_out(t);
    slow_args(t, slow_paths[n].arg);
    stack_adjust(t, -8);
    call_abs(t, *(void **)((char *)rt + slow_paths[n].fn));
    stack_adjust(t, 8);
    if (n == T_LD || n == T_RMW || n == T_CAS) {
        x_store(e, 64, RM_SCRATCH(slow_val[0]), RAX);
    }
    vec_in(t);
    load_ints(t, true);
    x_alui(e, X_ADD, 64, rm_mem(RSP, -1, 0, 0), STUB_DONE);
    ret(t);
    make_slow_entries(t, n, slow);
}

/* host_fault() sends a div that trapped here, with site set: rsp is a block's. */
static void make_arith(const Thunks *t)
{
    t->hs->arith = begin(t);
    save_ints(t, true);
    vec_out(t);
    env_arg(t);
    call_abs(t, (void *)t->hs->ctx->rt->arith);
    t->e->count++;
    x_byte(t->e, 0xcc);
}

void host_make_thunks(HostState *hs, Emit *e)
{
    Thunks t = { hs, e };
    make_enter(&t);
    make_epilogue(&t);
    hs->chain = begin(&t);
    make_go_on(&t, (void *)hs->ctx->rt->chain, true);
    hs->lookup = begin(&t);
    make_go_on(&t, (void *)hs->ctx->rt->lookup, false);
    make_probe(&t);
    hs->heavy = begin(&t);
    make_call(&t, true, true);
    hs->light = begin(&t);
    make_call(&t, false, false);
    hs->light_write = begin(&t);
    make_call(&t, false, true);
    for (int n = 0; n < T_COUNT; n++) {
        make_slow(&t, n);
    }
    make_arith(&t);
    begin(&t);
    for (unsigned i = 0; i < hs->map.arch->nhelpers; i++) {
        make_helper(&t, i);
    }
}

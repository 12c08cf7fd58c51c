/* Runs cases on a vcpu in user mode, without a board.  See diff.h.
 *
 * The arch is used as it is but for `raise`, which records the exception and
 * leaves the execution loop. */
#include "tests/diff/diff.h"

#include <cpuid.h>
#include <setjmp.h>
#include <string.h>

#include "cpu/exec.h"
#include "cpu/x86/cc.h"
#include "cpu/x86/fpu.h"
#include "cpu/x86/sys.h"
#include "util/lock.h"

enum { RAM_SIZE = 64 << 20, TABLES = 0x100000 };         /* page tables from here on */

struct DiffGuest {
    CpuArch arch;                        /* a copy with our own raise */
    CpuGroup *group;
    X86Cpu *cpu;
    MemRegion *ram, *mem, *io;
    AddressSpace *as, *ios;
    uint8_t *host;
    Fault fault;
};

static sigjmp_buf back;
static DiffGuest *running;

static void on_raise(Vcpu *v, const Fault *f)
{
    (void)v;
    running->fault = *f;
    siglongjmp(back, 1);
}

/* ---- the machine ---- */

static void set_entry(DiffGuest *g, unsigned table, unsigned index, uint64_t v)
{
    memcpy(g->host + TABLES + table * DIFF_PAGE + index * 8, &v, 8);
}

/* PML4, PDPT, PD, and a page table for each of code and data; user pages */
static void make_tables(DiffGuest *g)
{
    enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, ALL = P | W | U | A | D };
    set_entry(g, 0, 0, (TABLES + 1 * DIFF_PAGE) | ALL);
    set_entry(g, 1, 0, (TABLES + 2 * DIFF_PAGE) | ALL);
    set_entry(g, 2, DIFF_CODE >> 21, (TABLES + 3 * DIFF_PAGE) | ALL);
    set_entry(g, 2, DIFF_DATA >> 21, (TABLES + 4 * DIFF_PAGE) | ALL);
    set_entry(g, 3, (DIFF_CODE >> 12) & 511, DIFF_CODE | ALL);
    for (unsigned i = 0; i < 3; i++)
        set_entry(g, 4, ((DIFF_DATA >> 12) + i) & 511, (DIFF_DATA + i * DIFF_PAGE) | (i == 2 ? ALL & ~W : ALL));
}

static void host_features(X86Cpu *c)
{
    unsigned a = 0, b = 0, cx = 0, d = 0;
    __get_cpuid_count(1, 0, &a, &b, &cx, &d);
    c->feat[CW_1_EDX] = d, c->feat[CW_1_ECX] = cx;
    __get_cpuid_count(7, 0, &a, &b, &cx, &d);
    c->feat[CW_7_EBX] = b, c->feat[CW_7_ECX] = cx, c->feat[CW_7_EDX] = d;
    __get_cpuid_count(0x80000001, 0, &a, &b, &cx, &d);
    c->feat[CW_80000001_EDX] = d, c->feat[CW_80000001_ECX] = cx;
    __get_cpuid_count(13, 1, &a, &b, &cx, &d);
    c->feat[CW_D_1_EAX] = a;
}

static void set_mode(X86Cpu *c, unsigned mode)
{
    uint32_t data = DA_S | DA_RW | DA_ACC | DA_P | DA_DPL | DA_DB | DA_G;
    uint32_t code = (data & ~(uint32_t)DA_DB) | DA_CODE | (mode == 64 ? DA_L : DA_DB);
    c->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE;
    c->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    c->xcr0 = 7;
    c->cr3 = TABLES;
    for (unsigned s = 0; s < 6; s++)
        c->seg[s] = (X86Seg){ .sel = s != SEG_CS ? 0x2b : mode == 64 ? 0x33 : 0x23, .limit = ~0u, .attr = s == SEG_CS ? code : data };
    c->eflags = 2 | FL_IF;
    x86_update_mode(c);
}

static const CpuArch *x86(void)
{
    return arch_find("x86");
}

DiffGuest *diff_guest_new(bool interp)
{
    DiffGuest *g = g_new0(DiffGuest, 1);
    GError *err = NULL;
    TcgOptions opt = { .interp = interp };
    g->arch = *x86();
    g->arch.raise = on_raise;
    machine_lock();
    g->ram = mem_ram_new("ram", RAM_SIZE, &err);
    g->mem = mem_container_new("memory", UINT64_MAX);
    g->io = mem_container_new("io", 65536);
    mem_add(g->mem, 0, g->ram, 0);
    g->as = as_new("memory", g->mem);
    g->ios = as_new("io", g->io);
    g->host = mem_host(g->ram);
    g->group = cpus_new(&g->arch, 1, NULL, g->as, g->ios, &opt, &err);
    machine_unlock();
    g_assert_no_error(err);
    g->cpu = x86_of(g->group->cpu[0]);
    g->group->running = true;
    host_features(g->cpu);
    make_tables(g);
    return g;
}

void diff_guest_free(DiffGuest *g)
{
    machine_lock();
    g->group->running = false;
    cpus_free(g->group);
    as_free(g->as);
    as_free(g->ios);
    mem_unref(g->mem);
    mem_unref(g->io);
    mem_unref(g->ram);
    machine_unlock();
    g_free(g);
}

/* ---- a case ---- */

static void load_state(DiffGuest *g, const DiffCase *c)
{
    X86Cpu *cpu = g->cpu;
    uint8_t code[DIFF_PAGE];
    uint8_t data[DIFF_DATA_SIZE];
    memset(code, 0xcc, sizeof code);
    memcpy(code, c->code, c->len);
    diff_fill(c->seed, data, sizeof data);
    as_write(g->as, DIFF_CODE, code, sizeof code);
    as_write(g->as, DIFF_DATA, data, sizeof data);
    set_mode(cpu, c->mode);
    for (unsigned i = 0; i < 16; i++) {
        X86R(cpu, i) = c->regs.gpr[i];
        memcpy(cpu->xmm[i], c->regs.ymm[i], 16);
        memcpy(cpu->ymmh[i], c->regs.ymm[i] + 2, 16);
    }
    x86_set_eflags(cpu, c->regs.flags, FL_CC | FL_DF);
    X86R(cpu, X86_RIP) = DIFF_CODE;
    X86R(cpu, X86_GS_BASE) = c->regs.gs_base;
    x86_set_mxcsr(cpu, c->regs.mxcsr);
    diff_fp_load(cpu, c);
}

static void store_state(DiffGuest *g, DiffCase *c)
{
    X86Cpu *cpu = g->cpu;
    DiffResult *d = &c->guest;
    for (unsigned i = 0; i < 16; i++) {
        d->regs.gpr[i] = X86R(cpu, i);
        memcpy(d->regs.ymm[i], cpu->xmm[i], 16);
        memcpy(d->regs.ymm[i] + 2, cpu->ymmh[i], 16);
    }
    d->regs.rip = X86R(cpu, X86_RIP);
    d->regs.flags = x86_get_eflags(cpu);
    d->regs.mxcsr = x86_get_mxcsr(cpu);
    diff_fp_store(cpu, &d->regs);
    d->vector = g->fault.kind;
    d->error = g->fault.has_code ? g->fault.code : 0;
    d->cr2 = g->fault.kind == EX_PF ? g->fault.addr : 0;
    as_read(g->as, DIFF_DATA, d->mem, DIFF_RW);
    d->done = true;
}

void diff_guest_run(DiffGuest *g, DiffCase *c)
{
    load_state(g, c);
    running = g;
    if (sigsetjmp(back, 0) == 0)
        exec_thread(&g->cpu->vcpu);
    exec_leave(&g->cpu->vcpu);
    g->cpu->vcpu.in_code = 0;
    store_state(g, c);
}

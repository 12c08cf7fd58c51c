/* See runner.h. */
#include "tests/x86/runner.h"

#include <string.h>

#include "cpu/x86/state.h"
#include "util/lock.h"
#include "util/log.h"

typedef struct Board {
    GuestRun *run;
    GMutex mutex;
    GCond cond;
    bool done;
} Board;

static uint64_t port_read(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque, (void)addr, (void)size;
    return 0xe9;
}

static void port_write(void *opaque, uint64_t addr, uint64_t val, unsigned size)
{
    Board *b = opaque;
    (void)size;
    g_mutex_lock(&b->mutex);
    if (addr == 0xe9) {
        if (b->run->out->len < 65536)
            g_string_append_c(b->run->out, (char)val);
    } else if (addr == 0xf4 && !b->done) {
        b->run->status = (int)(val & 0xff);
        b->done = true;
        g_cond_broadcast(&b->cond);
    }
    g_mutex_unlock(&b->mutex);
}

static const MemOps port_ops = { .read = port_read, .write = port_write, .max_size = 1 };

/* CS:IP = 0:7c00 instead of the reset vector. */
static void enter_at_7c00(X86Cpu *c)
{
    c->seg[SEG_CS].sel = 0;
    c->seg[SEG_CS].base = 0;
    X86R(c, X86_RIP) = 0x7c00;
    x86_update_mode(c);
}

void guest_run(GuestRun *r)
{
    char *image;
    gsize len;
    GError *err = NULL;
    Board b = { .run = r };
    r->status = -1;
    r->out = g_string_new(NULL);
    if (!g_file_get_contents(r->path, &image, &len, &err))
        g_error("%s", err->message);
    machine_lock();
    MemRegion *ram = mem_ram_new("ram", 64 << 20, &err), *mem = mem_container_new("mem", UINT64_MAX);
    MemRegion *io = mem_container_new("io", 65536), *ports = mem_io_new("ports", 65536, &port_ops, &b);
    mem_add(mem, 0, ram, 0);
    mem_add(io, 0, ports, 0);
    AddressSpace *as = as_new("memory", mem), *ios = as_new("io", io);
    memcpy((char *)mem_host(ram) + 0x7c00, image, len);
    CpuGroup *g = cpus_new(arch_find("x86"), r->smp ? r->smp : 1, r->model, as, ios, &r->tcg, &err);
    if (!g)
        g_error("%s", err->message);
    enter_at_7c00(x86_of(g->cpu[0]));
    cpus_start(g);
    cpus_resume(g);
    machine_unlock();
    gint64 end = g_get_monotonic_time() + (r->seconds ? r->seconds : 20) * G_TIME_SPAN_SECOND;
    g_mutex_lock(&b.mutex);
    while (!b.done && g_cond_wait_until(&b.cond, &b.mutex, end))
        ;
    g_mutex_unlock(&b.mutex);
    machine_lock();
    cpus_pause(g);
    if (r->status < 0) {
        GString *s = g_string_new(NULL);
        for (unsigned i = 0; i < g->n; i++)
            g->arch->print_regs(g->cpu[i], s);
        g_printerr("%s: no end in time\n%s", r->path, s->str);
        g_string_free(s, TRUE);
    }
    if (log_on(LOG_STATS)) {
        GString *s = g_string_new(NULL);
        cpu_print_jit(g, s);
        g_printerr("%s", s->str);
        g_string_free(s, TRUE);
    }
    cpus_free(g);
    as_free(as);
    as_free(ios);
    mem_unref(mem);
    mem_unref(io);
    mem_unref(ram);
    mem_unref(ports);
    machine_unlock();
    g_free(image);
}

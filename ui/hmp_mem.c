/* Commands that look at memory and ports: x, xp, print, i, o, memsave. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ui/monitor.h"
#include "util/ldst.h"
#include "util/log.h"

enum { COUNT_MAX = 1 << 20, INSN_MAX = 16 };

/* "/10xw": count, format letter, unit size in bytes. */
typedef struct Fmt { uint64_t count; char format; unsigned size; } Fmt;

static bool parse_fmt(Mon *mon, const char *text, Fmt *f)
{
    const char *p = text + 1;
    if (g_ascii_isdigit(*p))
        f->count = g_ascii_strtoull(p, (char **)&p, 10);
    for (; *p; p++) {
        static const char sizes[] = "bhwg";
        const char *s = strchr(sizes, *p);
        if (s)
            f->size = 1u << (s - sizes);
        else if (strchr("xduoci", *p))
            f->format = *p;
        else {
            mon_print(mon, "Error: '%c' in '%s': formats are x d u o c i, sizes b h w g\n", *p, text);
            return false;
        }
    }
    if (f->count > COUNT_MAX) {
        mon_print(mon, "Error: more than %d items\n", COUNT_MAX);
        return false;
    }
    return true;
}

/* argv[1] may be a format; the rest is one expression. */
static bool take_args(Mon *mon, int argc, char **argv, Fmt *f, uint64_t *value)
{
    int i = 1;
    if (argc > 1 && argv[1][0] == '/') {
        if (!parse_fmt(mon, argv[1], f))
            return false;
        i = 2;
    }
    if (i >= argc) {
        mon_print(mon, "%s: an address is missing (help %s)\n", argv[0], argv[0]);
        return false;
    }
    g_autofree char *text = g_strjoinv(" ", argv + i);
    return mon_expr(mon, text, value);
}

static void print_value(Mon *mon, uint64_t v, const Fmt *f)
{
    unsigned bits = 8 * f->size;
    uint64_t u = bits == 64 ? v : v & (((uint64_t)1 << bits) - 1);
    int64_t s = (int64_t)(u << (64 - bits)) >> (64 - bits);
    switch (f->format) {
    case 'd': mon_print(mon, "%" PRId64, s); break;
    case 'u': mon_print(mon, "%" PRIu64, u); break;
    case 'o': mon_print(mon, "%#" PRIo64, u); break;
    case 'c':
        if (u >= 0x20 && u < 0x7f)
            mon_print(mon, "'%c'", (char)u);
        else
            mon_print(mon, "'\\x%02x'", (unsigned)(u & 0xff));
        break;
    default: mon_print(mon, "0x%0*" PRIx64, (int)f->size * 2, u); break;
    }
}

/* ---- x, xp ---- */

typedef struct Dump { uint64_t addr; bool physical; Fmt fmt; } Dump;

/* Without side effects: RAM and ROM only. */
static bool read_memory(Mon *mon, const Dump *d, uint64_t addr, void *buf, unsigned len)
{
    if (!d->physical)
        return cpu_debug_read(mon_cpu(mon), addr, buf, len);
    for (unsigned i = 0; i < len; i++) {
        MemSection s = as_lookup(mon->m->mem, addr + i);
        if (!s.ram)
            return false;
        ((uint8_t *)buf)[i] = *s.host;
    }
    return true;
}

static void dump_values(Mon *mon, Dump *d)
{
    unsigned per_line = 16 / d->fmt.size;
    for (uint64_t i = 0; i < d->fmt.count; i++) {
        uint8_t b[8];
        uint64_t addr = d->addr + i * d->fmt.size;
        if (i % per_line == 0)
            mon_print(mon, "%s%016" PRIx64 ":", i ? "\n" : "", addr);
        if (!read_memory(mon, d, addr, b, d->fmt.size)) {
            mon_print(mon, " Cannot access memory");
            break;
        }
        mon_print(mon, " ");
        print_value(mon, ld_le(b, d->fmt.size), &d->fmt);
    }
    mon_print(mon, "\n");
}

static void dump_insns(Mon *mon, Dump *d)
{
    Vcpu *c = mon_cpu(mon);
    uint64_t addr = d->addr;
    for (uint64_t i = 0; i < d->fmt.count; i++) {
        mon_print(mon, "0x%08" PRIx64 ":  ", addr);
        unsigned len = c->arch->disas(c, addr, mon->out);
        mon_print(mon, "%s", g_str_has_suffix(mon->out->str, "\n") ? "" : "\n");
        if (!len)
            return;
        addr += len;
    }
}

static void dump(Mon *mon, void *arg)
{
    Dump *d = arg;
    if (d->fmt.format == 'i' && d->physical)
        mon_print(mon, "Error: instructions are shown at virtual addresses (x/i)\n");
    else if (d->fmt.format == 'i')
        dump_insns(mon, d);
    else
        dump_values(mon, d);
}

static void examine(Mon *mon, int argc, char **argv, bool physical)
{
    Dump d = { .physical = physical, .fmt = { 1, 'x', 4 } };
    if (!take_args(mon, argc, argv, &d.fmt, &d.addr))
        return;
    if (!mon_cpu(mon))
        mon_print(mon, "no CPU\n");
    else
        mon_with_cpus_still(mon, dump, &d);
}

void hmp_x(Mon *mon, int argc, char **argv)
{
    examine(mon, argc, argv, false);
}

void hmp_xp(Mon *mon, int argc, char **argv)
{
    examine(mon, argc, argv, true);
}

void hmp_print(Mon *mon, int argc, char **argv)
{
    Fmt f = { 1, 'x', 8 };
    uint64_t v;
    if (!take_args(mon, argc, argv, &f, &v))
        return;
    if (f.format == 'x')
        mon_print(mon, "%#" PRIx64, v);
    else
        print_value(mon, v, &f);
    mon_print(mon, "\n");
}

/* ---- ports ---- */

void hmp_port_in(Mon *mon, int argc, char **argv)
{
    Fmt f = { 1, 'x', 1 };
    uint64_t port;
    if (!take_args(mon, argc, argv, &f, &port))
        return;
    mon_print(mon, "port%c[0x%04x] = ", f.size == 1 ? 'b' : f.size == 2 ? 'w' : 'l', (unsigned)(port & 0xffff));
    print_value(mon, as_ld(mon->m->io, port & 0xffff, MIN(f.size, 4)), &f);
    mon_print(mon, "\n");
}

void hmp_port_out(Mon *mon, int argc, char **argv)
{
    Fmt f = { 1, 'x', 1 };
    uint64_t port, v;
    if (argc < 3)
        mon_print(mon, "o: a port and a value are wanted\n");
    else if ((argc == 3 || parse_fmt(mon, argv[1], &f)) && mon_expr(mon, argv[argc - 2], &port) && mon_expr(mon, argv[argc - 1], &v))
        as_st(mon->m->io, port & 0xffff, v, MIN(f.size, 4));
}

/* ---- memory to files ---- */

static bool copy_out(Vcpu *cpu, Machine *m, uint64_t addr, uint64_t size, FILE *f, GError **err)
{
    uint8_t buf[4096];
    while (size) {
        unsigned n = (unsigned)MIN(size, sizeof buf - addr % sizeof buf);
        if (cpu ? !cpu_debug_read(cpu, addr, buf, n) : !as_read(m->mem, addr, buf, n)) {
            g_set_error(err, RHEA_ERROR, ERR_RUN, "there is no memory at %s address %#" PRIx64, cpu ? "virtual" : "physical", addr);
            return false;
        }
        if (fwrite(buf, 1, n, f) != n) {
            g_set_error(err, RHEA_ERROR, ERR_RUN, "%s", g_strerror(errno));
            return false;
        }
        addr += n;
        size -= n;
    }
    return true;
}

bool mon_save_memory(Vcpu *cpu, Machine *m, uint64_t addr, uint64_t size, const char *path, GError **err)
{
    FILE *f = fopen(path, "wb");
    if (!f) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s", path, g_strerror(errno));
        return false;
    }
    bool ok = copy_out(cpu, m, addr, size, f, err);
    if (fclose(f) != 0 && ok) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s", path, g_strerror(errno));
        ok = false;
    }
    return ok;
}

typedef struct Save { uint64_t addr, size; const char *path; bool physical; } Save;

static void save(Mon *mon, void *arg)
{
    Save *s = arg;
    GError *err = NULL;
    if (!mon_save_memory(s->physical ? NULL : mon_cpu(mon), mon->m, s->addr, s->size, s->path, &err))
        mon_error(mon, err);
}

static void save_args(Mon *mon, int argc, char **argv, bool physical)
{
    Save s = { .physical = physical };
    if (argc < 4) {
        mon_print(mon, "%s: ADDRESS SIZE FILE are wanted\n", argv[0]);
        return;
    }
    s.path = argv[3];
    if (mon_expr(mon, argv[1], &s.addr) && mon_expr(mon, argv[2], &s.size))
        mon_with_cpus_still(mon, save, &s);
}

void hmp_memsave(Mon *mon, int argc, char **argv)
{
    save_args(mon, argc, argv, false);
}

void hmp_pmemsave(Mon *mon, int argc, char **argv)
{
    save_args(mon, argc, argv, true);
}

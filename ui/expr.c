/* Expressions of the monitor: numbers (0x, decimal), $register, + - * & | and
 * parentheses; all operators left to right, * and & before + - |. */
#include <string.h>

#include "ui/monitor.h"
#include "util/ldst.h"

typedef struct Parse {
    Mon *mon;
    const char *p;
    bool bad;
} Parse;

static uint64_t sum(Parse *s);

static void skip_space(Parse *s)
{
    while (g_ascii_isspace(*s->p))
        s->p++;
}

static uint64_t fail(Parse *s, const char *why)
{
    if (!s->bad)
        mon_print(s->mon, "Error: %s at '%s'\n", why, s->p);
    s->bad = true;
    return 0;
}

typedef struct RegRead { const char *name; uint64_t value; bool found; } RegRead;

static void read_reg(Mon *mon, void *arg)
{
    RegRead *r = arg;
    Vcpu *c = mon_cpu(mon);
    if (!strcmp(r->name, "pc") || !strcmp(r->name, "eip") || !strcmp(r->name, "rip")) {
        r->value = c->arch->get_pc(c);
        r->found = true;
        return;
    }
    for (unsigned i = 0; i < c->arch->ir->nregs; i++) {
        const IrReg *d = &c->arch->ir->regs[i];
        bool half = r->name[0] == 'e' && d->name[0] == 'r' && !strcmp(d->name + 1, r->name + 1);
        if (d->type != IR_INT || (strcmp(d->name, r->name) && !half))
            continue;
        uint64_t v = ld_le64((const uint8_t *)c + d->offset);
        r->value = half ? (uint32_t)v : v;
        r->found = true;
        return;
    }
}

static uint64_t reg(Parse *s)
{
    const char *start = ++s->p;
    while (g_ascii_isalnum(*s->p) || *s->p == '_')
        s->p++;
    g_autofree char *name = g_strndup(start, (gsize)(s->p - start));
    RegRead r = { .name = name };
    if (mon_cpu(s->mon))
        mon_with_cpus_still(s->mon, read_reg, &r);
    if (r.found)
        return r.value;
    s->p = start - 1;
    return fail(s, "no such register");
}

static uint64_t unary(Parse *s)
{
    skip_space(s);
    if (*s->p == '$')
        return reg(s);
    if (*s->p == '-' || *s->p == '~' || *s->p == '+') {
        char op = *s->p++;
        uint64_t v = unary(s);
        return op == '-' ? -v : op == '~' ? ~v : v;
    }
    if (*s->p == '(') {
        s->p++;
        uint64_t v = sum(s);
        skip_space(s);
        if (*s->p != ')')
            return fail(s, "')' expected");
        s->p++;
        return v;
    }
    bool hex = s->p[0] == '0' && (s->p[1] == 'x' || s->p[1] == 'X');
    char *end;
    if (!g_ascii_isdigit(*s->p))
        return fail(s, "a number or $register expected");
    uint64_t v = g_ascii_strtoull(s->p + (hex ? 2 : 0), &end, hex ? 16 : 10);
    s->p = end;
    return v;
}

static uint64_t product(Parse *s)
{
    uint64_t v = unary(s);
    for (skip_space(s); !s->bad && (*s->p == '*' || *s->p == '&'); skip_space(s)) {
        char op = *s->p++;
        uint64_t w = unary(s);
        v = op == '*' ? v * w : v & w;
    }
    return v;
}

static uint64_t sum(Parse *s)
{
    uint64_t v = product(s);
    for (skip_space(s); !s->bad && *s->p && strchr("+-|", *s->p); skip_space(s)) {
        char op = *s->p++;
        uint64_t w = product(s);
        v = op == '+' ? v + w : op == '-' ? v - w : v | w;
    }
    return v;
}

bool mon_expr(Mon *mon, const char *text, uint64_t *out)
{
    Parse s = { .mon = mon, .p = text };
    *out = sum(&s);
    if (!s.bad && *s.p)
        fail(&s, "what is this");
    return !s.bad;
}

/* Fault records: where guest registers are at each place where generated code
 * may leave by an exception.
 *
 * A record is
 *     u32 key       offset in the block: return address of the call; one byte into a div
 *     u16 size      of the record
 *     u8  n         entries
 *     u64 pc        of the guest instruction
 *     n entries     u8 guest register, u8 place, then by place:
 *                       0..15     nothing: that host register
 *                       PLACE_OFF u32: offset from TcgEnv (spill slot or another home)
 *                       PLACE_IMM u64
 * Entries with PLACE_FIRST added are applied before the others are read: they
 * correct the saved copy of a pinned register.
 */
#include "tcg/hosts/x86_64/cg.h"

enum { PLACE_OFF = 0x20, PLACE_IMM = 0x21, PLACE_FIRST = 0x80, REC_HEAD = 15 };

/* Room for a record of any size. */
static uint8_t *rec_room(Cg *c)
{
    enum { REC_MAX = REC_HEAD + (IR_MAX_REGS + 2) * 10 };
    if (G_UNLIKELY(c->nrec + REC_MAX > c->rec_cap)) {
        c->rec_cap = MAX(2 * c->rec_cap, 16u << 10);
        c->rec = g_realloc(c->rec, c->rec_cap);
    }
    return c->rec + c->nrec;
}

/* Writes an entry at p: returns what follows it. */
static uint8_t *put_entry(uint8_t *p, unsigned guest, unsigned place, uint64_t payload, unsigned n)
{
    p[0] = (uint8_t)guest;
    p[1] = (uint8_t)place;
    memcpy(p + 2, &payload, 8);          /* what is too much is overwritten */
    return p + 2 + n;
}

static uint8_t *put_home(Cg *c, uint8_t *p, unsigned r)
{
    RaLoc l = ra_loc(&c->ra, c->ra.cur[r]);
    switch (l.kind) {
    case RA_REG:
        return put_entry(p, r, (unsigned)l.reg, 0, 0);
    case RA_ENV:
        return put_entry(p, r, PLACE_OFF, l.off, 4);
    case RA_CONST:
        return put_entry(p, r, PLACE_IMM, l.imm, 8);
    case RA_LAZY:
        break;
    }
    g_assert_not_reached();
}

unsigned cg_record(Cg *c, const uint8_t guest[2], const int tmp[2])
{
    const Ra *ra = &c->ra;
    unsigned at = c->nrec, n = 0, pc_reg = c->u->arch->pc_reg;
    uint8_t *head = rec_room(c), *p = head + REC_HEAD;
    uint64_t pc = c->insn < c->u->ninsns ? c->u->insns[c->insn].pc : 0;
    for (int i = 0; guest && i < 2; i++) {
        if (guest[i] != RA_NONE) {
            p = put_entry(p, guest[i], PLACE_FIRST | (unsigned)tmp[i], 0, 0);
            n++;
        }
    }
    for (unsigned w = 0; w < IR_MAX_REGS / 64; w++) {
        for (uint64_t m = ra->stale[w]; m; m &= m - 1) {
            unsigned r = w * 64 + (unsigned)__builtin_ctzll(m);
            if (r != pc_reg && ra->pend_end[r] >= ra->i) {
                p = put_home(c, p, r);
                n++;
            }
        }
    }
    uint16_t size = (uint16_t)(p - head);
    memset(head, 0, 4);
    memcpy(head + 4, &size, 2);
    head[6] = (uint8_t)n;
    memcpy(head + 7, &pc, 8);
    c->nrec += size;
    return at;
}

void cg_record_at(Cg *c, unsigned record, const uint8_t *rx)
{
    uint32_t key = (uint32_t)(rx - c->e.rx);
    memcpy(c->rec + record, &key, 4);
}

void cg_records_done(Cg *c)
{
    c->b->records = g_memdup2(c->rec, c->nrec);
    c->b->nrecords = c->nrec;
}

static const uint8_t *record_find(const Block *b, uint32_t key)
{
    for (const uint8_t *p = b->records, *end = p + b->nrecords; p < end;) {
        uint32_t k;
        uint16_t size;
        memcpy(&k, p, 4);
        memcpy(&size, p + 4, 2);
        if (k == key) {
            return p;
        }
        p += size;
    }
    return NULL;
}

/* The content of a host register when C was called: thunks save temporaries to tmp_save, pinned registers to homes. */
static uint64_t saved_reg(const HostState *hs, TcgEnv *env, unsigned h)
{
    if (h >= R11 && h <= R13) {
        return env_scratch(env)->tmp_save[h - R11];
    }
    return *(uint64_t *)((char *)env + hs->map.arch->regs[hs->map.guest[BANK_INT][h]].offset);
}

static unsigned payload(unsigned place)
{
    return place == PLACE_OFF ? 4 : place == PLACE_IMM ? 8 : 0;
}

static uint64_t entry_value(const HostState *hs, TcgEnv *env, unsigned place, const uint8_t *p)
{
    uint64_t imm;
    uint32_t off;
    switch (place) {
    case PLACE_IMM:
        memcpy(&imm, p, 8);
        return imm;
    case PLACE_OFF:
        memcpy(&off, p, 4);
        return *(uint64_t *)((char *)env + off);
    default:
        return saved_reg(hs, env, place);
    }
}

void tcg_sync(TcgCtx *ctx, TcgEnv *env)
{
    TcgScratch *s = env_scratch(env);
    if (ctx->interp || !s->site) {
        return;
    }
    const HostState *hs = ctx->host;
    const Block *b = code_find(ctx->buf, s->site);
    const uint8_t *r = b ? record_find(b, (uint32_t)(s->site - (uintptr_t)b->code)) : NULL;
    s->site = 0;
    if (!r) {
        return;
    }
    uint64_t val[IR_MAX_REGS];
    unsigned n = r[6];
    const uint8_t *p = r + REC_HEAD;
    for (unsigned i = 0; i < n; i++) {   /* all sources are read before a home is written */
        unsigned place = p[1];
        val[i] = entry_value(hs, env, place & ~(unsigned)PLACE_FIRST, p + 2);
        if (place & PLACE_FIRST) {
            *(uint64_t *)((char *)env + hs->map.arch->regs[p[0]].offset) = val[i];
        }
        p += 2 + payload(place);
    }
    p = r + REC_HEAD;
    for (unsigned i = 0; i < n; i++) {
        *(uint64_t *)((char *)env + hs->map.arch->regs[p[0]].offset) = val[i];
        p += 2 + payload(p[1]);
    }
    memcpy((char *)env + hs->map.arch->regs[hs->map.arch->pc_reg].offset, r + 7, 8);
}

/* Register allocation for one unit: where values are.  No encodings here; the
 * host back end gives the moves (host_ra_*) and asks for locations op by op.
 *
 * Guest registers are canonical at every edge: a pinned one is in its host
 * register, every other in its home.  Inside the unit
 *
 *   put to a pinned register    happens at its place (mostly free: the value
 *                               was computed there, see hints);
 *   put to any other register   is deferred: the home is stale and the value
 *                               stays where it is, until the value would be
 *                               lost or an exit wants the home.  An overwritten
 *                               put costs nothing.  A fault record says for
 *                               each stale home where its value is.
 *
 * A value can be in several places at once: host registers (a mask), a spill
 * slot, the home of a guest register, or be a constant, or be *lazy*: an
 * address expression computed where it is used.
 *
 * ra_begin() looks at the unit backwards and finds, for each value, its last
 * use and a hint: the pinned register it is going to be put to, if nothing
 * between its definition and the put can see that register; for each put, the
 * last op that can observe it.  Then the back end goes forward:
 *
 *     ra_op(ra, i);                              start of op i
 *     int a = ra_use(ra, o->a);                  operands: in registers, locked until the op ends,
 *     RaLoc b = ra_loc(ra, o->b);                or wherever they are
 *     int d = ra_def(ra, o->d, a);               result: hinted register, a's own if a dies, or a free one
 *     ... emit ...
 */
#ifndef RHEA_TCG_REGALLOC_H
#define RHEA_TCG_REGALLOC_H

#include "tcg/env.h"
#include "tcg/ir.h"

enum { BANK_INT, BANK_VEC, RA_BANKS, RA_REGS = 16, RA_NONE = 0xff };

/* How an arch's registers lie on the host: once per engine. */
typedef struct RaMap {
    const IrArch *arch;
    uint8_t pin[IR_MAX_REGS];            /* host register of a guest register, or RA_NONE */
    uint8_t guest[RA_BANKS][RA_REGS];    /* the other way round */
    uint64_t homed[IR_MAX_REGS / 64];    /* INT guest registers that are not pinned: their puts wait */
    uint16_t temps[RA_BANKS];            /* masks of host registers for temporaries */
    uint8_t nslots[RA_BANKS];            /* spill slots */
    uint32_t slot_off[RA_BANKS];         /* of slot 0, from TcgEnv */
    uint8_t slot_size[RA_BANKS];
    uint32_t lend_off[RA_BANKS];         /* where a register's content waits while it is lent */
} RaMap;

typedef struct RaVal {
    uint16_t regs;                       /* host registers that hold it */
    uint16_t last;                       /* index of the last op that uses it */
    uint16_t made;                       /* lazy: op of the first put to a pinned register, which computes it; 0: none */
    uint16_t nuse;                       /* uses; 0: not needed, the op may be dropped */
    uint8_t slot, home;                  /* + 1; 0: none */
    uint8_t hint;                        /* guest register + 1 */
    uint8_t lazy;
    uint8_t npend;                       /* stale homes that wait for it */
    uint8_t not_addr;                    /* pre-pass: used otherwise than as an address or put to a pinned register */
} RaVal;

typedef enum RaKind { RA_REG, RA_ENV, RA_CONST, RA_LAZY } RaKind;
typedef struct RaLoc {
    RaKind kind;
    int reg;                             /* RA_REG */
    uint32_t off;                        /* RA_ENV: from TcgEnv */
    uint64_t imm;                        /* RA_CONST */
} RaLoc;

typedef struct Ra {
    const RaMap *map;
    const IrUnit *u;
    unsigned i;                          /* current op */
    uint16_t locked[RA_BANKS];
    IrVal in_reg[RA_BANKS][RA_REGS];     /* the value each host register holds; pinned: also before its put */
    IrVal cur[IR_MAX_REGS];              /* the value each guest register has now, if it is one of the unit's */
    IrVal mem[IR_MAX_REGS];              /* the value each home holds, if it is one of the unit's */
    uint16_t pend_end[IR_MAX_REGS];      /* stale: index of the last op that can observe the put */
    uint64_t stale[IR_MAX_REGS / 64];
    unsigned nslots[RA_BANKS];           /* slots used so far */
    IrVal slot_val[RA_BANKS][ENV_SPILLS];
    RaVal val[IR_MAX_VALS];
    uint16_t info[IR_MAX_OPS];           /* put: last observer; br, setc, sel: op whose comparison is tested, + 1;
                                            any op: RA_DEAD */
} Ra;
enum { RA_DEAD = 0xffff };

void ra_begin(Ra *ra, const RaMap *map, const IrUnit *u);
static inline void ra_op(Ra *ra, unsigned i)
{
    ra->i = i;
    ra->locked[0] = ra->locked[1] = 0;
}

/* ---- operands ---- */

/* Where v is, without moving it: best place first (register, memory). */
RaLoc ra_loc(const Ra *ra, IrVal v);
/* v in a register, loaded into a temporary if need be; locked until the op ends. */
int ra_use(Ra *ra, IrVal v);
/* A scratch register until the op ends; its old content is safe elsewhere. */
int ra_tmp(Ra *ra, int bank);
/* A particular temporary or any register of the mask. */
int ra_tmp_in(Ra *ra, int bank, uint16_t mask);
/* Takes register h, whose content is dead, as scratch: forgets and locks it. */
void ra_take(Ra *ra, int bank, int h);
/* Is v of no use after this op? */
bool ra_dies(const Ra *ra, IrVal v);
/* Does a stale home wait for v that this op's fault record would have to name? */
bool ra_waits(const Ra *ra, IrVal v);
/* A temporary whose only value dies in this op, so that it may be overwritten. */
bool ra_reusable(const Ra *ra, int bank, int h);

/* ---- results ---- */

/* The register for d: its hinted one (whose old content is made safe), else `prefer` if ra_reusable, else a free
 * temporary.  Operands fetched before stay where they are until the emitter overwrites it. */
int ra_def(Ra *ra, IrVal d, int prefer);
/* The register d is hinted to, or -1. */
int ra_hint(const Ra *ra, IrVal d);
/* d is in h now (a scratch register of this op, or one whose content is safe). */
void ra_bind(Ra *ra, IrVal d, int h);
/* Register h is about to be overwritten: makes its value safe if it is needed after this op. */
void ra_lose(Ra *ra, int bank, int h);

/* The same, but h still counts as the value's place (until it is bound to another). */
void ra_keep(Ra *ra, int bank, int h);

/* ---- guest registers ---- */

void ra_get(Ra *ra, IrVal d, unsigned reg);
void ra_put(Ra *ra, unsigned reg, IrVal v);
static inline bool ra_is_stale(const Ra *ra, unsigned r) { return ra->stale[r / 64] >> (r % 64) & 1; }
/* Writes stale home r now. */
void ra_flush(Ra *ra, unsigned r);
/* Writes all stale homes but those in the mask (NULL: none excepted). */
void ra_flush_all(Ra *ra, const uint64_t *except);
/* C code may have changed every guest register: what is needed later is saved, then all is forgotten. Two steps, around
 * the call. */
void ra_before_write(Ra *ra);
void ra_after_write(Ra *ra);
/* Is the op to be left out: pure (or a read of a register) with no use, or a comparison that its user repeats? */
static inline bool ra_dead_op(const Ra *ra, unsigned i) { return ra->info[i] == RA_DEAD; }

/* ---- given by the host; offsets from TcgEnv; none may change flags ---- */
void host_ra_mov(Ra *ra, int bank, int dst, int src);
void host_ra_load(Ra *ra, int bank, int dst, uint32_t off);
void host_ra_store(Ra *ra, int bank, uint32_t off, int src);
void host_ra_movi(Ra *ra, int dst, uint64_t imm);
void host_ra_store_imm(Ra *ra, uint32_t off, uint64_t imm);
void host_ra_lazy(Ra *ra, int dst, IrVal v);             /* computes a lazy value */

#endif

/* The translation engine as its user (cpu/) sees it, and the types shared by
 * cache.c (finding, chaining and dropping blocks), code.c (the code buffer and
 * fault records) and the host back end.
 *
 * Life of a block: cpu/xlat.c builds an IrUnit -> blk_add() compiles it with
 * host_compile() into the code buffer (engine jit) or keeps a copy of the IR
 * (engine interp) -> generated code reaches it by a patched direct jump, the
 * jump cache or blk_find() -> a store to its bytes, or eviction of its part
 * of the code buffer, unlinks it (blk_drop).
 *
 * Leaving generated code.  C code called from it (helpers, slow paths) finds
 * guest registers in their homes only if it asked for them (IRH_READ); before
 * raising an exception it calls tcg_sync(), which completes the homes,
 * pc included, from the fault record of the place it was called from.
 *
 * Threads: vcpu threads run in parallel. TcgCtx.lock guards translation,
 * patching and dropping; the hash table is read without it.
 */
#ifndef RHEA_TCG_H
#define RHEA_TCG_H

#include "tcg/env.h"
#include "tcg/ir.h"

typedef struct TcgCtx TcgCtx;
typedef struct Block Block;
typedef struct CodeBuf CodeBuf;

/* A direct exit of a block: one patchable jump. */
typedef struct Jump {
    Block *from, *to;                    /* to: NULL while unlinked */
    struct Jump *next_in, **at_in;       /* list of jumps into `to`, and what points to this one in it */
    uint8_t *site;                       /* executable address of the 4-byte displacement, 4-byte aligned */
    const uint8_t *stub;                 /* where it goes while unlinked */
    uint64_t pc;
    uint8_t flags;                       /* IRX_BACKWARD... */
} Jump;

struct Block {
    uint64_t pc, flags;                  /* key: guest address and arch mode (CodeKey) */
    uint64_t gpa;                        /* key: guest physical address of the first byte */
    uint64_t gpa2;                       /* physical page of the rest if it crosses a page, else UINT64_MAX */
    uint32_t size;                       /* guest bytes */
    uint16_t ninsns, njumps;
    bool dead;                           /* dropped; memory is reclaimed with its segment */
    uint8_t tlb_mode;
    uint64_t pc_bias;                    /* pc home = pc - pc_bias */
    const uint8_t *code;                 /* entry, executable view; NULL under interp */
    const uint8_t *xcode;                /* entry that first checks the exec TLB (host_xentry), or NULL */
    uint32_t code_size;
    IrUnit *ir;                          /* interp only */
    Jump *jumps;                         /* njumps of them */
    Jump *in;                            /* jumps linked to this block */
    uint8_t *records;                    /* fault records, g_malloc'ed by the host back end */
    uint32_t nrecords;
    Block *hash_next;
    Block *page_next[2];                 /* lists of blocks by code page (cache.c) */
    Block *seg_next;
};

/* What generated code calls; cpu/ fills it once. Each of the memory functions
 * performs the access or raises (does not return).  memop: IRM_*.  Called with
 * all integer and vector state saved in homes or covered by the fault record. */
typedef struct TcgRuntime {
    uint64_t (*ld)(TcgEnv *, uint64_t addr, unsigned memop);             /* zero-extended */
    void (*st)(TcgEnv *, uint64_t addr, uint64_t val, unsigned memop);
    void (*ldv)(TcgEnv *, uint64_t addr, unsigned memop, uint64_t val[2]);
    void (*stv)(TcgEnv *, uint64_t addr, unsigned memop, const uint64_t val[2]);
    void (*probe)(TcgEnv *, uint64_t addr, unsigned memop);
    uint64_t (*rmw)(TcgEnv *, uint64_t addr, uint64_t val, unsigned memop);
    uint64_t (*cas)(TcgEnv *, uint64_t addr, uint64_t expected, uint64_t desired, unsigned memop);
    void (*arith)(TcgEnv *) __attribute__((noreturn));                   /* div2u, div2s */
    /* Fast refill after a TLB miss of `kind` (TLB_READ/WRITE) at addr: true if the entry is there now and the access
     * can be retried inline.  RHEA_GPR_ONLY code: must not touch vector registers; never raises, takes no lock. */
    bool (*refill)(TcgEnv *, uint64_t addr, unsigned memop, unsigned kind);
    /* An unlinked direct exit was taken; homes are complete and pc is set.  Returns the host code to go on with, or
     * NULL to return to the execution loop. */
    const void *(*chain)(TcgEnv *, Jump *);
    /* The jump cache missed; homes are complete, pc is set.  Same result. */
    const void *(*lookup)(TcgEnv *);
} TcgRuntime;

typedef struct TcgStats {
    uint64_t blocks, guest_insns, guest_bytes, ir_ops, host_insns, host_bytes;
    uint64_t dropped_smc, dropped_evict, xlat_ns;
} TcgStats;

struct TcgCtx {
    const IrArch *arch;
    const TcgRuntime *rt;
    bool interp;                         /* engine=interp */
    GMutex lock;
    CodeBuf *buf;
    TcgStats stats;
    struct BlockCache *cache;
    IrUnit *unit;                        /* the one being built, under lock */
    struct HostState *host;              /* the host back end's own */
    TcgEnv **envs;                       /* vcpus whose jump caches may name blocks */
    unsigned nenvs;
};

/* buf_size 0: a default.  NULL and err if the host cannot give the memory. */
TcgCtx *tcg_new(const IrArch *arch, const TcgRuntime *rt, bool interp, size_t buf_size, GError **err);
void tcg_free(TcgCtx *ctx);

/* Allocates a vcpu: ENV_SIZE bytes, zeroed and touched lazily; TLB and jump
 * cache are empty (every tag tlb_never()).  env_free releases it. */
TcgEnv *env_alloc(void);
void env_free(TcgEnv *env);

/* ---- host back end (tcg/hosts/HOST) ---- */

enum { HOST_LEFT_LOOP = 1 /* homes complete, pc set */ };

/* Emits prologue, epilogue and thunks; once per TcgCtx. */
bool host_init(TcgCtx *ctx, GError **err);
void host_done(TcgCtx *ctx);
/* Translates u: fills b->code, code_size, jumps, njumps, records.  False if the code buffer has no room
 * (then nothing changed).  Under ctx->lock. */
bool host_compile(TcgCtx *ctx, const IrUnit *u, Block *b);
/* Makes b->xcode: checks that the exec TLB still maps b->pc to b->gpa, else goes to TcgRuntime.lookup with pc=b->pc. */
bool host_xentry(TcgCtx *ctx, Block *b);
/* Lets the jump go to target, or back to its stub if NULL.  Atomic towards running vcpus. Under ctx->lock. */
void host_patch(TcgCtx *ctx, Jump *j, const uint8_t *target);
/* Runs generated code until it leaves. Returns HOST_LEFT_*. */
int host_enter(TcgCtx *ctx, TcgEnv *env, const uint8_t *code);
/* Called by C code that was reached from generated code and will not return there (it unwinds with longjmp):
 * saves what still lives in host registers (vectors, MXCSR). */
void host_abandon(TcgCtx *ctx, TcgEnv *env);
/* SIGFPE handler part: if the host pc is a div2 site, redirects uc to TcgRuntime.arith and returns true. */
bool host_fault(TcgCtx *ctx, TcgEnv *env, void *ucontext);
/* -perfmap: from now on each block is named in /tmp/perf-PID.map, where perf looks for it. */
bool host_perfmap(GError **err);
/* Disassembles generated code into out (capstone). */
void host_disas(const uint8_t *code, size_t size, GString *out);

/* Completes the homes for the place where generated code called C.  No effect under interp. */
void tcg_sync(TcgCtx *ctx, TcgEnv *env);

/* ---- code buffer (code.c): one memfd mapped twice, W^X, in segments ---- */

enum { CODE_SEGMENTS = 16 };
CodeBuf *code_buf_new(size_t size, GError **err);
void code_buf_free(CodeBuf *buf);
/* Room of at least max bytes in the current segment: the executable address, 16-aligned; NULL if the segment is full. */
const uint8_t *code_begin(CodeBuf *buf, size_t max);
/* The same for permanent code; before the first block. */
const uint8_t *code_begin_permanent(CodeBuf *buf, size_t max);
/* Writable view of an executable address. */
uint8_t *code_rw(const CodeBuf *buf, const void *rx);
/* Ends code_begin: `used` bytes belong to b (NULL: permanent code such as thunks, only in the first part). */
void code_commit(CodeBuf *buf, size_t used, Block *b);
/* The block whose code contains the host address, or NULL. */
Block *code_find(const CodeBuf *buf, uintptr_t host_pc);
/* Next segment to fill: its blocks are returned (seg_next list) and the segment is empty after it. The caller has made
 * sure that no vcpu runs in them. */
Block *code_next_segment(CodeBuf *buf);
size_t code_used(const CodeBuf *buf);
bool code_contains(const CodeBuf *buf, uintptr_t host_pc);

/* ---- interpreter (interp.c) ---- */

/* Executes one unit: returns the index of the exit taken, with every home and pc-of-insn complete and *pc set to where
 * to go for DIRECT/INDIRECT/LOOP exits. Raising helpers longjmp out. */
unsigned interp_run(TcgCtx *ctx, TcgEnv *env, const IrUnit *u, uint64_t *pc);

/* ---- block cache (cache.c) ----
 *
 * Block.gpa and all addresses here are RAM addresses (cpu/memory.h): one byte of backing has one, whatever the alias.
 *
 * How a page becomes tracked (so that no store goes unseen):
 *   translator: blk_track(page) -> stores to it are made slow everywhere -> takes the lock, blk_busy(page, true), reads the
 *   bytes, blk_add, blk_busy(page, false).
 *   writer: writes, then blk_wrote(): if the granules are code (or the page is busy) takes the lock and drops the blocks. */

Block *blk_find(TcgCtx *ctx, uint64_t pc, uint64_t flags, uint64_t gpa);                /* any thread */
/* Of the blocks with b's key, the one that spans into RAM page gpa2; NULL. */
Block *blk_find_second(TcgCtx *ctx, Block *b, uint64_t gpa2);
/* Under ctx->lock. Compiles and inserts; NULL: the code buffer is full (blk_evict).  gpa2: second page or UINT64_MAX. */
Block *blk_add(TcgCtx *ctx, const IrUnit *u, uint64_t pc, uint64_t flags, uint64_t gpa, uint64_t gpa2, uint32_t size);
/* Under ctx->lock. No effect if either end is dead. */
void blk_link(TcgCtx *ctx, Jump *j, Block *to, const uint8_t *entry);
/* Under ctx->lock: drops every block that has bytes in [gpa, gpa+len) (inside one page). Returns how many. */
unsigned blk_drop_range(TcgCtx *ctx, uint64_t gpa, uint32_t len);
/* Under ctx->lock, no vcpu in generated code: makes room by dropping the oldest segment. */
void blk_evict(TcgCtx *ctx);
void blk_drop_all(TcgCtx *ctx);          /* the same for everything */
/* True if the page was not tracked before (the caller makes stores to it slow). */
bool blk_track(TcgCtx *ctx, uint64_t gpa_page);
void blk_busy(TcgCtx *ctx, uint64_t gpa_page, bool busy);
bool blk_tracked(TcgCtx *ctx, uint64_t gpa_page);        /* any thread */
/* After a store to [gpa, gpa+len) inside one page: drops what it hit. Takes the lock itself, if needed. */
void blk_wrote(TcgCtx *ctx, uint64_t gpa, uint32_t len);
/* Would blk_wrote drop something?  (any thread; a hint) */
bool blk_hit(TcgCtx *ctx, uint64_t gpa, uint32_t len);
/* Notes / takes back which vcpus may hold a writable TLB entry of the page: bit n = vcpu n (31: all above). */
void blk_writer_add(TcgCtx *ctx, uint64_t gpa_page, unsigned vcpu);
uint32_t blk_writers_take(TcgCtx *ctx, uint64_t gpa_page);
void blk_cache_init(TcgCtx *ctx);
void blk_cache_done(TcgCtx *ctx);

#endif

/* The engine's context, the memory of a vcpu as generated code sees it, and
 * the completion of guest state from fault records. */
#define _GNU_SOURCE
#include "tcg/tcg.h"

#include <sys/mman.h>

#include "util/log.h"

TcgCtx *tcg_new(const IrArch *arch, const TcgRuntime *rt, bool interp, size_t buf_size, GError **err)
{
    TcgCtx *ctx = g_new0(TcgCtx, 1);
    ctx->arch = arch;
    ctx->rt = rt;
    ctx->interp = interp;
    g_mutex_init(&ctx->lock);
    blk_cache_init(ctx);
    if (!interp) {
        ctx->buf = code_buf_new(buf_size, err);
        if (!ctx->buf || !host_init(ctx, err)) {
            tcg_free(ctx);
            return NULL;
        }
    }
    return ctx;
}

void tcg_free(TcgCtx *ctx)
{
    if (!ctx) {
        return;
    }
    blk_cache_done(ctx);
    if (ctx->unit) {
        ir_unit_free(ctx->unit);
    }
    if (ctx->host) {
        host_done(ctx);
    }
    code_buf_free(ctx->buf);
    g_mutex_clear(&ctx->lock);
    g_free(ctx);
}

TcgEnv *env_alloc(void)
{
    void *p = mmap(NULL, ENV_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        g_error("no memory for a vcpu (%u KiB)", ENV_SIZE >> 10);
    }
    /* zero is a tag that cannot hit, but in the slot of address 0: see tlb_never() */
    TcgEnv *env = p;
    for (unsigned mode = 0; mode < TLB_MODES; mode++) {
        for (unsigned kind = 0; kind < TLB_KINDS; kind++) {
            env_tlb(env, mode, kind)[0].tag = tlb_never(0);
        }
    }
    env_jc(env)[0].tag = tlb_never(0);
    env->fpcr = 0x1f80;                  /* MXCSR at reset: all exceptions masked, round to nearest */
    return env;
}

void env_free(TcgEnv *env)
{
    if (env) {
        munmap(env, ENV_SIZE);
    }
}

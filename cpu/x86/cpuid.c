/* CPU models, -cpu, and what CPUID answers.
 *
 * features.def names the bits, models.def the models.  A model's features are
 * cut to what the engine and the host can do: an explicit +feature that is cut
 * gives a warning, a model's own is dropped in silence (the model is an
 * outline, not a promise).
 *
 * Leaves follow Intel SDM volume 2 (CPUID) and AMD APM volume 3 appendix E.
 * Topology: one socket, one thread a core, the APIC ID is the vcpu's number.
 * Left out: performance monitoring, thermal sensors, SGX, caches beyond what
 * guests need to find a line size. */
#include "cpu/x86/fpu.h"
#include "cpu/x86/sys.h"

#include "util/log.h"
#include "util/opts.h"

#define AMD "AuthenticAMD"
#define INTEL "GenuineIntel"

struct CpuModel {
    const char *name, *doc, *vendor;
    uint32_t family, model, stepping, level, xlevel;
    const char *brand, *features;
};

static const CpuModel models[] = {
#define MODEL(...) { __VA_ARGS__ },
#include "cpu/x86/models.def"
#undef MODEL
};
static const char default_model[] = "qemu64";

typedef enum Support { SUP_NO, SUP_HOST, SUP_ALL } Support;
typedef struct Feature {
    CpuidWord word;
    uint8_t bit;
    const char *name;
    Support support;
} Feature;

static const Feature features[] = {
#define FEAT(word, bit, name, sup) { word, bit, name, SUP_##sup },
#include "cpu/x86/features.def"
#undef FEAT
};

/* Spellings that other lists use for the same bit ('_' is '-' already). */
static const struct { const char *alias, *name; } aliases[] = {
    { "sse3", "pni" }, { "sse4-1", "sse4.1" }, { "sse4-2", "sse4.2" }, { "lzcnt", "abm" }, { "i64", "lm" }, { "xd", "nx" },
    { "pclmuldq", "pclmulqdq" }, { "ffxsr", "fxsr-opt" }, { "sha", "sha-ni" }, { "pse-36", "pse36" },
};

/* ---- what there is ---- */

static bool supported(const Feature *f)
{
    return f->support != SUP_NO && (x86_host_mask(f->word) >> f->bit & 1);
}

static const Feature *feature_find(const char *name)
{
    g_autofree char *n = g_ascii_strdown(name, -1);

    g_strdelimit(n, "_", '-');
    for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++) {
        if (!strcmp(n, aliases[i].alias)) {
            return feature_find(aliases[i].name);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        if (!strcmp(n, features[i].name)) {
            return &features[i];
        }
    }
    return NULL;
}

static const CpuModel *model_find(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
        if (!g_ascii_strcasecmp(name, models[i].name)) {
            return &models[i];
        }
    }
    return NULL;
}

/* ---- -cpu ---- */

static void set_bit(X86Cpu *c, const Feature *f, bool on)
{
    c->feat[f->word] = on ? c->feat[f->word] | 1u << f->bit : c->feat[f->word] & ~(1u << f->bit);
}

static void model_features(X86Cpu *c, const CpuModel *m)
{
    g_auto(GStrv) names = g_strsplit(m->features, " ", -1);

    memset(c->feat, 0, sizeof c->feat);
    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        if (!strcmp(m->features, "all") && supported(&features[i])) {
            set_bit(c, &features[i], true);
        }
    }
    for (unsigned i = 0; names[i]; i++) {
        const Feature *f = feature_find(names[i]);

        if (f && supported(f)) {
            set_bit(c, f, true);
        }
    }
    set_bit(c, feature_find("hypervisor"), m->level > 0 && strcmp(m->name, "486") != 0 && strcmp(m->name, "base") != 0);
}

/* A feature is of no use without those below it. */
static const struct { const char *name, *needs; } needs[] = {
    { "avx", "xsave" }, { "avx2", "avx" }, { "fma", "avx" }, { "f16c", "avx" }, { "xsaveopt", "xsave" }, { "xsavec", "xsave" },
    { "xgetbv1", "xsave" }, { "sse2", "sse" }, { "sse", "fxsr" }, { "lm", "pae" }, { "pcid", "lm" }, { "invpcid", "pcid" },
    { "vaes", "avx" }, { "fsgsbase", "lm" },
};

static void drop_dependents(X86Cpu *c)
{
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
            const Feature *f = feature_find(needs[i].name), *n = feature_find(needs[i].needs);

            if (x86_has_feat(c, f->word, f->bit) && !x86_has_feat(c, n->word, n->bit)) {
                set_bit(c, f, false);
                again = true;
            }
        }
    }
}

static bool set_feature(X86Cpu *c, const char *name, bool on, GError **err)
{
    const Feature *f = feature_find(name);

    if (!f) {
        const char *names[G_N_ELEMENTS(features) + 1] = { 0 };
        g_autofree char *close = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
            names[i] = features[i].name;
        }
        close = closest_names(name, names);
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-cpu: unknown feature '%s'%s; '-cpu help' lists all", name, close);
        return false;
    }
    if (on && !supported(f)) {
        if (c->vcpu.index == 0) {
            report_warn("-cpu: feature '%s' is not available %s; going on without it", f->name,
                        f->support == SUP_HOST ? "on this host" : "in this engine");
        }
        return true;
    }
    set_bit(c, f, on);
    return true;
}

static const char *const number_props[] = { "family", "model", "stepping", "level", "xlevel", "tsc-frequency", "phys-bits", NULL };
/* known to QEMU users, without a meaning here */
static const char *const ignored_props[] = {
    "check", "enforce", "kvm", "pmu", "migratable", "host-cache-info", "l3-cache", "host-phys-bits", "full-cpuid-auto-level",
    "phys-bits", "tsc-frequency", "legacy-cache", "fill-mtrr-mask", NULL,
};

static bool set_number(X86Cpu *c, const char *key, const char *value, GError **err)
{
    uint64_t v;

    if (!opt_u64(key, value, &v, err)) {
        g_prefix_error(err, "-cpu: ");
        return false;
    }
    switch (key[0]) {
    case 'f': c->family = (uint32_t)v; break;
    case 'm': c->model_nr = (uint32_t)v; break;
    case 's': c->stepping = (uint32_t)v & 15; break;
    case 'l': c->cpuid_level = (uint32_t)v; break;
    case 'x': c->cpuid_xlevel = (uint32_t)v; break;
    }
    return true;
}

static bool set_property(X86Cpu *c, const char *key, const char *value, GError **err)
{
    bool on;

    if (!strcmp(key, "vendor")) {
        if (strlen(value) != 12) {
            g_set_error(err, RHEA_ERROR, ERR_USAGE, "-cpu: vendor '%s' must have 12 characters, such as " INTEL, value);
            return false;
        }
        g_strlcpy(c->vendor, value, sizeof c->vendor);
        return true;
    }
    if (!strcmp(key, "model-id")) {
        g_strlcpy(c->brand, value, sizeof c->brand);
        return true;
    }
    if (g_strv_contains(number_props, key)) {
        return set_number(c, key, value, err);
    }
    if (g_strv_contains(ignored_props, key)) {
        return true;
    }
    if (!opt_bool(key, value, &on, err)) {
        g_prefix_error(err, "-cpu: ");
        return false;
    }
    return set_feature(c, key, on, err);
}

static bool apply(X86Cpu *c, const char *piece, GError **err)
{
    g_auto(GStrv) kv = NULL;

    if (piece[0] == '+' || piece[0] == '-') {
        return set_feature(c, piece + 1, piece[0] == '+', err);
    }
    kv = g_strsplit(piece, "=", 2);
    if (!kv[0]) {
        return true;
    }
    g_strdelimit(kv[0], "_", '-');
    return set_property(c, kv[0], kv[1] ? kv[1] : "on", err);
}

static bool unknown_model(const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(models) + 1] = { 0 };
    g_autofree char *close = NULL;

    if (!strcmp(name, "host")) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-cpu: 'host' needs KVM (-accel kvm); 'max' has everything that translation can do");
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
        names[i] = models[i].name;
    }
    close = closest_names(name, names);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "-cpu: unknown CPU model '%s'%s; '-cpu help' lists all", name, close);
    return false;
}

bool x86_set_model(Vcpu *v, const char *text, GError **err)
{
    X86Cpu *c = x86_of(v);
    g_auto(GStrv) pieces = g_strsplit(text && *text ? text : default_model, ",", -1);
    const CpuModel *m = model_find(pieces[0]);

    if (!m) {
        return unknown_model(pieces[0], err);
    }
    c->model = m;
    c->family = m->family;
    c->model_nr = m->model;
    c->stepping = m->stepping;
    c->cpuid_level = m->level;
    c->cpuid_xlevel = m->xlevel;
    g_strlcpy(c->vendor, m->vendor, sizeof c->vendor);
    g_strlcpy(c->brand, m->brand, sizeof c->brand);
    c->lapic_id = v->index;
    c->tsc_hz = x86_tsc_hz();
    model_features(c, m);
    for (unsigned i = 1; pieces[i]; i++) {
        if (*pieces[i] && !apply(c, pieces[i], err)) {
            return false;
        }
    }
    drop_dependents(c);
    return true;
}

void x86_list_models(GString *out)
{
    unsigned col = 0;

    g_string_append(out, "Available CPUs:\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
        g_string_append_printf(out, "x86 %-16s  %s\n", models[i].name, models[i].doc);
    }
    g_string_append(out, "\nRecognized CPUID flags (* not available here):\n ");
    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        unsigned len = (unsigned)strlen(features[i].name) + 2;

        if (col + len > 76) {
            g_string_append(out, "\n ");
            col = 0;
        }
        g_string_append_printf(out, " %s%s", features[i].name, supported(&features[i]) ? "" : "*");
        col += len;
    }
    g_string_append(out, "\n");
}

/* ---- CPUID ---- */

static unsigned ncpus(const X86Cpu *c)
{
    return c->vcpu.group ? c->vcpu.group->n : 1;
}

static unsigned log2_up(unsigned n)
{
    unsigned b = 0;

    while (1u << b < n) {
        b++;
    }
    return b;
}

static uint32_t signature(const X86Cpu *c)
{
    uint32_t base = c->family < 15 ? c->family : 15, ext = c->family > 15 ? c->family - 15 : 0;

    return ext << 20 | (c->model_nr >> 4 & 15) << 16 | base << 8 | (c->model_nr & 15) << 4 | c->stepping;
}

static void put_text(uint32_t *r, const char *s)
{
    memcpy(r, s, 4);
}

static void leaf_vendor(const X86Cpu *c, uint32_t max, uint32_t r[4])
{
    r[0] = max;
    put_text(&r[1], c->vendor);
    put_text(&r[3], c->vendor + 4);
    put_text(&r[2], c->vendor + 8);
}

static void leaf_1(const X86Cpu *c, uint32_t r[4])
{
    unsigned n = ncpus(c);

    r[0] = signature(c);
    r[1] = c->lapic_id << 24 | (n > 1 ? n & 0xff : 1) << 16 | 8 << 8;
    r[2] = c->feat[CW_1_ECX] | (c->cr4 & CR4_OSXSAVE ? 1u << 27 : 0);
    r[3] = c->feat[CW_1_EDX];
    if (n < 2) {
        r[3] &= ~(1u << 28);
    }
}

/* Deterministic caches: 32 KiB data, 32 KiB instruction, 4 MiB unified; 8 ways, 64 bytes. */
static void leaf_4(const X86Cpu *c, uint32_t sub, uint32_t r[4])
{
    static const struct { uint8_t type, level; uint32_t sets; } caches[] = { { 1, 1, 64 }, { 2, 1, 64 }, { 3, 2, 8192 } };

    if (sub < G_N_ELEMENTS(caches) && c->vendor[0] == 'G') {
        r[0] = caches[sub].type | caches[sub].level << 5 | 1 << 8 | ((1u << log2_up(ncpus(c))) - 1) << 26;
        r[1] = 63 | 7 << 22;
        r[2] = caches[sub].sets - 1;
    }
}

static void leaf_7(const X86Cpu *c, uint32_t sub, uint32_t r[4])
{
    if (sub == 0) {
        r[1] = c->feat[CW_7_EBX];
        r[2] = c->feat[CW_7_ECX];
        r[3] = c->feat[CW_7_EDX];
    }
}

/* Extended topology: threads, then cores. */
static void leaf_b(const X86Cpu *c, uint32_t sub, uint32_t r[4])
{
    if (sub == 0) {
        r[1] = 1;
        r[2] = 1 << 8;
    } else if (sub == 1) {
        r[0] = log2_up(ncpus(c));
        r[1] = ncpus(c);
        r[2] = 1 | 2 << 8;
    } else {
        r[2] = sub;
    }
    r[3] = c->lapic_id;
}

enum { XSAVE_LEGACY = 576, XSAVE_AVX = 256 };

static void leaf_d(const X86Cpu *c, uint32_t sub, uint32_t r[4])
{
    bool avx = x86_has_feat(c, CW_1_ECX, 28);

    if (!x86_has_feat(c, CW_1_ECX, 26)) {
        return;
    }
    switch (sub) {
    case 0:
        r[0] = avx ? 7 : 3;
        r[1] = XSAVE_LEGACY + (c->xcr0 & 4 ? XSAVE_AVX : 0);
        r[2] = XSAVE_LEGACY + (avx ? XSAVE_AVX : 0);
        break;
    case 1:
        r[0] = c->feat[CW_D_1_EAX];
        r[1] = XSAVE_LEGACY + (c->xcr0 & 4 ? XSAVE_AVX : 0);
        break;
    case 2:
        r[0] = avx ? XSAVE_AVX : 0;
        r[1] = avx ? XSAVE_LEGACY : 0;
        break;
    }
}

static void leaf_brand(const X86Cpu *c, uint32_t leaf, uint32_t r[4])
{
    memcpy(r, c->brand + 16 * (leaf - 0x80000002), 16);
}

static void leaf_80000001(const X86Cpu *c, uint32_t r[4])
{
    /* AMD repeats the bits of leaf 1 that it had first */
    const uint32_t shared = 0x0183f3ff;

    r[0] = signature(c);
    r[2] = c->feat[CW_80000001_ECX];
    r[3] = c->feat[CW_80000001_EDX] | (c->vendor[0] == 'A' ? c->feat[CW_1_EDX] & shared : 0);
    if (ncpus(c) < 2) {
        r[2] &= ~2u;                     /* CMP_LEGACY */
    }
}

static void leaf_80000008(const X86Cpu *c, uint32_t r[4])
{
    bool lm = x86_has_feat(c, CW_80000001_EDX, 29);

    r[0] = lm ? X86_PHYS_BITS | 48 << 8 : x86_has_feat(c, CW_1_EDX, 17) ? 36 | 32 << 8 : 32 | 32 << 8;
    r[1] = c->feat[CW_80000008_EBX];
    r[2] = (ncpus(c) - 1) & 0xff;
}

static void extended(const X86Cpu *c, uint32_t leaf, uint32_t r[4])
{
    switch (leaf) {
    case 0x80000000: leaf_vendor(c, c->cpuid_xlevel, r); break;
    case 0x80000001: leaf_80000001(c, r); break;
    case 0x80000002: case 0x80000003: case 0x80000004: leaf_brand(c, leaf, r); break;
    case 0x80000005:                     /* L1: 64 KiB, 2 ways, and its TLBs */
        r[0] = 0x01ff01ff; r[1] = 0x01ff01ff; r[2] = 0x40020140; r[3] = 0x40020140; break;
    case 0x80000006:                     /* L2: 512 KiB, 16 ways */
        r[1] = 0x42004200; r[2] = 0x02008140; break;
    case 0x80000007: r[3] = c->feat[CW_80000007_EDX]; break;
    case 0x80000008: leaf_80000008(c, r); break;
    case 0x80000021: r[0] = 1 << 2 /* LFENCE serialises */ | 1 << 6 /* null selectors clear the base */; break;
    }
}

static void basic(const X86Cpu *c, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    switch (leaf) {
    case 0: leaf_vendor(c, c->cpuid_level, r); break;
    case 1: leaf_1(c, r); break;
    case 2:
        if (c->vendor[0] == 'G') {
            r[0] = 1; r[3] = 0x002c307d;
        }
        break;
    case 4: leaf_4(c, sub, r); break;
    case 5: r[0] = r[1] = x86_has_feat(c, CW_1_ECX, 3) ? 64 : 0; r[2] = r[0] ? 3 : 0; break;
    case 6: r[0] = c->feat[CW_6_EAX]; break;
    case 7: leaf_7(c, sub, r); break;
    case 0xb: leaf_b(c, sub, r); break;
    case 0xd: leaf_d(c, sub, r); break;
    }
}

void x86_cpuid(X86Cpu *c, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    memset(r, 0, 4 * sizeof r[0]);
    if (leaf <= c->cpuid_level) {
        basic(c, leaf, sub, r);
    } else if (leaf >= 0x80000000 && leaf <= c->cpuid_xlevel) {
        extended(c, leaf, r);
    } else if (leaf == 0x40000000 && x86_has_feat(c, CW_1_ECX, 31)) {
        r[0] = 0x40000001;
        put_text(&r[1], "Rhea");
        put_text(&r[2], "Rhea");
        put_text(&r[3], "Rhea");
    }
}

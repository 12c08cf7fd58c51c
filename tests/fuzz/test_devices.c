/* Random port and memory-mapped traffic to every device of a pc, with time passing and resets.  Nothing may crash or
 * hang; run it under the sanitizers (make ASAN=1 check).  FUZZ_SEED and FUZZ_COUNT repeat or lengthen a run. */
#include <check.h>
#include <stdlib.h>

#include "hw/core/machine.h"
#include "hw/pci/pci.h"
#include "util/lock.h"

enum { DEFAULT_COUNT = 200000, RAM = 16 << 20 };

static const struct { uint64_t base, len; } windows[] = {
    { 0xa0000, 0x20000 }, { 0xc0000, 0x40000 }, { 0xfec00000, 0x100 }, { 0xfed00000, 0x400 }, { 0xfee00000, 0x2000 },
    { 0xe0000000, 0x2000 }, { 0xfffc0000, 0x40000 }, { 0x100000000ull, 0x1000 },
};
/* ports that somebody decodes, more often than the rest */
static const uint16_t ports[] = {
    0x00, 0x08, 0x0b, 0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x92, 0xa0, 0xa1, 0xb2, 0xc0, 0xd0, 0xf0,
    0x170, 0x177, 0x1ce, 0x1f0, 0x1f1, 0x1f6, 0x1f7, 0x2f8, 0x376, 0x3b4, 0x3c0, 0x3c4, 0x3ce, 0x3d4, 0x3f0, 0x3f2, 0x3f4,
    0x3f5, 0x3f6, 0x3f8, 0x402, 0x4d0, 0x510, 0x511, 0x514, 0x518, 0x600, 0x604, 0x608, 0x700, 0xcf8, 0xcf9, 0xcfc, 0xc000,
};

static uint32_t seed_of(const char *name, uint32_t otherwise)
{
    const char *s = g_getenv(name);
    return s ? (uint32_t)strtoul(s, NULL, 0) : otherwise;
}

static unsigned random_size(GRand *r) { return 1u << g_rand_int_range(r, 0, 3); }

static void random_port(Machine *m, GRand *r)
{
    uint16_t port = g_rand_int(r) % 8 ? ports[g_rand_int(r) % G_N_ELEMENTS(ports)] + g_rand_int(r) % 8 : (uint16_t)g_rand_int(r);
    unsigned size = random_size(r);
    if (g_rand_int(r) & 1)
        as_ld(m->io, port, size);
    else
        as_st(m->io, port, g_rand_int(r) & (g_rand_int(r) & 1 ? 0xff : UINT32_MAX), size);
}

static void random_memory(Machine *m, GRand *r)
{
    unsigned w = g_rand_int(r) % G_N_ELEMENTS(windows), size = 1u << g_rand_int_range(r, 0, 4);
    uint64_t at = windows[w].base + g_rand_int(r) % windows[w].len;
    if (g_rand_int(r) & 1)
        as_ld(m->mem, at, size);
    else
        as_st(m->mem, at, g_rand_int(r) | (uint64_t)g_rand_int(r) << 32, size);
}

static void random_config(Machine *m, GRand *r)
{
    unsigned fn = g_rand_int(r) % 24, size = random_size(r), off = (g_rand_int(r) & 0xff) & ~(size - 1);
    if (g_rand_int(r) & 1)
        pci_config_read(m->pci, fn, off, size);
    else
        pci_config_write(m->pci, fn, off, g_rand_int(r), size);
}

START_TEST(traffic)
{
    uint32_t seed = seed_of("FUZZ_SEED", 1), count = seed_of("FUZZ_COUNT", DEFAULT_COUNT);
    MachineConfig cfg = { .ram_size = RAM, .smp = 2, .rtc_base = INT64_MIN, .fw_paths = g_ptr_array_new() };
    g_ptr_array_add(cfg.fw_paths, (void *)"/usr/share/seabios");
    g_autoptr(GError) err = NULL;
    Machine *m = machine_new(machine_type_find("pc"), &cfg, &err);
    ck_assert_msg(m != NULL, "%s", err ? err->message : "?");
    g_autoptr(GRand) r = g_rand_new_with_seed(seed);
    machine_lock();
    clock_resume(m->clock);
    for (uint32_t i = 0; i < count; i++) {
        unsigned what = g_rand_int(r) % 16;
        if (what < 11)
            random_port(m, r);
        else if (what < 14)
            random_memory(m, r);
        else if (what < 15)
            random_config(m, r);
        else
            clock_run(m->clock);
        if (i % 20000 == 19999)
            machine_reset(m);
    }
    machine_unlock();
    machine_free(m);
    g_ptr_array_unref(cfg.fw_paths);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fuzz");
    TCase *c = tcase_create("devices");
    tcase_set_timeout(c, 600);
    tcase_add_test(c, traffic);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

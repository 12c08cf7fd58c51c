#include "tests/dev/harness.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/snapshot.h"
#include "util/lock.h"

static const MachineType test_type = { .name = "test", .doc = "bare", .arch = "x86", .max_cpus = 1 };

Machine *t_machine(void)
{
    Machine *m = g_new0(Machine, 1);
    machine_lock();
    m->type = &test_type;
    m->mem_root = mem_container_new("memory", UINT64_MAX);
    m->io_root = mem_container_new("io", 0x10000);
    m->mem = as_new("memory", m->mem_root);
    m->io = as_new("io", m->io_root);
    m->clock = clock_new_manual();
    m->devices = g_ptr_array_new();
    return m;
}

void t_machine_free(Machine *m)
{
    while (m->devices->len)
        dev_free(m->devices->pdata[m->devices->len - 1]);
    g_ptr_array_free(m->devices, TRUE);
    as_free(m->mem);
    as_free(m->io);
    mem_unref(m->mem_root);
    mem_unref(m->io_root);
    clock_free(m->clock);
    machine_unlock();
    g_free(m);
}

MemRegion *t_ram(Machine *m, uint64_t size)
{
    MemRegion *mr = mem_ram_new("ram", size, NULL);
    mem_add(m->mem_root, 0, mr, 0);
    mem_unref(mr);                       /* the tree's */
    return mr;
}

void t_step(Machine *m, int64_t ns) { clock_step(m->clock, ns); }

void t_line(void *line, int n, int level)
{
    TestLine *l = line;
    l->rises += level && !l->level;
    l->level = level;
    l->last_n = n;
}

Device *t_realize(Device *d)
{
    g_autoptr(GError) err = NULL;
    ck_assert_msg(dev_realize(d, &err), "%s", err ? err->message : "?");
    dev_reset(d);
    return d;
}

static void load(Device *d, const GByteArray *a)
{
    g_autoptr(GError) err = NULL;
    const uint8_t *p = a->data;
    size_t len = a->len;
    ck_assert_msg(snap_load(d, &p, &len, &err), "%s", err ? err->message : "?");
    ck_assert_uint_eq(len, 0);
}

void t_check_snapshot(Device *d)
{
    g_autoptr(GByteArray) a = g_byte_array_new(), b = g_byte_array_new();
    snap_save(d, a);
    load(d, a);
    snap_save(d, b);
    ck_assert_uint_eq(a->len, b->len);
    ck_assert_msg(!memcmp(a->data, b->data, a->len), "%s: another state after save and load", d->type->name);
}

int t_main(const char *name, const TTest *const *tests)
{
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    for (; *tests; tests++)
        tcase_add_test(c, *tests);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

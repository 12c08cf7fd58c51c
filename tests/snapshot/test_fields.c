/* Every device type: rows cover the struct; every device of a whole board: save -> load -> save is identical, and
 * damaged records are refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/machine.h"
#include "hw/core/snapshot.h"
#include "util/ldst.h"
#include "util/lock.h"

START_TEST(rows_cover_structs)
{
    for (const DeviceType *const *t = dev_types; *t; t++) {
        g_autofree char *why = NULL;
        ck_assert_msg(snap_check_fields(*t, &why), "%s", why);
        ck_assert_msg((*t)->version >= 1 && (*t)->doc, "%s: no version or doc", (*t)->name);
    }
}
END_TEST

START_TEST(types_are_sorted_and_found)
{
    for (const DeviceType *const *t = dev_types; *t; t++) {
        ck_assert_ptr_eq(dev_type_find((*t)->name), *t);
        GString *s = g_string_new(NULL);
        dev_print_help(*t, s);
        ck_assert_int_gt((int)s->len, 0);
        g_string_free(s, TRUE);
    }
    ck_assert_ptr_null(dev_type_find("no-such-device"));
}
END_TEST

static Machine *board(MachineConfig *cfg)
{
    g_autoptr(GError) err = NULL;
    *cfg = (MachineConfig){ .ram_size = 16 << 20, .smp = 2, .rtc_base = INT64_MIN, .fw_paths = g_ptr_array_new() };
    g_ptr_array_add(cfg->fw_paths, (void *)"/usr/share/seabios");
    Machine *m = machine_new(machine_type_find("pc"), cfg, &err);
    ck_assert_msg(m != NULL, "%s", err ? err->message : "?");
    return m;
}

static void check_device(Device *d)
{
    g_autoptr(GByteArray) a = g_byte_array_new(), b = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    snap_save(d, a);
    const uint8_t *p = a->data;
    size_t len = a->len;
    ck_assert_msg(snap_load(d, &p, &len, &err), "%s", err ? err->message : "?");
    snap_save(d, b);
    ck_assert_uint_eq(a->len, b->len);
    for (guint i = 0; i < a->len; i++)
        ck_assert_msg(a->data[i] == b->data[i], "%s: byte %u of the state differs", d->type->name, i);
}

static void check_refuses(Device *d)
{
    g_autoptr(GByteArray) a = g_byte_array_new();
    snap_save(d, a);
    for (guint cut = 0; cut < a->len; cut += 7) {
        const uint8_t *p = a->data;
        size_t len = cut;
        ck_assert(!snap_load(d, &p, &len, NULL));
    }
    guint version = 1 + (guint)strlen(d->type->name);
    a->data[version]++;
    const uint8_t *p = a->data;
    size_t len = a->len;
    g_autoptr(GError) err = NULL;
    ck_assert(!snap_load(d, &p, &len, &err));
    ck_assert_ptr_nonnull(strstr(err->message, "newer version"));
}

/* Random bytes as state: nothing may crash, now or when time goes on. */
static void check_hostile(Device *d, GRand *r)
{
    g_autoptr(GByteArray) a = g_byte_array_new();
    snap_save(d, a);
    guint head = 1 + (guint)strlen(d->type->name) + 1 + 4;
    for (guint i = head; i < a->len; i++)
        a->data[i] = (uint8_t)g_rand_int(r);
    const uint8_t *p = a->data;
    size_t len = a->len;
    if (snap_load(d, &p, &len, NULL))
        dev_reset(d);
}

START_TEST(whole_board)
{
    MachineConfig cfg;
    Machine *m = board(&cfg);
    machine_lock();
    g_autoptr(GRand) r = g_rand_new_with_seed(1);
    for (guint i = 0; i < m->devices->len; i++)
        check_device(m->devices->pdata[i]);
    for (guint i = 0; i < m->devices->len; i++)
        check_refuses(m->devices->pdata[i]);
    for (guint n = 0; n < 20; n++)
        for (guint i = 0; i < m->devices->len; i++)
            check_hostile(m->devices->pdata[i], r);
    machine_reset(m);
    machine_unlock();
    machine_free(m);
    g_ptr_array_unref(cfg.fw_paths);
}
END_TEST

START_TEST(two_machines)
{
    MachineConfig a, b;
    Machine *x = board(&a), *y = board(&b);
    machine_free(x);
    machine_free(y);
    g_ptr_array_unref(a.fw_paths);
    g_ptr_array_unref(b.fw_paths);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("snapshot");
    TCase *c = tcase_create("fields");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, rows_cover_structs);
    tcase_add_test(c, types_are_sorted_and_found);
    tcase_add_test(c, whole_board);
    tcase_add_test(c, two_machines);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

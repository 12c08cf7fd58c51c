/* Block layer: raw over file, rounding, snapshot=on, locks, errors, asynchronous requests. */
#include <check.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/block.h"
#include "util/ldst.h"
#include "util/lock.h"
#include "util/log.h"

static char *dir;

static void setup(void) { dir = g_dir_make_tmp("rhea-test-XXXXXX", NULL); }

static void teardown(void)
{
    g_autofree char *cmd = g_strdup_printf("rm -rf %s", dir);
    ck_assert_int_eq(system(cmd), 0);
    g_free(dir);
}

static char *file_of(const char *name, uint64_t size)
{
    char *path = g_build_filename(dir, name, NULL);
    g_autofree char *data = g_malloc(size + 1);
    for (uint64_t i = 0; i < size; i++)
        data[i] = (char)(i / 512 + 1);
    ck_assert(g_file_set_contents(path, data, (gssize)size, NULL));
    return path;
}

static BlockDev *open_ok(const char *path, bool readonly, bool snapshot)
{
    g_autoptr(GError) err = NULL;
    BlockDev *b = blk_open(&(BlockOpenOptions){ .path = path, .readonly = readonly, .snapshot = snapshot }, &err);
    ck_assert_msg(b, "%s", err ? err->message : "?");
    return b;
}

static void open_fails(const BlockOpenOptions *o, const char *why, int code)
{
    g_autoptr(GError) err = NULL;
    ck_assert_ptr_null(blk_open(o, &err));
    ck_assert(g_error_matches(err, RHEA_ERROR, code));
    ck_assert_msg(strstr(err->message, why), "'%s' does not say '%s'", err->message, why);
    ck_assert_ptr_null(strchr(err->message, '\n'));
}

START_TEST(read_write)
{
    g_autofree char *path = file_of("a", 8192);
    uint8_t buf[1024], back[1024];
    BlockDev *b = open_ok(path, false, false);
    ck_assert_uint_eq(blk_size(b), 8192);
    ck_assert_str_eq(blk_format(b), "raw");
    ck_assert_int_eq(blk_read(b, 1000, buf, 100), 0);
    ck_assert_uint_eq(buf[0], 2);
    ck_assert_uint_eq(buf[99], 3);
    memset(buf, 0xee, sizeof buf);
    ck_assert_int_eq(blk_write(b, 4096, buf, 1024), 0);
    ck_assert_int_eq(blk_flush(b), 0);
    ck_assert_int_eq(blk_read(b, 4096, back, 1024), 0);
    ck_assert_mem_eq(buf, back, 1024);
    ck_assert_int_eq(blk_read(b, 8192, buf, 1), -EINVAL);
    ck_assert_int_eq(blk_read(b, UINT64_MAX, buf, 2), -EINVAL);
    ck_assert_int_eq(blk_write(b, 8000, buf, 1000), -EINVAL);
    BlockStats st = blk_stats(b);
    ck_assert_uint_eq(st.rd_ops, 2);
    ck_assert_uint_eq(st.rd_bytes, 1124);
    ck_assert_uint_eq(st.wr_bytes, 1024);
    ck_assert_uint_eq(st.flushes, 1);
    blk_unref(b);
    struct stat s;
    ck_assert_int_eq(stat(path, &s), 0);
    ck_assert_int_eq(s.st_size, 8192);
}
END_TEST

START_TEST(odd_size_reads_zeroes)
{
    g_autofree char *path = file_of("odd", 1000);
    uint8_t buf[512];
    BlockDev *b = open_ok(path, true, false);
    ck_assert_uint_eq(blk_size(b), 1024);
    ck_assert_int_eq(blk_read(b, 512, buf, 512), 0);
    ck_assert_uint_eq(buf[487], 2);
    ck_assert_uint_eq(buf[488], 0);
    ck_assert_uint_eq(buf[511], 0);
    ck_assert_int_eq(blk_write(b, 0, buf, 512), -EROFS);
    blk_unref(b);
}
END_TEST

START_TEST(snapshot_leaves_the_image_alone)
{
    g_autofree char *path = file_of("s", 65536);
    g_autofree char *before = NULL, *after = NULL;
    gsize len;
    ck_assert(g_file_get_contents(path, &before, &len, NULL));
    ck_assert_int_eq(chmod(path, 0444), 0);
    uint8_t buf[4096], want[4096];
    BlockDev *b = open_ok(path, false, true);
    ck_assert(!blk_readonly(b));
    memset(buf, 0x77, sizeof buf);
    ck_assert_int_eq(blk_write(b, 1024, buf, 1024), 0);
    ck_assert_int_eq(blk_write(b, 3000, buf, 10), 0);            /* part of a sector */
    ck_assert_int_eq(blk_write(b, 5000, buf, 1500), 0);          /* parts of two and a whole one */
    for (unsigned i = 0; i < sizeof want; i++)
        want[i] = (uint8_t)((512 + i) / 512 + 1);
    memset(want + 512, 0x77, 1024);
    memset(want + 3000 - 512, 0x77, 10);
    ck_assert_int_eq(blk_read(b, 512, buf, 4096), 0);
    ck_assert_mem_eq(buf, want, 4096);
    ck_assert_int_eq(blk_read(b, 4990, buf, 1600), 0);
    ck_assert_uint_eq(buf[9], 10);
    ck_assert_uint_eq(buf[10], 0x77);
    ck_assert_uint_eq(buf[1509], 0x77);
    ck_assert_uint_eq(buf[1510], 13);
    blk_unref(b);
    ck_assert(g_file_get_contents(path, &after, &len, NULL));
    ck_assert_mem_eq(before, after, len);
}
END_TEST

START_TEST(locks)
{
    g_autofree char *path = file_of("l", 4096);
    g_autofree char *me = g_strdup_printf("process %d", getpid());
    BlockDev *w = open_ok(path, false, false);
    open_fails(&(BlockOpenOptions){ .path = path }, me, ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = path, .readonly = true }, "in use by", ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = path, .snapshot = true }, "in use by", ERR_RUN);
    BlockDev *peek = blk_open(&(BlockOpenOptions){ .path = path, .readonly = true, .force_share = true }, NULL);
    ck_assert_ptr_nonnull(peek);
    blk_unref(peek);
    pid_t child = fork();                /* another process meets the same, and our lock outlives its descriptors */
    if (!child) {
        g_autoptr(GError) err = NULL;
        BlockDev *b = blk_open(&(BlockOpenOptions){ .path = path }, &err);
        _exit(b || !strstr(err->message, "process") ? 1 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    blk_unref(w);
    BlockDev *r1 = open_ok(path, true, false), *r2 = open_ok(path, false, true);         /* readers share */
    open_fails(&(BlockOpenOptions){ .path = path }, "in use by", ERR_RUN);
    blk_unref(r1);
    blk_unref(r2);
    blk_unref(open_ok(path, false, false));
}
END_TEST

START_TEST(bad_files)
{
    g_autofree char *empty = file_of("empty", 0), *qcow = g_build_filename(dir, "q", NULL), *none = g_build_filename(dir, "no", NULL);
    g_autofree char *fifo = g_build_filename(dir, "fifo", NULL), *iso = file_of("iso", 40960);
    ck_assert(g_file_set_contents(qcow, "QFI\xfb\0\0\0\3........", 16, NULL));
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    open_fails(&(BlockOpenOptions){ .path = none }, "No such file", ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = dir }, "directory", ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = fifo }, "pipe", ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = "/dev/null" }, "character device", ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = empty }, "empty", ERR_RUN);
    open_fails(&(BlockOpenOptions){ .path = empty, .format = "ra" }, "raw", ERR_USAGE);
    open_fails(&(BlockOpenOptions){ .path = qcow }, "qcow2", ERR_RUN);
    blk_unref(blk_open(&(BlockOpenOptions){ .path = qcow, .format = "raw" }, NULL));

    uint8_t pvd[2048] = { 1, 'C', 'D', '0', '0', '1', 1 };       /* says 1000 blocks of 2048, has 20 */
    st_le32(pvd + 80, 1000);
    st_le16(pvd + 128, 2048);
    BlockDev *b = open_ok(iso, false, false);
    ck_assert_int_eq(blk_write(b, 32768, pvd, sizeof pvd), 0);
    blk_unref(b);
    open_fails(&(BlockOpenOptions){ .path = iso, .removable = true, .readonly = true }, "truncated", ERR_RUN);
    blk_unref(open_ok(iso, true, false));                        /* as a disk it is nobody's business */
}
END_TEST

typedef struct Done { int n, ret; GThread *thread; } Done;

static void done(void *opaque, int ret)
{
    Done *d = opaque;
    d->n++;
    d->ret = ret;
    d->thread = g_thread_self();
    ck_assert(machine_locked());
}

START_TEST(asynchronous)
{
    g_autofree char *path = file_of("async", 1 << 20);
    BlockDev *b = open_ok(path, false, false);
    uint8_t *buf = g_malloc(64 * 4096);
    Done d = { 0 };
    for (unsigned i = 0; i < 64; i++)
        blk_read_async(b, i * 4096, buf + i * 4096, 4096, done, &d);
    ck_assert_int_eq(d.n, 0);            /* never from inside the call */
    blk_drain(b);
    ck_assert_int_eq(d.n, 64);
    ck_assert_int_eq(d.ret, 0);
    for (unsigned i = 0; i < 64 * 8; i++)
        ck_assert_uint_eq(buf[i * 512], (uint8_t)(i + 1));
    blk_write_async(b, 0, buf, 4096, done, &d);
    while (d.n < 65)
        g_main_context_iteration(NULL, TRUE);            /* and by the main loop */
    ck_assert_ptr_eq(d.thread, g_thread_self());
    blk_flush_async(b, done, &d);
    blk_drain(b);
    ck_assert_int_eq(d.n, 66);
    blk_read_async(b, 1 << 20, buf, 512, done, &d);
    blk_unref(b);                        /* a request keeps its disk */
    while (d.n < 67)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_int_eq(d.ret, -EINVAL);
    g_free(buf);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block");
    TCase *c = tcase_create("block");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, read_write);
    tcase_add_test(c, odd_size_reads_zeroes);
    tcase_add_test(c, snapshot_leaves_the_image_alone);
    tcase_add_test(c, locks);
    tcase_add_test(c, bad_files);
    tcase_add_test(c, asynchronous);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

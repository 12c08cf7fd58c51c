/* ui/ without a program around it: chardevs and the multiplexer, key names, screendumps. */
#define _GNU_SOURCE
#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ui/chr.h"
#include "ui/console.h"
#include "ui/input.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/loop.h"

static char *dir;

/* ---- a front end that keeps what it hears ---- */

typedef struct Ear { GString *heard; size_t room; int opened, closed, breaks; } Ear;

static size_t ear_room(void *o) { return ((Ear *)o)->room; }
static void ear_read(void *o, const uint8_t *buf, size_t len) { g_string_append_len(((Ear *)o)->heard, (const char *)buf, (gssize)len); }
static void ear_event(void *o, ChrEvent ev)
{
    Ear *e = o;
    *(ev == CHR_OPENED ? &e->opened : ev == CHR_CLOSED ? &e->closed : &e->breaks) += 1;
}
static const ChrFront ear_front = { .can_read = ear_room, .read = ear_read, .event = ear_event };

static Ear ear_new(void) { return (Ear) { .heard = g_string_new(NULL), .room = 100 }; }

/* Runs the loop until cond or for two seconds. */
#define UNTIL(cond) \
    do { \
        gint64 end_ = g_get_monotonic_time() + 2 * G_USEC_PER_SEC; \
        while (!(cond) && g_get_monotonic_time() < end_) { \
            loop_iterate(false); \
            g_usleep(200); \
        } \
        ck_assert(cond); \
    } while (0)

static char *in_dir(const char *name) { return g_build_filename(dir, name, NULL); }

static int dial(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    g_strlcpy(a.sun_path, path, sizeof a.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void setup(void)
{
    static bool once;
    if (!once)
        loop_init();
    once = true;
    machine_lock();
    dir = g_dir_make_tmp("rhea-ui-XXXXXX", NULL);
}

static void teardown(void)
{
    chr_free_all();
    machine_unlock();
    g_free(dir);
}

START_TEST(file_is_made_late)
{
    g_autofree char *path = in_dir("log"), *spec = g_strconcat("file:", path, NULL), *text = NULL;
    Chardev *c = chr_new("s0", spec, NULL);
    ck_assert_ptr_nonnull(c);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    ck_assert(chr_ready_all(NULL));
    chr_write(c, (const uint8_t *)"hello", 5);
    UNTIL(c->out->len == 0);
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_str_eq(text, "hello");
}
END_TEST

START_TEST(socket_serves_one_after_another)
{
    g_autofree char *path = in_dir("sock"), *spec = g_strdup_printf("unix:%s,server,nowait", path);
    Ear e = ear_new();
    Chardev *c = chr_new("s0", spec, NULL);
    chr_set_front(c, &ear_front, &e);
    for (int i = 1; i <= 2; i++) {
        char buf[16] = "";
        int fd = dial(path);
        UNTIL(e.opened == i);
        ck_assert_int_eq(write(fd, "abc", 3), 3);
        UNTIL(e.heard->len == (gsize)i * 3);
        chr_write(c, (const uint8_t *)"xyz", 3);
        UNTIL(c->out->len == 0);
        ck_assert_int_eq(read(fd, buf, sizeof buf), 3);
        ck_assert_str_eq(buf, "xyz");
        close(fd);
        UNTIL(e.closed == i);
    }
    chr_free(c);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(input_waits_for_room)
{
    g_autofree char *path = in_dir("sock"), *spec = g_strdup_printf("unix:%s,server=on,wait=off", path);
    Ear e = ear_new();
    e.room = 2;
    Chardev *c = chr_new("s0", spec, NULL);
    chr_set_front(c, &ear_front, &e);
    int fd = dial(path);
    ck_assert_int_eq(write(fd, "abcdef", 6), 6);
    UNTIL(e.heard->len >= 2);
    e.room = 0;
    gsize had = e.heard->len;
    for (int i = 0; i < 20; i++)
        loop_iterate(false);
    ck_assert_uint_le(e.heard->len, had + 2);
    e.room = 10;
    chr_accept_input(c);
    UNTIL(e.heard->len == 6);
    ck_assert_str_eq(e.heard->str, "abcdef");
    close(fd);
}
END_TEST

START_TEST(output_is_bounded)
{
    g_autofree char *path = in_dir("sock"), *spec = g_strdup_printf("unix:%s,server=on,wait=off", path);
    static uint8_t block[65536];
    Chardev *c = chr_new("s0", spec, NULL);
    int fd = dial(path);
    UNTIL(c->connected);
    for (int i = 0; i < 256; i++)
        ck_assert_uint_eq(chr_write(c, block, sizeof block), sizeof block);
    ck_assert_uint_le(c->out->len, 1 << 20);
    close(fd);
}
END_TEST

START_TEST(telnet_commands_are_taken_out)
{
    Ear e = ear_new();
    GError *err = NULL;
    Chardev *c = chr_new("s0", "telnet:127.0.0.1:0,server,nowait", &err);
    ck_assert_msg(c != NULL, "%s", err ? err->message : "");
    chr_set_front(c, &ear_front, &e);
    uint8_t in[] = { 'a', 255, 253, 1, 'b', 255, 255, 255, 250, 31, 0, 80, 255, 240, '\r', 0, 255, 243 };
    chr_input(c, in, c->filter(c, in, sizeof in));
    ck_assert_str_eq(e.heard->str, "ab\xff\r");
    ck_assert_int_eq(e.breaks, 1);
}
END_TEST

static int quits;
static void on_quit(void *opaque G_GNUC_UNUSED) { quits++; }

START_TEST(mux_switches)
{
    g_autofree char *path = in_dir("sock"), *spec = g_strdup_printf("socket,id=c0,mux=on,path=%s,server=on,wait=off", path);
    Ear a = ear_new(), b = ear_new();
    ck_assert_ptr_nonnull(chr_new_opts(spec, NULL));
    Chardev *pa = chr_new("s0", "chardev:c0", NULL), *pb = chr_new("m0", "chardev:c0", NULL);
    chr_set_front(pa, &ear_front, &a);
    chr_set_front(pb, &ear_front, &b);
    mux_on_quit(on_quit, NULL);
    int fd = dial(path);
    UNTIL(a.opened == 1);
    ck_assert_int_eq(write(fd, "one\1cXtwo\1bq\1\1c\1cthree\1x", 25), 25);
    UNTIL(quits == 1);
    ck_assert_str_eq(a.heard->str, "onethree");
    ck_assert_str_eq(b.heard->str, "Xtwoq\1c");
    ck_assert_int_eq(b.breaks, 1);
    ck_assert_int_eq(b.opened, 1);
    close(fd);
}
END_TEST

START_TEST(key_names)
{
    unsigned k[3];
    GError *err = NULL;
    ck_assert_int_eq(input_parse_keys("ctrl-alt-delete", k, 3, NULL), 3);
    ck_assert_uint_eq(k[0], 29);
    ck_assert_uint_eq(k[2], 111);
    ck_assert_int_eq(input_parse_keys("0x1e", k, 3, NULL), 1);
    ck_assert_uint_eq(k[0], 30);
    ck_assert_int_eq(input_parse_keys("a-b-c-d", k, 3, &err), -1);
    g_clear_error(&err);
    ck_assert_int_eq(input_parse_keys("bakspace", k, 3, &err), -1);
    ck_assert_ptr_nonnull(strstr(err->message, "backspace"));
    g_clear_error(&err);
    ck_assert_int_eq(input_parse_keys("", k, 3, &err), -1);
    g_clear_error(&err);
}
END_TEST

static void draw(void *opaque, bool full G_GNUC_UNUSED)
{
    pixman_image_t *s = con_surface(*(Console **)opaque);
    pixman_image_get_data(s)[1] = 0x00ff8040;
}

START_TEST(screendump)
{
    ConsoleList list = { 0 };
    Console *c;
    static const ConsoleOps ops = { .update = draw };
    c = con_new(&list, "vga", &ops, &c);
    con_resize(c, 3, 2);
    g_autofree char *ppm = in_dir("s.ppm"), *png = in_dir("s.png"), *text = NULL;
    gsize len;
    ck_assert(con_screendump(c, ppm, NULL, NULL));
    ck_assert(g_file_get_contents(ppm, &text, &len, NULL));
    ck_assert_uint_eq(len, 11 + 18);
    ck_assert_mem_eq(text, "P6\n3 2\n255\n\0\0\0\xff\x80\x40", 17);
    ck_assert(con_screendump(c, png, NULL, NULL));
    g_clear_pointer(&text, g_free);
    ck_assert(g_file_get_contents(png, &text, &len, NULL));
    ck_assert_mem_eq(text, "\x89PNG", 4);
    ck_assert(!con_screendump(c, "/no/such/dir/s.png", NULL, NULL));
    ck_assert(!con_screendump(c, png, "gif", NULL));
    con_free(c);
    g_ptr_array_unref(list.all);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ui");
    TCase *t = tcase_create("ui");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, file_is_made_late);
    tcase_add_test(t, socket_serves_one_after_another);
    tcase_add_test(t, input_waits_for_room);
    tcase_add_test(t, output_is_bounded);
    tcase_add_test(t, telnet_commands_are_taken_out);
    tcase_add_test(t, mux_switches);
    tcase_add_test(t, key_names);
    tcase_add_test(t, screendump);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* rhea-img: the disk tool.  Commands, options and output are spelt as users
 * of qemu-img know them.
 *
 *   create [-f raw] [-o preallocation=off|falloc|full] [-q] FILE SIZE
 *   info   [-f FORMAT] [--output=human|json] [-U] FILE
 */
#include <getopt.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/driver.h"
#include "config.h"
#include "util/log.h"
#include "util/opts.h"

typedef struct Command {
    const char *name, *usage, *doc;
    bool (*run)(int argc, char **argv, GError **err);
} Command;

static bool usage_error(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static bool usage_error(GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s", text);
    return false;
}

/* getopt has met something it does not know. */
static bool bad_option(char **argv, GError **err)
{
    return usage_error(err, "%s: option '%s' is not known or lacks its value ('rhea-img %s --help' lists them)", argv[0],
                       argv[optind - 1], argv[0]);
}

static bool one_format(const char *name, GError **err)
{
    const BlockDriver *drv = block_driver_find(name);
    if (drv && drv->kind == BLOCK_FORMAT)
        return true;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (unsigned i = 0; block_drivers[i]; i++)
        if (block_drivers[i]->kind == BLOCK_FORMAT)
            g_ptr_array_add(names, (void *)block_drivers[i]->name);
    g_ptr_array_add(names, NULL);
    g_autofree char *list = g_strjoinv(", ", (char **)names->pdata);
    return usage_error(err, "format '%s' is not known (known: %s)", name, list);
}

/* ---- create ---- */

static bool create_options(const char *text, FilePrealloc *prealloc, GError **err)
{
    static const char *const known[] = { "preallocation", NULL }, *const modes[] = { "off", "falloc", "full", NULL };
    g_autoptr(Opts) o = opts_parse(text, NULL, err);
    if (!o || !opts_check(o, "-o", known, err))
        return false;
    const char *mode = opts_get(o, "preallocation");
    int n = mode ? opt_choice("preallocation", mode, modes, err) : 0;
    *prealloc = (FilePrealloc)MAX(n, 0);
    return n >= 0;
}

static bool cmd_create(int argc, char **argv, GError **err)
{
    const char *format = "raw";
    FilePrealloc prealloc = PREALLOC_OFF;
    bool quiet = false;
    for (int c; (c = getopt(argc, argv, ":f:o:b:F:qu")) != -1;) {
        switch (c) {
        case 'f': format = optarg; break;
        case 'q': quiet = true; break;
        case 'o':
            if (!create_options(optarg, &prealloc, err))
                return false;
            break;
        case 'b': case 'F': case 'u':
            return usage_error(err, "create: -%c: overlays on a base image are not supported by this version", c);
        default: return bad_option(argv, err);
        }
    }
    if (argc - optind != 2)
        return usage_error(err, "create: expected FILE SIZE, as in 'rhea-img create disk.img 10G'");
    uint64_t size;
    if (!one_format(format, err) || !opt_size("size", argv[optind + 1], 1, &size, err))
        return false;
    if (!size || size > INT64_MAX)
        return usage_error(err, "create: a disk of %s bytes makes no sense", argv[optind + 1]);
    size = (size + BLOCK_SECTOR - 1) / BLOCK_SECTOR * BLOCK_SECTOR;
    if (!file_create(argv[optind], size, prealloc, err))
        return false;
    if (!quiet)
        g_print("Formatting '%s', fmt=%s size=%" G_GUINT64_FORMAT "\n", argv[optind], format, size);
    return true;
}

/* ---- info ---- */

/* 1536 -> "1.5 KiB" */
static char *size_text(uint64_t n)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)n;
    unsigned u = 0;
    for (; v >= 1000 && u < G_N_ELEMENTS(units) - 1; u++)
        v /= 1024;
    return g_strdup_printf("%0.3g %s", v, units[u]);
}

static void info_json(BlockDev *b)
{
    g_autoptr(JsonBuilder) j = json_builder_new();
    json_builder_begin_object(j);
    json_builder_set_member_name(j, "virtual-size");
    json_builder_add_int_value(j, (gint64)blk_size(b));
    json_builder_set_member_name(j, "filename");
    json_builder_add_string_value(j, blk_path(b));
    json_builder_set_member_name(j, "format");
    json_builder_add_string_value(j, blk_format(b));
    json_builder_set_member_name(j, "actual-size");
    json_builder_add_int_value(j, (gint64)file_allocated(blk_path(b)));
    json_builder_set_member_name(j, "dirty-flag");
    json_builder_add_boolean_value(j, FALSE);
    json_builder_end_object(j);
    g_autoptr(JsonNode) root = json_builder_get_root(j);
    g_autofree char *text = json_to_string(root, TRUE);
    g_print("%s\n", text);
}

static void info_human(BlockDev *b)
{
    g_autofree char *virtual_size = size_text(blk_size(b)), *actual = size_text(file_allocated(blk_path(b)));
    g_print("image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT " bytes)\ndisk size: %s\n", blk_path(b),
            blk_format(b), virtual_size, blk_size(b), actual);
}

static bool cmd_info(int argc, char **argv, GError **err)
{
    static const struct option longs[] = {
        { "output", required_argument, NULL, 'O' }, { "force-share", no_argument, NULL, 'U' }, { 0 } };
    static const char *const outputs[] = { "human", "json", NULL };
    BlockOpenOptions o = { .readonly = true };
    int output = 0;
    for (int c; (c = getopt_long(argc, argv, ":f:U", longs, NULL)) != -1;) {
        switch (c) {
        case 'f': o.format = optarg; break;
        case 'U': o.force_share = true; break;
        case 'O':
            if ((output = opt_choice("--output", optarg, outputs, err)) < 0)
                return false;
            break;
        default: return bad_option(argv, err);
        }
    }
    if (argc - optind != 1)
        return usage_error(err, "info: expected one FILE");
    o.path = argv[optind];
    BlockDev *b = blk_open(&o, err);
    if (!b)
        return false;
    if (output)
        info_json(b);
    else
        info_human(b);
    blk_unref(b);
    return true;
}

/* ---- the command line ---- */

static const Command commands[] = {
    { "create", "[-f raw] [-o preallocation=off|falloc|full] [-q] FILE SIZE", "make a disk image (SIZE: 512M, 10G ...)", cmd_create },
    { "info", "[-f FORMAT] [--output=human|json] [-U] FILE", "say what an image is", cmd_info },
};

static void help(void)
{
    g_print("usage: rhea-img COMMAND [OPTIONS]\n\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        g_print("  %s %s\n      %s\n", commands[i].name, commands[i].usage, commands[i].doc);
    g_print("\nformats:");
    for (unsigned i = 0; block_drivers[i]; i++)
        if (block_drivers[i]->kind == BLOCK_FORMAT)
            g_print(" %s", block_drivers[i]->name);
    g_print("\n");
}

static const Command *command_find(const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(commands) + 1] = { NULL };
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        names[i] = commands[i].name;
        if (!strcmp(names[i], name))
            return &commands[i];
    }
    g_autofree char *closest = closest_names(name, names), *list = g_strjoinv(", ", (char **)names);
    usage_error(err, "no command '%s'%s (commands: %s)", name, closest, list);
    return NULL;
}

static bool wants_help(int argc, char **argv)
{
    return argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"));
}

int main(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    if (wants_help(argc, argv) || (argc > 2 && wants_help(argc - 1, argv + 1))) {
        help();
        return 0;
    }
    if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
        g_print("rhea-img version %s\n", CONFIG_VERSION);
        return 0;
    }
    opterr = 0;
    const Command *c = argc > 1 ? command_find(argv[1], &err) : NULL;
    if (argc < 2)
        usage_error(&err, "expected a command ('rhea-img --help' lists them)");
    if (c && c->run(argc - 1, argv + 1, &err))
        return 0;
    g_printerr("rhea-img: %s\n", err->message);
    return err->domain == RHEA_ERROR && err->code == ERR_USAGE ? 2 : 1;
}

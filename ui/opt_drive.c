/* Options about disks.  A -drive becomes a DriveSpec; resolve_drives gives
 * each its place and opens the image. */
#include <inttypes.h>
#include <string.h>

#include "ui/options.h"
#include "util/log.h"

enum { IDE_UNITS = 4, FLOPPY_UNITS = 2, CD_INDEX = 2 };

static DriveSpec *add_spec(Options *o, const char *option, const char *file)
{
    DriveSpec *d = g_new0(DriveSpec, 1);
    d->option = option;
    d->file = g_strdup(file);
    d->iface = DRIVE_IDE;
    d->index = -1;
    g_ptr_array_add(o->drive_specs, d);
    return d;
}

#define SHORT_FORM(fn, kind, idx, cd) \
    bool opt_fn_##fn(Options *o, const char *arg, GError **err G_GNUC_UNUSED) \
    { \
        DriveSpec *d = add_spec(o, "-" #fn, arg); \
        d->iface = kind; \
        d->index = idx; \
        d->cdrom = cd; \
        d->readonly = cd; \
        return true; \
    }
SHORT_FORM(hda, DRIVE_IDE, 0, false)
SHORT_FORM(hdb, DRIVE_IDE, 1, false)
SHORT_FORM(hdc, DRIVE_IDE, 2, false)
SHORT_FORM(hdd, DRIVE_IDE, 3, false)
SHORT_FORM(cdrom, DRIVE_IDE, CD_INDEX, true)
SHORT_FORM(fda, DRIVE_FLOPPY, 0, false)
SHORT_FORM(fdb, DRIVE_FLOPPY, 1, false)

bool opt_fn_snapshot(Options *o, const char *arg G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    o->snapshot = true;
    return true;
}

/* ---- -drive ---- */

/* Keys that are understood; those after "id" are checked where they have few values and change nothing here: images are
 * read through the host's cache and flushed when the guest asks. */
static const char *const drive_keys[] = { "file", "format", "if", "index", "bus", "unit", "media", "readonly", "read-only", "snapshot", "id",
                                          "cache", "aio", "discard", "detect-zeroes", "werror", "rerror", "copy-on-read", "serial",
                                          "cache.direct", "cache.no-flush", "cache.writeback", NULL };

static bool take_interface(DriveSpec *d, const Opts *o, GError **err)
{
    static const char *const here[] = { [DRIVE_IDE] = "ide", [DRIVE_FLOPPY] = "floppy", [DRIVE_NONE] = "none", NULL };
    static const char *const later[] = { "virtio", "scsi", "sd", "mtd", "pflash", "xen", NULL };
    const char *v = opts_get(o, "if");
    if (!v)
        return true;
    if (g_strv_contains(later, v)) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-drive if=%s: not available in this version (accepted: ide, floppy, none)", v);
        return false;
    }
    d->iface = opt_choice("-drive: if", v, here, err);
    return d->iface >= 0;
}

static bool take_media(DriveSpec *d, const Opts *o, GError **err)
{
    static const char *const kinds[] = { "disk", "cdrom", NULL };
    const char *v = opts_get(o, "media");
    int i = v ? opt_choice("-drive: media", v, kinds, err) : 0;
    d->cdrom = i == 1;
    d->readonly = d->cdrom;
    return i >= 0;
}

static bool take_readonly(DriveSpec *d, const Opts *o, GError **err)
{
    const char *key = opts_get(o, "read-only") ? "read-only" : "readonly";
    if (!opts_get(o, key))
        return true;
    bool ro;
    if (!opts_bool(o, key, &ro, err))
        return false;
    if (!d->cdrom)
        d->readonly = ro;
    d->rw_asked = !ro;
    return true;
}

static bool take_index(DriveSpec *d, const Opts *o, GError **err)
{
    uint64_t index = 0, bus = 0, unit = 0;
    unsigned per_bus = 2;
    if (!opts_u64(o, "index", &index, err) || !opts_u64(o, "bus", &bus, err) || !opts_u64(o, "unit", &unit, err))
        return false;
    if (opts_get(o, "index"))
        d->index = (int)MIN(index, 1000);
    else if (opts_get(o, "bus") || opts_get(o, "unit"))
        d->index = (int)MIN(bus * per_bus + unit, 1000);
    return true;
}

static bool take_hints(const Opts *o, GError **err)
{
    static const struct { const char *key; const char *const values[6]; } hints[] = {
        { "cache", { "none", "writeback", "writethrough", "directsync", "unsafe" } },
        { "aio", { "threads", "native", "io_uring" } },
        { "discard", { "ignore", "off", "unmap", "on" } },
        { "detect-zeroes", { "off", "on", "unmap" } },
        { "werror", { "report", "ignore", "enospc", "stop" } },
        { "rerror", { "report", "ignore", "stop" } },
    };
    for (size_t i = 0; i < G_N_ELEMENTS(hints); i++) {
        const char *v = opts_get(o, hints[i].key);
        g_autofree char *what = g_strdup_printf("-drive: %s", hints[i].key);
        if (v && opt_choice(what, v, hints[i].values, err) < 0)
            return false;
    }
    return true;
}

bool opt_fn_drive(Options *o, const char *arg, GError **err)
{
    g_autoptr(Opts) opts = opts_parse(arg, NULL, err);
    if (!opts || !opts_check(opts, "-drive", drive_keys, err))
        return false;
    DriveSpec *d = add_spec(o, "-drive", opts_get(opts, "file"));
    if (d->file && !*d->file)
        g_clear_pointer(&d->file, g_free);
    d->format = g_strdup(opts_get(opts, "format"));
    d->id = g_strdup(opts_get(opts, "id"));
    return take_interface(d, opts, err) && take_media(d, opts, err) && take_readonly(d, opts, err) && take_index(d, opts, err) &&
           opts_bool(opts, "snapshot", &d->snapshot, err) && take_hints(opts, err);
}

/* ---- places ---- */

typedef struct Places { const DriveSpec *ide[IDE_UNITS], *floppy[FLOPPY_UNITS]; } Places;

static const DriveSpec **slots(Places *p, int iface, int *n)
{
    *n = iface == DRIVE_IDE ? IDE_UNITS : iface == DRIVE_FLOPPY ? FLOPPY_UNITS : 0;
    return iface == DRIVE_IDE ? p->ide : p->floppy;
}

static bool place(Places *p, DriveSpec *d, GError **err)
{
    static const char *const names[] = { [DRIVE_IDE] = "IDE", [DRIVE_FLOPPY] = "floppy" };
    int n;
    const DriveSpec **slot = slots(p, d->iface, &n);
    if (d->iface == DRIVE_NONE)
        return true;
    for (int i = 0; d->index < 0 && i < n; i++)
        if (!slot[i])
            d->index = i;
    if (d->index < 0 || d->index >= n) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s %s: there are places 0 to %d for %s drives%s", d->option, d->file ? d->file : "", n - 1,
                    names[d->iface], d->index < 0 ? ", and all are taken" : "");
        return false;
    }
    if (slot[d->index]) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "%s %s: %s place %d is taken already by %s %s%s", d->option, d->file ? d->file : "",
                    names[d->iface], d->index, slot[d->index]->option, slot[d->index]->file ? slot[d->index]->file : "(empty)",
                    d->index == CD_INDEX && d->iface == DRIVE_IDE ? " (-cdrom and -hdc are the same place)" : "");
        return false;
    }
    slot[d->index] = d;
    return true;
}

/* Those with a place of their own first, then the others in order. */
static bool place_all(Options *o, Places *p, GError **err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < o->drive_specs->len; i++) {
            DriveSpec *d = o->drive_specs->pdata[i];
            if ((pass == 0) == (d->index >= 0) && !place(p, d, err))
                return false;
        }
    }
    return true;
}

/* A PC has a CD-ROM and a floppy drive, empty unless said otherwise. */
static void add_empty(Options *o, Places *p)
{
    if (o->cfg.nodefaults)
        return;
    if (!p->ide[CD_INDEX]) {
        DriveSpec *d = add_spec(o, "-cdrom", NULL);
        d->index = CD_INDEX;
        d->cdrom = d->readonly = true;
    }
    if (!p->floppy[0]) {
        DriveSpec *d = add_spec(o, "-fda", NULL);
        d->iface = DRIVE_FLOPPY;
        d->index = 0;
    }
}

/* ---- opening ---- */

static char *default_id(const DriveSpec *d, guint n)
{
    if (d->iface == DRIVE_IDE)
        return g_strdup_printf("ide%d-%s%d", d->index / 2, d->cdrom ? "cd" : "hd", d->index % 2);
    if (d->iface == DRIVE_FLOPPY)
        return g_strdup_printf("floppy%d", d->index);
    return g_strdup_printf("none%u", n);
}

static bool id_free(const Options *o, const char *id, GError **err)
{
    for (guint i = 0; i < o->cfg.drives->len; i++) {
        if (strcmp(((DriveConfig *)o->cfg.drives->pdata[i])->id, id))
            continue;
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-drive id=%s: this id is taken already", id);
        return false;
    }
    return true;
}

static bool open_image(const Options *o, const DriveSpec *d, DriveConfig *c, GError **err)
{
    if (!d->file)
        return true;
    BlockOpenOptions b = { .path = d->file, .format = d->format, .readonly = d->readonly, .snapshot = (o->snapshot || d->snapshot) && !d->readonly,
                           .removable = d->cdrom || d->iface == DRIVE_FLOPPY };
    c->blk = blk_open(&b, err);
    if (!c->blk) {
        g_prefix_error(err, "%s: ", d->option);
        return false;
    }
    if (blk_size(c->blk) == 0) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: %s: the image is empty (0 bytes)", d->option, d->file);
        return false;
    }
    return true;
}

bool resolve_drives(Options *o, GError **err)
{
    Places p = { 0 };
    if (!place_all(o, &p, err))
        return false;
    add_empty(o, &p);
    for (guint i = 0; i < o->drive_specs->len; i++) {
        const DriveSpec *d = o->drive_specs->pdata[i];
        g_autofree char *id = d->id ? g_strdup(d->id) : default_id(d, i);
        if (!id_free(o, id, err))
            return false;
        DriveConfig *c = g_new0(DriveConfig, 1);
        c->iface = d->iface;
        c->index = d->index;
        c->cdrom = d->cdrom;
        c->readonly = d->readonly;
        c->id = g_steal_pointer(&id);
        g_ptr_array_add(o->cfg.drives, c);
        if (!open_image(o, d, c, err))
            return false;
    }
    return true;
}

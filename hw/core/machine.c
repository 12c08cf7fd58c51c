/* Machines: from a board's name and the user's wishes to a thing that runs.
 *
 * Ownership: the machine owns its devices (freed in reverse order of
 * realisation), its regions, address spaces, clock and vcpus.  Boards keep
 * what else they need in m->board and free it in board_free. */
#include "hw/core/machine.h"

#include <string.h>

#include "util/lock.h"

#define MACHINE(name) extern const MachineType name##_machine;
#include "hw/machines.def"
#undef MACHINE

const MachineType *const machine_types[] = {
#define MACHINE(name) &name##_machine,
#include "hw/machines.def"
#undef MACHINE
    NULL
};

const MachineType *machine_type_find(const char *name)
{
    for (const MachineType *const *t = machine_types; *t; t++)
        if (!strcmp((*t)->name, name) || !g_strcmp0((*t)->alias, name))
            return *t;
    return NULL;
}

static bool check_config(const MachineType *t, const MachineConfig *cfg, GError **err)
{
    if (cfg->smp < 1 || cfg->smp > t->max_cpus) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-smp %u: machine '%s' takes 1 to %u CPUs", cfg->smp, t->name, t->max_cpus);
        return false;
    }
    return dev_globals_check(cfg->globals, err);
}

static Machine *machine_alloc(const MachineType *t, const MachineConfig *cfg)
{
    Machine *m = g_new0(Machine, 1);
    m->type = t;
    m->cfg = cfg;
    m->mem_root = mem_container_new("system", UINT64_MAX);
    m->io_root = mem_container_new("io", 0x10000);
    m->mem = as_new("memory", m->mem_root);
    m->io = as_new("I/O", m->io_root);
    m->clock = clock_new();
    m->devices = g_ptr_array_new();
    m->consoles.all = g_ptr_array_new();
    m->input = input_new();
    m->state = RUN_PRELAUNCH;
    return m;
}

static bool check_drives(const MachineConfig *cfg, GError **err)
{
    for (guint i = 0; cfg->drives && i < cfg->drives->len; i++) {
        const DriveConfig *d = cfg->drives->pdata[i];
        if (d->used || d->iface == DRIVE_NONE || !d->blk)
            continue;
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "drive '%s': this machine has no %s to put it in", d->id ? d->id : "?",
                    d->iface == DRIVE_FLOPPY ? "floppy controller" : "IDE channel");
        return false;
    }
    return true;
}

static bool machine_build(Machine *m, GError **err)
{
    if (!m->type->build(m, err))
        return false;
    const GPtrArray *add = m->cfg->devices;
    for (guint i = 0; add && i < add->len; i++)
        if (!dev_add_config(m, add->pdata[i], err))
            return false;
    return check_drives(m->cfg, err) && (!m->done || m->done(m, err));
}

Machine *machine_new(const MachineType *t, const MachineConfig *cfg, GError **err)
{
    if (!check_config(t, cfg, err))
        return NULL;
    Machine *m = machine_alloc(t, cfg);
    machine_lock();
    mem_begin();
    bool ok = machine_build(m, err);
    mem_end();
    if (ok) {
        machine_reset(m);
        if (m->cpus)
            cpus_start(m->cpus);
    }
    machine_unlock();
    if (ok)
        return m;
    machine_free(m);
    return NULL;
}

/* Devices go while vcpus stand still but exist: lines that change on the way reach interrupt controllers. */
void machine_free(Machine *m)
{
    if (!m)
        return;
    machine_lock();
    if (m->cpus)
        cpus_pause(m->cpus);
    mem_begin();
    while (m->devices->len)
        dev_free(m->devices->pdata[m->devices->len - 1]);
    if (m->board_free)
        m->board_free(m);
    mem_end();
    cpus_free(m->cpus);
    as_free(m->mem);
    as_free(m->io);
    mem_unref(m->mem_root);
    mem_unref(m->io_root);
    input_free(m->input);
    g_ptr_array_free(m->consoles.all, TRUE);
    g_ptr_array_free(m->devices, TRUE);
    clock_free(m->clock);
    machine_unlock();
    g_free(m);
}

void machine_reset(Machine *m)
{
    if (m->cpus)
        cpus_reset(m->cpus);
    for (guint i = 0; i < m->devices->len; i++)
        dev_reset(m->devices->pdata[i]);
    if (m->board_reset)
        m->board_reset(m);
}

void machine_start(Machine *m)
{
    m->state = RUN_RUNNING;
    clock_resume(m->clock);
    if (m->cpus)
        cpus_resume(m->cpus);
}

void machine_stop(Machine *m, RunState why)
{
    if (m->cpus && m->state == RUN_RUNNING)
        cpus_pause(m->cpus);
    clock_pause(m->clock);
    m->state = why;
}

void machine_request_shutdown(Machine *m, int exit_status, const char *reason)
{
    if (m->on_shutdown)
        m->on_shutdown(m, exit_status, reason);
}

void machine_request_reset(Machine *m, const char *reason)
{
    if (m->on_reset)
        m->on_reset(m, reason);
}

char *machine_firmware(Machine *m, const char *name)
{
    if (g_path_is_absolute(name))
        return g_file_test(name, G_FILE_TEST_IS_REGULAR) ? g_strdup(name) : NULL;
    const GPtrArray *dirs = m->cfg->fw_paths;
    for (guint i = 0; dirs && i < dirs->len; i++) {
        g_autofree char *path = g_build_filename(dirs->pdata[i], name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
            return g_steal_pointer(&path);
    }
    return NULL;
}

DriveConfig *machine_drive(Machine *m, const char *id)
{
    const GPtrArray *all = m->cfg->drives;
    for (guint i = 0; all && i < all->len; i++)
        if (!g_strcmp0(((DriveConfig *)all->pdata[i])->id, id))
            return all->pdata[i];
    return NULL;
}

Device *machine_device(Machine *m, const char *id)
{
    for (guint i = 0; i < m->devices->len; i++)
        if (!g_strcmp0(((Device *)m->devices->pdata[i])->id, id))
            return m->devices->pdata[i];
    return NULL;
}

Device *machine_device_of(Machine *m, const DeviceType *t)
{
    for (guint i = 0; i < m->devices->len; i++)
        if (((Device *)m->devices->pdata[i])->type == t)
            return m->devices->pdata[i];
    return NULL;
}

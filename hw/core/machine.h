/* A machine: what a board built.  Boards (MachineType, hw/machines.def) fill
 * it; main, the monitor and tests drive it.  Several can live in a process. */
#ifndef RHEA_HW_MACHINE_H
#define RHEA_HW_MACHINE_H

#include "block/block.h"
#include "cpu/cpu.h"
#include "hw/core/device.h"
#include "ui/chardev.h"
#include "ui/console.h"
#include "ui/input.h"

typedef enum RunState { RUN_PRELAUNCH, RUN_RUNNING, RUN_PAUSED, RUN_SHUTDOWN, RUN_PANICKED, RUN_IO_ERROR } RunState;

/* What the user asked for, in resolved form; strings owned by the options. */
typedef struct DriveConfig {
    BlockDev *blk;                       /* NULL: empty removable drive */
    enum { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_NONE } iface;
    int index;                           /* IDE: 0..3 (hda hdb hdc hdd), floppy 0..1; -1: next free */
    bool cdrom;
    bool readonly;
    char *id;
    bool used;
} DriveConfig;

typedef struct DeviceConfig {            /* one -device */
    char *type;
    GPtrArray *props;                    /* alternating name, value (char *) */
} DeviceConfig;

typedef struct MachineConfig {
    uint64_t ram_size;
    unsigned smp;
    const char *cpu_model;               /* NULL: default */
    TcgOptions tcg;
    const char *bios, *kernel, *initrd, *append;
    const char *boot_order;              /* "cad": -boot order letters; NULL default */
    bool boot_menu;
    bool boot_strict;
    const char *vga;                     /* "std", "none", ...; NULL default */
    Chardev *serial[4];
    Chardev *debugcon; uint16_t debugcon_port;   /* -debugcon; port default 0xe9 */
    GPtrArray *drives;                   /* DriveConfig * */
    GPtrArray *devices;                  /* DeviceConfig * */
    GPtrArray *globals;                  /* "type.prop=value" strings (char *) */
    GPtrArray *fw_paths;                 /* firmware directories in search order (char *) */
    bool nodefaults;
    int64_t rtc_base;                    /* seconds since 1970 at start, INT64_MIN: host's time, utc */
    bool rtc_localtime, rtc_clock_vm;
    const char *machine_opts;            /* text after -M NAME, e.g. "usb=off,acpi=on"; NULL */
} MachineConfig;

typedef struct MachineType {
    const char *name, *alias, *doc;
    const char *arch;                    /* "x86" */
    unsigned max_cpus;
    uint64_t default_ram;
    bool (*build)(Machine *, GError **);
} MachineType;
extern const MachineType *const machine_types[];         /* NULL-terminated */
const MachineType *machine_type_find(const char *name);

struct Machine {
    const MachineType *type;
    const MachineConfig *cfg;
    CpuGroup *cpus;
    MemRegion *mem_root, *io_root;       /* system memory, ports */
    AddressSpace *mem, *io;
    Clock *clock;                        /* virtual time: devices' timers */
    GPtrArray *devices;                  /* Device *, in order of realisation; the machine owns them */
    ConsoleList consoles;
    InputHub *input;
    RunState state;
    bool no_reboot, no_shutdown;
    /* board's hooks */
    void (*powerdown)(Machine *);        /* the user pressed the power button */
    void (*board_reset)(Machine *);
    void (*set_boot)(Machine *, const char *order);
    void *board;                         /* the board's own struct */
    /* filled by main: a guest asked for something (any thread; main acts in its loop) */
    void (*on_shutdown)(Machine *, int exit_status, const char *reason);
    void (*on_reset)(Machine *, const char *reason);
    void *opaque;
};

Machine *machine_new(const MachineType *t, const MachineConfig *cfg, GError **err);     /* builds and resets */
void machine_free(Machine *m);
void machine_reset(Machine *m);          /* devices in order, then board_reset, then CPUs; vcpus paused */
void machine_start(Machine *m);          /* RUNNING: clock and vcpus go on */
void machine_stop(Machine *m, RunState why);
/* For devices: ask for power-off (isa-debug-exit passes a status) or reset.  Any thread. */
void machine_request_shutdown(Machine *m, int exit_status, const char *reason);
void machine_request_reset(Machine *m, const char *reason);
/* The first of `names` found in cfg->fw_paths, as a path (caller frees), or NULL. */
char *machine_firmware(Machine *m, const char *name);

/* DMA of devices: guest physical memory. */
static inline bool dma_read(Machine *m, uint64_t gpa, void *buf, uint64_t len) { return as_read(m->mem, gpa, buf, len); }
static inline bool dma_write(Machine *m, uint64_t gpa, const void *buf, uint64_t len) { return as_write(m->mem, gpa, buf, len); }

#endif

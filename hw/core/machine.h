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

typedef enum A20Source { A20_KBC, A20_PORT92 } A20Source;

struct Machine {
    const MachineType *type;
    const MachineConfig *cfg;
    CpuGroup *cpus;
    MemRegion *mem_root, *io_root;       /* system memory, ports */
    AddressSpace *mem, *io;
    /* the board's buses, for devices to plug into; all NULL or unconnected on boards without them */
    IrqLine isa_irq[16];                 /* realize of an ISA device: s->irq = d->machine->isa_irq[s->irqnum] */
    struct IsaDma *isa_dma;              /* hw/misc/i8237.h */
    struct PciBus *pci;                  /* hw/pci/pci.h: where pci_dev_realize puts a device without a bus */
    Clock *clock;                        /* virtual time: devices' timers */
    GPtrArray *devices;                  /* Device *, in order of realisation; the machine owns them */
    ConsoleList consoles;
    InputHub *input;
    RunState state;
    bool no_reboot, no_shutdown;
    /* board's hooks */
    void (*powerdown)(Machine *);        /* the user pressed the power button */
    bool (*done)(Machine *, GError **);  /* after build and all of -device: what depends on the whole */
    void (*board_reset)(Machine *);      /* after devices and CPUs: firmware shadows, direct kernel boot */
    void (*board_free)(Machine *);       /* after its devices, before its CPUs are freed */
    void (*set_boot)(Machine *, const char *order);
    void (*set_a20)(Machine *, A20Source from, bool on); /* PC: address line 20; on if any source says so */
    void *board;                         /* the board's own struct */
    /* filled by main: a guest asked for something (any thread; main acts in its loop) */
    void (*on_shutdown)(Machine *, int exit_status, const char *reason);
    void (*on_reset)(Machine *, const char *reason);
    void *opaque;
};

Machine *machine_new(const MachineType *t, const MachineConfig *cfg, GError **err);     /* builds and resets */
void machine_free(Machine *m);
void machine_reset(Machine *m);          /* CPUs, devices in order, then board_reset; vcpus paused */
void machine_start(Machine *m);          /* RUNNING: clock and vcpus go on */
void machine_stop(Machine *m, RunState why);
/* For devices: ask for power-off (isa-debug-exit passes a status) or reset.  Any thread. */
void machine_request_shutdown(Machine *m, int exit_status, const char *reason);
void machine_request_reset(Machine *m, const char *reason);
/* A drive by its id (any interface), NULL if there is none. */
DriveConfig *machine_drive(Machine *m, const char *id);
/* A realized device by its -device id, or the first of a type (NULL: none). */
Device *machine_device(Machine *m, const char *id);
Device *machine_device_of(Machine *m, const DeviceType *t);
/* `name` found in cfg->fw_paths, as a path (caller frees), or NULL. */
char *machine_firmware(Machine *m, const char *name);

/* DMA of devices: guest physical memory. */
static inline bool dma_read(Machine *m, uint64_t gpa, void *buf, uint64_t len) { return as_read(m->mem, gpa, buf, len); }
static inline bool dma_write(Machine *m, uint64_t gpa, const void *buf, uint64_t len) { return as_write(m->mem, gpa, buf, len); }

#endif

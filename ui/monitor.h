/* The monitor for people (HMP): commands by line.  hmp.def lists them. */
#ifndef RHEA_UI_MONITOR_H
#define RHEA_UI_MONITOR_H

#include "ui/chardev.h"
#include "ui/options.h"
#include "ui/run.h"

/* What commands act on. */
typedef struct Mon {
    Run *run;
    Machine *m;
    const Options *options;
    unsigned cpu;                        /* chosen with `cpu` */
    GString *out;
} Mon;

typedef struct MonCommand {
    const char *name, *alias, *args, *doc;
    void (*fn)(Mon *mon, int argc, char **argv);         /* argv[0]: the command's name */
} MonCommand;

/* A monitor on a chardev; freed with monitors_free_all. */
void monitor_new(Chardev *c, Run *run, const Options *o);
/* Runs one line and returns what it printed (human-monitor-command). cpu: -1 or an index. */
char *monitor_command(Run *run, const Options *o, const char *line, int cpu);
void monitors_free_all(void);

/* ---- commands (hmp_*.c) ---- */
#define HMP(name, alias, args, fn, doc) void hmp_##fn(Mon *mon, int argc, char **argv);
#define INFO(name, args, fn, doc) void hmp_info_##fn(Mon *mon, int argc, char **argv);
#include "ui/hmp.def"
#undef HMP
#undef INFO

void mon_print(Mon *mon, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void mon_error(Mon *mon, GError *err);   /* prints and frees */
Vcpu *mon_cpu(Mon *mon);                 /* the chosen one */
/* "$rip + 0x10": numbers, registers, + - * ( ). False with a message printed. */
bool mon_expr(Mon *mon, const char *text, uint64_t *out);
/* Runs fn while no vcpu executes. */
void mon_with_cpus_still(Mon *mon, void (*fn)(Mon *mon, void *arg), void *arg);
/* Keys go down now and up after hold_ms. */
void mon_send_keys(Machine *m, const unsigned *keys, int n, unsigned hold_ms);
/* [addr, addr+size) of guest memory, physical or as cpu sees it, to a file. */
bool mon_save_memory(Vcpu *cpu, Machine *m, uint64_t addr, uint64_t size, const char *path, GError **err);

#endif

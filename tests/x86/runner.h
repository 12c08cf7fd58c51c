/* Runs a flat guest program on a machine of RAM and two ports (guest.inc). */
#ifndef RHEA_TESTS_X86_RUNNER_H
#define RHEA_TESTS_X86_RUNNER_H

#include "cpu/cpu.h"

typedef struct GuestRun {
    const char *path;                    /* flat binary */
    TcgOptions tcg;
    const char *model;                   /* NULL: default */
    unsigned smp;                        /* 0: 1 */
    int seconds;                         /* limit; 0: 20 */
    /* results */
    int status;                          /* byte written to the exit port; -1: none in time */
    GString *out;                        /* what it printed */
} GuestRun;

void guest_run(GuestRun *r);

#endif

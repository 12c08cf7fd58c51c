/* The monitor for programs: JSON objects by line (QMP).  qmp.def lists the
 * commands.  Any number of them at a time, each on its own chardev. */
#ifndef RHEA_UI_QMP_H
#define RHEA_UI_QMP_H

#include "ui/monitor.h"

void qmp_new(Chardev *c, Run *run, const Options *o, bool pretty);
void qmp_free_all(void);

#endif

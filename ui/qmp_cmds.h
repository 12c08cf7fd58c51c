/* What QMP commands are to qmp.c. */
#ifndef RHEA_UI_QMP_CMDS_H
#define RHEA_UI_QMP_CMDS_H

#include <json-glib/json-glib.h>

#include "ui/monitor.h"

typedef struct QmpContext {
    Run *run;
    Machine *m;
    const Options *options;
    bool ready;                          /* negotiation is over */
} QmpContext;

/* Result, or NULL for {}; or an error. args were checked against the row. */
typedef JsonNode *QmpFn(QmpContext *x, JsonObject *args, GError **err);
typedef struct QmpCommand { const char *name, *args; QmpFn *fn; } QmpCommand;

#define QMP(name, fn, args) QmpFn qmp_##fn;
#include "ui/qmp.def"
#undef QMP

JsonObject *qmp_version_object(void);

#endif

/* Trace lines of devices: -d trace.  Costs one test when off. */
#ifndef RHEA_UTIL_TRACE_H
#define RHEA_UTIL_TRACE_H

#include "util/log.h"

#define trace(...) do { if (log_on(LOG_TRACE)) log_printf(__VA_ARGS__); } while (0)

#endif

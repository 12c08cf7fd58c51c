/* A device's saved state: bytes made from its field table.
 *
 * Record: u8 name length, name, u8 version, u32 body length, body.  Body: the REG and TIMER rows in table order, numbers
 * little-endian, timers as their deadline in ns of the machine's clock (-1: off).  Rows newer than the record's version are
 * absent and take their reset values.  The clock itself is restored by the owner of the stream before its devices. */
#ifndef RHEA_HW_SNAPSHOT_H
#define RHEA_HW_SNAPSHOT_H

#include "hw/core/device.h"

void snap_save(const Device *d, GByteArray *out);
/* Reads one record at *buf, which must be d's, and moves *buf on.  The bytes are hostile: on an error d has its reset state. */
bool snap_load(Device *d, const uint8_t **buf, size_t *len, GError **err);
/* Do the rows plus padding cover the struct, without overlap?  False: *why says where not (caller frees). */
bool snap_check_fields(const DeviceType *t, char **why);

#endif

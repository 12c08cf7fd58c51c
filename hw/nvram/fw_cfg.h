/* The firmware configuration device: keyed items and named files that the
 * board offers to firmware and guest.  Under the machine lock. */
#ifndef RHEA_HW_FW_CFG_H
#define RHEA_HW_FW_CFG_H

#include "hw/core/device.h"

enum {                                   /* keys */
    FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03, FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05, FW_CFG_NUMA = 0x0d, FW_CFG_BOOT_MENU = 0x0e, FW_CFG_MAX_CPUS = 0x0f, FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20, FW_CFG_IRQ0_OVERRIDE = 0x8002, FW_CFG_HPET = 0x8004,
};

/* Any time; the bytes are copied.  A key or name that exists is replaced. */
void fw_cfg_add(Device *d, uint16_t key, const void *data, size_t len);
void fw_cfg_add_num(Device *d, uint16_t key, uint64_t val, unsigned size);       /* little-endian */
void fw_cfg_add_file(Device *d, const char *name, const void *data, size_t len);
/* refresh(opaque) runs when the guest selects the file, and may replace it. */
void fw_cfg_set_refresh(Device *d, const char *name, void (*refresh)(void *opaque), void *opaque);

#endif

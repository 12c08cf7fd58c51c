/* The PC's real-time clock and CMOS memory.  Under the machine lock. */
#ifndef RHEA_HW_MC146818RTC_H
#define RHEA_HW_MC146818RTC_H

#include "hw/core/device.h"

enum {                                   /* CMOS bytes that the board fills for its firmware */
    CMOS_RESET_CODE = 0x0f, CMOS_FLOPPY = 0x10, CMOS_DISK = 0x12, CMOS_EQUIPMENT = 0x14, CMOS_BASE_KB = 0x15,
    CMOS_EXT_KB = 0x17, CMOS_EXT_KB2 = 0x30, CMOS_CENTURY = 0x32, CMOS_ABOVE_16M = 0x34, CMOS_CENTURY_PS2 = 0x37,
    CMOS_BOOT_FLAGS = 0x38, CMOS_DISK_TRANSLATION = 0x39, CMOS_BOOT_ORDER = 0x3d, CMOS_ABOVE_4G = 0x5b,
    CMOS_SMP = 0x5f, CMOS_SIZE = 128,
};

void rtc_connect(Device *d, IrqLine irq8);               /* before realize */
void rtc_set_cmos(Device *d, unsigned at, uint8_t v);    /* battery-backed: survives reset */
uint8_t rtc_get_cmos(const Device *d, unsigned at);

#endif

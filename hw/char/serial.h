/* 16550A UART core, shared by its ISA and PCI front ends, and the ISA card. */
#ifndef RHEA_HW_SERIAL_H
#define RHEA_HW_SERIAL_H

#include "hw/core/device.h"
#include "ui/chardev.h"

enum { SERIAL_FIFO = 16, SERIAL_PORTS = 8 };

typedef struct Serial {
    Chardev *chr;                        /* NULL: nothing is plugged in */
    IrqLine irq;
    uint8_t rbr, thr;                    /* receive buffer (FIFO off), last byte sent */
    uint8_t ier, iir, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t dl;                         /* divisor latch, DLL | DLM << 8 */
    uint8_t thre_pending;                /* a THRE interrupt is waiting to be reported */
    uint8_t timeout_pending;             /* a character-timeout interrupt is waiting */
    uint8_t rx_head, rx_len;
    uint8_t rx[SERIAL_FIFO];             /* receive FIFO */
    uint8_t rx_err[SERIAL_FIFO];         /* LSR error bits of each byte */
    uint8_t irq_level;
    Timer rx_timer;                      /* character timeout: four frames without a read */
} Serial;

/* Field rows of a Serial member m of T. */
#define SERIAL_ROWS(T, m) \
    LINK(T, m.chr), LINK(T, m.irq), REG_U8(T, m.rbr, 0), REG_U8(T, m.thr, 0), REG_U8(T, m.ier, 0), \
    REG_U8(T, m.iir, 1), REG_U8(T, m.fcr, 0), REG_U8(T, m.lcr, 0), REG_U8(T, m.mcr, 0), REG_U8(T, m.lsr, 0x60), \
    REG_U8(T, m.msr, 0), REG_U8(T, m.scr, 0), REG_U16(T, m.dl, 12), REG_U8(T, m.thre_pending, 0), \
    REG_U8(T, m.timeout_pending, 0), REG_U8(T, m.rx_head, 0), REG_U8(T, m.rx_len, 0), REG_U8(T, m.rx, 0), \
    REG_U8(T, m.rx_err, 0), HOST(T, m.irq_level), TIMER(T, m.rx_timer)

/* chr and irq are set before. */
void serial_init(Serial *s, Clock *clock);
void serial_fini(Serial *s);
void serial_reset(Serial *s);            /* after fields_reset */
void serial_loaded(Serial *s);
extern const MemOps serial_ops;          /* eight byte-wide registers; opaque: Serial */

/* Makes, wires and realizes COM1..COM4 (index 0..3: ports 3f8 2f8 3e8 2e8). chr may be NULL. */
Device *isa_serial_new(Machine *m, unsigned index, IrqLine irq, Chardev *chr, GError **err);

#endif

/* Local APICs and the bus between them.  Under the machine lock, except as said. */
#ifndef RHEA_HW_APIC_H
#define RHEA_HW_APIC_H

#include "cpu/x86/state.h"
#include "hw/core/device.h"

enum { APIC_DEFAULT_BASE = 0xfee00000 };

enum ApicMode { APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_NMI = 4, APIC_INIT, APIC_SIPI, APIC_EXTINT };

typedef struct ApicMsg {
    uint32_t dest;                       /* physical: APIC ID, logical: MDA */
    bool logical;
    bool level;                          /* trigger mode; such an interrupt's EOI goes to the I/O APIC */
    bool x2apic;                         /* dest has 32 bits */
    uint8_t mode, vector;
} ApicMsg;

typedef struct ApicBus ApicBus;

ApicBus *apic_bus_new(Machine *m);
void apic_bus_free(ApicBus *b);          /* after its APICs */
void apic_bus_set_eoi(ApicBus *b, void (*eoi)(void *opaque, uint8_t vector), void *opaque);
/* The PIC behind LINT0 of every APIC; pic: its device (pic_take, pic_pending). */
void apic_bus_set_pic(ApicBus *b, Device *pic);
void apic_pic_intr(void *bus, int n, int level);         /* IrqLine: the PIC's INT */
void apic_nmi(void *bus, int n, int level);              /* IrqLine: LINT1 of every APIC */
void apic_deliver(ApicBus *b, const ApicMsg *m);
/* A memory-written interrupt: address FEExxxxxh and data. */
void apic_msi(ApicBus *b, uint64_t addr, uint32_t data);

/* Before realize.  Fills vcpu->opaque; the board hands apic_ops to the processor. */
void apic_connect(Device *d, ApicBus *b, Vcpu *c);
extern const X86ApicOps apic_ops;
void apic_print(const Device *d, GString *out);          /* info lapic */

#endif

/* Writes ACPI machine language. */
#ifndef RHEA_HW_AML_H
#define RHEA_HW_AML_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Emitters append to `a`.  Objects with a length are opened and closed; the mark is what open returned.
 * Names are written as in ASL: "_HID", "\\_SB.PCI0". */
typedef GByteArray Aml;

enum AmlOp {                             /* one byte, or 5Bh and one byte */
    AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_SCOPE = 0x10, AML_BUFFER = 0x11, AML_PACKAGE = 0x12,
    AML_METHOD = 0x14, AML_LOCAL0 = 0x60, AML_ARG0 = 0x68, AML_STORE = 0x70, AML_AND = 0x7b, AML_OR = 0x7d,
    AML_CREATE_DWORD_FIELD = 0x8a, AML_LLESS = 0x95, AML_IF = 0xa0, AML_ELSE = 0xa1, AML_RETURN = 0xa4,
    AML_OP_REGION = 0x5b80, AML_FIELD = 0x5b81, AML_DEVICE = 0x5b82, AML_PROCESSOR = 0x5b83,
};

void aml_op(Aml *a, unsigned op);
void aml_name(Aml *a, const char *path);
void aml_int(Aml *a, uint64_t v);
void aml_eisaid(Aml *a, const char *id);                 /* "PNP0A03" as an integer */
guint aml_open(Aml *a, unsigned op);
guint aml_open_named(Aml *a, unsigned op, const char *path);
guint aml_open_method(Aml *a, const char *name, unsigned args, bool serialized);
void aml_close(Aml *a, guint mark);
void aml_name_int(Aml *a, const char *name, uint64_t v); /* Name (name, v) */
void aml_name_eisaid(Aml *a, const char *name, const char *id);
void aml_field(Aml *a, const char *name, unsigned bits); /* inside AML_FIELD */

/* Name (_CRS, ResourceTemplate () { ... }) */
typedef struct AmlRes { GByteArray *bytes; } AmlRes;
AmlRes aml_res_open(void);
void aml_res_close(Aml *a, AmlRes *r);   /* appends the buffer */
void aml_res_io(AmlRes *r, uint16_t base, uint8_t len);
void aml_res_irq(AmlRes *r, unsigned irq);               /* edge, active high */
void aml_res_dma(AmlRes *r, unsigned channel);
/* Extended interrupt: level, active high, shared */
void aml_res_interrupts(AmlRes *r, const uint32_t *gsi, unsigned n);
void aml_res_mem32(AmlRes *r, uint32_t base, uint32_t len);
void aml_res_bus(AmlRes *r, uint16_t min, uint16_t max);
void aml_res_io_window(AmlRes *r, uint16_t min, uint16_t max);
void aml_res_mem_window(AmlRes *r, uint32_t min, uint32_t max, bool cacheable);

#endif

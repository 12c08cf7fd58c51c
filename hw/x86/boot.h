/* Direct boot: puts a kernel, its initrd and what firmware would have told it
 * into guest memory, and starts CPU 0 at its entry, with no firmware run.
 *
 * Formats, tried in this order: Linux bzImage, Multiboot 1, PVH (ELF with the
 * Xen PHYS32_ENTRY note), plain 32-bit ELF. */
#ifndef RHEA_HW_X86_BOOT_H
#define RHEA_HW_X86_BOOT_H

#include "hw/core/machine.h"

typedef struct X86Boot X86Boot;

enum { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };
typedef struct E820Entry { uint64_t addr, size; uint32_t type; } __attribute__((packed)) E820Entry;

typedef struct X86BootInfo {
    uint64_t below_4g, above_4g;         /* bytes of RAM from 0 and from 4 GiB */
    bool vga_text;                       /* the board has put a VGA into 80x25 text mode */
    /* ACPI tables linked for `base`, to be placed there; *rsdp: address of the root pointer. NULL: none. */
    GBytes *(*acpi)(Machine *, uint64_t base, uint64_t *rsdp);
} X86BootInfo;

enum { BOOT_ACPI_ROOM = 256 << 10 };     /* taken from the top of the RAM below 4 GiB */

/* Reads and checks cfg->kernel and cfg->initrd; nothing is written to guest memory yet.  NULL: err says what was found. */
X86Boot *x86_boot_load(Machine *m, const X86BootInfo *info, GError **err);
void x86_boot_free(X86Boot *b);
/* Last step of every machine reset: copies everything to guest memory and sets CPU 0's registers. */
void x86_boot_reset(X86Boot *b);

/* ---- for the loaders (linux.c, multiboot.c, pvh.c) ---- */

enum {                                   /* low memory, as laid out for every format */
    BOOT_GDT = 0x1000,
    BOOT_INFO = 0x10000,                 /* zero page, Multiboot or PVH information */
    BOOT_STRINGS = 0x20000,              /* command lines, module lists */
    BOOT_STRINGS_END = 0x40000,
    BOOT_EBDA = 0x9fc00,
};

struct X86Boot {
    Machine *m;
    X86BootInfo info;
    GArray *pieces;                      /* BootPiece */
    GByteArray *strings;                 /* placed at BOOT_STRINGS */
    E820Entry e820[8];
    unsigned ne820;
    uint64_t rsdp;
    /* where CPU 0 starts: 32-bit protected mode, flat, paging off, interrupts off */
    uint32_t eip, eax, ebx, esi;
};

typedef enum BootResult { BOOT_NOT_MINE, BOOT_OK, BOOT_FAILED } BootResult;
typedef BootResult BootLoader(X86Boot *b, GBytes *kernel, GError **err);
BootLoader boot_linux, boot_multiboot, boot_pvh, boot_elf;

/* data (borrowed, referenced) at gpa; `size` may exceed it: the rest is zeroed.  False: outside RAM or over another piece. */
bool boot_place(X86Boot *b, const char *what, uint64_t gpa, GBytes *data, uint64_t offset, uint64_t length, uint64_t size, GError **err);
/* The same for bytes that are copied now. */
bool boot_place_copy(X86Boot *b, const char *what, uint64_t gpa, const void *p, uint64_t len, GError **err);
/* Appends to the strings area; returns its guest address, 0 if it is full. */
uint32_t boot_string(X86Boot *b, const void *p, size_t len);
/* Reads a file for the guest; the error names it. */
GBytes *boot_file(const char *path, GError **err);
/* Page-aligned address for `size` bytes as high as possible below `limit` and under the ACPI area. 0: no room. */
uint64_t boot_high(X86Boot *b, uint64_t size, uint64_t limit);
/* Loads PT_LOAD segments by physical address; *entry is e_entry. Checks everything. */
bool boot_elf_load(X86Boot *b, GBytes *file, uint64_t *entry, GError **err);
/* Payload of the note (name, type) in a 32- or 64-bit ELF file; NULL: none. */
const uint8_t *boot_elf_note(GBytes *file, const char *name, uint32_t type, uint32_t *len);

#endif

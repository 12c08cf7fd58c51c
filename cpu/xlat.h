/* Translation of one unit, from the arch's point of view. */
#ifndef RHEA_CPU_XLAT_H
#define RHEA_CPU_XLAT_H

#include "cpu/cpu.h"
#include "tcg/build.h"

struct Xlat {
    IrUnit *u;
    Vcpu *cpu;                           /* read-only for the arch: everything that shapes code must be in key.flags */
    CodeKey key;
    uint64_t pc;                         /* linear address of the instruction being translated */
    uint64_t next;                       /* out: of the one after it */
    uint64_t next_val;                   /* out: the same as a value of the pc register (x86: EIP); for the driver's own exits */
    unsigned ninsns, max_insns;
    bool end;                            /* out: the arch ended the unit (emitted its `exit`) */
    bool stop_after;                     /* out: end after this instruction with a direct exit to next */
    void *arch;                          /* the arch's own data for this unit, zeroed at its start (XLAT_ARCH_SIZE) */

    /* fetch window, see xlat_fetch */
    const uint8_t *page_host[2];
    uint64_t page_gva[2], page_ram[2];
    sigjmp_buf fault;                    /* fetch could not go on; last, as it is not cleared */
};
enum { XLAT_ARCH_SIZE = 128 };

/* The next n (1, 2, 4, 8) code bytes at gva, which lies on the unit's first page or the page after it; little-endian.
 * Does not return if the bytes cannot be had: the driver ends the unit before this instruction or raises. */
uint64_t xlat_fetch(Xlat *x, uint64_t gva, unsigned n);
/* Looks ahead without effect: where the n bytes are (other vcpus may be changing them), or NULL if they are not on the
 * unit's first page. */
static inline const uint8_t *xlat_look(const Xlat *x, uint64_t gva, unsigned n)
{
    enum { PAGE_SIZE = 1 << TLB_PAGE_BITS };
    uint64_t off = gva & (PAGE_SIZE - 1);
    return gva - off == x->page_gva[0] && off + n <= PAGE_SIZE && x->page_host[0] ? x->page_host[0] + off : NULL;
}
/* Is gva on the guest page where the unit started? (IRX_CROSS if not) */
static inline bool xlat_same_page(const Xlat *x, uint64_t gva) { return (gva ^ x->key.pc) >> TLB_PAGE_BITS == 0; }

#endif

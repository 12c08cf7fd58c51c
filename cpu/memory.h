/* Guest physical memory and port space: a tree of regions, flattened.
 *
 * A MemRegion is RAM, ROM, I/O (callbacks), an alias of a part of another
 * region, or a container.  Boards compose them with mem_add(); overlapping
 * children are resolved by priority (higher wins).  An AddressSpace flattens
 * a root into a sorted array of sections, published read-copy-update style:
 * vcpu threads look addresses up without a lock.
 *
 * RAM addresses.  All RAM and ROM backing has one further linear numbering,
 * the *RAM address* (mem_ram_addr): one byte of backing has one RAM address
 * however many aliases show it.  Translated code and dirty pages are tracked
 * by it.
 *
 * Threads: changing the tree is for the holder of the machine lock; lookups
 * and RAM accesses are for all.  I/O callbacks run under the machine lock
 * (util/lock.h) unless the ops say `unlocked`.
 */
#ifndef RHEA_CPU_MEMORY_H
#define RHEA_CPU_MEMORY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct MemRegion MemRegion;
typedef struct AddressSpace AddressSpace;

/* addr: offset in the region; size: 1, 2, 4 or 8 bytes.  Accesses wider than max_size are split, narrower than
 * min_size are widened (read) or read-modified-written (write), misaligned ones are split to aligned pieces unless
 * `unaligned`.  Values are little-endian registers: byte `addr` is bits 7..0. */
typedef struct MemOps {
    uint64_t (*read)(void *opaque, uint64_t addr, unsigned size);
    void (*write)(void *opaque, uint64_t addr, uint64_t val, unsigned size);
    uint8_t min_size, max_size;          /* 0: 1 and 8 */
    bool unaligned;                      /* the callbacks take misaligned addresses */
    bool unlocked;                       /* called without the machine lock */
} MemOps;

/* All constructors return a reference owned by the caller; mem_add takes a reference of its own. */
MemRegion *mem_container_new(const char *name, uint64_t size);
MemRegion *mem_io_new(const char *name, uint64_t size, const MemOps *ops, void *opaque);
/* size rounded up to 4 KiB; memory is reserved, not touched.  NULL and err if the host refuses. */
MemRegion *mem_ram_new(const char *name, uint64_t size, GError **err);
/* read-only for the guest (writes are dropped; if `ops` is given they go to ops->write) */
MemRegion *mem_rom_new(const char *name, uint64_t size, const MemOps *ops, void *opaque, GError **err);
MemRegion *mem_alias_new(const char *name, MemRegion *target, uint64_t offset, uint64_t size);
MemRegion *mem_ref(MemRegion *mr);
void mem_unref(MemRegion *mr);

void mem_add(MemRegion *parent, uint64_t offset, MemRegion *child, int priority);
void mem_del(MemRegion *child);                          /* from its parent */
void mem_set_enabled(MemRegion *mr, bool enabled);
void mem_set_offset(MemRegion *mr, uint64_t offset);     /* inside its parent */
void mem_set_alias_offset(MemRegion *mr, uint64_t offset);
void mem_set_size(MemRegion *mr, uint64_t size);
/* makes an alias (or RAM) read-only / writable for the guest: PAM */
void mem_set_readonly(MemRegion *mr, bool readonly);
/* Several changes as one: the flat views are rebuilt at the outermost end. */
void mem_begin(void);
void mem_end(void);

const char *mem_name(const MemRegion *mr);
uint64_t mem_size(const MemRegion *mr);
void *mem_host(const MemRegion *mr);                     /* backing of RAM or ROM, else NULL */
uint64_t mem_ram_addr(const MemRegion *mr);              /* of its first byte */
/* host address of a RAM address, NULL if none */
void *mem_ram_host(uint64_t ram_addr);

/* Where one guest physical address leads. */
typedef struct MemSection {
    MemRegion *mr;                       /* RAM, ROM or I/O region (never alias, container); NULL: nothing there */
    uint64_t offset;                     /* in mr */
    uint64_t left;                       /* bytes from the address to the end of the section */
    uint8_t *host;                       /* RAM, ROM: host address of the byte */
    uint64_t ram_addr;                   /* RAM, ROM */
    bool readonly;
    bool ram;                            /* host is valid */
} MemSection;

AddressSpace *as_new(const char *name, MemRegion *root);
void as_free(AddressSpace *as);
/* Runs after every change of the flat view, under the machine lock. */
void as_on_change(AddressSpace *as, void (*fn)(void *opaque), void *opaque);

/* Any thread; the result stays valid until the caller's vcpu passes a safe point (regions are freed late). */
MemSection as_lookup(AddressSpace *as, uint64_t addr);

/* One register-sized access (1, 2, 4, 8 bytes, little-endian), with I/O dispatch, locking and code/dirty tracking of
 * stores.  Nothing there: reads all ones, writes are dropped (logged once with LOG_UNIMP). */
uint64_t as_ld(AddressSpace *as, uint64_t addr, unsigned size);
void as_st(AddressSpace *as, uint64_t addr, uint64_t val, unsigned size);
/* Bulk (DMA, loaders): len bytes.  False if a part hit nothing (that part reads as ones). */
bool as_read(AddressSpace *as, uint64_t addr, void *buf, uint64_t len);
bool as_write(AddressSpace *as, uint64_t addr, const void *buf, uint64_t len);

/* ---- writes that somebody wants to know of ---- */

/* Per 4 KiB page of RAM. */
enum {
    MEM_DIRTY_VGA = 1,                   /* display */
    MEM_DIRTY_MIGRATE = 2,
};
/* While logging is on for a client the pages of mr are write-protected in the TLBs until first written. */
void mem_log(MemRegion *mr, unsigned client, bool on);
/* True if a page in [offset, offset+len) was written since the last clear, then clears. */
bool mem_test_clear_dirty(MemRegion *mr, uint64_t offset, uint64_t len, unsigned client);
/* The store path's question: may stores to this RAM page go without being noticed?  (no code in it, all dirty bits set) */
bool mem_page_quiet(uint64_t ram_addr);
/* The store path's duty before writing len bytes (inside one page) of a page that is not quiet. */
void mem_note_write(uint64_t ram_addr, unsigned len);

/* Filled by the translation engine's owner (cpu/tlb.c): what memory.c asks about code. */
typedef struct MemCodeOps {
    bool (*has_code)(uint64_t ram_addr_page);
    void (*wrote)(uint64_t ram_addr, unsigned len);      /* may drop blocks */
    void (*protect)(void);                               /* write TLB entries must be filled anew (dirty log went on, cleared) */
} MemCodeOps;
extern const MemCodeOps *mem_code_ops;                   /* NULL: no translation */

/* For `info mtree` */
void as_print(AddressSpace *as, bool flat, GString *out);

#endif

/* Direct boot of PVH kernels: ELF with the Xen note PHYS32_ENTRY.
 * Source: Xen's public documentation, "x86/HVM direct boot ABI" (hvm_start_info version 1). */
#include <string.h>

#include "hw/x86/boot.h"
#include "util/bits.h"
#include "util/ldst.h"

enum {
    NOTE_PHYS32_ENTRY = 18,
    S_MAGIC = 0, S_VERSION = 4, S_NR_MODULES = 12, S_MODLIST = 16, S_CMDLINE = 24, S_RSDP = 32, S_MEMMAP = 40,
    S_MEMMAP_ENTRIES = 48, S_SIZE = 56,
};
#define START_MAGIC 0x336ec578

static bool place_module(X86Boot *b, uint8_t *start, GError **err)
{
    uint8_t mod[32] = { 0 };
    if (!b->m->cfg->initrd)
        return true;
    g_autoptr(GBytes) data = boot_file(b->m->cfg->initrd, err);
    if (!data)
        return false;
    gsize len = g_bytes_get_size(data);
    uint64_t at = boot_high(b, len, 0x80000000);
    if (!at) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: does not fit into the guest's memory; use a larger -m", b->m->cfg->initrd);
        return false;
    }
    st_le64(mod, at);
    st_le64(mod + 8, len);
    st_le32(start + S_NR_MODULES, 1);
    st_le64(start + S_MODLIST, boot_string(b, mod, sizeof mod));
    return !len || boot_place(b, "initrd", at, data, 0, len, len, err);
}

BootResult boot_pvh(X86Boot *b, GBytes *kernel, GError **err)
{
    uint8_t start[S_SIZE] = { 0 }, map[8 * 24] = { 0 };
    uint32_t len;
    uint64_t entry;
    const uint8_t *note = boot_elf_note(kernel, "Xen", NOTE_PHYS32_ENTRY, &len);
    if (!note || (len != 4 && len != 8))
        return BOOT_NOT_MINE;
    b->eip = ld_le32(note);
    if (!boot_elf_load(b, kernel, &entry, err))
        return BOOT_FAILED;
    const char *line = b->m->cfg->append ? b->m->cfg->append : "";
    uint32_t cmdline = boot_string(b, line, strlen(line) + 1);
    if (!cmdline) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-append: the command line is too long");
        return BOOT_FAILED;
    }
    for (unsigned i = 0; i < b->ne820; i++)
        memcpy(map + i * 24, &b->e820[i], 20);
    st_le32(start + S_MAGIC, START_MAGIC);
    st_le32(start + S_VERSION, 1);
    st_le64(start + S_CMDLINE, cmdline);
    st_le64(start + S_RSDP, b->rsdp);
    st_le64(start + S_MEMMAP, boot_string(b, map, b->ne820 * 24));
    st_le32(start + S_MEMMAP_ENTRIES, b->ne820);
    if (!place_module(b, start, err) || !boot_place_copy(b, "PVH start information", BOOT_INFO, start, sizeof start, err))
        return BOOT_FAILED;
    b->ebx = BOOT_INFO;
    return BOOT_OK;
}

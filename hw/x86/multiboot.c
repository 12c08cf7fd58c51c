/* Direct boot of Multiboot 1 kernels (Multiboot Specification 0.6.96): ELF or
 * with addresses in the header; modules come from -initrd "FILE ARGS,FILE ...". */
#include <string.h>

#include "hw/x86/boot.h"
#include "util/bits.h"
#include "util/ldst.h"

enum {
    HEADER_MAGIC = 0x1badb002, LOADER_MAGIC = 0x2badb002, SEARCH = 8192,
    H_FLAGS = 4, H_CHECKSUM = 8, H_HEADER_ADDR = 12, H_LOAD_ADDR = 16, H_LOAD_END_ADDR = 20, H_BSS_END_ADDR = 24, H_ENTRY_ADDR = 28,
    F_ADDRESSES = 1 << 16,
    /* information structure */
    I_FLAGS = 0, I_MEM_LOWER = 4, I_MEM_UPPER = 8, I_BOOT_DEVICE = 12, I_CMDLINE = 16, I_MODS_COUNT = 20, I_MODS_ADDR = 24,
    I_MMAP_LENGTH = 44, I_MMAP_ADDR = 48, I_LOADER_NAME = 64, I_SIZE = 120,
    IF_MEM = 1, IF_CMDLINE = 4, IF_MODS = 8, IF_MMAP = 64, IF_NAME = 512,
};

static const uint8_t *find_header(const uint8_t *k, gsize len)
{
    for (gsize at = 0; at + 32 <= len && at < SEARCH; at += 4)
        if (ld_le32(k + at) == HEADER_MAGIC && ld_le32(k + at) + ld_le32(k + at + H_FLAGS) + ld_le32(k + at + H_CHECKSUM) == 0)
            return k + at;
    return NULL;
}

/* The a.out kludge: the header says where everything goes. */
static bool load_by_addresses(X86Boot *b, GBytes *kernel, const uint8_t *h, GError **err)
{
    gsize len;
    const uint8_t *k = g_bytes_get_data(kernel, &len);
    uint32_t load = ld_le32(h + H_LOAD_ADDR), header = ld_le32(h + H_HEADER_ADDR);
    uint32_t end = ld_le32(h + H_LOAD_END_ADDR), bss = ld_le32(h + H_BSS_END_ADDR);
    uint64_t at = (uint64_t)(h - k), offset = at - (header - load);
    uint64_t n = end ? (uint64_t)end - load : len - offset;
    if (header < load || header - load > at || offset > len || (end && end < load) || n > len - offset) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: the addresses in the Multiboot header do not fit the file", b->m->cfg->kernel);
        return false;
    }
    uint64_t size = bss > load + n ? bss - load : n;
    b->eip = ld_le32(h + H_ENTRY_ADDR);
    return boot_place(b, "kernel", load, kernel, offset, n, size, err);
}

/* "FILE ARGS,FILE ARGS": modules below the top of memory; returns their number, -1 on error. */
static int load_modules(X86Boot *b, uint32_t *list, GError **err)
{
    g_autofree uint8_t *mods = NULL;
    const char *spec = b->m->cfg->initrd;
    if (!spec)
        return 0;
    g_auto(GStrv) names = g_strsplit(spec, ",", -1);
    guint n = g_strv_length(names);
    uint64_t limit = b->info.below_4g;
    mods = g_malloc0(n * 16);
    for (guint i = 0; i < n; i++) {
        g_autofree char *path = g_strndup(names[i], strcspn(names[i], " "));
        g_autoptr(GBytes) data = boot_file(path, err);
        if (!data)
            return -1;
        gsize len = g_bytes_get_size(data);
        uint64_t at = boot_high(b, len, limit);
        uint32_t str = boot_string(b, names[i], strlen(names[i]) + 1);
        if (!at || !str || (len && !boot_place(b, "module", at, data, 0, len, len, err))) {
            if (!err || !*err)
                g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: the module does not fit into the guest's memory; use a larger -m", path);
            return -1;
        }
        limit = at;
        st_le32(mods + i * 16, (uint32_t)at);
        st_le32(mods + i * 16 + 4, (uint32_t)(at + len));
        st_le32(mods + i * 16 + 8, str);
    }
    *list = boot_string(b, mods, n * 16);
    return (int)n;
}

static uint32_t memory_map(X86Boot *b, uint32_t *len)
{
    uint8_t map[8 * 24];
    for (unsigned i = 0; i < b->ne820; i++) {
        st_le32(map + i * 24, 20);
        memcpy(map + i * 24 + 4, &b->e820[i], 20);
    }
    *len = b->ne820 * 24;
    return boot_string(b, map, *len);
}

BootResult boot_multiboot(X86Boot *b, GBytes *kernel, GError **err)
{
    gsize len;
    const uint8_t *k = g_bytes_get_data(kernel, &len), *h = find_header(k, len);
    uint8_t info[I_SIZE] = { 0 };
    uint32_t mods = 0, map_len;
    uint64_t entry;
    if (!h)
        return BOOT_NOT_MINE;
    if (ld_le32(h + H_FLAGS) & F_ADDRESSES) {
        if (!load_by_addresses(b, kernel, h, err))
            return BOOT_FAILED;
    } else {
        if (!boot_elf_load(b, kernel, &entry, err))
            return BOOT_FAILED;
        b->eip = (uint32_t)entry;
    }
    int nmods = load_modules(b, &mods, err);
    if (nmods < 0)
        return BOOT_FAILED;
    g_autofree char *line = g_strdup_printf("%s%s%s", b->m->cfg->kernel, b->m->cfg->append ? " " : "",
                                            b->m->cfg->append ? b->m->cfg->append : "");
    uint32_t cmdline = boot_string(b, line, strlen(line) + 1);
    if (!cmdline) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-append: the command line is too long");
        return BOOT_FAILED;
    }
    st_le32(info + I_FLAGS, IF_MEM | IF_CMDLINE | IF_MODS | IF_MMAP | IF_NAME);
    st_le32(info + I_MEM_LOWER, BOOT_EBDA >> 10);
    st_le32(info + I_MEM_UPPER, (uint32_t)((b->info.below_4g - BOOT_ACPI_ROOM - 0x100000) >> 10));
    st_le32(info + I_CMDLINE, cmdline);
    st_le32(info + I_MODS_COUNT, (uint32_t)nmods);
    st_le32(info + I_MODS_ADDR, mods);
    st_le32(info + I_MMAP_ADDR, memory_map(b, &map_len));
    st_le32(info + I_MMAP_LENGTH, map_len);
    st_le32(info + I_LOADER_NAME, boot_string(b, "rhea", 5));
    if (!boot_place_copy(b, "Multiboot information", BOOT_INFO, info, sizeof info, err))
        return BOOT_FAILED;
    b->eax = LOADER_MAGIC;
    b->ebx = BOOT_INFO;
    return BOOT_OK;
}

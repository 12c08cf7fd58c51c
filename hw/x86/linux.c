/* Direct boot of a Linux bzImage (or zImage) by its 32-bit entry point.
 * Source: the kernel's Documentation/arch/x86/boot.rst and zero-page.rst;
 * protocol 2.00 and later. */
#include <string.h>

#include "hw/x86/boot.h"
#include "util/bits.h"
#include "util/ldst.h"

/* offsets in the file's first sectors and in the zero page alike */
enum {
    SETUP_SECTS = 0x1f1, BOOT_FLAG = 0x1fe, JUMP = 0x200, HEADER = 0x202, VERSION = 0x206, TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211, CODE32_START = 0x214, RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, HEAP_END_PTR = 0x224,
    CMD_LINE_PTR = 0x228, INITRD_ADDR_MAX = 0x22c, CMDLINE_SIZE = 0x238, INIT_SIZE = 0x260,
    /* zero page only */
    ZP_EXT_MEM_K = 0x02, ZP_CURSOR = 0x00, ZP_VIDEO_MODE = 0x06, ZP_VIDEO_COLS = 0x07, ZP_VIDEO_LINES = 0x0e,
    ZP_IS_VGA = 0x0f, ZP_VIDEO_POINTS = 0x10, ZP_ACPI_RSDP = 0x70, ZP_ALT_MEM_K = 0x1e0, ZP_E820_ENTRIES = 0x1e8,
    ZP_E820 = 0x2d0, ZP_SIZE = 4096,
    LOADED_HIGH = 1, CAN_USE_HEAP = 0x80,
};

static bool place_initrd(X86Boot *b, uint8_t *zp, uint64_t kernel_end, GError **err)
{
    const MachineConfig *cfg = b->m->cfg;
    if (!cfg->initrd)
        return true;
    g_autoptr(GBytes) data = boot_file(cfg->initrd, err);
    if (!data)
        return false;
    gsize len = g_bytes_get_size(data);
    uint64_t limit = ld_le16(zp + VERSION) >= 0x203 ? (uint64_t)ld_le32(zp + INITRD_ADDR_MAX) + 1 : 0x38000000;
    uint64_t at = boot_high(b, len, limit);
    if (!at || at < kernel_end) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, "%s: the initrd of %" G_GSIZE_FORMAT " MiB and the kernel do not fit into the guest's memory; "
                    "use a larger -m", cfg->initrd, len >> 20);
        return false;
    }
    st_le32(zp + RAMDISK_IMAGE, (uint32_t)at);
    st_le32(zp + RAMDISK_SIZE, (uint32_t)len);
    return !len || boot_place(b, "initrd", at, data, 0, len, len, err);
}

static bool place_cmdline(X86Boot *b, uint8_t *zp, GError **err)
{
    const char *line = b->m->cfg->append ? b->m->cfg->append : "";
    uint32_t max = ld_le16(zp + VERSION) >= 0x206 ? ld_le32(zp + CMDLINE_SIZE) : 255;
    size_t len = strlen(line);
    if (len > max) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-append: the command line has %" G_GSIZE_FORMAT " characters, this kernel takes %u",
                    len, max);
        return false;
    }
    uint32_t at = boot_string(b, line, len + 1);
    if (!at) {
        g_set_error(err, RHEA_ERROR, ERR_USAGE, "-append: the command line is too long");
        return false;
    }
    st_le32(zp + CMD_LINE_PTR, at);
    return true;
}

BootResult boot_linux(X86Boot *b, GBytes *kernel, GError **err)
{
    gsize len;
    const uint8_t *k = g_bytes_get_data(kernel, &len);
    uint8_t zp[ZP_SIZE] = { 0 };
    if (len < 0x270 || ld_le16(k + BOOT_FLAG) != 0xaa55 || memcmp(k + HEADER, "HdrS", 4))
        return BOOT_NOT_MINE;
    unsigned version = ld_le16(k + VERSION);
    uint64_t setup = ((k[SETUP_SECTS] ? k[SETUP_SECTS] : 4) + 1) * 512ull;
    if (version < 0x200 || setup >= len) {
        g_set_error(err, RHEA_ERROR, ERR_RUN, version < 0x200 ? "%s: Linux boot protocol older than 2.00" :
                    "%s: the Linux kernel image is truncated", b->m->cfg->kernel);
        return BOOT_FAILED;
    }
    unsigned hdr_end = MIN(0x202u + k[JUMP + 1], 0x290u);
    memcpy(zp + SETUP_SECTS, k + SETUP_SECTS, hdr_end - SETUP_SECTS);
    bool high = k[LOADFLAGS] & LOADED_HIGH;
    uint64_t at = high ? 0x100000 : 0x10000, size = len - setup;
    uint64_t needs = version >= 0x20a ? MAX(size, (uint64_t)ld_le32(k + INIT_SIZE)) : size;
    zp[TYPE_OF_LOADER] = 0xff;
    zp[LOADFLAGS] |= CAN_USE_HEAP;
    st_le16(zp + HEAP_END_PTR, 0xfe00);
    st_le32(zp + CODE32_START, (uint32_t)at);
    if (b->rsdp)
        st_le64(zp + ZP_ACPI_RSDP, b->rsdp);
    uint64_t ext_k = (b->info.below_4g - 0x100000) >> 10;
    st_le16(zp + ZP_EXT_MEM_K, (uint16_t)MIN(ext_k, 0xfc00));
    st_le32(zp + ZP_ALT_MEM_K, (uint32_t)ext_k);
    zp[ZP_E820_ENTRIES] = (uint8_t)b->ne820;
    memcpy(zp + ZP_E820, b->e820, b->ne820 * sizeof b->e820[0]);
    if (b->info.vga_text) {              /* mode 3 */
        zp[ZP_VIDEO_MODE] = 3;
        zp[ZP_VIDEO_COLS] = 80;
        zp[ZP_VIDEO_LINES] = 25;
        zp[ZP_IS_VGA] = 1;
        st_le16(zp + ZP_VIDEO_POINTS, 16);
    }
    if (!boot_place(b, "kernel", at, kernel, setup, size, size, err) || !place_cmdline(b, zp, err) ||
        !place_initrd(b, zp, at + needs, err) || !boot_place_copy(b, "boot parameters", BOOT_INFO, zp, sizeof zp, err))
        return BOOT_FAILED;
    b->eip = (uint32_t)at;
    b->esi = BOOT_INFO;
    return BOOT_OK;
}

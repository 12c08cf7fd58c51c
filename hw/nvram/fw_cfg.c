/* fw_cfg: the interface by which a virtual machine configures its firmware.
 * Source: "QEMU Firmware Configuration (fw_cfg) Device", the interface
 * description published with SeaBIOS and Linux (drivers/firmware/qemu_fw_cfg.c).
 *
 *   port 510h   selector, 16 bits             511h  data, 8 bits, moves on
 *   port 514h   DMA address, 64 bits big-endian; writing the low half starts
 *
 * Items are read-only for the guest. */
#include "hw/nvram/fw_cfg.h"

#include <string.h>

#include "hw/core/machine.h"
#include "util/bits.h"
#include "util/ldst.h"

enum { PORT = 0x510, DMA_PORT = 0x514, ID_TRADITIONAL = 1, ID_DMA = 2, NAME_MAX_LEN = 56, FILES_MAX = 0x100 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

typedef struct DirEntry {                /* of the file directory, big-endian */
    uint32_t size;
    uint16_t select, reserved;
    char name[NAME_MAX_LEN];
} DirEntry;
_Static_assert(sizeof(DirEntry) == 64, "layout of the interface");

typedef struct DmaRequest {              /* in guest memory, big-endian */
    uint32_t control, length;
    uint64_t address;
} DmaRequest;
_Static_assert(sizeof(DmaRequest) == 16, "layout of the interface");

typedef struct Item {
    GByteArray *data;
    char *name;                          /* files */
    void (*refresh)(void *opaque);
    void *opaque;
} Item;

typedef struct FwCfg {
    Device dev;
    GHashTable *items;                   /* key -> Item * */
    uint32_t files;
    uint16_t key;
    uint32_t at;
    uint64_t dma_addr;
} FwCfg;

static void item_free(void *p)
{
    Item *it = p;
    g_byte_array_unref(it->data);
    g_free(it->name);
    g_free(it);
}

static GHashTable *items(FwCfg *s)
{
    if (!s->items)
        s->items = g_hash_table_new_full(NULL, NULL, NULL, item_free);
    return s->items;
}

static Item *item(FwCfg *s, uint16_t key)
{
    return g_hash_table_lookup(items(s), GUINT_TO_POINTER(key));
}

void fw_cfg_add(Device *d, uint16_t key, const void *data, size_t len)
{
    FwCfg *s = (FwCfg *)d;
    Item *it = item(s, key);
    if (!it) {
        it = g_new0(Item, 1);
        it->data = g_byte_array_new();
        g_hash_table_insert(items(s), GUINT_TO_POINTER(key), it);
    }
    g_byte_array_set_size(it->data, 0);
    g_byte_array_append(it->data, data, (guint)len);
}

void fw_cfg_add_num(Device *d, uint16_t key, uint64_t val, unsigned size)
{
    uint8_t b[8];
    st_le(b, val, size);
    fw_cfg_add(d, key, b, size);
}

static void build_dir(FwCfg *s)
{
    g_autoptr(GByteArray) dir = g_byte_array_new();
    uint8_t n[4];
    st_be32(n, s->files);
    g_byte_array_append(dir, n, sizeof n);
    for (uint16_t k = FW_CFG_FILE_FIRST; k < FW_CFG_FILE_FIRST + s->files; k++) {
        const Item *it = item(s, k);
        DirEntry e = { 0 };
        st_be32(&e.size, it->data->len);
        st_be16(&e.select, k);
        g_strlcpy(e.name, it->name, sizeof e.name);
        g_byte_array_append(dir, (const guint8 *)&e, sizeof e);
    }
    fw_cfg_add(&s->dev, FW_CFG_FILE_DIR, dir->data, dir->len);
}

static uint16_t file_key(FwCfg *s, const char *name)
{
    uint16_t k = FW_CFG_FILE_FIRST;
    while (k < FW_CFG_FILE_FIRST + s->files && strcmp(item(s, k)->name, name))
        k++;
    return k;
}

void fw_cfg_add_file(Device *d, const char *name, const void *data, size_t len)
{
    FwCfg *s = (FwCfg *)d;
    uint16_t key = file_key(s, name);
    g_assert(strlen(name) < NAME_MAX_LEN && key < FW_CFG_FILE_FIRST + FILES_MAX);
    fw_cfg_add(d, key, data, len);
    if (!item(s, key)->name) {
        item(s, key)->name = g_strdup(name);
        s->files++;
    }
    build_dir(s);
}

void fw_cfg_set_refresh(Device *d, const char *name, void (*refresh)(void *opaque), void *opaque)
{
    FwCfg *s = (FwCfg *)d;
    Item *it = item(s, file_key(s, name));
    g_assert(it);
    it->refresh = refresh;
    it->opaque = opaque;
}

/* ---- guest's side ---- */

static void fw_select(FwCfg *s, uint16_t key)
{
    s->key = key;
    s->at = 0;
    Item *it = item(s, key);
    if (it && it->refresh)
        it->refresh(it->opaque);
}

/* The next n bytes of the selected item; what is past its end reads as zeroes. */
static void fw_next(FwCfg *s, uint8_t *to, uint32_t n)
{
    const Item *it = item(s, s->key);
    uint32_t have = it && s->at < it->data->len ? MIN(n, it->data->len - s->at) : 0;
    if (have)
        memcpy(to, it->data->data + s->at, have);
    memset(to + have, 0, n - have);
    s->at += have;
}

static bool dma_transfer(FwCfg *s, uint32_t control, uint32_t length, uint64_t addr)
{
    uint8_t buf[4096];
    const Item *it;
    if (control & DMA_SELECT)
        fw_select(s, (uint16_t)(control >> 16));
    it = item(s, s->key);
    if (control & DMA_SKIP) {
        uint32_t len = it ? it->data->len : 0;
        s->at = s->at < len ? s->at + MIN(length, len - s->at) : s->at;
    } else if (control & DMA_WRITE) {
        return false;
    }
    while (control & DMA_READ && length) {
        uint32_t n = MIN(length, (uint32_t)sizeof buf);
        fw_next(s, buf, n);
        if (!dma_write(s->dev.machine, addr, buf, n))
            return false;
        addr += n;
        length -= n;
    }
    return true;
}

static void dma_start(FwCfg *s)
{
    DmaRequest r;
    uint64_t at = s->dma_addr;
    s->dma_addr = 0;
    if (!dma_read(s->dev.machine, at, &r, sizeof r)) {
        log_guest("fw_cfg: DMA request at %#" G_GINT64_MODIFIER "x is not in memory\n", at);
        return;
    }
    bool ok = dma_transfer(s, ld_be32(&r.control), ld_be32(&r.length), ld_be64(&r.address));
    st_be32(&r.control, ok ? 0 : DMA_ERROR);
    dma_write(s->dev.machine, at, &r.control, sizeof r.control);
}

static uint64_t cfg_read(void *opaque, uint64_t at, unsigned size)
{
    uint8_t b = 0;
    if (at != 1)
        return BIT(8 * size) - 1;
    fw_next(opaque, &b, 1);
    return b;
}

static void cfg_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    if (at == 0 && size == 2)
        fw_select(opaque, (uint16_t)v);
}

static uint64_t dma_reg_read(void *opaque, uint64_t at, unsigned size)
{
    (void)opaque;
    return ld_le(&"QEMU CFG"[at], size);
}

static void dma_reg_write(void *opaque, uint64_t at, uint64_t v, unsigned size)
{
    FwCfg *s = opaque;
    uint64_t half = __builtin_bswap32((uint32_t)v);
    (void)size;
    if (at == 0) {
        s->dma_addr = half << 32;
    } else {
        s->dma_addr |= half;
        dma_start(s);
    }
}

static const MemOps cfg_ops = { .read = cfg_read, .write = cfg_write, .max_size = 2 };
static const MemOps dma_ops = { .read = dma_reg_read, .write = dma_reg_write, .min_size = 4, .max_size = 4 };

static bool fw_realize(Device *d, GError **err)
{
    (void)err;
    FwCfg *s = (FwCfg *)d;
    fw_cfg_add(d, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_num(d, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4);
    build_dir(s);
    dev_ports(d, "fw_cfg", PORT, 2, &cfg_ops);
    dev_ports(d, "fw_cfg-dma", DMA_PORT, 8, &dma_ops);
    return true;
}

static void fw_unrealize(Device *d)
{
    FwCfg *s = (FwCfg *)d;
    if (s->items)
        g_hash_table_unref(s->items);
}

const DeviceType fw_cfg_type = {
    .name = "fw_cfg", .doc = "firmware configuration", .bus = BUS_SYSTEM, .size = sizeof(FwCfg), .version = 1,
    .internal = true,
    .fields = (const Field[]){
        DEVICE_BASE(FwCfg), HOST(FwCfg, items), HOST(FwCfg, files), REG_U16(FwCfg, key, 0), REG_U32(FwCfg, at, 0),
        REG_U64(FwCfg, dma_addr, 0), FIELD_END },
    .realize = fw_realize, .unrealize = fw_unrealize,
};

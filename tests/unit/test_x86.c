/* The x86 page walker on hand-made tables, -cpu strings, CPUID, MSRs. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x86/sys.h"
#include "util/ldst.h"
#include "util/lock.h"
#include "util/log.h"

static MemRegion *ram, *mem, *io;
static AddressSpace *as, *ios;
static CpuGroup *g;
static X86Cpu *c;
static uint8_t *host;

static void make(const char *model)
{
    GError *err = NULL;
    TcgOptions opt = { .interp = true };

    machine_lock();
    ram = mem_ram_new("ram", 16 << 20, &err);
    mem = mem_container_new("mem", UINT64_MAX);
    io = mem_container_new("io", 65536);
    mem_add(mem, 0, ram, 0);
    as = as_new("mem", mem);
    ios = as_new("io", io);
    host = mem_host(ram);
    g = cpus_new(arch_find("x86"), 1, model, as, ios, &opt, &err);
    ck_assert_msg(g != NULL, "%s", err ? err->message : "?");
    c = x86_of(g->cpu[0]);
}

static void setup(void) { make("max"); }

static void teardown(void)
{
    cpus_free(g);
    as_free(as);
    as_free(ios);
    mem_unref(mem);
    mem_unref(io);
    mem_unref(ram);
    machine_unlock();
}

static Mapping m;
static Fault f;

static bool walk(uint64_t gva, Access a, unsigned mode)
{
    return x86_arch.walk(&c->vcpu, gva, a, mode, true, &m, &f);
}

static void want_pf(uint64_t gva, Access a, unsigned mode, uint32_t code)
{
    ck_assert(!walk(gva, a, mode));
    ck_assert_uint_eq(f.kind, EX_PF);
    ck_assert_uint_eq(f.code, code);
    ck_assert_uint_eq(f.addr, gva);
}

/* 4-level tables: PML4 1000, PDPT 2000, PD 3000, PT 4000 */
static void long_mode(void)
{
    st_le64(host + 0x1000, 0x2007);
    st_le64(host + 0x2000, 0x3007);
    st_le64(host + 0x3000, 0x4007);
    st_le64(host + 0x3008, 0x600087);    /* 2 MiB at 200000 -> 600000 */
    st_le64(host + 0x2008, 0x40000087);  /* 1 GiB at 40000000 */
    c->cr3 = 0x1000;
    c->cr4 |= CR4_PAE | CR4_PGE;
    c->efer |= EFER_LME | EFER_LMA | EFER_NXE;
    c->cr0 |= CR0_PG | CR0_PE | CR0_WP;
    x86_update_mode(c);
}

START_TEST(no_paging)
{
    ck_assert(walk(0x123456, ACCESS_WRITE, MMU_KERNEL));
    ck_assert_uint_eq(m.gpa, 0x123000);
    ck_assert(m.read && m.write && m.exec);
    x86_set_a20(c, false);
    ck_assert(walk(0x123456, ACCESS_READ, MMU_KERNEL));
    ck_assert_uint_eq(m.gpa, 0x023000);
}
END_TEST

START_TEST(long_walk)
{
    long_mode();
    st_le64(host + 0x4000 + 8 * 5, 0x7007);
    ck_assert(walk(0x5123, ACCESS_READ, MMU_USER));
    ck_assert_uint_eq(m.gpa, 0x7000);
    ck_assert(m.read && !m.write && m.exec);             /* not dirty yet */
    ck_assert_uint_eq(ld_le64(host + 0x4000 + 8 * 5), 0x7027);
    ck_assert_uint_eq(ld_le64(host + 0x1000), 0x2027);
    ck_assert(walk(0x5123, ACCESS_WRITE, MMU_USER));
    ck_assert(m.write);
    ck_assert_uint_eq(ld_le64(host + 0x4000 + 8 * 5), 0x7067);
    ck_assert(walk(0x345678, ACCESS_READ, MMU_KERNEL));
    ck_assert_uint_eq(m.gpa, 0x745000);
    ck_assert_uint_eq(m.page_size, 2 << 20);
    ck_assert(walk(0x40345678, ACCESS_READ, MMU_KERNEL));
    ck_assert_uint_eq(m.gpa, 0x40345000);
    ck_assert_uint_eq(m.page_size, 1 << 30);
    want_pf(0x6000, ACCESS_READ, MMU_KERNEL, 0);
    want_pf(0x6000, ACCESS_WRITE, MMU_USER, 6);
    want_pf(0x6000, ACCESS_EXEC, MMU_USER, 0x14);
    ck_assert(!walk(0x800000000000, ACCESS_READ, MMU_KERNEL));
    ck_assert_uint_eq(f.kind, EX_GP);
}
END_TEST

START_TEST(long_rights)
{
    long_mode();
    st_le64(host + 0x4000 + 8 * 1, 0x7065);              /* read-only user */
    st_le64(host + 0x4000 + 8 * 2, 0x7063);              /* supervisor */
    st_le64(host + 0x4000 + 8 * 3, 0x8000000000007067);  /* NX */
    st_le64(host + 0x4000 + 8 * 4, 0x0000010000007067);  /* bit 40: above MAXPHYADDR */
    st_le64(host + 0x4000 + 8 * 6, 0x7167);              /* global */
    st_le64(host + 0x3010, 0x2000a7 | 1 << 13);          /* large page, bit 13 reserved */
    want_pf(0x1000, ACCESS_WRITE, MMU_USER, 7);
    want_pf(0x1000, ACCESS_WRITE, MMU_KERNEL, 3);
    c->cr0 &= ~(uint64_t)CR0_WP;
    ck_assert(walk(0x1000, ACCESS_WRITE, MMU_KERNEL));
    want_pf(0x2000, ACCESS_READ, MMU_USER, 5);
    want_pf(0x3000, ACCESS_EXEC, MMU_KERNEL, 0x11);
    ck_assert(walk(0x3000, ACCESS_READ, MMU_KERNEL) && !m.exec);
    want_pf(0x4000, ACCESS_READ, MMU_KERNEL, 9);
    want_pf(0x400000, ACCESS_READ, MMU_KERNEL, 9);
    ck_assert(walk(0x6000, ACCESS_READ, MMU_KERNEL) && m.global);
    c->cr4 |= CR4_SMEP | CR4_SMAP;
    want_pf(0x6000, ACCESS_EXEC, MMU_KERNEL, 0x11);
    want_pf(0x6000, ACCESS_READ, MMU_KERNEL_SMAP, 1);
    ck_assert(walk(0x6000, ACCESS_READ, MMU_KERNEL));
    ck_assert(walk(0x2000, ACCESS_READ, MMU_KERNEL_SMAP));
    c->efer &= ~(uint64_t)EFER_NXE;
    want_pf(0x3000, ACCESS_READ, MMU_KERNEL, 9);         /* NX is reserved then */
}
END_TEST

START_TEST(legacy_walk)
{
    c->cr3 = 0x1000;
    c->cr0 |= CR0_PG | CR0_PE;
    st_le32(host + 0x1000, 0x2007);
    st_le32(host + 0x1004, 0x00802083);                  /* 4 MiB at 400000; PSE-36 bit 13 */
    st_le32(host + 0x2000 + 4 * 3, 0x9005);
    ck_assert(walk(0x3210, ACCESS_READ, MMU_USER));
    ck_assert_uint_eq(m.gpa, 0x9000);
    want_pf(0x3210, ACCESS_WRITE, MMU_USER, 7);
    ck_assert_uint_eq(ld_le32(host + 0x2000 + 4 * 3), 0x9025);
    c->cr4 |= CR4_PSE;
    ck_assert(walk(0x412345, ACCESS_READ, MMU_KERNEL));
    ck_assert_uint_eq(m.gpa, 0x100812000);
    ck_assert_uint_eq(m.page_size, 4 << 20);
    st_le32(host + 0x1004, 0x00a00083);                  /* bit 21 */
    want_pf(0x412345, ACCESS_READ, MMU_KERNEL, 9);
}
END_TEST

START_TEST(pae_walk)
{
    c->cr3 = 0x1020;
    c->cr4 |= CR4_PAE;
    c->efer |= EFER_NXE;
    st_le64(host + 0x1020, 0x2001);
    st_le64(host + 0x2000, 0x3007);
    st_le64(host + 0x2008, 0xa00087);
    st_le64(host + 0x3010, 0x300009007);                 /* above 4 GiB */
    ck_assert(x86_pdptes_ok(c, c->cr3));
    c->cr0 |= CR0_PG | CR0_PE;
    ck_assert(walk(0x2345, ACCESS_WRITE, MMU_USER));
    ck_assert_uint_eq(m.gpa, 0x300009000);
    ck_assert_uint_eq(ld_le64(host + 0x1020), 0x2001);   /* no A bit there */
    ck_assert(walk(0x212345, ACCESS_READ, MMU_USER));
    ck_assert_uint_eq(m.gpa, 0xa12000);
    st_le64(host + 0x1020, 0x2003);                      /* reserved bit 1 */
    ck_assert(!x86_pdptes_ok(c, c->cr3));
}
END_TEST

START_TEST(descriptors)
{
    static const struct { uint16_t sel; uint64_t desc; unsigned seg, vec; uint32_t code; } rows[] = {
        { 0x08, 0x00cf93000000ffff, SEG_DS, 0, 0 },          { 0x08, 0x00cf93000000ffff, SEG_SS, 0, 0 },
        { 0x08, 0x00cf13000000ffff, SEG_DS, EX_NP, 0x08 },   { 0x08, 0x00cf13000000ffff, SEG_SS, EX_SS, 0x08 },
        { 0x08, 0x00cf99000000ffff, SEG_DS, EX_GP, 0x08 },   { 0x08, 0x00cf9b000000ffff, SEG_DS, 0, 0 },
        { 0x08, 0x00cf9b000000ffff, SEG_SS, EX_GP, 0x08 },   { 0x08, 0x00cf91000000ffff, SEG_SS, EX_GP, 0x08 },
        { 0x0b, 0x00cf93000000ffff, SEG_DS, EX_GP, 0x08 },   { 0x0b, 0x00cff3000000ffff, SEG_DS, 0, 0 },
        { 0x08, 0x00cff3000000ffff, SEG_SS, EX_GP, 0x08 },   { 0x08, 0x0000890000000067, SEG_DS, EX_GP, 0x08 },
        { 0x10, 0x00cf93000000ffff, SEG_DS, EX_GP, 0x10 },   { 0x0c, 0x00cf93000000ffff, SEG_DS, EX_GP, 0x0c },
        { 0x0b, 0x00cf9f000000ffff, SEG_FS, 0, 0 },          { 0x00, 0, SEG_DS, 0, 0 }, { 0x03, 0, SEG_SS, EX_GP, 0 },
    };

    c->cr0 |= CR0_PE;
    c->gdt_base = 0x8000;
    c->gdt_limit = 15;
    x86_set_seg_null(c, SEG_LDT, 0);
    x86_update_mode(c);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool ok;

        st_le64(host + 0x8008, rows[i].desc);
        f = (Fault){ 0 };
        ok = x86_load_seg(c, rows[i].seg, rows[i].sel, &f);
        ck_assert_msg(ok == !rows[i].vec && (ok || (f.kind == rows[i].vec && f.code == rows[i].code)),
                      "row %u: vector %u code %x", i, f.kind, f.code);
        if (ok) {
            ck_assert_uint_eq(c->seg[rows[i].seg].sel, rows[i].sel);
        }
    }
}
END_TEST

START_TEST(limits)
{
    uint64_t lin;

    c->cr0 |= CR0_PE;
    x86_update_mode(c);
    x86_set_seg(c, SEG_DS, 8, 0x1000, 0xfff, DA_P | DA_S | DA_RW);
    ck_assert(x86_seg_linear(c, SEG_DS, 0xffc, 4, true, &lin, &f) && lin == 0x1ffc);
    ck_assert(!x86_seg_linear(c, SEG_DS, 0xffd, 4, true, &lin, &f) && f.kind == EX_GP);
    x86_set_seg(c, SEG_SS, 8, 0x1000, 0xfff, DA_P | DA_S | DA_RW | DA_CE);       /* expand-down, 64 KiB */
    ck_assert(x86_seg_linear(c, SEG_SS, 0x1000, 4, true, &lin, &f));
    ck_assert(!x86_seg_linear(c, SEG_SS, 0xfff, 1, true, &lin, &f) && f.kind == EX_SS);
    ck_assert(!x86_seg_linear(c, SEG_SS, 0xfffe, 4, true, &lin, &f));
    x86_set_seg_null(c, SEG_ES, 0);
    ck_assert(!x86_seg_linear(c, SEG_ES, 0, 1, false, &lin, &f) && f.kind == EX_GP);
}
END_TEST

static void want_model(const char *text, const char *error)
{
    GError *err = NULL;
    bool ok = x86_set_model(&c->vcpu, text, &err);

    ck_assert_msg(ok == !error, "%s: %s", text, err ? err->message : "no error");
    if (error) {
        ck_assert_msg(strstr(err->message, error) != NULL, "%s", err->message);
        ck_assert_int_eq(err->code, ERR_USAGE);
        g_error_free(err);
    }
}

START_TEST(models)
{
    want_model(NULL, NULL);
    ck_assert_str_eq(c->vendor, "AuthenticAMD");
    ck_assert(x86_has_feat(c, CW_80000001_EDX, 29) && x86_has_feat(c, CW_1_ECX, 31));
    want_model("qemu64,-lm,+smap,pcid=off,nx=off", NULL);
    ck_assert(!x86_has_feat(c, CW_80000001_EDX, 29) && !x86_has_feat(c, CW_80000001_EDX, 20));
    ck_assert(x86_has_feat(c, CW_7_EBX, 20) && !x86_has_feat(c, CW_1_ECX, 17) && !x86_has_feat(c, CW_7_EBX, 10));
    want_model("nehalem,+sse4_1,sse4-2=on,vendor=GenuineIntel,family=6,model-id=x y", NULL);
    ck_assert_str_eq(c->brand, "x y");
    want_model("pentium", NULL);
    ck_assert(!x86_has_feat(c, CW_1_ECX, 0));
    want_model("qemu65", "qemu64");
    want_model("qemu64,+sse5", "unknown feature");
    want_model("qemu64,nx=perhaps", "nx");
    want_model("qemu64,vendor=AMD", "12 characters");
    want_model("host", "KVM");
}
END_TEST

START_TEST(cpuid)
{
    uint32_t r[4];

    want_model("EPYC", NULL);
    x86_cpuid(c, 0, 0, r);
    ck_assert(r[1] == 0x68747541 && r[3] == 0x69746e65 && r[2] == 0x444d4163);
    x86_cpuid(c, 1, 0, r);
    ck_assert_uint_eq(r[0], 0x00800f12);
    ck_assert(!(r[2] >> 27 & 1));
    c->cr4 |= CR4_OSXSAVE;
    x86_cpuid(c, 1, 0, r);
    ck_assert(r[2] >> 27 & 1);
    x86_cpuid(c, 0x80000002, 0, r);
    ck_assert(!memcmp(r, "AMD EPYC Process", 16));
    x86_cpuid(c, 0x12345678, 0, r);
    ck_assert(!(r[0] | r[1] | r[2] | r[3]));
}
END_TEST

START_TEST(msrs)
{
    uint64_t v;

    ck_assert(x86_wrmsr(c, 0xc0000101, 0x1234) && X86R(c, X86_GS_BASE) == 0x1234);
    ck_assert(!x86_wrmsr(c, 0xc0000101, (uint64_t)1 << 47));
    ck_assert(x86_wrmsr(c, 0x26f, 0x0606060606060606) && c->mtrr_fixed[10] == 0x0606060606060606);
    ck_assert(!x86_wrmsr(c, 0x26f, 2));
    ck_assert(x86_wrmsr(c, 0x20f, 0x800) && c->mtrr_var[7][1] == 0x800);
    ck_assert(!x86_rdmsr(c, 0x12345, &v) && !x86_wrmsr(c, 0xfe, 0));
    ck_assert(x86_rdmsr(c, 0x3b, &v) && v == 0);
    ck_assert(x86_wrmsr(c, 0x10, 0x1000000000));
    ck_assert(x86_rdmsr(c, 0x10, &v) && v >= 0x1000000000);
    for (uint32_t n = 0; n < 0x2000; n++) {              /* none may do harm */
        x86_rdmsr(c, n, &v);
        x86_rdmsr(c, 0xc0000000 + n, &v);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("x86");
    TCase *t = tcase_create("system");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, no_paging);
    tcase_add_test(t, long_walk);
    tcase_add_test(t, long_rights);
    tcase_add_test(t, legacy_walk);
    tcase_add_test(t, pae_walk);
    tcase_add_test(t, descriptors);
    tcase_add_test(t, limits);
    tcase_add_test(t, models);
    tcase_add_test(t, cpuid);
    tcase_add_test(t, msrs);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

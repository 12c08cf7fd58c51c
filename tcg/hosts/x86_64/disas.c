/* Disassembly of generated code, for -d host and the monitor. */
#include <capstone/capstone.h>

#include "tcg/tcg.h"

void host_disas(const uint8_t *code, size_t size, GString *out)
{
    csh cs;
    cs_insn *insn;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK) {
        return;
    }
    size_t n = cs_disasm(cs, code, size, (uint64_t)(uintptr_t)code, 0, &insn);
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(out, "  %012" G_GINT64_MODIFIER "x  %-8s %s\n", insn[i].address, insn[i].mnemonic,
                               insn[i].op_str);
    }
    cs_free(insn, n);
    cs_close(&cs);
}

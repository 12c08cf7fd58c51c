/* KVM is not available in this version: the row exists so that users who ask
 * for it hear why, and so that kvm:tcg falls back. */
#include "accel/accel.h"

static bool kvm_probe(char **why)
{
    *why = g_strdup("this version cannot use KVM yet");
    return false;
}

static const char *const keys[] = { "accel", NULL };
const AccelType accel_kvm = { .name = "kvm", .doc = "the host's own virtualisation", .keys = keys, .probe = kvm_probe };

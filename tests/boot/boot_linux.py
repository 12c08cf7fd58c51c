"""Debian's kernels booted directly, with busybox: a shell on the serial line, commands, power-off.
time-limit: 1800"""
import hashlib

import debs
import images
from guest import Failure, Guest, main


def kernel_args(arch, append="console=ttyS0 quiet"):
    return ["-kernel", debs.kernel(arch), "-initrd", images.initramfs(arch), "-append", append]


def shell(g, timeout=180):
    m = g.expect(r"INIT: (\S+) (\d+) CPUs", timeout)
    g.expect(r"# ", 30)
    return m.group(1).decode(), int(m.group(2))


def use(g):
    """Some commands whose answers are known."""
    if g.command("echo $((6 * 7))").strip() != "42":
        raise Failure("the guest's shell cannot multiply")
    g.command("cat /proc/cpuinfo | head -5; ls -l / >/dev/null; mount | grep -q devtmpfs")
    digest = g.command("seq 1 20000 | sha256sum").split()[0]
    if digest != hashlib.sha256("".join(f"{i}\n" for i in range(1, 20001)).encode()).hexdigest():
        raise Failure(f"sha256sum gives {digest}")


def power_off(g):
    g.send("poweroff -f\n")
    g.wait_exit(60)


def boot(arch, machine, *args):
    with Guest("-m", "512", "-no-reboot", *args, *kernel_args(arch), name=f"linux-{arch}") as g:
        got, cpus = shell(g)
        if got != machine:
            raise Failure(f"machine {got}, expected {machine}")
        use(g)
        power_off(g)
        return cpus


def amd64():
    boot("amd64", "x86_64")


def i386_pae():
    boot("i386", "i686")


def smp(arch, machine, n):
    if boot(arch, machine, "-smp", str(n)) != n:
        raise Failure(f"-smp {n}: the guest sees another number of CPUs")


def amd64_smp2():
    smp("amd64", "x86_64", 2)


def amd64_smp4():
    smp("amd64", "x86_64", 4)


def i386_smp2():
    smp("i386", "i686", 2)


def i386_smp4():
    smp("i386", "i686", 4)


def reboot_leaves():
    """-no-reboot: a reboot in the guest ends the emulator with 0."""
    with Guest("-m", "512", "-no-reboot", *kernel_args("amd64", "console=ttyS0 quiet panic=-1")) as g:
        shell(g)
        g.send("reboot -f\n")
        g.wait_exit(60)


def reset_and_powerdown():
    """system_reset starts again; stop and cont hold and release the guest."""
    with Guest("-m", "512", *kernel_args("amd64")) as g:
        shell(g)
        g.qmp("stop")
        if g.qmp("query-status")["status"] != "paused":
            raise Failure("stop does not stop")
        g.qmp("cont")
        g.command("true")
        g.qmp("system_reset")
        shell(g)
        power_off(g)


def lazy_memory():
    """-m 8G is a maximum: an idle guest stays small."""
    with Guest("-m", "8G", *kernel_args("amd64")) as g:
        shell(g)
        total = int(g.command("grep MemTotal /proc/meminfo").split()[1]) // 1024
        if total < 7500:
            raise Failure(f"the guest sees {total} MB")
        g.command("sleep 5", 60)
        if g.resident_mb() >= 400:
            raise Failure(f"{g.resident_mb()} MB resident, expected less than 400")
        power_off(g)


if __name__ == "__main__":
    main(amd64, i386_pae, amd64_smp2, amd64_smp4, i386_smp2, i386_smp4, reboot_leaves, reset_and_powerdown, lazy_memory)

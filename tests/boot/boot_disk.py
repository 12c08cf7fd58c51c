"""A Debian system on a disk: SeaBIOS, GRUB in the master boot record, systemd, a login on the serial line, work, a clean shutdown.

The disk is made once (debootstrap, mke2fs -d; as root, without loop devices) and kept in the cache; each run works on a copy.
time-limit: 3600"""
import os
import re
import shutil
import subprocess
import tempfile

from debs import CACHE, cache, run, skip, sources
from guest import Failure, Guest, main
from images import grub_core, need_program

SIZE = 2 << 30                  # of the disk
START = 1 << 20                 # of its only partition
PASSWORD = "rhea"
PACKAGES = ["linux-image-amd64", "grub-pc", "systemd-sysv", "udev", "kmod", "e2fsprogs", "login", "procps", "python3-minimal", "gcc", "libc6-dev"]

GRUB_CFG = """serial --unit=0 --speed=115200
terminal_output serial console
terminal_input serial console
set timeout=2
menuentry debian {
    linux /vmlinuz root=LABEL=rhea ro console=ttyS0
    initrd /initrd.img
}
"""

HELLO_C = ["#include <stdio.h>", "#include <math.h>",
           r'int main(int c, char **v) { printf("%s %.6f\n", "hello" + !v, sqrt(c + 1.0)); return 0; }']


def mirror():
    """Address and suite of the first source apt knows, in either of its two formats."""
    text = open(sources()).read()
    uri, suite = re.search(r"^URIs:\s*(\S+)", text, re.M), re.search(r"^Suites:\s*(\S+)", text, re.M)
    if uri and suite:
        return uri.group(1), suite.group(1)
    m = re.search(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", text, re.M)
    if not m:
        skip("no mirror in apt's sources")
    return m.group(1), m.group(2)


def proxy():
    """apt's proxy, for debootstrap, which does not read apt's configuration."""
    r = subprocess.run(["apt-config", "shell", "P", "Acquire::http::Proxy"], stdout=subprocess.PIPE, text=True)
    m = re.search(r"P='([^']+)'", r.stdout)
    return {"http_proxy": m.group(1)} if m else {}


def write(root, path, text):
    with open(root + path, "w") as f:
        f.write(text)


def root_tree(root):
    uri, suite = mirror()
    # a mount namespace of its own: what debootstrap mounts in the tree goes with it
    run(["unshare", "-m", "debootstrap", "--variant=minbase", "--arch=amd64", "--include=" + ",".join(PACKAGES), suite, root, uri],
        env={**os.environ, **proxy()})
    write(root, "/etc/hostname", "rhea\n")
    write(root, "/etc/hosts", "127.0.0.1 localhost rhea\n")
    write(root, "/etc/fstab", "LABEL=rhea / ext4 errors=remount-ro 0 1\n")
    run(["chroot", root, "chpasswd"], input=f"root:{PASSWORD}\n")
    run(["chroot", root, "apt-get", "clean"])
    os.makedirs(root + "/boot/grub", exist_ok=True)
    shutil.copytree(root + "/usr/lib/grub/i386-pc", root + "/boot/grub/i386-pc", dirs_exist_ok=True)
    write(root, "/boot/grub/grub.cfg", GRUB_CFG)


def write_boot_record(image, work):
    """boot.img in sector 0 in front of the partition table, GRUB's core in the gap behind it."""
    lib, core = grub_core(work, "i386-pc", ["biosdisk", "part_msdos", "ext2", "normal", "linux", "serial", "terminal", "configfile", "echo"],
                          "(hd0,msdos1)/boot/grub")
    mbr = bytearray(open(lib + "/boot.img", "rb").read()[:512])
    mbr[0x5c:0x64] = (1).to_bytes(8, "little")          # the core's first sector
    mbr[0x64] = 0xff                                     # boot drive: as the BIOS says
    mbr[0x1b8:0x200] = bytes(0x48)
    mbr[0x1b8:0x1bc] = b"RHEA"                           # disk signature
    mbr[0x1be:0x1ce] = bytes([0x80, 0, 0, 0, 0x83, 0, 0, 0]) + (START // 512).to_bytes(4, "little") + ((SIZE - START) // 512).to_bytes(4, "little")
    mbr[0x1fe:] = b"\x55\xaa"
    body = bytearray(open(core, "rb").read())
    sectors = (len(body) + 511) // 512 - 1
    body[512 - 12:512 - 2] = (2).to_bytes(8, "little") + sectors.to_bytes(2, "little")
    if 512 + len(body) > START:
        raise Failure("GRUB's core does not fit before the partition")
    with open(image, "r+b") as f:
        f.write(mbr + body)


def disk():
    path = cache("images", "debian-disk.raw")
    if os.path.exists(path):
        return path
    if os.getuid() != 0:
        skip("making the Debian disk needs root (debootstrap)")
    need_program("debootstrap", "debootstrap")
    need_program("mke2fs", "e2fsprogs")
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="disk-") as work:
        root = work + "/root"
        root_tree(root)
        image = work + "/disk.raw"
        with open(image, "wb") as f:
            f.truncate(SIZE)
        run(["mke2fs", "-q", "-t", "ext4", "-L", "rhea", "-d", root, "-E", f"offset={START}", image, f"{(SIZE - START) // 1024}k"])
        write_boot_record(image, work)
        os.rename(image, path)
    return path


def fsck(image):
    r = subprocess.run(["e2fsck", "-fn", f"{image}?offset={START}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode:
        raise Failure(f"e2fsck: status {r.returncode}\n{r.stdout[-2000:]}")


def login(g):
    g.expect(r"GNU GRUB", 120)
    g.expect(r"login: ", 400)
    g.send("root\n")
    g.expect(r"Password: ", 60)
    g.send(PASSWORD + "\n")
    g.expect(r"# ", 90)
    g.send("exec sh\n")          # no line editing
    g.expect(r"[\r\n]# ", 30)


def work(g):
    if not g.command("apt --version").startswith("apt 2"):
        raise Failure("apt --version")
    g.command("dpkg --version")
    lines = g.command("dpkg -l | grep -c ^ii", 120).split()[-1]
    if int(lines) < 100:
        raise Failure(f"dpkg -l lists {lines} packages")
    got = g.command("python3 -c 'print(sum(i * i for i in range(100000)), 2 ** 0.5)'", 120).strip()
    if got != f"{sum(i * i for i in range(100000))} {2 ** 0.5}":
        raise Failure(f"python3 says {got}")
    g.command("printf '%s\\n' " + " ".join(f"'{line}'" for line in HELLO_C) + " > h.c")
    g.command("gcc -O2 -o h h.c -lm", 240)
    if g.command("./h").strip() != "hello 1.414214":
        raise Failure("the compiled program says something else")
    g.command("cp -a /usr/lib/gcc /root/copy && diff -r --no-dereference /usr/lib/gcc /root/copy && sync", 180)


def debian(*args, again=False):
    """again: a reboot through the firmware before the power-off."""
    image = disk()
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="run-") as d:
        copy = d + "/disk.raw"
        run(["cp", "--sparse=always", image, copy])
        with Guest("-m", "1G", "-drive", f"file={copy},format=raw", *args, name="debian") as g:
            login(g)
            print(f"login after {g.seconds():.0f} s", flush=True)
            work(g)
            if again:
                g.send("systemctl reboot\n")
                g.expect("reboot: Restarting system", 120)
                login(g)
                g.command("./h")
            g.send("systemctl poweroff\n")
            g.wait_exit(180)
        fsck(copy)


def debian_disk():
    debian()


def debian_disk_smp2():
    debian("-smp", "2", again=True)


if __name__ == "__main__":
    main(debian_disk, debian_disk_smp2)

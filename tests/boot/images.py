"""Boot media for tests, made from Debian packages; each is made once and kept in the cache."""
import os
import shutil
import subprocess
import sys
import tempfile

from debs import ROOT, cache, kernel, run, skip, unpacked

INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
hostname rhea
echo "INIT: $(uname -m) $(nproc) CPUs"
# the shell owns the console, so that Ctrl-C works there
exec setsid cttyhack sh
"""


def need_program(name, package):
    """Installs the package where it may."""
    if not shutil.which(name):
        subprocess.run([os.path.join(ROOT, "tests/need"), package], stdout=sys.stderr)
    if not shutil.which(name):
        skip(f"{name} is missing: apt-get install {package}")


def initramfs(arch):
    """busybox and a shell on the console."""
    path = cache("images", f"busybox-{arch}.cpio")
    if not os.path.exists(path):
        need_program("cpio", "cpio")
        with tempfile.TemporaryDirectory() as d:
            for sub in ("bin", "proc", "sys", "dev", "tmp"):
                os.mkdir(os.path.join(d, sub))
            shutil.copy(os.path.join(unpacked(arch, "busybox-static"), "bin/busybox"), d + "/bin/busybox")
            applets = subprocess.run([d + "/bin/busybox", "--list"], capture_output=True, text=True).stdout.split()
            for a in applets or ["sh", "mount", "uname", "nproc", "hostname", "setsid", "cttyhack", "poweroff", "cat", "ls", "echo", "grep"]:
                if a != "busybox":
                    os.symlink("busybox", f"{d}/bin/{a}")
            with open(d + "/init", "w") as f:
                f.write(INIT)
            os.chmod(d + "/init", 0o755)
            run(["sh", "-c", f"find . | cpio -o -H newc --quiet -R 0:0 > '{path}.tmp'"], cwd=d)
        os.rename(path + ".tmp", path)
    return path


def iso(name, tree, boot, *more):
    """An El Torito ISO of a folder."""
    need_program("xorriso", "xorriso")
    path = cache("images", name)
    run(["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", "RHEA", "-o", path + ".tmp", "-b", boot, *more, tree])
    os.rename(path + ".tmp", path)
    return path


def copy_kernel(tree, arch):
    os.makedirs(tree + "/boot", exist_ok=True)
    shutil.copy(kernel(arch), tree + "/boot/vmlinuz")
    shutil.copy(initramfs(arch), tree + "/boot/initrd")


ISOLINUX_CFG = """serial 0 115200
prompt 1
timeout 30
default linux
say hello from the boot loader
label linux
    kernel /boot/vmlinuz
    append initrd=/boot/initrd console=ttyS0 quiet
"""


def isolinux_iso(arch="amd64"):
    path = cache("images", f"isolinux-{arch}.iso")
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory() as d:
            os.mkdir(d + "/isolinux")
            shutil.copy(unpacked("amd64", "isolinux") + "/usr/lib/ISOLINUX/isolinux.bin", d + "/isolinux")
            shutil.copy(unpacked("amd64", "syslinux-common") + "/usr/lib/syslinux/modules/bios/ldlinux.c32", d + "/isolinux")
            with open(d + "/isolinux/isolinux.cfg", "w") as f:
                f.write(ISOLINUX_CFG)
            copy_kernel(d, arch)
            iso(os.path.basename(path), d, "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4",
                "-boot-info-table")
    return path


GRUB_CFG = """serial --unit=0 --speed=115200
terminal_output serial console
terminal_input serial console
echo "hello from the boot loader"
set timeout=0
menuentry linux {
    linux /boot/vmlinuz console=ttyS0 quiet
    initrd /boot/initrd
}
"""


def grub_core(folder, fmt, modules, prefix, config=None):
    """GRUB's core image for a medium."""
    need_program("grub-mkimage", "grub-common")
    lib = unpacked("amd64", "grub-pc-bin") + "/usr/lib/grub/i386-pc"
    core = os.path.join(folder, "core.img")
    extra = ["-c", config] if config else []
    run(["grub-mkimage", "-d", lib, "-O", fmt, "-o", core, "-p", prefix, *extra, *modules])
    return lib, core


def grub_iso(arch="amd64"):
    path = cache("images", f"grub-{arch}.iso")
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory() as d, tempfile.TemporaryDirectory() as work:
            lib, core = grub_core(work, "i386-pc-eltorito", ["biosdisk", "iso9660", "normal", "linux", "serial", "terminal", "echo",
                                                             "configfile", "search", "part_msdos"], "/boot/grub")
            os.makedirs(d + "/boot/grub/i386-pc")
            for f in os.listdir(lib):
                if f.endswith((".mod", ".lst")):
                    shutil.copy(f"{lib}/{f}", d + "/boot/grub/i386-pc")
            shutil.copy(core, d + "/boot/grub/eltorito.img")
            with open(d + "/boot/grub/grub.cfg", "w") as f:
                f.write(GRUB_CFG)
            copy_kernel(d, arch)
            iso(os.path.basename(path), d, "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table")
    return path


FLOPPY_CFG = """echo hello from the boot loader
serial --unit=0 --speed=115200
terminal_output serial console
echo "floppy: $cmdpath $root"
halt
"""


def grub_floppy():
    """GRUB alone on a 1.44 MB floppy: its core right behind the boot sector, its script inside."""
    path = cache("images", "grub.floppy")
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory() as d:
            with open(d + "/early.cfg", "w") as f:
                f.write(FLOPPY_CFG)
            lib, core = grub_core(d, "i386-pc", ["biosdisk", "serial", "terminal", "echo", "halt"], "(fd0)/", d + "/early.cfg")
            image = bytearray(open(lib + "/boot.img", "rb").read() + open(core, "rb").read())
            image[0x5c:0x64] = (1).to_bytes(8, "little")       # kernel sector: GRUB_BOOT_MACHINE_KERNEL_SECTOR
            image[0x64] = 0xff                                  # boot drive: as the BIOS says
            # the block list at the end of the core's first sector: where its rest lies (grub/offsets.h)
            sectors = (len(image) - 1024 + 511) // 512
            image[1024 - 12:1024 - 4] = (2).to_bytes(8, "little")
            image[1024 - 4:1024 - 2] = sectors.to_bytes(2, "little")
            image.extend(bytes(1474560 - len(image)))
            with open(path + ".tmp", "wb") as f:
                f.write(image)
        os.rename(path + ".tmp", path)
    return path


SYSLINUX_CFG = """serial 0 115200
say hello from the boot loader
prompt 1
timeout 0
"""


def syslinux_floppy():
    """SYSLINUX on a FAT floppy: a prompt on screen and serial line."""
    path = cache("images", "syslinux.floppy")
    if not os.path.exists(path):
        need_program("mformat", "mtools")
        need_program("syslinux", "syslinux")
        with tempfile.TemporaryDirectory() as d:
            with open(d + "/syslinux.cfg", "w") as f:
                f.write(SYSLINUX_CFG)
            img = path + ".tmp"
            with open(img, "wb") as f:
                f.truncate(1474560)
            run(["mformat", "-i", img, "-f", "1440", "::"])
            run(["mcopy", "-i", img, d + "/syslinux.cfg", "::"])
            run(["syslinux", "--install", img])
        os.rename(path + ".tmp", path)
    return path

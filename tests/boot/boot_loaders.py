"""Boot loaders from CD and floppy images through the firmware: ISOLINUX, GRUB, SYSLINUX.
time-limit: 1800"""
import images
from boot_linux import power_off, shell, use
from guest import Guest, main

HELLO = "hello from the boot loader"


def from_cd(iso, sign):
    with Guest("-m", "512", "-no-reboot", "-cdrom", iso, "-boot", "d") as g:
        g.expect(sign, 120)
        shell(g, 240)
        use(g)
        power_off(g)


def isolinux_cd():
    from_cd(images.isolinux_iso(), "boot: ")


def isolinux_cd_i386():
    from_cd(images.isolinux_iso("i386"), "boot: ")


def grub_cd():
    from_cd(images.grub_iso(), HELLO)


def grub_floppy():
    """GRUB's early script: a greeting on the screen, the serial line, then the end."""
    with Guest("-m", "64", "-fda", images.grub_floppy(), "-boot", "a", "-snapshot") as g:
        g.expect(r"floppy: .*fd0", 120)


def syslinux_floppy():
    with Guest("-m", "64", "-fda", images.syslinux_floppy(), "-boot", "a", "-snapshot") as g:
        g.expect(r"boot: ", 120)
        g.send("nothing\r")
        g.expect(r"(ot find kernel|failed: No such file)", 60)


if __name__ == "__main__":
    main(isolinux_cd, isolinux_cd_i386, grub_cd, grub_floppy, syslinux_floppy)

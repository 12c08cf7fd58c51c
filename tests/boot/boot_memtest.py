"""memtest86+ from its Debian package: a full pass over little memory without an error.
time-limit: 1500"""
import os
import re

from debs import unpacked
from guest import Failure, Guest, main

LIMIT = 600


def one_pass(*args):
    with Guest("-m", "16", *args, serial=False, name="memtest86+") as g:
        g.expect_screen(r"Memtest86\+", 60)
        g.expect_screen(r"Pass:\s+[1-9]", LIMIT, every=2)
        text = g.screen()
        errors = re.search(r"Errors:\s+(\d+)", text)
        if not errors or int(errors.group(1)):
            raise Failure(f"memtest86+ found errors:\n{text}")


def packaged(name):
    return os.path.join(unpacked("amd64", "memtest86+"), name)


def memtest_cd():
    one_pass("-cdrom", packaged("usr/lib/memtest86+/memtest86+x64.iso"), "-boot", "d")


def memtest_cd_ia32():
    one_pass("-cdrom", packaged("usr/lib/memtest86+/memtest86+ia32.iso"), "-boot", "d")


def memtest_kernel():
    """As a Linux-style kernel, without firmware and its text mode; it draws on the serial line."""
    with Guest("-m", "16", "-kernel", packaged("boot/memtest86+x64.bin"), "-append", "console=ttyS0,115200", name="memtest86+") as g:
        m = g.expect(r"Pass:\s+[1-9]\d*\s+Errors: (\d+)", LIMIT)
        if int(m.group(1)):
            raise Failure("memtest86+ found errors")


if __name__ == "__main__":
    main(memtest_cd, memtest_cd_ia32, memtest_kernel)

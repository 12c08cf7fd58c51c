"""Who may include whom (the matrix of docs/design.md, section Folders)."""
import os
import re

from lintlib import finish, read, sources

UI_FOR_DEVICES = {"ui/console.h", "ui/input.h", "ui/chardev.h"}

# folder -> folders it may include from, besides itself
MATRIX = {
    "util": set(),
    "tcg": {"util"},
    "block": {"util"},
    "net": {"util"},
    "cpu": {"util", "tcg"},
    "cpu/x86": {"util", "tcg", "cpu"},
    "hw/core": {"util", "cpu", "block"},
    "hw": {"util", "cpu", "block", "net", "hw"},
    # boards and the local APIC know the CPU they belong to
    "hw/x86": {"util", "cpu", "block", "net", "hw", "cpu/x86"},
    "hw/intc": {"util", "cpu", "block", "net", "hw", "cpu/x86"},
    "accel": {"util", "tcg", "cpu"},
    "ui": {"util", "tcg", "cpu", "block", "net", "accel", "hw"},
}


def folder(path):
    """The row of the matrix a file belongs to."""
    d = os.path.dirname(path)
    while d not in MATRIX:
        d = os.path.dirname(d)
        if not d:
            return None
    return d


def allowed(path, included):
    mine, theirs = folder(path), folder(included)
    if theirs is None or mine == theirs:
        return True
    # registries belong to the folder's core
    if included in {"cpu/archs.def", "hw/devices.def", "hw/machines.def"} or (mine.startswith("hw") and included in UI_FOR_DEVICES):
        return True
    # block/img.c is a program
    if path == "block/img.c":
        return theirs in {"util", "block"}
    top = theirs.split("/")[0] if theirs.startswith("hw") else theirs
    return top in MATRIX[mine] or theirs in MATRIX[mine]


problems = []
for path in sources():
    for n, line in enumerate(read(path).splitlines(), 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if m and "/" in m.group(1) and not allowed(path, m.group(1)):
            problems.append(f"{path}:{n}: {folder(path)}/ may not include {m.group(1)}")
finish(problems)

"""Rules of style that a machine can hold: words, output, order of tables, length of lines."""
import re

from lintlib import finish, read, sources, without_comments

PRINTERS = {"util/log.c", "block/img.c"}             # who may write to stdout and stderr
LINE_MAX = 170                                       # tables need room

problems = []


def each_line(path, text):
    for n, line in enumerate(text.splitlines(), 1):
        yield f"{path}:{n}", line


for path in sources():
    text = read(path)
    code = without_comments(text)
    for where, line in each_line(path, text):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            problems.append(f"{where}: open end: {line.strip()}")
        if len(line) > LINE_MAX:
            problems.append(f"{where}: {len(line)} characters, at most {LINE_MAX}")
        if line != line.rstrip() or "\t" in line:
            problems.append(f"{where}: tab or blank at the end")
    for where, line in each_line(path, code):
        if re.search(r"\bTARGET_[A-Z]", line):
            problems.append(f"{where}: TARGET_ macro; a guest is a CpuArch value")
        if path not in PRINTERS and not path.startswith("block/img") and re.search(
                r"(?<![_\w.>])(printf|puts|putchar)\s*\(|\bfprintf\s*\(\s*(stderr|stdout)|\bf?puts\s*\([^,]*,\s*(stderr|stdout)", line):
            problems.append(f"{where}: bare output; use report_*, log_* or print_line")


def key(row):
    """The name of a row: its first argument, quotes off."""
    return re.match(r'\s*\w+\(\s*"?([^",)\s]*)', row).group(1)


for path in sources((".def",)):
    text = read(path)
    head = re.match(r"\s*/\*.*?\*/", text, re.S)
    if not head or "orted" not in head.group(0):
        continue
    groups = {}
    for line in without_comments(text).splitlines():
        m = re.match(r"\s*([A-Z][A-Z0-9_]*)\(", line)
        if m:
            groups.setdefault(m.group(1), []).append(key(line))
    for macro, names in groups.items():
        for a, b in zip(names, names[1:]):
            if a > b:
                problems.append(f"{path}: {macro} rows not sorted: '{b}' after '{a}'")
finish(problems)

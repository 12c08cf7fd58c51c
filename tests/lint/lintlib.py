"""What the lint tests share: the files of the tree."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ["util", "tcg", "cpu", "accel", "block", "hw", "net", "ui"]


def sources(exts=(".c", ".h", ".def"), folders=FOLDERS):
    """Paths from the root, sorted."""
    for folder in folders:
        for base, dirs, files in os.walk(os.path.join(ROOT, folder)):
            dirs.sort()
            for name in sorted(files):
                if name.endswith(exts):
                    yield os.path.relpath(os.path.join(base, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def without_comments(text):
    """Comments become blanks of the same length, line numbers stay."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0)) if m.group(0).startswith("/") else m.group(0)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def finish(problems):
    for p in problems:
        print(p)
    raise SystemExit(1 if problems else 0)

"""Every header compiles alone."""
import os
import subprocess

from lintlib import ROOT, finish, read, sources

build = os.environ.get("RHEA_BUILD", "build")
if not os.path.isabs(build):
    build = os.path.join(ROOT, build)
config = next((d for d in (build, os.path.dirname(build)) if os.path.exists(os.path.join(d, "config.mk"))), None)
if not config:
    print("no configured build: run make first")
    raise SystemExit(77)
make = dict(line.split(":=", 1) for line in open(os.path.join(config, "config.mk")) if ":=" in line)
make = {k.strip(): v.strip() for k, v in make.items()}

# Parts of a table or of one source file, read more than once or after something: they say so in their first comment.
headers = [h for h in sources((".h",)) if "#ifndef RHEA_" in read(h) or "#pragma once" in read(h)]
problems = [f"{h}: no include guard RHEA_..." for h in sources((".h",)) if h not in headers and "included by" not in read(h).lower()]

program = "".join(f'#include "{h}"\n' for h in headers)
flags = ["-std=gnu11", "-Wall", "-Wextra", "-fsyntax-only", "-x", "c", f"-I{ROOT}", f"-I{config}"] + make["LIB_CFLAGS"].split()
for h in headers:
    r = subprocess.run([make["CC"], *flags, "-"], input=f'#include "{h}"\n', capture_output=True, text=True)
    if r.returncode or r.stderr:
        problems.append(f"{h}: does not compile alone:\n{r.stderr}")
finish(problems)

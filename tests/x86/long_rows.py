#!/usr/bin/env python3
"""Which rows of the x86 opcode maps does no test execute?

Runs the guests and the differential tests with RHEA_ROWS set, so that each
process appends which rows it translated, and reports the rest.  A row that is
neither seen nor in UNREACHED fails the test.

time-limit: 3600
"""
import os
import subprocess
import sys
import tempfile

BUILD = os.environ.get("RHEA_BUILD", "build")
RUNS = [["x86/test_guests"], ["diff/test_diff"], ["diff/test_raw"], ["diff/test_state"]]

# Executed by real guests only (tests/boot), or not by any test: owner's reason beside it.
UNREACHED = {"xsaves": "no CPU model offers it", "xrstors": "no CPU model offers it"}


def main():
    seen = {}
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "rows")
        env = dict(os.environ, RHEA_ROWS=path, DIFF_COUNT=os.environ.get("DIFF_COUNT", "60000"))
        for r in RUNS:
            prog = os.path.join(BUILD, "tests", r[0])
            if subprocess.run([prog, *r[1:]], env=env, stdout=subprocess.DEVNULL).returncode:
                print(f"note: {prog} failed by itself")
        for line in open(path):
            hit, key = line.rstrip("\n").split(" ", 1)
            seen[key] = seen.get(key, False) or hit == "1"
    missing = sorted(k for k, hit in seen.items() if not hit and k.split()[2] not in UNREACHED)
    for k in missing:
        print("not executed:", k)
    print(f"{len(seen) - len(missing)} of {len(seen)} rows executed")
    sys.exit(1 if missing else 0)


main()

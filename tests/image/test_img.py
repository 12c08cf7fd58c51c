"""rhea-img from the command line: output, exit status, and files that must not be touched."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMG = os.path.join(ROOT, os.environ.get("RHEA_BUILD", "build"), "rhea-img")
failures = 0


def img(*args):
    return subprocess.run([IMG, *args], capture_output=True, text=True, timeout=20)


def check(what, ok, seen=""):
    global failures
    if not ok:
        failures += 1
        print(f"FAILED: {what}: {seen}")


def fails(status, text, *args):
    r = img(*args)
    check(" ".join(args), r.returncode == status and text in r.stderr and len(r.stderr.splitlines()) == 1,
          f"status {r.returncode}, {r.stderr!r}")


os.chdir(tempfile.mkdtemp(prefix="rhea-img-"))
r = img("create", "d.img", "1G")
check("create", r.returncode == 0 and r.stdout == "Formatting 'd.img', fmt=raw size=1073741824\n", r)
check("sparse", os.stat("d.img").st_blocks < 16 and os.stat("d.img").st_size == 1 << 30)
r = img("info", "d.img")
check("info", r.stdout.startswith("image: d.img\nfile format: raw\nvirtual size: 1 GiB (1073741824 bytes)\ndisk size: "), r)
j = json.loads(img("info", "--output=json", "d.img").stdout)
check("json", j["virtual-size"] == 1 << 30 and j["format"] == "raw" and j["filename"] == "d.img" and j["dirty-flag"] is False, j)
check("-q", img("create", "-q", "-f", "raw", "-o", "preallocation=full", "f.img", "1000k").stdout == "")
check("full", os.stat("f.img").st_blocks * 512 >= 1000 * 1024)
check("rounded up", img("create", "-q", "r.img", "1000").returncode == 0 and os.stat("r.img").st_size == 1024)
if shutil.which("qemu-img"):
    q = json.loads(subprocess.run(["qemu-img", "info", "--output=json", "d.img"], capture_output=True, text=True).stdout)
    check("as qemu-img", q["virtual-size"] == j["virtual-size"] and q["format"] == j["format"], (q, j))
    a, b = (subprocess.run([p, "info", "r.img"], capture_output=True, text=True).stdout for p in ("qemu-img", IMG))
    check("same words", a == b, (a, b))

fails(2, "FILE SIZE", "create", "x.img")
fails(2, "12Q", "create", "x.img", "12Q")
fails(2, "raw", "create", "-f", "rwa", "x.img", "1M")
fails(2, "makes no sense", "create", "x.img", "0")
fails(2, "did you mean 'create'", "crate", "x.img", "1M")
fails(2, "-z", "info", "-z", "d.img")
fails(2, "preallocation", "create", "-o", "preallocation=some", "x.img", "1M")
fails(1, "No such file", "info", "missing.img")
fails(1, "directory", "info", ".")
fails(1, "directory", "create", ".", "1M")
fails(1, "No such file", "create", "no/such/dir.img", "1M")
check("nothing made", not os.path.exists("x.img"))
check("usage", img().returncode == 2 and img("--help").returncode == 0 and img("--version").stdout.startswith("rhea-img version "))
sys.exit(1 if failures else 0)

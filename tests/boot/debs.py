"""Debian packages for tests, through apt with a state of its own: no root needed, nothing on the host changes.

Everything lands in $RHEA_CACHE (default build/cache)."""
import glob
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.abspath(os.environ.get("RHEA_CACHE", os.path.join(ROOT, "build", "cache")))


def cache(*parts):
    """A path in the cache; its folder exists afterwards."""
    path = os.path.join(CACHE, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def run(args, **kw):
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if r.returncode:
        sys.exit(f"{' '.join(args)}: exit status {r.returncode}\n{r.stdout[-3000:]}")
    return r.stdout


def skip(why):
    print(why)
    sys.exit(77)


def sources():
    for s in (os.environ.get("RHEA_APT_SOURCES"), "/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        if s and os.path.exists(s):
            return s
    skip("no Debian package sources in /etc/apt (RHEA_APT_SOURCES names a file)")


def apt_options(arch):
    state = os.path.join(CACHE, "apt-" + arch)
    for d in ("lists/partial", "archives/partial", "log"):
        os.makedirs(os.path.join(state, d), exist_ok=True)
    open(os.path.join(state, "status"), "a").close()
    settings = {
        "APT::Architecture": arch, "APT::Architectures": arch, "Dir::State": state, "Dir::State::status": state + "/status",
        "Dir::State::lists": state + "/lists", "Dir::Cache": state, "Dir::Cache::archives": state + "/archives",
        "Dir::Log": state + "/log", "Dir::Etc::SourceList": sources(), "Dir::Etc::SourceParts": "-",
        "APT::Install-Recommends": "false", "APT::Sandbox::User": "root" if os.getuid() == 0 else "", "Debug::NoLocking": "1",
    }
    return [x for k, v in settings.items() for x in ("-o", f"{k}={v}")]


def update(arch, again=False):
    lists = os.path.join(CACHE, "apt-" + arch, "lists")
    opts = apt_options(arch)
    if again or not glob.glob(lists + "/*_Packages*"):
        r = subprocess.run(["apt-get", *opts, "update", "-qq"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # a mirror in the middle of its own update may lack a part that is not needed
        if not glob.glob(lists + "/*_Packages*"):
            skip(f"apt-get update ({arch}) failed: {r.stdout[-500:]}")
    return opts


def download(arch, package):
    """The .deb of a package (the newest version the sources have), as a path."""
    folder = os.path.join(CACHE, "apt-" + arch, "archives")
    for again in (False, True):          # lists of yesterday may name what the mirror has dropped
        opts = update(arch, again)
        r = subprocess.run(["apt-get", *opts, "download", "-qq", package], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True)
        found = sorted(glob.glob(f"{folder}/{package}_*.deb"), key=os.path.getmtime)
        if r.returncode == 0 and found:
            return found[-1]
    skip(f"cannot download {package} ({arch}): {r.stdout[-500:]}")


def depends(arch, package, prefix):
    """The first dependency of a package that begins with prefix."""
    text = run(["apt-cache", *update(arch), "depends", package])
    for name in re.findall(r"Depends: (\S+)", text):
        if name.startswith(prefix):
            return name
    skip(f"{package} ({arch}) depends on no {prefix}*")


def unpacked(arch, package):
    """A folder with the package's files; unpacked once."""
    folder = cache("unpacked", arch, package)
    if not os.path.isdir(folder):
        deb = download(arch, package)
        shutil.rmtree(folder + ".tmp", ignore_errors=True)
        run(["dpkg-deb", "-x", deb, folder + ".tmp"])
        os.rename(folder + ".tmp", folder)
    return folder


def kernel(arch):
    """Debian's stock kernel of an architecture (amd64: linux-image-amd64; i386: linux-image-686-pae)."""
    path = cache("kernels", arch, "vmlinuz")
    if not os.path.exists(path):
        meta = {"amd64": "linux-image-amd64", "i386": "linux-image-686-pae"}[arch]
        folder = unpacked(arch, depends(arch, meta, "linux-image-"))
        shutil.copy(sorted(glob.glob(folder + "/boot/vmlinuz-*"))[-1], path + ".tmp")
        os.rename(path + ".tmp", path)
    return path

"""What the command line tests share."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("RHEA_BUILD", "build"))
RHEA = os.environ.get("RHEA", os.path.join(BUILD, "rhea-system-x86_64"))


def rhea(*args, timeout=20, **kw):
    """Runs the emulator; stdin is empty."""
    return subprocess.run([RHEA, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **kw)

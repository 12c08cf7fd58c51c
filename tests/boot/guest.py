"""A guest under test: starts the emulator, types on the serial line, reads the screen, speaks QMP.

RHEA names the emulator (default build/rhea-system-x86_64); any program with the same command line will do.
RHEA_ARGS adds options to every start; RHEA_SLOW multiplies all time limits."""
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("RHEA_BUILD", "build"))
RHEA = os.environ.get("RHEA", os.path.join(BUILD, "rhea-system-x86_64"))
SLOW = float(os.environ.get("RHEA_SLOW", "1"))

KEYS = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", "/": "slash", ".": "dot", ",": "comma", ";": "semicolon", ":": "shift-semicolon",
        "_": "shift-minus", "+": "shift-equal", "*": "shift-8", "'": "apostrophe"}


class Failure(Exception):
    pass


class Guest:
    """with Guest("-m", "512", ...) as g: ...   The end of the block ends the emulator."""

    def __init__(self, *args, serial=True, name="guest", show=os.environ.get("RHEA_SHOW")):
        self.dir = tempfile.mkdtemp(prefix="rhea-test-")
        self.qmp_path = os.path.join(self.dir, "qmp")
        self.log = b""                   # everything the serial line said
        self.at = 0                      # up to where expect() has read
        self.show = show
        self.name = name
        self.qmp_file = None
        self.events = []
        argv = [RHEA, *shlex.split(os.environ.get("RHEA_ARGS", "")), "-display", "none", "-monitor", "none",
                "-serial", "stdio" if serial else "null", "-qmp", f"unix:{self.qmp_path},server=on,wait=off", *args]
        self.start = time.monotonic()
        self.errors = open(os.path.join(self.dir, "stderr"), "w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind is not None:
            self.report()
        self.errors.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def report(self):
        self.errors.seek(0)
        print(f"--- {self.name}: {shlex.join(self.process.args)}\n--- stderr:\n{self.errors.read()[-3000:]}")
        print(f"--- serial, the last of it:\n{self.log.decode(errors='replace')[-3000:]}\n---")

    def seconds(self):
        return time.monotonic() - self.start

    # ---- serial line ----

    def pump(self, wait):
        """Reads what there is, waiting at most `wait` seconds for something. False at the end."""
        fd = self.process.stdout.fileno()
        if select.select([fd], [], [], wait)[0]:
            data = os.read(fd, 65536)
            if not data:
                return False
            self.log += data
            if self.show:
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
        return True

    def expect(self, pattern, timeout=60):
        """Waits for a regular expression on the serial line; returns the match."""
        end = time.monotonic() + timeout * SLOW
        regex = re.compile(pattern.encode(), re.M | re.S)
        while True:
            m = regex.search(self.log, self.at)
            if m:
                self.at = m.end()
                return m
            alive = self.pump(0.2)
            if not alive and not regex.search(self.log, self.at):
                raise Failure(f"the emulator ended (status {self.process.wait()}) before it said /{pattern}/")
            if time.monotonic() > end:
                raise Failure(f"no /{pattern}/ within {timeout * SLOW:g} s")

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def command(self, line, timeout=60):
        """Types a command at a shell prompt '# ' and returns its output."""
        self.send(line + "; echo \"@@$?\"\n")
        m = self.expect(r"\r?\n(?P<out>.*?)@@(?P<status>\d+)\r?\n.*?# ", timeout)
        out = m.group("out").decode(errors="replace").replace("\r", "")
        if m.group("status") != b"0":
            raise Failure(f"'{line}' in the guest: status {m.group('status').decode()}\n{out}")
        return out

    def wait_exit(self, timeout=60, status=0):
        end = time.monotonic() + timeout * SLOW
        while self.process.poll() is None:
            self.pump(0.2)
            if time.monotonic() > end:
                raise Failure(f"the emulator did not end within {timeout * SLOW:g} s")
        while self.pump(0) and select.select([self.process.stdout.fileno()], [], [], 0)[0]:
            pass
        if self.process.returncode != status:
            raise Failure(f"exit status {self.process.returncode}, expected {status}")

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) // 1024

    # ---- QMP ----

    def connect(self):
        end = time.monotonic() + 10 * SLOW
        s = socket.socket(socket.AF_UNIX)
        while True:
            try:
                s.connect(self.qmp_path)
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Failure("no QMP socket") from None
                time.sleep(0.05)
        s.settimeout(60 * SLOW)
        self.qmp_file = s.makefile("rw")
        self.qmp_file.readline()
        self.qmp("qmp_capabilities")

    def qmp(self, command, **arguments):
        if not self.qmp_file:
            self.connect()
        request = {"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}
        self.qmp_file.write(json.dumps(request) + "\n")
        self.qmp_file.flush()
        while True:
            line = self.qmp_file.readline()
            if not line:
                raise Failure(f"QMP ended during {command}")
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer["event"])
            elif "error" in answer:
                raise Failure(f"QMP {command}: {answer['error']['desc']}")
            elif "return" in answer:
                return answer["return"]

    def hmp(self, line):
        return self.qmp("human-monitor-command", **{"command-line": line}).replace("\r", "")

    # ---- screen and keyboard ----

    def screen(self):
        """The text on the screen, or None in graphics modes."""
        text = self.hmp("screentext")
        if text.startswith("unknown command"):
            return self.screen_from_memory()
        return None if text.startswith("Error") else text

    def crtc(self, index):
        self.hmp(f"o /b 0x3d4 {index}")
        return int(self.hmp("i /b 0x3d5").split("=")[1], 16)

    def screen_from_memory(self):
        """For emulators without screentext: 80x25 characters from the VGA window."""
        path = os.path.join(self.dir, "vga")
        start = 2 * (self.crtc(0x0c) << 8 | self.crtc(0x0d))
        self.qmp("pmemsave", val=0xb8000, size=0x8000, filename=path)
        with open(path, "rb") as f:
            chars = f.read()[0::2]
        chars = (chars + chars)[start // 2 % 0x4000:][:80 * 25]
        if chars.count(0) > 1900 and not chars.strip(b"\0 "):
            return None
        return "".join(chars[i:i + 80].decode("cp437").replace("\0", " ").rstrip() + "\n" for i in range(0, 2000, 80))

    def expect_screen(self, pattern, timeout=60, every=0.5):
        end = time.monotonic() + timeout * SLOW
        text = None
        while time.monotonic() < end:
            text = self.screen()
            m = text and re.search(pattern, text, re.S)
            if m:
                return m
            if self.process.poll() is not None:
                raise Failure(f"the emulator ended (status {self.process.returncode})")
            self.pump(every)
        raise Failure(f"no /{pattern}/ on the screen within {timeout * SLOW:g} s; it shows:\n{text or '(graphics)'}")

    def screendump(self, path):
        self.qmp("screendump", filename=os.path.abspath(path), format="png")

    def key(self, keys):
        self.hmp(f"sendkey {keys} 40")
        time.sleep(0.08)

    def type(self, text):
        for c in text:
            self.key("shift-" + c.lower() if c.isupper() else KEYS.get(c, c))


def main(*tests):
    """Runs the tests named on the command line (default: all); each is a function without arguments."""
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))
    chosen = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    failed, skipped = [], []
    for t in chosen:
        start = time.monotonic()
        try:
            t()
            print(f"ok    {t.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except Failure as e:
            failed.append(t.__name__)
            print(f"FAIL  {t.__name__} ({time.monotonic() - start:.1f} s): {e}", flush=True)
        except SystemExit as e:
            if e.code != 77:
                raise
            skipped.append(t.__name__)
            print(f"skip  {t.__name__}", flush=True)
    if skipped and len(skipped) == len(chosen):
        sys.exit(77)
    print(f"{len(chosen) - len(failed) - len(skipped)} passed, {len(failed)} failed{': ' + ' '.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)

"""QMP and HMP over sockets, on the empty machine: greeting, negotiation, errors, events, commands, several at once."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cli import RHEA

os.chdir(tempfile.mkdtemp())
failed = 0


def expect(what, got, want):
    global failed
    if got != want:
        failed += 1
        print(f"{what}: got {got!r}, expected {want!r}")


def connect(path):
    for _ in range(200):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.settimeout(10)
            return s
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on {path}")


class Qmp:
    def __init__(self, path, negotiate=True):
        self.f = connect(path).makefile("rw")
        self.greeting = self.read()
        self.events = []
        if negotiate:
            self.ask("qmp_capabilities")

    def read(self):
        line = self.f.readline()
        return json.loads(line) if line else None

    def raw(self, text):
        self.f.write(text)
        self.f.flush()
        return self.answer()

    def answer(self):
        while True:
            a = self.read()
            if a is None or "event" not in a:
                return a
            self.events.append(a)

    def ask(self, command, **args):
        request = {"execute": command}
        if args:
            request["arguments"] = args
        return self.raw(json.dumps(request) + "\n")

    def event(self):
        return self.events.pop(0) if self.events else self.read()


def start(*args):
    return subprocess.Popen([RHEA, "-M", "none", "-display", "none", "-nodefaults", *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def error_class(a):
    return a["error"]["class"]


# ---- QMP, two at a time ----
p = start("-qmp", "unix:q1,server=on,wait=off", "-qmp", "unix:q2,server,nowait", "-monitor", "unix:m,server=on,wait=off", "-S",
          "-name", "testee", "-pidfile", "pid")
a = Qmp("q1", negotiate=False)
expect("greeting", sorted(a.greeting["QMP"]), ["capabilities", "version"])
expect("before negotiation", error_class(a.ask("query-status")), "CommandNotFound")
expect("negotiation", a.raw('{"execute":"qmp_capabilities","id":[1,"x"]}'), {"return": {}, "id": [1, "x"]})
expect("negotiation twice", error_class(a.ask("qmp_capabilities")), "CommandNotFound")
b = Qmp("q2")
expect("prelaunch", a.ask("query-status")["return"], {"status": "prelaunch", "singlestep": False, "running": False})
expect("cont", a.ask("cont"), {"return": {}})
expect("event here", a.event()["event"], "RESUME")
e = b.event()
expect("event there", e["event"], "RESUME")
expect("time stamp", sorted(e["timestamp"]), ["microseconds", "seconds"])
expect("stop", b.ask("stop"), {"return": {}})
expect("stop event", b.event()["event"], "STOP")
expect("paused", b.ask("query-status")["return"]["status"], "paused")
expect("name", b.ask("query-name"), {"return": {"name": "testee"}})
commands = {c["name"] for c in b.ask("query-commands")["return"]}
wanted = {"qmp_capabilities", "query-status", "stop", "cont", "system_reset", "system_powerdown", "quit", "screendump", "send-key", "pmemsave",
          "human-monitor-command", "query-commands", "query-version"}
expect("commands", wanted - commands, set())
expect("unknown", error_class(b.ask("query-stat")), "CommandNotFound")
expect("missing argument", error_class(b.ask("pmemsave", val=0)), "GenericError")
expect("wrong type", error_class(b.ask("pmemsave", val="0", size=1, filename="x")), "GenericError")
expect("unexpected argument", error_class(b.ask("stop", now=True)), "GenericError")
expect("no memory", error_class(b.ask("pmemsave", val=0, size=16, filename="x")), "GenericError")
expect("no screen", error_class(b.ask("screendump", filename="x.png")), "GenericError")
expect("bad key", error_class(b.ask("send-key", keys=[{"type": "qcode", "data": "retn"}])), "GenericError")
expect("key", b.ask("send-key", keys=[{"type": "qcode", "data": "ret"}, {"type": "number", "data": 30}]), {"return": {}})
for text in ("{\"execute\":}\n", "[1,2]\n", "nonsense\n", "{\"execute\":1}\n", "{\"what\":\"stop\"}\n", "{\"execute\":\"stop\",\"arguments\":3}\n"):
    expect(f"hostile {text!r}", error_class(b.raw(text)), "GenericError")
expect("brace in string", b.raw('{"execute":\n "human-monitor-command","arguments":{"command-line":"print 0 }\\"{"}}')["return"][:6], "Error:")
expect("hmp", b.ask("human-monitor-command", **{"command-line": "print 2*(3+4) - 0x4"}), {"return": "0xa\n"})
expect("hmp formats", b.ask("human-monitor-command", **{"command-line": "print/d 0-5"}), {"return": "-5\n"})
expect("hmp unknown", "did you mean 'stop'" in b.ask("human-monitor-command", **{"command-line": "stpo"})["return"], True)
expect("reset", b.ask("system_reset"), {"return": {}})
expect("reset event", b.event()["data"], {"guest": False, "reason": "host-qmp-system-reset"})
expect("powerdown", b.ask("system_powerdown"), {"return": {}})
expect("powerdown event", b.event()["event"], "POWERDOWN")

# a long request in small pieces, then one that is too long
b.f.write(" " * 5000 + '{"execute"')
b.f.flush()
expect("pieces", b.raw(':"query-name"}\n'), {"return": {"name": "testee"}})
expect("too long", error_class(b.raw('{"execute":"' + "x" * (1 << 20) + '"}\n')), "GenericError")
expect("and then", b.ask("query-name"), {"return": {"name": "testee"}})

# ---- HMP on a socket: editing, history, completion; one client after another ----
for _ in range(2):
    m = connect("m")
    time.sleep(0.2)
    m.recv(4096)
    m.send(b"junk word\x17\x15inXf\x7f\x7ffo stas\x01\x05\x1b[Dtu\r\x1b[A\x15stop\r")
    time.sleep(0.3)
    text = m.recv(65536).decode()
    expect("hmp line", "VM status: paused" in text, True)
    m.close()
    time.sleep(0.2)

expect("pid file", int(open("pid").read()), p.pid)
expect("quit", a.ask("quit"), {"return": {}})
a.events = [x for x in a.events if x["event"] == "SHUTDOWN"]
last = a.event()
while last and last["event"] != "SHUTDOWN":
    last = a.read()
expect("shutdown event", last["data"], {"guest": False, "reason": "host-qmp-quit"})
expect("status", p.wait(10), 0)
expect("sockets and pid file gone", [f for f in ("q1", "q2", "m", "pid") if os.path.exists(f)], [])

# ---- signals end it cleanly ----
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    p = start("-qmp", "unix:q,server=on,wait=off")
    q = Qmp("q")
    p.send_signal(s)
    expect(f"{s.name} event", q.event()["data"]["reason"], "host-signal")
    expect(f"{s.name} status", p.wait(10), 0)

# ---- -nographic on pipes: Ctrl-A c, Ctrl-A x ----
p = subprocess.Popen([RHEA, "-M", "none", "-nographic"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
p.stdin.write(b"\x01h\x01cinfo status\r\x01x")
p.stdin.flush()
out, _ = p.communicate(timeout=20)
expect("Ctrl-A h", b"Ctrl-A x" in out, True)
expect("Ctrl-A c", b"VM status: running" in out, True)
expect("Ctrl-A x", p.returncode, 0)

# ---- pty and daemonize ----
p = start("-serial", "pty", "-monitor", "stdio")
expect("pty", p.stdout.readline().startswith("char device redirected to /dev/pts/"), True)
p.kill()
r = subprocess.run([RHEA, "-M", "none", "-display", "none", "-daemonize", "-pidfile", "dpid", "-qmp", "unix:dq,server=on,wait=off"],
                   capture_output=True, timeout=20)
expect("daemonize", r.returncode, 0)
expect("daemon", Qmp("dq").ask("quit"), {"return": {}})
r = subprocess.run([RHEA, "-M", "none", "-display", "none", "-daemonize", "-hda", "missing"], capture_output=True, timeout=20)
expect("daemonize that fails", r.returncode, 1)

print(f"{failed} failed")
sys.exit(1 if failed else 0)

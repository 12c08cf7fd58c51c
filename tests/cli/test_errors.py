"""Bad input: one clear error on stderr, exit status 2 (usage) or 1 (run time), nothing written."""
import os
import subprocess
import sys
import tempfile

from cli import RHEA, rhea

dir = tempfile.mkdtemp()
os.chdir(dir)


def make(name, data, mode=0o644):
    with open(name, "wb") as f:
        f.write(data)
    os.chmod(name, mode)


make("disk.img", bytes(1 << 20))
make("empty.img", b"")
make("text.txt", b"this is no kernel\n" * 100)
make("short.elf", b"\x7fELF\x02\x01\x01" + bytes(9))
make("cut.iso", bytes(0x8000) + b"\x01CD001\x01")         # ends inside the volume descriptor
make("bzcut", bytes(0x1f1) + b"\x20" + bytes(12) + b"\x55\xaa\xeb\x66HdrS\x0d\x02" + bytes(64))
os.mkdir("folder")

# arguments, exit status, what the message must contain (all of them)
CASES = [
    ("-no-such-option", 2, ["-no-such-option", "no such option"]),
    ("-cdrm x", 2, ["cdrom"]),
    ("-m", 2, ["argument is missing"]),
    ("-m 12Q", 2, ["12Q", "512M"]),
    ("-m 0", 2, ["1M"]),
    ("-m 100000T", 1, ["cannot give"]),
    ("-smp 0", 2, ["-smp 0"]),
    ("-smp 4096", 2, ["-smp 4096"]),
    ("-smp 300 -display none", 2, ["300"]),
    ("-smp cpuss=2", 2, ["cpus"]),
    ("-M pcc", 2, ["pcc", "pc"]),
    ("-M pc,acip=off", 2, ["acip", "acpi"]),
    ("-cpu Hasvell -display none", 2, ["Hasvell", "Haswell"]),
    ("-cpu qemu64,+avx22 -display none", 2, ["avx22", "avx2"]),
    ("-accel kvn", 2, ["kvn", "kvm"]),
    ("-accel kvm", 1, ["kvm", "tcg"]),
    ("-enable-kvm", 1, ["kvm"]),
    ("-accel tcg,engine=jitt", 2, ["jitt", "jit", "interp"]),
    ("-accel tcg,tb-sise=3", 2, ["tb-sise", "tb-size"]),
    ("-device isa-seral", 2, ["isa-seral", "isa-serial"]),
    ("-device isa-serial,iobas=1 -display none", 2, ["iobas", "iobase"]),
    ("-global isa-serial.iobas=1 -display none", 2, ["iobas", "iobase"]),
    ("-global nonsense -display none", 2, ["nonsense"]),
    ("-hda missing.img", 1, ["missing.img", "No such file"]),
    ("-hda folder", 1, ["folder"]),
    ("-hda empty.img", 1, ["empty.img", "0 bytes"]),
    ("-cdrom missing.iso", 1, ["missing.iso"]),
    ("-hda disk.img -hda disk.img", 2, ["taken"]),
    ("-hdc disk.img -cdrom disk.img", 2, ["-cdrom and -hdc"]),
    ("-hda disk.img -hdb disk.img", 1, ["disk.img"]),
    ("-drive fille=disk.img", 2, ["fille", "file"]),
    ("-drive file=disk.img,format=qcow22", 2, ["qcow22"]),
    ("-drive file=disk.img,if=virtio", 2, ["virtio", "ide"]),
    ("-drive file=disk.img,media=cd", 2, ["cdrom"]),
    ("-drive file=disk.img,index=9", 2, ["0 to 3"]),
    ("-drive file=disk.img,cache=fast", 2, ["fast", "writeback"]),
    ("-drive file=disk.img,readonly=perhaps", 2, ["perhaps", "on"]),
    ("-kernel missing", 1, ["missing"]),
    ("-kernel folder", 1, ["folder"]),
    ("-kernel text.txt -display none", 1, ["text.txt"]),
    ("-kernel short.elf -display none", 1, ["short.elf"]),
    ("-kernel bzcut -display none", 1, ["bzcut"]),
    ("-bios missing.bin -display none", 2, ["missing.bin"]),
    ("-boot x", 2, ["'x'"]),
    ("-boot order=cc", 2, ["twice"]),
    ("-boot orde=c", 2, ["order"]),
    ("-vga cirus", 2, ["cirus"]),
    ("-vga cirrus", 2, ["not available", "std"]),
    ("-display sdl", 2, ["not available", "none"]),
    ("-serial nonsense", 2, ["nonsense", "stdio"]),
    ("-serial file:no/such/dir/f", 1, ["no/such/dir/f"]),
    ("-serial chardev:x", 2, ["'x'"]),
    ("-serial stdio -monitor stdio", 2, ["stdio", "already"]),
    ("-serial unix:/no/such/dir/sock,server=on,wait=off", 1, ["/no/such/dir/sock"]),
    ("-serial tcp:localhost", 2, ["port"]),
    ("-chardev stdio", 2, ["id"]),
    ("-chardev fil,id=a,path=x", 2, ["file"]),
    ("-chardev file,id=a,pat=x", 2, ["path"]),
    ("-mon mode=control", 2, ["chardev"]),
    ("-rtc base=yesterday", 2, ["yesterday"]),
    ("-nic user", 2, ["none"]),
    ("-netdev user,id=n0", 2, ["not available"]),
    ("-serial file:out -cpu nonsense", 2, ["nonsense"]),
    ("-serial file:out -hda missing.img", 1, ["missing.img"]),
    ("-d in_asn", 2, ["in_asm"]),
    ("-D /no/such/dir/log -d int", 1, ["/no/such/dir/log"]),
    ("-usb", 2, ["USB"]),
    ("-vnc :1", 2, ["-vnc"]),
    ("-pidfile /no/such/dir/pid -display none -serial none", 1, ["/no/such/dir/pid"]),
]

failed = 0


def complain(args, why, r=None):
    global failed
    failed += 1
    print(f"rhea {args}: {why}")
    if r:
        print(f"  status {r.returncode}, stderr:\n    " + r.stderr.replace("\n", "\n    "))


def check(args, status, words):
    before = snapshot()
    try:
        r = rhea(*args.split())
    except subprocess.TimeoutExpired:
        return complain(args, "runs instead of refusing")
    lines = [ln for ln in r.stderr.splitlines() if ln.strip()]
    if r.returncode != status:
        complain(args, f"exit status {r.returncode}, expected {status}", r)
    elif len(lines) != 1 or not lines[0].startswith("rhea: "):
        complain(args, "not one line 'rhea: ...'", r)
    elif any(w not in r.stderr for w in words):
        complain(args, f"the message lacks one of {words}", r)
    elif r.stdout:
        complain(args, "wrote to stdout", r)
    elif snapshot() != before:
        complain(args, f"files changed: {set(snapshot()) ^ set(before)}", r)


def snapshot():
    """All files with size and time."""
    return sorted((os.path.join(b, f), os.stat(os.path.join(b, f)).st_size, os.stat(os.path.join(b, f)).st_mtime_ns)
                  for b, _, files in os.walk(".") for f in files)


only = sys.argv[1:]
for case in CASES:
    if not only or any(o in case[0] for o in only):
        check(*case)

# unreadable, unless for root who may read everything
if os.getuid() != 0 and not only:
    make("secret.img", bytes(4096), 0)
    check("-hda secret.img", 1, ["secret.img", "ermission"])

# a second instance on the same image: the holder is named
if not only:
    first = subprocess.Popen([RHEA, "-display", "none", "-S", "-hda", "disk.img", "-monitor", "none", "-qmp", "unix:q,server=on,wait=on"],
                             stderr=subprocess.PIPE, text=True)
    while "waiting" not in first.stderr.readline():
        pass
    r = rhea("-hda", "disk.img", "-display", "none")
    if r.returncode != 1 or str(first.pid) not in r.stderr:
        complain("-hda disk.img (second instance)", f"does not name pid {first.pid}", r)
    first.kill()
    first.wait()

print(f"{len(CASES)} cases, {failed} failed")
sys.exit(1 if failed else 0)

#!/usr/bin/python3
"""Devices that fail, for real: a whole cluster under load, two of its daemons on disks that device-mapper makes refuse writes, lose sectors or be slow.

    apt install user-mode-linux dmsetup e2fsprogs xfsprogs busybox python3-psycopg2
    cargo build --release -p hexalog
    tests/devices/devices.py                      # flakey, delay and dust, one after the other; must find nothing
    tests/devices/devices.py --fault flakey --seconds 20

The cluster runs under User-Mode Linux, whose kernel has device-mapper's `flakey`, `dust` and `delay`. Exit code 0: nothing was wrong; 1: a
violation, or the cluster did not come through; 77: this machine cannot do it, and the message says why.
"""

import argparse
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXIT_SKIPPED = 77
FAULTS = ["flakey", "delay", "dust"]
DISK_BYTES = 512 << 20
SHARED_BYTES = 2 << 30
OPTIONS = ["--log-bytes=4MiB", "--device-bytes=160MiB", "--groups=4", "--cache-bytes=16MiB", "--workers=1"]

INIT = """#!/bin/bash
export PATH={path}
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmp /mnt; mount -t tmpfs tmp /run; ip link set lo up
for module in dm-mod dm-bufio dm-flakey dm-dust dm-delay; do busybox insmod $(find /usr/lib/uml/modules -name $module.ko) 2>/dev/null; done
mkfs.xfs -q -K /dev/ubda && mkdir /mnt/d && mount -t xfs /dev/ubda /mnt/d
/usr/bin/python3 -B {here}/guest.py {binary} {seconds} {seed} {faults} {options}; echo "guest ended with $?"
busybox poweroff -f
"""


def missing():
    """What is not installed, each with its package."""
    tools = {"linux.uml": "user-mode-linux", "dmsetup": "dmsetup", "mkfs.xfs": "xfsprogs", "mkfs.ext4": "e2fsprogs", "busybox": "busybox"}
    found = [package for tool, package in tools.items() if shutil.which(tool) is None]
    try:
        import psycopg2  # noqa: F401
    except ImportError:
        found.append("python3-psycopg2")
    if not glob.glob("/usr/lib/uml/modules/*/kernel/drivers/md/dm-dust.ko"):
        found.append("user-mode-linux")
    return sorted(set(found))


def run(arguments, directory):
    for name, size in (("a.img", SHARED_BYTES), ("b.img", DISK_BYTES), ("c.img", DISK_BYTES)):
        with open(f"{directory}/{name}", "wb") as file:
            file.truncate(size)
    faults = arguments.fault or FAULTS
    with open(f"{directory}/init", "w") as file:
        words = {"path": os.environ["PATH"], "here": HERE, "binary": os.path.abspath(arguments.binary), "seconds": arguments.seconds}
        file.write(INIT.format(**words, seed=arguments.seed, faults=",".join(faults), options=" ".join(OPTIONS)))
    os.chmod(f"{directory}/init", 0o755)
    command = [
        "linux.uml", "mem=1536M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={directory}/init",
        f"ubda={directory}/a.img", f"ubdb={directory}/b.img", f"ubdc={directory}/c.img", "con=null", "con0=fd:0,fd:1", "quiet",
    ]  # fmt: skip
    environment = dict(os.environ, TMPDIR="/dev/shm")
    limit = arguments.limit or arguments.seconds * len(faults) * 4 + 600
    pipe = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    machine = subprocess.Popen(command, text=True, errors="replace", env=environment, start_new_session=True, **pipe)
    # The machine is several processes, all of this session.
    given_up = threading.Timer(limit, lambda: os.killpg(machine.pid, signal.SIGKILL))
    given_up.start()
    lines = []
    for line in machine.stdout:
        lines.append(line)
        if line.startswith("guest"):
            print(line, end="", flush=True)
    machine.wait()
    given_up.cancel()
    if not any(line.startswith("guest: up") for line in lines):
        print("skipped: the virtual machine does not start here:\n" + "".join(lines))
        return EXIT_SKIPPED
    if any(line.startswith("guest ended with 0") for line in lines):
        return 0
    print(f"the virtual machine did not come to a good end within {limit:.0f} s:\n" + "".join(lines[-40:]))
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=f"{ROOT}/target/release/hexalog")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="only this; may be repeated, in this order")
    parser.add_argument("--seconds", type=float, default=15, help="of each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, help="seconds after which the machine is given up")
    arguments = parser.parse_args()
    if missing():
        print("skipped: not installed: " + " ".join(missing()))
        return EXIT_SKIPPED
    with tempfile.TemporaryDirectory(prefix="hexalog-devices-") as directory:
        return run(arguments, directory)


if __name__ == "__main__":
    sys.exit(main())

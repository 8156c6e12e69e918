#!/usr/bin/python3
"""True power loss, many times: records every write and flush of a whole cluster under load, then asks what any cut would have left.

    apt install user-mode-linux dmsetup xfsprogs busybox python3-psycopg2
    cargo build --release -p hexalog
    tests/power-loss/power_loss.py --images 200                 # must find nothing
    tests/power-loss/power_loss.py --images 50 --control        # a build whose flushes are left out; must find something

The cluster runs under User-Mode Linux, whose kernel has device-mapper's `log-writes`; the images are mounted on this machine. Needs root (loop
mounts). Exit code 0: as it must be; 1: a violation (or, with `--control`, none); 77: this machine cannot
do it, and the message says why.
"""

import argparse
import glob
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile

import load
from recording import Images, Recording, copy_sparse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXIT_SKIPPED = 77
OWN_MOUNTS = "HEXALOG_POWER_LOSS_OWN_MOUNTS"
DEVICE_BYTES = 2 << 30
FLUSH_MS = 10
# Small, so that the log is gone round and index checkpoints are written within seconds.
OPTIONS = ["--log-bytes=4MiB", "--device-bytes=160MiB", "--groups=4", "--cache-bytes=16MiB", "--workers=1"]

INIT = """#!/bin/bash
export PATH={path}
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmp /mnt; mount -t tmpfs tmp /run; ip link set lo up
for module in dm-mod dm-delay dm-log-writes; do busybox insmod $(find /usr/lib/uml/modules -name $module.ko); done
sectors=$(blockdev --getsz /dev/ubda)
# A flush takes as long as on a device that needs one; else hardly a write is ever in the cache when power fails.
dmsetup create slow --noudevsync --table "0 $sectors delay /dev/ubda 0 0 /dev/ubda 0 0 /dev/ubda 0 {flush_ms}"; dmsetup mknodes
dmsetup create lw --noudevsync --table "0 $sectors log-writes /dev/mapper/slow /dev/ubdb"; dmsetup mknodes
mkfs.xfs -q -K /dev/mapper/lw && mkdir /mnt/d && mount -t xfs /dev/mapper/lw /mnt/d
/usr/bin/python3 -B {here}/guest.py {binary} {seconds} {options}; echo "guest ended with $?"
umount /mnt/d; dmsetup remove --noudevsync lw; dmsetup remove --noudevsync slow; busybox poweroff -f
"""


class Skipped(Exception):
    """This machine cannot do it; the text says why."""


def missing():
    """What is not installed, each with its package."""
    tools = {"linux.uml": "user-mode-linux", "dmsetup": "dmsetup", "mkfs.xfs": "xfsprogs", "busybox": "busybox"}
    found = [package for tool, package in tools.items() if shutil.which(tool) is None]
    try:
        import psycopg2  # noqa: F401
    except ImportError:
        found.append("python3-psycopg2")
    if not glob.glob("/usr/lib/uml/modules/*/kernel/drivers/md/dm-log-writes.ko"):
        found.append("user-mode-linux")
    return sorted(set(found))


def record(directory, binary, seconds):
    """Runs the load in the recorded machine; leaves `log.img`, the recording."""
    for name in ("data.img", "log.img"):
        with open(f"{directory}/{name}", "wb") as file:
            file.truncate(DEVICE_BYTES)
    with open(f"{directory}/init", "w") as file:
        file.write(INIT.format(path=os.environ["PATH"], here=HERE, binary=binary, seconds=seconds, options=" ".join(OPTIONS), flush_ms=FLUSH_MS))
    os.chmod(f"{directory}/init", 0o755)
    # ubd images are opened O_SYNC unless told otherwise; what the host has on its disk does not matter here.
    command = [
        "linux.uml", "mem=1536M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={directory}/init",
        f"ubda={directory}/data.img", f"ubdb={directory}/log.img", "con=null", "con0=fd:0,fd:1", "quiet",
    ]  # fmt: skip
    environment = dict(os.environ, TMPDIR="/dev/shm")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", env=environment, timeout=seconds * 4 + 240
    )
    if "guest: up" not in done.stdout:
        raise Skipped(f"the recorded machine does not start here:\n{done.stdout}\n{done.stderr}")
    if "guest ended with 0" not in done.stdout:
        sys.exit(f"the recorded machine failed:\n{done.stdout}\n{done.stderr}")
    print(next(line for line in done.stdout.splitlines() if line.startswith("guest: ") and "acknowledged" in line), flush=True)


def acknowledged(marks):
    """(index, counts per client) of each mark that says what was acknowledged before it."""
    for index, text in marks:
        if text.startswith("acked:"):
            yield index, [int(word) for word in text.removeprefix("acked:").split(",")]


def cuts(recording, count, rng):
    """Rising cuts after the first acknowledgements: anywhere, directly behind a mark (where most is owed), and before a flush (where most is in
    the cache), a third each."""
    acked = list(acknowledged(recording.marks()))
    first = acked[0][0] + 1
    behind_marks = [index + 1 for index, _ in acked]
    before_flushes = [index for index in recording.fullest_before_flush() if index >= first]
    chosen = [
        (rng.randrange(first, len(recording.entries) + 1), rng.choice(behind_marks), rng.choice(before_flushes))[number % 3]
        for number in range(count)
    ]
    for cut in sorted(chosen):
        yield cut, [counts for index, counts in acked if index < cut][-1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def judge_images(arguments, directory, binary):
    from judge import Verdict, judge
    # Two runs on one machine would judge each other's clusters.
    port = arguments.port or free_port()

    recording = Recording(f"{directory}/log.img")
    attempted = [count + 1 for count in list(acknowledged(recording.marks()))[-1][1]]
    images = Images(recording, f"{directory}/base.img", DEVICE_BYTES)
    bad = 0
    totals = {"kept": 0, "torn": 0, "lost": 0}
    for number, (cut, acked) in enumerate(cuts(recording, arguments.images, random.Random(arguments.seed))):
        seed = arguments.seed * 1_000_000 + number
        # A new file for each: whatever still holds an old one cannot write into it.
        image = f"{directory}/image-{number}"
        writes = images.cut(cut, seed, image)
        for name in totals:
            totals[name] += writes[name]
        try:
            judge(image, f"{directory}/mnt", binary, port, [], acked, attempted)
        except Verdict as verdict:
            bad += 1
            print(f"VIOLATION image {number}, cut {cut} of {len(recording.entries)}, {json.dumps(writes)}: {verdict}", flush=True)
            if not arguments.control:
                keep(image, f"{arguments.keep}/image-{arguments.seed}-{number}")
        os.remove(image)
    print(f"{arguments.images} images, {bad} bad; of the writes in caches {totals['kept']} kept, {totals['torn']} torn, {totals['lost']} lost")
    return bad


def keep(image, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    copy_sparse(image, target)
    shutil.copyfile(image + ".log", target + ".log")
    print(f"kept as {target}: mount -o loop,nouuid, then hexalog local --data-dir MOUNTPOINT/data", flush=True)


def build_control(directory):
    """A build of a copy of this tree in which the daemon's flushes are left out."""
    tree = f"{directory}/tree"
    copy = "git -C {} ls-files -z | tar -C {} --null -T - -c | tar -x -C {}"
    os.makedirs(tree)
    subprocess.run(copy.format(ROOT, ROOT, tree), shell=True, check=True)
    subprocess.run(["git", "apply", f"{HERE}/no-flush.patch"], cwd=tree, check=True)
    target = f"{ROOT}/target/power-loss-control"
    subprocess.run(["cargo", "build", "-p", "hexalog"], cwd=tree, env=dict(os.environ, CARGO_TARGET_DIR=target), check=True)
    return f"{target}/debug/hexalog"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=f"{ROOT}/target/release/hexalog")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=40, help="of load that is recorded")
    parser.add_argument("--seed", type=int, default=1, help="fixes cuts and what the cache loses; the recording itself has real clocks")
    parser.add_argument("--port", type=int, default=0, help="where the clusters that are judged listen; a free one by default")
    parser.add_argument("--control", action="store_true", help="leave out the flushes: must find violations")
    parser.add_argument("--keep", default="power-loss-kept", help="directory for bad images")
    arguments = parser.parse_args()
    try:
        return run(arguments)
    except Skipped as reason:
        print(f"skipped: {reason}")
        return EXIT_SKIPPED


def run(arguments):
    if missing():
        raise Skipped("not installed: " + " ".join(missing()))
    if os.geteuid() != 0:
        raise Skipped("loop mounts need root")
    if subprocess.run(["losetup", "--find"], capture_output=True).returncode != 0:
        raise Skipped("there is no free loop device")
    if os.environ.get(OWN_MOUNTS) is None:
        # In a mount namespace of its own: a process elsewhere that makes one (`ip netns exec` does) copies every mount that it
        # sees, and a file system that is mounted there too goes on writing after it was unmounted here.
        os.environ[OWN_MOUNTS] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv])
    with tempfile.TemporaryDirectory(prefix="hexalog-power-loss-") as directory:
        binary = build_control(directory) if arguments.control else os.path.abspath(arguments.binary)
        record(directory, binary, arguments.seconds)
        bad = judge_images(arguments, directory, binary)
    if arguments.control:
        print("the control is found out" if bad else "the control was NOT found out: this test cannot fail")
        return 0 if bad else 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

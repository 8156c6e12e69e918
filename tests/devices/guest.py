"""What runs in the virtual machine: a whole cluster, two of its daemons on devices of their own that device-mapper makes fail, clients, and the checks.

Started by `devices.py`, never by hand. Six daemons share what must hold: whatever becomes of one device, no client notices, nothing that was
acknowledged is lost, and a daemon that is started again on a device that works is whole again.
"""

import glob
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "power-loss"))
import load  # noqa: E402
import psycopg2  # noqa: E402

DATA_DIR = "/mnt/d/data"
PORT = 5433
START_MAX_S = 180
# The first device is that of node 1, the second that of node 2.
DEVICES = {"node-1": "/dev/ubdb", "node-2": "/dev/ubdc"}
CAUGHT_UP_MAX_S = 120
# Each costs a command, and the machine has one processor.
BAD_BLOCKS_MAX = 200


def connect():
    return psycopg2.connect(host="127.0.0.1", port=PORT, user="postgres", dbname="postgres")


def command(*words):
    subprocess.run(words, check=True)


class Device:
    """One daemon's disk: a device-mapper device of which a part can be made to fail, and the file system on it."""

    def __init__(self, name):
        self.name, self.below = name, DEVICES[name]
        self.sectors = int(subprocess.check_output(["blockdev", "--getsz", self.below]))
        command("dmsetup", "create", name, "--noudevsync", "--table", self._sound())
        command("dmsetup", "mknodes")
        self.path, self.mounted = f"/dev/mapper/{name}", f"{DATA_DIR}/{name}"

    def _sound(self):
        return f"0 {self.sectors} linear {self.below} 0"

    def format_and_mount(self):
        """ext4 goes on when data cannot be read or written; only its journal must."""
        command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", self.path)
        os.rename(self.mounted, self.mounted + ".moved")
        os.mkdir(self.mounted)
        self.mount()
        command("cp", "-a", "--sparse=never", self.mounted + ".moved/.", self.mounted)
        # What a daemon has made durable before is durable here too, not in a cache that the fault will keep from the device.
        command("sync", "--file-system", self.mounted)

    def mount(self):
        command("mount", "-t", "ext4", self.path, self.mounted)

    def umount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.mounted], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"guest: {self.mounted} stays busy")

    def load(self, table):
        command("dmsetup", "suspend", "--noflush", "--nolockfs", "--noudevsync", self.name)
        command("dmsetup", "load", self.name, "--table", table)
        command("dmsetup", "resume", "--noudevsync", self.name)

    def mend(self):
        self.load(self._sound())

    def fail_writes(self):
        """dm-flakey: from now on every write fails, reads do not."""
        self.load(f"0 {self.sectors} flakey {self.below} 0 0 3600 1 error_writes")

    def slow(self, read_ms, write_ms):
        self.load(f"0 {self.sectors} delay {self.below} 0 {read_ms} {self.below} 0 {write_ms}")

    def lose_sectors(self, rng):
        """dm-dust: blocks of the extents file cannot be read until they are written again."""
        self.load(f"0 {self.sectors} dust {self.below} 0 4096")
        blocks = [block for path in glob.glob(f"{self.mounted}/shard-*/extents") for block in extent_blocks(path)]
        bad = rng.sample(blocks, min(len(blocks) // 4, BAD_BLOCKS_MAX))
        for block in bad:
            subprocess.run(["dmsetup", "message", self.name, "0", "addbadblock", str(block)], check=True, capture_output=True)
        subprocess.run(["dmsetup", "message", self.name, "0", "enable"], check=True, capture_output=True)
        return len(bad)


def extent_blocks(path):
    """Numbers of the device's 4 KiB blocks that hold what was written of a file."""
    found = []
    for line in subprocess.check_output(["filefrag", "-v", "-b4096", path], text=True).splitlines():
        fields = line.replace("..", " ").replace(":", " ").split()
        if len(fields) > 5 and fields[0].isdigit() and "unwritten" not in line:
            found += range(int(fields[3]), int(fields[4]) + 1)
    return found


class Cluster:
    def __init__(self, binary, options):
        self.binary, self.options, self.local = binary, options, None

    def start(self):
        with open("/run/local.log", "w") as log:
            words = [self.binary, "local", "--data-dir", DATA_DIR, "--listen", f"127.0.0.1:{PORT}", "--restart", *self.options]
            self.local = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        wait_until("the cluster to be ready", self._is_ready, START_MAX_S)

    def _is_ready(self):
        if self.local.poll() is not None:
            sys.exit("guest: the cluster does not start:\n" + open("/run/local.log").read())
        return "ready after" in open("/run/local.log").read()

    def stop(self):
        self.local.send_signal(signal.SIGINT)
        self.local.wait(120)

    def pid(self, node):
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                parent = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
                words = open(f"/proc/{entry}/cmdline").read().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.local.pid and "--node" in words and words[words.index("--node") + 1] == node.removeprefix("node-"):
                return int(entry)
        return None

    def status(self):
        words = [self.binary, "status", "--json", "--metadata", f"{DATA_DIR}/metadata.sqlite"]
        try:
            return json.loads(subprocess.run(words, capture_output=True, timeout=60).stdout)
        except (json.JSONDecodeError, subprocess.TimeoutExpired):
            return {"problems": ["status does not answer"], "daemons": []}

    def counter(self, node, name):
        for daemon in self.status()["daemons"]:
            if f"node-{daemon['node']}" == node:
                return daemon.get("counters", {}).get(name, 0)
        return 0

    def wait_until_well(self):
        wait_until("status to name no problem", lambda: not self.status()["problems"], CAUGHT_UP_MAX_S)


def wait_until(what, is_so, seconds):
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"guest: not within {seconds} s: {what}\n" + open("/run/local.log").read()[-3000:])
        time.sleep(0.3)


def client(number, acked, is_over, failures):
    try:
        connection, sequence = connect(), acked[number]
        while not is_over.is_set():
            sequence += 1
            load.transaction(connection, number, sequence)
            acked[number] = sequence
    except psycopg2.Error as error:
        failures.append(f"client {number}: {error}")


def run_fault(cluster, device, fault, seconds, rng):
    """One fault under load, and what the daemon makes of it."""
    if fault == "flakey":
        device.fail_writes()
        time.sleep(seconds)
        # A new start on a device that works; the file system may have given up, and is mounted anew.
        device.mend()
        pid = cluster.pid(device.name)
        os.kill(pid, signal.SIGSTOP)  # so that nothing starts before the mount is new
        os.kill(cluster.local.pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        device.umount()
        device.mount()
        os.kill(cluster.local.pid, signal.SIGCONT)
    elif fault == "delay":
        device.slow(100, 400)
        time.sleep(seconds)
        device.mend()
    else:
        count = device.lose_sectors(rng)
        print(f"guest: {count} blocks of {device.name} cannot be read", flush=True)
        time.sleep(seconds)


def main():
    binary, seconds, seed, faults, options = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(","), sys.argv[5:]
    print("guest: up", flush=True)
    rng = random.Random(seed)
    cluster = Cluster(binary, options)
    cluster.start()
    cluster.stop()
    devices = {name: Device(name) for name in DEVICES}
    for device in devices.values():
        device.format_and_mount()
    cluster.start()
    with connect() as connection:
        load.prepare(connection)
    acked, failures, is_over = [0] * load.CLIENTS, [], threading.Event()
    # They must not outlive a run that has failed.
    threads = [threading.Thread(target=client, args=(number, acked, is_over, failures), daemon=True) for number in range(load.CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(3)
    for fault in faults:
        device = devices[rng.choice(sorted(devices))]
        before = sum(acked)
        run_fault(cluster, device, fault, seconds, rng)
        print(f"guest: {fault} on {device.name}: {sum(acked) - before} transactions meanwhile", flush=True)
        if sum(acked) == before:
            failures.append(f"nothing was acknowledged during {fault} of one device")
        if fault != "dust":
            cluster.wait_until_well()
    is_over.set()
    for thread in threads:
        thread.join()
    attempted = [count + 1 for count in acked]
    # With an empty cache, so that members are asked for their pages; then what a start makes of it.
    os.kill(next(pid for pid in [compute_pid(cluster)] if pid), signal.SIGKILL)
    wait_until("compute to be back", can_connect, START_MAX_S)
    with connect() as connection:
        failures += load.violations(connection, acked, attempted)
    print("guest: unreadable blocks met: " + json.dumps({name: cluster.counter(name, "crc_errors") for name in devices}), flush=True)
    for failure in failures:
        print(f"guest: VIOLATION {failure}", flush=True)
    print(f"guest: {sum(acked)} transactions acknowledged, {len(failures)} violations", flush=True)
    cluster.stop()
    sys.exit(1 if failures else 0)


def compute_pid(cluster):
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
            words = open(f"/proc/{entry}/cmdline").read().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == cluster.local.pid and "compute" in words[:3]:
            return int(entry)
    return None


def can_connect():
    try:
        connect().close()
        return True
    except psycopg2.Error:
        return False


if __name__ == "__main__":
    main()

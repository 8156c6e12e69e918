"""The load inside the recorded machine: a whole cluster, clients that write, and marks that say what they were told.

Runs under User-Mode Linux with the recorded file system at `/mnt/d`; started by `power_loss.py`, never by hand. A mark `acked:12,9,…` stands in the
recording behind every flush that those acknowledgements rest on: the counts are read first and the mark is sent after. So an image that is cut
behind the mark must hold all of them.
"""

import os
import signal
import subprocess
import sys
import threading
import time

import psycopg2

import load

DATA_DIR = "/mnt/d/data"
PORT = 5433
MARKS_PER_SECOND = 40
START_MAX_S = 120
# A daemon dies and comes back this often, so that cuts also hit recovery, fencing and catching up.
KILL_EVERY_S = 6


def mark(text):
    subprocess.run(["dmsetup", "message", "lw", "0", "mark", text], check=True)


def start(binary, options):
    log = open("/run/local.log", "w")
    command = [binary, "local", "--data-dir", DATA_DIR, "--listen", f"127.0.0.1:{PORT}", "--restart", *options]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + START_MAX_S
    while "ready after" not in open("/run/local.log").read():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("the cluster does not start:\n" + open("/run/local.log").read())
        time.sleep(0.2)
    return process


def client(number, acked, is_over):
    connection = psycopg2.connect(host="127.0.0.1", port=PORT, user="postgres", dbname="postgres")
    sequence = 0
    while not is_over.is_set():
        sequence += 1
        load.transaction(connection, number, sequence)
        acked[number] = sequence


def daemons(supervisor):
    """Process ids of the daemons: children of the supervisor that were started with a node's number."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
            words = open(f"/proc/{entry}/cmdline").read().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == supervisor and "--node" in words:
            found.append(int(entry))
    return sorted(found)


def main():
    binary, seconds, options = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    print("guest: up", flush=True)
    mark("formatted")
    local = start(binary, options)
    with psycopg2.connect(host="127.0.0.1", port=PORT, user="postgres", dbname="postgres") as connection:
        load.prepare(connection)
    acked = [0] * load.CLIENTS
    mark("acked:" + ",".join(map(str, acked)))
    is_over = threading.Event()
    clients = [threading.Thread(target=client, args=(number, acked, is_over)) for number in range(load.CLIENTS)]
    for thread in clients:
        thread.start()
    started = killed = time.monotonic()
    while time.monotonic() - started < seconds:
        mark("acked:" + ",".join(map(str, list(acked))))
        time.sleep(1 / MARKS_PER_SECOND)
        if time.monotonic() - killed > KILL_EVERY_S:
            killed = time.monotonic()
            os.kill(daemons(local.pid)[int(killed) % 6], signal.SIGKILL)
    is_over.set()
    for thread in clients:
        thread.join()
    mark("acked:" + ",".join(map(str, acked)))
    print(f"guest: {sum(acked)} transactions acknowledged in {seconds:.0f} s", flush=True)
    local.send_signal(signal.SIGINT)
    local.wait(60)


if __name__ == "__main__":
    main()

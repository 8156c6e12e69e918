"""A local cluster made of real processes: starting, finding, killing, pausing and starting again.

Processes are found by the ids of our own process tree, never by name. Owns no judgement: what is right is for
`invariants.py` and `workloads.py`.
"""

import json
import os
import signal
import subprocess
import threading
import time

import psycopg2

START_MAX_S = 90.0
# `hexalog compute` ends with this code when another compute opened the volume.
EXIT_FENCED = 16


class ClusterError(Exception):
    """The cluster did not do in time what it must do."""


def _processes():
    """(pid, parent, state) of every process."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(entry), int(fields[1]), fields[0]


def _has_threads(pid):
    """A process whose first thread is dead may have others, which hold its sockets."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def _arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return [word.decode() for word in file.read().split(b"\0")[:-1]]
    except (FileNotFoundError, ProcessLookupError):
        return []


def wait_until(what, is_so, seconds, pause=0.1):
    deadline = time.monotonic() + seconds
    while True:
        value = is_so()
        if value:
            return value
        if time.monotonic() > deadline:
            raise ClusterError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)


class Cluster:
    """`hexalog local` and what was started by hand beside it.

    `port` is where clients connect: that of the compute that is meant to be the writer.
    """

    NODES = [f"node-{number}" for number in range(1, 7)]
    ZONES = [("node-1", "node-2"), ("node-3", "node-4"), ("node-5", "node-6")]

    def __init__(self, binary, data_dir, port, options, is_restarting, note):
        self.binary, self.data_dir, self.port_first = binary, data_dir, port
        self.port = port
        self.host_of_port = {}  # where a compute listens, if not on the loopback interface
        self.options, self.is_restarting, self.note = options, is_restarting, note
        self.local = None
        self.by_hand = {}  # name -> Popen, the newest of that name
        self.arguments = {}  # name -> words of its command
        self.hand_count = 0
        self.exits = []  # (name, code) of what was started by hand
        # Guards against counting as a hang what waits because of a fault. None: a fault is on.
        self.healthy_since = None
        self.lock = threading.Lock()

    # -- the whole ---------------------------------------------------------------------------------------------

    def start(self):
        self.port = self.port_first
        os.makedirs(self.data_dir, exist_ok=True)
        words = [self.binary, "local", "--data-dir", self.data_dir, "--listen", f"127.0.0.1:{self.port_first}"]
        words += self.options + (["--restart"] if self.is_restarting else [])
        log = open(self.data_dir + ".local.log", "ab")
        self.local = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.wait_for_compute()
        for name in self.NODES + ["compute"]:
            self.arguments[name] = self._words_of(self.pid(name))
        self.mark_healthy()

    def _words_of(self, pid):
        words = _arguments(pid)
        if os.path.basename(words[0]) == "hexalogd":
            return [self.binary, "daemon"] + words[1:]
        return [self.binary] + words[1:]

    def stop(self):
        """SIGTERM to all; a cluster must stop by itself."""
        for process in self.by_hand.values():
            if process.poll() is None:
                process.terminate()
        self.local.terminate()
        code = self.local.wait(60)
        for process in self.by_hand.values():
            process.wait(30)
        return code

    def kill_everything(self):
        """kill -9 of all processes at once. The supervisor is stopped first so that it restarts nothing."""
        self.mark_faulty()
        if self.local.poll() is None:
            os.kill(self.local.pid, signal.SIGSTOP)
        pids = [pid for pid in map(self.pid, self.NODES + ["compute"]) if pid]
        pids += [process.pid for process in self.by_hand.values() if process.poll() is None]
        for pid in dict.fromkeys(pids):
            self.signal_pid(pid, signal.SIGKILL)
        self.local.kill()
        self.local.wait(10)
        wait_until("all to die", lambda: not any(map(_has_threads, pids)), 20, 0.01)
        self._reap()
        for process in self.by_hand.values():
            process.wait(10)
        self.by_hand.clear()

    def remove(self):
        """Takes away what is not in the data directory: nothing here."""

    def has_ended(self):
        """The exit code of what ended although the whole rests on it."""
        return self.local.poll()

    # -- one process -------------------------------------------------------------------------------------------

    def _reap(self):
        for name, process in self.by_hand.items():
            if process.poll() is not None and not getattr(process, "is_told", False):
                process.is_told = True
                self.exits.append((name, process.returncode))

    def children(self):
        """name -> pid of the supervisor's living children."""
        found = {}
        for pid, parent, state in _processes():
            if self.local is None or parent != self.local.pid or state == "Z":
                continue
            words = _arguments(pid)
            if "--node" in words:
                found["node-" + words[words.index("--node") + 1]] = pid
            elif "compute" in words[:2]:
                found["compute"] = pid
        return found

    def pid(self, name):
        self._reap()
        process = self.by_hand.get(name)
        if process is not None and process.poll() is None:
            return process.pid
        return self.children().get(name)

    def is_up(self, name):
        return self.pid(name) is not None

    @staticmethod
    def signal_pid(pid, number):
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    def signal(self, name, number):
        pid = self.pid(name)
        return pid is not None and self.signal_pid(pid, number)

    def kill(self, name):
        pid = self.pid(name)
        if pid is None:
            return
        self.signal_pid(pid, signal.SIGKILL)
        wait_until(f"{name} to die", lambda: self.pid(name) != pid and not _has_threads(pid), 20, 0.01)

    def start_by_hand(self, name, arguments=None):
        """Starts it with its command line, unless it runs."""
        if self.is_up(name):
            return
        self._reap()
        self.hand_count += 1
        log_path = os.path.join(self.data_dir, "logs", f"{name}.hand-{self.hand_count}.log")
        with open(log_path, "ab") as log:
            self.by_hand[name] = subprocess.Popen(
                arguments or self.arguments[name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )

    def bring_back(self, name):
        """By hand, or by the supervisor's --restart."""
        if self.is_restarting and name not in self.by_hand:
            wait_until(f"{name} to be started again by the supervisor", lambda: self.is_up(name), START_MAX_S)
        else:
            self.start_by_hand(name)

    # -- compute -----------------------------------------------------------------------------------------------

    def connect(self, port=None, timeout=5):
        return psycopg2.connect(
            host=self.host_of_port.get(port or self.port, "127.0.0.1"), port=port or self.port, user="postgres", dbname="postgres", connect_timeout=timeout,
            application_name="torture",
        )

    def can_write(self, port=None):
        try:
            connection = self.connect(port, 2)
        except psycopg2.Error:
            return False
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("set statement_timeout = 5000")
            cursor.execute("create table if not exists torture_probe (id int primary key, n bigint)")
            cursor.execute("insert into torture_probe values (1, 1) on conflict (id) do update set n = torture_probe.n + 1")
            return True
        except psycopg2.Error:
            return False
        finally:
            connection.close()

    def wait_for_compute(self, port=None, seconds=START_MAX_S):
        def can_write():
            if self.has_ended() is not None:
                raise ClusterError(f"hexalog local ended with {self.has_ended()}; see its log")
            return self.can_write(port)

        wait_until(f"compute on port {port or self.port} to write", can_write, seconds)

    def takeover(self, name, port):
        """Starts another compute on the same volume; clients are sent there once it writes."""
        self.arguments[name] = self.compute_words(name, port)
        self.start_by_hand(name)
        self.wait_for_compute(port)
        self.port = port

    def compute_words(self, name, port):
        """The command of another compute on the same volume."""
        words = list(self.arguments["compute"])
        words[words.index("--listen") + 1] = f"127.0.0.1:{port}"
        return words

    # -- faults and status -------------------------------------------------------------------------------------

    def mark_faulty(self):
        self.healthy_since = None

    def mark_healthy(self):
        self.healthy_since = time.monotonic()

    def status(self):
        words = [self.binary, "status", "--json", "--metadata", os.path.join(self.data_dir, "metadata.sqlite")]
        result = subprocess.run(words, capture_output=True, timeout=30, check=False)
        try:
            return result.returncode, json.loads(result.stdout)
        except json.JSONDecodeError:
            return result.returncode, {"problems": [result.stderr.decode(errors="replace")[-500:]], "groups": []}

#!/usr/bin/python3
"""Load and faults against real processes; see README.md. Ends with 0 only if nothing at all was wrong."""

import argparse
import glob
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import psycopg2

import invariants
import workloads
from cluster import Cluster, ClusterError, wait_until
from faults import Faults
from namespaces import NamespaceCluster
from network_faults import NetworkFaults
from small_disks import SmallDisks

VARIANTS = {
    "plain": ["--log-bytes", "64MiB", "--cache-bytes", "128MiB"],
    # The log wraps several times a phase. Not smaller: a member that lags by half of the log must be hydrated by pages.
    "small-log": ["--log-bytes", "32MiB", "--cache-bytes", "128MiB"],
    # Nearly every statement reads a page from storage.
    "small-cache": ["--log-bytes", "64MiB", "--cache-bytes", "2MiB"],
    "small-both": ["--log-bytes", "32MiB", "--cache-bytes", "2MiB", "--lal-records", "4096"],
}
# How many clients of each kind.
CLIENTS = [(workloads.Inserts, 2), (workloads.Bank, 2), (workloads.ListAppend, 2), (workloads.Registers, 2), (workloads.Unique, 2),
           (workloads.Counters, 1), (workloads.Indexes, 1), (workloads.Definition, 1)]
# A statement that has not returned after this long, while nothing is wrong, hangs.
HANG_S = 60.0
CAUGHT_UP_MAX_S = 90.0
LOG_FULL_MAX_S = 8.0
# Of so many transactions at REPEATABLE READ some show write skew: a hundred have shown several each time.
CONTROL_MIN = 1000


class Run:
    def __init__(self, options):
        self.options = options
        self.directory = os.path.join(options.work_dir, f"torture-{options.variant}-{options.seed}")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.log = open(os.path.join(self.directory, "torture.log"), "a", buffering=1)
        self.started = time.monotonic()
        self.random = random.Random(options.seed)
        ports = itertools.count(options.port + 1)
        self.ports = (port for port in ports if is_free(port))
        self.data_dir = os.path.join(self.directory, "data")
        settings = VARIANTS[options.variant] + options.option
        kind, faults = (NamespaceCluster, NetworkFaults) if options.network else (Cluster, Faults)
        self.cluster = kind(os.path.abspath(options.binary), self.data_dir, options.port, settings, options.restart, self.note)
        self.disks = None
        self.shared = workloads.Shared(self.cluster, self.note, workloads.ISOLATIONS[options.isolation])
        self.faults = faults(self.cluster, self.shared, self.random, self.note, self.ports, self.add_clients)
        self.clients, self.running, self.log_positions = [], [], {}
        self.is_over = threading.Event()
        self.log_full_since = None
        self.has_skew = None  # unless the simulator's checkers were asked

    def note(self, text):
        line = f"{time.monotonic() - self.started:8.2f} ({time.monotonic():.3f}) {text}"
        print(line, flush=True)
        self.log.write(line + "\n")

    def run(self):
        self.note(f"seed {self.options.seed}, variant {self.options.variant}, isolation {self.options.isolation}, restart {self.options.restart}, data in {self.data_dir}")
        try:
            self.cluster.start()
            if self.options.small_disks:
                self.move_to_small_disks(Cluster.NODES[: self.options.small_disks])
            self.set_up()
            threading.Thread(target=self.watch, daemon=True).start()
            threading.Thread(target=self.sample, daemon=True).start()
            for phase in range(1, self.options.phases + 1):
                self.phase(phase)
                if self.shared.violations and not self.options.go_on:
                    break
            self.cold_check()
            self.check_recorded()
            code = self.cluster.stop()
            if code != 0:
                self.shared.violation("stop", f"hexalog local ended with {code} after SIGTERM")
        except Exception:
            self.shared.violation("run", traceback.format_exc()[-2500:])
        finally:
            self.is_over.set()
            self.cluster.kill_everything()
            self.cluster.remove()
            if self.disks:
                self.disks.remove()
            self.check_logs()
            self.save()
            if not self.shared.violations and not self.options.keep:
                for node in glob.glob(os.path.join(self.data_dir, "node-*")):
                    shutil.rmtree(node)
        self.note(f"{len(self.shared.violations)} violations; " + json.dumps(self.totals()))
        return 1 if self.shared.violations else 0

    def move_to_small_disks(self, names):
        """A cluster makes its directories itself, so their disks come after its first start."""
        self.cluster.kill_everything()
        self.disks = SmallDisks(self.directory, self.data_dir, names)
        self.faults.use_disks(self.disks)
        self.cluster.start()

    def set_up(self):
        connection = self.cluster.connect()
        connection.autocommit = True
        cursor = connection.cursor()
        for kind in workloads.ALL:
            for statement in kind.setup:
                cursor.execute(statement)
        connection.close()
        workloads.ListAppend.reset()
        workloads.Registers.reset()

    # -- a phase -----------------------------------------------------------------------------------------------

    def phase(self, phase):
        self.note(f"phase {phase}: load")
        self.shared.is_stopping.clear()
        workloads.Unique.reset()
        self.numbers = itertools.count(phase * 100 + 1)
        self.running = [self.client(kind) for kind, count in CLIENTS for _ in range(count)]
        self.clients += self.running
        for client in self.running:
            client.start()
        deadline = time.monotonic() + self.options.seconds
        only = self.options.fault
        while time.monotonic() < deadline:
            time.sleep(self.random.uniform(0.5, 5))
            if only:
                self.faults.run(getattr(self.faults, self.random.choice(only)))
            elif not self.options.no_faults:
                self.faults.next()
            if self.shared.violations and not self.options.go_on:
                break
        self.quiesce(phase)

    def client(self, kind):
        return kind(self.shared, next(self.numbers), self.options.seed)

    def add_clients(self, seconds):
        """A few more for a while: those that are there may hang on a compute that is paused."""
        extra = [self.client(kind) for kind in (workloads.ListAppend, workloads.ListAppend, workloads.Registers, workloads.Bank, workloads.Counters)]
        for client in extra:
            client.until = time.monotonic() + seconds
            client.start()
        self.clients += extra
        self.running = self.running + extra

    def quiesce(self, phase):
        if self.disks:
            self.disks.free_all()
        self.cluster.mark_healthy()
        self.shared.is_stopping.set()
        deadline = time.monotonic() + HANG_S + 15
        for client in self.running:
            client.join(max(0.1, deadline - time.monotonic()))
            if client.is_alive():
                self.shared.violation("hang", f"{client.name} does not end: {client.statement}")
                client.unhang()
        self.note(f"phase {phase}: quiet; " + json.dumps(self.totals(self.running)))
        self.check_caught_up()
        started = time.monotonic()
        invariants.check_content(self.cluster, self.shared, self.clients)
        self.check_logs()
        self.note(f"phase {phase}: checked in {time.monotonic() - started:.1f} s")

    def check_caught_up(self):
        started, document = time.monotonic(), {}

        def is_caught_up():
            nonlocal document
            _, document = self.cluster.status()
            return invariants.is_caught_up(document)

        try:
            wait_until("all members to catch up", is_caught_up, CAUGHT_UP_MAX_S, 0.5)
            self.note(f"caught up after {time.monotonic() - started:.1f} s")
        except ClusterError as error:
            lags = {(group["group"], member["node"]): (member.get("lag"), member.get("state"))
                    for group in document["groups"] for member in group.get("members", []) if member.get("lag")}
            self.shared.violation("catch-up", f"{error}; problems {document.get('problems')}; lags {lags}")
            self.dump("catch-up", document)
        invariants.check_counters_of_daemons(self.shared, document, self.options.allow_counter)
        counters = document.get("compute", {}).get("report", {}).get("counters", {})
        self.note("compute: " + json.dumps({name: counters.get(name) for name in ("evictions", "page_fetches", "page_hits", "deadlocks", "splits")}))

    def cold_check(self):
        """Everything again, with an empty cache and two daemons less, so that other members serve the pages."""
        names = list(self.random.choice(self.cluster.ZONES))
        self.note(f"cold check without {', '.join(names)}")
        self.cluster.kill(self.faults.compute())
        for name in names:
            self.cluster.kill(name)
        self.faults.return_compute()
        invariants.check_content(self.cluster, self.shared, self.clients)
        for name in names:
            self.cluster.bring_back(name)
        self.check_caught_up()

    # -- watching ----------------------------------------------------------------------------------------------

    def watch(self):
        """Looks for statements that do not return although nothing is wrong."""
        while not self.is_over.wait(1.0):
            healthy = self.cluster.healthy_since
            if healthy is None:
                continue
            now = time.monotonic()
            for client in self.running:
                since = client.busy_since
                if since is not None and now - max(since, healthy) > HANG_S and not client.is_hung:
                    client.is_hung = True
                    self.shared.violation("hang", f"{client.name}: {now - since:.0f} s in {client.statement}")
                    self.dump("hang", self.cluster.status()[1])
                    client.unhang()

    SAMPLED = ["log_bytes_used", "pending_bytes", "no_space_refusals", "busy_refusals", "crc_errors", "members_beyond_retention"]

    def sample(self):
        """Keeps what daemons count, every two seconds, for a look by hand."""
        with open(os.path.join(self.directory, "samples.jsonl"), "w", buffering=1) as file:
            while not self.is_over.wait(2.0):
                try:
                    document = self.cluster.status()[1]
                except subprocess.TimeoutExpired:
                    continue
                daemons = [[daemon["node"], daemon["shard"]] + [daemon.get("counters", {}).get(name) for name in self.SAMPLED]
                           for daemon in document.get("daemons", []) if daemon.get("answers")]
                self.judge_logs(document)
                groups = [[group["group"]] + [member.get("scl") for member in group["members"]] for group in document["groups"] if group.get("scl_max")]
                file.write(json.dumps({"at": time.monotonic(), "daemons": daemons, "groups": groups}) + "\n")

    def judge_logs(self, document):
        """Log that is not freed for long ends in writes that wait."""
        bytes_free = [daemon["counters"]["log_bytes_free"] / (daemon["counters"]["log_bytes_free"] + daemon["counters"]["log_bytes_used"])
                      for daemon in document.get("daemons", []) if daemon.get("answers") and daemon["counters"].get("log_bytes_used")]
        is_full = sum(1 for free in bytes_free if free < 0.1) > 2
        self.log_full_since = (self.log_full_since or time.monotonic()) if is_full else None
        if self.log_full_since and time.monotonic() - self.log_full_since > LOG_FULL_MAX_S:
            self.log_full_since = None
            self.shared.violation("log-full", f"three or more logs are full for {LOG_FULL_MAX_S:.0f} s")
            self.dump("log-full", document)

    def dump(self, what, document):
        path = os.path.join(self.directory, f"{what}-{time.monotonic():.0f}.json")
        with open(path, "w") as file:
            json.dump(document, file, indent=1)
        self.note(f"status is in {path}")

    def check_logs(self):
        paths = glob.glob(os.path.join(self.data_dir, "logs", "*")) + [self.data_dir + ".local.log"]
        invariants.check_logs(self.shared, paths, self.log_positions)

    def totals(self, clients=None):
        totals = {}
        for client in self.clients if clients is None else clients:
            kind = totals.setdefault(client.kind, dict.fromkeys(client.counts, 0))
            for name, count in client.counts.items():
                kind[name] += count
            kind["latency_max_s"] = round(max(kind.get("latency_max_s", 0), client.latency_max), 1)
        return totals

    def recorded(self):
        """What clients of lists and registers did, in the order of its begin."""
        history = [transaction for client in self.clients if isinstance(client, (workloads.ListAppend, workloads.Registers))
                   for transaction in client.history if "end" in transaction]
        return sorted(history, key=lambda transaction: transaction["start"])

    def check_recorded(self):
        """The history of lists and registers, with all of them read at the end, in the format of the simulator's checkers; judged by
        them too where they are built."""
        history = self.recorded()
        began = time.monotonic()
        found = {key: [int(word) for word in text.split(",")[1:]] for key, text in invariants.rows_of(self.cluster, "select k, v from la")}
        rows = {key: (value, replaced) for key, value, replaced in invariants.rows_of(self.cluster, "select k, v, replaced from reg")}
        keys = {op[1] for transaction in history for op in transaction["ops"] if op[0] in ("append", "read")} | set(found)
        # A list without a row is read too: what was acknowledged of it is missing.
        reads = [["read", key, found.get(key, [])] for key in sorted(keys)] + [["look", (0, workloads.Registers.KEY_MAX, None), rows]]
        history.append({"who": "end", "level": workloads.RR, "outcome": "ok", "start": began, "end": time.monotonic(), "ops": reads})
        numbers = {}
        path = os.path.join(self.directory, "recorded.history")
        with open(path, "w") as file:
            for transaction in history:
                client = numbers.setdefault(transaction["who"], len(numbers))
                level = {workloads.RC: "rc", workloads.RR: "rr", workloads.SER: "ser"}[transaction["level"]]
                times = [round((transaction[name] - self.started) * 1e6) for name in ("start", "end")]
                print("transaction", client, level, transaction["outcome"], *times, file=file)
                for operation in transaction["ops"]:
                    print(line_of(operation), file=file)
        checker = os.path.join(os.path.dirname(os.path.abspath(self.options.binary)), "simulator")
        if not os.path.exists(checker):
            self.note(f"{path} is not judged by the simulator's checkers: there is no {checker}")
        else:
            self.judge_recorded(checker, path)
        self.check_control(history)

    def judge_recorded(self, checker, path):
        judged = subprocess.run([checker, "--history", path], capture_output=True, text=True)
        self.note(f"simulator's checkers: {judged.stdout.strip()[:2000]}{judged.stderr.strip()[:2000]}")
        if judged.returncode == 1:
            self.shared.violation("recorded", judged.stdout[:2000])
        elif judged.returncode != 0:
            self.note(f"{checker} did not judge it: ended with {judged.returncode}; is it of this tree?")
            return
        # What they find where it may be: of all levels but READ COMMITTED as if they were SERIALIZABLE.
        judged = subprocess.run([checker, "--history", path, "--as-serializable"], capture_output=True, text=True)
        self.has_skew = judged.returncode == 1 and "G2" in judged.stdout
        self.note(f"simulator's checkers, held to SERIALIZABLE: {judged.stdout.splitlines()[0][:200]}")

    def check_control(self, history):
        """Write skew is there at REPEATABLE READ: a check that finds none there would find none at SERIALIZABLE either."""
        committed = sum(1 for transaction in history if transaction["level"] == workloads.RR and transaction["outcome"] == "ok")
        skews = self.shared.write_skews
        self.note(f"control: {committed} transactions at REPEATABLE READ, {skews} sightings of one in a cycle that SERIALIZABLE forbids")
        if committed >= CONTROL_MIN and (not skews or self.has_skew is False):
            self.shared.violation("control", f"no write skew in {committed} transactions at REPEATABLE READ: {skews}, {self.has_skew}")

    def save(self):
        """The history of lists and registers, for a look by hand."""
        if not self.shared.violations:
            return
        history = [dict(transaction, session=None, there=None) for transaction in self.recorded()]
        with open(os.path.join(self.directory, "recorded.json"), "w") as file:
            json.dump(history, file)


def line_of(operation):
    """An operation of a list or a register as the simulator's checkers read it."""
    kind, key, value, *more = operation
    if kind == "read":
        value = ",".join(map(str, value)) or "-"
    elif kind == "look":
        start, end, shelf = key
        key = f"{start} {end} {'-' if shelf is None else shelf}"
        value = ",".join(f"{register}:{told}:{replaced}" for register, (told, replaced) in value.items()) or "-"
    elif kind == "write":
        value = f"{value} {'-' if more[2] is None else more[2]}"
    return f"{kind} {key} {value}"


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/hexalog")
    parser.add_argument("--work-dir", default="/tmp")
    parser.add_argument("--port", type=int, default=6200, help="this one and those above it are used")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="plain")
    parser.add_argument("--isolation", choices=sorted(workloads.ISOLATIONS), default="mixed", help="what lists and registers are read and written at")
    parser.add_argument("--restart", action="store_true", help="let the supervisor start what died")
    parser.add_argument("--network", action="store_true", help="each process in a network namespace, and faults of the network too; as root")
    parser.add_argument("--small-disks", type=int, default=0, metavar="N", help="the first N daemons on small disks of their own, which are filled; as root")
    parser.add_argument("--phases", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60, help="load in each phase")
    parser.add_argument("--fault", action="append", help="only this fault (a method of Faults); may be repeated")
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--go-on", action="store_true", help="do not stop at the first violation")
    parser.add_argument("--keep", action="store_true", help="keep devices of a run without violations: gigabytes")
    parser.add_argument("--allow-counter", action="append", default=[], help="this counter of daemons need not be 0")
    parser.add_argument("--option", action="append", default=[], help="one more word for hexalog local")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(Run(parser.parse_args()).run())


if __name__ == "__main__":
    main()

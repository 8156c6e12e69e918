"""What clients do, each a thread with a connection of its own, and what they were told.

An outcome is `ok` (acknowledged), `no` (told to have failed, or the connection was lost before COMMIT was sent) or
`maybe` (the connection was lost while the commit was under way). Checks of what was told at once are here; checks
of the whole are in `invariants.py`.
"""

import hashlib
import itertools
import random
import socket
import os
import threading
import time

import psycopg2
from psycopg2 import extensions

RC, RR, SER = "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"
# What lists and registers are read and written at, by the name of the option.
ISOLATIONS = {"mixed": [RC, RR, SER, SER], "read-committed": [RC], "repeatable-read": [RR], "serializable": [SER]}
# What any statement may be told while processes die: the connection's end, a read-only compute, serialization.
LOST = {None, "57P01", "57P02", "57P03", "08006", "08003", "08000", "08001", "25006"}
RETRY = {"40001", "40P01"}
# A statement that takes this long while nothing is wrong is noted; it is a violation after `torture.HANG_S`.
SLOW_S = 4.0


class Lost(Exception):
    """The connection is gone."""


class Shared:
    """What all clients of a run share."""

    def __init__(self, cluster, note, levels):
        self.cluster, self.note, self.levels = cluster, note, levels
        self.is_stopping = threading.Event()
        self.violations = []
        # Transactions at REPEATABLE READ that lay on a cycle which SERIALIZABLE forbids, at each check.
        self.write_skews = 0
        self.lock = threading.Lock()
        self.values = itertools.count(1)

    def violation(self, kind, text):
        with self.lock:
            self.violations.append((kind, text))
            count = sum(1 for k, _ in self.violations if k == kind)
        if count <= 20:
            self.note(f"VIOLATION {kind}: {text}")


class Client(threading.Thread):
    """Runs `step` until told to stop; reconnects."""

    kind = "client"

    def __init__(self, shared, number, seed):
        super().__init__(daemon=True, name=f"{self.kind}-{number}")
        self.shared, self.number = shared, number
        self.random = random.Random(f"{seed}/{self.kind}/{number}")
        self.connection, self.tag = None, None
        self.session_no = 0
        self.busy_since, self.statement, self.is_hung = None, None, False
        self.counts = {"ok": 0, "no": 0, "maybe": 0, "lost": 0, "retry": 0}
        self.latency_max = 0.0
        self.until = None  # when to end, if before the others

    # -- one statement -----------------------------------------------------------------------------------------

    def _do(self, statement, arguments=None, fetch=False):
        self.statement = (statement[:200], str(arguments)[:200])
        self.busy_since = time.monotonic()
        try:
            cursor = self.connection.cursor()
            cursor.execute(statement, arguments)
            self.tag = cursor.statusmessage
            return cursor.fetchall() if fetch else cursor.rowcount
        finally:
            now = time.monotonic()
            self.latency_max = max(self.latency_max, now - self.busy_since)
            healthy = self.shared.cluster.healthy_since
            if healthy is not None and now - max(healthy, self.busy_since) > SLOW_S:
                self.shared.note(f"slow: {self.name} began {self.busy_since:.3f}, took {now - self.busy_since:.1f} s: {self.statement}")
            self.busy_since = None

    def run_sql(self, statement, arguments=None, fetch=False):
        return self._do(statement, arguments, fetch)

    def query(self, statement, arguments=None):
        return self._do(statement, arguments, True)

    def begin(self, level):
        self.run_sql(f"begin isolation level {level}")

    def finish(self, word):
        """COMMIT or ROLLBACK -> outcome."""
        try:
            self.run_sql(word)
            if self.tag != word.upper():
                self.shared.violation("tag", f"{self.name}: {word} was answered with {self.tag}")
                return "no"
            return "ok" if word == "commit" else "no"
        except psycopg2.Error as error:
            return self.failed(error, is_commit=word == "commit")

    def autocommit(self, statement, arguments=None, fetch=False, expected=()):
        """One statement that commits itself -> (outcome, result or SQLSTATE)."""
        try:
            return "ok", self.run_sql(statement, arguments, fetch)
        except psycopg2.Error as error:
            if error.pgcode is not None and error.pgcode in expected:
                return "no", error.pgcode
            return self.failed(error, is_commit=True), error.pgcode

    def failed(self, error, is_commit=False, expected=()):
        """Sorts an error: an outcome for a commit, else `no`. The connection is dropped where it is lost."""
        code = error.pgcode
        is_lost = self.connection.closed != 0 or code is None
        if code not in LOST and code not in RETRY and code not in expected:
            self.shared.violation("unexpected-error", f"{self.name}: {code} {str(error).strip()[:300]} in {self.statement}")
        if code in RETRY:
            self.counts["retry"] += 1
        if is_lost:
            self.drop()
            return "maybe" if is_commit else "no"
        return "no"

    # -- the connection ----------------------------------------------------------------------------------------

    def drop(self):
        self.counts["lost"] += 1
        if self.connection is not None:
            try:
                self.connection.close()
            except psycopg2.Error:
                pass
        self.connection = None

    def ensure(self):
        while self.connection is None:
            if self.shared.is_stopping.is_set():
                raise Lost
            try:
                self.statement, self.busy_since = ("connect", ""), time.monotonic()
                self.connection = self.shared.cluster.connect()
                self.connection.autocommit = True
                self.session_no += 1
                self.prepare_session()
            except psycopg2.Error as error:
                if self.connection is not None:
                    self.drop()
                time.sleep(0.1)
            finally:
                self.busy_since = None

    def prepare_session(self):
        """For settings."""

    def abandon(self):
        """Leaves an open transaction whose statement failed."""
        if self.connection is None:
            return
        if self.connection.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE:
            try:
                self.run_sql("rollback")
            except psycopg2.Error:
                self.drop()

    def unhang(self):
        """Called by the watchdog: cuts the socket under a statement that does not return."""
        try:
            copy = socket.socket(fileno=os.dup(self.connection.fileno()))
            copy.shutdown(socket.SHUT_RDWR)
            copy.close()
        except (OSError, psycopg2.Error, AttributeError):
            pass

    def run(self):
        try:
            while not self.shared.is_stopping.is_set():
                if self.until is not None and time.monotonic() > self.until:
                    break
                self.ensure()
                self.step()
                if self.random.random() < 0.002:
                    self.drop()
        except Lost:
            pass
        except Exception as error:  # A fault of the harness must be seen, too.
            import traceback
            self.shared.violation("harness", f"{self.name}: {traceback.format_exc()[-1500:]}")
        finally:
            if self.connection is not None:
                self.connection.close()
                self.connection = None

    def step(self):
        raise NotImplementedError


def payload_of(number):
    """A text that follows from the id: 16 to 4,000 bytes, now and then longer than a page holds in a row."""
    digest = hashlib.md5(str(number).encode()).hexdigest()
    length = 16 + int(digest[:4], 16) % 400
    if int(digest[4], 16) == 0:
        length = 1500 + int(digest[5:8], 16) % 2500
    return (digest * (length // 32 + 1))[:length]


class Inserts(Client):
    """Unique inserts: alone, several in one transaction, rolled back, and COPY-less multi-row statements."""

    kind = "inserts"
    setup = ["create table ins (id bigint primary key, client int not null, payload text not null)",
             "create index ins_client on ins (client, id)"]

    def __init__(self, shared, number, seed):
        super().__init__(shared, number, seed)
        self.next_id = number * 10**9 + 1
        self.groups = []  # (outcome, [ids])

    def step(self):
        ids = [self.next_id + at for at in range(self.random.choice([1, 1, 2, 3, 20]))]
        self.next_id += len(ids)
        one = "insert into ins values (%s, %s, %s)"
        if len(ids) == 1:
            outcome, _ = self.autocommit(one, (ids[0], self.number, payload_of(ids[0])))
        elif self.random.random() < 0.3:
            rows = [word for i in ids for word in (i, self.number, payload_of(i))]
            many = "insert into ins values " + ",".join(["(%s, %s, %s)"] * len(ids))
            outcome, _ = self.autocommit(many, rows)
        else:
            try:
                self.begin(RC)
                for i in ids:
                    self.run_sql(one, (i, self.number, payload_of(i)))
                outcome = self.finish(self.random.choice(["commit"] * 4 + ["rollback"]))
            except psycopg2.Error as error:
                outcome = self.failed(error)
                self.abandon()
        self.groups.append((outcome, ids))
        self.counts[outcome] += 1
        if self.connection is not None and self.random.random() < 0.3:
            self.look()

    def look(self):
        """Read your writes: a group that was acknowledged is there, one that failed is not."""
        outcome, ids = self.random.choice(self.groups if self.random.random() < 0.5 else self.groups[-50:])
        told, rows = self.autocommit("select id, payload from ins where id between %s and %s order by id", (ids[0], ids[-1]), True)
        if told != "ok":
            return
        found = [row[0] for row in rows]
        wanted = {"ok": [ids], "no": [[]], "maybe": [ids, []]}[outcome]
        if found not in wanted:
            self.shared.violation("inserts-read", f"{self.name}: group {outcome} {ids}, found {found}")
        for i, payload in rows:
            if payload != payload_of(i):
                self.shared.violation("inserts-payload", f"{self.name}: id {i} has another payload {payload[:60]}")


class Bank(Client):
    """Transfers with a constant sum."""

    kind = "bank"
    ACCOUNTS, START = 24, 1000
    setup = ["create table bank (id int primary key, balance bigint not null, filler text)",
             "insert into bank select g, 1000, repeat('x', 100) from generate_series(1, 24) g"]

    def step(self):
        way = self.random.random()
        if way < 0.45:
            outcome = self.transfer_blind()
        elif way < 0.8:
            outcome = self.transfer_read()
        else:
            return self.sum()
        self.counts[outcome] += 1

    def pair(self):
        return self.random.sample(range(1, self.ACCOUNTS + 1), 2), self.random.randint(1, 50)

    def transfer_blind(self):
        (a, b), amount = self.pair()
        update = "update bank set balance = balance + %s where id = %s"
        try:
            self.begin(RC)
            if self.run_sql(update, (-amount, a)) != 1 or self.run_sql(update, (amount, b)) != 1:
                self.shared.violation("bank-rows", f"{self.name}: an update did not find its account {a} or {b}")
            return self.finish(self.random.choice(["commit"] * 5 + ["rollback"]))
        except psycopg2.Error as error:
            outcome = self.failed(error)
            self.abandon()
            return outcome

    def transfer_read(self):
        (a, b), amount = self.pair()
        try:
            self.begin(RR)
            found = dict(self.query("select id, balance from bank where id in (%s, %s)", (a, b)))
            for account, delta in ((a, -amount), (b, amount)):
                self.run_sql("update bank set balance = %s where id = %s", (found[account] + delta, account))
            if self.random.random() < 0.2:
                self.judge(self.query("select sum(balance), count(*) from bank"), "RR with own writes")
            return self.finish("commit")
        except psycopg2.Error as error:
            outcome = self.failed(error)
            self.abandon()
            return outcome

    def sum(self):
        if self.random.random() < 0.5:
            outcome, rows = self.autocommit("select sum(balance), count(*) from bank", None, True)
            if outcome == "ok":
                self.judge(rows, "one statement")
            return
        try:
            self.begin(RR)
            self.judge(self.query("select sum(balance), count(*) from bank where id <= 12 or id > 12"), "RR")
            halves = [self.query(f"select sum(balance), count(*) from bank where id {op} 12")[0] for op in ("<=", ">")]
            self.judge([(halves[0][0] + halves[1][0], halves[0][1] + halves[1][1])], "RR in halves")
            self.finish("commit")
        except psycopg2.Error as error:
            self.failed(error)
            self.abandon()

    def judge(self, rows, what):
        if tuple(map(int, rows[0])) != (self.ACCOUNTS * self.START, self.ACCOUNTS):
            self.shared.violation("bank-sum", f"{self.name}: {what}: sum and count {rows[0]}")


class ListAppend(Client):
    """Appends unique numbers to texts and reads them, a few keys in a transaction."""

    kind = "list"
    KEYS, LENGTH_MAX = 6, 400
    setup = ["create table la (k int primary key, v text not null)",
             "insert into la select g, '' from generate_series(0, 5) g"]
    # Keys are left for fresh ones when they are long: position -> key in use.
    keys = None
    keys_lock = threading.Lock()

    def __init__(self, shared, number, seed):
        super().__init__(shared, number, seed)
        self.history = []

    @classmethod
    def reset(cls):
        cls.keys = list(range(cls.KEYS))

    def rotate(self, key):
        """A new key in the place of one that is full."""
        with self.keys_lock:
            if key not in self.keys:
                return
            fresh = max(self.keys) + 1
            self.keys[self.keys.index(key)] = fresh
        self.run_sql("insert into la values (%s, '') on conflict (k) do nothing", (fresh,))

    def step(self):
        level = self.random.choice(self.shared.levels)
        with self.keys_lock:
            keys = [self.random.choice(self.keys) for _ in range(self.random.randint(1, 5))]
        is_reader = self.random.random() < 0.25
        if is_reader:
            with self.keys_lock:
                keys = list(self.keys)
            self.random.shuffle(keys)
        transaction = {"who": self.name, "session": (self.name, self.session_no), "level": level, "ops": [], "outcome": "no", "start": time.monotonic()}
        self.history.append(transaction)
        try:
            self.begin(level)
            for key in keys:
                if not is_reader and self.random.random() < 0.5:
                    value = next(self.shared.values)
                    operation = ["append", key, value, time.monotonic(), None]
                    transaction["ops"].append(operation)
                    count = self.run_sql("update la set v = v || ',' || %s where k = %s", (str(value), key))
                    operation[4] = time.monotonic()
                    if count == 0:
                        # The row of a rotated key may not be there yet, or its insert may have been lost.
                        transaction["ops"].pop()
                        self.run_sql("rollback")
                        self.run_sql("insert into la values (%s, '') on conflict (k) do nothing", (key,))
                        return
                else:
                    started = time.monotonic()
                    rows = self.query("select v from la where k = %s", (key,))
                    found = [int(word) for word in rows[0][0].split(",")[1:]] if rows else []
                    transaction["ops"].append(["read", key, found, started, time.monotonic()])
            word = "commit" if is_reader or self.random.random() < 0.9 else "rollback"
            transaction["outcome"] = self.finish(word)
        except psycopg2.Error as error:
            transaction["outcome"] = self.failed(error)
            self.abandon()
        finally:
            transaction["end"] = time.monotonic()
            self.counts[transaction["outcome"]] += 1
        try:
            for kind, key, value, *_ in transaction["ops"]:
                if self.connection is not None and kind == "read" and len(value) > self.LENGTH_MAX:
                    self.rotate(key)
        except psycopg2.Error as error:
            self.failed(error)
            self.abandon()


class Registers(Client):
    """Writes unique numbers over rows and reads them, by key, by a range of keys and by a secondary index, a few in a transaction.

    A write keeps what it replaced beside what it wrote, so that the order of versions is told though each is gone with the next."""

    kind = "register"
    KEYS, SHELVES, WRITES_MAX = 6, 3, 300
    KEY_MAX = 10**9
    setup = ["create table reg (k int primary key, shelf int not null, v bigint not null, replaced bigint not null)",
             "create index reg_shelf on reg (shelf)"]
    # Key in use at each position, and how often it was written to: rows come where others have looked for them.
    keys = None
    keys_lock = threading.Lock()

    def __init__(self, shared, number, seed):
        super().__init__(shared, number, seed)
        self.history = []

    @classmethod
    def reset(cls):
        cls.keys = [[key, 0] for key in range(cls.KEYS)]

    def key(self, is_write=False, at=None):
        with self.keys_lock:
            place = self.random.choice(self.keys) if at is None else self.keys[at]
            key = place[0]
            place[1] += is_write
            if place[1] > self.WRITES_MAX:
                place[:] = [max(key for key, _ in self.keys) + 1, 0]
            return key

    def step(self):
        level = self.random.choice(self.shared.levels)
        transaction = {"who": self.name, "session": (self.name, self.session_no), "level": level, "ops": [], "outcome": "no", "start": time.monotonic()}
        self.history.append(transaction)
        try:
            self.begin(level)
            word = "commit" if self.random.random() < 0.9 else "rollback"
            if self.random.random() < 0.3:
                # Reads a pair and writes one of both: write skew, if another writes the other meanwhile.
                pair = self.random.randrange(self.KEYS // 2) * 2
                other = self.random.randrange(2)
                first, second = self.key(False, pair + 1 - other), self.key(True, pair + other)
                self.look(transaction, first, first + 1)
                self.look(transaction, second, second + 1)
                time.sleep(self.random.random() * 0.004)
                if not self.write(transaction, second):
                    word = "rollback"
            else:
                for _ in range(self.random.randint(1, 5)):
                    if not self.act(transaction, level):
                        word = "rollback"
                        break
            transaction["outcome"] = self.finish(word)
        except psycopg2.Error as error:
            transaction["outcome"] = self.failed(error)
            self.abandon()
        finally:
            transaction["end"] = time.monotonic()
            self.counts[transaction["outcome"]] += 1

    def act(self, transaction, level):
        """One statement or two -> whether to go on."""
        way = self.random.random()
        if way < 0.2:
            key = self.key()
            self.look(transaction, key, key + 1)
        elif way < 0.35:
            key = max(0, self.key() - self.random.randint(0, 3))
            self.look(transaction, key, key + self.random.randint(2, 8))
        elif way < 0.5:
            self.look(transaction, 0, self.KEY_MAX, self.random.randrange(self.SHELVES))
        elif way < 0.6 and level != RC:
            # What it replaces follows from a read of its own: a lost update shows as two that replaced one.
            key = self.key(True)
            found = self.look(transaction, key, key + 1)
            return key not in found or self.write(transaction, key, found[key][0])
        else:
            return self.write(transaction, self.key(True))
        return True

    def look(self, transaction, start, end, shelf=None):
        began = time.monotonic()
        if shelf is not None:
            rows = self.query("select k, v, replaced from reg where shelf = %s", (shelf,))
        elif end == start + 1:
            rows = self.query("select k, v, replaced from reg where k = %s", (start,))
        else:
            rows = self.query("select k, v, replaced from reg where k >= %s and k < %s", (start, end))
        found = {key: (value, replaced) for key, value, replaced in rows}
        transaction["ops"].append(["look", (start, end, shelf), found, began, time.monotonic()])
        return found

    def write(self, transaction, key, replaced=None):
        """Whether there was a row to write over, or there is one now."""
        value = next(self.shared.values)
        operation = ["write", key, value, time.monotonic(), None, None]
        transaction["ops"].append(operation)
        if replaced is not None:
            rows = self.query("update reg set v = %s, replaced = %s where k = %s returning replaced", (value, replaced, key))
        elif self.random.random() < 0.5:
            rows = self.query("update reg set v = %s, replaced = v where k = %s returning replaced", (value, key))
        else:
            rows = self.query("insert into reg values (%s, %s, %s, 0) on conflict (k) do update set v = excluded.v, replaced = reg.v returning replaced",
                              (key, key % self.SHELVES, value))
        if not rows:
            transaction["ops"].pop()
            return False
        operation[4:] = [time.monotonic(), rows[0][0]]
        return True


class Unique(Client):
    """Two clients insert the same unique values: one of them wins each."""

    kind = "unique"
    setup = ["create table uq (id bigint primary key, u bigint not null unique, who int not null)"]
    places = {}  # number -> the value that this client is at

    def __init__(self, shared, number, seed):
        super().__init__(shared, number, seed)
        self.value = number // 100 * 10**6
        self.told = {}

    @classmethod
    def reset(cls):
        cls.places = {}

    def step(self):
        self.value += 1
        self.places[self.number] = self.value
        deadline = time.monotonic() + 1.0
        while min(self.places.values()) < self.value and len(self.places) > 1 and time.monotonic() < deadline:
            time.sleep(0.0005)
        row = (self.value * 10**5 + self.number, self.value, self.number)
        insert = "insert into uq values (%s, %s, %s)"
        if self.random.random() < 0.5:
            outcome, code = self.autocommit(insert, row, expected=("23505",))
            outcome = "dup" if code == "23505" else outcome
        else:
            try:
                self.begin(self.random.choice([RC, RR]))
                self.run_sql(insert, row)
                outcome = self.finish(self.random.choice(["commit"] * 3 + ["rollback"]))
            except psycopg2.Error as error:
                outcome = "dup" if error.pgcode == "23505" else self.failed(error)
                self.abandon()
        self.told[self.value] = outcome
        self.counts[outcome if outcome != "dup" else "no"] += 1


class Counters(Client):
    """INSERT .. ON CONFLICT DO UPDATE: what was acknowledged is counted once."""

    kind = "counters"
    KEYS = 12
    setup = ["create table ctr (k int primary key, n bigint not null)"]

    def __init__(self, shared, number, seed):
        super().__init__(shared, number, seed)
        self.sums = {"ok": {}, "maybe": {}}
        self.returned = []

    def step(self):
        key = self.random.randrange(self.KEYS)
        upsert = "insert into ctr as c values (%s, 1) on conflict (k) do update set n = c.n + excluded.n returning n"
        if self.random.random() < 0.6:
            outcome, rows = self.autocommit(upsert, (key,), True)
        else:
            try:
                self.begin(RC)
                rows = self.query(upsert, (key,))
                outcome = self.finish(self.random.choice(["commit"] * 4 + ["rollback"]))
            except psycopg2.Error as error:
                outcome = self.failed(error)
                self.abandon()
        if outcome == "ok":
            self.returned.append((key, rows[0][0]))
        if outcome in self.sums:
            self.sums[outcome][key] = self.sums[outcome].get(key, 0) + 1
        self.counts[outcome] += 1


class Indexes(Client):
    """Writes to a table with secondary indexes, and the same question by index and by table in one snapshot."""

    kind = "indexes"
    IDS = 600
    setup = ["create table ix (id int primary key, a int, b int not null, c text)",
             "create index ix_a on ix (a)", "create index ix_ba on ix (b, a)", "create unique index ix_c on ix (c)"]
    QUESTIONS = [
        ("select id, a, b from ix where a = %s order by id", 1),
        ("select id, a, b from ix where a between %s and %s order by id", 2),
        ("select id, a, b from ix where b = %s order by id", 1),
        ("select id, a, b from ix where b = %s and a > %s order by id", 2),
        ("select count(*), sum(a) from ix where b = %s", 1),
        ("select a, b from ix where b >= %s order by b, a, id", 1),
        ("select id from ix where a is null order by id", 0),
    ]

    def step(self):
        if self.random.random() < 0.3:
            return self.compare()
        try:
            is_block = self.random.random() < 0.5
            if is_block:
                self.begin(self.random.choice([RC, RC, RR, SER]))
            for _ in range(self.random.randint(1, 6) if is_block else 1):
                self.write()
            outcome = self.finish(self.random.choice(["commit"] * 3 + ["rollback"])) if is_block else "ok"
        except psycopg2.Error as error:
            outcome = self.failed(error)
            self.abandon()
        self.counts[outcome] += 1

    def write(self):
        i, a, b = self.random.randint(1, self.IDS), self.random.randint(1, 40), self.random.randint(1, 10)
        way = self.random.random()
        if way < 0.4:
            self.run_sql("insert into ix values (%s, %s, %s, %s) on conflict (id) do update set a = excluded.a, b = excluded.b",
                         (i, None if a == 1 else a, b, f"c{i}"))
        elif way < 0.6:
            self.run_sql("update ix set a = %s where id = %s", (a, i))
        elif way < 0.75:
            self.run_sql("update ix set b = b %% 10 + 1 where a = %s", (a,))
        elif way < 0.9:
            self.run_sql("delete from ix where id = %s", (i,))
        else:
            self.run_sql("update ix set a = a + 1 where b = %s and a < 20", (b,))

    def compare(self):
        question, count = self.random.choice(self.QUESTIONS)
        arguments = sorted(self.random.randint(1, 40 if "a " in question else 10) for _ in range(count))
        answers = []
        try:
            self.begin(RR)
            if self.random.random() < 0.3:
                self.write()
            for setting in ("on", "off"):
                self.run_sql(f"set local hexalog.direct_routes = {setting}")
                answers.append(self.query(question, tuple(arguments)))
            self.finish("rollback")
        except psycopg2.Error as error:
            self.failed(error)
            self.abandon()
            return
        if question.startswith("select a, b"):
            answers = [sorted(answer, key=repr) for answer in answers]
        if answers[0] != answers[1]:
            first, second = ([str(row) for row in answer] for answer in answers)
            self.shared.violation("index-table", f"{self.name}: {question} {arguments}: index only {sorted(set(first) - set(second))[:5]}, table only {sorted(set(second) - set(first))[:5]}, counts {len(first)} {len(second)}")


class Definition(Client):
    """DDL now and then; half of it is rolled back. Only this client touches these tables, so it knows what is there."""

    kind = "ddl"
    setup = []

    def __init__(self, shared, number, seed):
        super().__init__(shared, number, seed)
        # name -> set of states that are possible: None (no such table) or its count of rows.
        self.states = {f"ddl_{number}_{at}": {None} for at in range(4)}

    def step(self):
        name = self.random.choice(sorted(self.states))
        states = self.look(name)
        if states is None:
            return
        (state,) = states
        statements, after = self.plan(name, state)
        try:
            self.begin(RC)
            for statement in statements:
                self.run_sql(statement)
            word = self.random.choice(["commit", "rollback"])
            outcome = self.finish(word)
        except psycopg2.Error as error:
            outcome = self.failed(error)
            self.abandon()
        self.states[name] = {"ok": {after}, "no": {state}, "maybe": {after, state}}[outcome]
        self.counts[outcome] += 1
        if self.connection is not None and self.random.random() < 0.1:
            self.index_of_others()
        time.sleep(self.random.random() * 0.3)

    def look(self, name):
        """What is there, which must be one of the possible states."""
        try:
            found = self.query(f"select count(*) from {name}")[0][0]
        except psycopg2.Error as error:
            if error.pgcode != "42P01":
                self.failed(error)
                return None
            found = None
        if found not in self.states[name]:
            self.shared.violation("ddl", f"{self.name}: {name} has {found}, possible {self.states[name]}")
        self.states[name] = {found}
        return {found}

    def plan(self, name, state):
        if state is None:
            rows = self.random.choice([0, 10, 500])
            statements = [f"create table {name} (id int primary key, v text, w int)"]
            if rows:
                statements.append(f"insert into {name} select g, 'row ' || g, g % 7 from generate_series(1, {rows}) g")
            if self.random.random() < 0.5:
                statements.append(f"create index on {name} (w, v)")
            return statements, rows
        way = self.random.random()
        if way < 0.25:
            return [f"drop table {name}"], None
        if way < 0.5:
            return [f"truncate {name}", f"insert into {name} values (1, 'after truncate', 1)"], 1
        if way < 0.65:
            return [f"create index on {name} (w)", f"drop table {name}"], None
        if way < 0.8:
            return [f"drop table {name}", f"create table {name} (id int primary key, v text, w int)",
                    f"insert into {name} select g, 'again ' || g, g from generate_series(1, 50) g"], 50
        count = self.random.randint(1, 300)
        start = self.random.randint(10**6, 10**9)
        return [f"insert into {name} select g, 'more ' || g, g % 5 from generate_series({start}, {start + count - 1}) g on conflict do nothing"], state + count

    def index_of_others(self):
        """An index on a table that others write, made and dropped."""
        name = f"ix_extra_{self.number}"
        self.autocommit(f"drop index if exists {name}")
        if self.connection is not None:
            self.autocommit(f"create index {name} on ix (a, b)")


ALL = [Inserts, Bank, ListAppend, Registers, Unique, Counters, Indexes, Definition]

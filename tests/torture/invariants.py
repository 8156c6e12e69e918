"""What must hold once all is quiet: the content against what clients were told, and the state of the cluster.

The checks of lists and registers follow Elle: values are unique, and each key's final text, or what each version has replaced, is
the order of its versions, so dependencies between transactions (ww, wr, rw) are read off, not guessed. Each transaction is judged by
its own level.
"""

import bisect
import os
import re

import psycopg2

import workloads
from workloads import RR, SER


def rows_of(cluster, statement):
    connection = cluster.connect()
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("set statement_timeout = 60000")
        cursor.execute(statement)
        return cursor.fetchall()
    finally:
        connection.close()


def check_content(cluster, shared, clients):
    """All checks of the content; violations go to `shared`."""
    of = lambda kind: [client for client in clients if isinstance(client, kind)]
    check_inserts(cluster, shared, of(workloads.Inserts))
    check_bank(cluster, shared)
    check_lists(cluster, shared, of(workloads.ListAppend))
    check_registers(cluster, shared, of(workloads.Registers))
    check_unique(cluster, shared, of(workloads.Unique))
    check_counters(cluster, shared, of(workloads.Counters))
    check_indexes(cluster, shared)


def check_inserts(cluster, shared, clients):
    found = {}
    for i, client, payload in rows_of(cluster, "select id, client, payload from ins"):
        if i in found:
            shared.violation("inserts", f"id {i} is there twice")
        found[i] = client
        if payload != workloads.payload_of(i) or client != i // 10**9:
            shared.violation("inserts", f"id {i} has other values: {client} {payload[:60]}")
    by_index = set()
    for number in {client.number for client in clients}:
        by_index.update(row[0] for row in rows_of(cluster, f"select id from ins where client = {number}"))
    if clients and by_index != set(found):
        shared.violation("inserts", f"index and table differ: {sorted(by_index ^ set(found))[:10]}")
    known = set()
    for client in clients:
        for outcome, ids in client.groups:
            known.update(ids)
            there = [i for i in ids if i in found]
            if outcome == "ok" and there != ids:
                shared.violation("inserts-lost", f"acknowledged {ids}, found {there}")
            if outcome == "no" and there:
                shared.violation("inserts-aborted", f"failed or rolled back {ids}, found {there}")
            if outcome == "maybe" and there not in ([], ids):
                shared.violation("inserts-half", f"transaction {ids}, found {there}")
    if not set(found) <= known:
        shared.violation("inserts", f"rows that nobody wrote: {sorted(set(found) - known)[:10]}")


def check_bank(cluster, shared):
    total, count = map(int, rows_of(cluster, "select sum(balance), count(*) from bank")[0])
    if (total, count) != (workloads.Bank.ACCOUNTS * workloads.Bank.START, workloads.Bank.ACCOUNTS):
        shared.violation("bank-sum", f"at rest: sum {total}, count {count}")


def check_unique(cluster, shared, clients):
    rows = {}
    for i, value, who in rows_of(cluster, "select id, u, who from uq"):
        if value in rows or i != value * 10**5 + who:
            shared.violation("unique", f"value {value} is there twice: {rows.get(value)} and {who}, id {i}")
        rows[value] = who
    told = {}
    for client in clients:
        for value, outcome in client.told.items():
            told.setdefault(value, []).append((client.number, outcome))
    for value, outcomes in told.items():
        winners = [who for who, outcome in outcomes if outcome == "ok"]
        if len(winners) > 1 or (winners and rows.get(value) != winners[0]):
            shared.violation("unique", f"value {value}: told {outcomes}, found {rows.get(value)}")
        if any(outcome == "dup" for _, outcome in outcomes) and value not in rows:
            shared.violation("unique", f"value {value}: told {outcomes}, found nothing")
        if value in rows and (rows[value], "no") in outcomes:
            shared.violation("unique", f"value {value}: told {outcomes}, found {rows[value]}")
    if not set(rows) <= set(told):
        shared.violation("unique", f"values that nobody wrote: {sorted(set(rows) - set(told))[:10]}")


def check_counters(cluster, shared, clients):
    found = dict(rows_of(cluster, "select k, n from ctr"))
    for key in range(workloads.Counters.KEYS):
        sure = sum(client.sums["ok"].get(key, 0) for client in clients)
        maybe = sum(client.sums["maybe"].get(key, 0) for client in clients)
        if not sure <= found.get(key, 0) <= sure + maybe:
            shared.violation("counter", f"key {key}: {found.get(key)}, acknowledged {sure}, open {maybe}")
    seen = set()
    for client in clients:
        for pair in client.returned:
            if pair in seen:
                shared.violation("counter", f"two increments of key {pair[0]} returned {pair[1]}")
            seen.add(pair)


def check_indexes(cluster, shared):
    connection = cluster.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    questions = ["select id, a, b, c from ix where a >= 0", "select id, a, b, c from ix where b >= 0",
                 "select id, a, b, c from ix where c >= ''", "select id, a, b, c from ix where id >= 0"]
    for question in questions:
        answers = []
        for setting in ("on", "off"):
            cursor.execute(f"set hexalog.direct_routes = {setting}")
            cursor.execute(question)
            answers.append(sorted(cursor.fetchall(), key=repr))
        if answers[0] != answers[1]:
            difference = set(answers[0]) ^ set(answers[1])
            shared.violation("index-table", f"at rest: {question}: {sorted(difference, key=repr)[:10]}, counts {len(answers[0])} {len(answers[1])}")
    connection.close()


# -- list-append -------------------------------------------------------------------------------------------------


class Order:
    """The order of versions of one key: its values, their transactions, and where a transaction's values end."""

    def __init__(self, key, values, writer_of):
        self.key, self.values = key, values
        self.at = {value: position for position, value in enumerate(values)}
        self.writers = [writer_of.get(value) for value in values]

    def is_boundary(self, length):
        return length in (0, len(self.values)) or self.writers[length - 1] is not self.writers[length]


def check_lists(cluster, shared, clients):
    history = [transaction for client in clients for transaction in client.history if "end" in transaction]
    history.sort(key=lambda transaction: transaction["start"])
    writer_of, key_of = {}, {}
    for transaction in history:
        for kind, key, value, *_ in transaction["ops"]:
            if kind == "append":
                writer_of[value], key_of[value] = transaction, key
    orders = {}
    for key, text in rows_of(cluster, "select k, v from la"):
        values = [int(word) for word in text.split(",")[1:]]
        orders[key] = Order(key, values, writer_of)
        if len(set(values)) != len(values):
            shared.violation("list-duplicate", f"key {key}: {sorted(v for v in set(values) if values.count(v) > 1)[:10]}")
        for value in values:
            if key_of.get(value) != key:
                shared.violation("list-unknown", f"key {key} has {value}, which was written to {key_of.get(value)}")
            elif writer_of[value]["outcome"] == "no":
                shared.violation("list-aborted", f"key {key} has {value} of a transaction that failed: {brief(writer_of[value])}")
    empty = Order(None, [], {})
    for value, transaction in writer_of.items():
        is_there = value in orders.get(key_of[value], empty).at
        if transaction["outcome"] == "ok" and not is_there:
            shared.violation("list-lost", f"key {key_of[value]} lacks {value} of {brief(transaction)}")
        transaction.setdefault("there", set()).add(is_there)
    for transaction in history:
        if len(transaction.get("there", ())) == 2:
            shared.violation("list-half", brief(transaction))
    check_groups(shared, orders)
    reads = check_reads(shared, history, orders, empty)
    check_real_time(shared, reads, orders)
    check_cycles(shared, history, reads, orders)


def brief(transaction):
    def value(op):
        return f"..{op[2][-3:]} ({len(op[2])})" if op[0] == "read" else op[2]

    operations = [(op[0], op[1], value(op)) for op in transaction["ops"]]
    return f"{transaction['who']} {transaction['level']} {transaction['outcome']} {transaction['start']:.3f}..{transaction['end']:.3f} {operations}"


def check_groups(shared, orders, kind="append"):
    """A transaction's appends to one key stand side by side and in its order."""
    for order in orders.values():
        done, last = set(), None
        for value, writer in zip(order.values, order.writers):
            if writer is not last:
                if id(writer) in done:
                    shared.violation("list-interleaved", f"key {order.key} at {value}: {writer and brief(writer)}")
                done.add(id(writer))
                last = writer
        for writer in {id(writer): writer for writer in order.writers if writer}.values():
            mine = [op[2] for op in writer["ops"] if op[0] == kind and op[1] == order.key and op[2] in order.at]
            if mine != sorted(mine, key=order.at.get):
                shared.violation("list-reordered", f"key {order.key}: {brief(writer)}")


def check_reads(shared, history, orders, empty):
    """Each read is a prefix of the final order (own appends aside) -> (transaction, key, length, start, is_rr)."""
    reads, session_lengths = [], {}
    for transaction in history:
        own, lengths = {}, {}
        first = transaction["ops"][0][3] if transaction["ops"] else None
        for kind, key, value, started, _ in transaction["ops"]:
            if kind == "append":
                own.setdefault(key, []).append(value)
                continue
            mine = own.get(key, [])
            if mine and value[len(value) - len(mine):] != mine:
                shared.violation("list-own", f"own appends {mine} are missing in {brief(transaction)}")
                continue
            others = value[:len(value) - len(mine)]
            order = orders.get(key, empty)
            if others != order.values[:len(others)]:
                at = next((i for i, (a, b) in enumerate(zip(others, order.values)) if a != b), len(order.values))
                shared.violation("list-prefix", f"key {key} differs from the final order at {at}: read {others[at:at + 4]}, final {order.values[at:at + 4]}: {brief(transaction)}")
                continue
            length = len(others)
            if not order.is_boundary(length):
                shared.violation("list-intermediate", f"key {key}, {length} values: {brief(transaction)}")
            is_rr = transaction["level"] in (RR, SER)
            if is_rr and lengths.setdefault(key, length) != length:
                shared.violation("list-unrepeatable", f"key {key}: {lengths[key]} then {length}: {brief(transaction)}")
            reads.append((transaction, key, length, first if is_rr else started, is_rr))
            # After the transaction's own appends committed, later reads of the client have them, too.
            before = session_lengths.get((transaction["who"], key), 0)
            if length < before:
                shared.violation("list-backwards", f"key {key}: {before} values, then {length}: {brief(transaction)}")
            session_lengths[(transaction["who"], key)] = max(before, length)
    return reads


def check_real_time(shared, reads, orders):
    """What was acknowledged before a snapshot was taken is in it."""
    acknowledged = {}
    for key, order in orders.items():
        ends = sorted((writer["end"], position + 1) for position, writer in enumerate(order.writers) if writer and writer["outcome"] == "ok")
        times, lengths, highest = [], [], 0
        for end, length in ends:
            highest = max(highest, length)
            times.append(end)
            lengths.append(highest)
        acknowledged[key] = (times, lengths)
    for transaction, key, length, started, _ in reads:
        times, lengths = acknowledged.get(key, ([], []))
        at = bisect.bisect_left(times, started)
        if at and lengths[at - 1] > length:
            shared.violation("list-stale", f"key {key}: {length} values read, {lengths[at - 1]} acknowledged before {started:.3f}: {brief(transaction)}")


# -- registers ---------------------------------------------------------------------------------------------------


def check_registers(cluster, shared, clients):
    history = [transaction for client in clients for transaction in client.history if "end" in transaction]
    history.sort(key=lambda transaction: transaction["start"])
    final = {key: (value, replaced) for key, value, replaced in rows_of(cluster, "select k, v, replaced from reg")}
    orders = register_orders(shared, history, final)
    check_groups(shared, orders, "write")
    reads = register_reads(shared, history, orders)
    check_real_time(shared, reads, orders)
    check_cycles(shared, history, reads, orders)


def register_orders(shared, history, final):
    """Key -> its order, from what each version has replaced: no two the same one, the first one 0."""
    writer_of, replaced, present = {}, {}, {}

    def note(key, value, told, what):
        if replaced.setdefault((key, value), told) != told:
            shared.violation("register-replaced", f"key {key}: {value} replaced {replaced[(key, value)]}, and {told} by {what}")

    for transaction in history:
        for operation in transaction["ops"]:
            if operation[0] == "write":
                _, key, value, _, _, told = operation
                writer_of[(key, value)] = transaction
                if told is not None:
                    note(key, value, told, brief(transaction))
                if transaction["outcome"] == "ok":
                    present.setdefault(key, set()).add(value)
    for transaction in history:
        for operation in transaction["ops"]:
            if operation[0] == "look":
                for key, (value, told) in operation[2].items():
                    note(key, value, told, brief(transaction))
                    if writer_of.get((key, value)) is not transaction:
                        present.setdefault(key, set()).add(value)
    for key, (value, told) in final.items():
        note(key, value, told, "the final row")
        present.setdefault(key, set()).add(value)
    orders = {}
    for key, values in present.items():
        following, unseen = {}, list(values)
        while unseen:
            value = unseen.pop()
            before = replaced.get((key, value))
            if following.setdefault(before, value) != value:
                shared.violation("register-lost", f"key {key}: {value} and {following[before]} both replaced {before}")
            if before and before not in values:
                values.add(before)
                unseen.append(before)
        chain, at = [], 0
        while following.get(at) is not None and len(chain) <= len(values):
            at = following[at]
            chain.append(at)
        if len(chain) != len(values):
            shared.violation("register-chain", f"key {key}: {sorted(values - set(chain))[:10]} do not lead back to the first")
        if chain[-1:] != [final.get(key, (None,))[0]]:
            shared.violation("register-final", f"key {key} holds {final.get(key)}, and {chain[-3:]} were the last")
        writers = {value: writer_of.get((key, value)) for value in chain}
        for value, writer in writers.items():
            if writer is None:
                shared.violation("register-unknown", f"key {key} held {value}, which nobody wrote")
            elif writer["outcome"] == "no":
                shared.violation("register-aborted", f"key {key} held {value} of a transaction that failed: {brief(writer)}")
        orders[key] = Order(key, chain, writers)
    for transaction in history:
        there = {key in orders and value in orders[key].at for kind, key, value, *_ in transaction["ops"] if kind == "write"}
        if len(there) == 2:
            shared.violation("register-half", brief(transaction))
    return orders


def register_reads(shared, history, orders):
    """Reads as those of lists: so many versions of the order, a row that is not there being none."""
    reads = []
    for transaction in history:
        own, lengths, first = {}, {}, transaction["ops"][0][3] if transaction["ops"] else None
        is_rr = transaction["level"] in (RR, SER)
        for kind, key, found, started, *_ in transaction["ops"]:
            if kind == "write":
                own[key] = found
                continue
            start, end, shelf = key
            asked = [key for key in orders if start <= key < end and (shelf is None or key % workloads.Registers.SHELVES == shelf)]
            if not set(found) <= set(asked):
                shared.violation("register-asked", f"{sorted(set(found) - set(asked))} were not asked for: {brief(transaction)}")
            for key in set(asked) | {key for key in own if key in found}:
                value = found.get(key, (0,))[0]
                if key in own:
                    if value != own[key]:
                        shared.violation("register-own", f"key {key}: {value} instead of its own {own[key]}: {brief(transaction)}")
                    continue
                order = orders[key]
                length = 1 + order.at.get(value, -1)
                if not order.is_boundary(length):
                    shared.violation("register-intermediate", f"key {key}, {value}: {brief(transaction)}")
                if is_rr and lengths.setdefault(key, length) != length:
                    shared.violation("register-unrepeatable", f"key {key}: {lengths[key]} versions, then {length}: {brief(transaction)}")
                reads.append((transaction, key, length, first if is_rr else started, is_rr))
    return reads


# -- what both have ----------------------------------------------------------------------------------------------


def serial_edges(history, reads, orders, levels):
    """All dependencies between transactions of these levels that have committed."""
    is_serial = lambda transaction: transaction is not None and transaction["level"] in levels and (
        transaction["outcome"] == "ok" or transaction["outcome"] == "maybe" and id(transaction) in stored)
    stored = {id(writer) for order in orders.values() for writer in order.writers}
    edges = {}

    def add(source, target):
        if source is not target and is_serial(source) and is_serial(target):
            edges.setdefault(id(source), {})[id(target)] = target

    for order in orders.values():
        for earlier, later in zip(order.writers, order.writers[1:]):
            add(earlier, later)
    for transaction, key, length, *_ in reads:
        order = orders.get(key)
        if order is None:
            continue
        if length:
            add(order.writers[length - 1], transaction)
        if length < len(order.values):
            add(transaction, order.writers[length])
    return edges


def on_cycles(history, edges):
    """Transactions that lie on a cycle or between two (Kahn: what is left over from both ends)."""
    nodes = {id(transaction): transaction for transaction in history}
    left = set(nodes)
    for forwards in (True, False):
        following = {}
        for source, targets in edges.items():
            for target in targets:
                if source in left and target in left:
                    following.setdefault(source if forwards else target, []).append(target if forwards else source)
        incoming = {}
        for targets in following.values():
            for target in targets:
                incoming[target] = incoming.get(target, 0) + 1
        ready = [node for node in left if not incoming.get(node)]
        while ready:
            node = ready.pop()
            left.discard(node)
            for target in following.get(node, []):
                incoming[target] -= 1
                if not incoming[target]:
                    ready.append(target)
    return [nodes[node] for node in left]


def check_cycles(shared, history, reads, orders):
    """No cycle of ww and wr (G1c); none with one rw of a REPEATABLE READ reader more (G-single); none at all at SERIALIZABLE (G2). Write
    skew at REPEATABLE READ is counted: what is never seen where it may be is not known to be seen where it may not."""
    edges = {}
    stuck = on_cycles(history, serial_edges(history, reads, orders, {SER}))
    if stuck:
        shared.violation("G2", f"{len(stuck)} transactions: " + "; ".join(map(brief, stuck[:4])))
    shared.write_skews += len(on_cycles(history, serial_edges(history, reads, orders, {RR})))

    def add(source, target):
        if source is not None and target is not None and source is not target:
            edges.setdefault(id(source), {})[id(target)] = target

    for order in orders.values():
        for earlier, later in zip(order.writers, order.writers[1:]):
            add(earlier, later)
    anti = []
    for transaction, key, length, _, is_rr in reads:
        order = orders.get(key)
        if order is None or transaction["outcome"] == "no":
            continue
        if length:
            add(order.writers[length - 1], transaction)
        if is_rr and length < len(order.values) and order.writers[length] is not transaction:
            anti.append((transaction, order.writers[length], key))
    by_id = {id(transaction): transaction for transaction in history}
    # Kahn: what is left over has a cycle.
    incoming = {}
    for targets in edges.values():
        for target in targets:
            incoming[target] = incoming.get(target, 0) + 1
    ready = [node for node in by_id if not incoming.get(node)]
    left = len(by_id)
    while ready:
        node = ready.pop()
        left -= 1
        for target in edges.get(node, {}):
            incoming[target] -= 1
            if not incoming[target]:
                ready.append(target)
    if left:
        stuck = [by_id[node] for node, count in incoming.items() if count and node in by_id][:4]
        shared.violation("G1c", "; ".join(map(brief, stuck)))
    for reader, writer, key in anti:
        if writer is None:
            continue
        # What the reader depends on began before the reader ended.
        seen, stack = {id(writer)}, [writer]
        while stack:
            node = stack.pop()
            if node is reader:
                shared.violation("G-single", f"key {key}: {brief(reader)} read what was before {brief(writer)}, and depends on it")
                break
            for target_id, target in edges.get(id(node), {}).items():
                if target_id not in seen and target["start"] <= reader["end"]:
                    seen.add(target_id)
                    stack.append(target)


# -- the cluster -------------------------------------------------------------------------------------------------


def is_caught_up(document):
    """No problem is named, all members of all groups are as far as the furthest."""
    if document.get("problems"):
        return False
    for group in document["groups"]:
        members = group["members"]
        if len(members) != 6 or any(not member["answers"] or member["lag"] or member["state"] != "open" for member in members):
            return False
    return True


COUNTERS_ZERO = ["crc_errors", "malformed_frames", "pages_quarantined"]


def check_counters_of_daemons(shared, document, allowed):
    for daemon in document.get("daemons", []):
        for name in COUNTERS_ZERO:
            if name not in allowed and daemon.get("counters", {}).get(name):
                shared.violation("daemon-counter", f"node {daemon['node']}: {name} {daemon['counters'][name]}")


SUSPECT = re.compile(rb"panicked|assertion|exit code 37|overflow|corrupt|mismatch|quarantin", re.IGNORECASE)


def check_logs(shared, paths, positions):
    """Panics and the like in what processes printed since the last look."""
    for path in paths:
        if not os.path.exists(path):
            continue
        with open(path, "rb") as file:
            file.seek(positions.get(path, 0))
            text = file.read()
            positions[path] = file.tell()
        for line in text.splitlines():
            if SUSPECT.search(line):
                shared.violation("log", f"{path}: {line[:300].decode(errors='replace')}")

"""What the clients write, and what must hold of it after any power cut. Used by the guest (writing) and by the judge (reading)."""

import random

CLIENTS = 10
ACCOUNTS = 60
START_BALANCE = 1000
LISTS = 12
LIST_CHARACTERS = 1000
# In one message, since the recorded machine is slow and what counts is how much is under way at its device.
TRANSACTION = (
    "UPDATE account SET balance = balance + %s WHERE id = %s;" * 2
    + "UPDATE list SET entries = right(entries, %s) || %s WHERE id = %s;"
    + "INSERT INTO history VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


def prepare(connection):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)")
        cursor.execute("CREATE TABLE list (id int PRIMARY KEY, entries text NOT NULL)")
        cursor.execute(
            "CREATE TABLE history (client int, sequence int, debit int, credit int, amount int, list int, filler text,"
            " PRIMARY KEY (client, sequence))"
        )
        cursor.execute("CREATE INDEX history_list ON history (list)")
        rows = ",".join(f"({id}, {START_BALANCE})" for id in range(ACCOUNTS))
        cursor.execute(f"INSERT INTO account VALUES {rows}")
        cursor.execute("INSERT INTO list VALUES " + ",".join(f"({id}, '')" for id in range(LISTS)))
    connection.commit()


def transaction(connection, client, sequence):
    """One transfer, one entry appended to a list, one row of history: all or nothing. What it does follows from (client, sequence)."""
    debit, credit, amount, list_id, filler = choose(client, sequence)
    # In the order of ids: no deadlocks, so that a failure means something.
    updates = sorted(((debit, -amount), (credit, amount)))
    words = [word for account, change in updates for word in (change, account)]
    words += [LIST_CHARACTERS, entry(client, sequence), list_id]
    words += [client, sequence, debit, credit, amount, list_id, filler]
    with connection.cursor() as cursor:
        cursor.execute(TRANSACTION, words)
    connection.commit()


def choose(client, sequence):
    rng = random.Random(client * 1_000_003 + sequence)
    debit, credit = rng.sample(range(ACCOUNTS), 2)
    # Long enough that a log of a few MiB is gone round several times.
    filler = "x" * rng.choice((0, 100, 1500))
    return debit, credit, rng.randrange(1, 50), rng.randrange(LISTS), filler


def entry(client, sequence):
    return f",{client}:{sequence}"


def violations(connection, acked, attempted):
    """Everything that is wrong: `acked` and `attempted` are per client the last sequence acknowledged at the cut and ever begun."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT client, sequence, debit, credit, amount, list, filler FROM history ORDER BY client, sequence")
        history = cursor.fetchall()
        cursor.execute("SELECT id, balance FROM account ORDER BY id")
        balances = dict(cursor.fetchall())
        cursor.execute("SELECT id, entries FROM list ORDER BY id")
        lists = dict(cursor.fetchall())
        cursor.execute("SELECT count(*) FROM history WHERE list >= 0")
        by_index = cursor.fetchone()[0]
    expected = {id: START_BALANCE for id in range(ACCOUNTS)}
    per_client = {client: [] for client in range(CLIENTS)}
    for client, sequence, debit, credit, amount, list_id, filler in history:
        per_client[client].append(sequence)
        if (debit, credit, amount, list_id, filler) != choose(client, sequence):
            found.append(f"row ({client}, {sequence}) is not what was written")
        expected[debit] -= amount
        expected[credit] += amount
    for client, sequences in per_client.items():
        if sequences != list(range(1, len(sequences) + 1)):
            found.append(f"client {client}: its {len(sequences)} rows have a gap")
        if len(sequences) < acked[client]:
            found.append(f"client {client}: {acked[client]} commits were acknowledged, {len(sequences)} are there")
        if len(sequences) > attempted[client]:
            found.append(f"client {client}: {attempted[client]} commits were tried, {len(sequences)} are there")
    if balances != expected:
        found.append("balances are not what the history makes of them: a transaction is there in part")
    if by_index != len(history):
        found.append(f"the index names {by_index} rows of history, the table {len(history)}")
    found.extend(list_violations(lists, history))
    return found


def list_violations(lists, history):
    """A list holds its newest entries, all of them while it is short: each client's in order, and none missing at its end."""
    found = []
    for list_id, text in sorted(lists.items()):
        # The first word is empty, or the rest of an entry that was cut off when the list grew long.
        listed = [tuple(map(int, word.split(":"))) for word in text.split(",")[1:]]
        for client in range(CLIENTS):
            ours = [sequence for owner, sequence in listed if owner == client]
            theirs = [row[1] for row in history if row[0] == client and row[5] == list_id]
            if len(text) > LIST_CHARACTERS:
                theirs = theirs[-len(ours) :] if ours else []
            if ours != theirs:
                found.append(f"list {list_id}: entries of client {client} differ from the history")
    return found

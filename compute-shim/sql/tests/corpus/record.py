#!/usr/bin/env python3
"""Records what a client sends to PostgreSQL 15 and what it is answered, as corpus.rs replays it.

    ./record.py --server HOST:PORT --listen PORT NAME COMMAND...

Listens on 127.0.0.1:PORT, runs COMMAND (a shell line that connects there as `postgres`, without TLS), passes everything
on to the server, and writes NAME.sql and NAME.out beside this file. The server must trust the user; for clients that want
tables, load schema.sql first (into a fresh database `postgres`, so that nothing else is in the answers). One session at a
time. Look the result over before it is committed: answers that are the server's own affair need the mode `any`, and
statements that are refused for now `refused` (see corpus.rs); RULES below holds those that are known.
"""

import argparse
import pathlib
import re
import socket
import struct
import subprocess
import sys
import threading

# Answers that belong to the server: its version, functions, types, settings, databases, roles, sizes.
ANY = [r"c\.oid = '1259'\s*(;|AND c\.oid = i)", r"version\(\)", r"(?i)SHOW server_version", r"pg_table_size", r"pgbench_accounts",
       r"'\^\(pg_cl", r"getdatabaseencoding", r"pg_catalog\.pg_roles r\nWHERE", r"AS is_autofield", r"tmp\.CARDINALITY", r"INSERT INTO customer .*\n?RETURNING"]
ANY_FROM = ("proc|operator|cast|conversion|language|am|extension|event_trigger|settings|tablespace|collation|type|opfamily|opclass|"
            "database|roles|namespace")
# Statements that need what is refused here.
REFUSED = [r"CLOSE ALL"]


def mode_of(text, rows):
    if any(re.search(pattern, text) for pattern in REFUSED):
        return "refused"
    first = re.search(r"FROM\s+(?:pg_catalog\.)?pg_(\w+)", text)
    of_server = first and re.fullmatch(ANY_FROM, first[1]) and not re.search(r"pg_type t\n? *WHERE t\.typname|pg_type\.typname", text)
    if of_server or any(re.search(pattern, text) for pattern in ANY):
        return "any"
    return "equal" if rows < 2 or is_ordered(text) else "unordered"


def is_ordered(text):
    """Whether an ORDER BY stands outside of parentheses."""
    depth = 0
    for found in re.finditer(r"\(|\)|order by", text, re.I):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
        elif depth == 0:
            return True
    return False


def exactly(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def text_at(body, at):
    end = body.index(0, at)
    return body[at:end].decode(), end + 1


def numbers(body, at, code):
    """A list with its 16-bit count."""
    count = struct.unpack_from("!h", body, at)[0]
    size = struct.calcsize("!" + code)
    return list(struct.unpack_from(f"!{count}{code}", body, at + 2)), at + 2 + count * size


def values_of(body, at):
    count = struct.unpack_from("!h", body, at)[0]
    at, values = at + 2, []
    for _ in range(count):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if size < 0 else body[at:at + size])
        at += max(size, 0)
    return values, at


class Session:
    """One connection: the messages of both sides in order of arrival, each side on its own."""

    def __init__(self, client, server):
        self.client, self.server, self.asked, self.answered = client, server, [], []
        while True:
            size = struct.unpack("!i", exactly(client, 4))[0]
            body = exactly(client, size - 4)
            if body[:4] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):
                client.sendall(b"N")
                continue
            server.sendall(struct.pack("!i", size) + body)
            break
        words = [word.decode() for word in body[4:].split(b"\0") if word]
        self.parameters = {name: value for name, value in zip(words[::2], words[1::2]) if name not in ("user", "database")}

    def run(self):
        sides = [threading.Thread(target=self.pump, args=side) for side in
                 ((self.client, self.server, self.asked), (self.server, self.client, self.answered))]
        for side in sides:
            side.start()
        for side in sides:
            side.join()

    @staticmethod
    def pump(source, target, messages):
        try:
            while True:
                head = exactly(source, 5)
                body = exactly(source, struct.unpack("!i", head[1:])[0] - 4)
                messages.append((head[:1].decode(), body))
                target.sendall(head + body)
        except (EOFError, OSError):
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def escaped(value, is_binary):
    if value is None:
        return "∅"
    if is_binary:
        return value.hex()
    return value.decode().replace("\\", "\\\\").replace("\n", "\\n").replace("|", "\\p")


def parameter(value, is_binary):
    if value is None:
        return "\\N"
    if is_binary:
        return "\\x" + value.hex()
    return value.decode().replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def without_oids(text):
    return re.sub(r"(?<!\d)(\d{5})(?!\d)", "{oid}", text)


class Writer:
    def __init__(self, relations):
        self.relations, self.sql, self.out, self.number = relations, [], [], 0

    def named(self, text):
        name = lambda found: "{oid:%s}" % self.relations[found[1]] if found[1] in self.relations else found[1]
        return re.sub(r"(?<![\d.])(\d{5})(?!\d)", name, text)

    def session(self, session):
        self.sql.append("--@ connect" + "".join(f"\t{name}={value}" for name, value in sorted(session.parameters.items())))
        answers, texts, described = iter(session.answered), {}, {}
        for position, (kind, body) in enumerate(session.asked):
            if kind == "P":
                name, at = text_at(body, 0)
                texts[name], at = text_at(body, at)
                types, _ = numbers(body, at, "I")
                self.sql += [f"--@ parse\t{name}\t{','.join(map(str, types))}", self.named(texts[name])]
            elif kind == "Q":
                text, _ = text_at(body, 0)
                columns, rows, tags = self.answer(answers, lambda kind, done: kind == "Z" and done)
                self.statement("query", text, columns, rows, tags, [], "")
                self.sql.append(self.named(text))
                data = b"".join(body for kind, body in self.copied(session.asked[position + 1:]))
                if data:
                    self.sql.append("--@ copy\t" + parameter(data, False))
            elif kind == "B":
                _, at = text_at(body, 0)
                name, at = text_at(body, at)
                formats, at = numbers(body, at, "h")
                values, at = values_of(body, at)
                results, _ = numbers(body, at, "h")
                columns, rows, tags = self.answer(answers, lambda kind, done: kind in "CIs")
                columns = described.setdefault((name, texts[name]), columns) if columns is None else columns
                format_of = lambda at: formats[at] if len(formats) > 1 else (formats or [0])[0]
                fields = "".join("\t" + parameter(value, format_of(at) == 1) for at, value in enumerate(values))
                self.statement("execute", texts[name], columns, rows, tags, results,
                               f"\t{name}\t{','.join(map(str, results))}{fields}")

    @staticmethod
    def copied(messages):
        for kind, body in messages:
            if kind == "d":
                yield kind, body
            elif kind not in "cHS":
                return

    @staticmethod
    def answer(answers, is_end):
        columns, rows, tags, failed = None, [], [], False
        for kind, body in answers:
            if kind == "T":
                columns, at = [], 2
                for _ in range(struct.unpack_from("!h", body)[0]):
                    name, at = text_at(body, at)
                    columns.append((name, struct.unpack_from("!I", body, at + 6)[0]))
                    at += 18
            elif kind == "D":
                rows.append(values_of(body, 0)[0])
            elif kind == "C":
                tags.append(text_at(body, 0)[0])
            elif kind == "I":
                tags.append("")
            elif kind == "E":
                sys.exit(f"the server answered an error: {body}")
            if is_end(kind, tags or columns is not None):
                break
        return columns, rows, tags

    def statement(self, word, text, columns, rows, tags, formats, rest):
        self.number += 1
        mode = mode_of(text, len(rows))
        self.sql.append(f"--@ {word}\t{self.number}\t{mode}{rest}")
        if mode in ("any", "refused"):
            return
        self.out.append(f"--@ {self.number}")
        if columns is not None:
            self.out.append("columns " + "|".join(f"{escaped(name.encode(), False)}:{type_id}" for name, type_id in columns))
        format_of = lambda at: formats[at] if len(formats) > 1 else (formats or [0])[0]
        lines = [[escaped(value, format_of(at) == 1) for at, value in enumerate(row)] for row in rows]
        lines = [without_oids("|".join(line)) for line in lines]
        self.out += ["row " + line for line in (sorted(lines) if mode == "unordered" else lines)]
        self.out.append("tag " + "; ".join(tags))


def relations_of(host, port):
    query = ("select c.oid, n.nspname || '.' || quote_ident(c.relname) from pg_class c join pg_namespace n on n.oid = relnamespace "
             "where c.oid >= 16384 and relkind in ('r', 'i', 'S') and nspname <> 'pg_toast'")
    command = ["psql", "-h", host, "-p", port, "-U", "postgres", "-AtXF", "\t", "-c", query]
    return dict(line.split("\t") for line in subprocess.check_output(command, text=True).splitlines())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("name")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    host, port = options.server.split(":")
    listener = socket.create_server(("127.0.0.1", options.listen))
    sessions = []

    def serve():
        while True:
            client, _ = listener.accept()
            session = Session(client, socket.create_connection((host, int(port))))
            sessions.append(session)
            threading.Thread(target=session.run).start()

    threading.Thread(target=serve, daemon=True).start()
    subprocess.run(" ".join(options.command), shell=True, check=True)
    writer = Writer(relations_of(host, port))
    for session in sessions:
        writer.session(session)
    place = pathlib.Path(__file__).parent / options.name
    place.with_suffix(".sql").write_text("\n".join(writer.sql) + "\n")
    place.with_suffix(".out").write_text("\n".join(writer.out) + "\n")
    print(f"{writer.number} statements of {len(sessions)} sessions")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes PostgreSQL's answers beside the scripts of this folder.

    ./record.py --host HOST --port PORT --user USER [SCRIPT.sql ...]

For each SCRIPT.sql (all of this folder if none is named) a fresh database is made on the given server, the script is
run through it message by message, and SCRIPT.out is written. The server must be PostgreSQL 15 with `trust` for the
user, who may create databases; its cluster should be of encoding UTF8 and locale C.UTF-8, as ours is. Needs nothing
but Python 3.

A script's grammar, line by line:
  -- text            a comment, if outside of a statement
  \\session NAME      the statements that follow go through the session of this name (the first one is `a`)
  \\session NAME DATABASE   the same; a new one is connected to this database instead of the script's own
  \\end NAME          this session ends
  \\bind V | V ...    directly behind a statement: run it (again) by the extended protocol with these parameters in
                     text form, `\\N` for NULL; a lone \\bind has no parameters
  \\waits             directly behind a statement: it must wait for a lock of another session; go on with that one
  \\finish            the answer of the statement that waits in this session
  \\unsupported       from here to the end of the file PostgreSQL's answer is recorded, ours must be SQLSTATE 0A000
  anything else      part of a statement, which ends with the line that ends with `;`. All of it, even if it holds
                     several statements, is one Query message. COPY ... FROM STDIN is followed by its data and `\\.`;
                     a line `\\hex 0A 0B …` among its data is so many bytes instead, and no line end
"""

import argparse
import pathlib
import re
import socket
import struct
import sys
import time


class Connection:
    """One session, spoken to by the protocol's messages."""

    def __init__(self, options, database):
        self.socket = socket.create_connection((options.host, options.port))
        self.buffer = b""
        words = ["user", options.user, "database", database, "client_encoding", "UTF8", "TimeZone", "UTC",
                 "DateStyle", "ISO, MDY", "application_name", "conformance"]
        body = struct.pack("!i", 196608) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        for kind, body in self.until_ready():
            if kind == b"E":
                sys.exit(f"cannot connect: {fields(body)}")
            if kind == b"R" and body[:4] != b"\0\0\0\0":
                sys.exit("the server wants a password; use one that trusts this connection")

    def send(self, kind, body):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def message(self):
        while True:
            if len(self.buffer) >= 5:
                length = struct.unpack("!i", self.buffer[1:5])[0]
                if len(self.buffer) > length:
                    message = self.buffer[:1], self.buffer[5:length + 1]
                    self.buffer = self.buffer[length + 1:]
                    return message
            data = self.socket.recv(65536)
            if not data:
                sys.exit("the server has closed the connection")
            self.buffer += data

    def until_ready(self):
        while True:
            message = self.message()
            yield message
            if message[0] == b"Z":
                return

    def close(self):
        self.send(b"X", b"")
        self.socket.close()

    def rows(self, text):
        self.send(b"Q", text.encode() + b"\0")
        return [row(body) for kind, body in self.until_ready() if kind == b"D"]


def cstring(body, at):
    end = body.index(b"\0", at)
    return body[at:end].decode(), end + 1


def fields(body):
    found, at = {}, 0
    while body[at:at + 1] not in (b"\0", b""):
        key = chr(body[at])
        found[key], at = cstring(body, at + 1)
    return found


def row(body):
    count, at, values = struct.unpack("!h", body[:2])[0], 2, []
    for _ in range(count):
        length = struct.unpack("!i", body[at:at + 4])[0]
        at += 4
        values.append(None if length < 0 else body[at:at + length].decode())
        at += max(length, 0)
    return values


def escaped(value):
    if value is None:
        return "\\N"
    return (value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
            .replace("|", "\\|"))


def copy_format(body):
    return f"{struct.unpack('!h', body[1:3])[0]} columns" + (", binary" if body[0] == 1 else "")


def copy_bytes(line):
    return bytes.fromhex(line[len("\\hex "):]) if line.startswith("\\hex ") else line.encode() + b"\n"


# Places of rows and numbers of processes, which no two servers share: such a field is left out.
OF_ONE_RUN = re.compile(r"tuple \(\d+,\d+\)|^Process \d+ waits")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Recorder:
    """Runs one script and keeps the lines of its answers."""

    def __init__(self, options, name):
        self.options = options
        self.database = "conformance_" + name.replace("-", "_")
        self.admin = Connection(options, "postgres")
        self.admin.rows(f"DROP DATABASE IF EXISTS {self.database}")
        self.admin.rows(f"CREATE DATABASE {self.database} TEMPLATE template0")
        self.sessions = {}
        self.lines = []
        self.types = {}

    def session(self, name, database=None):
        if name not in self.sessions:
            self.sessions[name] = Connection(self.options, database or self.database)
        return self.sessions[name]

    def end(self, name):
        self.sessions.pop(name).close()

    def close(self):
        for session in self.sessions.values():
            session.close()
        self.admin.rows(f"DROP DATABASE {self.database} WITH (FORCE)")
        self.admin.close()

    def type_name(self, oid, typmod):
        if (oid, typmod) not in self.types:
            self.types[oid, typmod] = self.admin.rows(f"SELECT format_type({oid}, {typmod})")[0][0]
        return self.types[oid, typmod]

    def columns(self, body):
        count, at, columns = struct.unpack("!h", body[:2])[0], 2, []
        for _ in range(count):
            name, at = cstring(body, at)
            _, _, oid, _, typmod, _ = struct.unpack("!ihihih", body[at:at + 18])
            at += 18
            columns.append(f"{escaped(name)} {self.type_name(oid, typmod)}")
        return columns

    def answer(self, session, data):
        """Reads the answers to what was sent, up to ReadyForQuery."""
        for kind, body in session.until_ready():
            if kind == b"T":
                self.lines.append("columns: " + " | ".join(self.columns(body)))
            elif kind == b"D":
                self.lines.append("row: " + " | ".join(map(escaped, row(body))))
            elif kind == b"C":
                self.lines.append("tag: " + cstring(body, 0)[0])
            elif kind == b"I":
                self.lines.append("empty query")
            elif kind in b"EN":
                self.report("error" if kind == b"E" else "notice", fields(body))
            elif kind == b"t":
                count = struct.unpack("!h", body[:2])[0]
                oids = struct.unpack(f"!{count}I", body[2:])
                self.lines.append("parameters: " + ", ".join(self.type_name(oid, -1) for oid in oids))
            elif kind == b"G":
                self.lines.append("copy in: " + copy_format(body))
                session.send(b"d", b"".join(map(copy_bytes, data)))
                session.send(b"c", b"")
                data = []
            elif kind == b"H":
                self.lines.append("copy out: " + copy_format(body))
                is_binary = body[0] == 1
            elif kind == b"d" and is_binary:
                self.lines.append("bytes: " + body.hex())
            elif kind == b"d":
                self.lines.append("data: " + escaped(body.decode(errors="replace").removesuffix("\n")))
            elif kind == b"Z":
                if body != b"I":
                    self.lines.append("status: " + body.decode())

    def report(self, word, found):
        severity = "" if word == "error" else found["V"] + " "
        self.lines.append(f"{word}: {severity}{found['C']} {escaped(found['M'])}")
        labels = {"D": "detail", "H": "hint", "P": "position", "W": "context", "s": "schema", "t": "table",
                  "c": "column", "n": "constraint", "d": "type"}
        for key, label in labels.items():
            if key in found and not OF_ONE_RUN.search(found[key]):
                self.lines.append(f"  {label}: {escaped(found[key])}")

    def query(self, session, text, data):
        session.send(b"Q", text.encode() + b"\0")
        self.answer(session, data)

    def start(self, session, text):
        """Sends a statement and waits until it waits for a lock."""
        session.send(b"Q", text.encode() + b"\0")
        waiting = ("SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = "
                   f"'{self.database}' AND query = {quoted(text)}")
        for _ in range(500):
            if self.admin.rows(waiting):
                self.lines.append("waits")
                return
            time.sleep(0.01)
        sys.exit(f"does not wait: {text}")

    def bind(self, session, text, values):
        encoded = b""
        for value in values:
            if value is None:
                encoded += struct.pack("!i", -1)
            else:
                encoded += struct.pack("!i", len(value.encode())) + value.encode()
        text = text.rstrip().removesuffix(";")
        session.send(b"P", b"\0" + text.encode() + b"\0" + struct.pack("!h", 0))
        session.send(b"D", b"S\0")
        session.send(b"B", b"\0\0" + struct.pack("!hh", 0, len(values)) + encoded + struct.pack("!h", 0))
        session.send(b"E", b"\0" + struct.pack("!i", 0))
        session.send(b"S", b"")
        self.answer(session, [])


def steps(text):
    """The steps of a script: (line number, kind, text, data)."""
    lines = text.splitlines()
    at, found, previous = 0, [], None
    while at < len(lines):
        line, start = lines[at], at + 1
        at += 1
        if not line.strip() or line.startswith("--"):
            continue
        if line.startswith("\\session"):
            found.append((start, "session", line.split()[1], line.split()[2:]))
        elif line.startswith("\\end"):
            found.append((start, "end", line.split()[1], []))
        elif line.startswith("\\unsupported"):
            found.append((start, "unsupported", "", []))
        elif line.startswith("\\waits"):
            found.pop()
            found.append((start, "waits", previous, []))
        elif line.startswith("\\finish"):
            found.append((start, "finish", "", []))
        elif line.startswith("\\bind"):
            rest = line[len("\\bind"):].strip()
            values = [value.strip() for value in rest.split("|")] if rest else []
            if found[-1][1] == "statement":
                found.pop()
            found.append((start, "bind", previous, [None if v == "\\N" else v for v in values]))
        else:
            statement = [line]
            while not statement[-1].rstrip().endswith(";"):
                statement.append(lines[at])
                at += 1
            previous = "\n".join(statement)
            data = []
            if re.search(r"\bcopy\b.*\bfrom\s+stdin\b", previous, re.IGNORECASE | re.DOTALL):
                while lines[at] != "\\.":
                    data.append(lines[at])
                    at += 1
                at += 1
            found.append((start, "statement", previous, data))
    return found


def record(options, path):
    recorder = Recorder(options, path.stem)
    name, count = "a", 0
    for line, kind, text, data in steps(path.read_text()):
        if kind == "session":
            name = text
            recorder.session(name, *data)
            continue
        if kind == "end":
            recorder.end(text)
            continue
        if kind == "unsupported":
            continue
        count += 1
        recorder.lines.append(f"@ {line}")
        if kind == "bind":
            recorder.bind(recorder.session(name), text, data)
        elif kind == "waits":
            recorder.start(recorder.session(name), text)
        elif kind == "finish":
            recorder.answer(recorder.session(name), [])
        else:
            recorder.query(recorder.session(name), text, data)
    path.with_suffix(".out").write_text("\n".join(recorder.lines) + "\n")
    recorder.close()
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="postgres")
    parser.add_argument("scripts", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    scripts = options.scripts or sorted(pathlib.Path(__file__).parent.glob("*.sql"))
    total = 0
    for path in scripts:
        count = record(options, path)
        total += count
        print(f"{path.name}: {count}")
    print(f"{total} messages")


if __name__ == "__main__":
    main()

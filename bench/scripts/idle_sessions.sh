#!/usr/bin/env bash
# Memory of idle sessions: compute's anonymous memory before and after many connections were made.
#
#   bench/scripts/idle_sessions.sh [CONNECTIONS]
#
# Prints bytes a connection for sessions that have only connected, and again after each has run a statement
# and gone idle. The budget is 4 KiB of user memory each. A debug build shows larger numbers.
# Environment: see cluster.sh. Needs python3. hexalog local takes 1,000 sessions at once.

source "$(dirname "${BASH_SOURCE[0]}")/cluster.sh"

CONNECTIONS=${1:-900}
cluster_start
COMPUTE=$(child_pid compute)
[ -n "$COMPUTE" ] || { echo "no compute process found" >&2; exit 1; }

python3 - "$COMPUTE" "$PORT" "$CONNECTIONS" <<'PYTHON'
import socket
import struct
import sys
import time

compute, port, count = (int(word) for word in sys.argv[1:])


def anonymous():
    """Bytes that are the process's own."""
    time.sleep(2)
    for line in open(f"/proc/{compute}/status"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    sys.exit("the kernel does not tell RssAnon")


def until_ready(connection):
    received = b""
    while not received.endswith(b"Z\0\0\0\5I"):
        data = connection.recv(4096)
        if not data:
            sys.exit(f"the server has closed a connection: {received!r}")
        received += data


def connect():
    connection = socket.create_connection(("127.0.0.1", port))
    body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0application_name\0idle\0\0"
    connection.sendall(struct.pack("!i", len(body) + 4) + body)
    until_ready(connection)
    return connection


def run(connection):
    text = b"SELECT count(*) FROM pg_class\0"
    connection.sendall(b"Q" + struct.pack("!i", len(text) + 4) + text)
    until_ready(connection)


# The first ones fill pools and pages that all share.
warm = [connect() for _ in range(50)]
for connection in warm:
    run(connection)
before = anonymous()
connections = [connect() for _ in range(count)]
connected = anonymous()
for connection in connections:
    run(connection)
used = anonymous()
print(f"{count} connections: {(connected - before) / count:.0f} bytes each after connecting, "
      f"{(used - before) / count:.0f} after a statement")
PYTHON

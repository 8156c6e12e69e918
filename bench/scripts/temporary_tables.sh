#!/usr/bin/env bash
# Temporary tables beside permanent ones: inserts of single rows a second, and what they leave in the log.
#
#   temporary_tables.sh DIR [ROUNDS=3] [SECONDS=6]
#
# DIR lies on the device under test. First the LSNs that 10,000 inserts of single rows take, then pgbench with 1 and 16 clients, each
# with a table of its own, permanent and temporary in turn. Prints a line for each run, then medians. Needs psql, pgbench and
# the release build of hexalog. From the environment:
#   HEXALOG      the binary         [the release build of this checkout]
#   PORT         [a free one]       OPTIONS          further options of hexalog local
set -euo pipefail

dir=$(realpath -m "${1:?directory}")
rounds=${2:-3}
seconds=${3:-6}
root=$(cd "$(dirname "$0")/../.." && pwd)
hexalog=${HEXALOG:-${CARGO_TARGET_DIR:-$root/target}/release/hexalog}
port=${PORT:-$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}
[ ! -e "$dir/hexalog" ] || { echo "$dir holds an earlier run: remove it or name another" >&2; exit 1; }
mkdir -p "$dir"
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres

# shellcheck disable=SC2086  # OPTIONS is a list of words.
"$hexalog" local --data-dir "$dir/hexalog" --listen "127.0.0.1:$port" ${OPTIONS:-} >"$dir/hexalog.log" 2>&1 &
cluster=$!
trap 'kill -INT "$cluster" 2>/dev/null && wait "$cluster" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    psql -Atc 'select 1' >/dev/null 2>&1 && break
    sleep 0.1
done

# The last LSN that was given out, once it stands still: background work is over then.
lsn() {
    local before=- now
    for _ in $(seq 50); do
        now=$("$hexalog" status --json --data-dir "$dir/hexalog" |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["compute"]["report"]["allocated"])')
        [ "$now" != "$before" ] || break
        before=$now
        sleep 0.5
    done
    echo "$now"
}

echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg); $rounds rounds of $seconds s"
for kind in temporary permanent; do
    # The session stays until the LSN was read: making and dropping its table is written to the log.
    coproc session { psql -qAtX; }
    in=${session[1]} out=${session[0]} pid=$session_PID
    echo "create ${kind/permanent/} table t_$kind (a serial primary key, b int, c text); select 'made';" >&"$in"
    read -r -u "$out" _
    before=$(lsn)
    python3 -c '
import sys
for number in range(10000):
    print(f"insert into {sys.argv[1]} (b, c) values ({number}, '"'"'some text of a row'"'"');")
print("select count(*) from", sys.argv[1], ";")' "t_$kind" >&"$in"
    read -r -u "$out" rows
    after=$(lsn)
    echo "$rows inserts into a $kind table: $((after - before)) LSNs"
    echo '\q' >&"$in"
    wait "$pid"
done

script() { # KIND
    cat <<SQL
\\if :made = 0
create ${1/permanent/} table t_$1_:client_id (a int primary key, b text);
\\set made 1
\\endif
\\set next :next + 1
insert into t_$1_:client_id values (:next, 'some text of a row');
SQL
}

results=$dir/results
: >"$results"
for kind in permanent temporary; do
    script "$kind" >"$dir/$kind.sql"
done
for _ in $(seq "$rounds"); do
    for clients in 1 16; do
        for kind in permanent temporary; do
            for client in $(seq 0 $((clients - 1))); do
                echo "drop table if exists t_permanent_$client;"
            done | psql -qX 2>/dev/null
            tps=$(pgbench -n -M simple -c "$clients" -j 2 -T "$seconds" -D made=0 -D next=0 -f "$dir/$kind.sql" 2>/dev/null |
                sed -n 's/^tps = \([0-9.]*\).*/\1/p')
            echo "$clients clients, $kind: $tps TPS"
            echo "$clients $kind $tps" >>"$results"
        done
    done
done
python3 - "$results" <<'PYTHON'
import statistics
import sys

runs = {}
for line in open(sys.argv[1]):
    clients, kind, tps = line.split()
    runs.setdefault((int(clients), kind), []).append(float(tps))
for clients in sorted({clients for clients, _ in runs}):
    permanent, temporary = (statistics.median(runs[clients, kind]) for kind in ("permanent", "temporary"))
    print(f"{clients} clients, medians: permanent {permanent:.0f}, temporary {temporary:.0f} TPS, {temporary / permanent:.1f} times")
PYTHON

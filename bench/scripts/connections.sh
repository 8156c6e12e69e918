#!/usr/bin/env bash
# Many connections: transactions a second of 64 active sessions, then of 5,000 with 10,000 idle ones beside them; and the memory
# of an idle session in compute, as it connects and with a prepared statement that it has run.
#
#   connections.sh DIR [ROUNDS=3] [SECONDS=8]
#
# DIR lies on the device under test. Loads are pgbench's -S (select) and -N (simple), at scale 10, in turn A B A B. Prints a line
# for each run, then medians of the paired ratios and bytes beside their bars. Needs psql, pgbench and the release builds of hexalog
# and hexalog-bench, and 20,000 descriptors (ulimit -Hn). From the environment:
#   ACTIVE, IDLE [5000, 10000]        HEXALOG, BENCH   the binaries     [the release build of this checkout]
#   PORT         [a free one]         OPTIONS          further options of hexalog local
#   AROUND       a command that a run is an argument of
set -euo pipefail

dir=$(realpath -m "${1:?directory}")
rounds=${2:-3}
seconds=${3:-8}
root=$(cd "$(dirname "$0")/../.." && pwd)
release=${CARGO_TARGET_DIR:-$root/target}/release
hexalog=${HEXALOG:-$release/hexalog}
bench=${BENCH:-$release/hexalog-bench}
active=${ACTIVE:-5000}
idle=${IDLE:-10000}
port=${PORT:-$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}
ulimit -n "$(ulimit -Hn)"
[ ! -e "$dir/hexalog" ] || { echo "$dir holds an earlier run: remove it or name another" >&2; exit 1; }
mkdir -p "$dir"
results=$dir/results.jsonl
: >"$results"
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGDATABASE=postgres

# shellcheck disable=SC2086  # OPTIONS and AROUND are lists of words.
"$hexalog" local --data-dir "$dir/hexalog" --listen "127.0.0.1:$port" --max-connections $((active + idle + 1000)) ${OPTIONS:-} \
    >"$dir/hexalog.log" 2>&1 &
cluster=$!
trap 'kill -INT "$cluster" 2>/dev/null && wait "$cluster" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    psql -Atc 'select 1' >/dev/null 2>&1 && break
    sleep 0.1
done
compute=$(pgrep -P "$cluster" -f -- ' compute --metadata ')

run() { # NAME OPTION...
    local name=$1
    shift
    # shellcheck disable=SC2086
    ${AROUND:-} "$bench" connections --connect "127.0.0.1:$port" --scale 10 --server-pid "$compute" --output-format json "$@" \
        >"$dir/one.json" || echo "$name: not all went well"
    python3 - "$name" "$dir/one.json" >>"$results" <<'PYTHON'
import json
import sys

print(json.dumps({"name": sys.argv[1], **json.load(open(sys.argv[2]))}))
PYTHON
    tail -n 1 "$results" | python3 -c '
import json, sys
run = json.load(sys.stdin)
latency = run["latency"] or {}
print("{}: {:.0f} TPS, p50 {:.2f}, p99 {:.2f}, max {:.2f} ms, {:.1f} us of compute each, {} errors".format(
    run["name"], run["tps"], latency.get("p50_ms", 0), latency.get("p99_ms", 0), latency.get("max_ms", 0),
    run["server_cpu_us"] or 0, sum(run["errors"].values())))'
}

echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg); $active active, $idle idle, $rounds rounds of $seconds s"
# Before all else: memory that an earlier load has given back to the allocator would hide what sessions take.
psql -qAtc 'create table pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84)); insert into pgbench_accounts values (1, 1, 0, null)'
run memory --active 0 --idle "$idle" --idle-prepared
pgbench -i -q -s 10 >/dev/null 2>&1
for _ in $(seq "$rounds"); do
    for load in select simple; do
        run "$load 64" --load "$load" --active 64 --runtime "$seconds" --ramp 2
        run "$load $active" --load "$load" --active "$active" --idle "$idle" --runtime "$seconds" --ramp 3
    done
done

python3 - "$results" "$active" <<'PYTHON'
import json
import statistics
import sys

runs = [json.loads(line) for line in open(sys.argv[1])]
active = sys.argv[2]


def verdict(good):
    return "met" if good else "MISSED"


for when, size in runs[0]["idle_bytes"].items():
    print(f"memory of an idle connection, {when}: {size:.0f} bytes; bar 4096: {verdict(size <= 4096)}")
for load in ("select", "simple"):
    few, many = ([run["tps"] for run in runs if run["name"] == f"{load} {count}"] for count in ("64", active))
    ratios = [b / a for a, b in zip(few, many)]
    ratio = statistics.median(ratios)
    print(f"{load}: median {statistics.median(few):.0f} TPS of 64, {statistics.median(many):.0f} of {active}; "
          f"ratio {ratio:.2f}, {min(ratios):.2f} to {max(ratios):.2f}; bar 0.9: {verdict(ratio >= 0.9)}")
PYTHON

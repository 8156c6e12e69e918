# A release cluster in a scratch directory for the scripts beside this file, which source it.
#
# Needs: cargo build --release, psql, pgbench (and sysbench for its script). From the environment:
#   HEXALOG   the binary                    [the release build of this checkout, or of CARGO_TARGET_DIR]
#   SCRATCH   where the directory is made   [the current directory; on the device that is to be measured]
#   OPTIONS   further options of hexalog local, such as "--cache-bytes 512MiB"
#
# Every process is ended by its id when the script ends, and the scratch directory is removed.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HEXALOG=${HEXALOG:-${CARGO_TARGET_DIR:-$ROOT/target}/release/hexalog}
SCRATCH=${SCRATCH:-.}
OPTIONS=${OPTIONS:-}
DIR=
SUPERVISOR=
BY_HAND=()

[ -x "$HEXALOG" ] || { echo "$HEXALOG is missing: cargo build --release" >&2; exit 1; }

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
now_ms() { date +%s%3N; }

# Starts the cluster and waits until a session can be had.
cluster_start() {
    DIR=$(mktemp -d -p "$(cd "$SCRATCH" && pwd)" hexalog-scratch-XXXXXX)
    PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    export PGHOST=127.0.0.1 PGPORT=$PORT PGUSER=postgres PGDATABASE=postgres
    trap cluster_end EXIT
    touch "$DIR/local.log"
    # shellcheck disable=SC2086  # OPTIONS is a list of words.
    "$HEXALOG" local --data-dir "$DIR/data" --listen "127.0.0.1:$PORT" $OPTIONS >"$DIR/local.log" 2>&1 &
    SUPERVISOR=$!
    for _ in $(seq 600); do
        grep -q '^psql ' "$DIR/local.log" && { say "$(grep 'ready after' "$DIR/local.log")"; return; }
        kill -0 "$SUPERVISOR" 2>/dev/null || break
        sleep 0.1
    done
    cat "$DIR/local.log" >&2
    exit 1
}

cluster_end() {
    local pid
    for pid in "${BY_HAND[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    if [ -n "$SUPERVISOR" ]; then
        kill -INT "$SUPERVISOR" 2>/dev/null || true
        wait "$SUPERVISOR" || true
    fi
    [ -n "$DIR" ] && rm -rf "$DIR"
}

# Process id of a child: "compute", or the number of a daemon.
child_pid() {
    case $1 in
    compute) pgrep -P "$SUPERVISOR" -f -- ' compute --metadata ' ;;
    *) pgrep -P "$SUPERVISOR" -f -- "--node $1 " ;;
    esac
}

# kill -9 of a child; its command line is kept for child_start.
child_kill() {
    local pid
    pid=$(child_pid "$1")
    tr '\0' '\n' <"/proc/$pid/cmdline" >"$DIR/command-$1"
    kill -9 "$pid"
    say "kill -9 of $1 (process $pid)"
}

# Starts a killed child again, as the supervisor says how to.
child_start() {
    local words
    mapfile -t words <"$DIR/command-$1"
    [ "$1" = compute ] || words=(hexalogd daemon "${words[@]:1}")
    "$HEXALOG" "${words[@]:1}" >>"$DIR/$1-by-hand.log" 2>&1 &
    BY_HAND+=($!)
    disown
    say "started $1 again (process $!)"
}

status() { "$HEXALOG" status --data-dir "$DIR/data" "$@"; }

# Waits until status names nothing and no segment is behind; says how long that took.
wait_until_caught_up() {
    local began
    began=$(now_ms)
    until status --json 2>/dev/null | python3 -c '
import json, sys
status = json.load(sys.stdin)
lags = [member["lag"] for group in status["groups"] for member in group["members"]]
sys.exit(bool(status["problems"]) or any(lag != 0 for lag in lags))' 2>/dev/null; do
        [ $(($(now_ms) - began)) -lt 300000 ] || { status; return 1; }
        sleep 0.05
    done
    say "status names no problem and no lag after $(($(now_ms) - began)) ms"
}

# The four sums of TPC-B, and history against a count of committed transactions and of those whose answer is open.
check_tpcb() {
    local sums count
    sums=$(psql -XAtc "select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
        (select sum(bbalance) from pgbench_branches), (select coalesce(sum(delta), 0) from pgbench_history)")
    count=$(psql -XAtc "select count(*) from pgbench_history")
    say "sums $sums, history $count, acknowledged $1, open at most ${2:-0}"
    [ "$(tr '|' '\n' <<<"$sums" | sort -u | wc -l)" = 1 ] || { say "THE SUMS DIFFER"; return 1; }
    [ "$count" -ge "$1" ] && [ "$count" -le $(($1 + ${2:-0})) ] || { say "HISTORY IS WRONG"; return 1; }
}

# Number behind a label in a file.
number_after() { sed -n "/^$1/{s/^$1\([0-9.]*\).*/\1/p;q}" "$2"; }

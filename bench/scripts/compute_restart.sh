#!/bin/bash
# kill -9 of compute in the midst of pgbench; how long its restart needs to the first answered query.
#
# Usage: bench/scripts/compute_restart.sh [SCALE=10] [CLIENTS=16] [SECONDS...=10 600]
# SECONDS: lengths of load before each kill. Prints the time from the start of the new process to its first answer and what
# it says of its opening; then sums and history, in which nothing acknowledged may be missing and nothing but what was
# open at the kill may be more. Ends with code 1 if that is not so. Environment: see cluster.sh.

source "$(dirname "$0")/cluster.sh"
SCALE=${1:-10} CLIENTS=${2:-16}
shift $(($# > 2 ? 2 : $#))
[ $# -gt 0 ] || set -- 10 600

cluster_start
pgbench -i -q -s "$SCALE" >"$DIR/init.log" 2>&1 || { cat "$DIR/init.log"; exit 1; }
acknowledged=0 open=0
for seconds in "$@"; do
    rm -f "$DIR"/log.*
    pgbench -n -c "$CLIENTS" -j 2 -T $((seconds + 60)) -M prepared -l --log-prefix="$DIR/log" >"$DIR/run.log" 2>&1 &
    load=$!
    sleep "$seconds"
    # The first one is the supervisor's child, later ones were started here.
    if pid=$(child_pid compute); then child_kill compute; else kill -9 "${BY_HAND[-1]}"; fi
    wait "$load" || true
    acknowledged=$((acknowledged + $(cat "$DIR"/log.* | wc -l)))
    open=$((open + CLIENTS))
    began=$(now_ms)
    child_start compute
    until "$HEXALOG" sql --connect "127.0.0.1:$PORT" -A -c 'select count(*) from pgbench_branches' >/dev/null 2>&1; do
        [ $(($(now_ms) - began)) -lt 120000 ] || { tail -5 "$DIR/compute-by-hand.log"; exit 1; }
    done
    say "after $seconds s of load: first answer $(($(now_ms) - began)) ms after the start of the process;" \
        "$(grep 'volume open' "$DIR/compute-by-hand.log" | tail -1)"
    check_tpcb "$acknowledged" "$open"
done

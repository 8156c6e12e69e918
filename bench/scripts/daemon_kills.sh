#!/bin/bash
# Daemons die with kill -9 during pgbench: one, then the other of its zone; later a third, which takes the write quorum.
#
# Usage: bench/scripts/daemon_kills.sh [SCALE=10] [CLIENTS=16] [PAUSE=10]
# PAUSE: seconds between events. Prints for each stretch between events the transactions, the longest gap between any two
# commits and the longest transaction, all from pgbench's log of every transaction; how long the daemons need to catch up;
# and how soon commits stop and resume around the loss of the quorum. Ends with code 1 if a transaction failed, or a sum
# or the history is wrong. Environment: see cluster.sh.

source "$(dirname "$0")/cluster.sh"
SCALE=${1:-10} CLIENTS=${2:-16} PAUSE=${3:-10}
EVENTS=()

event() { EVENTS+=("$(now_ms) $*"); }

# stretches LOG...: one line for each stretch between two events.
stretches() {
    printf '%s\n' "${EVENTS[@]}" >"$DIR/events"
    cat "$@" | awk '{printf "%.0f %.0f\n", $5 * 1000 + int($6 / 1000), $3}' | sort -n >"$DIR/commits"
    awk '
        NR == FNR {at[++n] = $1; $1 = ""; name[n] = $0; next}
        {
            while (s < n && $1 >= at[s + 1]) {report(); s++; count = longest = gap = 0; last = at[s]; first = 0}
            count++; if (!first) first = $1 - at[s]
            if (last && $1 - last > gap) gap = $1 - last
            if ($2 > longest) longest = $2
            last = $1
        }
        function report() {
            if (s > 0) printf "  after%s: %d commits, first after %d ms, longest gap %d ms, longest transaction %.0f ms\n",
                name[s], count, first, gap, longest / 1000
        }
        END {report()}
    ' "$DIR/events" "$DIR/commits"
}

load_start() {
    rm -f "$DIR"/log.*
    EVENTS=()
    pgbench -n -c "$CLIENTS" -j 2 -T "$1" -M prepared -l --log-prefix="$DIR/log" >"$DIR/run.log" 2>&1 &
    LOAD=$!
    sleep 1
    event "the start"
    sleep "$PAUSE"
}

load_finish() {
    wait "$LOAD" || { cat "$DIR/run.log"; exit 1; }
    say "$(grep 'number of failed' "$DIR/run.log"), $(number_after 'tps = ' "$DIR/run.log") TPS"
    grep -q 'number of failed transactions: 0 ' "$DIR/run.log" || exit 1
    TOTAL=$((TOTAL + $(number_after 'number of transactions actually processed: ' "$DIR/run.log")))
    stretches "$DIR"/log.*
}

cluster_start
TOTAL=0
pgbench -i -q -s "$SCALE" >"$DIR/init.log" 2>&1 || { cat "$DIR/init.log"; exit 1; }

say "one daemon, then the other of its zone"
load_start $((PAUSE * 4))
event "the first kill" && child_kill 1
sleep "$PAUSE"
event "the second kill" && child_kill 2
load_finish
child_start 1
child_start 2
wait_until_caught_up

say "three of six, and one back"
load_start $((PAUSE * 6))
for node in 3 4; do event "the kill of $node" && child_kill $node && sleep 2; done
event "the third kill" && child_kill 5
sleep "$PAUSE"
(status || true) 2>&1 | grep -m 1 'quorum lost' || say "STATUS DOES NOT NAME THE LOSS"
say "a read meanwhile: $(psql -XAtc 'select count(*) from pgbench_branches') branches"
event "the return of one" && child_start 3
load_finish
child_start 4
child_start 5
wait_until_caught_up
check_tpcb "$TOTAL"

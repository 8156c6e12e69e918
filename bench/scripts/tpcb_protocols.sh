#!/bin/bash
# pgbench's own tables and transaction in all three protocols, then the four sums and the history.
#
# Usage: bench/scripts/tpcb_protocols.sh [SCALE=10] [SECONDS=60] [CLIENTS=16]
# Prints for each protocol: TPS, average latency, p50, p95, p99 (from the log of every transaction), failures.
# Ends with code 1 if a sum or the count of history is wrong. Environment: see cluster.sh.

source "$(dirname "$0")/cluster.sh"
SCALE=${1:-10} SECONDS_EACH=${2:-60} CLIENTS=${3:-16}

cluster_start
began=$(now_ms)
pgbench -i -s "$SCALE" 2>"$DIR/init.log" || { cat "$DIR/init.log"; exit 1; }
say "pgbench -i -s $SCALE: $(($(now_ms) - began)) ms ($(tail -1 "$DIR/init.log"))"
total=0
for protocol in simple extended prepared; do
    rm -f "$DIR"/log.*
    pgbench -n -c "$CLIENTS" -j 2 -T "$SECONDS_EACH" -M "$protocol" -l --log-prefix="$DIR/log" \
        >"$DIR/run.log" 2>&1 || { cat "$DIR/run.log"; exit 1; }
    done_now=$(number_after 'number of transactions actually processed: ' "$DIR/run.log")
    total=$((total + done_now))
    percentiles=$(cat "$DIR"/log.* | awk '{print $3}' | sort -n | awk '
        {v[NR] = $1} END {printf "p50 %.1f, p95 %.1f, p99 %.1f ms", v[int(NR * 0.5) + 1] / 1e3, v[int(NR * 0.95) + 1] / 1e3, v[int(NR * 0.99) + 1] / 1e3}')
    say "$protocol: $(number_after 'tps = ' "$DIR/run.log") TPS, $(grep 'latency average' "$DIR/run.log"), $percentiles," \
        "$(grep 'number of failed' "$DIR/run.log")"
    grep -q 'number of failed transactions: 0 ' "$DIR/run.log" || { cat "$DIR/run.log"; exit 1; }
done
check_tpcb "$total"

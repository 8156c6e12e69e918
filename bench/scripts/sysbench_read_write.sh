#!/bin/bash
# sysbench oltp_read_write: prepares, runs, cleans up.
#
# Usage: bench/scripts/sysbench_read_write.sh [TABLES=4] [ROWS=25000] [THREADS=16] [SECONDS=60]
# Prints the times of preparation and clean-up and sysbench's own figures. Ends with code 1 on an error other than those
# that sysbench retries (serialization, deadlock). Environment: see cluster.sh.

source "$(dirname "$0")/cluster.sh"
TABLES=${1:-4} ROWS=${2:-25000} THREADS=${3:-16} TIME=${4:-60}

sysbench_step() {
    sysbench oltp_read_write --db-driver=pgsql --pgsql-host=127.0.0.1 --pgsql-port="$PORT" --pgsql-user=postgres \
        --pgsql-db=postgres --tables="$TABLES" --table-size="$ROWS" --threads="$THREADS" --time="$TIME" "$1" \
        >"$DIR/$1.log" 2>&1 || { cat "$DIR/$1.log"; exit 1; }
}

cluster_start
began=$(now_ms)
sysbench_step prepare
say "prepare: $(($(now_ms) - began)) ms"
sysbench_step run
grep -E 'transactions:|ignored errors:|reconnects:|avg:|95th percentile:|max:' "$DIR/run.log"
began=$(now_ms)
sysbench_step cleanup
say "cleanup: $(($(now_ms) - began)) ms"

#!/usr/bin/env bash
# What each isolation level costs: pgbench's TPC-B at READ COMMITTED, REPEATABLE READ and SERIALIZABLE, on Hexalog (six daemons) and on one
# PostgreSQL without replicas, in turn, on the same device. A transaction that fails with 40001 or 40P01 is tried again, as its client must.
#
#   isolation.sh DIR [SECONDS=8] [ROUNDS=3] [SCALE=20] [CLIENTS=16]
#
# DIR lies on the device under test. Prints one line per run, and the medians. From the environment:
#   LOADS      tpcb, simple (pgbench -N: no rows that all want)  [tpcb simple]
#   MEASURE    a command in front of each round of six runs
# Build first: cargo build --release. As root PostgreSQL runs as `postgres`.
set -euo pipefail

dir=$(realpath -m "${1:?directory}")
seconds=${2:-8}
rounds=${3:-3}
scale=${4:-20}
clients=${5:-16}
root=$(cd "$(dirname "$0")/../.." && pwd)
ours=5643
theirs=6543
binaries=${PG_BINARIES:-$(pg_config --bindir)}
mkdir -p "$dir/postgres"

as_postgres() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }
[ "$(id -u)" != 0 ] || chown postgres "$dir/postgres"

"${CARGO_TARGET_DIR:-$root/target}/release/hexalog" local --data-dir "$dir/hexalog" --listen "127.0.0.1:$ours" \
    >"$dir/hexalog.log" 2>&1 &
cluster=$!
stop() {
    kill "$cluster" 2>/dev/null && wait "$cluster" 2>/dev/null || true
    (cd / && as_postgres "$binaries/pg_ctl" -D "$dir/postgres/data" -m fast -w stop >/dev/null 2>&1) || true
}
trap stop EXIT
[ -d "$dir/postgres/data" ] ||
    (cd / && as_postgres "$binaries/initdb" -D "$dir/postgres/data" -U postgres --no-sync -A trust >/dev/null)
(cd / && as_postgres "$binaries/pg_ctl" -D "$dir/postgres/data" -w -l "$dir/postgres/log" start \
    -o "-p $theirs -c shared_buffers=1GB -c max_wal_size=8GB -c checkpoint_timeout=1h -k /tmp" >/dev/null)
for port in "$ours" "$theirs"; do
    for _ in $(seq 100); do
        psql -h 127.0.0.1 -p "$port" -U postgres -Atc 'select 1' >/dev/null 2>&1 && break
        sleep 0.1
    done
    pgbench -h 127.0.0.1 -p "$port" -U postgres -i -q -s "$scale" postgres >/dev/null 2>&1
done

results=$dir/results.tsv
: >"$results"
run() { # NAME PORT LOAD LEVEL
    local out more=()
    [ "$3" = simple ] && more=(-N)
    out=$(PGOPTIONS="-c default_transaction_isolation=${4// /\\ }" pgbench -h 127.0.0.1 -p "$2" -U postgres -n "${more[@]}" \
        -M prepared -c "$clients" -j 2 -T "$seconds" --max-tries=1000 postgres 2>&1) || { echo "$out" >&2; return 1; }
    awk -v who="$1" -v load="$3" -v level="$4" '
        /^number of transactions actually processed/ { n = $NF + 0 }
        /^total number of retries/ { retries = $NF }
        /^number of failed transactions/ { failed = $5 }
        /^latency average/ { latency = $4 }
        /^tps = / { tps = $3 }
        END { printf "%s\t%s\t%s\t%.0f\t%.2f\t%.2f\t%d\n", who, load, level, tps, latency, n ? retries / n : 0, failed }' <<<"$out" | tee -a "$results"
}

round() { # LOAD
    local level
    for level in 'read committed' 'repeatable read' serializable; do
        run hexalog "$ours" "$1" "$level"
        run postgres "$theirs" "$1" "$level"
    done
}

echo "machine: $(nproc) cores; scale $scale, $clients clients, $seconds s, $rounds rounds"
printf 'who\tload\tlevel\ttps\tmean ms\ttries again each\tfailed\n'
export ours theirs seconds clients results
export -f run round
for load in ${LOADS:-tpcb simple}; do
    for _ in $(seq "$rounds"); do
        # shellcheck disable=SC2086 # a command and its options
        ${MEASURE:-} bash -euo pipefail -c "round $load"
    done
done
echo "medians:"
awk -F'\t' '{ k = $1 "\t" $2 "\t" $3; n[k]++; v[k, n[k]] = $4; r[k] += $6 }
    END { for (k in n) { c = n[k]
        for (i = 1; i <= c; i++) for (j = i + 1; j <= c; j++) if (v[k, j] < v[k, i]) { t = v[k, i]; v[k, i] = v[k, j]; v[k, j] = t }
        printf "%s\t%.0f TPS\t%.2f tries again each\n", k, v[k, int((c + 1) / 2)], r[k] / c } }' "$results" | sort -t"$(printf '\t')" -k2,2 -k1,1

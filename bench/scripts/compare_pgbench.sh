#!/usr/bin/env bash
# pgbench side by side: Hexalog (six daemons, commit at four of six) and PostgreSQL with five synchronous standbys
# (commit at the primary and any three), in turn A B A B, on the same device.
#
#   compare_pgbench.sh DIR [SECONDS=15] [ROUNDS=2] [SCALE=10]
#
# DIR lies on the device under test. Prints one line per run and the medians with their ratio, prepared statements. From the environment:
#   LOADS      what runs: tpcb, select (one row by key), simple (pgbench -N), update (one row by key, alone)  [tpcb select]
#   CLIENTS    [1 16 64]
# Build first: cargo build --release.
set -euo pipefail

dir=$(realpath -m "${1:?directory}")
seconds=${2:-15}
rounds=${3:-2}
scale=${4:-10}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
ours=5633
theirs=6500
mkdir -p "$dir"

"${CARGO_TARGET_DIR:-$root/target}/release/hexalog" local --data-dir "$dir/hexalog" --listen "127.0.0.1:$ours" \
    >"$dir/hexalog.log" 2>&1 &
cluster=$!
stop() {
    kill "$cluster" 2>/dev/null && wait "$cluster" 2>/dev/null || true
    "$here/postgres_quorum.sh" stop "$dir/postgres"
}
trap stop EXIT
"$here/postgres_quorum.sh" start "$dir/postgres" "$theirs"
for _ in $(seq 100); do
    psql -h 127.0.0.1 -p "$ours" -U postgres -Atc 'select 1' >/dev/null 2>&1 && break
    sleep 0.1
done
for port in "$ours" "$theirs"; do
    pgbench -h 127.0.0.1 -p "$port" -U postgres -i -q -s "$scale" postgres >/dev/null 2>&1
done

# cpu_seconds: user and system time of all processes of the cluster so far.
cpu_seconds() { # PIDS...
    local total=0 ticks
    for pid in "$@"; do
        ticks=$(awk '{print $14 + $15}' "/proc/$pid/stat" 2>/dev/null || echo 0)
        total=$((total + ticks))
    done
    awk -v t="$total" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", t / hz }'
}
daemons() { pgrep -P "$cluster" -f '^hexalogd' || true; }
compute() { pgrep -P "$cluster" -f 'hexalog compute' || true; }

results=$dir/results.tsv
: >"$results"
# Only what a load adds to pgbench's options.
load() { # LOAD
    case $1 in
    tpcb) ;;
    select) echo -S ;;
    simple) echo -N ;;
    update) echo "-f $dir/update.sql" ;;
    *) echo "LOADS: $1 is none of tpcb, select, simple, update" >&2; return 1 ;;
    esac
}
cat >"$dir/update.sql" <<'SQL'
\set aid random(1, 100000 * :scale)
\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SQL

run() { # NAME PORT LOAD CLIENTS
    local log=$dir/pgbench-log out tps p
    rm -f "$log".*
    local threads=$(($4 > 1 ? 2 : 1)) daemon_before compute_before
    daemon_before=$(cpu_seconds $(daemons))
    compute_before=$(cpu_seconds $(compute))
    out=$(cd "$dir" && pgbench -h 127.0.0.1 -p "$2" -U postgres -n $(load "$3") -D scale="$scale" -M prepared -c "$4" -j "$threads" -T "$seconds" \
        -l --log-prefix="$log" postgres 2>&1) || { echo "$out" >&2; return 1; }
    tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$out")
    p=$(cat "$log".* | awk '{print $3}' | sort -n | awk '{v[NR]=$1} END {
        printf "%.2f\t%.2f\t%.2f", v[int(NR*0.50)+1]/1000, v[int(NR*0.95)+1]/1000, v[int(NR*0.99)+1]/1000}')
    printf '%s\t%s\t%s\t%s\t%s' "$1" "$3" "$4" "$tps" "$p" | tee -a "$results"
    if [ "$1" = hexalog ]; then
        awk -v d0="$daemon_before" -v d1="$(cpu_seconds $(daemons))" -v c0="$compute_before" -v c1="$(cpu_seconds $(compute))" \
            -v n="$(awk -v t="$tps" -v s="$seconds" 'BEGIN {print t * s}')" \
            'BEGIN { printf "\tcpu s/1000 txn: compute %.3f daemons %.3f", (c1-c0)*1000/n, (d1-d0)*1000/n }'
    fi
    echo
    echo >>"$results"
}

echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg); scale $scale, $seconds s, $rounds rounds"
printf 'who\tmode\tclients\ttps\tp50 ms\tp95 ms\tp99 ms\n'
for clients in ${CLIENTS:-1 16 64}; do
    for mode in ${LOADS:-tpcb select}; do
        for _ in $(seq "$rounds"); do
            run hexalog "$ours" "$mode" "$clients"
            run postgres "$theirs" "$mode" "$clients"
        done
    done
done
echo "medians:"
awk -F'\t' 'NF >= 7 {k = $2 "\t" $3; n[$1 k]++; v[$1 k, n[$1 k]] = $4; keys[k] = 1}
    function median(w, k,   c, i, j, t, a) { c = n[w k]; for (i = 1; i <= c; i++) a[i] = v[w k, i] + 0
        for (i = 1; i <= c; i++) for (j = i + 1; j <= c; j++) if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
        return c % 2 ? a[(c + 1) / 2] : (a[c / 2] + a[c / 2 + 1]) / 2 }
    END { for (k in keys) { o = median("hexalog", k); t = median("postgres", k)
        printf "%s clients: hexalog %.0f, postgres %.0f TPS, ratio %.2f\n", k, o, t, (t > 0 ? o / t : 0) } }' "$results" | sort

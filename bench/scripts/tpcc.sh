#!/usr/bin/env bash
# TPC-C side by side: Hexalog (six daemons, commit at four of six) and PostgreSQL with five synchronous standbys (commit at the
# primary and any three), in turn A B A B, on the same device.
#
#   tpcc.sh DIR [ROUNDS=3] [SECONDS=30]
#
# DIR lies on the device under test. Prints a line for each run, then the median of the paired ratios of tpmC with the least and
# the highest, p99 of New-Order of both, and the twelve consistency conditions of both after the load and after all runs. Ends
# with 1 if one of them is violated or a transaction failed. Needs root (postgres_quorum.sh), the package postgresql, and the
# release builds of hexalog and hexalog-bench. From the environment:
#   WAREHOUSES   [two for each core]           CLIENTS   [ten for each warehouse]
#   HEXALOG      [the release build of this checkout]          BENCH     the same for hexalog-bench
#   OURS, THEIRS ports [5633, 6500]            OPTIONS   further options of hexalog local
#   DRIVER       further options of the runs, such as --no-pipeline, --isolation repeatable-read
#   BAR          [3]                           AROUND    a command that a run is an argument of
set -euo pipefail

dir=$(realpath -m "${1:?directory}")
rounds=${2:-3}
seconds=${3:-30}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
release=${CARGO_TARGET_DIR:-$root/target}/release
hexalog=${HEXALOG:-$release/hexalog}
bench=${BENCH:-$release/hexalog-bench}
ours=${OURS:-5633}
theirs=${THEIRS:-6500}
warehouses=${WAREHOUSES:-$((2 * $(nproc)))}
clients=${CLIENTS:-$((10 * warehouses))}
[ ! -e "$dir/hexalog" ] && [ ! -e "$dir/postgres" ] || { echo "$dir holds an earlier run: remove it or name another" >&2; exit 1; }
mkdir -p "$dir"

# shellcheck disable=SC2086  # OPTIONS is a list of words, and so are DRIVER and AROUND.
"$hexalog" local --data-dir "$dir/hexalog" --listen "127.0.0.1:$ours" ${OPTIONS:-} >"$dir/hexalog.log" 2>&1 &
cluster=$!
stop() {
    kill -INT "$cluster" 2>/dev/null && wait "$cluster" 2>/dev/null || true
    "$here/postgres_quorum.sh" stop "$dir/postgres"
}
trap stop EXIT
"$here/postgres_quorum.sh" start "$dir/postgres" "$theirs"
for _ in $(seq 100); do
    psql -h 127.0.0.1 -p "$ours" -U postgres -d postgres -Atc 'select 1' >/dev/null 2>&1 && break
    sleep 0.1
done

failed=0
tpcc() { # ACTION PORT NAME [OPTION...]
    local action=$1 port=$2 name=$3
    shift 3
    # shellcheck disable=SC2086
    ${AROUND:-} "$bench" tpcc "$action" --connect "127.0.0.1:$port" --warehouses "$warehouses" --clients "$clients" "$@" \
        >"$dir/$name.txt" || failed=1
}
conditions() { # NAME
    local held
    held=$(grep -c '^condition .* holds' "$dir/$1.txt" || true)
    echo "$1: $held of 12 conditions hold"
    grep 'VIOLATED' "$dir/$1.txt" || true
    [ "$held" = 12 ] || failed=1
}

echo "machine: $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg); $warehouses warehouses, $clients terminals, $rounds rounds of $seconds s"
for who in hexalog postgres; do
    port=$([ "$who" = hexalog ] && echo "$ours" || echo "$theirs")
    began=$(date +%s)
    AROUND='' tpcc load "$port" "$who-load"
    echo "$who: loaded and checked in $(($(date +%s) - began)) s"
    conditions "$who-load"
done

pairs=$dir/pairs.tsv
: >"$pairs"
for round in $(seq "$rounds"); do
    line=
    for who in hexalog postgres; do
        port=$([ "$who" = hexalog ] && echo "$ours" || echo "$theirs")
        # shellcheck disable=SC2086
        tpcc run "$port" "$who-$round" --runtime "$seconds" --ramp 5 --no-check ${DRIVER:-}
        tpmc=$(sed -n 's/^tpmC \([0-9]*\):.*/\1/p' "$dir/$who-$round.txt")
        p99=$(sed -n 's/^ *New-Order:.*p99 \([0-9.]*\),.*/\1/p' "$dir/$who-$round.txt")
        again=$(sed -n 's/^tries again: \([0-9]*\).*/\1/p' "$dir/$who-$round.txt")
        bad=$(sed -n 's/^failed: \([0-9]*\).*/\1/p' "$dir/$who-$round.txt")
        echo "$who: tpmC ${tpmc:?no report, see $dir}, New-Order p99 $p99 ms, $again tries again, $bad failed"
        line="$line$tpmc $p99 "
    done
    echo "$line" >>"$pairs"
done
for who in hexalog postgres; do
    port=$([ "$who" = hexalog ] && echo "$ours" || echo "$theirs")
    AROUND='' tpcc check "$port" "$who-after"
    conditions "$who-after"
done

python3 - "$pairs" "${BAR:-3}" <<'PYTHON'
import statistics
import sys

pairs = [[float(word) for word in line.split()] for line in open(sys.argv[1])]
bar = float(sys.argv[2])
ratios = [ours / theirs for ours, _, theirs, _ in pairs]
ratio = statistics.median(ratios)
for name, at in (("hexalog", 0), ("postgres", 2)):
    tpmc, p99 = (statistics.median(pair[at + offset] for pair in pairs) for offset in (0, 1))
    print(f"{name}: median tpmC {tpmc:.0f}, New-Order p99 {p99:.1f} ms")
print(f"ratio of tpmC: median {ratio:.2f} of {len(ratios)} pairs, {min(ratios):.2f} to {max(ratios):.2f}; "
      f"bar {bar:g}: {'met' if ratio >= bar else 'MISSED'}")
PYTHON
exit "$failed"

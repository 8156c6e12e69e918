#!/usr/bin/env bash
# Records acknowledged a second by one shard beside the floor: the same frames from the same load generator to a loop that only
# writes, flushes and acknowledges (bench/examples/bare_loop.rs).
#
#   bench/scripts/acknowledgements.sh DIR
#
# DIR lies on the device under test. Records of 256 bytes: 8 connections with 16 in flight each (bars: acknowledged >= 0.85 times,
# CPU of the server for each <= 1.3 times the bare loop's), 8 with 128, and one alone.
# Environment: see bars.sh, and DURABILITY, which both are told: fsync or dsync. Without it each takes what is faster when it starts,
# which on a machine with neighbours may be one for the one and another for the other.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
BARE=${BARE:-$RELEASE/examples/bare_loop}
[ -x "$BARE" ] || { echo "$BARE is missing: cargo build --release -p hexalog-bench --examples" >&2; exit 1; }
scratch "${1:?directory}"
daemon 256MiB ${DURABILITY:+--durability "$DURABILITY"}
port=$(free_port)
"$BARE" "127.0.0.1:$port" "$DIR/bare" 256m ${DURABILITY:+"$DURABILITY"} >"$DIR/bare.log" 2>&1 &
SERVERS+=($!)
bare_pid=$!
wait_for "$port"

for round in $(seq "$ROUNDS"); do
    for shape in 8x16 8x128 1x1; do
        load=(--target=node --rw=append --numjobs="${shape%x*}" --iodepth="${shape#*x}")
        bench "bare-$shape-$round" "${load[@]}" --address="127.0.0.1:$port" --server_pid=$bare_pid
        bench "node-$shape-$round" "${load[@]}" --address="$DAEMON" --server_pid="$DAEMON_PID"
    done
done

heading "bare loop : daemon" bare daemon
for shape in 8x16 8x128 1x1; do
    least="" most=""
    [ $shape != 8x16 ] || least=">= 0.85" most="<= 1.3"
    ratio "$shape acknowledged (1/s)" "$least" "$(median 0/write/iops bare-$shape)" "$(median 0/write/iops node-$shape)"
    ratio "$shape p50 (ns)" "" "$(median 0/write/lat_ns/percentile/50.000000 bare-$shape)" "$(median 0/write/lat_ns/percentile/50.000000 node-$shape)"
    ratio "$shape p99 (ns)" "" "$(median 0/write/lat_ns/percentile/99.000000 bare-$shape)" "$(median 0/write/lat_ns/percentile/99.000000 node-$shape)"
    ratio "$shape server CPU (us each)" "$most" "$(median 0/hexalog/server_cpu/us_each bare-$shape)" "$(median 0/hexalog/server_cpu/us_each node-$shape)"
done

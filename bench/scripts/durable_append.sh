#!/usr/bin/env bash
# Durable appends of one daemon with one shard beside fio's on the same device, and beside our driver alone.
#
#   bench/scripts/durable_append.sh DIR
#
# DIR lies on the device under test. 64 KiB: bytes a second, bar >= 0.90 of fio. 4 KiB at depth 1: p50 <= 1.20 times, p99 <= 1.5 times fio's.
# fio writes with O_DSYNC, so that its latency holds the flush as ours does. Environment: see bars.sh, and DURABILITY, which the daemon
# is told: dsync is the same flush as fio's. Without it the daemon takes what is faster when it starts.
#
# The daemon is sent frames of 64 KiB, eight records of 8,000 bytes each, two of them in flight, as a writer's connection has; or
# single records that make an append of one block. The records go to 128 pages in turn: few versions of pages are made of
# them, so that it is appending that is measured. "Each its page" is the opposite, told without a bar: every record
# becomes a page version of its size, read, built and written beside the appends.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
scratch "${1:?directory}"
lay_out "$DIR/file" 256
daemon 256MiB ${DURABILITY:+--durability "$DURABILITY"}

hot=(--size=1m)
wide=(--size=256m)
frame=(--bs=8000 --iodepth=16 --records_per_frame=8)
for round in $(seq "$ROUNDS"); do
    for size in 64k 4k; do
        fio_run "fio-$size-$round" --filename="$DIR/file" --rw=write --bs=$size --ioengine=psync --sync=dsync >/dev/null
        bench "driver-$size-$round" --target=device --filename="$DIR/file" --rw=append --bs=$size
        if [ $size = 64k ]; then records=("${frame[@]}" "${hot[@]}"); else records=(--bs=3800 --iodepth=1 "${hot[@]}"); fi
        bench "node-$size-$round" --target=node --address="$DAEMON" --server_pid="$DAEMON_PID" --rw=append "${records[@]}"
    done
    bench "single-64k-$round" --target=node --address="$DAEMON" --rw=append --bs=8000 --iodepth=8 --records_per_frame=8 "${hot[@]}"
    bench "wide-64k-$round" --target=node --address="$DAEMON" --rw=append "${frame[@]}" "${wide[@]}"
done

heading "fio : driver" fio driver
ratio "64 KiB durable (KiB/s)" "" "$(median 0/write/bw fio-64k)" "$(median 0/write/bw driver-64k)"
ratio "4 KiB p50 (ns)" "" "$(median 0/write/clat_ns/percentile/50.000000 fio-4k)" "$(median 0/write/lat_ns/percentile/50.000000 driver-4k)"
heading "fio : one daemon, one shard" fio daemon
ratio "64 KiB durable (KiB/s)" ">= 0.90" "$(median 0/write/bw fio-64k)" "$(median 0/write/bw node-64k)"
ratio "64 KiB, one frame in flight (KiB/s)" "" "$(median 0/write/bw fio-64k)" "$(median 0/write/bw single-64k)"
ratio "64 KiB, each record its page (KiB/s)" "" "$(median 0/write/bw fio-64k)" "$(median 0/write/bw wide-64k)"
for percentile in 50 99; do
    bar="<= 1.20"
    [ $percentile = 50 ] || bar="<= 1.5"
    ratio "4 KiB p$percentile (ns)" "$bar" "$(median 0/write/clat_ns/percentile/$percentile.000000 fio-4k)" \
        "$(median 0/write/lat_ns/percentile/$percentile.000000 node-4k)"
done

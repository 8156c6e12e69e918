#!/usr/bin/env bash
# Random page reads of one shard beside fio's random reads of 8 KiB, at depth 1, 8 and 32; bar >= 0.85 of fio's.
#
#   bench/scripts/cold_reads.sh DIR [MEBIBYTES=512]
#
# DIR lies on the device under test. The pages are written once, in full, by the run itself; by far the most of them are on the
# device then and not in the daemon's memory, and the daemon reads past the page cache, as fio does here. Environment: see
# bars.sh.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
scratch "${1:?directory}"
mebibytes=${2:-512}
lay_out "$DIR/file" "$mebibytes"
daemon 256MiB

for round in $(seq "$ROUNDS"); do
    for depth in 1 8 32; do
        fio_run "fio-$depth-$round" --filename="$DIR/file" --rw=randread --bs=8k --ioengine=io_uring --iodepth=$depth >/dev/null
        bench "node-$depth-$round" --target=node --address="$DAEMON" --server_pid="$DAEMON_PID" --rw=randread --bs=8000 \
            --size="${mebibytes}m" --iodepth=$depth --randseed="$round"
    done
done

heading "fio : daemon" fio daemon
for depth in 1 8 32; do
    ratio "depth $depth reads (1/s)" ">= 0.85" "$(median 0/read/iops fio-$depth)" "$(median 0/read/iops node-$depth)"
    ratio "depth $depth p50 (ns)" "" "$(median 0/read/clat_ns/percentile/50.000000 fio-$depth)" "$(median 0/read/lat_ns/percentile/50.000000 node-$depth)"
    ratio "depth $depth p99 (ns)" "" "$(median 0/read/clat_ns/percentile/99.000000 fio-$depth)" "$(median 0/read/lat_ns/percentile/99.000000 node-$depth)"
done

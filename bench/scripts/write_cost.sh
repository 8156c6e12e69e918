#!/usr/bin/env bash
# What a byte of redo costs the device: writes and bytes of one shard for records of three sizes, as the shard counts them and as the
# kernel does (write_bytes of the process).
#
#   bench/scripts/write_cost.sh DIR
#
# DIR lies on the device under test. 8 connections with 16 records in flight over 64 MiB of pages each. Environment: see bars.sh.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
scratch "${1:?directory}"
daemon 64MiB
written() { awk '/^write_bytes/ {print $2}' "/proc/$DAEMON_PID/io"; }

# The log is written in full ahead, in the background: that is no cost of redo.
settle() {
    local before
    while before=$(written) && sleep 1 && [ "$(written)" != "$before" ]; do :; done
}
settle

heading "" "redo (bytes)" "device (bytes)"
for bs in 40 256 4000; do
    for round in $(seq "$ROUNDS"); do
        before=$(written)
        bench "run-$bs-$round" --target=node --address="$DAEMON" --numjobs=8 --iodepth=16 --bs=$bs --size=64m --ramp_time=0
        echo $(($(written) - before)) >>"$DIR/written-$bs"
    done
    redo=$(median 0/hexalog/counters/redo_bytes run-$bs)
    ratio "bs=$bs, counted by the kernel" "" "$redo" "$(sort -n "$DIR/written-$bs" | sed -n "$(((ROUNDS + 1) / 2))p")"
    for part in append coalesced delta collected checkpoint; do
        bytes=$(median "0/hexalog/counters/${part}_bytes" run-$bs 2>/dev/null || echo 0)
        ratio "bs=$bs, ${part}_bytes" "" "$redo" "$bytes"
    done
    ratio "bs=$bs, records : appends" "" "$(median 0/hexalog/counters/records run-$bs)" "$(median 0/hexalog/counters/appends run-$bs)"
done

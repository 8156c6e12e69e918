#!/usr/bin/env bash
# What the background costs the foreground: latency of 200 durable records a second alone, and while another volume of the same
# shard is written so that its pages are coalesced, collected and checkpointed all the time.
#
#   bench/scripts/background.sh DIR
#
# DIR lies on the device under test. Records of the other volume are large and go to many pages: each makes work. What is on the
# device is scrubbed as fast as the daemon can be told to. Bar: p99 <= 1.3 times. Latency counts from
# the intended time, so that what waits is not left out. Environment: see bars.sh.
#
# The other volume's own appends are in the way too, whatever is done in the background. So there is a control: the same load on
# a few pages, of which hardly any version is written.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
scratch "${1:?directory}"
daemon 64MiB --scrub-hours 1

foreground=(--name=foreground --rw=append --bs=100 --rate_iops=200 --iodepth=16)
for round in $(seq "$ROUNDS"); do
    bench "alone-$round" --target=node --address="$DAEMON" "${foreground[@]}"
    bench "beside-$round" --target=node --address="$DAEMON" "${foreground[@]}" \
        --name=background --rw=append --bs=4000 --size=256m --numjobs=2 --iodepth=8 --server_pid="$DAEMON_PID"
    bench "control-$round" --target=node --address="$DAEMON" "${foreground[@]}" \
        --name=background --rw=append --bs=4000 --size=64k --numjobs=2 --iodepth=8 --server_pid="$DAEMON_PID"
done

heading "foreground alone : beside the background" alone beside
for percentile in 50 99 99.9; do
    path=0/write/lat_ns/percentile/$(printf %.6f $percentile)
    bar=""
    [ "$percentile" != 99 ] || bar="<= 1.3"
    ratio "p$percentile (ns)" "$bar" "$(median "$path" alone)" "$(median "$path" beside)"
done
heading "foreground beside the control : background" control beside
for percentile in 50 99 99.9; do
    path=0/write/lat_ns/percentile/$(printf %.6f $percentile)
    ratio "p$percentile (ns)" "" "$(median "$path" control)" "$(median "$path" beside)"
done
echo "control, bytes a second: $(median 1/write/bw_bytes control) of redo"
echo "background, bytes a second: $(median 1/write/bw_bytes beside) of redo," \
    "coalesced in a run: $(median 1/hexalog/counters/coalesced_bytes beside)"

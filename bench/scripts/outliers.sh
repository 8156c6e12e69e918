#!/usr/bin/env bash
# Commits at the quorum and page reads with one node slow, one dead, a zone gone, beside all well.
#
#   bench/scripts/outliers.sh DIR [RATE=200]
#
# DIR lies on the device under test. Each run starts six daemons of its own. RATE commits a second in all, and as many reads, well below
# what the cluster can do, so that latency tells of the outlier and not of a queue; it counts from the intended time. Node 3 is
# slow by 20 ms all the time; it dies, or zone b falls silent, a third into the run. Pages of plots are left in DIR. Environment:
# see bars.sh.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
target=${1:?directory}
scratch "$target"
rate=${2:-200}
third=$((SECONDS_EACH / 3))
cases=(well slow dead zone)
declare -A harm=([well]="" [slow]="--slow_node=3=20ms" [dead]="--kill_node=3@${third}s" [zone]="--stop_az=b@${third}s")

for round in $(seq "$ROUNDS"); do
    for case in "${cases[@]}"; do
        # shellcheck disable=SC2086  # At most one word.
        bench "$case-$round" --target=volume --directory="$DIR" --rw=randrw --rate_iops=$((rate / 4)) --numjobs=8 --iodepth=16 \
            --records_per_commit=9 --bs=40 --plot="$target/outliers-$case.html" ${harm[$case]}
    done
done

for side in write read; do
    heading "$side, all well : outlier" well outlier
    for case in slow dead zone; do
        for percentile in 50 99 99.9; do
            path=0/$side/lat_ns/percentile/$(printf %.6f $percentile)
            ratio "$case p$percentile (ns)" "" "$(median "$path" well)" "$(median "$path" $case)"
        done
    done
done

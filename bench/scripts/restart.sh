#!/usr/bin/env bash
# What a daemon of one shard with so many GiB of pages holds in memory, and how long it takes to start again after kill -9.
#
#   bench/scripts/restart.sh DIR [GIB...]
#
# DIR lies on the device under test and has twice the space. Every page of the size (1 and 10 GiB unless told otherwise) is written once, in segments of a GiB;
# then come SECONDS_EACH of random records in other segments, so that the log holds something when the daemon is killed. Memory is its
# resident size at rest and the highest that it had (VmRSS, VmHWM). It is ready when it takes writes; reads wait until it has its index. Environment: see bars.sh.

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
scratch "${1:?directory}"
shift
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(1 10)

memory() { awk -v name="$1:" '$1 == name { printf "%.0f", $2 / 1024 }' "/proc/$DAEMON_PID/status"; }
since_ms() { echo $((($(date +%s%N) - $1) / 1000000)); }

printf '%-10s %12s %12s %14s %14s %16s %s\n' "pages" "RSS (MiB)" "peak (MiB)" "ready (ms)" "index (ms)" "peak then (MiB)" "it says"
for gib in "${sizes[@]}"; do
    DEVICE_BYTES="$((gib * 2 + 2))GiB" daemon 256MiB
    bench "fill-$gib" --target=node --address="$DAEMON" --rw=randread --numjobs="$gib" --size=1g --iodepth=1 --runtime=1 >/dev/null
    bench "load-$gib" --target=node --address="$DAEMON" --rw=append --size=64m --bs=256 --numjobs=8 --iodepth=16 >/dev/null
    rss=$(memory VmRSS)
    peak=$(memory VmHWM)
    port=${DAEMON##*:}
    kill -9 "$DAEMON_PID"
    wait "$DAEMON_PID" 2>/dev/null || true
    begin=$(date +%s%N)
    (exec -a hexalogd "$BENCH" --node 1 --listen "$DAEMON" --data-dir "$DIR/daemon-$port") >"$DIR/again-$gib.log" 2>&1 &
    DAEMON_PID=$!
    SERVERS+=("$DAEMON_PID")
    until grep -q ' ready on ' "$DIR/again-$gib.log"; do
        kill -0 "$DAEMON_PID"
        sleep 0.005
    done
    took=$(since_ms "$begin")
    until grep -q 'the index is loaded' "$DIR/again-$gib.log"; do
        kill -0 "$DAEMON_PID"
        sleep 0.005
    done
    loaded=$(since_ms "$begin")
    said=$(grep -o '[0-9]* segments, [0-9]* appends scanned' "$DIR/again-$gib.log")
    printf '%-10s %12s %12s %14s %14s %16s %s\n' "$gib GiB" "$rss" "$peak" "$took" "$loaded" "$(memory VmHWM)" "$said"
    kill "$DAEMON_PID"
    wait "$DAEMON_PID" || true
    rm -rf "$DIR/daemon-$port"
done

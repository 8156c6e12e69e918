#!/usr/bin/env bash
# What a loud volume costs a quiet one on the same shard: a fixed low rate of durable records and page reads of one volume alone,
# beside a volume that writes as fast as it can, and beside one that reads as fast as it can.
#
#   bench/scripts/fairness.sh DIR
#
# DIR lies on the device under test. The loud volume has more under way than the shard takes of all volumes together: 16 MB of
# records, so that appends, log and memory are full, or 512 page reads. Its frames are small and the quiet one's records
# large: they would fit into nothing that the loud one leaves. Latency counts from the intended time, so that what was refused and
# sent again is not left out. Bars: the quiet volume gets the rate that it asks for (>= 0.99), no frame of it is refused,
# p50 and p99 <= 10 times. It waits for the loud one's share of two appends, or of what the device reads at once, and not for all that
# the loud one wants. Ten is a guess: with other work on the cores it says little, and the
# refusals say more.
# Environment: see bars.sh; QUIET_IOPS [200], records and reads a second together; LOUD_WRITES [4096], LOUD_READS [512].

source "$(dirname "${BASH_SOURCE[0]}")/bars.sh"
scratch "${1:?directory}"
# Small enough to be full before it is measured.
daemon 64MiB
QUIET_IOPS=${QUIET_IOPS:-200}
LOUD_WRITES=${LOUD_WRITES:-4096}
LOUD_READS=${LOUD_READS:-512}

quiet=(--name=quiet --rw=randrw --bs=8000 --size=16m --rate_iops="$QUIET_IOPS" --iodepth=16)
for round in $(seq "$ROUNDS"); do
    bench "alone-$round" --target=node --address="$DAEMON" "${quiet[@]}"
    bench "writes-$round" --target=node --address="$DAEMON" "${quiet[@]}" \
        --name=loud --rw=append --bs=4000 --size=64m --iodepth="$LOUD_WRITES" --records_per_frame=4
    bench "reads-$round" --target=node --address="$DAEMON" "${quiet[@]}" \
        --name=loud --rw=randread --bs=4000 --size=64m --iodepth="$LOUD_READS"
done

# refused NAME: frames of the first job that were refused, in all rounds.
refused() {
    python3 - "$DIR/$1"-*.json <<'PYTHON'
import json, re, sys

total = 0
for file in sys.argv[1:]:
    text = open(file).read()
    job = json.loads(text[text.index("{"):])["jobs"][0]
    total += sum(int(count) for line in job["hexalog"]["lines"] for count in re.findall("refused .*: ([0-9]+)", line))
print(total)
PYTHON
}

for loud in writes reads; do
    heading "quiet alone : beside loud $loud" alone beside
    for direction in write read; do
        ratio "${direction}s a second" ">= 0.99" "$(median 0/$direction/iops alone)" "$(median 0/$direction/iops $loud)"
        for percentile in 50 99; do
            path=0/$direction/lat_ns/percentile/$(printf %.6f $percentile)
            ratio "$direction p$percentile (ns)" "<= 10" "$(median "$path" alone)" "$(median "$path" $loud)"
        done
    done
    count=$(refused $loud)
    echo "frames of the quiet volume refused: $count  0 $([ "$count" = 0 ] && echo met || echo MISSED)"
done
echo "loud: $(median 1/write/iops writes) records, $(median 1/read/iops reads) pages a second"

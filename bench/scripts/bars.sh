# What the scripts beside this file that measure storage share; they source it.
#
# Needs: cargo build --release -p hexalog-bench --examples, python3, and fio for those that compare with it. From the environment:
#   BENCH     the binary                    [the release build of this checkout, or of CARGO_TARGET_DIR]
#   SECONDS_EACH, ROUNDS                    [10, 5]
#
# Rounds go A B A B, so that a neighbour's load meets both alike; what is printed are medians and their ratio. Every process is ended
# by its id when the script ends, and the scratch directory is removed.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
RELEASE=${CARGO_TARGET_DIR:-$ROOT/target}/release
BENCH=${BENCH:-$RELEASE/hexalog-bench}
SECONDS_EACH=${SECONDS_EACH:-10}
ROUNDS=${ROUNDS:-5}
DIR=
SERVERS=()

[ -x "$BENCH" ] || { echo "$BENCH is missing: cargo build --release -p hexalog-bench --examples" >&2; exit 1; }

# scratch DIR: makes the scratch directory in it.
scratch() {
    mkdir -p "$1"
    DIR=$(mktemp -d -p "$(cd "$1" && pwd)" hexalog-bars-XXXXXX)
    trap finish EXIT
}

finish() {
    local pid
    for pid in "${SERVERS[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [ -n "$DIR" ] && rm -rf "$DIR"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for PORT: until something listens there.
wait_for() {
    for _ in $(seq 300); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    cat "$DIR"/*.log >&2
    return 1
}

# daemon LOG_BYTES [OPTION...]: one storage daemon of one shard; its address in DAEMON, its process in DAEMON_PID.
daemon() {
    local port log_bytes=$1
    shift
    port=$(free_port)
    DAEMON=127.0.0.1:$port
    (exec -a hexalogd "$BENCH" format --node 1 --data-dir "$DIR/daemon-$port" --log-bytes "$log_bytes" ${DEVICE_BYTES:+--device-bytes "$DEVICE_BYTES"}) >"$DIR/daemon-$port.log" 2>&1
    (exec -a hexalogd "$BENCH" --node 1 --listen "$DAEMON" --data-dir "$DIR/daemon-$port" "$@") >>"$DIR/daemon-$port.log" 2>&1 &
    DAEMON_PID=$!
    SERVERS+=("$DAEMON_PID")
    wait_for "$port"
}

# bench NAME OPTION...: one run; its report goes to $DIR/NAME.json.
bench() {
    local name=$1
    shift
    "$BENCH" --runtime="$SECONDS_EACH" --output-format=json --output="$DIR/$name.json" --eta=never "$@"
}

# fio_run NAME OPTION...: the same with fio, on a file that is written in full before.
fio_run() {
    local name=$1
    shift
    fio --name="$name" --direct=1 --time_based --runtime="$SECONDS_EACH" --ramp_time=1 --output-format=json --output="$DIR/$name.json" "$@"
}

# lay_out FILE MEBIBYTES
lay_out() { dd if=/dev/zero of="$1" bs=1M count="$2" oflag=direct status=none; sync "$1"; }

# median PATH NAME...: of one field over the reports of all rounds. A path is job/part/part, such as 0/write/iops.
median() {
    local path=$1
    shift
    python3 - "$DIR" "$path" "$@" <<'PYTHON'
import glob, json, statistics, sys

directory, path, names = sys.argv[1], sys.argv[2], sys.argv[3:]


def field(report):
    value = report["jobs"]
    for part in path.split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return float(value)


values = []
for name in names:
    for file in glob.glob(f"{directory}/{name}-*.json"):
        text = open(file).read()
        values.append(field(json.loads(text[text.index("{"):])))
print(f"{statistics.median(values):.6g}")
PYTHON
}

# ratio LABEL BAR A B: one line; the bar is what the ratio b / a is held against, such as ">= 0.90".
ratio() {
    python3 - "$@" <<'PYTHON'
import sys

label, bar, a, b = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
ratio = b / a if a else float("nan")
verdict = ""
if bar:
    word, limit = bar.split()
    verdict = "met" if (ratio >= float(limit) if word == ">=" else ratio <= float(limit)) else "MISSED"
print(f"{label:<44}{a:>14.1f}{b:>14.1f}{ratio:>9.3f}  {bar} {verdict}")
PYTHON
}

heading() { printf '%-44s%14s%14s%9s\n' "$1" "$2" "$3" ratio; }

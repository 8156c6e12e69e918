#!/usr/bin/env bash
# Analytical queries beside PostgreSQL on the same machine, all data cached: TPC-H Q1, Q3, Q5, Q6, Q10, and a scan with filter and
# aggregates over a million rows.
#
#   bench/scripts/tpch.sh DIR [ROUNDS=5] [SCALE=0.1] [ROWS=1000000]
#
# DIR lies on the device that data may go to (about 3 GiB at scale 0.1: ours is kept six times). Starts `hexalog local` and a PostgreSQL,
# loads both with the same rows (bench/examples/tpch_rows.rs) by COPY, analyzes both, and asks in turn A B A B. Primary keys are the only
# indexes, on both sides. Answers of both must be equal, or the script fails. PostgreSQL runs as it comes (JIT on, workers in parallel)
# with room for all data in shared_buffers, and a second time with max_parallel_workers_per_gather = 0. Prints medians and PostgreSQL's
# time divided by ours: above 1 we are faster. What is kept in DIR/results: every time, our plans, both answers.
# Bars: scan >= 1.0, each query >= 0.3, all queries together >= 0.7 times PostgreSQL's speed.
#
# Needs: cargo build --release -p hexalog && cargo build --release -p hexalog-bench --examples; psql, python3; root for PostgreSQL, which
# then runs as the user postgres. Environment: see cluster.sh; ROWS_OF, the generator.
# What it measures are ratios of interleaved runs; times of a machine that has other work are no figures.

base=$(realpath -m "${1:?directory}")
mkdir -p "$base/results"
SCRATCH=$base
source "$(dirname "${BASH_SOURCE[0]}")/cluster.sh"
ROUNDS=${2:-5} SCALE=${3:-0.1} FACTS=${4:-1000000}
ROWS_OF=${ROWS_OF:-${CARGO_TARGET_DIR:-$ROOT/target}/release/examples/tpch_rows}
RESULTS=$base/results
SEED=1
# Bounds what one step may take, so that a server that hangs ends the run.
LIMIT=900
[ -x "$ROWS_OF" ] || { echo "$ROWS_OF is missing: cargo build --release -p hexalog-bench --examples" >&2; exit 1; }

bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
as_postgres() { (cd / && runuser -u postgres -- "$@"); }

postgres_start() {
    THEIRS=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    chmod a+rx "$DIR"
    mkdir "$DIR/postgres"
    chown postgres "$DIR/postgres"
    as_postgres "$bin/initdb" -D "$DIR/postgres/data" -U postgres -A trust --locale=C -E UTF8 >/dev/null
    cat >>"$DIR/postgres/data/postgresql.conf" <<CONF
port = $THEIRS
listen_addresses = '127.0.0.1'
unix_socket_directories = '$DIR/postgres'
shared_buffers = 1GB
effective_cache_size = 2GB
max_wal_size = 8GB
CONF
    as_postgres "$bin/pg_ctl" -D "$DIR/postgres/data" -l "$DIR/postgres/log" -w start >/dev/null
}

stop_both() {
    [ -f "$DIR/postgres/data/postmaster.pid" ] && as_postgres "$bin/pg_ctl" -D "$DIR/postgres/data" -m immediate stop >/dev/null
    cluster_end
}

# A server by its name: hexalog, postgres, or postgres-serial.
ask() { # SERVER PSQL_OPTION...
    local port=$PORT options=
    case $1 in
    postgres) port=$THEIRS ;;
    postgres-serial) port=$THEIRS options="-c max_parallel_workers_per_gather=0" ;;
    esac
    shift
    PGOPTIONS=$options timeout "$LIMIT" psql -XAqt -v ON_ERROR_STOP=1 -p "$port" "$@"
}

TABLES="region nation supplier customer part partsupp orders lineitem"
schema() {
    cat <<'SQL'
create table region (r_regionkey integer primary key, r_name char(25) not null, r_comment varchar(152));
create table nation (n_nationkey integer primary key, n_name char(25) not null, n_regionkey integer not null, n_comment varchar(152));
create table supplier (s_suppkey integer primary key, s_name char(25) not null, s_address varchar(40) not null,
    s_nationkey integer not null, s_phone char(15) not null, s_acctbal numeric(15,2) not null, s_comment varchar(101) not null);
create table customer (c_custkey integer primary key, c_name varchar(25) not null, c_address varchar(40) not null,
    c_nationkey integer not null, c_phone char(15) not null, c_acctbal numeric(15,2) not null, c_mktsegment char(10) not null,
    c_comment varchar(117) not null);
create table part (p_partkey integer primary key, p_name varchar(55) not null, p_mfgr char(25) not null, p_brand char(10) not null,
    p_type varchar(25) not null, p_size integer not null, p_container char(10) not null, p_retailprice numeric(15,2) not null,
    p_comment varchar(23) not null);
create table partsupp (ps_partkey integer not null, ps_suppkey integer not null, ps_availqty integer not null,
    ps_supplycost numeric(15,2) not null, ps_comment varchar(199) not null, primary key (ps_partkey, ps_suppkey));
create table orders (o_orderkey integer primary key, o_custkey integer not null, o_orderstatus char(1) not null,
    o_totalprice numeric(15,2) not null, o_orderdate date not null, o_orderpriority char(15) not null, o_clerk char(15) not null,
    o_shippriority integer not null, o_comment varchar(79) not null);
create table lineitem (l_orderkey integer not null, l_partkey integer not null, l_suppkey integer not null,
    l_linenumber integer not null, l_quantity numeric(15,2) not null, l_extendedprice numeric(15,2) not null,
    l_discount numeric(15,2) not null, l_tax numeric(15,2) not null, l_returnflag char(1) not null, l_linestatus char(1) not null,
    l_shipdate date not null, l_commitdate date not null, l_receiptdate date not null, l_shipinstruct char(25) not null,
    l_shipmode char(10) not null, l_comment varchar(44) not null, primary key (l_orderkey, l_linenumber));
create table facts (id integer primary key, category integer not null, measure integer not null, amount numeric(12,2) not null,
    ratio double precision not null, note varchar(40) not null);
SQL
}

# The queries of the specification with its validation parameters (clauses 2.4.1 to 2.4.10), and the scan.
query() {
    case $1 in
    q1) cat <<'SQL'
select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty, sum(l_extendedprice) as sum_base_price,
    sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
    sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge,
    avg(l_quantity) as avg_qty, avg(l_extendedprice) as avg_price, avg(l_discount) as avg_disc, count(*) as count_order
from lineitem
where l_shipdate <= date '1998-12-01' - interval '90' day
group by l_returnflag, l_linestatus
order by l_returnflag, l_linestatus
SQL
        ;;
    q3) cat <<'SQL'
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
from customer, orders, lineitem
where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey
    and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
group by l_orderkey, o_orderdate, o_shippriority
order by revenue desc, o_orderdate
limit 10
SQL
        ;;
    q5) cat <<'SQL'
select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
from customer, orders, lineitem, supplier, nation, region
where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey and c_nationkey = s_nationkey
    and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'ASIA'
    and o_orderdate >= date '1994-01-01' and o_orderdate < date '1994-01-01' + interval '1' year
group by n_name
order by revenue desc
SQL
        ;;
    q6) cat <<'SQL'
select sum(l_extendedprice * l_discount) as revenue
from lineitem
where l_shipdate >= date '1994-01-01' and l_shipdate < date '1994-01-01' + interval '1' year
    and l_discount between 0.06 - 0.01 and 0.06 + 0.01 and l_quantity < 24
SQL
        ;;
    q10) cat <<'SQL'
select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue, c_acctbal, n_name, c_address, c_phone, c_comment
from customer, orders, lineitem, nation
where c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate >= date '1993-10-01'
    and o_orderdate < date '1993-10-01' + interval '3' month and l_returnflag = 'R' and c_nationkey = n_nationkey
group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
order by revenue desc
limit 20
SQL
        ;;
    scan) cat <<'SQL'
select count(*), sum(measure), min(measure), max(ratio), avg(ratio) from facts where measure < 500 and category <> 7
SQL
        ;;
    scan-grouped) cat <<'SQL'
select category, count(*), sum(measure), sum(amount), avg(ratio) from facts where measure between 100 and 899 group by category order by category
SQL
        ;;
    esac
}
QUERIES="q1 q3 q5 q6 q10"
SCANS="scan scan-grouped"

load() { # SERVER
    local began table
    began=$(now_ms)
    schema | ask "$1"
    for table in $TABLES; do
        "$ROWS_OF" "$table" "$SCALE" "$SEED" | ask "$1" -c "copy $table from stdin (delimiter '|')"
    done
    "$ROWS_OF" facts "$FACTS" "$SEED" | ask "$1" -c "copy facts from stdin (delimiter '|')"
    for table in $TABLES facts; do
        # VACUUM is PostgreSQL's alone to need: it spares its scans the look at each row's transaction.
        case $1 in
        hexalog) ask "$1" -c "analyze $table" ;;
        *) ask "$1" -c "vacuum (analyze, freeze) $table" ;;
        esac
    done
    say "$1: loaded in $(($(now_ms) - began)) ms"
}

measure() { # SERVER QUERY ROUND
    local ms
    ms=$({ echo '\timing on'; echo '\o /dev/null'; query "$2"; echo ';'; } | ask "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p')
    [ -n "$ms" ] || { echo "$1 did not answer $2" >&2; exit 1; }
    printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$ms" >>"$RESULTS/times.tsv"
}

cluster_start
trap stop_both EXIT
postgres_start
load postgres
load hexalog
: >"$RESULTS/times.tsv"
for name in $SCANS $QUERIES; do
    query "$name" | ask hexalog >"$RESULTS/$name.hexalog"
    query "$name" | ask postgres >"$RESULTS/$name.postgres"
    { echo "explain (analyze, timing off)"; query "$name"; } | ask hexalog >"$RESULTS/$name.plan"
    { echo "explain (analyze, timing off)"; query "$name"; } | ask postgres >"$RESULTS/$name.plan.postgres"
    diff "$RESULTS/$name.postgres" "$RESULTS/$name.hexalog" >"$RESULTS/$name.diff" ||
        { echo "$name: answers differ, see $RESULTS/$name.diff" >&2; exit 1; }
done
say "answers are equal ($(wc -l "$RESULTS"/*.hexalog | tail -1 | awk '{print $1}') rows)"
for round in $(seq "$ROUNDS"); do
    for name in $SCANS $QUERIES; do
        for server in hexalog postgres postgres-serial; do
            measure "$server" "$name" "$round"
        done
    done
done

python3 - "$RESULTS/times.tsv" "$SCANS" "$QUERIES" <<'PYTHON'
import collections, statistics, sys

file, scans, queries = sys.argv[1], sys.argv[2].split(), sys.argv[3].split()
times = collections.defaultdict(list)
for line in open(file):
    server, query, _, ms = line.split("\t")
    times[server, query].append(float(ms))
median = {key: statistics.median(values) for key, values in times.items()}


def line(label, bar, total):
    ours, theirs, serial = (total(server) for server in ("hexalog", "postgres", "postgres-serial"))
    verdict = "met" if theirs / ours >= bar else "MISSED"
    against = "met" if serial / ours >= bar else "MISSED"
    print(f"{label:<14}{ours:>10.1f}{theirs:>10.1f}{serial:>10.1f}{theirs / ours:>9.2f}{serial / ours:>9.2f}  >= {bar} {verdict}, serial {against}")


print(f"{'median ms':<14}{'ours':>10}{'postgres':>10}{'serial':>10}{'ratio':>9}{'serial':>9}")
for query in scans:
    line(query, 1.0, lambda server: median[server, query])
for query in queries:
    line(query, 0.3, lambda server: median[server, query])
line("TPC-H, whole", 0.7, lambda server: sum(median[server, query] for query in queries))
PYTHON

#!/usr/bin/env bash
# The peer that our users would run instead: a PostgreSQL primary with five synchronous standbys on loopback, where a
# commit is acknowledged by the primary and any three standbys: four copies of six, as in Hexalog.
#
#   postgres_quorum.sh start DIR [PORT]    the primary listens on PORT (default 6500), standbys on the five above
#   postgres_quorum.sh stop DIR
#
# Needs root (initdb refuses to run as root, so the servers run as user postgres) and the package postgresql.
# DIR should lie on the device that Hexalog's data lies on.
set -euo pipefail

command=${1:?start or stop}
dir=$(realpath -m "${2:?directory}")
port=${3:-6500}
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
as_postgres() { (cd / && runuser -u postgres -- "$@"); }

configure() { # DATA PORT SHARED_BUFFERS
    cat >>"$1/postgresql.conf" <<CONF
port = $2
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
shared_buffers = $3
max_connections = 600
max_wal_senders = 12
max_wal_size = 16GB
checkpoint_timeout = 15min
synchronous_commit = on
CONF
}

case $command in
start)
    mkdir -p "$dir"
    chown postgres "$dir"
    as_postgres "$bin/initdb" -D "$dir/primary" -U postgres -A trust >/dev/null
    configure "$dir/primary" "$port" 2GB
    as_postgres "$bin/pg_ctl" -D "$dir/primary" -l "$dir/primary.log" -w start >/dev/null
    names=
    for i in 1 2 3 4 5; do
        as_postgres "$bin/pg_basebackup" -h 127.0.0.1 -p "$port" -U postgres -D "$dir/standby$i" -X stream -c fast
        configure "$dir/standby$i" $((port + i)) 256MB
        echo "primary_conninfo = 'host=127.0.0.1 port=$port user=postgres application_name=standby$i'" \
            >>"$dir/standby$i/postgresql.auto.conf"
        as_postgres touch "$dir/standby$i/standby.signal"
        as_postgres "$bin/pg_ctl" -D "$dir/standby$i" -l "$dir/standby$i.log" -w start >/dev/null
        names=${names:+$names,}standby$i
    done
    as_postgres "$bin/psql" -h 127.0.0.1 -p "$port" -U postgres -q \
        -c "alter system set synchronous_standby_names = 'ANY 3 ($names)'" -c 'select pg_reload_conf()' >/dev/null
    for _ in $(seq 50); do
        ready=$(as_postgres "$bin/psql" -h 127.0.0.1 -p "$port" -U postgres -Atc \
            "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'quorum'")
        [ "$ready" = 5 ] && exit 0
        sleep 0.2
    done
    echo "only $ready of 5 standbys stream; see $dir/*.log" >&2
    exit 1
    ;;
stop)
    for data in "$dir"/standby? "$dir/primary"; do
        [ -f "$data/postmaster.pid" ] && as_postgres "$bin/pg_ctl" -D "$data" -m immediate stop >/dev/null || true
    done
    ;;
*)
    echo "usage: $0 start|stop DIR [PORT]" >&2
    exit 2
    ;;
esac

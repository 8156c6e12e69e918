//! Unmodified clients against a cluster: psql, pgbench, sysbench, psycopg, and our own `hexalog sql`.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::bench;
use harness::process::{run_limited, start_limited};
use harness::{COMMAND_MAX, Cluster, HEXALOG};
use std::process::Command;
use std::time::Duration;

/// pgbench's four default steps, then its TPC-B transaction in all three protocols; the sums that every transaction
/// moves together stay equal and history holds exactly what was committed.
#[test]
fn pgbench_in_all_three_protocols() {
    let cluster = Cluster::start(&[]);
    bench::initialize(&cluster, 1);
    let mut committed = 0;
    for protocol in ["simple", "extended", "prepared"] {
        committed += bench::run(&cluster, &["-M", protocol, "-c", "8", "-j", "2"], 5);
    }
    bench::check_sums(&cluster);
    assert_eq!(bench::history_count(&cluster), committed);
    for builtin in ["select-only", "simple-update"] {
        bench::run(&cluster, &["-b", builtin, "-M", "prepared", "-c", "4"], 2);
    }
    cluster.stop();
}

/// After a bulk load on a cluster in which all is well no member is behind for long, none was left behind by its peers or
/// had to fetch pages, and nearly all that a member has came from the writer: once two of six stayed 250,000 LSNs behind,
/// and commits rested on exactly a write quorum.
#[test]
fn a_bulk_load_leaves_every_member_whole() {
    let cluster = Cluster::start(&[]);
    bench::initialize(&cluster, 2);
    cluster.sql("create index on pgbench_accounts (abalance)");
    cluster.wait_until_caught_up();
    let status = cluster.status();
    for daemon in status["daemons"].as_array().expect("a list") {
        let counter = |name: &str| daemon["counters"][name].as_u64().expect(name);
        for name in ["members_beyond_retention", "hydrations_decided", "segments_hydrated"] {
            assert_eq!(counter(name), 0, "{name} of daemon {}", daemon["node"]);
        }
    }
    let sum = |name: &str| {
        let daemons = status["daemons"].as_array().expect("a list").iter();
        daemons.map(|daemon| daemon["counters"][name].as_u64().expect(name)).sum::<u64>()
    };
    let (gossip, all) = (sum("gossip_batches"), sum("batches"));
    assert!(gossip * 4 < all, "{gossip} of {all} batches came through gossip");
    cluster.stop();
}

#[test]
fn psql_meta_commands_and_errors() {
    let cluster = Cluster::start(&[]);
    cluster.sql("create table people (id int primary key, name varchar(20) not null)");
    let tables = cluster.sql("\\dt");
    assert!(tables.contains("people"), "{tables}");
    cluster.sql("insert into people values (1, 'Ada')");
    for (sql, sqlstate) in [
        ("insert into people values (1, 'Bob')", "23505"),
        ("insert into people values (2, null)", "23502"),
        ("select * from nobody", "42P01"),
        ("select 1/0", "22012"),
        ("selec 1", "42601"),
    ] {
        let error = cluster.psql(sql).expect_err(sql);
        assert!(error.contains(sqlstate), "{sql}: {error}");
    }
    assert_eq!(cluster.sql("select name from people"), "Ada");
    assert_eq!(
        cluster.sql("begin; insert into people values (3, 'Eve'); rollback; select count(*) from people"),
        "1"
    );
    cluster.stop();
}

#[test]
fn copy_from_standard_input() {
    let cluster = Cluster::start(&[]);
    cluster.sql("create table t (id int primary key, word text)");
    let script = cluster.data_dir.join("copy.sql");
    let rows: String = (0..5000).map(|id| format!("{id}\tword {id}\n")).collect();
    std::fs::write(&script, format!("copy t from stdin;\n{rows}\\.\n")).expect("script");
    let mut command = Command::new("psql");
    command
        .args(["-h", "127.0.0.1", "-p", &cluster.port.to_string(), "-U", "postgres", "-X", "-f"])
        .arg(&script);
    let output = run_limited(command.arg("postgres"), COMMAND_MAX);
    assert!(output.is_success && output.stdout.contains("COPY 5000"), "{output:?}");
    assert_eq!(cluster.sql("select count(*), sum(id), max(word) from t"), "5000|12497500|word 999");
    cluster.stop();
}

/// A statement that waits for a row is cancelled by a CancelRequest (psql sends one on SIGINT) and by
/// statement_timeout; the session goes on.
#[test]
fn cancel_and_timeouts() {
    let cluster = Cluster::start(&[]);
    cluster.sql("create table t (id int primary key, v int); insert into t values (1, 1)");
    let port = cluster.port.to_string();
    let holder = Command::new("psql")
        .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-X", "-q", "postgres"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut holder = holder.expect("psql starts");
    let mut input = holder.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, b"begin; update t set v = 2 where id = 1;\n").expect("psql reads");
    harness::process::wait_until(COMMAND_MAX, "the row to be locked", || {
        // Until the holder has it the probe succeeds, and must change nothing.
        let probe = "set statement_timeout = 300; update t set v = v where id = 1";
        cluster.psql(probe).is_err_and(|error| error.contains("57014"))
    });
    let mut waiter = Command::new("psql");
    waiter.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-X", "-v", "VERBOSITY=verbose"]);
    let mut waiter = start_limited(waiter.args(["-c", "update t set v = 4 where id = 1", "postgres"]));
    std::thread::sleep(Duration::from_millis(500));
    assert!(waiter.is_running(), "the statement waits for the row");
    waiter.interrupt();
    let output = waiter.wait(COMMAND_MAX);
    assert!(output.stderr.contains("57014") && output.stderr.contains("user request"), "{output:?}");
    drop(input);
    holder.wait().expect("psql ends");
    assert_eq!(
        cluster.sql("update t set v = v + 10 where id = 1 returning v"),
        "11",
        "the holder rolled back"
    );
    cluster.stop();
}

#[test]
fn our_own_client() {
    let cluster = Cluster::start(&[]);
    let connect = format!("127.0.0.1:{}", cluster.port);
    let run = |arguments: &[&str]| {
        run_limited(Command::new(HEXALOG).args(["sql", "--connect", &connect]).args(arguments), COMMAND_MAX)
    };
    let output =
        run(&["-c", "create table t (id int primary key, word text)", "-c", "insert into t values (1, 'x')"]);
    assert!(output.is_success, "{output:?}");
    assert!(output.stdout.contains("INSERT 0 1"), "{output:?}");
    let output = run(&["-c", "select id, word from t"]);
    assert_eq!(output.stdout, " id | word \n----+------\n  1 | x\n(1 row)\n\n");
    let output = run(&["-A", "-c", "select * from missing"]);
    assert_eq!(output.code, Some(18), "{output:?}");
    assert!(output.stderr.contains("missing"), "{output:?}");
    // Nobody reads what it prints, as behind `| head`.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(HEXALOG);
    command.args(["sql", "--connect", &connect, "-c", "select 1"]).stdout(writer);
    let output = command.output().expect("runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    cluster.stop();
}

/// Debian's psycopg2, which belongs to the system's Python.
#[test]
fn psycopg() {
    let cluster = Cluster::start(&[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/process/psycopg.py");
    let mut command = Command::new("/usr/bin/python3");
    let output = run_limited(command.arg(script).arg(cluster.port.to_string()), COMMAND_MAX);
    assert!(output.is_success, "{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.stdout.trim(), "done");
    cluster.stop();
}

/// The transaction mix that sysbench calls OLTP read-write, with its own preparation and clean-up.
#[test]
fn sysbench_read_write() {
    let cluster = Cluster::start(&[]);
    let port = cluster.port.to_string();
    let sysbench = |step: &str| {
        let mut command = Command::new("sysbench");
        command.args([
            "oltp_read_write",
            "--db-driver=pgsql",
            "--pgsql-host=127.0.0.1",
            "--pgsql-user=postgres",
        ]);
        command.args(["--pgsql-db=postgres", "--tables=2", "--table-size=2000", "--threads=4", "--time=5"]);
        let output =
            run_limited(command.arg(format!("--pgsql-port={port}")).arg(step), Duration::from_secs(180));
        assert!(output.is_success, "{step}: {}\n{}", output.stdout, output.stderr);
        output.stdout
    };
    sysbench("prepare");
    let report = sysbench("run");
    assert!(report.contains("transactions:"), "{report}");
    assert_eq!(cluster.sql("select count(*) from sbtest1"), "2000");
    sysbench("cleanup");
    cluster.stop();
}

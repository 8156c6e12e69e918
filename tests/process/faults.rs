//! Daemons and compute killed in the midst of pgbench: nothing that was acknowledged is lost, nothing stalls for good.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::bench;
use harness::process::{run_limited, start_limited, wait_until};
use harness::{COMMAND_MAX, Cluster, HEXALOG, timed};
use std::process::Command;
use std::time::Duration;

/// One daemon, then the other of its zone, die under load: no transaction fails. They come back and catch up from
/// their peers.
#[test]
fn a_zone_dies_under_load() {
    let mut cluster = Cluster::start(&[]);
    bench::initialize(&cluster, 1);
    let arguments = ["node-1", "node-2"].map(|node| cluster.arguments_of(node));
    let load = bench::start(&cluster, &["-c", "8", "-M", "prepared"], 12);
    std::thread::sleep(Duration::from_secs(3));
    cluster.kill("node-1");
    std::thread::sleep(Duration::from_secs(3));
    cluster.kill("node-2");
    let committed = load.finish();
    bench::check_sums(&cluster);
    assert_eq!(bench::history_count(&cluster), committed);
    cluster.start_by_hand("node-1", &arguments[0]);
    cluster.start_by_hand("node-2", &arguments[1]);
    cluster.wait_until_caught_up();
    bench::run(&cluster, &["-c", "4"], 2);
    bench::check_sums(&cluster);
    cluster.stop();
}

/// A daemon is away until its peers have freed the log that it lacks. It comes back under load, fetches every page of the
/// groups concerned from a peer, and is as good as any other: with two more daemons dead the volume needs it.
#[test]
fn a_daemon_beyond_its_peers_logs_fetches_pages() {
    let mut cluster = Cluster::start(&["--log-bytes", "2MiB"]);
    let arguments = cluster.arguments_of("node-1");
    cluster.sql("create table t (id int primary key, value text, version int not null)");
    cluster.kill("node-1");
    // Some 5 MB of redo, in steps that a log of that size takes.
    for step in 0..10 {
        let rows = format!("generate_series({}, {})", step * 1000, step * 1000 + 999);
        cluster.sql(&format!("insert into t select id, repeat('x', 400), 0 from {rows} id"));
    }
    cluster.start_by_hand("node-1", &arguments);
    let is_hydrated = |cluster: &Cluster| {
        let status = cluster.status();
        let daemons = status["daemons"].as_array().expect("a list");
        let counters = &daemons.iter().find(|daemon| daemon["node"] == 1).expect("listed")["counters"];
        counters["segments_hydrated"].as_u64() > Some(0) && counters["hydration_pages"].as_u64() > Some(100)
    };
    let mut version = 0;
    wait_until(COMMAND_MAX, "its pages to be fetched", || {
        version += 1;
        cluster.sql(&format!("update t set version = {version} where id % 100 = 7"));
        is_hydrated(&cluster)
    });
    cluster.wait_until_caught_up();
    cluster.kill("node-3");
    cluster.kill("node-5");
    cluster.sql("update t set value = 'y' where id % 100 = 8");
    let expected = format!("10000|100|100|{version}");
    let found = "select count(*), count(*) filter (where value = 'y'), \
        count(*) filter (where version > 0), max(version) from t";
    assert_eq!(cluster.sql(found), expected);
    cluster.stop();
}

/// With three of six dead writes wait and reads go on; with a fourth back, writes go on by themselves.
#[test]
fn writes_wait_without_a_quorum() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("create table t (id int primary key); insert into t values (1)");
    let arguments = cluster.arguments_of("node-3");
    for node in ["node-1", "node-2", "node-3"] {
        cluster.kill(node);
    }
    let mut insert = Command::new("psql");
    insert.args(["-h", "127.0.0.1", "-p", &cluster.port.to_string(), "-U", "postgres", "-X", "-q"]);
    let mut insert = start_limited(insert.args(["-c", "insert into t values (2)", "postgres"]));
    wait_until(COMMAND_MAX, "status to name the lost quorum", || {
        cluster.problems().iter().any(|problem| problem.starts_with("write quorum lost: group 0, 3/6"))
    });
    assert_eq!(cluster.sql("select id from t where id = 1"), "1", "reads go on");
    std::thread::sleep(Duration::from_secs(2));
    assert!(insert.is_running(), "the commit waits, it does not fail");
    cluster.start_by_hand("node-3", &arguments);
    let output = insert.wait(COMMAND_MAX);
    assert!(output.is_success, "{output:?}");
    assert_eq!(cluster.sql("select count(*) from t"), "2");
    cluster.stop();
}

/// Without a quorum a statement that finds the log full has appended nothing that it could not undo: it honours
/// statement_timeout and cancel. What was appended before is neither lost nor told to have failed.
#[test]
fn a_full_log_without_a_quorum_honours_timeouts() {
    let mut cluster = Cluster::start(&["--lal-records", "2048"]);
    cluster.sql("create table t (id int primary key); insert into t values (0)");
    let arguments = cluster.arguments_of("node-3");
    for node in ["node-1", "node-2", "node-3"] {
        cluster.kill(node);
    }
    let rows: Vec<String> = (1..5000).map(|id| format!("({id})")).collect();
    let insert = format!("insert into t values {}", rows.join(","));
    let error = cluster.psql(&format!("set statement_timeout = 2000; {insert}")).expect_err("no room");
    assert!(error.contains("57014") && error.contains("statement timeout"), "{error}");
    let mut waiter = Command::new("psql");
    waiter.args(["-h", "127.0.0.1", "-p", &cluster.port.to_string(), "-U", "postgres", "-X"]);
    let mut waiter = start_limited(waiter.args(["-v", "VERBOSITY=verbose", "-c", &insert, "postgres"]));
    std::thread::sleep(Duration::from_secs(1));
    assert!(waiter.is_running(), "it waits for room");
    waiter.interrupt();
    let output = waiter.wait(COMMAND_MAX);
    assert!(output.stderr.contains("57014") && output.stderr.contains("user request"), "{output:?}");
    assert_eq!(cluster.sql("select count(*) from t"), "1", "reads go on");
    cluster.start_by_hand("node-3", &arguments);
    wait_until(COMMAND_MAX, "writes to go on", || cluster.psql(&insert).is_ok());
    assert_eq!(cluster.sql("select count(*) from t"), "5000");
    cluster.stop();
}

/// A compute that is started without a write quorum serves reads, refuses writes with 25006, and becomes the writer by
/// itself when a fourth member returns.
#[test]
fn a_compute_without_a_quorum_serves_reads() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("create table t (id int primary key); insert into t values (1)");
    // Members hear of the last commit's durability with a notice.
    std::thread::sleep(Duration::from_millis(500));
    let (compute, node) = (cluster.arguments_of("compute"), cluster.arguments_of("node-3"));
    cluster.kill("compute");
    for node in ["node-1", "node-2", "node-3"] {
        cluster.kill(node);
    }
    cluster.start_by_hand("compute", &compute);
    wait_until(COMMAND_MAX, "reads to be served", || cluster.psql("select 1").is_ok());
    assert_eq!(cluster.sql("select id from t where id = 1"), "1");
    let error = cluster.psql("insert into t values (2)").expect_err("there is no writer");
    assert!(error.contains("25006"), "{error}");
    cluster.start_by_hand("node-3", &node);
    wait_until(COMMAND_MAX, "the writer to open", || cluster.psql("insert into t values (2)").is_ok());
    assert_eq!(cluster.sql("select count(*) from t"), "2");
    cluster.kill_by_hand("compute");
}

/// Compute dies under load and is started again: what was acknowledged is there, no half of anything is.
#[test]
fn compute_dies_under_load() {
    const CLIENTS: u64 = 8;
    let mut cluster = Cluster::start(&[]);
    bench::initialize(&cluster, 1);
    let arguments = cluster.arguments_of("compute");
    let load = bench::start(&cluster, &["-c", &CLIENTS.to_string(), "-M", "prepared"], 60);
    std::thread::sleep(Duration::from_secs(8));
    cluster.kill("compute");
    let acknowledged = load.finish_any();
    assert!(acknowledged > 0);
    cluster.start_by_hand("compute", &arguments);
    let ((), took) =
        timed(|| wait_until(COMMAND_MAX, "the first answer", || cluster.psql("select 1").is_ok()));
    eprintln!("first answer {took:?} after the restart, {acknowledged} transactions before");
    bench::check_sums(&cluster);
    let found = bench::history_count(&cluster);
    // A client that was waiting for its commit when compute died may find it done or not.
    assert!(
        (acknowledged..=acknowledged + CLIENTS).contains(&found),
        "{found} found, {acknowledged} acknowledged"
    );
    bench::run(&cluster, &["-c", "4"], 2);
    bench::check_sums(&cluster);
    cluster.kill_by_hand("compute");
}

/// Starts compute where it was, until it says this. Its port is one that the system gives to connections: one of somebody
/// else's may have it for a moment.
fn start_compute(cluster: &mut Cluster, arguments: &[String], says: &str) {
    let mut is_there = false;
    wait_until(COMMAND_MAX, "its port to be free", || {
        let compute = cluster.start_by_hand("compute", arguments);
        match compute.wait_for_line(COMMAND_MAX, |line| line.contains(says)) {
            Ok(()) => is_there = true,
            Err(why) => assert!(why.contains("is in use by another process"), "{why}"),
        }
        if !is_there {
            cluster.kill_by_hand("compute");
        }
        is_there
    });
}

/// Compute dies with transactions prepared, and again: they hold what they hold, and are ended by sessions of the next ones.
#[test]
fn prepared_transactions_outlive_compute() {
    let mut cluster = Cluster::start(&[]);
    let arguments = cluster.arguments_of("compute");
    cluster.sql("create table t (id int primary key, n int); insert into t select id, 0 from generate_series(1, 3) id");
    for (identifier, row) in [("stays", 1), ("goes", 2)] {
        let change =
            format!("begin; update t set n = 1 where id = {row}; prepare transaction '{identifier}'");
        cluster.sql(&change);
    }
    cluster.sql("begin; select * from t where id = 3 for update; prepare transaction 'locks'");
    cluster.kill("compute");
    for round in 0..2 {
        start_compute(&mut cluster, &arguments, "COMMIT PREPARED or ROLLBACK PREPARED: 3;");
        wait_until(COMMAND_MAX, "the first answer", || cluster.psql("select 1").is_ok());
        assert_eq!(
            cluster.sql("select string_agg(gid, ' ' order by gid) from pg_prepared_xacts"),
            "goes locks stays"
        );
        assert_eq!(cluster.sql("select sum(n) from t"), "0", "round {round}");
        assert_eq!(cluster.sql("select count(*) from (select from t for update skip locked) free"), "0");
        assert_eq!(cluster.status()["compute"]["report"]["counters"]["prepared_transactions"], 3);
        let locked = cluster.psql("set lock_timeout = 50; begin; lock table t in share mode");
        assert!(locked.expect_err("it is held").contains("lock timeout"));
        if round == 0 {
            cluster.kill_by_hand("compute");
        }
    }
    cluster.sql("commit prepared 'stays'");
    cluster.sql("rollback prepared 'goes'");
    cluster.sql("commit prepared 'locks'");
    cluster.kill_by_hand("compute");
    start_compute(&mut cluster, &arguments, "ready on");
    wait_until(COMMAND_MAX, "the first answer", || cluster.psql("select 1").is_ok());
    assert_eq!(cluster.sql("select string_agg(id || '=' || n, ' ' order by id) from t"), "1=1 2=0 3=0");
    assert_eq!(cluster.sql("select count(*) from pg_prepared_xacts"), "0");
    cluster.sql("alter table t add m int");
    cluster.kill_by_hand("compute");
}

/// A device died and an empty one took its place: the daemon knew none of its segments, and the volume was one member short for
/// good. It is told of them and filled, and is as good as any other: with two more daemons dead the volume needs it.
#[test]
fn a_daemon_with_an_empty_device_is_filled_by_its_peers() {
    let mut cluster = Cluster::start(&[]);
    let arguments = cluster.arguments_of("node-1");
    cluster.sql("create table t as select id, repeat('x', 400) as value from generate_series(1, 3000) id");
    cluster.kill("node-1");
    let at = arguments.iter().position(|argument| argument == "--data-dir").expect("it has a directory");
    std::fs::remove_dir_all(&arguments[at + 1]).expect("it is there");
    cluster.sql("update t set value = 'y' where id <= 100");
    // By itself it makes no device: its file system may only not be mounted. The message says how one is made.
    let mut daemon = vec!["daemon"];
    daemon.extend(arguments[1..].iter().map(String::as_str));
    let run = |words: &[&str]| run_limited(Command::new(HEXALOG).args(words), COMMAND_MAX);
    let refused = run(&daemon);
    assert_eq!(refused.code, Some(38), "{refused:?}");
    let (_, command) = refused.stderr.split_once("is made with: hexalogd ").expect("it says how");
    let format: Vec<&str> = ["daemon"].into_iter().chain(command.split_whitespace()).collect();
    let output = run(&format);
    assert!(output.is_success, "{output:?}");
    cluster.start_by_hand("node-1", &arguments);
    wait_until(COMMAND_MAX, "its segments to be made anew", || {
        let status = cluster.status();
        let daemons = status["daemons"].as_array().expect("a list");
        let daemon = daemons.iter().find(|daemon| daemon["node"] == 1).expect("listed");
        daemon["counters"]["segments_restored"].as_u64() > Some(0)
    });
    cluster.wait_until_caught_up();
    cluster.kill("node-3");
    cluster.kill("node-5");
    cluster.sql("insert into t values (0, 'z')");
    assert_eq!(cluster.sql("select count(*), count(*) filter (where value = 'y') from t"), "3001|100");
    cluster.stop();
}

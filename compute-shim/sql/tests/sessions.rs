//! What sessions come to, and how one ends another: `pg_stat_database`, `pg_terminate_backend` with a timeout.
//! `conformance/session_activity.sql` has what a script of messages can bring about.

mod harness;

use harness::{Client, Cluster, Progress};
use std::sync::atomic::Ordering;

fn counted(client: &mut Client<'_>, columns: &str) -> Vec<String> {
    client.lines(&format!("SELECT {columns} FROM pg_stat_database WHERE datname = current_database()"))
}

#[test]
fn what_sessions_do_is_their_databases() {
    let cluster = Cluster::new();
    let mut watcher = cluster.connect();
    let mut client = cluster.connect();
    client.query("CREATE TABLE p (a int PRIMARY KEY)");
    client.query("CREATE TABLE t (a int REFERENCES p ON DELETE CASCADE, b text)");
    let rows = "tup_inserted, tup_updated, tup_deleted, tup_returned";
    assert_eq!(counted(&mut watcher, rows), ["0|0|0|∅"]);
    client.query("INSERT INTO p VALUES (1), (2), (3)");
    client.query("INSERT INTO t SELECT 1, repeat('x', 300) FROM generate_series(1, 1500)");
    client.query("UPDATE t SET b = repeat('y', 300)");
    client.query("DELETE FROM p WHERE a = 1");
    client.query("BEGIN");
    client.query("INSERT INTO p VALUES (4)");
    client.query("ROLLBACK");
    client.query("CREATE TABLE u AS SELECT a FROM p");
    // The rows that went with theirs, those of a transaction that was rolled back, and those of a query.
    assert_eq!(counted(&mut watcher, rows), ["1506|1500|1501|∅"]);
    // What the watcher asks is a transaction each time, too.
    let transactions = "SELECT xact_commit, xact_rollback FROM pg_stat_database WHERE datid = 5";
    let numbers = |client: &mut Client<'_>| {
        let line = client.lines(transactions)[0].clone();
        let (commits, rollbacks) = line.split_once('|').expect("two");
        [commits, rollbacks].map(|number| number.parse::<u64>().expect("a number"))
    };
    let before = numbers(&mut watcher);
    client.query("SELECT 1");
    client.error("SELECT 1 / 0");
    client.query("BEGIN");
    client.error("SELECT 1 / 0");
    client.query("ROLLBACK");
    assert_eq!(numbers(&mut watcher), [before[0] + 2, before[1] + 2]);
    client.query("SET work_mem = '64kB'");
    client.query("CREATE TABLE s AS SELECT repeat('x', 300) AS b FROM generate_series(1, 3000)");
    assert_eq!(counted(&mut watcher, "temp_files, temp_bytes, deadlocks"), ["0|0|0"]);
    client.query("SELECT count(*) FROM (SELECT b FROM s ORDER BY b OFFSET 1) q");
    let temporary = "temp_files > 0, temp_bytes > 900000, blks_hit > 100, blks_read >= 0";
    assert_eq!(counted(&mut watcher, temporary), ["t|t|t|t"]);
    assert_eq!(counted(&mut watcher, "numbackends, sessions"), ["2|2"]);
    // What a session has come to outlives it, and its end is no transaction.
    let before = numbers(&mut watcher);
    client.session.close().expect("ends");
    drop(client);
    assert_eq!(numbers(&mut watcher), [before[0] + 1, before[1]]);
    assert_eq!(counted(&mut watcher, temporary), ["t|t|t|t"]);
    assert_eq!(counted(&mut watcher, "numbackends, sessions, sessions_killed"), ["1|2|0"]);
    assert_eq!(
        counted(&mut watcher, "session_time > 0, active_time > 0, idle_in_transaction_time > 0"),
        ["t|t|t"]
    );
}

#[test]
fn a_deadlock_is_counted_once() {
    let cluster = Cluster::new();
    let (mut watcher, mut one, mut other) = (cluster.connect(), cluster.connect(), cluster.connect());
    one.query("CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 0), (2, 0)");
    one.query("BEGIN; UPDATE t SET b = 1 WHERE a = 1");
    other.query("BEGIN; UPDATE t SET b = 1 WHERE a = 2");
    let mut waiting = one.start("UPDATE t SET b = 1 WHERE a = 2");
    assert!(matches!(one.go_on(&mut waiting), Progress::Waits));
    assert!(other.error("UPDATE t SET b = 1 WHERE a = 1").starts_with("40P01"));
    assert!(matches!(one.go_on(&mut waiting), Progress::Done(Ok(_))));
    assert_eq!(counted(&mut watcher, "deadlocks"), ["1"]);
}

#[test]
fn a_session_that_is_told_to_end_is_waited_for_as_long_as_was_said() {
    let cluster = Cluster::new();
    let mut watcher = cluster.connect();
    let stubborn = cluster.connect();
    let id = cluster.world.sessions.load(Ordering::Relaxed) + 41;
    // Longer than a second and a half of rests of ten milliseconds.
    let mut running = watcher.start(&format!("SELECT pg_terminate_backend({id}, 1500)"));
    let mut rests = 0;
    let answer = loop {
        match watcher.go_on(&mut running) {
            Progress::Waits => rests += 1,
            Progress::Done(answer) => break answer.expect("answers"),
        }
    };
    assert_eq!(cluster.world.terminated.load(Ordering::Relaxed), id);
    assert!((100..=200).contains(&rests), "{rests}");
    assert_eq!(answer[0].lines(), ["f"]);
    let warning = format!("backend with PID {id} did not terminate within 1500 milliseconds");
    let notices = watcher.take_notices();
    assert!(notices.len() == 1 && notices[0].contains(&warning), "{notices:?}");
    let mut running = watcher.start(&format!("SELECT pg_terminate_backend({id}, 1500)"));
    assert!(matches!(watcher.go_on(&mut running), Progress::Waits));
    drop(stubborn);
    let answer = loop {
        if let Progress::Done(answer) = watcher.go_on(&mut running) {
            break answer.expect("answers");
        }
    };
    assert_eq!(answer[0].lines(), ["t"]);
    assert!(watcher.take_notices().is_empty());
}

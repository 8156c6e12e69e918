//! Transactions that are prepared and ended by other sessions, with starts of the process in between.

mod harness;

use harness::{Client, Cluster, Progress};
use hexalog_engine::{AdvisoryLocks, Isolation, Preparation, Volume};
use hexalog_sql::DatabaseOptions;

const ROWS: &str = "SELECT string_agg(id || '=' || n, ' ' ORDER BY id) FROM t";

fn rows(client: &mut Client<'_>) -> String {
    client.value(ROWS).expect("there are rows")
}

fn cluster() -> Cluster {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE); INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)",
    );
    drop(client);
    cluster
}

#[test]
fn it_outlives_the_process_with_all_that_it_holds() {
    for commits in [true, false] {
        let mut cluster = cluster();
        let mut client = cluster.connect();
        client.query("BEGIN; UPDATE t SET n = 11 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (4, 40)");
        client.query("SELECT * FROM t WHERE id = 3 FOR SHARE; SELECT pg_advisory_xact_lock(7)");
        assert_eq!(client.tag("PREPARE TRANSACTION 'x'"), "PREPARE TRANSACTION");
        let shown = "SELECT gid || ' ' || owner || ' ' || database || ' ' || prepared FROM pg_prepared_xacts";
        let before = client.value(shown);
        drop(client);
        for _ in 0..2 {
            cluster = cluster.crash();
            let mut client = cluster.connect();
            assert_eq!(rows(&mut client), "1=10 2=20 3=30");
            assert_eq!(client.value(shown), before);
            client.query("SET lock_timeout = 1");
            for refused in [
                "SELECT * FROM t WHERE id = 1 FOR KEY SHARE NOWAIT",
                "SELECT * FROM t WHERE id = 2 FOR KEY SHARE NOWAIT",
                "SELECT * FROM t WHERE id = 3 FOR UPDATE NOWAIT",
                "LOCK TABLE t IN SHARE MODE NOWAIT",
            ] {
                client.query("BEGIN");
                assert!(client.error(refused).starts_with("55P03"), "{refused}");
                client.query("ROLLBACK");
            }
            client.query("SELECT * FROM t WHERE id = 3 FOR SHARE NOWAIT");
            assert_eq!(client.value("SELECT pg_try_advisory_lock(7)").as_deref(), Some("f"));
            let held = "SELECT count(*) FROM pg_locks WHERE pid IS NULL AND virtualtransaction = '-1/' ||
                (SELECT transaction FROM pg_prepared_xacts) AND locktype IN ('advisory', 'transactionid')";
            assert_eq!(client.value(held).as_deref(), Some("2"));
        }
        let mut client = cluster.connect();
        let verb = if commits { "COMMIT PREPARED" } else { "ROLLBACK PREPARED" };
        assert_eq!(client.tag(&format!("{verb} 'x'")), verb);
        let expected = if commits { "1=11 3=30 4=40" } else { "1=10 2=20 3=30" };
        assert_eq!(rows(&mut client), expected);
        client
            .query("ALTER TABLE t ADD m int; SELECT * FROM t FOR UPDATE NOWAIT; SELECT pg_advisory_lock(7)");
        drop(client);
        let cluster = cluster.crash();
        let mut client = cluster.connect();
        assert_eq!(rows(&mut client), expected);
        assert_eq!(
            client.error(&format!("{verb} 'x'")),
            "42704 prepared transaction with identifier \"x\" does not exist"
        );
    }
}

/// What is answered is durable: held-back storage shows in the answer's LSN.
#[test]
fn answers_wait_for_what_they_tell_of() {
    let cluster = cluster();
    let mut client = cluster.connect();
    for (statement, verb) in [
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("COMMIT PREPARED 'x'", "COMMIT PREPARED"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
        ("ROLLBACK PREPARED 'x'", "ROLLBACK PREPARED"),
    ] {
        if verb.starts_with("PREPARE") {
            client.query("BEGIN; UPDATE t SET n = n + 100 WHERE id = 1");
        }
        let before = cluster.engine.appended();
        assert_eq!(client.tag(statement), verb);
        assert!(client.session.answer_lsn() > before, "{statement}");
    }
    assert_eq!(rows(&mut client), "1=110 2=20 3=30");
}

/// Storage stalled, the answer to COMMIT PREPARED was lost with its connection, and whoever asked again was told at once that there was
/// none, so a transaction manager took it for committed. After a crash it was prepared again.
#[test]
fn that_there_is_none_or_one_waits_for_what_made_it_so() {
    for (commits, statement, told) in [
        (true, "COMMIT PREPARED 'x'", "42704 prepared transaction with identifier \"x\" does not exist"),
        (false, "ROLLBACK PREPARED 'x'", "42704 prepared transaction with identifier \"x\" does not exist"),
        (true, "SELECT count(*) FROM pg_prepared_xacts", "0"),
    ] {
        let cluster = cluster();
        let (mut client, mut other) = (cluster.connect(), cluster.connect());
        client.query("BEGIN; UPDATE t SET n = 11 WHERE id = 1; PREPARE TRANSACTION 'x'");
        let which = cluster.engine.prepared_transactions().pop().expect("there is one");
        let end = || match commits {
            true => cluster.engine.commit_prepared(&which),
            false => cluster.engine.rollback_prepared(&which),
        };
        let lsn = cluster.volume.run(&cluster.engine, end).expect("ends");
        assert!(cluster.volume.vdl() < lsn, "nobody has waited for it yet");
        let answer = match statement.starts_with("SELECT") {
            true => other.value(statement).expect("one row"),
            false => other.error(statement),
        };
        assert_eq!(answer, told);
        assert!(cluster.volume.vdl() >= lsn, "{statement}");
    }
    let cluster = cluster();
    let mut other = cluster.connect();
    other.query("BEGIN");
    let mut transaction = cluster.engine.begin(Isolation::ReadCommitted, false);
    let preparation = Preparation { identifier: "x".to_owned(), owner: 10, database: 5, prepared_us: 0 };
    let mut advisory = AdvisoryLocks::default();
    let prepare = || cluster.engine.prepare(&mut transaction, &mut advisory, &preparation, 64);
    let (_, lsn) = cluster.volume.run(&cluster.engine, prepare).expect("is prepared");
    assert!(cluster.volume.vdl() < lsn, "nobody has waited for it yet");
    let in_use = "42710 transaction identifier \"x\" is already in use";
    assert_eq!(other.error("PREPARE TRANSACTION 'x'"), in_use);
    assert!(cluster.volume.vdl() >= lsn);
}

#[test]
fn definitions_are_not_prepared_and_numbers_are_bounded() {
    let options = DatabaseOptions { prepared_max: 2, ..DatabaseOptions::default() };
    let cluster = Cluster::with_options(options);
    let mut client = cluster.connect();
    assert_eq!(client.value("SHOW max_prepared_transactions").as_deref(), Some("2"));
    let source = "SELECT source FROM pg_settings WHERE name = 'max_prepared_transactions'";
    assert_eq!(client.value(source).as_deref(), Some("command line"));
    client.query("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let refused = "0A000 PREPARE TRANSACTION of a transaction with definitions (DDL) is not supported";
    for defines in
        ["CREATE TABLE u (a int)", "TRUNCATE t", "ALTER TABLE t ADD b int", "DROP TABLE t", "ANALYZE t"]
    {
        client.query(&format!("BEGIN; {defines}"));
        assert_eq!(client.error("PREPARE TRANSACTION 'x'"), refused, "{defines}");
        assert_eq!(client.value("SELECT count(*) FROM t").as_deref(), Some("1"), "{defines}");
    }
    for identifier in ["a", "b"] {
        client.query(&format!("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION '{identifier}'"));
    }
    client.query("BEGIN; INSERT INTO t VALUES (3)");
    let error = client.try_query("PREPARE TRANSACTION 'c'").expect_err("there are two");
    assert_eq!(error.to_string(), "ERROR 53400: maximum number of prepared transactions reached");
    assert_eq!(error.fields().hint.as_deref(), Some("Increase max_prepared_transactions (currently 2)."));
    client.query("COMMIT PREPARED 'a'");
    client.query("ROLLBACK PREPARED 'b'");
    assert_eq!(client.value("SELECT count(*) FROM t").as_deref(), Some("2"));
    assert_eq!(
        client.value("SELECT n_tup_ins || ' ' || n_live_tup FROM pg_stat_user_tables").as_deref(),
        Some("4 2"),
        "what is rolled back was inserted too"
    );

    // The streams are what bounds it.
    let many = Cluster::with_options(DatabaseOptions { prepared_max: 1_000, ..DatabaseOptions::default() });
    let mut client = many.connect();
    for number in 0..128 {
        client.query(&format!("BEGIN; PREPARE TRANSACTION '{number}'"));
    }
    client.query("BEGIN");
    let error = client.try_query("PREPARE TRANSACTION 'x'").expect_err("half of the streams are used");
    assert_eq!(
        error.fields().hint.as_deref(),
        Some("This volume has undo streams for 128 of them: end some.")
    );

    let none = Cluster::with_options(DatabaseOptions { prepared_max: 0, ..DatabaseOptions::default() });
    let mut client = none.connect();
    client.query("BEGIN");
    let error = client.try_query("PREPARE TRANSACTION 'c'").expect_err("none may be");
    assert_eq!(error.to_string(), "ERROR 55000: prepared transactions are disabled");
    let hint = "Set max_prepared_transactions to a nonzero value.";
    assert_eq!(error.fields().hint.as_deref(), Some(hint));
}

#[test]
fn a_database_is_not_dropped_below_one() {
    let cluster = cluster();
    let mut client = cluster.connect();
    client.query("CREATE DATABASE other");
    let mut other = cluster.connect_as("postgres", "other", &[]).expect("connects");
    other.query("BEGIN; PREPARE TRANSACTION 'x'");
    drop(other);
    // It may end within five seconds.
    let mut dropping = client.start("DROP DATABASE other");
    let mut progress = (0..1_000).map(|_| client.go_on(&mut dropping));
    let Some(Progress::Done(Err(error))) = progress.find(|progress| matches!(progress, Progress::Done(_)))
    else {
        panic!("five seconds are over")
    };
    assert_eq!(error.to_string(), "ERROR 55006: database \"other\" is being accessed by other users");
    let detail = "There is 1 prepared transaction using the database.";
    assert_eq!(error.fields().detail.as_deref(), Some(detail));
    let error = client.try_query("DROP DATABASE other WITH (FORCE)").expect_err("it is used");
    assert_eq!(error.to_string(), "ERROR 55006: database \"other\" is being used by prepared transactions");
    assert_eq!(error.fields().detail.as_deref(), Some(detail));
    let mut other = cluster.connect_as("postgres", "other", &[]).expect("connects");
    other.query("ROLLBACK PREPARED 'x'");
    drop(other);
    client.query("DROP DATABASE other");
}

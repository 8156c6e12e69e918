//! Temporary tables: over the ends of sessions and of the process, beside the volume, and beyond `temp_buffers`.

mod harness;

use harness::{Client, Cluster};
use hexalog_engine::{Need, Volume};
use hexalog_sql::spill::{MemorySpill, SpillSpace};
use hexalog_sql::{DatabaseOptions, Stop};
use std::sync::Arc;

/// How many objects lie in schemas of temporary objects, and how many of these schemas there are.
const LEFT: &str = "SELECT (SELECT count(*) FROM pg_class WHERE relpersistence = 't'), \
                    (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg\\_temp%')";

fn left(cluster: &Cluster) -> Vec<String> {
    cluster.connect().lines(LEFT)
}

#[test]
fn temporary_objects_end_with_their_session() {
    let cluster = Cluster::new();
    let mut first = cluster.connect();
    first.query("CREATE TEMP TABLE t (a serial PRIMARY KEY, b text); CREATE TEMP VIEW v AS SELECT * FROM t");
    first.query("INSERT INTO t (b) VALUES ('x'), ('y'); CREATE INDEX ON t (b)");
    let mut second = cluster.connect();
    second.query("CREATE TEMP TABLE t (z int)");
    assert_eq!(left(&cluster), ["6|2"]);
    assert_eq!(first.lines("SELECT count(*) FROM v"), ["2"]);
    let storage = cluster.database.storage();
    assert_eq!((storage.trees.len(), storage.sequences.len()), (0, 0), "nothing of it lies in the volume");
    // A block that is open, in a session that is read-only by default, ends too.
    first.query("SET default_transaction_read_only = on; BEGIN; SELECT 1");
    drop(first);
    assert_eq!(left(&cluster), ["1|1"]);
    let mut third = cluster.connect();
    third.query("CREATE TEMP TABLE u (z int)");
    assert_eq!(third.lines("SELECT 'pg_temp_1.u'::regclass"), ["u"]);
    drop(third);
    drop(second);
    assert_eq!(left(&cluster), ["0|0"]);
}

#[test]
fn rows_of_other_sessions_are_not_to_be_had() {
    let cluster = Cluster::new();
    let mut first = cluster.connect();
    first.query("CREATE TEMP TABLE t (a int)");
    let mut second = cluster.connect();
    for statement in [
        "SELECT * FROM pg_temp_1.t",
        "INSERT INTO pg_temp_1.t VALUES (1)",
        "DELETE FROM pg_temp_1.t",
        "TRUNCATE pg_temp_1.t",
        "CREATE INDEX ON pg_temp_1.t (a)",
        "ALTER TABLE pg_temp_1.t ADD b int",
        "COPY pg_temp_1.t TO STDOUT",
        "COPY pg_temp_1.t FROM STDIN",
    ] {
        let error = second.try_query(statement).expect_err(statement);
        assert_eq!(
            error.to_string(),
            "ERROR 0A000: cannot access temporary tables of other sessions",
            "{statement}"
        );
    }
    let error = second.try_query("CREATE TABLE pg_temp_1.u (a int)").expect_err("refused");
    assert_eq!(error.sqlstate().as_str(), "42P16");
    // As in PostgreSQL, it may be dropped.
    second.query("DROP TABLE pg_temp_1.t");
    assert_eq!(first.try_query("SELECT * FROM t").expect_err("has gone").sqlstate().as_str(), "42P01");
}

#[test]
fn a_start_drops_what_a_crash_left() {
    let cluster = Cluster::new();
    let mut session = cluster.connect();
    session.query("CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)");
    session.query("CREATE TEMP SEQUENCE s; CREATE TEMP TABLE t (a serial PRIMARY KEY)");
    session.query("ALTER TABLE kept ADD b int DEFAULT nextval('s')");
    session.query("CREATE TEMP TABLE u AS SELECT * FROM kept");
    std::mem::forget(session);
    assert_eq!(left(&cluster), ["5|1"]);
    let cluster = cluster.crash();
    assert_eq!(left(&cluster), ["0|0"]);
    let mut session = cluster.connect();
    session.query("INSERT INTO kept VALUES (2); CREATE TEMP TABLE t (a int)");
    assert_eq!(session.lines("SELECT * FROM kept ORDER BY 1"), ["1|1", "2|∅"]);
    // What was dropped is gone for the next start too.
    drop(session);
    let cluster = cluster.crash();
    assert_eq!(left(&cluster), ["0|0"]);
}

#[test]
fn a_session_that_cannot_be_closed_leaves_no_locks() {
    let cluster = Cluster::new();
    let mut other = cluster.connect();
    other.query("CREATE TABLE kept (a int PRIMARY KEY); INSERT INTO kept VALUES (1)");
    let mut holder = cluster.connect();
    holder.query("CREATE TABLE linked (a int)");
    for begins_to_close in [false, true] {
        let mut broken = cluster.connect();
        broken.query("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1); SELECT pg_advisory_lock(1)");
        broken.query("CREATE TEMP SEQUENCE s; ALTER TABLE linked ALTER a SET DEFAULT nextval('s')");
        broken.query("BEGIN; UPDATE kept SET a = 2; LOCK TABLE kept");
        if begins_to_close {
            // It stops where the drop of its temporary objects waits for the table that draws from its sequence.
            holder.query("BEGIN; SELECT FROM linked");
            let waits = broken.session.close();
            assert!(matches!(waits, Err(Stop::Need(Need::Lock(_)))), "{waits:?}");
        }
        cluster.run(|| broken.session.abandon()).expect("rolls back");
        assert_eq!(other.lines("SELECT pg_try_advisory_lock(1), pg_advisory_unlock(1)"), ["t|t"]);
        other.query("SET lock_timeout = 1; ALTER TABLE kept ALTER a SET DEFAULT 7; RESET lock_timeout");
        assert_eq!(other.lines("SELECT a FROM kept"), ["1"]);
    }
    // Their numbers stay taken until the next start drops what they have left.
    let mut third = cluster.connect();
    third.query("CREATE TEMP TABLE t (a int)");
    assert_eq!(third.lines("SELECT count(*) FROM t"), ["0"]);
    drop((third, other, holder));
    let cluster = cluster.crash();
    assert_eq!(left(&cluster), ["0|0"]);
}

/// A table of everything that rows can lie in.
const EVERYTHING: &str = "CREATE TEMP TABLE t (a serial PRIMARY KEY, b int UNIQUE, c text, d text, e int GENERATED ALWAYS AS IDENTITY);
                          CREATE INDEX ON t (c); CREATE TEMP SEQUENCE s";

/// What is written into temporary tables leaves nothing in the log, and no commit waits for it. The answers are those of
/// permanent ones.
#[test]
fn temporary_rows_cause_no_redo() {
    let statements = [
        "INSERT INTO t (b, c) SELECT i, 'x' || i % 7 FROM generate_series(1, 2000) i",
        "INSERT INTO t (b, d) VALUES (-1, repeat('long', 50000))",
        "UPDATE t SET c = c || 'y' WHERE b % 3 = 0",
        "UPDATE t SET b = -b WHERE b > 1900",
        "DELETE FROM t WHERE b % 5 = 0",
        "BEGIN; INSERT INTO t (b) VALUES (5000); SAVEPOINT p; DELETE FROM t; ROLLBACK TO p; COMMIT",
        "BEGIN; DELETE FROM t; ROLLBACK",
        "SELECT nextval('s'), setval('s', 700), nextval('s')",
        "INSERT INTO t (b) SELECT a + 10000 FROM kept ON CONFLICT (b) DO UPDATE SET c = 'again'",
        "WITH gone AS (DELETE FROM t WHERE b = 10001 RETURNING b) INSERT INTO t (b) SELECT b + 5 FROM gone",
        "BEGIN; DECLARE k CURSOR WITH HOLD FOR SELECT b FROM t; DELETE FROM t WHERE b = 7; COMMIT; FETCH k; CLOSE k",
        "SELECT count(*), sum(b), max(length(d)), md5(string_agg(c, ',' ORDER BY a)), max(e) FROM t",
    ];
    let run = |is_temporary: bool| {
        let cluster = Cluster::new();
        let mut session = cluster.connect();
        session.query("CREATE TABLE kept (a int PRIMARY KEY); INSERT INTO kept VALUES (1), (2)");
        session.query(&if is_temporary { EVERYTHING.to_owned() } else { EVERYTHING.replace(" TEMP ", " ") });
        session.query("SELECT 1");
        cluster.volume.take_redo_counts();
        let pages = || cluster.run(|| Ok(cluster.engine.pages_used()?)).expect("counts");
        let pages_before = pages();
        let mut answers = Vec::new();
        for statement in statements {
            // What is not durable yet stays so: a commit that waited would be seen.
            cluster.volume.hold_vdl(is_temporary);
            answers.push(session.try_query(statement).expect(statement));
            if is_temporary {
                assert!(session.session.answer_lsn() <= cluster.volume.vdl(), "{statement}");
                assert_eq!(cluster.volume.take_redo_counts().records, 0, "{statement}");
            }
        }
        cluster.volume.hold_vdl(false);
        assert_eq!(pages() == pages_before, is_temporary);
        session.query("INSERT INTO kept VALUES (3)");
        assert!(cluster.volume.take_redo_counts().records > 0, "redo is counted");
        answers
    };
    assert_eq!(run(true), run(false));
}

fn check(session: &mut Client<'_>, steps: &[(&str, &[&str])]) {
    for (statement, expected) in steps {
        let found = match session.try_query(statement) {
            Ok(answers) => answers.last().map(|answer| answer.lines()).unwrap_or_default(),
            Err(error) => vec![error.sqlstate().as_str().to_owned()],
        };
        assert_eq!(found, *expected, "{statement}");
    }
}

/// A transaction has one fate in both stores, its savepoints too.
#[test]
fn both_stores_end_together() {
    let cluster = Cluster::new();
    let mut session = cluster.connect();
    session.query("CREATE TABLE p (a int PRIMARY KEY)");
    let both = "SELECT (SELECT array_agg(a ORDER BY a) FROM p), (SELECT array_agg(a ORDER BY a) FROM t)";
    check(
        &mut session,
        &[
            // The store comes in the midst of a transaction, behind a savepoint.
            ("BEGIN; INSERT INTO p VALUES (1); SAVEPOINT s; CREATE TEMP TABLE t (a int PRIMARY KEY)", &[]),
            ("INSERT INTO t VALUES (1); ROLLBACK TO s", &[]),
            ("CREATE TEMP TABLE t (a int PRIMARY KEY); INSERT INTO t SELECT a + 10 FROM p; COMMIT", &[]),
            (both, &["{1}|{11}"]),
            ("BEGIN; INSERT INTO p VALUES (2); INSERT INTO t VALUES (12); ROLLBACK", &[]),
            (both, &["{1}|{11}"]),
            // The statement before the one that fails is undone in both.
            ("INSERT INTO t VALUES (13); INSERT INTO p VALUES (3), (1)", &["23505"]),
            ("INSERT INTO p VALUES (4); INSERT INTO t VALUES (14), (11)", &["23505"]),
            ("WITH x AS (INSERT INTO t VALUES (15) RETURNING a) INSERT INTO p SELECT 1 FROM x", &["23505"]),
            (both, &["{1}|{11}"]),
            ("BEGIN; INSERT INTO t VALUES (16); SAVEPOINT s; DELETE FROM t; INSERT INTO t VALUES (17)", &[]),
            ("INSERT INTO p VALUES (6), (1)", &["23505"]),
            ("ROLLBACK TO s; INSERT INTO p VALUES (6); SAVEPOINT s2; UPDATE t SET a = a + 1; RELEASE s", &[]),
            ("COMMIT", &[]),
            (both, &["{1,6}|{12,17}"]),
            (
                "BEGIN; TRUNCATE t; INSERT INTO t VALUES (20); SAVEPOINT s; ALTER TABLE t ADD b int DEFAULT 5",
                &[],
            ),
            ("ROLLBACK TO s; SELECT * FROM t", &["20"]),
            ("ROLLBACK", &[]),
            (both, &["{1,6}|{12,17}"]),
            (
                "ALTER TABLE t ALTER a TYPE bigint, ADD b serial; SELECT * FROM t ORDER BY a",
                &["12|1", "17|2"],
            ),
            ("CREATE UNIQUE INDEX CONCURRENTLY ON t (b)", &[]),
            ("REINDEX INDEX CONCURRENTLY t_b_idx", &[]),
            ("DROP INDEX CONCURRENTLY t_b_idx", &[]),
            ("ANALYZE t", &[]),
            (
                "BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO t VALUES (30); SELECT count(*) FROM t, p",
                &["6"],
            ),
            ("COMMIT", &[]),
            ("BEGIN; SELECT count(*) FROM t", &["3"]),
            ("PREPARE TRANSACTION 'x'", &["0A000"]),
            ("SELECT count(*) FROM t", &["3"]),
            ("DROP TABLE t; SELECT count(*) FROM t", &["42P01"]),
            ("SELECT count(*) FROM t", &["3"]),
        ],
    );
}

/// A commit that the volume refuses is none in the store either.
#[test]
fn a_commit_that_fails_leaves_nothing_in_the_store() {
    let cluster = Cluster::new();
    let mut sessions = [cluster.connect(), cluster.connect()];
    sessions[0].query("CREATE TABLE p (a int); INSERT INTO p VALUES (1)");
    for (number, session) in sessions.iter_mut().enumerate() {
        session.query("CREATE TEMP TABLE t (a int)");
        session.query("BEGIN ISOLATION LEVEL SERIALIZABLE");
        session.query("INSERT INTO t SELECT sum(a) FROM p");
        session.query(&format!("INSERT INTO p VALUES ({number})"));
    }
    sessions[0].query("COMMIT");
    assert!(sessions[1].error("COMMIT").starts_with("40001"));
    let rows =
        |session: &mut Client<'_>| session.lines("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM p)");
    assert_eq!(sessions.each_mut().map(rows), [["1|2"], ["0|2"]]);
}

#[test]
fn what_commits_do_is_done_in_the_store() {
    let cluster = Cluster::new();
    let mut session = cluster.connect();
    check(
        &mut session,
        &[
            ("CREATE TEMP TABLE kept (a int) ON COMMIT PRESERVE ROWS", &[]),
            ("CREATE TEMP TABLE emptied (a serial, b text) ON COMMIT DELETE ROWS", &[]),
            (
                "BEGIN; INSERT INTO emptied (b) VALUES ('x'), (repeat('y', 100000)); INSERT INTO kept VALUES (1)",
                &[],
            ),
            ("CREATE TEMP TABLE dropped ON COMMIT DROP AS SELECT a, length(b) FROM emptied", &[]),
            ("SELECT * FROM dropped ORDER BY a", &["1|1", "2|100000"]),
            ("COMMIT", &[]),
            ("SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM emptied)", &["1|0"]),
            ("SELECT * FROM dropped", &["42P01"]),
            ("INSERT INTO emptied (b) VALUES ('z') RETURNING a", &["3"]),
            ("SELECT count(*) FROM emptied", &["0"]),
            // Temporary tables may be written where nothing else may.
            ("BEGIN READ ONLY; INSERT INTO kept VALUES (2); SELECT nextval('emptied_a_seq')", &["4"]),
            ("UPDATE kept SET a = a + 1 RETURNING a", &["2", "3"]),
            ("COMMIT; SELECT sum(a) FROM kept", &["5"]),
            (
                "BEGIN; INSERT INTO emptied (b) VALUES ('q'); DECLARE h CURSOR WITH HOLD FOR SELECT a, b FROM emptied",
                &[],
            ),
            ("COMMIT; FETCH ALL h", &["5|q"]),
            ("BEGIN; DECLARE c CURSOR FOR SELECT a FROM kept ORDER BY a FOR UPDATE; FETCH c", &["2"]),
            (
                "INSERT INTO kept VALUES (1); UPDATE kept SET a = 20 WHERE CURRENT OF c; SELECT sum(a) FROM kept",
                &["24"],
            ),
            ("FETCH ALL c", &["3"]),
            ("COMMIT; DISCARD TEMP", &[]),
            ("SELECT count(*) FROM kept", &["42P01"]),
            ("CREATE TEMP TABLE kept (a int); SELECT count(*) FROM kept", &["0"]),
        ],
    );
}

/// Two sessions use tables of one name, and the same pages of their stores.
#[test]
fn stores_are_apart() {
    let cluster = Cluster::new();
    let mut sessions = [cluster.connect(), cluster.connect()];
    for (number, session) in sessions.iter_mut().enumerate() {
        session.query("CREATE TEMP TABLE t (a int PRIMARY KEY, b text); CREATE TEMP SEQUENCE s");
        session
            .query(&format!("BEGIN; INSERT INTO t SELECT i, 'of {number}' FROM generate_series(1, 500) i"));
    }
    for (number, session) in sessions.iter_mut().enumerate() {
        session.query("UPDATE t SET b = b || '!' WHERE a <= 250; COMMIT");
        assert_eq!(
            session.lines("SELECT b, count(*) FROM t GROUP BY b ORDER BY b"),
            [format!("of {number}|250"), format!("of {number}!|250")]
        );
        assert_eq!(session.lines("SELECT nextval('s')"), ["1"]);
    }
    let error = sessions[1].error("SELECT nextval('pg_temp_1.s')");
    assert_eq!(error, "0A000 cannot access temporary tables of other sessions");
    assert_eq!(sessions[1].error("ALTER SEQUENCE pg_temp_1.s RESTART"), error);
    // A type that goes takes columns and indexes of others' tables along.
    sessions[0]
        .query("CREATE TYPE e AS ENUM ('x'); ALTER TABLE t ADD c e DEFAULT 'x'; CREATE INDEX ON t (c)");
    sessions[1].query("DROP TYPE e CASCADE");
    assert_eq!(sessions[0].lines("SELECT * FROM t WHERE a = 1"), ["1|of 0!"]);
    // Of a table that another session has dropped nothing is left, and the store goes on.
    sessions[1].query("DROP TABLE pg_temp_1.t");
    sessions[0].query("CREATE TEMP TABLE t AS SELECT 1 AS a");
    assert_eq!(sessions[0].lines("SELECT * FROM t"), ["1"]);
}

fn over(spill: &Arc<MemorySpill>) -> Cluster {
    let spill = Arc::clone(spill) as Arc<dyn SpillSpace>;
    Cluster::with_options(DatabaseOptions { spill, ..DatabaseOptions::default() })
}

/// What does not fit `temp_buffers` lies in a file, and nobody can tell from the answers.
#[test]
fn what_does_not_fit_temp_buffers_goes_to_a_file() {
    let steps = [
        "INSERT INTO t SELECT i, i * 7919 % 8000, repeat(chr(97 + i % 26), 150) FROM generate_series(1, 8000) i",
        "CREATE INDEX ON t (b)",
        "UPDATE t SET c = c || 'z' WHERE a % 3 = 0",
        "DELETE FROM t WHERE b < 400",
        "BEGIN; DELETE FROM t WHERE a % 7 < 5; SAVEPOINT s; INSERT INTO t VALUES (1, 1, 'x') ON CONFLICT DO NOTHING",
        "ROLLBACK TO s",
        "ROLLBACK",
        "UPDATE t SET c = upper(c), b = -b",
        "DELETE FROM t WHERE a > 6000",
        "UPDATE t SET c = lower(c)",
    ];
    let looks = "SELECT count(*), sum(length(c)), sum(b), md5(string_agg(c, ',' ORDER BY a)) FROM t;
                 SELECT a, length(c) FROM t WHERE b IN (7919, -7919)";
    let expected: Vec<_> = {
        let cluster = Cluster::new();
        let mut session = cluster.connect();
        session.query("CREATE TABLE t (a int PRIMARY KEY, b int, c text)");
        let look = |step: &str| (session.query(step).tag, session.try_query(looks).expect("reads"));
        steps.map(look).into()
    };
    for spill in [MemorySpill::slow(), MemorySpill::default()] {
        let spill = Arc::new(spill);
        let cluster = over(&spill);
        let mut session = cluster.connect();
        session.query("SET temp_buffers = 100; CREATE TEMP TABLE t (a int PRIMARY KEY, b int, c text)");
        for (step, expected) in steps.iter().zip(&expected) {
            let found = (session.query(step).tag, session.try_query(looks).expect("reads"));
            assert_eq!(found, *expected, "{step}");
        }
        let error = session.sql_error("SET temp_buffers = 200");
        assert_eq!(error.message(), "invalid value for parameter \"temp_buffers\": 200");
        assert!(session.error("RESET temp_buffers").starts_with("22023"));
        let bytes = spill.bytes();
        assert!(bytes > 2 << 20, "{bytes} bytes are in the file");
        for _ in 0..4 {
            session.query("UPDATE t SET c = upper(c)");
        }
        assert!(spill.bytes() < bytes * 3 / 2, "free pages are used again: {bytes}, {}", spill.bytes());
        session.query("DROP TABLE t");
        assert_eq!(spill.bytes(), 0, "the store goes with its last table");
        // One that was made in vain goes as well.
        assert!(session.error("CREATE TEMP TABLE u (a int, a int)").starts_with("42701"));
        session.query("BEGIN; SAVEPOINT s; CREATE TEMP TABLE u (a int); ROLLBACK TO s; COMMIT");
        session.query("SET temp_buffers = 200; CREATE TEMP TABLE u (a int); INSERT INTO u VALUES (1)");
        assert_eq!(session.lines("SELECT * FROM u"), ["1"]);
    }
}

/// A disk that is full fails what wants room on it, and nothing else.
#[test]
fn a_full_disk_fails_what_wants_room() {
    let spill = Arc::new(MemorySpill::new(2 << 20));
    let cluster = over(&spill);
    let mut session = cluster.connect();
    session.query("SET temp_buffers = 100; CREATE TABLE p (a int); CREATE TEMP TABLE t (a int, b text)");
    session.query("INSERT INTO t VALUES (1, 'kept')");
    let large = "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 10000) i";
    for _ in 0..4 {
        let error = session.error(&format!("INSERT INTO p VALUES (1); {large}"));
        assert_eq!(error, "53100 could not use temporary file: No space left on device");
        assert_eq!(session.lines("SELECT count(*) FROM p"), ["0"]);
    }
    session.query("INSERT INTO p VALUES (2)");
    assert_eq!(session.lines("SELECT a FROM p"), ["2"]);
    session.query("DROP TABLE t");
    session.query("CREATE TEMP TABLE t (a int, b text); INSERT INTO t VALUES (1, 'new')");
    assert_eq!(session.lines("SELECT b FROM t"), ["new"]);
}

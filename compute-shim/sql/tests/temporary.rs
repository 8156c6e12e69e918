//! Temporary tables over the ends of sessions and of the process.

mod harness;

use harness::Cluster;
use hexalog_engine::Need;
use hexalog_sql::Stop;

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
    assert_eq!((storage.trees.len(), storage.sequences.len()), (3, 1));
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
    let storage = cluster.database.storage();
    assert_eq!((storage.trees.len(), storage.sequences.len()), (0, 0));
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

//! CREATE INDEX, DROP INDEX and REINDEX CONCURRENTLY beside sessions that read and write.

mod harness;

use harness::{Client, Cluster, Progress, Running};
use std::sync::atomic::Ordering;

/// Goes on until it waits or ends, and says which.
fn waits(client: &mut Client<'_>, running: &mut Running) -> bool {
    match client.go_on(running) {
        Progress::Waits => true,
        Progress::Done(result) => {
            result.expect("succeeds");
            false
        }
    }
}

/// What the index leads to, and what the table has: the same, or the index is wrong.
fn compare(cluster: &Cluster, column: &str) {
    let mut client = cluster.connect();
    let plan = client.lines(&format!("EXPLAIN SELECT a FROM t WHERE {column} >= 0"));
    assert!(plan[0].contains("Index Scan using t_i"), "{plan:#?}");
    let by_index = client.lines(&format!("SELECT a, b FROM t WHERE {column} >= 0 ORDER BY a"));
    let by_table = client.lines(&format!("SELECT a, b FROM t WHERE {column} + 0 >= 0 ORDER BY a"));
    assert_eq!(by_index, by_table);
    assert!(!by_index.is_empty());
}

fn state(client: &mut Client<'_>) -> Vec<String> {
    client.lines(
        "SELECT indisvalid, indisready, indislive FROM pg_index WHERE indexrelid = (SELECT oid FROM pg_class WHERE relname = 't_i')",
    )
}

/// The indexes of the table, and whether they are used.
const INDEXES: &str = "SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid";

#[test]
fn writers_that_were_there_are_waited_for_and_nobody_waits_for_the_index() {
    let cluster = Cluster::new();
    let mut first = cluster.connect();
    first.query("CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 1200) i");
    first.query("BEGIN; INSERT INTO t VALUES (2000, 2000); UPDATE t SET b = 5000 WHERE a = 1");
    let mut builder = cluster.connect();
    let mut building = builder.start("CREATE INDEX CONCURRENTLY t_i ON t (b)");
    assert!(waits(&mut builder, &mut building));
    let mut other = cluster.connect();
    assert_eq!(state(&mut other), ["f|t|t"]);
    // Whoever comes now writes on, and keeps the index.
    other.query(
        "INSERT INTO t VALUES (3000, 3000); UPDATE t SET b = -1 WHERE a = 2; DELETE FROM t WHERE a = 3",
    );
    assert!(other.lines("EXPLAIN SELECT a FROM t WHERE b = 7")[0].contains("Seq Scan"));
    assert!(waits(&mut builder, &mut building));
    // Definitions of the table wait for the index.
    let mut definer = cluster.connect();
    let mut defining = definer.start("ALTER TABLE t ADD COLUMN c int DEFAULT 7");
    assert!(waits(&mut definer, &mut defining));
    first.query("UPDATE t SET b = 6000 WHERE a = 4; COMMIT");
    assert!(!waits(&mut builder, &mut building));
    assert!(!waits(&mut definer, &mut defining));
    assert_eq!(state(&mut other), ["t|t|t"]);
    compare(&cluster, "b");
    assert_eq!(
        other.lines("SELECT a FROM t WHERE b IN (5000, 2000, 3000, 6000, -1) ORDER BY a"),
        ["1", "2", "4", "2000", "3000"]
    );
    other.query("UPDATE t SET b = b + 1; DELETE FROM t WHERE a % 2 = 0");
    compare(&cluster, "b");
}

#[test]
fn rows_that_a_writer_holds_are_waited_for_without_holding_others() {
    let cluster = Cluster::new();
    let mut writer = cluster.connect();
    writer.query(
        "CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 700) i",
    );
    let mut builder = cluster.connect();
    let mut reader = cluster.connect();
    reader.query("BEGIN; INSERT INTO t VALUES (-1, -1)");
    let mut building = builder.start("CREATE INDEX CONCURRENTLY t_i ON t (b)");
    assert!(waits(&mut builder, &mut building));
    // It knows of the index, so that it is not waited for; but it holds a row.
    writer.query("BEGIN; UPDATE t SET b = 9000 WHERE a = 650");
    reader.query("COMMIT");
    assert!(waits(&mut builder, &mut building));
    // The rows before it are nobody's.
    reader.query("UPDATE t SET b = 8000 WHERE a = 649");
    writer.query("ROLLBACK");
    assert!(!waits(&mut builder, &mut building));
    compare(&cluster, "b");
    assert_eq!(
        reader.lines("SELECT b FROM t WHERE b >= 650 AND b < 651 OR b = 8000 ORDER BY 1"),
        ["650", "8000"]
    );
}

#[test]
fn a_duplicate_leaves_an_index_that_is_not_used() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t SELECT i, i % 599 FROM generate_series(1, 600) i");
    let error = client.sql_error("CREATE UNIQUE INDEX CONCURRENTLY t_i ON t (b)");
    assert_eq!(error.to_string(), "ERROR 23505: could not create unique index \"t_i\"");
    assert_eq!(error.fields().detail.as_deref(), Some("Key (b)=(1) is duplicated."));
    assert_eq!(state(&mut client), ["f|t|t"]);
    assert!(client.lines("EXPLAIN SELECT * FROM t WHERE b = 7")[0].contains("Seq Scan"));
    // It is kept all the same, and no arbiter.
    assert_eq!(
        client.error("INSERT INTO t VALUES (1000, 7)"),
        "23505 duplicate key value violates unique constraint \"t_i\""
    );
    assert!(client.error("INSERT INTO t VALUES (1000, 7) ON CONFLICT (b) DO NOTHING").starts_with("42P10"));
    drop(client);
    let cluster = cluster.crash();
    let mut client = cluster.connect();
    assert_eq!(state(&mut client), ["f|t|t"]);
    client.query("TRUNCATE t; INSERT INTO t VALUES (1, 1)");
    assert_eq!(state(&mut client), ["f|t|t"]);
    client.query("DROP INDEX CONCURRENTLY t_i");
    assert_eq!(state(&mut client), [""; 0]);
    client.query("CREATE UNIQUE INDEX CONCURRENTLY t_i ON t (b) WHERE a > 0");
    client.query("INSERT INTO t VALUES (2, 2) ON CONFLICT (b) WHERE a > 0 DO NOTHING");
    assert_eq!(state(&mut client), ["t|t|t"]);
}

#[test]
fn an_index_goes_when_nobody_can_use_it() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE INDEX t_i ON t (b)");
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 100) i");
    let trees = cluster.database.storage().trees.len();
    let mut reader = cluster.connect();
    reader.query("BEGIN; DECLARE c CURSOR FOR SELECT a FROM t WHERE b > 50; FETCH 1 FROM c");
    let mut dropper = cluster.connect();
    let mut dropping = dropper.start("DROP INDEX CONCURRENTLY t_i");
    assert!(waits(&mut dropper, &mut dropping));
    client.query("INSERT INTO t VALUES (200, 200)");
    assert_eq!(state(&mut client), ["f|t|t"]);
    assert_eq!(reader.lines("FETCH ALL FROM c").len(), 49);
    let mut writer = cluster.connect();
    writer.query("BEGIN; INSERT INTO t VALUES (201, 201)");
    reader.query("COMMIT");
    assert!(waits(&mut dropper, &mut dropping));
    assert_eq!(state(&mut client), ["f|f|f"]);
    client
        .query("INSERT INTO t VALUES (202, 202); UPDATE t SET b = 1 WHERE a = 7; DELETE FROM t WHERE a = 8");
    writer.query("COMMIT");
    assert!(!waits(&mut dropper, &mut dropping));
    assert_eq!(state(&mut client), [""; 0]);
    assert_eq!(cluster.database.storage().trees.len(), trees - 1);
    assert_eq!(client.lines("SELECT count(*), max(b) FROM t"), ["102|202"]);
}

#[test]
fn an_index_is_built_anew_beside_those_who_read_and_write() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE UNIQUE INDEX t_i ON t (b)");
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 1200) i");
    let (trees, oid) = (cluster.database.storage().trees.len(), client.lines("SELECT 't_i'::regclass::oid"));
    let mut writer = cluster.connect();
    writer.query("BEGIN; INSERT INTO t VALUES (2000, 2000); UPDATE t SET b = 5000 WHERE a = 1");
    let mut reader = cluster.connect();
    reader.query("BEGIN; DECLARE c CURSOR FOR SELECT a FROM t WHERE b > 1150 AND b < 2000; FETCH 1 FROM c");
    let mut old = cluster.connect();
    old.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(old.lines("SELECT count(*) FROM pg_class WHERE relname = 't'"), ["1"]);
    let mut builder = cluster.connect();
    let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
    assert!(waits(&mut builder, &mut building), "for the writer");
    // The index is read and kept all the while, and its copy is kept.
    assert_eq!(state(&mut client), ["t|t|t"]);
    client.query(
        "INSERT INTO t VALUES (3000, 3000); UPDATE t SET b = -1 WHERE a = 2; DELETE FROM t WHERE a = 3",
    );
    compare(&cluster, "b");
    writer.query("UPDATE t SET b = 6000 WHERE a = 4; COMMIT");
    // The trees are exchanged, and the reader has the old one.
    assert!(waits(&mut builder, &mut building), "for the reader");
    compare(&cluster, "b");
    client.query(
        "INSERT INTO t VALUES (3001, 3001); UPDATE t SET b = -5 WHERE a = 1199; DELETE FROM t WHERE a = 1198",
    );
    assert_eq!(
        client.error("INSERT INTO t VALUES (4000, 6000)"),
        "23505 duplicate key value violates unique constraint \"t_i\""
    );
    assert_eq!(reader.lines("FETCH ALL FROM c").len(), 49);
    assert_eq!(old.lines("SELECT a FROM t WHERE b = 1198 OR b = 3"), ["3", "1198"]);
    old.query("COMMIT");
    reader.query("COMMIT");
    assert!(!waits(&mut builder, &mut building));
    compare(&cluster, "b");
    assert_eq!(
        client.lines("SELECT a FROM t WHERE b IN (5000, 2000, 3000, 6000, -1, 3001, -5) ORDER BY a"),
        ["1", "2", "4", "1199", "2000", "3000", "3001"]
    );
    assert_eq!(client.lines("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), ["2"]);
    assert_eq!(client.lines("SELECT 't_i'::regclass::oid"), oid);
    assert_eq!(cluster.database.storage().trees.len(), trees);
    drop((client, writer, reader, old, builder));
    let cluster = cluster.crash();
    compare(&cluster, "b");
    let mut client = cluster.connect();
    // Through the extended protocol, whose portal outlasts the transactions in between.
    assert_eq!(client.extended("REINDEX TABLE CONCURRENTLY t", &[]).expect("builds").tag, "REINDEX");
    compare(&cluster, "b");
}

#[test]
fn a_rebuilding_that_breaks_off_leaves_the_index_and_a_copy() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE INDEX t_i ON t (b)");
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 100) i");
    let mut writer = cluster.connect();
    writer.query("BEGIN; INSERT INTO t VALUES (2000, 2000)");
    let mut builder = cluster.connect();
    let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
    assert!(waits(&mut builder, &mut building));
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t", "t_i_ccnew|f"]);
    drop((client, writer, builder));
    let cluster = cluster.crash();
    let mut client = cluster.connect();
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t", "t_i_ccnew|f"]);
    client.query("UPDATE t SET b = b + 1");
    compare(&cluster, "b");
    client.query("REINDEX TABLE CONCURRENTLY t");
    client.query("DROP INDEX t_i_ccnew");
    compare(&cluster, "b");
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t"]);
}

/// A table of 600 rows with an index, and how many trees there are.
fn filled(cluster: &Cluster) -> usize {
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE UNIQUE INDEX t_i ON t (b)");
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 600) i");
    cluster.database.storage().trees.len()
}

/// What is left of a rebuilding that has been broken off keeps nobody from anything, and goes.
fn drop_what_is_left(cluster: &Cluster, trees: usize) {
    let mut client = cluster.connect();
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t", "t_i_ccnew|f"]);
    client.query("UPDATE t SET b = b + 10000 WHERE a % 3 = 0; DELETE FROM t WHERE a % 7 = 0");
    client.query("INSERT INTO t VALUES (7, 7), (9001, 9001)");
    assert_eq!(
        client.error("INSERT INTO t VALUES (9002, 9001)"),
        "23505 duplicate key value violates unique constraint \"t_i\""
    );
    compare(cluster, "b");
    client.query("DROP INDEX CONCURRENTLY t_i_ccnew");
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t"]);
    assert_eq!(cluster.database.storage().trees.len(), trees);
    client.query("UPDATE t SET b = b + 1 WHERE a = 9001");
    compare(cluster, "b");
    client.query("REINDEX INDEX CONCURRENTLY t_i");
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t"]);
    compare(cluster, "b");
}

#[test]
fn a_rebuilding_that_breaks_off_behind_the_exchange_leaves_the_old_tree() {
    let cluster = Cluster::new();
    let trees = filled(&cluster);
    let (mut reader, mut builder) = (cluster.connect(), cluster.connect());
    reader.query("BEGIN; DECLARE c CURSOR FOR SELECT a FROM t WHERE b > 550; FETCH 1 FROM c");
    let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
    assert!(waits(&mut builder, &mut building), "for the reader");
    reader.query("COMMIT; INSERT INTO t VALUES (8000, 8000)");
    drop((reader, builder));
    let cluster = cluster.crash();
    drop_what_is_left(&cluster, trees);
}

#[test]
fn a_rebuilding_may_be_cancelled() {
    for is_exchanged in [false, true] {
        let cluster = Cluster::new();
        let trees = filled(&cluster);
        let (mut other, mut builder) = (cluster.connect(), cluster.connect());
        other.query(match is_exchanged {
            true => "BEGIN; DECLARE c CURSOR FOR SELECT a FROM t WHERE b > 550; FETCH 1 FROM c",
            false => "BEGIN; INSERT INTO t VALUES (8000, 8000)",
        });
        let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
        assert!(waits(&mut builder, &mut building));
        cluster.world.is_cancelled.store(true, Ordering::Relaxed);
        match builder.go_on(&mut building) {
            Progress::Done(Err(error)) => assert_eq!(error.sqlstate().as_str(), "57014"),
            other => panic!("it has been cancelled: {other:?}"),
        }
        cluster.world.is_cancelled.store(false, Ordering::Relaxed);
        if is_exchanged {
            assert_eq!(other.lines("FETCH ALL FROM c").len(), 49, "by the tree that it began with");
        }
        // Nothing keeps definitions off any more but the other's own lock.
        other.query("COMMIT");
        other.query("ALTER TABLE t ADD COLUMN c int");
        drop_what_is_left(&cluster, trees);
    }
}

#[test]
fn prepared_statements_outlive_the_old_tree() {
    let cluster = Cluster::new();
    let trees = filled(&cluster);
    let (mut client, mut builder) = (cluster.connect(), cluster.connect());
    client
        .query("PREPARE look AS SELECT a FROM t WHERE b = $1; PREPARE put AS INSERT INTO t VALUES ($1, $1)");
    client.query("PREPARE move AS UPDATE t SET b = $2 WHERE b = $1");
    client.query("EXECUTE put (1000); EXECUTE move (5, 5000)");
    assert_eq!(client.lines("EXECUTE look (5000)"), ["5"]);
    let mut reader = cluster.connect();
    reader.query("BEGIN; DECLARE c CURSOR FOR SELECT a FROM t WHERE b > 550; FETCH 1 FROM c");
    let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
    for round in 1..=2 {
        assert_eq!(waits(&mut builder, &mut building), round == 1, "for the reader, once");
        client.query(&format!("EXECUTE put ({0}); EXECUTE move ({0}, {1})", 1000 + round, 6000 + round));
        assert_eq!(client.lines(&format!("EXECUTE look ({})", 6000 + round)), [(1000 + round).to_string()]);
        assert_eq!(client.lines("EXECUTE look (5000)"), ["5"]);
        assert!(client.error("EXECUTE put (6)").starts_with("23505"));
        reader.query("COMMIT");
    }
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_i|t"]);
    assert_eq!(cluster.database.storage().trees.len(), trees);
    compare(&cluster, "b");
}

#[test]
fn a_snapshot_from_before_the_exchange_finds_its_versions() {
    let cluster = Cluster::new();
    let trees = filled(&cluster);
    let (mut client, mut builder) = (cluster.connect(), cluster.connect());
    // One has read by the index and is waited for; the other has only its snapshot, and is not.
    let (mut holds, mut looks) = (cluster.connect(), cluster.connect());
    holds.query("BEGIN ISOLATION LEVEL REPEATABLE READ; PREPARE look AS SELECT a FROM t WHERE b = $1");
    assert_eq!(holds.lines("EXECUTE look (3)"), ["3"]);
    looks.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(looks.lines("SELECT count(*) FROM pg_class WHERE relname = 't'"), ["1"]);
    // What the new tree never has.
    client.query("DELETE FROM t WHERE a = 3; UPDATE t SET b = 4000 WHERE a = 4");
    let mut building = builder.start("REINDEX INDEX CONCURRENTLY t_i");
    assert!(waits(&mut builder, &mut building), "for the one that has read");
    client.query("DELETE FROM t WHERE a = 5; UPDATE t SET b = 6000 WHERE a = 6");
    let check = |client: &mut Client<'_>| {
        for b in [3, 4, 5, 6] {
            assert_eq!(client.lines(&format!("SELECT a FROM t WHERE b = {b}")), [b.to_string()]);
        }
        assert_eq!(client.lines("SELECT a FROM t WHERE b IN (4000, 6000)"), [""; 0]);
    };
    check(&mut holds);
    assert_eq!(holds.lines("EXECUTE look (3)"), ["3"]);
    assert_eq!(holds.lines("EXECUTE look (6000)"), [""; 0]);
    holds.query("COMMIT");
    assert!(!waits(&mut builder, &mut building));
    assert_eq!(cluster.database.storage().trees.len(), trees);
    check(&mut looks);
    looks.query("COMMIT");
    assert_eq!(looks.lines("SELECT a FROM t WHERE b IN (3, 4, 5, 6, 4000, 6000) ORDER BY a"), ["4", "6"]);
    compare(&cluster, "b");
}

/// Two writers, one of which knew the trees from before the exchange, looked for others' keys in different ones, and both
/// committed the same key. Until both can look into one tree, these indexes are not built anew beside writers.
#[test]
fn indexes_of_deferrable_constraints_are_not_rebuilt_beside_writers() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE t (a int PRIMARY KEY DEFERRABLE, b int UNIQUE DEFERRABLE INITIALLY DEFERRED, c int)",
    );
    client.query("CREATE INDEX t_i ON t (c); CREATE TABLE u (b int UNIQUE)");
    for index in ["t_pkey", "t_b_key"] {
        let error = client.sql_error(&format!("REINDEX INDEX CONCURRENTLY {index}"));
        let message =
            format!("ERROR 0A000: cannot reindex index \"{index}\" of a deferrable constraint concurrently");
        assert_eq!(error.to_string(), message);
        assert_eq!(error.fields().hint.as_deref(), Some("Leave out CONCURRENTLY."));
    }
    let skipped = |index: &str| {
        format!(
            "WARNING 0A000: cannot reindex index \"public.{index}\" of a deferrable constraint concurrently, skipping"
        )
    };
    client.take_notices();
    for what in ["TABLE CONCURRENTLY t", "SCHEMA CONCURRENTLY public", "DATABASE CONCURRENTLY postgres"] {
        client.query(&format!("REINDEX {what}"));
        let mut notices = client.take_notices();
        notices.retain(|notice| !notice.contains("system catalogs"));
        assert_eq!(notices, [skipped("t_pkey"), skipped("t_b_key")], "{what}");
    }
    assert_eq!(client.lines(INDEXES), ["t_pkey|t", "t_b_key|t", "t_i|t"]);
    client.query("REINDEX INDEX t_b_key; REINDEX TABLE t");
}

/// As `tests/conformance/reindex.out` has it from PostgreSQL, which adds times.
#[test]
fn verbose_tells_of_tables_too() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE SCHEMA told; CREATE TABLE told.t (a int, b int); CREATE TABLE told.bare (a int)");
    client.query("CREATE INDEX t_a ON told.t (a); CREATE INDEX t_b ON told.t (b)");
    client.query("CREATE TEMP TABLE temporary (a int UNIQUE)");
    let qualified: &[&str] = &["index \"told.t_a\"", "index \"told.t_b\"", "table \"told.t\""];
    let (alone, whole) =
        (["index \"t_a\"", "index \"t_b\""], ["index \"t_a\"", "index \"t_b\"", "table \"told.t\""]);
    for (statement, expected) in [
        ("REINDEX (VERBOSE) TABLE told.t", alone.as_slice()),
        ("REINDEX (VERBOSE, CONCURRENTLY) TABLE told.t", qualified),
        ("REINDEX (VERBOSE, CONCURRENTLY) TABLE temporary", &["index \"temporary_a_key\""]),
        ("REINDEX (VERBOSE) SCHEMA told", &whole),
        ("REINDEX (VERBOSE, CONCURRENTLY) SCHEMA told", qualified),
        ("REINDEX (CONCURRENTLY) SCHEMA told", &[]),
    ] {
        client.take_notices();
        client.query(statement);
        let expected: Vec<String> =
            expected.iter().map(|what| format!("INFO 00000: {what} was reindexed")).collect();
        assert_eq!(client.take_notices(), expected, "{statement}");
    }
}

#[test]
fn who_waits_for_the_builder_cannot_be_waited_for() {
    let cluster = Cluster::new();
    let mut writer = cluster.connect();
    writer.query("CREATE TABLE t (a int PRIMARY KEY, b int)");
    writer.query("BEGIN; INSERT INTO t VALUES (1, 1)");
    let mut builder = cluster.connect();
    let mut building = builder.start("CREATE INDEX CONCURRENTLY t_i ON t (b)");
    assert!(waits(&mut builder, &mut building));
    let mut altering = writer.start("ALTER TABLE t ADD COLUMN c int");
    assert!(waits(&mut writer, &mut altering));
    match builder.go_on(&mut building) {
        Progress::Done(Err(error)) => assert_eq!(error.to_string(), "ERROR 40P01: deadlock detected"),
        _ => panic!("it waits for who waits for it"),
    }
    assert!(!waits(&mut writer, &mut altering));
    writer.query("COMMIT");
    writer.query("DROP INDEX t_i");
}

#[test]
fn what_is_refused() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE); CREATE UNIQUE INDEX t_i ON t (b)");
    client.query("CREATE TABLE u (b int); CREATE INDEX u_i ON u (b)");
    for (statement, expected) in [
        (
            "DROP INDEX CONCURRENTLY t_i, u_i",
            "0A000 DROP INDEX CONCURRENTLY does not support dropping multiple objects",
        ),
        ("DROP INDEX CONCURRENTLY t_i CASCADE", "0A000 DROP INDEX CONCURRENTLY does not support CASCADE"),
        ("DROP INDEX CONCURRENTLY nope", "42704 index \"nope\" does not exist"),
        ("DROP INDEX CONCURRENTLY t", "42809 \"t\" is not an index"),
        (
            "DROP INDEX CONCURRENTLY t_pkey",
            "2BP01 cannot drop index t_pkey because constraint t_pkey on table t requires it",
        ),
        (
            "BEGIN; DROP INDEX CONCURRENTLY t_i",
            "25001 DROP INDEX CONCURRENTLY cannot run inside a transaction block",
        ),
        (
            "BEGIN; CREATE INDEX CONCURRENTLY ON t (b)",
            "25001 CREATE INDEX CONCURRENTLY cannot run inside a transaction block",
        ),
        ("CREATE INDEX CONCURRENTLY t_i ON t (a)", "42P07 relation \"t_i\" already exists"),
        ("CREATE INDEX CONCURRENTLY x ON nope (a)", "42P01 relation \"nope\" does not exist"),
        ("CREATE INDEX CONCURRENTLY x ON t (nope)", "42703 column \"nope\" does not exist"),
    ] {
        assert_eq!(client.error(statement), expected, "{statement}");
        client.query("ROLLBACK");
    }
    client.query("CREATE INDEX CONCURRENTLY IF NOT EXISTS t_i ON t (a)");
    client.query("DROP INDEX CONCURRENTLY IF EXISTS nope");
    // Through the extended protocol, whose portal outlasts the transactions in between.
    assert_eq!(
        client.extended("CREATE INDEX CONCURRENTLY ON u (b)", &[]).expect("makes").tag,
        "CREATE INDEX"
    );
    assert_eq!(client.extended("DROP INDEX CONCURRENTLY u_b_idx", &[]).expect("drops").tag, "DROP INDEX");
}

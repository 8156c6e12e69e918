//! Long values: that they are read only where they are wanted, and that nothing of them is left behind.
//!
//! What they are worth to a client is in `conformance/long_values.sql`. Here every page of the volume is counted once the
//! tables are dropped: a chain that no row took, or that was freed twice, fails the count.

mod harness;

use harness::{Client, Cluster, Progress};
use hexalog_engine::{Budget, PageCheck};

/// Text of `n` times 32 bytes that do not compress to less than half.
fn noise(n: u32) -> String {
    format!("(SELECT string_agg(md5((i * {n})::text), '') FROM generate_series(1, {n}) i)")
}

/// Runs what the background has to do to its end.
fn settle(cluster: &Cluster) {
    loop {
        let beyond = cluster.volume.beyond_vdl();
        cluster.volume.advance_vdl(&cluster.engine, beyond);
        let step = || cluster.engine.background(Budget::default());
        if !cluster.volume.run(&cluster.engine, step).expect("background work") {
            return;
        }
    }
}

/// No table is there: only the catalog and undo hold pages.
fn assert_nothing_left(cluster: &Cluster) {
    settle(cluster);
    let mut check = PageCheck::new(&[], &[]);
    let report = cluster.volume.run(&cluster.engine, || cluster.engine.check_pages(&mut check));
    assert_eq!(report.expect("no page is lost").overflow, 0);
}

#[test]
fn statements_of_all_kinds_leave_nothing_behind() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    let (long, other) = (noise(700), noise(900));
    a.query(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, n int, v text, w text, u text UNIQUE); \
         INSERT INTO t SELECT i, i, {long}, {other}, md5(i::text) FROM generate_series(1, 6) i"
    ));
    for statement in [
        "UPDATE t SET n = n + 1",
        &format!("UPDATE t SET v = v || 'x', w = {long} WHERE id < 3"),
        "UPDATE t SET v = w, w = v WHERE id = 3",
        "UPDATE t SET id = id + 10 WHERE id = 4",
        "UPDATE t SET v = NULL WHERE id = 5",
        &format!("INSERT INTO t VALUES (1, 0, {other}) ON CONFLICT DO NOTHING"),
        // Refused by the second index, after the row was written.
        &format!("INSERT INTO t VALUES (30, 0, {other}, {long}, md5('1')) ON CONFLICT DO NOTHING"),
        &format!(
            "INSERT INTO t VALUES (31, 0, {other}, {long}, md5('1')) ON CONFLICT (u) DO UPDATE SET w = excluded.v"
        ),
        "DELETE FROM t WHERE id = 6",
        "ALTER TABLE t ADD COLUMN s serial",
        "ALTER TABLE t DROP CONSTRAINT t_pkey",
        "ALTER TABLE t ADD PRIMARY KEY (s)",
        "CREATE TABLE c AS SELECT * FROM t",
        "TRUNCATE c",
    ] {
        a.query(statement);
    }
    for refused in [
        format!("INSERT INTO t (id, s, v) VALUES (0, 1, {other})"),
        format!("INSERT INTO t (id, s, u, v) VALUES (0, 100, md5('1'), {other})"),
        format!("UPDATE t SET v = {other}, n = 1 / (s - 3)"),
    ] {
        a.error(&refused);
    }
    a.query(&format!("BEGIN; UPDATE t SET v = {other}; INSERT INTO t (id, v) VALUES (0, {other}); ROLLBACK"));
    a.query(&format!(
        "BEGIN; UPDATE t SET v = {long}; SAVEPOINT s; UPDATE t SET v = {other}, w = NULL; DELETE FROM t WHERE n < 3; \
         ROLLBACK TO s; UPDATE t SET n = 0; COMMIT"
    ));
    assert_eq!(a.lines("SELECT count(*), count(v), count(w), min(length(w)) FROM t"), ["5|5|5|22400"]);
    a.query("DROP TABLE t, c");
    assert_nothing_left(&cluster);
}

#[test]
fn pages_of_a_value_are_read_where_it_is_wanted() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, n int, v text); \
         INSERT INTO t SELECT i, i, {} FROM generate_series(1, 20) i; SELECT count(*) FROM t",
        noise(1_500)
    ));
    settle(&cluster);
    let fetched = |a: &mut Client<'_>, statement: &str| {
        settle(&cluster);
        cluster.engine.evict_pages();
        let before = cluster.engine.stats().page_fetches;
        a.query(statement);
        cluster.engine.stats().page_fetches - before
    };
    // A value takes a directory and three or more pages.
    for (statement, most) in [
        ("SELECT sum(n) FROM t", 10),
        ("SELECT id FROM t ORDER BY n DESC", 10),
        ("SELECT v IS NULL FROM t WHERE n = 7", 16),
        ("UPDATE t SET n = n + 1", 16),
        ("UPDATE t SET n = n - 1, v = v WHERE n > 5", 16),
        ("DELETE FROM t WHERE n = 20", 16),
    ] {
        let pages = fetched(&mut a, statement);
        assert!(pages <= most, "{statement}: {pages} pages");
    }
    assert!(fetched(&mut a, "SELECT sum(length(v)) FROM t") >= 20 * 4);
    a.query("DROP TABLE t");
    assert_nothing_left(&cluster);
}

#[test]
fn a_row_that_changed_meanwhile_takes_the_value_written_last() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, n int, v text, w text); INSERT INTO t VALUES (1, 1, {}, {}), (2, 1, 'x', 'y')",
        noise(500),
        noise(600)
    ));
    a.query(&format!(
        "BEGIN; UPDATE t SET v = {}, n = 2 WHERE id = 1; DELETE FROM t WHERE id = 2",
        noise(800)
    ));
    let update = format!("UPDATE t SET w = {}, n = n + 10 RETURNING id, n, length(v), length(w)", noise(700));
    let mut waiting = b.start(&update);
    assert!(matches!(b.go_on(&mut waiting), Progress::Waits));
    a.query("COMMIT");
    match b.go_on(&mut waiting) {
        Progress::Done(Ok(answers)) => assert_eq!(answers[0].lines(), ["1|12|25600|22400"]),
        other => panic!("{other:?}"),
    }
    a.query("DROP TABLE t");
    assert_nothing_left(&cluster);
}

#[test]
fn a_crash_leaves_what_was_committed() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, {})",
        noise(500)
    ));
    let digest = a.lines("SELECT md5(v) FROM t");
    a.query(&format!("BEGIN; UPDATE t SET v = {0}; INSERT INTO t VALUES (2, {0})", noise(4_000)));
    let beyond = cluster.volume.beyond_vdl();
    cluster.volume.advance_vdl(&cluster.engine, beyond);
    drop(a);
    let cluster = cluster.crash();
    let mut a = cluster.connect();
    assert_eq!(a.lines("SELECT md5(v) FROM t"), digest);
    a.query("DROP TABLE t");
    assert_nothing_left(&cluster);
}

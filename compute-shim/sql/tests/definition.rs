//! Definitions among other sessions, over cold caches, cancelled, rolled back and crashed.
//!
//! What each statement answers by itself is in `conformance/definitions*.sql`.

mod harness;

use harness::{Client, Cluster, Progress};
use hexalog_engine::Budget;
use hexalog_sql::DatabaseOptions;
use std::sync::atomic::Ordering;

/// Begins a statement that must wait for a lock.
fn waits(client: &mut Client<'_>, text: &str) -> harness::Running {
    let mut running = client.start(text);
    assert!(matches!(client.go_on(&mut running), Progress::Waits), "{text} waits");
    running
}

fn done(client: &mut Client<'_>, running: &mut harness::Running) -> Result<(), String> {
    match client.go_on(running) {
        Progress::Done(Ok(_)) => Ok(()),
        Progress::Done(Err(error)) => Err(format!("{} {}", error.fields().sqlstate, error.fields().message)),
        Progress::Waits => panic!("still waits"),
    }
}

/// Lets purge run to its end, everything durable and no snapshot in use.
fn settle(cluster: &Cluster) {
    loop {
        let beyond = cluster.volume.beyond_vdl();
        cluster.volume.advance_vdl(&cluster.engine, beyond);
        let step = || Ok(cluster.engine.background(Budget::default())?);
        if !cluster.run(step).expect("background work") {
            return;
        }
    }
}

#[test]
fn an_index_waits_for_writers_and_has_their_rows() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10), (2, 20)");
    a.query(
        "BEGIN; INSERT INTO t VALUES (3, 30); UPDATE t SET v = 11 WHERE k = 1; DELETE FROM t WHERE k = 2",
    );
    let mut index = waits(&mut b, "CREATE INDEX t_v ON t (v)");
    a.query("COMMIT");
    done(&mut b, &mut index).expect("builds");
    assert_eq!(b.lines("SELECT k FROM t WHERE v = 30"), ["3"]);
    assert_eq!(b.lines("SELECT k FROM t WHERE v = 11"), ["1"]);
    assert!(b.lines("SELECT k FROM t WHERE v = 10 OR v = 20").is_empty());
    // The other way round: a writer waits for the index to be committed, and keeps it up.
    a.query("BEGIN; CREATE UNIQUE INDEX t_v2 ON t (v)");
    let mut insert = waits(&mut b, "INSERT INTO t VALUES (4, 30)");
    a.query("COMMIT");
    let error = done(&mut b, &mut insert).expect_err("a duplicate");
    assert_eq!(error, "23505 duplicate key value violates unique constraint \"t_v2\"");
}

#[test]
fn a_rolled_back_writer_leaves_no_entry() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10)");
    a.query("BEGIN; INSERT INTO t VALUES (2, 10); UPDATE t SET v = 99");
    let mut index = waits(&mut b, "CREATE UNIQUE INDEX t_v ON t (v)");
    a.query("ROLLBACK");
    done(&mut b, &mut index).expect("one row is left");
    assert_eq!(b.lines("SELECT k FROM t WHERE v = 10"), ["1"]);
}

#[test]
fn who_waited_means_what_the_name_means_now() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t VALUES (1)");
    a.query("BEGIN; ALTER TABLE t RENAME TO old; CREATE TABLE t (k int); INSERT INTO t VALUES (2)");
    let mut truncate = waits(&mut b, "TRUNCATE t");
    a.query("COMMIT");
    done(&mut b, &mut truncate).expect("truncates");
    assert_eq!(a.lines("SELECT k FROM old"), ["1"]);
    assert!(a.lines("SELECT k FROM t").is_empty());
    // Dropped meanwhile.
    a.query("BEGIN; DROP TABLE t");
    let mut alter = waits(&mut b, "ALTER TABLE t ADD COLUMN x int");
    a.query("COMMIT");
    assert_eq!(done(&mut b, &mut alter).expect_err("gone"), "42P01 relation \"t\" does not exist");
    // Changed meanwhile: the second ADD COLUMN starts from the first one's result.
    a.query("BEGIN; ALTER TABLE old ADD COLUMN x int DEFAULT 5");
    let mut alter = waits(&mut b, "ALTER TABLE old ADD COLUMN y int DEFAULT 6");
    a.query("COMMIT");
    done(&mut b, &mut alter).expect("adds");
    assert_eq!(a.lines("SELECT * FROM old"), ["1|5|6"]);
}

#[test]
fn two_make_one_name() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("BEGIN; CREATE TABLE t (a int)");
    let mut create = waits(&mut b, "CREATE TABLE t (b int)");
    a.query("COMMIT");
    assert_eq!(done(&mut b, &mut create).expect_err("taken"), "42P07 relation \"t\" already exists");
    a.query("BEGIN; CREATE TABLE u (a int)");
    let mut create = waits(&mut b, "CREATE TABLE u (b int)");
    a.query("ROLLBACK");
    done(&mut b, &mut create).expect("the name is free");
    assert_eq!(a.query("SELECT * FROM u").names, ["b"]);
    // A schema is not dropped while something is made in it.
    a.query("CREATE SCHEMA s");
    a.query("BEGIN; CREATE TABLE s.t (a int)");
    let mut drop = waits(&mut b, "DROP SCHEMA s");
    a.query("COMMIT");
    let error = done(&mut b, &mut drop).expect_err("not empty");
    assert_eq!(error, "2BP01 cannot drop schema s because other objects depend on it");
}

#[test]
fn old_snapshots_do_not_use_a_new_index() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10), (2, 20)");
    b.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t");
    a.query("UPDATE t SET v = 11 WHERE k = 1; DELETE FROM t WHERE k = 2");
    b.query("COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ");
    b.query("SELECT 1");
    a.query("UPDATE t SET v = 12 WHERE k = 1");
    // The reader has no lock on the table yet, so the index is built; it has no entry for 11.
    a.query("CREATE INDEX t_v ON t (v)");
    assert_eq!(b.lines("SELECT k FROM t WHERE v = 11"), ["1"]);
    assert!(b.lines("SELECT k FROM t WHERE v = 12").is_empty());
    b.query("COMMIT");
    assert_eq!(b.lines("SELECT k FROM t WHERE v = 12"), ["1"]);
}

/// A rewrite moves the rows to another tree, where a snapshot from before cannot see them: an empty table would be a
/// wrong answer.
#[test]
fn old_snapshots_are_told_of_a_rewrite() {
    let cluster = Cluster::new();
    let (mut old, mut other) = (cluster.connect(), cluster.connect());
    other.query("CREATE TABLE t (a int NOT NULL); INSERT INTO t VALUES (1), (2); CREATE TABLE u (b int)");
    old.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM u");
    other.query("ALTER TABLE t ADD PRIMARY KEY (a)");
    let error = old.error("SELECT count(*) FROM t");
    assert!(error.starts_with("40001"), "{error}");
    old.query("ROLLBACK");
    assert_eq!(old.lines("SELECT count(*) FROM t"), ["2"]);
    other.query("BEGIN ISOLATION LEVEL REPEATABLE READ; ALTER TABLE t DROP CONSTRAINT t_pkey");
    assert_eq!(other.lines("SELECT count(*) FROM t"), ["2"], "the rewriting transaction sees its own rows");
    other.query("ROLLBACK");
}

#[test]
fn a_table_changed_and_indexed_in_one_transaction() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10), (2, 20)");
    a.query("BEGIN; UPDATE t SET v = 11 WHERE k = 1; CREATE INDEX t_v ON t (v)");
    assert_eq!(a.lines("SELECT k FROM t WHERE v = 11"), ["1"]);
    a.query("UPDATE t SET v = 12 WHERE k = 1; ALTER TABLE t ADD COLUMN w int DEFAULT 3");
    assert_eq!(a.lines("SELECT k, w FROM t WHERE v = 12"), ["1|3"]);
    assert!(a.lines("SELECT k FROM t WHERE v = 11").is_empty());
    a.query("ROLLBACK");
    assert_eq!(b.lines("SELECT k, v FROM t WHERE v = 10"), ["1|10"]);
    assert_eq!(b.query("SELECT * FROM t").names, ["k", "v"]);
}

/// Everything that reads or writes pages, over a cache that holds none of them: each step stops for pages and is
/// replayed.
#[test]
fn definitions_survive_needs_at_every_step() {
    let script = [
        "CREATE TABLE u (a int PRIMARY KEY, b text UNIQUE, c serial, CHECK (a > 0))",
        "ALTER TABLE t ADD PRIMARY KEY (k)",
        "CREATE INDEX t_v ON t (v, w DESC)",
        "ALTER TABLE t ADD COLUMN x int DEFAULT nextval('q')",
        "ALTER TABLE t ADD COLUMN y bigserial, ADD CHECK (y < 10000), ADD UNIQUE (y)",
        "ALTER TABLE t ALTER v SET NOT NULL, DROP COLUMN w",
        "ALTER TABLE t DROP CONSTRAINT t_pkey",
        "CREATE TABLE copied AS SELECT * FROM t WHERE k % 2 = 0",
        "TRUNCATE t RESTART IDENTITY",
        "DROP TABLE t, u CASCADE",
    ];
    let mut cluster = Cluster::new();
    {
        let mut a = cluster.connect();
        a.query("CREATE SEQUENCE q; CREATE TABLE t (k int, v int, w text)");
        a.query("INSERT INTO t SELECT g, g % 50, repeat('w', 100) FROM generate_series(1, 2500) g");
    }
    for statement in script {
        cluster = cluster.crash();
        let fetches = cluster.engine.stats().page_fetches;
        cluster.connect().query(statement);
        let met_needs = cluster.engine.stats().page_fetches > fetches;
        assert!(met_needs || statement.starts_with("DROP"), "{statement} met needs");
        let mut a = cluster.connect();
        match statement {
            "ALTER TABLE t ADD PRIMARY KEY (k)" => {
                assert_eq!(a.lines("SELECT count(*), min(k), max(k) FROM t WHERE k > 0"), ["2500|1|2500"]);
            }
            "CREATE INDEX t_v ON t (v, w DESC)" => {
                assert_eq!(a.lines("SELECT count(*) FROM t WHERE v = 7"), ["50"]);
            }
            "ALTER TABLE t ADD COLUMN x int DEFAULT nextval('q')" => {
                let expected = ["2500|1|2500"];
                assert_eq!(a.lines("SELECT count(DISTINCT x), min(x), max(x) FROM t"), expected);
                assert_eq!(a.lines("SELECT count(*) FROM t WHERE v = 7"), ["50"]);
            }
            "CREATE TABLE copied AS SELECT * FROM t WHERE k % 2 = 0" => {
                assert_eq!(a.lines("SELECT count(*), count(DISTINCT y) FROM copied"), ["1250|1250"]);
                assert_eq!(a.lines("SELECT k FROM t WHERE y = 1250"), ["1250"]);
            }
            _ => {}
        }
    }
    let mut a = cluster.connect();
    assert_eq!(a.lines("SELECT relname FROM pg_class WHERE oid >= 16384 ORDER BY 1"), ["copied", "q"]);
}

#[test]
fn a_crash_keeps_what_was_committed_and_nothing_else() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query("CREATE TABLE t (k int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')");
    a.query("BEGIN; CREATE TABLE u (a int); DROP TABLE t; CREATE TABLE t (z int)");
    assert!(a.lines("SELECT z FROM t").is_empty());
    drop(a);
    let cluster = cluster.crash();
    let mut a = cluster.connect();
    assert_eq!(a.lines("SELECT * FROM t"), ["1|x"]);
    assert_eq!(a.error("SELECT * FROM u"), "42P01 relation \"u\" does not exist");
    a.query("CREATE TABLE u (a int); CREATE INDEX ON t (v)");
    drop(a);
    let cluster = cluster.crash();
    assert_eq!(cluster.connect().lines("SELECT k FROM t WHERE v = 'x'"), ["1"]);
}

#[test]
fn pages_come_back_when_tables_fall() {
    let cluster = Cluster::new();
    let fill = |a: &mut Client<'_>| {
        a.query("CREATE TABLE t (k serial PRIMARY KEY, v int, w text)");
        a.query("INSERT INTO t (v, w) SELECT g % 10, repeat('w', 200) FROM generate_series(1, 2000) g");
        a.query("CREATE INDEX ON t (v)");
    };
    let used = |cluster: &Cluster| {
        settle(cluster);
        let pages = cluster.run(|| Ok(cluster.engine.pages_used()?)).expect("counts");
        pages - cluster.engine.stats().undo_pages
    };
    let mut a = cluster.connect();
    fill(&mut a);
    a.query("DROP TABLE t");
    let empty = used(&cluster);
    for way in [
        "DROP TABLE t",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; DROP TABLE t",
        "TRUNCATE t RESTART IDENTITY; ALTER TABLE t DROP COLUMN k; DROP TABLE t",
        "BEGIN; TRUNCATE t; ALTER TABLE t ADD COLUMN x serial; ROLLBACK; DROP TABLE t",
        "DROP INDEX t_v_idx; BEGIN; CREATE INDEX ON t (w, v); CREATE TABLE u (a serial); ROLLBACK; DROP TABLE t",
    ] {
        fill(&mut a);
        a.query(way);
        assert_eq!(used(&cluster), empty, "{way}");
    }
}

#[test]
fn a_cancelled_build_leaves_nothing() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query("CREATE TABLE t (k int, v int)");
    a.query("INSERT INTO t SELECT g, g FROM generate_series(1, 3000) g");
    for statement in
        ["CREATE INDEX t_v ON t (v)", "ALTER TABLE t ADD PRIMARY KEY (k)", "ALTER TABLE t ADD CHECK (k > 0)"]
    {
        cluster.world.is_cancelled.store(true, Ordering::Relaxed);
        assert_eq!(a.error(statement), "57014 canceling statement due to user request", "{statement}");
        cluster.world.is_cancelled.store(false, Ordering::Relaxed);
        assert_eq!(a.lines("SELECT relname FROM pg_class WHERE oid >= 16384"), ["t"]);
        assert_eq!(a.lines("SELECT count(*) FROM t WHERE v = 77"), ["1"]);
    }
}

#[test]
fn keys_that_are_too_long_are_refused() {
    let cluster = Cluster::new();
    let mut a = cluster.connect();
    a.query("CREATE TABLE t (a text)");
    a.query("INSERT INTO t VALUES (repeat('x', 2800))");
    assert!(a.error("CREATE INDEX ON t (a)").starts_with("54000 "));
    assert_eq!(a.lines("SELECT length(a) FROM t"), ["2800"]);
    let error = a.error("ALTER TABLE t ADD COLUMN b text DEFAULT repeat('y', 40000)");
    assert!(error.starts_with("54000 "), "{error}");
}

/// Keys scattered, rising and falling; memory for all of them, for some, for next to none.
#[test]
fn indexes_and_rewritten_tables_are_sorted_whatever_fits_memory() {
    for sort_bytes_max in [64 << 20, 20_000, 700] {
        let options = DatabaseOptions { sort_bytes_max, ..DatabaseOptions::default() };
        let cluster = Cluster::with_options(options);
        let mut a = cluster.connect();
        a.query("CREATE TABLE t (k int, v text, n int)");
        a.query("INSERT INTO t SELECT g * 7919 % 1009, md5(g::text), g % 50 FROM generate_series(1, 1008) g");
        a.query("CREATE UNIQUE INDEX t_v ON t (v DESC)");
        a.query("CREATE INDEX t_n ON t (n, k)");
        let rows = "SELECT k, v, n FROM t ORDER BY k";
        let before = a.lines(rows);
        a.query("ALTER TABLE t ADD PRIMARY KEY (k)");
        assert_eq!(a.lines(rows), before);
        assert_eq!(a.lines("SELECT count(*), min(k), max(k) FROM t WHERE n = 7"), ["21|30|966"]);
        assert_eq!(a.lines("SELECT k FROM t WHERE v = md5('500') AND n = 0"), ["184"]);
        assert!(a.error("INSERT INTO t VALUES (2000, md5('7'), 1)").starts_with("23505 "));
        assert!(a.error("INSERT INTO t VALUES (184, 'new', 1)").starts_with("23505 "));
        a.query("INSERT INTO t VALUES (0, 'zero', 7), (2000, 'two', 7); DELETE FROM t WHERE k = 500");
        assert_eq!(a.lines("SELECT count(*), min(k), max(k) FROM t WHERE n = 7"), ["23|0|2000"]);
        let error = a.error("CREATE UNIQUE INDEX ON t (n)");
        assert_eq!(error, "23505 could not create unique index \"t_n_idx\"");
        a.query("ALTER TABLE t DROP CONSTRAINT t_pkey");
        a.query("UPDATE t SET k = 5 WHERE k IN (7, 900)");
        let error = a.error("ALTER TABLE t ADD PRIMARY KEY (k)");
        assert_eq!(error, "23505 could not create unique index \"t_pkey\"");
        // What is NULL is told first, wherever it stands.
        a.query("ALTER TABLE t ALTER COLUMN k DROP NOT NULL; UPDATE t SET k = NULL WHERE k = 1000");
        let error = a.error("ALTER TABLE t ADD PRIMARY KEY (k)");
        assert!(error.starts_with("23502 "), "{error}");
        a.query("CREATE UNIQUE INDEX ON t (k, v)");
        assert_eq!(a.lines("SELECT count(*), count(k), count(DISTINCT k) FROM t"), ["1009|1008|1006"]);
        drop(a);
        let cluster = cluster.crash();
        assert_eq!(cluster.connect().lines("SELECT count(*) FROM t WHERE n = 7"), ["23"]);
    }
}

/// What `pg_get_viewdef` shows makes the same view again, under whatever names the columns that it reads have got.
#[test]
fn a_view_of_renamed_columns_is_shown_as_what_it_is() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b text, c int); CREATE TABLE u (a int, d int)");
    client.query("INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20); INSERT INTO u VALUES (1, 100), (3, 300)");
    let queries = [
        ("SELECT a, b AS label FROM t WHERE c > 5", " SELECT a, b AS label FROM tt t(a, b, c) WHERE c > 5;"),
        ("SELECT x.a + x.c AS s FROM t AS x", " SELECT x.a + x.c AS s FROM tt AS x(a, b, c);"),
        ("SELECT * FROM t JOIN u USING (a)", ""),
        ("SELECT a, b, d FROM t NATURAL JOIN u p", ""),
        ("SELECT a, count(*) FROM t GROUP BY a, b", ""),
        ("SELECT v0.a FROM v0, t WHERE v0.a = t.a", ""),
        ("SELECT b FROM t", " SELECT b FROM tt t;"),
        ("SELECT y FROM t AS x (y, z)", " SELECT y FROM tt AS x (y, z);"),
        ("SELECT y, c FROM t x (y)", " SELECT y, c FROM tt x (y, b, c);"),
    ];
    for (number, (query, _)) in queries.iter().enumerate() {
        client.query(&format!("CREATE VIEW v{number} AS {query}"));
    }
    let rows = |client: &mut harness::Client<'_>, name: &str| {
        let mut rows = client.lines(&format!("SELECT * FROM {name}"));
        rows.sort();
        rows
    };
    let before: Vec<_> = (0..queries.len()).map(|number| rows(&mut client, &format!("v{number}"))).collect();
    client.query(
        "ALTER TABLE t RENAME COLUMN a TO key; ALTER TABLE t RENAME c TO \"C\"; ALTER TABLE t RENAME TO tt",
    );
    client.query("ALTER TABLE u RENAME a TO key; ALTER VIEW v0 RENAME a TO first");
    for (number, (_, expected)) in queries.iter().enumerate() {
        let name = format!("v{number}");
        assert_eq!(rows(&mut client, &name), before[number], "{name}");
        let shown = client.value(&format!("SELECT pg_get_viewdef('{name}'::regclass)")).expect("a text");
        assert!(expected.is_empty() || shown == *expected, "{shown}");
        client.query(&format!("CREATE VIEW again{number} AS {shown}"));
        assert_eq!(rows(&mut client, &format!("again{number}")), before[number], "{shown}");
    }
}

/// Keys that are checked late and constraints that are not validated come back as they were.
#[test]
fn what_is_said_of_constraints_survives_a_crash() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (k int PRIMARY KEY DEFERRABLE, u int UNIQUE INITIALLY DEFERRED, v int)");
    client.query("INSERT INTO t VALUES (1, 1, -1), (2, 2, 1); CREATE UNIQUE INDEX t_v ON t (v)");
    client.query("ALTER TABLE t ADD CONSTRAINT t_v UNIQUE USING INDEX t_v, ADD CHECK (v > 0) NOT VALID");
    client.make_durable();
    drop(client);
    let cluster = cluster.crash();
    let mut client = cluster.connect();
    assert_eq!(
        client.lines(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1"
        ),
        [
            "CHECK ((v > 0)) NOT VALID",
            "PRIMARY KEY (k) DEFERRABLE",
            "UNIQUE (u) DEFERRABLE INITIALLY DEFERRED",
            "UNIQUE (v)"
        ]
    );
    assert!(client.error("UPDATE t SET k = k + 1").contains("23514"));
    client.query("UPDATE t SET v = v + 5, k = k + 1");
    assert!(client.error("INSERT INTO t VALUES (3, 9, 9)").contains("23505"));
    assert!(client.error("BEGIN; INSERT INTO t VALUES (9, 1, 9); COMMIT").contains("23505"));
    client.query("ALTER TABLE t VALIDATE CONSTRAINT t_v_check");
}

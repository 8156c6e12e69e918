//! Indexes on expressions and of a part of the rows: when they are used, and what a hit is worth.
//!
//! That rows and errors are PostgreSQL's is in `conformance/indexes.sql`.

mod harness;

use harness::{Client, Cluster};

/// The first index that a query's plan reads, or that it reads the table.
fn route(client: &mut Client<'_>, query: &str) -> String {
    let plan = client.lines(&format!("EXPLAIN {query}"));
    let line = plan.iter().find(|line| line.contains("Scan")).expect("reads something");
    match line.split_once(" using ") {
        Some((_, rest)) => rest.split(' ').next().expect("a name").to_owned(),
        None => "table".to_owned(),
    }
}

#[test]
fn an_index_is_used_when_the_condition_says_enough() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE t (k int PRIMARY KEY, a int, b text, c varchar(9), f boolean, n numeric, d date);
         CREATE INDEX i_positive ON t (b) WHERE a > 10;
         CREATE INDEX i_live ON t (k) WHERE f AND c IS NOT NULL;
         CREATE INDEX i_lower ON t (lower(c));
         CREATE INDEX i_sum ON t ((a + n), d DESC);
         CREATE INDEX i_few ON t (d) WHERE b IN ('x', 'y', 'z');
         CREATE INDEX i_not ON t (n) WHERE NOT f;
         CREATE INDEX i_other ON t (n) WHERE a <> 3",
    );
    for (condition, index) in [
        ("b = 'q' AND a > 10", "i_positive"),
        ("b = 'q' AND a > 11", "i_positive"),
        ("b = 'q' AND 12 <= a", "i_positive"),
        ("b = 'q' AND a = 11", "i_positive"),
        ("b = 'q' AND a IN (11, 40)", "i_positive"),
        ("b = 'q' AND (a = 11 OR a > 90)", "i_positive"),
        ("b = 'q' AND a >= 10", "table"),
        ("b = 'q' AND a > 9", "table"),
        ("b = 'q' AND a IN (9, 40)", "table"),
        ("b = 'q' AND (a = 11 OR f)", "table"),
        ("b = 'q' AND a > 10::bigint", "i_positive"),
        ("b = 'q'", "table"),
        ("f AND c = 'x'", "i_live"),
        ("f AND upper(c) > 'x'", "i_live"),
        ("f AND coalesce(c, 'x') = 'x'", "table"),
        ("c = 'x'", "table"),
        ("lower(c) = 'x'", "i_lower"),
        ("'x' < lower(c)", "i_lower"),
        ("lower(c) IN ('x', 'y')", "i_lower"),
        ("upper(c) = 'x'", "table"),
        ("lower(b) = 'x'", "table"),
        ("a + n = 3 AND d > '2024-01-01'", "i_sum"),
        ("n + a = 3", "table"),
        ("d = '2024-01-01' AND b = 'y'", "i_few"),
        ("d = '2024-01-01' AND b IN ('y', 'x')", "i_few"),
        ("d = '2024-01-01' AND b IN ('y', 'q')", "table"),
        ("n = 1 AND NOT f", "i_not"),
        ("n = 1 AND f IS FALSE", "table"),
        ("n = 1 AND a = 4", "i_other"),
        ("n = 1 AND a < 3", "i_other"),
        ("n = 1 AND a <= 3", "table"),
    ] {
        assert_eq!(route(&mut client, &format!("SELECT * FROM t WHERE {condition}")), index, "{condition}");
    }
    // Ordered by an expression, forwards and backwards.
    for (query, sorts) in [
        ("SELECT lower(c) FROM t WHERE lower(c) > 'a' ORDER BY lower(c)", false),
        ("SELECT lower(c) FROM t WHERE lower(c) > 'a' ORDER BY lower(c) DESC", false),
        ("SELECT lower(c) FROM t WHERE lower(c) > 'a' ORDER BY upper(c)", true),
        ("SELECT 1 FROM t WHERE a + n = 2 ORDER BY d DESC", false),
    ] {
        let plan = client.lines(&format!("EXPLAIN {query}"));
        assert_eq!(plan.iter().any(|line| line.contains("Sort")), sorts, "{query}: {plan:?}");
    }
}

#[test]
fn a_hit_counts_only_if_the_row_seen_has_the_key_and_is_in_the_part() {
    let cluster = Cluster::new();
    let (mut a, mut b) = (cluster.connect(), cluster.connect());
    a.query(
        "CREATE TABLE t (k int PRIMARY KEY, s text, live boolean);
         CREATE INDEX t_lower ON t (lower(s)) WHERE live;
         INSERT INTO t VALUES (1, 'One', true), (2, 'Two', true)",
    );
    let one = "SELECT k, s FROM t WHERE lower(s) = 'one' AND live";
    assert_eq!(route(&mut a, one), "t_lower");
    a.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(a.lines(one), ["1|One"]);
    // Away and back again, out of the part and in: the old snapshot still has one row, once.
    b.query("UPDATE t SET s = 'else' WHERE k = 1; UPDATE t SET s = 'ONE' WHERE k = 1");
    b.query("UPDATE t SET live = false WHERE k = 1; UPDATE t SET s = 'one' WHERE k = 2");
    assert_eq!(a.lines(one), ["1|One"]);
    assert_eq!(b.lines(one), ["2|one"]);
    b.query("UPDATE t SET live = true WHERE k = 1");
    assert_eq!(b.lines(&format!("{one} ORDER BY k")), ["1|ONE", "2|one"]);
    a.query("COMMIT");
    // What was rolled back leaves no entry that counts.
    b.query("BEGIN; UPDATE t SET s = 'gone', live = false; ROLLBACK");
    assert_eq!(a.lines(&format!("{one} ORDER BY k")), ["1|ONE", "2|one"]);
}

#[test]
fn an_update_touches_no_index_whose_columns_stay() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE t (k int PRIMARY KEY, a int, b text, c int, d int);
         CREATE INDEX ON t (lower(b)) INCLUDE (d) WHERE a > 0;
         INSERT INTO t VALUES (1, 1, 'One', 1, 1), (2, -1, 'Two', 1, 1)",
    );
    let mut records = |text: &str| {
        let before = cluster.engine.stats().redo_records;
        client.query(text);
        cluster.engine.stats().redo_records - before
    };
    // The first one of a transaction's stream may take a page more.
    records("UPDATE t SET c = 2 WHERE k = 1");
    let plain = records("UPDATE t SET c = 3 WHERE k = 1");
    assert_eq!(records("UPDATE t SET d = 3 WHERE k = 1"), plain, "entries hold no included column");
    assert_eq!(records("UPDATE t SET b = 'ONE' WHERE k = 1"), plain, "the key stays");
    assert_eq!(records("UPDATE t SET a = 5 WHERE k = 1"), plain, "the row stays in the part");
    assert_eq!(records("UPDATE t SET b = 'Three' WHERE k = 2"), plain, "the row stays outside of the part");
    assert!(records("UPDATE t SET b = 'Four' WHERE k = 1") > plain);
    assert!(records("UPDATE t SET a = 0 WHERE k = 1") > plain);
}

#[test]
fn expressions_come_back_with_the_catalog() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE t (k int PRIMARY KEY, s text, live boolean);
         CREATE UNIQUE INDEX t_lower ON t (lower(s), (k % 2)) WHERE live;
         INSERT INTO t VALUES (1, 'One', true)",
    );
    client.make_durable();
    drop(client);
    let cluster = cluster.crash();
    let mut client = cluster.connect();
    let error = client.error("INSERT INTO t VALUES (3, 'ONE', true)");
    assert!(error.contains("t_lower"), "{error}");
    client.query("INSERT INTO t VALUES (2, 'ONE', true), (5, 'oNE', false)");
    let query = "SELECT k FROM t WHERE lower(s) = 'one' AND k % 2 = 1 AND live";
    assert_eq!(route(&mut client, query), "t_lower");
    assert_eq!(client.lines(query), ["1"]);
}

/// In TPC-C a customer by last name cost the rows of his whole district: a varchar compared with text was no column any more.
#[test]
fn an_index_on_varchar_is_found_by_text() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int, b varchar(16), c text, PRIMARY KEY (a)); CREATE INDEX t_b ON t (b)");
    client.query("INSERT INTO t SELECT i, 'n' || i, 'n' || i FROM generate_series(1, 2000) AS i");
    let by = |client: &mut Client<'_>, condition: &str| {
        let plan = client.lines(&format!("EXPLAIN SELECT a FROM t WHERE {condition}"));
        (plan[0].clone(), client.lines(&format!("SELECT a FROM t WHERE {condition} ORDER BY a")).join(","))
    };
    for round in ["without statistics", "with them"] {
        for (condition, expected) in [
            ("b = 'n7'", "7"),
            ("b = 'n7'::text", "7"),
            ("b = 'n7'::varchar", "7"),
            ("b IN ('n7', 'n9')", "7,9"),
            ("b > 'n1998' AND b < 'n2'", "1999"),
        ] {
            let (plan, rows) = by(&mut client, condition);
            assert_eq!(
                (plan.as_str(), rows.as_str()),
                ("Index Scan using t_b on t", expected),
                "{condition}, {round}"
            );
        }
        // Cut to three characters it is another value.
        assert_eq!(
            by(&mut client, "b::varchar(3) = 'n20' AND a < 210"),
            (
                "Index Scan using t_pkey on t".to_owned(),
                "20,200,201,202,203,204,205,206,207,208,209".to_owned()
            )
        );
        client.query("ANALYZE t");
    }
    assert_eq!(
        client.lines("EXPLAIN SELECT a FROM t WHERE b = 'n7'")[1],
        "  Index Cond: ((b)::text = 'n7'::text)"
    );
    let found = client.extended("SELECT a FROM t WHERE b = $1", &[Some("n8")]).expect("runs");
    assert_eq!(found.lines(), ["8"]);
}

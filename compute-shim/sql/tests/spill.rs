//! Statements that work on more than `work_mem`: their rows go to temporary files, and nobody can tell from the answer.

mod harness;

use harness::{Client, Cluster, World};
use hexalog_sql::DatabaseOptions;
use hexalog_sql::spill::{MemorySpill, SpillBusy, SpillCall, SpillFile, SpillSpace};
use hexalog_sql_types::SqlState;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

fn cluster(spill: &Arc<MemorySpill>, rows_per_yield: u32) -> Cluster {
    let spill = Arc::clone(spill) as Arc<dyn SpillSpace>;
    Cluster::with_options(DatabaseOptions { spill, rows_per_yield, ..DatabaseOptions::default() })
}

/// 3,000 rows of a third of a kilobyte each in memory: some 15 times the least `work_mem`.
fn fill(client: &mut Client<'_>) {
    client.query(
        "CREATE TYPE mood AS ENUM ('low', 'high');
         CREATE TABLE t (a int PRIMARY KEY, b int, c int, d text, m mood, j jsonb, n numeric);
         INSERT INTO t SELECT i, i * 7919 % 3000, i * 7919 % 17, repeat(chr(97 + i % 26), 60) || i,
             CASE i % 3 WHEN 0 THEN 'low' WHEN 1 THEN 'high' END::mood,
             jsonb_build_object('k', i % 11), i / 7.0
             FROM generate_series(1, 3000) i",
    );
}

/// Queries whose rows are more than the least `work_mem`. Where equal keys leave the order open it is that of the input.
const LARGE: &[&str] = &[
    "SELECT a, d FROM t ORDER BY b",
    "SELECT a, d FROM t ORDER BY c",
    "SELECT a, c, d FROM t ORDER BY c DESC, d LIMIT 40 OFFSET 1000",
    "SELECT t.*, ARRAY[a, NULL, b] AS e, ROW(a, d) AS r FROM t ORDER BY m NULLS FIRST, n DESC",
    "SELECT a FROM t ORDER BY j, d LIMIT 100",
    "SELECT u.a, v.a, u.d FROM (SELECT * FROM t ORDER BY c, d) u JOIN (SELECT * FROM t ORDER BY d) v ON u.b = v.a ORDER BY 1",
    "SELECT count(*), sum(a) FROM (SELECT a, d FROM t ORDER BY d) s",
    "SELECT DISTINCT d, m FROM t",
    "SELECT DISTINCT d, c FROM t ORDER BY c, d",
    "SELECT DISTINCT ON (d) d, a FROM t ORDER BY d, a DESC",
    "SELECT DISTINCT ON (b) b, a, d FROM (SELECT * FROM t UNION ALL SELECT a + 3000, b, c, d, m, j, n FROM t) u",
    "SELECT d FROM t UNION SELECT d || 'x' FROM t",
    "SELECT d FROM t INTERSECT SELECT d FROM t WHERE a % 3 <> 0",
    "SELECT d, m FROM t EXCEPT SELECT d, m FROM t WHERE a % 5 <> 0",
    "SELECT d FROM t EXCEPT SELECT 'none'",
    "(SELECT d FROM t UNION ALL SELECT d FROM t) EXCEPT ALL SELECT d FROM t WHERE a > 100",
    "(SELECT d FROM t UNION ALL SELECT d FROM t) INTERSECT ALL (SELECT d FROM t WHERE a < 2000 UNION ALL SELECT d FROM t)",
    "(SELECT d FROM t UNION ALL SELECT d FROM t) INTERSECT (SELECT d FROM t EXCEPT SELECT d FROM t WHERE c = 3)",
    "SELECT x.a, y.d FROM (SELECT a FROM t WHERE a < 4) x, LATERAL (SELECT d FROM t WHERE t.a > x.a EXCEPT SELECT d FROM t WHERE t.a > x.a + 2) y",
    "SELECT d, count(*), sum(n), min(m), max(c) FILTER (WHERE a > 100) FROM t GROUP BY d",
    "SELECT b % 1500 AS g, array_agg(a), string_agg(d, ',' ORDER BY a DESC), count(DISTINCT c) FROM t GROUP BY g",
    // Ten groups whose values grow until they fill the table, before ten more come.
    "SELECT k, max(v), min(k) FROM (SELECT CASE WHEN i <= 200 THEN i % 10 ELSE i END AS k, repeat('x', i * 100) AS v
                                    FROM generate_series(1, 210) i) s GROUP BY k",
    "SELECT d, count(*) FROM (SELECT d FROM t UNION ALL SELECT d FROM t) u GROUP BY d HAVING count(*) = 2 ORDER BY d",
    "SELECT a, row_number() OVER (PARTITION BY c ORDER BY d), sum(b) OVER (PARTITION BY c ORDER BY d), d FROM t",
    "SELECT a, rank() OVER (ORDER BY c), lag(d, 2) OVER (ORDER BY b), d FROM t",
    "SELECT a, count(*) FILTER (WHERE b > 9) OVER (PARTITION BY d) FROM t",
    "WITH w AS (SELECT * FROM t ORDER BY d) SELECT a, (SELECT max(b) FROM t WHERE t.c = w.c) FROM w WHERE a < 10",
    "SELECT x.a, y.d FROM t x, LATERAL (SELECT d FROM t WHERE t.a > x.a ORDER BY d, a LIMIT 1 OFFSET 2000) y WHERE x.a < 4",
];

/// Queries that want so few of their rows that those fit the least `work_mem`.
const FIRST: &[&str] = &[
    "SELECT a, d FROM t ORDER BY b LIMIT 1",
    "SELECT a, d FROM t ORDER BY c LIMIT 50 OFFSET 10",
    "SELECT upper(d), a FROM t ORDER BY c DESC, d LIMIT 30",
    "SELECT a, d FROM t ORDER BY c, b DESC FETCH FIRST 7 ROWS ONLY",
    "SELECT a, d FROM t ORDER BY a DESC, b LIMIT (SELECT 3)",
    "SELECT d FROM t ORDER BY d LIMIT 0",
    "SELECT x.a, y.d FROM t x, LATERAL (SELECT d FROM t WHERE t.a > x.a ORDER BY d, a LIMIT 1) y WHERE x.a < 4",
    "SELECT a, (SELECT d FROM t y WHERE y.a > x.a ORDER BY c, d LIMIT 1) FROM t x WHERE a < 4",
    "SELECT a, d FROM (SELECT * FROM t ORDER BY c LIMIT 20) s ORDER BY d LIMIT 5",
];

/// All rows were written, however few were wanted.
#[test]
fn first_rows_need_no_file() {
    for (spill, rows_per_yield) in [(MemorySpill::default(), 1_000), (MemorySpill::default(), 1)] {
        let spill = Arc::new(spill);
        let cluster = cluster(&spill, rows_per_yield);
        let mut client = cluster.connect();
        fill(&mut client);
        for query in FIRST {
            let all = query.replace("LIMIT 50 OFFSET 10", "OFFSET 10");
            client.query("SET work_mem = '1GB'");
            let expected = client.lines(query);
            if all != *query {
                assert!(expected == client.lines(&all)[..50], "{query}");
            }
            client.query("SET work_mem = '64kB'");
            assert!(client.lines(query) == expected, "{query}");
            assert_eq!(spill.written(), 0, "{query} has needed a file");
        }
        // More than fit are merged from files, and the sort of what comes first is the same.
        for limit in [100, 500, 2_000, 2_999, 5_000] {
            client.query("SET work_mem = '64kB'");
            let all = client.lines("SELECT a, d FROM t ORDER BY c");
            let some = client.lines(&format!("SELECT a, d FROM t ORDER BY c LIMIT {limit}"));
            assert!(some == all[..limit.min(3_000)], "LIMIT {limit}");
        }
        // Rows that are locked may turn out not to be wanted: as many are sorted as there are.
        client.query("SET work_mem = '1GB'");
        assert_eq!(client.lines("SELECT a FROM t ORDER BY b LIMIT 2 FOR UPDATE").len(), 2);
        assert_eq!(spill.bytes(), 0);
    }
}

#[test]
fn answers_are_the_same_with_little_memory() {
    for (spill, rows_per_yield) in
        [(MemorySpill::default(), 1_000), (MemorySpill::default(), 1), (MemorySpill::slow(), 1_000)]
    {
        let spill = Arc::new(spill);
        let cluster = cluster(&spill, rows_per_yield);
        let mut client = cluster.connect();
        fill(&mut client);
        for query in LARGE {
            client.query("SET work_mem = '1GB'");
            let before = spill.written();
            let expected = client.lines(query);
            assert_eq!(spill.written(), before, "{query} fits memory");
            client.query("SET work_mem = '64kB'");
            assert!(client.lines(query) == expected, "{query}");
            assert!(spill.written() > before, "{query} does not fit memory");
            assert_eq!(spill.bytes(), 0, "{query} has left a file");
        }
    }
}

#[test]
fn hash_tables_that_do_not_fit_are_parted_again() {
    for spill in [MemorySpill::default(), MemorySpill::slow()] {
        let spill = Arc::new(spill);
        let cluster = cluster(&spill, 1_000);
        let mut client = cluster.connect();
        client.query("SET work_mem = '64kB'; SET hash_mem_multiplier = 1");
        let keys = "SELECT i * 7919 % 20000 AS k FROM generate_series(1, 40000) i";
        assert_eq!(
            client.lines(&format!(
                "SELECT count(*), sum(k), sum(n) FROM (SELECT k, count(*) AS n FROM ({keys}) s GROUP BY k) g"
            )),
            ["20000|199990000|40000"]
        );
        assert_eq!(
            client.lines(&format!("SELECT count(*), sum(k) FROM (SELECT DISTINCT k FROM ({keys}) s) g")),
            ["20000|199990000"]
        );
        assert_eq!(spill.bytes(), 0);
    }
}

/// Joins whose right side is more than the least memory of a hash table. They leave the order open.
const JOINS: &[&str] = &[
    "SELECT x.a, y.a, x.d FROM t x JOIN t y ON x.b = y.a",
    "SELECT x.a, y.d FROM t x JOIN t y ON x.c = y.c AND x.a < y.b WHERE x.a < 200",
    "SELECT x.a, y.d FROM t x LEFT JOIN t y ON x.b = y.a + 1000",
    "SELECT x.d, y.d FROM t x RIGHT JOIN t y ON x.b = y.a + 1000 AND x.a > 5",
    "SELECT x.d, y.d FROM t x FULL JOIN t y ON x.b = y.a + 1000 AND x.c <> y.c",
    "SELECT x.d, y.d FROM (SELECT nullif(a % 7, 3) k, * FROM t WHERE a < 60) x
     FULL JOIN (SELECT nullif(a, 3) k, nullif(c, 3) n, d FROM t) y ON x.k = y.k AND x.c = y.n",
    // Keys that equal nothing.
    "SELECT x.d, y.d FROM (SELECT a, d FROM t WHERE a < 10) x FULL JOIN (SELECT nullif(a, a) k, d FROM t) y ON x.a = y.k",
    "SELECT x.a, y.d FROM (SELECT nullif(b, b) k, a FROM t) x LEFT JOIN t y ON x.k = y.a",
    // Parts that one side has no rows in.
    "SELECT x.a, y.d FROM t x LEFT JOIN (SELECT a % 3 AS k, d FROM t WHERE a < 1000) y ON x.a = y.k",
    "SELECT x.d, y.d FROM (SELECT a % 2 AS k, d FROM t WHERE a < 20) x FULL JOIN t y ON x.k = y.a",
    "SELECT x.a, y.d FROM t x JOIN t y ON x.b = y.a AND (SELECT max(c) FROM t z WHERE z.a = y.c) > 3",
    "SELECT x.a, y.d, z.d FROM t x JOIN t y ON x.b = y.a JOIN t z ON y.b = z.a",
    "SELECT w.i, (SELECT count(y.d) FROM t x JOIN t y ON x.b = y.a + w.i) FROM generate_series(1, 3) w(i)",
    "SELECT x.a, s.d FROM t x, LATERAL (SELECT y.d FROM t y JOIN t z ON y.b = z.a + x.a) s WHERE x.a IN (1, 500)",
    "SELECT a FROM t WHERE b IN (SELECT y.a FROM t x JOIN t y ON x.b = y.a AND x.d <> y.d)",
    "SELECT a, d FROM t WHERE b IN (SELECT a + 1000 FROM t)",
    "SELECT a, d FROM t x WHERE EXISTS (SELECT 1 FROM t y WHERE y.a = x.b + 1000 AND y.d <> x.d)",
    "SELECT a, d FROM t x WHERE NOT EXISTS (SELECT 1 FROM t y WHERE y.a = x.b + 1000)",
    "SELECT a, d FROM t x WHERE NOT EXISTS (SELECT 1 FROM t y WHERE y.a = x.b AND y.c + x.c < 20)",
    "SELECT k, d FROM (SELECT nullif(a % 7, 3) k, d FROM t) x
     WHERE NOT EXISTS (SELECT 1 FROM (SELECT nullif(a, 3) k, d FROM t) y WHERE x.k = y.k AND y.d > x.d)",
    // Keys that equal nothing: all are given, or none.
    "SELECT a FROM (SELECT nullif(b, b) k, a FROM t) x WHERE NOT EXISTS (SELECT 1 FROM t WHERE t.a = x.k)",
    "SELECT a FROM (SELECT nullif(b, b) k, a FROM t) x WHERE k IN (SELECT a FROM t)",
    "SELECT a FROM t x WHERE NOT EXISTS (SELECT 1 FROM (SELECT a % 3 AS k, d FROM t) y WHERE y.k = x.a AND y.d > x.d)",
    // Run anew for each row outside.
    "SELECT w.i, (SELECT count(*) FROM t x WHERE EXISTS (SELECT 1 FROM t y WHERE y.a = x.b + w.i AND y.d <> x.d))
     FROM generate_series(1, 3) w(i)",
    "SELECT w.i, (SELECT count(*) + w.i FROM t x WHERE EXISTS (SELECT 1 FROM t y WHERE y.a = x.b AND y.d <> x.d))
     FROM generate_series(1, 3) w(i)",
];

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

#[test]
fn joins_are_the_same_with_little_memory() {
    for (spill, rows_per_yield) in [(MemorySpill::default(), 1), (MemorySpill::slow(), 1_000)] {
        let spill = Arc::new(spill);
        let cluster = cluster(&spill, rows_per_yield);
        let mut client = cluster.connect();
        fill(&mut client);
        for query in JOINS {
            client.query("SET work_mem = '1GB'");
            let plan = client.lines(&format!("EXPLAIN {query}")).concat();
            assert!(plan.contains("Hash "), "{plan}");
            let before = spill.written();
            let expected = sorted(client.lines(query));
            assert_eq!(spill.written(), before, "{query} fits memory");
            client.query("SET work_mem = '64kB'");
            assert!(sorted(client.lines(query)) == expected, "{query}");
            assert!(spill.written() > before, "{query} does not fit memory");
            assert_eq!(spill.bytes(), 0, "{query} has left a file");
        }
        // Of several rows that match one that is changed, or locked, the first counts, as in memory.
        for change in [
            "UPDATE t SET c = u.c FROM (SELECT a % 1500 AS k, c, d FROM t) u WHERE u.k = t.b",
            "DELETE FROM t USING t u WHERE u.b = t.a AND u.d > 'm'",
            "UPDATE t SET c = c + 1 WHERE EXISTS (SELECT 1 FROM t u WHERE u.b = t.a + 1000 AND u.d <> t.d)",
            "DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM t u WHERE u.b = t.a + 1000)",
        ] {
            let mut changed = |work_mem: &str| {
                let tag = client.tag(&format!("SET work_mem = '{work_mem}'; BEGIN; {change}"));
                let rows = client.lines("SELECT count(*), sum(a * c) FROM t");
                client.query("ROLLBACK");
                (tag, rows)
            };
            assert_eq!(changed("64kB"), changed("1GB"), "{change}");
        }
        client.query("SET work_mem = '64kB'");
        let locked = "SELECT t.a FROM t JOIN t u ON u.a = t.b FOR UPDATE OF t";
        assert_eq!(client.lines(locked).len(), 2999);
        let locked = "SELECT a, d FROM t WHERE b IN (SELECT a FROM t) FOR UPDATE";
        assert_eq!(client.lines(locked).len(), 2999);
        assert_eq!(spill.bytes(), 0);
    }
}

/// Parting does not help where all keys are equal: it is not tried again and again.
#[test]
fn a_join_on_one_value_is_not_parted() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    client.query("SET work_mem = '64kB'");
    let join = |right: &str| {
        format!(
            "SELECT count(*), sum(x.a) FROM (SELECT a, a / 5 AS k FROM t WHERE a < 10) x JOIN ({right}) y ON x.k = y.k"
        )
    };
    assert_eq!(client.lines(&join("SELECT d, 1 AS k, random() FROM t")), ["15000|105000"]);
    assert_eq!(spill.written(), 0);
    // One value beside others is parted from them, and no further.
    assert_eq!(client.lines(&join("SELECT d, greatest(a - 2000, 1) AS k FROM t")), ["10005|70035"]);
    assert!((300_000..1_500_000).contains(&spill.written()), "{} bytes", spill.written());
    assert_eq!(spill.bytes(), 0);
}

/// Keys that equal nothing all went to one part, each time that it was parted again: many of them were written a dozen times, and in
/// a FULL join they did not count for the table being full.
#[test]
fn keys_that_are_null_go_to_all_parts() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    client.query("SET work_mem = '64kB'");
    let nulls = "(SELECT nullif(a, a) AS k, d FROM t)";
    for (join, rows) in [
        (format!("(SELECT a, d FROM t WHERE a < 10) x FULL JOIN {nulls} y ON x.a = y.k"), 3009),
        (format!("{nulls} x LEFT JOIN t y ON x.k = y.a"), 3000),
        (format!("{nulls} x FULL JOIN {nulls} y ON x.k = y.k"), 6000),
    ] {
        let before = spill.written();
        let counted = client.lines(&format!("SELECT count(*), count(x.d) + count(y.d) FROM {join}"));
        assert_eq!(counted, [format!("{rows}|{rows}")], "{join}");
        // Once each, of some hundred bytes.
        let written = spill.written() - before;
        assert!((100_000..800_000).contains(&written), "{join}: {written} bytes");
    }
    assert_eq!(spill.bytes(), 0);
}

/// Rows of which each is many pieces of a file, among small ones: fewer runs are merged at once, in several passes.
#[test]
fn large_rows_are_sorted() {
    for spill in [MemorySpill::default(), MemorySpill::slow()] {
        let spill = Arc::new(spill);
        let cluster = cluster(&spill, 1_000);
        let mut client = cluster.connect();
        client.query("SET work_mem = '64kB'");
        // Each row is a run of its own where it is large.
        let rows = "SELECT i, i * 7919 % 101 AS k, repeat('x', CASE i % 5 WHEN 0 THEN 300000 ELSE i END) AS d
                    FROM generate_series(1, 100) i";
        let expected: Vec<String> = (0..101)
            .flat_map(|k| (1..=100).filter(move |i| i * 7919 % 101 == k))
            .map(|i| format!("{i}|{}", if i % 5 == 0 { 300_000 } else { i }))
            .collect();
        assert_eq!(client.lines(&format!("SELECT i, length(d) FROM ({rows} ORDER BY k, d) s")), expected);
        // Each of twenty rows was written in a first run and in passes of two.
        assert!(spill.written() > 3 * 20 * 300_000, "{} bytes", spill.written());
        let groups = format!(
            "SELECT count(*), sum(n), sum(length(d)) FROM (SELECT d, count(*) n FROM ({rows}) r GROUP BY d) g"
        );
        assert_eq!(client.lines(&groups), ["81|100|304000"]);
        assert_eq!(spill.bytes(), 0);
    }
}

/// Values of jsonb could be built deeper than bytes of rows are read, and rows with such were damaged to whoever read them.
#[test]
fn what_builds_jsonb_refuses_what_cannot_be_read() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    client.query(
        "SET work_mem = '64kB'; CREATE TABLE deep (n int, j jsonb);
         INSERT INTO deep VALUES (999, (repeat('[', 999) || repeat(']', 999))::jsonb),
                                 (1000, (repeat('[', 1000) || repeat(']', 1000))::jsonb)",
    );
    let too_deep = "54001 stack depth limit exceeded";
    let rounds = "WITH RECURSIVE r(n, j) AS (SELECT 1, '[]'::jsonb UNION ALL
                  SELECT n + 1, jsonb_build_array(j) FROM r WHERE n < $) SELECT n, j FROM r ORDER BY n DESC";
    assert_eq!(client.lines(&rounds.replace('$', "1000")).len(), 1000);
    assert!(spill.written() > 100_000, "deep values have been in files");
    assert_eq!(client.error(&rounds.replace('$', "1200")), too_deep);
    for built in [
        "jsonb_build_array(1, j)",
        "jsonb_build_object('a', j)",
        "to_jsonb(ARRAY[j])",
        "to_jsonb(ROW(1, j))",
        "jsonb_set('{}', '{a}', j)",
        "jsonb_insert('[]', '{0}', j)",
        "jsonb_path_query_array(j, '$')",
        "(SELECT jsonb_agg(d.j) FROM deep d WHERE d.n = deep.n)",
        "(SELECT jsonb_object_agg(d.n, d.j) FROM deep d WHERE d.n = deep.n)",
        "json_build_array(j)::jsonb",
    ] {
        client.query(&format!("BEGIN; UPDATE deep SET j = {built} WHERE n = 999"));
        assert_eq!(client.lines("SELECT count(j) FROM deep WHERE length(j::text) > 0"), ["2"], "{built}");
        assert_eq!(client.error(&format!("UPDATE deep SET j = {built} WHERE n = 1000")), too_deep, "{built}");
        client.query("ROLLBACK");
    }
    assert_eq!(client.error("UPDATE deep SET j[0] = j WHERE n = 1000"), too_deep);
    // Rows within rows.
    let rounds = "WITH RECURSIVE r(n, x) AS (SELECT 1, ROW(1) UNION ALL
                  SELECT n + 1, ROW(x) FROM r WHERE n < $) SELECT n, x IS NULL FROM (SELECT * FROM r ORDER BY n DESC) s";
    assert_eq!(client.lines(&rounds.replace('$', "400")).len(), 400);
    assert_eq!(client.error(&rounds.replace('$', "401")), too_deep);
}

#[test]
fn cursors_stand_over_spilled_sorts() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    let all = client.lines("SET work_mem = '1GB'; SELECT a, d FROM t ORDER BY b, d");
    client
        .query("SET work_mem = '64kB'; BEGIN; DECLARE c SCROLL CURSOR FOR SELECT a, d FROM t ORDER BY b, d");
    assert_eq!(client.lines("FETCH 5 FROM c"), all[..5]);
    assert!(spill.bytes() > 0);
    // A statement beside it changes the setting, and what the cursor reads.
    client.query("SET work_mem = '1GB'; DELETE FROM t WHERE a % 2 = 0");
    assert_eq!(client.lines("FETCH ABSOLUTE 2000 FROM c"), all[1999..2000]);
    assert_eq!(client.lines("FETCH BACKWARD 2 FROM c"), [all[1998].clone(), all[1997].clone()]);
    assert_eq!(client.lines("FETCH LAST FROM c"), all[2999..]);
    assert_eq!(client.lines("FETCH FIRST FROM c"), all[..1]);
    client.query("CLOSE c");
    assert_eq!(spill.bytes(), 0);
    client.query("ROLLBACK; SET work_mem = '64kB'; BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT a, d FROM t ORDER BY b, d");
    assert_eq!(client.lines("FETCH 1 FROM h"), all[..1]);
    client.query("COMMIT");
    assert_eq!(spill.bytes(), 0);
    assert!(client.lines("FETCH ALL FROM h") == all[1..]);
    client.query("CLOSE h; BEGIN; DECLARE d CURSOR FOR SELECT DISTINCT d FROM t; FETCH 1 FROM d");
    // Keys that were put aside stay there when there is more room.
    client.query("MOVE 600 FROM d; SET work_mem = '1GB'");
    assert_eq!(client.tag("MOVE ALL FROM d"), "MOVE 2399");
    client.query("DECLARE e CURSOR FOR SELECT a, d FROM t ORDER BY b; FETCH 1 FROM e; ROLLBACK");
    assert_eq!(spill.bytes(), 0);
}

/// Files were kept until the statement's end, or the cursor's, by whoever had read them.
#[test]
fn files_go_when_they_have_been_read() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    client.query("SET work_mem = '64kB'");
    for (rows, fetched) in [
        (
            "SELECT (SELECT count(*) FROM (SELECT a, d FROM t ORDER BY d) s) FROM generate_series(1, 3)",
            "FETCH 1 FROM c",
        ),
        (
            "SELECT (SELECT count(*) FROM t x JOIN t y ON x.b = y.a) FROM generate_series(1, 3)",
            "FETCH 1 FROM c",
        ),
        (
            "WITH w AS MATERIALIZED (SELECT DISTINCT d FROM t) SELECT (SELECT count(*) FROM w) FROM generate_series(1, 3)",
            "FETCH 1 FROM c",
        ),
        (
            "SELECT (SELECT a FROM t ORDER BY d LIMIT 1 OFFSET 2500) FROM generate_series(1, 3)",
            "FETCH 1 FROM c",
        ),
    ] {
        client.query(&format!("BEGIN; DECLARE c CURSOR FOR {rows}"));
        let before = spill.written();
        client.query(fetched);
        assert!(spill.written() > before, "{rows} has spilled");
        assert_eq!(spill.bytes(), 0, "{rows} has left a file");
        client.query("ROLLBACK");
    }
}

#[test]
fn errors_free_the_files() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    client.query("SET work_mem = '64kB'");
    for query in [
        "SELECT 1 / (a - 2900), d FROM t ORDER BY b",
        "SELECT 1 / (a - 2900) FROM (SELECT a, d FROM t ORDER BY d) s",
        "SELECT d, sum(1 / (a - 2900)) FROM t GROUP BY d",
        "SELECT DISTINCT d, 1 / (a - 2900) FROM t",
        "SELECT sum(1 / (a - 2900)) OVER (PARTITION BY d) FROM t",
    ] {
        let before = spill.written();
        assert_eq!(client.error(query), "22012 division by zero");
        assert!(spill.written() > before, "{query} has spilled before");
        assert_eq!(spill.bytes(), 0, "{query} has left a file");
    }
    let limited = "53400 temporary file size exceeds temp_file_limit (200kB)";
    client.query("SET temp_file_limit = '200kB'");
    for query in ["SELECT a, d FROM t ORDER BY b", "SELECT DISTINCT d FROM t", "SELECT d FROM t GROUP BY d"] {
        assert_eq!(client.error(query), limited);
        assert_eq!(spill.bytes(), 0, "{query} has left a file");
    }
    // The limit is for all files of the session.
    let half = "SELECT a, b, d FROM t WHERE a < 1500 ORDER BY d";
    client.query(half);
    assert_eq!(client.error(&format!("SELECT * FROM ({half}) u JOIN ({half}) v ON u.a = v.b")), limited);
    assert_eq!(spill.bytes(), 0);
    client.query("RESET temp_file_limit");
    client.query("SELECT a, d FROM t ORDER BY b");
}

/// The files of one session were bounded by those of all: one statement with many sorts took the files of everybody.
#[test]
fn a_session_has_so_many_files_at_once() {
    let spill = Arc::new(MemorySpill::default());
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    client.query("SET work_mem = '64kB'");
    let sort = "(SELECT i FROM generate_series(1, 3000) i ORDER BY -i LIMIT 1 OFFSET 2000)";
    let joined = |count: usize| {
        let sorts: Vec<String> = (0..count).map(|at| format!("{sort} s{at}")).collect();
        format!("SELECT count(*) FROM {}", sorts.join(", "))
    };
    assert_eq!(client.lines(&joined(64)), ["1"]);
    assert_eq!(client.error(&joined(65)), "53400 more than 64 temporary files of one session");
    assert_eq!(spill.bytes(), 0);
    // One after the other they need one at a time.
    let after = format!("SELECT {}", vec![sort; 100].join(", "));
    assert_eq!(client.lines(&after), [vec!["1000"; 100].join("|")]);
    assert_eq!(client.lines(&joined(2)), ["1"]);
}

#[test]
fn a_full_disk_fails_the_statement_alone() {
    let spill = Arc::new(MemorySpill::new(100_000));
    let cluster = cluster(&spill, 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    client.query("SET work_mem = '64kB'");
    let full = "53100 could not write to temporary file: No space left on device";
    assert_eq!(client.error("SELECT a, d FROM t ORDER BY b"), full);
    assert_eq!(spill.bytes(), 0);
    assert_eq!(client.lines("SELECT count(*) FROM (SELECT a, d FROM t WHERE a < 900 ORDER BY b) s"), ["899"]);
}

/// Has the statement cancelled that writes so many bytes.
#[derive(Debug, Default)]
struct Cancels {
    inner: MemorySpill,
    after: u64,
    world: OnceLock<Arc<WorldOf>>,
}

struct WorldOf(Arc<World>);

impl std::fmt::Debug for WorldOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a world")
    }
}

struct CancelsFile {
    inner: Box<dyn SpillFile>,
    after: u64,
    world: Arc<WorldOf>,
}

impl SpillSpace for Cancels {
    fn create(&self) -> Box<dyn SpillFile> {
        let world = Arc::clone(self.world.get().expect("set before statements run"));
        Box::new(CancelsFile { inner: self.inner.create(), after: self.after, world })
    }
}

impl SpillFile for CancelsFile {
    fn write(&self, at: u64, bytes: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        if at >= self.after {
            self.world.0.is_cancelled.store(true, Ordering::Relaxed);
        }
        self.inner.write(at, bytes)
    }

    fn read(&self, at: u64, buffer: Vec<u8>) -> Result<SpillCall, SpillBusy> {
        self.inner.read(at, buffer)
    }
}

#[test]
fn a_cancelled_statement_frees_its_files() {
    for (after, inner) in [
        (0, MemorySpill::default()),
        (150_000, MemorySpill::default()),
        (250_000, MemorySpill::default()),
        (150_000, MemorySpill::slow()),
    ] {
        let spill = Arc::new(Cancels { after, inner, ..Cancels::default() });
        let options = DatabaseOptions {
            spill: Arc::clone(&spill) as _,
            rows_per_yield: 50,
            ..DatabaseOptions::default()
        };
        let cluster = Cluster::with_options(options);
        spill.world.set(Arc::new(WorldOf(Arc::clone(&cluster.world)))).expect("set once");
        let mut client = cluster.connect();
        fill(&mut client);
        client.query("SET work_mem = '64kB'");
        for query in [
            "SELECT a, d, j FROM t ORDER BY b",
            "SELECT d, min(n) FROM t GROUP BY d",
            "SELECT a, d, j FROM t EXCEPT SELECT a, d, j FROM t WHERE c = 0",
        ] {
            assert_eq!(client.error(query), "57014 canceling statement due to user request");
            assert_eq!(spill.inner.bytes(), 0, "{query} has left a file");
            cluster.world.is_cancelled.store(false, Ordering::Relaxed);
        }
        assert_eq!(client.lines("SELECT count(*) FROM t"), ["3000"]);
    }
}

/// Found by review: a cursor was read ahead for a statement that was cancelled meanwhile, and gave what had been read as if it were
/// all.
#[test]
fn a_cursor_is_whole_or_fails_when_another_statement_is_cancelled() {
    for inner in [MemorySpill::default(), MemorySpill::slow()] {
        let spill = Arc::new(Cancels { after: 150_000, inner, ..Cancels::default() });
        let options = DatabaseOptions {
            spill: Arc::clone(&spill) as _,
            rows_per_yield: 50,
            ..DatabaseOptions::default()
        };
        let cluster = Cluster::with_options(options);
        spill.world.set(Arc::new(WorldOf(Arc::clone(&cluster.world)))).expect("set once");
        let mut client = cluster.connect();
        fill(&mut client);
        client.query("SET work_mem = '64kB'");
        client.query("BEGIN; DECLARE c CURSOR FOR SELECT a, d, j FROM t ORDER BY b; SAVEPOINT s");
        assert_eq!(client.error("SELECT 1"), "57014 canceling statement due to user request");
        cluster.world.is_cancelled.store(false, Ordering::Relaxed);
        client.query("ROLLBACK TO s");
        match client.try_query("FETCH ALL FROM c") {
            Ok(answers) => assert_eq!(answers[0].rows.len(), 3_000),
            Err(error) => assert_eq!(error.sqlstate(), SqlState::QUERY_CANCELED),
        }
        cluster.world.is_cancelled.store(false, Ordering::Relaxed);
        client.query("ROLLBACK");
        assert_eq!(spill.inner.bytes(), 0);
    }
}

#[test]
fn explain_says_where_a_sort_was() {
    let cluster = cluster(&Arc::new(MemorySpill::default()), 1_000);
    let mut client = cluster.connect();
    fill(&mut client);
    let mut method = |work_mem: &str| {
        client.query(&format!("SET work_mem = '{work_mem}'"));
        let plan = client.lines(
            "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT upper(d) FROM t WHERE a < 2000 ORDER BY b",
        );
        let line = plan.iter().find(|line| line.trim().starts_with("Sort Method: ")).expect("is said");
        let (method, kilobytes) = line.trim().rsplit_once(' ').expect("two words");
        let kilobytes: u32 = kilobytes.trim_end_matches("kB").parse().expect("kilobytes");
        assert!((100..2_000).contains(&kilobytes), "{line}");
        method.to_owned()
    };
    assert_eq!(method("64kB"), "Sort Method: external merge  Disk:");
    assert_eq!(method("64MB"), "Sort Method: quicksort  Memory:");
    let first = client.lines("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT d FROM t ORDER BY b LIMIT 5");
    assert!(
        first.iter().any(|line| line.trim().starts_with("Sort Method: top-N heapsort  Memory: ")),
        "{first:?}"
    );
    let json = client.lines("EXPLAIN (ANALYZE, FORMAT JSON) SELECT a FROM t ORDER BY b").concat();
    for part in ["\"Sort Method\": \"quicksort\"", "\"Sort Space Used\": ", "\"Sort Space Type\": \"Memory\""]
    {
        assert!(json.contains(part), "{json}");
    }
}

/// A sort in memory was one step of its thread: five million rows took seconds, in which no cancel was heard and no other
/// session of the worker went on.
#[test]
fn a_sort_in_memory_is_cancelled_between_its_slices() {
    let options = DatabaseOptions { rows_per_yield: 1_000, ..DatabaseOptions::default() };
    let cluster = Cluster::with_options(options);
    let mut client = cluster.connect();
    client.query("SET work_mem = '1GB'");
    for query in [
        "SELECT count(*) FROM (SELECT i FROM generate_series(1, 60000) i ORDER BY i * 7919 % 60013) s",
        "SELECT i FROM generate_series(1, 60000) i ORDER BY i * 7919 % 60013 LIMIT 25000",
    ] {
        let looks = |client: &mut Client<'_>, query: &str| {
            cluster.world.looks_for_cancel.store(0, Ordering::Relaxed);
            client.query(query);
            cluster.world.looks_for_cancel.load(Ordering::Relaxed)
        };
        let of_input = looks(&mut client, "SELECT count(*) FROM generate_series(1, 60000) i");
        let of_all = looks(&mut client, query);
        // Sixty runs, and six times all rows merged.
        assert!(of_all >= of_input + 150, "{query}: {of_input} looks for its input, {of_all} for all");
        for after in [of_input + 1, of_input + 100, of_all - 1] {
            cluster.world.cancel_at_look.store(after, Ordering::Relaxed);
            cluster.world.looks_for_cancel.store(0, Ordering::Relaxed);
            assert_eq!(client.error(query), "57014 canceling statement due to user request", "{after}");
            cluster.world.cancel_at_look.store(0, Ordering::Relaxed);
        }
    }
    assert_eq!(client.lines("SELECT count(*) FROM generate_series(1, 3) i"), ["3"]);
}

/// The hash table of a NOT IN was one step of its thread, and so was each row that had to be compared with all of it; and a query that
/// reads nothing of the rows outside was run and hashed again for each of them.
#[test]
fn rows_that_are_compared_are_counted() {
    let options = DatabaseOptions { rows_per_yield: 1_000, ..DatabaseOptions::default() };
    let cluster = Cluster::with_options(options);
    let mut client = cluster.connect();
    client.query(
        "SET work_mem = '1GB'; CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 10000)",
    );
    for (query, looks_min, looks_max) in [
        // Sixty to read, sixty to hash.
        ("SELECT 0 NOT IN (SELECT i FROM generate_series(1, 60000) i)", 115, 130),
        // Each row is compared with all.
        (
            "SELECT count(*) FROM generate_series(1, 200) o
             WHERE (nullif(o, o), -o) NOT IN (SELECT i, i FROM generate_series(1, 3000) i)",
            190,
            220,
        ),
        // Read and hashed once, for fifty rows outside.
        (
            "SELECT (SELECT count(*) FROM generate_series(1, 5) o
                     WHERE o + w NOT IN (SELECT i + 90 FROM generate_series(1, 10000) i))
             FROM generate_series(1, 50) w",
            18,
            30,
        ),
        (
            "SELECT (SELECT count(*) + w FROM generate_series(1, 5) o WHERE EXISTS (SELECT 1 FROM t WHERE t.a + 0 = o))
             FROM generate_series(1, 50) w",
            9,
            30,
        ),
    ] {
        cluster.world.looks_for_cancel.store(0, Ordering::Relaxed);
        client.query(query);
        let looks = cluster.world.looks_for_cancel.load(Ordering::Relaxed);
        assert!((looks_min..looks_max).contains(&looks), "{query}: {looks} looks");
        for after in [1, looks / 2, looks - 1] {
            cluster.world.cancel_at_look.store(after, Ordering::Relaxed);
            cluster.world.looks_for_cancel.store(0, Ordering::Relaxed);
            assert_eq!(client.error(query), "57014 canceling statement due to user request", "{after}");
            cluster.world.cancel_at_look.store(0, Ordering::Relaxed);
        }
    }
}

/// Rows that no match let come up stayed in memory with what says which they are, until the next that came up: a long run of
/// them failed the statement (53200).
#[test]
fn rows_that_do_not_come_up_leave_nothing() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE wide (k text PRIMARY KEY, v int);
         INSERT INTO wide SELECT i || repeat('k', 2600), i FROM generate_series(1, 500) i;
         CREATE TABLE keys (v int); INSERT INTO keys SELECT i FROM generate_series(1, 500) i;
         CREATE TABLE indexed (v int PRIMARY KEY); INSERT INTO indexed SELECT i FROM generate_series(1, 9000) i;
         ANALYZE wide; ANALYZE keys; ANALYZE indexed",
    );
    for (condition, join) in [
        ("NOT EXISTS (SELECT 1 FROM keys WHERE keys.v = wide.v)", "Hash Anti Join"),
        ("EXISTS (SELECT 1 FROM indexed WHERE indexed.v = -wide.v)", "Nested Loop Semi Join"),
    ] {
        // Each run passes 1.3 MB of keys, of a gigabyte that is allowed.
        let query =
            format!("SELECT sum(v) FROM (SELECT v FROM wide WHERE v > -g AND {condition} FOR UPDATE) s");
        let query = format!("SELECT count(({query})) FROM generate_series(1, 900) g");
        let plan = client.lines(&format!("EXPLAIN (COSTS OFF) {query}"));
        assert!(plan.iter().any(|line| line.contains(join)), "{plan:#?}");
        assert_eq!(client.lines(&query), ["0"], "{condition}");
    }
}

/// Rows of a common table that locks them are taken one by one: which they are was let go of with the row at hand, and the next one was
/// not found.
#[test]
fn a_common_table_keeps_what_it_has_to_lock() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE a (id int PRIMARY KEY, x int); INSERT INTO a SELECT i, i FROM generate_series(1, 50) i;
         CREATE TABLE b (id int PRIMARY KEY, x int); INSERT INTO b SELECT i, i FROM generate_series(1, 40) i",
    );
    let locks = "WITH w AS MATERIALIZED (SELECT * FROM b ORDER BY x FOR UPDATE)";
    let asks = "EXISTS (SELECT 1 FROM w WHERE w.x >= a.x)";
    for (statement, rows) in [
        (format!("SELECT id FROM a WHERE {asks} FOR UPDATE"), 40),
        (format!("SELECT id FROM a WHERE {asks} AND x NOT IN (1, 40) FOR UPDATE"), 38),
        (format!("DELETE FROM a WHERE {asks} AND x IN (SELECT x FROM b) RETURNING id"), 40),
    ] {
        assert_eq!(client.lines(&format!("{locks} {statement}")).len(), rows, "{statement}");
    }
}

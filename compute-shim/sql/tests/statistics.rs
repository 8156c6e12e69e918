//! What ANALYZE changes of plans, and that it changes nothing else.

mod harness;

use harness::{Client, Cluster};

/// Customers in few regions, orders of each, and lines of these; most orders are open.
fn filled(client: &mut Client<'_>) {
    client.query(
        "CREATE TABLE region (id int PRIMARY KEY, name text);
         CREATE TABLE customer (id int PRIMARY KEY, region int, name text);
         CREATE TABLE orders (id int PRIMARY KEY, customer int, state text, day int);
         CREATE TABLE line (orders int, number int, amount int, PRIMARY KEY (orders, number));
         INSERT INTO region SELECT i, 'r' || i FROM generate_series(1, 5) i;
         INSERT INTO customer SELECT i, i % 5 + 1, 'c' || i FROM generate_series(1, 200) i;
         INSERT INTO orders SELECT i, i % 200 + 1, CASE WHEN i % 100 = 0 THEN 'late' ELSE 'open' END, i
             FROM generate_series(1, 4000) i;
         INSERT INTO line SELECT i, n, i * n % 7 FROM generate_series(1, 4000) i, generate_series(1, 3) n;
         CREATE INDEX orders_state ON orders (state);
         CREATE INDEX orders_day ON orders (day);
         CREATE INDEX orders_customer ON orders (customer)",
    );
}

fn plan(client: &mut Client<'_>, query: &str) -> Vec<String> {
    client.lines(&format!("EXPLAIN {query}"))
}

fn reads(plan: &[String], what: &str) -> bool {
    plan.iter().any(|line| line.contains(what))
}

#[test]
fn an_index_is_taken_where_it_leads_to_few_rows() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    let open = "SELECT * FROM orders WHERE state = 'open'";
    assert!(reads(&plan(&mut client, open), "orders_state"), "the form of the condition asks for the index");
    client.query("ANALYZE orders");
    for (condition, index) in [
        ("state = 'open'", None),
        ("state = 'late'", Some("orders_state")),
        ("state = 'none'", Some("orders_state")),
        ("state IN ('late', 'none')", Some("orders_state")),
        ("day > 100", None),
        ("day > 3900", Some("orders_day")),
        ("day BETWEEN 1000 AND 1100", Some("orders_day")),
        ("day < 100000000000", None),
        ("state = 'open' AND day = 7", Some("orders_day")),
        ("customer = 7 AND state = 'open'", Some("orders_customer")),
        ("id = 7 AND state = 'late'", Some("orders_pkey")),
    ] {
        let plan = plan(&mut client, &format!("SELECT * FROM orders WHERE {condition}"));
        let expected = match index {
            Some(index) => format!("Index Scan using {index} on orders"),
            None => "Seq Scan on orders".to_owned(),
        };
        assert!(reads(&plan, &expected), "{condition}: {plan:#?}");
    }
}

#[test]
fn a_table_that_was_empty_or_small_when_it_was_analysed_keeps_its_indexes() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int, b int); CREATE INDEX t_a ON t (a); ANALYZE t");
    let query = "SELECT * FROM t WHERE a = 1";
    assert!(reads(&plan(&mut client, query), "Index Scan"));
    client.query("INSERT INTO t SELECT i, i FROM generate_series(1, 20) i; ANALYZE t");
    assert!(reads(&plan(&mut client, query), "Index Scan"));
}

#[test]
fn joins_begin_where_few_rows_are() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    let query = "SELECT r.name, c.name, o.id, l.number FROM line l JOIN orders o ON o.id = l.orders \
                 JOIN customer c ON c.id = o.customer JOIN region r ON r.id = c.region WHERE o.state = 'late' AND r.id = 1";
    let sorted = format!("{query} ORDER BY 1, 2, 3, 4");
    let (before, written) = (client.lines(&sorted), plan(&mut client, query));
    let first = |plan: &[String]| plan.iter().find(|line| line.contains("Scan")).cloned().unwrap_or_default();
    assert!(first(&written).contains("on line l"), "{written:#?}");
    client.query("ANALYZE");
    let ordered = plan(&mut client, query);
    assert_ne!(written, ordered);
    assert!(
        first(&ordered).contains("on region r") || first(&ordered).contains("on orders o"),
        "{ordered:#?}"
    );
    assert!(reads(&ordered, "Index Scan using line_pkey on line l"), "{ordered:#?}");
    assert_eq!(client.lines(&sorted), before);
    // A table that is unknown stays where it is written; those before it are ordered.
    client.query("TRUNCATE region; INSERT INTO region SELECT i, 'r' || i FROM generate_series(1, 5) i");
    let partly = plan(&mut client, query);
    assert!(first(&partly).contains("on orders o"), "{partly:#?}");
    assert!(partly[partly.len() - 2].contains("on region r"), "{partly:#?}");
    assert_eq!(client.lines(&sorted), before);
}

#[test]
fn what_follows_from_equalities_joins_too() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    client.query("CREATE INDEX line_amount ON line (amount)");
    let query = "SELECT a.name, b.name, l.orders, l.number FROM region a, line l, region b \
                 WHERE a.id = l.amount AND l.amount = b.id AND a.id = 3";
    let sorted = format!("{query} ORDER BY 1, 2, 3, 4");
    let before = client.lines(&sorted);
    assert!(before.len() > 1_000, "{}", before.len());
    client.query("ANALYZE");
    let plan = plan(&mut client, query);
    let scans: Vec<&String> = plan.iter().filter(|line| line.contains("Scan")).collect();
    assert!(
        scans[0].contains("on region") && scans[1].contains("on region"),
        "nothing that is written joins the two regions: {plan:#?}"
    );
    assert!(scans[2].contains("Index Scan using line_amount on line l"), "{plan:#?}");
    assert_eq!(client.lines(&sorted), before);
    // Each equality still counts where a column of the class is no match, or NULL.
    client.query("INSERT INTO line VALUES (5000, 1, NULL), (5000, 2, 77); DELETE FROM region WHERE id = 3");
    assert!(client.lines(&sorted).is_empty());
}

#[test]
fn the_order_of_joins_changes_no_result() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    let queries = [
        "SELECT * FROM line l, orders o, region r, customer c WHERE l.orders = o.id AND c.id = o.customer \
         AND r.id = c.region AND o.day < 60 AND r.name = 'r2'",
        "SELECT count(*), min(o.id + c.id), max(r.name) FROM orders o, customer c, region r WHERE o.customer = c.id \
         AND c.region = r.id AND r.id + c.id < o.id AND o.state <> 'open'",
        "SELECT c.name, x.n FROM orders o JOIN customer c ON c.id = o.customer JOIN LATERAL (SELECT count(*) AS n \
         FROM line WHERE line.orders = o.id) x ON true JOIN region r ON r.id = c.region WHERE r.id = 3 AND o.day < 99",
        "SELECT o.id, l.number, r.name FROM orders o JOIN line l ON l.orders = o.id LEFT JOIN (customer c JOIN region r \
         ON r.id = c.region AND r.id < 3) ON c.id = o.customer WHERE o.day IN (5, 6, 7)",
        "SELECT a.id, b.id FROM region a, region b, region c WHERE a.id < b.id AND b.id < c.id",
        "SELECT o.id FROM line l JOIN orders o ON o.id = l.orders JOIN region r ON r.id = 2 WHERE o.day = 9 FOR UPDATE OF o",
        "SELECT c.id FROM orders o, customer c WHERE o.customer = c.id AND o.day = (SELECT max(number) FROM line)",
        "SELECT * FROM line l, region r, customer c, region q WHERE l.amount = c.region AND c.region = r.id \
         AND q.id = r.id AND c.id < 9 AND l.orders < 50 AND q.name <> 'r4'",
        "SELECT * FROM orders o, region r, customer c, line l WHERE o.id = r.id AND r.id = c.id AND c.id = l.orders \
         AND c.region = l.number AND l.number = o.customer",
        "SELECT * FROM region r, line l, customer c WHERE r.id = l.orders AND l.orders = c.id AND c.id = l.number",
    ];
    let sorted = |client: &mut Client<'_>, query: &str| {
        let mut lines = client.lines(query);
        lines.sort();
        lines
    };
    let before: Vec<_> = queries.iter().map(|query| sorted(&mut client, query)).collect();
    client.query("ANALYZE");
    for (query, before) in queries.iter().zip(before) {
        assert_eq!(sorted(&mut client, query), before, "{query}");
        assert!(!before.is_empty(), "{query}");
    }
    client.query(
        "UPDATE orders o SET day = -c.id FROM line l, customer c, region r \
         WHERE l.orders = o.id AND c.id = o.customer AND r.id = c.region AND r.name = 'r2' AND o.state = 'late'",
    );
    let changed = "SELECT count(*), count(DISTINCT day) FROM orders WHERE day < 0 AND day = -customer";
    assert_eq!(client.lines(changed), ["40|2"]);
    client.query(
        "DELETE FROM line l USING orders o, customer c, region r WHERE l.orders = o.id AND c.id = o.customer \
         AND r.id = c.region AND r.name = 'r2' AND o.day < 100",
    );
    // 19 orders with a day below 100, and the 40 that were late: three lines each.
    assert_eq!(client.lines("SELECT count(*) FROM line"), ["11823"]);
}

#[test]
fn statistics_outlive_the_process() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    client.query("ANALYZE");
    let all = "SELECT * FROM pg_stats ORDER BY tablename, attname";
    let before = client.lines(all);
    assert_eq!(before.len(), 12);
    client.query("DROP TABLE line");
    client.make_durable();
    drop(client);
    let cluster = cluster.crash();
    let mut client = cluster.connect();
    assert_eq!(
        client.lines(all),
        before.into_iter().filter(|line| !line.contains("|line|")).collect::<Vec<_>>()
    );
    assert!(reads(&plan(&mut client, "SELECT * FROM orders WHERE state = 'open'"), "Seq Scan"));
}

#[test]
fn a_sample_stands_for_a_table_that_is_larger() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("SET default_statistics_target = 5");
    client.query(
        "CREATE TABLE t (a int PRIMARY KEY, b int, c int);
         INSERT INTO t SELECT i, i % 10, CASE WHEN i % 2 = 0 THEN i END FROM generate_series(1, 20000) i; ANALYZE t",
    );
    assert_eq!(client.lines("SELECT reltuples FROM pg_class WHERE relname = 't'"), ["20000"]);
    let stats = "SELECT round(n_distinct::numeric, 1), abs(null_frac - 0.5) < 0.1, array_length(most_common_freqs, 1), histogram_bounds IS NOT NULL \
                 FROM pg_stats WHERE tablename = 't' ORDER BY attname";
    assert_eq!(client.lines(stats), ["-1.0|f|∅|t", "10.0|f|∅|t", "-0.5|t|∅|t"]);
}

/// What ANALYZE of a large table takes does not grow with it: leaves are drawn and read, and stand for the others.
#[test]
fn a_large_table_is_known_by_a_part_of_it() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "SET default_statistics_target = 1;
         CREATE TABLE t (a int PRIMARY KEY, b int, c text, d text);
         INSERT INTO t SELECT i, i % 10, CASE WHEN i <= 6000 THEN repeat('wide', 100) ELSE 'x' END, 'd' || i
             FROM generate_series(1, 24000) i",
    );
    let read_by = |client: &mut Client<'_>, analyse: &str| {
        let before = cluster.engine.stats();
        client.query(analyse);
        let after = cluster.engine.stats();
        after.page_hits + after.page_fetches - before.page_hits - before.page_fetches
    };
    let part = read_by(&mut client, "ANALYZE t");
    let size = "SELECT reltuples BETWEEN 20000 AND 28000, relpages BETWEEN 350 AND 650 FROM pg_class WHERE relname = 't'";
    assert_eq!(
        client.lines(size),
        ["t|t"],
        "{:?}",
        client.lines("SELECT reltuples, relpages FROM pg_class WHERE relname = 't'")
    );
    let stats = "SELECT attname, n_distinct BETWEEN -1 AND -0.9, correlation > 0.99, \
                 null_frac = 0, avg_width BETWEEN 60 AND 160 FROM pg_stats WHERE tablename = 't' ORDER BY attname";
    assert_eq!(client.lines(stats), ["a|t|t|t|f", "b|f|f|t|f", "c|f|t|t|t", "d|t|f|t|f"]);
    // Rows of few to a page and of many have the same chance: by pages it would be 0.3.
    let common = "SELECT most_common_freqs[1] BETWEEN 0.55 AND 0.92 FROM pg_stats WHERE attname = 'c' AND tablename = 't'";
    assert_eq!(client.lines(common), ["t"]);
    client.query("SET default_statistics_target = 20");
    let whole = read_by(&mut client, "ANALYZE t");
    assert_eq!(client.lines("SELECT reltuples FROM pg_class WHERE relname = 't'"), ["24000"]);
    assert!(part * 2 < whole, "{part} pages, and {whole} of the whole table");
}

/// Long values were read whole, to be left out of the sample.
#[test]
fn values_that_are_too_wide_to_be_looked_at_are_not_read() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, repeat('b', 200000) FROM generate_series(1, 40) i");
    let before = cluster.engine.stats().page_hits;
    client.query("ANALYZE t");
    let read = cluster.engine.stats().page_hits - before;
    assert!(read < 400, "{read} pages, and the values have 1,000");
    let stats = "SELECT attname, null_frac, n_distinct, avg_width FROM pg_stats WHERE tablename = 't' ORDER BY attname";
    assert_eq!(client.lines(stats), ["a|0|-1|4", "b|0|-1|200000"]);
}

/// Which tables are due, and when those that could not be analysed are due again.
#[test]
fn tables_are_due_by_what_has_changed_and_rest_after_a_failure() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    let due = |now_s: u64| {
        let due = cluster.database.take_due_analyses(now_s * 1_000_000);
        due.into_iter().inspect(|due| cluster.database.analysis_is_over(due, now_s * 1_000_000)).count()
    };
    client.query("CREATE TABLE made AS SELECT generate_series(1, 60) a");
    assert_eq!(due(0), 1, "rows that a definition wrote count");
    assert_eq!(due(9), 0, "nothing has analysed it, and it rests");
    assert_eq!((due(10), due(29), due(30), due(69), due(70)), (1, 0, 1, 0, 1));
    // While it is analysed by hand it changes.
    let taken = cluster.database.take_due_analyses(1_000_000_000);
    client.query("INSERT INTO made SELECT generate_series(1, 80); ANALYZE made");
    taken.iter().for_each(|due| cluster.database.analysis_is_over(due, 1_000_000_000));
    assert_eq!(due(1_000), 1, "80 rows were changed since its analysis was begun");
    client.query("ANALYZE made; CREATE TABLE quiet (a int) WITH (autovacuum_enabled = 'F')");
    client.query("INSERT INTO quiet SELECT generate_series(1, 1000)");
    assert_eq!(due(2_000), 0);
    client.query("ALTER TABLE quiet SET (autovacuum_enabled = on, autovacuum_analyze_threshold = 2000)");
    assert_eq!(due(2_000), 0);
    client.query("ALTER TABLE quiet SET (autovacuum_analyze_threshold = 50)");
    assert_eq!(due(2_000), 1);
    client.query("BEGIN; DELETE FROM quiet; ROLLBACK; DROP TABLE quiet");
    assert_eq!(due(1_000_000), 0, "what was undone, or dropped, counts for nothing");
}

/// What is counted of a table's indexes: name, scans, entries, rows.
fn index_counts(client: &mut Client<'_>, table: &str) -> Vec<String> {
    client.lines(&format!(
        "SELECT indexrelname, idx_scan, idx_tup_read, idx_tup_fetch FROM pg_stat_user_indexes WHERE relname = '{table}' ORDER BY 1"
    ))
}

fn table_counts(client: &mut Client<'_>, table: &str, columns: &str) -> Vec<String> {
    client.lines(&format!("SELECT {columns} FROM pg_stat_user_tables WHERE relname = '{table}'"))
}

#[test]
fn reads_through_indexes_are_counted() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE p (a int PRIMARY KEY, b int); CREATE INDEX p_b ON p (b)");
    client.query("INSERT INTO p SELECT i, i % 10 FROM generate_series(1, 100) i");
    assert_eq!(index_counts(&mut client, "p"), ["p_b|0|0|0", "p_pkey|0|0|0"]);
    client.query("SELECT b FROM p WHERE a = 7");
    client.query("SELECT b FROM p WHERE a = 1000");
    assert_eq!(index_counts(&mut client, "p")[1], "p_pkey|2|1|1");
    client.query("SELECT b FROM p WHERE a IN (1, 2, 3)");
    client.query("SELECT b FROM p WHERE a BETWEEN 11 AND 20");
    assert_eq!(index_counts(&mut client, "p")[1], "p_pkey|6|14|14");
    client.query("SELECT a FROM p WHERE b = 3");
    client.query("UPDATE p SET b = 30 WHERE a = 3");
    assert_eq!(index_counts(&mut client, "p"), ["p_b|1|10|10", "p_pkey|7|15|15"]);
    let columns = "seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd, n_live_tup";
    assert_eq!(table_counts(&mut client, "p", columns), ["0|0|8|25|100|1|100"]);
    // What a key of another table asks for, and what its action changes.
    client.query("CREATE TABLE c (a int REFERENCES p ON DELETE CASCADE); INSERT INTO c VALUES (1), (1), (2)");
    assert_eq!(
        index_counts(&mut client, "p")[1],
        "p_pkey|9|17|17",
        "a key that stands twice is looked for once"
    );
    client.query("DELETE FROM p WHERE a = 1");
    assert_eq!(table_counts(&mut client, "c", "n_tup_ins, n_tup_del, n_live_tup"), ["3|2|1"]);
    client.query("DROP INDEX p_b; CREATE INDEX p_b ON p (b)");
    assert_eq!(index_counts(&mut client, "p")[0], "p_b|0|0|0");
    client.query("SELECT pg_stat_reset_single_table_counters('p_pkey'::regclass)");
    assert_eq!(index_counts(&mut client, "p")[1], "p_pkey|0|0|0");
}

#[test]
fn a_statement_that_fails_or_is_left_counts_what_it_has_read() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int); INSERT INTO t SELECT i FROM generate_series(1, 10) i");
    client.error("SELECT 1 / (a - 4) FROM t");
    assert_eq!(table_counts(&mut client, "t", "seq_scan, seq_tup_read"), ["1|4"]);
    client.query("BEGIN; DECLARE c CURSOR FOR SELECT a FROM t; FETCH 3 FROM c");
    client.query("CLOSE c; COMMIT");
    assert_eq!(table_counts(&mut client, "t", "seq_scan, seq_tup_read"), ["2|7"]);
    client.query("SELECT a FROM t LIMIT 2");
    assert_eq!(table_counts(&mut client, "t", "seq_scan, seq_tup_read"), ["3|9"]);
    client.error("INSERT INTO t VALUES (1), (1 / 0)");
    client.error("INSERT INTO t SELECT 1 / (5 - i) FROM generate_series(1, 9) i");
    assert_eq!(table_counts(&mut client, "t", "n_tup_ins, n_live_tup"), ["15|10"]);
}

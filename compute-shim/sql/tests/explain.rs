//! EXPLAIN ANALYZE: what nodes come to, and what clients of its other formats count on.
//!
//! Where plans are PostgreSQL's, so are the lines: `conformance/explain.sql`.

mod harness;

use harness::{Client, Cluster};

fn filled(client: &mut Client<'_>) {
    client.query(
        "CREATE TABLE t (a int PRIMARY KEY, b text, c int);
         INSERT INTO t SELECT i, repeat('x', 100), i % 10 FROM generate_series(1, 1000) i;
         CREATE INDEX t_c ON t (c)",
    );
}

#[test]
fn rows_are_of_each_loop_and_what_did_not_run_says_so() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    let options = "ANALYZE, TIMING OFF, SUMMARY OFF";
    let plan = client.lines(&format!(
        "EXPLAIN ({options}) SELECT * FROM t u JOIN t ON t.c = u.a WHERE u.a IN (3, 4) AND u.c < 4"
    ));
    assert!(plan.iter().any(|line| line.contains("on t u (actual rows=1 loops=1)")), "{plan:#?}");
    assert!(plan.iter().any(|line| line.contains("on t (actual rows=100 loops=1)")), "{plan:#?}");
    let plan = client.lines(&format!(
        "EXPLAIN ({options}) WITH w AS (SELECT 1 AS one) SELECT (SELECT max(a) FROM t WHERE t.a < u.a) FROM t u WHERE u.a = 0"
    ));
    assert!(plan.iter().any(|line| line.trim() == "SubPlan 1"), "{plan:#?}");
    assert!(plan.iter().any(|line| line.contains("(never executed)")), "{plan:#?}");
    let plan = client
        .lines(&format!("EXPLAIN ({options}) SELECT * FROM t u LEFT JOIN t ON t.a = u.a + 1 WHERE u.a < 4"));
    assert!(plan.iter().any(|line| line.contains("(actual rows=1 loops=3)")), "{plan:#?}");
}

#[test]
fn pages_and_times_are_counted() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    client.make_durable();
    let buffers = "EXPLAIN (ANALYZE, BUFFERS) SELECT count(*) FROM t WHERE b <> ''";
    let warm = client.lines(buffers);
    assert!(warm.iter().any(|line| line.trim().starts_with("Buffers: shared hit=")), "{warm:#?}");
    assert!(!warm.iter().any(|line| line.contains("read=")), "{warm:#?}");
    cluster.engine.evict_pages();
    let cold = client.lines(buffers);
    assert!(cold.iter().any(|line| line.contains(" read=")), "{cold:#?}");
    let times: Vec<&String> = cold.iter().filter(|line| line.ends_with(" ms")).collect();
    assert!(times[0].starts_with("Planning Time: ") && times[1].starts_with("Execution Time: "), "{cold:#?}");
    assert!(cold[0].contains("(actual time=") && cold[0].contains(" rows=1 loops=1)"), "{cold:#?}");
}

#[test]
fn json_is_what_clients_read() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    filled(&mut client);
    let query = "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON) SELECT a, upper(b) FROM t WHERE a = 7";
    let plan = client.value(query).expect("one value");
    client.query("CREATE TABLE plans (p jsonb)");
    client.query(&format!("INSERT INTO plans VALUES ('{}')", plan.replace('\'', "''")));
    for (path, expected) in [
        ("{0,Plan,Node Type}", "Index Scan"),
        ("{0,Plan,Index Name}", "t_pkey"),
        ("{0,Plan,Schema}", "public"),
        ("{0,Plan,Actual Rows}", "1"),
        ("{0,Plan,Actual Loops}", "1"),
        ("{0,Plan,Output,1}", "upper(b)"),
        ("{0,Plan,Index Cond}", "(a = 7)"),
        ("{0,Triggers}", "[]"),
    ] {
        let found = client.value(&format!("SELECT p #>> '{path}' FROM plans"));
        assert_eq!(found.as_deref(), Some(expected), "{path} of {plan}");
    }
    let counted =
        "SELECT (p #>> '{0,Plan,Shared Hit Blocks}')::int > 0 AND (p #>> '{0,Planning Time}')::float >= 0
                   AND (p #>> '{0,Execution Time}')::float > 0 FROM plans";
    assert_eq!(client.value(counted).as_deref(), Some("t"), "{plan}");
}

/// Lines of a plan that name its nodes.
fn nodes(client: &mut Client<'_>, query: &str) -> Vec<String> {
    client.lines(&format!("EXPLAIN (COSTS OFF) {query}"))
}

/// Joins by columns of different types looped over all pairs: a hash was of one type.
#[test]
fn keys_of_one_family_are_hashed() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE s (i smallint, j int, r real, t text, n name, c char(3));
         CREATE TABLE w (i bigint, j int, r double precision, t varchar(9), n name, c char(5))",
    );
    for condition in [
        "s.i = w.i",
        "w.i = s.i",
        "s.j = w.i",
        "s.i = w.j",
        "s.r = w.r",
        "s.t = w.t",
        "s.n = w.t",
        "s.c = w.c",
    ] {
        for join in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
            let plan = nodes(&mut client, &format!("SELECT * FROM s {join} w ON {condition}"));
            assert!(plan.iter().any(|line| line.contains("Hash")), "{condition}: {plan:#?}");
            assert!(!plan.iter().any(|line| line.contains("Nested Loop")), "{condition}: {plan:#?}");
        }
    }
    let plan = nodes(&mut client, "SELECT * FROM s JOIN w ON s.j = w.i");
    assert!(plan.iter().any(|line| line.trim() == "Hash Cond: (j = i)"), "{plan:#?}");
}

#[test]
fn an_index_leads_to_keys_of_another_width() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE p (i bigint PRIMARY KEY, r double precision);
         CREATE INDEX p_r ON p (r);
         CREATE TABLE q (i int PRIMARY KEY, j smallint, r real);
         INSERT INTO p SELECT i, i FROM generate_series(1, 5000) i;
         INSERT INTO q SELECT i, i, i FROM generate_series(1, 10) i;
         ANALYZE p; ANALYZE q",
    );
    for (query, index) in [
        ("SELECT * FROM q JOIN p ON p.i = q.i", "p_pkey"),
        ("SELECT * FROM q LEFT JOIN p ON q.j = p.i", "p_pkey"),
        ("SELECT * FROM q JOIN p ON p.r = q.r", "p_r"),
        ("SELECT * FROM p JOIN q ON p.i = q.i WHERE p.i < 3", "q_pkey"),
    ] {
        let plan = nodes(&mut client, query);
        assert!(plan.iter().any(|line| line.contains(&format!("using {index} on"))), "{query}: {plan:#?}");
    }
}

/// IN by several columns compared all pairs of rows, and EXISTS ran its query for each row.
#[test]
fn rows_of_subqueries_are_looked_up() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE a (x int, y bigint, r real); CREATE TABLE b (x bigint, y int, z int, r double precision);
         CREATE TABLE k (x int PRIMARY KEY); CREATE TABLE c (u int, v bigint, w real)",
    );
    let (semi, anti, hashed, run) = ("Hash Semi Join", "Hash Anti Join", "(hashed SubPlan)", "(SubPlan)");
    for (condition, expected) in [
        ("x IN (SELECT x FROM b)", semi),
        ("x::numeric NOT IN (SELECT x FROM b)", hashed),
        ("r IN (SELECT r FROM b)", semi),
        ("(x, y) IN (SELECT x, y FROM b)", semi),
        ("(x, y) NOT IN (SELECT x, y FROM b)", hashed),
        ("(y, 1) = ANY (SELECT y, z FROM b)", semi),
        ("a IN (SELECT c FROM c)", semi),
        ("CASE WHEN x > 0 THEN row(x, y) END NOT IN (SELECT row(u, v) FROM c)", hashed),
        ("a IN (SELECT b FROM b)", run),
        ("(x, y) < ANY (SELECT x, y FROM b)", run),
        ("(x, y) = ALL (SELECT x, y FROM b)", run),
        ("(x, y) IN (SELECT b.x, b.y FROM b WHERE b.z = a.y)", semi),
        ("x IN (SELECT max(x) FROM b GROUP BY y ORDER BY 1 LIMIT 5)", semi),
        ("x IN (SELECT b.x FROM b WHERE b.z = a.y LIMIT 5)", run),
        ("3 IN (SELECT x FROM b)", hashed),
        ("x IN (SELECT x FROM b) OR y = 2", hashed),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y = a.y)", semi),
        ("EXISTS (SELECT 1 FROM b WHERE (a.x, a.y) = (b.x, b.y) LIMIT 1)", semi),
        ("EXISTS (SELECT DISTINCT z FROM b WHERE b.x = a.x ORDER BY z LIMIT ALL)", semi),
        ("NOT EXISTS (SELECT * FROM b WHERE b.x = a.x + a.y AND b.z > 3)", anti),
        ("NOT EXISTS (SELECT 1 / z FROM b WHERE b.x = a.x AND b.y <> a.y)", anti),
        ("EXISTS (SELECT 1 FROM b, c WHERE b.x = a.x AND c.u = b.z)", semi),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND EXISTS (SELECT 1 FROM c WHERE c.u = b.z))", semi),
        ("EXISTS (SELECT 1 FROM k WHERE k.x = a.x)", semi),
        ("EXISTS (SELECT 1 FROM b WHERE b.x > a.x)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND random() < 2)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x LIMIT 0)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x OFFSET 1)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x FOR SHARE)", run),
        ("EXISTS (SELECT count(*) FROM b WHERE b.x = a.x)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x GROUP BY b.y)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x UNION SELECT 2)", run),
        ("EXISTS (SELECT 1 FROM b JOIN c ON c.u = a.y WHERE b.x = a.x)", run),
        ("EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND b.y = (SELECT max(u) FROM c WHERE v < a.y))", run),
        ("EXISTS (WITH w AS (SELECT * FROM b) SELECT 1 FROM w WHERE w.x = a.x)", run),
        ("(EXISTS (SELECT 1 FROM b WHERE b.x = a.x)) IS TRUE", run),
    ] {
        let plan = nodes(&mut client, &format!("SELECT 1 FROM a WHERE {condition}"));
        assert!(plan.iter().any(|line| line.contains(expected)), "{condition}: {plan:#?}");
        let is_joined = [semi, anti].contains(&expected);
        assert_eq!(plan.iter().any(|line| line.contains("Plan 1")), !is_joined, "{condition}: {plan:#?}");
    }
}

/// Joins cost the whole of their right side: a query that an index leads through, or that is run for few rows, need not read it.
#[test]
fn queries_of_few_rows_are_not_joined() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE few (x int PRIMARY KEY, y int); INSERT INTO few SELECT i, i FROM generate_series(1, 10) i;
         CREATE TABLE many (x int PRIMARY KEY, y int, z int);
         INSERT INTO many SELECT i, i % 5000, i FROM generate_series(1, 10000) i;
         CREATE INDEX ON many (y);
         ANALYZE few; ANALYZE many",
    );
    let looked_up = ["Nested Loop Semi Join", "using many_y_idx on many"];
    for (query, expected) in [
        ("SELECT * FROM few WHERE EXISTS (SELECT 1 FROM many WHERE many.y = few.y)", &looked_up[..]),
        ("SELECT * FROM few WHERE y IN (SELECT y FROM many)", &looked_up),
        ("SELECT * FROM few WHERE EXISTS (SELECT 1 FROM many WHERE many.y = few.y) ORDER BY x", &looked_up),
        (
            "SELECT * FROM few WHERE NOT EXISTS (SELECT 1 FROM many WHERE many.y = few.y AND many.z > few.x)",
            &["Nested Loop Anti Join", "using many_y_idx on many"],
        ),
        ("SELECT * FROM few WHERE EXISTS (SELECT 1 FROM many WHERE many.z = few.y)", &["Hash Semi Join"]),
        (
            "SELECT * FROM few WHERE x = 3 AND EXISTS (SELECT 1 FROM many WHERE many.z = few.y)",
            &["(SubPlan)"],
        ),
        (
            "SELECT * FROM few WHERE EXISTS (SELECT 1 FROM many m JOIN many n ON n.x = m.z WHERE m.y = few.y)",
            &["(SubPlan)", "using many_y_idx on many m"],
        ),
        ("SELECT * FROM many WHERE EXISTS (SELECT 1 FROM few WHERE many.x = few.y)", &["Hash Semi Join"]),
        // Of a few rows that are wanted, the first are soon found.
        (
            "SELECT * FROM many WHERE EXISTS (SELECT 1 FROM many n WHERE n.x = many.z) ORDER BY x LIMIT 5",
            &["Index Scan using many_pkey on many n", "(SubPlan)"],
        ),
        (
            "SELECT * FROM many WHERE EXISTS (SELECT 1 FROM many n WHERE n.x = many.z) LIMIT 20000",
            &["Hash Semi Join"],
        ),
        // What is looked up for each row of a join is asked the condition for it.
        (
            "SELECT * FROM few JOIN many ON many.x = few.y WHERE EXISTS (SELECT 1 FROM few f WHERE f.y = many.z)",
            &["Index Scan using many_pkey on many", "(SubPlan)"],
        ),
    ] {
        let plan = nodes(&mut client, query);
        for expected in expected {
            assert!(plan.iter().any(|line| line.contains(expected)), "{query}: {expected}: {plan:#?}");
        }
        let sorts = plan.iter().any(|line| line.contains("Sort"));
        assert!(!sorts, "{query}: {plan:#?}");
    }
}

/// Joins by rows made by CASE and the like looped over all pairs: their columns were not known to be of the same types.
#[test]
fn rows_known_to_be_alike_are_hashed() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE t (x int, y int); CREATE TABLE u (v int, w int); CREATE TABLE v (x int, y bigint)",
    );
    let plain = "SELECT row(x, y) AS r FROM t";
    for (left, right, is_hashed) in [
        (plain, plain, true),
        (plain, "SELECT row(v, w) AS r FROM u", true),
        (plain, "SELECT row(x, y) AS r FROM v", false),
        ("SELECT CASE WHEN x > 0 THEN row(x, y) END AS r FROM t", plain, true),
        ("SELECT CASE WHEN x > 0 THEN row(x, y) ELSE row(1, 2) END AS r FROM t", plain, true),
        ("SELECT CASE WHEN x > 0 THEN row(x, y) ELSE row(1, 'a'::text) END AS r FROM t", plain, false),
        ("SELECT coalesce(row(x, y), NULL) AS r FROM t", plain, true),
        ("SELECT lag(row(x, y)) OVER (ORDER BY x) AS r FROM t", plain, true),
        ("SELECT lag(row(x, y), 1, row(0, 0)) OVER (ORDER BY x) AS r FROM t", plain, true),
        ("SELECT lag(row(x, y), 1, row(0, y::bigint)) OVER (ORDER BY x) AS r FROM t", plain, false),
        ("SELECT row(x, CASE WHEN x > 0 THEN row(x, y) END) AS r FROM t", plain, false),
        (
            "SELECT row(x, CASE WHEN x > 0 THEN row(x, y) END) AS r FROM t",
            "SELECT row(v, row(w, v)) AS r FROM u",
            true,
        ),
        ("SELECT t AS r FROM t", "SELECT u AS r FROM u", true),
        ("SELECT t AS r FROM t", "SELECT v AS r FROM v", false),
        ("SELECT DISTINCT CASE WHEN x > 0 THEN row(x, y) END AS r FROM t ORDER BY 1 LIMIT 9", plain, true),
        (
            "SELECT CASE WHEN x > 0 THEN row(x, y) END AS r FROM t UNION ALL SELECT row(v, w) FROM u",
            plain,
            true,
        ),
    ] {
        let query = format!("SELECT 1 FROM ({left}) a JOIN ({right}) b ON a.r = b.r");
        let plan = nodes(&mut client, &query);
        assert_eq!(plan.iter().any(|line| line.contains("Hash Join")), is_hashed, "{query}: {plan:#?}");
    }
}

/// Tables of which only few rows are wanted by what stands above.
fn few_of_many(client: &mut Client<'_>) {
    client.query(
        "CREATE TABLE many (x int PRIMARY KEY, y int, z int);
         INSERT INTO many SELECT i, i % 5000, i FROM generate_series(1, 10000) i;
         CREATE TABLE other (x int PRIMARY KEY, z int); INSERT INTO other SELECT i, i FROM generate_series(1, 10000) i;
         ANALYZE many; ANALYZE other",
    );
}

/// Each guess of a semi join's rows asked twice for those below: twenty of them were planned for two minutes.
#[test]
fn a_hundred_queries_in_conditions_are_planned() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    few_of_many(&mut client);
    let asks = |at: usize| {
        format!("EXISTS (SELECT 1 FROM other o{at} WHERE o{at}.z = m.y AND o{at}.x <> m.z + {at})")
    };
    let conditions = (0..100).map(asks).collect::<Vec<_>>().join(" AND ");
    for query in [
        format!("SELECT * FROM many m JOIN other ON other.x = m.x WHERE {conditions}"),
        format!("SELECT * FROM many m WHERE {conditions} LIMIT 1"),
        format!("SELECT * FROM many m WHERE {conditions}"),
    ] {
        let plan = nodes(&mut client, &query);
        let asked = plan.iter().filter(|line| line.contains("Semi Join") || line.contains("SubPlan "));
        assert_eq!(asked.count(), 100, "{plan:#?}");
    }
}

/// A LIMIT around a LIMIT planned what is inside twice.
#[test]
fn limits_in_limits_are_planned_once() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    few_of_many(&mut client);
    let mut query = "SELECT x FROM many z0 LIMIT 5".to_owned();
    for at in 1..60 {
        query = format!(
            "SELECT x FROM many z{at} WHERE EXISTS (SELECT 1 FROM ({query}) s WHERE s.x = z{at}.x) LIMIT 5"
        );
    }
    let plan = nodes(&mut client, &query);
    assert!(plan.iter().any(|line| line.contains("on many z0")), "{plan:#?}");
}

/// What is looked up for each row of a join was asked the condition for it although that reads a whole table each time.
#[test]
fn what_is_looked_up_is_not_asked_what_costs_more() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    few_of_many(&mut client);
    client.query(
        "CREATE TABLE nox (k int, v int); INSERT INTO nox SELECT i, i FROM generate_series(1, 5000) i",
    );
    let join = "SELECT count(*) FROM other l JOIN many r ON r.x = l.z WHERE l.x <= 2000 AND";
    for analyse in ["", "ANALYZE nox"] {
        client.query(analyse);
        let plan = nodes(&mut client, &format!("{join} EXISTS (SELECT 1 FROM nox WHERE nox.k = r.z + 6000)"));
        assert!(plan.iter().any(|line| line.contains("Hash Semi Join")), "{analyse}: {plan:#?}");
        let plan = nodes(
            &mut client,
            &format!("{join} l.x <= 3 AND EXISTS (SELECT 1 FROM other o WHERE o.x = r.z)"),
        );
        assert!(plan.iter().any(|line| line.contains("using many_pkey on many r")), "{analyse}: {plan:#?}");
    }
}

/// A LIMIT that is given by a parameter, the body of EXISTS, a cursor and the sides of UNION ALL read the whole right side of a join for
/// rows that nobody asked for.
#[test]
fn joins_are_not_made_for_the_first_rows() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    few_of_many(&mut client);
    let asks = "SELECT x FROM many WHERE EXISTS (SELECT 1 FROM other o WHERE o.x = many.z)";
    client.query(&format!(
        "PREPARE first_rows (int) AS {asks} LIMIT $1;
         PREPARE later (int) AS {asks} LIMIT 3 OFFSET $1;
         PREPARE whole (int) AS {asks} LIMIT ALL OFFSET $1"
    ));
    let (asked, joined) = ("(SubPlan)", "Hash Semi Join");
    for (query, expected) in [
        ("EXECUTE first_rows (5)".to_owned(), asked),
        ("EXECUTE later (5)".to_owned(), asked),
        ("EXECUTE whole (5)".to_owned(), joined),
        (asks.to_owned(), joined),
        (format!("{asks} LIMIT NULL"), joined),
        (format!("SELECT EXISTS ({asks})"), asked),
        (format!("SELECT EXISTS ({asks} OFFSET 3)"), asked),
        (format!("SELECT ARRAY ({asks})"), joined),
        (format!("({asks}) UNION ALL SELECT x FROM other LIMIT 3"), asked),
        (format!("SELECT 2::bigint UNION ALL ({asks}) UNION ALL SELECT 1 LIMIT 3"), asked),
        (format!("({asks}) UNION SELECT x FROM other LIMIT 3"), joined),
        (format!("({asks}) UNION ALL SELECT x FROM other"), joined),
    ] {
        let plan = nodes(&mut client, &query);
        assert!(plan.iter().any(|line| line.contains(expected)), "{query}: {expected}: {plan:#?}");
    }
    // A cursor has no plan to show: a join would come to the row of the other side that is an error.
    let fails =
        format!("{asks} AND NOT EXISTS (SELECT 1 FROM other o WHERE o.x = many.z AND 1 / (o.z - 9000) > 0)");
    client.query(&format!("BEGIN; DECLARE c CURSOR FOR {fails}"));
    assert_eq!(client.lines("FETCH 3 FROM c"), ["1", "2", "3"]);
}

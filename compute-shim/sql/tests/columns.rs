//! Aggregations over rows that come as columns, beside the same ones row by row: a FILTER, or a condition that has to be evaluated,
//! keeps columns away.

mod harness;

use harness::{Client, Cluster};
use hexalog_sql::DatabaseOptions;

/// Rows that fit columns, rows that do not (NULL, other scales, many digits, NaN, overflow, columns that came later), in stretches so
/// that leaves of all kinds are there.
fn fill(client: &mut Client<'_>) {
    client.query(
        "CREATE TABLE t (a int PRIMARY KEY, i int, s smallint, l bigint, f float8, r real, n numeric, m numeric(15,2), x text,
                         p char(4), v varchar(9), d date, ts timestamp, o bool, long text);
         INSERT INTO t SELECT g, g * 37 % 1000, g % 50, g * 10000000000, g / 3.0::float8, g / 7.0::real, (g % 90) / 10.0, g % 977 / 100.0,
             'text ' || g % 11, chr(97 + g % 3), 'v' || g % 5, date '2000-01-01' + g % 700,
             timestamp '2000-01-01' + g % 300 * interval '1 hour', g % 3 = 0, 'short'
             FROM generate_series(1, 3000) g;
         UPDATE t SET i = NULL, f = NULL, n = NULL, x = NULL, d = NULL WHERE a BETWEEN 500 AND 700 AND a % 3 = 0;
         UPDATE t SET n = n::numeric(20,5) WHERE a BETWEEN 1000 AND 1150 AND a % 2 = 0;
         UPDATE t SET n = n + 1234567890123456789012345.5, m = 9999999999999.99 WHERE a BETWEEN 1300 AND 1325;
         UPDATE t SET n = 'NaN', f = 'NaN' WHERE a = 1500;
         UPDATE t SET f = -0.0, p = 'b ', v = '' WHERE a BETWEEN 1550 AND 1650 AND a % 5 = 0;
         UPDATE t SET long = repeat('long', 3000), x = repeat('y', 1900) WHERE a BETWEEN 1700 AND 1750 AND a % 4 = 0;
         DELETE FROM t WHERE a BETWEEN 2000 AND 2300 AND a % 7 <> 0;
         ALTER TABLE t ADD COLUMN w int DEFAULT 5;
         INSERT INTO t SELECT g, 1, 1, 1, 1, 1, 1, 1, 'new', 'z', 'z', 'infinity', '-infinity', true, 'short', g % 9
             FROM generate_series(3001, 3100) g",
    );
}

/// Aggregates of which each has FILTER put behind it.
const CALLS: &[&str] = &[
    "count(*)",
    "count(i)",
    "count(x)",
    "sum(i)",
    "avg(i)",
    "min(i)",
    "max(i)",
    "sum(s)",
    "avg(s)",
    "max(s)",
    "sum(l)",
    "avg(l)",
    "min(l)",
    "sum(f)",
    "avg(f)",
    "min(f)",
    "max(f)",
    "sum(r)",
    "max(r)",
    "sum(n)",
    "avg(n)",
    "min(n)",
    "max(n)",
    "sum(m)",
    "avg(m)",
    "min(m)",
    "sum(m * (1 - n))",
    "sum(m * (1 - m) * (1.0 + m))",
    "avg(m - n * 2.5)",
    "sum(m * m * m * m * m * m * m * m * m * m)",
    "min(x)",
    "max(x)",
    "min(p)",
    "max(v)",
    "min(d)",
    "max(d)",
    "min(ts)",
    "max(ts)",
    "sum(w)",
    "count(w)",
    "sum(1.5)",
];

/// Conditions, and what says the same so that it must be evaluated.
const CONDITIONS: &[(&str, &str)] = &[
    ("true", "a + 0 = a"),
    ("i < 500", "i + 0 < 500"),
    ("i >= 100 AND s <> 7", "i + 0 >= 100 AND s + 0 <> 7"),
    ("l > 12345678901", "l + 0 > 12345678901"),
    ("f <= 1000", "f + 0 <= 1000"),
    ("n < 24", "n + 0 < 24"),
    ("m BETWEEN 0.05 - 0.01 AND 7.5", "m + 0 BETWEEN 0.05 - 0.01 AND 7.5"),
    ("x = 'text 3'", "x || '' = 'text 3'"),
    ("x > 'text 5' AND x <> 'y'", "x || '' > 'text 5' AND x || '' <> 'y'"),
    ("p = 'b'", "(p || '') = 'b'"),
    (
        "d >= date '2000-03-01' AND d < date '2000-03-01' + interval '1 year'",
        "d + 0 >= date '2000-03-01' AND d + 0 < date '2001-03-01'",
    ),
    ("d > timestamp '2000-05-05'", "d + 0 > date '2000-05-05'"),
    ("d <= timestamp '2000-05-05 12:00'", "d + 0 <= date '2000-05-05'"),
    ("ts < timestamp '2000-01-05'", "ts + interval '0' < timestamp '2000-01-05'"),
    ("w = 5", "w + 0 = 5"),
    ("w <> 5 AND d = 'infinity'", "w + 0 <> 5 AND NOT isfinite(d)"),
    ("long = 'short' AND a > 1500", "long || '' = 'short' AND a + 0 > 1500"),
    ("long > 'longer' AND a > 1500", "long || '' > 'longer' AND a + 0 > 1500"),
    ("a BETWEEN 2050 AND 2250", "a + 0 BETWEEN 2050 AND 2250"),
    ("i < 0", "i + 0 < 0"),
    ("o AND i < 300", "o AND i + 0 < 300"),
];

const KEYS: &[&str] = &["", "p", "s", "x", "n", "m", "p, w", "d", "o", "f", "a"];

fn selects(keys: &str, condition: &str, filter: &str) -> String {
    let calls: Vec<String> = CALLS.iter().map(|call| format!("{call}{filter}")).collect();
    let calls = calls.join(", ");
    match keys {
        "" => format!("SELECT {calls} FROM t WHERE {condition}"),
        keys => format!("SELECT {keys}, {calls} FROM t WHERE {condition} GROUP BY {keys}"),
    }
}

#[test]
fn columns_come_to_what_rows_do() {
    // Few rows a turn, so that statements stop between leaves and go on.
    let cluster = Cluster::with_options(DatabaseOptions { rows_per_yield: 60, ..DatabaseOptions::default() });
    let mut client = cluster.connect();
    fill(&mut client);
    // One in `part` of the conditions and keys.
    let check = |client: &mut Client<'_>, part: usize| {
        for (condition, evaluated) in CONDITIONS.iter().step_by(part) {
            let wanted = client.lines(&selects("", evaluated, " FILTER (WHERE a IS NOT NULL)"));
            assert_eq!(client.lines(&selects("", condition, "")), wanted, "{condition}");
        }
        for keys in KEYS.iter().step_by(part) {
            let (condition, evaluated) = ("w < 8 AND a <> 5", "w + 0 < 8 AND a + 0 <> 5");
            // Groups come in the order of their first rows, either way.
            let wanted = client.lines(&selects(keys, evaluated, " FILTER (WHERE a IS NOT NULL)"));
            assert_eq!(client.lines(&selects(keys, condition, "")), wanted, "by {keys}");
        }
    };
    check(&mut client, 1);
    client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    check(&mut client, 5);
    // Others' changes that it does not see, then its own that it does.
    let mut other = cluster.connect();
    other.query(
        "UPDATE t SET i = i + 1, m = m - 1, p = 'q' WHERE a % 5 = 0; DELETE FROM t WHERE a % 11 = 0;
         INSERT INTO t (a, i, m, p) SELECT g, 7, 7.77, 'n' FROM generate_series(7000, 7200) g",
    );
    check(&mut client, 5);
    client
        .query("UPDATE t SET s = s + 1, n = n + 0.5 WHERE a % 55 = 1; INSERT INTO t (a, i) VALUES (9000, 3)");
    check(&mut client, 5);
    client.query("COMMIT");
    check(&mut client, 5);
}

/// Found by the simulator. Whoever was told that there are no more columns asked for a row and was told so again, and both were counted:
/// where each row lets others run the end was never come to.
#[test]
fn the_end_is_come_to_where_every_row_lets_others_run() {
    for rows_per_yield in [1, 2, 3] {
        let cluster = Cluster::with_options(DatabaseOptions { rows_per_yield, ..DatabaseOptions::default() });
        let mut client = cluster.connect();
        client.query("CREATE TABLE few (a int PRIMARY KEY, i int); INSERT INTO few SELECT g, g FROM generate_series(1, 9) g");
        for (condition, sum) in [("i > 0", "45"), ("i > 8", "9"), ("i + 0 > 8", "9")] {
            let found = client.value(&format!("SELECT sum(i) FROM few WHERE {condition}"));
            assert_eq!(found.as_deref(), Some(sum));
        }
        assert_eq!(client.lines("SELECT i, count(*) FROM few GROUP BY i").len(), 9);
    }
}

/// The first row that has an error is the one that is told of, and of it the first call.
#[test]
fn errors_are_those_of_rows_in_their_order() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TABLE big (a int PRIMARY KEY, f float8, g float8, i int);
         INSERT INTO big SELECT g, CASE WHEN g >= 30 THEN 1e308 ELSE 1 END, CASE WHEN g >= 20 THEN 1e308 ELSE 1 END, g
             FROM generate_series(1, 100) g",
    );
    for calls in ["sum(f), sum(g)", "count(*), avg(f), max(i)", "sum(i), sum(g)"] {
        let error = client.error(&format!("SELECT {calls} FROM big WHERE i > 0"));
        assert_eq!(&error[..5], "22003", "{calls}");
    }
    let by_columns = client.lines("SELECT sum(f), sum(g) FROM big WHERE i < 20 GROUP BY i");
    assert_eq!(by_columns.len(), 19);
    // A condition behind one that does not hold is not evaluated.
    let lines = client.lines("SELECT count(*), sum(i) FROM big WHERE i > 1000 AND 1 / (i - 50) > 0");
    assert_eq!(lines.len(), 1);
    let error = client.error("SELECT count(*), sum(i) FROM big WHERE i > 10 AND 1 / (i - 50) > 0");
    assert_eq!(&error[..5], "22012");
}

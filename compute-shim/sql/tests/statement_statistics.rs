//! What `pg_stat_statements` counts that a script of messages cannot bring about: portals that are left, time, temporary files.
//! `conformance/statement_statistics.sql` has the rest.

mod harness;

use harness::{Client, Cluster};

/// The counters of one statement.
fn counted(client: &mut Client<'_>, columns: &str, query: &str) -> Vec<String> {
    let query = query.replace('\'', "''");
    client.lines(&format!("SELECT {columns} FROM pg_stat_statements WHERE query = '{query}'"))
}

fn with_rows(cluster: &Cluster) -> Client<'_> {
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b text)");
    client.query("INSERT INTO t SELECT n, repeat('x', 300) FROM generate_series(1, 3000) n");
    client.query("SELECT pg_stat_statements_reset()");
    client
}

#[test]
fn a_portal_that_is_left_counts_once_and_one_that_fails_does_not() {
    let cluster = Cluster::new();
    let mut client = with_rows(&cluster);
    const QUERY: &str = "SELECT a FROM t WHERE a > $1";
    for (limits, calls_rows) in [(&[2, 2][..], "1|2"), (&[5], "2|7"), (&[2, 0], "3|3005")] {
        client.session.parse("", "SELECT a FROM t WHERE a > 0", &[]).expect("parses");
        client.session.bind("", "", &[], &[], &[]).expect("binds");
        for limit in limits {
            if client.execute("", *limit).expect("runs").tag == "suspended" {
                assert_ne!(
                    counted_by_another(&cluster, QUERY),
                    [calls_rows],
                    "not before it is left or through"
                );
            }
        }
        client.sync();
        assert_eq!(counted_by_another(&cluster, QUERY), [calls_rows], "{limits:?}");
    }
    client.session.parse("", "SELECT 1 / (a - 3) FROM t ORDER BY a", &[]).expect("parses");
    client.session.bind("", "", &[], &[], &[]).expect("binds");
    client.execute("", 2).expect("two rows are well");
    let error = client.execute("", 2).expect_err("the third divides by zero");
    client.fail(&error);
    client.sync();
    assert!(counted_by_another(&cluster, "SELECT $1 / (a - $2) FROM t ORDER BY a").is_empty());
}

fn counted_by_another(cluster: &Cluster, query: &str) -> Vec<String> {
    counted(&mut cluster.connect(), "calls, rows", query)
}

#[test]
fn temporary_files_and_pages_are_counted_where_they_were_used() {
    let cluster = Cluster::new();
    let mut client = with_rows(&cluster);
    client.query("SET work_mem = '64kB'");
    client.query("SELECT count(*) FROM (SELECT a FROM t ORDER BY b, a DESC OFFSET 1) s");
    client.query("SELECT a FROM t WHERE a = 7");
    const SORT: &str = "SELECT count(*) FROM (SELECT a FROM t ORDER BY b, a DESC OFFSET $1) s";
    // 3,000 rows of 300 bytes are some 110 blocks, and each is written and read once or twice.
    let columns =
        "temp_blks_written BETWEEN 100 AND 400, temp_blks_read BETWEEN 100 AND 400, shared_blks_hit > 50";
    assert_eq!(counted(&mut client, columns, SORT), ["t|t|t"]);
    let columns = "temp_blks_written, temp_blks_read, shared_blks_hit BETWEEN 1 AND 5, shared_blks_read";
    assert_eq!(counted(&mut client, columns, "SELECT a FROM t WHERE a = $1"), ["0|0|t|0"]);
    // A change commits with its last write: its pages count all the same.
    client.query("UPDATE t SET b = 'y' WHERE a = 7");
    let columns = "rows, shared_blks_hit > 0";
    assert_eq!(counted(&mut client, columns, "UPDATE t SET b = $1 WHERE a = $2"), ["1|t"]);
}

/// The clock of the tests moves on by a microsecond with each look, and by ten milliseconds where a statement rests.
#[test]
fn time_runs_while_a_statement_does() {
    let cluster = Cluster::new();
    let mut client = with_rows(&cluster);
    for _ in 0..3 {
        client.query("SELECT a FROM t WHERE a = 1");
    }
    // From its begin to its end it looks twice more while it is planned, which is no part of it: a text that is known is not.
    let columns = "min_exec_time = 0.001, max_exec_time = 0.002, calls, abs(total_exec_time - 3 * mean_exec_time) < 1e-6, \
                   mean_exec_time BETWEEN min_exec_time AND max_exec_time, stddev_exec_time BETWEEN 1e-9 AND 0.001";
    assert_eq!(counted(&mut client, columns, "SELECT a FROM t WHERE a = $1"), ["t|t|3|t|t|t"],);
    let planned =
        "plans, total_plan_time > 0, min_plan_time <= mean_plan_time, mean_plan_time <= max_plan_time";
    client.query("SET pg_stat_statements.track_planning = on");
    client.query("SELECT b FROM t WHERE a = 1");
    client.query("SELECT b FROM t WHERE a = 2");
    assert_eq!(counted(&mut client, planned, "SELECT b FROM t WHERE a = $1"), ["2|t|t|t"]);
}

#[test]
fn a_table_made_anew_is_another_one_and_each_database_counts_for_itself() {
    let cluster = Cluster::new();
    let mut client = with_rows(&cluster);
    client.query("SELECT count(*) FROM t");
    client.query("DROP TABLE t; CREATE TABLE t (a int PRIMARY KEY, b text)");
    client.query("SELECT count(*) FROM t");
    assert_eq!(counted(&mut client, "calls", "SELECT count(*) FROM t"), ["1", "1"]);
    client.query("CREATE DATABASE other");
    let mut other = cluster.connect_as("postgres", "other", &[]).expect("connects");
    other.query("SELECT 'here'");
    client.query("SELECT 'there'");
    let by_database = "SELECT datname, calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = dbid \
                       WHERE query = 'SELECT $1' ORDER BY 1";
    assert_eq!(client.lines(by_database), ["other|1", "postgres|1"]);
}

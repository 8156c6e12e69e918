//! Sessions without tables: settings, transactions, the protocol's states.

mod harness;

use harness::Cluster;

#[test]
fn the_least_that_a_session_does() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    assert_eq!(client.value("SHOW server_encoding").as_deref(), Some("UTF8"));
    assert_eq!(client.tag("SET statement_timeout = '5s'"), "SET");
    assert_eq!(client.value("SHOW statement_timeout").as_deref(), Some("5s"));
    assert_eq!(client.tag("BEGIN"), "BEGIN");
    assert_eq!(client.status(), 'T');
    assert_eq!(client.tag("COMMIT"), "COMMIT");
    assert_eq!(client.tag(""), "");
    assert_eq!(client.lines("SELECT 1 AS a, 'x' AS b, NULL"), ["1|x|∅"]);
}

#[test]
fn a_table_from_end_to_end() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    assert_eq!(client.tag("CREATE TABLE t (a int PRIMARY KEY, b text)"), "CREATE TABLE");
    assert_eq!(client.tag("INSERT INTO t VALUES (1, 'x'), (2, 'y')"), "INSERT 0 2");
    assert_eq!(client.lines("SELECT * FROM t ORDER BY a"), ["1|x", "2|y"]);
}

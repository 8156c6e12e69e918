//! Rows without a type: fields that are known here and not in PostgreSQL (decision 0136). What both know is in
//! `conformance/row_fields.sql` and `row_collations.sql`.

mod harness;

use harness::Cluster;

const INDETERMINATE: &str = "42P22 could not determine which collation to use for string comparison";

/// Rows of CASE, COALESCE, VALUES and joins had lost their columns where these differ by collations alone.
#[test]
fn rows_that_differ_by_collations_alone_are_of_one_shape() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        r#"CREATE TABLE o (x text COLLATE "C", y text COLLATE "POSIX", d text);
           INSERT INTO o VALUES ('a', 'b', 'c')"#,
    );
    for rows in [
        "SELECT CASE WHEN true THEN row(x) ELSE row(SIDE) END AS r FROM o",
        "SELECT coalesce(r, s) AS r FROM (SELECT row(x) AS r, row(SIDE) AS s FROM o) q",
        "SELECT r FROM o, LATERAL (VALUES (row(x)), (row(SIDE))) q (r) LIMIT 1",
        "SELECT r FROM (SELECT row(x) AS r FROM o) a FULL JOIN (SELECT row(SIDE) AS r FROM o) b USING (r) ORDER BY (r).f1 LIMIT 1",
    ] {
        let of = |side: &str| rows.replace("SIDE", side);
        let field = format!("SELECT (r).f1 FROM ({}) q", of("d"));
        assert_eq!(client.value(&field).as_deref(), Some("a"), "{field}");
        // A type's own collation gives way, and that of another column makes it none.
        let given = format!("SELECT (r).f1 < y FROM ({}) q, o", of("d"));
        assert!(client.error(&given).starts_with(INDETERMINATE), "{given}");
        let none = format!("SELECT (r).f1 < (r).f1 FROM ({}) q", of("y").replace("ORDER BY (r).f1 ", ""));
        assert!(client.error(&none).starts_with(INDETERMINATE), "{none}");
        let same = format!("SELECT (r).f1 < x || 'b' FROM ({}) q, o", of("d COLLATE \"C\""));
        assert_eq!(client.value(&same).as_deref(), Some("t"), "{same}");
    }
}

//! Enum types beyond one session's answers: what comes back after a start, what routes know of them, and who waits for whom.
//!
//! That rows and errors are PostgreSQL's is in `conformance/enums.sql`.

mod harness;

use harness::{Cluster, Progress};

#[test]
fn what_is_kept_means_the_same_after_a_start_and_under_new_names() {
    let mut cluster = Cluster::new();
    {
        let mut client = cluster.connect();
        client.query(
            "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
             CREATE TABLE t (
                 id int PRIMARY KEY, m mood DEFAULT 'ok', a mood[] DEFAULT '{sad,happy}', CHECK (m > 'sad'),
                 g boolean GENERATED ALWAYS AS (m = 'happy') STORED
             );
             CREATE INDEX happy ON t (id) WHERE m = 'happy';
             CREATE UNIQUE INDEX by_rank ON t (m, (a > '{sad}'));
             CREATE VIEW v AS SELECT id, 'sad'::mood AS other FROM t WHERE m = ANY ('{ok,happy}'::mood[]);
             INSERT INTO t (id) VALUES (1);
             INSERT INTO t VALUES (2, 'happy')",
        );
        client.make_durable();
    }
    cluster = cluster.crash();
    {
        let mut client = cluster.connect();
        assert_eq!(
            client.lines("SELECT * FROM t ORDER BY m"),
            ["1|ok|{sad,happy}|f", "2|happy|{sad,happy}|t"]
        );
        assert_eq!(client.lines("SELECT * FROM v ORDER BY id"), ["1|sad", "2|sad"]);
        client.query("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'");
        client.query("ALTER TYPE mood ADD VALUE 'good' BEFORE 'happy'");
        client.query("ALTER TYPE mood RENAME TO feeling");
        client.query("CREATE SCHEMA s; ALTER TYPE feeling SET SCHEMA s");
        client.make_durable();
    }
    cluster = cluster.crash();
    let mut client = cluster.connect();
    assert_eq!(client.lines("SELECT * FROM v ORDER BY id"), ["1|blue", "2|blue"]);
    assert!(client.error("INSERT INTO t VALUES (3, 'blue')").starts_with("23514"));
    assert!(client.error("INSERT INTO t VALUES (3, 'happy')").starts_with("23505"));
    client.query("INSERT INTO t VALUES (3, 'good')");
    assert_eq!(client.lines("SELECT id, m FROM t ORDER BY m"), ["1|ok", "3|good", "2|happy"]);
    assert_eq!(
        client.value("SELECT pg_get_indexdef('happy'::regclass)").as_deref(),
        Some("CREATE INDEX happy ON public.t USING btree (id) WHERE (m = 'happy'::s.feeling)")
    );
    // No number is given twice.
    client.query("CREATE TYPE other AS ENUM ('x')");
    assert_eq!(client.value("SELECT count(DISTINCT oid) = count(*) FROM pg_type").as_deref(), Some("t"));
}

#[test]
fn indexes_of_enums_are_used() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query(
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
         CREATE TABLE t (id int PRIMARY KEY, m mood, n mood, o int);
         CREATE INDEX by_m ON t (m);
         CREATE INDEX partly ON t (o) WHERE n = 'happy'",
    );
    for (condition, index) in [
        ("m = 'ok'", "by_m"),
        ("m > 'sad'", "by_m"),
        ("m IN ('ok', 'happy')", "by_m"),
        ("m BETWEEN 'ok' AND 'happy'", "by_m"),
        ("n = 'happy' AND o > 0", "partly"),
        ("n > 'ok' AND o > 0", "t"),
        ("m::text = 'ok'", "t"),
    ] {
        let plan = client.lines(&format!("EXPLAIN SELECT * FROM t WHERE {condition}")).join("\n");
        assert!(
            plan.contains(&format!(" {index} ")) || plan.contains(&format!("on {index}")),
            "{condition}: {plan}"
        );
    }
}

#[test]
fn a_type_does_not_fall_under_a_table_that_is_being_made() {
    let cluster = Cluster::new();
    let (mut maker, mut dropper) = (cluster.connect(), cluster.connect());
    maker.query("CREATE TYPE mood AS ENUM ('sad', 'ok')");
    maker.query("BEGIN; CREATE TABLE t (m mood); INSERT INTO t VALUES ('ok')");
    let mut drop = dropper.start("DROP TYPE mood");
    assert!(matches!(dropper.go_on(&mut drop), Progress::Waits), "the table's maker holds the type");
    maker.query("COMMIT");
    match dropper.go_on(&mut drop) {
        Progress::Done(Err(error)) => {
            assert_eq!(error.message(), "cannot drop type mood because other objects depend on it");
        }
        _ => panic!("the table is there now"),
    }
    assert_eq!(maker.lines("SELECT * FROM t"), ["ok"]);

    // And the other way around.
    let mut dropper = cluster.connect();
    dropper.query("BEGIN; DROP TYPE mood CASCADE");
    let mut make = maker.start("CREATE TABLE u (m mood)");
    assert!(matches!(maker.go_on(&mut make), Progress::Waits), "the type is being dropped");
    dropper.query("COMMIT");
    match maker.go_on(&mut make) {
        Progress::Done(Err(error)) => assert_eq!(error.sqlstate().as_str(), "42704"),
        _ => panic!("the type is gone"),
    }
}

#[test]
fn values_are_read_and_written_in_binary() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood, a mood[])");
    client.query("INSERT INTO t VALUES ('ok', '{ok}')");
    client.session.parse("", "SELECT m, a FROM t WHERE m = $1", &[]).expect("parses");
    client.session.bind("", "", &[1], &[Some(b"ok")], &[1]).expect("binds");
    let answer = client.execute("", 0).expect("runs");
    // One dimension, no NULL, the element's type, one element from 1 on, its length and label.
    let array = "0000000100000000400000000000000100000001000000026f6b";
    assert_eq!(answer.rows, [[Some("6f6b".to_owned()), Some(array.to_owned())]]);
    client.sync();
    client.session.parse("", "SELECT $1::mood", &[]).expect("parses");
    let error = client.session.bind("", "", &[1], &[Some(b"nope")], &[]).expect_err("no such value");
    assert_eq!(error.to_string(), "ERROR 22P02: invalid input value for enum mood: \"nope\"");
}

#[test]
fn a_row_that_was_waited_for_may_hold_a_value_that_has_come_since() {
    let cluster = Cluster::new();
    let (mut first, mut second, mut third) = (cluster.connect(), cluster.connect(), cluster.connect());
    first.query("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, m mood, n int)");
    first.query("INSERT INTO t VALUES (1, 'sad', 0)");
    first.query("BEGIN; UPDATE t SET n = 1");
    let mut update = second.start("UPDATE t SET n = n + 1 RETURNING *");
    assert!(matches!(second.go_on(&mut update), Progress::Waits));
    third.query("ALTER TYPE mood ADD VALUE 'new'");
    first.query("UPDATE t SET m = 'new'");
    first.query("COMMIT");
    match second.go_on(&mut update) {
        Progress::Done(Ok(answers)) => assert_eq!(answers[0].lines(), ["1|new|2"]),
        _ => panic!("the row is free"),
    }
}

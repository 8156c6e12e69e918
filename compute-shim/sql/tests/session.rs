//! Sessions: transaction blocks, Query messages of several statements, prepared statements and portals.

mod harness;

use harness::{Client, Cluster, Progress};
use hexalog_sql::{CancelReason, CommandTag, Completion};
use hexalog_sql_types::{SqlError, SqlState, TypeId};

const ABORTED: &str = "25P02 current transaction is aborted, commands ignored until end of transaction block";

/// One message, so nothing has waited for the first commit when the second transaction begins.
#[test]
fn a_transaction_sees_what_the_one_before_it_in_a_message_has_committed() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY)");
    for (level, expected) in [("READ COMMITTED", "1"), ("REPEATABLE READ", "2"), ("SERIALIZABLE", "3")] {
        let message = format!(
            "BEGIN; INSERT INTO t SELECT count(*) FROM t; COMMIT; \
             BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM t; COMMIT"
        );
        let answers = client.try_query(&message).expect("runs");
        assert_eq!(answers[4].lines(), [expected], "{level}");
    }
}

#[test]
fn blocks_begin_and_end_as_in_postgresql() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY)");
    assert_eq!(client.tag("BEGIN"), "BEGIN");
    assert_eq!(client.tag("START TRANSACTION"), "START TRANSACTION");
    assert_eq!(client.take_notices(), ["WARNING 25001: there is already a transaction in progress"]);
    client.query("INSERT INTO t VALUES (1)");
    assert_eq!(client.status(), 'T');
    assert_eq!(client.error("SELECT 1/0"), "22012 division by zero");
    assert_eq!(client.status(), 'E');
    assert_eq!(client.error("SELECT 1"), ABORTED);
    assert_eq!(client.error("BEGIN"), ABORTED);
    assert!(client.error("SELEC 1").starts_with("42601"), "syntax comes first");
    assert_eq!(client.tag("COMMIT"), "ROLLBACK");
    assert_eq!(client.status(), 'I');
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["0"]);
    assert_eq!(client.tag("COMMIT"), "COMMIT");
    assert_eq!(client.tag("END"), "COMMIT");
    assert_eq!(client.tag("ABORT"), "ROLLBACK");
    let warning = "WARNING 25P01: there is no transaction in progress";
    assert_eq!(client.take_notices(), [warning, warning, warning]);
    client.query("BEGIN; INSERT INTO t VALUES (2)");
    client.query("ROLLBACK");
    client.query("BEGIN; INSERT INTO t VALUES (3); COMMIT");
    assert_eq!(client.lines("SELECT a FROM t"), ["3"]);
}

#[test]
fn statements_of_one_text_share_a_transaction() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY)");
    assert_eq!(client.error("INSERT INTO t VALUES (1); SELECT 1/0"), "22012 division by zero");
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["0"]);
    // A syntax error anywhere: nothing runs.
    assert!(client.error("INSERT INTO t VALUES (1); SELEC").starts_with("42601"));
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["0"]);
    // COMMIT in the middle keeps what came before it.
    assert_eq!(
        client.error("INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); SELECT 1/0"),
        "22012 division by zero"
    );
    assert_eq!(client.take_notices(), ["WARNING 25P01: there is no transaction in progress"]);
    assert_eq!(client.lines("SELECT a FROM t"), ["1"]);
    // BEGIN in the middle takes what came before into its block.
    client.query("INSERT INTO t VALUES (3); BEGIN; INSERT INTO t VALUES (4)");
    assert_eq!(client.status(), 'T');
    client.query("ROLLBACK");
    assert_eq!(client.lines("SELECT a FROM t"), ["1"]);
    let answers =
        client.try_query("SELECT 1; ; INSERT INTO t VALUES (5); SELECT a FROM t ORDER BY 1").expect("runs");
    let tags: Vec<&str> = answers.iter().map(|answer| answer.tag.as_str()).collect();
    assert_eq!(tags, ["SELECT 1", "INSERT 0 1", "SELECT 2"]);
    assert_eq!(client.try_query(" ;; ").expect("runs")[0].tag, "");
    assert_eq!(client.error("SELECT 1; VACUUM"), "25001 VACUUM cannot run inside a transaction block");
    assert_eq!(client.tag("VACUUM t"), "VACUUM");
    assert_eq!(client.tag("ANALYZE"), "ANALYZE");
    assert_eq!(client.error("VACUUM nosuch"), "42P01 relation \"nosuch\" does not exist");
}

#[test]
fn transaction_modes() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY)");
    for (text, words) in [
        ("INSERT INTO t VALUES (1)", "INSERT"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("CREATE TABLE u (a int)", "CREATE TABLE"),
        ("DROP TABLE t", "DROP TABLE"),
        ("TRUNCATE t", "TRUNCATE TABLE"),
        ("CREATE INDEX ON t (a)", "CREATE INDEX"),
        ("COPY t FROM STDIN", "COPY FROM"),
    ] {
        let expected = format!("25006 cannot execute {words} in a read-only transaction");
        assert_eq!(client.error(&format!("BEGIN READ ONLY; {text}")), expected);
        assert_eq!(client.tag("ROLLBACK"), "ROLLBACK");
    }
    assert_eq!(
        client.value("BEGIN ISOLATION LEVEL REPEATABLE READ; SHOW transaction_isolation").as_deref(),
        Some("repeatable read")
    );
    client.query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT * FROM t");
    let late = "25001 SET TRANSACTION ISOLATION LEVEL must be called before any query";
    assert_eq!(client.error("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"), late);
    client.query("ROLLBACK; BEGIN; SET TRANSACTION READ ONLY; SELECT * FROM t");
    assert_eq!(client.value("SHOW transaction_read_only").as_deref(), Some("on"));
    assert_eq!(
        client.error("SET TRANSACTION READ WRITE"),
        "25001 transaction read-write mode must be set before any query"
    );
    client.query("ROLLBACK; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
    assert_eq!(
        client.error("INSERT INTO t VALUES (1)"),
        "25006 cannot execute INSERT in a read-only transaction"
    );
    client.query("SET default_transaction_read_only = off");
    client.query("INSERT INTO t VALUES (1)");
    client.take_notices();
    client.query("SET TRANSACTION READ ONLY");
    assert_eq!(
        client.take_notices(),
        ["WARNING 25P01: SET TRANSACTION can only be used in transaction blocks"]
    );
    assert_eq!(client.tag("PREPARE TRANSACTION 'x'"), "ROLLBACK");
    assert_eq!(client.take_notices(), ["WARNING 25P01: there is no transaction in progress"]);
    assert_eq!(client.error("LOCK TABLE t"), "25P01 LOCK TABLE can only be used in transaction blocks");
}

#[test]
fn prepared_statements_of_sql() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
    assert_eq!(client.tag("PREPARE p (int) AS SELECT b FROM t WHERE a = $1"), "PREPARE");
    assert_eq!(client.lines("EXECUTE p (1 + 1)"), ["y"]);
    assert_eq!(client.error("PREPARE p AS SELECT 1"), "42P05 prepared statement \"p\" already exists");
    let error = client.sql_error("EXECUTE p");
    assert_eq!(error.fields().message, "wrong number of parameters for prepared statement \"p\"");
    assert_eq!(error.fields().detail.as_deref(), Some("Expected 1 parameters but got 0."));
    assert_eq!(client.error("EXECUTE q"), "26000 prepared statement \"q\" does not exist");
    client.query("PREPARE i AS INSERT INTO t VALUES ($1, $2)");
    assert_eq!(client.tag("EXECUTE i (3, 'z')"), "INSERT 0 1");
    assert_eq!(client.lines("EXECUTE p ('3')"), ["z"]);
    assert_eq!(client.tag("DEALLOCATE p"), "DEALLOCATE");
    assert_eq!(client.error("DEALLOCATE p"), "26000 prepared statement \"p\" does not exist");
    client.query("PREPARE s AS SELECT * FROM t");
    client.query("ALTER TABLE t ADD COLUMN c int");
    assert_eq!(client.error("EXECUTE s"), "0A000 cached plan must not change result type");
    assert_eq!(client.tag("DEALLOCATE ALL"), "DEALLOCATE ALL");
    assert_eq!(client.error("EXECUTE s"), "26000 prepared statement \"s\" does not exist");
    assert_eq!(client.query("EXPLAIN SELECT 1").names, ["QUERY PLAN"]);
}

#[test]
fn extended_protocol() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY, b text)");
    let insert = client.extended("INSERT INTO t VALUES ($1, $2)", &[Some("1"), Some("x")]).expect("inserts");
    assert_eq!(insert.tag, "INSERT 0 1");
    let answer = client.extended("SELECT a, b FROM t WHERE a = $1", &[Some("1")]).expect("selects");
    assert_eq!((answer.lines(), answer.tag.as_str()), (vec!["1|x".to_owned()], "SELECT 1"));
    assert_eq!(answer.types, [TypeId::INT4, TypeId::TEXT]);
    let update = client.extended("UPDATE t SET b = $2 WHERE a = $1", &[Some("1"), None]).expect("updates");
    assert_eq!(update.tag, "UPDATE 1");
    assert_eq!(client.lines("SELECT * FROM t"), ["1|∅"]);
    assert_eq!(client.extended("", &[]).expect("empty").tag, "");
    assert_eq!(client.extended("SHOW work_mem", &[]).expect("shows").lines(), ["4MB"]);
    for (text, parameters, expected) in [
        (
            "SELECT 1; SELECT 2",
            &[][..],
            "ERROR 42601: cannot insert multiple commands into a prepared statement",
        ),
        (
            "SELECT $1::int",
            &[],
            "ERROR 08P01: bind message supplies 0 parameters, but prepared statement \"\" requires 1",
        ),
        ("SELECT $1::int", &[Some("x")], "ERROR 22P02: invalid input syntax for type integer: \"x\""),
        ("SELECT * FROM nosuch", &[], "ERROR 42P01: relation \"nosuch\" does not exist"),
        (
            "INSERT INTO t VALUES (1, '')",
            &[],
            "ERROR 23505: duplicate key value violates unique constraint \"t_pkey\"",
        ),
    ] {
        assert_eq!(client.extended(text, parameters).expect_err(text).to_string(), expected);
        assert_eq!(client.status(), 'I');
    }
}

#[test]
fn names_of_statements_and_portals() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    let session = &mut client.session;
    session.parse("s", "SELECT $1 + 1, $2::text", &[TypeId::INT8]).expect("parses");
    let described = session.describe_statement("s").expect("describes");
    assert_eq!(described.parameters, [TypeId::INT8, TypeId::TEXT]);
    assert_eq!(described.columns.expect("columns").len(), 2);
    let error = session.parse("s", "SELECT 1", &[]).expect_err("taken");
    assert_eq!(error.to_string(), "ERROR 42P05: prepared statement \"s\" already exists");
    let error = session.bind("", "r", &[], &[], &[]).expect_err("unknown");
    assert_eq!(error.to_string(), "ERROR 26000: prepared statement \"r\" does not exist");
    let error = session.describe_statement("").expect_err("unknown");
    assert_eq!(error.to_string(), "ERROR 26000: unnamed prepared statement does not exist");
    let error = session.describe_portal("x").expect_err("unknown");
    assert_eq!(error.to_string(), "ERROR 34000: portal \"x\" does not exist");
    let eight = 41_i64.to_be_bytes();
    session.bind("p", "s", &[1, 0], &[Some(&eight), Some(b"text")], &[1]).expect("binds");
    let error = session.bind("p", "s", &[1, 0], &[Some(&eight), None], &[]).expect_err("taken");
    assert_eq!(error.to_string(), "ERROR 42P03: cursor \"p\" already exists");
    let error = session.bind("q", "s", &[1], &[Some(&[0, 1]), None], &[]).expect_err("short");
    assert_eq!(error.fields().sqlstate.as_str(), "08P01");
    let error = session.bind("q", "s", &[], &[Some(b"1"), None], &[0, 0, 0]).expect_err("three formats");
    assert_eq!(error.to_string(), "ERROR 08P01: bind message has 3 result formats but query has 2 columns");
    let columns = session.describe_portal("p").expect("describes").expect("columns");
    assert_eq!((columns.format(0), columns.columns[0].type_id), (1, TypeId::INT8));
    assert_eq!(client.execute("p", 0).expect("runs").lines(), ["000000000000002a|74657874"]);
    client.sync();
    assert!(client.execute("p", 0).is_err(), "portals end with their transaction");
    client.session.close_statement("s");
    client.session.close_statement("s");
    assert!(client.session.describe_statement("s").is_err());
}

/// A portal that another statement interrupts keeps the rest of its rows in memory: a large one took the whole server down.
#[test]
fn a_portal_keeps_no_more_than_a_statement_may() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("BEGIN");
    let text = "SELECT repeat('x', 8 << 20) FROM generate_series(1, 1000000)";
    client.session.parse("s", text, &[]).expect("parses");
    client.session.bind("p", "s", &[], &[], &[]).expect("binds");
    assert_eq!(client.execute("p", 1).expect("runs").tag, "suspended");
    assert_eq!(client.extended("SELECT 1", &[]).expect("is not disturbed").lines(), ["1"]);
    for _ in 0..31 {
        assert_eq!(client.execute("p", 1).expect("runs").tag, "suspended");
    }
    let error = client.execute("p", 1).expect_err("no more was kept");
    assert_eq!(error.to_string(), "ERROR 53200: out of memory");
    client.fail(&error);
    client.query("ROLLBACK");
}

#[test]
fn portals_are_suspended_and_keep_their_snapshot() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5)");
    client.query("BEGIN");
    client.session.parse("s", "SELECT a FROM t ORDER BY a", &[]).expect("parses");
    client.session.bind("p", "s", &[], &[], &[]).expect("binds");
    let first = client.execute("p", 2).expect("runs");
    assert_eq!((first.lines().join(" "), first.tag.as_str()), ("1 2".to_owned(), "suspended"));
    client.sync();
    // What other statements do meanwhile is not seen by the portal.
    assert_eq!(client.extended("DELETE FROM t WHERE a > 3", &[]).expect("deletes").tag, "DELETE 2");
    client.query("INSERT INTO t VALUES (9)");
    let second = client.execute("p", 2).expect("runs");
    assert_eq!((second.lines().join(" "), second.tag.as_str()), ("3 4".to_owned(), "suspended"));
    let rest = client.execute("p", 2).expect("runs");
    assert_eq!((rest.lines().join(" "), rest.tag.as_str()), ("5".to_owned(), "SELECT 1"));
    assert_eq!(client.execute("p", 2).expect("runs").tag, "SELECT 0");
    client.query("COMMIT");
    assert!(client.execute("p", 0).is_err());
    client.fail(&hexalog_sql_types::SqlError::internal("as the server does"));
    assert_eq!(client.lines("SELECT a FROM t ORDER BY a"), ["1", "2", "3", "9"]);
    // COMMIT and the like leave what is suspended alone; a change runs once.
    client.query("BEGIN");
    client.session.bind("p", "s", &[], &[], &[]).expect("binds");
    assert_eq!(client.execute("p", 1).expect("runs").tag, "suspended");
    client.query("SHOW work_mem");
    assert_eq!(client.execute("p", 1).expect("runs").lines(), ["2"]);
    client.session.parse("", "UPDATE t SET a = a", &[]).expect("parses");
    client.session.bind("u", "", &[], &[], &[]).expect("binds");
    assert_eq!(client.execute("u", 0).expect("runs").tag, "UPDATE 4");
    let error = client.execute("u", 0).expect_err("runs once");
    assert_eq!(error.to_string(), "ERROR 55000: portal \"u\" cannot be run");
    client.fail(&error);
    client.query("ROLLBACK");
    // A change with RETURNING runs to its end, however few rows are asked for.
    client.session.parse("", "DELETE FROM t RETURNING a", &[]).expect("parses");
    client.session.bind("", "", &[], &[], &[]).expect("binds");
    assert_eq!(client.execute("", 1).expect("runs").tag, "suspended");
    client.sync();
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["0"]);
}

#[test]
fn a_failed_block_refuses_messages_but_its_end() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.session.parse("c", "COMMIT", &[]).expect("parses");
    client.session.parse("s", "SELECT 1", &[]).expect("parses");
    client.query("BEGIN");
    client.error("SELECT 1/0");
    let refused = |result: Result<(), hexalog_sql_types::SqlError>| {
        assert_eq!(result.expect_err("refused").fields().sqlstate.as_str(), "25P02");
    };
    refused(client.session.parse("", "SELECT 1", &[]));
    refused(client.session.bind("", "s", &[], &[], &[]));
    client.session.bind("", "c", &[], &[], &[]).expect("binds");
    assert_eq!(client.execute("", 0).expect("runs").tag, "ROLLBACK");
    client.sync();
    assert_eq!(client.status(), 'I');
}

#[test]
fn plans_follow_what_they_rest_on() {
    let cluster = Cluster::new();
    let (mut client, mut other) = (cluster.connect(), cluster.connect());
    client.query("CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 2)");
    client.query(
        "CREATE SCHEMA s; CREATE TABLE s.t (a int PRIMARY KEY, b text); INSERT INTO s.t VALUES (1, 'two')",
    );
    // The same texts again and again: kept by text, made anew when names come to mean something else.
    for round in 0..4 {
        for (path, expected) in [("public", "2"), ("s", "two")] {
            client.query(&format!("SET search_path = {path}"));
            assert_eq!(client.lines("SELECT b FROM t WHERE a = 1"), [expected], "round {round}");
            let found = client.extended("SELECT b FROM t WHERE a = $1", &[Some("1")]).expect("runs");
            assert_eq!(found.lines(), [expected], "round {round}");
        }
    }
    client.query("SET search_path = public; PREPARE p AS SELECT b FROM t WHERE b = 2");
    assert_eq!(client.lines("EXECUTE p"), ["2"]);
    other.query("CREATE INDEX t_b ON t (b)");
    assert_eq!(client.lines("EXECUTE p"), ["2"]);
    other.query("ALTER TABLE t RENAME TO gone");
    assert_eq!(client.error("EXECUTE p"), "42P01 relation \"t\" does not exist");
    other.query("ALTER TABLE gone RENAME TO t; UPDATE t SET b = 3");
    assert_eq!(client.lines("EXECUTE p"), Vec::<String>::new());
    let plan = "EXPLAIN SELECT b FROM t WHERE a = 1";
    assert_eq!(client.lines(plan)[0], "Index Scan using t_pkey on t");
    client.query("SET hexalog.direct_routes = off");
    assert_eq!(client.lines(plan)[0], "Seq Scan on t");
    client.query("RESET hexalog.direct_routes");
    assert_eq!(client.lines(plan)[0], "Index Scan using t_pkey on t");
}

/// Sessions that prepare the same text share its plan where it would be the same, and only there.
#[test]
fn a_plan_is_shared_by_sessions_that_mean_the_same() {
    let cluster = Cluster::new();
    let (mut first, mut second) = (cluster.connect(), cluster.connect());
    first.query("CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'public')");
    first.query(
        "CREATE SCHEMA s; CREATE TABLE s.t (a int PRIMARY KEY, b text); INSERT INTO s.t VALUES (1, 's')",
    );
    let text = "SELECT b FROM t WHERE a = $1";
    let plans =
        "SELECT plans FROM pg_stat_statements WHERE query = 'SELECT b FROM t WHERE a = $1' ORDER BY plans";
    for client in [&mut first, &mut second] {
        client.query("SET pg_stat_statements.track_planning = on");
        client.session.parse("p", text, &[]).expect("parses");
        assert_eq!(execute_prepared(client), ["public"]);
    }
    assert_eq!(first.lines(plans), ["1"], "the second session has found the plan of the first");
    // Names that mean something else have plans of their own, on either side.
    second.query("SET search_path = s");
    assert_eq!(execute_prepared(&mut second), ["s"]);
    assert_eq!(execute_prepared(&mut first), ["public"]);
    second.query("SET search_path = public; CREATE TEMPORARY TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'own')");
    assert_eq!(execute_prepared(&mut second), ["own"]);
    assert_eq!(execute_prepared(&mut first), ["public"]);
    let mut third = cluster.connect();
    third.session.parse("p", text, &[]).expect("parses");
    assert_eq!(execute_prepared(&mut third), ["public"]);
    let mut elsewhere = cluster.connect_with(&[("search_path", "s")]).expect("connects");
    elsewhere.session.parse("p", text, &[]).expect("parses");
    assert_eq!(execute_prepared(&mut elsewhere), ["s"]);
    // A definition that is not committed is its session's alone.
    first.query("BEGIN; ALTER TABLE t RENAME TO gone; CREATE TABLE t AS SELECT 1 AS a, 's'::text AS b");
    assert_eq!(execute_prepared(&mut first), ["s"]);
    first.query("ROLLBACK");
    let mut fourth = cluster.connect();
    fourth.session.parse("p", text, &[]).expect("parses");
    assert_eq!(execute_prepared(&mut fourth), ["public"]);
    // Types that are declared, and what a literal means to whoever writes it, are part of the meaning.
    first.session.parse("q", "SELECT $1 || b FROM t", &[TypeId::TEXT]).expect("parses");
    assert!(second.session.parse("q", "SELECT $1 || b FROM t", &[TypeId::INT4_ARRAY]).is_err());
    let zone = "SELECT '2026-07-01 12:00'::timestamptz::text";
    second.query("SET TimeZone = 'Europe/Berlin'");
    let seen = [&mut first, &mut second].map(|client| client.extended(zone, &[]).expect("runs").lines());
    assert_eq!(seen, [["2026-07-01 12:00:00+00"], ["2026-07-01 12:00:00+02"]]);
}

/// What a session is, and how it shows values, is no part of a plan that others have made.
#[test]
fn a_shared_plan_says_nothing_of_who_made_it() {
    let cluster = Cluster::new();
    let (mut first, mut second) = (cluster.connect(), cluster.connect());
    second.query("SET work_mem = 65; SET application_name = other; SET IntervalStyle = iso_8601");
    for (text, parameter, expected) in [
        ("SELECT current_setting($1)", "work_mem", ["4MB", "65kB"]),
        ("SELECT current_setting($1)", "application_name", ["", "other"]),
        ("SELECT $1::interval::text", "1 day", ["1 day", "P1D"]),
    ] {
        let seen = [&mut first, &mut second]
            .map(|client| client.extended(text, &[Some(parameter)]).expect("runs").lines());
        assert_eq!(seen, expected.map(|line| [line]), "{text}");
    }
    let seen = [&mut first, &mut second]
        .map(|client| client.extended("SELECT pg_backend_pid()", &[]).expect("runs").lines());
    assert_ne!(seen[0], seen[1]);
}

/// Runs statement `p` for key 1.
fn execute_prepared(client: &mut Client<'_>) -> Vec<String> {
    client.session.bind("", "p", &[], &[Some(b"1")], &[]).expect("binds");
    let lines = client.execute("", 0).expect("runs").lines();
    client.sync();
    lines
}

#[test]
fn time_stands_still_in_a_transaction() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("BEGIN");
    let first = client.value("SELECT now()");
    assert_eq!(client.value("SELECT now()"), first);
    assert_eq!(client.value("SELECT now() < statement_timestamp()").as_deref(), Some("t"));
    client.query("COMMIT");
    assert_ne!(client.value("SELECT now()"), first);
    assert_eq!(client.value("SELECT now() = statement_timestamp()").as_deref(), Some("t"));
}

#[test]
fn rows_are_paused_and_work_is_cancelled() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.pause_after_rows(true);
    assert_eq!(client.query("SELECT * FROM generate_series(1, 5)").rows.len(), 5);
    client.pause_after_rows(false);
    cluster.world.is_cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = client.error("SELECT count(*) FROM generate_series(1, 10000)");
    assert_eq!(error, "57014 canceling statement due to user request");
}

/// Executes a portal with a row limit.
fn fetch(client: &mut harness::Client<'_>, portal: &str, limit: u32) -> Result<Completion, SqlError> {
    let cluster = client.cluster;
    cluster.run(|| client.session.execute(portal, limit, &mut harness::Silent))
}

#[test]
fn portals_live_as_long_as_the_savepoint_that_they_were_opened_after() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)");
    client.query("BEGIN");
    let open = |client: &mut harness::Client<'_>, name: &str, text: &str| {
        client.session.parse("", text, &[]).expect("parses");
        client.session.bind(name, "", &[], &[], &[]).expect("binds");
        assert_eq!(fetch(client, name, 2), Ok(Completion::Suspended));
    };
    open(&mut client, "before", "SELECT * FROM t");
    open(&mut client, "breaks", "SELECT 10 / (3 - a) FROM t");
    client.query("SAVEPOINT s");
    client.query("DELETE FROM t");
    open(&mut client, "since", "SELECT generate_series(1, 10)");
    assert_eq!(
        fetch(&mut client, "before", 2),
        Ok(Completion::Suspended),
        "with the snapshot that it was opened at"
    );
    let error = fetch(&mut client, "breaks", 1).expect_err("divides by zero");
    assert_eq!(error.sqlstate(), SqlState::DIVISION_BY_ZERO);
    cluster.run(|| client.session.fail(&error)).expect("rolls back");
    assert_eq!(client.status(), 'E');
    let error = fetch(&mut client, "before", 1).expect_err("the block has failed");
    assert_eq!(error.sqlstate(), SqlState::IN_FAILED_SQL_TRANSACTION);
    cluster.run(|| client.session.fail(&error)).expect("rolls back");
    client.query("ROLLBACK TO s");
    assert_eq!(client.status(), 'T');
    assert_eq!(fetch(&mut client, "before", 0), Ok(Completion::Tag(CommandTag::counted("SELECT", 6))));
    for (portal, expected) in [
        ("since", "ERROR 34000: portal \"since\" does not exist"),
        ("breaks", "ERROR 55000: portal \"breaks\" cannot be run"),
    ] {
        let error = fetch(&mut client, portal, 1).expect_err("cannot be run");
        assert_eq!(error.to_string(), expected);
        cluster.run(|| client.session.fail(&error)).expect("rolls back");
        client.query("ROLLBACK TO s");
    }
    client.query("COMMIT");
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["10"]);
}

#[test]
fn a_rollback_to_a_savepoint_that_was_given_up_can_be_asked_for_again() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client
        .query("CREATE TABLE t (a int PRIMARY KEY, b int); BEGIN; INSERT INTO t VALUES (0, 0); SAVEPOINT s");
    client.query("INSERT INTO t SELECT a, 0 FROM generate_series(1, 1000) a");
    client.session.query_start("ROLLBACK TO s").expect("parses");
    assert!(client.session.query_step(&mut harness::Silent).is_err(), "not through in one step");
    let error = CancelReason::Request.error();
    cluster.run(|| client.session.fail(&error)).expect("rolls back");
    assert_eq!(client.status(), 'E');
    client.query("ROLLBACK TO s");
    assert_eq!(client.status(), 'T');
    client.query("COMMIT");
    assert_eq!(client.lines("SELECT * FROM t"), ["0|0"]);
}

#[test]
fn a_recursion_without_end_is_stopped() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    // Half a megabyte a row, shared in memory but counted each time.
    let recursion = "WITH RECURSIVE t (s) AS (SELECT repeat('x', 500000) UNION ALL SELECT s FROM t) ";
    let text = format!("{recursion} SELECT count(*) FROM t");
    assert_eq!(client.error(&text), "53200 out of memory");
    let text = format!("{recursion} SELECT length(s) FROM t LIMIT 2");
    assert_eq!(client.lines(&text), ["500000", "500000"], "what is not asked for is not computed");
}

/// A FETCH of itself was described as what it fetches from is described, without end: the stack overflowed.
#[test]
fn a_portal_that_fetches_from_itself_is_refused() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    for (name, cursor) in [("a", "b"), ("b", "a"), ("c", "c")] {
        client.session.parse(name, &format!("FETCH {cursor}"), &[]).expect("parses");
        client.session.bind(name, name, &[], &[], &[]).expect("binds");
    }
    for portal in ["a", "b", "c"] {
        assert!(client.session.describe_portal(portal).expect("is there").is_none(), "{portal}");
    }
    let error = client.execute("c", 0).expect_err("it runs");
    assert_eq!(error.message(), "cursor \"c\" does not exist");
}

/// Statements that Parse has prepared have names that EXECUTE can say, whatever they are.
#[test]
fn execute_takes_queries_and_changes_alone() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    for text in ["", "BEGIN", "EXECUTE s", "CREATE TABLE t (a int)", "EXPLAIN SELECT 1", "COPY t TO STDOUT"] {
        client.session.parse("s", text, &[]).expect("parses");
        let message = "0A000 EXECUTE of a statement that is no query and changes no rows is not supported";
        assert_eq!(client.error("EXECUTE s"), message, "{text}");
        client.session.close_statement("s");
    }
    client.session.parse("s", "SELECT $1 + 1", &[]).expect("parses");
    assert_eq!(client.lines("EXECUTE s (1)"), ["2"]);
}

/// What was bound and not run stayed beyond Sync and beyond an error, in the way of the next Bind of its name.
#[test]
fn portals_that_were_not_run_end_with_their_transaction() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.session.parse("s", "SELECT 1", &[]).expect("parses");
    client.session.bind("p", "s", &[], &[], &[]).expect("binds");
    client.sync();
    client.session.bind("p", "s", &[], &[], &[]).expect("binds again");
    let error = client.session.parse("", "SELEC", &[]).expect_err("no statement");
    client.cluster.run(|| client.session.fail(&error)).expect("fails");
    let error = client.execute("p", 0).expect_err("it is gone");
    assert_eq!(error.message(), "portal \"p\" does not exist");
    client.query("BEGIN");
    client.session.bind("p", "s", &[], &[], &[]).expect("binds");
    client.sync();
    assert_eq!(client.execute("p", 0).expect("in a block it stays").lines(), ["1"]);
}

/// A series was made whole before its first row was given: one of many rows took all memory there is. PostgreSQL makes it
/// whole as well where it stands in FROM, on disk.
#[test]
fn a_series_is_made_as_it_is_asked_for() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    for (call, rows) in [
        ("1, 9223372036854775807", ["1", "2"]),
        ("1, 1e100", ["1", "2"]),
        ("timestamp '2000-01-01', 'infinity', '1 day'", ["2000-01-01 00:00:00", "2000-01-02 00:00:00"]),
        (
            "timestamptz '2000-01-01 00:00+00', 'infinity', '1 us'",
            ["2000-01-01 00:00:00+00", "2000-01-01 00:00:00.000001+00"],
        ),
    ] {
        assert_eq!(client.lines(&format!("SELECT n FROM generate_series({call}) n LIMIT 2")), rows, "{call}");
        assert_eq!(client.lines(&format!("SELECT generate_series({call}) LIMIT 2")), rows, "{call}");
    }
    let mut running = client.start("SELECT count(*) FROM generate_series(1, 9223372036854775807)");
    cluster.world.is_cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let Progress::Done(Err(error)) = client.go_on(&mut running) else { panic!("it has no end") };
    assert_eq!(error.sqlstate(), SqlState::QUERY_CANCELED);
}

/// Hash tables and the like had no bound: one statement could take all memory there is, and the system killed the
/// process with every session in it. The rows share one long value, so that the test needs little.
#[test]
fn rows_that_are_worked_on_are_bounded() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    let rows = "(SELECT repeat('x', 67108864) AS x OFFSET 0) long, generate_series(1, 20) n";
    for text in [
        // All of one value, so that it is not parted.
        format!(
            "SELECT count(x) FROM (SELECT 1 AS n) one JOIN (SELECT x, 1 AS n FROM {rows}) many USING (n)"
        ),
        format!("SELECT cardinality(array_agg(x ORDER BY n)) FROM {rows}"),
        format!("SELECT cardinality(array_agg(x)) FROM {rows}"),
        format!("WITH kept AS MATERIALIZED (SELECT x, n FROM {rows}) SELECT count(x) FROM kept"),
        format!("SELECT 'y' = ANY (SELECT x FROM {rows})"),
    ] {
        assert_eq!(client.error(&text), "53200 out of memory", "{text}");
    }
    // What is sorted or joined goes to disk, of which there is less here.
    for text in [
        format!("SELECT count(x) FROM (SELECT 1 AS n) one JOIN (SELECT x, n FROM {rows}) many USING (n)"),
        format!("SELECT length(x) FROM (SELECT x, n FROM {rows} ORDER BY n DESC) sorted"),
        format!("SELECT length(x), sum(n) OVER (ORDER BY n) FROM {rows}"),
    ] {
        let full = "53100 could not write to temporary file: No space left on device";
        assert_eq!(client.error(&text), full, "{text}");
    }
    assert_eq!(client.lines(&format!("SELECT sum(length(x)) FROM {rows}")), ["1342177280"]);
}

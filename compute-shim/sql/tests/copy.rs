//! COPY FROM STDIN and TO STDOUT in text format, with PostgreSQL 15's errors and contexts.

mod harness;

use harness::{Client, Cluster};

fn create(client: &mut Client<'_>) {
    client.query(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (a int NOT NULL, b text, c varchar(3) DEFAULT 'x', \
         d int CHECK (d > 0), PRIMARY KEY (a))",
    );
}

/// The error of a COPY with detail and context.
fn failure(client: &mut Client<'_>, text: &str, data: &[u8]) -> String {
    create(client);
    client.copy_from(&[data]);
    let error = client.sql_error(text);
    let fields = error.fields();
    let detail = fields.detail.as_ref().map_or_else(String::new, |detail| format!("\nDETAIL {detail}"));
    let hint = fields.hint.as_ref().map_or_else(String::new, |hint| format!("\nHINT {hint}"));
    let context = fields.context.as_ref().map_or_else(String::new, |context| format!("\n{context}"));
    format!("{} {}{detail}{hint}{context}", fields.sqlstate, fields.message)
}

#[test]
fn errors_are_those_of_postgresql() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    let long = format!("1{}", "z".repeat(150));
    let cut = &long[..100];
    for (data, expected) in [
        ("x\tx\ty\t1\n", "22P02 invalid input syntax for type integer: \"x\"\nCOPY t, line 1, column a: \"x\"".to_owned()),
        ("1\tx\n", "22P04 missing data for column \"c\"\nCOPY t, line 1: \"1\tx\"".to_owned()),
        (
            "1\tx\ty\t1\t5\n",
            "22P04 extra data after last expected column\nCOPY t, line 1: \"1\tx\ty\t1\t5\"".to_owned(),
        ),
        (
            "\\N\tx\ty\t1\n",
            "23502 null value in column \"a\" of relation \"t\" violates not-null constraint\nDETAIL Failing row contains (null, x, y, 1).\nCOPY t, line 1: \"\\N\tx\ty\t1\"".to_owned(),
        ),
        (
            "1\tx\tlong\t1\n",
            "22001 value too long for type character varying(3)\nCOPY t, line 1, column c: \"long\"".to_owned(),
        ),
        (
            "1\tx\ty\t0\n",
            "23514 new row for relation \"t\" violates check constraint \"t_d_check\"\nDETAIL Failing row contains (1, x, y, 0).\nCOPY t, line 1: \"1\tx\ty\t0\"".to_owned(),
        ),
        (
            "1\tx\ty\t1\n1\tx\ty\t1\n",
            "23505 duplicate key value violates unique constraint \"t_pkey\"\nDETAIL Key (a)=(1) already exists.\nCOPY t, line 2".to_owned(),
        ),
        (
            "1\tx\ty\t1\r\n2\ta\tb\t3\n",
            "22P04 literal newline found in data\nHINT Use \"\\n\" to represent newline.\nCOPY t, line 2".to_owned(),
        ),
        ("\n", "22P02 invalid input syntax for type integer: \"\"\nCOPY t, line 1, column a: \"\"".to_owned()),
        (
            "99999999999\tx\ty\t1\n",
            "22003 value \"99999999999\" is out of range for type integer\nCOPY t, line 1, column a: \"99999999999\"".to_owned(),
        ),
        (
            "1\t\\0\ty\t1\n",
            "22021 invalid byte sequence for encoding \"UTF8\": 0x00\nCOPY t, line 1: \"1\t\\0\ty\t1\"".to_owned(),
        ),
        (
            &format!("{long}\tx\tx\t1\n"),
            format!("22P02 invalid input syntax for type integer: \"{long}\"\nCOPY t, line 1, column a: \"{cut}...\""),
        ),
    ] {
        assert_eq!(failure(&mut client, "COPY t (a, b, c, d) FROM STDIN", data.as_bytes()), expected, "{data:?}");
    }
    assert_eq!(
        failure(&mut client, "COPY t FROM STDIN", b"1\t\xff\ty\t1\n"),
        "22021 invalid byte sequence for encoding \"UTF8\": 0xff\nCOPY t, line 1"
    );
    client.query("CREATE SEQUENCE sq");
    for (text, expected) in [
        ("COPY t (a, a) FROM STDIN", "42701 column \"a\" specified more than once"),
        ("COPY t (zz) FROM STDIN", "42703 column \"zz\" of relation \"t\" does not exist"),
        ("COPY nosuch FROM STDIN", "42P01 relation \"nosuch\" does not exist"),
        ("COPY sq FROM STDIN", "42809 cannot copy to sequence \"sq\""),
        (
            "COPY t FROM STDIN WITH (FREEZE)",
            "55000 cannot perform COPY FREEZE because the table was not created or truncated in the current subtransaction",
        ),
        ("COPY sq TO STDOUT", "42809 cannot copy from sequence \"sq\""),
        ("COPY t (zz) TO STDOUT", "42703 column \"zz\" of relation \"t\" does not exist"),
    ] {
        assert_eq!(failure(&mut client, text, b""), expected, "{text}");
    }
}

#[test]
fn data_comes_in_any_pieces() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    let data = b"1\tx\\qy\\x41\\101\\t\ty\t1\n2\t\\N\t\\N\t\\N\n3\t\xc3\xa9\\\n\t\t7\n\\.\n4\tignored\n";
    for size in 1..=data.len() {
        create(&mut client);
        let pieces: Vec<&[u8]> = data.chunks(size).collect();
        client.copy_from(&pieces);
        assert_eq!(client.tag("COPY t FROM STDIN"), "COPY 3", "by {size}");
        let rows = client.lines("SELECT * FROM t ORDER BY a");
        assert_eq!(rows, ["1|xqyAA\t|y|1", "2|∅|∅|∅", "3|é\n||7"], "by {size}");
    }
}

#[test]
fn options_columns_and_defaults() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    create(&mut client);
    client.copy_from(&[b"h;whatever\n5;n\n6;\n"]);
    assert_eq!(client.tag("COPY t (a, b) FROM STDIN WITH (HEADER, DELIMITER ';', NULL 'n')"), "COPY 2");
    assert_eq!(client.lines("SELECT * FROM t ORDER BY a"), ["5|∅|x|∅", "6||x|∅"]);
    client.query("CREATE TABLE s (id serial PRIMARY KEY, v int, w int GENERATED ALWAYS AS IDENTITY)");
    client.copy_from(&[b"10\n20\n"]);
    assert_eq!(client.tag("COPY s (v) FROM STDIN"), "COPY 2");
    client.copy_from(&[b"7\t30\t9\n"]);
    assert_eq!(client.tag("COPY s FROM STDIN"), "COPY 1");
    assert_eq!(client.lines("SELECT * FROM s ORDER BY id"), ["1|10|1", "2|20|2", "7|30|9"]);
    // As pgbench fills its tables.
    client.query("BEGIN; TRUNCATE t");
    client.copy_from(&[b"1\ta\tb\t1\n"]);
    assert_eq!(client.tag("COPY t FROM STDIN WITH (FREEZE ON)"), "COPY 1");
    client.query("COMMIT");
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["1"]);
}

#[test]
fn a_failed_or_refused_copy_leaves_nothing() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    create(&mut client);
    client.copy_from(&[b"1\ta\tb\t1\n", b"2\ta\tb\t"]);
    assert!(client.error("COPY t FROM STDIN").starts_with("22P02"), "the last line is cut");
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["0"]);
    let mut running = client.start("COPY t FROM STDIN; SELECT 1");
    let _ = client.session.query_step(&mut harness::Silent);
    let _ = &mut running;
    client.cluster.run(|| client.session.copy_data(b"1\ta\tb\t1\n")).expect("takes it");
    let error = client.session.copy_fail("no more");
    assert_eq!(error.to_string(), "ERROR 57014: COPY from stdin failed: no more");
    assert_eq!(error.fields().context.as_deref(), Some("COPY t, line 2"));
    client.fail(&error);
    assert_eq!(client.lines("SELECT count(*) FROM t"), ["0"]);
    assert_eq!(client.status(), 'I');
}

#[test]
fn many_rows_with_indexes_yield_and_end() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE m (a int PRIMARY KEY, b int UNIQUE, c char(8))");
    let mut data = Vec::new();
    for at in 0..5_000 {
        data.extend_from_slice(format!("{at}\t{}\tc{at}\n", 100_000 - at).as_bytes());
    }
    let pieces: Vec<&[u8]> = data.chunks(1_000).collect();
    client.copy_from(&pieces);
    assert_eq!(client.tag("COPY m FROM STDIN"), "COPY 5000");
    assert_eq!(client.lines("SELECT count(*), sum(b), min(c) FROM m"), ["5000|487502500|c0      "]);
    client.copy_from(&[b"9999\t100000\tx\n"]);
    let error = client.sql_error("COPY m FROM STDIN");
    assert_eq!(error.fields().detail.as_deref(), Some("Key (b)=(100000) already exists."));
}

#[test]
fn a_row_that_has_to_wait_is_neither_lost_nor_written_twice() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    client.query("CREATE TABLE s (id serial PRIMARY KEY, v int UNIQUE)");
    // Room for so few records that nearly every row waits for the log, some of them between row and index entry.
    cluster.volume.set_lal(96, 1 << 20);
    let data: Vec<u8> = (0..2_000).flat_map(|at| format!("{at}\n").into_bytes()).collect();
    let mut running = client.start("COPY s (v) FROM STDIN");
    cluster.run(|| client.session.query_step(&mut harness::Silent)).expect("begins");
    let (mut needs, mut rest) = (0, data.as_slice());
    while !rest.is_empty() {
        let piece = &rest[..rest.len().min(777)];
        match client.session.copy_data(piece) {
            Ok(taken) => rest = &rest[taken..],
            Err(hexalog_sql::Stop::Need(need)) => {
                needs += 1;
                assert!(cluster.meet(&need), "{need:?}");
            }
            Err(hexalog_sql::Stop::Error(error)) => panic!("{error:?}"),
        }
    }
    assert!(needs > 20, "{needs} waits");
    cluster.run(|| client.session.copy_done()).expect("ends");
    client.go_on(&mut running);
    let expected = "2000|2000|1999000|1|2000";
    assert_eq!(
        client.lines("SELECT count(*), count(DISTINCT v), sum(v), min(id), max(id) FROM s"),
        [expected]
    );
}

#[test]
fn copy_to_writes_what_copy_from_reads() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    create(&mut client);
    client.query("INSERT INTO t VALUES (1, E'tab\\there\\nand \\\\', 'y', 1), (2, NULL, '', NULL)");
    let all = client.query("COPY t TO STDOUT");
    assert_eq!(all.copied, "1\ttab\\there\\nand \\\\\ty\t1\n2\t\\N\t\t\\N\n");
    assert_eq!(all.tag, "COPY 2");
    let some = client.query("COPY t (c, a) TO STDOUT WITH (HEADER, DELIMITER ',', NULL 'nil')");
    assert_eq!(some.copied, "c,a\ny,1\n,2\n");
    let query = client.query("COPY (SELECT a + 1, b IS NULL FROM t ORDER BY a DESC) TO STDOUT");
    assert_eq!(query.copied, "3\tt\n2\tf\n");
    client.pause_after_rows(true);
    assert_eq!(client.query("COPY t TO STDOUT").copied, all.copied);
    client.query("TRUNCATE t");
    client.copy_from(&[all.copied.as_bytes()]);
    client.query("COPY t FROM STDIN");
    assert_eq!(client.query("COPY t TO STDOUT").copied, all.copied);
}

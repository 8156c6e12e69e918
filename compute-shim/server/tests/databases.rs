//! Several databases, as clients that connect to them see it.
#![allow(clippy::disallowed_methods)] // Tests wait.

mod fixture;

use fixture::{Client, TestServer, answer, field};
use std::process::Command;
use std::time::Duration;

fn connect(server: &TestServer, database: &str) -> Client {
    let mut client = Client::connect(server.address);
    client.startup(&[("user", "postgres"), ("database", database)]);
    assert_eq!(answer(&client.until(b'Z')).sqlstate, None);
    client
}

/// How a connection to a database is refused.
fn refusal(server: &TestServer, database: &str) -> (String, String) {
    let mut client = Client::connect(server.address);
    client.startup(&[("user", "postgres"), ("database", database)]);
    let messages = client.until_end();
    let (_, body) = messages.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    assert_eq!(field(body, b'S'), "FATAL");
    (field(body, b'C'), field(body, b'M'))
}

fn is_gone(database: &str) -> (String, String) {
    ("3D000".to_owned(), format!("database \"{database}\" does not exist"))
}

#[test]
fn a_connection_is_to_a_database_that_is_there_and_takes_connections() {
    let server = TestServer::start();
    assert_eq!(refusal(&server, "shop"), is_gone("shop"));
    let closed = |name: &str| format!("database \"{name}\" is not currently accepting connections");
    assert_eq!(refusal(&server, "template0"), ("55000".to_owned(), closed("template0")));
    let mut admin = server.connect();
    admin.run("CREATE DATABASE shop");
    let mut shop = connect(&server, "shop");
    assert_eq!(shop.run("SELECT current_database()").rows, ["shop"]);
    admin.run("ALTER DATABASE shop ALLOW_CONNECTIONS false");
    assert_eq!(refusal(&server, "shop"), ("55000".to_owned(), closed("shop")));
    assert_eq!(shop.run("SELECT current_database()").rows, ["shop"], "who is there stays");
    // Names are cut at 63 bytes, wherever they come from.
    let long = "a".repeat(70);
    admin.run(&format!("CREATE DATABASE {long}"));
    assert_eq!(connect(&server, &long).run("SELECT current_database()").rows, [&long[..63]]);
}

/// A plan of one database outlives definitions in another, and what is shared reaches all.
#[test]
fn sessions_of_several_databases_side_by_side() {
    let server = TestServer::start();
    let mut admin = server.connect();
    for database in ["one", "two"] {
        admin.run(&format!("CREATE DATABASE {database}"));
    }
    let (mut one, mut two) = (connect(&server, "one"), connect(&server, "two"));
    for (client, value) in [(&mut one, 1), (&mut two, 2)] {
        client.run("CREATE TABLE t (a int PRIMARY KEY); PREPARE all_rows AS SELECT a FROM t");
        client.run(&format!("INSERT INTO t VALUES ({value})"));
    }
    assert_eq!(one.run("EXECUTE all_rows").rows, ["1"]);
    two.run("ALTER TABLE t ADD COLUMN b int; CREATE TABLE u (a int)");
    assert_eq!(one.run("EXECUTE all_rows").rows, ["1"]);
    assert_eq!(two.run("EXECUTE all_rows").rows, ["2"]);
    assert_eq!(one.run("SELECT * FROM u").sqlstate.as_deref(), Some("42P01"));
    two.run("DROP TABLE t");
    assert_eq!(one.run("EXECUTE all_rows").rows, ["1"]);
    two.run("COMMENT ON DATABASE one IS 'the first'");
    let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'one'";
    assert_eq!(one.run(comment).rows, ["the first"]);
    // Locks of `public`, which bears one number in all.
    one.run("BEGIN; CREATE TABLE kept (a int)");
    assert_eq!(two.run("DROP SCHEMA public CASCADE").sqlstate, None);
    assert_eq!(one.run("COMMIT").sqlstate, None);
    assert_eq!(one.run("SELECT count(*) FROM kept").rows, ["0"]);
}

#[test]
fn a_database_in_use_is_dropped_once_its_sessions_have_gone() {
    let server = TestServer::start();
    let mut admin = server.connect();
    admin.run("CREATE DATABASE shop");
    let mut shop = connect(&server, "shop");
    shop.run("CREATE TABLE t (a serial PRIMARY KEY, b text UNIQUE); CREATE TEMP TABLE mine (a int)");
    admin.query("DROP DATABASE shop");
    assert!(admin.is_silent_for(Duration::from_millis(200)), "it waits for the session to leave");
    assert_eq!(refusal(&server, "shop").0, "57P03", "and nobody else comes");
    drop(shop);
    assert_eq!(answer(&admin.until(b'Z')).kinds, "CZ");
    assert_eq!(refusal(&server, "shop"), is_gone("shop"));
    // One of the same name begins anew.
    admin.run("CREATE DATABASE shop");
    assert_eq!(
        connect(&server, "shop").run("SELECT count(*) FROM pg_tables WHERE tablename = 't'").rows,
        ["0"]
    );
}

#[test]
fn what_is_told_of_a_drop_waits_until_it_is_durable() {
    let server = TestServer::start();
    let mut admin = server.connect();
    admin.run("CREATE DATABASE shop");
    server.volume.hold_vdl(true);
    admin.query("DROP DATABASE shop");
    assert!(admin.is_silent_for(Duration::from_millis(200)));
    let mut late = Client::connect(server.address);
    late.startup(&[("user", "postgres"), ("database", "shop")]);
    assert!(late.is_silent_for(Duration::from_millis(200)), "it may yet be there");
    server.volume.hold_vdl(false);
    assert_eq!(answer(&admin.until(b'Z')).kinds, "CZ");
    assert_eq!(answer(&late.until_end()).sqlstate.as_deref(), Some("3D000"));
}

#[test]
fn force_ends_the_sessions_of_a_database() {
    let server = TestServer::start();
    let mut admin = server.connect();
    admin.run("CREATE DATABASE shop");
    let (mut idle, mut busy) = (connect(&server, "shop"), connect(&server, "shop"));
    idle.run("CREATE TABLE t (a int); BEGIN; INSERT INTO t VALUES (1)");
    busy.query("LOCK TABLE t; SELECT pg_sleep(60)");
    assert_eq!(admin.run("DROP DATABASE shop WITH (FORCE)").kinds, "CZ");
    for client in [&mut idle, &mut busy] {
        let messages = client.until_end();
        let (_, body) = messages.iter().rfind(|(kind, _)| *kind == b'E').expect("it is told why");
        assert_eq!(field(body, b'C'), "57P01");
    }
    assert_eq!(refusal(&server, "shop"), is_gone("shop"));
}

#[test]
fn a_cancelled_drop_leaves_the_database_open() {
    let server = TestServer::start();
    let mut admin = server.connect();
    admin.run("CREATE DATABASE shop");
    let mut shop = connect(&server, "shop");
    assert_eq!(
        admin.run("SET statement_timeout = '300ms'; DROP DATABASE shop").sqlstate.as_deref(),
        Some("25001")
    );
    admin.run("SET statement_timeout = '300ms'");
    assert_eq!(admin.run("DROP DATABASE shop").sqlstate.as_deref(), Some("57014"));
    assert_eq!(shop.run("SELECT 1").rows, ["1"]);
    connect(&server, "shop");
}

/// PostgreSQL's own clients, where they are installed.
#[test]
fn createdb_dropdb_and_a_dump_that_makes_its_database() {
    let server = TestServer::start();
    let run = |name: &str, arguments: &[&str]| {
        let port = server.address.port().to_string();
        let output = Command::new(name)
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres"])
            .args(arguments)
            .output()
            .ok()?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name} {arguments:?}: {errors}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(_) = run("createdb", &["-E", "UTF8", "-T", "template0", "shop", "a comment"]) else {
        eprintln!("skipped: PostgreSQL's clients are not installed");
        return;
    };
    let mut shop = connect(&server, "shop");
    shop.run("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (7)");
    shop.run("ALTER DATABASE shop SET work_mem = '3MB'; ALTER DATABASE shop CONNECTION LIMIT 9");
    drop(shop);
    let dump = run("pg_dump", &["--create", "shop"]).expect("installed with the others");
    run("dropdb", &["shop"]);
    assert_eq!(refusal(&server, "shop"), is_gone("shop"));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("dump.sql");
    std::fs::write(&file, &dump).expect("writes");
    let file = file.to_str().expect("plain");
    run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", file]);
    let mut shop = connect(&server, "shop");
    assert_eq!(shop.run("SELECT a FROM t").rows, ["7"]);
    assert_eq!(shop.run("SHOW work_mem").rows, ["3MB"]);
    let facts =
        "SELECT datconnlimit, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'";
    assert_eq!(shop.run(facts).rows, ["9|a comment"]);
    let listed = run("psql", &["-X", "-A", "-t", "-d", "postgres", "-c", "\\l"]).expect("installed");
    assert_eq!(listed.lines().filter(|line| line.starts_with(['s', 't', 'p'])).count(), 4, "{listed}");
    let again = run("psql", &["-X", "-A", "-t", "-d", "postgres", "-c", "\\c shop", "-c", "SELECT a FROM t"]);
    assert!(again.is_some_and(|out| out.ends_with("7\n")));
}

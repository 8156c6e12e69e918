//! PostgreSQL's own pg_dump 15 and psql against this server: what it dumps is what it would dump of PostgreSQL, byte for byte, and
//! loads again. Skipped, with a message, where the tools are not installed.
//!
//! `dump/postgresql.sql` is what pg_dump 15 wrote of PostgreSQL 15 with `dump/schema.sql` loaded, without the lines that name
//! versions. The view in the schema is written as PostgreSQL prints it, since views are shown here as they were written.
#![allow(clippy::disallowed_methods)] // Processes are what a test of tools is made of.

mod fixture;

use fixture::TestServer;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const SCHEMA: &str = include_str!("dump/schema.sql");
const EXPECTED: &str = include_str!("dump/postgresql.sql");

/// Whether the tools are there, in the version that the answers were recorded with.
fn is_installed(tool: &str) -> bool {
    let version = Command::new(tool).arg("--version").output();
    let is_15 = version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(") 15."));
    if !is_15 {
        eprintln!("skipped: {tool} 15 is not installed");
    }
    is_15
}

fn tool(name: &str, server: &TestServer, arguments: &[&str], input: Option<&str>) -> String {
    let port = server.address.port().to_string();
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres"]).args(arguments).arg("postgres");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let text = input.unwrap_or_default().to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(text.as_bytes());
    });
    let Output { status, stdout, stderr } = child.wait_with_output().expect("ends");
    writer.join().expect("writes");
    assert!(status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

fn load(server: &TestServer, text: &str) {
    tool("psql", server, &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"], Some(text));
}

/// Without the lines that differ from run to run.
fn dump(server: &TestServer, arguments: &[&str]) -> String {
    let text = tool("pg_dump", server, arguments, None);
    let is_kept = |line: &&str| {
        !["\\restrict", "\\unrestrict", "-- Dumped"].iter().any(|start| line.starts_with(start))
    };
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_dump_is_postgresqls_and_loads_again() {
    if !is_installed("pg_dump") || !is_installed("psql") {
        return;
    }
    let server = TestServer::start();
    load(&server, SCHEMA);
    let all = dump(&server, &[]);
    for (ours, expected) in all.lines().zip(EXPECTED.lines()) {
        assert_eq!(ours, expected);
    }
    assert_eq!(all, EXPECTED);

    let loaded = TestServer::start();
    load(&loaded, &all);
    assert_eq!(dump(&loaded, &[]), EXPECTED, "it comes back as it was");

    // As INSERTs, schema and data apart, the data first.
    let loaded = TestServer::start();
    load(&loaded, &dump(&server, &["--schema-only", "--section=pre-data"]));
    load(&loaded, &dump(&server, &["--data-only", "--inserts", "--rows-per-insert=2"]));
    load(&loaded, &dump(&server, &["--schema-only", "--section=post-data"]));
    assert_eq!(dump(&loaded, &[]), EXPECTED);
}

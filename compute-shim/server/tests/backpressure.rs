//! A client that does not read. Alone in its process, whose memory it looks at.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of a server is made of.

mod fixture;

use fixture::TestServer;
use std::time::Duration;

/// A result of half a gigabyte to a client that reads nothing: it waits in the executor, not in memory; others are
/// served, and the client's going ends it.
#[test]
fn a_client_that_does_not_read_holds_up_itself_only() {
    let server = TestServer::start();
    let (mut lazy, mut other) = (server.connect(), server.connect());
    other.run("create table t (id int primary key, filler text)");
    let filler = "x".repeat(500);
    let rows: Vec<String> = (0..1000).map(|id| format!("({id}, '{filler}')")).collect();
    assert_eq!(other.run(&format!("insert into t values {}", rows.join(","))).sqlstate, None);
    let before = memory_kib();
    lazy.query("select a.filler from t a, t b");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(other.run("select count(*) from t").rows, ["1000"]);
    let grown = memory_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more for a result that nobody reads");
    drop(lazy);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while server.control.session_count() > 1 {
        assert!(std::time::Instant::now() < deadline, "the session ends with its client");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// This process's own memory.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a line of every status");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

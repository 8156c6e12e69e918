//! Random statements on PostgreSQL 15 and on this server: whatever they come to, it is the same. Skipped, with a message, where
//! PostgreSQL's server is not installed. What is drawn, and what may differ, is in the crate `differential`; its binary runs as
//! many scripts as one has time for.
#![allow(clippy::disallowed_methods)] // It waits for processes.

mod fixture;

use differential::compare::{Server, Tally, compare};
use differential::postgresql::Postgresql;
use differential::script::draw;
use fixture::TestServer;

/// Scripts: under ten seconds on two cores.
const SCRIPTS: u64 = 60;
/// Statements of each after its set-up.
const STATEMENTS: usize = 40;

#[test]
fn random_statements_come_to_what_they_come_to_in_postgresql() {
    let theirs = match Postgresql::start() {
        Ok(server) => server,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let ours = TestServer::start();
    let servers = [theirs.server(), Server { address: ours.address, user: "postgres".into() }];
    let mut tally = Tally::default();
    for seed in 1..=SCRIPTS {
        let found = compare(&servers, seed, &draw(seed, STATEMENTS), &mut tally).expect("both servers go on");
        assert!(found.is_none(), "{}", found.expect("just seen"));
    }
    assert!(tally.statements > SCRIPTS * STATEMENTS as u64, "{tally:?}");
    assert!(tally.refused < tally.statements / 3, "most statements are to be carried out: {tally:?}");
}

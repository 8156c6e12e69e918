//! Scripts of others in sqllogictest's form on PostgreSQL 15 and on this server: what one takes the other takes, and rows, types and
//! tags are the same. Skipped, with a message, where PostgreSQL's server is not installed or the scripts cannot be had. All of
//! them take minutes: `differential --corpus ""` runs them.
#![allow(clippy::disallowed_methods)] // It waits for processes.

mod fixture;

use differential::compare::{Server, Tally};
use differential::corpus::{PACKAGES, compare_script, scripts, statements};
use differential::postgresql::Postgresql;
use fixture::TestServer;

/// Parts of the names of those that run every day: most of what they say is in PostgreSQL's dialect too.
const EVERY_DAY: [&str; 18] = [
    "/pg_compat/",
    "/select.slt",
    "/subquery.slt",
    "/joins.slt",
    "/group_by.slt",
    "/order.slt",
    "/window.slt",
    "/union.slt",
    "/cte.slt",
    "/limit.slt",
    "/distinct_on.slt",
    "/case.slt",
    "/predicates.slt",
    "/interval.slt",
    "/date_part.slt",
    "/decimal.slt",
    "/lateral_join.slt",
    "/prepare.slt",
];
/// That many of them ran when the list was made.
const STATEMENTS_MIN: u64 = 2_000;

#[test]
fn scripts_of_others_come_to_what_they_come_to_in_postgresql() {
    let theirs = match Postgresql::start() {
        Ok(server) => server,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let mut folders = Vec::new();
    for package in PACKAGES {
        match package.install() {
            Ok(folder) => folders.push(folder),
            Err(why) => return eprintln!("skipped: {why}"),
        }
    }
    let ours = TestServer::start();
    let servers = [theirs.server(), Server { address: ours.address, user: "postgres".into() }];
    let mut tally = Tally::default();
    let mut differences = Vec::new();
    for folder in folders {
        for script in scripts(&folder).expect("it is there") {
            let path = script.to_string_lossy().into_owned();
            if !EVERY_DAY.iter().any(|part| path.contains(part)) {
                continue;
            }
            let statements = statements(&script).expect("it is in sqllogictest's form");
            let found = compare_script(&servers, &script, &statements, &mut tally);
            differences.extend(found.expect("both servers go on"));
        }
    }
    let listed: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(listed.is_empty(), "{}", listed.join("\n\n"));
    assert!(tally.statements >= STATEMENTS_MIN, "{tally:?}");
    println!("{tally:?}");
}

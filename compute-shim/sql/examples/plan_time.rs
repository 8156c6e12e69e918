//! How long a statement takes from its text to its plan: parsing, binding and planning, without execution and without a network.
//!
//! `cargo run --release -p hexalog-sql --example plan_time` prints for each statement the median and the least of many runs, in
//! microseconds. A run is `Session::parse` of the unnamed statement, as a driver's Parse message has it, each with a comment of its own behind it:
//! of one and the same text the session keeps the plan. The bar is 20 us for the first of them.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a measurement needs a clock")]

#[path = "../tests/harness/mod.rs"]
mod harness;

use harness::Cluster;
use std::time::Instant;

/// Runs of a statement that are timed together: a clock's own microsecond is not to be seen.
const TOGETHER: u32 = 20;
const SAMPLES: usize = 500;

const STATEMENTS: [&str; 6] = [
    "select abalance from accounts where aid = 4711",
    "select abalance from accounts where aid = $1",
    "update accounts set abalance = abalance + $1 where aid = $2",
    "insert into history (tid, bid, aid, delta) values ($1, $2, $3, $4)",
    "select bid, count(*), sum(abalance) from accounts where abalance > 0 group by bid order by bid limit 10",
    "select a.aid, b.bbalance, t.tbalance from accounts a join branches b on a.bid = b.bid join tellers t on t.bid = b.bid where a.aid = $1",
];

fn main() {
    let cluster = Cluster::new();
    let mut client = cluster.connect();
    for definition in [
        "create table accounts (aid int primary key, bid int, abalance int, filler char(84))",
        "create table branches (bid int primary key, bbalance int, filler char(88))",
        "create table tellers (tid int primary key, bid int, tbalance int, filler char(84))",
        "create table history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))",
        "insert into accounts select n, n % 10, 0, '' from generate_series(1, 1000) as of (n)",
        "analyze accounts",
    ] {
        client.query(definition);
    }
    println!("{:>9}{:>9}  statement", "median us", "least us");
    for statement in STATEMENTS {
        let mut samples: Vec<f64> = (0..SAMPLES)
            .map(|sample| {
                let texts: Vec<String> =
                    (0..TOGETHER).map(|run| format!("{statement} -- {sample}.{run}")).collect();
                let began = Instant::now();
                for text in &texts {
                    client.session.parse("", text, &[]).expect("the tables are there");
                }
                began.elapsed().as_secs_f64() * 1e6 / f64::from(TOGETHER)
            })
            .collect();
        samples.sort_by(f64::total_cmp);
        println!("{:>9.1}{:>9.1}  {statement}", samples[SAMPLES / 2], samples[0]);
    }
}

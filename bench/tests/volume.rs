//! The volume target over six real daemons: real processes, real files, real sockets, real io_uring.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use hexalog_bench::load::Direction;
use hexalog_bench::options::{Job, table};
use hexalog_bench::report;
use hexalog_bench::run::{JobRun, run_prepared};
use hexalog_bench::shard::difference;
use hexalog_bench::targets::Prepared;
use hexalog_bench::targets::volume::cluster::Cluster;
use hexalog_bench::targets::volume::over;
use std::path::Path;

/// The binary that the daemons are started from.
const PROGRAM: &str = env!("CARGO_BIN_EXE_hexalog-bench");

fn job(options: &[(&str, &str)]) -> Job {
    let mut job = Job::default();
    // The build's own directory: /tmp may be a tmpfs, which keeps nothing.
    let directory = ("directory", env!("CARGO_TARGET_TMPDIR"));
    let all = [("target", "volume"), directory, ("log_bytes", "16m"), ("ramp_time", "0"), ("runtime", "2")];
    all.iter().chain(options).for_each(|(name, value)| table::set(&mut job, name, value).unwrap());
    job.check().unwrap();
    job
}

/// Runs a job on a cluster and gives the cluster back.
fn run_on(job: &Job, cluster: Cluster) -> (Result<JobRun, String>, Cluster) {
    let target = over(job, cluster);
    let run = run_prepared(job, &target);
    (run, target.into_cluster())
}

fn check_counts(job: &Job, run: &JobRun) {
    let commits = run.sides[Direction::Write as usize].ios;
    let text = report::normal::text(std::slice::from_ref(run));
    assert!(commits > 0 && text.contains("verified: 50 pages"), "{text}");
    // Each record becomes durable at six members, at four of them before the commit is acknowledged. Counts are taken a
    // moment before and after ours, and what is in flight then makes the difference.
    let counters = difference(&run.before.counters, &run.after.counters);
    let records = counters.iter().find(|(name, _)| name == "records").map_or(0, |(_, value)| *value);
    let own = commits * u64::from(job.records_per_commit);
    let in_flight = (2 * job.concurrency() as u64 + 64) * u64::from(job.records_per_commit);
    assert!(records + 6 * in_flight >= own * 4, "{records} at the members for {own} committed: {text}");
    assert!(records <= (own + 2 * in_flight) * 6, "{records} at the members for {own} committed: {text}");
    assert!(text.contains("server cpu") && text.contains("records each"), "{text}");
}

/// Commits of several records over several groups; every page is read back and compared; the volume is opened again,
/// which must find what was committed before it can go on; then its pages are read at random, and both at once.
#[test]
fn what_was_acknowledged_can_be_read_and_the_counts_add_up() {
    let shared = [("groups", "3"), ("size", "400k"), ("numjobs", "4"), ("iodepth", "4"), ("verify", "1")];
    let with = |more: &[(&str, &str)]| job(&[&shared[..], more].concat());
    let first = with(&[("records_per_commit", "7"), ("bs", "100")]);
    let mut cluster = Cluster::start(&first, Path::new(PROGRAM)).unwrap();
    assert_eq!(cluster.pids().len(), 6);
    for job in [first, with(&[])] {
        let (run, same) = run_on(&job, cluster);
        cluster = same;
        check_counts(&job, &run.unwrap());
    }
    for load in ["randread", "rw"] {
        let (run, same) = run_on(&with(&[("rw", load)]), cluster);
        cluster = same;
        let run = run.unwrap();
        assert!(run.sides[Direction::Read as usize].ios > 0);
        assert!(report::normal::text(&[run]).contains("requests, "));
    }

    let (refused, same) = run_on(&job(&[("groups", "2"), ("size", "400k")]), cluster);
    assert!(refused.unwrap_err().contains("groups=3"));

    // A volume that a compute has opened is not touched: opening it would fence that one.
    let id = same.catalog.volume_id("bench").unwrap();
    let (_, record) = same.catalog.volume(id).unwrap().unwrap();
    same.catalog.put_compute(&record, "127.0.0.1:5433".parse().unwrap()).unwrap();
    let (refused, same) = run_on(&with(&[]), same);
    assert!(refused.unwrap_err().contains("holds a database"));
    assert_eq!(same.catalog.volume(id).unwrap().unwrap().1.epoch, record.epoch);
}

/// One slow node, one killed, and then a stopped zone would be too much; two of six may be gone.
#[test]
fn commits_go_on_beside_a_slow_node_and_after_one_was_killed() {
    let job = job(&[
        ("numjobs", "4"),
        ("size", "400k"),
        ("runtime", "3"),
        ("slow_node", "2=20ms"),
        ("kill_node", "5@1s"),
        ("verify", "1"),
    ]);
    let cluster = Cluster::start(&job, Path::new(PROGRAM)).unwrap();
    let target = over(&job, cluster);
    let run = run_prepared(&job, &target).unwrap();
    assert!(target.cluster().is_some_and(|cluster| cluster.is_silent(hexalog_protocol::NodeId(5))));
    let last = run.seconds.last().map_or(0, |second| second[Direction::Write as usize].len());
    assert!(run.seconds.len() == 3 && last > 0, "{:?}", run.seconds.len());
    let events: Vec<&str> = run.events.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(events, ["node 2 slow by 20ms", "node 5 killed"]);
    assert!(run.events[1].0 >= 1.0);
}

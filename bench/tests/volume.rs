//! The volume target over six real daemons: real processes, real files, real sockets, real io_uring.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use hexalog_bench::options::Options;
use hexalog_bench::report;
use hexalog_bench::targets::volume::{cluster::Cluster, run_on};
use std::path::Path;

/// The binary that the daemons are started from.
const PROGRAM: &str = env!("CARGO_BIN_EXE_hexalog-bench");

fn options(arguments: &[&str]) -> Options {
    // The build's own directory: /tmp may be a tmpfs, which keeps nothing.
    let directory = concat!("--directory=", env!("CARGO_TARGET_TMPDIR"));
    let all =
        ["hexalog-bench", "--target=volume", directory, "--log-bytes=16MiB", "--ramp-time=0", "--runtime=2"];
    Options::parse_and_check([&all, arguments].concat()).unwrap()
}

/// Commits of several records over several groups; every page is read back and compared; the volume is opened again,
/// which must find what was committed before it can go on; then its pages are read at random.
#[test]
fn what_was_acknowledged_can_be_read_and_the_counts_add_up() {
    let arguments = ["--groups=3", "--pages=50", "--numjobs=4", "--iodepth=4", "--verify"];
    let first = options(&[&arguments[..], &["--records-per-commit=7", "--bs=100"]].concat());
    let cluster = Cluster::start(&first, Path::new(PROGRAM)).unwrap();
    assert_eq!(cluster.pids().len(), 6);
    for options in [first, options(&[&arguments[..], &["--records-per-commit=1"]].concat())] {
        let run = run_on(&options, &cluster).unwrap();
        let text = report::text(&run);
        let commits = run.latencies_ns.len();
        assert!(commits > 0 && text.contains("verified: 50 pages"), "{text}");
        // Each record becomes durable at six members, at four of them before the commit is acknowledged. Counts are
        // taken a moment before and after ours, and what is in flight then makes the difference.
        let records = run.counters.iter().find(|(name, _)| name == "records").map_or(0, |(_, value)| *value);
        let own = commits * u64::from(options.records_per_commit);
        let in_flight = (2 * options.concurrency() as u64 + 64) * u64::from(options.records_per_commit);
        assert!(records + 6 * in_flight >= own * 4, "{records} at the members for {own} committed: {text}");
        assert!(records <= (own + 2 * in_flight) * 6, "{records} at the members for {own} committed: {text}");
        assert!(run.server_cpu.is_some_and(|cpu| cpu.total_us() > 0), "{text}");
        assert!(text.contains("us/commit") && text.contains("records each"), "{text}");
    }
    let reads =
        options(&["--rw=randread", "--groups=3", "--pages=50", "--numjobs=4", "--iodepth=4", "--verify"]);
    let run = run_on(&reads, &cluster).unwrap();
    assert!(!run.latencies_ns.is_empty() && report::text(&run).contains("us/read"));

    let other = options(&["--groups=2", "--pages=50"]);
    assert!(run_on(&other, &cluster).unwrap_err().contains("--groups=3"));

    // A volume that a compute has opened is not touched: opening it would fence that one.
    let id = cluster.catalog.volume_id("bench").unwrap();
    let (_, record) = cluster.catalog.volume(id).unwrap().unwrap();
    cluster.catalog.put_compute(&record, "127.0.0.1:5433".parse().unwrap()).unwrap();
    assert!(run_on(&reads, &cluster).unwrap_err().contains("holds a database"));
    assert_eq!(cluster.catalog.volume(id).unwrap().unwrap().1.epoch, record.epoch);
}

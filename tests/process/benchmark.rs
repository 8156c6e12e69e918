//! The benchmark's sql target against a real cluster.
#![allow(clippy::disallowed_methods)] // Files and sleeps are what a test of processes is made of.

mod harness;

use harness::Cluster;
use hexalog_bench::load::Direction;
use hexalog_bench::options::{Job, table};
use hexalog_bench::run::run_prepared;
use hexalog_bench::{report, targets};

#[test]
fn commits_and_point_selects_are_measured_through_sql() {
    let cluster = Cluster::start(&[]);
    let address = format!("127.0.0.1:{}", cluster.port);
    for load in ["commit", "randread", "randrw"] {
        let mut job = Job::default();
        for (name, value) in [
            ("target", "sql"),
            ("connect", &address),
            ("rw", load),
            ("size", "100k"),
            ("numjobs", "4"),
            ("runtime", "1"),
            ("ramp_time", "0"),
        ] {
            table::set(&mut job, name, value).expect("known");
        }
        job.check().expect("consistent");
        let target = targets::sql::prepare(&job).expect("the table is made");
        let run = run_prepared(&job, &target).expect("runs");
        let ios = |direction: Direction| run.sides[direction as usize].ios;
        assert_eq!(ios(Direction::Write) > 0, load != "randread", "{load}");
        assert_eq!(ios(Direction::Read) > 0, load != "commit", "{load}");
        assert!(report::normal::text(&[run]).contains("rows=1024"));
    }
    let tables = cluster.sql("select count(*) from pg_class where relname = 'hexalog_bench'");
    assert!(tables.contains('0'), "the table is removed: {tables}");
    cluster.stop();
}

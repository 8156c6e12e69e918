//! Reports of a run, in fio's forms: text ([`normal`]), JSON ([`json`]), a page of plots ([`plot`]); two of them side by
//! side ([`compare`]). The drivers of whole databases have reports of their own, with [`latency`] in common.

pub mod chart;
pub mod compare;
pub mod json;
pub mod latency;
pub mod normal;
pub mod numbers;
pub mod plot;

use crate::load::Direction;
use crate::run::JobRun;
use numbers::Moments;

/// The form of a driver's report.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum, Debug)]
pub enum Form {
    /// For people.
    Normal,
    /// For programs.
    Json,
}

/// Bytes of an operation in this direction.
pub(crate) fn bytes_each(run: &JobRun, direction: Direction) -> u64 {
    match direction {
        Direction::Read => run.job.read_bytes(),
        Direction::Write => run.job.write_bytes(),
    }
}

/// Operations a second, over the whole seconds of the run: fio's samples.
pub(crate) fn iops_samples(run: &JobRun, direction: Direction) -> Moments {
    // The last second is whole only if the runtime is; what came after the end is in it too.
    let whole = (run.job.runtime.as_secs() as usize).min(run.seconds.len());
    let counts = (0..whole).map(|second| run.seconds[second][direction as usize].len() as f64);
    Moments::of(counts)
}

/// Percentages of this process's time on the cores: user, system.
pub(crate) fn own_cpu_percent(run: &JobRun) -> (f64, f64) {
    let used = run.after.own.since(run.before.own).cpu;
    let each = |us: u64| us as f64 / run.elapsed.as_secs_f64() / 1e4;
    (each(used.user_us), each(used.system_us))
}

/// The daemons' time on the cores between the snapshots, if it is known.
pub(crate) fn server_cpu(run: &JobRun) -> Option<crate::cpu::CpuTime> {
    Some(run.after.server_cpu?.since(run.before.server_cpu?))
}

#[cfg(test)]
pub(crate) fn example_run() -> JobRun {
    use crate::cpu::{CpuTime, Usage};
    use crate::load::Snapshot;
    use crate::load::recorder::{Side, second_side};
    use crate::options::{Job, table};
    let mut job = Job::default();
    for (name, value) in
        [("target", "node"), ("rw", "rw"), ("runtime", "2"), ("percentile_list", "50:99:99.9")]
    {
        table::set(&mut job, name, value).expect("known");
    }
    job.name = "example".to_owned();
    let mut sides = [Side::default(), Side::default()];
    let mut seconds = Vec::new();
    for second in 0..2u64 {
        let mut lat_ns = [second_side(), second_side()];
        for us in 1..=500u64 {
            for (direction, factor) in [(0, 1), (1, 3)] {
                let side = &mut sides[direction];
                let ns = (us + 500 * second) * 1000 * factor;
                side.ios += 1;
                side.slat_ns.record(5_000).expect("in range");
                side.clat_ns.record(ns).expect("in range");
                side.lat_ns.record(ns + 5_000).expect("in range");
                lat_ns[direction].record(ns + 5_000).expect("in range");
            }
        }
        seconds.push(lat_ns);
    }
    let snapshot = |factor: u64| Snapshot {
        counters: vec![("appends".to_owned(), 10 * factor)],
        server_cpu: Some(CpuTime { user_us: 1000 * factor, system_us: 3000 * factor }),
        own: Usage {
            cpu: CpuTime { user_us: 20_000 * factor, system_us: 40_000 * factor },
            switches: 7 * factor,
            ..Usage::default()
        },
        traffic: Vec::new(),
    };
    JobRun {
        job,
        description: "127.0.0.1:7001, pages=1024".to_owned(),
        unit_name: "record",
        sides,
        elapsed: std::time::Duration::from_secs(2),
        before: snapshot(1),
        after: snapshot(3),
        lines: vec!["frames refused for want of room and sent again: 3".to_owned()],
        seconds,
        events: vec![(1.0, "node 3 killed".to_owned())],
    }
}

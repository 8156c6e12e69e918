//! A run: jobs in their order, each with its target, workers and clock; what came of them.
//!
//! Jobs run side by side; one with `stonewall` waits for all before it. Each job has a thread that sets its target up and
//! sees to its outliers, and starts a worker for each share of its clones. This thread gathers seconds as they end and
//! writes the progress line.

use crate::load::recorder::{SecondPart, SecondSide, Side, second_side};
use crate::load::worker::{Assignment, Outcome, run as run_worker};
use crate::load::{Clock, DIRECTIONS, Snapshot, Times};
use crate::options::Job;
use crate::options::command_line::Progress;
use crate::progress::ProgressLine;
use crate::targets::{Prepared, prepare};
use hexalog_protocol::NodeId;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Barrier, OnceLock};
use std::time::Duration;

/// Seconds of workers on their way to the gatherer. A full channel makes workers wait, so it is large.
const PARTS_MAX: usize = 4096;
/// From the last worker's readiness to the first operation.
const START_DELAY_NS: u64 = 1_000_000;

/// What came of a job.
#[derive(Debug)]
pub struct JobRun {
    /// As it was asked for.
    pub job: Job,
    /// What was measured.
    pub description: String,
    /// What one write is called.
    pub unit_name: &'static str,
    /// By direction.
    pub sides: [Side; 2],
    /// How long was measured.
    pub elapsed: Duration,
    /// Totals at the begin and the end.
    pub before: Snapshot,
    /// The same at the end.
    pub after: Snapshot,
    /// Further lines of the report.
    pub lines: Vec<String>,
    /// By second and direction.
    pub seconds: Vec<[SecondSide; 2]>,
    /// What happened to daemons: seconds since measuring began, and what.
    pub events: Vec<(f64, String)>,
}

/// Runs all jobs. Daemons that must be started are `program` under the name hexalogd. Errors are for people.
pub fn run(jobs: &[Job], program: &Path, progress: Progress) -> Result<Vec<JobRun>, String> {
    let mut runs = Vec::new();
    let mut first = 0;
    while first < jobs.len() {
        let next = jobs[first + 1..].iter().position(|job| job.stonewall);
        let group = &jobs[first..next.map_or(jobs.len(), |next| first + 1 + next)];
        runs.extend(run_group(group, program, progress)?);
        first += group.len();
    }
    Ok(runs)
}

/// Runs one job whose target is prepared.
pub fn run_prepared(job: &Job, target: &dyn Prepared) -> Result<JobRun, String> {
    let (sender, parts) = sync_channel(PARTS_MAX);
    let start = Start::new(target.workers());
    let mut seconds = Vec::new();
    let ended = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_workers(0, job, target, &start, sender));
        parts.iter().for_each(|part| gather(&mut seconds, part));
        running.join().map_err(|_| "a worker panicked".to_owned())?
    });
    let mut run = ended?;
    run.seconds = seconds;
    Ok(run)
}

fn run_group(group: &[Job], program: &Path, progress: Progress) -> Result<Vec<JobRun>, String> {
    let targets = group.iter().map(|job| prepare(job, program)).collect::<Result<Vec<_>, _>>()?;
    let start = Start::new(targets.iter().map(|target| target.workers()).sum());
    let (sender, parts) = sync_channel::<SecondPart>(PARTS_MAX);
    let mut seconds: Vec<Vec<[SecondSide; 2]>> = group.iter().map(|_| Vec::new()).collect();
    let mut line = ProgressLine::new(group, progress);
    let runs = std::thread::scope(|scope| {
        let jobs = group.iter().zip(&targets).enumerate();
        let start = &start;
        let running: Vec<_> = jobs
            .map(|(index, (job, target))| {
                let sender = sender.clone();
                scope.spawn(move || run_workers(index, job, target.as_ref(), start, sender))
            })
            .collect();
        drop(sender);
        loop {
            match parts.recv_timeout(Duration::from_secs(1)) {
                Ok(part) => {
                    line.note(&part);
                    gather(&mut seconds[part.job], part);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            line.show(start.elapsed());
        }
        line.clear();
        let joined = running.into_iter().map(|job| job.join().map_err(|_| "a worker panicked".to_owned())?);
        joined.collect::<Result<Vec<_>, String>>()
    });
    let mut runs = runs?;
    runs.iter_mut().zip(seconds).for_each(|(run, seconds)| run.seconds = seconds);
    Ok(runs)
}

fn gather(seconds: &mut Vec<[SecondSide; 2]>, part: SecondPart) {
    while seconds.len() <= part.second {
        seconds.push(DIRECTIONS.map(|_| second_side()));
    }
    for (sum, own) in seconds[part.second].iter_mut().zip(&part.lat_ns) {
        sum.add(own).expect("a histogram that resizes takes all values");
    }
}

/// All workers of a group begin together, once each has its engine.
struct Start {
    ready: Barrier,
    has_failed: AtomicBool,
    clock: Clock,
    start_ns: OnceLock<u64>,
}

impl Start {
    fn new(workers: usize) -> Start {
        Start {
            ready: Barrier::new(workers),
            has_failed: AtomicBool::new(false),
            clock: Clock::start(),
            start_ns: OnceLock::new(),
        }
    }

    /// Waits for all; `None` if another one could not begin.
    fn wait(&self, is_ready: bool) -> Option<u64> {
        if !is_ready {
            self.has_failed.store(true, Ordering::SeqCst);
        }
        self.ready.wait();
        let start_ns = *self.start_ns.get_or_init(|| self.clock.now_ns() + START_DELAY_NS);
        (!self.has_failed.load(Ordering::SeqCst)).then_some(start_ns)
    }

    /// Since the first operations; `None` before.
    fn elapsed(&self) -> Option<Duration> {
        let start_ns = self.start_ns.get()?;
        Some(Duration::from_nanos(self.clock.now_ns().saturating_sub(*start_ns)))
    }
}

fn times(job: &Job, start_ns: u64) -> Times {
    let measure_ns = start_ns + job.ramp_time.as_nanos() as u64;
    Times { start_ns, measure_ns, end_ns: measure_ns + job.runtime.as_nanos() as u64 }
}

fn run_workers(
    index: usize,
    job: &Job,
    target: &dyn Prepared,
    start: &Start,
    parts: SyncSender<SecondPart>,
) -> Result<JobRun, String> {
    let workers = target.workers();
    let clones = job.numjobs as usize;
    let is_over = AtomicBool::new(false);
    let (outcomes, events) = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers)
            .map(|worker| {
                let share = clones * worker / workers..clones * (worker + 1) / workers;
                let parts = parts.clone();
                scope.spawn(move || run_share(index, job, target, start, share, parts))
            })
            .collect();
        let events = scope.spawn(|| see_to_outliers(job, target, start, &is_over));
        let joined: Vec<_> = running.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::SeqCst);
        (joined, events.join().unwrap_or_default())
    });
    let mut first_error = None;
    let mut sum: Option<Outcome> = None;
    for outcome in outcomes {
        match outcome.map_err(|_| "a worker panicked".to_owned()).and_then(|outcome| outcome) {
            Ok(Some(outcome)) => match &mut sum {
                None => sum = Some(outcome),
                Some(sum) => {
                    sum.sides.iter_mut().zip(&outcome.sides).for_each(|(own, other)| own.add(other));
                    sum.behind += outcome.behind;
                    sum.lines.extend(outcome.lines);
                }
            },
            Ok(None) => {}
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    if let Some(error) = first_error {
        return Err(format!("job \"{}\": {error}", job.name));
    }
    let sum =
        sum.ok_or_else(|| format!("job \"{}\" did not begin, since another one could not", job.name))?;
    finish(job, target, sum, events)
}

fn finish(
    job: &Job,
    target: &dyn Prepared,
    sum: Outcome,
    events: Vec<(f64, String)>,
) -> Result<JobRun, String> {
    let ios: u64 = sum.sides.iter().map(|side| side.ios).sum();
    if ios == 0 {
        return Err(format!("job \"{}\": nothing was done in the measured time", job.name));
    }
    let (before, after) = sum.snapshots.unwrap_or_default();
    let mut lines = target.lines(ios, &before, &after);
    lines.extend(sum.lines);
    if sum.behind > 0 {
        lines
            .push(format!("behind: {} operations had their time in this run and were not begun", sum.behind));
    }
    Ok(JobRun {
        job: job.clone(),
        description: target.description(),
        unit_name: target.unit_name(),
        sides: sum.sides,
        elapsed: sum.elapsed,
        before,
        after,
        lines,
        seconds: Vec::new(),
        events,
    })
}

/// One worker: its engine, then its load. `None` if another one could not begin.
fn run_share(
    index: usize,
    job: &Job,
    target: &dyn Prepared,
    start: &Start,
    clones: Range<usize>,
    parts: SyncSender<SecondPart>,
) -> Result<Option<Outcome>, String> {
    let is_first = clones.start == 0;
    let make = || {
        let engine = target.engine(clones.clone())?;
        let observer = is_first.then(|| target.observer()).transpose()?;
        Ok((engine, observer))
    };
    // The others wait for this one: it must come to the barrier, whatever happens.
    let ready = std::panic::catch_unwind(std::panic::AssertUnwindSafe(make))
        .unwrap_or_else(|_| Err("an engine panicked".to_owned()));
    let start_ns = start.wait(ready.is_ok());
    let (mut engine, mut observer) = ready?;
    let Some(start_ns) = start_ns else { return Ok(None) };
    let times = times(job, start_ns);
    let assignment =
        Assignment { job, index, clones, units: target.units(), times, clock: start.clock, parts };
    let observer = observer.as_mut().map(|observer| observer.as_mut() as &mut dyn crate::load::Observer);
    run_worker(&assignment, engine.as_mut(), observer).map(Some)
}

/// Brings daemons to harm when their time has come; returns when what happened.
fn see_to_outliers(
    job: &Job,
    target: &dyn Prepared,
    start: &Start,
    is_over: &AtomicBool,
) -> Vec<(f64, String)> {
    let mut events: Vec<(f64, String)> =
        job.slow_node.iter().map(|(node, delay)| (0.0, format!("node {node} slow by {delay:?}"))).collect();
    let Some(cluster) = target.cluster() else { return events };
    let kills = job.kill_node.iter().map(|(node, at)| (*at, Harm::Kill(*node)));
    let stops = job.stop_az.iter().map(|(zone, at)| (*at, Harm::Stop(zone)));
    let mut planned: Vec<_> = kills.chain(stops).collect();
    planned.sort_by_key(|(at, _)| *at);
    for (at, harm) in planned {
        let due = job.ramp_time + at;
        while start.elapsed().is_none_or(|elapsed| elapsed < due) {
            if is_over.load(Ordering::SeqCst) {
                return events;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let what = match harm {
            Harm::Kill(node) => {
                cluster.kill_node(NodeId(node));
                format!("node {node} killed")
            }
            Harm::Stop(zone) => {
                cluster.stop_zone(zone);
                format!("zone {zone} stopped")
            }
        };
        let since = start.elapsed().unwrap_or_default().saturating_sub(job.ramp_time);
        events.push((since.as_secs_f64(), what));
    }
    events
}

enum Harm<'a> {
    Kill(u32),
    Stop(&'a str),
}

//! The loop of one worker: one engine, its clones, their slots.

use super::pattern::{Pattern, Schedule};
use super::recorder::{OperationTimes, Recorder, SecondPart, Side};
use super::{Clock, Direction, Engine, Observer, Snapshot, Times};
use crate::options::Job;
use std::ops::Range;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// Without any completion for this long, although something is under way, the run has failed.
const STALL_MAX_NS: u64 = 30_000_000_000;
/// Looked at this often although nothing happens: seconds end, and what was refused is sent again.
const TICK_NS: u64 = 5_000_000;

/// A slot with something under way.
#[derive(Clone, Copy)]
struct UnderWay {
    direction: Direction,
    times: OperationTimes,
}

/// One of the job's clones.
struct CloneOfJob {
    idle: Vec<usize>,
    pattern: Pattern,
    schedule: Schedule,
}

/// What a worker is given.
pub struct Assignment<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its number.
    pub index: usize,
    /// Which of its clones are this worker's.
    pub clones: Range<usize>,
    /// Places to go to.
    pub units: u64,
    /// When.
    pub times: Times,
    /// What the times are told by.
    pub clock: Clock,
    /// Where seconds go.
    pub parts: SyncSender<SecondPart>,
}

/// What a worker has to tell.
pub struct Outcome {
    /// By direction.
    pub sides: [Side; 2],
    /// How long was measured.
    pub elapsed: Duration,
    /// Operations whose time had come, under a rate, and that were not begun.
    pub behind: u64,
    /// At the begin and end of measuring, from the worker with the observer.
    pub snapshots: Option<(Snapshot, Snapshot)>,
    /// The engine's.
    pub lines: Vec<String>,
}

struct Worker<'a, 'e> {
    assignment: &'a Assignment<'a>,
    engine: &'e mut dyn Engine,
    clones: Vec<CloneOfJob>,
    under_way: Vec<Option<UnderWay>>,
    started: Vec<usize>,
    done: Vec<usize>,
    last_done_ns: u64,
}

/// Runs a worker's share of a job.
pub fn run(
    assignment: &Assignment<'_>,
    engine: &mut dyn Engine,
    mut observer: Option<&mut dyn Observer>,
) -> Result<Outcome, String> {
    let Assignment { times, clock, job, .. } = assignment;
    let mut worker = Worker::new(assignment, engine);
    worker.run_until(times.measure_ns, None)?;
    let before = observer.as_mut().map(|observer| observer.snapshot()).transpose()?;
    let measure_ns = clock.now_ns();
    let seconds = job.runtime.as_secs_f64().ceil() as usize;
    let has_submission = worker.engine.has_submission();
    let parts = assignment.parts.clone();
    let mut recorder = Recorder::new(assignment.index, measure_ns, seconds, has_submission, parts);
    worker.run_until(times.end_ns.max(measure_ns + 1), Some(&mut recorder))?;
    let elapsed = Duration::from_nanos(clock.now_ns() - measure_ns);
    let after = observer.as_mut().map(|observer| observer.snapshot()).transpose()?;
    let behind = worker.clones.iter().map(|clone| clone.schedule.behind(times.end_ns)).sum();
    worker.drain(&mut recorder)?;
    let lines = worker.engine.finish()?;
    Ok(Outcome { sides: recorder.finish(), elapsed, behind, snapshots: before.zip(after), lines })
}

impl<'a, 'e> Worker<'a, 'e> {
    fn new(assignment: &'a Assignment<'a>, engine: &'e mut dyn Engine) -> Worker<'a, 'e> {
        let Assignment { job, clones, units, times, .. } = assignment;
        let depth = job.iodepth as usize;
        let clone = |(place, clone): (usize, usize)| CloneOfJob {
            idle: (place * depth..(place + 1) * depth).rev().collect(),
            pattern: Pattern::new(job, clone, *units),
            schedule: Schedule::new(job, clone, times.start_ns),
        };
        Worker {
            assignment,
            engine,
            under_way: vec![None; clones.len() * depth],
            clones: clones.clone().enumerate().map(clone).collect(),
            started: Vec::new(),
            done: Vec::new(),
            last_done_ns: times.start_ns,
        }
    }

    fn run_until(&mut self, end_ns: u64, mut recorder: Option<&mut Recorder>) -> Result<(), String> {
        loop {
            let now_ns = self.assignment.clock.now_ns();
            if now_ns >= end_ns {
                return Ok(());
            }
            if let Some(recorder) = &mut recorder {
                recorder.roll(now_ns);
            }
            let next_ns = self.start_due(now_ns)?.min(end_ns);
            self.turn(next_ns.saturating_sub(now_ns), recorder.as_deref_mut())?;
        }
    }

    /// Waits for what is under way.
    fn drain(&mut self, recorder: &mut Recorder) -> Result<(), String> {
        while self.under_way.iter().any(Option::is_some) {
            self.turn(TICK_NS, Some(recorder))?;
        }
        Ok(())
    }

    /// Begins whatever can and should begin. Returns when the next one is meant to, if that is soon.
    fn start_due(&mut self, now_ns: u64) -> Result<u64, String> {
        let mut next_ns = now_ns + TICK_NS;
        for clone in &mut self.clones {
            while let Some(slot) = clone.idle.last().copied() {
                let Some(intended_ns) = clone.schedule.take(now_ns) else { break };
                clone.idle.pop();
                let operation = clone.pattern.next().expect("a pattern has no end");
                let times = OperationTimes { intended_ns, issued_ns: now_ns, submitted_ns: now_ns };
                self.under_way[slot] = Some(UnderWay { direction: operation.direction, times });
                self.engine.start(slot, operation)?;
                self.started.push(slot);
            }
            if !clone.idle.is_empty() {
                next_ns = next_ns.min(clone.schedule.next_ns().unwrap_or(next_ns));
            }
        }
        Ok(next_ns)
    }

    fn turn(&mut self, timeout_ns: u64, mut recorder: Option<&mut Recorder>) -> Result<(), String> {
        let clock = self.assignment.clock;
        self.engine.submit()?;
        if self.engine.has_submission() && !self.started.is_empty() {
            let now_ns = clock.now_ns();
            for slot in &self.started {
                if let Some(under_way) = &mut self.under_way[*slot] {
                    under_way.times.submitted_ns = now_ns;
                }
            }
        }
        self.started.clear();
        self.engine.wait(Duration::from_nanos(timeout_ns.min(TICK_NS)), &mut self.done)?;
        let now_ns = clock.now_ns();
        for slot in self.done.drain(..) {
            let under_way = self.under_way[slot].take().expect("only what is under way can be done");
            if let Some(recorder) = &mut recorder {
                recorder.record(under_way.direction, under_way.times, now_ns);
            }
            self.clones[slot / self.assignment.job.iodepth as usize].idle.push(slot);
            self.last_done_ns = now_ns;
        }
        if self.under_way.iter().all(Option::is_none) {
            self.last_done_ns = now_ns;
        }
        if now_ns.saturating_sub(self.last_done_ns) > STALL_MAX_NS {
            let why = self.engine.stalled().unwrap_or_else(|| "no answer comes".to_owned());
            return Err(format!("nothing was done for {} s: {why}", STALL_MAX_NS / 1_000_000_000));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Operation;
    use crate::options::table;
    use std::sync::mpsc::sync_channel;

    /// Does everything at once, but stands still for a while at one operation.
    struct Stumbling {
        done: Vec<usize>,
        count: u64,
    }

    impl Engine for Stumbling {
        fn start(&mut self, slot: usize, _: Operation) -> Result<(), String> {
            self.count += 1;
            if self.count == 40 {
                std::thread::sleep(Duration::from_millis(200));
            }
            self.done.push(slot);
            Ok(())
        }

        fn submit(&mut self) -> Result<(), String> {
            Ok(())
        }

        fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
            if self.done.is_empty() {
                std::thread::sleep(timeout);
            }
            done.append(&mut self.done);
            Ok(())
        }

        fn has_submission(&self) -> bool {
            false
        }

        fn finish(&mut self) -> Result<Vec<String>, String> {
            Ok(vec!["finished".to_owned()])
        }
    }

    /// A pause of 200 ms at 200 operations a second must show in forty latencies, not in one: coordinated omission.
    #[test]
    fn what_waits_behind_a_slow_one_is_counted_under_a_rate() {
        let mut job = Job::default();
        table::set(&mut job, "rate_iops", "200").expect("known");
        table::set(&mut job, "runtime", "1").expect("known");
        let (sender, parts) = sync_channel(64);
        let clock = Clock::start();
        let times = Times { start_ns: 0, measure_ns: 0, end_ns: 1_000_000_000 };
        let assignment =
            Assignment { job: &job, index: 0, clones: 0..1, units: 10, times, clock, parts: sender };
        let outcome = run(&assignment, &mut Stumbling { done: Vec::new(), count: 0 }, None).expect("runs");
        let side = &outcome.sides[Direction::Write as usize];
        let slow = side.lat_ns.len() - side.lat_ns.count_between(0, 50_000_000);
        assert!(slow >= 25, "{slow} of {} operations were late", side.lat_ns.len());
        assert_eq!(side.clat_ns.len() - side.clat_ns.count_between(0, 150_000_000), 1);
        assert_eq!(outcome.lines, ["finished"]);
        assert!(parts.try_iter().count() >= 1);
    }
}

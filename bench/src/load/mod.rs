//! The load of a job: what is done when, by whom, and what is written down of it.
//!
//! [`worker`] is the loop: it keeps the clones of a job busy through an [`Engine`], or on their schedule
//! ([`pattern`]), and hands every time to the [`recorder`]. What an operation means is the engine's matter; engines
//! stand in [`crate::targets`].

pub mod pattern;
pub mod recorder;
pub mod worker;

use std::time::{Duration, Instant};

/// Read or write; a commit is a write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Direction {
    /// Something is read.
    Read,
    /// Something becomes durable.
    Write,
}

/// Both, as indexes go.
pub const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

/// One thing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Which way.
    pub direction: Direction,
    /// Block, page or row: below the job's units.
    pub unit: u64,
}

/// Carries operations out. Made and used on one thread.
///
/// A slot is one place for an operation under way: slots of clone `c` are `c * iodepth ..`. Call order: any number of
/// `start`s of idle slots, one `submit`, one `wait`, and again; `finish` when nothing is under way.
pub trait Engine {
    /// Takes an operation. One that can go only by blocking may be done here.
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String>;
    /// Sends what was taken.
    fn submit(&mut self) -> Result<(), String>;
    /// Waits for the first completion, at most so long; gives the slots of all that are done.
    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String>;
    /// Whether sending is a step of its own whose time is worth telling.
    fn has_submission(&self) -> bool;
    /// Why nothing comes, if the engine knows.
    fn stalled(&self) -> Option<String> {
        None
    }
    /// Checks what must hold afterwards; lines for the report.
    fn finish(&mut self) -> Result<Vec<String>, String>;
}

/// What is counted beside the load; on the first worker's thread.
pub trait Observer {
    /// Called where measuring begins and where it ends.
    fn snapshot(&mut self) -> Result<Snapshot, String>;
}

/// Totals at one time.
#[derive(Clone, Default, Debug)]
pub struct Snapshot {
    /// By name, summed over all daemons.
    pub counters: Vec<(String, u64)>,
    /// CPU time of the daemons.
    pub server_cpu: Option<crate::cpu::CpuTime>,
    /// Of this process.
    pub own: crate::cpu::Usage,
    /// What the target's lines are made of, by name.
    pub traffic: Vec<(&'static str, u64)>,
}

/// A clock that all workers of a run share.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts at zero.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn now_ns(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// When a job's load begins, is measured, and ends.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// First operations.
    pub start_ns: u64,
    /// From here on it counts.
    pub measure_ns: u64,
    /// No more operations.
    pub end_ns: u64,
}

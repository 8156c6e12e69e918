//! The loop of a shard thread: reap completions → feed the machines → carry out effects → submit → send → wait.
//!
//! One ring and one or more shards. Background work runs only in a turn that found the completion queue empty
//! (or when it has waited too long). Other threads reach a shard thread through [`StopHandle`] alone; it tells
//! them things through [`Control`].

use crate::clock::Clock;
use crate::log_sink::LogLine;
use crate::machine::Machine;
use crate::operation::{Operation, Source};
use crate::ring::{Completion, Features, OperationKey, Ring, RingError};
use crate::scheduling::ask_for_short_slices;
use crate::shard_loop::{ShardLoop, ShardPlan, TICK_US_MAX};
use hexalog_protocol::ShardIndex;
use hexalog_storage_core::effects::Now;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How long a clean stop may take before connections and machines are left as they are. An append takes
/// milliseconds; what waits longer is a device that does not answer or a client that does not receive.
const STOP_US_MAX: u64 = 3_000_000;
/// How long to wait afterwards for the kernel to end what is still in flight.
const DRAIN_US_MAX: u64 = 2_000_000;

/// What a shard thread has to tell.
#[derive(Debug)]
pub enum Notice {
    /// A shard accepts connections.
    Ready {
        /// Which.
        shard: ShardIndex,
    },
    /// A shard's machine cannot go on.
    Halted {
        /// Which.
        shard: ShardIndex,
        /// For the operator.
        reason: String,
        /// Whether it still answers reads.
        reads_go_on: bool,
    },
    /// A thread's ring failed or could not be made: its shards are gone.
    ThreadFailed(RingError),
    /// A thread panicked, which is a bug: the process should end.
    ThreadPanicked,
    /// A thread has ended; `clean` if its machines came to rest in time.
    Stopped {
        /// Whether everything was finished.
        clean: bool,
    },
}

/// How shard threads tell things to the control thread.
#[derive(Clone)]
pub struct Control {
    /// Takes lines for the operator.
    pub log: LogLine,
    notices: Sender<Notice>,
    wake: Arc<OwnedFd>,
}

impl Control {
    /// Notices go to `notices`; each also counts up the eventfd `wake`, so that the receiver can poll.
    pub fn new(log: LogLine, notices: Sender<Notice>, wake: Arc<OwnedFd>) -> Control {
        Control { log, notices, wake }
    }

    /// Tells something.
    pub fn tell(&self, notice: Notice) {
        // Without a receiver the process is about to end.
        if self.notices.send(notice).is_ok() {
            wake(&self.wake);
        }
    }
}

/// Makes an eventfd for [`Control`].
pub fn wake_descriptor() -> io::Result<Arc<OwnedFd>> {
    Ok(Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?))
}

fn wake(descriptor: &OwnedFd) {
    // Fails only when the count is full, and then the reader is awake.
    let _ = rustix::io::write(descriptor, &1u64.to_ne_bytes());
}

/// Stops a shard thread from another thread.
#[derive(Clone)]
pub struct StopHandle {
    stop: Arc<AtomicBool>,
    wake: Arc<OwnedFd>,
}

impl StopHandle {
    /// For a thread that is about to be started.
    pub fn new() -> io::Result<StopHandle> {
        Ok(StopHandle { stop: Arc::new(AtomicBool::new(false)), wake: wake_descriptor()? })
    }

    /// Begins a clean stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        wake(&self.wake);
    }
}

/// Runs shards on the calling thread until they are stopped, with all that its kernel has. Errors are told through `control`.
pub fn run_shards<M: Machine>(plans: Vec<ShardPlan<M>>, control: Control, stop: StopHandle) {
    run_shards_with(plans, Features::ALL, control, stop);
}

/// The same with what the kernel has of the features wanted.
pub fn run_shards_with<M: Machine>(
    plans: Vec<ShardPlan<M>>,
    wanted: Features,
    control: Control,
    stop: StopHandle,
) {
    let _guard = PanicGuard(control.clone());
    // Before the ring and the log writer are made: their threads inherit it.
    if let Err(error) = ask_for_short_slices() {
        (control.log)(&format!(
            "a shard thread is not allowed short time slices: {error}; it may wait for busy neighbours"
        ));
    }
    let notice = match ShardThread::start(plans, wanted, control.clone(), stop).and_then(ShardThread::run) {
        Ok(clean) => Notice::Stopped { clean },
        Err(error) => Notice::ThreadFailed(error),
    };
    control.tell(notice);
}

struct PanicGuard(Control);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.tell(Notice::ThreadPanicked);
        }
    }
}

struct ShardThread<M> {
    // Shards come first: their sockets close before the ring does.
    shards: Vec<ShardLoop<M>>,
    ring: Ring,
    clock: Clock,
    stop: StopHandle,
    wake: Option<OperationKey>,
    completions: Vec<Completion>,
    next_background: usize,
}

impl<M: Machine> ShardThread<M> {
    fn start(
        plans: Vec<ShardPlan<M>>,
        wanted: Features,
        control: Control,
        stop: StopHandle,
    ) -> Result<ShardThread<M>, RingError> {
        let mut ring = Ring::with(wanted)?;
        (control.log)(&format!("a shard thread's ring: {}", ring.features()));
        let clock = Clock::start();
        let now = clock.now();
        let mut shards = Vec::with_capacity(plans.len());
        for (slot, plan) in plans.into_iter().enumerate() {
            shards.push(ShardLoop::start(slot, plan, control.clone(), &mut ring, now)?);
        }
        let mut thread = ShardThread {
            shards,
            ring,
            clock,
            stop,
            wake: None,
            completions: Vec::with_capacity(1024),
            next_background: 0,
        };
        thread.await_wake();
        Ok(thread)
    }

    fn await_wake(&mut self) {
        let descriptor = self.stop.wake.as_fd().as_raw_fd();
        self.wake = Some(self.ring.start(Operation::Wake { descriptor, count: Box::new([0; 8]) }));
    }

    /// The loop. True: everything was finished.
    fn run(mut self) -> Result<bool, RingError> {
        while !self.stop.stop.load(Ordering::Acquire) {
            self.turn(TICK_US_MAX)?;
        }
        let now = self.clock.now();
        self.shards.iter_mut().for_each(|shard| shard.begin_stop(&mut self.ring, now));
        let clean =
            self.turns_until(STOP_US_MAX, |thread| thread.shards.iter().all(ShardLoop::is_stopped))?;
        self.shards.iter_mut().for_each(ShardLoop::abort);
        if let Some(wake) = self.wake.take() {
            self.ring.cancel(wake);
        }
        let drained = self.turns_until(DRAIN_US_MAX, |thread| thread.ring.in_flight() == 0)?;
        Ok(clean && drained)
    }

    /// Turns until `done`, at most for `us_max`. Whether it came.
    fn turns_until(&mut self, us_max: u64, done: impl Fn(&Self) -> bool) -> Result<bool, RingError> {
        let deadline = self.clock.now().monotonic_us + us_max;
        while !done(self) {
            if self.clock.now().monotonic_us >= deadline {
                return Ok(false);
            }
            self.turn(10_000)?;
        }
        Ok(true)
    }

    /// One turn of the loop; waits at most `wait_us_max` for something to happen.
    fn turn(&mut self, wait_us_max: u64) -> Result<(), RingError> {
        let timeout = self.timeout(wait_us_max);
        let mut completions = std::mem::take(&mut self.completions);
        // A send that ended without a word is no sign of load.
        let completions_empty = self.ring.wait(timeout, &mut completions).map_err(RingError::Other)? == 0;
        let now = self.clock.now();
        for completion in completions.drain(..) {
            self.dispatch(completion, now);
        }
        self.completions = completions;
        for shard in &mut self.shards {
            shard.turn(&mut self.ring, now);
        }
        self.background(now, completions_empty);
        Ok(())
    }

    /// How long nothing has to be done; `None`: something is to be done at once.
    fn timeout(&self, wait_us_max: u64) -> Option<Duration> {
        let now_us = self.clock.now().monotonic_us;
        let at_us = self.shards.iter().map(ShardLoop::wake_at_us).min().unwrap_or(u64::MAX);
        match at_us.saturating_sub(now_us).min(wait_us_max) {
            0 => None,
            wait_us => Some(Duration::from_micros(wait_us)),
        }
    }

    fn dispatch(&mut self, completion: Completion, now: Now) {
        let (key, part, result) = match completion {
            Completion::Message(slot) => return self.shards[slot as usize].on_writer(&mut self.ring, now),
            Completion::Ended { key, part, result } => (key, part, result),
            Completion::Repeated { key, result, buffer, goes_on } => {
                let source = self.ring.source(key);
                let (Source::Listener(shard) | Source::Connection(shard, _)) = source;
                self.shards[shard].on_repeated(&mut self.ring, now, source, (result, buffer), goes_on);
                if !goes_on {
                    // Only now: until its connection knows that it has ended, its key must not be another's.
                    self.ring.take(key);
                }
                return;
            }
        };
        if let Some((shard, _)) = self.ring.device(key) {
            return self.shards[shard].on_device(&mut self.ring, now, key, part, result);
        }
        match self.ring.take(key) {
            Operation::Wake { .. } => {
                self.wake = None;
                if !self.stop.stop.load(Ordering::Acquire) {
                    self.await_wake();
                }
            }
            operation => {
                let shard = operation.shard().expect("all but the wake-up belong to a shard");
                self.shards[shard].on_network(&mut self.ring, now, operation, result);
            }
        }
    }

    /// One slice for one shard, in turns.
    fn background(&mut self, now: Now, completions_empty: bool) {
        let count = self.shards.len();
        for step in 0..count {
            let index = (self.next_background + step) % count;
            if self.shards[index].wants_background(now, completions_empty) {
                // What was said in this turn is not to wait for it.
                self.ring.submit_sends();
                self.shards[index].background(&mut self.ring, now);
                self.next_background = index + 1;
                return;
            }
        }
    }
}

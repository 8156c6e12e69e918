//! The daemon's threads: shard threads, the one that pre-writes logs, and the one that gets extents their space.

use crate::exit::{Code, Failure};
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::log_preparation;
use hexalog_storage_driver::shard_loop::ShardPlan;
use hexalog_storage_driver::space::{self, Space};
use hexalog_storage_driver::thread::{Control, StopHandle, run_shards};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Shard threads that run.
pub struct ShardThreads {
    handles: Vec<(StopHandle, JoinHandle<()>)>,
}

impl ShardThreads {
    /// Deals the shards out to threads in turn and starts them; with `pin`, each keeps to one core, counted from
    /// `node` on so that the daemons of one machine do not all begin with the same.
    pub fn start(
        plans: Vec<ShardPlan<Shard>>,
        threads: usize,
        pin: bool,
        node: u32,
        control: &Control,
    ) -> Result<ShardThreads, Failure> {
        let mut sets: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, plan) in plans.into_iter().enumerate() {
            sets[index % threads].push(plan);
        }
        let cores = cores();
        let mut handles = Vec::new();
        for (index, set) in sets.into_iter().enumerate() {
            let core = (pin && !cores.is_empty()).then(|| cores[(node as usize + index) % cores.len()]);
            let fail = |error| Failure::new(Code::Failed, format!("cannot start a shard thread: {error}"));
            let stop = StopHandle::new().map_err(fail)?;
            let (control, thread_stop) = (control.clone(), stop.clone());
            let run = move || {
                if let Some(core) = core {
                    pin_to(core, &control);
                }
                run_shards(set, control, thread_stop);
            };
            let thread = Builder::new().name(format!("shards-{index}")).spawn(run).map_err(fail)?;
            handles.push((stop, thread));
        }
        Ok(ShardThreads { handles })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// Asks all to stop cleanly.
    pub fn stop(&self) {
        self.handles.iter().for_each(|(stop, _)| stop.stop());
    }

    /// Waits until all have ended. A panic was told as a notice already.
    pub fn join(self) {
        for (_, thread) in self.handles {
            let _ = thread.join();
        }
    }
}

/// The cores that this process may use.
pub fn cores() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect(),
        Err(_) => Vec::new(),
    }
}

fn pin_to(core: usize, control: &Control) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(errno) = sched_setaffinity(None, &set) {
        (control.log)(&format!("a shard thread cannot be kept to core {core}: {errno}"));
    }
}

/// A log that is not yet pre-written to its end.
pub struct UnpreparedLog {
    /// The log file.
    pub file: File,
    /// Where it is told how far it is.
    pub space: Arc<Space>,
    /// Where to begin.
    pub from: u64,
    /// Size of the log.
    pub log_bytes: u64,
    /// Unit.
    pub piece_bytes: u64,
}

/// How often the file system is asked what it has left, and a want of space tried again.
const SPACE_PAUSE: Duration = Duration::from_secs(1);

/// The extents of one shard.
pub struct GrowingExtents {
    /// Their file.
    pub file: File,
    /// What they have and want.
    pub space: Arc<Space>,
    /// What they may have.
    pub extents_bytes: u64,
}

/// The thread that gets extents their space, ahead of what is written there, for as long as the file system has some.
pub struct SpaceKeeper {
    wants: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SpaceKeeper {
    /// A queue of one wish: more would say the same.
    pub fn wishes() -> (SyncSender<()>, Receiver<()>) {
        sync_channel(1)
    }

    /// Starts it, fed by the other end of `wants`. It ends when that is dropped and with it the last shard's.
    pub fn start(
        wants: SyncSender<()>,
        wishes: Receiver<()>,
        mut all: Vec<GrowingExtents>,
        control: &Control,
    ) -> Result<SpaceKeeper, Failure> {
        let control = control.clone();
        let run = move || {
            let mut told = String::new();
            while wishes.recv_timeout(SPACE_PAUSE) != Err(RecvTimeoutError::Disconnected) {
                let results = all.iter().map(|it| space::keep_up(&it.file, it.extents_bytes, &it.space));
                let said = results.fold(String::new(), |said, result| match result {
                    Ok(()) => said,
                    Err(error) => error.to_string(),
                });
                if said != told && !said.is_empty() {
                    (control.log)(&format!("the file system gives no more space for page versions: {said}"));
                }
                told = said;
                all.retain(|it| it.space.extents_backed_bytes.load(Ordering::Acquire) < it.extents_bytes);
            }
        };
        let fail = |error| Failure::new(Code::Failed, format!("cannot start a thread: {error}"));
        let thread = Builder::new().name("space".to_owned()).spawn(run).map_err(fail)?;
        Ok(SpaceKeeper { wants: Some(wants), thread: Some(thread) })
    }
}

impl Drop for SpaceKeeper {
    fn drop(&mut self) {
        self.wants = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread that pre-writes what is left of the logs, one after the other.
pub struct LogPreparation {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LogPreparation {
    /// Starts it. Without room on the file system the shards are told, and it is tried again every second.
    pub fn start(logs: Vec<UnpreparedLog>, control: &Control) -> LogPreparation {
        let stop = Arc::new(AtomicBool::new(false));
        if logs.is_empty() {
            return LogPreparation { stop, thread: None };
        }
        let (control, thread_stop) = (control.clone(), stop.clone());
        let run = move || {
            logs.iter().for_each(|log| prepare_log(log, &thread_stop, &control));
        };
        let thread = Builder::new().name("log-preparation".to_owned()).spawn(run).ok();
        LogPreparation { stop, thread }
    }
}

fn prepare_log(log: &UnpreparedLog, stop: &AtomicBool, control: &Control) {
    let prepared_bytes = &log.space.log_prepared_bytes;
    let mut is_told = false;
    loop {
        let from = prepared_bytes.load(Ordering::Acquire).max(log.from);
        let (to, piece) = (log.log_bytes, log.piece_bytes);
        let prepared = log_preparation::prepare(&log.file, from, to, piece, prepared_bytes, stop, true);
        log.space.log_is_cut_short.store(prepared.is_err(), Ordering::Release);
        let Err(error) = prepared else { return };
        if !is_told {
            (control.log)(&format!(
                "a log cannot be pre-written to its end, tried again every second: {error}"
            ));
            is_told = true;
        }
        for _ in 0..10 {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(SPACE_PAUSE / 10);
        }
    }
}

impl Drop for LogPreparation {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

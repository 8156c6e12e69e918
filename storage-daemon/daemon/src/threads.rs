//! The daemon's threads: shard threads, and the one that pre-writes logs.

use crate::exit::{Code, Failure};
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::log_preparation;
use hexalog_storage_driver::shard_loop::ShardPlan;
use hexalog_storage_driver::thread::{Control, StopHandle, run_shards};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::{Builder, JoinHandle};

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
    /// How far it is; raised as it goes on.
    pub prepared_bytes: Arc<AtomicU64>,
    /// Where to begin.
    pub from: u64,
    /// Size of the log.
    pub log_bytes: u64,
    /// Unit.
    pub piece_bytes: u64,
}

/// The thread that pre-writes what is left of the logs, one after the other.
pub struct LogPreparation {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LogPreparation {
    /// Starts it. Without room on the file system it gives up with a line: the shards go on in what there is.
    pub fn start(logs: Vec<UnpreparedLog>, control: &Control) -> LogPreparation {
        let stop = Arc::new(AtomicBool::new(false));
        if logs.is_empty() {
            return LogPreparation { stop, thread: None };
        }
        let (control, thread_stop) = (control.clone(), stop.clone());
        let run = move || {
            for log in logs {
                let (from, to, piece) = (log.from, log.log_bytes, log.piece_bytes);
                let prepared = log_preparation::prepare(
                    &log.file,
                    from,
                    to,
                    piece,
                    &log.prepared_bytes,
                    &thread_stop,
                    true,
                );
                if let Err(error) = prepared {
                    (control.log)(&format!(
                        "a log cannot be pre-written to its end, and stays shorter: {error}"
                    ));
                }
            }
        };
        let thread = Builder::new().name("log-preparation".to_owned()).spawn(run).ok();
        LogPreparation { stop, thread }
    }
}

impl Drop for LogPreparation {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

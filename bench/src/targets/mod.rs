//! What can be measured, one module each.
//!
//! A target is prepared once, on the job's own thread; it then makes an engine for each worker, on the worker's thread,
//! and tells what was counted beside the load.

pub mod device;
pub mod node;
pub mod sql;
pub mod volume;

use crate::load::{Engine, Observer, Snapshot};
use crate::options::{Job, Target};
use std::ops::Range;
use std::path::Path;

/// A target that is ready for its load.
pub trait Prepared: Sync {
    /// How many workers, threads that is, share the job's clones.
    fn workers(&self) -> usize;
    /// Blocks, pages or rows that operations go to.
    fn units(&self) -> u64;
    /// For the report's first line.
    fn description(&self) -> String;
    /// What one write is called: record, commit, write.
    fn unit_name(&self) -> &'static str;
    /// The engine of the worker with these clones; called on its thread.
    fn engine(&self, clones: Range<usize>) -> Result<Box<dyn Engine + '_>, String>;
    /// Called on the first worker's thread, after its engine was made.
    fn observer(&self) -> Result<Box<dyn Observer + '_>, String>;
    /// Further lines of the report, for `ios` operations between two snapshots.
    fn lines(&self, ios: u64, before: &Snapshot, after: &Snapshot) -> Vec<String>;
    /// Daemons that can come to harm.
    fn cluster(&self) -> Option<&volume::cluster::Cluster> {
        None
    }
}

/// Sets a job's target up. Daemons that must be started are `program` under the name hexalogd.
pub fn prepare<'a>(job: &'a Job, program: &Path) -> Result<Box<dyn Prepared + 'a>, String> {
    Ok(match job.target {
        Target::Device => Box::new(device::prepare(job)?),
        Target::Node => Box::new(node::prepare(job)),
        Target::Volume => Box::new(volume::prepare(job, program)?),
        Target::Sql => Box::new(sql::prepare(job)?),
    })
}

/// Counts what this process and named others use, and nothing else.
pub(crate) struct CpuObserver {
    pub pids: Vec<u32>,
}

impl Observer for CpuObserver {
    fn snapshot(&mut self) -> Result<Snapshot, String> {
        Ok(Snapshot {
            server_cpu: crate::cpu::CpuTime::of_all(&self.pids),
            own: crate::cpu::Usage::own(),
            ..Snapshot::default()
        })
    }
}

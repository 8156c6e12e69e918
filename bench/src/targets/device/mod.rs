//! A file or block device: durable writes one behind the other, and reads.
//!
//! A write is done when it is durable: its flush is part of it, as in the daemon. Which engine carries it out is the
//! job's choice ([`hexalog`], [`sync`], and the runtimes behind features). A file is written in full before it is
//! used: what an extending write costs is the file system's journal, and the daemon's log is pre-written too.

#[cfg(feature = "glommio")]
mod glommio;
mod hexalog;
mod sync;
#[cfg(feature = "tokio-uring")]
mod tokio_uring;

use super::{CpuObserver, Prepared};
use crate::load::{Engine, Observer, Snapshot};
use crate::options::{BLOCK_BYTES, IoEngine, Job};
use hexalog_storage_driver::durability::{DurabilityPath, ProbeReport, probe};
use hexalog_storage_format::aligned::AlignedBuffer;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// A file is laid out in pieces of this size.
const PIECE_BYTES: u64 = 1 << 20;

/// A file that is there in full.
pub struct Device<'a> {
    job: &'a Job,
    path: &'a Path,
    units: u64,
    /// Only the daemon's driver has a choice to make.
    durability: Option<ProbeReport>,
}

/// Lays the file out and chooses the durability path.
pub fn prepare(job: &Job) -> Result<Device<'_>, String> {
    let path = job.filename.as_deref().expect("checked with the options");
    let is_built = match job.ioengine {
        IoEngine::Hexalog | IoEngine::Sync => true,
        IoEngine::Glommio => cfg!(feature = "glommio"),
        IoEngine::TokioUring => cfg!(feature = "tokio-uring"),
    };
    if !is_built {
        let name = job.ioengine.name();
        return Err(format!(
            "ioengine={name} is not in this build: cargo build --release -p hexalog-bench --features {name}"
        ));
    }
    let cannot = |error: std::io::Error| format!("cannot use {}: {error}", path.display());
    let bytes = lay_out(job, path).map_err(cannot)?;
    let units = bytes / job.bs();
    if units < u64::from(job.numjobs) {
        return Err(format!(
            "{} holds {bytes} bytes: not one block of {} for each clone",
            path.display(),
            job.bs()
        ));
    }
    let is_file = std::fs::metadata(path).map_err(cannot)?.is_file();
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let durability = (job.ioengine == IoEngine::Hexalog && job.load().writes() && job.fdatasync && is_file)
        .then(|| probe(directory, job.direct))
        .transpose()
        .map_err(|error| format!("cannot probe {}: {error}", directory.display()))?;
    Ok(Device { job, path, units, durability })
}

/// Makes sure that the bytes are there and written; returns how many are used.
fn lay_out(job: &Job, path: &Path) -> std::io::Result<u64> {
    let is_device = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_block_device());
    let is_there = path.exists();
    if !is_there && job.size.is_none() {
        return Err(std::io::Error::other("there is no such file; with size it would be made"));
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(job.load().writes() || !is_device)
        .create(!is_device)
        .truncate(false)
        .open(path)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    let wanted = job.size.unwrap_or(bytes);
    if wanted > bytes && is_device {
        return Err(std::io::Error::other(format!("size is more than the device's {bytes} bytes")));
    }
    let piece = vec![0xab; PIECE_BYTES as usize];
    let mut at = bytes;
    while at < wanted {
        let count = PIECE_BYTES.min(wanted - at);
        file.write_all_at(&piece[..count as usize], at)?;
        at += count;
    }
    file.sync_all()?;
    Ok(wanted)
}

impl Device<'_> {
    fn open(&self) -> Result<File, String> {
        let flags = if self.job.direct { rustix::fs::OFlags::DIRECT.bits() as i32 } else { 0 };
        let mut options = OpenOptions::new();
        options.read(true).write(self.job.load().writes()).custom_flags(flags);
        options.open(self.path).map_err(|error| {
            let hint = if self.job.direct { "; a file system without O_DIRECT needs direct=0" } else { "" };
            format!("cannot open {}: {error}{hint}", self.path.display())
        })
    }

    #[cfg(feature = "glommio")]
    fn glommio(&self) -> Result<Box<dyn Engine + '_>, String> {
        Ok(Box::new(glommio::Executor::new(self.job, self.path)?))
    }

    #[cfg(feature = "tokio-uring")]
    fn tokio_uring(&self) -> Result<Box<dyn Engine + '_>, String> {
        Ok(Box::new(tokio_uring::Tasks::new(self.job, self.open()?)?))
    }

    #[cfg(not(feature = "glommio"))]
    fn glommio(&self) -> Result<Box<dyn Engine + '_>, String> {
        unreachable!("refused when the target was prepared")
    }

    #[cfg(not(feature = "tokio-uring"))]
    fn tokio_uring(&self) -> Result<Box<dyn Engine + '_>, String> {
        unreachable!("refused when the target was prepared")
    }

    fn durability(&self) -> DurabilityPath {
        self.durability.map_or(DurabilityPath::LinkedFlush, |report| report.path)
    }
}

impl Prepared for Device<'_> {
    fn workers(&self) -> usize {
        self.job.numjobs as usize
    }

    fn units(&self) -> u64 {
        self.units
    }

    fn description(&self) -> String {
        let Job { ioengine, direct, fdatasync, .. } = self.job;
        let (direct, flush) = (u8::from(*direct), u8::from(*fdatasync));
        format!("{}, ioengine={}, direct={direct}, fdatasync={flush}", self.path.display(), ioengine.name())
    }

    fn unit_name(&self) -> &'static str {
        "write"
    }

    fn engine(&self, _clones: Range<usize>) -> Result<Box<dyn Engine + '_>, String> {
        match self.job.ioengine {
            IoEngine::Hexalog => {
                Ok(Box::new(hexalog::Queue::new(self.job, &self.open()?, self.durability())?))
            }
            IoEngine::Sync => Ok(Box::new(sync::Calls::new(self.job, self.open()?))),
            IoEngine::Glommio => self.glommio(),
            IoEngine::TokioUring => self.tokio_uring(),
        }
    }

    fn observer(&self) -> Result<Box<dyn Observer + '_>, String> {
        Ok(Box::new(CpuObserver { pids: self.job.server_pid.clone() }))
    }

    fn lines(&self, _: u64, _: &Snapshot, _: &Snapshot) -> Vec<String> {
        let path = |report: ProbeReport| format!("durability: {:?} (probe: {report})", report.path);
        self.durability.map(path).into_iter().collect()
    }
}

/// A buffer of one operation, with content that is not all zeros: devices treat those as nothing.
fn filled_buffer(job: &Job) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::zeroed(job.bs() as usize);
    for (block, bytes) in buffer.bytes_mut().chunks_mut(BLOCK_BYTES as usize).enumerate() {
        bytes.fill((block as u8) ^ 0xab);
    }
    buffer
}

/// What tasks of a runtime have finished, and who waits for it.
#[cfg(any(feature = "glommio", feature = "tokio-uring"))]
#[derive(Default)]
struct Finished {
    slots: std::cell::RefCell<Vec<(usize, Result<(), String>)>>,
    waker: std::cell::RefCell<Option<std::task::Waker>>,
}

#[cfg(any(feature = "glommio", feature = "tokio-uring"))]
impl Finished {
    fn put(&self, slot: usize, result: Result<(), String>) {
        self.slots.borrow_mut().push((slot, result));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn poll(&self, context: &std::task::Context<'_>) -> std::task::Poll<()> {
        if !self.slots.borrow().is_empty() {
            return std::task::Poll::Ready(());
        }
        *self.waker.borrow_mut() = Some(context.waker().clone());
        std::task::Poll::Pending
    }

    fn take(&self, done: &mut Vec<usize>) -> Result<(), String> {
        for (slot, result) in self.slots.borrow_mut().drain(..) {
            result?;
            done.push(slot);
        }
        Ok(())
    }
}

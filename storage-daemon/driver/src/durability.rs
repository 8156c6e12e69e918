//! The choice between the ways to make a log write durable.
//!
//! All keep the same promise; which one is faster depends on the device. A write-back cache without FUA makes each flush the
//! whole cache; with FUA, RWF_DSYNC on a pre-written file needs no flush at all. A linked fsync goes through one of the kernel's
//! worker threads; a write with RWF_DSYNC is flushed where it completes; a thread of our own keeps out of the way of both.
//! So all are tried at start.

use crate::areas::open_area;
use crate::device_queue::DeviceQueue;
use crate::scheduling::ask_for_short_slices;
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How a log write is made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DurabilityPath {
    /// A WRITE request with an FSYNC(DATASYNC) request linked behind it.
    LinkedFlush,
    /// A WRITE request with RWF_DSYNC.
    DsyncWrite,
    /// A thread that calls `pwritev2` with RWF_DSYNC.
    DsyncThread,
}

/// What the probe measured.
#[derive(Clone, Copy, Debug)]
pub struct ProbeReport {
    /// Median of a 4 KiB write with a linked flush.
    pub linked_us: u64,
    /// Median of one with RWF_DSYNC.
    pub dsync_write_us: u64,
    /// Median of a 4 KiB write by the thread; `None` if this kernel does not let it wake a ring.
    pub dsync_thread_us: Option<u64>,
    /// The path chosen.
    pub path: DurabilityPath,
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProbeReport { linked_us, dsync_write_us, .. } = self;
        write!(
            f,
            "a durable 4 KiB write takes {linked_us} us with a linked fsync, {dsync_write_us} us with RWF_DSYNC, "
        )?;
        match self.dsync_thread_us {
            Some(us) => write!(f, "{us} us by a thread of its own"),
            None => write!(f, "and this kernel lets no thread wake a ring"),
        }
    }
}

/// Name of the file that the probe writes to and removes again.
pub const PROBE_FILE: &str = "durability-probe";
/// Bytes that the probe writes over.
pub const PROBE_BYTES: u64 = 1 << 20;
/// Rounds of one write each way. Enough for a median on a noisy device.
const ROUNDS_MAX: usize = 48;
/// On a slow disk fewer rounds must do: six daemons that start on one machine probe one after the other.
const PROBE_TIME_MAX: Duration = Duration::from_millis(100);

/// Times both paths on a pre-written file in `directory`, which it makes and removes.
pub fn probe(directory: &Path, direct: bool) -> io::Result<ProbeReport> {
    let path = directory.join(PROBE_FILE);
    let mut file = File::create(&path)?;
    file.write_all(&vec![0; PROBE_BYTES as usize])?;
    file.sync_all()?;
    drop(file);
    let report = open_area(&path, direct).and_then(|file| probe_file(&file, 0));
    std::fs::remove_file(&path)?;
    report
}

/// Times both paths on [`PROBE_BYTES`] of an open file, which are written over: in turns so that noise meets both alike, and
/// from a thread that is scheduled as a shard's.
pub fn probe_file(file: &File, offset: u64) -> io::Result<ProbeReport> {
    let measuring = || {
        // Refused, it is refused to shard threads too, and they tell.
        let _ = ask_for_short_slices();
        measure(file, offset)
    };
    let measured =
        std::thread::scope(|scope| scope.spawn(measuring).join().expect("the probe does not panic"));
    let (linked_us, dsync_write_us, dsync_thread_us) = measured?;
    let path = choose(linked_us, dsync_write_us, dsync_thread_us);
    Ok(ProbeReport { linked_us, dsync_write_us, dsync_thread_us, path })
}

/// The thread takes a second core's time: it must be a quarter faster to pay. Of the others the faster one.
fn choose(linked_us: u64, dsync_write_us: u64, dsync_thread_us: Option<u64>) -> DurabilityPath {
    let (best_us, best) = if dsync_write_us <= linked_us {
        (dsync_write_us, DurabilityPath::DsyncWrite)
    } else {
        (linked_us, DurabilityPath::LinkedFlush)
    };
    let is_faster = dsync_thread_us.is_some_and(|thread_us| thread_us * 4 < best_us * 3);
    if is_faster { DurabilityPath::DsyncThread } else { best }
}

fn measure(file: &File, base: u64) -> io::Result<(u64, u64, Option<u64>)> {
    let mut linked = (DeviceQueue::new(file, DurabilityPath::LinkedFlush)?, Vec::new());
    let mut dsync = (DeviceQueue::new(file, DurabilityPath::DsyncWrite)?, Vec::new());
    let mut thread =
        DeviceQueue::new(file, DurabilityPath::DsyncThread).ok().map(|queue| (queue, Vec::new()));
    let mut buffer = AlignedBuffer::zeroed(BLOCK_BYTES);
    let begin = Instant::now();
    for round in 0..ROUNDS_MAX {
        if round > 0 && begin.elapsed() >= PROBE_TIME_MAX {
            break;
        }
        let offset = base + (round * BLOCK_BYTES) as u64 % PROBE_BYTES;
        for (queue, times) in [&mut linked, &mut dsync].into_iter().chain(&mut thread) {
            let at = Instant::now();
            buffer = durable_write(queue, offset, buffer)?;
            times.push(at.elapsed());
        }
    }
    let median = |(_, mut times): (DeviceQueue, Vec<Duration>)| {
        times.sort_unstable();
        times[times.len() / 2].as_micros() as u64
    };
    Ok((median(linked), median(dsync), thread.map(median)))
}

/// Returns the buffer for the next round.
fn durable_write(queue: &mut DeviceQueue, offset: u64, buffer: AlignedBuffer) -> io::Result<AlignedBuffer> {
    queue.write(0, offset, buffer, true);
    let mut ended = Vec::new();
    while ended.is_empty() {
        queue.wait(Some(Duration::from_secs(1)), &mut ended)?;
    }
    let ended = ended.remove(0);
    ended.result.map_err(io::Error::from_raw_os_error)?;
    Ok(ended.buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_must_be_clearly_faster_to_be_chosen() {
        use DurabilityPath::{DsyncThread, DsyncWrite, LinkedFlush};
        for (linked, write, thread, expected) in [
            (200, 200, Some(200), DsyncWrite),
            (200, 210, Some(160), LinkedFlush),
            (200, 120, Some(100), DsyncWrite),
            (200, 160, Some(40), DsyncThread),
            (200, 300, None, LinkedFlush),
            (0, 0, Some(0), DsyncWrite),
        ] {
            assert_eq!(choose(linked, write, thread), expected, "{linked} us, {write} us, {thread:?} us");
        }
    }

    #[test]
    fn the_probe_measures_all_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let report = probe(directory.path(), false).expect("probes");
        assert!(report.linked_us > 0);
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 0);
    }
}

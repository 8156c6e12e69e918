//! The second way to make a log write durable: a thread that does `pwritev2(RWF_DSYNC)`.
//!
//! Buffers move to the thread and back over channels; a message to the shard thread's ring says that
//! something is there to be fetched. If a message cannot be delivered, the shard's next tick finds the result
//! all the same. On a device that honours FUA this saves the flush of the whole write cache; where RWF_DSYNC
//! means write and flush, it still keeps io_uring's worker pool out of the way under CPU contention.

use crate::ring::{Ring, RingError, RingMessenger};
use crate::transfer::{Step, Transfer};
use hexalog_storage_core::effects::{IoResult, IoToken};
use hexalog_storage_format::aligned::AlignedBuffer;
use rustix::io::{ReadWriteFlags, pwritev2};
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::RawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Work for the thread. Their number is bounded by the appends that a machine keeps in flight.
pub(crate) enum WriterJob {
    /// Write the whole buffer, durably if `flush`.
    Write { token: IoToken, offset: u64, buffer: AlignedBuffer, flush: bool },
    /// Make what was written durable.
    Flush { token: IoToken },
}

/// A job that ended; a bare flush has no buffer.
pub(crate) struct WriterResult {
    pub token: IoToken,
    pub result: IoResult,
    pub buffer: Option<AlignedBuffer>,
}

/// The thread's handle. Dropping it lets the thread finish its queue and waits for it.
pub(crate) struct WriterThread {
    jobs: Option<Sender<WriterJob>>,
    results: Receiver<WriterResult>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    /// Starts the thread for `file`; results are announced to `ring` with `message`.
    pub(crate) fn start(file: File, ring: &Ring, message: u32) -> Result<WriterThread, RingError> {
        let (jobs, job_queue) = channel();
        let (result_sender, results) = channel();
        let (started_sender, started) = channel();
        let descriptor = ring.descriptor();
        let run = move || {
            let messenger = match RingMessenger::new() {
                Ok(messenger) => messenger,
                Err(error) => return drop(started_sender.send(Err(error))),
            };
            drop(started_sender.send(Ok(())));
            run(&file, job_queue, &result_sender, messenger, descriptor, message);
        };
        let name = format!("log-writer-{message}");
        let thread = std::thread::Builder::new().name(name).spawn(run).map_err(RingError::Other)?;
        match started.recv() {
            Ok(Ok(())) => Ok(WriterThread { jobs: Some(jobs), results, thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RingError::Other(std::io::Error::other("the log writer thread ended at once"))),
        }
    }

    /// Queues a job; jobs are started in this order.
    pub(crate) fn submit(&self, job: WriterJob) {
        let jobs = self.jobs.as_ref().expect("present until drop");
        jobs.send(job).expect("the log writer thread ends only when its queue is closed");
    }

    /// A job that has ended, if there is one.
    pub(crate) fn result(&self) -> Option<WriterResult> {
        self.results.try_recv().ok()
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed; there is nobody else to tell while dropping.
            drop(thread.join());
        }
    }
}

fn run(
    file: &File,
    jobs: Receiver<WriterJob>,
    results: &Sender<WriterResult>,
    mut messenger: RingMessenger,
    ring: RawFd,
    message: u32,
) {
    for job in jobs {
        let result = match job {
            WriterJob::Write { token, offset, buffer, flush } => {
                let result = write(file, offset, buffer.bytes(), flush);
                WriterResult { token, result, buffer: Some(buffer) }
            }
            WriterJob::Flush { token } => {
                let result = match file.sync_data() {
                    Ok(()) => IoResult::Done,
                    Err(error) => IoResult::Failed(error.raw_os_error().unwrap_or(libc::EIO)),
                };
                WriterResult { token, result, buffer: None }
            }
        };
        if results.send(result).is_err() {
            return;
        }
        // An undeliverable message delays the result until the shard's next tick, no more.
        drop(messenger.send(ring, message));
    }
}

/// Writes all of `bytes`; with `durable` each part is on stable storage when its call returns.
fn write(file: &File, offset: u64, bytes: &[u8], durable: bool) -> IoResult {
    let flags = if durable { ReadWriteFlags::DSYNC } else { ReadWriteFlags::empty() };
    let mut transfer =
        if durable { Transfer::dsync_write(bytes.len()) } else { Transfer::write(bytes.len(), false) };
    loop {
        let done = transfer.done();
        let parts = [IoSlice::new(&bytes[done..])];
        let result = match pwritev2(file, &parts, offset + done as u64, flags) {
            Ok(count) => count as i32,
            Err(errno) => -errno.raw_os_error(),
        };
        match transfer.on_transferred(result) {
            Step::Again => {}
            Step::Done => return IoResult::Done,
            Step::Failed(errno) => return IoResult::Failed(errno),
            Step::NoSpace => return IoResult::NoSpace,
            Step::Wait | Step::EndOfFile(_) => unreachable!("a write without a linked flush"),
        }
    }
}

//! Reads and writes of one file, carried out as a shard's are: for the probe of the durability path, and for who
//! measures what a device gives through this driver.
//!
//! Owns a ring and one file. It has no machine behind it: the caller chooses offsets, keeps the number of operations in
//! flight within reason, and takes each buffer back with its result.

use crate::areas::AreaFiles;
use crate::disk::Disk;
use crate::durability::DurabilityPath;
use crate::ring::{Completion, Ring};
use hexalog_storage_core::effects::{Area, Event, IoResult, IoToken};
use hexalog_storage_format::aligned::AlignedBuffer;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// An operation that has ended.
#[derive(Debug)]
pub struct Ended {
    /// As it was started with.
    pub token: u64,
    /// Its memory; what was read stands in it.
    pub buffer: AlignedBuffer,
    /// The errno of a failure.
    pub result: Result<(), i32>,
}

/// Operations on one file. Used by the thread that made it.
pub struct DeviceQueue {
    ring: Ring,
    disk: Disk,
    completions: Vec<Completion>,
}

impl DeviceQueue {
    /// Over an open file, direct or not.
    pub fn new(file: &File, path: DurabilityPath) -> io::Result<DeviceQueue> {
        let mut ring = Ring::new().map_err(io::Error::other)?;
        let disk = Disk::new(0, AreaFiles::of_one(file)?, path, &mut ring).map_err(io::Error::other)?;
        Ok(DeviceQueue { ring, disk, completions: Vec::new() })
    }

    /// Queues a write of the whole buffer, durable when it ends if `flush`.
    pub fn write(&mut self, token: u64, offset: u64, buffer: AlignedBuffer, flush: bool) {
        self.disk.write(&mut self.ring, IoToken(token), Area::Log, offset, buffer, flush);
    }

    /// Queues a read that fills the buffer.
    pub fn read(&mut self, token: u64, offset: u64, buffer: AlignedBuffer) {
        self.disk.read(&mut self.ring, IoToken(token), Area::Extents, offset, buffer);
    }

    /// Has an eventfd written to when something has ended, for who waits for sockets too.
    pub fn signal(&self, eventfd: BorrowedFd<'_>) -> io::Result<()> {
        self.ring.signal(eventfd)
    }

    /// Operations that have not ended.
    pub fn in_flight(&self) -> usize {
        self.disk.in_flight()
    }

    /// Submits what is queued and gathers what has ended. With a timeout, waits that long for the first one; without,
    /// returns at once.
    pub fn wait(&mut self, timeout: Option<Duration>, ended: &mut Vec<Ended>) -> io::Result<()> {
        let mut completions = std::mem::take(&mut self.completions);
        self.ring.wait(timeout, &mut completions)?;
        for completion in completions.drain(..) {
            let event = match completion {
                Completion::Ended { key, part, result } => {
                    self.disk.on_completion(&mut self.ring, key, part, result)
                }
                Completion::Repeated { .. } => unreachable!("files have no such operations"),
                // The writer thread's: its results are fetched below, whether or not a message came through.
                Completion::Message(_) => None,
            };
            ended.extend(event.and_then(as_ended));
        }
        self.completions = completions;
        while let Some(event) = self.disk.writer_result() {
            ended.extend(as_ended(event));
        }
        Ok(())
    }
}

fn as_ended(event: Event<'static>) -> Option<Ended> {
    let (Event::Written(IoToken(token), result, buffer) | Event::Read(IoToken(token), result, buffer)) =
        event
    else {
        return None;
    };
    let result = match result {
        IoResult::Done => Ok(()),
        IoResult::Failed(errno) => Err(errno),
        IoResult::NoSpace => Err(libc::ENOSPC),
    };
    Some(Ended { token, buffer, result })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_storage_format::aligned::BLOCK_BYTES;

    #[test]
    fn what_was_written_is_read_back_on_every_path() {
        for path in [DurabilityPath::LinkedFlush, DurabilityPath::DsyncWrite, DurabilityPath::DsyncThread] {
            let mut file = tempfile::tempfile().expect("a temporary file");
            io::Write::write_all(&mut file, &[0; 4 * BLOCK_BYTES]).expect("writes");
            let mut queue = DeviceQueue::new(&file, path).expect("io_uring is there");
            let mut buffer = AlignedBuffer::zeroed(BLOCK_BYTES);
            buffer.bytes_mut().fill(7);
            queue.write(1, BLOCK_BYTES as u64, buffer, true);
            let written = one(&mut queue);
            assert_eq!((written.token, written.result), (1, Ok(())));
            queue.read(2, BLOCK_BYTES as u64, AlignedBuffer::zeroed(BLOCK_BYTES));
            let read = one(&mut queue);
            assert_eq!((read.token, read.result), (2, Ok(())));
            assert!(read.buffer.bytes().iter().all(|byte| *byte == 7));
            assert_eq!(queue.in_flight(), 0);
        }
    }

    fn one(queue: &mut DeviceQueue) -> Ended {
        let mut ended = Vec::new();
        while ended.is_empty() {
            queue.wait(Some(Duration::from_secs(20)), &mut ended).expect("waits");
        }
        assert_eq!(ended.len(), 1);
        ended.remove(0)
    }
}

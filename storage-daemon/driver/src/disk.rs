//! Carries out what a machine wants of its device: writes, flushes, reads of the three areas.
//!
//! Operations of one area are started in the order of the effects: all go into one submission queue, but for
//! the log area on the writer-thread path, where all writes and flushes go into that thread's queue instead.
//! What "done" means is decided in [`crate::transfer`].

use crate::areas::AreaFiles;
use crate::durability::DurabilityPath;
use crate::operation::{DeviceOperation, FileName, Operation, Part, ShardSlot};
use crate::ring::{OperationKey, Ring, RingError};
use crate::transfer::{Step, Transfer};
use crate::writer_thread::{WriterJob, WriterThread};
use hexalog_storage_core::effects::{Area, Event, IoResult, IoToken};
use hexalog_storage_format::aligned::AlignedBuffer;
use std::os::fd::{AsFd, AsRawFd};

/// A shard's device.
pub struct Disk {
    shard: ShardSlot,
    files: AreaFiles,
    /// What requests call the files: superblock, log, extents.
    names: [FileName; 3],
    /// Present on the writer-thread path.
    log_writer: Option<WriterThread>,
    /// Writes to the log that are to be durable are made so by RWF_DSYNC.
    is_dsync: bool,
    in_flight: usize,
}

impl Disk {
    /// Over open files, with the durability path chosen for the log area.
    pub(crate) fn new(
        shard: ShardSlot,
        files: AreaFiles,
        path: DurabilityPath,
        ring: &mut Ring,
    ) -> Result<Disk, RingError> {
        let log_writer = match path {
            DurabilityPath::LinkedFlush | DurabilityPath::DsyncWrite => None,
            DurabilityPath::DsyncThread => {
                let log = files.file(Area::Log).try_clone().map_err(RingError::Other)?;
                Some(WriterThread::start(log, ring, shard as u32)?)
            }
        };
        let names = [Area::Superblock, Area::Log, Area::Extents].map(|area| {
            let file = files.file(area);
            let registered = ring.register_file(file.as_fd()).map(FileName::Registered);
            registered.unwrap_or(FileName::Descriptor(file.as_raw_fd()))
        });
        let is_dsync = path == DurabilityPath::DsyncWrite;
        Ok(Disk { shard, files, names, log_writer, is_dsync, in_flight: 0 })
    }

    /// Operations that the machine has not been told the end of.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Starts a write.
    pub(crate) fn write(
        &mut self,
        ring: &mut Ring,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
        flush: bool,
    ) {
        self.in_flight += 1;
        let offset = self.files.offset_in_file(area, offset, buffer.len());
        match self.writer(area) {
            Some(writer) => writer.submit(WriterJob::Write { token, offset, buffer, flush }),
            None => {
                let transfer = if flush && self.is_dsync && area == Area::Log {
                    Transfer::dsync_write(buffer.len())
                } else {
                    // Else the completion of the write alone would wake the loop for nothing.
                    Transfer::write(buffer.len(), flush).quiet(ring.skips_successes())
                };
                self.start(ring, token, area, offset, Some(buffer), transfer, false);
            }
        }
    }

    /// Starts a flush.
    pub(crate) fn flush(&mut self, ring: &mut Ring, token: IoToken, area: Area) {
        self.in_flight += 1;
        match self.writer(area) {
            Some(writer) => writer.submit(WriterJob::Flush { token }),
            None => self.start(ring, token, area, 0, None, Transfer::write(0, true), false),
        }
    }

    /// Starts a read.
    pub(crate) fn read(
        &mut self,
        ring: &mut Ring,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
    ) {
        self.in_flight += 1;
        let offset = self.files.offset_in_file(area, offset, buffer.len());
        let transfer = Transfer::read(buffer.len());
        self.start(ring, token, area, offset, Some(buffer), transfer, true);
    }

    fn writer(&self, area: Area) -> Option<&WriterThread> {
        self.log_writer.as_ref().filter(|_| area == Area::Log)
    }

    #[allow(clippy::too_many_arguments)] // the fields of one struct, filled in from three places
    fn start(
        &mut self,
        ring: &mut Ring,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: Option<AlignedBuffer>,
        transfer: Transfer,
        is_read: bool,
    ) {
        let [superblock, log, extents] = self.names;
        let file = match area {
            Area::Superblock => superblock,
            Area::Log => log,
            Area::Extents => extents,
        };
        let shard = self.shard;
        ring.start(Operation::Device(DeviceOperation {
            shard,
            token,
            file,
            offset,
            buffer,
            is_read,
            transfer,
        }));
    }

    /// A request of a device operation ended. Tells what the machine is to be told, if the operation is over.
    pub(crate) fn on_completion(
        &mut self,
        ring: &mut Ring,
        key: OperationKey,
        part: Part,
        result: i32,
    ) -> Option<Event<'static>> {
        let (_, transfer) = ring.device(key).expect("the caller looked");
        let step = match part {
            Part::Main => transfer.on_transferred(result),
            Part::Flush => transfer.on_flushed(result),
        };
        let result = match step {
            Step::Wait => return None,
            Step::Again => {
                ring.start_again(key);
                return None;
            }
            Step::Done | Step::EndOfFile(_) => IoResult::Done,
            Step::Failed(errno) => IoResult::Failed(errno),
            Step::NoSpace => IoResult::NoSpace,
        };
        let Operation::Device(mut operation) = ring.take(key) else { unreachable!("it was one above") };
        self.in_flight -= 1;
        if let (Step::EndOfFile(at), Some(buffer)) = (step, &mut operation.buffer) {
            // The log file ends where it has been pre-written so far; beyond, it reads as the zeros that
            // will be there.
            buffer.bytes_mut()[at..].fill(0);
        }
        Some(ended(operation.token, result, operation.buffer, operation.is_read))
    }

    /// What the writer thread has finished, if anything.
    pub(crate) fn writer_result(&mut self) -> Option<Event<'static>> {
        let result = self.log_writer.as_ref()?.result()?;
        self.in_flight -= 1;
        Some(ended(result.token, result.result, result.buffer, false))
    }
}

fn ended(token: IoToken, result: IoResult, buffer: Option<AlignedBuffer>, is_read: bool) -> Event<'static> {
    match buffer {
        Some(buffer) if is_read => Event::Read(token, result, buffer),
        Some(buffer) => Event::Written(token, result, buffer),
        None => Event::Flushed(token, result),
    }
}

//! The storage daemon's own driver.

use super::filled_buffer;
use crate::load::{Direction, Engine, Operation};
use crate::options::Job;
use hexalog_storage_driver::device_queue::{DeviceQueue, Ended};
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_format::aligned::AlignedBuffer;
use std::fs::File;
use std::time::Duration;

/// A ring with a buffer for each slot.
pub(super) struct Queue {
    queue: DeviceQueue,
    bs: u64,
    flush: bool,
    buffers: Vec<Option<AlignedBuffer>>,
    ended: Vec<Ended>,
}

impl Queue {
    pub(super) fn new(job: &Job, file: &File, path: DurabilityPath) -> Result<Queue, String> {
        let queue = DeviceQueue::new(file, path).map_err(|error| error.to_string())?;
        let buffers = (0..job.iodepth).map(|_| Some(filled_buffer(job))).collect();
        Ok(Queue { queue, bs: job.bs(), flush: job.fdatasync, buffers, ended: Vec::new() })
    }
}

impl Engine for Queue {
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String> {
        let buffer = self.buffers[slot].take().expect("an idle slot has its buffer");
        let (token, offset) = (slot as u64, operation.unit * self.bs);
        match operation.direction {
            Direction::Read => self.queue.read(token, offset, buffer),
            Direction::Write => self.queue.write(token, offset, buffer, self.flush),
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), String> {
        self.queue.wait(None, &mut self.ended).map_err(|error| format!("io_uring: {error}"))
    }

    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
        if self.ended.is_empty() {
            let waited = self.queue.wait(Some(timeout), &mut self.ended);
            waited.map_err(|error| format!("io_uring: {error}"))?;
        }
        for ended in self.ended.drain(..) {
            ended.result.map_err(|errno| {
                format!("an operation failed: {}", std::io::Error::from_raw_os_error(errno))
            })?;
            self.buffers[ended.token as usize] = Some(ended.buffer);
            done.push(ended.token as usize);
        }
        Ok(())
    }

    fn has_submission(&self) -> bool {
        true
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        assert_eq!(self.queue.in_flight(), 0, "called when nothing is under way");
        Ok(Vec::new())
    }
}

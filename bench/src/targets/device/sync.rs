//! Plain system calls: pread, pwrite, fdatasync.

use super::filled_buffer;
use crate::load::{Direction, Engine, Operation};
use crate::options::Job;
use hexalog_storage_format::aligned::AlignedBuffer;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// One operation at a time, done where it is started.
pub(super) struct Calls {
    file: File,
    bs: u64,
    flush: bool,
    buffer: AlignedBuffer,
    done: Option<usize>,
}

impl Calls {
    pub(super) fn new(job: &Job, file: File) -> Calls {
        Calls { file, bs: job.bs(), flush: job.fdatasync, buffer: filled_buffer(job), done: None }
    }
}

impl Engine for Calls {
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String> {
        let offset = operation.unit * self.bs;
        let ended = match operation.direction {
            Direction::Read => self.file.read_exact_at(self.buffer.bytes_mut(), offset),
            Direction::Write => self
                .file
                .write_all_at(self.buffer.bytes(), offset)
                .and_then(|()| if self.flush { self.file.sync_data() } else { Ok(()) }),
        };
        ended.map_err(|error| format!("an operation failed: {error}"))?;
        self.done = Some(slot);
        Ok(())
    }

    fn submit(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
        match self.done.take() {
            Some(slot) => done.push(slot),
            // Nothing was to be done yet: the schedule's next time comes.
            None => std::thread::sleep(timeout),
        }
        Ok(())
    }

    fn has_submission(&self) -> bool {
        false
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

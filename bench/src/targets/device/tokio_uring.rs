//! tokio-uring: a runtime for each worker, a task for each operation.

use super::{BLOCK_BYTES, Finished};
use crate::load::{Direction, Engine, Operation};
use crate::options::Job;
use std::fs::File;
use std::rc::Rc;
use std::time::Duration;
use tokio_uring::buf::{BoundedBuf, Slice};

/// Tasks live on while the worker does other things; they run within `wait`.
pub(super) struct Tasks {
    runtime: tokio_uring::Runtime,
    file: Option<Rc<tokio_uring::fs::File>>,
    bs: u64,
    flush: bool,
    queued: Vec<(usize, Operation)>,
    finished: Rc<Finished>,
}

impl Tasks {
    pub(super) fn new(job: &Job, file: File) -> Result<Tasks, String> {
        let runtime = tokio_uring::Runtime::new(&tokio_uring::builder());
        let runtime = runtime.map_err(|error| format!("tokio-uring cannot start: {error}"))?;
        Ok(Tasks {
            runtime,
            file: Some(Rc::new(tokio_uring::fs::File::from_std(file))),
            bs: job.bs(),
            flush: job.fdatasync,
            queued: Vec::new(),
            finished: Rc::default(),
        })
    }
}

/// O_DIRECT wants aligned memory, and the runtime knows vectors: a part of a larger one that is.
fn aligned_buffer(bs: u64) -> Slice<Vec<u8>> {
    let memory = vec![0xab_u8; (bs + BLOCK_BYTES) as usize];
    let start = memory.as_ptr().align_offset(BLOCK_BYTES as usize);
    memory.slice(start..start + bs as usize)
}

async fn operate(
    file: &tokio_uring::fs::File,
    operation: Operation,
    bs: u64,
    flush: bool,
) -> Result<(), String> {
    let offset = operation.unit * bs;
    let done = match operation.direction {
        Direction::Read => file.read_at(aligned_buffer(bs), offset).await.0,
        Direction::Write => match file.write_at(aligned_buffer(bs), offset).submit().await.0 {
            Ok(written) if flush => file.sync_data().await.map(|()| written),
            other => other,
        },
    };
    match done {
        Ok(count) if count as u64 == bs => Ok(()),
        Ok(count) => Err(format!("an operation moved {count} bytes of {bs}")),
        Err(error) => Err(format!("an operation failed: {error}")),
    }
}

impl Engine for Tasks {
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String> {
        self.queued.push((slot, operation));
        Ok(())
    }

    fn submit(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
        let (queued, bs, flush) = (std::mem::take(&mut self.queued), self.bs, self.flush);
        let (file, finished) = (&self.file, &self.finished);
        self.runtime.block_on(async move {
            for (slot, operation) in queued {
                let (file, finished) = (file.clone().expect("open until the end"), Rc::clone(finished));
                tokio_uring::spawn(async move {
                    finished.put(slot, operate(&file, operation, bs, flush).await);
                });
            }
            // Nothing may have ended by then.
            let _ =
                tokio::time::timeout(timeout, std::future::poll_fn(|context| finished.poll(context))).await;
        });
        self.finished.take(done)
    }

    fn has_submission(&self) -> bool {
        false
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        self.file = None;
        Ok(Vec::new())
    }
}

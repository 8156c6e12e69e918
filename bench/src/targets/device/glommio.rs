//! glommio: an executor for each worker, a task for each operation.

use super::{BLOCK_BYTES, Finished};
use crate::load::{Direction, Engine, Operation};
use crate::options::Job;
use glommio::io::{DmaFile, OpenOptions};
use glommio::timer::Timer;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// Tasks live on while the worker does other things; they run within `wait`.
pub(super) struct Executor {
    executor: LocalExecutor,
    file: Option<Rc<DmaFile>>,
    bs: u64,
    flush: bool,
    queued: Vec<(usize, Operation)>,
    finished: Rc<Finished>,
}

impl Executor {
    pub(super) fn new(job: &Job, path: &Path) -> Result<Executor, String> {
        if !job.direct {
            return Err("ioengine=glommio has O_DIRECT only".to_owned());
        }
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        let executor = executor.map_err(|error| format!("glommio cannot start: {error}"))?;
        let (path, writes) = (path.to_owned(), job.load().writes());
        let opened =
            executor.run(async move { OpenOptions::new().read(true).write(writes).dma_open(&path).await });
        let file = opened.map_err(|error| format!("glommio cannot open the file: {error}"))?;
        assert!(job.bs().is_multiple_of(BLOCK_BYTES), "checked with the options");
        Ok(Executor {
            executor,
            file: Some(Rc::new(file)),
            bs: job.bs(),
            flush: job.fdatasync,
            queued: Vec::new(),
            finished: Rc::default(),
        })
    }
}

async fn operate(file: &DmaFile, operation: Operation, bs: u64, flush: bool) -> Result<(), String> {
    let offset = operation.unit * bs;
    let done = match operation.direction {
        Direction::Read => file.read_at_aligned(offset, bs as usize).await.map(|read| read.len()),
        Direction::Write => {
            let mut buffer = file.alloc_dma_buffer(bs as usize);
            buffer.as_bytes_mut().fill(0xab);
            match file.write_at(buffer, offset).await {
                Ok(written) if flush => file.fdatasync().await.map(|()| written),
                other => other,
            }
        }
    };
    match done {
        Ok(count) if count as u64 == bs => Ok(()),
        Ok(count) => Err(format!("an operation moved {count} bytes of {bs}")),
        Err(error) => Err(format!("an operation failed: {error}")),
    }
}

impl Engine for Executor {
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
        self.executor.run(async move {
            for (slot, operation) in queued {
                let (file, finished) = (file.clone().expect("open until the end"), Rc::clone(finished));
                let task = async move { finished.put(slot, operate(&file, operation, bs, flush).await) };
                glommio::spawn_local(task).detach();
            }
            let mut timer = pin!(Timer::new(timeout));
            std::future::poll_fn(|context| match finished.poll(context) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => timer.as_mut().poll(context).map(drop),
            })
            .await;
        });
        self.finished.take(done)
    }

    fn has_submission(&self) -> bool {
        false
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        if let Some(file) = self.file.take() {
            let closed = self.executor.run(async move { file.close_rc().await });
            closed.map_err(|error| format!("glommio cannot close the file: {error}"))?;
        }
        Ok(Vec::new())
    }
}

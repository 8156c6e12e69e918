//! Blocking calls of clients that are asynchronous: one thread with a runtime, and callers that wait for it.
//!
//! Owns the thread. Callers may be any threads, those of another runtime too; at most [`CALLS_MAX`] wait at once.

use crate::metadata::MetadataError;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Calls that may be under way at once. Metadata has a handful of callers; more of them are a bug somewhere, and better told than queued.
const CALLS_MAX: usize = 64;
/// How much longer than its own limit a call is waited for: the runtime's thread may have to wait for a core.
const LATE_MAX: Duration = Duration::from_secs(1);

/// The runtime of one store's client.
pub(crate) struct Remote {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    calls: AtomicUsize,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoAnswer {
    /// It was not begun.
    NotBegun,
    /// It did not end in its time.
    Late,
}

impl Remote {
    /// Starts the thread.
    pub(crate) fn start() -> Result<Remote, MetadataError> {
        let cannot =
            |error: std::io::Error| MetadataError::Unavailable(format!("cannot start a client: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        // The runtime ends where it ran: it must not be dropped in the midst of another one.
        let run = move || drop(runtime.block_on(stopped));
        let thread = std::thread::Builder::new().name("metadata".to_owned()).spawn(run).map_err(cannot)?;
        Ok(Remote { handle, stop: Some(stop), thread: Some(thread), calls: AtomicUsize::new(0) })
    }

    /// Runs `future`, which ends within `limit` by itself, and waits for it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        limit: Duration,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        if self.calls.fetch_add(1, Ordering::Relaxed) >= CALLS_MAX {
            self.calls.fetch_sub(1, Ordering::Relaxed);
            return Err(NoAnswer::NotBegun);
        }
        let (sender, receiver) = sync_channel(1);
        self.handle.spawn(async move {
            // Nobody may be waiting any more.
            let _ = sender.send(future.await);
        });
        let answer = receiver.recv_timeout(limit + LATE_MAX).map_err(|_| NoAnswer::Late);
        self.calls.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Runs `future` beside the calls, as long as it wants and this lives.
    #[cfg(feature = "etcd")]
    pub(crate) fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        self.handle.spawn(future).abort_handle()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends at once: what it ran is dropped where it waits.
            let _ = thread.join();
        }
    }
}

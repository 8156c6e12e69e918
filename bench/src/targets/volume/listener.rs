//! What the driver tells the load.

use hexalog_protocol::ids::WriterId;
use hexalog_protocol::{Lsn, NodeId, Page, PageId};
use hexalog_volume::effects::ReadFailure;
use hexalog_volume_driver::Listener;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A page that was asked for, and the read point it is at.
pub type Answer = (PageId, Lsn, Result<Page, ReadFailure>);

/// Gathers answers and wakes the load, once for all that came in a turn of the driver.
#[derive(Default)]
pub struct LoadListener {
    pages: Mutex<Vec<Answer>>,
    pub changed: Notify,
}

impl LoadListener {
    /// Answers since the last call.
    pub fn take_pages(&self) -> Vec<Answer> {
        std::mem::take(&mut *self.pages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is handed to the driver.
pub struct ListenerHandle(pub Arc<LoadListener>);

impl Listener for ListenerHandle {
    fn page(&self, page: PageId, read_point: Lsn, image: Result<Page, ReadFailure>, _: Option<NodeId>) {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner).push((page, read_point, image));
        self.0.changed.notify_one();
    }

    fn vdl_advanced(&self, _vdl: Lsn) {
        self.0.changed.notify_one();
    }

    fn log_space_freed(&self) {
        self.0.changed.notify_one();
    }

    fn fenced(&self, _by: WriterId) {
        self.0.changed.notify_one();
    }

    fn log(&self, text: &str) {
        eprintln!("volume: {text}");
    }
}

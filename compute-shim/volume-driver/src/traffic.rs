//! What went over the sockets: for status and for measurements of what a commit costs.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start, over all connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Send calls that took bytes.
    pub sends: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Receive calls that brought bytes.
    pub receives: u64,
    /// Bytes received.
    pub bytes_received: u64,
}

/// Written by the driver's task alone, read from anywhere: no order between the counts is promised.
#[derive(Default)]
pub(crate) struct Counters {
    sends: AtomicU64,
    bytes_sent: AtomicU64,
    receives: AtomicU64,
    bytes_received: AtomicU64,
}

impl Counters {
    pub(crate) fn sent(&self, bytes: usize) {
        self.sends.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.receives.fetch_add(1, Ordering::Relaxed);
        self.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Traffic {
        Traffic {
            sends: self.sends.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            receives: self.receives.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
        }
    }
}

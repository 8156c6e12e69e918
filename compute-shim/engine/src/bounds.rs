//! What the engine bounds, and how much of it is in use; and the commits that it remembers. For tests and the simulator,
//! which ask after every event.

use crate::engine::Engine;
use crate::locks::ROW_LOCKS_MAX;
use crate::undo::FINISHED_MAX;
use hexalog_protocol::Lsn;

impl Engine {
    /// What grows with what is asked of it, as (name, use, bound).
    pub fn bounds(&self) -> Vec<(&'static str, u64, u64)> {
        let locks = self.locks.usage();
        // Everything that can wait for a lock, or hold one, has a snapshot's slot.
        let transactions = self.snapshots.count() as u64;
        let (parked, parked_max) = self.parked.usage();
        let mut bounds = vec![
            ("frames", self.cache.frames_used() as u64, self.cache.frame_count() as u64),
            ("pages in frames", self.cache.entries() as u64, self.cache.frame_count() as u64),
            ("parked operations", parked as u64, parked_max as u64),
            ("waits for locks and streams", locks.waits as u64, transactions),
            ("explicit row locks", locks.row_locks as u64, ROW_LOCKS_MAX as u64),
        ];
        if let Some(opened) = self.opened.get() {
            let streams = u64::from(opened.streams.count());
            bounds.extend([
                ("undo streams in use", opened.streams.open_count(), streams),
                ("prepared transactions", self.prepared.len() as u64, self.prepared_most() as u64),
                ("transactions to undo", self.rollbacks.len() as u64, streams),
                (
                    "finished transactions of a stream",
                    opened.streams.finished_most() as u64,
                    FINISHED_MAX as u64,
                ),
            ]);
        }
        bounds
    }

    /// Commit LSNs above `lsn` that are remembered, by no order.
    pub fn commits_above(&self, lsn: Lsn) -> Vec<Lsn> {
        self.opened.get().map_or_else(Vec::new, |opened| opened.streams.commits_above(lsn))
    }
}

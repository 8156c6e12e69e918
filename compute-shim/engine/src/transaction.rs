//! A transaction as its session holds it: plain data, `Send`, one `&mut` at a time.

use crate::types::Isolation;
use hexalog_protocol::Lsn;

/// One transaction of one session.
#[derive(Debug)]
pub struct Transaction {
    pub(crate) isolation: Isolation,
    pub(crate) read_only: bool,
    pub(crate) dep_lsn: Lsn,
    pub(crate) commit_with_next_write: bool,
}

impl Transaction {
    /// Highest commit, not yet durable, that what this transaction was told rests on: rows and data-dependent
    /// errors may go to a client only when VDL has reached it. Zero: none.
    pub fn dep_lsn(&self) -> Lsn {
        self.dep_lsn
    }

    /// Set before a single-statement transaction's last write is applied: row change, undo and commit are
    /// then one mini-transaction. `commit` must still be called, and returns the commit's LSN.
    pub fn set_commit_with_next_write(&mut self, on: bool) {
        self.commit_with_next_write = on;
    }

    /// Whether anything has been written.
    pub fn has_written(&self) -> bool {
        false
    }

    /// The transaction's isolation level.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Whether writes fail with 25006.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }
}

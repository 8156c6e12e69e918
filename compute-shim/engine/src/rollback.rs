//! Abort, and undoing what an aborted or lost transaction wrote.
//!
//! Owns the queue of transactions to be undone. An undo record applies only if the row still carries its
//! (TxId, undo offset), so it may be applied by anyone, in any order between rows, any number of times: the
//! background goes through a transaction from its last record to its first, a writer who meets a version
//! undoes that one at once. Each application is a mini-transaction of its own. When the last is done the
//! header becomes ABORTED and the stream is free. After a crash the same work begins again from the end of
//! the transaction's records.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step, Stop};
use crate::layout::tree_page::TreePage;
use crate::layout::undo_page::{RECORDS_START, byte_of, logical_of, offset_of, records_from};
use crate::layout::undo_record::{HEADER_COMMIT_LSN, HEADER_STATE, STATE_ABORTED, UndoRecord};
use crate::mini_transaction::MiniTransaction;
use crate::transaction::{State, Transaction};
use crate::tree::edit;
use crate::types::{RowVersion, TreeId, TxId};
use crate::undo::{Finished, OpenState};
use hexalog_protocol::PageId;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// A transaction of at most this many records is undone by its own abort call: some 100 us of work.
pub(crate) const INLINE_RECORDS_MAX: u64 = 64;

/// A transaction on its way to be undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RollbackJob {
    pub tx_id: TxId,
    /// Records at or above it are undone.
    pub position: u64,
}

/// Transactions to be undone.
#[derive(Default)]
pub(crate) struct RollbackQueue(Mutex<VecDeque<RollbackJob>>);

impl RollbackQueue {
    pub fn push(&self, job: RollbackJob) {
        self.0.lock().push_back(job);
    }

    pub fn pop(&self) -> Option<RollbackJob> {
        self.0.lock().pop_front()
    }

    pub fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Engine {
    /// Aborts: drops locks at once; small ones are undone at once, others in the background. Never waits.
    pub fn abort(&self, txn: &mut Transaction) -> Step<()> {
        let _call = Call::enter();
        assert_ne!(txn.state, State::Ended, "a transaction ends once");
        let tx_id = match (txn.state, txn.tx_id) {
            (State::Active, Some(tx_id)) => tx_id,
            _ => {
                // Nothing written, or committed already by a fused write: there is nothing to undo.
                self.release(txn);
                return Ok(());
            }
        };
        {
            let mut stream = self.streams().stream(tx_id.stream()).lock();
            let open = stream.open.as_mut().expect("a transaction that has written is open");
            assert_eq!(open.offset, tx_id.offset());
            open.state = OpenState::Undoing;
        }
        let records = txn.undo_records;
        self.counters.aborts.fetch_add(1, Ordering::Relaxed);
        self.release(txn);
        self.undo_aborted(tx_id, records);
        Ok(())
    }

    /// The transaction is being undone, and its locks have fallen: a small one is undone here.
    pub(crate) fn undo_aborted(&self, tx_id: TxId, records: u64) {
        let position = self.streams().stream(tx_id.stream()).lock().head;
        let mut job = RollbackJob { tx_id, position };
        if records <= INLINE_RECORDS_MAX && !self.is_fenced() {
            let done = self.operate_alone(|access| {
                for _ in 0..=records {
                    if access.rollback_step(&mut job)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            });
            if done == Ok(true) {
                return;
            }
        }
        self.rollbacks.push(job);
    }

    /// Undoes up to `steps` records of the transaction first in the queue. False: the queue is empty.
    pub(crate) fn rollback_slice(&self, steps: &mut u32) -> Step<bool> {
        let Some(mut job) = self.rollbacks.pop() else {
            return Ok(false);
        };
        let result = self.operate_alone(|access| {
            while *steps > 0 {
                *steps -= 1;
                if access.rollback_step(&mut job)? {
                    return Ok(true);
                }
            }
            Ok(false)
        });
        match result {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.rollbacks.push(job);
                Ok(true)
            }
            Err(stop) => {
                // A failure too: the transaction stays open, and whoever needs its rows is told.
                self.rollbacks.push(job);
                Err(stop)
            }
        }
    }
}

impl Access<'_> {
    /// Undoes the last record below the job's position. True: the transaction is wholly undone.
    pub fn rollback_step(&mut self, job: &mut RollbackJob) -> Step<bool> {
        let offset = self.record_below(job.tx_id, job.position)?;
        if offset == job.tx_id.offset() {
            self.finish_abort(job.tx_id)?;
            return Ok(true);
        }
        self.undo_version(RowVersion { tx_id: job.tx_id, undo: offset })?;
        job.position = offset;
        Ok(false)
    }

    /// Where the transaction's last record below `position` stands: at last its header.
    pub fn record_below(&mut self, tx_id: TxId, mut position: u64) -> Step<u64> {
        let start = tx_id.offset();
        assert!(position > start, "the header is the last to be reached");
        let mut logical = logical_of(position - 1);
        if byte_of(position - 1) < RECORDS_START {
            // The page's first record is undone: go on at the end of the page before.
            logical -= 1;
            position = offset_of(logical + 1, 0);
        }
        let first = if logical == logical_of(start) { byte_of(start) } else { RECORDS_START };
        let page = self.undo_page(tx_id.stream(), logical)?;
        let below = records_from(page.bytes(), first)
            .take_while(|(byte, _)| offset_of(logical, *byte) < position)
            .last();
        below.map(|(byte, _)| offset_of(logical, byte)).ok_or_else(|| self.broken_stream())
    }

    fn broken_stream(&self) -> Stop {
        EngineError::Corrupt { page: PageId(0), what: "an undo page without the transaction's records" }
            .into()
    }

    /// Undoes one version if it is still in place. The transaction is aborted or lost, or takes its own
    /// changes back.
    pub fn undo_version(&mut self, version: RowVersion) -> Step<()> {
        let mut record = Vec::new();
        self.undo_record(version.tx_id.stream(), version.undo, &mut record)?;
        let decoded = UndoRecord::decode(&record).map_err(|_| self.broken_stream())?;
        let (tree, key) = match &decoded {
            UndoRecord::Insert { tree, key } => (TreeId(*tree), *key),
            UndoRecord::Change(change) => (TreeId(change.tree), change.key),
            // Pages of a tree that was created are freed by purge; a drop needs nothing undone.
            UndoRecord::Created { .. } | UndoRecord::Dropped { .. } | UndoRecord::Freed => return Ok(()),
            // It was to be prepared, or was.
            UndoRecord::Prepared(_) | UndoRecord::Locks(_) => return Ok(()),
            UndoRecord::Transaction { .. } => return Err(self.broken_stream()),
        };
        loop {
            let leaf = self.leaf_exclusive(tree, key)?;
            let view = TreePage(leaf.bytes());
            let Ok(index) = view.search(key) else {
                return Ok(());
            };
            let cell = view.leaf_cell(index);
            if cell.header.version != version {
                return Ok(());
            }
            let change = match &decoded {
                UndoRecord::Change(change) => Some(change),
                _ => None,
            };
            let mut body = cell.body.to_vec();
            if let Some(change) = change {
                change.body.restore(&mut body).map_err(|_| self.broken_stream())?;
                if !edit::room_to_replace(view, index, body.len()) {
                    self.split(tree, leaf, None, key, true)?;
                    continue;
                }
            }
            let is_over = match change {
                Some(change) => self.is_seen_by_all(&change.previous)?,
                None => true,
            };
            let mut mini = MiniTransaction::begin(self.engine)?;
            let slot = mini.add(leaf);
            match change.filter(|_| !is_over) {
                Some(change) => edit::replace_row(&mut mini, slot, index, &change.previous, Some(&body)),
                // Nothing was there, or a mark that purge has come by.
                None => edit::remove_cell(&mut mini, slot, index),
            }
            mini.commit(&mut |_, _| {});
            self.engine.counters.rows_undone.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
    }

    /// Every version is undone: the header becomes ABORTED and the stream is free.
    fn finish_abort(&mut self, tx_id: TxId) -> Step<()> {
        let engine = self.engine;
        let header_page = {
            let stream = engine.streams().stream(tx_id.stream()).lock();
            let open = stream.open.expect("a transaction being undone is open");
            assert_eq!((open.offset, open.state), (tx_id.offset(), OpenState::Undoing));
            open.header_page
        };
        let page = self.exclusive(header_page)?;
        let mut mini = MiniTransaction::begin(engine)?;
        let slot = mini.add(page);
        let header = byte_of(tx_id.offset());
        mini.write(slot, header + HEADER_STATE, &[STATE_ABORTED]);
        mini.write_commit_lsn(slot, header + HEADER_COMMIT_LSN);
        mini.commit(&mut |_, lsn| {
            let mut stream = engine.streams().stream(tx_id.stream()).lock();
            let end = stream.head;
            stream.finish(Finished { offset: tx_id.offset(), end, lsn, aborted: true, needs_purge: true });
        });
        engine.locks.release_stream(tx_id.stream());
        Ok(())
    }
}

//! Savepoints: a place in a transaction that it can go back to.
//!
//! Owns [`Savepoint`] (an undo offset and the lengths of the lock lists) and the way back: the transaction's undo is
//! applied from its end down to that offset, each record by the same rule as in an abort, and the locks taken since
//! fall. There are no subtransactions: the undone records stay in the stream, and whoever comes by them again (a later
//! abort, or the rollback of a loser after a crash) finds rows that no longer carry their undo offset. Names and
//! nesting are above the engine. Read [`crate::rollback`] for how one record is undone.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{Need, Step};
use crate::layout::undo_page::{byte_of, logical_of, record_at};
use crate::layout::undo_record::{RECORD_KIND, taken_back};
use crate::mini_transaction::MiniTransaction;
use crate::transaction::Transaction;
use crate::types::{RowVersion, TxId};

/// Records undone in one call before others get their turn: 500 us at some 5 us a record.
const RECORDS_PER_CALL: u32 = 100;

/// A place in a transaction. Belongs to the transaction that [`Engine::savepoint`] was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Savepoint {
    /// Undo records at or above it were written since; zero: all.
    undo: u64,
    /// Relation locks held when it was set.
    relations: usize,
    /// Row locks held then.
    row_locks: usize,
}

impl Savepoint {
    /// Before a transaction has done anything.
    pub fn at_begin() -> Savepoint {
        Savepoint { undo: 0, relations: 0, row_locks: 0 }
    }
}

impl Engine {
    /// Sets a savepoint. Nothing is written.
    pub fn savepoint(&self, txn: &Transaction) -> Savepoint {
        let _call = Call::enter();
        txn.assert_active();
        assert!(txn.rollback_position.is_none(), "a rollback to a savepoint comes to its end first");
        Savepoint {
            undo: self.undo_head(txn),
            relations: txn.relations.len(),
            row_locks: txn.row_locks.len(),
        }
    }

    /// Goes back: undoes what was written since the savepoint and releases the locks taken since. Between its needs
    /// nothing else may be done with the transaction than this, going back further, or aborting it. The savepoint stays.
    pub fn rollback_to(&self, txn: &mut Transaction, savepoint: &mut Savepoint) -> Step<()> {
        let _call = Call::enter();
        txn.assert_active();
        assert!(savepoint.relations <= txn.relations.len(), "locks are released in the order of savepoints");
        self.give_back_turn(txn);
        let head = self.undo_head(txn);
        assert!(savepoint.undo <= head, "a stream's head never goes back");
        if let Some(tx_id) = txn.tx_id {
            let floor = savepoint.undo.max(tx_id.offset() + 1);
            let mut position = txn.rollback_position.unwrap_or(head);
            let done = self.operate(txn, |access, _| {
                for _ in 0..RECORDS_PER_CALL {
                    if position <= floor {
                        return Ok(true);
                    }
                    let offset = access.record_below(tx_id, position)?;
                    if offset < floor {
                        return Ok(true);
                    }
                    access.take_back(tx_id, offset)?;
                    position = offset;
                }
                Ok(false)
            });
            txn.rollback_position = Some(position);
            if !done? {
                return Err(Need::Yield.into());
            }
            self.note_rolled_back(tx_id);
        }
        txn.rollback_position = None;
        // All above the savepoint is undone: no need to look at it again from here.
        savepoint.undo = head;
        let (relations, row_locks) =
            (&txn.relations[savepoint.relations..], &txn.row_locks[savepoint.row_locks..]);
        self.locks.release_since_savepoint(txn.handle, relations, row_locks);
        txn.relations.truncate(savepoint.relations);
        txn.row_locks.truncate(savepoint.row_locks);
        Ok(())
    }

    /// Where the transaction's next record will stand at the earliest; zero if it has written none.
    pub(crate) fn undo_head(&self, txn: &Transaction) -> u64 {
        match (txn.tx_id, txn.stream) {
            (Some(_), Some(stream)) => self.streams().stream(stream).lock().head,
            _ => 0,
        }
    }

    /// The rows are as they were. Published before their waiters are woken: one who has seen a version that is gone
    /// now, and comes too late to be woken, finds the count changed and looks again.
    fn note_rolled_back(&self, tx_id: TxId) {
        let mut stream = self.streams().stream(tx_id.stream()).lock();
        let open = stream.open.as_mut().expect("a transaction that has written is open");
        assert_eq!(open.offset, tx_id.offset());
        open.rollbacks += 1;
    }
}

impl Access<'_> {
    /// Undoes one record of a transaction that goes on. What it created or dropped is marked, so that purge knows
    /// the page's fate apart from the transaction's.
    fn take_back(&mut self, tx_id: TxId, offset: u64) -> Step<()> {
        let kind = {
            let page = self.undo_page(tx_id.stream(), logical_of(offset))?;
            record_at(page.bytes(), byte_of(offset)).and_then(taken_back)
        };
        let Some(kind) = kind else {
            return self.undo_version(RowVersion { tx_id, undo: offset });
        };
        let page = self.undo_page_id(tx_id.stream(), logical_of(offset))?;
        let page = self.exclusive(page)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(page);
        mini.write(slot, byte_of(offset) + RECORD_KIND, &[kind]);
        mini.commit(&mut |_, _| {});
        Ok(())
    }
}

//! Explicit row locks: SELECT FOR UPDATE, NO KEY UPDATE, SHARE, KEY SHARE.
//!
//! Owns what locking a row means: the row is settled as for a write (a writer in progress is waited for, conflicting
//! locks too), compared with what the caller saw, and its lock taken while its leaf is latched, so that no writer can
//! come between. Nothing is written. Read [`crate::locks`] for who holds what.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step, Stop};
use crate::hash::key_hash;
use crate::layout::tree_page::{RowHeader, TreePage};
use crate::layout::undo_record::UndoRecord;
use crate::lineage::Fate;
use crate::locks::queues::Gate;
use crate::rows::Claim;
use crate::transaction::Transaction;
use crate::types::{
    Known, LockWait, RowBuffer, RowLockMode, RowLockOutcome, RowVersion, TreeId, TxId, WriteOutcome,
};
use crate::undo::status::TxStatus;

impl Engine {
    /// Locks the version of a row that the caller knows, or, under READ COMMITTED, the newest one, which is then in `out`.
    /// Under REPEATABLE READ a newer version is 40001, but for KEY SHARE.
    #[expect(clippy::too_many_arguments, reason = "which row, how, and where to")]
    pub fn lock_row(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        known: impl Into<Known>,
        mode: RowLockMode,
        wait: LockWait,
        out: &mut RowBuffer,
    ) -> Step<RowLockOutcome> {
        let _call = Call::enter();
        txn.assert_active();
        let known = known.into();
        let result = self.operate(txn, |access, txn| {
            if let (RowLockMode::KeyShare, Known::Seen(seen)) = (mode, known)
                && access.share_key(txn, tree, key, seen)?
            {
                return Ok(RowLockOutcome::Locked);
            }
            let spot = access.settled_spot(txn, tree, key, Some(mode))?;
            // A row that has been changed since the snapshot has the key that it had, which is all that is to be kept.
            let claim = match access.claim(txn, &spot, known) {
                Err(Stop::Fail(EngineError::SerializationFailure))
                    if mode == RowLockMode::KeyShare
                        && matches!(access.fate(txn, &spot, known)?, Fate::Here) =>
                {
                    None
                }
                // Who only locks is not told how the row has changed, as in PostgreSQL.
                Err(Stop::Fail(EngineError::DeletedSince)) => {
                    return Err(EngineError::SerializationFailure.into());
                }
                claim => Some(claim?),
            };
            let outcome = match claim {
                None => RowLockOutcome::LockedKey,
                Some(Claim::Write) => RowLockOutcome::Locked,
                Some(Claim::Answer(WriteOutcome::Changed)) => RowLockOutcome::LockedNewest,
                Some(Claim::Answer(WriteOutcome::MovedTo(moved))) => {
                    return Ok(RowLockOutcome::MovedTo(moved));
                }
                Some(Claim::Answer(_)) => return Ok(RowLockOutcome::Gone),
            };
            let cell = spot.cell().expect("a claimed row is there");
            out.key.clear();
            out.key.extend_from_slice(key);
            out.body.clear();
            out.body.extend_from_slice(cell.body);
            let header = cell.header;
            access.take_stored(tree, &header, out)?;
            self.hold_row(txn, key_hash(tree, key), mode)?;
            Ok(outcome)
        });
        match (result, wait) {
            (Err(Stop::Need(crate::Need::Lock(_)) | Stop::Fail(EngineError::Deadlock)), LockWait::Fail) => {
                self.give_back_turn(txn);
                Err(EngineError::LockNotAvailable.into())
            }
            (Err(Stop::Need(crate::Need::Lock(_)) | Stop::Fail(EngineError::Deadlock)), LockWait::Skip) => {
                self.give_back_turn(txn);
                Ok(RowLockOutcome::Skipped)
            }
            (result, _) => result,
        }
    }

    fn hold_row(&self, txn: &mut Transaction, hash: u64, mode: RowLockMode) -> Result<(), EngineError> {
        let (before, is_new) = self.locks.hold_row(hash, txn.handle, mode)?;
        if is_new {
            txn.row_locks.push((hash, before));
        }
        Ok(())
    }
}

impl Access<'_> {
    /// KEY SHARE of a row that another transaction is changing without its key: it need not wait if the version below
    /// that change is what the caller saw. False: it is no such row.
    fn share_key(&mut self, txn: &mut Transaction, tree: TreeId, key: &[u8], seen: RowVersion) -> Step<bool> {
        let leaf = self.leaf_exclusive(tree, key)?;
        let view = TreePage(leaf.bytes());
        let Ok(index) = view.search(key) else {
            return Ok(false);
        };
        let header = view.leaf_cell(index).header;
        let writer = header.version.tx_id;
        if header.is_deleted() || txn.is_own(writer) {
            return Ok(false);
        }
        if !matches!(self.status(writer)?, TxStatus::InProgress(_)) {
            return Ok(false);
        }
        let below = self.version_below(header, writer)?;
        let hash = key_hash(tree, key);
        let mode = RowLockMode::KeyShare;
        // A version that was visible to all when it was changed has lost its identity, and is what anyone saw. Another
        // identity may be the same row's, put back by a rollback: that is waited for.
        let is_seen = below.is_some_and(|below| below == seen || below == RowVersion::default());
        if !is_seen || self.engine.locks.row_gate(hash, txn.handle, Some(mode), false) == Gate::Closed {
            return Ok(false);
        }
        self.engine.hold_row(txn, hash, mode)?;
        Ok(true)
    }

    /// The version that a transaction's changes of a row stand on; `None` if it inserted the row, or deleted and
    /// inserted it.
    fn version_below(&mut self, mut header: RowHeader, writer: TxId) -> Step<Option<RowVersion>> {
        let mut record = Vec::new();
        while header.version.tx_id == writer {
            self.undo_record(writer.stream(), header.version.undo, &mut record)?;
            match UndoRecord::decode(&record) {
                Ok(UndoRecord::Change(change)) if !change.previous.is_deleted() => header = change.previous,
                _ => return Ok(None),
            }
        }
        Ok(Some(header.version))
    }
}

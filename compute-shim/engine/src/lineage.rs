//! What became of a row that someone saw: a key names a place, not a row.
//!
//! Owns the walk from the newest version under a key back to the version that the caller knows. A deletion on the way ends
//! the row, or leads to the key that an update moved it to, and whoever has its key now is another row: PostgreSQL follows
//! rows by their tuples' own links, so here the undo of the versions in between is the link. Read [`crate::rows`] for what is
//! done with the answer.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::tree_page::TreePage;
use crate::layout::undo_record::UndoRecord;
use crate::transaction::Transaction;
use crate::tree::descent::Seek;
use crate::types::{Known, Moved, RowVersion, TreeId};
use crate::undo::status::TxStatus;
use crate::write::Spot;
use hexalog_protocol::Lsn;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Fate {
    /// The newest version under the key is the row's.
    Here,
    Gone,
    MovedTo(Moved),
}

impl Engine {
    /// Whether the row that the statement sees under a key is the one that an earlier statement of the transaction has
    /// seen there as `seen`, at a snapshot that [`Engine::keep_snapshot`] has kept. Changes on the way are the row's own; a
    /// deletion has ended it, whoever has its key now.
    pub fn is_row_seen(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        snapshot: Lsn,
    ) -> Step<bool> {
        let _call = Call::enter();
        txn.assert_active();
        self.operate(txn, |access, txn| access.is_row_seen(txn, tree, key, seen, snapshot))
    }
}

impl Access<'_> {
    fn is_row_seen(
        &mut self,
        txn: &Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        snapshot: Lsn,
    ) -> Step<bool> {
        let mut header = {
            let page = self.leaf_shared(tree, Seek::At(key), None)?;
            let view = TreePage(page.bytes());
            match view.search(key) {
                Ok(index) => view.leaf_cell(index).header,
                Err(_) => return Ok(false),
            }
        };
        let mut record = Vec::new();
        // What the statement does not see yet is not the row that it sees.
        let mut is_in_sight = false;
        loop {
            let version = header.version;
            is_in_sight = is_in_sight || self.is_visible(txn, version)?;
            if is_in_sight && header.is_deleted() {
                return Ok(false);
            }
            let was_there = match self.status(version.tx_id)? {
                // Its identity alone may differ, when a rollback has put it back.
                TxStatus::Committed(lsn) => !txn.is_own(version.tx_id) && lsn <= snapshot,
                _ => false,
            };
            if is_in_sight && (version == seen || was_there) {
                return Ok(true);
            }
            self.undo_record(version.tx_id.stream(), version.undo, &mut record)?;
            match UndoRecord::decode(&record) {
                Ok(UndoRecord::Change(change)) => header = change.previous,
                // The first version of a row that took the key when it was free.
                _ => return Ok(false),
            }
        }
    }

    /// The fate of a row whose key `spot` is. Only undo of versions that the snapshot does not see is read, which is kept for
    /// it. Of several deletions the oldest counts: those after it were of other rows.
    pub fn fate(&mut self, txn: &Transaction, spot: &Spot<'_>, known: Known) -> Step<Fate> {
        let Some(mut header) = spot.header() else { return Ok(Fate::Gone) };
        let mut fate = Fate::Here;
        let mut has_arrived = false;
        let mut record = Vec::new();
        loop {
            let version = header.version;
            match known {
                Known::Seen(seen) => {
                    // The identity alone may differ, when a rollback has put a version back.
                    if version == seen || self.is_visible(txn, version)? {
                        return Ok(if header.is_deleted() { Fate::Gone } else { fate });
                    }
                }
                Known::Moved(mark) => {
                    // The mover's first version here since it left the old key.
                    let is_after = version.tx_id == mark.tx_id && version.undo > mark.undo;
                    if has_arrived && !is_after {
                        return Ok(fate);
                    }
                    has_arrived |= is_after;
                    if !has_arrived && self.is_visible(txn, version)? {
                        return Ok(Fate::Gone);
                    }
                }
            }
            self.undo_record(version.tx_id.stream(), version.undo, &mut record)?;
            match UndoRecord::decode(&record) {
                Ok(UndoRecord::Change(change)) => {
                    if header.is_deleted() {
                        let moved = change.moved_to.map(|key| Moved { key: key.into(), mark: version });
                        fate = moved.map_or(Fate::Gone, Fate::MovedTo);
                    }
                    header = change.previous;
                }
                // The first version of a row that took the key when it was free.
                Ok(UndoRecord::Insert { .. } | UndoRecord::Created { .. }) => {
                    return Ok(if has_arrived { fate } else { Fate::Gone });
                }
                _ => {
                    let what = "a version whose undo record is none of its row";
                    return Err(EngineError::Corrupt { page: spot.leaf.id, what }.into());
                }
            }
        }
    }
}

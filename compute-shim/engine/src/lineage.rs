//! What became of a row that someone saw: a key names a place, not a row.
//!
//! Owns the walk from the newest version under a key back to the version that the caller knows. A deletion on the way ends
//! the row, or leads to the key that an update moved it to, and whoever has its key now is another row: PostgreSQL follows
//! rows by their tuples' own links, so here the undo of the versions in between is the link. Read [`crate::rows`] for what is
//! done with the answer.

use crate::access::Access;
use crate::error::{EngineError, Step};
use crate::layout::undo_record::UndoRecord;
use crate::transaction::Transaction;
use crate::types::{Known, Moved};
use crate::write::Spot;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Fate {
    /// The newest version under the key is the row's.
    Here,
    Gone,
    MovedTo(Moved),
}

impl Access<'_> {
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

//! Rows of clustered trees: get, insert, update, delete, newest version.
//!
//! Owns what each of these means when somebody else has written the row: wait for one in progress, undo one
//! that was lost, re-check or fail on one that has committed. Each is one operation: one descent, at most one
//! mini-transaction of its own (splits and undone versions on the way are others, and change no row). Read
//! [`crate::write`] for how a version is written, [`crate::visibility`] for how one is read.

use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::tree_page::{LEAF_CELL_OVERHEAD, ROW_DELETED, ROW_MOVED, TreePage};
use crate::transaction::Transaction;
use crate::tree::descent::Seek;
use crate::types::{
    CELL_BYTES_MAX, Isolation, KEY_BYTES_MAX, NewestRow, RowBuffer, RowRef, RowVersion, TreeId, WriteOutcome,
};
use crate::write::{NewVersion, Occupant, Spot};
use hexalog_protocol::Lsn;

/// Refuses what no page could hold.
fn check_size(key: &[u8], row: RowRef<'_>) -> Result<(), EngineError> {
    check_key(key.len())?;
    let bytes = LEAF_CELL_OVERHEAD + key.len() + row.body.len();
    if bytes > CELL_BYTES_MAX { Err(EngineError::RowTooLarge { bytes }) } else { Ok(()) }
}

pub(crate) fn check_key(bytes: usize) -> Result<(), EngineError> {
    if bytes > KEY_BYTES_MAX { Err(EngineError::KeyTooLong { bytes }) } else { Ok(()) }
}

/// What an update or delete may do with the row it found.
enum Claim {
    /// Overwrite it.
    Write,
    /// Answer this.
    Answer(WriteOutcome),
}

impl Engine {
    /// The row with this key that the statement's snapshot sees.
    pub fn get(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], out: &mut RowBuffer) -> Step<bool> {
        txn.assert_active();
        self.operate(txn, |access, txn| {
            let mut header = {
                let page = access.leaf_shared(tree, Seek::At(key), None)?;
                let view = TreePage(page.bytes());
                let Ok(index) = view.search(key) else {
                    return Ok(false);
                };
                let cell = view.leaf_cell(index);
                out.body.clear();
                out.body.extend_from_slice(cell.body);
                cell.header
            };
            let found = access.resolve(txn, &mut header, &mut out.body)?;
            if found {
                out.key.clear();
                out.key.extend_from_slice(key);
                out.columns = header.columns;
                out.version = header.version;
            }
            Ok(found)
        })
    }

    /// Inserts a row. Fails with `DuplicateKey` if a live row has the key; waits if its writer is in
    /// progress.
    pub fn insert(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], row: RowRef<'_>) -> Step<()> {
        self.prepare_to_write(txn)?;
        check_size(key, row)?;
        self.operate(txn, |access, txn| {
            loop {
                let spot = access.settled_spot(txn, tree, key)?;
                if let Occupant::Committed(lsn) = spot.occupant {
                    txn.depends_on(lsn, self.volume.vdl());
                }
                if spot.header().is_some_and(|header| !header.is_deleted()) {
                    return Err(EngineError::DuplicateKey.into());
                }
                let new = NewVersion { flags: 0, columns: row.columns, body: Some(row.body), moved_to: None };
                if access.write_version(txn, tree, key, spot, &new)? {
                    return Ok(());
                }
            }
        })
    }

    /// Replaces the version that the caller saw.
    pub fn update(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        row: RowRef<'_>,
    ) -> Step<WriteOutcome> {
        check_size(key, row)?;
        let new = NewVersion { flags: 0, columns: row.columns, body: Some(row.body), moved_to: None };
        self.overwrite(txn, tree, key, seen, new)
    }

    /// Marks the version that the caller saw as deleted. `moved_to` is the row's new key if an update changed
    /// it (the caller inserts the new row itself).
    pub fn delete(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        moved_to: Option<&[u8]>,
    ) -> Step<WriteOutcome> {
        check_key(key.len())?;
        if let Some(moved_to) = moved_to {
            check_key(moved_to.len())?;
        }
        let flags = ROW_DELETED | if moved_to.is_some() { ROW_MOVED } else { 0 };
        self.overwrite(txn, tree, key, seen, NewVersion { flags, columns: 0, body: None, moved_to })
    }

    fn overwrite(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        seen: RowVersion,
        mut new: NewVersion<'_>,
    ) -> Step<WriteOutcome> {
        self.prepare_to_write(txn)?;
        self.operate(txn, |access, txn| {
            loop {
                let spot = access.settled_spot(txn, tree, key)?;
                match self.claim(txn, &spot, seen)? {
                    Claim::Write => {}
                    Claim::Answer(WriteOutcome::Gone) => return self.gone(access, &spot),
                    Claim::Answer(answer) => return Ok(answer),
                }
                if new.body.is_none() {
                    new.columns = spot.header().expect("a claimed row is there").columns;
                }
                if access.write_version(txn, tree, key, spot, &new)? {
                    return Ok(WriteOutcome::Done);
                }
            }
        })
    }

    /// Whether the row found is the one that the caller saw.
    fn claim(&self, txn: &mut Transaction, spot: &Spot<'_>, seen: RowVersion) -> Step<Claim> {
        let Some(header) = spot.header() else {
            return Ok(Claim::Answer(WriteOutcome::Gone));
        };
        let lsn = match spot.occupant {
            Occupant::Nobody => unreachable!("a header has a writer"),
            Occupant::Own if header.version.undo >= txn.command_id => {
                return Ok(Claim::Answer(WriteOutcome::AlreadyWritten));
            }
            Occupant::Own => Lsn::ZERO,
            Occupant::Committed(lsn) => lsn,
        };
        txn.depends_on(lsn, self.volume.vdl());
        // The newest version is the snapshot's own unless it committed after it; its identity alone may
        // differ, when a rollback has put a version back that is visible to all by now.
        let is_seen = header.version == seen || lsn <= txn.read_point();
        if !is_seen && txn.isolation() == Isolation::RepeatableRead {
            return Err(EngineError::SerializationFailure.into());
        }
        Ok(match (header.is_deleted(), is_seen) {
            (true, _) => Claim::Answer(WriteOutcome::Gone),
            (false, true) => Claim::Write,
            (false, false) => Claim::Answer(WriteOutcome::Changed),
        })
    }

    fn gone(&self, access: &mut crate::access::Access<'_>, spot: &Spot<'_>) -> Step<WriteOutcome> {
        Ok(access.moved_to(spot)?.map_or(WriteOutcome::Gone, WriteOutcome::MovedTo))
    }

    /// The newest committed (or own) version; waits for an in-progress writer. The place in the row's wait
    /// queue is kept until the row is written or the statement ends.
    pub fn get_newest(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        out: &mut RowBuffer,
    ) -> Step<NewestRow> {
        txn.assert_active();
        self.operate(txn, |access, txn| {
            let spot = access.settled_spot(txn, tree, key)?;
            out.committed_at = Lsn::ZERO;
            if let Occupant::Committed(lsn) = spot.occupant {
                txn.depends_on(lsn, self.volume.vdl());
                out.committed_at = lsn;
            }
            let Some(cell) = spot.cell() else {
                return Ok(NewestRow::Gone);
            };
            if cell.header.is_deleted() {
                return Ok(access.moved_to(&spot)?.map_or(NewestRow::Gone, NewestRow::MovedTo));
            }
            out.key.clear();
            out.key.extend_from_slice(key);
            out.body.clear();
            out.body.extend_from_slice(cell.body);
            out.columns = cell.header.columns;
            out.version = cell.header.version;
            Ok(NewestRow::Found)
        })
    }

    /// Takes back a row that the running statement has inserted: a rival was found after the insert. Does nothing if
    /// that is done. The undo record stays, and finds nothing to undo any more.
    pub fn retract(&self, txn: &mut Transaction, tree: TreeId, key: &[u8]) -> Step<()> {
        self.prepare_to_write(txn)?;
        self.operate(txn, |access, txn| {
            let version = {
                let page = access.leaf_shared(tree, Seek::At(key), None)?;
                let view = TreePage(page.bytes());
                let Ok(index) = view.search(key) else {
                    return Ok(());
                };
                view.leaf_cell(index).header.version
            };
            if !txn.is_own(version.tx_id) || version.undo < txn.command_id {
                return Ok(());
            }
            access.undo_version(version)
        })
    }
}

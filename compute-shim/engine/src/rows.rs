//! Rows of clustered trees: get, insert, update, delete, newest version.
//!
//! Owns what each of these means when somebody else has written the row: wait for one in progress, undo one
//! that was lost, re-check or fail on one that has committed. Each is one operation: one descent, at most one
//! mini-transaction of its own (splits and undone versions on the way are others, and change no row). Read
//! [`crate::write`] for how a version is written, [`crate::visibility`] for how one is read.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::hash::key_hash;
use crate::layout::chain_list;
use crate::layout::tree_page::{
    LEAF_CELL_OVERHEAD, ROW_DELETED, ROW_MOVED, ROW_OVERFLOW, RowHeader, TreePage,
};
use crate::lineage::Fate;
use crate::locks::queues::Gate;
use crate::transaction::Transaction;
use crate::tree::descent::Seek;
use crate::types::{
    CELL_BYTES_MAX, CHAINS_MAX, KEY_BYTES_MAX, Known, NewestRow, RowBuffer, RowLockMode, RowRef, TreeId,
    WriteOutcome,
};
use crate::write::{NewVersion, Occupant, Spot};
use hexalog_protocol::Lsn;

/// Refuses what no page could hold.
pub(crate) fn check_size(key: &[u8], row: RowRef<'_>) -> Result<(), EngineError> {
    check_key(key.len())?;
    let bytes = cell_bytes(key.len(), row.body.len(), row.chains.len());
    let fits = bytes <= CELL_BYTES_MAX && row.chains.len() <= CHAINS_MAX;
    if fits { Ok(()) } else { Err(EngineError::RowTooLarge { bytes }) }
}

/// Bytes that a row takes in its leaf: what is held against [`CELL_BYTES_MAX`].
pub fn cell_bytes(key_bytes: usize, body_bytes: usize, chains: usize) -> usize {
    LEAF_CELL_OVERHEAD + key_bytes + body_bytes + chain_list::encoded_bytes(chains)
}

/// Calls `write` with the version that a row makes. Its stored body is built in `buffer` if it lists chains.
fn with_version<T>(row: RowRef<'_>, buffer: &mut Vec<u8>, write: impl FnOnce(NewVersion<'_>) -> T) -> T {
    if row.chains.is_empty() {
        let body = Some(row.body);
        return write(NewVersion { flags: 0, columns: row.columns, body, chains: &[], moved_to: None });
    }
    buffer.clear();
    buffer.extend_from_slice(row.body);
    chain_list::encode(buffer, row.chains);
    let (body, chains) = (Some(buffer.as_slice()), row.chains);
    write(NewVersion { flags: ROW_OVERFLOW, columns: row.columns, body, chains, moved_to: None })
}

pub(crate) fn check_key(bytes: usize) -> Result<(), EngineError> {
    if bytes > KEY_BYTES_MAX { Err(EngineError::KeyTooLong { bytes }) } else { Ok(()) }
}

/// What an update or delete may do with the row it found.
pub(crate) enum Claim {
    /// Overwrite it.
    Write,
    /// Answer this.
    Answer(WriteOutcome),
}

impl Engine {
    /// The row with this key that the statement's snapshot sees.
    pub fn get(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], out: &mut RowBuffer) -> Step<bool> {
        let _call = Call::enter();
        txn.assert_active();
        self.operate(txn, |access, txn| {
            let mut header = {
                let page = access.leaf_shared(tree, Seek::At(key), None)?;
                access.note_key_read(txn, tree, key)?;
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
                access.take_stored(tree, &header, out)?;
            }
            Ok(found)
        })
    }

    /// Inserts a row. Fails with `DuplicateKey` if a live row has the key; waits if its writer is in
    /// progress.
    pub fn insert(&self, txn: &mut Transaction, tree: TreeId, key: &[u8], row: RowRef<'_>) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_grow(txn)?;
        check_size(key, row)?;
        let mut buffer = std::mem::take(&mut txn.body_buffer);
        let result = with_version(row, &mut buffer, |new| self.insert_version(txn, tree, key, &new));
        txn.body_buffer = buffer;
        result
    }

    fn insert_version(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        new: &NewVersion<'_>,
    ) -> Step<()> {
        self.operate(txn, |access, txn| {
            loop {
                // That the key is taken is known whoever has locked its row.
                let spot = access.settled_spot(txn, tree, key, None)?;
                if let Occupant::Committed(lsn) = spot.occupant {
                    txn.depends_on(lsn, self.volume.vdl());
                }
                let is_duplicate = spot.header().is_some_and(|header| !header.is_deleted());
                if is_duplicate {
                    // Told as a conflict if it is one, as in PostgreSQL.
                    access.note_write(txn, tree, spot.leaf.id, key)?;
                }
                access.note_rival(txn, tree, key, spot.occupant, is_duplicate)?;
                if is_duplicate {
                    return Err(EngineError::DuplicateKey.into());
                }
                let (hash, mode) = (key_hash(tree, key), Some(RowLockMode::Update));
                let is_own = spot.occupant == Occupant::Own;
                if self.locks.row_gate(hash, txn.handle, mode, is_own) == Gate::Closed {
                    drop(spot);
                    access.wait_for_row(txn, hash, mode, None)?;
                    continue;
                }
                if access.write_version(txn, tree, key, spot, new)? {
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
        known: impl Into<Known>,
        row: RowRef<'_>,
    ) -> Step<WriteOutcome> {
        let _call = Call::enter();
        let known = known.into();
        check_size(key, row)?;
        let mut buffer = std::mem::take(&mut txn.body_buffer);
        let result = with_version(row, &mut buffer, |new| self.overwrite(txn, tree, key, known, new));
        txn.body_buffer = buffer;
        result
    }

    /// Marks the version that the caller saw as deleted. `moved_to` is the row's new key if an update changed
    /// it (the caller inserts the new row itself).
    pub fn delete(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        known: impl Into<Known>,
        moved_to: Option<&[u8]>,
    ) -> Step<WriteOutcome> {
        let _call = Call::enter();
        check_key(key.len())?;
        if let Some(moved_to) = moved_to {
            check_key(moved_to.len())?;
        }
        let flags = ROW_DELETED | if moved_to.is_some() { ROW_MOVED } else { 0 };
        // The mark lists no chain: those of the row fall with this version.
        let new = NewVersion { flags, columns: 0, body: None, chains: &[], moved_to };
        self.overwrite(txn, tree, key, known.into(), new)
    }

    fn overwrite(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        known: Known,
        mut new: NewVersion<'_>,
    ) -> Step<WriteOutcome> {
        let is_deletion = new.flags & ROW_DELETED != 0;
        if is_deletion && new.moved_to.is_none() {
            self.prepare_to_write(txn)?;
        } else {
            self.prepare_to_grow(txn)?;
        }
        let mode = if is_deletion { RowLockMode::Update } else { RowLockMode::NoKeyUpdate };
        self.operate(txn, |access, txn| {
            loop {
                let spot = access.settled_spot(txn, tree, key, Some(mode))?;
                match access.claim(txn, &spot, known)? {
                    Claim::Write => {}
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

    /// The newest committed (or own) version, of the row that is known, or of whichever has the key; waits for an
    /// in-progress writer. The place in the row's wait queue is kept until the row is written or the statement ends.
    pub fn get_newest(
        &self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        known: Option<Known>,
        out: &mut RowBuffer,
    ) -> Step<NewestRow> {
        let _call = Call::enter();
        txn.assert_active();
        self.operate(txn, |access, txn| {
            let spot = access.settled_spot(txn, tree, key, None)?;
            access.note_key_read(txn, tree, key)?;
            out.committed_at = Lsn::ZERO;
            if let Occupant::Committed(lsn) = spot.occupant {
                txn.depends_on(lsn, self.volume.vdl());
                out.committed_at = lsn;
            }
            if let Some(known) = known {
                match access.fate(txn, &spot, known)? {
                    Fate::Here => {}
                    Fate::Gone => return Ok(NewestRow::Gone),
                    Fate::MovedTo(moved) => return Ok(NewestRow::MovedTo(moved)),
                }
            }
            let Some(cell) = spot.cell().filter(|cell| !cell.header.is_deleted()) else {
                return Ok(NewestRow::Gone);
            };
            out.key.clear();
            out.key.extend_from_slice(key);
            out.body.clear();
            out.body.extend_from_slice(cell.body);
            let header = cell.header;
            access.take_stored(tree, &header, out)?;
            Ok(NewestRow::Found)
        })
    }

    /// Takes back a row that the running statement has inserted: a rival was found after the insert. Does nothing if
    /// that is done. The undo record stays, and finds nothing to undo any more.
    pub fn retract(&self, txn: &mut Transaction, tree: TreeId, key: &[u8]) -> Step<()> {
        let _call = Call::enter();
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

impl Access<'_> {
    /// Whether the row found is the one that the caller knows.
    pub(crate) fn claim(&mut self, txn: &mut Transaction, spot: &Spot<'_>, known: Known) -> Step<Claim> {
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
        txn.depends_on(lsn, self.engine.volume.vdl());
        // The newest version is the snapshot's own unless it committed after it; its identity alone may
        // differ, when a rollback has put a version back that is visible to all by now.
        let is_seen = match known {
            Known::Seen(seen) => header.version == seen || lsn <= txn.read_point(),
            Known::Moved(_) => false,
        };
        if is_seen {
            let is_deleted = header.is_deleted();
            return Ok(if is_deleted { Claim::Answer(WriteOutcome::Gone) } else { Claim::Write });
        }
        let fate = self.fate(txn, spot, known)?;
        if txn.isolation().has_one_snapshot() {
            return Err(match fate {
                Fate::Here | Fate::MovedTo(_) => EngineError::SerializationFailure.into(),
                Fate::Gone => EngineError::DeletedSince.into(),
            });
        }
        Ok(Claim::Answer(match fate {
            Fate::Here => WriteOutcome::Changed,
            Fate::Gone => WriteOutcome::Gone,
            Fate::MovedTo(moved) => WriteOutcome::MovedTo(moved),
        }))
    }

    /// The row buffer's body is the stored one of a version that was found: parts it into what the caller sees.
    pub fn take_stored(
        &self,
        tree: TreeId,
        header: &RowHeader,
        out: &mut RowBuffer,
    ) -> Result<(), EngineError> {
        let what = "a row whose list of chains does not fit it";
        out.take_stored(header).ok_or(EngineError::Corrupt { page: tree.0, what })
    }
}

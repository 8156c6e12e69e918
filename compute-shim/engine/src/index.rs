//! Secondary indexes: entries (key, primary key) with a delete mark, and the unique check.
//!
//! Owns how entries follow their rows. An entry is a cell without body whose row header says who wrote it, so
//! rollback is exact and idempotent as for rows; the header's column count is the length of the index key. A
//! hit is valid iff the clustered version that the reader sees recomputes to the key, so marks are never
//! needed to read rightly. The unique check holds the key's lock while it looks at every entry with the key:
//! a live committed or own row with that key is a duplicate, one in progress is waited for, marks say
//! nothing.

use crate::access::Access;
use crate::call::Call;
use crate::cursor::Cursor;
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step, Stop};
use crate::hash::key_hash;
use crate::layout::tree_page::ROW_DELETED;
use crate::rows::check_key;
use crate::transaction::Transaction;
use crate::tree::descent::Seek;
use crate::types::{Direction, IndexEntry, Isolation, RowLockMode, TreeId, UniqueCheck, ValueWanted};
use crate::write::{NewVersion, Occupant};
use std::ops::Bound;

/// The stored key of an entry.
fn entry_key(key: &[u8], primary_key: &[u8]) -> Result<Vec<u8>, EngineError> {
    check_key(key.len() + primary_key.len())?;
    Ok([key, primary_key].concat())
}

impl Engine {
    /// Inserts an index entry, or revives a marked one. With `unique`, fails with `DuplicateKey` if another
    /// live row has the key. The row itself has been written before.
    pub fn index_insert(
        &self,
        txn: &mut Transaction,
        index: TreeId,
        key: &[u8],
        primary_key: &[u8],
        unique: Option<UniqueCheck<'_>>,
    ) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_grow(txn)?;
        let stored = entry_key(key, primary_key)?;
        let checks = unique.is_some();
        let result = self.operate(txn, |access, txn| {
            if let Some(mut unique) = unique {
                access.hold_key(txn, key_hash(index, key))?;
                access.check_unique(txn, index, key, primary_key, &mut unique)?;
            }
            access.write_entry(txn, index, &stored, key.len(), false)
        });
        // The key stays locked over a wait for a page or the log, which never waits for another transaction.
        let keeps =
            matches!(result, Err(Stop::Need(Need::Page { .. } | Need::LogSpace { .. } | Need::Frame { .. })));
        if checks && !keeps && !matches!(result, Err(Stop::Need(Need::Lock(_)))) {
            self.give_back_turn(txn);
        }
        result
    }

    /// Marks an index entry as deleted.
    pub fn index_delete(
        &self,
        txn: &mut Transaction,
        index: TreeId,
        key: &[u8],
        primary_key: &[u8],
    ) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_write(txn)?;
        let stored = entry_key(key, primary_key)?;
        self.operate(txn, |access, txn| access.write_entry(txn, index, &stored, key.len(), true))
    }
}

impl Access<'_> {
    fn hold_key(&mut self, txn: &mut Transaction, hash: u64) -> Step<()> {
        self.engine.locks.lock_key(hash, txn.owner()).inspect_err(|_| txn.has_waited = true)?;
        txn.key_lock = Some(hash);
        Ok(())
    }

    /// Brings an entry into the wanted state; does nothing if it is there.
    fn write_entry(
        &mut self,
        txn: &mut Transaction,
        index: TreeId,
        stored: &[u8],
        key_bytes: usize,
        deleted: bool,
    ) -> Step<()> {
        let columns = u16::try_from(key_bytes).expect("keys are bounded");
        let flags = if deleted { ROW_DELETED } else { 0 };
        loop {
            let spot = self.settled_spot(txn, index, stored, Some(RowLockMode::Update))?;
            if let Occupant::Committed(lsn) = spot.occupant {
                txn.depends_on(lsn, self.engine.volume.vdl());
            }
            let is_deleted = spot.header().is_none_or(|header| header.is_deleted());
            if is_deleted == deleted {
                return Ok(());
            }
            let body: Option<&[u8]> = if spot.header().is_none() { Some(b"") } else { None };
            let new = NewVersion { flags, columns, body, chains: &[], moved_to: None };
            if self.write_version(txn, index, stored, spot, &new)? {
                return Ok(());
            }
        }
    }

    /// Fails if a row other than `primary_key` lives under the key. The key is locked.
    fn check_unique(
        &mut self,
        txn: &mut Transaction,
        index: TreeId,
        key: &[u8],
        primary_key: &[u8],
        unique: &mut UniqueCheck<'_>,
    ) -> Step<()> {
        let mut cursor = Cursor::new(index, Bound::Included(key), Bound::Unbounded, Direction::Forward);
        let (mut entry, mut computed) = (IndexEntry::default(), Vec::new());
        while self.index_candidate(None, &mut cursor, &mut entry)? {
            if !entry.key.starts_with(key) {
                break;
            }
            if entry.key != key || entry.primary_key == primary_key {
                continue;
            }
            let spot = self.settled_spot(txn, unique.clustered, &entry.primary_key, None)?;
            // Also of a row that gave the key up, or is deleted: that it did is what the new entry rests on.
            if let Occupant::Committed(lsn) = spot.occupant {
                txn.depends_on(lsn, self.engine.volume.vdl());
            }
            let occupant = spot.occupant;
            let Some(cell) = spot.cell().filter(|cell| !cell.header.is_deleted()) else {
                self.note_rival(txn, unique.clustered, &entry.primary_key, occupant, false)?;
                continue;
            };
            let header = cell.header;
            txn.rival.body.clear();
            txn.rival.body.extend_from_slice(cell.body);
            drop(spot);
            self.take_stored(unique.clustered, &header, &mut txn.rival)?;
            self.rival_key(txn, unique, &mut computed)?;
            let is_duplicate = computed == key;
            if is_duplicate && txn.isolation() == Isolation::Serializable {
                // Told as a conflict if it is one, as in PostgreSQL.
                let stored = entry_key(key, primary_key)?;
                let leaf = self.leaf_shared(index, Seek::At(&stored), None)?;
                self.note_write(txn, index, leaf.id, &stored)?;
            }
            self.note_rival(txn, unique.clustered, &entry.primary_key, occupant, is_duplicate)?;
            if !is_duplicate {
                continue;
            }
            return Err(EngineError::DuplicateKey.into());
        }
        txn.rival.forget_values();
        Ok(())
    }

    /// The index key of the row that is looked at. Values outside of it that the key is made of are read first; a key is
    /// bounded, so they are short.
    fn rival_key(
        &mut self,
        txn: &mut Transaction,
        unique: &mut UniqueCheck<'_>,
        computed: &mut Vec<u8>,
    ) -> Step<()> {
        loop {
            computed.clear();
            match (unique.index_key)(&txn.rival, computed) {
                Ok(()) => return Ok(()),
                Err(ValueWanted(chain)) => {
                    self.read_whole_chain(txn.rival.value_reader(chain))?;
                    assert!(txn.rival.value(chain).is_some(), "a value that was read is there");
                }
            }
        }
    }
}

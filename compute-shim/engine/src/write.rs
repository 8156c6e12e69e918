//! Writing a version: the row's place made free of others, then row, undo and perhaps the commit in one
//! mini-transaction.
//!
//! Owns the two phases of every row write. *Settle*: the leaf latched, nobody else in progress on the row,
//! its turn come. *Write*: undo record planned and written, row changed, appended. A page without room is
//! split and the operation begins again. Never decides whether the row may be written: [`crate::rows`] and
//! [`crate::index`] do.

use crate::access::{Access, ExclusivePage};
use crate::error::{EngineError, Need, Step};
use crate::hash::key_hash;
use crate::layout::chain_list;
use crate::layout::tree_page::{
    LEAF_CELL_OVERHEAD, LeafCell, ROW_DELETED, ROW_OVERFLOW, RowHeader, SLOT_BYTES, TreePage,
    encode_leaf_cell,
};
use crate::layout::undo_page::byte_of;
use crate::layout::undo_record::{NewChange, encode_change, encode_dropped, encode_insert};
use crate::locks::queues::Gate;
use crate::mini_transaction::MiniTransaction;
use crate::transaction::Transaction;
use crate::tree::edit;
use crate::types::{Chain, RowLockMode, RowVersion, TreeId, TxId};
use crate::undo::status::{Owner, TxStatus};
use hexalog_protocol::Lsn;

/// Who wrote the newest version of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occupant {
    /// There is no row.
    Nobody,
    Own,
    /// A committed transaction (zero: visible to all).
    Committed(Lsn),
}

/// A row's place, latched, free of others.
pub(crate) struct Spot<'e> {
    pub leaf: ExclusivePage<'e>,
    position: Result<usize, usize>,
    pub occupant: Occupant,
}

impl Spot<'_> {
    pub fn cell(&self) -> Option<LeafCell<'_>> {
        self.position.ok().map(|index| TreePage(self.leaf.bytes()).leaf_cell(index))
    }

    pub fn header(&self) -> Option<RowHeader> {
        self.cell().map(|cell| cell.header)
    }
}

/// A version to be written. `body` `None` keeps the bytes that are there; the new flags say whether they list chains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewVersion<'a> {
    pub flags: u8,
    pub columns: u16,
    pub body: Option<&'a [u8]>,
    /// The chains that the body lists.
    pub chains: &'a [Chain],
    pub moved_to: Option<&'a [u8]>,
}

impl<'e> Access<'e> {
    /// Latches the leaf of a key with the row's newest version committed, own or absent. Waits for a writer
    /// in progress, for explicit locks that conflict with `mode` (`None`: the row is only looked at), and for those who
    /// wait already; undoes versions of losers and aborted transactions.
    pub fn settled_spot(
        &mut self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        mode: Option<RowLockMode>,
    ) -> Step<Spot<'e>> {
        let hash = key_hash(tree, key);
        loop {
            let leaf = self.leaf_exclusive(tree, key)?;
            let view = TreePage(leaf.bytes());
            let position = view.search(key);
            let version = position.ok().map(|index| view.leaf_cell(index).header.version);
            let occupant = match version {
                None => Occupant::Nobody,
                Some(version) if txn.is_own(version.tx_id) => Occupant::Own,
                Some(version) => match self.status(version.tx_id)? {
                    TxStatus::Committed(lsn) => Occupant::Committed(lsn),
                    TxStatus::InProgress(owner) => {
                        drop(leaf);
                        self.wait_for_row(txn, hash, mode, Some((owner, version.tx_id)))?;
                        continue;
                    }
                    TxStatus::Undoing => {
                        drop(leaf);
                        self.undo_version(version)?;
                        continue;
                    }
                    TxStatus::Aborted => {
                        let what = "a version of a transaction that was wholly undone";
                        return Err(EngineError::Corrupt { page: leaf.id, what }.into());
                    }
                },
            };
            let is_own = occupant == Occupant::Own;
            if self.engine.locks.row_gate(hash, txn.handle, mode, is_own) == Gate::Open {
                return Ok(Spot { leaf, position, occupant });
            }
            drop(leaf);
            self.wait_for_row(txn, hash, mode, None)?;
        }
    }

    /// Waits for the row's turn; returns if it need not. A unique key held is let go first, or its other
    /// waiters would seem to wait in a circle with this one.
    pub fn wait_for_row(
        &mut self,
        txn: &mut Transaction,
        hash: u64,
        mode: Option<RowLockMode>,
        owner: Option<(Owner, TxId)>,
    ) -> Step<()> {
        let engine = self.engine;
        let key_lock = txn.key_lock.take();
        if let Some(key) = key_lock {
            engine.locks.unlock_key(key, txn.handle);
        }
        let still_blocked = || owner.is_some_and(|(owner, tx_id)| engine.is_still_in_progress(tx_id, owner));
        txn.has_waited = true;
        let blocker = owner.map(|(owner, _)| owner.handle);
        let need = engine.locks.wait_for_row(hash, txn.owner(), mode, blocker, still_blocked)?;
        match need {
            Some(need) => Err(need.into()),
            // The key was let go: what was found under it may have changed.
            None if key_lock.is_some() => Err(Need::Yield.into()),
            None => Ok(()),
        }
    }

    /// Writes a version at its place. False: the page was split for lack of room, begin again.
    pub fn write_version(
        &mut self,
        txn: &mut Transaction,
        tree: TreeId,
        key: &[u8],
        spot: Spot<'e>,
        new: &NewVersion<'_>,
    ) -> Step<bool> {
        let view = TreePage(spot.leaf.bytes());
        let body_bytes = new.body.map_or(0, <[u8]>::len);
        let (fits, split_at) = match spot.position {
            Err(at) => {
                let bytes = LEAF_CELL_OVERHEAD + key.len() + body_bytes + SLOT_BYTES;
                (edit::room_for(view, bytes), Some(at))
            }
            Ok(index) => (new.body.is_none() || edit::room_to_replace(view, index, body_bytes), None),
        };
        if !fits {
            self.split(tree, spot.leaf, split_at, key, false)?;
            return Ok(false);
        }
        self.note_write(txn, tree, spot.leaf.id, key)?;
        let mut record = std::mem::take(&mut txn.undo_buffer);
        self.encode_undo(&mut record, tree, key, &spot, new);
        let records = 1 + self.encode_dropped_chains(&mut record, tree, &spot, new)?;
        txn.needs_purge |= records > 1 || new.flags & ROW_DELETED != 0;
        let result = self.write_with_undo(txn, key, spot, new, &record);
        txn.undo_buffer = record;
        result?;
        // The first is counted as it is committed.
        txn.undo_records += records - 1;
        if txn.has_waited {
            self.engine.locks.row_taken(key_hash(tree, key), txn.handle);
        }
        Ok(true)
    }

    fn encode_undo(
        &self,
        record: &mut Vec<u8>,
        tree: TreeId,
        key: &[u8],
        spot: &Spot<'_>,
        new: &NewVersion<'_>,
    ) {
        record.clear();
        let Some(cell) = spot.cell() else {
            encode_insert(record, tree.0, key);
            return;
        };
        let mut previous = cell.header;
        if spot.occupant == Occupant::Committed(Lsn::ZERO) {
            previous.version = RowVersion::default();
        }
        let change = NewChange {
            tree: tree.0,
            key,
            previous: &previous,
            moved_to: new.moved_to,
            old_body: cell.body,
            new_body: new.body,
            is_deletion: new.flags & ROW_DELETED != 0,
        };
        encode_change(record, &change);
    }

    /// Appends a record for each chain that the version found lists and the new one does not; answers how many.
    fn encode_dropped_chains(
        &self,
        record: &mut Vec<u8>,
        tree: TreeId,
        spot: &Spot<'_>,
        new: &NewVersion<'_>,
    ) -> Step<u64> {
        let Some(cell) = spot.cell().filter(|cell| cell.header.flags & ROW_OVERFLOW != 0) else {
            return Ok(0);
        };
        assert!(!cell.header.is_deleted(), "a delete mark lists no chains");
        let what = "a row whose list of chains does not fit it";
        let chains = chain_list::decode(cell.body).ok_or(EngineError::Corrupt { page: tree.0, what })?;
        let mut dropped = 0;
        for chain in chains.filter(|chain| !new.chains.contains(chain)) {
            encode_dropped(record, chain.root);
            dropped += 1;
        }
        Ok(dropped)
    }

    fn write_with_undo(
        &mut self,
        txn: &mut Transaction,
        key: &[u8],
        spot: Spot<'e>,
        new: &NewVersion<'_>,
        record: &[u8],
    ) -> Step<()> {
        let mut mini = MiniTransaction::begin(self.engine)?;
        let leaf = mini.add(spot.leaf);
        let place = self.prepare_undo(&mut mini, txn, record.len())?;
        mini.write(place.slot(), byte_of(place.offset), record);
        let version = RowVersion { tx_id: place.tx_id, undo: place.offset };
        let header = RowHeader { flags: new.flags, columns: new.columns, version };
        match spot.position {
            Ok(index) => edit::replace_row(&mut mini, leaf, index, &header, new.body),
            Err(index) => {
                let body = new.body.expect("an inserted row has a body");
                let mut cell = Vec::with_capacity(LEAF_CELL_OVERHEAD + key.len() + body.len());
                encode_leaf_cell(&mut cell, key, &header, body);
                edit::insert_cell(&mut mini, leaf, index, &cell);
            }
        }
        let fused = self.fuse_commit(&mut mini, txn, &place);
        self.commit_write(mini, txn, &place, fused)?;
        Ok(())
    }
}

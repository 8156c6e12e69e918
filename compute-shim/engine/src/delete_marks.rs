//! Removing delete marks: rows and index entries that no snapshot can see any more.
//!
//! Owns the rule: a mark goes once the transaction that set it has committed at or below the purge horizon, if it is still that
//! transaction's version. Purge comes by the deleter's undo records, a page of them at a time, and takes all marks of a leaf in
//! one mini-transaction; what a leaf then lacks in cells may let it be merged. A mark that was overwritten when purge came by, and
//! that a rollback would put back, is removed by that rollback. The tree may be gone meanwhile, and its pages may be another's:
//! the version's identity decides, and TxIds are never reused. Read [`crate::purge`] and [`crate::tree::merge`].

use crate::access::Access;
use crate::error::Step;
use crate::layout::tree_page::{RowHeader, TreePage};
use crate::mini_transaction::MiniTransaction;
use crate::tree::descent::is_tree_gone;
use crate::tree::{edit, merge};
use crate::types::{RowVersion, TreeId, TxId};
use crate::undo::status::TxStatus;
use std::sync::atomic::Ordering;

/// A delete mark as its undo record names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub tree: TreeId,
    pub key: Vec<u8>,
    /// Offset of the record.
    pub undo: u64,
}

/// A page that has few cells left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sparse {
    tree: TreeId,
    /// One that the page covers.
    key: Vec<u8>,
    level: u8,
}

/// Marks of one transaction that are to be removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks {
    /// In descending order of tree and key.
    marks: Vec<Mark>,
    sparse: Option<Sparse>,
}

impl Marks {
    pub fn new(mut marks: Vec<Mark>) -> Marks {
        marks.sort_unstable_by(|a, b| (b.tree, &b.key, b.undo).cmp(&(a.tree, &a.key, a.undo)));
        Marks { marks, sparse: None }
    }

    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.sparse.is_none()
    }
}

impl Access<'_> {
    /// One step: the marks of one leaf, or one merge. False: as many pages rest as may, and nothing can be done before some
    /// come free.
    pub fn remove_marks(&mut self, tx_id: TxId, marks: &mut Marks) -> Step<bool> {
        if let Some(sparse) = &mut marks.sparse {
            if !self.engine.allocator.has_room_to_rest() {
                return Ok(false);
            }
            match self.merge_at(sparse.tree, &sparse.key, sparse.level)? {
                Some(level) => sparse.level = level,
                None => marks.sparse = None,
            }
            return Ok(true);
        }
        let Some(first) = marks.marks.last() else {
            return Ok(true);
        };
        let tree = first.tree;
        let leaf = match self.leaf_exclusive(tree, &first.key) {
            Err(stop) if is_tree_gone(&stop) => {
                marks.marks.retain(|mark| mark.tree != tree);
                return Ok(true);
            }
            leaf => leaf?,
        };
        let view = TreePage(leaf.bytes());
        let on_leaf =
            |mark: &&Mark| mark.tree == tree && view.high_key().is_none_or(|high| *mark.key < *high);
        let (mut slots, mut looked_at) = (Vec::new(), 0);
        for mark in marks.marks.iter().rev().take_while(on_leaf) {
            looked_at += 1;
            let version = RowVersion { tx_id, undo: mark.undo };
            if let Ok(slot) = view.search(&mark.key)
                && view.leaf_cell(slot).header.version == version
                && view.leaf_cell(slot).header.is_deleted()
            {
                slots.push(slot);
            }
        }
        let mut sparse = None;
        if !slots.is_empty() {
            let key = first.key.clone();
            let mut mini = MiniTransaction::begin(self.engine)?;
            let page = mini.add(leaf);
            edit::remove_cells(&mut mini, page, &slots);
            let left = TreePage(mini.bytes(page));
            if !left.is_root() && merge::is_sparse(left) {
                sparse = Some(Sparse { tree, key, level: 0 });
            }
            mini.commit(&mut |_, _| {});
            self.engine.counters.delete_marks_removed.fetch_add(slots.len() as u64, Ordering::Relaxed);
        }
        marks.marks.truncate(marks.marks.len() - looked_at);
        marks.sparse = sparse;
        Ok(true)
    }

    /// Whether a version is a delete mark that every snapshot sees: purge has come by it, or will not miss it.
    pub fn is_seen_by_all(&mut self, header: &RowHeader) -> Step<bool> {
        if !header.is_deleted() {
            return Ok(false);
        }
        Ok(match self.status(header.version.tx_id)? {
            TxStatus::Committed(lsn) => lsn <= self.engine.snapshots.purged(),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::memory_volume::MemoryVolume;
    use crate::{Engine, Isolation, Options, RowBuffer, RowRef, Transaction, TreeKind};
    use hexalog_protocol::geometry::Geometry;
    use std::sync::Arc;

    /// Found by review, as a race.
    #[test]
    fn a_rollback_leaves_the_mark_under_which_a_snapshot_sees_a_row() {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 4 });
        let engine =
            Engine::new(Arc::clone(&volume) as _, Options { frames: 64, undo_streams: 8, snapshots: 8 });
        volume.run(&engine, || engine.create()).expect("creates");
        let begin = || {
            let mut txn = engine.begin(Isolation::RepeatableRead, false);
            volume.run(&engine, || engine.begin_statement(&mut txn)).expect("begins");
            txn
        };
        let commit = |mut txn: Transaction| {
            volume.run(&engine, || engine.commit(&mut txn)).expect("commits");
            volume.advance_vdl(&engine, volume.beyond_vdl());
        };
        let mut txn = begin();
        let tree = volume.run(&engine, || engine.create_tree(&mut txn, TreeKind::Clustered)).expect("a tree");
        volume.run(&engine, || engine.insert(&mut txn, tree, b"k", RowRef::new(1, b"old"))).expect("inserts");
        commit(txn);
        let (mut reader, mut row) = (begin(), RowBuffer::default());
        let mut deleter = begin();
        assert_eq!(volume.run(&engine, || engine.get(&mut deleter, tree, b"k", &mut row)), Ok(true));
        let version = row.version;
        volume.run(&engine, || engine.delete(&mut deleter, tree, b"k", version, None)).expect("deletes");
        commit(deleter);
        let mut over = begin();
        volume
            .run(&engine, || engine.insert(&mut over, tree, b"k", RowRef::new(1, b"new")))
            .expect("inserts");
        engine.snapshots.overtake(engine.volume.vdl());
        volume.run(&engine, || engine.abort(&mut over)).expect("rolls back");
        assert_eq!(volume.run(&engine, || engine.get(&mut reader, tree, b"k", &mut row)), Ok(true));
        assert_eq!(row.body, b"old");
        commit(reader);
    }
}

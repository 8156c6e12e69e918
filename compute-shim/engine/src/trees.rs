//! Making and dropping trees and sequences inside a transaction.
//!
//! Owns the undo records that tie their pages to the transaction's fate: what an aborted transaction created,
//! and what a committed one dropped, is freed by [`crate::purge`] once no snapshot can need it.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::Step;
use crate::layout::tree_page::FLAG_INDEX;
use crate::layout::undo_page::byte_of;
use crate::layout::undo_record::{encode_created, encode_dropped};
use crate::mini_transaction::{MiniTransaction, PageSlot};
use crate::transaction::Transaction;
use crate::tree::split::write_empty_root;
use crate::types::{TreeId, TreeKind};
use hexalog_protocol::PageId;

impl Engine {
    /// Makes an empty tree, which lives if the transaction commits.
    pub fn create_tree(&self, txn: &mut Transaction, kind: TreeKind) -> Step<TreeId> {
        let _call = Call::enter();
        self.prepare_to_grow(txn)?;
        let flags = if kind == TreeKind::Index { FLAG_INDEX } else { 0 };
        self.operate(txn, |access, txn| {
            let (page, created) = access.create_page(txn, |mini, slot, page| {
                write_empty_root(mini, slot, flags, TreeId(page));
            })?;
            txn.trees_created.push((TreeId(page), created));
            Ok(TreeId(page))
        })
    }

    /// Drops a tree if the transaction commits; its pages are freed when no snapshot can need them.
    pub fn drop_tree(&self, txn: &mut Transaction, tree: TreeId) -> Step<()> {
        let _call = Call::enter();
        self.prepare_to_write(txn)?;
        self.note_tree_dropped(txn, tree)?;
        self.operate(txn, |access, txn| access.drop_page(txn, tree.0))
    }
}

impl<'e> Access<'e> {
    /// Allocates a page that lives if the transaction commits; `fill` writes it. Answers the page, and where its undo record
    /// stands.
    pub fn create_page(
        &mut self,
        txn: &mut Transaction,
        fill: impl FnOnce(&mut MiniTransaction<'e>, PageSlot, PageId),
    ) -> Step<(PageId, u64)> {
        let mut mini = MiniTransaction::begin(self.engine)?;
        // The record's length depends on the page's number: plan for the longest, then write what it is.
        let mut record = Vec::new();
        encode_created(&mut record, PageId((1 << 48) - 1));
        let place = self.prepare_undo(&mut mini, txn, record.len())?;
        let page = self.allocate(&mut mini, false)?;
        let slot = mini.add_formatted(self.create(page)?);
        fill(&mut mini, slot, page);
        let planned = record.len();
        record.clear();
        encode_created(&mut record, page);
        // Padded to the planned length: a varint decoder stops where the number ends.
        record.resize(planned, 0);
        record[..2].copy_from_slice(&(planned as u16).to_le_bytes());
        mini.write(place.slot(), byte_of(place.offset), &record);
        txn.needs_purge = true;
        let fused = self.fuse_commit(&mut mini, txn, &place);
        self.commit_write(mini, txn, &place, fused)?;
        Ok((page, place.offset))
    }

    /// Notes that a page, or the tree below it, is dead if the transaction commits.
    pub fn drop_page(&mut self, txn: &mut Transaction, page: PageId) -> Step<()> {
        let mut mini = MiniTransaction::begin(self.engine)?;
        let mut record = Vec::new();
        encode_dropped(&mut record, page);
        let place = self.prepare_undo(&mut mini, txn, record.len())?;
        mini.write(place.slot(), byte_of(place.offset), &record);
        txn.needs_purge = true;
        let fused = self.fuse_commit(&mut mini, txn, &place);
        self.commit_write(mini, txn, &place, fused)?;
        Ok(())
    }
}

//! A mini-transaction under construction: page changes that get consecutive LSNs and appear together.
//!
//! The engine builds one under page latches; the volume client numbers it, fills the backlinks that only it
//! knows, and patches the commit LSN into the place the engine left for it. The last record is the
//! consistency point (CPL).

use crate::record::Operation;
use crate::{Lsn, PAGE_BODY_START, PAGE_SIZE, PageId};
use alloc::vec::Vec;
use core::ops::Range;

/// One record of an [`Mtr`]: everything but its number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MtrRecord {
    /// The page it changes.
    pub page: PageId,
    /// LSN of the page version that the operations were made for; zero for a page's first record.
    pub page_backlink: Lsn,
    /// Where its operations stand in [`Mtr::operations`].
    pub operations: Range<usize>,
}

/// A mini-transaction under construction. Reused between mini-transactions, so that the hot path allocates
/// nothing.
///
/// Invariant: a page has at most one record in it, so "the version before" is never a record of the same
/// mini-transaction.
#[derive(Clone, Debug, Default)]
pub struct Mtr {
    records: Vec<MtrRecord>,
    bytes: Vec<u8>,
    commit_lsn_at: Option<usize>,
}

impl Mtr {
    /// An empty one.
    pub const fn new() -> Mtr {
        Mtr { records: Vec::new(), bytes: Vec::new(), commit_lsn_at: None }
    }

    /// Begins the record of `page`; the operations added next are its.
    ///
    /// # Panics
    /// If the page has a record in this mini-transaction already.
    pub fn begin_record(&mut self, page: PageId, page_backlink: Lsn) {
        assert!(self.records.iter().all(|record| record.page != page), "{page:?} is in this MTR already");
        let at = self.bytes.len();
        self.records.push(MtrRecord { page, page_backlink, operations: at..at });
    }

    /// Adds an operation to the current record.
    pub fn push(&mut self, operation: &Operation<'_>) {
        let record = self.records.last_mut().expect("begin_record comes first");
        operation.encode(&mut self.bytes);
        record.operations.end = self.bytes.len();
    }

    /// Adds a `Write` of eight bytes that [`Mtr::patch_commit_lsn`] fills in once the LSN is known: the
    /// commit record's own number.
    pub fn push_commit_lsn(&mut self, offset: u16) {
        assert!(self.commit_lsn_at.is_none(), "one commit an MTR");
        assert!(usize::from(offset) >= PAGE_BODY_START && usize::from(offset) + 8 <= PAGE_SIZE);
        self.push(&Operation::Write { offset, bytes: &[0; 8] });
        self.commit_lsn_at = Some(self.bytes.len() - 8);
    }

    /// Fills in the commit LSN, if a place was left for it. Called with the mini-transaction's last LSN.
    pub fn patch_commit_lsn(&mut self, lsn: Lsn) {
        if let Some(at) = self.commit_lsn_at {
            self.bytes[at..at + 8].copy_from_slice(&lsn.0.to_le_bytes());
        }
    }

    /// The records, in LSN order.
    pub fn records(&self) -> &[MtrRecord] {
        &self.records
    }

    /// Encoded operations of all records; a record's are the range it names.
    pub fn operations(&self) -> &[u8] {
        &self.bytes
    }

    /// Encoded operations of one record.
    pub fn operations_of(&self, record: &MtrRecord) -> &[u8] {
        &self.bytes[record.operations.clone()]
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Empties it for the next use; keeps its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.bytes.clear();
        self.commit_lsn_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two records, the first with two operations, the last with the commit's own LSN.
    fn mtr() -> Mtr {
        let mut mtr = Mtr::new();
        mtr.begin_record(PageId(7), Lsn(3));
        mtr.push(&Operation::Format);
        mtr.push(&Operation::Write { offset: 96, bytes: &[1, 2] });
        mtr.begin_record(PageId(8), Lsn(4));
        mtr.push_commit_lsn(100);
        mtr
    }

    fn encoded(operations: &[Operation<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        operations.iter().for_each(|operation| operation.encode(&mut bytes));
        bytes
    }

    #[test]
    fn each_record_has_its_own_operations() {
        let mtr = mtr();
        let first = encoded(&[Operation::Format, Operation::Write { offset: 96, bytes: &[1, 2] }]);
        let second = encoded(&[Operation::Write { offset: 100, bytes: &[0; 8] }]);
        let found: Vec<_> = mtr.records().iter().map(|it| (it.page, it.page_backlink)).collect();
        assert_eq!(found, [(PageId(7), Lsn(3)), (PageId(8), Lsn(4))]);
        assert_eq!(mtr.operations_of(&mtr.records()[0]), first);
        assert_eq!(mtr.operations_of(&mtr.records()[1]), second);
        assert_eq!(mtr.operations(), [first, second].concat());
    }

    #[test]
    fn the_commit_lsn_is_filled_in_where_it_was_left_open() {
        let mut mtr = mtr();
        mtr.patch_commit_lsn(Lsn(0x0102));
        let patched = encoded(&[Operation::Write { offset: 100, bytes: &[2, 1, 0, 0, 0, 0, 0, 0] }]);
        assert_eq!(mtr.operations_of(&mtr.records()[1]), patched);
        mtr.clear();
        assert!(mtr.is_empty() && mtr.operations().is_empty());
        // The place went with the rest.
        mtr.begin_record(PageId(7), Lsn(3));
        mtr.push(&Operation::Format);
        mtr.patch_commit_lsn(Lsn(0x0102));
        assert_eq!(mtr.operations(), encoded(&[Operation::Format]));
    }

    #[test]
    #[should_panic(expected = "is in this MTR already")]
    fn a_page_has_one_record() {
        mtr().begin_record(PageId(7), Lsn(9));
    }
}

//! Memory of the lists of records that wait for pages.
//!
//! A page's list begins with nothing, doubles as records come, and goes whole when they are in a version: some thousand lists a
//! second, which the allocator would each time cut out of what it has just put together. Here they are kept by size, no
//! more of each than the pages of a round let go of.

use super::PendingRecord;
use alloc::vec::Vec;

/// Records that a list has room for at first.
const RECORDS_FIRST: usize = 4;
/// Lists for up to 64 records. Longer ones are those of pages that are hot, and few.
const SIZES: usize = 5;
/// Of each size: together 190 KB.
const KEPT_MAX: usize = 64;

/// Empty lists, by size.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    empty: [Vec<Vec<PendingRecord>>; SIZES],
}

impl Lists {
    /// A list that is full gets room for as many again.
    pub fn grow(&mut self, list: &mut Vec<PendingRecord>) {
        let capacity = (list.capacity() * 2).max(RECORDS_FIRST);
        let kept = size_of(capacity).and_then(|size| self.empty[size].pop());
        let mut larger = kept.unwrap_or_else(|| Vec::with_capacity(capacity));
        assert!(larger.is_empty());
        larger.append(list);
        self.keep(core::mem::replace(list, larger));
    }

    /// Lets go of what is in a list, and keeps its memory for another.
    pub fn keep(&mut self, mut list: Vec<PendingRecord>) {
        list.clear();
        if let Some(size) = size_of(list.capacity())
            && self.empty[size].len() < KEPT_MAX
        {
            self.empty[size].push(list);
        }
    }
}

/// Which size has this capacity.
fn size_of(capacity: usize) -> Option<usize> {
    (0..SIZES).find(|size| RECORDS_FIRST << size == capacity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::batches::tests::stored;

    #[test]
    fn a_list_keeps_its_records_as_it_grows_and_its_memory_is_used_again() {
        let batch = stored(&[(1, 7); 300]);
        let mut lists = Lists::default();
        let mut list = Vec::new();
        for index in 0..300 {
            if list.len() == list.capacity() {
                lists.grow(&mut list);
            }
            list.push(PendingRecord::new(&batch, index));
        }
        assert!(list.iter().map(|record| record.index).eq(0..300));
        assert_eq!(list.capacity(), 512);
        assert_eq!(lists.empty.each_ref().map(Vec::len), [1; SIZES], "what it outgrew is kept");
        let mut next = Vec::new();
        lists.grow(&mut next);
        assert_eq!((next.capacity(), lists.empty[0].len()), (RECORDS_FIRST, 0));
        next.push(PendingRecord::new(&batch, 0));
        lists.keep(next);
        lists.keep(list);
        assert_eq!(lists.empty.each_ref().map(Vec::len), [1; SIZES], "the largest is not kept");
        assert_eq!(alloc::sync::Arc::strong_count(&batch), 1, "nothing of what was in them is");
        (0..200).for_each(|_| lists.keep(Vec::with_capacity(RECORDS_FIRST)));
        assert_eq!(lists.empty[0].len(), KEPT_MAX);
    }
}

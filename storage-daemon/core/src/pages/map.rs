//! Entries of pages by number: blocks of neighbours, and a small tree that finds the block.
//!
//! A record touches the entry of whatever page it changes, so what an entry's place costs is what a record costs: in one tree of
//! entries that is a line of memory for each level, and half of every node is empty since pages are numbered in the order in which they are
//! made. Pages of a group are neighbours, as compute allocates them; a page that stands alone costs its whole block, 1.4 KB.

use super::PageEntry;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use hexalog_protocol::PageId;

/// Pages of a block: twice as many would halve the tree, and double what a lonely page costs.
const BLOCK_PAGES: u64 = 16;

#[derive(Debug, Default)]
struct Block([Option<PageEntry>; BLOCK_PAGES as usize]);

/// A map from pages to their entries, in order.
#[derive(Debug, Default)]
pub(crate) struct PageMap {
    /// None of them is empty.
    blocks: BTreeMap<u64, Box<Block>>,
    count: usize,
}

fn place(page: PageId) -> (u64, usize) {
    (page.0 / BLOCK_PAGES, (page.0 % BLOCK_PAGES) as usize)
}

impl PageMap {
    pub fn get(&self, page: PageId) -> Option<&PageEntry> {
        let (block, index) = place(page);
        self.blocks.get(&block)?.0[index].as_ref()
    }

    pub fn get_mut(&mut self, page: PageId) -> Option<&mut PageEntry> {
        let (block, index) = place(page);
        self.blocks.get_mut(&block)?.0[index].as_mut()
    }

    /// The page's entry, a new one if it has none.
    pub fn entry(&mut self, page: PageId) -> &mut PageEntry {
        let (block, index) = place(page);
        let entry = &mut self.blocks.entry(block).or_default().0[index];
        self.count += usize::from(entry.is_none());
        entry.get_or_insert_default()
    }

    pub fn insert(&mut self, page: PageId, entry: PageEntry) {
        *self.entry(page) = entry;
    }

    pub fn remove(&mut self, page: PageId) {
        let (block, index) = place(page);
        let Some(entries) = self.blocks.get_mut(&block) else { return };
        if entries.0[index].take().is_some() {
            self.count -= 1;
        }
        if entries.0.iter().all(Option::is_none) {
            self.blocks.remove(&block);
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// Pages from `from` on, in order.
    pub fn range_from(&self, from: PageId) -> impl Iterator<Item = (PageId, &PageEntry)> + '_ {
        let (first, _) = place(from);
        let entries = self.blocks.range(first..).flat_map(|(block, entries)| {
            let first = block * BLOCK_PAGES;
            entries.0.iter().zip(first..).filter_map(|(entry, page)| Some((PageId(page), entry.as_ref()?)))
        });
        entries.skip_while(move |(page, _)| *page < from)
    }

    pub fn values(&self) -> impl Iterator<Item = &PageEntry> + '_ {
        self.blocks.values().flat_map(|entries| entries.0.iter().flatten())
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut PageEntry> + '_ {
        self.blocks.values_mut().flat_map(|entries| entries.0.iter_mut().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use hexalog_protocol::Lsn;
    use hexalog_storage_format::address::{AREA_EXTENTS, BlockAddress};
    use hexalog_storage_format::checkpoint::{ImageRef, PageVersions};

    fn entry(lsn: u64) -> PageEntry {
        let image = ImageRef { lsn: Lsn(lsn), address: BlockAddress::new(AREA_EXTENTS, 0), crc: 0 };
        PageEntry::from(PageVersions { image: Some(image), delta: None })
    }

    /// Whatever is put in and taken out, in whatever order, it holds what a tree of entries holds.
    #[test]
    fn it_is_a_map() {
        let mut map = PageMap::default();
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let mut state = 88_172_645_463_325_252u64;
        for step in 1..20_000u64 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Few pages, so that blocks fill and empty.
            let page = state % 97 * if state & 1 << 40 == 0 { 1 } else { 1_000 };
            match state >> 41 & 3 {
                0 => {
                    map.remove(PageId(page));
                    model.remove(&page);
                }
                1 if map.get(PageId(page)).is_some() => {
                    *map.get_mut(PageId(page)).expect("just seen") = entry(step);
                    model.insert(page, step);
                }
                _ => {
                    map.insert(PageId(page), entry(step));
                    model.insert(page, step);
                }
            }
            assert_eq!(map.get(PageId(page)).map(|entry| entry.image_lsn().0), model.get(&page).copied());
            assert_eq!(map.len(), model.len());
            if step % 64 == 0 {
                let found: Vec<_> =
                    map.range_from(PageId(page)).map(|(id, it)| (id.0, it.image_lsn().0)).collect();
                let wanted: Vec<_> = model.range(page..).map(|(page, lsn)| (*page, *lsn)).collect();
                assert_eq!(found, wanted);
                assert_eq!(map.values().count(), model.len());
                assert!(map.blocks.values().all(|block| block.0.iter().any(Option::is_some)));
            }
        }
        assert_eq!(map.entry(PageId(5)).image_lsn(), Lsn(model.get(&5).copied().unwrap_or(0)));
    }
}

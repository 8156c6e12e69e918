//! Freeing chains, a few pages at a time.
//!
//! Owns the order that survives a crash after any step: what the root leads to is exactly what is still in use. Data
//! pages are taken off the ends of the directories, directories out of the list behind the root; the root goes last, in
//! the mini-transaction that notes it where the chain was listed. No data page is read.

use crate::access::Access;
use crate::error::{EngineError, Step};
use crate::layout::bitmap_page;
use crate::layout::chain_list;
use crate::layout::overflow_page::{COUNT, NEXT, OverflowHeader, entry};
use crate::layout::tree_page::{ROW_OVERFLOW, TreePage};
use crate::mini_transaction::MiniTransaction;
use crate::types::Chain;
use hexalog_protocol::PageId;

/// Data pages freed in one mini-transaction, and bitmap pages that they may lie in.
const PAGES_FREED_MAX: usize = 256;
const BITMAPS_MAX: usize = 4;

fn not_overflow(page: PageId) -> EngineError {
    EngineError::Corrupt { page, what: "not an overflow page of a dead chain" }
}

impl Access<'_> {
    /// Frees pages behind the root of a dead chain. True: only the root is left.
    pub fn free_behind_root(&mut self, root: PageId) -> Step<bool> {
        let header = self.overflow_header(root)?;
        if !header.is_directory {
            return Ok(true);
        }
        if header.next != PageId(0) {
            let second = self.overflow_header(header.next)?;
            match second.count {
                0 => self.unlink_directory(root, header.next, second.next)?,
                _ => self.free_entries(header.next)?,
            }
            return Ok(false);
        }
        if header.count > 0 {
            self.free_entries(root)?;
            return Ok(false);
        }
        Ok(true)
    }

    fn overflow_header(&mut self, id: PageId) -> Step<OverflowHeader> {
        let page = self.shared(id)?;
        Ok(OverflowHeader::decode(page.bytes()).ok_or(not_overflow(id))?)
    }

    /// Frees the last data pages that a directory names.
    fn free_entries(&mut self, id: PageId) -> Step<()> {
        let directory = self.exclusive(id)?;
        let header = OverflowHeader::decode(directory.bytes()).ok_or(not_overflow(id))?;
        let (mut count, mut pages, mut bitmaps) = (usize::from(header.count), Vec::new(), Vec::new());
        while count > 0 && pages.len() < PAGES_FREED_MAX {
            let page = entry(directory.bytes(), count - 1);
            let bitmap = bitmap_page::index_of(page);
            if !bitmaps.contains(&bitmap) {
                if bitmaps.len() == BITMAPS_MAX {
                    break;
                }
                bitmaps.push(bitmap);
            }
            pages.push(page);
            count -= 1;
        }
        // Bitmap pages are latched in their order.
        pages.sort_unstable();
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(directory);
        mini.write(slot, COUNT, &(count as u16).to_le_bytes());
        for page in &pages {
            self.free(&mut mini, *page)?;
        }
        mini.commit(&mut |_, _| {});
        pages.iter().for_each(|page| self.note_freed(*page));
        Ok(())
    }

    /// Takes the empty directory page behind the root out of the list.
    fn unlink_directory(&mut self, root: PageId, empty: PageId, next: PageId) -> Step<()> {
        let page = self.exclusive(root)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(page);
        mini.write(slot, NEXT, &next.0.to_le_bytes());
        self.free(&mut mini, empty)?;
        mini.commit(&mut |_, _| {});
        self.note_freed(empty);
        Ok(())
    }

    /// Frees a piece of the chains that the rows on a leaf of a dropped tree own. True: none is left.
    pub fn free_chains_of_leaf(&mut self, leaf: PageId) -> Step<bool> {
        let Some((chain, count_at, count)) = self.first_chain_of_leaf(leaf)? else {
            return Ok(true);
        };
        if !self.free_behind_root(chain.root)? {
            return Ok(false);
        }
        let page = self.exclusive(leaf)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(page);
        mini.write(slot, count_at, &[count - 1]);
        self.free(&mut mini, chain.root)?;
        mini.commit(&mut |_, _| {});
        self.note_freed(chain.root);
        Ok(false)
    }

    /// The first chain that a leaf's rows list, where the number of its list stands, and that number.
    fn first_chain_of_leaf(&mut self, leaf: PageId) -> Step<Option<(Chain, usize, u8)>> {
        let page = self.shared(leaf)?;
        let view = TreePage(page.bytes());
        for slot in 0..view.slots() {
            let cell = view.leaf_cell(slot);
            if cell.header.flags & ROW_OVERFLOW == 0 {
                continue;
            }
            let what = "a row whose list of chains does not fit it";
            let mut chains =
                chain_list::decode(cell.body).ok_or(EngineError::Corrupt { page: leaf, what })?;
            let count = chains.len() as u8;
            if let Some(chain) = chains.next() {
                return Ok(Some((chain, cell.body_offset() + cell.body.len() - 1, count)));
            }
        }
        Ok(None)
    }
}

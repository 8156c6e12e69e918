//! Counts every page of a volume: each one is reachable exactly once, or free.
//!
//! Owns the list of what may hold a page: super page, bitmaps, stream directory, undo streams, trees with the overflow
//! chains of their rows, sequences. For tests and `hexalog verify`: nobody writes meanwhile, every transaction is over,
//! and purge has nothing left to free.

use crate::access::Access;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::bitmap_page;
use crate::layout::overflow_page::{OverflowHeader, entry};
use crate::layout::super_page::SuperPage;
use crate::layout::tree_page::{ROW_OVERFLOW, TreePage};
use crate::layout::{Bytes, chain_list};
use crate::tree::descent::check_tree_page;
use crate::types::{PageReport, SequenceId, TreeId};
use hexalog_protocol::PageId;
use std::ops::Range;

/// Something whose page is still to be looked at.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// A page of a tree. From the leftmost of each level the walk goes down; from each it goes right.
    Tree { page: PageId, tree: TreeId, is_leftmost: bool },
    /// A page of a chain that may name others.
    Chain { page: PageId },
    /// One page of an undo stream.
    Undo { stream: u16, logical: u64 },
}

/// A check under way, kept between needs. Driven by [`Engine::check_pages`].
#[derive(Debug)]
pub struct PageCheck {
    /// The volume's first page.
    first: u64,
    /// A bit for each page, set once it was reached.
    reached: Vec<u64>,
    items: Vec<Item>,
    has_begun: bool,
    /// Those that have not been looked at.
    bitmaps: Range<u64>,
    sequences: Vec<SequenceId>,
    report: PageReport,
}

impl PageCheck {
    /// A check of a volume with these trees and sequences, and the catalog's own tree.
    pub fn new(trees: &[TreeId], sequences: &[SequenceId]) -> PageCheck {
        let root = |tree: &TreeId| Item::Tree { page: tree.0, tree: *tree, is_leftmost: true };
        PageCheck {
            first: 0,
            reached: Vec::new(),
            items: trees.iter().map(root).collect(),
            has_begun: false,
            bitmaps: 0..0,
            sequences: sequences.to_vec(),
            report: PageReport::default(),
        }
    }

    fn reach(&mut self, page: PageId) -> Result<(), EngineError> {
        let what = "a page that is reached twice, or lies outside of the volume";
        let at = page.0.wrapping_sub(self.first);
        let (word, bit) = ((at / 64) as usize, 1 << (at % 64));
        match self.reached.get_mut(word) {
            Some(bits) if *bits & bit == 0 => *bits |= bit,
            _ => return Err(EngineError::Corrupt { page, what }),
        }
        self.report.used += 1;
        Ok(())
    }

    fn is_reached(&self, page: PageId) -> bool {
        let at = page.0 - self.first;
        self.reached[(at / 64) as usize] >> (at % 64) & 1 != 0
    }

    fn begin(&mut self, engine: &Engine, formatted: u32) -> Result<(), EngineError> {
        let pages = engine.volume.geometry().pages();
        self.reached = vec![0; pages.div_ceil(64) as usize];
        self.first = engine.super_page().0;
        self.bitmaps = engine.bitmaps(formatted);
        let super_page = engine.opened().super_page;
        self.reach(engine.super_page())?;
        for index in self.bitmaps.clone() {
            self.reach(bitmap_page::page_of(index))?;
        }
        for index in 0..u64::from(super_page.directory_pages) {
            self.reach(PageId(super_page.directory_first.0 + index))?;
        }
        for at in 0..self.sequences.len() {
            self.reach(self.sequences[at].0)?;
        }
        let catalog = engine.catalog_tree();
        self.items.push(Item::Tree { page: catalog.0, tree: catalog, is_leftmost: true });
        for stream in 0..engine.streams().count() {
            let state = engine.streams().stream(stream).lock();
            if state.has_pages() {
                let owned = state.owned_from..=state.head_logical();
                self.items.extend(owned.map(|logical| Item::Undo { stream, logical }));
            }
        }
        self.has_begun = true;
        Ok(())
    }

    /// A tree page was read: reaches it, and notes where it leads.
    fn tree_page(
        &mut self,
        id: PageId,
        tree: TreeId,
        is_leftmost: bool,
        bytes: &Bytes,
    ) -> Result<(), EngineError> {
        let view = TreePage(bytes);
        check_tree_page(view, id, tree)?;
        self.items.pop();
        self.reach(id)?;
        self.report.tree += 1;
        if let Some(page) = view.right() {
            self.items.push(Item::Tree { page, tree, is_leftmost: false });
        }
        if !view.is_leaf() {
            if is_leftmost {
                self.items.push(Item::Tree { page: view.child(0), tree, is_leftmost });
            }
            return Ok(());
        }
        for slot in 0..view.slots() {
            let cell = view.leaf_cell(slot);
            if cell.header.flags & ROW_OVERFLOW != 0 {
                let what = "a row whose list of chains does not fit it";
                let chains = chain_list::decode(cell.body).ok_or(EngineError::Corrupt { page: id, what })?;
                self.items.extend(chains.map(|chain| Item::Chain { page: chain.root }));
                self.report.chains += chains_of(cell.body);
            }
        }
        Ok(())
    }

    fn chain_page(&mut self, id: PageId, bytes: &Bytes) -> Result<(), EngineError> {
        let what = "not an overflow page";
        let header = OverflowHeader::decode(bytes).ok_or(EngineError::Corrupt { page: id, what })?;
        self.items.pop();
        self.reach(id)?;
        self.report.overflow += 1;
        if header.is_directory {
            for index in 0..usize::from(header.count) {
                self.reach(entry(bytes, index))?;
                self.report.overflow += 1;
            }
            if header.next != PageId(0) {
                self.items.push(Item::Chain { page: header.next });
            }
        }
        Ok(())
    }

    /// A bitmap page was read: it says of each page what was found.
    fn bitmap(&mut self, index: u64, bytes: &Bytes, pages: u64) -> Result<(), EngineError> {
        let (first, end) = (index * bitmap_page::PAGES_COVERED, self.first + pages);
        for page in (first..end.min(first + bitmap_page::PAGES_COVERED)).map(PageId) {
            let (offset, mask) = bitmap_page::bit_of(page);
            let is_used = bytes[usize::from(offset)] & mask != 0;
            let what = match (is_used, self.is_reached(page)) {
                (true, false) => "a page in use that nothing leads to",
                (false, true) => "a page that is reached and marked as free",
                _ => continue,
            };
            return Err(EngineError::Corrupt { page, what });
        }
        self.bitmaps.start = index + 1;
        Ok(())
    }
}

fn chains_of(stored: &[u8]) -> u64 {
    chain_list::decode(stored).map_or(0, |chains| chains.len() as u64)
}

impl Engine {
    /// Goes on with a count of all pages. Call again with the same check after a need.
    pub fn check_pages(&self, check: &mut PageCheck) -> Step<PageReport> {
        self.operate_alone(|access| {
            if !check.has_begun {
                let page = access.shared(self.super_page())?;
                let formatted =
                    SuperPage::decode(page.bytes()).expect("checked at opening").bitmaps_formatted;
                check.begin(self, formatted)?;
            }
            while let Some(item) = check.items.last().copied() {
                access.check_item(check, item)?;
            }
            while !check.bitmaps.is_empty() {
                let index = check.bitmaps.start;
                let page = access.shared(bitmap_page::page_of(index))?;
                check.bitmap(index, page.bytes(), self.volume.geometry().pages())?;
            }
            Ok(check.report)
        })
    }
}

impl Access<'_> {
    fn check_item(&mut self, check: &mut PageCheck, item: Item) -> Step<()> {
        match item {
            Item::Tree { page, tree, is_leftmost } => {
                let latched = self.shared(page)?;
                check.tree_page(page, tree, is_leftmost, latched.bytes())?;
            }
            Item::Chain { page } => {
                let latched = self.shared(page)?;
                check.chain_page(page, latched.bytes())?;
            }
            Item::Undo { stream, logical } => {
                let page = self.undo_page_id(stream, logical)?;
                check.items.pop();
                check.reach(page)?;
                check.report.undo += 1;
            }
        }
        Ok(())
    }
}

//! Walks a whole tree and checks its structure.
//!
//! Owns the list of what must hold: keys ascend within and across pages, stay below the high key and not
//! below the page's lower bound; a level's right links lead through all its pages; every child pointer of a
//! parent leads to a page of that level's chain, in order; levels count down by one; slots, heap and garbage
//! add up. For tests and `hexalog verify`: it asks for a tree that nobody writes to.

use super::descent::check_tree_page;
use crate::access::Access;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::tree_page::{SLOT_BYTES, SLOTS_START, TreePage};
use crate::types::{TreeId, TreeReport};
use hexalog_protocol::{PAGE_SIZE, PageId};

/// A check under way, kept between needs.
#[derive(Debug)]
pub struct TreeCheck {
    tree: TreeId,
    report: TreeReport,
    level: Option<u8>,
    /// The page to look at next, and its lower bound.
    next: Option<PageId>,
    low: Vec<u8>,
    /// Child pointers of the level above not met yet, in reverse order, with their separators.
    expected: Vec<(PageId, Vec<u8>)>,
    /// Child pointers of this level, in order.
    children: Vec<(PageId, Vec<u8>)>,
}

impl TreeCheck {
    /// A check of a tree, to be driven by [`Engine::check_tree`].
    pub fn new(tree: TreeId) -> TreeCheck {
        TreeCheck {
            tree,
            report: TreeReport::default(),
            level: None,
            next: Some(tree.0),
            low: Vec::new(),
            expected: Vec::new(),
            children: Vec::new(),
        }
    }

    fn visit(&mut self, id: PageId, page: TreePage<'_>) -> Result<(), EngineError> {
        let corrupt = |what| Err(EngineError::Corrupt { page: id, what });
        check_tree_page(page, id, self.tree)?;
        let level = *self.level.get_or_insert(page.level());
        if page.level() != level || page.is_root() != (id == self.tree.0) {
            return corrupt("a page on the wrong level");
        }
        if let Some((child, separator)) = self.expected.last()
            && *child == id
        {
            if *separator != self.low {
                return corrupt("a separator that is not the page's lower bound");
            }
            self.expected.pop();
        }
        check_bytes(id, page)?;
        for slot in 0..page.slots() {
            let first_inner = !page.is_leaf() && slot == 0;
            let low = if slot > 0 { page.key(slot - 1) } else { &self.low };
            if !first_inner && page.key(slot) < low || slot > 1 && page.key(slot) == low {
                return corrupt("keys out of order");
            }
            if page.high_key().is_some_and(|high| !first_inner && page.key(slot) >= high) {
                return corrupt("a key not below the high key");
            }
            if page.is_leaf() {
                self.report.cells += 1;
                self.report.cells_marked += u64::from(page.leaf_cell(slot).header.is_deleted());
            } else {
                let separator = if slot == 0 { self.low.clone() } else { page.key(slot).to_vec() };
                self.children.push((page.child(slot), separator));
            }
        }
        self.report.pages += 1;
        if page.right().is_some() != page.high_key().is_some() {
            return corrupt("a high key without a right sibling, or the other way round");
        }
        self.low = page.high_key().unwrap_or_default().to_vec();
        self.next = page.right();
        Ok(())
    }

    /// The level's end: goes down, or is done.
    fn end_level(&mut self) -> Result<bool, EngineError> {
        if let Some((child, _)) = self.expected.last() {
            return Err(EngineError::Corrupt {
                page: *child,
                what: "a child that its level does not lead to",
            });
        }
        self.report.height += 1;
        self.low.clear();
        self.expected = std::mem::take(&mut self.children);
        self.expected.reverse();
        self.next = self.expected.last().map(|(child, _)| *child);
        self.level = self.level.and_then(|level| level.checked_sub(1));
        Ok(self.next.is_none())
    }
}

fn check_bytes(id: PageId, page: TreePage<'_>) -> Result<(), EngineError> {
    let live: usize = (0..page.slots()).map(|slot| page.cell_bytes(slot)).sum();
    let heap = PAGE_SIZE - page.heap_start();
    let adds_up = live + page.high_key_bytes() + page.garbage() == heap
        && SLOTS_START + page.slots() * SLOT_BYTES <= page.heap_start();
    if adds_up { Ok(()) } else { Err(EngineError::Corrupt { page: id, what: "bytes that do not add up" }) }
}

impl Engine {
    /// Goes on with the check of a whole tree. Call again with the same check after a need.
    pub fn check_tree(&self, check: &mut TreeCheck) -> Step<TreeReport> {
        self.operate_alone(|access: &mut Access<'_>| {
            loop {
                while let Some(id) = check.next {
                    let page = access.shared(id)?;
                    check.visit(id, TreePage(page.bytes()))?;
                }
                if check.end_level()? {
                    return Ok(check.report);
                }
            }
        })
    }
}

//! Page splits: two mini-transactions, the second finished by whoever needs it.
//!
//! Owns the choice of the split point (ascending inserts leave the left page full), the push-down of a full
//! root, and the insertion of separators. Crash-safe order: the new right page, the left page's high key and
//! link and the allocation are one mini-transaction, after which every key is found by moving right; the
//! separator in the parent is the second.

use super::descent::{Descent, MissingSeparator, check_tree_page};
use super::edit::{self, room_for};
use crate::access::{Access, ExclusivePage};
use crate::error::Step;
use crate::layout::tree_page::{
    CAPACITY, FLAG_ROOT, INNER_CELL_OVERHEAD, SLOT_BYTES, SLOTS_START, TreeHeader, TreePage, encode_high_key,
    encode_inner_cell, high_key_cell_bytes, shortest_separator,
};
use crate::mini_transaction::{MiniTransaction, PageSlot};
use crate::types::TreeId;
use hexalog_protocol::{PAGE_BODY_START, PAGE_SIZE, PageId};
use std::sync::atomic::Ordering;

/// Where a page is cut: slots from `at` on go to the right page, and `separator` becomes the left one's high
/// key.
struct Cut {
    at: usize,
    separator: Vec<u8>,
}

fn separator_at(page: TreePage<'_>, at: usize, new_key: &[u8]) -> Vec<u8> {
    if !page.is_leaf() {
        return page.key(at).to_vec();
    }
    let slots = page.slots();
    let left = if at == 0 { None } else { Some(page.key(at - 1)) };
    let right = if at == slots { new_key } else { page.key(at) };
    match left {
        Some(left) => shortest_separator(left, right).to_vec(),
        // Everything goes right and the new key stays alone on the left.
        None => shortest_separator(new_key, right).to_vec(),
    }
}

/// Chooses the cut for a page that has no room for `new_key` at slot `position` (`None`: the key is there
/// already and its row has grown).
fn choose_cut(page: TreePage<'_>, position: Option<usize>, new_key: &[u8]) -> Cut {
    let slots = page.slots();
    let sizes: Vec<usize> = (0..slots).map(|index| page.cell_bytes(index) + SLOT_BYTES).collect();
    let total: usize = sizes.iter().sum();
    // An inner page keeps a slot on each side. A leaf may be cut at an end only next to the new key.
    let candidates = (0..=slots).filter(|at| {
        if page.is_leaf() {
            (*at > 0 || position == Some(0)) && (*at < slots || position == Some(slots))
        } else {
            *at > 0 && *at < slots
        }
    });
    let ascending = page.is_leaf() && position == Some(slots) && page.high_key().is_none();
    let mut best: Option<(usize, usize)> = None;
    for at in candidates {
        let left: usize = sizes[..at].iter().sum();
        let high_key = high_key_cell_bytes(&separator_at(page, at, new_key));
        if left + high_key > CAPACITY {
            continue;
        }
        let imbalance = if ascending { slots - at } else { left.abs_diff(total - left) };
        if best.is_none_or(|(_, least)| imbalance < least) {
            best = Some((at, imbalance));
        }
    }
    let (at, _) = best.expect("cells and keys are bounded so that some cut fits");
    Cut { at, separator: separator_at(page, at, new_key) }
}

/// Builds the bytes of a tree page from the slots `from..to` of another.
pub(super) struct PageImage {
    header_and_slots: Vec<u8>,
    heap: Vec<u8>,
}

fn build_page(
    page: TreePage<'_>,
    range: std::ops::Range<usize>,
    high_key: Option<&[u8]>,
    right: PageId,
    tree: TreeId,
) -> PageImage {
    let mut cells: Vec<Vec<u8>> = Vec::with_capacity(range.len());
    for index in range.clone() {
        if !page.is_leaf() && index == range.start {
            let mut cell = Vec::new();
            encode_inner_cell(&mut cell, b"", page.child(index));
            cells.push(cell);
        } else {
            cells.push(page.0[page.slot(index)..][..page.cell_bytes(index)].to_vec());
        }
    }
    build_from_cells(&cells, page.level(), page.flags() & !FLAG_ROOT, high_key, right, tree)
}

pub(super) fn build_from_cells(
    cells: &[Vec<u8>],
    level: u8,
    flags: u8,
    high_key: Option<&[u8]>,
    right: PageId,
    tree: TreeId,
) -> PageImage {
    let mut at = PAGE_SIZE;
    let mut high_key_offset = 0;
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(cells.len() + 1);
    if let Some(high_key) = high_key {
        let mut cell = Vec::new();
        encode_high_key(&mut cell, high_key);
        at -= cell.len();
        high_key_offset = at;
        pieces.push(cell);
    }
    let mut slots = Vec::with_capacity(cells.len() * SLOT_BYTES);
    for cell in cells {
        at -= cell.len();
        slots.extend_from_slice(&(at as u16).to_le_bytes());
        pieces.push(cell.clone());
    }
    let header =
        TreeHeader { level, flags, slots: cells.len(), heap_start: at, high_key_offset, right, tree: tree.0 };
    let mut header_and_slots = header.encode().to_vec();
    header_and_slots.extend_from_slice(&slots);
    assert!(PAGE_BODY_START + header_and_slots.len() <= at, "the cells fit the page");
    let heap = pieces.into_iter().rev().flatten().collect();
    PageImage { header_and_slots, heap }
}

pub(super) fn write_image(mini: &mut MiniTransaction<'_>, page: PageSlot, image: &PageImage) {
    mini.write(page, PAGE_BODY_START, &image.header_and_slots);
    if !image.heap.is_empty() {
        mini.write(page, PAGE_SIZE - image.heap.len(), &image.heap);
    }
}

/// An empty leaf that is a root: a new tree.
pub(crate) fn write_empty_root(mini: &mut MiniTransaction<'_>, page: PageSlot, flags: u8, tree: TreeId) {
    let image = build_from_cells(&[], 0, flags | FLAG_ROOT, None, PageId(0), tree);
    write_image(mini, page, &image);
}

impl<'e> Access<'e> {
    /// Splits the page (latched) that has no room for `new_key` at slot `position`. The tree holds what it
    /// held.
    pub fn split(
        &mut self,
        tree: TreeId,
        page: ExclusivePage<'e>,
        position: Option<usize>,
        new_key: &[u8],
        from_reserve: bool,
    ) -> Step<()> {
        self.engine.counters.splits.fetch_add(1, Ordering::Relaxed);
        if TreePage(page.bytes()).is_root() {
            return self.split_root(tree, page, position, new_key, from_reserve);
        }
        let mut mini = MiniTransaction::begin(self.engine)?;
        let left = mini.add(page);
        let right_id = self.allocate(&mut mini, from_reserve)?;
        let right = mini.add_formatted(self.create(right_id)?);
        let (cut, image, level) = {
            let view = TreePage(mini.bytes(left));
            let cut = choose_cut(view, position, new_key);
            let old_right = view.right().unwrap_or_default();
            let image = build_page(view, cut.at..view.slots(), view.high_key(), old_right, tree);
            (cut, image, view.level())
        };
        write_image(&mut mini, right, &image);
        edit::truncate(&mut mini, left, cut.at, &cut.separator, right_id);
        self.engine.serializable.rows_move(tree, mini.page_id(left), &[right_id]);
        mini.commit(&mut |_, _| {});
        let missing = MissingSeparator { level: level + 1, key: cut.separator };
        self.insert_separator(tree, &missing)
    }

    /// The root's content moves into two new pages below it.
    fn split_root(
        &mut self,
        tree: TreeId,
        root: ExclusivePage<'e>,
        position: Option<usize>,
        new_key: &[u8],
        from_reserve: bool,
    ) -> Step<()> {
        let mut mini = MiniTransaction::begin(self.engine)?;
        let root = mini.add(root);
        let left_id = self.allocate(&mut mini, from_reserve)?;
        let right_id = self.allocate(&mut mini, from_reserve)?;
        let left = mini.add_formatted(self.create(left_id)?);
        let right = mini.add_formatted(self.create(right_id)?);
        let (left_image, right_image, root_image) = {
            let view = TreePage(mini.bytes(root));
            assert!(view.high_key().is_none() && view.right().is_none(), "a root has no sibling");
            let cut = choose_cut(view, position, new_key);
            let left = build_page(view, 0..cut.at, Some(&cut.separator), right_id, tree);
            let right = build_page(view, cut.at..view.slots(), None, PageId(0), tree);
            let mut cells = vec![Vec::new(), Vec::new()];
            encode_inner_cell(&mut cells[0], b"", left_id);
            encode_inner_cell(&mut cells[1], &cut.separator, right_id);
            let root = build_from_cells(&cells, view.level() + 1, view.flags(), None, PageId(0), tree);
            (left, right, root)
        };
        write_image(&mut mini, left, &left_image);
        write_image(&mut mini, right, &right_image);
        write_image(&mut mini, root, &root_image);
        let (from, to) = (mini.page_id(root), [mini.page_id(left), mini.page_id(right)]);
        self.engine.serializable.rows_move(tree, from, &to);
        mini.commit(&mut |_, _| {});
        Ok(())
    }

    /// Finishes a split: puts the separator into the parent, unless it is there or a merge has made it needless. May use the
    /// pages kept for rollback: the split that it completes has had its page.
    pub fn insert_separator(&mut self, tree: TreeId, missing: &MissingSeparator) -> Step<()> {
        loop {
            let parent = match self.descend_exclusive(tree, &missing.key, missing.level)? {
                Descent::Here(parent) => parent,
                Descent::Missing(above) => {
                    assert!(above.level > missing.level, "a gap met on the way down lies higher");
                    self.insert_separator(tree, &above)?;
                    continue;
                }
                Descent::NoSuchLevel => return Ok(()),
            };
            let view = TreePage(parent.bytes());
            let position = view.partition(|separator| separator < missing.key.as_slice());
            if position < view.slots() && view.key(position) == missing.key {
                return Ok(());
            }
            // The parent is latched, so nothing below it is merged: what its child leads to stays alive.
            let left = view.child(position - 1);
            let Some(child) = self.page_from(tree, left, &missing.key)? else {
                return Ok(());
            };
            let bytes = INNER_CELL_OVERHEAD + missing.key.len() + SLOT_BYTES;
            if !room_for(view, bytes) {
                self.split(tree, parent, None, &missing.key, true)?;
                continue;
            }
            let mut mini = MiniTransaction::begin(self.engine)?;
            let parent = mini.add(parent);
            let mut cell = Vec::with_capacity(bytes);
            encode_inner_cell(&mut cell, &missing.key, child);
            edit::insert_cell(&mut mini, parent, position, &cell);
            mini.commit(&mut |_, _| {});
            return Ok(());
        }
    }

    /// The page right of `left`, or further right, whose lower bound is `low`. `None`: no page begins there any more.
    fn page_from(&mut self, tree: TreeId, left: PageId, low: &[u8]) -> Step<Option<PageId>> {
        let mut page = self.shared(left)?;
        loop {
            let view = TreePage(page.bytes());
            check_tree_page(view, page.id, tree)?;
            let right = match view.high_key() {
                Some(high) if high <= low => view.right(),
                _ => return Ok(None),
            };
            let right = right.expect("a page with a high key has a right sibling");
            if view.high_key() == Some(low) {
                return Ok(Some(right));
            }
            page = self.shared(right)?;
        }
    }
}

const _: () = assert!(SLOTS_START < PAGE_SIZE);

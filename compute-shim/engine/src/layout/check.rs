//! Whether an image that storage served holds together.
//!
//! Its checksum says that it is what some writer's redo made, not that it makes sense. Looked at once, when an image
//! enters the cache: every offset and length in it stays within the page, bytes add up, keys ascend, undo records
//! decode. Who reads a cached page need not ask again. Pages that the engine changes itself are its own affair.

use super::overflow_page::OverflowHeader;
use super::tree_page::{
    CAPACITY, INNER_CELL_OVERHEAD, LEAF_CELL_OVERHEAD, SLOT_BYTES, SLOTS_START, TreePage, high_key_cell_bytes,
};
use super::undo_page::{RECORDS_START, UNDO_RECORD_BYTES_MIN};
use super::undo_record::UndoRecord;
use super::{Bytes, KIND, KIND_OVERFLOW, KIND_TREE, KIND_UNDO, get_u16};
use crate::types::KEY_BYTES_MAX;
use hexalog_protocol::PAGE_SIZE;

/// Higher than any tree: fan-out is at least two, pages are fewer than 2^48.
pub(crate) const LEVELS_MAX: u8 = 48;

/// What does not hold, if anything. Kinds without offsets in them hold together whatever they say; that a page is of the
/// kind wanted is for whoever wants it.
pub(crate) fn check(bytes: &Bytes) -> Result<(), &'static str> {
    match bytes[KIND] {
        KIND_TREE => check_tree(TreePage(bytes)),
        KIND_UNDO => check_undo(bytes),
        KIND_OVERFLOW if OverflowHeader::decode(bytes).is_none() => {
            Err("an overflow page that holds more than it can")
        }
        _ => Ok(()),
    }
}

fn check_tree(page: TreePage<'_>) -> Result<(), &'static str> {
    let slots_end = SLOTS_START + page.slots() * SLOT_BYTES;
    if page.level() >= LEVELS_MAX || page.slots() > CAPACITY / SLOT_BYTES {
        return Err("a tree page's header");
    }
    if slots_end > page.heap_start() || page.heap_start() > PAGE_SIZE {
        return Err("a tree page's slots and heap");
    }
    if !page.is_leaf() && page.slots() == 0 {
        return Err("an inner page without a child");
    }
    let mut used = 0;
    for slot in 0..page.slots() {
        used += cell_bytes(page, page.slot(slot))?;
    }
    if page.right().is_some() != (page.high_key_offset() != 0) {
        return Err("a high key without a right sibling, or the other way round");
    }
    if page.high_key_offset() != 0 {
        used += high_key_bytes(page)?;
    }
    if used + page.garbage() != PAGE_SIZE - page.heap_start() {
        return Err("bytes of a tree page that do not add up");
    }
    check_order(page)
}

/// Length of the cell at `at`, if all of it lies in the heap.
fn cell_bytes(page: TreePage<'_>, at: usize) -> Result<usize, &'static str> {
    let overhead = if page.is_leaf() { LEAF_CELL_OVERHEAD } else { INNER_CELL_OVERHEAD };
    if at < page.heap_start() || at + overhead > PAGE_SIZE {
        return Err("a cell outside the heap");
    }
    let key = usize::from(get_u16(page.0, at));
    let body = if page.is_leaf() { usize::from(get_u16(page.0, at + 2)) } else { 0 };
    if key > KEY_BYTES_MAX || at + overhead + key + body > PAGE_SIZE {
        return Err("a cell that ends outside the page");
    }
    Ok(overhead + key + body)
}

fn high_key_bytes(page: TreePage<'_>) -> Result<usize, &'static str> {
    let at = page.high_key_offset();
    let overhead = high_key_cell_bytes(&[]);
    if at < page.heap_start() || at + overhead > PAGE_SIZE {
        return Err("a high key outside the heap");
    }
    let key = usize::from(get_u16(page.0, at));
    if key > KEY_BYTES_MAX || at + overhead + key > PAGE_SIZE {
        return Err("a high key that ends outside the page");
    }
    Ok(overhead + key)
}

/// Keys ascend and lie below the high key; slot 0 of an inner page counts as below every key.
fn check_order(page: TreePage<'_>) -> Result<(), &'static str> {
    let first = usize::from(!page.is_leaf());
    for slot in first + 1..page.slots() {
        if page.key(slot - 1) >= page.key(slot) {
            return Err("keys out of order");
        }
    }
    let last = page.slots().checked_sub(1).filter(|last| *last >= first);
    match (last, page.high_key()) {
        (Some(last), Some(high)) if page.key(last) >= high => Err("a key not below the high key"),
        _ => Ok(()),
    }
}

fn check_undo(bytes: &Bytes) -> Result<(), &'static str> {
    let mut at = RECORDS_START;
    while at + 2 <= PAGE_SIZE {
        let length = usize::from(get_u16(bytes, at));
        if length == 0 {
            break;
        }
        let record = bytes.get(at..at + length).ok_or("an undo record that ends outside the page")?;
        if length < UNDO_RECORD_BYTES_MIN {
            return Err("an undo record without a kind");
        }
        UndoRecord::decode(record).map_err(|malformed| malformed.what)?;
        at += length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_volume::MemoryVolume;
    use crate::{Engine, EngineError, Isolation, Options, RowBuffer, RowRef, Stop, TreeId, TreeKind};
    use hexalog_protocol::{Page, geometry::Geometry};
    use std::sync::Arc;

    const KEYS: u8 = 20;

    fn filled() -> (Arc<MemoryVolume>, Engine, TreeId) {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 4 });
        let engine = Engine::new(volume.clone(), Options { frames: 64, undo_streams: 8, snapshots: 8 });
        volume.run(&engine, || engine.create()).expect("creates");
        let mut txn = engine.begin(Isolation::ReadCommitted, false);
        volume.run(&engine, || engine.begin_statement(&mut txn)).expect("begins");
        let tree = volume.run(&engine, || engine.create_tree(&mut txn, TreeKind::Clustered)).expect("a tree");
        for number in 0..KEYS {
            let (key, body) = ([number, 7], [number; 600]);
            let row = RowRef { columns: 1, body: &body, chains: &[] };
            volume.run(&engine, || engine.insert(&mut txn, tree, &key, row)).expect("inserts");
        }
        volume.run(&engine, || engine.commit(&mut txn)).expect("commits");
        volume.advance_vdl(&engine, volume.beyond_vdl());
        (volume, engine, tree)
    }

    /// Fuzzing found that each of these stopped whoever read the page: its checksum held, and slices ended outside it.
    #[test]
    fn what_does_not_hold_together_is_named() {
        let (volume, _, _) = filled();
        let images = volume.images();
        let image = |kind, level: u8| {
            let found = images.iter().rfind(|page| page.bytes()[KIND] == kind && page.bytes()[97] == level);
            found.expect("a page of the kind")
        };
        let (leaf, inner, undo) = (image(KIND_TREE, 0), image(KIND_TREE, 1), image(KIND_UNDO, 0));
        for (page, at, value, expected) in [
            (leaf, 97, 48, "a tree page's header"),
            (leaf, 101, 0xff, "a tree page's header"),
            (leaf, 103, 0xff, "a tree page's slots and heap"),
            (leaf, SLOTS_START + 1, 0xff, "a cell outside the heap"),
            (leaf, SLOTS_START + 1, 0, "a cell outside the heap"),
            (leaf, 104, 1, "bytes of a tree page that do not add up"),
            (inner, 112, 9, "a high key without a right sibling, or the other way round"),
            (undo, RECORDS_START + 1, 0xff, "an undo record that ends outside the page"),
            (undo, RECORDS_START, 2, "an undo record without a kind"),
            (undo, RECORDS_START + 2, 0x0e, "undo kind"),
        ] {
            assert_eq!(check(page.bytes()), Ok(()));
            let mut damaged = page.clone();
            damaged.bytes_mut()[at] = value;
            assert_eq!(check(damaged.bytes()), Err(expected), "byte {at}");
        }
    }

    #[test]
    fn a_page_that_does_not_hold_together_is_an_error_and_no_panic() {
        let (volume, engine, tree) = filled();
        engine.evict_pages();
        volume.hold_fetches(true);
        let mut txn = engine.begin(Isolation::ReadCommitted, false);
        volume.run(&engine, || engine.begin_statement(&mut txn)).expect("begins");
        let mut row = RowBuffer::default();
        assert!(matches!(engine.get(&mut txn, tree, &[3, 7], &mut row), Err(Stop::Need(_))));
        let mut damaged: Page =
            volume.images().into_iter().find(|page| page.id() == tree.0).expect("the root");
        damaged.bytes_mut()[101] = 0xff;
        engine.page_loaded(tree.0, engine.volume.vdl(), Ok(damaged), None);
        let answer = engine.get(&mut txn, tree, &[3, 7], &mut row);
        assert!(matches!(answer, Err(Stop::Fail(EngineError::Corrupt { .. }))), "{answer:?}");
        // Another copy may be sound: who asks again gets it.
        volume.hold_fetches(false);
        assert!(volume.run(&engine, || engine.get(&mut txn, tree, &[3, 7], &mut row)).expect("reads"));
    }
}

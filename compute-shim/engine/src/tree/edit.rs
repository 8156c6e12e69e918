//! Changes to one tree page inside a mini-transaction: cells in, cells out, compaction.
//!
//! Owns slots, heap and garbage count of a page and how few bytes of redo they take. Never decides what to
//! change, and never splits: a caller checks the room first with [`room_for`].

use crate::layout::tree_page::{
    CAPACITY, HIGH_KEY, LeafCell, RIGHT, RowHeader, SLOT_BYTES, SLOT_COUNT, SLOTS_START, TreePage,
    encode_high_key, encode_leaf_cell, high_key_cell_bytes,
};
use crate::mini_transaction::{MiniTransaction, PageSlot};
use hexalog_protocol::{PAGE_SIZE, PageId};

/// Whether `bytes` of cell and slot fit the page, after compaction if need be.
pub(crate) fn room_for(page: TreePage<'_>, bytes: usize) -> bool {
    page.free() >= bytes
}

fn view<'a>(mini: &'a MiniTransaction<'_>, slot: PageSlot) -> TreePage<'a> {
    TreePage(mini.bytes(slot))
}

/// Slot count, heap start and garbage stand together and are written together.
fn set_counts(
    mini: &mut MiniTransaction<'_>,
    page: PageSlot,
    slots: usize,
    heap_start: usize,
    garbage: usize,
) {
    assert!(SLOTS_START + slots * SLOT_BYTES <= heap_start, "slots and heap do not meet");
    assert!(garbage <= PAGE_SIZE - heap_start, "garbage lies in the heap");
    let mut bytes = [0; 6];
    bytes[..2].copy_from_slice(&(slots as u16).to_le_bytes());
    bytes[2..4].copy_from_slice(&(heap_start as u16).to_le_bytes());
    bytes[4..].copy_from_slice(&(garbage as u16).to_le_bytes());
    mini.write_difference(page, SLOT_COUNT, &bytes);
}

/// Puts a cell at slot `index`, moving later slots up. The caller has checked the room.
pub(crate) fn insert_cell(mini: &mut MiniTransaction<'_>, page: PageSlot, index: usize, cell: &[u8]) {
    assert!(room_for(view(mini, page), cell.len() + SLOT_BYTES), "the caller has checked the room");
    if view(mini, page).contiguous_free() < cell.len() + SLOT_BYTES {
        compact(mini, page);
    }
    let (slots, heap_start, garbage) = counts(mini, page);
    assert!(index <= slots);
    let at = heap_start - cell.len();
    let slot_at = SLOTS_START + index * SLOT_BYTES;
    mini.write(page, at, cell);
    mini.shift(page, slot_at, slot_at + SLOT_BYTES, (slots - index) * SLOT_BYTES);
    mini.write(page, slot_at, &(at as u16).to_le_bytes());
    set_counts(mini, page, slots + 1, at, garbage);
}

fn counts(mini: &MiniTransaction<'_>, page: PageSlot) -> (usize, usize, usize) {
    let view = view(mini, page);
    (view.slots(), view.heap_start(), view.garbage())
}

/// Takes the cell at slot `index` out.
pub(crate) fn remove_cell(mini: &mut MiniTransaction<'_>, page: PageSlot, index: usize) {
    let freed = view(mini, page).cell_bytes(index);
    let (slots, heap_start, garbage) = counts(mini, page);
    let slot_at = SLOTS_START + index * SLOT_BYTES;
    mini.shift(page, slot_at + SLOT_BYTES, slot_at, (slots - index - 1) * SLOT_BYTES);
    set_counts(mini, page, slots - 1, heap_start, garbage + freed);
}

/// Takes the cells at several slots out, which are given in ascending order.
pub(crate) fn remove_cells(mini: &mut MiniTransaction<'_>, page: PageSlot, removed: &[usize]) {
    if let [index] = removed {
        return remove_cell(mini, page, *index);
    }
    let (slots, heap_start, garbage) = counts(mini, page);
    let mut kept = Vec::with_capacity((slots - removed.len()) * SLOT_BYTES);
    let mut freed = 0;
    let mut next = removed.iter().peekable();
    for index in 0..slots {
        if next.next_if_eq(&&index).is_some() {
            freed += view(mini, page).cell_bytes(index);
        } else {
            kept.extend_from_slice(&(view(mini, page).slot(index) as u16).to_le_bytes());
        }
    }
    assert!(next.next().is_none(), "slots of the page, in order");
    if !kept.is_empty() {
        mini.write_difference(page, SLOTS_START, &kept);
    }
    set_counts(mini, page, slots - removed.len(), heap_start, garbage + freed);
}

/// Puts cells behind those of the page, with the high key and the right sibling of the page that they come from. The caller
/// has checked the room.
pub(crate) fn absorb(
    mini: &mut MiniTransaction<'_>,
    page: PageSlot,
    cells: &[Vec<u8>],
    high_key: Option<&[u8]>,
    right: PageId,
) {
    let old_high_key = view(mini, page).high_key_bytes();
    if old_high_key > 0 {
        mini.write(page, HIGH_KEY, &[0, 0]);
        let (slots, heap_start, garbage) = counts(mini, page);
        set_counts(mini, page, slots, heap_start, garbage + old_high_key);
    }
    let mut high_key_cell = Vec::new();
    if let Some(high_key) = high_key {
        encode_high_key(&mut high_key_cell, high_key);
    }
    let heap_bytes = cells.iter().map(Vec::len).sum::<usize>() + high_key_cell.len();
    if view(mini, page).contiguous_free() < heap_bytes + cells.len() * SLOT_BYTES {
        compact(mini, page);
    }
    let (slots, heap_start, garbage) = counts(mini, page);
    let start = heap_start - heap_bytes;
    let (mut heap, mut new_slots) = (high_key_cell, Vec::with_capacity(cells.len() * SLOT_BYTES));
    if !heap.is_empty() {
        mini.write(page, HIGH_KEY, &(start as u16).to_le_bytes());
    }
    for cell in cells {
        new_slots.extend_from_slice(&((start + heap.len()) as u16).to_le_bytes());
        heap.extend_from_slice(cell);
    }
    if !heap.is_empty() {
        mini.write(page, start, &heap);
    }
    if !new_slots.is_empty() {
        mini.write(page, SLOTS_START + slots * SLOT_BYTES, &new_slots);
    }
    set_counts(mini, page, slots + cells.len(), start, garbage);
    mini.write_difference(page, RIGHT, &right.0.to_le_bytes());
}

/// Bytes that replacing the body of a leaf cell takes from the page.
pub(crate) fn replace_bytes(cell: &LeafCell<'_>, body_bytes: usize) -> usize {
    match body_bytes.cmp(&cell.body.len()) {
        std::cmp::Ordering::Greater => cell.bytes() - cell.body.len() + body_bytes,
        _ => 0,
    }
}

/// Gives the row at slot `index` a new header and, unless `None`, a new body. The caller has checked the
/// room.
pub(crate) fn replace_row(
    mini: &mut MiniTransaction<'_>,
    page: PageSlot,
    index: usize,
    header: &RowHeader,
    body: Option<&[u8]>,
) {
    let (offset, header_at, body_at, old_bytes, old_body) = {
        let cell = view(mini, page).leaf_cell(index);
        (cell.offset, cell.header_offset(), cell.body_offset(), cell.bytes(), cell.body.len())
    };
    let Some(body) = body else {
        mini.write_difference(page, header_at, &header.encode());
        return;
    };
    if body.len() <= old_body {
        // Header and body lie side by side: one difference covers both.
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(body);
        mini.write_difference(page, header_at, &bytes);
        debug_assert_eq!(header_at + header.encode().len(), body_at);
        if body.len() < old_body {
            mini.write(page, offset + 2, &(body.len() as u16).to_le_bytes());
            let (slots, heap_start, garbage) = counts(mini, page);
            set_counts(mini, page, slots, heap_start, garbage + old_body - body.len());
        }
        return;
    }
    let key = view(mini, page).key(index).to_vec();
    let mut cell = Vec::with_capacity(old_bytes - old_body + body.len());
    encode_leaf_cell(&mut cell, &key, header, body);
    if view(mini, page).contiguous_free() < cell.len() {
        compact(mini, page);
    }
    if view(mini, page).contiguous_free() < cell.len() {
        // Only without the old cell is there room: take it out, compact, put the new one in.
        remove_cell(mini, page, index);
        insert_cell(mini, page, index, &cell);
        return;
    }
    let (slots, heap_start, garbage) = counts(mini, page);
    let at = heap_start - cell.len();
    mini.write(page, at, &cell);
    mini.write(page, SLOTS_START + index * SLOT_BYTES, &(at as u16).to_le_bytes());
    set_counts(mini, page, slots, at, garbage + old_bytes);
}

/// Whether `replace_row` has the room it needs: the old cell's bytes count as free.
pub(crate) fn room_to_replace(page: TreePage<'_>, index: usize, body_bytes: usize) -> bool {
    let cell = page.leaf_cell(index);
    let needed = replace_bytes(&cell, body_bytes);
    needed == 0 || page.free() + cell.bytes() >= needed
}

/// Keeps the first `slots` cells, with a new high key and right sibling. The caller has checked that the high
/// key fits.
pub(crate) fn truncate(
    mini: &mut MiniTransaction<'_>,
    page: PageSlot,
    slots: usize,
    high_key: &[u8],
    right: PageId,
) {
    let (kept, heap_start, high_key_offset) = {
        let view = view(mini, page);
        let kept: usize = (0..slots).map(|index| view.cell_bytes(index)).sum();
        (kept, view.heap_start(), view.high_key_offset())
    };
    // The old high key's cell becomes garbage before compaction looks at the page.
    if high_key_offset != 0 {
        mini.write(page, HIGH_KEY, &[0, 0]);
    }
    set_counts(mini, page, slots, heap_start, PAGE_SIZE - heap_start - kept);
    let cell_bytes = high_key_cell_bytes(high_key);
    if view(mini, page).contiguous_free() < cell_bytes {
        compact(mini, page);
    }
    let mut cell = Vec::with_capacity(cell_bytes);
    encode_high_key(&mut cell, high_key);
    let (slots, heap_start, garbage) = counts(mini, page);
    let at = heap_start - cell.len();
    mini.write(page, at, &cell);
    mini.write(page, HIGH_KEY, &(at as u16).to_le_bytes());
    set_counts(mini, page, slots, at, garbage);
    mini.write_difference(page, RIGHT, &right.0.to_le_bytes());
}

/// Closes the gaps in the heap: live cells move up in address order, neighbours as one move.
pub(crate) fn compact(mini: &mut MiniTransaction<'_>, page: PageSlot) {
    let (mut cells, slots) = {
        let view = view(mini, page);
        let mut cells: Vec<(usize, usize, Option<usize>)> =
            (0..view.slots()).map(|index| (view.slot(index), view.cell_bytes(index), Some(index))).collect();
        if view.high_key_offset() != 0 {
            cells.push((view.high_key_offset(), view.high_key_bytes(), None));
        }
        (cells, view.slots())
    };
    cells.sort_unstable_by_key(|cell| std::cmp::Reverse(cell.0));
    let mut slot_array = vec![0; slots * SLOT_BYTES];
    let mut high_key = 0u16;
    let mut top = PAGE_SIZE;
    // A run of cells that are neighbours: (source start, destination start, length).
    let mut run: Option<(usize, usize, usize)> = None;
    for (offset, length, index) in cells {
        top -= length;
        assert!(offset <= top, "cells only move up");
        match index {
            Some(index) => {
                slot_array[index * SLOT_BYTES..][..SLOT_BYTES].copy_from_slice(&(top as u16).to_le_bytes());
            }
            None => high_key = top as u16,
        }
        run = match run {
            Some((source, destination, bytes)) if offset + length == source => {
                debug_assert_eq!(top + length, destination);
                Some((offset, top, bytes + length))
            }
            earlier => {
                if let Some((source, destination, bytes)) = earlier {
                    mini.shift(page, source, destination, bytes);
                }
                Some((offset, top, length))
            }
        };
    }
    if let Some((source, destination, bytes)) = run {
        mini.shift(page, source, destination, bytes);
    }
    if slots > 0 {
        mini.write_difference(page, SLOTS_START, &slot_array);
    }
    mini.write_difference(page, HIGH_KEY, &high_key.to_le_bytes());
    set_counts(mini, page, slots, top, 0);
    assert!(PAGE_SIZE - top <= CAPACITY);
}

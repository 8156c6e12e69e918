//! Slotted pages of B-link trees: leaves (clustered or index) and inner pages.
//!
//! | bytes | field |
//! |---|---|
//! | 96 | kind 5 |
//! | 97 | level, 0 = leaf |
//! | 98 | flags: bit 0 index tree, bit 1 root, bit 2 dead: its cells are in its left sibling, nothing leads here |
//! | 99 | zero |
//! | 100..102 | slots |
//! | 102..104 | heap start: lowest byte used by cells |
//! | 104..106 | garbage: bytes of dead cells in the heap |
//! | 106..108 | offset of the high key's cell, 0 = none (infinite) |
//! | 108..112 | zero |
//! | 112..120 | right sibling's page, 0 = none |
//! | 120..128 | root page of the tree |
//! | 128..136 | zero |
//! | 136.. | slots: two bytes each, offset of a cell, in key order; cells grow down from 8192 |
//!
//! Leaf cell: key length 2, body length 2, key, row header 16, body. **Row header**: flags 1 (bit 0 delete
//! mark, bit 1 the row moved to another key, bit 2 the body ends with a list of the overflow chains that the row owns,
//! [`super::chain_list`]),
//! columns 2 (in an index: length of the index key within the key), TxId 7, undo offset 6.
//! Inner cell: key length 2, child page 6, key; slot 0 counts as below every key, whatever key it has.
//! High key: length 2, bytes. A page holds keys below its high key; others are to the right.

use super::{Bytes, KIND, KIND_TREE, get_low, get_u16, get_u64, low_bytes};
use crate::types::{KEY_BYTES_MAX, RowVersion, TxId};
use hexalog_protocol::{PAGE_SIZE, PageId};

pub(crate) const LEVEL: usize = 97;
pub(crate) const FLAGS: usize = 98;
pub(crate) const SLOT_COUNT: usize = 100;
pub(crate) const HIGH_KEY: usize = 106;
pub(crate) const RIGHT: usize = 112;
pub(crate) const TREE: usize = 120;
pub(crate) const SLOTS_START: usize = 136;

pub(crate) const FLAG_INDEX: u8 = 1;
pub(crate) const FLAG_ROOT: u8 = 2;
/// Whoever comes to it by a page id that it remembers searches anew from the root.
pub(crate) const FLAG_DEAD: u8 = 4;

pub(crate) const ROW_DELETED: u8 = 1;
pub(crate) const ROW_MOVED: u8 = 2;
pub(crate) const ROW_OVERFLOW: u8 = 4;

pub(crate) const ROW_HEADER_BYTES: usize = 16;
pub(crate) const LEAF_CELL_OVERHEAD: usize = 4 + ROW_HEADER_BYTES;
pub(crate) const INNER_CELL_OVERHEAD: usize = 8;
pub(crate) const SLOT_BYTES: usize = 2;
const HIGH_KEY_OVERHEAD: usize = 2;

/// Bytes for slots and cells.
pub(crate) const CAPACITY: usize = PAGE_SIZE - SLOTS_START;
const _: () = assert!(crate::CELL_BYTES_MAX + SLOT_BYTES + HIGH_KEY_OVERHEAD + KEY_BYTES_MAX <= CAPACITY);

/// A row header: flags, columns and which version the row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct RowHeader {
    pub flags: u8,
    pub columns: u16,
    pub version: RowVersion,
}

impl RowHeader {
    pub fn encode(&self) -> [u8; ROW_HEADER_BYTES] {
        let mut out = [0; ROW_HEADER_BYTES];
        out[0] = self.flags;
        out[1..3].copy_from_slice(&self.columns.to_le_bytes());
        out[3..10].copy_from_slice(&low_bytes::<7>(self.version.tx_id.bits()));
        out[10..16].copy_from_slice(&low_bytes::<6>(self.version.undo));
        out
    }

    fn decode(bytes: &[u8]) -> RowHeader {
        RowHeader {
            flags: bytes[0],
            columns: get_u16(bytes, 1),
            version: RowVersion {
                tx_id: TxId::from_bits(get_low::<7>(bytes, 3)),
                undo: get_low::<6>(bytes, 10),
            },
        }
    }

    pub fn is_deleted(&self) -> bool {
        self.flags & ROW_DELETED != 0
    }
}

/// A leaf cell, borrowed from its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafCell<'a> {
    pub key: &'a [u8],
    pub header: RowHeader,
    pub body: &'a [u8],
    /// Where the cell begins in the page.
    pub offset: usize,
}

impl LeafCell<'_> {
    pub fn header_offset(&self) -> usize {
        self.offset + 4 + self.key.len()
    }

    pub fn body_offset(&self) -> usize {
        self.header_offset() + ROW_HEADER_BYTES
    }

    pub fn bytes(&self) -> usize {
        LEAF_CELL_OVERHEAD + self.key.len() + self.body.len()
    }
}

/// A tree page, read only.
#[derive(Clone, Copy)]
pub(crate) struct TreePage<'a>(pub &'a Bytes);

impl<'a> TreePage<'a> {
    pub fn is_tree(&self) -> bool {
        self.0[KIND] == KIND_TREE
    }

    pub fn level(&self) -> u8 {
        self.0[LEVEL]
    }

    pub fn is_leaf(&self) -> bool {
        self.level() == 0
    }

    pub fn flags(&self) -> u8 {
        self.0[FLAGS]
    }

    pub fn is_root(&self) -> bool {
        self.flags() & FLAG_ROOT != 0
    }

    pub fn is_dead(&self) -> bool {
        self.flags() & FLAG_DEAD != 0
    }

    pub fn slots(&self) -> usize {
        usize::from(get_u16(self.0, SLOT_COUNT))
    }

    pub fn heap_start(&self) -> usize {
        usize::from(get_u16(self.0, SLOT_COUNT + 2))
    }

    pub fn garbage(&self) -> usize {
        usize::from(get_u16(self.0, SLOT_COUNT + 4))
    }

    pub fn high_key_offset(&self) -> usize {
        usize::from(get_u16(self.0, HIGH_KEY))
    }

    pub fn right(&self) -> Option<PageId> {
        let right = get_u64(self.0, RIGHT);
        (right != 0).then_some(PageId(right))
    }

    pub fn tree(&self) -> PageId {
        PageId(get_u64(self.0, TREE))
    }

    pub fn high_key(&self) -> Option<&'a [u8]> {
        let at = self.high_key_offset();
        (at != 0).then(|| {
            let length = usize::from(get_u16(self.0, at));
            &self.0[at + HIGH_KEY_OVERHEAD..at + HIGH_KEY_OVERHEAD + length]
        })
    }

    pub fn slot(&self, index: usize) -> usize {
        debug_assert!(index < self.slots());
        usize::from(get_u16(self.0, SLOTS_START + index * SLOT_BYTES))
    }

    /// Length of the cell in a slot.
    pub fn cell_bytes(&self, index: usize) -> usize {
        let at = self.slot(index);
        let key = usize::from(get_u16(self.0, at));
        if self.is_leaf() {
            LEAF_CELL_OVERHEAD + key + usize::from(get_u16(self.0, at + 2))
        } else {
            INNER_CELL_OVERHEAD + key
        }
    }

    pub fn key(&self, index: usize) -> &'a [u8] {
        let at = self.slot(index);
        let length = usize::from(get_u16(self.0, at));
        let start = at + if self.is_leaf() { 4 } else { INNER_CELL_OVERHEAD };
        &self.0[start..start + length]
    }

    pub fn leaf_cell(&self, index: usize) -> LeafCell<'a> {
        self.leaf_cell_at(self.slot(index))
    }

    /// The cell that begins at an offset.
    #[inline]
    pub fn leaf_cell_at(&self, offset: usize) -> LeafCell<'a> {
        debug_assert!(self.is_leaf());
        let key_bytes = usize::from(get_u16(self.0, offset));
        let key = &self.0[offset + 4..offset + 4 + key_bytes];
        let body_bytes = usize::from(get_u16(self.0, offset + 2));
        let header = offset + 4 + key.len();
        let body = header + ROW_HEADER_BYTES;
        LeafCell {
            key,
            header: RowHeader::decode(&self.0[header..body]),
            body: &self.0[body..body + body_bytes],
            offset,
        }
    }

    pub fn child(&self, index: usize) -> PageId {
        debug_assert!(!self.is_leaf());
        PageId(get_low::<6>(self.0, self.slot(index) + 2))
    }

    /// The slot with this key, or the slot where it would go. On a leaf.
    pub fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.slots());
        while low < high {
            let middle = low.midpoint(high);
            match self.key(middle).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Number of slots whose key satisfies `before`, which must hold for a prefix of them. On an inner page
    /// slot 0 always counts.
    pub fn partition(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (usize::from(!self.is_leaf()), self.slots());
        while low < high {
            let middle = low.midpoint(high);
            if before(self.key(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Bytes between the slots and the heap.
    pub fn contiguous_free(&self) -> usize {
        self.heap_start() - (SLOTS_START + self.slots() * SLOT_BYTES)
    }

    /// Bytes free once the heap is compacted.
    pub fn free(&self) -> usize {
        self.contiguous_free() + self.garbage()
    }

    /// Bytes of its cells and their slots.
    pub fn used(&self) -> usize {
        CAPACITY - self.free() - self.high_key_bytes()
    }

    /// Cell of the high key, in bytes; zero if there is none.
    pub fn high_key_bytes(&self) -> usize {
        self.high_key().map_or(0, |key| HIGH_KEY_OVERHEAD + key.len())
    }
}

/// Appends a leaf cell.
pub(crate) fn encode_leaf_cell(out: &mut Vec<u8>, key: &[u8], header: &RowHeader, body: &[u8]) {
    assert!(key.len() <= KEY_BYTES_MAX);
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(&(body.len() as u16).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(body);
}

/// Appends an inner cell.
pub(crate) fn encode_inner_cell(out: &mut Vec<u8>, key: &[u8], child: PageId) {
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(&low_bytes::<6>(child.0));
    out.extend_from_slice(key);
}

/// Appends a high key's cell.
pub(crate) fn encode_high_key(out: &mut Vec<u8>, key: &[u8]) {
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(key);
}

/// Length of a high key's cell.
pub(crate) fn high_key_cell_bytes(key: &[u8]) -> usize {
    HIGH_KEY_OVERHEAD + key.len()
}

/// Bytes 96..136 of a tree page.
pub(crate) struct TreeHeader {
    pub level: u8,
    pub flags: u8,
    pub slots: usize,
    pub heap_start: usize,
    pub high_key_offset: usize,
    pub right: PageId,
    pub tree: PageId,
}

impl TreeHeader {
    pub fn encode(&self) -> [u8; SLOTS_START - KIND] {
        let mut out = [0; SLOTS_START - KIND];
        out[0] = KIND_TREE;
        out[1] = self.level;
        out[2] = self.flags;
        out[4..6].copy_from_slice(&(self.slots as u16).to_le_bytes());
        out[6..8].copy_from_slice(&(self.heap_start as u16).to_le_bytes());
        out[10..12].copy_from_slice(&(self.high_key_offset as u16).to_le_bytes());
        out[16..24].copy_from_slice(&self.right.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.tree.0.to_le_bytes());
        out
    }
}

/// The shortest key `s` with `left < s <= right`.
pub(crate) fn shortest_separator<'k>(left: &[u8], right: &'k [u8]) -> &'k [u8] {
    assert!(left < right, "a separator stands between different keys");
    let common = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    &right[..common + 1]
}

//! Overflow pages: values too large for their row, one chain of pages each.
//!
//! A chain is one data page, or a directory: a list of directory pages that name the data pages in order. So a reader
//! knows the next pages before it has any of them, and freeing a chain reads none of its data.
//!
//! | bytes | field |
//! |---|---|
//! | 96 | kind 7 |
//! | 97 | 0 data, 1 directory |
//! | 98 | bit 0: root of the chain |
//! | 99 | zero |
//! | 100..102 | data: bytes used; directory: entries |
//! | 102..104 | zero |
//! | 104..112 | directory: the next directory page, 0 = none |
//! | 112..120 | root page of the chain |
//! | 120..124 | root: bytes of the value |
//! | 124..128 | data: its number in the chain, from zero |
//! | 128.. | data: stored bytes; directory: page numbers, 6 bytes each |
//!
//! Stored bytes: the value in blocks of [`BLOCK_BYTES`], each a length of 4 bytes (bit 31: not compressed) and an LZ4
//! block or the bytes themselves. Blocks run on from page to page.

use super::{Bytes, KIND, KIND_OVERFLOW, get_low, get_u16, get_u64, low_bytes};
use hexalog_protocol::{PAGE_SIZE, PageId};

/// Count of bytes or entries.
pub(crate) const COUNT: usize = 100;
pub(crate) const NEXT: usize = 104;
pub(crate) const CONTENT_START: usize = 128;
/// Stored bytes that one data page holds.
pub(crate) const DATA_BYTES: usize = PAGE_SIZE - CONTENT_START;
pub(crate) const ENTRY_BYTES: usize = 6;
/// Data pages that one directory page names.
pub(crate) const ENTRIES_MAX: usize = DATA_BYTES / ENTRY_BYTES;
const _: () = assert!(ENTRIES_MAX * ENTRY_BYTES == DATA_BYTES);
/// Bytes of the value that are compressed together: as far as LZ4 looks back, and what a reader holds beside the value.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;
/// Set in a block's length if its bytes stand as they are.
pub(crate) const BLOCK_PLAIN: u32 = 1 << 31;

const FLAG_ROOT: u8 = 1;

/// Bytes 96..128 of an overflow page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OverflowHeader {
    pub is_directory: bool,
    pub is_root: bool,
    pub count: u16,
    pub next: PageId,
    pub root: PageId,
    /// On a root: bytes of the value.
    pub value_bytes: u32,
    pub number: u32,
}

impl OverflowHeader {
    pub fn encode(&self) -> [u8; CONTENT_START - KIND] {
        let mut out = [0; CONTENT_START - KIND];
        out[0] = KIND_OVERFLOW;
        out[1] = u8::from(self.is_directory);
        out[2] = if self.is_root { FLAG_ROOT } else { 0 };
        out[4..6].copy_from_slice(&self.count.to_le_bytes());
        out[8..16].copy_from_slice(&self.next.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.root.0.to_le_bytes());
        out[24..28].copy_from_slice(&self.value_bytes.to_le_bytes());
        out[28..32].copy_from_slice(&self.number.to_le_bytes());
        out
    }

    /// `None` if the page is no overflow page, or says more than it can hold.
    pub fn decode(bytes: &Bytes) -> Option<OverflowHeader> {
        let header = OverflowHeader {
            is_directory: bytes[KIND + 1] != 0,
            is_root: bytes[KIND + 2] & FLAG_ROOT != 0,
            count: get_u16(bytes, COUNT),
            next: PageId(get_u64(bytes, NEXT)),
            root: PageId(get_u64(bytes, 112)),
            value_bytes: get_low::<4>(bytes, 120) as u32,
            number: get_low::<4>(bytes, 124) as u32,
        };
        let room = if header.is_directory { ENTRIES_MAX } else { DATA_BYTES };
        (bytes[KIND] == KIND_OVERFLOW && usize::from(header.count) <= room).then_some(header)
    }
}

/// The data page that an entry of a directory names.
pub(crate) fn entry(bytes: &Bytes, index: usize) -> PageId {
    assert!(index < ENTRIES_MAX, "an entry of the page");
    PageId(get_low::<ENTRY_BYTES>(bytes, CONTENT_START + index * ENTRY_BYTES))
}

/// An entry as a directory holds it.
pub(crate) fn encode_entry(page: PageId) -> [u8; ENTRY_BYTES] {
    low_bytes::<ENTRY_BYTES>(page.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let header = OverflowHeader {
            is_directory: true,
            is_root: true,
            count: 0x0102,
            next: PageId(0x0a0b),
            root: PageId(7),
            value_bytes: 0x0403_0201,
            number: 5,
        };
        let expected: [u8; 32] = [
            7, 1, 1, 0, 2, 1, 0, 0, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 0,
            0, 0,
        ];
        assert_eq!(header.encode(), expected);
        let mut page = [0u8; PAGE_SIZE];
        page[KIND..CONTENT_START].copy_from_slice(&expected);
        assert_eq!(OverflowHeader::decode(&page), Some(header));
        page[CONTENT_START + 6..CONTENT_START + 12].copy_from_slice(&encode_entry(PageId(0x0102_0304_0506)));
        assert_eq!(entry(&page, 1), PageId(0x0102_0304_0506));
        page[COUNT + 1] = 0xff;
        assert_eq!(OverflowHeader::decode(&page), None);
    }
}

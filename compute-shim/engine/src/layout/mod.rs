//! Byte layouts of the pages that the engine makes; `docs/page-format.md` is their written form.
//!
//! Owns offsets, readers and encoders, no pages and no latches: changes go through
//! [`crate::mini_transaction`]. Bytes 0..96 belong to storage; byte 96 says what kind of page it is. Fields
//! that change with every row stand in 96..128, where a redo offset takes one byte. Read [`tree_page`] next.

pub(crate) mod bitmap_page;
pub(crate) mod chain_list;
pub(crate) mod check;
pub(crate) mod overflow_page;
pub(crate) mod prepared_record;
pub(crate) mod sequence_page;
pub(crate) mod super_page;
pub(crate) mod tree_page;
pub(crate) mod undo_page;
pub(crate) mod undo_record;

use hexalog_protocol::{PAGE_BODY_START, PAGE_SIZE};

/// A page's bytes.
pub(crate) type Bytes = [u8; PAGE_SIZE];

/// Offset of the byte that tells what kind of page it is.
pub(crate) const KIND: usize = PAGE_BODY_START;
const _: () = assert!(KIND == 96);

pub(crate) const KIND_SUPER: u8 = 1;
pub(crate) const KIND_BITMAP: u8 = 2;
pub(crate) const KIND_DIRECTORY: u8 = 3;
pub(crate) const KIND_UNDO: u8 = 4;
pub(crate) const KIND_TREE: u8 = 5;
pub(crate) const KIND_SEQUENCE: u8 = 6;
pub(crate) const KIND_OVERFLOW: u8 = 7;

/// Two bytes, little-endian.
#[inline]
pub(crate) fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(*bytes[at..].first_chunk().expect("two bytes"))
}

/// Eight bytes, little-endian.
#[inline]
pub(crate) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"))
}

/// `N` low bytes, little-endian.
#[inline]
pub(crate) fn get_low<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(wide)
}

/// The `N` low bytes of `value`, which must fit them.
pub(crate) fn low_bytes<const N: usize>(value: u64) -> [u8; N] {
    let wide = value.to_le_bytes();
    assert!(wide[N..].iter().all(|byte| *byte == 0), "{value} needs more than {N} bytes");
    *wide.first_chunk().expect("N <= 8")
}

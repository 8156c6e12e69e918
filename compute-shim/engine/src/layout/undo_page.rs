//! Undo pages: pieces of a stream's append-only byte space.
//!
//! A stream offset is `logical page * 8192 + byte in the page`; only bytes from [`RECORDS_START`] on are
//! used, so no offset is zero. Records follow each other without gaps and never cross a page; a zero length
//! (or the page's end) is the end of what was written.
//!
//! | bytes | field |
//! |---|---|
//! | 96 | kind 4 |
//! | 97 | zero |
//! | 98..100 | stream |
//! | 100..104 | zero |
//! | 104..112 | logical page number |
//! | 112..120 | page of the logical page before this one, 0 = none |
//! | 120..128 | offset of the transaction that continues from the page before, 0 = none |
//! | 128..136 | page of that transaction's header record |
//! | 136.. | records ([`super::undo_record`]) |

use super::{Bytes, KIND, KIND_UNDO, get_u16, get_u64};
use hexalog_protocol::{PAGE_SIZE, PageId};

/// First byte of the records.
pub(crate) const RECORDS_START: usize = 136;
/// Length and kind.
pub(crate) const UNDO_RECORD_BYTES_MIN: usize = 3;
const PAGE_SHIFT: u32 = 13;
const _: () = assert!(1 << PAGE_SHIFT == PAGE_SIZE);

/// The logical page of a stream offset.
pub(crate) fn logical_of(offset: u64) -> u64 {
    offset >> PAGE_SHIFT
}

/// The byte within its page of a stream offset.
pub(crate) fn byte_of(offset: u64) -> usize {
    (offset & (PAGE_SIZE as u64 - 1)) as usize
}

/// The stream offset of a byte of a logical page.
pub(crate) fn offset_of(logical: u64, byte: usize) -> u64 {
    logical << PAGE_SHIFT | byte as u64
}

/// What stands before the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct UndoHeader {
    pub stream: u16,
    pub logical: u64,
    pub previous: PageId,
    pub open_offset: u64,
    pub open_page: PageId,
}

impl UndoHeader {
    pub fn encode(&self) -> [u8; RECORDS_START - KIND] {
        let mut out = [0; RECORDS_START - KIND];
        out[0] = KIND_UNDO;
        out[2..4].copy_from_slice(&self.stream.to_le_bytes());
        out[8..16].copy_from_slice(&self.logical.to_le_bytes());
        out[16..24].copy_from_slice(&self.previous.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.open_offset.to_le_bytes());
        out[32..40].copy_from_slice(&self.open_page.0.to_le_bytes());
        out
    }

    /// `None` if the page is no undo page.
    pub fn decode(bytes: &Bytes) -> Option<UndoHeader> {
        (bytes[KIND] == KIND_UNDO).then(|| UndoHeader {
            stream: get_u16(bytes, 98),
            logical: get_u64(bytes, 104),
            previous: PageId(get_u64(bytes, 112)),
            open_offset: get_u64(bytes, 120),
            open_page: PageId(get_u64(bytes, 128)),
        })
    }
}

/// The record that begins at `byte`, its length included; `None` at the end of what was written.
pub(crate) fn record_at(bytes: &Bytes, byte: usize) -> Option<&[u8]> {
    // A reference may come from a damaged row: it leads to no record then, or to bytes that are taken for one.
    if byte < RECORDS_START || byte + 2 > PAGE_SIZE {
        return None;
    }
    let length = usize::from(get_u16(bytes, byte));
    (length >= UNDO_RECORD_BYTES_MIN).then(|| bytes.get(byte..byte + length)).flatten()
}

/// Iterates over (byte, record) from `byte` on.
pub(crate) fn records_from(bytes: &Bytes, byte: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = byte;
    std::iter::from_fn(move || {
        let record = record_at(bytes, at)?;
        let here = at;
        at += record.len();
        Some((here, record))
    })
}

/// Where the next record goes.
pub(crate) fn end_of_records(bytes: &Bytes) -> usize {
    records_from(bytes, RECORDS_START).last().map_or(RECORDS_START, |(at, record)| at + record.len())
}

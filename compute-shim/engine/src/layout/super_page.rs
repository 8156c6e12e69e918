//! The first page and the stream directory behind it: where everything else of a volume is found.
//!
//! Super page (page 0 of a volume, the first of a temporary one):
//!
//! | bytes | field |
//! |---|---|
//! | 96 | kind 1 |
//! | 97..100 | zero |
//! | 100..104 | engine format version, [`FORMAT_VERSION`] |
//! | 104..106 | undo streams |
//! | 106..108 | stream directory pages |
//! | 108..112 | bitmap pages formatted so far |
//! | 112..120 | root page of the catalog tree |
//! | 120..128 | first stream directory page |
//!
//! Stream directory page: 96 kind 3, 97..104 zero, 104..112 HORIZON (the highest purge horizon under which
//! anything named by this page was purged), 112..120 first stream, 120..128 zero, then from 128 on
//! [`ENTRY_BYTES`] for each stream: head page 8 (0 = never used), tail offset 8, lowest logical page still
//! owned 8, flags 8 (bit 0: retired).

use super::{Bytes, KIND, KIND_DIRECTORY, KIND_SUPER, get_u16, get_u64};
use hexalog_protocol::{PAGE_SIZE, PageId};

pub(crate) const FORMAT_VERSION: u32 = 4;
/// The oldest that is read: 4 added kinds 7, 8 and 10 of undo records, the state PREPARED, and dead tree pages.
const FORMAT_VERSION_OLDEST: u32 = 3;
/// Offset of the version.
pub(crate) const VERSION: u16 = 100;
pub(crate) const BITMAPS_FORMATTED: u16 = 108;

const ENTRIES_START: usize = 128;
pub(crate) const HORIZON: u16 = 104;
pub(crate) const ENTRY_BYTES: usize = 32;
pub(crate) const ENTRIES_PER_PAGE: u16 = 252;
const _: () = assert!(ENTRIES_START + ENTRIES_PER_PAGE as usize * ENTRY_BYTES == PAGE_SIZE);

/// What the super page says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SuperPage {
    pub version: u32,
    pub undo_streams: u16,
    pub directory_pages: u16,
    pub bitmaps_formatted: u32,
    pub catalog_root: PageId,
    pub directory_first: PageId,
}

impl SuperPage {
    /// Bytes 96..128.
    pub fn encode(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out[0] = KIND_SUPER;
        out[4..8].copy_from_slice(&self.version.to_le_bytes());
        out[8..10].copy_from_slice(&self.undo_streams.to_le_bytes());
        out[10..12].copy_from_slice(&self.directory_pages.to_le_bytes());
        out[12..16].copy_from_slice(&self.bitmaps_formatted.to_le_bytes());
        out[16..24].copy_from_slice(&self.catalog_root.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.directory_first.0.to_le_bytes());
        out
    }

    /// `None` if the page is not a super page of a format version that is known.
    pub fn decode(bytes: &Bytes) -> Option<SuperPage> {
        let version = u32::from_le_bytes(*bytes[100..].first_chunk()?);
        let is_known = (FORMAT_VERSION_OLDEST..=FORMAT_VERSION).contains(&version);
        (bytes[KIND] == KIND_SUPER && is_known).then(|| SuperPage {
            version,
            undo_streams: get_u16(bytes, 104),
            directory_pages: get_u16(bytes, 106),
            bitmaps_formatted: u32::from_le_bytes(*bytes[108..].first_chunk().expect("four bytes")),
            catalog_root: PageId(get_u64(bytes, 112)),
            directory_first: PageId(get_u64(bytes, 120)),
        })
    }

    /// Directory page and byte offset of a stream's entry.
    pub fn directory_place(&self, stream: u16) -> (PageId, u16) {
        let page = self.directory_first.0 + u64::from(stream / ENTRIES_PER_PAGE);
        (PageId(page), SuperPage::entry_offset(stream % ENTRIES_PER_PAGE))
    }

    /// Byte offset of an entry in its directory page.
    pub fn entry_offset(place: u16) -> u16 {
        (ENTRIES_START + usize::from(place) * ENTRY_BYTES) as u16
    }
}

/// How many directory pages `streams` take.
pub(crate) fn directory_pages(streams: u16) -> u16 {
    streams.div_ceil(ENTRIES_PER_PAGE)
}

/// Bytes 96..128 of a directory page.
pub(crate) fn directory_header(first_stream: u16) -> [u8; 32] {
    let mut out = [0; 32];
    out[0] = KIND_DIRECTORY;
    out[16..24].copy_from_slice(&u64::from(first_stream).to_le_bytes());
    out
}

/// A stream's durable entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct DirectoryEntry {
    /// Page that takes the stream's next records; zero if the stream was never used.
    pub head_page: PageId,
    /// Transactions below it are finished and visible to all.
    pub tail: u64,
    /// Lowest logical page that belongs to the stream.
    pub owned_from: u64,
    /// Bit 0: retired, takes no transaction any more.
    pub flags: u64,
}

impl DirectoryEntry {
    pub fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        out[..8].copy_from_slice(&self.head_page.0.to_le_bytes());
        out[8..16].copy_from_slice(&self.tail.to_le_bytes());
        out[16..24].copy_from_slice(&self.owned_from.to_le_bytes());
        out[24..].copy_from_slice(&self.flags.to_le_bytes());
        out
    }

    pub fn decode(bytes: &Bytes, offset: u16) -> DirectoryEntry {
        let at = usize::from(offset);
        DirectoryEntry {
            head_page: PageId(get_u64(bytes, at)),
            tail: get_u64(bytes, at + 8),
            owned_from: get_u64(bytes, at + 16),
            flags: get_u64(bytes, at + 24),
        }
    }
}

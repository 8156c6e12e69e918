//! Allocation bitmaps: one bit for each page of the volume, set while the page is in use.
//!
//! Bitmap page `index` is page `index * 64,512 + 1` and covers pages `index * 64,512 ..` the next one's
//! start. Bytes: 96 kind 2, 97..104 zero, 104..112 index, 112..128 zero, 128..8192 bits, lowest bit first.

use super::{Bytes, KIND_BITMAP};
use hexalog_protocol::{PAGE_SIZE, PageId};

const BITS_START: usize = 128;
/// Pages that one bitmap page covers.
pub(crate) const PAGES_COVERED: u64 = ((PAGE_SIZE - BITS_START) * 8) as u64;
const _: () = assert!(PAGES_COVERED == 64_512);

/// The bitmap that covers `page`.
pub(crate) fn index_of(page: PageId) -> u64 {
    page.0 / PAGES_COVERED
}

/// Where bitmap `index` lies.
pub(crate) fn page_of(index: u64) -> PageId {
    PageId(index * PAGES_COVERED + 1)
}

/// Byte offset and mask of a page's bit in its bitmap.
pub(crate) fn bit_of(page: PageId) -> (u16, u8) {
    let bit = (page.0 % PAGES_COVERED) as usize;
    ((BITS_START + bit / 8) as u16, 1 << (bit % 8))
}

/// Bytes 96..128 of bitmap `index`.
pub(crate) fn header(index: u64) -> [u8; 32] {
    let mut out = [0; 32];
    out[0] = KIND_BITMAP;
    out[8..16].copy_from_slice(&index.to_le_bytes());
    out
}

/// The first free page at or after `from` and below `end` that this bitmap covers.
pub(crate) fn first_free(bytes: &Bytes, index: u64, from: PageId, end: PageId) -> Option<PageId> {
    let first = index * PAGES_COVERED;
    let mut page = from.0.max(first);
    let end = end.0.min(first + PAGES_COVERED);
    while page < end {
        let (offset, mask) = bit_of(PageId(page));
        let byte = bytes[usize::from(offset)];
        if byte == 0xff {
            page = (page / 8 + 1) * 8;
            continue;
        }
        if byte & mask == 0 {
            return Some(PageId(page));
        }
        page += 1;
    }
    None
}

/// Bits set.
pub(crate) fn count_used(bytes: &Bytes) -> u64 {
    bytes[BITS_START..].iter().map(|byte| u64::from(byte.count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_clear_bit_within_its_range() {
        let mut bytes = [0u8; PAGE_SIZE];
        bytes[BITS_START] = 0xff;
        bytes[BITS_START + 1] = 0x0b;
        assert_eq!(first_free(&bytes, 0, PageId(0), PageId(100)), Some(PageId(10)));
        assert_eq!(first_free(&bytes, 0, PageId(11), PageId(100)), Some(PageId(12)));
        assert_eq!(first_free(&bytes, 0, PageId(0), PageId(10)), None);
        assert_eq!(first_free(&bytes, 1, PageId(0), PageId(64_523)), Some(PageId(64_522)));
    }
}

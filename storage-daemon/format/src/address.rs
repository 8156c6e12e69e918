//! Where a block stands on a device: area and byte offset packed in one u64.
//!
//! Every block header holds its own address in this form, so that a write which landed in the wrong place is
//! recognised when it is read.

use crate::aligned::BLOCK_BYTES;

/// The superblock area.
pub const AREA_SUPERBLOCK: u8 = 1;
/// The log area.
pub const AREA_LOG: u8 = 2;
/// The extents area.
pub const AREA_EXTENTS: u8 = 3;

/// Area in the top byte, byte offset in the other seven. Zero is no address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct BlockAddress(pub u64);

const OFFSET_BITS: u32 = 56;

impl BlockAddress {
    /// No block.
    pub const NONE: BlockAddress = BlockAddress(0);

    /// The block at `offset` of `area`.
    ///
    /// # Panics
    /// If the offset is not block aligned or does not fit: the caller computed it wrongly.
    pub fn new(area: u8, offset: u64) -> BlockAddress {
        assert!(offset < 1 << OFFSET_BITS, "an area is below 2^56 bytes");
        assert!(offset.is_multiple_of(BLOCK_BYTES as u64), "blocks are aligned");
        BlockAddress(u64::from(area) << OFFSET_BITS | offset)
    }

    /// The address that bytes name; `None` unless it is that of a block in `area`.
    pub fn checked(raw: u64, area: u8) -> Option<BlockAddress> {
        let address = BlockAddress(raw);
        let is_aligned = address.offset().is_multiple_of(BLOCK_BYTES as u64);
        (address.area() == area && is_aligned).then_some(address)
    }

    /// Which area.
    pub fn area(self) -> u8 {
        (self.0 >> OFFSET_BITS) as u8
    }

    /// Byte offset in the area.
    pub fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }

    /// Whether it names no block.
    pub fn is_none(self) -> bool {
        self == BlockAddress::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_and_offset_come_back() {
        for (area, offset) in [(AREA_SUPERBLOCK, 0), (AREA_LOG, 4096), (AREA_EXTENTS, (1 << 56) - 4096)] {
            let address = BlockAddress::new(area, offset);
            assert_eq!((address.area(), address.offset()), (area, offset));
            assert!(!address.is_none());
            assert_eq!(BlockAddress::checked(address.0, area), Some(address));
            assert_eq!(BlockAddress::checked(address.0 + 1, area), None, "no block begins there");
            assert_eq!(BlockAddress::checked(address.0, area + 1), None, "another area");
        }
    }
}

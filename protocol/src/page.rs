//! A page: 8,192 bytes, of which the first 96 are storage's header.
//!
//! | bytes | field | on the wire |
//! |---|---|---|
//! | 0..4 | format, [`PAGE_FORMAT`] | kept |
//! | 4..6 | flags (0) | kept |
//! | 6..8 | key id (0 = clear) | zero |
//! | 8..16 | device id | zero |
//! | 16..24 | own address on the device | zero |
//! | 24..40 | volume id | kept |
//! | 40..48 | page id | kept |
//! | 48..56 | LSN of the last record applied | kept |
//! | 56..68 | nonce (encryption at rest) | zero |
//! | 68..84 | authentication tag | zero |
//! | 84..88 | CRC32C of the other 8,188 bytes | recomputed |
//! | 88..96 | spare (0) | zero |
//! | 96..8192 | body: what redo addresses | kept |
//!
//! Fields stand in the order in which a reader of a hex dump asks: what is this, where should it be, whose
//! is it, how new is it, is it intact.

use crate::{DeviceId, Lsn, PageId, VolumeId};
use alloc::boxed::Box;
use core::alloc::Layout;

/// Bytes in a page, everywhere: cache, wire and device.
pub const PAGE_SIZE: usize = 8192;
/// Where the part begins that redo may address.
pub const PAGE_BODY_START: usize = 96;
/// First four bytes of a page image: "HXP" and the format version 1.
pub const PAGE_FORMAT: u32 = u32::from_le_bytes(*b"HXP\x01");

pub(crate) const OFFSET_KEY_ID: usize = 6;
pub(crate) const OFFSET_DEVICE: usize = 8;
pub(crate) const OFFSET_ADDRESS: usize = 16;
pub(crate) const OFFSET_VOLUME: usize = 24;
pub(crate) const OFFSET_PAGE: usize = 40;
pub(crate) const OFFSET_LSN: usize = 48;
pub(crate) const OFFSET_NONCE: usize = 56;
pub(crate) const OFFSET_CRC: usize = 84;
const OFFSET_SPARE: usize = 88;
/// Up to the end of the checksum: what differs between an image on a device and the same on the wire stands in here.
pub const IMAGE_HEAD_BYTES: usize = OFFSET_SPARE;
const _: () = assert!(OFFSET_SPARE + 8 == PAGE_BODY_START && OFFSET_CRC + 4 == IMAGE_HEAD_BYTES);
const _: () = assert!(OFFSET_NONCE + 12 + 16 == OFFSET_CRC);

/// Aligned to the device's block, so that a page can be handed to O_DIRECT as it lies.
#[repr(C, align(4096))]
struct Aligned([u8; PAGE_SIZE]);

/// One page image in memory.
pub struct Page(Box<Aligned>);

impl Page {
    /// How an image lies in memory: what an allocator may know it by.
    pub const LAYOUT: Layout = Layout::new::<Aligned>();

    /// A page of zeros with the format set: what `Format` is applied to.
    pub fn zeroed() -> Page {
        let mut page = Page(Box::new(Aligned([0; PAGE_SIZE])));
        page.put(0, PAGE_FORMAT.to_le_bytes());
        page
    }

    /// A zeroed page that knows whose it is.
    pub fn new(volume: VolumeId, page: PageId) -> Page {
        let mut image = Page::zeroed();
        image.set_identity(volume, page);
        image
    }

    /// Copies an image; `None` unless it is exactly one page long.
    pub fn from_bytes(bytes: &[u8]) -> Option<Page> {
        let bytes: &[u8; PAGE_SIZE] = bytes.try_into().ok()?;
        Some(Page(Box::new(Aligned(*bytes))))
    }

    /// The volume and page that an image in `bytes` says it is; `None` if they do not begin with a page image. Nothing else
    /// of it is checked.
    pub fn identity_in(bytes: &[u8]) -> Option<(VolumeId, PageId)> {
        let header = bytes.first_chunk::<PAGE_BODY_START>()?;
        if header[..4] != PAGE_FORMAT.to_le_bytes() {
            return None;
        }
        let volume = VolumeId(*header[OFFSET_VOLUME..].first_chunk()?);
        Some((volume, PageId(u64::from_le_bytes(*header[OFFSET_PAGE..].first_chunk()?))))
    }

    /// The whole image.
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.0.0
    }

    /// The whole image. Whoever changes the body outside [`crate::record::apply`] makes a cache that
    /// differs from storage.
    pub fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE] {
        &mut self.0.0
    }

    fn put<const N: usize>(&mut self, offset: usize, value: [u8; N]) {
        self.0.0[offset..offset + N].copy_from_slice(&value);
    }

    fn get<const N: usize>(&self, offset: usize) -> [u8; N] {
        *self.0.0[offset..].first_chunk().expect("header field")
    }

    /// LSN of the last record applied.
    pub fn lsn(&self) -> Lsn {
        Lsn(u64::from_le_bytes(self.get(OFFSET_LSN)))
    }

    /// Called by [`crate::record::apply`].
    pub(crate) fn set_lsn(&mut self, lsn: Lsn) {
        self.put(OFFSET_LSN, lsn.0.to_le_bytes());
    }

    /// The page that this image says it is.
    pub fn id(&self) -> PageId {
        PageId(u64::from_le_bytes(self.get(OFFSET_PAGE)))
    }

    /// The volume that this image says it belongs to.
    pub fn volume(&self) -> VolumeId {
        VolumeId(self.get(OFFSET_VOLUME))
    }

    /// Names the page and its volume.
    pub fn set_identity(&mut self, volume: VolumeId, page: PageId) {
        self.put(OFFSET_VOLUME, volume.0);
        self.put(OFFSET_PAGE, page.0.to_le_bytes());
    }

    /// Makes the image ready for a place on a device: device fields, then the checksum over all.
    pub fn seal_for_device(&mut self, device: DeviceId, address: u64) {
        self.put(OFFSET_DEVICE, device.0.to_le_bytes());
        self.put(OFFSET_ADDRESS, address.to_le_bytes());
        self.put(OFFSET_CRC, self.checksum().to_le_bytes());
    }

    /// Makes the image ready for the wire: device fields zero, then the checksum over all.
    pub fn seal_for_wire(&mut self) {
        self.put(OFFSET_KEY_ID, [0; 2]);
        self.put(OFFSET_DEVICE, [0; 16]);
        self.put(OFFSET_NONCE, [0; 28]);
        self.put(OFFSET_CRC, self.checksum().to_le_bytes());
    }

    /// The checksum that the image carries.
    pub fn crc(&self) -> u32 {
        u32::from_le_bytes(self.get(OFFSET_CRC))
    }

    /// Whether format and checksum hold, and it is the image of `page` of `volume`.
    pub fn verify(&self, volume: VolumeId, page: PageId) -> bool {
        self.get(0) == PAGE_FORMAT.to_le_bytes()
            && self.crc() == self.checksum()
            && self.volume() == volume
            && self.id() == page
    }

    /// Whether the image says that it belongs at this place; false finds misdirected writes.
    pub fn is_at(&self, device: DeviceId, address: u64) -> bool {
        self.get(OFFSET_DEVICE) == device.0.to_le_bytes() && self.get(OFFSET_ADDRESS) == address.to_le_bytes()
    }

    fn checksum(&self) -> u32 {
        let bytes = self.bytes();
        let head = crc32c::crc32c(&bytes[..OFFSET_CRC]);
        crc32c::crc32c_append(head, &bytes[OFFSET_CRC + 4..])
    }

    /// What two members of a group must agree on at one read point: everything but checksum and device
    /// fields.
    pub fn content_hash(&self) -> u32 {
        let bytes = self.bytes();
        let head = crc32c::crc32c(&bytes[OFFSET_VOLUME..OFFSET_NONCE]);
        crc32c::crc32c_append(head, &bytes[PAGE_BODY_START..])
    }
}

impl Clone for Page {
    fn clone(&self) -> Page {
        Page(Box::new(Aligned(*self.bytes())))
    }
}

impl core::fmt::Debug for Page {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Page({:?} @ {:?})", self.id(), self.lsn())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_and_device_images_share_a_hash_and_any_flipped_bit_is_found() {
        let volume = VolumeId([3; 16]);
        let mut page = Page::new(volume, PageId(7));
        page.bytes_mut()[5000] = 1;
        page.set_lsn(Lsn(44));
        let mut on_device = page.clone();
        on_device.seal_for_device(DeviceId(1), 1 << 56 | 8192);
        page.seal_for_wire();
        assert_eq!(page.content_hash(), on_device.content_hash());
        assert!(on_device.is_at(DeviceId(1), 1 << 56 | 8192));
        assert!(!on_device.is_at(DeviceId(1), 1 << 56));
        on_device.seal_for_wire();
        assert_eq!(on_device.bytes(), page.bytes());
        assert!(page.verify(volume, PageId(7)));
        for byte in [0, 4, 30, 50, 86, 90, 96, 8191] {
            page.bytes_mut()[byte] ^= 0x10;
            assert!(!page.verify(volume, PageId(7)), "byte {byte}");
            page.bytes_mut()[byte] ^= 0x10;
        }
    }
}

//! A page image on its way from a device or from memory to the wire, its long part summed up once.
//!
//! The checksum of an image covers all of it but itself, and that of the frame which carries it covers it again. What stands
//! behind the checksum's own place is the same on a device and on the wire: its sum is computed here, and those of image and
//! frame are put together from it. A CRC is linear, so that bytes which come before are taken in by one operator for so many
//! zero bytes (zlib's `crc32_combine`).

use crate::page::{
    IMAGE_HEAD_BYTES, OFFSET_ADDRESS, OFFSET_CRC, OFFSET_DEVICE, OFFSET_KEY_ID, OFFSET_LSN, OFFSET_NONCE,
    OFFSET_PAGE, OFFSET_VOLUME, PAGE_FORMAT, PAGE_SIZE,
};
use crate::{DeviceId, Lsn, Page, PageId, VolumeId};

/// Bytes behind the checksum.
const TAIL_BYTES: usize = PAGE_SIZE - IMAGE_HEAD_BYTES;

/// The Castagnoli polynomial, bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// A linear map of checksums, by what each bit becomes.
type Operator = [u32; 32];

const fn times(operator: &Operator, vector: u32) -> u32 {
    let (mut sum, mut bit) = (0, 0);
    while bit < 32 {
        if vector >> bit & 1 == 1 {
            sum ^= operator[bit];
        }
        bit += 1;
    }
    sum
}

const fn after(first: &Operator, second: &Operator) -> Operator {
    let (mut both, mut bit) = ([0; 32], 0);
    while bit < 32 {
        both[bit] = times(second, first[bit]);
        bit += 1;
    }
    both
}

/// What so many zero bytes make of the checksum before them.
const fn zeros(mut bytes: usize) -> Operator {
    let (mut all, mut power, mut bit) = ([0; 32], [0; 32], 0);
    while bit < 32 {
        all[bit] = 1 << bit;
        // One zero bit.
        power[bit] = if bit == 0 { POLYNOMIAL } else { 1 << (bit - 1) };
        bit += 1;
    }
    let mut doubled = 0;
    while doubled < 3 {
        power = after(&power, &power);
        doubled += 1;
    }
    while bytes > 0 {
        if bytes & 1 == 1 {
            all = after(&all, &power);
        }
        power = after(&power, &power);
        bytes >>= 1;
    }
    all
}

/// The operator for a tail of zeros, by four bits of the checksum at a time: 512 bytes, which stay in the cache.
static TAIL_OF_ZEROS: [[u32; 16]; 8] = {
    let operator = zeros(TAIL_BYTES);
    let (mut table, mut place) = ([[0; 16]; 8], 0);
    while place < 8 {
        let mut value = 0;
        while value < 16 {
            table[place][value] = times(&operator, (value as u32) << (4 * place));
            value += 1;
        }
        place += 1;
    }
    table
};

/// An image in someone's memory, and the checksum of its tail.
#[derive(Clone, Copy, Debug)]
pub struct SummedImage<'a> {
    bytes: &'a [u8; PAGE_SIZE],
    tail_crc: u32,
}

impl<'a> SummedImage<'a> {
    /// Sums up an image.
    pub fn new(bytes: &'a [u8; PAGE_SIZE]) -> SummedImage<'a> {
        SummedImage { bytes, tail_crc: crc32c::crc32c(&bytes[IMAGE_HEAD_BYTES..]) }
    }

    /// A page of its own.
    pub fn to_page(&self) -> Page {
        Page::from_bytes(self.bytes).expect("an image is as long as a page")
    }

    fn get<const N: usize>(&self, offset: usize) -> [u8; N] {
        *self.bytes[offset..].first_chunk().expect("header field")
    }

    /// LSN of the last record applied.
    pub fn lsn(&self) -> Lsn {
        Lsn(u64::from_le_bytes(self.get(OFFSET_LSN)))
    }

    /// The checksum that the image carries.
    pub fn crc(&self) -> u32 {
        u32::from_le_bytes(self.get(OFFSET_CRC))
    }

    /// As [`crate::Page::verify`].
    pub fn verify(&self, volume: VolumeId, page: PageId) -> bool {
        self.get(0) == PAGE_FORMAT.to_le_bytes()
            && self.crc() == self.checksum_behind(crc32c::crc32c(&self.bytes[..OFFSET_CRC]))
            && self.get(OFFSET_VOLUME) == volume.0
            && self.get(OFFSET_PAGE) == page.0.to_le_bytes()
    }

    /// As [`crate::Page::is_at`].
    pub fn is_at(&self, device: DeviceId, address: u64) -> bool {
        self.get(OFFSET_DEVICE) == device.0.to_le_bytes() && self.get(OFFSET_ADDRESS) == address.to_le_bytes()
    }

    /// All before the tail, as [`crate::Page::seal_for_wire`] leaves it.
    pub fn wire_head(&self) -> [u8; IMAGE_HEAD_BYTES] {
        let mut head: [u8; IMAGE_HEAD_BYTES] = self.get(0);
        head[OFFSET_KEY_ID..OFFSET_DEVICE].fill(0);
        head[OFFSET_DEVICE..OFFSET_VOLUME].fill(0);
        head[OFFSET_NONCE..OFFSET_CRC].fill(0);
        let crc = self.checksum_behind(crc32c::crc32c(&head[..OFFSET_CRC]));
        head[OFFSET_CRC..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// All behind that.
    pub fn tail(&self) -> &'a [u8] {
        &self.bytes[IMAGE_HEAD_BYTES..]
    }

    /// The checksum of bytes that have `crc` by themselves and end with the tail.
    pub fn checksum_behind(&self, crc: u32) -> u32 {
        let places = TAIL_OF_ZEROS.iter().enumerate();
        places.fold(self.tail_crc, |sum, (place, values)| sum ^ values[(crc >> (4 * place) & 15) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// An image with something in every byte of the body.
    fn image(seed: u64) -> Page {
        let mut page = Page::new(VolumeId([3; 16]), PageId(seed));
        let mut state = seed | 1;
        for byte in &mut page.bytes_mut()[crate::PAGE_BODY_START..] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state as u8;
        }
        page.set_lsn(Lsn(seed + 100));
        page
    }

    #[test]
    fn sums_are_those_of_all_bytes() {
        for seed in 1..50 {
            let mut page = image(seed);
            page.seal_for_device(DeviceId(seed), 1 << 56 | seed << 13);
            let summed = SummedImage::new(page.bytes());
            assert!(summed.verify(VolumeId([3; 16]), PageId(seed)) && page.verify(page.volume(), page.id()));
            assert!(!summed.verify(VolumeId([4; 16]), PageId(seed)));
            assert!(!summed.verify(VolumeId([3; 16]), PageId(seed + 1)));
            assert!(summed.is_at(DeviceId(seed), 1 << 56 | seed << 13));
            assert!(!summed.is_at(DeviceId(seed), 1 << 56));
            assert!(!summed.is_at(DeviceId(seed + 1), 1 << 56 | seed << 13));
            assert_eq!((summed.lsn(), summed.crc()), (page.lsn(), page.crc()));
            let before = &page.bytes()[..seed as usize * 70];
            let all: Vec<u8> = before.iter().chain(summed.tail()).copied().collect();
            assert_eq!(summed.checksum_behind(crc32c::crc32c(before)), crc32c::crc32c(&all));
        }
    }

    #[test]
    fn the_head_for_the_wire_is_that_of_a_sealed_page() {
        let mut page = image(9);
        page.seal_for_device(DeviceId(77), 1 << 56 | 8192);
        // Fields of encryption, which are zero as yet.
        page.bytes_mut()[6..8].fill(5);
        page.bytes_mut()[56..84].fill(6);
        let summed = SummedImage::new(page.bytes());
        let wire: Vec<u8> = summed.wire_head().iter().chain(summed.tail()).copied().collect();
        let mut sealed = page.clone();
        sealed.seal_for_wire();
        assert_eq!(wire, sealed.bytes());
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let mut page = image(5);
        page.seal_for_device(DeviceId(1), 1 << 56);
        let (volume, id) = (page.volume(), page.id());
        for byte in [0, 4, 8, 30, 50, 84, 88, 96, 4096, 8191] {
            page.bytes_mut()[byte] ^= 0x10;
            assert!(!SummedImage::new(page.bytes()).verify(volume, id), "byte {byte}");
            page.bytes_mut()[byte] ^= 0x10;
        }
        assert!(SummedImage::new(page.bytes()).verify(volume, id));
    }
}

//! Memory that O_DIRECT accepts: address and length are multiples of the block size.

use alloc::vec::Vec;

/// Unit of every on-disk address, length and buffer. 4 KiB suits every device that 512-byte ones do.
pub const BLOCK_BYTES: usize = 4096;

/// Most that is copied in one go. From 2,112 bytes on the C library copies with one instruction that on many processors takes
/// sixteen times as long where the target begins up to 63 bytes further into its 4 KiB than the source does into its own (glibc bug
/// 30994). What comes from a receive buffer, its head taken off, goes behind a head of much the same size: there it is the rule.
const COPY_BYTES: usize = 2048;

/// A byte buffer whose address is a multiple of [`BLOCK_BYTES`].
///
/// The bytes stand inside a plain vector, at the first aligned place: the vector is never grown, so the
/// place stays. Handing one to the device moves it, the vector's heap memory does not move.
pub struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
    capacity: usize,
}

impl AlignedBuffer {
    /// A zeroed buffer of `length` bytes, a multiple of [`BLOCK_BYTES`].
    pub fn zeroed(length: usize) -> AlignedBuffer {
        AlignedBuffer::roving(length, 0)
    }

    /// A zeroed buffer of `length` bytes that can begin at other places of its memory, over `range` bytes:
    /// [`AlignedBuffer::move_on`].
    pub fn roving(length: usize, range: usize) -> AlignedBuffer {
        assert!(length > 0, "an empty transfer is a bug");
        assert!(length.is_multiple_of(BLOCK_BYTES), "transfers are whole blocks");
        let memory = alloc::vec![0; length + range + BLOCK_BYTES];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES);
        assert!(start < BLOCK_BYTES, "an aligned place exists in every {BLOCK_BYTES} bytes");
        AlignedBuffer { memory, start, length, capacity: length }
    }

    /// Begins behind the bytes that it has now, or at the front again, with its full length.
    ///
    /// What a device has read lies in the cache of the processor that read it for the device, a host's under a virtual machine: to
    /// write over that at once costs three times what it costs to write where nobody has been for a while.
    pub fn move_on(&mut self) {
        self.start += self.length;
        self.length = self.capacity;
        if self.start + self.capacity > self.memory.len() {
            self.start = self.memory.as_ptr().align_offset(BLOCK_BYTES);
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    /// The bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }

    /// Copies `bytes` to the place at `start`.
    pub fn copy_in(&mut self, start: usize, bytes: &[u8]) {
        let target = &mut self.bytes_mut()[start..start + bytes.len()];
        for (target, piece) in target.chunks_mut(COPY_BYTES).zip(bytes.chunks(COPY_BYTES)) {
            target.copy_from_slice(piece);
        }
    }

    /// Sets how many bytes from the start count; up to what the buffer was made with. Lets one buffer serve
    /// transfers of any size.
    pub fn set_len(&mut self, length: usize) {
        assert!(length > 0, "an empty transfer is a bug");
        assert!(length.is_multiple_of(BLOCK_BYTES), "transfers are whole blocks");
        assert!(length <= self.capacity(), "a buffer never grows");
        self.length = length;
    }

    /// The most that [`AlignedBuffer::set_len`] takes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Never: a buffer holds at least one block. (Clippy asks for it beside `len`.)
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl core::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AlignedBuffer({})", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_aligned_and_survives_a_move() {
        let mut buffers: Vec<AlignedBuffer> =
            [1, 2, 64].map(|blocks| AlignedBuffer::zeroed(blocks * BLOCK_BYTES)).into();
        buffers.rotate_left(1);
        for buffer in &buffers {
            assert_eq!(buffer.bytes().as_ptr().align_offset(BLOCK_BYTES), 0);
        }
    }

    #[test]
    fn one_that_moves_on_is_aligned_and_whole_wherever_it_begins() {
        let mut buffer = AlignedBuffer::roving(4 * BLOCK_BYTES, 3 * BLOCK_BYTES);
        let mut places = Vec::new();
        for blocks in [1, 2, 1, 4, 3, 3] {
            assert_eq!((buffer.len(), buffer.capacity()), (4 * BLOCK_BYTES, 4 * BLOCK_BYTES));
            let place = buffer.bytes().as_ptr();
            assert_eq!(place.align_offset(BLOCK_BYTES), 0);
            places.push(place as usize / BLOCK_BYTES);
            buffer.bytes_mut().fill(1);
            buffer.set_len(blocks * BLOCK_BYTES);
            buffer.move_on();
        }
        let front = places[0];
        // There may be a block more than asked for.
        assert!(places.iter().all(|place| (front..=front + 4).contains(place)));
        assert_eq!(places[..3], [front, front + 1, front + 3]);
        let mut still = AlignedBuffer::zeroed(BLOCK_BYTES);
        let place = still.bytes().as_ptr();
        (0..3).for_each(|_| still.move_on());
        assert!(still.bytes().as_ptr() as usize - (place as usize) <= BLOCK_BYTES);
    }

    #[test]
    fn all_of_what_is_copied_in_stands_where_it_should() {
        for length in [0, 1, COPY_BYTES - 1, COPY_BYTES, COPY_BYTES + 1, 5 * COPY_BYTES + 77] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251 + 1) as u8).collect();
            let mut buffer = AlignedBuffer::zeroed(4 * BLOCK_BYTES);
            buffer.copy_in(77, &bytes);
            assert_eq!(buffer.bytes()[77..77 + length], bytes);
            let around = buffer.bytes()[..77].iter().chain(&buffer.bytes()[77 + length..]);
            assert!(around.copied().all(|byte| byte == 0), "{length} bytes and nothing else");
        }
    }

    #[test]
    fn what_is_written_is_read_at_every_length() {
        let mut buffer = AlignedBuffer::zeroed(3 * BLOCK_BYTES);
        assert_eq!((buffer.len(), buffer.capacity()), (3 * BLOCK_BYTES, 3 * BLOCK_BYTES));
        buffer.bytes_mut()[3 * BLOCK_BYTES - 1] = 7;
        for blocks in [1, 2, 3] {
            buffer.set_len(blocks * BLOCK_BYTES);
            assert_eq!((buffer.bytes().len(), buffer.bytes_mut().len()), (buffer.len(), buffer.len()));
            assert_eq!(buffer.len(), blocks * BLOCK_BYTES);
            assert_eq!(buffer.capacity(), 3 * BLOCK_BYTES);
        }
        assert_eq!(buffer.bytes()[3 * BLOCK_BYTES - 1], 7);
    }
}

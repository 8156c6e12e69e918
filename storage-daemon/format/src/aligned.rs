//! Memory that O_DIRECT accepts: address and length are multiples of the block size.

use alloc::vec::Vec;

/// Unit of every on-disk address, length and buffer. 4 KiB suits every device that 512-byte ones do.
pub const BLOCK_BYTES: usize = 4096;

/// A byte buffer whose address is a multiple of [`BLOCK_BYTES`].
///
/// The bytes stand inside a plain vector, at the first aligned place: the vector is never grown, so the
/// place stays. Handing one to the device moves it, the vector's heap memory does not move.
pub struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBuffer {
    /// A zeroed buffer of `length` bytes, a multiple of [`BLOCK_BYTES`].
    pub fn zeroed(length: usize) -> AlignedBuffer {
        assert!(length > 0, "an empty transfer is a bug");
        assert!(length.is_multiple_of(BLOCK_BYTES), "transfers are whole blocks");
        let memory = alloc::vec![0; length + BLOCK_BYTES];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES);
        assert!(start < BLOCK_BYTES, "an aligned place exists in every {BLOCK_BYTES} bytes");
        AlignedBuffer { memory, start, length }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }

    /// The bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
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
        self.memory.len() - BLOCK_BYTES
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

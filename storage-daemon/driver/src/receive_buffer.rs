//! The bytes that a connection has received and not yet taken as frames.
//!
//! The buffer moves: into the receive operation while the kernel fills it, back to its connection while
//! frames are taken. Frames are borrowed from it in place; only the beginning of a frame that is not yet
//! complete is ever moved.

use hexalog_protocol::codec::Malformed;
use hexalog_protocol::frame::{FRAME_BYTES_MAX, Frame, frame_length, read_frame};

/// Size at first. A few hundred small frames fit, and a connection that only sends those stays cheap.
const BYTES_FIRST: usize = 64 * 1024;
/// A larger buffer that has become empty is given back: the largest frame that is ordinary is a writer's,
/// 256 KiB of batches.
const BYTES_KEPT_MAX: usize = 512 * 1024;
/// With less room than this behind the last byte, the bytes left are moved to the front.
const ROOM_MIN: usize = 16 * 1024;

/// Received bytes. Invariant: `start <= end <= bytes.len() <= FRAME_BYTES_MAX`, and there is always room for
/// the rest of the frame at the front.
#[derive(Debug)]
pub struct ReceiveBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReceiveBuffer {
    /// An empty one.
    pub fn new() -> ReceiveBuffer {
        ReceiveBuffer { bytes: vec![0; BYTES_FIRST], start: 0, end: 0 }
    }

    /// Where the next bytes go. Never empty.
    pub fn room(&mut self) -> &mut [u8] {
        let room = &mut self.bytes[self.end..];
        assert!(!room.is_empty(), "make_room comes before every receive");
        room
    }

    /// `count` bytes were put at the front of `room`.
    pub fn filled(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.end, "no more than there was room for");
        self.end += count;
    }

    /// The frame at the front, checked; `None` while it is incomplete. `taken` moves on behind it.
    pub fn frame(&self) -> Result<Option<Frame<'_>>, Malformed> {
        read_frame(&self.bytes[self.start..self.end])
    }

    /// The frame at the front, of `frame_bytes`, was handled.
    pub fn taken(&mut self, frame_bytes: usize) {
        assert!(frame_bytes <= self.end - self.start, "a frame lies within what was received");
        self.start += frame_bytes;
    }

    /// Before the next receive, all complete frames taken: makes room for the rest of the frame at the front.
    pub fn make_room(&mut self) -> Result<(), Malformed> {
        let pending = self.end - self.start;
        if pending == 0 {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > BYTES_KEPT_MAX {
                *self = ReceiveBuffer::new();
            }
            return Ok(());
        }
        let wanted = frame_length(&self.bytes[self.start..self.end])?.unwrap_or(pending + ROOM_MIN);
        assert!(wanted > pending, "a complete frame was left untaken");
        assert!(wanted <= FRAME_BYTES_MAX, "frame_length bounds it");
        if self.bytes.len() - self.start < wanted.max(pending + ROOM_MIN) {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, pending);
        }
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted.next_power_of_two().min(FRAME_BYTES_MAX), 0);
        }
        Ok(())
    }
}

impl Default for ReceiveBuffer {
    fn default() -> ReceiveBuffer {
        ReceiveBuffer::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::codec::Put;
    use hexalog_protocol::frame::write_frame;

    /// Feeds `stream` in pieces of `piece` bytes and returns the payload sizes of the frames that came out.
    fn check(stream: &[u8], piece: usize) -> Vec<usize> {
        let mut buffer = ReceiveBuffer::new();
        let mut sizes = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            buffer.make_room().expect("well-formed");
            let room = buffer.room();
            let count = room.len().min(piece).min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            buffer.filled(count);
            while let Some(frame) = buffer.frame().expect("well-formed") {
                sizes.push(frame.payload.len());
                let frame_bytes = frame.frame_bytes;
                buffer.taken(frame_bytes);
            }
        }
        assert_eq!(buffer.start, buffer.end, "nothing is left over");
        sizes
    }

    #[test]
    fn frames_of_all_sizes_come_out_however_they_are_cut() {
        let sizes = [0, 1, 300, 70_000, 5, FRAME_BYTES_MAX - 24, 0, 65_512, 65_513, 262_144, 9];
        let mut stream = Vec::new();
        for size in sizes {
            write_frame(&mut stream, 1, 7, |out| out.put_bytes(&vec![size as u8; size]));
        }
        for piece in [999, 16_384, 65_536, usize::MAX] {
            assert_eq!(check(&stream, piece), sizes, "pieces of {piece}");
        }
        assert_eq!(check(&stream[..24 + 25 + 324], 1), [0, 1, 300]);
    }

    #[test]
    fn a_hostile_length_is_refused_before_the_buffer_grows() {
        let mut buffer = ReceiveBuffer::new();
        buffer.room()[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        buffer.filled(4);
        assert!(buffer.frame().is_err());
        assert!(buffer.make_room().is_err());
        assert_eq!(buffer.bytes.len(), BYTES_FIRST);
    }
}

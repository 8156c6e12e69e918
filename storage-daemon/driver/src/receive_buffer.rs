//! The bytes that a connection has received and not yet taken as frames.
//!
//! The buffer moves: into the receive operation while the kernel fills it, back to its connection while
//! frames are taken. Frames are borrowed from it in place; only the beginning of a frame that is not yet
//! complete is ever moved. Where bytes come in buffers that connections share, it keeps what could not be taken from those.

use hexalog_protocol::codec::Malformed;
use hexalog_protocol::frame::{FRAME_BYTES_MAX, frame_length};

/// Size at first. A few hundred small frames fit, and a connection that only sends those stays cheap.
const BYTES_FIRST: usize = 64 * 1024;
/// A larger buffer that has become empty is given back: the largest frame that is ordinary is a writer's,
/// 256 KiB of batches.
const BYTES_KEPT_MAX: usize = 512 * 1024;
/// With less room than this behind the last byte, the bytes left are moved to the front.
const ROOM_MIN: usize = 16 * 1024;

/// Received bytes. Invariant: `start <= end <= bytes.len()`; after `make_room` there is room for the rest of the frame at the
/// front. It is never longer than a frame, but for what was appended while nothing could be taken.
#[derive(Debug, Default)]
pub struct ReceiveBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReceiveBuffer {
    /// An empty one, without memory until there is something to receive.
    pub fn new() -> ReceiveBuffer {
        ReceiveBuffer::default()
    }

    /// What was received and not taken.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
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

    /// So many bytes at the front were handled.
    pub fn taken(&mut self, count: usize) {
        assert!(count <= self.end - self.start, "what was handled lies within what was received");
        self.start += count;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > BYTES_KEPT_MAX {
                self.bytes = Vec::new();
            }
        }
    }

    /// Puts bytes that came elsewhere behind the last one.
    pub fn append(&mut self, bytes: &[u8]) {
        let wanted = self.end - self.start + bytes.len();
        if self.bytes.len() - self.end < bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted.next_power_of_two().max(BYTES_FIRST), 0);
        }
        self.bytes[self.end..][..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Before the next receive, all complete frames taken: makes room for the rest of the frame at the front.
    pub fn make_room(&mut self) -> Result<(), Malformed> {
        if self.bytes.is_empty() {
            self.bytes = vec![0; BYTES_FIRST];
        }
        let pending = self.end - self.start;
        if pending == 0 {
            assert!(self.start == 0, "`taken` begins again at the front");
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

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::codec::Put;
    use hexalog_protocol::frame::{read_frame, write_frame};

    /// Feeds `stream` in pieces of `piece` bytes, appended or as the kernel does, and returns the payload sizes of the frames that
    /// came out.
    fn check(stream: &[u8], piece: usize, is_appended: bool) -> Vec<usize> {
        let mut buffer = ReceiveBuffer::new();
        let mut sizes = Vec::new();
        let mut rest = stream;
        while !rest.is_empty() {
            let mut count = piece.min(rest.len());
            if is_appended {
                buffer.append(&rest[..count]);
            } else {
                buffer.make_room().expect("well-formed");
                let room = buffer.room();
                count = room.len().min(count);
                room[..count].copy_from_slice(&rest[..count]);
                buffer.filled(count);
            }
            rest = &rest[count..];
            while let Some(frame) = read_frame(buffer.bytes()).expect("well-formed") {
                sizes.push(frame.payload.len());
                let frame_bytes = frame.frame_bytes;
                buffer.taken(frame_bytes);
            }
        }
        assert!(buffer.is_empty(), "nothing is left over");
        assert!(buffer.bytes.len() <= BYTES_KEPT_MAX, "much memory is given back");
        sizes
    }

    #[test]
    fn frames_of_all_sizes_come_out_however_they_are_cut() {
        let sizes = [0, 1, 300, 70_000, 5, FRAME_BYTES_MAX - 24, 0, 65_512, 65_513, 262_144, 9];
        let mut stream = Vec::new();
        for size in sizes {
            write_frame(&mut stream, 1, 7, |out| out.put_bytes(&vec![size as u8; size]));
        }
        for is_appended in [false, true] {
            for piece in [999, 16_384, 65_536, usize::MAX] {
                assert_eq!(check(&stream, piece, is_appended), sizes, "pieces of {piece}");
            }
            assert_eq!(check(&stream[..24 + 25 + 324], 1, is_appended), [0, 1, 300]);
        }
    }

    #[test]
    fn a_hostile_length_is_refused_before_the_buffer_grows() {
        let mut buffer = ReceiveBuffer::new();
        buffer.make_room().expect("nothing is there yet");
        buffer.room()[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        buffer.filled(4);
        assert!(read_frame(buffer.bytes()).is_err());
        assert!(buffer.make_room().is_err());
        assert_eq!(buffer.bytes.len(), BYTES_FIRST);
    }
}

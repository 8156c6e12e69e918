//! Frames: what a message travels in.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | length of the whole frame |
//! | 4..8 | CRC32C of bytes 8..length |
//! | 8..10 | protocol version |
//! | 10..12 | message kind ([`crate::message`]) |
//! | 12..16 | flags (0) |
//! | 16..24 | request id: an answer carries that of its request |
//! | 24.. | message |

use crate::codec::{Malformed, Put, Reader};
use crate::image::SummedImage;
use alloc::vec::Vec;

/// Bytes before the message.
pub const FRAME_HEADER_BYTES: usize = 24;
/// No frame is larger. Room for a page, for 256 KiB of batches, and for the record list that a segment
/// answers an epoch bump with (65,536 records at up to ten bytes each, in practice one).
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// The version that this code speaks; `Hello` names the lowest and highest of each side.
pub const PROTOCOL_VERSION: u16 = 7;

/// A frame taken from a receive buffer: checked, message still encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Protocol version of the sender.
    pub version: u16,
    /// Message kind.
    pub kind: u16,
    /// Ties an answer to its request.
    pub request_id: u64,
    /// The encoded message.
    pub payload: &'a [u8],
    /// Length of the whole frame: how far to move on in the buffer.
    pub frame_bytes: usize,
}

/// How many bytes the frame at the front of `buffer` takes; `None` while its length field is incomplete.
/// An impossible length is refused as soon as it can be seen: no buffer grows for it.
pub fn frame_length(buffer: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if !(FRAME_HEADER_BYTES..=FRAME_BYTES_MAX).contains(&length) {
        return Err(Malformed { what: "frame length" });
    }
    Ok(Some(length))
}

/// Takes the frame at the front of `buffer`; `None` while it is incomplete.
pub fn read_frame(buffer: &[u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let Some(length) = frame_length(buffer)? else { return Ok(None) };
    let Some(bytes) = buffer.get(..length) else { return Ok(None) };
    let mut reader = Reader::new(&bytes[4..]);
    let crc = reader.u32("frame CRC")?;
    if crc32c::crc32c(&bytes[8..]) != crc {
        return Err(Malformed { what: "frame CRC" });
    }
    let version = reader.u16("frame version")?;
    let kind = reader.u16("frame kind")?;
    if reader.u32("frame flags")? != 0 {
        return Err(Malformed { what: "frame flags" });
    }
    let request_id = reader.u64("request id")?;
    Ok(Some(Frame { version, kind, request_id, payload: reader.rest(), frame_bytes: length }))
}

/// Appends a frame to `out`; `encode` appends the message.
pub fn write_frame(out: &mut Vec<u8>, kind: u16, request_id: u64, encode: impl FnOnce(&mut Vec<u8>)) {
    let start = begin_frame(out, kind, request_id);
    encode(out);
    let crc = crc32c::crc32c(&out[start + 8..]);
    end_frame(out, start, crc);
}

/// The same for a message that ends with the tail of an image, whose sum is known: `encode` appends what comes before that.
pub fn write_image_frame(
    out: &mut Vec<u8>,
    kind: u16,
    request_id: u64,
    image: &SummedImage<'_>,
    encode: impl FnOnce(&mut Vec<u8>),
) {
    let start = begin_frame(out, kind, request_id);
    encode(out);
    let crc = image.checksum_behind(crc32c::crc32c(&out[start + 8..]));
    out.put_bytes(image.tail());
    end_frame(out, start, crc);
}

fn begin_frame(out: &mut Vec<u8>, kind: u16, request_id: u64) -> usize {
    let start = out.len();
    out.put_u64(0);
    out.put_u16(PROTOCOL_VERSION);
    out.put_u16(kind);
    out.put_u32(0);
    out.put_u64(request_id);
    debug_assert_eq!(out.len() - start, FRAME_HEADER_BYTES);
    start
}

fn end_frame(out: &mut [u8], start: usize, crc: u32) {
    let length = out.len() - start;
    assert!(length <= FRAME_BYTES_MAX, "a frame is {length} bytes: over the maximum");
    out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_round_trips_and_damage_is_found() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, 6, 42, |out| out.put_bytes(b"hello"));
        let frame = read_frame(&bytes).expect("valid").expect("complete");
        assert_eq!((frame.kind, frame.request_id, frame.payload), (6, 42, &b"hello"[..]));
        for cut in 0..bytes.len() {
            assert_eq!(read_frame(&bytes[..cut]), Ok(None), "cut {cut}");
        }
        for bit in 32..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read_frame(&bad).is_err(), "bit {bit}");
        }
        assert!(frame_length(&[0xff; 4]).is_err());
        assert!(frame_length(&[3, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_frame_may_be_a_mebibyte_long_and_no_longer() {
        for (length, is_possible) in [(23, false), (24, true), (1 << 20, true), ((1 << 20) + 1, false)] {
            let found = frame_length(&u32::to_le_bytes(length));
            assert_eq!(found.is_ok_and(|found| found == Some(length as usize)), is_possible, "{length}");
        }
    }
}

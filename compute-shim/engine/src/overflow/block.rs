//! Stored bytes of a chain: the value's blocks, compressed one by one.
//!
//! Owns the framing that `layout::overflow_page` describes. Pure: bytes in, bytes out.

use crate::layout::overflow_page::{BLOCK_BYTES, BLOCK_PLAIN};
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

const LENGTH_BYTES: usize = 4;
/// A block is stored compressed if that saves at least this share of it: less is not worth the reader's time.
const SAVED_SHARE_MIN: usize = 16;

/// Appends one block of a value.
pub(super) fn encode(block: &[u8], out: &mut Vec<u8>) {
    assert!((1..=BLOCK_BYTES).contains(&block.len()), "blocks are never empty");
    let start = out.len();
    let at = start + LENGTH_BYTES;
    out.resize(at + get_maximum_output_size(block.len()), 0);
    let compressed = compress_into(block, &mut out[at..]).expect("the largest output has room");
    let length = if compressed + block.len() / SAVED_SHARE_MIN <= block.len() {
        out.truncate(at + compressed);
        compressed as u32
    } else {
        out.truncate(at);
        out.extend_from_slice(block);
        block.len() as u32 | BLOCK_PLAIN
    };
    out[start..at].copy_from_slice(&length.to_le_bytes());
}

/// Takes the first block off `stored` and appends its bytes to `value`, which has `value_bytes` in the end. `Ok(None)`:
/// the block goes on beyond what is there. `Ok(Some)`: bytes of `stored` used.
pub(super) fn decode(
    stored: &[u8],
    value: &mut Vec<u8>,
    value_bytes: usize,
) -> Result<Option<usize>, &'static str> {
    let Some(length) = stored.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length);
    let is_plain = length & BLOCK_PLAIN != 0;
    let length = (length & !BLOCK_PLAIN) as usize;
    let wanted = BLOCK_BYTES.min(value_bytes - value.len());
    if length == 0 || length > wanted || is_plain && length != wanted {
        return Err("an overflow block of a wrong length");
    }
    let Some(bytes) = stored.get(LENGTH_BYTES..LENGTH_BYTES + length) else { return Ok(None) };
    if is_plain {
        value.extend_from_slice(bytes);
    } else {
        let start = value.len();
        value.resize(start + wanted, 0);
        if !decompress_into(bytes, &mut value[start..]).is_ok_and(|written| written == wanted) {
            return Err("an overflow block that does not decompress");
        }
    }
    Ok(Some(LENGTH_BYTES + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(block: &[u8]) -> Vec<u8> {
        let mut stored = Vec::new();
        encode(block, &mut stored);
        let mut value = Vec::new();
        for cut in [0, 3, stored.len() - 1] {
            assert_eq!(decode(&stored[..cut], &mut value, block.len()), Ok(None));
        }
        assert_eq!(decode(&stored, &mut value, block.len()), Ok(Some(stored.len())));
        assert!(value == block);
        stored
    }

    #[test]
    fn golden_bytes() {
        // LZ4: one literal, then a match of 94 at distance 1, then five literals. What a compressor makes of it is its own
        // affair; this is what it means.
        let stored = [11, 0, 0, 0, 0x1f, b'a', 1, 0, 75, 0x50, b'a', b'a', b'a', b'a', b'a'];
        let mut value = Vec::new();
        assert_eq!(decode(&stored, &mut value, 100), Ok(Some(stored.len())));
        assert_eq!(value, [b'a'; 100]);
        assert!(round_trip(&[b'a'; 100]).len() < 20);
        assert_eq!(round_trip(b"xyz"), [3, 0, 0, 0x80, b'x', b'y', b'z']);
    }

    #[test]
    fn what_does_not_compress_stands_as_it_is() {
        let mut state = 1u32;
        let noise: Vec<u8> = (0..BLOCK_BYTES)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        assert_eq!(round_trip(&noise).len(), BLOCK_BYTES + LENGTH_BYTES);
        assert!(round_trip(&[7; BLOCK_BYTES]).len() < 400);
    }

    #[test]
    fn damage_is_noticed() {
        let mut stored = Vec::new();
        encode(&[b'a'; 100], &mut stored);
        for (at, byte) in [(0, 0), (0, 200), (3, 0x80), (7, 9)] {
            let mut damaged = stored.clone();
            damaged[at] = byte;
            assert!(decode(&damaged, &mut Vec::new(), 100).is_err(), "{at}");
        }
    }
}

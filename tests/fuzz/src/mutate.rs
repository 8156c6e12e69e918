//! How an input changes: bits, bytes, lengths, pieces of itself and of others.

use crate::random::Random;

/// Longest input: larger than a page, smaller than what would make a check slow.
pub const INPUT_BYTES_MAX: usize = 20 * 1024;

/// Values at which decoders go wrong: ends of ranges and their neighbours.
const CORNERS: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Changes an input in one to eight places.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    for _ in 0..1 + random.below(8) {
        mutate_once(input, others, random);
        // Most mutants differ little: the more changes, the earlier a decoder turns away.
        if random.one_in(2) {
            break;
        }
    }
    input.truncate(INPUT_BYTES_MAX);
}

fn mutate_once(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    match random.below(12) {
        0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[at] = random.bits() as u8,
        2 => input.truncate(at),
        3 => drop(input.drain(piece(input.len(), random))),
        4 => {
            let bytes: Vec<u8> = (0..1 + random.below(8)).map(|_| random.bits() as u8).collect();
            input.splice(at..at, bytes);
        }
        5 => {
            let copy = input[piece(input.len(), random)].to_vec();
            input.splice(at..at, copy);
        }
        6 => splice(input, &others[random.below(others.len())], random),
        7 => {
            let copy = input[piece(input.len(), random)].to_vec();
            let end = input.len().min(at + copy.len());
            input[at..end].copy_from_slice(&copy[..end - at]);
        }
        8 => put_varint(input, at, random),
        _ => put_integer(input, at, random),
    }
}

/// A range of an input, mostly a short one.
fn piece(length: usize, random: &mut Random) -> std::ops::Range<usize> {
    let start = random.below(length);
    let longest = if random.one_in(4) { length - start } else { (length - start).min(16) };
    start..start + random.below(longest + 1)
}

/// The front of one input and the back of another.
fn splice(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len());
    // Often at the same place: fields of one kind stand where they stand.
    let from = if random.one_in(2) { at.min(other.len()) } else { random.below(other.len()) };
    input.truncate(at);
    input.extend_from_slice(&other[from..]);
}

/// A number as a decoder might take it for a length, a count or an offset.
fn number(old: u64, input_bytes: usize, random: &mut Random) -> u64 {
    match random.below(4) {
        0 => CORNERS[random.below(CORNERS.len())],
        1 => old.wrapping_add(random.below(33) as u64).wrapping_sub(16),
        2 => (input_bytes + random.below(17)).wrapping_sub(8) as u64,
        _ => random.bits() >> random.below(64),
    }
}

/// Overwrites 1, 2, 4 or 8 bytes, of either byte order.
fn put_integer(input: &mut [u8], at: usize, random: &mut Random) {
    let width = 1 << random.below(4);
    let input_bytes = input.len();
    let Some(place) = input.get_mut(at..at + width) else { return };
    let is_big_endian = random.one_in(2);
    let mut wide = [0; 8];
    if is_big_endian {
        wide[8 - width..].copy_from_slice(place);
        let new = number(u64::from_be_bytes(wide), input_bytes, random).to_be_bytes();
        place.copy_from_slice(&new[8 - width..]);
    } else {
        wide[..width].copy_from_slice(place);
        let new = number(u64::from_le_bytes(wide), input_bytes, random).to_le_bytes();
        place.copy_from_slice(&new[..width]);
    }
}

/// Replaces the varint that may stand at a place.
fn put_varint(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let end = input[at..].iter().take(9).position(|byte| byte & 0x80 == 0).map_or(at, |end| at + end + 1);
    let mut value = number(0, input.len(), random);
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    if random.one_in(16) {
        // Longer than it need be.
        *bytes.last_mut().expect("at least one") |= 0x80;
        bytes.push(0);
    }
    input.splice(at..end, bytes);
}

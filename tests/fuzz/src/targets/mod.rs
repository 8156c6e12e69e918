//! The targets, by what they meet.
//!
//! [`wire`] frames and messages between compute and storage, [`redo`] batches, records and their application, [`device`]
//! what a storage daemon reads from its device, [`postgres`] a client's messages, [`values`] values in binary, text and
//! stored form, [`volume`] pages as compute gets them from storage.

pub mod device;
pub mod postgres;
pub mod redo;
mod segment;
pub mod values;
pub mod volume;
pub mod wire;

use crate::target::Target;
use std::ops::Range;

/// All targets.
pub static TARGETS: &[Target] = &[
    wire::FRAME,
    redo::BATCH,
    redo::APPLY,
    device::LABEL,
    device::SUPERBLOCK,
    device::APPEND,
    device::CHECKPOINT,
    device::DELTA,
    device::PAGE,
    postgres::STARTUP,
    postgres::FRONTEND,
    postgres::COPY,
    values::BINARY,
    values::TEXT,
    values::ROW,
    values::PASSING,
    values::KEY,
    volume::PAGES,
];

/// Four bytes of an input as a little-endian number.
fn u32_at(input: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*input.get(at..)?.first_chunk()?))
}

/// Overwrites four bytes if they are there.
fn put_u32(input: &mut [u8], at: usize, value: u32) {
    if let Some(place) = input.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// Writes the checksum of some of an input at `at`, as far as both are there.
fn put_crc(input: &mut [u8], of: Range<usize>, at: usize) {
    if let Some(bytes) = input.get(of) {
        let crc = crc32c::crc32c(bytes);
        put_u32(input, at, crc);
    }
}

/// Nothing to mend: the bytes carry no checksum.
fn nothing(_: &mut [u8]) {}

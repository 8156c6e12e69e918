//! Bytes on a storage device: superblock, log appends, page images and deltas, index checkpoints.
//!
//! Pure encoding and checking: no I/O, no clock, no state. A decoder takes any bytes: it answers
//! [`hexalog_protocol::codec::Malformed`], never panics, and never reserves more than the input justifies.
//! Layouts are written out byte by byte in `docs/on-disk-format.md`. Read [`superblock`] first (where a start
//! begins), then [`append`] and [`entry`] (the log), [`checkpoint`] (the index) and [`delta`].
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod aligned;
pub mod append;
pub mod checkpoint;
pub mod delta;
pub mod entry;
pub mod label;
mod membership;
pub mod superblock;

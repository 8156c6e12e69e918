//! Bytes on a storage device: superblock, log appends, extents, index checkpoints.
//!
//! Pure encoding and checking: no I/O, no clock, no state. Layouts are written out byte by byte in
//! `docs/on-disk-format.md`.
#![no_std]

extern crate alloc;

pub mod aligned;

//! The sans-I/O machines of a storage shard: segments, log, page versions, gossip.
//!
//! No clock, no randomness, no I/O, no threads: [`effects`] is the whole interface to the outside.
#![no_std]

extern crate alloc;

pub mod effects;
pub mod options;
pub mod shard;

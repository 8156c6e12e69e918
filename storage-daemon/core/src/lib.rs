//! The sans-I/O machines of a storage shard: segments, log, page versions, gossip.
//!
//! No clock, no randomness, no I/O, no threads: [`effects`] is the whole interface to the outside. Read
//! [`shard`] first. The foreground is one straight way: [`shard`] (frame) → `write` (checks, one copy) → `log`
//! (one device write) → `apply` (what is durable becomes true, answers go out). Everything else runs in
//! slices from [`shard::Shard::background`]: `index` (after a start), `pages` (coalescing), `checkpoint`, `gossip`, `retention`, `hydration`,
//! `damage`, `room`.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod apply;
mod background;
pub mod bounds;
mod carry;
mod chain;
mod checkpoint;
mod connections;
mod control;
mod counters;
mod damage;
pub mod effects;
mod gossip;
mod hydration;
mod index;
mod log;
pub mod options;
mod pages;
mod pending;
mod recovery;
mod retention;
mod room;
mod salvage;
mod segment;
pub mod shard;
mod shares;
mod status;
mod write;

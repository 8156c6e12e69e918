//! Carries a shard machine's effects out with io_uring: the only place in the daemon that does I/O.
//!
//! Owns the rings, sockets, area files, buffers in flight and the clock. It decides nothing about segments,
//! epochs or durability rules: those are the machine's ([`machine::Machine`], in production
//! `hexalog_storage_core::shard::Shard`). All `unsafe` of the daemon but its allocator's lives in this crate, in [`ring`]
//! and its `shared_buffers`, [`scheduling`] and [`signals`].
//!
//! The way of a write, from network to device and back, on one thread:
//! [`thread::run_shards`] reaps completions → `shard_loop` takes frames from the buffer that they came in
//! and hands them to the machine → at the end of the turn its effects are carried out ([`disk::Disk`] → [`ring::Ring`]), all
//! frames of the turn in one append → submitted with the next wait → the flush's completion goes to the machine → what
//! gathered meanwhile goes to the device → what was written takes effect → its acknowledgements leave with one send each
//! connection, and the wait, in one system call. Start reading at [`thread`].

// A driver is where clocks, threads and files belong; the bans are for the cores.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

pub mod areas;
pub mod clock;
pub mod connection;
pub mod device_queue;
pub mod disk;
pub mod durability;
pub mod log_preparation;
pub mod log_sink;
pub mod machine;
pub mod network;
mod operation;
pub mod receive_buffer;
pub mod ring;
pub mod scheduling;
pub mod shard_loop;
pub mod signals;
pub mod space;
pub mod thread;
pub mod transfer;
pub mod writer_thread;

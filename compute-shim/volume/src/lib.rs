//! The sans-I/O volume client: LSN allocation, boxcars, fan-out, quorums, reads, opening.
//!
//! [`client::Client`] owns it all. Sessions call [`client::Client::reserve`] and [`client::Client::append`];
//! a driver feeds it events and carries out [`effects`]. No clock, no randomness, no I/O, no threads, no
//! `async`. Rules: the log and its boxcars in [`log`], VCL and VDL in [`durability`], one connection's cursor in
//! [`link`], changes of members in [`client::members`], page reads in [`reads`], how fast members answer them in [`read_latency`], opening and fencing in [`opening`], which answers it may rest on in
//! [`promises`], a client that threads share in [`shared`].
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
pub mod config;
pub mod durability;
pub mod effects;
pub mod link;
pub mod log;
pub mod opening;
pub mod promises;
pub mod read_latency;
pub mod reads;
pub mod shared;

pub use client::Client;
pub use shared::SharedClient;

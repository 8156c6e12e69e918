//! What every metadata backend must do: one suite, all backends, faults included. SQLite always runs; etcd and the DynamoDB
//! API run when the crate is built with their feature and their server is installed, and say so where they are skipped.
//! A new backend adds itself to `backends.rs` and nothing else.
#![allow(clippy::disallowed_methods)] // Processes, threads and waits are what a test of stores is made of.

mod backends;
#[cfg(feature = "dynamodb")]
mod dynalite;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "etcd")]
mod etcd_server;
mod faults;
mod leases;
mod proxy;
mod races;
mod store;
mod watching;

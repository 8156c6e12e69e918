//! The operator's binary as a library: `hexalog local`, `compute`, `sql`, `status`.
//!
//! Owns command lines, the supervising of a local cluster, a small SQL client and the status view. Decides
//! nothing about storage or SQL: those are the daemon and the compute process. Read [`cli`] first, then
//! [`local`].
#![allow(clippy::disallowed_methods)] // Not a core: files, clocks and processes are what this is about.

pub mod address;
pub mod cli;
pub mod cluster;
pub mod compute;
pub mod exit;
pub mod local;
pub mod output;
pub mod sizes;
pub mod sql;
pub mod status;
pub mod storage_client;
pub mod supervised;

//! The compute process: PostgreSQL wire sessions over the SQL layer, on a few single-threaded runtimes.
//!
//! Owns sockets, clocks, waiting and the life of a process; decides nothing about SQL, transactions or
//! durability. The way of a message: [`listener`] accepts a connection and gives it to a worker for life →
//! [`session`] reads a message ([`input`]), decodes it in place ([`wire`]), steps the SQL session, waits for
//! what that needs ([`wait`], [`durability`]) → [`output`] takes rows as they come and is sent once per Sync.
//! [`temporary_files`] is where statements put what does not fit memory. [`compute`] opens the volume and ties all of it together; read `docs/operations.md` for what an operator sees.
#![allow(clippy::disallowed_methods)] // Not a core: this is where clocks and threads are.

pub mod compute;
pub mod control;
pub mod durability;
pub mod engine_listener;
pub mod input;
pub mod isolation;
pub mod listener;
pub mod output;
pub mod session;
pub mod status;
pub mod temporary_files;
pub mod wait;
pub mod wire;

mod autoanalyze;
mod background;
mod buffers;
mod environment;
mod read_only;
mod snapshot_watch;

pub use control::{ServerControl, StopState};
pub use listener::{ServerOptions, serve};

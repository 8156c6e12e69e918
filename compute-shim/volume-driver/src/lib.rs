//! Carries the volume client's effects out with tokio.
//!
//! [`Handle`] is what sessions use, mostly through [`hexalog_volume::SharedClient`]: reserve, append, want, read; each call takes one short
//! lock and never waits.
//! [`drive`] is the one task that owns the sockets, to be spawned on worker 0's loop. One of its turns drains all
//! sockets, feeds the client, flushes once, writes, and tells the [`Listener`] what came of it, so that VDL
//! advances once a turn and everything that was appended since travels in one frame a connection.
//!
//! ```text
//! let handle = Handle::new(Client::open(config, writer));
//! tokio::spawn(drive(handle.clone(), listener));
//! handle.opened().await?;
//! ```
#![allow(clippy::disallowed_methods, reason = "a driver brings the clock")]

mod connection;
mod drive;
mod handle;
mod traffic;

pub use drive::{End, Listener, drive};
pub use handle::{Handle, State};
pub use traffic::Traffic;

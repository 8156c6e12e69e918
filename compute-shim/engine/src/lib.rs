//! Page cache, B-link trees, undo, transactions and locks; synchronous, never blocks.
//!
//! The compute engine below SQL: it reads pages through the volume, changes them by mini-transactions, and
//! writes nothing but redo. A core: no I/O, no clock, no randomness, no async. A call that cannot go on
//! returns a [`Need`] with every latch released and is called again when that need is met.
//!
//! Start at [`Engine`] (the calls), then follow a row down: `rows` → `tree` → `mini_transaction` → [`volume`].
//! Page layouts are written out in `docs/page-format.md`; transactions in `transaction`, `undo` and `locks`.

pub mod cursor;
pub mod engine;
pub mod error;
pub mod memory_volume;
pub mod transaction;
pub mod types;
pub mod volume;

pub use cursor::Cursor;
pub use engine::Engine;
pub use error::{EngineError, Need, Step, Stop, WaitTicket};
pub use transaction::Transaction;
pub use types::*;
pub use volume::{FetchFailure, LogFull, Reservation, ReservationLedger, Volume};

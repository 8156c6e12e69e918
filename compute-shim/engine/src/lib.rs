//! Page cache, B-link trees, undo, transactions and locks; synchronous, never blocks.
//!
//! The compute engine below SQL: it reads pages through the volume, changes them by mini-transactions, and
//! writes nothing but redo. A core: no I/O, no clock, no randomness, no async. A call that cannot go on
//! returns a [`Need`] with every latch released and is called again when that need is met.
//!
//! Start at [`Engine`] (the calls), then follow a row down: `rows` → `write` → `tree` → `mini_transaction` →
//! [`volume`]. Page layouts are written out in `docs/page-format.md` and `layout`; transactions in
//! `transaction`, `savepoint`, `prepared`, `undo`, `visibility`, `rollback`, `purge`, `locks` and `advisory`.

mod access;
mod advisory;
mod alloc;
mod bounds;
mod cache;
pub mod call;
mod cursor;
mod delete_marks;
mod engine;
mod error;
mod hash;
mod index;
mod inspect;
mod io_wait;
mod layout;
mod lineage;
mod locks;
pub mod memory_volume;
mod mini_transaction;
mod opening;
mod overflow;
mod page_check;
pub mod page_file;
mod prepared;
mod purge;
mod rollback;
mod row_id;
mod row_lock;
mod rows;
mod savepoint;
mod sequence;
mod serializable;
mod snapshots;
mod temporary_volume;
mod transaction;
mod tree;
mod trees;
mod types;
mod undo;
mod visibility;
pub mod volume;
mod waiting;
mod write;

pub use advisory::{AdvisoryExtent, AdvisoryLocks};
pub use cursor::{Cursor, Found, LeafRow, LeafRows};
pub use engine::Engine;
pub use error::{EngineError, Need, Step, Stop, WaitTicket};
pub use inspect::describe_page;
pub use io_wait::IoWait;
pub use mini_transaction::{MTR_BYTES_MAX, MTR_RECORDS_MAX};
pub use overflow::{ChainReader, ChainWriter};
pub use page_check::PageCheck;
pub use prepared::{IDENTIFIER_BYTES_MAX, Preparation, PreparedTransaction};
pub use rows::cell_bytes;
pub use savepoint::Savepoint;
pub use serializable::Cycle;
pub use temporary_volume::{TEMPORARY_NUMBERS, TemporaryVolume};
pub use transaction::Transaction;
pub use tree::build::{Built, TreeBuilder};
pub use tree::check::TreeCheck;
pub use types::*;
pub use volume::{FetchFailure, LogFull, Reservation, ReservationLedger, Volume};

//! Values too large for their row: chains of overflow pages.
//!
//! Owns how a chain is written ([`ChainWriter`]), read ([`ChainReader`]) and freed, and whose it is:
//!
//! - While it is written, and until a row is written with it, a chain is its transaction's: a `created` undo record
//!   stands before its first page, so that what is half written when the transaction aborts or the process dies is
//!   freed by purge like a tree that was created. A chain that no row took is given back by
//!   [`crate::Engine::drop_chain`].
//! - A row written with the chain in [`crate::RowRef::chains`] owns it: its cell lists it (`layout::chain_list`). An
//!   update with the same chain in its list keeps it, and writes nothing of it.
//! - The version that no longer lists it (an update or a delete) carries a `dropped` undo record in its own
//!   mini-transaction. Older snapshots read the chain through the version that undo gives them; purge frees it when
//!   none can, before the stream's tail passes the record.
//! - The chains of the rows on the leaves of a dropped tree go with their leaf. Those of a tree whose creator aborted
//!   do not: each has a `created` record of that same transaction.
//!
//! So each chain is freed by exactly one of these, and `tests/overflow.rs` counts that every page is reachable exactly
//! once or free. Read `layout::overflow_page` for the bytes.

mod block;
mod free;
mod read;
mod write;

pub use read::ChainReader;
pub use write::ChainWriter;

/// Pages read or written in one call before others run: about 500 us with compression.
pub(crate) const PAGES_PER_CALL: u32 = 32;

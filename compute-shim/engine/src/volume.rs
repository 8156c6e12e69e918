//! What the engine asks of the volume below it: LSNs, a place in the log, page images, and how durable it is.
//!
//! Owns the trait and the types that cross it, no implementation: `compute-shim/engine-volume` carries it out
//! over the volume client, [`crate::memory_volume`] in memory for tests. Nothing here blocks. Read
//! `mini_transaction` next, the one caller of [`Volume::append`].

use crate::page_file::PageFile;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, PageId, VolumeEpoch, VolumeId};
use std::sync::Arc;

/// The log is as far ahead of VDL as LAL allows: wait for [`crate::Engine::log_space_freed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogFull;

/// Why a page image did not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchFailure {
    /// A complete segment says that no record of the page exists at the read point.
    NeverWritten,
    /// Every image that came was damaged, or its chain is broken.
    Corrupt,
    /// The writer has been fenced, or the volume is being closed; no answer will come.
    Closed,
}

/// Takes back what a [`Reservation`] did not use.
pub trait ReservationLedger: Send + Sync {
    /// `records` LSNs and `bytes` of log are free again.
    fn give_back(&self, records: u32, bytes: u32);
}

/// LSNs and log bytes set aside against LAL before page latches are taken, so that the append after the
/// change cannot fail. Gives itself back when dropped.
#[must_use]
pub struct Reservation {
    records: u32,
    bytes: u32,
    ledger: Option<Arc<dyn ReservationLedger>>,
}

impl Reservation {
    /// Made by the volume, which hears through `ledger` if it is dropped unused.
    pub fn new(records: u32, bytes: u32, ledger: Arc<dyn ReservationLedger>) -> Reservation {
        Reservation { records, bytes, ledger: Some(ledger) }
    }

    /// How many records may be appended with it.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// How many bytes of operations and record headers may be appended with it.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Ends it without giving anything back: the volume calls this in `append`, and settles the difference
    /// between what was reserved and what was used by itself.
    pub fn consume(mut self) -> (u32, u32) {
        self.ledger = None;
        (self.records, self.bytes)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            ledger.give_back(self.records, self.bytes);
        }
    }
}

impl core::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Reservation({} records, {} bytes)", self.records, self.bytes)
    }
}

/// The log and page store of one volume, opened for writing. Shared by all workers; no call blocks.
///
/// The implementor reports back through [`crate::Engine::page_loaded`], [`crate::Engine::vdl_advanced`],
/// [`crate::Engine::log_space_freed`] and [`crate::Engine::fenced`], never from inside a call of this trait
/// (the caller holds page latches).
pub trait Volume: Send + Sync {
    /// Written into every page.
    fn volume_id(&self) -> VolumeId;

    /// The number of groups is fixed while the volume is open.
    fn geometry(&self) -> Geometry;

    /// Where the numbers of its pages begin: a multiple of what one bitmap page covers.
    fn first_page(&self) -> PageId {
        PageId(0)
    }

    /// Where pages go that leave the cache, if no log has them: then no page is ever fetched.
    fn page_file(&self) -> Option<&dyn PageFile> {
        None
    }

    /// The epoch that this opening installed; written into transaction headers.
    fn writer_epoch(&self) -> VolumeEpoch;

    /// Volume durable LSN. One atomic load.
    fn vdl(&self) -> Lsn;

    /// Reserves LSNs and bytes against LAL. An error means: wait for log space.
    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull>;

    /// One short critical section: numbers the records (consecutive; the last is the CPL), fills group
    /// backlinks, patches the commit LSN, runs `publish(first, last)`, places the records into boxcars.
    /// Returns the last LSN. The mini-transaction holds no more records and bytes than were reserved; a
    /// record that begins with `Format` has page backlink zero whatever the page held before.
    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn;

    /// Someone waits for `lsn`: every boxcar that holds a record at or below it is sealed and sent.
    fn seal_through(&self, lsn: Lsn);

    /// Whether storage is so full that only what frees space should be written. One atomic load.
    fn is_full(&self) -> bool;

    /// Asks for the image of `page` at `read_point`; the answer comes through
    /// [`crate::Engine::page_loaded`], exactly once per call.
    fn fetch(&self, page: PageId, read_point: Lsn);

    /// The lowest snapshot that SQL still uses on this instance. Never falls.
    fn set_purge_horizon(&self, horizon: Lsn);
}

//! A volume without a log, for what ends with its session.
//!
//! Owns LSNs that nobody else counts, and the numbers of its pages. A mini-transaction is durable as soon as it is appended,
//! which comes to no more than to number it: pages are in the engine's cache, and in a [`PageFile`] once they have left that.
//! One session uses it. Its engine never waits but for that file, provided that background work is done before another
//! transaction begins: no other transaction has locks, VDL covers all that is appended, and what is over is purged.
//!
//! Pages of all volumes differ in number, so that a tree, a sequence or an overflow chain says by itself where it lies:
//! those of a temporary volume have bit 47 set, and the volume's own number from bit 32 on.

use crate::layout::bitmap_page::PAGES_COVERED;
use crate::page_file::PageFile;
use crate::types::{SequenceId, TreeId};
use crate::volume::{LogFull, Reservation, ReservationLedger, Volume};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, PageId, VolumeEpoch, VolumeId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Set in the numbers of temporary pages. No volume of a log has so many pages: 2^47 of them are an exabyte.
const TEMPORARY: u64 = 1 << 47;
/// Bits of a page's number within its temporary volume.
const PAGE_BITS: u32 = 32;
/// Temporary volumes of a process have numbers below this.
pub const TEMPORARY_NUMBERS: u32 = 1 << (47 - PAGE_BITS);
/// Pages of a temporary volume: 2 TiB. What a disk or a limit holds is less.
const PAGES: u64 = 1 << 28;
const _: () = assert!(PAGES + PAGES_COVERED < 1 << PAGE_BITS);

/// Which temporary volume a page is of, if it is of one.
fn number_of(page: PageId) -> Option<u32> {
    (page.0 & TEMPORARY != 0).then_some(((page.0 & (TEMPORARY - 1)) >> PAGE_BITS) as u32)
}

impl TreeId {
    /// The number of the temporary volume that it lies in, if it lies in one.
    pub fn temporary_number(self) -> Option<u32> {
        number_of(self.0)
    }
}

impl SequenceId {
    /// The number of the temporary volume that it lies in, if it lies in one.
    pub fn temporary_number(self) -> Option<u32> {
        number_of(self.0)
    }
}

/// A volume that lies with its session.
pub struct TemporaryVolume {
    first_page: PageId,
    appended: AtomicU64,
    file: Box<dyn PageFile>,
    ledger: Arc<dyn ReservationLedger>,
}

/// There is always room.
struct NoLedger;

impl ReservationLedger for NoLedger {
    fn give_back(&self, _: u32, _: u32) {}
}

impl TemporaryVolume {
    /// Where the pages of the one of this number begin.
    pub fn first_page_of(number: u32) -> PageId {
        assert!(number < TEMPORARY_NUMBERS, "a temporary volume's number has 15 bits");
        let first_page = TEMPORARY | u64::from(number) << PAGE_BITS;
        PageId(first_page.next_multiple_of(PAGES_COVERED))
    }

    /// An empty one. No other of this number is to be there.
    pub fn new(number: u32, file: Box<dyn PageFile>) -> Arc<TemporaryVolume> {
        Arc::new(TemporaryVolume {
            first_page: TemporaryVolume::first_page_of(number),
            appended: AtomicU64::new(0),
            file,
            ledger: Arc::new(NoLedger),
        })
    }
}

impl Volume for TemporaryVolume {
    fn volume_id(&self) -> VolumeId {
        VolumeId([0; 16])
    }

    fn geometry(&self) -> Geometry {
        Geometry { pages_per_group: PAGES, groups: 1 }
    }

    fn first_page(&self) -> PageId {
        self.first_page
    }

    fn page_file(&self) -> Option<&dyn PageFile> {
        Some(&*self.file)
    }

    fn writer_epoch(&self) -> VolumeEpoch {
        VolumeEpoch(1)
    }

    fn vdl(&self) -> Lsn {
        Lsn(self.appended.load(Ordering::Acquire))
    }

    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull> {
        Ok(Reservation::new(records, bytes, Arc::clone(&self.ledger)))
    }

    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        let count = mtr.records().len() as u64;
        let before = self.vdl();
        let (records_reserved, _) = reservation.consume();
        assert!((1..=u64::from(records_reserved)).contains(&count), "as many records as reserved");
        let (first, last) = (before.plus(1), before.plus(count));
        mtr.patch_commit_lsn(last);
        publish(first, last);
        self.appended.store(last.0, Ordering::Release);
        last
    }

    fn seal_through(&self, _: Lsn) {}

    fn is_full(&self) -> bool {
        false
    }

    fn fetch(&self, _: PageId, _: Lsn) {
        unreachable!("pages come from the page file");
    }

    fn set_purge_horizon(&self, _: Lsn) {}
}

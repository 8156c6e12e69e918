//! A volume in memory, for the tests of the engine and of the layers above it.
//!
//! Owns a log and the pages built from it by the one apply function, independently of the engine's cache. May
//! hold back VDL or page images, let VDL rise by single mini-transactions, and crash: what was not durable is
//! gone, whole mini-transactions at a time. Checks what storage would check: backlinks meet the page's last
//! record, the reservation covers the append, a fetch never asks beyond VDL. Answers are given only in
//! [`MemoryVolume::pump`], never from inside a call of the engine.

use crate::engine::Engine;
use crate::error::{EngineError, Need, Step, Stop};
use crate::types::Budget;
use crate::volume::{FetchFailure, LogFull, Reservation, ReservationLedger, Volume};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::{apply, starts_with_format};
use hexalog_protocol::{Lsn, Page, PageId, VolumeEpoch, VolumeId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

const VOLUME: VolumeId = VolumeId([7; 16]);
/// Room beyond VDL unless a test sets less.
const LAL_RECORDS: u64 = 65_536;
const LAL_BYTES: u64 = 32 << 20;
/// Guess at what a record's header takes in a batch: LSN delta, page delta, backlink, flag, lengths.
const RECORD_HEADER_BYTES: u64 = 6;
/// Pumps that a need may take before it counts as not to be met: more than any chain of fetch and flush.
const PUMPS_MAX: usize = 64;

#[derive(Clone)]
struct Change {
    lsn: Lsn,
    backlink: Lsn,
    operations: Vec<u8>,
}

#[derive(Clone, Default)]
struct PageLog {
    /// The page as of some LSN at or below every read point still to be asked for.
    base: Option<Page>,
    changes: Vec<Change>,
}

impl PageLog {
    fn last_lsn(&self) -> Lsn {
        let base = self.base.as_ref().map_or(Lsn::ZERO, Page::lsn);
        self.changes.last().map_or(base, |change| change.lsn)
    }

    /// The page at a read point; what it is built from is folded into the base.
    fn at(&mut self, id: PageId, read_point: Lsn) -> Option<Page> {
        let ready = self.changes.partition_point(|change| change.lsn <= read_point);
        for change in self.changes.drain(..ready) {
            let base = self.base.get_or_insert_with(|| Page::new(VOLUME, id));
            apply(base, change.lsn, change.backlink, &change.operations).expect("the log applies");
        }
        self.base.clone()
    }
}

struct Log {
    next: Lsn,
    /// Everything at or below it has been sent.
    sealed: Lsn,
    /// Last LSNs of the mini-transactions beyond VDL, with their bytes.
    ends: VecDeque<(Lsn, u64)>,
    bytes_beyond_vdl: u64,
    pages: BTreeMap<PageId, PageLog>,
    fetches: VecDeque<(PageId, Lsn)>,
    hold_vdl: bool,
    hold_fetches: bool,
    lal_records: u64,
    lal_bytes: u64,
    /// End of the last truncation range.
    truncated_through: Lsn,
    dead: bool,
}

/// Reserved and not yet used or given back.
#[derive(Default)]
struct Reserved {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl ReservationLedger for Reserved {
    fn give_back(&self, records: u32, bytes: u32) {
        let records_before = self.records.fetch_sub(u64::from(records), Ordering::AcqRel);
        let bytes_before = self.bytes.fetch_sub(u64::from(bytes), Ordering::AcqRel);
        assert!(records_before >= u64::from(records), "no more records given back than reserved");
        assert!(bytes_before >= u64::from(bytes), "no more bytes given back than reserved");
    }
}

/// Keeps log and page versions in memory; can hold back VDL, delay fetches and crash.
pub struct MemoryVolume {
    geometry: Geometry,
    epoch: VolumeEpoch,
    vdl: AtomicU64,
    is_full: AtomicBool,
    reserved: Arc<Reserved>,
    log: Mutex<Log>,
    redo: Mutex<RedoCounts>,
}

/// What has been appended since the counts were last taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RedoCounts {
    /// Records.
    pub records: u64,
    /// Bytes of operations.
    pub operation_bytes: u64,
    /// Bytes of operations and of record headers, as estimated at six bytes each.
    pub bytes: u64,
    /// Pages changed.
    pub pages: std::collections::BTreeSet<PageId>,
}

impl MemoryVolume {
    /// Storage is said to be full, or no more.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Release);
    }

    /// An empty volume of `geometry` with room for 65,536 records beyond VDL.
    pub fn new(geometry: Geometry) -> Arc<MemoryVolume> {
        MemoryVolume::opened(geometry, VolumeEpoch(1), Lsn::ZERO, BTreeMap::new(), (LAL_RECORDS, LAL_BYTES))
    }

    fn opened(
        geometry: Geometry,
        epoch: VolumeEpoch,
        vdl: Lsn,
        pages: BTreeMap<PageId, PageLog>,
        (lal_records, lal_bytes): (u64, u64),
    ) -> Arc<MemoryVolume> {
        let log = Log {
            next: vdl.plus(1),
            sealed: vdl,
            ends: VecDeque::new(),
            bytes_beyond_vdl: 0,
            pages,
            fetches: VecDeque::new(),
            hold_vdl: false,
            hold_fetches: false,
            lal_records,
            lal_bytes,
            truncated_through: vdl,
            dead: false,
        };
        Arc::new(MemoryVolume {
            geometry,
            epoch,
            vdl: AtomicU64::new(vdl.0),
            is_full: AtomicBool::new(false),
            reserved: Arc::default(),
            log: Mutex::new(log),
            redo: Mutex::default(),
        })
    }

    /// Room beyond VDL, in records and bytes.
    pub fn set_lal(&self, records: u64, bytes: u64) {
        let mut log = self.log.lock();
        (log.lal_records, log.lal_bytes) = (records, bytes);
    }

    /// While on, VDL stays where it is.
    pub fn hold_vdl(&self, hold: bool) {
        self.log.lock().hold_vdl = hold;
    }

    /// While on, page images stay away.
    pub fn hold_fetches(&self, hold: bool) {
        self.log.lock().hold_fetches = hold;
    }

    /// Lets VDL rise by up to `count` mini-transactions, sent or not, even while it is held.
    pub fn advance_vdl(&self, engine: &Engine, count: usize) {
        let vdl = {
            let mut log = self.log.lock();
            let mut vdl = None;
            for _ in 0..count {
                vdl = self.complete_one(&mut log, Lsn::MAX).or(vdl);
            }
            vdl
        };
        if let Some(vdl) = vdl {
            engine.vdl_advanced(vdl);
            engine.log_space_freed();
        }
    }

    /// Every page as of VDL.
    pub fn images(&self) -> Vec<Page> {
        let vdl = self.vdl();
        let mut log = self.log.lock();
        let images = log.pages.iter_mut().filter_map(|(id, page)| page.at(*id, vdl));
        images.collect()
    }

    /// Mini-transactions beyond VDL.
    pub fn beyond_vdl(&self) -> usize {
        self.log.lock().ends.len()
    }

    /// What boxcars hold up to this has been sealed because someone waited for it.
    pub fn sealed_through(&self) -> Lsn {
        self.log.lock().sealed
    }

    /// What has been appended since the last call.
    pub fn take_redo_counts(&self) -> RedoCounts {
        std::mem::take(&mut self.redo.lock())
    }

    fn complete_one(&self, log: &mut Log, through: Lsn) -> Option<Lsn> {
        let (end, bytes) = *log.ends.front().filter(|(end, _)| *end <= through)?;
        log.ends.pop_front();
        log.bytes_beyond_vdl -= bytes;
        let before = self.vdl.swap(end.0, Ordering::AcqRel);
        assert!(before < end.0, "VDL rises");
        Some(end)
    }

    /// Delivers what is outstanding (page images, VDL unless held back) to the engine. True if there was
    /// anything.
    pub fn pump(&self, engine: &Engine) -> bool {
        let (images, vdl) = {
            let mut log = self.log.lock();
            let mut vdl = None;
            let sealed = if log.hold_vdl { Lsn::ZERO } else { self.sealed(&log) };
            while let Some(end) = self.complete_one(&mut log, sealed) {
                vdl = Some(end);
            }
            let fetches = if log.hold_fetches { VecDeque::new() } else { std::mem::take(&mut log.fetches) };
            let images: Vec<_> =
                fetches.into_iter().map(|(page, at)| (page, at, log.image(page, at))).collect();
            (images, vdl)
        };
        let delivered = vdl.is_some() || !images.is_empty();
        if let Some(vdl) = vdl {
            engine.vdl_advanced(vdl);
            engine.log_space_freed();
        }
        for (page, read_point, image) in images {
            engine.page_loaded(page, read_point, image, None);
        }
        delivered
    }

    /// Half of LAL in use seals by itself.
    fn sealed(&self, log: &Log) -> Lsn {
        let last = Lsn(log.next.0 - 1);
        if last.since(self.vdl()) * 2 > log.lal_records || log.bytes_beyond_vdl * 2 > log.lal_bytes {
            last
        } else {
            log.sealed
        }
    }

    /// Calls `step` until it returns something else than a need, pumping this volume in between. Panics if a
    /// need cannot be met that way (a lock held by another transaction).
    pub fn run<T>(&self, engine: &Engine, mut step: impl FnMut() -> Step<T>) -> Result<T, EngineError> {
        loop {
            match step() {
                Ok(answer) => return Ok(answer),
                Err(Stop::Fail(error)) => return Err(error),
                Err(Stop::Need(need)) => assert!(self.satisfy(engine, &need), "cannot meet {need:?}"),
            }
        }
    }

    /// Pumps until the need is met; false if it cannot be met by pumping.
    pub fn satisfy(&self, engine: &Engine, need: &Need) -> bool {
        for _ in 0..PUMPS_MAX {
            if engine.poll_need(need, Waker::noop()) {
                return true;
            }
            if matches!(need, Need::Grow { .. }) {
                // A failure shows in that the need is met, and the call fails.
                let _ = self.run(engine, || engine.background(Budget::default()));
            }
            self.pump(engine);
        }
        engine.poll_need(need, Waker::noop())
    }

    /// Kills the writer: a volume that kept only the whole mini-transactions at or below VDL, opened anew
    /// with the next epoch above a truncation range. The old one must not be used again.
    pub fn crash_and_reopen(&self) -> Arc<MemoryVolume> {
        let mut log = self.log.lock();
        log.dead = true;
        let vdl = self.vdl();
        let mut pages = std::mem::take(&mut log.pages);
        pages.retain(|_, page| {
            page.changes.retain(|change| change.lsn <= vdl);
            page.base.is_some() || !page.changes.is_empty()
        });
        let upper = Lsn(vdl.max(log.truncated_through).0 + log.lal_records);
        let lal = (log.lal_records, log.lal_bytes);
        MemoryVolume::opened(self.geometry, VolumeEpoch(self.epoch.0 + 1), upper, pages, lal)
    }

    /// Whether every page in the engine's cache is what this volume's log makes of it.
    pub fn assert_cache_equals_log(&self, engine: &Engine) {
        let log = self.log.lock();
        engine.cache.for_each_resident(|id, image| {
            let mut page = log.pages.get(&id).cloned().expect("a cached page is in the log");
            let built = page.at(id, image.lsn()).expect("a cached page has records");
            assert_eq!(built.lsn(), image.lsn(), "{id:?}");
            assert!(built.bytes() == image.bytes(), "{id:?} in the cache is what the log says");
        });
    }
}

impl Log {
    fn image(&mut self, page: PageId, read_point: Lsn) -> Result<Page, FetchFailure> {
        let known = self.pages.get_mut(&page);
        known.and_then(|known| known.at(page, read_point)).ok_or(FetchFailure::NeverWritten)
    }
}

impl Volume for MemoryVolume {
    fn volume_id(&self) -> VolumeId {
        VOLUME
    }

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn writer_epoch(&self) -> VolumeEpoch {
        self.epoch
    }

    fn vdl(&self) -> Lsn {
        Lsn(self.vdl.load(Ordering::Acquire))
    }

    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull> {
        let log = self.log.lock();
        let last = Lsn(log.next.0 - 1);
        let records_used = last.since(self.vdl()) + self.reserved.records.load(Ordering::Acquire);
        let bytes_used = log.bytes_beyond_vdl + self.reserved.bytes.load(Ordering::Acquire);
        let fits = records_used + u64::from(records) <= log.lal_records
            && bytes_used + u64::from(bytes) <= log.lal_bytes;
        if !fits {
            return Err(LogFull);
        }
        self.reserved.records.fetch_add(u64::from(records), Ordering::AcqRel);
        self.reserved.bytes.fetch_add(u64::from(bytes), Ordering::AcqRel);
        let ledger: Arc<dyn ReservationLedger> = Arc::<Reserved>::clone(&self.reserved);
        Ok(Reservation::new(records, bytes, ledger))
    }

    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        let mut guard = self.log.lock();
        let log = &mut *guard;
        assert!(!log.dead, "a fenced writer appends nothing");
        assert!(!mtr.is_empty(), "a mini-transaction has records");
        let count = mtr.records().len() as u64;
        let operation_bytes = mtr.operations().len() as u64;
        let (records_reserved, bytes_reserved) = reservation.consume();
        assert!(count <= u64::from(records_reserved), "no more records than reserved");
        assert!(operation_bytes <= u64::from(bytes_reserved), "no more bytes than reserved");
        self.reserved.give_back(records_reserved, bytes_reserved);
        let (first, last) = (log.next, Lsn(log.next.0 + count - 1));
        mtr.patch_commit_lsn(last);
        publish(first, last);
        let mut redo = self.redo.lock();
        for (index, record) in mtr.records().iter().enumerate() {
            let operations = mtr.operations_of(record).to_vec();
            assert!(record.page.0 < self.geometry.pages(), "a page of the volume");
            let page = log.pages.entry(record.page).or_default();
            if starts_with_format(&operations) {
                assert_eq!(record.page_backlink, Lsn::ZERO, "Format cuts the chain");
            } else {
                assert_eq!(record.page_backlink, page.last_lsn(), "{:?}: a broken page chain", record.page);
            }
            let lsn = Lsn(first.0 + index as u64);
            page.changes.push(Change { lsn, backlink: record.page_backlink, operations });
            redo.pages.insert(record.page);
        }
        let bytes = operation_bytes + count * RECORD_HEADER_BYTES;
        redo.records += count;
        redo.operation_bytes += operation_bytes;
        redo.bytes += bytes;
        log.next = last.plus(1);
        log.ends.push_back((last, bytes));
        log.bytes_beyond_vdl += bytes;
        last
    }

    fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    fn seal_through(&self, lsn: Lsn) {
        let mut log = self.log.lock();
        let last = Lsn(log.next.0 - 1);
        if lsn > log.sealed {
            // A boxcar is sealed as it stands: with all that has been appended.
            log.sealed = last;
        }
    }

    fn fetch(&self, page: PageId, read_point: Lsn) {
        assert!(read_point <= self.vdl(), "nothing beyond VDL is asked for");
        self.log.lock().fetches.push_back((page, read_point));
    }

    fn set_purge_horizon(&self, horizon: Lsn) {
        assert!(horizon <= self.vdl(), "the purge horizon stays at or below VDL");
    }
}

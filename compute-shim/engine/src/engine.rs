//! The engine: one per opened volume, shared by all workers through `Arc`.
//!
//! Owns the parts and the driver's events; each operation lives in the file of its subject: `rows`, `cursor`,
//! `index`, `transaction`, `rollback`, `purge`, `tree`, `sequence`, `opening`. Every call either changes
//! nothing and returns a [`crate::Need`], or happens wholly: the caller waits and calls again with the same
//! arguments. No lock and no latch is held when a call returns.

use crate::alloc::Allocator;
use crate::cache::Cache;
use crate::cache::pins::ParkedPins;
use crate::hash::FixedMap;
use crate::layout::super_page::SuperPage;
use crate::locks::Locks;
use crate::mini_transaction::Scratch;
use crate::opening::OpeningProgress;
use crate::prepared::PreparedTransactions;
use crate::purge::PurgeState;
use crate::rollback::RollbackQueue;
use crate::sequence::CachedSequence;
use crate::serializable::Serializable;
use crate::snapshots::Snapshots;
use crate::types::{EngineStats, HeldSnapshot, Options, SequenceId, TreeId};
use crate::undo::Streams;
use crate::volume::{FetchFailure, Volume};
use crate::waiting::Waiting;
use hexalog_protocol::{Lsn, NodeId, Page, PageId};
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Event counts; see [`EngineStats`].
#[derive(Default)]
pub(crate) struct Counters {
    pub mini_transactions: AtomicU64,
    pub redo_records: AtomicU64,
    pub redo_bytes: AtomicU64,
    pub commits: AtomicU64,
    pub aborts: AtomicU64,
    pub splits: AtomicU64,
    pub merges: AtomicU64,
    pub delete_marks_removed: AtomicU64,
    pub rows_undone: AtomicU64,
}

/// The compute engine of one volume. Call [`Engine::create`] or [`Engine::open`] first, then transactions.
pub struct Engine {
    pub(crate) volume: Arc<dyn Volume>,
    pub(crate) options: Options,
    pub(crate) cache: Cache,
    pub(crate) parked: ParkedPins,
    pub(crate) waiting: Waiting,
    pub(crate) locks: Locks,
    pub(crate) snapshots: Snapshots,
    pub(crate) serializable: Serializable,
    pub(crate) allocator: Allocator,
    pub(crate) scratch: Mutex<Vec<Scratch>>,
    pub(crate) counters: Counters,
    pub(crate) rollbacks: RollbackQueue,
    pub(crate) prepared: PreparedTransactions,
    pub(crate) purge: Mutex<PurgeState>,
    /// Background work ended in an error when it last ran: nobody is to wait for what it would do.
    pub(crate) is_background_failing: AtomicBool,
    pub(crate) sequences: Mutex<FixedMap<SequenceId, CachedSequence>>,
    pub(crate) row_ids: RwLock<FixedMap<TreeId, AtomicU64>>,
    pub(crate) opening: Mutex<OpeningProgress>,
    /// Set when `create` or `open` has finished.
    pub(crate) opened: OnceLock<Opened>,
    next_handle: AtomicU64,
    appended: AtomicU64,
    fenced: AtomicBool,
    /// Highest LSN that was appended when an advisory lock last fell.
    pub(crate) advisory_released: AtomicU64,
}

/// What is known once the volume has been created or opened.
pub(crate) struct Opened {
    pub super_page: SuperPage,
    pub streams: Streams,
}

impl Engine {
    /// An engine over a volume that has been opened for writing. Call `create` or `open` next.
    pub fn new(volume: Arc<dyn Volume>, options: Options) -> Engine {
        assert!((2..=4096).contains(&options.undo_streams), "2 to 4,096 undo streams");
        let cache = Cache::new(&options);
        Engine {
            parked: ParkedPins::new(cache.frame_count()),
            cache,
            waiting: Waiting::default(),
            locks: Locks::default(),
            snapshots: Snapshots::new(options.snapshots),
            serializable: Serializable::default(),
            allocator: Allocator::new(volume.first_page(), volume.geometry().pages()),
            scratch: Mutex::default(),
            counters: Counters::default(),
            rollbacks: RollbackQueue::default(),
            prepared: PreparedTransactions::default(),
            purge: Mutex::default(),
            is_background_failing: AtomicBool::new(false),
            sequences: Mutex::default(),
            row_ids: RwLock::default(),
            opening: Mutex::default(),
            opened: OnceLock::new(),
            next_handle: AtomicU64::new(1),
            appended: AtomicU64::new(volume.vdl().0),
            fenced: AtomicBool::new(false),
            advisory_released: AtomicU64::new(0),
            volume,
            options,
        }
    }

    /// The volume below.
    pub fn volume(&self) -> &Arc<dyn Volume> {
        &self.volume
    }

    /// Appends every snapshot in use: purge stops at the lowest.
    pub fn held_snapshots(&self, out: &mut Vec<HeldSnapshot>) {
        self.snapshots.held(out);
    }

    pub(crate) fn opened(&self) -> &Opened {
        self.opened.get().expect("create or open comes before any transaction")
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.opened().streams
    }

    /// Where all else is found.
    pub(crate) fn super_page(&self) -> PageId {
        self.volume.first_page()
    }

    /// The one clustered tree that `create` makes, for the catalog.
    pub fn catalog_tree(&self) -> TreeId {
        TreeId(self.opened().super_page.catalog_root)
    }

    pub(crate) fn new_handle(&self) -> u64 {
        self.next_handle.fetch_add(1, Ordering::Relaxed)
    }

    /// Highest LSN that this engine has appended. One who has just got a lock waits until it is durable before
    /// [`Engine::begin_statement_at_newest`], and then sees all that the lock's earlier holders have committed.
    pub fn appended(&self) -> Lsn {
        Lsn(self.appended.load(Ordering::Acquire))
    }

    /// Hands to storage what nobody waits for, background work above all: for who has been idle for a while. Commits
    /// seal what they need themselves. What is held back longer keeps VDL below it, and storage from coalescing.
    pub fn seal_appended(&self) {
        self.volume.seal_through(self.appended());
    }

    pub(crate) fn note_appended(&self, lsn: Lsn) {
        self.appended.fetch_max(lsn.0, Ordering::AcqRel);
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// The answer to a `fetch`: the page as it is at `read_point`, which is not below the one asked for.
    /// `from`: the node that served it.
    pub fn page_loaded(
        &self,
        page: PageId,
        read_point: Lsn,
        image: Result<Page, FetchFailure>,
        from: Option<NodeId>,
    ) {
        self.cache.loaded(page, read_point, image, from);
        self.waiting.wake_page(page);
        self.waiting.wake_frames(&self.cache);
    }

    /// Lets every page that may leave the cache do so (invariant 6); for tests of what runs on cold pages.
    pub fn evict_pages(&self) {
        self.cache.evict_all(self.volume.vdl());
    }

    /// Pages that operations have found in the cache, and that have come into it, since the engine was made.
    pub fn pages_met(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.cache.hits), load(&self.cache.fetches))
    }

    /// VDL has risen.
    pub fn vdl_advanced(&self, vdl: Lsn) {
        self.waiting.wake_durable(vdl);
        self.waiting.wake_frames(&self.cache);
    }

    /// `Volume::reserve` may succeed again.
    pub fn log_space_freed(&self) {
        self.waiting.wake_log_space();
    }

    /// Another writer has the volume: everything fails with `Fenced` from now on.
    pub fn fenced(&self) {
        self.fenced.store(true, Ordering::Release);
        self.waiting.wake_all();
        self.locks.wake_all();
        self.serializable.wake_all();
    }

    /// Counters.
    pub fn stats(&self) -> EngineStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (lock_waits, deadlocks) = self.locks.counts();
        let opened = self.opened.get();
        let serializable = self.serializable.usage();
        EngineStats {
            frames: self.cache.frame_count() as u64,
            frames_used: self.cache.frames_used() as u64,
            page_hits: load(&self.cache.hits),
            page_fetches: load(&self.cache.fetches),
            evictions: load(&self.cache.evictions),
            commits: load(&self.counters.commits),
            aborts: load(&self.counters.aborts),
            mini_transactions: load(&self.counters.mini_transactions),
            redo_records: load(&self.counters.redo_records),
            redo_bytes: load(&self.counters.redo_bytes),
            splits: load(&self.counters.splits),
            merges: load(&self.counters.merges),
            delete_marks_removed: load(&self.counters.delete_marks_removed),
            rows_undone: load(&self.counters.rows_undone),
            lock_waits,
            deadlocks,
            serializable_transactions: serializable.members as u64,
            serializable_reads: serializable.reads as u64,
            serializable_dooms: serializable.dooms,
            prepared_transactions: self.prepared.len() as u64,
            undo_streams_open: opened.map_or(0, |opened| opened.streams.open_count()),
            undo_pages: opened.map_or(0, |opened| opened.streams.owned_pages()),
            transactions_to_undo: self.rollbacks.len() as u64,
            purge_horizon: self.snapshots.horizon().0,
        }
    }
}

//! Undo streams in memory: where each one's head and tail are, which transaction is open in it, how the
//! recent ones ended.
//!
//! Owns the commit map (TxId → commit LSN) as a window per stream, and the map from logical undo pages to
//! volume pages. Durable truth is in the stream directory and the undo pages; this is rebuilt from them at
//! opening, page map and window lazily. A stream's state mutex is a leaf lock: nothing else is taken under
//! it. Read [`append`] for writing, [`status`] for reading.

pub(crate) mod append;
pub(crate) mod status;

use crate::layout::undo_page::logical_of;
use crate::locks::Handle;
use crate::types::TxId;
use hexalog_protocol::{Lsn, PageId};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Finished transactions remembered in each stream; older ones are looked up in their header. Guess: more
/// than a stream finishes between two purges under load.
pub(crate) const FINISHED_MAX: usize = 1024;

/// Beyond this offset a stream takes no new transaction: 1 GiB below the end of its 44 bits.
const RETIRE_AT: u64 = (1 << TxId::OFFSET_BITS) - (1 << 30);

/// Pages below its tail that a stream keeps for its own next ones.
pub(crate) const SPARE_PAGES_KEPT: u64 = 2;

/// How the transaction that is open in a stream stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OpenState {
    InProgress,
    /// Being undone: aborted, or left over by an earlier epoch.
    Undoing,
}

/// The transaction that is open in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpenTransaction {
    /// Offset of its header record.
    pub offset: u64,
    /// Page of its header record.
    pub header_page: PageId,
    pub handle: Handle,
    pub state: OpenState,
    /// How often it has gone back to a savepoint: a version of it that was seen before the last time may be gone.
    pub rollbacks: u64,
}

/// A transaction that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    pub offset: u64,
    /// First offset behind its records.
    pub end: u64,
    /// Its commit LSN, or the LSN at which its rollback was complete.
    pub lsn: Lsn,
    pub aborted: bool,
    /// Purge must visit its records.
    pub needs_purge: bool,
}

/// A transaction that purge may not pass yet, as its header said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PurgeStop {
    /// The stream's tail at that time.
    pub tail: u64,
    /// Offset of the header.
    pub offset: u64,
    /// When the transaction ended; zero: it had not.
    pub lsn: Lsn,
}

/// One stream.
#[derive(Debug, Default)]
pub(crate) struct StreamState {
    /// Where the next record goes, unless it does not fit the page. Zero: never used.
    pub head: u64,
    /// Transactions below it are finished and visible to every snapshot.
    pub tail: u64,
    /// Lowest logical page that belongs to the stream. Pages between it and the tail's are spare.
    pub owned_from: u64,
    /// Volume pages of the logical pages up to the head's, as far down as known.
    pages: VecDeque<PageId>,
    pub open: Option<OpenTransaction>,
    pub finished: VecDeque<Finished>,
    /// Every transaction of the stream that began at or above this offset and is over stands in `finished`,
    /// unless the tail has passed it.
    pub known_since: u64,
    /// Where purge had to stop last by what it read.
    pub purge_stop: Option<PurgeStop>,
}

impl StreamState {
    /// Logical page of the head; meaningful once the stream has a page.
    pub fn head_logical(&self) -> u64 {
        logical_of(self.head - 1)
    }

    pub fn has_pages(&self) -> bool {
        !self.pages.is_empty()
    }

    pub fn head_page(&self) -> PageId {
        self.pages.back().copied().unwrap_or_default()
    }

    /// Lowest logical page whose volume page is known.
    pub fn known_from(&self) -> u64 {
        self.head_logical() + 1 - self.pages.len() as u64
    }

    pub fn lowest_known_page(&self) -> PageId {
        *self.pages.front().expect("a used stream knows its head page")
    }

    /// The volume page of a logical page, if known.
    pub fn page(&self, logical: u64) -> Option<PageId> {
        if !self.has_pages() {
            return None;
        }
        let index = logical.checked_sub(self.known_from())?;
        self.pages.get(index as usize).copied()
    }

    /// The page map has been followed one page further down.
    pub fn learn_previous(&mut self, logical: u64, page: PageId) {
        if logical + 1 == self.known_from() {
            self.pages.push_front(page);
        }
    }

    /// The head moves to a new page.
    pub fn push_page(&mut self, logical: u64, page: PageId, head: u64) {
        assert!(self.pages.is_empty() || logical == self.head_logical() + 1, "logical pages are dense");
        assert_eq!(logical_of(head), logical);
        self.pages.push_back(page);
        self.head = head;
    }

    /// The lowest owned page leaves the stream.
    pub fn pop_lowest(&mut self) -> PageId {
        assert_eq!(self.known_from(), self.owned_from, "only the lowest owned page leaves");
        assert!(self.owned_from < logical_of(self.tail), "a page in use stays");
        self.owned_from += 1;
        self.pages.pop_front().expect("the lowest page is known")
    }

    /// Pages that belong to the stream.
    pub fn owned_pages(&self) -> u64 {
        if self.has_pages() { self.head_logical() + 1 - self.owned_from } else { 0 }
    }

    /// How many whole pages below the tail could be used again, as far as the page map is known.
    pub fn spare_pages(&self) -> u64 {
        if !self.has_pages() || self.known_from() != self.owned_from {
            return 0;
        }
        logical_of(self.tail).saturating_sub(self.owned_from)
    }

    /// Whether purge would free a page here, were the horizon at `horizon`. What is not known it has to read, and counts.
    pub fn has_pages_to_give(&self, horizon: Lsn) -> bool {
        if !self.has_pages() {
            return false;
        }
        if self.known_since > self.tail && self.purge_stop.is_none_or(|stop| self.would_pass(stop, horizon)) {
            return true;
        }
        let mut passed = self.tail;
        if self.known_since <= self.tail {
            for finished in self.finished.iter().take_while(|finished| finished.lsn <= horizon) {
                if finished.needs_purge && finished.offset >= self.tail {
                    return true;
                }
                passed = passed.max(finished.end);
            }
        }
        logical_of(passed).saturating_sub(self.owned_from) > SPARE_PAGES_KEPT
    }

    /// Whether purge would not stop there now.
    fn would_pass(&self, stop: PurgeStop, horizon: Lsn) -> bool {
        let is_over = match stop.lsn {
            Lsn::ZERO => self.open.is_none_or(|open| open.offset != stop.offset),
            lsn => lsn <= horizon,
        };
        stop.tail != self.tail || is_over
    }

    /// The open transaction is over.
    pub fn finish(&mut self, finished: Finished) {
        let open = self.open.take().expect("a transaction that ends is open");
        assert_eq!(open.offset, finished.offset);
        assert!(finished.end <= self.head && finished.end > finished.offset);
        if self.finished.len() == FINISHED_MAX {
            let forgotten = self.finished.pop_front().expect("a full window");
            self.known_since = forgotten.end;
        }
        self.finished.push_back(finished);
    }

    pub fn is_retired(&self) -> bool {
        self.head >= RETIRE_AT
    }

    /// Sets up a stream found at opening.
    pub fn restore(&mut self, head: u64, head_page: PageId, tail: u64, owned_from: u64) {
        assert!(self.pages.is_empty() && head > 0);
        self.head = head;
        self.tail = tail;
        self.owned_from = owned_from;
        self.known_since = head;
        self.pages.push_back(head_page);
    }
}

/// All streams of a volume.
pub(crate) struct Streams {
    streams: Box<[Mutex<StreamState>]>,
}

impl Streams {
    pub fn new(count: u16) -> Streams {
        Streams { streams: (0..count).map(|_| Mutex::default()).collect() }
    }

    pub fn count(&self) -> u16 {
        self.streams.len() as u16
    }

    pub fn stream(&self, stream: u16) -> &Mutex<StreamState> {
        &self.streams[usize::from(stream)]
    }

    pub fn owned_pages(&self) -> u64 {
        self.streams.iter().map(|stream| stream.lock().owned_pages()).sum()
    }

    /// Whether a transaction is being undone.
    pub fn is_undoing(&self) -> bool {
        let undoing = |open: OpenTransaction| open.state == OpenState::Undoing;
        self.streams.iter().any(|stream| stream.lock().open.is_some_and(undoing))
    }

    /// Finished transactions that the fullest stream remembers.
    pub fn finished_most(&self) -> usize {
        self.streams.iter().map(|stream| stream.lock().finished.len()).max().unwrap_or(0)
    }

    /// Commit LSNs above `lsn`: in a stream they rise.
    pub fn commits_above(&self, lsn: Lsn) -> Vec<Lsn> {
        let mut commits = Vec::new();
        for stream in &self.streams {
            let stream = stream.lock();
            let newest_first = stream.finished.iter().rev().filter(|finished| !finished.aborted);
            commits.extend(newest_first.map(|finished| finished.lsn).take_while(|commit| *commit > lsn));
        }
        commits
    }

    pub fn open_count(&self) -> u64 {
        self.streams.iter().filter(|stream| stream.lock().open.is_some()).count() as u64
    }
}

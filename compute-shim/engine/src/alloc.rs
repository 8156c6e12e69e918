//! Page allocation: bitmaps in the volume, a hint in memory.
//!
//! Owns which pages are in use. A bit is set in the mini-transaction that formats the page, and cleared only
//! by purge, once no snapshot can need what the page held; a page that a merge has emptied is free at once and rests, in
//! memory, until no scan can remember it. Who finds no free page waits while purge has some to
//! give, so that a volume is full only of what is in use. The last pages of the volume are kept for rollback and
//! purge, so that a full volume can still undo and free. Bitmap pages are formatted when the first page
//! of their range is wanted.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step};
use crate::layout::bitmap_page;
use crate::layout::super_page::{BITMAPS_FORMATTED, SuperPage};
use crate::mini_transaction::{MiniTransaction, PageSlot};
use hexalog_protocol::{Lsn, PAGE_BODY_START, PageId};
use parking_lot::Mutex;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Share of the volume that is kept for rollback, within these bounds: a rollback splits at most a few pages
/// before purge frees others.
const RESERVE_SHARE: u64 = 64;
const RESERVE_MIN: u64 = 4;
const RESERVE_MAX: u64 = 256;
/// Pages that may rest at once: beyond it nothing is merged.
const RESTING_MAX: usize = 4096;

/// Where to look for a free page first.
pub(crate) struct Allocator {
    first: u64,
    /// Behind the last page.
    end: u64,
    /// No page below it is free, as far as is known. A hint: freeing lowers it, allocating raises it.
    hint: AtomicU64,
    /// Pages given back since the process began.
    freed: AtomicU64,
    resting: Mutex<Resting>,
}

/// Free pages that a scan which began before they were freed may still come to. Their bits are clear: a crash ends all scans.
#[derive(Default)]
struct Resting {
    pages: BTreeSet<PageId>,
    /// With the LSNs that freed them, which rise.
    queue: VecDeque<(Lsn, PageId)>,
}

impl Allocator {
    pub fn new(first: PageId, pages: u64) -> Allocator {
        assert!(first.0.is_multiple_of(bitmap_page::PAGES_COVERED), "a bitmap covers a volume's own pages");
        let (first, end) = (first.0, first.0 + pages);
        let (hint, freed) = (AtomicU64::new(first), AtomicU64::new(0));
        Allocator { first, end, hint, freed, resting: Mutex::default() }
    }

    /// Pages given back since the process began.
    pub fn freed(&self) -> u64 {
        self.freed.load(Ordering::Acquire)
    }

    /// A page is freed by the record at `lsn`, and not to be used before every snapshot is as new. Called while its bitmap is
    /// latched.
    pub fn rest(&self, page: PageId, lsn: Lsn) {
        let mut resting = self.resting.lock();
        assert!(resting.pages.insert(page), "{page:?} is freed once");
        resting.queue.push_back((lsn, page));
    }

    pub fn has_room_to_rest(&self) -> bool {
        self.resting.lock().pages.len() < RESTING_MAX
    }

    fn is_resting(&self, page: PageId) -> bool {
        self.resting.lock().pages.contains(&page)
    }

    /// Whether a page may be used again once purge looks.
    pub fn has_rested(&self, horizon: Lsn) -> bool {
        self.resting.lock().queue.front().is_some_and(|(lsn, _)| *lsn <= horizon)
    }

    /// No snapshot in use is older than the horizon: what was freed up to there may be used again.
    pub fn end_rest(&self, horizon: Lsn) {
        let mut resting = self.resting.lock();
        while let Some((_, page)) = resting.queue.pop_front_if(|(lsn, _)| *lsn <= horizon) {
            resting.pages.remove(&page);
            self.note_freed(page);
        }
    }

    fn note_freed(&self, page: PageId) {
        self.hint.fetch_min(page.0, Ordering::Relaxed);
        self.freed.fetch_add(1, Ordering::Release);
    }

    /// First page that ordinary allocations do not get.
    fn reserve_start(&self) -> u64 {
        self.end - ((self.end - self.first) / RESERVE_SHARE).clamp(RESERVE_MIN, RESERVE_MAX)
    }
}

impl Engine {
    /// Numbers of the first bitmaps, so many of them.
    pub(crate) fn bitmaps(&self, count: u32) -> Range<u64> {
        let first = bitmap_page::index_of(self.super_page());
        first..first + u64::from(count)
    }

    /// Pages in use, by counting bits. For `hexalog verify`, sizes that someone asks for, and tests: it wants every bitmap
    /// page in the cache at once, one for each 500 MB.
    pub fn pages_used(&self) -> Step<u64> {
        let _call = Call::enter();
        self.operate_alone(|access| {
            let formatted = {
                let page = access.shared(self.super_page())?;
                SuperPage::decode(page.bytes()).expect("checked at opening").bitmaps_formatted
            };
            let mut used = 0;
            for index in self.bitmaps(formatted) {
                used += bitmap_page::count_used(access.shared(bitmap_page::page_of(index))?.bytes());
            }
            Ok(used)
        })
    }
}

impl<'e> Access<'e> {
    /// Takes a free page: sets its bit in the mini-transaction. `from_reserve`: rollback may use the pages
    /// kept for it.
    pub fn allocate(&mut self, mini: &mut MiniTransaction<'e>, from_reserve: bool) -> Step<PageId> {
        let allocator = &self.engine.allocator;
        let end = if from_reserve { allocator.end } else { allocator.reserve_start() };
        let freed = allocator.freed();
        // From the hint on, then once from the start: the hint is allowed to be wrong.
        for from in [allocator.hint.load(Ordering::Relaxed), allocator.first] {
            if let Some(page) = self.allocate_between(mini, from, end)? {
                allocator.hint.store(page.0, Ordering::Relaxed);
                return Ok(page);
            }
        }
        match self.engine.has_pages_to_give() {
            true => Err(Need::Grow { freed }.into()),
            false => Err(EngineError::VolumeFull.into()),
        }
    }

    fn allocate_between(
        &mut self,
        mini: &mut MiniTransaction<'e>,
        from: u64,
        end: u64,
    ) -> Step<Option<PageId>> {
        let (mut index, mut from) = (bitmap_page::index_of(PageId(from)), from);
        while from < end && bitmap_page::page_of(index).0 < end {
            let slot = self.bitmap(mini, index)?;
            match bitmap_page::first_free(mini.bytes(slot), index, PageId(from), PageId(end)) {
                Some(page) if self.engine.allocator.is_resting(page) => from = page.0 + 1,
                Some(page) => {
                    self.set_bit(mini, slot, page, true);
                    return Ok(Some(page));
                }
                None => index += 1,
            }
        }
        Ok(None)
    }

    /// Gives a page back: clears its bit in the mini-transaction.
    pub fn free(&mut self, mini: &mut MiniTransaction<'e>, page: PageId) -> Step<()> {
        let slot = self.bitmap(mini, bitmap_page::index_of(page))?;
        self.set_bit(mini, slot, page, false);
        Ok(())
    }

    /// The page's freeing has been committed.
    pub fn note_freed(&self, page: PageId) {
        self.engine.allocator.note_freed(page);
    }

    fn set_bit(&self, mini: &mut MiniTransaction<'e>, slot: PageSlot, page: PageId, used: bool) {
        let (offset, mask) = bitmap_page::bit_of(page);
        let byte = mini.bytes(slot)[usize::from(offset)];
        assert_eq!(byte & mask != 0, !used, "{page:?} changes hands once");
        mini.write(slot, usize::from(offset), &[byte ^ mask]);
    }

    /// Takes a bitmap page into the mini-transaction, formatting it if it is the next that never was.
    fn bitmap(&mut self, mini: &mut MiniTransaction<'e>, index: u64) -> Step<PageSlot> {
        let page = bitmap_page::page_of(index);
        if let Some(slot) = mini.find(page) {
            return Ok(slot);
        }
        let super_page = self.engine.super_page();
        let decoded = match mini.find(super_page) {
            Some(slot) => SuperPage::decode(mini.bytes(slot)),
            None => SuperPage::decode(self.shared(super_page)?.bytes()),
        };
        let formatted = decoded.expect("checked at opening").bitmaps_formatted;
        if self.engine.bitmaps(formatted).contains(&index) {
            return mini.latch(self, page);
        }
        self.format_bitmap(mini, index)
    }

    fn format_bitmap(&mut self, mini: &mut MiniTransaction<'e>, index: u64) -> Step<PageSlot> {
        let page = bitmap_page::page_of(index);
        let slot = mini.add_formatted(self.create(page)?);
        mini.write(slot, PAGE_BODY_START, &bitmap_page::header(index));
        self.set_bit(mini, slot, page, true);
        let super_slot = mini.latch(self, self.engine.super_page())?;
        let formatted = index + 1 - self.engine.bitmaps(0).start;
        let formatted = u32::try_from(formatted).expect("fewer than 2^32 bitmaps");
        mini.write_difference(super_slot, usize::from(BITMAPS_FORMATTED), &formatted.to_le_bytes());
        Ok(slot)
    }
}

//! The page cache: frames in one arena addressed by index, a map from page to frame, eviction.
//!
//! Owns which pages are resident. Invariants: a page leaves only unpinned and with its LSN <= VDL (brief,
//! invariant 6); a frame is registered as loading before its fetch is sent; a page has at most one frame.
//! Never writes a page anywhere; those of a temporary volume, which has no log, it hands to their page file
//! ([`crate::page_file`]). Frames hold images as they were handed over by the driver, so loading a page
//! copies nothing. Lock order: a latch may be held while a map shard is locked, never the other way round
//! (only `try_write` under a shard). Read [`pins`] next, then `access`.

pub(crate) mod pins;

use crate::error::{EngineError, Need, Stop};
use crate::hash::FixedMap;
use crate::layout;
use crate::page_file::{FileError, NotPut, PageFile, Taken};
use crate::types::Options;
use crate::volume::{FetchFailure, Volume};
use hexalog_protocol::{Lsn, NodeId, Page, PageId};
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Map shards: enough that a few workers rarely meet in one.
const SHARDS: usize = 64;

/// A frame's latch and what it covers.
pub(crate) type SharedLatch<'e> = RwLockReadGuard<'e, Option<Page>>;
/// A frame's exclusive latch.
pub(crate) type ExclusiveLatch<'e> = RwLockWriteGuard<'e, Option<Page>>;

struct Frame {
    latch: RwLock<Option<Page>>,
    /// The page it holds; meaningful while the map names the frame.
    page: AtomicU64,
    /// The page's LSN, readable without the latch.
    lsn: AtomicU64,
    pins: AtomicU32,
    /// Touched since the clock hand came by.
    touched: AtomicBool,
    /// From this snapshot on, every newest version on the page is visible (a delete mark included).
    /// `u64::MAX`: not known.
    all_visible_from: AtomicU64,
    /// The node that served it, or [`FROM_NOBODY`].
    from: AtomicU32,
}

/// Of a page that was formatted here.
const FROM_NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// An image at this read point or later is on its way; redo that comes for the page meanwhile would queue
    /// here.
    Loading(Lsn),
    Resident,
    /// The fetch failed; told to the next who asks, who may ask again after.
    Failed(FetchFailure),
}

#[derive(Clone, Copy)]
struct Entry {
    frame: u32,
    state: State,
}

/// Why a page is not at hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Miss {
    Need(Need),
    Failed(FetchFailure),
    /// What the page file has to say.
    File(FileError),
}

impl Miss {
    pub fn into_stop(self, page: PageId) -> Stop {
        match self {
            Miss::Need(need) => Stop::Need(need),
            Miss::File(error) => Stop::Fail(EngineError::TemporaryFile(error)),
            Miss::Failed(FetchFailure::Closed) => Stop::Fail(EngineError::Fenced),
            Miss::Failed(FetchFailure::NeverWritten) => {
                Stop::Fail(EngineError::Corrupt { page, what: "a page in use was never written" })
            }
            Miss::Failed(FetchFailure::Corrupt) => {
                Stop::Fail(EngineError::Corrupt { page, what: "no sound copy was found" })
            }
        }
    }
}

/// All frames of one engine.
pub(crate) struct Cache {
    frames: Box<[Frame]>,
    shards: Box<[Mutex<FixedMap<PageId, Entry>>]>,
    free: Mutex<Vec<u32>>,
    hand: AtomicU32,
    /// Counts events after which a frame may be had that could not before.
    progress: AtomicU64,
    /// Tries of operations: how many have begun, in the upper half, and how many are under way.
    tries: AtomicU64,
    pub hits: AtomicU64,
    pub fetches: AtomicU64,
    pub evictions: AtomicU64,
}

impl Cache {
    pub fn new(options: &Options) -> Cache {
        let count = options.frames.max(Options::FRAMES_MIN);
        let frames = (0..count).map(|_| Frame {
            latch: RwLock::new(None),
            page: AtomicU64::new(0),
            lsn: AtomicU64::new(0),
            pins: AtomicU32::new(0),
            touched: AtomicBool::new(false),
            all_visible_from: AtomicU64::new(u64::MAX),
            from: AtomicU32::new(FROM_NOBODY),
        });
        Cache {
            frames: frames.collect(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            free: Mutex::new((0..count).rev().collect()),
            hand: AtomicU32::new(0),
            progress: AtomicU64::new(0),
            tries: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            fetches: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    fn shard(&self, page: PageId) -> &Mutex<FixedMap<PageId, Entry>> {
        &self.shards[(page.0 as usize ^ (page.0 >> 7) as usize) % SHARDS]
    }

    fn frame(&self, frame: u32) -> &Frame {
        &self.frames[frame as usize]
    }

    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    pub fn frames_used(&self) -> usize {
        self.frames.len() - self.free.lock().len()
    }

    /// Pages that have a frame, resident, on their way or failed.
    pub fn entries(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Acquire)
    }

    /// Something happened that may let a page be evicted.
    pub fn note_progress(&self) {
        self.progress.fetch_add(1, Ordering::AcqRel);
    }

    /// A try of an operation begins, which may pin; gives the count with it.
    fn begin_try(&self) -> u64 {
        const BEGUN_AND_UNDER_WAY: u64 = (1 << 32) + 1;
        self.tries.fetch_add(BEGUN_AND_UNDER_WAY, Ordering::AcqRel).wrapping_add(BEGUN_AND_UNDER_WAY)
    }

    /// It is over, and its pins are back.
    fn end_try(&self) {
        self.tries.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether none but the one that begun with this count has been under way since. A change that changes nothing, and no
    /// look: what this one did before is seen by whoever ends later.
    fn was_alone(&self, begun: u64) -> bool {
        self.tries.fetch_add(0, Ordering::AcqRel) == begun && begun as u32 == 1
    }

    /// Pins the page's frame. On a miss the fetch is on its way (its frame is pinned too if given back in
    /// `loading`), or there is no frame for it.
    pub fn pin(&self, volume: &dyn Volume, page: PageId, loading: &mut Option<u32>) -> Result<u32, Miss> {
        {
            let mut shard = self.shard(page).lock();
            if let Some(entry) = shard.get(&page).copied() {
                let frame = self.frame(entry.frame);
                match entry.state {
                    State::Resident => {
                        frame.pins.fetch_add(1, Ordering::AcqRel);
                        frame.touched.store(true, Ordering::Relaxed);
                        self.hits.fetch_add(1, Ordering::Relaxed);
                        return Ok(entry.frame);
                    }
                    State::Loading(_) => {
                        frame.pins.fetch_add(1, Ordering::AcqRel);
                        *loading = Some(entry.frame);
                        return Err(Miss::Need(Need::Page { page, ticket: 0 }));
                    }
                    State::Failed(failure) => {
                        shard.remove(&page);
                        drop(shard);
                        self.release(entry.frame);
                        return Err(Miss::Failed(failure));
                    }
                }
            }
        }
        if let Some(file) = volume.page_file() {
            return self.take_back(volume, file, page);
        }
        let frame = self.register_loading(volume, page)?;
        *loading = frame;
        Err(Miss::Need(Need::Page { page, ticket: 0 }))
    }

    /// Pins the frame of a page that has left for the page file, or waits for it there. One operation at a time asks for a
    /// page of such a volume.
    fn take_back(&self, volume: &dyn Volume, file: &dyn PageFile, page: PageId) -> Result<u32, Miss> {
        let index = self.take_frame(volume)?;
        let image = match file.take(page) {
            Taken::Image(image) if layout::check::check(image.bytes()).is_ok() => Ok(image),
            Taken::Image(_) => Err(Miss::Failed(FetchFailure::Corrupt)),
            Taken::NeverPut => Err(Miss::Failed(FetchFailure::NeverWritten)),
            Taken::Wait(wait) => Err(Miss::Need(Need::Spill(wait))),
            Taken::Failed(error) => Err(Miss::File(error)),
        };
        let image = image.inspect_err(|_| self.release(index))?;
        assert!(image.id() == page, "a page file gives what it was given");
        let frame = self.frame(index);
        self.set_up_frame(frame, page, image.lsn());
        *frame.latch.try_write().expect("a free frame is latched by nobody") = Some(image);
        let others = self.shard(page).lock().insert(page, Entry { frame: index, state: State::Resident });
        assert!(others.is_none(), "a page has at most one frame");
        self.fetches.fetch_add(1, Ordering::Relaxed);
        Ok(index)
    }

    /// The frame is a page's from now on, and pinned.
    fn set_up_frame(&self, frame: &Frame, page: PageId, lsn: Lsn) {
        frame.page.store(page.0, Ordering::Relaxed);
        frame.lsn.store(lsn.0, Ordering::Relaxed);
        frame.from.store(FROM_NOBODY, Ordering::Relaxed);
        frame.all_visible_from.store(u64::MAX, Ordering::Relaxed);
        frame.touched.store(true, Ordering::Relaxed);
        frame.pins.fetch_add(1, Ordering::AcqRel);
    }

    /// Makes a loading frame and sends the fetch. The frame is returned pinned, or `None` if another thread
    /// was first.
    fn register_loading(&self, volume: &dyn Volume, page: PageId) -> Result<Option<u32>, Miss> {
        let index = self.take_frame(volume)?;
        let read_point = {
            let mut shard = self.shard(page).lock();
            if shard.contains_key(&page) {
                drop(shard);
                self.release(index);
                return Ok(None);
            }
            // Read after the frame is registered and under the shard's lock: the page's last version was
            // evicted at or below an earlier VDL, so an image at this one holds it.
            let read_point = volume.vdl();
            self.set_up_frame(self.frame(index), page, Lsn::MAX);
            shard.insert(page, Entry { frame: index, state: State::Loading(read_point) });
            read_point
        };
        self.fetches.fetch_add(1, Ordering::Relaxed);
        volume.fetch(page, read_point);
        Ok(Some(index))
    }

    /// Starts a fetch that nobody waits for yet; does nothing if the page is there or no frame is free, or where pages are not
    /// fetched.
    pub fn prefetch(&self, volume: &dyn Volume, page: PageId) {
        let known = volume.page_file().is_some() || self.shard(page).lock().contains_key(&page);
        if !known && let Ok(Some(frame)) = self.register_loading(volume, page) {
            self.unpin(frame);
        }
    }

    /// Whether a wait for the page is over: it is resident, failed, or not on its way at all.
    pub fn is_settled(&self, page: PageId) -> bool {
        let shard = self.shard(page).lock();
        !shard.get(&page).is_some_and(|entry| matches!(entry.state, State::Loading(_)))
    }

    /// Which node served a page that is here.
    pub fn served_from(&self, page: PageId) -> Option<NodeId> {
        let frame = self.shard(page).lock().get(&page)?.frame;
        let from = self.frame(frame).from.load(Ordering::Relaxed);
        (from != FROM_NOBODY).then_some(NodeId(from))
    }

    /// The answer to a fetch, at this read point or a later one. A page may have been asked for, formatted anew meanwhile, have left
    /// and be asked for again: the answer to the first fetch, which may be older than what left, is none to the second.
    pub fn loaded(
        &self,
        page: PageId,
        read_point: Lsn,
        image: Result<Page, FetchFailure>,
        from: Option<NodeId>,
    ) {
        let mut shard = self.shard(page).lock();
        let Some(entry) = shard.get_mut(&page) else {
            return;
        };
        let State::Loading(wanted) = entry.state else {
            // The page was formatted anew while its old image was on its way.
            return;
        };
        if read_point < wanted {
            return;
        }
        let frame = self.frame(entry.frame);
        frame.from.store(from.map_or(FROM_NOBODY, |node| node.0), Ordering::Relaxed);
        match image {
            Ok(image) if layout::check::check(image.bytes()).is_err() => {
                entry.state = State::Failed(FetchFailure::Corrupt);
            }
            Ok(image) => {
                assert!(image.id() == page, "the image of another page was delivered");
                assert!(image.lsn() <= read_point, "an image is not above its read point");
                frame.lsn.store(image.lsn().0, Ordering::Release);
                let mut latch = frame.latch.try_write().expect("nobody latches a loading frame");
                assert!(latch.is_none(), "an image comes into an empty frame");
                *latch = Some(image);
                entry.state = State::Resident;
            }
            Err(failure) => entry.state = State::Failed(failure),
        }
    }

    /// A frame for a page about to be formatted: its latch, and the old image if there was one. The frame is
    /// pinned.
    pub fn create(&self, volume: &dyn Volume, page: PageId) -> Result<(u32, ExclusiveLatch<'_>), Miss> {
        loop {
            {
                let mut shard = self.shard(page).lock();
                if let Some(entry) = shard.get_mut(&page) {
                    let index = entry.frame;
                    self.frame(index).pins.fetch_add(1, Ordering::AcqRel);
                    entry.state = State::Resident;
                    drop(shard);
                    return Ok((index, self.frame(index).latch.write()));
                }
            }
            let index = self.take_frame(volume)?;
            let frame = self.frame(index);
            let latch = frame.latch.try_write().expect("a free frame is latched by nobody");
            let mut shard = self.shard(page).lock();
            if shard.contains_key(&page) {
                drop(shard);
                drop(latch);
                self.release(index);
                continue;
            }
            self.set_up_frame(frame, page, Lsn::ZERO);
            shard.insert(page, Entry { frame: index, state: State::Resident });
            return Ok((index, latch));
        }
    }

    /// Undoes `create` of a page that had no image: nothing was logged for it. No progress, as with a pin that is given back.
    pub fn forget_created(&self, page: PageId, frame: u32, mut latch: ExclusiveLatch<'_>) {
        *latch = None;
        let removed = self.shard(page).lock().remove(&page);
        assert!(removed.is_some_and(|entry| entry.frame == frame), "the created page is in the map");
        drop(latch);
        self.free.lock().push(frame);
    }

    fn release(&self, frame: u32) {
        self.free.lock().push(frame);
        self.note_progress();
    }

    pub fn unpin(&self, frame: u32) {
        let before = self.frame(frame).pins.fetch_sub(1, Ordering::AcqRel);
        assert!(before > 0, "unpinned as often as pinned");
    }

    /// `None` if the pin is stale or the image not there yet: pin again.
    pub fn latch_shared(&self, frame: u32, page: PageId) -> Option<SharedLatch<'_>> {
        let latch = self.frame(frame).latch.read();
        self.holds(frame, page, latch.as_ref()).then_some(latch)
    }

    /// As [`Cache::latch_shared`], for a change.
    pub fn latch_exclusive(&self, frame: u32, page: PageId) -> Option<ExclusiveLatch<'_>> {
        let latch = self.frame(frame).latch.write();
        self.holds(frame, page, latch.as_ref()).then_some(latch)
    }

    /// Whether somebody has latched a page, which is resident.
    #[cfg(test)]
    pub fn is_latched(&self, page: PageId) -> bool {
        let frame = self.shard(page).lock()[&page].frame;
        self.frame(frame).latch.try_write().is_none()
    }

    fn holds(&self, frame: u32, page: PageId, image: Option<&Page>) -> bool {
        let registered = self.frame(frame).page.load(Ordering::Relaxed) == page.0;
        match image {
            Some(image) if registered => {
                assert!(image.id() == page, "a resident frame holds its page's image");
                true
            }
            _ => false,
        }
    }

    /// The page has changed: called with the exclusive latch held.
    pub fn set_lsn(&self, frame: u32, lsn: Lsn) {
        self.frame(frame).lsn.store(lsn.0, Ordering::Release);
        self.frame(frame).all_visible_from.store(u64::MAX, Ordering::Release);
    }

    /// From which snapshot on every newest version of the page is visible.
    pub fn all_visible_from(&self, frame: u32) -> Lsn {
        Lsn(self.frame(frame).all_visible_from.load(Ordering::Acquire))
    }

    /// Notes that every newest version on the page has committed at or below `lsn`. Called with the page
    /// latched.
    pub fn set_all_visible_from(&self, frame: u32, lsn: Lsn) {
        self.frame(frame).all_visible_from.store(lsn.0, Ordering::Release);
    }

    fn take_frame(&self, volume: &dyn Volume) -> Result<u32, Miss> {
        let progress = self.progress();
        if let Some(frame) = self.free.lock().pop() {
            return Ok(frame);
        }
        self.evict(volume)?.ok_or(Miss::Need(Need::Frame { progress }))
    }

    /// Clock sweep: one chance for a page touched since the hand came by, then the next.
    fn evict(&self, volume: &dyn Volume) -> Result<Option<u32>, Miss> {
        let vdl = volume.vdl();
        for _ in 0..2 * self.frames.len() {
            let index = self.hand.fetch_add(1, Ordering::Relaxed) % self.frames.len() as u32;
            let frame = self.frame(index);
            if frame.pins.load(Ordering::Acquire) > 0 || frame.lsn.load(Ordering::Acquire) > vdl.0 {
                continue;
            }
            if frame.touched.swap(false, Ordering::Relaxed) {
                continue;
            }
            if self.evict_frame(index, vdl, volume.page_file())? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Empties the cache of what may leave it, for which there is a log; for tests that run on cold pages.
    pub fn evict_all(&self, vdl: Lsn) {
        for index in 0..self.frames.len() as u32 {
            let may_leave = self.frame(index).lsn.load(Ordering::Acquire) <= vdl.0;
            if may_leave && self.evict_frame(index, vdl, None) == Ok(true) {
                self.free.lock().push(index);
            }
        }
    }

    /// False: something has come between.
    fn evict_frame(&self, index: u32, vdl: Lsn, file: Option<&dyn PageFile>) -> Result<bool, Miss> {
        let frame = self.frame(index);
        let page = PageId(frame.page.load(Ordering::Relaxed));
        let mut shard = self.shard(page).lock();
        let resident = shard.get(&page).is_some_and(|e| e.frame == index && e.state == State::Resident);
        if !resident || frame.pins.load(Ordering::Acquire) > 0 {
            return Ok(false);
        }
        let Some(mut latch) = frame.latch.try_write() else {
            return Ok(false);
        };
        let Some(image) = latch.take_if(|image| image.lsn() <= vdl) else {
            return Ok(false);
        };
        assert!(image.id() == page, "a frame holds the page that it is registered for");
        if let Some(file) = file
            && let Err(NotPut { image, why }) = file.put(image)
        {
            *latch = Some(image);
            return Err(match why {
                Ok(wait) => Miss::Need(Need::Spill(wait)),
                Err(error) => Miss::File(error),
            });
        }
        shard.remove(&page);
        self.evictions.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    /// Every page in the cache with its image; for tests that compare it with storage.
    pub fn for_each_resident(&self, mut visit: impl FnMut(PageId, &Page)) {
        for shard in &self.shards {
            let entries: Vec<(PageId, Entry)> = shard.lock().iter().map(|(p, e)| (*p, *e)).collect();
            for (page, entry) in entries {
                let latch = self.frame(entry.frame).latch.read();
                if let Some(image) = latch.as_ref().filter(|image| image.id() == page) {
                    visit(page, image);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_volume::MemoryVolume;
    use hexalog_protocol::geometry::Geometry;

    /// Found by reading. A client gave up its wait for a page, which was freed, formatted anew and left the cache while its old
    /// image was still under way. The next one asked for it, and was given what the first had asked for: the page as it was
    /// before, and every change since was lost to it.
    #[test]
    fn the_answer_to_an_earlier_fetch_is_none_to_a_later_one() {
        let earlier = MemoryVolume::new(Geometry { pages_per_group: 16, groups: 1 });
        let later = earlier.crash_and_reopen();
        let cache = Cache::new(&Options::default());
        let page = PageId(3);
        cache.prefetch(earlier.as_ref(), page);
        let Ok((frame, mut latch)) = cache.create(earlier.as_ref(), page) else { panic!("a frame is free") };
        *latch = Some(Page::new(hexalog_protocol::VolumeId([1; 16]), page));
        drop(latch);
        cache.set_lsn(frame, Lsn::ZERO);
        cache.unpin(frame);
        cache.evict_all(later.vdl());
        cache.prefetch(later.as_ref(), page);
        assert!(earlier.vdl() < later.vdl());
        cache.loaded(page, earlier.vdl(), Err(FetchFailure::NeverWritten), None);
        assert!(!cache.is_settled(page), "it is still under way");
        cache.loaded(page, later.vdl(), Err(FetchFailure::Closed), None);
        assert!(cache.is_settled(page));
    }
}

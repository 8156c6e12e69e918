//! The asker's side: one segment of the shard at a time, one answer at a time, written before the next is asked for.

use crate::effects::{Area, Effect, Effects, IoResult, Now};
use crate::gossip::PeerRequest;
use crate::pages::PageEntry;
use crate::pages::coalesce::Placed;
use crate::pages::extents::Fill;
use crate::segment::{Health, Segment, SegmentKey};
use crate::shard::{Io, Shard};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::message::{HydratePages, HydratePull, Message, RefusalReason};
use hexalog_protocol::{Lsn, PAGE_SIZE, Page, PageId, SegmentId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::checkpoint::{ImageRef, PageVersions};

/// While clients write here, this many pages are asked for at once and then nothing for [`BUSY_PAUSE_US`]: 26 MB/s, a
/// guess at what a foreground p99 does not feel. Changes are asked for as fast as they come, or the end would not.
const BUSY_PAGES_MAX: u32 = 16;
/// See [`BUSY_PAGES_MAX`].
const BUSY_PAUSE_US: u64 = 5_000;
/// No write frame for this long: no client feels anything.
const IDLE_US: u64 = 200_000;
/// An answer is asked for again this often, as long as nothing but its time is wrong; then another source is asked.
const RETRIES_MAX: u32 = 50;

/// What a segment is once a checkpoint has made it durable: it has every page at `base`. The source's history goes with it, if
/// it is a later one: under an older one, what others tell this segment may lie below that VDL and be annulled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hydrated {
    pub base: Lsn,
    pub vdl_heard: Lsn,
}

#[derive(Debug)]
enum Step {
    /// The next answer is asked for at this time.
    Asks {
        at_us: u64,
    },
    Waits {
        request_id: u64,
    },
    /// Images that came wait for room, or are being written.
    Writes,
}

/// A session at a source.
#[derive(Debug)]
struct Fetch {
    key: SegmentKey,
    source: SegmentId,
    address: SocketAddr,
    session: u64,
    turn: u32,
    retries: u32,
    step: Step,
    images: VecDeque<Page>,
    /// Which pages of the group have come, a bit each.
    got: Vec<u64>,
    /// The answer was the last one.
    end: Option<Hydrated>,
    /// With the last answer: the source's history.
    history: Option<EpochHistory>,
    is_whole: bool,
    pages_done: u64,
    pages_total: u64,
}

/// What the shard fetches.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    running: Option<Fetch>,
    /// Images on their way to the device, all of one segment.
    writing: Vec<Placed>,
    /// The segment that was tried last; the others come first.
    last: Option<SegmentKey>,
    /// Sessions that ended early: the next one asks another source.
    failures: usize,
    rest_until_us: u64,
}

impl Fetch {
    fn note_got(&mut self, index: u64) {
        let word = (index / 64) as usize;
        if word >= self.got.len() {
            self.got.resize(word + 1, 0);
        }
        self.got[word] |= 1 << (index % 64);
    }

    fn has_got(&self, index: u64) -> bool {
        self.got.get((index / 64) as usize).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }
}

impl Fetches {
    /// Pages that a segment has got, of how many; zeros if none is being fetched for it.
    pub fn progress(&self, key: SegmentKey) -> (u64, u64) {
        let running = self.running.as_ref().filter(|fetch| fetch.key == key);
        running.map_or((0, 0), |fetch| (fetch.pages_done.min(fetch.pages_total), fetch.pages_total))
    }

    /// Whether this request's answer is waited for.
    pub fn waits_for(&self, id: u64) -> bool {
        let step = self.running.as_ref().map(|fetch| &fetch.step);
        matches!(step, Some(Step::Waits { request_id }) if *request_id == id)
    }

    /// Images that are on their way to the device: live, and named by nothing yet.
    pub fn writing(&self) -> impl Iterator<Item = &Placed> + '_ {
        self.writing.iter()
    }
}

impl Segment {
    /// Whether it waits for pages, and could take them.
    fn wants_pages(&self) -> bool {
        let is_waiting = self.health == Health::NeedsHydration && self.decided.hydrated.is_none();
        is_waiting && !self.is_replaced && self.promised.epoch.0 > 0 && self.check_promises().is_ok()
    }

    /// The least base whose pages bring it further than when it gave up its log: what it has told since is among them, and
    /// a scan that meets that decision again knows by the base that it is over. The group may have stood still since, so they
    /// need be no further than its SCL once no scan meets it.
    pub(crate) fn base_min(&self) -> Lsn {
        let is_over_from = self.given_up_at.map_or(Lsn::ZERO, |given_up| given_up.scl.plus(1));
        // Of what an opening has annulled since, nobody has anything. Its writer knows what counts, and tells once it is all there.
        let is_annulled = self.history.is_annulled(self.scl) && self.is_open();
        let all_that_counts = self.tail.filter(|_| is_annulled).map_or(self.scl, |tail| tail.min(self.scl));
        all_that_counts.max(is_over_from)
    }

    /// The checkpoint with all pages is durable.
    pub(crate) fn complete_hydration(&mut self, hydrated: Hydrated) {
        assert!(self.health == Health::NeedsHydration, "nothing else is hydrated");
        assert!(hydrated.base <= hydrated.vdl_heard, "what is above the VDL may be annulled");
        // A later history annuls it too: what a writer that has opened annulled is adopted.
        let leads_on = hydrated.base >= self.scl || self.history.is_annulled(self.scl);
        assert!(leads_on, "hydration leads on");
        assert!(self.pages.merged_to() <= hydrated.base, "no page is newer than what it was hydrated with");
        self.health = if self.damage.is_some() { Health::Damaged } else { Health::Sound };
        self.given_up_at = None;
        (self.base, self.scl) = (hydrated.base, hydrated.base);
        self.vdl_heard = self.vdl_heard.max(hydrated.vdl_heard);
        self.vdl_durable = self.vdl_durable.max(hydrated.vdl_heard);
        self.gc_floor = self.gc_floor.max(hydrated.base);
        self.gossip.restart();
    }
}

impl Shard {
    /// Goes on with what is being hydrated, or begins with a segment that needs it. True: there is more to do now.
    pub(crate) fn hydrate_slice(&mut self, now: Now, effects: &mut Effects) -> bool {
        let Some(fetch) = &self.fetches.running else { return self.begin_fetch(now, effects) };
        let is_wanted = self.segments.get(&fetch.key).is_some_and(Segment::wants_pages);
        match fetch.step {
            _ if !is_wanted => self.fetches.running = None,
            Step::Asks { at_us } if now.monotonic_us >= at_us => self.ask_for_pages(now, effects),
            Step::Asks { .. } => {}
            Step::Waits { request_id } => {
                if !self.links.is_asked(request_id) {
                    self.fail_fetch(now, "its source does not answer", effects);
                }
            }
            Step::Writes => return self.write_images(now, effects),
        }
        false
    }

    /// When [`Shard::hydrate_slice`] has something to do by itself.
    pub(crate) fn hydrate_due_us(&self) -> Option<u64> {
        match &self.fetches.running {
            Some(Fetch { step: Step::Asks { at_us }, .. }) => Some(*at_us),
            Some(_) => None,
            None => {
                let is_wanted =
                    self.segments.values().any(Segment::wants_pages) && !self.is_writing_versions();
                is_wanted.then_some(self.fetches.rest_until_us)
            }
        }
    }

    /// Versions that were made before a segment gave up its log must not come between its new ones: what is on its way to the
    /// device ends first.
    fn is_writing_versions(&self) -> bool {
        !self.fetches.writing.is_empty() || self.repairs.writing().is_some() || !self.coalescer.is_idle()
    }

    fn begin_fetch(&mut self, now: Now, effects: &mut Effects) -> bool {
        let is_resting = now.monotonic_us < self.fetches.rest_until_us;
        if is_resting || self.is_writing_versions() {
            return false;
        }
        let wanted: Vec<SegmentKey> =
            self.segments.iter().filter(|(_, segment)| segment.wants_pages()).map(|(key, _)| *key).collect();
        let next = wanted.iter().find(|key| self.fetches.last.is_none_or(|last| **key > last));
        let Some(key) = next.or(wanted.first()).copied() else { return false };
        self.fetches.last = Some(key);
        self.fetches.rest_until_us = now.monotonic_us + self.options.gossip_interval_us;
        let addresses: Vec<SocketAddr> =
            self.segments[&key].gossip.peers().map(|peer| peer.address).collect();
        addresses.into_iter().for_each(|address| self.links.want(address, now, effects));
        let Some((source, address)) = self.choose_source(key) else { return false };
        self.drop_damaged_pages(wanted.iter());
        self.fetches.running = Some(Fetch {
            key,
            source,
            address,
            session: 0,
            turn: 0,
            retries: 0,
            step: Step::Asks { at_us: now.monotonic_us },
            images: VecDeque::new(),
            got: Vec::new(),
            end: None,
            history: None,
            is_whole: false,
            pages_done: 0,
            pages_total: 0,
        });
        true
    }

    /// The reachable peer that is furthest, as far as that is known; after a failure the next one.
    fn choose_source(&self, key: SegmentKey) -> Option<(SegmentId, SocketAddr)> {
        let peers = self.segments[&key].gossip.peers();
        let mut peers: Vec<_> = peers.filter(|peer| self.links.connection(peer.address).is_some()).collect();
        peers.sort_by_key(|peer| (peer.is_lost, core::cmp::Reverse(peer.scl)));
        let chosen = peers.get(self.fetches.failures % peers.len().max(1))?;
        Some((chosen.segment, chosen.address))
    }

    fn ask_for_pages(&mut self, now: Now, effects: &mut Effects) {
        let is_busy = now.monotonic_us < self.last_write_us + IDLE_US;
        let fetch = self.fetches.running.as_ref().expect("the caller found it");
        let (key, source, address) = (fetch.key, fetch.source, fetch.address);
        let Some(connection) = self.links.connection(address) else {
            return self.fail_fetch(now, "its source is not reached", effects);
        };
        let pages_max = self.options.hydration_pages_max;
        let segment = &self.segments[&key];
        let pull = HydratePull {
            volume: key.0,
            group: key.1,
            writer: segment.promised,
            membership_epoch: segment.members_promised,
            asker: segment.id,
            session: fetch.session,
            turn: fetch.turn,
            pages_max: if is_busy && !fetch.is_whole { pages_max.min(BUSY_PAGES_MAX) } else { pages_max },
            base_min: segment.base_min(),
        };
        let asked_position = self.log.durable().position;
        let asked_us = now.monotonic_us;
        let request_id = self.note_request(PeerRequest {
            key,
            segment: source,
            address,
            asked_us,
            asked_position,
            after: Lsn::ZERO,
            is_for_scl: false,
        });
        self.fetches.running.as_mut().expect("seen above").step = Step::Waits { request_id };
        Message::HydratePull(pull).encode(request_id, effects.send(connection));
    }

    /// A source's answer. False if it is not what such a peer may send.
    pub(crate) fn on_pages(
        &mut self,
        now: Now,
        request: &PeerRequest,
        answer: &HydratePages<'_>,
        effects: &mut Effects,
    ) -> bool {
        let Some(fetch) = self.fetches.running.as_mut().filter(|fetch| fetch.key == request.key) else {
            return true;
        };
        let segment = &self.segments[&fetch.key];
        if !segment.wants_pages() {
            // The next slice ends the session.
            return true;
        }
        let is_next = answer.turn == fetch.turn && (fetch.session == 0 || fetch.session == answer.session);
        let pages = answer.images.chunks(PAGE_SIZE).map(|bytes| checked_page(segment, bytes, answer.base));
        let Some(images) = pages.collect::<Option<VecDeque<Page>>>() else { return false };
        let is_bound = answer.history.writer().epoch <= segment.promised.epoch;
        let is_valid = is_next && is_bound && answer.session != 0 && answer.base <= answer.vdl_heard;
        if !is_valid || (answer.volume, answer.group) != fetch.key {
            return false;
        }
        if answer.membership_epoch != segment.members_promised {
            self.fail_fetch(now, "the members have changed", effects);
            return true;
        }
        // It may have learnt of more since it asked.
        let is_behind = answer.base < segment.base_min();
        (fetch.session, fetch.turn, fetch.retries) = (answer.session, fetch.turn + 1, 0);
        fetch.is_whole = answer.is_whole;
        fetch.pages_done += images.len() as u64;
        fetch.pages_total = answer.pages_total;
        fetch.end = answer.is_final.then_some(Hydrated { base: answer.base, vdl_heard: answer.vdl_heard });
        fetch.history = answer.is_final.then(|| answer.history.clone());
        fetch.images = images;
        fetch.step = Step::Writes;
        if is_behind {
            self.fail_fetch(now, "its source is no further", effects);
        } else {
            self.write_images(now, effects);
        }
        true
    }

    /// Writes what came, as much as the open extent takes in one piece; then asks on, or leaves the rest to a checkpoint.
    fn write_images(&mut self, now: Now, effects: &mut Effects) -> bool {
        let fetch = self.fetches.running.as_mut().expect("the caller found it");
        if !self.fetches.writing.is_empty() {
            return false;
        }
        let count = fetch.images.len() as u64;
        if count == 0 {
            self.images_written(now, effects);
            return true;
        }
        // Without room it is tried again with the next slice: a checkpoint may make some.
        let Some((offset, fitting)) = self.extents.allocate(Fill::Fresh, count, PAGE_SIZE as u64) else {
            return false;
        };
        let mut buffer = AlignedBuffer::zeroed(fitting as usize * PAGE_SIZE);
        for block in buffer.bytes_mut().chunks_exact_mut(PAGE_SIZE).enumerate() {
            let page = fetch.images.pop_front().expect("counted");
            let placed = Placed::new(fetch.key, page, self.superblock.device, offset, block);
            self.fetches.writing.push(placed);
        }
        let token = self.token(Io::HydratedPages);
        // The checkpoint that names them flushes first.
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: false });
        false
    }

    pub(crate) fn on_hydrated_written(
        &mut self,
        now: Now,
        result: IoResult,
        buffer: &AlignedBuffer,
        effects: &mut Effects,
    ) {
        let writing = core::mem::take(&mut self.fetches.writing);
        let first = writing.first().expect("a write has its images");
        let key = first.key;
        let is_for_this = self.fetches.running.as_ref().is_some_and(|fetch| fetch.key == key)
            && self.segments[&key].wants_pages();
        match result {
            IoResult::Done => {}
            IoResult::Failed(errno) => return self.fail("writing fetched pages", errno, effects),
            IoResult::NoSpace => {
                // They wait for space as they wait for room in the extents.
                self.extents.give_back(Fill::Fresh, first.image.address.offset(), buffer.len() as u64);
                if is_for_this {
                    let fetch = self.fetches.running.as_mut().expect("seen above");
                    for block in buffer.bytes().chunks_exact(PAGE_SIZE).rev() {
                        fetch.images.push_front(Page::from_bytes(block).expect("it was one"));
                    }
                }
                return self.note_no_space(now, "fetched pages", effects);
            }
        }
        let pages_per_group = self.segments[&key].pages_per_group;
        for Placed { key, page, image } in writing {
            if is_for_this {
                let fetch = self.fetches.running.as_mut().expect("seen above");
                fetch.note_got(page.0 % pages_per_group);
                self.replace_versions(key, page, image);
            } else {
                self.extents.release(image.address, PAGE_SIZE as u64);
            }
        }
        if is_for_this {
            self.write_images(now, effects);
        }
    }

    /// Whatever there was of a page is older, its delta too: an image is all of the page at the source's read point.
    fn replace_versions(&mut self, key: SegmentKey, page: PageId, image: ImageRef) {
        self.set_versions(key, page, PageVersions { image: Some(image), delta: None });
        self.counters.hydration_pages += 1;
    }

    /// These are a page's versions from now on.
    fn set_versions(&mut self, key: SegmentKey, page: PageId, new: PageVersions) {
        let pages = &mut self.segments.get_mut(&key).expect("segments stay").pages;
        assert!(pages.get(page).is_none_or(|entry| entry.pending.is_empty()), "it has given up its log");
        let old = pages.get(page).map(PageEntry::versions).unwrap_or_default();
        if pages.get(page).is_some_and(PageEntry::is_imageless) {
            self.extents.page_has_image();
        }
        pages.replace(page, new);
        self.extents.release_versions(&old);
        self.note_versions_changed(key, page);
    }

    /// All that is here of a page is of no use: it comes from a peer, or the source has not got it.
    pub(crate) fn drop_versions(&mut self, key: SegmentKey, page: PageId) {
        self.set_versions(key, page, PageVersions::default());
    }

    /// What the source has not sent it has not got: at its base the page was never written. What is here is of later records,
    /// which are to come again as log; kept, they would be taken for proof that everything up to them is here.
    fn drop_pages_not_sent(&mut self, key: SegmentKey, fetch: &Fetch) {
        let segment = &self.segments[&key];
        let pages = segment.pages.iter().map(|(page, _)| page);
        let left: Vec<PageId> =
            pages.filter(|page| !fetch.has_got(page.0 % segment.pages_per_group)).collect();
        left.into_iter().for_each(|page| self.drop_versions(key, page));
    }

    /// Whether a source is still to send this page of a segment that gets all its pages.
    pub(crate) fn comes_anew(&self, key: SegmentKey, page: PageId) -> bool {
        let segment = &self.segments[&key];
        let running = self.fetches.running.as_ref().filter(|fetch| fetch.key == key);
        let has_come = running.is_some_and(|fetch| fetch.has_got(page.0 % segment.pages_per_group));
        segment.health == Health::NeedsHydration && segment.decided.hydrated.is_none() && !has_come
    }

    /// What does not read back can be neither served nor copied, and its extent would never be free: on a device that has no
    /// more of them, what takes its place could not be written. One that is being written over goes with the next look.
    pub(crate) fn drop_damaged_pages<'a>(&mut self, keys: impl Iterator<Item = &'a SegmentKey>) {
        for key in keys {
            let pages = self.segments[key].pages.iter().filter(|(_, entry)| entry.is_damaged);
            let pages = pages.map(|(page, _)| page).filter(|page| !self.repairs.writes(*key, *page));
            let damaged: Vec<PageId> = pages.collect();
            damaged.into_iter().for_each(|page| self.drop_versions(*key, page));
        }
    }

    /// All of an answer is written, not yet durable.
    fn images_written(&mut self, now: Now, effects: &mut Effects) {
        let is_busy = now.monotonic_us < self.last_write_us + IDLE_US;
        let mut fetch = self.fetches.running.take().expect("the caller found it");
        assert!(fetch.images.is_empty());
        let Some(end) = fetch.end else {
            let pause_us = if is_busy && !fetch.is_whole { BUSY_PAUSE_US } else { 0 };
            fetch.step = Step::Asks { at_us: now.monotonic_us + pause_us };
            self.fetches.running = Some(fetch);
            return;
        };
        let key = fetch.key;
        self.fetches.failures = 0;
        self.fetches.rest_until_us = now.monotonic_us;
        self.drop_pages_not_sent(key, &fetch);
        let segment = self.segments.get_mut(&key).expect("segments stay");
        // Those that were dropped or replaced went further, perhaps.
        segment.pages.recount_versions();
        self.checkpointer.versions_replaced(key, segment.pages.versions_through());
        segment.decided.hydrated = Some(end);
        let known = segment.decided.history.as_ref().unwrap_or(&segment.history);
        if let Some(history) = fetch.history.filter(|history| history.writer().epoch > known.writer().epoch) {
            segment.decided.history = Some(history);
        }
        let count = segment.pages.count();
        let text = format!("{} {:?}: {count} pages fetched, complete through {}", key.0, key.1, end.base);
        effects.list.push(Effect::Log(text));
    }

    /// A source refuses. The history, if that is what is wrong, has been asked for by the caller.
    pub(crate) fn on_pages_refused(&mut self, now: Now, reason: RefusalReason, effects: &mut Effects) {
        let interval_us = self.options.gossip_interval_us;
        let fetch = self.fetches.running.as_mut().expect("the caller found it");
        let may_pass =
            matches!(reason, RefusalReason::Busy | RefusalReason::StaleEpoch | RefusalReason::EpochBehind);
        fetch.retries += 1;
        if may_pass && fetch.retries < RETRIES_MAX {
            fetch.step = Step::Asks { at_us: now.monotonic_us + interval_us / 4 };
            return;
        }
        self.fail_fetch(now, &format!("its source refused: {reason:?}"), effects);
    }

    /// The session is over before its end; another one begins with all pages.
    fn fail_fetch(&mut self, now: Now, why: &str, effects: &mut Effects) {
        let Some(fetch) = self.fetches.running.take() else { return };
        self.fetches.failures += 1;
        self.fetches.rest_until_us = now.monotonic_us + self.options.gossip_interval_us;
        // One that never began is no news: the next source is asked.
        if fetch.turn > 0 {
            self.counters.hydrations_interrupted += 1;
            let (volume, group) = fetch.key;
            let text = format!(
                "{volume} {group:?}: hydration from {:?} begins anew after {} pages: {why}",
                fetch.source, fetch.pages_done
            );
            effects.list.push(Effect::Log(text));
        }
    }
}

/// An image that a peer sent, if it can be one of this segment at `base`.
fn checked_page(segment: &Segment, bytes: &[u8], base: Lsn) -> Option<Page> {
    let page = Page::from_bytes(bytes)?;
    let is_valid =
        page.verify(segment.volume, page.id()) && segment.holds_page(page.id()) && page.lsn() <= base;
    is_valid.then_some(page)
}

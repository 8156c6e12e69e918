//! Mends pages whose blocks on the device are not what the index says, or whose records do not fit together: the page comes
//! from a peer and is written anew.
//!
//! A page that was found so is never coalesced, and what needs its bad blocks is refused, so that the reader asks another
//! member. It is asked for at this segment's own durable VDL, of a peer that has all that this segment has. What comes is
//! taken in if it holds all that the versions here hold (it takes the place of them all), nothing above the SCL (it would
//! say of the segment what is not so), and nothing above the floor (a read point below it could not be served any more): for
//! the floor it waits.
//!
//! It goes where there is room. If there is none, it goes over the image that it takes the place of: that one is of no use, its extent
//! cannot be emptied as long as it is there, and until a checkpoint names what was written a start finds it damaged as before.

use super::coalesce::Placed;
use super::deltas::Chain;
use super::{PageEntry, build::Build};
use crate::effects::{Area, ConnectionId, Effect, Effects, IoResult, Now};
use crate::gossip::PeerRequest;
use crate::log::Space;
use crate::segment::{Segment, SegmentKey};
use crate::shard::{Io, Phase, Shard};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::message::{Message, PageImage, ReadPage, Refusal};
use hexalog_protocol::record::starts_with_format;
use hexalog_protocol::{Lsn, PAGE_SIZE, Page, PageId, SegmentId};
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_storage_format::checkpoint::PageVersions;

/// Pages that wait to be mended, at most: more are found again when they are read.
const WANTED_MAX: usize = 65_536;
/// Pages that need no mending any more and are passed over in one slice: about 100 us.
const PASSED_OVER_MAX: usize = 1024;

#[derive(Debug)]
enum Step {
    Waits {
        request_id: u64,
    },
    /// Until the floor has reached it, or there is room.
    Holds(Page),
    Writes,
}

#[derive(Debug)]
struct Repair {
    key: SegmentKey,
    page: PageId,
    since_us: u64,
    step: Step,
}

/// Pages that are to be mended: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Repairs {
    wanted: BTreeSet<(SegmentKey, PageId)>,
    running: Option<Repair>,
    writing: Option<Placed>,
    /// What is being written goes over the image that the page has.
    is_in_place: bool,
    /// The one that was tried last: the others come first.
    last: Option<(SegmentKey, PageId)>,
    /// Which peer is asked next.
    turn: usize,
    rest_until_us: u64,
}

impl Repairs {
    /// Whether this request's answer is waited for.
    pub fn waits_for(&self, id: u64) -> bool {
        let step = self.running.as_ref().map(|repair| &repair.step);
        matches!(step, Some(Step::Waits { request_id }) if *request_id == id)
    }

    /// What is on its way to the device: live, and named by nothing yet.
    pub fn writing(&self) -> Option<&Placed> {
        self.writing.as_ref()
    }

    /// Whether this page is being written: perhaps over the image that it has.
    pub fn writes(&self, key: SegmentKey, page: PageId) -> bool {
        self.writing.as_ref().is_some_and(|placed| (placed.key, placed.page) == (key, page))
    }

    pub fn count(&self) -> usize {
        self.wanted.len()
    }

    /// When [`Shard::repair_slice`] has something to do by itself.
    pub fn due_us(&self) -> Option<u64> {
        // What is under way goes on with an event.
        (self.running.is_none() && !self.wanted.is_empty()).then_some(self.rest_until_us)
    }
}

impl PageEntry {
    /// Whether it waits for a peer's page: its own is of no use, or not all of it.
    pub fn is_ailing(&self) -> bool {
        self.is_quarantined || self.is_damaged
    }

    /// Whether what waits in memory goes on from an image at `lsn`.
    fn goes_on_from(&self, lsn: Lsn) -> bool {
        let mut before = lsn;
        self.pending.iter().filter(|record| record.lsn > lsn).all(|record| {
            let follows = starts_with_format(record.operations()) || record.page_backlink() == before;
            before = record.lsn;
            follows
        })
    }
}

impl Segment {
    /// Whether an image of a page may take the place of all versions here; `None`: not yet.
    fn takes_image(&self, entry: &PageEntry, image: &Page) -> Option<bool> {
        let holds_all = image.lsn() >= entry.merged_to() && image.lsn() > Lsn::ZERO;
        if !holds_all || image.lsn() > self.scl || !entry.goes_on_from(image.lsn()) {
            return Some(false);
        }
        (image.lsn() <= self.gc_floor && !entry.is_coalescing).then_some(true)
    }
}

impl Shard {
    /// A block of a page was read and is not what the index says.
    pub(crate) fn note_damaged_block(&mut self, build: &Build, effects: &mut Effects) {
        self.counters.crc_errors += 1;
        let image = build.recipe.image.map(|image| image.address.offset());
        let delta = build.recipe.delta.map(|delta| delta.address.offset());
        let where_at = format!("the image's at extents offset {image:?} or the delta's at {delta:?}");
        self.note_damaged_page(build.key, build.page, &where_at, effects);
    }

    /// A page of which some block is bad is asked for of a peer.
    pub(crate) fn note_damaged_page(
        &mut self,
        key: SegmentKey,
        page: PageId,
        where_at: &str,
        effects: &mut Effects,
    ) {
        let Some(entry) = self.segments.get_mut(&key).and_then(|segment| segment.pages.get_mut(page)) else {
            return;
        };
        if !core::mem::replace(&mut entry.is_damaged, true) {
            self.counters.blocks_damaged += 1;
            let text =
                format!("a block of {page:?} of {} {:?} is damaged, {where_at}: not served", key.0, key.1);
            effects.list.push(Effect::Log(text));
        }
        if self.comes_anew(key, page) && !self.repairs.writes(key, page) {
            return self.drop_versions(key, page);
        }
        self.want_repair(key, page);
    }

    pub(crate) fn quarantine(&mut self, key: SegmentKey, page: PageId, effects: &mut Effects, why: &str) {
        let segment = self.segments.get_mut(&key).expect("a build has its segment");
        let Some(entry) = segment.pages.get_mut(page) else { return };
        if !core::mem::replace(&mut entry.is_quarantined, true) {
            self.counters.pages_quarantined += 1;
            let text = format!("ALARM: {page:?} of {} {:?} is quarantined: {why}", key.0, key.1);
            effects.list.push(Effect::Log(text));
        }
        self.want_repair(key, page);
    }

    fn want_repair(&mut self, key: SegmentKey, page: PageId) {
        if self.repairs.wanted.len() < WANTED_MAX {
            self.repairs.wanted.insert((key, page));
        }
    }

    /// A segment has got all its pages. One that was found damaged after it had come was not asked for: all were to come.
    pub(crate) fn want_repairs_of(&mut self, key: SegmentKey) {
        let pages = self.segments[&key].pages.iter();
        let ailing: Vec<PageId> =
            pages.filter(|(_, entry)| entry.is_ailing()).map(|(page, _)| page).collect();
        ailing.into_iter().for_each(|page| self.want_repair(key, page));
    }

    /// Goes on with the page that is being mended, or begins with the next.
    pub(crate) fn repair_slice(&mut self, now: Now, effects: &mut Effects) {
        let patience_us = self.options.silence_us();
        let Some(repair) = &self.repairs.running else { return self.begin_repair(now, effects) };
        let is_late = now.monotonic_us > repair.since_us + patience_us;
        match &repair.step {
            Step::Waits { request_id } if !self.links.is_asked(*request_id) => self.end_repair(now, false),
            Step::Holds(_) if is_late => self.end_repair(now, false),
            Step::Holds(_) => self.write_repaired(now, effects),
            Step::Waits { .. } | Step::Writes => {}
        }
    }

    fn begin_repair(&mut self, now: Now, effects: &mut Effects) {
        if now.monotonic_us < self.repairs.rest_until_us || !matches!(self.phase, Phase::Running) {
            return;
        }
        let Some((key, page)) = self.next_to_mend() else { return };
        let Some((peer, address, connection)) = self.choose_healer(key, now, effects) else {
            self.repairs.rest_until_us = now.monotonic_us + self.options.gossip_interval_us;
            return;
        };
        let segment = &self.segments[&key];
        let read = ReadPage {
            volume: key.0,
            group: key.1,
            page,
            read_point: segment.vdl_durable,
            group_tail: segment.scl,
            writer: segment.promised,
            membership_epoch: segment.members_promised,
            geometry_epoch: segment.geometry_epoch,
        };
        let request_id = self.note_request(PeerRequest {
            key,
            segment: peer,
            address,
            asked_us: now.monotonic_us,
            asked_position: self.log.durable().position,
            after: Lsn::ZERO,
            is_for_scl: true,
        });
        let step = Step::Waits { request_id };
        self.repairs.running = Some(Repair { key, page, since_us: now.monotonic_us, step });
        Message::ReadPage(read).encode(request_id, effects.send(connection));
    }

    /// The next page in turn that is still to be mended.
    fn next_to_mend(&mut self) -> Option<(SegmentKey, PageId)> {
        for _ in 0..PASSED_OVER_MAX {
            let after = self.repairs.last.map_or(core::ops::Bound::Unbounded, core::ops::Bound::Excluded);
            let next = self.repairs.wanted.range((after, core::ops::Bound::Unbounded)).next();
            let (key, page) = next.or(self.repairs.wanted.first()).copied()?;
            self.repairs.last = Some((key, page));
            // One that waits for all its pages gets this one too; a history may have annulled what did not fit.
            let segment = &self.segments[&key];
            if segment.health.follows_log() && segment.pages.get(page).is_some_and(PageEntry::is_ailing) {
                return Some((key, page));
            }
            self.repairs.wanted.remove(&(key, page));
        }
        None
    }

    /// The next peer in turn that can be reached.
    fn choose_healer(
        &mut self,
        key: SegmentKey,
        now: Now,
        effects: &mut Effects,
    ) -> Option<(SegmentId, SocketAddr, ConnectionId)> {
        let peers: Vec<(SegmentId, SocketAddr)> =
            self.segments[&key].gossip.peers().map(|peer| (peer.segment, peer.address)).collect();
        peers.iter().for_each(|(_, address)| self.links.want(*address, now, effects));
        let turn = self.repairs.turn;
        let in_turn = (0..peers.len()).map(|step| (turn + step) % peers.len());
        let (index, connection) =
            in_turn.filter_map(|index| Some((index, self.links.connection(peers[index].1)?))).next()?;
        self.repairs.turn = index + 1;
        Some((peers[index].0, peers[index].1, connection))
    }

    /// A peer's answer. One that is no image of the page is as good as none.
    pub(crate) fn on_repair_image(&mut self, now: Now, answer: &PageImage<'_>, effects: &mut Effects) {
        let repair = self.repairs.running.as_mut().expect("the caller knows that it is waited for");
        let image = Page::from_bytes(answer.image);
        match image.filter(|image| image.verify(repair.key.0, repair.page)) {
            Some(image) => {
                repair.step = Step::Holds(image);
                self.write_repaired(now, effects);
            }
            None => self.end_repair(now, false),
        }
    }

    /// A peer cannot help now: it may be behind, or its floor above what was asked for.
    pub(crate) fn on_repair_refused(&mut self, now: Now, _: &Refusal) {
        self.end_repair(now, false);
    }

    fn end_repair(&mut self, now: Now, is_mended: bool) {
        let Some(repair) = self.repairs.running.take() else { return };
        if is_mended {
            self.repairs.wanted.remove(&(repair.key, repair.page));
        } else {
            self.counters.repairs_put_off += 1;
            self.repairs.rest_until_us = now.monotonic_us + self.options.gossip_interval_us / 4;
        }
    }

    /// Writes what came, if it may be taken in.
    fn write_repaired(&mut self, now: Now, effects: &mut Effects) {
        let Some(Repair { key, page, step: Step::Holds(image), .. }) = &self.repairs.running else { return };
        let (key, page) = (*key, *page);
        let segment = &self.segments[&key];
        let is_wanted = segment.health.follows_log();
        let takes = segment.pages.get(page).filter(|entry| is_wanted && entry.is_ailing());
        let takes = takes.map_or(Some(false), |entry| segment.takes_image(entry, image));
        match takes {
            Some(true) => {}
            Some(false) => {
                let lsn = image.lsn();
                self.consider_all_pages(key, lsn);
                return self.end_repair(now, false);
            }
            None => return,
        }
        let fill = self.extents.fill_for_repair(self.collector.is_running());
        let room = fill.and_then(|fill| self.extents.allocate(fill, 1, PAGE_SIZE as u64));
        let place = room.map(|(offset, _)| offset).or_else(|| self.place_of_image(key, page));
        let Some(offset) = place else { return };
        self.repairs.is_in_place = room.is_none();
        let mut buffer = AlignedBuffer::zeroed(PAGE_SIZE);
        let block = (0, buffer.bytes_mut());
        self.repairs.writing = Some(Placed::new(key, image.clone(), self.superblock.device, offset, block));
        let segment = self.segments.get_mut(&key).expect("segments stay");
        segment.pages.get_mut(page).expect("just seen").is_coalescing = true;
        self.repairs.running.as_mut().expect("just seen").step = Step::Writes;
        let token = self.token(Io::RepairedPage);
        // The checkpoint that names it flushes first.
        effects.list.push(Effect::Write { token, area: Area::Extents, offset, buffer, flush: false });
    }

    /// Where an ailing page has its image, if nobody else may move it meanwhile, and writes find space at all.
    fn place_of_image(&self, key: SegmentKey, page: PageId) -> Option<u64> {
        let image = self.segments[&key].pages.get(page)?.image().filter(|_| !self.extents.is_refused())?;
        let is_collected = self.collector.extent() == Some(self.extents.extent_of(image.address));
        (!is_collected).then_some(image.address.offset())
    }

    /// A segment that is behind gets no page that it could take in: each has records that it lacks. If what waits for its
    /// ailing pages leaves no room for these records, it would stay so for ever. Then it gets all its pages.
    fn consider_all_pages(&mut self, key: SegmentKey, lsn: Lsn) {
        let segment = &self.segments[&key];
        let has_memory = self.pending.bytes() <= self.options.pending_bytes_max;
        let has_log = self.log.room_for(0, Space::Data).is_ok();
        if lsn > segment.scl && !(has_memory && has_log) && self.decide_hydration(key) {
            self.counters.hydrations_for_pages += 1;
        }
    }

    pub(crate) fn on_repaired_written(&mut self, now: Now, result: IoResult, effects: &mut Effects) {
        let Placed { key, page, image } = self.repairs.writing.take().expect("a write has its image");
        match result {
            IoResult::Done => {}
            IoResult::Failed(errno) => return self.fail("writing a repaired page", errno, effects),
            IoResult::NoSpace => {
                if !self.repairs.is_in_place {
                    let fill = self.extents.fill_of(self.extents.extent_of(image.address));
                    self.extents.give_back(fill, image.address.offset(), PAGE_SIZE as u64);
                }
                self.coalescing_ended(key, page);
                self.note_no_space(now, "a repaired page", effects);
                return self.end_repair(now, false);
            }
        }
        self.coalescing_ended(key, page);
        let is_in_place = self.repairs.is_in_place;
        let segment = self.segments.get_mut(&key).expect("segments stay");
        let is_wanted = segment.health.follows_log();
        let entry = segment.pages.get_mut(page).filter(|entry| is_wanted && image.lsn >= entry.merged_to());
        let Some(entry) = entry else {
            if !is_in_place {
                self.extents.release(image.address, PAGE_SIZE as u64);
            } else if let Some(entry) = segment.pages.get_mut(page) {
                // One that was quarantined alone had an image that was whole.
                entry.is_damaged = true;
            }
            return self.end_repair(now, false);
        };
        if entry.is_imageless() {
            self.extents.page_has_image();
        }
        let mut old = PageVersions { image: entry.set_image(image), delta: entry.take_delta(image.lsn) };
        for record in entry.take_merged() {
            segment.batches.merged(record.batch.first(), key, &mut self.pending);
        }
        if is_in_place {
            old.image = None;
            self.extents.mended(image.address);
        }
        (entry.chain, entry.reads) = (Chain::default(), 0);
        (entry.is_damaged, entry.is_quarantined) = (false, false);
        self.extents.release_versions(&old);
        self.note_versions_changed(key, page);
        self.counters.pages_repaired += 1;
        let text = format!("{page:?} of {} {:?} is mended, as it is at LSN {}", key.0, key.1, image.lsn);
        effects.list.push(Effect::Log(text));
        self.end_repair(now, true);
    }
}

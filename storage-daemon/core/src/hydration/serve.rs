//! The source's side: which pages go into an answer, and what has changed since they went.
//!
//! An answer's pages are chosen, and their recipes made, in one event, so all of them are as they are at one read point;
//! the device is read after that, and a version that was replaced meanwhile ends the session.

use crate::effects::{ConnectionId, Effects, Now};
use crate::pages::build::{Build, BuildError, Purpose};
use crate::pages::{PageTable, Recipe};
use crate::segment::{Segment, SegmentKey};
use crate::shard::Shard;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hexalog_protocol::message::{HydratePages, HydratePull, Message, RefusalReason};
use hexalog_protocol::{Lsn, PAGE_SIZE, Page, PageId, SegmentId};

/// Changed pages that a session remembers: 2 MiB. When more change than that while pages are copied, the copying is too
/// slow for the load, and begins anew.
const CHANGED_MAX: usize = 65_536;
/// Answers that wait for the device, in all: a MiB each.
const ANSWERS_MAX: usize = 2;
/// Sessions of a shard.
const SESSIONS_MAX: usize = 4;
/// A session that nobody goes on with for this many gossip intervals is dropped: 5 s by default.
const SESSION_INTERVALS: u64 = 50;

/// What a source knows of one asker.
#[derive(Debug)]
pub(crate) struct Session {
    number: u64,
    asker: SegmentId,
    turn: u32,
    /// Pages from here on have not been sent yet; `None`: all have.
    cursor: Option<PageId>,
    /// Pages that were sent and have a record since, with the first such record.
    changed: BTreeMap<PageId, Lsn>,
    used_us: u64,
}

impl Session {
    /// A page has a new record.
    pub fn note_record(&mut self, page: PageId, lsn: Lsn) {
        if self.cursor.is_none_or(|cursor| page < cursor) {
            self.changed.entry(page).and_modify(|first| *first = lsn.min(*first)).or_insert(lsn);
        }
    }

    fn is_overwhelmed(&self) -> bool {
        self.changed.len() > CHANGED_MAX
    }

    /// The next pages at `base`, at most `max` of them, and whether nothing is left then.
    fn next_pages(&mut self, pages: &PageTable, base: Lsn, max: usize) -> (Vec<(PageId, Recipe)>, bool) {
        let mut chosen = Vec::new();
        if let Some(cursor) = self.cursor {
            let mut rest = pages.range_from(cursor).map(|(page, _)| page);
            let now: Vec<PageId> = rest.by_ref().take(max).collect();
            self.cursor = rest.next();
            chosen.extend(now.into_iter().filter_map(|page| self.take_page(pages, page, base)));
        }
        if self.cursor.is_some() {
            return (chosen, false);
        }
        let room = max - chosen.len();
        let due = self.changed.iter().filter(|(_, first)| **first <= base).map(|(page, _)| *page);
        let due: Vec<PageId> = due.take(room + 1).collect();
        chosen.extend(due.iter().take(room).filter_map(|page| self.take_page(pages, *page, base)));
        (chosen, due.len() <= room)
    }

    /// A page is sent as it is at `base`. Records above that are changes.
    fn take_page(&mut self, pages: &PageTable, page: PageId, base: Lsn) -> Option<(PageId, Recipe)> {
        self.changed.remove(&page);
        let entry = pages.get(page)?;
        if let Some(above) = entry.pending.iter().find(|record| record.lsn > base) {
            self.changed.insert(page, above.lsn);
        }
        pages.recipe(page, base).map(|recipe| (page, recipe))
    }
}

/// An answer whose pages are being built.
#[derive(Debug)]
struct PagesAnswer {
    connection: ConnectionId,
    request_id: u64,
    pull: HydratePull,
    session: u64,
    base: Lsn,
    vdl_heard: Lsn,
    is_whole: bool,
    is_final: bool,
    pages_total: u64,
    images: Vec<u8>,
    left: usize,
    has_failed: bool,
}

/// Answers whose pages are being built.
#[derive(Debug, Default)]
pub(crate) struct PagesAnswers {
    running: BTreeMap<u64, PagesAnswer>,
    numbered: u64,
    sessions_numbered: u64,
}

impl Segment {
    /// Whether this segment may be a source for `pull`: sound, of the same epochs, not behind its own group, and far enough for
    /// the asker. One that cannot be brought on from here, such as one that gave up its log above the VDL that is known before
    /// an opening, would hold the session that another one needs.
    fn check_hydrate(&self, pull: &HydratePull) -> Result<(), RefusalReason> {
        self.check_gossip(pull.writer, pull.membership_epoch)?;
        if !self.gossip.peers().any(|peer| peer.segment == pull.asker) {
            return Err(RefusalReason::NotAllowed);
        }
        // While the volume is being opened nobody knows what stands above a gap: pages go as they are below it.
        let lacks_some = self.is_behind() && self.is_open();
        if lacks_some || self.tail_heard() < pull.base_min { Err(RefusalReason::NotComplete) } else { Ok(()) }
    }
}

impl Shard {
    pub(crate) fn on_hydrate_pull(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request_id: u64,
        pull: &HydratePull,
        effects: &mut Effects,
    ) {
        let key = (pull.volume, pull.group);
        let allowed = match self.segments.get(&key) {
            None => Err(RefusalReason::UnknownSegment),
            Some(segment) => segment.check_hydrate(pull),
        };
        let is_busy =
            !self.has_index() || self.pages_answers.running.len() >= ANSWERS_MAX || self.has_many_reads();
        let allowed = allowed.and(if is_busy { Err(RefusalReason::Busy) } else { Ok(()) });
        let allowed = allowed.and_then(|()| self.continue_session(now, key, pull));
        if let Err(reason) = allowed {
            if reason == RefusalReason::NotComplete {
                // It asks another source: its session here would keep others waiting.
                let segment = self.segments.get_mut(&key).expect("it refused");
                segment.session.take_if(|session| session.asker == pull.asker);
            }
            return self.refuse(connection, request_id, reason, key, "hydration", effects);
        }
        self.begin_pages_answer(now, connection, request_id, pull, effects);
    }

    /// Begins a session, or checks that this is the next turn of the one that there is.
    fn continue_session(
        &mut self,
        now: Now,
        key: SegmentKey,
        pull: &HydratePull,
    ) -> Result<(), RefusalReason> {
        let expired_us = SESSION_INTERVALS * self.options.gossip_interval_us;
        for segment in self.segments.values_mut() {
            segment.session.take_if(|session| {
                session.is_overwhelmed() || now.monotonic_us > session.used_us + expired_us
            });
        }
        let sessions = self.segments.values().filter(|segment| segment.session.is_some()).count();
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        if pull.session != 0 {
            let session = segment.session.as_mut().filter(|session| {
                session.number == pull.session && session.turn == pull.turn && session.asker == pull.asker
            });
            return session
                .map(|session| session.used_us = now.monotonic_us)
                .ok_or(RefusalReason::NotAllowed);
        }
        // An asker that begins anew has lost its old session; another one must wait.
        let is_anothers = segment.session.as_ref().is_some_and(|session| session.asker != pull.asker);
        if is_anothers || (segment.session.is_none() && sessions >= SESSIONS_MAX) {
            return Err(RefusalReason::Busy);
        }
        self.pages_answers.sessions_numbered += 1;
        // One of an earlier run of this daemon is never taken for one of this.
        let number = (self.options.incarnation ^ self.pages_answers.sessions_numbered).max(1);
        let (asker, used_us) = (pull.asker, now.monotonic_us);
        let cursor = Some(PageId(0));
        segment.session = Some(Session { number, asker, turn: 0, cursor, changed: BTreeMap::new(), used_us });
        Ok(())
    }

    fn begin_pages_answer(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request_id: u64,
        pull: &HydratePull,
        effects: &mut Effects,
    ) {
        let key = (pull.volume, pull.group);
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        let (base, vdl_heard) = (segment.tail_heard(), segment.vdl_heard);
        assert!(base <= vdl_heard || base == segment.base, "what is above the VDL may be annulled");
        let pages_max = pull.pages_max.clamp(1, self.options.hydration_pages_max) as usize;
        let session = segment.session.as_mut().expect("the caller saw to it");
        let (chosen, is_final) = session.next_pages(&segment.pages, base, pages_max);
        session.turn += 1;
        let number = session.number;
        let is_whole = session.cursor.is_none();
        let is_quarantined = |page: &PageId| segment.pages.get(*page).is_some_and(|it| it.is_quarantined);
        if chosen.iter().any(|(page, _)| is_quarantined(page)) {
            segment.session = None;
            return self.refuse(
                connection,
                request_id,
                RefusalReason::Quarantined,
                key,
                "hydration",
                effects,
            );
        }
        if is_final {
            segment.session = None;
            self.keep_log_above(now, key, pull.asker, base);
        }
        let segment = &self.segments[&key];
        let answer = PagesAnswer {
            connection,
            request_id,
            pull: pull.clone(),
            session: number,
            base,
            vdl_heard: vdl_heard.max(base),
            is_whole,
            is_final,
            pages_total: segment.pages.count() as u64,
            images: alloc::vec![0; chosen.len() * PAGE_SIZE],
            left: chosen.len(),
            has_failed: false,
        };
        if chosen.is_empty() {
            return self.send_pages(answer, effects);
        }
        self.pages_answers.numbered += 1;
        let number = self.pages_answers.numbered;
        self.pages_answers.running.insert(number, answer);
        for (index, (page, recipe)) in chosen.into_iter().enumerate() {
            let purpose = Purpose::Hydrate { answer: number, index };
            self.begin_build(purpose, key, page, base, recipe, effects);
        }
    }

    /// The asker will want log from `base` on: until it asks, it is kept as for any member.
    fn keep_log_above(&mut self, now: Now, key: SegmentKey, asker: SegmentId, base: Lsn) {
        let position = self.log.durable().position;
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        segment.beyond_retention.remove(&asker);
        segment.decided.beyond_retention.remove(&asker);
        segment.gossip.member_hydrated(asker, base, position, now.monotonic_us);
    }

    pub(crate) fn finish_hydrating(
        &mut self,
        (number, index): (u64, usize),
        build: &Build,
        built: Result<Page, BuildError>,
        effects: &mut Effects,
    ) {
        match &built {
            Err(BuildError::Damaged) if !self.was_superseded(build) => {
                self.note_damaged_block(build, effects)
            }
            Err(BuildError::Unfit(error)) => {
                let why = alloc::format!("{error:?}");
                self.quarantine(build.key, build.page, effects, &why);
            }
            Ok(_) | Err(BuildError::Damaged) => {}
        }
        let answer = self.pages_answers.running.get_mut(&number).expect("a build has its answer");
        match built {
            Ok(mut page) => {
                page.seal_for_wire();
                answer.images[index * PAGE_SIZE..][..PAGE_SIZE].copy_from_slice(page.bytes());
            }
            Err(_) => answer.has_failed = true,
        }
        answer.left -= 1;
        if answer.left == 0 {
            let answer = self.pages_answers.running.remove(&number).expect("just seen");
            self.send_pages(answer, effects);
        }
    }

    fn send_pages(&mut self, answer: PagesAnswer, effects: &mut Effects) {
        let (connection, request_id) = (answer.connection, answer.request_id);
        let key = (answer.pull.volume, answer.pull.group);
        if !self.connections.is_there(connection) {
            return;
        }
        let segment = self.segments.get_mut(&key).expect("segments stay");
        // Epochs may have changed while the device read.
        let allowed = segment.check_gossip(answer.pull.writer, answer.pull.membership_epoch);
        let allowed = if answer.has_failed { Err(RefusalReason::Busy) } else { allowed };
        if let Err(reason) = allowed {
            segment.session.take_if(|session| session.number == answer.session);
            return self.refuse(connection, request_id, reason, key, "hydration", effects);
        }
        let pages = HydratePages {
            volume: key.0,
            group: key.1,
            writer: segment.promised,
            membership_epoch: segment.members_promised,
            session: answer.session,
            turn: answer.pull.turn,
            base: answer.base,
            vdl_heard: answer.vdl_heard,
            is_whole: answer.is_whole,
            is_final: answer.is_final,
            pages_total: answer.pages_total,
            history: segment.history.clone(),
            images: &answer.images,
        };
        self.counters.hydration_pages_sent += (answer.images.len() / PAGE_SIZE) as u64;
        Message::HydratePages(pages).encode(request_id, effects.send(connection));
    }
}

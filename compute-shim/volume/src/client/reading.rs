//! Page reads: who is asked, and when another one is.
//!
//! A read goes to the member that may be expected to answer first. When its answer is overdue, it may be sent to a second
//! member as well, and the first answer wins: a hedge. Hedges help against an outlier and harm when everything is slow, so
//! three things bound them: a token bucket ([`HEDGE_PERCENT`] of reads), no hedge to a member that itself owes an overdue
//! answer, and so none at all when all members are slow. A member that has been silent for long is given up instead: its
//! reads go elsewhere without a token, since nothing else would answer them.

use super::Client;
use crate::config::{LinkIndex, Slot};
use crate::effects::{Effect, Effects, Now, ReadFailure};
use crate::link::LinkState;
use crate::read_latency::OVERDUE_US_UNKNOWN;
use alloc::format;
use hexalog_protocol::message::{Message, PageImage, ReadPage};
use hexalog_protocol::{GroupId, Lsn, Page};

/// One read in this many goes to another member than the nearest, to learn how near that has become.
const PROBE_EVERY: u64 = 64;
/// A member is given up for a read that has waited this long, or this many times what the member usually takes.
const GIVE_UP_US_MIN: u64 = 50_000;
const GIVE_UP_FACTOR: u64 = 8;
/// When all members are slow, a read that has waited this long is sent to the next one all the same: an answer may have
/// been lost with a connection that nobody has noticed to be gone.
const SEND_AGAIN_US: u64 = 1_000_000;
/// An overdue read for which nothing could be done is looked at again after this long.
const LOOK_AGAIN_US: u64 = 1_000;

/// What is done about a read.
enum Step {
    /// It is sent there.
    Send(LinkIndex),
    /// The same, as a hedge.
    Hedge(LinkIndex),
    /// Later.
    LookAgain,
    /// Everyone was asked, or nobody can be: another round after a pause.
    NewRound,
}

impl Client {
    pub(super) fn send_reads(&mut self, now: Now, effects: &mut Effects) {
        if !self.is_open() {
            return;
        }
        for key in self.reads.due(now) {
            match self.next_step(key, now) {
                Step::Send(link) => self.send_read(key, link, now, effects),
                Step::Hedge(link) => {
                    if self.reads.take_hedge() {
                        self.counters.hedges += 1;
                        self.send_read(key, link, now, effects);
                    } else {
                        self.reads.look_again(key, now.monotonic_us + LOOK_AGAIN_US);
                    }
                }
                Step::LookAgain => self.reads.look_again(key, now.monotonic_us + LOOK_AGAIN_US),
                Step::NewRound => self.reads.wait_and_retry(key, now),
            }
        }
    }

    fn send_read(&mut self, key: u64, link: LinkIndex, now: Now, effects: &mut Effects) {
        let id = self.next_request;
        self.next_request += 1;
        self.counters.read_requests += 1;
        let read = self.reads.get(key).expect("due reads are under way");
        let request = ReadPage {
            volume: self.config.volume,
            group: read.group,
            page: read.page,
            read_point: read.read_point,
            group_tail: read.tail,
            writer: self.writer,
            membership_epoch: self.config.groups[read.group.0 as usize].epoch,
            geometry_epoch: self.config.geometry_epoch,
        };
        let overdue_us = self.overdue_us(read.group, read.tail);
        Message::ReadPage(request).encode(id, effects.send(link));
        self.links[link.0].read_latency.sent(id, now);
        self.reads.sent(key, id, link, now.monotonic_us + overdue_us, now);
    }

    fn next_step(&self, key: u64, now: Now) -> Step {
        let read = self.reads.get(key).expect("due reads are under way");
        let any = || {
            let member = self.choose_member(read.group, read.tail, &read.tried, now);
            member.map_or(Step::NewRound, Step::Send)
        };
        let Some((asked, waited_us)) = read.last_request(now) else { return any() };
        let others = self.complete(read.group, read.tail);
        let others =
            others.filter(|link| !read.tried.contains(link) && !self.links[link.0].read_latency.is_slow(now));
        let nearest = others.min_by_key(|link| self.links[link.0].read_latency.expected_us(now));
        let usual_us = self.links[asked.0].read_latency.usual_us();
        match nearest {
            Some(link) if waited_us >= GIVE_UP_US_MIN.max(GIVE_UP_FACTOR * usual_us) => Step::Send(link),
            Some(link) => Step::Hedge(link),
            None if waited_us >= SEND_AGAIN_US => any(),
            None => Step::LookAgain,
        }
    }

    /// An answer is overdue when it takes longer than the fastest complete member usually takes at most: whoever was asked,
    /// that one might have answered by then.
    fn overdue_us(&self, group: GroupId, tail: Lsn) -> u64 {
        let usual = self.complete(group, tail).map(|link| self.links[link.0].read_latency.overdue_us());
        usual.min().unwrap_or(OVERDUE_US_UNKNOWN)
    }

    /// Members that are up and known to have every record up to `tail`.
    fn complete(&self, group: GroupId, tail: Lsn) -> impl Iterator<Item = LinkIndex> + Clone + '_ {
        let links = self.routes.members_of_group(group).iter().enumerate();
        let complete = links.filter(move |(slot, link)| {
            self.links[link.0].state == LinkState::Streaming
                && self.durability.scl(group, Slot(*slot)).is_some_and(|scl| scl >= tail)
        });
        complete.map(|(_, link)| *link)
    }

    /// The nearest member that is known complete and was not asked yet; failing that, any that is up: its SCL may
    /// have moved unheard.
    fn choose_member(&self, group: GroupId, tail: Lsn, tried: &[LinkIndex], now: Now) -> Option<LinkIndex> {
        let complete = self.complete(group, tail).filter(|link| !tried.contains(link));
        let nearest = complete.clone().min_by_key(|link| self.links[link.0].read_latency.expected_us(now));
        let probe = self.counters.read_requests % PROBE_EVERY == PROBE_EVERY - 1;
        let other = probe.then(|| {
            let turn = (self.counters.read_requests / PROBE_EVERY) as usize;
            complete.clone().nth(turn % complete.clone().count().max(1))
        });
        let is_up =
            |link: &&LinkIndex| self.links[link.0].state == LinkState::Streaming && !tried.contains(link);
        let any = || self.routes.members_of_group(group).iter().find(is_up).copied();
        other.flatten().or(nearest).or_else(any)
    }

    pub(super) fn page_came(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        image: &PageImage<'_>,
        now: Now,
        effects: &mut Effects,
    ) {
        let is_never_written = image.image.is_empty();
        let page = Page::from_bytes(image.image).filter(|page| page.verify(self.config.volume, image.page));
        if page.is_none() && !is_never_written {
            let address = self.links[link.0].address;
            effects
                .list
                .push(Effect::Log(format!("{address}: bad image of {}; asking another member", image.page)));
            self.read_refused(link, request_id);
            return;
        }
        // A late answer tells of its member all the same.
        self.links[link.0].read_latency.answered(request_id, now);
        let Some(read) = self.reads.answered(request_id) else { return };
        assert_eq!(read.page, image.page, "the answer is to this request");
        let image = page.ok_or(ReadFailure::NeverWritten);
        let from = Some(self.routes.nodes[link.0]);
        effects.list.push(Effect::Page { page: read.page, read_point: read.read_point, image, from });
    }

    /// Another member is asked at once. False if the request is not a read under way.
    pub(super) fn read_refused(&mut self, link: LinkIndex, request_id: u64) -> bool {
        self.links[link.0].read_latency.refused(request_id);
        self.reads.refused(request_id)
    }

    pub(super) fn fail_reads(&mut self, failure: ReadFailure, effects: &mut Effects) {
        for (page, read_point) in self.reads.take_all() {
            effects.list.push(Effect::Page { page, read_point, image: Err(failure), from: None });
        }
    }
}

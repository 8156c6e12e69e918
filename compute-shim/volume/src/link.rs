//! One connection to one shard: its life from connect to streaming, its cursor into the ring, its frames in
//! flight.
//!
//! ```text
//! Down ─► Connecting ─► Greeting ─► Bumping ─► Joining ─► Querying ─► Streaming
//!   ▲        (hello)      (bump)    (install history)  (status)    (write frames)
//!   └──────────────────────── any close ───────────────────────────────┘
//! ```
//! An opener goes through all of it; a link that comes up later skips the bump, since the history alone fences.
//! A read-only client goes from `Greeting` to `Querying`.

use crate::durability::Durability;
use crate::effects::Now;
use crate::log::{Log, Sealed};
use crate::read_latency::ReadLatency;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::message::{Message, Room, Write, WriterHead};
use hexalog_protocol::{GroupId, Lsn, MembershipEpoch};

use crate::config::Slot;

/// Frames sent and not acknowledged on one connection: one that the shard writes, one that fills its next
/// append meanwhile. More would only queue.
pub const FRAMES_IN_FLIGHT_MAX: usize = 2;
/// Batches beyond this go into the next frame.
pub const FRAME_BATCH_BYTES_MAX: usize = 256 * 1024;
/// A notice goes when VDL moved and no frame told it for this long.
const NOTICE_AFTER_US: u64 = 20_000;
/// A member whose state is lost is told its group's tail this often: it may have heard nothing while it did not know who writes.
const LOST_NOTICE_US: u64 = 100_000;
/// First wait before a connection is tried again; doubles up to the second.
const RETRY_US_MIN: u64 = 20_000;
const RETRY_US_MAX: u64 = 500_000;
/// A member that refused batches for want of room is sent nothing for this long, then all that it lacks;
/// doubles while it goes on refusing. The first is a few of its background slices, the last caps what is sent in vain.
const REFUSED_PAUSE_US_MIN: u64 = 5_000;
const REFUSED_PAUSE_US_MAX: u64 = 20_000;

/// Where a link is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// No connection; tried again at this monotonic time.
    Down {
        /// When.
        retry_at_us: u64,
    },
    /// Asked for, not yet there.
    Connecting,
    /// Hello sent.
    Greeting,
    /// Welcomed; the opening decides what comes next.
    Bumping,
    /// Epoch history sent.
    Joining,
    /// Status asked for.
    Querying,
    /// Takes write frames and reads.
    Streaming,
}

struct FrameInFlight {
    request_id: u64,
    vdl: Lsn,
    pgmrpl: Lsn,
    tails: Vec<(GroupId, Lsn)>,
    sent_at_us: u64,
    /// Some of it was refused for want of room.
    is_refused: bool,
}

/// One group's member on this link.
struct Served {
    group: GroupId,
    slot: Slot,
    membership_epoch: MembershipEpoch,
    /// The last tail that the member knows; `None` until it was told one: of a group without records too, else the
    /// member would never be sure that it has all of nothing, and ask its peers for ever.
    tail_acknowledged: Option<Lsn>,
    /// The member said that its state is lost: it takes no batches, and the link's other groups must not suffer.
    is_lost: bool,
    /// The shard has another segment of the group than the one that is meant.
    is_another: bool,
}

/// A connection to one shard.
pub struct Link {
    /// Where the shard listens.
    pub address: SocketAddr,
    /// Where the link is in its life.
    pub state: LinkState,
    served: Vec<Served>,
    /// Ring position of the next batch to send; `None`: from the first that the member lacks.
    cursor: Option<u64>,
    in_flight: VecDeque<FrameInFlight>,
    vdl_acknowledged: Lsn,
    pgmrpl_acknowledged: Lsn,
    last_frame_us: u64,
    retry_us: u64,
    /// Nothing is sent before this time.
    paused_until_us: u64,
    refused_pause_us: u64,
    /// Its segments were named to it since it last had all of them, and knew what it had promised.
    pub has_named_segments: bool,
    /// What the member last told of its room, on this connection.
    pub room: Room,
    /// How fast the member answers reads.
    pub read_latency: ReadLatency,
}

impl Link {
    /// A link that connects at the first tick.
    pub fn new(address: SocketAddr, groups: impl Iterator<Item = (GroupId, Slot, MembershipEpoch)>) -> Link {
        let served = groups
            .map(|(group, slot, membership_epoch)| Served {
                group,
                slot,
                membership_epoch,
                tail_acknowledged: None,
                is_lost: false,
                is_another: false,
            })
            .collect();
        Link {
            address,
            state: LinkState::Down { retry_at_us: 0 },
            served,
            cursor: None,
            in_flight: VecDeque::with_capacity(FRAMES_IN_FLIGHT_MAX),
            vdl_acknowledged: Lsn::ZERO,
            pgmrpl_acknowledged: Lsn::ZERO,
            last_frame_us: 0,
            retry_us: RETRY_US_MIN,
            paused_until_us: 0,
            refused_pause_us: REFUSED_PAUSE_US_MIN,
            has_named_segments: false,
            room: Room::Ample,
            read_latency: ReadLatency::default(),
        }
    }

    /// A group's members have changed: from the next frame on what is sent of it is under that epoch, and the member here stands at
    /// this slot, or nobody does. A candidate gets nothing before it tells that it has got what stood before.
    pub fn set_served(
        &mut self,
        group: GroupId,
        slot: Option<Slot>,
        membership_epoch: MembershipEpoch,
        is_new: bool,
    ) {
        let Some(slot) = slot else { return self.served.retain(|served| served.group != group) };
        match self.served.iter_mut().find(|served| served.group == group).filter(|_| !is_new) {
            Some(served) => (served.slot, served.membership_epoch) = (slot, membership_epoch),
            None => {
                self.served.retain(|served| served.group != group);
                let tail_acknowledged = None;
                self.served.push(Served {
                    group,
                    slot,
                    membership_epoch,
                    tail_acknowledged,
                    is_lost: true,
                    is_another: false,
                });
            }
        }
    }

    /// Whether it serves a member or candidate of this group.
    pub fn serves(&self, group: GroupId) -> bool {
        self.served.iter().any(|served| served.group == group)
    }

    /// Whether it serves anything: a link that does not is told nothing more, and not made again.
    pub fn is_wanted(&self) -> bool {
        !self.served.is_empty()
    }

    /// The groups that have a member here.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, Slot)> + '_ {
        self.served.iter().map(|served| (served.group, served.slot))
    }

    /// Whether requests can be sent.
    pub fn is_up(&self) -> bool {
        !matches!(self.state, LinkState::Down { .. } | LinkState::Connecting | LinkState::Greeting)
    }

    /// Whether a write frame can go now.
    pub fn has_room(&self, now: Now) -> bool {
        self.state == LinkState::Streaming
            && self.in_flight.len() < FRAMES_IN_FLIGHT_MAX
            && now.monotonic_us >= self.paused_until_us
    }

    /// Write frames that are not acknowledged.
    pub fn frames_in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether a write frame with this request id is unacknowledged.
    pub fn is_in_flight(&self, request_id: u64) -> bool {
        self.in_flight.iter().any(|frame| frame.request_id == request_id)
    }

    /// The member had no room for a batch of this frame. After a pause all that it lacks is sent again: what it holds by
    /// then above the gap costs it nothing, and what left the ring meanwhile it gets from its peers. True if that begins a
    /// pause.
    pub fn refused_for_room(&mut self, request_id: u64, now: Now) -> bool {
        for frame in self.in_flight.iter_mut().filter(|frame| frame.request_id == request_id) {
            frame.is_refused = true;
        }
        self.cursor = None;
        let begins = now.monotonic_us >= self.paused_until_us;
        if begins {
            self.paused_until_us = now.monotonic_us + self.refused_pause_us;
            self.refused_pause_us = (self.refused_pause_us * 2).min(REFUSED_PAUSE_US_MAX);
        }
        begins
    }

    /// The shard told which segment of the group it has.
    pub fn set_another(&mut self, group: GroupId, is_another: bool) {
        for served in self.served.iter_mut().filter(|served| served.group == group) {
            served.is_another = is_another;
        }
    }

    /// Whether what the shard tells of the group is of another segment than the one that is meant.
    pub fn has_another(&self, group: GroupId) -> bool {
        self.served.iter().any(|served| served.group == group && served.is_another)
    }

    /// Whether the group's member here has lost its state, as it last told.
    pub fn is_lost(&self, group: GroupId) -> bool {
        self.served.iter().any(|served| served.group == group && served.is_lost)
    }

    /// The group's member told whether its state is lost.
    pub fn set_lost(&mut self, group: GroupId, is_lost: bool) {
        for served in self.served.iter_mut().filter(|served| served.group == group) {
            if served.is_lost && !is_lost {
                // It is told where the group stands, and sent what it lacks; what is not in the ring it gets from its peers.
                self.cursor = None;
                self.vdl_acknowledged = Lsn::ZERO;
                served.tail_acknowledged = None;
            }
            served.is_lost = is_lost;
        }
    }

    /// The connection is gone: what was in flight is forgotten and sent again from the ring.
    pub fn closed(&mut self, now: Now) {
        self.state = LinkState::Down { retry_at_us: now.monotonic_us + self.retry_us };
        self.retry_us = (self.retry_us * 2).min(RETRY_US_MAX);
        self.room = Room::Ample;
        self.read_latency.closed();
        self.in_flight.clear();
    }

    /// The member has the current history and has told its SCLs: frames go from the first batch that it lacks.
    pub fn begin_streaming(&mut self) {
        self.state = LinkState::Streaming;
        self.has_named_segments = false;
        self.retry_us = RETRY_US_MIN;
        self.cursor = None;
        self.paused_until_us = 0;
        self.refused_pause_us = REFUSED_PAUSE_US_MIN;
        self.in_flight.clear();
        self.vdl_acknowledged = Lsn::ZERO;
        self.pgmrpl_acknowledged = Lsn::ZERO;
        self.served.iter_mut().for_each(|served| served.tail_acknowledged = None);
    }

    /// A write frame was acknowledged. Returns how long it took.
    pub fn acknowledged(&mut self, request_id: u64, now: Now) -> Option<u64> {
        let at = self.in_flight.iter().position(|frame| frame.request_id == request_id)?;
        let frame = self.in_flight.remove(at).expect("position found it");
        self.vdl_acknowledged = self.vdl_acknowledged.max(frame.vdl);
        self.pgmrpl_acknowledged = self.pgmrpl_acknowledged.max(frame.pgmrpl);
        if !frame.is_refused {
            self.refused_pause_us = REFUSED_PAUSE_US_MIN;
        }
        for (group, tail) in frame.tails {
            if let Some(served) = self.served.iter_mut().find(|served| served.group == group) {
                served.tail_acknowledged = served.tail_acknowledged.max(Some(tail));
            }
        }
        Some(now.monotonic_us.saturating_sub(frame.sent_at_us))
    }

    /// Whether the oldest unacknowledged frame has waited longer than `limit_us`.
    pub fn is_overdue(&self, now: Now, limit_us: u64) -> bool {
        self.in_flight.front().is_some_and(|frame| now.monotonic_us > frame.sent_at_us + limit_us)
    }

    /// Whether there is something to tell and nothing has told it for a while.
    fn notice_is_due(&self, head: &WriterHead, now: Now) -> bool {
        let after_us = self.notice_after_us(head);
        self.in_flight.is_empty()
            && after_us.is_some_and(|after| now.monotonic_us >= self.last_frame_us + after)
    }

    /// How long after the last frame there is something to tell without a batch.
    fn notice_after_us(&self, head: &WriterHead) -> Option<u64> {
        if head.vdl > self.vdl_acknowledged || head.pgmrpl > self.pgmrpl_acknowledged {
            return Some(NOTICE_AFTER_US);
        }
        self.served.iter().any(|served| served.is_lost).then_some(LOST_NOTICE_US)
    }

    /// Where to go on with a member whose cursor is lost or has left the ring: at the first batch that it lacks. A group
    /// whose missing batches have partly left the ring is sent only what is not durable: up to there its peers have to
    /// bring it in any case, and all between would only be held above the gap meanwhile.
    fn resume_position(&self, log: &Log, durability: &Durability) -> u64 {
        let first_not_durable = log.first_not_durable();
        let is_wanted = |(position, sealed): &(u64, &Sealed)| {
            let served = self.served.iter().find(|served| served.group == sealed.group && !served.is_lost);
            let Some(served) = served else { return false };
            let scl = durability.scl(served.group, served.slot).unwrap_or(Lsn::ZERO);
            sealed.last > scl && (*position >= first_not_durable || log.reaches_down_to(served.group, scl))
        };
        log.sealed_from(log.ring_first()).find(is_wanted).map_or(log.ring_end(), |(position, _)| position)
    }

    /// Appends a write frame if there is room and something to say: all sealed batches of the link's groups from
    /// the cursor, up to [`FRAME_BATCH_BYTES_MAX`], or a notice. True if one was appended.
    pub fn fill_frame(
        &mut self,
        log: &Log,
        durability: &Durability,
        head: &WriterHead,
        request_id: u64,
        now: Now,
        out: &mut dyn FnMut(&Message<'_>),
    ) -> bool {
        if !self.has_room(now) || !self.is_wanted() {
            return false;
        }
        let mut entries = Vec::new();
        let at = self.cursor.filter(|cursor| *cursor >= log.ring_first());
        let mut cursor = at.unwrap_or_else(|| self.resume_position(log, durability));
        for (position, sealed) in log.sealed_from(cursor) {
            let lacks = |served: &Served| {
                durability.scl(served.group, served.slot).is_none_or(|scl| scl < sealed.last)
            };
            let takes = |served: &&Served| served.group == sealed.group && !served.is_lost && lacks(served);
            if let Some(served) = self.served.iter().find(takes) {
                let bytes = sealed.bytes.len() + Write::ENTRY_OVERHEAD_BYTES;
                if !entries.is_empty() && entries.len() + bytes > FRAME_BATCH_BYTES_MAX {
                    break;
                }
                Write::put_entry(&mut entries, served.membership_epoch, &sealed.bytes);
            }
            cursor = position + 1;
        }
        self.cursor = Some(cursor);
        if entries.is_empty() && !self.notice_is_due(head, now) {
            return false;
        }
        let tails: Vec<(GroupId, Lsn)> = self
            .served
            .iter()
            .filter(|served| {
                served.is_lost
                    || served.tail_acknowledged.is_none_or(|told| durability.tail(served.group) > told)
            })
            .map(|served| (served.group, durability.tail(served.group)))
            .collect();
        let head = WriterHead { tails: tails.clone(), ..head.clone() };
        self.in_flight.push_back(FrameInFlight {
            request_id,
            vdl: head.vdl,
            pgmrpl: head.pgmrpl,
            tails,
            sent_at_us: now.monotonic_us,
            is_refused: false,
        });
        self.last_frame_us = now.monotonic_us;
        assert!(self.in_flight.len() <= FRAMES_IN_FLIGHT_MAX);
        out(&Message::Write(Write { head, entries: &entries }));
        true
    }

    /// When [`Link::fill_frame`] or a reconnect may have something to do without any event.
    pub fn next_deadline_us(&self, head: &WriterHead, now: Now) -> Option<u64> {
        match self.state {
            _ if !self.is_wanted() => None,
            LinkState::Down { retry_at_us } => Some(retry_at_us),
            LinkState::Streaming if self.paused_until_us > now.monotonic_us => Some(self.paused_until_us),
            LinkState::Streaming if self.in_flight.is_empty() => {
                self.notice_after_us(head).map(|after| self.last_frame_us + after)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lal;
    use hexalog_protocol::frame::read_frame;
    use hexalog_protocol::geometry::Geometry;
    use hexalog_protocol::ids::WriterId;
    use hexalog_protocol::mtr::Mtr;
    use hexalog_protocol::quorum::QuorumModel;
    use hexalog_protocol::record::Operation;
    use hexalog_protocol::{PageId, VolumeId};

    const NOW: Now = Now { monotonic_us: 1, wall_us: 1 };
    /// Encoded size of the batches below: one record each.
    const BATCH_BYTES: u64 = 37;

    /// A writer of two groups, and its link to one of their members.
    struct Streaming {
        log: Log,
        durability: Durability,
        link: Link,
        frames_numbered: u64,
    }

    impl Streaming {
        /// The ring keeps `batches_kept` durable batches.
        fn new(batches_kept: u64) -> Streaming {
            let tails = [Lsn(100), Lsn(100)];
            let geometry = Geometry { pages_per_group: 16, groups: 2 };
            let lal = Lal { records: 64, bytes: batches_kept * BATCH_BYTES };
            let served = (0..2).map(|group| (GroupId(group), Slot(5), MembershipEpoch(1)));
            let mut link = Link::new(SocketAddr::from(([127, 0, 0, 1], 7000)), served);
            link.begin_streaming();
            let mut durability = Durability::new(QuorumModel::FOUR_OF_SIX, Lsn(100), &tails);
            durability.set_scl(GroupId(0), Slot(5), Lsn(100));
            durability.set_scl(GroupId(1), Slot(5), Lsn(100));
            Streaming { log: Log::new(geometry, lal, Lsn(100), &tails), durability, link, frames_numbered: 0 }
        }

        /// A batch of one record for each of these groups.
        fn append(&mut self, groups: &[u64]) {
            for group in groups {
                let mut mtr = Mtr::new();
                mtr.begin_record(PageId(group * 16 + 1), Lsn::ZERO);
                mtr.push(&Operation::Format);
                let lsn = self.log.append(&mut mtr, &mut |_, _| {});
                self.log.want(lsn);
                self.log.seal_wanted();
            }
        }

        /// The other members have all up to `lsn`.
        fn becomes_durable(&mut self, lsn: u64) {
            for slot in 0..4 {
                self.durability.set_scl(GroupId(0), Slot(slot), Lsn(lsn));
                self.durability.set_scl(GroupId(1), Slot(slot), Lsn(lsn));
            }
            assert!(self.durability.advance(&mut self.log));
            assert_eq!(self.log.durable(), Lsn(lsn));
        }

        /// LSNs of the next frame's batches.
        fn frame(&mut self) -> Vec<u64> {
            self.frames_numbered += 1;
            let head = WriterHead {
                volume: VolumeId([3; 16]),
                writer: WriterId::default(),
                vdl: self.log.durable(),
                pgmrpl: Lsn::ZERO,
                wall_time_us: 1,
                tails: Vec::new(),
            };
            let mut bytes = Vec::new();
            let (id, link) = (self.frames_numbered, &mut self.link);
            link.fill_frame(&self.log, &self.durability, &head, id, NOW, &mut |message| {
                message.encode(id, &mut bytes);
            });
            let Some(frame) = read_frame(&bytes).expect("valid") else { return Vec::new() };
            let Ok(Message::Write(write)) = Message::decode(&frame) else { panic!("a write frame") };
            write.batches().map(|batch| batch.expect("valid").1.first.0).collect()
        }

        fn acknowledged(&mut self, frame: u64, scls: [u64; 2]) {
            self.link.acknowledged(frame, NOW);
            self.durability.set_scl(GroupId(0), Slot(5), Lsn(scls[0]));
            self.durability.set_scl(GroupId(1), Slot(5), Lsn(scls[1]));
        }
    }

    /// Found by a bulk load: members that were two frames slower than the fourth fastest lost their place in the ring each
    /// time VDL moved, held what came after the gap, refused more of it, and were left to gossip.
    #[test]
    fn a_member_that_is_a_little_slower_gets_everything_in_order() {
        let mut writer = Streaming::new(8);
        writer.append(&[0, 1]);
        assert_eq!(writer.frame(), [101, 102]);
        writer.append(&[0, 0]);
        assert_eq!(writer.frame(), [103, 104]);
        writer.append(&[1, 0]);
        assert_eq!(writer.frame(), [], "two frames are in flight");
        writer.becomes_durable(106);
        writer.acknowledged(1, [101, 102]);
        assert_eq!(writer.frame(), [105, 106]);
    }

    #[test]
    fn after_a_refusal_it_is_sent_what_it_lacks() {
        let mut writer = Streaming::new(8);
        writer.append(&[0, 1, 0, 1, 0]);
        assert_eq!(writer.frame(), [101, 102, 103, 104, 105]);
        // It took the first three.
        assert!(writer.link.refused_for_room(1, NOW));
        writer.acknowledged(1, [103, 102]);
        writer.becomes_durable(105);
        assert_eq!(writer.frame(), [], "it is given a pause");
        writer.link.paused_until_us = 0;
        assert_eq!(writer.frame(), [104, 105]);
    }

    /// Group 0 lacks what has left the ring: its peers must bring it up to VDL in any case. Group 1 has all of that.
    #[test]
    fn beyond_the_ring_its_peers_bring_it_up_to_what_is_not_durable() {
        let mut writer = Streaming::new(2);
        writer.append(&[0, 0, 1, 0]);
        writer.becomes_durable(104);
        writer.append(&[0, 1]);
        writer.acknowledged(0, [100, 100]);
        assert_eq!(writer.frame(), [103, 104, 105, 106], "group 1 goes on from its SCL");
        let mut writer = Streaming::new(2);
        writer.append(&[0, 0, 1, 0]);
        writer.becomes_durable(104);
        writer.append(&[0, 1]);
        writer.acknowledged(0, [100, 103]);
        assert_eq!(writer.frame(), [105, 106]);
    }
    /// The link's other groups must not suffer.
    #[test]
    fn a_lost_member_is_sent_nothing_and_the_others_on_its_link_all() {
        let mut writer = Streaming::new(8);
        writer.link.set_lost(GroupId(0), true);
        assert_eq!([0, 1, 2].map(|group| writer.link.is_lost(GroupId(group))), [true, false, false]);
        writer.append(&[0, 1, 0]);
        assert_eq!(writer.frame(), [102]);
        // Whole again, it is told where its group stands.
        writer.link.set_lost(GroupId(0), false);
        assert!(!writer.link.is_lost(GroupId(0)));
        writer.acknowledged(1, [100, 102]);
        assert_eq!(writer.frame(), [101, 103]);
    }

    /// A deadline that is always past would have the driver spin.
    #[test]
    fn an_idle_link_has_no_deadline_and_a_paused_one_its_pause() {
        let mut writer = Streaming::new(8);
        let head = WriterHead {
            volume: VolumeId([3; 16]),
            writer: WriterId::default(),
            vdl: Lsn::ZERO,
            pgmrpl: Lsn::ZERO,
            wall_time_us: 1,
            tails: Vec::new(),
        };
        assert_eq!(writer.link.next_deadline_us(&head, NOW), None);
        let news = WriterHead { vdl: Lsn(101), ..head.clone() };
        assert_eq!(writer.link.next_deadline_us(&news, NOW), Some(NOTICE_AFTER_US));
        writer.append(&[0]);
        assert_eq!(writer.frame(), [101]);
        assert_eq!(writer.link.next_deadline_us(&news, NOW), None, "an answer comes first");
        assert!(writer.link.refused_for_room(1, NOW));
        let until = NOW.monotonic_us + REFUSED_PAUSE_US_MIN;
        assert_eq!(writer.link.next_deadline_us(&head, NOW), Some(until));
        let later = Now { monotonic_us: until, wall_us: 1 };
        assert_eq!(writer.link.next_deadline_us(&head, later), None);
        writer.link.closed(later);
        assert_eq!(writer.link.next_deadline_us(&head, later), Some(until + RETRY_US_MIN));
    }
}

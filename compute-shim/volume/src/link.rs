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
use crate::log::Log;
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
/// First wait before a connection is tried again; doubles up to the second.
const RETRY_US_MIN: u64 = 20_000;
const RETRY_US_MAX: u64 = 500_000;
/// A member that refused batches for want of room is sent nothing for this long, then all that is not durable again;
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
}

/// A connection to one shard.
pub struct Link {
    /// Where the shard listens.
    pub address: SocketAddr,
    /// Where the link is in its life.
    pub state: LinkState,
    served: Vec<Served>,
    cursor: u64,
    in_flight: VecDeque<FrameInFlight>,
    vdl_acknowledged: Lsn,
    pgmrpl_acknowledged: Lsn,
    last_frame_us: u64,
    retry_us: u64,
    /// Nothing is sent before this time.
    paused_until_us: u64,
    refused_pause_us: u64,
    /// What the member last told of its room, on this connection.
    pub room: Room,
    /// Smoothed time from a read's request to its answer.
    pub read_latency_us: u64,
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
            })
            .collect();
        Link {
            address,
            state: LinkState::Down { retry_at_us: 0 },
            served,
            cursor: 0,
            in_flight: VecDeque::with_capacity(FRAMES_IN_FLIGHT_MAX),
            vdl_acknowledged: Lsn::ZERO,
            pgmrpl_acknowledged: Lsn::ZERO,
            last_frame_us: 0,
            retry_us: RETRY_US_MIN,
            paused_until_us: 0,
            refused_pause_us: REFUSED_PAUSE_US_MIN,
            room: Room::Ample,
            read_latency_us: 0,
        }
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

    /// Whether a write frame with this request id is unacknowledged.
    pub fn is_in_flight(&self, request_id: u64) -> bool {
        self.in_flight.iter().any(|frame| frame.request_id == request_id)
    }

    /// The member had no room for a batch of this frame. After a pause all that is not durable is sent again: what
    /// the member has by then costs it nothing, and what left the ring meanwhile it gets from its peers. True if that
    /// begins a pause.
    pub fn refused_for_room(&mut self, request_id: u64, now: Now) -> bool {
        for frame in self.in_flight.iter_mut().filter(|frame| frame.request_id == request_id) {
            frame.is_refused = true;
        }
        self.cursor = 0;
        let begins = now.monotonic_us >= self.paused_until_us;
        if begins {
            self.paused_until_us = now.monotonic_us + self.refused_pause_us;
            self.refused_pause_us = (self.refused_pause_us * 2).min(REFUSED_PAUSE_US_MAX);
        }
        begins
    }

    /// Whether the group's member here has lost its state, as it last told.
    pub fn is_lost(&self, group: GroupId) -> bool {
        self.served.iter().any(|served| served.group == group && served.is_lost)
    }

    /// The group's member told whether its state is lost.
    pub fn set_lost(&mut self, group: GroupId, is_lost: bool) {
        for served in self.served.iter_mut().filter(|served| served.group == group) {
            if served.is_lost && !is_lost {
                // It is told where the group stands, and sent again what is not durable; the rest it gets from its peers.
                self.cursor = 0;
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
        self.in_flight.clear();
    }

    /// The member has the current history: frames go from the oldest batch that is not durable.
    pub fn begin_streaming(&mut self) {
        self.state = LinkState::Streaming;
        self.retry_us = RETRY_US_MIN;
        self.cursor = 0;
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
        self.in_flight.is_empty()
            && (head.vdl > self.vdl_acknowledged || head.pgmrpl > self.pgmrpl_acknowledged)
            && now.monotonic_us >= self.last_frame_us + NOTICE_AFTER_US
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
        if !self.has_room(now) {
            return false;
        }
        let mut entries = Vec::new();
        let mut cursor = self.cursor;
        for (position, sealed) in log.sealed_from(self.cursor) {
            let takes = |served: &&Served| served.group == sealed.group && !served.is_lost;
            if let Some(served) = self.served.iter().find(takes) {
                let bytes = sealed.bytes.len() + Write::ENTRY_OVERHEAD_BYTES;
                if !entries.is_empty() && entries.len() + bytes > FRAME_BATCH_BYTES_MAX {
                    break;
                }
                Write::put_entry(&mut entries, served.membership_epoch, &sealed.bytes);
            }
            cursor = position + 1;
        }
        self.cursor = cursor;
        if entries.is_empty() && !self.notice_is_due(head, now) {
            return false;
        }
        let tails: Vec<(GroupId, Lsn)> = self
            .served
            .iter()
            .filter(|served| served.tail_acknowledged.is_none_or(|told| durability.tail(served.group) > told))
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
            LinkState::Down { retry_at_us } => Some(retry_at_us),
            LinkState::Streaming if self.paused_until_us > now.monotonic_us => Some(self.paused_until_us),
            LinkState::Streaming
                if self.in_flight.is_empty()
                    && (head.vdl > self.vdl_acknowledged || head.pgmrpl > self.pgmrpl_acknowledged) =>
            {
                Some(self.last_frame_us + NOTICE_AFTER_US)
            }
            _ => None,
        }
    }
}

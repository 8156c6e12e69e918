//! The volume client: one machine that owns the log, the links, durability, reads and opening.
//!
//! Call order: [`Client::open`] (or [`Client::open_read_only`]), then [`Client::handle`] for every event; after each
//! batch of events, and after sessions have appended, one [`Client::flush`]. [`Effect::Opened`] tells that sessions
//! may come. Every frame a writer sends goes out in `flush`, so that one frame carries what gathered since.
//!
//! Invariants: nothing is appended before step 6 of opening; after [`Effect::Fenced`] nothing is sent; VDL only
//! rises.

mod answering;
mod confirming;
pub mod members;
mod reading;
mod recovery;
mod room;

use crate::config::{LinkIndex, Routes, VolumeConfig};
use crate::durability::Durability;
use crate::effects::{Effect, Effects, Event, Now, ReadFailure};
use crate::link::{FRAMES_IN_FLIGHT_MAX, Link, LinkState};
use crate::log::{BOXCAR_BYTES, Log, LogFull};
use crate::promises::Moment;
use crate::reads::Reads;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use hexalog_protocol::frame::PROTOCOL_VERSION;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Hello, Message, Role, Room, StatusQuery, WriterHead};
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{GroupId, Lsn, MembershipEpoch, PageId};
use recovery::Opening;

/// A connection whose frame has gone unacknowledged for this long is closed and made anew: the shard may have been
/// stopped, or the network lost it. A slow device answers within this.
const FRAME_OVERDUE_US: u64 = 5_000_000;
/// At least this often the driver should tick while the client waits for anything.
const TICK_US: u64 = 5_000;

/// What the client is doing.
enum Phase {
    /// Fencing, recovering, repairing.
    Opening(Opening),
    /// The writer.
    Writing,
    /// Waiting for statuses of a read quorum of every group.
    OpeningReadOnly,
    /// Serves reads at a fixed read point.
    ReadOnly,
    /// Another writer has the volume.
    Fenced,
}

/// A request that is not a read and not a write frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Request {
    Hello,
    Bump,
    Join,
    /// Told who the members of a group are and where.
    Members(GroupId, MembershipEpoch),
    /// Told that they have changed.
    ChangedMembers(GroupId, MembershipEpoch),
    /// Told of a segment that it should have.
    Name,
    /// Told of the segment that is to take a member's place.
    Candidate(GroupId, MembershipEpoch),
    Status,
    /// A status asked for only to learn whether the epoch still stands.
    Contact {
        /// When: an answer speaks for this moment, however late it is read.
        asked_us: u64,
    },
    /// A status asked for only to learn whether the process that answered the bump is still there.
    Confirm {
        /// When.
        asked: Moment,
    },
    /// Repair of a group during opening.
    Repair(recovery::RepairId),
}

/// What a caller of [`Client::status`] gets to see of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStatus {
    /// The group.
    pub group: GroupId,
    /// SCL by slot, where known; of candidates too, behind the members.
    pub scls: Vec<Option<Lsn>>,
    /// Members that can be written to now, with the candidates for their places.
    pub members_up: usize,
    /// PGCL.
    pub pgcl: Lsn,
    /// The group's last record <= VDL.
    pub tail: Lsn,
}

/// Counters since the start; names as in metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Mini-transactions appended.
    pub mtrs: u64,
    /// Redo records appended.
    pub records: u64,
    /// Bytes of operations appended.
    pub operation_bytes: u64,
    /// Write frames sent, all links.
    pub frames_sent: u64,
    /// Page reads asked for.
    pub reads: u64,
    /// Requests sent for them: more than `reads` where members were overdue or refused.
    pub read_requests: u64,
    /// Those of them that were sent since an answer was overdue, beside the one that was waited for.
    pub hedges: u64,
    /// Links lost.
    pub disconnects: u64,
    /// Pauses that members without room for a batch were given.
    pub refused_for_room: u64,
}

/// The volume client.
pub struct Client {
    config: VolumeConfig,
    routes: Routes,
    writer: WriterId,
    phase: Phase,
    links: Vec<Link>,
    log: Log,
    durability: Durability,
    history: EpochHistory,
    reads: Reads,
    requests: BTreeMap<u64, (LinkIndex, Request)>,
    next_request: u64,
    /// PGMRPL never falls, and starts at what the members keep.
    pgmrpl: Lsn,
    /// Highest VDL that any member told a read-only opening.
    reader_vdl: Lsn,
    log_was_full: bool,
    room: Room,
    /// Groups whose members have changed since the last flush.
    changed: BTreeMap<GroupId, members::Change>,
    /// Of each group who has said that its members as they are now are durable there.
    knowing: Vec<BTreeSet<LinkIndex>>,
    /// Last time at which a recovery read quorum of one group answered under our epoch.
    quorum_contact_us: u64,
    contact_us: Vec<u64>,
    wants_contact: bool,
    counters: Counters,
}

impl Client {
    /// Begins to open the volume for writing. `writer` has been taken in metadata by compare-and-swap.
    pub fn open(config: VolumeConfig, writer: WriterId) -> Client {
        assert!(writer.epoch.0 > 0, "epoch 0 is before any writer");
        let opening = Opening::new(&config);
        Client::new(config, writer, Phase::Opening(opening))
    }

    /// Begins to open the volume for reading only, at the highest VDL that any member has heard. Needs a recovery
    /// read quorum, fences nobody, infers nothing newer.
    pub fn open_read_only(config: VolumeConfig) -> Client {
        Client::new(config, WriterId::default(), Phase::OpeningReadOnly)
    }

    fn new(config: VolumeConfig, writer: WriterId, phase: Phase) -> Client {
        let routes = Routes::new(&config);
        let links = routes
            .links()
            .map(|link| {
                let groups = routes.groups_of_link[link.0].iter();
                let served =
                    groups.map(|(group, slot)| (*group, *slot, config.groups[group.0 as usize].epoch));
                Link::new(routes.addresses[link.0], served)
            })
            .collect::<Vec<_>>();
        let tails = vec![Lsn::ZERO; config.groups.len()];
        Client {
            log: Log::new(config.geometry, config.lal, Lsn::ZERO, &tails),
            durability: Durability::of(&config, Lsn::ZERO, &tails),
            contact_us: vec![0; links.len()],
            wants_contact: false,
            routes,
            writer,
            phase,
            links,
            history: EpochHistory::new(),
            reads: Reads::default(),
            requests: BTreeMap::new(),
            next_request: 1,
            pgmrpl: Lsn::ZERO,
            reader_vdl: Lsn::ZERO,
            log_was_full: false,
            room: Room::Ample,
            changed: BTreeMap::new(),
            knowing: vec![BTreeSet::new(); config.groups.len()],
            quorum_contact_us: 0,
            counters: Counters::default(),
            config,
        }
    }

    /// Whether appends are taken.
    pub fn is_writing(&self) -> bool {
        matches!(self.phase, Phase::Writing)
    }

    /// Whether another writer has the volume.
    pub fn is_fenced(&self) -> bool {
        matches!(self.phase, Phase::Fenced)
    }

    /// Whether reads are served.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Writing | Phase::ReadOnly)
    }

    /// The volume, as metadata described it.
    pub fn config(&self) -> &VolumeConfig {
        &self.config
    }

    /// Volume durable LSN.
    pub fn vdl(&self) -> Lsn {
        self.durability.vdl()
    }

    /// Volume complete LSN.
    pub fn vcl(&self) -> Lsn {
        self.durability.vcl()
    }

    /// The last LSN given out.
    pub fn allocated(&self) -> Lsn {
        self.log.allocated()
    }

    /// All openings of the volume, the own one included once it is open.
    pub fn history(&self) -> &EpochHistory {
        &self.history
    }

    /// Counters since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What grows with what is asked of it, as (name, use, bound).
    pub fn bounds(&self) -> [(&'static str, u64, u64); 4] {
        let (lal, groups) = (self.config.lal, self.config.groups.len() as u64);
        let frames = self.links.iter().map(Link::frames_in_flight).max().unwrap_or(0);
        [
            ("LSNs not durable", self.log.allocated().since(self.log.durable()), lal.records),
            ("bytes not durable", self.log.bytes_in_memory(), lal.bytes + groups * BOXCAR_BYTES as u64),
            ("bytes kept", self.log.bytes_kept(), lal.bytes),
            ("frames in flight", frames as u64, FRAMES_IN_FLIGHT_MAX as u64),
        ]
    }

    /// Last time at which a recovery read quorum of some group answered under the own epoch. A writer that has not
    /// heard from one for long may have been fenced without knowing.
    pub fn quorum_contact_us(&self) -> u64 {
        self.quorum_contact_us
    }

    /// Someone must know that no other writer was open before now: members are asked with the next
    /// [`Client::flush`], and [`Effect::QuorumContact`] tells when enough have answered.
    pub fn want_contact(&mut self) {
        self.wants_contact = true;
    }

    /// Reserves room for a mini-transaction below the LAL.
    pub fn reserve(&mut self, records: u32, bytes: u32) -> Result<(), LogFull> {
        let is_short = self.room >= Room::Short;
        let reserved =
            if self.is_writing() { self.log.reserve(records, bytes, is_short) } else { Err(LogFull) };
        self.log_was_full |= reserved.is_err();
        reserved
    }

    /// Gives a reservation back that was not used.
    pub fn unreserve(&mut self, records: u32, bytes: u32) {
        self.log.unreserve(records, bytes);
    }

    /// Appends a mini-transaction for which `reserved` records and bytes were reserved; returns its CPL.
    pub fn append(&mut self, mtr: &mut Mtr, reserved: (u32, u32), publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        assert!(mtr.records().len() <= reserved.0 as usize, "no more is appended than was reserved");
        self.log.unreserve(reserved.0, reserved.1);
        self.counters.mtrs += 1;
        self.counters.records += mtr.records().len() as u64;
        self.counters.operation_bytes += mtr.operations().len() as u64;
        self.log.append(mtr, publish)
    }

    /// Someone waits for `lsn`: what it rests on is sent with the next [`Client::flush`] that finds room.
    pub fn want(&mut self, lsn: Lsn) {
        if lsn > self.log.durable() && lsn <= self.log.allocated() {
            self.log.want(lsn);
        }
    }

    /// Asks for a page at a read point, or at PGMRPL if that is above it; answered by [`Effect::Page`], which tells the
    /// read point used. Who takes the VDL for a read point and then asks is not known here in between: a frame of
    /// another thread's turn may have told members that nothing below a newer VDL is read any more, and a read below
    /// their floor would be refused by all of them for good and hold PGMRPL back for as long.
    pub fn read(&mut self, page: PageId, read_point: Lsn) {
        let read_point = read_point.max(self.pgmrpl);
        let group = self.config.geometry.group_of(page);
        assert!(group.0 < self.config.geometry.groups, "{page:?} lies in the volume");
        // A tail at VDL covers every older read point too: it only asks for more than is needed.
        let tail = self.durability.tail(group);
        self.counters.reads += 1;
        self.reads.start(page, group, read_point, tail);
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        match event {
            Event::Connected(link) => self.connected(link, effects),
            Event::Closed(link) => self.closed(link, now),
            Event::Frame(link, frame) => match Message::decode(&frame) {
                Ok(message) => self.message(link, frame.request_id, message, now, effects),
                Err(malformed) => {
                    let address = self.links[link.0].address;
                    effects.list.push(Effect::Log(format!("{address}: {malformed}; connection closed")));
                    effects.list.push(Effect::Disconnect(link));
                    self.closed(link, now);
                }
            },
            Event::Tick => {}
        }
        self.update_room(effects);
        self.invariants();
    }

    /// Sends what is due: connects, recovery steps, reads, write frames and notices.
    pub fn flush(&mut self, now: Now, effects: &mut Effects) {
        if matches!(self.phase, Phase::Fenced) {
            return;
        }
        self.connect_links(now, effects);
        self.advance_opening(now, effects);
        if self.is_writing() {
            self.tell_changes(effects);
        }
        self.send_reads(now, effects);
        self.send_contact_queries(now, effects);
        if self.is_writing() {
            self.send_frames(now, effects);
        }
        self.invariants();
    }

    /// When [`Client::flush`] has something to do without any event.
    pub fn next_deadline_us(&self, now: Now) -> Option<u64> {
        let head = self.head(now);
        let links = self.links.iter().filter_map(|link| link.next_deadline_us(&head, now)).min();
        let opening = (!self.is_open()).then_some(now.monotonic_us + TICK_US);
        [links, opening, self.reads.next_deadline_us()].into_iter().flatten().min()
    }

    fn invariants(&self) {
        assert!(self.durability.vdl() <= self.durability.vcl());
        assert_eq!(self.durability.vdl(), self.log.durable());
        assert!(self.pgmrpl <= self.durability.vdl() || !self.is_open());
    }

    fn send(&mut self, link: LinkIndex, request: Request, message: &Message<'_>, effects: &mut Effects) {
        let id = self.next_request;
        self.next_request += 1;
        self.requests.insert(id, (link, request));
        message.encode(id, effects.send(link));
    }

    fn connect_links(&mut self, now: Now, effects: &mut Effects) {
        for index in self.routes.links() {
            let link = &mut self.links[index.0];
            let is_due =
                matches!(link.state, LinkState::Down { retry_at_us } if retry_at_us <= now.monotonic_us);
            if is_due && link.is_wanted() {
                link.state = LinkState::Connecting;
                effects.list.push(Effect::Connect(index, link.address));
            } else if link.is_overdue(now, FRAME_OVERDUE_US) {
                effects.list.push(Effect::Disconnect(index));
                self.closed(index, now);
            }
        }
    }

    fn connected(&mut self, link: LinkIndex, effects: &mut Effects) {
        if self.links[link.0].state != LinkState::Connecting {
            return;
        }
        self.links[link.0].state = LinkState::Greeting;
        let hello = Hello {
            version_low: PROTOCOL_VERSION,
            version_high: PROTOCOL_VERSION,
            role: Role::Compute,
            identity: &[],
        };
        self.send(link, Request::Hello, &Message::Hello(hello), effects);
    }

    fn closed(&mut self, link: LinkIndex, now: Now) {
        if matches!(self.links[link.0].state, LinkState::Down { .. }) {
            // It was closed from here, and more had come by it.
            return;
        }
        self.links[link.0].closed(now);
        self.requests.retain(|_, (other, _)| *other != link);
        self.reads.link_closed(link);
        self.repair_link_closed(link);
        self.opening_link_closed(link);
        self.counters.disconnects += 1;
    }

    fn head(&self, now: Now) -> WriterHead {
        WriterHead {
            volume: self.config.volume,
            writer: self.writer,
            vdl: self.durability.vdl(),
            pgmrpl: self.pgmrpl,
            wall_time_us: now.wall_us,
            tails: Vec::new(),
        }
    }

    fn send_frames(&mut self, now: Now, effects: &mut Effects) {
        // Sealing before a frame can go would only make the batches small: the boxcar fills meanwhile. Room at a write
        // quorum of links is enough; a slow or dead member holds nothing back.
        let roomy = self.links.iter().filter(|link| link.has_room(now)).count();
        if self.log.wants_sealing() && roomy >= usize::from(self.config.quorum.write).min(self.links.len()) {
            self.log.seal_wanted();
        }
        let floor = self.reads.read_point_min().unwrap_or(Lsn::MAX).min(self.durability.vdl());
        self.pgmrpl = self.pgmrpl.max(floor);
        let head = self.head(now);
        for index in self.routes.links() {
            loop {
                let id = self.next_request;
                let out = effects.send(index);
                let link = &mut self.links[index.0];
                let (log, durability) = (&self.log, &self.durability);
                if !link.fill_frame(log, durability, &head, id, now, &mut |message| message.encode(id, out)) {
                    break;
                }
                self.next_request += 1;
                self.counters.frames_sent += 1;
            }
        }
        effects.sends.retain(|(_, bytes)| !bytes.is_empty());
    }

    fn send_contact_queries(&mut self, now: Now, effects: &mut Effects) {
        if !self.wants_contact || !self.is_writing() {
            return;
        }
        for link in self.routes.links() {
            let is_contact = |request: &Request| matches!(request, Request::Contact { .. });
            let is_asked =
                self.requests.values().any(|(asked, request)| *asked == link && is_contact(request));
            if self.links[link.0].state == LinkState::Streaming && !is_asked {
                let query = StatusQuery { volume: self.config.volume };
                let request = Request::Contact { asked_us: now.monotonic_us };
                self.send(link, request, &Message::StatusQuery(query), effects);
            }
        }
        self.wants_contact = false;
    }

    /// Another writer has the volume.
    fn fence(&mut self, by: WriterId, effects: &mut Effects) {
        if matches!(self.phase, Phase::Fenced) {
            return;
        }
        self.phase = Phase::Fenced;
        effects.list.push(Effect::Fenced(by));
        self.fail_reads(ReadFailure::Fenced, effects);
        effects.list.extend(self.routes.links().map(Effect::Disconnect));
    }

    /// How each group stands, for `status`.
    pub fn status(&self) -> Vec<GroupStatus> {
        (0..self.config.groups.len())
            .map(|index| {
                let group = GroupId(index as u32);
                let links = &self.routes.links_of_group[index];
                GroupStatus {
                    group,
                    scls: (0..links.len())
                        .map(|slot| self.durability.scl(group, crate::config::Slot(slot)))
                        .collect(),
                    members_up: self.config.groups[index]
                        .count_in_every_set(|slot| self.links[links[slot].0].is_up()),
                    pgcl: self.durability.pgcl(group),
                    tail: self.durability.tail(group),
                }
            })
            .collect()
    }

    /// Why writes wait, if they do: `write quorum lost: group G, 3/6`.
    pub fn quorum_lost(&self) -> Option<String> {
        let write = usize::from(self.config.quorum.write);
        let lost = self.status().into_iter().find(|group| group.members_up < write)?;
        let GroupId(group) = lost.group;
        Some(format!("write quorum lost: group {group}, {}/{}", lost.members_up, self.config.quorum.members))
    }
}

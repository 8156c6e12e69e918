//! A client that opens a volume of one group with six members, driven frame by frame.

use hexalog_protocol::frame::read_frame;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{
    Bumped, Done, GossipPush, LsnMarks, Member, Membership, Message, Refusal, RefusalReason, Room,
    SegmentState, SegmentStatus, Status, Welcome, WriteAck,
};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{
    DeviceId, GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, SegmentId, ShardIndex,
    VolumeEpoch, VolumeId,
};
use hexalog_volume::Client;
use hexalog_volume::config::{Lal, LinkIndex, VolumeConfig};
use hexalog_volume::effects::{Effects, Event, Now};
use std::net::SocketAddr;

pub const VOLUME: VolumeId = VolumeId([3; 16]);
pub const OPENER: WriterId = WriterId { epoch: VolumeEpoch(9), incarnation: Incarnation(99) };

/// Kind of a message and the id that its answer must carry.
pub type Sent = (u16, u64);

pub struct Opener {
    pub client: Client,
    pub now_us: u64,
    /// What was sent on each link and not looked at yet; the seventh is a candidate's.
    pub sent: Vec<Vec<Sent>>,
    /// Histories that were sent anywhere.
    pub histories: Vec<EpochHistory>,
    /// What pushes told: under which history, VDL and floor.
    pub pushed: Vec<(WriterId, Lsn, Lsn)>,
    /// Read points of the reads that were sent anywhere.
    pub read_points: Vec<Lsn>,
    /// Highest PGMRPL that any frame told.
    pub pgmrpl_told: Lsn,
    /// Write frames that were sent on each link: the request, and the last LSNs of the batches in it.
    pub frames: Vec<Vec<(u64, Vec<Lsn>)>>,
}

impl Opener {
    /// A client that wants to open a volume of one group; no link stands.
    pub fn new() -> Opener {
        let members = (0..6u64).map(|slot| Member {
            segment: SegmentId(slot),
            node: NodeId(slot as u32),
            az: (slot / 2) as u8,
            address: SocketAddr::from(([127, 0, 0, 1], 7000 + slot as u16)),
        });
        let config = VolumeConfig {
            volume: VOLUME,
            geometry: Geometry { pages_per_group: 16, groups: 1 },
            geometry_epoch: GeometryEpoch(1),
            quorum: QuorumModel::FOUR_OF_SIX,
            groups: vec![Membership::of(MembershipEpoch(1), members.collect())],
            lal: Lal { records: 16, bytes: 1 << 20 },
        };
        let client = Client::open(config, OPENER);
        let mut opener = Opener {
            client,
            now_us: 1,
            sent: vec![Vec::new(); 7],
            histories: Vec::new(),
            pushed: Vec::new(),
            read_points: Vec::new(),
            pgmrpl_told: Lsn::ZERO,
            frames: vec![Vec::new(); 7],
        };
        opener.flush();
        opener
    }

    /// The same with the first so many links up and the bump sent on each; with the bumps' request ids.
    pub fn asking(links: usize) -> (Opener, Vec<u64>) {
        let mut opener = Opener::new();
        let bumps = (0..links).map(|link| opener.connect(link)).collect();
        (opener, bumps)
    }

    /// The volume is open, and all six members have joined with nothing to repair.
    pub fn opened() -> Opener {
        let (mut opener, bumps) = Opener::asking(6);
        for (link, bump) in bumps.iter().enumerate() {
            opener.bumped(link, *bump, &[], &history_of(1));
        }
        opener.flush();
        opener.confirm_all();
        (0..6).for_each(|link| opener.joined(link, 10));
        assert!(opener.client.is_writing());
        opener
    }

    /// A turn, and another when the time is over for which a write quorum waits for the members that have not answered; then
    /// those that have say that they are still there.
    pub fn wait_for_no_more_answers(&mut self) {
        self.flush();
        self.now_us += 60_000;
        self.flush();
        self.confirm_all();
    }

    /// All members that are asked whether they are still there are.
    pub fn confirm_all(&mut self) {
        for link in 0..6 {
            if self.sent[link].iter().any(|(kind, _)| *kind == 18) {
                let query = self.request(link, 18);
                self.is_there(link, query);
            }
        }
        self.flush();
    }

    /// A member answers a question for its status: it has promised, and has no history of the opener.
    pub fn is_there(&mut self, link: usize, query: u64) {
        self.tells(link, query, SegmentState::Opening, OPENER, 10);
    }

    pub fn now(&self) -> Now {
        Now { monotonic_us: self.now_us, wall_us: self.now_us }
    }

    pub fn take(&mut self, effects: Effects) {
        for (link, bytes) in effects.sends {
            let mut rest = &bytes[..];
            while let Some(frame) = read_frame(rest).expect("valid") {
                rest = &rest[frame.frame_bytes..];
                match Message::decode(&frame) {
                    Ok(Message::InstallHistory(install)) => self.histories.push(install.history),
                    Ok(Message::GossipPush(push)) => {
                        self.pushed.push((push.history, push.vdl, push.gc_floor));
                    }
                    Ok(Message::ReadPage(read)) => self.read_points.push(read.read_point),
                    Ok(Message::Write(write)) => {
                        self.pgmrpl_told = self.pgmrpl_told.max(write.head.pgmrpl);
                        let lasts = write.batches().map(|batch| batch.expect("whole").1.last);
                        self.frames[link.0].push((frame.request_id, lasts.collect()));
                    }
                    _ => {}
                }
                self.sent[link.0].push((frame.kind, frame.request_id));
            }
        }
    }

    pub fn flush(&mut self) {
        let mut effects = Effects::default();
        self.client.flush(self.now(), &mut effects);
        self.take(effects);
    }

    pub fn answer(&mut self, link: usize, request_id: u64, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(request_id, &mut bytes);
        let frame = read_frame(&bytes).expect("valid").expect("whole");
        let mut effects = Effects::default();
        self.client.handle(self.now(), Event::Frame(LinkIndex(link), frame), &mut effects);
        self.take(effects);
    }

    /// The request of this kind that was sent on the link.
    pub fn request(&mut self, link: usize, kind: u16) -> u64 {
        let at = self.sent[link].iter().position(|(sent, _)| *sent == kind).expect("it was sent");
        self.sent[link].remove(at).1
    }

    /// The link comes up and the bump goes out; returns the bump's request id.
    pub fn connect(&mut self, link: usize) -> u64 {
        self.welcome(link);
        self.request(link, 10)
    }

    pub fn disconnect(&mut self, link: usize) {
        let mut effects = Effects::default();
        self.client.handle(self.now(), Event::Closed(LinkIndex(link)), &mut effects);
        self.take(effects);
    }

    pub fn welcome(&mut self, link: usize) {
        let mut effects = Effects::default();
        self.client.handle(self.now(), Event::Connected(LinkIndex(link)), &mut effects);
        self.take(effects);
        let hello = self.request(link, 1);
        let welcome = Welcome {
            version: 1,
            node: NodeId(link as u32),
            device: DeviceId(link as u64),
            shard: ShardIndex(0),
            shard_ports: Vec::new(),
        };
        self.answer(link, hello, &Message::Welcome(welcome));
    }

    /// A member answers the bump: it has the records `marks` above VDL 10, which is its tail.
    pub fn bumped(&mut self, link: usize, request_id: u64, marks: &[u64], history: &EpochHistory) {
        self.bumped_as(SegmentState::Opening, link, request_id, marks, history);
    }

    pub fn bumped_as(
        &mut self,
        state: SegmentState,
        link: usize,
        request_id: u64,
        marks: &[u64],
        history: &EpochHistory,
    ) {
        let answer = Bumped { state, ..bumped_answer(OPENER, link, marks, history) };
        self.answer(link, request_id, &Message::Bumped(answer));
    }

    /// A member answers the bump when it has promised that other writer.
    pub fn promised_to(&mut self, writer: WriterId, link: usize, request_id: u64) {
        let answer = bumped_answer(writer, link, &[], &history_of(1));
        self.answer(link, request_id, &Message::Bumped(answer));
    }
}

fn bumped_answer(writer: WriterId, link: usize, marks: &[u64], history: &EpochHistory) -> Bumped {
    Bumped {
        volume: VOLUME,
        group: GroupId(0),
        segment: SegmentId(link as u64),
        writer,
        membership_epoch: MembershipEpoch(1),
        state: SegmentState::Opening,
        scl: Lsn(marks.last().copied().unwrap_or(10)),
        vdl_heard: Lsn(10),
        tail_heard: Lsn(10),
        gc_floor: Lsn(0),
        history: history.clone(),
        marks: LsnMarks(marks.iter().map(|lsn| (Lsn(*lsn), true)).collect()),
    }
}

impl Opener {
    /// Pulls that member 0 was sent.
    pub fn pulls(&self) -> Vec<u64> {
        self.sent[0].iter().filter(|(kind, _)| *kind == 15).map(|(_, request)| *request).collect()
    }

    /// Member 0 answers a pull with record 11: who it is pushed to, and the request.
    pub fn pull_answered(&mut self, pull: u64) -> (usize, u64) {
        let batch = sealed_batch();
        let push = GossipPush {
            volume: VOLUME,
            group: GroupId(0),
            writer: OPENER,
            membership_epoch: MembershipEpoch(1),
            scl: Lsn(11),
            log_from: Lsn(11),
            history: WriterId { epoch: VolumeEpoch(0), incarnation: Incarnation(0) },
            vdl: Lsn::ZERO,
            gc_floor: Lsn::ZERO,
            batches: &batch,
        };
        self.answer(0, pull, &Message::GossipPush(push));
        let is_push = |sent: &Sent| sent.0 == 16;
        let target = (1..6).find(|link| self.sent[*link].iter().any(is_push)).expect("it is pushed on");
        (target, self.request(target, 16))
    }

    pub fn refused(&mut self, link: usize, request_id: u64, reason: RefusalReason) {
        let refusal = Refusal {
            reason,
            volume: VOLUME,
            group: GroupId(0),
            writer: OPENER,
            membership_epoch: MembershipEpoch(1),
            geometry_epoch: GeometryEpoch(1),
            detail: String::new(),
        };
        self.answer(link, request_id, &Message::Refusal(refusal));
    }

    /// A repaired member has record 11 now.
    pub fn pushed(&mut self, target: usize, request_id: u64) {
        let scls = vec![(GroupId(0), Lsn(11))];
        let ack =
            WriteAck { volume: VOLUME, epoch: OPENER.epoch, vdl_heard: Lsn(10), room: Room::Ample, scls };
        self.answer(target, request_id, &Message::WriteAck(ack));
    }

    /// A member has the history and tells its state.
    pub fn joined(&mut self, link: usize, scl: u64) {
        let join = self.request(link, 12);
        self.answer(link, join, &Message::Done(Done {}));
        let query = self.request(link, 18);
        self.tells(link, query, SegmentState::Open, OPENER, scl);
        self.flush();
    }

    /// A member answers a question for its status.
    pub fn tells(&mut self, link: usize, query: u64, state: SegmentState, writer: WriterId, scl: u64) {
        let segment = SegmentStatus {
            volume: VOLUME,
            group: GroupId(0),
            segment: SegmentId(link as u64),
            state,
            writer,
            membership_epoch: MembershipEpoch(1),
            scl: Lsn(scl),
            vdl_heard: Lsn(10),
            complete_through: Lsn(scl),
            gc_floor: Lsn(0),
            pages: 1,
            records_pending: 0,
            hydration_pages_done: 0,
            hydration_pages_total: 0,
        };
        let status = Status {
            node: NodeId(link as u32),
            shard: ShardIndex(0),
            failure: String::new(),
            segments: vec![segment],
            counters: Vec::new(),
        };
        self.answer(link, query, &Message::Status(status));
    }
}

pub fn history_of(epoch: u64) -> EpochHistory {
    let mut history = EpochHistory::new();
    let writer = WriterId { epoch: VolumeEpoch(epoch), incarnation: Incarnation(epoch) };
    history.push(hexalog_protocol::history::EpochEntry { writer, vdl: Lsn(0), upper: Lsn(4) });
    history
}

pub fn sealed_batch() -> Vec<u8> {
    use hexalog_protocol::PageId;
    use hexalog_protocol::batch::BatchBuilder;
    use hexalog_protocol::record::Record;
    let mut builder = BatchBuilder::new(GroupId(0));
    builder.push(&Record {
        lsn: Lsn(11),
        page: PageId(1),
        page_backlink: Lsn(0),
        group_backlink: Lsn(10),
        is_cpl: true,
        operations: &[],
    });
    builder.seal()
}

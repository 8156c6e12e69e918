//! A small volume client: opens a volume step by step, writes mini-transactions with chosen losses, counts quorums,
//! reads and compares with the model.

use crate::model::Model;
use crate::world::{NODES, World, membership};
use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::frame::read_frame;
use hexalog_protocol::history::{EpochEntry, EpochHistory};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::*;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::record::{Operation, Record};
use hexalog_protocol::{
    GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, PageId, VolumeEpoch, VolumeId,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub const VOLUME: VolumeId = VolumeId([0x55; 16]);
pub const PAGES_PER_GROUP: u64 = 16;
pub const LAL: u64 = 64;

/// An answer, decoded once so that tests can look at it.
#[derive(Debug)]
pub enum Answer {
    Done,
    Refused(Refusal),
    Ack(WriteAck),
    Bumped(Bumped),
    Image(Vec<u8>),
    Push { scl: Lsn, batches: Vec<u8> },
    Status(Status),
    Other,
}

fn decode(bytes: &[u8]) -> (u64, Answer) {
    let frame = read_frame(bytes).expect("valid").expect("whole");
    let answer = match Message::decode(&frame).expect("the core encodes well") {
        Message::Done(_) => Answer::Done,
        Message::Refusal(refusal) => Answer::Refused(refusal),
        Message::WriteAck(ack) => Answer::Ack(ack),
        Message::Bumped(bumped) => Answer::Bumped(bumped),
        Message::PageImage(image) => Answer::Image(image.image.to_vec()),
        Message::GossipPush(push) => Answer::Push { scl: push.scl, batches: push.batches.to_vec() },
        Message::Status(status) => Answer::Status(status),
        _ => Answer::Other,
    };
    (frame.request_id, answer)
}

struct Sealed {
    /// Members that it is never sent to.
    skipped: [bool; NODES],
    pub last: Lsn,
    group: GroupId,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Member {
    wire: Option<usize>,
    cursor: usize,
    in_flight: BTreeSet<u64>,
    scls: BTreeMap<GroupId, Lsn>,
    told_vdl: Lsn,
    /// Highest LSN allocated when tails were last told: a client that drops batches above VDL, as this one does
    /// and a real one does not, must at least tell that there are some.
    told_last: Lsn,
}

pub struct Writer {
    pub id: WriterId,
    pub groups: u32,
    pub history: EpochHistory,
    pub vdl: Lsn,
    pub pgmrpl: Lsn,
    pub model: Model,
    /// Chance in percent that a batch is never sent to a member.
    pub loss_percent: u64,
    /// A member that is sent nothing of what is sealed.
    pub passed_over: Option<usize>,
    pub refusals: Vec<Refusal>,
    pub tails: BTreeMap<GroupId, Lsn>,
    pub last: Lsn,
    chain: VecDeque<(Lsn, GroupId, bool)>,
    sealed: Vec<Sealed>,
    members: Vec<Member>,
    requests: u64,
}

pub fn writer_id(epoch: u64) -> WriterId {
    WriterId { epoch: VolumeEpoch(epoch), incarnation: Incarnation(epoch * 1_000 + 7) }
}

pub fn call(world: &mut World, wire: usize, request_id: u64, message: &Message<'_>) -> Option<Answer> {
    world.send(wire, request_id, message);
    let limit = world.now_us + 5_000_000;
    loop {
        if let Some(answer) = take_answer(world, wire, request_id) {
            return Some(answer);
        }
        if !world.is_connected(wire) {
            return None;
        }
        assert!(world.now_us < limit, "no answer to request {request_id}");
        world.step();
    }
}

pub fn take_answer(world: &mut World, wire: usize, request_id: u64) -> Option<Answer> {
    let inbox = world.inbox.get_mut(&wire)?;
    let at = inbox.iter().position(|bytes| decode(bytes).0 == request_id)?;
    inbox.remove(at).map(|bytes| decode(&bytes).1)
}

pub fn create_volume(world: &mut World, groups: u32) {
    create_volume_on(world, groups, 0..NODES);
}

/// Without a segment of it on the other nodes, which members will take for peers.
pub fn create_volume_on(world: &mut World, groups: u32, nodes: std::ops::Range<usize>) {
    for node in nodes {
        let wire = world.connect(node).expect("the node is up");
        for group in 0..groups {
            let create = CreateSegment {
                volume: VOLUME,
                group: GroupId(group),
                segment: membership(group).members[node].segment,
                pages_per_group: PAGES_PER_GROUP,
                geometry_epoch: GeometryEpoch(1),
                base_lsn: Lsn::ZERO,
                membership: membership(group),
            };
            let answer = call(world, wire, 1 + u64::from(group), &Message::CreateSegment(create));
            assert!(matches!(answer, Some(Answer::Done)), "{answer:?}");
        }
        world.disconnect(wire);
    }
}

/// What the members of all groups held when they were bumped.
pub struct Bumps {
    pub answers: BTreeMap<(usize, GroupId), Bumped>,
    pub refused: usize,
    wires: Vec<Option<usize>>,
}

pub fn bump(world: &mut World, id: WriterId, groups: u32) -> Bumps {
    bump_within(world, id, groups, 30_000)
}

/// With answers counted that come in this time.
pub fn bump_within(world: &mut World, id: WriterId, groups: u32, patience_us: u64) -> Bumps {
    let mut bumps = Bumps { answers: BTreeMap::new(), refused: 0, wires: Vec::new() };
    for node in 0..NODES {
        let wire = world.connect(node);
        bumps.wires.push(wire);
        if let Some(wire) = wire {
            let groups = (0..groups).map(GroupId).collect();
            world.send(wire, 500, &Message::EpochBump(EpochBump { volume: VOLUME, writer: id, groups }));
        }
    }
    world.run_us(patience_us);
    for node in 0..NODES {
        let Some(wire) = bumps.wires[node] else { continue };
        while let Some(answer) = take_answer(world, wire, 500) {
            match answer {
                Answer::Bumped(bumped) => {
                    bumps.answers.insert((node, bumped.group), bumped);
                }
                Answer::Refused(_) => bumps.refused += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    bumps
}

impl Writer {
    /// A writer that goes on from an opening.
    fn new(id: WriterId, groups: u32, history: EpochHistory, model: Model) -> Writer {
        Writer {
            id,
            groups,
            vdl: history.upper(),
            pgmrpl: Lsn::ZERO,
            last: history.upper(),
            history,
            model,
            loss_percent: 0,
            passed_over: None,
            refusals: Vec::new(),
            tails: (0..groups).map(|group| (GroupId(group), Lsn::ZERO)).collect(),
            chain: VecDeque::new(),
            sealed: Vec::new(),
            members: (0..NODES).map(|_| Member::default()).collect(),
            requests: 1_000,
        }
    }

    /// Opens the volume: bump, recover VDL, repair, install the history. `before` holds what was written so far.
    pub fn open(world: &mut World, epoch: u64, groups: u32, before: Option<&Writer>) -> Writer {
        let id = writer_id(epoch);
        let bumps = bump(world, id, groups);
        Writer::open_after_bump(world, id, groups, before, bumps)
    }

    pub fn open_after_bump(
        world: &mut World,
        id: WriterId,
        groups: u32,
        before: Option<&Writer>,
        bumps: Bumps,
    ) -> Writer {
        let quorum = QuorumModel::FOUR_OF_SIX;
        for group in (0..groups).map(GroupId) {
            let count = bumps.answers.keys().filter(|(_, other)| *other == group).count();
            assert!(count >= usize::from(quorum.write), "group {group}: {count} bumped");
        }
        let adopted = bumps.answers.values().map(|bumped| &bumped.history);
        let adopted = adopted.max_by_key(|history| history.writer().epoch).expect("answers").clone();
        let vdl = recover_vdl(&bumps, &adopted);
        if let Some(before) = before {
            assert!(vdl >= before.vdl.min(adopted.floor(before.vdl)), "{vdl} is below {}", before.vdl);
        }
        let mut writer =
            Writer::new(id, groups, adopted.clone(), before.map_or_else(Model::default, |w| w.model.clone()));
        writer.model.truncate(vdl);
        for group in (0..groups).map(GroupId) {
            let tail = group_tail(&bumps, &adopted, group, vdl);
            writer.tails.insert(group, tail);
            repair(world, &bumps, &adopted, id, group, tail, vdl);
        }
        let upper = Lsn(vdl.0.max(adopted.upper().0) + if before.is_some() { LAL } else { 0 });
        let mut history = adopted;
        history.push(EpochEntry { writer: id, vdl: vdl.max(history.upper()), upper: upper.max(vdl) });
        writer.history = history.clone();
        (writer.vdl, writer.last) = (history.upper(), history.upper());
        // A floor never falls; the model has forgotten what lay below the last one.
        let floor = bumps.answers.values().map(|bumped| bumped.gc_floor).max().unwrap_or(Lsn::ZERO);
        writer.pgmrpl = floor.max(before.map_or(Lsn::ZERO, |before| before.pgmrpl));
        for (node, wire) in bumps.wires.iter().enumerate() {
            let Some(wire) = wire.filter(|wire| world.is_connected(*wire)) else { continue };
            writer.members[node].wire = Some(wire);
            writer.join(world, node);
        }
        writer
    }

    /// Tells a member the history and learns its SCLs. False if the connection went.
    fn join(&mut self, world: &mut World, node: usize) -> bool {
        let wire = self.members[node].wire.expect("connected");
        let groups: Vec<GroupId> = (0..self.groups).map(GroupId).collect();
        self.requests += 2;
        let request = self.requests;
        let install = InstallHistory { volume: VOLUME, groups, history: self.history.clone() };
        match call(world, wire, request, &Message::InstallHistory(install)) {
            Some(Answer::Done) => {}
            Some(Answer::Refused(refusal)) => {
                self.refusals.push(refusal);
                return false;
            }
            _ => return false,
        }
        let query = StatusQuery { volume: VOLUME };
        let Some(Answer::Status(status)) = call(world, wire, request + 1, &Message::StatusQuery(query))
        else {
            return false;
        };
        let member = &mut self.members[node];
        for segment in status.segments {
            if matches!(segment.state, SegmentState::NeedsHydration | SegmentState::Damaged) {
                member.scls.remove(&segment.group);
            } else {
                assert_eq!(segment.state, SegmentState::Open);
                let known = member.scls.insert(segment.group, segment.scl);
                // The same epoch and history: what was acknowledged is still there, whatever happened to the node.
                assert!(
                    known <= Some(segment.scl),
                    "node {node} acknowledged {known:?}, has {}",
                    segment.scl
                );
            }
        }
        let vdl = self.vdl;
        // Below VDL a member fills its gaps by gossip.
        member.cursor = self.sealed.partition_point(|sealed| sealed.last <= vdl);
        member.in_flight.clear();
        (member.told_vdl, member.told_last) = (Lsn::ZERO, Lsn::ZERO);
        true
    }

    /// Appends one mini-transaction on random pages.
    pub fn write(&mut self, world: &mut World) {
        let count = 1 + world.rng.below(4);
        let mut pages = BTreeSet::new();
        for _ in 0..count {
            pages.insert(PageId(world.rng.below(u64::from(self.groups) * PAGES_PER_GROUP)));
        }
        let pages: Vec<PageId> = pages.into_iter().collect();
        self.write_pages(world, &pages);
    }

    pub fn write_pages(&mut self, world: &mut World, pages: &[PageId]) {
        let mut builders: BTreeMap<GroupId, BatchBuilder> = BTreeMap::new();
        for (index, page) in pages.iter().enumerate() {
            let group = GroupId((page.0 / PAGES_PER_GROUP) as u32);
            let lsn = self.last.plus(1);
            let page_backlink = self.model.last(*page);
            let mut operations = Vec::new();
            if page_backlink == Lsn::ZERO || world.rng.percent(5) {
                Operation::Format.encode(&mut operations);
            }
            let offset = 96 + world.rng.below(7_000) as u16;
            let bytes: Vec<u8> = (0..1 + world.rng.below(200)).map(|_| world.rng.next() as u8).collect();
            Operation::Write { offset, bytes: &bytes }.encode(&mut operations);
            Operation::Move { source: offset, destination: 120, length: 50 }.encode(&mut operations);
            let is_cpl = index + 1 == pages.len();
            let tail = self.tails.get_mut(&group).expect("a group");
            let record = Record {
                lsn,
                page: *page,
                page_backlink,
                group_backlink: *tail,
                is_cpl,
                operations: &operations,
            };
            builders.entry(group).or_insert_with(|| BatchBuilder::new(group)).push(&record);
            self.model.add(VOLUME, *page, lsn, page_backlink, &operations);
            *tail = lsn;
            self.last = lsn;
            self.chain.push_back((lsn, group, is_cpl));
        }
        for (group, mut builder) in builders {
            let last = builder.last();
            let skipped = self.draw_losses(world);
            self.sealed.push(Sealed { skipped, last, group, bytes: builder.seal() });
        }
    }

    /// With a chance up to one half, two members at most: the others fill the gap. Above that, ghosts.
    fn draw_losses(&mut self, world: &mut World) -> [bool; NODES] {
        let mut skipped = std::array::from_fn(|node| self.passed_over == Some(node));
        for _ in 0..NODES {
            let node = world.rng.below(NODES as u64) as usize;
            let may_skip = self.loss_percent > 50 || skipped.iter().filter(|skips| **skips).count() < 2;
            skipped[node] |= may_skip && world.rng.percent(self.loss_percent);
        }
        skipped
    }

    /// Takes answers in, counts quorums, sends what is due. One turn of a client's loop.
    pub fn pump(&mut self, world: &mut World) {
        for node in 0..NODES {
            self.take_in(world, node);
        }
        self.advance_vdl();
        for node in 0..NODES {
            let is_up = self.members[node].wire.is_some_and(|wire| world.is_connected(wire));
            if !is_up {
                self.members[node].wire = world.connect(node);
                if self.members[node].wire.is_some() && !self.join(world, node) {
                    self.members[node].wire = None;
                }
            }
            if self.members[node].wire.is_some() {
                self.send_frames(world, node);
            }
        }
    }

    fn take_in(&mut self, world: &mut World, node: usize) {
        let Some(wire) = self.members[node].wire else { return };
        let frames: Vec<Vec<u8>> = world.inbox.get_mut(&wire).expect("a client's wire").drain(..).collect();
        for bytes in frames {
            let (request_id, answer) = decode(&bytes);
            let member = &mut self.members[node];
            member.in_flight.remove(&request_id);
            match answer {
                Answer::Ack(ack) if ack.epoch == self.id.epoch => {
                    for (group, scl) in ack.scls {
                        let known = member.scls.entry(group).or_insert(Lsn::ZERO);
                        *known = (*known).max(scl);
                    }
                }
                Answer::Refused(refusal) => {
                    member.cursor = self.sealed.partition_point(|sealed| sealed.last <= self.vdl);
                    self.refusals.push(refusal);
                }
                _ => {}
            }
        }
    }

    fn advance_vdl(&mut self) {
        while let Some((lsn, group, is_cpl)) = self.chain.front().copied() {
            let mut scls: Vec<Lsn> =
                self.members.iter().filter_map(|m| m.scls.get(&group).copied()).collect();
            if QuorumModel::FOUR_OF_SIX.reached(&mut scls).is_none_or(|scl| scl < lsn) {
                break;
            }
            self.chain.pop_front();
            if is_cpl {
                self.vdl = lsn;
            }
        }
        let vdl = self.vdl;
        // Nothing above VDL is dropped; below it a member that lacks something uses gossip.
        let keep = self.sealed.partition_point(|sealed| sealed.last <= vdl);
        if keep > 200 {
            self.sealed.drain(..keep);
            self.members.iter_mut().for_each(|member| member.cursor = member.cursor.saturating_sub(keep));
        }
    }

    pub fn head(&self) -> WriterHead {
        WriterHead {
            volume: VOLUME,
            writer: self.id,
            vdl: self.vdl,
            pgmrpl: self.pgmrpl,
            wall_time_us: 5,
            tails: self.tails.iter().map(|(group, tail)| (*group, *tail)).collect(),
        }
    }

    fn send_frames(&mut self, world: &mut World, node: usize) {
        let head = self.head();
        let member = &mut self.members[node];
        while member.in_flight.len() < 2 {
            let mut entries = Vec::new();
            while member.cursor < self.sealed.len() && entries.len() < 6_000 {
                let sealed = &self.sealed[member.cursor];
                member.cursor += 1;
                let has_it = member.scls.get(&sealed.group).is_some_and(|scl| *scl >= sealed.last);
                if !has_it && !sealed.skipped[node] {
                    Write::put_entry(&mut entries, MembershipEpoch(1), &sealed.bytes);
                }
            }
            if entries.is_empty() && member.told_vdl >= self.vdl && member.told_last >= self.last {
                return;
            }
            member.told_last = self.last;
            member.told_vdl = self.vdl;
            self.requests += 1;
            member.in_flight.insert(self.requests);
            let write = Write { head: head.clone(), entries: &entries };
            world.send(member.wire.expect("connected"), self.requests, &Message::Write(write));
        }
    }

    /// Writes `count` mini-transactions, keeping at most a third of LAL unacknowledged.
    pub fn write_many(&mut self, world: &mut World, count: usize) {
        for _ in 0..count {
            self.write(world);
            self.pump(world);
            let limit = world.now_us + 60_000_000;
            while self.last.since(self.vdl) > LAL / 3 {
                world.run_us(300);
                self.pump(world);
                assert!(world.now_us < limit, "VDL hangs at {}: {:?}", self.vdl, self.refusals.last());
            }
            if world.rng.percent(20) {
                self.raise_pgmrpl(world);
            }
        }
    }

    pub fn raise_pgmrpl(&mut self, world: &mut World) {
        let room = self.vdl.since(self.pgmrpl);
        if room > 0 {
            self.pgmrpl = self.pgmrpl.plus(world.rng.below(room + 1));
            self.model.forget_below(self.pgmrpl);
        }
    }

    /// Nothing is read below the VDL any more.
    pub fn raise_pgmrpl_to_vdl(&mut self) {
        self.pgmrpl = self.vdl;
        self.model.forget_below(self.pgmrpl);
    }

    /// As [`Writer::raise_pgmrpl_to_vdl`], and every member is told so.
    pub fn tell_floor(&mut self, world: &mut World) {
        self.settle(world);
        self.raise_pgmrpl_to_vdl();
        self.members.iter_mut().for_each(|member| member.told_vdl = Lsn::ZERO);
        self.pump(world);
        self.settle(world);
    }

    /// Runs until everything written is durable in the volume.
    pub fn settle(&mut self, world: &mut World) {
        let limit = world.now_us + 60_000_000;
        while self.vdl < self.chain.back().map_or(self.vdl, |(lsn, ..)| *lsn) || self.has_in_flight() {
            world.run_us(500);
            self.pump(world);
            assert!(world.now_us < limit, "never settled: VDL {} of {}", self.vdl, self.last);
        }
    }

    fn has_in_flight(&self) -> bool {
        self.members.iter().any(|member| member.wire.is_some() && !member.in_flight.is_empty())
    }

    pub fn wire(&self, node: usize) -> Option<usize> {
        self.members[node].wire
    }

    pub fn scl(&self, node: usize, group: GroupId) -> Lsn {
        self.members[node].scls.get(&group).copied().unwrap_or(Lsn::ZERO)
    }

    /// Highest LSN of a group's records that are written; the reader sends the last not above its read point.
    fn group_tail_at(&self, group: GroupId, read_point: Lsn) -> Lsn {
        let of_group = |page: &PageId| page.0 / PAGES_PER_GROUP == u64::from(group.0);
        let tails = self.model.pages().filter(of_group);
        let tails = tails.filter_map(|page| self.model.at(page, read_point)).map(|page| page.lsn());
        tails.max().unwrap_or(Lsn::ZERO)
    }

    pub fn read_request(&self, page: PageId, read_point: Lsn) -> ReadPage {
        let group = GroupId((page.0 / PAGES_PER_GROUP) as u32);
        ReadPage {
            volume: VOLUME,
            group,
            page,
            read_point,
            group_tail: self.group_tail_at(group, read_point),
            writer: self.id,
            membership_epoch: MembershipEpoch(1),
            geometry_epoch: GeometryEpoch(1),
        }
    }

    /// Reads a page from one member and compares; `None` if it refused, with the reason kept.
    pub fn check_page(
        &mut self,
        world: &mut World,
        node: usize,
        page: PageId,
        read_point: Lsn,
    ) -> Option<()> {
        let wire = match self.members[node].wire {
            Some(wire) if world.is_connected(wire) => wire,
            _ => world.connect(node)?,
        };
        self.requests += 1;
        let read = Message::ReadPage(self.read_request(page, read_point));
        match call(world, wire, self.requests, &read)? {
            Answer::Image(bytes) => {
                let expected = self.model.at(page, read_point);
                let context = format!("{page:?} @ {read_point} at node {node}");
                match expected {
                    None => {
                        let image = hexalog_protocol::Page::from_bytes(&bytes).map(|page| page.lsn());
                        assert!(
                            image.is_none(),
                            "{context}: was never written, not {image:?}; {:?}",
                            self.history
                        )
                    }
                    Some(expected) => {
                        let image = hexalog_protocol::Page::from_bytes(&bytes).expect(&context);
                        assert!(image.verify(VOLUME, page), "{context}");
                        assert_eq!(image.lsn(), expected.lsn(), "{context}");
                        assert_eq!(image.content_hash(), expected.content_hash(), "{context}");
                    }
                }
                Some(())
            }
            Answer::Refused(refusal) => {
                self.refusals.push(refusal);
                None
            }
            other => panic!("{other:?}"),
        }
    }

    /// Every page at several read points from every member that is up. Returns how many were served.
    fn check_all_pages(&mut self, world: &mut World) -> usize {
        let mut served = 0;
        let floor = self.pgmrpl;
        for node in (0..NODES).filter(|node| world.is_ready(*node)).collect::<Vec<_>>() {
            for page in (0..u64::from(self.groups) * PAGES_PER_GROUP).map(PageId) {
                let room = self.vdl.since(floor);
                let between = floor.plus(if room > 0 { world.rng.below(room + 1) } else { 0 });
                for read_point in [floor, between, self.vdl] {
                    served += usize::from(self.check_page(world, node, page, read_point).is_some());
                }
            }
        }
        served
    }

    /// All six serve every page, and each of them is in order.
    pub fn check_all_served(&mut self, world: &mut World) {
        let served = self.check_all_pages(world);
        let all = NODES * self.groups as usize * PAGES_PER_GROUP as usize * 3;
        assert_eq!(served, all, "seed {}: {:?}", world.seed, self.refusals.last());
        assert!(world.halts.is_empty(), "seed {}: {:?}", world.seed, world.halts);
        world.check_all();
    }

    /// Waits until every member that is up has everything.
    pub fn converge(&mut self, world: &mut World) {
        self.settle(world);
        let limit = world.now_us + 60_000_000;
        while !self.all_complete(world) {
            world.run_us(1_000);
            self.pump(world);
            if world.now_us >= limit {
                let mut why = BTreeMap::new();
                self.refusals.iter().for_each(|refusal| *why.entry(refusal.reason).or_insert(0) += 1);
                let logs: Vec<_> = world.logs.iter().rev().take(10).collect();
                panic!("SCLs do not reach {:?}: {:?}; {why:?} {logs:#?}", self.tails, self.scls(world));
            }
        }
    }

    fn scls(&self, world: &World) -> Vec<(usize, Vec<Lsn>)> {
        let up = (0..NODES).filter(|node| world.is_up(*node));
        up.map(|node| (node, self.tails.keys().map(|group| self.scl(node, *group)).collect())).collect()
    }

    fn all_complete(&self, world: &World) -> bool {
        (0..NODES).filter(|node| world.is_up(*node)).all(|node| world.has_index(node) && self.has_tails(node))
    }

    fn has_tails(&self, node: usize) -> bool {
        self.tails.iter().all(|(group, tail)| self.scl(node, *group) >= *tail)
    }
}

/// The highest VDL that a member has heard.
fn heard_vdl(bumps: &Bumps) -> Lsn {
    bumps.answers.values().map(|bumped| bumped.vdl_heard).max().unwrap_or(Lsn::ZERO)
}

fn recover_vdl(bumps: &Bumps, adopted: &EpochHistory) -> Lsn {
    let mut records: BTreeMap<Lsn, bool> = BTreeMap::new();
    for bumped in bumps.answers.values() {
        records.extend(bumped.marks.0.iter().copied().filter(|(lsn, _)| !adopted.is_annulled(*lsn)));
    }
    let start = heard_vdl(bumps).max(adopted.upper());
    let (mut vcl, mut vdl) = (start, start);
    loop {
        let next = adopted.next_lsn(vcl);
        match records.get(&next) {
            Some(is_cpl) => {
                vcl = next;
                if *is_cpl {
                    vdl = next;
                }
            }
            None => return vdl,
        }
    }
}

fn group_tail(bumps: &Bumps, adopted: &EpochHistory, group: GroupId, vdl: Lsn) -> Lsn {
    let answers = bumps.answers.iter().filter(|((_, other), _)| *other == group).map(|(_, bumped)| bumped);
    answers.map(|bumped| reach(bumped, adopted, vdl)).max().unwrap_or(Lsn::ZERO)
}

/// How far a member's chain goes under the adopted history and not above the VDL.
fn reach(bumped: &Bumped, adopted: &EpochHistory, vdl: Lsn) -> Lsn {
    let counts = |lsn: Lsn| lsn <= vdl && !adopted.is_annulled(lsn);
    let marked = bumped.marks.0.iter().take_while(|(lsn, _)| counts(*lsn)).map(|(lsn, _)| *lsn).last();
    marked.unwrap_or(bumped.tail_heard.min(vdl))
}

/// What a source sends for a repair; `None`: it is busy, as members that have just started ask it too.
fn pull_from(world: &mut World, source: usize, request: u64, pull: GossipPull) -> Option<(Lsn, Vec<u8>)> {
    match call(world, source, request, &Message::GossipPull(pull)) {
        Some(Answer::Push { scl, batches }) => Some((scl, batches)),
        Some(Answer::Refused(refusal)) if refusal.reason == RefusalReason::Busy => {
            world.run_us(200);
            None
        }
        answer => panic!("a source answers, not {answer:?}"),
    }
}

fn repair(
    world: &mut World,
    bumps: &Bumps,
    adopted: &EpochHistory,
    id: WriterId,
    group: GroupId,
    tail: Lsn,
    vdl: Lsn,
) {
    let of_group: Vec<(usize, &Bumped)> = bumps
        .answers
        .iter()
        .filter(|((_, other), _)| *other == group)
        .map(|((node, _), b)| (*node, b))
        .collect();
    let Some((source, _)) = of_group.iter().find(|(_, bumped)| reach(bumped, adopted, vdl) == tail) else {
        panic!("someone has the tail");
    };
    let source = bumps.wires[*source].expect("it answered");
    for (node, bumped) in &of_group {
        let mut reached = reach(bumped, adopted, vdl);
        let wire = bumps.wires[*node].expect("it answered");
        let mut request = 600 + u64::from(group.0) * 1_000;
        if reached < tail && bumped.history != *adopted {
            let install = InstallHistory { volume: VOLUME, groups: vec![group], history: adopted.clone() };
            let answer = call(world, wire, request, &Message::InstallHistory(install));
            assert!(matches!(answer, Some(Answer::Done)), "{answer:?}");
        }
        while reached < tail {
            request += 2;
            let pull = GossipPull {
                volume: VOLUME,
                group,
                writer: id,
                membership_epoch: MembershipEpoch(1),
                after: reached,
                through: vdl,
                bytes_max: 10_000,
            };
            let Some((scl, batches)) = pull_from(world, source, request, pull) else { continue };
            let push = GossipPush {
                volume: VOLUME,
                group,
                writer: id,
                membership_epoch: MembershipEpoch(1),
                scl,
                log_from: Lsn::ZERO,
                history: adopted.writer(),
                vdl: heard_vdl(bumps),
                gc_floor: bumps.answers.values().map(|bumped| bumped.gc_floor).max().unwrap_or(Lsn::ZERO),
                batches: &batches,
            };
            let ack = match call(world, wire, request + 1, &Message::GossipPush(push)) {
                Some(Answer::Ack(ack)) => ack,
                // It makes room, since it has been told up to where it may.
                Some(Answer::Refused(refusal))
                    if refusal.reason == RefusalReason::NoSpace && request < 60_000 =>
                {
                    world.run_us(1_000);
                    continue;
                }
                other => panic!("a repaired member answers {other:?}"),
            };
            let scl = ack.scls.iter().find(|(other, _)| *other == group).expect("its group").1;
            // Without batches: the member may have got them from its peers since it was bumped, and all let go of the log.
            let sent: Vec<_> = BatchIter::new(&batches)
                .map(|b| b.expect("whole"))
                .map(|b| (b.first, b.last, b.backlink))
                .collect();
            assert!(
                scl > reached,
                "{sent:?} a repair goes on: {scl} after {reached} to {tail}, vdl {vdl}; {bumped:?} {adopted:?}"
            );
            reached = scl;
        }
    }
}

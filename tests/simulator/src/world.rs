//! The world: virtual time, the order of events, the processes and what befalls them.
//!
//! Faults and their budget: any shard may be killed or lose power at any event and comes back; any connection may
//! break; a whole availability zone may be cut off; the writer may die, or be paused and come back believing that
//! it still writes, while another opens. Devices keep what was flushed, so nothing acknowledged may ever be lost,
//! whatever the number of crashes; progress is owed only when the faults have stopped.

use crate::disk::Disk;
use crate::model::Model;
use crate::network::{End, Network};
use crate::random::Random;
use crate::writer::Writer;
use hexalog_protocol::frame::read_frame;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{CreateSegment, Hello, Member, Membership, Message, Role};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{
    DeviceId, GeometryEpoch, GroupId, Incarnation, Lsn, MembershipEpoch, NodeId, SegmentId, ShardIndex,
    VolumeEpoch, VolumeId,
};
use hexalog_storage_core::effects::{
    Area, ConnectionId, Effect, Effects, Event, IoResult, IoToken, Now as ShardNow,
};
use hexalog_storage_core::options::ShardOptions;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_format::aligned::AlignedBuffer;
use hexalog_volume::Client;
use hexalog_volume::config::{Lal, LinkIndex, VolumeConfig};
use hexalog_volume::effects as volume;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

/// Daemons, one shard each, two in each availability zone.
const SHARDS: usize = 6;
const VOLUME: VolumeId = VolumeId([7; 16]);
/// Wall clock at the start of the world; decides nothing.
const WALL_START_US: u64 = 1_700_000_000_000_000;

/// What a run does; drawn from the seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// Protection groups, most of them idle.
    pub groups: u32,
    /// Small, so that groups are many and chains long.
    pub pages_per_group: u64,
    /// LSN allocation limit.
    pub lal_records: u64,
    /// Log region of a shard; small, so that it wraps.
    pub log_bytes: u64,
    /// Virtual time of work with faults.
    pub work_us: u64,
    /// Mean time between faults; none if zero.
    pub fault_every_us: u64,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(seed: u64) -> Plan {
        let mut random = Random::new(seed ^ 0x5eed);
        Plan {
            seed,
            groups: random.range(1, 9) as u32,
            pages_per_group: 16,
            lal_records: random.range(16, 65),
            log_bytes: (256 * 1024) << random.range(0, 3),
            work_us: 3_000_000,
            fault_every_us: [0, 200_000, 50_000][random.range(0, 3) as usize],
        }
    }
}

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Hash over every event in order.
    pub trace_hash: u64,
    /// Events handled.
    pub events: u64,
    /// Highest acknowledged LSN.
    pub acknowledged: Lsn,
    /// Openings of the volume that succeeded.
    pub openings: u64,
    /// Faults made.
    pub faults: u64,
    /// Reads answered and compared with the model.
    pub reads_checked: u64,
}

enum Happening {
    Deliver {
        connection: usize,
        to: usize,
        bytes: Vec<u8>,
    },
    ConnectArrives {
        from: End,
        address: SocketAddr,
    },
    Break {
        connection: usize,
    },
    WriteEnds {
        shard: usize,
        run: u64,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
        flush: bool,
    },
    FlushEnds {
        shard: usize,
        run: u64,
        token: IoToken,
        area: Area,
    },
    ReadEnds {
        shard: usize,
        run: u64,
        token: IoToken,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
    },
    ShardTick {
        shard: usize,
        run: u64,
    },
    ShardStarts {
        shard: usize,
    },
    /// The control plane makes the volume's segments.
    SegmentsAreMade {
        shard: usize,
    },
    WriterTurn {
        run: u64,
    },
    WriterWorks {
        run: u64,
    },
    WriterStarts,
    Fault,
    Heal {
        az: usize,
    },
}

struct Process {
    disk: Disk,
    shard: Option<Shard>,
    run: u64,
    next_connection: u64,
    tick_at_us: u64,
    is_formatted: bool,
}

/// The world of one run.
pub struct World {
    plan: Plan,
    now_us: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    random: Random,
    processes: Vec<Process>,
    network: Network,
    writers: Vec<Writer>,
    epoch: u64,
    model: Model,
    cut_off: [bool; 3],
    faults_stop_us: u64,
    is_trace_printed: bool,
    outcome: Outcome,
}

fn address(shard: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, shard as u8 + 1], 7000))
}

fn membership(group: GroupId) -> Membership {
    let members = (0..SHARDS).map(|shard| Member {
        segment: SegmentId(u64::from(group.0) * SHARDS as u64 + shard as u64 + 1),
        node: NodeId(shard as u32),
        az: (shard / 2) as u8,
        address: address(shard),
    });
    Membership { epoch: MembershipEpoch(1), members: members.collect() }
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(plan: Plan, is_trace_printed: bool) -> World {
        let process = || Process {
            disk: Disk::new(2 * 4096, plan.log_bytes as usize, 8 << 20),
            shard: None,
            run: 0,
            next_connection: 1,
            tick_at_us: u64::MAX,
            is_formatted: false,
        };
        World {
            now_us: 1_000_000,
            sequence: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            random: Random::new(plan.seed),
            processes: (0..SHARDS).map(|_| process()).collect(),
            network: Network::default(),
            writers: Vec::new(),
            epoch: 0,
            model: Model::default(),
            cut_off: [false; 3],
            faults_stop_us: 1_000_000 + plan.work_us,
            is_trace_printed,
            outcome: Outcome {
                trace_hash: 0xcbf2_9ce4_8422_2325,
                events: 0,
                acknowledged: Lsn::ZERO,
                openings: 0,
                faults: 0,
                reads_checked: 0,
            },
            plan,
        }
    }

    /// Runs to the end and checks: work with faults, then quiet, then every commit answered and every page read.
    pub fn run(mut self) -> Outcome {
        for shard in 0..SHARDS {
            self.at(0, Happening::ShardStarts { shard });
        }
        self.at(20_000, Happening::WriterStarts);
        if self.plan.fault_every_us > 0 {
            self.at(self.plan.fault_every_us, Happening::Fault);
        }
        self.run_until(self.faults_stop_us);
        self.settle();
        self.check_all_pages();
        self.outcome.acknowledged = self.model.acknowledged;
        self.outcome
    }

    fn at(&mut self, in_us: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now_us + in_us, self.sequence)));
        self.happenings.insert(self.sequence, happening);
    }

    fn run_until(&mut self, end_us: u64) {
        while let Some(Reverse((time, sequence))) = self.queue.peek().copied() {
            if time > end_us {
                break;
            }
            self.queue.pop();
            assert!(time >= self.now_us, "time goes on");
            self.now_us = time;
            let happening = self.happenings.remove(&sequence).expect("every entry has its happening");
            self.happen(happening);
        }
        self.now_us = end_us;
    }

    /// Faults have stopped: within ten virtual seconds everything must be acknowledged and caught up.
    fn settle(&mut self) {
        self.note("faults stop");
        self.cut_off = [false; 3];
        self.run_until(self.now_us + 10_000_000);
        let writer = self.writers.last().expect("a writer was started");
        assert!(writer.is_open, "the last writer has opened: {:?}", writer.client.opening_waits_for());
        assert_eq!(writer.client.vdl(), writer.client.allocated(), "every commit is answered after quiet");
        assert_eq!(writer.reads, [], "every read is answered after quiet");
        for group in writer.client.status() {
            for (slot, scl) in group.scls.iter().enumerate() {
                assert_eq!(*scl, Some(group.tail), "member {slot} of {:?} has caught up", group.group);
            }
        }
    }

    fn check_all_pages(&mut self) {
        let pages: Vec<_> = self.model.pages().collect();
        let writer = self.writers.last_mut().expect("a writer was started");
        let read_point = writer.client.vdl();
        for page in pages {
            writer.reads.push((page, read_point));
            writer.client.read(page, read_point);
        }
        let run = writer.run;
        self.at(0, Happening::WriterTurn { run });
        self.run_until(self.now_us + 2_000_000);
        assert_eq!(self.writers.last().expect("a writer").reads, [], "every page was read");
    }

    fn note(&mut self, text: &str) {
        for byte in text.bytes().chain(self.now_us.to_le_bytes()) {
            self.outcome.trace_hash =
                (self.outcome.trace_hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.is_trace_printed {
            println!("{:>10} us  {text}", self.now_us);
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.outcome.events += 1;
        match happening {
            Happening::Deliver { connection, to, bytes } => self.deliver(connection, to, &bytes),
            Happening::ConnectArrives { from, address } => self.connect_arrives(from, address),
            Happening::Break { connection } => self.break_connection(connection),
            Happening::WriteEnds { shard, run, token, area, offset, buffer, flush } => {
                if !self.is_running(shard, run) {
                    return;
                }
                let disk = &mut self.processes[shard].disk;
                disk.write(area, offset, buffer.bytes());
                if flush {
                    disk.flush(area);
                }
                self.note(&format!("shard {shard} wrote {area:?} at {offset} flush {flush}"));
                self.tell_shard(shard, Event::Written(token, IoResult::Done, buffer));
            }
            Happening::FlushEnds { shard, run, token, area } => {
                if self.is_running(shard, run) {
                    self.processes[shard].disk.flush(area);
                    self.tell_shard(shard, Event::Flushed(token, IoResult::Done));
                }
            }
            Happening::ReadEnds { shard, run, token, area, offset, mut buffer } => {
                if self.is_running(shard, run) {
                    self.processes[shard].disk.read(area, offset, buffer.bytes_mut());
                    self.tell_shard(shard, Event::Read(token, IoResult::Done, buffer));
                }
            }
            Happening::ShardTick { shard, run } => self.shard_tick(shard, run),
            Happening::ShardStarts { shard } => self.start_shard(shard),
            Happening::SegmentsAreMade { shard } => self.create_segments(shard),
            Happening::WriterTurn { run } => self.writer_turn(run),
            Happening::WriterWorks { run } => self.writer_works(run),
            Happening::WriterStarts => self.start_writer(),
            Happening::Fault => self.make_fault(),
            Happening::Heal { az } => {
                self.note(&format!("az {az} is reached again"));
                self.cut_off[az] = false;
            }
        }
    }

    // ------------------------------------------------------------------ shards

    fn is_running(&self, shard: usize, run: u64) -> bool {
        self.processes[shard].run == run && self.processes[shard].shard.is_some()
    }

    fn shard_now(&self) -> ShardNow {
        ShardNow { monotonic_us: self.now_us, wall_us: WALL_START_US + self.now_us }
    }

    fn start_shard(&mut self, shard: usize) {
        if self.processes[shard].shard.is_some() {
            return;
        }
        self.note(&format!("shard {shard} starts"));
        let incarnation = self.random.bits() | 1;
        let now = self.shard_now();
        let log_bytes = self.plan.log_bytes;
        let process = &mut self.processes[shard];
        let mut options =
            ShardOptions::new(NodeId(shard as u32), ShardIndex(0), log_bytes, 8 << 20, incarnation);
        options.shard_ports = vec![7000];
        options.extent_bytes = 64 << 10;
        options.pending_bytes_max = 64 << 10;
        options.append_bytes_max = (log_bytes / 8) as usize;
        options.checkpoint_log_bytes = log_bytes / 8;
        options.checkpoint_interval_us = 100_000;
        options.checkpoint_deltas_max = 4;
        options.gossip_interval_us = 20_000;
        options.gossip_bytes_max = 16 << 10;
        if !process.is_formatted {
            process.is_formatted = true;
            let bytes = Shard::format(DeviceId(shard as u64 + 1), &options);
            process.disk.write(Area::Superblock, 0, bytes.bytes());
            process.disk.flush(Area::Superblock);
        }
        process.run += 1;
        process.next_connection = 1;
        process.tick_at_us = u64::MAX;
        let mut effects = Effects::default();
        process.shard = Some(Shard::start(options, now, &mut effects));
        self.carry_out_shard(shard, effects);
        if self.outcome.openings == 0 && self.writers.is_empty() {
            self.at(1_000, Happening::SegmentsAreMade { shard });
        }
    }

    /// Makes the volume's segments, as the control plane does at creation, over a connection of its own that
    /// nobody answers to.
    fn create_segments(&mut self, shard: usize) {
        if !self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready) {
            return self.at(1_000, Happening::SegmentsAreMade { shard });
        }
        let mut bytes = Vec::new();
        let hello = Hello { version_low: 1, version_high: 1, role: Role::Tool, identity: &[] };
        Message::Hello(hello).encode(1, &mut bytes);
        for group in 0..self.plan.groups {
            let create = CreateSegment {
                volume: VOLUME,
                group: GroupId(group),
                segment: SegmentId(u64::from(group) * SHARDS as u64 + shard as u64 + 1),
                pages_per_group: self.plan.pages_per_group,
                geometry_epoch: GeometryEpoch(1),
                base_lsn: Lsn::ZERO,
                membership: membership(GroupId(group)),
            };
            Message::CreateSegment(create).encode(2 + u64::from(group), &mut bytes);
        }
        let run = self.processes[shard].run;
        let id = ConnectionId(self.processes[shard].next_connection);
        self.processes[shard].next_connection += 1;
        let tool = End::Writer { run: 0, link: LinkIndex(shard) };
        let connection = self.network.connect(tool, End::Shard { shard, run, id });
        self.tell_shard(shard, Event::Accepted(id));
        self.at(50, Happening::Deliver { connection, to: 1, bytes });
    }

    fn tell_shard(&mut self, shard: usize, event: Event<'_>) {
        let now = self.shard_now();
        let mut effects = Effects::default();
        let Some(machine) = &mut self.processes[shard].shard else { return };
        machine.handle(now, event, &mut effects);
        self.carry_out_shard(shard, effects);
    }

    fn shard_tick(&mut self, shard: usize, run: u64) {
        if !self.is_running(shard, run) || self.processes[shard].tick_at_us > self.now_us {
            return;
        }
        self.processes[shard].tick_at_us = u64::MAX;
        let now = self.shard_now();
        let mut effects = Effects::default();
        let machine = self.processes[shard].shard.as_mut().expect("it runs");
        machine.handle(now, Event::Tick, &mut effects);
        let has_more = machine.is_ready() && machine.background(now, &mut effects);
        self.carry_out_shard(shard, effects);
        self.schedule_tick(shard, if has_more { 100 } else { 5_000 });
    }

    fn schedule_tick(&mut self, shard: usize, in_us: u64) {
        let due = self.now_us + in_us;
        let process = &mut self.processes[shard];
        let wanted = process.shard.as_ref().and_then(Shard::next_deadline_us).unwrap_or(u64::MAX);
        let due = due.min(wanted.max(self.now_us + 1));
        if due < process.tick_at_us {
            process.tick_at_us = due;
            let run = process.run;
            self.at(due - self.now_us, Happening::ShardTick { shard, run });
        }
    }

    fn carry_out_shard(&mut self, shard: usize, effects: Effects) {
        let run = self.processes[shard].run;
        for (id, bytes) in effects.sends {
            self.send(End::Shard { shard, run, id }, bytes);
        }
        for effect in effects.list {
            match effect {
                Effect::Connect(id, address) => {
                    let in_us = self.random.range(50, 500);
                    self.at(
                        in_us,
                        Happening::ConnectArrives { from: End::Shard { shard, run, id }, address },
                    );
                }
                Effect::Close(id) => {
                    if let Some((connection, _)) = self.network.find(End::Shard { shard, run, id }) {
                        self.at(0, Happening::Break { connection });
                    }
                }
                Effect::Write { token, area, offset, buffer, flush } => {
                    let in_us = self.random.range(50, if flush { 600 } else { 200 });
                    self.at(in_us, Happening::WriteEnds { shard, run, token, area, offset, buffer, flush });
                }
                Effect::Flush { token, area } => {
                    let in_us = self.random.range(50, 500);
                    self.at(in_us, Happening::FlushEnds { shard, run, token, area });
                }
                Effect::Read { token, area, offset, buffer } => {
                    let in_us = self.random.range(20, 200);
                    self.at(in_us, Happening::ReadEnds { shard, run, token, area, offset, buffer });
                }
                Effect::Halt { reason, .. } => panic!("shard {shard} halts: {reason}"),
                Effect::Log(text) => self.note(&format!("shard {shard}: {text}")),
            }
        }
        self.schedule_tick(shard, 5_000);
    }

    /// Stops a shard at once; with `is_power_cut` its device loses what was not flushed.
    fn stop_shard(&mut self, shard: usize, is_power_cut: bool) {
        if self.processes[shard].shard.take().is_none() {
            return;
        }
        self.note(&format!("shard {shard} {}", if is_power_cut { "loses power" } else { "is killed" }));
        let run = self.processes[shard].run;
        self.processes[shard].run += 1;
        let in_flight: Vec<u64> = self
            .happenings
            .iter()
            .filter(|(_, happening)| {
                matches!(happening, Happening::WriteEnds { shard: s, run: r, .. } if (*s, *r) == (shard, run))
            })
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in in_flight {
            let Some(Happening::WriteEnds { area, offset, buffer, .. }) = self.happenings.get(&sequence)
            else {
                continue;
            };
            self.processes[shard].disk.tear(*area, *offset, buffer.bytes(), &mut self.random);
        }
        if is_power_cut {
            self.processes[shard].disk.power_cut(&mut self.random);
        }
        let broken: Vec<usize> = self
            .network
            .connections
            .iter()
            .enumerate()
            .filter(|(_, connection)| connection.is_open)
            .filter(|(_, connection)| {
                connection.ends.iter().any(|end| matches!(end, End::Shard { shard: s, .. } if *s == shard))
            })
            .map(|(index, _)| index)
            .collect();
        for connection in broken {
            let in_us = self.random.range(10, 1_000);
            self.at(in_us, Happening::Break { connection });
        }
        let in_us = self.random.range(1_000, 300_000);
        self.at(in_us, Happening::ShardStarts { shard });
    }

    // ------------------------------------------------------------------ network

    fn is_cut_off(&self, end: End) -> bool {
        matches!(end, End::Shard { shard, .. } if self.cut_off[shard / 2])
    }

    fn send(&mut self, from: End, bytes: Vec<u8>) {
        let Some((connection, side)) = self.network.find(from) else { return };
        let delay = if self.random.one_in(50) {
            self.random.range(1_000, 30_000)
        } else {
            self.random.range(20, 300)
        };
        let to = 1 - side;
        let busy = &mut self.network.connections[connection].busy_until_us[to];
        let arrives = (self.now_us + delay).max(*busy + 1);
        *busy = arrives;
        self.at(arrives - self.now_us, Happening::Deliver { connection, to, bytes });
    }

    fn connect_arrives(&mut self, from: End, target: SocketAddr) {
        let shard = (0..SHARDS).find(|shard| address(*shard) == target).expect("addresses are shards'");
        let is_up = self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready);
        if !is_up || self.cut_off[shard / 2] || self.is_cut_off(from) {
            return self.tell_closed(from);
        }
        let run = self.processes[shard].run;
        let id = ConnectionId(self.processes[shard].next_connection);
        self.processes[shard].next_connection += 1;
        self.network.connect(from, End::Shard { shard, run, id });
        self.tell_shard(shard, Event::Accepted(id));
        match from {
            End::Shard { shard, run, id } if self.is_running(shard, run) => {
                self.tell_shard(shard, Event::Connected(id));
            }
            End::Shard { .. } => {}
            End::Writer { run, link } => self.tell_writer(run, volume::Event::Connected(link)),
        }
    }

    fn break_connection(&mut self, connection: usize) {
        let connection = &mut self.network.connections[connection];
        if !connection.is_open {
            return;
        }
        connection.is_open = false;
        let ends = connection.ends;
        ends.into_iter().for_each(|end| self.tell_closed(end));
    }

    fn tell_closed(&mut self, end: End) {
        match end {
            End::Shard { shard, run, id } => {
                if self.is_running(shard, run) {
                    self.tell_shard(shard, Event::Closed(id));
                }
            }
            End::Writer { run, link } => self.tell_writer(run, volume::Event::Closed(link)),
        }
    }

    fn deliver(&mut self, connection: usize, to: usize, bytes: &[u8]) {
        if !self.network.connections[connection].is_open {
            return;
        }
        let end = self.network.connections[connection].ends[to];
        let other = self.network.connections[connection].ends[1 - to];
        if self.is_cut_off(end) || self.is_cut_off(other) {
            // Lost on the way: TCP gives the connection up.
            return self.break_connection(connection);
        }
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            self.note(&format!("{other:?} -> {end:?} kind {} request {}", frame.kind, frame.request_id));
            match end {
                End::Shard { shard, run, id } if self.is_running(shard, run) => {
                    self.tell_shard(shard, Event::Frame(id, frame));
                }
                End::Shard { .. } => {}
                End::Writer { run, link } => self.tell_writer(run, volume::Event::Frame(link, frame)),
            }
        }
        assert!(rest.is_empty(), "processes send whole frames");
    }

    // ------------------------------------------------------------------ writer

    fn start_writer(&mut self) {
        self.epoch += 1;
        let config = VolumeConfig {
            volume: VOLUME,
            geometry: Geometry { pages_per_group: self.plan.pages_per_group, groups: self.plan.groups },
            geometry_epoch: GeometryEpoch(1),
            quorum: QuorumModel::FOUR_OF_SIX,
            groups: (0..self.plan.groups).map(|group| membership(GroupId(group))).collect(),
            lal: Lal { records: self.plan.lal_records, bytes: 1 << 20 },
        };
        let writer =
            WriterId { epoch: VolumeEpoch(self.epoch), incarnation: Incarnation(self.random.bits()) };
        self.note(&format!("writer {} opens", self.epoch));
        let run = self.epoch;
        let client = Client::open(config, writer);
        self.writers.push(Writer { client, run, is_open: false, is_paused: false, reads: Vec::new() });
        self.at(0, Happening::WriterTurn { run });
    }

    fn writer_index(&self, run: u64) -> Option<usize> {
        self.writers.iter().position(|writer| writer.run == run && !writer.is_paused)
    }

    fn volume_now(&self) -> volume::Now {
        volume::Now { monotonic_us: self.now_us, wall_us: WALL_START_US + self.now_us }
    }

    fn tell_writer(&mut self, run: u64, event: volume::Event<'_>) {
        let Some(index) = self.writer_index(run) else { return };
        let now = self.volume_now();
        let mut effects = volume::Effects::default();
        self.writers[index].client.handle(now, event, &mut effects);
        self.carry_out_writer(run, effects);
        // The flush comes in a turn of its own, after whatever else arrives at this moment.
        self.at(1, Happening::WriterTurn { run });
    }

    fn writer_turn(&mut self, run: u64) {
        let Some(index) = self.writer_index(run) else { return };
        let now = self.volume_now();
        let mut effects = volume::Effects::default();
        self.writers[index].client.flush(now, &mut effects);
        let deadline = self.writers[index].client.next_deadline_us(now);
        self.carry_out_writer(run, effects);
        if let Some(at) = deadline {
            let in_us = at.saturating_sub(self.now_us).max(1_000);
            self.at(in_us, Happening::WriterTurn { run });
        }
    }

    fn carry_out_writer(&mut self, run: u64, effects: volume::Effects) {
        for (link, bytes) in effects.sends {
            self.send(End::Writer { run, link }, bytes);
        }
        for effect in effects.list {
            let Some(index) = self.writer_index(run) else { return };
            match effect {
                volume::Effect::Connect(link, address) => {
                    let in_us = self.random.range(50, 500);
                    self.at(in_us, Happening::ConnectArrives { from: End::Writer { run, link }, address });
                }
                volume::Effect::Disconnect(link) => {
                    if let Some((connection, _)) = self.network.find(End::Writer { run, link }) {
                        let ends = self.network.connections[connection].ends;
                        self.network.connections[connection].is_open = false;
                        let others = ends.into_iter().filter(|end| *end != End::Writer { run, link });
                        others.for_each(|end| self.tell_closed(end));
                    }
                }
                volume::Effect::Page { page, read_point, image } => {
                    self.outcome.reads_checked += 1;
                    self.writers[index].read_answered(&self.model, page, read_point, &image);
                }
                volume::Effect::Opened => self.writer_opened(index),
                volume::Effect::VdlAdvanced(vdl) => self.vdl_advanced(index, vdl),
                volume::Effect::Fenced(by) => {
                    self.note(&format!("writer {run} is fenced by {by:?}"));
                    self.writers.remove(index);
                    if self.writers.is_empty() {
                        self.at(1_000, Happening::WriterStarts);
                    }
                }
                volume::Effect::LogSpaceFreed | volume::Effect::QuorumContact => {}
                volume::Effect::Log(text) => self.note(&format!("writer {run}: {text}")),
            }
        }
    }

    fn writer_opened(&mut self, index: usize) {
        let run = self.writers[index].run;
        let history = self.writers[index].client.history().clone();
        let entry = *history.last().expect("an opened volume has a history");
        self.note(&format!("writer {run} is open: VDL {:?}, upper {:?}", entry.vdl, entry.upper));
        self.outcome.openings += 1;
        self.model.recovered(history.floor(entry.vdl));
        self.model.acknowledged = self.model.acknowledged.max(history.floor(entry.vdl));
        self.writers[index].is_open = true;
        self.at(0, Happening::WriterWorks { run });
    }

    fn vdl_advanced(&mut self, index: usize, vdl: Lsn) {
        let history = self.writers[index].client.history();
        if self.writers[index].is_open {
            // An old writer may hear of an acknowledgement late, but what it calls durable then must have been found by
            // whoever opened since.
            for newer in self.writers[index + 1..].iter().filter(|writer| writer.is_open) {
                assert!(
                    !newer.client.history().is_annulled(history.floor(vdl)),
                    "an old writer made {vdl:?} durable, which a new one has annulled"
                );
            }
            self.model.acknowledged = self.model.acknowledged.max(history.floor(vdl));
        }
        let run = self.writers[index].run;
        self.note(&format!("writer {run}: VDL {vdl:?}"));
    }

    fn writer_works(&mut self, run: u64) {
        let Some(index) = self.writer_index(run) else { return };
        if self.now_us >= self.faults_stop_us {
            let client = &mut self.writers[index].client;
            client.want(client.allocated());
            self.at(1, Happening::WriterTurn { run });
            return;
        }
        let is_latest = index + 1 == self.writers.len();
        let pages = self.plan.pages_per_group * u64::from(self.plan.groups);
        // Only the latest writer's changes go into the model; an older one that was paused finds out when it sends.
        if is_latest && self.writers[index].is_open {
            for _ in 0..self.random.range(1, 4) {
                self.writers[index].append(&mut self.model, pages, &mut self.random);
            }
            if self.random.one_in(4) {
                self.writers[index].read(pages, &mut self.random);
            }
        }
        self.at(1, Happening::WriterTurn { run });
        let in_us = self.random.range(100, 3_000);
        self.at(in_us, Happening::WriterWorks { run });
    }

    // ------------------------------------------------------------------ faults

    fn make_fault(&mut self) {
        if self.now_us >= self.faults_stop_us {
            return;
        }
        self.outcome.faults += 1;
        match self.random.range(0, 10) {
            0..=2 => {
                let shard = self.random.range(0, SHARDS as u64) as usize;
                self.stop_shard(shard, false);
            }
            3..=4 => {
                let shard = self.random.range(0, SHARDS as u64) as usize;
                self.stop_shard(shard, true);
            }
            5 => (0..SHARDS).for_each(|shard| self.stop_shard(shard, true)),
            6 => {
                let az = self.random.range(0, 3) as usize;
                self.note(&format!("az {az} is cut off"));
                self.cut_off[az] = true;
                let in_us = self.random.range(1_000, 200_000);
                self.at(in_us, Happening::Heal { az });
            }
            7 => {
                let open: Vec<usize> = (0..self.network.connections.len())
                    .filter(|c| self.network.connections[*c].is_open)
                    .collect();
                if !open.is_empty() {
                    let connection = open[self.random.range(0, open.len() as u64) as usize];
                    self.at(0, Happening::Break { connection });
                }
            }
            _ => self.replace_writer(),
        }
        let in_us = self.random.range(1, 2 * self.plan.fault_every_us);
        self.at(in_us, Happening::Fault);
    }

    /// The writer dies, and another opens at once; or a second one opens while the first believes that it writes.
    fn replace_writer(&mut self) {
        if self.random.one_in(2) {
            let runs: Vec<u64> = self.writers.iter().map(|writer| writer.run).collect();
            self.note("the writers are killed");
            self.writers.clear();
            for run in runs {
                let links = (0..SHARDS).map(|link| End::Writer { run, link: LinkIndex(link) });
                let broken: Vec<usize> = links
                    .filter_map(|end| self.network.find(end))
                    .map(|(connection, _)| connection)
                    .collect();
                for connection in broken {
                    let in_us = self.random.range(10, 1_000);
                    self.at(in_us, Happening::Break { connection });
                }
            }
        }
        self.at(0, Happening::WriterStarts);
    }
}

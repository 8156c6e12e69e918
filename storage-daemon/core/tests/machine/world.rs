//! Scheduler and network: one queue of events in virtual time, all order decided by the seed.

use crate::disk::Disk;
use crate::rng::Rng;
use hexalog_protocol::frame::{PROTOCOL_VERSION, read_frame};
use hexalog_protocol::message::{Hello, Member, Membership, Message, Role};
use hexalog_protocol::{DeviceId, MembershipEpoch, NodeId, SegmentId, ShardIndex};
use hexalog_storage_core::effects::{Area, ConnectionId, Effect, Effects, Event, IoResult, IoToken, Now};
use hexalog_storage_core::options::ShardOptions;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_format::aligned::AlignedBuffer;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

pub const NODES: usize = 6;
const OWN_CONNECTIONS: u64 = 1 << 63;

enum Operation {
    Write { area: Area, offset: u64, flush: bool, buffer: AlignedBuffer },
    Flush { area: Area },
    Read { area: Area, offset: u64, buffer: AlignedBuffer },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    Node(usize, ConnectionId),
    Client(usize),
}

enum Happening {
    Io { node: usize, life: u32, token: IoToken },
    Deliver { wire: usize, to: usize, bytes: Vec<u8> },
    Connected { node: usize, life: u32, connection: ConnectionId, target: usize },
    Closed { side: Side, life: u32 },
    Tick { node: usize, life: u32 },
}

/// What the file system below a node has for its device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Below {
    /// Whatever the device wants.
    Ample,
    /// Nothing more than it has given.
    Full,
    /// Nothing, not even where it has given some: each write to the extents goes to a new place, and there is none.
    Refuses,
    /// As `Refuses`, for the log too.
    RefusesAll,
}

impl Below {
    fn refuses(self, area: Area) -> bool {
        match self {
            Below::Ample | Below::Full => false,
            Below::Refuses => area == Area::Extents,
            Below::RefusesAll => area != Area::Superblock,
        }
    }
}

struct Node {
    below: Below,
    shard: Option<Shard>,
    disk: Disk,
    life: u32,
    operations: BTreeMap<IoToken, Operation>,
    tick_at_us: u64,
    accepted: u64,
    options: ShardOptions,
    /// Writes to this area end with an error.
    fails: Option<Area>,
    /// Reads of this area do.
    fails_reads: Option<Area>,
    holds_reads: Option<Area>,
    /// A block that no read gets over.
    bad_block: Option<(Area, u64)>,
}

/// One connection: its two ends and whether it stands.
struct Wire {
    ends: [Side; 2],
    is_up: bool,
    busy_until_us: [u64; 2],
}

pub struct World {
    pub seed: u64,
    pub rng: Rng,
    pub now_us: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    /// Frames that came to a client's end of a wire.
    pub inbox: BTreeMap<usize, VecDeque<Vec<u8>>>,
    pub logs: Vec<String>,
    pub halts: Vec<(usize, String)>,
    /// Hash of everything that happened, to compare two runs.
    pub trace: u64,
    events: u64,
}

pub fn options(node: usize) -> ShardOptions {
    let mut options = ShardOptions::new(NodeId(node as u32), ShardIndex(0), 512 << 10, 4 << 20, 1);
    options.extent_bytes = 64 << 10;
    options.append_bytes_max = 32 << 10;
    options.pending_bytes_max = 1 << 20;
    options.checkpoint_log_bytes = 32 << 10;
    options.checkpoint_interval_us = 200_000;
    options.checkpoint_deltas_max = 4;
    // A few pages each: pages go on changing between the parts of one checkpoint.
    options.checkpoint_part_bytes = 512;
    options.gossip_interval_us = 10_000;
    options.gossip_bytes_max = 16 << 10;
    // A group takes several turns, and pages change between them.
    options.hydration_pages_max = 5;
    options
}

pub fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node as u8 + 1], 7000))
}

pub fn membership(group: u32) -> Membership {
    let members = (0..NODES).map(|node| Member {
        segment: SegmentId(u64::from(group) * 100 + node as u64 + 1),
        node: NodeId(node as u32),
        az: (node / 2) as u8,
        address: address(node),
    });
    Membership::of(MembershipEpoch(1), members.collect())
}

impl World {
    pub fn new(seed: u64) -> World {
        World::with_options(seed, options)
    }

    /// With a log that reaches back over the longest absence of a member.
    pub fn with_long_log(seed: u64) -> World {
        World::with_options(seed, |node| {
            let mut options = options(node);
            options.log_bytes = 4 << 20;
            options.log_prepared_bytes = options.log_bytes;
            options
        })
    }

    pub fn with_options(seed: u64, options: impl Fn(usize) -> ShardOptions) -> World {
        let nodes = (0..NODES).map(|node| {
            let options = options(node);
            let superblocks = Shard::format(DeviceId(0x1000 + node as u64), &options);
            let disk = Disk::new(superblocks.bytes(), options.log_bytes, options.extents_bytes);
            let operations = BTreeMap::new();
            Node {
                below: Below::Ample,
                shard: None,
                disk,
                life: 0,
                operations,
                tick_at_us: 0,
                accepted: 0,
                options,
                fails: None,
                fails_reads: None,
                holds_reads: None,
                bad_block: None,
            }
        });
        let mut world = World {
            seed,
            rng: Rng::new(seed),
            now_us: 1_000,
            order: 0,
            queue: BTreeMap::new(),
            nodes: nodes.collect(),
            wires: Vec::new(),
            inbox: BTreeMap::new(),
            logs: Vec::new(),
            halts: Vec::new(),
            trace: 0,
            events: 0,
        };
        world.start_all();
        world
    }

    pub fn now(&self) -> Now {
        Now { monotonic_us: self.now_us, wall_us: 1_700_000_000_000_000 + self.now_us }
    }

    fn schedule(&mut self, delay_us: u64, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now_us + delay_us, self.order), happening);
    }

    pub fn is_up(&self, node: usize) -> bool {
        self.nodes[node].shard.is_some()
    }

    pub fn is_ready(&self, node: usize) -> bool {
        self.nodes[node].shard.as_ref().is_some_and(Shard::is_ready)
    }

    /// Whether it has loaded the index since its start.
    pub fn has_index(&self, node: usize) -> bool {
        self.is_ready(node) && self.counter(node, "index_is_loading") == 0
    }

    pub fn counter(&self, node: usize, name: &str) -> u64 {
        let shard = self.nodes[node].shard.as_ref().expect("the node is up");
        let counters = shard.counters();
        counters.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("no counter {name}")).1
    }

    pub fn disk(&mut self, node: usize) -> &mut Disk {
        &mut self.nodes[node].disk
    }

    /// Whether a write to an area of a node's device is in flight.
    pub fn is_writing(&self, node: usize, of: Area) -> bool {
        let mut operations = self.nodes[node].operations.values();
        operations.any(|operation| matches!(operation, Operation::Write { area, .. } if *area == of))
    }

    pub fn set_failing(&mut self, node: usize, area: Option<Area>) {
        self.nodes[node].fails = area;
    }

    pub fn set_bad_block(&mut self, node: usize, block: Option<(Area, u64)>) {
        self.nodes[node].bad_block = block;
    }

    pub fn set_unreadable(&mut self, node: usize, area: Option<Area>) {
        self.nodes[node].fails_reads = area;
    }

    /// Reads of an area do not end until this is taken back.
    pub fn set_holding(&mut self, node: usize, area: Option<Area>) {
        self.nodes[node].holds_reads = area;
    }

    pub fn set_below(&mut self, node: usize, below: Below) {
        self.nodes[node].below = below;
    }

    /// What a driver does beside a shard: space for the extents, as far as the file system has some.
    fn back_extents(&mut self, node: usize) {
        let at = &mut self.nodes[node];
        let Some(shard) = at.shard.as_mut() else { return };
        let backed = &mut at.options.extents_backed_bytes;
        let possible = match at.below {
            Below::Ample | Below::Refuses | Below::RefusesAll => {
                *backed = (*backed).max(shard.extents_wanted_bytes());
                at.options.extents_bytes
            }
            Below::Full => *backed,
        };
        shard.set_extents_backed(*backed, possible);
    }

    pub fn start(&mut self, node: usize) {
        assert!(!self.is_up(node));
        let incarnation = self.rng.next() | 1;
        let now = self.now();
        let at = &mut self.nodes[node];
        at.life += 1;
        at.options.incarnation = incarnation;
        at.accepted = 0;
        at.tick_at_us = 0;
        let mut effects = Effects::default();
        at.shard = Some(Shard::start(at.options.clone(), now, &mut effects));
        self.carry_out(node, effects);
        let life = self.nodes[node].life;
        self.schedule(1_000, Happening::Tick { node, life });
    }

    /// A node that is down comes back with a device that nothing was ever written to.
    pub fn replace_device(&mut self, node: usize) {
        assert!(!self.is_up(node));
        let at = &mut self.nodes[node];
        let superblocks = Shard::format(DeviceId(0x2000 + node as u64), &at.options);
        at.disk = Disk::new(superblocks.bytes(), at.options.log_bytes, at.options.extents_bytes);
    }

    /// Starts those that are down, and waits until all six are ready.
    pub fn start_all(&mut self) {
        let down: Vec<usize> = (0..NODES).filter(|node| !self.is_up(*node)).collect();
        down.into_iter().for_each(|node| self.start(node));
        self.run_until("all are ready", |world| (0..NODES).all(|node| world.is_ready(node)));
    }

    /// The process is gone; the device keeps its cache.
    pub fn kill(&mut self, node: usize) {
        let at = &mut self.nodes[node];
        at.shard = None;
        at.life += 1;
        for (_, operation) in std::mem::take(&mut at.operations) {
            if let Operation::Write { area, offset, buffer, .. } = operation {
                at.disk.write_some_blocks(area, offset, buffer.bytes(), &mut self.rng);
            }
        }
        for wire in 0..self.wires.len() {
            if self.wires[wire].ends.iter().any(|end| matches!(end, Side::Node(other, _) if *other == node)) {
                self.cut(wire);
            }
        }
    }

    /// The machine is gone, and with it what its device had not flushed.
    pub fn power_loss(&mut self, node: usize) {
        if self.is_up(node) {
            self.kill(node);
        }
        self.nodes[node].disk.power_loss(&mut self.rng);
    }

    /// One machine loses power, and comes back after so long.
    pub fn power_cycle(&mut self, node: usize, off_us: u64) {
        self.power_loss(node);
        self.run_us(off_us);
        self.start(node);
        self.run_until("ready", |world| world.is_ready(node));
    }

    /// All six lose power and come back.
    pub fn power_cycle_all(&mut self) {
        (0..NODES).for_each(|node| self.power_loss(node));
        self.start_all();
    }

    /// A clean stop.
    pub fn stop(&mut self, node: usize) {
        let now = self.now();
        let mut effects = Effects::default();
        self.nodes[node].shard.as_mut().expect("up").shutdown(now, &mut effects);
        self.carry_out(node, effects);
        self.run_until("quiet", |world| world.nodes[node].shard.as_ref().expect("up").is_quiet());
        self.nodes[node].operations.clear();
        self.kill(node);
    }

    fn cut(&mut self, wire: usize) {
        if !std::mem::replace(&mut self.wires[wire].is_up, false) {
            return;
        }
        for side in self.wires[wire].ends {
            let life = match side {
                Side::Node(node, _) => self.nodes[node].life,
                Side::Client(_) => 0,
            };
            self.schedule(0, Happening::Closed { side, life });
        }
    }

    /// Connects a client to a node; the number names the connection.
    pub fn connect(&mut self, node: usize) -> Option<usize> {
        self.connect_as(node, Role::Compute)
    }

    pub fn connect_as(&mut self, node: usize, role: Role) -> Option<usize> {
        if !self.is_ready(node) {
            return None;
        }
        let wire = self.wires.len();
        let connection = self.accept(node);
        self.wires.push(Wire {
            ends: [Side::Client(wire), Side::Node(node, connection)],
            is_up: true,
            busy_until_us: [0; 2],
        });
        self.inbox.insert(wire, VecDeque::new());
        let hello =
            Hello { version_low: PROTOCOL_VERSION, version_high: PROTOCOL_VERSION, role, identity: &[] };
        self.send(wire, 0, &Message::Hello(hello));
        Some(wire)
    }

    fn accept(&mut self, node: usize) -> ConnectionId {
        self.nodes[node].accepted += 1;
        let connection = ConnectionId(self.nodes[node].accepted);
        self.event(node, |_| Event::Accepted(connection));
        connection
    }

    pub fn is_connected(&self, wire: usize) -> bool {
        self.wires[wire].is_up
    }

    pub fn disconnect(&mut self, wire: usize) {
        self.cut(wire);
    }

    /// A client sends.
    pub fn send(&mut self, wire: usize, request_id: u64, message: &Message<'_>) {
        let mut bytes = Vec::new();
        message.encode(request_id, &mut bytes);
        self.transmit(wire, 1, bytes);
    }

    /// A client sends several at once: nothing comes between them.
    pub fn send_together(&mut self, wire: usize, messages: &[(u64, &Message<'_>)]) {
        let mut bytes = Vec::new();
        messages.iter().for_each(|(request_id, message)| message.encode(*request_id, &mut bytes));
        self.transmit(wire, 1, bytes);
    }

    /// The end of a connection that a node has made to a peer is sent these bytes, as if by the peer. False without one.
    pub fn send_to_asker(&mut self, asker: usize, bytes: Vec<u8>) -> bool {
        let is_made_by = |wire: &Wire| {
            let [maker, other] = wire.ends;
            wire.is_up && matches!((maker, other), (Side::Node(node, _), Side::Node(..)) if node == asker)
        };
        let wire = self.wires.iter().position(is_made_by);
        wire.is_some_and(|wire| {
            self.transmit(wire, 0, bytes);
            true
        })
    }

    fn transmit(&mut self, wire: usize, to: usize, bytes: Vec<u8>) {
        let delay = 10 + self.rng.below(150);
        let at = (self.now_us + delay).max(self.wires[wire].busy_until_us[to]);
        self.wires[wire].busy_until_us[to] = at;
        self.schedule(at - self.now_us, Happening::Deliver { wire, to, bytes });
    }

    fn event<'a>(&mut self, node: usize, event: impl FnOnce(&mut Node) -> Event<'a>) {
        let now = self.now();
        let at = &mut self.nodes[node];
        let event = event(at);
        let Some(shard) = at.shard.as_mut() else { return };
        let mut effects = Effects::default();
        shard.handle(now, event, &mut effects);
        self.events += 1;
        if self.events.is_multiple_of(64) {
            shard.invariants_full();
        }
        let mut more = self.rng.percent(30);
        while more {
            more = self.nodes[node].shard.as_mut().expect("seen above").background(now, &mut effects);
        }
        self.back_extents(node);
        self.carry_out(node, effects);
        self.plan_tick(node);
    }

    fn plan_tick(&mut self, node: usize) {
        let at = &mut self.nodes[node];
        let Some(deadline) = at.shard.as_ref().and_then(Shard::next_deadline_us) else { return };
        let deadline = deadline.max(self.now_us + 100);
        if at.tick_at_us > self.now_us && at.tick_at_us <= deadline {
            return;
        }
        at.tick_at_us = deadline;
        let life = at.life;
        self.schedule(deadline - self.now_us, Happening::Tick { node, life });
    }

    fn carry_out(&mut self, node: usize, effects: Effects) {
        let life = self.nodes[node].life;
        for (connection, bytes) in effects.sends {
            let is_it = |end: &Side| *end == Side::Node(node, connection);
            let wire = self.wires.iter().position(|wire| wire.is_up && wire.ends.iter().any(is_it));
            if let Some(wire) = wire {
                let from = self.wires[wire].ends.iter().position(is_it).expect("just found");
                self.transmit(wire, 1 - from, bytes);
            }
        }
        for effect in effects.list {
            let (token, operation) = match effect {
                Effect::Connect(connection, wanted) => {
                    assert!(connection.0 >= OWN_CONNECTIONS);
                    let delay = 50 + self.rng.below(200);
                    let happening = match (0..NODES).find(|other| address(*other) == wanted) {
                        Some(target) => Happening::Connected { node, life, connection, target },
                        None => Happening::Closed { side: Side::Node(node, connection), life },
                    };
                    self.schedule(delay, happening);
                    continue;
                }
                Effect::Close(connection) => {
                    let is_it = |wire: &Wire| wire.ends.contains(&Side::Node(node, connection));
                    if let Some(wire) = self.wires.iter().position(is_it) {
                        self.cut(wire);
                    }
                    continue;
                }
                Effect::Halt { reason, .. } => {
                    self.halts.push((node, reason));
                    continue;
                }
                Effect::Log(text) => {
                    self.logs.push(format!("{} node {node}: {text}", self.now_us));
                    continue;
                }
                Effect::Write { token, area, offset, buffer, flush } => {
                    (token, Operation::Write { area, offset, flush, buffer })
                }
                Effect::Flush { token, area } => (token, Operation::Flush { area }),
                Effect::Read { token, area, offset, buffer } => {
                    (token, Operation::Read { area, offset, buffer })
                }
            };
            self.nodes[node].operations.insert(token, operation);
            let delay = 30 + self.rng.below(300);
            self.schedule(delay, Happening::Io { node, life, token });
        }
    }

    /// Lets one thing happen; false if nothing is left.
    pub fn step(&mut self) -> bool {
        let Some(((at, order), happening)) = self.queue.pop_first() else { return false };
        self.now_us = at;
        self.trace = (self.trace ^ at ^ order.rotate_left(32)).wrapping_mul(0x0100_0000_01b3);
        match happening {
            Happening::Io { node, life, token } => {
                if self.nodes[node].life == life && self.is_held(node, token) {
                    self.schedule(1_000, Happening::Io { node, life, token });
                } else if self.nodes[node].life == life {
                    self.finish_io(node, token);
                }
            }
            Happening::Deliver { wire, to, bytes } => self.deliver(wire, to, bytes),
            Happening::Connected { node, life, connection, target } => {
                if self.nodes[node].life == life {
                    self.finish_connect(node, connection, target);
                }
            }
            Happening::Closed { side, life } => {
                if let Side::Node(node, connection) = side
                    && self.nodes[node].life == life
                {
                    self.event(node, |_| Event::Closed(connection));
                }
            }
            Happening::Tick { node, life } => {
                if self.nodes[node].life == life {
                    self.event(node, |_| Event::Tick);
                    let now = self.now();
                    let mut effects = Effects::default();
                    if let Some(shard) = self.nodes[node].shard.as_mut() {
                        while shard.background(now, &mut effects) {}
                        self.carry_out(node, effects);
                        self.plan_tick(node);
                    }
                }
            }
        }
        true
    }

    fn is_held(&self, node: usize, token: IoToken) -> bool {
        let at = &self.nodes[node];
        matches!(at.operations.get(&token), Some(Operation::Read { area, .. }) if at.holds_reads == Some(*area))
    }

    fn finish_io(&mut self, node: usize, token: IoToken) {
        self.event(node, |at| match at.operations.remove(&token).expect("each ends once") {
            Operation::Write { area, buffer, .. } if at.fails == Some(area) => {
                Event::Written(token, IoResult::Failed(5), buffer)
            }
            Operation::Write { area, buffer, .. } if at.below.refuses(area) => {
                Event::Written(token, IoResult::NoSpace, buffer)
            }
            Operation::Write { area, offset, flush, buffer } => {
                at.disk.write(area, offset, buffer.bytes());
                if flush {
                    at.disk.flush(area);
                }
                Event::Written(token, IoResult::Done, buffer)
            }
            Operation::Flush { area } => {
                at.disk.flush(area);
                Event::Flushed(token, IoResult::Done)
            }
            Operation::Read { area, offset, buffer }
                if at.fails_reads == Some(area)
                    || at.bad_block.is_some_and(|(of, block)| {
                        of == area && (offset..offset + buffer.len() as u64).contains(&block)
                    }) =>
            {
                Event::Read(token, IoResult::Failed(5), buffer)
            }
            Operation::Read { area, offset, mut buffer } => {
                at.disk.read(area, offset, buffer.bytes_mut());
                Event::Read(token, IoResult::Done, buffer)
            }
        });
    }

    fn finish_connect(&mut self, node: usize, connection: ConnectionId, target: usize) {
        if !self.is_ready(target) {
            return self.event(node, |_| Event::Closed(connection));
        }
        let other = self.accept(target);
        self.wires.push(Wire {
            ends: [Side::Node(node, connection), Side::Node(target, other)],
            is_up: true,
            busy_until_us: [0; 2],
        });
        self.event(node, |_| Event::Connected(connection));
    }

    fn deliver(&mut self, wire: usize, to: usize, bytes: Vec<u8>) {
        if !self.wires[wire].is_up {
            return;
        }
        for byte in bytes.iter().step_by(97) {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut at = 0;
        while at < bytes.len() {
            let length = read_frame(&bytes[at..]).expect("valid").expect("whole").frame_bytes;
            let one = &bytes[at..at + length];
            at += length;
            match self.wires[wire].ends[to] {
                Side::Client(client) => {
                    self.inbox.get_mut(&client).expect("a client's wire").push_back(one.to_vec());
                }
                Side::Node(node, connection) => {
                    let frame = read_frame(one).expect("valid").expect("whole");
                    self.event(node, |_| Event::Frame(connection, frame));
                }
            }
        }
    }

    pub fn run_us(&mut self, duration_us: u64) {
        let until = self.now_us + duration_us;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until) {
            self.step();
        }
        self.now_us = self.now_us.max(until);
    }

    pub fn run_until(&mut self, what: &str, done: impl Fn(&World) -> bool) {
        let limit = self.now_us + 60_000_000;
        while !done(self) {
            assert!(
                self.now_us < limit,
                "never: {what}; log: {:#?}",
                self.logs.iter().rev().take(20).collect::<Vec<_>>()
            );
            assert!(self.step(), "nothing left to happen: {what}");
        }
    }

    pub fn check_all(&self) {
        self.nodes.iter().flat_map(|node| &node.shard).for_each(Shard::invariants_full);
    }
}

//! One shard on its thread: the machine, its effects, its device and its network.
//!
//! Every completion becomes an event of the machine; what that wants of the device is started at once. What it has to say
//! gathers until the end of the turn, and goes out while the device works. What a turn of the loop does with a shard
//! stands in [`crate::thread`].

use crate::areas::AreaFiles;
use crate::disk::Disk;
use crate::durability::DurabilityPath;
use crate::log_sink::LogSink;
use crate::machine::Machine;
use crate::network::{BACKLOG, Intake, Network};
use crate::operation::{Operation, Part, ShardSlot, Source};
use crate::ring::{OperationKey, Ring, RingError, SharedBufferId};
use crate::space::Space;
use crate::thread::{Control, Notice};
use hexalog_protocol::ShardIndex;
use hexalog_protocol::codec::Malformed;
use hexalog_protocol::frame::read_frame;
use hexalog_storage_core::effects::{ConnectionId, Effect, Effects, Event, Now};
use socket2::SockRef;
use std::mem;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// With nothing to do, a machine's background work is asked for again this long after an event: often enough
/// for coalescing, rare enough to cost nothing beside the events.
const BACKGROUND_PAUSE_US: u64 = 1_000;
/// Even if completions never stop coming, a slice runs this often: at 200 us each, a share of 4 %. A guess; a
/// machine whose background never ran would fill up and stop its foreground.
const BACKGROUND_STARVATION_US: u64 = 5_000;
/// A tick comes at least this often.
pub(crate) const TICK_US_MAX: u64 = 250_000;
/// And at most this often: a machine whose deadline stays in the past (it waits for something else) must not
/// make the thread spin.
const TICK_US_MIN: u64 = 1_000;

/// Makes a machine, on the thread that will run it.
pub type MachineStart<M> = Box<dyn FnOnce(Now, &mut Effects) -> M + Send>;

/// Everything needed to run a shard.
pub struct ShardPlan<M> {
    /// Which shard of the daemon.
    pub index: ShardIndex,
    /// Its open files.
    pub files: AreaFiles,
    /// How its log becomes durable.
    pub durability: DurabilityPath,
    /// Bound to its address; starts to listen when the machine is ready.
    pub listener: TcpListener,
    /// What its areas have of their file system; kept by another thread.
    pub space: Arc<Space>,
    /// Tells that thread that more is wanted.
    pub want_space: Box<dyn Fn() + Send>,
    /// Makes its machine.
    pub start: MachineStart<M>,
}

/// Where a shard stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The machine reads its device.
    Starting,
    /// Connections are accepted.
    Running,
    /// A clean stop has begun.
    Stopping,
    /// The machine has given up; nothing more is asked of it.
    Halted,
}

/// What the machine was last told of its space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct SpaceTold {
    log_prepared_bytes: u64,
    log_is_cut_short: bool,
    extents_backed_bytes: u64,
    extents_possible_bytes: u64,
}

impl SpaceTold {
    fn load(space: &Space) -> SpaceTold {
        SpaceTold {
            log_prepared_bytes: space.log_prepared_bytes.load(Ordering::Acquire),
            log_is_cut_short: space.log_is_cut_short.load(Ordering::Acquire),
            extents_backed_bytes: space.extents_backed_bytes.load(Ordering::Acquire),
            extents_possible_bytes: space.extents_possible_bytes.load(Ordering::Acquire),
        }
    }
}

/// What was taken out of received bytes.
struct Taken {
    /// So many of them.
    bytes: usize,
    end: TakingEnd,
}

/// Why no more frames were taken.
enum TakingEnd {
    /// The next one is not complete.
    Incomplete,
    /// Too much is unsent.
    Full,
    /// Nobody wants them any more.
    Closed,
    /// The next one is none.
    Malformed(Malformed),
}

/// One shard.
pub(crate) struct ShardLoop<M> {
    index: ShardIndex,
    machine: M,
    effects: Effects,
    disk: Disk,
    network: Network,
    listener: Option<TcpListener>,
    log: LogSink,
    control: Control,
    space: Arc<Space>,
    want_space: Box<dyn Fn() + Send>,
    told: SpaceTold,
    phase: Phase,
    /// The machine has taken in events that it has not settled.
    is_unsettled: bool,
    background_due: bool,
    background_at_us: u64,
    /// The latest time of the next tick, and the earliest.
    tick_at_us: u64,
    tick_not_before_us: u64,
}

impl<M: Machine> ShardLoop<M> {
    /// Makes the machine and carries out its first effects.
    pub(crate) fn start(
        slot: ShardSlot,
        plan: ShardPlan<M>,
        control: Control,
        ring: &mut Ring,
        now: Now,
    ) -> Result<ShardLoop<M>, RingError> {
        let disk = Disk::new(slot, plan.files, plan.durability, ring)?;
        // The machine is made with the same.
        let told = SpaceTold::load(&plan.space);
        let mut effects = Effects::default();
        let machine = (plan.start)(now, &mut effects);
        let mut shard = ShardLoop {
            index: plan.index,
            machine,
            effects,
            disk,
            network: Network::new(slot),
            listener: Some(plan.listener),
            log: LogSink::new(control.log.clone()),
            control,
            space: plan.space,
            want_space: plan.want_space,
            told,
            phase: Phase::Starting,
            is_unsettled: false,
            background_due: true,
            background_at_us: now.monotonic_us,
            tick_at_us: now.monotonic_us + TICK_US_MAX,
            tick_not_before_us: now.monotonic_us,
        };
        shard.carry_out(ring, now);
        Ok(shard)
    }

    /// Gives the machine an event and starts what it wants.
    fn take_in(&mut self, ring: &mut Ring, now: Now, event: Event<'_>) {
        if self.phase == Phase::Halted {
            return;
        }
        self.machine.take_in(now, event, &mut self.effects);
        self.background_due = true;
        self.is_unsettled = true;
        self.carry_out(ring, now);
    }

    /// Lets what the machine has taken in take effect.
    fn settle(&mut self, ring: &mut Ring, now: Now) {
        if !mem::take(&mut self.is_unsettled) || self.phase == Phase::Halted {
            return;
        }
        self.machine.settle(&mut self.effects);
        self.carry_out(ring, now);
    }

    /// Starts all that is to be done; what is to be sent stays until [`ShardLoop::send_out`].
    fn carry_out(&mut self, ring: &mut Ring, now: Now) {
        let mut list = mem::take(&mut self.effects.list);
        for effect in list.drain(..) {
            match effect {
                Effect::Write { token, area, offset, buffer, flush } => {
                    self.disk.write(ring, token, area, offset, buffer, flush);
                }
                Effect::Flush { token, area } => self.disk.flush(ring, token, area),
                Effect::Read { token, area, offset, buffer } => {
                    self.disk.read(ring, token, area, offset, buffer);
                }
                Effect::Connect(id, address) => self.network.connect(ring, id, address),
                Effect::Close(id) => {
                    // What the same call sent on it goes out first.
                    self.queue_sends(now);
                    self.network.close(now.monotonic_us, id);
                }
                Effect::Log(text) => self.log.log(now.monotonic_us, &text),
                Effect::Halt { reason, reads_go_on } => self.halt(ring, now, reason, reads_go_on),
            }
        }
        self.effects.list = list;
    }

    fn queue_sends(&mut self, now: Now) {
        for (id, bytes) in self.effects.sends.drain(..) {
            self.network.send(now.monotonic_us, &mut self.log, id, bytes);
        }
    }

    /// Sends what the machine has said, after the device has got what is queued for it.
    fn send_out(&mut self, ring: &mut Ring, now: Now) {
        if !self.effects.sends.is_empty() {
            ring.submit_device();
        }
        self.queue_sends(now);
        self.network.start_sends(ring);
        self.network.give_spare(&mut self.effects.spare);
    }

    fn halt(&mut self, ring: &mut Ring, now: Now, reason: String, reads_go_on: bool) {
        let rest = if reads_go_on { "writes are refused, reads go on" } else { "it is stopped" };
        self.log.log(now.monotonic_us, &format!("shard {} cannot go on ({rest}): {reason}", self.index));
        if !reads_go_on {
            self.phase = Phase::Halted;
            self.listener = None;
            self.network.stop_listening(ring);
            self.network.abort();
        }
        self.control.tell(Notice::Halted { shard: self.index, reason, reads_go_on });
    }

    /// A request of one of the shard's device operations ended.
    pub(crate) fn on_device(
        &mut self,
        ring: &mut Ring,
        now: Now,
        key: OperationKey,
        part: Part,
        result: i32,
    ) {
        let Some(event) = self.disk.on_completion(ring, key, part, result) else { return };
        let is_write = matches!(event, Event::Written(..));
        self.take_in(ring, now, event);
        if is_write {
            // The device goes on while what was written takes effect.
            ring.submit_device();
            self.settle(ring, now);
        }
    }

    /// The log writer thread may have finished something.
    pub(crate) fn on_writer(&mut self, ring: &mut Ring, now: Now) {
        while let Some(event) = self.disk.writer_result() {
            self.take_in(ring, now, event);
            self.settle(ring, now);
        }
    }

    /// One of the shard's network operations ended.
    pub(crate) fn on_network(&mut self, ring: &mut Ring, now: Now, operation: Operation, result: i32) {
        match operation {
            Operation::Receive { connection, buffer, .. } => {
                if self.network.on_received(ring, connection, buffer, result) {
                    self.take_kept(ring, now, connection, result as usize);
                }
            }
            Operation::Send { connection, bytes, sent, .. } => {
                if self.network.on_sent(ring, connection, bytes, sent, result) {
                    self.take_kept(ring, now, connection, 0);
                }
            }
            Operation::Accept { .. } => self.on_accepted(ring, now, result, false),
            Operation::Connect { connection, .. } => {
                if self.network.on_connected(ring, connection, result) {
                    self.take_in(ring, now, Event::Connected(connection));
                }
            }
            Operation::Wake { .. } | Operation::ReceiveShared { .. } | Operation::Device(_) => {
                unreachable!("not of the network, or it repeats")
            }
        }
    }

    /// One of the shard's network operations that repeat has a result; it `goes_on`, or has ended.
    pub(crate) fn on_repeated(
        &mut self,
        ring: &mut Ring,
        now: Now,
        source: Source,
        (result, buffer): (i32, Option<SharedBufferId>),
        goes_on: bool,
    ) {
        match source {
            Source::Listener(_) => self.on_accepted(ring, now, result, goes_on),
            Source::Connection(_, id) => {
                if let Some(buffer_id) = buffer {
                    let buffer = ring.lend(buffer_id);
                    self.take_shared(ring, now, id, &buffer[..result.max(0) as usize]);
                    ring.give_back(buffer_id, buffer);
                }
                if !goes_on {
                    self.network.on_shared_ended(ring, now.monotonic_us, &mut self.log, id, result);
                }
            }
        }
    }

    fn on_accepted(&mut self, ring: &mut Ring, now: Now, result: i32, goes_on: bool) {
        let accepted = self.network.on_accepted(ring, now.monotonic_us, &mut self.log, result, goes_on);
        if let Some(connection) = accepted {
            self.take_in(ring, now, Event::Accepted(connection));
        }
    }

    /// Bytes came on a connection in a buffer that is not its own. Frames that are whole in it are taken from there.
    fn take_shared(&mut self, ring: &mut Ring, now: Now, id: ConnectionId, bytes: &[u8]) {
        if !self.network.is_open(id) {
            return;
        }
        if !self.network.keeps_nothing(id) {
            self.network.keep(id, bytes);
            return self.take_kept(ring, now, id, bytes.len());
        }
        let taken = self.take_frames(ring, now, id, bytes);
        self.network.keep(id, &bytes[taken.bytes..]);
        self.after_frames(ring, now, id, taken.end, bytes.len());
    }

    /// Takes frames from what a connection keeps, `bytes_at_once` of it new.
    fn take_kept(&mut self, ring: &mut Ring, now: Now, id: ConnectionId, bytes_at_once: usize) {
        let Some(mut buffer) = self.network.take_kept(id) else { return };
        let taken = self.take_frames(ring, now, id, buffer.bytes());
        buffer.taken(taken.bytes);
        self.network.put_back_kept(id, buffer);
        self.after_frames(ring, now, id, taken.end, bytes_at_once);
    }

    fn after_frames(
        &mut self,
        ring: &mut Ring,
        now: Now,
        id: ConnectionId,
        end: TakingEnd,
        bytes_at_once: usize,
    ) {
        match end {
            TakingEnd::Incomplete => self.network.receive_on(ring, id, bytes_at_once),
            TakingEnd::Full => self.network.park(ring, id),
            TakingEnd::Closed => {}
            TakingEnd::Malformed(malformed) => {
                let peer = self.network.peer_name(id);
                self.log.log(now.monotonic_us, &format!("{peer} is closed: {malformed}"));
                self.network.lose(id);
            }
        }
    }

    /// Hands the machine every complete frame at the front of `bytes`.
    fn take_frames(&mut self, ring: &mut Ring, now: Now, id: ConnectionId, bytes: &[u8]) -> Taken {
        let mut at = 0;
        let end = loop {
            match self.network.intake(id, self.effects.unsent_bytes(id)) {
                Intake::Open => {}
                Intake::Full => {
                    self.send_out(ring, now);
                    if self.network.intake(id, 0) == Intake::Full {
                        break TakingEnd::Full;
                    }
                    continue;
                }
                Intake::Closed => break TakingEnd::Closed,
            }
            match read_frame(&bytes[at..]) {
                Ok(Some(frame)) => {
                    let frame_bytes = frame.frame_bytes;
                    self.take_in(ring, now, Event::Frame(id, frame));
                    at += frame_bytes;
                }
                Ok(None) => break TakingEnd::Incomplete,
                Err(malformed) => break TakingEnd::Malformed(malformed),
            }
        };
        Taken { bytes: at, end }
    }

    /// End of a loop turn: what time, other threads and lost connections bring, then all sends.
    pub(crate) fn turn(&mut self, ring: &mut Ring, now: Now) {
        self.exchange_space();
        if self.next_tick_us() <= now.monotonic_us {
            self.tick_at_us = now.monotonic_us + TICK_US_MAX;
            self.tick_not_before_us = now.monotonic_us + TICK_US_MIN;
            self.on_writer(ring, now);
            self.network.tick(ring, now.monotonic_us);
            self.take_in(ring, now, Event::Tick);
        }
        loop {
            for id in self.network.take_lost() {
                self.take_in(ring, now, Event::Closed(id));
            }
            self.settle(ring, now);
            self.send_out(ring, now);
            // A connection may be found lost when it is sent to.
            if !self.network.has_lost() {
                break;
            }
        }
        if self.phase == Phase::Starting && self.machine.is_ready() {
            self.become_ready(ring, now);
        }
    }

    /// Tells the machine what its areas have got, and its wishes to who gets it.
    fn exchange_space(&mut self) {
        if self.phase == Phase::Halted {
            return;
        }
        let told = SpaceTold::load(&self.space);
        if told != self.told {
            self.told = told;
            self.machine.set_log_prepared(told.log_prepared_bytes, told.log_is_cut_short);
            self.machine.set_extents_backed(told.extents_backed_bytes, told.extents_possible_bytes);
        }
        let wanted = self.machine.extents_wanted_bytes();
        if wanted > self.space.extents_wanted_bytes.load(Ordering::Relaxed) {
            self.space.extents_wanted_bytes.store(wanted, Ordering::Release);
            (self.want_space)();
        }
    }

    fn become_ready(&mut self, ring: &mut Ring, now: Now) {
        self.phase = Phase::Running;
        let listener = self.listener.take().expect("present until ready");
        match SockRef::from(&listener).listen(BACKLOG) {
            Ok(()) => {
                self.network.listen(ring, listener);
                self.control.tell(Notice::Ready { shard: self.index });
            }
            Err(error) => self.halt(ring, now, format!("cannot listen: {error}"), false),
        }
    }

    /// Whether a slice of background work should run now.
    pub(crate) fn wants_background(&self, now: Now, completions_empty: bool) -> bool {
        if !self.background_due || self.phase != Phase::Running {
            return false;
        }
        let at = self.background_at_us + if completions_empty { 0 } else { BACKGROUND_STARVATION_US };
        at <= now.monotonic_us
    }

    /// Runs one slice of background work.
    pub(crate) fn background(&mut self, ring: &mut Ring, now: Now) {
        self.background_due = self.machine.background(now, &mut self.effects);
        let pause = if self.background_due { 0 } else { BACKGROUND_PAUSE_US };
        self.background_at_us = now.monotonic_us + pause;
        self.carry_out(ring, now);
        self.send_out(ring, now);
    }

    /// When the shard wants to be looked at again if nothing happens.
    pub(crate) fn wake_at_us(&self) -> u64 {
        if self.phase == Phase::Halted {
            return u64::MAX;
        }
        let background_due = self.background_due && self.phase == Phase::Running;
        let background = if background_due { self.background_at_us } else { u64::MAX };
        background.min(self.next_tick_us())
    }

    fn next_tick_us(&self) -> u64 {
        let deadline = self.machine.next_deadline_us().unwrap_or(u64::MAX);
        deadline.max(self.tick_not_before_us).min(self.tick_at_us)
    }

    /// Begins a clean stop: no more connections, the machine finishes what it has begun.
    pub(crate) fn begin_stop(&mut self, ring: &mut Ring, now: Now) {
        self.listener = None;
        self.network.stop_listening(ring);
        if self.phase == Phase::Halted {
            return;
        }
        self.phase = Phase::Stopping;
        self.machine.shutdown(now, &mut self.effects);
        self.carry_out(ring, now);
        self.send_out(ring, now);
    }

    /// Whether a clean stop has come to its end: the machine is quiet and its answers have left.
    pub(crate) fn is_stopped(&self) -> bool {
        self.phase == Phase::Halted
            || (self.machine.is_quiet() && self.disk.in_flight() == 0 && self.network.is_drained())
    }

    /// Cuts all connections at the end of a stop.
    pub(crate) fn abort(&mut self) {
        self.network.abort();
    }
}

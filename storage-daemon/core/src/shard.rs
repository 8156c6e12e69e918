//! One shard: a log region, its machine and its segments. Owns all state; every event comes in here.
//!
//! It decides nothing itself: frames go on to `write`, `control`, `pages`, `gossip` and `status`, completions to
//! whoever asked for the operation.

use crate::checkpoint::Checkpointer;
use crate::connections::{Connections, NO_SEGMENT};
use crate::counters::Counters;
use crate::effects::{Area, ConnectionId, Effect, Effects, Event, IoResult, IoToken, Now};
use crate::gossip::Links;
use crate::hydration::{Fetches, PagesAnswers};
use crate::index::Index;
use crate::log::{Durable, Heard, Log, ReplayPoint, WrittenAppend};
use crate::options::ShardOptions;
use crate::pages::build::Builds;
use crate::pages::coalesce::Coalescer;
use crate::pages::collect::Collector;
use crate::pages::extents::Extents;
use crate::pages::reads::Reads;
use crate::pages::repair::Repairs;
use crate::pages::scrub::Scrubber;
use crate::pending::Pending;
use crate::recovery::Recovery;
use crate::room::RoomTold;
use crate::segment::{Segment, SegmentKey};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use hexalog_protocol::frame::Frame;
use hexalog_protocol::message::{Message, RefusalReason};
use hexalog_protocol::{DeviceId, PAGE_SIZE, VolumeEpoch, VolumeId};
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::superblock::{SUPERBLOCK_AREA_BYTES, Superblock};

/// Who asked for an I/O operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Io {
    Append,
    Recovery,
    PageImage { build: u64 },
    PageDelta { build: u64 },
    CoalescedPages,
    CollectedPiece,
    CollectedCopies,
    HydratedPages,
    RepairedPage,
    Scrub,
    Index,
    CheckpointPart,
    CheckpointSuperblock,
    GossipLog { answer: u64 },
}

/// What the shard as a whole may do.
pub(crate) enum Phase {
    Starting(Recovery),
    Running,
    /// The device failed: nothing is acknowledged any more; reads go on.
    Failed,
    /// A clean stop was asked for.
    Stopping,
    /// The start failed: nothing is known.
    Dead,
}

/// What is known of a volume beyond its segments.
#[derive(Clone, Copy, Default)]
pub(crate) struct VolumeView {
    /// What the last staged "heard" entry says.
    pub heard_staged: Option<Heard>,
    /// What was told when there was no room to stage it.
    pub heard_unstaged: Option<Heard>,
    /// Where the writer sends its frames from: SCLs that gossip moves are pushed there.
    pub writer_connection: Option<ConnectionId>,
    /// The newest connection on which a writer has begun to tell everything, under which epoch.
    pub told_on: (VolumeEpoch, ConnectionId),
}

/// A shard machine.
///
/// Call order: [`Shard::start`], then [`Shard::handle`] for every completion until [`Shard::is_ready`]; from
/// then on connections and frames too, and [`Shard::background`] whenever nothing else is to do. Instead of `handle` a
/// driver may call its halves, [`Shard::take_in`] and [`Shard::settle`]. At the end
/// [`Shard::shutdown`], then completions until [`Shard::is_quiet`].
///
/// Invariant: what a segment says is durable. Changes become true in `apply` alone, from a flushed append or
/// from the scan at a start; answers are released there too.
pub struct Shard {
    pub(crate) options: ShardOptions,
    pub(crate) phase: Phase,
    pub(crate) io: BTreeMap<IoToken, Io>,
    tokens: u64,
    /// The newest durable superblock.
    pub(crate) superblock: Superblock,
    pub(crate) log: Log,
    /// Durable, but not yet true: takes effect in the second half of the event.
    pub(crate) durable_append: Option<(Durable, WrittenAppend)>,
    /// Starts of the appends that a restart would scan, oldest first.
    pub(crate) appends: VecDeque<ReplayPoint>,
    pub(crate) pending: Pending,
    pub(crate) segments: BTreeMap<SegmentKey, Segment>,
    pub(crate) volumes: BTreeMap<VolumeId, VolumeView>,
    /// Something that was told of one of them waits for room.
    pub(crate) has_unstaged: bool,
    pub(crate) connections: Connections,
    pub(crate) extents: Extents,
    pub(crate) builds: Builds,
    pub(crate) reads: Reads,
    pub(crate) coalescer: Coalescer,
    pub(crate) collector: Collector,
    pub(crate) repairs: Repairs,
    pub(crate) scrubber: Scrubber,
    pub(crate) room_told: RoomTold,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) index: Index,
    pub(crate) links: Links,
    pub(crate) fetches: Fetches,
    pub(crate) pages_answers: PagesAnswers,
    pub(crate) counters: Counters,
    /// Why a start does not trust the index that it has: what the superblock names does not read back.
    pub(crate) salvaged: Option<String>,
    /// Why it takes no writes any more, for people.
    pub(crate) failure: String,
    /// When the last write frame came: background work that is not urgent waits for a pause.
    pub(crate) last_write_us: u64,
    /// When the last slice of background work ran.
    pub(crate) background_us: u64,
}

impl Shard {
    /// The bytes that make a new device: both superblock slots, to be written and flushed at offset 0 of the
    /// superblock area. The log area must be readable over `log_bytes` (any content).
    pub fn format(device: DeviceId, options: &ShardOptions) -> AlignedBuffer {
        options.check();
        let mut area = AlignedBuffer::zeroed(SUPERBLOCK_AREA_BYTES);
        for generation in [1, 2] {
            let superblock = Superblock {
                device,
                generation,
                log_bytes: options.log_bytes,
                extents_bytes: options.extents_bytes,
                extent_bytes: options.extent_bytes,
                ..empty_superblock()
            };
            let start = superblock.offset() as usize;
            superblock.encode(&mut area.bytes_mut()[start..start + BLOCK_BYTES]);
        }
        area
    }

    /// Starts from the device: reads superblocks, checkpoint and log, flushes, makes the new log incarnation
    /// durable. The driver feeds completions as usual; then [`Shard::is_ready`].
    pub fn start(options: ShardOptions, _now: Now, effects: &mut Effects) -> Shard {
        options.check();
        assert!(options.incarnation != 0, "a start draws its incarnation");
        let mut shard = Shard {
            phase: Phase::Running,
            io: BTreeMap::new(),
            tokens: 0,
            superblock: empty_superblock(),
            log: Log::new(&options),
            durable_append: None,
            appends: VecDeque::new(),
            pending: Pending::default(),
            segments: BTreeMap::new(),
            volumes: BTreeMap::new(),
            has_unstaged: false,
            connections: Connections::default(),
            extents: Extents::new(options.extents_bytes, options.extent_bytes, options.extents_backed_bytes),
            builds: Builds::default(),
            reads: Reads::new(options.reads_at_device_max),
            coalescer: Coalescer::default(),
            collector: Collector::default(),
            repairs: Repairs::default(),
            scrubber: Scrubber::default(),
            room_told: RoomTold::default(),
            checkpointer: Checkpointer::default(),
            index: Index::Loaded,
            links: Links::default(),
            fetches: Fetches::default(),
            pages_answers: PagesAnswers::default(),
            counters: Counters::default(),
            salvaged: None,
            failure: String::new(),
            last_write_us: 0,
            background_us: 0,
            options,
        };
        shard.phase = Phase::Starting(Recovery::begin());
        shard.read(Io::Recovery, Area::Superblock, 0, AlignedBuffer::zeroed(SUPERBLOCK_AREA_BYTES), effects);
        shard
    }

    /// Whether connections may be accepted.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Failed)
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        self.take_in(now, event, effects);
        self.settle(effects);
    }

    /// The first half of [`Shard::handle`], for a driver that does more than one thing at a time: after a `Written`, what
    /// is to be written next stands in `effects`, and the device can have it before [`Shard::settle`] makes true what was
    /// written. Other events may be taken in one after the other before they are settled: one append takes up what all of
    /// them brought.
    pub fn take_in(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        assert!(self.durable_append.is_none(), "an append is settled before the next event");
        match event {
            Event::Accepted(connection) => self.connections.accepted(connection),
            Event::Connected(connection) => self.on_link_up(now, connection, effects),
            Event::Closed(connection) => {
                self.forget_connection(connection);
                self.on_link_down(now, connection);
            }
            Event::Frame(connection, frame) => self.on_frame(now, connection, &frame, effects),
            Event::Written(token, result, buffer) => self.on_written(now, token, result, buffer, effects),
            Event::Flushed(token, result) => {
                if self.io.remove(&token).is_some() {
                    self.on_recovery_flushed(result, effects);
                }
            }
            Event::Read(token, result, buffer) => self.on_read(now, token, result, buffer, effects),
            Event::Tick => {}
        }
    }

    /// The second half: what an append made durable becomes true, and what was staged goes to the device.
    pub fn settle(&mut self, effects: &mut Effects) {
        if let Some((durable, written)) = self.durable_append.take() {
            self.apply_append(&durable, written, effects);
        }
        self.stage_what_was_heard();
        self.submit_append(effects);
        self.invariants();
    }

    fn on_frame(&mut self, now: Now, connection: ConnectionId, frame: &Frame<'_>, effects: &mut Effects) {
        if self.links.owns(connection) {
            return self.on_peer_frame(now, connection, frame, effects);
        }
        if !self.connections.is_there(connection) || !self.is_ready() {
            return;
        }
        let request_id = frame.request_id;
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(malformed) => {
                let detail = format!("{malformed}");
                self.refuse(connection, request_id, RefusalReason::Malformed, NO_SEGMENT, &detail, effects);
                return self.close(connection, effects);
            }
        };
        if let Message::Hello(hello) = &message {
            return self.on_hello(connection, request_id, hello, effects);
        }
        if !self.connections.may_ask(connection, &message) {
            let detail = "not for this role, or no hello came first";
            self.refuse(connection, request_id, RefusalReason::NotAllowed, NO_SEGMENT, detail, effects);
            return self.close(connection, effects);
        }
        match message {
            Message::Write(write) => self.on_write(now, connection, request_id, &write, effects),
            Message::ReadPage(read) => self.on_read_page(connection, request_id, read, effects),
            Message::EpochBump(bump) => self.on_epoch_bump(connection, request_id, &bump, effects),
            Message::InstallHistory(install) => {
                self.on_install_history(connection, request_id, &install, effects);
            }
            Message::CreateSegment(create) => self.on_create_segment(connection, request_id, create, effects),
            Message::RestoreSegment(lost) => self.on_restore_segment(connection, request_id, lost, effects),
            Message::SetMembership(set) => self.on_set_membership(connection, request_id, set, effects),
            Message::FetchHistory(name) => self.on_fetch_history(connection, request_id, &name, effects),
            Message::FetchMembership(name) => {
                self.on_fetch_membership(connection, request_id, &name, effects)
            }
            Message::GossipPull(pull) => self.on_gossip_pull(connection, request_id, &pull, effects),
            Message::GossipPush(push) => self.on_repair_push(now, connection, request_id, &push, effects),
            Message::HydratePull(pull) => self.on_hydrate_pull(now, connection, request_id, &pull, effects),
            Message::StatusQuery(query) => self.on_status_query(connection, request_id, &query, effects),
            _ => unreachable!("may_ask lets requests through only"),
        }
    }

    fn on_written(
        &mut self,
        now: Now,
        token: IoToken,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let Some(io) = self.io.remove(&token) else { return };
        if result == IoResult::Done && !matches!(io, Io::Append | Io::Recovery | Io::CheckpointSuperblock) {
            self.room_told.space_is_back();
        }
        match io {
            Io::Append => self.on_append_written(now, token, result, buffer, effects),
            Io::CoalescedPages => self.on_pages_written(now, result, effects),
            Io::CollectedCopies => self.on_copies_written(now, result, effects),
            Io::HydratedPages => self.on_hydrated_written(now, result, &buffer, effects),
            Io::RepairedPage => self.on_repaired_written(now, result, effects),
            Io::CheckpointPart => self.on_part_written(now, result, effects),
            Io::CheckpointSuperblock => self.on_checkpoint_superblock_written(now, result, effects),
            Io::Recovery => self.on_recovery_superblock_written(now, result, effects),
            Io::PageImage { .. }
            | Io::PageDelta { .. }
            | Io::GossipLog { .. }
            | Io::CollectedPiece
            | Io::Scrub
            | Io::Index => unreachable!("these are reads"),
        }
    }

    fn on_read(
        &mut self,
        now: Now,
        token: IoToken,
        result: IoResult,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let Some(io) = self.io.remove(&token) else { return };
        match io {
            Io::Recovery => self.on_recovery_read(result, buffer, effects),
            Io::PageImage { build } => self.on_image_read(build, result, buffer, effects),
            Io::PageDelta { build } => self.on_delta_read(build, result, buffer, effects),
            Io::CollectedPiece => self.on_piece_read(result, buffer, effects),
            Io::Scrub => self.on_scrub_read(result, &buffer, effects),
            Io::Index => self.on_index_read(now, result, buffer, effects),
            Io::GossipLog { answer } => self.on_gossip_log_read(answer, result, &buffer, effects),
            Io::Append
            | Io::CoalescedPages
            | Io::CollectedCopies
            | Io::HydratedPages
            | Io::RepairedPage
            | Io::CheckpointPart
            | Io::CheckpointSuperblock => unreachable!("these are writes"),
        }
    }

    /// Names a new I/O operation.
    pub(crate) fn token(&mut self, io: Io) -> IoToken {
        self.tokens += 1;
        let token = IoToken(self.tokens);
        self.io.insert(token, io);
        token
    }

    pub(crate) fn read(
        &mut self,
        io: Io,
        area: Area,
        offset: u64,
        buffer: AlignedBuffer,
        effects: &mut Effects,
    ) {
        let token = self.token(io);
        effects.list.push(Effect::Read { token, area, offset, buffer });
    }

    /// The append that was filled goes to the device, unless one is on its way.
    pub(crate) fn submit_append(&mut self, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Running | Phase::Stopping) {
            return;
        }
        let (tokens, io) = (&mut self.tokens, &mut self.io);
        let token = || append_token(tokens, io);
        self.log.submit(token, effects);
    }

    /// An append that found no space is tried again.
    pub(crate) fn write_held_append(&mut self, effects: &mut Effects) {
        let (tokens, io) = (&mut self.tokens, &mut self.io);
        self.log.write_held(|| append_token(tokens, io), effects);
    }

    /// A write or flush failed: what the device holds is unknown, so nothing is acknowledged any more.
    pub(crate) fn fail(&mut self, what: &str, errno: i32, effects: &mut Effects) {
        self.halt(format!("{what} failed with errno {errno}; no more writes until a restart"), true, effects);
    }

    /// The shard cannot go on.
    pub(crate) fn halt(&mut self, reason: String, reads_go_on: bool, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Failed) {
            self.phase = Phase::Failed;
            self.failure.clone_from(&reason);
            effects.list.push(Effect::Halt { reason, reads_go_on });
        }
    }

    /// Everything of the log region below `bytes` has been written with zeros; for the rest the file system has no room now if
    /// it `is_cut_short`.
    pub fn set_log_prepared(&mut self, bytes: u64, is_cut_short: bool) {
        self.log.set_prepared(bytes, is_cut_short);
    }

    /// The extents area has space of its own up to `backed_bytes`, which only rises, and by what the file system has left it
    /// can get some up to `possible_bytes`.
    pub fn set_extents_backed(&mut self, backed_bytes: u64, possible_bytes: u64) {
        self.extents.set_backed(backed_bytes, possible_bytes);
    }

    /// How far the extents area should have space of its own by now: what is written next goes there.
    pub fn extents_wanted_bytes(&self) -> u64 {
        self.extents.wanted_bytes()
    }

    /// Begins a clean stop: takes no more requests, finishes the append in flight and what waits for it.
    pub fn shutdown(&mut self, _now: Now, effects: &mut Effects) {
        if matches!(self.phase, Phase::Running) {
            self.phase = Phase::Stopping;
        }
        // Once more: then it has failed.
        self.write_held_append(effects);
        self.submit_append(effects);
    }

    /// Whether nothing is in flight any more after [`Shard::shutdown`].
    pub fn is_quiet(&self) -> bool {
        let writes = |io: &&Io| {
            let is_read = matches!(
                io,
                Io::PageImage { .. }
                    | Io::PageDelta { .. }
                    | Io::GossipLog { .. }
                    | Io::CollectedPiece
                    | Io::Scrub
                    | Io::Index
            );
            !is_read
        };
        let no_writes = self.io.values().filter(writes).count() == 0;
        no_writes && (self.log.is_idle() || matches!(self.phase, Phase::Failed))
    }

    /// Counters and gauges by name, as in the `Status` answer.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters_and_gauges()
    }

    /// Cheap checks, after every event.
    pub(crate) fn invariants(&self) {
        if matches!(self.phase, Phase::Starting(_) | Phase::Dead) {
            return;
        }
        self.log.invariants();
        self.reads.invariants();
        assert!(self.superblock.log_head == self.log.head(), "freed log is named by no durable superblock");
        let oldest = self.pending.oldest_position().unwrap_or(u64::MAX);
        assert!(oldest >= self.log.head(), "a record that is in no version is in the log");
    }

    /// All checks; costs time in proportion to everything held. For tests and the simulator.
    pub fn invariants_full(&self) {
        self.invariants();
        if matches!(self.phase, Phase::Starting(_) | Phase::Dead) {
            // A checkpoint is fuzzy: a version in a later part may lie above the floor of the segment's own item until the
            // scan has met what raised it.
            return;
        }
        self.log.invariants_full();
        self.pending.invariants_full();
        self.reads.invariants_full();
        self.segments.values().for_each(Segment::invariants_full);
        let stages = |segment: &Segment| segment.staged_through > segment.scl;
        assert!(!self.log.is_idle() || !self.segments.values().any(stages), "nothing is staged any more");
        if matches!(self.index, Index::Loading(_)) {
            // Blocks of its parts are counted as they are loaded.
            return;
        }
        let mut following = self.segments.values().filter(|segment| segment.health.follows_log());
        let is_exact = |segment: &Segment| segment.pages.is_through_exact();
        assert!(!self.has_index() || following.all(is_exact), "the SCL rests on versions that are there");
        let entries =
            || self.segments.values().flat_map(|segment| segment.pages.iter()).map(|(_, entry)| entry);
        let imageless = entries().filter(|entry| entry.is_imageless()).count();
        let versions = entries().flat_map(|entry| {
            let image = entry.image().map(|image| (image.address, PAGE_SIZE as u64));
            image.into_iter().chain(entry.delta().map(|delta| (delta.address, u64::from(delta.bytes))))
        });
        let parts = self.checkpointer.live_parts().into_iter();
        self.extents.invariants_full(parts.chain(versions), imageless);
    }
}

impl core::fmt::Debug for Shard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Shard")
            .field("shard", &self.options.shard)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

fn append_token(tokens: &mut u64, io: &mut BTreeMap<IoToken, Io>) -> IoToken {
    *tokens += 1;
    io.insert(IoToken(*tokens), Io::Append);
    IoToken(*tokens)
}

fn empty_superblock() -> Superblock {
    Superblock {
        device: DeviceId(0),
        generation: 0,
        log_bytes: 0,
        extents_bytes: 0,
        extent_bytes: 0,
        log_head: 0,
        replay_from: 0,
        replay_sequence: 1,
        replay_previous_crc: 0,
        checkpoint_bytes: 0,
        checkpoint_crc: 0,
        checkpoint: hexalog_storage_format::address::BlockAddress::NONE,
        checkpoint_generation: 0,
        spans: Vec::new(),
    }
}

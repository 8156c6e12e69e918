//! The world: virtual time, the order of events, the processes and what befalls them.
//!
//! Six daemons or more, with one shard or more each (`cluster`).
//!
//! Faults and their budget. Any daemon may be killed or lose power at any event, all of them at once too, and comes back
//! with what its device kept; any may stand still, be unreachable in one or both directions, or have a device that takes
//! a hundred times as long or answers only after a third of a second, that holds up single operations of one sort, or that
//! fails a write or a flush, after which its daemon ends. Any connection may break, or bring everything twice; a whole
//! availability zone may be cut off or lose power, or some shards be parted for long from the writers, from their peers or
//! from all. The compute process may die at any event, at any frame of its opening too, or be paused and come back believing
//! that it still writes, while one or several others open that reach different members; metadata may give an epoch out twice. Wall
//! clocks jump. Devices keep what was flushed and give back what was written, but for those of two daemons in some runs, whose budget
//! `rot` states, so nothing acknowledged may ever be lost, whatever the number of faults; progress is owed only when the faults have stopped. In the profile [`Profile::Bulk`] nothing
//! fails, devices have a bandwidth, and members are held to keep up: see `bulk`.

mod ask;
mod bounds;
mod bulk;
mod changes;
pub mod cluster;
mod completeness;
mod computes;
mod counted;
mod devices;
mod faults;
mod fences;
mod file_systems;
mod members;
mod moments;
mod openers;
mod power;
mod promises;
mod quiet;
mod restarts;
pub mod rot;
mod shards;
mod stranded;
mod vdls;
mod wires;
mod writers;

use crate::checkers;
use crate::compute::TaskId;
use crate::disk::Disk;
use crate::history::History;
use crate::model::Model;
use crate::network::{End, Network};
use crate::plan::{Plan, Profile};
use crate::random::Random;
use crate::trace::Trace;
use crate::workload::Workload;
use crate::writer::Writer;
use bulk::Load;
pub use bulk::LoadStatistics;
use cluster::{MEMBERS, SHARDS_MAX, ZONES};
use file_systems::Below;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::{GroupId, Lsn, VolumeId};
use hexalog_storage_core::effects::{Area, Event, IoResult, IoToken};
use hexalog_storage_core::shard::Shard;
use hexalog_storage_format::aligned::AlignedBuffer;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::net::SocketAddr;

pub(crate) const VOLUME: VolumeId = VolumeId([7; 16]);
/// Virtual time at the start of the world.
const WORLD_START_US: u64 = 1_000_000;
/// Wall clock at the start of the world; decides nothing.
const WALL_START_US: u64 = 1_700_000_000_000_000;

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
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
    /// Reads of single members compared with the model.
    pub member_reads_checked: u64,
    /// Extents that collections have emptied.
    pub extents_collected: u64,
    /// Frames delivered.
    pub delivered: u64,
    /// Members that were left behind by the logs of their peers, and got all pages from one of them.
    pub hydrated: u64,
    /// Segments that lost some of their log, and were made whole by their peers.
    pub segments_repaired: u64,
    /// Pages that rotted, and were fetched from a peer.
    pub pages_repaired: u64,
    /// Transactions told committed.
    pub committed: u64,
    /// Transactions whose end no client was told.
    pub unknown: u64,
    /// Transactions at REPEATABLE READ showed an order that no serial one explains, as they may.
    pub has_write_skew: bool,
    /// Virtual time at the end.
    pub virtual_us: u64,
    /// Candidates that took a member's place.
    pub members_replaced: u64,
    /// How a bulk load went.
    pub load: Option<LoadStatistics>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { events, acknowledged, openings, faults, reads_checked, committed, unknown, .. } = self;
        let Outcome { member_reads_checked, extents_collected, trace_hash, .. } = self;
        write!(
            f,
            "{events} events, {} acknowledged, {openings} openings, {faults} faults, {reads_checked} reads, \
             {member_reads_checked} of members, {extents_collected} extents collected, {committed} transactions, \
             {unknown} unknown, hash {trace_hash:016x}",
            acknowledged.0
        )?;
        if self.segments_repaired + self.pages_repaired > 0 {
            write!(f, "; {} segments and {} pages repaired", self.segments_repaired, self.pages_repaired)?;
        }
        if self.members_replaced > 0 {
            write!(f, "; {} members replaced", self.members_replaced)?;
        }
        self.load.iter().try_for_each(|load| write!(f, "; {load}"))
    }
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
    WritersDie,
    WriterResumes {
        run: u64,
    },
    MemberIsChecked,
    /// A step of a change of members is made in metadata.
    MembersChange,
    /// The writer that it was made for hears of it.
    MembersAreTold {
        run: u64,
        group: GroupId,
    },
    /// A member of a healthy cluster is slow for a moment.
    NoiseComes,
    TaskRuns {
        run: u64,
        task: TaskId,
    },
    Fault {
        number: u64,
    },
    WritersReach {
        shard: usize,
    },
    Heal {
        az: usize,
    },
    /// A shard stops, and its writers are told later.
    StopsUnheard {
        shard: usize,
    },
    /// A long partition ends.
    PartedMeet {
        shards: [bool; SHARDS_MAX],
    },
    /// The next step of a fault that has several.
    Stranded(stranded::Step),
    /// The machines of some shards go off.
    PowerIsCut {
        shards: [bool; SHARDS_MAX],
    },
    /// A shard whose device failed is ended by its daemon.
    FileSystem {
        shard: usize,
        below: Below,
    },
    FailedShardEnds {
        shard: usize,
        run: u64,
    },
}

struct Process {
    disk: Disk,
    shard: Option<Shard>,
    run: u64,
    next_connection: u64,
    tick_at_us: u64,
    is_formatted: bool,
    /// How much of the extents area the file system has given so far.
    backed_bytes: u64,
    /// What the shard's segments were when it was last stopped, until that has been checked.
    before_stop: Option<restarts::BeforeStop>,
    /// Slices of background work in a row after which the next one was due at once.
    slices_restless: u32,
}

/// What holds for a shard for a while.
#[derive(Clone, Copy, Default)]
struct Conditions {
    /// The process stands still.
    paused_until_us: u64,
    /// What it sends arrives later.
    mute_until_us: u64,
    /// What is sent to it arrives later.
    deaf_until_us: u64,
    /// What it sends and is sent arrives twice.
    doubled_until_us: u64,
    disk_slow_until_us: u64,
    disk_factor: u64,
    wall_offset_us: i64,
}

/// The world of one run.
pub struct World {
    plan: Plan,
    now_us: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    random: Random,
    /// For what is looked at and changes nothing.
    checks: Random,
    /// For changes of members.
    changes: Random,
    metadata: changes::Metadata,
    processes: Vec<Process>,
    network: Network,
    writers: Vec<Writer>,
    epoch: u64,
    /// Writers that were started.
    writer_runs: u64,
    model: Model,
    cut_off: [bool; ZONES],
    /// Shards that no writer reaches, while their peers do.
    hidden: [bool; SHARDS_MAX],
    /// Shards that no peer reaches, while writers do.
    aloof: [bool; SHARDS_MAX],
    /// While set, only some shards get a new epoch history from an opener.
    installs_reach: Option<stranded::HalfInstall>,
    /// History of the newest writer that has opened, be it that it is gone since.
    newest_opened: Option<EpochHistory>,
    dying_opener: Option<openers::DyingOpener>,
    /// Until then writers do not hear that a shard has stopped.
    unheard_until_us: u64,
    /// Until then openers race, and reach different members.
    racing_until_us: u64,
    /// What single writers do not reach.
    unseen: BTreeMap<u64, openers::Unseen>,
    /// Shards of which the next write or flush fails.
    device_fails: [bool; SHARDS_MAX],
    /// What the next write to each shard's extents comes to.
    write_faults: [rot::WriteFault; SHARDS_MAX],
    /// Devices on which something has been lost since their daemons started.
    altered: [bool; SHARDS_MAX],
    /// Where the last images of pages were to go in each shard's extents: offset and length.
    image_places: [(u64, u64); SHARDS_MAX],
    below: [Below; SHARDS_MAX],
    conditions: [Conditions; SHARDS_MAX],
    compute_wall_offset_us: i64,
    workload: Workload,
    load: Load,
    history: History,
    fences: fences::Fences,
    moments: moments::Moments,
    vdls: vdls::Vdls,
    promises: promises::Promises,
    counted: counted::Counted,
    /// Superblocks that all shards wrote.
    superblocks_written: u64,
    faults_stop_us: u64,
    trace: Trace,
    /// Log bytes that all shards appended in runs that have ended.
    bytes_before_restarts: u64,
    /// Segments that took all pages since ailing ones left no room for log.
    hydrations_for_pages: u64,
    /// Indexes that rot took after a start: all segments that they named got their pages anew.
    indexes_lost: u64,
    outcome: Outcome,
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(plan: Plan, trace: Trace) -> World {
        let process = || Process {
            disk: Disk::new(2 * 4096, plan.log_bytes as usize, plan.extents_bytes as usize),
            shard: None,
            run: 0,
            next_connection: 1,
            tick_at_us: u64::MAX,
            is_formatted: false,
            backed_bytes: 0,
            before_stop: None,
            slices_restless: 0,
        };
        World {
            now_us: WORLD_START_US,
            sequence: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            random: Random::new(plan.seed),
            checks: Random::new(plan.seed ^ 0xc4ec),
            changes: Random::new(plan.seed ^ 0xc4a7),
            metadata: changes::Metadata::new(plan.cluster, plan.groups),
            processes: (0..plan.cluster.shards()).map(|_| process()).collect(),
            network: Network::default(),
            writers: Vec::new(),
            epoch: 0,
            writer_runs: 0,
            model: Model::new(VOLUME),
            cut_off: [false; ZONES],
            hidden: [false; SHARDS_MAX],
            aloof: [false; SHARDS_MAX],
            installs_reach: None,
            newest_opened: None,
            dying_opener: None,
            unheard_until_us: 0,
            racing_until_us: 0,
            unseen: BTreeMap::new(),
            device_fails: [false; SHARDS_MAX],
            write_faults: Default::default(),
            altered: [false; SHARDS_MAX],
            image_places: [(0, 0); SHARDS_MAX],
            below: [Below::Ample; SHARDS_MAX],
            conditions: [Conditions::default(); SHARDS_MAX],
            compute_wall_offset_us: 0,
            workload: Workload::new(plan.mix, plan.levels),
            load: match plan.profile {
                Profile::Bulk => Load::new(&plan.bulk, &mut Random::new(plan.seed ^ 0x10ad)),
                Profile::Volume | Profile::Sql => Load::default(),
            },
            history: History::default(),
            fences: fences::Fences::default(),
            moments: moments::Moments::default(),
            vdls: vdls::Vdls::default(),
            promises: promises::Promises::default(),
            counted: counted::Counted::default(),
            superblocks_written: 0,
            faults_stop_us: WORLD_START_US + plan.work_us,
            trace,
            outcome: Outcome::default(),
            bytes_before_restarts: 0,
            hydrations_for_pages: 0,
            indexes_lost: 0,
            plan,
        }
    }

    /// Runs to the end and checks: work with faults, then quiet, then every commit answered and every page read, then what
    /// clients were told.
    pub fn run(&mut self) -> Outcome {
        for shard in 0..self.shards() {
            self.at(0, Happening::ShardStarts { shard });
        }
        self.at(20_000, Happening::WriterStarts);
        self.at(30_000, Happening::MemberIsChecked);
        for (number, at) in self.plan.fault_times().into_iter().enumerate() {
            self.at(at, Happening::Fault { number: number as u64 });
        }
        self.plan_file_systems();
        if self.plan.change_every_us > 0 {
            self.at(self.plan.change_every_us, Happening::MembersChange);
        }
        match self.plan.profile {
            Profile::Volume | Profile::Sql => self.run_until(self.faults_stop_us),
            Profile::Bulk => {
                self.run_load();
                self.outcome.load = Some(self.load.statistics);
            }
        }
        self.settle();
        self.check_compute();
        self.check_all_pages();
        self.check_all_members();
        checkers::check_history(&self.history, self.plan.compute.stale_read_max_us);
        self.outcome.has_write_skew = checkers::has_write_skew(&self.history);
        self.outcome.acknowledged = self.model.acknowledged;
        self.outcome.committed = self.history.count(crate::history::Outcome::Ok) as u64;
        self.outcome.unknown = self.history.count(crate::history::Outcome::Unknown) as u64;
        self.outcome.trace_hash = self.trace.hash();
        self.outcome.virtual_us = self.now_us;
        self.outcome.clone()
    }

    /// The trace of what happened.
    pub fn into_trace(self) -> Trace {
        self.trace
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

    /// Shards of all daemons.
    fn shards(&self) -> usize {
        self.plan.cluster.shards()
    }

    /// The shards of a group's members, of another group each time that something befalls the processes.
    fn members_in_turn(&self) -> [usize; MEMBERS] {
        self.members_of(GroupId((self.outcome.faults % u64::from(self.plan.groups)) as u32))
    }

    fn note(&mut self, text: &str) {
        self.trace.note(self.now_us, text);
    }

    fn happen(&mut self, happening: Happening) {
        self.outcome.events += 1;
        if let Some(shard) = self.shard_of(&happening)
            && self.conditions[shard].paused_until_us > self.now_us
        {
            let in_us = self.conditions[shard].paused_until_us - self.now_us;
            return self.at(in_us, happening);
        }
        match happening {
            Happening::Deliver { connection, to, bytes } => self.deliver(connection, to, &bytes),
            Happening::ConnectArrives { from, address } => self.connect_arrives(from, address),
            Happening::Break { connection } => self.break_connection(connection),
            Happening::WriteEnds { shard, run, token, area, offset, buffer, flush } => {
                if self.is_running(shard, run) {
                    self.write_ends(shard, token, (area, offset), buffer, flush);
                }
            }
            Happening::FlushEnds { shard, run, token, area } => {
                if self.is_running(shard, run) && std::mem::take(&mut self.device_fails[shard]) {
                    self.fail_flush(shard, token);
                } else if self.is_running(shard, run) {
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
            Happening::StopsUnheard { shard } => self.stop_unheard(shard),
            Happening::WritersDie => self.kill_writers(),
            Happening::WriterResumes { run } => self.resume_writer(run),
            Happening::WritersReach { shard } => {
                self.note(&format!("writers reach shard {shard} again"));
                self.hidden[shard] = false;
            }
            Happening::TaskRuns { run, task } => self.run_task(run, task),
            Happening::Fault { number } => self.make_fault(number),
            Happening::MemberIsChecked => self.check_a_member(),
            Happening::MembersChange => self.change_members(),
            Happening::MembersAreTold { run, group } => self.tell_members(run, group),
            Happening::NoiseComes => self.make_noise(),
            Happening::Heal { az } => {
                self.note(&format!("az {az} is reached again"));
                self.cut_off[az] = false;
            }
            Happening::PartedMeet { shards } => self.parted_meet(shards),
            Happening::PowerIsCut { shards } => self.cut_power(shards),
            Happening::Stranded(step) => self.stranded_step(step),
            Happening::FileSystem { shard, below } => self.change_below(shard, below),
            Happening::FailedShardEnds { shard, run } => self.failed_shard_ends(shard, run),
        }
    }

    /// The shard whose process must run for this to happen.
    fn shard_of(&self, happening: &Happening) -> Option<usize> {
        match happening {
            Happening::WriteEnds { shard, .. }
            | Happening::FlushEnds { shard, .. }
            | Happening::ReadEnds { shard, .. }
            | Happening::ShardTick { shard, .. } => Some(*shard),
            Happening::Deliver { connection, to, .. } => {
                match self.network.connections[*connection].ends[*to] {
                    End::Shard { shard, .. } => Some(shard),
                    End::Writer { .. } => None,
                }
            }
            _ => None,
        }
    }
}

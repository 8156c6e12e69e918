//! What a run does: sizes, workload and faults, drawn from the seed. Corners come from sizes.
//!
//! A plan is one line of `name=value` words, so that a run can be kept and repeated whatever later versions draw. Faults
//! are numbered; each draws what it does from the seed and its own number, so that a plan with some of them left out
//! makes the others as before.

use crate::compute::ComputeSizes;
use crate::random::Random;
use crate::workload::{Levels, Mix};
use crate::world::cluster::Cluster;
use crate::world::rot::{ROT_KINDS, ROT_KINDS_OF_OLD};
use hexalog_engine::{MTR_BYTES_MAX, MTR_RECORDS_MAX};
use hexalog_protocol::PAGE_SIZE;
use std::collections::BTreeSet;
use std::fmt;

/// Kinds of faults that befall processes; which, `world::faults` says.
pub const FAULT_KINDS: usize = 28;
/// Small, so that groups are many and chains long.
const PAGES_PER_GROUP: u64 = 16;
/// Unit of a device's space: eight pages.
pub const EXTENT_BYTES: u64 = 64 << 10;
/// Extents of a device on which space is no matter.
const EXTENTS_AMPLE: u64 = 128;
/// As [`EXTENTS_AMPLE`], for what an engine writes.
const EXTENTS_AMPLE_SQL: u64 = 512;
/// Virtual time of work.
pub const WORK_US: u64 = 3_000_000;
/// Waits for pages, one of which a client gives up; of plans from before it was drawn.
const WAITS_PER_LOSS: u64 = 100;
/// An engine needs room for four of its largest mini-transactions, in records and in bytes.
pub const LAL_RECORDS_MIN: u64 = 4 * MTR_RECORDS_MAX as u64;
/// As [`LAL_RECORDS_MIN`].
pub const LAL_BYTES_MIN: u64 = 4 * MTR_BYTES_MAX as u64;

/// Kinds of faults when plans named them by the word `kinds`: a bit above these meant nothing.
const KINDS_OF_OLD: u32 = 21;

/// Every seed that failed once, with its plan and what it was.
pub const KEPT: &str = include_str!("../../seeds/simulator.txt");

/// How much of the database runs above the volume client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Nothing: random mini-transactions and page reads.
    Volume,
    /// Engine and SQL sessions.
    Sql,
    /// A bulk load, in a cluster to which nothing happens.
    Bulk,
}

/// Sizes of a bulk load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BulkSizes {
    /// Redo of the whole load.
    pub load_bytes: u64,
    /// Bytes of one row.
    pub row_bytes: usize,
    /// Rows after which something waits for them to be durable.
    pub rows_per_wait: u64,
    /// About what a device transfers in a millisecond.
    pub device_bytes_per_ms: u64,
    /// What the writer makes in a millisecond at most.
    pub load_bytes_per_ms: u64,
    /// As in a shard's options.
    pub append_bytes_max: usize,
    /// As in a shard's options.
    pub gossip_bytes_max: u32,
    /// As in a shard's options.
    pub gossip_interval_us: u64,
}

impl Profile {
    /// By its name.
    pub fn parse(name: &str) -> Option<Profile> {
        match name {
            "volume" => Some(Profile::Volume),
            "sql" => Some(Profile::Sql),
            "bulk" => Some(Profile::Bulk),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Profile::Volume => "volume",
            Profile::Sql => "sql",
            Profile::Bulk => "bulk",
        }
    }
}

/// Operations of devices that take long now and then, each by itself: a device that cleans itself holds up one write and not
/// the next, and reads other than flushes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stalls {
    /// Which operations, a bit for each of [`DeviceOperation`].
    pub operations: u64,
    /// One out of so many; none if zero.
    pub one_in: u64,
    /// How long at most.
    pub us_max: u64,
}

/// What a device can be slow at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceOperation {
    /// A write to the log.
    LogWrite,
    /// A write to the extents.
    ExtentWrite,
    /// A write of a superblock.
    SuperblockWrite,
    /// A flush of any area.
    Flush,
    /// A read of any area.
    Read,
}

/// Operations that [`Stalls`] can name.
const DEVICE_OPERATIONS: u32 = 5;

impl Stalls {
    /// Whether an operation may take long.
    pub fn befall(&self, operation: DeviceOperation) -> bool {
        self.one_in > 0 && self.operations >> operation as u64 & 1 == 1
    }

    /// None in most plans; else one kind of operation more often than all.
    fn draw(random: &mut Random) -> Stalls {
        if random.one_in(2) {
            return Stalls::default();
        }
        let one = 1 << random.range(0, u64::from(DEVICE_OPERATIONS));
        let all = (1 << DEVICE_OPERATIONS) - 1;
        Stalls {
            operations: if random.one_in(3) { all } else { one },
            one_in: [8, 30, 200][random.range(0, 3) as usize],
            us_max: [3_000, 30_000, 200_000][random.range(0, 3) as usize],
        }
    }
}

/// What a run does; drawn from the seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// What runs above the volume client.
    pub profile: Profile,
    /// Daemons and their shards.
    pub cluster: Cluster,
    /// Protection groups.
    pub groups: u32,
    /// How many of them, from the first, are written to: the others are idle. The engine chooses for itself.
    pub active_groups: u32,
    /// Small, so that groups are many and chains long.
    pub pages_per_group: u64,
    /// LSN allocation limit.
    pub lal_records: u64,
    /// As `lal_records`.
    pub lal_bytes: u64,
    /// Log region of a shard; small, so that it wraps.
    pub log_bytes: u64,
    /// Extents area of a shard: ample, or hardly more than the pages take, so that it must be collected all the time.
    pub extents_bytes: u64,
    /// Bound of the records that a shard holds in memory; small, so that it throttles.
    pub pending_bytes: usize,
    /// Time between a shard's checkpoints, if log does not call for one.
    pub checkpoint_interval_us: u64,
    /// Virtual time of work with faults.
    pub work_us: u64,
    /// Mean time between faults; none if zero.
    pub fault_every_us: u64,
    /// Which kinds of faults there are, a bit each.
    pub fault_kinds: u64,
    /// Mean time between two alterations of what devices hold (`world::rot`); none if zero.
    pub rot_every_us: u64,
    /// How many kinds of that there are, from the first.
    pub rot_kinds: u64,
    /// Which of these, a bit each.
    pub rot_mask: u64,
    /// What else devices do.
    pub stalls: Stalls,
    /// Mean time between file systems becoming full; none does if zero, and devices have all their space from the start.
    pub full_every_us: u64,
    /// Mean time between two steps of changes of members; none if zero. There must be daemons to spare.
    pub change_every_us: u64,
    /// The faults to be made, by number; `None`: all.
    pub only_faults: Option<BTreeSet<u64>>,
    /// Sizes of compute processes.
    pub compute: ComputeSizes,
    /// What clients do.
    pub mix: Mix,
    /// What they read at.
    pub levels: Levels,
    /// The load.
    pub bulk: BulkSizes,
}

impl Plan {
    /// Draws a plan, of this profile or of one that the seed chooses.
    pub fn draw(seed: u64, profile: Option<Profile>) -> Plan {
        let mut random = Random::new(seed ^ 0x5eed);
        let drawn = if random.one_in(2) { Profile::Sql } else { Profile::Volume };
        let profile = profile.unwrap_or(drawn);
        let is_sql = profile == Profile::Sql;
        let groups = if random.one_in(4) { random.range(9, 41) } else { random.range(1, 9) } as u32;
        let lal_records = if is_sql { random.range(LAL_RECORDS_MIN, 257) } else { random.range(8, 65) };
        let active_groups = random.range(1, 9).min(u64::from(groups)) as u32;
        let extents = if is_sql { EXTENTS_AMPLE_SQL } else { EXTENTS_AMPLE };
        // With a few pages in all, every block of a device is a version of one of them.
        let pages_per_group =
            if is_sql { 2 * PAGES_PER_GROUP } else { [16, 16, 4, 1][random.range(0, 4) as usize] };
        let mut plan = Plan {
            seed,
            profile,
            cluster: Cluster::SIX,
            // An engine gets 1,024 pages at least: without faults and with slow purge the workload takes more than half of that.
            groups: if is_sql { groups + 32 } else { groups },
            active_groups,
            pages_per_group,
            lal_records,
            lal_bytes: if is_sql { LAL_BYTES_MIN << random.range(0, 4) } else { 1 << 20 },
            log_bytes: (if is_sql { 1 << 20 } else { 256 << 10 }) << random.range(0, 3),
            extents_bytes: extents * EXTENT_BYTES,
            pending_bytes: (if is_sql { 64 << 10 } else { 16 << 10 }) << random.range(0, 3),
            checkpoint_interval_us: [10_000, 100_000][random.range(0, 2) as usize],
            work_us: WORK_US,
            fault_every_us: [0, 200_000, 200_000, 50_000, 50_000][random.range(0, 5) as usize],
            fault_kinds: Plan::draw_fault_kinds(&mut random),
            rot_every_us: [0, 0, 300_000, 60_000][Random::new(seed ^ 0x0d07).range(0, 4) as usize],
            rot_kinds: ROT_KINDS,
            rot_mask: u64::MAX,
            stalls: Stalls::draw(&mut random),
            full_every_us: 0,
            change_every_us: 0,
            only_faults: None,
            compute: Plan::draw_compute(&mut random),
            mix: Mix::draw(&mut random),
            levels: Levels::ALL,
            bulk: Plan::draw_bulk(&mut Random::new(seed ^ 0xb01c), 1 << 20),
        };
        if is_sql {
            plan.fit_lal();
        }
        if profile == Profile::Bulk {
            plan.become_bulk();
        }
        // Of its own, so that plans from before there were such do not change.
        let mut full = Random::new(seed ^ 0xf011);
        if profile != Profile::Bulk && full.one_in(3) {
            plan.full_every_us = [60_000, 300_000][full.range(0, 2) as usize];
        }
        // Of its own as well.
        let mut cluster = Random::new(seed ^ 0xc1a5);
        if profile != Profile::Bulk && cluster.one_in(4) {
            let (daemons, shards) = [(6, 2), (9, 1), (12, 1)][cluster.range(0, 3) as usize];
            plan.cluster = Cluster::new(daemons, shards);
        }
        let mut changes = Random::new(seed ^ 0xc4a6);
        if plan.cluster.has_spares() && !changes.one_in(3) {
            plan.change_every_us = [10_000, 50_000, 200_000][changes.range(0, 3) as usize];
        }
        // Full storage refuses rows, which the SQL workload does not expect yet.
        if profile == Profile::Volume && random.one_in(2) {
            // What the pages take, what checkpoints take (some blocks for each group in each) and collection keeps for
            // itself, and a little.
            let live = u64::from(active_groups) * pages_per_group * PAGE_SIZE as u64 / EXTENT_BYTES;
            let extents = live + u64::from(groups) / 2 + 11 + random.range(0, 12);
            plan.extents_bytes = extents * EXTENT_BYTES;
            if random.one_in(3) {
                // Not even that: the writer is told to stop before it is too late.
                plan.extents_bytes = (live / 2 + u64::from(groups) / 2 + 11) * EXTENT_BYTES;
            }
        }
        plan
    }

    /// What lies beyond VDL can be neither freed nor made into pages: at most a quarter of a log, and half of the memory for
    /// records, as for a real cluster. (Seed 5000114: beyond that, three members were each full of another part of it.)
    fn fit_lal(&mut self) {
        self.lal_bytes = self.lal_bytes.min(self.log_bytes / 4);
        self.pending_bytes = self.pending_bytes.max(2 * self.lal_bytes as usize);
        assert!(self.lal_bytes >= LAL_BYTES_MIN);
    }

    /// All kinds, most of them, a few again and again, or one or two alone: what one kind does seldom shows while others cut
    /// it short.
    fn draw_fault_kinds(random: &mut Random) -> u64 {
        let all = (1 << FAULT_KINDS) - 1;
        let one = |random: &mut Random| 1 << random.range(0, FAULT_KINDS as u64);
        all & match random.range(0, 4) {
            0 => all,
            1 => random.bits() | random.bits(),
            2 => random.bits() & random.bits() & random.bits(),
            _ => one(random) | one(random),
        }
    }

    /// Sizes stand to each other about as those of a local cluster do, an eighth to a sixty-fourth of them.
    fn become_bulk(&mut self) {
        let mut random = Random::new(self.seed ^ 0xb01c_0000);
        self.groups = random.range(1, 5) as u32;
        self.active_groups = self.groups;
        self.pages_per_group = 2048 / u64::from(self.groups);
        self.log_bytes = (8 << 20) << random.range(0, 3);
        self.lal_bytes = self.log_bytes / [8, 8, 16][random.range(0, 3) as usize];
        self.lal_records = self.lal_bytes / 512;
        self.pending_bytes = (self.log_bytes / [2, 4, 8][random.range(0, 3) as usize]) as usize;
        self.checkpoint_interval_us = 200_000;
        self.extents_bytes = (2048 * PAGE_SIZE as u64).max(self.log_bytes) * 4;
        self.fault_every_us = 0;
        self.rot_every_us = 0;
        self.stalls = Stalls::default();
        self.bulk = Plan::draw_bulk(&mut random, self.log_bytes);
    }

    fn draw_bulk(random: &mut Random, log_bytes: u64) -> BulkSizes {
        // A device fills its log in one to three seconds.
        let device_bytes_per_ms = log_bytes / random.range(1_000, 3_000);
        BulkSizes {
            load_bytes: log_bytes * random.range(3, 7),
            row_bytes: if random.one_in(3) { 8_000 } else { random.range(80, 400) as usize },
            rows_per_wait: [100, 1_000, 1_000_000][random.range(0, 3) as usize],
            device_bytes_per_ms,
            load_bytes_per_ms: device_bytes_per_ms * [30, 50, 200][random.range(0, 3) as usize] / 100,
            append_bytes_max: (log_bytes as usize / 16).min(1 << 20),
            gossip_bytes_max: [64 << 10, 512 << 10][random.range(0, 2) as usize],
            gossip_interval_us: [20_000, 100_000][random.range(0, 2) as usize],
        }
    }

    fn draw_compute(random: &mut Random) -> ComputeSizes {
        ComputeSizes {
            frames: random.range(32, 65) as u32,
            undo_streams: random.range(2, 9) as u16,
            sessions: random.range(2, 9) as usize,
            rows_per_yield: [1, 3, 1_000][random.range(0, 3) as usize],
            slice: random.range(1, 17) as u32,
            stale_read_max_us: [20_000, 200_000][random.range(0, 2) as usize],
            waits_per_loss: [WAITS_PER_LOSS, WAITS_PER_LOSS, 10, 2][random.range(0, 4) as usize],
        }
    }

    /// A line as [`Plan`] is shown; `None` for one that is empty or a comment. What it does not name is drawn, but for
    /// the cluster, which has six daemons then.
    ///
    /// # Panics
    /// If the line is no plan.
    pub fn parse(line: &str) -> Option<Plan> {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        let words: Vec<(&str, &str)> =
            words.map(|word| word.split_once('=').unwrap_or_else(|| panic!("name=value: {word}"))).collect();
        if words.is_empty() {
            return None;
        }
        let number = |value: &str| value.parse::<u64>().unwrap_or_else(|_| panic!("a number: {value}"));
        let of = |wanted| words.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let seed = number(of("seed").unwrap_or_else(|| panic!("a seed: {line}")));
        let profile = of("profile").map(|name| Profile::parse(name).unwrap_or_else(|| panic!("{name}")));
        let mut plan = Plan::draw(seed, profile);
        if of("kinds").is_some() || of("faults").is_some() {
            // What a whole plan does not name was not there when it was kept.
            plan.rot_every_us = 0;
            plan.rot_kinds = ROT_KINDS_OF_OLD;
            plan.stalls = Stalls::default();
            if plan.profile != Profile::Bulk {
                plan.pages_per_group = PAGES_PER_GROUP;
            }
        }
        plan.full_every_us = 0;
        plan.change_every_us = 0;
        plan.cluster = Cluster::SIX;
        for (name, value) in words {
            plan.set(name, value, number);
        }
        Some(plan)
    }

    /// The same plan with some of its words replaced.
    ///
    /// # Panics
    /// If one is no word of a plan.
    #[must_use]
    pub fn with(mut self, words: &str) -> Plan {
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("name=value: {word}"));
            self.set(name, value, |value| value.parse().unwrap_or_else(|_| panic!("a number: {value}")));
        }
        self
    }

    fn set(&mut self, name: &str, value: &str, number: impl Fn(&str) -> u64) {
        match name {
            "seed" | "profile" => {}
            "cluster" if self.profile == Profile::Bulk => panic!("a bulk load has six shards"),
            "cluster" => {
                let values: Vec<u64> = value.split(',').map(&number).collect();
                let [daemons, shards] = values[..] else { panic!("daemons and shards of each: {value}") };
                self.cluster = Cluster::new(daemons as usize, shards as usize);
            }
            "groups" => self.groups = number(value) as u32,
            "active" => self.active_groups = number(value) as u32,
            "lal" => self.lal_records = number(value),
            "lal_bytes" => self.lal_bytes = number(value),
            "log" => self.log_bytes = number(value),
            "extents" => self.extents_bytes = number(value),
            "pending" => self.pending_bytes = number(value) as usize,
            "checkpoint_us" => self.checkpoint_interval_us = number(value),
            "work_us" => self.work_us = number(value),
            "fault_us" => self.fault_every_us = number(value),
            "kinds" => self.fault_kinds = number(value) & ((1 << KINDS_OF_OLD) - 1),
            "faults" => self.fault_kinds = number(value),
            "stalls" => {
                let values: Vec<u64> = value.split(',').map(&number).collect();
                let [operations, one_in, us_max] = values[..] else { panic!("three numbers: {value}") };
                self.stalls = Stalls { operations, one_in, us_max };
            }
            "rot_us" => self.rot_every_us = number(value),
            "rots" => self.rot_kinds = number(value),
            "rot_mask" => self.rot_mask = number(value),
            "full_us" => self.full_every_us = number(value),
            "change_us" => self.change_every_us = number(value),
            "only" => self.only_faults = Some(value.split_terminator(',').map(&number).collect()),
            "compute" => self.set_compute(&value.split(',').map(&number).collect::<Vec<u64>>()),
            "mix" => {
                let values: Vec<u64> = value.split(',').map(&number).collect();
                // Plans of before there were the last three have five, or seven.
                let [lists, bank, tags, sequence, scratch, ref rest @ ..] = values[..] else {
                    panic!("five weights or more: {value}");
                };
                let [documents, families, registers] = [0, 1, 2].map(|at| rest.get(at).copied().unwrap_or(0));
                self.mix = Mix { lists, bank, tags, sequence, scratch, documents, families, registers };
            }
            "levels" => {
                let values: Vec<u64> = value.split(',').map(&number).collect();
                let [read_committed, repeatable_read, serializable] = values[..] else {
                    panic!("three weights: {value}");
                };
                self.levels = Levels { read_committed, repeatable_read, serializable };
            }
            "bulk" => {
                let values: Vec<u64> = value.split(',').map(&number).collect();
                let [load_bytes, row_bytes, rows_per_wait, device, load, append, gossip, gossip_interval_us] =
                    values[..]
                else {
                    panic!("eight sizes of a load: {value}");
                };
                self.bulk = BulkSizes {
                    load_bytes,
                    row_bytes: row_bytes as usize,
                    rows_per_wait,
                    device_bytes_per_ms: device,
                    load_bytes_per_ms: load,
                    append_bytes_max: append as usize,
                    gossip_bytes_max: gossip as u32,
                    gossip_interval_us,
                };
            }
            "pages" => self.pages_per_group = number(value),
            _ => panic!("a plan has no {name}"),
        }
    }

    fn set_compute(&mut self, values: &[u64]) {
        // Plans of before the last was drawn have six.
        let [frames, undo_streams, sessions, rows_per_yield, slice, stale_read_max_us, ref rest @ ..] =
            *values
        else {
            panic!("six sizes of compute or more: {values:?}");
        };
        self.compute = ComputeSizes {
            frames: frames as u32,
            undo_streams: undo_streams as u16,
            sessions: sessions as usize,
            rows_per_yield: rows_per_yield as u32,
            slice: slice as u32,
            stale_read_max_us,
            waits_per_loss: rest.first().copied().unwrap_or(WAITS_PER_LOSS),
        };
    }

    /// When each fault comes, by number: those that befall processes, then those of devices.
    pub fn fault_times(&self) -> Vec<u64> {
        let mut times = self.times_every(self.fault_every_us, 0xfa17);
        times.extend(self.times_every(self.rot_every_us, 0xd07f));
        times
    }

    /// Whether a fault is one of those that devices make.
    pub fn is_rot(&self, number: u64) -> bool {
        number >= self.times_every(self.fault_every_us, 0xfa17).len() as u64
    }

    fn times_every(&self, mean_us: u64, salt: u64) -> Vec<u64> {
        let mut times = Vec::new();
        if mean_us == 0 {
            return times;
        }
        let mut random = Random::new(self.seed ^ salt);
        let mut at = mean_us;
        while at < self.work_us {
            times.push(at);
            at += random.range(1, 2 * mean_us);
        }
        times
    }

    /// Whether a fault is made.
    pub fn has_fault(&self, number: u64) -> bool {
        self.only_faults.as_ref().is_none_or(|only| only.contains(&number))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed={} profile={} groups={} active={} lal={} lal_bytes={} log={} extents={} pending={} checkpoint_us={} \
             work_us={} fault_us={} faults={} rot_us={} \
             rots={}",
            self.seed,
            self.profile.name(),
            self.groups,
            self.active_groups,
            self.lal_records,
            self.lal_bytes,
            self.log_bytes,
            self.extents_bytes,
            self.pending_bytes,
            self.checkpoint_interval_us,
            self.work_us,
            self.fault_every_us,
            self.fault_kinds,
            self.rot_every_us,
            self.rot_kinds,
        )?;
        if self.profile == Profile::Sql {
            let ComputeSizes { frames, undo_streams, sessions, rows_per_yield, slice, .. } = self.compute;
            let ComputeSizes { stale_read_max_us, waits_per_loss, .. } = self.compute;
            let Mix { lists, bank, tags, sequence, scratch, documents, families, registers } = self.mix;
            let Levels { read_committed, repeatable_read, serializable } = self.levels;
            write!(
                f,
                " compute={frames},{undo_streams},{sessions},{rows_per_yield},{slice},{stale_read_max_us},\
                 {waits_per_loss} \
                 mix={lists},{bank},{tags},{sequence},{scratch},{documents},{families},{registers} \
                 levels={read_committed},{repeatable_read},{serializable}"
            )?;
        }
        if self.profile == Profile::Bulk {
            let bulk = self.bulk;
            write!(
                f,
                " bulk={},{},{},{},{},{},{},{}",
                bulk.load_bytes,
                bulk.row_bytes,
                bulk.rows_per_wait,
                bulk.device_bytes_per_ms,
                bulk.load_bytes_per_ms,
                bulk.append_bytes_max,
                bulk.gossip_bytes_max,
                bulk.gossip_interval_us
            )?;
        }
        if self.cluster != Cluster::SIX {
            let (daemons, shards) = self.cluster.sizes();
            write!(f, " cluster={daemons},{shards}")?;
        }
        if self.pages_per_group != PAGES_PER_GROUP {
            write!(f, " pages={}", self.pages_per_group)?;
        }
        let Stalls { operations, one_in, us_max } = self.stalls;
        if self.stalls != Stalls::default() {
            write!(f, " stalls={operations},{one_in},{us_max}")?;
        }
        if self.rot_mask != u64::MAX {
            write!(f, " rot_mask={}", self.rot_mask)?;
        }
        if self.full_every_us != 0 {
            write!(f, " full_us={}", self.full_every_us)?;
        }
        if self.change_every_us != 0 {
            write!(f, " change_us={}", self.change_every_us)?;
        }
        if let Some(only) = &self.only_faults {
            let numbers: Vec<String> = only.iter().map(u64::to_string).collect();
            write!(f, " only={}", numbers.join(","))?;
        }
        Ok(())
    }
}

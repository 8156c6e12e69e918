//! A bulk load on a healthy cluster: redo as fast as the LAL admits it, many times what a shard holds in memory and in
//! its log. Nothing fails; members differ a little in speed, and each is slow or stands still for a moment now and then.
//!
//! Three checks. When the load has ended, every member of every group is complete within a bounded time. There is always a
//! write quorum of each group that is not left behind by the logs of its peers. And if devices keep up with the load, nobody
//! ever is: a cluster that nothing has befallen never sends pages to a member. A device that is slower than the load for good
//! is another matter (`docs/decisions/0065`). Beyond
//! that it measures how far members lag and how much redo reaches them through peers instead of the writer.

use super::cluster::{MEMBERS, SHARDS_MAX};
use super::quiet::counter;
use super::{Happening, World};
use crate::model::Model;
use crate::plan::BulkSizes;
use crate::random::Random;
use crate::writer::Writer;
use hexalog_protocol::message::{SegmentState, SegmentStatus, Status};
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::Operation;
use hexalog_protocol::{GroupId, Lsn, PAGE_BODY_START, PAGE_SIZE, PageId};
use std::collections::BTreeMap;
use std::fmt;

/// The writer's process gets its turn so often while it loads.
const TURN_US: u64 = 100;
/// How often members are looked at.
const LOOK_US: u64 = 50_000;
/// A load that takes longer has stopped.
const LOAD_US_MAX: u64 = 120_000_000;
/// Members are complete so long after the load's end. A guess: what the slowest device takes for its log, and twenty rounds
/// of questions.
const COMPLETE_US_MAX: u64 = 5_000_000;
/// A device keeps up with a load of so many percent of what it transfers: it writes about twice the redo, and is slower now
/// and then.
const KEEPS_UP_PERCENT: u64 = 40;
/// Members of a group that may be left behind at one time by a load that their devices do not keep up with.
const LEFT_BEHIND_MAX: usize = 2;
/// Pages that are changed with every few rows, as the upper pages of a tree are.
const UPPER_PAGES: u64 = 4;
/// Pages of undo: written to in order, over and over.
const UNDO_PAGES: u64 = 28;
/// Undo of one row.
const UNDO_BYTES: usize = 48;
/// Rows between two changes of an upper page: about a leaf full of them.
const ROWS_PER_UPPER_CHANGE: u64 = 60;

/// What a load came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadStatistics {
    /// Redo appended, in bytes of operations.
    pub redo_bytes: u64,
    /// How long that took.
    pub load_us: u64,
    /// From its end until every member was complete.
    pub complete_us: u64,
    /// Farthest that the slowest member was behind the fourth, in LSNs of one group.
    pub lag_max: u64,
    /// As `lag_max`, of the second slowest.
    pub second_lag_max: u64,
    /// Batches that all shards took into their logs.
    pub batches: u64,
    /// Those of them that a peer had sent.
    pub gossip_batches: u64,
    /// Questions to peers.
    pub gossip_pulls: u64,
    /// Times that what stood above a gap was let go.
    pub gaps_dropped: u64,
    /// Refusals for want of room.
    pub refusals: u64,
    /// Records looked at for coalescing, for each record taken in.
    pub looks_per_record: u64,
    /// Members that a peer declared left behind by its log.
    pub left_behind: u64,
    /// Segments that got their pages from a peer.
    pub hydrated: u64,
}

impl fmt::Display for LoadStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes_per_s = self.redo_bytes as f64 / self.load_us.max(1) as f64;
        let share = 100.0 * self.gossip_batches as f64 / self.batches.max(1) as f64;
        write!(
            f,
            "{} MB of redo at {megabytes_per_s:.0} MB/s, lag at most {} and {} LSNs, complete after {} ms, {} of {} batches by \
             gossip ({share:.1} %) with {} pulls, {} gaps dropped, {} refusals, {} looks a record, {} left behind, {} hydrated",
            self.redo_bytes >> 20,
            self.lag_max,
            self.second_lag_max,
            self.complete_us / 1_000,
            self.gossip_batches,
            self.batches,
            self.gossip_pulls,
            self.gaps_dropped,
            self.refusals,
            self.looks_per_record,
            self.left_behind,
            self.hydrated,
        )
    }
}

/// Where a load is.
#[derive(Default)]
pub(super) struct Load {
    pub is_running: bool,
    rows: u64,
    redo_bytes: u64,
    /// The writer's process is busy until then with what it made.
    made_until_us: u64,
    leaf: Cursor,
    undo: Cursor,
    /// First LSN of each group: before it no member lags.
    began: BTreeMap<GroupId, Lsn>,
    pub statistics: LoadStatistics,
    /// When each device has done all that it was given.
    busy_until_us: [u64; SHARDS_MAX],
    /// A device's speed in bytes a millisecond.
    speeds: [u64; SHARDS_MAX],
}

/// The end of what was written to a range of pages.
#[derive(Default)]
struct Cursor {
    page: u64,
    offset: usize,
}

impl Cursor {
    /// A place for so many bytes, on the next page if this one is full; whether that page is begun anew.
    fn place(&mut self, bytes: usize, pages: u64) -> (u64, u16, bool) {
        let is_begun = self.offset == 0 || self.offset + bytes > PAGE_SIZE;
        if is_begun {
            self.page = (self.page + 1) % pages;
            self.offset = PAGE_BODY_START;
        }
        let offset = self.offset as u16;
        self.offset += bytes;
        (self.page, offset, is_begun)
    }
}

impl Load {
    pub(super) fn new(sizes: &BulkSizes, random: &mut Random) -> Load {
        // A tenth more or less than the plan says.
        let mut speed = || (sizes.device_bytes_per_ms * random.range(90, 111) / 100).max(1);
        let speeds = std::array::from_fn(|shard| if shard < MEMBERS { speed() } else { 0 });
        Load { speeds, ..Load::default() }
    }

    /// Appends one row; false if the LAL is used up.
    fn append_row(&mut self, writer: &Writer, model: &mut Model, sizes: &BulkSizes, pages: u64) -> bool {
        let mut client = writer.client();
        let reserved = (3, sizes.row_bytes as u32 + UNDO_BYTES as u32 + 256);
        if client.reserve(reserved.0, reserved.1).is_err() {
            // As an engine does that waits for room in the log.
            let allocated = client.allocated();
            client.want(allocated);
            return false;
        }
        let geometry = client.config().geometry;
        let leaves = pages - UPPER_PAGES - UNDO_PAGES;
        let mut mtr = Mtr::new();
        let (page, offset, is_begun) = self.leaf.place(sizes.row_bytes, leaves);
        let leaf = PageId(UPPER_PAGES + UNDO_PAGES + page);
        put(&mut mtr, model, leaf, offset, is_begun, &vec![self.rows as u8; sizes.row_bytes]);
        let (page, offset, is_begun) = self.undo.place(UNDO_BYTES, UNDO_PAGES);
        put(&mut mtr, model, PageId(UPPER_PAGES + page), offset, is_begun, &[self.rows as u8; UNDO_BYTES]);
        if self.rows.is_multiple_of(ROWS_PER_UPPER_CHANGE) {
            let upper = self.rows / ROWS_PER_UPPER_CHANGE;
            let offset = PAGE_BODY_START as u64 + upper / UPPER_PAGES % 500 * 16;
            let page = PageId(upper % UPPER_PAGES);
            put(&mut mtr, model, page, offset as u16, false, &upper.to_le_bytes());
        }
        self.rows += 1;
        self.redo_bytes += mtr.operations().len() as u64;
        let last = client.append(&mut mtr, reserved, &mut |_, _| {});
        let first = Lsn(last.0 + 1 - mtr.records().len() as u64);
        for (index, record) in mtr.records().iter().enumerate() {
            let lsn = first.plus(index as u64);
            self.began.entry(geometry.group_of(record.page)).or_insert(lsn);
            model.append(record.page, lsn, record.page_backlink, mtr.operations_of(record));
        }
        model.add_cpl(last);
        if self.rows.is_multiple_of(sizes.rows_per_wait) {
            client.want(last);
        }
        true
    }
}

fn put(mtr: &mut Mtr, model: &Model, page: PageId, offset: u16, is_begun: bool, bytes: &[u8]) {
    let old = model.newest(page).map(|page| page.lsn());
    let is_begun = is_begun || old.is_none();
    mtr.begin_record(page, if is_begun { Lsn::ZERO } else { old.unwrap_or(Lsn::ZERO) });
    if is_begun {
        mtr.push(&Operation::Format);
    }
    mtr.push(&Operation::Write { offset, bytes });
}

impl World {
    /// The load, from the opening to the moment at which every member is complete.
    pub(super) fn run_load(&mut self) {
        let sizes = self.plan.bulk;
        while !self.writers.last().is_some_and(|writer| writer.is_open) {
            assert!(self.now_us < LOAD_US_MAX, "liveness: the volume is opened");
            self.run_until(self.now_us + LOOK_US);
        }
        let started_us = self.now_us;
        self.load.is_running = true;
        self.at(0, Happening::NoiseComes);
        while self.load.redo_bytes < sizes.load_bytes {
            if self.now_us >= started_us + LOAD_US_MAX {
                let members = self.describe_members();
                panic!("liveness: a load ends: {}; {members}", self.load.statistics);
            }
            self.run_until(self.now_us + LOOK_US);
            self.look_at_members();
        }
        self.load.is_running = false;
        self.load.statistics.redo_bytes = self.load.redo_bytes;
        self.load.statistics.load_us = self.now_us - started_us;
        self.note("the load ends");
        let ended_us = self.now_us;
        while !self.look_at_members() {
            if self.now_us >= ended_us + COMPLETE_US_MAX {
                let members = self.describe_members();
                panic!("a load has ended, and members are not complete: {}; {members}", self.load.statistics);
            }
            self.run_until(self.now_us + LOOK_US);
            self.load.statistics.complete_us = self.now_us - ended_us;
        }
        self.faults_stop_us = self.now_us;
        let LoadStatistics { left_behind, hydrated, .. } = self.load.statistics;
        let keeps_up = sizes.load_bytes_per_ms * 100 <= sizes.device_bytes_per_ms * KEEPS_UP_PERCENT;
        if keeps_up && left_behind + hydrated > 0 {
            let members = self.describe_members();
            panic!("a healthy member was left behind by its peers: {}; {members}", self.load.statistics);
        }
    }

    /// Takes in how far members are. True if the writer has appended all and everyone has it.
    fn look_at_members(&mut self) -> bool {
        let Some(writer) = self.writers.last().filter(|writer| writer.is_open) else { return false };
        let allocated = writer.client().allocated();
        let is_durable = writer.client().vdl() == allocated;
        let statuses: Vec<Status> = (0..self.shards()).map(|shard| self.ask_status(shard)).collect();
        let mut is_complete = is_durable;
        for group in 0..self.plan.groups as usize {
            let is_left = |status: &&Status| status.segments[group].state == SegmentState::NeedsHydration;
            let left = statuses.iter().filter(is_left).count();
            assert!(
                left <= LEFT_BEHIND_MAX,
                "{left} members of group {group} are left behind: no write quorum"
            );
            let began = self.load.began.get(&GroupId(group as u32)).map_or(u64::MAX, |lsn| lsn.0);
            let mut scls =
                statuses.iter().map(|status| status.segments[group].scl.0.max(began)).collect::<Vec<_>>();
            scls.sort_unstable();
            let statistics = &mut self.load.statistics;
            statistics.lag_max = statistics.lag_max.max(scls[2] - scls[0]);
            statistics.second_lag_max = statistics.second_lag_max.max(scls[2] - scls[1]);
            is_complete &=
                statuses.iter().all(|status| is_complete_through(&status.segments[group], allocated));
        }
        let sum = |name| statuses.iter().map(|status| counter(status, name)).sum();
        let statistics = &mut self.load.statistics;
        statistics.batches = sum("batches");
        statistics.gossip_batches = sum("gossip_batches");
        statistics.gossip_pulls = sum("gossip_pulls");
        statistics.gaps_dropped = sum("gaps_dropped");
        statistics.refusals = sum("no_space_refusals");
        statistics.looks_per_record = sum("coalescing_looks") / sum("records").max(1);
        statistics.left_behind = sum("members_beyond_retention");
        statistics.hydrated = sum("segments_hydrated");
        is_complete
    }

    fn describe_members(&mut self) -> String {
        let client = self.writers.last().expect("a writer was started").client();
        let mut text = format!("VDL {}, allocated {}", client.vdl().0, client.allocated().0);
        drop(client);
        for shard in 0..self.shards() {
            let status = self.ask_status(shard);
            let scls: Vec<u64> = status.segments.iter().map(|segment| segment.scl.0).collect();
            let counters: Vec<String> = status
                .counters
                .iter()
                .filter(|(_, value)| *value > 0)
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            text += &format!("\n  shard {shard}: SCLs {scls:?}, {}", counters.join(", "));
        }
        text
    }

    /// One turn of the loading process.
    pub(super) fn load_rows(&mut self, run: u64) {
        let Some(index) = self.writer_index(run) else { return };
        if !self.load.is_running {
            let mut client = self.writers[index].client();
            let allocated = client.allocated();
            client.want(allocated);
            drop(client);
            if self.load.redo_bytes == 0 {
                self.at(TURN_US, Happening::WriterWorks { run });
            }
            return self.schedule_turn(run, 1);
        }
        let pages = self.plan.pages_per_group * u64::from(self.plan.groups);
        let sizes = self.plan.bulk;
        self.load.made_until_us = self.load.made_until_us.max(self.now_us);
        while self.load.made_until_us < self.now_us + TURN_US {
            let before = self.load.redo_bytes;
            if !self.load.append_row(&self.writers[index], &mut self.model, &sizes, pages) {
                break;
            }
            self.load.made_until_us += (self.load.redo_bytes - before) * 1_000 / sizes.load_bytes_per_ms;
        }
        self.schedule_turn(run, 1);
        self.at(TURN_US, Happening::WriterWorks { run });
    }

    /// A member is slow or stands still for a moment.
    pub(super) fn make_noise(&mut self) {
        if !self.load.is_running {
            return;
        }
        let shard = self.random.range(0, self.shards() as u64) as usize;
        if self.random.one_in(2) {
            self.conditions[shard].paused_until_us = self.now_us + self.random.range(1_000, 40_000);
        } else {
            self.conditions[shard].disk_slow_until_us = self.now_us + self.random.range(10_000, 300_000);
            self.conditions[shard].disk_factor = self.random.range(2, 12);
        }
        let in_us = self.random.range(20_000, 500_000);
        self.at(in_us, Happening::NoiseComes);
    }

    /// What a device takes for that many bytes, after all that it was given before.
    pub(super) fn transfer_us(&mut self, shard: usize, bytes: usize) -> u64 {
        if self.load.speeds[shard] == 0 {
            return 0;
        }
        let conditions = self.conditions[shard];
        let factor = if conditions.disk_slow_until_us > self.now_us { conditions.disk_factor } else { 1 };
        let busy_us = &mut self.load.busy_until_us[shard];
        *busy_us = self.now_us.max(*busy_us) + 1_000 * bytes as u64 * factor / self.load.speeds[shard];
        *busy_us - self.now_us
    }
}

fn is_complete_through(segment: &SegmentStatus, lsn: Lsn) -> bool {
    segment.complete_through >= lsn
}

//! What must hold when the faults have stopped and time has passed.
//!
//! Every commit is answered, every read too, every member has its group's tail and says so, those too that their peers'
//! logs had left behind, no one talks any more, and every page is what the model says.

use super::ask::find_answer;
use super::cluster::{SHARDS_MAX, ZONES};
use super::file_systems::Below;
use super::{VOLUME, World};
use crate::plan::{Profile, Stalls};
use hexalog_protocol::message::{Message, SegmentState, SegmentStatus, Status, StatusQuery};
use hexalog_protocol::{GroupId, PageId};
use hexalog_storage_core::shard::Shard;
use hexalog_volume::SharedClient;

/// Time for everything to be acknowledged and caught up.
const SETTLE_US: u64 = 10_000_000;
/// After that no one may say anything for so long.
const SILENCE_US: u64 = 1_000_000;
/// Pages of a bulk load that are read at its end.
const BULK_SAMPLE_PAGES: usize = 128;
/// Rounds of purge after which nothing is left: what is freed is logged, and lets the horizon rise once more.
const PURGE_ROUNDS: usize = 10;
/// Half of such a log holds about 90 ms of this workload: a member that only ever suffers the network's delays, of up
/// to 30 ms, finds in it what it missed. Half of the shortest log holds 45 ms, less than a delayed frame, a delayed
/// question and a delayed answer in a row take.
const CALM_LOG_BYTES_MIN: u64 = 512 << 10;
/// As [`CALM_LOG_BYTES_MIN`]: SQL sessions fill a log two to four times as fast.
const CALM_LOG_BYTES_MIN_SQL: u64 = 2 << 20;

impl World {
    /// Faults have stopped.
    pub(super) fn settle(&mut self) {
        self.note("faults stop");
        self.cut_off = [false; ZONES];
        self.hidden = [false; SHARDS_MAX];
        self.aloof = [false; SHARDS_MAX];
        self.installs_reach = None;
        self.dying_opener = None;
        self.racing_until_us = 0;
        self.unheard_until_us = 0;
        self.unseen.clear();
        self.device_fails = [false; SHARDS_MAX];
        self.write_faults = Default::default();
        self.below = [Below::Ample; SHARDS_MAX];
        self.conditions = Default::default();
        self.run_until(self.now_us + SETTLE_US);
        self.want_everything();
        let statuses: Vec<Status> = (0..self.shards()).map(|shard| self.ask_status(shard)).collect();
        if self.trace.is_read() {
            statuses.iter().enumerate().for_each(|(shard, status)| self.note(&describe(shard, status)));
        }
        let writer = self.writers.last().expect("a writer was started");
        assert!(writer.is_open, "liveness: the last writer opens: {:?}", writer.client().opening_waits_for());
        let vdl = writer.client().vdl();
        let allocated = writer.client().allocated();
        assert_eq!(vdl, allocated, "liveness: everything is durable after quiet");
        assert_eq!(writer.reads, [], "every read is answered after quiet");
        (0..self.plan.groups).for_each(|group| self.check_caught_up(GroupId(group), &statuses));
        let delivered = self.outcome.delivered;
        self.run_until(self.now_us + SILENCE_US);
        assert_eq!(self.outcome.delivered, delivered, "traffic stops after quiet");
        for (shard, process) in self.processes.iter().enumerate() {
            let machine = process.shard.as_ref().expect("all shards run");
            machine.invariants_full();
            self.check_nothing_is_damaged(shard, machine);
        }
        let collected = statuses.iter().map(|status| counter(status, "extents_collected"));
        self.outcome.extents_collected += collected.sum::<u64>();
        let of = |name| statuses.iter().map(|status| counter(status, name)).sum::<u64>();
        self.outcome.segments_repaired += of("segments_repaired");
        self.outcome.pages_repaired += of("pages_repaired");
        self.hydrations_for_pages += of("hydrations_for_pages");
        self.indexes_lost += of("indexes_lost");
        self.check_hydrations(&statuses);
    }

    /// Nobody waits for what purge appended last; once that is durable, purge may find more.
    fn want_everything(&mut self) {
        for _ in 0..PURGE_ROUNDS {
            let writer = self.writers.last().expect("a writer was started");
            let run = writer.run;
            let (vdl, allocated) = (writer.shared.vdl(), writer.client().allocated());
            if vdl == allocated {
                return;
            }
            writer.client().want(allocated);
            self.schedule_turn(run, 1);
            self.run_until(self.now_us + SILENCE_US);
        }
    }

    fn check_caught_up(&mut self, group: GroupId, statuses: &[Status]) {
        let client = self.writers.last().expect("a writer was started").client();
        let seen = &client.status()[group.0 as usize];
        let membership = client.config().groups[group.0 as usize].clone();
        assert_eq!(&membership, self.metadata.membership(group), "the writer knows who the members are");
        for (slot, shard) in self.everyone_of(&membership).into_iter().enumerate() {
            let segment = segment_of(&statuses[shard], group);
            assert_eq!(segment.state, SegmentState::Open, "member {slot} of {group:?}");
            assert_eq!(segment.scl, seen.tail, "member {slot} of {group:?} has caught up");
            assert_eq!(seen.scls[slot], Some(seen.tail), "member {slot} of {group:?} has told its SCL");
            assert_eq!(
                segment.complete_through,
                client.vdl(),
                "member {slot} of {group:?} knows it is complete"
            );
        }
    }

    /// No member is left behind without need.
    fn check_hydrations(&mut self, statuses: &[Status]) {
        self.outcome.hydrated +=
            statuses.iter().map(|status| counter(status, "segments_hydrated")).sum::<u64>();
        if self.outcome.hydrated == 0 {
            return;
        }
        let calm_log_bytes_min = match self.plan.profile {
            Profile::Volume | Profile::Bulk => CALM_LOG_BYTES_MIN,
            Profile::Sql => CALM_LOG_BYTES_MIN_SQL,
        };
        assert!(
            self.plan.rot_every_us > 0
                || self.plan.change_every_us > 0
                || self.outcome.faults > 0
                || self.plan.stalls != Stalls::default()
                || self.plan.log_bytes < calm_log_bytes_min,
            "without a fault no member is left behind"
        );
        let longest = statuses.iter().map(|status| counter(status, "append_bytes")).max().unwrap_or(0);
        assert!(self.indexes_lost == 0 || self.plan.rot_every_us > 0, "nothing else takes an index");
        assert!(
            self.outcome.segments_repaired > 0
                || self.hydrations_for_pages > 0
                || self.indexes_lost > 0
                || longest + self.bytes_before_restarts > self.plan.log_bytes / 2,
            "a member was left behind, and no log ever had to be freed for want of room"
        );
    }

    /// Asks a shard for its status.
    pub(super) fn ask_status(&mut self, shard: usize) -> Status {
        assert!(self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready), "all shards run");
        let said = self.ask(shard, &Message::StatusQuery(StatusQuery { volume: VOLUME }));
        let status = find_answer(&said, |message| match message {
            Message::Status(status) => Some(status),
            _ => None,
        });
        status.expect("a status is answered at once")
    }

    /// All that were ever written; of a bulk load, which writes thousands, a sample.
    pub(super) fn pages_to_check(&self) -> Vec<PageId> {
        let all: Vec<PageId> = self.model.pages().collect();
        let step = if self.plan.profile == Profile::Bulk { all.len().div_ceil(BULK_SAMPLE_PAGES) } else { 1 };
        all.into_iter().step_by(step.max(1)).collect()
    }

    /// Reads every page that was ever written from the last writer.
    pub(super) fn check_all_pages(&mut self) {
        let pages = self.pages_to_check();
        let writer = self.writers.last_mut().expect("a writer was started");
        let read_point = writer.client().vdl();
        for page in pages {
            writer.reads.push((page, read_point));
            writer.client().read(page, read_point);
        }
        let run = writer.run;
        self.schedule_turn(run, 0);
        self.run_until(self.now_us + 2_000_000);
        assert_eq!(self.writers.last().expect("a writer").reads, [], "every page was read");
    }
}

/// A shard's status in one line: what the checks look at.
fn describe(shard: usize, status: &Status) -> String {
    let of = |segment: &SegmentStatus| {
        let (state, scl, through) = (segment.state, segment.scl.0, segment.complete_through.0);
        format!("{:?} {state:?} scl {scl} through {through}", segment.group)
    };
    format!("shard {shard}: {:?}", status.segments.iter().map(of).collect::<Vec<_>>())
}

pub(super) fn segment_of(status: &Status, group: GroupId) -> &SegmentStatus {
    status.segments.iter().find(|segment| segment.group == group).expect("a member has its group")
}

pub(super) fn counter(status: &Status, name: &str) -> u64 {
    status.counters.iter().find(|(other, _)| other == name).map_or(0, |(_, value)| *value)
}

//! The writer's log: LSN allocation, backlinks, boxcars, and the ring of sealed batches.
//!
//! An append numbers the records of one mini-transaction and copies them, encoded, into the open boxcar of each
//! group; it is the one short critical section that all sessions share. A boxcar is sealed when someone waits
//! for one of its records and a frame can go, when it is full, or when half of the LAL is used. Nothing above
//! VDL ever leaves the ring, so any member can be sent what it missed. What became durable last stays in it too, up to
//! the LAL's bytes: a member that is a little slower than the fourth fastest goes on from where it is, without a gap.
//! What has left the ring a member gets from its peers.

use crate::config::Lal;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hexalog_protocol::batch::BatchBuilder;
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::record::Record;
use hexalog_protocol::{GroupId, Lsn};

/// A boxcar is sealed at this size whether anyone waits or not: large enough to carry a bulk load in few
/// frames, small enough that four fit one frame.
pub const BOXCAR_BYTES: usize = 64 * 1024;

/// The LAL is used up: wait until VDL has moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogFull;

/// A sealed batch, on its way to six members.
#[derive(Debug)]
pub struct Sealed {
    /// Its group.
    pub group: GroupId,
    /// LSN of its last record.
    pub last: Lsn,
    /// Encoded and checksummed.
    pub bytes: Vec<u8>,
}

/// Consecutive LSNs of one group: what the walk over the volume's chain steps through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The group they belong to.
    pub group: GroupId,
    /// First LSN.
    pub first: Lsn,
    /// Last LSN.
    pub last: Lsn,
}

struct GroupLog {
    /// LSN of the group's last record: the next one's backlink.
    tail: Lsn,
    /// LSN of the group's last record that has left the ring, or never was in it.
    left: Lsn,
    boxcar: BatchBuilder,
}

/// The log of an open volume.
///
/// Invariants: `durable < next`; `runs` cover `(durable, next)` without a gap; the ring's bytes that are not durable
/// stay under the LAL's plus one boxcar per group, those that are under the LAL's.
pub struct Log {
    geometry: Geometry,
    lal: Lal,
    next: Lsn,
    durable: Lsn,
    groups: Vec<GroupLog>,
    /// Groups whose boxcar holds a record.
    open: Vec<GroupId>,
    open_bytes: u64,
    ring: VecDeque<Sealed>,
    /// Position of the ring's first batch.
    ring_first: u64,
    /// How many batches at the ring's front are durable, and their bytes.
    kept_count: usize,
    kept_bytes: u64,
    /// Bytes of the others.
    ring_bytes: u64,
    runs: VecDeque<Run>,
    cpls: VecDeque<Lsn>,
    /// Highest LSN that someone waits for.
    wanted: Lsn,
    reserved_records: u64,
    reserved_bytes: u64,
}

impl Log {
    /// A log that goes on after `durable`; `tails` are the last LSN of each group.
    pub fn new(geometry: Geometry, lal: Lal, durable: Lsn, tails: &[Lsn]) -> Log {
        assert_eq!(tails.len(), geometry.groups as usize);
        assert!(tails.iter().all(|tail| *tail <= durable), "a tail is durable");
        let groups = tails
            .iter()
            .enumerate()
            .map(|(group, tail)| GroupLog {
                tail: *tail,
                left: *tail,
                boxcar: BatchBuilder::new(GroupId(group as u32)),
            })
            .collect();
        Log {
            geometry,
            lal,
            next: durable.plus(1),
            durable,
            groups,
            open: Vec::new(),
            open_bytes: 0,
            ring: VecDeque::new(),
            ring_first: 0,
            kept_count: 0,
            kept_bytes: 0,
            ring_bytes: 0,
            runs: VecDeque::new(),
            cpls: VecDeque::new(),
            wanted: Lsn::ZERO,
            reserved_records: 0,
            reserved_bytes: 0,
        }
    }

    /// Reserves room below the LAL, before latches are taken.
    ///
    /// While storage is short of room, a quarter of the LAL is the limit: the writer is held to what becomes durable.
    pub fn reserve(&mut self, records: u32, bytes: u32, is_short: bool) -> Result<(), LogFull> {
        let share = if is_short { 4 } else { 1 };
        assert!(u64::from(records) <= self.lal.mtr_records_max(), "an MTR of {records} records");
        let records = self.reserved_records + u64::from(records);
        let bytes = self.reserved_bytes + u64::from(bytes);
        let allocated = self.next.since(self.durable) - 1;
        if allocated + records > self.lal.records / share {
            return Err(LogFull);
        }
        // A single reservation is always let through an empty ring, whatever its size.
        let in_memory = self.ring_bytes + self.open_bytes;
        if in_memory > 0 && in_memory + bytes > self.lal.bytes / share {
            return Err(LogFull);
        }
        (self.reserved_records, self.reserved_bytes) = (records, bytes);
        Ok(())
    }

    /// Gives a reservation back, used or not.
    pub fn unreserve(&mut self, records: u32, bytes: u32) {
        assert!(self.reserved_records >= u64::from(records));
        assert!(self.reserved_bytes >= u64::from(bytes));
        self.reserved_records -= u64::from(records);
        self.reserved_bytes -= u64::from(bytes);
    }

    /// Numbers a mini-transaction, patches its commit LSN, lets the caller publish it, and places the records
    /// in their boxcars. Returns the last LSN, the consistency point.
    ///
    /// `publish(first, last)` runs before any record can be sent: whoever sees the commit's effects sees its
    /// commit LSN too.
    pub fn append(&mut self, mtr: &mut Mtr, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        let count = mtr.records().len() as u64;
        assert!(count > 0, "an MTR has a record");
        let first = self.next;
        let last = first.plus(count - 1);
        mtr.patch_commit_lsn(last);
        publish(first, last);
        for (index, record) in mtr.records().iter().enumerate() {
            let lsn = first.plus(index as u64);
            let group = self.geometry.group_of(record.page);
            assert!(group.0 < self.geometry.groups, "{:?} lies in the volume", record.page);
            self.place(&Record {
                lsn,
                page: record.page,
                page_backlink: record.page_backlink,
                group_backlink: self.groups[group.0 as usize].tail,
                is_cpl: lsn == last,
                operations: mtr.operations_of(record),
            });
        }
        self.cpls.push_back(last);
        self.next = last.plus(1);
        if self.next.since(self.durable) > self.lal.records / 2 {
            self.wanted = last;
        }
        last
    }

    fn place(&mut self, record: &Record<'_>) {
        let id = self.geometry.group_of(record.page);
        let group = &mut self.groups[id.0 as usize];
        if group.boxcar.is_empty() {
            self.open.push(id);
        }
        let before = group.boxcar.bytes_len();
        group.boxcar.push(record);
        group.tail = record.lsn;
        let after = group.boxcar.bytes_len();
        self.open_bytes += (after - before) as u64;
        match self.runs.back_mut() {
            Some(run) if run.group == id && run.last.plus(1) == record.lsn => run.last = record.lsn,
            _ => self.runs.push_back(Run { group: id, first: record.lsn, last: record.lsn }),
        }
        if after >= BOXCAR_BYTES {
            self.open.retain(|open| *open != id);
            self.seal(id);
        }
    }

    fn seal(&mut self, id: GroupId) {
        let boxcar = &mut self.groups[id.0 as usize].boxcar;
        let (last, len) = (boxcar.last(), boxcar.bytes_len() as u64);
        let bytes = boxcar.seal();
        assert_eq!(bytes.len() as u64, len, "sealing fixes the size");
        self.open_bytes -= len;
        self.ring_bytes += len;
        self.ring.push_back(Sealed { group: id, last, bytes });
    }

    /// Someone waits for `lsn`.
    pub fn want(&mut self, lsn: Lsn) {
        assert!(lsn < self.next, "{lsn:?} has been appended");
        self.wanted = self.wanted.max(lsn);
    }

    /// Whether a boxcar holds a record that someone waits for.
    pub fn wants_sealing(&self) -> bool {
        self.wanted > self.durable
            && self.open.iter().any(|id| self.groups[id.0 as usize].boxcar.first() <= self.wanted)
    }

    /// Seals every boxcar of every group that holds a record someone waits for: VCL needs them all.
    pub fn seal_wanted(&mut self) {
        let mut open = core::mem::take(&mut self.open);
        open.retain(|id| {
            let due = self.groups[id.0 as usize].boxcar.first() <= self.wanted;
            if due {
                self.seal(*id);
            }
            !due
        });
        self.open = open;
    }

    /// Walks the volume's chain from VDL as far as quorums reach; `pgcl` tells how far a group has come.
    /// Returns VCL and VDL. An idle group holds nothing back: only runs that exist are looked at.
    pub fn walk(&self, pgcl: impl Fn(GroupId) -> Lsn) -> (Lsn, Lsn) {
        let mut vcl = self.durable;
        for run in &self.runs {
            let reached = pgcl(run.group).min(run.last);
            if reached < run.first {
                break;
            }
            vcl = vcl.max(reached);
            if reached < run.last {
                break;
            }
        }
        let passed = self.cpls.partition_point(|cpl| *cpl <= vcl);
        let vdl = if passed == 0 { self.durable } else { self.cpls[passed - 1] };
        (vcl, vdl)
    }

    /// VDL moved: forgets what is durable; `tail(group, lsn)` is told each group's last durable record.
    pub fn set_durable(&mut self, vdl: Lsn, mut tail: impl FnMut(GroupId, Lsn)) {
        assert!(vdl >= self.durable, "VDL never falls within an epoch");
        assert!(vdl < self.next, "only what was allocated is durable");
        self.durable = vdl;
        while let Some(run) = self.runs.front_mut() {
            if run.first > vdl {
                break;
            }
            tail(run.group, run.last.min(vdl));
            if run.last > vdl {
                run.first = vdl.plus(1);
                break;
            }
            self.runs.pop_front();
        }
        while self.cpls.front().is_some_and(|cpl| *cpl <= vdl) {
            self.cpls.pop_front();
        }
        while let Some(sealed) = self.ring.get(self.kept_count).filter(|sealed| sealed.last <= vdl) {
            let bytes = sealed.bytes.len() as u64;
            self.ring_bytes -= bytes;
            self.kept_bytes += bytes;
            self.kept_count += 1;
        }
        while self.kept_bytes > self.lal.bytes {
            let sealed = self.ring.pop_front().expect("what is kept is in the ring");
            self.kept_bytes -= sealed.bytes.len() as u64;
            self.kept_count -= 1;
            self.ring_first += 1;
            self.groups[sealed.group.0 as usize].left = sealed.last;
        }
        self.invariants();
    }

    /// Whether the ring holds all that a member of `group` with this SCL lacks.
    pub fn reaches_down_to(&self, group: GroupId, scl: Lsn) -> bool {
        scl >= self.groups[group.0 as usize].left
    }

    /// Position of the first batch in the ring.
    pub fn ring_first(&self) -> u64 {
        self.ring_first
    }

    /// Position of the first batch that is not durable, or after the last.
    pub fn first_not_durable(&self) -> u64 {
        self.ring_first + self.kept_count as u64
    }

    /// Sealed batches from ring position `cursor` on, with their positions.
    pub fn sealed_from(&self, cursor: u64) -> impl Iterator<Item = (u64, &Sealed)> {
        let skip = cursor.saturating_sub(self.ring_first) as usize;
        let first = self.ring_first;
        self.ring.iter().enumerate().skip(skip).map(move |(index, sealed)| (first + index as u64, sealed))
    }

    /// Position after the last sealed batch.
    pub fn ring_end(&self) -> u64 {
        self.ring_first + self.ring.len() as u64
    }

    /// The highest durable LSN.
    pub fn durable(&self) -> Lsn {
        self.durable
    }

    /// The last LSN given out.
    pub fn allocated(&self) -> Lsn {
        Lsn(self.next.0 - 1)
    }

    /// Bytes of records that are not durable yet, sealed or not.
    pub fn bytes_in_memory(&self) -> u64 {
        self.ring_bytes + self.open_bytes
    }

    /// Bytes of records that are durable and kept for members that are a little behind.
    pub fn bytes_kept(&self) -> u64 {
        self.kept_bytes
    }

    fn invariants(&self) {
        assert!(self.durable < self.next);
        assert_eq!(
            self.runs.front().map(|run| run.first),
            (self.durable.plus(1) < self.next).then(|| self.durable.plus(1))
        );
        assert_eq!(self.runs.back().map_or(self.durable, |run| run.last), Lsn(self.next.0 - 1));
        assert!(self.kept_count <= self.ring.len());
        assert!(self.kept_bytes <= self.lal.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use hexalog_protocol::PageId;
    use hexalog_protocol::record::Operation;

    fn mtr(pages: &[u64]) -> Mtr {
        let mut mtr = Mtr::new();
        for page in pages {
            mtr.begin_record(PageId(*page), Lsn::ZERO);
            mtr.push(&Operation::Format);
        }
        mtr
    }

    fn log() -> Log {
        let geometry = Geometry { pages_per_group: 16, groups: 4 };
        Log::new(
            geometry,
            Lal { records: 64, bytes: 1 << 20 },
            Lsn(100),
            &[Lsn(90), Lsn(100), Lsn::ZERO, Lsn(7)],
        )
    }

    /// Appends and returns the CPL.
    fn append(log: &mut Log, pages: &[u64]) -> Lsn {
        log.append(&mut mtr(pages), &mut |_, _| {})
    }

    #[test]
    fn vcl_follows_the_chain_over_groups_and_vdl_the_last_whole_mtr() {
        let mut log = log();
        assert_eq!(append(&mut log, &[1, 17, 2]), Lsn(103)); // groups 0, 1, 0
        assert_eq!(append(&mut log, &[33]), Lsn(104)); // group 2
        // (PGCL of groups 0..3, VCL, VDL)
        for (pgcl, vcl, vdl) in [
            ([90, 100, 0, 7], 100, 100),
            ([103, 100, 104, 7], 101, 100), // 102 of group 1 is missing: 103 and 104 wait
            ([101, 102, 0, 7], 102, 100),
            ([103, 102, 0, 7], 103, 103),
            ([103, 102, 104, 7], 104, 104), // idle group 3 holds nothing back
        ] {
            let walked = log.walk(|group| Lsn(pgcl[group.0 as usize]));
            assert_eq!(walked, (Lsn(vcl), Lsn(vdl)), "{pgcl:?}");
        }
    }

    #[test]
    fn a_wait_seals_every_boxcar_with_an_older_record_and_no_other() {
        let mut log = log();
        append(&mut log, &[1, 17]);
        let waited = append(&mut log, &[2]);
        append(&mut log, &[33]);
        log.want(waited);
        assert!(log.wants_sealing());
        log.seal_wanted();
        let sealed: Vec<_> = log.sealed_from(0).map(|(_, sealed)| (sealed.group.0, sealed.last.0)).collect();
        assert_eq!(sealed, [(0, 103), (1, 102)]);
        assert!(!log.wants_sealing());
    }

    #[test]
    fn the_ring_keeps_everything_above_vdl_and_what_became_durable_last() {
        let mut log = log();
        for _ in 0..3 {
            let lsn = append(&mut log, &[1, 17]);
            log.want(lsn);
            log.seal_wanted();
        }
        let batch_bytes = log.sealed_from(0).map(|(_, sealed)| sealed.bytes.len() as u64).max().unwrap();
        log.lal.bytes = 3 * batch_bytes;
        let positions = |log: &Log| log.sealed_from(0).map(|(position, _)| position).collect::<Vec<_>>();
        let mut tails = Vec::new();
        log.set_durable(Lsn(104), |group, lsn| tails.push((group.0, lsn.0)));
        assert_eq!(tails, [(0, 101), (1, 102), (0, 103), (1, 104)]);
        assert_eq!((positions(&log), log.first_not_durable()), (vec![1, 2, 3, 4, 5], 4));
        // (group, SCL, whether the ring has all that is above it)
        for (group, scl, reaches) in
            [(0, 90, false), (0, 101, true), (0, 103, true), (1, 99, false), (1, 100, true), (2, 0, true)]
        {
            assert_eq!(log.reaches_down_to(GroupId(group), Lsn(scl)), reaches, "group {group}, SCL {scl}");
        }
        log.set_durable(Lsn(106), |_, _| {});
        assert_eq!((positions(&log), log.first_not_durable()), (vec![3, 4, 5], 6));
        assert_eq!(log.bytes_in_memory(), 0);
    }

    #[test]
    fn lal_bounds_what_is_reserved_and_allocated_together() {
        let mut log = log();
        for _ in 0..3 {
            assert_eq!(log.reserve(16, 100, false), Ok(()));
        }
        append(&mut log, &[1; 1]);
        assert_eq!(log.reserve(16, 100, false), Err(LogFull));
        log.unreserve(16, 100);
        assert_eq!(log.reserve(16, 100, false), Ok(()));
    }

    #[test]
    fn lal_bounds_bytes_to_the_last_one_and_lets_a_single_reservation_through() {
        let mut log = log();
        let all = log.lal.bytes as u32;
        assert_eq!(log.reserve(1, all + 1, false), Ok(()), "into an empty ring");
        log.unreserve(1, all + 1);
        append(&mut log, &[1]);
        let rest = (log.lal.bytes - log.open_bytes) as u32;
        assert_eq!(log.reserve(1, rest + 1, false), Err(LogFull));
        assert_eq!(log.reserve(1, rest, false), Ok(()));
        assert_eq!(log.reserve(1, 1, false), Err(LogFull));
        log.unreserve(1, rest);
        let rest = (log.lal.bytes / 4 - log.open_bytes) as u32;
        assert_eq!(log.reserve(1, rest + 1, true), Err(LogFull), "short of room");
        assert_eq!(log.reserve(1, rest, true), Ok(()));
    }

    #[test]
    fn short_of_room_one_largest_mtr_is_let_through_at_a_time() {
        let mut log = log();
        assert_eq!(log.reserve(16, 100, true), Ok(()));
        assert_eq!(log.reserve(1, 100, true), Err(LogFull));
        assert_eq!(log.reserve(1, 100, false), Ok(()));
    }

    #[test]
    fn half_of_lal_used_seals_without_anyone_waiting() {
        let mut log = log();
        for _ in 0..31 {
            append(&mut log, &[1]);
            assert!(!log.wants_sealing());
        }
        append(&mut log, &[1]);
        assert!(log.wants_sealing());
    }
}

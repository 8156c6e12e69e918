//! A segment: one replica of a protection group, as the shard holds it.
//!
//! Owns epochs, completeness, pending batches, page versions and where its log lies. It does no I/O and sends
//! nothing; everything in it is durable, since changes come from [`crate::apply`] alone, after the append.
//! The exceptions are named as such: `promised`, `members_promised`, and what was heard from a writer in this run.

pub(crate) mod batches;
pub(crate) mod epochs;
pub(crate) mod runs;

use crate::damage::Damage;
use crate::effects::ConnectionId;
use crate::gossip::SegmentGossip;
use crate::hydration::{Hydrated, Session};
use crate::pages::PageTable;
use crate::pending::Pending;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use batches::Batches;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{CreateSegment, LsnMarks, Membership, SegmentState};
use hexalog_protocol::{GeometryEpoch, GroupId, Lsn, MembershipEpoch, PageId, SegmentId, VolumeId};
use hexalog_storage_format::checkpoint::SegmentImage;
use runs::Runs;

/// Names a segment on its shard.
pub(crate) type SegmentKey = (VolumeId, GroupId);

/// What a segment lost for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    Sound,
    /// It may lack what it once acknowledged: it follows its group's log again, and counts for nothing until it is proven to
    /// hold all of that ([`crate::damage`]).
    Damaged,
    /// It has no more use for log until it has got every page from a peer. Damaged too, if [`Segment::damage`] says so.
    NeedsHydration,
}

impl Health {
    /// Whether log that comes counts for it, and its pages are those of its SCL.
    pub fn follows_log(self) -> bool {
        matches!(self, Health::Sound | Health::Damaged)
    }
}

/// A decision to give up log that stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GivenUp {
    /// The SCL then.
    pub scl: Lsn,
    /// Position of the append that it stands in: a scan that begins beyond does not meet it.
    pub position: u64,
}

/// One segment.
///
/// Invariants: `promised >= bumped`; the history's writer is not above `bumped`; `gc_floor <= vdl_heard`; no
/// image is above `min(scl, gc_floor)`, no delta above `min(scl, vdl_durable)`; `gc_floor <= vdl_durable <= vdl_heard`.
pub(crate) struct Segment {
    pub volume: VolumeId,
    pub group: GroupId,
    pub id: SegmentId,
    pub pages_per_group: u64,
    pub geometry_epoch: GeometryEpoch,
    /// Where the segment's log begins: complete up to here by definition.
    pub base: Lsn,
    pub membership: Membership,
    /// Epoch of the members last told, staged: decides whose requests are taken. Not yet durable.
    pub members_promised: MembershipEpoch,
    /// It is none of these: what a writer tells of its volume is not told to it any more.
    pub is_replaced: bool,
    pub history: EpochHistory,
    /// The writer last bumped to, durably.
    pub bumped: WriterId,
    /// The writer last bumped to, staged: decides what is still taken. Not yet durable.
    pub promised: WriterId,
    /// Connection of the opener that `promised` came from: it alone may install a history below its own epoch.
    pub opener: Option<ConnectionId>,
    pub health: Health,
    /// Some of its log is lost, with what it had acknowledged and promised in it.
    pub damage: Option<Damage>,
    /// Its SCL when it was decided that it gives up its log, if a scan may meet that decision again: what it gets must be above.
    pub given_up_at: Option<GivenUp>,
    /// That decision is staged.
    pub is_giving_up: bool,
    /// Its index does not read back: it is about to give up its log, and tells no more that it is sound.
    pub lacks_index: bool,
    pub scl: Lsn,
    /// Where the SCL will be when all that is staged is durable, as far as it is known; below the SCL if nothing is.
    pub staged_through: Lsn,
    pub vdl_heard: Lsn,
    /// What a restart finds of it.
    pub vdl_durable: Lsn,
    pub gc_floor: Lsn,
    /// PGMRPL as heard in this run: becomes the floor with the next append that has room for it, or with the next
    /// checkpoint.
    pub pgmrpl_heard: Lsn,
    /// Last LSN of the group, as `promised` told in this run.
    pub tail: Option<Lsn>,
    /// The VDL that came with it last: what others than the writer tell of the VDL says nothing of the tail there.
    pub tail_vdl: Lsn,
    pub batches: Batches,
    pub runs: Runs,
    pub pages: PageTable,
    pub gossip: SegmentGossip,
    /// Members whose missing log was freed.
    pub beyond_retention: BTreeSet<SegmentId>,
    /// What was decided and not yet written: becomes true with the next checkpoint.
    pub decided: Decided,
    /// A peer that gets its pages from here.
    pub session: Option<Session>,
}

/// Decisions that a full log has no room for, though it cannot be freed without them: a checkpoint makes them durable.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Decided {
    /// Members that are left behind.
    pub beyond_retention: BTreeSet<SegmentId>,
    /// The segment itself must be hydrated by pages.
    pub gives_up_log: bool,
    /// A writer that the segment is bound to from then on.
    pub bump: Option<WriterId>,
    /// A history that replaces its own.
    pub history: Option<EpochHistory>,
    /// Members of its group from then on.
    pub members: Option<Membership>,
    /// All pages have been fetched: the segment has a base again.
    pub hydrated: Option<Hydrated>,
    /// It is proven to hold all that it may have acknowledged.
    pub ends_damage: bool,
}

impl Decided {
    pub fn is_empty(&self) -> bool {
        *self == Decided::default()
    }

    /// Whether a member that had forgotten it would tell less than it told, and not know.
    pub fn must_not_be_forgotten(&self) -> bool {
        self.bump.is_some() || self.history.is_some() || self.members.is_some() || self.hydrated.is_some()
    }

    /// What a checkpoint has made durable is decided no more; what was decided since stays.
    pub fn forget(&mut self, durable: &Decided) {
        self.beyond_retention.retain(|member| !durable.beyond_retention.contains(member));
        self.gives_up_log &= !durable.gives_up_log;
        self.ends_damage &= !durable.ends_damage;
        self.bump.take_if(|bump| Some(*bump) == durable.bump);
        self.history.take_if(|history| Some(&*history) == durable.history.as_ref());
        self.members.take_if(|members| Some(&*members) == durable.members.as_ref());
        self.hydrated.take_if(|hydrated| Some(*hydrated) == durable.hydrated);
    }
}

impl Segment {
    pub fn create(create: &CreateSegment) -> Segment {
        Segment {
            volume: create.volume,
            group: create.group,
            id: create.segment,
            pages_per_group: create.pages_per_group,
            geometry_epoch: create.geometry_epoch,
            base: create.base_lsn,
            membership: create.membership.clone(),
            members_promised: create.membership.epoch,
            is_replaced: false,
            history: EpochHistory::new(),
            bumped: WriterId::default(),
            promised: WriterId::default(),
            opener: None,
            health: Health::Sound,
            damage: None,
            given_up_at: None,
            is_giving_up: false,
            lacks_index: false,
            scl: create.base_lsn,
            staged_through: Lsn::ZERO,
            vdl_heard: Lsn::ZERO,
            vdl_durable: Lsn::ZERO,
            gc_floor: Lsn::ZERO,
            pgmrpl_heard: Lsn::ZERO,
            tail: None,
            tail_vdl: Lsn::ZERO,
            batches: Batches::new(),
            runs: Runs::new(),
            pages: PageTable::new(),
            gossip: SegmentGossip::new(create.segment, &create.membership),
            beyond_retention: BTreeSet::new(),
            decided: Decided::default(),
            session: None,
        }
    }

    /// The segment as a checkpoint knows it; pages and runs come separately.
    pub fn from_image(image: SegmentImage) -> Segment {
        let health = match image.state {
            SegmentState::Damaged if image.needs_pages => Health::NeedsHydration,
            SegmentState::Damaged => Health::Damaged,
            SegmentState::NeedsHydration => Health::NeedsHydration,
            SegmentState::Opening | SegmentState::Open => Health::Sound,
        };
        Segment {
            volume: image.volume,
            group: image.group,
            id: image.segment,
            pages_per_group: image.pages_per_group,
            geometry_epoch: image.geometry_epoch,
            base: image.base,
            gossip: SegmentGossip::new(image.segment, &image.membership),
            members_promised: image.membership.epoch,
            is_replaced: !image.membership.has(image.segment),
            membership: image.membership,
            history: image.history,
            bumped: image.bumped,
            promised: image.bumped,
            opener: None,
            health,
            damage: (image.state == SegmentState::Damaged).then(Damage::default),
            given_up_at: None,
            is_giving_up: false,
            lacks_index: false,
            scl: image.scl,
            staged_through: Lsn::ZERO,
            vdl_heard: image.vdl_heard,
            vdl_durable: image.vdl_heard,
            gc_floor: image.gc_floor,
            pgmrpl_heard: image.gc_floor,
            tail: None,
            tail_vdl: Lsn::ZERO,
            batches: Batches::new(),
            runs: Runs::new(),
            pages: PageTable::new(),
            beyond_retention: image.beyond_retention.into_iter().collect(),
            decided: Decided::default(),
            session: None,
        }
    }

    /// What a checkpoint holds of it. The floor and the decisions in it are in force once the checkpoint is durable.
    pub fn to_image(&self) -> SegmentImage {
        let decided = self.decided.history.as_ref();
        let history = decided.filter(|decided| decided.writer().epoch > self.history.writer().epoch);
        let history = history.unwrap_or(&self.history);
        let bumps = [self.bumped, self.decided.bump.unwrap_or_default(), history.writer()];
        let scl = decided.map_or(self.scl, |_| self.batches.scl_under(history, self.scl, self.base));
        let hydrated = self.decided.hydrated;
        let base = hydrated.map_or(Lsn::ZERO, |hydrated| hydrated.base);
        let is_damaged = self.damage.is_some() && !self.decided.ends_damage;
        let is_hydrated = self.health.follows_log() || hydrated.is_some();
        let needs_pages = self.decided.gives_up_log || !is_hydrated;
        let state = match self.state() {
            _ if is_damaged => SegmentState::Damaged,
            _ if needs_pages => SegmentState::NeedsHydration,
            SegmentState::Open => SegmentState::Open,
            _ => SegmentState::Opening,
        };
        SegmentImage {
            volume: self.volume,
            group: self.group,
            segment: self.id,
            state,
            needs_pages: is_damaged && needs_pages,
            pages_per_group: self.pages_per_group,
            geometry_epoch: self.geometry_epoch,
            base: self.base.max(base),
            // Below the one that it had, if an opening has annulled that.
            scl: hydrated.map_or(scl, |hydrated| hydrated.base),
            vdl_heard: hydrated.map_or(self.vdl_heard, |hydrated| hydrated.vdl_heard.max(self.vdl_heard)),
            gc_floor: self.gc_floor.max(self.pgmrpl_heard).max(base),
            bumped: bumps.into_iter().max_by_key(|bump| bump.epoch).expect("three of them"),
            history: history.clone(),
            membership: self.members_in_checkpoint().clone(),
            beyond_retention: self.beyond_retention.union(&self.decided.beyond_retention).copied().collect(),
        }
    }

    fn members_in_checkpoint(&self) -> &Membership {
        let decided = self.decided.members.as_ref();
        decided.filter(|decided| decided.epoch >= self.membership.epoch).unwrap_or(&self.membership)
    }

    /// No peer has the log that the segment lacks: what it holds will be replaced by pages, and must not hold back
    /// log and memory until then. What was decided of its writer stands: answers to an opener wait for that.
    pub fn give_up_log(&mut self, pending: &mut Pending) {
        self.health = Health::NeedsHydration;
        (self.is_giving_up, self.lacks_index) = (false, false);
        let Decided { bump, history, members, .. } = core::mem::take(&mut self.decided);
        self.decided = Decided { bump, history, members, ..Decided::default() };
        self.forget_proof();
        self.session = None;
        let key = self.key();
        self.batches.clear(key, pending);
        self.pages.clear_pending();
        self.runs = Runs::new();
    }

    /// Lets go of what stands above a gap. It was never counted: the SCL does not reach it, nor does any answer to a
    /// writer or an opener. Without it a log that is full of it has room for what fills the gap; after that it comes
    /// again from a peer. Returns whether there was anything.
    pub fn drop_above_gap(&mut self, pending: &mut Pending) -> bool {
        let dropped = self.batches.drop_above(self.scl, self.key(), pending);
        for record in &dropped {
            self.pages.annul(record.page, record.lsn);
        }
        self.runs.drop_above(self.scl);
        !dropped.is_empty()
    }

    /// The members changed, durably.
    pub fn set_membership(&mut self, membership: Membership) {
        assert!(membership.epoch >= self.membership.epoch);
        self.gossip = SegmentGossip::after(&self.gossip, self.id, &membership);
        if membership.epoch >= self.members_promised {
            self.promise_members(&membership);
        }
        self.beyond_retention.retain(|segment| membership.has(*segment));
        self.membership = membership;
    }

    pub fn key(&self) -> SegmentKey {
        (self.volume, self.group)
    }

    pub fn state(&self) -> SegmentState {
        match self.health {
            _ if self.damage.is_some() => SegmentState::Damaged,
            Health::Damaged => unreachable!("asserted with every event"),
            Health::NeedsHydration => SegmentState::NeedsHydration,
            Health::Sound if self.lacks_index => SegmentState::NeedsHydration,
            Health::Sound if self.bumped == self.history.writer() => SegmentState::Open,
            Health::Sound => SegmentState::Opening,
        }
    }

    /// Whether the history of the writer that the segment takes data from is durable here.
    pub fn is_open(&self) -> bool {
        self.promised == self.history.writer() && self.promised.epoch.0 > 0
    }

    pub fn holds_page(&self, page: PageId) -> bool {
        self.pages_per_group > 0 && page.0 / self.pages_per_group == u64::from(self.group.0)
    }

    /// It holds every record of its group up to here: the SCL, or the VDL that the writer told last if the tail that it told
    /// is reached (an idle group's SCL is low).
    pub fn complete_through(&self) -> Lsn {
        match self.tail {
            Some(tail) if self.scl >= tail => self.tail_vdl.max(self.scl),
            _ => self.scl,
        }
    }

    /// These members are staged: what is taken from now on stands behind them in the log.
    pub fn promise_members(&mut self, membership: &Membership) {
        self.members_promised = membership.epoch;
        self.is_replaced = !membership.has(self.id);
        if self.is_replaced {
            self.tail = None;
        }
    }

    /// Whether it cannot be sure to have all that was written: it is behind, or no tail was told.
    pub fn is_unsure(&self) -> bool {
        !self.is_replaced
            && (self.is_behind() || self.tail.is_none() || self.complete_through() < self.vdl_heard)
    }

    /// Whether it is known to lack something: the tail is not reached (be it above the VDL heard: the VDL may wait
    /// for just this member), or there is a gap.
    pub fn is_behind(&self) -> bool {
        self.tail.is_some_and(|tail| self.scl < tail) || self.batches.has_above(self.scl)
    }

    /// Records above this go into no image: not complete, not durable in the volume, or still needed to rebuild a read
    /// point.
    pub fn coalesce_limit(&self) -> Lsn {
        self.scl.min(self.vdl_heard).min(self.gc_floor)
    }

    /// Records above this go into no delta: not complete, or not durable in the volume as a restart will know it. Were one
    /// above that in a delta, a start would find it in no batch, and could tell of no VDL that covers it and ends a
    /// mini-transaction. A delta keeps records one by one, so that a read point below is still rebuilt.
    pub fn delta_limit(&self) -> Lsn {
        self.scl.min(self.vdl_durable)
    }

    /// Takes in a VDL. `gc_floor` is not raised here but when it is durable.
    pub fn hear(&mut self, vdl: Lsn) {
        self.vdl_heard = self.vdl_heard.max(vdl);
    }

    /// The end of the unbroken chain, staged records included.
    pub fn reached(&self) -> Lsn {
        self.scl.max(self.staged_through)
    }

    /// A batch was staged: the chain reaches its last record if it links to what was reached before.
    pub fn note_staged(&mut self, backlink: Lsn, last: Lsn) {
        if backlink <= self.reached() {
            self.staged_through = self.reached().max(last);
        }
    }

    /// Moves the SCL along the chain of group backlinks. True if it moved.
    pub fn advance_scl(&mut self) -> bool {
        let scl = self.batches.reach(self.scl, self.base);
        assert!(scl >= self.scl, "the SCL falls only with a new history");
        let has_moved = scl > self.scl;
        self.scl = scl;
        has_moved
    }

    /// Records in (VDL heard, SCL] with their CPL marks.
    pub fn marks(&self) -> LsnMarks {
        let marks: Vec<_> = self.batches.records_in(self.vdl_heard, self.scl).collect();
        LsnMarks(marks)
    }

    /// Where the chain stands if every record in (VDL heard, SCL] is annulled.
    pub fn tail_heard(&self) -> Lsn {
        let first_above = self.batches.first_record_in(self.vdl_heard, self.scl);
        first_above.map_or(self.scl, |record| record.group_backlink.max(self.base))
    }

    /// Cheap checks.
    pub fn invariants(&self) {
        assert!(self.promised.epoch >= self.bumped.epoch);
        assert!(self.history.writer().epoch <= self.bumped.epoch);
        assert!(self.scl >= self.base);
        assert!(
            self.health != Health::Damaged || self.damage.is_some(),
            "what is damaged has something to prove"
        );
        assert!(self.health != Health::Sound || self.damage.is_none(), "damage ends before it counts");
        assert!(self.gc_floor <= self.vdl_durable && self.vdl_durable <= self.vdl_heard);
        assert!(self.tail_vdl <= self.vdl_heard);
        assert!(self.members_promised >= self.membership.epoch);
        assert!(!self.is_replaced || self.tail.is_none(), "who is replaced is told nothing");
    }

    /// All checks, for tests and the simulator.
    pub fn invariants_full(&self) {
        self.invariants();
        let is_settled = self.members_promised == self.membership.epoch;
        assert!(!is_settled || self.is_replaced != self.membership.has(self.id));
        assert_eq!(self.batches.reach(self.scl, self.base), self.scl, "the SCL is as far as it can be");
        self.batches.invariants_full(&self.history);
        self.runs.invariants_full();
        // While it is being hydrated it has newer pages already.
        let (collectable, durable) = match self.health {
            Health::NeedsHydration => (Lsn::MAX, Lsn::MAX),
            _ => (self.scl.min(self.gc_floor), self.delta_limit()),
        };
        self.pages.invariants_full(&self.batches, collectable, durable);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::vec;
    use hexalog_protocol::message::{Member, Membership};
    use hexalog_protocol::{GeometryEpoch, GroupId, MembershipEpoch, NodeId, SegmentId, VolumeId};

    /// The only member of its group, new.
    pub(crate) fn created() -> Segment {
        let address = "127.0.0.1:7000".parse().expect("an address");
        let member = Member { segment: SegmentId(1), node: NodeId(0), az: 0, address };
        Segment::create(&CreateSegment {
            volume: VolumeId([1; 16]),
            group: GroupId(0),
            segment: SegmentId(1),
            pages_per_group: 16,
            geometry_epoch: GeometryEpoch(1),
            base_lsn: Lsn::ZERO,
            membership: Membership::of(MembershipEpoch(1), vec![member]),
        })
    }

    /// Simulator, seed 4100033: a VDL came from others than the writer, without the tail there. The tail that was known was of an
    /// earlier one, and a member that had all up to that took itself to have all.
    #[test]
    fn a_member_is_complete_through_the_vdl_that_came_with_its_tail() {
        let mut segment = created();
        segment.scl = Lsn(5);
        segment.hear(Lsn(7));
        assert_eq!(segment.complete_through(), Lsn(5), "no tail was told");
        (segment.tail, segment.tail_vdl) = (Some(Lsn(5)), Lsn(7));
        assert_eq!(segment.complete_through(), Lsn(7));
        segment.hear(Lsn(12));
        assert_eq!(segment.complete_through(), Lsn(7), "what lies between the two it may lack");
        assert!(segment.is_unsure());
    }
}

//! A segment that lost some of its log: what it may say until it is whole again.
//!
//! What the lost stretch held is unknown: records that the segment acknowledged, and promises that it made. So all that its
//! log and memory hold counts no more; it gets every page from a peer ([`crate::hydration`]), follows the group's log from
//! there by gossip, and counts for nothing until two things are sure (`docs/decisions/0060`):
//!
//! **Its promises.** An opener that counts on this segment's bump counts on three of its peers too, so three of five peers
//! know an epoch as high as any that the segment can have promised. Until that many have told theirs, it answers no bump and
//! takes no history from a writer.
//!
//! **Its records.** One that became durable with this segment's help is at three peers. A writer that is open tells the
//! group's tail after it has learnt that the segment is damaged: what it counts from then on does not rest on it, and what
//! it counted before is not above that tail. While a volume is being opened, no older writer gets anything to a peer that
//! has been bumped: the highest SCL of three peers that have been is not below any such record. Never one peer's word.

use crate::effects::{Effect, Effects, Now};
use crate::gossip::Told;
use crate::log::Space;
use crate::pending::Pending;
use crate::segment::{Health, Segment, SegmentKey};
use crate::shard::Shard;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{CreateSegment, RefusalReason};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{Incarnation, Lsn};
use hexalog_storage_format::entry::Entry;

/// Peers that make sure of what the segment once said: so many meet every set of peers that makes a write quorum with it.
const WITNESSES_MIN: usize = {
    let model = QuorumModel::FOUR_OF_SIX;
    (model.members - model.write + 1) as usize
};
const _: () = assert!(WITNESSES_MIN == 3);

/// What is known, in this run, of what a damaged segment may have said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Damage {
    /// Its epoch is as high as any that it can have promised.
    pub knows_promises: bool,
    /// Tail of its group as the writer that it is bound to told first in this run.
    pub tail: Option<Lsn>,
    /// The opener that has bumped it in this run.
    pub opener: Option<WriterId>,
    /// The record of the proof is staged.
    is_ending: bool,
}

impl Segment {
    /// Some of its log is lost: nothing that it holds beside its identity counts any more.
    pub(crate) fn lose_log(&mut self, pending: &mut Pending) {
        self.give_up_log(pending);
        self.damage = Some(Damage::default());
        // No scan meets again what stands before the stretch.
        self.given_up_at = None;
        (self.scl, self.staged_through, self.tail) = (self.base, Lsn::ZERO, None);
    }

    /// One that was here before, and of which nothing is known any more: it may have acknowledged and promised anything.
    pub(crate) fn restore(lost: &CreateSegment) -> Segment {
        let mut segment = Segment::create(&CreateSegment { base_lsn: Lsn::ZERO, ..lost.clone() });
        segment.health = Health::NeedsHydration;
        segment.damage = Some(Damage::default());
        segment
    }

    /// Whether its page versions are above what its log says was durable when they were made: the log's end is lost, although
    /// it looks as if it had been torn.
    pub(crate) fn is_ahead_of_log(&self) -> bool {
        let through = self.pages.versions_through();
        self.health.follows_log() && (through.image > self.gc_floor || through.delta > self.vdl_durable)
    }

    /// All that it may have acknowledged is there again, durably. False if it is not, after all.
    pub(crate) fn end_damage(&mut self) -> bool {
        // It may have given up its log since that was found, and a replay may meet it from before a later stretch was lost.
        let ends = self.health == Health::Damaged;
        if ends {
            (self.health, self.damage) = (Health::Sound, None);
        }
        ends
    }

    /// It gives up what it holds: the proof that it is whole, if one is on its way to the device, is of that.
    pub(crate) fn forget_proof(&mut self) {
        if let Some(damage) = &mut self.damage {
            damage.is_ending = false;
        }
    }

    /// Whether it may answer for itself at all: one that has forgotten its promises may not.
    pub(crate) fn check_promises(&self) -> Result<(), RefusalReason> {
        let is_sure = self.damage.is_none_or(|damage| damage.knows_promises);
        if is_sure { Ok(()) } else { Err(RefusalReason::Damaged) }
    }

    /// The highest LSN that it may have acknowledged, if that is sure.
    fn acknowledged_at_most(&self, damage: &Damage) -> Option<Lsn> {
        if !damage.knows_promises {
            return None;
        }
        if self.is_open() {
            return damage.tail;
        }
        // Only the opener itself is proof that no writer of this epoch runs yet.
        if damage.opener != Some(self.promised) || self.bumped != self.promised {
            return None;
        }
        let told = self.witnesses().filter(|told| told.writer == self.promised).filter_map(|told| told.scl);
        // What an opening has annulled, a peer that missed it may still have.
        let mut scls: Vec<Lsn> = told.map(|scl| self.history.floor(scl)).collect();
        // Any three of them will do: one that has more may be gone, and what it has with it.
        scls.sort_unstable();
        scls.get(WITNESSES_MIN - 1).copied()
    }

    /// What those peers told that are members: of records, a write quorum need not have a candidate among those that a witness
    /// stands for.
    fn witnesses(&self) -> impl Iterator<Item = Told> + '_ {
        let members = self.gossip.peers().filter(|peer| self.membership.has_member(peer.segment));
        members.filter_map(|peer| peer.told)
    }

    /// Whether it holds again all that it may have acknowledged.
    fn is_whole_again(&self) -> bool {
        let Some(damage) = self.damage.filter(|damage| !damage.is_ending) else { return false };
        let at_most = self.acknowledged_at_most(&damage);
        self.health == Health::Damaged && at_most.is_some_and(|lsn| self.scl >= lsn)
    }

    /// The highest writer that enough peers have told. Two of one epoch exclude each other: then it can be none of them.
    fn promise_of_peers(&self) -> Option<WriterId> {
        let told: Vec<WriterId> =
            self.gossip.peers().filter_map(|peer| peer.told).map(|it| it.writer).collect();
        // A fence may be one of members that came since: three slots, and of one that changes who is in it and who is to be.
        let slots = self.slots_with(|peer| peer.told.is_some());
        let highest = told.iter().copied().max_by_key(|writer| writer.epoch)?;
        let mut of_epoch = told.iter().filter(|writer| writer.epoch == highest.epoch);
        let is_one = of_epoch.all(|writer| *writer == highest);
        let writer = if is_one { highest } else { WriterId { incarnation: Incarnation(0), ..highest } };
        (slots >= WITNESSES_MIN).then_some(writer)
    }
}

impl Shard {
    /// Every segment of the shard may have had something in the stretch of the log that is lost.
    pub(crate) fn lose_logs(&mut self, why: &str, effects: &mut Effects) {
        self.counters.logs_damaged += 1;
        for segment in self.segments.values_mut() {
            segment.lose_log(&mut self.pending);
        }
        let text = format!(
            "ALARM: {why}: the {} segments of this shard are damaged, and are repaired from their peers",
            self.segments.len()
        );
        effects.list.push(Effect::Log(text));
    }

    /// Asks for what damaged segments must know, and ends their damage when it is sure.
    pub(crate) fn damage_slice(&mut self, effects: &mut Effects) {
        let damaged = self.segments.iter().filter(|(_, segment)| segment.damage.is_some());
        let keys: Vec<SegmentKey> = damaged.map(|(key, _)| *key).collect();
        for key in keys {
            self.relearn_promises(key);
            let segment = self.segments.get_mut(&key).expect("just listed");
            if segment.is_whole_again() {
                segment.damage.as_mut().expect("just seen").is_ending = true;
                let (volume, group) = key;
                let entry = Entry::Proven { volume, group };
                if self.stage_entry(&entry, Space::Freeing).is_err() {
                    self.segments.get_mut(&key).expect("just seen").decided.ends_damage = true;
                }
            }
        }
        self.submit_append(effects);
    }

    /// With the answers of enough peers the segment is bound to as late an epoch as it can ever have been. The bump is
    /// durable before anything that rests on it is told: both stand in the log in this order.
    fn relearn_promises(&mut self, key: SegmentKey) {
        let segment = &self.segments[&key];
        let Some(writer) = segment.promise_of_peers() else { return };
        if segment.check_promises().is_ok() {
            return;
        }
        if writer.epoch >= segment.promised.epoch && writer != segment.promised {
            let entry = Entry::EpochBump { volume: key.0, group: key.1, writer };
            if self.stage_entry(&entry, Space::Freeing).is_err() {
                // The log has room as soon as the first checkpoint of this run has been taken.
                return;
            }
            self.segments.get_mut(&key).expect("just seen").promise(writer, None);
        }
        let segment = self.segments.get_mut(&key).expect("just seen");
        segment.damage.as_mut().expect("only then promises are unsure").knows_promises = true;
        segment.gossip.restart();
        self.links.look_now();
    }

    /// Damaged segments ask all their peers, those that they know too little of again and again.
    pub(crate) fn ask_witnesses(&mut self, key: SegmentKey, now: Now, effects: &mut Effects) {
        let segment = &self.segments[&key];
        let knows_promises = segment.check_promises().is_ok();
        let is_witness =
            |told: &Told| !knows_promises || (told.writer == segment.promised && told.scl.is_some());
        let addresses: Vec<_> = segment.gossip.peers().map(|peer| peer.address).collect();
        let asked: Vec<_> = segment
            .gossip
            .peers()
            .filter(|peer| !peer.told.as_ref().is_some_and(is_witness))
            .map(|peer| (peer.segment, peer.address))
            .collect();
        addresses.into_iter().for_each(|address| self.links.want(address, now, effects));
        for peer in asked {
            self.pull(key, peer, Lsn::ZERO, now, effects);
        }
    }

    /// Segments that a writer named and nothing here did: the operator is told.
    pub(crate) fn note_restored(&mut self, restored: &BTreeSet<SegmentKey>, effects: &mut Effects) {
        for key in restored {
            let segment = &self.segments[key];
            let (volume, group, id) = (key.0, key.1, segment.id);
            let text = if segment.membership.has_member(id) {
                format!(
                    "ALARM: {volume} {group:?}: nothing on this shard's device names its {id:?}, which its writer knows: it is made anew, \
                     damaged, and fetched from its peers"
                )
            } else {
                format!(
                    "{volume} {group:?}: {id:?} is to take a member's place, and is fetched from its peers"
                )
            };
            effects.list.push(Effect::Log(text));
        }
        if !restored.is_empty() {
            self.links.look_now();
        }
    }

    /// Segments whose damage has ended: their writers count them again.
    pub(crate) fn note_whole(&mut self, whole: &BTreeSet<SegmentKey>, effects: &mut Effects) {
        self.counters.segments_repaired += whole.len() as u64;
        for (volume, group) in whole {
            let scl = self.segments[&(*volume, *group)].scl;
            let text = format!("{volume} {group:?} is whole again, complete through LSN {scl}");
            effects.list.push(Effect::Log(text));
        }
        self.push_scls(whole.iter().copied(), &BTreeSet::new(), effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hydration::Hydrated;
    use crate::segment::tests::created;
    use crate::segment::{Decided, GivenUp};
    use core::net::SocketAddr;
    use hexalog_protocol::history::{EpochEntry, EpochHistory};
    use hexalog_protocol::message::{Member, Membership};
    use hexalog_protocol::{MembershipEpoch, NodeId, SegmentId, VolumeEpoch};

    fn writer(epoch: u64) -> WriterId {
        WriterId { epoch: VolumeEpoch(epoch), incarnation: Incarnation(epoch) }
    }

    /// A full log had no room for a bump and a history: the next checkpoint was to hold them, and their answers waited for it.
    /// Then the segment gave up its log, and with it both; the answers went out all the same.
    #[test]
    fn what_was_decided_of_its_writer_outlives_the_log() {
        let mut segment = created();
        let mut history = EpochHistory::new();
        history.push(EpochEntry { writer: writer(3), vdl: Lsn(5), upper: Lsn(9) });
        segment.decided = Decided {
            bump: Some(writer(4)),
            history: Some(history.clone()),
            hydrated: Some(Hydrated { base: Lsn(2), vdl_heard: Lsn(2) }),
            gives_up_log: true,
            ..Decided::default()
        };
        segment.give_up_log(&mut Pending::default());
        let kept = Decided { bump: Some(writer(4)), history: Some(history.clone()), ..Decided::default() };
        assert_eq!(segment.decided, kept);
        let image = segment.to_image();
        assert_eq!((image.bumped, image.history), (writer(4), history));
    }

    /// While F is being replaced by G an opener that finds the change done may have fenced at A, B, C and G: D, E and F alone know
    /// nothing of it.
    #[test]
    fn a_slot_that_changes_is_a_witness_with_both_who_may_hold_it() {
        let mut segment = created();
        let other = |number: u64| Member {
            segment: SegmentId(number),
            node: NodeId(number as u32),
            az: 0,
            address: SocketAddr::from(([127, 0, 0, 1], 7000 + number as u16)),
        };
        let six = Membership::of(MembershipEpoch(2), (1..7).map(other).collect());
        segment.set_membership(six.begin(5, other(7)).expect("a change"));
        let tell = |segment: &mut Segment, number| segment.gossip.note_told(SegmentId(number), writer(3));
        [4, 5, 6].into_iter().for_each(|number| tell(&mut segment, number));
        assert_eq!(segment.promise_of_peers(), None);
        tell(&mut segment, 7);
        assert_eq!(segment.promise_of_peers(), Some(writer(3)));
    }

    /// The proof was staged, and the segment gave up its log before it was durable: it is found whole again later all the same.
    #[test]
    fn a_proof_that_came_too_late_is_made_again() {
        let mut segment = created();
        (segment.bumped, segment.promised) = (writer(2), writer(2));
        segment.history.push(EpochEntry { writer: writer(2), vdl: Lsn::ZERO, upper: Lsn::ZERO });
        segment.lose_log(&mut Pending::default());
        let damage = Damage { knows_promises: true, tail: Some(Lsn(7)), ..Damage::default() };
        segment.damage = Some(damage);
        let hydrated = Hydrated { base: Lsn(7), vdl_heard: Lsn(7) };
        segment.complete_hydration(hydrated);
        assert!(segment.is_whole_again());
        segment.damage = Some(Damage { is_ending: true, ..damage });
        segment.give_up_log(&mut Pending::default());
        assert!(!segment.end_damage(), "it has no pages");
        segment.complete_hydration(hydrated);
        assert!(segment.is_whole_again());
        assert!(segment.end_damage());
        assert_eq!(segment.health, Health::Sound);
    }

    /// It had been hydrated at 88, gave up its log again there, and took pages as of 88 from a peer that lagged. A scan that met
    /// the second decision again, when it had been proven whole and had acknowledged more, passed over all that came after.
    #[test]
    fn a_damaged_segment_is_not_hydrated_at_the_place_of_its_decision() {
        let mut segment = created();
        segment.lose_log(&mut Pending::default());
        segment.complete_hydration(Hydrated { base: Lsn(88), vdl_heard: Lsn(88) });
        segment.give_up_log(&mut Pending::default());
        segment.given_up_at = Some(GivenUp { scl: Lsn(88), position: 0 });
        assert_eq!(segment.base_min(), Lsn(89));
        // No scan meets again what stands before the stretch that was lost.
        segment.lose_log(&mut Pending::default());
        assert_eq!(segment.base_min(), Lsn(88));
    }
}

//! The client's steps while it opens a volume: who is asked what, and when.
//!
//! [`crate::opening`] holds what is concluded from the answers. Repair brings what a group lacks to enough of its
//! members: the opener pulls batches from a complete member and pushes them to one that is not.
//!
//! Which answers count at all is in [`super::confirming`]. Until the new history goes out, nothing that was concluded binds anyone: an answer that changes the ground (a member
//! tells that its state is lost, or comes late with a history newer than the one adopted) takes the opening back to step
//! 2 with all answers that stand.

use super::confirming::Words;
use super::{Client, Phase, Request};
use crate::config::{LinkIndex, Slot};
use crate::durability::Durability;
use crate::effects::{Effect, Effects, Now};
use crate::link::LinkState;
use crate::log::Log;
use crate::opening::{Answers, Recovered, is_undamaged, reach};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::message::{
    Bumped, GossipPull, GossipPush, InstallHistory, Membership, Message, SegmentState, WriteAck,
};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn};

/// With a quorum of answers, wait this long for the rest: each one more may save a repair.
const GRACE_US: u64 = 50_000;
/// With a fence, wait this long for the other members that were asked whether they are still there.
const WORD_GRACE_US: u64 = 10_000;
/// Batch bytes of one repair step: half a frame.
const REPAIR_BYTES_MAX: u32 = 512 * 1024;
/// A repair step without an answer for this long is tried with another source.
const REPAIR_OVERDUE_US: u64 = 1_000_000;
/// A step that failed is tried again after this long: the member may be making room, and what it is sent is up to half a
/// frame each time.
const REPAIR_PAUSE_US: u64 = 10_000;
/// Questions to one member that may be answered; it is asked twice a second.
const BUMPS_ASKED_MAX: usize = 120;
/// A group that is short of members to repair asks those whose state was lost this often whether they have been hydrated.
const ASK_AGAIN_US: u64 = 500_000;

/// Names a repair: the group and the member that is brought up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct RepairId {
    group: GroupId,
    target: Slot,
}

/// One member being brought up to its group's tail.
struct Repair {
    /// How far it is.
    reached: Lsn,
    /// Whether it must be told the adopted history first.
    needs_history: bool,
    /// It was told, and may have it or get it, whether it has answered or not.
    is_told_history: bool,
    /// When the request under way was sent.
    waiting_since_us: Option<u64>,
    /// How many steps failed; the source changes with each.
    failures: usize,
    /// The last step failed.
    must_pause: bool,
    /// No step before this time.
    not_before_us: u64,
}

impl Repair {
    fn new(reached: Lsn, needs_history: bool) -> Repair {
        Repair {
            reached,
            needs_history,
            is_told_history: false,
            waiting_since_us: None,
            failures: 0,
            must_pause: false,
            not_before_us: 0,
        }
    }

    fn fail(&mut self) {
        self.waiting_since_us = None;
        self.failures += 1;
        self.must_pause = true;
    }

    /// Whether the next step is due.
    fn is_idle(&mut self, now: Now) -> bool {
        if self.waiting_since_us.is_some_and(|since| now.monotonic_us > since + REPAIR_OVERDUE_US) {
            self.fail();
        }
        if core::mem::take(&mut self.must_pause) {
            self.not_before_us = now.monotonic_us + REPAIR_PAUSE_US;
        }
        self.waiting_since_us.is_none() && now.monotonic_us >= self.not_before_us
    }
}

/// What a member lacks of its group's tail, if it can be brought up to it.
fn plan_repair(answer: &Bumped, recovered: &Recovered) -> Option<Repair> {
    let reached = reach(answer, &recovered.adopted, recovered.vdl);
    let lacks = is_undamaged(answer) && reached < recovered.tails[answer.group.0 as usize];
    let needs_history = answer.history != recovered.adopted;
    lacks.then(|| Repair::new(reached, needs_history))
}

enum Step {
    /// Answers are waited for.
    Bumping {
        sufficient_since_us: Option<u64>,
    },
    Repairing(Recovered, BTreeMap<RepairId, Repair>),
    Installing(Recovered),
}

/// An opening under way.
pub(super) struct Opening {
    /// Once there is a fence, those alone that may be rested on.
    pub(super) answers: Answers,
    pub(super) words: Box<Words>,
    step: Step,
    /// When members whose state was lost were last asked again; at first, when the opening began.
    asked_again_us: Option<u64>,
    /// Members that were told a history in a repair that was given up, before they answered: what they answered to the bump
    /// may not be so any more.
    unsure: BTreeSet<LinkIndex>,
    /// Requests of a repair that was given up may be under way.
    has_left_repair: bool,
}

impl Opening {
    pub(super) fn new(config: &crate::config::VolumeConfig) -> Opening {
        let step = Step::Bumping { sufficient_since_us: None };
        Opening {
            answers: Answers::new(config),
            words: Box::new(Words::new(config)),
            step,
            asked_again_us: None,
            unsure: BTreeSet::new(),
            has_left_repair: false,
        }
    }

    /// Back to step 2, with all answers that stand. A member that may have got a history since it answered is asked again: what
    /// that annuls it still told of.
    fn return_to_bumping(&mut self, links_of_group: &[Vec<LinkIndex>]) {
        let bumping = Step::Bumping { sufficient_since_us: None };
        if let Step::Repairing(_, repairs) = core::mem::replace(&mut self.step, bumping) {
            self.has_left_repair = true;
            for (id, _) in repairs.iter().filter(|(_, repair)| repair.needs_history && repair.is_told_history)
            {
                self.answers.take_back(core::iter::once((id.group, id.target)));
                self.unsure.insert(links_of_group[id.group.0 as usize][id.target.0]);
            }
        }
    }

    /// Whether the new history is being made durable: members that come now get it at once.
    pub(super) fn is_installing(&self) -> bool {
        matches!(self.step, Step::Installing(_))
    }
}

impl Client {
    /// Why the volume is not open yet, for people.
    pub fn opening_waits_for(&self) -> Option<alloc::string::String> {
        let Phase::Opening(opening) = &self.phase else { return None };
        let text = match (&opening.step, opening.answers.lacking(&self.config)) {
            (Step::Bumping { .. }, Some((GroupId(group), count))) => {
                format!("write quorum lost: group {group}, {count}/{}", self.config.quorum.members)
            }
            (Step::Bumping { .. }, None) if opening.lacks_only_the_fence(&self.config) => {
                "a write quorum of members to say that they are still there".into()
            }
            (Step::Bumping { .. }, None) => match self.group_short_of_members(&opening.answers) {
                Some(text) => text,
                None => format!("recovery reads of {} groups", self.config.groups.len()),
            },
            (Step::Repairing(_, repairs), _) => match self.group_short_of_members(&opening.answers) {
                Some(text) => format!("{} repairs; {text}", repairs.len()),
                None => format!("{} repairs", repairs.len()),
            },
            (Step::Installing(_), _) => "the epoch history to be durable".into(),
        };
        Some(text)
    }

    pub(super) fn bumped(&mut self, link: LinkIndex, request_id: u64, bumped: Bumped, effects: &mut Effects) {
        if self.requests.get(&request_id) != Some(&(link, Request::Bump)) {
            return;
        }
        // It answers once its promise is durable, and may have promised a later opener by then: nobody else need tell of that one.
        if self.check_fenced(bumped.writer, effects) {
            return;
        }
        let Some(slot) = self.routes.slot(link, bumped.group) else { return };
        if self.segment_at(bumped.group, slot) != Some(bumped.segment) {
            // One that was replaced long ago, and not the one that is meant.
            return;
        }
        let Phase::Opening(opening) = &mut self.phase else { return };
        if opening.unsure.contains(&link) {
            // It was asked before what it was told, and is about to be asked again.
            return;
        }
        if !Answers::counts(&self.config, self.writer, &bumped) {
            return;
        }
        if !opening.must_wait(link, slot, bumped.group) {
            return self.take_answer(slot, bumped);
        }
        if !is_undamaged(&bumped) {
            // That it has lost its state is so whoever it is.
            self.opening_member_lost(bumped.group, slot);
        }
        self.put_aside(slot, bumped);
    }

    /// An answer counts.
    pub(super) fn take_answer(&mut self, slot: Slot, bumped: Bumped) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Opening { answers, step, .. } = opening;
        match step {
            Step::Bumping { .. } => answers.put(slot, bumped),
            Step::Repairing(recovered, repairs) => {
                let was_sound = answers.get(bumped.group, slot).is_some_and(is_undamaged);
                if was_sound && is_undamaged(&bumped) {
                    return;
                }
                if was_sound {
                    // Its state is lost since: what was recovered rested on it, perhaps.
                    answers.put(slot, bumped);
                    opening.return_to_bumping(&self.routes.links_of_group);
                    return;
                }
                // What was recovered rests on a quorum and stands. A member that comes late is one more that may hold
                // it, once it is known to. One with a history newer than the adopted one cannot be told the older:
                // that it may be counted, its own is adopted.
                let id = RepairId { group: bumped.group, target: slot };
                let is_newer = bumped.history.writer().epoch > recovered.adopted.writer().epoch;
                let must_recover_again = is_undamaged(&bumped) && is_newer;
                repairs.remove(&id);
                if let Some(repair) = plan_repair(&bumped, recovered).filter(|_| !must_recover_again) {
                    repairs.insert(id, repair);
                }
                answers.put(slot, bumped);
                if must_recover_again {
                    opening.return_to_bumping(&self.routes.links_of_group);
                }
            }
            // It gets the new history like all others; it may even have it from a peer already.
            Step::Installing(_) => {}
        }
    }

    pub(super) fn advance_opening(&mut self, now: Now, effects: &mut Effects) {
        if matches!(self.phase, Phase::OpeningReadOnly) {
            return self.advance_opening_read_only(effects);
        }
        self.end_given_up_repair(effects);
        self.ask_who_is_there(effects);
        self.ask_lost_members_again(now, effects);
        // One step may complete the next one at once (an empty volume needs no repair).
        for _ in 0..3 {
            let Phase::Opening(opening) = &mut self.phase else { return };
            match &mut opening.step {
                Step::Bumping { sufficient_since_us } => {
                    if !opening.answers.suffice(&self.config) {
                        return;
                    }
                    let since = *sufficient_since_us.get_or_insert(now.monotonic_us);
                    if !opening.answers.are_all_there() && now.monotonic_us < since + GRACE_US {
                        return;
                    }
                    if !self.find_fences() {
                        return;
                    }
                    let Phase::Opening(opening) = &mut self.phase else { return };
                    let fenced_us = *opening.words.fenced_since_us.get_or_insert(now.monotonic_us);
                    let may_wait = now.monotonic_us < fenced_us + WORD_GRACE_US;
                    // Who made a fence may be gone since.
                    if !opening.answers.suffice(&self.config)
                        || (may_wait && !opening.words.unconfirmed.is_empty())
                    {
                        return;
                    }
                    self.begin_repair(effects);
                }
                Step::Repairing(..) => {
                    if !self.advance_repair(now, effects) {
                        return;
                    }
                    self.begin_install(effects);
                }
                Step::Installing(_) => return self.finish_install(effects),
            }
        }
    }

    /// Answers to what a repair asked that was given up say nothing to the next one. Members of which it is not sure what they
    /// were told are bumped again: the bump stands behind that in their logs, and is answered with the state of the moment.
    fn end_given_up_repair(&mut self, effects: &mut Effects) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        if !core::mem::take(&mut opening.has_left_repair) {
            return;
        }
        let unsure = core::mem::take(&mut opening.unsure);
        self.requests.retain(|_, (link, request)| match request {
            Request::Repair(_) => false,
            // What was asked before may be answered with the state of before.
            Request::Bump => !unsure.contains(link),
            _ => true,
        });
        for link in unsure.into_iter().filter(|link| self.links[link.0].is_up()).collect::<Vec<_>>() {
            self.send_bump(link, effects);
        }
    }

    /// A member told that its state is lost: until it answers the bump anew it counts for nothing. What was recovered
    /// rested on it, perhaps.
    pub(super) fn opening_member_lost(&mut self, group: GroupId, slot: Slot) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        if let Some(answer) = opening.words.unconfirmed.get_mut(&(group, slot)) {
            answer.state = SegmentState::Damaged;
        }
        if opening.answers.lose(group, slot) && matches!(opening.step, Step::Repairing(..)) {
            opening.return_to_bumping(&self.routes.links_of_group);
        }
    }

    /// A link is gone. While nothing was concluded, its answers wait for it: who starts again says what it is then.
    pub(super) fn opening_link_closed(&mut self, link: LinkIndex) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.forget_who_was_there(link, &self.routes.groups_of_link[link.0]);
        if matches!(opening.step, Step::Bumping { .. }) {
            opening.answers.take_back(self.links[link.0].groups());
        }
    }

    /// A group that is short of complete members, and has none that is there: what is above VDL as the others know it may be at
    /// those alone that are gone. What they answered is taken back, and the volume recovered from who is there, or comes.
    fn leave_sources_that_are_gone(&mut self, lacking: &[GroupId]) {
        let is_up = |slot: &Slot, group: &GroupId| {
            self.links[self.routes.links_of_group[group.0 as usize][slot.0].0].is_up()
        };
        let is_left =
            |group: &&GroupId| !self.complete_members(**group).iter().any(|slot| is_up(slot, group));
        if !lacking.iter().any(|group| is_left(&group)) {
            return;
        }
        let gone: Vec<LinkIndex> = self.routes.links().filter(|link| !self.links[link.0].is_up()).collect();
        let Phase::Opening(opening) = &mut self.phase else { return };
        for link in gone {
            opening.answers.take_back(self.links[link.0].groups());
        }
        opening.return_to_bumping(&self.routes.links_of_group);
    }

    /// The first group of which too few members are there and sound for a write quorum, for people.
    fn group_short_of_members(&self, answers: &Answers) -> Option<alloc::string::String> {
        let QuorumModel { members, write, .. } = self.config.quorum;
        let groups = (0..self.config.groups.len()).map(|group| GroupId(group as u32));
        groups.into_iter().find_map(|group| {
            let answered = answers.count(&self.config, group);
            let sound = answers.sound_count(&self.config, group);
            let (lost, silent) = (answered - sound, usize::from(members) - answered);
            let GroupId(number) = group;
            (sound < usize::from(write)).then(|| {
                format!(
                    "group {number}: {sound} of {members} members are sound, {write} are needed; {lost} must be hydrated, {silent} did not answer"
                )
            })
        })
    }

    /// Members whose state was lost may have been hydrated or have mended themselves meanwhile. While a group cannot do
    /// without them they are bumped again: a repeated bump is answered with the state of the moment. That holds too while
    /// enough are sound and some of those are still being repaired: one that has all already may come first.
    fn ask_lost_members_again(&mut self, now: Now, effects: &mut Effects) {
        let write = usize::from(self.config.quorum.write);
        let Phase::Opening(opening) = &mut self.phase else { return };
        let asked_us = *opening.asked_again_us.get_or_insert(now.monotonic_us);
        if now.monotonic_us < asked_us + ASK_AGAIN_US {
            return;
        }
        let Phase::Opening(Opening { answers, step, .. }) = &self.phase else { return };
        let is_repairing = matches!(step, Step::Repairing(..));
        let mut asked: BTreeSet<LinkIndex> = BTreeSet::new();
        for (group, links) in self.routes.links_of_group.iter().enumerate() {
            let group = GroupId(group as u32);
            let is_lost = |slot: usize| answers.get(group, Slot(slot)).is_some_and(|it| !is_undamaged(it));
            let is_short = answers.sound_count(&self.config, group) < write
                || (is_repairing && self.complete_slots(group) < write);
            if is_short {
                let lost = links.iter().enumerate().filter(|(slot, _)| is_lost(*slot));
                asked.extend(lost.map(|(_, link)| *link).filter(|link| self.links[link.0].is_up()));
            }
        }
        if asked.is_empty() {
            return;
        }
        if let Phase::Opening(opening) = &mut self.phase {
            opening.asked_again_us = Some(now.monotonic_us);
        }
        for link in asked {
            // One that takes longer than this pause answers all the same; of many questions the oldest are forgotten.
            let bumps = self.requests.iter().filter(|(_, request)| **request == (link, Request::Bump));
            let bumps: Vec<u64> = bumps.map(|(id, _)| *id).collect();
            for id in &bumps[..bumps.len().saturating_sub(BUMPS_ASKED_MAX - 1)] {
                self.requests.remove(id);
            }
            self.send_bump(link, effects);
        }
    }

    /// Step 3, and the plan of step 4.
    fn begin_repair(&mut self, effects: &mut Effects) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let recovered = opening.answers.recover(&self.config);
        let mut repairs = BTreeMap::new();
        for group in (0..recovered.tails.len()).map(|group| GroupId(group as u32)) {
            let everyone = self.routes.links_of_group[group.0 as usize].len();
            for slot in (0..everyone).map(Slot) {
                let answer = opening.answers.get(group, slot);
                if let Some(repair) = answer.and_then(|answer| plan_repair(answer, &recovered)) {
                    repairs.insert(RepairId { group, target: slot }, repair);
                }
            }
        }
        let text = format!("recovered: VDL {}, {} members to repair", recovered.vdl, repairs.len());
        effects.list.push(Effect::Log(text));
        opening.step = Step::Repairing(recovered, repairs);
    }

    /// Whether a member or candidate holds its group's whole tail.
    fn is_complete(&self, group: GroupId, slot: Slot) -> bool {
        let Phase::Opening(Opening { answers, step: Step::Repairing(recovered, repairs), .. }) = &self.phase
        else {
            return false;
        };
        let repair = repairs.get(&RepairId { group, target: slot });
        answers.get(group, slot).is_some_and(is_undamaged)
            && repair.is_none_or(|repair| repair.reached >= recovered.tails[group.0 as usize])
    }

    /// Members of a group that hold its whole tail.
    fn complete_members(&self, group: GroupId) -> Vec<Slot> {
        let slots = (0..usize::from(self.config.quorum.members)).map(Slot);
        slots.filter(|slot| self.is_complete(group, *slot)).collect()
    }

    /// Slots of a group whose members hold its whole tail, and the candidates for them too.
    fn complete_slots(&self, group: GroupId) -> usize {
        self.config.groups[group.0 as usize].count_in_every_set(|slot| self.is_complete(group, Slot(slot)))
    }

    /// Goes on with every repair that is not waiting. True when every group has its write quorum.
    fn advance_repair(&mut self, now: Now, effects: &mut Effects) -> bool {
        let Phase::Opening(Opening { step: Step::Repairing(_, repairs), .. }) = &mut self.phase else {
            return false;
        };
        let repairs = repairs.iter_mut();
        let idle: Vec<RepairId> =
            repairs.filter_map(|(id, repair)| repair.is_idle(now).then_some(*id)).collect();
        let write = usize::from(self.config.quorum.write);
        let groups = (0..self.config.groups.len()).map(|group| GroupId(group as u32));
        let lacking: Vec<GroupId> = groups.filter(|group| self.complete_slots(*group) < write).collect();
        for id in idle.into_iter().filter(|id| lacking.contains(&id.group)) {
            self.repair_step(id, now, effects);
        }
        self.leave_sources_that_are_gone(&lacking);
        lacking.is_empty()
    }

    fn repair_mut(&mut self, id: RepairId) -> Option<(&Recovered, &mut Repair)> {
        let Phase::Opening(Opening { step: Step::Repairing(recovered, repairs), .. }) = &mut self.phase
        else {
            return None;
        };
        Some((recovered, repairs.get_mut(&id)?))
    }

    /// Sends the next request of a repair: the adopted history to the target, or a pull to a source.
    fn repair_step(&mut self, id: RepairId, now: Now, effects: &mut Effects) {
        let target = self.routes.links_of_group[id.group.0 as usize][id.target.0];
        let sources: Vec<LinkIndex> = self
            .complete_members(id.group)
            .into_iter()
            .map(|slot| self.routes.links_of_group[id.group.0 as usize][slot.0])
            .filter(|link| self.links[link.0].is_up())
            .collect();
        if !self.links[target.0].is_up() || sources.is_empty() {
            return;
        }
        let (volume, writer) = (self.config.volume, self.writer);
        let membership_epoch = self.config.groups[id.group.0 as usize].epoch;
        let Some((recovered, repair)) = self.repair_mut(id) else { return };
        if repair.reached >= recovered.tails[id.group.0 as usize] {
            return;
        }
        repair.waiting_since_us = Some(now.monotonic_us);
        if repair.needs_history {
            let history: EpochHistory = recovered.adopted.clone();
            repair.is_told_history = true;
            let install = InstallHistory { volume, groups: vec![id.group], history };
            return self.send(target, Request::Repair(id), &Message::InstallHistory(install), effects);
        }
        let source = sources[repair.failures % sources.len()];
        let pull = GossipPull {
            volume,
            group: id.group,
            writer,
            membership_epoch,
            after: repair.reached,
            through: recovered.vdl,
            bytes_max: REPAIR_BYTES_MAX,
        };
        self.send(source, Request::Repair(id), &Message::GossipPull(pull), effects);
    }

    pub(super) fn repair_history_installed(&mut self, id: RepairId, now: Now, effects: &mut Effects) {
        let Phase::Opening(Opening { answers, step: Step::Repairing(recovered, repairs), .. }) =
            &mut self.phase
        else {
            return;
        };
        let Some(repair) = repairs.get_mut(&id) else { return };
        repair.needs_history = false;
        repair.waiting_since_us = None;
        // Should another member be lost, what is recovered then takes this one for what it is now.
        answers.has_history(id.group, id.target, &recovered.adopted);
        self.repair_step(id, now, effects);
    }

    /// A source sent batches: they go on to the member that lacks them, as they are.
    pub(super) fn repair_pulled(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        push: &GossipPush<'_>,
        effects: &mut Effects,
    ) {
        let Some((asked, Request::Repair(id))) = self.requests.remove(&request_id) else { return };
        if asked != link || push.group != id.group {
            return self.repair_failed(id);
        }
        // A source without batches goes on too: the member may have got them from its peers since it told how far it is,
        // and the source let go of log that all have. The answer tells.
        let target = self.routes.links_of_group[id.group.0 as usize][id.target.0];
        if !self.links[target.0].is_up() {
            return self.repair_failed(id);
        }
        // The target has the adopted history by now: under that, what any member heard of the VDL holds for it too.
        let Some((recovered, _)) = self.repair_mut(id) else { return };
        let (history, vdl, gc_floor) = (recovered.adopted.writer(), recovered.heard, recovered.gc_floor);
        let push = GossipPush { history, vdl, gc_floor, ..push.clone() };
        self.send(target, Request::Repair(id), &Message::GossipPush(push), effects);
    }

    pub(super) fn repair_pushed(&mut self, id: RepairId, ack: &WriteAck) {
        let Some((_, repair)) = self.repair_mut(id) else { return };
        repair.waiting_since_us = None;
        let scls = ack.scls.iter().filter(|(group, _)| *group == id.group);
        let scl = scls.map(|(_, scl)| *scl).max().unwrap_or(Lsn::ZERO);
        // A step without progress counts as failed: the next one asks another source.
        if scl <= repair.reached {
            repair.fail();
        }
        repair.reached = repair.reached.max(scl);
    }

    pub(super) fn repair_failed(&mut self, id: RepairId) {
        if let Some((_, repair)) = self.repair_mut(id) {
            repair.fail();
        }
    }

    /// Requests that went to a closed link have no answer: the repairs that wait for one start their step again.
    pub(super) fn repair_link_closed(&mut self, link: LinkIndex) {
        let waiting: Vec<RepairId> = {
            let Phase::Opening(Opening { step: Step::Repairing(_, repairs), .. }) = &self.phase else {
                return;
            };
            let orphan = |id: &RepairId| {
                !self
                    .requests
                    .values()
                    .any(|(other, request)| *other != link && *request == Request::Repair(*id))
            };
            repairs
                .iter()
                .filter(|(id, repair)| repair.waiting_since_us.is_some() && orphan(id))
                .map(|(id, _)| *id)
                .collect()
        };
        waiting.into_iter().for_each(|id| self.repair_failed(id));
    }

    /// Step 5: the new history goes to every member that is there; the others get it when they come.
    fn begin_install(&mut self, effects: &mut Effects) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Step::Repairing(recovered, _) = &opening.step else { return };
        let recovered = recovered.clone();
        self.history = recovered.new_history(self.writer, self.config.lal.records);
        opening.step = Step::Installing(recovered);
        for link in self.routes.links() {
            if self.links[link.0].is_up() {
                self.send_history(link, effects);
            }
        }
    }

    /// Step 6, once a write quorum of every group has the history: VCL = VDL = upper, and the log goes on.
    fn finish_install(&mut self, effects: &mut Effects) {
        let write = usize::from(self.config.quorum.write);
        let streaming = |(links, membership): (&Vec<LinkIndex>, &Membership)| {
            membership.count_in_every_set(|slot| self.links[links[slot].0].state == LinkState::Streaming)
        };
        if self
            .routes
            .links_of_group
            .iter()
            .zip(&self.config.groups)
            .map(streaming)
            .any(|count| count < write)
        {
            return;
        }
        let Phase::Opening(Opening { step: Step::Installing(recovered), .. }) = &self.phase else { return };
        let upper = self.history.upper();
        assert!(upper >= recovered.vdl.plus(self.config.lal.records));
        let tails = recovered.tails.clone();
        self.pgmrpl = recovered.gc_floor.min(upper);
        self.begin_counting(upper, &tails);
        self.log = Log::new(self.config.geometry, self.config.lal, upper, &tails);
        self.phase = Phase::Writing;
        effects.list.push(Effect::VdlAdvanced(upper));
        effects.list.push(Effect::Opened);
    }

    /// Everything up to `vdl` is durable; what members have told so far counts from there.
    fn begin_counting(&mut self, vdl: Lsn, tails: &[Lsn]) {
        let fresh = Durability::new(self.config.quorum, vdl, tails);
        let known = core::mem::replace(&mut self.durability, fresh);
        for (index, membership) in self.config.groups.iter().enumerate() {
            let group = GroupId(index as u32);
            let everyone = (0..membership.everyone().count()).map(Slot);
            let scls = everyone.map(|slot| known.scl(group, slot)).collect();
            self.durability.set_members(group, membership, scls);
        }
    }

    // ------------------------------------------------------------------ read-only opening

    /// A member's state counts towards a read-only opening: the read point is the highest VDL any has heard.
    pub(super) fn note_reader_status(&mut self, group: GroupId, slot: Slot, scl: Lsn, vdl_heard: Lsn) {
        self.durability.set_scl(group, slot, scl);
        if matches!(self.phase, Phase::OpeningReadOnly) {
            self.reader_vdl = self.reader_vdl.max(vdl_heard);
        }
    }

    fn advance_opening_read_only(&mut self, effects: &mut Effects) {
        let read = usize::from(self.config.quorum.read);
        let members = usize::from(self.config.quorum.members);
        let mut tails = Vec::with_capacity(self.config.groups.len());
        for index in 0..self.config.groups.len() {
            let scls = (0..members).filter_map(|slot| self.durability.scl(GroupId(index as u32), Slot(slot)));
            if scls.clone().count() < read {
                return;
            }
            // Of any three members one has every record <= VDL: the highest SCL is the tail, unless it lies above the
            // read point; then only a member that is complete at the read point itself may answer.
            tails.push(scls.max().unwrap_or(Lsn::ZERO).min(self.reader_vdl));
        }
        self.begin_counting(self.reader_vdl, &tails);
        self.log = Log::new(self.config.geometry, self.config.lal, self.reader_vdl, &tails);
        self.phase = Phase::ReadOnly;
        effects.list.push(Effect::VdlAdvanced(self.reader_vdl));
        effects.list.push(Effect::Opened);
    }
}

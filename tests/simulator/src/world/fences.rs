//! Checker: a member holds to what it told, and an opener to one line of histories.
//!
//! Once a member has answered a bump it acknowledges nothing under an older epoch and answers no older bump, but for what a
//! device that lost something may have taken along (decision 0126): a promise without a fence (`moments.rs`). And whatever it
//! says of itself later has all that it ever acknowledged and no history has annulled, be it that it lost its log or its pages
//! meanwhile and got them from peers. One that lost some of its log answers no bump before as many peers have told their epochs
//! as must know of any that it can have promised. A history that an opener brings is one that another opener made, with nothing
//! added to it but the opener's own entry. Nor does a member tell a VDL that no writer told.
//!
//! What a member answers to a bump rests on the history that it tells with it: none that it was brought before may annul any of
//! it afterwards.
//!
//! There is one way to less: a member that told its writer, or an opener, that it has lost some of its log may come back to
//! that one with less than it acknowledged before, if nothing rests on that. From then on what each member told last is
//! counted, and all that was ever acknowledged to a client must be at a write quorum of it.
//!
//! An opener concludes from these answers what was written; what a member would acknowledge to an older writer behind its
//! answer, or had acknowledged and left out of it, could be told to a client and be in no recovery. Looked at when it is
//! sent, whether it arrives or not: connections do not keep the order between each other.

use super::World;
use super::moments::Moments;
use hexalog_protocol::frame::{Frame, read_frame};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{
    Bumped, Message, Refusal, RefusalReason, SegmentState, SegmentStatus, Status, WriteAck,
};
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, Lsn, VolumeEpoch};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that carry a peer's word on its epoch: a refusal, and batches.
const PEERS_WORDS: [u16; 2] = [3, 16];
/// Kind that brings a member a history from an opener.
const INSTALL_HISTORY: u16 = 12;
/// Peers of which every four members with the segment have at least one.
const WITNESSES_MIN: usize = (QuorumModel::FOUR_OF_SIX.members - QuorumModel::FOUR_OF_SIX.write + 1) as usize;
/// Kind of a refusal.
const REFUSAL: u16 = 3;
/// Kind of an acknowledgement.
const WRITE_ACK: u16 = 7;
/// Kind of an answer to a bump.
const BUMPED: u16 = 11;
/// What a refused bump says of itself.
const BUMP_REFUSED: &str = "epoch bump";
/// Kind of a member's word on its segments.
const STATUS: u16 = 19;
/// Kinds that bring a member an epoch history.
const HISTORIES: [u16; 3] = [12, 14, 21];

/// What a member has told.
#[derive(Default)]
struct Told {
    /// Highest epoch of which it has answered a bump, and which it may not forget.
    fence: VolumeEpoch,
    /// Highest SCL, since it came back with less.
    scl: Lsn,
    /// Epoch of the writer or opener that it told of its damage, since it told that SCL.
    lost_to: Option<VolumeEpoch>,
    /// It has refused an opener as damaged, or as one that knows of no such segment, since it told that SCL: what it promised it did not
    /// know yet. Until it answers for itself again nobody concludes from what it had told.
    has_refused: bool,
    /// Histories that the member was brought: one that annuls what it told may have been replaced since by one that does
    /// not, and what it took is gone.
    brought: Vec<EpochHistory>,
    /// Writers of histories that it was brought before it answered a bump, and that were not in its answer though later than what
    /// was: it did not take them.
    passed_over: Vec<WriterId>,
    /// Peers whose word on their epochs has come in this run of its daemon.
    witnesses: BTreeSet<usize>,
}

impl Told {
    /// Whether it may fall to this SCL.
    fn may_fall_to<'a>(&'a self, scl: Lsn, mut histories: impl Iterator<Item = &'a EpochHistory>) -> bool {
        // How far an annulled one falls the member's own chain tells.
        scl >= self.scl || histories.any(|history| history.is_annulled(self.scl))
    }

    /// It answers an opener of this epoch, and for the first time: the opener has brought it nothing yet. What came before is in the
    /// history that it tells, or never will be.
    fn pass_over(&mut self, epoch: VolumeEpoch, history: &EpochHistory) {
        let known = history.writer().epoch;
        let writers = self.brought.iter().map(EpochHistory::writer);
        self.passed_over.extend(writers.filter(|writer| writer.epoch > known && writer.epoch < epoch));
        self.brought.retain(|brought| brought.writer().epoch >= epoch || brought == history);
    }

    /// This is the member's history.
    fn has_history(&self, history: &EpochHistory, who: &str) {
        assert!(
            !self.passed_over.contains(&history.writer()),
            "{who} has a history that it had been brought when it answered a bump without it: {:?}",
            history.writer()
        );
    }

    /// It tells a writer this SCL under this epoch, and as a sound member. True if that is less than it acknowledged before,
    /// and it had told of its loss.
    fn tells(&mut self, scl: Lsn, epoch: VolumeEpoch) -> bool {
        let falls = self.lost_to == Some(epoch) && scl < self.scl;
        self.scl = if falls { scl } else { self.scl.max(scl) };
        (self.lost_to, self.has_refused) = (None, false);
        falls
    }

    /// Whether somebody knows that it may have less than it told.
    fn is_known_lost(&self) -> bool {
        self.lost_to.is_some() || self.has_refused
    }
}

/// What each member has told, over all runs of its daemon.
#[derive(Default)]
pub(super) struct Fences {
    members: BTreeMap<(usize, GroupId), Told>,
    /// Highest VDL of a writer that has opened: nothing up to it is ever annulled, and who knows it may let go of records.
    vdl_of_writers: Lsn,
    /// Histories that openers brought.
    made: Vec<EpochHistory>,
    /// Groups of which a member has come back with less than it acknowledged.
    fallen: BTreeSet<GroupId>,
    /// One has just now.
    has_fallen: bool,
}

impl Fences {
    /// Highest SCL that a member told and that stands.
    pub fn scl_told(&self, shard: usize, group: GroupId) -> Lsn {
        self.members.get(&(shard, group)).map_or(Lsn::ZERO, |told| told.scl)
    }

    /// A writer that has opened is at this VDL, and tells it from now on.
    pub fn vdl_of_writer(&mut self, vdl: Lsn) {
        self.vdl_of_writers = self.vdl_of_writers.max(vdl);
    }

    fn heard(&self, shard: usize, vdl_heard: Lsn) {
        let vdl = self.vdl_of_writers;
        assert!(
            vdl_heard <= vdl,
            "shard {shard} has heard of VDL {vdl_heard}, and no open writer was beyond {vdl}"
        );
    }

    fn acknowledged(&mut self, shard: usize, ack: &WriteAck) {
        self.heard(shard, ack.vdl_heard);
        for (group, scl) in &ack.scls {
            let told = self.members.entry((shard, *group)).or_default();
            assert!(
                ack.epoch >= told.fence,
                "shard {shard} {group:?} acknowledges {scl} under epoch {}, and has answered a bump to epoch {}",
                ack.epoch.0,
                told.fence.0
            );
            assert!(
                told.lost_to == Some(ack.epoch) || told.may_fall_to(*scl, told.brought.iter()),
                "shard {shard} {group:?} acknowledges {scl}, and had acknowledged {}",
                told.scl
            );
            let falls = told.tells(*scl, ack.epoch);
            self.note_fall(*group, falls);
        }
    }

    /// A writer counts this as it counts an acknowledgement.
    fn status_told(&mut self, shard: usize, status: &Status) {
        for segment in &status.segments {
            let told = self.members.entry((shard, segment.group)).or_default();
            let epoch = segment.writer.epoch;
            match segment.state {
                SegmentState::Damaged => told.lost_to = Some(epoch),
                SegmentState::Open if told.fence <= epoch => {
                    let falls = told.tells(segment.scl, epoch);
                    self.note_fall(segment.group, falls);
                }
                SegmentState::Open | SegmentState::Opening | SegmentState::NeedsHydration => {}
            }
        }
    }

    fn refused(&mut self, shard: usize, refusal: &Refusal) {
        // A page may be damaged too, and says nothing of the log. A segment that nothing on the device names is lost whole.
        let is_loss = matches!(refusal.reason, RefusalReason::Damaged | RefusalReason::UnknownSegment);
        if is_loss && refusal.detail == BUMP_REFUSED {
            self.members.entry((shard, refusal.group)).or_default().has_refused = true;
        }
    }

    fn note_fall(&mut self, group: GroupId, falls: bool) {
        if falls {
            self.fallen.insert(group);
            self.has_fallen = true;
        }
    }

    /// Members of the group that have told last that they have this.
    fn count_told(&self, group: GroupId, members: &[usize], lsn: Lsn) -> usize {
        members.iter().filter(|shard| self.scl_told(**shard, group) >= lsn).count()
    }

    fn history_came(&mut self, shard: usize, group: GroupId, history: &EpochHistory) {
        let told = self.members.entry((shard, group)).or_default();
        told.passed_over.retain(|writer| *writer != history.writer());
        if !told.brought.contains(history) {
            told.brought.push(history.clone());
        }
    }

    fn bumped(&mut self, shard: usize, answer: &Bumped) {
        self.heard(shard, answer.vdl_heard);
        let told = self.members.entry((shard, answer.group)).or_default();
        let (group, epoch) = (answer.group, answer.writer.epoch);
        assert!(
            epoch >= told.fence,
            "shard {shard} {group:?} answers a bump to epoch {}, and has answered one to epoch {}",
            epoch.0,
            told.fence.0
        );
        let is_first = epoch > std::mem::replace(&mut told.fence, epoch);
        if answer.state == SegmentState::Damaged {
            let count = told.witnesses.len();
            assert!(
                count >= WITNESSES_MIN,
                "shard {shard} {group:?} has lost some of its log, and answers a bump on the word of {count} peers"
            );
            told.lost_to = Some(epoch);
        }
        if matches!(answer.state, SegmentState::Damaged | SegmentState::NeedsHydration) {
            return;
        }
        // Proven to an opener that died since, perhaps: what it concludes now rests on what the others have, and that is counted.
        let was_lost = told.is_known_lost();
        assert!(
            was_lost || told.may_fall_to(answer.scl, told.brought.iter().chain([&answer.history])),
            "shard {shard} {group:?} answers a bump with SCL {}, and had acknowledged {}",
            answer.scl,
            told.scl
        );
        let falls = was_lost && answer.scl < told.scl;
        (told.scl, told.lost_to, told.has_refused) = (answer.scl, None, false);
        told.has_history(&answer.history, &format!("shard {shard} {group:?}"));
        if is_first {
            told.pass_over(epoch, &answer.history);
        }
        self.note_fall(group, falls);
    }

    /// A sound member says of itself that it is so far.
    fn is_at(&self, shard: usize, segment: &SegmentStatus) {
        let Some(told) = self.members.get(&(shard, segment.group)) else { return };
        assert!(
            told.is_known_lost() || told.may_fall_to(segment.scl, told.brought.iter()),
            "shard {shard} {:?} is at {}, and had acknowledged {}",
            segment.group,
            segment.scl,
            told.scl
        );
    }

    fn installed(&mut self, history: &EpochHistory) {
        let before = &history.entries()[..history.entries().len().saturating_sub(1)];
        let is_known = |entries| self.made.iter().any(|made| made.entries() == entries);
        assert!(
            before.is_empty() || is_known(before) || is_known(history.entries()),
            "a history that no opener before this one has made: {:?}",
            history.entries()
        );
        if !is_known(history.entries()) {
            self.made.push(history.clone());
        }
    }

    /// A member is asked for its history.
    pub fn history_told(&self, shard: usize, group: GroupId, history: &EpochHistory) {
        if let Some(told) = self.members.get(&(shard, group)) {
            told.has_history(history, &format!("shard {shard} {group:?}"));
        }
    }

    /// A daemon starts whose device has lost something, perhaps with it a promise: to an opener for which no write quorum of
    /// the group had stood at one time. Such an opener rests on nothing that was told, and may be forgotten.
    pub fn may_have_forgotten(&mut self, shard: usize, moments: &Moments) {
        for ((_, group), told) in self.members.range_mut((shard, GroupId(0))..=(shard, GroupId(u32::MAX))) {
            told.fence = moments.newest_fenced(*group, told.fence);
        }
    }

    /// A daemon starts: what it knows of its peers it must hear again.
    pub fn started(&mut self, shard: usize) {
        let of_shard = self.members.range_mut((shard, GroupId(0))..=(shard, GroupId(u32::MAX)));
        of_shard.for_each(|(_, told)| told.witnesses.clear());
    }
}

impl World {
    /// What a member says when it is asked.
    pub(super) fn check_status_is_kept(&self, shard: usize, status: &Status) {
        let is_sound =
            |segment: &&SegmentStatus| matches!(segment.state, SegmentState::Open | SegmentState::Opening);
        status.segments.iter().filter(is_sound).for_each(|segment| self.fences.is_at(shard, segment));
    }

    /// A shard sends this to a writer.
    pub(super) fn check_what_is_told(&mut self, shard: usize, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            if matches!(frame.kind, REFUSAL | WRITE_ACK | BUMPED | STATUS) {
                self.note_told(shard, &frame);
            }
        }
    }

    /// What was acknowledged to clients rests on what members told last, once one of them has come back with less.
    pub(super) fn check_acknowledged_is_counted(&self) {
        let vdl = self.model.acknowledged;
        for group in self.fences.fallen.iter().copied() {
            let tail = self.tail_at(group, vdl);
            let count = self.fences.count_told(group, &self.members_of(group), tail);
            assert!(
                count >= usize::from(QuorumModel::FOUR_OF_SIX.write),
                "VDL {vdl} rests on {count} members of {group:?}, whose last record below it is {tail}: others have told since \
                 that they lost it"
            );
        }
    }

    /// A writer sends this.
    pub(super) fn check_what_is_installed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            if frame.kind == INSTALL_HISTORY
                && let Message::InstallHistory(install) =
                    Message::decode(&frame).expect("processes send valid messages")
            {
                self.fences.installed(&install.history);
                self.vdls.brought(&install.history);
            }
        }
    }

    /// A shard is told this by another.
    pub(super) fn note_peers_word(&mut self, shard: usize, peer: usize, frame: &Frame<'_>) {
        if !PEERS_WORDS.contains(&frame.kind) {
            return;
        }
        let group = match Message::decode(frame).expect("processes send valid messages") {
            Message::Refusal(refusal) => refusal.group,
            Message::GossipPush(push) => push.group,
            _ => unreachable!("no other kind was looked for"),
        };
        self.fences.members.entry((shard, group)).or_default().witnesses.insert(peer);
    }

    /// A shard is brought this.
    pub(super) fn note_what_is_brought(&mut self, shard: usize, frame: &Frame<'_>) {
        if !HISTORIES.contains(&frame.kind) {
            return;
        }
        match Message::decode(frame).expect("processes send valid messages") {
            Message::InstallHistory(install) => {
                for group in install.groups {
                    self.fences.history_came(shard, group, &install.history);
                }
            }
            Message::HydratePages(pages) => self.fences.history_came(shard, pages.group, &pages.history),
            Message::History(answer) => self.fences.history_came(shard, answer.group, &answer.history),
            _ => unreachable!("no other kind was looked for"),
        }
    }

    fn note_told(&mut self, shard: usize, frame: &Frame<'_>) {
        self.note_promises(shard, frame);
        match Message::decode(frame).expect("shards send valid messages") {
            Message::WriteAck(ack) => self.fences.acknowledged(shard, &ack),
            Message::Bumped(answer) => {
                self.fences.bumped(shard, &answer);
                self.vdls.bumped(shard, &answer);
            }
            Message::Status(status) => self.fences.status_told(shard, &status),
            Message::Refusal(refusal) => self.fences.refused(shard, &refusal),
            _ => unreachable!("no other kind was looked for"),
        }
        if std::mem::take(&mut self.fences.has_fallen) {
            self.check_acknowledged_is_counted();
        }
    }
}

//! Checker: a member holds to what it told. Once it has answered a bump it acknowledges nothing under an older epoch, and
//! the answer has all that it ever acknowledged. And it tells no VDL that no writer told.
//!
//! An opener concludes from these answers what was written; what a member would acknowledge to an older writer behind its
//! answer, or had acknowledged and left out of it, could be told to a client and be in no recovery. Looked at when it is
//! sent, whether it arrives or not: connections do not keep the order between each other.

use super::World;
use hexalog_protocol::frame::{Frame, read_frame};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::message::{Bumped, Message, SegmentState, WriteAck};
use hexalog_protocol::{GroupId, Lsn, VolumeEpoch};
use std::collections::BTreeMap;

/// Kind of an acknowledgement.
const WRITE_ACK: u16 = 7;
/// Kind of an answer to a bump.
const BUMPED: u16 = 11;
/// Kinds that bring a member an epoch history.
const HISTORIES: [u16; 3] = [12, 14, 21];

/// What a member has told.
#[derive(Default)]
struct Told {
    /// Highest epoch of which it has answered a bump.
    fence: VolumeEpoch,
    /// Highest SCL.
    scl: Lsn,
    /// Histories that the member was brought: one that annuls what it told may have been replaced since by one that does
    /// not, and what it took is gone.
    brought: Vec<EpochHistory>,
}

/// What each member has told, over all runs of its daemon.
#[derive(Default)]
pub(super) struct Fences {
    members: BTreeMap<(usize, GroupId), Told>,
    /// Highest VDL of a writer that has opened: nothing up to it is ever annulled, and who knows it may let go of records.
    vdl_of_writers: Lsn,
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
            told.scl = told.scl.max(*scl);
        }
    }

    fn history_came(&mut self, shard: usize, group: GroupId, history: &EpochHistory) {
        let brought = &mut self.members.entry((shard, group)).or_default().brought;
        if !brought.contains(history) {
            brought.push(history.clone());
        }
    }

    fn bumped(&mut self, shard: usize, answer: &Bumped, may_rot: bool) {
        let told = self.members.entry((shard, answer.group)).or_default();
        told.fence = told.fence.max(answer.writer.epoch);
        self.heard(shard, answer.vdl_heard);
        let told = self.members.entry((shard, answer.group)).or_default();
        let is_lost = matches!(answer.state, SegmentState::Damaged | SegmentState::NeedsHydration);
        if is_lost || may_rot {
            return;
        }
        // How far an annulled one falls the member's own chain tells.
        let mut histories = told.brought.iter().chain([&answer.history]);
        assert!(
            answer.scl >= told.scl || histories.any(|history| history.is_annulled(told.scl)),
            "shard {shard} {:?} answers a bump with SCL {}, and had acknowledged {}",
            answer.group,
            answer.scl,
            told.scl
        );
        told.scl = answer.scl;
    }
}

impl World {
    /// A shard sends this to a writer.
    pub(super) fn check_what_is_told(&mut self, shard: usize, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            if matches!(frame.kind, WRITE_ACK | BUMPED) {
                self.note_told(shard, &frame);
            }
        }
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
        let may_rot = self.may_rot(shard);
        match Message::decode(frame).expect("shards send valid messages") {
            Message::WriteAck(ack) => self.fences.acknowledged(shard, &ack),
            Message::Bumped(answer) => self.fences.bumped(shard, &answer, may_rot),
            _ => unreachable!("no other kind was looked for"),
        }
    }
}

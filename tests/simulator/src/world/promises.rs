//! Checker: what a member is asked to decide and answers is decided, and stays so.
//!
//! A bump is answered by a member that is bound to that opener or a later one, a history by one that is bound to its writer or a
//! later one, be it that a checkpoint makes it durable, that the member gives up its log meanwhile or waits for pages. From then
//! on it never says that it is bound to an older one, in whatever run and whatever state, and neither would its device after a
//! power cut. Opener and writer count on it without asking again.
//!
//! Left out are shards whose devices alter what they were given: what they had promised may be lost with their log, and they
//! learn from their peers what matters of it (`fences`).

use super::World;
use super::cluster::SHARDS_MAX;
use hexalog_protocol::frame::{Frame, read_frame};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Message, SegmentState, Status};
use hexalog_protocol::{GroupId, VolumeEpoch};
use hexalog_storage_core::effects::ConnectionId;
use std::collections::BTreeMap;

/// Kind of an answer that something was carried out.
const DONE: u16 = 4;
/// Kind of a bump.
const BUMP: u16 = 10;
/// Kind of the answer to it.
const BUMPED: u16 = 11;
/// Kind of what brings a history.
const INSTALL_HISTORY: u16 = 12;

/// What a member was asked to decide.
struct Asked {
    writer: WriterId,
    groups: Vec<GroupId>,
}

/// What members were asked and have answered.
#[derive(Default)]
pub(super) struct Promises {
    /// By the connection and the number of the question; of the run of the daemon that there is.
    asked: [BTreeMap<(ConnectionId, u64), Asked>; SHARDS_MAX],
    /// The epoch that each member has answered to be bound to.
    bound_to: BTreeMap<(usize, GroupId), VolumeEpoch>,
}

impl Promises {
    /// A daemon starts: no one waits for an answer of its last run.
    pub fn started(&mut self, shard: usize) {
        self.asked[shard].clear();
    }

    fn promise(&mut self, shard: usize, group: GroupId, epoch: VolumeEpoch) {
        let bound_to = self.bound_to.entry((shard, group)).or_default();
        *bound_to = epoch.max(*bound_to);
    }

    /// What a shard says, or would say, of its segments.
    pub fn check(&self, who: &str, shard: usize, status: &Status) {
        for segment in &status.segments {
            let Some(bound_to) = self.bound_to.get(&(shard, segment.group)) else { continue };
            assert!(
                segment.writer.epoch >= *bound_to || segment.state == SegmentState::Damaged,
                "{who}: {:?} is {:?} and bound to epoch {}, and has answered that it is bound to epoch {}",
                segment.group,
                segment.state,
                segment.writer.epoch.0,
                bound_to.0
            );
        }
    }
}

impl World {
    /// A shard is asked this.
    pub(super) fn note_what_is_asked(&mut self, shard: usize, id: ConnectionId, frame: &Frame<'_>) {
        if !matches!(frame.kind, BUMP | INSTALL_HISTORY) {
            return;
        }
        let asked = match Message::decode(frame).expect("processes send valid messages") {
            Message::EpochBump(bump) => Asked { writer: bump.writer, groups: bump.groups },
            Message::InstallHistory(install) => {
                Asked { writer: install.history.writer(), groups: install.groups }
            }
            _ => unreachable!("no other kind was looked for"),
        };
        self.promises.asked[shard].insert((id, frame.request_id), asked);
    }

    /// A shard answers this.
    pub(super) fn check_what_is_promised(&mut self, shard: usize, id: ConnectionId, bytes: &[u8]) {
        if self.may_rot(shard) {
            return;
        }
        let mut is_done = false;
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            let asked = self.promises.asked[shard].get(&(id, frame.request_id));
            match (frame.kind, asked) {
                (DONE, Some(Asked { writer, groups })) => {
                    let (epoch, groups) = (writer.epoch, groups.clone());
                    groups.into_iter().for_each(|group| self.promises.promise(shard, group, epoch));
                    is_done = true;
                }
                (BUMPED, Some(Asked { writer, .. })) => {
                    let epoch = writer.epoch;
                    self.check_bump_is_kept(shard, epoch, &frame);
                }
                _ => {}
            }
        }
        if is_done {
            let status = self.ask_status(shard);
            self.promises.check(&format!("shard {shard} has installed a history"), shard, &status);
        }
    }

    fn check_bump_is_kept(&mut self, shard: usize, epoch: VolumeEpoch, frame: &Frame<'_>) {
        let Message::Bumped(answer) = Message::decode(frame).expect("shards send valid messages") else {
            return;
        };
        let (group, bound_to) = (answer.group, answer.writer.epoch);
        assert!(
            bound_to >= epoch,
            "shard {shard} {group:?} answers a bump to epoch {}, and is bound to epoch {}",
            epoch.0,
            bound_to.0
        );
        self.promises.promise(shard, group, bound_to);
    }

    /// What a shard says of itself, or would say after a power cut.
    pub(super) fn check_promises(&self, who: &str, shard: usize, status: &Status) {
        if !self.may_rot(shard) {
            self.promises.check(who, shard, status);
        }
    }
}

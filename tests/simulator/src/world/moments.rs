//! Checker: an opener concludes only when there was a moment at which a write quorum of each group had promised it.
//!
//! A process that starts may have forgotten what it promised, and asks its peers; while fewer than four have promised it may
//! find none that knows. What an opener has heard of the four says nothing if they never stood together. Known here is when
//! each answered and when each stopped, so that a promise holds from the answer until its process ends.

use super::World;
use hexalog_protocol::frame::{Frame, read_frame};
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::Message;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{GroupId, VolumeEpoch};
use std::collections::BTreeMap;

/// Kind of an answer to a bump.
const BUMPED: u16 = 11;
/// Kind that brings a member a history from an opener.
const INSTALL_HISTORY: u16 = 12;

/// What stands promised, and which quorums of promises there were.
#[derive(Default)]
pub(super) struct Moments {
    /// Whom each member has promised last in this run of its process.
    promised: BTreeMap<(GroupId, usize), WriterId>,
    fenced: BTreeMap<GroupId, Vec<WriterId>>,
}

impl Moments {
    /// A process has ended.
    pub fn ended(&mut self, shard: usize) {
        self.promised.retain(|(_, of), _| *of != shard);
    }

    /// Epoch of the newest opener with a fence, of those that are not above this one.
    pub fn newest_fenced(&self, group: GroupId, epoch: VolumeEpoch) -> VolumeEpoch {
        let fenced = self.fenced.get(&group).into_iter().flatten();
        fenced.map(|writer| writer.epoch).filter(|fenced| *fenced <= epoch).max().unwrap_or_default()
    }

    fn promised(&mut self, shard: usize, group: GroupId, members: &[usize], writer: WriterId) {
        self.promised.insert((group, shard), writer);
        let of_group = self.promised.range((group, 0)..=(group, usize::MAX));
        let stands = |other: &WriterId| other.epoch > writer.epoch || *other == writer;
        let of_members = of_group.filter(|((_, of), _)| members.contains(of));
        let count = of_members.filter(|(_, other)| stands(other)).count();
        if count >= usize::from(QuorumModel::FOUR_OF_SIX.write) {
            self.fenced.entry(group).or_default().push(writer);
        }
    }
}

impl World {
    /// A shard sends this.
    pub(super) fn note_promises(&mut self, shard: usize, frame: &Frame<'_>) {
        if frame.kind != BUMPED {
            return;
        }
        if let Message::Bumped(answer) = Message::decode(frame).expect("shards send valid messages") {
            let members = self.members_of(answer.group);
            self.moments.promised(shard, answer.group, &members, answer.writer);
        }
    }

    /// An opener sends this: a history of its own, or in a repair one that another made, of which the same is true.
    pub(super) fn check_promises_stood_together(&self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            if frame.kind != INSTALL_HISTORY {
                continue;
            }
            let Message::InstallHistory(install) =
                Message::decode(&frame).expect("processes send valid messages")
            else {
                unreachable!("no other kind was looked for")
            };
            let writer = install.history.writer();
            // The history before all openings is nobody's.
            let groups = install.groups.into_iter().filter(|_| writer != WriterId::default());
            for group in groups {
                assert!(
                    self.moments.fenced.get(&group).is_some_and(|fenced| fenced.contains(&writer)),
                    "{writer:?} concludes, and no write quorum of {group:?} has stood by its promise at one time"
                );
            }
        }
    }
}

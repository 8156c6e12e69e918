//! Checker: a VDL is told under the history of the writer that made it, and heard under one that has that writer in it.
//!
//! What a member has heard decides what it lets go of and what it tells an opener as durable for ever. A VDL holds under every
//! history that knows the writer it came from; under an older one, records below it may be such as a later history annuls. So an
//! opener that tells a VDL while it repairs tells one that a writer of the adopted history has told, and a member that is asked
//! what it has heard and under which history has heard it from a writer of that history, whoever passed it on.
//!
//! Looked at when it is sent, or when a member is asked; whether it arrives or does harm is another matter. And a member that is
//! told one by an opener under another history than its own does not hear it.

use super::{VOLUME, World};
use hexalog_protocol::frame::{Frame, read_frame};
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{Bumped, Message, SegmentName, SegmentStatus};
use hexalog_protocol::{GroupId, Incarnation, Lsn, VolumeEpoch};
use hexalog_storage_core::shard::Shard;
use std::collections::BTreeMap;

/// Kind of a writer's frame.
const WRITE: u16 = 6;
/// Kind of an opener's repair.
const GOSSIP_PUSH: u16 = 16;

/// Epoch and incarnation of a writer.
type Writer = (VolumeEpoch, Incarnation);

fn name(writer: WriterId) -> Writer {
    (writer.epoch, writer.incarnation)
}

/// What writers have told.
#[derive(Default)]
pub(super) struct Vdls {
    /// Highest VDL that each writer has told with its frames.
    told: BTreeMap<Writer, Lsn>,
    /// The histories that openers brought, by their writers.
    histories: BTreeMap<Writer, EpochHistory>,
}

impl Vdls {
    /// Highest VDL that a writer of this history has told.
    fn told_under(&self, history: &EpochHistory) -> Lsn {
        let writers = history.entries().iter().filter_map(|entry| self.told.get(&name(entry.writer)));
        writers.copied().max().unwrap_or(Lsn::ZERO)
    }

    /// An opener brings a history.
    pub fn brought(&mut self, history: &EpochHistory) {
        self.histories.entry(name(history.writer())).or_insert_with(|| history.clone());
    }

    /// A writer or an opener sends this.
    fn sent(&mut self, frame: &Frame<'_>) {
        match Message::decode(frame).expect("processes send valid messages") {
            Message::Write(write) => {
                let told = self.told.entry(name(write.head.writer)).or_default();
                *told = write.head.vdl.max(*told);
            }
            Message::GossipPush(push) => {
                let adopted = self.histories.get(&name(push.history)).cloned().unwrap_or_default();
                let told = self.told_under(&adopted);
                assert!(
                    push.vdl <= told,
                    "opener {:?} tells VDL {} under the history of {:?}, of which no writer told more than {told}",
                    push.writer,
                    push.vdl,
                    push.history
                );
            }
            _ => unreachable!("no other kind was looked for"),
        }
    }

    /// A member has heard of this VDL and has this history.
    fn heard(&self, who: &str, vdl_heard: Lsn, history: &EpochHistory) {
        let told = self.told_under(history);
        assert!(
            vdl_heard <= told,
            "{who} has heard of VDL {vdl_heard} and has the history of {:?}, of which no writer told more than {told}",
            history.writer()
        );
    }

    /// A member answers a bump.
    pub fn bumped(&self, shard: usize, answer: &Bumped) {
        self.heard(&format!("shard {shard} {:?}", answer.group), answer.vdl_heard, &answer.history);
    }
}

impl World {
    /// A writer sends this.
    pub(super) fn note_vdls_sent(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(frame) = read_frame(rest).expect("processes send valid frames") {
            rest = &rest[frame.frame_bytes..];
            if matches!(frame.kind, WRITE | GOSSIP_PUSH) {
                self.vdls.sent(&frame);
            }
        }
    }

    /// A member is about to be handed this by an opener. If the opener tells a VDL under a history that is not the member's: the
    /// group, and what it has heard so far.
    pub(super) fn heard_before_push(&mut self, shard: usize, frame: &Frame<'_>) -> Option<(GroupId, Lsn)> {
        if frame.kind != GOSSIP_PUSH {
            return None;
        }
        let Message::GossipPush(push) = Message::decode(frame).expect("processes send valid messages") else {
            return None;
        };
        let (group, adopted) = (push.group, push.history);
        let heard = self.ask_vdl_heard(shard, group)?;
        let history = self.ask_history(shard, SegmentName { volume: VOLUME, group });
        (history.writer() != adopted).then_some((group, heard))
    }

    /// It has been handed what was told under another history than its own: it has heard nothing of it.
    pub(super) fn check_heard_after_push(&mut self, shard: usize, (group, heard): (GroupId, Lsn)) {
        let now = self.ask_vdl_heard(shard, group);
        assert!(
            now.is_none_or(|now| now == heard),
            "shard {shard} {group:?} had heard of VDL {heard}, and hears of {now:?} from an opener, under another history than its own"
        );
    }

    fn ask_vdl_heard(&mut self, shard: usize, group: GroupId) -> Option<Lsn> {
        let is_ready = self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready);
        let status = is_ready.then(|| self.ask_status(shard))?;
        let segment = status.segments.iter().find(|segment| segment.group == group);
        segment.map(|segment| segment.vdl_heard)
    }

    /// What a member says of itself at this moment.
    pub(super) fn check_vdl_heard(&mut self, shard: usize, segment: &SegmentStatus) {
        let history = self.ask_history(shard, SegmentName { volume: VOLUME, group: segment.group });
        self.vdls.heard(&format!("shard {shard} {:?}", segment.group), segment.vdl_heard, &history);
        self.fences.history_told(shard, segment.group, &history);
    }
}

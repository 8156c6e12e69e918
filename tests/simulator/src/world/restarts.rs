//! What a segment once said of itself must be true after a restart.

use super::ask::find_answer;
use super::quiet::{counter, segment_of};
use super::{VOLUME, World};
use hexalog_protocol::GroupId;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::message::{Message, SegmentName, SegmentState, Status};
use hexalog_storage_core::shard::Shard;

/// The state of a shard's segments when it was stopped.
pub(super) struct BeforeStop {
    status: Status,
    /// Segments that were being given up: not durable yet, as far as the shard knew, but perhaps on the device.
    hydrations_decided: u64,
}

fn is_lost(state: SegmentState) -> bool {
    matches!(state, SegmentState::NeedsHydration | SegmentState::Damaged)
}

fn lost_count(status: &Status) -> u64 {
    status.segments.iter().filter(|segment| is_lost(segment.state)).count() as u64
}

impl World {
    fn is_shard_ready(&self, shard: usize) -> bool {
        self.processes[shard].shard.as_ref().is_some_and(Shard::is_ready)
    }

    /// A shard is about to be stopped.
    pub(super) fn note_before_stop(&mut self, shard: usize) {
        if self.is_shard_ready(shard) {
            self.check_after_start(shard);
            let status = self.ask_status(shard);
            let hydrations_decided = counter(&status, "hydrations_decided");
            self.processes[shard].before_stop = Some(BeforeStop { status, hydrations_decided });
        }
    }

    /// Everything that a segment said before it was stopped was durable: its SCL falls only with what a history annuls,
    /// and it is lost only if that had been decided.
    pub(super) fn check_after_start(&mut self, shard: usize) {
        let is_ready = self.is_shard_ready(shard);
        let Some(before) = self.processes[shard].before_stop.take_if(|_| is_ready) else { return };
        let after = self.ask_status(shard);
        for old in &before.status.segments {
            let new = segment_of(&after, old.group);
            if is_lost(old.state) || is_lost(new.state) || new.scl >= old.scl {
                continue;
            }
            let history = self.ask_history(shard, old.group);
            assert!(
                history.is_annulled(old.scl),
                "shard {shard} {:?} told SCL {} and after a restart {}",
                old.group,
                old.scl,
                new.scl
            );
        }
        assert!(
            self.may_rot(shard)
                || lost_count(&after) <= lost_count(&before.status) + before.hydrations_decided,
            "shard {shard}: a segment said that it was sound, and lost that with a restart"
        );
    }

    fn ask_history(&mut self, shard: usize, group: GroupId) -> EpochHistory {
        let said = self.ask(shard, &Message::FetchHistory(SegmentName { volume: VOLUME, group }));
        let history = find_answer(&said, |message| match message {
            Message::History(history) => Some(history.history),
            _ => None,
        });
        history.expect("a history is answered at once")
    }
}

//! What a segment once said of itself must be true after a restart.

use super::ask::find_answer;
use super::quiet::counter;
use super::{VOLUME, World};
use hexalog_protocol::GroupId;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::message::{Message, SegmentName, SegmentState, SegmentStatus, Status};
use hexalog_storage_core::shard::Shard;

/// The state of a shard's segments when it was stopped.
pub(super) struct BeforeStop {
    status: Status,
    /// Segments that were being given up: not durable yet, as far as the shard knew, but perhaps on the device.
    being_given_up: u64,
    /// What names a segment on the device may have been lost.
    may_forget: bool,
}

impl BeforeStop {
    /// What a shard says of itself.
    pub fn of(status: Status) -> BeforeStop {
        let being_given_up = counter(&status, "hydrations_decided") - counter(&status, "segments_given_up");
        BeforeStop { status, being_given_up, may_forget: false }
    }

    /// Of the groups that the shard serves: one that has been replaced gives up what it had.
    pub fn of_groups(mut self, serves: impl Fn(GroupId) -> bool) -> BeforeStop {
        self.status.segments.retain(|segment| serves(segment.group));
        self
    }

    /// Of a device that may lose any of it.
    pub fn of_rotting_device(self) -> BeforeStop {
        BeforeStop { being_given_up: u64::from(u32::MAX), may_forget: true, ..self }
    }

    /// A segment that was sound knows that it has lost something: one that takes itself to have been given up long ago would be
    /// hydrated from any peer, and be sound without what it told.
    pub fn check_known_loss(&self, who: &str, after: &Status) {
        let was_open = |group| {
            let of_group = |old: &&SegmentStatus| old.group == group;
            self.status.segments.iter().find(of_group).is_some_and(|old| old.state == SegmentState::Open)
        };
        for new in after.segments.iter().filter(|new| new.state == SegmentState::NeedsHydration) {
            assert!(
                self.being_given_up > 0 || !was_open(new.group),
                "{who}: {:?} was sound, and waits for hydration as if nothing were lost",
                new.group
            );
        }
    }

    /// Of the segments that there were, those that are lost.
    fn lost_of(&self, status: &Status) -> u64 {
        let was_there =
            |segment: &&SegmentStatus| self.status.segments.iter().any(|old| old.group == segment.group);
        let lost = status.segments.iter().filter(|segment| is_lost(segment.state));
        lost.filter(was_there).count() as u64
    }

    /// Everything that a segment said was durable: its SCL falls only with what a history annuls, and it is lost only if
    /// that had been decided. `after` is what it says now, or would say.
    pub fn check(&self, who: &str, after: &Status, mut history_of: impl FnMut(SegmentName) -> EpochHistory) {
        for old in &self.status.segments {
            let Some(new) = after.segments.iter().find(|new| new.group == old.group) else {
                let has_lost = counter(after, "logs_damaged") > 0;
                assert!(self.may_forget && has_lost, "{who}: {:?} is not known any more", old.group);
                continue;
            };
            if is_lost(old.state) || is_lost(new.state) || new.scl >= old.scl {
                continue;
            }
            let history = history_of(SegmentName { volume: VOLUME, group: old.group });
            assert!(
                history.is_annulled(old.scl),
                "{who}: {:?} told SCL {} and then {}",
                old.group,
                old.scl,
                new.scl
            );
        }
        assert!(
            self.lost_of(after) <= self.lost_of(&self.status) + self.being_given_up,
            "{who}: a segment said that it was sound, and that was not durable"
        );
    }
}

pub(super) fn is_lost(state: SegmentState) -> bool {
    matches!(state, SegmentState::NeedsHydration | SegmentState::Damaged)
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
            self.processes[shard].before_stop = Some(BeforeStop::of(status));
        }
    }

    /// What it said before it was stopped still holds.
    pub(super) fn check_after_start(&mut self, shard: usize) {
        let is_ready = self.is_shard_ready(shard);
        let Some(before) = self.processes[shard].before_stop.take_if(|_| is_ready) else { return };
        let after = self.ask_status(shard);
        self.check_promises(&format!("shard {shard} after a restart"), shard, &after);
        let before = before.of_groups(|group| self.has_segment_of(group, shard));
        let before = if self.may_rot(shard) { before.of_rotting_device() } else { before };
        before.check(&format!("shard {shard} after a restart"), &after, |name| self.ask_history(shard, name));
    }

    pub(super) fn ask_history(&mut self, shard: usize, name: SegmentName) -> EpochHistory {
        let said = self.ask(shard, &Message::FetchHistory(name));
        let history = find_answer(&said, |message| match message {
            Message::History(history) => Some(history.history),
            _ => None,
        });
        history.expect("a history is answered at once")
    }
}

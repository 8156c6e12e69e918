//! How much room the shard says it has, told with every acknowledgement: what is told is early, since what frees space
//! needs some itself.
//!
//! Two things run out, or both since the file system below has less space than the device was formatted with. Extents: what lives in them is compared with what can be filled; dead blocks count for nothing,
//! collection takes them back, and a page that is still but a delta counts as the image that it will be. And the log: it holds records until they are in versions and members have them, so it fills
//! when that cannot go on, whatever the reason; only if it stays full for a while is that told as full, since a burst
//! empties by itself. At [`Room::Full`] a writer admits no more rows; what it has under way, rollbacks and drops go into
//! what is left then. Nothing is refused here: that is for the append that finds no place ([`crate::write`]).

use crate::effects::{Effect, Effects, Now};
use crate::shard::{Phase, Shard};
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::VolumeId;
use hexalog_protocol::message::{Message, Room};

/// A log that has been nearly full for this long does not empty by itself: fifty checkpoints' time.
const LOG_FULL_US: u64 = 1_000_000;

/// After a write that found no space, the next is tried so much later: whoever makes room takes longer.
const NO_SPACE_RETRY_US: u64 = 1_000_000;
/// Without another try (nothing may be left to write) that is told as full for so long.
const NO_SPACE_TOLD_US: u64 = 5 * NO_SPACE_RETRY_US;

/// What was last told, and since when the log has been nearly full.
#[derive(Debug)]
pub(crate) struct RoomTold {
    pub room: Room,
    log_full_since_us: Option<u64>,
    /// A write found no space below: when the next may be tried, and how long that is told as full.
    no_space_until_us: Option<u64>,
    no_space_told_until_us: u64,
}

impl Default for RoomTold {
    fn default() -> RoomTold {
        RoomTold {
            room: Room::Ample,
            log_full_since_us: None,
            no_space_until_us: None,
            no_space_told_until_us: 0,
        }
    }
}

impl RoomTold {
    /// A write to the extents went well.
    pub fn space_is_back(&mut self) {
        // One that was begun before says nothing of the next.
        if self.no_space_until_us.is_none() {
            self.no_space_told_until_us = 0;
        }
    }
}

/// Which room `used` of `all` leaves; once told, a class is left only when a sixteenth more is free.
fn room_left(used: u64, all: u64, told: Room, short_sixteenths: u64, full_sixteenths: u64) -> Room {
    assert!(short_sixteenths < full_sixteenths);
    let is_beyond = |sixteenths: u64, class: Room| {
        let sixteenths = sixteenths - u64::from(told >= class);
        u128::from(used) * 16 > u128::from(all) * u128::from(sixteenths)
    };
    if is_beyond(full_sixteenths, Room::Full) {
        Room::Full
    } else if is_beyond(short_sixteenths, Room::Short) {
        Room::Short
    } else {
        Room::Ample
    }
}

impl Shard {
    /// Looks how much room there is, and tells the writers if that has changed: one that writes nothing for want of room
    /// would never hear of it with an acknowledgement.
    pub(crate) fn room_slice(&mut self, now: Now, effects: &mut Effects) {
        let told = self.room_told.room;
        let is_without = now.monotonic_us < self.room_told.no_space_told_until_us;
        let below = if is_without { Room::Full } else { Room::Ample };
        let room = self.extents_room().max(self.log_room(now)).max(below);
        if room == told {
            return;
        }
        self.room_told.room = room;
        self.counters.room_changes += 1;
        let (live, all) = (self.extents.promised_bytes(), self.extents.usable_bytes());
        let (used, ring) = self.log.used_of();
        let mut text = format!(
            "room is {room:?} now, was {told:?}: {live} of {all} bytes of extents live or promised, {used} of {ring} bytes of log kept"
        );
        if self.extents.is_cut_short() || is_without {
            text.push_str(
                "; the file system has less space than this device was formatted with: make room there",
            );
        }
        effects.list.push(Effect::Log(text));
        self.push_room(effects);
    }

    /// A write found no space below. What was to be written is still in memory: nothing more is tried for a while, and
    /// meanwhile the shard is full.
    pub(crate) fn note_no_space(&mut self, now: Now, what: &str, effects: &mut Effects) {
        self.counters.no_space_writes += 1;
        self.extents.set_refused(true);
        let told = &mut self.room_told;
        if now.monotonic_us >= told.no_space_told_until_us {
            let text = format!("no space below to write {what}: tried again every second, reads go on");
            effects.list.push(Effect::Log(text));
        }
        told.no_space_until_us = Some(now.monotonic_us + NO_SPACE_RETRY_US);
        told.no_space_told_until_us = now.monotonic_us + NO_SPACE_TOLD_US;
    }

    /// Tries again what found no space.
    pub(crate) fn no_space_slice(&mut self, now: Now, effects: &mut Effects) {
        if self.room_told.no_space_until_us.take_if(|until_us| *until_us <= now.monotonic_us).is_some() {
            self.extents.set_refused(false);
            self.write_held_append(effects);
        }
    }

    fn extents_room(&self) -> Room {
        if !self.has_index() {
            // Nobody knows yet.
            return Room::Ample;
        }
        room_left(self.extents.promised_bytes(), self.extents.usable_bytes(), self.room_told.room, 14, 15)
    }

    fn log_room(&mut self, now: Now) -> Room {
        let (used, ring) = self.log.used_of();
        let room = room_left(used, ring, self.room_told.room, 12, 14);
        if room < Room::Full {
            self.room_told.log_full_since_us = None;
            return room;
        }
        let since_us = *self.room_told.log_full_since_us.get_or_insert(now.monotonic_us);
        let has_lasted = now.monotonic_us >= since_us + LOG_FULL_US;
        if has_lasted || self.room_told.room == Room::Full { Room::Full } else { Room::Short }
    }

    fn push_room(&mut self, effects: &mut Effects) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let volumes: Vec<VolumeId> = self.volumes.keys().copied().collect();
        for volume in volumes {
            let Some(connection) = self.volumes[&volume].writer_connection else { continue };
            let Some(writer) = self.segments_of(volume).map(|segment| segment.bumped).next() else {
                continue;
            };
            let ack = self.write_ack(volume, writer, core::iter::empty());
            Message::WriteAck(ack).encode(0, effects.send(connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_left_later_than_it_is_entered() {
        for (used, told, expected) in [
            (1400, Room::Ample, Room::Ample),
            (1401, Room::Ample, Room::Short),
            (1301, Room::Short, Room::Short),
            (1300, Room::Short, Room::Ample),
            (1500, Room::Short, Room::Short),
            (1501, Room::Short, Room::Full),
            (1401, Room::Full, Room::Full),
            (1400, Room::Full, Room::Short),
            (0, Room::Full, Room::Ample),
        ] {
            assert_eq!(room_left(used, 1600, told, 14, 15), expected, "{used} after {told:?}");
        }
        assert_eq!(room_left(0, 0, Room::Ample, 14, 15), Room::Ample);
        assert_eq!(room_left(1, 0, Room::Ample, 14, 15), Room::Full, "no extent can be filled at all");
    }
}

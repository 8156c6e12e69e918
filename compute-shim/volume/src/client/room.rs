//! How much room storage has, as its members tell it.
//!
//! A group cannot do without three of its six members: when so many are full, or full or away, nothing more reaches a write
//! quorum that needs room. The writer then admits no more rows, while the others still have some for what is under way.

use super::Client;
use crate::effects::{Effect, Effects};
use crate::link::LinkState;
use alloc::format;
use hexalog_protocol::message::Room;

impl Client {
    /// How much room the volume's storage has: the least that any group's write quorum has.
    pub fn room(&self) -> Room {
        self.room
    }

    /// Called after every event; nothing is counted while all members have room.
    pub(super) fn update_room(&mut self, effects: &mut Effects) {
        let has_all_room = self.links.iter().all(|link| link.room == Room::Ample);
        let room = if has_all_room { Room::Ample } else { self.count_room() };
        let before = core::mem::replace(&mut self.room, room);
        if room == before {
            return;
        }
        effects.list.push(Effect::Log(format!("storage has {room:?} room now, {before:?} before")));
        effects.list.push(Effect::RoomChanged(room));
        // Whoever waits below a smaller limit, or must be refused now.
        if core::mem::take(&mut self.log_was_full) {
            effects.list.push(Effect::LogSpaceFreed);
        }
    }

    fn count_room(&self) -> Room {
        let quorum = self.config.quorum;
        // One more than a write quorum can do without.
        let needed = usize::from(quorum.members - quorum.write) + 1;
        let mut least = Room::Ample;
        for (links, membership) in self.routes.links_of_group.iter().zip(&self.config.groups) {
            let slots = membership.members.len();
            for class in [Room::Short, Room::Full] {
                let has_room = |slot: usize| self.links[links[slot].0].room < class;
                let is_here = |slot: usize| self.links[links[slot].0].state == LinkState::Streaming;
                let has_class = slots - membership.count_in_every_set(has_room);
                let can_take = membership.count_in_every_set(|slot| has_room(slot) && is_here(slot));
                if has_class > 0 && slots - can_take >= needed {
                    least = least.max(class);
                }
            }
        }
        least
    }
}

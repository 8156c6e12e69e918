//! Hydration by pages: a segment whose missing log no peer has any more gets every page from one of them.
//!
//! [`serve`] is the source's side, [`fetch`] the asker's. The source sends each page once, at the read point of the
//! moment, and remembers what changes meanwhile; then it sends the changes, and their changes, until all that is left
//! goes into one answer. That answer's base B is the asker's: every page of the group is there as it is at B, and B is
//! the group's last record that is not above the VDL that the source has heard. No read point is held at the source for
//! that, so its collection goes on.
//!
//! The asker counts for nothing until a checkpoint that names all of these pages is durable, with SCL = base = floor = B
//! in it. What follows B comes by gossip. Whatever interrupts a session (a restart of either side, a link, a refusal)
//! has it begin anew, at another source: a half never counts.

mod fetch;
mod serve;

pub(crate) use fetch::{Fetches, Hydrated};
pub(crate) use serve::{PagesAnswers, Session};

use crate::log::Space;
use crate::segment::SegmentKey;
use crate::shard::Shard;
use hexalog_protocol::message::RefusalReason;
use hexalog_storage_format::entry::Entry;

impl Shard {
    /// A segment gives up its log, durably: with the next append or, if a full log has no room for it, the next checkpoint. False
    /// if not, or if that was decided before: what it has got by then must not be given up again.
    pub(crate) fn decide_hydration(&mut self, key: SegmentKey) -> bool {
        let segment = &self.segments[&key];
        if !segment.health.follows_log() || segment.decided.gives_up_log || segment.is_giving_up {
            return false;
        }
        let (volume, group) = key;
        let entry = Entry::NeedsHydration { volume, group, scl: segment.scl };
        let is_staged = match self.stage_entry(&entry, Space::Freeing) {
            Ok(()) => true,
            // There will be room in a moment: whoever asked asks again.
            Err(RefusalReason::Busy) => return false,
            Err(_) => false,
        };
        let segment = self.segments.get_mut(&key).expect("just seen");
        (segment.is_giving_up, segment.decided.gives_up_log) = (is_staged, !is_staged);
        self.counters.hydrations_decided += 1;
        true
    }
}

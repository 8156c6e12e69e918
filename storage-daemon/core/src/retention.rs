//! What log is kept for members that may still ask for it, and when that ends.
//!
//! Log is freed when its records are in versions that a durable checkpoint names and every member's SCL covers it, as
//! learnt from gossip. A member that would make the log exceed its retention limit, half of the ring, is recorded
//! durably as to be hydrated by pages, and holds nothing back any more.

use crate::effects::{Effect, Effects, Now};
use crate::gossip::Peer;
use crate::log::Space;
use crate::segment::{Decided, Health, Segment, SegmentKey};
use crate::shard::Shard;
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::{Lsn, SegmentId};
use hexalog_storage_format::entry::Entry;

/// A member whose link comes and goes may be silent for this many times what one is given whose link does not: 10 s by
/// default.
const SILENCES_MAX: u64 = 5;

impl Segment {
    /// Log position below which no member will ask for anything, if any member still needs some. `decided`: what
    /// becomes durable together with the freeing.
    fn position_needed_by_members(&self, decided: Option<&Decided>) -> Option<u64> {
        // Of one that has been replaced nobody asks for anything.
        if self.health != Health::Sound || self.is_replaced {
            return None;
        }
        let is_left = |peer: &&Peer| {
            peer.is_lost
                || self.beyond_retention.contains(&peer.segment)
                || decided.is_some_and(|decided| decided.beyond_retention.contains(&peer.segment))
        };
        let members = self.gossip.peers().filter(|peer| !is_left(peer));
        let covered = members.map(|peer| peer.scl.unwrap_or(self.base)).min()?;
        self.runs.position_needed_above(covered)
    }

    /// Whether the log still has all that a member with this SCL lacks, and not more than `slack` bytes of it before
    /// `end`: half of what it was left behind for, or it would be left behind and taken back in turn.
    pub(crate) fn has_log_for(&self, scl: Lsn, end: u64, slack: u64) -> bool {
        let is_unbroken =
            self.runs.oldest_lsn().is_none_or(|oldest| oldest <= scl.plus(1)) || scl >= self.scl;
        let needed = self.runs.position_needed_above(scl);
        is_unbroken && needed.is_none_or(|position| position + slack >= end)
    }
}

impl Shard {
    /// How far the log may be freed by a checkpoint with this replay point, which holds what `decided` says of a
    /// segment.
    pub(crate) fn log_head_allowed<'a>(
        &self,
        replay_position: u64,
        decided: impl Fn(&SegmentKey) -> Option<&'a Decided>,
    ) -> u64 {
        let segments = self.segments.iter();
        let needed =
            segments.filter_map(|(key, segment)| segment.position_needed_by_members(decided(key))).min();
        let allowed = needed.unwrap_or(u64::MAX).min(replay_position);
        allowed.max(self.log.head())
    }

    /// Whether members' SCLs must be learnt so that log can be freed.
    pub(crate) fn wants_member_scls(&self) -> bool {
        self.log.used_bytes() > self.log.ring_bytes() / 8
    }

    /// Whether a member lags by more than `limit` bytes of log. It is measured against the log as it was when the
    /// member was asked: what was written since says how old the answer is, not how far behind the member. One that
    /// has had the time to answer and has not is measured against the log as it is: at once if its link has not changed
    /// for that time, and after a few times as long whatever its link did, since one that comes and goes would hold the
    /// log for ever.
    fn lags(&self, peer: &Peer, needed_position: u64, limit: u64, now: Now) -> bool {
        let silence_us = self.options.silence_us();
        let silent_since_us = peer.answered_us.unwrap_or(self.links.started_us);
        let silent_us = now.monotonic_us.saturating_sub(silent_since_us);
        let has_been_silent = peer.answered_us.is_none_or(|_| silent_us >= silence_us)
            && self.links.is_unchanged_for(peer.address, now, silence_us);
        let has_been_silent = has_been_silent || silent_us >= SILENCES_MAX * silence_us;
        let end = if has_been_silent { self.log.durable().position } else { peer.asked_position };
        needed_position + limit < end
    }

    /// Looks for members that hold back more than half of the log.
    pub(crate) fn retention_slice(&mut self, now: Now, effects: &mut Effects) {
        let limit = self.log.ring_bytes() / 2;
        if self.log.used_bytes() <= limit
            || now.monotonic_us < self.links.retention_looked_us + self.options.gossip_interval_us / 5
        {
            return;
        }
        self.links.retention_looked_us = now.monotonic_us;
        let mut beyond: Vec<(SegmentKey, SegmentId)> = Vec::new();
        for (key, segment) in &self.segments {
            if segment.health != Health::Sound || segment.is_replaced {
                continue;
            }
            for peer in segment.gossip.peers() {
                let covered = peer.scl.unwrap_or(segment.base);
                let needed = segment.runs.position_needed_above(covered);
                let lags = needed.is_some_and(|position| self.lags(peer, position, limit, now));
                let is_new = !peer.is_lost
                    && !segment.beyond_retention.contains(&peer.segment)
                    && !segment.decided.beyond_retention.contains(&peer.segment);
                if lags && is_new {
                    beyond.push((*key, peer.segment));
                }
            }
        }
        for ((volume, group), segment) in beyond {
            let entry = Entry::MemberBeyondRetention { volume, group, segment };
            if self.stage_entry(&entry, Space::Freeing).is_err() {
                let decided = &mut self.segments.get_mut(&(volume, group)).expect("just listed").decided;
                decided.beyond_retention.insert(segment);
            }
            self.counters.members_beyond_retention += 1;
            let text = format!(
                "{segment:?} of {volume} {group:?} lags by more than half of the log: it must be hydrated by pages"
            );
            effects.list.push(Effect::Log(text));
        }
        self.submit_append(effects);
    }
}

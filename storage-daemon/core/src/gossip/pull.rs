//! Asks peers and takes their answers.

use super::Told;
use super::links::PeerRequest;
use crate::effects::{ConnectionId, Effects, Now};
use crate::segment::SegmentKey;
use crate::shard::Shard;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hexalog_protocol::frame::Frame;
use hexalog_protocol::message::{
    GossipPull, GossipPush, History, InstallHistory, Message, Refusal, RefusalReason, SegmentName,
    SetMembership,
};
use hexalog_protocol::{Lsn, SegmentId};

/// Peers that must have said that they have not what is missing, since their log no longer reaches down or their state is lost,
/// before a segment gives up on log: with a write quorum of 4 of 6 every record that it lacks was at four of the other five.
const BEYOND_PEERS_MIN: usize = 3;

/// What an answer tells of its sender's log.
#[derive(Clone, Copy)]
struct Answered {
    /// How far the sender is complete.
    scl: Lsn,
    /// The oldest that its log has.
    log_from: Lsn,
    /// What the first batch that it sent links to.
    links_to: Option<Lsn>,
}

impl Answered {
    /// Whether the sender has more than a member at `scl`, and its log has not got what comes next.
    fn is_beyond(&self, scl: Lsn, asked_after: Lsn) -> bool {
        let has_not_got_it = match self.links_to {
            Some(backlink) if backlink <= scl => false,
            // Its log may have a hole, although it reaches further down: it frees what was written first, and gaps are filled last. An
            // answer to a question from further up, before a history took the SCL back, begins above it by itself.
            Some(_) => asked_after <= scl || self.log_from > scl,
            None => self.log_from > scl,
        };
        self.scl > scl && has_not_got_it
    }
}

impl Shard {
    /// Looks at every segment: which one should ask whom.
    pub(crate) fn gossip_slice(&mut self, now: Now, effects: &mut Effects) {
        if self.links.due_us.is_some_and(|due| now.monotonic_us < due)
            && now.monotonic_us < self.links.looked_us + self.options.gossip_interval_us / 4
        {
            return;
        }
        self.links.looked_us = now.monotonic_us;
        let patience_us = self.options.silence_us();
        self.links.requests.retain(|_, request| now.monotonic_us < request.asked_us + patience_us);
        self.drop_unneeded_links(effects);
        let mut keys: Vec<SegmentKey> = self.segments.keys().copied().collect();
        // A peer answers so many at a time, and the rest is to come again: those that are asked for last must not stay last.
        let count = keys.len().max(1);
        keys.rotate_left(self.links.looks % count);
        self.links.looks = self.links.looks.wrapping_add(1);
        for key in keys {
            self.gossip_of_segment(key, now, effects);
        }
        self.links.due_us = Some(now.monotonic_us + self.options.gossip_interval_us);
    }

    fn gossip_of_segment(&mut self, key: SegmentKey, now: Now, effects: &mut Effects) {
        let wants_scls = self.wants_member_scls();
        let interval_us = self.options.gossip_interval_us;
        let segment = self.segments.get_mut(&key).expect("just listed");
        if segment.is_replaced {
            return self.ask_whether_to_leave(key, now, effects);
        }
        if segment.damage.is_some() {
            self.ask_witnesses(key, now, effects);
        }
        let segment = self.segments.get_mut(&key).expect("just listed");
        let is_sure = segment.check_promises().is_ok();
        if !segment.health.follows_log() || !is_sure || segment.promised.epoch.0 == 0 {
            return;
        }
        let scl = segment.scl;
        if segment.gossip.seen_scl != scl {
            let asks_on = segment.gossip.next_us == 0;
            (segment.gossip.seen_scl, segment.gossip.seen_us) =
                (scl, if asks_on { 0 } else { now.monotonic_us });
            segment.gossip.quiet_answers = 0;
            // What a peer lacked was behind the SCL of before.
            segment.gossip.peers.iter_mut().for_each(|peer| peer.is_beyond = false);
        }
        let (is_unsure, is_behind) = (segment.is_unsure(), segment.is_behind());
        // While the writer's frames move it, it needs no one; a step that comes a little late is no reason to ask. A
        // gap that can be seen is one, almost at once: what stands above it holds log and memory.
        let patience_us = if segment.batches.has_above(scl) { interval_us / 10 } else { interval_us };
        let stands_still =
            now.monotonic_us >= segment.gossip.seen_us + patience_us && !segment.is_fed(now, interval_us);
        if is_unsure || wants_scls {
            let addresses: Vec<_> = segment.gossip.peers().map(|peer| peer.address).collect();
            addresses.into_iter().for_each(|address| self.links.want(address, now, effects));
        }
        if wants_scls {
            self.ask_all_for_scls(key, now, effects);
        }
        let segment = self.segments.get_mut(&key).expect("still there");
        if is_unsure && stands_still && now.monotonic_us >= segment.gossip.next_us {
            let pause_us = if is_behind { interval_us } else { segment.gossip.pause_us(interval_us) };
            self.ask_next_peer(key, pause_us, now, effects);
        }
    }

    /// One that has been replaced asks who is a member now whether they know it, until enough do (`docs/decisions/0171`).
    fn ask_whether_to_leave(&mut self, key: SegmentKey, now: Now, effects: &mut Effects) {
        let segment = &self.segments[&key];
        if !segment.health.follows_log() || segment.decided.gives_up_log || segment.is_giving_up {
            return;
        }
        let asked: Vec<_> = segment
            .gossip
            .peers()
            .filter(|peer| !peer.knows_members && !self.is_asked(key, peer.segment, true))
            .map(|peer| (peer.segment, peer.address))
            .collect();
        for (segment, address) in asked {
            self.links.want(address, now, effects);
            let Some(connection) = self.links.connection(address) else { continue };
            let asked_position = self.log.durable().position;
            let (asked_us, after) = (now.monotonic_us, Lsn::ZERO);
            let request =
                PeerRequest { key, segment, address, asked_us, asked_position, after, is_for_scl: true };
            self.fetch_membership(connection, request, effects);
        }
    }

    fn fetch_membership(&mut self, connection: ConnectionId, request: PeerRequest, effects: &mut Effects) {
        let name = SegmentName { volume: request.key.0, group: request.key.1 };
        let request_id = self.note_request(request);
        Message::FetchMembership(name).encode(request_id, effects.send(connection));
    }

    /// Asks those members whose SCL, as far as it is known, keeps log from being freed: for that alone, since a member
    /// that is itself behind would be sent what the writer sends it.
    fn ask_all_for_scls(&mut self, key: SegmentKey, now: Now, effects: &mut Effects) {
        let segment = &self.segments[&key];
        let lagging: Vec<_> = segment
            .gossip
            .peers()
            .filter(|peer| peer.scl.is_none_or(|scl| scl < segment.scl))
            .map(|peer| (peer.segment, peer.address))
            .collect();
        for (peer, address) in lagging {
            self.pull(key, (peer, address), Lsn::ZERO, now, effects);
        }
    }

    /// The next peer in turn is asked for what comes after the SCL. After an answer that brought something, one that is known
    /// to have no more is passed over; after one that brought nothing, none is: what is known of peers that were not asked
    /// since is old, and the one that is thought to have more may be the one that has nothing to give. Without an answer that
    /// brings something none is asked for `pause_us` then; while none can be reached, the first that comes up is asked.
    fn ask_next_peer(&mut self, key: SegmentKey, pause_us: u64, now: Now, effects: &mut Effects) {
        let segment = &self.segments[&key];
        let (count, scl) = (segment.gossip.peers.len(), segment.scl);
        let in_turn = (0..count).map(|step| (segment.gossip.next_peer + step) % count);
        let can_be_asked = |index: &usize| {
            let peer = &segment.gossip.peers[*index];
            self.links.connection(peer.address).is_some() && !self.is_asked(key, peer.segment, false)
        };
        let may_have_more = |index: &usize| {
            let peer = &segment.gossip.peers[*index];
            !peer.is_lost && !peer.is_beyond && peer.scl.is_none_or(|known| known > scl)
        };
        let mut free = in_turn.filter(can_be_asked);
        let Some(first) = free.next() else { return };
        let mut index = first;
        if segment.gossip.quiet_answers == 0 {
            index = core::iter::once(first).chain(free).find(may_have_more).unwrap_or(first);
        }
        let (id, address) = (segment.gossip.peers[index].segment, segment.gossip.peers[index].address);
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        segment.gossip.next_peer = (index + 1) % count;
        segment.gossip.next_us = now.monotonic_us + pause_us;
        self.pull(key, (id, address), Lsn::MAX, now, effects);
    }

    /// Whether a question to the peer for the segment is unanswered. Any answer tells the SCL; one that tells nothing else
    /// is not what a pull for batches waits for.
    fn is_asked(&self, key: SegmentKey, peer: SegmentId, is_for_scl: bool) -> bool {
        self.links.requests.values().any(|request| {
            request.key == key && request.segment == peer && (is_for_scl || !request.is_for_scl)
        })
    }

    /// One question for batches up to `through`, unless one to the same peer for the same segment is unanswered.
    pub(crate) fn pull(
        &mut self,
        key: SegmentKey,
        (peer, address): (SegmentId, SocketAddr),
        through: Lsn,
        now: Now,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.links.connection(address) else { return };
        let is_for_scl = through < Lsn::MAX;
        if self.is_asked(key, peer, is_for_scl) {
            return;
        }
        let segment = &self.segments[&key];
        let question = GossipPull {
            volume: key.0,
            group: key.1,
            writer: segment.promised,
            membership_epoch: segment.members_promised,
            after: segment.scl,
            through,
            bytes_max: self.options.gossip_bytes_max,
        };
        let asked_position = self.log.durable().position;
        let (asked_us, after) = (now.monotonic_us, segment.scl);
        let request =
            PeerRequest { key, segment: peer, address, asked_us, asked_position, after, is_for_scl };
        let request_id = self.note_request(request);
        self.counters.gossip_pulls += 1;
        Message::GossipPull(question).encode(request_id, effects.send(connection));
    }

    pub(crate) fn note_request(&mut self, request: PeerRequest) -> u64 {
        self.links.requests_numbered += 1;
        let request_id = self.links.requests_numbered;
        self.links.requests.insert(request_id, request);
        request_id
    }

    /// A frame on a connection that this shard made.
    pub(crate) fn on_peer_frame(
        &mut self,
        now: Now,
        connection: ConnectionId,
        frame: &Frame<'_>,
        effects: &mut Effects,
    ) {
        let Some(address) = self.links.address_of(connection) else { return };
        let Ok(message) = Message::decode(frame) else {
            self.counters.malformed_frames += 1;
            return self.drop_link(now, connection, effects);
        };
        if matches!(message, Message::Welcome(_)) {
            return;
        }
        let Some(request) = self.links.requests.remove(&frame.request_id) else { return };
        if request.address != address {
            return self.drop_link(now, connection, effects);
        }
        match message {
            Message::GossipPush(push) => self.on_gossip_answer(now, &request, &push, effects),
            Message::History(history) => self.on_history_fetched(&request, history, effects),
            Message::SetMembership(set) => self.on_membership_fetched(&request, set, effects),
            Message::HydratePages(pages) if self.fetches.waits_for(frame.request_id) => {
                if !self.on_pages(now, &request, &pages, effects) {
                    self.drop_link(now, connection, effects);
                }
            }
            Message::PageImage(image) if self.repairs.waits_for(frame.request_id) => {
                self.on_repair_image(now, &image, effects);
            }
            // It says nothing of the peer but that it has not this page now.
            Message::Refusal(refusal) if self.repairs.waits_for(frame.request_id) => {
                self.on_repair_refused(now, &refusal);
            }
            Message::Refusal(refusal) => {
                self.on_peer_refusal(now, connection, &request, &refusal, effects);
                if self.fetches.waits_for(frame.request_id) {
                    self.on_pages_refused(now, refusal.reason, effects);
                }
            }
            _ => self.drop_link(now, connection, effects),
        }
    }

    fn on_gossip_answer(
        &mut self,
        now: Now,
        request: &PeerRequest,
        push: &GossipPush<'_>,
        effects: &mut Effects,
    ) {
        let key = request.key;
        if (push.volume, push.group) != key || !self.segments.contains_key(&key) {
            return;
        }
        let segment = self.segments.get_mut(&key).expect("just seen");
        if let Some(peer) = segment.gossip.peer_mut(request.segment) {
            peer.told = Some(Told { writer: push.writer, scl: Some(push.scl) });
        }
        let before = self.counters.batches;
        // What does not go on from the SCL was asked for of others: a peer that has freed what lies between, or lacks it
        // too, begins with what it has. That would stand above a gap, and take the place of what fills it.
        let scl = self.segments[&key].scl;
        let answer = Answered {
            scl: push.scl,
            log_from: push.log_from,
            links_to: push.iter().flatten().next().map(|batch| batch.backlink),
        };
        let brings_next = answer.links_to.is_some_and(|backlink| backlink <= scl);
        // Without room for all, what has been staged counts; the rest is asked for again.
        let is_full = brings_next && self.stage_push(key, push) == Err(RefusalReason::NoSpace);
        let staged = self.counters.batches - before;
        self.counters.gossip_batches += staged;
        let segment = self.segments.get_mut(&key).expect("just seen");
        if segment.check_taking(push.writer, push.membership_epoch).is_err() {
            return;
        }
        if is_full && segment.drop_above_gap(&mut self.pending) {
            self.counters.gaps_dropped += 1;
        }
        let is_beyond = answer.is_beyond(scl, request.after);
        let is_for_scl = request.is_for_scl;
        let Some(peer) = segment.gossip.peer_mut(request.segment) else { return };
        peer.scl = Some(push.scl);
        peer.answered_us = Some(now.monotonic_us);
        peer.asked_position = request.asked_position;
        peer.is_lost = false;
        peer.is_beyond = if is_for_scl { peer.is_beyond } else { is_beyond };
        if segment.has_log_for(push.scl, request.asked_position, self.log.ring_bytes() / 4) {
            // It has been hydrated, or has caught up after all, from others.
            segment.beyond_retention.remove(&request.segment);
        }
        if staged > 0 {
            segment.gossip.quiet_answers = 0;
            segment.gossip.is_filling = true;
        } else if !is_for_scl {
            self.ask_another(key);
        }
        if is_beyond && !is_for_scl {
            self.consider_hydration(now, key);
        }
        self.submit_append(effects);
    }

    /// A peer had nothing for the segment. If it lacks something, the next one is asked at once, once around: with one peer
    /// of five that is behind too, the pause for it would take longer than what the other four send.
    fn ask_another(&mut self, key: SegmentKey) {
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        segment.gossip.quiet_answers += 1;
        if segment.is_behind() && (segment.gossip.quiet_answers as usize) < segment.gossip.peers.len() {
            segment.gossip.next_us = 0;
            self.links.look_now();
        }
    }

    /// A segment whose missing log no peer has any more says so, durably, and counts for nothing.
    fn consider_hydration(&mut self, now: Now, key: SegmentKey) {
        let segment = &self.segments[&key];
        let silence_us = self.options.silence_us();
        let have_it_not = segment.gossip.peers().filter(|peer| peer.is_beyond || peer.is_lost).count();
        // Those whose state is lost do not say that there is anything.
        let is_some_beyond = segment.gossip.peers().any(|peer| peer.is_beyond);
        // One that is away for a moment may come back with what is missing.
        let may_have_it = segment.gossip.peers().any(|peer| {
            let is_reachable = self.links.connection(peer.address).is_some()
                || !self.links.is_unchanged_for(peer.address, now, silence_us);
            let has_told = peer.is_beyond || peer.is_lost;
            is_reachable && !has_told && peer.scl.is_none_or(|scl| scl > segment.scl)
        });
        if is_some_beyond && have_it_not >= BEYOND_PEERS_MIN && !may_have_it {
            self.decide_hydration(key);
        }
    }

    /// A peer of a later epoch refuses: this segment is behind, and asks for the history. That, and never a data
    /// request, is how it learns of an epoch that it missed.
    fn on_peer_refusal(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request: &PeerRequest,
        refusal: &Refusal,
        effects: &mut Effects,
    ) {
        let patience_us = self.options.silence_us();
        if !self.segments.contains_key(&request.key) {
            return;
        }
        self.ask_another(request.key);
        let segment = self.segments.get_mut(&request.key).expect("just seen");
        let tells_epoch = matches!(refusal.reason, RefusalReason::StaleEpoch | RefusalReason::EpochBehind);
        if tells_epoch && let Some(peer) = segment.gossip.peer_mut(request.segment) {
            peer.told = Some(Told { writer: refusal.writer, scl: None });
        }
        if refusal.reason == RefusalReason::Damaged {
            segment.gossip.note_lost(request.segment, now.monotonic_us, patience_us);
        }
        let is_behind = refusal.reason == RefusalReason::StaleEpoch
            && refusal.writer.epoch > segment.history.writer().epoch;
        if is_behind {
            let request_id = self.note_request(PeerRequest { asked_us: now.monotonic_us, ..*request });
            let name = SegmentName { volume: request.key.0, group: request.key.1 };
            Message::FetchHistory(name).encode(request_id, effects.send(connection));
        }
        let has_old_members = refusal.reason == RefusalReason::StaleMembership
            && refusal.membership_epoch > self.segments[&request.key].members_promised;
        if has_old_members {
            let request = PeerRequest { asked_us: now.monotonic_us, ..*request };
            self.fetch_membership(connection, request, effects);
        }
    }

    /// It was away while the group's members changed, or is none of them any more.
    fn on_membership_fetched(&mut self, request: &PeerRequest, set: SetMembership, effects: &mut Effects) {
        let key = request.key;
        let Some(segment) = self.segments.get_mut(&key).filter(|_| (set.volume, set.group) == key) else {
            return;
        };
        if set.membership.epoch > segment.members_promised {
            // If it cannot be staged now the segment stays as it is, is refused again, and asks again.
            let _ = self.stage_membership(key, set.membership);
            return self.submit_append(effects);
        }
        let is_current = set.membership.epoch == segment.membership.epoch;
        if let Some(peer) = segment.gossip.peer_mut(request.segment).filter(|_| is_current) {
            peer.knows_members = true;
        }
        if segment.is_replaced && segment.may_leave() {
            self.decide_hydration(key);
            self.submit_append(effects);
        }
    }

    fn on_history_fetched(&mut self, request: &PeerRequest, history: History, effects: &mut Effects) {
        let key = request.key;
        let Some(segment) = self.segments.get(&key) else { return };
        let is_newer = history.history.writer().epoch > segment.history.writer().epoch;
        if (history.volume, history.group) != key || !is_newer {
            return;
        }
        if segment.check_history(&history.history, None).is_err() {
            return;
        }
        let install = InstallHistory { volume: key.0, groups: Vec::new(), history: history.history };
        if self.stage_history(key, &install, None).is_ok() {
            self.counters.histories_fetched += 1;
        }
        self.submit_append(effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCL: Lsn = Lsn(8);

    fn is_beyond(scl: u64, log_from: u64, links_to: Option<u64>, asked_after: u64) -> bool {
        let answer = Answered { scl: Lsn(scl), log_from: Lsn(log_from), links_to: links_to.map(Lsn) };
        answer.is_beyond(SCL, Lsn(asked_after))
    }

    #[test]
    fn a_log_with_a_hole_has_not_got_what_lies_in_it() {
        assert!(is_beyond(20, 3, Some(15), 8), "it begins above");
        assert!(is_beyond(20, 12, None, 8), "its log does");
        assert!(is_beyond(20, 12, Some(15), 8));
        assert!(!is_beyond(20, 3, Some(8), 8), "that is what comes next");
        assert!(!is_beyond(20, 12, Some(7), 6), "and that too: the first batch may reach further back");
        assert!(!is_beyond(20, 3, None, 8), "it was too busy, perhaps");
        assert!(!is_beyond(8, 3, None, 8) && !is_beyond(5, 12, None, 8), "it has no more");
    }

    /// A history took the SCL back from 15 to 8 while three answers were under way: a member that lacked nothing would have given
    /// up its log, and its peers theirs.
    #[test]
    fn a_late_answer_tells_nothing_of_an_scl_that_has_fallen() {
        assert!(!is_beyond(20, 3, Some(15), 15));
    }
}

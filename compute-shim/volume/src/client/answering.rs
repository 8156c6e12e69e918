//! The client's answers to what arrives: greetings, acknowledgements, pages, refusals.

use super::{Client, Phase, Request};
use crate::config::{LinkIndex, Slot};
use crate::effects::{Effect, Effects, Now};
use crate::link::LinkState;
use alloc::format;
use alloc::vec::Vec;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{
    CreateSegment, EpochBump, InstallHistory, Message, Refusal, RefusalReason, SegmentState, SegmentStatus,
    SetMembership, Status, StatusQuery, WriteAck,
};
use hexalog_protocol::{GroupId, MembershipEpoch, SegmentId};

impl Client {
    pub(super) fn message(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        message: Message<'_>,
        now: Now,
        effects: &mut Effects,
    ) {
        if matches!(self.phase, Phase::Fenced) {
            return;
        }
        match message {
            Message::Welcome(_) => self.welcomed(link, request_id, effects),
            Message::Bumped(bumped) => self.bumped(link, request_id, bumped, effects),
            Message::Done(_) => self.done(link, request_id, now, effects),
            Message::Status(status) => self.status_came(link, request_id, &status, now, effects),
            Message::WriteAck(ack) => self.write_acknowledged(link, request_id, &ack, now, effects),
            Message::PageImage(image) => self.page_came(link, request_id, &image, now, effects),
            Message::GossipPush(push) => self.repair_pulled(link, request_id, &push, effects),
            Message::Refusal(refusal) => self.refused(link, request_id, &refusal, now, effects),
            other => {
                let (address, kind) = (self.links[link.0].address, other.kind());
                effects
                    .list
                    .push(Effect::Log(format!("{address}: message of kind {kind} is not for a compute")));
            }
        }
    }

    /// Takes the request that an answer belongs to; `None` for a late or made-up answer.
    fn take_request(&mut self, link: LinkIndex, request_id: u64) -> Option<Request> {
        let (asked, request) = self.requests.get(&request_id).copied()?;
        if asked != link {
            return None;
        }
        // A bump is answered once for each segment.
        if request != Request::Bump {
            self.requests.remove(&request_id);
        }
        Some(request)
    }

    fn welcomed(&mut self, link: LinkIndex, request_id: u64, effects: &mut Effects) {
        if self.take_request(link, request_id) != Some(Request::Hello) {
            return;
        }
        match &self.phase {
            Phase::Opening(opening) if !opening.is_installing() => {
                self.links[link.0].state = LinkState::Bumping;
                self.send_changed_members(link, effects);
                self.send_bump(link, effects);
            }
            Phase::Opening(_) | Phase::Writing => self.send_history(link, effects),
            Phase::OpeningReadOnly | Phase::ReadOnly => self.send_status_query(link, effects),
            Phase::Fenced => {}
        }
    }

    /// The segment that stands at this slot.
    pub(super) fn segment_at(&self, group: GroupId, slot: Slot) -> Option<SegmentId> {
        let membership = &self.config.groups[group.0 as usize];
        membership.everyone().nth(slot.0).map(|member| member.segment)
    }

    pub(super) fn send_bump(&mut self, link: LinkIndex, effects: &mut Effects) {
        let groups = self.links[link.0].groups().map(|(group, _)| group).collect();
        let bump = EpochBump { volume: self.config.volume, writer: self.writer, groups };
        self.send(link, Request::Bump, &Message::EpochBump(bump), effects);
    }

    /// The member is told the whole history; it fences every older writer and annuls what it must.
    pub(super) fn send_history(&mut self, link: LinkIndex, effects: &mut Effects) {
        self.links[link.0].state = LinkState::Joining;
        let groups = self.links[link.0].groups().map(|(group, _)| group).collect();
        let install = InstallHistory { volume: self.config.volume, groups, history: self.history.clone() };
        self.send(link, Request::Join, &Message::InstallHistory(install), effects);
    }

    /// Members find their peers by what they were told last, and keep it: one that was away while another moved to a new
    /// address would never gossip with that one again. So each link tells it once; a member that knows it does nothing.
    fn send_members(&mut self, link: LinkIndex, effects: &mut Effects) {
        let groups: Vec<GroupId> = self.links[link.0].groups().map(|(group, _)| group).collect();
        groups.into_iter().for_each(|group| self.tell_members(link, group, Request::Members, effects));
    }

    /// An opener may know of a change that a member was not told of before the writer died: answers count under its members alone.
    /// Of a group that never changed there is nothing to tell.
    fn send_changed_members(&mut self, link: LinkIndex, effects: &mut Effects) {
        let groups: Vec<GroupId> = self.links[link.0].groups().map(|(group, _)| group).collect();
        for group in groups {
            if self.config.groups[group.0 as usize].epoch > MembershipEpoch::FIRST {
                self.tell_members(link, group, Request::ChangedMembers, effects);
            }
        }
    }

    pub(super) fn tell_members(
        &mut self,
        link: LinkIndex,
        group: GroupId,
        request: fn(GroupId, MembershipEpoch) -> Request,
        effects: &mut Effects,
    ) {
        let membership = self.config.groups[group.0 as usize].clone();
        let request = request(group, membership.epoch);
        let set = SetMembership { volume: self.config.volume, group, membership };
        self.send(link, request, &Message::SetMembership(set), effects);
    }

    /// A member refused because it does not know a segment, or what it had promised for one. All that this link serves are named
    /// to it: those that it lacks it makes anew, and all learn where their peers are, whom they will need. When that is done the
    /// link starts over. True if it waits for that.
    fn name_segments(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        reason: RefusalReason,
        effects: &mut Effects,
    ) -> bool {
        let asked = self.requests.get(&request_id).filter(|(asked, _)| *asked == link);
        let greets = matches!(asked, Some((_, Request::Bump | Request::Join)));
        let is_named = self.links[link.0].has_named_segments;
        let is_due = match reason {
            RefusalReason::UnknownSegment => true,
            RefusalReason::Damaged => !is_named,
            _ => false,
        };
        if !greets || matches!(self.phase, Phase::OpeningReadOnly | Phase::ReadOnly) {
            return false;
        }
        if self.is_naming(link) || !is_due {
            // A bump is refused for each segment by itself.
            return self.is_naming(link);
        }
        self.links[link.0].has_named_segments = true;
        let served: Vec<_> = self.links[link.0].groups().collect();
        for (group, slot) in served {
            let membership = self.config.groups[group.0 as usize].clone();
            let segment = self.segment_at(group, slot).expect("routes are of these members");
            let lost = CreateSegment {
                volume: self.config.volume,
                group,
                segment,
                pages_per_group: self.config.geometry.pages_per_group,
                geometry_epoch: self.config.geometry_epoch,
                base_lsn: hexalog_protocol::Lsn::ZERO,
                membership,
            };
            self.send(link, Request::Name, &Message::RestoreSegment(lost), effects);
        }
        let address = self.links[link.0].address;
        let text =
            format!("{address}: {reason:?} segments of this volume; all that it has of it are named to it");
        effects.list.push(Effect::Log(text));
        true
    }

    fn is_naming(&self, link: LinkIndex) -> bool {
        self.requests.values().any(|request| *request == (link, Request::Name))
    }

    fn send_status_query(&mut self, link: LinkIndex, effects: &mut Effects) {
        self.links[link.0].state = LinkState::Querying;
        let query = StatusQuery { volume: self.config.volume };
        self.send(link, Request::Status, &Message::StatusQuery(query), effects);
    }

    fn forget_what_it_told(&mut self, link: LinkIndex) {
        let groups: Vec<GroupId> = self.links[link.0].groups().map(|(group, _)| group).collect();
        for group in groups {
            if let Some(slot) = self.routes.slot(link, group) {
                self.durability.forget(group, slot);
            }
        }
    }

    fn done(&mut self, link: LinkIndex, request_id: u64, now: Now, effects: &mut Effects) {
        match self.take_request(link, request_id) {
            Some(Request::Join) => {
                self.send_members(link, effects);
                self.send_status_query(link, effects);
            }
            Some(Request::Repair(id)) => self.repair_history_installed(id, now, effects),
            Some(
                Request::Members(group, epoch)
                | Request::ChangedMembers(group, epoch)
                | Request::Candidate(group, epoch),
            ) => self.members_known(link, group, epoch),
            Some(Request::Name) if !self.is_naming(link) => self.start_over(link, now, effects),
            _ => {}
        }
    }

    fn status_came(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        status: &Status,
        now: Now,
        effects: &mut Effects,
    ) {
        let request = self.take_request(link, request_id);
        if let Some(Request::Confirm { asked }) = request {
            return self.confirmed(link, asked, status, now, effects);
        }
        if !matches!(request, Some(Request::Status | Request::Contact { .. })) {
            return;
        }
        let is_writer = !matches!(self.phase, Phase::OpeningReadOnly | Phase::ReadOnly);
        let volume = self.config.volume;
        if request == Some(Request::Status) {
            // The first word of a member that is (back) there: what it told before may no longer be so.
            self.forget_what_it_told(link);
        }
        for segment in status.segments.iter().filter(|segment| segment.volume == volume) {
            if is_writer && segment.writer != self.writer {
                self.check_fenced(segment.writer, effects);
                continue;
            }
            self.note_segment(link, segment);
        }
        if matches!(self.phase, Phase::Fenced) {
            return;
        }
        if request == Some(Request::Status) {
            self.links[link.0].begin_streaming();
        }
        if let Some(Request::Contact { asked_us }) = request {
            self.note_contact(link, asked_us, effects);
        }
        self.publish_vdl(effects);
    }

    fn write_acknowledged(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        ack: &WriteAck,
        now: Now,
        effects: &mut Effects,
    ) {
        if ack.volume != self.config.volume {
            return;
        }
        // A member under repair still counts under the epoch that it is being brought up in. A repair that ends after the
        // opening is an acknowledgement like any other, and tells an SCL that nothing else will tell.
        if let Some(Request::Repair(id)) = self.take_request(link, request_id) {
            self.repair_pushed(id, ack);
        }
        if ack.epoch != self.writer.epoch {
            return;
        }
        let took_us = self.links[link.0].acknowledged(request_id, now);
        self.links[link.0].room = ack.room;
        if !self.is_writing() {
            return;
        }
        for (group, scl) in &ack.scls {
            if self.links[link.0].has_another(*group) {
                continue;
            }
            // A member whose state is lost is in no acknowledgement: this one has been hydrated since it told.
            self.links[link.0].set_lost(*group, false);
            if let Some(slot) = self.routes.slot(link, *group) {
                self.durability.set_scl(*group, slot, *scl);
            }
        }
        // What nobody asked for (a member whose gossip has advanced) says nothing of when it was sent.
        if let Some(took_us) = took_us {
            self.note_contact(link, now.monotonic_us.saturating_sub(took_us), effects);
        }
        self.publish_vdl(effects);
    }

    pub(super) fn publish_vdl(&mut self, effects: &mut Effects) {
        if !self.is_writing() || !self.durability.advance(&mut self.log) {
            return;
        }
        let vdl = self.durability.vdl();
        // Several acknowledgements of one wake become one advance.
        effects.list.retain(|effect| !matches!(effect, Effect::VdlAdvanced(_)));
        effects.list.push(Effect::VdlAdvanced(vdl));
        if core::mem::take(&mut self.log_was_full) {
            effects.list.push(Effect::LogSpaceFreed);
        }
    }

    /// A link answered under our epoch what it was asked at `asked_us`. When a recovery read quorum of a group has done
    /// so since the last time, no other writer can have been open before the oldest of these questions. The question's time
    /// counts and not the answer's: a process that was paused finds old answers in its sockets.
    fn note_contact(&mut self, link: LinkIndex, asked_us: u64, effects: &mut Effects) {
        let before = self.quorum_contact_us;
        self.contact_us[link.0] = self.contact_us[link.0].max(asked_us);
        let read = usize::from(self.config.quorum.read);
        for group in 0..self.config.groups.len() {
            let members = self.routes.members_of_group(GroupId(group as u32));
            let candidates = &self.routes.links_of_group[group][members.len()..];
            let mut times = [0; 8];
            let count = members.len().min(times.len());
            for (time, link) in times.iter_mut().zip(members) {
                *time = self.contact_us[link.0];
            }
            // An opener may find the change done, and fence with the candidate in the member's place.
            for (candidate, link) in self.config.groups[group].candidates.iter().zip(candidates) {
                let time = &mut times[usize::from(candidate.slot)];
                *time = (*time).min(self.contact_us[link.0]);
            }
            times[..count].sort_unstable_by(|a, b| b.cmp(a));
            self.quorum_contact_us = self.quorum_contact_us.max(times[read - 1]);
        }
        let is_told = effects.list.iter().any(|effect| matches!(effect, Effect::QuorumContact));
        if self.quorum_contact_us > before && !is_told {
            effects.list.push(Effect::QuorumContact);
        }
    }

    fn refused(
        &mut self,
        link: LinkIndex,
        request_id: u64,
        refusal: &Refusal,
        now: Now,
        effects: &mut Effects,
    ) {
        // A floor is never raised past a read of its own writer: who is told that it was has been replaced, and may have
        // nothing but reads under way to hear it by.
        let tells_of_later = matches!(refusal.reason, RefusalReason::StaleEpoch | RefusalReason::BelowFloor);
        if tells_of_later && self.check_fenced(refusal.writer, effects) {
            return;
        }
        if self.read_refused(link, request_id) {
            return;
        }
        if self.name_segments(link, request_id, refusal.reason, effects) {
            return;
        }
        // A member that loses its state tells so unasked.
        let is_told = request_id == 0 && refusal.reason == RefusalReason::Damaged;
        let is_of_frame = is_told || self.links[link.0].is_in_flight(request_id);
        if is_of_frame && self.batch_refused(link, request_id, refusal, now) {
            return;
        }
        let address = self.links[link.0].address;
        let text = format!("{address} refused: {:?} {}", refusal.reason, refusal.detail);
        effects.list.push(Effect::Log(text));
        match self.take_request(link, request_id) {
            Some(Request::Repair(id)) => {
                self.repair_failed(id);
                if refusal.reason == RefusalReason::Damaged {
                    // The member that was to be brought up, or the one it was to be brought up from.
                    self.member_lost(link, refusal.group);
                }
                return;
            }
            // It keeps what it knew; the next connection tells it again.
            Some(Request::Members(..)) => return,
            // It is named to the shard, which will refuse the bump for it too.
            Some(Request::ChangedMembers(..)) if refusal.reason == RefusalReason::UnknownSegment => return,
            // Asked by a repair that was given up.
            None if request_id != 0 && matches!(self.phase, Phase::Opening(_)) => return,
            _ => {}
        }
        if refusal.reason == RefusalReason::EpochBehind && !matches!(self.phase, Phase::Opening(_)) {
            return self.send_history(link, effects);
        }
        self.start_over(link, now, effects);
    }

    /// Whatever was refused: after a pause the link is told the history and asked for its state.
    pub(super) fn start_over(&mut self, link: LinkIndex, now: Now, effects: &mut Effects) {
        effects.list.push(Effect::Disconnect(link));
        self.closed(link, now);
    }

    /// One batch of a write frame was refused. The frame is acknowledged all the same, for what else was in it. False
    /// if the reason is not the batch's but the connection's.
    fn batch_refused(&mut self, link: LinkIndex, request_id: u64, refusal: &Refusal, now: Now) -> bool {
        match refusal.reason {
            RefusalReason::NoSpace | RefusalReason::Busy => {
                let begins_pause = self.links[link.0].refused_for_room(request_id, now);
                self.counters.refused_for_room += u64::from(begins_pause);
                true
            }
            RefusalReason::Damaged => {
                self.member_lost(link, refusal.group);
                true
            }
            _ => false,
        }
    }

    /// A member said that its state is lost: it counts for nothing and is sent nothing.
    fn member_lost(&mut self, link: LinkIndex, group: GroupId) {
        if let Some(slot) = self.routes.slot(link, group) {
            self.links[link.0].set_lost(group, true);
            self.durability.forget(group, slot);
            self.opening_member_lost(group, slot);
        }
    }

    /// True, and fenced, if `other` is a later claim to the volume than ours.
    pub(super) fn check_fenced(&mut self, other: WriterId, effects: &mut Effects) -> bool {
        let is_reader = matches!(self.phase, Phase::OpeningReadOnly | Phase::ReadOnly);
        let is_later = other.epoch > self.writer.epoch
            || (other.epoch == self.writer.epoch && other.incarnation != self.writer.incarnation);
        if is_later && !is_reader {
            self.fence(other, effects);
        }
        is_later && !is_reader
    }

    fn note_segment(&mut self, link: LinkIndex, told: &SegmentStatus) {
        let (group, scl, vdl_heard) = (told.group, told.scl, told.vdl_heard);
        let Some(slot) = self.routes.slot(link, group) else { return };
        let is_lost = matches!(told.state, SegmentState::Damaged | SegmentState::NeedsHydration);
        // The shard may have one that was replaced long ago, and not the one that is meant.
        let is_another = self.segment_at(group, slot) != Some(told.segment);
        self.links[link.0].set_another(group, is_another);
        if is_lost || is_another {
            return self.member_lost(link, group);
        }
        self.links[link.0].set_lost(group, false);
        match self.phase {
            Phase::OpeningReadOnly | Phase::ReadOnly => self.note_reader_status(group, slot, scl, vdl_heard),
            _ => {
                self.durability.set_scl(group, slot, scl);
            }
        }
    }
}

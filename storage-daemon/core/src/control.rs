//! Requests that change what a segment is: creation, bumps, histories, members. Each is a control record in the
//! log; its answer waits for it.

use crate::effects::{ConnectionId, Effects};
use crate::log::{Answer, Space};
use crate::segment::SegmentKey;
use crate::segment::epochs::Acceptance;
use crate::shard::{Phase, Shard};
use alloc::vec::Vec;
use hexalog_protocol::message::{
    CreateSegment, EpochBump, History, InstallHistory, Membership, Message, RefusalReason, SegmentName,
    SetMembership,
};
use hexalog_storage_format::entry::Entry;

/// What makes a control record durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Staged {
    /// The append that is being filled.
    Log,
    /// The next checkpoint: the log has no room.
    Checkpoint,
}

impl Shard {
    /// Stages a record of epochs or members; without room in the log the caller leaves it to the next checkpoint. A log may be full
    /// of what no one but a new writer can let go of: an opening must never wait for room.
    fn stage_or_decide(&mut self, entry: &Entry<'_>) -> Result<Staged, RefusalReason> {
        match self.stage_control(entry) {
            Ok(()) => Ok(Staged::Log),
            Err(RefusalReason::NoSpace) => Ok(Staged::Checkpoint),
            Err(other) => Err(other),
        }
    }

    /// Stages a control record, if the shard takes any and there is room.
    pub(crate) fn stage_control(&mut self, entry: &Entry<'_>) -> Result<(), RefusalReason> {
        self.stage_entry(entry, Space::Control)
    }

    /// As [`Shard::stage_control`], for what may take the last of the space.
    pub(crate) fn stage_entry(&mut self, entry: &Entry<'_>, space: Space) -> Result<(), RefusalReason> {
        if !matches!(self.phase, Phase::Running) {
            return Err(RefusalReason::DeviceFailed);
        }
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.log.room_for(bytes.len(), space).map_err(|full| match full {
            crate::log::Full::Buffer => RefusalReason::Busy,
            crate::log::Full::Ring => RefusalReason::NoSpace,
        })?;
        self.log.filling().push_entry(entry);
        Ok(())
    }

    pub(crate) fn on_create_segment(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        create: CreateSegment,
        effects: &mut Effects,
    ) {
        let key = (create.volume, create.group);
        let is_member = create.membership.is_valid() && create.membership.has(create.segment);
        let result = match self.segments.get(&key) {
            _ if create.pages_per_group == 0 || !is_member => Err(RefusalReason::Malformed),
            Some(segment) if segment.id != create.segment => Err(RefusalReason::NotAllowed),
            // A second record of the same creation changes nothing; its answer waits for the first's append too.
            _ => self.stage_control(&Entry::CreateSegment(create)).map(|()| Staged::Log),
        };
        self.finish_control(connection, request_id, key, result, effects);
    }

    /// A writer names a segment of which nothing is known here, as it does with each that it has on this shard when the shard
    /// refuses one. What named it on the device is lost, or the device is another one. One that is known, and damaged, learns
    /// where its peers are now: without them it would stay so.
    pub(crate) fn on_restore_segment(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        lost: CreateSegment,
        effects: &mut Effects,
    ) {
        let key = (lost.volume, lost.group);
        let is_member = lost.membership.is_valid() && lost.membership.has(lost.segment);
        let result = match self.segments.get(&key) {
            _ if lost.pages_per_group == 0 || !is_member => Err(RefusalReason::Malformed),
            Some(segment) if segment.id != lost.segment => Err(RefusalReason::NotAllowed),
            Some(_) => self.stage_membership(key, lost.membership),
            None => self.stage_control(&Entry::RestoreSegment(lost)).map(|()| Staged::Log),
        };
        self.finish_control(connection, request_id, key, result, effects);
    }

    pub(crate) fn on_set_membership(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        set: SetMembership,
        effects: &mut Effects,
    ) {
        let SetMembership { volume, group, membership } = set;
        let key = (volume, group);
        let result = self.stage_membership(key, membership);
        self.finish_control(connection, request_id, key, result, effects);
    }

    pub(crate) fn stage_membership(
        &mut self,
        key: SegmentKey,
        membership: Membership,
    ) -> Result<Staged, RefusalReason> {
        let (volume, group) = key;
        let segment = self.segments.get(&key).ok_or(RefusalReason::UnknownSegment)?;
        if membership.epoch < segment.members_promised {
            return Err(RefusalReason::StaleMembership);
        }
        if !membership.is_valid() {
            return Err(RefusalReason::Malformed);
        }
        // Told with every connection of a writer; only what is new costs an append.
        if membership == segment.membership {
            return Ok(Staged::Log);
        }
        // Who has been replaced is told so: it asks its peers nothing more, and keeps no log for them.
        if !membership.has(segment.id) && membership.epoch == segment.members_promised && !segment.is_replaced
        {
            return Err(RefusalReason::NotAllowed);
        }
        if segment.decided.members.as_ref() == Some(&membership) {
            return Ok(Staged::Checkpoint);
        }
        let staged =
            self.stage_or_decide(&Entry::Membership { volume, group, membership: membership.clone() })?;
        let segment = self.segments.get_mut(&key).expect("just looked at");
        segment.promise_members(&membership);
        if staged == Staged::Checkpoint {
            segment.decided.members = Some(membership);
        }
        Ok(staged)
    }

    /// Each segment bumps and answers for itself. From the moment that the record is staged, nothing of an older
    /// writer gets behind it.
    pub(crate) fn on_epoch_bump(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        bump: &EpochBump,
        effects: &mut Effects,
    ) {
        let (volume, writer) = (bump.volume, bump.writer);
        for group in bump.groups.iter().copied() {
            let key = (volume, group);
            let accepted = match self.segments.get(&key) {
                None => Err(RefusalReason::UnknownSegment),
                Some(segment) => segment.check_bump(writer),
            };
            // A history that is left to a checkpoint will annul what an answer by the log would tell, and members make it count or
            // not: that answer waits for the same checkpoint.
            let waits_for_checkpoint = self.segments.get(&key).is_some_and(|segment| {
                segment.decided.history.is_some() || segment.decided.members.is_some()
            });
            // A repeated bump is recorded again: the answer tells the state at its own place in the log.
            let staged = accepted.and_then(|_| match waits_for_checkpoint {
                true => Ok(Staged::Checkpoint),
                false => self.stage_or_decide(&Entry::EpochBump { volume, group, writer }),
            });
            let staged = match staged {
                Ok(staged) => staged,
                Err(reason) => {
                    self.refuse(connection, request_id, reason, key, "epoch bump", effects);
                    continue;
                }
            };
            let segment = self.segments.get_mut(&key).expect("just checked");
            segment.promise(writer, Some(connection));
            if let Some(damage) = &mut segment.damage {
                damage.opener = Some(writer);
            }
            let answer = Answer::Bumped { connection, request_id, volume, group };
            match staged {
                Staged::Log => self.log.filling().push_answer(answer),
                Staged::Checkpoint => {
                    segment.decided.bump = Some(writer);
                    self.checkpointer.answer_when_durable(answer);
                }
            }
        }
        self.submit_append(effects);
    }

    pub(crate) fn on_install_history(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        install: &InstallHistory,
        effects: &mut Effects,
    ) {
        let volume = install.volume;
        let mut result = Ok(Staged::Log);
        let mut refused = crate::connections::NO_SEGMENT;
        for group in install.groups.iter().copied() {
            let key = (volume, group);
            let accepted = match self.segments.get(&key) {
                None => Err(RefusalReason::UnknownSegment),
                Some(segment) => segment.check_history(&install.history, Some(connection)),
            };
            let staged = accepted.and_then(|acceptance| match acceptance {
                Acceptance::Repeated => Ok(Staged::Log),
                Acceptance::New => self.stage_history(key, install, Some(connection)),
            });
            match staged {
                Ok(Staged::Log) => {}
                Ok(Staged::Checkpoint) => result = result.and(Ok(Staged::Checkpoint)),
                Err(reason) => (result, refused) = (Err(reason), key),
            }
        }
        if result.is_ok() {
            refused = (volume, install.groups.first().copied().unwrap_or_default());
        }
        self.finish_control(connection, request_id, refused, result, effects);
    }

    /// Stages a history that was accepted; a later writer's fences like a bump.
    pub(crate) fn stage_history(
        &mut self,
        key: SegmentKey,
        install: &InstallHistory,
        opener: Option<ConnectionId>,
    ) -> Result<Staged, RefusalReason> {
        let (volume, group) = key;
        let history = install.history.clone();
        let staged = self.stage_or_decide(&Entry::InstallHistory { volume, group, history })?;
        let segment = self.segments.get_mut(&key).expect("the caller found it");
        if staged == Staged::Checkpoint {
            segment.decided.history = Some(install.history.clone());
        }
        let writer = install.history.writer();
        if writer.epoch > segment.promised.epoch {
            segment.promise(writer, opener);
        }
        Ok(staged)
    }

    pub(crate) fn on_fetch_history(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        name: &SegmentName,
        effects: &mut Effects,
    ) {
        let key = (name.volume, name.group);
        let Some(segment) = self.segments.get(&key) else {
            return self.refuse(connection, request_id, RefusalReason::UnknownSegment, key, "", effects);
        };
        let history = segment.history.clone();
        let answer = History { volume: name.volume, group: name.group, history };
        Message::History(answer).encode(request_id, effects.send(connection));
    }

    /// What is told is durable here: it is so for everyone.
    pub(crate) fn on_fetch_membership(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        name: &SegmentName,
        effects: &mut Effects,
    ) {
        let (volume, group) = (name.volume, name.group);
        let key = (volume, group);
        let Some(segment) = self.segments.get(&key) else {
            return self.refuse(connection, request_id, RefusalReason::UnknownSegment, key, "", effects);
        };
        let answer = SetMembership { volume, group, membership: segment.membership.clone() };
        Message::SetMembership(answer).encode(request_id, effects.send(connection));
    }

    fn finish_control(
        &mut self,
        connection: ConnectionId,
        request_id: u64,
        key: SegmentKey,
        result: Result<Staged, RefusalReason>,
        effects: &mut Effects,
    ) {
        match result {
            Ok(Staged::Checkpoint) => {
                self.checkpointer.answer_when_durable(Answer::Done { connection, request_id });
            }
            Ok(Staged::Log) => self.answer_when_durable(Answer::Done { connection, request_id }, effects),
            Err(reason) => self.refuse(connection, request_id, reason, key, "", effects),
        }
        self.submit_append(effects);
    }
}

//! Who may do what to a segment: the exact rules of epochs, and what a new history annuls.

use super::{Health, Segment};
use crate::effects::ConnectionId;
use crate::pending::Pending;
use hexalog_protocol::history::EpochHistory;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::message::{ReadPage, RefusalReason};
use hexalog_protocol::{Lsn, MembershipEpoch};

/// What an accepted bump or history needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acceptance {
    /// A control record.
    New,
    /// Nothing but an answer once everything before is durable: it was carried out already.
    Repeated,
}

impl Segment {
    /// Whether `writer` is exactly the one that the segment is bound to. What matters is what was promised: after
    /// a bump has been staged, nothing of an older writer comes behind it in the log.
    pub fn check_writer(&self, writer: WriterId) -> Result<(), RefusalReason> {
        if writer == self.promised {
            return Ok(());
        }
        if writer.epoch > self.promised.epoch {
            Err(RefusalReason::EpochBehind)
        } else {
            Err(RefusalReason::StaleEpoch)
        }
    }

    /// Rules for a writer's batches: exact writer, its history durable here, its view of the members.
    pub fn check_write(&self, writer: WriterId, membership: MembershipEpoch) -> Result<(), RefusalReason> {
        self.check_writer(writer)?;
        if self.is_replaced {
            return Err(RefusalReason::NotAllowed);
        }
        if !self.is_open() {
            return Err(RefusalReason::EpochBehind);
        }
        self.check_members(membership)
    }

    /// Rules for gossip, in either direction, and for an opener's repair: as for writes, but a segment that is
    /// being opened takes part.
    pub fn check_gossip(&self, writer: WriterId, membership: MembershipEpoch) -> Result<(), RefusalReason> {
        // What such a one would tell of epochs is too low, perhaps.
        self.check_promises()?;
        self.check_writer(writer)?;
        self.check_members(membership)
    }

    /// Rules for what a peer sends: as for gossip, but a damaged segment takes what makes it whole.
    pub fn check_taking(&self, writer: WriterId, membership: MembershipEpoch) -> Result<(), RefusalReason> {
        self.check_promises()?;
        self.check_writer(writer)?;
        match self.health {
            Health::NeedsHydration => Err(RefusalReason::Damaged),
            _ if membership == self.members_promised => Ok(()),
            _ => Err(RefusalReason::StaleMembership),
        }
    }

    fn check_members(&self, membership: MembershipEpoch) -> Result<(), RefusalReason> {
        match self.health {
            Health::Sound if self.lacks_index => Err(RefusalReason::Damaged),
            Health::Sound if membership == self.members_promised => Ok(()),
            Health::Sound => Err(RefusalReason::StaleMembership),
            Health::Damaged | Health::NeedsHydration => Err(RefusalReason::Damaged),
        }
    }

    /// Whether a page may be served at the read point asked for.
    pub fn check_read(&self, read: &ReadPage) -> Result<(), RefusalReason> {
        self.check_members(read.membership_epoch)?;
        if read.geometry_epoch != self.geometry_epoch {
            return Err(RefusalReason::StaleGeometry);
        }
        if read.read_point < self.gc_floor {
            return Err(RefusalReason::BelowFloor);
        }
        if read.read_point > self.vdl_heard {
            // What lies above may be annulled one day; only the writer's own epoch proves that it is not.
            self.check_writer(read.writer)?;
            if !self.is_open() {
                return Err(RefusalReason::EpochBehind);
            }
        }
        let complete = self.scl.max(self.complete_through());
        // A member that wants a page mended tells its own SCL, since it knows no tail. Records above this SCL say that the tail
        // is higher.
        let reaches_tail =
            self.scl >= read.group_tail && self.batches.first_record_in(self.scl, read.read_point).is_none();
        let is_complete = complete >= read.read_point || reaches_tail;
        if is_complete { Ok(()) } else { Err(RefusalReason::NotComplete) }
    }

    /// A bump needs a higher epoch; the same opener may repeat its own, another of the same epoch may not.
    pub fn check_bump(&self, writer: WriterId) -> Result<Acceptance, RefusalReason> {
        self.check_promises()?;
        if writer.epoch > self.promised.epoch {
            return Ok(Acceptance::New);
        }
        if writer == self.promised { Ok(Acceptance::Repeated) } else { Err(RefusalReason::StaleEpoch) }
    }

    /// A history must be of the writer promised, or of a later one. One more case: while a volume is being
    /// opened, the opener brings a segment up to the history that it adopted, whose epoch is below its own.
    pub fn check_history(
        &self,
        history: &EpochHistory,
        from: Option<ConnectionId>,
    ) -> Result<Acceptance, RefusalReason> {
        let writer = history.writer();
        if from.is_some() {
            self.check_promises()?;
        }
        if *history == self.history {
            return Ok(Acceptance::Repeated);
        }
        if writer.epoch > self.promised.epoch {
            return Ok(Acceptance::New);
        }
        if writer == self.promised {
            // One writer has one history.
            return if self.is_open() { Err(RefusalReason::NotAllowed) } else { Ok(Acceptance::New) };
        }
        let is_openers = from.is_some() && from == self.opener && !self.is_open();
        if is_openers && writer.epoch > self.history.writer().epoch && writer.epoch < self.promised.epoch {
            return Ok(Acceptance::New);
        }
        Err(RefusalReason::StaleEpoch)
    }

    /// A bump is staged: from here on the log takes nothing of an older writer.
    pub fn promise(&mut self, writer: WriterId, opener: Option<ConnectionId>) {
        assert!(writer.epoch >= self.promised.epoch);
        if writer != self.promised {
            // What the old writer told as the group's tail says nothing about the new one's.
            (self.tail, self.staged_through) = (None, Lsn::ZERO);
            if let Some(damage) = &mut self.damage {
                damage.tail = None;
            }
        }
        self.promised = writer;
        self.opener = opener;
    }

    /// A bump is durable.
    pub fn bump(&mut self, writer: WriterId) {
        if writer.epoch > self.bumped.epoch {
            self.bumped = writer;
        }
        if self.bumped.epoch > self.promised.epoch {
            self.promised = self.bumped;
            self.tail = None;
            if let Some(damage) = &mut self.damage {
                damage.tail = None;
            }
        }
        self.gossip.restart();
        assert!(self.promised.epoch >= self.bumped.epoch);
    }

    /// A history is durable: it replaces the old one, never merges with it; what its ranges cover is annulled and
    /// the SCL counted anew.
    pub fn install_history(&mut self, history: EpochHistory, pending: &mut Pending) {
        // A replay may meet a history older than the checkpoint's.
        if history.writer().epoch < self.history.writer().epoch {
            return;
        }
        self.history = history;
        self.staged_through = Lsn::ZERO;
        self.bump(self.history.writer());
        let key = self.key();
        self.scl = self.batches.scl_under(&self.history, self.scl, self.base);
        if self.health.follows_log() {
            // Versions rest on an unbroken chain that no history annuls. A replay may begin with versions made of a later
            // writer's records, and meet annulled ones of the writer before it and then the history that stood between: what
            // is in versions already is held no more, and the chain would not go on behind the fall.
            self.scl = self.scl.max(self.pages.merged_to());
        }
        let annulled = self.batches.annul(&self.history, key, (&self.pages, pending));
        for record in &annulled {
            self.pages.annul(record.page, record.lsn);
        }
        self.runs.annul(&self.history, &annulled);
        self.advance_scl();
        let covers_versions = !self.health.follows_log() || self.scl >= self.pages.merged_to();
        assert!(covers_versions, "the SCL covers what is in versions");
        self.gossip.restart();
    }
}

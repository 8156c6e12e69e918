//! What others see of a session, and what it adds to its database's counters: `pg_stat_activity` and `pg_stat_database`.
//!
//! A message's begin and ReadyForQuery tell it, each with one short lock of the session's own.

use super::transaction::{Scope, Status};
use crate::sessions::{DatabaseCounters, SessionState};
use crate::statement_statistics::BlocksUsed;
use hexalog_engine::Transaction;
use std::sync::Arc;

impl Scope {
    /// Shows others what the session has begun to do.
    pub(super) fn show_running(&self, query: &Arc<str>) {
        let settings = &self.view.settings;
        // A short one is shared with who prepared it.
        let shown = |query: &Arc<str>| match shown_part(query) {
            part if part.len() == query.len() => query.clone(),
            part => part.into(),
        };
        let query = settings.tracks_activities().then(|| shown(query));
        let since_us = (!self.has_failed_whole()).then_some(self.transaction_us);
        self.activity.run(query.as_ref(), settings.application_name(), self.statement_us(), since_us);
    }

    /// Shows others that the session awaits its client's next message.
    pub(super) fn show_resting(&mut self) {
        let state = match self.status() {
            Status::Idle | Status::Started | Status::Implicit => SessionState::Idle,
            Status::Block => SessionState::IdleInTransaction,
            Status::Failed => SessionState::IdleInFailedTransaction,
        };
        let counters = self.take_counters();
        let now_us = self.environment.wall_clock_us();
        let has_transaction = state != SessionState::Idle && !self.has_failed_whole();
        self.activity.rest(state, has_transaction, self.view.settings.application_name(), now_us, &counters);
    }

    /// Whether nothing is left of the block's transaction.
    pub(super) fn has_failed_whole(&self) -> bool {
        self.status() == Status::Failed && self.savepoints.is_empty()
    }

    pub(super) fn take_counters(&mut self) -> DatabaseCounters {
        let (used, files) = (self.blocks_used(), self.view.temporary.files_made());
        let (used_before, files_before) = std::mem::replace(&mut self.said, (used, files));
        let rows = std::mem::take(&mut self.effects.rows);
        let ends = std::mem::take(&mut self.ends);
        DatabaseCounters {
            used: used.since(&used_before),
            temporary_files: files - files_before,
            inserted: rows.inserted,
            updated: rows.updated,
            deleted: rows.deleted,
            commits: ends.commits,
            rollbacks: ends.rollbacks,
            deadlocks: ends.deadlocks,
            ..DatabaseCounters::default()
        }
    }

    /// A statement has fallen to a deadlock.
    pub(super) fn count_deadlock(&mut self) {
        self.ends.deadlocks += 1;
    }

    /// Something was planned.
    pub(super) fn count_planning(&self, us: u64) {
        self.planned_us.set(self.planned_us.get() + us);
    }

    /// How long the session has planned in all.
    pub(super) fn planned_us(&self) -> u64 {
        self.planned_us.get()
    }

    /// The blocks that the session has used in all.
    pub(super) fn blocks_used(&self) -> BlocksUsed {
        let pages = self.transaction.as_deref().map(Transaction::pages_used).unwrap_or_default();
        let (temporary_read, temporary_written) = self.view.temporary.moved();
        BlocksUsed {
            hit: self.used.hit + pages.hit,
            read: self.used.read + pages.read,
            local: self.temporary.pages_used(),
            temporary_read,
            temporary_written,
        }
    }
}

/// The session is gone.
impl Drop for Scope {
    fn drop(&mut self) {
        let counters = self.take_counters();
        self.activity.leave(self.environment.wall_clock_us(), &counters);
    }
}

/// Bytes of a query that others see: `track_activity_query_size` - 1, PostgreSQL's default.
const SHOWN_BYTES_MAX: usize = 1_023;

/// The part of a text that others see.
pub(super) fn shown_part(query: &str) -> &str {
    &query[..query.floor_char_boundary(SHOWN_BYTES_MAX)]
}

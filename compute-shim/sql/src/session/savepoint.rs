//! Savepoints of a transaction block: SAVEPOINT, RELEASE, ROLLBACK TO, and what a failed statement goes back to.
//!
//! Owns [`Savepoints`], the stack of them, and the way back. A savepoint is a place in the engine's transaction (undo
//! and locks) and in that of temporary tables, together with what the session keeps apart from them: definitions, settings,
//! modes. Sequences, prepared statements and time stamps know no savepoints, as in PostgreSQL. A statement that fails goes
//! back to the newest one at once, so that its locks fall; the block then takes nothing but its end and ROLLBACK TO.

use super::settings::SettingsMark;
use super::transaction::{Scope, Status};
use crate::catalog::Changes;
use crate::catalog::object::Oid;
use crate::execute::DeferredMark;
use crate::relation_statistics::TableChanged;
use crate::stop::Step;
use crate::stores::TemporarySavepoint;
use hexalog_engine::Savepoint;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// Savepoints of one transaction at most: some 200 MB. PostgreSQL's limit is 2^32 subtransactions.
const SAVEPOINTS_MAX: usize = 1 << 20;

/// A savepoint, and what the session was when it was set.
struct Mark {
    name: String,
    /// Portals that were opened since bear this number or a higher one.
    serial: u64,
    engine: Savepoint,
    temporary: TemporarySavepoint,
    /// The transaction's own definitions, and how often it had defined anything.
    changes: Option<Changes>,
    definitions: u64,
    settings: SettingsMark,
    read_only: bool,
    deferred: DeferredMark,
    /// How many advisory locks the transaction held, and how many databases it had to itself.
    advisory: usize,
    reserved: usize,
    /// How it had changed rows.
    changed: Vec<(Oid, TableChanged)>,
}

/// The savepoints of a transaction, the newest last.
#[derive(Default)]
pub(super) struct Savepoints {
    stack: Vec<Mark>,
    serial_last: u64,
    /// Lowest serial gone back to since the session last looked.
    gone_back_to: Option<u64>,
}

impl Savepoints {
    /// Whether going back would make a READ ONLY transaction READ WRITE.
    pub(super) fn returns_to_writing(&self) -> bool {
        self.stack.first().is_some_and(|mark| !mark.read_only)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// The serial that portals opened now are given.
    pub(super) fn serial(&self) -> u64 {
        self.serial_last
    }

    /// The transaction is over.
    pub(super) fn clear(&mut self) {
        *self = Savepoints::default();
    }

    fn find(&self, name: &str) -> Result<usize> {
        self.stack.iter().rposition(|mark| mark.name == name).ok_or_else(|| {
            let message = format!("savepoint \"{name}\" does not exist");
            SqlError::new(SqlState::INVALID_SAVEPOINT_SPECIFICATION, message)
        })
    }
}

impl Scope {
    /// SAVEPOINT.
    pub(super) fn set_savepoint(&mut self, name: &str) -> Result<()> {
        self.check_in_block("SAVEPOINT")?;
        if self.savepoints.stack.len() == SAVEPOINTS_MAX {
            let message = format!("cannot have more than {SAVEPOINTS_MAX} savepoints in a transaction");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let (engine, transaction) = self.engine_and_transaction();
        let engine = engine.savepoint(transaction);
        let temporary = self.temporary.savepoint();
        let changes = self.own_changes().cloned();
        let (definitions, settings, read_only) =
            (self.definitions(), self.view.settings.mark(), self.is_read_only());
        let deferred = self.effects.deferred.mark();
        let advisory = self.effects.advisory.mark();
        let savepoints = &mut self.savepoints;
        savepoints.serial_last += 1;
        let (name, serial) = (name.to_owned(), savepoints.serial_last);
        savepoints.stack.push(Mark {
            name,
            serial,
            engine,
            temporary,
            changes,
            definitions,
            settings,
            read_only,
            deferred,
            advisory,
            changed: self.effects.changed.clone(),
            reserved: self.effects.reserved.len(),
        });
        Ok(())
    }

    /// RELEASE SAVEPOINT: it and the later ones are no more; what was done since stays.
    pub(super) fn release_savepoint(&mut self, name: &str) -> Result<()> {
        self.check_in_block("RELEASE SAVEPOINT")?;
        let at = self.savepoints.find(name)?;
        // PostgreSQL has the mode back at either end of a subtransaction.
        self.restore_read_only(self.savepoints.stack[at].read_only);
        self.savepoints.stack.truncate(at);
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT: the later ones are no more, the block lives again. Call again after a need; given up in
    /// between, the block has failed.
    pub(super) fn roll_back_to_savepoint(&mut self, name: &str) -> Step<()> {
        if self.status() != Status::Failed {
            self.check_in_block("ROLLBACK TO SAVEPOINT")?;
        }
        let at = self.savepoints.find(name)?;
        self.savepoints.stack.truncate(at + 1);
        self.set_block_status(Status::Failed);
        self.return_to_newest_savepoint()?;
        self.set_block_status(Status::Block);
        Ok(())
    }

    /// Undoes all that came after the newest savepoint, if that is not done yet.
    pub(super) fn return_to_newest_savepoint(&mut self) -> Step<()> {
        let mark = self.savepoints.stack.last_mut().expect("there is a savepoint to go back to");
        let transaction = self.transaction.as_mut().expect("begun before its savepoints");
        self.database.engine().rollback_to(transaction, &mut mark.engine)?;
        self.temporary.roll_back_to(&mut mark.temporary)?;
        let mark = self.savepoints.stack.last().expect("as above");
        let (serial, read_only) = (mark.serial, mark.read_only);
        self.view.settings.roll_back_to(&mark.settings);
        self.effects.deferred.roll_back_to(&mark.deferred, serial);
        self.database.engine().release_advisory_since(&mut self.effects.advisory, mark.advisory);
        self.effects.reserved.truncate(mark.reserved);
        self.effects.roll_back_changed(&mark.changed);
        if mark.definitions != self.definitions() {
            let (changes, definitions) = (mark.changes.clone(), mark.definitions);
            self.restore_definitions(changes, definitions);
        }
        self.restore_read_only(read_only);
        let gone_back_to = &mut self.savepoints.gone_back_to;
        *gone_back_to = Some(gone_back_to.map_or(serial, |before| before.min(serial)));
        Ok(())
    }

    /// Portals with this serial or a higher one are gone, if any are since the last call.
    pub(super) fn take_gone_back(&mut self) -> Option<u64> {
        self.savepoints.gone_back_to.take()
    }

    /// 25P01 outside of a block that BEGIN has opened.
    fn check_in_block(&self, statement: &str) -> Result<()> {
        match self.status() {
            Status::Block => Ok(()),
            Status::Idle | Status::Started | Status::Implicit => Err(Scope::no_block(statement)),
            Status::Failed => self.check_not_failed(),
        }
    }
}

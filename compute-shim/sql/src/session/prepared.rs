//! PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED.
//!
//! Owns what a session asks and says of them: what a transaction may not have done that is to be prepared, and PostgreSQL's
//! words for identifiers that are taken, unknown or another database's. The engine has the transaction from its PREPARE on
//! (`engine/src/prepared`); what its statements have counted of tables waits in [`Database`] for its end, as long as the process lives.
//! Definitions cannot be prepared: a transaction's view of the catalog is its session's.

use super::portal::Named;
use super::transaction::{Ended, Scope, Status};
use crate::answer::Severity;
use crate::catalog::object::Oid;
use crate::catalog::{Catalog, Relation};
use crate::database::Database;
use crate::parse::tree::PreparedCommand;
use crate::stop::{Step, Stop};
use hexalog_engine::{EngineError, IDENTIFIER_BYTES_MAX, Preparation, PreparedTransaction, Transaction};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// Runs one of the three; call again after a need. Answers the command's tag.
pub(super) fn step(
    scope: &mut Scope,
    named: &mut Named,
    command: PreparedCommand,
    identifier: &str,
) -> Step<&'static str> {
    match command {
        PreparedCommand::Prepare => prepare(scope, named, identifier),
        PreparedCommand::Commit => end(scope, identifier, true),
        PreparedCommand::Rollback => end(scope, identifier, false),
    }
}

fn prepare(scope: &mut Scope, named: &mut Named, identifier: &str) -> Step<&'static str> {
    if matches!(scope.status(), Status::Started | Status::Failed) {
        if scope.status() == Status::Started {
            scope.notices.push((Severity::Warning, Scope::no_transaction()));
        }
        scope.abort()?;
        return Ok("ROLLBACK");
    }
    let is_block = scope.status() == Status::Block;
    scope.begin_commit();
    // What it holds is being written then: nothing may be looked at any more.
    if !scope.transaction.as_ref().is_some_and(|transaction| transaction.is_preparing()) {
        named.settle(scope, None)?;
        if named.portals.have_holdable() {
            return Err(refused("cannot PREPARE a transaction that has created a cursor WITH HOLD").into());
        }
        scope.check_preparable(identifier)?;
    }
    scope.prepare(identifier)?;
    if !is_block {
        scope.notices.push((Severity::Warning, Scope::no_transaction()));
    }
    Ok("PREPARE TRANSACTION")
}

fn end(scope: &mut Scope, identifier: &str, commits: bool) -> Step<&'static str> {
    let verb = if commits { "COMMIT PREPARED" } else { "ROLLBACK PREPARED" };
    scope.check_outside_block(verb)?;
    let which = scope.prepared_transaction(identifier)?;
    scope.end_prepared(&which, commits)?;
    Ok(verb)
}

fn refused(message: &str) -> SqlError {
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

fn missing(identifier: &str) -> SqlError {
    let message = format!("prepared transaction with identifier \"{identifier}\" does not exist");
    SqlError::new(SqlState::UNDEFINED_OBJECT, message)
}

/// The engine's refusals in PostgreSQL's words.
fn worded(stop: hexalog_engine::Stop, identifier: &str, database: &Database) -> Stop {
    let hexalog_engine::Stop::Fail(error) = &stop else { return stop.into() };
    let not_ready = SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE;
    match error {
        EngineError::IdentifierInUse => {
            let message = format!("transaction identifier \"{identifier}\" is already in use");
            SqlError::new(SqlState::DUPLICATE_OBJECT, message).into()
        }
        EngineError::TooManyPrepared => {
            let message = "maximum number of prepared transactions reached";
            let (asked, most) = (database.options().prepared_max, database.engine().prepared_most());
            let hint = match asked as usize > most {
                true => format!("This volume has undo streams for {most} of them: end some."),
                false => format!("Increase max_prepared_transactions (currently {asked})."),
            };
            SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message).with_hint(hint).into()
        }
        EngineError::NoSuchPrepared => missing(identifier).into(),
        EngineError::PreparedBusy => {
            let message = format!("prepared transaction with identifier \"{identifier}\" is busy");
            SqlError::new(not_ready, message).into()
        }
        _ => stop.into(),
    }
}

fn is_temporary(catalog: &Catalog, oid: Oid) -> bool {
    let schema = match catalog.relation(oid) {
        Some(Relation::Table(table)) => table.schema,
        Some(Relation::Index(table, _)) => table.schema,
        Some(Relation::View(view)) => view.schema,
        Some(Relation::Sequence(sequence)) => sequence.schema,
        Some(Relation::System(_)) | None => return false,
    };
    catalog.is_temporary(schema)
}

impl Scope {
    /// 25P01.
    pub(super) fn no_transaction() -> SqlError {
        SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress")
    }

    /// Whether the transaction is one that can be prepared under this identifier, as far as a session can tell.
    fn check_preparable(&self, identifier: &str) -> Result<()> {
        // What it has dropped is in the published catalog yet.
        let (own, published) = (self.view.catalog(), self.view.published.newest().catalog);
        let is_temporary = |oid: Oid| is_temporary(own, oid) || is_temporary(&published, oid);
        let has_temporary = |transaction: &Transaction| transaction.locked_relations().any(is_temporary);
        let mut defined = self.own_changes().into_iter().flat_map(|changes| changes.keys());
        if self.transaction.as_deref().is_some_and(has_temporary)
            || defined.any(|(_, oid)| is_temporary(*oid))
        {
            let message = "cannot PREPARE a transaction that has operated on temporary objects";
            return Err(refused(message));
        }
        if self.own_changes().is_some_and(|changes| !changes.is_empty()) {
            return Err(SqlError::unsupported("PREPARE TRANSACTION of a transaction with definitions (DDL)"));
        }
        if identifier.len() > IDENTIFIER_BYTES_MAX {
            let message = format!("transaction identifier \"{identifier}\" is too long");
            return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        if self.database.options().prepared_max == 0 {
            let message = "prepared transactions are disabled";
            return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_hint("Set max_prepared_transactions to a nonzero value."));
        }
        if self.effects.advisory.holds_one_twice() {
            let message = "cannot PREPARE while holding both session-level and transaction-level locks on the same object";
            return Err(refused(message));
        }
        Ok(())
    }

    /// The transaction leaves the session, which is idle then.
    fn prepare(&mut self, identifier: &str) -> Step<()> {
        let preparation = Preparation {
            identifier: identifier.to_owned(),
            owner: self.view.user_oid,
            database: self.view.catalog().database,
            prepared_us: self.environment.wall_clock_us(),
        };
        self.engine_and_transaction();
        let transaction = self.transaction.as_mut().expect("begun above");
        let (advisory, changed) = (&mut self.effects.advisory, &mut self.effects.changed);
        let lsn = self
            .database
            .prepare(transaction, advisory, &preparation, changed)
            .map_err(|stop| worded(stop, identifier, &self.database));
        let lsn = lsn
            .inspect_err(|_| self.told_lsn = self.told_lsn.max(self.database.engine().prepared_changed()))?;
        self.told_lsn = self.told_lsn.max(lsn);
        self.view.settings.commit();
        self.end(Ended::Committed);
        Ok(())
    }

    /// The one of this identifier, if this session may end it.
    fn prepared_transaction(&mut self, identifier: &str) -> Result<PreparedTransaction> {
        let mut all = self.engine().prepared_transactions().into_iter();
        // That it has ended may not be durable yet.
        self.told_lsn = self.told_lsn.max(self.engine().prepared_changed());
        let found = all.find(|it| it.preparation.identifier == identifier);
        let found = found.ok_or_else(|| missing(identifier))?;
        if found.preparation.database != self.view.catalog().database {
            return Err(refused("prepared transaction belongs to another database")
                .with_hint("Connect to the database where the transaction was prepared to finish it."));
        }
        Ok(found)
    }

    fn end_prepared(&mut self, which: &PreparedTransaction, commits: bool) -> Step<()> {
        let ended = self.database.end_prepared(which, commits);
        self.told_lsn = self.told_lsn.max(self.engine().prepared_changed());
        let lsn = ended.map_err(|stop| worded(stop, &which.preparation.identifier, &self.database))?;
        self.told_lsn = self.told_lsn.max(lsn);
        Ok(())
    }
}

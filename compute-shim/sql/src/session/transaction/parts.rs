//! What a running statement borrows of its session.
//!
//! Owns [`Parts`], which lends them apart from each other, and where the engine's transaction begins: with the first statement
//! that wants it.

use super::{Modes, Scope, Status};
use crate::answer::Severity;
use crate::catalog::Changes;
use crate::catalog::overlay::Overlay;
use crate::database::Database;
use crate::environment::Environment;
use crate::execute::Effects;
use crate::session::view::SessionView;
use crate::stores::Stores;
use hexalog_engine::{Engine, Transaction};
use hexalog_sql_types::SqlError;

impl Scope {
    /// The engine's transaction, begun if it was not yet.
    pub(in crate::session) fn engine_and_transaction(&mut self) -> (&Engine, &mut Transaction) {
        assert!(!matches!(self.status, Status::Idle | Status::Failed), "statements run in a transaction");
        let engine = self.database.engine();
        let Modes { isolation, read_only, deferrable, .. } = self.modes;
        let (process_id, advisory) = (self.view.process_id, &self.effects.advisory);
        // Within one message the commit before may not be durable yet.
        let told_lsn = self.told_lsn;
        let transaction = self.transaction.get_or_insert_with(|| {
            let mut transaction = engine.begin(isolation, read_only);
            transaction.set_process_id(process_id);
            transaction.set_deferrable(deferrable);
            transaction.follow(told_lsn);
            engine.begin_advisory(&transaction, advisory);
            Box::new(transaction)
        });
        (engine, transaction)
    }

    /// The parts that a running statement borrows, apart from each other.
    pub(in crate::session) fn parts(&mut self) -> Parts<'_> {
        self.engine_and_transaction();
        let transaction = self.transaction.as_mut().expect("begun above");
        Parts {
            stores: Stores { engine: self.database.engine(), transaction, temporary: &mut self.temporary },
            database: &self.database,
            view: &self.view,
            changes: self.overlay.as_ref().map_or(&self.no_changes, Overlay::changes),
            environment: &*self.environment,
            effects: &mut self.effects,
            notices: &mut self.notices,
            transaction_us: self.transaction_us,
            statement_us: self.statement_us,
        }
    }
}

/// See [`Scope::parts`].
pub(in crate::session) struct Parts<'a> {
    pub database: &'a Database,
    pub stores: Stores<'a>,
    pub view: &'a SessionView,
    /// The transaction's definitions.
    pub changes: &'a Changes,
    pub environment: &'a dyn Environment,
    pub effects: &'a mut Effects,
    pub notices: &'a mut Vec<(Severity, SqlError)>,
    pub transaction_us: i64,
    pub statement_us: i64,
}

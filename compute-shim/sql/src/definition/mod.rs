//! Definitions: CREATE, ALTER, DROP, TRUNCATE, as machines that survive a need.
//!
//! Owns [`Definition`], one such statement from its syntax tree to the change of the catalog. It locks, makes and drops
//! trees, writes the catalog's rows in the caller's transaction, and hands back what changed: the session keeps that
//! in its overlay and publishes it at commit. Never commits.

use crate::answer::{CommandTag, Severity};
use crate::catalog::Changes;
use crate::database::Database;
use crate::environment::Environment;
use crate::execute::Effects;
use crate::parse::tree::Statement;
use crate::session::SessionView;
use crate::stop::Step;
use hexalog_engine::{Engine, Transaction};
use hexalog_sql_types::{EvalEnv, SqlError};

/// The surroundings of one call.
pub(crate) struct DefinitionContext<'a> {
    pub engine: &'a Engine,
    pub database: &'a Database,
    pub transaction: &'a mut Transaction,
    pub env: EvalEnv<'a>,
    /// The catalog in it holds this transaction's earlier definitions.
    pub view: &'a SessionView,
    pub environment: &'a dyn Environment,
    pub effects: &'a mut Effects,
    /// To be sent to the client.
    pub notices: &'a mut Vec<(Severity, SqlError)>,
}

/// What a definition comes to.
pub(crate) struct Defined {
    pub tag: CommandTag,
    /// What the session adds to its overlay.
    pub changes: Changes,
}

/// One statement under way.
pub(crate) struct Definition {
    statement: Statement,
}

impl Definition {
    /// Whether a statement is one of these.
    pub(crate) fn handles(statement: &Statement) -> bool {
        matches!(
            statement,
            Statement::CreateTable(_)
                | Statement::CreateTableAs { .. }
                | Statement::CreateIndex(_)
                | Statement::CreateSchema { .. }
                | Statement::CreateSequence { .. }
                | Statement::AlterTable { .. }
                | Statement::Drop { .. }
                | Statement::Truncate { .. }
        )
    }

    pub(crate) fn new(statement: Statement) -> Definition {
        Definition { statement }
    }

    /// Goes on; call again after a need.
    pub(crate) fn step(&mut self, context: &mut DefinitionContext<'_>) -> Step<Defined> {
        let _ = (&self.statement, context);
        Err(SqlError::unsupported("this definition").into())
    }
}

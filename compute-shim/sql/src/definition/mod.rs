//! Definitions: CREATE, ALTER, DROP, TRUNCATE, as machines that survive a need.
//!
//! Owns [`Definition`], one such statement from its syntax tree to the change of the catalog. It locks, makes and drops
//! trees, writes the catalog's rows in the caller's transaction, and hands back what changed: the session keeps that
//! in its overlay and publishes it at commit. Never commits.
//!
//! Every statement goes the same way: lock what it names (`lookup.rs`), look it up in the newest catalog, draft the new
//! objects (`column.rs`, `constraint.rs`, `names.rs`, `parameters.rs`), make trees and fill them (`build.rs`,
//! `rewrite.rs`), store the objects. `replay.rs` says how that is resumed.

mod alter_action;
mod alter_database;
mod alter_table;
mod analyze;
mod build;
mod column;
mod column_statistics;
mod column_type;
mod comment;
mod constraint;
mod create_index;
mod create_table;
mod create_table_as;
mod database;
mod dependents;
mod drop;
mod drop_column;
mod drop_type;
mod enumeration;
mod expression;
mod foreign_key;
mod generated;
mod identity;
mod kept_expression;
mod key_of_index;
mod lookup;
mod names;
mod parameters;
mod reindex;
mod replay;
mod rewrite;
mod sampling;
mod schema;
mod sequence;
mod set_schema;
mod sorter;
pub(crate) mod temporary;
mod truncate;
mod validate;
mod view;

pub(crate) use sequence::literal as sequence_literal;

pub(crate) use analyze::{BLOCK_BYTES, skipped};
pub(crate) use column::is_system_column;
pub(crate) use create_index::column_names;
pub(crate) use database::no_database;
pub(crate) use lookup::{no_schema, not_a};
pub(crate) use parameters::parse_bool;
pub(crate) use reindex::was_reindexed;

use crate::answer::{CommandTag, Severity};
use crate::catalog::object::Oid;
use crate::catalog::overlay::ChangeSet;
use crate::catalog::store::Write;
use crate::catalog::{Catalog, Changes, statistics};
use crate::database::Database;
use crate::environment::Environment;
use crate::execute::Effects;
use crate::parse::tree::{Maintenance, ObjectKind, Statement};
use crate::session::SessionView;
use crate::stop::Step;
use crate::stores::Stores;
use hexalog_engine::{Engine, Need, RelationLockMode, Transaction};
use hexalog_protocol::Lsn;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, TypeId};
use replay::Replay;
use std::sync::Arc;

/// The surroundings of one call.
pub(crate) struct DefinitionContext<'a> {
    pub stores: Stores<'a>,
    pub database: &'a Database,
    pub env: EvalEnv<'a>,
    /// The catalog in it holds this transaction's earlier definitions.
    pub view: &'a SessionView,
    /// This transaction's earlier definitions.
    pub changes: &'a Changes,
    pub environment: &'a dyn Environment,
    pub effects: &'a mut Effects,
    /// To be sent to the client.
    pub notices: &'a mut Vec<(Severity, SqlError)>,
}

impl DefinitionContext<'_> {
    /// The catalog as it stands now: what others have published since the statement began, and this transaction's own
    /// definitions on top. Asked once a lock is held.
    fn newest(&self) -> Arc<Catalog> {
        let published = self.view.published.newest().catalog;
        if self.changes.is_empty() {
            return published;
        }
        if published.version == self.view.catalog().version {
            return self.view.catalog_arc().clone();
        }
        Arc::new(published.with_changes(self.changes, published.version, true))
    }

    /// Where what is made in a schema comes to lie.
    fn home_of(&mut self, schema: Oid) -> (&Engine, &mut Transaction) {
        let is_temporary = self.view.catalog().is_temporary(schema);
        self.stores.of_schema(is_temporary)
    }

    fn notice(&mut self, state: SqlState, message: String) {
        self.notices.push((Severity::Notice, SqlError::new(state, message)));
    }
}

/// What a definition comes to.
pub(crate) struct Defined {
    pub tag: CommandTag,
    /// What the session adds to its overlay.
    pub changes: Changes,
}

impl Defined {
    fn plain(verb: &'static str, changes: Changes) -> Defined {
        Defined { tag: CommandTag::plain(verb), changes }
    }

    /// Nothing was to be done.
    fn nothing(verb: &'static str) -> Defined {
        Defined::plain(verb, Changes::new())
    }
}

/// The parameters of a definition's query: their types and their values.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    pub types: Arc<[TypeId]>,
    pub values: Arc<[Datum]>,
}

/// One statement under way.
pub(crate) struct Definition {
    statement: Statement,
    parameters: Option<Parameters>,
    replay: Replay,
}

impl Definition {
    /// Whether a statement is one of these.
    pub(crate) fn handles(statement: &Statement) -> bool {
        verb(statement).is_some()
    }

    pub(crate) fn new(statement: Statement) -> Definition {
        Definition { statement, parameters: None, replay: Replay::default() }
    }

    /// Of a statement whose query has parameters.
    pub(crate) fn with_parameters(statement: Statement, parameters: Parameters) -> Definition {
        Definition { parameters: Some(parameters), ..Definition::new(statement) }
    }

    pub(crate) fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Goes on; call again after a need.
    pub(crate) fn step(&mut self, context: &mut DefinitionContext<'_>) -> Step<Defined> {
        let Definition { statement, parameters, replay } = self;
        if context.stores.transaction.is_read_only() {
            let verb = verb(statement).unwrap_or("this statement");
            let message = format!("cannot execute {verb} in a read-only transaction");
            return Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message).into());
        }
        replay.rewind();
        match statement {
            Statement::CreateTableAs { .. } => {
                let create = create_table_as::CreateTableAs::of(statement, parameters.as_ref());
                create_table_as::run(replay, context, &create)
            }
            Statement::Drop { kind: ObjectKind::Schema, names, if_exists, cascade, concurrently: _ } => {
                drop::schemas(replay, context, names, *if_exists, *cascade)
            }
            Statement::Drop { kind, names, if_exists, cascade, concurrently } => {
                // The session holds the table, and has waited for all who read it.
                let mode = match concurrently {
                    true => RelationLockMode::AccessShare,
                    false => RelationLockMode::AccessExclusive,
                };
                drop::relations(replay, context, (*kind, mode), names, *if_exists, *cascade)
            }
            Statement::DropDatabase { name, if_exists, force } => {
                database::drop(replay, context, name, *if_exists, *force)
            }
            statement => created_or_altered(replay, context, statement),
        }
    }
}

/// A definition that takes nothing but its statement.
fn created_or_altered(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    statement: &Statement,
) -> Step<Defined> {
    match statement {
        Statement::CreateTable(create) => create_table::run(replay, context, create),
        Statement::Maintenance(maintenance) => analyze::run(replay, context, maintenance),
        Statement::Reindex { kind, name, options } => reindex::run(replay, context, *kind, name, *options),
        Statement::CopyIndex { table, index } => reindex::copy(replay, context, *table, *index),
        Statement::SwapIndex { table, index, copy } => {
            reindex::swap(replay, context, *table, (*index, *copy))
        }
        Statement::CreateIndex(create) => create_index::run(replay, context, create),
        Statement::SetIndexState { table, index, state } => {
            create_index::set_state(replay, context, (*table, *index), *state)
        }
        Statement::Comment { target, text } => comment::run(replay, context, target, text.as_deref()),
        Statement::CreateView(create) => view::create(replay, context, create),
        Statement::AlterView { name, if_exists, action } => {
            view::alter(replay, context, name, *if_exists, action, "ALTER VIEW")
        }
        Statement::CreateEnum { name, labels } => enumeration::create(replay, context, name, labels),
        Statement::AlterType { name, action } => enumeration::alter(replay, context, name, action),
        Statement::DropType { names, if_exists, cascade } => {
            drop_type::run(replay, context, names, *if_exists, *cascade)
        }
        Statement::CreateDatabase { name, properties } => database::create(replay, context, name, properties),
        Statement::AlterDatabase { name, action } => alter_database::run(replay, context, name, action),
        Statement::CreateSchema { name, if_not_exists } => {
            schema::create(replay, context, name, *if_not_exists)
        }
        Statement::CreateTemporarySchema => temporary::create_schema(replay, context),
        Statement::CreateSequence { name, temporary, if_not_exists, options } => {
            sequence::create(replay, context, (name, *temporary), *if_not_exists, options)
        }
        Statement::AlterSequence { name, if_exists, action } => {
            sequence::alter(replay, context, name, *if_exists, action)
        }
        Statement::AlterSchema { name, action } => schema::alter(replay, context, name, action),
        Statement::RenameRelation { kind, name, if_exists, to } => {
            alter_action::rename_relation(replay, context, *kind, name, *if_exists, to)
        }
        Statement::AlterTable { name, if_exists, actions } => {
            alter_table::run(replay, context, name, *if_exists, actions)
        }
        Statement::AlterIndex { name, if_exists, actions } => {
            alter_table::run_index(replay, context, name, *if_exists, actions)
        }
        Statement::Truncate { tables, restart_identity, cascade } => {
            truncate::run(replay, context, tables, *restart_identity, *cascade)
        }
        _ => unreachable!("asked by `handles`"),
    }
}

/// The statement's name in messages and tags; `None` for statements that are no definitions.
pub(crate) fn verb(statement: &Statement) -> Option<&'static str> {
    Some(match statement {
        Statement::CreateTable(_) => "CREATE TABLE",
        Statement::CreateTableAs { is_select_into: true, .. } => "SELECT INTO",
        Statement::CreateTableAs { .. } => "CREATE TABLE AS",
        Statement::Maintenance(Maintenance { analyze: true, is_vacuum: true, .. }) => "VACUUM",
        Statement::Maintenance(Maintenance { analyze: true, .. }) => "ANALYZE",
        Statement::Reindex { .. } | Statement::CopyIndex { .. } | Statement::SwapIndex { .. } => "REINDEX",
        Statement::CreateIndex(_) | Statement::SetIndexState { .. } => "CREATE INDEX",
        Statement::Comment { .. } => "COMMENT",
        Statement::CreateView(_) => "CREATE VIEW",
        Statement::AlterView { .. } => "ALTER VIEW",
        Statement::CreateSchema { .. } | Statement::CreateTemporarySchema => "CREATE SCHEMA",
        Statement::CreateDatabase { .. } => "CREATE DATABASE",
        Statement::AlterDatabase { .. } => "ALTER DATABASE",
        Statement::DropDatabase { .. } => "DROP DATABASE",
        Statement::CreateEnum { .. } => "CREATE TYPE",
        Statement::AlterType { .. } => "ALTER TYPE",
        Statement::DropType { .. } => "DROP TYPE",
        Statement::CreateSequence { .. } => "CREATE SEQUENCE",
        Statement::AlterSequence { .. } => "ALTER SEQUENCE",
        Statement::AlterSchema { .. } => "ALTER SCHEMA",
        Statement::AlterTable { .. } => "ALTER TABLE",
        Statement::AlterIndex { .. } | Statement::RenameRelation { kind: ObjectKind::Index, .. } => {
            "ALTER INDEX"
        }
        Statement::RenameRelation { .. } => "ALTER SEQUENCE",
        Statement::Drop { kind, .. } => drop_verb(*kind),
        Statement::Truncate { .. } => "TRUNCATE TABLE",
        _ => return None,
    })
}

fn drop_verb(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "DROP TABLE",
        ObjectKind::Index => "DROP INDEX",
        ObjectKind::Sequence => "DROP SEQUENCE",
        ObjectKind::Schema => "DROP SCHEMA",
        ObjectKind::View => "DROP VIEW",
    }
}

/// Stores a statement's changes; the last step of each. `before` is the catalog that they were drafted from. What it has
/// not got cannot fall: every change that is left has rows to write, so that its commit has an LSN of its own.
fn store(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    changes: ChangeSet,
) -> Step<Changes> {
    let changes = comment::forget_fallen(before, changes.into_changes());
    let mut changes = statistics::forget_fallen(before, changes);
    changes.retain(|&(class, oid), change| change.is_some() || before.object(class, oid).is_some());
    enumeration::hold_types(replay, context, before, &changes)?;
    replay.drive(
        context,
        |_| Ok(Write::new(before, &changes)),
        |write, context| write.step(context.stores.engine, context.stores.transaction),
    )?;
    Ok(changes)
}

/// From here on the statement reads every row that is there, whatever the transaction's isolation: it waits until what
/// earlier holders of its locks have committed is durable, and takes the newest snapshot, which it answers with. Its own
/// earlier changes are seen too.
fn see_every_row(replay: &mut Replay, context: &mut DefinitionContext<'_>) -> Step<Lsn> {
    let lsn = replay.once(context, |context| Ok(context.stores.engine.appended()))?;
    replay.once(context, |context| match context.stores.engine.volume().vdl() < lsn {
        true => Err(Need::Durable(lsn).into()),
        false => Ok(()),
    })?;
    replay.once(context, |context| {
        context.stores.begin_statement_at_newest()?;
        Ok(context.stores.transaction.snapshot().expect("a statement has begun"))
    })
}

/// Rows between two looks at the world outside, as in the executor.
const ROWS_PER_YIELD: u32 = 1_000;

/// Lets others run from time to time while many rows are worked on, and notices cancellation.
#[derive(Debug, Default)]
struct Pace {
    rows: u32,
}

impl Pace {
    /// Called before each row, when nothing of it has been done.
    fn row(&mut self, context: &DefinitionContext<'_>) -> Step<()> {
        self.rows += 1;
        if self.rows < ROWS_PER_YIELD {
            return Ok(());
        }
        self.rows = 0;
        match context.environment.cancelled() {
            Some(reason) => Err(reason.error().into()),
            None => Err(Need::Yield.into()),
        }
    }
}

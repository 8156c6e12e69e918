//! What is particular to temporary objects: the schema that they are in, and what becomes of tables at a commit.
//!
//! Each session has a schema `pg_temp_N` of its own, made ahead of its first temporary object. All that is temporary about
//! an object is that it lies there: whoever empties the schema, at the session's end or at a start
//! (`session/temporary.rs`), ends its objects.

use super::replay::Replay;
use super::{Defined, DefinitionContext, store};
use crate::catalog::object::{Object, Oid, Schema, TEMPORARY_ALIAS};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{OnCommit, Statement};
use crate::session::{CreationPlace, SessionView};
use crate::stop::Step;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// Whether a statement makes something in the session's schema for temporary objects, which therefore must be there.
pub(crate) fn wants_schema(statement: &Statement, view: &SessionView) -> bool {
    let (name, temporary) = match statement {
        Statement::CreateTable(create) => (&create.name, create.temporary),
        Statement::CreateTableAs { name, temporary, .. } => (name, *temporary),
        Statement::CreateSequence { name, temporary, .. } => (name, *temporary),
        Statement::CreateView(create) => (&create.name, create.temporary),
        _ => return false,
    };
    match name.qualifier() {
        Some(schema) => schema == TEMPORARY_ALIAS,
        None => temporary || view.creation_place() == CreationPlace::Temporary,
    }
}

/// Makes the session's schema for temporary objects.
pub(super) fn create_schema(replay: &mut Replay, context: &mut DefinitionContext<'_>) -> Step<Defined> {
    let (before, schema) = replay.once(context, |context| {
        let oid = context.database.allocate_oid()?;
        let name = context.view.temporary_name();
        let name =
            name.ok_or_else(|| SqlError::internal("a session takes its number ahead of its schema"))?;
        let schema = Schema { oid, name, owner: crate::catalog::object::ROLE_OID };
        Ok((context.newest(), Arc::new(schema)))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Schema(schema));
    Ok(Defined::plain("CREATE SCHEMA", store(replay, context, &before, changes)?))
}

/// 42P16 for ON COMMIT of a table that is not temporary.
pub(super) fn check_on_commit(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    schema: Oid,
    on_commit: Option<OnCommit>,
) -> Step<()> {
    replay.once(context, |context| {
        if on_commit.is_none() || context.newest().is_temporary(schema) {
            return Ok(());
        }
        let message = "ON COMMIT can only be used on temporary tables";
        Err(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message).into())
    })
}

/// Has the session do at its commits what was asked for. Comes last in a statement, so that it comes once.
pub(super) fn note_on_commit(context: &mut DefinitionContext<'_>, table: Oid, on_commit: Option<OnCommit>) {
    if let Some(action @ (OnCommit::DeleteRows | OnCommit::Drop)) = on_commit {
        context.effects.on_commit.push((table, action));
    }
}

//! CREATE and ALTER SCHEMA.

use super::alter_action::role_oid;
use super::replay::Replay;
use super::{Defined, DefinitionContext, lookup, store};
use crate::catalog::object::{Object, Schema};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::AlterSchemaAction;
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// ALTER SCHEMA.
pub(super) fn alter(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    action: &AlterSchemaAction,
) -> Step<Defined> {
    let (before, altered) = replay.once(context, |context| {
        let found = context.newest().schema_by_name(name).map(|schema| schema.oid);
        let oid = found.ok_or_else(|| lookup::no_schema(name))?;
        lookup::lock_schema(context, oid, RelationLockMode::AccessExclusive)?;
        let before = context.newest();
        let schema = before.schema(oid).filter(|schema| schema.name == name);
        let mut schema = Schema::clone(schema.ok_or_else(|| lookup::no_schema(name))?);
        match action {
            AlterSchemaAction::OwnerTo(role) => schema.owner = role_oid(context, &before, role)?,
            AlterSchemaAction::Rename(to) => {
                // Defaults hold the names of sequences with their schemas.
                let holds = before.sequences().any(|sequence| sequence.schema == oid);
                if holds {
                    return Err(SqlError::unsupported("renaming a schema that holds sequences").into());
                }
                if before.schema_by_name(to).is_some() {
                    let message = format!("schema \"{to}\" already exists");
                    return Err(SqlError::new(SqlState::DUPLICATE_SCHEMA, message).into());
                }
                check_name(to)?;
                schema.name.clone_from(to);
            }
        }
        Ok((before, schema))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Schema(Arc::new(altered)));
    Ok(Defined::plain("ALTER SCHEMA", store(replay, context, &before, changes)?))
}

/// 42939 for names that are the system's.
fn check_name(name: &str) -> Result<()> {
    if !name.starts_with("pg_") {
        return Ok(());
    }
    let message = format!("unacceptable schema name \"{name}\"");
    Err(SqlError::new(SqlState::RESERVED_NAME, message)
        .with_detail("The prefix \"pg_\" is reserved for system schemas."))
}

/// CREATE SCHEMA [IF NOT EXISTS].
pub(super) fn create(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    if_not_exists: bool,
) -> Step<Defined> {
    let drafted = replay.once(context, |context| {
        check_name(name)?;
        let before = context.newest();
        if before.schema_by_name(name).is_none() {
            let oid = context.database.allocate_oid()?;
            let owner = context.view.user_oid;
            let schema = Arc::new(Schema { oid, name: name.to_owned(), owner });
            return Ok(Some((before, schema)));
        }
        let message = format!("schema \"{name}\" already exists");
        if !if_not_exists {
            return Err(SqlError::new(SqlState::DUPLICATE_SCHEMA, message).into());
        }
        context.notice(SqlState::DUPLICATE_SCHEMA, format!("{message}, skipping"));
        Ok(None)
    })?;
    let Some((before, schema)) = drafted else { return Ok(Defined::nothing("CREATE SCHEMA")) };
    let mut changes = ChangeSet::default();
    changes.put(Object::Schema(schema));
    Ok(Defined::plain("CREATE SCHEMA", store(replay, context, &before, changes)?))
}

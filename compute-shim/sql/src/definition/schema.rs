//! CREATE SCHEMA.

use super::replay::Replay;
use super::{Defined, DefinitionContext, store};
use crate::catalog::object::{Object, Schema};
use crate::catalog::overlay::ChangeSet;
use crate::stop::Step;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// CREATE SCHEMA [IF NOT EXISTS].
pub(super) fn create(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    if_not_exists: bool,
) -> Step<Defined> {
    let drafted = replay.once(context, |context| {
        if name.starts_with("pg_") {
            let message = format!("unacceptable schema name \"{name}\"");
            return Err(SqlError::new(SqlState::RESERVED_NAME, message)
                .with_detail("The prefix \"pg_\" is reserved for system schemas.")
                .into());
        }
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

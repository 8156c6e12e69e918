//! ALTER DATABASE.

use super::alter_action::role_oid;
use super::database::{apply, have_alone, locked, name_taken, no_database};
use super::replay::Replay;
use super::{Defined, DefinitionContext, store};
use crate::catalog::object::{DatabaseObject, Object};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{AlterDatabaseAction, SettingValue};
use crate::session::Settings;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// ALTER DATABASE.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    action: &AlterDatabaseAction,
) -> Step<Defined> {
    let found = locked(replay, context, name)?.ok_or_else(|| no_database(name))?;
    if found.is_first_template() {
        return Err(SqlError::unsupported(format!("ALTER DATABASE of {name}")).into());
    }
    if let AlterDatabaseAction::Rename(to) = action {
        replay.once(context, |context| Ok(check_rename(context, &found, to)?))?;
        have_alone(replay, context, found.oid, &format!("database \"{name}\""), false)?;
    }
    let (before, altered) = replay.once(context, |context| {
        let mut altered = DatabaseObject::clone(&found);
        alter(context, &mut altered, action)?;
        Ok((context.newest(), altered))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Database(Arc::new(altered)));
    Ok(Defined::plain("ALTER DATABASE", store(replay, context, &before, changes)?))
}

fn check_rename(context: &DefinitionContext<'_>, database: &DatabaseObject, to: &str) -> Result<()> {
    if context.newest().database_by_name(to).is_some() {
        return Err(name_taken(to));
    }
    if database.oid == context.view.catalog().database {
        let message = "current database cannot be renamed";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(())
}

fn alter(
    context: &DefinitionContext<'_>,
    database: &mut DatabaseObject,
    action: &AlterDatabaseAction,
) -> Result<()> {
    match action {
        AlterDatabaseAction::Rename(to) => database.name.clone_from(to),
        AlterDatabaseAction::OwnerTo(role) => {
            database.owner = role_oid(context, &context.newest(), role)?;
        }
        AlterDatabaseAction::Properties(properties) => {
            apply(database, properties);
            if !database.allows_connections && database.oid == context.view.catalog().database {
                let message = "cannot disallow connections for current database";
                return Err(SqlError::invalid_parameter(message));
            }
        }
        AlterDatabaseAction::Set { name, value: SettingValue::Default }
        | AlterDatabaseAction::Reset(Some(name)) => {
            let name = context.view.settings.changeable(name)?;
            database.settings.retain(|(set, _)| *set != name);
        }
        AlterDatabaseAction::Set { name, value: SettingValue::Values(values) } => {
            let value = Settings::written(name, values)?;
            set(context, database, name, &value)?;
        }
        AlterDatabaseAction::SetFromCurrent(name) => {
            let (name, value) = context.view.settings.show(name)?;
            set(context, database, &name, &value)?;
        }
        AlterDatabaseAction::Reset(None) => database.settings.clear(),
    }
    Ok(())
}

/// The value is kept as it is written: what it comes to is for each session to find.
fn set(
    context: &DefinitionContext<'_>,
    database: &mut DatabaseObject,
    name: &str,
    value: &str,
) -> Result<()> {
    let (name, _) = context.view.settings.checked(name, value)?;
    let value = value.to_owned();
    match database.settings.iter_mut().find(|(set, _)| *set == name) {
        Some((_, before)) => *before = value,
        None => database.settings.push((name, value)),
    }
    Ok(())
}

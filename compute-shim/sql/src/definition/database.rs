//! CREATE and DROP DATABASE, and how a definition has a database to itself.
//!
//! Owns the writing of a database's first objects and the dropping of all its last ones: these are in a catalog other
//! than the session's own, so that no change of the session's names them. The publication makes and drops the catalog
//! with its database (`database.rs`).

use super::alter_action::role_oid;
use super::replay::Replay;
use super::sequence;
use super::truncate::drop_trees;
use super::{Defined, DefinitionContext, store};
use crate::catalog::object::{DatabaseObject, Object, ObjectClass, Oid, TEMPLATES};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::store::Write;
use crate::catalog::{Catalog, Changes, first_schemas};
use crate::environment::LOOK_US;
use crate::parse::tree::DatabaseProperties;
use crate::stop::Step;
use hexalog_engine::{Need, RelationLockMode, TreeId};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// 3D000.
pub(crate) fn no_database(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))
}

/// 42P04.
pub(super) fn name_taken(name: &str) -> SqlError {
    SqlError::new(SqlState::DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))
}

/// 55006 while so many others are connected, and so many of its transactions prepared.
pub(super) fn in_use(what: &str, others: usize, prepared: usize) -> SqlError {
    let detail = match (others, prepared) {
        (1, 0) => "There is 1 other session using the database.".to_owned(),
        (_, 0) => format!("There are {others} other sessions using the database."),
        (0, _) => prepared_using(prepared),
        _ => format!(
            "There are {others} other session(s) and {prepared} prepared transaction(s) using the database."
        ),
    };
    SqlError::new(SqlState::OBJECT_IN_USE, format!("{what} is being accessed by other users"))
        .with_detail(detail)
}

fn prepared_using(prepared: usize) -> String {
    match prepared {
        1 => "There is 1 prepared transaction using the database.".to_owned(),
        _ => format!("There are {prepared} prepared transactions using the database."),
    }
}

/// Prepared transactions of a database.
fn prepared_in(context: &DefinitionContext<'_>, database: Oid) -> usize {
    let all = context.stores.engine.prepared_transactions();
    all.iter().filter(|it| it.preparation.database == database).count()
}

/// 55006: those cannot be told to leave.
fn used_by_prepared(what: &str, prepared: usize) -> SqlError {
    SqlError::new(SqlState::OBJECT_IN_USE, format!("{what} is being used by prepared transactions"))
        .with_detail(prepared_using(prepared))
}

/// How long others may take to leave, as in PostgreSQL: clients do not wait for the end of the sessions that they close.
const LEAVE_US: i64 = 5_000_000;

/// Keeps new sessions from a database until the transaction ends, and waits until those that are there have gone. `force`:
/// they are told to. Its name in the refusal: `what`.
pub(super) fn have_alone(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    database: Oid,
    what: &str,
    force: bool,
) -> Step<()> {
    let begun_us = replay.once(context, |context| {
        let has_it = context.effects.reserved.iter().any(|reserved| reserved.database() == database);
        if !has_it {
            // Its lock is held: whoever has reserved it has come to his end, or is about to.
            let Some(reserved) = context.database.connections.reserve(database) else {
                context.environment.pause(LOOK_US);
                return Err(Need::Yield.into());
            };
            context.effects.reserved.push(Arc::new(reserved));
        }
        Ok(context.environment.wall_clock_us())
    })?;
    replay.once(context, |context| {
        let others = context.database.connections.others(database, context.view.process_id);
        let prepared = prepared_in(context, database);
        if others.is_empty() && prepared == 0 {
            return Ok(());
        }
        if force && prepared > 0 {
            return Err(used_by_prepared(what, prepared).into());
        }
        if force {
            others.iter().for_each(|&other| context.environment.terminate(other));
        }
        if let Some(reason) = context.environment.cancelled() {
            return Err(reason.error().into());
        }
        if context.environment.wall_clock_us() - begun_us >= LEAVE_US {
            return Err(in_use(what, others.len(), prepared).into());
        }
        context.environment.pause(LOOK_US);
        Err(Need::Yield.into())
    })
}

/// The database of this name, locked: against being altered, dropped or copied by others.
pub(super) fn locked(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
) -> Step<Option<Arc<DatabaseObject>>> {
    replay.once(context, |context| {
        let mut held = None;
        loop {
            let Some(found) = context.newest().database_by_name(name).cloned() else { return Ok(None) };
            if held == Some(found.oid) {
                return Ok(Some(found));
            }
            // Another may bear the name once the lock is there, or none.
            context.stores.engine.lock_relation(
                context.stores.transaction,
                found.oid,
                RelationLockMode::AccessExclusive,
            )?;
            held = Some(found.oid);
        }
    })
}

/// The template of a new database, if it must be looked at: the first ones are as new.
fn check_template(replay: &mut Replay, context: &mut DefinitionContext<'_>, name: &str) -> Step<()> {
    if TEMPLATES.iter().any(|(_, template)| *template == name) {
        return Ok(());
    }
    let template = locked(replay, context, name)?.ok_or_else(|| {
        let message = format!("template database \"{name}\" does not exist");
        SqlError::new(SqlState::INVALID_CATALOG_NAME, message)
    })?;
    have_alone(replay, context, template.oid, &format!("source database \"{name}\""), false)?;
    replay.once(context, |context| {
        let catalog = context.database.catalog_of(template.oid).ok_or_else(|| no_database(name))?;
        if catalog.newest().catalog.is_as_new() {
            return Ok(());
        }
        Err(SqlError::unsupported(format!("TEMPLATE \"{name}\", which holds objects of its own,")).into())
    })
}

/// CREATE DATABASE.
pub(super) fn create(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    properties: &DatabaseProperties,
) -> Step<Defined> {
    let owner = replay.once(context, |context| match &properties.owner {
        Some(role) => Ok(role_oid(context, &context.newest(), role)?),
        None => Ok(context.view.user_oid),
    })?;
    check_template(replay, context, properties.template.as_deref().unwrap_or(TEMPLATES[0].1))?;
    let (before, oid) = replay.once(context, |context| {
        let before = context.newest();
        if before.database_by_name(name).is_some() {
            return Err(name_taken(name).into());
        }
        Ok((before, context.database.allocate_database_oid()?))
    })?;
    let mut database = DatabaseObject::new(oid, name, owner);
    apply(&mut database, properties);
    write(replay, context, &Catalog::empty(oid), &first_schemas())?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Database(Arc::new(database)));
    Ok(Defined::plain("CREATE DATABASE", store(replay, context, &before, changes)?))
}

/// What is said of a database, but its owner and template.
pub(super) fn apply(database: &mut DatabaseObject, properties: &DatabaseProperties) {
    let DatabaseProperties { owner: _, template: _, connection_limit, allows_connections, is_template } =
        properties;
    database.connection_limit = connection_limit.unwrap_or(database.connection_limit);
    database.allows_connections = allows_connections.unwrap_or(database.allows_connections);
    database.is_template = is_template.unwrap_or(database.is_template);
}

/// Writes objects of another database.
fn write(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    changes: &Changes,
) -> Step<()> {
    replay.drive(
        context,
        |_| Ok(Write::new(before, changes)),
        |write, context| write.step(context.stores.engine, context.stores.transaction),
    )
}

/// The database that falls, locked; `None` if there is none and that is no error.
fn target(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    if_exists: bool,
) -> Step<Option<Arc<DatabaseObject>>> {
    let Some(database) = locked(replay, context, name)? else {
        if !if_exists {
            return Err(no_database(name).into());
        }
        replay.once(context, |context| {
            let message = format!("database \"{name}\" does not exist, skipping");
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            Ok(())
        })?;
        return Ok(None);
    };
    check_may_fall(context, &database)?;
    Ok(Some(database))
}

fn check_may_fall(context: &DefinitionContext<'_>, database: &DatabaseObject) -> Result<()> {
    if database.is_template {
        let message = "cannot drop a template database";
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    if database.oid == context.view.catalog().database {
        let message = "cannot drop the currently open database";
        return Err(SqlError::new(SqlState::OBJECT_IN_USE, message));
    }
    Ok(())
}

/// DROP DATABASE.
pub(super) fn drop(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    if_exists: bool,
    force: bool,
) -> Step<Defined> {
    let Some(database) = target(replay, context, name, if_exists)? else {
        return Ok(Defined::nothing("DROP DATABASE"));
    };
    have_alone(replay, context, database.oid, &format!("database \"{name}\""), force)?;
    // Nobody is there to change it any more.
    let (before, fallen) = replay.once(context, |context| {
        let fallen = context.database.catalog_of(database.oid).ok_or_else(|| no_database(name))?;
        Ok((context.newest(), fallen.newest().catalog))
    })?;
    let trees: Vec<TreeId> = fallen.tables().flat_map(|table| table.trees()).collect();
    drop_trees(replay, context, trees, None)?;
    for sequence in fallen.sequences() {
        sequence::drop(replay, context, sequence.id)?;
    }
    let objects: Changes = fallen.own_objects().into_iter().map(|key| (key, None)).collect();
    write(replay, context, &fallen, &objects)?;
    let mut changes = ChangeSet::default();
    changes.remove(ObjectClass::Database, database.oid);
    Ok(Defined::plain("DROP DATABASE", store(replay, context, &before, changes)?))
}

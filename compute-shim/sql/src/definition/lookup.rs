//! Names to objects, under their locks.
//!
//! Owns the order that makes it safe: lock what the name means, then look again; if it has come to mean something else
//! meanwhile, lock that. Only then is the catalog believed. Also where new objects go.

use super::DefinitionContext;
use super::replay::Replay;
use crate::catalog::object::{INFORMATION_SCHEMA_OID, Oid, PG_CATALOG_OID, TEMPORARY_ALIAS, Table};
use crate::catalog::{Catalog, Relation};
use crate::parse::at;
use crate::parse::tree::{Name, ObjectKind};
use crate::session::{CreationPlace, SessionView};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// What a name leads to.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Relation(Relation),
    Nothing,
    /// Its schema does not exist.
    NoSchema(String),
}

/// `schema "x" does not exist`.
pub(crate) fn no_schema(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"))
}

/// `relation "x" does not exist`.
pub(super) fn no_relation(name: &Name) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

/// 42809 `"x" is not a table`.
pub(crate) fn not_a(kind: &str, name: &str) -> SqlError {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    SqlError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not {article} {kind}"))
}

/// 42501 for the system's own tables.
pub(super) fn is_system(name: &str) -> SqlError {
    let message = format!("permission denied: \"{name}\" is a system catalog");
    SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

pub(super) fn kind_of(relation: &Relation) -> ObjectKind {
    match relation {
        Relation::Table(_) => ObjectKind::Table,
        Relation::Index(..) => ObjectKind::Index,
        Relation::Sequence(_) => ObjectKind::Sequence,
        Relation::View(_) => ObjectKind::View,
        Relation::System(table) if table.is_view => ObjectKind::View,
        Relation::System(_) => ObjectKind::Table,
    }
}

/// Refuses names of other databases and of too many parts.
pub(super) fn check_parts(view: &SessionView, name: &Name) -> Result<()> {
    match &*name.parts {
        [_] | [_, _] => Ok(()),
        [database, _, _] if *database == view.database => Ok(()),
        [_, _, _] => {
            let message = format!("cross-database references are not implemented: \"{name}\"");
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
        _ => {
            let message = format!("improper qualified name (too many dotted names): {name}");
            Err(SqlError::syntax(message))
        }
    }
}

/// What a name means in one catalog.
pub(super) fn find(catalog: &Catalog, view: &SessionView, name: &Name) -> Result<Found> {
    check_parts(view, name)?;
    let relation = match name.qualifier() {
        Some(schema) => match view.schema_in(catalog, schema) {
            Some(schema) => catalog.relation_in(schema.oid, name.last()),
            None => return Ok(Found::NoSchema(schema.to_owned())),
        },
        None => catalog.relation_on_path(view.search_path(), name.last()),
    };
    Ok(relation.map_or(Found::Nothing, Found::Relation))
}

/// The number that a relation is locked by: an index's table stands for it, since their object is one.
fn lock_number(relation: &Relation) -> Option<Oid> {
    match relation {
        Relation::Table(table) | Relation::Index(table, _) => Some(table.oid),
        Relation::Sequence(sequence) => Some(sequence.oid),
        Relation::View(view) => Some(view.oid),
        Relation::System(_) => None,
    }
}

/// Locks what a name means, and answers with it as it is once the lock is held.
pub(super) fn locked(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    mode: RelationLockMode,
) -> Step<Found> {
    replay.once(context, |context| {
        let mut held = None;
        loop {
            let found = find(&context.newest(), context.view, name)?;
            let wanted = match &found {
                Found::Relation(relation) => lock_number(relation),
                Found::Nothing | Found::NoSchema(_) => None,
            };
            let Some(oid) = wanted.filter(|_| wanted != held) else { return Ok(found) };
            context.stores.engine.lock_relation(context.stores.transaction, oid, mode)?;
            held = wanted;
        }
    })
}

/// Locks the table that a name means; errors as they are for statements about tables.
pub(super) fn locked_table(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    mode: RelationLockMode,
) -> Step<Arc<Table>> {
    match locked(replay, context, name, mode)? {
        Found::Relation(Relation::Table(table)) => {
            context.view.check_own(&context.newest(), table.schema)?;
            Ok(table)
        }
        Found::Relation(Relation::System(table)) if !table.is_view => Err(is_system(table.name).into()),
        Found::Relation(_) => Err(not_a("table", name.last()).into()),
        Found::Nothing => Err(no_relation(name).into()),
        Found::NoSchema(schema) => Err(no_schema(&schema).into()),
    }
}

/// 55006 while an open cursor of the session reads the table, or references of its changed rows wait for the
/// transaction's end: both know the table as it is now.
pub(super) fn check_unused(context: &DefinitionContext<'_>, table: &Table, verb: &str) -> Result<()> {
    let is_read = context.view.cursors.iter().any(|cursor| cursor.reads.contains(&table.oid));
    if !is_read {
        return check_nothing_waits(context, table, verb);
    }
    let name = &table.name;
    let message =
        format!("cannot {verb} \"{name}\" because it is being used by active queries in this session");
    Err(SqlError::new(SqlState::OBJECT_IN_USE, message))
}

/// The second half of it, which suffices where names change and nothing else.
pub(super) fn check_nothing_waits(context: &DefinitionContext<'_>, table: &Table, verb: &str) -> Result<()> {
    if !context.effects.deferred.concerns(table.oid) {
        return Ok(());
    }
    let message = format!("cannot {verb} \"{}\" because it has pending trigger events", table.name);
    Err(SqlError::new(SqlState::OBJECT_IN_USE, message))
}

/// Locks any object by its number.
pub(super) fn lock(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    oid: Oid,
    mode: RelationLockMode,
) -> Step<()> {
    replay.once(context, |context| {
        Ok(context.stores.engine.lock_relation(context.stores.transaction, oid, mode)?)
    })
}

/// Locks a schema; a step of its own.
pub(super) fn lock_schema(
    context: &mut DefinitionContext<'_>,
    schema: Oid,
    mode: RelationLockMode,
) -> Step<()> {
    let number = context.view.catalog().lock_number_of_schema(schema);
    Ok(context.stores.engine.lock_relation(context.stores.transaction, number, mode)?)
}

/// The schema that a relation's name leads to. That of temporary objects has been made if it is wanted.
fn place_of(context: &DefinitionContext<'_>, name: &Name, temporary: bool) -> Result<Oid> {
    let invalid =
        |message: &str| at(SqlError::new(SqlState::INVALID_TABLE_DEFINITION, message), name.position);
    let newest = context.newest();
    let own = context.view.schema_in(&newest, TEMPORARY_ALIAS).map(|schema| schema.oid);
    let own = own.ok_or_else(|| SqlError::internal("the schema of temporary objects is made ahead of them"));
    match (name.qualifier(), context.view.creation_place()) {
        (Some(schema), _) => {
            let found = context.view.schema_in(&newest, schema).map(|schema| schema.oid);
            let found = found.ok_or_else(|| at(no_schema(schema), name.position))?;
            if context.view.is_of_other_session(&newest, found) {
                return Err(invalid("cannot create relations in temporary schemas of other sessions"));
            }
            if temporary && !newest.is_temporary(found) {
                return Err(invalid("cannot create temporary relation in non-temporary schema"));
            }
            Ok(found)
        }
        (None, CreationPlace::Temporary) => own,
        (None, _) if temporary => own,
        (None, CreationPlace::Schema(schema)) => Ok(schema),
        (None, CreationPlace::Nowhere) => {
            let message = "no schema has been selected to create in";
            Err(at(SqlError::new(SqlState::INVALID_SCHEMA_NAME, message), name.position))
        }
    }
}

/// The schema that a new relation goes to, locked against being dropped.
pub(super) fn creation_schema(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    temporary: bool,
) -> Step<Oid> {
    replay.once(context, |context| {
        check_parts(context.view, name).map_err(|error| at(error, name.position))?;
        let schema = place_of(context, name, temporary)?;
        if schema == PG_CATALOG_OID {
            let message = format!("permission denied to create \"pg_catalog.{}\"", name.last());
            return Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
                .with_detail("System catalog modifications are currently disallowed.")
                .into());
        }
        if schema == INFORMATION_SCHEMA_OID {
            return Err(SqlError::unsupported("an object of users in information_schema").into());
        }
        lock_schema(context, schema, RelationLockMode::AccessShare)?;
        if context.newest().schema(schema).is_none() {
            return Err(no_schema(name.qualifier().unwrap_or_default()).into());
        }
        Ok(schema)
    })
}

/// The schema of this name, locked against being dropped, as a place for relations of users.
pub(super) fn schema_named(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
) -> Step<Oid> {
    replay.once(context, |context| {
        let found = context.view.schema_in(&context.newest(), name).map(|schema| schema.oid);
        let schema = found.ok_or_else(|| no_schema(name))?;
        if schema == PG_CATALOG_OID || schema == INFORMATION_SCHEMA_OID {
            return Err(SqlError::unsupported(format!("an object of users in {name}")).into());
        }
        lock_schema(context, schema, RelationLockMode::AccessShare)?;
        if context.newest().schema(schema).is_none() {
            return Err(no_schema(name).into());
        }
        Ok(schema)
    })
}

/// IF EXISTS: says that there is no such relation.
pub(super) fn notice_skipped(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
) -> Step<()> {
    replay.once(context, |context| {
        let message = format!("relation \"{}\" does not exist, skipping", name.last());
        context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
        Ok(())
    })
}

/// Whether a new relation's name is free. Taken: 42P07, or with IF NOT EXISTS a notice and false.
pub(super) fn is_free(
    context: &mut DefinitionContext<'_>,
    catalog: &Catalog,
    schema: Oid,
    name: &str,
    if_not_exists: bool,
) -> Result<bool> {
    if catalog.relation_in(schema, name).is_none() {
        return Ok(true);
    }
    if if_not_exists {
        context.notice(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping"));
        return Ok(false);
    }
    Err(name_taken(name))
}

/// 42P07.
pub(super) fn name_taken(name: &str) -> SqlError {
    SqlError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"))
}

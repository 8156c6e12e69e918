//! COMMENT ON, and what becomes of comments when their objects fall.
//!
//! Owns finding the object, under a lock that keeps it from falling meanwhile, and [`forget_fallen`], through which
//! every definition goes: a comment lasts as long as its object.

use super::lookup::{self, Found};
use super::replay::Replay;
use super::{Defined, DefinitionContext, enumeration, store};
use crate::answer::Severity;
use crate::bind;
use crate::catalog::object::{Comments, Object, ObjectClass, Oid, Table, classes};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::system::{collation_named, routines};
use crate::catalog::{Catalog, Changes, Relation};
use crate::parse::tree::{CommentTarget, Name, ObjectKind, TypeName};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An object's comments are one value: who changes them has it to himself.
const COMMENTED: RelationLockMode = RelationLockMode::ShareUpdateExclusive;

/// What a comment is about: the catalog that the object is in, its number, and a column's number or 0.
type Place = (Oid, Oid, i32);

/// COMMENT ON … IS ….
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    target: &CommentTarget,
    text: Option<&str>,
) -> Step<Defined> {
    let Some((class, oid, column)) = place(replay, context, target)? else {
        return Ok(Defined::nothing("COMMENT"));
    };
    let (before, comments) = replay.once(context, |context| {
        let before = context.newest();
        let mut comments =
            before.comments(oid).map_or_else(|| Comments::of(oid), |kept| Comments::clone(kept));
        comments.set(class, column, text.unwrap_or_default());
        Ok((before, comments))
    })?;
    let mut changes = ChangeSet::default();
    match comments.is_empty() {
        true => changes.remove(ObjectClass::Comments, oid),
        false => changes.put(Object::Comments(Arc::new(comments))),
    }
    Ok(Defined::plain("COMMENT", store(replay, context, &before, changes)?))
}

/// Finds and locks the object; `None` after a warning.
fn place(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    target: &CommentTarget,
) -> Step<Option<Place>> {
    let newest = context.newest();
    Ok(Some(match target {
        CommentTarget::Relation { kind, name } => {
            let relation = relation(replay, context, name)?;
            if lookup::kind_of(&relation) != *kind {
                return Err(lookup::not_a(kind.word(), name.last()).into());
            }
            (classes::PG_CLASS, relation.oid(), 0)
        }
        CommentTarget::Column(name) => column(replay, context, name)?,
        CommentTarget::Schema(name) => {
            let schema = newest.schema_by_name(name).map(|schema| schema.oid);
            let oid = schema.ok_or_else(|| lookup::no_schema(name))?;
            replay.once(context, |context| lookup::lock_schema(context, oid, COMMENTED))?;
            (classes::PG_NAMESPACE, oid, 0)
        }
        CommentTarget::Constraint { name, table } => constraint(replay, context, name, table)?,
        CommentTarget::Rule { name, relation: on } => {
            let found = relation(replay, context, on)?;
            match found {
                Relation::View(view) if name == "_RETURN" => (classes::PG_REWRITE, view.rule, 0),
                _ => {
                    let message = format!("rule \"{name}\" for relation \"{}\" does not exist", on.last());
                    return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message).into());
                }
            }
        }
        CommentTarget::Database(name) => match newest.database_by_name(name) {
            Some(database) => {
                let oid = database.oid;
                lookup::lock(replay, context, oid, COMMENTED)?;
                (classes::PG_DATABASE, oid, 0)
            }
            None => {
                // A dump may be loaded into a database of another name.
                let warning = SqlError::new(
                    SqlState::INVALID_CATALOG_NAME,
                    format!("database \"{name}\" does not exist"),
                );
                replay.once(context, |context| {
                    context.notices.push((Severity::Warning, warning.clone()));
                    Ok(())
                })?;
                return Ok(None);
            }
        },
        CommentTarget::Role(name) => {
            let role = newest.role_by_name(name).ok_or_else(|| SqlError::undefined_object("role", name))?;
            let oid = role.oid;
            lookup::lock(replay, context, oid, COMMENTED)?;
            (classes::PG_AUTHID, oid, 0)
        }
        CommentTarget::Type(name) => (classes::PG_TYPE, type_named(replay, context, name)?, 0),
        CommentTarget::Collation(name) => {
            let oid = collation_named(name)?;
            lookup::lock(replay, context, oid, COMMENTED)?;
            (classes::PG_COLLATION, oid, 0)
        }
        CommentTarget::Function { kind, name, arguments } => {
            let oid = function(context, kind, name, arguments)?;
            lookup::lock(replay, context, oid, COMMENTED)?;
            (classes::PG_PROC, oid, 0)
        }
    }))
}

/// The number of a type; one of users is locked against being dropped.
fn type_named(replay: &mut Replay, context: &mut DefinitionContext<'_>, name: &TypeName) -> Step<Oid> {
    match enumeration::locked(replay, context, name, COMMENTED)? {
        Some(id) => Ok(id.0),
        None => {
            let oid = bind::type_of(context.view, name)?.0.0;
            lookup::lock(replay, context, oid, COMMENTED)?;
            Ok(oid)
        }
    }
}

fn relation(replay: &mut Replay, context: &mut DefinitionContext<'_>, name: &Name) -> Step<Relation> {
    match lookup::locked(replay, context, name, COMMENTED)? {
        Found::Relation(relation) => Ok(relation),
        Found::Nothing => Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

fn column(replay: &mut Replay, context: &mut DefinitionContext<'_>, name: &Name) -> Step<Place> {
    let Some((column, of)) = name.parts.split_last().filter(|(_, of)| !of.is_empty()) else {
        return Err(SqlError::syntax("column name must be qualified").into());
    };
    let of = Name { parts: of.to_vec(), position: name.position };
    let relation = relation(replay, context, &of)?;
    let refuse = |kinds: &str| {
        let message = format!("cannot set comment on relation \"{}\"", of.last());
        SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {kinds}."))
    };
    let at = match &relation {
        Relation::Table(table) => table.column_index(column),
        Relation::View(view) => view.columns.iter().position(|found| found.name == *column),
        Relation::System(table) => table.columns.iter().position(|found| found.name == *column),
        Relation::Index(..) => return Err(refuse("indexes").into()),
        Relation::Sequence(_) => return Err(refuse("sequences").into()),
    };
    let at = at.ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", of.last());
        SqlError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    let number = i32::try_from(at + 1).expect("tables have at most 1,600 columns");
    Ok((classes::PG_CLASS, relation.oid(), number))
}

fn constraint(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &str,
    on: &Name,
) -> Step<Place> {
    let relation = relation(replay, context, on)?;
    let Relation::Table(table) = relation else {
        return Err(lookup::not_a(ObjectKind::Table.word(), on.last()).into());
    };
    let keys = table.indexes.iter().filter(|index| index.constraint != 0);
    let keys = keys.map(|index| (&index.name, index.constraint));
    let checks = table.checks.iter().map(|check| (&check.name, check.oid));
    let foreign = table.foreign_keys.iter().map(|key| (&key.name, key.oid));
    match keys.chain(checks).chain(foreign).find(|(found, _)| *found == name) {
        Some((_, oid)) => Ok((classes::PG_CONSTRAINT, oid, 0)),
        None => {
            let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
            Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message).into())
        }
    }
}

fn function(context: &DefinitionContext<'_>, kind: &str, name: &Name, arguments: &[TypeName]) -> Result<Oid> {
    let types: Vec<TypeId> = arguments
        .iter()
        .map(|argument| Ok(bind::type_of(context.view, argument)?.0))
        .collect::<Result<_>>()?;
    let is_ours = name.qualifier().is_none_or(|schema| schema == "pg_catalog");
    let found = routines().find(|routine| {
        is_ours && routine.name == name.last() && routine.arguments == types && kind != "procedure"
    });
    let listed: Vec<String> = types.iter().map(|&id| format_type(id, None)).collect();
    let called = format!("{name}({})", listed.join(", "));
    match found {
        Some(routine) if kind == "aggregate" && !routine.is_aggregate => {
            let message = format!("function {called} is not an aggregate");
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
        Some(routine) if kind == "function" && routine.is_aggregate => {
            let message = format!("{called} is not a function");
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
        Some(routine) => Ok(routine.oid),
        None => {
            let message = format!("{kind} {called} does not exist");
            Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message))
        }
    }
}

/// All that an object and its parts may be commented on by, but columns.
fn numbers(object: &Object) -> Vec<Oid> {
    match object {
        Object::Table(table) => {
            let indexes = table.indexes.iter().flat_map(|index| [index.oid, index.constraint]);
            let checks = table.checks.iter().map(|check| check.oid);
            let keys = table.foreign_keys.iter().map(|key| key.oid);
            indexes.chain(checks).chain(keys).chain([table.oid]).filter(|&oid| oid != 0).collect()
        }
        Object::View(view) => vec![view.oid, view.rule],
        other => vec![other.oid()],
    }
}

/// The columns of a table that are gone.
fn dropped_columns(table: &Table) -> impl Iterator<Item = i32> {
    let dropped = table.columns.iter().enumerate().filter(|(_, column)| column.dropped);
    dropped.map(|(at, _)| i32::try_from(at + 1).expect("tables have at most 1,600 columns"))
}

/// The changes of a statement with those that they make to comments.
pub(super) fn forget_fallen(before: &Catalog, mut changes: Changes) -> Changes {
    if !before.has_comments() {
        return changes;
    }
    let mut fallen: BTreeSet<Oid> = BTreeSet::new();
    let mut columns: Vec<(Oid, Vec<i32>)> = Vec::new();
    for (&(class, oid), change) in &changes {
        if matches!(class, ObjectClass::Comments | ObjectClass::Statistics) {
            continue;
        }
        let old = before.object(class, oid).map_or_else(Vec::new, |object| numbers(&object));
        let new = change.as_ref().map_or_else(Vec::new, numbers);
        fallen.extend(old.into_iter().filter(|oid| !new.contains(oid)));
        if let Some(Object::Table(table)) = change {
            columns.push((oid, dropped_columns(table).collect()));
        }
    }
    for oid in fallen.into_iter().filter(|&oid| before.comments(oid).is_some()) {
        changes.insert((ObjectClass::Comments, oid), None);
    }
    for (oid, dropped) in columns {
        let Some(kept) = before.comments(oid) else { continue };
        let mut comments = Comments::clone(kept);
        comments.texts.retain(|(_, column, _)| !dropped.contains(column));
        if comments.texts.len() < kept.texts.len() {
            let change = (!comments.is_empty()).then(|| Object::Comments(Arc::new(comments)));
            changes.insert((ObjectClass::Comments, oid), change);
        }
    }
    changes
}

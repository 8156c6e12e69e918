//! DROP TYPE, and what falls with a type: columns, constraints, defaults and indexes of tables, and views.
//!
//! Texts that the catalog keeps call a type by number, so that who names it is found by looking for that. What is reported
//! goes in PostgreSQL's order: what rests on the type's arrays first, then by age.

use super::alter_action::Draft;
use super::alter_table::carry_out;
use super::dependents::{Dependents, lock_views};
use super::drop::{notice_cascade, shown, still_needed};
use super::names::Names;
use super::replay::Replay;
use super::{Defined, DefinitionContext, enumeration, lookup, store};
use crate::bind;
use crate::catalog::object::{Index, Object, ObjectClass, Oid, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Relation, types_used};
use crate::expression::columns_used;
use crate::parse::tree::{AlterTableAction, TypeName};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::marked_types;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a table loses.
#[derive(Clone, Debug)]
struct Loss {
    table: Arc<Table>,
    actions: Vec<AlterTableAction>,
    indexes: Vec<Oid>,
}

/// All that falls with types.
#[derive(Clone, Debug, Default)]
struct Fall {
    losses: Vec<Loss>,
    /// Views, and how messages call everything that falls with what it rests on.
    dependents: Dependents,
}

/// A part of a table that rests on a type: its place among all, what it is called, on what it rests, and its column.
struct Part {
    order: (bool, Oid, bool, usize),
    name: String,
    on: TypeId,
    column: Option<usize>,
}

fn element(id: TypeId) -> TypeId {
    id.array_element().unwrap_or(id)
}

/// The first of the types, or of arrays of them, that a text names.
fn named(types: &BTreeSet<TypeId>, text: &str) -> Option<TypeId> {
    marked_types(text).find(|id| types.contains(&element(*id)))
}

/// The expressions and the predicate of an index as texts.
fn texts(index: &Index) -> impl Iterator<Item = &str> {
    let predicate = index.predicate.iter();
    index.key_expressions().chain(predicate).map(|kept| kept.text.as_str())
}

/// The parts of a table that rest on types, and what is to be done to it.
fn loss_of_table(
    context: &DefinitionContext<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    types: &BTreeSet<TypeId>,
) -> Result<Option<(Loss, Vec<Part>)>> {
    let name = shown(context, catalog, &Relation::Table(table.clone()));
    let (mut parts, mut actions, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
    let mut columns = BTreeSet::new();
    for (at, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.dropped) {
        let called = |what: &str| format!("{what} {} of table {name}", quote_identifier(&column.name));
        let by_type = Some(column.type_id).filter(|id| types.contains(&element(*id)));
        let generated = column.generated.as_ref().and_then(|kept| named(types, &kept.text));
        if let Some(on) = by_type.or(generated) {
            columns.insert(at);
            // The last column first; those that are computed stand where defaults do.
            let place = if generated.is_some() { at } else { usize::MAX - at };
            let order = (!on.is_enum_array(), table.oid, generated.is_some(), place);
            parts.push(Part { order, name: called("column"), on, column: Some(at) });
            let column = column.name.clone();
            actions.push(AlterTableAction::DropColumn { name: column, if_exists: true, cascade: true });
        } else if let Some(on) = column.default.as_ref().and_then(|text| named(types, text)) {
            let order = (!on.is_enum_array(), table.oid, true, at);
            parts.push(Part { order, name: called("default value for column"), on, column: None });
            actions.push(AlterTableAction::SetDefault { column: column.name.clone(), value: None });
        }
    }
    for check in &table.checks {
        let Some(on) = named(types, &check.expression) else { continue };
        let bound = super::expression::stored_check(context, table, &check.expression)?;
        if columns_used(&bound).iter().any(|column| columns.contains(column)) {
            continue;
        }
        let called = format!("constraint {} on table {name}", quote_identifier(&check.name));
        parts.push(Part {
            order: (!on.is_enum_array(), check.oid, false, 0),
            name: called,
            on,
            column: None,
        });
        let name = check.name.clone();
        actions.push(AlterTableAction::DropConstraint { name, if_exists: true, cascade: true });
    }
    for (at, index) in table.indexes.iter().enumerate() {
        let Some(on) = texts(index).find_map(|text| named(types, text)) else { continue };
        if index.reads.iter().any(|column| columns.contains(column)) {
            continue;
        }
        let called = format!("index {}", shown(context, catalog, &Relation::Index(table.clone(), at)));
        parts.push(Part {
            order: (!on.is_enum_array(), index.oid, false, 0),
            name: called,
            on,
            column: None,
        });
        indexes.push(index.oid);
    }
    let loss = Loss { table: table.clone(), actions, indexes };
    Ok((!parts.is_empty()).then_some((loss, parts)))
}

/// What rests on types, in PostgreSQL's order.
fn fall(context: &DefinitionContext<'_>, catalog: &Catalog, types: &BTreeSet<TypeId>) -> Result<Fall> {
    let mut fall = Fall::default();
    let mut parts: Vec<(Oid, Part)> = Vec::new();
    for table in catalog.tables() {
        if let Some((loss, found)) = loss_of_table(context, catalog, table, types)? {
            parts.extend(found.into_iter().map(|part| (table.oid, part)));
            fall.losses.push(loss);
        }
    }
    // A view that names a type itself falls for that, and not for what else it reads.
    let direct: Vec<_> = catalog.views().filter(|view| named(types, &view.text).is_some()).cloned().collect();
    for view in &direct {
        fall.dependents.add(view.clone());
        let name = format!("view {}", shown(context, catalog, &Relation::View(view.clone())));
        let on = named(types, &view.text).expect("asked above");
        let order = (!on.is_enum_array(), view.oid, false, 0);
        parts.push((view.oid, Part { order, name, on, column: None }));
    }
    parts.sort_by_key(|(_, part)| part.order);
    for (relation, Part { name, on, column, .. }) in parts {
        fall.dependents.found.push((name.clone(), format!("type {}", on.display_name())));
        let is_view = direct.iter().any(|view| view.oid == relation);
        fall.dependents.follow(context, catalog, &name, &|view| match column {
            Some(column) => view.used.contains(&(relation, column)),
            None => is_view && view.reads(relation),
        });
    }
    Ok(fall)
}

/// The type that a name of the statement means, locked; `None` if there is none and that is no error.
fn target(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &TypeName,
    if_exists: bool,
) -> Step<Option<TypeId>> {
    let schema = name.schema.as_deref();
    let missing = schema.filter(|schema| context.view.catalog().schema_by_name(schema).is_none());
    let error = if let Some(schema) = missing {
        lookup::no_schema(schema)
    } else if let Some(id) = enumeration::locked(replay, context, name, RelationLockMode::AccessExclusive)? {
        if id.is_enum() {
            return Ok(Some(id));
        }
        let (array, of) = (id.display_name(), element(id).display_name());
        let message = format!("cannot drop type {array} because type {of} requires it");
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_hint(format!("You can drop type {of} instead."))
            .into());
    } else {
        match bind::type_of(context.view, name) {
            Ok((id, _)) => {
                let name = id.display_name();
                let message =
                    format!("cannot drop type {name} because it is required by the database system");
                return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message).into());
            }
            Err(error) => error,
        }
    };
    let is_missing = [SqlState::UNDEFINED_OBJECT, SqlState::INVALID_SCHEMA_NAME].contains(&error.sqlstate());
    if !if_exists || !is_missing {
        return Err(error.into());
    }
    replay.once(context, |context| {
        context.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", error.message()));
        Ok(())
    })?;
    Ok(None)
}

/// Locks the tables and views that rest on types. The types are locked: no more can come.
fn lock_dependents(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    types: &BTreeSet<TypeId>,
) -> Step<()> {
    let relations: Vec<Oid> = replay.once(context, |context| {
        let catalog = context.newest();
        let tables = catalog.tables().cloned().map(Object::Table);
        let objects = tables.chain(catalog.views().cloned().map(Object::View));
        let rests = |object: &Object| !types_used(object).is_disjoint(types);
        Ok(objects.filter(rests).map(|object| object.oid()).collect())
    })?;
    for &oid in &relations {
        lookup::lock(replay, context, oid, RelationLockMode::AccessExclusive)?;
    }
    lock_views(replay, context, &relations)
}

/// DROP TYPE.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    names: &[TypeName],
    if_exists: bool,
    cascade: bool,
) -> Step<Defined> {
    let mut types: BTreeSet<TypeId> = BTreeSet::new();
    for name in names {
        types.extend(target(replay, context, name, if_exists)?);
    }
    if types.is_empty() {
        return Ok(Defined::nothing("DROP TYPE"));
    }
    if cascade {
        lock_dependents(replay, context, &types)?;
    }
    let (before, fall, drafts) = replay.once(context, |context| {
        let before = context.newest();
        let fall = fall(context, &before, &types)?;
        if !cascade && !fall.dependents.found.is_empty() {
            let what = match types.iter().collect::<Vec<_>>()[..] {
                [id] => format!("type {} because other objects depend on it", id.display_name()),
                _ => "desired object(s) because other objects depend on them".to_owned(),
            };
            return Err(still_needed(&what, &fall.dependents.lines().collect::<Vec<_>>()).into());
        }
        let drafts = fall.losses.iter().map(|loss| draft(context, loss)).collect::<Result<Vec<_>>>()?;
        let objects: Vec<String> = fall.dependents.found.iter().map(|(what, _)| what.clone()).collect();
        notice_cascade(context, &objects);
        Ok((before, fall, drafts))
    })?;
    let mut changes = ChangeSet::default();
    for draft in drafts {
        let made = carry_out(replay, context, draft)?;
        if !changes.merge(made) {
            return Err(SqlError::unsupported("DROP TYPE CASCADE of tables that refer to each other").into());
        }
    }
    for &view in fall.dependents.views.keys() {
        changes.remove(ObjectClass::View, view);
    }
    for id in types {
        changes.remove(ObjectClass::Enum, id.0);
    }
    Ok(Defined::plain("DROP TYPE", store(replay, context, &before, changes)?))
}

/// The table without what rests on the types. What falls with that is told of in one notice, by the caller.
fn draft(context: &mut DefinitionContext<'_>, loss: &Loss) -> Result<Draft> {
    lookup::check_nothing_waits(context, &loss.table, "DROP TYPE")?;
    let told = context.notices.len();
    let mut draft = Draft::of(context, loss.table.clone(), &loss.actions)?;
    context.notices.truncate(told);
    let before = draft.before.clone();
    let mut names = Names::new(&before, loss.table.schema);
    draft.remove_indexes(&mut names, |index| loss.indexes.contains(&index.oid));
    Ok(draft)
}

/// 0A000 if something rests on types that fall with their schema, and does not fall itself.
pub(super) fn check_falls_with(
    catalog: &Catalog,
    types: &BTreeSet<TypeId>,
    falls: impl Fn(Oid) -> bool,
) -> Result<()> {
    let tables = catalog.tables().cloned().map(Object::Table);
    let mut objects = tables.chain(catalog.views().cloned().map(Object::View));
    match objects.any(|object| !falls(object.oid()) && !types_used(&object).is_disjoint(types)) {
        true => {
            Err(SqlError::unsupported("DROP SCHEMA CASCADE of a type that relations of other schemas use"))
        }
        false => Ok(()),
    }
}

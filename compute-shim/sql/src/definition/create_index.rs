//! CREATE INDEX.

use super::build::IndexBuild;
use super::constraint::{self, TREE_TO_BE_MADE};
use super::create_table::make_trees;
use super::kept_expression::{keep, kept, written};
use super::lookup::Found;
use super::names::{Names, joined_columns};
use super::parameters::{self, Of};
use super::replay::Replay;
use super::{Defined, DefinitionContext, lookup, see_every_row, store};
use crate::bind::{RowPlace, expression_name};
use crate::catalog::object::{Index, IndexColumn, IndexState, KeyPart, Object, Oid, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::system::{OPERATOR_CLASSES, collation_named, operator_class_of, own_collation};
use crate::catalog::{Catalog, Relation};
use crate::expression::{Kind, is_collatable, no_collation_for};
use crate::parse::tree::{CreateIndex, Deferral, IndexElement, IndexTarget, Name};
use crate::session::SessionView;
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_protocol::Lsn;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::sync::Arc;

fn table(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    concurrently: bool,
) -> Step<Arc<Table>> {
    let refuse = |kinds: &str| {
        let message = format!("cannot create index on relation \"{}\"", name.last());
        SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {kinds}."))
    };
    // Writers wait: rows that come while the index is built would be missed. CONCURRENTLY the session holds a lock of its
    // own, and fills the index later.
    let mode = if concurrently { RelationLockMode::AccessShare } else { RelationLockMode::Share };
    match lookup::locked(replay, context, name, mode)? {
        Found::Relation(Relation::Table(table)) => {
            context.view.check_own(&context.newest(), table.schema)?;
            Ok(table)
        }
        Found::Relation(Relation::Index(table, at)) => {
            let message = format!("\"{}\" is an index", table.indexes[at].name);
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).into())
        }
        Found::Relation(Relation::Sequence(_)) => Err(refuse("sequences").into()),
        Found::Relation(Relation::View(_)) => Err(refuse("views").into()),
        Found::Relation(Relation::System(table)) if table.is_view => Err(refuse("views").into()),
        Found::Relation(Relation::System(table)) => Err(lookup::is_system(table.name).into()),
        Found::Nothing => Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

/// The names of an index's columns, each once: PostgreSQL numbers those that come again.
pub(crate) fn column_names(columns: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    for column in columns {
        let mut name = column.clone();
        let mut number = 0;
        while names.contains(&name) {
            number += 1;
            name = format!("{column}{number}");
        }
        names.push(name);
    }
    names
}

/// An element's name before it is made one of its own.
fn element_name(view: &SessionView, element: &IndexElement) -> String {
    match &element.target {
        IndexTarget::Column(column) => column.clone(),
        IndexTarget::Expr(expr) => expression_name(view, expr).unwrap_or_else(|| "expr".to_owned()),
    }
}

/// The collation that was asked for.
pub(super) fn collation(context: &DefinitionContext<'_>, type_id: TypeId, name: &Name) -> Result<Oid> {
    if let Some(schema) = name.qualifier()
        && context.view.schema_in(&context.newest(), schema).is_none()
    {
        return Err(lookup::no_schema(schema));
    }
    let found = collation_named(name)?;
    if is_collatable(type_id) { Ok(found) } else { Err(no_collations(type_id)) }
}

/// 42P22 for a key that is made of columns which differ, and for which no collation was asked (0).
pub(super) fn check_collation(asked: Oid, own: Oid, type_id: TypeId) -> Result<()> {
    if asked == 0 && own == 0 && is_collatable(type_id) {
        return Err(no_collation_for("index expression"));
    }
    Ok(())
}

/// 42804.
pub(super) fn no_collations(type_id: TypeId) -> SqlError {
    let message = format!("collations are not supported by type {}", type_id.display_name());
    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
}

/// The class that was asked for, 0 if it is the type's own.
fn operator_class(type_id: TypeId, name: Option<&Name>) -> Result<Oid> {
    let Some(name) = name else { return Ok(0) };
    let is_known_schema = name.qualifier().is_none_or(|schema| schema == "pg_catalog");
    let own = operator_class_of(type_id);
    let named = || OPERATOR_CLASSES.iter().filter(|class| is_known_schema && class.name == name.last());
    if named().next().is_none() {
        let message = format!("operator class \"{name}\" does not exist for access method \"btree\"");
        return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
    }
    if named().any(|class| class.oid == own) {
        return Ok(0);
    }
    let input = OPERATOR_CLASSES.iter().find(|class| class.oid == own).map(|class| class.type_id);
    named().find(|class| Some(class.type_id) == input).map(|class| class.oid).ok_or_else(|| {
        let type_name = type_id.display_name();
        let message = format!("operator class \"{name}\" does not accept data type {type_name}");
        SqlError::new(SqlState::DATATYPE_MISMATCH, message)
    })
}

/// The new index, without a tree; `None` if there is one of its name already and that is no error.
fn draft(
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    table: &Table,
    create: &CreateIndex,
) -> Result<Option<Index>> {
    constraint::check_column_count(create.elements.len() + create.included.len())?;
    if let Some(name) = &create.name
        && !lookup::is_free(context, before, table.schema, name, create.if_not_exists)?
    {
        return Ok(None);
    }
    let predicate = match &create.predicate {
        Some(predicate) => Some(kept(context, table, RowPlace::IndexPredicate, predicate)?),
        None => None,
    };
    // What always holds leaves no row out.
    let predicate = predicate
        .filter(|predicate| predicate.expr().as_constant().is_none_or(|value| value.as_bool() != Some(true)));
    let mut columns = Vec::with_capacity(create.elements.len());
    for element in &create.elements {
        columns.push(index_column(context, table, element)?);
    }
    let included: Vec<usize> =
        create.included.iter().map(|element| included_column(table, element)).collect::<Result<_>>()?;
    let name = match &create.name {
        Some(name) => name.clone(),
        None => {
            let written: Vec<String> = create
                .elements
                .iter()
                .chain(&create.included)
                .map(|element| element_name(context.view, element))
                .collect();
            let joined = joined_columns(column_names(&written).iter().map(String::as_str));
            Names::new(before, table.schema).choose_relation(&table.name, Some(&joined), "idx")
        }
    };
    Ok(Some(Index {
        oid: context.database.allocate_oid()?,
        name,
        tree: Some(TREE_TO_BE_MADE),
        key: Index::key_columns(&columns, &table.columns),
        reads: Index::columns_read(&columns, predicate.as_ref()),
        columns,
        included,
        predicate,
        unique: create.unique,
        primary: false,
        deferral: Deferral::Never,
        constraint: 0,
        parameters: parameters::checked(Of::Index, &create.parameters)?,
        state: if create.concurrently { IndexState::Building } else { IndexState::Valid },
        valid_from: Lsn::MAX,
        built_at: Lsn::ZERO,
    }))
}

fn no_column(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
}

/// An element of the key. An expression that is a column is that column.
fn index_column(
    context: &DefinitionContext<'_>,
    table: &Table,
    element: &IndexElement,
) -> Result<IndexColumn> {
    let mut collated = None;
    let part = match &element.target {
        IndexTarget::Column(name) => {
            KeyPart::Column(table.column_index(name).ok_or_else(|| no_column(name))?)
        }
        IndexTarget::Expr(expr) => {
            let written = written(context, table, RowPlace::IndexKey, expr)?;
            // A cast goes beneath COLLATE, so that it may come out here.
            if let Kind::Collate { oid, .. } = written.kind {
                collated = Some(oid);
            }
            let written = written.without_collate();
            match written.kind {
                Kind::Column(column) => KeyPart::Column(column),
                _ => KeyPart::Expression(keep(context, table, RowPlace::IndexKey, written)?),
            }
        }
    };
    let type_id = match &part {
        KeyPart::Column(column) => table.columns[*column].type_id,
        KeyPart::Expression(expression) => expression.type_id,
    };
    constraint::check_indexable(type_id)?;
    let asked = match &element.collation {
        Some(name) => Some(collation(context, type_id, name)?),
        None => collated,
    };
    let own = own_collation(&part, &table.columns);
    check_collation(asked.unwrap_or_default(), own, type_id)?;
    let descending = element.descending.unwrap_or(false);
    Ok(IndexColumn {
        part,
        descending,
        nulls_first: element.nulls_first.unwrap_or(descending),
        class: operator_class(type_id, element.class.as_ref())?,
        collation: asked.filter(|asked| *asked != own).unwrap_or_default(),
    })
}

/// A column of INCLUDE, which has no order.
fn included_column(table: &Table, element: &IndexElement) -> Result<usize> {
    let refuse = |what: &str| {
        let message = format!("including column does not support {what}");
        Err(SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message))
    };
    let IndexTarget::Column(name) = &element.target else {
        let message = "expressions are not supported in included columns";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    };
    if element.collation.is_some() {
        return refuse("a collation");
    }
    if element.class.is_some() {
        return refuse("an operator class");
    }
    if element.descending.is_some() {
        return refuse("ASC/DESC options");
    }
    if element.nulls_first.is_some() {
        return refuse("NULLS FIRST/LAST options");
    }
    table.column_index(name).ok_or_else(|| no_column(name))
}

/// Fills indexes of a table whose trees are empty, and notes the snapshot they are complete from. Others are shown the
/// command.
pub(super) fn build_all(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    table: &mut Table,
    indexes: &[Oid],
    command: &'static str,
) -> Step<()> {
    if indexes.is_empty() {
        return Ok(());
    }
    let built_at = see_every_row(replay, context)?;
    for &oid in indexes {
        let at = table.indexes.iter().position(|index| index.oid == oid).expect("an index of the table");
        let index = &table.indexes[at];
        replay.drive(
            context,
            |context| Ok(IndexBuild::new(context, table, index, command)),
            |build, context| build.run(context, table, index),
        )?;
        table.indexes[at].valid_from = Lsn::MAX;
        table.indexes[at].built_at = built_at;
    }
    Ok(())
}

/// What an index that comes or goes CONCURRENTLY is good for from now on. The session holds the table.
pub(super) fn set_state(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    (table, index): (Oid, Oid),
    state: IndexState,
) -> Step<Defined> {
    let (before, table) = replay.once(context, |context| {
        let before = context.newest();
        let gone = || SqlError::internal("an index has gone while its table was held");
        let mut table = Table::clone(before.table(table).ok_or_else(gone)?);
        let index = table.indexes.iter_mut().find(|own| own.oid == index).ok_or_else(gone)?;
        // Snapshots before the commit have versions that it has no entry for.
        (index.state, index.valid_from, index.built_at) = (state, Lsn::MAX, Lsn::ZERO);
        if let (IndexState::Dead, Some(tree)) = (state, index.tree) {
            context.stores.engine.share_reads(tree, table.tree);
        }
        Ok((before, Arc::new(table)))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(table));
    Ok(Defined::plain("CREATE INDEX", store(replay, context, &before, changes)?))
}

/// CREATE [UNIQUE] INDEX [IF NOT EXISTS]; of CONCURRENTLY the first step, which makes an index without entries known.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    create: &CreateIndex,
) -> Step<Defined> {
    let table = table(replay, context, &create.table, create.concurrently)?;
    lookup::check_unused(context, &table, "CREATE INDEX")?;
    let drafted = replay.once(context, |context| {
        let before = context.newest();
        let index = draft(context, &before, &table, create)?;
        Ok(index.map(|index| (before, index)))
    })?;
    let Some((before, index)) = drafted else { return Ok(Defined::nothing("CREATE INDEX")) };
    let mut table = Table::clone(&table);
    let oid = index.oid;
    table.indexes.push(index);
    make_trees(replay, context, &mut table)?;
    if !create.concurrently {
        build_all(replay, context, &mut table, &[oid], "CREATE INDEX")?;
    }
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    Ok(Defined::plain("CREATE INDEX", store(replay, context, &before, changes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_columns_are_numbered() {
        let names = ["b", "b", "a", "b"].map(str::to_owned);
        assert_eq!(column_names(&names), ["b", "b1", "a", "b2"]);
    }
}

//! SET SCHEMA of tables, views and sequences.
//!
//! A table takes its indexes and the sequences that it owns along; defaults that draw from a sequence follow its name.
//! Views mean their relations by number, so they do not notice.

use super::replay::Replay;
use super::{Defined, DefinitionContext, lookup, sequence, store};
use crate::catalog::object::{Object, Oid, Sequence, Table, View};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::{Catalog, Relation};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 42P07 if something of this name is there already.
fn check_free(catalog: &Catalog, schema: Oid, name: &str) -> Result<()> {
    if catalog.relation_in(schema, name).is_none() {
        return Ok(());
    }
    let schema = catalog.schema_name(schema);
    let message = format!("relation \"{name}\" already exists in schema \"{schema}\"");
    Err(SqlError::new(SqlState::DUPLICATE_TABLE, message))
}

/// Moves a relation that is locked.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    relation: Relation,
    schema: &str,
    verb: &'static str,
) -> Step<Defined> {
    let schema = lookup::schema_named(replay, context, schema)?;
    if schema == relation.schema() {
        return Ok(Defined::nothing(verb));
    }
    let before = replay.once(context, |context| Ok(context.newest()))?;
    if before.is_temporary(schema) || before.is_temporary(relation.schema()) {
        let message = "cannot move objects into or out of temporary schemas";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).into());
    }
    check_free(&before, schema, relation.name())?;
    let mut changes = ChangeSet::default();
    let mut moved: Vec<(Arc<Sequence>, Sequence)> = Vec::new();
    let mut tables: BTreeMap<Oid, Table> = BTreeMap::new();
    let moves =
        |sequence: &Arc<Sequence>| (sequence.clone(), Sequence { schema, ..Sequence::clone(sequence) });
    match &relation {
        Relation::Table(table) => {
            for index in &table.indexes {
                check_free(&before, schema, &index.name)?;
            }
            let owned =
                before.sequences().filter(|it| it.owned_by.is_some_and(|(owner, _)| owner == table.oid));
            for sequence in owned {
                check_free(&before, schema, &sequence.name)?;
                moved.push(moves(sequence));
            }
            tables.insert(table.oid, Table { schema, ..Table::clone(table) });
        }
        Relation::View(view) => changes.put(Object::View(Arc::new(View { schema, ..View::clone(view) }))),
        Relation::Sequence(sequence) => moved.push(moves(sequence)),
        Relation::Index(..) | Relation::System(_) => unreachable!("refused by the caller"),
    }
    for (old, new) in moved {
        rename_in_defaults(replay, context, &before, &mut tables, (&old, &new))?;
        changes.put(Object::Sequence(Arc::new(new)));
    }
    for table in tables.into_values() {
        changes.put(Object::Table(Arc::new(table)));
    }
    Ok(Defined::plain(verb, store(replay, context, &before, changes)?))
}

/// Has every default that draws from a sequence call it by its new name.
pub(super) fn rename_in_defaults(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    before: &Catalog,
    tables: &mut BTreeMap<Oid, Table>,
    (old, new): (&Sequence, &Sequence),
) -> Step<()> {
    let (from, to) = (sequence::literal(before, old), sequence::literal(before, new));
    let draws = |table: &Table| {
        table.columns.iter().any(|column| column.default.as_ref().is_some_and(|text| text.contains(&from)))
    };
    for table in before.tables().filter(|table| draws(table)) {
        lookup::lock(replay, context, table.oid, RelationLockMode::AccessExclusive)?;
        let changed = tables.entry(table.oid).or_insert_with(|| Table::clone(table));
        for column in &mut changed.columns {
            column.default = column.default.take().map(|text| text.replace(&from, &to));
        }
    }
    Ok(())
}

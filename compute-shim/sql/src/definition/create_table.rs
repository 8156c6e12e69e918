//! CREATE TABLE.

use super::column::{self, Columns, Target};
use super::constraint::{self, TREE_TO_BE_MADE};
use super::foreign_key::{add_foreign_keys, lock_targets};
use super::names::Names;
use super::parameters::{self, Of};
use super::replay::Replay;
use super::{Defined, DefinitionContext, generated, lookup, sequence, store, temporary};
use crate::catalog::Catalog;
use crate::catalog::object::{Object, Oid, Sequence, Table};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{ColumnConstraint, CreateTable, Name, TableConstraint};
use crate::stop::Step;
use hexalog_engine::TreeKind;
use hexalog_sql_types::error::Result;
use std::sync::Arc;

/// A table without trees, its sequences without pages, and the catalog that they were drafted from.
#[derive(Clone)]
struct Draft {
    before: Arc<Catalog>,
    table: Table,
    sequences: Vec<Sequence>,
}

fn draft(context: &mut DefinitionContext<'_>, schema: Oid, create: &CreateTable) -> Result<Option<Draft>> {
    let before = context.newest();
    let name = create.name.last();
    if create.if_not_exists && !lookup::is_free(context, &before, schema, name, true)? {
        return Ok(None);
    }
    let mut names = Names::new(&before, schema);
    names.take_relation(name);
    let oid = context.database.allocate_oid()?;
    let target = Target { catalog: &before, schema, table: oid, table_name: name };
    column::check_count(create.columns.len())?;
    let mut columns = Columns::default();
    for (number, definition) in create.columns.iter().enumerate() {
        columns.add(context, &target, &mut names, number, definition)?;
    }
    column::check_distinct(columns.columns.iter().map(|column| column.name.as_str()))?;
    let Columns { columns, defaults: _, sequences, mut constraints, generations } = columns;
    create.constraints.iter().for_each(|item| constraint::sort(item, &mut constraints));
    lookup::is_free(context, &before, schema, name, false)?;
    let mut table = Table {
        oid,
        name: name.to_owned(),
        schema,
        owner: context.view.user_oid,
        rows_from: hexalog_protocol::Lsn::ZERO,
        layout: Table::layout_of(&columns),
        columns,
        tree: TREE_TO_BE_MADE,
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        parameters: parameters::checked(Of::Table, &create.parameters)?,
    };
    generated::add(context, &mut table, &generations)?;
    constraint::add_checks(context, &mut table, &mut names, &constraints.checks)?;
    constraint::add_keys(context, &mut table, &mut names, &constraints.keys)?;
    add_foreign_keys(context, &before, &mut table, &mut names, &constraints.foreign_keys)?;
    Ok(Some(Draft { before, table, sequences }))
}

/// Makes a table's tree and those of its indexes that have none yet.
pub(super) fn make_trees(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    table: &mut Table,
) -> Step<()> {
    let schema = table.schema;
    let make = |context: &mut DefinitionContext<'_>, kind| {
        let (engine, transaction) = context.home_of(schema);
        Ok(engine.create_tree(transaction, kind)?)
    };
    if table.tree == TREE_TO_BE_MADE {
        table.tree = replay.once(context, |context| make(context, TreeKind::Clustered))?;
    }
    for index in table.indexes.iter_mut().filter(|index| index.tree == Some(TREE_TO_BE_MADE)) {
        index.tree = Some(replay.once(context, |context| make(context, TreeKind::Index))?);
    }
    Ok(())
}

/// The tables that foreign keys refer to.
fn targets(create: &CreateTable) -> impl Iterator<Item = &Name> {
    let of_columns = create.columns.iter().flat_map(|column| &column.constraints);
    let of_columns = of_columns.filter_map(|item| match &item.constraint {
        ColumnConstraint::References(references) => Some(&references.table),
        _ => None,
    });
    let of_table = create.constraints.iter().filter_map(|item| match &item.constraint {
        TableConstraint::ForeignKey { references, .. } => Some(&references.table),
        _ => None,
    });
    of_columns.chain(of_table)
}

/// CREATE TABLE [IF NOT EXISTS].
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    create: &CreateTable,
) -> Step<Defined> {
    let schema = lookup::creation_schema(replay, context, &create.name, create.temporary)?;
    temporary::check_on_commit(replay, context, schema, create.on_commit)?;
    lock_targets(replay, context, (schema, create.name.last()), targets(create))?;
    let drafted = replay.once(context, |context| Ok(draft(context, schema, create)?))?;
    let Some(Draft { before, mut table, sequences }) = drafted else {
        return Ok(Defined::nothing("CREATE TABLE"));
    };
    let sequences = sequence::make(replay, context, &sequences)?;
    make_trees(replay, context, &mut table)?;
    let oid = table.oid;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    for sequence in sequences {
        changes.put(Object::Sequence(Arc::new(sequence)));
    }
    let changes = store(replay, context, &before, changes)?;
    temporary::note_on_commit(context, oid, create.on_commit);
    Ok(Defined::plain("CREATE TABLE", changes))
}

//! REINDEX: indexes with trees of their own are built anew from the table's rows, and the old trees fall with the commit.
//!
//! The primary key that orders a table's rows is those rows: there is nothing to build it from, and it stays as it is. An index
//! that was broken off while it was built CONCURRENTLY is good afterwards.

use super::constraint::TREE_TO_BE_MADE;
use super::create_index::build_all;
use super::create_table::make_trees;
use super::lookup::{self, Found};
use super::replay::Replay;
use super::truncate::drop_trees;
use super::{Defined, DefinitionContext, store};
use crate::catalog::Relation;
use crate::catalog::object::{IndexState, Object, Oid, Table};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{Name, ObjectKind};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::SqlState;
use std::sync::Arc;

/// The table, and the one index of it that is asked for.
fn target(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    kind: ObjectKind,
    name: &Name,
) -> Step<(Arc<Table>, Option<Oid>)> {
    let mode = RelationLockMode::AccessExclusive;
    match lookup::locked(replay, context, name, mode)? {
        Found::Relation(Relation::Table(table)) if kind == ObjectKind::Table => {
            context.view.check_own(&context.newest(), &table)?;
            Ok((table, None))
        }
        Found::Relation(relation) if kind == ObjectKind::Table => match relation {
            Relation::System(table) if !table.is_view => Err(lookup::is_system(table.name).into()),
            relation => Err(lookup::not_a("table or materialized view", relation.name()).into()),
        },
        Found::Relation(Relation::Index(table, at)) => {
            context.view.check_own(&context.newest(), &table)?;
            let oid = table.indexes[at].oid;
            Ok((table, Some(oid)))
        }
        Found::Relation(relation) => Err(lookup::not_a("index", relation.name()).into()),
        Found::Nothing => Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

/// REINDEX TABLE and REINDEX INDEX.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    kind: ObjectKind,
    name: &Name,
) -> Step<Defined> {
    let (table, wanted) = target(replay, context, kind, name)?;
    lookup::check_unused(context, &table, "REINDEX")?;
    let before = replay.once(context, |context| {
        if table.indexes.is_empty() {
            let message = format!("table \"{}\" has no indexes to reindex", table.name);
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
        }
        Ok(context.newest())
    })?;
    let mut table = Table::clone(&table);
    let (mut old, mut rebuilt) = (Vec::new(), Vec::new());
    for index in table.indexes.iter_mut().filter(|index| wanted.is_none_or(|wanted| wanted == index.oid)) {
        let Some(tree) = &mut index.tree else { continue };
        old.push(std::mem::replace(tree, TREE_TO_BE_MADE));
        index.state = IndexState::Valid;
        rebuilt.push(index.oid);
    }
    if rebuilt.is_empty() {
        return Ok(Defined::nothing("REINDEX"));
    }
    make_trees(replay, context, &mut table)?;
    build_all(replay, context, &mut table, &rebuilt)?;
    drop_trees(replay, context, old)?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    Ok(Defined::plain("REINDEX", store(replay, context, &before, changes)?))
}

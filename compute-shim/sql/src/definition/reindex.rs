//! REINDEX: indexes with trees of their own are built anew from the table's rows, and the old trees fall with the commit.
//!
//! The primary key that orders a table's rows is those rows: there is nothing to build it from, and it stays as it is. An index
//! that was broken off while it was built CONCURRENTLY is good afterwards.
//!
//! Owns two definitions of REINDEX CONCURRENTLY as well: the copy that is filled, and the exchange of the trees. Everything
//! else of the index stays, its oid too, so that nothing which rests on it is concerned. The way: `session/concurrent_index.rs`.

use super::constraint::TREE_TO_BE_MADE;
use super::create_index::build_all;
use super::create_table::make_trees;
use super::lookup::{self, Found};
use super::names::Names;
use super::replay::Replay;
use super::truncate::drop_trees;
use super::{Defined, DefinitionContext, store};
use crate::answer::Severity;
use crate::catalog::Relation;
use crate::catalog::object::{Index, IndexState, Object, Oid, Table};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{Name, ObjectKind, ReindexOptions};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_protocol::Lsn;
use hexalog_sql_types::{SqlError, SqlState};
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
            context.view.check_own(&context.newest(), table.schema)?;
            Ok((table, None))
        }
        Found::Relation(relation) if kind == ObjectKind::Table => match relation {
            Relation::System(table) if !table.is_view => Err(lookup::is_system(table.name).into()),
            relation => Err(lookup::not_a("table or materialized view", relation.name()).into()),
        },
        Found::Relation(Relation::Index(table, at)) => {
            context.view.check_own(&context.newest(), table.schema)?;
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
    options: ReindexOptions,
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
    build_all(replay, context, &mut table, &rebuilt, "REINDEX")?;
    replay.once(context, |context| {
        let is_told = |index: &&Index| options.verbose && rebuilt.contains(&index.oid);
        let told = table.indexes.iter().filter(is_told).map(|index| was_reindexed(&index.name));
        context.notices.extend(told);
        Ok(())
    })?;
    drop_trees(replay, context, old, Some(table.tree))?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    Ok(Defined::plain("REINDEX", store(replay, context, &before, changes)?))
}

/// What VERBOSE tells of an index; PostgreSQL adds times.
pub(crate) fn was_reindexed(name: &str) -> (Severity, SqlError) {
    let message = format!("index \"{name}\" was reindexed");
    (Severity::Info, SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message))
}

fn gone() -> SqlError {
    SqlError::internal("an index has gone while its table was held")
}

/// 0A000. Who writes a key of such an index looks for others' entries in the tree that is the index's as far as it knows. Of
/// two at once, one that knows it from before the exchange and one from behind it, neither need see the other.
fn is_deferrable(name: &str) -> SqlError {
    let message = format!("cannot reindex index \"{name}\" of a deferrable constraint concurrently");
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint("Leave out CONCURRENTLY.")
}

/// An index like another that has no entries yet: all who write from the commit on keep it. The session holds the table.
pub(super) fn copy(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    table: Oid,
    index: Oid,
) -> Step<Defined> {
    let (before, table) = replay.once(context, |context| {
        let before = context.newest();
        let mut table = Table::clone(before.table(table).ok_or_else(gone)?);
        let of = table.indexes.iter().find(|own| own.oid == index).ok_or_else(gone)?;
        if of.unique && !of.is_unique_at_once() {
            return Err(is_deferrable(&of.name).into());
        }
        let copy = Index {
            oid: context.database.allocate_oid()?,
            name: Names::new(&before, table.schema).choose_relation(&of.name, None, "ccnew"),
            tree: Some(TREE_TO_BE_MADE),
            primary: false,
            constraint: 0,
            state: IndexState::Building,
            valid_from: Lsn::MAX,
            built_at: Lsn::ZERO,
            ..of.clone()
        };
        table.indexes.push(copy);
        Ok((before, table))
    })?;
    let mut table = table;
    make_trees(replay, context, &mut table)?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    Ok(Defined::plain("REINDEX", store(replay, context, &before, changes)?))
}

/// The index is read by the tree of its copy from the commit on. The old tree is kept by the copy for those who read it still.
pub(super) fn swap(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    table: Oid,
    (index, copy): (Oid, Oid),
) -> Step<Defined> {
    let (before, table) = replay.once(context, |context| {
        let before = context.newest();
        let mut table = Table::clone(before.table(table).ok_or_else(gone)?);
        let place = |oid| table.indexes.iter().position(|own| own.oid == oid).ok_or_else(gone);
        let (index, copy) = (place(index)?, place(copy)?);
        let (new, old) = (table.indexes[copy].tree, table.indexes[index].tree);
        (table.indexes[index].tree, table.indexes[copy].tree) = (new, old);
        let index = &mut table.indexes[index];
        let was = std::mem::replace(&mut index.state, IndexState::Valid);
        // Snapshots before the commit have versions that the new tree has no entry for.
        (index.valid_from, index.built_at) = (Lsn::MAX, Lsn::ZERO);
        table.indexes[copy].state = if was == IndexState::Valid { IndexState::Building } else { was };
        Ok((before, Arc::new(table)))
    })?;
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(table));
    Ok(Defined::plain("REINDEX", store(replay, context, &before, changes)?))
}

//! TRUNCATE: new empty trees take the place of the old ones, which fall with the commit.

use super::constraint::TREE_TO_BE_MADE;
use super::create_table::make_trees;
use super::foreign_key::referring_tables;
use super::replay::Replay;
use super::{Defined, DefinitionContext, lookup, sequence, store};
use crate::catalog::object::{Object, Oid, Sequence, Table};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::statistics::Statistics;
use crate::parse::tree::Name;
use crate::stop::Step;
use hexalog_engine::{RelationLockMode, TreeId};
use hexalog_protocol::Lsn;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// Marks all trees of a table as to be made, and answers with the old ones.
pub(super) fn take_trees(table: &mut Table) -> Vec<TreeId> {
    let mut old = vec![std::mem::replace(&mut table.tree, TREE_TO_BE_MADE)];
    for index in &mut table.indexes {
        if let Some(tree) = &mut index.tree {
            old.push(std::mem::replace(tree, TREE_TO_BE_MADE));
        }
        // The new tree holds no version that any other transaction could need.
        index.valid_from = Lsn::ZERO;
        index.built_at = Lsn::ZERO;
    }
    old
}

/// Drops trees with the transaction's commit. `heir`: the tree of the rows that they were of, if these live on.
pub(super) fn drop_trees(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    trees: impl IntoIterator<Item = TreeId>,
    heir: Option<TreeId>,
) -> Step<()> {
    for tree in trees {
        assert_ne!(tree, TREE_TO_BE_MADE, "only trees that were made are dropped");
        replay.once(context, |context| {
            let Some((engine, transaction)) = context.stores.of_fallen(tree) else { return Ok(()) };
            engine.drop_tree(transaction, tree)?;
            if let Some(heir) = heir {
                context.stores.engine.hand_reads_on(tree, heir);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// PostgreSQL's own 0A000.
fn is_referred_to(table: &str, other: &str) -> SqlError {
    let message = "cannot truncate a table referenced in a foreign key constraint";
    let hint = format!("Truncate table \"{other}\" at the same time, or use TRUNCATE ... CASCADE.");
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
        .with_detail(format!("Table \"{other}\" references \"{table}\"."))
        .with_hint(hint)
}

/// Adds the tables that refer to these, and those that refer to them.
fn add_referring(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    tables: &mut Vec<Arc<Table>>,
) -> Step<()> {
    loop {
        let all: Vec<Oid> = tables.iter().map(|table| table.oid).collect();
        let found = replay.once(context, |context| Ok(referring_tables(&context.newest(), &all)))?;
        if found.is_empty() {
            return Ok(());
        }
        for oid in found {
            lookup::lock(replay, context, oid, RelationLockMode::AccessExclusive)?;
            let table = replay.once(context, |context| {
                let table = context.newest().table(oid).cloned();
                if let Some(table) = &table {
                    let message = format!("truncate cascades to table \"{}\"", table.name);
                    context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                }
                Ok(table)
            })?;
            tables.extend(table);
        }
    }
}

/// TRUNCATE of several tables.
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    names: &[Name],
    restart_identity: bool,
    cascade: bool,
) -> Step<Defined> {
    let mut tables: Vec<Arc<Table>> = Vec::with_capacity(names.len());
    for name in names {
        let table = lookup::locked_table(replay, context, name, RelationLockMode::AccessExclusive)?;
        if tables.iter().all(|other| other.oid != table.oid) {
            tables.push(table);
        }
    }
    if cascade {
        add_referring(replay, context, &mut tables)?;
    }
    for table in &tables {
        lookup::check_unused(context, table, "TRUNCATE")?;
    }
    let before = replay.once(context, |context| {
        let catalog = context.newest();
        let all: Vec<Oid> = tables.iter().map(|table| table.oid).collect();
        for table in &tables {
            if let Some(other) =
                referring_tables(&catalog, &[table.oid]).into_iter().find(|oid| !all.contains(oid))
            {
                let other = catalog.table(other).expect("it refers to this one");
                return Err(is_referred_to(&table.name, &other.name).into());
            }
        }
        Ok(catalog)
    })?;
    let mut changes = ChangeSet::default();
    for table in &tables {
        let mut table = Table::clone(table);
        let old = take_trees(&mut table);
        make_trees(replay, context, &mut table)?;
        drop_trees(replay, context, old, Some(table.tree))?;
        if restart_identity {
            // A new page takes the old one's place, so that a rollback leaves the sequence where it stood.
            let owned =
                |sequence: &&Arc<Sequence>| sequence.owned_by.is_some_and(|(owner, _)| owner == table.oid);
            let owned: Vec<Sequence> =
                before.sequences().filter(owned).map(|sequence| Sequence::clone(sequence)).collect();
            for sequence in sequence::make(replay, context, &owned)? {
                changes.put(Object::Sequence(Arc::new(sequence)));
            }
            for Sequence { id, .. } in owned {
                sequence::drop(replay, context, id)?;
            }
        }
        if let Some(kept) = before.statistics(table.oid) {
            let statistics = Statistics { rows: None, ..Statistics::clone(kept) };
            changes.put(Object::Statistics(Arc::new(statistics)));
        }
        changes.put(Object::Table(Arc::new(table)));
    }
    replay.once(context, |context| {
        tables.iter().for_each(|table| context.effects.count_emptied(table.oid));
        Ok(())
    })?;
    Ok(Defined::plain("TRUNCATE TABLE", store(replay, context, &before, changes)?))
}

//! ALTER TABLE: all actions are drafted first, in PostgreSQL's order of passes, then carried out in one go.
//!
//! Owns [`Draft`], the table as it shall be with a list of what has to happen to storage for it: sequences made and
//! dropped, missing values computed, rows copied or checked, indexes built. `alter_action.rs` holds the single actions.

use super::alter_action::{Draft, is_rename};
use super::create_index::build_all;
use super::create_table::make_trees;
use super::dependents::lock_views;
use super::expression::{Evaluator, is_volatile};
use super::foreign_key::{lock_targets, validate};
use super::lookup::{self, Found};
use super::parameters::{self, Of, is_of_parameters};
use super::replay::Replay;
use super::rewrite::{Rewrite, Source};
use super::truncate::{drop_trees, take_trees};
use super::validate::{Rules, Validation};
use super::{Defined, DefinitionContext, alter_action, see_every_row, sequence, set_schema, store, view};
use crate::catalog::Relation;
use crate::catalog::object::{Object, ObjectClass, Oid, Sequence, Table};
use crate::catalog::overlay::ChangeSet;
use crate::parse::tree::{AlterSequenceAction, AlterTableAction, AlterViewAction, Name};
use crate::stop::Step;
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::RowLayout;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId};
use std::sync::Arc;

/// SET and RESET of storage parameters and VALIDATE CONSTRAINT alone let readers and writers go on: what writers write complies.
fn lock_mode(actions: &[AlterTableAction]) -> RelationLockMode {
    let is_weak = |action: &AlterTableAction| {
        is_of_parameters(action) || matches!(action, AlterTableAction::ValidateConstraint(_))
    };
    match actions.iter().all(is_weak) {
        true => RelationLockMode::ShareUpdateExclusive,
        false => RelationLockMode::AccessExclusive,
    }
}

/// 42809 for a relation that the action does not fit.
fn wrong_kind(relation: &Relation, action: &AlterTableAction) -> SqlError {
    let kinds = match relation {
        Relation::Index(..) => "indexes",
        Relation::Sequence(_) => "sequences",
        Relation::View(_) => "views",
        Relation::System(table) if table.is_view => "views",
        Relation::System(table) => return lookup::is_system(table.name),
        Relation::Table(_) => unreachable!("tables fit every action"),
    };
    let message = format!(
        "ALTER action {} cannot be performed on relation \"{}\"",
        alter_action::word(action),
        relation.name()
    );
    SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
        .with_detail(format!("This operation is not supported for {kinds}."))
}

/// ALTER TABLE [IF EXISTS].
pub(super) fn run(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    if_exists: bool,
    actions: &[AlterTableAction],
) -> Step<Defined> {
    let table = match lookup::locked(replay, context, name, lock_mode(actions))? {
        Found::Relation(Relation::Table(table)) => {
            context.view.check_own(&context.newest(), table.schema)?;
            table
        }
        Found::Relation(Relation::View(view)) => {
            let action = match actions {
                [AlterTableAction::RenameTable(new)] => AlterViewAction::RenameView(new.clone()),
                [AlterTableAction::RenameColumn { from, to }] => {
                    AlterViewAction::RenameColumn { from: from.clone(), to: to.clone() }
                }
                [AlterTableAction::OwnerTo(role)] => AlterViewAction::OwnerTo(role.clone()),
                [AlterTableAction::SetSchema(schema)] => AlterViewAction::SetSchema(schema.clone()),
                [action, ..] if is_of_parameters(action) => {
                    return Err(SqlError::unsupported("an option of a view").into());
                }
                _ => return Err(wrong_kind(&Relation::View(view), &actions[0]).into()),
            };
            return view::alter(replay, context, name, false, &action, "ALTER TABLE");
        }
        Found::Relation(relation) => match actions {
            [AlterTableAction::RenameTable(new)] if !matches!(relation, Relation::System(_)) => {
                return alter_action::rename_other(replay, context, &relation, new, "ALTER TABLE");
            }
            actions if matches!(relation, Relation::Index(..)) && actions.iter().all(is_of_parameters) => {
                return set_index_parameters(replay, context, &relation, actions, "ALTER TABLE");
            }
            // The dumps of PostgreSQL say it so.
            [AlterTableAction::OwnerTo(role)] if matches!(relation, Relation::Sequence(_)) => {
                let action = AlterSequenceAction::OwnerTo(role.clone());
                let altered = sequence::alter(replay, context, name, false, &action)?;
                return Ok(Defined::plain("ALTER TABLE", altered.changes));
            }
            _ => return Err(wrong_kind(&relation, &actions[0]).into()),
        },
        Found::Nothing | Found::NoSchema(_) if if_exists => {
            lookup::notice_skipped(replay, context, name)?;
            return Ok(Defined::nothing("ALTER TABLE"));
        }
        Found::Nothing => return Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => return Err(lookup::no_schema(&schema).into()),
    };
    let is_name = |action| is_rename(action) || matches!(action, AlterTableAction::SetSchema(_));
    match actions.iter().any(is_name) {
        true => lookup::check_nothing_waits(context, &table, "ALTER TABLE")?,
        false => lookup::check_unused(context, &table, "ALTER TABLE")?,
    }
    if let [AlterTableAction::SetSchema(schema)] = actions {
        return set_schema::run(replay, context, Relation::Table(table), schema, "ALTER TABLE");
    }
    assert!(actions.len() == 1 || !actions.iter().any(is_rename), "the parser lets a rename stand alone");
    let targets = actions.iter().flat_map(alter_action::targets);
    lock_targets(replay, context, (table.schema, &table.name), targets)?;
    let cascades =
        |action: &AlterTableAction| matches!(action, AlterTableAction::DropColumn { cascade: true, .. });
    if actions.iter().any(cascades) {
        lock_views(replay, context, &[table.oid])?;
    }
    let draft = replay.once(context, |context| Ok(Draft::of(context, table, actions)?))?;
    let (before, changes) = (draft.before.clone(), carry_out(replay, context, draft)?);
    Ok(Defined::plain("ALTER TABLE", store(replay, context, &before, changes)?))
}

/// ALTER INDEX [IF EXISTS], all but RENAME TO.
pub(super) fn run_index(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    name: &Name,
    if_exists: bool,
    actions: &[AlterTableAction],
) -> Step<Defined> {
    match lookup::locked(replay, context, name, lock_mode(actions))? {
        Found::Relation(relation @ Relation::Index(..)) => {
            set_index_parameters(replay, context, &relation, actions, "ALTER INDEX")
        }
        Found::Relation(Relation::System(table)) => Err(lookup::is_system(table.name).into()),
        Found::Relation(relation) => Err(lookup::not_a("index", relation.name()).into()),
        Found::Nothing | Found::NoSchema(_) if if_exists => {
            lookup::notice_skipped(replay, context, name)?;
            Ok(Defined::nothing("ALTER INDEX"))
        }
        Found::Nothing => Err(lookup::no_relation(name).into()),
        Found::NoSchema(schema) => Err(lookup::no_schema(&schema).into()),
    }
}

/// SET and RESET of the parameters of an index that is locked.
fn set_index_parameters(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    index: &Relation,
    actions: &[AlterTableAction],
    verb: &'static str,
) -> Step<Defined> {
    let Relation::Index(table, at) = index else { unreachable!("asked for indexes only") };
    context.view.check_own(&context.newest(), table.schema)?;
    lookup::check_unused(context, table, verb)?;
    let before = replay.once(context, |context| Ok(context.newest()))?;
    let mut table = Table::clone(table);
    let index = &mut table.indexes[*at];
    for action in actions {
        index.parameters = parameters::altered(Of::Index, &index.parameters, action)?;
    }
    let mut changes = ChangeSet::default();
    changes.put(Object::Table(Arc::new(table)));
    Ok(Defined::plain(verb, store(replay, context, &before, changes)?))
}

/// Does to storage what the draft asks for.
pub(super) fn carry_out(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    draft: Draft,
) -> Step<ChangeSet> {
    let Draft { before: _, old, mut table, added_sequences, fallen_sequences, mut dropped_trees, .. } =
        draft.clone();
    let mut changes = ChangeSet::default();
    for &oid in &draft.changed_tables {
        lookup::lock(replay, context, oid, RelationLockMode::AccessExclusive)?;
    }
    for key in table.foreign_keys.iter().filter(|key| draft.new_foreign_keys.contains(&key.oid)) {
        // A column that has come without values has none to be looked for.
        if key.columns.iter().all(|(column, _)| *column < old.columns.len()) {
            validate(replay, context, &old, key)?;
        }
    }
    let sequences = sequence::make(replay, context, &added_sequences)?;
    for sequence in sequence::make(replay, context, &draft.identity_sequences)? {
        changes.put(Object::Sequence(Arc::new(sequence)));
    }
    for (sequence, options) in &draft.altered_sequences {
        lookup::lock(replay, context, sequence.oid, RelationLockMode::AccessExclusive)?;
        let altered = sequence::altered(replay, context, sequence, options)?;
        changes.put(Object::Sequence(Arc::new(altered)));
    }
    let rekeys = clustered_oid(&old) != clustered_oid(&table);
    let computes = !sequences.is_empty()
        || draft.added.iter().any(|(_, default)| default.as_ref().is_some_and(is_volatile));
    if rekeys || computes || !draft.casts.is_empty() || !draft.generated.is_empty() {
        let is_cast = |column: usize| draft.casts.iter().any(|(cast, _)| *cast == column);
        let new_keys =
            table.clustered_key().is_some_and(|index| index.reads.iter().any(|&column| is_cast(column)));
        let keeps_keys = !rekeys && !new_keys;
        let old_trees = rewrite(replay, context, &draft, &mut table, &sequences, keeps_keys)?;
        dropped_trees.extend(old_trees);
    } else {
        check_and_build(replay, context, &draft, &mut table)?;
    }
    drop_trees(replay, context, dropped_trees, Some(table.tree))?;
    for sequence in fallen_sequences {
        let id = sequence.id;
        sequence::drop(replay, context, id)?;
        changes.remove(ObjectClass::Sequence, sequence.oid);
    }
    for sequence in sequences.into_iter().chain(draft.changed_sequences) {
        changes.put(Object::Sequence(Arc::new(sequence)));
    }
    for view in draft.fallen_views {
        changes.remove(ObjectClass::View, view);
    }
    for other in draft.other_tables {
        changes.put(Object::Table(Arc::new(other)));
    }
    table.layout = Table::layout_of(&table.columns);
    changes.put(Object::Table(Arc::new(table)));
    Ok(changes)
}

fn clustered_oid(table: &Table) -> Option<Oid> {
    table.clustered_key().map(|index| index.oid)
}

/// The old rows stay: missing values are computed once, rows are read only where a new rule asks for it.
fn check_and_build(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    draft: &Draft,
    table: &mut Table,
) -> Step<()> {
    for (column, default) in &draft.added {
        let Some(default) = default else { continue };
        let value = replay.drive(
            context,
            |_| Ok(Evaluator::new(default.clone())),
            |evaluator, context| evaluator.value(&[], context),
        )?;
        check_missing(table.columns[*column].type_id, &value)?;
        table.columns[*column].missing = value;
    }
    let filled = |column: &usize| {
        let is_added = draft.added.iter().any(|(added, _)| added == column);
        is_added && !table.columns[*column].missing.is_null()
    };
    let not_null: Vec<usize> = draft.new_not_null.iter().copied().filter(|column| !filled(column)).collect();
    if !not_null.is_empty() || !draft.new_checks.is_empty() {
        see_every_row(replay, context)?;
        let table = &*table;
        replay.drive(
            context,
            |context| {
                let rules = Rules::new(context, table, &not_null, &draft.new_checks)?;
                Ok(Validation::new(table, rules))
            },
            |validation, context| validation.run(context, table),
        )?;
    }
    make_trees(replay, context, table)?;
    build_all(replay, context, table, &draft.new_indexes, "CREATE INDEX")
}

/// 54000 for a missing value that no row could hold: the next change of a row would have to store it.
fn check_missing(type_id: TypeId, value: &Datum) -> Result<()> {
    RowLayout::new(vec![type_id]).encode(std::slice::from_ref(value), &[], &mut Vec::new())
}

/// Copies the rows into new trees; answers with the old ones.
fn rewrite(
    replay: &mut Replay,
    context: &mut DefinitionContext<'_>,
    draft: &Draft,
    table: &mut Table,
    sequences: &[Sequence],
    keeps_keys: bool,
) -> Step<Vec<hexalog_engine::TreeId>> {
    take_trees(table);
    make_trees(replay, context, table)?;
    see_every_row(replay, context)?;
    {
        let (table, old) = (&*table, draft.old.tree);
        replay.drive(
            context,
            |context| {
                let rules = Rules::new(context, table, &draft.new_not_null, &draft.new_checks)?;
                let computed = sources(draft, sequences);
                let stored = stored_as(table, &draft.old);
                Ok(Rewrite::new(context, (old, stored), table, computed, rules, keeps_keys))
            },
            |rewrite, context| rewrite.run(context, table),
        )?;
    }
    // Every row is stored in full now.
    table.columns.iter_mut().for_each(|column| column.missing = Datum::Null);
    let indexes: Vec<Oid> = table.secondary_indexes().map(|index| index.oid).collect();
    build_all(replay, context, table, &indexes, "CREATE INDEX")?;
    for index in &mut table.indexes {
        // No version in the new tree is older than this transaction.
        (index.valid_from, index.built_at) = (hexalog_protocol::Lsn::ZERO, hexalog_protocol::Lsn::ZERO);
    }
    // Older snapshots cannot see the rows there: they are told so.
    table.rows_from = hexalog_protocol::Lsn::MAX;
    let old = std::iter::once(draft.old.tree);
    let kept = |tree: &hexalog_engine::TreeId| !draft.dropped_trees.contains(tree);
    Ok(old.chain(draft.old.indexes.iter().filter_map(|index| index.tree)).filter(kept).collect())
}

/// A table as its rows are stored now: with the old types, and columns that they do not have yet.
fn stored_as(table: &Table, old: &Table) -> Table {
    let mut stored = table.clone();
    for (column, old) in stored.columns.iter_mut().zip(&old.columns) {
        (column.type_id, column.typmod) = (old.type_id, old.typmod);
    }
    stored.layout = Table::layout_of(&stored.columns);
    stored
}

/// Where each added column's values come from.
fn sources(draft: &Draft, sequences: &[Sequence]) -> Vec<(usize, Source)> {
    let mut sources = Vec::new();
    for (column, expr) in &draft.casts {
        sources.push((*column, Source::Cast(Box::new(Evaluator::new(expr.clone())))));
    }
    for (column, default) in &draft.added {
        let owner = Some((draft.table.oid, *column));
        if let Some(sequence) = sequences.iter().find(|sequence| sequence.owned_by == owner) {
            sources.push((*column, Source::Sequence(sequence.id)));
        } else if let Some(default) = default {
            sources.push((*column, Source::Default(Box::new(Evaluator::new(default.clone())))));
        }
    }
    // They may read what was computed before.
    for &column in &draft.generated {
        let generated = draft.table.columns[column].generated.clone();
        sources.extend(generated.map(|generated| (column, Source::Generated(generated))));
    }
    sources
}

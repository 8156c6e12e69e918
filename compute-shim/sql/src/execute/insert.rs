//! INSERT: rows from below, checked, written, returned; ON CONFLICT.
//!
//! ON CONFLICT first looks for a row in the way through each arbiter index, newest version and all, waiting for its
//! writer if that is in progress; then inserts. When a row has slipped in between and a secondary index notices it after
//! the row itself was written, the row is taken back and the look begins again, as PostgreSQL's speculative insertion
//! does. So it does when the row found has changed or gone before it is updated. Under REPEATABLE READ a row in the way that
//! the snapshot does not see raises 40001.

use super::row_writer::{Inserted, check_not_null, check_violation, duplicate_key};
use super::unique::{FirstTaken, KeyProbe};
use super::{Context, Operator, Row, RowWriter, compute_generated, version_column};
use crate::catalog::object::{Index, Table};
use crate::expression::{evaluate, is_true};
use crate::plan::{Conflict, ConflictUpdate, Node};
use crate::stop::Step;
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pull,
    Check,
    /// Looks for a conflict in the n-th arbiter.
    Probe(usize),
    Write,
    /// The n-th index has refused the row that was written: it is taken back.
    Retract(usize),
    /// DO UPDATE of the row found.
    Update,
    Return,
}

/// The INSERT operator.
pub(super) struct Insert {
    plan: Arc<Node>,
    source: Box<dyn Operator>,
    phase: Phase,
    row: Row,
    writer: RowWriter,
    probe: KeyProbe,
    taken: FirstTaken,
    update: Option<super::modify::RowUpdate>,
    single: bool,
}

impl Insert {
    pub(super) fn new(plan: Arc<Node>, source: Box<dyn Operator>) -> Insert {
        let Node::Insert { table, source: below, conflict, returning, checks, filter: None } = &*plan else {
            unreachable!("built for INSERT");
        };
        let one_row = match &**below {
            Node::Project { input, .. } => match &**input {
                Node::Nothing => true,
                Node::Values { rows, .. } => rows.len() == 1,
                _ => false,
            },
            Node::Values { rows, .. } => rows.len() == 1,
            _ => false,
        };
        let single = one_row
            && conflict.is_none()
            && returning.is_none()
            && checks.is_empty()
            && table.foreign_keys.is_empty()
            && table.secondary_indexes().next().is_none();
        let phase = Phase::Pull;
        let writer = RowWriter::new();
        Insert {
            plan,
            source,
            phase,
            row: Row::new(),
            writer,
            probe: KeyProbe::default(),
            taken: FirstTaken::default(),
            update: None,
            single,
        }
    }
}

impl Operator for Insert {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::Insert { table, checks, conflict, returning, .. } = &*plan else {
            unreachable!("built for INSERT");
        };
        loop {
            match self.phase {
                Phase::Pull => {
                    if context.state.is_fused {
                        return Ok(false);
                    }
                    let (engine, transaction) = context.stores.of(table.tree);
                    self.writer.discard(engine, transaction)?;
                    if !self.source.next(context, &mut self.row)? {
                        return Ok(false);
                    }
                    compute_generated(table, &mut self.row)?;
                    check_not_null(table, &self.row, context)?;
                    checks.iter().for_each(|check| check.predicate.evaluation.begin_row(context.state));
                    self.phase = Phase::Check;
                }
                Phase::Check => {
                    for check in checks {
                        if check.refuses(evaluate(&check.predicate.expr, &self.row, context)?.as_bool()) {
                            return Err(check_violation(table, check, &self.row, context).into());
                        }
                    }
                    self.phase = if conflict.is_some() { Phase::Probe(0) } else { Phase::Write };
                }
                Phase::Probe(nth) => {
                    self.probe(table, conflict.as_ref().expect("set above"), nth, context)?
                }
                Phase::Write => self.write(table, conflict.as_ref(), context)?,
                Phase::Retract(at) => {
                    let (engine, transaction) = context.stores.of(table.tree);
                    self.writer.retract(engine, transaction, table, &self.row, at)?;
                    self.phase = Phase::Probe(0);
                }
                Phase::Update => {
                    let update = self.update.as_mut().expect("set by the probe");
                    if let Some(new) = update.step(context, &plan)? {
                        let ctid = update.ctid(&new, context.plan)?;
                        self.row = new;
                        self.update = None;
                        // It held the row's lock before it wrote: this is how clients tell an update.
                        let locked_by = version_column::own(context.stores.of(table.tree).1);
                        self.finish_row(returning.is_some(), locked_by, ctid, context, &plan);
                    } else {
                        let looks_again = update.has_lost_conflict();
                        self.update = None;
                        self.phase = if looks_again { Phase::Probe(0) } else { Phase::Pull };
                    }
                }
                Phase::Return => {
                    let returning = returning.as_ref().expect("set by finish_row");
                    row.clear();
                    for item in &returning.items {
                        row.push(evaluate(item, &self.row, context)?);
                    }
                    self.row.truncate(table.columns.len());
                    self.phase = Phase::Pull;
                    return Ok(true);
                }
            }
        }
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        unreachable!("changes run once");
    }
}

impl Insert {
    /// A row was written; what is returned has the version columns behind its own.
    fn finish_row(
        &mut self,
        has_returning: bool,
        xmax: Datum,
        ctid: Datum,
        context: &mut Context<'_>,
        plan: &Node,
    ) {
        let Node::Insert { table, .. } = plan else { unreachable!("built for insertions") };
        context.state.affected += 1;
        if has_returning {
            self.row.extend([
                version_column::own(context.stores.of(table.tree).1),
                xmax,
                Datum::Oid(table.oid),
                ctid,
            ]);
        }
        self.phase = if has_returning { Phase::Return } else { Phase::Pull };
        if let Node::Insert { returning: Some(returning), .. } = plan {
            returning.evaluation.begin_row(context.state);
        }
    }

    fn write(&mut self, table: &Table, conflict: Option<&Conflict>, context: &mut Context<'_>) -> Step<()> {
        let fuse = context.may_fuse && self.single;
        let (engine, transaction) = context.stores.of(table.tree);
        let outcome = self.writer.insert(engine, transaction, table, &self.row, fuse)?;
        match outcome {
            Inserted::Done => {
                self.taken.forget();
                context.note_insert(table, &self.row, self.writer.shared())?;
                context.state.is_fused = fuse;
                let plan = self.plan.clone();
                let has_returning = matches!(&*plan, Node::Insert { returning: Some(_), .. });
                let ctid = self.writer.ctid(table, &self.row, context.plan)?;
                self.finish_row(has_returning, version_column::XMAX_NONE, ctid, context, &plan);
                Ok(())
            }
            Inserted::Conflict(at) => {
                let index = &table.indexes[at];
                let arbiter = conflict
                    .is_some_and(|conflict| conflict.arbiters.is_empty() || conflict.arbiters.contains(&at));
                if arbiter {
                    self.taken.forget();
                    self.phase = if index.is_clustered() { Phase::Probe(0) } else { Phase::Retract(at) };
                    return Ok(());
                }
                let at = self.taken.find(context, table, &self.row, None, at)?;
                let schema = context.view.catalog().schema_name(table.schema);
                Err(duplicate_key(table, schema, &table.indexes[at], &self.row, &context.env).into())
            }
        }
    }

    /// Looks for a live row with the arbiter's key; goes on to the next arbiter, to the write, or to the update.
    fn probe(
        &mut self,
        table: &Arc<Table>,
        conflict: &Conflict,
        nth: usize,
        context: &mut Context<'_>,
    ) -> Step<()> {
        let arbiters: Vec<&Index> = match conflict.arbiters.is_empty() {
            true => table.indexes.iter().filter(|index| index.unique).collect(),
            false => conflict.arbiters.iter().map(|&at| &table.indexes[at]).collect(),
        };
        let Some(index) = arbiters.get(nth) else {
            self.phase = Phase::Write;
            return Ok(());
        };
        if !index.is_unique_at_once() {
            let schema = context.view.catalog().schema_name(table.schema);
            return Err(deferrable_arbiter(table, schema, index).into());
        }
        if !self.probe.find_of(context, table, index, &self.row, None)? {
            self.probe.end();
            self.phase = Phase::Probe(nth + 1);
            return Ok(());
        }
        self.probe.end();
        let (_, transaction) = context.stores.of(table.tree);
        let snapshot = transaction.snapshot().expect("a statement has a snapshot");
        let is_unseen = self.probe.stored.committed_at > snapshot;
        if is_unseen && transaction.isolation().has_one_snapshot() {
            return Err(hexalog_engine::EngineError::SerializationFailure.into());
        }
        match &conflict.update {
            None => self.phase = Phase::Pull,
            Some(_) if transaction.has_just_written(self.probe.stored.version) => {
                return Err(super::modify::affected_twice().into());
            }
            Some(update) => {
                self.update = Some(self.begin_update(table, update, context)?);
                self.phase = Phase::Update;
            }
        }
        Ok(())
    }

    fn begin_update(
        &mut self,
        table: &Arc<Table>,
        update: &ConflictUpdate,
        context: &mut Context<'_>,
    ) -> Step<super::modify::RowUpdate> {
        let columns: Vec<usize> = (0..table.columns.len()).collect();
        let mut both = Row::new();
        let stored = &mut self.probe.stored;
        let (engine, transaction) = context.stores.of(table.tree);
        super::decode_row(engine, transaction, table, stored, &columns, &mut both)?;
        let stored = std::mem::take(&mut self.probe.stored);
        both.extend(self.row.iter().cloned());
        update.values.evaluation.begin_row(context.state);
        if let Some(filter) = &update.filter {
            filter.evaluation.begin_row(context.state);
        }
        super::modify::RowUpdate::of_conflict(table.clone(), both, stored)
    }
}

/// 55000: what is in the way must be known before the row is written.
fn deferrable_arbiter(table: &Table, schema: &str, index: &Index) -> SqlError {
    let message =
        "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters";
    SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .with_table(schema, &table.name)
        .with_constraint(&index.name)
}

/// DO UPDATE's condition over existing and proposed row.
pub(super) fn passes(update: &ConflictUpdate, both: &[Datum], context: &mut Context<'_>) -> Step<bool> {
    match &update.filter {
        Some(filter) => is_true(&filter.expr, both, context),
        None => Ok(true),
    }
}

//! Row locks of SELECT FOR UPDATE and its weaker kin.
//!
//! Owns the operator that locks the rows it passes on. Under READ COMMITTED a row that another transaction has changed
//! since the snapshot is locked in its newest version, put into the joined row, checked against the whole condition
//! again, and its select list is computed anew; other tables' rows stay as they were (PostgreSQL's EvalPlanQual). The
//! order of rows is not looked at again, as in PostgreSQL.

use super::identities::OfRow;
use super::{Context, Operator, Row, RowPlace, decode_row, version_column};
use crate::expression::{evaluate, is_true};
use crate::plan::{Exprs, Node, RowLock};
use crate::stop::{Step, Stop};
use hexalog_engine::{EngineError, Known, RowBuffer, RowLockOutcome, RowVersion};
use hexalog_sql_types::datum::equal;
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The next row is wanted.
    Input,
    /// The row of this table is to be locked.
    Lock(usize),
    /// It has been locked in a newer version, which is to be read.
    Decode(usize),
    /// It has been locked FOR KEY SHARE in a newer version, whose keys must be those of the one that was seen.
    Compare(usize),
    Locked(usize),
    /// A row has changed: the condition is checked again.
    Recheck,
    /// Then the select list is computed.
    Compute,
}

/// A row being locked.
struct Target {
    key: Vec<u8>,
    known: Known,
}

/// The operator.
pub(super) struct LockRows {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    /// No identity is needed once its row has been taken.
    identities: OfRow,
    phase: Phase,
    row: Row,
    target: Target,
    has_changed: bool,
    stored: RowBuffer,
    /// The select list, as far as it is computed.
    computed: Row,
}

impl LockRows {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> LockRows {
        let Node::LockRows { input: below, .. } = &*plan else { unreachable!("built for locks") };
        LockRows {
            identities: OfRow::new(below),
            plan,
            input,
            phase: Phase::Input,
            row: Row::new(),
            target: Target { key: Vec::new(), known: RowVersion::default().into() },
            has_changed: false,
            stored: RowBuffer::new(),
            computed: Row::new(),
        }
    }

    /// Takes the key and version of the n-th table's row. False: all tables' rows are locked.
    fn turn_to(&mut self, at: usize, rows: &[RowLock], first: usize, context: &mut Context<'_>) -> bool {
        let Some(lock) = rows.get(at) else { return false };
        let Datum::Int8(number) = self.row[first + lock.start + lock.table.columns.len()] else {
            unreachable!("the column behind the table's own is the identity");
        };
        let identity = context.state.identities.get(number);
        self.target = Target { key: identity.key.to_vec(), known: identity.version.into() };
        self.phase = Phase::Lock(at);
        true
    }

    /// Locks one row, and says what comes next.
    fn lock(&mut self, at: usize, lock: &RowLock, context: &mut Context<'_>) -> Step<Phase> {
        loop {
            let Target { key, known } = &self.target;
            let tree = lock.table.tree;
            let (engine, transaction) = context.stores.of(tree);
            let locked =
                engine.lock_row(transaction, tree, key, *known, lock.mode, lock.wait, &mut self.stored);
            match locked.map_err(|stop| not_available(stop, &lock.table.name))? {
                RowLockOutcome::Locked => return Ok(Phase::Locked(at)),
                RowLockOutcome::LockedNewest => return Ok(Phase::Decode(at)),
                RowLockOutcome::LockedKey => return Ok(Phase::Compare(at)),
                RowLockOutcome::Gone | RowLockOutcome::Skipped => return Ok(Phase::Input),
                RowLockOutcome::MovedTo(moved) => {
                    self.target = Target { key: moved.key.into_vec(), known: Known::Moved(moved.mark) };
                }
            }
        }
    }

    /// Puts the newest version into the joined row.
    fn decode(&mut self, lock: &RowLock, first: usize, context: &mut Context<'_>) -> Step<()> {
        let mut newest = Row::new();
        let (engine, transaction) = context.stores.of(lock.table.tree);
        decode_row(engine, transaction, &lock.table, &mut self.stored, &lock.columns, &mut newest)?;
        let start = first + lock.start;
        self.row[start..start + newest.len()].clone_from_slice(&newest);
        if lock.with_versions {
            let versions = version_column::of_stored(&lock.table, &self.stored, context.plan)?;
            let first = start + newest.len() + 1;
            self.row[first..first + versions.len()].clone_from_slice(&versions);
        }
        self.has_changed = true;
        Ok(())
    }
}

impl LockRows {
    /// Takes the next row in, and turns to its first table; false if there is none.
    fn pull(&mut self, rows: &[RowLock], first: usize, context: &mut Context<'_>) -> Step<bool> {
        self.identities.ask(&context.state.identities);
        if !self.input.next(context, &mut self.row)? {
            return Ok(false);
        }
        self.has_changed = false;
        let is_any = self.turn_to(0, rows, first, context);
        assert!(is_any, "a locking node locks something");
        self.identities.let_go(&mut context.state.identities, self.input.has_put_aside());
        Ok(true)
    }

    /// Notes for a cursor where the n-th table's row is, which has been locked.
    fn note_place(&self, at: usize, lock: &RowLock, context: &mut Context<'_>) {
        let Some(keys) = context.state.keys_of(&self.plan) else { return };
        keys.truncate(at);
        let version = match self.target.known {
            Known::Seen(version) => version,
            Known::Moved(_) => self.stored.version,
        };
        keys.push(RowPlace { table: lock.table.oid, key: self.target.key.as_slice().into(), version });
    }

    /// Computes the select list anew, as far as it is not.
    fn compute(&mut self, items: &Exprs, context: &mut Context<'_>) -> Step<()> {
        let first = items.items.len();
        while let Some(item) = items.items.get(self.computed.len()) {
            let value = evaluate(item, &self.row[first..], context)?;
            self.computed.push(value);
        }
        self.row[..first].clone_from_slice(&self.computed);
        Ok(())
    }

    /// 40001 if the newest version has other unique keys, as far as the query reads them: nothing in it rests on the rest.
    fn compare(&mut self, lock: &RowLock, first: usize, context: &mut Context<'_>) -> Step<()> {
        let mut newest = Row::new();
        let (engine, transaction) = context.stores.of(lock.table.tree);
        decode_row(engine, transaction, &lock.table, &mut self.stored, &lock.columns, &mut newest)?;
        let seen = &self.row[first + lock.start..][..newest.len()];
        let is_key = |column: &&usize| {
            let mut unique =
                lock.table.indexes.iter().filter(|index| index.unique && index.predicate.is_none());
            unique.any(|index| index.columns.iter().any(|part| part.column() == Some(**column)))
        };
        let is_same = |column: &usize| {
            let (old, new) = (&seen[*column], &newest[*column]);
            let type_id = lock.table.columns[*column].type_id;
            old.is_null() == new.is_null() && (old.is_null() || equal(type_id, old, new))
        };
        match lock.columns.iter().filter(is_key).all(is_same) {
            true => Ok(()),
            false => Err(hexalog_engine::Stop::Fail(EngineError::SerializationFailure).into()),
        }
    }
}

/// 55P03 names the relation.
fn not_available(stop: hexalog_engine::Stop, table: &str) -> Stop {
    match stop {
        hexalog_engine::Stop::Fail(EngineError::LockNotAvailable) => {
            let message = format!("could not obtain lock on row in relation \"{table}\"");
            SqlError::new(SqlState::LOCK_NOT_AVAILABLE, message).into()
        }
        other => other.into(),
    }
}

impl Operator for LockRows {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::LockRows { rows, items, recheck, .. } = &*plan else { unreachable!("built for locks") };
        let first = items.items.len();
        loop {
            match self.phase {
                Phase::Input => {
                    if !self.pull(rows, first, context)? {
                        return Ok(false);
                    }
                }
                Phase::Lock(at) => self.phase = self.lock(at, &rows[at], context)?,
                Phase::Decode(at) => {
                    self.decode(&rows[at], first, context)?;
                    self.phase = Phase::Locked(at);
                }
                Phase::Compare(at) => {
                    self.compare(&rows[at], first, context)?;
                    self.phase = Phase::Locked(at);
                }
                Phase::Locked(at) => {
                    self.note_place(at, &rows[at], context);
                    if self.turn_to(at + 1, rows, first, context) {
                        continue;
                    }
                    self.phase = Phase::Input;
                    if !self.has_changed {
                        std::mem::swap(row, &mut self.row);
                        return Ok(true);
                    }
                    self.phase = Phase::Recheck;
                    if let Some(recheck) = recheck {
                        recheck.evaluation.begin_row(context.state);
                    }
                }
                Phase::Recheck => {
                    let passes = match recheck {
                        Some(recheck) => is_true(&recheck.expr, &self.row[first..], context)?,
                        None => true,
                    };
                    self.phase = if passes { Phase::Compute } else { Phase::Input };
                    items.evaluation.begin_row(context.state);
                    self.computed.clear();
                }
                Phase::Compute => {
                    self.compute(items, context)?;
                    self.phase = Phase::Input;
                    std::mem::swap(row, &mut self.row);
                    return Ok(true);
                }
            }
        }
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.phase = Phase::Input;
        self.identities.pass();
        self.input.rewind(context);
    }
}

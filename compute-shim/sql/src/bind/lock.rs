//! FOR UPDATE and its weaker kin: which tables of a SELECT they lock, and what they may not stand beside.
//!
//! A locked table's scan gives the row's identity behind its columns. Above ORDER BY and below LIMIT stands a node that
//! locks the rows it passes on; for a row that has changed it needs the row of FROM, so the projection below it keeps that
//! behind the select list.

use super::Binder;
use super::scope::SelectFrame;
use crate::catalog::object::Table;
use crate::expression::{Expr, Kind, columns_used, rewrite, shift_columns};
use crate::parse::tree::{Distinct, LockClause, Query, Select};
use crate::parse::{at, lock_words};
use crate::plan::{Exprs, Node, Predicate, RowLock};
use hexalog_engine::{LockWait, RelationLockMode, RowLockMode};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// What a name in FROM stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lockable {
    Yes,
    Not(&'static str),
}

/// The locking clauses of a SELECT and what they came to.
#[derive(Debug, Default)]
pub(super) struct Locking {
    clauses: Vec<LockClause>,
    /// Names in FROM.
    names: Vec<(String, Lockable)>,
    pub rows: Vec<RowLock>,
    /// Tables and subqueries that are locked, for what outer joins forbid.
    applied: Vec<RowLockMode>,
    /// Conditions of inner joins, over the row of FROM.
    pub conditions: Vec<Expr>,
    /// Outer joins with locked rows on the side that is kept, those of sides before their own.
    outer_joins: Vec<OuterJoin>,
}

/// An outer join over the row of FROM: the columns that are NULL where the condition does not hold.
#[derive(Debug)]
struct OuterJoin {
    columns: Range<usize>,
    condition: Expr,
}

/// How far the locking has come at one side of a join.
#[derive(Clone, Copy)]
pub(super) struct Reached {
    applied: usize,
    conditions: usize,
    outer_joins: usize,
}

impl Locking {
    pub(super) fn new(clauses: &[LockClause]) -> Locking {
        Locking { clauses: clauses.to_vec(), ..Locking::default() }
    }

    fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The strongest mode and the least patient wait that the clauses ask for a name.
    fn of(&self, name: &str) -> Option<(RowLockMode, LockWait)> {
        let patience = |wait: LockWait| match wait {
            LockWait::Wait => 0,
            LockWait::Skip => 1,
            LockWait::Fail => 2,
        };
        let clauses = self.clauses.iter();
        let clauses = clauses.filter(|clause| clause.table.as_ref().is_none_or(|table| table == name));
        clauses.map(|clause| (clause.mode, clause.wait)).reduce(|(mode, wait), (other, other_wait)| {
            let wait = if patience(other_wait) > patience(wait) { other_wait } else { wait };
            (mode.max(other), wait)
        })
    }

    pub(super) fn reached(&self) -> Reached {
        Reached {
            applied: self.applied.len(),
            conditions: self.conditions.len(),
            outer_joins: self.outer_joins.len(),
        }
    }

    /// The rows bound between the two places may be missing from a joined row.
    pub(super) fn nullable(&mut self, from: Reached, to: Reached) -> Result<()> {
        self.conditions.drain(from.conditions..to.conditions);
        self.outer_joins.drain(from.outer_joins..to.outer_joins);
        match self.applied.get(from.applied..to.applied) {
            Some([mode, ..]) => {
                Err(refused(*mode, "cannot be applied to the nullable side of an outer join"))
            }
            _ => Ok(()),
        }
    }

    /// An inner join's conditions, over the row of FROM.
    pub(super) fn join_conditions(&mut self, conditions: &[Expr]) {
        if !self.is_empty() {
            self.conditions.extend_from_slice(conditions);
        }
    }

    /// What a subquery locks whose row of FROM stands at `offset` of this one's.
    pub(super) fn take_in(&mut self, inner: Locking, offset: usize) {
        let places = isize::try_from(offset).expect("rows are short");
        let shifted = |mut expr: Expr| {
            shift_columns(&mut expr, places);
            expr
        };
        let rows = inner.rows.into_iter();
        self.rows.extend(rows.map(|row| RowLock { start: row.start + offset, ..row }));
        self.conditions.extend(inner.conditions.into_iter().map(shifted));
        self.outer_joins.extend(inner.outer_joins.into_iter().map(|OuterJoin { columns, condition }| {
            let columns = columns.start + offset..columns.end + offset;
            OuterJoin { columns, condition: shifted(condition) }
        }));
    }

    /// An outer join's conditions, and the columns of its nullable side.
    pub(super) fn outer_join(&mut self, columns: Range<usize>, conditions: &[Expr]) {
        let condition = Expr::and(conditions.to_vec()).filter(|_| !self.is_empty());
        self.outer_joins.extend(condition.map(|condition| OuterJoin { columns, condition }));
    }
}

/// What `expr` is over a row of FROM in which locked rows have changed: a row that an outer join has found counts as long as
/// its condition holds. Another one is not looked for, as in PostgreSQL.
fn rejoined(expr: &mut Expr, outer_joins: &[OuterJoin]) {
    rewrite(expr, &mut |expr| {
        let Kind::Column(column) = expr.kind else { return None };
        let join = outer_joins.iter().find(|join| join.columns.contains(&column))?;
        let kind = Kind::Case {
            operand: None,
            branches: Box::new([(join.condition.clone(), expr.clone())]),
            otherwise: Box::new(Expr::null(expr.type_id)),
        };
        Some(Expr { kind, ..expr.clone() })
    });
}

fn refused(mode: RowLockMode, what: &str) -> SqlError {
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{} {what}", lock_words(mode)))
}

/// 0A000 for a clause behind a query that has no SELECT of its own.
pub(super) fn check_no_locks(query: &Query, what: &str) -> Result<()> {
    match query.locks.first() {
        Some(clause) => Err(refused(clause.mode, what)),
        None => Ok(()),
    }
}

impl Binder<'_> {
    /// Notes a name of FROM; the clauses that are for it, if it is a table.
    pub(super) fn lock_name(&mut self, name: &str, lockable: Lockable) -> Option<(RowLockMode, LockWait)> {
        let locking = &mut self.select_frame().locking;
        if locking.is_empty() {
            return None;
        }
        locking.names.push((name.to_owned(), lockable));
        let asked = locking.of(name).filter(|_| lockable == Lockable::Yes);
        locking.applied.extend(asked.map(|(mode, _)| mode));
        asked
    }

    /// A table whose rows are locked if a clause says so: whether its scan must give the rows' identity.
    pub(super) fn lock_table(&mut self, table: &Arc<Table>, shown: &str, offset: usize) -> bool {
        let Some((mode, wait)) = self.lock_name(shown, Lockable::Yes) else {
            return false;
        };
        self.lock(table.oid, RelationLockMode::RowShare);
        self.row_lock.get_or_insert(mode);
        let lock = RowLock {
            table: table.clone(),
            start: offset,
            columns: Vec::new(),
            with_versions: self.reads_versions(),
            mode,
            wait,
        };
        self.select_frame().locking.rows.push(lock);
        true
    }

    /// A subquery in FROM, with the clauses that reach into it.
    pub(super) fn lock_subquery(&mut self, query: &Query, alias: &str) -> Option<Query> {
        let (mode, wait) = self.lock_name(alias, Lockable::Yes)?;
        let mut query = query.clone();
        query.locks.push(LockClause { mode, table: None, wait, position: 0 });
        Some(query)
    }

    /// What the clauses may not stand beside, and whether FROM has the names behind OF.
    pub(super) fn check_locking(&mut self, select: &Select, query: &Query) -> Result<()> {
        let frame = self.select_frame();
        let (aggregates, sets) = (!frame.aggregates.is_empty(), !frame.sets.is_empty());
        let windows = !frame.windows.is_empty();
        for clause in &query.locks {
            let beside = [
                (!matches!(select.distinct, Distinct::No), "is not allowed with DISTINCT clause"),
                (!select.group_by.is_empty(), "is not allowed with GROUP BY clause"),
                (select.having.is_some(), "is not allowed with HAVING clause"),
                (aggregates, "is not allowed with aggregate functions"),
                (windows, "is not allowed with window functions"),
                (sets, "is not allowed with set-returning functions in the target list"),
            ];
            if let Some((_, what)) = beside.into_iter().find(|(is_there, _)| *is_there) {
                return Err(refused(clause.mode, what));
            }
            let names = &self.select_frame().locking.names;
            let Some(table) = &clause.table else {
                if names.iter().any(|(_, lockable)| *lockable == Lockable::Not(SYSTEM)) {
                    return Err(refused(clause.mode, SYSTEM));
                }
                continue;
            };
            match names.iter().find(|(name, _)| name == table) {
                Some((_, Lockable::Yes)) => {}
                Some((_, Lockable::Not(why))) => return Err(at(refused(clause.mode, why), clause.position)),
                None => {
                    let words = lock_words(clause.mode);
                    let message = format!("relation \"{table}\" in {words} clause not found in FROM clause");
                    return Err(at(SqlError::new(SqlState::UNDEFINED_TABLE, message), clause.position));
                }
            }
        }
        Ok(())
    }
}

/// Why a system table's rows cannot be locked: they are made anew for every statement.
pub(super) const SYSTEM: &str = "of a system table is not supported";

/// What locking needs besides the select list.
pub(super) struct Locked {
    rows: Vec<RowLock>,
    recheck: Option<Predicate>,
    items: Vec<Expr>,
}

/// Takes the locks of a SELECT, and puts the row of FROM behind its list of `items`: what locking reads of it.
pub(super) fn whole_row(
    frame: &mut SelectFrame,
    items: &mut Vec<Expr>,
    filter: Option<Expr>,
    width: usize,
) -> Locked {
    let mut rows = std::mem::take(&mut frame.locking.rows);
    let mut conditions = std::mem::take(&mut frame.locking.conditions);
    conditions.extend(filter);
    let mut listed = items.clone();
    let mut outer_joins = std::mem::take(&mut frame.locking.outer_joins);
    for at in 0..outer_joins.len() {
        let (before, from_here) = outer_joins.split_at_mut(at);
        rejoined(&mut from_here[0].condition, before);
    }
    listed.iter_mut().chain(&mut conditions).for_each(|expr| rejoined(expr, &outer_joins));
    let mut used: BTreeSet<usize> = listed.iter().chain(&conditions).flat_map(columns_used).collect();
    for lock in &mut rows {
        let columns = lock.start..lock.start + lock.table.columns.len();
        lock.columns = used.range(columns).map(|column| column - lock.start).collect();
        used.insert(lock.start + lock.table.columns.len());
    }
    items.extend((0..width).map(|column| match used.contains(&column) {
        true => Expr::column(column, TypeId::UNKNOWN, Typmod::NONE),
        false => Expr::constant(Datum::Null, TypeId::UNKNOWN),
    }));
    Locked { rows, recheck: Predicate::all(conditions), items: listed }
}

impl Locked {
    /// The locking node above the projection (and whatever sorts it).
    pub(super) fn above(self, input: Node) -> Node {
        let Locked { rows, recheck, items } = self;
        Node::LockRows { input: Arc::new(input), rows, items: Exprs::new(items), recheck }
    }
}

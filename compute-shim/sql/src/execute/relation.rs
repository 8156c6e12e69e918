//! The operators that make, filter and pass on rows.
//!
//! Owns values, system tables, set-returning functions, filter, projection, limit, append, kept rows and common
//! tables. Joins, sorting and aggregation have files of their own.

use super::identities::OfRow;
use super::sort::compare_rows;
use super::{Context, KeptBytes, Operator, Row};
use crate::catalog::system;
use crate::expression::{evaluate, is_true};
use crate::function::RowSet;
use crate::plan::{CallInFrom, CallSource, Node, SetInList};
use crate::stop::Step;
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::sync::Arc;

/// One row without columns.
#[derive(Default)]
pub(super) struct Nothing {
    is_done: bool,
}

impl Operator for Nothing {
    fn next(&mut self, _: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        row.clear();
        Ok(!std::mem::replace(&mut self.is_done, true))
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.is_done = false;
    }
}

/// The rows of VALUES.
pub(super) struct Values {
    plan: Arc<Node>,
    at: usize,
    is_begun: bool,
}

impl Values {
    pub(super) fn new(plan: Arc<Node>) -> Values {
        Values { plan, at: 0, is_begun: false }
    }
}

impl Operator for Values {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::Values { rows, .. } = &*self.plan else { unreachable!("built for VALUES") };
        let Some(exprs) = rows.get(self.at) else { return Ok(false) };
        if !self.is_begun {
            context.count_row()?;
            exprs.evaluation.begin_row(context.state);
            self.is_begun = true;
        }
        row.clear();
        for expr in &exprs.items {
            row.push(evaluate(expr, &[], context)?);
        }
        self.is_begun = false;
        self.at += 1;
        Ok(true)
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.at = 0;
        self.is_begun = false;
    }
}

/// A system table: its rows are made once and kept.
pub(super) struct SystemScan {
    plan: Arc<Node>,
    rows: Option<Vec<Row>>,
    at: usize,
    is_begun: bool,
}

impl SystemScan {
    pub(super) fn new(plan: Arc<Node>) -> SystemScan {
        SystemScan { plan, rows: None, at: 0, is_begun: false }
    }
}

impl Operator for SystemScan {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::System { table, filter, .. } = &*self.plan else { unreachable!("built for system tables") };
        if self.rows.is_none() {
            self.rows = Some(system::rows(table, context.view, context.database, &context.env));
            match table.name {
                "pg_prepared_xacts" => {
                    context.database.engine().note_prepared_seen(context.stores.transaction);
                }
                "pg_locks" => context.database.engine().note_locks_seen(context.stores.transaction),
                _ => {}
            }
        }
        let rows = self.rows.as_ref().expect("set above");
        while let Some(candidate) = rows.get(self.at) {
            if !self.is_begun {
                context.count_row()?;
                if let Some(filter) = filter {
                    filter.evaluation.begin_row(context.state);
                }
                self.is_begun = true;
            }
            let passes = match filter {
                Some(filter) => is_true(&filter.expr, candidate, context)?,
                None => true,
            };
            self.is_begun = false;
            self.at += 1;
            if passes {
                row.clone_from(candidate);
                return Ok(true);
            }
            context.state.measures.filtered += 1;
        }
        Ok(false)
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.at = 0;
        self.is_begun = false;
    }
}

/// Functions in FROM, side by side.
pub(super) struct FunctionScan {
    plan: Arc<Node>,
    /// Of each function that has been asked, the rows that it has still to give.
    sets: Vec<RowSet>,
    /// How many rows there were.
    count: i64,
    is_begun: bool,
}

impl FunctionScan {
    pub(super) fn new(plan: Arc<Node>) -> FunctionScan {
        FunctionScan { plan, sets: Vec::new(), count: 0, is_begun: false }
    }

    /// Asks the next function for its rows.
    fn call(&mut self, call: &CallInFrom, context: &mut Context<'_>) -> Step<()> {
        let begins = !std::mem::replace(&mut self.is_begun, true);
        let set = match &call.source {
            CallSource::Set { function, arguments } => {
                if begins {
                    arguments.evaluation.begin_row(context.state);
                }
                let mut values = Vec::with_capacity(arguments.items.len());
                for argument in &arguments.items {
                    values.push(evaluate(argument, &[], context)?);
                }
                RowSet::of_call(function, context, &values)?
            }
            CallSource::Value(value) => {
                if begins {
                    value.evaluation.begin_row(context.state);
                }
                RowSet::from(vec![vec![evaluate(&value.expr, &[], context)?]])
            }
        };
        self.is_begun = false;
        self.sets.push(set);
        Ok(())
    }
}

impl Operator for FunctionScan {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::Functions { calls, ordinality, .. } = &*plan else { unreachable!("built for functions") };
        while self.sets.len() < calls.len() {
            self.call(&calls[self.sets.len()], context)?;
        }
        context.count_row()?;
        row.clear();
        let mut is_over = true;
        for (set, call) in self.sets.iter_mut().zip(calls) {
            match set.next(&context.env)? {
                Some(found) => {
                    is_over = false;
                    row.extend(found);
                }
                None => row.resize(row.len() + call.width, Datum::Null),
            }
        }
        if is_over {
            return Ok(false);
        }
        self.count += 1;
        if *ordinality {
            row.push(Datum::Int8(self.count));
        }
        Ok(true)
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.sets.clear();
        self.count = 0;
        self.is_begun = false;
    }
}

/// Rows for which a condition holds.
pub(super) struct Filter {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    identities: OfRow,
    row: Row,
    is_begun: bool,
}

impl Filter {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Filter {
        let Node::Filter { input: below, .. } = &*plan else { unreachable!("built for filters") };
        let identities = OfRow::new(below);
        Filter { plan, input, identities, row: Row::new(), is_begun: false }
    }
}

impl Operator for Filter {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::Filter { predicate, .. } = &*self.plan else { unreachable!("built for filters") };
        loop {
            if !self.is_begun {
                self.identities.ask(&context.state.identities);
                if !self.input.next(context, &mut self.row)? {
                    return Ok(false);
                }
                predicate.evaluation.begin_row(context.state);
                self.is_begun = true;
            }
            let passes = is_true(&predicate.expr, &self.row, context)?;
            self.is_begun = false;
            if passes {
                self.identities.pass();
                std::mem::swap(row, &mut self.row);
                return Ok(true);
            }
            self.identities.let_go(&mut context.state.identities, self.input.has_put_aside());
            context.state.measures.filtered += 1;
        }
    }

    fn has_put_aside(&self) -> bool {
        self.input.has_put_aside()
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.identities.pass();
        self.is_begun = false;
        self.input.rewind(context);
    }
}

/// Expressions over each row.
pub(super) struct Project {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    row: Row,
    is_begun: bool,
}

impl Project {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Project {
        Project { plan, input, row: Row::new(), is_begun: false }
    }
}

impl Operator for Project {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::Project { exprs, .. } = &*self.plan else { unreachable!("built for projections") };
        if !self.is_begun {
            if !self.input.next(context, &mut self.row)? {
                return Ok(false);
            }
            exprs.evaluation.begin_row(context.state);
            self.is_begun = true;
        }
        row.clear();
        for expr in &exprs.items {
            row.push(evaluate(expr, &self.row, context)?);
        }
        self.is_begun = false;
        Ok(true)
    }

    fn bound(&mut self, rows: usize) {
        self.input.bound(rows);
    }

    fn has_put_aside(&self) -> bool {
        self.input.has_put_aside()
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.is_begun = false;
        self.input.rewind(context);
    }
}

/// Set-returning functions of a select list: each input row gives as many rows as the longest of them.
pub(super) struct ProjectSet {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    row: Row,
    /// Of each function that has been asked, the rows that it has still to give.
    sets: Vec<RowSet>,
    is_begun: bool,
}

impl ProjectSet {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> ProjectSet {
        ProjectSet { plan, input, row: Row::new(), sets: Vec::new(), is_begun: false }
    }

    fn compute(&mut self, context: &mut Context<'_>) -> Step<()> {
        let Node::ProjectSet { functions, .. } = &*self.plan else { unreachable!("built for sets") };
        while self.sets.len() < functions.len() {
            let SetInList { function, arguments, .. } = &functions[self.sets.len()];
            let mut values = Vec::with_capacity(arguments.items.len());
            for argument in &arguments.items {
                values.push(evaluate(argument, &self.row, context)?);
            }
            self.sets.push(RowSet::of_call(function, context, &values)?);
        }
        Ok(())
    }
}

impl Operator for ProjectSet {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::ProjectSet { functions, .. } = &*plan else { unreachable!("built for sets") };
        loop {
            if !self.is_begun {
                if !self.input.next(context, &mut self.row)? {
                    return Ok(false);
                }
                functions.iter().for_each(|set| set.arguments.evaluation.begin_row(context.state));
                self.sets.clear();
                self.is_begun = true;
            }
            self.compute(context)?;
            context.count_row()?;
            row.clone_from(&self.row);
            let mut is_over = true;
            for (set, SetInList { record, .. }) in self.sets.iter_mut().zip(functions) {
                let found = set.next(&context.env)?;
                is_over &= found.is_none();
                row.push(match (found, record) {
                    (None, _) => Datum::Null,
                    (Some(values), Some(record)) => record.of(values)?,
                    (Some(values), None) => values.into_iter().next().unwrap_or_default(),
                });
            }
            if !is_over {
                return Ok(true);
            }
            self.is_begun = false;
        }
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.is_begun = false;
        self.input.rewind(context);
    }
}

/// Keeps the input's rows for the next run.
pub(super) struct Materialize {
    input: Box<dyn Operator>,
    rows: Vec<Row>,
    kept: KeptBytes,
    is_complete: bool,
    at: usize,
}

impl Materialize {
    pub(super) fn new(input: Box<dyn Operator>) -> Materialize {
        let kept = KeptBytes::worked_on("One side of a join");
        Materialize { input, rows: Vec::new(), kept, is_complete: false, at: 0 }
    }
}

impl Operator for Materialize {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        if self.at == self.rows.len() {
            if self.is_complete {
                return Ok(false);
            }
            if !self.input.next(context, row)? {
                self.is_complete = true;
                return Ok(false);
            }
            self.kept.add(row)?;
            self.rows.push(row.clone());
            self.at += 1;
            return Ok(true);
        }
        context.count_row()?;
        row.clone_from(&self.rows[self.at]);
        self.at += 1;
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.rows.clear();
        self.kept.clear();
        self.is_complete = false;
        self.at = 0;
    }

    fn repeat(&mut self, _: &mut Context<'_>) {
        self.at = 0;
    }
}

/// LIMIT and OFFSET.
pub(super) struct Limit {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    /// What is left of both; `None` before the first row.
    bounds: Option<(u64, Option<u64>)>,
    /// The last row within the limit, while those that are tied with it come.
    last: Option<Row>,
}

impl Limit {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Limit {
        Limit { plan, input, bounds: None, last: None }
    }
}

fn row_count(value: Datum, state: SqlState, word: &str) -> Result<Option<u64>, SqlError> {
    match value {
        Datum::Null => Ok(None),
        Datum::Int8(count) => match u64::try_from(count) {
            Ok(count) => Ok(Some(count)),
            Err(_) => Err(SqlError::new(state, format!("{word} must not be negative"))),
        },
        other => unreachable!("the binder made it bigint, not {other:?}"),
    }
}

impl Operator for Limit {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::Limit { limit, offset, ties, .. } = &*self.plan else { unreachable!("built for LIMIT") };
        if self.bounds.is_none() {
            let offset = match offset {
                Some(offset) => {
                    let value = evaluate(offset, &[], context)?;
                    row_count(value, SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET")?
                }
                None => None,
            };
            let limit = match limit {
                Some(limit) => {
                    let value = evaluate(limit, &[], context)?;
                    row_count(value, SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT")?
                }
                None => None,
            };
            self.bounds = Some((offset.unwrap_or(0), limit));
            let rows = limit.map(|limit| offset.unwrap_or(0).saturating_add(limit));
            if let Some(Ok(rows @ 1..)) = rows.map(usize::try_from)
                && ties.is_empty()
            {
                self.input.bound(rows);
            }
        }
        let (skip, left) = self.bounds.as_mut().expect("set above");
        if *left == Some(0) {
            let Some(last) = &self.last else { return Ok(false) };
            let is_tied = self.input.next(context, row)? && compare_rows(ties, last, row).is_eq();
            if !is_tied {
                self.last = None;
            }
            return Ok(is_tied);
        }
        while *skip > 0 {
            if !self.input.next(context, row)? {
                return Ok(false);
            }
            *skip -= 1;
        }
        if !self.input.next(context, row)? {
            return Ok(false);
        }
        if let Some(left) = left {
            *left -= 1;
            if *left == 0 && !ties.is_empty() {
                self.last = Some(row.clone());
            }
        }
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        (self.bounds, self.last) = (None, None);
        self.input.rewind(context);
    }
}

/// UNION ALL.
pub(super) struct Append {
    inputs: Vec<Box<dyn Operator>>,
    at: usize,
}

impl Append {
    pub(super) fn new(inputs: Vec<Box<dyn Operator>>) -> Append {
        Append { inputs, at: 0 }
    }
}

impl Operator for Append {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            if input.next(context, row)? {
                return Ok(true);
            }
            self.at += 1;
        }
        Ok(false)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.at = 0;
        self.inputs.iter_mut().for_each(|input| input.rewind(context));
    }
}

/// A reference to a common table.
pub(super) struct CommonScan {
    id: usize,
    at: usize,
}

impl CommonScan {
    pub(super) fn new(id: usize) -> CommonScan {
        CommonScan { id, at: 0 }
    }
}

impl Operator for CommonScan {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        // The row is there before it is counted: counted first, it would let others run each time that the query below
        // did, and never come to an end.
        let found = context.common_row(self.id, self.at, row)?;
        context.count_row()?;
        self.at += usize::from(found);
        Ok(found)
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.at = 0;
    }
}

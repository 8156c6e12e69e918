//! Queries as a whole: WITH, VALUES, set operations, and what goes around a SELECT.

use super::collation::of_set_operation;
use super::key_types::compared;
use super::lock::check_no_locks;
use super::scope::{Boundary, CommonState, CommonTable, Place};
use super::{Binder, Bound, OutputColumn};
use crate::expression::{Collation, Expr, Kind};
use crate::parse::at;
use crate::parse::tree::{self, Query, QueryBody, SetOperator};
use crate::plan::{Exprs, Node};
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::resolve;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// What is made of untyped columns of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Types that the columns are going to be stored as.
    pub targets: Vec<(TypeId, Typmod)>,
    /// Untyped columns stay so: a set operation decides.
    pub keeps_unknown: bool,
}

/// The inputs of a UNION. A chain of them becomes one node: rows that the left side unites need not be united twice, nor
/// its duplicates taken out (`distinct`: of these types) before those of all are.
fn united(left: Arc<Node>, right: Arc<Node>, distinct: Option<&[TypeId]>) -> Vec<Arc<Node>> {
    let inner = match (&*left, distinct) {
        (Node::Append { .. }, _) => Some(&left),
        (Node::Distinct { input, columns: None, types: of }, Some(types)) if of == types => Some(input),
        _ => None,
    };
    match inner.map(|inner| &**inner) {
        Some(Node::Append { inputs }) => inputs.iter().cloned().chain([right]).collect(),
        _ => vec![left, right],
    }
}

/// Whether a query is VALUES and nothing else.
fn is_values(query: &Query) -> bool {
    match &query.body {
        QueryBody::Values(_) => true,
        QueryBody::Nested(inner) => is_values(inner),
        _ => false,
    }
}

impl Binder<'_> {
    #[recursive::recursive]
    pub(super) fn query(&mut self, query: &Query, wanted: &Wanted) -> Result<Bound> {
        let outer = self.common_names.len();
        self.common_tables(&query.with)?;
        let bound = self.query_body(query, wanted);
        self.common_names.truncate(outer);
        bound
    }

    fn query_body(&mut self, query: &Query, wanted: &Wanted) -> Result<Bound> {
        match &query.body {
            QueryBody::Select(select) => self.select(select, query, wanted),
            QueryBody::Values(rows) => {
                check_no_locks(query, "cannot be applied to VALUES")?;
                let bound = self.values(rows, wanted)?;
                self.ordered(bound, query, false)
            }
            QueryBody::SetOperation { op, all, left, right } => {
                check_no_locks(query, "is not allowed with UNION/INTERSECT/EXCEPT")?;
                let bound = self.set_operation(*op, *all, left, right, wanted)?;
                self.ordered(bound, query, true)
            }
            QueryBody::Change(_) => unreachable!("bound by `common_tables`"),
            QueryBody::Nested(inner) => {
                // Of both clauses the inner one is PostgreSQL's own; ours has one SELECT below.
                let mut inner = inner.clone();
                inner.locks.extend(query.locks.iter().cloned());
                let bound = self.query(&inner, wanted)?;
                self.ordered(bound, query, false)
            }
        }
    }

    /// The tables of WITH come into sight one after the other.
    pub(super) fn common_tables(&mut self, with: &[tree::CommonTable]) -> Result<()> {
        for (number, table) in with.iter().enumerate() {
            let tree::CommonTable { name, position, recursive, columns, query } = table;
            let outer = self.common_names.len();
            if let QueryBody::Change(change) = &query.body {
                self.common_change(table, change, &with[number..])?;
                continue;
            }
            let (bound, id) = if *recursive {
                for later in &with[number + 1..] {
                    self.push_unfinished(&later.name, CommonState::Ahead);
                }
                self.recursive_table(table)?
            } else {
                let ahead = self.common_ahead.len();
                self.common_ahead.extend(with[number..].iter().map(|later| later.name.clone()));
                let (bound, _) =
                    self.across(Boundary::Common, |binder| binder.query(query, &Wanted::default()))?;
                self.common_ahead.truncate(ahead);
                (bound, None)
            };
            self.common_names.truncate(outer);
            let Bound { node, columns: mut output } = bound;
            if columns.len() > output.len() {
                let (there, named) = (output.len(), columns.len());
                let message = format!(
                    "WITH query \"{name}\" has {there} columns available but {named} columns specified"
                );
                return Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), *position));
            }
            for (column, name) in output.iter_mut().zip(columns) {
                column.name.clone_from(name);
            }
            let id = id.unwrap_or_else(|| {
                self.common.push(None);
                self.common.len() - 1
            });
            self.common[id] = Some(node);
            let state = CommonState::Complete;
            self.common_names.push(CommonTable { name: name.clone(), id, columns: output, state });
        }
        for (number, tree::CommonTable { name, position, .. }) in with.iter().enumerate() {
            if with[..number].iter().any(|other| other.name == *name) {
                let message = format!("WITH query name \"{name}\" specified more than once");
                return Err(at(SqlError::new(SqlState::DUPLICATE_ALIAS, message), *position));
            }
        }
        Ok(())
    }

    /// An INSERT, UPDATE or DELETE of WITH, which runs to its end whether or not anyone reads what it returns.
    fn common_change(
        &mut self,
        table: &tree::CommonTable,
        change: &tree::Statement,
        ahead: &[tree::CommonTable],
    ) -> Result<()> {
        let tree::CommonTable { name, position, columns, .. } = table;
        if self.noted.is_some() {
            let message = "views must not contain data-modifying statements in WITH";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if !self.frames.is_empty() {
            let message = "WITH clause containing a data-modifying statement must be at the top level";
            return Err(at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), *position));
        }
        let known = self.common_ahead.len();
        self.common_ahead.extend(ahead.iter().map(|later| later.name.clone()));
        let (bound, _) = self.across(Boundary::Common, |binder| match change {
            tree::Statement::Insert(insert) => binder.insert(insert),
            tree::Statement::Update(update) => binder.update(update),
            tree::Statement::Delete(delete) => binder.delete(delete),
            _ => Err(SqlError::internal("WITH has queries and changes")),
        })?;
        self.common_ahead.truncate(known);
        let Bound { node, columns: mut output } = bound;
        if columns.len() > output.len() {
            let (there, named) = (output.len(), columns.len());
            let message =
                format!("WITH query \"{name}\" has {there} columns available but {named} columns specified");
            return Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), *position));
        }
        for (column, name) in output.iter_mut().zip(columns) {
            column.name.clone_from(name);
        }
        let state = if output.is_empty() { CommonState::Silent } else { CommonState::Complete };
        let id = self.common.len();
        self.common.push(Some(node));
        self.changes.push(id);
        self.common_names.push(CommonTable { name: name.clone(), id, columns: output, state });
        Ok(())
    }

    fn values(&mut self, rows: &[Vec<tree::Expr>], wanted: &Wanted) -> Result<Bound> {
        self.push_select(Place::Values);
        let mut columns: Vec<Vec<Expr>> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let bound = self.row_items(row)?;
            if number == 0 {
                columns.resize_with(bound.len(), || Vec::with_capacity(rows.len()));
            }
            if bound.len() != columns.len() {
                let position = row.first().map_or(0, tree::Expr::start);
                return Err(at(SqlError::syntax("VALUES lists must all be the same length"), position));
            }
            columns.iter_mut().zip(bound).for_each(|(column, value)| column.push(value));
        }
        let width = columns.len();
        let mut output = Vec::with_capacity(width);
        for (at, column) in columns.iter_mut().enumerate() {
            let exprs = std::mem::take(column);
            let untyped = exprs.iter().all(|expr| expr.type_id == TypeId::UNKNOWN);
            let (exprs, type_id) = match wanted.targets.get(at) {
                // Under a set operation VALUES decides for itself: what no row types is text.
                Some(&(target, _)) if untyped && !wanted.keeps_unknown => {
                    (self.all_to(exprs, target)?, target)
                }
                _ => self.unify("VALUES", exprs)?,
            };
            let typmod = self.common_typmod(&exprs);
            let collation = Collation::together(&exprs).unwrap_or_default().outside();
            *column = exprs;
            let (name, position) =
                (format!("column{}", at + 1), column.first().map_or(0, |expr| expr.position));
            output.push(OutputColumn { name, type_id, typmod, origin: (0, 0), position, collation });
        }
        self.pop_select();
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        let rows = (0..rows.len()).map(|_| {
            let row =
                columns.iter_mut().map(|column| column.next().expect("columns are as long as rows are many"));
            Exprs::new(row.collect())
        });
        Ok(Bound { node: Node::Values { rows: rows.collect(), width }, columns: output })
    }

    fn all_to(&mut self, exprs: Vec<Expr>, target: TypeId) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.coerce_implicit(expr, target)).collect()
    }

    /// A side of a set operation. Columns of VALUES stand nowhere, only what is in its rows does.
    fn operand(&mut self, query: &Query, wanted: &Wanted) -> Result<Bound> {
        let mut bound = self.query(query, wanted)?;
        if is_values(query) {
            bound.columns.iter_mut().for_each(|column| column.position = 0);
        }
        Ok(bound)
    }

    fn set_operation(
        &mut self,
        op: SetOperator,
        all: bool,
        left: &Query,
        right: &Query,
        wanted: &Wanted,
    ) -> Result<Bound> {
        let inner = Wanted { targets: wanted.targets.clone(), keeps_unknown: true };
        let enclosing = self.enclosing;
        self.enclosing.intersect |= op == SetOperator::Intersect && all;
        self.enclosing.except |= op == SetOperator::Except && all;
        let left = self.operand(left, &inner)?;
        self.enclosing.except |= op == SetOperator::Except;
        let right = self.operand(right, &inner)?;
        self.enclosing = enclosing;
        let word = op.word();
        if left.columns.len() != right.columns.len() {
            let message = format!("each {word} query must have the same number of columns");
            let position = right.columns.first().map_or(0, |column| column.position);
            return Err(at(SqlError::syntax(message), position));
        }
        let mut columns = Vec::with_capacity(left.columns.len());
        for (l, r) in left.columns.iter().zip(&right.columns) {
            let type_id =
                resolve::common_type(word, &[l.type_id, r.type_id]).map_err(|error| at(error, r.position))?;
            let is_one = l.type_id == r.type_id && (l.typmod == r.typmod || self.is_like(l, r));
            let typmod = if is_one { l.typmod } else { Typmod::NONE };
            match (op, all) {
                (SetOperator::Union, true) => {}
                (SetOperator::Union, false) => self.check_group_type(type_id, typmod)?,
                _ => self.check_groupable(type_id, typmod)?,
            }
            let (name, position) = (l.name.clone(), l.position);
            let collation = of_set_operation(l, r, !(op == SetOperator::Union && all))?;
            columns.push(OutputColumn { name, type_id, typmod, origin: (0, 0), position, collation });
        }
        let left = Arc::new(self.converted(left, &columns)?);
        let right = Arc::new(self.converted(right, &columns)?);
        let types: Vec<TypeId> = columns.iter().map(|column| column.type_id).collect();
        let node = match (op, all) {
            (SetOperator::Union, true) => Node::Append { inputs: united(left, right, None) },
            (SetOperator::Union, false) => {
                let mut input = Node::Append { inputs: united(left, right, Some(&types)) };
                let of: Vec<_> = columns.iter().map(|column| (column.type_id, column.typmod)).collect();
                if self.is_to_be_compared(&of)? {
                    input = compared(input, 0);
                }
                Node::Distinct { input: Arc::new(input), columns: None, types }
            }
            _ => Node::SetOperation { op, all, left, right, types },
        };
        Ok(Bound { node, columns })
    }

    /// A query's rows with the columns' types changed.
    pub(super) fn converted(&mut self, mut bound: Bound, columns: &[OutputColumn]) -> Result<Node> {
        // Untyped literals and parameters become of the type where they stand.
        if let Node::Project { exprs, .. } = &mut bound.node {
            for (at, (from, to)) in bound.columns.iter_mut().zip(columns).enumerate() {
                let item = &exprs.items[at];
                let untyped = item.type_id == TypeId::UNKNOWN && to.type_id != TypeId::UNKNOWN;
                if untyped && matches!(item.kind, Kind::Constant(_) | Kind::Parameter(_)) {
                    exprs.items[at] = self.coerce_implicit(item.clone(), to.type_id)?;
                    from.type_id = to.type_id;
                }
            }
        }
        let same = bound.columns.iter().zip(columns).all(|(from, to)| from.type_id == to.type_id);
        if same {
            return Ok(bound.node);
        }
        let mut exprs = Vec::with_capacity(columns.len());
        for (at, (from, to)) in bound.columns.iter().zip(columns).enumerate() {
            let expr = Expr::column(at, from.type_id, from.typmod);
            let coerced = self.coerce(expr, to.type_id, Typmod::NONE, CastContext::Implicit)?;
            exprs.push(coerced.ok_or_else(|| resolve::cannot_cast(from.type_id, to.type_id))?);
        }
        Ok(Node::Project { input: Arc::new(bound.node), exprs: Exprs::new(exprs) })
    }
}

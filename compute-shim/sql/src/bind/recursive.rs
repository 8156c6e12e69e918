//! WITH RECURSIVE: a query that refers to itself, as `non-recursive term UNION [ALL] recursive term`.
//!
//! Whether a table refers to itself shows while its terms are bound. One that does not is bound anew as any other.

use super::collation::{check_recursive, of_set_operation};
use super::query::Wanted;
use super::scope::{Boundary, CommonState, CommonTable, Enclosing, Frame};
use super::{Binder, Bound, OutputColumn};
use crate::parse::at;
use crate::parse::tree::{self, Query, QueryBody, SetOperator};
use crate::plan::Node;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod, resolve};
use std::sync::Arc;

/// The terms of a query that may be recursive.
struct Terms<'q> {
    /// What stands around them.
    whole: &'q Query,
    all: bool,
    base: &'q Query,
    step: &'q Query,
}

fn terms(query: &Query) -> Option<Terms<'_>> {
    match &query.body {
        QueryBody::SetOperation { op: SetOperator::Union, all, left, right } => {
            Some(Terms { whole: query, all: *all, base: left, step: right })
        }
        QueryBody::Nested(inner)
            if query.with.is_empty()
                && query.order_by.is_empty()
                && query.limit.is_none()
                && query.offset.is_none() =>
        {
            terms(inner)
        }
        _ => None,
    }
}

fn invalid(message: impl Into<String>, position: u32) -> SqlError {
    at(SqlError::new(SqlState::INVALID_RECURSION, message), position)
}

impl Binder<'_> {
    /// Brings a common table into sight that cannot be read yet.
    pub(super) fn push_unfinished(&mut self, name: &str, state: CommonState) {
        self.common_names.push(CommonTable { name: name.to_owned(), id: 0, columns: Vec::new(), state });
    }

    /// A table of WITH RECURSIVE, with its number if it has one already.
    pub(super) fn recursive_table(&mut self, table: &tree::CommonTable) -> Result<(Bound, Option<usize>)> {
        let (subplans, common) = (self.subplans.len(), self.common.len());
        let enclosing = std::mem::take(&mut self.enclosing);
        if let Some(terms) = terms(&table.query) {
            let (found, _) = self.across(Boundary::Common, |binder| binder.union(table, &terms))?;
            if let Some((bound, id)) = found {
                self.enclosing = enclosing;
                return Ok((bound, Some(id)));
            }
            // Slots stay: queries further out may have been told to set them.
            self.subplans.truncate(subplans);
            self.common.truncate(common);
        }
        self.push_unfinished(&table.name, CommonState::NotUnion);
        let bound = self.across(Boundary::Common, |binder| binder.query(&table.query, &Wanted::default()));
        self.enclosing = enclosing;
        let (bound, _) = bound.map_err(|error| match error.fields().position {
            // What is wrong is the query as a whole.
            None if error.sqlstate() == SqlState::INVALID_RECURSION => at(error, table.position),
            _ => error,
        })?;
        Ok((bound, None))
    }

    /// The rows of a UNION that refers to itself; `None` if it does not.
    fn union(&mut self, table: &tree::CommonTable, terms: &Terms<'_>) -> Result<Option<(Bound, usize)>> {
        let id = self.common.len();
        self.common.push(None);
        let outer = self.common_names.len();
        self.push_unfinished(&table.name, CommonState::Base);
        self.common_tables(&terms.whole.with)?;
        let mut base = self.query(terms.base, &Wanted::default())?;
        // Rows may grow from round to round: `ROW(x)` has another shape each time.
        for column in base.columns.iter_mut().filter(|column| column.type_id == TypeId::RECORD) {
            column.typmod = Typmod::NONE;
        }
        let mut columns = base.columns.clone();
        for (column, name) in columns.iter_mut().zip(&table.columns) {
            column.name.clone_from(name);
        }
        for column in &mut columns {
            column.origin = (0, 0);
        }
        let state = CommonState::Step { uses: 0 };
        self.common_names[outer] = CommonTable { name: table.name.clone(), id, columns, state };
        let wanted = Wanted { targets: Vec::new(), keeps_unknown: true };
        let (first_common, first_subplan) = (self.common.len(), self.subplans.len());
        let step = self.query(terms.step, &wanted)?;
        let inner_common: Vec<usize> = (first_common..self.common.len()).collect();
        // A subquery may not read the round before, but through one of these.
        let inner_subplans = match inner_common.is_empty() {
            true => Vec::new(),
            false => (first_subplan..self.subplans.len()).collect(),
        };
        let is_used = self.common_names[outer].state != CommonState::Step { uses: 0 };
        self.common_names.truncate(outer);
        if !is_used {
            return Ok(None);
        }
        refuse_clauses(terms.whole)?;
        let types = check_columns(&table.name, &base.columns, &step.columns, terms.all)?;
        if !terms.all {
            // Told apart by a hash, as in PostgreSQL: rows of other columns are other rows.
            for column in &base.columns {
                self.check_group_type(column.type_id, column.typmod)?;
            }
        }
        let step = Arc::new(self.converted(step, &types)?);
        let Bound { node: base, columns } = base;
        let types = columns.iter().map(|column| column.type_id).collect();
        let (base, distinct) = (Arc::new(base), !terms.all);
        let node = Node::Recursive { id, base, step, types, distinct, inner_common, inner_subplans };
        Ok(Some((Bound { node, columns }, id)))
    }

    /// Whether a common table in sight is read as the rows of the round before; 42P19 where it must not be read.
    pub(super) fn recursive_reference(&mut self, found: usize, position: u32) -> Result<bool> {
        let CommonTable { name, state, .. } = &self.common_names[found];
        let refuse = |place: &str| {
            let message = format!("recursive reference to query \"{name}\" must not appear {place}");
            Err(invalid(message, position))
        };
        let uses = match state {
            CommonState::Complete | CommonState::Silent => return Ok(false),
            CommonState::Ahead => {
                let what = "a reference to a common table that comes later in WITH RECURSIVE";
                return Err(at(SqlError::unsupported(what), position));
            }
            CommonState::NotUnion => {
                let message = format!(
                    "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
                );
                return Err(invalid(message, 0));
            }
            CommonState::Base => return refuse("within its non-recursive term"),
            CommonState::Step { uses } => *uses,
        };
        let Enclosing { outer_join, except, intersect } = self.enclosing;
        // Between this place and the table's own query.
        let inside = self.frames.iter().rev().take_while(
            |frame| !matches!(frame, Frame::Crossing(crossing) if crossing.boundary == Boundary::Common),
        );
        let is_in_subquery = inside.into_iter().any(
            |frame| matches!(frame, Frame::Crossing(crossing) if crossing.boundary == Boundary::Subplan),
        );
        if is_in_subquery {
            return refuse("within a subquery");
        }
        if outer_join {
            return refuse("within an outer join");
        }
        if except {
            return refuse("within EXCEPT");
        }
        if intersect {
            return refuse("within INTERSECT");
        }
        if uses > 0 {
            return refuse("more than once");
        }
        self.common_names[found].state = CommonState::Step { uses: 1 };
        self.select_frame().is_recursive = true;
        Ok(true)
    }
}

/// What may not stand behind the two terms.
fn refuse_clauses(whole: &Query) -> Result<()> {
    let clauses = [
        ("ORDER BY", whole.order_by.first().map(|item| &item.expr)),
        ("OFFSET", whole.offset.as_ref()),
        ("LIMIT", whole.limit.as_ref()),
    ];
    for (word, expr) in clauses {
        if let Some(expr) = expr {
            let message = format!("{word} in a recursive query is not implemented");
            return Err(at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), expr.start()));
        }
    }
    if !whole.locks.is_empty() {
        let message = "FOR UPDATE/SHARE in a recursive query is not implemented";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(())
}

/// The columns that the recursive term must give: those of the non-recursive one.
fn check_columns(
    name: &str,
    base: &[OutputColumn],
    step: &[OutputColumn],
    all: bool,
) -> Result<Vec<OutputColumn>> {
    if base.len() != step.len() {
        let position = step.first().map_or(0, |column| column.position);
        let error = SqlError::syntax("each UNION query must have the same number of columns");
        return Err(at(error, position));
    }
    for (number, (l, r)) in base.iter().zip(step).enumerate() {
        let common =
            resolve::common_type("UNION", &[l.type_id, r.type_id]).map_err(|error| at(error, r.position))?;
        let same = l.type_id == r.type_id || r.type_id == TypeId::UNKNOWN;
        let typmod = if same && (l.typmod == r.typmod) { l.typmod } else { Typmod::NONE };
        if common != l.type_id || typmod != l.typmod {
            let (number, there) = (number + 1, format_type(l.type_id, Some(l.typmod)));
            let overall = format_type(common, Some(typmod));
            let message = format!(
                "recursive query \"{name}\" column {number} has type {there} in non-recursive term but type {overall} overall"
            );
            let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("Cast the output of the non-recursive term to the correct type.");
            return Err(at(error, l.position));
        }
        let overall = of_set_operation(l, r, !all)?;
        check_recursive(name, number + 1, l, overall)?;
    }
    Ok(base.to_vec())
}

//! Subqueries and views in FROM whose rows are locked, taken in by the query around them.
//!
//! A lock is taken of rows that the whole query gives: after its joins and its order, within its limit. So a subquery that
//! only joins, filters and picks columns has no node of its own: its row of FROM stands in the outer one, and its columns are
//! names for parts of that. PostgreSQL merges such subqueries whether they are locked or not. What does more is locked
//! where it stands, before the outer query, as there (`lock.rs`).

use super::from::FromBound;
use super::lock::Locking;
use super::query::Wanted;
use super::scope::{Names, Place};
use super::select::{filtered, output};
use super::{Binder, OutputColumn};
use crate::expression::{Expr, shift_columns};
use crate::parse::tree::{self, Distinct, Query, QueryBody, Select, SelectItem};
use crate::plan::Node;
use hexalog_sql_types::error::Result;

/// What is taken in, its columns counted from its own row of FROM.
pub(super) struct Merged {
    node: Node,
    pub columns: Vec<OutputColumn>,
    exprs: Vec<Expr>,
    locking: Locking,
}

/// The SELECT of a query that can be taken in. `query` has one locking clause, which is the outer query's.
pub(super) fn mergeable(query: &Query) -> Option<&Select> {
    let Query { with, body, order_by, limit, with_ties: _, offset, locks } = query;
    let QueryBody::Select(select) = body else { return None };
    let Select { distinct, items, from, filter: _, group_by, having, windows } = &**select;
    let is_column = |item: &SelectItem| match item {
        SelectItem::Expr { expr, .. } => matches!(expr, tree::Expr::Column(_)),
        SelectItem::Wildcard { .. } | SelectItem::QualifiedWildcard(_) => true,
    };
    let is_whole = with.is_empty() && order_by.is_empty() && limit.is_none() && offset.is_none();
    let is_plain = matches!(distinct, Distinct::No) && group_by.is_empty() && having.is_none();
    let is_merged = is_whole && is_plain && windows.is_empty() && locks.len() == 1 && !from.is_empty();
    (is_merged && items.iter().all(is_column)).then_some(select)
}

impl Binder<'_> {
    pub(super) fn merged(&mut self, select: &Select, query: &Query) -> Result<Merged> {
        self.push_select(Place::Select);
        self.select_frame().locking = Locking::new(&query.locks);
        let parts = self.select_parts(select, &[], &Wanted::default())?;
        self.check_locking(select, query)?;
        let mut locking = self.pop_select().locking;
        let mut node = parts.node;
        if let Some(filter) = parts.filter {
            locking.conditions.push(filter.clone());
            node = filtered(node, filter);
        }
        let exprs = parts.items.iter().map(|item| item.expr.clone()).collect();
        Ok(Merged { node, columns: parts.items.into_iter().map(output).collect(), exprs, locking })
    }

    /// Puts it into FROM, where `names` are those of its columns.
    pub(super) fn take_in(&mut self, merged: Merged, names: Names, offset: usize) -> FromBound {
        let Merged { node, locking, .. } = merged;
        self.select_frame().locking.take_in(locking, offset);
        FromBound { width: node.width(), node, names }
    }
}

impl Merged {
    /// The names of its columns, of which there are as many as `columns`, where its row of FROM begins at `offset`.
    pub(super) fn names(
        &self,
        alias: &str,
        columns: impl IntoIterator<Item = OutputColumn>,
        offset: usize,
    ) -> Names {
        let places = isize::try_from(offset).expect("rows are short");
        let mut names = Names::of_columns(alias, columns, 0);
        for (at, expr) in self.exprs.iter().enumerate() {
            let collation = expr.collation.outside();
            let mut expr = expr.clone();
            shift_columns(&mut expr, places);
            let expr = expr.with_collation(collation).at(0);
            names.tables[0].columns[at].expr = expr.clone();
            names.columns[at].expr = expr;
        }
        names
    }
}

//! Aggregation: from expressions over the rows of FROM to expressions over groups.
//!
//! Owns the check that a grouped query reads only what a group has (its keys, its aggregates, and columns that its keys
//! determine through a primary key), and the rewriting of expressions to the rows that the aggregate node gives.

use super::Binder;
use super::key_types::compared;
use super::scope::{Names, SelectFrame};
use crate::catalog::object::Oid;
use crate::expression::{Expr, Kind, for_each, rewrite, same};
use crate::parse::at;
use crate::plan::{Exprs, Node};
use hexalog_sql_types::cast::is_binary_coercible;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// Whether an expression is a group's key; a mere relabelling of its type does not matter.
fn is_key(key: &Expr, expr: &Expr) -> bool {
    if let (Kind::Column(a), Kind::Column(b)) = (&key.kind, &expr.kind) {
        return a == b;
    }
    if same(key, expr) {
        return true;
    }
    key.type_id != expr.type_id && is_binary_coercible(key.type_id, expr.type_id) && {
        let mut relabelled = expr.clone();
        relabelled.type_id = key.type_id;
        relabelled.typmod = key.typmod;
        same(key, &relabelled)
    }
}

/// A node's rows with values behind their columns. Whoever reads a column knows its type.
fn beside_columns(input: Node, values: Vec<Expr>) -> Node {
    let own = (0..input.width()).map(|column| Expr::column(column, TypeId::UNKNOWN, Typmod::NONE));
    let exprs = own.chain(values).collect();
    Node::Project { input: Arc::new(input), exprs: Exprs::new(exprs) }
}

impl Binder<'_> {
    /// Puts an aggregate node over `input` and rewrites `exprs` to its rows.
    pub(super) fn aggregate(
        &mut self,
        frame: &mut SelectFrame,
        input: Node,
        mut keys: Vec<Expr>,
        exprs: &mut [&mut Expr],
    ) -> Result<Node> {
        let mut sets = std::mem::take(&mut frame.sets);
        for expr in exprs.iter().map(|expr| &**expr).chain(sets.iter().flat_map(|set| &set.arguments)) {
            self.add_determined(&frame.visible, expr, &mut keys)?;
        }
        for call in &frame.aggregates {
            let direct = call.function.kind.direct_arguments(call.arguments.len()).unwrap_or(0);
            for argument in &call.arguments[..direct] {
                self.add_determined(&frame.visible, argument, &mut keys).map_err(|error| {
                    let detail =
                        "Direct arguments of an ordered-set aggregate must use only grouped columns.";
                    error.with_detail(detail)
                })?;
            }
        }
        let replace = |expr: &mut Expr| {
            rewrite(expr, &mut |expr| {
                if let Kind::Aggregate(number) = expr.kind {
                    return Some(Expr::column(keys.len() + number, expr.type_id, expr.typmod));
                }
                let at = keys.iter().position(|key| is_key(key, expr))?;
                Some(Expr::column(at, expr.type_id, expr.typmod))
            });
        };
        exprs.iter_mut().for_each(|expr| replace(expr));
        sets.iter_mut().flat_map(|set| &mut set.arguments).for_each(replace);
        frame.sets = sets;
        let calls = std::mem::take(&mut frame.aggregates);
        let columns: Vec<_> = keys.iter().map(|key| (key.type_id, key.typmod)).collect();
        let mut input = input;
        if self.is_to_be_compared(&columns)? {
            let width = input.width();
            input = compared(beside_columns(input, keys.clone()), width);
            keys = vec![Expr::column(width, columns[0].0, columns[0].1)];
        }
        Ok(Node::Aggregate { input: Arc::new(input), keys: Exprs::new(keys), calls })
    }

    /// Adds the columns of an expression that the keys determine; 42803 for others.
    fn add_determined(&mut self, visible: &[Names], expr: &Expr, keys: &mut Vec<Expr>) -> Result<()> {
        // With each column whether a subquery reads it.
        let mut missing: Vec<(Expr, bool)> = Vec::new();
        for_each(expr, &mut |expr| {
            if keys.iter().any(|key| is_key(key, expr)) {
                return false;
            }
            match &expr.kind {
                Kind::Column(_) => missing.push((expr.clone(), false)),
                Kind::Subplan(subplan) => {
                    let sources = subplan.correlation.iter().map(|(_, source)| source);
                    let columns = sources.filter(|source| matches!(source.kind, Kind::Column(_)));
                    missing.extend(columns.map(|column| (column.clone(), true)));
                }
                _ => {}
            }
            true
        });
        for (column, is_inside) in missing {
            if keys.iter().any(|key| is_key(key, &column)) {
                continue;
            }
            let Some(table) = self.determining(visible, &column, keys) else {
                return Err(at(ungrouped(visible, &column, is_inside), column.position));
            };
            self.note_key(table);
            keys.push(column);
        }
        Ok(())
    }

    /// The column's table, if the keys hold the whole of its primary key.
    fn determining(&self, visible: &[Names], column: &Expr, keys: &[Expr]) -> Option<Oid> {
        let tables = visible.iter().flat_map(|names| &names.tables);
        let found = tables.filter(|table| table.oid != 0).find(|names| {
            let has_column = names.columns.iter().any(|named| is_key(&named.expr, column));
            let table = self.context.view.catalog().table(names.oid);
            let Some(primary) = table
                .and_then(|table| table.primary_key())
                .filter(|key| has_column && key.is_unique_at_once())
            else {
                return false;
            };
            primary.reads.iter().all(|column| {
                let number = i16::try_from(column + 1).expect("tables have at most 1,600 columns");
                let named = names.columns.iter().find(|named| named.origin == (names.oid, number));
                named.is_some_and(|named| keys.iter().any(|key| is_key(key, &named.expr)))
            })
        });
        found.map(|names| names.oid)
    }
}

fn ungrouped(visible: &[Names], column: &Expr, is_in_subquery: bool) -> SqlError {
    let tables = visible.iter().flat_map(|names| &names.tables);
    let name = tables
        .flat_map(|table| table.columns.iter().map(move |named| (table, named)))
        .find(|(_, named)| is_key(&named.expr, column))
        .map_or_else(|| "?column?".to_owned(), |(table, named)| format!("{}.{}", table.alias, named.name));
    let message = match is_in_subquery {
        true => format!("subquery uses ungrouped column \"{name}\" from outer query"),
        false => {
            format!(
                "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
            )
        }
    };
    SqlError::new(SqlState::GROUPING_ERROR, message)
}

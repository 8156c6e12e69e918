//! What is kept of an expression over a table's row: bound, judged, and made text; and made anew when columns change.
//!
//! Owns the rule that it is immutable. Binding itself: `bind/row_expression.rs`.

use super::DefinitionContext;
use super::alter_action::Draft;
use super::constraint::TREE_TO_BE_MADE;
use super::create_index::{check_collation, no_collations};
use super::expression::{bind_context, stored_text};
use crate::bind::{RowPlace, row_expression};
use crate::catalog::object::{Column, Index, IndexColumn, KeyPart, Table};
use crate::catalog::row_expression::RowExpression;
use crate::catalog::system::own_collation;
use crate::expression::{Expr, is_collatable, is_immutable};
use crate::parse::{self, tree};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::sync::Arc;

/// 42P17.
fn not_immutable(place: RowPlace) -> SqlError {
    let message = match place {
        RowPlace::IndexKey => "functions in index expression must be marked IMMUTABLE",
        RowPlace::Generation(..) => "generation expression is not immutable",
        RowPlace::IndexPredicate | RowPlace::Arbiter => {
            "functions in index predicate must be marked IMMUTABLE"
        }
    };
    SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message)
}

/// An expression as written, bound and judged.
pub(super) fn written(
    context: &DefinitionContext<'_>,
    table: &Table,
    place: RowPlace,
    expr: &tree::Expr,
) -> Result<Expr> {
    let bound = row_expression(bind_context(context), table, place, expr, false)?;
    if is_immutable(&bound) { Ok(bound) } else { Err(not_immutable(place)) }
}

/// What is kept of it, bound with the table.
pub(super) fn keep(
    context: &DefinitionContext<'_>,
    table: &Table,
    place: RowPlace,
    written: Expr,
) -> Result<Arc<RowExpression>> {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let text = stored_text(context, &written, &columns);
    let parsed = parse::expression(&text)?;
    let bound = row_expression(bind_context(context), table, place, &parsed, true)?;
    Ok(Arc::new(RowExpression::new(text, written, bound)))
}

/// A new expression of a table.
pub(super) fn kept(
    context: &DefinitionContext<'_>,
    table: &Table,
    place: RowPlace,
    expr: &tree::Expr,
) -> Result<Arc<RowExpression>> {
    keep(context, table, place, written(context, table, place, expr)?)
}

/// A stored expression for a table whose columns have got other names; the old ones stand in the text.
fn renamed(
    context: &DefinitionContext<'_>,
    table: &Table,
    place: RowPlace,
    stored: &RowExpression,
) -> Result<Arc<RowExpression>> {
    keep(context, table, place, stored.written().clone())
}

/// A stored expression read again for a table whose columns have got other types.
pub(super) fn retyped(
    context: &DefinitionContext<'_>,
    table: &Table,
    place: RowPlace,
    stored: &RowExpression,
) -> Result<Arc<RowExpression>> {
    let bound = written(context, table, place, &parse::expression(&stored.text)?);
    let bound = bound.map_err(|mut error| {
        // The text in which it stands is none of the statement's.
        error.fields_mut().position = None;
        error
    })?;
    keep(context, table, place, bound)
}

type Renewal = fn(&DefinitionContext<'_>, &Table, RowPlace, &RowExpression) -> Result<Arc<RowExpression>>;

fn renew_index(
    context: &DefinitionContext<'_>,
    table: &Table,
    index: &mut Index,
    renewed: Renewal,
) -> Result<()> {
    for column in &mut index.columns {
        if let KeyPart::Expression(stored) = &mut column.part {
            *stored = renewed(context, table, RowPlace::IndexKey, stored)?;
        }
    }
    if let Some(stored) = &mut index.predicate {
        *stored = renewed(context, table, RowPlace::IndexPredicate, stored)?;
    }
    Ok(())
}

impl Draft {
    /// The expressions after columns have got other names.
    pub(super) fn rename_in_expressions(&mut self, context: &DefinitionContext<'_>) -> Result<()> {
        let after = self.table.clone();
        for column in &mut self.table.columns {
            if let Some(stored) = &mut column.generated {
                let place = RowPlace::Generation(column.type_id, column.typmod);
                *stored = renamed(context, &after, place, stored)?;
            }
        }
        let mut indexes = std::mem::take(&mut self.table.indexes);
        for index in &mut indexes {
            renew_index(context, &after, index, renamed)?;
        }
        self.table.indexes = indexes;
        Ok(())
    }

    /// The indexes' expressions over columns that have got other types: read again with these, as PostgreSQL does it, and
    /// computed anew: over columns of other collations they may give nothing but 42P22, and had better do so now.
    pub(super) fn retype_in_indexes(&mut self, context: &DefinitionContext<'_>) -> Result<()> {
        let after = self.table.clone();
        let mut indexes = std::mem::take(&mut self.table.indexes);
        for index in &mut indexes {
            if self.retyped.iter().any(|column| index.reads.contains(column)) {
                renew_index(context, &after, index, retyped)?;
                for column in &mut index.columns {
                    let type_id = column.value_type(&after.columns).0;
                    super::constraint::check_indexable(type_id)?;
                    renew_collation(column, type_id, &after.columns)?;
                }
                let is_computed = index.predicate.is_some() || index.key_expressions().next().is_some();
                if is_computed
                    && let Some(tree) = &mut index.tree
                    && *tree != TREE_TO_BE_MADE
                {
                    self.dropped_trees.push(std::mem::replace(tree, TREE_TO_BE_MADE));
                    self.new_indexes.push(index.oid);
                }
            }
            index.key = Index::key_columns(&index.columns, &after.columns);
        }
        self.table.indexes = indexes;
        Ok(())
    }
}

/// The collation that an index was given stays, unless it is the same as without now.
fn renew_collation(column: &mut IndexColumn, type_id: TypeId, table: &[Column]) -> Result<()> {
    if column.collation != 0 && !is_collatable(type_id) {
        return Err(no_collations(type_id));
    }
    let own = own_collation(&column.part, table);
    check_collation(column.collation, own, type_id)?;
    if column.collation == own {
        column.collation = 0;
    }
    Ok(())
}

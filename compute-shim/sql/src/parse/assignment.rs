//! What UPDATE and ON CONFLICT DO UPDATE assign: one column, or several at once the values of a row.

use super::tree::{ANOTHER_NUMBER_OF_VALUES, AssignedValue, Assignment, Expr};
use super::{Lower, assigned_part, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::ast;

impl Lower<'_> {
    pub(super) fn assignments(&mut self, assignments: Vec<ast::Assignment>) -> Result<Vec<Assignment>> {
        let mut lowered = Vec::with_capacity(assignments.len());
        for ast::Assignment { target, value } in assignments {
            match target {
                ast::AssignmentTarget::ColumnName(column) => {
                    let to = assigned_part::assigned_to(self.object_name(column)?, self.assigned_parts);
                    lowered.push(Assignment { to, value: AssignedValue::Expr(self.expr(value)?) });
                }
                ast::AssignmentTarget::Tuple(columns) => self.row_assignment(columns, value, &mut lowered)?,
            }
        }
        Ok(lowered)
    }

    /// `SET (a, b) = (1, 2)` is two assignments.
    fn row_assignment(
        &mut self,
        columns: Vec<ast::ObjectName>,
        value: ast::Expr,
        lowered: &mut Vec<Assignment>,
    ) -> Result<()> {
        let count = columns.len();
        let values: Vec<AssignedValue> = match self.expr(value)? {
            Expr::Row { items, .. } if items.iter().any(|item| matches!(item, Expr::Fields(_))) => {
                return Err(refuse("row expansion via \"*\" in what UPDATE assigns to several columns"));
            }
            Expr::Row { items, position } if items.len() != count => {
                return Err(at(SqlError::syntax(ANOTHER_NUMBER_OF_VALUES), position));
            }
            Expr::Row { items, .. } => items.into_iter().map(AssignedValue::Expr).collect(),
            Expr::Subquery { query, position } => {
                let mut query = Some(query);
                let value = |column| {
                    let (query, columns) = (query.take(), count);
                    AssignedValue::OfQuery { query, column, columns, position }
                };
                (0..count).map(value).collect()
            }
            other => {
                let message =
                    "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
                return Err(at(error, other.start()));
            }
        };
        for (column, value) in columns.into_iter().zip(values) {
            let to = assigned_part::assigned_to(self.object_name(column)?, self.assigned_parts);
            lowered.push(Assignment { to, value });
        }
        Ok(())
    }
}

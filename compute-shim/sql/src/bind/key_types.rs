//! What values may be ordered by and told apart by: ORDER BY, GROUP BY, DISTINCT, windows, set operations.

use super::Binder;
use super::collation::check_one;
use super::field::RowShape;
use crate::expression::Expr;
use crate::parse::at;
use crate::plan::{Node, SortKey};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

fn rows_unknown() -> SqlError {
    SqlError::unsupported("ordering or grouping by a row of unknown columns")
}

impl Binder<'_> {
    pub(super) fn check_distinct_arguments(&self, arguments: &[Expr]) -> Result<()> {
        // Rows of several kinds are sorted, and looked at then.
        for argument in arguments.iter().filter(|argument| !self.is_mixed(argument.type_id, argument.typmod))
        {
            self.check_groupable(argument.type_id, argument.typmod)
                .map_err(|error| at(error, argument.position))?;
            check_one(argument.collation)?;
            self.check_sortable(argument.type_id, argument.typmod).map_err(|error| {
                let name = argument.type_id.display_name();
                let message = format!("could not identify an ordering operator for type {name}");
                let detail = "Aggregates with DISTINCT must be able to sort their inputs.";
                let sqlstate = error.sqlstate();
                at(SqlError::new(sqlstate, message).with_detail(detail), argument.position)
            })?;
        }
        Ok(())
    }

    /// Whether rows may have other columns than each other: a sort says so when it meets two that have.
    pub(super) fn is_mixed(&self, type_id: TypeId, typmod: Typmod) -> bool {
        type_id == TypeId::RECORD && self.shape_of_type(type_id, typmod).is_none()
    }

    /// Puts rows in order by their first columns if some of those are rows which may be of several kinds. Grouping by a hash
    /// finds them to differ, where PostgreSQL, which sorts, finds that they cannot be compared. Of several columns it also
    /// compares those of neighbours from the last one on, which is not built.
    pub(super) fn compared(&self, node: Node, columns: &[(TypeId, Typmod)]) -> Result<Node> {
        if !columns.iter().any(|&(type_id, typmod)| self.is_mixed(type_id, typmod)) {
            return Ok(node);
        }
        if columns.len() > 1 {
            return Err(rows_unknown());
        }
        let key = |(column, &(type_id, _)): (usize, &(TypeId, Typmod))| SortKey {
            column,
            type_id,
            descending: false,
            nulls_first: false,
        };
        let keys = columns.iter().enumerate().map(key).collect();
        Ok(Node::Sort { input: Arc::new(node), keys })
    }

    /// 42883 for a type without an order. A row has the order of its columns, which must be known where no sort compares them.
    pub(super) fn check_sortable(&self, type_id: TypeId, typmod: Typmod) -> Result<()> {
        if type_id == TypeId::RECORD {
            let columns = self.columns_of_row(type_id, typmod)?;
            return columns.iter().try_for_each(|column| self.check_sortable(column.type_id, column.typmod));
        }
        match self.comparison("<", type_id, type_id) {
            Ok(_) => Ok(()),
            Err(_) => {
                let name = type_id.display_name();
                let message = format!("could not identify an ordering operator for type {name}");
                Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
                    .with_hint("Use an explicit ordering operator or modify the query."))
            }
        }
    }

    fn columns_of_row(&self, type_id: TypeId, typmod: Typmod) -> Result<RowShape> {
        let shape = self.shape_of_type(type_id, typmod);
        shape.ok_or_else(rows_unknown)
    }

    /// 42883 for a type whose values cannot be told apart.
    pub(super) fn check_groupable(&self, type_id: TypeId, typmod: Typmod) -> Result<()> {
        if type_id == TypeId::RECORD {
            let columns = self.columns_of_row(type_id, typmod)?;
            return columns.iter().try_for_each(|column| self.check_groupable(column.type_id, column.typmod));
        }
        // Values of some types (xid) are equal or not, and have no order: a hash is enough.
        match self.comparison("=", type_id, type_id) {
            Ok(_) => Ok(()),
            Err(_) => {
                let name = type_id.display_name();
                let message = format!("could not identify an equality operator for type {name}");
                Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, message))
            }
        }
    }
}

//! What values may be ordered by and told apart by: ORDER BY, GROUP BY, DISTINCT, windows, set operations.

use super::Binder;
use super::collation::check_one;
use super::field::RowShape;
use crate::expression::Expr;
use crate::parse::at;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};

impl Binder<'_> {
    pub(super) fn check_distinct_arguments(&self, arguments: &[Expr]) -> Result<()> {
        for argument in arguments {
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

    /// 42883 for a type without an order. A row has the order of its columns, which must be known: rows of other columns are
    /// not compared, and what comes of that PostgreSQL says when it meets two.
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
        shape.ok_or_else(|| SqlError::unsupported("ordering or grouping by a row of unknown columns"))
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

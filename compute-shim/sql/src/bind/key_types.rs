//! What values may be ordered by and told apart by: ORDER BY, GROUP BY, DISTINCT, windows, set operations.

use super::Binder;
use super::collation::check_one;
use super::field::RowColumn;
use crate::expression::Expr;
use crate::parse::at;
use crate::plan::{Node, SortKey};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

fn rows_unknown() -> SqlError {
    SqlError::unsupported("ordering or grouping by a row of unknown columns")
}

/// Rows in the order of a column of rows, all of which are compared.
pub(super) fn compared(node: Node, column: usize) -> Node {
    let key = SortKey { column, type_id: TypeId::RECORD, descending: false, nulls_first: false };
    Node::Sort { input: Arc::new(node), keys: vec![key] }
}

impl Binder<'_> {
    pub(super) fn check_distinct_arguments(&self, arguments: &[Expr]) -> Result<()> {
        for argument in arguments {
            self.check_group_type(argument.type_id, argument.typmod)
                .map_err(|error| at(error, argument.position))?;
            check_one(argument.collation)?;
            self.check_sort_type(argument.type_id, argument.typmod).map_err(|error| {
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

    /// [`Binder::check_sortable`] where a sort compares the values: rows that may be of several kinds are looked at then.
    pub(super) fn check_sort_type(&self, type_id: TypeId, typmod: Typmod) -> Result<()> {
        match self.is_mixed(type_id, typmod) {
            true => Ok(()),
            false => self.check_sortable(type_id, typmod),
        }
    }

    /// [`Binder::check_groupable`] where such rows are sorted before they are told apart, or looked at one by one.
    pub(super) fn check_group_type(&self, type_id: TypeId, typmod: Typmod) -> Result<()> {
        match self.is_mixed(type_id, typmod) {
            true => Ok(()),
            false => self.check_groupable(type_id, typmod),
        }
    }

    /// Whether what tells rows apart by these keys must have them in order: the only key is rows that may be of several kinds. A
    /// hash finds such to differ or to be the same, where PostgreSQL, which sorts, finds that they cannot be compared. Of several
    /// keys it also compares those of neighbours from the last one on, which is not built.
    pub(super) fn is_to_be_compared(&self, keys: &[(TypeId, Typmod)]) -> Result<bool> {
        match keys.iter().any(|&(type_id, typmod)| self.is_mixed(type_id, typmod)) {
            true if keys.len() > 1 => Err(rows_unknown()),
            is_mixed => Ok(is_mixed),
        }
    }

    /// 42883 for a type without an order. A row has the order of its columns, which must be known where no sort compares them.
    pub(super) fn check_sortable(&self, type_id: TypeId, typmod: Typmod) -> Result<()> {
        self.check_compared("<", type_id, typmod).map_err(|error| match error.sqlstate() {
            SqlState::UNDEFINED_FUNCTION => {
                error.with_hint("Use an explicit ordering operator or modify the query.")
            }
            _ => error,
        })
    }

    /// 42883 for a type whose values cannot be told apart. Of some (xid) they are equal or not, and have no order: a hash is enough.
    pub(super) fn check_groupable(&self, type_id: TypeId, typmod: Typmod) -> Result<()> {
        self.check_compared("=", type_id, typmod)
    }

    /// 42883 for a type whose values have no such operator.
    fn check_compared(&self, operator: &str, type_id: TypeId, typmod: Typmod) -> Result<()> {
        if type_id == TypeId::RECORD {
            let columns = self.shape_of_type(type_id, typmod).ok_or_else(rows_unknown)?;
            let check = |column: &RowColumn| self.check_compared(operator, column.type_id, column.typmod);
            return columns.iter().try_for_each(check);
        }
        let compared = type_id.array_element().unwrap_or(type_id);
        self.comparison(operator, compared, compared).map(drop).map_err(|_| {
            let (kind, name) =
                (if operator == "<" { "ordering" } else { "equality" }, type_id.display_name());
            let message = format!("could not identify an {kind} operator for type {name}");
            SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
        })
    }
}

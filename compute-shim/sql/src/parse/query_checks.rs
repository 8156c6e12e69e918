//! Clauses of a query that do not go together.

use super::tree::{Query, QueryBody};
use super::{at, refuse};
use hexalog_engine::LockWait;
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;

/// 42601 for a clause that stands inside of a query's parentheses and behind them: the two are one query.
pub(super) fn check_nested(query: &Query) -> Result<()> {
    let mut body = &query.body;
    while let QueryBody::Nested(inner) = body {
        let twice = [
            (
                "ORDER BY",
                query.order_by.first().map(|item| &item.expr).filter(|_| !inner.order_by.is_empty()),
            ),
            ("OFFSET", query.offset.as_ref().filter(|_| inner.offset.is_some())),
            ("LIMIT", query.limit.as_ref().filter(|_| inner.limit.is_some())),
        ];
        if let Some((clause, Some(expr))) = twice.into_iter().find(|(_, expr)| expr.is_some()) {
            let message = format!("multiple {clause} clauses not allowed");
            return Err(at(SqlError::syntax(message), expr.start()));
        }
        body = &inner.body;
    }
    Ok(())
}

/// 42601 where nothing says which rows are tied, or rows might be passed over.
pub(super) fn check_ties(query: &Query) -> Result<()> {
    if query.order_by.is_empty() {
        return Err(match &query.body {
            QueryBody::Nested(inner) if !inner.order_by.is_empty() => {
                refuse("WITH TIES behind the parentheses around its ORDER BY")
            }
            _ => SqlError::syntax("WITH TIES cannot be specified without ORDER BY clause"),
        });
    }
    if query.locks.iter().any(|lock| lock.wait == LockWait::Skip) {
        return Err(SqlError::syntax("SKIP LOCKED and WITH TIES options cannot be used together"));
    }
    Ok(())
}

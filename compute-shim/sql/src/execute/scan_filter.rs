//! The filter of a scan, condition by condition: what a condition reads is decoded when it is come to, so that of a row that fails the
//! first one no more is decoded than that.
//!
//! Owns [`ScanFilter`]. A row passes if every condition is true, and the first that is not ends it, be it false or NULL, as in
//! PostgreSQL (`ExecQual`). Comparisons of a column with a constant of its own type are made in place; all else is `evaluate`'s.

use super::stored_row::column_in_memory;
use super::{Context, Row};
use crate::expression::{Expr, Kind, columns_used, is_true};
use crate::plan::Scan;
use crate::stop::Step;
use hexalog_engine::RowBuffer;
use hexalog_sql_types::datum::compare;
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::{Datum, TypeId};
use std::cmp::Ordering;

/// How a value is tested.
enum Test {
    /// Against a constant, both of this type.
    Compare { column: usize, type_id: TypeId, passes: fn(Ordering) -> bool, constant: Datum },
    /// By the condition of this number.
    Evaluate(usize),
}

struct Condition {
    /// Columns that it is the first to read.
    reads: Vec<usize>,
    test: Test,
}

/// The conditions in order.
pub(super) struct ScanFilter {
    conditions: Vec<Condition>,
    /// The condition that the row has come to.
    at: usize,
}

impl ScanFilter {
    pub(super) fn new(scan: &Scan) -> ScanFilter {
        let mut unread = scan.filter_columns.clone();
        let mut conditions = Vec::new();
        for (number, expr) in exprs(scan).iter().enumerate() {
            let used = columns_used(expr);
            let (reads, left) = unread.into_iter().partition(|column| used.contains(column));
            unread = left;
            let test = comparison(expr).unwrap_or(Test::Evaluate(number));
            conditions.push(Condition { reads, test });
        }
        ScanFilter { conditions, at: 0 }
    }

    /// Another row has come.
    pub(super) fn begin_row(&mut self, scan: &Scan, context: &mut Context<'_>) {
        self.at = 0;
        if let Some(filter) = &scan.filter {
            filter.evaluation.begin_row(context.state);
        }
    }

    /// Whether the row passes; `row` gets what the conditions read. After a need call again.
    pub(super) fn passes(
        &mut self,
        scan: &Scan,
        stored: &mut RowBuffer,
        row: &mut Row,
        context: &mut Context<'_>,
    ) -> Step<bool> {
        while let Some(condition) = self.conditions.get(self.at) {
            for &column in &condition.reads {
                row[column] = match column_in_memory(&scan.table, stored, column)? {
                    Ok(value) => value,
                    Err(place) => {
                        let reader = stored.value_reader(place);
                        let bytes = context.engine.read_chain(context.transaction, reader)?;
                        scan.table.layout.decode_value(column, bytes)?
                    }
                };
            }
            let passes = match &condition.test {
                Test::Compare { column, type_id, passes, constant } => match &row[*column] {
                    Datum::Null => false,
                    value => passes(compare(*type_id, value, constant)),
                },
                Test::Evaluate(number) => is_true(&exprs(scan)[*number], row, context)?,
            };
            if !passes {
                return Ok(false);
            }
            self.at += 1;
        }
        Ok(true)
    }
}

/// The conditions of a scan's filter.
fn exprs(scan: &Scan) -> &[Expr] {
    match scan.filter.as_ref().map(|filter| &filter.expr) {
        None => &[],
        Some(Expr { kind: Kind::And(items), .. }) => items,
        Some(expr) => std::slice::from_ref(expr),
    }
}

/// A condition as a test of a column against a constant, if that says the same.
fn comparison(expr: &Expr) -> Option<Test> {
    let Kind::Operator { operator, operands } = &expr.kind else { return None };
    let [
        Expr { kind: Kind::Column(column), type_id, .. },
        Expr { kind: Kind::Constant(constant), type_id: other, .. },
    ] = &**operands
    else {
        return None;
    };
    let is_same = operator.left == Some(operator.right) && *type_id == operator.right && type_id == other;
    if !is_same || !is_in_default_order(operator.right) || constant.is_null() {
        return None;
    }
    let passes = passes(operator)?;
    Some(Test::Compare { column: *column, type_id: *type_id, passes, constant: constant.clone() })
}

/// Types whose comparison operators are those of [`compare`] for one value beside another.
fn is_in_default_order(type_id: TypeId) -> bool {
    matches!(
        type_id,
        TypeId::INT2
            | TypeId::INT4
            | TypeId::INT8
            | TypeId::FLOAT4
            | TypeId::FLOAT8
            | TypeId::NUMERIC
            | TypeId::DATE
            | TypeId::TIMESTAMP
            | TypeId::TIMESTAMPTZ
            | TypeId::TEXT
            | TypeId::BPCHAR
    )
}

fn passes(operator: &Operator) -> Option<fn(Ordering) -> bool> {
    Some(match operator.name {
        "=" => Ordering::is_eq,
        "<>" => Ordering::is_ne,
        "<" => Ordering::is_lt,
        "<=" => Ordering::is_le,
        ">" => Ordering::is_gt,
        ">=" => Ordering::is_ge,
        _ => return None,
    })
}

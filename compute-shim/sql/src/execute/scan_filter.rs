//! The filter of a scan, condition by condition: what a condition reads is decoded when it is come to, so that of a row that fails the
//! first one no more is decoded than that.
//!
//! Owns [`ScanFilter`]. A row passes if every condition is true, and the first that is not ends it, be it false or NULL, as in
//! PostgreSQL (`ExecQual`). Comparisons of a column with a constant of its own type are made in place; all else is `evaluate`'s.

use super::stored_row::{column_in_memory, place, unexpected_overflow};
use super::{Context, Row};
use crate::expression::{Expr, Kind, columns_used, is_true};
use crate::plan::Scan;
use crate::stop::Step;
use hexalog_engine::{LeafRows, RowBuffer};
use hexalog_sql_types::datetime::{Date, Timestamp};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::row::{FieldTest, RawField};
use hexalog_sql_types::{Datum, TypeId};
use std::cmp::Ordering;

/// A column's field against a constant.
struct Field {
    column: usize,
    test: FieldTest,
    /// Whether a row passes that was stored before the column was there.
    missing: bool,
}

/// How a row is tested.
enum Test {
    /// By the bytes of one field.
    Field(Field),
    /// By the condition of this number.
    Evaluate(usize),
}

struct Condition {
    /// Columns that it is the first to have decoded.
    reads: Vec<usize>,
    test: Test,
}

/// The conditions in order.
pub(super) struct ScanFilter {
    conditions: Vec<Condition>,
    /// So many conditions at the front are tests of fields.
    leading: usize,
    /// The condition that the row has come to.
    at: usize,
}

impl ScanFilter {
    pub(super) fn new(scan: &Scan) -> ScanFilter {
        let mut unread = scan.filter_columns.clone();
        let mut conditions = Vec::new();
        for (number, expr) in exprs(scan).iter().enumerate() {
            if let Some(field) = field(scan, expr) {
                conditions.push(Condition { reads: Vec::new(), test: Test::Field(field) });
                continue;
            }
            let used = columns_used(expr);
            let (reads, left) = unread.into_iter().partition(|column| used.contains(column));
            unread = left;
            conditions.push(Condition { reads, test: Test::Evaluate(number) });
        }
        let leading =
            conditions.iter().take_while(|condition| matches!(condition.test, Test::Field(_))).count();
        ScanFilter { conditions, leading, at: 0 }
    }

    /// Whether nothing is evaluated: a row passes if it passes [`ScanFilter::passes_leading`].
    pub(super) fn is_of_fields(&self) -> bool {
        self.leading == self.conditions.len()
    }

    /// Columns that a row which passes has decoded.
    pub(super) fn decoded(&self) -> impl Iterator<Item = usize> {
        self.conditions.iter().flat_map(|condition| condition.reads.iter().copied())
    }

    /// Another row has come. `has_passed`: [`ScanFilter::passes_leading`] has said so.
    pub(super) fn begin_row(&mut self, scan: &Scan, context: &mut Context<'_>, has_passed: bool) {
        self.at = if has_passed { self.leading } else { 0 };
        if let Some(filter) = &scan.filter {
            filter.evaluation.begin_row(context.state);
        }
    }

    /// Whether a row of a leaf passes the tests of fields at the front.
    #[inline]
    pub(super) fn passes_leading(&self, scan: &Scan, leaf: &LeafRows, at: usize) -> Result<bool> {
        let (columns, body) = leaf.columns_and_body(at);
        for condition in &self.conditions[..self.leading] {
            let Test::Field(field) = &condition.test else { unreachable!("counted so") };
            if !field.passes(scan, columns, body)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rows of a leaf, from one on, that pass the tests of fields at the front.
    pub(super) fn select(
        &self,
        scan: &Scan,
        leaf: &LeafRows,
        from: usize,
        rows: &mut Vec<usize>,
    ) -> Result<()> {
        rows.clear();
        rows.extend(from..leaf.len());
        for condition in &self.conditions[..self.leading] {
            let Test::Field(field) = &condition.test else { unreachable!("counted so") };
            let mut kept = 0;
            for number in 0..rows.len() {
                let at = rows[number];
                let (columns, body) = leaf.columns_and_body(at);
                // Written whatever the test says, so that there is nothing to guess.
                rows[kept] = at;
                kept += usize::from(field.passes(scan, columns, body)?);
            }
            rows.truncate(kept);
        }
        Ok(())
    }

    /// Whether the row passes; `row` gets what is decoded for the conditions. After a need call again.
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
                        let (engine, transaction) = context.stores.of(scan.table.tree);
                        let bytes = engine.read_chain(transaction, reader)?;
                        scan.table.layout.decode_value(column, bytes)?
                    }
                };
            }
            let passes = match &condition.test {
                Test::Field(field) => field.passes_stored(scan, stored, context)?,
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

impl Field {
    /// Whether a row without overflow passes.
    #[inline]
    fn passes(&self, scan: &Scan, columns: u16, body: &[u8]) -> Result<bool> {
        let layout = &scan.table.layout;
        match layout.raw(body, columns, self.column)? {
            RawField::Inline(bytes) => layout.passes(&self.test, bytes),
            RawField::Null => Ok(false),
            RawField::Missing => Ok(self.missing),
            RawField::Overflow(_) => Err(unexpected_overflow()),
        }
    }

    fn passes_stored(&self, scan: &Scan, stored: &mut RowBuffer, context: &mut Context<'_>) -> Step<bool> {
        let layout = &scan.table.layout;
        let RawField::Overflow(reference) = layout.raw(&stored.body, stored.columns, self.column)? else {
            return Ok(self.passes(scan, stored.columns, &stored.body)?);
        };
        let place = place(reference, stored)?;
        let (engine, transaction) = context.stores.of(scan.table.tree);
        let bytes = engine.read_chain(transaction, stored.value_reader(place))?;
        Ok(layout.passes(&self.test, bytes)?)
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

/// A condition as a test of a field against a constant, if that says the same.
fn field(scan: &Scan, expr: &Expr) -> Option<Field> {
    let Kind::Operator { operator, operands } = &expr.kind else { return None };
    let [
        Expr { kind: Kind::Column(column), type_id, .. },
        Expr { kind: Kind::Constant(constant), type_id: other, .. },
    ] = &**operands
    else {
        return None;
    };
    let midnight = midnight(operator, constant);
    let constant = midnight.as_ref().unwrap_or(constant);
    let is_same = midnight.is_some()
        || operator.left == Some(operator.right) && *type_id == operator.right && type_id == other;
    if !is_same || !is_in_default_order(*type_id) || constant.is_null() {
        return None;
    }
    let (layout, column) = (&scan.table.layout, *column);
    if layout.types().get(column) != Some(type_id) {
        return None;
    }
    let test = FieldTest::new(*type_id, constant, passes(operator)?);
    let missing = &scan.table.columns[column].missing;
    let missing = !missing.is_null() && {
        let mut bytes = Vec::new();
        layout.encode_value(column, missing, &mut bytes);
        layout.passes(&test, &bytes).ok()?
    };
    Some(Field { column, test, missing })
}

/// The day that a date is compared with where it is compared with the midnight that the day begins with: which of both is later is
/// the same. What `date + interval` comes to is a timestamp.
fn midnight(operator: &Operator, constant: &Datum) -> Option<Datum> {
    const DAY_US: i64 = 86_400_000_000;
    let Datum::Timestamp(Timestamp(us)) = constant else { return None };
    if operator.left != Some(TypeId::DATE) || operator.right != TypeId::TIMESTAMP || us % DAY_US != 0 {
        return None;
    }
    // The infinities are no midnights.
    i32::try_from(us / DAY_US).ok().map(|days| Datum::Date(Date(days)))
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

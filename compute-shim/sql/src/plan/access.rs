//! How a table is read: by key, by a range of an index, or whole.
//!
//! Owns the match of a scan's conditions against the columns of its indexes. A condition that became part of the key
//! range is gone from the filter, since key order and the comparison operators agree for every type that has keys.
//! Choice without statistics: a unique key in full beats everything, then more equal columns, then a bounded range.

use super::implication::implies;
use super::{PlanOptions, Predicate, Scan};
use crate::catalog::object::{Index, IndexColumn, KeyPart, Table};
use crate::expression::{Expr, Kind, columns_used, for_each, same};
use hexalog_sql_types::TypeId;
use hexalog_sql_types::operator::Operator;

/// A value of a key column; integers of another width are converted when the scan starts.
#[derive(Clone, Debug)]
pub(crate) struct KeyValue {
    pub expr: Expr,
}

/// A range of an index.
#[derive(Clone, Debug)]
pub(crate) struct IndexAccess {
    /// Position in the table's indexes; the primary key's is the clustered tree itself.
    pub index: usize,
    /// Values of the leading columns.
    pub equal: Vec<KeyValue>,
    /// The next column is one of this array's elements.
    pub any: Option<Expr>,
    /// Bounds of the column behind the equal ones; true includes the value.
    pub lower: Option<(KeyValue, bool)>,
    pub upper: Option<(KeyValue, bool)>,
}

impl IndexAccess {
    /// Whether it gives one row at most.
    pub(crate) fn is_point(&self, index: &Index) -> bool {
        index.unique && self.equal.len() == index.columns.len()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Equal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    fn of(operator: &Operator) -> Option<Comparison> {
        match operator.name {
            "=" => Some(Comparison::Equal),
            "<" => Some(Comparison::Less),
            "<=" => Some(Comparison::LessEqual),
            ">" => Some(Comparison::Greater),
            ">=" => Some(Comparison::GreaterEqual),
            _ => None,
        }
    }

    fn reversed(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::Equal,
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterEqual => Comparison::LessEqual,
        }
    }
}

/// Whether values of `other` can be made a key of `column` and compare with it as the operator does.
fn is_compatible(column: TypeId, other: TypeId) -> bool {
    let integer = |id| matches!(id, TypeId::INT2 | TypeId::INT4 | TypeId::INT8);
    let string = |id| matches!(id, TypeId::TEXT | TypeId::VARCHAR | TypeId::NAME);
    column == other || (integer(column) && integer(other)) || (string(column) && string(other))
}

/// Whether an expression has its value before the scan begins.
fn is_known(expr: &Expr) -> bool {
    let mut known = columns_used(expr).is_empty();
    for_each(expr, &mut |expr| {
        known &= !matches!(expr.kind, Kind::Subplan(_) | Kind::Host { memo: Some(_), .. });
        known
    });
    known && !super::pushdown::is_volatile(expr)
}

/// A condition as "something of the row compared with a known value".
struct Bound<'a> {
    operand: &'a Expr,
    comparison: Comparison,
    value: &'a Expr,
}

fn bound(condition: &Expr) -> Option<Bound<'_>> {
    let Kind::Operator { operator, operands } = &condition.kind else { return None };
    let comparison = Comparison::of(operator)?;
    let [left, right] = &**operands else { return None };
    match (is_known(left), is_known(right)) {
        (false, true) => Some(Bound { operand: left, comparison, value: right }),
        (true, false) => Some(Bound { operand: right, comparison: comparison.reversed(), value: left }),
        _ => None,
    }
}

/// Whether an expression over a table's row is what a column of an index holds.
pub(super) fn is_part(table: &Table, column: &IndexColumn, expr: &Expr) -> bool {
    match &column.part {
        KeyPart::Column(column) => matches!(expr.kind, Kind::Column(used) if used == *column),
        KeyPart::Expression(stored) => {
            let stored = stored.expr();
            if !is_compatible(column.value_type(&table.columns).0, expr.type_id) {
                return false;
            }
            // Relabelled as another type of strings it is still the same value.
            let expr = Expr { type_id: stored.type_id, typmod: stored.typmod, ..expr.clone() };
            same(stored, &expr)
        }
    }
}

/// Whether a comparison bounds a column of an index.
fn bounds(table: &Table, column: &IndexColumn, bound: &Bound<'_>) -> bool {
    let key_type = column.value_type(&table.columns).0;
    is_part(table, column, bound.operand) && is_compatible(key_type, bound.value.type_id)
}

/// The array of `column = ANY (known array)`.
fn any_of<'a>(condition: &'a Expr, table: &Table, column: &IndexColumn) -> Option<&'a Expr> {
    let Kind::AnyAll { operator, left, array, all: false } = &condition.kind else { return None };
    let element = array.type_id.array_element()?;
    let key_type = column.value_type(&table.columns).0;
    (operator.name == "="
        && is_part(table, column, left)
        && is_known(array)
        && is_compatible(key_type, element))
    .then_some(array)
}

/// An access with its worth and the conditions that it takes over.
struct Candidate {
    access: IndexAccess,
    worth: u32,
    used: Vec<usize>,
}

fn candidate(scan: &Scan, at: usize, conditions: &[Expr]) -> Option<Candidate> {
    let index = &scan.table.indexes[at];
    let table = &*scan.table;
    if let Some(predicate) = &index.predicate
        && !implies(conditions, predicate.expr())
    {
        return None;
    }
    let compared: Vec<Option<Bound<'_>>> = conditions.iter().map(bound).collect();
    let mut access = IndexAccess { index: at, equal: Vec::new(), any: None, lower: None, upper: None };
    let mut used = Vec::new();
    for column in &index.columns {
        let equal = compared.iter().position(|bound| {
            bound
                .as_ref()
                .is_some_and(|bound| bound.comparison == Comparison::Equal && bounds(table, column, bound))
        });
        match equal {
            Some(condition) => {
                let value = compared[condition].as_ref().expect("found above").value.clone();
                access.equal.push(KeyValue { expr: value });
                used.push(condition);
            }
            None => {
                next_column(scan, column, conditions, &compared, &mut access, &mut used);
                break;
            }
        }
    }
    let full = index.unique && access.equal.len() == index.columns.len();
    let worth = u32::try_from(access.equal.len()).expect("few columns") * 100
        + if full { 10_000 } else { 0 }
        + if access.any.is_some() { 80 } else { 0 }
        + if access.lower.is_some() { 20 } else { 0 }
        + if access.upper.is_some() { 20 } else { 0 }
        // The clustered tree needs no second look-up.
        + if index.is_primary() { 15 } else { 0 }
        // That it has fewer rows than the table may be all that it is for.
        + if index.predicate.is_some() { 5 } else { 0 };
    let has_few = || index.predicate.as_ref().is_some_and(|predicate| leaves_few(predicate.expr()));
    (!used.is_empty() || has_few()).then_some(Candidate { access, worth, used })
}

/// Whether a predicate is of a kind that few rows pass, so that an index of these is worth to be read whole; a guess, as
/// long as nobody counts.
fn leaves_few(predicate: &Expr) -> bool {
    match &predicate.kind {
        Kind::And(parts) => parts.iter().any(leaves_few),
        Kind::Operator { operator, .. } => operator.name == "=",
        Kind::AnyAll { operator, all: false, .. } => operator.name == "=",
        Kind::IsNull { negated, .. } => !negated,
        Kind::Column(_) | Kind::Not(_) | Kind::IsBool { negated: false, .. } => true,
        _ => false,
    }
}

/// The first column without an equal condition: an array of values, or bounds.
fn next_column(
    scan: &Scan,
    column: &IndexColumn,
    conditions: &[Expr],
    compared: &[Option<Bound<'_>>],
    access: &mut IndexAccess,
    used: &mut Vec<usize>,
) {
    let any = conditions
        .iter()
        .enumerate()
        .find_map(|(at, condition)| any_of(condition, &scan.table, column).map(|array| (at, array.clone())));
    if let Some((at, array)) = any {
        access.any = Some(array);
        used.push(at);
        return;
    }
    for (at, bound) in compared.iter().enumerate() {
        let Some(bound) = bound.as_ref().filter(|bound| bounds(&scan.table, column, bound)) else { continue };
        let value = KeyValue { expr: bound.value.clone() };
        let (side, inclusive) = match bound.comparison {
            Comparison::Less => (&mut access.upper, false),
            Comparison::LessEqual => (&mut access.upper, true),
            Comparison::Greater => (&mut access.lower, false),
            Comparison::GreaterEqual => (&mut access.lower, true),
            Comparison::Equal => continue,
        };
        if side.is_none() {
            *side = Some((value, inclusive));
            used.push(at);
        }
    }
}

/// Chooses the access of a scan; its filter keeps what the key range does not say.
pub(super) fn choose(mut scan: Scan, options: PlanOptions) -> Scan {
    if !options.direct_routes || scan.access.is_some() || scan.cursor.is_some() {
        return scan;
    }
    let Some(filter) = scan.filter.take() else { return scan };
    let conditions = filter.expr.conjuncts();
    let best = (0..scan.table.indexes.len())
        .filter(|&at| scan.table.indexes[at].valid_from <= options.snapshot)
        .filter_map(|at| candidate(&scan, at, &conditions))
        .max_by_key(|candidate| candidate.worth);
    let Some(best) = best else {
        scan.filter = Predicate::all(conditions);
        return scan;
    };
    let rest = conditions.into_iter().enumerate().filter(|(at, _)| !best.used.contains(at));
    scan.filter = Predicate::all(rest.map(|(_, condition)| condition).collect());
    scan.access = Some(best.access);
    scan
}

/// Worth of the access that further conditions would give a scan, without taking it: 0 for none.
pub(super) fn worth(scan: &Scan, conditions: &[Expr], options: PlanOptions) -> u32 {
    if !options.direct_routes || scan.cursor.is_some() {
        return 0;
    }
    (0..scan.table.indexes.len())
        .filter(|&at| scan.table.indexes[at].valid_from <= options.snapshot)
        .filter_map(|at| candidate(scan, at, conditions))
        .map(|candidate| candidate.worth)
        .max()
        .unwrap_or(0)
}

//! How a table is read: by key, by a range of an index, or whole.
//!
//! Owns the match of a scan's conditions against the columns of its indexes. A condition that became part of the key
//! range is gone from the filter, since key order and the comparison operators agree for every type that has keys.
//! A unique key in full beats everything. With statistics the access of the least cost is taken; without, more equal columns
//! beat fewer, then a bounded range.

use super::cardinality::{known, rows, scan_rows};
use super::implication::implies;
use super::{Node, PlanOptions, Predicate, Scan, selectivity};
use crate::catalog::object::{Index, IndexColumn, IndexState, KeyPart, Table};
use crate::catalog::statistics::Statistics;
use crate::expression::{Expr, Kind, columns_used, for_each, same};
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::{Datum, TypeId, resolve};

/// A value of a key column; numbers of another width are converted when the scan starts.
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
        index.is_unique_at_once() && self.equal.len() == index.columns.len()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
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
    // The other way round a value may lie between two of the column's.
    let is_widened = column == TypeId::FLOAT8 && other == TypeId::FLOAT4;
    column == other || (integer(column) && integer(other)) || (string(column) && string(other)) || is_widened
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
pub(super) struct Bound<'a> {
    pub operand: &'a Expr,
    pub comparison: Comparison,
    pub value: &'a Expr,
}

pub(super) fn bound(condition: &Expr) -> Option<Bound<'_>> {
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
        KeyPart::Column(column) => expr.read_column() == Some(*column),
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
        + if index.is_clustered() { 15 } else { 0 }
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

/// Cost of the way from a tree's root to a row, in reads of the next row.
const DESCENT: f64 = 3.0;
/// Cost of a row that an index other than the primary key leads to: PostgreSQL's `random_page_cost`.
const LOOKED_UP_ROW: f64 = 4.0;
/// Tables have this many rows at least when an access is chosen: one that was small when it was analysed may have grown.
const ROWS_MIN: f64 = 1_000.0;

fn candidates<'s>(
    scan: &'s Scan,
    conditions: &'s [Expr],
    options: PlanOptions,
) -> impl Iterator<Item = Candidate> + 's {
    (0..scan.table.indexes.len())
        .filter(move |&at| scan.table.indexes[at].is_usable(options.snapshot))
        .filter_map(|at| candidate(scan, at, conditions))
}

/// Rows of the table that a choice of access goes by.
fn assumed_rows(statistics: &Statistics) -> f64 {
    (statistics.rows.unwrap_or(0) as f64).max(ROWS_MIN)
}

/// What reading a scan by a candidate costs, in reads of a row.
fn candidate_cost(scan: &Scan, statistics: &Statistics, conditions: &[Expr], candidate: &Candidate) -> f64 {
    let index = &scan.table.indexes[candidate.access.index];
    let of_row = if index.is_clustered() { 1.0 } else { LOOKED_UP_ROW };
    if candidate.access.is_point(index) {
        return DESCENT + of_row;
    }
    let mut used: Vec<Expr> = candidate.used.iter().map(|&at| conditions[at].clone()).collect();
    used.extend(index.predicate.iter().map(|predicate| predicate.expr().clone()));
    let found = assumed_rows(statistics) * selectivity::of_all(statistics, &used);
    // Each element of an array is a way of its own.
    let descents = match &candidate.access.any {
        Some(array) => array.as_constant().and_then(Datum::as_array).map_or(10, |array| array.values.len()),
        None => 1,
    };
    DESCENT * descents as f64 + found.max(1.0) * of_row
}

/// What reading so many rows by a chosen access costs, in reads of a row.
pub(super) fn cost_of_range(scan: &Scan, access: &IndexAccess, rows: f64) -> f64 {
    let of_row = if scan.table.indexes[access.index].is_clustered() { 1.0 } else { LOOKED_UP_ROW };
    DESCENT + rows.max(1.0) * of_row
}

/// The best candidate, and whether it beats reading the whole table.
fn best(scan: &Scan, conditions: &[Expr], options: PlanOptions) -> Option<Candidate> {
    let candidates = candidates(scan, conditions, options);
    let Some(statistics) = known(scan) else { return candidates.max_by_key(|candidate| candidate.worth) };
    let priced =
        candidates.map(|candidate| (candidate_cost(scan, statistics, conditions, &candidate), candidate));
    // Of the same cost the one that is worth more.
    let order = |(cost, one): &(f64, Candidate), (other_cost, other): &(f64, Candidate)| {
        cost.total_cmp(other_cost).then(other.worth.cmp(&one.worth))
    };
    let (cost, candidate) = priced.min_by(order)?;
    (cost < assumed_rows(statistics)).then_some(candidate)
}

/// What reading a scan costs under conditions, in reads of a row. Asked where there are statistics.
pub(super) fn cost(scan: &Scan, conditions: &[Expr], options: PlanOptions) -> f64 {
    let Some(statistics) = known(scan) else { return ROWS_MIN };
    match best(scan, conditions, options) {
        Some(candidate) => candidate_cost(scan, statistics, conditions, &candidate),
        None => statistics.rows.unwrap_or(0) as f64,
    }
}

/// The same of any node: what is no scan costs a read for each of its rows, and for those of the scans below it.
pub(super) fn node_cost(node: &Node, options: PlanOptions) -> f64 {
    match node {
        Node::Scan(scan) => {
            let conditions: Vec<Expr> =
                scan.filter.clone().map_or_else(Vec::new, |filter| filter.expr.conjuncts());
            cost(scan, &conditions, options)
        }
        other => rows(other) + other.inputs().iter().map(|input| node_cost(input, options)).sum::<f64>(),
    }
}

/// What looking a scan up costs for one value of each of these columns; `None` if no index leads there. `start`: where the
/// scan's columns begin.
pub(super) fn lookup_cost(scan: &Scan, columns: &[&Expr], start: usize, options: PlanOptions) -> Option<f64> {
    let own: Vec<Expr> = scan.filter.clone().map_or_else(Vec::new, |filter| filter.expr.conjuncts());
    let mut all = own.clone();
    for column in columns {
        let Kind::Column(at) = column.kind else { continue };
        let inner = Expr::column(at - start, column.type_id, column.typmod);
        let outer = Expr::new(Kind::Slot(usize::MAX), column.type_id);
        let equal = resolve::operator("=", Some(column.type_id), column.type_id).ok()?;
        let operands = [inner, outer];
        all.push(Expr::new(
            Kind::Operator { operator: equal.operator, operands: operands.into() },
            TypeId::BOOL,
        ));
    }
    let is_better = worth(scan, &all, options) > worth(scan, &own, options).max(99);
    is_better.then(|| cost(scan, &all, options))
}

/// Whether conditions leave one row at most: they fix all columns of a unique index.
pub(super) fn is_point(scan: &Scan, conditions: &[Expr]) -> bool {
    (0..scan.table.indexes.len())
        .filter(|&at| {
            scan.table.indexes[at].predicate.is_none() && scan.table.indexes[at].state == IndexState::Valid
        })
        .filter_map(|at| candidate(scan, at, conditions))
        .any(|candidate| candidate.access.is_point(&scan.table.indexes[candidate.access.index]))
}

/// Chooses the access of a scan; its filter keeps what the key range does not say.
pub(super) fn choose(mut scan: Scan, options: PlanOptions) -> Scan {
    if !options.direct_routes || scan.access.is_some() || scan.cursor.is_some() {
        return scan;
    }
    let Some(filter) = scan.filter.take() else { return scan };
    let conditions = filter.expr.conjuncts();
    if let Some(statistics) = known(&scan) {
        scan.rows = Some(scan_rows(&scan, statistics, &conditions));
    }
    let Some(best) = best(&scan, &conditions, options) else {
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
    candidates(scan, conditions, options).map(|candidate| candidate.worth).max().unwrap_or(0)
}

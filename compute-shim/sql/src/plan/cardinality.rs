//! How many rows a node gives: a guess.
//!
//! Owns [`rows`]. Where ANALYZE has been, it rests on what that has found; elsewhere on numbers that were chosen once so that
//! usual plans come out right, and that stay what they are.

use super::{JoinType, Node, Scan, selectivity};
use crate::catalog::statistics::Statistics;
use crate::expression::{Expr, Kind};

/// What is known of a scan's table. Not of one that had no rows when it was looked at: whoever reads it thinks otherwise.
pub(super) fn known(scan: &Scan) -> Option<&Statistics> {
    scan.statistics.as_deref().filter(|statistics| statistics.rows.is_some_and(|rows| rows > 0))
}

/// Whether a guess of a node's rows rests on statistics alone.
pub(super) fn is_known(node: &Node) -> bool {
    match node {
        Node::Scan(scan) => known(scan).is_some(),
        Node::Project { input, .. }
        | Node::Filter { input, .. }
        | Node::Sort { input, .. }
        | Node::Measured { input, .. }
        | Node::Materialize { input } => is_known(input),
        Node::SemiJoin { left, .. } => is_known(left),
        Node::NestedLoop { join, left, .. } | Node::HashJoin { join, left, .. }
            if join.gives_left_alone() =>
        {
            is_known(left)
        }
        Node::Join { left, right, .. }
        | Node::NestedLoop { left, right, .. }
        | Node::HashJoin { left, right, .. } => is_known(left) && is_known(right),
        Node::Values { .. } => true,
        _ => false,
    }
}

/// Rows of a scan whose access has not been chosen.
pub(super) fn scan_rows(scan: &Scan, statistics: &Statistics, conditions: &[Expr]) -> f64 {
    let all = statistics.rows.unwrap_or(0) as f64;
    let is_single = super::access::is_point(scan, conditions);
    let found = all * selectivity::of_all(statistics, conditions);
    if is_single { found.min(1.0) } else { found.max(1.0) }
}

/// Guess of a node's rows.
pub(super) fn rows(node: &Node) -> f64 {
    match node {
        Node::Nothing => 1.0,
        Node::Values { rows, .. } => rows.len() as f64,
        Node::Scan(scan) => scan_guess(scan),
        Node::System { filter, .. } => {
            if filter.is_some() {
                10.0
            } else {
                200.0
            }
        }
        Node::Functions { .. } => 100.0,
        Node::Filter { input, .. } => (rows(input) / 5.0).max(1.0),
        Node::Limit { input, limit, .. } => {
            match limit.as_ref().and_then(Expr::as_constant).and_then(|limit| limit.as_i64()) {
                Some(limit) => rows(input).min(limit.unsigned_abs() as f64),
                None => rows(input),
            }
        }
        Node::Aggregate { input, keys, .. } => {
            if keys.items.is_empty() {
                1.0
            } else {
                (rows(input) / 10.0).max(1.0)
            }
        }
        Node::Project { input, .. }
        | Node::Materialize { input }
        | Node::Sort { input, .. }
        | Node::Distinct { input, .. }
        | Node::Measured { input, .. }
        | Node::Window { input, .. }
        | Node::LockRows { input, .. }
        | Node::ProjectSet { input, .. } => rows(input),
        Node::SemiJoin { rows, .. } => *rows,
        Node::NestedLoop { rows: Some(rows), .. } | Node::HashJoin { rows: Some(rows), .. } => *rows,
        Node::Join { .. } | Node::NestedLoop { .. } | Node::HashJoin { .. } => joined(node),
        Node::Append { inputs } => inputs.iter().map(|input| rows(input)).sum(),
        Node::SetOperation { left, .. } => rows(left),
        Node::Common { .. } | Node::Recursive { .. } | Node::Working { .. } => 100.0,
        Node::Insert { .. } | Node::Update { .. } | Node::Delete { .. } => 1.0,
    }
}

fn scan_guess(scan: &Scan) -> f64 {
    if let Some(rows) = scan.rows {
        return rows;
    }
    if let Some(statistics) = known(scan) {
        let conditions = scan.filter.clone().map_or_else(Vec::new, |filter| filter.expr.conjuncts());
        return scan_rows(scan, statistics, &conditions);
    }
    match &scan.access {
        Some(access) if access.is_point(&scan.table.indexes[access.index]) => 1.0,
        Some(access) if !access.equal.is_empty() => 10.0,
        Some(access) if access.any.is_some() => 10.0,
        Some(_) => 200.0,
        None if scan.filter.is_some() => 2_000.0,
        None => 20_000.0,
    }
}

/// Rows of a semi or anti join that is being made: those of the left side that match a part of their number, or that do not.
pub(super) fn rows_of_semi_join(join: JoinType, left: &Node, right: &Node, conditions: &[Expr]) -> f64 {
    let equal = conditions.iter().filter_map(|condition| equal_columns(condition, left.width()));
    let part = match (matched(left, right, equal), join) {
        // As of a scan that has a filter.
        _ if !is_known(left) => 0.1,
        (None, _) => ASKED,
        (Some(part), JoinType::Anti) => 1.0 - part,
        (Some(part), _) => part,
    };
    (rows(left) * part).max(1.0)
}

/// Of a condition that asks a query of which nothing is known.
const ASKED: f64 = 0.25;

/// The part of the left rows that match, by how many different values the two sides have (PostgreSQL's `eqjoinsel_semi`).
fn matched(left: &Node, right: &Node, equal: impl Iterator<Item = (usize, usize)>) -> Option<f64> {
    let part = |(a, b)| Some((distinct_in(right, b)? / distinct_in(left, a)?).min(1.0));
    equal.filter_map(part).reduce(f64::min)
}

/// The columns, of a row of each side, that a condition over both compares.
fn equal_columns(condition: &Expr, boundary: usize) -> Option<(usize, usize)> {
    let Kind::Operator { operator, operands } = &condition.kind else { return None };
    let [Expr { kind: Kind::Column(a), .. }, Expr { kind: Kind::Column(b), .. }] = &**operands else {
        return None;
    };
    let (left, right) = (*a.min(b), *a.max(b));
    let is_of_both = operator.name == "=" && left < boundary;
    is_of_both.then_some(right.checked_sub(boundary)).flatten().map(|right| (left, right))
}

fn joined(node: &Node) -> f64 {
    let (join, left, right, part) = match node {
        Node::Join { join, left, right, conditions, .. } => {
            let part = conditions.iter().map(|condition| join_part(left, right, condition)).product::<f64>();
            (*join, left, right, part)
        }
        // A scan that is looked up has its rows for one row of the left side.
        Node::NestedLoop { join, left, right, condition, .. } => {
            let part = condition.as_ref().map_or(1.0, |_| UNKNOWN);
            (*join, left, right, part)
        }
        Node::HashJoin { join, left, right, left_keys, right_keys, condition, .. } => {
            let keys = left_keys.items.iter().zip(&right_keys.items);
            let part = keys.map(|(a, b)| equality(distinct(left, a), distinct(right, b))).product::<f64>();
            (*join, left, right, part * condition.as_ref().map_or(1.0, |_| UNKNOWN))
        }
        _ => unreachable!("asked of joins"),
    };
    let (on_left, on_right) = (rows(left), rows(right));
    if !is_known(node) {
        return on_left.max(on_right);
    }
    let inner = (on_left * on_right * part).max(1.0);
    match join {
        JoinType::Inner => inner,
        JoinType::Left => inner.max(on_left),
        JoinType::Full => inner.max(on_left).max(on_right),
        JoinType::Semi | JoinType::Anti => unreachable!("their rows are those of one side"),
    }
}

/// Of a condition between two sides of which nothing is known.
pub(super) const UNKNOWN: f64 = 1.0 / 3.0;

/// The part of all pairs that are equal in expressions of so many different values.
pub(super) fn equality(left: Option<f64>, right: Option<f64>) -> f64 {
    match (left, right) {
        (None, None) => 0.005,
        (left, right) => 1.0 / left.unwrap_or(1.0).max(right.unwrap_or(1.0)).max(1.0),
    }
}

/// The part of all pairs that pass a condition over both sides' columns.
fn join_part(left: &Node, right: &Node, condition: &Expr) -> f64 {
    let Kind::Operator { operator, operands } = &condition.kind else { return UNKNOWN };
    let [a, b] = &**operands else { return UNKNOWN };
    if operator.name != "=" {
        return UNKNOWN;
    }
    let boundary = left.width();
    let distinct_of = |expr: &Expr| match expr.kind {
        Kind::Column(column) if column < boundary => distinct_in(left, column),
        Kind::Column(column) => distinct_in(right, column - boundary),
        _ => None,
    };
    equality(distinct_of(a), distinct_of(b))
}

/// Different values of an expression over a node's rows, where that is known.
pub(super) fn distinct(node: &Node, expr: &Expr) -> Option<f64> {
    match expr.kind {
        Kind::Column(column) => distinct_in(node, column),
        _ => None,
    }
}

/// Different values of a column of a node.
pub(super) fn distinct_in(node: &Node, column: usize) -> Option<f64> {
    match node {
        Node::Scan(scan) => {
            let statistics = known(scan)?;
            let all = selectivity::distinct(statistics, statistics.column(column)?);
            Some(all.min(scan_guess(scan)).max(1.0))
        }
        Node::Filter { input, .. }
        | Node::Sort { input, .. }
        | Node::Measured { input, .. }
        | Node::Materialize { input } => distinct_in(input, column),
        Node::SemiJoin { left, rows, .. } => Some(distinct_in(left, column)?.min(*rows)),
        Node::Project { input, exprs } => distinct(input, exprs.items.get(column)?),
        Node::Join { left, right, .. }
        | Node::NestedLoop { left, right, .. }
        | Node::HashJoin { left, right, .. } => match column.checked_sub(left.width()) {
            Some(column) => distinct_in(right, column),
            None => distinct_in(left, column),
        },
        _ => None,
    }
}

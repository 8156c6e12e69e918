//! How two sides are joined, and in which order scans are read.
//!
//! Owns the last pass before execution: logical joins become index look-ups per left row, hash joins, or loops over a
//! kept right side. Guesses of rows (`cardinality.rs`) decide speed, never results.

use super::cardinality::{is_known, known, rows};
use super::join_order::{HASHED_ROW, PROBED_ROW};
use super::{JoinType, Node, PlanOptions, Predicate, Scan, access, pushdown, row_shape, semi_join};
use crate::expression::{Expr, Kind, columns_used, shift_columns};
use hexalog_sql_types::TypeId;
use hexalog_sql_types::datum::hash_alike;
use std::sync::Arc;

fn owned(node: Arc<Node>) -> Node {
    Arc::unwrap_or_clone(node)
}

/// Left rows above which a hash join beats a look-up per row; a guess.
const LOOKUP_ROWS_MAX: f64 = 2_000.0;

/// Turns logical joins into executable ones and chooses scans' access.
pub(super) fn choose(node: Node, slots: &mut usize, options: PlanOptions) -> Node {
    match node {
        Node::Scan(scan) => Node::Scan(access::choose(scan, options)),
        Node::Join { join, left, right, correlation, conditions } => {
            let left = choose(owned(left), slots, options);
            choose_join(join, left, owned(right), correlation, conditions, slots, options)
        }
        Node::SemiJoin { join, left, right, conditions, written, cost, rows } => {
            let left = choose(owned(left), slots, options);
            let node = choose_join(join, left, owned(right), Vec::new(), conditions, slots, options);
            written_is_cheaper(with_rows(node, rows), written, cost)
        }
        Node::Limit { .. } => choose_first(node, f64::INFINITY, slots, options),
        Node::Sort { input, keys } => {
            let input = Arc::new(choose(owned(input), slots, options));
            match sorted_already(&input, &keys) {
                Some(ordered) => ordered,
                None => Node::Sort { input, keys },
            }
        }
        other => other.map_inputs(|input| choose(input, slots, options)),
    }
}

fn choose_join(
    join: JoinType,
    left: Node,
    right: Node,
    correlation: Vec<(usize, Expr)>,
    conditions: Vec<Expr>,
    slots: &mut usize,
    options: PlanOptions,
) -> Node {
    if !correlation.is_empty() {
        let right = Arc::new(choose(right, slots, options));
        let condition = Predicate::all(conditions);
        return Node::NestedLoop { join, left: Arc::new(left), right, correlation, condition, rows: None };
    }
    let scan = if join == JoinType::Full { None } else { semi_join::as_written(&right) };
    if let Some((scan, asks)) = scan.filter(|(scan, _)| may_look_up(&left, scan))
        && let Some(found) = look_up(&left, scan.into_owned(), &conditions, slots, options)
    {
        let LookedUp { scan, correlation, kept } = found;
        let scan = Node::Scan(access::choose(scan, options));
        if asks == 0.0 || is_asked_cheaply(&left, &right, &scan, asks) {
            let (left, right, condition) = (Arc::new(left), Arc::new(scan), Predicate::all(kept));
            return Node::NestedLoop { join, left, right, correlation, condition, rows: None };
        }
    }
    let right = choose(right, slots, options);
    hash_or_loop(join, left, right, conditions)
}

/// A join with the guess of its rows.
fn with_rows(mut join: Node, guess: f64) -> Node {
    match &mut join {
        Node::NestedLoop { rows, .. } | Node::HashJoin { rows, .. } => *rows = Some(guess),
        _ => unreachable!("asked of joins"),
    }
    join
}

/// The same of a node of which no more than the first so many rows are wanted.
pub(super) fn choose_first(node: Node, wanted: f64, slots: &mut usize, options: PlanOptions) -> Node {
    match node {
        Node::Limit { input, limit, offset, ties } => {
            let given = limit.as_ref().map_or(f64::INFINITY, |limit| first_rows(limit, &input));
            let passed = offset.as_ref().map_or(0.0, |offset| match first_rows(offset, &input) {
                // OFFSET NULL passes none.
                rows if rows.is_infinite() => 0.0,
                rows => rows,
            });
            let input = choose_first(owned(input), given.min(wanted) + passed, slots, options);
            Node::Limit { input: Arc::new(input), limit, offset, ties }
        }
        Node::Append { inputs } => {
            let inputs = inputs.into_iter().map(|input| choose_first(owned(input), wanted, slots, options));
            Node::Append { inputs: inputs.map(Arc::new).collect() }
        }
        Node::Project { input, exprs } if is_append(&input) => {
            let input = Arc::new(choose_first(owned(input), wanted, slots, options));
            Node::Project { input, exprs }
        }
        node if wanted.is_finite() => semi_join::choose_first(node, wanted, slots, options),
        node => choose(node, slots, options),
    }
}

/// Whether rows come from several inputs one after the other.
fn is_append(node: &Node) -> bool {
    match node {
        Node::Append { .. } => true,
        Node::Project { input, .. } => is_append(input),
        _ => false,
    }
}

/// Most rows that a LIMIT or OFFSET is taken for that is not known; a guess.
const UNKNOWN_LIMIT_MAX: f64 = 100.0;

/// The number that a LIMIT or OFFSET of these rows is; infinite for NULL. One that is not known is taken for a tenth of the rows, as in
/// PostgreSQL, or for the few that a page of them has.
fn first_rows(bound: &Expr, input: &Node) -> f64 {
    match bound.as_constant() {
        Some(bound) => bound.as_i64().map_or(f64::INFINITY, |rows| rows as f64),
        None => (rows(input) / 10.0).clamp(1.0, UNKNOWN_LIMIT_MAX),
    }
}

/// A scan as it is looked up.
struct LookedUp {
    /// With what is read of it for one left row.
    scan: Scan,
    /// The slots for that.
    correlation: Vec<(usize, Expr)>,
    /// Conditions that are left.
    kept: Vec<Expr>,
}

/// A scan that is looked up for each left row; `None` if no index leads there, or it costs more than to read and hash the scan.
fn look_up(
    left: &Node,
    mut scan: Scan,
    conditions: &[Expr],
    slots: &mut usize,
    options: PlanOptions,
) -> Option<LookedUp> {
    let mut slots_wanted = *slots;
    let mut correlation = Vec::new();
    let mut inner: Vec<Expr> = scan.filter.clone().map_or_else(Vec::new, |filter| filter.expr.conjuncts());
    let own = access::worth(&scan, &inner, options);
    let mut kept = Vec::new();
    for condition in conditions {
        match parameterise(condition, left.width(), &mut slots_wanted, &mut correlation) {
            Some(condition) => inner.push(condition),
            None => kept.push(condition.clone()),
        }
    }
    let is_better = access::worth(&scan, &inner, options) > own.max(99);
    if !is_better || !is_cheaper(left, &scan, &inner, options) {
        return None;
    }
    *slots = slots_wanted;
    scan.filter = Predicate::all(inner);
    Some(LookedUp { scan, correlation, kept })
}

/// A join of a condition that asks a query, or its left side under the condition as it was written if the query costs less, run for each
/// of few rows, or for rows that an index leads to.
fn written_is_cheaper(joined: Node, written: Expr, cost_of_run: Option<f64>) -> Node {
    let (Node::HashJoin { left, right, .. }, Some(cost_of_run)) = (&joined, cost_of_run) else {
        return joined;
    };
    match rows(left) * cost_of_run < semi_join::hashed(left, right) {
        true => semi_join::under(Node::clone(left), vec![written]),
        false => joined,
    }
}

/// Whether a scan may be looked up for each left row. With statistics of both that is a question of cost.
fn may_look_up(left: &Node, scan: &Scan) -> bool {
    rows(left) <= LOOKUP_ROWS_MAX || (is_known(left) && known(scan).is_some())
}

/// Whether looking a scan up under conditions on the left row costs less than to read and hash it.
fn is_cheaper(left: &Node, scan: &Scan, looked_up: &[Expr], options: PlanOptions) -> bool {
    if known(scan).is_none() || !is_known(left) {
        return true;
    }
    let own: Vec<Expr> = scan.filter.clone().map_or_else(Vec::new, |filter| filter.expr.conjuncts());
    let left_rows = rows(left);
    let hashed = access::cost(scan, &own, options)
        + rows(&Node::Scan(scan.clone())) * HASHED_ROW
        + left_rows * PROBED_ROW;
    left_rows * access::cost(scan, looked_up, options) <= hashed
}

/// Whether looking a scan up, and running queries of so much cost for each row found, costs less than to read the right side whole with
/// these queries as joins, and to hash it.
fn is_asked_cheaply(left: &Node, right: &Node, looked_up: &Node, asks: f64) -> bool {
    let of_row = semi_join::cost(looked_up) + rows(looked_up) * asks;
    rows(left) * of_row <= semi_join::hashed(left, right)
}

/// An equality between a column of the right side and an expression over the left one, with the left values in slots.
fn parameterise(
    condition: &Expr,
    boundary: usize,
    slots: &mut usize,
    correlation: &mut Vec<(usize, Expr)>,
) -> Option<Expr> {
    let Kind::Operator { operator, operands } = &condition.kind else { return None };
    if operator.name != "=" || pushdown::is_volatile(condition) {
        return None;
    }
    let [a, b] = &**operands else { return None };
    let is_right = |expr: &Expr| matches!(expr.kind, Kind::Column(column) if column >= boundary);
    let is_left = |expr: &Expr| {
        let used = columns_used(expr);
        !used.is_empty() && used.iter().all(|&column| column < boundary)
    };
    let plain = |expr: &Expr| {
        let mut plain = true;
        crate::expression::for_each(expr, &mut |expr| {
            plain &= !matches!(expr.kind, Kind::Subplan(_));
            plain
        });
        plain
    };
    let (outer, right_first) = match (is_right(a), is_right(b)) {
        (true, false) if is_left(b) && plain(b) => (b, true),
        (false, true) if is_left(a) && plain(a) => (a, false),
        _ => return None,
    };
    let slot = *slots;
    *slots += 1;
    correlation.push((slot, outer.clone()));
    let outer = Expr::new(Kind::Slot(slot), outer.type_id).with_typmod(outer.typmod);
    let mut inner = if right_first { a.clone() } else { b.clone() };
    shift_columns(&mut inner, -isize::try_from(boundary).expect("rows are narrow"));
    let operands = if right_first { [inner, outer] } else { [outer, inner] };
    Some(Expr::new(Kind::Operator { operator, operands: operands.into() }, TypeId::BOOL))
}

/// Equalities between the sides make a hash join; without any the right side is kept and looped over.
fn hash_or_loop(join: JoinType, left: Node, right: Node, conditions: Vec<Expr>) -> Node {
    let (mut left_keys, mut right_keys, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for condition in conditions {
        match hash_key(&condition, &left, &right) {
            Some((left_key, right_key)) => {
                left_keys.push(left_key);
                right_keys.push(right_key);
            }
            None => rest.push(condition),
        }
    }
    let condition = Predicate::all(rest);
    let left = Arc::new(left);
    if left_keys.is_empty() {
        let right = match right {
            kept @ (Node::System { .. } | Node::Values { .. } | Node::Materialize { .. }) => Arc::new(kept),
            other => Arc::new(Node::Materialize { input: Arc::new(other) }),
        };
        return Node::NestedLoop { join, left, right, correlation: Vec::new(), condition, rows: None };
    }
    let (left_keys, right_keys) = (pushdown::exprs(left_keys), pushdown::exprs(right_keys));
    Node::HashJoin { join, left, right: Arc::new(right), left_keys, right_keys, condition, rows: None }
}

/// `left = right` of one family of types, each side over its own columns.
pub(super) fn hash_key(condition: &Expr, left_node: &Node, right_node: &Node) -> Option<(Expr, Expr)> {
    let boundary = left_node.width();
    let Kind::Operator { operator, operands } = &condition.kind else { return None };
    let [a, b] = &**operands else { return None };
    if operator.name != "=" || pushdown::is_volatile(condition) {
        return None;
    }
    let side = |expr: &Expr| {
        let used = columns_used(expr);
        let left = !used.is_empty() && used.iter().all(|&column| column < boundary);
        let right = !used.is_empty() && used.iter().all(|&column| column >= boundary);
        (left, right)
    };
    let (left, mut right) = match (side(a), side(b)) {
        ((true, _), (_, true)) => (a.clone(), b.clone()),
        ((_, true), (true, _)) => (b.clone(), a.clone()),
        _ => return None,
    };
    shift_columns(&mut right, -isize::try_from(boundary).expect("rows are narrow"));
    is_hashable((&left, left_node), (&right, right_node)).then_some((left, right))
}

/// Both sides, over rows of these nodes, hold the same kind of value, so that equal values hash alike.
fn is_hashable(a: (&Expr, &Node), b: (&Expr, &Node)) -> bool {
    let (left, right) = (a.0.type_id, b.0.type_id);
    hash_alike(left, right) && (left != TypeId::RECORD || row_shape::are_alike(a, b))
}

/// What rows are to be ordered by.
struct Order {
    expr: Expr,
    descending: bool,
    nulls_first: bool,
}

/// The input without its sort, if the rows come in that order anyway (perhaps read backwards).
fn sorted_already(input: &Arc<Node>, keys: &[super::SortKey]) -> Option<Node> {
    let order = |key: &super::SortKey| Order {
        expr: Expr::column(key.column, key.type_id, hexalog_sql_types::Typmod::NONE),
        descending: key.descending,
        nulls_first: key.nulls_first,
    };
    ordered(input, &keys.iter().map(order).collect::<Vec<_>>())
}

fn ordered(input: &Arc<Node>, keys: &[Order]) -> Option<Node> {
    match &**input {
        Node::Project { input: below, exprs } => {
            let mut below_keys = Vec::with_capacity(keys.len());
            for key in keys {
                let Kind::Column(column) = key.expr.kind else { return None };
                below_keys.push(Order { expr: exprs.items[column].clone(), ..*key });
            }
            let input = Arc::new(ordered(below, &below_keys)?);
            Some(Node::Project { input, exprs: exprs.clone() })
        }
        Node::Filter { input: below, predicate } => {
            let input = Arc::new(ordered(below, keys)?);
            Some(Node::Filter { input, predicate: predicate.clone() })
        }
        Node::NestedLoop { join, left, right, correlation, condition, rows } if join.gives_left_alone() => {
            let left = Arc::new(ordered(left, keys)?);
            let (right, correlation) = (right.clone(), correlation.clone());
            let (join, condition, rows) = (*join, condition.clone(), *rows);
            Some(Node::NestedLoop { join, left, right, correlation, condition, rows })
        }
        Node::Scan(scan) => {
            let (index, fixed) = match &scan.access {
                Some(access) if access.any.is_some() => return None,
                Some(access) => (&scan.table.indexes[access.index], access.equal.len()),
                None => (scan.table.clustered_key()?, 0),
            };
            let order = &index.columns[fixed..];
            if keys.len() > order.len() {
                return None;
            }
            let runs = |against: bool| {
                keys.iter().zip(order).all(|(key, column)| {
                    (key.descending == column.descending) != against
                        && (key.nulls_first == column.nulls_first) != against
                        && access::is_part(&scan.table, column, &key.expr)
                })
            };
            let (forward, backward) = (runs(false), runs(true));
            if !forward && !backward {
                return None;
            }
            let mut scan = scan.clone();
            scan.backward = backward;
            Some(Node::Scan(scan))
        }
        _ => None,
    }
}

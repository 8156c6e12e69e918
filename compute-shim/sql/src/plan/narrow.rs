//! Rows below a projection or an aggregation hold only what is read of them.
//!
//! Owns the last pass: scans give the columns that someone above reads, side by side, and whatever refers to a column of
//! such a row is written anew. What a join keeps in its hash table is that much smaller. Where a row's layout means something
//! (changes of tables, row locks, cursors that stand on a row), it stays what it is. Never changes a result.

use super::{AggregateCall, Exprs, Node, Predicate, SortKey};
use crate::expression::{Expr, Kind, columns_used, rewrite};
use std::collections::BTreeSet;
use std::sync::Arc;

/// For each column of a row as it was, where it is now; `None`: nobody reads it.
type Places = Vec<Option<usize>>;

type Needed = BTreeSet<usize>;

/// Narrows what is below each projection and aggregation of a tree.
#[recursive::recursive]
pub(super) fn narrow(node: Node) -> Node {
    match node {
        Node::Project { input, exprs } if has_joins(&input) => {
            let needed = exprs.items.iter().flat_map(columns_used).collect();
            let (input, places) = below(Arc::unwrap_or_clone(input), &needed);
            Node::Project { input: Arc::new(input), exprs: moved_exprs(exprs, &places) }
        }
        Node::Aggregate { input, keys, calls } => {
            let mut needed: Needed = keys.items.iter().flat_map(columns_used).collect();
            let exprs = calls.iter().flat_map(AggregateCall::exprs);
            needed.extend(exprs.flat_map(columns_used));
            let (input, places) = below(Arc::unwrap_or_clone(input), &needed);
            let mut calls = calls;
            for call in &mut calls {
                call.exprs_mut().for_each(|expr| move_columns(expr, &places));
            }
            Node::Aggregate { input: Arc::new(input), keys: moved_exprs(keys, &places), calls }
        }
        Node::HashJoin { join, left, right, left_keys, right_keys, mut condition, rows }
            if join.gives_left_alone() =>
        {
            // Whatever the left rows have to be, nobody above sees the right ones.
            let left = narrow(Arc::unwrap_or_clone(left));
            let of_both = condition.iter().flat_map(|condition| columns_used(&condition.expr)).collect();
            let (_, mut to_right) = split(of_both, left.width());
            to_right.extend(right_keys.items.iter().flat_map(columns_used));
            let (right, right_places) = below(Arc::unwrap_or_clone(right), &to_right);
            let right_keys = moved_exprs(right_keys, &right_places);
            let places = joined((0..left.width()).map(Some).collect(), right_places, left.width());
            condition = condition.map(|condition| moved_predicate(condition, &places));
            let (left, right) = (Arc::new(left), Arc::new(right));
            Node::HashJoin { join, left, right, left_keys, right_keys, condition, rows }
        }
        other => other.map_inputs(narrow),
    }
}

/// Whether rows are put together below, so that their width costs something. The projection of a plain scan reads from the
/// row of the table, and a cursor may stand on it.
fn has_joins(node: &Node) -> bool {
    match node {
        Node::NestedLoop { .. } | Node::HashJoin { .. } => true,
        Node::Filter { input, .. }
        | Node::Sort { input, .. }
        | Node::Limit { input, .. }
        | Node::Project { input, .. } => has_joins(input),
        _ => false,
    }
}

/// Narrows a node of whose rows these columns are read; says where they are.
#[recursive::recursive]
fn below(node: Node, needed: &Needed) -> (Node, Places) {
    match node {
        Node::Scan(mut scan)
            if !scan.with_identity
                && !scan.with_versions
                && scan.cursor.is_none()
                && scan.output.is_none() =>
        {
            let mut places = vec![None; scan.table.columns.len()];
            needed.iter().enumerate().for_each(|(at, &column)| places[column] = Some(at));
            let output: Vec<usize> = needed.iter().copied().collect();
            let read: Needed = needed.iter().chain(&scan.filter_columns).copied().collect();
            scan.columns = read.into_iter().collect();
            scan.long_columns = output.clone();
            scan.output = Some(output);
            (Node::Scan(scan), places)
        }
        Node::Filter { input, predicate } => {
            let mut wanted = needed.clone();
            wanted.extend(columns_used(&predicate.expr));
            let (input, places) = below(Arc::unwrap_or_clone(input), &wanted);
            let predicate = moved_predicate(predicate, &places);
            (Node::Filter { input: Arc::new(input), predicate }, places)
        }
        Node::Sort { input, mut keys } => {
            let mut wanted = needed.clone();
            wanted.extend(keys.iter().map(|key| key.column));
            let (input, places) = below(Arc::unwrap_or_clone(input), &wanted);
            keys.iter_mut().for_each(|key: &mut SortKey| key.column = place(&places, key.column));
            (Node::Sort { input: Arc::new(input), keys }, places)
        }
        Node::Limit { input, limit, offset, mut ties } => {
            let mut wanted = needed.clone();
            wanted.extend(ties.iter().map(|key| key.column));
            let (input, places) = below(Arc::unwrap_or_clone(input), &wanted);
            ties.iter_mut().for_each(|key: &mut SortKey| key.column = place(&places, key.column));
            (Node::Limit { input: Arc::new(input), limit, offset, ties }, places)
        }
        Node::Materialize { input } => {
            let (input, places) = below(Arc::unwrap_or_clone(input), needed);
            (Node::Materialize { input: Arc::new(input) }, places)
        }
        // Such as the one that brings the columns of reordered joins back into their order.
        Node::Project { input, exprs } if exprs.items.iter().all(is_column) => {
            let mut places = vec![None; exprs.items.len()];
            needed.iter().enumerate().for_each(|(at, &column)| places[column] = Some(at));
            let kept: Vec<Expr> = needed.iter().map(|&column| exprs.items[column].clone()).collect();
            let wanted = kept.iter().flat_map(columns_used).collect();
            let (input, inner) = below(Arc::unwrap_or_clone(input), &wanted);
            let exprs = moved_exprs(Exprs::new(kept), &inner);
            (Node::Project { input: Arc::new(input), exprs }, places)
        }
        Node::NestedLoop { join, left, right, mut correlation, condition, rows } => {
            let mut wanted = needed.clone();
            wanted.extend(condition.iter().flat_map(|condition| columns_used(&condition.expr)));
            let (mut to_left, to_right) = split(wanted, left.width());
            to_left.extend(correlation.iter().flat_map(|(_, source)| columns_used(source)));
            let (left, left_places) = below(Arc::unwrap_or_clone(left), &to_left);
            let (right, right_places) = below(Arc::unwrap_or_clone(right), &to_right);
            correlation.iter_mut().for_each(|(_, source)| move_columns(source, &left_places));
            let width = left_places.len();
            let mut places = joined(left_places, right_places, left.width());
            let condition = condition.map(|condition| moved_predicate(condition, &places));
            if join.gives_left_alone() {
                places.truncate(width);
            }
            let (left, right) = (Arc::new(left), Arc::new(right));
            (Node::NestedLoop { join, left, right, correlation, condition, rows }, places)
        }
        Node::HashJoin { join, left, right, left_keys, right_keys, condition, rows } => {
            let mut wanted = needed.clone();
            wanted.extend(condition.iter().flat_map(|condition| columns_used(&condition.expr)));
            let (mut to_left, mut to_right) = split(wanted, left.width());
            to_left.extend(left_keys.items.iter().flat_map(columns_used));
            to_right.extend(right_keys.items.iter().flat_map(columns_used));
            let (left, left_places) = below(Arc::unwrap_or_clone(left), &to_left);
            let (right, right_places) = below(Arc::unwrap_or_clone(right), &to_right);
            let left_keys = moved_exprs(left_keys, &left_places);
            let right_keys = moved_exprs(right_keys, &right_places);
            let width = left_places.len();
            let mut places = joined(left_places, right_places, left.width());
            let condition = condition.map(|condition| moved_predicate(condition, &places));
            if join.gives_left_alone() {
                places.truncate(width);
            }
            let (left, right) = (Arc::new(left), Arc::new(right));
            (Node::HashJoin { join, left, right, left_keys, right_keys, condition, rows }, places)
        }
        other => {
            let places = (0..other.width()).map(Some).collect();
            (narrow(other), places)
        }
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr.kind, Kind::Column(_))
}

/// Columns of a joined row as those of its two sides.
fn split(mut all: Needed, boundary: usize) -> (Needed, Needed) {
    let right = all.split_off(&boundary).into_iter().map(|column| column - boundary).collect();
    (all, right)
}

fn joined(mut left: Places, right: Places, left_width: usize) -> Places {
    left.extend(right.into_iter().map(|place| place.map(|place| left_width + place)));
    left
}

fn place(places: &Places, column: usize) -> usize {
    places[column].expect("what is read was asked for")
}

fn move_columns(expr: &mut Expr, places: &Places) {
    rewrite(expr, &mut |expr| match expr.kind {
        Kind::Column(column) => Some(Expr { kind: Kind::Column(place(places, column)), ..expr.clone() }),
        _ => None,
    });
}

fn moved_exprs(mut exprs: Exprs, places: &Places) -> Exprs {
    exprs.items.iter_mut().for_each(|expr| move_columns(expr, places));
    exprs
}

fn moved_predicate(mut predicate: Predicate, places: &Places) -> Predicate {
    move_columns(&mut predicate.expr, places);
    predicate
}

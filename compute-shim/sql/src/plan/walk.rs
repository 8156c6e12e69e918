//! A plan's nodes: visited, and rewritten from the top.
//!
//! Owns the one list of a node's inputs and that of its expressions, so that a new node is added in one place and no pass forgets what
//! is below it or in it.

use super::pushdown::is_volatile;
use super::{CallSource, IndexAccess, Node, Scan, WindowCall};
use crate::expression::{Expr, Kind, for_each};
use std::sync::Arc;

impl Node {
    /// The nodes directly below.
    pub(crate) fn inputs(&self) -> Vec<&Arc<Node>> {
        match self {
            Node::Nothing
            | Node::Values { .. }
            | Node::Scan(_)
            | Node::System { .. }
            | Node::Functions { .. }
            | Node::Common { .. }
            | Node::Working { .. } => Vec::new(),
            Node::Recursive { base, step, .. } => vec![base, step],
            Node::Filter { input, .. }
            | Node::Project { input, .. }
            | Node::ProjectSet { input, .. }
            | Node::Materialize { input }
            | Node::Measured { input, .. }
            | Node::Aggregate { input, .. }
            | Node::Window { input, .. }
            | Node::Sort { input, .. }
            | Node::Distinct { input, .. }
            | Node::Limit { input, .. }
            | Node::LockRows { input, .. }
            | Node::Update { input, .. }
            | Node::Delete { input, .. } => vec![input],
            Node::Insert { source, .. } => vec![source],
            Node::Join { left, right, .. }
            | Node::SemiJoin { left, right, .. }
            | Node::NestedLoop { left, right, .. }
            | Node::HashJoin { left, right, .. }
            | Node::SetOperation { left, right, .. } => vec![left, right],
            Node::Append { inputs } => inputs.iter().collect(),
        }
    }

    fn inputs_mut(&mut self) -> Vec<&mut Arc<Node>> {
        match self {
            Node::Nothing
            | Node::Values { .. }
            | Node::Scan(_)
            | Node::System { .. }
            | Node::Functions { .. }
            | Node::Common { .. }
            | Node::Working { .. } => Vec::new(),
            Node::Recursive { base, step, .. } => vec![base, step],
            Node::Filter { input, .. }
            | Node::Project { input, .. }
            | Node::ProjectSet { input, .. }
            | Node::Materialize { input }
            | Node::Measured { input, .. }
            | Node::Aggregate { input, .. }
            | Node::Window { input, .. }
            | Node::Sort { input, .. }
            | Node::Distinct { input, .. }
            | Node::Limit { input, .. }
            | Node::LockRows { input, .. }
            | Node::Update { input, .. }
            | Node::Delete { input, .. } => vec![input],
            Node::Insert { source, .. } => vec![source],
            Node::Join { left, right, .. }
            | Node::SemiJoin { left, right, .. }
            | Node::NestedLoop { left, right, .. }
            | Node::HashJoin { left, right, .. }
            | Node::SetOperation { left, right, .. } => vec![left, right],
            Node::Append { inputs } => inputs.iter_mut().collect(),
        }
    }

    /// The node with each of its inputs replaced.
    pub(super) fn map_inputs(mut self, mut replace: impl FnMut(Node) -> Node) -> Node {
        for input in self.inputs_mut() {
            // A node that another plan holds as well is copied.
            let input = Arc::make_mut(input);
            *input = replace(std::mem::replace(input, Node::Nothing));
        }
        self
    }

    /// The expressions of the node itself.
    pub(crate) fn exprs(&self) -> Vec<&Expr> {
        match self {
            Node::Nothing
            | Node::Materialize { .. }
            | Node::Measured { .. }
            | Node::Sort { .. }
            | Node::Distinct { .. }
            | Node::Append { .. }
            | Node::SetOperation { .. }
            | Node::Common { .. }
            | Node::Recursive { .. }
            | Node::Working { .. } => Vec::new(),
            Node::Values { rows, .. } => rows.iter().flat_map(|row| &row.items).collect(),
            Node::Scan(scan) => scan_exprs(scan),
            Node::System { filter, .. } => filter.iter().map(|filter| &filter.expr).collect(),
            Node::Functions { calls, .. } => calls.iter().flat_map(|call| call_exprs(&call.source)).collect(),
            Node::Filter { predicate, .. } => vec![&predicate.expr],
            Node::Project { exprs, .. } => exprs.items.iter().collect(),
            Node::ProjectSet { functions, .. } => {
                functions.iter().flat_map(|set| &set.arguments.items).collect()
            }
            Node::Join { correlation, conditions, .. } => {
                correlation.iter().map(|(_, source)| source).chain(conditions).collect()
            }
            Node::SemiJoin { conditions, written, .. } => conditions.iter().chain([written]).collect(),
            Node::NestedLoop { correlation, condition, .. } => {
                let condition = condition.iter().map(|condition| &condition.expr);
                correlation.iter().map(|(_, source)| source).chain(condition).collect()
            }
            Node::HashJoin { left_keys, right_keys, condition, .. } => {
                let condition = condition.iter().map(|condition| &condition.expr);
                left_keys.items.iter().chain(&right_keys.items).chain(condition).collect()
            }
            Node::Aggregate { keys, calls, .. } => {
                keys.items.iter().chain(calls.iter().flat_map(|call| call.exprs())).collect()
            }
            Node::Window { partition, order, calls, .. } => {
                let keys = partition.iter().chain(order.iter().map(|key| &key.expr));
                keys.chain(calls.iter().flat_map(window_exprs)).collect()
            }
            Node::Limit { limit, offset, .. } => limit.iter().chain(offset).collect(),
            Node::LockRows { items, recheck, .. } => {
                items.items.iter().chain(recheck.iter().map(|recheck| &recheck.expr)).collect()
            }
            Node::Insert { .. } | Node::Update { .. } | Node::Delete { .. } => self.exprs_of_change(),
        }
    }

    fn exprs_of_change(&self) -> Vec<&Expr> {
        let (values, conditions, checks, returning) = match self {
            Node::Insert { checks, filter, conflict, returning, .. } => {
                let update = conflict.as_ref().and_then(|conflict| conflict.update.as_ref());
                let found = update.and_then(|update| update.filter.as_ref());
                let conditions = [filter.as_ref(), found];
                (update.map(|update| &update.values), conditions, checks.as_slice(), returning)
            }
            Node::Update { values, recheck, checks, returning, .. } => {
                (Some(values), [recheck.as_ref(), None], checks.as_slice(), returning)
            }
            Node::Delete { recheck, returning, .. } => {
                (None, [recheck.as_ref(), None], [].as_slice(), returning)
            }
            _ => unreachable!("asked of changes"),
        };
        let items = values.into_iter().chain(returning).flat_map(|exprs| &exprs.items);
        let conditions = conditions.into_iter().flatten().map(|condition| &condition.expr);
        items.chain(conditions).chain(checks.iter().map(|check| &check.predicate.expr)).collect()
    }

    /// Whether it gives the same rows each time that it runs within a statement, whatever is set outside of it.
    pub(crate) fn stays_the_same(&self) -> bool {
        let reads_tables = match self {
            Node::Scan(scan) => scan.cursor.is_none() && !scan.with_identity,
            Node::Nothing
            | Node::Values { .. }
            | Node::System { .. }
            | Node::Filter { .. }
            | Node::Project { .. }
            | Node::NestedLoop { .. }
            | Node::HashJoin { .. }
            | Node::Measured { .. }
            | Node::Materialize { .. }
            | Node::Aggregate { .. }
            | Node::Window { .. }
            | Node::Sort { .. }
            | Node::Limit { .. }
            | Node::Distinct { .. }
            | Node::Append { .. }
            | Node::SetOperation { .. } => true,
            _ => false,
        };
        reads_tables
            && self.exprs().into_iter().all(is_same_for_all)
            && self.inputs().into_iter().all(|input| input.stays_the_same())
    }

    /// Visits a node and all below it.
    pub(crate) fn for_each<'n>(&'n self, visit: &mut impl FnMut(&'n Node)) {
        visit(self);
        for input in self.inputs() {
            input.for_each(visit);
        }
    }
}

fn call_exprs(source: &CallSource) -> &[Expr] {
    match source {
        CallSource::Set { arguments, .. } => &arguments.items,
        CallSource::Value(value) => std::slice::from_ref(&value.expr),
    }
}

fn scan_exprs(scan: &Scan) -> Vec<&Expr> {
    let filter = scan.filter.iter().map(|filter| &filter.expr);
    filter.chain(scan.access.iter().flat_map(access_exprs)).collect()
}

fn access_exprs(access: &IndexAccess) -> impl Iterator<Item = &Expr> {
    let bounds = access.lower.iter().chain(&access.upper).map(|(value, _)| &value.expr);
    access.equal.iter().map(|value| &value.expr).chain(&access.any).chain(bounds)
}

fn window_exprs(call: &WindowCall) -> impl Iterator<Item = &Expr> {
    let bounds = [&call.frame.start, &call.frame.end];
    call.row_exprs().chain(bounds.into_iter().filter_map(|bound| bound.offset()))
}

/// Whether an expression over the same row gives the same value each time that it is evaluated within a statement, whatever is set
/// outside of it.
pub(crate) fn is_same_for_all(expr: &Expr) -> bool {
    let mut is_same = !is_volatile(expr);
    for_each(expr, &mut |part| {
        is_same &= !matches!(part.kind, Kind::Slot(_) | Kind::Subplan(_));
        is_same
    });
    is_same
}

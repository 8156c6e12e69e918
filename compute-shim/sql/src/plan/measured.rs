//! A plan whose nodes are measured while they run: for EXPLAIN ANALYZE.

use super::{Node, Plan, SubplanNode};
use crate::nesting::with_room_for_levels;
use std::sync::Arc;

fn wrap(node: Node, count: &mut usize) -> Node {
    let node = node.map_inputs(|input| wrap(input, count));
    let id = *count;
    *count += 1;
    Node::Measured { input: Arc::new(node), id }
}

fn wrapped(node: &Arc<Node>, count: &mut usize) -> Arc<Node> {
    Arc::new(wrap(Node::clone(node), count))
}

/// The plan with every node wrapped, numbered from 0.
pub(crate) fn measured(plan: &Plan) -> Plan {
    with_room_for_levels(plan.levels, || measured_here(plan))
}

fn measured_here(plan: &Plan) -> Plan {
    let mut count = 0;
    let subplan = |subplan: &SubplanNode, count: &mut usize| SubplanNode {
        node: wrapped(&subplan.node, count),
        is_correlated: subplan.is_correlated,
        reads_common: subplan.reads_common,
        inner_subplans: subplan.inner_subplans.clone(),
        inner_common: subplan.inner_common.clone(),
    };
    Plan {
        root: wrapped(&plan.root, &mut count),
        subplans: plan.subplans.iter().map(|node| subplan(node, &mut count)).collect(),
        common: plan.common.iter().map(|node| wrapped(node, &mut count)).collect(),
        changes: plan.changes.clone(),
        slots: plan.slots,
        memos: plan.memos,
        columns: plan.columns.clone(),
        command: plan.command,
        parameters: plan.parameters.clone(),
        relations: plan.relations.clone(),
        row_lock: plan.row_lock,
        places: plan.places.clone(),
        snapshot_min: plan.snapshot_min,
        measures: count,
        levels: 2 * plan.levels,
        query_id: plan.query_id,
    }
}

//! What a cursor asks of a plan: whether it could go back without keeping rows, and on which rows of tables it stands.

use super::{CallSource, Node, Plan};
use crate::catalog::object::Oid;
use std::sync::Arc;

impl Plan {
    /// Whether PostgreSQL's executor would run this plan backward: what decides if a cursor that says neither SCROLL nor
    /// NO SCROLL takes backward movements (`ExecSupportsBackwardScan`).
    pub(crate) fn goes_back(&self) -> bool {
        self.row_lock.is_none() && goes_back(&self.root)
    }

    /// The node whose rows WHERE CURRENT OF means: one that locks, or else the scan that a plain query reads.
    pub(crate) fn standing(&self) -> Option<Arc<Node>> {
        let mut node = &self.root;
        loop {
            node = match &**node {
                Node::LockRows { .. } => return Some(node.clone()),
                Node::Scan(_) => return (self.row_lock.is_none()).then(|| node.clone()),
                Node::Filter { input, .. } | Node::Project { input, .. } | Node::Limit { input, .. } => input,
                _ => return None,
            };
        }
    }
}

fn goes_back(node: &Node) -> bool {
    match node {
        Node::Scan(_)
        | Node::System { .. }
        | Node::Values { .. }
        | Node::Common { .. }
        | Node::Sort { .. }
        | Node::Materialize { .. } => true,
        Node::Functions { calls, .. } => {
            calls.iter().all(|call| matches!(call.source, CallSource::Set { .. }))
        }
        Node::Filter { input, .. } | Node::Project { input, .. } | Node::Limit { input, .. } => {
            goes_back(input)
        }
        Node::Append { inputs } => inputs.iter().all(|input| goes_back(input)),
        _ => false,
    }
}

/// The tables that a node of [`Plan::standing`] has rows of, as often as it has them.
pub(crate) fn tables_stood_on(node: &Node) -> Vec<Oid> {
    match node {
        Node::LockRows { rows, .. } => rows.iter().map(|lock| lock.table.oid).collect(),
        Node::Scan(scan) => vec![scan.table.oid],
        _ => Vec::new(),
    }
}

//! A plan's nodes: visited, and rewritten from the top.
//!
//! Owns the one list of a node's inputs, so that a new node is added in one place and no pass forgets what is below it.

use super::Node;
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

    /// Visits a node and all below it.
    pub(crate) fn for_each<'n>(&'n self, visit: &mut impl FnMut(&'n Node)) {
        visit(self);
        for input in self.inputs() {
            input.for_each(visit);
        }
    }
}

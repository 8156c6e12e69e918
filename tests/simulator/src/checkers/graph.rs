//! Cycles in a directed graph.

use std::collections::{BTreeMap, VecDeque};

/// A graph with an edge label; nodes are numbers.
pub(super) struct Graph<L> {
    edges: Vec<Vec<(usize, L)>>,
}

impl<L: Copy> Graph<L> {
    /// Nodes without edges.
    pub fn new(nodes: usize) -> Graph<L> {
        Graph { edges: (0..nodes).map(|_| Vec::new()).collect() }
    }

    pub fn add(&mut self, from: usize, to: usize, label: L) {
        self.edges[from].push((to, label));
    }

    /// A shortest cycle through some node that lies on one, as (node, label of the edge that leaves it).
    pub fn find_cycle(&self) -> Option<Vec<(usize, L)>> {
        let component = self.components();
        let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
        component.iter().for_each(|component| *sizes.entry(*component).or_default() += 1);
        let node = (0..self.edges.len()).find(|node| sizes[&component[*node]] > 1)?;
        Some(self.cycle_through(node, &component))
    }

    /// Breadth first within the node's component, back to the node.
    fn cycle_through(&self, start: usize, component: &[usize]) -> Vec<(usize, L)> {
        let mut came_from: BTreeMap<usize, (usize, L)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for &(to, label) in self.edges[node].iter().filter(|(to, _)| component[*to] == component[start]) {
                if came_from.contains_key(&to) {
                    continue;
                }
                came_from.insert(to, (node, label));
                queue.push_back(to);
            }
        }
        let mut cycle = Vec::new();
        let mut at = start;
        loop {
            let (node, label) = came_from[&at];
            cycle.push((node, label));
            at = node;
            if at == start {
                cycle.reverse();
                return cycle;
            }
        }
    }

    /// Strongly connected components (Tarjan 1972), without recursion: histories are long.
    fn components(&self) -> Vec<usize> {
        const UNSEEN: usize = usize::MAX;
        let count = self.edges.len();
        let (mut index, mut low) = (vec![UNSEEN; count], vec![0; count]);
        let mut component = vec![UNSEEN; count];
        let (mut stack, mut next) = (Vec::new(), 0);
        for root in 0..count {
            if index[root] != UNSEEN {
                continue;
            }
            let mut work = vec![(root, 0)];
            while let Some((node, edge)) = work.pop() {
                if edge == 0 {
                    (index[node], low[node]) = (next, next);
                    next += 1;
                    stack.push(node);
                }
                if let Some(&(to, _)) = self.edges[node].get(edge) {
                    work.push((node, edge + 1));
                    if index[to] == UNSEEN {
                        work.push((to, 0));
                    } else if component[to] == UNSEEN {
                        low[node] = low[node].min(index[to]);
                    }
                    continue;
                }
                if low[node] == index[node] {
                    while let Some(top) = stack.pop() {
                        component[top] = node;
                        if top == node {
                            break;
                        }
                    }
                }
                if let Some(&(parent, _)) = work.last() {
                    low[parent] = low[parent].min(low[node]);
                }
            }
        }
        component
    }
}

//! Leaves drawn at random, for whoever guesses at a tree that is too large to be read.
//!
//! Owns the walk: from the root down, at each inner page to one of its children with equal chances. Leaves below pages with
//! few children are drawn more often, so each comes with the product of those numbers, the reciprocal of its chance: the mean
//! of that over many draws is the number of leaves (Knuth, "Estimating the efficiency of backtrack programs", 1975). Reads
//! inner pages alone.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::Step;
use crate::layout::tree_page::TreePage;
use crate::tree::descent::check_tree_page;
use crate::types::{DrawnLeaf, TreeId};

impl Engine {
    /// Draws a leaf of a tree. `chances` gives the walk its random numbers, from the root's level on; a walk that is tried again
    /// after a need must have the same.
    pub fn draw_leaf(&self, tree: TreeId, chances: impl Fn(u8) -> u64) -> Step<DrawnLeaf> {
        let _call = Call::enter();
        self.operate_alone(|access| access.draw_leaf(tree, &chances))
    }
}

impl Access<'_> {
    fn draw_leaf(&mut self, tree: TreeId, chances: &impl Fn(u8) -> u64) -> Step<DrawnLeaf> {
        let mut drawn = DrawnLeaf { low: Vec::new(), high: None, leaves: 1.0 };
        let mut page = self.shared(tree.0)?;
        let mut depth = 0;
        loop {
            let view = TreePage(page.bytes());
            check_tree_page(view, page.id, tree)?;
            if view.is_leaf() {
                // A root without inner pages.
                return Ok(drawn);
            }
            let children = view.slots();
            let slot = (chances(depth) % children as u64) as usize;
            if slot > 0 {
                drawn.low = view.key(slot).to_vec();
            }
            let high = if slot + 1 < children { Some(view.key(slot + 1)) } else { view.high_key() };
            drawn.high = high.map(<[u8]>::to_vec);
            drawn.leaves *= children as f64;
            if view.level() == 1 {
                return Ok(drawn);
            }
            let child = view.child(slot);
            page = self.shared(child)?;
            depth += 1;
        }
    }
}

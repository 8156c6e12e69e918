//! Taking a dropped tree apart, page by page.
//!
//! Owns the order that survives a crash after any step: leaves before their parents, each child freed in the
//! mini- transaction that clears its pointer in the parent, so that what is still reachable from the root is
//! exactly what is still in use. Pages of a split whose separator was never inserted are found by their left
//! sibling's link.

use crate::access::Access;
use crate::error::Step;
use crate::layout::low_bytes;
use crate::layout::tree_page::TreePage;
use crate::mini_transaction::MiniTransaction;
use crate::tree::descent::check_tree_page;
use crate::types::TreeId;
use hexalog_protocol::PageId;

/// Offset of the child pointer within an inner cell.
const CELL_CHILD: usize = 2;

/// What one inner page has left.
struct FirstChild {
    slot: usize,
    page: PageId,
    /// Upper bound of the child's range.
    bound: Option<Vec<u8>>,
}

fn first_child(page: TreePage<'_>) -> Option<FirstChild> {
    let slot = (0..page.slots()).find(|slot| page.child(*slot) != PageId(0))?;
    let bound = if slot + 1 < page.slots() { Some(page.key(slot + 1)) } else { page.high_key() };
    Some(FirstChild { slot, page: page.child(slot), bound: bound.map(<[u8]>::to_vec) })
}

impl Access<'_> {
    /// Frees one page or chain of pages below the root. True: only the root itself is left. `with_chains`: the overflow
    /// chains of the rows on a leaf go before it.
    pub fn free_last_of_tree(&mut self, tree: TreeId, with_chains: bool) -> Step<bool> {
        let mut parent = tree.0;
        loop {
            let child = {
                let page = self.shared(parent)?;
                let view = TreePage(page.bytes());
                check_tree_page(view, parent, tree)?;
                if view.is_leaf() { None } else { Some(first_child(view)) }
            };
            let Some(child) = child else {
                assert_eq!(parent, tree.0, "a leaf is reached through its parent's pointer");
                return if with_chains { self.free_chains_of_leaf(parent) } else { Ok(true) };
            };
            let Some(child) = child else {
                assert_eq!(parent, tree.0, "an empty inner page is freed with its parent's pointer");
                return Ok(true);
            };
            let mut chain = Vec::new();
            match self.chain_of_child(tree, &child, &mut chain)? {
                Some(inner) => parent = inner,
                None => {
                    for page in chain.iter().filter(|_| with_chains) {
                        if TreePage(self.shared(*page)?.bytes()).is_leaf()
                            && !self.free_chains_of_leaf(*page)?
                        {
                            return Ok(false);
                        }
                    }
                    self.free_chain(parent, child.slot, &chain)?;
                    return Ok(false);
                }
            }
        }
    }

    /// Collects the pages that one pointer stands for. Stops at one that has children left and returns it.
    fn chain_of_child(
        &mut self,
        tree: TreeId,
        child: &FirstChild,
        chain: &mut Vec<PageId>,
    ) -> Step<Option<PageId>> {
        let mut next = child.page;
        loop {
            let page = self.shared(next)?;
            let view = TreePage(page.bytes());
            check_tree_page(view, next, tree)?;
            if !view.is_leaf() && first_child(view).is_some() {
                return Ok(Some(next));
            }
            chain.push(next);
            if view.high_key() == child.bound.as_deref() {
                return Ok(None);
            }
            next = view.right().expect("a page with a high key has a right sibling");
        }
    }

    fn free_chain(&mut self, parent: PageId, slot: usize, chain: &[PageId]) -> Step<()> {
        let page = self.exclusive(parent)?;
        let at = TreePage(page.bytes()).slot(slot) + CELL_CHILD;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let parent = mini.add(page);
        mini.write(parent, at, &low_bytes::<6>(0));
        for page in chain {
            self.free(&mut mini, *page)?;
        }
        mini.commit(&mut |_, _| {});
        chain.iter().for_each(|page| self.note_freed(*page));
        Ok(())
    }
}

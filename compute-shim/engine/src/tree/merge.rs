//! Merges: a page takes in its right sibling, and a root what its last child holds.
//!
//! Owns when pages are joined and what becomes of the emptied one. Two pages are joined if they stand side by side under one
//! parent, which knows both, and fit well within one: parent, left and right are changed in one mini-transaction, so no crash
//! leaves half of it. The left one's lower bound stays, as that of every page does for life. The right one is dead: it keeps
//! its bytes and says so, for scans that remember it, and rests ([`crate::alloc`]) until no snapshot is as old as such a scan.
//! Pages with a version of a transaction that may be rolled back are left as they are. Descents meet none, since they let go of a page only when the next is latched. Only purge merges, one page at a time.

use super::descent::{Descent, check_tree_page};
use super::edit;
use super::split::{build_from_cells, write_image};
use crate::access::{Access, ExclusivePage};
use crate::error::Step;
use crate::layout::tree_page::{
    CAPACITY, FLAG_DEAD, FLAGS, TreePage, encode_inner_cell, high_key_cell_bytes,
};
use crate::mini_transaction::MiniTransaction;
use crate::types::{TreeId, TxId};
use crate::undo::status::TxStatus;
use hexalog_protocol::PageId;
use std::sync::atomic::Ordering;

/// A page with less in it looks for a neighbour to be joined with.
const SPARSE: usize = CAPACITY / 3;
/// What two pages may hold together to be joined: the rest is room for rows to come, or the next insert would split it again.
const JOINED_MAX: usize = CAPACITY / 4 * 3;
/// What a last child may hold to become the root's own.
const COLLAPSED_MAX: usize = CAPACITY / 2;

/// Whether it is worth while to look for a neighbour.
pub(crate) fn is_sparse(page: TreePage<'_>) -> bool {
    page.used() < SPARSE
}

/// The cells of a page as they are to stand behind those of its left sibling, whose high key is `low`.
fn cells_of(page: TreePage<'_>, low: &[u8]) -> Vec<Vec<u8>> {
    (0..page.slots())
        .map(|slot| {
            if page.is_leaf() || slot > 0 {
                return page.0[page.slot(slot)..][..page.cell_bytes(slot)].to_vec();
            }
            let mut cell = Vec::new();
            encode_inner_cell(&mut cell, low, page.child(slot));
            cell
        })
        .collect()
}

/// Whether two siblings may become one page: `low` is the left one's high key.
fn fit(left: TreePage<'_>, right: TreePage<'_>, low: &[u8]) -> bool {
    let separator = if left.is_leaf() { 0 } else { low.len() };
    let high_key = right.high_key().map_or(0, high_key_cell_bytes);
    left.used() + right.used() + separator + high_key <= JOINED_MAX
}

impl<'e> Access<'e> {
    /// Joins the page that covers `key` at `level` with a neighbour under the same parent, if one fits. Answers with the level
    /// to look at next; `None`: all is done.
    pub fn merge_at(&mut self, tree: TreeId, key: &[u8], level: u8) -> Step<Option<u8>> {
        let parent = match self.descend_exclusive(tree, key, level + 1)? {
            Descent::Here(parent) => parent,
            Descent::Missing(missing) => {
                self.insert_separator(tree, &missing)?;
                return Ok(Some(level));
            }
            Descent::NoSuchLevel => return Ok(None),
        };
        let view = TreePage(parent.bytes());
        if view.is_root() && view.slots() == 1 {
            return self.collapse(tree, parent);
        }
        let at = view.partition(|separator| separator <= key) - 1;
        for left in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            if let Some((left, right)) = self.joinable(tree, &parent, left)? {
                self.join(tree, parent, left, right)?;
                return Ok(Some(level));
            }
        }
        Ok((!view.is_root() && is_sparse(view)).then_some(level + 1))
    }

    /// The children at slots `left` and `left + 1` of a parent, latched, if they may become one page.
    fn joinable(
        &mut self,
        tree: TreeId,
        parent: &ExclusivePage<'e>,
        left: usize,
    ) -> Step<Option<(ExclusivePage<'e>, JoinedRight<'e>)>> {
        let view = TreePage(parent.bytes());
        let slot = left + 1;
        if slot >= view.slots() || view.child(left) == PageId(0) || view.child(slot) == PageId(0) {
            return Ok(None);
        }
        let (low, right_id) = (view.key(slot), view.child(slot));
        let left = self.exclusive(view.child(left))?;
        let left_view = TreePage(left.bytes());
        check_tree_page(left_view, left.id, tree)?;
        // A split of the left one whose separator is still missing stands between them.
        if left_view.right() != Some(right_id) || left_view.high_key() != Some(low) {
            return Ok(None);
        }
        let page = self.exclusive(right_id)?;
        let right_view = TreePage(page.bytes());
        check_tree_page(right_view, right_id, tree)?;
        let fits =
            fit(left_view, right_view, low) && self.is_settled(left_view) && self.is_settled(right_view);
        Ok(fits.then_some((left, JoinedRight { page, slot })))
    }

    /// Whether no rollback may come to want room on the page: what was purged beside a row that has shrunk is its room to grow back.
    fn is_settled(&self, page: TreePage<'_>) -> bool {
        let mut last = TxId::FROZEN;
        !page.is_leaf()
            || (0..page.slots()).all(|slot| {
                let tx_id = page.leaf_cell(slot).header.version.tx_id;
                let is_over = tx_id == last
                    || !matches!(
                        self.engine.status_in_memory(tx_id),
                        Some(TxStatus::InProgress(_) | TxStatus::Undoing)
                    );
                last = tx_id;
                is_over
            })
    }

    fn join(
        &mut self,
        tree: TreeId,
        parent: ExclusivePage<'e>,
        left: ExclusivePage<'e>,
        right: JoinedRight<'e>,
    ) -> Step<()> {
        let JoinedRight { page: right, slot: separator } = right;
        let right_id = right.id;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let (parent, left, right) = (mini.add(parent), mini.add(left), mini.add(right));
        self.free(&mut mini, right_id)?;
        let (cells, high_key, next, flags) = {
            let low = TreePage(mini.bytes(parent)).key(separator);
            let view = TreePage(mini.bytes(right));
            let high_key = view.high_key().map(<[u8]>::to_vec);
            (cells_of(view, low), high_key, view.right().unwrap_or_default(), view.flags())
        };
        edit::absorb(&mut mini, left, &cells, high_key.as_deref(), next);
        edit::remove_cell(&mut mini, parent, separator);
        mini.write(right, FLAGS, &[flags | FLAG_DEAD]);
        self.engine.serializable.rows_move(tree, right_id, &[mini.page_id(left)]);
        self.bury(mini, right_id);
        Ok(())
    }

    /// A root with one child, which has no sibling, becomes what that child is.
    fn collapse(&mut self, tree: TreeId, root: ExclusivePage<'e>) -> Step<Option<u8>> {
        let child = TreePage(root.bytes()).child(0);
        if child == PageId(0) {
            return Ok(None);
        }
        let child = self.exclusive(child)?;
        let view = TreePage(child.bytes());
        check_tree_page(view, child.id, tree)?;
        if view.right().is_some() || view.used() > COLLAPSED_MAX {
            return Ok(None);
        }
        let (child_id, level) = (child.id, view.level());
        let mut mini = MiniTransaction::begin(self.engine)?;
        let (root, child) = (mini.add(root), mini.add(child));
        self.free(&mut mini, child_id)?;
        let (image, flags) = {
            let view = TreePage(mini.bytes(child));
            let flags = TreePage(mini.bytes(root)).flags();
            let cells = cells_of(view, b"");
            (build_from_cells(&cells, view.level(), flags, None, PageId(0), tree), view.flags())
        };
        write_image(&mut mini, root, &image);
        mini.write(child, FLAGS, &[flags | FLAG_DEAD]);
        self.engine.serializable.rows_move(tree, child_id, &[tree.0]);
        self.bury(mini, child_id);
        Ok(level.checked_sub(1))
    }

    /// Commits the mini-transaction that has emptied a page and cleared its bit.
    fn bury(&mut self, mini: MiniTransaction<'e>, page: PageId) {
        mini.commit(&mut |_, last| self.engine.allocator.rest(page, last));
        self.engine.counters.merges.fetch_add(1, Ordering::Relaxed);
    }
}

/// The right one of two pages that may be joined, and its slot in the parent.
struct JoinedRight<'e> {
    page: ExclusivePage<'e>,
    slot: usize,
}

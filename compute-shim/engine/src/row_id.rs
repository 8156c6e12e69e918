//! Hidden keys of tables without a primary key.
//!
//! Owns a counter per tree, in memory only: no redo. It begins above the greatest key found in the tree, which versions of losers
//! keep there, and delete marks for as long as a snapshot can see what they end: an id is never given to two rows that can meet.

use crate::access::Access;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Step};
use crate::layout::tree_page::TreePage;
use crate::tree::descent::Seek;
use crate::types::TreeId;
use std::sync::atomic::{AtomicU64, Ordering};

impl Engine {
    /// A fresh hidden key for a table without a primary key. The row's key is the eight big-endian bytes of
    /// it, nothing else.
    pub fn allocate_row_id(&self, tree: TreeId) -> Step<u64> {
        let _call = Call::enter();
        self.check_fenced()?;
        if let Some(next) = self.row_ids.read().get(&tree) {
            return Ok(next.fetch_add(1, Ordering::Relaxed));
        }
        let first = self.operate_alone(|access| access.greatest_row_id(tree))? + 1;
        let mut row_ids = self.row_ids.write();
        let next = row_ids.entry(tree).or_insert_with(|| AtomicU64::new(first));
        Ok(next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Access<'_> {
    fn greatest_row_id(&mut self, tree: TreeId) -> Step<u64> {
        let mut low = Vec::new();
        let mut below: Option<Vec<u8>> = None;
        loop {
            let page = self.leaf_shared(tree, Seek::Below(below.as_deref()), Some(&mut low))?;
            let view = TreePage(page.bytes());
            if view.slots() > 0 {
                let key = view.key(view.slots() - 1);
                let bytes = key.try_into().map_err(|_| EngineError::Corrupt {
                    page: page.id,
                    what: "a row id that is not eight bytes long",
                })?;
                return Ok(u64::from_be_bytes(bytes));
            }
            // An empty leaf: everything on it was rolled back. Look left.
            if low.is_empty() {
                return Ok(0);
            }
            below = Some(low.clone());
        }
    }
}

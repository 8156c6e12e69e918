//! A place in a range of a tree, which survives a [`crate::Need`] and page splits.

use crate::types::{Direction, TreeId};
use std::ops::Bound;

/// A scan of a key range in one direction, driven by `Engine::cursor_next` or `Engine::index_next`.
#[derive(Clone, Debug)]
pub struct Cursor {
    pub(crate) tree: TreeId,
    pub(crate) lower: Bound<Vec<u8>>,
    pub(crate) upper: Bound<Vec<u8>>,
    pub(crate) direction: Direction,
}

impl Cursor {
    /// A scan of the keys of `tree` between the bounds. For an index the bounds are compared with the whole
    /// stored key, index key and primary key one after the other.
    pub fn new(tree: TreeId, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> Cursor {
        Cursor { tree, lower: lower.map(<[u8]>::to_vec), upper: upper.map(<[u8]>::to_vec), direction }
    }
}

//! What serializable transactions have read, at the coarseness that memory allows.
//!
//! Owns the targets of reads and who holds them: a key (there or not), a leaf with all that belongs in it, or a whole tree. A
//! transaction that has read many parts of one tree holds the tree instead. Nobody ever waits for one of these: a writer asks
//! who has read what it is about to write.

use crate::hash::{FixedMap, FixedSet};
use crate::locks::Handle;
use crate::types::TreeId;
use hexalog_protocol::PageId;
use std::collections::BTreeSet;

/// Keys and leaves of one tree that a transaction holds one by one.
const PARTS_MAX: usize = 256;

/// What a read is noted for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Target {
    /// A key of a tree, by [`crate::hash::key_hash`]. One that hashes alike costs a needless conflict.
    Key(TreeId, u64),
    /// All keys that belong in a leaf. The page may have been another tree's, whose readers are not forgotten yet.
    Leaf(TreeId, PageId),
    Tree(TreeId),
}

#[derive(Debug)]
enum Held {
    Parts(FixedSet<Target>),
    Whole,
}

/// What one transaction has read.
#[derive(Debug, Default)]
pub(super) struct ReadSet(FixedMap<TreeId, Held>);

impl ReadSet {
    /// Whether it has read anything of a tree.
    pub fn has(&self, tree: TreeId) -> bool {
        self.0.contains_key(&tree)
    }
}

/// Who has read what.
#[derive(Default)]
pub(super) struct Reads(BTreeSet<(Target, Handle)>);

impl Reads {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, with their holders.
    pub fn iter(&self) -> impl Iterator<Item = (Target, Handle)> + '_ {
        self.0.iter().copied()
    }

    /// The next of a target's holders after one; [`crate::locks::NO_HANDLE`] comes before all.
    pub fn holder_after(&self, target: Target, after: Handle) -> Option<Handle> {
        let (found, holder) = *self.0.range((target, after + 1)..).next()?;
        (found == target).then_some(holder)
    }

    pub fn add(&mut self, set: &mut ReadSet, handle: Handle, tree: TreeId, target: Target) {
        let held = set.0.entry(tree).or_insert_with(|| Held::Parts(FixedSet::default()));
        let Held::Parts(parts) = held else { return };
        let is_whole = target == Target::Tree(tree) || parts.len() >= PARTS_MAX && !parts.contains(&target);
        if is_whole {
            parts.iter().for_each(|part| self.drop_holder(*part, handle));
            *held = Held::Whole;
            self.0.insert((Target::Tree(tree), handle));
        } else if parts.insert(target) {
            self.0.insert((target, handle));
        }
    }

    pub fn remove(&mut self, set: &ReadSet, handle: Handle) {
        for (tree, held) in &set.0 {
            match held {
                Held::Parts(parts) => parts.iter().for_each(|part| self.drop_holder(*part, handle)),
                Held::Whole => self.drop_holder(Target::Tree(*tree), handle),
            }
        }
    }

    fn drop_holder(&mut self, target: Target, handle: Handle) {
        let was_held = self.0.remove(&(target, handle));
        assert!(was_held, "what a transaction has read is here once");
    }
}

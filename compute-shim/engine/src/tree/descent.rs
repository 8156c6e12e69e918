//! Finding the page of a key, from the root down and to the right.
//!
//! Owns the rule for reading a tree while others split and merge its pages: a page is let go of only when the next one is
//! latched, so a pointer that was read leads to a page that is alive; a page whose high key is not above the key sends the
//! search to its right sibling. A descent that is going to write finishes the splits it meets: having to move right under a
//! parent means that the parent lacks a separator.

use crate::access::{Access, ExclusivePage, SharedPage};
use crate::error::{EngineError, Step, Stop};
use crate::layout::check::LEVELS_MAX;
use crate::layout::tree_page::TreePage;
use crate::types::TreeId;
use hexalog_protocol::PageId;
use std::cmp::Ordering;

/// What a descent looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seek<'k> {
    /// The page that holds this key, or would.
    At(&'k [u8]),
    /// The page that holds the greatest key below this one; `None`: the greatest of all.
    Below(Option<&'k [u8]>),
}

impl Seek<'_> {
    /// Whether the search goes on at the page's right sibling.
    fn is_beyond(&self, high_key: Option<&[u8]>) -> bool {
        match (*self, high_key) {
            (_, None) => false,
            (Seek::At(key), Some(high)) => key >= high,
            (Seek::Below(Some(key)), Some(high)) => key > high,
            (Seek::Below(None), Some(_)) => true,
        }
    }

    /// Slot of the child to go down to.
    fn child_slot(&self, page: TreePage<'_>) -> usize {
        let below = match *self {
            Seek::At(key) => page.partition(|separator| separator <= key),
            Seek::Below(Some(key)) => page.partition(|separator| separator < key),
            Seek::Below(None) => page.slots(),
        };
        assert!(below > 0, "an inner page has a slot below every key");
        below - 1
    }
}

/// A separator that a parent lacks.
#[derive(Debug)]
pub(crate) struct MissingSeparator {
    /// Level of the parent.
    pub level: u8,
    pub key: Vec<u8>,
}

/// Where one page leads.
enum Next {
    /// It is on the level, or a root below it.
    Here,
    Right {
        page: PageId,
        low: Vec<u8>,
    },
    Down {
        page: PageId,
        low: Option<Vec<u8>>,
    },
}

fn next(page: TreePage<'_>, seek: Seek<'_>, level: u8, want_low: bool) -> Next {
    if seek.is_beyond(page.high_key()) {
        let right = page.right().expect("a page with a high key has a right sibling");
        return Next::Right { page: right, low: page.high_key().expect("beyond it").to_vec() };
    }
    if page.level() <= level {
        return Next::Here;
    }
    let slot = seek.child_slot(page);
    let low = (want_low && slot > 0).then(|| page.key(slot).to_vec());
    Next::Down { page: page.child(slot), low }
}

const NOT_OF_TREE: &str = "not a page of its tree";
const TREE_IS_GONE: &str = "a tree that is not there, or is being taken apart";

/// Whether a descent has failed because the tree, or a part of it, is not there any more.
pub(crate) fn is_tree_gone(stop: &Stop) -> bool {
    matches!(stop, Stop::Fail(EngineError::Corrupt { what, .. }) if *what == TREE_IS_GONE)
}

/// A child that is freed already has no page: what its number would name is not latched, since that comes last in the order.
fn check_child(child: PageId, parent: PageId) -> Result<PageId, EngineError> {
    let gone = EngineError::Corrupt { page: parent, what: TREE_IS_GONE };
    if child == PageId(0) { Err(gone) } else { Ok(child) }
}

pub(crate) fn check_tree_page(page: TreePage<'_>, id: PageId, tree: TreeId) -> Result<(), EngineError> {
    if page.is_tree() && page.tree() == tree.0 && page.level() < LEVELS_MAX && !page.is_dead() {
        Ok(())
    } else {
        let what = if id == tree.0 { TREE_IS_GONE } else { NOT_OF_TREE };
        Err(EngineError::Corrupt { page: id, what })
    }
}

/// Where a descent for a change has come to.
pub(crate) enum Descent<'e> {
    Here(ExclusivePage<'e>),
    /// The first separator found missing on the way.
    Missing(MissingSeparator),
    /// The tree has become lower than that: what was to be done there is done.
    NoSuchLevel,
}

impl<'e> Access<'e> {
    /// The leaf that a reader looks for. `low`, if given, becomes the leaf's lower bound (empty: none).
    pub fn leaf_shared(
        &mut self,
        tree: TreeId,
        seek: Seek<'_>,
        mut low: Option<&mut Vec<u8>>,
    ) -> Step<SharedPage<'e>> {
        if let Some(low) = low.as_deref_mut() {
            low.clear();
        }
        let mut page = self.shared(tree.0)?;
        loop {
            let view = TreePage(page.bytes());
            check_tree_page(view, page.id, tree)?;
            let (to, bound) = match next(view, seek, 0, low.is_some()) {
                Next::Here => return Ok(page),
                Next::Right { page, low } => (page, Some(low)),
                Next::Down { page: child, low } => (check_child(child, page.id)?, low),
            };
            if let (Some(low), Some(bound)) = (low.as_deref_mut(), bound) {
                *low = bound;
            }
            // The page before is let go of when the next one is latched.
            page = self.shared(to)?;
        }
    }

    /// The leaf of a key, latched for a change, every split on the way finished.
    pub fn leaf_exclusive(&mut self, tree: TreeId, key: &[u8]) -> Step<ExclusivePage<'e>> {
        loop {
            match self.descend_exclusive(tree, key, 0)? {
                Descent::Here(page) => return Ok(page),
                Descent::Missing(missing) => self.insert_separator(tree, &missing)?,
                Descent::NoSuchLevel => unreachable!("every tree has leaves"),
            }
        }
    }

    /// Descends to a level and latches the page there for a change. Stops at the first separator found
    /// missing.
    pub fn descend_exclusive(&mut self, tree: TreeId, key: &[u8], level: u8) -> Step<Descent<'e>> {
        let seek = Seek::At(key);
        let mut page = self.shared(tree.0)?;
        loop {
            let view = TreePage(page.bytes());
            check_tree_page(view, page.id, tree)?;
            match next(view, seek, level, false) {
                // Only the root comes here: latch it for a change and look again, its level may have changed meanwhile.
                Next::Here => {
                    drop(page);
                    let root = self.exclusive(tree.0)?;
                    match TreePage(root.bytes()).level().cmp(&level) {
                        Ordering::Equal => return Ok(Descent::Here(root)),
                        Ordering::Less => return Ok(Descent::NoSuchLevel),
                        Ordering::Greater => drop(root),
                    }
                    page = self.shared(tree.0)?;
                }
                Next::Right { low: key, .. } => {
                    return Ok(Descent::Missing(MissingSeparator { level: view.level() + 1, key }));
                }
                Next::Down { page: below, .. } if view.level() == level + 1 => {
                    let found = self.exclusive(check_child(below, page.id)?)?;
                    drop(page);
                    return at_level(found, seek, tree, level);
                }
                Next::Down { page: below, .. } => page = self.shared(check_child(below, page.id)?)?,
            }
        }
    }
}

/// The page that a parent has led to, latched for a change, or the separator that the parent lacks.
fn at_level<'e>(page: ExclusivePage<'e>, seek: Seek<'_>, tree: TreeId, level: u8) -> Step<Descent<'e>> {
    let view = TreePage(page.bytes());
    check_tree_page(view, page.id, tree)?;
    assert_eq!(view.level(), level, "a child is one level below its parent");
    Ok(match next(view, seek, level, false) {
        Next::Here => Descent::Here(page),
        Next::Right { low: key, .. } => Descent::Missing(MissingSeparator { level: level + 1, key }),
        Next::Down { .. } => unreachable!("at its level already"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use crate::memory_volume::MemoryVolume;
    use crate::types::{Isolation, Options, RowRef, TreeKind};
    use hexalog_protocol::geometry::Geometry;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    /// Between the two latches a merge could empty the leaf and give its page away.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test with threads, which wait for each other")]
    fn a_parent_is_let_go_of_when_its_child_is_latched() {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 4 });
        let options = Options { frames: 64, undo_streams: 8, snapshots: 8 };
        let engine = Engine::new(Arc::clone(&volume) as _, options);
        volume.run(&engine, || engine.create()).expect("creates");
        let mut txn = engine.begin(Isolation::ReadCommitted, false);
        volume.run(&engine, || engine.begin_statement(&mut txn)).expect("begins");
        let tree = volume.run(&engine, || engine.create_tree(&mut txn, TreeKind::Clustered)).expect("a tree");
        for key in 0..20u8 {
            volume
                .run(&engine, || engine.insert(&mut txn, tree, &[key], RowRef::new(1, &[key; 600])))
                .expect("inserts");
        }
        for writes in [false, true] {
            let mut access = Access::new(&engine);
            let leaf = access.leaf_exclusive(tree, &[3]).expect("is cached");
            assert!(leaf.id != tree.0 && !engine.cache.is_latched(tree.0));
            std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    let mut access = Access::new(&engine);
                    match writes {
                        true => access.leaf_exclusive(tree, &[3]).map(|leaf| leaf.id),
                        false => access.leaf_shared(tree, Seek::At(&[3]), None).map(|leaf| leaf.id),
                    }
                });
                let begun = Instant::now();
                let mut held = 0;
                // One who did not hold it would be seen with it once, on the way by.
                while held < 20 {
                    assert!(begun.elapsed() < Duration::from_secs(20), "the root is not held");
                    std::thread::sleep(Duration::from_millis(1));
                    held = if engine.cache.is_latched(tree.0) { held + 1 } else { 0 };
                }
                let id = leaf.id;
                drop(leaf);
                assert_eq!(other.join().expect("does not panic"), Ok(id));
            });
            assert!(!engine.cache.is_latched(tree.0));
        }
        volume.run(&engine, || engine.abort(&mut txn)).expect("ends");
    }
}

//! Finding the page of a key, from the root down and to the right.
//!
//! Owns the rule for reading a tree while others split it: one latch at a time; a page whose high key is not
//! above the key sends the search to its right sibling. A descent that is going to write finishes the splits
//! it meets: having to move right under a parent means that the parent lacks a separator.

use crate::access::{Access, ExclusivePage, SharedPage};
use crate::error::{EngineError, Step};
use crate::layout::check::LEVELS_MAX;
use crate::layout::tree_page::TreePage;
use crate::types::TreeId;
use hexalog_protocol::PageId;

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
    pub child: PageId,
}

/// Where one page leads.
enum Next {
    Here,
    Right { page: PageId, low: Vec<u8> },
    Down { page: PageId, low: Option<Vec<u8>> },
}

fn next(page: TreePage<'_>, seek: Seek<'_>, level: u8, want_low: bool) -> Next {
    if seek.is_beyond(page.high_key()) {
        let right = page.right().expect("a page with a high key has a right sibling");
        return Next::Right { page: right, low: page.high_key().expect("beyond it").to_vec() };
    }
    if page.level() == level {
        return Next::Here;
    }
    let slot = seek.child_slot(page);
    let low = (want_low && slot > 0).then(|| page.key(slot).to_vec());
    Next::Down { page: page.child(slot), low }
}

pub(crate) fn check_tree_page(page: TreePage<'_>, id: PageId, tree: TreeId) -> Result<(), EngineError> {
    if page.is_tree() && page.tree() == tree.0 && page.level() < LEVELS_MAX {
        Ok(())
    } else {
        Err(EngineError::Corrupt { page: id, what: "not a page of its tree" })
    }
}

impl<'e> Access<'e> {
    /// The leaf that a reader looks for. `low`, if given, becomes the leaf's lower bound (empty: none).
    pub fn leaf_shared(
        &mut self,
        tree: TreeId,
        seek: Seek<'_>,
        mut low: Option<&mut Vec<u8>>,
    ) -> Step<SharedPage<'e>> {
        let mut id = tree.0;
        if let Some(low) = low.as_deref_mut() {
            low.clear();
        }
        loop {
            let page = self.shared(id)?;
            let view = TreePage(page.bytes());
            check_tree_page(view, id, tree)?;
            let (to, bound) = match next(view, seek, 0, low.is_some()) {
                Next::Here => return Ok(page),
                Next::Right { page, low } => (page, Some(low)),
                Next::Down { page, low } => (page, low),
            };
            if let (Some(low), Some(bound)) = (low.as_deref_mut(), bound) {
                *low = bound;
            }
            id = to;
        }
    }

    /// The leaf of a key, latched for a change, every split on the way finished.
    pub fn leaf_exclusive(&mut self, tree: TreeId, key: &[u8]) -> Step<ExclusivePage<'e>> {
        loop {
            match self.descend_exclusive(tree, key, 0)? {
                Ok(page) => return Ok(page),
                Err(missing) => self.insert_separator(tree, &missing)?,
            }
        }
    }

    /// Descends to a level and latches the page there for a change. Stops at the first separator found
    /// missing.
    pub fn descend_exclusive(
        &mut self,
        tree: TreeId,
        key: &[u8],
        level: u8,
    ) -> Step<Result<ExclusivePage<'e>, MissingSeparator>> {
        let seek = Seek::At(key);
        let mut id = tree.0;
        // The level that `id` must be at; unknown for the root.
        let mut expected = None;
        loop {
            if expected == Some(level) {
                let page = self.exclusive(id)?;
                let view = TreePage(page.bytes());
                check_tree_page(view, id, tree)?;
                assert_eq!(view.level(), level, "levels are fixed, but for the root's");
                match next(view, seek, level, false) {
                    Next::Here => return Ok(Ok(page)),
                    Next::Right { page: right, low } => {
                        return Ok(Err(MissingSeparator { level: level + 1, key: low, child: right }));
                    }
                    Next::Down { .. } => unreachable!("at its level already"),
                }
            }
            let (here, to) = {
                let page = self.shared(id)?;
                let view = TreePage(page.bytes());
                check_tree_page(view, id, tree)?;
                assert!(view.level() >= level, "a level that the tree has");
                (view.level(), next(view, seek, level, false))
            };
            match to {
                // Only the root comes here: latch it for a change and look again, it may have been pushed
                // down.
                Next::Here => {
                    let page = self.exclusive(id)?;
                    if TreePage(page.bytes()).level() == level {
                        return Ok(Ok(page));
                    }
                }
                Next::Right { page, low } => {
                    return Ok(Err(MissingSeparator { level: here + 1, key: low, child: page }));
                }
                Next::Down { page, .. } => {
                    id = page;
                    expected = Some(here - 1);
                }
            }
        }
    }
}

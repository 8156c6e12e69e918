//! Range scans: a place in a tree that survives a [`crate::Need`] and page splits.
//!
//! Owns where a scan stands: the key it has come to, and as a shortcut the page that held it. Going forward
//! follows right links; going backward descends anew for what lies below the page's lower bound, since pages
//! have no left links. A page found again alive is valid whatever happened to it meanwhile: its lower bound never
//! changes, and what a split moved away is to its right. One that a merge has emptied is dead, and is used for nothing
//! else while a snapshot as old as the scan's is in use. Visibility is [`crate::visibility`]'s. Read next: `leaf_rows.rs`, which gives
//! the rows of a leaf together.

mod leaf_rows;

pub use leaf_rows::{Found, LeafRow, LeafRows};

use crate::access::{Access, SharedPage};
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step};
use crate::layout::tree_page::TreePage;
use crate::transaction::Transaction;
use crate::tree::descent::{Seek, check_tree_page};
use crate::types::{Direction, IndexEntry, RowBuffer, TreeId, TxId};
use crate::undo::status::TxStatus;
use hexalog_protocol::{Lsn, PageId};
use std::ops::Bound;

/// Invisible rows and leaves left behind in one call before it yields.
const SKIPPED_MAX: u32 = 1_000;

/// Where the row stands that was returned last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    page: PageId,
    lsn: Lsn,
    slot: usize,
}

/// A scan of a key range in one direction, driven by `Engine::cursor_next` or `Engine::index_next`.
#[derive(Clone, Debug)]
pub struct Cursor {
    tree: TreeId,
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    direction: Direction,
    /// The bound that the scan has come to: `lower` going forward, `upper` going backward, at first.
    position: Bound<Vec<u8>>,
    /// Page to look at first.
    page: Option<PageId>,
    /// Lower bound of that page; kept going backward only. Empty: none.
    page_low: Vec<u8>,
    place: Option<Place>,
    /// The page that was last noted as read.
    noted: Option<PageId>,
    finished: bool,
    skipped: u32,
}

impl Cursor {
    /// A scan of the keys of `tree` between the bounds. For an index the bounds are compared with the whole
    /// stored key, index key and primary key one after the other.
    pub fn new(tree: TreeId, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction) -> Cursor {
        let (lower, upper) = (lower.map(<[u8]>::to_vec), upper.map(<[u8]>::to_vec));
        let position = match direction {
            Direction::Forward => lower.clone(),
            Direction::Backward => upper.clone(),
        };
        Cursor {
            tree,
            lower,
            upper,
            direction,
            position,
            page: None,
            page_low: Vec::new(),
            place: None,
            noted: None,
            finished: false,
            skipped: 0,
        }
    }

    fn position_key(&self) -> &[u8] {
        match &self.position {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => b"",
        }
    }

    /// The scan has dealt with the cell found: it goes on behind it.
    fn consume(&mut self, found: Place, key: &[u8]) {
        match &mut self.position {
            Bound::Excluded(position) => {
                position.clear();
                position.extend_from_slice(key);
            }
            position => *position = Bound::Excluded(key.to_vec()),
        }
        self.place = Some(found);
        self.page = Some(found.page);
    }

    /// Whether a key lies beyond the range's far end.
    fn is_past_end(&self, key: &[u8]) -> bool {
        match self.direction {
            Direction::Forward => match &self.upper {
                Bound::Included(upper) => key > upper.as_slice(),
                Bound::Excluded(upper) => key >= upper.as_slice(),
                Bound::Unbounded => false,
            },
            Direction::Backward => match &self.lower {
                Bound::Included(lower) => key < lower.as_slice(),
                Bound::Excluded(lower) => key <= lower.as_slice(),
                Bound::Unbounded => false,
            },
        }
    }

    /// Slot of the next cell on a page in scan order, if it is on this page.
    fn next_slot(&self, page: TreePage<'_>) -> Option<usize> {
        match self.direction {
            Direction::Forward => {
                let slot = match &self.position {
                    Bound::Unbounded => 0,
                    // Come from the page before: all of this one is to be looked at, and keys are not in the processor's caches.
                    Bound::Included(key) if page.slots() > 0 && page.key(0) >= key.as_slice() => 0,
                    Bound::Included(key) => page.partition(|other| other < key.as_slice()),
                    Bound::Excluded(key) => page.partition(|other| other <= key.as_slice()),
                };
                (slot < page.slots()).then_some(slot)
            }
            Direction::Backward => {
                let slot = match &self.position {
                    Bound::Unbounded => page.slots(),
                    Bound::Included(key) => page.partition(|other| other <= key.as_slice()),
                    Bound::Excluded(key) => page.partition(|other| other < key.as_slice()),
                };
                slot.checked_sub(1)
            }
        }
    }
}

impl<'e> Access<'e> {
    /// The page and slot of the scan's next cell. `None`: the range is exhausted. Moves the cursor's page,
    /// not its position.
    fn cursor_find(
        &mut self,
        reader: Option<&Transaction>,
        cursor: &mut Cursor,
    ) -> Step<Option<(SharedPage<'e>, usize)>> {
        while !cursor.finished {
            let page = self.cursor_page(cursor)?;
            if let Some(reader) = reader
                && cursor.noted != Some(page.id)
            {
                self.note_leaf_read(reader, cursor.tree, page.id)?;
                cursor.noted = Some(page.id);
            }
            let view = TreePage(page.bytes());
            let unchanged = cursor.place.filter(|place| place.page == page.id && place.lsn == page.lsn());
            let slot = match (unchanged, cursor.direction) {
                (Some(place), Direction::Forward) => Some(place.slot + 1).filter(|slot| *slot < view.slots()),
                (Some(place), Direction::Backward) => place.slot.checked_sub(1),
                (None, _) => cursor.next_slot(view),
            };
            match slot {
                Some(slot) if cursor.is_past_end(view.key(slot)) => cursor.finished = true,
                Some(slot) => return Ok(Some((page, slot))),
                None => {
                    leave_page(cursor, view);
                    // Who does not read begins anew after a need.
                    cursor.skipped += u32::from(reader.is_some());
                    if cursor.skipped >= SKIPPED_MAX {
                        cursor.skipped = 0;
                        return Err(Need::Yield.into());
                    }
                }
            }
        }
        Ok(None)
    }

    /// Latches the page that holds what comes next, if anything on one page does.
    fn cursor_page(&mut self, cursor: &mut Cursor) -> Step<SharedPage<'e>> {
        if let Some(id) = cursor.page {
            if let Some(page) = self.cursor_page_from(cursor, id)? {
                return Ok(page);
            }
            cursor.place = None;
        }
        let page = match (&cursor.position, cursor.direction) {
            (Bound::Unbounded, Direction::Backward) => {
                self.leaf_shared(cursor.tree, Seek::Below(None), Some(&mut cursor.page_low))?
            }
            (Bound::Excluded(key), Direction::Backward) => {
                self.leaf_shared(cursor.tree, Seek::Below(Some(key)), Some(&mut cursor.page_low))?
            }
            (Bound::Included(key), Direction::Backward) => {
                self.leaf_shared(cursor.tree, Seek::At(key), Some(&mut cursor.page_low))?
            }
            _ => self.leaf_shared(cursor.tree, Seek::At(cursor.position_key()), None)?,
        };
        cursor.page = Some(page.id);
        Ok(page)
    }

    /// Goes on from the page that the cursor remembers, to the right if a split has moved what comes next.
    /// `None`: it is no leaf any more, a root that was pushed down or a page that was merged.
    fn cursor_page_from(&mut self, cursor: &mut Cursor, id: PageId) -> Step<Option<SharedPage<'e>>> {
        let mut page = self.shared(id)?;
        loop {
            let view = TreePage(page.bytes());
            if view.is_tree() && (view.is_dead() || !view.is_leaf()) {
                return Ok(None);
            }
            check_tree_page(view, page.id, cursor.tree)?;
            let moves_right = match (view.high_key(), &cursor.position, cursor.direction) {
                (None, _, _) => false,
                (Some(high), _, Direction::Forward) => cursor.position_key() >= high,
                (Some(_), Bound::Unbounded, Direction::Backward) => true,
                (Some(high), Bound::Included(key), Direction::Backward) => key.as_slice() >= high,
                (Some(high), Bound::Excluded(key), Direction::Backward) => key.as_slice() > high,
            };
            if !moves_right {
                cursor.page = Some(page.id);
                return Ok(Some(page));
            }
            if cursor.direction == Direction::Backward {
                cursor.page_low = view.high_key().expect("it has one").to_vec();
            }
            let right = view.right().expect("a page with a high key has a right sibling");
            page = self.shared(right)?;
        }
    }
}

/// Nothing more on this page: where the scan goes on.
fn leave_page(cursor: &mut Cursor, page: TreePage<'_>) {
    cursor.place = None;
    match cursor.direction {
        Direction::Forward => match (page.high_key(), page.right()) {
            (Some(high), Some(right)) if !cursor.is_past_end(high) => {
                // Everything below the high key is behind: so a split of the next page cannot send the scan
                // back.
                cursor.position = Bound::Included(high.to_vec());
                cursor.page = Some(right);
            }
            _ => cursor.finished = true,
        },
        Direction::Backward => {
            if cursor.page_low.is_empty() {
                cursor.finished = true;
            } else {
                cursor.position = Bound::Excluded(cursor.page_low.clone());
                cursor.page = None;
            }
        }
    }
}

impl Access<'_> {
    /// Takes the cell that was found: the cursor goes on behind it. False if the statement sees no row there.
    fn cursor_take(
        &mut self,
        txn: &mut Transaction,
        cursor: &mut Cursor,
        page: SharedPage<'_>,
        slot: usize,
        out: &mut RowBuffer,
    ) -> Step<bool> {
        let cell = TreePage(page.bytes()).leaf_cell(slot);
        out.key.clear();
        out.key.extend_from_slice(cell.key);
        out.body.clear();
        out.body.extend_from_slice(cell.body);
        let mut header = cell.header;
        let place = Place { page: page.id, lsn: page.lsn(), slot };
        let all_visible = self.engine.is_all_visible(&page, txn.read_point(), slot == 0);
        drop(page);
        let visible =
            if all_visible { !header.is_deleted() } else { self.resolve(txn, &mut header, &mut out.body)? };
        cursor.consume(place, &out.key);
        if visible {
            cursor.skipped = 0;
            self.take_stored(cursor.tree, &header, out)?;
            return Ok(true);
        }
        cursor.skipped += 1;
        if cursor.skipped >= SKIPPED_MAX {
            cursor.skipped = 0;
            return Err(Need::Yield.into());
        }
        Ok(false)
    }
}

impl Engine {
    /// The next visible row in key order (or against it). False: the range is exhausted.
    pub fn cursor_next(&self, txn: &mut Transaction, cursor: &mut Cursor, out: &mut RowBuffer) -> Step<bool> {
        let _call = Call::enter();
        txn.assert_active();
        self.operate(txn, |access, txn| {
            loop {
                let Some((page, slot)) = access.cursor_find(Some(&*txn), cursor)? else {
                    return Ok(false);
                };
                if access.cursor_take(txn, cursor, page, slot, out)? {
                    return Ok(true);
                }
            }
        })
    }

    /// Whether every newest version on a latched leaf is visible at `snapshot`. `look`: find out if it is not
    /// known.
    fn is_all_visible(&self, page: &SharedPage<'_>, snapshot: Lsn, look: bool) -> bool {
        let known = self.cache.all_visible_from(page.frame);
        if known != Lsn::MAX || !look {
            return known <= snapshot;
        }
        let view = TreePage(page.bytes());
        let (mut highest, mut last) = (Lsn::ZERO, TxId::FROZEN);
        for slot in 0..view.slots() {
            let tx_id = view.leaf_cell(slot).header.version.tx_id;
            if tx_id == last {
                continue;
            }
            let Some(TxStatus::Committed(lsn)) = self.status_in_memory(tx_id) else {
                return false;
            };
            (highest, last) = (highest.max(lsn), tx_id);
        }
        self.cache.set_all_visible_from(page.frame, highest);
        highest <= snapshot
    }

    /// The next candidate of an index scan, marked ones included: the caller fetches the clustered row
    /// visible to it and recomputes the key; a differing key is no hit.
    pub fn index_next(&self, txn: &mut Transaction, cursor: &mut Cursor, out: &mut IndexEntry) -> Step<bool> {
        let _call = Call::enter();
        txn.assert_active();
        self.operate(txn, |access, txn| access.index_candidate(Some(&*txn), cursor, out))
    }
}

impl Access<'_> {
    /// The next entry of an index, whoever wrote it. Without a `reader` nothing depends on what was not there.
    pub fn index_candidate(
        &mut self,
        reader: Option<&Transaction>,
        cursor: &mut Cursor,
        out: &mut IndexEntry,
    ) -> Step<bool> {
        let Some((page, slot)) = self.cursor_find(reader, cursor)? else {
            return Ok(false);
        };
        let cell = TreePage(page.bytes()).leaf_cell(slot);
        let what = "an index entry shorter than its key";
        let (key, primary_key) = cell
            .key
            .split_at_checked(usize::from(cell.header.columns))
            .ok_or(EngineError::Corrupt { page: page.id, what })?;
        out.key.clear();
        out.key.extend_from_slice(key);
        out.primary_key.clear();
        out.primary_key.extend_from_slice(primary_key);
        cursor.consume(Place { page: page.id, lsn: page.lsn(), slot }, cell.key);
        Ok(true)
    }
}

//! The rows of a leaf in one call: what a scan of many rows is made of.
//!
//! Owns [`LeafRows`], a copy of a leaf and where in it the rows are that the statement sees, and [`Engine::cursor_rows`], which fills
//! it. A copy, so that nothing is latched or pinned while the caller works on the rows, for as long as it likes: what a statement sees
//! of a row is settled once it has been looked at, whatever becomes of the page. The copy costs a few bytes' worth of moves a row.
//! Only rows whose newest version is the one to see, by what memory tells, are given so; one that needs undo, a page of a
//! transaction's outcome, or that has overflow chains is looked up alone, as [`Engine::cursor_next`] does it. Its version must not
//! wait in a copy: the undo that leads on from it may be gone by then, and the transaction's outcome with it.

use super::{Cursor, Place, SKIPPED_MAX};
use crate::access::SharedPage;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{Need, Step};
use crate::layout::tree_page::{LeafCell, ROW_DELETED, ROW_HEADER_BYTES, ROW_OVERFLOW, TreePage};
use crate::layout::{Bytes, get_u16};
use crate::transaction::Transaction;
use crate::types::{Direction, RowBuffer, RowVersion, TxId};
use crate::undo::status::TxStatus;
use std::ops::{Bound, Range};

/// What [`Engine::cursor_rows`] has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nothing: the range is exhausted.
    End,
    /// The next row, in the row buffer.
    Row,
    /// The next rows, two at least, in scan order.
    Rows,
}

/// Rows of one leaf, each of them visible and without overflow chains. Holds at most a page, whatever the rows.
#[derive(Clone, Debug, Default)]
pub struct LeafRows {
    page: Option<Box<Bytes>>,
    /// Whether that is the page that the cells are of.
    is_copied: bool,
    cells: Vec<Cell>,
}

/// Where a row is in the copy.
#[derive(Clone, Copy, Debug)]
struct Cell {
    offset: u16,
    body: u16,
    body_bytes: u16,
    columns: u16,
}

impl Cell {
    /// The cell at an offset, and its flags.
    #[inline]
    fn at(page: TreePage<'_>, offset: usize) -> (u8, Cell) {
        let (key_bytes, body_bytes) = (get_u16(page.0, offset), get_u16(page.0, offset + 2));
        let header = offset + 4 + usize::from(key_bytes);
        // Offsets within a page.
        let (body, offset) = ((header + ROW_HEADER_BYTES) as u16, offset as u16);
        (page.0[header], Cell { offset, body, body_bytes, columns: get_u16(page.0, header + 1) })
    }
}

/// A row of [`LeafRows`].
#[derive(Clone, Copy, Debug)]
pub struct LeafRow<'a> {
    /// The row's key.
    pub key: &'a [u8],
    /// How many columns the body holds.
    pub columns: u16,
    /// The encoded columns.
    pub body: &'a [u8],
    /// Which version this is.
    pub version: RowVersion,
}

impl LeafRows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many columns a row holds, and these.
    #[inline]
    pub fn columns_and_body(&self, at: usize) -> (u16, &[u8]) {
        let cell = self.cells[at];
        let body = usize::from(cell.body);
        (cell.columns, &self.page()[body..body + usize::from(cell.body_bytes)])
    }

    /// A row with its key and version.
    #[inline]
    pub fn row(&self, at: usize) -> LeafRow<'_> {
        let LeafCell { key, header, body, .. } =
            TreePage(self.page()).leaf_cell_at(self.cells[at].offset.into());
        LeafRow { key, columns: header.columns, body, version: header.version }
    }

    #[inline]
    fn page(&self) -> &Bytes {
        self.page.as_deref().expect("rows stand in a page")
    }

    /// Makes one of them the row of a buffer.
    pub fn load(&self, at: usize, out: &mut RowBuffer) {
        out.set(&TreePage(self.page()).leaf_cell_at(self.cells[at].offset.into()));
    }

    /// Drops all rows.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.is_copied = false;
    }

    /// Takes the bytes that the cells point into.
    fn copy(&mut self, page: &Bytes) {
        self.is_copied = true;
        match &mut self.page {
            Some(copy) => copy.copy_from_slice(page),
            None => self.page = Some(Box::new(*page)),
        }
    }
}

/// What a statement sees of a row, by its newest version and what memory tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sight {
    Row,
    Nothing,
    /// It has to be looked up.
    Unknown,
}

/// How a statement sees the versions of one leaf.
struct Sights {
    /// Every newest version is visible.
    all: bool,
    /// The transaction looked at last, and whether its versions are visible; most rows of a leaf have the same.
    last: Option<(TxId, bool)>,
}

impl Engine {
    /// The next visible rows in key order, or against it: as many as one look at a leaf tells, in `rows`, or one in `row`. What was
    /// in `rows` is gone, after a need too: no call comes before all of them have been dealt with. May be mixed with
    /// [`Engine::cursor_next`].
    pub fn cursor_rows(
        &self,
        txn: &mut Transaction,
        cursor: &mut Cursor,
        rows: &mut LeafRows,
        row: &mut RowBuffer,
    ) -> Step<Found> {
        let _call = Call::enter();
        txn.assert_active();
        // Who fails or waits at the door of the operation leaves nothing either.
        rows.clear();
        self.operate(txn, |access, txn| {
            loop {
                // Of the leaf before, on which nothing was to be seen, there may be a copy.
                rows.clear();
                let Some((page, slot)) = access.cursor_find(Some(&*txn), cursor)? else {
                    return Ok(Found::End);
                };
                let Some(last) = self.look_at_leaf(txn, cursor, &page, slot, rows) else {
                    match access.cursor_take(txn, cursor, page, slot, row)? {
                        true => return Ok(Found::Row),
                        false => continue,
                    }
                };
                let place = Place { page: page.id, lsn: page.lsn(), slot: last };
                cursor.consume(place, TreePage(page.bytes()).key(last));
                match rows.len() {
                    0 => {
                        cursor.skipped += slot.abs_diff(last) as u32 + 1;
                        drop(page);
                        if cursor.skipped >= SKIPPED_MAX {
                            cursor.skipped = 0;
                            return Err(Need::Yield.into());
                        }
                        continue;
                    }
                    // Less than a page is copied where rows to be looked up and others take turns.
                    1 => {
                        let cell = TreePage(page.bytes()).leaf_cell_at(rows.cells[0].offset.into());
                        row.set(&cell);
                        rows.clear();
                    }
                    _ if rows.is_copied => {}
                    _ => rows.copy(page.bytes()),
                }
                cursor.skipped = 0;
                return Ok(if rows.is_empty() { Found::Row } else { Found::Rows });
            }
        })
    }

    /// Finds the visible rows of a latched leaf from a slot on, up to one that has to be looked up. Gives the last slot that it
    /// has dealt with; `None`: it is the first that has to be looked up.
    ///
    /// Where all rows are visible the leaf is copied first and looked at in the copy: a page comes from memory as a stream then, and
    /// not cell by cell from its end.
    fn look_at_leaf(
        &self,
        txn: &Transaction,
        cursor: &Cursor,
        page: &SharedPage<'_>,
        slot: usize,
        rows: &mut LeafRows,
    ) -> Option<usize> {
        let view = TreePage(page.bytes());
        let range = cursor.slots_within(view, slot);
        let begins = match cursor.direction {
            Direction::Forward => slot == 0,
            Direction::Backward => slot + 1 == view.slots(),
        };
        let all = self.is_all_visible(page, txn.read_point(), begins);
        let mut last = None;
        if all && range.len() > 1 && view.leaf_cell(slot).header.flags & ROW_OVERFLOW == 0 {
            rows.copy(page.bytes());
            let LeafRows { page: Some(copy), cells, .. } = rows else { unreachable!("copied above") };
            let view = TreePage(copy);
            each_slot(range, cursor.direction, |slot| {
                let (flags, cell) = Cell::at(view, view.slot(slot));
                match Sight::of_visible(flags) {
                    Sight::Row => cells.push(cell),
                    Sight::Nothing => {}
                    Sight::Unknown => return false,
                }
                last = Some(slot);
                true
            });
            return last;
        }
        let mut sights = Sights { all, last: None };
        each_slot(range, cursor.direction, |slot| {
            let header = view.leaf_cell(slot).header;
            let sight = match sights.all || sights.is_visible(self, txn, header.version) {
                true => Sight::of_visible(header.flags),
                false => Sight::Unknown,
            };
            match sight {
                Sight::Row => rows.cells.push(Cell::at(view, view.slot(slot)).1),
                Sight::Nothing => {}
                Sight::Unknown => return false,
            }
            last = Some(slot);
            true
        });
        last
    }
}

/// Calls `look` with slots in scan order until it says no.
#[inline]
fn each_slot(mut range: Range<usize>, direction: Direction, look: impl FnMut(usize) -> bool) {
    match direction {
        Direction::Forward => range.all(look),
        Direction::Backward => range.rev().all(look),
    };
}

impl Sight {
    /// Of a row whose newest version is visible.
    #[inline]
    fn of_visible(flags: u8) -> Sight {
        match flags & (ROW_DELETED | ROW_OVERFLOW) {
            0 => Sight::Row,
            ROW_OVERFLOW => Sight::Unknown,
            _ => Sight::Nothing,
        }
    }
}

impl Sights {
    /// Whether a version is known to be visible: [`crate::visibility`]'s rule, without reading a page.
    fn is_visible(&mut self, engine: &Engine, txn: &Transaction, version: RowVersion) -> bool {
        if txn.is_own(version.tx_id) {
            return version.undo < txn.command_id;
        }
        if let Some((tx_id, visible)) = self.last
            && tx_id == version.tx_id
        {
            return visible;
        }
        let status = engine.status_in_memory(version.tx_id);
        let visible = matches!(status, Some(TxStatus::Committed(lsn)) if lsn <= txn.read_point());
        self.last = Some((version.tx_id, visible));
        visible
    }
}

impl Cursor {
    /// The slots of a leaf that lie within the range, from one that does up to the far end. Most leaves lie in it whole.
    fn slots_within(&self, page: TreePage<'_>, slot: usize) -> Range<usize> {
        let last = match self.direction {
            Direction::Forward => page.slots() - 1,
            Direction::Backward => 0,
        };
        let is_whole = !self.is_bounded() || !self.is_past_end(page.key(last));
        match self.direction {
            Direction::Forward if is_whole => slot..last + 1,
            Direction::Forward => slot..page.partition(|key| !self.is_past_end(key)),
            Direction::Backward if is_whole => 0..slot + 1,
            Direction::Backward => page.partition(|key| self.is_past_end(key))..slot + 1,
        }
    }

    /// Whether the range has a far end.
    fn is_bounded(&self) -> bool {
        let end = match self.direction {
            Direction::Forward => &self.upper,
            Direction::Backward => &self.lower,
        };
        !matches!(end, Bound::Unbounded)
    }
}

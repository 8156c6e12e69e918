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
use crate::layout::Bytes;
use crate::layout::tree_page::{LeafCell, ROW_OVERFLOW, RowHeader, TreePage};
use crate::transaction::Transaction;
use crate::types::{Direction, RowBuffer, RowVersion, TxId};
use crate::undo::status::TxStatus;
use std::ops::Range;

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
    pub fn row(&self, at: usize) -> LeafRow<'_> {
        let LeafCell { key, header, body, .. } =
            TreePage(self.page()).leaf_cell_at(self.cells[at].offset.into());
        LeafRow { key, columns: header.columns, body, version: header.version }
    }

    fn page(&self) -> &Bytes {
        self.page.as_deref().expect("rows stand in a page")
    }

    fn clear(&mut self) {
        self.cells.clear();
    }

    fn push(&mut self, cell: &LeafCell<'_>) {
        // Offsets within a page, and lengths of what stands in one.
        self.cells.push(Cell {
            offset: cell.offset as u16,
            body: cell.body_offset() as u16,
            body_bytes: cell.body.len() as u16,
            columns: cell.header.columns,
        });
    }

    /// Takes the bytes that the cells point into.
    fn copy(&mut self, page: &Bytes) {
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
        rows.clear();
        self.operate(txn, |access, txn| {
            loop {
                let Some((page, slot)) = access.cursor_find(cursor)? else {
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
                    _ => rows.copy(page.bytes()),
                }
                cursor.skipped = 0;
                return Ok(if rows.is_empty() { Found::Row } else { Found::Rows });
            }
        })
    }

    /// Finds the visible rows of a latched leaf from a slot on, up to one that has to be looked up. Gives the last slot that it
    /// has dealt with; `None`: it is the first that has to be looked up.
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
        let mut sights = Sights { all: self.is_all_visible(page, txn.read_point(), begins), last: None };
        let mut last = None;
        let mut look = |slot: usize| {
            let cell = view.leaf_cell(slot);
            match sights.of(self, txn, &cell.header) {
                Sight::Row => rows.push(&cell),
                Sight::Nothing => {}
                Sight::Unknown => return false,
            }
            last = Some(slot);
            true
        };
        match cursor.direction {
            Direction::Forward => range.into_iter().all(&mut look),
            Direction::Backward => range.into_iter().rev().all(&mut look),
        };
        last
    }
}

impl Sights {
    fn of(&mut self, engine: &Engine, txn: &Transaction, header: &RowHeader) -> Sight {
        match self.all || self.is_visible(engine, txn, header.version) {
            true if header.is_deleted() => Sight::Nothing,
            true if header.flags & ROW_OVERFLOW == 0 => Sight::Row,
            _ => Sight::Unknown,
        }
    }

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
    /// The slots of a leaf that lie within the range, from one that does up to the far end.
    fn slots_within(&self, page: TreePage<'_>, slot: usize) -> Range<usize> {
        match self.direction {
            Direction::Forward => slot..page.partition(|key| !self.is_past_end(key)),
            Direction::Backward => page.partition(|key| self.is_past_end(key))..slot + 1,
        }
    }
}

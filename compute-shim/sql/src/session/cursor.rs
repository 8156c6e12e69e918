//! Cursors: the rows of a query at which a client moves to and fro.
//!
//! Owns [`Cursor`], a plan's execution with a place in its rows, and [`Fetching`], a FETCH or MOVE under way. What may be
//! gone back to is kept in memory. Places and counts are PostgreSQL's (`DoPortalRunFetch`): before the first row, on a row,
//! behind the last. What ends a cursor stands in `portal.rs`.

use super::plan_run::{PlanRun, Ran, RowTarget};
use super::transaction::Scope;
use crate::answer::{ColumnDescription, Flow};
use crate::catalog::object::Oid;
use crate::execute::{KeptBytes, Row, RowKeys};
use crate::parse::tree::{Fetch, Movement, RowCount, Scroll};
use crate::plan::{Plan, tables_stood_on};
use crate::stop::Step;
use crate::stores::Snapshots;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of rows that a cursor keeps which was not told to scroll: with more it goes forward only. A guess: a client that
/// reads a large result is to cost no memory, one that looks at a short one may go back as in PostgreSQL.
const UNASKED_BYTES_MAX: usize = 1 << 20;

/// What DECLARE said.
#[derive(Clone, Copy, Debug)]
pub(super) struct CursorOptions {
    pub binary: bool,
    pub hold: bool,
    pub scroll: Scroll,
}

/// Rows that have come, to be gone back to.
struct Passed {
    rows: Vec<(Row, RowKeys)>,
    kept: KeptBytes,
    /// Kept because that is cheap, not because the client has asked for it.
    is_unasked: bool,
}

/// A query's rows and a place among them.
pub(super) struct Cursor {
    run: PlanRun,
    pub options: CursorOptions,
    /// `None`: forward only.
    passed: Option<Passed>,
    /// Rows before the place, the one it is on included. 0 is before the first.
    at: u64,
    is_at_end: bool,
    /// Of the row that it is on.
    keys: RowKeys,
    /// Rows that Execute has given since it was last called.
    executed: u64,
}

impl Cursor {
    /// Over an execution that has been opened.
    pub(super) fn new(run: PlanRun, options: CursorOptions) -> Cursor {
        let scrolls = match options.scroll {
            Scroll::Yes => true,
            Scroll::No => false,
            Scroll::Unsaid => run.plan().goes_back(),
        };
        let passed = scrolls.then(|| Passed {
            rows: Vec::new(),
            kept: KeptBytes::new("A cursor that can scroll"),
            is_unasked: options.scroll == Scroll::Unsaid,
        });
        Cursor { run, options, passed, at: 0, is_at_end: false, keys: RowKeys::new(), executed: 0 }
    }

    /// Over the execution of a portal, which has given some rows already.
    pub(super) fn of_portal(run: PlanRun) -> Cursor {
        let options = CursorOptions { binary: false, hold: false, scroll: Scroll::No };
        let (at, is_at_end) = (run.given_in_all(), run.has_ended());
        Cursor { at, is_at_end, ..Cursor::new(run, options) }
    }

    pub(super) fn plan(&self) -> &Plan {
        self.run.plan()
    }

    pub(super) fn columns(&self) -> &Arc<[ColumnDescription]> {
        self.run.columns().expect("a query has columns")
    }

    pub(super) fn is_scrollable(&self) -> bool {
        self.passed.is_some()
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.run.is_under_way()
    }

    /// All rows that are left are in memory.
    pub(super) fn is_complete(&self) -> bool {
        self.run.is_complete()
    }

    pub(super) fn run_mut(&mut self) -> &mut PlanRun {
        &mut self.run
    }

    /// The snapshot that its rows are seen at.
    pub(super) fn snapshots(&self) -> Snapshots {
        self.run.snapshots()
    }

    /// The rows of tables that it stands on; `None` if it is on no row.
    pub(super) fn standing(&self) -> Option<&RowKeys> {
        (self.at > 0 && !self.is_at_end).then_some(&self.keys)
    }

    /// The tables that WHERE CURRENT OF may name.
    pub(super) fn tables(&self) -> Vec<Oid> {
        self.plan().standing().map_or_else(Vec::new, |node| tables_stood_on(&node))
    }

    /// Puts the next row where `row` finds it; false behind the last.
    fn forward(&mut self, scope: &mut Scope) -> Step<bool> {
        let at = usize::try_from(self.at).expect("rows fit memory or are not kept");
        if let Some(passed) = &self.passed
            && at < passed.rows.len()
        {
            self.keys.clone_from(&passed.rows[at].1);
        } else if self.run.advance(scope)? {
            self.keys.clone_from(self.run.keys());
            self.keep()?;
        } else {
            self.is_at_end = true;
            return Ok(false);
        }
        self.at += 1;
        Ok(true)
    }

    /// Keeps the row that has come.
    fn keep(&mut self) -> Result<()> {
        let Some(passed) = &mut self.passed else { return Ok(()) };
        passed.kept.add(self.run.row())?;
        if passed.is_unasked && passed.kept.bytes() > UNASKED_BYTES_MAX {
            self.passed = None;
            return Ok(());
        }
        passed.rows.push((self.run.row().clone(), self.keys.clone()));
        Ok(())
    }

    /// The same to the other side.
    fn backward(&mut self) -> bool {
        if !std::mem::take(&mut self.is_at_end) {
            self.at -= 1;
        }
        if self.at > 0 {
            let passed = self.passed.as_ref().expect("asked before it goes back");
            let at = usize::try_from(self.at).expect("kept rows fit memory");
            self.keys.clone_from(&passed.rows[at - 1].1);
        }
        self.at > 0
    }

    /// The row that it is on.
    fn row(&self) -> &Row {
        match &self.passed {
            Some(passed) => &passed.rows[usize::try_from(self.at).expect("kept rows fit memory") - 1].0,
            None => self.run.row(),
        }
    }

    /// Execute: goes forward by so many rows, 0 for all.
    pub(super) fn run_on(&mut self, scope: &mut Scope, target: &mut dyn RowTarget, limit: u32) -> Step<Ran> {
        loop {
            if limit > 0 && self.executed == u64::from(limit) {
                self.executed = 0;
                return Ok(Ran::Suspended);
            }
            if self.is_at_end || !self.forward(scope)? {
                return Ok(Ran::Done(std::mem::take(&mut self.executed)));
            }
            self.executed += 1;
            let host = scope.host();
            if target.row(&scope.env(&host), self.row(), self.columns())? == Flow::Pause {
                return Ok(Ran::Paused);
            }
        }
    }

    fn check_scrolls(&self) -> Result<()> {
        if self.passed.is_some() {
            return Ok(());
        }
        let message = "cursor can only scan forward";
        Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("Declare it with SCROLL option to enable backward scan."))
    }

    fn rewind(&mut self) -> Result<()> {
        if self.at == 0 && !self.is_at_end {
            return Ok(());
        }
        self.check_scrolls()?;
        (self.at, self.is_at_end) = (0, false);
        Ok(())
    }
}

/// One part of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    Rewind,
    Run {
        forward: bool,
        /// `None`: to the end of that side.
        rows: Option<u64>,
        is_shown: bool,
    },
}

/// A FETCH or MOVE under way.
pub(super) struct Fetching {
    is_move: bool,
    /// What is still to be done; `None` before the cursor was looked at.
    legs: Option<VecDeque<Leg>>,
    /// Rows that the leg has passed.
    done: u64,
    /// Of the tag, unless the last leg says it.
    counted: u64,
    is_described: bool,
}

fn run(forward: bool, rows: u64, is_shown: bool) -> Leg {
    Leg::Run { forward, rows: Some(rows), is_shown }
}

impl Fetching {
    pub(super) fn new(is_move: bool) -> Fetching {
        Fetching { is_move, legs: None, done: 0, counted: 0, is_described: false }
    }

    /// Goes on; the number of rows for the tag, `None` for a pause.
    pub(super) fn step(
        &mut self,
        fetch: &Fetch,
        cursor: &mut Cursor,
        scope: &mut Scope,
        target: &mut dyn RowTarget,
    ) -> Step<Option<u64>> {
        if self.legs.is_none() {
            let legs = self.legs_of(fetch.movement, cursor);
            self.legs = Some(legs);
        }
        if !self.is_move && !std::mem::replace(&mut self.is_described, true) {
            target.begin(cursor.columns())?;
        }
        while let Some(&leg) = self.legs.as_ref().expect("found above").front() {
            match leg {
                Leg::Rewind => cursor.rewind()?,
                Leg::Run { forward, rows, is_shown } => {
                    if !self.run(forward, rows, is_shown && !self.is_move, cursor, scope, target)? {
                        return Ok(None);
                    }
                    self.counted = std::mem::take(&mut self.done);
                }
            }
            self.legs.as_mut().expect("found above").pop_front();
        }
        Ok(Some(self.counted))
    }

    /// Runs one leg; false for a pause.
    fn run(
        &mut self,
        forward: bool,
        rows: Option<u64>,
        is_shown: bool,
        cursor: &mut Cursor,
        scope: &mut Scope,
        target: &mut dyn RowTarget,
    ) -> Step<bool> {
        if !forward {
            cursor.check_scrolls()?;
        }
        let is_over = |cursor: &Cursor| if forward { cursor.is_at_end } else { cursor.at == 0 };
        while !is_over(cursor) && rows.is_none_or(|rows| self.done < rows) {
            let there_is_one = if forward { cursor.forward(scope)? } else { cursor.backward() };
            if !there_is_one {
                break;
            }
            self.done += 1;
            if is_shown {
                let host = scope.host();
                if target.row(&scope.env(&host), cursor.row(), cursor.columns())? == Flow::Pause {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// What a movement comes to from where the cursor is.
    fn legs_of(&mut self, movement: Movement, cursor: &Cursor) -> VecDeque<Leg> {
        let (forward, count) = match movement {
            Movement::Forward(count) => (true, count),
            Movement::Backward(count) => (false, count),
            Movement::Absolute(0) => return [Leg::Rewind, run(true, 0, true)].into(),
            Movement::Absolute(number) if number < 0 => {
                let back = number.unsigned_abs();
                let to_the_end = Leg::Run { forward: true, rows: None, is_shown: false };
                return [to_the_end, run(false, back - 1, false), run(false, 1, true)].into();
            }
            Movement::Absolute(number) => return absolute(number.unsigned_abs(), cursor),
            Movement::Relative(0) => (true, RowCount::Rows(0)),
            Movement::Relative(number) => {
                let forward = number > 0;
                let hidden = run(forward, number.unsigned_abs() - 1, false);
                return match number.unsigned_abs() {
                    1 => [run(forward, 1, true)].into(),
                    _ => [hidden, run(forward, 1, true)].into(),
                };
            }
        };
        let (forward, rows) = match count {
            RowCount::All => (forward, None),
            RowCount::Rows(count) => (forward == (count >= 0), Some(count.unsigned_abs())),
        };
        let is_on_row = cursor.at > 0 && !cursor.is_at_end;
        match rows {
            // The current row again, if there is one.
            Some(0) if self.is_move => {
                self.counted = u64::from(is_on_row);
                VecDeque::new()
            }
            Some(0) if is_on_row => [run(false, 1, false), run(true, 1, true)].into(),
            None if !forward && self.is_move => {
                self.counted = cursor.at.saturating_sub(u64::from(!cursor.is_at_end));
                [Leg::Rewind].into()
            }
            rows => [Leg::Run { forward, rows, is_shown: true }].into(),
        }
    }
}

/// To the row of this number, from the start or from where the cursor is, whichever is nearer; it is come to forward.
fn absolute(number: u64, cursor: &Cursor) -> VecDeque<Leg> {
    let shown = run(true, 1, true);
    if number - 1 <= cursor.at / 2 {
        return match number {
            1 => [Leg::Rewind, shown].into(),
            _ => [Leg::Rewind, run(true, number - 1, false), shown].into(),
        };
    }
    let at = cursor.at + u64::from(cursor.is_at_end);
    if number <= at {
        [run(false, at - number + 1, false), shown].into()
    } else if number > at + 1 {
        [run(true, number - at - 1, false), shown].into()
    } else {
        [shown].into()
    }
}

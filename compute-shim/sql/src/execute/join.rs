//! The join that loops over the right side for each left row. `hash_join.rs` has the other.
//!
//! It keeps the left row while the right side is being read, so a need in the middle loses nothing. FULL keeps which
//! right rows have matched and gives the others at the end. Semi and anti joins turn to the next left row at the first match.

use super::identities::OfRow;
use super::{Context, Operator, Row};
use crate::expression::{Expr, evaluate, is_true};
use crate::plan::{JoinType, Node};
use crate::stop::Step;
use hexalog_sql_types::Datum;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A left row is wanted.
    Left,
    /// The left row is there; slots are being set.
    Correlate,
    /// A right row is wanted.
    Right,
    /// The joined row's condition is being evaluated.
    Condition,
    /// Right rows without a match (FULL).
    Unmatched,
    Done,
}

/// The loop.
pub(super) struct NestedLoop {
    plan: Arc<Node>,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    phase: Phase,
    left_row: Row,
    right_row: Row,
    joined: Row,
    left_matched: bool,
    /// Of the left row.
    identities: OfRow,
    /// FULL: the number of the right row and which have matched.
    right_at: usize,
    right_matched: Vec<bool>,
    right_state: RightState,
}

/// What must be done before the right side is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RightState {
    Fresh,
    Used,
    /// The loop itself has been started anew, so slots further out may have changed.
    Stale,
}

impl NestedLoop {
    pub(super) fn new(plan: Arc<Node>, left: Box<dyn Operator>, right: Box<dyn Operator>) -> NestedLoop {
        let Node::NestedLoop { left: below, .. } = &*plan else { unreachable!("built for loops") };
        NestedLoop {
            identities: OfRow::new(below),
            plan,
            left,
            right,
            phase: Phase::Left,
            left_row: Row::new(),
            right_row: Row::new(),
            joined: Row::new(),
            left_matched: false,
            right_at: 0,
            right_matched: Vec::new(),
            right_state: RightState::Fresh,
        }
    }
}

impl NestedLoop {
    /// No left row is left: FULL goes on with the right rows that have not matched.
    fn end_left(&mut self, join: JoinType, context: &mut Context<'_>) {
        self.phase = if join == JoinType::Full { Phase::Unmatched } else { Phase::Done };
        self.right_at = 0;
        match self.right_state {
            RightState::Fresh => {}
            RightState::Used => self.right.repeat(context),
            RightState::Stale => self.right.rewind(context),
        }
    }

    /// It is known whether the left row has a match.
    fn leave_left(&mut self, join: JoinType, context: &mut Context<'_>) {
        match drops_left(join, self.left_matched) {
            true => self.identities.let_go(&mut context.state.identities, self.left.has_put_aside()),
            false => self.identities.pass(),
        }
    }

    /// Sets the slots that the right side reads, and starts it.
    fn correlate(&mut self, correlation: &[(usize, Expr)], context: &mut Context<'_>) -> Step<()> {
        for (slot, source) in correlation {
            let value = evaluate(source, &self.left_row, context)?;
            context.state.slots[*slot] = value;
        }
        match std::mem::replace(&mut self.right_state, RightState::Used) {
            RightState::Fresh => {}
            RightState::Used if correlation.is_empty() => self.right.repeat(context),
            RightState::Used | RightState::Stale => self.right.rewind(context),
        }
        self.right_at = 0;
        self.phase = Phase::Right;
        Ok(())
    }
}

/// Whether left rows without a match are given.
pub(super) fn gives_left(join: JoinType) -> bool {
    matches!(join, JoinType::Left | JoinType::Full | JoinType::Anti)
}

/// Whether a left row is in no row that comes out, so that nobody will ask for its identities.
pub(super) fn drops_left(join: JoinType, has_matched: bool) -> bool {
    match join {
        JoinType::Semi => !has_matched,
        JoinType::Anti => has_matched,
        JoinType::Inner | JoinType::Left | JoinType::Full => false,
    }
}

/// Puts what a match gives into `row`; false if it gives none.
pub(super) fn give_match(join: JoinType, row: &mut Row, left: &mut Row, joined: &mut Row) -> bool {
    match join {
        JoinType::Inner | JoinType::Left | JoinType::Full => std::mem::swap(row, joined),
        JoinType::Semi => std::mem::swap(row, left),
        JoinType::Anti => return false,
    }
    true
}

pub(super) fn concatenate(out: &mut Row, left: &[Datum], right: &[Datum]) {
    out.clear();
    out.extend_from_slice(left);
    out.extend_from_slice(right);
}

pub(super) fn pad_right(out: &mut Row, left: &[Datum], width: usize) {
    out.clear();
    out.extend_from_slice(left);
    out.resize(width, Datum::Null);
}

pub(super) fn pad_left(out: &mut Row, right: &[Datum], width: usize) {
    out.clear();
    out.resize(width - right.len(), Datum::Null);
    out.extend_from_slice(right);
}

impl Operator for NestedLoop {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::NestedLoop { join, correlation, condition, .. } = &*plan else {
            unreachable!("built for loops");
        };
        let width = plan.width();
        loop {
            match self.phase {
                Phase::Left => {
                    self.identities.ask(&context.state.identities);
                    if !self.left.next(context, &mut self.left_row)? {
                        self.end_left(*join, context);
                        continue;
                    }
                    self.left_matched = false;
                    self.phase = Phase::Correlate;
                }
                Phase::Correlate => self.correlate(correlation, context)?,
                Phase::Right => {
                    if !self.right.next(context, &mut self.right_row)? {
                        self.phase = Phase::Left;
                        self.leave_left(*join, context);
                        if gives_left(*join) && !self.left_matched {
                            pad_right(row, &self.left_row, width);
                            return Ok(true);
                        }
                        continue;
                    }
                    concatenate(&mut self.joined, &self.left_row, &self.right_row);
                    if let Some(condition) = condition {
                        condition.evaluation.begin_row(context.state);
                    }
                    self.phase = Phase::Condition;
                }
                Phase::Condition => {
                    let holds = match condition {
                        Some(condition) => is_true(&condition.expr, &self.joined, context)?,
                        None => true,
                    };
                    self.phase = Phase::Right;
                    let at = self.right_at;
                    self.right_at += 1;
                    if *join == JoinType::Full {
                        self.right_matched.resize(self.right_matched.len().max(at + 1), false);
                        self.right_matched[at] |= holds;
                    }
                    if !holds {
                        continue;
                    }
                    self.left_matched = true;
                    if join.gives_left_alone() {
                        self.phase = Phase::Left;
                        self.leave_left(*join, context);
                    }
                    if give_match(*join, row, &mut self.left_row, &mut self.joined) {
                        return Ok(true);
                    }
                }
                Phase::Unmatched => {
                    if !self.right.next(context, &mut self.right_row)? {
                        self.phase = Phase::Done;
                        continue;
                    }
                    let matched = self.right_matched.get(self.right_at).copied().unwrap_or(false);
                    self.right_at += 1;
                    if !matched {
                        pad_left(row, &self.right_row, width);
                        return Ok(true);
                    }
                }
                Phase::Done => return Ok(false),
            }
        }
    }

    fn has_put_aside(&self) -> bool {
        self.left.has_put_aside()
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.left.rewind(context);
        self.identities.pass();
        self.phase = Phase::Left;
        self.right_matched.clear();
        self.right_state = RightState::Stale;
    }
}

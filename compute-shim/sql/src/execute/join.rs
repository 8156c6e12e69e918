//! Joins: a loop over the right side per left row, and a hash of the right side.
//!
//! Both keep the left row while the right side is being read, so a need in the middle loses nothing. FULL keeps which
//! right rows have matched and gives the others at the end.

use super::context::hash_of;
use super::{Context, KeptBytes, Operator, Row};
use crate::expression::{Expr, evaluate, is_true};
use crate::plan::{JoinType, Node};
use crate::stop::Step;
use hexalog_sql_types::Datum;
use hexalog_sql_types::datum::equal;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
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
        NestedLoop {
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

fn concatenate(out: &mut Row, left: &[Datum], right: &[Datum]) {
    out.clear();
    out.extend_from_slice(left);
    out.extend_from_slice(right);
}

fn pad_right(out: &mut Row, left: &[Datum], width: usize) {
    out.clear();
    out.extend_from_slice(left);
    out.resize(width, Datum::Null);
}

fn pad_left(out: &mut Row, right: &[Datum], width: usize) {
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
                        let unmatched = !self.left_matched;
                        match join {
                            JoinType::Left | JoinType::Full if unmatched => {
                                pad_right(row, &self.left_row, width);
                                return Ok(true);
                            }
                            _ => continue,
                        }
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
                    std::mem::swap(row, &mut self.joined);
                    return Ok(true);
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

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.left.rewind(context);
        self.phase = Phase::Left;
        self.right_matched.clear();
        self.right_state = RightState::Stale;
    }
}

type Buckets = HashMap<u64, Vec<usize>, BuildHasherDefault<DefaultHasher>>;

/// The hash join: the right side is read whole first.
pub(super) struct HashJoin {
    plan: Arc<Node>,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    is_built: bool,
    rows: Vec<Row>,
    keys: Vec<Row>,
    kept: KeptBytes,
    buckets: Buckets,
    matched: Vec<bool>,
    pending_right: Option<Row>,
    phase: Phase,
    left_row: Row,
    left_key: Row,
    candidates: Vec<usize>,
    at: usize,
    joined: Row,
    left_matched: bool,
}

impl HashJoin {
    pub(super) fn new(plan: Arc<Node>, left: Box<dyn Operator>, right: Box<dyn Operator>) -> HashJoin {
        HashJoin {
            plan,
            left,
            right,
            is_built: false,
            rows: Vec::new(),
            keys: Vec::new(),
            kept: KeptBytes::worked_on("One side of a join"),
            buckets: Buckets::default(),
            matched: Vec::new(),
            pending_right: None,
            phase: Phase::Left,
            left_row: Row::new(),
            left_key: Row::new(),
            candidates: Vec::new(),
            at: 0,
            joined: Row::new(),
            left_matched: false,
        }
    }

    fn build(&mut self, context: &mut Context<'_>) -> Step<()> {
        let plan = self.plan.clone();
        let Node::HashJoin { right_keys, .. } = &*plan else { unreachable!("built for hash joins") };
        loop {
            if self.pending_right.is_none() {
                let mut row = Row::new();
                if !self.right.next(context, &mut row)? {
                    break;
                }
                right_keys.evaluation.begin_row(context.state);
                self.pending_right = Some(row);
            }
            let row = self.pending_right.as_ref().expect("set above");
            let mut key = Row::with_capacity(right_keys.items.len());
            for item in &right_keys.items {
                key.push(evaluate(item, row, context)?);
            }
            let row = self.pending_right.take().expect("set above");
            self.kept.add(&row)?;
            self.kept.add(&key)?;
            if let Some(hash) = hash_key(right_keys.items.iter().map(|item| item.type_id), &key) {
                self.buckets.entry(hash).or_default().push(self.rows.len());
            }
            self.rows.push(row);
            self.keys.push(key);
        }
        self.matched = vec![false; self.rows.len()];
        self.is_built = true;
        Ok(())
    }

    /// The right rows whose keys equal the left row's.
    fn find_candidates(&mut self, left_keys: &[Expr], context: &mut Context<'_>) -> Step<()> {
        self.left_key.clear();
        for item in left_keys {
            self.left_key.push(evaluate(item, &self.left_row, context)?);
        }
        let types = left_keys.iter().map(|item| item.type_id);
        let bucket = hash_key(types, &self.left_key).and_then(|hash| self.buckets.get(&hash));
        self.candidates.clear();
        for &candidate in bucket.into_iter().flatten() {
            let mut same = left_keys.iter().zip(&self.left_key).zip(&self.keys[candidate]);
            if same.all(|((item, left), right)| equal(item.type_id, left, right)) {
                self.candidates.push(candidate);
            }
        }
        self.at = 0;
        self.left_matched = false;
        self.phase = Phase::Right;
        Ok(())
    }

    /// The next right row that has matched nothing.
    fn next_unmatched(&mut self, width: usize, row: &mut Row) -> bool {
        let found = (self.at..self.matched.len()).find(|&at| !self.matched[at]);
        self.at = found.map_or(self.matched.len(), |at| at + 1);
        if let Some(at) = found {
            pad_left(row, &self.rows[at], width);
        }
        found.is_some()
    }
}

/// `None` if a part is NULL, which equals nothing.
fn hash_key(types: impl Iterator<Item = hexalog_sql_types::TypeId>, key: &[Datum]) -> Option<u64> {
    let mut hash = 0u64;
    for (type_id, value) in types.zip(key) {
        if value.is_null() {
            return None;
        }
        hash = hash.rotate_left(5) ^ hash_of(type_id, value);
    }
    Some(hash)
}

impl Operator for HashJoin {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        if !self.is_built {
            self.build(context)?;
        }
        let plan = self.plan.clone();
        let Node::HashJoin { join, left_keys, condition, .. } = &*plan else {
            unreachable!("built for hash joins");
        };
        let width = plan.width();
        loop {
            match self.phase {
                Phase::Left => {
                    if !self.left.next(context, &mut self.left_row)? {
                        self.phase = if *join == JoinType::Full { Phase::Unmatched } else { Phase::Done };
                        self.at = 0;
                        continue;
                    }
                    left_keys.evaluation.begin_row(context.state);
                    self.phase = Phase::Correlate;
                }
                Phase::Correlate => self.find_candidates(&left_keys.items, context)?,
                Phase::Right => {
                    let Some(&candidate) = self.candidates.get(self.at) else {
                        self.phase = Phase::Left;
                        match join {
                            JoinType::Left | JoinType::Full if !self.left_matched => {
                                pad_right(row, &self.left_row, width);
                                return Ok(true);
                            }
                            _ => continue,
                        }
                    };
                    context.count_row()?;
                    concatenate(&mut self.joined, &self.left_row, &self.rows[candidate]);
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
                    let candidate = self.candidates[self.at];
                    self.at += 1;
                    self.phase = Phase::Right;
                    if !holds {
                        continue;
                    }
                    self.left_matched = true;
                    self.matched[candidate] = true;
                    std::mem::swap(row, &mut self.joined);
                    return Ok(true);
                }
                Phase::Unmatched => {
                    if self.next_unmatched(width, row) {
                        return Ok(true);
                    }
                    self.phase = Phase::Done;
                }
                Phase::Done => return Ok(false),
            }
        }
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.left.rewind(context);
        self.right.rewind(context);
        self.is_built = false;
        self.rows.clear();
        self.keys.clear();
        self.kept.clear();
        self.buckets.clear();
        self.pending_right = None;
        self.phase = Phase::Left;
    }
}

//! Recursive common tables: rounds over the rows of the round before.
//!
//! Rows are given as they come up, so a LIMIT above ends a recursion that would not end by itself. What one gives is kept by the
//! common table, so it is bounded here.

use super::sort::RowSet;
use super::{Context, KeptBytes, Operator, Row};
use crate::plan::Node;
use crate::stop::Step;
use hexalog_sql_types::operator::check_hashable;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Base,
    Step,
    Done,
}

/// The recursion.
pub(super) struct Recursive {
    plan: Arc<Node>,
    base: Box<dyn Operator>,
    step: Box<dyn Operator>,
    phase: Phase,
    /// The rows of this round.
    fresh: Vec<Row>,
    seen: RowSet,
    kept: KeptBytes,
}

impl Recursive {
    pub(super) fn new(plan: Arc<Node>, base: Box<dyn Operator>, step: Box<dyn Operator>) -> Recursive {
        Recursive {
            plan,
            base,
            step,
            phase: Phase::Base,
            fresh: Vec::new(),
            seen: RowSet::default(),
            kept: KeptBytes::new("A recursive query"),
        }
    }

    /// Makes the rows of this round those that the next one reads.
    fn begin_round(&mut self, context: &mut Context<'_>) {
        let plan = self.plan.clone();
        let Node::Recursive { id, inner_common, inner_subplans, .. } = &*plan else {
            unreachable!("built for recursion")
        };
        let id = *id;
        if self.fresh.is_empty() {
            self.phase = Phase::Done;
            context.state.common[id].working = Vec::new();
            return;
        }
        context.state.common[id].working = std::mem::take(&mut self.fresh);
        context.renew(inner_common, inner_subplans);
        self.step.rewind(context);
        self.phase = Phase::Step;
    }
}

impl Operator for Recursive {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::Recursive { types, distinct, .. } = &*plan else { unreachable!("built for recursion") };
        loop {
            let input = match self.phase {
                Phase::Base => &mut self.base,
                Phase::Step => &mut self.step,
                Phase::Done => return Ok(false),
            };
            if !input.next(context, row)? {
                self.begin_round(context);
                continue;
            }
            if *distinct {
                // Rows are told apart by a hash, and never compared where it differs.
                row.iter().try_for_each(check_hashable)?;
                let count = self.seen.entry(types, row)?;
                *count += 1;
                if *count > 1 {
                    continue;
                }
            }
            self.kept.add(row)?;
            self.fresh.push(row.clone());
            return Ok(true);
        }
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.base.rewind(context);
        self.phase = Phase::Base;
        self.fresh.clear();
        self.seen = RowSet::default();
        self.kept.clear();
    }
}

/// The rows of the round before.
pub(super) struct WorkingScan {
    id: usize,
    at: usize,
}

impl WorkingScan {
    pub(super) fn new(id: usize) -> WorkingScan {
        WorkingScan { id, at: 0 }
    }
}

impl Operator for WorkingScan {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        context.count_row()?;
        let Some(found) = context.state.common[self.id].working.get(self.at) else { return Ok(false) };
        row.clone_from(found);
        self.at += 1;
        Ok(true)
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.at = 0;
    }
}

//! Recursive common tables: rounds over the rows of the round before.
//!
//! Rows are given as they come up, so a LIMIT above ends a recursion that would not end by itself. What one gives is kept by the
//! common table, so it is bounded here.

use super::sort::RowSet;
use super::{Context, Operator, Row};
use crate::plan::Node;
use crate::stop::Step;
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::sync::Arc;

/// Most bytes of rows that one recursion gives. All of them are kept in memory; a guess at what a statement may take.
const BYTES_MAX: usize = 256 << 20;

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
    bytes: usize,
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
            bytes: 0,
        }
    }

    /// Makes the rows of this round those that the next one reads.
    fn begin_round(&mut self, id: usize, context: &mut Context<'_>) {
        if self.fresh.is_empty() {
            self.phase = Phase::Done;
            context.state.common[id].working = Vec::new();
            return;
        }
        context.state.common[id].working = std::mem::take(&mut self.fresh);
        self.step.rewind(context);
        self.phase = Phase::Step;
    }
}

impl Operator for Recursive {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::Recursive { id, types, distinct, .. } = &*plan else { unreachable!("built for recursion") };
        loop {
            let input = match self.phase {
                Phase::Base => &mut self.base,
                Phase::Step => &mut self.step,
                Phase::Done => return Ok(false),
            };
            if !input.next(context, row)? {
                self.begin_round(*id, context);
                continue;
            }
            if *distinct {
                let count = self.seen.entry(types, row);
                *count += 1;
                if *count > 1 {
                    continue;
                }
            }
            self.bytes += row.iter().map(size).sum::<usize>();
            if self.bytes > BYTES_MAX {
                return Err(too_large().into());
            }
            self.fresh.push(row.clone());
            return Ok(true);
        }
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.base.rewind(context);
        self.phase = Phase::Base;
        self.fresh.clear();
        self.seen = RowSet::default();
        self.bytes = 0;
    }
}

fn too_large() -> SqlError {
    SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory")
        .with_detail(format!("A recursive query has given more than {} MB of rows.", BYTES_MAX >> 20))
}

/// Bytes that a value takes, roughly.
fn size(value: &Datum) -> usize {
    let own = std::mem::size_of::<Datum>();
    own + match value {
        Datum::Text(text) => text.len(),
        Datum::Bytea(bytes) => bytes.len(),
        Datum::Array(array) => array.values.iter().map(size).sum(),
        Datum::Record(record) => record.values.iter().map(size).sum(),
        _ => 0,
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

//! What nodes come to while they run: rows, loops, time and pages, for EXPLAIN ANALYZE.
//!
//! Owns [`Measure`] and the operator that takes it. A node's time is that of all below it too, waits included: it runs
//! from the call that a need has stopped to the call that answers. Rows that a filter has taken away are the node's own.

use super::{Columns, Context, Operator, Row};
use crate::stop::{Step, Stop};
use crate::stores::LocalPages;
use hexalog_engine::PagesUsed;

/// What a sort has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SortSpace {
    pub method: SortMethod,
    pub bytes: u64,
}

/// How it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortMethod {
    Memory,
    /// In memory, and only rows that were wanted were kept.
    FirstRows,
    Disk,
}

/// What one node has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    pub rows: u64,
    pub loops: u64,
    /// Until the first row (or the end) of each loop, and in all, in microseconds; zero if no time is taken.
    pub startup_us: u64,
    pub total_us: u64,
    /// Rows that its filter has taken away.
    pub filtered: u64,
    pub pages: PagesUsed,
    pub local: LocalPages,
    /// Of its last loop.
    pub sort: Option<SortSpace>,
}

/// The measures of a statement's nodes.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    pub nodes: Vec<Measure>,
    pub takes_time: bool,
    /// Rows that filters have taken away in the innermost node that runs.
    pub filtered: u64,
    /// What the innermost node that runs has sorted.
    pub sort: Option<SortSpace>,
}

/// Measures the operator below.
pub(super) struct Measured {
    input: Box<dyn Operator>,
    id: usize,
    /// The loop has been begun.
    is_begun: bool,
    /// It has given a row, or come to its end.
    has_given: bool,
    /// When the call began that has not been answered yet.
    called_us: Option<i64>,
}

impl Measured {
    pub(super) fn new(input: Box<dyn Operator>, id: usize) -> Measured {
        Measured { input, id, is_begun: false, has_given: false, called_us: None }
    }

    fn now(context: &Context<'_>) -> i64 {
        if context.state.measures.takes_time { context.environment.wall_clock_us() } else { 0 }
    }

    fn restart(&mut self) {
        self.is_begun = false;
        self.has_given = false;
        self.called_us = None;
    }

    /// Runs a call of the input, which says how many rows it has given; `None` if it gives none this way.
    fn measure(
        &mut self,
        context: &mut Context<'_>,
        call: impl FnOnce(&mut dyn Operator, &mut Context<'_>) -> Step<Option<usize>>,
    ) -> Step<bool> {
        if !std::mem::replace(&mut self.is_begun, true) {
            context.state.measures.nodes[self.id].loops += 1;
        }
        let called_us = *self.called_us.get_or_insert_with(|| Measured::now(context));
        let pages = context.stores.transaction.pages_used();
        let local = context.stores.temporary.pages_used();
        let outer = std::mem::take(&mut context.state.measures.filtered);
        let outer_sort = context.state.measures.sort.take();
        let result = call(&mut *self.input, context);
        let filtered = std::mem::replace(&mut context.state.measures.filtered, outer);
        let sort = std::mem::replace(&mut context.state.measures.sort, outer_sort);
        let used = context.stores.transaction.pages_used();
        let local_used = context.stores.temporary.pages_used();
        let spent_us = match &result {
            Err(Stop::Need(_)) => 0,
            _ => u64::try_from(Measured::now(context) - called_us).unwrap_or(0),
        };
        let measure = &mut context.state.measures.nodes[self.id];
        measure.filtered += filtered;
        measure.sort = sort.or(measure.sort);
        measure.pages.add(&used.since(&pages));
        measure.local.add(&local_used.since(&local));
        measure.total_us += spent_us;
        if let Ok(None) = &result {
            self.called_us = None;
            // Who finds none this way is asked for one by itself next.
            if !self.has_given {
                measure.startup_us += spent_us;
            }
        }
        if let Ok(Some(found)) = &result {
            self.called_us = None;
            measure.rows += *found as u64;
            if !std::mem::replace(&mut self.has_given, true) {
                measure.startup_us += spent_us;
            }
        }
        Ok(result?.is_some_and(|found| found > 0))
    }
}

impl Operator for Measured {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        self.measure(context, |input, context| Ok(Some(usize::from(input.next(context, row)?))))
    }

    fn next_columns(&mut self, context: &mut Context<'_>, columns: &mut Columns) -> Step<bool> {
        self.measure(context, |input, context| {
            Ok(input.next_columns(context, columns)?.then_some(columns.rows))
        })
    }

    fn bound(&mut self, rows: usize) {
        self.input.bound(rows);
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.restart();
        self.input.rewind(context);
    }

    fn repeat(&mut self, context: &mut Context<'_>) {
        self.restart();
        self.input.repeat(context);
    }
}

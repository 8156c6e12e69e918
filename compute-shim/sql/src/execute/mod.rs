//! Execution: pull machines over the engine.
//!
//! Owns [`Operator`] and [`build`], which makes operators from a plan's nodes. Every call of `next` may stop for a
//! need; the operator keeps what it has and goes on when called again, so that nothing with effects happens twice.
//! `context.rs` holds what every operator is given, `scan.rs` reads tables, `scan_filter.rs` tests their rows, `columns.rs` holds those that come together, `join.rs`, `hash_join.rs`, `aggregate.rs`, `sort.rs`,
//! `window.rs`, `recursive.rs`, `relation.rs` combine rows, `lock_rows.rs` locks them, `identities.rs` holds which those are, `modify.rs`, `insert.rs` and
//! `row_writer.rs` change them, `measure.rs` counts what nodes come to, `referential.rs` settles what foreign keys ask for afterwards, `unique.rs` looks for rows that have a key, `sorter.rs`, `partitions.rs` and `temporary_file.rs` put aside what does not fit `work_mem`, `deferred.rs` keeps what waits for the commit, `stored_row.rs` encodes and decodes them, `version_column.rs` says what stands for their `xmin`. Never chooses a plan.

mod aggregate;
mod aggregate_columns;
mod columns;
mod context;
mod deferred;
mod hash_join;
mod identities;
mod insert;
mod join;
mod kept_bytes;
mod key_range;
mod lock_rows;
mod measure;
mod modify;
mod partitions;
mod recursive;
mod referential;
mod relation;
mod row_writer;
mod scan;
mod scan_filter;
mod set_operation;
mod sliced_sort;
mod sort;
mod sorter;
mod stored_row;
mod subplan_table;
mod temporary_file;
mod unique;
mod version_column;
mod window;
mod window_frame;

pub(crate) use columns::Columns;
pub(crate) use context::{Context, Effects, RowKeys, RowPlace, RowsChanged, State};
pub(crate) use deferred::{DeferredMark, constraints_named};
pub(crate) use kept_bytes::KeptBytes;
pub(crate) use measure::{Measure, SortMethod, SortSpace};
pub(crate) use referential::{Settlement, key_missing, settle_references, validation_query};
pub(crate) use row_writer::{
    Entered, Inserted, RowWriter, check_key_bytes, check_not_null, check_violation, compute_generated,
    duplicate_key, has_entry, index_key, insert_entry, key_part, primary_key, shown_key,
};
pub(crate) use stored_row::{RowEncoder, column_in_memory, decode_row};
pub(crate) use subplan_table::is_looked_up;
pub(crate) use temporary_file::TemporaryUsage;
pub(crate) use unique::FirstTaken;

use crate::nesting::with_room_for_levels;
use crate::plan::Node;
use crate::stop::Step;
use hexalog_sql_types::Datum;
use std::sync::Arc;

/// The values of one row.
pub(crate) type Row = Vec<Datum>;

/// A pull machine.
pub(crate) trait Operator: Send {
    /// Puts the next row into `row`, or answers false at the end. After a need it is called again with any row buffer.
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool>;

    /// The next rows as columns. False: they do not come so, or not now, and [`Operator::next`] is to be asked for one. The two may be
    /// asked in any turn.
    fn next_columns(&mut self, context: &mut Context<'_>, columns: &mut Columns) -> Step<bool> {
        let _ = (context, columns);
        Ok(false)
    }

    /// No more than so many rows will be asked for until it starts anew. Said before the first of them; what it saves is its own matter.
    fn bound(&mut self, rows: usize) {
        let _ = rows;
    }

    /// Whether rows wait in it that were taken from below before: whatever belongs to them is still wanted.
    fn has_put_aside(&self) -> bool {
        false
    }

    /// Starts anew; values in slots may have changed.
    fn rewind(&mut self, context: &mut Context<'_>);

    /// Starts anew with the same values in all slots, so that kept rows are still right.
    fn repeat(&mut self, context: &mut Context<'_>) {
        self.rewind(context);
    }
}

/// Plans of fewer levels run on the stack that there is.
const LEVELS_PLAIN: usize = 16;

/// The operator of a plan that is deep: it runs with room on the stack.
struct Deep {
    levels: usize,
    inner: Box<dyn Operator>,
}

impl Operator for Deep {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        with_room_for_levels(self.levels, || self.inner.next(context, row))
    }

    fn next_columns(&mut self, context: &mut Context<'_>, columns: &mut Columns) -> Step<bool> {
        with_room_for_levels(self.levels, || self.inner.next_columns(context, columns))
    }

    fn bound(&mut self, rows: usize) {
        with_room_for_levels(self.levels, || self.inner.bound(rows));
    }

    fn has_put_aside(&self) -> bool {
        with_room_for_levels(self.levels, || self.inner.has_put_aside())
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        with_room_for_levels(self.levels, || self.inner.rewind(context));
    }

    fn repeat(&mut self, context: &mut Context<'_>) {
        with_room_for_levels(self.levels, || self.inner.repeat(context));
    }
}

/// The operator of a plan, or of one of its parts.
pub(crate) fn build(root: &Arc<Node>, levels: usize) -> Box<dyn Operator> {
    match levels <= LEVELS_PLAIN {
        true => operator(root),
        false => {
            let inner = with_room_for_levels(levels, || operator(root));
            Box::new(Deep { levels, inner })
        }
    }
}

/// The operator of a node, with those below it.
fn operator(node: &Arc<Node>) -> Box<dyn Operator> {
    let plan = node.clone();
    match &**node {
        Node::Nothing => Box::new(relation::Nothing::default()),
        Node::Values { .. } => Box::new(relation::Values::new(plan)),
        Node::Scan(_) => Box::new(scan::TableScan::new(plan)),
        Node::System { .. } => Box::new(relation::SystemScan::new(plan)),
        Node::Functions { .. } => Box::new(relation::FunctionScan::new(plan)),
        Node::Filter { input, .. } => Box::new(relation::Filter::new(plan.clone(), operator(input))),
        Node::Project { input, .. } => Box::new(relation::Project::new(plan.clone(), operator(input))),
        Node::ProjectSet { input, .. } => Box::new(relation::ProjectSet::new(plan.clone(), operator(input))),
        Node::NestedLoop { left, right, .. } => {
            Box::new(join::NestedLoop::new(plan.clone(), operator(left), operator(right)))
        }
        Node::HashJoin { left, right, .. } => {
            Box::new(hash_join::HashJoin::new(plan.clone(), operator(left), operator(right)))
        }
        Node::Measured { input, id } => Box::new(measure::Measured::new(operator(input), *id)),
        Node::Materialize { input } => Box::new(relation::Materialize::new(operator(input))),
        Node::Aggregate { input, .. } => Box::new(aggregate::Aggregate::new(plan.clone(), operator(input))),
        Node::Window { input, .. } => Box::new(window::Window::new(plan.clone(), operator(input))),
        Node::Sort { input, .. } => Box::new(sort::Sort::new(plan.clone(), operator(input))),
        Node::Distinct { input, .. } => Box::new(sort::Distinct::new(plan.clone(), operator(input))),
        Node::Limit { input, .. } => Box::new(relation::Limit::new(plan.clone(), operator(input))),
        Node::LockRows { input, .. } => Box::new(lock_rows::LockRows::new(plan.clone(), operator(input))),
        Node::Append { inputs } => Box::new(relation::Append::new(inputs.iter().map(operator).collect())),
        Node::SetOperation { left, right, .. } => {
            Box::new(set_operation::SetOperation::new(plan.clone(), operator(left), operator(right)))
        }
        Node::Recursive { base, step, .. } => {
            Box::new(recursive::Recursive::new(plan.clone(), operator(base), operator(step)))
        }
        Node::Working { id, .. } => Box::new(recursive::WorkingScan::new(*id)),
        Node::Common { id, .. } => Box::new(relation::CommonScan::new(*id)),
        Node::Insert { source, .. } => Box::new(insert::Insert::new(plan.clone(), operator(source))),
        Node::Update { input, .. } | Node::Delete { input, .. } => {
            Box::new(modify::Modify::new(plan.clone(), operator(input)))
        }
        Node::Join { .. } | Node::SemiJoin { .. } => unreachable!("the planner has replaced logical joins"),
    }
}

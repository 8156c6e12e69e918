//! Reading a table: by key, by ranges of its clustered tree, or through a secondary index.
//!
//! An index entry is only a candidate: the row version visible to the statement must have the entry's key, else it is no
//! hit (`ENGINE.md` section 1). Read next: `key_range.rs` for the ranges.

use super::key_range::{KeyRange, ranges};
use super::{Context, Operator, Row, index_key};
use crate::catalog::object::Table;
use crate::expression::is_true;
use crate::plan::{Node, Scan};
use crate::stop::Step;
use hexalog_engine::{Cursor, Direction, IndexEntry, RowBuffer};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState};
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

/// What is done for the current row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Ranges are not computed yet.
    Start,
    /// The next row is wanted.
    Advance,
    /// An index entry waits for its row.
    Fetch,
    /// The row is decoded; the filter is being evaluated.
    Filter,
}

/// The scan operator.
pub(super) struct TableScan {
    plan: Arc<Node>,
    phase: Phase,
    ranges: VecDeque<KeyRange>,
    cursor: Option<Cursor>,
    entry: IndexEntry,
    stored: RowBuffer,
    row: Row,
    key_scratch: Vec<u8>,
}

/// Decodes the wanted columns of a stored row into `row`, which gets one value per column of the table.
pub(crate) fn decode_row(table: &Table, stored: &RowBuffer, columns: &[usize], row: &mut Row) -> Result<()> {
    row.clear();
    row.resize(table.columns.len(), Datum::Null);
    for &column in columns {
        row[column] = match table.layout.get(&stored.body, stored.columns, column)? {
            Some(value) => value,
            None => table.columns[column].missing.clone(),
        };
    }
    Ok(())
}

/// 40001 for a REPEATABLE READ transaction whose snapshot is older than a rewrite of the table: its rows are no longer
/// where that snapshot would see them, and an empty table would be a wrong answer.
fn check_rows(table: &Table, context: &Context<'_>) -> Result<()> {
    let snapshot = context.transaction.snapshot().expect("a statement has a snapshot");
    // The rewriting transaction itself sees its own rows.
    if table.rows_from == hexalog_protocol::Lsn::MAX || table.rows_from <= snapshot {
        return Ok(());
    }
    let message = "could not serialize access due to a concurrent rewrite of the table";
    Err(SqlError::new(SqlState::SERIALIZATION_FAILURE, message)
        .with_table(context.view.catalog().schema_name(table.schema), &table.name))
}

impl TableScan {
    pub(super) fn new(plan: Arc<Node>) -> TableScan {
        TableScan {
            plan,
            phase: Phase::Start,
            ranges: VecDeque::new(),
            cursor: None,
            entry: IndexEntry::default(),
            stored: RowBuffer::new(),
            row: Row::new(),
            key_scratch: Vec::new(),
        }
    }

    fn scan(&self) -> &Scan {
        match &*self.plan {
            Node::Scan(scan) => scan,
            _ => unreachable!("built for scans"),
        }
    }

    fn start(&mut self, context: &mut Context<'_>) -> Step<()> {
        let scan = self.scan();
        check_rows(&scan.table, context)?;
        let found = match &scan.access {
            Some(access) => ranges(&scan.table, access, context)?,
            None => vec![KeyRange::Between(Bound::Unbounded, Bound::Unbounded)],
        };
        let backward = scan.backward;
        self.ranges = found.into();
        if backward {
            self.ranges.make_contiguous().reverse();
        }
        self.cursor = None;
        self.phase = Phase::Advance;
        Ok(())
    }

    /// Moves to the next stored row (or index entry); false at the end.
    fn advance(&mut self, context: &mut Context<'_>) -> Step<bool> {
        context.count_row()?;
        let plan = self.plan.clone();
        let Node::Scan(scan) = &*plan else { unreachable!("built for scans") };
        let index = scan.access.as_ref().and_then(|access| scan.table.indexes[access.index].tree);
        loop {
            if let Some(cursor) = &mut self.cursor {
                let found = match index {
                    Some(_) => context.engine.index_next(context.transaction, cursor, &mut self.entry)?,
                    None => context.engine.cursor_next(context.transaction, cursor, &mut self.stored)?,
                };
                if found {
                    self.phase = if index.is_some() { Phase::Fetch } else { Phase::Filter };
                    return Ok(true);
                }
                self.cursor = None;
            }
            match self.ranges.front() {
                None => return Ok(false),
                Some(KeyRange::Point(key)) => {
                    let found =
                        context.engine.get(context.transaction, scan.table.tree, key, &mut self.stored)?;
                    let Some(KeyRange::Point(key)) = self.ranges.pop_front() else {
                        unreachable!("seen above")
                    };
                    if found {
                        self.stored.key = key;
                        self.phase = Phase::Filter;
                        return Ok(true);
                    }
                }
                Some(KeyRange::Between(lower, upper)) => {
                    let tree = index.unwrap_or(scan.table.tree);
                    let direction = if scan.backward { Direction::Backward } else { Direction::Forward };
                    let (lower, upper) =
                        (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
                    self.cursor = Some(Cursor::new(tree, lower, upper, direction));
                    self.ranges.pop_front();
                }
            }
        }
    }

    /// Fetches an index entry's row; false if the entry is no hit.
    fn fetch(&mut self, context: &mut Context<'_>) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::Scan(scan) = &*plan else { unreachable!("built for scans") };
        let table = &scan.table;
        let access = scan.access.as_ref().expect("entries come from an index");
        let index = &table.indexes[access.index];
        let key = &self.entry.primary_key;
        if !context.engine.get(context.transaction, table.tree, key, &mut self.stored)? {
            return Ok(false);
        }
        self.stored.key.clone_from(key);
        let columns: Vec<usize> = index.columns.iter().map(|column| column.column).collect();
        decode_row(table, &self.stored, &columns, &mut self.row)?;
        self.key_scratch.clear();
        index_key(index, &self.row, &mut self.key_scratch)?;
        Ok(self.key_scratch == self.entry.key)
    }
}

impl Operator for TableScan {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        loop {
            match self.phase {
                Phase::Start => self.start(context)?,
                Phase::Advance => {
                    if !self.advance(context)? {
                        return Ok(false);
                    }
                    if self.phase == Phase::Filter {
                        self.begin_filter(context)?;
                    }
                }
                Phase::Fetch => {
                    let hit = self.fetch(context)?;
                    self.phase = Phase::Advance;
                    if hit {
                        self.phase = Phase::Filter;
                        self.begin_filter(context)?;
                    }
                }
                Phase::Filter => {
                    let plan = self.plan.clone();
                    let Node::Scan(scan) = &*plan else { unreachable!("built for scans") };
                    if let Some(filter) = &scan.filter
                        && !is_true(&filter.expr, &self.row, context)?
                    {
                        self.phase = Phase::Advance;
                        continue;
                    }
                    self.phase = Phase::Advance;
                    if scan.with_identity {
                        let number = i64::try_from(context.state.identities.len()).expect("rows fit memory");
                        let key = self.stored.key.as_slice().into();
                        context.state.identities.push((key, self.stored.version));
                        self.row.push(Datum::Int8(number));
                    }
                    std::mem::swap(row, &mut self.row);
                    return Ok(true);
                }
            }
        }
    }

    fn rewind(&mut self, _: &mut Context<'_>) {
        self.phase = Phase::Start;
        self.cursor = None;
    }
}

impl TableScan {
    fn begin_filter(&mut self, context: &mut Context<'_>) -> Result<()> {
        let Node::Scan(scan) = &*self.plan else { unreachable!("built for scans") };
        decode_row(&scan.table, &self.stored, &scan.columns, &mut self.row)?;
        if let Some(filter) = &scan.filter {
            filter.evaluation.begin_row(context.state);
        }
        Ok(())
    }
}

//! Reading a table: by key, by ranges of its clustered tree, or through a secondary index.
//!
//! An index entry is only a candidate: the row version visible to the statement must have the entry's key, else it is no
//! hit. Read next: `key_range.rs` for the ranges.

use super::identities::Identity;
use super::key_range::{KeyRange, ranges};
use super::scan_filter::ScanFilter;
use super::stored_row::{column_in_memory, decode_long, decode_row, long_columns};
use super::{Context, Operator, Row, RowPlace, has_entry, index_key, version_column};
use crate::catalog::object::Table;
use crate::plan::{Node, Scan};
use crate::relation_statistics::Counted;
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
    /// The row is there.
    Begin,
    /// The filter is being evaluated.
    Filter,
    /// What is wanted of a row that passes is decoded.
    Finish,
}

/// The scan operator.
pub(super) struct TableScan {
    plan: Arc<Node>,
    filter: ScanFilter,
    /// Columns that someone above reads and the filter does not.
    rest: Vec<usize>,
    phase: Phase,
    /// Where it counts what it reads, if it does.
    counted: Option<Counted>,
    ranges: VecDeque<KeyRange>,
    cursor: Option<Cursor>,
    entry: IndexEntry,
    stored: RowBuffer,
    row: Row,
    key_scratch: Vec<u8>,
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

fn scan_of(plan: &Node) -> &Scan {
    match plan {
        Node::Scan(scan) => scan,
        _ => unreachable!("built for scans"),
    }
}

impl TableScan {
    pub(super) fn new(plan: Arc<Node>) -> TableScan {
        let scan = scan_of(&plan);
        let in_filter = |column: &usize| scan.filter_columns.contains(column);
        let rest = scan.columns.iter().copied().filter(|column| !in_filter(column)).collect();
        TableScan {
            filter: ScanFilter::new(scan),
            rest,
            plan,
            phase: Phase::Start,
            counted: None,
            ranges: VecDeque::new(),
            cursor: None,
            entry: IndexEntry::default(),
            stored: RowBuffer::new(),
            row: Row::new(),
            key_scratch: Vec::new(),
        }
    }

    fn start(&mut self, context: &mut Context<'_>) -> Step<()> {
        let scan = scan_of(&self.plan);
        check_rows(&scan.table, context)?;
        let found = match &scan.access {
            None if let Some(cursor) = &scan.cursor => {
                let place = context.view.row_at_cursor(cursor, &scan.table)?;
                place.map(|(place, _)| KeyRange::Point(place.key.to_vec())).into_iter().collect()
            }
            Some(access) => ranges(&scan.table, access, context)?,
            None => vec![KeyRange::Between(Bound::Unbounded, Bound::Unbounded)],
        };
        let index = scan.access.as_ref().map(|access| scan.table.indexes[access.index].oid);
        // PostgreSQL counts no look at the row of a cursor.
        self.counted = scan.cursor.is_none().then(|| context.state.counts.scan(scan.table.oid, index));
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
        let scan = scan_of(&self.plan);
        let index = scan.access.as_ref().and_then(|access| scan.table.indexes[access.index].tree);
        loop {
            if let Some(cursor) = &mut self.cursor {
                let found = match index {
                    Some(_) => context.engine.index_next(context.transaction, cursor, &mut self.entry)?,
                    None => context.engine.cursor_next(context.transaction, cursor, &mut self.stored)?,
                };
                if found {
                    if let Some(counted) = self.counted {
                        let reads = context.state.counts.reads(counted);
                        reads.entries += 1;
                        // An entry of another tree than the table's leads to a row yet.
                        reads.rows += u64::from(index.is_none());
                    }
                    self.phase = if index.is_some() { Phase::Fetch } else { Phase::Begin };
                    return Ok(true);
                }
                self.cursor = None;
            }
            match self.ranges.front() {
                None => return Ok(false),
                Some(KeyRange::Point(key)) => {
                    let found =
                        context.engine.get(context.transaction, scan.table.tree, key, &mut self.stored)?;
                    let found = found && is_at_cursor(scan, key, context)?;
                    let Some(KeyRange::Point(key)) = self.ranges.pop_front() else {
                        unreachable!("seen above")
                    };
                    if let Some(counted) = self.counted {
                        let reads = context.state.counts.reads(counted);
                        reads.scans += 1;
                        reads.entries += u64::from(found);
                        reads.rows += u64::from(found);
                    }
                    if found {
                        self.stored.key = key;
                        self.phase = Phase::Begin;
                        return Ok(true);
                    }
                }
                Some(KeyRange::Between(lower, upper)) => {
                    let tree = index.unwrap_or(scan.table.tree);
                    let direction = if scan.backward { Direction::Backward } else { Direction::Forward };
                    let (lower, upper) =
                        (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
                    if let Some(counted) = self.counted {
                        context.state.counts.reads(counted).scans += 1;
                    }
                    self.cursor = Some(Cursor::new(tree, lower, upper, direction));
                    self.ranges.pop_front();
                }
            }
        }
    }

    /// Fetches an index entry's row; false if the entry is no hit.
    fn fetch(&mut self, context: &mut Context<'_>) -> Step<bool> {
        let scan = scan_of(&self.plan);
        let table = &scan.table;
        let access = scan.access.as_ref().expect("entries come from an index");
        let index = &table.indexes[access.index];
        let key = &self.entry.primary_key;
        if !context.engine.get(context.transaction, table.tree, key, &mut self.stored)? {
            return Ok(false);
        }
        self.stored.key.clone_from(key);
        let Context { engine, transaction, .. } = context;
        decode_row(engine, transaction, table, &mut self.stored, &index.reads, &mut self.row)?;
        self.key_scratch.clear();
        index_key(index, &self.row, &mut self.key_scratch)?;
        let is_hit = self.key_scratch == self.entry.key && has_entry(index, &self.row)?;
        if let (true, Some(counted)) = (is_hit, self.counted) {
            context.state.counts.reads(counted).rows += 1;
        }
        Ok(is_hit)
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
                }
                Phase::Fetch => {
                    let hit = self.fetch(context)?;
                    self.phase = if hit { Phase::Begin } else { Phase::Advance };
                }
                Phase::Begin => {
                    self.begin_row(context)?;
                    self.phase = Phase::Filter;
                }
                Phase::Filter => {
                    let scan = scan_of(&self.plan);
                    if self.filter.passes(scan, &mut self.stored, &mut self.row, context)? {
                        self.phase = Phase::Finish;
                    } else {
                        context.state.measures.filtered += 1;
                        self.phase = Phase::Advance;
                    }
                }
                Phase::Finish => {
                    let scan = scan_of(&self.plan);
                    match &scan.output {
                        Some(output) if self.stored.chains.is_empty() => {
                            give(scan, output, &self.stored, &mut self.row, row)?;
                        }
                        _ => {
                            self.finish_row(context)?;
                            match &scan_of(&self.plan).output {
                                None => std::mem::swap(row, &mut self.row),
                                Some(output) => {
                                    row.clear();
                                    row.extend(output.iter().map(|&at| std::mem::take(&mut self.row[at])));
                                }
                            }
                        }
                    }
                    self.phase = Phase::Advance;
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
    /// Makes room for the row's values.
    fn begin_row(&mut self, context: &mut Context<'_>) -> Result<()> {
        let scan = scan_of(&self.plan);
        let row = &mut self.row;
        let width = scan.table.columns.len();
        // A row that is given in part stays here: of the last one nothing is left but what the filter reads anew.
        if scan.output.is_none() || row.len() != width {
            row.clear();
            row.resize(width, Datum::Null);
        }
        if scan.with_versions {
            // The identity takes its place once the row has passed.
            row.extend(scan.with_identity.then_some(Datum::Null));
            row.extend(version_column::of_stored(&scan.table, &self.stored, context.plan)?);
        }
        self.filter.begin_row(scan, context);
        Ok(())
    }

    /// The row has passed: reads what is wanted beside the filter's columns, and notes the row if it is to be changed.
    fn finish_row(&mut self, context: &mut Context<'_>) -> Step<()> {
        let scan = scan_of(&self.plan);
        let stored = &mut self.stored;
        for &column in &self.rest {
            // What is in overflow follows.
            if let Ok(value) = column_in_memory(&scan.table, stored, column)? {
                self.row[column] = value;
            }
        }
        if !stored.chains.is_empty() {
            let Context { engine, transaction, .. } = context;
            decode_long(engine, transaction, &scan.table, stored, &scan.long_columns, &mut self.row)?;
        }
        if let Some(keys) = context.state.keys_of(&self.plan) {
            keys.clear();
            let (table, version) = (scan.table.oid, stored.version);
            keys.push(RowPlace { table, key: stored.key.as_slice().into(), version });
        }
        if scan.with_identity {
            let number = i64::try_from(context.state.identities.count()).expect("rows fit memory");
            let (key, version) = (stored.key.as_slice().into(), stored.version);
            let long = long_columns(&scan.table, stored)?;
            context.state.identities.push(Identity { key, version, long })?;
            match scan.with_versions {
                true => self.row[scan.table.columns.len()] = Datum::Int8(number),
                false => self.row.push(Datum::Int8(number)),
            }
        }
        Ok(())
    }
}

/// Gives what is wanted of a row that has passed, and of which nothing is in overflow. `own` has what the filter has read.
fn give(scan: &Scan, output: &[usize], stored: &RowBuffer, own: &mut Row, row: &mut Row) -> Result<()> {
    row.clear();
    // Kept rows are counted by what they hold.
    row.reserve_exact(output.len());
    for column in output {
        row.push(match scan.filter_columns.contains(column) {
            true => std::mem::take(&mut own[*column]),
            false => match column_in_memory(&scan.table, stored, *column)? {
                Ok(value) => value,
                Err(place) => unreachable!("a row without chains names the one at {place}"),
            },
        });
    }
    Ok(())
}

/// Whether the row under a key is the one that the cursor of WHERE CURRENT OF stands on, and none that has come since.
fn is_at_cursor(scan: &Scan, key: &[u8], context: &mut Context<'_>) -> Step<bool> {
    let Some(cursor) = &scan.cursor else { return Ok(true) };
    let Some((place, snapshot)) = context.view.row_at_cursor(cursor, &scan.table)? else { return Ok(false) };
    let (engine, tree) = (context.engine, scan.table.tree);
    Ok(engine.is_row_seen(context.transaction, tree, key, place.version, snapshot)?)
}

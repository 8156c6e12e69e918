//! Filling an index from the rows that are there.
//!
//! Owns [`RowScan`], which reads a table under a definition's locks, and [`IndexBuild`]. Entries are sorted before they
//! are written, so that pages fill up one after the other, in batches of bounded size; a batch behind the first leaves
//! the look for duplicates to the engine.

use super::{DefinitionContext, Pace};
use crate::catalog::object::{Index, Table};
use crate::execute::{Row, decode_row, index_key, insert_entry};
use crate::stop::Step;
use hexalog_engine::{Cursor, Direction, RowBuffer, TreeId};
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::key;
use hexalog_sql_types::{SqlError, SqlState, text};
use std::collections::BTreeSet;
use std::ops::Bound;

/// Bytes of keys that are sorted at once. A guess: a million entries of short keys fit, with what the tree that sorts
/// them adds.
const BATCH_BYTES_MAX: usize = 32 << 20;

/// All rows of a table in order of their keys.
pub(super) struct RowScan {
    cursor: Cursor,
    stored: RowBuffer,
    /// The row at hand has not been handed out yet: its values are being read.
    has_row: bool,
    pace: Pace,
}

impl RowScan {
    pub(super) fn new(tree: TreeId) -> RowScan {
        let cursor = Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        RowScan { cursor, stored: RowBuffer::new(), has_row: false, pace: Pace::default() }
    }

    /// Decodes columns of the next row; false at the end. `table` may have columns more than the rows were stored with.
    pub(super) fn next(
        &mut self,
        context: &mut DefinitionContext<'_>,
        table: &Table,
        columns: &[usize],
        row: &mut Row,
    ) -> Step<bool> {
        let (engine, stored) = (context.engine, &mut self.stored);
        if !self.has_row {
            self.pace.row(context)?;
            if !engine.cursor_next(context.transaction, &mut self.cursor, stored)? {
                return Ok(false);
            }
            self.has_row = true;
        }
        decode_row(engine, context.transaction, table, stored, columns, row)?;
        self.has_row = false;
        Ok(true)
    }

    /// The key of the row that came last.
    pub(super) fn key(&self) -> &[u8] {
        &self.stored.key
    }
}

/// 23505 for rows that are there already.
pub(super) fn not_unique(
    context: &DefinitionContext<'_>,
    table: &Table,
    index: &Index,
    index_key: &[u8],
) -> SqlError {
    let schema = context.view.catalog().schema_name(table.schema);
    let message = format!("could not create unique index \"{}\"", index.name);
    let error = SqlError::new(SqlState::UNIQUE_VIOLATION, message)
        .with_table(schema, &table.name)
        .with_constraint(&index.name);
    let Ok(values) = key::decode(&index.key, index_key) else { return error };
    let (mut names, mut shown) = (Vec::new(), Vec::new());
    for (column, value) in index.columns.iter().zip(&values) {
        let column = &table.columns[column.column];
        names.push(quote_identifier(&column.name));
        shown.push(match value.is_null() {
            true => "null".to_owned(),
            false => text::output_string(&context.env, column.type_id, value),
        });
    }
    error.with_detail(format!("Key ({})=({}) is duplicated.", names.join(", "), shown.join(", ")))
}

/// An entry to be written: index key and row key, one behind the other. Sorted as the engine stores them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    bytes: Box<[u8]>,
    key_bytes: usize,
    has_null: bool,
}

impl Entry {
    fn key(&self) -> &[u8] {
        &self.bytes[..self.key_bytes]
    }
}

/// Builds one index of a table. The statement reads every row (`see_every_row`), and nobody else writes.
pub(super) struct IndexBuild {
    scan: RowScan,
    row: Row,
    columns: Vec<usize>,
    entries: BTreeSet<Entry>,
    bytes: usize,
    is_read: bool,
    is_writing: bool,
    batches_written: u32,
    /// The last key of the batch, to notice the next equal one.
    written: Option<Box<[u8]>>,
    pace: Pace,
}

impl IndexBuild {
    pub(super) fn new(table: &Table, index: &Index) -> IndexBuild {
        IndexBuild {
            scan: RowScan::new(table.tree),
            row: Row::new(),
            columns: index.columns.iter().map(|column| column.column).collect(),
            entries: BTreeSet::new(),
            bytes: 0,
            is_read: false,
            is_writing: false,
            batches_written: 0,
            written: None,
            pace: Pace::default(),
        }
    }

    /// Goes on; done when it answers.
    pub(super) fn run(
        &mut self,
        context: &mut DefinitionContext<'_>,
        table: &Table,
        index: &Index,
    ) -> Step<()> {
        loop {
            if self.is_writing {
                self.write(context, table, index)?;
                self.is_writing = false;
                self.batches_written += 1;
                self.written = None;
                self.bytes = 0;
            }
            if self.is_read {
                return Ok(());
            }
            self.read(context, table, index)?;
            self.is_writing = true;
        }
    }

    /// Fills a batch.
    fn read(&mut self, context: &mut DefinitionContext<'_>, table: &Table, index: &Index) -> Step<()> {
        while self.bytes < BATCH_BYTES_MAX {
            if !self.scan.next(context, table, &self.columns, &mut self.row)? {
                self.is_read = true;
                return Ok(());
            }
            let mut bytes = Vec::new();
            let has_null = index_key(index, &self.row, &mut bytes)?;
            let key_bytes = bytes.len();
            bytes.extend_from_slice(self.scan.key());
            self.bytes += bytes.len();
            self.entries.insert(Entry { bytes: bytes.into(), key_bytes, has_null });
        }
        Ok(())
    }

    /// Writes a batch out.
    fn write(&mut self, context: &mut DefinitionContext<'_>, table: &Table, index: &Index) -> Step<()> {
        while let Some(entry) = self.entries.first() {
            self.pace.row(context)?;
            let (key, row_key) = entry.bytes.split_at(entry.key_bytes);
            if index.unique && !entry.has_null && self.written.as_deref() == Some(key) {
                return Err(not_unique(context, table, index, key).into());
            }
            // Earlier batches are in the tree, where the engine looks for an equal key.
            let skips_check = self.batches_written == 0 || entry.has_null;
            let (engine, transaction) = (context.engine, &mut *context.transaction);
            if !insert_entry(engine, transaction, table, index, key, skips_check, row_key)? {
                return Err(not_unique(context, table, index, key).into());
            }
            let entry = self.entries.pop_first().expect("seen above");
            self.written = index.unique.then(|| entry.key().into());
        }
        Ok(())
    }
}

//! Rows as columns: what an operator gives whose rows lie side by side, to one that works on many at once.
//!
//! Owns [`Columns`]. Whoever takes them may always go back to rows ([`Columns::row`]), so that there is one meaning of everything: what
//! is computed by columns is what the evaluator gives of each row, or it is not computed by columns. Read next:
//! `aggregate_columns.rs`.

use super::Row;
use super::stored_row::unexpected_overflow;
use crate::catalog::object::Table;
use hexalog_engine::LeafRows;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{RawField, Values};

/// Values of some rows, column by column. Bounded by what a leaf holds.
#[derive(Default)]
pub(crate) struct Columns {
    pub rows: usize,
    pub columns: Vec<Values>,
}

impl Columns {
    /// Takes the wanted columns of the selected rows of a leaf.
    pub(super) fn fill(
        &mut self,
        table: &Table,
        wanted: &[usize],
        leaf: &LeafRows,
        selected: &[usize],
    ) -> Result<()> {
        let layout = &table.layout;
        if self.columns.len() != wanted.len() {
            self.columns = wanted.iter().map(|&column| Values::new(layout.types()[column])).collect();
        }
        self.rows = selected.len();
        for (values, &column) in self.columns.iter_mut().zip(wanted) {
            values.clear();
            for &at in selected {
                let (stored, body) = leaf.columns_and_body(at);
                match layout.raw(body, stored, column)? {
                    RawField::Inline(bytes) => values.push_field(bytes)?,
                    RawField::Null => values.push(hexalog_sql_types::Datum::Null),
                    RawField::Missing => values.push(table.columns[column].missing.clone()),
                    RawField::Overflow(_) => return Err(unexpected_overflow()),
                }
            }
        }
        Ok(())
    }

    /// Puts one of the rows into `row`.
    pub(super) fn row(&self, at: usize, row: &mut Row) {
        row.clear();
        row.extend(self.columns.iter().map(|values| values.datum(at)));
    }
}

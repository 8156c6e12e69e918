//! Rows as they are stored: which values stand in the row, which in chains of their own, and how both come back.
//!
//! Owns [`RowEncoder`] and [`decode_row`]. A row beyond [`ROW_BYTES_WANTED`] gives its largest values away until it fits;
//! each goes to an overflow chain, and its field holds the chain's place in the row's list. Expressions never see this:
//! a value is read where its column is. Both sides stop for needs and go on where they were.

use crate::catalog::object::Table;
use crate::stop::Step;
use hexalog_engine::{
    CELL_BYTES_MAX, CHAINS_MAX, Chain, ChainWriter, Engine, RowBuffer, RowRef, Transaction, VALUE_BYTES_MAX,
    cell_bytes,
};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::RawField;
use hexalog_sql_types::{Datum, SqlError, SqlState};

/// A row of at most this many bytes keeps all its values, so that four fit a page (as in PostgreSQL).
const ROW_BYTES_WANTED: usize = 2_000;
/// Shorter values never leave their row: that would save too little for a page of their own.
const LONG_BYTES_MIN: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    /// The n-th long value is being written.
    Writing(usize),
    Ready,
}

/// Encodes one row after the other.
pub(crate) struct RowEncoder {
    state: State,
    body: Vec<u8>,
    chains: Vec<Chain>,
    /// The column of each chain, kept ones first, then those that are to be written.
    columns: Vec<usize>,
    /// Chains from here on were written for this row, and no row has taken them yet.
    fresh_from: usize,
    writer: ChainWriter,
    value: Vec<u8>,
}

impl RowEncoder {
    pub(crate) fn new() -> RowEncoder {
        RowEncoder {
            state: State::New,
            body: Vec::new(),
            chains: Vec::new(),
            columns: Vec::new(),
            fresh_from: 0,
            writer: ChainWriter::new(),
            value: Vec::new(),
        }
    }

    /// Encodes a row whose key has `key_bytes`. `kept`: columns whose values stay in the chains that they are in. After a
    /// need call again with the same row.
    pub(crate) fn encode(
        &mut self,
        engine: &Engine,
        transaction: &mut Transaction,
        table: &Table,
        row: &[Datum],
        key_bytes: usize,
        kept: &[(usize, Chain)],
    ) -> Step<()> {
        loop {
            match self.state {
                State::Ready => return Ok(()),
                State::New => self.plan(table, row, key_bytes, kept)?,
                State::Writing(at) if at == self.columns.len() => {
                    self.encode_body(table, row)?;
                    self.state = State::Ready;
                }
                State::Writing(at) => {
                    let column = self.columns[at];
                    let value: &[u8] = match &row[column] {
                        Datum::Text(text) => text.as_bytes(),
                        Datum::Bytea(bytes) => bytes,
                        other => {
                            if self.value.is_empty() {
                                table.layout.encode_value(column, other, &mut self.value);
                            }
                            &self.value
                        }
                    };
                    let chain = engine.write_chain(transaction, &mut self.writer, value)?;
                    self.chains.push(chain);
                    self.value.clear();
                    self.state = State::Writing(at + 1);
                }
            }
        }
    }

    /// Decides where each value goes.
    fn plan(
        &mut self,
        table: &Table,
        row: &[Datum],
        key_bytes: usize,
        kept: &[(usize, Chain)],
    ) -> Result<()> {
        assert_eq!(self.fresh_from, self.chains.len(), "the last row's chains were taken or discarded");
        self.chains.clear();
        self.columns.clear();
        if kept.is_empty() && !row.iter().any(is_long) {
            self.body.clear();
            // An error says that the values are too long to stand side by side.
            let is_encoded = table.layout.encode(row, &[], &mut self.body).is_ok();
            if is_encoded && cell_bytes(key_bytes, self.body.len(), 0) <= ROW_BYTES_WANTED {
                self.fresh_from = 0;
                self.state = State::Ready;
                return Ok(());
            }
        }
        self.columns.extend(kept.iter().map(|(column, _)| *column));
        self.chains.extend(kept.iter().map(|(_, chain)| *chain));
        let mut fields: Vec<(usize, usize)> = Vec::new();
        let mut body = table.layout.fixed_bytes() + kept.len();
        for (column, value) in row.iter().enumerate() {
            if value.is_null() || table.layout.is_fixed_width(column) || self.columns.contains(&column) {
                continue;
            }
            let bytes = table.layout.field_bytes(column, value);
            body += bytes;
            fields.push((bytes, column));
        }
        // The largest last.
        fields.sort_unstable();
        while cell_bytes(key_bytes, body, self.columns.len()) > ROW_BYTES_WANTED
            && let Some((bytes, column)) = fields.pop().filter(|(bytes, _)| *bytes >= LONG_BYTES_MIN)
        {
            if bytes > VALUE_BYTES_MAX {
                let message = format!("value of {bytes} bytes exceeds the maximum of {VALUE_BYTES_MAX}");
                return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
            }
            self.columns.push(column);
            body = body - bytes + 1;
        }
        let bytes = cell_bytes(key_bytes, body, self.columns.len());
        if bytes > CELL_BYTES_MAX || self.columns.len() > CHAINS_MAX {
            self.chains.clear();
            self.fresh_from = 0;
            let message = format!("row is too big: size {bytes}, maximum size {CELL_BYTES_MAX}");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        self.fresh_from = kept.len();
        self.value.clear();
        self.state = State::Writing(kept.len());
        Ok(())
    }

    fn encode_body(&mut self, table: &Table, row: &[Datum]) -> Result<()> {
        let places: Vec<[u8; 1]> = (0..self.columns.len()).map(|place| [place as u8]).collect();
        let mut references: Vec<Option<&[u8]>> = vec![None; row.len()];
        for (column, place) in self.columns.iter().zip(&places) {
            references[*column] = Some(place);
        }
        self.body.clear();
        table.layout.encode(row, &references, &mut self.body)
    }

    /// The encoded row.
    pub(crate) fn row(&self, table: &Table) -> RowRef<'_> {
        assert_eq!(self.state, State::Ready, "encoded before");
        RowRef { columns: table.layout.column_count(), body: &self.body, chains: &self.chains }
    }

    /// The row that was written last.
    pub(crate) fn last(&self, table: &Table) -> RowRef<'_> {
        assert_eq!(self.state, State::New, "taken, and no other has come");
        RowRef { columns: table.layout.column_count(), body: &self.body, chains: &self.chains }
    }

    /// The row was written: its chains are its own. The next row may come.
    pub(crate) fn taken(&mut self) {
        self.fresh_from = self.chains.len();
        self.state = State::New;
    }

    /// Gives back what was written for a row that is not, or not yet, written. May be called at any time; after a need
    /// call again.
    pub(crate) fn discard(&mut self, engine: &Engine, transaction: &mut Transaction) -> Step<()> {
        while self.fresh_from < self.chains.len() {
            let chain = *self.chains.last().expect("one is left");
            engine.drop_chain(transaction, chain)?;
            self.chains.pop();
        }
        self.state = State::New;
        Ok(())
    }
}

/// Whether a value alone is more than a row should have.
fn is_long(value: &Datum) -> bool {
    match value {
        Datum::Text(text) => text.len() > ROW_BYTES_WANTED,
        Datum::Bytea(bytes) => bytes.len() > ROW_BYTES_WANTED,
        _ => false,
    }
}

/// The place in its row's list that a field in overflow names.
pub(super) fn place(reference: &[u8], stored: &RowBuffer) -> Result<usize> {
    match reference {
        [place] if usize::from(*place) < stored.chains.len() => Ok(usize::from(*place)),
        _ => Err(unexpected_overflow()),
    }
}

/// A field names a chain that its row does not have.
pub(super) fn unexpected_overflow() -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, "stored row is damaged: reference to overflow")
}

/// A column's value in the body of a row that has no chains.
pub(super) fn column_of_body(table: &Table, columns: u16, body: &[u8], column: usize) -> Result<Datum> {
    Ok(match table.layout.raw(body, columns, column)? {
        RawField::Inline(bytes) => table.layout.decode_value(column, bytes)?,
        RawField::Null => Datum::Null,
        RawField::Missing => table.columns[column].missing.clone(),
        RawField::Overflow(_) => return Err(unexpected_overflow()),
    })
}

/// The columns of a stored row whose values lie in chains.
pub(crate) fn long_columns(table: &Table, stored: &RowBuffer) -> Result<Vec<(usize, Chain)>> {
    let mut found = Vec::with_capacity(stored.chains.len());
    if stored.chains.is_empty() {
        return Ok(found);
    }
    for column in 0..table.columns.len() {
        if let RawField::Overflow(reference) = table.layout.raw(&stored.body, stored.columns, column)? {
            found.push((column, stored.chains[place(reference, stored)?]));
        }
    }
    Ok(found)
}

/// A column's value from what of the row is in memory; `Err(place)`: the chain at that place must be read first.
pub(crate) fn column_in_memory(
    table: &Table,
    stored: &RowBuffer,
    column: usize,
) -> Result<std::result::Result<Datum, usize>> {
    Ok(Ok(match table.layout.raw(&stored.body, stored.columns, column)? {
        RawField::Missing => table.columns[column].missing.clone(),
        RawField::Null => Datum::Null,
        RawField::Inline(bytes) => table.layout.decode_value(column, bytes)?,
        RawField::Overflow(reference) => {
            let place = place(reference, stored)?;
            match stored.value(place) {
                Some(bytes) => table.layout.decode_value(column, bytes)?,
                None => return Ok(Err(place)),
            }
        }
    }))
}

/// Decodes the wanted columns of a stored row into `row`, which gets one value per column of the table; reads their
/// chains. After a need call again with the same row.
pub(crate) fn decode_row(
    engine: &Engine,
    transaction: &mut Transaction,
    table: &Table,
    stored: &mut RowBuffer,
    columns: &[usize],
    row: &mut Vec<Datum>,
) -> Step<()> {
    row.clear();
    row.resize(table.columns.len(), Datum::Null);
    for &column in columns {
        match column_in_memory(table, stored, column)? {
            Ok(value) => row[column] = value,
            Err(place) => {
                let bytes = engine.read_chain(transaction, stored.value_reader(place))?;
                row[column] = table.layout.decode_value(column, bytes)?;
            }
        }
    }
    Ok(())
}

/// Reads the values of `columns` that lie in chains into a row whose other values are there.
pub(crate) fn decode_long(
    engine: &Engine,
    transaction: &mut Transaction,
    table: &Table,
    stored: &mut RowBuffer,
    columns: &[usize],
    row: &mut [Datum],
) -> Step<()> {
    for (column, chain) in long_columns(table, stored)? {
        if columns.contains(&column) {
            let place = stored.chains.iter().position(|listed| *listed == chain).expect("found in the list");
            let bytes = engine.read_chain(transaction, stored.value_reader(place))?;
            row[column] = table.layout.decode_value(column, bytes)?;
        }
    }
    Ok(())
}

//! The body of a stored row. This is an on-disk format: it changes only with the volume's format version.
//!
//! Owns [`RowLayout`] and the arrangement of columns; `value.rs` owns the bytes of a single value, `passing.rs` those of rows that are only put aside, `field_test.rs` and `columns.rs` what reads many rows without a value for each. Never touches the row header
//! (flags, column count, transaction, undo: the engine's) and never decides what goes to overflow.
//!
//! All integers are little-endian. A body that stores n columns, the first n of the table:
//!
//! | bytes | content |
//! |---|---|
//! | ceil(n / 8) | null bitmap: bit `i % 8` of byte `i / 8` is 1 if column i is NULL; unused bits 0 |
//! | sum of widths | the fixed-width columns among the n, in column order, without padding; NULL holds zeros |
//! | 2 x v | for each of the v variable-width columns, in column order: its end, counted from the first byte behind this table, in the low 15 bits; bit 15 set if the value is in an overflow chain: the field is then its place in the row's list, one byte |
//! | rest | the variable-width fields, back to back; NULL is empty |
//!
//! Why so: a column is found without reading those before it; a change of fixed-width columns (NULL included) changes
//! only their bytes and bits, so that redo and undo stay small; and appending columns to the table moves nothing in rows
//! already stored, since n is the row's own.
//!
//! | type | width | bytes |
//! |---|---|---|
//! | bool, "char" | 1 | 0 or 1; the byte |
//! | int2 | 2 | two's complement |
//! | int4, date, oid and its aliases | 4 | two's complement; days since 2000-01-01; unsigned |
//! | float4 | 4 | IEEE 754 |
//! | int8, timestamp, timestamptz | 8 | two's complement; microseconds since 2000-01-01 |
//! | float8 | 8 | IEEE 754 |
//! | interval | 16 | microseconds 8, days 4, months 4 |
//! | uuid | 16 | in order of its text |
//! | others | variable | see `value.rs` |

mod columns;
mod field_test;
mod json;
mod passing;
mod value;

pub use columns::{Values, ValuesKind};
pub(crate) use columns::{whole_datum, whole_of};
pub use field_test::FieldTest;
pub use passing::{read_row, write_row};

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// Most columns of a table.
pub const COLUMNS_MAX: usize = 1600;
/// Bytes that the ends of variable-width fields can count.
pub const VARIABLE_BYTES_MAX: usize = 0x7fff;
/// Bit of an end that marks a reference to overflow.
const OVERFLOW: u16 = 0x8000;

/// Where each column of a table's rows stands; built once per table from the types of its columns in storage order.
#[derive(Clone, Debug)]
pub struct RowLayout {
    types: Vec<TypeId>,
    slots: Vec<Slot>,
    /// Bytes of the fixed-width columns among the first n, for each n from 0.
    fixed_len: Vec<u32>,
    /// Number of variable-width columns among the first n, for each n from 0.
    variable_count: Vec<u16>,
}

/// Where a column is within its area.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Offset in the fixed area, and width.
    Fixed { offset: u32, width: u32 },
    /// Number among the variable-width columns.
    Variable { number: u16 },
}

/// A column's stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawField<'a> {
    /// The row was stored before the column was added: take the table's missing value.
    Missing,
    /// NULL.
    Null,
    /// The value's bytes in the format of the module head.
    Inline(&'a [u8]),
    /// The value lies elsewhere; the bytes are the engine's reference to it.
    Overflow(&'a [u8]),
}

/// Bytes of a stored row cannot be what [`RowLayout::encode`] wrote.
fn corrupted(what: &str) -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, format!("stored row is damaged: {what}"))
}

impl RowLayout {
    /// A layout for columns of these types, at most [`COLUMNS_MAX`].
    pub fn new(types: Vec<TypeId>) -> RowLayout {
        assert!(types.len() <= COLUMNS_MAX, "CREATE and ALTER TABLE bound the columns");
        let mut slots = Vec::with_capacity(types.len());
        let (mut fixed_len, mut variable_count) = (vec![0u32], vec![0u16]);
        let (mut offset, mut number) = (0u32, 0u16);
        for &id in &types {
            match value::fixed_width(id) {
                Some(width) => {
                    slots.push(Slot::Fixed { offset, width });
                    offset += width;
                }
                None => {
                    slots.push(Slot::Variable { number });
                    number += 1;
                }
            }
            fixed_len.push(offset);
            variable_count.push(number);
        }
        RowLayout { types, slots, fixed_len, variable_count }
    }

    /// Number of columns: what a row encoded now stores as its column count.
    pub fn column_count(&self) -> u16 {
        u16::try_from(self.types.len()).expect("bounded by the constructor")
    }

    /// Types of the columns.
    pub fn types(&self) -> &[TypeId] {
        &self.types
    }

    /// Whether a column has the same width in every row, so that changing it keeps the body's length.
    pub fn is_fixed_width(&self, column: usize) -> bool {
        matches!(self.slots[column], Slot::Fixed { .. })
    }

    /// Bytes of a body beside its variable-width fields: null bitmap, fixed-width columns, table of ends.
    pub fn fixed_bytes(&self) -> usize {
        let columns = self.types.len();
        columns.div_ceil(8) + self.fixed_len[columns] as usize + usize::from(self.variable_count[columns]) * 2
    }

    /// Bytes of a variable-width value's field.
    pub fn field_bytes(&self, column: usize, value: &Datum) -> usize {
        assert!(!self.is_fixed_width(column), "a fixed width is known");
        match value {
            Datum::Null => 0,
            Datum::Text(text) => text.len(),
            Datum::Bytea(bytes) => bytes.len(),
            other => {
                let mut bytes = Vec::new();
                value::write_variable(other, &mut bytes);
                bytes.len()
            }
        }
    }

    /// Appends the body of a row holding all columns. `overflow[i]`, where given, replaces column i's value by a
    /// reference; it may be shorter than the columns, or empty. 54000 if the variable-width fields exceed
    /// [`VARIABLE_BYTES_MAX`]: the caller has to move some to overflow.
    pub fn encode(&self, values: &[Datum], overflow: &[Option<&[u8]>], out: &mut Vec<u8>) -> Result<()> {
        assert_eq!(values.len(), self.types.len(), "a row has a value for every column");
        let start = out.len();
        let bitmap_len = self.types.len().div_ceil(8);
        let fixed_len = self.fixed_len[self.types.len()] as usize;
        let ends_len = usize::from(self.variable_count[self.types.len()]) * 2;
        out.resize(start + bitmap_len + fixed_len + ends_len, 0);
        let data = out.len();
        for (column, value) in values.iter().enumerate() {
            if value.is_null() {
                out[start + column / 8] |= 1 << (column % 8);
            }
            match self.slots[column] {
                Slot::Fixed { offset, width } => {
                    let at = start + bitmap_len + offset as usize;
                    value::write_fixed(self.types[column], value, &mut out[at..at + width as usize]);
                }
                Slot::Variable { number } => {
                    let reference = overflow.get(column).copied().flatten();
                    match reference {
                        Some(reference) => out.extend_from_slice(reference),
                        None if value.is_null() => {}
                        None => value::write_variable(value, out),
                    }
                    let end = encode_end(out.len() - data, reference.is_some())?;
                    let at = start + bitmap_len + fixed_len + usize::from(number) * 2;
                    out[at..at + 2].copy_from_slice(&end.to_le_bytes());
                }
            }
        }
        Ok(())
    }

    /// One column's bytes in a body that stores `stored` columns. XX001 for a damaged body.
    #[inline]
    pub fn raw<'a>(&self, body: &'a [u8], stored: u16, column: usize) -> Result<RawField<'a>> {
        let stored = usize::from(stored);
        assert!(column < self.types.len(), "the binder has checked the column");
        if stored > self.types.len() {
            return Err(corrupted("more columns than the table has"));
        }
        if column >= stored {
            return Ok(RawField::Missing);
        }
        let bitmap_len = stored.div_ceil(8);
        let bits = body.get(column / 8).ok_or_else(|| corrupted("short null bitmap"))?;
        if bits >> (column % 8) & 1 == 1 {
            return Ok(RawField::Null);
        }
        match self.slots[column] {
            Slot::Fixed { offset, width } => {
                let at = bitmap_len + offset as usize;
                let bytes = body.get(at..at + width as usize).ok_or_else(|| corrupted("short fixed area"))?;
                Ok(RawField::Inline(bytes))
            }
            Slot::Variable { number } => self.raw_variable(body, stored, usize::from(number)),
        }
    }

    fn raw_variable<'a>(&self, body: &'a [u8], stored: usize, number: usize) -> Result<RawField<'a>> {
        let ends = stored.div_ceil(8) + self.fixed_len[stored] as usize;
        let data = ends + usize::from(self.variable_count[stored]) * 2;
        let end_of = |number: usize| -> Result<u16> {
            let at = ends + number * 2;
            let bytes = body.get(at..at + 2).and_then(|bytes| bytes.first_chunk::<2>());
            bytes.map(|bytes| u16::from_le_bytes(*bytes)).ok_or_else(|| corrupted("short table of ends"))
        };
        let marked_end = end_of(number)?;
        let from = if number == 0 { 0 } else { usize::from(end_of(number - 1)? & !OVERFLOW) };
        let end = usize::from(marked_end & !OVERFLOW);
        let bytes = body.get(data + from..data + end).ok_or_else(|| corrupted("field outside the row"))?;
        Ok(if marked_end & OVERFLOW != 0 { RawField::Overflow(bytes) } else { RawField::Inline(bytes) })
    }

    /// Byte range of a fixed-width column within a body that stores `stored` columns, for an update that writes no more than
    /// it changes. `None` for a variable-width column, or one that the row does not store. The null bit is apart: bit
    /// `column % 8` of byte `column / 8`.
    pub fn fixed_range(&self, stored: u16, column: usize) -> Option<std::ops::Range<usize>> {
        let stored = usize::from(stored);
        match self.slots[column] {
            Slot::Fixed { offset, width } if column < stored => {
                let at = stored.div_ceil(8) + offset as usize;
                Some(at..at + width as usize)
            }
            _ => None,
        }
    }

    /// One column's value. `Ok(None)`: the column is missing, take the table's missing value. XX000 for a value in
    /// overflow: the caller fetches it and uses [`RowLayout::decode_value`].
    pub fn get(&self, body: &[u8], stored: u16, column: usize) -> Result<Option<Datum>> {
        match self.raw(body, stored, column)? {
            RawField::Missing => Ok(None),
            RawField::Null => Ok(Some(Datum::Null)),
            RawField::Inline(bytes) => self.decode_value(column, bytes).map(Some),
            RawField::Overflow(_) => Err(SqlError::internal("a value in overflow was asked for inline")),
        }
    }

    /// A value from the bytes of its field (inline, or fetched from overflow). XX001 for damaged bytes.
    pub fn decode_value(&self, column: usize, bytes: &[u8]) -> Result<Datum> {
        value::read(self.types[column], bytes).ok_or_else(|| corrupted("value does not decode"))
    }

    /// Whether the field of a stored row passes a test; NULL does not. XX001 for damaged bytes.
    #[inline]
    pub fn passes(&self, test: &FieldTest, bytes: &[u8]) -> Result<bool> {
        test.passes(bytes).ok_or_else(|| corrupted("value does not decode"))
    }

    /// Appends a value's bytes as a field holds them, to be put into overflow. The value is not NULL.
    pub fn encode_value(&self, column: usize, value: &Datum, out: &mut Vec<u8>) {
        assert!(!value.is_null(), "NULL has no bytes");
        match self.slots[column] {
            Slot::Fixed { width, .. } => {
                let start = out.len();
                out.resize(start + width as usize, 0);
                value::write_fixed(self.types[column], value, &mut out[start..]);
            }
            Slot::Variable { .. } => value::write_variable(value, out),
        }
    }

    /// Appends the text form of a field's bytes without building a `Datum` where that is possible.
    pub fn output_text(
        &self,
        env: &EvalEnv<'_>,
        column: usize,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let id = self.types[column];
        if id.is_text_like() {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        crate::text::output(env, id, &self.decode_value(column, bytes)?, out);
        Ok(())
    }

    /// Appends the binary form of a field's bytes without building a `Datum` where that is possible.
    pub fn output_binary(
        &self,
        env: &EvalEnv<'_>,
        column: usize,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let id = self.types[column];
        if (id.is_text_like() && id != TypeId::ACLITEM) || id == TypeId::BYTEA {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        crate::binary::send(env, id, &self.decode_value(column, bytes)?, out)
    }
}

/// An end with its mark, if it fits.
fn encode_end(end: usize, overflow: bool) -> Result<u16> {
    if end > VARIABLE_BYTES_MAX {
        let message = format!("row is too big: {end} bytes, maximum size {VARIABLE_BYTES_MAX}");
        return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    let end = u16::try_from(end).expect("checked above");
    Ok(if overflow { end | OVERFLOW } else { end })
}

#[cfg(test)]
mod tests;

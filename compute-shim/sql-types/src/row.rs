//! The row body format.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::types::TypeId;

/// Where each column of a table's rows stands; built once per table from the types of its columns in storage order.
#[derive(Clone, Debug)]
pub struct RowLayout {
    types: Vec<TypeId>,
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

impl RowLayout {
    /// A layout for columns of these types.
    pub fn new(types: Vec<TypeId>) -> RowLayout {
        RowLayout { types }
    }

    /// Number of columns: what a row encoded now stores as its column count.
    pub fn column_count(&self) -> u16 {
        u16::try_from(self.types.len()).expect("asserted by the constructor")
    }

    /// Appends the body of a row holding all columns. `overflow[i]`, where given, replaces column i's value by a
    /// reference. 54000 if the body would exceed the format's limit.
    pub fn encode(&self, values: &[Datum], overflow: &[Option<&[u8]>], out: &mut Vec<u8>) -> Result<()> {
        let _ = (values, overflow, out);
        Err(SqlError::unsupported("row encoding"))
    }

    /// One column's bytes in a body that stores `stored` columns.
    pub fn raw<'a>(&self, body: &'a [u8], stored: u16, column: usize) -> Result<RawField<'a>> {
        let _ = (body, stored, column);
        Err(SqlError::unsupported("row decoding"))
    }

    /// One column's value. `Ok(None)`: the column is missing, take the table's missing value. XX000 for a value in
    /// overflow: the caller fetches it and uses [`RowLayout::decode_value`].
    pub fn get(&self, body: &[u8], stored: u16, column: usize) -> Result<Option<Datum>> {
        let _ = (body, stored, column);
        Err(SqlError::unsupported("row decoding"))
    }

    /// A value from the bytes of its field (inline, or fetched from overflow).
    pub fn decode_value(&self, column: usize, bytes: &[u8]) -> Result<Datum> {
        let _ = (column, bytes);
        Err(SqlError::unsupported("row decoding"))
    }

    /// A value's bytes as a field holds them, to be put into overflow.
    pub fn encode_value(&self, column: usize, value: &Datum, out: &mut Vec<u8>) {
        let _ = (column, value, out);
    }

    /// Appends the text form of a field's bytes without building a `Datum` where that is possible.
    pub fn output_text(
        &self,
        env: &EvalEnv<'_>,
        column: usize,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        crate::text::output(env, self.types[column], &self.decode_value(column, bytes)?, out);
        Ok(())
    }

    /// Appends the binary form of a field's bytes without building a `Datum` where that is possible.
    pub fn output_binary(&self, column: usize, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        crate::binary::send(self.types[column], &self.decode_value(column, bytes)?, out)
    }
}

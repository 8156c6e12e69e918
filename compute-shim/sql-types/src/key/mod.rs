//! Index keys: bytes whose order by memcmp is the order of the values. This is an on-disk format: it changes only with the
//! volume's format version.
//!
//! Owns the arrangement of columns; `value.rs` owns the ordered bytes of a single value. Never stores what cannot be had from
//! the row: values that are equal without being identical have one key.
//!
//! A key is its columns, one behind the other. A column:
//!
//! | bytes | content |
//! |---|---|
//! | 1 | 1: NULL that sorts first; 2: a value follows; 3: NULL that sorts last |
//! | any | the value's bytes, all inverted if the column is DESC |
//!
//! Values, before inversion; integers big-endian:
//!
//! | type | bytes |
//! |---|---|
//! | bool, "char" | 1 |
//! | int2, int4, int8, date, time, timestamp, timestamptz | 2, 4, 8, 4, 8, 8, 8, the sign bit flipped |
//! | timetz | 8, 4: microseconds since midnight UTC, then the zone's seconds west, both with the sign bit flipped |
//! | oid and its aliases | 4 |
//! | float4, float8 | 4, 8: the IEEE bits, all flipped if negative, otherwise the sign bit; -0 as 0; every NaN as 7f c0 .. 00 with the sign bit flipped |
//! | text, varchar, name | UTF-8, then 0 (text holds no 0) |
//! | bpchar | as text, without trailing blanks |
//! | bytea | the bytes with each 0 as 0 ff, then 0 0 |
//! | uuid | 16 |
//! | interval | 16: its span in microseconds (months of 30 days), the sign bit flipped |
//! | numeric | class 1: 0 -infinity, 1 negative, 2 zero, 3 positive, 4 infinity, 5 NaN. Classes 1 and 3 also, all inverted in class 1: weight of the first group 2 (in powers of 10,000, the sign bit flipped), each group of four digits plus 1 in 2 bytes, then 0 0; no leading or trailing zero groups |
//! | jsonb | rank 1: 1 an empty array at the top, 2 null, 3 string, 4 number, 5 false, 6 true, 7 array, 8 object. Then: of a string UTF-8 and 0; of a number as numeric; of an array its count, 4 bytes, and its elements; of an object its count, 4 bytes, and each key, UTF-8 and 0, with its value |
//! | arrays and vectors | elements each as 2 and its value, or 3 for NULL; then 1; then the number of dimensions in 1 byte, all lengths 4 each, all lower bounds 4 each with the sign bit flipped. `oidvector` has its number of elements, 4 bytes, in front |
//!
//! Every first byte of a column is below ff, so that the keys beginning with a prefix end below prefix ff.

mod json;
mod value;

use crate::datum::Datum;
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// Mark of a NULL that sorts before values.
const NULL_FIRST: u8 = 1;
/// Mark of a value.
const VALUE: u8 = 2;
/// Mark of a NULL that sorts behind values.
const NULL_LAST: u8 = 3;

/// One column of an index key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyColumn {
    /// Type of the values.
    pub id: TypeId,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST (PostgreSQL's default: first iff descending).
    pub nulls_first: bool,
}

impl KeyColumn {
    /// `ASC NULLS LAST`.
    pub fn ascending(id: TypeId) -> KeyColumn {
        KeyColumn { id, descending: false, nulls_first: false }
    }

    /// `DESC NULLS FIRST`.
    pub fn descending(id: TypeId) -> KeyColumn {
        KeyColumn { id, descending: true, nulls_first: true }
    }
}

/// Bytes of a key cannot be what [`encode`] wrote.
fn corrupted() -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, "stored index key is damaged")
}

/// Whether values of a type can stand in a key.
pub fn is_supported(id: TypeId) -> bool {
    match id.array_element() {
        Some(element) => element.array_element().is_none() && is_supported(element),
        None => value::Kind::of(id).is_some(),
    }
}

/// Appends the key of the leading `values.len()` columns. A key of fewer columns is a byte prefix of every key that
/// continues it; equal values give equal bytes. 0A000 for a type that has no key form.
pub fn encode(columns: &[KeyColumn], values: &[Datum], out: &mut Vec<u8>) -> Result<()> {
    assert!(values.len() <= columns.len(), "no more values than columns");
    for (column, value) in columns.iter().zip(values) {
        if !is_supported(column.id) {
            return Err(SqlError::unsupported(format!("an index on type {}", column.id.display_name())));
        }
        if value.is_null() {
            out.push(if column.nulls_first { NULL_FIRST } else { NULL_LAST });
            continue;
        }
        out.push(VALUE);
        let start = out.len();
        value::write(column.id, value, out);
        if column.descending {
            invert(&mut out[start..]);
        }
    }
    Ok(())
}

fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}

/// Bytes that the first columns take in an encoded key, to find where the next part begins. XX001 for a damaged key.
pub fn encoded_len(columns: &[KeyColumn], bytes: &[u8]) -> Result<usize> {
    let mut at = 0;
    for column in columns {
        match bytes.get(at) {
            Some(&(NULL_FIRST | NULL_LAST)) => at += 1,
            Some(&VALUE) => {
                let mut reader = value::Reader::new(&bytes[at + 1..], column.descending);
                value::read(column.id, &mut reader).ok_or_else(corrupted)?;
                at += 1 + reader.position();
            }
            _ => return Err(corrupted()),
        }
    }
    Ok(at)
}

/// The values of a key. Values that are equal without being identical (`1.0` and `1.00`, trailing blanks of `bpchar`, -0)
/// come back in one canonical form, so rows must never be answered from keys where that shows. XX001 for a damaged key.
pub fn decode(columns: &[KeyColumn], bytes: &[u8]) -> Result<Vec<Datum>> {
    let mut values = Vec::with_capacity(columns.len());
    let mut at = 0;
    for column in columns {
        match bytes.get(at) {
            Some(&(NULL_FIRST | NULL_LAST)) => {
                values.push(Datum::Null);
                at += 1;
            }
            Some(&VALUE) => {
                let mut reader = value::Reader::new(&bytes[at + 1..], column.descending);
                values.push(value::read(column.id, &mut reader).ok_or_else(corrupted)?);
                at += 1 + reader.position();
            }
            _ => return Err(corrupted()),
        }
    }
    Ok(values)
}

/// The smallest byte string above every key that begins with `prefix`.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    end.push(0xff);
    end
}

#[cfg(test)]
mod tests;

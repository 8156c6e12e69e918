//! The key format: bytes whose memcmp order is the order of the values.

use crate::datum::Datum;
use crate::error::{Result, SqlError};
use crate::types::TypeId;

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
}

/// Whether values of a type can stand in a key.
pub fn is_supported(id: TypeId) -> bool {
    let _ = id;
    true
}

/// Appends the key of the leading `values.len()` columns. A key of fewer columns is a byte prefix of every key that
/// continues it; equal values give equal bytes. 0A000 for a type that has no key form.
pub fn encode(columns: &[KeyColumn], values: &[Datum], out: &mut Vec<u8>) -> Result<()> {
    let _ = (columns, values, out);
    Err(SqlError::unsupported("key encoding"))
}

/// Bytes that the first columns take in an encoded key, to find where the next part begins.
pub fn encoded_len(columns: &[KeyColumn], bytes: &[u8]) -> Result<usize> {
    let _ = (columns, bytes);
    Err(SqlError::unsupported("key decoding"))
}

/// The values of a key. Values that are equal without being identical (`1.0` and `1.00`, trailing blanks of `bpchar`)
/// come back in one canonical form, so rows must never be answered from keys where that shows.
pub fn decode(columns: &[KeyColumn], bytes: &[u8]) -> Result<Vec<Datum>> {
    let _ = (columns, bytes);
    Err(SqlError::unsupported("key decoding"))
}

/// The smallest byte string above every key that begins with `prefix`.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    end.push(0xff);
    end
}

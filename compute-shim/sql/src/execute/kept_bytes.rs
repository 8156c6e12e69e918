//! How much a statement may keep in memory where nothing spills to disk: beyond it the statement fails, not the server.
//! Owns what a row takes in memory, by which those that spill go too.

use hexalog_sql_types::datum::{Array, Record};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::json::Json;
use hexalog_sql_types::{Datum, Numeric, SqlError, SqlState};

/// Most bytes of rows that one part of a statement keeps for later. A guess at what a statement may take.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// The same of rows that are worked on, as those of a set. Sorts and hash tables spill before. A guess too: a few such
/// statements at once are to fit beside the page cache.
pub(super) const WORKED_ON_BYTES_MAX: usize = 1 << 30;

/// The bytes of the rows that one part of a statement keeps.
pub(crate) struct KeptBytes {
    /// Who keeps them, for the error's detail.
    keeper: &'static str,
    bytes: usize,
    bytes_max: usize,
}

impl KeptBytes {
    pub(crate) fn new(keeper: &'static str) -> KeptBytes {
        KeptBytes { keeper, bytes: 0, bytes_max: KEPT_BYTES_MAX }
    }

    /// Of rows that are worked on.
    pub(crate) fn worked_on(keeper: &'static str) -> KeptBytes {
        KeptBytes { keeper, bytes: 0, bytes_max: WORKED_ON_BYTES_MAX }
    }

    /// One more row is kept; 53200 if that is too much.
    pub(crate) fn add(&mut self, row: &[Datum]) -> Result<()> {
        self.add_bytes(row_bytes(row))
    }

    /// The same of what is no row.
    pub(crate) fn add_bytes(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        if self.bytes <= self.bytes_max {
            return Ok(());
        }
        let detail = format!("{} has given more than {} MB of rows.", self.keeper, self.bytes_max >> 20);
        Err(SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory").with_detail(detail))
    }

    /// So much is no longer kept.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.bytes = self.bytes.checked_sub(bytes).expect("it was counted");
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
    }
}

/// What the allocator and a reference count add to a piece of memory, roughly.
pub(super) const PIECE_BYTES: usize = 32;

/// Bytes that a row takes. What several rows share counts for each.
pub(super) fn row_bytes(row: &[Datum]) -> usize {
    size_of::<Vec<Datum>>() + PIECE_BYTES + row.iter().map(value_bytes).sum::<usize>()
}

pub(super) fn value_bytes(value: &Datum) -> usize {
    let more = match value {
        Datum::Text(text) => PIECE_BYTES + text.len(),
        Datum::Bytea(bytes) => PIECE_BYTES + bytes.len(),
        Datum::Numeric(number) => numeric_bytes(number),
        Datum::Jsonb(value) => PIECE_BYTES + json_bytes(value),
        // As many as its text has, about; few rows have one.
        Datum::JsonPath(path) => PIECE_BYTES + path.to_string().len(),
        Datum::Array(array) => PIECE_BYTES + size_of::<Array>() + row_bytes(&array.values),
        Datum::Record(record) => {
            let names = record.names.iter().flat_map(|names| names.iter());
            let names = names.map(|name| PIECE_BYTES + size_of_val(name) + name.len()).sum::<usize>();
            PIECE_BYTES + size_of::<Record>() + record.types.len() * 4 + row_bytes(&record.values) + names
        }
        _ => 0,
    };
    size_of::<Datum>() + more
}

/// Bytes of a number besides its own place.
fn numeric_bytes(number: &Numeric) -> usize {
    number.heap_bytes().map_or(0, |bytes| PIECE_BYTES + bytes)
}

fn json_bytes(value: &Json) -> usize {
    let more = match value {
        Json::Null | Json::Bool(_) => 0,
        Json::Number(number) => numeric_bytes(number),
        Json::String(text) => PIECE_BYTES + text.len(),
        Json::Array(elements) => PIECE_BYTES + elements.iter().map(json_bytes).sum::<usize>(),
        Json::Object(members) => {
            let member = |(key, value): &(Box<str>, Json)| {
                PIECE_BYTES + size_of_val(key) + key.len() + json_bytes(value)
            };
            PIECE_BYTES + members.iter().map(member).sum::<usize>()
        }
    };
    size_of::<Json>() + more
}

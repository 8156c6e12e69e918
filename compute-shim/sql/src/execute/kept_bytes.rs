//! How much a statement may keep in memory where nothing spills to disk: beyond it the statement fails, not the server.

use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState};

/// Most bytes of rows that one part of a statement keeps for later. A guess at what a statement may take.
const KEPT_BYTES_MAX: usize = 256 << 20;

/// The same of rows that are worked on, as those of a sort or a hash table. PostgreSQL goes to disk with them, so that more
/// is asked for. A guess too: a few such statements at once are to fit beside the page cache.
const WORKED_ON_BYTES_MAX: usize = 1 << 30;

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
        self.add_bytes(std::mem::size_of::<Vec<Datum>>() + row.iter().map(size).sum::<usize>())
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

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
    }
}

/// Bytes that a value takes, roughly.
fn size(value: &Datum) -> usize {
    let own = std::mem::size_of::<Datum>();
    own + match value {
        Datum::Text(text) => text.len(),
        Datum::Bytea(bytes) => bytes.len(),
        Datum::Array(array) => array.values.iter().map(size).sum(),
        Datum::Record(record) => record.values.iter().map(size).sum(),
        _ => 0,
    }
}

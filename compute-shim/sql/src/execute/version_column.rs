//! `xmin`, `xmax` and `ctid` of rows.
//!
//! A transaction's identity has 56 bits here and PostgreSQL's type 32: a row shows a number made of it. What two
//! transactions wrote shows two numbers but for one case in four thousand million, as good as PostgreSQL's own that come
//! round again. No row tells who deletes or locks it: `xmax` is zero but where the statement itself did so.
//!
//! A version that all see may lose its writer, when a change of it is taken back. It shows a number made of what it holds
//! then: a client that compares numbers to learn whether a row has changed may be told that it has when it has not, never
//! the other way round.
//!
//! `ctid`: its block is the number that tells the row from all others of its table, its offset a number made of what the row
//! holds. Nothing that comes and goes with transactions goes into it, so that a statement which reads a row twice sees one
//! `ctid` whatever others do beside it (decision 0135).

use super::stored_row::column_in_memory;
use crate::catalog::object::{RowNumber, Table};
use crate::plan::{Plan, VERSION_COLUMNS};
use hexalog_engine::{RowBuffer, RowRef, Transaction, TxId};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError};
use std::hash::{Hash, Hasher};

/// Numbers up to here have meanings of their own in PostgreSQL.
const SPECIAL_MAX: u32 = 2;

/// FNV-1a, in 64 bits: the same number in every process.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn hash_of(of: impl Hash) -> u64 {
    let mut fnv = Fnv(0xcbf2_9ce4_8422_2325);
    of.hash(&mut fnv);
    fnv.finish()
}

fn number(of: impl Hash) -> Datum {
    let hash = hash_of(of);
    Datum::Oid(((hash >> 32) as u32 ^ hash as u32).max(SPECIAL_MAX + 1))
}

/// `xmin` of a row that was read.
pub(super) fn xmin(stored: &RowBuffer) -> Datum {
    match stored.version.tx_id() {
        TxId::FROZEN => number((stored.columns, &stored.body, &stored.chains)),
        id => number(id.bits()),
    }
}

/// The running transaction, which has written.
pub(super) fn own(transaction: &Transaction) -> Datum {
    number(transaction.tx_id().expect("it has written a row").bits())
}

/// `xmax` of a row that nobody is known to have deleted.
pub(super) const XMAX_NONE: Datum = Datum::Oid(0);

/// The version columns of a row that was read.
pub(super) fn of_stored(table: &Table, stored: &RowBuffer, plan: &Plan) -> Result<[Datum; VERSION_COLUMNS]> {
    Ok([xmin(stored), XMAX_NONE, Datum::Oid(table.oid), ctid_stored(table, stored, plan)?])
}

/// What tells the row from all others, if the statement asks where the table's rows are: what it could do without might
/// fail.
fn number_asked_for(table: &Table, plan: &Plan) -> Option<RowNumber> {
    table.row_number().filter(|_| plan.places.contains(&table.oid))
}

/// `ctid` of a row that was read; NULL if nobody asks for it.
pub(super) fn ctid_stored(table: &Table, stored: &RowBuffer, plan: &Plan) -> Result<Datum> {
    let value = match number_asked_for(table, plan) {
        None => return Ok(Datum::Null),
        Some(RowNumber::Hidden) => None,
        Some(RowNumber::Column(column)) => {
            let value = column_in_memory(table, stored, column)?;
            Some(value.map_err(|_| SqlError::internal("an integer lies in its row"))?)
        }
    };
    ctid(table, &stored.key, value.as_ref(), stored.row())
}

/// `ctid` of a row that was written under a key; NULL if nobody asks for it.
pub(super) fn ctid_written(
    table: &Table,
    key: &[u8],
    row: &[Datum],
    written: RowRef<'_>,
    plan: &Plan,
) -> Result<Datum> {
    match number_asked_for(table, plan) {
        None => Ok(Datum::Null),
        Some(RowNumber::Hidden) => ctid(table, key, None, written),
        Some(RowNumber::Column(column)) => ctid(table, key, Some(&row[column]), written),
    }
}

fn ctid(table: &Table, key: &[u8], number: Option<&Datum>, row: RowRef<'_>) -> Result<Datum> {
    let block = match number {
        None => {
            let key: [u8; 8] =
                key.try_into().map_err(|_| SqlError::internal("a hidden key has eight bytes"))?;
            u32::try_from(u64::from_be_bytes(key)).ok()
        }
        Some(Datum::Int2(value)) => Some(i32::from(*value).cast_unsigned()),
        Some(Datum::Int4(value)) => Some(value.cast_unsigned()),
        Some(Datum::Int8(value)) => u32::try_from(*value).ok(),
        Some(Datum::Oid(value)) => Some(*value),
        Some(_) => None,
    };
    let Some(block) = block else {
        let what = format!("the ctid of a row of \"{}\" whose key is beyond 32 bits", table.name);
        return Err(SqlError::unsupported(what));
    };
    let hash = hash_of((row.columns, row.body, row.chains));
    // Never 0, as in PostgreSQL. The last bytes move the upper half of FNV more than the lower one.
    let offset = ((hash >> 48) as u16 ^ (hash >> 32) as u16).max(1);
    Ok(Datum::Int8(i64::from(block) << 16 | i64::from(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &[u8]) -> u32 {
        let mut row = RowBuffer::new();
        row.columns = 1;
        row.body.extend_from_slice(body);
        assert_eq!(row.version.tx_id(), TxId::FROZEN);
        match xmin(&row) {
            Datum::Oid(number) => number,
            other => panic!("{other:?} is no xid"),
        }
    }

    /// A rolled-back change left a version without its writer, and all such versions showed one number: a client took a
    /// changed row for the one that it had read.
    #[test]
    fn versions_without_a_writer_are_told_apart_by_what_they_hold() {
        assert_ne!(shown(b"one"), shown(b"two"));
        assert_eq!(shown(b"one"), shown(b"one"));
        assert!(shown(b"one") > SPECIAL_MAX);
    }
}

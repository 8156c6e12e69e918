//! `xmin` and `xmax` of rows.
//!
//! A transaction's identity has 56 bits here and PostgreSQL's type 32: a row shows a number made of it. What two
//! transactions wrote shows two numbers but for one case in four thousand million, as good as PostgreSQL's own that come
//! round again. No row tells who deletes or locks it: `xmax` is zero but where the statement itself did so.
//!
//! A version that all see may lose its writer, when a change of it is taken back. It shows a number made of what it holds
//! then: a client that compares numbers to learn whether a row has changed may be told that it has when it has not, never
//! the other way round.

use hexalog_engine::{RowBuffer, Transaction, TxId};
use hexalog_sql_types::Datum;
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

fn number(of: impl Hash) -> Datum {
    let mut fnv = Fnv(0xcbf2_9ce4_8422_2325);
    of.hash(&mut fnv);
    let hash = fnv.finish();
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

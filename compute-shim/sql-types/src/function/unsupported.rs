//! Functions that PostgreSQL has and this crate has not: a call resolves as it would there, and is refused by name.
//!
//! Owns nothing but the refusal (0A000), so that such a call is neither called unknown nor taken for another of the same
//! name. Read next: `table.rs`.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};

/// Oids of the rows of the table that lead here. Sorted.
pub(super) const OIDS: &[u32] = &[1181, 1845, 1846, 1847, 2009, 4350];

macro_rules! unsupported {
    ($($name:ident)*) => {
        $(pub(super) fn $name(_: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
            Err(SqlError::unsupported(concat!("function ", stringify!($name), " with these arguments")))
        })*
    };
}

unsupported! {
    age
    like_escape
    normalize
    to_ascii
}

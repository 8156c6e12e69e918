//! Text input and output of every type, byte for byte as PostgreSQL 15 with `DateStyle ISO, MDY`,
//! `IntervalStyle postgres`, `bytea_output hex` and `extra_float_digits 1`.
//!
//! Owns the dispatch by type. Never decides which conversion applies (see `cast`, `resolve`).

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::types::{TypeId, Typmod};

/// Reads a value of type `id` from its text form and applies the modifier as an implicit cast would (`varchar(2)`
/// refuses `'abc'`, `numeric(3,1)` rounds). Errors: 22P02, 22003, 22007, 22008, 22001 in PostgreSQL's wording.
pub fn input(env: &EvalEnv<'_>, id: TypeId, typmod: Typmod, text: &str) -> Result<Datum> {
    let _ = (env, typmod, text);
    Err(SqlError::unsupported(format!("text input of {}", id.display_name())))
}

/// Appends the text form of a value that is not NULL.
pub fn output(env: &EvalEnv<'_>, id: TypeId, value: &Datum, out: &mut Vec<u8>) {
    let _ = (env, id);
    out.extend_from_slice(format!("{value:?}").as_bytes());
}

/// The text form of a value that is not NULL, as a string.
pub fn output_string(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> String {
    let mut out = Vec::new();
    output(env, id, value, &mut out);
    String::from_utf8(out).expect("every text form is UTF-8")
}

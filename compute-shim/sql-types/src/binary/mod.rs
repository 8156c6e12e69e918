//! Binary send and receive of every type, as drivers use them in the extended protocol.
//!
//! Owns the wire's binary format of values. Never frames messages. Source: the `…send` and `…recv` functions
//! that `pg_type` names.

use crate::datum::Datum;
use crate::error::{Result, SqlError};
use crate::types::{TypeId, Typmod};

/// Appends the binary form of a value that is not NULL (without its length word). 42883 for a type that has no
/// binary output (`aclitem`).
pub fn send(id: TypeId, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    let _ = (value, out);
    Err(SqlError::unsupported(format!("binary output of {}", id.display_name())))
}

/// Reads a value from its binary form and applies the modifier. Errors: 22P03, 08P01, 22021, 22003.
pub fn receive(id: TypeId, typmod: Typmod, bytes: &[u8]) -> Result<Datum> {
    let _ = (typmod, bytes);
    Err(SqlError::unsupported(format!("binary input of {}", id.display_name())))
}

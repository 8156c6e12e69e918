//! Operators of strings and byte strings: `||` and `^@`.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;

/// `text || text`, `bytea || bytea`. For `anynonarray || text` the binder brings the other side to `text` first.
pub(super) fn concat(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Text(left), Datum::Text(right)] => {
            let mut text = String::with_capacity(left.len() + right.len());
            text.push_str(left);
            text.push_str(right);
            Ok(Datum::text(text))
        }
        [Datum::Bytea(left), Datum::Bytea(right)] => {
            Ok(Datum::Bytea([&left[..], &right[..]].concat().into()))
        }
        _ => panic!("|| was given values of other types: {operands:?}"),
    }
}

/// `text ^@ text`: begins with.
pub(super) fn starts_with(_: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    match operands {
        [Datum::Text(text), Datum::Text(prefix)] => Ok(Datum::Bool(text.starts_with(&**prefix))),
        _ => panic!("^@ was given values of other types: {operands:?}"),
    }
}

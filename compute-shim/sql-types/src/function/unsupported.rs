//! Functions that PostgreSQL has and this crate has not: a call resolves as it would there, and is refused by name.
//!
//! Owns nothing but the refusal (0A000), so that such a call is neither called unknown nor taken for another of the same
//! name. Read next: `table.rs`.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};

/// Oids of the rows of the table that lead here. Sorted.
pub(super) const OIDS: &[u32] = &[
    320, 721, 722, 723, 724, 749, 752, 1181, 1193, 1268, 1286, 1607, 1713, 1714, 1717, 1772, 1773, 1774,
    1775, 1776, 1777, 1778, 1780, 1810, 1813, 1845, 1846, 1847, 2009, 2014, 2015, 2074, 2170, 2462, 2463,
    2464, 2465, 2466, 2467, 2731, 2732, 2733, 2734, 2735, 2736, 2737, 2738, 3218, 3419, 3420, 3421, 3422,
    4350, 5049, 6172, 6195, 6196, 6198,
];

macro_rules! unsupported {
    ($($name:ident)*) => {
        $(pub(super) fn $name(_: &EvalEnv<'_>, _: &[Datum]) -> Result<Datum> {
            Err(SqlError::unsupported(concat!("function ", stringify!($name), " with these arguments")))
        })*
    };
}

unsupported! {
    acosd
    acosh
    age
    array_fill
    asind
    asinh
    atan2d
    atand
    atanh
    bit_length
    btrim
    convert
    convert_from
    convert_to
    cosd
    cosh
    cot
    cotd
    get_bit
    get_byte
    lcm
    length
    like_escape
    ltrim
    normalize
    overlay
    parse_ident
    position
    rtrim
    set_bit
    set_byte
    sha224
    sha256
    sha384
    sha512
    sind
    sinh
    substring
    tand
    tanh
    to_ascii
    to_char
    to_date
    to_number
    to_timestamp
    trim_array
    unistr
    width_bucket
}

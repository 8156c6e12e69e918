//! Short spellings of the values that rows of system tables are made of.

use hexalog_sql_types::{Array, Datum, TypeId};

pub(super) const NULL: Datum = Datum::Null;
pub(super) const FALSE: Datum = Datum::Bool(false);
pub(super) const TRUE: Datum = Datum::Bool(true);
/// The empty `"char"`.
pub(super) const NO_CHAR: Datum = Datum::Char(0);

pub(super) fn text(value: impl AsRef<str>) -> Datum {
    Datum::text(value.as_ref())
}

pub(super) fn oid(value: u32) -> Datum {
    Datum::Oid(value)
}

pub(super) fn int2(value: usize) -> Datum {
    Datum::Int2(i16::try_from(value).expect("column numbers and counts are below 1,601"))
}

pub(super) fn int4(value: usize) -> Datum {
    Datum::Int4(i32::try_from(value).expect("positions are below 1,601"))
}

pub(super) fn yes_or_no(value: bool) -> Datum {
    Datum::text(if value { "YES" } else { "NO" })
}

pub(super) fn int2_vector(values: impl IntoIterator<Item = i16>) -> Datum {
    Array::vector(TypeId::INT2, values.into_iter().map(Datum::Int2).collect()).into()
}

pub(super) fn oid_vector(values: impl IntoIterator<Item = u32>) -> Datum {
    Array::vector(TypeId::OID, values.into_iter().map(Datum::Oid).collect()).into()
}

pub(super) fn int2_array(values: impl IntoIterator<Item = i16>) -> Datum {
    Array::from_values(TypeId::INT2, values.into_iter().map(Datum::Int2).collect()).into()
}

pub(super) fn text_array(values: impl IntoIterator<Item = String>) -> Datum {
    Array::from_values(TypeId::TEXT, values.into_iter().map(Datum::from).collect()).into()
}

//! Values: the `Datum` enum, arrays and records, and the order, equality and hash of each type.
//!
//! Owns the in-memory form of every value. Never parses or prints (see `text`, `binary`) and never stores
//! (see `row`, `key`). A `Datum` does not know its SQL type in full: `Text` serves `text`, `varchar`, `bpchar`,
//! `name` and others, `Oid` serves `oid` and the `reg…` aliases; whoever holds a `Datum` holds its [`TypeId`] too.
//! Read next: `numeric` and `datetime` for the values with arithmetic of their own.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::datetime::{Date, Interval, Time, Timestamp, Timestamptz, Timetz};
use crate::error::{Result, SqlError, SqlState};
use crate::json::{Json, path::JsonPath};
use crate::numeric::Numeric;
use crate::types::TypeId;

/// A value or NULL. 24 bytes; a clone copies or counts a reference, it never copies text.
#[derive(Clone, Debug, Default)]
pub enum Datum {
    /// SQL NULL, of any type.
    #[default]
    Null,
    /// `boolean`.
    Bool(bool),
    /// `"char"`.
    Char(u8),
    /// `smallint`.
    Int2(i16),
    /// `integer`.
    Int4(i32),
    /// `bigint`.
    Int8(i64),
    /// `oid`, `xid`, `cid` and the `reg…` aliases.
    Oid(u32),
    /// `real`.
    Float4(f32),
    /// `double precision`.
    Float8(f64),
    /// `numeric`.
    Numeric(Numeric),
    /// `text`, `varchar`, `bpchar` (with its padding), `name`, `json`, `unknown`, `cstring`, `pg_node_tree`, `aclitem`.
    Text(Arc<str>),
    /// `jsonb`.
    Jsonb(Arc<Json>),
    /// `jsonpath`.
    JsonPath(Arc<JsonPath>),
    /// `bytea`.
    Bytea(Arc<[u8]>),
    /// `date`.
    Date(Date),
    /// `time`.
    Time(Time),
    /// `time with time zone`.
    Timetz(Timetz),
    /// `timestamp`.
    Timestamp(Timestamp),
    /// `timestamptz`.
    Timestamptz(Timestamptz),
    /// `interval`.
    Interval(Interval),
    /// A value of an enum type.
    Enum(EnumValue),
    /// `uuid`.
    Uuid([u8; 16]),
    /// Any array type, `int2vector` and `oidvector` included.
    Array(Arc<Array>),
    /// `record` and row types.
    Record(Arc<Record>),
}

const _: () = assert!(size_of::<Datum>() <= 24);

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dimension {
    /// Number of elements, never negative.
    pub length: i32,
    /// First subscript, 1 unless chosen otherwise (0 in the vectors of the catalog).
    pub lower: i32,
}

impl Dimension {
    /// 54000 where the subscript behind the last one is beyond the type of subscripts: sums of bounds and lengths never
    /// overflow.
    pub fn check_bounds(dimensions: &[Dimension]) -> Result<(), SqlError> {
        let is_beyond = |dimension: &&Dimension| dimension.lower.checked_add(dimension.length).is_none();
        match dimensions.iter().find(is_beyond) {
            None => Ok(()),
            Some(dimension) => {
                let message = format!("array lower bound is too large: {}", dimension.lower);
                Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
            }
        }
    }
}

/// An array value. No dimensions means empty.
#[derive(Clone, Debug)]
pub struct Array {
    /// Type of the elements.
    pub element: TypeId,
    /// At most 6 dimensions, outermost first.
    pub dimensions: Vec<Dimension>,
    /// All elements, last dimension fastest.
    pub values: Vec<Datum>,
}

/// Most dimensions of an array.
pub const ARRAY_DIMENSIONS_MAX: usize = 6;

impl Array {
    /// A one-dimensional array with subscripts from 1; empty input gives the array without dimensions.
    pub fn from_values(element: TypeId, values: Vec<Datum>) -> Array {
        Self::with_lower(element, values, 1)
    }

    /// A vector as in the catalog (`int2vector`, `oidvector`): subscripts from 0, one dimension even when empty.
    pub fn vector(element: TypeId, values: Vec<Datum>) -> Array {
        let length = i32::try_from(values.len()).expect("arrays are bounded by memory well below 2^31");
        Array { element, dimensions: vec![Dimension { length, lower: 0 }], values }
    }

    /// A one-dimensional array with a chosen first subscript.
    pub fn with_lower(element: TypeId, values: Vec<Datum>, lower: i32) -> Array {
        let length = i32::try_from(values.len()).expect("arrays are bounded by memory well below 2^31");
        let dimensions = if length == 0 { Vec::new() } else { vec![Dimension { length, lower }] };
        Array { element, dimensions, values }
    }

    /// The elements in order (what `unnest` yields).
    pub fn elements(&self) -> &[Datum] {
        &self.values
    }

    /// The element at the given subscripts, one per dimension; `None` (SQL's NULL) outside the bounds or when the
    /// number of subscripts differs.
    pub fn get(&self, subscripts: &[i32]) -> Option<&Datum> {
        if subscripts.is_empty() || subscripts.len() != self.dimensions.len() {
            return None;
        }
        let mut at = 0usize;
        for (&subscript, dimension) in subscripts.iter().zip(&self.dimensions) {
            let offset = i64::from(subscript) - i64::from(dimension.lower);
            if offset < 0 || offset >= i64::from(dimension.length) {
                return None;
            }
            let length = usize::try_from(dimension.length).expect("lengths are not negative");
            at = at * length + usize::try_from(offset).expect("checked above");
        }
        self.values.get(at)
    }
}

/// A value of an enum type. Its label is the catalog's to say ([`crate::Host::enum_label`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// The enum type.
    pub id: TypeId,
    /// Its place among the type's values: they are ordered as these numbers are.
    pub key: i64,
}

/// A row value: the types and values of its columns.
#[derive(Clone, Debug)]
pub struct Record {
    /// Type of each column.
    pub types: Vec<TypeId>,
    /// Value of each column.
    pub values: Vec<Datum>,
    /// Name of each column; none: `f1`, `f2`, … A name is no part of the value: it shows as JSON's key alone.
    pub names: Option<Arc<[Box<str>]>>,
}

/// Most rows within each other: as deep as an expression that makes them may be. Whoever reads, compares or prints values goes down by
/// recursion.
pub const RECORD_LEVELS_MAX: usize = 400;

/// Whether each has so many levels of rows at most.
fn are_within(values: &[Datum], levels: usize) -> bool {
    values.iter().all(|value| match value {
        Datum::Record(record) => levels > 0 && are_within(&record.values, levels - 1),
        Datum::Array(array) if array.element == TypeId::RECORD => are_within(&array.values, levels),
        _ => true,
    })
}

impl Record {
    /// Of values of these types. 54001 if it is nested too deep, which a recursive query can come to.
    pub fn new(types: Vec<TypeId>, values: Vec<Datum>, names: Option<Arc<[Box<str>]>>) -> Result<Record> {
        assert_eq!(types.len(), values.len(), "each value has a type");
        match are_within(&values, RECORD_LEVELS_MAX - 1) {
            true => Ok(Record { types, values, names }),
            false => {
                let message = "stack depth limit exceeded";
                Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, message)
                    .with_detail(format!("Rows may have {RECORD_LEVELS_MAX} levels of rows.")))
            }
        }
    }
    /// Name of a column.
    pub fn name(&self, column: usize) -> String {
        match &self.names {
            Some(names) => names[column].to_string(),
            None => format!("f{}", column + 1),
        }
    }
}

impl Datum {
    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> Datum {
        Datum::Text(text.into())
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    /// The boolean, `None` for NULL. Panics on any other variant: the binder has checked types.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Datum::Null => None,
            Datum::Bool(value) => Some(*value),
            other => panic!("boolean expected, found {other:?}"),
        }
    }

    /// The text of a text-like value, `None` for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an `int2`, `int4` or `int8`, `None` for anything else.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Datum::Int2(value) => Some(i64::from(*value)),
            Datum::Int4(value) => Some(i64::from(*value)),
            Datum::Int8(value) => Some(*value),
            _ => None,
        }
    }

    /// The array of an array value, `None` for anything else.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Datum::Array(array) => Some(array),
            _ => None,
        }
    }
}

/// Total order of two floats as PostgreSQL has it: NaN equals itself and is above everything, -0 equals 0.
pub fn compare_f64(left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left.partial_cmp(&right).expect("neither is NaN"),
    }
}

/// The part of a `bpchar` value that takes part in comparisons: all but its trailing blanks.
pub fn trim_bpchar(text: &str) -> &str {
    text.trim_end_matches(' ')
}

/// Compares two values of the same type by its default btree order, text by code point (collation `C`).
///
/// NULL equals NULL and is above every value (`NULLS LAST`); operators are strict and never pass one. Integers may differ in
/// width, and so may floats. Panics when other variants differ: the binder has brought both sides to one type.
pub fn compare(id: TypeId, left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        (Datum::Bool(a), Datum::Bool(b)) => a.cmp(b),
        (Datum::Char(a), Datum::Char(b)) => a.cmp(b),
        (Datum::Int2(a), Datum::Int2(b)) => a.cmp(b),
        (Datum::Int4(a), Datum::Int4(b)) => a.cmp(b),
        (Datum::Int8(a), Datum::Int8(b)) => a.cmp(b),
        (Datum::Oid(a), Datum::Oid(b)) => a.cmp(b),
        (Datum::Float4(a), Datum::Float4(b)) => compare_f64(f64::from(*a), f64::from(*b)),
        (Datum::Float8(a), Datum::Float8(b)) => compare_f64(*a, *b),
        (Datum::Float4(a), Datum::Float8(b)) => compare_f64(f64::from(*a), *b),
        (Datum::Float8(a), Datum::Float4(b)) => compare_f64(*a, f64::from(*b)),
        (Datum::Numeric(a), Datum::Numeric(b)) => a.cmp(b),
        (Datum::Text(a), Datum::Text(b)) if id == TypeId::BPCHAR => trim_bpchar(a).cmp(trim_bpchar(b)),
        (Datum::Text(a), Datum::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Datum::Jsonb(a), Datum::Jsonb(b)) => a.cmp(b),
        // No operator of SQL has this order: a sort of rows that meets such values goes on to its end before it fails.
        (Datum::JsonPath(a), Datum::JsonPath(b)) => a.to_string().cmp(&b.to_string()),
        (Datum::Bytea(a), Datum::Bytea(b)) => a.cmp(b),
        (Datum::Date(a), Datum::Date(b)) => a.cmp(b),
        (Datum::Time(a), Datum::Time(b)) => a.cmp(b),
        (Datum::Timetz(a), Datum::Timetz(b)) => a.cmp(b),
        (Datum::Timestamp(a), Datum::Timestamp(b)) => a.cmp(b),
        (Datum::Timestamptz(a), Datum::Timestamptz(b)) => a.cmp(b),
        (Datum::Interval(a), Datum::Interval(b)) => a.span().cmp(&b.span()),
        (Datum::Uuid(a), Datum::Uuid(b)) => a.cmp(b),
        (Datum::Enum(a), Datum::Enum(b)) => a.key.cmp(&b.key),
        (Datum::Array(a), Datum::Array(b)) => compare_arrays(id, a, b),
        (Datum::Record(a), Datum::Record(b)) => compare_records(a, b),
        _ => match (left.as_i64(), right.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => panic!("values of different types compared as {id:?}: {left:?} and {right:?}"),
        },
    }
}

/// `oidvector` compares lengths first; other arrays element by element, then by number of elements, of dimensions,
/// lengths and lower bounds.
fn compare_arrays(id: TypeId, left: &Array, right: &Array) -> Ordering {
    if id == TypeId::OIDVECTOR && left.values.len() != right.values.len() {
        return left.values.len().cmp(&right.values.len());
    }
    for (a, b) in left.values.iter().zip(&right.values) {
        let order = compare(left.element, a, b);
        if order != Ordering::Equal {
            return order;
        }
    }
    left.values
        .len()
        .cmp(&right.values.len())
        .then_with(|| left.dimensions.len().cmp(&right.dimensions.len()))
        .then_with(|| {
            let lengths = |array: &Array| array.dimensions.iter().map(|d| d.length).collect::<Vec<_>>();
            lengths(left).cmp(&lengths(right))
        })
        .then_with(|| {
            let lowers = |array: &Array| array.dimensions.iter().map(|d| d.lower).collect::<Vec<_>>();
            lowers(left).cmp(&lowers(right))
        })
}

/// Of rows with other columns the order is that of the types' numbers: PostgreSQL refuses to compare them (`operator/record.rs`),
/// and whoever sorts looks at neighbours.
fn compare_records(left: &Record, right: &Record) -> Ordering {
    for (at, (a, b)) in left.values.iter().zip(&right.values).enumerate() {
        let types = left.types[at].0.cmp(&right.types[at].0);
        let order = types.then_with(|| compare(left.types[at], a, b));
        if order != Ordering::Equal {
            return order;
        }
    }
    left.values.len().cmp(&right.values.len())
}

/// Whether two values of the same type are equal by its `=` (NULL equal to NULL, as DISTINCT and GROUP BY want).
pub fn equal(id: TypeId, left: &Datum, right: &Datum) -> bool {
    compare(id, left, right) == Ordering::Equal
}

/// Whether values of two types that `=` compares without a cast are compared by [`equal`] and hash alike: PostgreSQL's
/// operator families.
pub fn hash_alike(left: TypeId, right: TypeId) -> bool {
    let integer = |id| matches!(id, TypeId::INT2 | TypeId::INT4 | TypeId::INT8);
    let float = |id| matches!(id, TypeId::FLOAT4 | TypeId::FLOAT8);
    let text = |id| matches!(id, TypeId::TEXT | TypeId::VARCHAR | TypeId::NAME);
    left == right
        || (integer(left) && integer(right))
        || (float(left) && float(right))
        || (text(left) && text(right))
        || (left.is_oid_like() && right.is_oid_like())
}

/// Feeds a value to a hasher so that values equal by [`equal`] feed the same bytes, of whatever width.
pub fn hash<H: Hasher>(id: TypeId, value: &Datum, state: &mut H) {
    match value {
        Datum::Null => state.write_u8(0xff),
        Datum::Bool(value) => value.hash(state),
        Datum::Char(value) => value.hash(state),
        Datum::Int2(value) => i64::from(*value).hash(state),
        Datum::Int4(value) => i64::from(*value).hash(state),
        Datum::Int8(value) => value.hash(state),
        Datum::Oid(value) => value.hash(state),
        Datum::Float4(value) => hash_f64(f64::from(*value), state),
        Datum::Float8(value) => hash_f64(*value, state),
        Datum::Numeric(value) => value.hash(state),
        Datum::Text(value) if id == TypeId::BPCHAR => trim_bpchar(value).hash(state),
        Datum::Text(value) => value.hash(state),
        Datum::Jsonb(value) => value.hash(state),
        Datum::JsonPath(value) => value.to_string().hash(state),
        Datum::Bytea(value) => value.hash(state),
        Datum::Date(value) => value.hash(state),
        Datum::Time(value) => value.hash(state),
        Datum::Timetz(value) => value.hash(state),
        Datum::Timestamp(value) => value.hash(state),
        Datum::Timestamptz(value) => value.hash(state),
        Datum::Interval(value) => value.span().hash(state),
        Datum::Uuid(value) => value.hash(state),
        Datum::Enum(value) => value.key.hash(state),
        Datum::Array(array) => {
            state.write_usize(array.values.len());
            array.values.iter().for_each(|value| hash(array.element, value, state));
        }
        Datum::Record(record) => {
            record.values.iter().zip(&record.types).for_each(|(value, &id)| hash(id, value, state));
        }
    }
}

fn hash_f64<H: Hasher>(value: f64, state: &mut H) {
    let canonical = if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    };
    state.write_u64(canonical.to_bits());
}

impl From<bool> for Datum {
    fn from(value: bool) -> Datum {
        Datum::Bool(value)
    }
}

impl From<i16> for Datum {
    fn from(value: i16) -> Datum {
        Datum::Int2(value)
    }
}

impl From<i32> for Datum {
    fn from(value: i32) -> Datum {
        Datum::Int4(value)
    }
}

impl From<i64> for Datum {
    fn from(value: i64) -> Datum {
        Datum::Int8(value)
    }
}

impl From<f32> for Datum {
    fn from(value: f32) -> Datum {
        Datum::Float4(value)
    }
}

impl From<f64> for Datum {
    fn from(value: f64) -> Datum {
        Datum::Float8(value)
    }
}

impl From<Numeric> for Datum {
    fn from(value: Numeric) -> Datum {
        Datum::Numeric(value)
    }
}

impl From<&str> for Datum {
    fn from(value: &str) -> Datum {
        Datum::Text(value.into())
    }
}

impl From<String> for Datum {
    fn from(value: String) -> Datum {
        Datum::Text(value.into())
    }
}

impl From<Array> for Datum {
    fn from(value: Array) -> Datum {
        Datum::Array(Arc::new(value))
    }
}

//! The bytes of a row in a temporary file: each value says what it is, so that rows of any query can be put aside.
//!
//! Owns [`write_row`] and [`read_row`]. Not an on-disk format: what is written is read by the process that wrote it, or by nobody.
//! What is read is what was written, names of a record's columns included, which a stored row does without.

use super::json;
use super::value::{read_numeric, write_numeric};
use crate::datetime::{Date, Interval, Time, Timestamp, Timestamptz, Timetz};
use crate::datum::{Array, Datum, Dimension, EnumValue, RECORD_LEVELS_MAX, Record};
use crate::json::path::JsonPath;
use crate::types::TypeId;
use std::sync::Arc;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const CHAR: u8 = 3;
const INT2: u8 = 4;
const INT4: u8 = 5;
const INT8: u8 = 6;
const OID: u8 = 7;
const FLOAT4: u8 = 8;
const FLOAT8: u8 = 9;
const NUMERIC: u8 = 10;
const TEXT: u8 = 11;
const JSONB: u8 = 12;
const JSONPATH: u8 = 13;
const BYTEA: u8 = 14;
const DATE: u8 = 15;
const TIME: u8 = 16;
const TIMETZ: u8 = 17;
const TIMESTAMP: u8 = 18;
const TIMESTAMPTZ: u8 = 19;
const INTERVAL: u8 = 20;
const ENUM: u8 = 21;
const UUID: u8 = 22;
const ARRAY: u8 = 23;
const RECORD: u8 = 24;

/// Appends a row.
pub fn write_row(values: &[Datum], out: &mut Vec<u8>) {
    write_count(values.len(), out);
    values.iter().for_each(|value| write(value, out));
}

/// Takes a row off the front; `None` for bytes that are none.
pub fn read_row(bytes: &mut &[u8]) -> Option<Vec<Datum>> {
    take_row(bytes, 0)
}

/// Arrays and rows within each other: rows have a bound, and an array may stand around each.
const LEVELS_MAX: usize = 2 * RECORD_LEVELS_MAX + 1;

/// A plain loop, so that three frames at most stand on each other for a level.
fn take_row(bytes: &mut &[u8], level: usize) -> Option<Vec<Datum>> {
    let count = take_count(bytes).filter(|_| level <= LEVELS_MAX)?;
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(take(bytes, level)?);
    }
    Some(values)
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    let count = u32::try_from(count).expect("values are far below 4 GiB");
    out.extend_from_slice(&count.to_le_bytes());
}

/// Appends what `write_bytes` appends, with its length in front.
fn write_sized(out: &mut Vec<u8>, write_bytes: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write_bytes(out);
    let length = u32::try_from(out.len() - start - 4).expect("values are far below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn write(value: &Datum, out: &mut Vec<u8>) {
    let mut plain = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend_from_slice(bytes);
    };
    match value {
        Datum::Null => out.push(NULL),
        Datum::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
        Datum::Char(value) => plain(CHAR, &[*value]),
        Datum::Int2(value) => plain(INT2, &value.to_le_bytes()),
        Datum::Int4(value) => plain(INT4, &value.to_le_bytes()),
        Datum::Int8(value) => plain(INT8, &value.to_le_bytes()),
        Datum::Oid(value) => plain(OID, &value.to_le_bytes()),
        Datum::Float4(value) => plain(FLOAT4, &value.to_le_bytes()),
        Datum::Float8(value) => plain(FLOAT8, &value.to_le_bytes()),
        Datum::Date(value) => plain(DATE, &value.0.to_le_bytes()),
        Datum::Time(value) => plain(TIME, &value.0.to_le_bytes()),
        Datum::Timetz(value) => {
            plain(TIMETZ, &value.us.to_le_bytes());
            out.extend_from_slice(&value.west.to_le_bytes());
        }
        Datum::Timestamp(value) => plain(TIMESTAMP, &value.0.to_le_bytes()),
        Datum::Timestamptz(value) => plain(TIMESTAMPTZ, &value.0.to_le_bytes()),
        Datum::Interval(value) => {
            plain(INTERVAL, &value.us.to_le_bytes());
            out.extend_from_slice(&value.days.to_le_bytes());
            out.extend_from_slice(&value.months.to_le_bytes());
        }
        Datum::Enum(value) => {
            plain(ENUM, &value.id.0.to_le_bytes());
            out.extend_from_slice(&value.key.to_le_bytes());
        }
        Datum::Uuid(value) => plain(UUID, value),
        Datum::Numeric(number) => {
            out.push(NUMERIC);
            write_sized(out, |out| write_numeric(number, out));
        }
        Datum::Text(text) => {
            out.push(TEXT);
            write_sized(out, |out| out.extend_from_slice(text.as_bytes()));
        }
        Datum::Bytea(bytes) => {
            out.push(BYTEA);
            write_sized(out, |out| out.extend_from_slice(bytes));
        }
        Datum::Jsonb(value) => {
            out.push(JSONB);
            write_sized(out, |out| json::write(value, out));
        }
        Datum::JsonPath(path) => {
            out.push(JSONPATH);
            write_sized(out, |out| out.extend_from_slice(path.to_string().as_bytes()));
        }
        Datum::Array(array) => {
            plain(ARRAY, &array.element.0.to_le_bytes());
            write_count(array.dimensions.len(), out);
            for dimension in &array.dimensions {
                out.extend_from_slice(&dimension.length.to_le_bytes());
                out.extend_from_slice(&dimension.lower.to_le_bytes());
            }
            write_row(&array.values, out);
        }
        Datum::Record(record) => write_record(record, out),
    }
}

fn write_record(record: &Record, out: &mut Vec<u8>) {
    out.push(RECORD);
    write_count(record.types.len(), out);
    record.types.iter().for_each(|id| out.extend_from_slice(&id.0.to_le_bytes()));
    write_row(&record.values, out);
    out.push(u8::from(record.names.is_some()));
    if let Some(names) = &record.names {
        write_count(names.len(), out);
        names.iter().for_each(|name| write_sized(out, |out| out.extend_from_slice(name.as_bytes())));
    }
}

fn take_chunk<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// A count of parts that have at least a byte each.
fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    let count = usize::try_from(u32::from_le_bytes(take_chunk(bytes)?)).ok()?;
    (count <= bytes.len()).then_some(count)
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_count(bytes)?;
    let (head, rest) = bytes.split_at(length);
    *bytes = rest;
    Some(head)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_sized(bytes)?).ok()
}

fn take(bytes: &mut &[u8], level: usize) -> Option<Datum> {
    let [tag] = take_chunk(bytes)?;
    Some(match tag {
        ARRAY => Datum::Array(Arc::new(take_array(bytes, level + 1)?)),
        RECORD => Datum::Record(Arc::new(take_record(bytes, level + 1)?)),
        tag => take_plain(tag, bytes)?,
    })
}

/// What has no values within it: on its own, for its frame is large where nothing is inlined.
fn take_plain(tag: u8, bytes: &mut &[u8]) -> Option<Datum> {
    Some(match tag {
        NULL => Datum::Null,
        FALSE => Datum::Bool(false),
        TRUE => Datum::Bool(true),
        CHAR => Datum::Char(u8::from_le_bytes(take_chunk(bytes)?)),
        INT2 => Datum::Int2(i16::from_le_bytes(take_chunk(bytes)?)),
        INT4 => Datum::Int4(i32::from_le_bytes(take_chunk(bytes)?)),
        INT8 => Datum::Int8(i64::from_le_bytes(take_chunk(bytes)?)),
        OID => Datum::Oid(u32::from_le_bytes(take_chunk(bytes)?)),
        FLOAT4 => Datum::Float4(f32::from_le_bytes(take_chunk(bytes)?)),
        FLOAT8 => Datum::Float8(f64::from_le_bytes(take_chunk(bytes)?)),
        DATE => Datum::Date(Date(i32::from_le_bytes(take_chunk(bytes)?))),
        TIME => Datum::Time(Time(i64::from_le_bytes(take_chunk(bytes)?))),
        TIMETZ => Datum::Timetz(Timetz {
            us: i64::from_le_bytes(take_chunk(bytes)?),
            west: i32::from_le_bytes(take_chunk(bytes)?),
        }),
        TIMESTAMP => Datum::Timestamp(Timestamp(i64::from_le_bytes(take_chunk(bytes)?))),
        TIMESTAMPTZ => Datum::Timestamptz(Timestamptz(i64::from_le_bytes(take_chunk(bytes)?))),
        INTERVAL => Datum::Interval(Interval {
            us: i64::from_le_bytes(take_chunk(bytes)?),
            days: i32::from_le_bytes(take_chunk(bytes)?),
            months: i32::from_le_bytes(take_chunk(bytes)?),
        }),
        ENUM => Datum::Enum(EnumValue {
            id: TypeId(u32::from_le_bytes(take_chunk(bytes)?)),
            key: i64::from_le_bytes(take_chunk(bytes)?),
        }),
        UUID => Datum::Uuid(take_chunk(bytes)?),
        NUMERIC => Datum::Numeric(read_numeric(take_sized(bytes)?)?),
        TEXT => Datum::text(take_text(bytes)?),
        BYTEA => Datum::Bytea(take_sized(bytes)?.into()),
        JSONB => Datum::Jsonb(Arc::new(json::read(take_sized(bytes)?)?)),
        JSONPATH => {
            // No text has NUL, and the path that is made of it could not be printed so that it is read again.
            let text = take_text(bytes).filter(|text| !text.contains('\0'))?;
            Datum::JsonPath(Arc::new(JsonPath::parse(text).ok()?))
        }
        _ => return None,
    })
}

fn take_array(bytes: &mut &[u8], level: usize) -> Option<Array> {
    let element = TypeId(u32::from_le_bytes(take_chunk(bytes)?));
    let count = take_count(bytes)?;
    let dimension = |bytes: &mut &[u8]| {
        let length = i32::from_le_bytes(take_chunk(bytes)?);
        Some(Dimension { length, lower: i32::from_le_bytes(take_chunk(bytes)?) })
    };
    let dimensions = (0..count).map(|_| dimension(bytes)).collect::<Option<Vec<_>>>()?;
    Some(Array { element, dimensions, values: take_row(bytes, level)? })
}

fn take_record(bytes: &mut &[u8], level: usize) -> Option<Record> {
    let count = take_count(bytes)?;
    let id = |bytes: &mut &[u8]| Some(TypeId(u32::from_le_bytes(take_chunk(bytes)?)));
    let types = (0..count).map(|_| id(bytes)).collect::<Option<Vec<_>>>()?;
    let values = take_row(bytes, level)?;
    let names = match take_chunk(bytes)? {
        [0] => None,
        _ => {
            let count = take_count(bytes)?;
            let names = (0..count).map(|_| take_text(bytes).map(Box::from));
            Some(names.collect::<Option<Vec<Box<str>>>>()?.into())
        }
    };
    Some(Record { types, values, names })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::numeric::Numeric;

    #[test]
    fn what_is_read_is_what_was_written() {
        let number = |text: &str| Datum::Numeric(Numeric::parse(text).expect("a number"));
        let array = Array {
            element: TypeId::TEXT,
            dimensions: vec![Dimension { length: 2, lower: -1 }, Dimension { length: 1, lower: 1 }],
            values: vec![Datum::text("x"), Datum::Null],
        };
        let record = |names| {
            let values = vec![Datum::Int4(1), Datum::text("")];
            Datum::Record(Arc::new(Record { types: vec![TypeId::INT4, TypeId::TEXT], values, names }))
        };
        let interval = Interval { us: -1, days: 2, months: -3 };
        let row = vec![
            Datum::Null,
            Datum::Bool(true),
            Datum::Bool(false),
            Datum::Char(255),
            Datum::Int2(-2),
            Datum::Int4(i32::MIN),
            Datum::Int8(i64::MAX),
            Datum::Oid(u32::MAX),
            Datum::Float4(f32::NEG_INFINITY),
            Datum::Float8(-0.0),
            number("1.00"),
            number("-0.0010"),
            number("123456789012345678901234567890.5"),
            Datum::Numeric(Numeric::NAN),
            Datum::Numeric(Numeric::NEGATIVE_INFINITY),
            Datum::text("naïve\n"),
            Datum::Jsonb(Arc::new(Json::parse("{\"a\": [1, null, {\"b\": \"c\"}]}").expect("JSON"))),
            Datum::JsonPath(Arc::new(JsonPath::parse("$.a[*] ? (@ > 1)").expect("a path"))),
            Datum::Bytea([0u8, 255].as_slice().into()),
            Datum::Date(Date(-1)),
            Datum::Time(Time(1)),
            Datum::Timetz(Timetz { us: 1, west: -3600 }),
            Datum::Timestamp(Timestamp(i64::MIN)),
            Datum::Timestamptz(Timestamptz(7)),
            Datum::Interval(interval),
            Datum::Enum(EnumValue { id: TypeId(100_000), key: -5 }),
            Datum::Uuid([7; 16]),
            Datum::Array(Arc::new(array)),
            record(None),
            record(Some(["a".into(), "b".into()].into_iter().collect())),
        ];
        let mut bytes = Vec::new();
        write_row(&row, &mut bytes);
        write_row(&[], &mut bytes);
        let mut rest = bytes.as_slice();
        let read = read_row(&mut rest).expect("was written");
        assert_eq!(format!("{read:?}"), format!("{row:?}"));
        assert_eq!(read_row(&mut rest).expect("was written").len(), 0);
        assert_eq!(rest, b"");
        // What is cut short is no row.
        for length in 0..bytes.len() - 4 {
            assert!(read_row(&mut &bytes[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_no_row() {
        let around = |value: Datum, is_array: bool| match is_array {
            true => Array::from_values(TypeId::RECORD, vec![value]).into(),
            false => {
                let record = Record::new(vec![TypeId::RECORD], vec![value], None).expect("not too deep");
                Datum::Record(Arc::new(record))
            }
        };
        let mut value = Datum::Null;
        for _ in 0..RECORD_LEVELS_MAX {
            value = around(around(value, false), true);
        }
        let error = Record::new(vec![TypeId::RECORD], vec![value.clone()], None).expect_err("too deep");
        assert_eq!(error.sqlstate().to_string(), "54001");
        let mut bytes = Vec::new();
        write_row(&[value], &mut bytes);
        let read = read_row(&mut bytes.as_slice()).expect("was written");
        let mut again = Vec::new();
        write_row(&read, &mut again);
        assert!(again == bytes, "what is read is what was written");
        // Rows of one array, of arrays, without an end.
        let level: &[u8] = &[1, 0, 0, 0, ARRAY, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(read_row(&mut level.repeat(100_000).as_slice()).is_none());
    }
}

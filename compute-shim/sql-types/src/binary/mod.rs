//! Binary send and receive of every type, as drivers use them in the extended protocol.
//!
//! Owns the wire's binary format of values; `composite.rs` owns arrays, records and `numeric`. Never frames messages.
//! Source: the `…send` and `…recv` functions that `pg_type` of PostgreSQL 15 names. All integers are big-endian.

mod composite;

use std::sync::Arc;

use crate::datetime::{
    Date, Interval, Time, Timestamp, Timestamptz, Timetz, in_range, is_time_of_day, is_west_received,
};
use crate::datum::{Datum, EnumValue};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::json::{Json, path::JsonPath};
use crate::text::{decode_utf8, truncate_name};
use crate::types::{TypeId, Typmod};

/// 42883 for a type that has no binary output.
pub fn check_output(id: TypeId) -> Result<()> {
    if id == TypeId::ACLITEM { Err(no_function(id, "output")) } else { Ok(()) }
}

/// Appends the binary form of a value that is not NULL (without its length word). 42883 for a type that has no
/// binary output (`aclitem`).
pub fn send(env: &EvalEnv<'_>, id: TypeId, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    check_output(id)?;
    match value {
        Datum::Null => panic!("NULL has no binary form: callers send it apart"),
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::Char(value) => out.push(*value),
        Datum::Int2(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Int4(value) => out.extend_from_slice(&value.to_be_bytes()),
        // Block and offset, as the lower six bytes have them.
        Datum::Int8(value) if id == TypeId::TID => out.extend_from_slice(&value.to_be_bytes()[2..]),
        Datum::Int8(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Oid(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Float4(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Float8(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Numeric(value) => composite::send_numeric(value, out),
        Datum::Text(value) => out.extend_from_slice(value.as_bytes()),
        Datum::Jsonb(value) => send_versioned(&value.to_string(), out),
        Datum::JsonPath(value) => send_versioned(&value.to_string(), out),
        Datum::Bytea(value) => out.extend_from_slice(value),
        Datum::Date(value) => out.extend_from_slice(&value.0.to_be_bytes()),
        Datum::Time(value) => out.extend_from_slice(&value.0.to_be_bytes()),
        Datum::Timetz(value) => {
            out.extend_from_slice(&value.us.to_be_bytes());
            out.extend_from_slice(&value.west.to_be_bytes());
        }
        Datum::Timestamp(value) => out.extend_from_slice(&value.0.to_be_bytes()),
        Datum::Timestamptz(value) => out.extend_from_slice(&value.0.to_be_bytes()),
        Datum::Interval(value) => {
            out.extend_from_slice(&value.us.to_be_bytes());
            out.extend_from_slice(&value.days.to_be_bytes());
            out.extend_from_slice(&value.months.to_be_bytes());
        }
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Enum(value) => out.extend_from_slice(env.enum_label(*value).as_bytes()),
        Datum::Array(value) => composite::send_array(env, value, out)?,
        Datum::Record(value) => composite::send_record(env, value, out)?,
    }
    Ok(())
}

/// Reads a value from its binary form and applies the modifier. Errors: 22P03 for bytes left over or out of place, 08P01 for
/// too few, 22021 for text that is not UTF-8, 22008 for times out of range, those of the modifier.
pub fn receive(env: &EvalEnv<'_>, id: TypeId, typmod: Typmod, bytes: &[u8]) -> Result<Datum> {
    let mut reader = Reader { bytes };
    let value = read(env, id, &mut reader)?;
    if !reader.bytes.is_empty() {
        return Err(malformed("incorrect binary data format"));
    }
    crate::cast::apply_typmod(id, typmod, false, value)
}

/// 22P03.
fn malformed(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

/// 42883 `no binary <input|output> function available for type <type>`.
fn no_function(id: TypeId, direction: &str) -> SqlError {
    let message = format!("no binary {direction} function available for type {}", id.display_name());
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message)
}

/// The one version of the binary form of `jsonb` and `jsonpath`: their text behind this byte.
const TEXT_VERSION: u8 = 1;

fn send_versioned(text: &str, out: &mut Vec<u8>) {
    out.push(TEXT_VERSION);
    out.extend_from_slice(text.as_bytes());
}

fn read_versioned<'a>(reader: &mut Reader<'a>, what: &str) -> Result<&'a str> {
    match reader.array::<1>()? {
        [TEXT_VERSION] => decode_utf8(reader.rest()),
        [version] => Err(SqlError::internal(format!("unsupported {what} {version}"))),
    }
}

/// Takes bytes off the front.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(insufficient)?;
        self.bytes = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(length).ok_or_else(insufficient)?;
        self.bytes = rest;
        Ok(head)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }
}

/// 08P01.
fn insufficient() -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

fn out_of_range(what: &str) -> SqlError {
    SqlError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

fn read(env: &EvalEnv<'_>, id: TypeId, reader: &mut Reader<'_>) -> Result<Datum> {
    Ok(match id {
        TypeId::BOOL => Datum::Bool(reader.array::<1>()?[0] != 0),
        TypeId::CHAR => Datum::Char(reader.array::<1>()?[0]),
        TypeId::INT2 => Datum::Int2(reader.i16()?),
        TypeId::INT4 => Datum::Int4(reader.i32()?),
        TypeId::INT8 => Datum::Int8(reader.i64()?),
        TypeId::FLOAT4 => Datum::Float4(reader.array().map(f32::from_be_bytes)?),
        TypeId::FLOAT8 => Datum::Float8(reader.array().map(f64::from_be_bytes)?),
        TypeId::NUMERIC => Datum::Numeric(composite::read_numeric(reader)?),
        TypeId::TEXT | TypeId::VARCHAR | TypeId::BPCHAR | TypeId::UNKNOWN | TypeId::CSTRING => {
            Datum::text(decode_utf8(reader.rest())?)
        }
        TypeId::JSON => {
            let text = decode_utf8(reader.rest())?;
            crate::json::check(text)?;
            Datum::text(text)
        }
        TypeId::JSONB => {
            Datum::Jsonb(Arc::new(Json::parse(read_versioned(reader, "jsonb version number")?)?))
        }
        TypeId::JSONPATH => {
            let text = read_versioned(reader, "jsonpath version number:")?;
            Datum::JsonPath(Arc::new(JsonPath::parse(text)?))
        }
        TypeId::NAME => Datum::text(truncate_name(decode_utf8(reader.rest())?)),
        TypeId::BYTEA => Datum::Bytea(reader.rest().into()),
        TypeId::UUID => Datum::Uuid(reader.array()?),
        TypeId::DATE => {
            let date = Date(reader.i32()?);
            let fits = !date.is_finite() || in_range::date(date);
            Datum::Date(if fits { date } else { return Err(out_of_range("date")) })
        }
        TypeId::TIME => Datum::Time(Time(read_time(reader)?)),
        TypeId::TIMETZ => {
            let (us, west) = (read_time(reader)?, reader.i32()?);
            if !is_west_received(west) {
                let message = "time zone displacement out of range";
                return Err(SqlError::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT, message));
            }
            Datum::Timetz(Timetz { us, west })
        }
        TypeId::TIMESTAMP => Datum::Timestamp(Timestamp(read_timestamp(reader)?)),
        TypeId::TIMESTAMPTZ => Datum::Timestamptz(Timestamptz(read_timestamp(reader)?)),
        TypeId::INTERVAL => {
            let us = reader.i64()?;
            Datum::Interval(Interval { us, days: reader.i32()?, months: reader.i32()? })
        }
        TypeId::TID => Datum::Int8(i64::from(reader.u32()?) << 16 | i64::from(reader.i16()?.cast_unsigned())),
        _ if id.is_oid_like() => Datum::Oid(reader.u32()?),
        _ if id.is_enum() => {
            let label = decode_utf8(reader.rest())?;
            Datum::Enum(EnumValue { id, key: env.host.enum_key(id, label)? })
        }
        TypeId::RECORD => return Err(SqlError::unsupported("input of anonymous composite types")),
        _ => match id.array_element() {
            Some(element) => composite::read_array(env, id, element, reader)?,
            None => return Err(no_function(id, "input")),
        },
    })
}

fn read_time(reader: &mut Reader<'_>) -> Result<i64> {
    let us = reader.i64()?;
    if is_time_of_day(us) { Ok(us) } else { Err(out_of_range("time")) }
}

fn read_timestamp(reader: &mut Reader<'_>) -> Result<i64> {
    let us = reader.i64()?;
    let fits = !Timestamp(us).is_finite() || in_range::timestamp(us);
    if fits { Ok(us) } else { Err(out_of_range("timestamp")) }
}

#[cfg(test)]
mod tests;

//! Text input and output of every type, byte for byte as PostgreSQL 15 with `DateStyle ISO, MDY`,
//! `bytea_output hex` and `extra_float_digits 1`.
//!
//! Owns the dispatch by type; `number.rs`, `float.rs`, `scalar.rs` and `composite.rs` hold the formats, `numeric` and `datetime`
//! their own. Never decides which conversion applies (see `cast`, `resolve`).

use std::sync::Arc;

mod composite;
mod float;
mod number;
mod scalar;

use crate::datetime::{Date, Interval, Time, Timestamp, Timestamptz, Timetz};
use crate::datum::{Datum, EnumValue};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::json::{Json, path::JsonPath};
use crate::numeric::Numeric;
use crate::types::{TypeId, Typmod};

pub(crate) use float::{write_f32, write_f64};
pub(crate) use number::{parse_f64, write_i64};
pub use scalar::decode_utf8;
pub(crate) use scalar::{truncate_name, write_bytea, write_char, write_uuid};

/// Reads a value of type `id` from its text form and applies the modifier as an implicit cast would (`varchar(2)`
/// refuses `'abc'`, `numeric(3,1)` rounds). Errors: 22P02, 22003, 22007, 22008, 22001 in PostgreSQL's wording.
pub fn input(env: &EvalEnv<'_>, id: TypeId, typmod: Typmod, text: &str) -> Result<Datum> {
    let value = match id {
        // A number without a unit takes it from the modifier.
        TypeId::INTERVAL => Datum::Interval(Interval::parse_as(text, typmod)?),
        _ => input_plain(env, id, text)?,
    };
    crate::cast::apply_typmod(id, typmod, false, value)
}

fn input_plain(env: &EvalEnv<'_>, id: TypeId, text: &str) -> Result<Datum> {
    Ok(match id {
        TypeId::BOOL => Datum::Bool(scalar::parse_bool(text)?),
        TypeId::INT2 => Datum::Int2(number::parse_i16(text)?),
        TypeId::INT4 => Datum::Int4(number::parse_i32(text)?),
        TypeId::INT8 => Datum::Int8(number::parse_i64(text)?),
        TypeId::FLOAT4 => Datum::Float4(number::parse_f32(text)?),
        TypeId::FLOAT8 => Datum::Float8(number::parse_f64(text)?),
        TypeId::NUMERIC => Datum::Numeric(Numeric::parse(text)?),
        TypeId::JSON => {
            crate::json::check(text)?;
            Datum::text(text)
        }
        TypeId::JSONB => Datum::Jsonb(Arc::new(Json::parse(text)?)),
        TypeId::JSONPATH => {
            scalar::check_text(text)?;
            Datum::JsonPath(Arc::new(JsonPath::parse(text)?))
        }
        TypeId::TEXT | TypeId::VARCHAR | TypeId::BPCHAR | TypeId::UNKNOWN | TypeId::CSTRING => {
            scalar::check_text(text)?;
            Datum::text(text)
        }
        TypeId::NAME => {
            scalar::check_text(text)?;
            Datum::text(truncate_name(text))
        }
        TypeId::CHAR => Datum::Char(text.bytes().next().unwrap_or(0)),
        TypeId::BYTEA => Datum::Bytea(scalar::parse_bytea(text)?.into()),
        TypeId::UUID => Datum::Uuid(scalar::parse_uuid(text)?),
        TypeId::DATE => Datum::Date(Date::parse(env, text)?),
        TypeId::TIME => Datum::Time(Time::parse(env, text)?),
        TypeId::TIMETZ => Datum::Timetz(Timetz::parse(env, text)?),
        TypeId::TIMESTAMP => Datum::Timestamp(Timestamp::parse(env, text)?),
        TypeId::TIMESTAMPTZ => Datum::Timestamptz(Timestamptz::parse(env, text)?),
        TypeId::INTERVAL => Datum::Interval(Interval::parse(text)?),
        TypeId::OID | TypeId::XID | TypeId::CID => Datum::Oid(number::parse_oid(text, id)?),
        TypeId::TID => Datum::Int8(scalar::parse_tid(text)?),
        TypeId::INT2VECTOR | TypeId::OIDVECTOR => composite::parse_vector(id, text)?,
        _ if id.is_enum() => Datum::Enum(EnumValue { id, key: env.host.enum_key(id, text)? }),
        _ if id.is_registry_alias() => Datum::Oid(scalar::parse_registry(env, id, text)?),
        _ => match id.array_element() {
            Some(element) => composite::parse_array(env, element, text)?,
            None if id == TypeId::RECORD => {
                return Err(SqlError::unsupported("input of anonymous composite types"));
            }
            None if id.is_pseudo() => {
                let message = format!("cannot accept a value of type {}", id.display_name());
                return Err(SqlError::new(crate::error::SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            None => return Err(SqlError::unsupported(format!("text input of type {}", id.display_name()))),
        },
    })
}

/// Appends the text form of a value that is not NULL.
pub fn output(env: &EvalEnv<'_>, id: TypeId, value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Null => panic!("NULL has no text form: callers send it apart"),
        Datum::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Datum::Char(value) => write_char(*value, out),
        Datum::Int2(value) => write_i64(i64::from(*value), out),
        Datum::Int4(value) => write_i64(i64::from(*value), out),
        Datum::Int8(value) if id == TypeId::TID => scalar::write_tid(*value, out),
        Datum::Int8(value) => write_i64(*value, out),
        Datum::Oid(value) if id.is_registry_alias() => scalar::write_registry(env, id, *value, out),
        Datum::Oid(value) => write_i64(i64::from(*value), out),
        Datum::Float4(value) => write_f32(*value, out),
        Datum::Float8(value) => write_f64(*value, out),
        Datum::Numeric(value) => number::write_display(value, out),
        Datum::Text(value) => out.extend_from_slice(value.as_bytes()),
        Datum::Jsonb(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Datum::JsonPath(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Datum::Bytea(value) => write_bytea(value, out),
        Datum::Date(value) => value.write(out),
        Datum::Time(value) => value.write(out),
        Datum::Timetz(value) => value.write(out),
        Datum::Timestamp(value) => value.write(out),
        Datum::Timestamptz(value) => value.write(env.time_zone, out),
        Datum::Interval(value) => value.write_styled(env.interval_style, out),
        Datum::Uuid(value) => write_uuid(value, out),
        Datum::Enum(value) => out.extend_from_slice(env.enum_label(*value).as_bytes()),
        Datum::Array(value) if matches!(id, TypeId::INT2VECTOR | TypeId::OIDVECTOR) => {
            composite::write_vector(env, value, out);
        }
        Datum::Array(value) => composite::write_array(env, value, out),
        Datum::Record(value) => composite::write_record(env, value, out),
    }
}

/// The text form of a value that is not NULL, as a string.
pub fn output_string(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> String {
    let mut out = Vec::new();
    output(env, id, value, &mut out);
    String::from_utf8(out).expect("every text form is UTF-8")
}

//! JSON of SQL's values: `to_json`, `to_jsonb` and all that builds upon them.
//!
//! Owns which values are numbers, which strings, and how arrays, rows and timestamps look. Read next: `write.rs`.

use super::Json;
use crate::datum::{Array, Datum, Dimension, Record};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::numeric::Numeric;
use crate::text;
use crate::types::TypeId;

/// Whether the elements of the outermost array, or the columns of the outermost row, stand on lines of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pretty {
    /// `[1,2]`.
    No,
    /// A line for each.
    Lines,
}

impl Pretty {
    fn separator(self) -> &'static str {
        match self {
            Pretty::No => ",",
            Pretty::Lines => ",\n ",
        }
    }
}

/// `to_json(value)` as text.
pub fn to_json(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> String {
    let mut out = String::new();
    write_value(env, id, value, Pretty::No, &mut out);
    out
}

/// Whether values of a type become arrays or objects.
pub fn is_structured(id: TypeId) -> bool {
    (id.array_element().is_some() && !id.is_vector()) || id == TypeId::RECORD
}

/// A value that is neither an array nor a row.
enum Scalar {
    Bool(bool),
    /// Text that is a number to JSON.
    Number(String),
    /// JSON already.
    Json(std::sync::Arc<str>),
    Jsonb(std::sync::Arc<Json>),
    String(String),
}

fn scalar(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> Scalar {
    let form = || text::output_string(env, id, value);
    match value {
        Datum::Bool(value) => Scalar::Bool(*value),
        Datum::Int2(_)
        | Datum::Int4(_)
        | Datum::Int8(_)
        | Datum::Float4(_)
        | Datum::Float8(_)
        | Datum::Numeric(_) => {
            let form = form();
            // NaN and the infinities are no numbers to JSON.
            match form.ends_with(|c: char| c.is_ascii_digit()) {
                true => Scalar::Number(form),
                false => Scalar::String(form),
            }
        }
        Datum::Text(json) if id == TypeId::JSON => Scalar::Json(json.clone()),
        Datum::Jsonb(value) => Scalar::Jsonb(value.clone()),
        Datum::Timestamp(_) | Datum::Timestamptz(_) => Scalar::String(iso_8601(&form())),
        _ => Scalar::String(form()),
    }
}

/// `2020-01-02 03:04:05+00 BC` as `2020-01-02T03:04:05+00:00 BC`.
fn iso_8601(form: &str) -> String {
    let Some((date, rest)) = form.split_once(' ') else { return form.to_owned() };
    let (time, era) = match rest.strip_suffix(" BC") {
        Some(time) => (time, " BC"),
        None => (rest, ""),
    };
    let zone = time.find(['+', '-']).map_or("", |at| &time[at..]);
    let minutes = if !zone.is_empty() && !zone.contains(':') { ":00" } else { "" };
    format!("{date}T{time}{minutes}{era}")
}

/// Appends a value.
pub fn write_value(env: &EvalEnv<'_>, id: TypeId, value: &Datum, pretty: Pretty, out: &mut String) {
    match value {
        Datum::Null => out.push_str("null"),
        Datum::Array(array) if !id.is_vector() => {
            write_array(env, array, &array.dimensions, &array.values, pretty, out);
        }
        Datum::Record(record) => write_record(env, record, pretty, out),
        value => match scalar(env, id, value) {
            Scalar::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Scalar::Number(form) => out.push_str(&form),
            Scalar::Json(json) => out.push_str(&json),
            Scalar::Jsonb(value) => out.push_str(&value.to_string()),
            Scalar::String(form) => write_string(&form, out),
        },
    }
}

/// One array level for each dimension.
fn write_array(
    env: &EvalEnv<'_>,
    array: &Array,
    dimensions: &[Dimension],
    values: &[Datum],
    pretty: Pretty,
    out: &mut String,
) {
    let Some((first, inner)) = dimensions.split_first() else { return out.push_str("[]") };
    let count = usize::try_from(first.length).expect("lengths are not negative");
    let size = values.len().checked_div(count).unwrap_or(0);
    out.push('[');
    for (at, slice) in values.chunks(size.max(1)).enumerate() {
        out.push_str(if at > 0 { pretty.separator() } else { "" });
        match inner.is_empty() {
            true => write_value(env, array.element, &slice[0], Pretty::No, out),
            false => write_array(env, array, inner, slice, Pretty::No, out),
        }
    }
    out.push(']');
}

fn write_record(env: &EvalEnv<'_>, record: &Record, pretty: Pretty, out: &mut String) {
    out.push('{');
    for (at, (id, value)) in record.types.iter().zip(&record.values).enumerate() {
        out.push_str(if at > 0 { pretty.separator() } else { "" });
        write_string(&record.name(at), out);
        out.push(':');
        write_value(env, *id, value, Pretty::No, out);
    }
    out.push('}');
}

/// `to_jsonb(value)`. 22P02 for `json` text that does not hold as `jsonb`.
pub fn json_of(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> Result<Json> {
    Ok(match value {
        Datum::Null => Json::Null,
        Datum::Array(array) if !id.is_vector() => array_json(env, array, &array.dimensions, &array.values)?,
        Datum::Record(record) => {
            let columns = record.types.iter().zip(&record.values).enumerate();
            let members = columns
                .map(|(at, (&id, value))| Ok((record.name(at).into_boxed_str(), json_of(env, id, value)?)));
            Json::object(members.collect::<Result<_>>()?)
        }
        value => match scalar(env, id, value) {
            Scalar::Bool(value) => Json::Bool(value),
            Scalar::Number(form) => Json::Number(Numeric::parse(&form)?),
            Scalar::Json(json) => Json::parse(&json)?,
            Scalar::Jsonb(value) => (*value).clone(),
            Scalar::String(form) => Json::string(&form),
        },
    })
}

fn array_json(env: &EvalEnv<'_>, array: &Array, dimensions: &[Dimension], values: &[Datum]) -> Result<Json> {
    let Some((first, inner)) = dimensions.split_first() else { return Ok(Json::Array(Vec::new())) };
    let count = usize::try_from(first.length).expect("lengths are not negative");
    let size = values.len().checked_div(count).unwrap_or(0);
    let element = |slice: &[Datum]| match inner.is_empty() {
        true => json_of(env, array.element, &slice[0]),
        false => array_json(env, array, inner, slice),
    };
    Ok(Json::Array(values.chunks(size.max(1)).map(element).collect::<Result<_>>()?))
}

/// Text of a value that is to be a key. 22023 for arrays, rows and JSON.
pub fn write_key(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> Result<String> {
    let is_scalar = match value {
        Datum::Array(_) => id.is_vector(),
        Datum::Record(_) | Datum::Jsonb(_) => false,
        _ => id != TypeId::JSON,
    };
    if !is_scalar {
        return Err(SqlError::invalid_parameter("key value must be scalar, not array, composite, or json"));
    }
    Ok(match scalar(env, id, value) {
        Scalar::Bool(value) => (if value { "true" } else { "false" }).to_owned(),
        Scalar::Number(form) | Scalar::String(form) => form,
        Scalar::Json(_) | Scalar::Jsonb(_) => unreachable!("refused above"),
    })
}

/// Appends a string in quotes.
pub fn write_string(value: &str, out: &mut String) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

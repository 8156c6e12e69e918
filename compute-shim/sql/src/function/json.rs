//! `json_build_object` and `json_build_array`, which drivers ask the catalog with.
//!
//! Type `json` exists here as the result of these functions alone: it can be sent, not stored, cast or compared. Both
//! take `VARIADIC "any"`, so that their arguments come as one record with their types.

use super::{HostFunction, host};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Array, Datum, Dimension, EvalEnv, Record, SqlError, TypeId, text};

/// `json`.
const JSON: TypeId = TypeId(114);

pub(super) static FUNCTIONS: &[HostFunction] = &[
    variadic(3200, "json_build_object", build_object),
    host(3201, "json_build_object", &[], JSON, |_, _| Ok(Datum::text("{}"))),
    variadic(3198, "json_build_array", build_array),
    host(3199, "json_build_array", &[], JSON, |_, _| Ok(Datum::text("[]"))),
];

const fn variadic(oid: u32, name: &'static str, call: super::HostCall) -> HostFunction {
    let plain = host(oid, name, &[TypeId::ANY], JSON, call).called_on_null();
    HostFunction { variadic: Some(TypeId::ANY), ..plain }
}

fn record(arguments: &[Datum]) -> &Record {
    match arguments {
        [Datum::Record(record)] => record,
        _ => panic!("the binder passes arguments of any type as one record: {arguments:?}"),
    }
}

fn build_object(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(Datum::from(object(&context.env, record(arguments))?))
}

fn build_array(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Record { types, values } = record(arguments);
    let mut out = String::from("[");
    for (at, (id, value)) in types.iter().zip(values).enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write_value(&context.env, *id, value, &mut out)?;
    }
    out.push(']');
    Ok(Datum::from(out))
}

/// Names and values in turn.
fn object(env: &EvalEnv<'_>, record: &Record) -> Result<String> {
    let Record { types, values } = record;
    if values.len() % 2 != 0 {
        let message = "argument list must have even number of elements";
        return Err(SqlError::invalid_parameter(message)
            .with_hint("The arguments of json_build_object() must consist of alternating keys and values."));
    }
    let mut out = String::from("{");
    for at in (0..values.len()).step_by(2) {
        out.push_str(if at > 0 { ", " } else { "" });
        write_key(env, at, types[at], &values[at], &mut out)?;
        out.push_str(" : ");
        write_value(env, types[at + 1], &values[at + 1], &mut out)?;
    }
    out.push('}');
    Ok(out)
}

fn write_key(env: &EvalEnv<'_>, at: usize, id: TypeId, value: &Datum, out: &mut String) -> Result<()> {
    match value {
        Datum::Null => Err(SqlError::invalid_parameter(format!("argument {} cannot be null", at + 1))
            .with_hint("Object keys should be text.")),
        Datum::Array(_) | Datum::Record(_) => Err(not_scalar()),
        _ if id == JSON => Err(not_scalar()),
        value => {
            write_string(&text::output_string(env, id, value), out);
            Ok(())
        }
    }
}

fn not_scalar() -> SqlError {
    SqlError::invalid_parameter("key value must be scalar, not array, composite, or json")
}

fn write_value(env: &EvalEnv<'_>, id: TypeId, value: &Datum, out: &mut String) -> Result<()> {
    match value {
        Datum::Null => out.push_str("null"),
        Datum::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Datum::Int2(_)
        | Datum::Int4(_)
        | Datum::Int8(_)
        | Datum::Float4(_)
        | Datum::Float8(_)
        | Datum::Numeric(_) => {
            let form = text::output_string(env, id, value);
            // NaN and the infinities are no numbers to JSON.
            match form.ends_with(|c: char| c.is_ascii_digit()) {
                true => out.push_str(&form),
                false => write_string(&form, out),
            }
        }
        Datum::Text(json) if id == JSON => out.push_str(json),
        Datum::Array(array) => write_array(env, array, &array.dimensions, &array.values, out)?,
        Datum::Record(record) => write_record(env, record, out)?,
        Datum::Timestamp(_) | Datum::Timestamptz(_) => {
            write_string(&iso_8601(&text::output_string(env, id, value))?, out);
        }
        value => write_string(&text::output_string(env, id, value), out),
    }
    Ok(())
}

/// `2020-01-02 03:04:05+00` as `2020-01-02T03:04:05+00:00`.
fn iso_8601(form: &str) -> Result<String> {
    let Some((date, time)) = form.split_once(' ') else { return Ok(form.to_owned()) };
    if time.contains(' ') {
        return Err(SqlError::unsupported("a timestamp before Christ in json"));
    }
    let zone = time.find(['+', '-']).map_or("", |at| &time[at..]);
    let minutes = if !zone.is_empty() && !zone.contains(':') { ":00" } else { "" };
    Ok(format!("{date}T{time}{minutes}"))
}

/// One array level for each dimension.
fn write_array(
    env: &EvalEnv<'_>,
    array: &Array,
    dimensions: &[Dimension],
    values: &[Datum],
    out: &mut String,
) -> Result<()> {
    let Some((first, inner)) = dimensions.split_first() else {
        match values.first() {
            Some(value) => write_value(env, array.element, value, out)?,
            None => out.push_str("[]"),
        }
        return Ok(());
    };
    let count = usize::try_from(first.length).expect("lengths are not negative");
    let size = values.len().checked_div(count).unwrap_or(0);
    out.push('[');
    for at in 0..count {
        out.push_str(if at > 0 { "," } else { "" });
        write_array(env, array, inner, &values[at * size..(at + 1) * size], out)?;
    }
    out.push(']');
    Ok(())
}

/// Rows made by ROW have columns `f1`, `f2`, …
fn write_record(env: &EvalEnv<'_>, record: &Record, out: &mut String) -> Result<()> {
    out.push('{');
    for (at, (id, value)) in record.types.iter().zip(&record.values).enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        out.push_str(&format!("\"f{}\":", at + 1));
        write_value(env, *id, value, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_string(value: &str, out: &mut String) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_sql_types::Numeric;

    #[test]
    fn objects_as_postgresql_writes_them() {
        let env = EvalEnv::without_session();
        let numbers = Array::from_values(TypeId::INT4, vec![Datum::Int4(1), Datum::Null]);
        let pairs = vec![
            (TypeId::UNKNOWN, Datum::text("a\"b")),
            (TypeId::BOOL, Datum::Bool(true)),
            (TypeId::INT4, Datum::Int4(1)),
            (TypeId::NUMERIC, Datum::Numeric(Numeric::parse("1.50").unwrap())),
            (TypeId::TEXT, Datum::text("n")),
            (TypeId::FLOAT8, Datum::Float8(f64::NAN)),
            (TypeId::TEXT, Datum::text("t")),
            (TypeId::TIMESTAMPTZ, Datum::Timestamptz(hexalog_sql_types::datetime::Timestamptz(0))),
            (TypeId::TEXT, Datum::text("l")),
            (TypeId::INT4_ARRAY, numbers.into()),
            (TypeId::TEXT, Datum::text("e")),
            (TypeId::TEXT, Datum::text("line\nend")),
        ];
        let (types, values) = pairs.into_iter().unzip();
        let expected = r#"{"a\"b" : true, "1" : 1.50, "n" : "NaN", "t" : "2000-01-01T00:00:00+00:00", "l" : [1,null], "e" : "line\nend"}"#;
        assert_eq!(object(&env, &Record { types, values }).unwrap(), expected);
        let odd = Record { types: vec![TypeId::TEXT], values: vec![Datum::text("a")] };
        let error = object(&env, &odd).unwrap_err().to_string();
        assert_eq!(error, "ERROR 22023: argument list must have even number of elements");
    }
}

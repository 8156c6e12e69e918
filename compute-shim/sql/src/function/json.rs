//! Functions that make JSON of values of any type: `to_json`, `row_to_json`, `json_build_object` and their kin.
//!
//! All get their arguments as one record, whose types say what is a number and what is JSON already. What JSON looks like is
//! `hexalog_sql_types::json`'s; functions of JSON itself are pure and stand there too. Read next: `json_rows.rs`.

use super::{HostFunction, host};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::json::{Json, Pretty, json_of, to_json, write_key, write_string, write_value};
use hexalog_sql_types::{Datum, EvalEnv, Record, SqlError, TypeId};

const JSON: TypeId = TypeId::JSON;
const JSONB: TypeId = TypeId::JSONB;

pub(super) static FUNCTIONS: &[HostFunction] = &[
    variadic(3200, "json_build_object", JSON, build_object),
    host(3201, "json_build_object", &[], JSON, |_, _| Ok(Datum::text("{}"))),
    variadic(3198, "json_build_array", JSON, build_array),
    host(3199, "json_build_array", &[], JSON, |_, _| Ok(Datum::text("[]"))),
    variadic(3273, "jsonb_build_object", JSONB, build_jsonb_object),
    host(3274, "jsonb_build_object", &[], JSONB, |_, _| jsonb(Json::Object(Vec::new()))),
    variadic(3271, "jsonb_build_array", JSONB, build_jsonb_array),
    host(3272, "jsonb_build_array", &[], JSONB, |_, _| jsonb(Json::Array(Vec::new()))),
    host(3176, "to_json", &[TypeId::ANYELEMENT], JSON, value_to_json).typed(),
    host(3787, "to_jsonb", &[TypeId::ANYELEMENT], JSONB, value_to_jsonb).typed(),
    host(3153, "array_to_json", &[TypeId::ANYARRAY], JSON, value_to_json).typed(),
    host(3154, "array_to_json", &[TypeId::ANYARRAY, TypeId::BOOL], JSON, value_to_json).typed(),
    host(3155, "row_to_json", &[TypeId::RECORD], JSON, value_to_json).typed(),
    host(3156, "row_to_json", &[TypeId::RECORD, TypeId::BOOL], JSON, value_to_json).typed(),
];

const fn variadic(oid: u32, name: &'static str, result: TypeId, call: super::HostCall) -> HostFunction {
    let plain = host(oid, name, &[TypeId::ANY], result, call).called_on_null();
    HostFunction { variadic: Some(TypeId::ANY), ..plain }
}

fn jsonb(value: Json) -> Step<Datum> {
    Ok(value.into_datum()?)
}

fn record(arguments: &[Datum]) -> &Record {
    match arguments {
        [Datum::Record(record)] => record,
        _ => panic!("the binder passes arguments of any type as one record: {arguments:?}"),
    }
}

/// `to_json(value)`, `array_to_json(array [, pretty])`, `row_to_json(row [, pretty])`; all are strict.
fn value_to_json(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Record { types, values, .. } = record(arguments);
    if values.iter().any(Datum::is_null) {
        return Ok(Datum::Null);
    }
    let pretty = match values.get(1) {
        Some(Datum::Bool(true)) => Pretty::Lines,
        _ => Pretty::No,
    };
    let mut out = String::new();
    write_value(&context.env, types[0], &values[0], pretty, &mut out);
    Ok(Datum::from(out))
}

fn value_to_jsonb(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Record { types, values, .. } = record(arguments);
    if values[0].is_null() {
        return Ok(Datum::Null);
    }
    jsonb(json_of(&context.env, types[0], &values[0])?)
}

fn build_object(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let mut out = String::from("{");
    for (at, (key, id, value)) in members(&context.env, record(arguments), JSON)?.into_iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write_string(&key, &mut out);
        out.push_str(" : ");
        write_value(&context.env, id, value, Pretty::No, &mut out);
    }
    out.push('}');
    Ok(Datum::from(out))
}

fn build_jsonb_object(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let members = members(&context.env, record(arguments), JSONB)?.into_iter();
    let members =
        members.map(|(key, id, value)| Ok((key.into_boxed_str(), json_of(&context.env, id, value)?)));
    jsonb(Json::object(members.collect::<Result<_>>()?))
}

fn build_array(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Record { types, values, .. } = record(arguments);
    let items: Vec<String> =
        types.iter().zip(values).map(|(&id, value)| to_json(&context.env, id, value)).collect();
    Ok(Datum::from(format!("[{}]", items.join(", "))))
}

fn build_jsonb_array(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Record { types, values, .. } = record(arguments);
    let items = types.iter().zip(values).map(|(&id, value)| json_of(&context.env, id, value));
    jsonb(Json::Array(items.collect::<Result<_>>()?))
}

/// Names and values in turn.
fn members<'a>(
    env: &EvalEnv<'_>,
    record: &'a Record,
    result: TypeId,
) -> Result<Vec<(String, TypeId, &'a Datum)>> {
    let Record { types, values, .. } = record;
    if values.len() % 2 != 0 {
        let name = if result == JSON { "json_build_object()" } else { "jsonb_build_object()" };
        let message = "argument list must have even number of elements";
        return Err(SqlError::invalid_parameter(message)
            .with_hint(format!("The arguments of {name} must consist of alternating keys and values.")));
    }
    let mut members = Vec::with_capacity(values.len() / 2);
    for at in (0..values.len()).step_by(2) {
        let key = &values[at];
        if key.is_null() {
            let error = match result {
                JSON => SqlError::invalid_parameter(format!("argument {} cannot be null", at + 1))
                    .with_hint("Object keys should be text."),
                _ => SqlError::invalid_parameter(format!("argument {}: key must not be null", at + 1)),
            };
            return Err(error);
        }
        members.push((write_key(env, types[at], key)?, types[at + 1], &values[at + 1]));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_sql_types::Array;
    use std::sync::Arc;

    #[test]
    fn objects_as_postgresql_writes_them() {
        let env = EvalEnv::without_session();
        let numbers = Array::from_values(TypeId::INT4, vec![Datum::Int4(1), Datum::Null]);
        let row = Record {
            types: vec![TypeId::TEXT, TypeId::INT4_ARRAY],
            values: vec![Datum::text("a\"\u{1}"), numbers.into()],
            names: Some(["x".into(), "y".into()].into()),
        };
        let value = Datum::Record(Arc::new(row));
        assert_eq!(to_json(&env, TypeId::RECORD, &value), "{\"x\":\"a\\\"\\u0001\",\"y\":[1,null]}");
        let odd = Record { types: vec![TypeId::TEXT], values: vec![Datum::text("a")], names: None };
        let error = members(&env, &odd, JSON).unwrap_err();
        assert_eq!(error.message(), "argument list must have even number of elements");
    }
}

//! Casts of `json` and `jsonb`.
//!
//! Owns the refusals of values that are of another kind than the target. Read next: `table.rs`.

use std::sync::Arc;

use super::convert;
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::json::Json;

fn value_of(value: &Datum) -> &Json {
    match value {
        Datum::Jsonb(value) => value,
        other => panic!("jsonb was expected: {other:?}"),
    }
}

fn cannot_cast(value: &Json, target: &str) -> SqlError {
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "numeric",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    SqlError::invalid_parameter(format!("cannot cast jsonb {kind} to type {target}"))
}

pub(super) fn to_jsonb(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    let Datum::Text(text) = value else { panic!("json was expected: {value:?}") };
    Ok(Datum::Jsonb(Arc::new(Json::parse(text)?)))
}

pub(super) fn to_json(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    Ok(Datum::from(value_of(value).to_string()))
}

pub(super) fn to_bool(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    match value_of(value) {
        Json::Bool(value) => Ok(Datum::Bool(*value)),
        other => Err(cannot_cast(other, "boolean")),
    }
}

fn number(value: &Datum, target: &str) -> Result<Datum> {
    match value_of(value) {
        Json::Number(number) => Ok(Datum::Numeric(number.clone())),
        other => Err(cannot_cast(other, target)),
    }
}

pub(super) fn to_numeric(_: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    number(value, "numeric")
}

pub(super) fn to_int2(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    convert::to_int2(env, &number(value, "smallint")?)
}

pub(super) fn to_int4(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    convert::to_int4(env, &number(value, "integer")?)
}

pub(super) fn to_int8(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    convert::to_int8(env, &number(value, "bigint")?)
}

pub(super) fn to_float4(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    convert::to_float4(env, &number(value, "real")?)
}

pub(super) fn to_float8(env: &EvalEnv<'_>, value: &Datum) -> Result<Datum> {
    convert::to_float8(env, &number(value, "double precision")?)
}

//! Functions and operators that run a `jsonpath` on `jsonb`.
//!
//! Owns their arguments as SQL sees them. Read next: `crate::json::path`.

use super::json::{json_at, jsonb};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;
use crate::json::Json;
use crate::json::path::{Call, exists as path_exists, matches, query};

/// What `vars` is unless it is given.
static NO_VARIABLES: Json = Json::Object(Vec::new());

/// The call that the arguments `target, path [, vars [, silent]]` make.
pub fn call<'a>(env: &'a EvalEnv<'a>, args: &'a [Datum], with_zone: bool) -> Call<'a> {
    let Datum::JsonPath(path) = &args[1] else { panic!("a path was expected: {args:?}") };
    let variables = match args.get(2) {
        Some(Datum::Jsonb(value)) => Some(&**value),
        _ => Some(&NO_VARIABLES),
    };
    let silent = args.get(3).and_then(Datum::as_bool).unwrap_or(false);
    Call { env, path, root: json_at(args, 0), variables, silent, with_zone }
}

/// An operator's call: errors of the path are no errors.
fn operator_call<'a>(env: &'a EvalEnv<'a>, args: &'a [Datum]) -> Call<'a> {
    Call { silent: true, variables: None, ..call(env, args, false) }
}

fn truth(value: Option<bool>) -> Result<Datum> {
    Ok(value.map_or(Datum::Null, Datum::Bool))
}

pub(super) fn exists(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    truth(path_exists(call(env, args, false))?)
}

pub(super) fn exists_tz(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    truth(path_exists(call(env, args, true))?)
}

/// `@?`.
pub(crate) fn exists_operator(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    truth(path_exists(operator_call(env, args))?)
}

pub(super) fn match_path(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    truth(matches(call(env, args, false))?)
}

pub(super) fn match_path_tz(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    truth(matches(call(env, args, true))?)
}

/// `@@`.
pub(crate) fn match_operator(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    truth(matches(operator_call(env, args))?)
}

pub(super) fn query_array(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    jsonb(Json::Array(query(call(env, args, false))?))
}

pub(super) fn query_array_tz(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    jsonb(Json::Array(query(call(env, args, true))?))
}

fn first(found: Vec<Json>) -> Result<Datum> {
    found.into_iter().next().map_or(Ok(Datum::Null), jsonb)
}

pub(super) fn query_first(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    first(query(call(env, args, false))?)
}

pub(super) fn query_first_tz(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    first(query(call(env, args, true))?)
}

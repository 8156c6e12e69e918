//! Functions and operators of `jsonb`.
//!
//! Owns their code as SQL sees it; `crate::json` does the work. Those of `json`, which work on text, are in `json_text.rs`.
//! Read next: `crate::json::change`.

use std::sync::Arc;

use super::{i32_at, str_at};
use crate::datum::{Array, Datum};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::json::change::{self, Change, change_path};
use crate::json::{Json, pretty as pretty_text};

pub(super) fn json_at(args: &[Datum], at: usize) -> &Json {
    match &args[at] {
        Datum::Jsonb(value) => value,
        _ => panic!("argument {at} should be jsonb: {args:?}"),
    }
}

fn array_at(args: &[Datum], at: usize) -> &Array {
    args[at].as_array().unwrap_or_else(|| panic!("argument {at} should be an array: {args:?}"))
}

/// The texts of a path; `None` if one of them is NULL.
pub(super) fn path_at(args: &[Datum], at: usize) -> Option<Vec<&str>> {
    array_at(args, at).values.iter().map(Datum::as_str).collect()
}

pub(super) fn jsonb(value: Json) -> Result<Datum> {
    value.into_datum()
}

fn found(value: Option<&Json>) -> Result<Datum> {
    Ok(value.map_or(Datum::Null, |value| Datum::Jsonb(Arc::new(value.clone()))))
}

fn found_text(value: Option<&Json>) -> Result<Datum> {
    Ok(value.and_then(Json::to_text).map_or(Datum::Null, Datum::from))
}

pub(crate) fn object_field(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    found(json_at(args, 0).member(str_at(args, 1)))
}

pub(crate) fn object_field_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    found_text(json_at(args, 0).member(str_at(args, 1)))
}

/// The element of an array; a scalar counts as an array of itself, as PostgreSQL stores it.
fn element(value: &Json, index: i32) -> Option<&Json> {
    match value.is_scalar() {
        true => matches!(index, 0 | -1).then_some(value),
        false => value.element(index),
    }
}

pub(crate) fn array_element(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    found(element(json_at(args, 0), i32_at(args, 1)))
}

pub(crate) fn array_element_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    found_text(element(json_at(args, 0), i32_at(args, 1)))
}

pub(crate) fn extract_path(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(path) = path_at(args, 1) else { return Ok(Datum::Null) };
    found(json_at(args, 0).at_path(path.into_iter()))
}

pub(crate) fn extract_path_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(path) = path_at(args, 1) else { return Ok(Datum::Null) };
    found_text(json_at(args, 0).at_path(path.into_iter()))
}

pub(crate) fn contains(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(json_at(args, 0).contains(json_at(args, 1))))
}

pub(crate) fn contained(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(json_at(args, 1).contains(json_at(args, 0))))
}

pub(crate) fn exists(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(json_at(args, 0).has_key(str_at(args, 1))))
}

/// NULL elements are nobody's key.
fn keys_at(args: &[Datum], at: usize) -> impl Iterator<Item = &str> {
    array_at(args, at).values.iter().filter_map(Datum::as_str)
}

pub(crate) fn exists_any(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(keys_at(args, 1).any(|key| json_at(args, 0).has_key(key))))
}

pub(crate) fn exists_all(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Bool(keys_at(args, 1).all(|key| json_at(args, 0).has_key(key))))
}

pub(crate) fn concat(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    jsonb(change::concat(json_at(args, 0), json_at(args, 1))?)
}

pub(crate) fn delete(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let value = json_at(args, 0);
    jsonb(match &args[1] {
        Datum::Text(key) => change::delete_keys(value, &[key])?,
        Datum::Int4(index) => change::delete_index(value, *index)?,
        _ => {
            one_dimensional(array_at(args, 1))?;
            change::delete_keys(value, &keys_at(args, 1).collect::<Vec<_>>())?
        }
    })
}

fn one_dimensional(array: &Array) -> Result<()> {
    if array.dimensions.len() > 1 {
        return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    Ok(())
}

/// A scalar can have no path changed; an empty path changes nothing.
fn changed(args: &[Datum], change: Change<'_>) -> Result<Datum> {
    let value = json_at(args, 0);
    one_dimensional(array_at(args, 1))?;
    if value.is_scalar() {
        let word = if matches!(change, Change::Delete) { "delete path in" } else { "set path in" };
        return Err(SqlError::invalid_parameter(format!("cannot {word} scalar")));
    }
    let is_empty = matches!(value, Json::Array(elements) if elements.is_empty())
        || matches!(value, Json::Object(members) if members.is_empty());
    let grows = match change {
        Change::Delete => false,
        Change::Set { create, .. } => create,
        Change::Insert { .. } | Change::Assign { .. } => true,
    };
    if is_empty && !grows {
        return Ok(args[0].clone());
    }
    if array_at(args, 1).values.is_empty() {
        return Ok(args[0].clone());
    }
    let path: Vec<Option<&str>> = array_at(args, 1).values.iter().map(Datum::as_str).collect();
    jsonb(change_path(value, &path, change)?)
}

pub(crate) fn delete_path(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    changed(args, Change::Delete)
}

fn flag_at(args: &[Datum], at: usize, default: bool) -> bool {
    args.get(at).and_then(Datum::as_bool).unwrap_or(default)
}

/// `jsonb_set(target, path, new [, create_if_missing])`.
pub(super) fn set(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    changed(args, Change::Set { new: json_at(args, 2), create: flag_at(args, 3, true) })
}

/// `jsonb_insert(target, path, new [, insert_after])`.
pub(super) fn insert(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    changed(args, Change::Insert { new: json_at(args, 2), after: flag_at(args, 3, false) })
}

/// `jsonb_set_lax(target, path, new [, create_if_missing [, null_value_treatment]])`.
pub(super) fn set_lax(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    if args[0].is_null() || args[1].is_null() || args.get(3).is_some_and(Datum::is_null) {
        return Ok(Datum::Null);
    }
    let treatment = match args.get(4) {
        None => "use_json_null",
        Some(Datum::Text(word)) => word,
        Some(_) => {
            let message = "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"";
            return Err(SqlError::invalid_parameter(message));
        }
    };
    if !args[2].is_null() {
        return set(env, &args[..args.len().min(4)]);
    }
    match treatment {
        "raise_exception" => Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "JSON value must not be null")
            .with_detail("Exception was raised because null_value_treatment is \"raise_exception\".")
            .with_hint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")),
        "use_json_null" => {
            let null = Json::Null;
            changed(args, Change::Set { new: &null, create: flag_at(args, 3, true) })
        }
        "delete_key" => delete_path(env, &args[..2]),
        "return_target" => Ok(args[0].clone()),
        _ => {
            let message = "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"";
            Err(SqlError::invalid_parameter(message))
        }
    }
}

/// `UPDATE … SET column[subscript] = value`; NULL on the right is JSON's null.
pub(super) fn assign(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let path = path_at(args, 1).ok_or_else(|| {
        let message = "jsonb subscript in assignment must not be null";
        SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message)
    })?;
    let empty = match args[3].as_bool() {
        Some(true) => Json::Array(Vec::new()),
        _ => Json::Object(Vec::new()),
    };
    let old = if args[0].is_null() { &empty } else { json_at(args, 0) };
    let null = Json::Null;
    let new = if args[2].is_null() { &null } else { json_at(args, 2) };
    let path: Vec<Option<&str>> = path.into_iter().map(Some).collect();
    jsonb(change_path(old, &path, Change::Assign { new })?)
}

pub(super) fn pretty(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(pretty_text(json_at(args, 0)).into())
}

pub(super) fn type_of(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(json_at(args, 0).type_name().into())
}

pub(super) fn strip_nulls(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    jsonb(json_at(args, 0).strip_nulls())
}

pub(super) fn array_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    match json_at(args, 0) {
        Json::Array(elements) => Ok(super::string::length_datum(elements.len())),
        Json::Object(_) => Err(SqlError::invalid_parameter("cannot get array length of a non-array")),
        _ => Err(SqlError::invalid_parameter("cannot get array length of a scalar")),
    }
}

/// Keys and values of `json_object` and `jsonb_object`: from one array of pairs, or from two.
pub(super) fn pairs(args: &[Datum]) -> Result<Vec<(&str, Option<&str>)>> {
    let wrong = |message: &str| Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
    let key = |value: &'_ Datum| match value.is_null() {
        true => Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key")),
        false => Ok(()),
    };
    let keys = array_at(args, 0);
    if let [_, _] = args {
        let values = array_at(args, 1);
        if keys.dimensions.len() > 1 || keys.dimensions.len() != values.dimensions.len() {
            return wrong("wrong number of array subscripts");
        }
        if keys.values.len() != values.values.len() {
            return wrong("mismatched array dimensions");
        }
        keys.values.iter().try_for_each(key)?;
        let pairs = keys.values.iter().zip(&values.values);
        return Ok(pairs.filter_map(|(key, value)| Some((key.as_str()?, value.as_str()))).collect());
    }
    match keys.dimensions.as_slice() {
        [] => return Ok(Vec::new()),
        [one] if one.length % 2 != 0 => return wrong("array must have even number of elements"),
        [_] => {}
        [_, columns] if columns.length != 2 => return wrong("array must have two columns"),
        [_, _] => {}
        _ => return wrong("wrong number of array subscripts"),
    }
    let pairs = keys.values.chunks_exact(2);
    pairs.clone().try_for_each(|pair| key(&pair[0]))?;
    Ok(pairs.filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()))).collect())
}

pub(super) fn object(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let members = pairs(args)?.into_iter();
    let members = members.map(|(key, value)| (key.into(), value.map_or(Json::Null, Json::string))).collect();
    jsonb(Json::object(members))
}

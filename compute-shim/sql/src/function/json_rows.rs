//! Set-returning functions of `json` and `jsonb`.
//!
//! Owns rows made of members and elements, and rows of columns that a definition list names (`json_to_record`). Read next:
//! `hexalog_sql_types::json`.

use super::{TableFunction, set_of, table_of, text_at};
use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::cast::apply_typmod;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{json_path_call, json_plain_text};
use hexalog_sql_types::json::{Json, Node, NodeKind, Source, path};
use hexalog_sql_types::{Array, Datum, EvalEnv, SqlError, SqlState, TypeId, Typmod, text};
use std::sync::Arc;

const JSON: TypeId = TypeId::JSON;
const JSONB: TypeId = TypeId::JSONB;
const TEXT: TypeId = TypeId::TEXT;
const PATH: &[TypeId] = &[JSONB, TypeId::JSONPATH, JSONB, TypeId::BOOL];

pub(super) static FUNCTIONS: &[TableFunction] = &[
    elements_of(3955, "json_array_elements", &[JSON], JSON, |_, arguments| {
        json_elements(arguments, "json_array_elements", false)
    }),
    elements_of(3969, "json_array_elements_text", &[JSON], TEXT, |_, arguments| {
        json_elements(arguments, "json_array_elements_text", true)
    }),
    elements_of(3219, "jsonb_array_elements", &[JSONB], JSONB, |_, arguments| {
        jsonb_elements(arguments, |value| Datum::Jsonb(Arc::new(value.clone())))
    }),
    elements_of(3465, "jsonb_array_elements_text", &[JSONB], TEXT, |_, arguments| {
        jsonb_elements(arguments, |value| value.to_text().map_or(Datum::Null, Datum::from))
    }),
    members_of(3958, "json_each", &[JSON], &[("key", TEXT), ("value", JSON)], |_, arguments| {
        json_each(arguments, false)
    }),
    members_of(3959, "json_each_text", &[JSON], &[("key", TEXT), ("value", TEXT)], |_, arguments| {
        json_each(arguments, true)
    }),
    members_of(3208, "jsonb_each", &[JSONB], &[("key", TEXT), ("value", JSONB)], |_, arguments| {
        jsonb_each(arguments, "jsonb_each", |value| Datum::Jsonb(Arc::new(value.clone())))
    }),
    members_of(3932, "jsonb_each_text", &[JSONB], &[("key", TEXT), ("value", TEXT)], |_, arguments| {
        jsonb_each(arguments, "jsonb_each_text", |value| value.to_text().map_or(Datum::Null, Datum::from))
    }),
    set_of(3957, "json_object_keys", &[JSON], TEXT, json_keys),
    set_of(3931, "jsonb_object_keys", &[JSONB], TEXT, jsonb_keys),
    TableFunction { defaults: 2, ..set_of(4006, "jsonb_path_query", PATH, JSONB, path_query) },
    TableFunction { defaults: 2, ..set_of(1179, "jsonb_path_query_tz", PATH, JSONB, path_query_tz) }.stable(),
    record_of(3204, "json_to_record", &[JSON], |context, arguments| to_rows(context, arguments, false)),
    records_of(3205, "json_to_recordset", &[JSON], |context, arguments| to_rows(context, arguments, true)),
    record_of(3490, "jsonb_to_record", &[JSONB], |context, arguments| to_rows(context, arguments, false)),
    records_of(3491, "jsonb_to_recordset", &[JSONB], |context, arguments| to_rows(context, arguments, true)),
];

const fn elements_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    result: TypeId,
    call: super::RowsCall,
) -> TableFunction {
    TableFunction { column: Some("value"), ..set_of(oid, name, arguments, result, call) }
}

const fn members_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    columns: &'static [(&'static str, TypeId)],
    call: super::RowsCall,
) -> TableFunction {
    let volatility = hexalog_sql_types::function::Volatility::Immutable;
    TableFunction { volatility, ..table_of(oid, name, arguments, columns, call) }
}

const fn records_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    call: super::RowsCall,
) -> TableFunction {
    TableFunction { needs_definition: true, ..set_of(oid, name, arguments, TypeId::RECORD, call).stable() }
}

/// One row, of NULLs for NULL.
const fn record_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    call: super::RowsCall,
) -> TableFunction {
    TableFunction { strict: false, ..records_of(oid, name, arguments, call) }
}

fn json_at(arguments: &[Datum], at: usize) -> &Json {
    match &arguments[at] {
        Datum::Jsonb(value) => value,
        _ => panic!("argument {at} should be jsonb: {arguments:?}"),
    }
}

fn invalid<T>(message: impl Into<String>) -> Step<T> {
    Err(SqlError::invalid_parameter(message).into())
}

/// A value as it was written, or as `->>` gives it.
fn node_datum(source: &str, node: &Node, as_text: bool) -> Datum {
    match as_text {
        true => json_plain_text(source, node).map_or(Datum::Null, Datum::from),
        false => Datum::text(&source[node.span.clone()]),
    }
}

fn json_elements(arguments: &[Datum], name: &str, as_text: bool) -> Step<Vec<Row>> {
    let source = text_at(arguments, 0);
    match &Source::parse(source, as_text)?.root.kind {
        NodeKind::Array(elements) => {
            Ok(elements.iter().map(|node| vec![node_datum(source, node, as_text)]).collect())
        }
        NodeKind::Object(_) => invalid(format!("cannot call {name} on a non-array")),
        _ => invalid(format!("cannot call {name} on a scalar")),
    }
}

fn jsonb_elements(arguments: &[Datum], datum: fn(&Json) -> Datum) -> Step<Vec<Row>> {
    match json_at(arguments, 0) {
        Json::Array(elements) => Ok(elements.iter().map(|value| vec![datum(value)]).collect()),
        Json::Object(_) => invalid("cannot extract elements from an object"),
        _ => invalid("cannot extract elements from a scalar"),
    }
}

fn json_each(arguments: &[Datum], as_text: bool) -> Step<Vec<Row>> {
    let source = text_at(arguments, 0);
    match &Source::parse(source, true)?.root.kind {
        NodeKind::Object(members) => {
            let row = |(key, node): &(String, Node)| {
                vec![Datum::text(key.as_str()), node_datum(source, node, as_text)]
            };
            Ok(members.iter().map(row).collect())
        }
        NodeKind::Array(_) => invalid("cannot deconstruct an array as an object"),
        _ => invalid("cannot deconstruct a scalar"),
    }
}

fn jsonb_each(arguments: &[Datum], name: &str, datum: fn(&Json) -> Datum) -> Step<Vec<Row>> {
    match json_at(arguments, 0) {
        Json::Object(members) => {
            Ok(members.iter().map(|(key, value)| vec![Datum::text(&**key), datum(value)]).collect())
        }
        _ => invalid(format!("cannot call {name} on a non-object")),
    }
}

fn json_keys(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    match &Source::parse(text_at(arguments, 0), true)?.root.kind {
        NodeKind::Object(members) => {
            Ok(members.iter().map(|(key, _)| vec![Datum::text(key.as_str())]).collect())
        }
        NodeKind::Array(_) => invalid("cannot call json_object_keys on an array"),
        _ => invalid("cannot call json_object_keys on a scalar"),
    }
}

fn jsonb_keys(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    match json_at(arguments, 0) {
        Json::Object(members) => Ok(members.iter().map(|(key, _)| vec![Datum::text(&**key)]).collect()),
        Json::Array(_) => invalid("cannot call jsonb_object_keys on an array"),
        _ => invalid("cannot call jsonb_object_keys on a scalar"),
    }
}

fn path_rows(context: &mut Context<'_>, arguments: &[Datum], with_zone: bool) -> Step<Vec<Row>> {
    let found = path::query(json_path_call(&context.env, arguments, with_zone))?;
    Ok(found.into_iter().map(|value| vec![Datum::Jsonb(Arc::new(value))]).collect())
}

fn path_query(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    path_rows(context, arguments, false)
}

fn path_query_tz(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    path_rows(context, arguments, true)
}

/// A column of a definition list.
struct Column<'a> {
    name: &'a str,
    type_id: TypeId,
    typmod: Typmod,
}

fn columns(arguments: &[Datum]) -> Vec<Column<'_>> {
    let [.., Datum::Array(names), Datum::Array(types), Datum::Array(typmods)] = arguments else {
        panic!("the binder passes the definition list: {arguments:?}")
    };
    let all = names.values.iter().zip(&types.values).zip(&typmods.values);
    all.map(|((name, type_id), typmod)| match (name, type_id, typmod) {
        (Datum::Text(name), Datum::Oid(type_id), Datum::Int4(typmod)) => {
            Column { name, type_id: TypeId(*type_id), typmod: Typmod(*typmod) }
        }
        other => panic!("a definition list of names, types and modifiers: {other:?}"),
    })
    .collect()
}

/// Values of a row: `json` of both kinds is looked at as jsonb is, but for columns of type `json`, which keep the text.
enum Member<'a> {
    Text(&'a str, &'a Node),
    Binary(&'a Json),
}

fn to_rows(context: &mut Context<'_>, arguments: &[Datum], is_set: bool) -> Step<Vec<Row>> {
    let columns = columns(arguments);
    let function = match (&arguments[0], is_set) {
        (Datum::Jsonb(_), false) => "jsonb_to_record",
        (Datum::Jsonb(_), true) => "jsonb_to_recordset",
        (_, false) => "json_to_record",
        (_, true) => "json_to_recordset",
    };
    match &arguments[0] {
        Datum::Null => Ok(vec![make_row(&context.env, &columns, |_| None)?]),
        Datum::Jsonb(value) => {
            let objects = match (&**value, is_set) {
                (Json::Array(elements), true) => elements.iter().collect(),
                (_, true) => return not_an_array(function, !value.is_scalar()),
                (value, false) => vec![value],
            };
            let row = |object: &Json| match object {
                Json::Object(_) => {
                    make_row(&context.env, &columns, |key| object.member(key).map(Member::Binary))
                }
                _ if is_set => Err(not_an_object(function)),
                Json::Array(_) => {
                    Err(SqlError::invalid_parameter("cannot call populate_composite on an array"))
                }
                _ => Err(SqlError::invalid_parameter("cannot call populate_composite on a scalar")),
            };
            Ok(objects.into_iter().map(row).collect::<Result<_>>()?)
        }
        _ => {
            let source = text_at(arguments, 0);
            let root = Source::parse(source, true)?.root;
            let objects = match (&root.kind, is_set) {
                (NodeKind::Array(elements), true) => elements.iter().collect(),
                (kind, true) => return not_an_array(function, matches!(kind, NodeKind::Object(_))),
                (_, false) => vec![&root],
            };
            let row = |object: &Node| match &object.kind {
                NodeKind::Object(_) => {
                    make_row(&context.env, &columns, |key| Some(Member::Text(source, object.member(key)?)))
                }
                _ if is_set => Err(not_an_object(function)),
                NodeKind::Array(_) => {
                    Err(SqlError::invalid_parameter("cannot call populate_composite on an array"))
                }
                _ => Err(SqlError::invalid_parameter("cannot call populate_composite on a scalar")),
            };
            Ok(objects.into_iter().map(row).collect::<Result<_>>()?)
        }
    }
}

fn not_an_array<T>(function: &str, is_object: bool) -> Step<T> {
    let what = if is_object { "an object" } else { "a scalar" };
    match function.starts_with("jsonb") {
        true => invalid(format!("cannot call {function} on a non-array")),
        false => invalid(format!("cannot call {function} on {what}")),
    }
}

fn not_an_object(function: &str) -> SqlError {
    SqlError::invalid_parameter(format!("argument of {function} must be an array of objects"))
}

fn make_row<'a>(
    env: &EvalEnv<'_>,
    columns: &[Column<'_>],
    member: impl Fn(&str) -> Option<Member<'a>>,
) -> Result<Row> {
    let value = |column: &Column<'_>| match member(column.name) {
        None => Ok(Datum::Null),
        Some(member) => populate(env, column, &member),
    };
    columns.iter().map(value).collect()
}

/// A member as a value of a column's type: through its text, but for JSON and arrays.
fn populate(env: &EvalEnv<'_>, column: &Column<'_>, member: &Member<'_>) -> Result<Datum> {
    let Column { type_id, typmod, name } = *column;
    let is_null = match member {
        Member::Text(_, node) => matches!(node.kind, NodeKind::Null),
        Member::Binary(value) => matches!(value, Json::Null),
    };
    if is_null {
        return Ok(Datum::Null);
    }
    let form = match member {
        Member::Text(source, node) if matches!(type_id, JSON | JSONB) => source[node.span.clone()].to_owned(),
        Member::Binary(value) if matches!(type_id, JSON | JSONB) => value.to_string(),
        Member::Text(source, node) => json_plain_text(source, node).unwrap_or_default(),
        Member::Binary(value) => value.to_text().unwrap_or_default(),
    };
    match type_id.array_element() {
        Some(element) if !type_id.is_vector() => {
            let value = match member {
                Member::Text(source, node) => node.to_json(source)?,
                Member::Binary(value) => (*value).clone(),
            };
            if let Json::Array(elements) = &value {
                return populate_array(env, element, typmod, elements);
            }
            if let Json::String(_) = value {
                return text::input(env, type_id, typmod, &form);
            }
            let error = SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "expected JSON array");
            Err(error.with_hint(format!("See the value of key \"{name}\".")))
        }
        _ => text::input(env, type_id, typmod, &form),
    }
}

/// A one-dimensional array; nested ones are not supported here.
fn populate_array(env: &EvalEnv<'_>, element: TypeId, typmod: Typmod, elements: &[Json]) -> Result<Datum> {
    let one = |value: &Json| match value {
        Json::Null => Ok(Datum::Null),
        Json::Array(_) if !matches!(element, JSON | JSONB) => {
            Err(SqlError::unsupported("an array of several dimensions made of JSON"))
        }
        value if matches!(element, JSON | JSONB) => text::input(env, element, typmod, &value.to_string()),
        value => text::input(env, element, typmod, &value.to_text().unwrap_or_default()),
    };
    let values = elements.iter().map(one).collect::<Result<Vec<Datum>>>()?;
    apply_typmod(element, Typmod::NONE, false, Array::from_values(element, values).into())
}

//! The states of `json_agg`, `jsonb_agg`, `json_object_agg` and `jsonb_object_agg`.
//!
//! Owns their spacing and refusals. Read next: `crate::json`.

use super::AggregateKind;
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::json::{Json, Pretty, is_structured, json_of, write_key, write_string, write_value};
use crate::types::TypeId;

#[derive(Clone, Debug)]
pub(super) struct JsonState {
    /// Types of the arguments.
    types: Vec<TypeId>,
    parts: Parts,
}

/// What was taken in; `None` before the first row.
#[derive(Clone, Debug)]
enum Parts {
    Text { out: Option<String>, is_object: bool },
    Elements(Option<Vec<Json>>),
    Members(Option<Vec<(Box<str>, Json)>>),
}

impl JsonState {
    pub(super) fn new(kind: AggregateKind, types: &[TypeId]) -> JsonState {
        let parts = match kind {
            AggregateKind::JsonAgg => Parts::Text { out: None, is_object: false },
            AggregateKind::JsonObjectAgg => Parts::Text { out: None, is_object: true },
            AggregateKind::JsonbAgg => Parts::Elements(None),
            _ => Parts::Members(None),
        };
        JsonState { types: types.to_vec(), parts }
    }

    pub(super) fn add(&mut self, env: &EvalEnv<'_>, arguments: &[Datum]) -> Result<()> {
        let types = &self.types;
        match &mut self.parts {
            Parts::Text { out, is_object: false } => {
                let is_first = out.is_none();
                let out = out.get_or_insert_with(|| "[".to_owned());
                out.push_str(if is_first { "" } else { ", " });
                // Arrays and rows begin a line.
                if !is_first && is_structured(types[0]) && !arguments[0].is_null() {
                    out.push_str("\n ");
                }
                write_value(env, types[0], &arguments[0], Pretty::No, out);
            }
            Parts::Text { out, is_object: true } => {
                let key = key(env, types[0], &arguments[0])?;
                let is_first = out.is_none();
                let out = out.get_or_insert_with(|| "{ ".to_owned());
                out.push_str(if is_first { "" } else { ", " });
                write_string(&key, out);
                out.push_str(" : ");
                write_value(env, types[1], &arguments[1], Pretty::No, out);
            }
            Parts::Elements(elements) => {
                elements.get_or_insert_default().push(json_of(env, types[0], &arguments[0])?);
            }
            Parts::Members(members) => {
                let key = key(env, types[0], &arguments[0])?.into_boxed_str();
                members.get_or_insert_default().push((key, json_of(env, types[1], &arguments[1])?));
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<Datum> {
        match &self.parts {
            Parts::Text { out: Some(out), is_object } => {
                Ok(Datum::from(format!("{out}{}", if *is_object { " }" } else { "]" })))
            }
            Parts::Elements(Some(elements)) => Json::Array(elements.clone()).into_datum(),
            Parts::Members(Some(members)) => Json::object(members.clone()).into_datum(),
            _ => Ok(Datum::Null),
        }
    }
}

fn key(env: &EvalEnv<'_>, id: TypeId, value: &Datum) -> Result<String> {
    if value.is_null() {
        return Err(SqlError::invalid_parameter("field name must not be null"));
    }
    write_key(env, id, value)
}

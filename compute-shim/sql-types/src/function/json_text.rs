//! Functions and operators of `json`, which work on the text as it was written.
//!
//! Owns their code as SQL sees it. Read next: `crate::json::Source`.

use super::json::{pairs, path_at};
use super::{i32_at, str_at};
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::json::{Node, NodeKind, Source, parse_index, write_string};

/// The text of a value as it was written.
fn written(text: &str, node: Option<&Node>) -> Result<Datum> {
    Ok(node.map_or(Datum::Null, |node| Datum::text(&text[node.span.clone()])))
}

/// What `->>` gives of a value.
pub fn plain(text: &str, node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Null => None,
        NodeKind::String(value) => Some(value.clone()),
        _ => Some(text[node.span.clone()].to_owned()),
    }
}

fn plain_datum(text: &str, node: Option<&Node>) -> Result<Datum> {
    Ok(node.and_then(|node| plain(text, node)).map_or(Datum::Null, Datum::from))
}

pub(crate) fn object_field(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    written(text, Source::parse(text, true)?.root.member(str_at(args, 1)))
}

pub(crate) fn object_field_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    plain_datum(text, Source::parse(text, true)?.root.member(str_at(args, 1)))
}

pub(crate) fn array_element(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    written(text, Source::parse(text, true)?.root.element(i32_at(args, 1)))
}

pub(crate) fn array_element_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    plain_datum(text, Source::parse(text, true)?.root.element(i32_at(args, 1)))
}

fn at_path<'a>(root: &'a Node, path: &[&str]) -> Option<&'a Node> {
    let mut node = root;
    for step in path {
        node = match &node.kind {
            NodeKind::Object(_) => node.member(step)?,
            NodeKind::Array(_) => node.element(parse_index(step)?)?,
            _ => return None,
        };
    }
    Some(node)
}

pub(crate) fn extract_path(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(path) = path_at(args, 1) else { return Ok(Datum::Null) };
    let text = str_at(args, 0);
    written(text, at_path(&Source::parse(text, true)?.root, &path))
}

pub(crate) fn extract_path_text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(path) = path_at(args, 1) else { return Ok(Datum::Null) };
    let text = str_at(args, 0);
    plain_datum(text, at_path(&Source::parse(text, true)?.root, &path))
}

pub(super) fn type_of(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(match Source::parse(str_at(args, 0), false)?.root.kind {
        NodeKind::Null => "null",
        NodeKind::Bool(_) => "boolean",
        NodeKind::Number => "number",
        NodeKind::String(_) => "string",
        NodeKind::Array(_) => "array",
        NodeKind::Object(_) => "object",
    }
    .into())
}

pub(super) fn array_length(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    match Source::parse(str_at(args, 0), false)?.root.kind {
        NodeKind::Array(elements) => Ok(super::string::length_datum(elements.len())),
        NodeKind::Object(_) => Err(SqlError::invalid_parameter("cannot get array length of a non-array")),
        _ => Err(SqlError::invalid_parameter("cannot get array length of a scalar")),
    }
}

/// Without the members that are null, and without blanks.
pub(super) fn strip_nulls(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let mut out = String::new();
    strip(text, &Source::parse(text, true)?.root, &mut out);
    Ok(out.into())
}

fn strip(text: &str, node: &Node, out: &mut String) {
    match &node.kind {
        NodeKind::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                strip(text, element, out);
            }
            out.push(']');
        }
        NodeKind::Object(members) => {
            out.push('{');
            let kept = members.iter().filter(|(_, value)| !matches!(value.kind, NodeKind::Null));
            for (at, (key, value)) in kept.enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_string(key, out);
                out.push(':');
                strip(text, value, out);
            }
            out.push('}');
        }
        NodeKind::String(value) => write_string(value, out),
        _ => out.push_str(&text[node.span.clone()]),
    }
}

pub(super) fn object(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let mut out = String::from("{");
    for (at, (key, value)) in pairs(args)?.into_iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write_string(key, &mut out);
        out.push_str(" : ");
        match value {
            Some(value) => write_string(value, &mut out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(out.into())
}

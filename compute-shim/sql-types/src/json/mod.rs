//! `json` and `jsonb`: text checked and taken apart, values in jsonb's normal form with their order.
//!
//! Owns [`Json`], the value of `jsonb`; a `json` value is its text. `parse.rs` reads text, `write.rs` prints, `convert.rs` makes
//! JSON of SQL's values; `change.rs` holds what makes a new value of an old one, `size.rs` how large it may be; `path/` is
//! SQL/JSON path, on its own. The functions of SQL are in `crate::function::json`.

pub mod change;
mod convert;
mod order;
mod parse;
pub mod path;
mod size;
mod write;

pub use convert::{Pretty, is_structured, json_of, to_json, write_key, write_string, write_value};
pub use parse::{Node, NodeKind, Source, check};
pub use write::pretty;

use crate::datum::Datum;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Numeric;
use std::sync::Arc;

/// Most levels of arrays and objects within each other. PostgreSQL's limit is the depth of its stack, some thousands.
pub const NESTING_MAX: usize = 1_000;

/// A value of `jsonb`.
#[derive(Clone, Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A finite number.
    Number(Numeric),
    /// A string, without NUL.
    String(Box<str>),
    /// An array.
    Array(Vec<Json>),
    /// An object: keys are unique and in order of their length, then of their bytes.
    Object(Vec<(Box<str>, Json)>),
}

/// Order of an object's keys.
pub(crate) fn compare_keys(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

impl Json {
    /// A string.
    pub fn string(text: &str) -> Json {
        Json::String(text.into())
    }

    /// An object of members as they come: the last of one key counts.
    pub fn object(mut members: Vec<(Box<str>, Json)>) -> Json {
        members.reverse();
        members.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        members.dedup_by(|(a, _), (b, _)| a == b);
        Json::Object(members)
    }

    /// Reads the input of type `jsonb`.
    pub fn parse(text: &str) -> Result<Json> {
        parse::Source::parse(text, true)?.root.to_json(text)
    }

    /// As a value of SQL. 54001 if it is nested too deep, as for text that is: bytes of a row that are deeper are damage to whoever
    /// reads them, so nothing that makes a value may make such a one.
    pub fn into_datum(self) -> Result<Datum> {
        match self.is_within(NESTING_MAX) {
            true => Ok(Datum::Jsonb(Arc::new(self))),
            false => Err(too_deep()),
        }
    }

    /// Whether it has so many levels of arrays and objects at most.
    fn is_within(&self, levels: usize) -> bool {
        match self {
            Json::Array(elements) => {
                levels > 0 && elements.iter().all(|element| element.is_within(levels - 1))
            }
            Json::Object(members) => {
                levels > 0 && members.iter().all(|(_, value)| value.is_within(levels - 1))
            }
            _ => true,
        }
    }

    /// Whether it is neither an array nor an object.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Json::Array(_) | Json::Object(_))
    }

    /// The member of an object; `None` for anything else.
    pub fn member(&self, key: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        let at = members.binary_search_by(|(other, _)| compare_keys(other, key)).ok()?;
        Some(&members[at].1)
    }

    /// The element of an array, counted from 0, or from the end if negative; `None` for anything else.
    pub fn element(&self, index: i32) -> Option<&Json> {
        let Json::Array(elements) = self else { return None };
        elements.get(array_index(elements.len(), index)?)
    }

    /// `jsonb_typeof`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// What `->>` gives: a string's text, NULL for null, the text form of anything else.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Json::Null => None,
            Json::String(text) => Some(text.to_string()),
            other => Some(other.to_string()),
        }
    }

    /// The value at the end of a path of keys and indexes.
    pub fn at_path<'a>(&self, path: impl Iterator<Item = &'a str>) -> Option<&Json> {
        let mut value = self;
        for step in path {
            value = match value {
                Json::Object(_) => value.member(step)?,
                Json::Array(_) => value.element(parse_index(step)?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Whether `other` is contained (`@>`).
    pub fn contains(&self, other: &Json) -> bool {
        // An array may contain a scalar, but only at the top.
        if let (Json::Array(elements), true) = (self, other.is_scalar()) {
            return elements.iter().any(|element| element == other);
        }
        self.contains_deeply(other)
    }

    fn contains_deeply(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Object(_), Json::Object(members)) => members
                .iter()
                .all(|(key, value)| self.member(key).is_some_and(|found| found.contains_deeply(value))),
            (Json::Array(elements), Json::Array(wanted)) => {
                wanted.iter().all(|value| match value.is_scalar() {
                    true => elements.iter().any(|element| element == value),
                    false => elements.iter().any(|element| element.contains_deeply(value)),
                })
            }
            (a, b) => a.is_scalar() && a == b,
        }
    }

    /// Whether a text is a key, an element or the value itself (`?`).
    pub fn has_key(&self, key: &str) -> bool {
        let is_key = |value: &Json| matches!(value, Json::String(text) if &**text == key);
        match self {
            Json::Object(_) => self.member(key).is_some(),
            Json::Array(elements) => elements.iter().any(is_key),
            other => is_key(other),
        }
    }

    /// Without the members that are null, at every level.
    pub fn strip_nulls(&self) -> Json {
        match self {
            Json::Array(elements) => Json::Array(elements.iter().map(Json::strip_nulls).collect()),
            Json::Object(members) => {
                let kept = members.iter().filter(|(_, value)| !matches!(value, Json::Null));
                Json::Object(kept.map(|(key, value)| (key.clone(), value.strip_nulls())).collect())
            }
            other => other.clone(),
        }
    }
}

/// The place of an element counted from either end.
pub(crate) fn array_index(length: usize, index: i32) -> Option<usize> {
    let index = i64::from(index);
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { length + index } else { index };
    usize::try_from(at).ok().filter(|&at| i64::try_from(at).is_ok_and(|at| at < length))
}

/// A step of a path as an index: as C's `strtol` reads it, all of it.
pub(crate) fn parse_index(text: &str) -> Option<i32> {
    let trimmed = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    trimmed.strip_prefix('+').unwrap_or(trimmed).parse().ok()
}

/// 54001 for values that are nested too deep.
pub(crate) fn too_deep() -> SqlError {
    SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .with_detail(format!("Values of type json may have {NESTING_MAX} levels of arrays and objects."))
}

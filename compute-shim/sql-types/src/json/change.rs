//! Values of `jsonb` made from others: `||`, `-`, `#-`, `jsonb_set`, `jsonb_insert`.
//!
//! Owns the rules of paths that lead nowhere (`setPath` of PostgreSQL 15). Read next: `crate::function::json`.

use super::size::{BYTES_MAX, check_assigned};
use super::{Json, NESTING_MAX, array_index, compare_keys, parse_index, too_deep};
use crate::error::{Result, SqlError, SqlState};

/// `a || b`.
pub fn concat(a: &Json, b: &Json) -> Result<Json> {
    if let (Json::Object(first), Json::Object(second)) = (a, b) {
        return Ok(Json::object(first.iter().chain(second).cloned().collect()));
    }
    let elements = |value: &Json| match value {
        Json::Array(elements) => elements.clone(),
        other => vec![other.clone()],
    };
    let mut all = elements(a);
    all.extend(elements(b));
    Ok(Json::Array(all))
}

/// `value - keys`: without the members, or the strings of an array, of these names.
pub fn delete_keys(value: &Json, keys: &[&str]) -> Result<Json> {
    match value {
        Json::Object(members) => {
            let kept = members.iter().filter(|(key, _)| !keys.contains(&&**key));
            Ok(Json::Object(kept.cloned().collect()))
        }
        Json::Array(elements) => {
            let is_named = |value: &Json| matches!(value, Json::String(text) if keys.contains(&&**text));
            Ok(Json::Array(elements.iter().filter(|element| !is_named(element)).cloned().collect()))
        }
        _ => Err(SqlError::invalid_parameter("cannot delete from scalar")),
    }
}

/// `array - index`.
pub fn delete_index(value: &Json, index: i32) -> Result<Json> {
    match value {
        Json::Object(_) => Err(SqlError::invalid_parameter("cannot delete from object using integer index")),
        Json::Array(elements) => {
            let mut elements = elements.clone();
            if let Some(at) = array_index(elements.len(), index) {
                elements.remove(at);
            }
            Ok(Json::Array(elements))
        }
        _ => Err(SqlError::invalid_parameter("cannot delete from scalar")),
    }
}

/// What to do at the end of a path.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// `#-`.
    Delete,
    /// `jsonb_set`.
    Set {
        /// What replaces the value that is there.
        new: &'a Json,
        /// Puts it there if nothing is.
        create: bool,
    },
    /// `jsonb_insert`.
    Insert {
        /// The new element or member.
        new: &'a Json,
        /// Behind the element that is there rather than in front of it.
        after: bool,
    },
    /// Assignment to a subscript: what is missing on the way is made, and gaps of arrays are filled.
    Assign {
        /// What is assigned.
        new: &'a Json,
    },
}

/// The value with the change made at the end of the path. A NULL in it is 22004 where the path comes to it in an object or array.
pub fn change_path(value: &Json, path: &[Option<&str>], change: Change<'_>) -> Result<Json> {
    if value.is_scalar() {
        return match change {
            Change::Delete => Err(SqlError::invalid_parameter("cannot delete path in scalar")),
            Change::Assign { .. } if !path.is_empty() => Err(not_composite()),
            _ => Err(SqlError::invalid_parameter("cannot set path in scalar")),
        };
    }
    if path.is_empty() {
        return Ok(value.clone());
    }
    if let Change::Assign { new } = change
        && path.len() <= PATH_MAX
    {
        check_assigned(Some(value), path, new, BYTES_MAX)?;
    }
    step(value, path, 0, change)
}

/// Longer paths end in what is too deep.
const PATH_MAX: usize = 2 * NESTING_MAX;

fn cannot_replace() -> SqlError {
    SqlError::invalid_parameter("cannot replace existing key")
}

fn not_composite() -> SqlError {
    cannot_replace().with_detail("The path assumes key is a composite object, but it is a scalar value.")
}

/// An element of a path; 22004 for NULL.
fn key_at<'a>(path: &[Option<&'a str>], level: usize) -> Result<&'a str> {
    path[level].ok_or_else(|| {
        let message = format!("path element at position {} is null", level + 1);
        SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message)
    })
}

fn step(value: &Json, path: &[Option<&str>], level: usize, change: Change<'_>) -> Result<Json> {
    // Before it is known whether there is anything to go into.
    key_at(path, level)?;
    match value {
        Json::Object(members) => object(members, path, level, change).map(Json::Object),
        Json::Array(elements) => array(elements, path, level, change).map(Json::Array),
        scalar => match change {
            // The path goes on where there is nothing to go into.
            Change::Assign { .. } => Err(not_composite()),
            _ => Ok(scalar.clone()),
        },
    }
}

type Members = Vec<(Box<str>, Json)>;

fn object(members: &Members, path: &[Option<&str>], level: usize, change: Change<'_>) -> Result<Members> {
    let key = key_at(path, level)?;
    let is_last = level + 1 == path.len();
    let mut members = members.clone();
    match members.binary_search_by(|(other, _)| compare_keys(other, key)) {
        Ok(at) if is_last => match change {
            Change::Delete => {
                members.remove(at);
            }
            Change::Set { new, .. } | Change::Assign { new } => members[at].1 = new.clone(),
            Change::Insert { .. } => {
                return Err(
                    cannot_replace().with_hint("Try using the function jsonb_set to replace key value.")
                );
            }
        },
        Ok(at) => members[at].1 = step(&members[at].1, path, level + 1, change)?,
        Err(at) => {
            let new = match change {
                Change::Set { new, create: true } | Change::Insert { new, .. } if is_last => {
                    Some(new.clone())
                }
                Change::Assign { new } => Some(grown(path, level + 1, new)?),
                _ => None,
            };
            if let Some(new) = new {
                members.insert(at, (key.into(), new));
            }
        }
    }
    Ok(members)
}

/// Most elements that an array may be filled up to: PostgreSQL doubles the room of one that is being made, 32 bytes for each, and
/// takes no gigabyte at once.
const ARRAY_ELEMENTS_MAX: usize = 1 << 24;

/// XX000 in place of so many NULLs.
pub(super) fn check_elements(count: usize) -> Result<()> {
    match count <= ARRAY_ELEMENTS_MAX {
        true => Ok(()),
        false => Err(SqlError::internal("invalid memory alloc request size 1073741824")),
    }
}

/// What a path that leads nowhere yet is filled with: arrays for integers, objects for anything else.
fn grown(path: &[Option<&str>], from: usize, new: &Json) -> Result<Json> {
    // Before there is a value that is too deep to be let go of.
    if path.len() - from > NESTING_MAX {
        return Err(too_deep());
    }
    let (mut value, mut filled) = (new.clone(), 0usize);
    for level in (from..path.len()).rev() {
        let key = key_at(path, level)?;
        value = match parse_index(key) {
            Some(index) => {
                let gap = usize::try_from(index).unwrap_or(0);
                filled = filled.saturating_add(gap).saturating_add(1);
                check_elements(filled)?;
                let mut elements = vec![Json::Null; gap];
                elements.push(value);
                Json::Array(elements)
            }
            None => Json::Object(vec![(key.into(), value)]),
        };
    }
    Ok(value)
}

fn array(elements: &[Json], path: &[Option<&str>], level: usize, change: Change<'_>) -> Result<Vec<Json>> {
    let is_last = level + 1 == path.len();
    let key = key_at(path, level)?;
    let index = parse_index(key).ok_or_else(|| {
        let message = format!("path element at position {} is not an integer: \"{key}\"", level + 1);
        SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
    })?;
    let mut elements = elements.to_vec();
    let found = array_index(elements.len(), index);
    match (found, change) {
        (Some(at), _) if !is_last => elements[at] = step(&elements[at], path, level + 1, change)?,
        (Some(at), Change::Delete) => {
            elements.remove(at);
        }
        (Some(at), Change::Set { new, .. } | Change::Assign { new }) => elements[at] = new.clone(),
        (Some(at), Change::Insert { new, after }) => elements.insert(at + usize::from(after), new.clone()),
        (None, Change::Set { new, create: true } | Change::Insert { new, .. }) if is_last => {
            // Beyond either end: there.
            let at = if index < 0 { 0 } else { elements.len() };
            elements.insert(at, new.clone());
        }
        (None, Change::Assign { new }) => {
            let Ok(at) = usize::try_from(index) else {
                let message = format!("path element at position {} is out of range: {index}", level + 1);
                return Err(SqlError::invalid_parameter(message));
            };
            check_elements(at.saturating_add(1))?;
            let value = grown(path, level + 1, new)?;
            elements.resize(at, Json::Null);
            elements.push(value);
        }
        (None, _) => {}
    }
    Ok(elements)
}

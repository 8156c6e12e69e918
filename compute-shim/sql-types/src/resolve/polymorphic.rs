//! Makes polymorphic declarations concrete: `anyelement`, `anyarray`, `anycompatible` and their kin.
//!
//! Owns the consistency rules of PostgreSQL 15, section 38.2.5. Read next: `mod.rs`.

use super::common_type;
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// Declared types with every pseudo-type replaced.
pub(super) struct Concrete {
    pub arguments: Vec<TypeId>,
    pub result: TypeId,
}

fn mismatch(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
}

/// Whether the actual types of polymorphic arguments agree with each other.
pub(super) fn is_consistent(declared: &[TypeId], actual: &[TypeId]) -> bool {
    let wants_enum = declared.contains(&TypeId::ANYENUM);
    simple_element(declared, actual).is_ok_and(|element| !wants_enum || element.is_some_and(TypeId::is_enum))
        && compatible_element(declared, actual).is_ok()
}

/// Replaces the pseudo-types of a declaration by what the actual types make of them.
pub(super) fn resolve(declared: &[TypeId], actual: &[TypeId], result: TypeId) -> Result<Concrete> {
    assert_eq!(declared.len(), actual.len(), "callers expand candidates to the call");
    let element = simple_element(declared, actual)?;
    let common = compatible_element(declared, actual)?;
    let need = |element: Option<TypeId>| {
        element.ok_or_else(|| mismatch("could not determine polymorphic type because input has type unknown"))
    };
    let array = |element: TypeId| {
        element.array_of().ok_or_else(|| {
            let message = format!("could not find array type for data type {}", element.display_name());
            SqlError::new(SqlState::UNDEFINED_OBJECT, message)
        })
    };
    let replace = |id: TypeId, actual: Option<TypeId>| match id {
        TypeId::ANYELEMENT | TypeId::ANYNONARRAY => need(element),
        TypeId::ANYENUM => match need(element)? {
            found if found.is_enum() => Ok(found),
            found => {
                let message =
                    format!("type matched to anyenum is not an enum type: {}", found.display_name());
                Err(mismatch(message))
            }
        },
        // An array argument stays of its own type, which matters for vectors.
        TypeId::ANYARRAY => match actual {
            Some(actual) if actual != TypeId::UNKNOWN => Ok(actual),
            _ => array(need(element)?),
        },
        TypeId::ANYCOMPATIBLE | TypeId::ANYCOMPATIBLENONARRAY => need(common),
        TypeId::ANYCOMPATIBLEARRAY => array(need(common)?),
        TypeId::ANY => Ok(match actual {
            Some(actual) if actual != TypeId::UNKNOWN => actual,
            _ => TypeId::TEXT,
        }),
        other => Ok(other),
    };
    let arguments = declared
        .iter()
        .zip(actual)
        .map(|(&id, &actual)| replace(id, Some(actual)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Concrete { arguments, result: replace(result, None)? })
}

/// The element type that `anyelement` and `anyarray` arguments agree on.
fn simple_element(declared: &[TypeId], actual: &[TypeId]) -> Result<Option<TypeId>> {
    let mut element: Option<TypeId> = None;
    let mut array: Option<TypeId> = None;
    for (&id, &actual) in declared.iter().zip(actual) {
        if actual == TypeId::UNKNOWN {
            continue;
        }
        let (seen, name) = match id {
            TypeId::ANYELEMENT | TypeId::ANYNONARRAY | TypeId::ANYENUM => (&mut element, "anyelement"),
            TypeId::ANYARRAY => (&mut array, "anyarray"),
            _ => continue,
        };
        match *seen {
            Some(first) if first != actual => {
                let error = mismatch(format!("arguments declared \"{name}\" are not all alike"));
                let detail = format!("{} versus {}", first.display_name(), actual.display_name());
                return Err(error.with_detail(detail));
            }
            _ => *seen = Some(actual),
        }
    }
    let Some(array) = array else {
        return Ok(element);
    };
    let inner = array.array_element().ok_or_else(|| {
        let message = format!("argument declared anyarray is not an array but type {}", array.display_name());
        mismatch(message)
    })?;
    match element {
        Some(element) if element != inner => {
            let message = "argument declared anyarray is not consistent with argument declared anyelement";
            let detail = format!("{} versus {}", array.display_name(), element.display_name());
            Err(mismatch(message).with_detail(detail))
        }
        _ => Ok(Some(inner)),
    }
}

/// The common type of `anycompatible` arguments and the elements of `anycompatiblearray` ones.
fn compatible_element(declared: &[TypeId], actual: &[TypeId]) -> Result<Option<TypeId>> {
    let mut types = Vec::new();
    for (&id, &actual) in declared.iter().zip(actual) {
        match id {
            TypeId::ANYCOMPATIBLE | TypeId::ANYCOMPATIBLENONARRAY => types.push(actual),
            TypeId::ANYCOMPATIBLEARRAY if actual != TypeId::UNKNOWN => {
                types.push(actual.array_element().ok_or_else(|| {
                    let name = actual.display_name();
                    mismatch(format!("argument declared anycompatiblearray is not an array but type {name}"))
                })?);
            }
            _ => {}
        }
    }
    if types.is_empty() {
        let asked = declared.contains(&TypeId::ANYCOMPATIBLEARRAY);
        return Ok(asked.then_some(TypeId::TEXT));
    }
    common_type("arguments declared \"anycompatible\"", &types).map(Some)
}

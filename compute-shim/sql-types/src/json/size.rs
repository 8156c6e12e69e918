//! Bytes that PostgreSQL keeps a `jsonb` in, which bound what a value may grow to.
//!
//! Owns the bound of an assignment to a subscript, whose few words may fill gaps of millions of elements: it is known before
//! anything is made. Alignment is left out. Read next: `change.rs`.

use super::change::check_elements;
use super::{Json, array_index, compare_keys, parse_index};
use crate::error::{Result, SqlError, SqlState};

/// An array or object has 28 bits for its length (`JENTRY_OFFLENMASK`).
pub(super) const BYTES_MAX: usize = (1 << 28) - 1;

/// In front of an array or object: how many elements it has.
const HEAD_BYTES: usize = 4;
/// For each element, key and member's value, besides its bytes: its kind and where it ends.
const ENTRY_BYTES: usize = 4;
/// A number of four digits; longer ones are taken for what they hold here.
const NUMBER_BYTES: usize = 8;

fn bytes_of(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 0,
        Json::Number(number) => NUMBER_BYTES + number.heap_bytes().unwrap_or(0),
        Json::String(text) => text.len(),
        Json::Array(elements) => {
            HEAD_BYTES + elements.iter().map(|element| ENTRY_BYTES + bytes_of(element)).sum::<usize>()
        }
        Json::Object(members) => HEAD_BYTES + members.iter().map(bytes_of_member).sum::<usize>(),
    }
}

fn bytes_of_member((key, value): &(Box<str>, Json)) -> usize {
    2 * ENTRY_BYTES + key.len() + bytes_of(value)
}

/// Bytes of what has `new` at the end of a path; 54000 if that, or an array or object on the way, is above the bound. What is
/// wrong with the path otherwise is for whoever follows it.
pub(super) fn check_assigned(
    value: Option<&Json>,
    path: &[Option<&str>],
    new: &Json,
    bytes_max: usize,
) -> Result<usize> {
    let Some((&key, rest)) = path.split_first() else { return Ok(bytes_of(new)) };
    let Some(key) = key else { return Ok(0) };
    let inner = |value| check_assigned(value, rest, new, bytes_max);
    let (what, bytes) = match (value, parse_index(key)) {
        (Some(Json::Object(members)), _) => {
            let found = members.binary_search_by(|(other, _)| compare_keys(other, key)).ok();
            let others = members.iter().enumerate().filter(|(at, _)| Some(*at) != found);
            let others: usize = others.map(|(_, member)| bytes_of_member(member)).sum();
            let own = 2 * ENTRY_BYTES + key.len() + inner(found.map(|at| &members[at].1))?;
            ("object", others + own)
        }
        (Some(Json::Array(elements)), Some(index)) => {
            let found = array_index(elements.len(), index);
            let others = elements.iter().enumerate().filter(|(at, _)| Some(*at) != found);
            let others: usize = others.map(|(_, element)| bytes_of(element)).sum();
            let count = match found {
                Some(_) => elements.len(),
                None => elements.len().max(count_to(index)?),
            };
            ("array", others + count * ENTRY_BYTES + inner(found.map(|at| &elements[at]))?)
        }
        (None, Some(index)) => ("array", count_to(index)? * ENTRY_BYTES + inner(None)?),
        (None, None) => ("object", 2 * ENTRY_BYTES + key.len() + inner(None)?),
        // The path ends here, or with an error.
        (Some(other), _) => return Ok(bytes_of(other)),
    };
    match HEAD_BYTES + bytes <= bytes_max {
        true => Ok(HEAD_BYTES + bytes),
        false => {
            let message =
                format!("total size of jsonb {what} elements exceeds the maximum of {bytes_max} bytes");
            Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
        }
    }
}

/// Elements of an array that is filled up to this index.
fn count_to(index: i32) -> Result<usize> {
    let count = usize::try_from(index).map_or(0, |index| index + 1);
    check_elements(count)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::super::change::{Change, change_path};
    use super::*;

    /// The bytes with 1 assigned, or what is too large.
    fn assigned(value: &str, path: &[&str], bytes_max: usize) -> std::result::Result<usize, String> {
        let path: Vec<Option<&str>> = path.iter().copied().map(Some).collect();
        let (value, new) = (Json::parse(value).expect("JSON"), Json::parse("1").expect("JSON"));
        check_assigned(Some(&value), &path, &new, bytes_max).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn assignments_are_bounded_by_the_whole_value() {
        let refused = |what, bytes_max| {
            Err(format!("total size of jsonb {what} elements exceeds the maximum of {bytes_max} bytes"))
        };
        assert_eq!(assigned("{}", &["d", "9"], 1000), Ok(4 + 9 + 4 + 40 + 8));
        assert_eq!(assigned("{}", &["d", "9"], 64), refused("object", 64));
        assert_eq!(assigned("{}", &["d", "9"], 51), refused("array", 51));
        assert_eq!(assigned(r#"{"d": [null]}"#, &["d", "9"], 64), refused("object", 64));
        assert_eq!(assigned(r#"{"c": "four", "d": [1]}"#, &["d", "-1"], 1000), Ok(4 + 13 + 9 + 4 + 4 + 8));
        assert_eq!(assigned("[[], [null, null]]", &["0", "4"], 1000), Ok(4 + 8 + 12 + 4 + 20 + 8));
        assert_eq!(assigned("[[], [null, null]]", &["0", "4"], 55), refused("array", 55));
        assert_eq!(assigned("[1]", &["x"], 0), Ok(4 + 4 + 8));
    }

    /// Each update filled 64 MiB of entries more, until the process had no memory left.
    #[test]
    fn repeated_fills_do_not_grow_a_value_for_ever() {
        let value = Json::Object(vec![("s".into(), Json::String("x".repeat(210_000_000).into()))]);
        let new = Json::Null;
        let path = [Some("d"), Some("16000000")];
        let error = change_path(&value, &path, Change::Assign { new: &new }).expect_err("too large");
        assert_eq!(error.sqlstate(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    }
}

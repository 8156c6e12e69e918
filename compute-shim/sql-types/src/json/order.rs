//! Order, equality and hash of `jsonb` (`compareJsonbContainers` of PostgreSQL 15).
//!
//! Owns the ranks: null, string, number, boolean, array, object from below; arrays and objects go by their number of elements
//! first. By an old accident an empty array at the top is below everything, and any scalar there below other arrays.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::Json;

fn rank(value: &Json) -> u8 {
    match value {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Bool(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    }
}

/// Order of values inside of others.
fn compare_inner(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Number(a), Json::Number(b)) => a.cmp(b),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
            let orders = a.iter().zip(b).map(|(a, b)| compare_inner(a, b));
            orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }),
        (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| {
            let orders = a.iter().zip(b).map(|((a_key, a), (b_key, b))| {
                a_key.as_bytes().cmp(b_key.as_bytes()).then_with(|| compare_inner(a, b))
            });
            orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        }),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

impl Ord for Json {
    fn cmp(&self, other: &Json) -> Ordering {
        let is_empty = |value: &Json| matches!(value, Json::Array(elements) if elements.is_empty());
        match (is_empty(self), is_empty(other)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => compare_inner(self, other),
        }
    }
}

impl PartialOrd for Json {
    fn partial_cmp(&self, other: &Json) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(rank(self));
        match self {
            Json::Null => {}
            Json::Bool(value) => value.hash(state),
            Json::Number(value) => value.hash(state),
            Json::String(text) => text.hash(state),
            Json::Array(elements) => elements.hash(state),
            Json::Object(members) => members.hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks() {
        let texts =
            ["[]", "null", "\"a\"", "1", "1.5", "false", "true", "[1]", "[[]]", "[1, 2]", "{}", "{\"a\": 1}"];
        let values: Vec<Json> = texts.iter().map(|text| Json::parse(text).unwrap()).collect();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Json::parse("1.0").unwrap(), Json::parse("1.00").unwrap());
    }
}

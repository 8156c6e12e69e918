//! Enum types: which numbers they have, and how they are written where no catalog is at hand.
//!
//! A type that users make is known by its number alone: even numbers from [`ENUM_OID_FIRST`] are enums, and each is followed
//! by the type of its arrays. So what the binder asks of a type (is it an array, and of what?) needs no catalog. Names and
//! labels do. Where they are not known, or must outlive being changed, a *mark* stands for them: a number between two of
//! Unicode's noncharacters, which are for a program's own use and in no text of users. Names replace the marks of messages
//! where these leave the session; in the texts that the catalog keeps marks stay, so that these mean the same under any name.
//! Decision: `docs/decisions/0115-marks-for-types-and-values.md`.

use super::TypeId;
use crate::datum::EnumValue;
use std::borrow::Cow;

/// The number of the first enum type. The numbers of all other objects are below.
pub const ENUM_OID_FIRST: u32 = 1 << 30;

/// Around a type's number.
const TYPE: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];
/// Around a value's place.
const VALUE: [char; 2] = ['\u{fdd2}', '\u{fdd3}'];

impl TypeId {
    /// Whether it is an enum type.
    pub fn is_enum(self) -> bool {
        self.0 >= ENUM_OID_FIRST && self.0.is_multiple_of(2)
    }

    /// Whether it is the type of arrays of an enum type.
    pub fn is_enum_array(self) -> bool {
        self.0 >= ENUM_OID_FIRST && !self.0.is_multiple_of(2)
    }
}

/// What stands for a type's name.
pub(super) fn type_mark(id: TypeId) -> String {
    format!("{}{}{}", TYPE[0], id.0, TYPE[1])
}

/// What stands for the label of a value.
pub fn value_mark(value: EnumValue) -> String {
    format!("{}{}{}", VALUE[0], value.key, VALUE[1])
}

/// The type that a text stands for which is a mark.
pub fn marked_type(text: &str) -> Option<TypeId> {
    let number = text.strip_prefix(TYPE[0])?.strip_suffix(TYPE[1])?;
    let id = number.parse().map(TypeId).ok()?;
    (id.is_enum() || id.is_enum_array()).then_some(id)
}

/// The place of the value that a text stands for which is a mark.
pub fn marked_value(text: &str) -> Option<i64> {
    text.strip_prefix(VALUE[0])?.strip_suffix(VALUE[1])?.parse().ok()
}

/// The types whose marks are in a text.
pub fn marked_types(text: &str) -> impl Iterator<Item = TypeId> {
    text.match_indices(TYPE[0]).filter_map(|(at, _)| {
        let end = text[at..].find(TYPE[1])? + TYPE[1].len_utf8();
        marked_type(&text[at..at + end])
    })
}

/// A message with the names of the types in it.
pub fn with_type_names(text: &str, name: impl Fn(TypeId) -> String) -> Cow<'_, str> {
    if !text.contains(TYPE[0]) {
        return Cow::Borrowed(text);
    }
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(TYPE[0]) {
        let mark = rest[at..].find(TYPE[1]).map(|end| &rest[at..at + end + TYPE[1].len_utf8()]);
        named.push_str(&rest[..at]);
        match mark.and_then(|mark| Some((marked_type(mark)?, mark.len()))) {
            Some((id, length)) => {
                named.push_str(&name(id));
                rest = &rest[at + length..];
            }
            // Somebody has sent the noncharacter itself.
            None => {
                named.push(TYPE[0]);
                rest = &rest[at + TYPE[0].len_utf8()..];
            }
        }
    }
    named.push_str(rest);
    Cow::Owned(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_pairs() {
        let (id, array) = (TypeId(ENUM_OID_FIRST), TypeId(ENUM_OID_FIRST + 1));
        assert!(id.is_enum() && !id.is_enum_array() && array.is_enum_array() && !array.is_enum());
        assert_eq!((id.array_of(), array.array_element()), (Some(array), Some(id)));
        assert_eq!((id.array_element(), array.array_of()), (None, None));
        assert_eq!((id.category().letter(), array.category().letter()), (b'E', b'A'));
        assert!(!TypeId(ENUM_OID_FIRST - 1).is_enum() && !TypeId::TEXT.is_enum());
    }

    #[test]
    fn names_take_the_place_of_marks() {
        let id = TypeId(ENUM_OID_FIRST);
        let name = |id: TypeId| format!("<{}>", id.0 - ENUM_OID_FIRST);
        for (text, expected) in [
            ("plain".to_owned(), "plain"),
            (format!("{} = {}", id.display_name(), TypeId(id.0 + 1).display_name()), "<0> = <1>"),
            ("a\u{fdd0}b".to_owned(), "a\u{fdd0}b"),
            (format!("\u{fdd0}{}", id.display_name()), "\u{fdd0}<0>"),
            ("\u{fdd0}x\u{fdd1}".to_owned(), "\u{fdd0}x\u{fdd1}"),
        ] {
            assert_eq!(with_type_names(&text, name), expected);
        }
    }

    #[test]
    fn marks_are_read_back() {
        let id = TypeId(ENUM_OID_FIRST);
        assert_eq!(marked_type(&id.display_name()), Some(id));
        for key in [0, 1, -5, i64::MIN, i64::MAX] {
            assert_eq!(marked_value(&value_mark(EnumValue { id, key })), Some(key));
        }
        assert_eq!((marked_type("mood"), marked_value("sad"), marked_value("5")), (None, None, None));
        // Nothing but types that users have made is written so.
        assert_eq!(marked_type("\u{fdd0}25\u{fdd1}"), None);
        let text = format!("a = '{}'::\"{}\"", value_mark(EnumValue { id, key: 5 }), id.display_name());
        assert_eq!(marked_types(&text).collect::<Vec<_>>(), [id]);
    }
}

//! Type identities: oid, type modifier, and the questions asked of both.
//!
//! Owns [`TypeId`] and [`Typmod`]. Never holds or converts a value (see `datum`, `text`, `cast`).
//! Read next: `catalog.rs` (facts of each type), `name.rs` (how types are spelled).

mod catalog;
mod enumeration;
pub mod interval_fields;
mod name;

pub use catalog::{TYPES, TypeCategory, TypeInfo, type_info};
pub use enumeration::{ENUM_OID_FIRST, marked_type, marked_types, marked_value, value_mark, with_type_names};
pub use name::{format_type, type_from_name};

use crate::error::{Result, SqlError, SqlState};

/// The oid of a type. The same numbers as PostgreSQL's, since drivers know them by heart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

impl TypeId {
    /// No type (oid 0).
    pub const NONE: TypeId = TypeId(0);

    /// What is known of the type; `None` if it is not built in.
    pub fn info(self) -> Option<&'static TypeInfo> {
        type_info(self)
    }

    /// The category; `User` for numbers that are no type's.
    pub fn category(self) -> TypeCategory {
        match self.info() {
            Some(info) => info.category,
            None if self.is_enum() => TypeCategory::Enum,
            None if self.is_enum_array() => TypeCategory::Array,
            None => TypeCategory::User,
        }
    }

    /// `typlen`: bytes of a fixed-width value as PostgreSQL has it, -1 for others.
    pub fn typlen(self) -> i16 {
        match self.info() {
            Some(info) => info.len,
            None if self.is_enum() => 4,
            None => -1,
        }
    }

    /// Whether it is the preferred type of its category.
    pub fn is_preferred(self) -> bool {
        self.info().is_some_and(|info| info.preferred)
    }

    /// Whether it is a pseudo-type such as `anyelement` or `record`.
    pub fn is_pseudo(self) -> bool {
        self.info().is_some_and(|info| info.kind == b'p')
    }

    /// Whether it is one of the polymorphic pseudo-types.
    pub fn is_polymorphic(self) -> bool {
        matches!(
            self,
            TypeId::ANYELEMENT
                | TypeId::ANYARRAY
                | TypeId::ANYNONARRAY
                | TypeId::ANYENUM
                | TypeId::ANYCOMPATIBLE
                | TypeId::ANYCOMPATIBLEARRAY
                | TypeId::ANYCOMPATIBLENONARRAY
        )
    }

    /// The element type of an array type, the vectors `int2vector` and `oidvector` included; `None` for others.
    pub fn array_element(self) -> Option<TypeId> {
        if self.is_enum_array() {
            return Some(TypeId(self.0 - 1));
        }
        let info = self.info()?;
        (info.category == TypeCategory::Array && info.element != TypeId::NONE).then_some(info.element)
    }

    /// Whether it is one of the catalog's vectors, which have a text form of their own.
    pub fn is_vector(self) -> bool {
        matches!(self, TypeId::INT2VECTOR | TypeId::OIDVECTOR)
    }

    /// The type of arrays of this type.
    pub fn array_of(self) -> Option<TypeId> {
        if self.is_enum() {
            return Some(TypeId(self.0 + 1));
        }
        self.info().map(|info| info.array).filter(|&id| id != TypeId::NONE)
    }

    /// Whether values are held as [`crate::Datum::Text`].
    pub fn is_text_like(self) -> bool {
        matches!(
            self,
            TypeId::TEXT
                | TypeId::VARCHAR
                | TypeId::BPCHAR
                | TypeId::NAME
                | TypeId::UNKNOWN
                | TypeId::CSTRING
                | TypeId::PG_NODE_TREE
                | TypeId::ACLITEM
                | TypeId::JSON
        )
    }

    /// Whether values are held as [`crate::Datum::Oid`]: `oid`, `xid`, `cid` and the `reg…` aliases.
    pub fn is_oid_like(self) -> bool {
        matches!(self, TypeId::OID | TypeId::XID | TypeId::CID) || self.is_registry_alias()
    }

    /// Whether it is one of the `reg…` types, whose text form is a name found in the catalog.
    pub fn is_registry_alias(self) -> bool {
        matches!(
            self,
            TypeId::REGPROC
                | TypeId::REGPROCEDURE
                | TypeId::REGCLASS
                | TypeId::REGTYPE
                | TypeId::REGNAMESPACE
                | TypeId::REGROLE
        )
    }

    /// The name as users see it without a modifier: `format_type(self, NULL)`. Of a type that users have made it is a mark,
    /// in place of which [`with_type_names`] puts the name.
    pub fn display_name(self) -> String {
        format_type(self, None)
    }
}

/// A type modifier (`atttypmod`): the packed arguments of `varchar(n)`, `numeric(p, s)`, `timestamp(p)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Typmod(pub i32);

/// Longest length of `varchar(n)` and `char(n)`, in characters.
pub const CHAR_LENGTH_MAX: i32 = 10 * 1024 * 1024;

/// Bytes that PostgreSQL adds to a packed length or precision (the size of a varlena header).
const HEADER: i32 = 4;

impl Typmod {
    /// No modifier.
    pub const NONE: Typmod = Typmod(-1);

    /// Packs the arguments written behind the type's name: `varchar(10)`, `numeric(8, 2)`, `timestamp(3)`.
    ///
    /// Errors as PostgreSQL does: 42601 for a type that takes none, 22023 for values out of bounds.
    pub fn from_arguments(id: TypeId, arguments: &[i64]) -> Result<Typmod> {
        if arguments.is_empty() {
            return Ok(Typmod::NONE);
        }
        let id = if id.is_vector() { id } else { id.array_element().unwrap_or(id) };
        match id {
            TypeId::VARCHAR => Self::char_length("varchar", arguments),
            TypeId::BPCHAR => Self::char_length("char", arguments),
            TypeId::NUMERIC => Self::numeric(arguments),
            TypeId::TIME | TypeId::TIMETZ | TypeId::TIMESTAMP | TypeId::TIMESTAMPTZ => {
                Self::timestamp(id, arguments)
            }
            TypeId::INTERVAL => Self::interval(arguments),
            _ => Err(SqlError::syntax(format!("type modifier is not allowed for type \"{}\"", name_of(id)))),
        }
    }

    fn char_length(name: &str, arguments: &[i64]) -> Result<Typmod> {
        let &[length] = arguments else {
            return Err(SqlError::invalid_parameter("invalid type modifier"));
        };
        if length < 1 {
            return Err(SqlError::invalid_parameter(format!("length for type {name} must be at least 1")));
        }
        if length > i64::from(CHAR_LENGTH_MAX) {
            let message = format!("length for type {name} cannot exceed {CHAR_LENGTH_MAX}");
            return Err(SqlError::invalid_parameter(message));
        }
        let length = i32::try_from(length).expect("bounded above");
        Ok(Typmod(length + HEADER))
    }

    fn numeric(arguments: &[i64]) -> Result<Typmod> {
        let (precision, scale) = match *arguments {
            [precision] => (precision, 0),
            [precision, scale] => (precision, scale),
            _ => return Err(SqlError::invalid_parameter("invalid NUMERIC type modifier")),
        };
        if !(1..=1000).contains(&precision) {
            let message = format!("NUMERIC precision {precision} must be between 1 and 1000");
            return Err(SqlError::invalid_parameter(message));
        }
        if !(-1000..=1000).contains(&scale) {
            let message = format!("NUMERIC scale {scale} must be between -1000 and 1000");
            return Err(SqlError::invalid_parameter(message));
        }
        let precision = i32::try_from(precision).expect("bounded above");
        let scale = i32::try_from(scale).expect("bounded above");
        Ok(Typmod(((precision << 16) | (scale & 0x7ff)) + HEADER))
    }

    /// A precision above 6 is reduced to 6, as PostgreSQL does (with a warning there).
    fn timestamp(id: TypeId, arguments: &[i64]) -> Result<Typmod> {
        let &[precision] = arguments else {
            return Err(SqlError::invalid_parameter("invalid type modifier"));
        };
        if precision < 0 {
            let zone =
                if matches!(id, TypeId::TIMESTAMPTZ | TypeId::TIMETZ) { " WITH TIME ZONE" } else { "" };
            let name = if matches!(id, TypeId::TIME | TypeId::TIMETZ) { "TIME" } else { "TIMESTAMP" };
            let message = format!("{name}({precision}){zone} precision must not be negative");
            return Err(SqlError::invalid_parameter(message));
        }
        Ok(Typmod(i32::try_from(precision.min(6)).expect("bounded above")))
    }

    /// Characters of `varchar(n)` or `char(n)`.
    pub fn char_length_max(self) -> Option<usize> {
        (self.0 >= HEADER).then(|| usize::try_from(self.0 - HEADER).expect("not negative"))
    }

    /// Precision and scale of `numeric(p, s)`.
    pub fn numeric_precision_scale(self) -> Option<(i32, i32)> {
        if self.0 < HEADER {
            return None;
        }
        let packed = self.0 - HEADER;
        Some((packed >> 16 & 0xffff, ((packed & 0x7ff) ^ 1024) - 1024))
    }

    /// Fractional digits of `time(p)`, `timestamp(p)` and their kin with a zone.
    pub fn timestamp_precision(self) -> Option<u32> {
        u32::try_from(self.0).ok()
    }
}

/// `typname` of a type; of one that users have made a mark, see [`with_type_names`].
pub fn name_of(id: TypeId) -> String {
    id.info().map_or_else(|| format_type(id, None), |info| info.name.to_owned())
}

/// 42704 as PostgreSQL words it for an unknown type.
pub(crate) fn undefined_type(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_consistent() {
        for pair in TYPES.windows(2) {
            assert!(pair[0].id < pair[1].id);
        }
        for info in TYPES {
            if info.array != TypeId::NONE {
                let array = info.array.info().expect("array types of the table are in the table");
                assert_eq!(array.element, info.id, "{}", info.name);
            }
        }
    }

    #[test]
    fn numeric_modifier_round_trip() {
        for (arguments, expected) in [
            (vec![10, 2], (10, 2)),
            (vec![5], (5, 0)),
            (vec![3, -2], (3, -2)),
            (vec![1000, 1000], (1000, 1000)),
        ] {
            let typmod = Typmod::from_arguments(TypeId::NUMERIC, &arguments).expect("valid");
            assert_eq!(typmod.numeric_precision_scale(), Some(expected));
        }
    }
}

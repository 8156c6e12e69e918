//! The collation that a value comes with.
//!
//! Owns PostgreSQL's rules for it (`parse_collate.c`): what COLLATE says goes before what a column is declared with, that goes
//! before what a type has, and of columns that are declared differently none has its way. All collations order alike here, so
//! that what follows is what is refused (`bind/collation.rs`), and what fails when it runs: a call that needs a collation and
//! has none ([`Kind::WithoutCollation`]).

use super::{Expr, Kind};
use crate::catalog::object::Oid;
use crate::catalog::system::{C_COLLATION_OID, DEFAULT_COLLATION_OID};
use hexalog_sql_types::types::TypeCategory;
use hexalog_sql_types::{Array, Datum, SqlError, SqlState, TypeId};

/// The collation of an expression's value, from the weakest to the strongest.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Collation {
    /// None, though its type has one: a column of a query that made it of columns which differ.
    Missing,
    /// What its type has, if that has any.
    #[default]
    Own,
    /// A column's, which stands there; 0 for the expression itself.
    Implicit { oid: Oid, position: u32 },
    /// It is made of columns that differ; the second of them stands there.
    Conflict { first: Oid, second: Oid, position: u32 },
    /// What COLLATE says, which stands there.
    Explicit { oid: Oid, position: u32 },
}

/// Whether values of a type have a collation.
pub(crate) fn is_collatable(type_id: TypeId) -> bool {
    type_id.array_element().unwrap_or(type_id).category() == TypeCategory::String
}

/// What values of a type have if nobody says more.
fn own(type_id: TypeId) -> Oid {
    let is_name = type_id.array_element().unwrap_or(type_id) == TypeId::NAME;
    if is_name { C_COLLATION_OID } else { DEFAULT_COLLATION_OID }
}

impl Collation {
    /// What a table's column is declared with.
    pub(crate) fn declared(oid: Oid) -> Collation {
        match oid {
            0 | DEFAULT_COLLATION_OID => Collation::Own,
            oid => Collation::Implicit { oid, position: 0 },
        }
    }

    /// What an expression is made with, of the collations of its parts.
    pub(super) fn of_parts(kind: &Kind, type_id: TypeId) -> Collation {
        let together = |parts: &[Expr]| Collation::together(parts);
        let parts = match kind {
            Kind::Operator { operands: parts, .. }
            | Kind::Function { arguments: parts, .. }
            | Kind::Host { arguments: parts, .. }
            | Kind::Coalesce(parts)
            | Kind::Extreme { items: parts, .. }
            | Kind::Array { items: parts, .. } => together(parts),
            Kind::Coerce { operand, .. } | Kind::Subscript { operand, .. } => {
                together(std::slice::from_ref(operand))
            }
            Kind::NullIf { comparison, .. } => together(&**comparison),
            Kind::Case { branches, otherwise, .. } => {
                Collation::together(branches.iter().map(|(_, result)| result).chain([&**otherwise]))
            }
            Kind::WithoutCollation { call, .. } => return call.collation,
            _ => None,
        };
        parts.filter(|_| is_collatable(type_id)).unwrap_or_default()
    }

    /// What the parts of an expression come to: `None` if none of them has a collation. Two of COLLATE are refused before.
    pub(crate) fn together<'e>(parts: impl IntoIterator<Item = &'e Expr>) -> Option<Collation> {
        let known = parts.into_iter().filter_map(|part| part.collation.known(part.type_id, part.position));
        known.reduce(Collation::and)
    }

    /// What a call over such arguments comes to, of this type.
    pub(crate) fn of_call(arguments: &[Expr], result: TypeId) -> Collation {
        Collation::together(arguments).filter(|_| is_collatable(result)).unwrap_or_default()
    }

    /// What a value of this type at this place has, by its name; `None` if it has none.
    fn known(self, type_id: TypeId, at: u32) -> Option<Collation> {
        // What COLLATE says of a literal without a type goes on to the type that it gets.
        let is_untyped = type_id == TypeId::UNKNOWN && self != Collation::Own;
        match self {
            _ if !is_collatable(type_id) && !is_untyped => None,
            Collation::Missing => None,
            Collation::Own => Some(Collation::Implicit { oid: own(type_id), position: at }),
            Collation::Implicit { oid, position: 0 } => Some(Collation::Implicit { oid, position: at }),
            known => Some(known),
        }
    }

    /// What a value of this type has; `None` if it has none.
    pub(crate) fn oid(self, type_id: TypeId) -> Option<Oid> {
        match self.known(type_id, 0) {
            Some(Collation::Explicit { oid, .. } | Collation::Implicit { oid, .. }) => Some(oid),
            _ => None,
        }
    }

    fn and(self, other: Collation) -> Collation {
        use Collation::{Conflict, Explicit, Implicit};
        match (self, other) {
            (Explicit { .. }, _) => self,
            (_, Explicit { .. }) => other,
            (Conflict { .. }, _) => self,
            (_, Conflict { .. }) => other,
            (Implicit { oid: first, .. }, Implicit { oid: second, position }) => match (first, second) {
                _ if first == second => self,
                // That of a type gives way.
                (DEFAULT_COLLATION_OID, _) => other,
                (_, DEFAULT_COLLATION_OID) => self,
                _ => Conflict { first, second, position },
            },
            _ => unreachable!("{self:?} and {other:?} are known by name"),
        }
    }

    /// What a column of a set operation has, of those of its sides: their types, collations and places.
    pub(crate) fn of_sides(left: (TypeId, Collation, u32), right: (TypeId, Collation, u32)) -> Collation {
        let known = [left, right].into_iter().filter_map(|(type_id, own, at)| own.known(type_id, at));
        known.reduce(Collation::and).unwrap_or(left.1)
    }

    /// What a column has outside of the query that gives it.
    pub(crate) fn outside(self) -> Collation {
        match self {
            Collation::Explicit { oid, .. } | Collation::Implicit { oid, .. } => {
                Collation::Implicit { oid, position: 0 }
            }
            Collation::Conflict { .. } => Collation::Missing,
            Collation::Own | Collation::Missing => self,
        }
    }
}

/// 42P22.
pub(crate) fn indeterminate_collation(message: String) -> SqlError {
    SqlError::new(SqlState::INDETERMINATE_COLLATION, message)
        .with_hint("Use the COLLATE clause to set the collation explicitly.")
}

/// The same for something that needs a collation.
pub(crate) fn no_collation_for(what: &str) -> SqlError {
    indeterminate_collation(format!("could not determine which collation to use for {what}"))
}

/// What 42P22 says that a call needs a collation for, if it does.
pub(crate) fn need(call: &Kind) -> Option<&'static str> {
    const COMPARISON: &str = "string comparison";
    const REGULAR: &str = "regular expression";
    match call {
        Kind::Operator { operator, .. } | Kind::AnyAll { operator, .. } => match operator.name {
            "=" | "<>" | "<" | "<=" | ">" | ">=" | "@>" | "<@" | "&&" | "^@" => Some(COMPARISON),
            "~" | "~*" | "!~" | "!~*" => Some(REGULAR),
            "~~*" | "!~~*" => Some("ILIKE"),
            _ => None,
        },
        Kind::Extreme { .. } | Kind::NullIf { .. } | Kind::IsDistinct { .. } => Some(COMPARISON),
        Kind::Function { function, .. } => match function.name {
            "upper" => Some("upper() function"),
            "lower" => Some("lower() function"),
            "initcap" => Some("initcap() function"),
            "position" | "replace" | "split_part" | "starts_with" | "string_to_array" | "strpos" => {
                Some(COMPARISON)
            }
            name if name.starts_with("regexp_") => Some(REGULAR),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a call over these values comes to where it needs its collation.
pub(super) fn is_reached(call: &Kind, values: &[Datum]) -> bool {
    let are_known = |values: &[Datum]| !values.iter().any(Datum::is_null);
    match (call, values) {
        (Kind::Extreme { .. }, _) => values.iter().filter(|value| !value.is_null()).count() > 1,
        (Kind::AnyAll { .. }, [left, Datum::Array(array)]) => {
            !left.is_null() && array.elements().iter().any(|value| !value.is_null())
        }
        (Kind::AnyAll { .. }, _) => false,
        (Kind::Operator { operator, .. }, [Datum::Array(left), Datum::Array(right)]) => {
            compares_elements(operator.name, left, right)
        }
        (Kind::IsDistinct { .. }, [Datum::Array(left), Datum::Array(right)]) => {
            compares_elements("=", left, right)
        }
        (Kind::NullIf { .. }, [_, left, right]) => !left.is_null() && !right.is_null(),
        (Kind::Function { function, .. }, [Datum::Text(text), Datum::Text(part), ..]) => {
            match function.name {
                // They know without looking.
                "position" | "strpos" => !part.is_empty() && text.len() >= part.len(),
                "replace" | "split_part" | "string_to_array" => {
                    !text.is_empty() && !part.is_empty() && {
                        are_known(values) || function.name == "string_to_array"
                    }
                }
                _ => are_known(values),
            }
        }
        _ => are_known(values),
    }
}

/// Whether an operator of two arrays compares two elements before it knows.
fn compares_elements(operator: &str, left: &Array, right: &Array) -> bool {
    let is_known = |value: &Datum| !value.is_null();
    match operator {
        "@>" | "<@" | "&&" => left.elements().iter().any(is_known) && right.elements().iter().any(is_known),
        "=" | "<>" if left.dimensions != right.dimensions => false,
        _ => {
            let mut pairs = left.elements().iter().zip(right.elements());
            let first = pairs.find(|(left, right)| is_known(left) || is_known(right));
            first.is_some_and(|(left, right)| is_known(left) && is_known(right))
        }
    }
}

//! Which collation an expression comes by, and where there is none to be had.
//!
//! Owns PostgreSQL's rules for it (`parse_collate.c`): what COLLATE says goes before what columns are declared with, and of columns
//! that are declared differently none has its way. All collations order alike here, so that all that follows is what is
//! refused: 42P21 where a statement asks for one order of such a value, 42P22 when a function that needs a collation is
//! called without one. Nothing is looked at while all columns that are named have collations that agree with any other.

use super::Binder;
use super::coerce::is_collatable;
use crate::catalog::object::Oid;
use crate::catalog::system::{C_COLLATION_OID, DEFAULT_COLLATION_OID, collation_name};
use crate::expression::{Expr, Implicit, Kind, indeterminate_collation};
use crate::parse::at;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};

/// What the parts of an expression come to together, the weaker first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Derived {
    /// No part has a collation.
    Nothing,
    Implicit(Oid),
    /// Two columns differ, the second of which stands there.
    Conflict {
        first: Oid,
        second: Oid,
        position: u32,
    },
    Explicit,
}

impl Derived {
    /// With another part beside those before.
    fn and(self, other: Derived, position: u32) -> Derived {
        use Derived::{Conflict, Explicit, Implicit, Nothing};
        match (self, other) {
            (Explicit, _) | (_, Explicit) => Explicit,
            (conflict @ Conflict { .. }, _) | (_, conflict @ Conflict { .. }) => conflict,
            (Nothing, other) => other,
            (own, Nothing) => own,
            (Implicit(one), Implicit(two)) => match (one, two) {
                _ if one == two => Implicit(one),
                // That of a type gives way.
                (DEFAULT_COLLATION_OID, two) => Implicit(two),
                (one, DEFAULT_COLLATION_OID) => Implicit(one),
                (first, second) => Conflict { first, second, position },
            },
        }
    }
}

/// What values of a type have if nobody says more.
fn of_type(type_id: TypeId) -> Oid {
    let is_name = type_id.array_element().unwrap_or(type_id) == TypeId::NAME;
    if is_name { C_COLLATION_OID } else { DEFAULT_COLLATION_OID }
}

fn together<'e>(parts: impl IntoIterator<Item = &'e Expr>) -> Derived {
    parts.into_iter().fold(Derived::Nothing, |derived, part| derived.and(of(part), part.position))
}

#[recursive::recursive]
fn of(expr: &Expr) -> Derived {
    if !is_collatable(expr.type_id) {
        return Derived::Nothing;
    }
    if expr.explicit.is_some() {
        return Derived::Explicit;
    }
    let parts = match &expr.kind {
        Kind::Operator { operands: parts, .. }
        | Kind::Function { arguments: parts, .. }
        | Kind::Host { arguments: parts, .. }
        | Kind::Coalesce(parts)
        | Kind::Extreme { items: parts, .. }
        | Kind::Array { items: parts, .. } => together(parts),
        Kind::Coerce { operand, .. } | Kind::Subscript { operand, .. } => of(operand),
        Kind::NullIf { first, .. } => of(first),
        Kind::Indeterminate { value, .. } => of(value),
        Kind::Case { branches, otherwise, .. } => {
            together(branches.iter().map(|(_, result)| result).chain([&**otherwise]))
        }
        _ => {
            return match expr.implicit {
                Implicit::Own => Derived::Implicit(of_type(expr.type_id)),
                Implicit::Of(oid) => Derived::Implicit(oid),
                Implicit::Missing => Derived::Nothing,
            };
        }
    };
    match parts {
        Derived::Nothing => Derived::Implicit(of_type(expr.type_id)),
        parts => parts,
    }
}

/// What a column has outside of the query that gives it.
pub(super) fn outside(expr: &Expr) -> Implicit {
    match (&expr.explicit, of(expr)) {
        (Some(explicit), _) => Implicit::Of(explicit.oid),
        _ if !is_collatable(expr.type_id) => Implicit::Own,
        (None, Derived::Implicit(oid)) if oid == of_type(expr.type_id) => Implicit::Own,
        (None, Derived::Implicit(oid)) => Implicit::Of(oid),
        (None, Derived::Explicit) => Implicit::Own,
        (None, Derived::Conflict { .. } | Derived::Nothing) => Implicit::Missing,
    }
}

/// What a column of a set operation has; the two collations that it cannot have both of.
pub(super) fn of_both(left: (TypeId, Implicit), right: (TypeId, Implicit)) -> Result<Implicit, (Oid, Oid)> {
    let derived = |(type_id, implicit): (TypeId, Implicit)| {
        of(&Expr { implicit, ..Expr::column(0, type_id, Typmod::NONE) })
    };
    match derived(left).and(derived(right), 0) {
        Derived::Conflict { first, second, .. } => Err((first, second)),
        Derived::Implicit(oid) if oid == of_type(left.0) => Ok(Implicit::Own),
        Derived::Implicit(oid) => Ok(Implicit::Of(oid)),
        Derived::Nothing if is_collatable(left.0) => Ok(Implicit::Missing),
        Derived::Nothing | Derived::Explicit => Ok(Implicit::Own),
    }
}

/// What 42P22 says that an operator needs a collation for, if it does.
pub(super) fn need_of_operator(operator: &Operator) -> Option<&'static str> {
    let is_array = operator.right.array_element().is_some();
    match operator.name {
        // Those of different lengths are told apart without a look at their elements.
        "=" | "<>" if is_array || operator.right == TypeId::ANYARRAY => None,
        "=" | "<>" | "<" | "<=" | ">" | ">=" => Some("string comparison"),
        "~" | "~*" | "!~" | "!~*" => Some("regular expression"),
        "~~*" | "!~~*" => Some("ILIKE"),
        _ => None,
    }
}

/// The same of a function.
pub(super) fn need_of_function(name: &str) -> Option<&'static str> {
    Some(match name {
        "upper" => "upper() function",
        "lower" => "lower() function",
        "initcap" => "initcap() function",
        "position" | "replace" | "split_part" | "string_to_array" | "strpos" => "string comparison",
        "regexp_count"
        | "regexp_instr"
        | "regexp_like"
        | "regexp_match"
        | "regexp_replace"
        | "regexp_split_to_array"
        | "regexp_substr" => "regular expression",
        _ => return None,
    })
}

const MISMATCH_HINT: &str =
    "You can choose the collation by applying the COLLATE clause to one or both expressions.";

/// 42P21 for two columns.
pub(super) fn mismatch(first: Oid, second: Oid) -> SqlError {
    let (first, second) = (collation_name(first), collation_name(second));
    let message = format!("collation mismatch between implicit collations \"{first}\" and \"{second}\"");
    SqlError::new(SqlState::COLLATION_MISMATCH, message).with_hint(MISMATCH_HINT)
}

impl Binder<'_> {
    /// A column is named: whether its collation may disagree with another's. The one of names agrees with all but such.
    pub(super) fn note_collation(&mut self, expr: &Expr) {
        self.names_collation |= match expr.implicit {
            Implicit::Own => false,
            Implicit::Of(oid) => oid != C_COLLATION_OID,
            Implicit::Missing => true,
        };
    }

    /// A value that a function makes of operands for which it needs a collation: it fails if these have none, unless one of
    /// them is NULL. What is kept is kept as it was written, and fails where it runs.
    pub(super) fn with_collation(&self, value: Expr, operands: &[Expr], what: &'static str) -> Expr {
        if !self.names_collation || !self.folds || !operands.iter().any(|part| is_collatable(part.type_id)) {
            return value;
        }
        match together(operands) {
            Derived::Conflict { .. } | Derived::Nothing => {}
            Derived::Implicit(_) | Derived::Explicit => return value,
        }
        let (type_id, position) = (value.type_id, value.position);
        let kind = Kind::Indeterminate { value: Box::new(value), operands: operands.into(), what };
        Expr::new(kind, type_id).at(position)
    }

    /// 42P21 for an expression that is to be ordered or grouped by and is made of columns that differ.
    pub(super) fn check_one_collation(&self, expr: &Expr) -> Result<()> {
        if !self.names_collation || !is_collatable(expr.type_id) {
            return Ok(());
        }
        match of(expr) {
            Derived::Conflict { first, second, position } => Err(at(mismatch(first, second), position)),
            _ => Ok(()),
        }
    }

    /// The same, and 42P22 for a column that has come without a collation.
    pub(super) fn check_ordered_collation(&self, expr: &Expr) -> Result<()> {
        self.check_one_collation(expr)?;
        if self.names_collation && is_collatable(expr.type_id) && of(expr) == Derived::Nothing {
            return Err(indeterminate_collation("string comparison"));
        }
        Ok(())
    }
}

//! Operators: the table of `pg_operator` and the code behind it.
//!
//! Owns [`Operator`]. Never chooses among candidates (see `resolve`). `table.rs` holds the rows, the other files the code.

pub(crate) mod arithmetic;
pub(crate) mod array;
mod compare;
pub(crate) mod like;
mod record;
pub(crate) mod regex;
mod table;
mod temporal;
mod text;

pub use record::{check_hashable, order_checked};
pub(crate) use temporal::add as add_temporal;

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;
use crate::function::ScalarFn;
use crate::types::TypeId;

/// One operator. All are strict but the concatenation of arrays; all are immutable unless marked.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// `pg_operator.oid`, PostgreSQL's own number.
    pub oid: u32,
    /// The symbol, e.g. `+`, `~~`.
    pub name: &'static str,
    /// Type of the left operand, `None` for a prefix operator.
    pub left: Option<TypeId>,
    /// Type of the right operand.
    pub right: TypeId,
    /// Type of the result; polymorphic for the array operators.
    pub result: TypeId,
    /// `oprcode`: oid of the function behind it.
    pub function: u32,
    /// `oprcom`: oid of the commutator, 0 if none.
    pub commutator: u32,
    /// `oprnegate`: oid of the negator, 0 if none.
    pub negator: u32,
    /// Whether the result depends on the session's time zone.
    pub stable: bool,
    /// The code; called with one or two values.
    pub call: ScalarFn,
}

impl Operator {
    /// Whether NULL operands give NULL without a call: all but `||` of arrays.
    pub fn is_strict(&self) -> bool {
        !(self.name == "||" && self.result == TypeId::ANYCOMPATIBLEARRAY)
    }

    /// Applies the operator; NULL operands give NULL.
    pub fn apply(&self, env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
        assert_eq!(operands.len(), 1 + usize::from(self.left.is_some()), "the binder passes all operands");
        if operands.iter().any(Datum::is_null) && self.is_strict() {
            return Ok(Datum::Null);
        }
        (self.call)(env, operands)
    }
}

/// Every operator, in order of name.
pub fn operators() -> &'static [Operator] {
    table::OPERATORS
}

/// The operators of one name, prefix and infix.
pub fn by_name(name: &str) -> &'static [Operator] {
    let operators = operators();
    let start = operators.partition_point(|operator| operator.name < name);
    let count = operators[start..].partition_point(|operator| operator.name == name);
    &operators[start..start + count]
}

/// An operator by its oid.
pub fn by_oid(oid: u32) -> Option<&'static Operator> {
    operators().iter().find(|operator| operator.oid == oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_consistent() {
        for pair in operators().windows(2) {
            assert!((pair[0].name, pair[0].oid) < (pair[1].name, pair[1].oid), "{pair:?}");
        }
        for operator in operators() {
            if let Some(commutator) = by_oid(operator.commutator) {
                assert_eq!(commutator.left, Some(operator.right), "{}", operator.oid);
                assert_eq!(Some(commutator.right), operator.left, "{}", operator.oid);
            }
        }
    }
}
